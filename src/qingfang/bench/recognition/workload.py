"""The benign stream: a block of a hospital at work, day after day, statement by statement.

Rules this module keeps:

1. What is done at each post is text (`work.txt`), over the placeholders of `schema`; this module only
   draws who, when and for whom. The same seed gives the same stream.
2. Statements come in the order of time over all posts of a hospital, because what people learn adds up.
3. Work follows the patient: who was seen this morning is charged, dispensed and uploaded afterwards;
   prescriptions are numbered in the order in which they are written, as hospitals do.
4. Look-alikes (`lookalikes/*.sql`) are sent by those whose work they are (`hospital.PLACES`), with the
   dates of the day.
"""

from __future__ import annotations

import datetime as dt
import itertools
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import NamedTuple

from qingfang.bench.recognition import hospital
from qingfang.bench.recognition.fixtures import techniques
from qingfang.bench.recognition.hospital import (
    DAYS,
    FIRST_DAY,
    PLACES,
    PROGRAMS,
    VENDOR,
    Hospital,
    Staff,
)
from qingfang.bench.recognition.schema import DIALECTS, Schema, date, literal, render

_FILE = Path(__file__).parent / "work.txt"
_MARK = re.compile(r"\{\$(\w+)\}")
_PLACE = re.compile(r"\ue000(\w+)\ue001")
_OPTIONS = re.compile(r"\[([^\]]*)\] ")
_MARKS = {"oracle": ":{}", "tsql": "@P{}", "mysql": "?", "postgres": "${}"}
_WRITTEN_FOR = re.compile("2026-01-2[01]")
_BARE = frozenset({"n", "qty"})
_DATES = frozenset({"today", "tomorrow", "yesterday", "monthstart", "monthend", "lastmonth"})
_BEGIN = {"tsql": "BEGIN TRAN", "mysql": "START TRANSACTION", "postgres": "BEGIN"}
_COMMIT = {"tsql": "COMMIT TRAN"}
_CLOCK = {
    "oracle": "SELECT SYSDATE FROM DUAL",
    "tsql": "SELECT GETDATE()",
    "mysql": "SELECT NOW()",
    "postgres": "SELECT now()",
}
_WARDS, _BEDS, _ITEMS, _WINDOWS, _ARCHIVE = 9, 30, 800, 3, 400_000
_LOOKALIKE_SHARE = 0.3
_NIGHT, _MORNING = 2 * 3600, 9 * 3600
_DISCHARGED = 0.1


class Sent(NamedTuple):
    """One statement under way. `technique` names the look-alike it is, or the planted attack."""

    at_us: int
    staff: Staff
    sql: str
    binds: tuple[str | None, ...] | None
    technique: str = ""


class _Line(NamedTuple):
    sql: str
    chance: float
    times: tuple[int, int]
    only: tuple[str, ...]
    kind: str


@dataclass
class _Job:
    name: str
    count: int
    whom: str
    transaction: bool = False
    weekend: bool = False
    at: int | None = None
    gap: int = 1
    lines: list[_Line] = field(default_factory=list)


@dataclass
class _Post:
    name: str
    bound: bool
    shifts: list[tuple[int, int]]
    jobs: list[_Job] = field(default_factory=list)


def _clock(text: str) -> int:
    hours, _colon, minutes = text.partition(":")
    return int(hours) * 3600 + int(minutes) * 60


def _span(text: str) -> tuple[int, int]:
    low, _dash, high = text.partition("-")
    return int(low), int(high or low)


@cache
def posts() -> dict[str, _Post]:
    """`work.txt`, read. Raises ValueError naming the line."""
    found: dict[str, _Post] = {}
    post: _Post | None = None
    for number, raw in enumerate(_FILE.read_text(encoding="utf-8").splitlines(), 1):
        if not raw.strip() or raw.startswith("#"):
            continue
        try:
            if raw.startswith("== "):
                name, bound, *shifts = raw[3:].split()
                spans = [shift.split("-") for shift in shifts]
                post = _Post(name, bound == "bind", [(_clock(a), _clock(b)) for a, b in spans])
                found[name] = post
            elif post is None:
                raise ValueError("== 岗位 应在最前")
            elif raw.startswith("-- "):
                post.jobs.append(_job(raw[3:]))
            elif raw.startswith("  "):
                last = post.jobs[-1].lines[-1]
                post.jobs[-1].lines[-1] = last._replace(sql=f"{last.sql} {raw.strip()}")
            else:
                post.jobs[-1].lines.append(_line(raw))
        except (ValueError, IndexError, KeyError) as error:
            raise ValueError(f"{_FILE.name}:{number}: {error}") from None
    return found


def _job(text: str) -> _Job:
    name, count, rest = (part.strip() for part in text.split("|"))
    whom, *options = rest.split()
    job = _Job(name, int(count), whom)
    for option in options:
        key, _sign, value = option.partition("=")
        if key == "at":
            job.at = _clock(value)
        elif key == "gap":
            job.gap = int(value)
        elif option == "tx":
            job.transaction = True
        elif option == "weekend":
            job.weekend = True
        else:
            raise ValueError(f"没有选项 {option}")
    return job


def _line(text: str) -> _Line:
    found = _OPTIONS.match(text)
    options = dict(o.split("=") for o in found[1].split()) if found else {}
    strange = options.keys() - {"chance", "times", "only", "kind"}
    if strange:
        raise ValueError(f"没有选项 {sorted(strange)}")
    return _Line(
        text[found.end() :] if found else text,
        float(options.get("chance", "1")),
        _span(options.get("times", "1")),
        tuple(options.get("only", ",".join(DIALECTS)).split(",")),
        options.get("kind", "drug"),
    )


class _Patient(NamedTuple):
    patient: int
    visit: int
    rx: int
    doctor: int


class _Statement:
    """A line rendered for one dialect: the pieces between the marks."""

    def __init__(self, sql: str, of: Schema, kind: str, bound: bool) -> None:
        marked = _MARK.sub(lambda found: f"\ue000{found[1]}\ue001", sql)
        text = render(marked, of, "material" if kind == "material" else "drug")
        parts = _PLACE.split(text)
        self.names = parts[1::2]
        self.pieces = parts[::2]
        self.bound = bound and bool(self.names)
        if self.bound:
            mark = _MARKS[of.dialect]
            marks = [mark.format(n) for n in range(1, len(self.names) + 1)]
            self.whole = "".join(itertools.chain(*zip(self.pieces, [*marks, ""], strict=True)))

    def of(self, values: _Values) -> tuple[str, tuple[str | None, ...] | None]:
        if self.bound:
            return self.whole, tuple([values[name] for name in self.names])
        if not self.names:
            return self.pieces[0], None
        made = [self.pieces[0]]
        for name, piece in zip(self.names, self.pieces[1:], strict=True):
            value = values[name]
            if name in _DATES:
                value = date(value, values.dialect)
            elif name not in _BARE:
                value = literal(value)
            made += (value, piece)
        return "".join(made), None


class _Values(dict[str, str]):
    """The marks of one piece of work; new numbers and items are drawn when asked for."""

    def __init__(self, make: Workload, given: dict[str, str]) -> None:
        super().__init__(given)
        self._make = make
        self.dialect = make.schema.dialect

    def __missing__(self, name: str) -> str:
        make, code = self._make, self._make.schema.code
        drawn = make.random.random()
        if name == "n":
            return str(next(make.numbers))
        if name == "qty":
            return str(1 + int(drawn * 9))
        if name in {"item", "item2"}:
            return code("item", 1 + int(drawn * drawn * _ITEMS))
        if name == "material":
            return code("material", 1 + int(drawn * _ITEMS))
        raise KeyError(name)


class Workload:
    """The benign work of one hospital."""

    def __init__(self, of: Hospital, seed: int) -> None:
        self.hospital, self.schema = of, of.schema
        self.random = random.Random(seed)
        self.numbers = itertools.count(500_001)
        self._rx = itertools.count(100_001)
        self._visits = itertools.count(200_001)
        self._beds: dict[int, list[_Patient]] = {
            ward: [self._admitted() for _bed in range(_BEDS)] for ward in range(1, _WARDS + 1)
        }
        self._statements: dict[tuple[str, bool], _Statement] = {}
        self._lookalikes = self._read_lookalikes()

    def _admitted(self) -> _Patient:
        patient = self.random.randrange(1, _ARCHIVE)
        return _Patient(patient, next(self._visits), next(self._rx), 0)

    def days(self) -> Iterator[Sent]:
        """Day after day, for a month, in the order of time."""
        for number in range(DAYS):
            yield from self.day(FIRST_DAY + dt.timedelta(days=number))

    def day(self, day: dt.date) -> list[Sent]:
        """One day's statements in the order of time."""
        weekend = day.isoweekday() > 5
        sent: list[Sent] = []
        for beds in self._beds.values():
            for bed in range(_BEDS):
                if self.random.random() < _DISCHARGED:
                    beds[bed] = self._admitted()
        seen = [] if weekend else self._clinics(day)
        waiting = seen or [(0, p) for beds in self._beds.values() for p in beds]
        for staff in self.hospital.staff:
            post = posts().get(staff.post)
            if post is not None:
                mine = [p for _at, p in seen if p.doctor == int(self._number_of(staff))]
                self._shift(sent, day, staff, post, mine, waiting, weekend=weekend)
        for name, (program, address) in PROGRAMS.items():
            post = posts().get(name)
            if post is not None:
                server = server_of(name, program, address)
                self._shift(sent, day, server, post, [], waiting, weekend=weekend)
        if not weekend:
            self._looking_alike(sent, day)
        sent.sort(key=lambda s: s.at_us)
        return sent

    def _number_of(self, staff: Staff) -> int:
        return self.hospital.staff.index(staff) + 1

    def _clinics(self, day: dt.date) -> list[tuple[int, _Patient]]:
        """The day's out-patients in the order in which they are seen."""
        doctors = self.hospital.at("clinic-doctor")
        job = next(j for j in posts()["clinic-doctor"].jobs if j.whom == "own")
        found: list[tuple[int, _Patient]] = []
        for n in range(job.count * len(doctors)):
            staff = doctors[n % len(doctors)]
            patient = self.random.randrange(1, _ARCHIVE)
            made = _Patient(patient, next(self._visits), next(self._rx), self._number_of(staff))
            found.append((n, made))
        return found

    def _shift(
        self,
        sent: list[Sent],
        day: dt.date,
        staff: Staff,
        post: _Post,
        mine: list[_Patient],
        waiting: list[tuple[int, _Patient]],
        *,
        weekend: bool,
    ) -> None:
        share = 0.1 if staff.index >= 1000 else 1.0
        length = sum(end - start for start, end in post.shifts)
        plan: list[tuple[float, _Job, int]] = []
        for job in post.jobs:
            if weekend and not job.weekend:
                continue
            count = max(1, round(job.count * share)) if job.count > 1 else 1
            for n in range(count):
                place = (n + self.random.random()) / count * length
                plan.append((-1.0 if job.at is not None else place, job, n))
        plan.sort(key=lambda p: p[0])
        turn = staff.index % 1000
        for place, job, n in plan:
            if job.at is not None:
                second = job.at
            else:
                second = _within(post.shifts, place)
            whom = self._whom(job, staff, n, mine, waiting, turn, place / length)
            self._do(sent, day, second, staff, post, job, whom)

    def _whom(
        self,
        job: _Job,
        staff: Staff,
        n: int,
        mine: list[_Patient],
        waiting: list[tuple[int, _Patient]],
        turn: int,
        progress: float,
    ) -> _Patient | None:
        if job.whom == "none":
            return None
        if job.whom == "own" and mine:
            return mine[n % len(mine)]
        if job.whom == "ward":
            ward = staff.department
            if staff.post in {"ward-pharmacy", "insurance", "theatre", "infection"}:
                ward = 1 + n % _WARDS
            return self._beds[ward][self.random.randrange(_BEDS) if turn else n % _BEDS]
        if job.whom == "seen":
            # A little behind the doctors, and everybody takes whoever comes to their window.
            colleagues = max(1, len(self.hospital.at(staff.post)))
            behind = int(max(0.0, progress) * len(waiting))
            return waiting[min(len(waiting) - 1, behind - behind % colleagues + turn % colleagues)][
                1
            ]
        return self._admitted()

    def _do(
        self,
        sent: list[Sent],
        day: dt.date,
        second: int,
        staff: Staff,
        post: _Post,
        job: _Job,
        whom: _Patient | None,
    ) -> None:
        values = self._values(day, staff, whom)
        dialect = self.schema.dialect
        at_us = hospital.moment(day, second) + self.random.randrange(1_000_000)
        add = sent.append
        if job.transaction:
            if dialect in _BEGIN:
                add(Sent(at_us, staff, _BEGIN[dialect], None))
            add(Sent(at_us + 1000, staff, _CLOCK[dialect], None))
        for line in job.lines:
            if dialect not in line.only or (line.chance < 1 and self.random.random() > line.chance):
                continue
            statement = self._statement(line, bound=post.bound)
            for _time in range(self.random.randint(*line.times)):
                at_us += 1 + int(job.gap * 1_000_000 * self.random.random())
                sql, binds = statement.of(values)
                add(Sent(at_us, staff, sql, binds))
        if job.transaction:
            add(Sent(at_us + 1000, staff, _COMMIT.get(dialect, "COMMIT"), None))

    def _statement(self, line: _Line, *, bound: bool) -> _Statement:
        made = self._statements.get((line.sql, bound))
        if made is None:
            made = _Statement(line.sql, self.schema, line.kind, bound)
            self._statements[line.sql, bound] = made
        return made

    def _values(self, day: dt.date, staff: Staff, whom: _Patient | None) -> _Values:
        code = self.schema.code
        given = {
            "me": staff.number,
            "station": staff.terminal,
            "dept": code("dept", staff.department),
            "ward": code("ward", staff.department),
            "anyward": code("ward", self.random.randrange(1, _WARDS + 1)),
            "window": code("window", 1 + staff.index % _WINDOWS),
            "today": day.isoformat(),
            "tomorrow": (day + dt.timedelta(days=1)).isoformat(),
            "yesterday": (day - dt.timedelta(days=1)).isoformat(),
            "monthstart": day.replace(day=1).isoformat(),
            "monthend": (day.replace(day=28) + dt.timedelta(days=4)).replace(day=1).isoformat(),
            "order": code("rx", next(self.numbers)),
        }
        if whom is not None:
            given["patient"] = code("patient", whom.patient)
            given["visit"] = code("visit", whom.visit)
            given["rx"] = code("rx", whom.rx)
        return _Values(self, given)

    # ---------------------------------------------------------- look-alikes

    def _read_lookalikes(self) -> list[tuple[str, list[tuple[str, tuple[str | None, ...] | None]]]]:
        found: list[tuple[str, list[tuple[str, tuple[str | None, ...] | None]]]] = []
        for name, technique in techniques("lookalikes").items():
            for case in technique.cases(self.schema.dialect):
                if not (case.procedures or case.views or case.synonyms):
                    found.append((name, [(step.sql, step.binds) for step in case.steps]))
        return found

    def _looking_alike(self, sent: list[Sent], day: dt.date) -> None:
        for name, steps in self._lookalikes:
            if self.random.random() > _LOOKALIKE_SHARE:
                continue
            staff = self.sender(name)
            night = staff.post in {"etl", "backup"}
            second = _NIGHT if night else _MORNING + self.random.randrange(7200)
            at_us = hospital.moment(day, second)
            for sql, binds in steps:
                at_us += 1_000_000
                sent.append(Sent(at_us, staff, dated(sql, day), binds, name))

    def sender(self, lookalike: str) -> Staff:
        """Whose work a look-alike is."""
        post = PLACES[lookalike]
        if post in PROGRAMS:
            return server_of(post, *PROGRAMS[post])
        if post == VENDOR:
            return self.hospital.vendor
        at = self.hospital.at(post)
        # Own figures are those of the third prescriber.
        return at[2] if lookalike == "N16" else at[0]


def dated(sql: str, day: dt.date) -> str:
    """A look-alike's text with the day it is sent on for the day it was written for."""
    tomorrow = day + dt.timedelta(days=1)
    days = {"2026-01-20": day, "2026-01-21": tomorrow}
    return _WRITTEN_FOR.sub(lambda found: days[found[0]].isoformat(), sql)


@cache
def server_of(name: str, program: str, address: str) -> Staff:
    """A program at its server."""
    return Staff("", name, 0, 1, f"S-{name}", address, program)


def _within(shifts: list[tuple[int, int]], place: float) -> int:
    for start, end in shifts:
        if place < end - start:
            return start + int(place)
        place -= end - start
    return shifts[-1][1]
