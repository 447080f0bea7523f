"""A whole console for a browser: its own database, a real ledger, the server as its own process."""

from __future__ import annotations

import http.client
import os
import re
import subprocess
import sys
import urllib.parse
from collections.abc import Sequence
from pathlib import Path

from qingfang.events import Event
from qingfang.postgres import Server, free_port
from qingfang.record.client import BlockingRecorder
from tests.support.ledger import LedgerProcess
from tests.support.people import PASSWORD

ROOT = Path(__file__).parents[2]
CHROMIUM = Path("/usr/bin/chromium")


class Visitor:
    """Somebody signed in, without a browser: one who only asks for addresses."""

    def __init__(self, port: int, number: str) -> None:
        self.port = port
        self._cookies: dict[str, str] = {}
        page = self.ask("/sign-in")
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert token is not None
        form = {"csrfmiddlewaretoken": token[1], "staff_number": number, "password": PASSWORD}
        self.ask("/sign-in", form)

    def open(self, path: str, form: dict[str, str] | None = None) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        headers = {
            "Cookie": "; ".join(f"{k}={v}" for k, v in self._cookies.items()),
            "Content-Type": "application/x-www-form-urlencoded",
        }
        body = urllib.parse.urlencode(form) if form else None
        connection.request("POST" if form else "GET", path, body, headers)
        answer = connection.getresponse()
        for name, value in answer.getheaders():
            if name.lower() == "set-cookie":
                key, _sep, rest = value.partition("=")
                self._cookies[key] = rest.split(";")[0]
        return answer

    def ask(self, path: str, form: dict[str, str] | None = None) -> str:
        with self.open(path, form) as answer:
            assert answer.status in (200, 302), (path, answer.status)
            return answer.read().decode()


class Console:
    """Started on its own folder; `url` is where it listens."""

    def __init__(self, folder: Path, postgres: Server, name: str) -> None:
        self.folder, self._postgres, self._name = folder, postgres, name
        self.ledger = LedgerProcess(folder)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.config = folder / "qingfang.toml"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def dsn(self) -> str:
        return self._postgres.dsn(database=self._name)

    def start(self, *, staff: bool = True) -> None:
        """Without `staff` it is a console nobody has an account of."""
        self._postgres.database(self._name, template="template0")
        self.config.write_text(
            f'[site]\nname = "合成医院"\nid = "test"\n'
            f'[paths]\nstate = "{self.folder}/state"\nrun = "{self.folder}"\n'
            f'[console]\nlisten = "127.0.0.1:{self.port}"\ndatabase = "{self.dsn}"\n'
            '[[database]]\nname = "his"\naddress = "10.0.0.5:5432"\ncatalogue = "c.json"\n'
            '[[route]]\nname = "his-clinical"\ndatabase = "his"\nlisten = "127.0.0.1:25432"\n',
            encoding="utf-8",
        )
        self.ledger.start()
        self.serve()
        if staff:
            filling = [sys.executable, "-m", "tests.support.staff", str(self.config)]
            subprocess.run(filling, cwd=ROOT, env=self._environment(), check=True)

    def serve(self) -> None:
        """Start the console's process and wait until it serves."""
        log = (self.folder / "console.log").open("wb")
        command = [sys.executable, "-m", "qingfang.web.server", "--config", str(self.config)]
        self._process = subprocess.Popen(
            [*command, "--parent", str(os.getpid())],
            stdout=subprocess.PIPE,
            stderr=log,
            env=self._environment(),
        )
        log.close()
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        assert said == b"ready\n", (self.folder / "console.log").read_text()

    def kill(self) -> None:
        """kill -9 of the console's process."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process = None

    @staticmethod
    def _environment() -> dict[str, str]:
        ours = ("QINGFANG_CONFIG", "DJANGO_SETTINGS_MODULE")
        return {k: v for k, v in os.environ.items() if k not in ours}

    def record(self, events: Sequence[Event]) -> None:
        """Put events into the ledger, as a gateway does."""
        recorder = BlockingRecorder(self.ledger.socket, "gateway/test")
        for event in events:
            recorder.record(event)
        recorder.close()

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
            assert self._process.stdout is not None
            self._process.stdout.close()
        self.ledger.stop()
        self._postgres.drop(self._name)


__all__ = ["CHROMIUM", "PASSWORD", "Console", "Visitor"]
