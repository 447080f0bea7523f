"""The walk through a query: joins, nesting, set operations → flat blocks.

Rules this module keeps:

1. A UNION, or a view over one, splits its query into one block an arm; every arm is judged.
2. Work is counted (`spend`); over budget raises `OverBudget`, whose answer is opaque.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from sqlglot import exp

from qingfang.understand import bodies, changes, conditions, sources
from qingfang.understand.builtin import (
    AGGREGATES,
    FUNCTIONS,
    METHODS,
    OWN_FUNCTIONS,
    PACKERS,
    REMOTE,
)
from qingfang.understand.catalogue import Catalogue, Table
from qingfang.understand.expressions import flow
from qingfang.understand.flows import NOTHING, SOFT, Block, Edge, Flow, Instance, Source, union
from qingfang.understand.folding import Reading, fold
from qingfang.understand.pins import pinned_member
from qingfang.understand.predicates import Fact
from qingfang.understand.scope import MAX_ARMS, Cte, Name, OverBudget, Problem, Scope

if TYPE_CHECKING:
    from qingfang.understand.state import Made, SessionState

MAX_STEPS = 40_000
MAX_DEPTH = 40
# Where WITH is recursive without saying so.
_RECURSIVE = frozenset({"oracle", "tsql", "sqlite"})


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
        self.views = views
        self._steps = 0
        self.depth = 0
        self._groups = 0
        self.bodies: list[str] = []
        # Nodes of trees copied for bodies, and arguments of their calls that stand outside them.
        self.copied = 0
        self.outside = 0
        self.world: Mapping[str, Made] | None = None
        # Functions that the statement itself brings along.
        self.local: dict[str, str] = {}
        # Names of columns (in lower case) that some alias has in quotes and in another spelling.
        self.odd: set[str] = set()
        # Calls whose text, run later, was read already (by identity of their nodes).
        self.scheduled: set[int] = set()
        reading.oracle, reading.runs = dialect == "oracle", self.runs

    def spend(self, steps: int = 1) -> None:
        self._steps += steps
        if self._steps > MAX_STEPS:
            raise OverBudget

    def problem(self, kind: str, name: str, node: exp.Expr, scope: Scope) -> None:
        self.problems.append(Problem(kind, name, scope.span(node)))

    def is_builtin(self, name: str) -> bool:
        """Whether a function is the database's own; somebody's `his.value` is not its `value`."""
        known = FUNCTIONS.get(self.dialect, frozenset())
        schema, _dot, last = name.rpartition(".")
        return name in known or (last in known and schema in ("", *OWN_FUNCTIONS))

    def runs(self, call: exp.Func) -> bool:
        """Whether a call runs a text or a body, or is of a function that is not known."""
        owner = call.parent
        if not isinstance(call, exp.Anonymous):
            return self.catalogue.procedure(call.sql_name()) is not None
        name = call.name.lower()
        if isinstance(owner, exp.Dot) and owner.expression is call:
            if name in METHODS and not _is_name(owner.this):
                return False
            name = f"{owner.this.name}.{name}".lower()
        return name.rpartition(".")[2] in REMOTE or not self.is_builtin(name) or self.has_body(name)

    def pinned_member(self, block: Block) -> bool:
        return bool(block.columns) and pinned_member(block, block.columns[0][1])

    # -------------------------------------------------------------- queries

    def query(self, node: exp.Expr, scope: Scope) -> list[Block]:
        """The blocks of a query; `scope` is fresh, its `outer` is what the query may refer to."""
        self.spend()
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise OverBudget
        try:
            blocks = self._query(node, scope)
        finally:
            self.depth -= 1
        if len(blocks) > MAX_ARMS:
            raise OverBudget
        return blocks

    def _query(self, node: exp.Expr, scope: Scope) -> list[Block]:
        self.define(node, scope)
        if isinstance(node, (exp.Subquery, exp.Paren)):
            if isinstance(node.this, exp.Table) or node.args.get("joins"):
                return self.select(exp.Select(expressions=[exp.Star()], from_=node), scope)
            blocks = self.query(node.this, scope)
            if node.args.get("limit") or node.args.get("offset"):
                for block in blocks:
                    block.paged = True
            return blocks
        if isinstance(node, exp.Select):
            return self.select(node, scope)
        if isinstance(node, exp.SetOperation):
            listed = self.constants(node, scope)
            return [listed] if listed is not None else self._arms(node, scope)
        if isinstance(node, exp.Values):
            return [self.values(node, scope)]
        if isinstance(node, exp.Table):
            return self.select(exp.Select(expressions=[exp.Star()], from_=node), scope)
        if isinstance(node, (exp.Insert, exp.Update, exp.Delete, exp.Merge)):
            return changes.returning(self, node, scope)
        self.problem("unparsed", type(node).__name__, node, scope)
        return [Block()]

    def define(self, node: exp.Expr, scope: Scope) -> None:
        clause = node.args.get("with_")
        if clause is None:
            return
        ctes = dict(scope.ctes)
        added = (clause.args.get("search"), clause.args.get("cycle"))
        marks = self.labels(
            [
                part.args[key]
                for part in added
                for key in ("expression", "using")
                if part and part.args.get(key)
            ]
        )
        for cte in clause.expressions:
            alias = cte.args.get("alias")
            columns = self.labels(alias.args.get("columns") or []) if alias else []
            name = cte.alias.lower()
            recursive = bool(clause.args.get("recursive")) or self.dialect in _RECURSIVE
            ctes[name] = Cte(cte.this, columns, dict(ctes), recursive)
            ctes[name].spelling = self.spelling(alias.this) if alias else name
            ctes[name].marks = marks
        scope.ctes = ctes

    def spelling(self, name: exp.Expr) -> str:
        """A name as the server keeps it: without quotes in the case that it prefers. MySQL on Linux
        keeps tables' names as they are written."""
        text = name.name
        if self.dialect == "mysql":
            return text
        if isinstance(name, exp.Identifier) and name.quoted:
            return text if self.dialect in {"postgres", "oracle"} else text.lower()
        return text.upper() if self.dialect == "oracle" else text.lower()

    def label(self, part: exp.Expr) -> str:
        """What a part of an output is called, in lower case; empty when it has no name."""
        alias = part.args.get("alias") if isinstance(part, exp.Alias) else None
        if isinstance(alias, exp.Identifier):
            return self.labels([alias])[0]
        return part.alias_or_name.lower()

    def labels(self, names: Sequence[exp.Expr]) -> list[str]:
        """Columns' names in lower case, minding those that quotes tell from what is spelt so."""
        found: list[str] = []
        for name in names:
            text = name.name.lower()
            plain = text.upper() if self.dialect == "oracle" else text
            if self.dialect in {"postgres", "oracle"} and self.spelling(name) != plain:
                self.odd.add(text)
            found.append(text)
        return found

    def _arms(self, node: exp.SetOperation, scope: Scope) -> list[Block]:
        """UNION, INTERSECT and EXCEPT: what any arm shows, under the first arm's names."""
        chain: list[exp.Expr] = []
        distinct = False
        part: exp.Expr = node
        while isinstance(part, exp.SetOperation):
            if part is not node:
                self.define(part, scope)
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

    def values(self, node: exp.Expr, scope: Scope) -> Block:
        """A constant table: its columns are lists of values that can pin."""
        rows = [
            list(row.expressions)
            if isinstance(row, exp.Tuple)
            else [row.this if isinstance(row, exp.Paren) else row]
            for row in map(_row, node.expressions)
        ]
        names = [f"column{at + 1}" for at in range(len(rows[0]) if rows else 0)]
        return self._listed(rows, names, node, scope)

    def constants(self, node: exp.Expr, scope: Scope) -> Block | None:
        """`SELECT 'a' UNION ALL SELECT 'b'` as the list that it is; None when it reads something."""
        rows: list[list[exp.Expr]] = []
        names: list[str] = []
        part: exp.Expr | None = node
        while part is not None:
            arm = part
            following: exp.Expr | None = None
            if isinstance(part, exp.Union):
                arm, following = part.expression, part.this
            if isinstance(arm, exp.Subquery):
                arm = arm.this
            if not isinstance(arm, exp.Select) or not _is_bare(arm):
                return None
            rows.append([cell.unalias() for cell in arm.expressions])
            names = [self.label(cell) for cell in arm.expressions]
            part = following
        if len({len(row) for row in rows}) != 1:
            return None
        cells = [cell for row in rows for cell in row]
        for cell in cells:
            value = fold(cell, self.reading, scope.own)
            if value is None or not (value.text or value.null or isinstance(cell, exp.Placeholder)):
                return None
        rows.reverse()
        columns = [name or f"column{at + 1}" for at, name in enumerate(names)]
        return self._listed(rows, columns, node, scope)

    def _listed(
        self, rows: list[list[exp.Expr]], names: list[str], node: exp.Expr, scope: Scope
    ) -> Block:
        block = Block()
        table = Instance(None, "values", scope.span(node))
        block.instances.append(table)
        for at, name in enumerate(names):
            source = Source(table, name, None, None)
            cells = [row[at] for row in rows if at < len(row)]
            constants = [fold(cell, self.reading, scope.own) for cell in cells]
            shown = Flow(frozenset({source}), exact=source)
            if all(constant is not None for constant in constants):
                values = tuple(constant for constant in constants if constant is not None)
                for constant in values:
                    self.reading.free.update(constant.literals)
                block.facts.append(Fact(source, "eq", values))
            else:
                shown = shown | union(flow(cell, scope) for cell in cells)
            block.columns.append((source.column, shown))
        if scope.draft.instances:
            block.absorb(scope.draft, SOFT)
        return block

    # -------------------------------------------------------------- SELECT

    def select(self, node: exp.Select, scope: Scope) -> list[Block]:
        states = [scope]
        first = node.args.get("from_")
        items: list[tuple[exp.Expr, exp.Join | None]] = []
        if first is not None:
            items.append((first.this if isinstance(first, exp.From) else first, None))
        items.extend((join.this, join) for join in node.args.get("joins") or [])
        items.extend((lateral, None) for lateral in node.args.get("laterals") or [])
        for item, join in items:
            states = [after for state in states for after in self.attach(state, item, join)]
            if len(states) > MAX_ARMS:
                raise OverBudget
        return [self._project(node, state) for state in states]

    def attach(self, scope: Scope, item: exp.Expr, join: exp.Join | None) -> list[Scope]:
        """`scope` with one more FROM item; one scope an arm of the item."""
        side = str(join.args.get("side") or "").upper() if join is not None else ""
        if isinstance(item, exp.Lateral) and (
            item.args.get("outer") or item.args.get("cross_apply") is False
        ):
            side = "LEFT"
        if isinstance(item, exp.Table) and item.args.get("joins"):
            # `t JOIN u ON …` as one item: what is joined to it is seen by the ON that follows.
            item = exp.Paren(this=item.copy())
        after: list[Scope] = []
        for names, block in sources.source(self, item, scope):
            state = scope.twin()
            draft = state.draft
            group = None
            losing: set[Instance] = set()
            if side in {"LEFT", "RIGHT", "FULL"}:
                group = self.group()
            if group is not None and side in {"RIGHT", "FULL"}:
                losing = set(draft.instances)
                draft.weaken(group)
            if side in {"LEFT", "FULL"}:
                losing = losing | set(block.instances) if side == "FULL" else set(block.instances)
            draft.absorb(block, group if side in {"LEFT", "FULL"} else None)
            draft.rows = draft.rows | block.rows
            draft.shown = draft.shown | block.shown | Flow(tested=block.once_for)
            before = list(state.names)
            for name in names:
                name.instances = tuple(block.instances)
            state.names.extend(names)
            if join is not None:
                self._on(join, state, before, names, side, losing, group)
            after.append(state)
        return after

    def group(self) -> int:
        """A new outer join."""
        self._groups += 1
        return self._groups

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

    def _texts(self, node: exp.Select, scope: Scope) -> None:
        """SQLite takes a name in double quotes that is no column's for a text."""
        for column in list(node.find_all(exp.Column)):
            name = column.this
            if not isinstance(name, exp.Identifier) or not name.quoted or column.table:
                continue
            if column.find_ancestor(exp.Select) is not node or scope.sees(column):
                continue
            text = exp.Literal.string(name.name)
            text.meta.update(name.meta)
            column.replace(text)

    def _project(self, node: exp.Select, scope: Scope) -> Block:
        """WHERE, grouping, output, order: the block that the SELECT is."""
        draft = scope.draft
        if self.dialect == "sqlite":
            self._texts(node, scope)
        carried = draft.shown
        draft.shown = NOTHING
        match = node.args.get("match")
        if match is not None:
            self._matched(match, scope)
        where = node.args.get("where")
        if where is not None:
            conditions.apply_where(where.this, scope)
        connect = node.args.get("connect")
        if connect is not None:
            for inner in (connect.args.get("start"), connect.args.get("connect")):
                if isinstance(inner, exp.Expr):
                    shown = flow(inner, scope)
                    conditions.Sink(scope, False).mention(inner, shown)
                    # What links the levels groups their rows.
                    draft.shown = draft.shown | Flow(tested=shown.tested)
        group = node.args.get("group")
        added = group is not None or _adds(node)
        packed = self._output(node, scope)
        if group is not None:
            keys = [self._group_key(part, scope) for part in _group_parts(group)]
            draft.shown = draft.shown | union(keys)
            draft.grouped = frozenset(key.exact for key in keys if key.exact is not None)
        having = node.args.get("having")
        if having is not None:
            scope.aliases_first = self.dialect == "mysql"
            before = len(draft.facts), len(draft.edges)
            conditions.apply(having.this, scope)
            scope.aliases_first = False
            if group is not None:
                self._of_groups(group, before, scope)
        qualify = node.args.get("qualify")
        if qualify is not None:
            conditions.apply(qualify.this, scope)
        order = node.args.get("order")
        for part in order.expressions if order is not None else []:
            draft.shown = draft.shown | self._order_key(part, scope)
        distinct = node.args.get("distinct")
        if distinct is not None and distinct.args.get("on") is not None:
            draft.shown = draft.shown | flow(distinct.args["on"], scope).comparison()
        draft.shown = (carried.measures_only() if added else carried) | draft.shown
        if added:
            draft.once_for = _once_for(draft)
        else:
            # A figure of a sub-select for each row is grouped by what it is worked out for.
            draft.shown, draft.once_for = draft.shown | Flow(tested=draft.once_for), frozenset()
        draft.added = added
        draft.always = added and (group is None or _sums_all(group))
        draft.distinct = distinct is not None
        if (added and not packed) or draft.distinct:
            draft.rows = frozenset()
        if node.args.get("limit") or node.args.get("offset") or node.args.get("fetch"):
            draft.paged = True
            self._page(node, scope)
        draft.settle()
        if where is not None and _asks_alone(node) and conditions.never(where.this, scope):
            # What was not read on the way stays a problem.
            empty = Block()
            empty.columns = [(name, NOTHING) for name, _shown in draft.columns]
            return empty
        return draft

    def _of_groups(self, group: exp.Group, before: tuple[int, int], scope: Scope) -> None:
        """What HAVING says of a column that is not grouped by it says of one row of each group (MySQL
        and SQLite take any), so it fixes nothing of the others."""
        draft = scope.draft
        keys = {self._group_key(part, scope).exact for part in _group_parts(group)}
        for at in range(before[0], len(draft.facts)):
            if draft.facts[at].source not in keys:
                draft.facts[at] = draft.facts[at].mentioned()
        draft.edges[before[1] :] = [
            edge for edge in draft.edges[before[1] :] if edge.a in keys or edge.b in keys
        ]

    def _matched(self, match: exp.Expr, scope: Scope) -> None:
        """MATCH_RECOGNIZE: of each match what it is partitioned by and its measures, or all rows."""
        variables = {part.alias.lower() for part in match.args.get("define") or []}
        variables |= {word.lower() for word in re.findall(r"\w+", match.args["pattern"].name)}
        for column in match.find_all(exp.Column):
            if column.table.lower() in variables and scope.named(column.table.lower()) is None:
                column.set("table", None)
        columns: dict[str, Flow] = {}
        for part in match.args.get("partition_by") or []:
            columns[part.alias_or_name.lower()] = flow(part, scope)
        for measure in match.args.get("measures") or []:
            columns[measure.this.alias_or_name.lower()] = flow(measure.this.unalias(), scope)
        for part in match.args.get("define") or []:
            conditions.Sink(scope, False).mention(part.this, flow(part.this, scope))
        rows = match.args.get("rows")
        alias = match.args.get("alias")
        name = Name(alias.name.lower() if alias is not None else "", columns)
        if rows is not None and rows.name.upper().startswith("ALL"):
            scope.names.append(name)
            return
        scope.names[:] = [name]
        if any(shown.measured for shown in columns.values()):
            scope.draft.rows = frozenset()

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
                named = scope.named(bare.table.lower())
                if named is None:
                    self.problem("unknown_name", f"{bare.table}.*", bare, scope)
                    continue
                columns.extend((c, f.at(scope.span(part))) for c, f in named.columns.items())
                if named.other is not None:
                    columns.append(("*", named.other.at(scope.span(part))))
                continue
            if isinstance(bare, exp.Literal) and scope.own and "start" in bare.meta:
                self.reading.free.add(bare.meta["start"])
            if self.dialect == "tsql" and _assigns(bare):
                # `SELECT @v = @v + x` puts all the rows into the variable.
                shown = flow(bare.args["expression"], scope)
                own = bare.args["expression"].find(exp.Placeholder) is not None
                packed = packed or own
            else:
                shown = flow(bare, scope)
            packed = packed or shown.packed
            columns.append((self.label(part) or f"column{at + 1}", shown))
        scope.aliases = dict(columns)
        return packed

    def _group_key(self, node: exp.Expr, scope: Scope) -> Flow:
        if isinstance(node, exp.Literal) and not node.is_string:
            return self._ordinal(node, scope)
        return flow(node, scope)

    def _order_key(self, node: exp.Expr, scope: Scope) -> Flow:
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

    # -------------------------------------------------------------- stored bodies

    def state_function(self, name: str) -> str | None:
        own = self.local.get(name)
        if own is not None:
            return own
        return self.state.function(name) if self.state is not None else None

    def bare_call(self, node: exp.Column, scope: Scope) -> Flow:
        """A name that is no column's in sight. In Oracle that is how a function without arguments is
        called."""
        name = node.name.lower()
        if self.dialect != "oracle" or name in _PSEUDO:
            return NOTHING
        if self.has_body(name):
            return self.body_flow(name, exp.Anonymous(this=name, expressions=[]), scope)
        seen: Scope | None = scope
        while seen is not None:
            if any(known.open or known.other is not None for known in seen.names):
                return NOTHING
            seen = seen.outer
        if scope.names and not self.is_builtin(name):
            self.problem("unknown_function", name, node, scope)
        return NOTHING

    def has_body(self, name: str) -> bool:
        """Whether the source of a function is known."""
        return bodies.source_of(self, name) is not None

    def body_flow(self, name: str, node: exp.Expr, scope: Scope) -> Flow:
        """What a function's value shows: all that its body hands on."""
        return bodies.body_flow(self, name, node, scope)

    def remote_flow(self, node: exp.Expr, scope: Scope) -> Flow:
        """What the rows show of a SQL text handed to a function that runs it."""
        return bodies.remote_flow(self, node, scope)


# Names that every Oracle query knows.
_PSEUDO = frozenset(
    {
        *("level", "rownum", "rowid", "ora_rowscn", "sysdate", "systimestamp", "user", "uid"),
        *("dummy", "nextval", "currval", "sessiontimezone", "dbtimezone", "sqlcode", "sqlerrm"),
        *("connect_by_isleaf", "connect_by_iscycle", "object_value", "column_value"),
    }
)


def _is_name(node: exp.Expr) -> bool:
    """Whether an expression is a name, maybe dotted: `dbo`, not a value that has methods."""
    names = node.flatten() if isinstance(node, exp.Dot) else (node,)
    return all(isinstance(name, exp.Identifier) for name in names)


def _asks_alone(node: exp.Select) -> bool:
    """Whether no other query, which the server may work out first, and no call is in it."""
    parts = node.find_all(exp.Query, exp.Subquery, exp.Anonymous, exp.Lateral)
    return all(part is node for part in parts)


def _once_for(block: Block) -> frozenset[Source]:
    """What sums of use are worked out for, one by one: columns of an outer query that rows must equal,
    in a sub-select of the sub-select too."""
    shown = block.output() | block.shown
    measured = {source.instance for source in shown.summed} | shown.counted
    if not any(i.table is not None and i.table.kind in {"usage", "stock"} for i in measured):
        return frozenset()
    own = set(block.instances)
    sides = [source for edge in block.edges for source in (edge.a, edge.b)]
    return frozenset(source for source in sides if source.instance not in own)


def _row(node: exp.Expr) -> exp.Expr:
    """MySQL's `ROW(1, 2)` as `(1, 2)`."""
    inner = node.expressions[0] if len(node.expressions) == 1 else None
    named = isinstance(inner, exp.Anonymous) and inner.name.upper() == "ROW"
    return exp.Tuple(expressions=inner.expressions) if inner is not None and named else node


def _assigns(node: exp.Expr) -> bool:
    """`@v = x` in the output of a T-SQL SELECT."""
    return isinstance(node, exp.EQ) and isinstance(node.this, exp.Placeholder)


def _is_bare(select: exp.Select) -> bool:
    """A SELECT of expressions alone, from nothing or Oracle's `dual`."""
    first = select.args.get("from_")
    nothing = first is None or first.this.name.lower() == "dual"
    clauses = {key for key, value in select.args.items() if value}
    return nothing and clauses <= {"expressions", "kind", "from_"} and bool(select.expressions)


def _sums_all(group: exp.Group) -> bool:
    """Whether there is a sum over all the rows, also over none: `GROUP BY ()`, ROLLUP, CUBE."""
    if any(group.args.get(key) for key in ("rollup", "cube", "grouping_sets", "totals")):
        return True
    return not group.expressions or any(
        isinstance(part, (exp.Rollup, exp.Cube, exp.GroupingSets))
        or (isinstance(part, exp.Tuple) and not part.expressions)
        for part in group.expressions
    )


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
