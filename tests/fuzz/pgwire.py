"""Fuzz target for the decoder of PostgreSQL's protocol: `attack(seed)` is one input.

A dialogue is mutated (bytes flipped, lengths made hostile, pieces lost, doubled, swapped) or is
garbage from the start, and is cut anywhere. What must hold: nothing but the module's own two errors
comes out, what is kept stays small, and while everything is allowed the bytes handed on are a prefix
of the bytes that came in, all of them when no error was raised.
"""

from __future__ import annotations

import random
from pathlib import Path

from qingfang.decode.pgwire import ClientBroke, Inline, Passive, ServerBroke
from tests.support.pgwire import Message, dialogue

_FILES = sorted((Path(__file__).parents[1] / "decode/pgwire/dialogues").glob("*.txt"))
_SEEDS = [dialogue(f)[0] for f in _FILES if f.stem not in {"encrypted", "cancelled"}]
_HOSTILE = (0, 3, 4, 5, 0x7FFFFFFF, 0xFFFFFFFF, 0x3FFFFFFF, 0x40000000, 9999, 10001, 65536)


def _mutate(rng: random.Random, messages: list[Message]) -> list[Message]:
    found = list(messages)
    for _turn in range(rng.randrange(4)):
        n = rng.randrange(len(found))
        side, data = found[n]
        changed = bytearray(data)
        match rng.randrange(7):
            case 0 if changed:
                changed[rng.randrange(len(changed))] = rng.randrange(256)
            case 1 if len(changed) >= 5:
                changed[1:5] = rng.choice(_HOSTILE).to_bytes(4, "big")
            case 2:
                del changed[rng.randrange(len(changed) + 1) :]
            case 3:
                changed += rng.randbytes(rng.randrange(40))
            case 4:
                found.insert(n, found[rng.randrange(len(found))])
            case 5 if len(found) > 1:
                del found[n]
                continue
            case _:
                other = rng.randrange(len(found))
                found[n], found[other] = found[other], found[n]
                continue
        found[n] = (side, bytes(changed))
    return found


def _input(rng: random.Random) -> list[Message]:
    if rng.random() < 0.1:
        return [
            (rng.choice("><"), rng.randbytes(rng.randrange(1, 60)))
            for _n in range(rng.randrange(8))
        ]
    messages = _mutate(rng, rng.choice(_SEEDS))
    pieces: list[Message] = []
    whole = rng.random() < 0.3
    for side, data in messages:
        pos = 0
        while pos < len(data):
            step = len(data) if whole else rng.choice((1, 3, 8, 50, 400))
            pieces.append((side, data[pos : pos + step]))
            pos += step
    return pieces


def _size(value: object, seen: set[int]) -> int:
    """Bytes of text and buffers reachable from a session."""
    if id(value) in seen:
        return 0
    seen.add(id(value))
    if isinstance(value, str | bytes | bytearray):
        return len(value)
    if isinstance(value, dict):
        return sum(_size(v, seen) for v in value.values())
    if isinstance(value, list | tuple | set) or type(value).__name__ == "deque":
        return sum(_size(v, seen) for v in value)
    slots = getattr(type(value), "__slots__", ())
    named = [getattr(value, s) for s in slots if hasattr(value, s)]
    return sum(_size(v, seen) for v in [*named, *getattr(value, "__dict__", {}).values()])


def _relay(rng: random.Random, pieces: list[Message], deny: bool) -> None:
    session = Inline(max_sql=64, function_calls=not deny)
    given = {">": bytearray(), "<": bytearray()}
    got = {">": bytearray(), "<": bytearray()}
    try:
        for at, (side, data) in enumerate(pieces):
            given[side] += data
            (session.client if side == ">" else session.server)(data, at)
            while session.asked is not None or session.request == "tls":
                if session.request == "tls":
                    session.tls_answer(False)
                elif deny and rng.random() < 0.5:
                    session.deny("不许")
                else:
                    session.allow()
            if session.request == "cancel":
                return
            got[">"] += b"".join(session.take_to_server())
            got["<"] += b"".join(session.take_to_client())
            session.take_events()
    except (ClientBroke, ServerBroke) as broke:
        assert broke.response[:1] == b"E", "the refusal is an ErrorResponse"
    else:
        session.close(len(pieces))
    if deny or any(b"\x04\xd2\x16" in d for _s, d in pieces):
        return  # refusals and encryption requests change the bytes on purpose
    assert given[">"].startswith(got[">"]), "bytes for the server are not the client's"
    assert given["<"].startswith(got["<"]), "bytes for the client are not the server's"
    kept = _size(session, set())
    assert kept <= 40_000 + 4 * (len(given[">"]) + len(given["<"])), f"{kept} bytes are kept"


def _listen(rng: random.Random, pieces: list[Message]) -> None:
    session = Passive(midstream=rng.random() < 0.3, max_sql=64)
    for at, (side, data) in enumerate(pieces):
        if rng.random() < 0.05:
            session.gap(side == ">", len(data), at)
        else:
            (session.client if side == ">" else session.server)(data, at)
    session.close(len(pieces))
    numbers = [e.number for e in session.take_events() if type(e).__name__ == "Statement"]
    assert numbers == sorted(set(numbers)), "a statement is reported once, in order"


def attack(seed: int) -> None:
    """One input. An AssertionError, or any exception at all, is a finding; the seed repeats it."""
    rng = random.Random(seed)
    pieces = _input(rng)
    match seed % 3:
        case 0:
            _relay(rng, pieces, deny=False)
        case 1:
            _relay(rng, pieces, deny=True)
        case _:
            _listen(rng, pieces)
