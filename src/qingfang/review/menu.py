"""The navigation entries, home cards and home panels of this app."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.conf import settings
from django.db.models import Count, Q
from django.db.models.functions import TruncDate
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from qingfang.access import routes, seen
from qingfang.people import facts
from qingfang.people import policy as people
from qingfang.people.gate import person_of
from qingfang.people.models import Person, Terminal
from qingfang.review import coverage, groups, ingest, policy, queue, tables
from qingfang.review.meaning import words
from qingfang.review.models import Alert, OpaqueTemplate
from qingfang.review.names import Naming
from qingfang.ui import attention, charts
from qingfang.ui.navigation import Entry, register_tabs
from qingfang.ui.navigation import register as add
from qingfang.ui.templatetags.ui import VERDICTS

CHART_DAYS = 14
LATEST = 6
DEPARTMENTS = 8
HOURS = 24
CHARTED = ("deny", "mask", "alert", "review")


def _cards(request: HttpRequest) -> list[attention.Card]:
    cards = []
    if people.may(request.user, policy.SEE_ALERTS):
        person = person_of(request)
        visible = policy.access_alerts(person)
        url = reverse("alerts")
        opened = visible.filter(disposition=Alert.Disposition.OPEN).exclude(verdict="review")
        if people.may(person, policy.SEE_ALL_ALERTS):
            cards.append(
                attention.Card(
                    _now("待定性的告警"), opened.count(), f"{url}?disposition=open", "red", "bell"
                )
            )
            doubtful = visible.filter(disposition=Alert.Disposition.OPEN, verdict="review").count()
            high = opened.filter(severity=3).count()
            cards.append(
                attention.Card(
                    _now("其中级别高的"),
                    high,
                    f"{url}?disposition=open&severity=3",
                    "red",
                    "alert-triangle",
                )
            )
            cards.append(
                attention.Card(
                    _now("读不准、待查的语句"),
                    doubtful,
                    f"{url}?disposition=open&verdict=review",
                    "yellow",
                    "search",
                )
            )
        else:
            mine = opened.filter(notes__isnull=True).count()
            cards.append(attention.Card(_now("等我查证的告警"), mine, url, "orange", "bell"))
    if people.may(request.user, policy.SEE_COVERAGE):
        blind = coverage.report(settings.QINGFANG, timezone.now()).blind
        cards.append(
            attention.Card(_now("看不见的地方"), blind, reverse("coverage"), "yellow", "eye-off")
        )
    return cards


def _unread(_request: HttpRequest) -> int:
    return queue.waiting().count()


def _panels(request: HttpRequest) -> list[attention.Panel]:
    if not people.may(request.user, policy.SEE_ALERTS):
        return []
    person = person_of(request)
    visible = policy.access_alerts(person)
    today = timezone.localdate()
    days = [today - dt.timedelta(days=n) for n in range(CHART_DAYS - 1, -1, -1)]
    start = timezone.make_aware(dt.datetime.combine(days[0], dt.time()))
    counted = (
        visible.filter(at__gte=start)
        .annotate(day=TruncDate("at"))
        .values("day", "verdict")
        .annotate(n=Count("pk"))
        .order_by()
    )
    by_day = {(row["day"], row["verdict"]): row["n"] for row in counted}
    chart = charts.columns(
        _now("每天的告警数"),
        [day.strftime("%m-%d") for day in days],
        [
            charts.Series(
                str(VERDICTS[verdict][0]),
                f"chart-{verdict}",
                [by_day.get((day, verdict), 0) for day in days],
            )
            for verdict in CHARTED
        ],
    )
    departments = [
        (row["department"] or _now("不知道是谁"), row["n"])
        for row in visible.filter(at__gte=start)
        .exclude(verdict="review")
        .order_by()
        .values("department")
        .annotate(n=Count("pk"))
        .order_by("-n", "department")[:DEPARTMENTS]
    ]
    unruled = visible.filter(disposition=Alert.Disposition.OPEN)
    newest = list(groups.newest(unruled).order_by("-at", "-pk")[:LATEST])
    naming = Naming(settings.QINGFANG, person, newest)
    found = groups.summaries(unruled, newest)
    latest = [
        {
            "alert": alert,
            "told": tables.told(alert, naming),
            "together": tables.together(found[alert.group]) if alert.group in found else "",
        }
        for alert in newest
    ]
    told = {
        "chart": chart,
        "departments": charts.ranks(departments, "chart-alert") if departments else "",
        "latest": latest,
        "days": CHART_DAYS,
    }
    return [("review/home.html", told)]


def _volume(request: HttpRequest) -> list[attention.Panel]:
    if not people.may(request.user, policy.SEE_COVERAGE):
        return []
    return [
        ("review/volume.html", {"chart": coverage.chart(timezone.now(), HOURS), "hours": HOURS})
    ]


def _forecast(server: str, span: dt.timedelta) -> routes.Forecast:
    """What enforcing would have alarmed about, and what of it was let through by observing. A
    statement for review is no alarm, unless enforcing would have stopped it."""
    seen = Alert.objects.filter(at__gte=timezone.now() - span, server=server)
    let_through = seen.filter(would__in=ingest.STOPPING)
    alarms = seen.filter(Q(would__in=ingest.STOPPING) | Q(verdict__in=ingest.TOLD))
    return routes.Forecast(
        let_through.count(),
        let_through.values("operator").distinct().count(),
        alarms.count(),
        *queue.operators(server, span),
    )


def _statement(person: Person, pk: int) -> seen.Statement | None:
    alert = policy.access_alerts(person).filter(pk=pk).first()
    if alert is None:
        return None
    return seen.Statement(
        alert.event["sql"],
        alert.event.get("fingerprint", ""),
        operator=alert.operator,
        terminal=alert.terminal,
        program=alert.program,
        account=alert.account,
    )


def _template(person: Person, pk: int) -> seen.Statement | None:
    if not people.may(person, policy.SEE_QUEUE):
        return None
    row = OpaqueTemplate.objects.filter(pk=pk).first()
    if row is None:
        return None

    def most(counted: dict[str, int]) -> str:
        return max(counted, key=lambda name: counted[name], default="")

    terminal = most(row.terminals)
    return seen.Statement(
        row.text,
        row.digest,
        operator=most(row.operators),
        terminal=terminal if Terminal.objects.filter(name=terminal).exists() else "",
        program=most(row.programs),
        account=most(row.accounts),
        opaque=True,
    )


def _before_or_after(value: Any) -> object:
    """A ruling's disposition, or the values of a changed record by field."""
    if isinstance(value, str):
        called = {str(code): label for code, label in Alert.Disposition.choices}
        return called.get(value, value)
    return facts.changed(value)


def register() -> None:
    add(
        Entry(10, "alerts", _("告警"), "bell", lambda r: people.may(r.user, policy.SEE_ALERTS)),
        Entry(
            12,
            "opaque",
            _("读不懂的"),
            "search",
            lambda r: people.may(r.user, policy.SEE_QUEUE),
            _unread,
        ),
        Entry(
            50, "coverage", _("覆盖情况"), "eye", lambda r: people.may(r.user, policy.SEE_COVERAGE)
        ),
    )
    register_tabs(
        "office",
        Entry(
            7,
            "catalogues",
            _("表的含义"),
            "columns",
            lambda r: people.may(r.user, policy.SEE_CATALOGUES),
        ),
    )
    attention.register(cards=_cards, panels=_panels)
    attention.register(panels=_volume)
    facts.declare("query", tables.asked)
    facts.declare("table_kind", {kind: label for kind, (label, _key) in words.KINDS.items()})
    facts.declare("before", _before_or_after)
    facts.declare("after", _before_or_after)
    routes.counted_by(_forecast)
    seen.told_by(alert=_statement, template=_template)
