"""From a statement's departure to the alert before an inspector's eyes, and where the time goes.

Everything is real: the house's processes with a console of its own, a PostgreSQL with a small
invented hospital (合成数据), a client that attempts, and Chromium with the list of alerts open by a
person who signed in. All clocks are this machine's one. Other work goes on through the gateway
meanwhile. Each attempt is another person's, in words of its own, so that it is analysed anew and
nothing groups it with the one before; pauses between them are drawn by lot, so that they meet every
phase of whatever polls.

What is watched: the client notes when it sends and when it is answered; a follower of the ledger
when the event can be read there; a listener of the console's database when the alert's row is
committed; a MutationObserver in the page when a row with the person's number is in the list.
"""

from __future__ import annotations

import contextlib
import json
import random
import secrets
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import psycopg
from msgspec import Struct

from qingfang import config as configuration
from qingfang import ipc
from qingfang.bench import Impossible, Progress, Row, percentile
from qingfang.engine import closed, house
from qingfang.engine.process import READY
from qingfang.events import Event
from qingfang.language import _
from qingfang.postgres import Server, free_port
from qingfang.record.client import follow_blocking, stat

ATTEMPTS = 48
GOAL_MS = 1000
BACKGROUND_RATE = 25.0
_PATIENCE_S = 30.0
_FIRST_PERSON = 700_001
_INSPECTOR = "1"
_PASSWORD = secrets.token_urlsafe(12)

_TABLES = """
CREATE TABLE rx (no text, doctor text, item text, qty int, at timestamptz);
INSERT INTO rx SELECT 'R' || n, 'D' || n % 300, 'Y' || n % 500, n % 9 + 1, now() - n * interval '1 min'
  FROM generate_series(1, 20000) n;
CREATE TABLE staff (no text, name text);
INSERT INTO staff SELECT 'D' || n, '合成医生' || n FROM generate_series(0, 299) n;
CREATE TABLE ward (no int, name text);
INSERT INTO ward SELECT n, '病区' || n FROM generate_series(1, 50) n;
CREATE TABLE login (staff text, at timestamptz DEFAULT now());
"""
_CATALOGUE = {
    "name": "合成医院",
    "dialect": "postgres",
    "tables": {
        "public.rx": {
            "kind": "usage",
            "columns": {
                "no": "prescription_id",
                "doctor": "prescriber_id",
                "item": "item_id",
                "qty": "quantity",
                "at": "time",
            },
        },
        "public.staff": {
            "kind": "dictionary",
            "columns": {"no": "prescriber_id", "name": "prescriber_name"},
        },
        "public.ward": {"kind": "other", "columns": {"no": None, "name": None}},
        "public.login": {"kind": "other", "columns": {"staff": "operator_id", "at": "time"}},
    },
    "operators": [{"table": "public.login", "column": "staff", "on": "insert"}],
}
_SHAPES = (
    "SELECT doctor AS a{n}, sum(qty) FROM rx WHERE item = 'Y{n}' GROUP BY doctor",
    "SELECT s.name, count(*) AS a{n} FROM rx r JOIN staff s ON s.no = r.doctor"
    " WHERE r.item = 'Y{n}' GROUP BY s.name ORDER BY 2 DESC",
    "SELECT doctor, qty AS a{n} FROM rx WHERE item = 'Y{n}'",
    "WITH a{n} AS (SELECT * FROM rx WHERE item = 'Y{n}')"
    " SELECT doctor, avg(qty) FROM a{n} GROUP BY doctor",
    "SELECT DISTINCT doctor, sum(qty) OVER (PARTITION BY doctor) AS a{n} FROM rx WHERE item = 'Y{n}'",
    "SELECT doctor AS a{n} FROM rx WHERE item = 'Y{n}' GROUP BY doctor HAVING sum(qty) > {n}",
    "COPY (SELECT doctor, sum(qty) AS a{n} FROM rx WHERE item = 'Y{n}' GROUP BY doctor) TO STDOUT",
    "SELECT t.doctor, t.a{n} FROM (SELECT doctor, max(qty) AS a{n} FROM rx WHERE item = 'Y{n}'"
    " GROUP BY doctor) t WHERE t.a{n} > 1",
)
_CONFIG = """\
[site]
name = "合成医院"
id = "bench"

[paths]
state = "{folder}/state"
run = "{folder}/run"

[console]
listen = "127.0.0.1:{console}"

[[database]]
name = "his"
address = "127.0.0.1:{backend}"
catalogue = "catalogue.json"

[[route]]
name = "watched"
database = "his"
listen = "127.0.0.1:{watched}"
budget_ms = 5000

[[route]]
name = "guarded"
database = "his"
listen = "127.0.0.1:{guarded}"
budget_ms = 5000
"""
_WATCH = """() => {
  window.qingfangShown = {};
  const look = () => {
    const now = Date.now();
    for (const cell of document.querySelectorAll("#alerts tbody td")) {
      for (const number of cell.textContent.match(/\\b7\\d{5}\\b/g) || []) {
        if (!(number in window.qingfangShown)) window.qingfangShown[number] = now;
      }
    }
  };
  new MutationObserver(look).observe(document.body, { childList: true, subtree: true, characterData: true });
  look();
}"""


class Shown(Struct, frozen=True):
    """One attempt: seconds since the epoch at which each station was reached."""

    sent: float
    answered: float
    recorded: float
    stored: float
    shown: float


def run(progress: Progress) -> list[Row]:
    return rows(measure(ATTEMPTS, progress))


def rows(found: list[Shown]) -> list[Row]:
    """The figures of some attempts, in milliseconds, and the share of each leg of the whole."""

    def of(begin: str, end: str) -> list[float]:
        return [1000 * (getattr(s, end) - getattr(s, begin)) for s in found]

    whole = of("sent", "shown")
    p95 = percentile(whole, 95)
    about = _("{} 次企图").format(len(found))
    made = [
        Row(
            _("语句发出到告警出现在浏览器，p95 毫秒（{}）").format(about),
            round(p95, 1),
            goal=f"≤ {GOAL_MS}",
            met=p95 <= GOAL_MS,
        ),
        Row(_("同上，p50 毫秒"), round(percentile(whole, 50), 1)),
        Row(_("同上，最大毫秒"), round(max(whole), 1)),
        Row(
            _("语句发出到客户端得到答复，p95 毫秒"),
            round(percentile(of("sent", "answered"), 95), 1),
        ),
    ]
    total = sum(whole)
    for what, begin, end in (
        (_("语句 → 结论并入账"), "sent", "recorded"),
        (_("账本 → 控制台数据库"), "recorded", "stored"),
        (_("控制台数据库 → 页面列表"), "stored", "shown"),
    ):
        leg = of(begin, end)
        share = round(100 * sum(leg) / total)
        text = _("{}，p95 毫秒（p50 {}，占 {}%）")
        made.append(
            Row(
                text.format(what, round(percentile(leg, 50), 1), share),
                round(percentile(leg, 95), 1),
            )
        )
    return made


def measure(attempts: int, progress: Progress) -> list[Shown]:
    """Raises `Impossible` where there is no browser."""
    chromium = _chromium()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="qingfang-bench-")))
        folder.chmod(0o711)  # the databases' user has to pass through
        server = stack.enter_context(Server(folder / "his", port=0))
        progress(_("合成医院、各进程、控制台"))
        with psycopg.connect(server.dsn(), autocommit=True) as connection:
            connection.execute(_TABLES)
        place = _Place(folder, server)
        stack.enter_context(place.running())
        place.fill(attempts)
        place.in_force()
        watch = stack.enter_context(_Watch(place))
        stack.enter_context(_others(place))
        with _page(chromium, place) as shown:
            return list(_attempts(place, watch, shown, attempts, progress))


def _attempts(
    place: _Place,
    watch: _Watch,
    shown: Callable[[], dict[str, float]],
    attempts: int,
    progress: Progress,
) -> Iterator[Shown]:
    rng = random.Random(1)
    for n in range(attempts):
        number = str(_FIRST_PERSON + n)
        sql = _SHAPES[n % len(_SHAPES)].format(n=n + 1)
        route = ("watched", "guarded")[n // len(_SHAPES) % 2]
        with place.client(route, application_name="bench") as client:
            client.execute("INSERT INTO login (staff) VALUES (%s)", [number])
            sent = time.time()
            with contextlib.suppress(psycopg.errors.InsufficientPrivilege):
                if sql.startswith("COPY"):
                    with client.cursor().copy(sql.encode()) as copy:
                        for _block in copy:
                            pass
                else:
                    client.execute(sql.encode()).fetchall()
            answered = time.time()
            patience = time.monotonic() + _PATIENCE_S
            while number not in (page := shown()) or number not in watch.stored:
                if time.monotonic() > patience:
                    raise RuntimeError(f"no alert was shown for: {sql}")
        yield Shown(
            sent, answered, watch.recorded[number], watch.stored[number], page[number] / 1000
        )
        progress(f"{n + 1} / {attempts}")
        time.sleep(rng.uniform(0.1, 0.7))


class _Place:
    """The house on its own folder, and its clients."""

    def __init__(self, folder: Path, server: Server) -> None:
        self.folder, self._server = folder, server
        self.console = free_port()
        self._ports = {"watched": free_port(), "guarded": free_port()}
        self.file = folder / "qingfang.toml"
        text = _CONFIG.format(
            folder=folder, console=self.console, backend=server.port, **self._ports
        )
        self.file.write_text(text, encoding="utf-8")
        self.config = configuration.read(self.file)
        closed.close(self.config)
        catalogue = Path(self.config.database[0].catalogue)
        catalogue.write_text(json.dumps(_CATALOGUE, ensure_ascii=False), encoding="utf-8")
        self.ledger = Path(self.config.paths.run, "ledger.sock")

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Every process, as the supervisor would start it."""
        with contextlib.ExitStack() as stack:
            for service in house.services(self.config, self.file):
                assert service.log is not None
                log = stack.enter_context(service.log.open("wb"))
                process = subprocess.Popen(service.argv, stdout=subprocess.PIPE, stderr=log)
                stack.callback(process.wait)
                stack.callback(process.terminate)
                assert process.stdout is not None
                if process.stdout.readline().strip() != READY.encode():
                    raise RuntimeError(f"{service.name}: {service.log.read_text()}")
            yield

    def client(self, route: str, **more: Any) -> psycopg.Connection[Any]:
        dsn = self._server.dsn()
        options = {"host": "127.0.0.1", "port": self._ports[route], "sslmode": "disable", **more}
        return psycopg.connect(dsn, autocommit=True, **options)

    def fill(self, attempts: int) -> None:
        """An inspector and as many other people as there are attempts, one route enforcing."""
        from qingfang.web import server

        server.set_up(self.file)
        from qingfang.access.models import RouteMode
        from qingfang.people import services
        from qingfang.people.models import Department, Organisation, Person

        hospital = Organisation.objects.create(code="H", name="合成医院")
        office = Department.objects.create(
            organisation=hospital, code="D", name="纪检监察室", kind="discipline"
        )
        clinic = Department.objects.create(
            organisation=hospital, code="C", name="合成内科", kind="clinical"
        )
        inspector = Person(staff_number=_INSPECTOR, name="某监察", department=office)
        inspector.set_password(_PASSWORD)
        inspector.save()
        services.give_role(inspector, "application_manager", by=None)
        for n in range(attempts):
            person = Person(
                staff_number=str(_FIRST_PERSON + n), name=f"合成职工{n + 1}", department=clinic
            )
            person.set_unusable_password()
            person.save()
        RouteMode.objects.create(route="guarded", enforce=True, changed_by=inspector)

    def in_force(self) -> None:
        """Return when the console's snapshot has reached the judge."""
        judge = ipc.BlockingClient(Path(self.config.paths.run, "judge.sock"))
        with contextlib.closing(judge):
            for routes in judge.stream("modes"):
                if "guarded" in msgspec.msgpack.decode(routes, type=list[str]):
                    return


class _Watch:
    """When each person's alert could be read in the ledger, and in the console's database."""

    def __init__(self, place: _Place) -> None:
        self._place = place
        self.recorded: dict[str, float] = {}
        self.stored: dict[str, float] = {}
        self._over = threading.Event()
        self._listening = threading.Event()

    def __enter__(self) -> _Watch:
        self._first = stat(self._place.ledger).next
        self._threads = [
            threading.Thread(target=self._follow, daemon=True),
            threading.Thread(target=self._listen, daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        self._listening.wait(_PATIENCE_S)
        return self

    def __exit__(self, *_what: object) -> None:
        self._over.set()
        self._threads[1].join()  # the other one ends with the ledger it follows

    def _follow(self) -> None:
        with contextlib.suppress(ipc.Unavailable):
            for entry in follow_blocking(self._place.ledger, self._first, live=True, briefs=False):
                now = time.time()
                if isinstance(entry.value, Event) and entry.value.operator is not None:
                    self.recorded.setdefault(entry.value.operator.value, now)

    def _listen(self) -> None:
        from django.db import connection

        from qingfang.review.ingest import CHANNEL
        from qingfang.review.models import Alert

        with connection.cursor() as cursor:
            cursor.execute(f"LISTEN {CHANNEL}")
        self._listening.set()
        newest = 0
        while not self._over.is_set():
            # The connection is the generator's own until it ends.
            if not list(connection.connection.notifies(timeout=0.2, stop_after=1)):
                continue
            now = time.time()
            found = Alert.objects.filter(pk__gt=newest).order_by("pk")
            for pk, number in found.values_list("pk", "operator"):
                newest = pk
                self.stored.setdefault(number, now)
        connection.close()


@contextlib.contextmanager
def _others(place: _Place) -> Iterator[None]:
    """Somebody works on, through the same gateway."""
    over = threading.Event()

    def work() -> None:
        with place.client("watched", application_name="门诊护士站") as client:
            n = 0
            while not over.wait(1 / BACKGROUND_RATE):
                n += 1
                client.execute("SELECT name FROM ward WHERE no = %s", [n % 50 + 1]).fetchall()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _chromium() -> str:
    found = next(
        (path for name in ("chromium", "chromium-browser") if (path := shutil.which(name))), None
    )
    if found is None:
        raise Impossible(_("没有浏览器：请安装 Debian 软件包 chromium"))
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        raise Impossible(_("没有 Python 包 playwright：pip install playwright")) from None
    return found


@contextlib.contextmanager
def _page(chromium: str, place: _Place) -> Iterator[Callable[[], dict[str, float]]]:
    """The list of alerts, open before the inspector; what is yielded gives each number's moment in
    milliseconds since the epoch."""
    from playwright.sync_api import expect, sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(base_url=f"http://127.0.0.1:{place.console}")
        page.goto("/sign-in")
        page.locator("[name=staff_number]").fill(_INSPECTOR)
        page.locator("[name=password]").fill(_PASSWORD)
        page.locator("main [type=submit]").click()
        page.wait_for_url("**/")
        page.goto("/alerts/")
        expect(page.locator("[data-live-state].is-live")).to_be_attached()
        page.evaluate(_WATCH)

        def shown() -> dict[str, float]:
            page.wait_for_timeout(20)
            return page.evaluate("() => window.qingfangShown")

        yield shown
        browser.close()
