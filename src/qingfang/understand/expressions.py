"""What an expression shows of its sources.

Rules this module keeps:

1. Whatever is not known to hide a source shows it: a function of a column shows the column.
2. Sums, counts and ranks show the measure they are made of; what stands in a condition inside
   them (CASE, FILTER) is shown as tested; what is merely counted is not shown.
3. Packers (STRING_AGG, JSON, XML) hand rows on; MIN and MAX hand identities on.
4. A function that is not known is reported (`unknown_function`), and still shows its arguments.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlglot import exp

from qingfang.understand.builtin import (
    AGGREGATES,
    COUNTS,
    METHODS,
    PACKERS,
    PASSING,
    REMOTE,
)
from qingfang.understand.catalogue import MEASURE_ROLES
from qingfang.understand.flows import NOTHING, SOFT, Flow, Source, Sources, union

if TYPE_CHECKING:
    from qingfang.understand.scope import Scope

_COUNTS = (exp.Count, exp.CountIf, exp.ApproxDistinct)
_PACKERS = (
    *(exp.ArrayAgg, exp.ArrayUniqueAgg, exp.ArrayConcatAgg, exp.GroupConcat, exp.JSONArrayAgg),
    *(exp.JSONObjectAgg, exp.JSONBObjectAgg, exp.ObjectAgg),
)
_PASSING = (
    *(exp.Max, exp.Min, exp.AnyValue, exp.First, exp.Last, exp.FirstValue, exp.LastValue),
    *(exp.NthValue, exp.Lag, exp.Lead, exp.ArgMax, exp.ArgMin, exp.Mode),
)
_RANKS = (*(exp.Rank, exp.DenseRank, exp.PercentRank, exp.CumeDist, exp.Ntile, exp.RowNumber),)
# Casts that keep the value: two different keys stay different. CHAR without a length is one
# character in PostgreSQL.
_SAFE_CASTS = frozenset(
    {
        *("TEXT", "VARCHAR", "NVARCHAR", "BIGINT", "INT", "DECIMAL", "UUID"),
        *("BIGDECIMAL", "NAME", "TIMESTAMP", "TIMESTAMPTZ", "DATETIME", "DATETIME2", "INT128"),
    }
)
_TEXTS = frozenset({"TEXT", "VARCHAR", "NVARCHAR", "CHAR", "NCHAR", "BPCHAR", "NAME"})
_LEAVES = (
    *(exp.Literal, exp.Null, exp.Boolean, exp.Placeholder, exp.Parameter, exp.DataType, exp.Var),
    *(exp.SessionParameter, exp.Identifier, exp.HexString, exp.RawString, exp.ByteString),
)


def flow(node: exp.Expr, scope: Scope) -> Flow:
    """What `node` shows; sub-selects in it are merged into the scope's block."""
    scope.walker.spend()
    if isinstance(node, exp.Column):
        return scope.column(node)
    if isinstance(node, _LEAVES):
        return NOTHING
    if isinstance(node, (exp.Alias, exp.Paren, exp.Collate)):
        return flow(node.this, scope)
    if isinstance(node, (exp.Cast, exp.TryCast)):
        return _cast(node, scope)
    if isinstance(node, (exp.Trim, exp.Upper, exp.Lower)) and node.args.get("expression") is None:
        return flow(node.this, scope)
    if isinstance(node, exp.Star):
        return scope.star()
    if isinstance(node, (exp.Subquery, exp.Query)):
        return scalar(node, scope)
    if isinstance(node, exp.Exists):
        return presence(node.this, scope)
    if isinstance(node, exp.Window):
        return _window(node, scope)
    if isinstance(node, exp.Filter):
        condition = node.expression.this if isinstance(node.expression, exp.Where) else node
        return _aggregate(node.this, scope, flow(condition, scope).comparison())
    if isinstance(node, exp.WithinGroup):
        order = union(flow(part, scope) for part in _ordered(node.expression))
        return _aggregate(node.this, scope, NOTHING, order)
    if isinstance(node, exp.AggFunc) or _name(node) in AGGREGATES | PACKERS | PASSING | COUNTS:
        return _aggregate(node, scope, NOTHING)
    if isinstance(node, exp.Case):
        return _case(node, scope)
    if isinstance(node, exp.If):
        return flow(node.this, scope).comparison() | _children(node, scope, skip="this")
    if isinstance(node, (exp.Predicate, exp.Connector, exp.Not)):
        return _restriction(node, scope) or _children(node, scope).comparison()
    if isinstance(node, exp.Dot):
        return _dot(node, scope)
    if isinstance(node, exp.NextValueFor):
        return NOTHING
    if isinstance(node, exp.Anonymous):
        return function(node, _name(node), scope)
    if isinstance(node, exp.Func) and scope.walker.catalogue.procedure(node.sql_name()):
        return function(node, node.sql_name().lower(), scope)
    return _children(node, scope)


def _name(node: exp.Expr) -> str:
    return node.name.lower() if isinstance(node, (exp.Anonymous, exp.AnonymousAggFunc)) else ""


def _children(node: exp.Expr, scope: Scope, skip: str = "") -> Flow:
    """The parts together. Long chains of operators are left-deep trees: walked down, not in."""
    total = NOTHING
    while isinstance(node, exp.Binary) and not isinstance(node, (exp.Dot, exp.Func)) and not skip:
        right, left = node.args.get("expression"), node.args.get("this")
        if not isinstance(right, exp.Expr) or not isinstance(left, exp.Expr):
            break  # a text cut short can leave an operator with one side
        total = total | flow(right, scope)
        if type(left) is not type(node):
            return (total | flow(left, scope)).derived()
        node = left
    for key, value in node.args.items():
        if key == skip:
            continue
        for part in value if isinstance(value, list) else (value,):
            if isinstance(part, exp.Expr):
                total = total | flow(part, scope)
    return total.derived()


def _restriction(node: exp.Expr, scope: Scope) -> Flow | None:
    """A test that is the catalogue's own `usage_when`: it tells use from the rest, and no item."""
    if not isinstance(node.this, exp.Column) or not isinstance(node, (exp.EQ, exp.Like, exp.In)):
        return None
    shown = scope.column(node.this)
    source = shown.exact
    if source is None or source.instance.table is None:
        return None
    if not tells_use(node, source.column, source.instance.table.usage_when):
        return None
    return Flow(tested=frozenset({Source(source.instance, source.column, None, scope.span(node))}))


def tells_use(node: exp.Expr, column: str, usage_when: exp.Expr | None) -> bool:
    """Whether a test on `column` is one of those that `usage_when` is made of."""
    if usage_when is None:
        return False
    wanted = sorted(str(value.this) for value in node.find_all(exp.Literal))
    return any(
        type(atom) is type(node)
        and isinstance(atom.this, exp.Column)
        and atom.this.name.lower() == column
        and sorted(str(value.this) for value in atom.find_all(exp.Literal)) == wanted
        for atom in usage_when.find_all(exp.EQ, exp.Like, exp.In)
    )


def _cast(node: exp.Expr, scope: Scope) -> Flow:
    inner = flow(node.this, scope)
    target = node.args.get("to")
    # The parser keeps `regclass` and its like as plain words.
    named = target.this if isinstance(target, exp.DataType) else None
    kind = named.name if isinstance(named, exp.DType) else ""
    if (
        kind not in _TEXTS
        and node.this.find(exp.Query, exp.DPipe, exp.Concat, exp.Anonymous) is not None
    ):
        # A text that is no number is quoted in the error, wherever the cast stands.
        scope.draft.shown = scope.draft.shown | inner
    safe = kind in _SAFE_CASTS or (kind == "CHAR" and scope.walker.dialect == "mysql")
    if safe and isinstance(target, exp.DataType) and not target.expressions:
        return inner
    return inner.derived()


def _case(node: exp.Case, scope: Scope) -> Flow:
    total = NOTHING
    if node.this is not None:
        total = total | flow(node.this, scope).comparison()
    for branch in node.args.get("ifs") or []:
        total = total | flow(branch.this, scope).comparison()
        total = total | flow(branch.args["true"], scope)
    if node.args.get("default") is not None:
        total = total | flow(node.args["default"], scope)
    return total.derived()


def _dot(node: exp.Dot, scope: Scope) -> Flow:
    """`schema.f(x)`, a field of a row value, or a method of a value: `x.value('…')`."""
    inner = node.expression
    value = node.this
    if not isinstance(value, exp.Expr):
        return flow(inner, scope)  # `.f(x)`: the parser takes it
    if any(dot.this is None or dot.expression is None for dot in value.find_all(exp.Dot)):
        # `a...f(x)`: a part of the name is not there.
        scope.walker.problem("unparsed", "", node, scope)
        return NOTHING
    if isinstance(inner, exp.Func) and (inner.name or inner.sql_name()).lower() in METHODS:
        names = list(value.flatten()) if isinstance(value, exp.Dot) else [value]
        if not all(isinstance(name, exp.Identifier) for name in names):
            return (flow(value, scope) | _children(inner, scope)).derived()
        column = exp.Column(this=names[-1].copy())
        if len(names) > 1:
            column.set("table", names[-2].copy())
        # `dbo.value(x)` is somebody's function: a column must be seen to have a method.
        if scope.sees(column):
            return (scope.column(column) | _children(inner, scope)).derived()
    if isinstance(inner, exp.Anonymous):
        return function(inner, f"{node.this.name}.{inner.name}".lower(), scope)
    if isinstance(inner, exp.Func):
        return flow(inner, scope)
    return flow(node.this, scope).derived()


def scalar(node: exp.Expr, scope: Scope) -> Flow:
    """A sub-select whose value is used."""
    total = NOTHING
    for block in scope.walker.query(node, scope.inside()):
        scope.draft.absorb(block, SOFT)
        scope.draft.shown = scope.draft.shown | block.shown.measures_only()
        scope.draft.once_for |= block.once_for
        total = total | block.output()
    return total.derived()


def presence(node: exp.Expr, scope: Scope) -> Flow:
    """EXISTS, or IN of a sub-select, somewhere it does not decide which rows come: it tells
    whether there are rows."""
    total = NOTHING
    for block in scope.walker.query(node, scope.inside()):
        scope.draft.absorb(block, SOFT)
        total = total | Flow(counted=frozenset(block.instances)) | block.shown.comparison()
    return total


# Functions that are given an XQuery, and its ways to tables and stored documents.
_XQUERIES = frozenset({"xmlexists", "xmlquery", "existsnode", "extract", "extractvalue"})
_READS_STORED = re.compile(r"\b(?:collection|doc|view)\s*\(|oradb:|ora:", re.IGNORECASE)


def reads_stored(query: str) -> bool:
    """Whether an XQuery reads a table or a stored document."""
    return _READS_STORED.search(query) is not None


def function(node: exp.Expr, name: str, scope: Scope) -> Flow:
    """A call of a function the parser does not know."""
    walker = scope.walker
    arguments = union(flow(part, scope) for part in node.expressions)
    if walker.has_body(name):
        return arguments.derived() | walker.body_flow(name, node, scope)
    last = name.rsplit(".", maxsplit=1)[-1]
    if last in _XQUERIES and any(reads_stored(t.name) for t in node.find_all(exp.Literal)):
        walker.problem("remote_sql", name, node, scope)
    if last in REMOTE:
        return arguments.derived() | walker.remote_flow(node, scope)
    if not walker.is_builtin(name) and id(node) not in walker.scheduled:
        walker.problem("unknown_function", name, node, scope)
    return arguments.derived()


# ------------------------------------------------------------------ sums, counts, ranks


def _aggregate(node: exp.Expr, scope: Scope, condition: Flow, order: Flow = NOTHING) -> Flow:
    """One aggregate over the rows of the scope's block."""
    span = scope.span(node)
    inner = node.this if isinstance(node, (exp.AggFunc, exp.Distinct)) else None
    if isinstance(node, (exp.Anonymous, exp.AnonymousAggFunc)):
        arguments = list(node.expressions)
    else:
        arguments = [part for part in node.iter_expressions() if isinstance(part, exp.Expr)]
    plain = [part.this if isinstance(part, exp.Ordered) else part for part in arguments]
    rows = scope.draft.rows
    if isinstance(node, _COUNTS) or _name(node) in COUNTS:
        shown = union(_counted(part, scope) for part in plain)
        return Flow(
            frozenset(),
            _at(shown.summed, scope, node),
            shown.tested | condition.tested,
            rows | shown.counted,
        )
    total = union(flow(part, scope) for part in plain) | order
    if isinstance(node, _PACKERS) or _name(node) in PACKERS:
        return Flow(
            total.raw, total.summed, total.tested | condition.tested, total.counted, packed=True
        )
    measures = frozenset(s for s in total.raw if s.role in MEASURE_ROLES)
    identities = total.raw - measures
    summed = frozenset(s.at(span) for s in measures | total.summed)
    if isinstance(node, _PASSING) or _name(node) in PASSING:
        member = None
        if isinstance(node, (exp.Max, exp.Min, exp.AnyValue)) and inner is not None:
            member = flow(inner, scope).member
        return Flow(
            identities,
            summed,
            total.tested | condition.tested,
            total.counted,
            member=member if member in identities else None,
        )
    tested = total.tested | condition.tested | frozenset(s for s in identities if s.role)
    # A sum of constants is a count, and so is a sum of CASE … THEN 1.
    counted = total.counted if summed else total.counted | rows
    return Flow(frozenset(), summed, tested, counted)


def _at(sources: Sources, scope: Scope, node: exp.Expr) -> Sources:
    span = scope.span(node)
    return frozenset(source.at(span) for source in sources)


def _counted(node: exp.Expr, scope: Scope) -> Flow:
    """What COUNT(node) shows: a bare column is not shown, a condition or a computed value is."""
    if isinstance(node, exp.Star):
        return NOTHING
    if isinstance(node, exp.Distinct):
        return union(_counted(part, scope) for part in node.expressions)
    inner = flow(node, scope)
    if isinstance(node, (exp.Column, exp.Cast, exp.Tuple)):
        return Flow(frozenset(), inner.summed, inner.tested, inner.counted)
    return inner.comparison()


def _ordered(node: exp.Expr | None) -> list[exp.Expr]:
    if node is None:
        return []
    return [part.this if isinstance(part, exp.Ordered) else part for part in node.expressions]


def _window(node: exp.Window, scope: Scope) -> Flow:
    """A window function: the partition is a grouping, the order a ranking."""
    named = _named_window(node)
    partition = union(
        flow(part, scope)
        for part in [*(node.args.get("partition_by") or []), *named.get("partition_by", [])]
    )
    keys: set[Source] = set()
    for part in [*(node.args.get("partition_by") or []), *named.get("partition_by", [])]:
        exact = flow(part, scope).exact
        if exact is not None:
            keys.add(exact)
    order = union(
        flow(part, scope) for part in [*_ordered(node.args.get("order")), *named.get("order", [])]
    )
    call = node.this
    while isinstance(call, (exp.IgnoreNulls, exp.RespectNulls)):
        call = call.this
    if isinstance(call, _RANKS):
        result = _ranked(order, scope, node) | Flow(tested=order.tested)
    else:
        result = flow(call, scope).derived()
        if isinstance(call, (exp.Lag, exp.Lead, exp.FirstValue, exp.LastValue, exp.NthValue)):
            # These hand on another row's value as it is.
            inner = flow(call.this, scope)
            result = Flow(inner.raw, inner.summed, inner.tested, inner.counted)
            result = result | _ranked(order, scope, node)
        elif node.args.get("over") == "KEEP":
            result = result | _ranked(order, scope, node)
    if result.measured:
        scope.draft.shown = scope.draft.shown | partition
        before = scope.draft.windowed
        scope.draft.windowed = frozenset(keys) if before is None else before & frozenset(keys)
    return result


def _ranked(order: Flow, scope: Scope, node: exp.Expr) -> Flow:
    """What being first, or the n-th, by an order shows of the measures it is by."""
    span = scope.span(node)
    measures = frozenset(s.at(span) for s in order.raw if s.role in MEASURE_ROLES)
    return Flow(frozenset(), order.summed | measures, frozenset(), order.counted)


def _named_window(node: exp.Window) -> dict[str, list[exp.Expr]]:
    """The parts of `OVER w` that stand in the WINDOW clause."""
    name = node.args.get("alias")
    select = node.find_ancestor(exp.Select)
    if name is None or select is None:
        return {}
    for window in select.args.get("windows") or []:
        if window.this is not None and window.this.name.lower() == name.name.lower():
            return {
                "partition_by": list(window.args.get("partition_by") or []),
                "order": _ordered(window.args.get("order")),
            }
    return {}
