"""What the discipline office decides on its pages, and that the engine has it within two seconds."""

from __future__ import annotations

import asyncio
import datetime as dt
import itertools
import time
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from qingfang.access.models import (
    Designation,
    Duty,
    Grant,
    PolicyText,
    Registered,
)
from qingfang.judge import policy as judging
from qingfang.judge.snapshot import Directory, Snapshot
from qingfang.people.models import Act, Campus, Department, Location, Organisation, Post, Terminal
from qingfang.review.ingest import Ingest
from qingfang.review.models import Alert
from qingfang.web import workers
from tests.access.test_flow import Staff, made
from tests.access.test_snapshot import Engine
from tests.support.alerts import event
from tests.support.people import person

pytestmark = pytest.mark.django_db
DIGEST = "ab" * 32
ALL = {"items_kind": "all", "prescribers_kind": "all", "departments_kind": "all"}


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return Engine(tmp_path)


@pytest.fixture
def office() -> Client:
    officer = person("9001", "discipline", "application_manager", name="周监察")
    officer.mail = "officer@example.org"
    officer.save()
    client = Client()
    client.force_login(officer)
    return client


def handed(engine: Engine) -> Snapshot:
    engine.hand_down()
    return engine.read()


def kinds() -> list[str]:
    return list(Act.objects.order_by("pk").values_list("kind", flat=True))


def post(client: Client, path: str, **form: object) -> None:
    answer = client.post(path, form)
    assert answer.status_code == 302, answer.content.decode()


def local(day: int, hour: int) -> str:
    return (timezone.localtime() + dt.timedelta(days=day)).strftime(f"%Y-%m-%dT{hour:02}:00")


def duty_form(**more: object) -> dict[str, object]:
    return {
        "person": person("8001", "office", "duty_officer").pk,
        "valid_from": local(1, 18),
        "valid_to": local(2, 8),
        "channel": "syslog",
        "after_minutes": 0,
        "min_severity": 2,
        "every": 1,
        "last": (timezone.localdate() + dt.timedelta(days=7)).isoformat(),
        **more,
    }


def test_a_week_of_duties_goes_down_and_one_is_taken_out(office: Client, engine: Engine) -> None:
    post(office, "/office/duties/new", **duty_form())
    duties = handed(engine).duties
    assert [(d.persons, d.min_severity) for d in duties] == [(("8001",), 2)] * 7
    steps = {b.span.from_us - a.span.from_us for a, b in itertools.pairwise(duties)}
    assert steps == {86_400_000_000}
    first = Duty.objects.order_by("valid_from").first()
    assert first is not None
    assert (
        "某人8001" in office.get(f"/office/duties/?month={first.valid_from:%Y-%m}").content.decode()
    )
    post(office, f"/office/duties/{first.pk}/remove")
    assert len(handed(engine).duties) == 6
    assert kinds()[-2:] == ["duty.saved", "duty.removed"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"channel": "mail"}, "没有登记邮箱"),
        ({"valid_to": "2020-01-01T08:00"}, "要晚于开始"),
        ({"last": ""}, "到哪一天"),
        ({"last": "2020-01-01"}, "一年之内"),
    ],
)
def test_a_duty_that_makes_no_sense(office: Client, given: dict[str, object], says: str) -> None:
    answer = office.post("/office/duties/new", duty_form(**given))
    assert says in answer.content.decode()
    assert not Duty.objects.exists()


def test_a_mail_line_without_address_tells_everybody_instead(engine: Engine) -> None:
    someone = person("8001")
    now = timezone.now()
    for channel in ("mail", "webhook"):
        Duty.objects.create(
            person=someone,
            valid_from=now,
            valid_to=now + dt.timedelta(days=1),
            channel=channel,
        )
    found = handed(engine)
    assert [c.channel for c in found.contacts] == ["webhook"]
    assert len(found.duties) == 1


def test_gaps_are_warned_of(office: Client) -> None:
    assert "无人值班" in office.get("/office/duties/").content.decode()
    now = timezone.now()
    Duty.objects.create(
        person=person("8001"),
        valid_from=now - dt.timedelta(days=1),
        valid_to=now + dt.timedelta(days=40),
        channel="syslog",
    )
    assert "今后三十天有时段无人值班" not in office.get("/office/duties/").content.decode()


def test_designations_keep_persons_at_their_own_terminals(office: Client, engine: Engine) -> None:
    staff = [person(n, "office") for n in ("11", "12", "13")]
    terminals = [Terminal.objects.create(name=f"PC-{n}", address=f"10.1.2.{n}") for n in (1, 2)]
    for someone, terminal in zip(staff, [*(t.pk for t in terminals), ""], strict=True):
        post(
            office,
            "/office/designations/new",
            function="statistics",
            person=someone.pk,
            terminal=terminal,
        )
    found = {d.persons: d.terminals for d in handed(engine).designations}
    assert found == {("11",): ("PC-1",), ("12",): ("PC-2",), ("13",): ()}
    row = Designation.objects.get(person=staff[2])
    post(office, f"/office/designations/{row.pk}")
    assert ("13",) not in {d.persons for d in handed(engine).designations}
    assert kinds()[-1] == "designation.taken"


def test_a_designation_goes_with_its_terminal_and_opens_nothing(
    office: Client, engine: Engine
) -> None:
    terminal = Terminal.objects.create(name="PC-1", address="10.1.2.1")
    Designation.objects.create(function="statistics", person=person("11"), terminal=terminal)
    Terminal.objects.update(active=False)
    found = handed(engine).designations
    assert [(d.function, d.persons) for d in found] == [("statistics", ())]
    assert "不生效" in office.get("/office/designations/").content.decode()


def test_the_same_designation_twice_is_refused(office: Client) -> None:
    form = {"function": "store", "person": person("11").pk, "terminal": ""}
    post(office, "/office/designations/new", **form)
    assert office.post("/office/designations/new", form).status_code == 200
    assert Designation.objects.count() == 1


def test_a_report_is_registered_from_an_alert(office: Client, engine: Engine) -> None:
    person("1001", "office", name="某人")
    Terminal.objects.create(name="PC-1", address="10.1.2.3", role="statistics")
    worker = Ingest("gateway")
    worker.feed(event(1, fingerprint=DIGEST))
    worker.commit()
    alert = Alert.objects.get()
    page = office.get(f"/office/registered/reports/new?alert={alert.pk}").content.decode()
    assert DIGEST in page
    assert "GROUP BY d.dr_name" in page
    assert (
        f"/office/registered/reports/new?alert={alert.pk}"
        in office.get(f"/alerts/{alert.pk}").content.decode()
    )
    form = {
        "code": "BB-01",
        "menu": "科室用药排名",
        "digests": DIGEST,
        "grain": "department",
        **ALL,
        "items_kind": "list",
        "items": "A0001",
        "persons": ["1001"],
        "terminals": ["PC-1"],
        "windows": "周一至周五 08:00-17:30",
    }
    post(office, "/office/registered/reports/new", **form)
    (found,) = Directory(handed(engine)).reports[DIGEST]
    assert (found.menu, found.persons, found.terminals) == ("科室用药排名", ("1001",), ("PC-1",))
    assert (found.scope.grain, found.scope.items.values) == ("department", ("A0001",))
    assert found.windows[0].weekdays == (1, 2, 3, 4, 5)
    row = Registered.objects.get()
    page = office.get(f"/office/registered/reports/{row.pk}").content.decode()
    assert "1,2,3,4,5 08:00-17:30" in page
    post(office, f"/office/registered/reports/{row.pk}", **{**form, "menu": "新名称"})
    assert handed(engine).reports[0].menu == "新名称"
    post(office, f"/office/registered/{row.pk}/switch", active="0")
    assert handed(engine).reports == ()
    assert kinds()[-3:] == ["registered.saved", "registered.saved", "registered.switched"]


def test_a_report_by_department_names_persons_and_terminals(office: Client) -> None:
    form = {"code": "BB-01", "menu": "排名", "digests": DIGEST, "grain": "department", **ALL}
    answer = office.post("/office/registered/reports/new", form)
    assert "必须写明人员和终端" in answer.content.decode()
    assert not Registered.objects.exists()


def test_a_service_and_what_its_editing_leaves(office: Client, engine: Engine) -> None:
    Terminal.objects.create(name="FW-1", address="10.1.2.3", role="server")
    form = {"code": "FW-01", "why": "医保上传", "terminals": ["FW-1"], "tables": "yb_a, yb_b"}
    post(office, "/office/registered/services/new", **form)
    assert handed(engine).services[0].tables == ("yb_a", "yb_b")
    answer = office.post("/office/registered/services/new", form)
    assert "已经用过" in answer.content.decode()
    answer = office.post("/office/registered/services/new", {**form, "code": "2", "terminals": []})
    assert answer.status_code == 200
    assert Registered.objects.count() == 1


def test_a_report_brought_in_keeps_its_class_and_days(office: Client, engine: Engine) -> None:
    person("1001", "office")
    Terminal.objects.create(name="PC-1", address="10.1.2.3")
    scope = {
        "grain": "department",
        "items": {"kind": "class", "values": ["抗菌药物"], "members": ["A1", "A2"]},
        "period": {"from_day": "2026-02-01"},
    }
    body = {"id": "B1", "digest": DIGEST, "menu": "旧", "scope": scope}
    body |= {"persons": ["1001"], "terminals": ["PC-1"]}
    row = Registered.objects.create(kind="report", code="B1", body=body)
    form = {"menu": "新", "digests": DIGEST, "grain": "department", "items": "抗菌药物", **ALL}
    form |= {"items_kind": "class", "items_members": "A1 A2"}
    form |= {"persons": "1001", "terminals": "PC-1"}
    post(office, f"/office/registered/reports/{row.pk}", **form)
    found = handed(engine).reports[0]
    assert (found.menu, found.scope.items.members) == ("新", ("A1", "A2"))
    assert found.scope.period.from_day == "2026-02-01"


def test_policy_is_tried_before_it_is_kept(office: Client, engine: Engine) -> None:
    bad = '[change.usage]\nobserve = "log"\nseverity = 9\n'
    answer = office.post("/office/policy/", {"text": bad})
    assert "第 3 行 change.usage" in answer.content.decode()
    assert not PolicyText.objects.exists()
    first = '[change.total]\nobserve = "log"\nenforce = "log"\n'
    post(office, "/office/policy/", text=first)
    post(office, "/office/policy/", text=first.replace("log", "review").replace("\n", "\r\n"))
    text = handed(engine).policy
    total = next(rule for rule in judging.read(text).rules if rule.name == "total")
    assert total.enforce == "review"
    old, new = PolicyText.objects.order_by("pk")
    page = office.get(f"/office/policy/?version={new.pk}").content.decode()
    assert "+observe = &quot;review&quot;" in page
    assert "周监察" in page
    assert "log" in office.get(f"/office/policy/?version={old.pk}").content.decode()
    assert kinds().count("policy.saved") == 2


def test_the_auditor_reads_and_changes_nothing() -> None:
    client = Client()
    client.force_login(person("9002", "office", "auditor"))
    for path in ("duties", "designations", "registered", "policy"):
        assert client.get(f"/office/{path}/").status_code == 200
    client.post("/office/policy/", {"text": '[change.usage]\nenforce = "log"'})
    assert not PolicyText.objects.exists()


def test_an_applicant_withdraws_until_it_is_filed() -> None:
    staff = Staff()
    grant = made(staff.applicant, staff.operator)
    other = person("7", "office", "applicant")
    for someone, status in ((other, 404), (staff.applicant, 302)):
        client = Client()
        client.force_login(someone)
        assert client.post(f"/grants/{grant.pk}/step", {"act": "withdraw"}).status_code == status
    grant.refresh_from_db()
    assert grant.status == Grant.Status.WITHDRAWN
    assert kinds()[-1] == "grant.withdrawn"


def test_a_grants_weekly_windows_go_down(engine: Engine) -> None:
    staff = Staff()
    grant = made(staff.applicant, staff.operator)
    grant.windows = [{"weekdays": [1, 2], "from_time": "08:00", "to_time": "10:00"}]
    grant.status, grant.filed_number, grant.filed_at = "filed", "1", timezone.now()
    grant.save()
    (given,) = handed(engine).grants
    assert [(w.weekdays, w.from_time, w.to_time) for w in given.windows] == [
        ((1, 2), "08:00", "10:00")
    ]


def test_departments_posts_and_locations(engine: Engine) -> None:
    security = Client()
    security.force_login(person("9004", "office", "security_administrator"))
    hospital = Organisation.objects.get()
    Campus.objects.create(organisation=hospital, code="1", name="总院")
    form = {"organisation": hospital.pk, "code": "X1", "name": "网络中心", "kind": "other"}
    post(security, "/departments/new", **form)
    made_ = Department.objects.get(code="X1")
    answer = security.post(f"/departments/{made_.pk}", {**form, "parent": made_.pk})
    assert "不能是本科室" in answer.content.decode()
    post(security, f"/departments/{made_.pk}", **{**form, "kind": "it"})
    post(security, "/posts/new", code="YS", name="医师")
    someone = person("1001")
    post(
        security,
        f"/persons/{someone.pk}",
        staff_number="1001",
        name="新名",
        department=made_.pk,
        post=Post.objects.get().pk,
        phone="13800000000",
        mail="a@example.org",
    )
    found = next(p for p in handed(engine).persons if p.number == "1001")
    assert (found.name, found.department_kind, found.posts) == ("新名", "it", ("YS",))
    system = Client()
    system.force_login(person("9003", "it", "system_administrator"))
    post(system, "/locations/new", campus=Campus.objects.get().pk, building="一号楼", room="301")
    post(
        system,
        "/terminals/new",
        name="PC-5",
        address="10.9.9.9",
        role="clinical",
        location=Location.objects.get().pk,
        active="on",
    )
    assert handed(engine).terminals[0].room == "一号楼 301"
    assert {"department.saved", "post.saved", "location.saved"} <= set(kinds())


def test_a_notice_leads_to_its_alert(office: Client) -> None:
    worker = Ingest("gateway")
    for seq in (3, 4711):
        worker.feed(event(seq))
    worker.commit()
    alert = Alert.objects.get(seq=4711)
    assert office.get("/alerts/notice/4711")["Location"] == f"/alerts/{alert.pk}"
    assert office.get("/alerts/notice/5")["Location"] == "/alerts/?q=5"
    page = office.get("/alerts/?q=4711").content.decode()
    assert f'data-row="{alert.pk}"' in page
    assert page.count("data-row") == 1


@pytest.mark.django_db(transaction=True)
def test_a_change_is_with_the_engine_within_two_seconds(office: Client, engine: Engine) -> None:
    """The console's own worker hands it down; the engine's holder takes it."""
    config = settings.QINGFANG
    signer = workers.snapshot_key(config)
    file = workers.snapshot_file(config)
    engine.holder = type(engine.holder)(config.site.id, signer.verify)

    asked = {"weekdays": "1-5", "hours": "08:00-12:00", "days": "2026-10-01 休 国庆节"}

    async def change_and_wait() -> Snapshot:
        # The worker writes from a thread with a connection of its own.
        task = asyncio.create_task(workers._snapshots(config, signer))
        try:
            deadline = time.monotonic() + 30
            while not file.exists():
                assert time.monotonic() < deadline
                await asyncio.sleep(0.05)
            before = engine.holder.offer(file.read_bytes()).version
            await asyncio.to_thread(post, office, "/calendar", **asked)
            rounds = 0
            while engine.holder.offer(file.read_bytes()).version == before:
                rounds += 1
                assert rounds < 600
                await asyncio.sleep(0.05)
            assert engine.holder.current is not None
            return engine.holder.current
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    found = asyncio.run(change_and_wait())
    assert found.calendar.holidays == ("2026-10-01",)
    assert workers.SNAPSHOT_EVERY_S <= 1
