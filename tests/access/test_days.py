"""Working days and hours, as people write them."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qingfang.access import days
from qingfang.access.days import Special, Unreadable

TEXT = """\
# 合成数据
2026-10-01..2026-10-03 休 国庆节
2026-10-10 班 调休

2026-12-31 休
"""


def test_a_year_is_read_and_written_back() -> None:
    found = days.read_days(TEXT)
    assert [(d.day.day, d.working, d.note) for d in found] == [
        (1, False, "国庆节"),
        (2, False, "国庆节"),
        (3, False, "国庆节"),
        (10, True, "调休"),
        (31, False, ""),
    ]
    assert days.write_days(found).splitlines() == [
        "2026-10-01..2026-10-03 休 国庆节",
        "2026-10-10 班 调休",
        "2026-12-31 休",
    ]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("2026-10-01", "form"),
        ("2026-10-01 放假", "kind"),
        ("10月1日 休", "date"),
        ("2026-02-30 休", "date"),
        ("2026-10-07..2026-10-01 休", "span"),
        ("2026-01-01..2026-12-31 休", "span"),
        ("2026-12-31 班", "twice"),
    ],
)
def test_the_line_that_is_wrong_is_named(line: str, fault: str) -> None:
    with pytest.raises(Unreadable) as caught:
        days.read_days(TEXT + line)
    assert (caught.value.fault, caught.value.line) == (fault, 6)


def test_hours_and_weekdays() -> None:
    assert days.read_hours("13:30-17:30，8:00-12:00") == [["08:00", "12:00"], ["13:30", "17:30"]]
    assert days.write_hours(days.read_hours("8:00-24:00")) == "08:00-24:00"
    assert days.read_weekdays("1-5") == [1, 2, 3, 4, 5]
    assert days.read_weekdays("6, 1-2") == [1, 2, 6]
    for wrong in ("", "12:00-08:00", "8-12", "08:00-25:00", "08:00-12:00 11:00-13:00"):
        with pytest.raises(Unreadable):
            days.read_hours(wrong)
    for wrong in ("", "0-5", "5-1", "8", "周一"):
        with pytest.raises(Unreadable):
            days.read_weekdays(wrong)


@given(
    st.dictionaries(
        st.dates(dt.date(2026, 1, 1), dt.date(2026, 3, 1)),
        st.tuples(st.booleans(), st.sampled_from(["", "调休", "春节 放假"])),
    )
)
def test_what_is_written_reads_the_same(known: dict[dt.date, tuple[bool, str]]) -> None:
    wanted = [Special(day, *known[day]) for day in sorted(known)]
    assert days.read_days(days.write_days(wanted)) == wanted
