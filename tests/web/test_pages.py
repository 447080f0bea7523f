"""Headers, errors and files of every page."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.test import Client

import qingfang
from qingfang.ui import assets, attention, navigation
from tests.support.people import PASSWORD, person

ROOT = Path(qingfang.__file__).parent


@pytest.mark.django_db
def test_no_script_or_style_but_our_files() -> None:
    policy = Client().get("/sign-in")["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


def test_pages_have_no_inline_script_or_style() -> None:
    for file in ROOT.rglob("*.html"):
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"<script(?![^>]*\bsrc=)", text), file
        assert not re.search(r"\son[a-z]+=", text), file
        assert not re.search(r"\sstyle=|<style", text), file


@pytest.mark.django_db
def test_cookies_and_tls() -> None:
    person("1001", password=True)
    data = {"staff_number": "1001", "password": PASSWORD}
    plain = Client().post("/sign-in", data)
    cookie = plain.cookies["sessionid"]
    assert (cookie["httponly"], cookie["samesite"], cookie["secure"]) == (True, "Strict", "")
    assert "Strict-Transport-Security" not in plain
    tls = Client().post("/sign-in", data, secure=True)
    assert tls.cookies["sessionid"]["secure"] is True
    assert "max-age=31536000" in tls["Strict-Transport-Security"]


@pytest.mark.django_db
def test_pages_are_not_kept_by_caches() -> None:
    someone = person("1001", "discipline", "application_manager")
    client = Client()
    client.force_login(someone)
    assert "no-store" in client.get("/alerts/")["Cache-Control"]


@pytest.mark.django_db
def test_without_the_forms_token_nothing_happens() -> None:
    someone = person("1001", "office", "security_administrator", password=True)
    client = Client(enforce_csrf_checks=True)
    client.force_login(someone)
    answer = client.post("/sign-out")
    assert answer.status_code == 403
    assert "表单已过期" in answer.content.decode()
    assert client.get("/persons/").status_code == 200


@pytest.mark.django_db
def test_a_page_that_is_not_there_and_one_that_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    someone = person("1001")
    client = Client(raise_request_exception=False)
    client.force_login(someone)
    missing = client.get("/nowhere")
    assert missing.status_code == 404
    assert "没有这个页面" in missing.content.decode()

    def fault(*_arguments: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(attention, "for_request", fault)
    broken = client.get("/")
    assert broken.status_code == 500
    assert "secret detail" not in broken.content.decode()


def test_the_session_key_is_nobody_elses() -> None:
    file = settings.STATE / "session.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(file.read_text()) >= 48


def test_every_icon_is_in_the_sprite() -> None:
    asked = {e.icon for e in navigation.entries()}
    for file in ROOT.rglob("*.html"):
        asked |= set(re.findall(r'{% icon "([\w-]+)"', file.read_text(encoding="utf-8")))
    assert asked <= set(assets.ICONS)


@pytest.mark.parametrize(
    "name",
    ["vendor/tabler.min.css", "vendor/tabler.min.js", "vendor/icons.svg"],
)
def test_what_the_browser_loads_is_there(name: str) -> None:
    found = finders.find(name)
    assert found, "make assets"
    text = Path(str(found)).read_text(encoding="utf-8")
    assert "sourceMappingURL" not in text


@pytest.mark.django_db
def test_static_files_are_served_and_named_by_content() -> None:
    page = Client().get("/sign-in").content.decode()
    addresses = re.findall(r'(?:src|href)="(/static/[^"]+)"', page)
    assert len(addresses) >= 6
    for address in addresses:
        assert Client().get(address).status_code == 200
        assert re.search(r"\?v=[0-9a-f]{12}(#|$)", address), address
