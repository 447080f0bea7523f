"""Template tags of all pages: icons, times, durations, badges, SQL with its decisive parts marked.

Rules this module keeps:

1. Everything that came over the wire is escaped here; nothing is marked safe before.
2. Times are shown in Asia/Shanghai (the console's zone), to the second, the moment itself in the
   machine-readable attribute.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterable, Mapping
from typing import Any

from django import template
from django.http import HttpRequest
from django.templatetags.static import static
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.timezone import localtime
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from qingfang.ui import navigation

register = template.Library()

VERDICTS = {
    "pass": (_lazy("放行"), "secondary", "check"),
    "log": (_lazy("记录"), "azure", "history"),
    "review": (_lazy("待查"), "yellow", "eye"),
    "alert": (_lazy("已告警"), "orange", "bell"),
    "mask": (_lazy("已遮蔽"), "purple", "eye-off"),
    "deny": (_lazy("已拦截"), "red", "ban"),
}
SEVERITIES = {
    0: (_lazy("无"), "secondary"),
    1: (_lazy("低"), "azure"),
    2: (_lazy("中"), "orange"),
    3: (_lazy("高"), "red"),
}


@register.simple_tag
def icon(name: str, css: str = "") -> SafeString:
    return format_html(
        '<svg class="icon {}" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        css,
        static("vendor/icons.svg"),
        name,
    )


@register.simple_tag
def navigation_entries(request: HttpRequest) -> list[dict[str, object]]:
    return navigation.for_request(request)


@register.filter
def moment(value: dt.datetime | None) -> str:
    """`2026-03-01 08:00:00`"""
    if value is None:
        return ""
    local = localtime(value)
    return format_html(
        '<time datetime="{}" class="text-nowrap">{}</time>',
        value.isoformat(),
        local.strftime("%Y-%m-%d %H:%M:%S"),
    )


@register.filter
def duration(seconds: float | None) -> str:
    """A number of seconds in the largest unit that fits."""
    if seconds is None:
        return ""
    if seconds < 1:
        return _("%(n)d 毫秒") % {"n": round(seconds * 1000)}
    whole = int(seconds)
    if whole >= 86400:
        n = whole // 86400
        return ngettext("%(n)d 天", "%(n)d 天", n) % {"n": n}
    if whole >= 3600:
        n = whole // 3600
        return ngettext("%(n)d 小时", "%(n)d 小时", n) % {"n": n}
    if whole >= 60:
        n = whole // 60
        return ngettext("%(n)d 分钟", "%(n)d 分钟", n) % {"n": n}
    return ngettext("%(n)d 秒", "%(n)d 秒", whole) % {"n": whole}


@register.filter
def ago(value: dt.datetime | None) -> str:
    if value is None:
        return _("从未")
    seconds = (dt.datetime.now(dt.UTC) - value).total_seconds()
    if seconds < 1:
        return _("刚刚")
    return _("%(time)s前") % {"time": duration(seconds)}


@register.simple_tag
def verdict_badge(verdict: str) -> SafeString:
    label, colour, symbol = VERDICTS.get(verdict, (verdict, "secondary", "eye"))
    return format_html(
        '<span class="badge bg-{}-lt">{} {}</span>', colour, icon(symbol, "icon-badge"), label
    )


@register.simple_tag
def severity_badge(severity: int) -> SafeString:
    label, colour = SEVERITIES.get(severity, (str(severity), "secondary"))
    return format_html(
        '<span class="severity"><span class="status-dot bg-{}" aria-hidden="true"></span> {}</span>',
        colour,
        label,
    )


@register.filter
def marked_sql(sql: str, reasons: Iterable[Mapping[str, Any]]) -> SafeString:
    """The statement with the parts that the reasons rest on marked and numbered as the reasons are.
    Offsets count code points, end exclusive; those outside the text are cut to it; parts may
    overlap."""
    spans = []
    for number, reason in enumerate(reasons, 1):
        start = max(0, min(int(reason.get("start", 0)), len(sql)))
        end = max(start, min(int(reason.get("end", 0)), len(sql)))
        if end > start:
            spans.append((start, end, number))
    edges = sorted({0, len(sql), *(s for s, _e, _n in spans), *(e for _s, e, _n in spans)})
    out: list[str] = []
    for left, right in itertools.pairwise(edges):
        numbers = [n for s, e, n in spans if s <= left and right <= e]
        text = escape(sql[left:right])
        if numbers:
            ends = [str(n) for s, e, n in spans if e == right]
            notes = f"<sup>{','.join(ends)}</sup>" if ends else ""
            out.append(f'<mark class="decisive">{text}{notes}</mark>')
        else:
            out.append(text)
    return mark_safe("".join(out))  # noqa: S308 # every part of the text was escaped above


@register.filter
def thousands(value: int | None) -> str:
    """`12,345`; a dash for what is not known."""
    return "—" if value is None else f"{value:,}"


@register.simple_tag
def other_language() -> dict[str, str]:
    """The language the switch leads to."""
    if (get_language() or "").startswith("en"):
        return {"code": "zh-hans", "name": "中文"}
    return {"code": "en", "name": "English"}


@register.simple_tag
def render_cell(column: Any, value: object) -> str:
    """A cell of a table: as the column renders it, else as text."""
    if column.render is not None:
        return column.render(value)
    return format_html("{}", "" if value is None else value)
