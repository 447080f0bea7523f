"""Who is at work: the staff member that a statement names, and the keys whose rows it writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from qingfang.events import Pin
from qingfang.understand.catalogue import KEY_ROLES, Table
from qingfang.understand.folding import Const, fold
from qingfang.understand.names import dotted
from qingfang.understand.pins import ROW

if TYPE_CHECKING:
    from qingfang.understand.statement import Statement


def note_operator(statement: Statement, node: exp.Expr) -> None:
    """A statement that names the staff member at work (`operators`, role `operator_id`)."""
    on = (
        "insert"
        if isinstance(node, exp.Insert)
        else "update"
        if isinstance(node, exp.Update)
        else "delete"
        if isinstance(node, exp.Delete)
        else "select"
        if isinstance(node, exp.Select)
        else ""
    )
    target: exp.Expr | None = node.this
    if isinstance(node, exp.Select):
        first = node.args.get("from_")
        target = first.this if first is not None else None
    if isinstance(target, exp.Schema):
        target = target.this
    if not on or not isinstance(target, exp.Table):
        return
    table = statement.catalogue.table(dotted(target))
    if table is None:
        return
    if on != "select":
        _works(statement, node, table)
    _named(statement, node, table, on)


def _works(statement: Statement, node: exp.Expr, table: Table) -> None:
    """The keys whose rows a change writes, and the units it writes in: they explain reading about
    the same patient, and tell where somebody works."""
    for column, role in table.columns.items():
        if role in KEY_ROLES or role == "unit_id":
            consts = _column_values(statement, node, column, table)
            for const in consts:
                statement.reading.free.update(const.literals)
            if consts:
                values = tuple(const.value() for const in consts)
                statement.result.works.append(Pin(str(role), table.name, values))

    for key in table.keys:
        column = min(key)
        if len(key) > 1 or table.columns[column] in KEY_ROLES:
            continue
        const = _column_value(statement, node, column, table)
        if const is not None and not const.null:
            statement.reading.free.update(const.literals)
            statement.result.works.append(Pin(ROW, table.name, (const.value(),)))


def _named(statement: Statement, node: exp.Expr, table: Table, on: str) -> None:
    named = [
        (operator.column, operator.scope)
        for operator in statement.catalogue.operators
        if operator.on == on and statement.catalogue.tables[operator.table] is table
    ]
    if on in {"insert", "update"}:
        named.extend(
            (column, "transaction")
            for column, role in table.columns.items()
            if role == "operator_id"
        )
    for column, scope in named:
        const = _column_value(statement, node, column, table)
        if const is not None and not const.null:
            statement.result.operator = const.value()
            statement.result.operator_scope = scope
            statement.reading.free.update(const.literals)
            return


def _column_values(statement: Statement, node: exp.Expr, column: str, table: Table) -> list[Const]:
    """The constant that a statement gives to, or asks of, one column; or those of an IN list."""
    const = _column_value(statement, node, column, table)
    if const is not None:
        return [] if const.null else [const]
    where = node.args.get("where")
    if where is None:
        return []
    for place in where.this.flatten() if isinstance(where.this, exp.And) else [where.this]:
        bare = place.unnest() if isinstance(place, exp.Paren) else place
        if not isinstance(bare, exp.In) or not isinstance(bare.this, exp.Column):
            continue
        if bare.this.name.lower() == column and bare.expressions:
            folded = [fold(member, statement.reading, True) for member in bare.expressions]
            return [const for const in folded if const is not None and not const.null]
    return []


def _column_value(statement: Statement, node: exp.Expr, column: str, table: Table) -> Const | None:
    """The constant that a statement gives to, or asks of, one column."""
    if isinstance(node, exp.Insert):
        names = (
            [part.name.lower() for part in node.this.expressions]
            if isinstance(node.this, exp.Schema)
            else list(table.columns)
        )
        values = node.expression
        if column not in names or not isinstance(values, exp.Values):
            return None
        row = values.expressions[0] if values.expressions else None
        cells = row.expressions if isinstance(row, exp.Tuple) else [row]
        at = names.index(column)
        cell = cells[at] if at < len(cells) else None
        return fold(cell, statement.reading, True) if isinstance(cell, exp.Expr) else None
    places: list[exp.Expr] = []
    if isinstance(node, exp.Update):
        places.extend(node.expressions)
    where = node.args.get("where")
    if where is not None:
        places.extend(where.this.flatten() if isinstance(where.this, exp.And) else [where.this])
    for place in places:
        bare = place.unnest() if isinstance(place, exp.Paren) else place
        if isinstance(bare, exp.EQ):
            for one, other in ((bare.left, bare.right), (bare.right, bare.left)):
                if isinstance(one, exp.Column) and one.name.lower() == column:
                    return fold(other, statement.reading, True)
    return None
