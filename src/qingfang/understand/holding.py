"""The tests that a cached meaning rests on, and what they know of times and lists.

Rules this module keeps:

1. A test is a pure function of texts, so that it gives the same answer at analysis and later, for
   another execution's values.
2. Texts that are no date, no list, or not known pass no test.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

from msgspec import Struct

from qingfang.events import Value

MAX_PINS = 10
_DAY = timedelta(days=1)

Test = Literal[
    "within_day",
    "within_day_inclusive",
    "known",
    "filled",
    "few",
    "midnight",
    "zero",
    "apart",
]


class Condition(Struct, frozen=True, array_like=True):
    """A test over values whose answer the meaning's shape rests on; `answer` is what it was.

    `within_day` / `within_day_inclusive`: from `values[0]` to `values[1]` is at most 24 hours,
    the end excluded / included as written. `known`: the value is not NULL; `filled`: nor an empty
    text. `zero`: the number 0. `few`: an array value
    of at most 10 elements. `midnight`: a date alone, or the first moment of one.
    `apart`: two values that are surely not equal (`equal`).
    """

    test: Test
    values: tuple[Value, ...]
    answer: bool


def holds(condition: Condition, values: Sequence[str | None]) -> bool:
    """Whether the test still gives the same answer when its values are these texts, in order."""
    return passes(condition.test, values) is condition.answer


def passes(test: Test, values: Sequence[str | None]) -> bool:
    if test == "known":
        return values[0] is not None
    if test == "zero":
        return values[0] is not None and re.fullmatch(r"\s*[-+]?0*\.?0*\s*", values[0]) is not None
    if test == "filled":
        return bool(values[0])
    if test == "few":
        items = array_items(values[0])
        return items is not None and len(items) <= MAX_PINS
    if test == "midnight":
        return is_midnight(values[0])
    low, high = values[0], values[1]
    if test == "apart":
        return low is not None and high is not None and equal(low, high) is False
    if low is None or high is None:
        return False
    return within_day(low, high, inclusive=test == "within_day_inclusive")


_TRUTHS = frozenset(["true", "t", "yes", "y", "on", "false", "f", "no", "n", "off"])
_NUMBER = re.compile(r"\s*[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?", re.ASCII | re.IGNORECASE)


def equal(left: str, right: str) -> bool | None:
    """Whether two values are equal whatever the server, its collation and the types that it
    compares them as; None when it depends on these: `'a' = 'A'`, `'1' = '1.0'`, `'a' = 0`."""
    if left == right:
        return True
    one, other = plain(left), plain(right)
    if one == other or one in _TRUTHS or other in _TRUTHS:
        return None
    a, b = _number(one), _number(other)
    if a is None and b is None:
        first, second = moment(one), moment(other)
        return None if first is not None and second is not None and first[0] == second[0] else False
    if a is None:
        a = _leading(one)
    elif b is None:
        b = _leading(other)
    return None if a == b else False


def _number(text: str) -> float | None:
    found = _NUMBER.match(text)
    return float(found[0]) if found is not None and found.end() == len(text) else None


def _leading(text: str) -> float:
    """The number that MySQL takes a text for."""
    found = _NUMBER.match(text)
    return float(found[0]) if found is not None else 0.0


def plain(text: str) -> str:
    """A text without what some collation does not tell apart: case, width, accents, characters
    that are not seen, blanks at the ends."""
    if text.isascii():
        return text.strip().lower()
    parts = unicodedata.normalize("NFKD", text)
    seen = "".join(char for char in parts if unicodedata.category(char) not in {"Mn", "Cf"})
    return seen.strip().casefold()


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


def is_midnight(text: str | None) -> bool:
    """Whether a text is a date alone, or the first moment of one, with a day before it."""
    found = moment(text) if text is not None else None
    if found is None or text is None or found[0].year < 2:
        return False
    at = found[0]
    part = re.search(r":\d{2}\.\d*[1-9]", text)
    return not (at.hour or at.minute or at.second or part)


def day_before(text: str) -> str:
    """The day before a midnight, `2026-10-31`. Raises ValueError when the text is no date."""
    found = moment(text)
    if found is None:
        raise ValueError(text)
    return (found[0] - _DAY).date().isoformat()
