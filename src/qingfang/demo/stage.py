"""The demo's stage: the invented hospital's database, the house in front of it, people at work.

Rules this module keeps:

1. Everything that runs is a real process of the product; only the hospital is invented.
2. Whoever judges gets the hospital's catalogue and its console's snapshot, as at any customer's;
   the plan of attempts is made in the workload's process and told to this one afterwards.
3. Whatever ends this process ends all of them: each asks the kernel to die with its parent.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
import psycopg
from psycopg.conninfo import make_conninfo

from qingfang import config as configuration
from qingfang import ipc
from qingfang.demo import hospital
from qingfang.demo.client import Target
from qingfang.demo.people import ZONE
from qingfang.demo.workload import Order
from qingfang.engine import house
from qingfang.language import _
from qingfang.postgres import Server, free_port
from qingfang.record import frame, segments

SEED = 1
ACCOUNT = "hisapp"
NAMES_ACCOUNT = "qingfang_names"
DATABASE = "hospital"
ROUTE = "his"
READY_WITHIN_S = 90.0

Say = Callable[[str], None]


class Stage:
    """Everything but the workload, running. `folder` is kept between runs. Use as a context
    manager around `run`."""

    def __init__(self, folder: Path, say: Say, *, scale: float = 1.0, port: int = 8600) -> None:
        self.folder = folder.absolute()
        self.file = self.folder / "qingfang.toml"
        self.today = dt.datetime.now(ZONE).date()
        self.accounts: list[dict[str, str]] = []
        self._say, self._scale, self._console_port = say, scale, port
        self._shown = -1

    @property
    def console(self) -> str:
        return f"http://127.0.0.1:{self._console_port}/"

    @property
    def sockets(self) -> Path:
        return self.folder / "run"

    @contextlib.contextmanager
    def database(self) -> Any:
        """The hospital's database; filled on the first day. Must run in the main thread."""
        self.folder.mkdir(parents=True, exist_ok=True)
        server = Server(self.folder / "his", port=0, settings=hospital.SETTINGS)
        with server:
            server.database(DATABASE)
            hospital.ensure(
                server.dsn(database=DATABASE),
                seed=SEED,
                until=self.today - dt.timedelta(days=1),
                scale=self._scale,
                progress=self._progress,
            )
            server.role(ACCOUNT)
            server.role(NAMES_ACCOUNT)
            with psycopg.connect(server.dsn(database=DATABASE), autocommit=True) as connection:
                hospital.open_to(connection, ACCOUNT)
                hospital.names_to(connection, NAMES_ACCOUNT)
            self._password = server.password(ACCOUNT)
            self._configure(server)
            yield self

    def _progress(self, stage: str, share: float) -> None:
        percent = int(share * 100)
        if percent != self._shown:
            self._shown = percent
            self._say(_("装入合成医院（合成数据，仅第一次）：{} {}%").format(stage, percent))

    def _configure(self, server: Server) -> None:
        self._gateway_port = free_port()
        catalogue = files("qingfang.demo").joinpath("catalogue.json").read_text(encoding="utf-8")
        state = self.folder / "state"
        state.mkdir(mode=0o711, exist_ok=True)
        ledger = state / "ledger"
        version = segments.format_of(ledger)
        if version is not None and version < frame.VERSION:
            # A demo shown by an older version: what it played is of no use to anybody.
            shutil.rmtree(ledger)
        (state / "catalogue.json").write_text(catalogue, encoding="utf-8")
        # Nobody minds a demo that was off over night.
        (state / "alive").unlink(missing_ok=True)
        names = state / "names.dsn"
        names.touch(mode=0o600)
        names.write_text(
            make_conninfo(
                host="127.0.0.1",
                port=server.port,
                user=NAMES_ACCOUNT,
                password=server.password(NAMES_ACCOUNT),
                dbname=DATABASE,
            ),
            encoding="utf-8",
        )
        self.file.write_text(
            f"""\
# 演示用的配置，每次启动重写。
[site]
name = "清方示范医院（合成数据）"
id = "demo"

[paths]
state = {json.dumps(str(state))}
run = {json.dumps(str(self.sockets))}

[console]
listen = "127.0.0.1:{self._console_port}"

[[database]]
name = "his"
address = "127.0.0.1:{server.port}"
catalogue = "state/catalogue.json"
names_file = "state/names.dsn"

[[route]]
name = "{ROUTE}"
database = "his"
listen = "127.0.0.1:{self._gateway_port}"
budget_ms = 5000
""",
            encoding="utf-8",
        )

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The house, and the console filled; the snapshot is in force when this is entered."""
        config = configuration.read(self.file)
        stopping = asyncio.Event()
        up = asyncio.Event()
        running = asyncio.create_task(house.run(config, self.file, stopping, up))
        entered = asyncio.create_task(up.wait())
        try:
            await asyncio.wait((running, entered), return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                await running
            self._say(_("登记人员、终端与授权"))
            await self._fill()
            await self._in_force()
            yield
        finally:
            entered.cancel()
            stopping.set()
            await running

    async def _fill(self) -> None:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "qingfang.demo.seed", "--config", str(self.file)),
            *("--seed", str(SEED), "--today", self.today.isoformat()),
            stdout=asyncio.subprocess.PIPE,
        )
        out, _err = await process.communicate()
        if process.returncode:
            raise RuntimeError("the console could not be filled")
        self.accounts = json.loads(out)

    async def _in_force(self) -> None:
        """Return when the judge enforces on the route: the console's snapshot has reached it."""
        judge = ipc.Client(self.sockets / "judge.sock")
        try:
            async with asyncio.timeout(READY_WITHIN_S):
                async for routes in judge.stream("modes"):
                    if ROUTE in msgspec.msgpack.decode(routes, type=list[str]):
                        return
        finally:
            await judge.close()

    async def work(
        self, *, seconds: float, plan: int | None, rate: float
    ) -> AsyncIterator[dict[str, Any]]:
        """People at work through the gateway: what the workload tells, line by line."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "qingfang.demo.workload"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=1 << 24,
            start_new_session=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        order = Order(
            target=Target("127.0.0.1", self._gateway_port, DATABASE, ACCOUNT, self._password),
            seed=SEED,
            today=self.today,
            plan=plan,
            seconds=seconds,
            rate=rate,
        )
        process.stdin.write(msgspec.json.encode(order) + b"\n")
        await process.stdin.drain()
        try:
            async for line in process.stdout:
                yield json.loads(line)
        finally:
            process.stdin.close()
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await process.wait()


def default_folder() -> Path:
    """Where a demo keeps its hospital: `$XDG_DATA_HOME`/qingfang/demo."""
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "qingfang" / "demo"
