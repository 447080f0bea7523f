"""Checkpoints and certificates: written in one way, read strictly, and good for one log and time."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qingfang.crypto.signing import Ed25519Signer
from qingfang.crypto.sm2 import Sm2Signer
from qingfang.merkle import checkpoint
from qingfang.merkle.checkpoint import Certificate, Checkpoint, CheckpointProblem
from qingfang.merkle.note import Note, sign

AT = 1_795_449_600
ONE = Checkpoint(
    "hospital/node-1/0a1b2c3d", 1234, bytes(range(32)), bytes(32), AT, -3, "b00t", 9876, 5, 4, 0, 1
)
TEXT = """hospital/node-1/0a1b2c3d
1234
AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=
sm3 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
time 2026-11-23T16:00:00Z
clock-offset-ms -3
boot b00t
records 9876
counts 5 4 0 1
"""
MACHINE = (Ed25519Signer.from_seed(bytes(32)), Sm2Signer.generate())
OFFICE = (Ed25519Signer.from_seed(bytes([1] * 32)), Sm2Signer.generate())
CERTIFICATE = Certificate(
    ONE.origin, MACHINE[0].public, MACHINE[1].public, AT - 86_400, AT + 29 * 86_400
)


def test_the_text() -> None:
    assert ONE.encode() == TEXT
    assert checkpoint.read(TEXT) == ONE


def test_lines_it_does_not_know_are_kept() -> None:
    more = checkpoint.read(TEXT + "grants 3 AAAA\n")
    assert more.others == ("grants 3 AAAA",)
    assert more.encode() == TEXT + "grants 3 AAAA\n"


@given(
    st.builds(
        Checkpoint,
        st.from_regex(r"[a-z/0-9-]{1,40}", fullmatch=True),
        st.integers(0, 2**53),
        st.binary(min_size=32, max_size=32),
        st.binary(min_size=32, max_size=32),
        st.integers(0, 4_000_000_000),
        st.none() | st.integers(-(10**9), 10**9),
        st.from_regex(r"[a-f0-9-]{1,36}", fullmatch=True),
        st.integers(0, 2**53),
    )
)
def test_what_is_written_is_read(one: Checkpoint) -> None:
    assert checkpoint.read(one.encode()) == one


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1234\n", "01234\n"),
        ("1234\n", "-1\n"),
        ("1234\n", "1e3\n"),
        ("AAEC", "AAE"),
        ("sm3 ", "SM3 "),
        ("2026-11-23T16:00:00Z", "2026-11-23T16:00:00+00:00"),
        ("2026-11-23T16:00:00Z", "2026-13-23T16:00:00Z"),
        ("ms -3", "ms -0"),
        ("ms -3", "ms"),
        ("counts 5 4 0 1", "counts 5 4 0"),
        ("counts 5 4 0 1\n", "counts 5 4 0 1\n\n"),
        ("counts 5 4 0 1\n", "counts 5 4 0 1"),
        ("boot b00t\n", ""),
        ("hospital/node-1/0a1b2c3d\n", "\n"),
    ],
)
def test_what_is_no_checkpoint(old: str, new: str) -> None:
    with pytest.raises(CheckpointProblem):
        checkpoint.read(TEXT.replace(old, new))


def signed(text: str, name: str, keys: tuple[Ed25519Signer, Sm2Signer]) -> Note:
    return Note(text).adding(*(sign(text, name, key) for key in keys))


def test_both_of_the_machines_keys_must_sign_in_time_and_for_this_log() -> None:
    good = signed(TEXT, ONE.origin, MACHINE)
    assert checkpoint.is_by_machine(good, CERTIFICATE)
    assert not checkpoint.is_by_machine(Note(TEXT, good.lines[:1]), CERTIFICATE)
    assert not checkpoint.is_by_machine(Note(TEXT, good.lines[1:]), CERTIFICATE)
    for changed in (
        {"end": AT - 1, "begin": AT - 86_400},
        {"begin": AT + 1},
        {"origin": "hospital/node-2/0a1b2c3d"},
        {"sm2": OFFICE[1].public},
    ):
        other = msgspec.structs.replace(CERTIFICATE, **changed)
        assert not checkpoint.is_by_machine(good, other)


def test_a_certificate_is_the_offices() -> None:
    text = CERTIFICATE.encode()
    assert checkpoint.read_certificate(text) == CERTIFICATE
    good = signed(text, checkpoint.OFFICE, OFFICE)
    assert checkpoint.is_certified(good, OFFICE)
    assert not checkpoint.is_certified(good, MACHINE)
    assert not checkpoint.is_certified(good, ())
    assert not checkpoint.is_certified(Note(text, good.lines[:1]), OFFICE)
    assert not checkpoint.is_certified(signed(text, "machine", OFFICE), OFFICE)


def test_a_certificate_lasts_thirty_days_at_most() -> None:
    longer = msgspec.structs.replace(CERTIFICATE, end=CERTIFICATE.begin + 30 * 86_400 + 1)
    with pytest.raises(CheckpointProblem, match="30 days"):
        checkpoint.read_certificate(longer.encode())
    with pytest.raises(CheckpointProblem):
        checkpoint.read_certificate(CERTIFICATE.encode().replace("/v1", "/v2"))
    with pytest.raises(CheckpointProblem, match="no key"):
        msgspec.structs.replace(CERTIFICATE, sm2=bytes(65)).verifiers()
