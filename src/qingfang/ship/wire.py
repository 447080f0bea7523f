"""What a shipper and a door say to each other over HTTPS.

    GET  /ship/<log>   → `Answer`: the record expected next
    POST /ship/<log>   MessagePack `Shipment` → `Answer`: the same, after it was taken

Rules this module keeps:

1. An item is what the spool stored in one go, never split and never joined: its first sequence
   number alone fixes how many records it has, so that sending it again can neither double a record
   nor leave one out.
2. An item's token is made of the log's name and that number, so it is the same after any crash.
"""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

from qingfang.crypto import sha256
from qingfang.record import codec

LOG: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}/([a-z0-9][a-z0-9-]{0,62})/[0-9a-f]{8}")
BODY_LIMIT: Final = 60 * 1024 * 1024
STALE: Final = "stale"


class Item(Struct, frozen=True, array_like=True):
    """`kind`, `count` and `content` (token first) as they are appended to a ledger; `sequence` is
    the first record's number in the spool."""

    kind: int
    sequence: int
    count: int
    content: bytes


class Shipment(Struct, frozen=True, array_like=True):
    """Items without a gap. `segment`: the ledger's segment that their blocks were packed for."""

    segment: int
    items: tuple[Item, ...]


class Answer(Struct, frozen=True):
    """`next`: the spool's sequence number expected next; everything before it is stored. `segment`:
    the one the ledger writes to. `problem`: why not all was taken (`stale`: pack again)."""

    next: int
    segment: int
    problem: str = ""


class Problem(Struct, frozen=True):
    """Any answer but 200."""

    problem: str


def node_of(log: str) -> str | None:
    """The node that a spool's log is named after; None when it is no log's name."""
    found = LOG.fullmatch(log)
    return found[1] if found else None


def origin(log: str) -> bytes:
    """8 bytes: the first half of the tokens of all that is shipped from this log."""
    return sha256(b"qingfang/ship/v1\0" + log.encode())[:8]


def token(log: str, sequence: int) -> bytes:
    return codec.token(origin(log), sequence)
