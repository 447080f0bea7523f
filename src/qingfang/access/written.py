"""Weekly windows as people write them, read into the snapshot's own form.

Rules this module keeps:

1. What cannot be read is refused whole, with the number of the line and what was expected there.
2. What `show_…` writes, `read_…` reads back to the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from django.utils.translation import gettext as _

_CLOCK = r"([01]?\d|2[0-4])[:：]([0-5]\d)"
_HOURS = re.compile(rf"{_CLOCK}\s*(?:-|–|—|~|～|至|到)\s*{_CLOCK}")
_WEEKDAYS = {name: str(n) for n, name in enumerate("一二三四五六日", 1)} | {"天": "7"}


class Unreadable(ValueError):
    """`line` is 1-based; the text says what is wrong there."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(_("第 %(line)d 行：%(problem)s") % {"line": line, "problem": problem})
        self.line = line


def _clocks(text: str, line: int) -> list[tuple[str, str]]:
    found = [(f"{int(a):02}:{b}", f"{int(c):02}:{d}") for a, b, c, d in _HOURS.findall(text)]
    rest = _HOURS.sub("", text)
    over = any(clock > "24:00" for pair in found for clock in pair)
    if not found or over or re.search(r"[^\s,，、;；]", rest):
        raise Unreadable(line, _("时间应写成“08:00-12:00”，多段用空格分开。"))
    return found


def read_weekly(text: str) -> list[dict[str, object]]:
    """Weekly windows, one a line: `1-5 08:00-17:30`, `周一至周五 08:00-12:00 14:00-17:00`,
    `每天 22:00-02:00` (over midnight). Gives `judge.snapshot.Weekly` as plain data."""
    found: list[dict[str, object]] = []
    for number, written in enumerate(text.splitlines(), 1):
        line = written.strip()
        if not line:
            continue
        days, _space, rest = line.partition(" ")
        weekdays = _weekdays(days, number)
        for start, end in _clocks(rest, number):
            if start in (end, "24:00"):
                raise Unreadable(number, _("时间应写成“08:00-12:00”，多段用空格分开。"))
            found.append({"weekdays": weekdays, "from_time": start, "to_time": end})
    return found


def _weekdays(text: str, line: int) -> list[int]:
    if text in ("每天", "每日", "daily"):
        return [1, 2, 3, 4, 5, 6, 7]
    plain = re.sub(r"周|星期|礼拜", "", text)
    plain = "".join(_WEEKDAYS.get(letter, letter) for letter in plain)
    found: set[int] = set()
    for part in re.split(r"[,，、]", plain):
        match = re.fullmatch(r"([1-7])(?:[-–—~～至到]([1-7]))?", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if last < first:
            raise Unreadable(line, _("星期应写成“1-5”“周一至周五”“1,3,5”或“每天”。"))
        found.update(range(first, last + 1))
    return sorted(found)


def show_weekly(windows: Iterable[dict[str, object]]) -> str:
    """One window a line, as `read_weekly` reads it. Fields left out have the form's defaults."""
    lines = []
    for window in windows:
        given = window.get("weekdays", (1, 2, 3, 4, 5, 6, 7))
        assert isinstance(given, (list, tuple))
        days = ",".join(str(day) for day in given)
        lines.append(f"{days} {window.get('from_time', '00:00')}-{window.get('to_time', '24:00')}")
    return "\n".join(lines)
