"""The console's pages at the size of a busy year: how long the server takes, how soon an alert shows.

A console of its own with an embedded database, a ledger beside it, and invented alerts (合成数据).
"""

from __future__ import annotations

import datetime as dt
import http.client
import os
import re
import secrets
import subprocess
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path

from qingfang.bench import Progress, Row, percentile
from qingfang.events import Attributed, Event, Meaning, Reason, Scope, Selection, Value
from qingfang.postgres import free_port
from qingfang.record.client import BlockingRecorder

ALERTS = 20_000
ROUNDS = 40
LIVE = 20
PAGES = {
    "首页": "/",
    "告警列表": "/alerts/",
    "告警列表，筛选并排序": "/alerts/?verdict=deny&sort=severity",
    "告警列表，按工号": "/alerts/?q=1007",
    "一条告警": "/alerts/1",
    "覆盖情况": "/coverage/",
}
PASSWORD = secrets.token_urlsafe(12)
SQL = "SELECT dr_code, SUM(qty) FROM outp_rx_line WHERE item_code = 'A0001' GROUP BY dr_code"


def _event(seq: int, at: dt.datetime) -> Event:
    return Event(
        connection=f"c{seq // 4}",
        at=at.isoformat(),
        source="gateway",
        protocol="pg",
        server="10.0.0.5:5432",
        database="his",
        account="his_app",
        client=f"10.1.{seq % 200}.7:50000",
        sql=SQL,
        kind="query",
        verdict="deny" if seq % 3 else "alert",
        log="bench",
        seq=seq,
        program="Navicat",
        operator=Attributed(str(1000 + seq % 300), 0.9, ("本连接的登录语句",)),
        rows=seq % 900,
        bytes=seq % 900 * 40,
        meaning=Meaning(
            "usage",
            grain="prescriber",
            subtype="item",
            scope=Scope(items=Selection("one", (Value("A0001"),))),
            reasons=(Reason("usage-sum", "把数量加总", 16, 24),),
        ),
        reasons=("看到了按医生统计的单品种用量",),
        answered_as="denied" if seq % 3 else "forwarded",
        severity=seq % 3 + 1,
    )


class _Browser:
    """One signed-in person, one connection."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._cookies: dict[str, str] = {}

    def _cookie(self) -> dict[str, str]:
        return {"Cookie": "; ".join(f"{k}={v}" for k, v in self._cookies.items())}

    def ask(self, path: str, form: dict[str, str] | None = None) -> str:
        body = urllib.parse.urlencode(form) if form else None
        headers = {**self._cookie(), "Content-Type": "application/x-www-form-urlencoded"}
        self._connection.request("POST" if form else "GET", path, body, headers)
        answer = self._connection.getresponse()
        text = answer.read().decode()
        for name, value in answer.getheaders():
            if name.lower() == "set-cookie":
                key, _sep, rest = value.partition("=")
                self._cookies[key] = rest.split(";")[0]
        if answer.status not in (200, 302):
            raise RuntimeError(f"{path}: {answer.status}")
        return text

    def sign_in(self) -> None:
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', self.ask("/sign-in"))
        assert found is not None
        given = {"csrfmiddlewaretoken": found[1], "staff_number": "1", "password": PASSWORD}
        self.ask("/sign-in", given)

    def stream(self) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        connection.request("GET", "/alerts/stream", headers=self._cookie())
        return connection.getresponse()


def _process(config: Path, *module: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", *module, "--config", str(config), "--parent", str(os.getpid())]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    if process.stdout.readline() != b"ready\n":
        raise RuntimeError(f"{module[0]} did not start")
    return process


def _fill(config: Path, progress: Progress) -> None:
    from qingfang.web import server

    server.set_up(config)
    from qingfang.people import services
    from qingfang.people.models import Department, Organisation, Person
    from qingfang.review.ingest import Ingest

    hospital = Organisation.objects.create(code="H", name="合成医院")
    office = Department.objects.create(
        organisation=hospital, code="D", name="纪检监察室", kind="discipline"
    )
    someone = Person(staff_number="1", name="某人", department=office)
    someone.set_password(PASSWORD)
    someone.save()
    services.give_role(someone, "application_manager", by=None)
    start = dt.datetime.now(dt.UTC) - dt.timedelta(days=365)
    step = dt.timedelta(days=365) / ALERTS
    worker = Ingest("bench")
    for seq in range(1, ALERTS + 1):
        worker.feed(_event(seq, start + step * seq))
        if seq % 1000 == 0:
            worker.commit()
            progress(f"{seq} / {ALERTS}")


def run(progress: Progress) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="qingfang-bench-") as name:
        folder, port = Path(name), free_port()
        folder.chmod(0o711)  # the database's user has to pass through
        (folder / "run").mkdir()
        config = folder / "qingfang.toml"
        config.write_text(
            f'[site]\nname = "合成医院"\n[paths]\nstate = "{folder}/state"\nrun = "{folder}/run"\n'
            f'[console]\nlisten = "127.0.0.1:{port}"\n',
            encoding="utf-8",
        )
        processes = [_process(config, "qingfang.engine", "ledger")]
        try:
            processes.append(_process(config, "qingfang.web.server"))
            _fill(config, progress)
            return [*_pages(port, progress), _live(folder, port, progress)]
        finally:
            for process in reversed(processes):
                process.terminate()
                process.wait(30)


def _pages(port: int, progress: Progress) -> list[Row]:
    browser = _Browser(port)
    browser.sign_in()
    rows = []
    for title, path in PAGES.items():
        times = []
        for _round in range(ROUNDS):
            start = time.perf_counter()
            browser.ask(path)
            times.append((time.perf_counter() - start) * 1000)
        p95 = round(percentile(times[2:], 95), 1)
        progress(f"{title}: {p95} ms")
        what = f"{title}（{ALERTS} 条告警），p95 毫秒"
        rows.append(Row(what, p95, goal="≤ 200", met=p95 <= 200))
    return rows


def _live(folder: Path, port: int, progress: Progress) -> Row:
    """From the moment an event is handed to the ledger until the list that a browser fetches on
    the stream's word shows it."""
    browser = _Browser(port)
    browser.sign_in()
    stream = browser.stream()
    recorder = BlockingRecorder(folder / "run" / "ledger.sock", "bench")
    times = []
    while b"data: start" not in stream.readline():
        pass
    for number in range(LIVE):
        event = _event(number + 1, dt.datetime.now(dt.UTC))
        start = time.perf_counter()
        recorder.record(event)
        while b"data: new" not in stream.readline():
            pass
        shown = event.at[:10] in browser.ask("/alerts/")
        times.append((time.perf_counter() - start) * 1000)
        if not shown:
            raise RuntimeError("the list does not show the alert")
    recorder.close()
    p95 = round(percentile(times, 95), 1)
    progress(f"live: {p95} ms")
    return Row("告警从入账到出现在列表，p95 毫秒", p95, goal="≤ 1000", met=p95 <= 1000)
