"""Months and years: which expressions cut a time to them, and what days they are; known dates moved.

Rules this module keeps:

1. Days are ISO texts, `2026-01-31`. A text that is no month, year or date gives None.
2. Only a cut whose value tells the month and its year, or the year, is one; a month alone is none.
"""

from __future__ import annotations

import calendar
import re
from datetime import datetime, timedelta

from sqlglot import exp

from qingfang.understand.holding import moment

MONTH, YEAR = "month", "year"

_UNITS = {
    **dict.fromkeys(("MM", "MON", "MONTH", "RM", "M"), MONTH),
    **dict.fromkeys(("YYYY", "YEAR", "YY", "Y", "SYYYY", "SYEAR", "YYY"), YEAR),
}
_FORMS = {
    **dict.fromkeys(("%Y-%m", "%Y%m", "%Y/%m", "%Y.%m", "%Y年%m月"), MONTH),
    **dict.fromkeys(("YYYY-MM", "YYYYMM", "YYYY/MM", "YYYY.MM"), MONTH),
    **dict.fromkeys(("%Y", "YYYY", "%Y年"), YEAR),
}
_STYLES = {
    **dict.fromkeys((("120", 7), ("121", 7), ("20", 7), ("23", 7), ("112", 6)), MONTH),
    **dict.fromkeys((("102", 7), ("111", 7)), MONTH),
    **dict.fromkeys((("120", 4), ("121", 4), ("112", 4), ("20", 4), ("23", 4)), YEAR),
}
_LENGTHS = {7: MONTH, 4: YEAR}
_PARTS = {"YEAR": YEAR, "YYYY": YEAR, "YY": YEAR, "MONTH": MONTH, "MM": MONTH, "M": MONTH}
_TIMES = (exp.TsOrDsToTimestamp, exp.TimeStrToTime, exp.TsOrDsToDate, exp.Paren)


def cut_of(node: exp.Expr) -> tuple[exp.Expr, str] | None:
    """The time that an expression cuts to its month or year, and to which; None when it does
    something else."""
    found = _cut(node)
    if found is None:
        return None
    inner, unit = found
    while isinstance(inner, _TIMES):
        inner = inner.this
    return inner, unit


def _cut(node: exp.Expr) -> tuple[exp.Expr, str] | None:
    if isinstance(node, exp.Paren):
        return _cut(node.this)
    if isinstance(node, (exp.TimestampTrunc, exp.DateTrunc)):
        unit = node.args.get("unit")
        kind = _UNITS.get(unit.name.upper()) if unit is not None else None
        return (node.this, kind) if kind is not None else None
    if isinstance(node, (exp.TimeToStr, exp.ToChar)):
        form = node.args.get("format")
        kind = _FORMS.get(str(form.this)) if isinstance(form, exp.Literal) else None
        return (node.this, kind) if kind is not None else None
    if isinstance(node, exp.Convert):
        style, kind_of = node.args.get("style"), node.this
        size = kind_of.expressions[0].name if kind_of.expressions else ""
        key = (style.name if style is not None else "", int(size) if size.isdigit() else 0)
        kind = _STYLES.get(key)
        return (node.expression, kind) if kind is not None else None
    if isinstance(node, exp.Extract) and node.this.name.upper() == "YEAR_MONTH":
        return node.expression, MONTH
    if isinstance(node, (exp.Left, exp.Substring)):
        return _head(node)
    part = part_of(node)
    return (part[0], YEAR) if part is not None and part[1] == YEAR else None


def _head(node: exp.Left | exp.Substring) -> tuple[exp.Expr, str] | None:
    """`LEFT(x, 7)`, `SUBSTR(x, 1, 7)` of a time written in the ISO way."""
    if isinstance(node, exp.Left):
        size = node.expression
    else:
        start, size = node.args.get("start"), node.args.get("length")
        if not isinstance(start, exp.Literal) or start.name not in {"0", "1"}:
            return None
    if not isinstance(size, exp.Literal) or not size.name.isdigit():
        return None
    inner: exp.Expr = node.this
    while isinstance(inner, (exp.Cast, exp.Paren)):
        inner = inner.this
    kind = _LENGTHS.get(int(size.name))
    return (inner, kind) if kind is not None and isinstance(inner, exp.Column) else None


def part_of(node: exp.Expr) -> tuple[exp.Expr, str] | None:
    """The time whose year or month alone an expression is: `YEAR(x)`, `DATEPART(month, x)`."""
    if isinstance(node, (exp.Year, exp.Month)):
        inner, kind = node.this, YEAR if isinstance(node, exp.Year) else MONTH
    elif isinstance(node, exp.Extract) and node.this.name.upper() in _PARTS:
        inner, kind = node.expression, _PARTS[node.this.name.upper()]
    else:
        return None
    while isinstance(inner, (*_TIMES, exp.Cast)):
        inner = inner.this
    return inner, kind


def days_of(text: str | None, unit: str) -> tuple[str, str] | None:
    """The first and the last day of the month or year that a text names."""
    found = re.match(r"\s*(\d{4})\D?(\d{1,2})?", text or "")
    if found is None or (unit == MONTH and found[2] is None):
        return None
    year = int(found[1])
    if unit == YEAR:
        return days_between(year, year, 1, 12)
    return days_between(year, year, int(found[2]), int(found[2]))


def days_between(first: int, last: int, start: int, end: int) -> tuple[str, str] | None:
    """From the first day of a month of a year to the last day of a month of a year."""
    if not (1 <= first <= 9999 and 1 <= last <= 9999 and 1 <= start <= 12 and 1 <= end <= 12):
        return None
    length = calendar.monthrange(last, end)[1]
    return f"{first:04}-{start:02}-01", f"{last:04}-{end:02}-{length:02}"


# ------------------------------------------------------------------ known dates


def written(at: datetime) -> str:
    """A moment as text: the day alone when it is midnight."""
    whole = not (at.hour or at.minute or at.second)
    return at.date().isoformat() if whole else at.isoformat(" ", "seconds")


def read(text: str, form: str) -> str | None:
    """A date written in a strptime format, in the ISO way."""
    try:
        return written(datetime.strptime(text.strip(), form))
    except (ValueError, re.error):  # a format that says the month twice
        return None


_SECONDS = {"SECOND": 1, "MINUTE": 60, "HOUR": 3600, "DAY": 86_400, "WEEK": 604_800}
_SHORT = {"D": "DAY", "DD": "DAY", "H": "HOUR", "HH": "HOUR", "MI": "MINUTE", "S": "SECOND"}
_SHORT |= {"SS": "SECOND", "WK": "WEEK", "WW": "WEEK", "M": "MONTH", "MM": "MONTH"}
_SHORT |= {"Y": "YEAR", "YY": "YEAR", "YYYY": "YEAR", "N": "MINUTE", "Q": "QUARTER"}
_MONTHS = {"MONTH": 1, "QUARTER": 3, "YEAR": 12}


def moved(text: str | None, amount: float, unit: str) -> str | None:
    """A known date or time some days, months … later; None when it cannot be told."""
    found = moment(text) if text is not None else None
    name = unit.upper()
    name = _SHORT.get(name, name.removesuffix("S"))
    if found is None:
        return None
    at = found[0]
    try:
        if name in _SECONDS:
            return written(at + timedelta(seconds=amount * _SECONDS[name]))
        if name not in _MONTHS or amount != int(amount):
            return None
        months = at.year * 12 + at.month - 1 + int(amount) * _MONTHS[name]
        year, month = divmod(months, 12)
        day = min(at.day, calendar.monthrange(year, month + 1)[1])
        return written(at.replace(year=year, month=month + 1, day=day))
    except (ValueError, OverflowError):
        return None


def month_end(text: str | None) -> str | None:
    """The last day of the month that a known date is in."""
    found = moment(text) if text is not None else None
    if found is None:
        return None
    at = found[0]
    return f"{at:%Y-%m}-{calendar.monthrange(at.year, at.month)[1]:02}"


def interval(text: str) -> tuple[float, str] | None:
    """`1 month`, `+1 month`, `3 days`: how much of what."""
    found = re.fullmatch(r"\s*([+-]?\d+(?:\.\d+)?)\s*([A-Za-z]+)\s*", text)
    return (float(found[1]), found[2]) if found is not None else None
