"""The walk through a query: names, joins, nesting, set operations → flat blocks.

Rules this module keeps:

1. Names are looked up as the database does: CTE, then the session's own objects, then the
   catalogue's tables, views and synonyms, then system catalogues. What is none of these is
   reported (`unknown_object`) and makes the statement opaque.
2. A UNION, or a view over one, splits its query into one block an arm; every arm is judged.
3. Everything from a view or a stored body is said to stand where the statement mentions it.
4. Work is counted (`spend`); over budget raises `OverBudget`, whose answer is opaque.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sqlglot import exp

from qingfang.understand import conditions, dialects
from qingfang.understand.builtin import FUNCTIONS, REMOTE, gives_away, is_system
from qingfang.understand.catalogue import Catalogue, Table
from qingfang.understand.expressions import flow
from qingfang.understand.flows import NOTHING, SOFT, Block, Edge, Flow, Instance, Source, union
from qingfang.understand.pins import pinned_member
from qingfang.understand.predicates import Fact, Reading, fold

if TYPE_CHECKING:
    from qingfang.understand.state import Made, SessionState

MAX_STEPS = 40_000
MAX_ARMS = 64
MAX_DEPTH = 40

Span = tuple[int, int]

# Row names that hold what the client itself sent, or nothing of a table.
_CLIENTS_OWN = frozenset({"excluded", "new", "nextval", "currval", "dual", "inserted"})
_NO_ROWS = frozenset({"dual", "sysibm.sysdummy1", "sys.dual"})


class OverBudget(Exception):
    """The query takes more steps, arms or nesting than is analysed."""


class Problem:
    """Something in the statement that is not known: `kind` is a reason code."""

    __slots__ = ("kind", "name", "span")

    def __init__(self, kind: str, name: str, span: Span | None) -> None:
        self.kind, self.name, self.span = kind, name, span


class Name:
    """One name in FROM: its columns' flows, and the flow of columns not listed. `open` tells that
    its table may have columns the catalogue does not list."""

    __slots__ = ("alias", "columns", "open", "other")

    def __init__(
        self, alias: str, columns: dict[str, Flow], other: Flow | None = None, is_open: bool = False
    ) -> None:
        self.alias, self.columns, self.other, self.open = alias, columns, other, is_open

    def row(self) -> Flow:
        return union(self.columns.values()) | (self.other or NOTHING)


class Cte:
    """A WITH query and the names it was defined under; `arms` while it is being recursed into."""

    __slots__ = ("arms", "columns", "ctes", "node", "recursive", "under_way")

    def __init__(
        self, node: exp.Expr, columns: list[str], ctes: Mapping[str, Cte], recursive: bool
    ) -> None:
        self.node, self.columns, self.ctes, self.recursive = node, columns, ctes, recursive
        self.under_way = False
        self.arms: list[Block] | None = None


class Scope:
    """The names one SELECT sees, and the block it builds.

    `anchor` is where in the statement everything here is said to stand (a view's mention), None in
    the statement's own text. `params` are a stored body's parameters.
    """

    __slots__ = ("aliases", "anchor", "ctes", "draft", "names", "outer", "params", "walker")

    def __init__(
        self,
        walker: Walker,
        outer: Scope | None = None,
        ctes: Mapping[str, Cte] | None = None,
        anchor: Span | None = None,
        params: Mapping[str, Flow] | None = None,
    ) -> None:
        self.walker, self.outer, self.anchor = walker, outer, anchor
        self.ctes: Mapping[str, Cte] = ctes if ctes is not None else {}
        self.params: Mapping[str, Flow] = params if params is not None else {}
        self.draft = Block()
        self.names: list[Name] = []
        self.aliases: dict[str, Flow] = {}

    @property
    def own(self) -> bool:
        """Whether this is the statement's own text, whose literals have offsets."""
        return self.anchor is None

    def inside(self) -> Scope:
        """The scope of a sub-select."""
        return Scope(self.walker, self, self.ctes, self.anchor, self.params)

    def twin(self) -> Scope:
        """The same with a block of its own, for another arm."""
        twin = Scope(self.walker, self.outer, self.ctes, self.anchor, self.params)
        twin.draft, twin.names = self.draft.copy(), list(self.names)
        return twin

    def span(self, node: exp.Expr) -> Span | None:
        return self.anchor if self.anchor is not None else dialects.span(node)

    def star(self) -> Flow:
        return union(name.row() for name in self.names)

    def column(self, node: exp.Column) -> Flow:
        """What a column name shows, found here or further out."""
        span = self.span(node)
        if isinstance(node.this, exp.Star):
            named = self._named(node.table.lower())
            return named.row().at(span) if named is not None else NOTHING
        name, table = node.name.lower(), node.table.lower()
        if table:
            return self._qualified(table, name, node).at(span)
        scope: Scope | None = self
        while scope is not None:
            found = scope._here(name)
            if found is not None:
                return found.at(span)
            if name in scope.params:
                return scope.params[name].at(span)
            scope = scope.outer
        return NOTHING

    def _named(self, alias: str) -> Name | None:
        scope: Scope | None = self
        while scope is not None:
            for name in scope.names:
                if name.alias == alias:
                    return name
            scope = scope.outer
        return None

    def _qualified(self, table: str, column: str, node: exp.Column) -> Flow:
        named = self._named(table)
        if named is None:
            if table in _CLIENTS_OWN or column in _CLIENTS_OWN or table in self.params:
                return self.params.get(table, NOTHING)
            self.walker.problem("unknown_name", f"{table}.{column}", node, self)
            return NOTHING
        found = named.columns.get(column)
        if found is not None:
            return found
        return named.other if named.other is not None else NOTHING

    def _here(self, column: str) -> Flow | None:
        hits = [name.columns[column] for name in self.names if column in name.columns]
        if len(hits) == 1:
            return hits[0]
        if hits:
            # A column joined by USING, or an ambiguity the database would refuse.
            merged = union(hits)
            first = hits[0]
            return Flow(
                merged.raw,
                merged.summed,
                merged.tested,
                merged.counted,
                first.exact,
                merged.packed,
                first.member,
            )
        for name in self.names:
            if name.alias == column:
                return name.row().derived()
        if column in self.aliases:
            return self.aliases[column]
        others = [name.other for name in self.names if name.other is not None]
        if others:
            return union(others)
        return None


class Walker:
    """The walk through one statement: its budget, its problems, what it read."""

    def __init__(
        self,
        catalogue: Catalogue,
        dialect: str,
        reading: Reading,
        state: SessionState | None,
        views: dict[str, exp.Expr | None],
    ) -> None:
        self.catalogue, self.dialect, self.reading, self.state = catalogue, dialect, reading, state
        self.problems: list[Problem] = []
        self.touched: dict[str, Table] = {}
        self.volatile = False
        self._views = views
        self._steps = 0
        self._depth = 0
        self._groups = 0
        self._bodies: list[str] = []
        self._world: Mapping[str, Made] | None = None

    def spend(self, steps: int = 1) -> None:
        self._steps += steps
        if self._steps > MAX_STEPS:
            raise OverBudget

    def problem(self, kind: str, name: str, node: exp.Expr, scope: Scope) -> None:
        self.problems.append(Problem(kind, name, scope.span(node)))

    def is_builtin(self, name: str) -> bool:
        return name in FUNCTIONS.get(self.dialect, frozenset())

    def pinned_member(self, block: Block) -> bool:
        return bool(block.columns) and pinned_member(block, block.columns[0][1])

    # -------------------------------------------------------------- queries

    def query(self, node: exp.Expr, scope: Scope) -> list[Block]:
        """The blocks of a query; `scope` is fresh, its `outer` is what the query may refer to."""
        self.spend()
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise OverBudget
        try:
            blocks = self._query(node, scope)
        finally:
            self._depth -= 1
        if len(blocks) > MAX_ARMS:
            raise OverBudget
        return blocks

    def _query(self, node: exp.Expr, scope: Scope) -> list[Block]:
        self._with(node, scope)
        if isinstance(node, (exp.Subquery, exp.Paren)):
            if isinstance(node.this, exp.Table) or node.args.get("joins"):
                return self._select(exp.Select(expressions=[exp.Star()], from_=node), scope)
            blocks = self.query(node.this, scope)
            if node.args.get("limit") or node.args.get("offset"):
                for block in blocks:
                    block.paged = True
            return blocks
        if isinstance(node, exp.Select):
            return self._select(node, scope)
        if isinstance(node, exp.SetOperation):
            return self._arms(node, scope)
        if isinstance(node, exp.Values):
            return [self._values(node, scope)]
        if isinstance(node, exp.Table):
            return self._select(exp.Select(expressions=[exp.Star()], from_=node), scope)
        if isinstance(node, (exp.Insert, exp.Update, exp.Delete, exp.Merge)):
            return self.returning(node, scope)
        self.problem("unparsed", type(node).__name__, node, scope)
        return [Block()]

    def _with(self, node: exp.Expr, scope: Scope) -> None:
        clause = node.args.get("with_")
        if clause is None:
            return
        ctes = dict(scope.ctes)
        for cte in clause.expressions:
            alias = cte.args.get("alias")
            columns = [c.name.lower() for c in (alias.args.get("columns") or [])] if alias else []
            name = cte.alias.lower()
            ctes[name] = Cte(cte.this, columns, dict(ctes), bool(clause.args.get("recursive")))
            if isinstance(cte.this, (exp.Insert, exp.Update, exp.Delete, exp.Merge)):
                continue
        scope.ctes = ctes

    def _arms(self, node: exp.SetOperation, scope: Scope) -> list[Block]:
        """UNION, INTERSECT and EXCEPT: what any arm shows, under the first arm's names."""
        chain: list[exp.Expr] = []
        distinct = False
        part: exp.Expr = node
        while isinstance(part, exp.SetOperation):
            if part is not node:
                self._with(part, scope)
            chain.append(part.expression)
            distinct = distinct or bool(part.args.get("distinct"))
            part = part.this
        chain.append(part)
        chain.reverse()
        blocks: list[Block] = []
        names: list[str] = []
        for arm in chain:
            inner = Scope(self, scope.outer, scope.ctes, scope.anchor, scope.params)
            for block in self.query(arm, inner):
                if not names:
                    names = [name for name, _flow in block.columns]
                else:
                    block.columns = [
                        (names[n] if n < len(names) else name, shown)
                        for n, (name, shown) in enumerate(block.columns)
                    ]
                if distinct:
                    block.rows = frozenset()
                if node.args.get("limit") or node.args.get("offset"):
                    block.paged = True
                blocks.append(block)
            if len(blocks) > MAX_ARMS:
                raise OverBudget
        return blocks

    def _values(self, node: exp.Expr, scope: Scope) -> Block:
        """A constant table: its columns are lists of values that can pin."""
        block = Block()
        table = Instance(None, "values", scope.span(node))
        block.instances.append(table)
        rows = [
            list(row.expressions)
            if isinstance(row, exp.Tuple)
            else [row.this if isinstance(row, exp.Paren) else row]
            for row in node.expressions
        ]
        for at in range(len(rows[0]) if rows else 0):
            source = Source(table, f"column{at + 1}", None, None)
            cells = [row[at] for row in rows if at < len(row)]
            constants = [fold(cell, self.reading, scope.own) for cell in cells]
            shown = Flow(frozenset({source}), exact=source)
            if all(constant is not None for constant in constants):
                values = tuple(constant for constant in constants if constant is not None)
                block.facts.append(Fact(source, "eq", values))
            else:
                shown = shown | union(flow(cell, scope) for cell in cells)
            block.columns.append((source.column, shown))
        if scope.draft.instances:
            block.absorb(scope.draft, SOFT)
        return block

    # -------------------------------------------------------------- SELECT

    def _select(self, node: exp.Select, scope: Scope) -> list[Block]:
        states = [scope]
        first = node.args.get("from_")
        items: list[tuple[exp.Expr, exp.Join | None]] = []
        if first is not None:
            items.append((first.this if isinstance(first, exp.From) else first, None))
        items.extend((join.this, join) for join in node.args.get("joins") or [])
        items.extend((lateral, None) for lateral in node.args.get("laterals") or [])
        for item, join in items:
            states = [after for state in states for after in self._attach(state, item, join)]
            if len(states) > MAX_ARMS:
                raise OverBudget
        return [self._project(node, state) for state in states]

    def _attach(self, scope: Scope, item: exp.Expr, join: exp.Join | None) -> list[Scope]:
        """`scope` with one more FROM item; one scope an arm of the item."""
        side = str(join.args.get("side") or "").upper() if join is not None else ""
        if isinstance(item, exp.Lateral) and item.args.get("outer"):
            side = "LEFT"
        after: list[Scope] = []
        for names, block in self._source(item, scope):
            state = scope.twin()
            draft = state.draft
            group = None
            losing: set[Instance] = set()
            if side in {"LEFT", "RIGHT", "FULL"}:
                self._groups += 1
                group = self._groups
            if group is not None and side in {"RIGHT", "FULL"}:
                losing = set(draft.instances)
                draft.weaken(group)
            if side in {"LEFT", "FULL"}:
                losing = losing | set(block.instances) if side == "FULL" else set(block.instances)
            draft.absorb(block, group if side in {"LEFT", "FULL"} else None)
            draft.rows = draft.rows | block.rows
            draft.shown = draft.shown | block.shown
            before = list(state.names)
            state.names.extend(names)
            if join is not None:
                self._on(join, state, before, names, side, losing, group)
            for nested in item.args.get("joins") or [] if isinstance(item, exp.Table) else []:
                (state,) = self._attach(state, nested.this, nested)[:1] or (state,)
            after.append(state)
        return after

    def _on(
        self,
        join: exp.Join,
        state: Scope,
        before: list[Name],
        new: list[Name],
        side: str,
        losing: set[Instance],
        group: int | None,
    ) -> None:
        shared = [part.name.lower() for part in join.args.get("using") or []]
        if str(join.args.get("method") or "").upper() == "NATURAL":
            theirs = {column for name in new for column in name.columns}
            shared = [c for name in before for c in name.columns if c in theirs]
        for column in shared:
            pair = [
                next((n.columns[column].exact for n in group_ if column in n.columns), None)
                for group_ in (before, new)
            ]
            a, b = pair
            if a is None or b is None or side == "FULL":
                continue
            if group is None:
                state.draft.edges.append(Edge(a, b))
            elif side == "LEFT":
                state.draft.edges.append(Edge(a, b, frozenset({group}), False))
            else:
                state.draft.edges.append(Edge(b, a, frozenset({group}), False))
        on = join.args.get("on")
        if on is None:
            return
        if group is None:
            conditions.apply(on, state)
        elif side == "FULL":
            flow(on, state)
        else:
            conditions.apply_outer(on, state, losing, group)

    def _project(self, node: exp.Select, scope: Scope) -> Block:
        """WHERE, grouping, output, order: the block that the SELECT is."""
        draft = scope.draft
        carried = draft.shown
        draft.shown = NOTHING
        where = node.args.get("where")
        if where is not None:
            conditions.apply(where.this, scope)
        for clause in ("connect", "prewhere", "match"):
            part = node.args.get(clause)
            if part is not None:
                for inner in part.args.values():
                    if isinstance(inner, exp.Expr):
                        conditions.Sink(scope, False).mention(inner, flow(inner, scope))
        group = node.args.get("group")
        added = group is not None or _adds(node)
        packed = self._output(node, scope)
        if group is not None:
            draft.shown = draft.shown | union(
                self._group_key(part, node, scope) for part in _group_parts(group)
            )
        having = node.args.get("having")
        if having is not None:
            conditions.apply(having.this, scope)
        qualify = node.args.get("qualify")
        if qualify is not None:
            conditions.apply(qualify.this, scope)
        order = node.args.get("order")
        for part in order.expressions if order is not None else []:
            draft.shown = draft.shown | self._order_key(part, node, scope)
        distinct = node.args.get("distinct")
        if distinct is not None and distinct.args.get("on") is not None:
            draft.shown = draft.shown | flow(distinct.args["on"], scope).comparison()
        draft.shown = (carried.measures_only() if added else carried) | draft.shown
        draft.added = added
        draft.distinct = distinct is not None
        if (added and not packed) or draft.distinct:
            draft.rows = frozenset()
        if node.args.get("limit") or node.args.get("offset") or node.args.get("fetch"):
            draft.paged = True
            self._page(node, scope)
        draft.settle()
        return draft

    def _page(self, node: exp.Expr, scope: Scope) -> None:
        """LIMIT and OFFSET change nothing: their numbers are free, their sub-selects are not."""
        for key in ("limit", "offset"):
            clause = node.args.get(key)
            for part in clause.iter_expressions() if clause is not None else ():
                if isinstance(part, exp.Literal) and scope.own and "start" in part.meta:
                    self.reading.free.add(part.meta["start"])
                else:
                    shown = flow(part, scope)
                    if shown.measured:
                        scope.draft.shown = scope.draft.shown | shown.comparison()

    def _output(self, node: exp.Select, scope: Scope) -> bool:
        """Fill the block's columns; whether rows were packed into a value."""
        columns = scope.draft.columns
        columns.clear()
        packed = False
        for at, part in enumerate(node.expressions):
            bare = part.this if isinstance(part, exp.Alias) else part
            if isinstance(bare, exp.Star):
                for name in scope.names:
                    columns.extend((c, f.at(scope.span(part))) for c, f in name.columns.items())
                    if name.other is not None:
                        columns.append(("*", name.other.at(scope.span(part))))
                continue
            if isinstance(bare, exp.Column) and isinstance(bare.this, exp.Star):
                named = scope._named(bare.table.lower())
                if named is None:
                    self.problem("unknown_name", f"{bare.table}.*", bare, scope)
                    continue
                columns.extend((c, f.at(scope.span(part))) for c, f in named.columns.items())
                if named.other is not None:
                    columns.append(("*", named.other.at(scope.span(part))))
                continue
            if isinstance(bare, exp.Literal) and scope.own and "start" in bare.meta:
                self.reading.free.add(bare.meta["start"])
            shown = flow(bare, scope)
            packed = packed or shown.packed
            columns.append((part.alias_or_name.lower() or f"column{at + 1}", shown))
        scope.aliases = dict(columns)
        return packed

    def _group_key(self, node: exp.Expr, select: exp.Select, scope: Scope) -> Flow:
        if isinstance(node, exp.Literal) and not node.is_string:
            return self._ordinal(node, scope)
        return flow(node, scope)

    def _order_key(self, node: exp.Expr, select: exp.Select, scope: Scope) -> Flow:
        """Ordering shows what it is by: a sum by its rank, a prescriber by the sequence."""
        inner = node.this if isinstance(node, exp.Ordered) else node
        if isinstance(inner, exp.Literal) and not inner.is_string:
            return self._ordinal(inner, scope).comparison()
        if isinstance(inner, exp.Column) and not inner.table:
            alias = scope.aliases.get(inner.name.lower())
            if alias is not None:
                return alias.comparison()
        return flow(inner, scope).comparison()

    def _ordinal(self, node: exp.Literal, scope: Scope) -> Flow:
        at = int(node.this) - 1 if str(node.this).isdigit() else -1
        columns = scope.draft.columns
        return columns[at][1] if 0 <= at < len(columns) else NOTHING

    # -------------------------------------------------------------- FROM

    def _source(self, item: exp.Expr, scope: Scope) -> list[tuple[list[Name], Block]]:
        """The names and blocks, one an arm, that a FROM item stands for."""
        self.spend()
        alias = item.args.get("alias")
        label = alias.name.lower() if alias is not None else ""
        columns = (
            [c.name.lower() for c in alias.args.get("columns") or []] if alias is not None else []
        )
        if isinstance(item, exp.Lateral):
            inner = item.this
            if isinstance(inner, (exp.Subquery, exp.Query)):
                blocks = self.query(inner, scope.inside())
                return [self._derived(block, label, columns) for block in blocks]
            return self._rows_of(inner, label, columns, scope)
        if isinstance(item, (exp.Subquery, exp.Paren)):
            inner = item.this
            if isinstance(inner, (exp.Table, exp.Subquery, exp.Paren)) and not label:
                return self._joined(item, scope)
            if isinstance(inner, exp.Table):
                found = self._joined(item, scope)
                return [([_renamed(names, label, columns)], block) for names, block in found]
            blocks = self.query(item, Scope(self, scope, scope.ctes, scope.anchor, scope.params))
            found = [self._derived(block, label, columns) for block in blocks]
            return self._pivoted(item, found, label)
        if isinstance(item, (exp.Values, exp.Unnest)):
            if isinstance(item, exp.Values):
                blocks = [self._values(item, scope.inside())]
                return [self._derived(block, label, columns) for block in blocks]
            return self._unnested(item, label, columns, scope)
        if isinstance(item, exp.Table):
            if item.args.get("rows_from") or not isinstance(item.this, (exp.Identifier, exp.Dot)):
                return self._rows_of(item.this, label, columns, scope, item)
            return self._pivoted(item, self._table(item, label, columns, scope), label)
        if isinstance(item, exp.Func):
            return self._rows_of(item, label, columns, scope)
        self.problem("unparsed", type(item).__name__, item, scope)
        return [([Name(label, {})], Block())]

    def _joined(self, item: exp.Expr, scope: Scope) -> list[tuple[list[Name], Block]]:
        """`(a JOIN b ON …)`: its names are seen outside."""
        states = [Scope(self, scope, scope.ctes, scope.anchor, scope.params)]
        inner = item.this
        joins = [*(inner.args.get("joins") or []), *(item.args.get("joins") or [])]
        bare = inner.copy() if joins and isinstance(inner, exp.Table) else inner
        if bare is not inner:
            bare.set("joins", None)
        items: list[tuple[exp.Expr, exp.Join | None]] = [(bare, None)]
        items.extend((join.this, join) for join in joins)
        for part, join in items:
            states = [after for state in states for after in self._attach(state, part, join)]
            if len(states) > MAX_ARMS:
                raise OverBudget
        found: list[tuple[list[Name], Block]] = []
        for state in states:
            state.draft.settle()
            found.append((state.names, state.draft))
        return found

    def _derived(self, block: Block, label: str, columns: list[str]) -> tuple[list[Name], Block]:
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

    def _pivoted(
        self, item: exp.Expr, found: list[tuple[list[Name], Block]], label: str
    ) -> list[tuple[list[Name], Block]]:
        """PIVOT and UNPIVOT: any output name may show any column, measures as sums."""
        pivots = item.args.get("pivots")
        if not pivots:
            return found
        out: list[tuple[list[Name], Block]] = []
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
        self, item: exp.Unnest, label: str, columns: list[str], scope: Scope
    ) -> list[tuple[list[Name], Block]]:
        block = Block()
        rows = Instance(None, label, scope.span(item))
        block.instances.append(rows)
        flows: dict[str, Flow] = {}
        for at, part in enumerate(item.expressions):
            name = columns[at] if at < len(columns) else label or f"column{at + 1}"
            value = fold(part, self.reading, scope.own)
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
        self,
        call: exp.Expr | None,
        label: str,
        columns: list[str],
        scope: Scope,
        item: exp.Expr | None = None,
    ) -> list[tuple[list[Name], Block]]:
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
            body = self._body_of(part)
            if body is not None:
                found.extend(self.body_blocks(body[0], body[1], part, inner))
            elif _call_name(part) in REMOTE:
                found.extend(self.remote_blocks(part, inner))
            else:
                shown = shown | flow(part, inner)
        name = label or (_call_name(calls[0]) if calls and calls[0] is not None else "")
        if found:
            return [self._derived(block, name, columns) for block in found]
        block = Block()
        block.absorb(inner.draft, SOFT)
        # How many rows it gives shows its arguments, whatever of them is selected.
        block.shown = inner.draft.shown | shown.comparison()
        flows = {column: shown.derived() for column in columns}
        return [([Name(name, flows, shown.derived())], block)]

    def _table(
        self, item: exp.Table, label: str, columns: list[str], scope: Scope
    ) -> list[tuple[list[Name], Block]]:
        parts = [part.name for part in item.parts if part.name]
        name = ".".join(parts).lower().split("@", 1)[0]
        alias = label or name.rsplit(".", maxsplit=1)[-1]
        if len(parts) == 1 and name in scope.ctes:
            return [self._derived(block, alias, columns) for block in self._cte(name, scope)]
        anchor = scope.anchor or dialects.span(item)
        seen: set[str] = set()
        while name not in seen:
            seen.add(name)
            made = self._object(name)
            found: list[tuple[list[Name], Block]] = []
            if made is not None:
                self.volatile = True
                blocks = self._made(made, anchor)
                found.extend(self._derived(block, alias, columns) for block in blocks)
            # A session's object of a catalogued name hides the table at most for unqualified
            # mentions: both are looked at.
            table = self.catalogue.table(name)
            if table is not None:
                found.append(self._base(table, alias, columns, anchor, scope))
            view = self.catalogue.view(name)
            if view is not None and table is None:
                blocks = self._view(name, view, anchor)
                found.extend(self._derived(block, alias, columns) for block in blocks)
            if found:
                return found
            target = self.catalogue.synonym(name) or (
                self.state.synonym(name) if self.state is not None else None
            )
            if target is None:
                break
            name = ".".join(target.lower().split("."))
        if is_system(name, self.dialect):
            self._system(name, item, scope)
        elif name not in _NO_ROWS:
            self.problem("unknown_object", name, item, scope)
        block = Block()
        return [([Name(alias, {}, None, True)], block)]

    def _object(self, name: str) -> Made | None:
        """What the session built under a name, in the world that is being looked at."""
        if self._world is not None:
            return self._world.get(name.rsplit(".", maxsplit=1)[-1])
        return self.state.made(name) if self.state is not None else None

    def _system(self, name: str, item: exp.Table, scope: Scope) -> None:
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
        if gives_away(name, read, star, self.dialect):
            self.problem("system_values", name, item, scope)

    def _base(
        self, table: Table, alias: str, columns: list[str], anchor: Span | None, scope: Scope
    ) -> tuple[list[Name], Block]:
        instance = Instance(table, alias, anchor)
        self.touched[table.name] = table
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

    def _cte(self, name: str, scope: Scope) -> list[Block]:
        cte = scope.ctes[name]
        if cte.under_way:
            # The recursive mention: it hands on what the first arms hand on.
            return [block.copy() for block in cte.arms or []]
        ctes: dict[str, Cte] = dict(cte.ctes)
        twin = Cte(cte.node, cte.columns, cte.ctes, cte.recursive)
        if cte.recursive:
            ctes[name] = twin
        twin.under_way = True
        outer = Scope(self, scope.outer, ctes, scope.anchor, scope.params)
        body = cte.node
        if cte.recursive and isinstance(body, exp.SetOperation):
            twin.arms = self.query(body.this, self._fresh(outer))
            for block in twin.arms:
                _rename(block, cte.columns)
        blocks = self.query(body, self._fresh(outer))
        for block in blocks:
            _rename(block, cte.columns)
        return blocks

    def _fresh(self, outer: Scope) -> Scope:
        return Scope(self, outer.outer, outer.ctes, outer.anchor, outer.params)

    def _view(self, name: str, text: str, anchor: Span | None) -> list[Block]:
        if name in self._bodies:
            raise OverBudget
        if name not in self._views:
            found = dialects.pieces(text, self.dialect)
            node = dialects.tree(found[0], text, self.dialect) if len(found) == 1 else None
            if isinstance(node, exp.Create):
                node = node.expression
            self._views[name] = node
        node = self._views[name]
        scope = Scope(self, None, {}, anchor or (0, 0))
        if node is None:
            self.problems.append(Problem("unparsed_view", name, anchor))
            return [Block()]
        self._bodies.append(name)
        try:
            return self.query(node, scope)
        finally:
            self._bodies.pop()

    def _made(self, made: Made, anchor: Span | None) -> list[Block]:
        """Something this session built: what it was built from, seen again."""
        blocks: list[Block] = []
        world, self._world = self._world, made.world
        try:
            for node, columns in made.sources:
                for block in self.query(node, Scope(self, None, {}, anchor or (0, 0))):
                    _rename(block, columns or made.columns)
                    blocks.append(block)
        finally:
            self._world = world
        if blocks:
            return blocks
        block = Block()
        rows = Instance(None, made.name, anchor)
        block.instances.append(rows)
        for column in made.columns:
            block.columns.append((column, Flow()))
        return [block]

    # -------------------------------------------------------------- stored bodies, other servers

    def state_function(self, name: str) -> str | None:
        return self.state.function(name) if self.state is not None else None

    def _body_of(self, call: exp.Expr) -> tuple[str, str] | None:
        name = _call_name(call)
        body = self.catalogue.procedure(name) or self.state_function(name)
        return (name, body) if body is not None else None

    def body_flow(self, name: str, body: str, node: exp.Expr, scope: Scope) -> Flow:
        """What a function's value shows: all that its body reads."""
        total = NOTHING
        for block in self.body_blocks(name, body, node, scope):
            scope.draft.absorb(block, SOFT)
            scope.draft.shown = scope.draft.shown | block.shown.measures_only()
            total = total | block.output()
        return total.derived()

    def body_blocks(self, name: str, body: str, node: exp.Expr, scope: Scope) -> list[Block]:
        from qingfang.understand.procedures import queries_of

        if name in self._bodies or len(self._bodies) > 8:
            raise OverBudget
        found = queries_of(body, self.dialect)
        anchor = scope.span(node) or (0, 0)
        if found.opaque:
            self.problems.append(Problem("opaque_body", name, anchor))
        params = {
            parameter: flow(argument, scope)
            for parameter, argument in zip(found.parameters, _arguments(node), strict=False)
        }
        constants = {
            parameter: argument
            for parameter, argument in zip(found.parameters, _arguments(node), strict=False)
            if not any(argument.find_all(exp.Column))
        }
        self._bodies.append(name)
        blocks: list[Block] = []
        try:
            for query in found.queries:
                bound = _with_constants(query, constants)
                inner = Scope(self, None, {}, anchor, params)
                blocks.extend(self.query(bound, inner))
        finally:
            self._bodies.pop()
        return blocks

    def remote_flow(self, node: exp.Expr, scope: Scope) -> Flow:
        total = NOTHING
        for block in self.remote_blocks(node, scope):
            scope.draft.absorb(block, SOFT)
            total = total | block.output() | block.shown
        return total.derived()

    def remote_blocks(self, node: exp.Expr, scope: Scope) -> list[Block]:
        """SQL handed as a text to a function that runs it, here or on another server."""
        blocks: list[Block] = []
        for argument in _arguments(node):
            value = fold(argument, self.reading, scope.own)
            if value is None or value.text is None:
                continue
            self.reading.bind(value)
            blocks.extend(self.text_blocks(value.text, scope.span(node) or (0, 0)))
        if not blocks:
            self.problem("remote_sql", _call_name(node), node, scope)
        return blocks

    def text_blocks(self, text: str, anchor: Span) -> list[Block]:
        """The blocks of a SQL text found inside a statement; none when it is no query."""
        blocks: list[Block] = []
        for piece in dialects.pieces(text, self.dialect):
            if piece.verb not in {"SELECT", "WITH", "TABLE", "VALUES", "("}:
                continue
            node = dialects.tree(piece, text, self.dialect)
            if node is not None:
                blocks.extend(self.query(node, Scope(self, None, {}, anchor)))
        return blocks

    # -------------------------------------------------------------- RETURNING

    def returning(self, node: exp.Expr, scope: Scope) -> list[Block]:
        """RETURNING and OUTPUT hand rows on as a SELECT on the changed table would."""
        self._with(node, scope)
        clause = node.args.get("returning")
        output: list[exp.Expr] = list(clause.expressions) if clause is not None else []
        if isinstance(node, exp.Insert):
            source = node.expression
            selects = [part for part in output if part.find(exp.Query) is not None]
            blocks = self._apart(selects, scope)
            if clause is None or source is None or isinstance(source, exp.Values):
                return blocks or [Block()]
            inner = Scope(self, scope, scope.ctes, scope.anchor, scope.params)
            return [*self.query(source, inner), *blocks]
        if isinstance(node, exp.Merge):
            using = node.args.get("using")
            if clause is None or not isinstance(using, exp.Expr):
                return [Block()]
            star = exp.Select(expressions=[exp.Star()], from_=exp.From(this=using.copy()))
            inner = Scope(self, scope, scope.ctes, scope.anchor, scope.params)
            return [*self.query(star, inner), *self._apart(output, scope)]
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
        return self._select(select, scope)

    def _apart(self, parts: list[exp.Expr], scope: Scope) -> list[Block]:
        """Output expressions that read tables of their own."""
        parts = [part for part in parts if part.find(exp.Query) is not None]
        if not parts:
            return []
        select = exp.Select(expressions=[part.copy() for part in parts])
        return self.query(select, Scope(self, scope, scope.ctes, scope.anchor, scope.params))


def _call_name(node: exp.Expr) -> str:
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


def _group_parts(group: exp.Group) -> list[exp.Expr]:
    parts: list[exp.Expr] = []
    waiting: list[exp.Expr] = [*group.expressions]
    for key in ("rollup", "cube", "grouping_sets"):
        value = group.args.get(key)
        waiting.extend(part for part in value or [] if isinstance(part, exp.Expr))
    while waiting:
        part = waiting.pop()
        if isinstance(part, (exp.Rollup, exp.Cube, exp.GroupingSets, exp.Tuple)):
            waiting.extend(part.expressions)
        elif isinstance(part, exp.Paren):
            waiting.append(part.this)
        else:
            parts.append(part)
    return parts


def _adds(node: exp.Select) -> bool:
    """Whether the SELECT adds its rows up without GROUP BY."""
    from qingfang.understand.builtin import AGGREGATES, PACKERS

    roots = [*node.expressions]
    if node.args.get("having") is not None:
        return True
    waiting: list[exp.Expr] = list(roots)
    while waiting:
        part = waiting.pop()
        if isinstance(part, (exp.Query, exp.Subquery)):
            continue
        if isinstance(part, exp.Window):
            # SUM(SUM(x)) OVER (…) adds up inside.
            waiting.extend(part.this.iter_expressions())
            continue
        if isinstance(part, exp.AggFunc):
            return True
        if isinstance(part, exp.Anonymous) and part.name.lower() in AGGREGATES | PACKERS:
            return True
        waiting.extend(part.iter_expressions())
    return False
