"""What is seen and what is blind: gathered from the sensors, handed to whoever asks.

The supervisor's process serves `paths.run`/status.sock: `report` (a `Coverage` from a sensor's
process), `coverage` (a JSON list of `Coverage`, one a route or tap), `processes` (a JSON list of `Process`),
`ping`.

Rules this module keeps:

1. What is expected comes from the configuration: a route or tap that reports nothing is in the
   answer, not running. Silence is never an empty list.
2. Several processes of one route are added up; a report older than `STALE_S` counts as silence.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from qingfang import ipc
from qingfang.config import Config
from qingfang.engine.supervisor import Change
from qingfang.events import Coverage

STALE_S = 10.0
REPORT_EVERY_S = 2.0


class Process(Struct, frozen=True):
    """One process of this node: up or down since `since_us`; how often it has died since the house
    was started, when for the last time (None: never), why, and for how long it was away then."""

    name: str
    state: Literal["up", "down"]
    since_us: int
    node: str = ""
    deaths: int = 0
    died_us: int | None = None
    why: str = ""
    away_us: int = 0


class Status:
    """`now_us` gives microseconds since the epoch."""

    def __init__(self, config: Config, now_us: Callable[[], int]) -> None:
        self._node, self._now_us = config.site.node, now_us
        self._since_us = now_us()
        self._expected: list[tuple[str, str, str]] = [
            *(("route", r.name, r.database) for r in config.route),
            *(("tap", t.name, t.database) for t in config.tap),
        ]
        self._reports: dict[tuple[str, str], dict[str, Coverage]] = {}
        self._processes: dict[str, Process] = {}

    def changed(self, change: Change) -> None:
        """Take one change of a process."""
        was = self._processes.get(change.name)
        if was is None:
            now = Process(change.name, change.state, change.at_us, self._node)
        elif change.state == "down":
            now = replace(
                was,
                state="down",
                since_us=change.at_us,
                deaths=was.deaths + 1,
                died_us=change.at_us,
                why=change.why,
            )
        else:
            away = change.at_us - was.since_us
            now = replace(was, state="up", since_us=change.at_us, away_us=away)
        self._processes[change.name] = now

    async def answer(self, method: str, payload: bytes, peer: ipc.Peer) -> bytes:
        if method == "report":
            report = msgspec.json.decode(payload, type=Coverage)
            self._reports.setdefault((report.kind, report.name), {})[str(peer.pid)] = report
            return b""
        if method == "coverage":
            return msgspec.json.encode(self.coverage())
        if method == "processes":
            return msgspec.json.encode(list(self._processes.values()))
        if method == "ping":
            return b""
        raise ipc.Refusal(f"status: {method}?")

    def coverage(self) -> list[Coverage]:
        now = self._now_us()
        return [self._one(kind, name, database, now) for kind, name, database in self._expected]

    def _one(self, kind: str, name: str, database: str, now: int) -> Coverage:
        reports = list(self._reports.get((kind, name), {}).values())
        fresh = [r for r in reports if now - r.at_us <= STALE_S * 1_000_000]
        last = [r.last_us for r in reports if r.last_us is not None]
        return msgspec.convert(
            {
                "kind": kind,
                "name": name,
                "database": database,
                "at_us": now,
                "since_us": min((r.since_us for r in reports), default=self._since_us),
                "node": self._node,
                "running": bool(fresh),
                "statements": sum(r.statements for r in reports),
                "connections": sum(r.connections for r in fresh),
                "encrypted": sum(r.encrypted for r in reports),
                "lost_packets": sum(r.lost_packets for r in reports),
                "lost_bytes": sum(r.lost_bytes for r in reports),
                "undecodable": sum(r.undecodable for r in reports),
                "unjudged": sum(r.unjudged for r in reports),
                "last_us": max(last, default=None),
                "unregistered": sorted({a for r in reports for a in r.unregistered}),
            },
            Coverage,
        )


async def report(socket: Path, coverage: Callable[[], Coverage]) -> None:
    """Tell the supervisor what this process sees, for ever. A supervisor that cannot be reached is
    tried again: who is silent is shown as blind, which is what it then is."""
    client = ipc.Client(socket)
    try:
        while True:
            with contextlib.suppress(ipc.Unavailable, ipc.Refusal):
                await client.call("report", msgspec.json.encode(coverage()))
            await asyncio.sleep(REPORT_EVERY_S)
    finally:
        await client.close()
