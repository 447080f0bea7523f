"""RETURNING and OUTPUT: a change hands rows on as a SELECT on the changed table would."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from qingfang.understand.flows import Block
from qingfang.understand.names import dotted
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
        put_in = _put_in(walker, node, source, output)
        if put_in is not None:
            found = walker.query(put_in, inner)
            told = any(block.output().sources() or block.output().measured for block in found)
            # How many rows there are, the change itself tells.
            return found if told else [Block()]
        return [*walker.query(source, inner), *blocks]
    if isinstance(node, exp.Merge):
        return _merged(walker, node, output, scope)
    if clause is None:
        return [Block()]
    select = returned_rows(node)
    if select is None:
        walker.problem("unparsed", "", node, scope)
        return [Block()]
    return walker.select(select, scope)


def _put_in(
    walker: Walker, node: exp.Insert, source: exp.Expr, output: list[exp.Expr]
) -> exp.Select | None:
    """What RETURNING hands on of the rows that are put in, under the names of their new table's
    columns; a column that the table fills itself is none of them. None when the names are not known."""
    schema = node.this
    target = schema.this if isinstance(schema, exp.Schema) else schema
    if not isinstance(target, exp.Table):
        return None
    if isinstance(schema, exp.Schema):
        names = [part.name for part in schema.expressions]
    else:
        known = walker.catalogue.table(dotted(target))
        names = list(known.columns) if known is not None else []
    if not names:
        return None
    parts = [part.copy() for part in output]
    _of_target(parts, target)
    alias = exp.TableAlias(
        this=exp.to_identifier(target.alias_or_name),
        columns=[exp.to_identifier(name) for name in names],
    )
    rows = exp.Subquery(this=source.copy(), alias=alias)
    return exp.Select(expressions=parts, from_=exp.From(this=rows))


def returned_rows(node: exp.Expr) -> exp.Select | None:
    """The SELECT that RETURNING or OUTPUT of an UPDATE or DELETE stands for."""
    target, clause = node.this, node.args.get("returning")
    tables = node.args.get("tables") or []
    if not isinstance(target, exp.Table) and len(tables) == 1:
        target = tables[0]  # T-SQL's DELETE t OUTPUT …
    if not isinstance(target, exp.Table) or clause is None:
        return None
    output = [part.copy() for part in clause.expressions]
    _of_target(output, target)
    return changed_rows(node, target, output)


def changed_rows(node: exp.Expr, target: exp.Table, output: list[exp.Expr]) -> exp.Select:
    """The rows that an UPDATE or DELETE is about, joined with what it names besides. T-SQL's
    `UPDATE a … FROM t a JOIN …` names the target among them."""
    origin = node.args.get("from_")
    froms: list[exp.Expr] = [origin.this.copy()] if origin is not None else []
    froms.extend(part.copy() for part in node.args.get("using") or [])
    if aliased(node, target) is None:
        froms.insert(0, target.copy())
    where = node.args.get("where")
    return exp.Select(
        expressions=output,
        from_=exp.From(this=froms[0]),
        joins=[exp.Join(this=part) for part in froms[1:]],
        where=where.copy() if where is not None else None,
    )


def aliased(node: exp.Expr, target: exp.Table) -> exp.Table | None:
    """The table of FROM that a change names by its alias or its name; None when it names none."""
    origin = node.args.get("from_")
    if origin is None:
        return None
    parts = [origin.this, *(join.this for join in origin.this.args.get("joins") or [])]
    for part in parts:
        if isinstance(part, exp.Table) and part.alias_or_name.lower() == target.name.lower():
            return part
    return None


def _merged(walker: Walker, node: exp.Merge, output: list[exp.Expr], scope: Scope) -> list[Block]:
    """What MERGE hands on: of the rows that matched, as a SELECT of the join; of those put in, what
    they were made from."""
    using, on, target = node.args.get("using"), node.args.get("on"), node.this
    if not output or not isinstance(using, exp.Expr):
        return [Block()]
    if not isinstance(target, exp.Table) or not isinstance(on, exp.Expr):
        walker.problem("unparsed", "", node, scope)
        return [Block()]
    parts = [part.copy() for part in output]
    _of_target(parts, target)
    matched = exp.Select(
        expressions=parts,
        from_=exp.From(this=target.copy()),
        joins=[exp.Join(this=using.copy(), on=on.copy())],
    )
    made = exp.Select(expressions=[exp.Star()], from_=exp.From(this=using.copy()))
    blocks: list[Block] = []
    for select in (matched, made):
        inner = Scope(walker, scope, scope.ctes, scope.anchor, scope.params)
        blocks.extend(walker.query(select, inner))
    return blocks


def _of_target(parts: list[exp.Expr], target: exp.Table) -> None:
    """`inserted.x`, `deleted.x`, `old.x`, `new.x` are columns of the changed table."""
    for part in parts:
        for column in part.find_all(exp.Column):
            if column.table.lower() in {"inserted", "deleted", "old", "new"}:
                column.set("table", exp.to_identifier(target.alias_or_name))


def _apart(walker: Walker, parts: list[exp.Expr], scope: Scope) -> list[Block]:
    """Output expressions that read tables of their own."""
    parts = [part for part in parts if part.find(exp.Query) is not None]
    if not parts:
        return []
    select = exp.Select(expressions=[part.copy() for part in parts])
    return walker.query(select, Scope(walker, scope, scope.ctes, scope.anchor, scope.params))
