"""Stored bodies and texts of SQL inside a statement: calls → the blocks they run.

Rules this module keeps:

1. Everything from a body is said to stand where the statement calls it.
2. A body is read with its call's arguments: constants decide its branches and its pins, columns of
   the calling query are joined to its rows.
3. A body that calls itself, or calls nested too deeply, is over budget, which is opaque.
4. A text to run that does not fold to a constant, or is no query, is reported (`remote_sql`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sqlglot import exp

from qingfang.understand import dialects
from qingfang.understand.builtin import LINKED, WHOLE_TABLES
from qingfang.understand.expressions import flow
from qingfang.understand.flows import NOTHING, SOFT, Block, Flow, Span
from qingfang.understand.folding import fold
from qingfang.understand.routines.interpret import Frame, Interpreter, named_argument
from qingfang.understand.routines.source import read
from qingfang.understand.routines.values import Value
from qingfang.understand.scope import OverBudget, Problem, Scope
from qingfang.understand.state import frozen

if TYPE_CHECKING:
    from qingfang.understand.walker import Walker


_QUERIES = frozenset({"SELECT", "WITH", "TABLE", "VALUES", "("})
_CHANGES = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE", "CALL", "DO", "EXECUTE", "EXEC"})


def source_of(walker: Walker, name: str) -> str | None:
    """The source that holds a routine's body: its own, or its package's."""
    text = walker.catalogue.procedure(name) or walker.state_function(name)
    if text is None and "." in name:
        package = name.rpartition(".")[0]
        text = walker.catalogue.procedure(package) or walker.state_function(package)
        if text is not None and name.rpartition(".")[2] not in read(text, walker.dialect).inner:
            return None
    return text


def body_of(walker: Walker, call: exp.Expr) -> tuple[str, str] | None:
    name = call_name(_unwrapped(call))
    body = source_of(walker, name) if name else None
    return (name, body) if body is not None else None


def _unwrapped(call: exp.Expr) -> exp.Expr:
    """Oracle's `TABLE(f(x))` as `f(x)`."""
    if isinstance(call, exp.Anonymous) and call.name.lower() == "table" and call.expressions:
        return call.expressions[0]
    return call


class _Heard:
    """Collects the blocks of what a function's body hands on, or puts somewhere."""

    def __init__(self, walker: Walker, params: Mapping[str, Flow], anchor: Span) -> None:
        self.walker, self.params, self.anchor = walker, params, anchor
        self.blocks: list[Block] = []

    def shown(self, tree: exp.Expr, span: Span, anchor: Span | None, stored: bool) -> None:
        self.blocks.extend(self.read(tree))

    def read(self, tree: exp.Expr) -> list[Block]:
        return self.walker.query(tree, Scope(self.walker, None, {}, self.anchor, self.params))

    def did(self, tree: exp.Expr, span: Span, anchor: Span | None) -> None:
        source = tree.expression if isinstance(tree, (exp.Insert, exp.Create)) else None
        if isinstance(source, exp.Query):
            self.blocks.extend(self.read(source))
        elif not isinstance(source, exp.Values):
            for query in tree.find_all(exp.Query):
                self.blocks.extend(self.read(query))
                break

    def problem(self, kind: str, name: str, span: Span) -> None:
        self.walker.problems.append(Problem(kind, name, self.anchor))

    def text(self, kind: str, name: str) -> tuple[str, ...] | None:
        return None

    def learn(self, kind: str, name: str, texts: tuple[str, ...] | None) -> None:
        return None

    def hold(self, name: str, rows: list[exp.Expr]) -> None:
        """A cursor that the session can fetch from later. One that takes in a value of the calling
        query's rows is not known then."""
        state = self.walker.state
        if state is None:
            return
        self.walker.volatile = True
        known = not any(
            part.name in self.params for row in rows for part in row.find_all(exp.Column)
        )
        if known:
            state.hold(name, [frozen(row, {}) for row in rows])
        else:
            state.lose(name)

    def held(self, name: str) -> list[exp.Expr]:
        return []


def body_blocks(walker: Walker, name: str, node: exp.Expr, scope: Scope) -> list[Block]:
    """What a call of a stored function hands on, with its arguments."""
    if name in walker.bodies or len(walker.bodies) > 8:
        raise OverBudget
    anchor = scope.span(node) or (0, 0)
    params: dict[str, Flow] = {}
    heard = _Heard(walker, params, anchor)
    interpreter = Interpreter(walker, heard)
    caller = Frame(scope.own, scope.anchor, anchor)
    given: list[tuple[str, Value]] = []
    for argument in _arguments(_unwrapped(node)):
        label, part = named_argument(argument, walker.dialect)
        if any(True for _c in part.find_all(exp.Column, exp.Query, exp.AggFunc)):
            walker.outside += 1
            key = f"qf_given_{walker.outside}"
            params[key] = flow(part, scope)
            given.append((label, Value(None, (), exp.column(key))))
        else:
            given.append((label, interpreter.value(exp.Select(expressions=[part]), caller)))
    params.update(scope.params)
    walker.bodies.append(name)
    try:
        inner = interpreter.invoke(name, given, caller)
        if inner is None:
            return heard.blocks
        for tree in interpreter.handed(name, inner, caller):
            for block in heard.read(tree):
                # A row type's fields have names of their own.
                block.other = block.other or block.output()
                heard.blocks.append(block)
    finally:
        walker.bodies.pop()
    return heard.blocks


def remote_blocks(walker: Walker, node: exp.Expr, scope: Scope) -> list[Block]:
    """SQL handed as a text to a function that runs it, here or on another server. An argument that
    is not known may be the text that is run."""
    blocks: list[Block] = []
    name = call_name(node).rsplit(".", maxsplit=1)[-1]
    unknown = False
    arguments = _arguments(node)
    if name in LINKED:
        # The server's name, or how to reach it, is no text to run.
        arguments = arguments[-1:]
    for argument in arguments:
        value = fold(argument, walker.reading, scope.own)
        if value is None or (value.text is None and not value.null):
            unknown = True
            continue
        walker.reading.bind(value)
        anchor = scope.span(node) or (0, 0)
        if name in WHOLE_TABLES and argument is _arguments(node)[0]:
            schema, _dot, table = (value.text or "").rpartition(".")
            rows = exp.Select(
                expressions=[exp.Star()],
                from_=exp.From(this=exp.table_(table, schema or None)),
            )
            blocks.extend(walker.query(rows, Scope(walker, None, {}, anchor)))
            continue
        found = text_blocks(walker, value.text or "", anchor)
        unknown = unknown or found is None
        blocks.extend(found or [])
    if unknown or not blocks:
        walker.problem("remote_sql", name, node, scope)
    return blocks


def text_blocks(walker: Walker, text: str, anchor: Span) -> list[Block] | None:
    """The blocks of a SQL text found inside a statement; empty when it is none, None when it is
    SQL that cannot be read as a query."""
    blocks: list[Block] = []
    home = walker.dialect
    for dialect in dict.fromkeys((home, "oracle", "mysql", "postgres", "tsql")):
        # Another server may speak another dialect: the first that reads the text whole.
        trees = _trees(text, dialect)
        if trees is not None:
            break
    else:
        return None
    walker.dialect = dialect
    try:
        for node in trees:
            blocks.extend(walker.query(node, Scope(walker, None, {}, anchor)))
    finally:
        walker.dialect = home
    return blocks


def _trees(text: str, dialect: str) -> list[exp.Expr] | None:
    """The queries of a text; None when it is SQL that cannot be read as queries."""
    found: list[exp.Expr] = []
    for piece in dialects.pieces(text, dialect):
        if piece.problem or piece.verb in _CHANGES:
            return None
        if piece.verb not in _QUERIES:
            continue
        node = dialects.tree(piece, text, dialect)
        if node is None:
            return None
        found.append(node)
    return found


def body_flow(walker: Walker, name: str, node: exp.Expr, scope: Scope) -> Flow:
    """What a function's value shows: all that its body reads."""
    total = NOTHING
    for block in body_blocks(walker, name, node, scope):
        scope.draft.absorb(block, SOFT)
        scope.draft.shown = scope.draft.shown | block.shown.measures_only()
        total = total | block.output()
    return total.derived()


def remote_flow(walker: Walker, node: exp.Expr, scope: Scope) -> Flow:
    total = NOTHING
    for block in remote_blocks(walker, node, scope):
        scope.draft.absorb(block, SOFT)
        total = total | block.output() | block.shown
    found = total.derived()
    # The rows come in one value.
    return Flow(found.raw, found.summed, found.tested, found.counted, None, True)


def call_name(node: exp.Expr) -> str:
    if isinstance(node, exp.Dot) and isinstance(node.expression, exp.Anonymous):
        return node.expression.name.lower()
    if isinstance(node, exp.Anonymous):
        return node.name.lower()
    if isinstance(node, exp.Func):
        return node.sql_name().lower()
    return ""


def _arguments(node: exp.Expr) -> list[exp.Expr]:
    if isinstance(node, exp.Dot):
        return _arguments(node.expression)
    if isinstance(node, exp.Anonymous):
        return list(node.expressions)
    return [part for part in node.iter_expressions() if isinstance(part, exp.Expr)]
