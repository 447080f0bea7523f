"""What judging holds together: memory by person and by place, over whoever signs in there."""

from __future__ import annotations

from qingfang.engine.judging import Judging
from qingfang.events import Connection, Meaning, Pin, Value, Yield

AT_US = 1_795_000_000_000_000
SECOND_US = 1_000_000


def patient(number: int) -> Meaning:
    """One patient's lines."""
    pin = Pin("patient_id", "rx", (Value(f"{number % 2}{number * 7919 % 9973}"),))
    held = Yield(("rx",), ("item_id", "quantity"), ("rx.no",), (), True, False, True)
    return Meaning("clinical", subtype="pinned", pins=(pin,), yields=(held,))


def play(persons: list[str], each: int, client: str = "10.0.3.3") -> set[str]:
    """Each in turn opens as many patients, over a connection of their own; the codes that came."""
    judging = Judging("h")
    codes: set[str] = set()
    for turn, person in enumerate(persons):
        connection = Connection(
            *(f"c{turn}", "h", "n", "gateway", "pg", "s:1", f"{client}:{5000 + turn}"),
            opened_us=AT_US,
        )
        for n in range(each):
            number = turn * each + n
            meaning = patient(number)
            if n == 0:
                signs_in = Meaning("none", operator=Value(person))
                judging.judge(connection, signs_in, AT_US + number * SECOND_US, b"in")
            told = judging.judge(connection, meaning, AT_US + number * SECOND_US, b"t")
            codes.update(told.verdict.codes)
    return codes


def test_changing_names_at_an_address_that_nobody_declared_does_not_begin_anew() -> None:
    assert "scan-hour" in play(["A", "B", "C"], 20)
    # The same by one person, and less of it by three.
    assert "scan-hour" in play(["A"], 60)
    assert play(["A", "B", "C"], 10) == set()


def test_an_address_where_many_work_in_turns_is_a_servers() -> None:
    assert play(["A", "B", "C", "A", "B", "C"] * 5, 4) == set()
