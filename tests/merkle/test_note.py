"""Signed notes as C2SP writes them, and what is not one."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qingfang.crypto.signing import Ed25519Signer, Ed25519Verifier
from qingfang.crypto.sm2 import Sm2Signer
from qingfang.merkle import note
from qingfang.merkle.note import Note, NoteProblem

TEXT = "hospital/node-1\n5\nAAAA\n"
KEY = Ed25519Signer.from_seed(bytes(range(32)))
OTHER = Ed25519Signer.from_seed(bytes(32))
SM2 = Sm2Signer.generate()

# The example of golang.org/x/mod/sumdb/note.
PETER = "PeterNeumann"
PETERS_KEY = base64.b64decode("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
PETERS_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)


def test_the_published_example() -> None:
    found = note.parse(PETERS_NOTE.encode())
    key = Ed25519Verifier(PETERS_KEY[1:])
    assert note.key_id(PETER, "signature", key).hex() == "c74f20a3"
    assert note.is_signed(found, PETER, key)
    assert found.encode() == PETERS_NOTE.encode()
    changed = Note(found.text.replace("answer", "Answer"), found.lines)
    assert not note.is_signed(changed, PETER, key)


@pytest.mark.parametrize("key", [KEY, SM2], ids=["ed25519", "sm2"])
def test_signed_and_cosigned(key: Ed25519Signer | Sm2Signer) -> None:
    signed = Note(TEXT).adding(note.sign(TEXT, "log", key))
    signed = signed.adding(note.cosign(TEXT, "witness", key, 1_795_000_000))
    again = note.parse(signed.encode())
    assert again == signed
    assert note.is_signed(again, "log", key)
    assert note.cosigned_at(again, "witness", key) == 1_795_000_000
    # A signature vouches for one name, one role and one key.
    assert not note.is_signed(again, "witness", key)
    assert note.cosigned_at(again, "log", key) is None
    assert not note.is_signed(again, "log", OTHER)
    line = again.lines[1]
    later = (1_795_000_001).to_bytes(8) + line.signature[8:]
    moved = Note(TEXT, (note.Line(line.name, line.key_id, later),))
    assert note.cosigned_at(moved, "witness", key) is None


def test_a_newer_line_by_the_same_key_replaces_the_older_one() -> None:
    one = Note(TEXT).adding(note.cosign(TEXT, "w", KEY, 1), note.cosign(TEXT, "v", OTHER, 1))
    two = one.adding(note.cosign(TEXT, "w", KEY, 2))
    assert [line.name for line in two.lines] == ["v", "w"]
    assert note.cosigned_at(two, "w", KEY) == 2


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        b"text\n",
        b"text\n\n",
        b"text\n\n- name AAAAAAAAAAAA\n",
        "text\n\n— name AAAAAAAAAAAA".encode(),
        "text\n\n— name AAAA\n".encode(),
        "text\n\n— na+me AAAAAAAAAAAA\n".encode(),
        "text\n\n—  name AAAAAAAAAAAA\n".encode(),
        "text\n\n— name AAAAAAAAAAAA extra\n".encode(),
        "text\r\n\n— name AAAAAAAAAAAA\n".encode(),
        "te\0xt\n\n— name AAAAAAAAAAAA\n".encode(),
        b"\xff\n\n" + "— name AAAAAAAAAAAA\n".encode(),
        b"text\n\n" + "— name AAAAAAAAAAAA\n".encode() * 65,
        b"x" * 70_000 + "\n\n— name AAAAAAAAAAAA\n".encode(),
    ],
)
def test_what_is_no_note(wrong: bytes) -> None:
    with pytest.raises(NoteProblem):
        note.parse(wrong)


@given(st.data())
def test_one_bit_is_enough(data: st.DataObject) -> None:
    good = Note(TEXT).adding(note.sign(TEXT, "log", KEY)).encode()
    bit = data.draw(st.integers(0, len(good) * 8 - 1))
    flipped = bytearray(good)
    flipped[bit // 8] ^= 1 << bit % 8
    try:
        found = note.parse(bytes(flipped))
    except NoteProblem:
        return
    assert not note.is_signed(found, "log", KEY)
