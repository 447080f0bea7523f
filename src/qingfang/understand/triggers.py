"""CREATE TRIGGER: a body that runs for every row of a table, and what it keeps of these rows.

Rules this module keeps:

1. `:NEW.x`, `NEW.x`, `inserted` and their old twins are rows of the table the trigger stands on. Who
   changes a row knows it; what is read here is what the trigger puts somewhere else, row by row.
2. A table that is guarded itself (usage, stock) may be kept up to date, and a dictionary's row
   changed: numbers, stocks and checks are not usage. Any other table that gets them is.
3. A condition on the row (`IF`, `WHEN (…)`) tells about every row kept under it.
4. PostgreSQL's trigger function without its trigger stands on every usage table that has the
   columns it names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from qingfang.understand.catalogue import Table as Catalogued
from qingfang.understand.names import dotted
from qingfang.understand.routines.cut import Words
from qingfang.understand.routines.interpret import Frame, Interpreter, Table
from qingfang.understand.routines.source import block, read, read_words
from qingfang.understand.routines.tree import Change, Query, Routine, Span
from qingfang.understand.routines.trees import table_key
from qingfang.understand.routines.values import Leaf, Value
from qingfang.understand.scope import Scope

if TYPE_CHECKING:
    from qingfang.understand.statement import Statement
    from qingfang.understand.walker import Walker

_EVENTS = frozenset({"DATABASE", "SCHEMA", "ALL", "SERVER", "PLUGGABLE"})
_BODY = frozenset(
    {
        *("BEGIN", "DECLARE", "CALL", "COMPOUND", "INSERT", "UPDATE", "DELETE", "SELECT", "SET"),
        *("IF", "MERGE", "EXECUTE", "REPLACE", "WITH", "DO"),
    }
)
_KINDS = frozenset({"TRIGGER", "FUNCTION", "PROCEDURE", "PROC", "PACKAGE", "EVENT", "TABLE"})
_SECTIONS = frozenset({"BEFORE", "AFTER", "INSTEAD"})
_GUARDED = frozenset({"usage", "stock"})
_MAX_TABLES = 12


class Head:
    """What stands before a trigger's body: the `table` it stands on ("" for none), the `names` of
    its new and old row, the `condition` of WHEN, the function it calls (PostgreSQL), and the words
    of its `body`."""

    __slots__ = ("body", "condition", "function", "names", "table", "tables")

    def __init__(self) -> None:
        self.table = self.function = ""
        self.names: dict[str, str] = {"new": "new", "old": "old"}
        # REFERENCING NEW TABLE AS t: all rows of one statement.
        self.tables: list[str] = []
        self.condition: list[Token] = []
        self.body: list[Token] = []


def head_of(tokens: list[Token], dialect: str) -> Head | None:
    """The head of `CREATE TRIGGER …`; None when it is no trigger."""
    words = [_word(token) for token in tokens]
    at = next((n for n, word in enumerate(words[:14]) if word in _KINDS), None)
    if at is None or words[at] != "TRIGGER" or words[0] not in {"CREATE", "ALTER"}:
        return None
    head = Head()
    on = next((n for n in range(at + 2, len(words)) if words[n] == "ON"), None)
    if on is None or on + 1 >= len(tokens):
        return head
    at = on + 1
    parts = [tokens[at].text]
    while at + 2 < len(tokens) and tokens[at + 1].text == ".":
        at += 2
        parts.append(tokens[at].text)
    if words[on + 1] not in _EVENTS and words[at] not in _EVENTS:
        head.table = ".".join(parts)
    at += 1
    if dialect == "tsql":
        return head
    while at < len(tokens) and words[at] not in _BODY:
        if words[at] == "REFERENCING":
            at = _renamed(head, tokens, at + 1)
        elif words[at] == "(":
            end = _closing(tokens, at)
            if words[at - 1] == "WHEN":
                head.condition = tokens[at + 1 : end]
            at = end + 1
        else:
            at += 1
    if words[at : at + 1] == ["EXECUTE"] and words[at + 1 : at + 2] in (
        ["FUNCTION"],
        ["PROCEDURE"],
    ):
        at += 2
        names = []
        while at < len(tokens) and tokens[at].text != "(":
            names.append(tokens[at].text)
            at += 1
        head.function = "".join(names).lower()
        at = len(tokens)
    head.body = tokens[at:]
    return head


def _renamed(head: Head, tokens: list[Token], at: int) -> int:
    """`REFERENCING NEW [ROW] AS n OLD AS o`."""
    while at < len(tokens) and _word(tokens[at]) in {"NEW", "OLD"}:
        kind = tokens[at].text.lower()
        at += 1
        whole = False
        while at < len(tokens) and _word(tokens[at]) in {"ROW", "TABLE", "AS"}:
            whole = whole or _word(tokens[at]) == "TABLE"
            at += 1
        if at < len(tokens):
            name = tokens[at].text.lower()
            if whole:
                head.tables.append(name)
            else:
                head.names[name] = kind
            at += 1
    return at


def _word(token: Token) -> str:
    quoted = token.token_type in {TokenType.IDENTIFIER, TokenType.STRING}
    return "" if quoted else token.text.upper()


def _closing(tokens: list[Token], opening: int) -> int:
    depth = 0
    for at in range(opening, len(tokens)):
        kind = tokens[at].token_type
        depth += (kind is TokenType.L_PAREN) - (kind is TokenType.R_PAREN)
        if not depth:
            return at
    return len(tokens) - 1


# ---------------------------------------------------------------- bodies


def body_of(head: Head, text: str, dialect: str) -> Routine:
    """The statements of a trigger's body, its rows by the names `new` and `old`."""
    tokens = _plain_rows(head.body, text, head.names)
    if tokens and _word(tokens[0]) == "COMPOUND":
        tokens = _sections(tokens[2:])
    return block(tokens, text, dialect)


def _plain_rows(tokens: list[Token], text: str, names: dict[str, str]) -> list[Token]:
    """`:NEW.x` as `new.x`: the row is no bound value."""
    out: list[Token] = []
    for at, token in enumerate(tokens):
        after = tokens[at + 1] if at + 1 < len(tokens) else token
        marked = bool(at) and tokens[at - 1].text == ":"
        if token.text == ":" and text[after.start : after.end + 1].lower() in names:
            continue
        said = names.get(text[token.start : token.end + 1].lower())
        before = out[-1].text if out else ""
        if said is not None and (marked or (after.text == "." and before != ".")):
            out.append(_token(TokenType.VAR, said, token))
        else:
            out.append(token)
    return out


def _token(kind: TokenType, text: str, like: Token) -> Token:
    return Token(
        kind, text, line=like.line, col=like.col, start=like.start, end=like.end, comments=[]
    )


def _sections(tokens: list[Token]) -> list[Token]:
    """A compound trigger, `declarations BEFORE EACH ROW IS … END BEFORE EACH ROW; …`, as a block
    of blocks."""
    words = [_word(token) for token in tokens]
    like = tokens[0] if tokens else None
    if like is None:
        return []
    out = [_token(TokenType.DECLARE, "DECLARE", like)]
    opened = False
    at = 0
    while at < len(tokens):
        if words[at] in _SECTIONS and "IS" in words[at : at + 5]:
            if not opened:
                out.append(_token(TokenType.BEGIN, "BEGIN", tokens[at]))
                opened = True
            at = words.index("IS", at) + 1
            out.append(_token(TokenType.DECLARE, "DECLARE", tokens[at - 1]))
        elif words[at] == "END" and words[at + 1 : at + 2] and words[at + 1] in _SECTIONS:
            out.append(tokens[at])
            while at < len(tokens) and tokens[at].token_type is not TokenType.SEMICOLON:
                at += 1
        else:
            out.append(tokens[at])
            at += 1
    return out


# ---------------------------------------------------------------- what is kept


class _Kept:
    """Hears what a trigger keeps of its rows; all else has been heard already."""

    def __init__(self, statement: Statement) -> None:
        self.statement = statement

    def shown(self, tree: exp.Expr, span: Span, anchor: Span | None, stored: bool) -> None:
        if stored:
            self._judged(tree, span, anchor)

    def did(self, tree: exp.Expr, span: Span, anchor: Span | None) -> None:
        if isinstance(tree, exp.Insert) and isinstance(tree.expression, exp.Query):
            target = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
            known = (
                self.statement.catalogue.table(dotted(target))
                if isinstance(target, exp.Table)
                else None
            )
            if known is None or known.kind not in _GUARDED:
                self._judged(tree, span, anchor)

    def _judged(self, tree: exp.Expr, span: Span, anchor: Span | None) -> None:
        statement = self.statement
        with statement.part(span) as result:
            scope = Scope(statement.walker, None, {}, anchor)
            if isinstance(tree, exp.Insert):
                statement.node(tree, scope)
            else:
                statement.query(tree, scope)
            result.delivery = "stored"
            result.findings = [f for f in result.findings if f.disclosure == "usage"]
            statement.walker.problems = []
            result.problems = []

    def problem(self, kind: str, name: str, span: Span) -> None:
        """Said when the body was read for what it shows."""

    def text(self, kind: str, name: str) -> tuple[str, ...] | None:
        return None

    def learn(self, kind: str, name: str, texts: tuple[str, ...] | None) -> None:
        return None

    def hold(self, name: str, rows: list[exp.Expr]) -> None:
        return None

    def held(self, name: str) -> list[exp.Expr]:
        return []


class _Keeper(Interpreter):
    """Reads a body for what it keeps: an UPDATE or MERGE as an INSERT of what is set, and where."""

    def __init__(self, walker: Walker, sink: _Kept) -> None:
        super().__init__(walker, sink)
        self._inserts: dict[int, Change] = {}

    def conditions(self, tokens: list[Token], text: str, frame: Frame) -> list[exp.Select]:
        """WHEN (condition) of the head, as what it tells of the row."""
        condition = Words(tokens, text, self.dialect).expression(tokens)
        return self._guards(condition, frame) if condition is not None else []

    def _query(self, step: Query, frame: Frame) -> None:
        into = step.tree.args.get("into")
        if into is not None and step.into is None and not table_key(into.this).startswith("#"):
            rows = step.tree.copy()
            rows.set("into", None)
            self.show(self.bound(rows, frame), frame, True)
            return
        super()._query(step, frame)

    def _as_select(self, tree: exp.Insert) -> exp.Insert | None:
        """`INSERT … VALUES (…), (…)`: whatever of the row goes into any of them."""
        values = tree.expression
        if not isinstance(values, exp.Values):
            return None
        cells = [
            cell.copy()
            for row in values.expressions
            for cell in (row.expressions if isinstance(row, exp.Tuple) else [row])
        ]
        twin = tree.copy()
        twin.set("expression", exp.Select(expressions=cells))
        return twin

    def _change(self, step: Change, frame: Frame) -> None:
        tree = step.tree
        if (
            isinstance(tree, (exp.Update, exp.Merge))
            and not step.sets
            and self._local(tree.this, tree, frame) is None
        ):
            step = self._inserts.setdefault(id(step), Change(_as_insert(tree)))
        super()._change(step, frame)

    def _did(self, tree: exp.Expr, frame: Frame) -> None:
        source = tree.expression if isinstance(tree, exp.Insert) else None
        if isinstance(source, exp.Select):
            for guard in frame.guards:
                _tell(source, guard)
        super()._did(tree, frame)


def _tell(select: exp.Select, guard: exp.Select) -> None:
    """A condition on the trigger's row, told beside what is kept of the row."""
    rows, own = guard.args.get("from_"), select.args.get("from_")
    if rows is None or own is None or guard.args.get("joins") or guard.args.get("where"):
        return
    wanted = rows.this.this.sql() if isinstance(rows.this, exp.Subquery) else ""
    sources = [own.this, *(join.this for join in select.args.get("joins") or [])]
    for source in sources:
        if isinstance(source, exp.Subquery) and wanted and source.this.sql() == wanted:
            told = guard.expressions[0].copy()
            for column in told.find_all(exp.Column):
                column.set("table", exp.to_identifier(source.alias))
            select.append("expressions", told)
            return


def kept(statement: Statement, routine: Routine, table: str, head: Head) -> None:
    """What a trigger on `table` puts somewhere of the table's rows, as usage that is stored."""
    known = statement.catalogue.table(table)
    name = known.name if known is not None else table
    parts = name.split(".")
    rows = exp.Select(
        expressions=[exp.Star()],
        from_=exp.From(this=exp.table_(parts[-1], parts[-2] if len(parts) > 1 else None)),
    )
    span = statement.result.span
    frame = Frame(False, span, span)
    frame.inner, frame.plain = routine.inner, False
    row = Value(None, (Leaf(rows, None, ("row", name)),))
    frame.env = {"new": row, "old": row}
    for local in ("inserted", "deleted", *head.tables):
        frame.tables[local] = Table([])
        frame.tables[local].sources[0] = (rows, [])
    keeper = _Keeper(statement.walker, _Kept(statement))
    condition = _plain_rows(head.condition, statement.sql, head.names)
    if condition:
        frame.guards = keeper.conditions(condition, statement.sql, frame)
    keeper.block(routine.body, frame)


def worst(statement: Statement, routine: Routine) -> None:
    """PostgreSQL's trigger function alone: on each table of usage that has the columns it names."""
    named = {
        column.name.lower()
        for tree in routine.parsed
        for column in tree.find_all(exp.Column)
        if column.table.lower() in {"new", "old"} and not isinstance(column.this, exp.Star)
    }
    tables: list[Catalogued] = [
        table
        for table in statement.catalogue.tables.values()
        if table.kind == "usage" and named and named <= set(table.columns)
    ]
    for table in tables[:_MAX_TABLES]:
        kept(statement, routine, table.name, Head())


def _as_insert(tree: exp.Update | exp.Merge) -> exp.Insert:
    target = tree.this
    if isinstance(tree, exp.Merge):
        using = tree.args.get("using")
        source = using.copy() if isinstance(using, exp.Expr) else None
        said: list[exp.Expr] = [p for p in (tree.args.get("on"), tree.args.get("whens")) if p]
        outputs: list[exp.Expr] = [exp.Star()] if source is not None else []
    else:
        origin = tree.args.get("from_")
        source = origin.this.copy() if origin is not None else None
        outputs = [part.expression.copy() for part in tree.expressions if isinstance(part, exp.EQ)]
        said = [part for part in (tree.args.get("where"), origin) if part is not None]
        if source is not None and isinstance(target, exp.Table):
            for table in source.find_all(exp.Table):
                if table.alias_or_name.lower() == target.name.lower():
                    target = exp.table_(table.name, table.db or None)
                    break
    for part in said:
        outputs.extend(
            column.copy()
            for column in part.find_all(exp.Column)
            if column.find_ancestor(exp.Query) is None or column.find_ancestor(exp.Query) is tree
        )
    select = exp.Select(expressions=outputs or [exp.Null()])
    if source is not None:
        select.set("from_", exp.From(this=source))
    plain = exp.table_(target.name, target.db or None) if isinstance(target, exp.Table) else target
    return exp.Insert(this=plain.copy(), expression=select)


# ---------------------------------------------------------------- front door


def trigger(statement: Statement, head: Head) -> Routine | None:
    """The trigger's body as a routine, after what it keeps was judged; None when PostgreSQL calls a
    function that nobody knows."""
    if head.function:
        text = statement.catalogue.procedure(head.function) or statement.walker.state_function(
            head.function
        )
        if text is None:
            if not statement.walker.is_builtin(head.function.rpartition(".")[2]):
                statement.problem("unknown_procedure", head.function)
            return None
        routine = read(text, statement.dialect)
    elif statement.dialect == "tsql":
        routine = read_words(statement.piece.tokens, statement.sql, statement.dialect)
    else:
        routine = body_of(head, statement.sql, statement.dialect)
    if head.table:
        kept(statement, routine, head.table, head)
    return routine


__all__ = ["Head", "head_of", "kept", "trigger", "worst"]
