"""What goes into the ledger comes out of it, and every segment can be read with one before it."""

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qingfang.events import Attributed, Brief, Connection, Event, Meaning, Reason, Template
from qingfang.record import codec, frame
from qingfang.record.entries import Act, Block, Closed, Completed, Loss, Opened, Recovered

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
count = st.integers(0, 2**62)
maybe = st.none() | text


def struct(type_, **fields):
    return st.builds(type_, **fields)


attributed = struct(
    Attributed, value=text, confidence=st.floats(0, 1), because=st.tuples(text, text)
)
meaning = struct(
    Meaning,
    disclosure=st.sampled_from(["none", "clinical", "usage", "opaque"]),
    reasons=st.tuples(struct(Reason, code=text, text=text, start=count, end=count)),
)
event = struct(
    Event,
    connection=text,
    at=text,
    source=st.sampled_from(["gateway", "tap"]),
    protocol=text,
    server=text,
    database=text,
    account=text,
    client=text,
    sql=st.text(st.characters(exclude_categories=["Cs"]), max_size=2000),
    kind=text,
    verdict=st.sampled_from(["pass", "log", "alert", "deny"]),
    operator=st.none() | attributed,
    binds=st.none() | st.lists(maybe, max_size=4).map(tuple),
    meaning=st.none() | meaning,
    reasons=st.lists(text, max_size=3).map(tuple),
)
connection = struct(
    Connection,
    id=text,
    site=text,
    node=text,
    source=st.just("gateway"),
    protocol=text,
    server=text,
    client=text,
    opened_us=count,
)
template = struct(Template, digest=st.binary(min_size=32, max_size=32), dialect=text, text=text)
brief = struct(
    Brief,
    connection=text,
    at_us=count,
    template=st.binary(min_size=32, max_size=32),
    kind=text,
    literals=st.lists(text, max_size=4).map(tuple),
    binds=st.none() | st.lists(maybe, max_size=4).map(tuple),
    rows=st.integers(-1, 2**40),
    error=maybe,
    operator=maybe,
)
value = st.one_of(
    event,
    struct(Completed, seq=count, rows=st.none() | count, bytes=st.none() | count, error=maybe),
    struct(
        Loss,
        source=text,
        kinds=st.dictionaries(text, count, max_size=3),
        from_us=count,
        to_us=count,
        why=text,
    ),
    struct(Act, at_us=count, what=text, who=text, details=st.dictionaries(text, text, max_size=3)),
    struct(
        Recovered,
        at_us=count,
        segment=count,
        offset=count,
        size=count,
        kept_as=text,
        digest=st.binary(max_size=32),
    ),
    struct(
        Opened,
        log=text,
        site=text,
        node=text,
        segment=count,
        at_us=count,
        sealed=st.binary(max_size=32),
    ),
    struct(Closed, at_us=count, frames=count, records=count, digest=st.binary(max_size=32)),
    struct(
        Block,
        connections=st.lists(connection, max_size=2).map(tuple),
        templates=st.lists(template, max_size=2).map(tuple),
        briefs=st.lists(brief, max_size=20).map(tuple),
    ),
)


@given(value, st.binary(min_size=8, max_size=8), st.integers(0, 2**64 - 1))
def test_round_trip(given_value, origin: bytes, batch: int) -> None:
    content = codec.pack(given_value, codec.token(origin, batch))
    assert codec.unpack(codec.kind_of(given_value), content) == given_value
    assert codec.token_of(content) == (origin, batch)


@given(st.sampled_from(sorted(frame.KINDS)), st.binary(max_size=200), st.sampled_from([0, 1]))
def test_garbage_is_unreadable_and_nothing_else(kind: int, data: bytes, form: int) -> None:
    with contextlib.suppress(codec.Unreadable):
        codec.unpack(kind, codec.NO_TOKEN + bytes([form]) + data)


def test_a_cut_off_or_exploding_content_is_unreadable() -> None:
    content = codec.pack(Act(1, "sign-in", "1024", details={"x": "y" * 500}))
    with pytest.raises(codec.Unreadable):
        codec.unpack(frame.ACT, content[:-3])


CONNECTION = Connection(
    "c1",
    "hospital",
    "node-1",
    "gateway",
    "pg",
    "10.0.0.9:5432",
    "10.1.2.3:50211",
    1,
    database="his",
    account="app",
    program="门诊医生站",
)
TEMPLATE = Template(b"t" * 32, "postgres", "select * from rx where patient = ? and day > ?")


def note(number: int, **other) -> tuple[Brief, Connection, Template]:
    fields = {
        "connection": "c1",
        "at_us": 1_795_440_000_000_000 + number,
        "template": TEMPLATE.digest,
        "kind": "query",
        "literals": (str(number), "'2026-11-23'"),
        "rows": 1,
        "took_us": 1500,
        "operator": "1024",
    }
    return Brief(**{**fields, **other}), CONNECTION, TEMPLATE


def test_a_brief_becomes_the_event_it_stands_for() -> None:
    found = codec.expand(*note(7), log="hospital/node-1/ab", seq=12)
    assert found.sql == "select * from rx where patient = 7 and day > '2026-11-23'"
    assert found.at == "2026-11-23T21:20:00.000007+08:00"
    assert (found.verdict, found.program, found.client) == ("pass", "门诊医生站", "10.1.2.3:50211")
    assert (found.rows, found.bytes, found.took_ms) == (1, None, 1.5)
    assert found.operator is not None and found.operator.value == "1024"
    assert (found.log, found.seq, found.fingerprint) == (
        "hospital/node-1/ab",
        12,
        TEMPLATE.digest.hex(),
    )


def test_what_is_not_known_stays_empty() -> None:
    brief, _connection, _template = note(7)
    found = codec.expand(brief, None, None, "log", 1)
    assert (found.sql, found.client, found.account) == ("", "", "")
    assert codec.fill(TEMPLATE, ("only one",)) == TEMPLATE.text


MARK = codec.token(b"12345678", 1)
OPENED = codec.pack(Opened("log", "s", "n", 1, 1, b"", "sm4-gcm", (), ()))


def decoded(*frames: tuple[int, int, bytes], first: int = 0):
    decoder = codec.Decoder("", first)
    return [entry for one in frames for entry in decoder.feed(*one)]


def test_connections_and_templates_are_told_once_a_segment() -> None:
    packer = codec.Packer()
    packer.at_segment(1)
    one = codec.unpack(frame.BLOCK, packer.pack([note(1), note(2)], MARK))
    two = codec.unpack(frame.BLOCK, packer.pack([note(3)], MARK))
    packer.at_segment(2)
    three = codec.unpack(frame.BLOCK, packer.pack([note(4)], MARK))
    assert [len(b.connections) for b in (one, two, three)] == [1, 0, 1]
    assert [len(b.templates) for b in (one, two, three)] == [1, 0, 1]


def test_newer_facts_of_a_connection_are_told_again() -> None:
    packer = codec.Packer()
    signed_in = msgspec.structs.replace(CONNECTION, account="dba")
    first = packer.pack([note(1)], MARK)
    later = packer.pack([(note(2)[0], signed_in, TEMPLATE)], MARK)
    entries = decoded((frame.SEGMENT, 1, OPENED), (frame.BLOCK, 1, first), (frame.BLOCK, 2, later))
    assert [e.value.account for e in entries] == ["app", "dba"]


def test_a_segment_is_read_with_the_one_before_it_and_no_more() -> None:
    packer = codec.Packer()
    told, relying, late = (packer.pack([note(n)], MARK) for n in (1, 2, 3))
    entries = decoded(
        (frame.SEGMENT, 1, OPENED),
        (frame.BLOCK, 1, told),
        (frame.SEGMENT, 2, OPENED),
        (frame.BLOCK, 2, relying),
        (frame.SEGMENT, 3, OPENED),
        (frame.BLOCK, 3, late),
    )
    assert [bool(e.value.sql) for e in entries] == [True, True, False]


def test_entries_before_the_first_wanted_are_taken_in_only() -> None:
    packer = codec.Packer()
    block = packer.pack([note(n) for n in range(5)], MARK)
    act = codec.pack(Act(1, "sign-in", "1024"), MARK)
    entries = decoded(
        (frame.SEGMENT, 1, OPENED), (frame.BLOCK, 1, block), (frame.ACT, 6, act), first=4
    )
    assert [e.seq for e in entries] == [4, 5, 6]
    assert entries[0].value.sql
