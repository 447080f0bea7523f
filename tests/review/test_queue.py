"""The queue of what could not be read: one row a template, what settles it, what brings it back."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from qingfang.access.models import Registered, Settlement
from qingfang.engine import catalogues
from qingfang.events import Event, Meaning, Reason, Touch
from qingfang.people.models import Act, Terminal
from qingfang.review import queue
from qingfang.review.ingest import Ingest
from qingfang.review.models import Alert, OpaqueTemplate, OperatorDay, QueueDay
from qingfang.understand.fingerprint import fingerprint
from tests.access.test_snapshot import Engine
from tests.support.alerts import START, event
from tests.support.people import person
from tests.understand.scenes import FIXTURES

pytestmark = pytest.mark.django_db

CALL = "CALL p_month('2026-01-01', 'D001')"
FIGURES = Touch("mz_cfmx", ("item_id", "prescriber_id", "quantity"))
DRUGS = Touch("mz_cfmx", ("quantity",))


def opaque(sql: str, code: str = "opaque.unknown_procedure", *touches: Touch) -> Meaning:
    return Meaning("opaque", touches=touches, reasons=(Reason(code, "读不懂", 0, len(sql)),))


def sent(seq: int, sql: str = CALL, meaning: Meaning | None = None, **more: object) -> Event:
    given = {"verdict": "log", "fingerprint": fingerprint(sql, "postgres").digest.hex()}
    return event(seq, sql=sql, meaning=meaning or opaque(sql), **(given | more))  # type: ignore[arg-type]


def fed(*events: Event) -> None:
    worker = Ingest("test")
    for one in events:
        worker.feed(one)
    worker.commit()


@pytest.fixture
def office() -> Client:
    return signed_in("9001", "application_manager")


def signed_in(number: str, role: str) -> Client:
    client = Client()
    client.force_login(person(number, "discipline", role))
    return client


# ------------------------------------------------------------------ one row a template


def test_a_template_is_one_row_however_often_it_is_sent() -> None:
    fed(
        sent(1, operator="1001", program="HIS.exe", client="10.1.2.3:5001"),
        sent(2, "call p_month('2026-02-01', 'D002')", program="Navicat", terminal="PC-1"),
        sent(3, twin_of="A-1"),
    )
    fed(sent(4, after=90_000, program="HIS.exe"))
    (row,) = OpaqueTemplate.objects.all()
    assert row.text == "call p_month('?', '?')"
    assert "D001" not in json.dumps([row.text, row.causes, row.programs])
    assert (row.count, row.database, row.dialect) == (3, "his", "postgres")
    assert row.causes == [{"code": "opaque.unknown_procedure", "name": "p_month"}]
    assert row.programs == {"HIS.exe": 2, "Navicat": 1}
    assert row.terminals == {"10.1.2.3": 2, "PC-1": 1}
    assert row.last_at - row.first_at > dt.timedelta(days=1)


def test_reading_the_ledger_again_counts_nothing_twice() -> None:
    events = [sent(n) for n in range(1, 9)]
    fed(*events[:5])
    worker = Ingest("test")
    for one in events:
        worker.feed(one)
    worker.commit()
    assert OpaqueTemplate.objects.get().count == 8
    assert OperatorDay.objects.get().statements == 8


@pytest.mark.parametrize(
    ("sql", "code", "name"),
    [
        ("SELECT his.f_stat('x'", "opaque.unknown_function", "his.f_stat"),
        ("EXEC [dbo].[p 1] 5", "opaque.unknown_procedure", "[dbo].[p"),
        ("dbo.no_such t", "opaque.unknown_object", "dbo.no_such"),
        ("SELEC 王某 FROM t", "opaque.unparsed", ""),
        ("", "opaque.unknown_object", ""),
    ],
)
def test_what_is_unknown_has_its_name(sql: str, code: str, name: str) -> None:
    (cause,) = queue.causes(opaque(sql, code), sql, "postgres")
    assert cause == {"code": code, "name": name}


def test_the_worst_come_first_and_others_are_told_in_words(office: Client) -> None:
    fed(
        sent(1, "SELECT a FROM gh_log", opaque("gh_log", "opaque.unknown_object")),
        sent(2, "CALL p_worst()", opaque("CALL p_worst()", "opaque.unknown_procedure", FIGURES)),
        sent(3, "SELEC x", opaque("SELEC x", "opaque.unparsed", DRUGS)),
    )
    assert [t.text for t in OpaqueTemplate.objects.order_by("-risk")] == [
        "call p_worst()",
        "selec x",
        "select a from gh_log",
    ]
    page = office.get("/opaque/").content.decode()
    assert page.index("p_worst") < page.index("selec x") < page.index("gh_log")
    assert "凑得出用量" in page
    assert "执行了目录里没有的存储过程，不知道它会取走什么（p_worst）" in page
    assert "还有 3 个" in page
    worst = OpaqueTemplate.objects.get(risk=3)
    page = office.get(f"/opaque/{worst.pk}").content.decode()
    assert "药品或耗材、医生、用量或金额" in page
    assert 'value="p_worst"' in page


def test_a_hundred_thousand_statements_of_fifty_templates(office: Client) -> None:
    texts = [f"CALL p_{n}('x')" for n in range(50)]
    one = [sent(n + 1, sql) for n, sql in enumerate(texts)]
    worker = Ingest("test")
    for turn in range(2_000):
        for n, given in enumerate(one):
            worker.feed(msgspec.structs.replace(given, seq=turn * 50 + n + 1))
        if turn % 500 == 499:
            worker.commit()
    assert OpaqueTemplate.objects.count() == 50
    assert set(OpaqueTemplate.objects.values_list("count", flat=True)) == {2_000}
    with_queries = len(_queries(office, "/opaque/"))
    OpaqueTemplate.objects.filter(pk__gt=OpaqueTemplate.objects.order_by("pk")[9].pk).delete()
    assert with_queries == len(_queries(office, "/opaque/")), "as many for ten as for fifty"


def _queries(client: Client, path: str) -> list[dict[str, str]]:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as found:
        assert client.get(path).status_code == 200
    return found.captured_queries


# ------------------------------------------------------------------ leaving the queue, coming back


def test_a_template_that_is_read_leaves_and_comes_back_when_it_is_opaque_again() -> None:
    fed(sent(1))
    fed(sent(2, meaning=Meaning("none"), verdict="pass", after=60))
    assert queue.waiting().count() == 1, "in another session it may still be opaque"
    fed(sent(3, meaning=Meaning("none"), verdict="pass", after=7_200))
    assert queue.waiting().count() == 0
    fed(sent(4, after=8_000))
    assert queue.waiting().count() == 1
    fed(sent(5, meaning=Meaning("none"), verdict="pass", after=90_000), sent(6, after=90_001))
    assert queue.waiting().count() == 1


@pytest.mark.parametrize("kind", ["report", "service"])
def test_what_is_registered_leaves_and_comes_back_when_it_is_out_of_use(kind: str) -> None:
    fed(sent(1))
    digest = OpaqueTemplate.objects.get().digest
    body = {"digest": "f" * 64, "further": [digest]} if kind == "report" else {"digests": [digest]}
    row = Registered.objects.create(kind=kind, code="R", body=body)
    assert queue.waiting().count() == 0
    row.active = False
    row.save()
    assert queue.waiting().count() == 1


def test_the_length_of_each_day_is_what_it_was() -> None:
    today = dt.date(2026, 3, 10)
    QueueDay.objects.create(day=today - dt.timedelta(days=9), waiting=40)
    QueueDay.objects.create(day=today - dt.timedelta(days=2), waiting=7)
    fed(sent(1))
    assert queue.lengths(4, today) == [
        (dt.date(2026, 3, 7), 40),
        (dt.date(2026, 3, 8), 7),
        (dt.date(2026, 3, 9), 7),
        (dt.date(2026, 3, 10), 1),
    ]
    assert QueueDay.objects.get(day=timezone.localdate()).waiting == 1


# ------------------------------------------------------------------ settling


def test_two_people_find_it_no_usage_and_the_judge_has_it(office: Client, tmp_path: Path) -> None:
    engine = Engine(tmp_path)
    fed(sent(1, meaning=opaque(CALL, "opaque.unknown_procedure", DRUGS)))
    row = OpaqueTemplate.objects.get()
    answer = office.post(f"/opaque/{row.pk}/no-usage", {"reason": ""})
    assert answer.status_code == 422
    office.post(f"/opaque/{row.pk}/no-usage", {"reason": "只写日志，已与厂商核对"})
    again = office.post(f"/opaque/{row.pk}/no-usage", {"reason": "再提"})
    assert "正等第二人确认" in again.content.decode()
    found = Settlement.objects.get()
    path = f"/office/settled/{found.pk}"
    office.post(f"{path}/decision", {"act": "confirm"})
    assert Settlement.objects.get().state == "pending", "nobody confirms their own"
    assert queue.waiting().count() == 1
    other = signed_in("9005", "filer")
    assert "只记录、不告警" in other.get(path).content.decode()
    now = dt.datetime.now(dt.UTC)
    other.post(f"{path}/decision", {"act": "confirm", "note": "同意"})
    found.refresh_from_db()
    assert found.state == "confirmed"
    assert found.until is not None
    assert abs(found.until - now - dt.timedelta(days=366)) < dt.timedelta(minutes=1)
    assert queue.waiting().count() == 0
    engine.hand_down(now)
    (settled,) = engine.read().settled
    assert (settled.digest, settled.server, settled.tables) == (
        row.digest,
        "10.0.0.5:5432",
        ("mz_cfmx",),
    )
    other.post(f"{path}/decision", {"act": "end"})
    engine.hand_down(now)
    assert engine.read().settled == ()
    assert queue.waiting().count() == 1
    about = Act.objects.filter(kind__startswith="settlement").order_by("pk")
    assert list(about.values_list("kind", flat=True)) == [
        "settlement.proposed",
        "settlement.confirmed",
        "settlement.ended",
    ]


def test_what_is_over_is_not_handed_down(tmp_path: Path) -> None:
    engine = Engine(tmp_path)
    someone, now = person("1"), dt.datetime.now(dt.UTC)
    Settlement.objects.create(
        kind="no_usage",
        server="10.0.0.5:5432",
        database="his",
        digest="a" * 64,
        text="x",
        by=someone,
        state="confirmed",
        until=now,
    )
    engine.hand_down(now)
    assert engine.read().settled == ()


@pytest.mark.parametrize(
    "meaning",
    [
        opaque(CALL, "opaque.remote_sql"),
        opaque(CALL, "opaque.body"),
        opaque(CALL, "opaque.unparsed", Touch("*", ("quantity",))),
        msgspec.structs.replace(opaque(CALL), volatile=True),
    ],
)
def test_a_text_that_does_not_say_what_runs_cannot_be_found_harmless(
    office: Client, meaning: Meaning
) -> None:
    fed(sent(1, meaning=meaning))
    row = OpaqueTemplate.objects.get()
    assert 'id="no-usage"' not in office.get(f"/opaque/{row.pk}").content.decode()
    answer = office.post(f"/opaque/{row.pk}/no-usage", {"reason": "看着没事"})
    assert answer.status_code == 422
    assert not Settlement.objects.exists()


def test_a_refused_finding_changes_nothing(office: Client) -> None:
    fed(sent(1))
    row = OpaqueTemplate.objects.get()
    office.post(f"/opaque/{row.pk}/no-usage", {"reason": "像是日志"})
    found = Settlement.objects.get()
    other = signed_in("9005", "filer")
    other.post(f"/office/settled/{found.pk}/decision", {"act": "refuse", "note": "看不出"})
    found.refresh_from_db()
    assert (found.state, found.note, found.until) == ("refused", "看不出", None)
    assert queue.waiting().count() == 1


def test_the_auditor_looks_and_settles_nothing() -> None:
    fed(sent(1))
    row = OpaqueTemplate.objects.get()
    client = Client()
    client.force_login(person("9002", "office", "auditor"))
    assert client.get(f"/opaque/{row.pk}").status_code == 200
    assert client.post(f"/opaque/{row.pk}/no-usage", {"reason": "x"}).status_code == 403
    assert not Settlement.objects.exists()


# ------------------------------------------------------------------ a procedure's source

MONTH = "SELECT * FROM f_month('2026-01-01', 'D001')"
SUMS = (
    "CREATE FUNCTION f_month(a date, b text) RETURNS TABLE (ysdm text, sl numeric) LANGUAGE sql"
    " AS $$ SELECT c.ysdm, SUM(m.sl) FROM mz_cf c JOIN mz_cfmx m ON m.cf_id = c.cf_id"
    " WHERE m.ypdm = 'A1' GROUP BY c.ysdm $$"
)


@pytest.fixture
def file() -> Iterator[Path]:
    """The catalogue that the test's configuration names."""
    made = Path(settings.QINGFANG.database[0].catalogue)
    made.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(FIXTURES / "small.json", made)
    yield made
    made.unlink()


@pytest.fixture
def analyser(file: Path) -> Iterator[None]:
    """The real process, on the test's configuration."""
    command = [sys.executable, "-m", "qingfang.engine", "analyser"]
    process = subprocess.Popen(
        [*command, "--config", os.environ["QINGFANG_CONFIG"], "--parent", str(os.getpid())],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    yield
    process.terminate()
    process.wait(20)
    process.stdout.close()


def test_a_source_is_tried_proposed_confirmed_and_the_queue_is_shorter(
    office: Client, file: Path, analyser: None
) -> None:
    fed(
        sent(1, MONTH, opaque(MONTH, "opaque.unknown_function")),
        sent(2, MONTH.replace("D001", "D9"), opaque(MONTH, "opaque.unknown_function")),
        sent(3, "SELEC x"),
    )
    row = OpaqueTemplate.objects.get(count=2)
    given = {"name": "f_month", "source": SUMS, "reason": "数据库管理员导出"}
    page = office.post(f"/opaque/{row.pk}/source", {**given, "act": "try"}).content.decode()
    assert "读懂了：它给出用量" in page
    assert "CREATE FUNCTION f_month" in page, "what was typed in stays"
    assert not Settlement.objects.exists()
    office.post(f"/opaque/{row.pk}/again")
    assert queue.waiting().count() == 2
    office.post(f"/opaque/{row.pk}/source", {**given, "act": "propose"})
    before = file.read_bytes()
    found = Settlement.objects.get()
    office.post(f"/office/settled/{found.pk}/decision", {"act": "confirm"})
    assert file.read_bytes() == before, "nobody confirms their own"
    other = signed_in("9005", "filer")
    assert "SUM(m.sl)" in other.get(f"/office/settled/{found.pk}").content.decode()
    other.post(f"/office/settled/{found.pk}/decision", {"act": "confirm"})
    assert json.loads(file.read_bytes())["procedures"] == {"f_month": SUMS}
    assert catalogues.read(file).procedure("F_MONTH") == SUMS
    deadline = time.monotonic() + 20
    while queue.tried(row).disclosure == "opaque":
        assert time.monotonic() < deadline, "the analyser has not taken the catalogue up"
        time.sleep(0.2)
    office.post(f"/opaque/{row.pk}/again")
    assert [t.text for t in queue.waiting()] == ["selec x"]


def test_without_the_analyser_nothing_is_said_to_be_read(office: Client, file: Path) -> None:
    fed(sent(1))
    row = OpaqueTemplate.objects.get()
    page = office.post(f"/opaque/{row.pk}/again", follow=True).content.decode()
    assert "分析服务现在不应答" in page
    form = {"name": "f_month", "source": SUMS, "reason": "x", "act": "try"}
    assert "分析服务现在不应答" in office.post(f"/opaque/{row.pk}/source", form).content.decode()
    assert queue.waiting().count() == 1


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"source": ""}, "要写明源代码"),
        ({"name": "p month; drop"}, "模式.名称"),
        ({"reason": ""}, "必填"),
        ({"file": SimpleUploadedFile("p.sql", b"\xff\xff\x00\xff")}, "不是 UTF-8"),
    ],
)
def test_a_source_that_will_not_do(
    office: Client, file: Path, given: dict[str, object], says: str
) -> None:
    fed(sent(1))
    row = OpaqueTemplate.objects.get()
    form = {"name": "f_month", "source": SUMS, "reason": "导出", "act": "propose"}
    answer = office.post(f"/opaque/{row.pk}/source", {**form, **given})
    assert (answer.status_code, says in answer.content.decode()) == (422, True)
    assert not Settlement.objects.exists()


def test_a_file_in_gb18030_is_read(office: Client, file: Path) -> None:
    fed(sent(1))
    row = OpaqueTemplate.objects.get()
    text = SUMS.replace("SELECT c", "/* 月报 */ SELECT c")
    upload = SimpleUploadedFile("p.sql", text.encode("gb18030"))
    office.post(
        f"/opaque/{row.pk}/source",
        {"name": "f_month", "file": upload, "reason": "导出", "act": "propose"},
    )
    assert Settlement.objects.get().source == text


def test_a_catalogue_that_cannot_be_written_leaves_it_proposed(office: Client, file: Path) -> None:
    fed(sent(1))
    row = OpaqueTemplate.objects.get()
    form = {"name": "f_month", "source": SUMS, "reason": "导出", "act": "propose"}
    office.post(f"/opaque/{row.pk}/source", form)
    file.write_text("{", encoding="utf-8")
    other = signed_in("9005", "filer")
    path = f"/office/settled/{Settlement.objects.get().pk}/decision"
    page = other.post(path, {"act": "confirm"}, follow=True).content.decode()
    assert "目录不收" in page
    assert Settlement.objects.get().state == "pending"
    assert "settlement.confirmed" not in Act.objects.values_list("kind", flat=True)


# ------------------------------------------------------------------ registering from the queue


def test_a_menu_of_several_templates_is_registered_from_the_queue(
    office: Client, tmp_path: Path
) -> None:
    Terminal.objects.create(name="PC-1", address="10.1.2.3", role="statistics")
    person("1001", "office")
    fed(sent(1, terminal="PC-1"), sent(2, "SELEC x"))
    first, second = OpaqueTemplate.objects.order_by("pk")
    page = office.get(f"/office/registered/reports/new?template={first.pk}").content.decode()
    assert first.digest in page
    assert "p_month" in page
    assert "D001" not in page
    everything = {f"{name}_kind": "all" for name in ("items", "prescribers", "departments")}
    form = {"code": "BB-2", "menu": "月报", "digests": first.digest, "grain": "detail"}
    form |= {**everything, "persons": "1001", "terminals": "PC-1", "longest_days": "31"}
    office.post("/office/registered/reports/new", form)
    row = Registered.objects.get()
    assert [t.pk for t in queue.waiting()] == [second.pk]
    link = f"/office/registered/reports/{row.pk}?template={second.pk}"
    assert link in office.get(f"/opaque/{second.pk}").content.decode()
    page = office.get(link).content.decode()
    assert f"{first.digest} {second.digest}" in page
    form |= {"digests": f"{first.digest} {second.digest}"}
    office.post(f"/office/registered/reports/{row.pk}", form)
    assert queue.waiting().count() == 0
    engine = Engine(tmp_path)
    engine.hand_down(dt.datetime.now(dt.UTC))
    (report,) = engine.read().reports
    assert (report.further, report.scope.longest_days) == ((second.digest,), 31)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"prescribers_kind": "list"}, "要写明是哪些"),
        ({"items": "A1"}, "范围要选"),
        ({"items_members": "A1"}, "才写"),
        ({"digests": "abc"}, "64 位十六进制"),
        ({"longest_days": "0"}, "大于或等于"),
    ],
)
def test_a_scope_that_contradicts_itself(office: Client, given: dict[str, str], says: str) -> None:
    everything = {f"{name}_kind": "all" for name in ("items", "prescribers", "departments")}
    form = {"code": "B", "menu": "月报", "digests": "a" * 64, "grain": "institution", **everything}
    page = office.post("/office/registered/reports/new", {**form, **given}).content.decode()
    assert says in page
    assert not Registered.objects.exists()


# ------------------------------------------------------------------ who is at work


def test_the_share_of_unknown_operators_is_on_the_list_before_enforcing(office: Client) -> None:
    page = office.get("/missing/").content.decode()
    assert "还没有看到语句" in page
    now = (timezone.now() - dt.timedelta(hours=1)).timestamp() - START.timestamp()
    fed(
        *(sent(n, after=now, operator="" if n < 5 else "1001") for n in range(1, 11)),
        msgspec.structs.replace(sent(11, after=now, operator=""), source="tap"),
    )
    row = OperatorDay.objects.get()
    assert (row.statements, row.unknown) == (10, 4)
    assert "10 条语句，40.0% 说不出操作人" in office.get("/missing/").content.decode()
    assert "太多：拦截时个人的审批" in office.get("/routes/").content.decode()
    office.post("/routes/his-clinical/mode", {"mode": "enforce"})
    assert Act.objects.get(kind="route.switched").facts["unknown_share"] == 40.0


def test_what_is_only_for_review_is_one_alert_that_counts() -> None:
    events = [sent(n, verdict="review", operator=f"10{n:02}") for n in range(1, 7)]
    fed(*events[:2])
    fed(*events)
    (row,) = Alert.objects.all()
    assert (row.seq, row.repeats) == (1, 5)
    assert row.repeated_at == START + dt.timedelta(seconds=6)
    # What differs in weight or in kind is told by itself; so is the next after a ruling.
    fed(
        sent(7, verdict="alert"),
        sent(8, "SELEC x", verdict="review"),
        sent(9, verdict="review", severity=3),
        sent(10, verdict="review", twin_of="A-4"),
    )
    assert list(Alert.objects.order_by("seq").values_list("seq", flat=True)) == [1, 7, 8, 9]
    row.refresh_from_db()
    assert row.repeats == 5, "what two ways saw is one statement"
    Alert.objects.filter(pk=row.pk).update(disposition="lawful")
    fed(sent(11, verdict="review"), sent(12, verdict="review"))
    assert Alert.objects.get(seq=11).repeats == 1


def test_a_row_counts_only_what_its_readers_may_see(office: Client) -> None:
    person("2001", "it")
    fed(sent(1, verdict="review"), sent(2, verdict="review", operator="2001"))
    assert list(Alert.objects.values_list("repeats", flat=True)) == [0, 0]
    fed(sent(3, verdict="review"), sent(4, verdict="review"))
    row = Alert.objects.get(seq=1)
    assert "此后又 2 次" in office.get(f"/alerts/{row.pk}").content.decode()
    assert "此后又 2 次" in office.get("/alerts/").content.decode()


def test_a_change_of_the_server_itself_has_its_own_risk_and_comes_first(office: Client) -> None:
    fed(
        sent(1, meaning=opaque(CALL, "opaque.unknown_procedure", FIGURES)),
        sent(2, "NOAUDIT ALL", opaque("NOAUDIT ALL", "opaque.server")),
    )
    page = office.get("/opaque/").content.decode()
    assert page.index("改变数据库本身</span>") < page.index("凑得出用量</span>")
    assert office.get("/opaque/", {"risk": "4"}).context["table"].total == 1


def test_alerts_go_on_as_before() -> None:
    fed(sent(1, verdict="alert"), sent(2, verdict="review"), sent(3))
    assert Alert.objects.count() == 2
    assert OpaqueTemplate.objects.get().count == 3
