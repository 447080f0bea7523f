"""Periods are measured, and a cached answer is asked for its conditions."""

import pytest

from qingfang.events import Value
from qingfang.understand.holding import (
    Condition,
    array_items,
    day_before,
    equal,
    holds,
    is_midnight,
    within_day,
)


@pytest.mark.parametrize(
    ("low", "high", "inclusive", "answer"),
    [
        ("2026-01-20", "2026-01-20", True, True),
        ("2026-01-20", "2026-01-21", True, False),
        ("2026-01-20", "2026-01-21", False, True),
        ("2026-01-20", "2026-01-20 23:59:59", True, True),
        ("2026-01-20 08:00", "2026-01-21 08:00", True, True),
        ("2026-01-20 08:00", "2026-01-21 08:01", False, False),
        ("20260120", "20260121", False, True),
        ("2026-01-20", "soon", False, False),
        ("2026-02-30", "2026-03-01", False, False),
    ],
)
def test_a_day_is_24_hours(low: str, high: str, inclusive: bool, answer: bool) -> None:
    assert within_day(low, high, inclusive=inclusive) is answer


def test_conditions_on_bound_values() -> None:
    known = Condition("known", (Value(None, (), (0,)),), False)
    assert holds(known, [None]) and not holds(known, ["x"])
    few = Condition("few", (Value("{1,2}", (), (0,)),), True)
    assert holds(few, ["{1,2,3}"]) and not holds(few, ["{1,2,3,4,5,6,7,8,9,10,11}"])
    assert not holds(few, [None]) and not holds(few, ["x"])


@pytest.mark.parametrize(
    ("left", "right", "answer"),
    [
        ("a", "a", True),
        ("a", "b", False),
        ("a", "A ", None),
        ("ＹＰ", "yp", None),
        ("1", "2", False),
        ("1", "1.0", None),
        ("a", "0", None),
        ("12a", "12", None),
        ("ALL", "123", False),
        ("yes", "1", None),
        ("2026-01-01", "2026-1-1", None),
        ("2026-01-01", "2026-01-02", False),
    ],
)
def test_equal_only_where_every_server_agrees(left: str, right: str, answer: bool | None) -> None:
    assert equal(left, right) is answer and equal(right, left) is answer
    apart = Condition("apart", (Value(left, (1,)), Value(right, (9,))), answer is False)
    assert holds(apart, [left, right]) and holds(apart, [left, None]) is not (answer is False)


def test_lists_as_they_are_bound() -> None:
    assert array_items("{a, b}") == ["a", "b"] and array_items("{}") == []
    assert array_items("a,b") is None


@pytest.mark.parametrize(
    ("text", "before"),
    [
        ("2026-11-01", "2026-10-31"),
        ("2026-03-01 00:00:00", "2026-02-28"),
        ("20260101", "2025-12-31"),
        ("2026.1.1 00:00:00.000", "2025-12-31"),
        ("2026-11-01 00:00:00.5", None),
        ("2026-11-01 08:00", None),
        ("0001-01-01", None),
        ("上月", None),
        (None, None),
    ],
)
def test_what_ends_before_a_midnight_ends_the_day_before(
    text: str | None, before: str | None
) -> None:
    assert is_midnight(text) is (before is not None)
    if text is not None and before is not None:
        assert day_before(text) == before
