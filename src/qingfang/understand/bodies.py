"""Stored bodies and texts of SQL inside a statement: calls → the blocks they run.

Rules this module keeps:

1. Everything from a body is said to stand where the statement calls it.
2. A body that calls itself, or calls nested too deeply, is over budget, which is opaque.
3. A text to run that does not fold to a constant, or is no query, is reported (`remote_sql`).
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
from qingfang.understand.procedures import queries_of
from qingfang.understand.scope import OverBudget, Problem, Scope

if TYPE_CHECKING:
    from qingfang.understand.walker import Walker


_QUERIES = frozenset({"SELECT", "WITH", "TABLE", "VALUES", "("})
_CHANGES = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE", "CALL", "DO", "EXECUTE", "EXEC"})


def body_of(walker: Walker, call: exp.Expr) -> tuple[str, str] | None:
    name = call_name(call)
    body = walker.catalogue.procedure(name) or walker.state_function(name)
    return (name, body) if body is not None else None


def body_blocks(walker: Walker, name: str, body: str, node: exp.Expr, scope: Scope) -> list[Block]:
    if name in walker.bodies or len(walker.bodies) > 8:
        raise OverBudget
    found = queries_of(body, walker.dialect)
    anchor = scope.span(node) or (0, 0)
    if found.opaque:
        walker.problems.append(Problem("opaque_body", name, anchor))
    params = {
        parameter: flow(argument, scope)
        for parameter, argument in zip(found.parameters, _arguments(node), strict=False)
    }
    constants = {
        parameter: argument
        for parameter, argument in zip(found.parameters, _arguments(node), strict=False)
        if not any(argument.find_all(exp.Column))
    }
    walker.bodies.append(name)
    blocks: list[Block] = []
    try:
        for query in found.queries:
            bound = _with_constants(query, constants)
            inner = Scope(walker, None, {}, anchor, params)
            blocks.extend(walker.query(bound, inner))
    finally:
        walker.bodies.pop()
    return blocks


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


def body_flow(walker: Walker, name: str, body: str, node: exp.Expr, scope: Scope) -> Flow:
    """What a function's value shows: all that its body reads."""
    total = NOTHING
    for block in body_blocks(walker, name, body, node, scope):
        scope.draft.absorb(block, SOFT)
        scope.draft.shown = scope.draft.shown | block.shown.measures_only()
        total = total | block.output()
    return total.derived()


def remote_flow(walker: Walker, node: exp.Expr, scope: Scope) -> Flow:
    total = NOTHING
    for block in remote_blocks(walker, node, scope):
        scope.draft.absorb(block, SOFT)
        total = total | block.output() | block.shown
    return total.derived()


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


def _with_constants(query: exp.Expr, constants: Mapping[str, exp.Expr]) -> exp.Expr:
    """A body's query with its parameters' constant arguments put in."""
    if not constants:
        return query
    twin = query.copy()
    for column in list(twin.find_all(exp.Column)):
        if not column.table and column.name.lower() in constants:
            column.replace(constants[column.name.lower()].copy())
    return twin
