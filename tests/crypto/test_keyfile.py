"""Key files: private from the first byte, complete or absent, never replaced."""

import stat
from pathlib import Path

import pytest

from qingfang.crypto import KeyProblem, create_key, load_public, load_signer, save_public


def test_round_trip(tmp_path: Path) -> None:
    made = create_key(tmp_path / "office.key")
    save_public(tmp_path / "office.pub", made)
    loaded, public = load_signer(tmp_path / "office.key"), load_public(tmp_path / "office.pub")
    assert public.verify(b"a snapshot", loaded.sign(b"a snapshot"))
    assert stat.S_IMODE((tmp_path / "office.key").stat().st_mode) == 0o600
    assert sorted(f.name for f in tmp_path.iterdir()) == ["office.key", "office.pub"]


def test_an_existing_key_is_kept(tmp_path: Path) -> None:
    first = create_key(tmp_path / "office.key")
    with pytest.raises(KeyProblem, match="已经存在"):
        create_key(tmp_path / "office.key")
    assert load_signer(tmp_path / "office.key").public == first.public
    assert [f.name for f in tmp_path.iterdir()] == ["office.key"]


def test_a_key_others_can_read_is_refused(tmp_path: Path) -> None:
    create_key(tmp_path / "office.key")
    (tmp_path / "office.key").chmod(0o640)
    with pytest.raises(KeyProblem, match="chmod 600"):
        load_signer(tmp_path / "office.key")


def test_what_is_not_a_key(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"not a key")
    (tmp_path / "x").chmod(0o600)
    with pytest.raises(KeyProblem, match="PEM"):
        load_signer(tmp_path / "x")
    with pytest.raises(KeyProblem, match="PEM"):
        load_public(tmp_path / "x")
    with pytest.raises(KeyProblem, match="读不了"):
        load_signer(tmp_path / "missing")
    with pytest.raises(KeyProblem, match="写不了"):
        create_key(tmp_path / "missing" / "x")
