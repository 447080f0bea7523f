"""Frames of many connections to their decoders."""

from __future__ import annotations

from qingfang.events import Connection
from qingfang.sense.tap.encryption import SSL_REQUEST, Blind
from qingfang.sense.tap.flows import IDLE_US, Flows
from tests.support.frames import ACK, RST, SYN, T0, Talk, ethernet, ipv4, tcp

ETHERNET = 1
HELLO = b"\x16\x03\x01\x00\x31\x01\x00\x00\x2d\x03\x03" + b"r" * 32 + b"\0\0\2\x13\x01\1\0\0\0"
SERVER_HELLO = b"\x16\x03\x03\x00\x2a\x02\x00\x00\x26\x03\x03" + b"r" * 32 + b"\0\x13\x01\0"


class Bytes:
    """What the decoder of one connection was given."""

    def __init__(self, connection: Connection, midstream: bool) -> None:
        self.connection, self.midstream = connection, midstream
        self.client, self.server = b"", b""
        self.gaps: list[tuple[bool, int]] = []
        self.conflicts: list[tuple[bool, int]] = []
        self.over = False


class _Consumer:
    def __init__(self, talk: Bytes) -> None:
        self._talk = talk

    def client(self, data: bytes, at_us: int) -> None:
        self._talk.client += data

    def server(self, data: bytes, at_us: int) -> None:
        self._talk.server += data

    def gap(self, from_client: bool, size: int, at_us: int) -> None:
        self._talk.gaps.append((from_client, size))

    def conflict(self, from_client: bool, size: int, at_us: int) -> None:
        self._talk.conflicts.append((from_client, size))

    def end(self, at_us: int) -> None:
        assert not self._talk.over
        self._talk.over = True


class Recorder:
    """An observer that keeps everything."""

    def __init__(self) -> None:
        self.talks: list[Bytes] = []
        self.blinds: list[tuple[Connection, Blind]] = []

    def opened(self, connection: Connection, midstream: bool) -> _Consumer:
        self.talks.append(Bytes(connection, midstream))
        return _Consumer(self.talks[-1])

    def blind(self, connection: Connection, blind: Blind, at_us: int) -> None:
        self.blinds.append((connection, blind))


class Wire:
    """Frames go in one millisecond apart."""

    def __init__(self, *ports: int) -> None:
        self.recorder = Recorder()
        self.flows = Flows(
            dict.fromkeys(ports or (5432,), "pg"),
            self.recorder,
            source="tap",
            site="site",
            node="node-1",
            prefix="n1-",
        )
        self.now = T0

    def see(self, *frames: bytes | list[bytes], after_us: int = 1000) -> Wire:
        for item in frames:
            for frame in item if isinstance(item, list) else [item]:
                self.now += after_us
                self.flows.frame(self.now, ETHERNET, len(frame), frame)
        return self

    @property
    def talks(self) -> list[Bytes]:
        return self.recorder.talks


def test_a_connection_from_hello_to_goodbye() -> None:
    talk = Talk()
    wire = Wire().see(talk.handshake())
    assert wire.talks == []
    wire.see(talk.client(b"select 1"), talk.server(b"row"), talk.goodbye())
    (seen,) = wire.talks
    assert (seen.client, seen.server, seen.midstream, seen.over) == (
        b"select 1",
        b"row",
        False,
        True,
    )
    assert seen.connection == Connection(
        id="n1-1",
        site="site",
        node="node-1",
        source="tap",
        protocol="pg",
        server="192.0.2.1:5432",
        client="192.0.2.10:40000",
        opened_us=T0 + 1000,
    )
    counts = wire.flows.counts()
    assert (counts.packets, counts.connections, counts.delivered_bytes) == (8, 1, 11)


def test_ipv6_and_vlan() -> None:
    talk = Talk(("2001:db8::10", 40000), ("2001:db8::1", 5432), tags=(3, 4))
    wire = Wire().see(talk.handshake(), talk.client(b"a"), talk.server(b"b"))
    assert wire.talks[0].connection.client == "[2001:db8::10]:40000"
    assert wire.talks[0].connection.server == "[2001:db8::1]:5432"


def test_joined_midway_from_either_side() -> None:
    one, two = Talk(), Talk(("192.0.2.11", 40000))
    wire = Wire().see(one.frame(0), one.client(b"select"), one.server(b"row"))
    wire.see(two.server(b"row"), two.client(b"select"))
    assert [(t.client, t.server, t.midstream) for t in wire.talks] == [
        (b"select", b"row", True)
    ] * 2
    assert wire.talks[1].connection.client == "192.0.2.11:40000"
    assert wire.flows.counts().midstream_connections == 2


def test_a_scan_is_no_connection() -> None:
    wire = Wire()
    for n in range(100):
        wire.see(Talk(("192.0.2.9", 1000 + n)).frame(0, SYN))
    assert wire.flows.counts().connections == 0
    wire.flows.finish(wire.now)
    assert wire.talks == []


def test_a_port_used_again() -> None:
    first, second = Talk(), Talk(isn=(700_000, 800_000))
    wire = Wire().see(first.handshake(), first.client(b"one"))
    wire.see(second.handshake(), second.client(b"two"))
    assert [(t.client, t.midstream, t.over) for t in wire.talks] == [
        (b"one", False, True),
        (b"two", False, False),
    ]
    third = Talk(isn=(5, 6))
    wire.see(second.goodbye(), third.handshake(), third.client(b"three"))
    assert [t.client for t in wire.talks] == [b"one", b"two", b"three"]
    assert wire.flows.counts().lost_bytes == 0


def test_a_syn_without_the_servers_agreement_ends_nothing() -> None:
    talk, forged = Talk(), Talk(isn=(99, 0))
    wire = Wire().see(talk.handshake(), talk.client(b"one "), talk.server(b"ok"))
    wire.see(forged.frame(0, SYN), talk.server(b""), talk.client(b"two"), talk.server(b"ok"))
    (seen,) = wire.talks
    assert (seen.client, seen.server, seen.over) == (b"one two", b"okok", False)
    near = Talk(isn=(talk.seq[0] - 1000, 0))
    wire.see(near.frame(0, SYN), talk.client(b" three"), talk.server(b"ok"))
    assert seen.client == b"one two three"


def test_a_port_used_again_when_the_servers_agreement_was_missed() -> None:
    first, second = Talk(), Talk(isn=(700_000_000, 800_000))
    wire = Wire().see(first.handshake(), first.client(b"one"))
    hello = second.handshake()
    wire.see(hello[0], hello[2], second.client(b"two"), second.server(b"ok"))
    wire.see([Talk(("192.0.2.99", 1)).frame(0)] * 4000, second.client(b"more"))
    assert [(t.client, t.server, t.gaps) for t in wire.talks] == [
        (b"one", b"", []),
        (b"more", b"ok", [(True, 3)]),
    ]


def test_a_repeated_syn_and_the_tail_of_a_connection_make_no_new_one() -> None:
    talk = Talk()
    hello = talk.handshake()
    last = talk.client(b"bye")
    goodbye = talk.goodbye()
    wire = Wire().see(hello, hello[:2], last, goodbye, last, goodbye)
    assert [t.client for t in wire.talks] == [b"bye"]
    assert wire.flows.counts().connections == 1


def test_a_connection_that_goes_on_after_a_reset_is_seen_on() -> None:
    talk = Talk()
    wire = Wire().see(talk.handshake(), talk.client(b"one"))
    reset = tcp(40000, 5432, talk.seq[0], talk.seq[1], RST | ACK)
    wire.see(ethernet(ipv4("192.0.2.10", "192.0.2.1", reset)), talk.client(b"two"))
    assert [(t.client, t.midstream) for t in wire.talks] == [(b"one", False), (b"two", True)]


def test_encrypted_connections_are_told_once_and_not_followed() -> None:
    talk = Talk()
    wire = Wire().see(talk.handshake(), talk.client(SSL_REQUEST), talk.server(b"S"))
    wire.see(talk.client(HELLO), talk.server(SERVER_HELLO))
    for _n in range(50):
        wire.see(talk.client(b"\x17\x03\x03\x00\x05abcde"), talk.server(b"x" * 1000))
    wire.see(talk.goodbye())
    assert wire.talks == []
    ((connection, blind),) = wire.recorder.blinds
    assert (connection.client, blind) == ("192.0.2.10:40000", Blind("tls", "TLS 1.2"))
    counts = wire.flows.counts()
    assert (counts.encrypted_connections, counts.connections, counts.lost_bytes) == (1, 1, 0)


def test_an_encryption_request_that_is_refused_reaches_the_decoder_whole() -> None:
    talk = Talk()
    wire = Wire().see(talk.handshake(), talk.client(SSL_REQUEST), talk.server(b"N"))
    wire.see(talk.client(b"\0\0\0\x09\0\3\0\0\0"))
    assert wire.talks[0].client == SSL_REQUEST + b"\0\0\0\x09\0\3\0\0\0"
    assert wire.talks[0].server == b"N"


def test_loss_is_told_in_its_place_and_counted() -> None:
    talk = Talk()
    wire = Wire().see(talk.handshake(), talk.client(b"one"), talk.server(b"ok"))
    talk.client(b"lost")
    wire.see(talk.client(b"two"), talk.server(b"ok"))
    wire.see([Talk(("192.0.2.99", 1)).frame(0)] * 200)  # other packets only move the time
    (seen,) = wire.talks
    assert (seen.client, seen.server, seen.gaps) == (b"onetwo", b"okok", [(True, 4)])
    assert wire.flows.counts().lost_bytes == 4


def test_loss_in_the_first_bytes() -> None:
    talk = Talk()
    wire = Wire().see(talk.handshake())
    talk.client(b"lost")
    wire.see(talk.client(b"two"), talk.server(b"ok"), talk.goodbye())
    wire.see([Talk(("192.0.2.99", 1)).frame(0)] * 200)
    (seen,) = wire.talks
    assert (seen.client, seen.gaps, seen.over) == (b"two", [(True, 4)], True)


def test_conflicting_copies_are_told() -> None:
    talk = Talk()
    wire = Wire().see(talk.handshake())
    lie = Talk(isn=(talk.seq[0], talk.seq[1]))
    wire.see(talk.client(b"select 1"), lie.client(b"select 2"))
    assert wire.talks[0].conflicts == [(True, 1)]
    assert wire.flows.counts().conflicting_bytes == 1


def test_silent_connections_end() -> None:
    talk, other = Talk(), Talk(("192.0.2.11", 40000))
    wire = Wire().see(talk.handshake(), talk.client(b"one"))
    wire.see(other.handshake(), other.client(b"two"), after_us=IDLE_US // 8)
    assert [t.over for t in wire.talks] == [False, False]
    wire.see(other.client(b"two"), after_us=IDLE_US)
    assert [t.over for t in wire.talks] == [True, False]


def test_at_most_so_many_connections() -> None:
    wire = Wire()
    wire.flows = Flows({5432: "pg"}, wire.recorder, source="tap", max_flows=20)
    talks = [Talk(("192.0.2.10", 1000 + n)) for n in range(15)]
    for talk in talks:
        wire.see(talk.handshake(), talk.client(b"x"))
    for n in range(100):
        wire.see(Talk(("192.0.2.9", 1000 + n)).frame(0, SYN))
    assert len(wire.flows._from_client) <= 20
    assert not any(t.over for t in wire.talks)  # the scan pushed out only itself
    assert wire.flows.counts().evicted >= 90


def test_other_traffic_is_named_by_port() -> None:
    wire = Wire(1521).see(Talk().handshake())
    assert wire.flows.other_ports == {40000: 3, 5432: 3}
    assert wire.flows.counts().segments == 0


def test_servers_that_are_clients_of_each_other() -> None:
    talk = Talk(("192.0.2.1", 1521), ("192.0.2.2", 5432))
    wire = Wire(5432, 1521).see(talk.handshake(), talk.client(b"q"), talk.server(b"a"))
    (seen,) = wire.talks
    assert (seen.client, seen.server, seen.connection.server) == (b"q", b"a", "192.0.2.2:5432")
