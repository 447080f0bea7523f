"""The configuration file: what is wrong is named with its line and key."""

from pathlib import Path

import msgspec
import pytest

from qingfang import config

GOOD = """\
[site]
name = "示范医院"

[[database]]
name = "his"
address = "127.0.0.1:5432"
catalogue = "his.json"

[[route]]
name = "clinic"
database = "his"
listen = "127.0.0.1:6432"

[[route]]
name = "report"
database = "his"
listen = "[::1]:6433"
kind = "report"
"""


def read(tmp_path: Path, text: str) -> config.Config:
    file = tmp_path / "qingfang.toml"
    file.write_text(text, encoding="utf-8")
    return config.read(file)


def test_a_good_file(tmp_path: Path) -> None:
    got = read(tmp_path, GOOD)
    assert got.site.name == "示范医院"
    assert [r.kind for r in got.route] == ["clinical", "report"]


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    got = read(tmp_path, GOOD + '[paths]\nstate = "kept"\nrun = "/run/q"\n')
    assert got.database[0].catalogue == str(tmp_path / "his.json")
    assert got.paths == config.Paths(state=str(tmp_path / "kept"), run="/run/q")
    assert got.route[0].tls_key == ""


def test_an_empty_file_means_the_defaults(tmp_path: Path) -> None:
    assert read(tmp_path, "") == config.Config()


@pytest.mark.parametrize(
    ("old", "new", "line", "key"),
    [
        ('kind = "report"', 'kind = "other"', 18, "route[1].kind"),
        ('kind = "report"', 'kindd = "report"', 18, "route[1].kindd"),
        ('listen = "127.0.0.1:6432"', "", 9, "route[0].listen"),
        ('name = "clinic"', 'name = "report"', 15, "route[1].name"),
        (
            'database = "his"\nlisten = "[',
            'database = "hiss"\nlisten = "[',
            16,
            "route[1].database",
        ),
        ('kind = "report"', "budget_ms = 0", 18, "route[1].budget_ms"),
        ('kind = "report"', 'tls_certificate = "c.pem"', 14, "route[1].tls_key"),
        ('name = "示范医院"', "name = 7", 2, "site.name"),
        ("[site]", "[sites]", 1, "sites"),
        ("[site]", "[ledger]\nretention_days = 365\n[site]", 2, "ledger.retention_days"),
        ('name = "示范医院"', "name = ", 2, ""),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, old: str, new: str, line: int, key: str) -> None:
    assert old in GOOD
    with pytest.raises(config.ConfigError) as caught:
        read(tmp_path, GOOD.replace(old, new, 1))
    assert (caught.value.key, caught.value.line) == (key, line)
    assert str(caught.value).startswith(f"{tmp_path / 'qingfang.toml'}:{line}: ")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            'kind = "report"',
            'kind = "reports"',
            "没有这种取值：reports；可用：clinical statistics report third-party",
        ),
        ('kind = "report"', "budget_ms = 0", "应为≥ 1 的整数"),
        ('name = "示范医院"', "name = 7", "应为文本，现为整数"),
        ('kind = "report"', 'max_connections = "many"', "应为整数，现为文本"),
        ('name = "示范医院"', "name = ", "不是正确的 TOML："),
        (
            "[site]",
            '[channels.mail]\nhost = "m"\nsender = "q@h"\nsecurity = "ssl"\n[site]',
            "没有这种取值：ssl；可用：none starttls tls",
        ),
    ],
)
def test_what_would_be_right_is_said(tmp_path: Path, old: str, new: str, problem: str) -> None:
    assert old in GOOD
    with pytest.raises(config.ConfigError) as caught:
        read(tmp_path, GOOD.replace(old, new, 1))
    assert caught.value.problem.startswith(problem)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(config.ConfigError, match="qingfang init"):
        config.read(tmp_path / "none.toml")
    (tmp_path / "gbk.toml").write_bytes('[site]\nname="示范医院"'.encode("gbk"))
    with pytest.raises(config.ConfigError, match="UTF-8"):
        config.read(tmp_path / "gbk.toml")
    (tmp_path / "deep.toml").write_text("x = " + "[" * 5000)
    with pytest.raises(config.ConfigError, match="嵌套过深"):
        config.read(tmp_path / "deep.toml")


def _keys(struct: type, prefix: str = "") -> list[str]:
    keys = []
    for field in msgspec.structs.fields(struct):
        inner = _section(field.type)
        name = f"{prefix}{field.name}"
        keys += _keys(inner, name + ".") if inner else [name]
    return keys


def _section(kind: object) -> type | None:
    options = [kind, *getattr(kind, "__args__", ())]
    found = [o for o in options if isinstance(o, type) and issubclass(o, msgspec.Struct)]
    return found[0] if found else None


def test_every_key_is_documented() -> None:
    page = (Path(__file__).parent.parent / "docs" / "configuration.md").read_text(encoding="utf-8")
    missing = [key for key in _keys(config.Config) if f"`{key}`" not in page]
    assert missing == []
