"""Deaths of our own processes, and of the whole house, as the ledger and the roster are told of them.

Rules this module keeps:

1. Every death and every return is an act (`process.died`, `process.back`) with its exact times,
   whatever has died: what the ledger cannot take while it is away itself, it takes when it is back.
2. A process that was away longer than `after_s`, or that dies `OFTEN` times in a row, is an alert
   while it lasts, and the roster is told of it; each once, until it has lived `CALM_S`.
3. A house that was off longer than `HOUSE_AFTER_S` is an alert at its next start, orderly stopped or
   not: who wants to look unseen stops the watch first. When it last lived is the time of a file that
   is touched every two seconds.
4. No clock of its own: times come in, microseconds since the epoch.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct

from qingfang.engine import happening
from qingfang.engine.supervisor import Change
from qingfang.events import Source
from qingfang.language import _
from qingfang.record.client import Recordable
from qingfang.record.codec import moment
from qingfang.record.entries import Act

log = logging.getLogger(__name__)

AFTER_S: Final = 10.0
CONSOLE_AFTER_S: Final = 60.0
HOUSE_AFTER_S: Final = 60.0
OFTEN: Final = 3
CALM_S: Final = 300.0
_SECOND_US: Final = 1_000_000
_RUNNING: Final = "running\n"
_ORDERLY: Final = "stopped\n"


class Part(Struct, frozen=True):
    """What one process is for: what it is `called` (zh), what is missing `without` it (zh); `sees`
    tells which sensor it is (or `engine`), `database` whose statements it sees."""

    called: str
    without: str
    sees: Source = "engine"
    database: str = ""
    after_s: float = AFTER_S


class _Outage:
    def __init__(self) -> None:
        self.since_us: int | None = None
        self.why = ""
        self.deaths: list[int] = []
        self.told = self.told_often = False


class Outages:
    """`parts` by the process's name; `record` hands one record on without waiting."""

    def __init__(
        self, node: str, parts: Mapping[str, Part], record: Callable[[Recordable], None]
    ) -> None:
        self._node, self._parts, self._record = node, parts, record
        self._outages = {name: _Outage() for name in parts}

    def changed(self, change: Change) -> None:
        """Take one change of a process; its first start is none."""
        outage = self._outages[change.name]
        if change.state == "down":
            outage.since_us, outage.why = change.at_us, change.why
            calm_us = int(CALM_S * _SECOND_US)
            if outage.deaths and change.at_us - outage.deaths[-1] > calm_us:
                outage.deaths, outage.told_often = [], False
            outage.deaths = [*outage.deaths[1 - OFTEN :], change.at_us]
            self._act("process.died", change, {"at": moment(change.at_us), "why": change.why})
            if len(outage.deaths) == OFTEN and not outage.told_often:
                outage.told_often = True
                part = self._parts[change.name]
                text = _("{}接连停止 {} 次（最近一次：{}）；{}").format(
                    part.called, OFTEN, change.why, part.without
                )
                self._alert(change.name, change.at_us, "process-unstable", text)
        elif outage.since_us is not None:
            since, outage.since_us, outage.told = outage.since_us, None, False
            span = {"from": moment(since), "to": moment(change.at_us), "why": outage.why}
            seconds = f"{(change.at_us - since) / _SECOND_US:.3f}"
            self._act("process.back", change, {**span, "seconds": seconds})

    def look(self, now_us: int) -> None:
        """Alert of what is away for too long; to be called every second or so."""
        for name, outage in self._outages.items():
            part = self._parts[name]
            if outage.since_us is None or outage.told:
                continue
            if now_us - outage.since_us > part.after_s * _SECOND_US:
                outage.told = True
                text = _("{}自 {} 起停止，已超过 {} 秒（{}）；{}").format(
                    part.called,
                    moment(outage.since_us)[11:19],
                    int(part.after_s),
                    outage.why,
                    part.without,
                )
                self._alert(name, outage.since_us, "process-down", text)

    def _act(self, what: str, change: Change, details: dict[str, str]) -> None:
        self._record(Act(change.at_us, what, "supervisor", about=change.name, details=details))

    def _alert(self, name: str, at_us: int, code: str, text: str) -> None:
        part = self._parts[name]
        self._record(happening.blindness(part.sees, self._node, part.database, at_us, code, text))


class Alive:
    """The file that says when the house last lived, and whether it was stopped in order."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def begin(self, node: str, now_us: int) -> list[Recordable]:
        """What is to be recorded of the time before this start; the house lives from now on."""
        try:
            was = self._file.stat().st_mtime_ns // 1000
            orderly = self._file.read_text() == _ORDERLY
        except FileNotFoundError:
            was, orderly = now_us, None
        self._write(_RUNNING)
        away_s = (now_us - was) / _SECOND_US
        how = {
            None: _("第一次启动"),
            True: _("正常停止"),
            False: _("没有正常停止：断电、死机或被杀"),
        }[orderly]
        span = {"from": moment(was), "to": moment(now_us), "why": how}
        found: list[Recordable] = [
            Act(now_us, "house.started", "supervisor", about=node, details=span)
        ]
        if away_s > HOUSE_AFTER_S:
            text = _("整个系统从 {} 到 {} 没有运行（{}），这段时间什么都没有看见").format(
                moment(was)[:19].replace("T", " "), moment(now_us)[:19].replace("T", " "), how
            )
            found.append(happening.blindness("engine", node, "", was, "house-down", text))
        return found

    def touch(self) -> None:
        try:
            self._file.touch(0o600)
        except OSError as error:
            log.error("%s: %s", self._file, error)

    def end(self, node: str, now_us: int) -> list[Recordable]:
        """What is to be recorded of an orderly stop."""
        self._write(_ORDERLY)
        return [Act(now_us, "house.stopped", "supervisor", about=node)]

    def _write(self, text: str) -> None:
        descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as out:
            out.write(text)
