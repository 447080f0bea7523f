"""The navigation entries, home cards and home panels of this app."""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.db.models import Count, Q
from django.db.models.functions import TruncDate
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from qingfang.access import routes
from qingfang.people import policy as people
from qingfang.people.gate import person_of
from qingfang.review import coverage, ingest, policy
from qingfang.review.models import Alert
from qingfang.review.tables import told
from qingfang.ui import attention
from qingfang.ui.navigation import Entry
from qingfang.ui.navigation import register as add
from qingfang.ui.templatetags.ui import VERDICTS

CHART_DAYS = 14
COLOURS = {"deny": "#d63939", "mask": "#ae3ec9", "alert": "#f76707", "review": "#f59f00"}


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


def _panels(request: HttpRequest) -> list[attention.Panel]:
    if not people.may(request.user, policy.SEE_ALERTS):
        return []
    visible = policy.access_alerts(person_of(request))
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
    chart = {
        "days": [day.strftime("%m-%d") for day in days],
        "series": [
            {
                "name": str(VERDICTS[verdict][0]),
                "colour": colour,
                "values": [by_day.get((day, verdict), 0) for day in days],
            }
            for verdict, colour in COLOURS.items()
        ],
    }
    latest = [
        {"alert": alert, "told": told(alert)}
        for alert in visible.filter(disposition=Alert.Disposition.OPEN).order_by("-at", "-pk")[:6]
    ]
    return [("review/home.html", {"chart": chart, "latest": latest, "days": CHART_DAYS})]


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
    )


def register() -> None:
    add(
        Entry(10, "alerts", _("告警"), "bell", lambda r: people.may(r.user, policy.SEE_ALERTS)),
        Entry(
            50, "coverage", _("覆盖情况"), "eye", lambda r: people.may(r.user, policy.SEE_COVERAGE)
        ),
    )
    attention.register(cards=_cards, panels=_panels)
    routes.counted_by(_forecast)
