"""Days, hours and weekly windows as people write them."""

from __future__ import annotations

import datetime as dt

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qingfang.access import written
from qingfang.judge import hours
from qingfang.judge.snapshot import Calendar, Weekly

YEAR = """\
# 合成数据，不是真实的放假安排
2026-10-01 至 2026-10-03 休 国庆节
2026年10月10日 班 国庆调休
2026/1/1 off New Year
"""


def test_a_years_list() -> None:
    found = written.read_days(YEAR)
    assert sorted(found) == [
        dt.date(2026, 1, 1),
        *(dt.date(2026, 10, n) for n in (1, 2, 3)),
        dt.date(2026, 10, 10),
    ]
    assert found[dt.date(2026, 10, 2)] == (False, "国庆节")
    assert found[dt.date(2026, 10, 10)] == (True, "国庆调休")


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("2026-10-01 休\n国庆节", 2, "应写成"),
        ("2026-02-30 休", 1, "没有这一天"),
        ("\n2026-10-07 至 2026-10-01 休", 2, "早于"),
        ("2026-01-01 至 2026-12-31 休", 1, "60"),
        ("2026-10-01 至 2026-10-07 休\n2026-10-05 班", 2, "相反"),
        ("2026-10-01", 1, "应写成"),
    ],
)
def test_a_list_that_cannot_be_read_names_the_line(text: str, line: int, says: str) -> None:
    with pytest.raises(written.Unreadable, match=says) as problem:
        written.read_days(text)
    assert problem.value.line == line


def test_hours() -> None:
    found = written.read_hours("13:30–17:30, 8:00-12:00")
    assert found == [["08:00", "12:00"], ["13:30", "17:30"]]
    assert written.read_hours(written.show_hours(found)) == found
    calendar = msgspec.convert({"hours": found}, Calendar)
    monday = int(dt.datetime(2026, 3, 2, 12, 30, tzinfo=dt.UTC).timestamp()) * 1_000_000
    assert not hours.working(calendar, monday)


@pytest.mark.parametrize(
    "text", ["", "8 to 12", "12:00-08:00", "08:00-12:00 11:00-13:00", "08:00-24:30"]
)
def test_hours_that_are_none(text: str) -> None:
    with pytest.raises(written.Unreadable):
        written.read_hours(text)


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
