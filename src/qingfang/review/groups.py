"""Alerts that a list shows as one: the same sender doing the same kind of thing again and again.

Who reads three hundred prescribers one by one makes hundreds of alerts; the list shows one line with
their number, the first and the last time, and how many prescribers and items came together. Each
stays an alert of its own, with its own reading, notes and ruling.

Rules this module keeps:

1. Never one line for what differs in what was decided (denied, masked, alerted, for review), in how
   urgent it is, or in what was learned (grain, whose rows, returned or stored).
2. The sender is the operator at one terminal with one program and account; where the operator is
   unknown, one connection, because others may sit behind the same address.
3. A group goes on while the next alert comes within `PAUSE` and ends a day after it began.
4. What is grouped is what the person may see and has filtered, so that a count never tells of an
   alert that its list would not show.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from django.db import connection
from django.db.models import Count, Max, Min, Q, QuerySet, Sum

from qingfang.review.models import Alert

PAUSE = dt.timedelta(minutes=30)
LONGEST = dt.timedelta(days=1)


def likeness(alert: Alert) -> str:
    """What alerts of one group have in common, as a digest."""
    meaning: dict[str, Any] = alert.event.get("meaning") or {}
    what: Sequence[Any] = ()
    if alert.event.get("kind") == "coverage":
        what = alert.event.get("codes") or alert.event.get("reasons") or ()
    else:
        grain = meaning.get("grain") or meaning.get("session_grain") or meaning.get("person_grain")
        # What only earlier statements make of it is told apart from what it says by itself.
        pieced = meaning.get("session_disclosure") or meaning.get("person_disclosure")
        own = alert.disclosure == "usage" or pieced
        what = (alert.disclosure, own, grain, meaning.get("subtype"), meaning.get("delivery"))
    sender = alert.operator or alert.connection
    where = alert.terminal or alert.client.rsplit(":", 1)[0]
    parts = (
        (alert.verdict, alert.would, alert.answered_as, alert.severity, what, sender, where),
        (alert.program, alert.account, alert.database, alert.server),
    )
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:32]


class Grouping:
    """Gives alerts their groups, oldest first, for one commit."""

    def __init__(self) -> None:
        # By likeness: the group, when it began, and when its last alert came.
        self._going: dict[str, tuple[str, dt.datetime, dt.datetime]] = {}

    def put(self, alert: Alert) -> None:
        alert.likeness = likeness(alert)
        going = self._going.get(alert.likeness) or self._stored(alert.likeness)
        if going is None or abs(alert.at - going[2]) > PAUSE or alert.at - going[1] > LONGEST:
            going = (alert.number, alert.at, alert.at)
        alert.group = going[0]
        self._going[alert.likeness] = (going[0], going[1], max(going[2], alert.at))

    @staticmethod
    def _stored(likeness_: str) -> tuple[str, dt.datetime, dt.datetime] | None:
        last = Alert.objects.filter(likeness=likeness_).order_by("-id").only("group", "at").first()
        if last is None:
            return None
        began = Alert.objects.filter(number=last.group).values_list("at", flat=True).first()
        return last.group, began or last.at, last.at


def newest(alerts: QuerySet[Alert]) -> QuerySet[Alert]:
    """Of each group the alert that came last, among these alerts.

    By grouping and not by «there is none later»: that one costs the square of a group when the
    database has no statistics of the table yet."""
    last = alerts.order_by().values("group").annotate(last=Max("pk")).values("last")
    return alerts.filter(pk__in=last)


class Summary:
    """What a group comes to: `count` alerts, `unruled` of them not ruled on, `first` to `last`,
    `rows` returned (None: not known of any), numbers of distinct `items` and `prescribers`."""

    __slots__ = ("count", "first", "items", "last", "prescribers", "rows", "unruled")

    def __init__(
        self, count: int, unruled: int, first: dt.datetime, last: dt.datetime, rows: int | None
    ) -> None:
        self.count, self.unruled, self.first, self.last, self.rows = (
            count,
            unruled,
            first,
            last,
            rows,
        )
        self.items = self.prescribers = 0


def summaries(alerts: QuerySet[Alert], shown: Iterable[Alert]) -> dict[str, Summary]:
    """The groups of more than one alert that the alerts `shown` stand for, by group."""
    members = alerts.order_by().filter(group__in={a.group for a in shown})
    found = {
        row["group"]: Summary(row["n"], row["unruled"], row["first"], row["last"], row["all_rows"])
        for row in members.values("group").annotate(
            n=Count("pk"),
            unruled=Count("pk", filter=Q(disposition=Alert.Disposition.OPEN)),
            first=Min("at"),
            last=Max("at"),
            all_rows=Sum("rows"),
        )
        if row["n"] > 1
    }
    if found:
        for group, items, prescribers in _distinct(members.filter(group__in=found)):
            found[group].items, found[group].prescribers = items, prescribers
    return found


def _distinct(members: QuerySet[Alert]) -> list[tuple[str, int, int]]:
    """By group, how many items and prescribers its alerts select, each counted once."""
    sql, given = members.values("group", "items", "prescribers").query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH member(likes, items, prescribers) AS ({sql}), code(likes, item, prescriber) AS ("  # noqa: S608 # the ORM's own text; values are in `given`
            " SELECT likes, unnest(items), NULL FROM member UNION"
            " SELECT likes, NULL, unnest(prescribers) FROM member)"
            " SELECT likes, count(item), count(prescriber) FROM code GROUP BY likes",
            given,
        )
        return cursor.fetchall()
