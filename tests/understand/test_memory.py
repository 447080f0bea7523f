"""Whom memory holds when there is not room for all, and that it tells whom it forgot."""

import pytest
from msgspec import Raw

from qingfang.events import Meaning, Pin, Value
from qingfang.image import Entry
from qingfang.understand.accumulate import DAY, Learner, Limits, Memory

NINE = 1_768_870_800_000_000


def read(key: str) -> Meaning:
    pin = Pin("patient_id", "br", (Value(key),))
    return Meaning("clinical", subtype="pinned", pins=(pin,))


def names(memory: Memory, table: str) -> list[str]:
    image = memory.image()
    entries: list[Entry] = []
    while (part := image.part(1000)) is not None:
        entries += part
    return [e.name for e in sorted(entries, key=lambda e: e.turn) if e.table == table]


def test_without_room_who_was_idle_longest_is_forgotten_and_counted() -> None:
    memory = Memory(awake=2, room=5_000)
    for n in range(100):
        memory.take(read(f"P{n}"), Learner(person=f"p{n}"), NINE + n)
    held = names(memory, "persons")
    assert held == [f"p{n}" for n in range(100 - len(held), 100)], "the latest stay"
    assert 3 < len(held) < 60
    assert memory.forgotten == 100 - len(held)
    assert memory.displaced == [("persons", f"p{n}") for n in range(100 - len(held))]


def test_with_room_nobody_is_forgotten() -> None:
    memory = Memory(awake=2, room=1_000_000)
    for n in range(100):
        memory.take(read(f"P{n}"), Learner(person=f"p{n}"), NINE + n)
    assert len(names(memory, "persons")) == 100
    assert (memory.forgotten, memory.displaced) == (0, [])


def test_beyond_the_number_allowed_only_what_still_counted_is_told() -> None:
    memory = Memory(Limits(persons=3, sessions=2))
    for n in range(5):
        memory.take(read("P"), Learner(session=f"s{n}", person=f"p{n}"), NINE + n)
    assert memory.forgotten == 2, "sessions end every day"
    for n in range(5, 8):
        memory.take(read("P"), Learner(person=f"p{n}"), NINE + 40 * DAY)
    assert memory.forgotten == 2, "what they learned was out of the window"


def test_those_worked_with_are_bounded_by_their_size() -> None:
    """The same findings, however few are held as they are worked with."""
    roomy, narrow = Memory(), Memory(awake_bytes=2_000)
    for n in range(400):
        learner = Learner(session=f"s{n % 3}", person=f"p{n % 20}")
        meaning = read(f"P{n * 7}")
        assert roomy.take(meaning, learner, NINE + n) == narrow.take(meaning, learner, NINE + n)
    assert roomy.dump() == narrow.dump()


def test_a_table_that_is_none_is_refused_and_changes_nothing() -> None:
    memory = Memory()
    memory.take(read("P1"), Learner(person="p1"), NINE)
    before = memory.dump()
    with pytest.raises(ValueError, match="others"):
        memory.restore([Entry("others", "x", 1, Raw(b"\x80"))])
    assert memory.dump() == before
