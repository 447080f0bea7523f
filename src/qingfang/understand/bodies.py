"""Stored bodies and texts of SQL inside a statement: calls → the blocks they run.

Rules this module keeps:

1. Everything from a body is said to stand where the statement calls it.
2. A body that calls itself, or calls nested too deeply, is over budget, which is opaque.
3. A text for another server that does not fold to a constant is reported (`remote_sql`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sqlglot import exp

from qingfang.understand import dialects
from qingfang.understand.expressions import flow
from qingfang.understand.flows import NOTHING, SOFT, Block, Flow, Span
from qingfang.understand.predicates import fold
from qingfang.understand.procedures import queries_of
from qingfang.understand.scope import OverBudget, Problem, Scope

if TYPE_CHECKING:
    from qingfang.understand.walker import Walker


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
    """SQL handed as a text to a function that runs it, here or on another server."""
    blocks: list[Block] = []
    for argument in _arguments(node):
        value = fold(argument, walker.reading, scope.own)
        if value is None or value.text is None:
            continue
        walker.reading.bind(value)
        blocks.extend(text_blocks(walker, value.text, scope.span(node) or (0, 0)))
    if not blocks:
        walker.problem("remote_sql", call_name(node), node, scope)
    return blocks


def text_blocks(walker: Walker, text: str, anchor: Span) -> list[Block]:
    """The blocks of a SQL text found inside a statement; none when it is no query."""
    blocks: list[Block] = []
    for piece in dialects.pieces(text, walker.dialect):
        if piece.verb not in {"SELECT", "WITH", "TABLE", "VALUES", "("}:
            continue
        node = dialects.tree(piece, text, walker.dialect)
        if node is not None:
            blocks.extend(walker.query(node, Scope(walker, None, {}, anchor)))
    return blocks


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
