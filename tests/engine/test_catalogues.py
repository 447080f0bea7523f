"""A catalogue file that cannot be used is named with its line and key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qingfang.config import Config, ConfigError, Database
from qingfang.engine import catalogues

GOOD = {
    "name": "his",
    "tables": {
        "public.a": {"kind": "other", "columns": {"doctor": None}},
        "public.b": {"kind": "usage", "columns": {"doctor": "prescriber_id", "qty": "quantity"}},
    },
}


def saved(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "c.json"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_good_one(tmp_path: Path) -> None:
    assert catalogues.read(saved(tmp_path, json.dumps(GOOD))).tables


@pytest.mark.parametrize(
    ("old", "new", "line", "key"),
    [
        ('"quantity"', '"quantty"', 14, "tables.public.b.columns.qty"),
        ('"prescriber_id"', '"doktor"', 13, "tables.public.b.columns.doctor"),
        ('"usage"', "7", 11, "tables.public.b.kind"),
        ('"name"', '"nam"', 2, "nam"),
    ],
)
def test_the_key_and_its_line(tmp_path: Path, old: str, new: str, line: int, key: str) -> None:
    file = saved(tmp_path, json.dumps(GOOD, indent=1).replace(old, new))
    with pytest.raises(catalogues.Unusable) as caught:
        catalogues.read(file)
    assert (caught.value.line, caught.value.key) == (line, key)
    assert str(caught.value).startswith(f"{file}:{line}: {key}: ")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (json.dumps(GOOD, indent=1)[:60].encode(), "c.json:5: 不是完整的 JSON"),
        (b"\xff\xfe", "不是 UTF-8 文本（第 0 字节）"),
        (b"[]", "c.json"),
        (b"", "c.json:1: 不是完整的 JSON"),
    ],
)
def test_what_is_no_catalogue(tmp_path: Path, data: bytes, said: str) -> None:
    file = tmp_path / "c.json"
    file.write_bytes(data)
    with pytest.raises(catalogues.Unusable, match=said):
        catalogues.read(file)


def test_before_anything_is_started(tmp_path: Path) -> None:
    missing = Database(name="his", address="h:1", catalogue=str(tmp_path / "none.json"))
    with pytest.raises(
        ConfigError, match=r"database\[0\]\.catalogue: .*none\.json: 读不了目录文件"
    ):
        catalogues.check(Config(database=(missing,)), tmp_path / "qingfang.toml")
