"""Constant folding: which expressions are values without columns, and what their value is.

Rules this module keeps:

1. Folding never guesses: a constant whose value is not known has `text` None and stays a constant.
   What differs from row to row, reads, runs a text or a body, or is not known to be the server's
   own function is no constant.
2. A literal whose value decided anything is *bound* to the answer (`Reading.bind`), unless it is
   named in a `Condition`: so a cached answer is reused only where it holds.
3. No clock: `CURRENT_DATE` is a constant of clock 0, in days; only differences are judged.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence

from sqlglot import exp

from qingfang.events import Value
from qingfang.understand.builtin import FUNCTIONS, OWN_FUNCTIONS, REMOTE
from qingfang.understand.computing import (
    OWN_SCHEMAS,
    computed,
    joined,
    named_functions,
    number,
    text_of,
    unescaped,
)
from qingfang.understand.days import counted_from, day_of
from qingfang.understand.dialects import BIND
from qingfang.understand.holding import Condition, Test, is_midnight, moment
from qingfang.understand.periods import interval, month_end, moved, read

# Stands for a variable that goes through many values, one after the other: no constant.
MANY = "qf_many"


class Const:
    """A value without columns. `latest`: what an unknown value's variable was set to last.
    `ordered`: a date that says itself in which order its text is. `clock` is its distance from now in days, for values made from the
    clock (`cut`: from the midnight before now; `whole`: a day, as it is after a cut); `items` are the
    elements of an array."""

    __slots__ = (
        *("binds", "clock", "cut", "items", "latest", "literals", "null", "ordered"),
        *("text", "whole"),
    )

    def __init__(
        self,
        text: str | None = None,
        literals: tuple[int, ...] = (),
        binds: tuple[int, ...] = (),
        null: bool = False,
        clock: float | None = None,
        whole: bool = False,
        items: tuple[Const, ...] | None = None,
        cut: bool = False,
    ) -> None:
        self.text, self.literals, self.binds, self.null = text, literals, binds, null
        self.clock, self.whole, self.items = clock, whole, items
        self.cut = cut or whole
        self.ordered = False
        self.latest: str | None = None

    def in_order(self) -> Const:
        """The same date, read in an order that the statement gives."""
        twin = Const(self.text, self.literals, self.binds, self.null, self.clock, self.whole)
        twin.ordered = True
        return twin

    def value(self) -> Value:
        return Value(self.text, self.literals, self.binds, self.clock, self.cut)

    def key(self) -> Value:
        """The value as a key that was asked for: of a variable what it was set to last."""
        text = self.latest if self.text is None else self.text
        return Value(text, self.literals, self.binds, self.clock, self.cut)


class Reading:
    """What is known while one text is read: bound values, and what the answer came to rest on.

    `free` collects the literals whose value is only handed on, `fixed` (and `fixed_binds`, by
    index) the literals and bound values that decided something. `requoted`: from here on quotes may
    mean something else; `redated`: dates, too. `settled`: the bound values stand in the statement itself (EXECUTE p('1')),
    no execution brings others. `oracle`: an empty text is NULL. `runs` tells of a call whether it
    does more than work out a value.
    """

    __slots__ = (
        *("binds", "conditions", "fixed", "fixed_binds", "free", "oracle", "redated", "requoted"),
        *("runs", "settled"),
    )

    def __init__(self, binds: Sequence[str | None] | None, *, settled: bool = False) -> None:
        self.binds, self.settled = binds, settled
        self.free: set[int] = set()
        self.fixed: set[int] = set()
        self.fixed_binds: set[int] = set()
        self.conditions: list[Condition] = []
        # A statement of this text changed what quotes mean.
        self.requoted = False
        # Day and month of a text may stand in another order than they do by default.
        self.redated = False
        self.oracle = False
        self.runs: Callable[[exp.Func], bool] | None = None

    def bind(self, const: Const) -> None:
        """The constant's very value decided something."""
        self.fixed.update(const.literals)
        self.fixed_binds.update(const.binds)
        for item in const.items or ():
            self.bind(item)

    def known(self, const: Const, oracle: bool) -> bool:
        """Whether a bound value is not NULL, which an empty text is to Oracle."""
        if not oracle:
            return self.condition("known", (const,), not const.null)
        return self.condition("filled", (const,), not const.null and const.text != "")

    def condition(self, test: Test, consts: Sequence[Const], answer: bool) -> bool:
        found = Condition(test, tuple(c.value() for c in consts), answer)
        if any(v.literals or v.binds for v in found.values) and found not in self.conditions:
            self.conditions.append(found)
        return answer


_PASS_FIRST = (
    *(exp.Cast, exp.TryCast, exp.Paren, exp.TsOrDsToDate, exp.DateStrToDate, exp.TimeStrToTime),
    *(exp.Date, exp.Timestamp, exp.TsOrDsToTimestamp, exp.Collate),
)
_CASTS = (exp.Cast, exp.TryCast, exp.Date, exp.Timestamp, exp.TsOrDsToDate)
_NAMED_DAYS = {"now": 0.0, "today": 0.0, "yesterday": -1.0, "tomorrow": 1.0}
_SKIP_NULLS = (exp.Concat, exp.ConcatWs, exp.Coalesce)
_NOW_NAMES = frozenset({"clock_timestamp", "sysdate", "now", "statement_timestamp", "getdate"})
_NOW = (exp.CurrentTimestamp, exp.CurrentDatetime, exp.CurrentTime)
_UNIT_DAYS = {
    **{"DAY": 1.0, "DAYS": 1.0, "HOUR": 1 / 24, "HOURS": 1 / 24, "MINUTE": 1 / 1440},
    **{"MINUTES": 1 / 1440, "SECOND": 1 / 86400, "SECONDS": 1 / 86400},
    **{"WEEK": 7.0, "WEEKS": 7.0, "MONTH": 31.0, "MONTHS": 31.0, "YEAR": 366.0, "YEARS": 366.0},
}


def fold(node: exp.Expr | None, reading: Reading, own: bool, depth: int = 0) -> Const | None:
    """The constant an expression is, None when it reads a column or a sub-select, or is not there.

    `own` tells that the node stands in the statement itself, not in a view or a stored body: only
    then its literals are named by offset.
    """
    if node is None or depth > 40:
        return None
    if isinstance(node, (exp.Literal, exp.National)):
        return Const(str(node.this), offset(node, own))
    if isinstance(node, (exp.RawString, exp.ByteString, exp.UnicodeString)):
        return _fixed(Const(_decoded(node), offset(node, own)), reading)
    if isinstance(node, exp.HexString):
        return _fixed(Const(_from_hex(str(node.this)), offset(node, own)), reading)
    if isinstance(node, exp.Null):
        return Const(null=True)
    if isinstance(node, exp.Boolean):
        return Const("true" if node.this else "false")
    if isinstance(node, exp.Placeholder):
        return bound(node, reading) if str(node.this) != MANY else None
    if isinstance(node, (exp.Parameter, exp.SessionParameter)):
        const = Const()
        const.latest = node.meta.get("latest")
        return const
    if isinstance(node, exp.Array):
        items = [fold(item, reading, own, depth + 1) for item in node.expressions]
        if any(item is None for item in items):
            return None
        return Const(items=tuple(item for item in items if item is not None))
    if isinstance(node, exp.Subquery):
        return _selected(node, reading, own, depth)
    day = day_of(node)
    if day is not None:
        cut = fold(day, reading, own, depth + 1)
        if cut is not None and cut.clock is not None:
            return Const(clock=float(math.floor(cut.clock)), whole=True)
        if cut is not None and isinstance(node, exp.TimeToStr):
            return _written(node, cut, reading)
    if isinstance(node, _CASTS) and isinstance(node.this, exp.Literal):
        named = _NAMED_DAYS.get(str(node.this.this).strip().lower())
        if named is not None:
            reading.bind(Const(literals=offset(node.this, own)))
            return Const(clock=named, whole=str(node.this.this).strip().lower() != "now")
    if isinstance(node, (exp.StrToDate, exp.StrToTime)):
        return _parsed(node, reading, own, depth)
    if isinstance(node, exp.DateStrToDate):
        dated = fold(node.this, reading, own, depth + 1)
        return dated.in_order() if dated is not None else None
    if isinstance(node, _PASS_FIRST):
        return _cut(node.args.get("to"), fold(node.this, reading, own, depth + 1), reading)
    if isinstance(node, exp.Convert):
        const = _cut(node.this, fold(node.expression, reading, own, depth + 1), reading)
        return _styled(node, const, reading)
    if isinstance(node, exp.Coalesce):
        first = _first(node, reading, own, depth)
        if first is not None:
            return first
    if isinstance(node, exp.Dot) and isinstance(node.expression, exp.Func):
        if _reads(node, reading):
            return None
        if node.this.name.lower() not in OWN_SCHEMAS:
            return Const()
        return fold(_unqualified(node), reading, own, depth + 1)
    if isinstance(node, exp.CurrentDate):
        return Const(clock=0.0, whole=True)
    if isinstance(node, _NOW) or (
        isinstance(node, exp.Anonymous) and node.name.lower() in _NOW_NAMES
    ):
        return Const(clock=0.0)
    if _reads(node, reading):
        return None
    shifted = _shifted(node, reading, own, depth)
    if shifted is not None:
        return shifted
    dated = _dated(node, reading, own, depth)
    if dated is not None:
        return dated
    return _applied(node, reading, own, depth)


def _first(node: exp.Coalesce, reading: Reading, own: bool, depth: int) -> Const | None:
    """The first operand of COALESCE, NVL, ISNULL that is known not to be NULL, when those before it
    are; None when that is not known."""
    for operand in (node.this, *node.expressions):
        const = fold(operand, reading, own, depth + 1)
        if const is None or (const.text is None and not const.null):
            return None
        if reading.known(const, reading.oracle):
            return const
    return Const(null=True)


def _cut(kind: exp.Expr | None, const: Const | None, reading: Reading) -> Const | None:
    """A text cast to a shorter one, a time to its day."""
    if const is None or const.text is None or not isinstance(kind, exp.DataType):
        return const
    if kind.this is exp.DType.DATE and moment(const.text) is not None:
        if reading.condition("midnight", (const,), is_midnight(const.text)):
            return const
        # Oracle's DATE keeps the time of day, the others' does not.
        reading.bind(const)
        return Const(None, const.literals, const.binds)
    sizes = kind.expressions
    if len(sizes) != 1 or not sizes[0].name.isdigit():
        return const
    if kind.this not in exp.DataType.TEXT_TYPES:
        return const
    size = int(sizes[0].name)
    if len(const.text) <= size and size >= _DAY_LONG:
        return const
    reading.bind(const)
    return Const(const.text[:size], const.literals, const.binds)


# `2026-01-31`
_DAY_LONG = 10
# SQL Server's styles that write a date from the year on.
_FROM_YEAR_STYLES = frozenset({"20", "21", "23", "25", "102", "111", "112", "120", "121", "126"})


def _styled(node: exp.Convert, const: Const | None, reading: Reading) -> Const | None:
    """T-SQL's CONVERT: what day a text is depends on the style."""
    style, kind = node.args.get("style"), node.this
    dated = isinstance(kind, exp.DataType) and kind.this in exp.DataType.TEMPORAL_TYPES
    if const is None or const.text is None or style is None or not dated:
        return const
    if style.name in _FROM_YEAR_STYLES:
        return const.in_order()
    reading.bind(const)
    return Const(None, const.literals, const.binds)


def _parsed(
    node: exp.StrToDate | exp.StrToTime, reading: Reading, own: bool, depth: int
) -> Const | None:
    """`TO_DATE('01-02-2026', 'DD-MM-YYYY')`: a text is read in its format, whatever it looks like;
    what day it is stays open when the format is worked out."""
    const = fold(node.this, reading, own, depth + 1)
    form = node.args.get("format")
    if const is None or const.text is None or form is None:
        return const
    pattern = _format(str(form.this)) if isinstance(form, exp.Literal) else ""
    if moment(const.text) is not None and _FROM_YEAR.match(pattern):
        return const.in_order()
    reading.bind(const)
    return Const(read(const.text, pattern)).in_order()


# Formats that write a date from the year on, as it is read anyway.
_FROM_YEAR = re.compile(r"%Y[^%\w]*%m[^%\w]*%d")
# The parser takes Oracle's elements of a format for elements only when they are capitals.
_ELEMENT = re.compile(r"%\w|YYYY|RRRR|HH24|HH12|MM|DD|HH|MI|SS", re.IGNORECASE)
_ELEMENTS = {
    **{"YYYY": "%Y", "RRRR": "%Y", "MM": "%m", "DD": "%d", "HH24": "%H", "HH12": "%I"},
    **{"HH": "%I", "MI": "%M", "SS": "%S"},
}


def _format(form: str) -> str:
    return _ELEMENT.sub(lambda found: _ELEMENTS.get(found[0].upper(), found[0]), form)


# What gives a date, so that a number added to it is days.
_DATES = (
    *(exp.StrToDate, exp.StrToTime, exp.DateStrToDate, exp.TimeStrToTime, exp.TsOrDsToDate),
    *(exp.Date, exp.LastDay, exp.AddMonths, exp.DateAdd, exp.DateSub, exp.DateFromParts),
)


def _is_date(node: exp.Expr) -> bool:
    while isinstance(node, (exp.Paren, exp.Add, exp.Sub)):
        node = node.this
    if isinstance(node, exp.Cast):
        kind = node.to.this
        return isinstance(kind, exp.DType) and kind.name.startswith(("DATE", "TIMESTAMP"))
    return isinstance(node, _DATES)


def _dated(node: exp.Expr, reading: Reading, own: bool, depth: int) -> Const | None:
    """A known date that is moved, or put together: `DATE '2026-01-01' + 1`, `LAST_DAY(…)`,
    `make_date(2026, 1, 1)`. None when it is no such thing."""
    if isinstance(node, exp.DateFromParts) or (
        isinstance(node, exp.Anonymous) and node.name.lower() in {"make_date", "datefromparts"}
    ):
        parts = [fold(part, reading, own, depth + 1) for _name, part in _operands(node)]
        values = [number(part.text) for part in parts if part is not None]
        for part in parts:
            if part is not None:
                reading.bind(part)
        if len(values) < 3 or any(value is None for value in values):
            return Const()
        year, month, day = (int(value or 0) for value in values[:3])
        text = f"{year:04}-{month:02}-{day:02}"
        return Const(text if moment(text) is not None else None)
    found = _moving(node, reading, own, depth)
    if found is None:
        return None
    inner, amount, unit = found
    start = fold(inner, reading, own, depth + 1)
    if start is None or start.clock is not None:
        return None
    reading.bind(start)
    if amount is None:
        return Const(month_end(start.text))
    return Const(moved(start.text, amount, unit))


def _moving(
    node: exp.Expr, reading: Reading, own: bool, depth: int
) -> tuple[exp.Expr, float | None, str] | None:
    """The date that an expression moves, how far, and in what; no number: to the month's end."""
    if isinstance(node, exp.LastDay):
        return node.this, None, ""
    if isinstance(node, (exp.Add, exp.Sub)):
        sign = 1 if isinstance(node, exp.Add) else -1
        step = node.right
        if isinstance(step, exp.Interval):
            found = _interval(step, reading, own, depth)
            return (node.left, sign * found[0], found[1]) if found is not None else None
        if _is_date(step) and _is_date(node.left):
            return None
        if _is_date(node.left):
            days = _amount(step, reading, own, depth)
            return (node.left, sign * days, "DAY") if days is not None else None
        return None
    if isinstance(node, exp.AddMonths):
        months = _amount(node.expression, reading, own, depth)
        return (node.this, months, "MONTH") if months is not None else None
    if isinstance(node, (exp.DateAdd, exp.DateSub, exp.TsOrDsAdd)):
        unit = node.args.get("unit")
        amount = _amount(node.expression, reading, own, depth)
        if amount is None:
            return None
        sign = -1 if isinstance(node, exp.DateSub) else 1
        return node.this, sign * amount, unit.name if unit is not None else "DAY"
    if isinstance(node, exp.Anonymous) and node.name.lower() in {"date", "datetime"}:
        # SQLite: date('2026-01-01', '+1 month').
        steps = [interval(part.name) for part in node.expressions[1:]]
        if len(steps) == 1 and steps[0] is not None:
            reading.bind(Const(literals=offset(node.expressions[1], own)))
            return node.expressions[0], steps[0][0], steps[0][1]
    return None


def _amount(node: exp.Expr, reading: Reading, own: bool, depth: int) -> float | None:
    const = fold(node, reading, own, depth + 1)
    if const is None:
        return None
    reading.bind(const)
    return number(const.text)


def _interval(
    node: exp.Interval, reading: Reading, own: bool, depth: int
) -> tuple[float, str] | None:
    const = fold(node.this, reading, own, depth + 1) if node.this is not None else None
    if const is None or const.text is None:
        return None
    reading.bind(const)
    unit = node.args.get("unit")
    if unit is None:
        return interval(const.text)
    amount = number(const.text)
    return (amount, unit.name) if amount is not None else None


def _written(node: exp.TimeToStr, time: Const, reading: Reading) -> Const:
    """A known time written in a format."""
    reading.bind(time)
    at = moment(time.text) if time.text is not None else None
    text = at[0].strftime(str(node.args["format"].this)) if at is not None else None
    return Const(text, time.literals, time.binds)


def _unqualified(node: exp.Dot) -> exp.Expr:
    """`pg_catalog.reverse(x)` as `reverse(x)`, which the parser knows."""
    call = node.expression
    if node.this.name.lower() != "pg_catalog" or not isinstance(call, exp.Anonymous):
        return call
    return exp.func(call.name, *(part.copy() for part in call.expressions), dialect="postgres")


# Functions that give a value of their arguments and do nothing else.
_PURE = frozenset().union(*FUNCTIONS.values(), named_functions()) - REMOTE


def is_pure(node: exp.Expr) -> bool:
    """Whether an expression is made of constants and columns by a database's own functions: it asks
    nothing, runs no text and calls nobody's function."""
    return (
        all(_is_pure(call) for call in node.find_all(exp.Anonymous, exp.Dot))
        and node.find(exp.Query, exp.PropertyEQ) is None
    )


def _is_pure(node: exp.Expr) -> bool:
    """Whether a call by name is one of a database's own functions, and runs no text."""
    if isinstance(node, exp.Dot):
        call = node.expression
        if not isinstance(call, exp.Func):
            return True
        schema = node.this.name.lower()
        last = call.name.lower() if isinstance(call, exp.Anonymous) else ""
        own = schema in OWN_SCHEMAS or schema in OWN_FUNCTIONS
        return (own and (not last or last in _PURE)) or f"{schema}.{last}" in _PURE
    return node.name.lower() in _PURE or (
        isinstance(node.parent, exp.Dot) and node.parent.expression is node
    )


def _reads(node: exp.Expr, reading: Reading) -> bool:
    """Whether an expression is no constant (rule 1)."""
    if varies(node):
        return True
    if reading.runs is None:
        return any(not _is_pure(call) for call in node.find_all(exp.Anonymous, exp.Dot))
    return any(reading.runs(call) for call in node.find_all(exp.Func))


# Neither the same in every row, nor once known the same again.
_VARYING = (exp.Rand, exp.Randn, exp.Uuid, exp.NextValueFor, exp.PropertyEQ)
_VARYING_NAMES = frozenset(
    {
        *("random", "rand", "normal", "nextval", "newid", "newsequentialid", "sys_guid"),
        *("gen_random_uuid", "uuid_generate_v4"),
    }
)


def varies(node: exp.Expr) -> bool:
    """Whether a column, rows, an aggregate, or what differs from row to row is in it;
    `(SELECT 'x')` reads nothing."""
    for part in node.find_all(
        *(exp.Column, exp.Query, exp.AggFunc, exp.Star, exp.Anonymous, exp.Placeholder),
        *_VARYING,
    ):
        if isinstance(part, exp.Anonymous):
            if part.name.lower() in _VARYING_NAMES:
                return True
        elif isinstance(part, exp.Placeholder):
            if str(part.this) == MANY:
                return True
        elif not isinstance(part, exp.Subquery) and not _is_bare(part):
            return True
    return False


def _is_bare(node: exp.Expr) -> bool:
    """A SELECT of expressions alone."""
    return isinstance(node, exp.Select) and not any(
        value for key, value in node.args.items() if key not in {"expressions", "kind"}
    )


def _selected(node: exp.Subquery, reading: Reading, own: bool, depth: int) -> Const | None:
    """`(SELECT 'x')`, which reads nothing."""
    select = node.this
    if not _is_bare(select) or len(select.expressions) != 1:
        return None
    return fold(select.expressions[0].unalias(), reading, own, depth + 1)


def _applied(node: exp.Expr, reading: Reading, own: bool, depth: int) -> Const:
    """A function or operator of constants."""
    chain = isinstance(node, (exp.DPipe, exp.Add))
    operands = [("", part) for part in _chained(node)] if chain else _operands(node)
    parts: list[Const] = []
    given: dict[str, list[str]] = {}
    known = True
    for name, operand in operands:
        part = fold(operand, reading, own, depth + 1)
        if part is None:
            known = False
            continue
        reading.bind(part)
        parts.append(part)
        if part.null and isinstance(node, _SKIP_NULLS):
            continue
        if part.items is not None and isinstance(node, exp.ArrayToString):
            given["items"] = [item.text or "" for item in part.items]
            known = known and all(item.text is not None for item in part.items)
        elif part.text is None:
            known = False
        else:
            given.setdefault(name, []).append(part.text)
    text = None
    if known and chain and given:
        text = joined(node, given[""])
    elif known and isinstance(node, exp.ArrayToString):
        text = given.get("expression", [""])[0].join(given.get("items", []))
    elif known:
        text = computed(node, given)
    literals = tuple(sorted({o for part in parts for o in part.literals}))
    binds = tuple(sorted({b for part in parts for b in part.binds}))
    const = Const(text, literals, binds)
    if text is None and len(parts) == len(operands) and any(p.latest is not None for p in parts):
        told = [part.latest or part.text or "" for part in parts]
        named: dict[str, list[str]] = {}
        for (name, _operand), one in zip(operands, told, strict=False):
            named.setdefault(name, []).append(one)
        found = joined(node, told) if chain else computed(node, named)
        const.latest = found if found is not None else f"{node.key}({','.join(told)})"
    return const


def _chained(node: exp.Expr) -> list[exp.Expr]:
    """The operands of a left-deep chain of one operator, however long."""
    found: list[exp.Expr] = []
    part = node
    while type(part) is type(node):
        found.append(part.expression)
        part = part.this
    found.append(part)
    found.reverse()
    return found


def bound(node: exp.Placeholder, reading: Reading) -> Const:
    """The constant of a bound value; its text is None when the value is not given."""
    name = str(node.this or "")
    if not name.startswith(BIND):
        const = Const()
        const.latest = node.meta.get("latest")
        return const
    index = int(name[len(BIND) :].split("_", 1)[0])
    if reading.binds is None or index >= len(reading.binds):
        return Const(binds=(index,))
    text = reading.binds[index]
    return Const(text, binds=() if reading.settled else (index,), null=text is None)


def is_known_bind(node: exp.Expr, reading: Reading) -> bool:
    """Whether the execution's value of a bind is there to look at."""
    if not isinstance(node, exp.Placeholder) or reading.binds is None:
        return False
    const = bound(node, reading)
    if const.binds:
        return const.binds[0] < len(reading.binds)
    return const.null or const.text is not None


def _fixed(const: Const, reading: Reading) -> Const:
    reading.bind(const)
    return const


def offset(node: exp.Expr, own: bool) -> tuple[int, ...]:
    """Where a literal stands in the statement; `given` tells it of one that was put into a body."""
    if "given" in node.meta:
        return (node.meta["given"],)
    return (node.meta["start"],) if own and "start" in node.meta else ()


def _operands(node: exp.Expr) -> list[tuple[str, exp.Expr]]:
    """The arguments with the names the parser gives them."""
    return [
        (name, part)
        for name, value in node.args.items()
        for part in (value if isinstance(value, list) else (value,))
        if isinstance(part, exp.Expr) and not isinstance(part, exp.DataType)
    ]


def _decoded(node: exp.Expr) -> str:
    text = str(node.this)
    if isinstance(node, exp.UnicodeString):
        mark = node.args.get("escape")
        return unescaped(text, mark.name if isinstance(mark, exp.Literal) else "\\")
    return text


def _from_hex(digits: str) -> str | None:
    try:
        return text_of(bytes.fromhex(digits))
    except ValueError:
        return None


def _shifted(node: exp.Expr, reading: Reading, own: bool, depth: int) -> Const | None:
    """Clock values moved by an interval or by days."""
    if isinstance(node, (exp.Add, exp.Sub)):
        left = fold(node.left, reading, own, depth + 1)
        if left is None or left.clock is None:
            return None
        days = _days(node.right, reading, own, depth)
        if days is None:
            return Const()
        sign = 1 if isinstance(node, exp.Add) else -1
        whole = left.whole and days == int(days)
        return Const(clock=left.clock + sign * days, whole=whole, cut=left.cut)
    found = None
    if isinstance(node, exp.Anonymous):
        found = _stepped(node, reading, own, depth)
    elif isinstance(node, exp.DateAdd):
        found = _counted(node, reading, own, depth)
    if found is not None:
        left, moved_by = found
        whole = left.whole and moved_by == int(moved_by)
        return Const(clock=(left.clock or 0.0) + moved_by, whole=whole, cut=left.cut)
    if isinstance(node, (exp.DateAdd, exp.DateSub, exp.TsOrDsAdd)):
        left = fold(node.this, reading, own, depth + 1)
        if left is None or left.clock is None:
            return None
        unit = str(node.args["unit"].name).upper() if node.args.get("unit") else "DAY"
        amount = fold(node.expression, reading, own, depth + 1)
        if amount is not None:
            reading.bind(amount)
        days = number(amount.text if amount else None)
        if days is None or unit not in _UNIT_DAYS:
            return Const()
        sign = -1 if isinstance(node, exp.DateSub) else 1
        moved_by = sign * days * _UNIT_DAYS[unit]
        whole = left.whole and moved_by == int(moved_by)
        return Const(clock=left.clock + moved_by, whole=whole, cut=left.cut)
    return None


def _counted(
    node: exp.DateAdd, reading: Reading, own: bool, depth: int
) -> tuple[Const, float] | None:
    """T-SQL's `DATEADD(day, DATEDIFF(day, 0, x) + 1, 0)`: x's day, and by how many it is moved."""
    count, days = node.expression, 0.0
    while isinstance(count, (exp.Add, exp.Sub)):
        amount = _amount(count.right, reading, own, depth)
        if amount is None:
            return None
        days += amount if isinstance(count, exp.Add) else -amount
        count = count.left
    inner = counted_from(node, count)
    day = fold(inner, reading, own, depth + 1) if inner is not None else None
    if day is None or day.clock is None:
        return None
    return Const(clock=float(math.floor(day.clock)), whole=True), days


def _stepped(
    node: exp.Anonymous, reading: Reading, own: bool, depth: int
) -> tuple[Const, float] | None:
    """SQLite's `date('now', '-3 days')`, MySQL's `SUBDATE(x, 3)`: the clock's value, and by how many
    days it is moved."""
    name = node.name.lower()
    if len(node.expressions) < 2 or name not in {"date", "datetime", "adddate", "subdate"}:
        return None
    first, *steps = node.expressions
    days = 0.0
    if name in {"adddate", "subdate"}:
        start = fold(first, reading, own, depth + 1)
        more = [_days(step, reading, own, depth) for step in steps]
        sign = -1 if name == "subdate" else 1
    else:
        named = isinstance(first, exp.Literal) and first.name.lower() == "now"
        start = Const(clock=0.0, whole=name == "date") if named else None
        found = [interval(step.name) for step in steps]
        for part in (first, *steps):
            reading.bind(Const(literals=offset(part, own)))
        more = [number(str(f[0]), _UNIT_DAYS.get(f[1].upper())) if f else None for f in found]
        sign = 1
    if start is None or start.clock is None:
        return None
    for part in more:
        if part is None:
            return None
        days += sign * part
    return start, days


def _days(node: exp.Expr, reading: Reading, own: bool, depth: int) -> float | None:
    if isinstance(node, exp.Paren):
        return _days(node.this, reading, own, depth + 1) if depth < 40 else None
    if isinstance(node, exp.MakeInterval):
        named = [part for part in node.args.values() if part]
        if len(named) != 1 or not isinstance(named[0], exp.Kwarg):
            return None
        amount = fold(named[0].expression, reading, own, depth + 1)
        factor = _UNIT_DAYS.get(named[0].this.name.upper())
    elif isinstance(node, exp.Anonymous) and node.name.upper() == "NUMTODSINTERVAL":
        if len(node.expressions) != 2:
            return None
        amount = fold(node.expressions[0], reading, own, depth + 1)
        factor = _UNIT_DAYS.get(node.expressions[1].name.upper())
        reading.bind(Const(literals=offset(node.expressions[1], own)))
    else:
        return _days_of(node, reading, own, depth)
    if amount is None:
        return None
    reading.bind(amount)
    return number(amount.text, factor)


def _days_of(node: exp.Expr, reading: Reading, own: bool, depth: int) -> float | None:
    """A number of days, an interval, a part of a day."""
    if isinstance(node, exp.Cast) and isinstance(node.this, exp.Literal):
        # '1 day'::interval
        reading.fixed.update(offset(node.this, own))
        found = re.fullmatch(r"\s*(-?[\d.]+)\s*([A-Za-z]+)\s*", str(node.this.this))
        return number(found[1], _UNIT_DAYS.get(found[2].upper())) if found else None
    if isinstance(node, exp.Interval):
        amount = fold(node.this, reading, own, depth + 1) if node.this is not None else None
        if amount is None:
            return None
        reading.bind(amount)
        unit = node.args.get("unit")
        text = amount.text or ""
        if unit is None:
            found = re.fullmatch(r"\s*(-?[\d.]+)\s*([A-Za-z]+)\s*", text)
            return number(found[1], _UNIT_DAYS.get(found[2].upper())) if found else None
        return number(text, _UNIT_DAYS.get(unit.name.upper()))
    if isinstance(node, exp.Div):
        # 1/86400 of a day.
        parts = [_days(part, reading, own, depth + 1) for part in (node.left, node.right)]
        return parts[0] / parts[1] if parts[0] is not None and parts[1] else None
    amount = fold(node, reading, own, depth + 1)
    if amount is None:
        return None
    reading.bind(amount)
    return number(amount.text)
