"""Which processes a configuration asks for, in the order in which they need each other.

The console comes last: everything before it works without it. It is named by module, not imported,
so that this room knows no Django.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import logging
import os
import socket
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import msgspec

from qingfang import ipc
from qingfang.config import Config
from qingfang.engine import closed, outages
from qingfang.engine.evidence import Evidence
from qingfang.engine.outages import Alive, Outages, Part
from qingfang.engine.status import Status
from qingfang.engine.supervisor import Change, Failed, Service, Supervisor, part
from qingfang.language import _
from qingfang.record.client import now_us
from qingfang.record.entries import Act
from qingfang.record.protocol import Stat
from qingfang.record.recorder import Recorder

log = logging.getLogger(__name__)

NAMED = 20
LOOK_EVERY_S = 1.0
CHECK_EVERY_S = 5.0


def services(config: Config, file: Path, *, console: bool = True) -> list[Service]:
    """Every process of this node. Logs go to `paths.state`/log, sockets to `paths.run`."""
    run, logs = Path(config.paths.run), Path(config.paths.state) / "log"

    def one(
        name: str, *arguments: str, socket: bool = True, label: str = "", at: str = ""
    ) -> Service:
        label = label or name
        return Service(
            label,
            part(name, file, *arguments),
            socket=run / f"{at or name}.sock" if socket else None,
            log=logs / f"{label}.log",
        )

    if config.ship.to:
        found = [one("spool", at="ledger"), one("shipper")]
    else:
        found = [one("ledger")]
    if config.door.listen:
        found.append(one("door", socket=False))
    found += [one("analyser"), one("judge"), one("notifier")]
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


def parts(config: Config, found: Sequence[Service]) -> dict[str, Part]:
    """What is missing without each of these processes."""
    routes = {r.name: r for r in config.route}
    taps = {t.name: t for t in config.tap}
    known = {
        "ledger": Part(_("账本进程"), _("证据暂存在各进程里，存不下的会有计数")),
        "spool": Part(_("暂存进程"), _("证据暂存在各进程里，存不下的会有计数")),
        "shipper": Part(_("送出进程"), _("记录留在本机的暂存里，没有送到中心的账本")),
        "door": Part(_("账本的入口"), _("别的机器送不来记录，见证者取不到检查点")),
        "analyser": Part(_("分析进程"), _("没有见过的语句不能分析，按线路的失败策略处理")),
        "judge": Part(_("判断进程"), _("语句不能判断，按线路的失败策略处理")),
        "notifier": Part(_("通知进程"), _("告警没有通知到人，恢复后补发")),
        "console": Part(
            _("控制台"), _("页面打不开，抓取、判断、通知照常"), after_s=outages.CONSOLE_AFTER_S
        ),
    }
    made: dict[str, Part] = {}
    for service in found:
        kind, _dash, rest = service.name.partition("-")
        if kind == "gateway":
            route = routes[rest.rpartition("-")[0]]
            made[service.name] = Part(
                _("线路 {} 的网关进程").format(route.name),
                _("经这条线路的连接断开"),
                "gateway",
                route.database,
            )
        elif kind == "tap":
            tap = taps[rest]
            made[service.name] = Part(
                _("旁路 {}").format(tap.name),
                _("看不见数据库 {} 的语句").format(tap.database),
                "tap",
                tap.database,
            )
        else:
            made[service.name] = known[service.name]
    return made


def _were_open(paths: Sequence[Path]) -> Act:
    named = "\n".join(str(path) for path in paths[:NAMED])
    details = {"count": str(len(paths)), "paths": named}
    return Act(now_us(), "folders.closed", "supervisor", details=details)


@contextlib.contextmanager
def held(*folders: Path) -> Iterator[None]:
    """These folders are ours alone, until the block or this process ends. Raises `Failed`: a second
    house on the same folders would tell the first one's ledger of a start and a stop that were
    none."""
    with contextlib.ExitStack() as stack:
        for folder in folders:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            stack.callback(os.close, descriptor)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Failed(
                    _("{}：另一个 qingfang 正在用这个文件夹运行；先停掉它").format(folder)
                ) from None
        yield


def check_listen(config: Config, *, console: bool = True) -> None:
    """Nobody listens where we are going to. Raises `Failed`. Gateway workers share their port with
    one another (SO_REUSEPORT), so they would share it with a second house too, and half of the
    connections would be judged by the wrong one."""
    wanted = [(f"route[{n}].listen", route.listen) for n, route in enumerate(config.route)]
    if config.door.listen:
        wanted.append(("door.listen", config.door.listen))
    if console:
        wanted.append(("console.listen", config.console.listen))
    for key, address in wanted:
        host, _colon, port = address.rpartition(":")
        host = host.strip("[]")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, int(port)))
            except (OSError, OverflowError) as error:
                known = {
                    errno.EADDRINUSE: _("端口已被别的程序占用"),
                    errno.EADDRNOTAVAIL: _("不是本机的地址"),
                    errno.EACCES: _("没有权限使用这个端口"),
                }
                number = error.errno if isinstance(error, OSError) else None
                why = known.get(number or 0, str(error))
                raise Failed(_("{}：不能监听 {}：{}").format(key, address, why)) from None


@contextlib.asynccontextmanager
async def standing(
    config: Config, file: Path, *, console: bool = True
) -> AsyncIterator[Supervisor]:
    """Everything runs inside this block, and what dies is started again and recorded. Raises
    `supervisor.Failed` when a process cannot be started at all."""
    opened = closed.close(config)
    with held(Path(config.paths.state), Path(config.paths.run)):
        check_listen(config, console=console)
        async with _standing(config, file, opened, console=console) as boss:
            yield boss


@contextlib.asynccontextmanager
async def _standing(
    config: Config, file: Path, opened: Sequence[Path], *, console: bool
) -> AsyncIterator[Supervisor]:
    found = services(config, file, console=console)
    run_folder, node = Path(config.paths.run), config.site.node
    alive = Alive(Path(config.paths.state) / "alive")
    recorder = Recorder(run_folder / "ledger.sock", "supervisor")
    watch = Outages(node, parts(config, found), recorder.later)
    status = Status(config, now_us)

    def changed(change: Change) -> None:
        status.changed(change)
        watch.changed(change)

    evidence = Evidence(node, recorder.later)
    ledger: ipc.Client = ipc.Client(run_folder / "ledger.sock")

    async def check_evidence() -> None:
        while True:
            await asyncio.sleep(CHECK_EVERY_S)
            # A ledger that does not answer is the outage's matter.
            with contextlib.suppress(ipc.Unavailable, ipc.Refusal):
                stat = msgspec.json.decode(await ledger.call("stat"), type=Stat)
                evidence.take(stat, now_us())

    async def look() -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            alive.touch()
            watch.look(now_us())

    server = await ipc.serve(run_folder / "status.sock", status.answer)
    await recorder.start()
    boss = Supervisor(changed)
    looking = [asyncio.create_task(look()), asyncio.create_task(check_evidence())]
    try:
        for record in alive.begin(node, now_us()):
            recorder.later(record)
        if opened:
            log.warning("closed to other users: %s", ", ".join(str(path) for path in opened))
            recorder.later(_were_open(opened))
        for service in found:
            await boss.start(service)
        yield boss
    finally:
        for task in looking:
            task.cancel()
        for record in alive.end(node, now_us()):
            recorder.later(record)
        # Before the ledger goes: what is still to be told waits for it no longer.
        await recorder.close()
        await ledger.close()
        await boss.stop()
        server.close()


async def run(
    config: Config, file: Path, stopping: asyncio.Event, up: asyncio.Event | None = None
) -> None:
    """Start everything and keep it running until `stopping` is set; `up` is set when everything
    runs. Raises `supervisor.Failed` when a process cannot be started at all."""
    async with standing(config, file):
        if up is not None:
            up.set()
        await stopping.wait()
