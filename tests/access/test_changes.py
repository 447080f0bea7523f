"""IT edits terminals, the security administrator persons; what a right rests on waits for the office."""

from __future__ import annotations

import datetime as dt

import pytest
from django.test import Client
from django.utils import timezone

from qingfang.access import snapshot
from qingfang.access.models import Designation, Duty, Grant, Registered
from qingfang.people.models import Act, Person, Post, Proposed, Terminal
from tests.support.people import person

pytestmark = pytest.mark.django_db


def browser(someone: Person) -> Client:
    client = Client()
    client.force_login(someone)
    return client


@pytest.fixture
def it() -> Client:
    return browser(person("900", "it", "system_administrator"))


@pytest.fixture
def security() -> Client:
    return browser(person("800", "office", "security_administrator"))


@pytest.fixture
def office() -> Client:
    return browser(person("700", "discipline", "application_manager"))


@pytest.fixture
def terminal() -> Terminal:
    return Terminal.objects.create(name="T1", address="10.1.1.1", role="statistics")


def granted(terminal: Terminal, someone: Person) -> Grant:
    now = timezone.now()
    grant = Grant.objects.create(
        number="TF1",
        applicant=someone,
        person=someone,
        purpose="合成数据",
        grain="department",
        valid_from=now - dt.timedelta(days=1),
        valid_to=now + dt.timedelta(days=1),
        status="filed",
        filed_number="备1",
        filed_at=now,
    )
    grant.terminals.set([terminal])
    return grant


def form(terminal: Terminal, **changed: str) -> dict[str, str]:
    kept = {"name": terminal.name, "address": terminal.address, "role": terminal.role}
    return {**kept, "active": "on", **changed}


def addresses() -> dict[str, list[str]]:
    made = snapshot.build("test", timezone.now())
    return {t.id: list(t.addresses) for t in made.terminals}


def test_a_terminal_nothing_rests_on_changes_at_once(it: Client, terminal: Terminal) -> None:
    it.post(f"/terminals/{terminal.pk}", form(terminal, address="10.1.1.9", host="PC-9"))
    terminal.refresh_from_db()
    assert (terminal.address, terminal.host) == ("10.1.1.9", "PC-9")
    act = Act.objects.get(kind="terminal.saved")
    assert act.facts["after"]["address"] == "10.1.1.9"


def test_a_granted_terminal_stays_as_it_is_until_the_office_confirms(
    it: Client, office: Client, terminal: Terminal
) -> None:
    granted(terminal, person("1001"))
    page = it.post(f"/terminals/{terminal.pk}", form(terminal, address="10.1.1.9"), follow=True)
    text = page.content.decode()
    assert "待纪检确认" in text and "授权 TF1" in text
    assert "IP 地址：10.1.1.1 → 10.1.1.9" in text
    assert addresses() == {"T1": ["10.1.1.1"]}
    change = Proposed.objects.get()
    assert "待纪检确认的登记变更" in office.get("/").content.decode()
    assert "10.1.1.9" in office.get(f"/office/changes/{change.pk}").content.decode()
    office.post(f"/office/changes/{change.pk}/decision", {"act": "confirm", "note": "已核对"})
    assert addresses() == {"T1": ["10.1.1.9"]}
    acts = {a.kind: a for a in Act.objects.filter(kind__startswith="change.")}
    assert acts["change.proposed"].actor == "900"
    assert acts["change.confirmed"].actor == "700"
    assert acts["change.confirmed"].facts["before"] == {"address": "10.1.1.1"}


def test_what_the_office_refuses_never_was(it: Client, office: Client, terminal: Terminal) -> None:
    Designation.objects.create(function="statistics", person=person("1001"), terminal=terminal)
    it.post(f"/terminals/{terminal.pk}", form(terminal, mac="00:11:22:33:44:55"))
    change = Proposed.objects.get()
    office.post(f"/office/changes/{change.pk}/decision", {"act": "refuse"})
    terminal.refresh_from_db()
    assert (terminal.mac, Proposed.objects.get().state) == ("", "refused")
    page = office.post(f"/office/changes/{change.pk}/decision", {"act": "confirm"}, follow=True)
    assert "已经处理过" in page.content.decode()


def test_a_newer_proposal_takes_the_place_of_the_one_before(it: Client, terminal: Terminal) -> None:
    granted(terminal, person("1001"))
    for last in ("8", "9"):
        it.post(f"/terminals/{terminal.pk}", form(terminal, address=f"10.1.1.{last}"))
    assert [p.state for p in Proposed.objects.order_by("pk")] == ["replaced", "pending"]


def test_taking_out_of_use_works_at_once_and_putting_back_does_not(
    it: Client, terminal: Terminal
) -> None:
    granted(terminal, person("1001"))
    it.post(f"/terminals/{terminal.pk}", form(terminal, active=""))
    terminal.refresh_from_db()
    assert not terminal.active and not Proposed.objects.exists()
    it.post(f"/terminals/{terminal.pk}", form(terminal))
    terminal.refresh_from_db()
    assert not terminal.active and Proposed.objects.get().state == "pending"


def test_a_name_that_a_registered_program_rests_on_cannot_be_taken_over(
    it: Client, terminal: Terminal
) -> None:
    body = {"id": "S1", "why": "上传", "terminals": ["T9"]}
    Registered.objects.create(kind="service", code="S1", body=body)
    it.post(f"/terminals/{terminal.pk}", form(terminal, name="T9"))
    assert Terminal.objects.get().name == "T1"
    it.post("/terminals/new", form(terminal, name="T9", address="10.1.1.7"))
    assert [t.name for t in Terminal.objects.all()] == ["T1"]
    assert Proposed.objects.filter(state="pending").count() == 2


def test_a_person_with_a_grant_keeps_number_and_department(
    security: Client, office: Client, terminal: Terminal
) -> None:
    someone = person("1001")
    granted(terminal, someone)
    data = {"staff_number": "6666", "name": someone.name, "department": someone.department_id}  # type: ignore[attr-defined]
    assert (
        "待纪检确认" in security.post(f"/persons/{someone.pk}", data, follow=True).content.decode()
    )
    someone.refresh_from_db()
    assert someone.staff_number == "1001"
    office.post(f"/office/changes/{Proposed.objects.get().pk}/decision", {"act": "confirm"})
    someone.refresh_from_db()
    assert someone.staff_number == "6666"


def test_notices_are_not_sent_elsewhere_by_who_keeps_the_records(security: Client) -> None:
    someone = person("1001")
    now = timezone.now()
    Duty.objects.create(person=someone, valid_from=now, valid_to=now + dt.timedelta(days=1))
    data = {
        "staff_number": "1001",
        "name": someone.name,
        "department": someone.department_id,  # type: ignore[attr-defined]
        "mail": "elsewhere@h.example",
    }
    security.post(f"/persons/{someone.pk}", data)
    someone.refresh_from_db()
    assert someone.mail == "" and Proposed.objects.get().resting == ["值班"]


def test_who_left_comes_back_with_a_grant_only_when_the_office_says_so(
    security: Client, terminal: Terminal
) -> None:
    someone = person("1001")
    granted(terminal, someone)
    security.post(f"/persons/{someone.pk}/active", {"active": "0"})
    someone.refresh_from_db()
    assert not someone.is_active
    security.post(f"/persons/{someone.pk}/active", {"active": "1"})
    someone.refresh_from_db()
    assert not someone.is_active and Proposed.objects.get().name == "1001"


def test_what_no_longer_fits_is_not_written(it: Client, office: Client, terminal: Terminal) -> None:
    granted(terminal, person("1001"))
    it.post(f"/terminals/{terminal.pk}", form(terminal, address="10.1.1.9"))
    Terminal.objects.create(name="T2", address="10.1.1.9")
    page = office.post(
        f"/office/changes/{Proposed.objects.get().pk}/decision", {"act": "confirm"}, follow=True
    )
    assert "现在不能这样改" in page.content.decode()
    assert Proposed.objects.get().state == "pending"


def test_what_is_known_of_persons_and_terminals_reaches_the_engine(
    it: Client, security: Client, terminal: Terminal
) -> None:
    someone = person("1001")
    it.post(
        f"/terminals/{terminal.pk}",
        form(terminal, more_addresses="10.1.1.2 10.2.0.0/29", host="PC-1"),
    )
    data = {
        "staff_number": "1001",
        "name": "某人",
        "department": someone.department_id,  # type: ignore[attr-defined]
        "codes": "HIS=Y01 9001",
        "away": "2026-10-01..2026-10-07",
        "left_on": "2026-12-31",
    }
    security.post(f"/persons/{someone.pk}", data)
    made = snapshot.build("test", dt.datetime(2026, 12, 31, 10, tzinfo=dt.UTC))
    told = next(p for p in made.persons if p.number == "1001")
    assert (told.codes, told.active) == (("Y01", "9001"), True)
    day = 24 * 3600 * 1_000_000
    assert told.away[0].to_us - told.away[0].from_us == 7 * day
    assert made.terminals[0].addresses == ("10.1.1.1", "10.1.1.2", "10.2.0.0/29")
    assert made.terminals[0].host == "PC-1"
    after = snapshot.build("test", dt.datetime(2026, 12, 31, 17, tzinfo=dt.UTC))
    assert not next(p for p in after.persons if p.number == "1001").active


@pytest.mark.parametrize("text", ["10.1.1", "10.1.1.1/24", "10.1.1.5"])
def test_addresses_that_cannot_be_are_refused(it: Client, terminal: Terminal, text: str) -> None:
    Terminal.objects.create(name="T5", address="10.1.1.5")
    it.post(f"/terminals/{terminal.pk}", form(terminal, more_addresses=text))
    terminal.refresh_from_db()
    assert terminal.more_addresses == []


def test_who_gets_a_post_that_may_run_a_report_waits_for_the_office(security: Client) -> None:
    post = Post.objects.create(code="TJ", name="统计员")
    body = {"id": "B", "digest": "a" * 64, "menu": "月报", "posts": ["TJ"], "terminals": ["T1"]}
    Registered.objects.create(kind="report", code="B", body=body)
    someone = person("2")
    given = {"staff_number": "2", "name": someone.name, "department": someone.department.pk}
    security.post(f"/persons/{someone.pk}", {**given, "post": post.pk})
    someone.refresh_from_db()
    assert someone.post is None
    (waits,) = Proposed.objects.filter(state="pending")
    assert (waits.name, waits.resting) == ("2", ["登记 B"])
