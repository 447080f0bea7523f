"""What runs without standing in the statement: routines, blocks, prepared statements, cursors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from qingfang.understand import dialects, triggers
from qingfang.understand.builtin import JOB_TABLES, SCHEDULERS
from qingfang.understand.folding import fold
from qingfang.understand.routines.blocks import BlockReader
from qingfang.understand.routines.interpret import Frame, Interpreter, Table
from qingfang.understand.routines.source import read, read_words
from qingfang.understand.routines.tree import Block, Hand, If, Routine, Span, Step
from qingfang.understand.routines.tree import Each as EachStep
from qingfang.understand.routines.tree import Loop as LoopStep
from qingfang.understand.routines.values import PLAIN_HOLE, UNKNOWN, has_hole
from qingfang.understand.scope import Problem, Scope
from qingfang.understand.state import SessionState

if TYPE_CHECKING:
    from qingfang.understand.statement import Statement


class Told:
    """Makes an outcome of its own of everything that a body does. `stored`: what it shows stays on
    the server (a routine's definition, a block that says nothing)."""

    def __init__(self, statement: Statement, stored: bool = False) -> None:
        self.statement, self.stored = statement, stored

    def shown(self, tree: exp.Expr, span: Span, anchor: Span | None, stored: bool) -> None:
        with self.statement.part(span) as result:
            self.statement.query(tree, self._scope(anchor))
            if stored or self.stored:
                result.delivery = "stored"

    def did(self, tree: exp.Expr, span: Span, anchor: Span | None) -> None:
        with self.statement.part(span) as result:
            self.statement.node(tree, self._scope(anchor))
            if self.stored:
                result.delivery = "stored"

    def _scope(self, anchor: Span | None) -> Scope:
        return Scope(self.statement.walker, None, {}, anchor)

    def problem(self, kind: str, name: str, span: Span) -> None:
        with self.statement.part(span) as result:
            result.problems.append(Problem(kind, name, span))
            result.unbounded = kind == "unknown_handle"
            if self.stored:
                result.delivery = "stored"

    def text(self, kind: str, name: str) -> tuple[str, ...] | None:
        state = self.statement.state
        if state is None:
            return None
        self.statement.walker.volatile = True
        if kind == "variable":
            return state.texts.get(name)
        if kind == "latest":
            return (state.latest[name],) if name in state.latest else None
        if kind == "handle":
            family, _space, number = name.partition(" ")
            return tuple(state.handled(family, number)) or None
        return tuple(state.prepared.get(name, ())) or None

    def learn(self, kind: str, name: str, texts: tuple[str, ...] | None) -> None:
        state = self.statement.state
        if state is None:
            return
        known = texts is not None and not any(
            has_hole(text.replace(PLAIN_HOLE, "")) for text in texts
        )
        if kind == "variable":
            state.keep_texts(name, texts if known else None)
        elif kind == "handle":
            self.statement.walker.volatile = True
            state.handle(name, texts if known and texts is not None else ())
        else:
            for text in texts if known and texts is not None else ():
                state.prepare(name, text)

    def hold(self, name: str, rows: list[exp.Expr]) -> None:
        state = self.statement.state
        if state is not None:
            self.statement.walker.volatile = True
            state.hold(name, [self.statement.frozen(row) for row in rows])

    def held(self, name: str) -> list[exp.Expr] | None:
        state = self.statement.state
        self.statement.walker.volatile = True
        found = state.held.get(name) if state is not None else None
        return list(found) if found is not None else None


class _Defined(Told):
    """For a routine that is only defined: the session has nothing of it yet."""

    def __init__(self, statement: Statement) -> None:
        super().__init__(statement, True)

    def learn(self, kind: str, name: str, texts: tuple[str, ...] | None) -> None:
        return

    def hold(self, name: str, rows: list[exp.Expr]) -> None:
        return


def batch(statement: Statement) -> None:
    """A batch, a block or a call, as the client sent it."""
    _session(statement)
    routine = read_words(statement.piece.tokens, statement.sql, statement.dialect)
    _run(statement, routine, Told(statement))


def _session(statement: Statement) -> None:
    """A batch's temporary tables have to be somewhere."""
    if statement.state is None:
        statement.state = SessionState()
        statement.walker.state = statement.state


def _run(statement: Statement, routine: Routine, told: Told) -> None:
    Interpreter(statement.walker, told).batch(routine, statement.result.span)


def call(statement: Statement) -> None:
    """ODBC's `{call p(…)}` and `{? = call f(…)}`."""
    _session(statement)
    tokens = [token for token in statement.piece.tokens if token.text not in {"{", "}"}]
    at = next((n for n, token in enumerate(tokens) if token.text.upper() == "CALL"), None)
    if at is None:
        statement.problem("unparsed")
        return
    reader = BlockReader(tokens[at:], statement.sql, statement.dialect)
    routine = Routine(body=reader.batch())
    _run(statement, routine, Told(statement))


def do(statement: Statement) -> None:
    """PostgreSQL's DO: a block hands rows to nobody; only what it says (RAISE) reaches the client.
    What it works out may still be kept (`set_config`) or come back as an error."""
    _session(statement)
    strings = [t for t in statement.piece.tokens if len(t.text) > 8]
    source = max((t.text for t in strings), key=len, default="")
    routine = read(source, "postgres")
    frame = Frame(False, statement.result.span, statement.result.span)
    told = Told(statement, not _speaks(routine.body))
    Interpreter(statement.walker, told).block(routine.body, frame)


def _speaks(block: Block) -> bool:
    waiting: list[Step | None] = [block]
    while waiting:
        step = waiting.pop()
        if isinstance(step, Hand):
            return True
        if isinstance(step, Block):
            waiting.extend([*step.steps, *step.handlers])
        elif isinstance(step, If):
            waiting.extend([arm for _condition, arm in step.arms])
            waiting.append(step.other)
        elif isinstance(step, (LoopStep, EachStep)):
            waiting.append(step.body)
    return False


def define(statement: Statement) -> None:
    """CREATE FUNCTION, PROCEDURE, TRIGGER, PACKAGE, EVENT: what its body would reveal, stored."""
    _session(statement)
    head = triggers.head_of(statement.piece.tokens, statement.dialect)
    if head is not None:
        found_body = triggers.trigger(statement, head)
        if found_body is None:
            return
        routine = found_body
    else:
        routine = read(statement.text(), statement.dialect)
        if _is_trigger_function(statement):
            triggers.worst(statement, routine)
    told = _Defined(statement)
    span = statement.result.span
    for found in (routine, *routine.inner.values()):
        interpreter = Interpreter(statement.walker, told)
        frame = Frame(False, span, span)
        frame.inner, frame.package, frame.plain = routine.inner, routine.name, found.plain
        if statement.dialect == "tsql":
            frame.tables = {"inserted": Table([]), "deleted": Table([])}
        frame.env = {"new": UNKNOWN, "old": UNKNOWN}
        for name in head.tables if head is not None else []:
            frame.tables[name] = Table([])
        for parameter in found.parameters:
            frame.env[parameter.name] = UNKNOWN.typed(parameter.kind)
        frame.positional = [UNKNOWN.typed(p.kind) for p in found.parameters]
        interpreter.block(found.body, frame)
        if found.last is not None:
            interpreter.step(found.last, frame)
        for parameter in found.parameters:
            if "out" in parameter.mode:
                interpreter.show_value(frame.env[parameter.name], frame)
        if frame.result is not None:
            interpreter.show_value(frame.result, frame)
        for rows in frame.rows:
            interpreter.show(rows, frame)


def _is_trigger_function(statement: Statement) -> bool:
    """PostgreSQL's `CREATE FUNCTION … RETURNS trigger`."""
    words = [token.text.upper() for token in statement.piece.tokens]
    return any(words[n : n + 2] == ["RETURNS", "TRIGGER"] for n in range(len(words)))


def _handle(token: Token) -> str:
    """The name of a prepared statement or cursor: quoted ones keep their case."""
    return token.text if token.token_type is TokenType.IDENTIFIER else token.text.lower()


def execute(statement: Statement) -> None:
    """PostgreSQL's `EXECUTE name (…)`."""
    tokens = statement.piece.tokens
    name = _handle(tokens[1]) if len(tokens) > 1 else ""
    texts = statement.state.prepared.get(name) if statement.state is not None else None
    statement.walker.volatile = True
    if not texts:
        statement.problem("unknown_handle", name)
        statement.result.unbounded = True
        return
    binds = _arguments(statement, tokens[2:])
    for text in texts:
        statement.again(text, binds)


def _arguments(statement: Statement, tokens: list[Token]) -> list[str | None] | None:
    """EXECUTE's arguments as bound values."""
    if not tokens:
        return None
    node = dialects.parse(
        [
            Token(TokenType.SELECT, "SELECT", start=tokens[0].start, end=tokens[0].start),
            *tokens,
        ],
        statement.sql,
        statement.dialect,
    )
    if not isinstance(node, exp.Select) or not node.expressions:
        return None
    first = node.expressions[0]
    parts = first.expressions if isinstance(first, exp.Tuple) else [first]
    values: list[str | None] = []
    for part in parts:
        const = fold(
            part.unnest() if isinstance(part, exp.Paren) else part, statement.reading, True
        )
        if const is None or (const.text is None and not const.null):
            return None
        statement.reading.bind(const)
        values.append(const.text)
    return values


def scheduled(statement: Statement, node: exp.Expr) -> None:
    """Calls in a query that have a text run later (`cron.schedule(…, 'INSERT …')`)."""
    for call in node.find_all(exp.Anonymous):
        owner = call.parent
        if not isinstance(owner, exp.Dot) or owner.expression is not call or owner.this is None:
            continue
        name = f"{owner.this.name}.{call.name}".lower()
        if name in SCHEDULERS:
            statement.walker.scheduled.add(id(call))
            _session(statement)
            frame = Frame(True, None, statement.result.span)
            interpreter = Interpreter(statement.walker, Told(statement))
            interpreter.schedule(name, call.expressions, frame)


def job_texts(statement: Statement, node: exp.Expr, target: exp.Expr) -> None:
    """Texts put straight into the tables in which pg_cron, pgAgent and SQL Server's agent keep their
    jobs: run some time, like those of a call."""
    if not isinstance(target, exp.Table) or isinstance(node, exp.Delete):
        return
    column = JOB_TABLES.get(f"{target.db}.{target.name}".lower())
    if column is None:
        return
    _session(statement)
    frame = Frame(True, None, statement.result.span)
    interpreter = Interpreter(statement.walker, Told(statement))
    found = list(_put_into(node, column))
    for value in found:
        const = fold(value, statement.reading, True) if value is not None else None
        if const is None or const.text is None:
            interpreter.problem("opaque_body", "", frame)
            continue
        statement.reading.bind(const)
        interpreter.run_later(const.text, frame)


def _put_into(node: exp.Expr, column: str) -> list[exp.Expr | None]:
    """What a change puts into a column; None for what is not told."""
    if isinstance(node, exp.Update):
        return [
            part.expression
            for part in node.expressions
            if isinstance(part, exp.EQ) and part.this.name.lower() == column
        ]
    columns = node.this.expressions if isinstance(node.this, exp.Schema) else []
    at = next((n for n, part in enumerate(columns) if part.name.lower() == column), None)
    rows = node.expression.expressions if isinstance(node.expression, exp.Values) else []
    if not rows or (columns and at is None):
        return [None] if not columns or at is not None else []
    cells = [row.expressions for row in rows if isinstance(row, exp.Tuple)]
    return [c[at] if at is not None and at < len(c) else None for c in cells]


def prepare(statement: Statement) -> None:
    """PostgreSQL's `PREPARE name AS …`."""
    tokens = statement.piece.tokens
    words = [t.text.upper() for t in tokens]
    if statement.state is not None and len(tokens) > 3 and "AS" in words[:-1]:
        start = tokens[words.index("AS") + 1].start
        statement.state.prepare(_handle(tokens[1]), statement.sql[start : statement.piece.end])


def declare(statement: Statement) -> None:
    """DECLARE c CURSOR FOR q: the cursor holds what q reveals; FETCH hands it on."""
    words = [t.text.upper() for t in statement.piece.tokens]
    if "FOR" not in words:
        statement.problem("unparsed")
        return
    start = words.index("FOR") + 1
    tokens = statement.piece.tokens[start:]
    node = dialects.parse(tokens, statement.sql, statement.dialect) if tokens else None
    if not isinstance(node, exp.Query):
        statement.problem("unparsed")
        return
    statement.query(node, statement.scope())
    statement.result.delivery = "stored"
    if statement.state is not None:
        name = _handle(statement.piece.tokens[1])
        statement.state.cursors[name] = statement.sql[tokens[0].start : statement.piece.end]


def fetch(statement: Statement) -> None:
    """FETCH from a cursor that the session declared, or that a routine opened for it."""
    name = _handle(statement.piece.tokens[-1])
    text = statement.state.cursors.get(name) if statement.state is not None else None
    rows = statement.state.portal(name) if statement.state is not None else None
    if text is None and rows is None:
        statement.problem("unknown_handle", name)
        statement.result.unbounded = True
        return
    statement.walker.volatile = True
    if text is not None:
        binds = list(statement.reading.binds) if statement.reading.binds is not None else None
        statement.again(text, binds)
    told = Told(statement)
    for row in rows or []:
        told.shown(row, statement.result.span, statement.result.span, False)
