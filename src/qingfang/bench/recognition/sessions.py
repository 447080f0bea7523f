"""Attack sessions to be mixed into the stream: the accumulation techniques over an hour, a day, a month,
by one person or two.

Rules this module keeps:

1. The statements are those of the fixtures (`attacks/*.sql`, `sessions/*.sql`); only who sends which of
   them when is drawn, from the seed. A technique with its own calendar (`OWN_TIME`) keeps it.
2. Whoever attacks is a visitor of the hospital's roster with ordinary work around it, at a declared
   terminal; two who share an attack share an office.
3. A technique that reveals by single statements is there too: what counts is that the session is found.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Sequence

from msgspec import Struct

from qingfang.bench.recognition import hospital
from qingfang.bench.recognition.fixtures import Case, techniques
from qingfang.bench.recognition.hospital import FIRST_DAY, Hospital, Staff
from qingfang.bench.recognition.schema import Schema
from qingfang.bench.recognition.workload import Sent, dated

ATTACKS = ("T20", "T21", "T22", "T23", "T24", "T25", "T26", "T27", "T49")
PROCESS = ("T22", "T25", "T89", "T92", "T94", "T95")
OVER = ("hour", "day", "month")
OWN_TIME = {"T25": "month", "T89": "months"}
_HOUR, _DAY = 3600, 86_400
_SPREAD = {"hour": 3000, "day": 7 * _HOUR}
_MONTH_DAYS = 30


class Plan(Struct, frozen=True):
    """One attack to be planted: its case, by whom, over what, and when each statement is sent."""

    name: str
    case: Case
    over: str
    people: tuple[Staff, ...]
    at_us: tuple[int, ...]


def chosen(of: Schema, seed: int) -> list[tuple[Case, str, int]]:
    """Which cases are planted, over what and by how many: each technique over each span by one and
    by two, its texts and kinds in turns."""
    draw = random.Random(seed)
    found: list[tuple[Case, str, int]] = []
    for folder, names in (("attacks", ATTACKS), ("sessions", PROCESS)):
        for name in names:
            cases = [
                case
                for case in techniques(folder)[name].cases(of.dialect)
                if not (case.procedures or case.views or case.synonyms)
            ]
            if not cases:
                continue
            draw.shuffle(cases)
            spans = (OWN_TIME[name],) if name in OWN_TIME else OVER
            for n, over in enumerate(spans):
                for people in (2,) if name == "T92" else (1, 2):
                    found.append((cases[(2 * n + people) % len(cases)], over, people))
    return found


def plans(of: Hospital, wanted: Sequence[tuple[Case, str, int]], seed: int) -> list[Plan]:
    """Who does what when. `of.visitors` must hold two for each of `wanted`."""
    draw = random.Random(seed)
    found: list[Plan] = []
    for n, (case, over, people) in enumerate(wanted):
        # Twins are in one office: an even visitor and the next.
        those = tuple(of.visitors[2 * n : 2 * n + people])
        found.append(Plan(case.technique, case, over, those, _times(case, over, draw)))
    return found


def _times(case: Case, over: str, draw: random.Random) -> tuple[int, ...]:
    count = len(case.steps)
    if over == "months":
        start = hospital.moment(dt.date(2025, 10, 2), 10 * _HOUR)
        return tuple(start + step.after * 1_000_000 for step in case.steps)
    if over == "month":
        first = hospital.moment(FIRST_DAY, 9 * _HOUR)
        each = _MONTH_DAYS * _DAY / max(1, count - 1)
        days = [int(n * each) // _DAY for n in range(count)]
        seconds = [draw.randrange(7 * _HOUR) for _n in range(count)]
        spread = sorted(d * _DAY + s for d, s in zip(days, seconds, strict=True))
        return tuple(first + second * 1_000_000 for second in spread)
    day = FIRST_DAY + dt.timedelta(days=draw.randrange(5))
    start = hospital.moment(day, 9 * _HOUR + draw.randrange(1800))
    each = _SPREAD[over] / max(1, count - 1)
    return tuple(start + int(n * each) * 1_000_000 for n in range(count))


def sent(plan: Plan, of: Schema) -> list[Sent]:
    """The statements of a plan, each with the sign-in before the first of each person. Two people
    take turns, or half each where the technique is to share."""
    found: list[Sent] = []
    signed: set[str] = set()
    for n, (step, at_us) in enumerate(zip(plan.case.steps, plan.at_us, strict=True)):
        half = n * len(plan.people) // len(plan.case.steps)
        staff = plan.people[half if plan.name == "T92" else n % len(plan.people)]
        day = hospital.day_of(at_us)
        if staff.number not in signed:
            signed.add(staff.number)
            before = at_us - 1_000_000
            found.append(Sent(before, staff, hospital.signing_in(of, staff, before), None))
        found.append(Sent(at_us, staff, dated(step.sql, day), step.binds, plan.name))
    return found
