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
from qingfang.understand.builtin import REMOTE, gives_away, is_histogram, is_system
from qingfang.understand.catalogue import Table
from qingfang.understand.expressions import flow
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
    columns = [c.name.lower() for c in alias.args.get("columns") or []] if alias is not None else []
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
        return _pivoted(item, found, label)
    if isinstance(item, (exp.Values, exp.Unnest)):
        if isinstance(item, exp.Values):
            blocks = [walker.values(item, scope.inside())]
            return [_derived(block, label, columns) for block in blocks]
        return _unnested(walker, item, label, columns, scope)
    if isinstance(item, exp.Table):
        if item.args.get("rows_from") or not isinstance(item.this, (exp.Identifier, exp.Dot)):
            return _rows_of(walker, item.this, label, columns, scope, item)
        return _pivoted(item, _table(walker, item, label, columns, scope), label)
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
        flows[columns[at] if at < len(columns) else name] = kept
    return [Name(label, flows, other)], block


def _pivoted(item: exp.Expr, found: Found, label: str) -> Found:
    """PIVOT and UNPIVOT: any output name may show any column, measures as sums."""
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


def _rows_of(
    walker: Walker,
    call: exp.Expr | None,
    label: str,
    columns: list[str],
    scope: Scope,
    item: exp.Expr | None = None,
) -> Found:
    """A function in FROM: its rows show what its body and its arguments show."""
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


def _table(walker: Walker, item: exp.Table, label: str, columns: list[str], scope: Scope) -> Found:
    parts = [part.name for part in item.parts if part.name]
    name = ".".join(parts).lower().split("@", 1)[0]
    alias = label or name.rsplit(".", maxsplit=1)[-1]
    if len(parts) == 1 and name in scope.ctes:
        return [_derived(block, alias, columns) for block in _cte(walker, name, scope)]
    anchor = scope.anchor or dialects.span(item)
    seen: set[str] = set()
    while name not in seen:
        seen.add(name)
        made = _object(walker, name)
        found: Found = []
        if made is not None:
            walker.volatile = True
            blocks = _made(walker, made, anchor)
            found.extend(_derived(block, alias, columns) for block in blocks)
        # A session's object of a catalogued name hides the table at most for unqualified
        # mentions: both are looked at.
        table = walker.catalogue.table(name)
        if table is not None:
            found.append(_base(walker, table, alias, columns, anchor, scope))
        view = walker.catalogue.view(name)
        if view is not None and table is None:
            blocks = _view(walker, name, view, anchor)
            found.extend(_derived(block, alias, columns) for block in blocks)
        if found:
            return found
        target = walker.catalogue.synonym(name) or (
            walker.state.synonym(name) if walker.state is not None else None
        )
        if target is None:
            break
        name = ".".join(target.lower().split("."))
    if is_system(name, walker.dialect):
        _system(walker, name, item, scope)
    elif name not in _NO_ROWS and not _is_sequence(item, name):
        walker.problem("unknown_object", name, item, scope)
    block = Block()
    return [([Name(alias, {}, None, True)], block)]


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
    walker: Walker, table: Table, alias: str, columns: list[str], anchor: Span | None, scope: Scope
) -> tuple[list[Name], Block]:
    instance = Instance(table, alias, anchor)
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
    twin = Cte(cte.node, cte.columns, cte.ctes, cte.recursive)
    if cte.recursive:
        ctes[name] = twin
    twin.under_way = True
    outer = Scope(walker, scope.outer, ctes, scope.anchor, scope.params)
    body = cte.node
    if cte.recursive and isinstance(body, exp.SetOperation):
        twin.arms = walker.query(body.this, _fresh(walker, outer))
        for block in twin.arms:
            _rename(block, cte.columns)
    blocks = walker.query(body, _fresh(walker, outer))
    for block in blocks:
        _rename(block, cte.columns)
    return blocks


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
