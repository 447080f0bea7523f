"""WHERE, ON and HAVING → facts about columns, equalities between columns, and what a threshold shows.

Rules this module keeps:

1. Only what every row must pass becomes a fact that fixes; a predicate under OR or NOT is kept as
   a mention (`other`), unless all arms of the OR fix the same thing.
2. A fact is about a column's own value. A function of a column gives a mention, except the few
   that cut a time to its day.
3. IN and EXISTS that every row must pass join the sub-select to the block; all other sub-selects
   are merged without deciding which rows come.
4. A predicate on a sum, count or rank shows it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlglot import exp

from qingfang.understand.catalogue import MEASURE_ROLES
from qingfang.understand.computing import number
from qingfang.understand.days import DAY_UNITS, day_of
from qingfang.understand.expressions import flow, presence
from qingfang.understand.flows import NOTHING, SOFT, Block, Edge, Flow, Instance, Source
from qingfang.understand.folding import Const, Reading, fold, is_known_bind, offset, varies
from qingfang.understand.holding import (
    MAX_PINS,
    array_items,
    equal,
    is_midnight,
    moment,
    passes,
)
from qingfang.understand.periods import (
    MONTH,
    YEAR,
    cut_of,
    days_between,
    days_of,
    moved,
    part_of,
)
from qingfang.understand.predicates import Fact

if TYPE_CHECKING:
    from qingfang.understand.scope import Name, Scope

_UNSINGLE = (exp.All, exp.Any, exp.Predicate, exp.Not, exp.Connector, exp.PropertyEQ)
_COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ)


def _is_no_value(node: exp.Expr) -> bool:
    bare = node.unnest()
    if isinstance(bare, exp.Anonymous):
        return bare.name.lower() == "all"
    return isinstance(bare, _UNSINGLE)


_FLIPPED: dict[type[exp.Expr], type[exp.Expr]] = {
    exp.GT: exp.LT,
    exp.GTE: exp.LTE,
    exp.LT: exp.GT,
    exp.LTE: exp.GTE,
}
_KEYS = frozenset({"patient_id", "visit_id", "prescription_id"})


class Sink:
    """Where the facts of one condition go. `joins` tells that its sub-selects decide which rows
    come (they stand in AND, not under OR or in an outer join's ON)."""

    __slots__ = ("edges", "facts", "joins", "parts", "scope")

    def __init__(self, scope: Scope, joins: bool) -> None:
        self.scope, self.joins = scope, joins
        self.facts: list[Fact] = []
        self.edges: list[Edge] = []
        # Years and months that a time's parts are compared with: `YEAR(t) = 2026`.
        self.parts: dict[Source, dict[str, tuple[int, int]]] = {}

    def show(self, shown: Flow) -> None:
        self.scope.draft.shown = self.scope.draft.shown | shown

    def fact(
        self,
        source: Source,
        op: str,
        values: tuple[Const, ...] = (),
        *,
        negated: bool = False,
        low: Const | None = None,
        high: Const | None = None,
        high_open: bool = False,
        node: exp.Expr,
    ) -> None:
        reading = self.scope.walker.reading
        if source.role == "time" and reading.redated:
            tsql = self.scope.walker.dialect == "tsql"
            values = tuple(_undated(const, tsql) for const in values)
            low, high = low and _undated(low, tsql), high and _undated(high, tsql)
        for const in (*values, low, high):
            if const is not None:
                reading.free.update(const.literals)
        self.facts.append(
            Fact(
                source,
                op,
                values,
                negated=negated,
                low=low,
                high=high,
                high_open=high_open,
                span=self.scope.span(node),
            )
        )

    def mention(self, node: exp.Expr, shown: Flow) -> None:
        """A predicate that fixes nothing: it names columns, and shows the sums and packed rows
        that it tests."""
        if shown.measured:
            self.show(shown.comparison())
        if shown.packed:
            # Rows packed into one value come back in the error of what is done with it.
            self.show(shown)
        for source in shown.raw | shown.tested:
            self.fact(source, "other", node=node)


_SQL_SERVERS_OWN = re.compile(r"\d{8}(?:\D.*)?|\d{4}-\d{2}-\d{2}T.*")


def _undated(const: Const, tsql: bool) -> Const:
    """A time whose text is read in the session's own order of day and month: it is not known. SQL
    Server reads `20260131` from the year on whatever the order."""
    if const.ordered or const.text is None or const.clock is not None:
        return const
    if tsql and _SQL_SERVERS_OWN.fullmatch(const.text):
        return const
    return Const(None, const.literals, const.binds)


def apply(node: exp.Expr, scope: Scope) -> None:
    """A condition that every row of the scope's block passes."""
    sink = Sink(scope, True)
    _all(node, sink)
    scope.draft.facts.extend(sink.facts)
    scope.draft.edges.extend(sink.edges)


def apply_where(node: exp.Expr, scope: Scope) -> None:
    """WHERE, where the old outer joins stand among the rest: Oracle's `a.x = b.x(+)`, which keeps
    the rows of a, and `(+)` at everything else that is asked of b; T-SQL's `a.x *= b.x`."""
    if scope.walker.dialect not in _OLD_OUTER_JOINS:
        apply(node, scope)
        return
    losers: dict[str, tuple[Name, list[exp.Expr]]] = {}
    rest: list[exp.Expr] = []
    for part in _flat(node, exp.And):
        loser = _loser(part, scope)
        if loser is None:
            rest.append(part)
            continue
        bare = part
        if isinstance(part, exp.NullSafeEQ) and scope.walker.dialect == "tsql":
            bare = exp.EQ(this=part.left, expression=part.right)
        losers.setdefault(loser.alias, (loser, []))[1].append(bare)
    if not losers:
        apply(node, scope)
        return
    for loser, asked in losers.values():
        group = scope.walker.group()
        losing = set(loser.instances)
        scope.draft.lose(losing, group)
        for part in asked:
            apply_outer(part, scope, losing, group)
    for part in rest:
        apply(part, scope)


_OLD_OUTER_JOINS = frozenset({"oracle", "postgres", "tsql"})


def _loser(part: exp.Expr, scope: Scope) -> Name | None:
    """The name whose rows may be missing by this condition, None when it is no outer join's."""
    if scope.walker.dialect == "tsql":
        if not isinstance(part, exp.NullSafeEQ):
            return None
        marked = [c for c in (part.right,) if isinstance(c, exp.Column)]
    else:
        marked = [c for c in part.find_all(exp.Column) if c.args.get("join_mark")]
    for column in marked:
        for name in scope.names:
            alias = column.table.lower()
            if name.alias == alias if alias else column.name.lower() in name.columns:
                return name
    return None


def apply_outer(node: exp.Expr, scope: Scope, losing: set[Instance], group: int) -> None:
    """The ON of an outer join: it decides nothing but which rows of the losing side match."""
    sink = Sink(scope, False)
    _all(node, sink)
    for fact in sink.facts:
        if fact.source.instance in losing:
            scope.draft.facts.append(fact.loose())
    for edge in sink.edges:
        inside_a, inside_b = edge.a.instance in losing, edge.b.instance in losing
        if inside_a and inside_b:
            scope.draft.edges.append(Edge(edge.a, edge.b, edge.groups, False))
        elif inside_b:
            scope.draft.edges.append(Edge(edge.a, edge.b, edge.groups | {group}, False))
        elif inside_a:
            scope.draft.edges.append(Edge(edge.b, edge.a, edge.groups | {group}, False))


def always(node: exp.Expr, scope: Scope) -> bool | None:
    """The truth of a condition that reads no column: `1=1`, `:p IS NULL` with its value known."""
    reading, own = scope.walker.reading, scope.own
    if isinstance(node, exp.Paren):
        return always(node.this, scope)
    if isinstance(node, exp.Boolean):
        return bool(node.this)
    if isinstance(node, exp.Not):
        inner = always(node.this, scope)
        return None if inner is None else not inner
    if isinstance(node, exp.Is) and isinstance(node.expression, exp.Null):
        subject = node.this
        while isinstance(subject, (exp.Cast, exp.Paren)):
            subject = subject.this
        if isinstance(subject, (exp.Null, exp.Literal, exp.National)):
            const = fold(subject, reading, own)
            # Oracle takes an empty text for NULL.
            if const is not None and _oracle(scope):
                reading.bind(const)
            known = const is not None and (const.null or (const.text == "" and _oracle(scope)))
            return known is not bool(node.args.get("negate"))
        if is_known_bind(subject, reading):
            const = fold(subject, reading, own)
            if const is not None:
                known = reading.known(const, _oracle(scope))
                return known if node.args.get("negate") else not known
        return None
    if isinstance(node, (exp.EQ, exp.NEQ)):
        left, right = fold(node.left, reading, own), fold(node.right, reading, own)
        if left is None or right is None or left.text is None or right.text is None:
            return None
        reading.bind(left)
        reading.bind(right)
        same = equal(left.text, right.text)
        return None if same is None else same is isinstance(node, exp.EQ)
    if isinstance(node, exp.Literal):
        reading.fixed.update(offset(node, own))
        # The truth of a text that is no number depends on the server.
        value = number(str(node.this))
        return bool(value) if value is not None else None
    return None


def _oracle(scope: Scope) -> bool:
    return scope.walker.dialect == "oracle"


def _flat(node: exp.Expr, kind: type[exp.Expr]) -> list[exp.Expr]:
    """The operands of a chain of AND or OR, however deep."""
    parts: list[exp.Expr] = []
    waiting = [node]
    while waiting:
        part = waiting.pop()
        bare = part.unnest() if isinstance(part, exp.Paren) else part
        if isinstance(bare, kind) and isinstance(bare, exp.Binary):
            waiting.extend((bare.right, bare.left))
        else:
            parts.append(bare)
    return parts


def _all(node: exp.Expr, sink: Sink) -> None:
    for part in _flat(node, exp.And):
        sink.scope.walker.spend()
        if always(part, sink.scope) is None:
            _one(part, sink)
    _join_parts(sink, node)


def never(node: exp.Expr, scope: Scope) -> bool:
    """Whether no row can pass a condition, as `1 = 0` in the queries by which drivers learn columns."""
    return any(always(part, scope) is False for part in _flat(node, exp.And))


def _join_parts(sink: Sink, node: exp.Expr) -> None:
    """`YEAR(t) = 2026 AND MONTH(t) = 1` as the days of that month."""
    for source, parts in sink.parts.items():
        years = parts.get(YEAR)
        months = parts.get(MONTH, (1, 12))
        if years is None:
            continue
        if years[0] < years[1]:
            months = (1, 12)
        days = days_between(*years, *months)
        if days is not None:
            sink.fact(source, "range", low=Const(days[0]), high=Const(days[1]), node=node)
    sink.parts.clear()


def _one(node: exp.Expr, sink: Sink) -> None:
    """One conjunct."""
    scope = sink.scope
    if isinstance(node, exp.Or):
        _any(node, sink)
    elif isinstance(node, exp.Not):
        _not(node.this.unnest() if isinstance(node.this, exp.Paren) else node.this, sink)
    elif isinstance(node, _COMPARISONS):
        _compared(node, sink)
    elif isinstance(node, exp.In):
        _in(node, sink, False)
    elif isinstance(node, exp.Between):
        _between(node, sink)
    elif isinstance(node, (exp.Like, exp.ILike)):
        _like(node, sink, bool(node.args.get("negate")))
    elif isinstance(node, exp.Is):
        _is(node, sink, bool(node.args.get("negate")))
    elif isinstance(node, exp.Exists):
        _exists(node, sink)
    elif isinstance(node, exp.Column):
        shown = flow(node, scope)
        flag = _flag(shown, scope)
        if flag is not None:
            sink.fact(flag, "eq", (Const("true"),), node=node)
        else:
            sink.mention(node, shown)
    else:
        sink.mention(node, flow(node, scope))


def _any(node: exp.Expr, sink: Sink) -> None:
    """OR: what all its arms fix, and mentions for the rest."""
    arms: list[exp.Expr] = []
    for arm in _flat(node, exp.Or):
        answer = always(arm, sink.scope)
        if answer is True:
            return
        if answer is None:
            arms.append(arm)
    if len(arms) == 1:
        _all(arms[0], sink)
        return
    found: list[list[Fact]] = []
    for arm in arms:
        inner = Sink(sink.scope, False)
        _all(arm, inner)
        found.append(inner.facts)
    if not found:
        return
    _same_column(found, sink, node)
    _same_instance(found, sink, node)
    for facts in found:
        for fact in facts:
            if fact.op != "null":
                sink.facts.append(Fact(fact.source, "other", negated=fact.negated, span=fact.span))


def _same_column(found: list[list[Fact]], sink: Sink, node: exp.Expr) -> None:
    """`a=1 OR a=2` as `a IN (1, 2)`."""
    for fact in found[0]:
        if not fact.fixes:
            continue
        values: list[Const] = []
        for facts in found:
            same = [f for f in facts if f.fixes and f.source == fact.source]
            if not same:
                break
            values.extend(same[0].values)
        else:
            sink.fact(fact.source, "eq", tuple(values), node=node)


def _same_instance(found: list[list[Fact]], sink: Sink, node: exp.Expr) -> None:
    """Every arm pins the same rows, each by a key of its own: `brid='A' OR zyh='B'`."""
    for fact in found[0]:
        if not fact.fixes or fact.source.role not in _KEYS:
            continue
        values: list[Const] = []
        columns = {fact.source.column}
        for facts in found:
            pins = [
                f
                for f in facts
                if f.fixes and f.source.instance is fact.source.instance and f.source.role in _KEYS
            ]
            if not pins:
                break
            values.extend(pins[0].values)
            columns.add(pins[0].source.column)
        else:
            if len(columns) > 1:
                sink.fact(fact.source, "eq", tuple(values), node=node)


_FLAGS = frozenset({None, "item_class", "item_kind"})


def _flag(shown: Flow, scope: Scope) -> Source | None:
    """The column, when it may be taken for a yes or no. Where any number and any text is a truth, it
    tells no value, nor does it of a key, a department or a time."""
    if scope.walker.dialect in {"mysql", "sqlite"} or shown.exact is None:
        return None
    return shown.exact if shown.exact.role in _FLAGS else None


_COMPLEMENTS: dict[type[exp.Expr], type[exp.Expr]] = {
    exp.EQ: exp.NEQ,
    exp.NEQ: exp.EQ,
    exp.LT: exp.GTE,
    exp.LTE: exp.GT,
    exp.GT: exp.LTE,
    exp.GTE: exp.LT,
}


def _not(node: exp.Expr, sink: Sink) -> None:
    """NOT, moved inwards: NULL passes neither a comparison nor its complement."""
    scope = sink.scope
    if isinstance(node, exp.Or):
        for part in _flat(node, exp.Or):
            _not(part, sink)
    elif isinstance(node, exp.And):
        arms = [exp.Not(this=part) for part in _flat(node, exp.And)]
        _any(exp.or_(*arms, copy=False, wrap=False), sink)
    elif isinstance(node, exp.Not):
        _all(node.this, sink)
    elif isinstance(node, exp.Is):
        _is(node, sink, not node.args.get("negate"))
    elif isinstance(node, exp.In):
        _in(node, sink, True)
    elif isinstance(node, (exp.Like, exp.ILike)):
        _like(node, sink, not node.args.get("negate"))
    elif type(node) in _COMPLEMENTS and isinstance(node, exp.Binary):
        kind = _COMPLEMENTS[type(node)]
        if isinstance(node.left, exp.Tuple) or isinstance(node.right, (exp.Any, exp.All)):
            sink.mention(node, flow(node, scope))
        else:
            _compared(kind(this=node.left, expression=node.right), sink)
    elif isinstance(node, exp.Exists):
        sink.show(presence(node.this, scope))
    elif isinstance(node, exp.Column):
        shown = flow(node, scope)
        flag = _flag(shown, scope)
        if flag is not None:
            sink.fact(flag, "eq", (Const("false"),), node=node)
        else:
            sink.mention(node, shown)
    else:
        sink.mention(node, flow(node, scope))


def _compared(node: exp.Expr, sink: Sink) -> None:
    _scope, reading, own = sink.scope, sink.scope.walker.reading, sink.scope.own
    left, right = node.this, node.args["expression"]
    kind: type[exp.Expr] = type(node)
    if isinstance(left, exp.Tuple) and isinstance(right, exp.Tuple) and kind is exp.EQ:
        for one, other in zip(left.expressions, right.expressions, strict=False):
            _compared(exp.EQ(this=one, expression=other), sink)
        return
    if isinstance(right, exp.Any) and kind is exp.EQ:
        _any_of(left, right.this, sink, node)
        return
    if _is_no_value(left) or _is_no_value(right):
        # `= ALL (…)` of nothing is true of every row, and MySQL reads `key = 'x' IN (0)` from the
        # left: no side is a value.
        sides = [
            flow(exp.Tuple(expressions=side.unnest().expressions), _scope)
            if isinstance(side.unnest(), exp.Anonymous) and _is_no_value(side)
            else flow(side, _scope)
            for side in (left, right)
        ]
        sink.mention(node, sides[0] | sides[1])
        return
    value = fold(right, reading, own)
    subject = left
    if value is None:
        value, subject = fold(left, reading, own), right
        if value is not None:
            kind = _FLIPPED.get(kind, kind)
    if value is None:
        _columns(left, right, kind, sink, node)
        return
    if kind is exp.EQ:
        branch = _branch(subject, value, sink)
        if branch is not None:
            _all(branch, sink)
            return
    looked_up = _looked_up(subject, kind, right if subject is left else left, sink)
    if looked_up is not None:
        _exists(looked_up, sink)
        return
    _against(subject, kind, value, sink, node)


def _branch(node: exp.Expr, value: Const, sink: Sink) -> exp.Expr | None:
    """`CASE WHEN a THEN 1 ELSE 0 END = 1` as a: what rows pass when the constant comes from WHEN. None
    when it does not, or may come from ELSE too, where a that is NULL passes as well."""
    bare = node.unnest()
    if isinstance(bare, exp.If):
        ifs, subject, default = [bare], None, bare.args.get("false")
    elif isinstance(bare, exp.Case):
        ifs, subject, default = bare.args["ifs"], bare.this, bare.args.get("default")
    else:
        return None
    passing: list[exp.Expr] = []
    for part in (*ifs, None):
        result = part.args["true"] if part is not None else default
        if result is None or isinstance(result.unnest(), exp.Null):
            continue
        const = fold(result, sink.scope.walker.reading, sink.scope.own)
        if const is None or const.text is None or value.text is None:
            return None
        sink.scope.walker.reading.bind(const)
        sink.scope.walker.reading.bind(value)
        same = equal(const.text, value.text)
        if same is None or (same and part is None):
            return None
        if same and part is not None:
            asked = part.this
            passing.append(asked if subject is None else exp.EQ(this=subject, expression=asked))
    return exp.or_(*passing, copy=False) if passing else None


_OF_ONE_ROW = ("group", "having", "distinct", "limit", "offset", "windows", "qualify", "connect")


def _looked_up(
    subject: exp.Expr, kind: type[exp.Expr], given: exp.Expr, sink: Sink
) -> exp.Exists | None:
    """`(SELECT flag FROM d WHERE d.code = s.code) = 'x'` as EXISTS (… AND flag = 'x'): no row, and a
    flag that is NULL, pass neither. None for a sub-select that gives more than a row's column."""
    query = subject.unnest()
    if kind is exp.NullSafeEQ or not sink.joins or not isinstance(query, exp.Select):
        return None
    shown = query.selects[0].unalias() if len(query.selects) == 1 else None
    if not isinstance(shown, exp.Column) or isinstance(shown.this, exp.Star):
        return None
    if any(query.args.get(key) is not None for key in _OF_ONE_ROW):
        return None
    asked = kind(this=shown.copy(), expression=given.copy())
    return exp.Exists(this=query.where(asked))


def _against(
    subject: exp.Expr, kind: type[exp.Expr], value: Const, sink: Sink, node: exp.Expr
) -> None:
    """`subject op constant`."""
    scope = sink.scope
    given = node.this if subject is node.args["expression"] else node.args["expression"]
    if kind is exp.EQ:
        subject = _without_default(subject, value, scope)
    apart = isinstance(subject, (exp.DateDiff, exp.Sub)) and kind is exp.EQ
    if apart and _days_apart(subject, value, sink):
        return
    inner = _time_cut(subject, scope)
    if inner is None:
        _in_period(subject, kind, [value], sink, node)
    shown = flow(inner if inner is not None else subject, scope)
    if shown.measured or shown.exact is None:
        sink.mention(node, shown)
        return
    source = shown.exact
    if kind in {exp.EQ, exp.NullSafeEQ}:
        if _is_any_text(source, [value], [given], sink):
            sink.mention(node, shown)
            return
        sink.fact(source, "eq" if inner is None else "day", (value,), node=node)
    elif kind is exp.NEQ:
        sink.fact(source, "eq", (value,), negated=True, node=node)
    elif kind in {exp.GT, exp.GTE}:
        sink.fact(source, "range", low=value, node=node)
    else:
        before = kind is exp.LT and (inner is None or _starts_day(value, scope))
        sink.fact(source, "range", high=value, high_open=before, node=node)


def _without_default(subject: exp.Expr, value: Const, scope: Scope) -> exp.Expr:
    """The column of `ISNULL(column, '') = 'x'`, which no row without a value passes."""
    if not isinstance(subject, exp.Coalesce) or len(subject.expressions) != 1:
        return subject
    reading = scope.walker.reading
    default = fold(subject.expressions[0], reading, scope.own)
    if default is None or default.null:
        return subject
    if value.text is not None and default.text is not None:
        answer = passes("apart", (value.text, default.text))
        return subject.this if reading.condition("apart", (value, default), answer) else subject
    # A bound value that is not known is a key's, as in `key = ?`.
    return subject.this if value.binds and default.text is not None else subject


_LOWS = frozenset({exp.EQ, exp.NullSafeEQ, exp.GTE, exp.In, exp.Between})
_HIGHS = frozenset({exp.EQ, exp.NullSafeEQ, exp.LTE, exp.In, exp.Between})


def _in_period(
    subject: exp.Expr, kind: type[exp.Expr], values: list[Const], sink: Sink, node: exp.Expr
) -> None:
    """A time's month or year compared with known ones: the days that this selects."""
    if kind not in _LOWS | _HIGHS or any(value.text is None for value in values):
        return
    reading = sink.scope.walker.reading
    part = part_of(subject)
    if part is not None and kind in {exp.EQ, exp.In, exp.Between}:
        source = _time(part[0], sink)
        texts = [value.text or "" for value in values]
        numbers = [int(text) for text in texts if text.isdigit()]
        if source is not None and len(numbers) == len(values):
            for value in values:
                reading.bind(value)
            sink.parts.setdefault(source, {})[part[1]] = (min(numbers), max(numbers))
        return
    cut = cut_of(subject)
    source = _time(cut[0], sink) if cut is not None else None
    if cut is None or source is None:
        return
    days = [days_of(value.text, cut[1]) for value in values]
    known = [day for day in days if day is not None]
    if len(known) < len(values):
        return
    for value in values:
        reading.bind(value)
    low = Const(min(day[0] for day in known)) if kind in _LOWS else None
    high = Const(max(day[1] for day in known)) if kind in _HIGHS else None
    sink.fact(source, "range", low=low, high=high, node=node)


def _time(node: exp.Expr, sink: Sink) -> Source | None:
    """The column that an expression is, when it is a time's."""
    if not isinstance(node, exp.Column):
        return None
    source = sink.scope.column(node).exact
    return source if source is not None and source.role == "time" else None


def _starts_day(value: Const, scope: Scope) -> bool:
    """Whether a bound is where a day begins: then the days before it are whole."""
    if value.clock is not None:
        return value.whole
    reading = scope.walker.reading
    return reading.condition("midnight", (value,), is_midnight(value.text))


def _time_cut(node: exp.Expr, scope: Scope) -> exp.Expr | None:
    """The time column that an expression cuts to its day; None when it is none."""
    inner = day_of(node)
    if not isinstance(inner, exp.Column):
        return None
    source = scope.column(inner).exact
    return inner if source is not None and source.role == "time" else None


def _moment(node: exp.Expr) -> exp.Expr:
    while isinstance(node, (exp.TimeStrToTime, exp.TsOrDsToTimestamp, exp.TsOrDsToDate)):
        node = node.this
    return node


def _days_apart(node: exp.Expr, value: Const, sink: Sink) -> bool:
    """`DATEDIFF(day, t, x) = 3`, `TRUNC(x) - TRUNC(t) = 3`: t falls on the third day before x's."""
    unit = node.args.get("unit")
    if unit is not None and unit.name.upper() not in DAY_UNITS:
        return False
    sides = [_moment(node.this), _moment(node.expression)]
    if isinstance(node, exp.Sub):
        cuts = [side if isinstance(side, exp.CurrentDate) else day_of(side) for side in sides]
        if cuts[0] is None or cuts[1] is None:
            return False
        sides = [cut for cut in cuts if cut is not None]
    for one, other in (sides, sides[::-1]):
        day = fold(other, sink.scope.walker.reading, sink.scope.own)
        if day is None or not isinstance(one, exp.Column):
            continue
        source = flow(one, sink.scope).exact
        if source is not None and source.role == "time":
            reading = sink.scope.walker.reading
            reading.bind(value)
            days = number(value.text, 1.0 if one is sides[0] else -1.0)
            sink.fact(source, "day", (_days_later(day, days, reading),), node=node)
            return True
    return False


def _days_later(day: Const, days: float | None, reading: Reading) -> Const:
    """The day some days after a known one's; what it is stays open when the number is not known."""
    if days == 0 or days is None:
        return day if days == 0 else Const()
    if day.clock is not None:
        return Const(clock=day.clock + days, whole=day.whole, cut=day.cut)
    reading.bind(day)
    return Const(moved(day.text, days, "DAY"))


def _columns(
    left: exp.Expr, right: exp.Expr, kind: type[exp.Expr], sink: Sink, node: exp.Expr
) -> None:
    """A comparison of two expressions that both read columns or sub-selects."""
    scope = sink.scope
    if kind is exp.EQ and isinstance(right, exp.Subquery):
        _chosen(left, right, sink, node)
        return
    if kind is exp.EQ and isinstance(left, exp.Subquery):
        _chosen(right, left, sink, node)
        return
    one, other = flow(left, scope), flow(right, scope)
    if kind is exp.EQ and one.exact is not None and other.exact is not None:
        if one.exact != other.exact:
            own = set(scope.draft.instances)
            a, b = one.exact, other.exact
            if a.instance in own and b.instance not in own:
                a, b = b, a
            sink.edges.append(Edge(a, b))
            if (a.instance.table is None) is not (b.instance.table is None):
                # Rows that the sender brought along: VALUES, JSON, a SELECT of constants.
                sink.fact(a if b.instance.table is None else b, "given", node=node)
        return
    for given, source, side in ((other, one.exact, right), (one, other.exact, left)):
        if kind is exp.EQ and source is not None and not given.sources() and not given.measured:
            if varies(side):
                sink.fact(source, "given", node=node)
            else:
                # A call that reads nothing: one value, that is not known.
                sink.fact(source, "eq", (Const(),), node=node)
            return
    both = one | other
    if both.measured or both.packed:
        sink.mention(node, both)


def _in(node: exp.In, sink: Sink, negated: bool) -> None:
    scope, reading, own = sink.scope, sink.scope.walker.reading, sink.scope.own
    query = node.args.get("query")
    if query is not None:
        if negated or not sink.joins:
            shown = flow(node.this, scope) if not isinstance(node.this, exp.Tuple) else NOTHING
            for source in shown.raw:
                sink.fact(source, "other", negated=negated, node=node)
            sink.show(presence(query, scope))
        else:
            _chosen(node.this, query, sink, node)
        return
    unnested = node.args.get("unnest")
    if unnested is not None:
        sink.mention(node, flow(node.this, scope) | flow(unnested, scope))
        return
    if isinstance(node.this, exp.Tuple) and not negated:
        _tuples(node, sink)
        return
    values = [fold(item, reading, own) for item in node.expressions]
    shown = flow(node.this, scope)
    constants = tuple(value for value in values if value is not None)
    inner = _time_cut(node.this, scope)
    if inner is None and len(constants) == len(values) and constants and not negated:
        _in_period(node.this, exp.In, list(constants), sink, node)
    if inner is not None and len(constants) == len(values) and not negated:
        cut = flow(inner, scope)
        if cut.exact is not None:
            sink.fact(cut.exact, "day" if len(values) == 1 else "other", constants, node=node)
            return
    if len(constants) < len(values) or shown.exact is None or shown.measured:
        for item in node.expressions:
            shown = shown | flow(item, scope)
        sink.mention(node, shown)
        return
    if not negated and _is_any_text(shown.exact, list(constants), node.expressions, sink):
        sink.mention(node, shown)
        return
    sink.fact(shown.exact, "eq", constants, negated=negated, node=node)


# What gives a text, or the value of something that is not known, when its operands do.
_TEXTUAL = (
    *(exp.Concat, exp.ConcatWs, exp.DPipe, exp.Substring, exp.Left, exp.Right, exp.Upper),
    *(exp.Lower, exp.Trim, exp.Pad, exp.Replace, exp.Placeholder, exp.Parameter),
    *(exp.SessionParameter, exp.National, exp.Column, exp.BitString, exp.HexString),
    exp.Introducer,
)
# Functions that give the number of a row.
_NUMBERS_OF_ROWS = frozenset({"last_insert_id"})


def _may_be_zero(node: exp.Expr, value: Const) -> bool:
    """Whether MySQL may take a value, which is not written as a 0, for the number 0."""
    bare = node.unnest()
    while isinstance(bare, exp.Subquery) and isinstance(bare.this, exp.Select):
        bare = bare.this.expressions[0].unalias().unnest()
    while isinstance(bare, exp.Collate):
        bare = bare.this
    if isinstance(bare, (exp.Cast, exp.TryCast)) and bare.to.this not in exp.DataType.TEXT_TYPES:
        known = value.text is not None
        return number(value.text) is None if known else not value.binds
    if value.text is not None or isinstance(bare, _TEXTUAL):
        return False
    if isinstance(bare, exp.Coalesce):
        return any(_may_be_zero(part, value) for part in (bare.this, *bare.expressions))
    if isinstance(bare, exp.Anonymous) and bare.name.lower() in _NUMBERS_OF_ROWS:
        return False
    return not (isinstance(bare, exp.Literal) and bare.is_string)


def _is_any_text(source: Source, values: list[Const], nodes: list[exp.Expr], sink: Sink) -> bool:
    """MySQL's `key = 0`: to the number 0 every text that begins with no digit is equal. No key is a
    truth either, which many servers take for a number."""
    written = [node.unnest() for node in nodes]
    if source.role not in _FLAGS and any(isinstance(node, exp.Boolean) for node in written):
        return True
    if sink.scope.walker.dialect != "mysql" or source.role not in _KEYS:
        return False
    found = False
    for value, node in zip(values, written, strict=True):
        if isinstance(node, exp.Literal) and node.is_string:
            continue
        if _may_be_zero(node, value):
            sink.scope.walker.reading.bind(value)
            found = True
        if value.text is None:
            continue
        zero = passes("zero", (value.text,))
        found = sink.scope.walker.reading.condition("zero", (value,), zero) or found
    return found


def _tuples(node: exp.In, sink: Sink) -> None:
    """`(a, b) IN ((1, 2), (3, 4))`: each column by itself."""
    scope, reading, own = sink.scope, sink.scope.walker.reading, sink.scope.own
    for at, part in enumerate(node.this.expressions):
        shown = flow(part, scope)
        values: list[Const] = []
        for row in node.expressions:
            cell = (
                row.expressions[at]
                if isinstance(row, exp.Tuple) and at < len(row.expressions)
                else None
            )
            value = fold(cell, reading, own) if cell is not None else None
            if value is None:
                shown = shown | (flow(cell, scope) if cell is not None else NOTHING)
                break
            values.append(value)
        else:
            if shown.exact is not None:
                sink.fact(shown.exact, "eq", tuple(values), node=node)
                continue
        sink.mention(node, shown)


def _any_of(left: exp.Expr, right: exp.Expr, sink: Sink, node: exp.Expr) -> None:
    """`x = ANY(array or sub-select)`."""
    scope, reading = sink.scope, sink.scope.walker.reading
    inner = right.unnest() if isinstance(right, exp.Paren) else right
    if isinstance(inner, (exp.Subquery, exp.Query)):
        if sink.joins:
            _chosen(left, inner, sink, node)
        else:
            sink.show(presence(inner, scope))
            sink.mention(node, flow(left, scope))
        return
    value = fold(inner, reading, scope.own)
    shown = flow(left, scope)
    if value is None or shown.exact is None or shown.measured:
        sink.mention(node, shown | flow(inner, scope))
        return
    items = value.items
    if items is None:
        texts = array_items(value.text)
        few = texts is not None and len(texts) <= MAX_PINS
        if value.binds:
            reading.condition("few", (value,), few)
        else:
            reading.bind(value)
        if not few or texts is None:
            sink.fact(shown.exact, "chosen", (value,), node=node)
            return
        items = tuple(Const(text, binds=value.binds) for text in texts)
    sink.fact(shown.exact, "eq", items, node=node)


def _between(node: exp.Between, sink: Sink) -> None:
    scope, reading, own = sink.scope, sink.scope.walker.reading, sink.scope.own
    low = fold(node.args["low"], reading, own)
    high = fold(node.args["high"], reading, own)
    inner = _time_cut(node.this, scope)
    if inner is None and low is not None and high is not None:
        _in_period(node.this, exp.Between, [low, high], sink, node)
    shown = flow(inner if inner is not None else node.this, scope)
    if shown.exact is None or shown.measured:
        sink.mention(node, shown)
        return
    if low is None or high is None:
        bounds = flow(node.args["low"], scope) | flow(node.args["high"], scope)
        sink.mention(node, shown | bounds)
        return
    sink.fact(shown.exact, "range", low=low, high=high, node=node)


def _like(node: exp.Expr, sink: Sink, negated: bool) -> None:
    scope, reading = sink.scope, sink.scope.walker.reading
    value = fold(node.args["expression"], reading, scope.own)
    shown = flow(node.this, scope)
    if value is None:
        sink.mention(node, shown | flow(node.args["expression"], scope))
        return
    if shown.exact is None or shown.measured:
        sink.mention(node, shown)
        return
    source = shown.exact
    if source.role == "time" and not negated:
        today = _head(node.args["expression"], scope)
        if today is not None:
            sink.fact(source, "day", (today,), node=node)
            return
        reading.bind(value)
        text = (value.text or "").rstrip("%")
        whole = moment(text[:10]) if len(text) >= 8 else None
        if whole is not None and "_" not in text:
            sink.fact(source, "day", (value,), node=node)
            return
        unit = _LIKE_UNITS.get(len(text.rstrip("-/")))
        days = days_of(text, unit) if unit is not None and "_" not in text else None
        if days is not None:
            sink.fact(source, "range", low=Const(days[0]), high=Const(days[1]), node=node)
    sink.fact(source, "like", (value,), negated=negated, node=node)


_LIKE_UNITS = {7: MONTH, 4: YEAR}


def _head(pattern: exp.Expr, scope: Scope) -> Const | None:
    """The day of `LIKE CURDATE() || '%'`."""
    if isinstance(pattern, exp.Concat):
        parts = pattern.expressions
    else:
        parts = [pattern.this, pattern.expression] if isinstance(pattern, exp.DPipe) else []
    if len(parts) != 2 or not isinstance(parts[1], exp.Literal) or parts[1].name != "%":
        return None
    day = fold(parts[0], scope.walker.reading, scope.own)
    return day if day is not None and day.clock is not None and day.whole else None


def _is(node: exp.Expr, sink: Sink, negated: bool) -> None:
    shown = flow(node.this, sink.scope)
    if isinstance(node.args["expression"], exp.Null):
        if shown.measured:
            sink.show(shown.comparison())
        if shown.exact is not None:
            sink.fact(shown.exact, "null", negated=negated, node=node)
            return
        # `NULLIF(item, 'X') IS NULL`, `JSON_SEARCH(items, …) IS NOT NULL` pick by the column.
        for source in shown.raw | shown.tested:
            sink.fact(source, "other", node=node)
        return
    flag = _flag(shown, sink.scope)
    if isinstance(node.args["expression"], exp.Boolean) and flag is not None:
        truth = bool(node.args["expression"].this) is not negated
        sink.fact(flag, "eq", (Const("true" if truth else "false"),), node=node)
        return
    sink.mention(node, shown)


def _exists(node: exp.Exists, sink: Sink) -> None:
    scope = sink.scope
    if not sink.joins:
        sink.show(presence(node.this, scope))
        return
    blocks = scope.walker.query(node.this, scope.inside())
    if len(blocks) == 1:
        _join(blocks[0], sink)
    else:
        for block in blocks:
            scope.draft.absorb(block, SOFT)
            sink.show(Flow(counted=frozenset(block.instances)))


def _chosen(subject: exp.Expr, query: exp.Expr, sink: Sink, node: exp.Expr) -> None:
    """`subject IN (SELECT …)`, `subject = (SELECT …)`."""
    scope = sink.scope
    parts = subject.expressions if isinstance(subject, exp.Tuple) else [subject]
    shown = [flow(part, scope) for part in parts]
    blocks = scope.walker.query(query, scope.inside())
    for part in shown:
        if part.measured:
            sink.show(part.comparison())
        if part.exact is not None:
            sink.fact(part.exact, "chosen", node=node)
        else:
            sink.mention(node, part)
    if not sink.joins or len(blocks) != 1:
        pinned = [scope.walker.pinned_member(block) for block in blocks]
        for block in blocks:
            scope.draft.absorb(block, SOFT)
            sink.show(block.shown.measures_only())
        if sink.joins and blocks and all(pinned) and shown[0].exact is not None:
            sink.fact(shown[0].exact, "eq", (Const(),), node=node)
        return
    block = blocks[0]
    pairs = list(zip(shown, block.columns, strict=False))
    if block.always and any(
        part.exact is not None
        and column.member is not None
        and column.member.instance in block.instances
        for part, (_name, column) in pairs
    ):
        # MIN or MAX of no rows is NULL, which equals nothing: so its predicates decide after all.
        block.always = False
    _join(block, sink)
    for part, (_name, column) in pairs:
        measures = frozenset(s for s in column.raw if s.role in MEASURE_ROLES)
        if column.measured or measures:
            # Being equal to a figure tells it.
            sink.show(column.comparison() | Flow(summed=measures))
        if part.exact is None or column.member is None:
            continue
        # Of sums only those of this key's own rows decide.
        own_rows = not block.added or column.exact in block.grouped
        whole = column.exact is not None and own_rows and block.windowed is None
        groups: frozenset[int] = frozenset() if whole else frozenset({SOFT})
        sink.edges.append(Edge(column.member, part.exact, groups))


def _join(block: Block, sink: Sink) -> None:
    """Merge a semi-join's block: its predicates decide which rows come, its rows do not come."""
    sink.scope.draft.absorb(block)
    sink.show(block.shown.measures_only())
