"""Weekly windows as people write them."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qingfang.access import written
from qingfang.judge.snapshot import Weekly


def test_weekly_windows() -> None:
    found = written.read_weekly(
        "周一至周五 08:00-12:00 14:00-17:30\n每天 22:00-02:00\n一、三 6:00-7:00"
    )
    assert [w["weekdays"] for w in found] == [
        [1, 2, 3, 4, 5],
        [1, 2, 3, 4, 5],
        [1, 2, 3, 4, 5, 6, 7],
        [1, 3],
    ]
    assert found[3]["from_time"] == "06:00"


@pytest.mark.parametrize(
    "text", ["周五至周一 08:00-12:00", "8 08:00-12:00", "周一", "1-5 09:00-09:00"]
)
def test_windows_that_are_none_name_the_line(text: str) -> None:
    with pytest.raises(written.Unreadable) as problem:
        written.read_weekly(f"每天 08:00-09:00\n{text}")
    assert problem.value.line == 2


CLOCK = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59))


@given(
    st.lists(
        st.builds(
            lambda days, a, b: {"weekdays": sorted(days), "from_time": a, "to_time": b},
            st.sets(st.integers(1, 7), min_size=1),
            CLOCK,
            CLOCK,
        ).filter(lambda w: w["from_time"] != w["to_time"])
    )
)
def test_what_is_shown_reads_back_to_the_same(windows: list[dict[str, object]]) -> None:
    assert written.read_weekly(written.show_weekly(windows)) == windows
    msgspec.convert(windows, tuple[Weekly, ...])
