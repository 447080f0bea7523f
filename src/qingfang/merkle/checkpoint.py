"""What a log says of itself at one moment (C2SP tlog-checkpoint), and the office's certificate over
the keys that sign it.

    origin                          the log's name
    size                            frames in it
    base64 of the SHA-256 root
    sm3 <base64 of the SM3 root>    … and the other extension lines, in this order
    time <UTC, RFC 3339>
    clock-offset-ms <number or unknown>
    boot <id of the machine's start>
    records <number of the last record>
    counts <seen> <stored> <summarised> <dropped>

Rules this module keeps:

1. Reading is strict: numbers without leading zeros, roots of 32 bytes, each known line once and in
   order. Lines it does not know are kept in `others` and stand behind those it knows.
2. Whoever checks a certificate says what time it is.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import re
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from qingfang.crypto.signing import Ed25519Verifier, Verifier
from qingfang.crypto.sm2 import Sm2Verifier
from qingfang.merkle.note import Note, is_signed

CERTIFICATE: Final = "qingfang/certificate/v1"
LONGEST_S: Final = 30 * 86_400
OFFICE: Final = "office"
_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}")
_SIGNED = re.compile(r"0|-?[1-9][0-9]{0,17}")
_TIME = "%Y-%m-%dT%H:%M:%SZ"


class CheckpointProblem(ValueError):
    """This is no checkpoint, or no certificate; the text says why."""


class Checkpoint(Struct, frozen=True):
    """`at` in seconds since the epoch, `clock_offset_ms` None when the machine does not know, `seen`
    to `dropped` counts of records since the log began."""

    origin: str
    size: int
    root: bytes
    sm3_root: bytes
    at: int
    clock_offset_ms: int | None
    boot: str
    records: int
    seen: int = 0
    stored: int = 0
    summarised: int = 0
    dropped: int = 0
    others: tuple[str, ...] = ()

    def encode(self) -> str:
        """The text to sign."""
        offset = "unknown" if self.clock_offset_ms is None else str(self.clock_offset_ms)
        lines = (
            self.origin,
            str(self.size),
            _base64(self.root),
            f"sm3 {_base64(self.sm3_root)}",
            f"time {moment(self.at)}",
            f"clock-offset-ms {offset}",
            f"boot {self.boot}",
            f"records {self.records}",
            f"counts {self.seen} {self.stored} {self.summarised} {self.dropped}",
            *self.others,
        )
        return "".join(f"{line}\n" for line in lines)


def read(text: str) -> Checkpoint:
    """Raises `CheckpointProblem`."""
    lines = _Lines(text)
    offset = ""
    found = Checkpoint(
        origin=lines.next("origin"),
        size=lines.number(),
        root=lines.digest(),
        sm3_root=lines.digest("sm3 "),
        at=_seconds(lines.next("time", "time ")),
        clock_offset_ms=(
            None
            if (offset := lines.next("clock offset", "clock-offset-ms ")) == "unknown"
            else _integer(offset, _SIGNED)
        ),
        boot=lines.next("boot", "boot "),
        records=lines.number("records "),
        **lines.counts(),
        others=tuple(lines.rest()),
    )
    if found.encode() != text:
        raise CheckpointProblem("a checkpoint is written in one way only")
    return found


class Certificate(Struct, frozen=True):
    """The office says that these keys sign for the log `origin` from `begin` up to `end` (seconds
    since the epoch)."""

    origin: str
    ed25519: bytes
    sm2: bytes
    begin: int
    end: int

    def encode(self) -> str:
        lines = (
            CERTIFICATE,
            self.origin,
            _base64(self.ed25519),
            _base64(self.sm2),
            moment(self.begin),
            moment(self.end),
        )
        return "".join(f"{line}\n" for line in lines)

    def verifiers(self) -> tuple[Verifier, Verifier]:
        """Raises `CheckpointProblem` for keys that are none."""
        try:
            return Ed25519Verifier(self.ed25519), Sm2Verifier(self.sm2)
        except ValueError as error:
            raise CheckpointProblem(f"a certificate of no key: {error}") from None


def read_certificate(text: str) -> Certificate:
    """Raises `CheckpointProblem`."""
    lines = _Lines(text)
    if lines.next("heading") != CERTIFICATE:
        raise CheckpointProblem("no certificate of this version")
    found = Certificate(
        origin=lines.next("origin"),
        ed25519=_bytes(lines.next("Ed25519 key"), 32),
        sm2=_bytes(lines.next("SM2 key"), 65),
        begin=_seconds(lines.next("beginning")),
        end=_seconds(lines.next("end")),
    )
    if found.encode() != text:
        raise CheckpointProblem("a certificate is written in one way only")
    if not 0 < found.end - found.begin <= LONGEST_S:
        raise CheckpointProblem("a certificate lasts 30 days at most")
    return found


def is_certified(note: Note, office: tuple[Verifier, ...]) -> bool:
    """Whether every key of the office signed the certificate in this note."""
    return bool(office) and all(is_signed(note, OFFICE, key) for key in office)


def is_by_machine(note: Note, certificate: Certificate) -> bool:
    """Whether both certified keys signed the checkpoint in this note, for this log, at a time the
    certificate covers. Raises `CheckpointProblem`."""
    checkpoint = read(note.text)
    return (
        checkpoint.origin == certificate.origin
        and certificate.begin <= checkpoint.at <= certificate.end
        and all(is_signed(note, checkpoint.origin, key) for key in certificate.verifiers())
    )


def moment(at: int) -> str:
    """UTC in RFC 3339, to the second."""
    return datetime.datetime.fromtimestamp(at, datetime.UTC).strftime(_TIME)


class _Lines:
    def __init__(self, text: str) -> None:
        if not text.endswith("\n"):
            raise CheckpointProblem("the last line has no end")
        self._lines = iter(text[:-1].split("\n"))

    def next(self, what: str, prefix: str = "") -> str:
        line = next(self._lines, "")
        if not line.startswith(prefix) or len(line) == len(prefix):
            raise CheckpointProblem(f"the line with the {what} is missing")
        return line[len(prefix) :]

    def number(self, prefix: str = "") -> int:
        return _integer(self.next(prefix.strip() or "size", prefix), _NUMBER)

    def digest(self, prefix: str = "") -> bytes:
        return _bytes(self.next(prefix.strip() or "root", prefix), 32)

    def counts(self) -> dict[str, int]:
        values = self.next("counts", "counts ").split(" ")
        if len(values) != 4:
            raise CheckpointProblem("the counts are four numbers")
        names = ("seen", "stored", "summarised", "dropped")
        return {name: _integer(value, _NUMBER) for name, value in zip(names, values, strict=True)}

    def rest(self) -> Iterator[str]:
        for line in self._lines:
            if not line:
                raise CheckpointProblem("an empty line in a checkpoint")
            yield line


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: str, size: int) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if len(data) != size:
        raise CheckpointProblem(f"no base64 of {size} bytes: {text[:80]!r}")
    return data


def _integer(text: str, form: re.Pattern[str]) -> int:
    if not form.fullmatch(text):
        raise CheckpointProblem(f"no number: {text[:80]!r}")
    return int(text)


def _seconds(text: str) -> int:
    try:
        at = datetime.datetime.strptime(text, _TIME).replace(tzinfo=datetime.UTC)
    except ValueError:
        raise CheckpointProblem(f"no time: {text[:80]!r}") from None
    return int(at.timestamp())
