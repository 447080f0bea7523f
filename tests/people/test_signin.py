"""Signing in: who gets in, what guessing costs, what is recorded."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from django.test import Client

from qingfang.people import acts, signin
from qingfang.people.models import Act, SignInGuard
from tests.support.people import PASSWORD, person

pytestmark = pytest.mark.django_db


def attempt(client: Client, number: str, password: str, address: str = "10.0.0.1") -> int:
    data = {"staff_number": number, "password": password}
    return client.post("/sign-in", data, REMOTE_ADDR=address).status_code


def kinds() -> list[str]:
    return list(Act.objects.order_by("id").values_list("kind", flat=True))


def test_in_and_out(client: Client) -> None:
    person("1001", password=True)
    assert attempt(client, "1001", PASSWORD) == 302
    assert client.get("/").status_code == 200
    client.post("/sign-out")
    assert client.get("/").status_code == 302
    assert kinds() == ["sign-in", "sign-out"]


def test_passwords_are_kept_as_argon2() -> None:
    assert person("1001", password=True).password.startswith("argon2$argon2id$")


@pytest.mark.parametrize(
    "target", ["https://example.org/", "//example.org/", "javascript:alert(1)"]
)
def test_signing_in_leads_nowhere_else(client: Client, target: str) -> None:
    person("1001", password=True)
    data = {"staff_number": "1001", "password": PASSWORD, "next": target}
    assert client.post("/sign-in", data)["Location"] == "/"


def test_the_answer_does_not_tell_whether_the_account_exists(client: Client) -> None:
    person("1001", password=True)
    known = client.post("/sign-in", {"staff_number": "1001", "password": "wrong"})
    unknown = client.post("/sign-in", {"staff_number": "1002", "password": "wrong"})
    pages = [
        re.sub(r"[A-Za-z0-9]{64}", "token", answer.content.decode()).replace("1002", "1001")
        for answer in (known, unknown)
    ]
    assert "工号或密码不对。" in pages[0]
    assert pages[0] == pages[1]
    assert known.status_code == unknown.status_code == 401


def test_what_was_typed_as_an_unknown_number_is_not_recorded(client: Client) -> None:
    attempt(client, "my-password-in-the-wrong-field", "x")
    act = Act.objects.get()
    assert act.actor == ""
    assert "my-password" not in str(acts.as_payload(act))


def test_locked_after_five_even_with_the_right_password(client: Client) -> None:
    person("1001", password=True)
    for n in range(signin.ACCOUNT_FREE):
        assert attempt(client, "1001", "wrong", f"10.0.1.{n}") == 401
    assert attempt(client, "1001", PASSWORD, "10.0.1.200") == 401
    assert kinds()[-1] == "sign-in.locked"
    SignInGuard.objects.update(locked_until=dt.datetime.now(dt.UTC))
    assert attempt(client, "1001", PASSWORD, "10.0.1.200") == 302
    assert not SignInGuard.objects.filter(key="account:1001").exists()


def test_an_address_that_tries_many_accounts_is_locked(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signin, "ADDRESS_FREE", 4)
    for n in range(signin.ADDRESS_FREE):
        attempt(client, f"guess-{n}", "x", "10.0.0.66")
    person("1001", password=True)
    assert attempt(client, "1001", PASSWORD, "10.0.0.66") == 401
    assert attempt(client, "1001", PASSWORD, "10.0.0.67") == 302


def test_the_delay_grows_and_ends() -> None:
    free = signin.ACCOUNT_FREE
    delays = [signin.delay_s(n, free) for n in range(free + 12)]
    assert delays[:free] == [0] * free
    assert delays[free : free + 4] == [30, 60, 120, 240]
    assert delays[-1] == signin.LAST_DELAY_S
    assert delays == sorted(delays)


def test_a_deactivated_person_is_out_at_once(client: Client) -> None:
    someone = person("1001", password=True)
    attempt(client, "1001", PASSWORD)
    someone.is_active = False
    someone.save()
    assert client.get("/").status_code == 302
    assert attempt(client, "1001", PASSWORD, "10.0.0.9") == 401


def test_an_initial_password_must_be_changed_first(client: Client) -> None:
    someone = person("1001", "office", "applicant", password=True)
    someone.must_change_password = True
    someone.save()
    attempt(client, "1001", PASSWORD)
    assert client.get("/grants/")["Location"] == "/password"
    new = "另一个-Harbour-88"
    answer = client.post("/password", {"old": PASSWORD, "new": new, "again": new})
    assert answer.status_code == 302
    assert client.get("/grants/").status_code == 200


@pytest.mark.parametrize("weak", ["short", "1234567890123", "password123", "1001-1001-1001"])
def test_weak_passwords_are_refused(client: Client, weak: str) -> None:
    someone = person("1001-1001", password=True)
    client.force_login(someone)
    answer = client.post("/password", {"old": PASSWORD, "new": weak, "again": weak})
    assert answer.status_code == 200
    someone.refresh_from_db()
    assert someone.check_password(PASSWORD)


class Ledger:
    """Takes acts until it is told to fail; keeps what it acknowledged."""

    def __init__(self) -> None:
        self.kept: dict[int, int] = {}
        self.fail_after = 10**9
        self.calls = 0

    def send(self, act: dict[str, object]) -> tuple[str, int]:
        self.calls += 1
        if self.calls > self.fail_after:
            raise ConnectionError
        self.kept.setdefault(int(str(act["id"])), len(self.kept) + 1)
        return "test", self.kept[int(str(act["id"]))]


def test_acts_reach_the_ledger_in_order_across_failures() -> None:
    made = [acts.record("sign-out", target=str(n)).pk for n in range(10)]
    ledger = Ledger()
    ledger.fail_after = 4
    with pytest.raises(ConnectionError):
        acts.drain(ledger.send)
    assert Act.objects.filter(seq__isnull=True).count() == 6
    ledger.fail_after = 10**9
    assert acts.drain(ledger.send) == 6
    assert list(ledger.kept) == made
    assert not Act.objects.filter(seq__isnull=True).exists()
