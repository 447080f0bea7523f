"""Hostile segments of one connection: nothing raises, memory is bounded, and every position is
either delivered or lost."""

import random

from qingfang.sense.tap.packets import ACK, FIN, RST, SYN
from qingfang.sense.tap.reassembly import HOLE_US, LIMIT, REORDER_US, Budget, Conversation

_SPREADS = (0, 5, 50, 5000, 1 << 20, 1 << 31)


class _Sum:
    def __init__(self) -> None:
        self.data = {True: 0, False: 0}
        self.gaps = {True: 0, False: 0}
        self.ends = 0

    def client(self, data: bytes, at_us: int) -> None:
        self.data[True] += len(data)

    def server(self, data: bytes, at_us: int) -> None:
        self.data[False] += len(data)

    def gap(self, from_client: bool, size: int, at_us: int) -> None:
        assert size > 0
        self.gaps[from_client] += size

    def conflict(self, from_client: bool, size: int, at_us: int) -> None:
        assert size > 0

    def end(self, at_us: int) -> None:
        self.ends += 1


def attack(seed: int) -> None:
    rng = random.Random(seed)
    told, budget = _Sum(), Budget()
    conversation = Conversation(told, budget)
    isn = {True: rng.getrandbits(32), False: rng.getrandbits(32)}
    now = 0
    if rng.random() < 0.7:
        conversation.segment(True, isn[True], 0, SYN, b"", 0, now)
        conversation.segment(False, isn[False], isn[True] + 1, SYN | ACK, b"", 0, now)
    for _n in range(rng.randint(1, 40)):
        now += rng.choice((0, 10, REORDER_US, HOLE_US))
        spread = rng.choice(_SPREADS)
        size = rng.choice((0, 0, 1, 7, 100, 1460))
        side = rng.random() < 0.5
        conversation.segment(
            side,
            (isn[side] + rng.randint(-spread, spread)) & 0xFFFFFFFF,
            (isn[not side] + rng.randint(-spread, spread)) & 0xFFFFFFFF,
            rng.choice((ACK, ACK, ACK, ACK | FIN, RST, SYN, SYN | ACK, rng.getrandbits(8))),
            b"x" * size,
            size + rng.choice((0, 0, 0, 1, 1000)),
            now,
        )
        conversation.tick(now)
        assert conversation.held <= LIMIT
        assert budget.used == conversation.held
        if conversation.closed:
            break
    conversation.finish(now)
    assert (told.ends, budget.used) == (1, 0)
    for stream in (conversation.to_server, conversation.to_client):
        assert stream.position == stream.delivered + stream.lost
        assert told.data[stream.from_client] == stream.delivered
        assert told.gaps[stream.from_client] == stream.lost
