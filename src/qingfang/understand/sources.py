"""FROM: what its tables, sub-selects, functions and lists hand on → names and flat blocks.

Rules this module keeps:

1. Names are looked up as the database does: CTE, then the session's own objects, then the
   catalogue's tables, views and synonyms, then system catalogues. What is none of these is
   reported (`unknown_object`) and makes the statement opaque.
2. A UNION, or a view over one, gives one block an arm.
3. Everything from a view or a session's object is said to stand where the statement mentions it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from qingfang.events import Touch
from qingfang.understand import dialects
from qingfang.understand.bodies import body_blocks, body_of, call_name, remote_blocks
from qingfang.understand.builtin import (
    COLLECTIONS,
    METHODS,
    REMOTE,
    gives_away,
    is_histogram,
    is_system,
)
from qingfang.understand.catalogue import Table
from qingfang.understand.estimate import touches_of
from qingfang.understand.expressions import flow, reads_stored
from qingfang.understand.flows import NOTHING, SOFT, Block, Flow, Instance, Source, Span, union
from qingfang.understand.folding import fold
from qingfang.understand.predicates import Fact
from qingfang.understand.scope import MAX_ARMS, Cte, Name, OverBudget, Problem, Scope

if TYPE_CHECKING:
    from qingfang.understand.state import Made
    from qingfang.understand.walker import Walker

_TABLE_NAMES = frozenset({"tablename", "table_name", "starelid"})
_COLUMN_NAMES = frozenset({"attname", "column_name"})
# What a sequence holds, read as a table.
_SEQUENCE = frozenset({"last_value", "log_cnt", "is_called"})
_NO_ROWS = frozenset({"dual", "sysibm.sysdummy1", "sys.dual"})

Found = list[tuple[list[Name], Block]]
"""The names and blocks, one an arm, that a FROM item stands for."""


def source(walker: Walker, item: exp.Expr, scope: Scope) -> Found:
    """The names and blocks, one an arm, that a FROM item stands for."""
    walker.spend()
    alias = item.args.get("alias")
    label = alias.name.lower() if alias is not None else ""
    columns = walker.labels(alias.args.get("columns") or []) if alias is not None else []
    if isinstance(item, exp.Lateral):
        inner = item.this
        if isinstance(inner, (exp.Subquery, exp.Query)):
            blocks = walker.query(inner, scope.inside())
            return [_derived(block, label, columns) for block in blocks]
        return _rows_of(walker, inner, label, columns, scope)
    if isinstance(item, (exp.Subquery, exp.Paren)):
        inner = item.this
        if isinstance(inner, (exp.Table, exp.Subquery, exp.Paren)) and not label:
            return _joined(walker, item, scope)
        if isinstance(inner, exp.Table):
            found = _joined(walker, item, scope)
            return [([_renamed(names, label, columns)], block) for names, block in found]
        within = Scope(walker, scope, scope.ctes, scope.anchor, scope.params)
        # `(SELECT 'a' k) t` is a list of one.
        listed = walker.constants(inner, within)
        blocks = walker.query(item, within) if listed is None else [listed]
        found = [_derived(block, label, columns) for block in blocks]
        return _pivoted(item, found, label, scope)
    if isinstance(item, (exp.Values, exp.Unnest)):
        if isinstance(item, exp.Values):
            blocks = [walker.values(item, scope.inside())]
            return [_derived(block, label, columns) for block in blocks]
        return _unnested(walker, item, label, columns, scope)
    if isinstance(item, exp.Table):
        if isinstance(item.this, exp.Anonymous) and item.this.name.lower() in METHODS:
            return _rows_of(walker, _method(walker, item), label, columns, scope, item)
        if item.args.get("rows_from") or not isinstance(item.this, (exp.Identifier, exp.Dot)):
            return _rows_of(walker, item.this, label, columns, scope, item)
        return _pivoted(item, _table(walker, item, label, columns, scope), label, scope)
    if isinstance(item, exp.Func):
        return _rows_of(walker, item, label, columns, scope)
    walker.problem("unparsed", type(item).__name__, item, scope)
    return [([Name(label, {})], Block())]


def _joined(walker: Walker, item: exp.Expr, scope: Scope) -> Found:
    """`(a JOIN b ON …)`: its names are seen outside."""
    states = [Scope(walker, scope, scope.ctes, scope.anchor, scope.params)]
    inner = item.this
    joins = [*(inner.args.get("joins") or []), *(item.args.get("joins") or [])]
    bare = inner.copy() if joins and isinstance(inner, exp.Table) else inner
    if bare is not inner:
        bare.set("joins", None)
    items: list[tuple[exp.Expr, exp.Join | None]] = [(bare, None)]
    items.extend((join.this, join) for join in joins)
    for part, join in items:
        states = [after for state in states for after in walker.attach(state, part, join)]
        if len(states) > MAX_ARMS:
            raise OverBudget
    found: Found = []
    for state in states:
        state.draft.settle()
        found.append((state.names, state.draft))
    return found


def _derived(block: Block, label: str, columns: list[str]) -> tuple[list[Name], Block]:
    """A query in FROM under its name. Through a window only what it is partitioned by can be
    selected before it is worked out: other columns are no longer exact."""
    flows: dict[str, Flow] = {}
    other = block.other
    for at, (name, shown) in enumerate(block.columns):
        kept = shown
        if block.windowed is not None and shown.exact not in block.windowed:
            kept = shown.derived()
        if name == "*":
            other = kept if other is None else other | kept
            continue
        label_of = columns[at] if at < len(columns) else name
        before = flows.get(label_of)
        # Two of one name are told apart by quotes alone.
        flows[label_of] = kept if before is None else before | kept
    return [Name(label, flows, other)], block


def _pivoted(item: exp.Expr, found: Found, label: str, scope: Scope) -> Found:
    """PIVOT and UNPIVOT: any output name may show any column, measures as sums; a query for the
    headings shows what it finds."""
    pivots = item.args.get("pivots")
    if not pivots:
        return found
    out: Found = []
    for names, block in found:
        row = union(name.row() for name in names)
        measures = frozenset(s for s in row.raw if s.role in {"quantity", "amount"})
        shown = Flow(
            row.raw - measures, row.summed | measures, row.tested, row.counted | block.rows
        )
        alias = pivots[0].args.get("alias")
        block.rows = frozenset()
        for pivot in pivots:
            for heading in pivot.args.get("fields") or []:
                for query in heading.args.get("expressions") or []:
                    if isinstance(query, (exp.Query, exp.Subquery)):
                        inner = scope.inside()
                        shown = shown | flow(query, inner)
                        block.absorb(inner.draft, SOFT)
        out.append(([Name(alias.name.lower() if alias else label, {}, shown)], block))
    return out


def _unnested(
    walker: Walker, item: exp.Unnest, label: str, columns: list[str], scope: Scope
) -> Found:
    block = Block()
    rows = Instance(None, label, scope.span(item))
    block.instances.append(rows)
    flows: dict[str, Flow] = {}
    for at, part in enumerate(item.expressions):
        name = columns[at] if at < len(columns) else label or f"column{at + 1}"
        value = fold(part, walker.reading, scope.own)
        source = Source(rows, name, None, None)
        if value is not None and value.items is not None:
            block.facts.append(Fact(source, "eq", value.items))
            flows[name] = Flow(frozenset({source}), exact=source)
        else:
            inner = scope.inside()
            flows[name] = flow(part, inner)
            block.absorb(inner.draft, SOFT)
            block.shown = block.shown | inner.draft.shown | flows[name].comparison()
    return [([Name(label, flows, union(flows.values()))], block)]


def _collection(call: exp.Expr | None) -> exp.Expr | None:
    """What Oracle's `TABLE(x)` unfolds; None when it is no such call."""
    if not isinstance(call, exp.Anonymous) or call.name.lower() not in {"table", "the"}:
        return None
    inner = call.expressions[0] if len(call.expressions) == 1 else None
    if isinstance(inner, exp.Column) and inner.table:
        # A function of a package, called without parentheses.
        package = exp.to_identifier(inner.table)
        return exp.Dot(this=package, expression=exp.Anonymous(this=inner.name, expressions=[]))
    return inner


def _constructed(call: exp.Expr | None) -> list[exp.Expr] | None:
    """The members of a collection that is written out: `sys.odcivarchar2list('a', 'b')`."""
    bare = call.expression if isinstance(call, exp.Dot) else call
    if isinstance(bare, exp.Anonymous) and bare.name.lower() in COLLECTIONS:
        return list(bare.expressions)
    return None


def _rows_of(
    walker: Walker,
    call: exp.Expr | None,
    label: str,
    columns: list[str],
    scope: Scope,
    item: exp.Expr | None = None,
) -> Found:
    """A function in FROM: its rows show what its body and its arguments show."""
    unfolded = _collection(call)
    if unfolded is not None:
        members = _constructed(unfolded)
        if members is not None:
            array = exp.Unnest(expressions=[exp.Array(expressions=members)])
            return _unnested(walker, array, label, columns or ["column_value"], scope)
        call = unfolded
    calls = (
        [call]
        if call is not None
        else [
            part.this if isinstance(part, exp.Table) else part
            for part in (item.args.get("rows_from") or [])
        ]
        if item is not None
        else []
    )
    inner = scope.inside()
    shown = NOTHING
    found: list[Block] = []
    for part in calls:
        if part is None:
            continue
        if isinstance(part, exp.XMLTable) and reads_stored(part.this.name):
            walker.problem("remote_sql", "xmltable", part, scope)
        body = body_of(walker, part)
        if body is not None:
            found.extend(body_blocks(walker, body[0], part, inner))
        elif call_name(part) in REMOTE:
            found.extend(remote_blocks(walker, part, inner))
        else:
            shown = shown | flow(part, inner)
    name = label or (call_name(calls[0]) if calls and calls[0] is not None else "")
    if found:
        return [_derived(block, name, columns) for block in found]
    block = Block()
    block.absorb(inner.draft, SOFT)
    # How many rows it gives shows its arguments, whatever of them is selected.
    block.shown = inner.draft.shown | shown.comparison()
    flows = {column: shown.derived() for column in columns}
    return [([Name(name, flows, shown.derived())], block)]


def _method(walker: Walker, item: exp.Table) -> exp.Expr:
    """`x.nodes('…')` in FROM is a method of a value, unless it is a known function."""
    parts = [part for key in ("catalog", "db") if (part := item.args.get(key)) is not None]
    if not parts or walker.catalogue.procedure(item.this.name) is not None:
        return item.this
    value = parts[0].copy()
    for part in parts[1:]:
        value = exp.Dot(this=value, expression=part.copy())
    return exp.Dot(this=value, expression=item.this.copy())


def _table(walker: Walker, item: exp.Table, label: str, columns: list[str], scope: Scope) -> Found:
    parts = [part.name for part in item.parts if part.name]
    name, linked, _link = ".".join(parts).lower().partition("@")
    alias = label or name.rsplit(".", maxsplit=1)[-1]
    named: Found = []
    # `..t` is a table of the user's own schema; `"T"@l`, an alias to the parser, one of elsewhere.
    qualified = len(item.parts) > 1 or item.args.get("db") is not None or bool(linked)
    given = item.args.get("alias")
    linked_alias = given is not None and isinstance(given.this, exp.Parameter)
    if name in scope.ctes and not qualified and not linked_alias:
        named = [_derived(block, alias, columns) for block in _cte(walker, name, scope)]
        if scope.ctes[name].spelling == walker.spelling(item.this):
            return named
    anchor = scope.anchor or dialects.span(item)
    found: Found = named
    lost = ""
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        known = len(found) if len(seen) > 1 else 0
        made = _object(walker, name)
        if made is not None:
            walker.volatile = True
            blocks = _made(walker, made, anchor)
            found.extend(_derived(block, alias, columns) for block in blocks)
        # A session's object of a catalogued name hides the table at most for unqualified
        # mentions: both are looked at.
        table = walker.catalogue.table(name)
        if table is not None:
            found.append(
                _base(walker, table, alias, columns, anchor, item.args.get("version") is not None)
            )
        view = walker.catalogue.view(name)
        if view is not None and table is None:
            blocks = _view(walker, name, view, anchor)
            found.extend(_derived(block, alias, columns) for block in blocks)
        # So does a synonym of a user's own.
        targets = list(walker.state.synonym(name)) if walker.state is not None else []
        target = walker.catalogue.synonym(name) if len(found) == known else None
        if target is not None:
            targets.append(target.lower())
        waiting.extend(targets)
        if len(found) == known and not targets:
            lost = name
    if found:
        if lost:
            walker.problem("unknown_object", lost, item, scope)
        return found
    if is_system(name, walker.dialect):
        _system(walker, name, item, scope)
    elif name in _NO_ROWS:
        return [([Name(alias, {})], Block())]
    elif not _is_sequence(item, name):
        walker.problem("unknown_object", name, item, scope)
    return [([Name(alias, {}, None, True)], Block())]


def _is_sequence(item: exp.Table, name: str) -> bool:
    """Whether an unknown object is read as one reads a sequence, and by nothing more."""
    select = item.find_ancestor(exp.Select)
    if select is None or "seq" not in name.rsplit(".", maxsplit=1)[-1] or select.args.get("joins"):
        return False
    read = {column.name.lower() for column in select.find_all(exp.Column)}
    return bool(read) and read <= _SEQUENCE and select.find(exp.Star) is None


def _object(walker: Walker, name: str) -> Made | None:
    """What the session built under a name, in the world that is being looked at."""
    if walker.world is not None:
        return walker.world.get(name.rsplit(".", maxsplit=1)[-1])
    return walker.state.made(name) if walker.state is not None else None


def _system(walker: Walker, name: str, item: exp.Table, scope: Scope) -> None:
    """One of the database's own catalogues, unless it gives away values or texts."""
    select = item.find_ancestor(exp.Select)
    read: frozenset[str] = frozenset()
    star = True
    if select is not None:
        read = frozenset(c.name.lower() for c in select.find_all(exp.Column))
        star = any(
            isinstance(part, exp.Star)
            or (isinstance(part, exp.Column) and isinstance(part.this, exp.Star))
            for part in select.expressions
        )
    if not gives_away(name, read, star, walker.dialect):
        return
    touches = _told_of(walker, select) if is_histogram(name) else None
    walker.problems.append(Problem("system_values", name, scope.span(item), touches))


def _told_of(walker: Walker, select: exp.Select | None) -> tuple[Touch, ...]:
    """The usage tables whose values a histogram is asked for, with the roles of the columns."""
    where = select.args.get("where") if select is not None else None
    names = _asked(walker, where, _TABLE_NAMES)
    columns = _asked(walker, where, _COLUMN_NAMES)
    tables: list[Table | None] = list(walker.catalogue.tables.values())
    if names is not None:
        tables = [walker.catalogue.table(name) for name in names]
    found: list[Touch] = []
    for table in tables:
        if table is None or table.kind not in {"usage", "stock"}:
            continue
        roles = {
            role for n, role in table.columns.items() if role and (columns is None or n in columns)
        }
        found.append(Touch(table.name, tuple(sorted(roles))))
    return tuple(found)


def _asked(walker: Walker, where: exp.Expr | None, names: frozenset[str]) -> list[str] | None:
    """What a condition of the WHERE fixes one of these columns to; None when none does."""
    if where is None:
        return None
    parts = where.this.flatten() if isinstance(where.this, exp.And) else [where.this]
    for part in parts:
        if not isinstance(part, (exp.EQ, exp.In)) or not isinstance(part.this, exp.Column):
            continue
        items = part.expressions if isinstance(part, exp.In) else [part.expression]
        if part.this.name.lower() not in names or not items:
            continue
        values = [fold(item, walker.reading, False) for item in items]
        texts = [value.text.lower() for value in values if value and value.text is not None]
        if len(texts) == len(items):
            return texts
    return None


def _base(
    walker: Walker, table: Table, alias: str, columns: list[str], anchor: Span | None, past: bool
) -> tuple[list[Name], Block]:
    instance = Instance(table, alias, anchor, past)
    walker.touched[table.name] = table
    block = Block()
    block.instances.append(instance)
    block.rows = frozenset({instance})
    flows: dict[str, Flow] = {}
    for at, (column, role) in enumerate(table.columns.items()):
        source = Source(instance, column, role, anchor)
        shown = Flow(frozenset({source}), exact=source)
        flows[columns[at] if at < len(columns) else column] = shown
        block.columns.append((column, shown))
    return [Name(alias, flows, None, True)], block


def _cte(walker: Walker, name: str, scope: Scope) -> list[Block]:
    cte = scope.ctes[name]
    if cte.under_way:
        # The recursive mention: it hands on what the first arms hand on.
        return [block.copy() for block in cte.arms or []]
    ctes: dict[str, Cte] = dict(cte.ctes)
    body = cte.node
    if cte.recursive and isinstance(body, exp.SetOperation):
        # The arms that do not mention the name come first. Where all do, it is a table's.
        first = Scope(walker, scope.outer, cte.ctes, scope.anchor, scope.params)
        arms = [
            block
            for arm in _chained(body)
            if not _mentions(arm, name)
            for block in walker.query(arm, _fresh(walker, first))
        ]
        for block in arms:
            _rename(block, cte.columns)
        if arms:
            twin = Cte(cte.node, cte.columns, cte.ctes, cte.recursive)
            twin.under_way, twin.arms, twin.spelling = True, arms, cte.spelling
            ctes[name] = twin
    outer = Scope(walker, scope.outer, ctes, scope.anchor, scope.params)
    blocks = walker.query(body, _fresh(walker, outer))
    for block in blocks:
        _rename(block, cte.columns)
        # The order, the path, and whether a row came before show what the rows are.
        row = block.output().derived()
        block.columns.extend((mark, row) for mark in cte.marks)
    return blocks


def _chained(node: exp.SetOperation) -> list[exp.Expr]:
    """The arms of a chain of set operations, from the left."""
    arms: list[exp.Expr] = []
    part: exp.Expr = node
    while isinstance(part, exp.SetOperation):
        arms.append(part.expression)
        part = part.this
    arms.append(part)
    arms.reverse()
    return arms


def _mentions(node: exp.Expr, name: str) -> bool:
    return any(not table.db and table.name.lower() == name for table in node.find_all(exp.Table))


def _view(walker: Walker, name: str, text: str, anchor: Span | None) -> list[Block]:
    if name in walker.bodies:
        raise OverBudget
    if name not in walker.views:
        found = dialects.pieces(text, walker.dialect)
        node = dialects.tree(found[0], text, walker.dialect) if len(found) == 1 else None
        if isinstance(node, exp.Create):
            node = node.expression
        walker.views[name] = node
    node = walker.views[name]
    scope = Scope(walker, None, {}, anchor or (0, 0))
    if node is None:
        walker.problems.append(Problem("unparsed_view", name, anchor))
        return [Block()]
    walker.bodies.append(name)
    try:
        return walker.query(node, scope)
    finally:
        walker.bodies.pop()


def _made(walker: Walker, made: Made, anchor: Span | None) -> list[Block]:
    """Something this session built: what it was built from, seen again."""
    blocks: list[Block] = []
    world, walker.world = walker.world, made.world
    try:
        for node, columns in made.sources:
            if isinstance(node, exp.Command):
                about = touches_of(walker.catalogue, node)
                walker.problems.append(Problem("unknown_object", made.name, anchor, about))
                continue
            for block in walker.query(node, Scope(walker, None, {}, anchor or (0, 0))):
                _rename(block, columns or made.columns)
                blocks.append(block)
    finally:
        walker.world = world
    if blocks:
        return blocks
    block = Block()
    rows = Instance(None, made.name, anchor)
    block.instances.append(rows)
    for column in made.columns:
        block.columns.append((column, Flow()))
    return [block]


def _fresh(walker: Walker, outer: Scope) -> Scope:
    return Scope(walker, outer.outer, outer.ctes, outer.anchor, outer.params)


def _rename(block: Block, columns: list[str]) -> None:
    if columns:
        block.columns = [
            (columns[at] if at < len(columns) else name, shown)
            for at, (name, shown) in enumerate(block.columns)
        ]


def _renamed(names: list[Name], label: str, columns: list[str]) -> Name:
    flows: dict[str, Flow] = {}
    other: Flow | None = None
    for name in names:
        flows.update(name.columns)
        if name.other is not None:
            other = name.other if other is None else other | name.other
    if columns:
        flows = dict(zip(columns, flows.values(), strict=False))
    return Name(label, flows, other)
