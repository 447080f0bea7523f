"""A sensor's machine without a ledger of its own: what is recorded waits here until it is shipped.

It is the ledger's process (`record.service`) on a folder of its own, at the ledger's socket: who
records and who reads need not know the difference.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from qingfang.config import Config
from qingfang.engine import ledger


def folder(config: Config) -> Path:
    return Path(config.paths.state) / "spool"


async def run(config: Config, stopping: asyncio.Event) -> None:
    """As `engine.ledger.run`."""
    await ledger.serve(config, folder(config), stopping)
