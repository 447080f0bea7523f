"""Who works where at the synthetic hospital, and what has been approved: plain data (合成数据).

Rules this module keeps:

1. Field names are those of the judge's snapshot, so that the parts can be converted as they are;
   nothing is imported from the judge, and nothing here depends on a clock: days come in.
2. What is here is what a real hospital would have declared. Who is going to misbehave is not here
   (`attempts` decides that, in another process).
3. Terminals have loopback addresses (127.0.0.0/8), so that one machine can play them all.
"""

from __future__ import annotations

import datetime
from zoneinfo import ZoneInfo

from msgspec import Struct

from qingfang.demo.hospital import Facts, popular

ZONE = ZoneInfo("Asia/Shanghai")
KINDS = {"临床": "clinical", "医技": "medtech", "药学": "pharmacy", "职能": "office"}
_KIND_OF = {"信息科": "it", "纪检监察室": "discipline"}


class Person(Struct, frozen=True):
    number: str
    name: str
    department: str
    department_kind: str
    posts: tuple[str, ...]


class Terminal(Struct, frozen=True):
    """`role`: clinical, statistics, kiosk, server, vendor or pharmacy. `unit` is the ward, window
    or department that it stands in."""

    id: str
    addresses: tuple[str, ...]
    name: str
    room: str
    unit: str
    role: str

    @property
    def address(self) -> str:
        return self.addresses[0]


class Designation(Struct, frozen=True):
    function: str
    persons: tuple[str, ...]
    terminals: tuple[str, ...]


class Service(Struct, frozen=True):
    id: str
    why: str
    terminals: tuple[str, ...]
    program: str
    operator: str
    tables: tuple[str, ...]


class Allowed(Struct, frozen=True):
    kind: str = "all"
    values: tuple[str, ...] = ()
    members: tuple[str, ...] = ()


class Days(Struct, frozen=True):
    """Local days (ISO), both inclusive."""

    from_day: str
    to_day: str


class Scope(Struct, frozen=True):
    grain: str
    items: Allowed
    prescribers: Allowed
    departments: Allowed
    period: Days


class Span(Struct, frozen=True):
    """Microseconds since the epoch, `to_us` exclusive."""

    from_us: int
    to_us: int


class Grant(Struct, frozen=True):
    """`purpose` is for people; every other field is the judge's."""

    id: str
    person: str
    terminals: tuple[str, ...]
    scope: Scope
    valid: Span
    max_runs: int
    filed_number: str
    filed_us: int
    purpose: str


class Cast(Struct, frozen=True):
    """Everything that the hospital has declared on one day. `month` is the calendar month that the
    approved statistics are about: (first day, first day of the next one)."""

    persons: tuple[Person, ...]
    terminals: tuple[Terminal, ...]
    designations: tuple[Designation, ...]
    services: tuple[Service, ...]
    grants: tuple[Grant, ...]
    month: tuple[datetime.date, datetime.date]

    def at(self, prefix: str) -> tuple[Terminal, ...]:
        """The terminals whose id begins with `prefix`."""
        return tuple(t for t in self.terminals if t.id.startswith(prefix))

    def terminal(self, name: str) -> Terminal:
        return next(t for t in self.terminals if t.id == name)


def cast(facts: Facts, today: datetime.date) -> Cast:
    """The hospital's declarations as of `today`; grants are about the month before it and are valid
    from a week ago for 40 days."""
    kinds = {d.code: _KIND_OF.get(d.name, KINDS[d.kind]) for d in facts.departments}
    titles = {d.code: d.name for d in facts.departments}
    persons = tuple(
        Person(s.number, s.name, titles[s.department], kinds[s.department], (s.post,))
        for s in facts.staff
    )
    first = today.replace(day=1)
    month = ((first - datetime.timedelta(days=1)).replace(day=1), first)
    return Cast(
        persons=persons,
        terminals=tuple(_terminals(facts)),
        designations=(
            Designation(
                "statistics",
                (facts.post("临床药师")[0].number, facts.post("质控干事")[0].number),
                ("TJ-01", "TJ-02"),
            ),
            Designation("store", (facts.post("采购员")[0].number,), ("YK-01",)),
            Designation("upload", (facts.post("服务账号")[0].number,), ("FW-01",)),
        ),
        services=(
            Service(
                "FW-YB",
                "医保逐单上传",
                ("FW-01",),
                "YBUpload",
                facts.post("服务账号")[0].number,
                ("his.yb_scmx",),
            ),
            Service(
                "FW-YJ",
                "夜间归档",
                ("FW-02",),
                "NightJob",
                facts.post("服务账号")[1].number,
                ("his.mz_cf", "his.mz_cfmx", "his.mz_cf_his", "his.mz_cfmx_his"),
            ),
        ),
        grants=tuple(_grants(facts, today, month)),
        month=month,
    )


def _terminals(facts: Facts) -> list[Terminal]:
    found: list[Terminal] = []

    def add(name: str, address: str, label: str, room: str, unit: str, role: str) -> None:
        found.append(Terminal(name, (address,), label, room, unit, role))

    for n, clinic in enumerate(facts.clinics):
        for k, (room, _code) in enumerate(r for r in facts.rooms if r[1] == clinic.code):
            add(
                f"MZ-{room}",
                f"127.10.{n}.{k + 1}",
                f"{clinic.name}{k + 1}诊室",
                f"门诊楼{room}室",
                clinic.code,
                "clinical",
            )
    for n, ward in enumerate(facts.wards):
        for k, place in enumerate(("护士站", "医生办公室", "示教室")):
            add(
                f"BQ-{ward.ward}-{k + 1}",
                f"127.20.{n}.{k + 1}",
                f"{ward.name}病区{place}",
                f"住院楼{place}",
                ward.ward,
                "clinical",
            )
    for k in range(6):
        add(
            f"YF-{k + 1:02d}",
            f"127.30.1.{k + 1}",
            f"门诊药房{k + 1}号窗口",
            "门诊药房",
            f"{k + 1:02d}",
            "pharmacy",
        )
    for k in range(2):
        add(
            f"ZY-{k + 1:02d}",
            f"127.30.2.{k + 1}",
            f"住院药房{k + 1}号机",
            "住院药房",
            "02",
            "pharmacy",
        )
    add("YK-01", "127.30.3.1", "药库1号机", "药库", "03", "pharmacy")
    for k in range(4):
        add(
            f"YX-{k + 1:02d}",
            f"127.30.4.{k + 1}",
            f"药学部办公室{k + 1}号机",
            "药学部",
            "",
            "pharmacy",
        )
    for k in range(10):
        add(
            f"SF-{k + 1:02d}", f"127.40.1.{k + 1}", f"收费{k + 1}号窗口", "门诊大厅", "", "clinical"
        )
        add(
            f"GH-{k + 1:02d}", f"127.40.2.{k + 1}", f"挂号{k + 1}号窗口", "门诊大厅", "", "clinical"
        )
    for k in range(4):
        add(f"JY-{k + 1:02d}", f"127.40.3.{k + 1}", f"检验科{k + 1}号机", "检验科", "", "clinical")
        add(f"ZZ-{k + 1:02d}", f"127.70.1.{k + 1}", f"自助机{k + 1}号", "门诊大厅", "", "kiosk")
        add(f"XX-{k + 1:02d}", f"127.60.1.{k + 1}", f"信息科{k + 1}号机", "信息科", "", "vendor")
    for n, office in enumerate(d for d in facts.departments if d.kind == "职能"):
        for k in range(2):
            add(
                f"BG-{office.code}-{k + 1}",
                f"127.50.{n}.{k + 1}",
                f"{office.name}{k + 1}号机",
                "行政楼",
                "",
                "clinical",
            )
    for k in range(3):
        add(
            f"TJ-{k + 1:02d}",
            f"127.80.2.{k + 1}",
            f"统方专用机{k + 1}号",
            "纪检监察室机房",
            "",
            "statistics",
        )
        add(
            f"FW-{k + 1:02d}",
            f"127.90.0.{11 + k}",
            ("医保前置机", "作业服务器", "检验接口机")[k],
            "信息科机房",
            "",
            "server",
        )
    return found


def _grants(
    facts: Facts, today: datetime.date, month: tuple[datetime.date, datetime.date]
) -> list[Grant]:
    start = datetime.datetime.combine(today - datetime.timedelta(days=7), datetime.time(), ZONE)
    valid = Span(
        int(start.timestamp() * 1_000_000),
        int((start + datetime.timedelta(days=47)).timestamp() * 1_000_000),
    )
    days = Days(str(month[0]), str(month[1] - datetime.timedelta(days=1)))
    everything = Allowed()
    antibacterials = Allowed("class", ("抗菌药物",), tuple(d.code for d in facts.drugs if d.level))
    pharmacist, second = facts.post("临床药师")[:2]
    quality = facts.post("质控干事")[0]
    insurance = facts.post("医保专员")[0]
    research = facts.post("科研助理")[0]
    oncology = next(d for d in facts.departments if d.name == "肿瘤科")
    named = tuple(s.number for s in facts.doctors(oncology.code)[:4])
    asked = tuple(d.code for d in popular(facts, oncology, 3))
    one_class = tuple(d.code for d in facts.drugs if d.group == "内分泌")
    rows = (
        (pharmacist.number, "TJ-01", Scope("department", antibacterials, everything, everything, days), "科室抗菌药物使用强度"),
        (second.number, "TJ-01", Scope("prescriber", antibacterials, everything, everything, days), "医师抗菌药物使用排名"),
        (pharmacist.number, "TJ-02", Scope("detail", everything, everything, everything, days), "处方点评抽样"),
        (quality.number, "TJ-02", Scope("department", everything, everything, everything, days), "科室药占比"),
        (research.number, "TJ-03", Scope("detail", Allowed("class", ("内分泌",), one_class), everything, everything, days), "科研取数（不含医师）"),
        (insurance.number, "TJ-03", Scope("prescriber", Allowed("list", asked), Allowed("list", named), everything, days), "医保飞行检查取数"),
    )  # fmt: skip
    return [
        Grant(
            id=f"SQ{today.year}{n + 1:04d}",
            person=person,
            terminals=(terminal,),
            scope=scope,
            valid=valid,
            max_runs=20,
            filed_number=f"BA{today.year}{n + 1:04d}",
            filed_us=valid.from_us,
            purpose=purpose,
        )
        for n, (person, terminal, scope, purpose) in enumerate(rows)
    ]
