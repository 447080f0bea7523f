"""The connections seen by a tap: each gets its frames in order to a decoder, or is reported blind.

Sans-IO: frames with their times come in; an `Observer` is told of connections and gives the
consumers of their bytes. The protocol of a connection is that of its server's port.

Rules this module keeps:

1. A connection counts from its first byte of payload; a bare SYN, a scan, is none.
2. A SYN does not end a connection that is alive: only the server's agreement to it does (anybody
   can send a SYN, and forgetting who signed in would be what he wants).
3. A connection without a packet for `IDLE_US` is over: even idle ones send a keepalive every two
   hours.
4. At most `max_flows` are kept; beyond it some are ended, counted in `evicted`: first those that
   carried nothing yet, then those silent longest.
5. Nothing of an encrypted connection is reassembled; it is counted, and told once.
"""

from __future__ import annotations

import heapq
import socket
from collections.abc import Mapping
from typing import Final, Protocol

from msgspec import Struct

from qingfang.events import Connection, Source
from qingfang.sense.tap.encryption import CLEAR, ENCRYPTED, Blind, Sniffer
from qingfang.sense.tap.packets import ACK, FIN, MALFORMED, RST, SEGMENT, SYN, Packets
from qingfang.sense.tap.pcapfile import CaptureFile
from qingfang.sense.tap.reassembly import REORDER_US, Budget, Consumer, Conversation

IDLE_US: Final = 9_000_000_000
MAX_FLOWS: Final = 65_536
_EMBRYONIC_US: Final = 60_000_000
_FIRST_BYTES: Final = 64 * 1024
_FAR_AWAY: Final = 16 * 1024 * 1024
_LINGER_US: Final = 30_000_000
_SWEEP_US: Final = 10_000_000
_TICK_US: Final = REORDER_US // 2


class Observer(Protocol):
    """Who is told of connections. Calls come in the order of the wire."""

    def opened(self, connection: Connection, midstream: bool) -> Consumer:
        """A connection in clear; `midstream`: its beginning was not seen. Gives who decodes it."""
        ...

    def blind(self, connection: Connection, blind: Blind, at_us: int) -> None:
        """A connection that cannot be read."""
        ...


class Counts(Struct, frozen=True):
    """What a tap has seen so far. Bytes of encrypted connections are not in the byte counts."""

    packets: int = 0
    segments: int = 0
    malformed: int = 0
    cut: int = 0
    """Segments shortened by the snap length."""
    fragments: int = 0
    fragments_lost: int = 0
    connections: int = 0
    midstream_connections: int = 0
    encrypted_connections: int = 0
    evicted: int = 0
    delivered_bytes: int = 0
    lost_bytes: int = 0
    retransmitted_bytes: int = 0
    conflicting_bytes: int = 0
    """Bytes that came twice with different content: a sign of evasion."""
    reordered_segments: int = 0


class _Silence:
    """The consumer of a connection that cannot be read."""

    def client(self, data: bytes, at_us: int) -> None:
        pass

    def server(self, data: bytes, at_us: int) -> None:
        pass

    def gap(self, from_client: bool, size: int, at_us: int) -> None:
        pass

    def conflict(self, from_client: bool, size: int, at_us: int) -> None:
        pass

    def end(self, at_us: int) -> None:
        pass


class _Head:
    """The consumer of a connection's first bytes, until it is known whether they can be read."""

    def __init__(self, flows: Flows, flow: Flow) -> None:
        self._flows = flows
        self._flow = flow
        self._sniffer = Sniffer(flow.midstream)
        self._kept: list[tuple[bool, bytes, int]] = []

    def client(self, data: bytes, at_us: int) -> None:
        self._feed(True, data, at_us)

    def server(self, data: bytes, at_us: int) -> None:
        self._feed(False, data, at_us)

    def _feed(self, from_client: bool, data: bytes, at_us: int) -> None:
        self._kept.append((from_client, data, at_us))
        self._decide(self._sniffer.feed(from_client, data), at_us)

    def gap(self, from_client: bool, size: int, at_us: int) -> None:
        if self._decide(self._sniffer.give_up(), at_us) is not None:
            self._flow.conversation.consumer.gap(from_client, size, at_us)

    def conflict(self, from_client: bool, size: int, at_us: int) -> None:
        if self._decide(self._sniffer.give_up(), at_us) is not None:
            self._flow.conversation.consumer.conflict(from_client, size, at_us)

    def end(self, at_us: int) -> None:
        if self._kept and self._decide(self._sniffer.give_up(), at_us) is not None:
            self._flow.conversation.consumer.end(at_us)

    def _decide(self, state: int, at_us: int) -> Consumer | None:
        if state == CLEAR:
            consumer = self._flows.open(self._flow)
            for from_client, data, when in self._kept:
                if from_client:
                    consumer.client(data, when)
                else:
                    consumer.server(data, when)
            return consumer
        if state == ENCRYPTED and self._sniffer.blind is not None:
            self._flows.hide(self._flow, self._sniffer.blind, at_us)
        return None


class Flow:
    """One connection between a client's address and port and a server's."""

    def __init__(self, key: bytes, connection: Connection, midstream: bool, vlan: int) -> None:
        self.key = key  # as the client's packets carry it
        self.connection = connection
        self.midstream = midstream
        self.vlan = vlan
        self.client_isn = -1
        self.candidate_isn = -1
        self.counted = False
        self.encrypted = False
        self.fins = 0
        self.over = False
        self.last_us = connection.opened_us
        self.conversation: Conversation = None  # type: ignore[assignment]


class Flows:
    """All connections towards `ports` (port → protocol). `frame` takes a captured frame, `tick`
    the time when there was none, `finish` ends all."""

    def __init__(
        self,
        ports: Mapping[int, str],
        observer: Observer,
        *,
        source: Source,
        site: str = "",
        node: str = "",
        route: str = "",
        prefix: str = "",
        budget: Budget | None = None,
        max_flows: int = MAX_FLOWS,
    ) -> None:
        self._ports = dict(ports)
        self._observer = observer
        self._source: Source = source
        self._site, self._node, self._route, self._prefix = site, node, route, prefix
        self._budget = budget or Budget()
        self._max_flows = max_flows
        self._parser = Packets()
        self._from_client: dict[bytes, Flow] = {}
        self._from_server: dict[bytes, Flow] = {}
        self._waiting: dict[bytes, Flow] = {}
        self._number = 0
        self._next_tick_us = 0
        self._next_sweep_us = 0
        self.packets = 0
        self._segments = 0
        self._malformed = 0
        self._cut = 0
        self._connections = 0
        self._midstream = 0
        self._encrypted = 0
        self._evicted = 0
        self._past = [0, 0, 0, 0, 0]  # byte counts of connections that are over
        self.other_ports: dict[int, int] = {}
        """Port → segments, of TCP traffic from and to no port of ours (the first 1000 ports)."""

    # -------------------------------------------------------------- in

    def frame(self, at_us: int, link: int, wire: int, data: bytes, vlan: int = -1) -> None:
        """Takes one frame; `vlan` is the tag that the kernel took off, if it did."""
        self.packets += 1
        if at_us >= self._next_tick_us:
            self.tick(at_us)
        parser = self._parser
        what = parser.parse(link, data, wire, at_us)
        if what != SEGMENT:
            if what == MALFORMED:
                self._malformed += 1
            return
        if parser.target_port in self._ports:
            from_client = True
            flow = self._from_client.get(parser.key)
            if flow is None and parser.source_port in self._ports:
                flow = self._from_server.get(parser.key)
                from_client = flow is None and self._looks_like_client(parser)
        elif parser.source_port in self._ports:
            from_client = False
            flow = self._from_server.get(parser.key)
        else:
            self._foreign(parser)
            return
        self._segments += 1
        if parser.length > len(parser.payload):
            self._cut += 1
        if flow is None or parser.flags & SYN or flow.over or flow.candidate_isn >= 0:
            flow = self._admit(flow, from_client, parser, at_us, vlan)
            if flow is None:
                return
        flow.last_us = at_us
        if flow.encrypted:
            self._pass_by(flow, from_client, parser.flags, at_us)
            return
        conversation = flow.conversation
        conversation.segment(
            from_client,
            parser.seq,
            parser.ack,
            parser.flags,
            parser.payload,
            parser.length,
            at_us,
        )
        if conversation.waiting:
            self._waiting[flow.key] = flow
        if conversation.closed:
            self._close(flow)

    def read(self, file: CaptureFile) -> None:
        """Takes all frames of a file, and ends."""
        at_us = 0
        for at_us, link, wire, data in file:
            self.frame(at_us, link, wire, data)
        self.finish(at_us)

    def tick(self, at_us: int) -> None:
        """Settles what has waited its time, and ends what was silent too long."""
        self._next_tick_us = at_us + _TICK_US
        if self._waiting:
            for flow in list(self._waiting.values()):
                flow.conversation.tick(at_us)
                if flow.conversation.closed:
                    self._close(flow)
                elif not flow.conversation.waiting:
                    self._waiting.pop(flow.key, None)
        if at_us >= self._next_sweep_us:
            self._next_sweep_us = at_us + _SWEEP_US
            for flow in list(self._from_client.values()):
                silent = at_us - flow.last_us
                limit = _LINGER_US if flow.over else IDLE_US if flow.counted else _EMBRYONIC_US
                if silent > limit:
                    self._drop(flow, at_us)

    def finish(self, at_us: int) -> None:
        """Ends every connection; the counts are final then."""
        for flow in list(self._from_client.values()):
            self._drop(flow, max(at_us, flow.last_us))

    def counts(self) -> Counts:
        total = list(self._past)
        for flow in self._from_client.values():
            if not flow.over:
                _add(total, flow)
        return Counts(
            packets=self.packets,
            segments=self._segments,
            malformed=self._malformed,
            cut=self._cut,
            fragments=self._parser.fragments,
            fragments_lost=self._parser.fragments_lost + self._parser.fragments_conflicting,
            connections=self._connections,
            midstream_connections=self._midstream,
            encrypted_connections=self._encrypted,
            evicted=self._evicted,
            delivered_bytes=total[0],
            lost_bytes=total[1],
            retransmitted_bytes=total[2],
            conflicting_bytes=total[3],
            reordered_segments=total[4],
        )

    # -------------------------------------------------------------- connections

    def open(self, flow: Flow) -> Consumer:
        """The connection is in clear: asks the observer who decodes it."""
        self._count(flow)
        consumer = self._observer.opened(flow.connection, flow.midstream)
        flow.conversation.consumer = consumer
        return consumer

    def hide(self, flow: Flow, blind: Blind, at_us: int) -> None:
        """The connection is encrypted: tells the observer, and stops putting it in order."""
        self._count(flow)
        self._encrypted += 1
        flow.encrypted = True
        flow.conversation.consumer = _Silence()
        self._observer.blind(flow.connection, blind, at_us)

    def _count(self, flow: Flow) -> None:
        flow.counted = True
        self._connections += 1
        if flow.midstream:
            self._midstream += 1

    def _looks_like_client(self, parser: Packets) -> bool:
        """Both ports are servers' ports: who began, else who has the higher port, is the client."""
        if parser.flags & SYN:
            return not parser.flags & ACK
        return parser.source_port >= parser.target_port

    def _admit(
        self, flow: Flow | None, from_client: bool, parser: Packets, at_us: int, vlan: int
    ) -> Flow | None:
        """The connection that a packet belongs to when it is not simply the one with its key;
        None when it belongs to none."""
        flags = parser.flags
        if flow is not None and not flow.over:
            if flags & SYN and from_client and not flags & ACK:
                if parser.seq != flow.client_isn:
                    flow.candidate_isn = parser.seq
                    return None
                return flow
            if flow.candidate_isn >= 0:
                # The server's answer tells whether the new SYN was taken.
                number = parser.seq if from_client else parser.ack
                old = flow.conversation.to_server
                ahead = (number - flow.candidate_isn) & 0xFFFFFFFF
                fresh_number = (
                    1 <= ahead <= _FIRST_BYTES and abs(old.at(number) - old.position) > _FAR_AWAY
                )
                if from_client:
                    return None if fresh_number else flow
                if flags & ACK and (fresh_number or (flags & SYN and ahead == 1)):
                    isn = flow.candidate_isn
                    self._drop(flow, at_us)
                    fresh = self._new(from_client, parser, False, at_us, vlan)
                    fresh.client_isn = isn
                    fresh.conversation.to_server.start((isn + 1) & 0xFFFFFFFF)
                    return fresh
                if flags & ACK and not flags & SYN:
                    flow.candidate_isn = -1
            return flow
        begins = bool(flags & SYN) and not flags & RST
        if flow is not None:
            late = flow.conversation.to_server if from_client else flow.conversation.to_client
            if not begins and (
                not parser.length or late.at(parser.seq) < late.position or flags & RST
            ):
                return None  # the tail of what is over
            self._drop(flow, at_us)
        elif not begins and (not parser.length or flags & RST):
            return None
        fresh = self._new(from_client, parser, not begins, at_us, vlan)
        if begins and from_client:
            fresh.client_isn = parser.seq
        return fresh

    def _new(
        self, from_client: bool, parser: Packets, midstream: bool, at_us: int, vlan: int
    ) -> Flow:
        if len(self._from_client) >= self._max_flows:
            some = self._max_flows // 256 + 1  # many at once: looking for them takes time
            for old in heapq.nsmallest(some, self._from_client.values(), key=_worth):
                self._evicted += 1
                self._drop(old, at_us)
        source, target, back = _ends(parser.key)
        client, server = (source, target) if from_client else (target, source)
        port = parser.target_port if from_client else parser.source_port
        self._number += 1
        connection = Connection(
            id=f"{self._prefix}{self._number}",
            site=self._site,
            node=self._node,
            source=self._source,
            protocol=self._ports[port],
            server=server,
            client=client,
            opened_us=at_us,
            route=self._route,
        )
        key = parser.key if from_client else back
        flow = Flow(key, connection, midstream, vlan if vlan >= 0 else parser.vlan)
        flow.conversation = Conversation(_Head(self, flow), self._budget)
        self._from_client[key] = flow
        self._from_server[back if from_client else parser.key] = flow
        return flow

    def _pass_by(self, flow: Flow, from_client: bool, flags: int, at_us: int) -> None:
        if flags & FIN:
            flow.fins |= 1 if from_client else 2
        if flags & RST or flow.fins == 3:
            flow.conversation.finish(at_us)
            self._close(flow)

    def _close(self, flow: Flow) -> None:
        """The connection is over; it stays known a little, so that its tail makes no new one."""
        if not flow.over:
            flow.over = True
            self._waiting.pop(flow.key, None)
            _add(self._past, flow)

    def _drop(self, flow: Flow, at_us: int) -> None:
        flow.conversation.finish(at_us)
        self._close(flow)
        self._from_client.pop(flow.key, None)
        self._from_server.pop(_ends(flow.key)[2], None)

    def _foreign(self, parser: Packets) -> None:
        for port in (parser.source_port, parser.target_port):
            if port in self.other_ports:
                self.other_ports[port] += 1
            elif len(self.other_ports) < 1000:
                self.other_ports[port] = 1


def _worth(flow: Flow) -> tuple[bool, int]:
    return (flow.counted and not flow.over, flow.last_us)


def _add(total: list[int], flow: Flow) -> None:
    if flow.encrypted:
        return
    for stream in (flow.conversation.to_server, flow.conversation.to_client):
        total[0] += stream.delivered
        total[1] += stream.lost
        total[2] += stream.retransmitted
        total[3] += stream.conflicting
        total[4] += stream.reordered


def _ends(key: bytes) -> tuple[str, str, bytes]:
    """Source and target as address:port, and the key of the other direction."""
    size = (len(key) - 4) // 2
    source, target, ports = key[:size], key[size : 2 * size], key[2 * size :]
    return (
        _address(source, ports[:2]),
        _address(target, ports[2:]),
        target + source + ports[2:] + ports[:2],
    )


def _address(address: bytes, port: bytes) -> str:
    number = int.from_bytes(port, "big")
    if len(address) == 4:
        return f"{socket.inet_ntop(socket.AF_INET, address)}:{number}"
    return f"[{socket.inet_ntop(socket.AF_INET6, address)}]:{number}"
