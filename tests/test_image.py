"""The state of one moment, given out while its tables change."""

from collections import OrderedDict

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from qingfang.image import Entry, Image


class Held:
    def __init__(self, turn: int, value: int) -> None:
        self.turn, self.value = turn, value


def pack(held: Held) -> bytes:
    return msgspec.msgpack.encode(held.value)


def state(tables: dict[str, OrderedDict[str, Held]]) -> list[tuple[str, str, int, int]]:
    return sorted((t, n, h.turn, h.value) for t, held in tables.items() for n, h in held.items())


def read(entries: list[Entry]) -> list[tuple[str, str, int, int]]:
    known = ((e.table, e.name, e.turn, msgspec.msgpack.decode(e.known, type=int)) for e in entries)
    return sorted(known)


actions = st.lists(
    st.tuples(
        st.sampled_from(["change", "remove", "part"]),
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from("01234567"),
    ),
    max_size=60,
)


@given(actions, actions, st.integers(1, 400))
def test_all_parts_are_the_state_of_the_moment(
    before: list[tuple[str, str, str]], later: list[tuple[str, str, str]], most: int
) -> None:
    tables: dict[str, OrderedDict[str, Held]] = {t: OrderedDict() for t in "abc"}
    turn = 0
    image: Image[Held] | None = None
    given_out: list[Entry] = []

    def act(what: str, table: str, name: str) -> None:
        nonlocal turn
        held = tables[table].get(name)
        if what == "part":
            if image is not None:
                given_out.extend(image.part(most) or ())
            return
        if held is not None and image is not None:
            image.keep(table, name, held)
        if what == "remove":
            tables[table].pop(name, None)
            return
        turn += 1
        if held is None:
            held = tables[table][name] = Held(turn, 0)
        held.turn, held.value = turn, held.value + turn
        tables[table].move_to_end(name)

    for action in before:
        act(*action)
    expected = state(tables)
    image = Image(tables, turn, pack)
    for action in later:
        act(*action)
    while (part := image.part(most)) is not None:
        given_out += part
    assert read(given_out) == expected


def test_a_part_is_no_larger_than_asked() -> None:
    tables = {"a": OrderedDict((f"n{n}", Held(n, n)) for n in range(100))}
    image = Image(tables, 100, pack)
    parts: list[list[Entry]] = []
    while (part := image.part(650)) is not None:
        parts.append(part)
    assert [len(p) for p in parts] == [10] * 10


def test_what_is_dropped_gives_nothing_and_keeps_nothing() -> None:
    held = Held(1, 1)
    image = Image({"a": OrderedDict(x=held)}, 1, pack)
    image.drop()
    image.keep("a", "x", held)
    assert image.part(1000) is None
