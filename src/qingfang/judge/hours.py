"""Local days and hours without a clock: when is it working time, when does a weekly window hold.

Rules this module keeps:

1. Time comes in as microseconds UTC; the offset to local time comes from the snapshot's calendar
   (China has one zone and no summer time), so the machine's own zone decides nothing.
2. A window whose end is before its start goes over midnight and belongs to the day it starts on.
3. Windows and hours include their start and exclude their end.
"""

from __future__ import annotations

import datetime

from qingfang.judge.snapshot import Calendar, Weekly

_MINUTE_US = 60_000_000
_EPOCH_ORDINAL = 719_163


def local(at_us: int, offset_minutes: int) -> tuple[datetime.date, int]:
    """The local day, and the minute within it."""
    days, minute = divmod(at_us // _MINUTE_US + offset_minutes, 1440)
    return datetime.date.fromordinal(_EPOCH_ORDINAL + days), minute


def minutes(clock: str) -> int:
    """`08:30` as minutes since midnight."""
    return int(clock[:2]) * 60 + int(clock[3:])


def within(windows: tuple[Weekly, ...], at_us: int, offset_minutes: int) -> bool:
    """True when one of the windows holds; no windows at all are no restriction."""
    if not windows:
        return True
    day, minute = local(at_us, offset_minutes)
    for window in windows:
        start, end = minutes(window.from_time), minutes(window.to_time)
        today, yesterday = day.isoweekday(), (day.isoweekday() - 2) % 7 + 1
        if start < end:
            if today in window.weekdays and start <= minute < end:
                return True
        elif (today in window.weekdays and minute >= start) or (
            yesterday in window.weekdays and minute < end
        ):
            return True
    return False


def working(calendar: Calendar, at_us: int) -> bool:
    """True in working hours of a working day."""
    day, minute = local(at_us, calendar.utc_offset_minutes)
    text = day.isoformat()
    if text in calendar.holidays:
        return False
    if day.isoweekday() not in calendar.weekdays and text not in calendar.workdays:
        return False
    return any(minutes(a) <= minute < minutes(b) for a, b in calendar.hours)
