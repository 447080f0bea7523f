"""The decoder against dialogues that read as the protocol's documentation does."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qingfang.decode.pgwire import Inline, Passive
from tests.support.pgwire import Message, dialogue, told

DIALOGUES = sorted((Path(__file__).parent / "dialogues").glob("*.txt"))
INLINE = [d for d in DIALOGUES if d.stem not in {"encrypted", "cancelled"}]


def listen(messages: list[Message]) -> list[str]:
    session = Passive()
    for at, (side, data) in enumerate(messages):
        (session.client if side == ">" else session.server)(data, at)
    assert session.undecodable == session.lost == 0
    return [told(e) for e in session.take_events()]


def relay(messages: list[Message]) -> tuple[list[str], bytes, bytes]:
    """(events, what the server got, what the client got) when everything is allowed."""
    session = Inline()
    events: list[str] = []
    to_server = to_client = b""
    for at, (side, data) in enumerate(messages):
        (session.client if side == ">" else session.server)(data, at)
        while True:
            events += [told(e) for e in session.take_events()]
            if session.asked is None:
                break
            events.append(told(session.asked))
            session.allow()
        to_server += b"".join(session.take_to_server())
        to_client += b"".join(session.take_to_client())
    return events, to_server, to_client


def sides(messages: list[Message]) -> tuple[bytes, bytes]:
    return tuple(b"".join(d for s, d in messages if s == side) for side in "><")


@pytest.mark.parametrize("file", DIALOGUES, ids=lambda f: f.stem)
def test_listening(file: Path) -> None:
    messages, expected = dialogue(file)
    assert listen(messages) == expected


@pytest.mark.parametrize("file", INLINE, ids=lambda f: f.stem)
def test_inline_asks_the_same_and_passes_the_same_bytes(file: Path) -> None:
    messages, expected = dialogue(file)
    events, to_server, to_client = relay(messages)
    assert sorted(events) == sorted(expected)
    assert (to_server, to_client) == sides(messages)


def cut(messages: list[Message], lengths: list[int]) -> list[Message]:
    """The same bytes in other chunks: neighbours joined, everything cut."""
    joined: list[Message] = []
    for side, data in messages:
        if joined and joined[-1][0] == side:
            joined[-1] = (side, joined[-1][1] + data)
        else:
            joined.append((side, data))
    pieces: list[Message] = []
    turn = 0
    for side, data in joined:
        pos = 0
        while pos < len(data):
            step = lengths[turn % len(lengths)]
            turn += 1
            pieces.append((side, data[pos : pos + step]))
            pos += step
    return pieces


@pytest.mark.parametrize("step", [1, 2, 3, 7, 10_000])
@pytest.mark.parametrize("file", DIALOGUES, ids=lambda f: f.stem)
def test_any_cut_gives_the_same_events(file: Path, step: int) -> None:
    messages, expected = dialogue(file)
    assert listen(cut(messages, [step])) == expected


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(INLINE), st.lists(st.integers(1, 200), min_size=1, max_size=20))
def test_any_cut_passes_the_same_bytes(file: Path, lengths: list[int]) -> None:
    messages, expected = dialogue(file)
    events, to_server, to_client = relay(cut(messages, lengths))
    assert sorted(events) == sorted(expected)
    assert (to_server, to_client) == sides(messages)
