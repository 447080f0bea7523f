"""Which expressions cut a time to its day, in the dialects' many ways.

Rules this module keeps:

1. Only what keeps two times of one day equal and two days apart is a cut to the day: a month's
   form, or a time of day, is none.
"""

from __future__ import annotations

from sqlglot import exp

DAY_UNITS = frozenset({"DAY", "DD", "DDD", "J", "D"})
_ISO_STYLES = frozenset({"20", "23", "112", "120", "121", "12", "102", "111", "11", "2"})
# Styles of CONVERT that say the day and nothing else, whatever the length.
_DATE_STYLES = frozenset({"23", "112", "102", "111"})
_PARTS = (
    ("%Y", "%m", "%d"),
    ("%y", "%m", "%d"),
    ("%Y", "%j"),
)


def day_of(node: exp.Expr) -> exp.Expr | None:
    """The time that an expression cuts to its day, None when it does something else."""
    if isinstance(node, exp.Paren):
        return day_of(node.this)
    inner = _cut(node)
    while isinstance(inner, (exp.TsOrDsToTimestamp, exp.TimeStrToTime, exp.TsOrDsToDate)):
        inner = inner.this
    return inner


def _cut(node: exp.Expr) -> exp.Expr | None:
    if isinstance(node, (exp.Cast, exp.TryCast)):
        return node.this if node.to.this is exp.DType.DATE else None
    if isinstance(node, (exp.Date, exp.TsOrDsToDate)):
        return node.this
    if isinstance(node, (exp.TimestampTrunc, exp.DateTrunc)):
        unit = node.args.get("unit")
        return node.this if unit is not None and unit.name.upper() in DAY_UNITS else None
    if isinstance(node, exp.Trunc) and node.args.get("decimals") is None:
        return node.this
    if isinstance(node, exp.Anonymous) and node.name.upper() == "TRUNC":
        parts = node.expressions
        whole = len(parts) == 1 or (len(parts) == 2 and parts[1].name.upper() in DAY_UNITS)
        return parts[0] if whole else None
    if isinstance(node, (exp.TimeToStr, exp.ToChar)):
        form = node.args.get("format")
        return node.this if isinstance(form, exp.Literal) and _is_day(str(form.this)) else None
    if isinstance(node, exp.Convert):
        return node.expression if _converts_to_day(node) else None
    if isinstance(node, (exp.Left, exp.Substring)):
        return _first_ten(node)
    if isinstance(node, exp.Add):
        return _days_since(node)
    if isinstance(node, exp.DateAdd):
        return _days_added(node)
    return None


def _is_day(form: str) -> bool:
    """Whether a format tells the day: `%Y-%m-%d`, Oracle's `YYYY-MM-DD`."""
    if "%" in form:
        return any(all(part in form for part in parts) for parts in _PARTS)
    upper = form.upper()
    return ("YY" in upper or "RR" in upper) and (
        "DDD" in upper or ("MM" in upper and "DD" in upper)
    )


def _converts_to_day(node: exp.Convert) -> bool:
    """T-SQL: `CONVERT(varchar(10), x, 120)` is the first ten characters of an ISO time."""
    kind = node.this
    if not isinstance(kind, exp.DataType):
        return False
    if kind.this is exp.DType.DATE:
        return True
    style = node.args.get("style")
    if not isinstance(style, exp.Literal) or style.name not in _ISO_STYLES:
        return False
    if style.name in _DATE_STYLES and not kind.expressions:
        return True
    size = kind.expressions[0].name if kind.expressions else ""
    if style.name in {"112", "12"}:
        return size.isdigit() and int(size) >= (8 if style.name == "112" else 6)
    if style.name in {"2", "11"}:
        return size == "8"
    return size == "10" or (style.name in _DATE_STYLES and size.isdigit() and int(size) > 10)


def _first_ten(node: exp.Left | exp.Substring) -> exp.Expr | None:
    """`LEFT(x, 10)`, `SUBSTR(x, 1, 10)` of a time written in the ISO way."""
    if isinstance(node, exp.Left):
        size = node.expression
    else:
        start = node.args.get("start")
        size = node.args.get("length")
        if not isinstance(start, exp.Literal) or start.name not in {"0", "1"}:
            return None
    if not isinstance(size, exp.Literal) or size.name != "10":
        return None
    inner: exp.Expr = node.this
    while isinstance(inner, (exp.Cast, exp.Paren)):
        inner = inner.this
    if isinstance(inner, exp.Convert):
        style = inner.args.get("style")
        iso = isinstance(style, exp.Literal) and style.name in {"20", "120", "121", "23"}
        return inner.expression if iso else None
    if isinstance(inner, exp.TimeToStr):
        form = inner.args.get("format")
        iso = isinstance(form, exp.Literal) and str(form.this).startswith("%Y-%m-%d")
        return inner.this if iso else None
    return inner if isinstance(inner, exp.Column) else None


def _days_since(node: exp.Add) -> exp.Expr | None:
    """MySQL's `TO_DAYS(x)`, as the parser writes it: days since the year 0, and one."""
    count = node.left
    if not isinstance(count, exp.DateDiff) or not isinstance(count.expression, exp.TsOrDsToDate):
        return None
    since = count.expression.this
    if not isinstance(since, exp.Literal) or since.name != "0000-01-01":
        return None
    return count.this


def _days_added(node: exp.DateAdd) -> exp.Expr | None:
    """T-SQL's `DATEADD(day, DATEDIFF(day, 0, x), 0)`."""
    return counted_from(node, node.expression)


def counted_from(node: exp.DateAdd, count: exp.Expr) -> exp.Expr | None:
    """The time whose days since the first one `count` is, when `node` adds them to the first again;
    None when it is something else."""
    if not isinstance(count, exp.DateDiff) or not isinstance(node.this, exp.Literal):
        return None
    units = [part.args.get("unit") for part in (node, count)]
    if any(unit is None or unit.name.upper() not in DAY_UNITS for unit in units):
        return None
    since = count.expression
    while isinstance(since, (exp.TimeStrToTime, exp.TsOrDsToDate)):
        since = since.this
    zero = isinstance(since, exp.Literal) and since.name in {"0", "1900-01-01"}
    return _unwrapped(count.this) if zero and node.this.name == "0" else None


def _unwrapped(node: exp.Expr) -> exp.Expr:
    while isinstance(node, (exp.TimeStrToTime, exp.TsOrDsToTimestamp)):
        node = node.this
    return node
