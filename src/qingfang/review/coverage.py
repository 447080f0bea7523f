"""What is seen, what is blind: from the engine's words and the configuration.

A way of seeing is blind when it says so, when it has not spoken for `SILENT`, or when it was never
heard of. Blindness is said in words, never by an empty place.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

import msgspec
from django.db import transaction
from django.db.models import F, Sum
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from qingfang.config import Config
from qingfang.engine.status import Process
from qingfang.events import Coverage
from qingfang.review.models import CoverageRow, NamesRead, ProcessRow, Volume
from qingfang.review.names import PROBLEMS
from qingfang.ui import charts

SILENT = dt.timedelta(seconds=60)
HOUR_US = 3_600_000_000
HOURS = 48


def receive(rows: Iterable[Coverage]) -> None:
    """Keep the newest word of each way of seeing, and how many statements it saw since the last."""
    with transaction.atomic():
        for said in rows:
            row = _count(said)
            CoverageRow.objects.update_or_create(
                kind=row.kind,
                name=row.name,
                node=row.node,
                defaults={
                    "database": row.database,
                    "at": dt.datetime.fromtimestamp(row.at_us / 1e6, dt.UTC),
                    "body": msgspec.to_builtins(row),
                },
            )


def receive_processes(rows: Iterable[Process], now: dt.datetime) -> None:
    """Keep the newest word of each process; one that is configured no longer is forgotten."""
    told = list(rows)
    with transaction.atomic():
        for row in told:
            ProcessRow.objects.update_or_create(
                node=row.node,
                name=row.name,
                defaults={"at": now, "body": msgspec.to_builtins(row)},
            )
        for node in {row.node for row in told}:
            there = [row.name for row in told if row.node == node]
            ProcessRow.objects.filter(node=node).exclude(name__in=there).delete()


class Part:
    """One process as the page shows it; `problem` empty means that it runs and is heard."""

    def __init__(self, said: Process, heard_at: dt.datetime, now: dt.datetime) -> None:
        self.said, self.heard_at = said, heard_at
        self.since = _moment(said.since_us)
        self.died = _moment(said.died_us) if said.died_us is not None else None
        self.away_s = said.away_us / 1e6
        self.problem = ""
        if now - heard_at > SILENT:
            self.problem = _("失去联系：不再报告状态。")
        elif said.state == "down":
            self.problem = _("已停止，正在重新启动：%(why)s。") % {"why": said.why}


def _moment(at_us: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(at_us / 1e6, dt.UTC)


def _count(row: Coverage) -> Coverage:
    """Count what came since the last word. A start of the engine has not seen when the last statement
    came; what was seen before it is kept in the word given back."""
    before = CoverageRow.objects.filter(kind=row.kind, name=row.name, node=row.node).first()
    known = 0
    if before is not None:
        said = msgspec.convert(before.body, Coverage)
        # The count begins anew when the engine does.
        if said.since_us == row.since_us and said.statements <= row.statements:
            known = said.statements
        if row.last_us is None:
            row = msgspec.structs.replace(row, last_us=said.last_us)
    hour = dt.datetime.fromtimestamp(row.at_us // HOUR_US * HOUR_US / 1e6, dt.UTC)
    made, _new = Volume.objects.get_or_create(
        kind=row.kind, name=row.name, node=row.node, hour=hour, defaults={"database": row.database}
    )
    if row.statements > known:
        Volume.objects.filter(pk=made.pk).update(
            statements=F("statements") + row.statements - known
        )
    return row


def volume(now: dt.datetime, hours: int, database: str = "") -> list[tuple[dt.datetime, int]]:
    """Statements seen in each of the last `hours` hours, this one included, oldest first."""
    this = dt.datetime.fromtimestamp(int(now.timestamp() * 1e6) // HOUR_US * HOUR_US / 1e6, dt.UTC)
    span = [this - dt.timedelta(hours=n) for n in range(hours - 1, -1, -1)]
    rows = Volume.objects.filter(hour__gte=span[0])
    if database:
        rows = rows.filter(database=database)
    found = dict(rows.order_by().values_list("hour").annotate(Sum("statements")))
    return [(hour, found.get(hour, 0)) for hour in span]


def chart(now: dt.datetime, hours: int, database: str = "") -> SafeString:
    """The hours' statements as columns; of a database that is not seen they are empty."""
    seen = volume(now, hours, database)
    return charts.columns(
        _("每小时看到的语句数"),
        [localtime(hour).strftime("%H:%M") for hour, _n in seen],
        [charts.Series(_("语句"), "chart-statements", [n for _hour, n in seen])],
    )


class Way:
    """One route or tap as the page shows it; `problems` empty means that it sees everything."""

    def __init__(self, kind: str, name: str, database: str) -> None:
        self.kind, self.name, self.database = kind, name, database
        self.nodes: list[Coverage] = []
        self.heard_at: dt.datetime | None = None
        self.problems: list[str] = []

    @property
    def statements(self) -> int:
        return sum(c.statements for c in self.nodes)

    @property
    def connections(self) -> int:
        return sum(c.connections for c in self.nodes)

    @property
    def last(self) -> dt.datetime | None:
        moments = [c.last_us for c in self.nodes if c.last_us is not None]
        return dt.datetime.fromtimestamp(max(moments) / 1e6, dt.UTC) if moments else None


class Seen:
    """One protected database with its ways of seeing."""

    def __init__(self, name: str, address: str) -> None:
        self.name, self.address = name, address
        self.ways: list[Way] = []
        self.names: NamesRead | None = None

    def chart(self) -> SafeString:
        return chart(timezone.now(), HOURS, self.name)

    @property
    def names_problem(self) -> str:
        """Why the names of codes could not be read, in words."""
        if self.names is None or not self.names.problem:
            return ""
        return str(PROBLEMS.get(self.names.problem, self.names.problem))

    @property
    def blind(self) -> bool:
        return not self.ways or any(way.problems for way in self.ways)


class Report:
    def __init__(
        self, databases: list[Seen], unregistered: list[str], processes: list[Part]
    ) -> None:
        self.databases, self.unregistered = databases, unregistered
        self.processes = processes

    @property
    def blind(self) -> int:
        """How many things are not seen."""
        away = sum(bool(part.problem) for part in self.processes)
        return sum(d.blind for d in self.databases) + len(self.unregistered) + away


def _problems(way: Way, now: dt.datetime) -> list[str]:
    found: list[str] = []
    if way.heard_at is None:
        return [_("从未收到状态：没有启动，或者引擎没有运行。")]
    if now - way.heard_at > SILENT:
        found.append(_("失去联系：不再报告状态。"))
    for said in way.nodes:
        if not said.running:
            found.append(_("已停止运行。"))
        if said.encrypted and way.kind == "tap":
            found.append(
                ngettext(
                    "%(n)d 个加密连接，内容看不见。",
                    "%(n)d 个加密连接，内容看不见。",
                    said.encrypted,
                )
                % {"n": said.encrypted}
            )
        if said.lost_packets or said.lost_bytes:
            found.append(
                _("丢失 %(p)d 个报文、%(b)d 字节。")
                % {"p": said.lost_packets, "b": said.lost_bytes}
            )
        if said.undecodable:
            found.append(
                ngettext("%(n)d 处无法解码。", "%(n)d 处无法解码。", said.undecodable)
                % {"n": said.undecodable}
            )
        if said.unjudged:
            found.append(
                ngettext("%(n)d 条语句未经判断放行。", "%(n)d 条语句未经判断放行。", said.unjudged)
                % {"n": said.unjudged}
            )
        if not said.statements:
            found.append(
                _("还没有见到任何语句。")
                if said.last_us is None
                else _("本次启动以来还没有见到语句。")
            )
    return found


def report(config: Config, now: dt.datetime) -> Report:
    """What the configuration wants seen against what is heard."""
    ways: dict[tuple[str, str], Way] = {}
    databases = {d.name: Seen(d.name, d.address) for d in config.database}
    for kind, rows in (("route", config.route), ("tap", config.tap)):
        for row in rows:
            way = ways[kind, row.name] = Way(kind, row.name, row.database)
            databases[row.database].ways.append(way)
    for read in NamesRead.objects.filter(database__in=databases):
        databases[read.database].names = read
    unregistered: set[str] = set()
    for row in CoverageRow.objects.order_by("kind", "name", "node"):
        said = msgspec.convert(row.body, Coverage)
        unregistered |= set(said.unregistered)
        way = ways.get((row.kind, row.name))
        if way is None:
            continue
        way.nodes.append(said)
        # The longest silence counts: one node of two that is lost is blindness.
        way.heard_at = row.at if way.heard_at is None else min(way.heard_at, row.at)
    for way in ways.values():
        way.problems = _problems(way, now)
    processes = [
        Part(msgspec.convert(row.body, Process), row.at, now)
        for row in ProcessRow.objects.order_by("node", "pk")
    ]
    return Report(list(databases.values()), sorted(unregistered), processes)
