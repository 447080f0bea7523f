"""A bad wire: real dialogues whose packets are lost, doubled, swapped, cut and altered, through the
tap and the decoder. Nothing raises; nothing is seen that was not sent; and as long as packets only
came late or twice, everything is seen."""

import random

from qingfang.engine.passive import Decoding
from qingfang.events import Connection
from qingfang.sense.tap.encryption import Blind
from qingfang.sense.tap.flows import Flows
from qingfang.statement import Outcome, Statement
from tests.support.frames import ACK, T0, Talk
from tests.support.script import payload


class _Heard:
    def __init__(self) -> None:
        self.sent_: list[str] = []
        self.rows: list[int] = []

    def sent(self, connection: Connection, statement: Statement) -> None:
        self.sent_.append(statement.sql)

    def completed(self, connection: Connection, statement: Statement, outcome: Outcome) -> None:
        self.rows.append(outcome.rows)

    def conflict(self, connection: Connection, from_client: bool, size: int, at_us: int) -> None:
        assert size > 0

    def lost(self, connection: Connection, from_client: bool, size: int, at_us: int) -> None:
        assert size > 0

    def blind(self, connection: Connection, blind: Blind, at_us: int) -> None:
        pass

    def closed(self, connection: Connection) -> None:
        pass


def attack(seed: int) -> None:
    rng = random.Random(seed)
    count = rng.randint(1, 6)
    talk = Talk(isn=(rng.getrandbits(32), rng.getrandbits(32)))
    asked = [f"SELECT {n}{'x' * rng.choice((0, 9, 300))}" for n in range(count)]
    frames = talk.handshake()
    frames.append(talk.client(payload("startup user=a database=b")))
    frames.append(talk.server(payload("signed-in")))
    for n, text in enumerate(asked):
        frames.append(talk.client(payload(f"query {text}")))
        answer = payload("rows " + " ".join(["1"] * (n + 1))) + payload(f"done SELECT {n + 1}")
        cut = rng.randint(0, len(answer))
        for piece in (answer[:cut], answer[cut:]):
            if piece:
                frames.append(talk.frame(1, ACK, piece))
    whole = rng.random() < 0.4
    order = [(n + (rng.uniform(0, 4) if n > 4 else 0), f) for n, f in enumerate(frames)]
    frames = [frame for _n, frame in sorted(order, key=lambda item: item[0])]
    heard = _Heard()
    decoding = Decoding(heard)
    flows = Flows({5432: "pg"}, decoding, source="tap")
    now = T0
    for frame in frames:
        now += rng.choice((1, 100, 1000))
        times = rng.choice((1, 1, 1, 2))
        data = frame
        if not whole:
            match rng.randrange(12):
                case 0:
                    times = 0
                case 1:
                    data = frame[: rng.randint(0, len(frame))]
                case 2:
                    altered = bytearray(frame)
                    altered[rng.randrange(len(altered))] ^= 1 << rng.randrange(8)
                    data = bytes(altered)
        for _n in range(times):
            flows.frame(now, 1, len(frame), data)
    flows.finish(now)
    counts = flows.counts()
    assert len(heard.rows) == len(heard.sent_)
    if whole:
        assert (heard.sent_, heard.rows) == (asked, list(range(1, count + 1))), counts
        assert (counts.lost_bytes, counts.conflicting_bytes, decoding.undecodable) == (0, 0, 0)
