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


def test_a_procedure_is_put_into_the_file(tmp_path: Path) -> None:
    file = saved(tmp_path, json.dumps(GOOD | {"procedures": {"HIS.P_A": "旧", "p_b": "留"}}))
    file.chmod(0o640)
    catalogues.put_procedure(file, "his.p_a", "CREATE PROCEDURE p_a …")
    tree = json.loads(file.read_text(encoding="utf-8"))
    assert tree["procedures"] == {"p_b": "留", "his.p_a": "CREATE PROCEDURE p_a …"}
    assert tree["tables"] == GOOD["tables"]
    assert catalogues.read(file).procedure("HIS.p_a") == "CREATE PROCEDURE p_a …"
    assert file.stat().st_mode & 0o777 == 0o640
    assert [f.name for f in tmp_path.iterdir()] == ["c.json"]


def test_a_procedure_without_a_name_leaves_the_file_as_it_is(tmp_path: Path) -> None:
    file = saved(tmp_path, json.dumps(GOOD))
    before = file.read_bytes()
    with pytest.raises(catalogues.Unusable, match="名称为空"):
        catalogues.put_procedure(file, " ", "x")
    assert file.read_bytes() == before


def test_a_settled_source_outlives_the_catalogue(tmp_path: Path) -> None:
    file = saved(tmp_path, json.dumps(GOOD))
    file.chmod(0o640)
    before = catalogues.mark(file)
    catalogues.put_procedure(file, "his.p_a", "CREATE PROCEDURE p_a …")
    assert "procedures" not in json.loads(file.read_text(encoding="utf-8"))
    assert catalogues.mark(file) != before
    assert catalogues.sources_file(file).stat().st_mode & 0o777 == 0o640
    saved(tmp_path, json.dumps(GOOD | {"procedures": {"p_b": "新"}}))
    assert catalogues.read(file).procedure("HIS.p_a") == "CREATE PROCEDURE p_a …"
    assert catalogues.read(file).procedure("p_b") == "新"
    catalogues.put_procedure(file, "HIS.P_A", "第二版")
    assert catalogues.settled(file) == {"HIS.P_A": "第二版"}
    # What the database itself says now counts.
    saved(tmp_path, json.dumps(GOOD | {"procedures": {"his.p_a": "库里的"}}))
    assert catalogues.read(file).procedure("his.p_a") == "库里的"


@pytest.mark.parametrize(
    ("text", "said"), [("{", "不是完整的 JSON"), ("[]", "应为"), ('{"p": 1}', "应为")]
)
def test_broken_sources_are_named_by_their_own_file(tmp_path: Path, text: str, said: str) -> None:
    file = saved(tmp_path, json.dumps(GOOD))
    catalogues.sources_file(file).write_text(text, encoding="utf-8")
    with pytest.raises(catalogues.Unusable, match=rf"c\.sources\.json.*{said}"):
        catalogues.read(file)
