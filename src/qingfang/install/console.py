"""Speaks to the process that fills the console's database (`web.setup.fill`)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType

import msgspec

from qingfang.language import _
from qingfang.web.setup.fill import Answer, Request, State


class Unavailable(Exception):
    """The console's database cannot be used; the text says why."""


class Console:
    """A context manager; `state` is what was there when it was entered."""

    def __init__(self, config: Path) -> None:
        # PGPASSWORD is the protected database's; libpq would show it to the console's.
        command = [sys.executable, "-m", "qingfang.web.setup.fill", "--config", str(config)]
        environment = {
            k: v
            for k, v in os.environ.items()
            if k not in ("QINGFANG_CONFIG", "DJANGO_SETTINGS_MODULE", "PGPASSWORD")
        }
        self._process = subprocess.Popen(
            [*command, "--parent", str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
        )
        self.state = State()

    def __enter__(self) -> Console:
        self.state = msgspec.json.decode(self._line(), type=State)
        if self.state.problem:
            self._end()
            raise Unavailable(self.state.problem)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def ask(self, request: Request) -> Answer:
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(request) + b"\n")
        self._process.stdin.flush()
        return msgspec.json.decode(self._line(), type=Answer)

    def _line(self) -> bytes:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            _out, said = self._process.communicate()
            lines = said.decode(errors="replace").strip().splitlines()
            raise Unavailable(_("控制台的数据库没有准备好：{}").format(lines[-1] if lines else "?"))
        return line

    def _end(self) -> None:
        """Closing its standard input ends it; it closes its database on the way."""
        self._process.communicate()
