"""Reassembly as a dialogue: segments in, bytes and gaps out."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qingfang.sense.tap.packets import ACK, FIN, RST, SYN
from qingfang.sense.tap.reassembly import HOLE_US, LIMIT, REORDER_US, Budget, Conversation

CLIENT, SERVER = True, False


class Recorder:
    """What a connection's consumer was told, in order: («C», bytes), («S gap», 5) …"""

    def __init__(self) -> None:
        self.told: list[tuple[str, object]] = []

    def _data(self, side: str, data: bytes) -> None:
        if self.told and self.told[-1][0] == side:
            self.told[-1] = (side, self.told[-1][1] + data)  # type: ignore[operator]
        else:
            self.told.append((side, data))

    def client(self, data: bytes, at_us: int) -> None:
        self._data("C", data)

    def server(self, data: bytes, at_us: int) -> None:
        self._data("S", data)

    def gap(self, from_client: bool, size: int, at_us: int) -> None:
        self.told.append(("C gap" if from_client else "S gap", size))

    def conflict(self, from_client: bool, size: int, at_us: int) -> None:
        self.told.append(("C conflict" if from_client else "S conflict", size))

    def end(self, at_us: int) -> None:
        self.told.append(("end", None))


class Dialogue:
    """Segments with relative numbers: the client's bytes start at 0 after `client_isn` + 1."""

    def __init__(self, client_isn: int = 1000, server_isn: int = 5000, handshake: bool = True):
        self.recorder = Recorder()
        self.budget = Budget()
        self.conversation = Conversation(self.recorder, self.budget)
        self.isn = {CLIENT: client_isn, SERVER: server_isn}
        self.now = 0
        if handshake:
            self.send(CLIENT, -1, flags=SYN, ack=None)
            self.send(SERVER, -1, flags=SYN | ACK, ack=0)
            self.send(CLIENT, 0, ack=0)

    def send(
        self,
        side: bool,
        seq: int,
        data: bytes = b"",
        ack: int | None = 0,
        flags: int = ACK,
        length: int | None = None,
        after_us: int = 10,
    ) -> Dialogue:
        self.now += after_us
        self.conversation.segment(
            side,
            (self.isn[side] + 1 + seq) & 0xFFFFFFFF,
            0 if ack is None else (self.isn[not side] + 1 + ack) & 0xFFFFFFFF,
            flags,
            data,
            len(data) if length is None else length,
            self.now,
        )
        return self

    def wait(self, us: int = REORDER_US + 1) -> Dialogue:
        self.now += us
        self.conversation.tick(self.now)
        return self

    def told(self) -> list[tuple[str, object]]:
        told, self.recorder.told = self.recorder.told, []
        return told


def test_request_and_answer() -> None:
    d = Dialogue()
    d.send(CLIENT, 0, b"select 1", ack=0)
    d.send(SERVER, 0, b"1", ack=8)
    d.send(CLIENT, 8, b"select 2", ack=1)
    assert d.told() == [("C", b"select 1"), ("S", b"1"), ("C", b"select 2")]
    assert not d.conversation.waiting


def test_out_of_order_is_put_in_order() -> None:
    d = Dialogue()
    d.send(CLIENT, 4, b"efgh").send(CLIENT, 8, b"ijkl")
    assert d.told() == []
    d.send(CLIENT, 0, b"abcd")
    assert d.told() == [("C", b"abcdefghijkl")]
    assert d.conversation.to_server.lost == 0
    assert not d.conversation.waiting


def test_retransmission_is_delivered_once() -> None:
    d = Dialogue()
    d.send(CLIENT, 0, b"abcd").send(CLIENT, 0, b"abcd").send(CLIENT, 2, b"cdef")
    assert d.told() == [("C", b"abcdef")]
    assert d.conversation.to_server.retransmitted == 6


def test_hole_the_server_acknowledged_is_lost_after_the_time_to_reorder() -> None:
    d = Dialogue()
    d.send(CLIENT, 0, b"abcd").send(CLIENT, 10, b"klmn")
    d.send(SERVER, 0, b"ok", ack=14)
    assert d.told() == [("C", b"abcd")]  # the answer waits for its question
    d.wait()
    assert d.told() == [("C gap", 6), ("C", b"klmn"), ("S", b"ok")]
    assert d.conversation.to_server.lost == 6


def test_hole_the_server_did_not_acknowledge_is_waited_for() -> None:
    d = Dialogue()
    d.send(CLIENT, 4, b"efgh").send(SERVER, 0, b"", ack=0)
    d.wait(60_000_000)
    assert d.told() == []
    d.send(CLIENT, 0, b"abcd")
    assert d.told() == [("C", b"abcdefgh")]


def test_bytes_never_seen_but_acknowledged_are_lost() -> None:
    d = Dialogue()
    d.send(SERVER, 0, b"answer", ack=20).wait()
    assert d.told() == [("C gap", 20), ("S", b"answer")]


def test_answer_seen_before_its_question() -> None:
    d = Dialogue()
    d.send(SERVER, 0, b"answer", ack=8)
    d.send(CLIENT, 0, b"question")
    assert d.told() == [("C", b"question"), ("S", b"answer")]
    assert d.conversation.to_server.lost == 0


def test_snap_length_counts_as_loss() -> None:
    d = Dialogue()
    d.send(CLIENT, 0, b"head", length=100).send(SERVER, 0, b"ok", ack=100).wait()
    assert d.told() == [("C", b"head"), ("C gap", 96), ("S", b"ok")]


def test_first_copy_wins_and_the_difference_is_told() -> None:
    d = Dialogue()
    d.send(CLIENT, 0, b"select 1 from a").send(CLIENT, 0, b"select 1 from b")
    assert d.told() == [("C", b"select 1 from a"), ("C conflict", 1)]
    d.send(CLIENT, 20, b"xxxx").send(CLIENT, 18, b"aaxyxx")
    d.send(CLIENT, 15, b"bbb")
    assert d.told() == [("C conflict", 1), ("C", b"bbbaaxxxx")]
    assert d.conversation.to_server.conflicting == 2


def test_acknowledged_bytes_cannot_be_replaced_and_are_not_compared() -> None:
    d = Dialogue()
    d.send(CLIENT, 0, b"abcd").send(SERVER, 0, b"ok", ack=4)
    d.send(CLIENT, 3, b"\0", ack=2)  # a keepalive repeats one byte of anything
    assert d.told() == [("C", b"abcd"), ("S", b"ok")]
    assert d.conversation.to_server.conflicting == 0


def test_joined_midway() -> None:
    d = Dialogue(handshake=False)
    d.send(CLIENT, 500, b"select", ack=900).send(SERVER, 900, b"rows", ack=506)
    d.send(CLIENT, 490, b"old bytes ", ack=890)
    d.send(CLIENT, 506, b"more", ack=904)
    assert d.told() == [("C", b"select"), ("S", b"rows"), ("C", b"more")]
    assert d.conversation.to_server.lost == d.conversation.to_client.lost == 0


def test_numbers_wrap() -> None:
    d = Dialogue(client_isn=0xFFFFFFFA, server_isn=0xFFFFFFFF)
    d.send(CLIENT, 6, b"ghij").send(CLIENT, 0, b"abcdef").send(SERVER, 0, b"ok", ack=10)
    assert d.told() == [("C", b"abcdefghij"), ("S", b"ok")]


def test_both_ends_say_goodbye() -> None:
    d = Dialogue()
    d.send(CLIENT, 0, b"bye", flags=ACK | FIN).send(SERVER, 0, b"bye", ack=4, flags=ACK | FIN)
    assert d.told() == [("C", b"bye"), ("S", b"bye"), ("end", None)]
    assert d.conversation.closed


def test_bytes_missing_before_the_goodbye_are_lost() -> None:
    d = Dialogue()
    d.send(CLIENT, 50, b"", flags=ACK | FIN).send(SERVER, 7, b"", ack=51, flags=ACK | FIN)
    d.send(CLIENT, 51, b"", ack=8)
    d.conversation.finish(d.now)
    assert sorted(d.told()[:2]) == [("C gap", 50), ("S gap", 7)]


def test_a_reset_counts_only_where_the_server_would_believe_it() -> None:
    d = Dialogue()
    d.send(CLIENT, 1 << 29, flags=RST).send(CLIENT, -40, flags=RST)
    assert not d.conversation.closed
    d.send(CLIENT, 0, flags=RST)
    assert d.told() == [("end", None)]


def test_an_impossible_number_is_not_believed() -> None:
    d = Dialogue()
    d.send(CLIENT, -(1 << 30) - 5, b"junk").send(CLIENT, (1 << 30) + 5, b"junk")
    d.send(SERVER, 0, ack=(1 << 30) + 5).wait()
    d.send(CLIENT, 0, b"abcd").send(SERVER, 0, b"ok", ack=4)
    assert d.told() == [("C", b"abcd"), ("S", b"ok")]


def test_one_direction_captured() -> None:
    d = Dialogue(handshake=False)
    d.send(CLIENT, 0, b"abcd").send(CLIENT, 6, b"gh")
    assert d.told() == [("C", b"abcd")]
    d.wait(HOLE_US + 1)
    assert d.told() == [("C gap", 2), ("C", b"gh")]


def test_what_is_held_is_bounded() -> None:
    d = Dialogue()
    for n in range(3000):
        d.send(CLIENT, 10 + n * 4000, b"x" * 4000)
        assert d.conversation.held <= LIMIT
        assert d.budget.used == d.conversation.held
    # All of it arrived at the server, so what was not held is lost, and nothing else is.
    d.send(SERVER, 0, b"ok", ack=10 + 3000 * 4000).wait()
    stream = d.conversation.to_server
    assert stream.delivered + stream.lost == 10 + 3000 * 4000
    assert stream.delivered > LIMIT * 0.9
    assert d.told()[-1] == ("S", b"ok")
    d.conversation.finish(d.now)
    assert d.budget.used == 0


def test_a_common_budget_bounds_all_connections() -> None:
    budget = Budget(100_000)
    conversations = [Conversation(Recorder(), budget) for _n in range(20)]
    for c in conversations:
        c.segment(CLIENT, 99, 0, SYN, b"", 0, 0)
        for n in range(20):
            c.segment(CLIENT, 200 + n * 1000, 0, ACK, b"y" * 1000, 1000, 1)
            assert budget.used <= 100_000
    for c in conversations:
        c.finish(2)
    assert budget.used == 0


@st.composite
def _cut(draw: st.DrawFn) -> tuple[bytes, list[tuple[int, int]]]:
    """A byte stream, and segments (begin, end) that cover it, overlap and repeat, in any order."""
    stream = bytes(draw(st.lists(st.integers(0, 255), min_size=1, max_size=120)))
    edges = sorted({0, len(stream), *draw(st.lists(st.integers(0, len(stream)), max_size=12))})
    pieces = list(itertools.pairwise(edges))
    extra = draw(
        st.lists(
            st.tuples(st.integers(0, len(stream) - 1), st.integers(1, 40)).map(
                lambda p: (p[0], min(len(stream), p[0] + p[1]))
            ),
            max_size=8,
        )
    )
    return stream, draw(st.permutations(pieces + extra))


@settings(max_examples=400, deadline=None)
@given(_cut(), st.integers(0, 0xFFFFFFFF))
def test_any_order_split_overlap_gives_the_same_stream(
    cut: tuple[bytes, list[tuple[int, int]]], isn: int
) -> None:
    stream, segments = cut
    d = Dialogue(client_isn=isn)
    for begin, end in segments:
        d.send(CLIENT, begin, stream[begin:end])
    d.send(SERVER, 0, b"ok", ack=len(stream))
    assert d.told() == [("C", stream), ("S", b"ok")]
    assert d.conversation.to_server.lost == d.conversation.to_server.conflicting == 0


@settings(max_examples=400, deadline=None)
@given(_cut(), st.sets(st.integers(0, 20), max_size=6), st.data())
def test_what_is_removed_is_counted_to_the_byte(
    cut: tuple[bytes, list[tuple[int, int]]], removed: set[int], data: st.DataObject
) -> None:
    stream, segments = cut
    kept = [s for n, s in enumerate(segments) if n not in removed]
    covered = {n for begin, end in kept for n in range(begin, end)}
    d = Dialogue()
    for begin, end in kept:
        d.send(CLIENT, begin, stream[begin:end])
        if data.draw(st.booleans()):  # the server got everything, and says so in between
            d.send(SERVER, 0, b"", ack=end)
    d.send(CLIENT, len(stream), b"", flags=ACK | FIN)
    d.conversation.finish(d.now)
    told = d.told()
    assert b"".join(x for kind, x in told if kind == "C") == bytes(
        stream[n] for n in sorted(covered)
    )  # type: ignore[misc]
    assert sum(x for kind, x in told if kind == "C gap") == len(stream) - len(covered)  # type: ignore[misc]
    assert d.conversation.to_server.lost == len(stream) - len(covered)


@pytest.mark.parametrize("seed", range(5))
def test_both_directions_shuffled_keep_cause_before_effect(seed: int) -> None:
    """Requests and answers whose packets swap places within the time to reorder."""
    rng = random.Random(seed)
    packets: list[tuple[float, bool, int, bytes, int]] = []
    asked = answered = 0
    wanted: list[tuple[str, object]] = []
    for n in range(400):
        question = b"q%d;" % n * rng.randint(1, 5)
        answer = b"a%d;" % n * rng.randint(1, 5)
        packets.append((n * 2, CLIENT, asked, question, answered))
        asked += len(question)
        packets.append((n * 2 + 1, SERVER, answered, answer, asked))
        answered += len(answer)
        wanted += [("C", question), ("S", answer)]
    packets = sorted(packets, key=lambda p: p[0] + rng.uniform(0, 6))
    d = Dialogue()
    for _order, side, seq, payload, ack in packets:
        d.send(side, seq, payload, ack=ack)
    assert d.told() == wanted
