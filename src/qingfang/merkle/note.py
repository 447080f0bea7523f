"""Signed notes (C2SP signed-note): a text, then a line for each signature, readable by eye.

    the text, which ends with a newline
    (an empty line)
    — name base64(key id ‖ signature)

Key ids are the first four bytes of SHA-256(name ‖ newline ‖ type ‖ public key). The types are those
of the specification (0x01 Ed25519, 0x04 cosignature/v1) and, for SM2, 0xff followed by a name of our
own. A cosignature is over `cosignature/v1`, a line `time <seconds>`, and the text (C2SP
tlog-cosignature); its signature begins with those seconds as eight bytes.

Rules this module keeps:

1. A line by an unknown key is kept and vouches for nothing; a line by a known key that does not
   verify makes the note unsigned by it.
2. Reading is strict: what would be written otherwise than it was read is refused.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Final, Literal

from msgspec import Struct

from qingfang.crypto import sha256
from qingfang.crypto.signing import Signer, Verifier

LIMIT: Final = 64 * 1024
_LINES: Final = 64
_TYPES: Final[dict[str, dict[str, bytes]]] = {
    "signature": {"ed25519": b"\x01", "sm2": b"\xffqingfang/sm2/v1"},
    "cosignature": {"ed25519": b"\x04", "sm2": b"\xffqingfang/cosignature-sm2/v1"},
}
Role = Literal["signature", "cosignature"]
_NAME = re.compile(r"[^\s+\x00-\x1f\x7f]{1,255}")


class NoteProblem(ValueError):
    """This is no signed note; the text says why."""


class Line(Struct, frozen=True):
    """One signature: who says to have signed, which key, and the bytes."""

    name: str
    key_id: bytes
    signature: bytes


class Note(Struct, frozen=True):
    """`text` ends with a newline."""

    text: str
    lines: tuple[Line, ...] = ()

    def encode(self) -> bytes:
        shown = "".join(
            f"— {line.name} {base64.b64encode(line.key_id + line.signature).decode()}\n"
            for line in self.lines
        )
        return f"{self.text}\n{shown}".encode()

    def adding(self, *lines: Line) -> Note:
        """With these lines; one by the same key replaces the older one."""
        new = {(line.name, line.key_id) for line in lines}
        kept = tuple(line for line in self.lines if (line.name, line.key_id) not in new)
        return Note(self.text, (*kept, *lines))


def is_name(text: str) -> bool:
    """Whether a line may carry this name."""
    return _NAME.fullmatch(text) is not None


def key_id(name: str, role: Role, key: Verifier) -> bytes:
    """Four bytes."""
    kind = _TYPES[role][key.algorithm]
    return sha256(name.encode() + b"\n" + kind + key.public)[:4]


def parse(data: bytes) -> Note:
    """Raises `NoteProblem`."""
    if len(data) > LIMIT:
        raise NoteProblem("a note is no longer than 64 KiB")
    try:
        whole = data.decode()
    except UnicodeDecodeError:
        raise NoteProblem("a note is UTF-8") from None
    text, gap, below = whole.rpartition("\n\n")
    text += "\n"
    if not gap or not below.endswith("\n"):
        raise NoteProblem("a note is a text, an empty line and lines of signatures")
    if any(c < " " and c != "\n" for c in whole):
        raise NoteProblem("a note has no control characters")
    lines = tuple(_line(each) for each in below[:-1].split("\n"))
    if len(lines) > _LINES:
        raise NoteProblem("a note has no more than 64 signatures")
    note = Note(text, lines)
    if note.encode() != data:
        raise NoteProblem("a note is written in one way only")
    return note


def _line(text: str) -> Line:
    dash, _space, rest = text.partition(" ")
    name, _space, encoded = rest.partition(" ")
    try:
        data = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if dash != "—" or not _NAME.fullmatch(name) or len(data) < 5:
        raise NoteProblem(f"no line of a signature: {text[:80]!r}")
    return Line(name, data[:4], data[4:])


def sign(text: str, name: str, key: Signer) -> Line:
    """`name` has no space and no plus sign; raises ValueError otherwise."""
    _checked(text, name)
    return Line(name, key_id(name, "signature", key), key.sign(text.encode()))


def cosign(text: str, name: str, key: Signer, at: int) -> Line:
    """`at`: seconds since the epoch."""
    _checked(text, name)
    signature = key.sign(_cosigned(text, at))
    return Line(name, key_id(name, "cosignature", key), at.to_bytes(8) + signature)


def is_signed(note: Note, name: str, key: Verifier) -> bool:
    """Whether a line of this name and key verifies."""
    return any(
        key.verify(note.text.encode(), line.signature) for line in _by(note, name, "signature", key)
    )


def cosigned_at(note: Note, name: str, key: Verifier) -> int | None:
    """When this key says to have cosigned, in seconds since the epoch; None when it did not."""
    for line in _by(note, name, "cosignature", key):
        at = int.from_bytes(line.signature[:8])
        if len(line.signature) > 8 and key.verify(_cosigned(note.text, at), line.signature[8:]):
            return at
    return None


def _by(note: Note, name: str, role: Role, key: Verifier) -> Iterator[Line]:
    wanted = key_id(name, role, key)
    return (line for line in note.lines if line.name == name and line.key_id == wanted)


def _cosigned(text: str, at: int) -> bytes:
    return f"cosignature/v1\ntime {at}\n{text}".encode()


def _checked(text: str, name: str) -> None:
    if not text.endswith("\n") or not is_name(name):
        raise ValueError("a text ends with a newline, a name has no space and no plus sign")
