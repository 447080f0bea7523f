"""RETURNING and OUTPUT: a change hands rows on as a SELECT on the changed table would."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from qingfang.understand.flows import Block
from qingfang.understand.scope import Scope

if TYPE_CHECKING:
    from qingfang.understand.walker import Walker


def returning(walker: Walker, node: exp.Expr, scope: Scope) -> list[Block]:
    """RETURNING and OUTPUT hand rows on as a SELECT on the changed table would."""
    walker.define(node, scope)
    clause = node.args.get("returning")
    output: list[exp.Expr] = list(clause.expressions) if clause is not None else []
    if isinstance(node, exp.Insert):
        source = node.expression
        selects = [part for part in output if part.find(exp.Query) is not None]
        blocks = _apart(walker, selects, scope)
        if clause is None or source is None or isinstance(source, exp.Values):
            return blocks or [Block()]
        inner = Scope(walker, scope, scope.ctes, scope.anchor, scope.params)
        return [*walker.query(source, inner), *blocks]
    if isinstance(node, exp.Merge):
        using = node.args.get("using")
        if clause is None or not isinstance(using, exp.Expr):
            return [Block()]
        star = exp.Select(expressions=[exp.Star()], from_=exp.From(this=using.copy()))
        inner = Scope(walker, scope, scope.ctes, scope.anchor, scope.params)
        return [*walker.query(star, inner), *_apart(walker, output, scope)]
    if clause is None:
        return [Block()]
    target = node.this
    froms: list[exp.Expr] = []
    extra = node.args.get("from_")
    if extra is not None:
        froms.append(extra.this)
        froms.extend(join.this for join in extra.this.args.get("joins") or [])
    froms.extend(node.args.get("using") or [])
    if not isinstance(target, exp.Table):
        return [Block()]
    names = {t.alias_or_name.lower() for t in (target,)}
    for part in output:
        for column in part.find_all(exp.Column):
            if column.table.lower() in {"inserted", "deleted"}:
                column.set("table", exp.to_identifier(next(iter(names))))
    select = exp.Select(
        expressions=output,
        from_=exp.From(this=target),
        joins=[exp.Join(this=part) for part in froms],
        where=node.args.get("where"),
    )
    return walker.select(select, scope)


def _apart(walker: Walker, parts: list[exp.Expr], scope: Scope) -> list[Block]:
    """Output expressions that read tables of their own."""
    parts = [part for part in parts if part.find(exp.Query) is not None]
    if not parts:
        return []
    select = exp.Select(expressions=[part.copy() for part in parts])
    return walker.query(select, Scope(walker, scope, scope.ctes, scope.anchor, scope.params))
