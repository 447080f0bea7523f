"""The product in front of a database, as a hospital has it: ledger, analyser, judge, gateway.

No console and no snapshot: nobody is known, nothing is approved, the route observes.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from qingfang import config as configuration
from qingfang.engine import house
from qingfang.postgres import free_port
from qingfang.record.entries import Entry
from qingfang.record.reading import records

BUDGET_MS = 10_000  # what is measured here is what is understood, not how fast


class Guard:
    """`catalogue` is the text of a catalogue; `folder` is emptied first."""

    def __init__(self, folder: Path, database_port: int, catalogue: str) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.folder, self.port = folder, free_port()
        self._file = folder / "qingfang.toml"
        (folder / "catalogue.json").write_text(catalogue, encoding="utf-8")
        self._file.write_text(
            f"""\
[paths]
state = {json.dumps(str(folder))}
run = {json.dumps(str(folder / "run"))}

[[database]]
name = "real"
address = "127.0.0.1:{database_port}"
catalogue = "catalogue.json"

[[route]]
name = "real"
database = "real"
listen = "127.0.0.1:{self.port}"
budget_ms = {BUDGET_MS}
""",
            encoding="utf-8",
        )

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The gateway takes connections at `port`. When this is left, the ledger is whole."""
        config = configuration.read(self._file)
        async with house.standing(config, self._file, console=False):
            yield

    def entries(self) -> Iterator[Entry]:
        return records(self.folder / "ledger")


async def run(*command: str | Path, cwd: Path | None = None, **more: str) -> tuple[int, bytes]:
    """Run a program to its end: its exit code and what it said on standard output. `more` are
    environment variables, `stdin` what it reads."""
    said = more.pop("stdin", "")
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd,
        env={**os.environ, **more},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _nothing = await process.communicate(said.encode())
    return process.returncode or 0, out
