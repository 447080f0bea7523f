"""The first run in the browser: closed without the code, and for good after the first accounts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from qingfang.access import calendar, snapshot
from qingfang.access.days import Special
from qingfang.access.models import Duty, RouteMode
from qingfang.people import policy, services
from qingfang.people.models import Act, Person
from qingfang.web.setup import accounts, checklist, code
from tests.support.people import person

pytestmark = pytest.mark.django_db

FILLED = {
    "security_administrator-staff_number": "X001",
    "security_administrator-name": "安然",
    "security_administrator-department": "院办公室",
    "security_administrator-kind": "office",
    "application_manager-staff_number": "J001",
    "application_manager-name": "纪明",
    "application_manager-department": "纪检监察室",
    "application_manager-kind": "discipline",
    "auditor-kind": "discipline",
    "system_administrator-kind": "it",
    "duty_officer-staff_number": "J004",
    "duty_officer-name": "值安",
    "duty_officer-department": "纪检监察室",
    "duty_officer-kind": "discipline",
    "duty_officer-mail": "duty@h.example",
}


@pytest.fixture
def once() -> Iterator[str]:
    yield code.ensure(settings.QINGFANG)
    code.forget(settings.QINGFANG)


def test_the_code_is_the_owners_alone(once: str) -> None:
    file = Path(settings.QINGFANG.paths.state) / "console" / "setup.code"
    assert file.stat().st_mode & 0o777 == 0o600
    assert code.ensure(settings.QINGFANG) == once
    assert code.right(settings.QINGFANG, once.lower().replace("-", " "))
    for wrong in ("", once[:-1], once + "A", "A" * 16, "设置码"):
        assert not code.right(settings.QINGFANG, wrong)
    code.forget(settings.QINGFANG)
    assert not code.right(settings.QINGFANG, once)


def test_without_the_code_nothing_is_seen_or_done(once: str) -> None:
    client = Client()
    for path in ("/", "/sign-in", "/alerts/", "/setup/steps"):
        assert client.get(path)["Location"] == "/setup/", path
    for path in ("/setup/accounts", "/setup/calendar", "/setup/notice"):
        assert client.post(path, FILLED)["Location"] == "/setup/", path
    assert client.post("/setup/", {"code": "AAAA-AAAA-AAAA-AAAA"}).status_code == 401
    assert client.get("/setup/steps")["Location"] == "/setup/"
    assert Act.objects.filter(kind="setup.refused").count() == 1
    assert not Person.objects.exists()


def test_from_the_code_to_the_first_accounts(once: str) -> None:
    client = Client()
    assert client.post("/setup/", {"code": once})["Location"] == "/setup/steps"
    page = client.get("/setup/steps").content.decode()
    assert "his-clinical 127.0.0.1:25432 （只观察）" in page
    days = {"weekdays": "1-5", "hours": "08:00-12:00", "days": "2026-10-01 休 国庆节"}
    client.post("/setup/calendar", days)
    assert calendar.standing().decided
    done = client.post("/setup/accounts", FILLED).content.decode()
    assert "安全管理员" in done
    assert services.any_account()
    assert policy.roles_of(Person.objects.get(staff_number="J001")) == {"application_manager"}
    assert Person.objects.get(staff_number="X001").must_change_password
    # The duty officer is on the roster: alerts reach somebody from the first day.
    told = snapshot.build("test", timezone.now()).contacts
    assert [(c.person, c.address) for c in told] == [("J004", "duty@h.example")]
    # And the way in is closed, with the code and without.
    assert code.read(settings.QINGFANG) is None
    assert client.get("/setup/steps")["Location"] == "/sign-in"
    assert Client().get("/setup/")["Location"] == "/sign-in"
    code.ensure(settings.QINGFANG)
    again = Client()
    again.post("/setup/", {"code": once})
    again.post("/setup/accounts", FILLED)
    assert Person.objects.count() == 3
    assert not RouteMode.objects.exists()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"application_manager-kind": "it"}, "纪检监察室的人员不能担任应用管理员"),
        ({"duty_officer-kind": "office"}, "类别已经定为纪检监察"),
        (
            {"application_manager-kind": "it", "application_manager-department": "信息科"},
            "信息科的人员不能担任应用管理员",
        ),
        (
            {"application_manager-kind": "office", "application_manager-department": "医务处"},
            "应用管理员只能由纪检监察部门的人员担任",
        ),
        (
            {"security_administrator-staff_number": "", "security_administrator-name": ""},
            "还没有填",
        ),
        (
            {
                f"security_administrator-{name}": ""
                for name in ("staff_number", "name", "department")
            },
            "必须有安全管理员",
        ),
        ({"application_manager-staff_number": "X001"}, "在名册里属于院办公室"),
    ],
)
def test_all_or_none(once: str, changed: dict[str, str], said: str) -> None:
    client = Client()
    client.post("/setup/", {"code": once})
    answer = client.post("/setup/accounts", {**FILLED, **changed})
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert not Person.objects.exists()
    assert code.read(settings.QINGFANG) == once


def test_a_notifier_that_is_away_is_said(once: str) -> None:
    client = Client()
    client.post("/setup/", {"code": once})
    assert client.post("/setup/notice", {"mail": ""})["Location"] == "/setup/steps"


def test_accounts_that_came_another_way_end_it(once: str) -> None:
    person("1", "office", "security_administrator", password=True)
    assert Client().get("/")["Location"].startswith("/sign-in")
    assert code.read(settings.QINGFANG) is None


def test_staff_without_passwords_is_no_account() -> None:
    person("1001")
    assert not services.any_account()
    asked = accounts.Asked("security_administrator", "1001", "某人", "临床", "clinical")
    accounts.create([asked], settings.QINGFANG)
    assert Person.objects.get(staff_number="1001").has_usable_password()


def test_what_is_missing_is_listed_and_goes_when_done() -> None:
    manager = person("1", "discipline", "application_manager")
    client = Client()
    client.force_login(manager)
    page = client.get("/missing/").content.decode()
    for text in ("告警不会通知到人", "读不懂任何语句", "还没有录入", "只观察。最近 7 天"):
        assert text in page, text
    year = timezone.localdate().year
    calendar.replace([1], [["08:00", "12:00"]], [Special(dt.date(year, 1, 1), False)], by=manager)
    now = timezone.now()
    Duty.objects.create(person=manager, valid_from=now, valid_to=now + dt.timedelta(days=1))
    state = Path(settings.QINGFANG.paths.state)
    (state / "catalogue.json").write_text("{}")
    kept = state / "catalogue.review.txt"
    kept.write_text(
        "t\tc\titem_id\t0.70\t像\nt\td\t-\t1.00\t人工确认\n#? t\t*usage_when\tx=1\t0.9\t\n"
    )
    found = {p.title: p for p in checklist.points(settings.QINGFANG)}
    assert found["当年的节假日与调休"].done
    assert found["值班表"].told == "现在有 1 人值班"
    assert found["目录 his"].told == "还有 2 处待人确认"
    kept.write_text("t\tc\titem_id\t1.00\t人工确认\n")
    found = {p.title: p for p in checklist.points(settings.QINGFANG)}
    assert found["目录 his"].done
    kept.unlink()
    (state / "catalogue.json").unlink()
