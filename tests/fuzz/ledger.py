"""Hostile bytes for the ledger: in its files, and from those who append to it.

What was damaged is never read as something else: a walk gives frames as they were written, up to
the damage. What a client may append can be read back by everybody, or is refused at once.
"""

import atexit
import datetime
import functools
import random
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from qingfang.events import Brief, Connection, Event, Template
from qingfang.record import batch, codec, frame, protocol, segments, service, verify
from qingfang.record.chain import Chain
from qingfang.record.entries import Act, Block, Closed, Completed, Loss, Opened
from qingfang.record.keys import Keys, SegmentKey
from tests.fuzz import _mutate

_AT = 1_790_000_000_000_000
_MARK = codec.token(b"12345678", 1)
_CONNECTION = Connection("c1", "h", "n", "gateway", "pg", "10.0.0.5:5432", "10.1.1.1:5000", _AT)
_TEMPLATE = Template(b"t" * 32, "postgres", "select a from t where b = ? and c = '?'")
_BRIEF = Brief("c1", _AT, b"t" * 32, "query", ("1", "'x'"), ("7", None), 100, 1, 20, None, "1001")
_EVENT = Event(
    connection="c1",
    at="2026-11-23T08:00:00.000000+08:00",
    source="gateway",
    protocol="pg",
    server="10.0.0.5:5432",
    database="his",
    account="app",
    client="10.1.1.1:5000",
    sql="SELECT 1",
    kind="query",
    verdict="alert",
)
_SENT: tuple[Any, ...] = (
    _EVENT,
    Block((_CONNECTION,), (_TEMPLATE,), (_BRIEF, _BRIEF)),
    Completed(1, 5, 100, None, 1.5),
    Loss("gateway/main", {"brief": 3}, _AT, _AT + 5, "磁盘已满"),
    Act(_AT, "sign-in", "1001", details={"a": "b"}),
)


_SECRET = bytes(range(32))


def _frames() -> list[bytes]:
    """A segment as a writer leaves it: opened, some records, closed."""
    chain = Chain()
    made: list[bytes] = []
    key = SegmentKey(_SECRET, "sm4-gcm")

    def put(value: Any, count: int) -> None:
        content = codec.pack(value, _MARK)
        kind = codec.kind_of(value)
        salt, commitment = bytes(16), frame.NO_COMMITMENT
        if kind not in (frame.SEGMENT, frame.CLOSE):
            made_of = batch.make([batch.Draft(kind, count, content)], chain.sequence, key, salt)
            commitment = made_of.commitment
            place = (chain.number, chain.sequence, count, frame.BATCH, chain.head)
            content = key.seal(salt, frame.body(*place, commitment), made_of.plain)
            kind = frame.BATCH
        place = (1, chain.number, chain.sequence, count, kind, chain.head)
        made.append(frame.encode(*place, content, salt, commitment))
        chain.take(made[-1], count)

    put(Opened("h/n", "h", "n", 1, _AT, b"", "sm4-gcm", (), ()), 0)
    for value in _SENT:
        put(value, len(value.briefs) if isinstance(value, Block) else 1)
    put(Closed(_AT, len(made), 6, chain.sm3_root()), 0)
    return made


_FRAMES = _frames()
_SEGMENT = b"".join(_FRAMES)
_ENDS = {sum(len(f) for f in _FRAMES[: n + 1]) for n in range(len(_FRAMES))}


@functools.cache
def _folder() -> Path:
    made = tempfile.TemporaryDirectory(prefix="qingfang-fuzz-")
    atexit.register(made.cleanup)
    keys = Keys(Path(made.name))
    keys.path(1).parent.mkdir()
    keys.path(1).write_bytes(_SECRET)
    return Path(made.name)


def _damaged(rng: random.Random, *, whole: bool) -> None:
    data = _mutate.octets(rng, _SEGMENT)
    same = next((n for n, (a, b) in enumerate(zip(data, _SEGMENT, strict=False)) if a != b), None)
    if same is None:
        same = min(len(data), len(_SEGMENT))
    sound = max((end for end in _ENDS if end <= same), default=0)
    path = _folder() / segments.name(1)
    path.write_bytes(data)
    walk = segments.Walk(path, 1, Chain())
    opener = batch.Opener(_folder())
    walked = [
        codec.unpack(item.kind, item.content) for found in walk for item in opener.items(found)
    ]
    assert walk.end == sound, f"read to {walk.end}, sound to {sound}"
    assert len(walked) == sum(1 for end in _ENDS if end <= sound)
    if whole:
        segments.first_of(path, 1)
        report = verify.verify(_folder())
        assert report.ok == (sound == len(data) and sound > 0), report.problem


def _appended(rng: random.Random) -> None:
    value = rng.choice(_SENT)
    kind = codec.kind_of(value)
    count = len(value.briefs) if isinstance(value, Block) else 1
    content = codec.pack(value, _MARK)
    match rng.randrange(3):
        case 0:
            content = _mutate.octets(rng, content)
        case 1:
            tree = _mutate.document(rng, msgspec.msgpack.decode(msgspec.msgpack.encode(value)))
            content = _MARK + codec.PLAIN + msgspec.msgpack.encode(tree)
    request = protocol.Append(kind, count, 1, 1, 0, 1, "gateway/main", content)
    payload = protocol.encode_append(request)
    if rng.random() < 0.4:
        payload = _mutate.octets(rng, payload)
    try:
        request = protocol.decode_append(payload)
        service.check(request)
    except (ValueError, codec.Unreadable):
        return
    # It is stored, so every reader must be able to read it, for ever.
    decoder = codec.Decoder("h/n", 1)
    entries = list(decoder.feed(request.kind, 1, request.content))
    assert len(entries) == request.count
    for entry in entries:
        msgspec.json.encode(entry)
        if isinstance(entry.value, Event):
            datetime.datetime.fromisoformat(entry.value.at).astimezone(datetime.UTC)


def attack(seed: int) -> None:
    rng = random.Random(seed)
    if seed % 2:
        _appended(rng)
    else:
        _damaged(rng, whole=seed % 20 == 0)
