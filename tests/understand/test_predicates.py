"""Values are compared as databases do, and ranges say what their answer rests on."""

from hypothesis import given
from hypothesis import strategies as st

from qingfang.understand.folding import Const, Reading
from qingfang.understand.holding import holds
from qingfang.understand.predicates import day_test, like, same_value


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


def test_values_as_databases_compare_them() -> None:
    assert same_value("1", "1.0") and same_value("t", "1") and same_value("YP1 ", "yp1")
    assert not same_value("017", "17x")
    assert like("YP007", "YP%") and like("a_b", "a_b") and not like("XYP", "YP%")


@given(st.text(max_size=30), st.text(max_size=30))
def test_like_never_raises(text: str, pattern: str) -> None:
    assert like(text, pattern) in {True, False}
    assert like(text, "%")
