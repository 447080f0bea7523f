"""The two byte streams of one TCP connection, put in order, with every lost byte counted.

Sans-IO: segments and times come in, bytes and gaps go out to a `Consumer`. Source: RFC 9293, and
what capturing adds to it (a copy may miss what the receiver got, and the reverse).

How it works. A stream's `position` counts the bytes settled so far, delivered or lost; sequence
numbers are turned into positions at once, so nothing else here knows of wrapping. A segment at the
position, with nothing held, goes straight on. Anything else is held in `pending`, in order and
disjoint, until the hole before it is filled or known to be lost.

Rules this module keeps:

1. The receiver decides what is lost. Bytes that it acknowledged, and that did not come within
   `REORDER_US`, are lost: a gap is announced and the stream goes on behind it. Bytes that it did
   not acknowledge will be sent again, so they are waited for, however long. Only where no
   acknowledgement is to be seen (one direction captured) a hole is given up after `HOLE_US`.
2. Cause before effect: a segment that acknowledges bytes of the other direction is delivered after
   these bytes, or after they were declared lost. A request is read before its answer.
3. The first copy of a byte wins. A later copy that differs, while the receiver may still take it,
   is counted in `conflicting`: somebody may be showing us another text than the server. (Bytes
   that are acknowledged cannot be replaced any more, so only the others are kept for comparing.)
4. `lost` is exact: position - delivered. Bytes before a connection was joined midway, or after its
   last segment seen, do not count.
5. What is held is bounded, for a connection by `LIMIT`, for all by the `Budget`; beyond it holes
   are settled early, and then segments are left to be counted as lost.
"""

from __future__ import annotations

from typing import Final, Protocol

from qingfang.sense.tap.packets import ACK, FIN, RST, SYN

REORDER_US: Final = 100_000
HOLE_US: Final = 3_000_000
LIMIT: Final = 4 * 1024 * 1024
TOTAL: Final = 256 * 1024 * 1024
_UNACKED: Final = 256 * 1024
_OVERHEAD: Final = 200
"""Bytes charged for a held segment besides its data, so that tiny segments are not free."""
_WINDOW: Final = 1 << 30
"""The largest window (RFC 7323): nothing further ahead or behind can be true."""


class Consumer(Protocol):
    """Who gets a connection's bytes, in order, causes before effects."""

    def client(self, data: bytes, at_us: int) -> None: ...

    def server(self, data: bytes, at_us: int) -> None: ...

    def gap(self, from_client: bool, size: int, at_us: int) -> None:
        """`size` bytes of one direction are lost; what comes next stands behind them."""
        ...

    def conflict(self, from_client: bool, size: int, at_us: int) -> None:
        """`size` bytes came a second time and differed, while the receiver could still take them:
        what was delivered here may not be what was read there."""
        ...

    def end(self, at_us: int) -> None:
        """The connection is over; nothing more comes."""
        ...


class Budget:
    """What all connections together may hold."""

    def __init__(self, limit: int = TOTAL) -> None:
        self.limit = limit
        self.used = 0


class Held:
    """A segment that waits: its place, its bytes, which bytes of the peer it presumes, when it
    came."""

    def __init__(self, position: int, data: bytes, needs: int, at_us: int) -> None:
        self.position = position
        self.data = data
        self.needs = needs
        self.at_us = at_us


class Stream:
    """One direction. Counters in bytes: `delivered`, `lost`, `retransmitted`, `conflicting`."""

    def __init__(self, from_client: bool) -> None:
        self.from_client = from_client
        self.started = False
        self.seen = False
        self.expected = 0  # the sequence number of `position`
        self.position = 0
        self.known = 0  # end of the furthest byte known to have been sent
        self.acked = 0  # end of the bytes known to have arrived
        self.fin = -1  # where the stream ends, once that was said
        self.pending: list[Held] = []
        self.unacked: list[tuple[int, bytes]] = []
        self.delivered = 0
        self.lost = 0
        self.retransmitted = 0
        self.conflicting = 0
        self.reordered = 0

    def start(self, seq: int) -> None:
        self.started = True
        self.expected = seq

    def at(self, seq: int) -> int:
        """The position of a sequence number: the one nearest to where the stream is."""
        distance = (seq - self.expected) & 0xFFFFFFFF
        if distance & 0x80000000:
            distance -= 0x100000000
        return self.position + distance

    def ended(self) -> bool:
        return self.fin >= 0 and self.position >= self.fin


class Conversation:
    """Both directions of one connection."""

    def __init__(self, consumer: Consumer, budget: Budget) -> None:
        self.consumer = consumer
        self.to_server = Stream(True)
        self.to_client = Stream(False)
        self.budget = budget
        self.held = 0  # bytes of this connection in pending and unacked, charged to the budget
        self.waiting = False
        self.last_us = 0
        self.closed = False
        self._deadline_us = 0
        self._marks = (0, 0)

    def segment(
        self,
        from_client: bool,
        seq: int,
        ack: int,
        flags: int,
        payload: bytes,
        length: int,
        at_us: int,
    ) -> None:
        """Takes one segment; `length` is that of the payload on the wire."""
        stream, peer = (
            (self.to_server, self.to_client) if from_client else (self.to_client, self.to_server)
        )
        self.last_us = at_us
        stream.seen = True
        if (
            stream.expected == seq
            and peer.expected == ack
            and not self.waiting
            and not flags & (SYN | FIN | RST)
            and flags & ACK
            and stream.started
            and peer.started
            and length == len(payload)
        ):
            # In order, and everything of the peer's that it presumes was delivered.
            if peer.unacked:
                peer.acked = peer.position
                self._release(peer)
            if length:
                self._deliver(stream, payload, at_us)
            return
        self._unusual(stream, peer, seq, ack, flags, payload, length, at_us)

    def finish(self, at_us: int) -> None:
        """Nothing more will come: what is held is settled, what is known to be missing is lost."""
        if self.closed:
            return
        self.closed = True
        self._settle(at_us, everything=True)
        for stream in (self.to_server, self.to_client):
            if stream.known > stream.position:
                self._lose(stream, stream.known, at_us)
            stream.unacked.clear()
        self.budget.used -= self.held
        self.held = 0
        self.consumer.end(at_us)

    def tick(self, at_us: int) -> None:
        """Time passed without a packet of this connection."""
        if self.waiting and self._deadline_us and at_us >= self._deadline_us:
            self._settle(at_us, everything=False)
            self._end_if_over(at_us)

    # -------------------------------------------------------------- the slow path

    def _unusual(
        self,
        stream: Stream,
        peer: Stream,
        seq: int,
        ack: int,
        flags: int,
        payload: bytes,
        length: int,
        at_us: int,
    ) -> None:
        if flags & SYN:
            seq = (seq + 1) & 0xFFFFFFFF
        if not stream.started:
            stream.start(seq)
        position = stream.at(seq)
        if stream.fin >= 0 and position == stream.fin + 1:
            position = stream.fin  # the end itself takes a number
        if flags & RST:
            # A reset counts only where the receiver would believe it (RFC 5961).
            if stream.position <= position <= stream.position + LIMIT:
                self.finish(at_us)
            return
        needs = 0
        if flags & ACK:
            if not peer.started and flags & SYN:
                peer.start(ack)
            if peer.started:
                needs = peer.at(ack)
                if peer.fin >= 0 and needs == peer.fin + 1:
                    needs = peer.fin
                if needs - peer.known > _WINDOW:
                    needs = 0
                elif needs > peer.acked:
                    peer.acked = needs
                    peer.known = max(peer.known, needs)
                    self._release(peer)
        if not -_WINDOW < position - stream.position < _WINDOW:
            return
        if flags & FIN and stream.fin < 0:
            stream.fin = position + length
        stream.known = max(stream.known, position + length)
        if payload:
            if len(payload) > length:
                payload = payload[:length]
            if position == stream.position and not stream.pending and needs <= peer.position:
                self._deliver(stream, payload, at_us)
            else:
                self._hold(stream, position, payload, needs, at_us)
        self._settle(at_us, everything=False)
        self._end_if_over(at_us)

    def _end_if_over(self, at_us: int) -> None:
        if self.to_server.ended() and self.to_client.ended():
            self.finish(at_us)

    def _deliver(self, stream: Stream, data: bytes, at_us: int) -> None:
        size = len(data)
        if self.held < _UNACKED and self.budget.used + size + _OVERHEAD <= self.budget.limit:
            stream.unacked.append((stream.position, data))
            self.held += size + _OVERHEAD
            self.budget.used += size + _OVERHEAD
        stream.position += size
        stream.delivered += size
        stream.expected = (stream.expected + size) & 0xFFFFFFFF
        stream.known = max(stream.known, stream.position)
        if stream.from_client:
            self.consumer.client(data, at_us)
        else:
            self.consumer.server(data, at_us)

    def _release(self, stream: Stream) -> None:
        """Forgets delivered bytes that the receiver has acknowledged."""
        unacked = stream.unacked
        done = 0
        for position, data in unacked:
            if position + len(data) > stream.acked:
                break
            done += 1
            self.held -= len(data) + _OVERHEAD
            self.budget.used -= len(data) + _OVERHEAD
        if done == len(unacked):
            unacked.clear()
        else:
            del unacked[:done]

    def _lose(self, stream: Stream, end: int, at_us: int) -> None:
        size = end - stream.position
        stream.position = end
        stream.expected = (stream.expected + size) & 0xFFFFFFFF
        stream.lost += size
        self.consumer.gap(stream.from_client, size, at_us)

    def _hold(self, stream: Stream, position: int, data: bytes, needs: int, at_us: int) -> None:
        """Keeps what is new of a segment; compares the rest with what was there first."""
        end = position + len(data)
        if position < stream.position:
            for start, known in stream.unacked:
                self._compare(stream, start, known, position, data, at_us)
            stream.retransmitted += min(end, stream.position) - position
            if end <= stream.position:
                return
            data = data[stream.position - position :]
            position = stream.position
        if stream.pending or position > stream.position:
            stream.reordered += 1
        pending = stream.pending
        index = self._place(pending, position)
        while data:
            if index < len(pending) and pending[index].position <= position:
                first = pending[index]
                self._compare(stream, first.position, first.data, position, data, at_us)
                shared = min(end, first.position + len(first.data)) - position
                stream.retransmitted += shared
                data = data[shared:]
                position += shared
                index += 1
                continue
            size = end - position
            if index < len(pending):
                size = min(size, pending[index].position - position)
            charge = size + _OVERHEAD
            if self.held + charge > LIMIT or self.budget.used + charge > self.budget.limit:
                self._make_room(at_us)
                if position < stream.position:
                    data = data[stream.position - position :]
                    position = stream.position
                index = self._place(pending, position)
                if position == stream.position and not pending:
                    self._deliver(stream, data, at_us)
                    return
                if self.held + charge > LIMIT or self.budget.used + charge > self.budget.limit:
                    return
                continue
            pending.insert(index, Held(position, data[:size], needs, at_us))
            self.held += charge
            self.budget.used += charge
            data = data[size:]
            position += size
            index += 1

    def _place(self, pending: list[Held], position: int) -> int:
        """The first held segment that ends after `position`."""
        low, high = 0, len(pending)
        while low < high:
            middle = (low + high) // 2
            if pending[middle].position + len(pending[middle].data) > position:
                high = middle
            else:
                low = middle + 1
        return low

    def _compare(
        self, stream: Stream, start: int, known: bytes, position: int, data: bytes, at_us: int
    ) -> None:
        """Counts the bytes in which two copies of the same positions differ."""
        begin = max(start, position)
        end = min(start + len(known), position + len(data))
        if begin >= end:
            return
        ours = known[begin - start : end - start]
        theirs = data[begin - position : end - position]
        if ours != theirs:
            size = sum([1 for a, b in zip(ours, theirs, strict=True) if a != b])
            stream.conflicting += size
            self.consumer.conflict(stream.from_client, size, at_us)

    def _make_room(self, at_us: int) -> None:
        for stream in (self.to_server, self.to_client):
            for _start, known in stream.unacked:
                self.held -= len(known) + _OVERHEAD
                self.budget.used -= len(known) + _OVERHEAD
            stream.unacked.clear()
        self._pass_holes(at_us, self.to_server.acked, self.to_client.acked, at_us)
        if not (self.to_server.seen and self.to_client.seen):
            self._pass_holes(at_us, self.to_server.known, self.to_client.known, at_us)

    def _settle(self, at_us: int, everything: bool) -> None:
        """Delivers what can be, gives up what is due, and says until when to wait for the rest."""
        client, server = self.to_server, self.to_client
        self._drain(-1)
        if everything:
            self._pass_holes(at_us, client.known, server.known, at_us)
        elif self._deadline_us and at_us >= self._deadline_us:
            # Only what was already missing when the deadline was set has waited its time.
            self._pass_holes(at_us, self._marks[0], self._marks[1], at_us - REORDER_US)
            self._deadline_us = 0
        confirmed = client.acked > client.position or server.acked > server.position
        held = bool(client.pending or server.pending)
        self.waiting = confirmed or held
        if not self.waiting:
            self._deadline_us = 0
        elif not self._deadline_us:
            if client.seen and server.seen:
                ready = (client.pending and client.pending[0].position == client.position) or (
                    server.pending and server.pending[0].position == server.position
                )
                if confirmed or ready:
                    self._deadline_us = at_us + REORDER_US
                    self._marks = (client.acked, server.acked)
            elif confirmed or held:
                self._deadline_us = at_us + HOLE_US
                self._marks = (client.known, server.known)

    def _drain(self, patience_us: int) -> bool:
        """Delivers held segments whose turn it is; those that came at `patience_us` or before,
        also ahead of what they presume."""
        moved = False
        again = True
        while again:
            again = False
            for stream, peer in (
                (self.to_server, self.to_client),
                (self.to_client, self.to_server),
            ):
                count = 0
                for held in stream.pending:
                    if held.position > stream.position:
                        break
                    if held.needs > peer.position and held.at_us > patience_us:
                        break
                    count += 1
                    self.held -= len(held.data) + _OVERHEAD
                    self.budget.used -= len(held.data) + _OVERHEAD
                    self._deliver(stream, held.data, held.at_us)
                if count:
                    del stream.pending[:count]
                    again = moved = True
        return moved

    def _pass_holes(self, at_us: int, client_end: int, server_end: int, patience_us: int) -> None:
        """Gives up the bytes missing before these positions, and delivers what was behind them."""
        while True:
            lost = False
            for stream, known in ((self.to_server, client_end), (self.to_client, server_end)):
                end = known
                if stream.pending:
                    end = min(end, stream.pending[0].position)
                if end > stream.position:
                    self._lose(stream, end, at_us)
                    lost = True
            if not self._drain(-1) and not lost and not self._drain(patience_us):
                return
