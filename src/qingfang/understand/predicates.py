"""Constants and predicates: folding, facts about columns, periods, and the tests a cache repeats.

Rules this module keeps:

1. Folding never guesses: a constant whose value is not known has `text` None and stays a constant.
2. A literal whose value decided anything is *bound* to the answer (`Reading.bind`), unless it is
   named in a `Condition`: so a cached answer is reused only where it holds.
3. Three answers: a predicate holds for all rows that the facts leave (True), for none (False), or
   that is not known (None).
4. No clock: `CURRENT_DATE` is a constant of clock 0, in days; only differences are judged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from msgspec import Struct
from sqlglot import exp

from qingfang.events import Value
from qingfang.understand.dialects import BIND

if TYPE_CHECKING:
    from qingfang.understand.flows import Source

MAX_PINS = 10
_DAY = timedelta(days=1)

Test = Literal["within_day", "within_day_inclusive", "known", "few"]


class Condition(Struct, frozen=True, array_like=True):
    """A test over values whose answer the meaning's shape rests on; `answer` is what it was.

    `within_day` / `within_day_inclusive`: from `values[0]` to `values[1]` is at most 24 hours,
    the end excluded / included as written. `known`: the value is not NULL. `few`: an array value
    of at most 10 elements.
    """

    test: Test
    values: tuple[Value, ...]
    answer: bool


def holds(condition: Condition, values: Sequence[str | None]) -> bool:
    """Whether the test still gives the same answer when its values are these texts, in order."""
    return _tested(condition.test, values) is condition.answer


def _tested(test: Test, values: Sequence[str | None]) -> bool:
    if test == "known":
        return values[0] is not None
    if test == "few":
        items = array_items(values[0])
        return items is not None and len(items) <= MAX_PINS
    low, high = values[0], values[1]
    if low is None or high is None:
        return False
    return within_day(low, high, inclusive=test == "within_day_inclusive")


class Const:
    """A value without columns. `clock` is its distance from now in days, for values made from the
    clock (`whole` when cut to the day); `items` are the elements of an array."""

    __slots__ = ("binds", "clock", "items", "literals", "null", "text", "whole")

    def __init__(
        self,
        text: str | None = None,
        literals: tuple[int, ...] = (),
        binds: tuple[int, ...] = (),
        null: bool = False,
        clock: float | None = None,
        whole: bool = False,
        items: tuple[Const, ...] | None = None,
    ) -> None:
        self.text, self.literals, self.binds, self.null = text, literals, binds, null
        self.clock, self.whole, self.items = clock, whole, items

    def value(self) -> Value:
        return Value(self.text, self.literals, self.binds)


class Reading:
    """What is known while one text is read: bound values, and what the answer came to rest on.

    `free` collects the literals whose value is only handed on, `fixed` (and `fixed_binds`, by
    index) the literals and bound values that decided something.
    """

    __slots__ = ("binds", "conditions", "fixed", "fixed_binds", "free")

    def __init__(self, binds: Sequence[str | None] | None) -> None:
        self.binds = binds
        self.free: set[int] = set()
        self.fixed: set[int] = set()
        self.fixed_binds: set[int] = set()
        self.conditions: list[Condition] = []

    def bind(self, const: Const) -> None:
        """The constant's very value decided something."""
        self.fixed.update(const.literals)
        self.fixed_binds.update(const.binds)
        for item in const.items or ():
            self.bind(item)

    def condition(self, test: Test, consts: Sequence[Const], answer: bool) -> bool:
        found = Condition(test, tuple(c.value() for c in consts), answer)
        if any(v.literals or v.binds for v in found.values) and found not in self.conditions:
            self.conditions.append(found)
        return answer


class Fact:
    """A predicate that all rows of a block pass: `source op values`.

    op: `eq` (one of `values`), `like` (a pattern), `range` (`low`/`high`), `day` (falls on one of
    `values`), `null`, `other` (mentioned by a predicate that fixes nothing), `chosen` (one of what
    a sub-select gave). `of_row` is False inside an outer join's ON.
    """

    __slots__ = (
        *("high", "high_open", "low", "negated", "of_row", "op", "source", "span", "values"),
    )

    def __init__(
        self,
        source: Source,
        op: str,
        values: tuple[Const, ...] = (),
        *,
        negated: bool = False,
        low: Const | None = None,
        high: Const | None = None,
        high_open: bool = False,
        of_row: bool = True,
        span: tuple[int, int] | None = None,
    ) -> None:
        self.source, self.op, self.values, self.negated = source, op, values, negated
        self.low, self.high, self.high_open = low, high, high_open
        self.of_row, self.span = of_row, span

    def loose(self) -> Fact:
        """The same inside an outer join's losing side."""
        return Fact(
            self.source,
            self.op,
            self.values,
            negated=self.negated,
            low=self.low,
            high=self.high,
            high_open=self.high_open,
            of_row=False,
            span=self.span,
        )

    @property
    def fixes(self) -> bool:
        """Equality with known or bound values."""
        return self.op == "eq" and not self.negated

    @property
    def selects(self) -> bool:
        """Picks rows by the column, whatever way, other than leaving some out."""
        return not self.negated and self.op != "null"

    @property
    def rejects_null(self) -> bool:
        return self.of_row and self.op in {"eq", "like", "range", "day", "chosen"}


# ------------------------------------------------------------------ folding

_TEXT_FUNCTIONS = (exp.Upper, exp.Lower, exp.Trim, exp.Reverse)
_PASS_FIRST = (
    *(exp.Cast, exp.TryCast, exp.Paren, exp.TsOrDsToDate, exp.StrToDate, exp.StrToTime),
    *(exp.Date, exp.Timestamp, exp.TsOrDsToTimestamp, exp.Collate),
)
DAY_UNITS = frozenset({"DAY", "DD", "DDD", "J"})
_NOW_NAMES = frozenset({"clock_timestamp", "sysdate", "now", "statement_timestamp", "getdate"})
_NOW = (exp.CurrentTimestamp, exp.CurrentDatetime, exp.CurrentTime)
_UNIT_DAYS = {
    **{"DAY": 1.0, "DAYS": 1.0, "HOUR": 1 / 24, "HOURS": 1 / 24, "MINUTE": 1 / 1440},
    **{"MINUTES": 1 / 1440, "SECOND": 1 / 86400, "SECONDS": 1 / 86400},
    **{"WEEK": 7.0, "WEEKS": 7.0, "MONTH": 31.0, "MONTHS": 31.0, "YEAR": 366.0, "YEARS": 366.0},
}


def fold(node: exp.Expr, reading: Reading, own: bool, depth: int = 0) -> Const | None:
    """The constant an expression is, None when it reads a column or a sub-select.

    `own` tells that the node stands in the statement itself, not in a view or a stored body: only
    then its literals are named by offset.
    """
    if depth > 40:
        return None
    if isinstance(node, (exp.Literal, exp.National)):
        return Const(str(node.this), _offset(node, own))
    if isinstance(node, (exp.RawString, exp.ByteString, exp.UnicodeString)):
        return _fixed(Const(_decoded(node), _offset(node, own)), reading)
    if isinstance(node, exp.HexString):
        return _fixed(Const(_from_hex(str(node.this)), _offset(node, own)), reading)
    if isinstance(node, exp.Null):
        return Const(null=True)
    if isinstance(node, exp.Boolean):
        return Const("true" if node.this else "false")
    if isinstance(node, exp.Placeholder):
        return bound(node, reading)
    if isinstance(node, (exp.Parameter, exp.SessionParameter)):
        return Const()
    if isinstance(node, exp.Array):
        items = [fold(item, reading, own, depth + 1) for item in node.expressions]
        if any(item is None for item in items):
            return None
        return Const(items=tuple(item for item in items if item is not None))
    if isinstance(node, _PASS_FIRST):
        return fold(node.this, reading, own, depth + 1)
    if isinstance(node, exp.CurrentDate):
        return Const(clock=0.0, whole=True)
    if isinstance(node, _NOW) or (
        isinstance(node, exp.Anonymous) and node.name.lower() in _NOW_NAMES
    ):
        return Const(clock=0.0)
    if node.find(exp.Column, exp.Query, exp.AggFunc, exp.Star) is not None:
        return None
    parts = [fold(part, reading, own, depth + 1) for part in _operands(node)]
    known = [part for part in parts if part is not None]
    if isinstance(node, (exp.TimestampTrunc, exp.DateTrunc, exp.Trunc)):
        inner = fold(node.this, reading, own, depth + 1)
        unit = node.args.get("unit")
        if (
            inner is not None
            and inner.clock is not None
            and (unit is None or unit.name.upper() in DAY_UNITS)
        ):
            return Const(
                clock=float(int(inner.clock)) if inner.clock >= 0 else inner.clock, whole=True
            )
    shifted = _shifted(node, reading, own, depth)
    if shifted is not None:
        return shifted
    for part in known:
        reading.bind(part)
    literals = tuple(sorted({o for part in known for o in part.literals}))
    binds = tuple(sorted({b for part in known for b in part.binds}))
    return Const(_computed(node, [part.text for part in known]), literals, binds)


def bound(node: exp.Placeholder, reading: Reading) -> Const:
    """The constant of a bound value; its text is None when the value is not given."""
    name = str(node.this or "")
    if not name.startswith(BIND):
        return Const()
    index = int(name[len(BIND) :].split("_", 1)[0])
    if reading.binds is None or index >= len(reading.binds):
        return Const(binds=(index,))
    text = reading.binds[index]
    return Const(text, binds=(index,), null=text is None)


def is_known_bind(node: exp.Expr, reading: Reading) -> bool:
    """Whether the execution's value of a bind is there to look at."""
    const = bound(node, reading) if isinstance(node, exp.Placeholder) else None
    return bool(
        const and const.binds and reading.binds is not None and const.binds[0] < len(reading.binds)
    )


def _fixed(const: Const, reading: Reading) -> Const:
    reading.bind(const)
    return const


def _offset(node: exp.Expr, own: bool) -> tuple[int, ...]:
    return (node.meta["start"],) if own and "start" in node.meta else ()


def _operands(node: exp.Expr) -> list[exp.Expr]:
    return [child for child in node.iter_expressions() if not isinstance(child, exp.DataType)]


def _decoded(node: exp.Expr) -> str:
    text = str(node.this)
    if isinstance(node, exp.UnicodeString):
        return re.sub(r"\\([0-9A-Fa-f]{4})", lambda found: chr(int(found[1], 16)), text)
    return text


def _from_hex(digits: str) -> str | None:
    try:
        return bytes.fromhex(digits).decode("utf-8")
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
        return Const(clock=left.clock + sign * days, whole=whole)
    if isinstance(node, (exp.DateAdd, exp.DateSub, exp.TsOrDsAdd)):
        left = fold(node.this, reading, own, depth + 1)
        if left is None or left.clock is None:
            return None
        unit = str(node.args["unit"].name).upper() if node.args.get("unit") else "DAY"
        amount = fold(node.expression, reading, own, depth + 1)
        if amount is not None:
            reading.bind(amount)
        days = _float(amount.text if amount else None)
        if days is None or unit not in _UNIT_DAYS:
            return Const()
        sign = -1 if isinstance(node, exp.DateSub) else 1
        return Const(clock=left.clock + sign * days * _UNIT_DAYS[unit], whole=left.whole)
    return None


def _days(node: exp.Expr, reading: Reading, own: bool, depth: int) -> float | None:
    if isinstance(node, exp.Paren):
        return _days(node.this, reading, own, depth + 1) if depth < 40 else None
    if isinstance(node, exp.Cast) and isinstance(node.this, exp.Literal):
        # '1 day'::interval
        if own:
            reading.fixed.update(_offset(node.this, own))
        found = re.fullmatch(r"\s*(-?[\d.]+)\s*([A-Za-z]+)\s*", str(node.this.this))
        return _float(found[1], _UNIT_DAYS.get(found[2].upper())) if found else None
    if isinstance(node, exp.Interval):
        amount = fold(node.this, reading, own, depth + 1) if node.this is not None else None
        if amount is None:
            return None
        reading.bind(amount)
        unit = node.args.get("unit")
        text = amount.text or ""
        if unit is None:
            found = re.fullmatch(r"\s*(-?[\d.]+)\s*([A-Za-z]+)\s*", text)
            return _float(found[1], _UNIT_DAYS.get(found[2].upper())) if found else None
        return _float(text, _UNIT_DAYS.get(unit.name.upper()))
    amount = fold(node, reading, own, depth + 1)
    if amount is None:
        return None
    reading.bind(amount)
    return _float(amount.text)


def _float(text: str | None, factor: float | None = 1.0) -> float | None:
    if text is None or factor is None:
        return None
    try:
        return float(text) * factor
    except ValueError:
        return None


def _computed(node: exp.Expr, texts: list[str | None]) -> str | None:
    """The value of a function of known texts; None when it is not one of the few folded here."""
    if not texts or any(text is None for text in texts):
        return None
    known = [text for text in texts if text is not None]
    if isinstance(node, (exp.Concat, exp.DPipe)):
        return "".join(known)
    if isinstance(node, exp.ConcatWs):
        return known[0].join(known[1:])
    if isinstance(node, exp.Chr):
        try:
            return "".join(chr(int(code)) for code in known)
        except (ValueError, OverflowError):
            return None
    if isinstance(node, _TEXT_FUNCTIONS) and len(known) == 1:
        text = known[0]
        if isinstance(node, exp.Upper):
            return text.upper()
        if isinstance(node, exp.Lower):
            return text.lower()
        return text.strip() if isinstance(node, exp.Trim) else text[::-1]
    if isinstance(node, exp.Replace) and len(known) == 3:
        return known[0].replace(known[1], known[2]) if known[1] else known[0]
    if isinstance(node, exp.Substring) and len(known) >= 2:
        start, size = _float(known[1]), _float(known[2]) if len(known) > 2 else None
        if start is None or start < 1:
            return None
        first = int(start) - 1
        return known[0][first : first + int(size)] if size is not None else known[0][first:]
    if isinstance(node, exp.Neg):
        return known[0][1:] if known[0].startswith("-") else "-" + known[0]
    if isinstance(node, exp.Add) and len(known) == 2:
        left, right = _float(known[0]), _float(known[1])
        if left is None or right is None:
            return "".join(known)  # T-SQL joins texts with +
        return _plain(left + right)
    if isinstance(node, (exp.Sub, exp.Mul)) and len(known) == 2:
        left, right = _float(known[0]), _float(known[1])
        if left is None or right is None:
            return None
        return _plain(left - right if isinstance(node, exp.Sub) else left * right)
    return None


def _plain(number: float) -> str:
    return str(int(number)) if number == int(number) and abs(number) < 1e15 else str(number)


def array_items(text: str | None) -> list[str] | None:
    """The elements of an array value as text, `{a,b}` or `[a, b]`; None when it is none."""
    if text is None:
        return None
    found = re.fullmatch(r"\s*[{\[](.*)[}\]]\s*", text, re.DOTALL)
    if found is None:
        return None
    inner = found[1].strip()
    if not inner:
        return []
    return [item.strip().strip("\"'") for item in inner.split(",")]


# ------------------------------------------------------------------ truth of a predicate

_TRUE = frozenset({"true", "t", "1", "yes", "on"})
_FALSE = frozenset({"false", "f", "0", "no", "off"})


def truth(node: exp.Expr, facts: Iterable[Fact], reading: Reading) -> bool | None:
    """Whether `node`, a catalogue's predicate, holds for the rows that these facts (all about the
    predicate's own table) leave."""
    known = list(facts)
    return _truth(node, known, reading, 0)


def _truth(node: exp.Expr, facts: list[Fact], reading: Reading, depth: int) -> bool | None:
    if depth > 40:
        return None
    if isinstance(node, exp.Paren):
        return _truth(node.this, facts, reading, depth + 1)
    if isinstance(node, exp.And):
        left = _truth(node.left, facts, reading, depth + 1)
        right = _truth(node.right, facts, reading, depth + 1)
        if left is False or right is False:
            return False
        return True if left and right else None
    if isinstance(node, exp.Or):
        left = _truth(node.left, facts, reading, depth + 1)
        right = _truth(node.right, facts, reading, depth + 1)
        if left or right:
            return True
        return False if left is False and right is False else None
    if isinstance(node, exp.Not):
        inner = _truth(node.this, facts, reading, depth + 1)
        return None if inner is None else not inner
    return _atom(node, facts, reading)


def _atom(node: exp.Expr, facts: list[Fact], reading: Reading) -> bool | None:
    column = node.this if isinstance(node.this, exp.Column) else None
    if column is None:
        return None
    about = [f for f in facts if f.source.column == column.name.lower()]
    if isinstance(node, exp.Is):
        nulls = [f for f in about if f.op == "null"]
        wants_null = not node.args.get("negate")
        for fact in nulls:
            return (not fact.negated) is wants_null
        if any(f.rejects_null for f in about):
            return not wants_null
        return None
    wanted = _wanted(node)
    if wanted is None:
        return None
    # A column fixed to values: the predicate can be worked out for each of them.
    for fact in about:
        if fact.fixes and fact.values:
            answers: set[bool | None] = set()
            for const in fact.values:
                reading.bind(const)
                answers.add(None if const.text is None else _matches(node, const.text, wanted))
            if len(answers) == 1:
                return answers.pop()
            return None
    for fact in about:
        same = [c.text for c in fact.values]
        if fact.op == "like" and isinstance(node, exp.Like) and same and same[0] is not None:
            for const in fact.values:
                reading.bind(const)
            if not node.args.get("negate") and not fact.negated:
                if _narrower(same[0], wanted[0]):
                    return True
                return False if _apart(same[0], wanted[0]) else None
        if fact.op == "eq" and fact.negated and isinstance(node, exp.NEQ):
            for const in fact.values:
                reading.bind(const)
            if wanted[0] in same:
                return True
        if fact.op == "eq" and fact.negated and isinstance(node, (exp.EQ, exp.In)):
            for const in fact.values:
                reading.bind(const)
            if set(wanted) <= set(same):
                return False
    return None


def _wanted(node: exp.Expr) -> list[str] | None:
    if isinstance(node, exp.In):
        items = node.expressions
    elif isinstance(node, exp.Between):
        items = [node.args["low"], node.args["high"]]
    elif isinstance(node, (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Like, exp.ILike)):
        items = [node.expression]
    else:
        return None
    texts: list[str] = []
    for item in items:
        const = fold(item, Reading(None), False)
        if const is None or const.text is None:
            return None
        texts.append(const.text)
    return texts


def _matches(node: exp.Expr, text: str, wanted: list[str]) -> bool | None:
    if isinstance(node, (exp.EQ, exp.In)):
        return any(same_value(text, other) for other in wanted)
    if isinstance(node, exp.NEQ):
        return not same_value(text, wanted[0])
    if isinstance(node, (exp.Like, exp.ILike)):
        hit = like(text, wanted[0])
        return hit is not bool(node.args.get("negate"))
    order = _compare(text, wanted[0])
    if isinstance(node, exp.Between):
        return order >= 0 and _compare(text, wanted[1]) <= 0
    if isinstance(node, exp.GT):
        return order > 0
    if isinstance(node, exp.GTE):
        return order >= 0
    if isinstance(node, exp.LT):
        return order < 0
    return order <= 0


def _compare(left: str, right: str) -> int:
    a, b = _float(left), _float(right)
    if a is not None and b is not None:
        return (a > b) - (a < b)
    return (left > right) - (left < right)


def same_value(left: str, right: str) -> bool:
    """Equality of two values as some database sees it: numbers by number, truth by truth, and
    texts without case and trailing blanks (many collations do)."""
    if left.rstrip().casefold() == right.rstrip().casefold():
        return True
    a, b = _float(left), _float(right)
    if a is not None and b is not None:
        return a == b
    low, high = left.strip().lower(), right.strip().lower()
    return (low in _TRUE and high in _TRUE) or (low in _FALSE and high in _FALSE)


def like(text: str, pattern: str) -> bool:
    parts = [".*" if char == "%" else "." if char == "_" else re.escape(char) for char in pattern]
    return re.fullmatch("".join(parts), text, re.DOTALL | re.IGNORECASE) is not None


def _narrower(pattern: str, wider: str) -> bool:
    """`YP01%` is within `YP%`; only patterns of one trailing `%` are compared."""
    if pattern == wider:
        return True
    head = wider.removesuffix("%")
    return wider.endswith("%") and not set("%_") & set(head) and pattern.startswith(head)


def _apart(one: str, other: str) -> bool:
    """`JC%` and `YP%` have nothing in common: they differ before the first wildcard."""
    heads = [re.split(r"[%_\\]", pattern, maxsplit=1)[0] for pattern in (one, other)]
    size = min(len(head) for head in heads)
    return heads[0][:size].casefold() != heads[1][:size].casefold()


# ------------------------------------------------------------------ time

_DATE = re.compile(
    r"\s*(\d{4})[-/.]?(\d{1,2})[-/.]?(\d{1,2})"
    r"(?:[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?)?(?:\s*(?:Z|[+-]\d{2}(?::?\d{2})?))?\s*"
)


def moment(text: str) -> tuple[datetime, bool] | None:
    """A date or a time as written, and whether it is a date alone; None when it is neither."""
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second = found.groups()
    try:
        at = datetime(
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0)
        )
    except ValueError:
        return None
    return at, hour is None


def within_day(low: str, high: str, *, inclusive: bool) -> bool:
    """From `low` to `high` is at most 24 hours; an included date counts to its end."""
    first, last = moment(low), moment(high)
    if first is None or last is None:
        return False
    end = last[0] + _DAY if inclusive and last[1] else last[0]
    return end - first[0] <= _DAY


def day_test(low: Const | None, high: Const | None, high_open: bool, reading: Reading) -> bool:
    """Whether a range of time is at most 24 hours; records what the answer rests on."""
    if low is not None and low.clock is not None:
        if high is None:
            return low.clock >= -1
        if high.clock is None:
            return False
        extra = 1 if high.whole and not high_open else 0
        return high.clock + extra - low.clock <= 1
    if low is None or high is None:
        return False
    test: Test = "within_day" if high_open else "within_day_inclusive"
    return reading.condition(test, (low, high), _tested(test, (low.text, high.text)))
