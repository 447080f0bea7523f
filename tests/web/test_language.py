"""Every text of the pages has its English, and the English says all that the Chinese says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from django.conf import settings
from django.test import Client

from tests.support.people import person
from tests.support.words import used

PO = Path(settings.LOCALE_PATHS[0]) / "en" / "LC_MESSAGES" / "django.po"
PLACE = re.compile(r"%\(\w+\)[sd]|\{\w*\}")
CHINESE = re.compile(r"[\u3001\u3002\u4e00-\u9fff\uff00-\uffef]")
NAMES = {"English"}


def english() -> dict[object, tuple[str, ...]]:
    with PO.open("rb") as file:
        return {
            m.id: (m.string,) if isinstance(m.string, str) else tuple(m.string)
            for m in read_po(file)
            if m.id
        }


def test_nothing_is_missing_and_nothing_is_left_over() -> None:
    have = english()
    texts = set(used()) - NAMES
    assert sorted(map(str, texts - have.keys())) == []
    assert sorted(map(str, have.keys() - texts)) == []


def test_translations_are_english_with_the_same_places() -> None:
    for source, translations in english().items():
        first = source if isinstance(source, str) else source[0]  # type: ignore[index]
        for text in translations:
            assert text, first
            assert not CHINESE.search(text), text
            assert set(PLACE.findall(text)) <= set(PLACE.findall(first)), first


@pytest.mark.django_db
def test_chinese_unless_chosen_otherwise() -> None:
    client = Client(headers={"accept-language": "en-US"})
    assert 'lang="zh-hans"' in client.get("/sign-in").content.decode()
    client.post("/language", {"language": "en", "next": "/sign-in"})
    page = client.get("/sign-in").content.decode()
    assert 'lang="en"' in page
    assert "Staff number" in page


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("role", "kind", "paths"),
    [
        (
            "application_manager",
            "discipline",
            [
                *("/", "/alerts/", "/grants/", "/routes/", "/coverage/", "/terminals/"),
                *("/office/duties/", "/office/duties/new", "/calendar", "/locations/"),
                *("/office/designations/", "/office/designations/new", "/office/registered/"),
                *("/office/registered/reports/new", "/office/registered/services/new"),
            ],
        ),
        (
            "security_administrator",
            "office",
            ["/", "/persons/", "/persons/new", "/departments/", "/departments/new", "/posts/"],
        ),
        ("applicant", "office", ["/", "/grants/", "/grants/new"]),
        ("auditor", "office", ["/acts/"]),
    ],
)
def test_english_pages_have_no_chinese(role: str, kind: str, paths: list[str]) -> None:
    """But for names of persons, departments and the hospital, and the switch back to Chinese."""
    client = Client()
    someone = person("1", kind, role, name="Zhou")
    type(someone.department).objects.update(name="Office")
    client.force_login(someone)
    client.cookies["django_language"] = "en"
    for path in paths:
        page = client.get(path).content.decode().replace("合成医院", "").replace(">中文<", "><")
        found = CHINESE.findall(re.sub(r"\s+", " ", page))
        assert not found, (path, "".join(found))
