"""The second factor: made, asked for, used up, lost, required."""

from __future__ import annotations

import re
import time

import pytest
from django.test import Client

from qingfang.people import factor, services
from qingfang.people.models import Act, Person
from tests.support.people import PASSWORD, person

pytestmark = pytest.mark.django_db
SECRET = b"12345678901234567890"


def enrolled(number: str = "1001", *roles: str) -> tuple[Person, list[str]]:
    someone = person(number, "discipline", *roles, password=True)
    return someone, factor.enrol(someone, SECRET, now(), request=None)


def now(ahead: int = 0) -> str:
    return factor.code_at(SECRET, time.time() + ahead * factor.STEP_S)


def with_password(number: str = "1001") -> Client:
    client = Client()
    data = {"staff_number": number, "password": PASSWORD, "next": "/password"}
    assert client.post("/sign-in", data)["Location"] == "/sign-in/code"
    return client


def test_codes_are_those_of_the_standard() -> None:
    """RFC 6238, appendix B, the last six digits."""
    assert factor.code_at(SECRET, 59) == "287082"
    assert factor.code_at(SECRET, 1111111109) == "081804"


def test_a_password_alone_is_not_enough() -> None:
    enrolled()
    client = with_password()
    assert client.get("/")["Location"].startswith("/sign-in")
    assert not Act.objects.filter(kind="sign-in").exists()
    assert client.post("/sign-in/code", {"code": "000000"}).status_code == 401
    assert client.post("/sign-in/code", {"code": now(1)})["Location"] == "/password"
    assert client.get("/").status_code == 200
    assert Act.objects.get(kind="sign-in").facts == {"factor": "totp"}
    assert Act.objects.filter(kind="sign-in.factor-failed").count() == 1


def test_a_code_is_taken_once() -> None:
    enrolled()
    code = now(1)
    assert with_password().post("/sign-in/code", {"code": code}).status_code == 302
    assert with_password().post("/sign-in/code", {"code": code}).status_code == 401


def test_guessing_locks_the_account() -> None:
    enrolled()
    client = with_password()
    for _n in range(5):
        client.post("/sign-in/code", {"code": "000000"})
    page = client.post("/sign-in/code", {"code": now(1)}).content.decode()
    assert "尝试次数过多" in page


def test_nobody_gets_to_the_code_without_the_password() -> None:
    enrolled()
    assert Client().post("/sign-in/code", {"code": now(1)})["Location"] == "/sign-in"


def test_a_recovery_code_stands_in_once() -> None:
    someone, codes = enrolled()
    assert len(set(codes)) == factor.CODES
    assert with_password().post("/sign-in/code", {"code": f" {codes[3]} "}).status_code == 302
    assert with_password().post("/sign-in/code", {"code": codes[3]}).status_code == 401
    assert factor.left(someone) == factor.CODES - 1


def test_enrolling_on_the_page_needs_a_code_and_shows_recovery_codes_once() -> None:
    someone = person("1001", password=True)
    client = Client()
    client.force_login(someone)
    page = client.get("/factor").content.decode()
    assert 'src="data:image/svg+xml' in page
    assert "http" not in re.findall(r'<img src="([^"]+)"', page)[0].split(",")[0]
    secret = bytes.fromhex(client.session["factor-secret"])
    assert factor.written(secret) in page
    client.post("/factor", {"code": "000000"})
    someone.refresh_from_db()
    assert not someone.totp_secret
    done = client.post("/factor", {"code": factor.code_at(secret, time.time())}).content.decode()
    assert len(re.findall(r"<li><code>", done)) == factor.CODES
    assert "<li><code>" not in client.get("/factor").content.decode()
    assert Act.objects.get(kind="factor.enrolled").actor == "1001"


def test_the_security_administrator_resets_others_and_not_their_own() -> None:
    someone, _codes = enrolled()
    security = person("800", "office", "security_administrator")
    client = Client()
    client.force_login(security)
    client.post(f"/persons/{someone.pk}/factor")
    someone.refresh_from_db()
    assert not someone.totp_secret and factor.left(someone) == 0
    act = Act.objects.get(kind="factor.reset")
    assert (act.actor, act.target) == ("800", "1001")
    with pytest.raises(services.NotAllowed):
        factor.reset(security, by=security)


def test_a_role_that_must_have_one_gets_no_further_without() -> None:
    manager = person("700", "discipline", "application_manager")
    security = person("800", "office", "security_administrator")
    client, other = Client(), Client()
    client.force_login(manager)
    other.force_login(security)
    assert client.get("/alerts/").status_code == 200
    other.post("/persons/factor", {"roles": ["application_manager"]})
    assert client.get("/alerts/")["Location"] == "/factor"
    assert client.get("/")["Location"] == "/factor"
    assert "必须用动态码登录" in client.get("/factor").content.decode()
    assert client.get("/password").status_code == 200
    assert other.get("/persons/").status_code == 200
    assert Act.objects.get(kind="factor.required").facts["after"] == ["application_manager"]
    factor.enrol(manager, SECRET, now(), request=None)
    assert client.get("/alerts/").status_code == 200
