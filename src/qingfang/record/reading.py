"""Records from a folder of segments, without the service; and their form for other programs.

Rules this module keeps:

1. Reading ends at the last whole frame: what an interrupted write left is for the writer to cut.
2. An event whose end was recorded apart (`Completed`) is given out with its rows, bytes, error and
   time filled in; the apart record is then not given out again.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from qingfang.events import Event
from qingfang.record import codec, frame, segments
from qingfang.record.batch import Item, Opener
from qingfang.record.entries import Completed, Entry

_EVERYTHING: Final = 1 << 63
_CHUNK: Final = 1 << 20


def records(folder: Path, first: int = 1, *, briefs: bool = True) -> Iterator[Entry]:
    """Entries from `first` on. Raises OSError, `KeyGone` and `codec.Unreadable`."""
    ends = _ends(folder, first)
    for entry in _entries(folder, first, briefs=briefs):
        value = entry.value
        if isinstance(value, Completed):
            if value.seq < first:
                yield entry
        elif isinstance(value, Event) and entry.seq in ends:
            yield msgspec.structs.replace(entry, value=complete(value, ends[entry.seq]))
        else:
            yield entry


def complete(event: Event, end: Completed) -> Event:
    return msgspec.structs.replace(
        event,
        rows=end.rows,
        bytes=end.bytes,
        error=end.error,
        took_ms=end.took_ms,
        answered_as=end.answered or event.answered_as,
    )


def as_json(entry: Entry) -> bytes:
    """One line of NDJSON: an event as it is; anything else with `log`, `seq` and `record`, the
    kind of record it is."""
    value = entry.value
    if isinstance(value, Event):
        return msgspec.json.encode(value)
    told = msgspec.to_builtins(value)
    kind = frame.KINDS[codec.kind_of(value)]
    return msgspec.json.encode({"record": kind, "log": entry.log, "seq": entry.seq, **told})


def _ends(folder: Path, first: int) -> dict[int, Completed]:
    found: dict[int, Completed] = {}
    for each in _items(folder, first, 0):
        if each.kind == frame.COMPLETED:
            value = codec.unpack(each.kind, each.content)
            assert isinstance(value, Completed)
            found[value.seq] = value
    return found


def _entries(folder: Path, first: int, *, briefs: bool) -> Iterator[Entry]:
    decoder = codec.Decoder("", first, briefs=briefs)
    for each in _items(folder, first, int(briefs)):
        yield from decoder.feed(each.kind, each.sequence, each.content)


def _items(folder: Path, first: int, back: int) -> Iterator[Item]:
    opener = Opener(folder)
    place = segments.locate(folder, first, back)
    while place is not None and (found := segments.read_on(folder, place, _EVERYTHING, _CHUNK)):
        yield from opener.all(found)
