"""Does an approval cover this execution, and if not, by what does the statement go beyond it?

Rules this module keeps:

1. A grant covers an execution iff it was filed, the person, the terminal and the time are the
   approved ones, runs are left, the grain is not finer than approved, and items, prescribers,
   departments and period are inside what was approved (000 art. 5–7, 001 art. 6, 12).
2. What cannot be known (an unknown value, a date that is none, an operator who is not known) is
   not covered. Whatever is not fixed by the statement counts as everything.
3. Every excess is named in a sentence; all are found, not only the first.
4. Coverage is monotone: a statement that selects less than a covered one is covered.
5. The statement's end of a period may be the midnight after the last approved day: half-open
   ranges (`< next day`) are how dates are usually cut. An open or later end is covered while the
   approved last day is not over, because there are no prescriptions of tomorrow.
6. A class of items covers a list only when the list lies in the members written into the approval;
   this module knows no dictionary.
7. A registered report is compared in the same way: known is not approved.
"""

from __future__ import annotations

import datetime
import re

from qingfang.events import Attributed, Meaning, Period, Selection
from qingfang.judge import hours
from qingfang.judge.reasons import GRAINS, Said, few, say
from qingfang.judge.snapshot import Allowed, Calendar, Days, Grant, Report, Scope, Service

FINENESS: dict[str, int] = {"institution": 0, "department": 1, "prescriber": 2, "detail": 3}
SURE = 0.6
"""The least confidence with which an attribution may be used in somebody's favour."""

_DATE = re.compile(r"\s*(\d{4})[-/.]?(\d{1,2})(?:[-/.]?(\d{1,2}))?(?:[T ](.*))?\s*$")


def grant_excess(
    grant: Grant,
    meaning: Meaning,
    *,
    operator: Attributed | None,
    terminal: Attributed | None,
    at_us: int,
    runs: int,
    calendar: Calendar,
) -> tuple[Said, ...]:
    """What the execution goes beyond `grant` by; empty when it is covered. `runs` are those used
    before this one."""
    return (
        *holder_excess(
            grant, operator=operator, terminal=terminal, at_us=at_us, runs=runs, calendar=calendar
        ),
        *scope_excess(grant.scope, meaning, at_us, calendar),
    )


def holder_excess(
    grant: Grant,
    *,
    operator: Attributed | None,
    terminal: Attributed | None,
    at_us: int,
    runs: int,
    calendar: Calendar,
) -> tuple[Said, ...]:
    """The same but for the scope: is it this person's, here and now?"""
    found: list[Said] = []
    if operator is None or operator.confidence < SURE:
        found.append(say("grant-operator-unsure"))
    elif operator.value != grant.person:
        found.append(say("grant-person"))
    if terminal is None or terminal.confidence < SURE:
        found.append(say("grant-terminal-unsure"))
    elif terminal.value not in grant.terminals:
        found.append(say("grant-terminal"))
    if grant.filed_us is None or not grant.filed_number or grant.filed_us > at_us:
        found.append(say("grant-unfiled"))
    if at_us < grant.valid.from_us:
        found.append(say("grant-early"))
    elif at_us >= grant.valid.to_us:
        found.append(say("grant-expired"))
    elif not hours.within(grant.windows, at_us, calendar.utc_offset_minutes):
        found.append(say("grant-window"))
    if grant.max_runs is not None and runs >= grant.max_runs:
        found.append(say("grant-runs", allowed=grant.max_runs))
    return tuple(found)


def scope_excess(
    scope: Scope, meaning: Meaning, at_us: int, calendar: Calendar
) -> tuple[Said, ...]:
    """What the statement selects beyond an approved scope; empty when it lies inside."""
    found: list[Said] = []
    grain = meaning.grain or "detail"
    if FINENESS[grain] > FINENESS[scope.grain]:
        found.append(say("grain-beyond", granted=GRAINS[scope.grain], asked=GRAINS[grain]))
    if meaning.delivery == "stored" and not scope.stored:
        found.append(say("stored-beyond"))
    selected = meaning.scope
    for name, allowed, selection in (
        ("items", scope.items, selected.items if selected else None),
        ("prescribers", scope.prescribers, selected.prescribers if selected else None),
        ("departments", scope.departments, selected.departments if selected else None),
    ):
        if allowed.kind == "one":
            if not _single(selection):
                found.append(say(f"{name}-several"))
            continue
        beyond = _beyond(allowed, selection)
        if beyond is None:
            found.append(say(f"{name}-unlimited"))
        elif beyond:
            found.append(say(f"{name}-beyond", extra=few(beyond)))
    today = hours.local(at_us, calendar.utc_offset_minutes)[0]
    if not _period_inside(scope.period, selected.period if selected else None, today):
        granted = f"{scope.period.from_day or '最早'} 至 {scope.period.to_day or '今后'}"
        found.append(say("period-beyond", granted=granted))
    if scope.longest_days is not None:
        asked = _asked_days(selected.period if selected else None, today)
        if asked is None:
            found.append(say("period-open", allowed=scope.longest_days))
        elif asked > scope.longest_days:
            found.append(say("period-long", allowed=scope.longest_days, asked=asked))
    return tuple(found)


def _single(selection: Selection | None) -> bool:
    """Whether one value is named, and known."""
    if selection is None or selection.kind not in ("one", "list"):
        return False
    return len(selection.values) == 1 and selection.values[0].text is not None


def _asked_days(period: Period | None, today: datetime.date) -> int | None:
    """How many days a statement selects, both ends included; None when that cannot be told. An end
    that is open, or lies ahead, is today: there are no prescriptions of tomorrow."""
    first = day_of(period.from_.text) if period is not None and period.from_ else None
    if period is None or first is None:
        return None
    last = today
    if period.to is not None:
        found = day_of(period.to.text)
        if found is None:
            return None
        last = min(found, today)
    return max(1, (last - first).days + 1)


def _beyond(allowed: Allowed, selection: Selection | None) -> list[str] | None:
    """The values selected beyond those allowed; None when the selection has no limit that could be
    compared."""
    if allowed.kind == "all":
        return []
    if selection is None or selection.kind == "all" or not selection.values:
        return None
    if selection.kind == "class":
        if allowed.kind != "class":
            return None
        inside = allowed.values
    else:
        inside = allowed.members if allowed.kind == "class" else allowed.values
    wanted = frozenset(v.strip() for v in inside)
    extra: list[str] = []
    for value in selection.values:
        if value.text is None:
            return None
        if value.text.strip() not in wanted:
            extra.append(value.text)
    return extra


def day_of(text: str | None) -> datetime.date | None:
    """The day that a date or time as text lies on; None when it is no date of the forms 2026-01-31,
    2026/1/31, 20260131, 2026-01 (with or without a time)."""
    match = _DATE.match(text) if text is not None else None
    if match is None:
        return None
    try:
        return datetime.date(int(match[1]), int(match[2]), int(match[3] or 1))
    except ValueError:
        return None


def _period_inside(allowed: Days, period: Period | None, today: datetime.date) -> bool:
    if allowed.from_day is not None:
        start = period.from_ if period else None
        found = day_of(start.text) if start else None
        if found is None or found < datetime.date.fromisoformat(allowed.from_day):
            return False
    if allowed.to_day is not None:
        last = datetime.date.fromisoformat(allowed.to_day)
        end = period.to if period else None
        if today <= last and (end is None or end.text is not None):
            return True
        if end is None:
            return False
        found = day_of(end.text)
        if found is None:
            return False
        if found > last:
            return False
    return True


def report_excess(
    report: Report,
    meaning: Meaning,
    *,
    operator: Attributed | None,
    posts: frozenset[str],
    terminal: Attributed | None,
    granted: bool,
    at_us: int,
    calendar: Calendar,
) -> tuple[Said, ...]:
    """What the execution goes beyond a registered report by; empty when the registration carries it.
    `posts` are the operator's; `granted` tells that one of the report's grants is in force for this
    person at this terminal. Figures of items or classes below the institution need people and
    terminals to be named: a menu is not an approval."""
    found: list[Said] = []
    open_to_all = meaning.subtype == "total" or meaning.grain == "institution"
    if report.grants:
        if not granted:
            found.append(say("report-no-grant"))
    elif not open_to_all and not (report.terminals and (report.persons or report.posts)):
        found.append(say("report-nobody"))
    if report.persons or report.posts:
        if operator is None or operator.confidence < SURE:
            found.append(say("report-operator-unsure"))
        elif operator.value not in report.persons and posts.isdisjoint(report.posts):
            found.append(say("report-person"))
    if report.terminals:
        if terminal is None or terminal.confidence < SURE:
            found.append(say("report-terminal-unsure"))
        elif terminal.value not in report.terminals:
            found.append(say("report-terminal"))
    if not hours.within(report.windows, at_us, calendar.utc_offset_minutes):
        found.append(say("report-window"))
    return (*found, *scope_excess(report.scope, meaning, at_us, calendar))


def service_present(
    service: Service,
    *,
    program: str,
    account: str,
    operator: Attributed | None,
    terminal: Attributed | None,
    at_us: int,
    calendar: Calendar,
) -> bool:
    """True when it is this registered program that sends: from its terminal, at its time."""
    if terminal is None or terminal.confidence < SURE or terminal.value not in service.terminals:
        return False
    if service.program and service.program.casefold() != program.casefold():
        return False
    if service.account and service.account.casefold() != account.casefold():
        return False
    if service.operator and (operator is None or operator.value != service.operator):
        return False
    return hours.within(service.windows, at_us, calendar.utc_offset_minutes)


def service_covers(service: Service, digest: str, tables: frozenset[str]) -> bool:
    """True when the statement is one of the program's, or stays within its tables. `tables` are in
    lower case; a registered name without a schema stands for that table of any."""
    if digest in service.digests:
        return True
    named = frozenset(t.casefold() for t in service.tables)
    return bool(tables) and all(t in named or t.rpartition(".")[2] in named for t in tables)
