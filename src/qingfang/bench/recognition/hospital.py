"""The people, terminals and approvals of the synthetic hospital (合成数据), as a snapshot for judging.

Rules this module keeps:

1. Everybody who works in the stream is on the roster, at a declared terminal of their own, with a
   registered program; what is allowed only because of its context has that context here, and nowhere
   else.
2. Reports, services and grants carry the look-alikes that name them (`@context`), so that a twin is the
   same statement sent by somebody, somewhere or at a time that is not approved.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from msgspec import Struct

from qingfang.bench.recognition.fixtures import Case, Technique, techniques
from qingfang.bench.recognition.schema import Schema, date, literal
from qingfang.judge import snapshot
from qingfang.judge.snapshot import (
    Allowed,
    Calendar,
    Designation,
    Grant,
    Person,
    Report,
    RouteMode,
    Service,
    Snapshot,
    Span,
    Terminal,
    TerminalRole,
    Weekly,
)
from qingfang.understand.fingerprint import fingerprint

ZONE = dt.timezone(dt.timedelta(hours=8))
FIRST_DAY = dt.date(2026, 1, 5)
DAYS = 31
SITE = "bench"
CLINICAL, STRICT = "clinic", "strict"
"""Routes: one observes, one enforces."""
_SECOND_US = 1_000_000
_HOLIDAYS = ("2026-02-16", "2026-02-17")


def moment(day: dt.date, second: int = 0) -> int:
    """Microseconds UTC of a second of a local day."""
    start = dt.datetime.combine(day, dt.time(), tzinfo=ZONE)
    return (int(start.timestamp()) + second) * _SECOND_US


def day_of(at_us: int) -> dt.date:
    """The local day of a moment."""
    return dt.datetime.fromtimestamp(at_us / _SECOND_US, ZONE).date()


class Post(Struct, frozen=True):
    """A kind of work place: `count` people in a block of the hospital, their program and the unit
    they belong to (`{}`: the number of their department)."""

    count: int
    program: str
    unit: str
    role: TerminalRole = "clinical"


POSTS: dict[str, Post] = {
    "clinic-doctor": Post(4, "MZYSZ.exe", "K{}"),
    "ward-doctor": Post(3, "ZYYSZ.exe", "K{}"),
    "nurse": Post(3, "HSZ.exe", "W{}"),
    "window": Post(2, "YFFY.exe", "MZYF", "pharmacy"),
    "ward-pharmacy": Post(1, "YFBY.exe", "ZXYF", "pharmacy"),
    "cashier": Post(2, "SFXT.exe", "CWK"),
    "insurance": Post(1, "YBGL.exe", "YBB"),
    "store": Post(1, "YKGL.exe", "YK", "pharmacy"),
    "theatre": Post(1, "SSHS.exe", "SSS"),
    "statistics": Post(1, "TJBB.exe", "TJK", "statistics"),
    "reviewer": Post(1, "CFDP.exe", "LCYX"),
    "approved": Post(1, "CFDP.exe", "LCYX", "statistics"),
    "infection": Post(1, "YGJC.exe", "YGB"),
    "engineer": Post(1, "HISADM.exe", "XXK"),
    "clerk": Post(2, "BGXT.exe", "YWK"),
}
"""Posts that people hold."""

PROGRAMS: dict[str, tuple[str, str]] = {
    "upload": ("YBUpload", "10.9.0.2"),
    "etl": ("kettle", "10.9.0.3"),
    "backup": ("dbbackup", "10.9.0.4"),
    "monitor": ("zabbix", "10.9.0.5"),
    "checker": ("HLYY", "10.9.0.6"),
}
"""Programs at servers of their own: program name, address."""

VENDOR = "vendor"
"""A vendor's engineer at the vendor's terminal, by work order."""

PLACES: dict[str, str] = {
    **dict.fromkeys(("N01", "N03", "N16", "N30", "N41"), "clinic-doctor"),
    **dict.fromkeys(("N02", "N31"), "window"),
    "N06": "insurance",
    "N36": "insurance",
    "N17": "checker",
    **dict.fromkeys(("N20", "N21"), "ward-pharmacy"),
    "N23": "nurse",
    "N32": "infection",
    "N34": "theatre",
    **dict.fromkeys(("N04", "N05", "N22", "N29", "N33", "N39"), "store"),
    **dict.fromkeys(("N07", "N08", "N09", "N24", "N25", "N37", "N38", "N40"), "statistics"),
    **dict.fromkeys(("N10", "N11", "N12", "N18", "N19", "N35"), "approved"),
    "N13": "etl",
    "N14": "backup",
    "N15": "upload",
    "N26": "monitor",
    "N27": "engineer",
    "N28": "clerk",
    "N42": VENDOR,
}
"""Whose work each look-alike is."""

REPORTS: dict[str, tuple[str, snapshot.Grain]] = {
    "N09": ("药占比（科室）", "department"),
    "N18": ("麻精药品专册", "detail"),
    "N22": ("科室领药月结", "department"),
    "N40": ("绩效核算", "prescriber"),
}
GRANTS: dict[str, snapshot.Grain] = {
    "N10": "department",
    "N11": "prescriber",
    "N12": "detail",
    "N35": "detail",
    "N36": "prescriber",
    "N42": "detail",
}
SERVICES: dict[str, tuple[str, str, tuple[Weekly, ...]]] = {
    "N13": ("etl", "夜间抽取到数据仓库", (Weekly(from_time="01:00", to_time="05:00"),)),
    "N14": ("backup", "例行备份", (Weekly(from_time="01:00", to_time="05:00"),)),
    "N15": ("upload", "向监管平台实时上传", ()),
    "N17": ("checker", "合理用药审查", ()),
}


class Staff(Struct, frozen=True):
    """Somebody at work. `index` counts within the post; `department` is a number."""

    number: str
    post: str
    index: int
    department: int
    terminal: str
    address: str
    program: str


class Hospital:
    """`blocks` copies of every post; `extra` further people at desks of their own."""

    def __init__(self, of: Schema, blocks: int = 1, extra: int = 0) -> None:
        self.schema = of
        self.staff: list[Staff] = []
        self._rows: dict[str, tuple[str, TerminalRole, str]] = {}
        number = 0
        for post, spec in POSTS.items():
            for index in range(spec.count * blocks):
                number += 1
                department = 1 + index % 9
                self._add(number, post, index, department, spec.unit.format(department))
        self.visitors: list[Staff] = []
        for index in range(extra):
            number += 1
            # Two in an office, so that there are colleagues to share work with.
            self.visitors.append(self._add(number, "clerk", 1000 + index, 1, f"B{index // 2}"))
        self.vendor = self._add(number + 1, VENDOR, 0, 1, "XXK")

    def _add(self, number: int, post: str, index: int, department: int, unit: str) -> Staff:
        spec = POSTS.get(post)
        terminal = f"T{number:04d}"
        staff = Staff(
            self.schema.code("doctor", number),
            post,
            index,
            department,
            terminal,
            f"10.{1 + number // 200}.{number % 200}.10",
            spec.program if spec else "HISADM.exe",
        )
        role: TerminalRole = spec.role if spec else "vendor"
        self._rows[staff.number] = (terminal, role, unit)
        self.staff.append(staff)
        return staff

    def at(self, post: str) -> list[Staff]:
        """Those who hold a post, without visitors."""
        return [s for s in self.staff if s.post == post and s.index < 1000]

    def snapshot(self) -> Snapshot:
        """What the console hands down for this hospital."""
        since, until = moment(dt.date(2025, 9, 1)), moment(dt.date(2026, 12, 31))
        valid = Span(from_us=since, to_us=until)
        persons = tuple(
            Person(number=s.number, name=f"合成人员{n}", department=self._rows[s.number][2])
            for n, s in enumerate(self.staff, 1)
        )
        terminals = [
            Terminal(
                id=s.terminal,
                addresses=(s.address,),
                room=f"合成楼{s.terminal[1:]}室",
                unit=self._rows[s.number][2],
                role=self._rows[s.number][1],
            )
            for s in self.staff
        ]
        terminals += [
            Terminal(id=f"S-{name}", addresses=(address,), role="server", room="合成机房")
            for name, (_program, address) in PROGRAMS.items()
        ]
        terminals.append(
            Terminal(id="KIOSK", addresses=("10.9.1.1",), role="kiosk", room="合成大厅")
        )
        return Snapshot(
            site=SITE,
            version=1,
            made_at_us=since,
            expires_at_us=until,
            persons=persons,
            terminals=tuple(terminals),
            designations=tuple(self._designations()),
            services=tuple(self._services()),
            programs=(
                *(spec.program for spec in POSTS.values()),
                *(program for program, _address in PROGRAMS.values()),
            ),
            reports=tuple(self._reports()),
            grants=tuple(self._grants(valid)),
            routes=(
                RouteMode(route=CLINICAL, mode="observe"),
                RouteMode(route=STRICT, mode="enforce"),
            ),
            calendar=Calendar(holidays=_HOLIDAYS),
        )

    def _designations(self) -> Iterator[Designation]:
        """Every other office of visitors is designated for statistics: figures of the institution by
        themselves are nothing out of the ordinary there."""
        named = {post: self.at(post) for post in ("statistics", "store", "approved")}
        named["visitors"] = [s for n, s in enumerate(self.visitors) if n // 2 % 2]
        for function, those in named.items():
            yield Designation(
                function=function,
                persons=tuple(s.number for s in those),
                terminals=tuple(s.terminal for s in those),
            )

    def _cases(self, technique: str) -> list[Case]:
        found: Technique = techniques("lookalikes")[technique]
        return list(found.cases(self.schema.dialect))

    def digests(self, technique: str) -> list[str]:
        """The fingerprints of a look-alike's statements."""
        dialect = self.schema.dialect
        return sorted(
            {
                fingerprint(step.sql, dialect).digest.hex()
                for case in self._cases(technique)
                for step in case.steps
            }
        )

    def _reports(self) -> list[Report]:
        return [
            Report(
                id=f"R-{technique}-{n}",
                digest=digest,
                menu=menu,
                scope=snapshot.Scope(grain=grain),
                persons=tuple(s.number for s in self.at(PLACES[technique])),
                terminals=tuple(s.terminal for s in self.at(PLACES[technique])),
            )
            for technique, (menu, grain) in REPORTS.items()
            for n, digest in enumerate(self.digests(technique))
        ]

    def _grants(self, valid: Span) -> list[Grant]:
        found: list[Grant] = []
        for technique, grain in GRANTS.items():
            post = PLACES[technique]
            for staff in [self.vendor] if post == VENDOR else self.at(post):
                found.append(
                    Grant(
                        id=f"G-{technique}-{staff.number}",
                        person=staff.number,
                        terminals=(staff.terminal,),
                        scope=self._scope(technique, grain),
                        valid=valid,
                        filed_number=f"备-{technique}",
                        filed_us=valid.from_us,
                    )
                )
        return found

    def _scope(self, technique: str, grain: snapshot.Grain) -> snapshot.Scope:
        of = self.schema
        if technique in {"N10", "N11"}:
            classes = Allowed(kind="class", values=(of.class_name,))
            return snapshot.Scope(grain=grain, items=classes)
        if technique == "N36":
            named = (of.code("doctor", 1), of.code("doctor", 2))
            return snapshot.Scope(grain=grain, prescribers=Allowed(kind="list", values=named))
        return snapshot.Scope(grain=grain)

    def _services(self) -> list[Service]:
        return [
            Service(
                id=f"V-{technique}",
                why=why,
                terminals=(f"S-{name}",),
                program=PROGRAMS[name][0],
                digests=tuple(self.digests(technique)),
                windows=windows,
            )
            for technique, (name, why, windows) in SERVICES.items()
        ]


def signing_in(of: Schema, staff: Staff, at_us: int) -> str:
    """The row that a sign-in writes."""
    log = of.tables["login"]
    today = date(day_of(at_us).isoformat(), of.dialect)
    values = (literal(staff.number), literal(staff.terminal), today)
    names = ", ".join(column.name for column in log.columns)
    return f"INSERT INTO {log.name} ({names}) VALUES ({', '.join(values)})"
