"""Which processes a configuration asks for, in the order in which they need each other.

The console comes last: everything before it works without it. It is named by module, not imported,
so that this room knows no Django.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from qingfang import ipc
from qingfang.config import Config
from qingfang.engine.status import Status
from qingfang.engine.supervisor import Service, Supervisor, part
from qingfang.record.client import now_us


def services(config: Config, file: Path, *, console: bool = True) -> list[Service]:
    """Every process of this node. Logs go to `paths.state`/log, sockets to `paths.run`."""
    run, logs = Path(config.paths.run), Path(config.paths.state) / "log"

    def one(name: str, *arguments: str, socket: bool = True, label: str = "") -> Service:
        label = label or name
        return Service(
            label,
            part(name, file, *arguments),
            socket=run / f"{name}.sock" if socket else None,
            log=logs / f"{label}.log",
        )

    found = [one("ledger"), one("analyser"), one("judge"), one("notifier")]
    for route in config.route:
        for worker in range(route.workers):
            more = ("--name", route.name, "--worker", str(worker))
            label = f"gateway-{route.name}-{worker}"
            found.append(one("gateway", *more, socket=False, label=label))
    for tap in config.tap:
        label = f"tap-{tap.name}"
        found.append(one("tap", "--name", tap.name, socket=False, label=label))
    if console:
        command = [sys.executable, "-m", "qingfang.web.server", "--config", str(file)]
        argv = [*command, "--parent", str(os.getpid())]
        found.append(Service("console", argv, log=logs / "console.log"))
    return found


def folders(config: Config) -> None:
    """Make the folders the services need. Only our own user may look into them."""
    for name in (config.paths.state, config.paths.run, f"{config.paths.state}/log"):
        Path(name).mkdir(parents=True, exist_ok=True, mode=0o700)


async def run(
    config: Config, file: Path, stopping: asyncio.Event, up: asyncio.Event | None = None
) -> None:
    """Start everything and keep it running until `stopping` is set; `up` is set when everything
    runs. Raises `supervisor.Failed` when a process cannot be started at all."""
    folders(config)
    status = Status(config, now_us)
    server = await ipc.serve(Path(config.paths.run) / "status.sock", status.answer)
    boss = Supervisor(status.processes.__setitem__)
    try:
        for service in services(config, file):
            await boss.start(service)
        if up is not None:
            up.set()
        await stopping.wait()
    finally:
        await boss.stop()
        server.close()
