"""Every text of the commands and the engine has its English, which says all the Chinese says."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import click
import pytest
from babel.messages.pofile import read_po

from qingfang import cli
from qingfang.language import LOCALE_DIR, _
from tests.support.words import spoken

PO = LOCALE_DIR / "en" / "LC_MESSAGES" / "qingfang.po"
PLACE = re.compile(r"\{[^{}]*\}")
CHINESE = re.compile(r"[\u3001\u3002\u4e00-\u9fff\uff00-\uffef]")


def english() -> dict[str, str]:
    with PO.open("rb") as file:
        return {str(m.id): str(m.string) for m in read_po(file) if m.id}


def test_nothing_is_missing_and_nothing_is_left_over() -> None:
    texts = spoken()
    have = english()
    assert {text: place for text, place in texts.items() if text not in have} == {}
    assert sorted(have.keys() - texts.keys()) == []


def test_translations_are_english_with_the_same_places() -> None:
    for source, text in english().items():
        assert text, source
        assert not CHINESE.search(text), text
        assert PLACE.findall(text) == PLACE.findall(source), source
        assert text.count("\b") == source.count("\b"), source


def run(*arguments: str, **environment: str) -> str:
    spoken_here = {
        k: v
        for k, v in os.environ.items()
        if k not in ("QINGFANG_LANG", "LANG", "LC_ALL", "LC_MESSAGES")
    }
    return subprocess.run(
        [sys.executable, "-m", "qingfang.cli", *arguments],
        env={**spoken_here, "PYTHONUTF8": "1", **environment},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


@pytest.mark.skipif(not PO.with_suffix(".mo").exists(), reason="needs make assets (qingfang.mo)")
def test_help_is_english_when_asked_for() -> None:
    assert "Start the demo" in run("demo", "--help", QINGFANG_LANG="en")
    assert "Start the demo" in run("demo", "--help", LANG="en_GB.UTF-8")
    for name in cli.qingfang_command.list_commands(click.Context(cli.qingfang_command)):
        page = run(name, "--help", QINGFANG_LANG="en")
        assert not CHINESE.search(page), page
        assert f"Example:\n  qingfang {name}" in page.replace("\n    ", "\n  "), page


def test_help_is_chinese_otherwise() -> None:
    assert "启动演示" in run("demo", "--help")
    assert "启动演示" in run("demo", "--help", LANG="C.UTF-8")
    assert "启动演示" in run("demo", "--help", LANG="en_GB.UTF-8", QINGFANG_LANG="zh")


def test_the_suite_speaks_chinese() -> None:
    assert _("完成") == "完成"
