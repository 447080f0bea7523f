"""Key files: private from the first byte, complete or absent, never replaced."""

import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from qingfang.crypto import (
    KeyProblem,
    PassphraseProblem,
    create_key,
    keyfile,
    load_public,
    load_signer,
    save_public,
    sm2,
)

WORDS = "院纪委 2026 的口令"
KINDS = ["ed25519", "sm2"]

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl command")


@pytest.fixture(autouse=True)
def quick(monkeypatch, request) -> None:
    """Fewer rounds where the rounds are not what is tested."""
    if request.function is not test_the_passphrase_costs_what_it_should:
        monkeypatch.setattr(keyfile, "ROUNDS", 1000)


def openssl(*words: str | Path, words_in: str | None = None) -> bytes:
    extra = [] if words_in is None else ["-passin", f"pass:{words_in}"]
    return subprocess.run(["openssl", *words, *extra], capture_output=True, check=True).stdout


@pytest.mark.parametrize("passphrase", [None, WORDS])
@pytest.mark.parametrize("algorithm", KINDS)
def test_round_trip(tmp_path: Path, algorithm, passphrase: str | None) -> None:
    made = create_key(tmp_path / "office.key", algorithm, passphrase)
    save_public(tmp_path / "office.pub", made)
    loaded = load_signer(tmp_path / "office.key", passphrase)
    public = load_public(tmp_path / "office.pub")
    assert made.algorithm == loaded.algorithm == public.algorithm == algorithm
    assert made.public == loaded.public == public.public
    assert public.verify(b"a snapshot", loaded.sign(b"a snapshot"))
    assert stat.S_IMODE((tmp_path / "office.key").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "office.pub").stat().st_mode) == 0o644
    assert sorted(f.name for f in tmp_path.iterdir()) == ["office.key", "office.pub"]


def test_an_existing_key_is_kept(tmp_path: Path) -> None:
    first = create_key(tmp_path / "office.key")
    with pytest.raises(KeyProblem, match="已经存在"):
        create_key(tmp_path / "office.key")
    assert load_signer(tmp_path / "office.key").public == first.public
    assert [f.name for f in tmp_path.iterdir()] == ["office.key"]


@pytest.mark.parametrize("algorithm", KINDS)
def test_a_key_others_can_read_is_refused(tmp_path: Path, algorithm) -> None:
    create_key(tmp_path / "office.key", algorithm)
    (tmp_path / "office.key").chmod(0o640)
    with pytest.raises(KeyProblem, match="chmod 600"):
        load_signer(tmp_path / "office.key")


@pytest.mark.parametrize("algorithm", KINDS)
def test_passphrases(tmp_path: Path, algorithm) -> None:
    create_key(tmp_path / "office.key", algorithm, WORDS)
    assert WORDS.encode() not in (tmp_path / "office.key").read_bytes()
    with pytest.raises(PassphraseProblem, match="需要输入口令"):
        load_signer(tmp_path / "office.key")
    for at in range(300):  # at 1 in 256 the padding alone would let one pass
        with pytest.raises(PassphraseProblem, match="口令不对"):
            load_signer(tmp_path / "office.key", f"{WORDS}{at}")
    with pytest.raises(KeyProblem, match="不能为空"):
        create_key(tmp_path / "other.key", algorithm, "")
    create_key(tmp_path / "open.key", algorithm)
    with pytest.raises(KeyProblem, match="没有口令保护"):
        load_signer(tmp_path / "open.key", WORDS)


def test_two_files_of_one_passphrase_have_nothing_in_common(tmp_path: Path) -> None:
    lines = []
    for name in ("a", "b"):
        create_key(tmp_path / name, passphrase=WORDS)
        lines.append((tmp_path / name).read_text().splitlines()[2:])
    assert not set(lines[0][:-1]) & set(lines[1][:-1])


@needs_openssl
@pytest.mark.parametrize("algorithm", KINDS)
def test_openssl_reads_our_keys(tmp_path: Path, algorithm) -> None:
    signer = create_key(tmp_path / "plain.key", algorithm)
    save_public(tmp_path / "plain.pub", signer)
    public = (tmp_path / "plain.pub").read_bytes()
    assert openssl("pkey", "-in", tmp_path / "plain.key", "-pubout") == public
    assert openssl("pkey", "-pubin", "-in", tmp_path / "plain.pub", "-pubout") == public
    # The same key without the passphrase is the same file.
    create_key(tmp_path / "closed.key", algorithm, "words")
    plain = openssl("pkey", "-in", tmp_path / "closed.key", words_in="words")
    (tmp_path / "back.key").write_bytes(plain)
    (tmp_path / "back.key").chmod(0o600)
    opened = load_signer(tmp_path / "closed.key", "words")
    assert load_signer(tmp_path / "back.key").public == opened.public


@needs_openssl
def test_the_passphrase_costs_what_it_should(tmp_path: Path) -> None:
    create_key(tmp_path / "office.key", "sm2", WORDS)
    shown = openssl("asn1parse", "-in", tmp_path / "office.key").decode()
    rounds = re.findall(r"INTEGER\s+:([0-9A-F]+)", shown)
    assert [int(number, 16) for number in rounds] == [600_000]
    assert "hmacWithSHA256" in shown
    assert "aes-256-cbc" in shown
    assert load_signer(tmp_path / "office.key", WORDS).algorithm == "sm2"


@needs_openssl
@pytest.mark.parametrize(
    "how",
    [
        ["-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA512", "-iter", "3000"],
        ["-v2", "aes-128-cbc", "-v2prf", "hmacWithSHA1"],
        ["-v2", "aes-192-cbc"],
        ["-scrypt"],
    ],
    ids=lambda how: how[-1],
)
@pytest.mark.parametrize("algorithm", KINDS)
def test_we_read_openssl_s_keys(tmp_path: Path, algorithm, how: list[str]) -> None:
    if algorithm == "sm2" and sm2.libcrypto_provider() is None:
        pytest.skip("this OpenSSL was built without SM2")
    named = ["-algorithm", "SM2" if algorithm == "sm2" else "ED25519"]
    (tmp_path / "their.key").write_bytes(openssl("genpkey", *named))
    (tmp_path / "their.key").chmod(0o600)
    (tmp_path / "their.pub").write_bytes(openssl("pkey", "-in", tmp_path / "their.key", "-pubout"))
    signer, public = load_signer(tmp_path / "their.key"), load_public(tmp_path / "their.pub")
    assert public.verify(b"data", signer.sign(b"data"))
    closed = ["-topk8", *how, "-in", str(tmp_path / "their.key"), "-passout", "pass:words"]
    (tmp_path / "closed.key").write_bytes(openssl("pkcs8", *closed))
    (tmp_path / "closed.key").chmod(0o600)
    assert load_signer(tmp_path / "closed.key", "words").public == signer.public
    with pytest.raises(PassphraseProblem):
        load_signer(tmp_path / "closed.key", "word")


@needs_openssl
def test_an_encryption_of_last_century_is_refused(tmp_path: Path) -> None:
    create_key(tmp_path / "plain.key")
    closed = ["-topk8", "-v2", "des3", "-in", str(tmp_path / "plain.key")]
    (tmp_path / "old.key").write_bytes(openssl("pkcs8", *closed, "-passout", "pass:words"))
    with pytest.raises(KeyProblem, match="openssl pkcs8 -topk8"):
        load_signer(tmp_path / "old.key", "words")


def test_what_is_not_a_key(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"not a key")
    (tmp_path / "x").chmod(0o600)
    with pytest.raises(KeyProblem, match="PEM"):
        load_signer(tmp_path / "x")
    with pytest.raises(KeyProblem, match="PEM"):
        load_public(tmp_path / "x")
    with pytest.raises(KeyProblem, match="读不了"):
        load_signer(tmp_path / "missing")
    with pytest.raises(KeyProblem, match="读不了"):
        load_public(tmp_path / "missing")
    with pytest.raises(KeyProblem, match="写不了"):
        create_key(tmp_path / "missing" / "x")


@pytest.mark.parametrize("algorithm", KINDS)
def test_damaged_files(tmp_path: Path, algorithm) -> None:
    """A line lost, a file cut short, one half exchanged for the other: always a `KeyProblem`."""
    signer = create_key(tmp_path / "good.key", algorithm)
    create_key(tmp_path / "closed.key", algorithm, WORDS)
    save_public(tmp_path / "good.pub", signer)
    target = tmp_path / "x"
    for name in ("good.key", "closed.key", "good.pub"):
        lines = (tmp_path / name).read_bytes().splitlines(keepends=True)
        whole = b"".join(lines)
        damaged = [whole[:size] for size in range(0, len(whole) - 1, 17)]
        damaged += [b"".join(lines[:at] + lines[at + 1 :]) for at in range(len(lines))]
        for data in damaged:
            target.write_bytes(data)
            target.chmod(0o600)
            with pytest.raises(KeyProblem):
                load_signer(target, WORDS if name == "closed.key" else None)
            with pytest.raises(KeyProblem):
                load_public(target)
    with pytest.raises(KeyProblem, match="PEM 私钥"):
        load_signer(tmp_path / "good.pub")
    with pytest.raises(KeyProblem, match="PEM 公钥"):
        load_public(tmp_path / "good.key")


@needs_openssl
@pytest.mark.parametrize("kind", ["X25519", "RSA", "prime256v1"])
def test_other_algorithms(tmp_path: Path, kind: str) -> None:
    group = ["-pkeyopt", f"ec_paramgen_curve:{kind}"] if kind == "prime256v1" else []
    named = ["-algorithm", "EC" if group else kind, *group]
    (tmp_path / "their.key").write_bytes(openssl("genpkey", *named))
    (tmp_path / "their.key").chmod(0o600)
    (tmp_path / "their.pub").write_bytes(openssl("pkey", "-in", tmp_path / "their.key", "-pubout"))
    with pytest.raises(KeyProblem, match="Ed25519 或 SM2"):
        load_signer(tmp_path / "their.key")
    with pytest.raises(KeyProblem, match="Ed25519 或 SM2"):
        load_public(tmp_path / "their.pub")


def test_an_sm2_key_with_another_s_public_half(tmp_path: Path) -> None:
    one, other = sm2.Sm2Signer.generate(), sm2.Sm2Signer.generate()
    (tmp_path / "x").write_bytes(keyfile._pem("PRIVATE KEY", sm2.pkcs8(one.secret, other.public)))
    (tmp_path / "x").chmod(0o600)
    with pytest.raises(KeyProblem, match="完好"):
        load_signer(tmp_path / "x")


def test_a_machine_without_sm2(tmp_path: Path, monkeypatch) -> None:
    save_public(tmp_path / "office.pub", create_key(tmp_path / "office.key", "sm2"))

    def missing() -> sm2.Provider:
        raise sm2.Unavailable("本机没有可用的 SM2")

    monkeypatch.setattr(sm2, "provider", missing)
    for attempt in (
        lambda: load_signer(tmp_path / "office.key"),
        lambda: load_public(tmp_path / "office.pub"),
        lambda: create_key(tmp_path / "other.key", "sm2"),
    ):
        with pytest.raises(KeyProblem, match="没有可用的 SM2"):
            attempt()


def test_a_usb_stick_has_neither_links_nor_modes(tmp_path: Path, monkeypatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    create_key(tmp_path / "linkless.key")
    with pytest.raises(KeyProblem, match="已经存在"):
        create_key(tmp_path / "linkless.key")
    load_signer(tmp_path / "linkless.key")
    monkeypatch.setattr(os, "fchmod", refuse)
    made = create_key(tmp_path / "office.key", "sm2", WORDS)
    (tmp_path / "office.key").chmod(0o755)  # as FAT shows every file
    assert load_signer(tmp_path / "office.key", WORDS).public == made.public
    save_public(tmp_path / "office.pub", made)
    with pytest.raises(KeyProblem, match="写不了"):  # nothing but its mode would protect it
        create_key(tmp_path / "open.key")
    names = sorted(f.name for f in tmp_path.iterdir())
    assert names == ["linkless.key", "office.key", "office.pub"]


def test_no_name_is_left_taken_when_the_key_could_not_come(tmp_path: Path, monkeypatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(KeyProblem, match="写不了"):
        create_key(tmp_path / "office.key")
    assert list(tmp_path.iterdir()) == []
