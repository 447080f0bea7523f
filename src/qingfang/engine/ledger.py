"""The ledger's process: segments under `paths.state`/ledger, served at `paths.run`/ledger.sock."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from qingfang.config import Config
from qingfang.engine.process import say_ready
from qingfang.merkle import parties
from qingfang.merkle.parties import Party
from qingfang.record.client import now_us
from qingfang.record.service import Service

MIB = 1024 * 1024


def folder(config: Config) -> Path:
    return Path(config.paths.state) / "ledger"


def socket(config: Config) -> Path:
    return Path(config.paths.run) / "ledger.sock"


def witnesses(config: Config) -> list[Party]:
    """Raises `PartyProblem`."""
    return [parties.load(Path(each.keys), "witness") for each in config.witness]


async def run(config: Config, stopping: asyncio.Event) -> None:
    """Serve until `stopping` is set. Raises `record.writer.Broken` when the disk cannot be
    trusted: the process ends, and whoever starts it again reads the disk afresh."""
    await serve(config, folder(config), stopping)


async def serve(config: Config, place: Path, stopping: asyncio.Event) -> None:
    """`run`, with the segments in `place`."""
    service = Service(
        place,
        socket(config),
        site=config.site.id,
        node=config.site.node,
        segment_bytes=config.ledger.segment_mib * MIB,
        cipher=config.ledger.cipher,
        office=parties.load(Path(config.ledger.office), "office") if config.ledger.office else None,
        witnesses=witnesses(config),
        clock=now_us,
    )
    serving = asyncio.create_task(service.run())
    ready = asyncio.create_task(service.ready.wait())
    end = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait((serving, ready), return_when=asyncio.FIRST_COMPLETED)
        if ready.done():
            say_ready()
            await asyncio.wait((serving, end), return_when=asyncio.FIRST_COMPLETED)
    finally:
        ready.cancel()
        end.cancel()
        if not serving.done():
            serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving
