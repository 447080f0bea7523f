"""What others could read is closed at the start, and named."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from qingfang import postgres
from qingfang.config import Config, Console, Paths
from qingfang.engine import closed


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def config(place: Path, database: str = "postgresql://db/console") -> Config:
    return Config(
        paths=Paths(state=str(place / "state"), run=str(place / "run")),
        console=Console(database=database),
    )


def test_new_folders_are_for_their_user_alone(tmp_path: Path) -> None:
    assert closed.close(config(tmp_path)) == []
    for name in ("state", "run", "state/log", "state/console"):
        assert mode(tmp_path / name) == 0o700, name


def test_what_was_open_is_closed_and_named(tmp_path: Path) -> None:
    state = tmp_path / "state"
    (state / "console").mkdir(parents=True)
    (tmp_path / "run").mkdir()
    files = [state / "catalogue.json", state / "console" / "dsn", tmp_path / "run" / "x"]
    for file in files:
        file.write_text("x")
        file.chmod(0o644)
    tool = state / "tool"
    tool.write_text("x")
    tool.chmod(0o700)
    outside = tmp_path / "outside"
    outside.write_text("x")
    outside.chmod(0o644)
    (state / "link").symlink_to(outside)
    for folder in (state, state / "console", tmp_path / "run"):
        folder.chmod(0o755)
    found = closed.close(config(tmp_path))
    assert set(found) == {*files, state, state / "console", tmp_path / "run"}
    assert [mode(file) for file in files] == [0o640] * 3
    assert (mode(tool), mode(outside), mode(state)) == (0o700, 0o644, 0o700)
    assert closed.close(config(tmp_path)) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the database as another user")
def test_as_root_the_embedded_database_can_be_passed_to_and_nothing_listed(tmp_path: Path) -> None:
    postgres = tmp_path / "state" / "console" / "postgres"
    postgres.mkdir(parents=True)
    postgres.chmod(0o711)
    theirs = tmp_path / "state" / "theirs"
    theirs.write_text("x")
    os.chown(theirs, 65534, 65534)
    theirs.chmod(0o644)
    closed.close(config(tmp_path, "embedded"))
    modes = [mode(tmp_path / "state" / name) for name in ("", "console", "console/postgres")]
    assert modes == [0o711] * 3
    assert mode(theirs) == 0o644
    assert closed.close(config(tmp_path, "embedded")) == []


def test_the_servers_programs_stay_readable_to_its_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / "state"
    monkeypatch.setattr(postgres, "SHARED", state)
    programs = state / "embedded-postgres-18"
    programs.mkdir(parents=True)
    programs.chmod(0o755)
    (programs / "initdb").write_text("x")
    (programs / "initdb").chmod(0o755)
    closed.close(config(tmp_path, "embedded"))
    assert (mode(programs), mode(programs / "initdb")) == (0o755, 0o755)
