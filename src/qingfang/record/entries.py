"""What the ledger says besides events: losses, acts of persons, how statements ended, repairs.

`Entry` is what a reader gets, whatever the record's form on disk.
"""

from __future__ import annotations

from msgspec import Struct

from qingfang.events import Answered, Brief, Connection, Event, Template
from qingfang.record.keys import Cipher


class Completed(Struct, frozen=True):
    """How a statement ended whose event was recorded before its answer. `seq` is the event's;
    unknown counts are None. `answered` is what was done with it when that is not what the event
    says: its verdict came too late."""

    seq: int
    rows: int | None = None
    bytes: int | None = None
    error: str | None = None
    took_ms: float | None = None
    answered: Answered | None = None


class Loss(Struct, frozen=True):
    """What was seen and could not be stored: exact counts by kind of record (`brief`, `event`,
    `act`, …), between two times, and why (zh)."""

    source: str
    kinds: dict[str, int]
    from_us: int
    to_us: int
    why: str


class Act(Struct, frozen=True):
    """Something a person or a service did to the system itself: `what` is a stable code such as
    `sign-in`, `alert.read`, `route.enforce`, `notice.delivered`; `who` a staff number or service."""

    at_us: int
    what: str
    who: str
    about: str = ""
    client: str = ""
    details: dict[str, str] = {}


class Recovered(Struct, frozen=True):
    """The writer was restarted after it had been interrupted: `size` bytes at the end of `segment`
    from `offset` were no whole frame; they are kept in `kept_as`, whose SM3 is `digest`."""

    at_us: int
    segment: int
    offset: int
    size: int
    kept_as: str
    digest: bytes


class Opened(Struct, frozen=True):
    """First frame of a segment. `peaks` and `sm3_peaks` are those of the two trees over all frames
    before it, the largest first; `sealed` is the SM3 tree's root (empty in the first segment).
    `cipher` tells how the records in this segment are sealed."""

    log: str
    site: str
    node: str
    segment: int
    at_us: int
    sealed: bytes
    cipher: Cipher
    peaks: tuple[bytes, ...]
    sm3_peaks: tuple[bytes, ...]


class Closed(Struct, frozen=True):
    """Last frame of a segment: frames and records in it before this one, and the root of the SM3
    tree over all frames of the log before this one."""

    at_us: int
    frames: int
    records: int
    digest: bytes


class Block(Struct, frozen=True, array_like=True):
    """Statements that passed, with the connections and templates among them that this segment has
    not told before."""

    connections: tuple[Connection, ...]
    templates: tuple[Template, ...]
    briefs: tuple[Brief, ...]


Value = Event | Completed | Loss | Act | Recovered


class Entry(Struct, frozen=True):
    """One record of a log. An event has its own `log` and `seq` set too."""

    log: str
    seq: int
    value: Value
