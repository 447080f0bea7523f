"""Starts the processes, restarts what dies, takes them all down with it.

Rules this module keeps:

1. Children are started in the order given, each when the one before it is ready; they are stopped
   in the reverse order.
2. A child that dies is started again after a pause that grows with each quick death (0.2 s … 10 s)
   and is forgotten after a minute of life. Nobody gives up: a gateway must come back.
3. A child that answers `ping` on its socket no longer is killed and so restarted: a process that
   hangs is worse than one that died, because nobody notices.
4. Every death and restart is handed to `on_change` with its time and its cause: blindness is an
   alarm (`engine/outages.py`). A process that hung counts as away since it last answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct

from qingfang import ipc
from qingfang.engine.process import READY
from qingfang.language import _

log = logging.getLogger(__name__)

READY_WITHIN_S = 60.0
PING_EVERY_S = 2.0
PING_WITHIN_S = 10.0
STOP_WITHIN_S = 15.0
PAUSES_S = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
FORGIVEN_AFTER_S = 60.0


class Failed(Exception):
    """A process could not be started; the text says which and what it last said."""


class Change(Struct, frozen=True):
    """A process came up or went down at `at_us` (microseconds since the epoch); `why` (zh) says
    how it ended."""

    name: str
    state: Literal["up", "down"]
    at_us: int
    why: str = ""


class Service:
    """One process: what to run, and how to tell that it is alive.

    `socket` is where it answers `ping`, None for a process without one. `log` receives what it
    says on standard error (None: ours).
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        socket: Path | None = None,
        log: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.name, self.argv, self.socket, self.log = name, list(argv), socket, log
        self.env = dict(env or {})
        self.process: asyncio.subprocess.Process | None = None
        self.started_at = 0.0
        self.quick_deaths = 0
        self.restarts = 0
        self.answered_us = self.hung_since_us = 0


def part(name: str, config: Path, *arguments: str) -> list[str]:
    """The command line of one of our own processes (`engine/__main__.py` reads it)."""
    command = [sys.executable, "-m", "qingfang.engine", name, "--config", str(config)]
    return [*command, "--parent", str(os.getpid()), *arguments]


class Supervisor:
    def __init__(self, on_change: Callable[[Change], None] | None = None) -> None:
        self._services: list[Service] = []
        self._watching: list[asyncio.Task[None]] = []
        self._stopping = False
        self._on_change = on_change or (lambda change: None)

    @property
    def services(self) -> Sequence[Service]:
        return self._services

    async def start(self, service: Service) -> None:
        """Start, wait until it is ready, and keep it running from now on. Raises `Failed`."""
        await self._spawn(service)
        self._services.append(service)
        self._watching.append(asyncio.create_task(self._watch(service)))
        if service.socket is not None:
            self._watching.append(asyncio.create_task(self._ping(service, service.socket)))

    async def _spawn(self, service: Service) -> None:
        if service.log is not None:
            service.log.touch(0o600)
        output = service.log.open("ab") if service.log else None
        try:
            process = await asyncio.create_subprocess_exec(
                *service.argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=output,
                # What they say to clients and into the ledger does not change with the language
                # of whoever starts them: Chinese, unless QINGFANG_LANG says otherwise.
                env={"QINGFANG_LANG": "zh", **os.environ, **service.env},
                start_new_session=True,
            )
        finally:
            if output is not None:
                output.close()
        service.process, service.started_at = process, time.monotonic()
        assert process.stdout is not None
        try:
            async with asyncio.timeout(READY_WITHIN_S):
                while line := await process.stdout.readline():
                    if line.strip() == READY.encode():
                        break
                else:
                    code = await process.wait()
                    ended = _end(service, code)
                    raise Failed(f"{service.name}：{ended}{_last_words(service)}")
        except TimeoutError:
            process.kill()
            await process.wait()
            text = _("{} 秒内没有准备好").format(int(READY_WITHIN_S))
            raise Failed(f"{service.name}：{text}{_last_words(service)}") from None
        service.answered_us, service.hung_since_us = _now_us(), 0
        self._on_change(Change(service.name, "up", service.answered_us))

    async def _watch(self, service: Service) -> None:
        while True:
            assert service.process is not None
            assert service.process.stdout is not None
            while await service.process.stdout.readline():
                pass
            code = await service.process.wait()
            if self._stopping:
                return
            self._on_change(
                Change(
                    service.name, "down", service.hung_since_us or _now_us(), _end(service, code)
                )
            )
            if time.monotonic() - service.started_at > FORGIVEN_AFTER_S:
                service.quick_deaths = 0
            log.error("%s ended with %s, starting it again", service.name, code)
            while not self._stopping:
                pause = PAUSES_S[min(service.quick_deaths, len(PAUSES_S) - 1)]
                service.quick_deaths += 1
                await asyncio.sleep(pause)
                try:
                    await self._spawn(service)
                    service.restarts += 1
                    break
                except Failed as error:
                    log.error("%s", error)

    async def _ping(self, service: Service, path: Path) -> None:
        client = ipc.Client(path)
        while True:
            await asyncio.sleep(PING_EVERY_S)
            process = service.process
            try:
                async with asyncio.timeout(PING_WITHIN_S):
                    await client.call("ping")
                service.answered_us = _now_us()
            except TimeoutError:
                if process is not None and process is service.process:
                    log.error("%s hangs, killing it", service.name)
                    service.hung_since_us = service.answered_us
                    with contextlib.suppress(ProcessLookupError):
                        process.kill()
            except (ipc.Unavailable, ipc.Refusal):
                pass  # its death is seen by _watch

    async def stop(self) -> None:
        """SIGTERM in reverse order, SIGKILL for what does not go."""
        self._stopping = True
        for task in self._watching:
            task.cancel()
        await asyncio.gather(*self._watching, return_exceptions=True)
        for service in reversed(self._services):
            process = service.process
            if process is None or process.returncode is not None:
                continue
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(STOP_WITHIN_S):
                    await process.wait()
            except TimeoutError:
                log.error("%s does not end, killing it", service.name)
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()


def _now_us() -> int:
    return time.time_ns() // 1000


def _end(service: Service, code: int) -> str:
    """How a process ended, for people."""
    if service.hung_since_us:
        return _("不再应答，已强行结束")
    if code < 0:
        return _("被信号 {} 结束").format(-code)
    return _("自行退出，退出码 {}").format(code)


def _last_words(service: Service) -> str:
    if service.log is None or not service.log.exists():
        return ""
    lines = service.log.read_text(errors="replace").strip().splitlines()
    # An exception's text is for people, its name is not.
    return "：" + re.sub(r"^(?:\w+\.)+[A-Z]\w*: ", "", lines[-1]) if lines else ""
