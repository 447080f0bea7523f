"""Constants are folded, periods measured, and a cached answer is asked for its conditions."""

import pytest
import sqlglot
from hypothesis import given
from hypothesis import strategies as st

from qingfang.events import Value
from qingfang.understand.predicates import (
    Condition,
    Const,
    Reading,
    array_items,
    day_test,
    fold,
    holds,
    like,
    same_value,
    within_day,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("'YP'||CHR(48)||'07'", "YP007"),
        ("CONCAT('a','b','c')", "abc"),
        ("2+3", "5"),
        ("-7", "-7"),
        ("UPPER('yp')", "YP"),
        ("REPLACE('Y-P','-','')", "YP"),
        ("SUBSTRING('XYP007',2,5)", "YP007"),
        ("CAST('5' AS int)", "5"),
        ("DATE '2026-01-20'", "2026-01-20"),
        ("md5('x')", None),
    ],
)
def test_constants_fold(text: str, value: str | None) -> None:
    node = sqlglot.parse_one(f"SELECT {text}", dialect="postgres").expressions[0]
    const = fold(node, Reading(None), True)
    assert const is not None and const.text == value


def test_a_column_is_no_constant_and_a_computed_literal_is_bound() -> None:
    select = sqlglot.parse_one("SELECT a || 'x', 'y', 'p' || 'q'", dialect="postgres")
    reading = Reading(None)
    first, second, third = (fold(node, reading, True) for node in select.expressions)
    assert first is None
    assert second is not None and second.literals == (17,)
    assert third is not None and third.literals == (22, 29)
    assert reading.fixed == {22, 29}


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


def test_a_range_records_what_it_rests_on() -> None:
    reading = Reading(None)
    low, high = Const("2026-01-20", (10,)), Const("2026-01-21", (30,))
    assert day_test(low, high, True, reading)
    (condition,) = reading.conditions
    assert holds(condition, ["2026-05-01", "2026-05-02"])
    assert not holds(condition, ["2026-05-01", "2026-05-03"])
    assert not holds(condition, [None, "2026-05-03"])
    assert day_test(Const(clock=0.0, whole=True), None, False, reading)
    assert not day_test(Const(clock=-2.0), None, False, reading)


def test_conditions_on_bound_values() -> None:
    known = Condition("known", (Value(None, (), (0,)),), False)
    assert holds(known, [None]) and not holds(known, ["x"])
    few = Condition("few", (Value("{1,2}", (), (0,)),), True)
    assert holds(few, ["{1,2,3}"]) and not holds(few, ["{1,2,3,4,5,6,7,8,9,10,11}"])
    assert not holds(few, [None]) and not holds(few, ["x"])


def test_values_as_databases_compare_them() -> None:
    assert same_value("1", "1.0") and same_value("t", "1") and same_value("YP1 ", "yp1")
    assert not same_value("017", "17x")
    assert like("YP007", "YP%") and like("a_b", "a_b") and not like("XYP", "YP%")
    assert array_items("{a, b}") == ["a", "b"] and array_items("{}") == []
    assert array_items("a,b") is None


@given(st.text(max_size=30), st.text(max_size=30))
def test_like_never_raises(text: str, pattern: str) -> None:
    assert like(text, pattern) in {True, False}
    assert like(text, "%")
