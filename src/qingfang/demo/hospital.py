"""The synthetic hospital: what there is in it, and a database full of its work (合成数据).

Rules this module keeps:

1. Everything follows from (`VERSION`, seed, scale, until): the same four give the same rows.
   Nothing is taken from a real hospital.
2. `facts(seed)` knows departments, staff, items and places without a database; whoever plays in the
   hospital (workload, attempts) reads them there.
3. Facts of care are written by COPY; what follows from them (visits, dispensing, charges, insurance
   upload, executions, stock) is derived inside the database, so that totals agree to the last unit:
   dispensed = prescribed and not void = charged = taken from stock.
4. The load is one transaction, the stamp (`his.hs_build`) its last row: a database is whole or
   empty. One that carries another stamp is made anew.

Distributions: items by Zipf within a class; classes by department; every doctor has favourites;
weekdays, hours and patients are skewed; three drugs are new and ramp up in the last ten weeks.
"""

from __future__ import annotations

import datetime
import random
from bisect import bisect
from collections.abc import Callable, Iterator
from importlib.resources import files
from itertools import accumulate

import psycopg
from msgspec import Struct
from psycopg import sql

from qingfang.demo import names
from qingfang.language import _

VERSION = 1
DAYS = 182
CURRENT_DAYS = 60
PATIENTS = 100_000
VISITS = 3_300  # on an average weekday, at scale 1
MAX_AGE_DAYS = 30

# What a server should be told so that the load of new tables needs no write-ahead log.
SETTINGS = {
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "30min",
    "maintenance_work_mem": "256MB",
    "synchronous_commit": "off",
}

Progress = Callable[[str, float], None]


class Department(Struct, frozen=True):
    """`weight` is its share of out-patient visits, `classes` what it prescribes and how much;
    `ward` is the code of its ward, empty without beds."""

    code: str
    name: str
    kind: str
    weight: float
    classes: tuple[tuple[str, float], ...]
    ward: str


class Staff(Struct, frozen=True):
    number: str
    name: str
    department: str
    post: str
    title: str
    prescribes: bool
    level: int


class Drug(Struct, frozen=True):
    """`cents` is the retail price of one pack; `level` the antibacterial level, 0 for others;
    `launched` the day (counted from the first) from which on it is prescribed."""

    code: str
    name: str
    brand: str
    spec: str
    unit: str
    maker: str
    kind: str
    group: str
    level: int
    narcotic: int
    essential: int
    ddd: float
    cents: int
    launched: int


class Consumable(Struct, frozen=True):
    code: str
    name: str
    spec: str
    maker: str
    high_value: int
    cents: int


class Fee(Struct, frozen=True):
    code: str
    name: str
    subject: str
    cents: int


class Facts(Struct, frozen=True):
    departments: tuple[Department, ...]
    staff: tuple[Staff, ...]
    drugs: tuple[Drug, ...]
    consumables: tuple[Consumable, ...]
    fees: tuple[Fee, ...]
    rooms: tuple[tuple[str, str], ...]

    def post(self, *posts: str) -> tuple[Staff, ...]:
        return tuple(s for s in self.staff if s.post in posts)

    @property
    def prescribers(self) -> tuple[Staff, ...]:
        return tuple(s for s in self.staff if s.prescribes)

    @property
    def clinics(self) -> tuple[Department, ...]:
        return tuple(d for d in self.departments if d.weight)

    @property
    def wards(self) -> tuple[Department, ...]:
        return tuple(d for d in self.departments if d.ward)

    def doctors(self, department: str) -> tuple[Staff, ...]:
        return tuple(s for s in self.staff if s.prescribes and s.department == department)


PHARMACIES = (("01", "门诊药房"), ("02", "住院药房"), ("03", "药库"))
WINDOWS = ("01", "02", "03", "04", "05", "06")

_COMMON = (("抗菌药物", 1.0), ("中成药", 1.0), ("镇痛抗炎", 0.6), ("消化", 0.6))
_DEPARTMENTS: tuple[tuple[str, str, float, bool, tuple[tuple[str, float], ...]], ...] = (
    ("心血管内科", "临床", 8.0, True, (("心血管", 7), ("抗血栓", 2), ("内分泌", 0.5))),
    ("呼吸内科", "临床", 6.5, True, (("呼吸", 6), ("抗菌药物", 4))),
    ("消化内科", "临床", 6.5, True, (("消化", 8),)),
    ("内分泌科", "临床", 6.5, True, (("内分泌", 8), ("心血管", 2))),
    ("神经内科", "临床", 6.0, True, (("神经", 7), ("抗血栓", 2), ("心血管", 2))),
    ("肾内科", "临床", 3.0, True, (("免疫", 3), ("心血管", 3), ("泌尿", 1))),
    ("血液内科", "临床", 2.0, True, (("抗肿瘤", 4), ("免疫", 2))),
    ("风湿免疫科", "临床", 2.5, True, (("免疫", 7), ("镇痛抗炎", 3))),
    ("肿瘤科", "临床", 4.0, True, (("抗肿瘤", 9), ("营养输液", 1))),
    ("老年医学科", "临床", 3.0, True, (("心血管", 3), ("神经", 2), ("内分泌", 2))),
    ("感染性疾病科", "临床", 2.5, True, (("抗菌药物", 7), ("免疫", 1))),
    ("普通外科", "临床", 4.5, True, (("抗菌药物", 4), ("消化", 3))),
    ("骨科", "临床", 5.5, True, (("镇痛抗炎", 7), ("抗菌药物", 2))),
    ("神经外科", "临床", 2.0, True, (("神经", 5), ("抗菌药物", 3))),
    ("胸外科", "临床", 1.5, True, (("呼吸", 3), ("抗菌药物", 4))),
    ("心脏外科", "临床", 1.0, True, (("心血管", 5), ("抗血栓", 4))),
    ("泌尿外科", "临床", 4.0, True, (("泌尿", 7), ("抗菌药物", 3))),
    ("妇科", "临床", 4.0, True, (("妇产", 7), ("抗菌药物", 2))),
    ("产科", "临床", 3.0, True, (("妇产", 6), ("营养输液", 2))),
    ("儿科", "临床", 7.0, True, (("呼吸", 4), ("抗菌药物", 4))),
    ("眼科", "临床", 4.0, True, (("眼科", 9),)),
    ("耳鼻咽喉科", "临床", 4.0, True, (("抗菌药物", 4), ("呼吸", 2))),
    ("口腔科", "临床", 3.0, False, (("抗菌药物", 4), ("镇痛抗炎", 4))),
    ("皮肤科", "临床", 5.0, False, (("皮肤", 9), ("免疫", 1))),
    ("精神心理科", "临床", 2.5, False, (("精神", 9), ("神经", 2))),
    ("康复医学科", "临床", 2.0, True, (("镇痛抗炎", 4), ("神经", 3))),
    ("中医科", "临床", 4.5, False, (("草药", 9), ("中成药", 6))),
    ("急诊科", "临床", 6.0, True, (("抗菌药物", 4), ("营养输液", 3), ("镇痛抗炎", 3))),
    ("重症医学科", "临床", 0.0, True, (("抗菌药物", 6), ("麻醉精神", 4), ("营养输液", 4))),
    ("麻醉手术科", "医技", 0.0, False, ()),
    ("检验科", "医技", 0.0, False, ()),
    ("医学影像科", "医技", 0.0, False, ()),
    ("药学部", "药学", 0.0, False, ()),
    ("信息科", "职能", 0.0, False, ()),
    ("纪检监察室", "职能", 0.0, False, ()),
    ("医务科", "职能", 0.0, False, ()),
    ("财务科", "职能", 0.0, False, ()),
    ("医保办", "职能", 0.0, False, ()),
    ("门诊收费处", "职能", 0.0, False, ()),
    ("护理部", "职能", 0.0, False, ()),
)
# post: department, how many, first staff number
_POSTS = (
    ("药师", "药学部", 48, 6001),
    ("临床药师", "药学部", 6, 6101),
    ("采购员", "药学部", 3, 6151),
    ("收费员", "门诊收费处", 40, 7001),
    ("挂号员", "门诊收费处", 30, 7101),
    ("检验师", "检验科", 14, 7201),
    ("工程师", "信息科", 8, 8001),
    ("纪检干事", "纪检监察室", 3, 8101),
    ("质控干事", "医务科", 6, 8201),
    ("会计", "财务科", 6, 8301),
    ("医保专员", "医保办", 5, 8401),
    ("科研助理", "医务科", 4, 8501),
    ("服务账号", "信息科", 2, 9001),
)
_PRESCRIBERS = 300
_NURSES = 160
_HOURS = (
    0.3,
    0.2,
    0.2,
    0.2,
    0.2,
    0.3,
    0.8,
    3,
    16,
    18,
    15,
    8,
    2,
    5,
    13,
    12,
    8,
    3,
    2,
    2,
    1.5,
    1.2,
    0.8,
    0.5,
)
_WEEKDAYS = (1.15, 1.05, 1.0, 1.0, 0.95, 0.5, 0.35)


def facts(seed: int) -> Facts:
    """The hospital's people, items and places; a pure function of the seed."""
    rng = random.Random(f"facts {VERSION} {seed}")
    departments = tuple(
        Department(
            code=f"{101 + n}",
            name=name,
            kind=kind,
            weight=weight,
            classes=(*classes, *_COMMON) if classes else (),
            ward=f"B{101 + n}" if beds else "",
        )
        for n, (name, kind, weight, beds, classes) in enumerate(_DEPARTMENTS)
    )
    clinical = [d for d in departments if d.kind == "临床"]
    taken: set[str] = set()

    def named() -> str:
        while (name := names.person(rng)) in taken:
            pass
        taken.add(name)
        return name

    staff: list[Staff] = []
    share = list(accumulate(max(d.weight, 3.0) ** 0.6 for d in clinical))
    for n in range(_PRESCRIBERS):
        # Three doctors each first, the rest where the patients are.
        home = clinical[n % len(clinical)] if n < 3 * len(clinical) else None
        home = home or clinical[bisect(share, rng.random() * share[-1])]
        title = rng.choices(("主任医师", "副主任医师", "主治医师", "住院医师"), (1, 2, 4, 3))[0]
        level = 3 if title == "主任医师" else 2 if title != "住院医师" else 1
        staff.append(Staff(f"{1001 + n}", named(), home.code, "医师", title, True, level))
    for n in range(_NURSES):
        ward = [d for d in clinical if d.ward][n % sum(bool(d.ward) for d in clinical)]
        staff.append(Staff(f"{4001 + n}", named(), ward.code, "护士", "护师", False, 0))
    by_name = {d.name: d.code for d in departments}
    for post, home_name, count, first in _POSTS:
        for n in range(count):
            name = named() if post != "服务账号" else ("医保上传服务", "夜间作业服务")[n]
            staff.append(Staff(f"{first + n}", name, by_name[home_name], post, "", False, 0))

    drugs: list[Drug] = []
    for group, (_endings, _forms, level, count, price) in names.CLASSES.items():
        for _n in range(count):
            name, form = names.drug(rng, group, taken)
            code = f"YP{len(drugs) + 1:05d}"
            drugs.append(
                Drug(
                    code=code,
                    name=name,
                    brand=f"合成牌{name[:2]}",
                    spec=rng.choice(names.SPECS),
                    unit="瓶" if "液" in form else "g" if form == "饮片" else "盒",
                    maker=f"合成制药{rng.randrange(1, 61):02d}厂",
                    kind=group if group in ("中成药", "草药") else "西药",
                    group=group,
                    level=rng.choices((1, 2, 3), (6, 4, 1))[0] if level else 0,
                    narcotic=int(group == "麻醉精神"),
                    essential=int(rng.random() < 0.4),
                    ddd=round(rng.uniform(0.5, 12), 1),
                    cents=max(90, int(price * 100 * rng.lognormvariate(0, 0.6))),
                    launched=0,
                )
            )
    for group in ("心血管", "抗肿瘤", "内分泌"):
        places = [n for n, drug in enumerate(drugs) if drug.group == group]
        place = places[0]
        old = drugs[place]
        drugs[place] = Drug(**{**_fields(old), "launched": DAYS - rng.randrange(50, 70)})
    consumables = tuple(
        Consumable(
            code=f"HC{n + 1:04d}",
            name=f"{kind}{'甲乙丙丁戊己庚辛壬癸'[n // len(names.CONSUMABLES) % 10]}型",
            spec=f"{rng.randrange(2, 40)}mm",
            maker=f"合成器械{rng.randrange(1, 31):02d}厂",
            high_value=int(n % len(names.CONSUMABLES) < 13),
            cents=rng.randrange(80_000, 1_500_000)
            if n % len(names.CONSUMABLES) < 13
            else rng.randrange(100, 9_000),
        )
        for n in range(1500 - len(drugs))
        for kind in [names.CONSUMABLES[n % len(names.CONSUMABLES)]]
    )
    fees = tuple(
        Fee(f"XM{n + 1:04d}", name, subject, int(price * 100))
        for n, (name, subject, price) in enumerate(names.FEES)
    )
    rooms = tuple((f"{d.code}{k}", d.code) for d in departments if d.weight for k in range(1, 5))
    return Facts(departments, tuple(staff), tuple(drugs), consumables, fees, rooms)


def _fields(record: Struct) -> dict[str, object]:
    return {name: getattr(record, name) for name in record.__struct_fields__}


def weights(facts: Facts, department: Department, day: int) -> list[float]:
    """How likely each drug is to be prescribed in this department on this day (0 is the first)."""
    rng = random.Random(f"taste {department.code}")
    share: dict[str, float] = {}
    for group, weight in department.classes:
        share[group] = share.get(group, 0.0) + weight
    rank: dict[str, list[float]] = {}
    result = []
    for drug in facts.drugs:
        if drug.group not in rank:
            count = names.CLASSES[drug.group][3]
            ranks = [1 / (k + 1) ** 1.05 for k in range(count)]
            total = sum(ranks)
            ranks = [r / total for r in ranks]
            rng.shuffle(ranks)
            rank[drug.group] = ranks
        base = rank[drug.group].pop() * share.get(drug.group, 0.03)
        if drug.launched:
            # A new drug: nothing before its launch, then a steady climb.
            climbed = max(0, day - drug.launched) / 50
            base = share.get(drug.group, 0.0) * 0.15 * min(1.0, climbed)
        result.append(base)
    return result


def popular(facts: Facts, department: Department, count: int) -> list[Drug]:
    """The drugs this department prescribes most in the end, most first."""
    share = weights(facts, department, DAYS)
    order = sorted(range(len(share)), key=lambda n: -share[n])
    return [facts.drugs[n] for n in order[:count]]


def money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


# ------------------------------------------------------------------ the database


class Stamp(Struct, frozen=True):
    """What a loaded database was made from."""

    version: int
    seed: int
    scale: float
    until: datetime.date


def stamp(connection: psycopg.Connection) -> Stamp | None:
    """The stamp of the hospital in this database; None when there is none."""
    found = connection.execute("SELECT to_regclass('his.hs_build') IS NOT NULL").fetchone()
    if found is None or not found[0]:
        return None
    row = connection.execute(
        "SELECT version, seed, scale::float8, until FROM his.hs_build"
    ).fetchone()
    return Stamp(*row) if row else None


def ensure(
    dsn: str,
    *,
    seed: int,
    until: datetime.date,
    scale: float = 1.0,
    progress: Progress | None = None,
) -> Stamp:
    """See to it that the database at `dsn` holds the hospital of `seed`; a hospital that is there
    and not older than 30 days is kept. `until` is the last whole day of work in it. Takes a
    superuser's DSN; `progress` is told a stage and the share done (0–1)."""
    with psycopg.connect(dsn) as connection:
        there = stamp(connection)
        if (
            there is not None
            and (there.version, there.seed, there.scale) == (VERSION, seed, round(scale, 4))
            and 0 <= (until - there.until).days <= MAX_AGE_DAYS
        ):
            return there
        load(connection, seed=seed, until=until, scale=scale, progress=progress)
        wanted = stamp(connection)
    assert wanted is not None
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE)")
    return wanted


def load(
    connection: psycopg.Connection,
    *,
    seed: int,
    until: datetime.date,
    scale: float = 1.0,
    progress: Progress | None = None,
) -> None:
    """Make the hospital, replacing one that is there, in one transaction."""
    tell = progress or (lambda _stage, _share: None)
    with connection.transaction():
        connection.execute("DROP SCHEMA IF EXISTS rpt, his CASCADE")
        connection.execute("SET LOCAL maintenance_work_mem = '256MB'")
        connection.execute("SET LOCAL work_mem = '128MB'")
        connection.execute("SET LOCAL max_parallel_maintenance_workers = 1")
        tell(_("建表"), 0.0)
        _script(connection, "schema.sql")
        for table, rows, share in _Generator(seed, until, scale).tables():
            with connection.cursor().copy(
                sql.SQL("COPY his.{} FROM STDIN WITH (FREEZE)").format(sql.Identifier(table))
            ) as out:
                out.write("".join(rows).encode())
            tell(_("装载就诊与处方"), 0.6 * share)
        for n, statement in enumerate(_DERIVED):
            connection.execute(statement.encode(), {"until": until})
            tell(_("推算发药、收费、医保与库存"), 0.6 + 0.2 * n / len(_DERIVED))
        tell(_("建主键、外键与索引"), 0.8)
        _script(connection, "keys.sql")
        connection.execute(
            "INSERT INTO his.hs_build VALUES (1, %s, %s, %s, %s, now(), %s)",
            [
                VERSION,
                seed,
                scale,
                until,
                "合成数据：全部由程序虚构，与任何真实医院、人员、药品无关",
            ],
        )
        database = connection.info.dbname
        connection.execute(
            sql.SQL("COMMENT ON DATABASE {} IS {}").format(
                sql.Identifier(database), "合成医院（合成数据），仅供演示与测试"
            )
        )
    tell(_("完成"), 1.0)


def open_to(connection: psycopg.Connection, account: str) -> None:
    """Give the HIS's one shared account its rights, and the search path its programs count on."""
    name = sql.Identifier(account)
    for statement in (
        "GRANT USAGE ON SCHEMA his, rpt TO {}",
        "GRANT CREATE ON SCHEMA rpt TO {}",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA his TO {}",
        "GRANT SELECT ON ALL TABLES IN SCHEMA rpt TO {}",
        "GRANT USAGE ON ALL SEQUENCES IN SCHEMA his TO {}",
        "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA his, rpt TO {}",
        "REVOKE INSERT, UPDATE, DELETE ON his.hs_build FROM {}",
        "ALTER ROLE {} SET search_path = his, rpt, public",
    ):
        connection.execute(sql.SQL(statement).format(name))


def names_to(connection: psycopg.Connection, account: str) -> None:
    """Give an account the right to read what codes are called, and nothing else."""
    name = sql.Identifier(account)
    for statement in (
        "GRANT USAGE ON SCHEMA his TO {}",
        "GRANT SELECT (ypdm, ypmc) ON his.yk_ypzd TO {}",
        "GRANT SELECT (hcdm, hcmc) ON his.hc_zd TO {}",
        "GRANT SELECT (ygdm, ygxm) ON his.gy_ygdm TO {}",
        "GRANT SELECT (ksdm, ksmc) ON his.gy_ksdm TO {}",
    ):
        connection.execute(sql.SQL(statement).format(name))


def _script(connection: psycopg.Connection, name: str) -> None:
    connection.execute((files("qingfang.demo") / name).read_text(encoding="utf-8").encode())


# ------------------------------------------------------------------ rows

_TABLE = 4096  # entries of a weighted table: one draw is one index
_QUANTITIES = (1, 1, 1, 1, 2, 2, 2, 2, 2, 3, 3, 3, 4, 4, 5, 6)
_LINES = (1, 1, 1, 1, 2, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5)


def _spread(weights: list[float], size: int = _TABLE) -> list[int]:
    """A table in which index n stands in proportion to its weight."""
    total = sum(weights)
    table: list[int] = []
    carried = 0.0
    for n, weight in enumerate(weights):
        carried += weight / total * size
        table.extend([n] * (round(carried) - len(table)))
    return table


class _Generator:
    """Makes the rows that are not derived, as COPY text, a month at a time."""

    def __init__(self, seed: int, until: datetime.date, scale: float) -> None:
        self._facts = facts(seed)
        self._rng = random.Random(f"rows {VERSION} {seed} {until} {scale}")
        self._until = until
        self._patients = max(500, int(PATIENTS * scale))
        self._visits = VISITS * scale
        self._scale = scale
        self._codes = [d.code for d in self._facts.drugs]
        self._prices = [d.cents for d in self._facts.drugs]
        self._money = [money(d.cents) for d in self._facts.drugs]
        self._picks: list[list[int]] = []
        self._liked: dict[str, list[int]] = {}
        self._first = until - datetime.timedelta(days=DAYS - 1)
        hours = _spread(list(_HOURS), 1024)
        self._clock = [
            f"{hours[self._rng.randrange(1024)]:02d}:{self._rng.randrange(60):02d}:{self._rng.randrange(60):02d}"
            for _n in range(8192)
        ]

    def tables(self) -> Iterator[tuple[str, list[str], float]]:
        """(table, rows, share of all work done)."""
        yield from ((name, rows, 0.01) for name, rows in self._dictionaries())
        yield "br_jbxx", list(self._people()), 0.1
        days = [self._first + datetime.timedelta(days=n) for n in range(DAYS)]
        self._gh = self._cf = self._mx = self._jc = self._login = 0
        for start in range(0, DAYS, 14):
            out: dict[str, list[str]] = {
                name: []
                for name in (
                    *("gh_mx", "mz_cf", "mz_cf_his", "mz_cfmx", "mz_cfmx_his", "jc_sq"),
                    *("pb_bc", "sys_login_log"),
                )
            }
            for n in range(start, min(start + 14, DAYS)):
                self._day(n, days[n], out)
            share = 0.1 + 0.75 * (start + 14) / DAYS
            yield from ((name, rows, min(share, 0.85)) for name, rows in out.items())
        yield from ((name, rows, 0.98) for name, rows in self._wards().items())

    def _dictionaries(self) -> Iterator[tuple[str, list[str]]]:
        facts, rng = self._facts, self._rng
        yield (
            "gy_ksdm",
            [
                f"{d.code}\t{d.name}\t{d.kind}\t{1 + n % 8}号楼\n"
                for n, d in enumerate(facts.departments)
            ],
        )
        yield (
            "gy_ygdm",
            [
                f"{s.number}\t{s.name}\t{s.department}\t{s.post}\t{s.title}\t{int(s.prescribes)}\t{s.level}\t1\n"
                for s in facts.staff
            ],
        )
        yield "bq_zd", [f"{d.ward}\t{d.name}病区\t{d.code}\n" for d in facts.wards]
        yield (
            "zs_zd",
            [f"{room}\t{department}\t门诊楼{room[-1]}层\n" for room, department in facts.rooms],
        )
        yield "yf_zd", [f"{code}\t{name}\n" for code, name in PHARMACIES]
        yield "icd_zd", [f"ZD{n:03d}\t{name}\n" for n, name in enumerate(names.DIAGNOSES)]
        yield (
            "yk_ypzd",
            [
                f"{d.code}\t{d.name}\t{d.brand}\t{d.spec}\t{d.unit}\t{d.maker}\t{d.kind}\t{d.group}\t{d.level}"
                f"\t{d.narcotic}\t{d.essential}\t{d.ddd}\t{money(d.cents)}\t1\n"
                for d in facts.drugs
            ],
        )
        yield (
            "hc_zd",
            [
                f"{c.code}\t{c.name}\t{c.spec}\t{c.maker}\t{c.high_value}\t{money(c.cents)}\n"
                for c in facts.consumables
            ],
        )
        yield (
            "gy_sfxm",
            [f"{f.code}\t{f.name}\t{f.subject}\t{money(f.cents)}\n" for f in facts.fees],
        )
        yield (
            "sys_user",
            [
                f"{s.number}\tu{s.number}\t{rng.randrange(2**64):016x}\t{s.post}\n"
                for s in facts.staff
            ],
        )
        yield (
            "sys_param",
            [
                f"{name}\t{value}\t{memo}\n"
                for name, value, memo in (
                    ("YYMC", "合成医院", "医院名称（合成数据）"),
                    ("CFYXQ", "3", "处方有效天数"),
                    ("FYCK", ",".join(WINDOWS), "门诊药房窗口"),
                    ("YBJK", "2.0", "医保接口版本"),
                )
            ],
        )

    def _people(self) -> Iterator[str]:
        rng = self._rng
        for n in range(self._patients):
            age = min(95, max(0, int(rng.triangular(0, 95, 58))))
            born = self._until - datetime.timedelta(days=age * 365 + rng.randrange(365))
            card = f"YB{n:08d}" if rng.random() < 0.62 else "\\N"
            yield (
                f"B{n:08d}\t{names.person(rng)}\t{'男女'[n & 1]}\t{born}\t{names.identity_card(rng, str(born))}"
                f"\t{names.telephone(rng)}\t{card}\t{self._first} 08:00:00\n"
            )

    def _day(self, number: int, day: datetime.date, out: dict[str, list[str]]) -> None:
        rng, facts = self._rng, self._facts
        random_, clock = rng.random, self._clock
        if number % 7 == 0:
            self._picks = [_spread(weights(facts, d, number)) for d in facts.clinics]
        history = number < DAYS - CURRENT_DAYS
        cf_out = out["mz_cf_his" if history else "mz_cf"]
        mx_out = out["mz_cfmx_his" if history else "mz_cfmx"]
        gh_out, jc_out = out["gh_mx"], out["jc_sq"]
        clinics = facts.clinics
        weekend = day.weekday() >= 5
        # Who sits where today.
        duty: list[list[tuple[Staff, str, list[int]]]] = []
        for place, clinic in enumerate(clinics):
            doctors = facts.doctors(clinic.code)
            keen = [s for s in doctors if random_() < (0.4 if weekend else 0.75)] or [doctors[0]]
            rooms = [room for room, code in facts.rooms if code == clinic.code]
            seats = []
            for k, doctor in enumerate(keen):
                room = rooms[k % len(rooms)]
                seats.append((doctor, room, self._favourites(doctor, place)))
                out["pb_bc"].append(
                    f"{(number + 1) * 1000 + place * 30 + k}\t{doctor.number}\t{day}\t白班\t{clinic.code}\t{room}\n"
                )
                self._login += 1
                out["sys_login_log"].append(
                    f"{self._login}\t{doctor.number}\t{day} 07:{rng.randrange(30, 60)}:{rng.randrange(60):02d}"
                    f"\t门诊医生站\tMZ-{room}\tI\n"
                )
            duty.append(seats)
        count = max(3, int(self._visits * _WEEKDAYS[day.weekday()] * (0.95 + 0.1 * random_())))
        times = sorted(clock[int(random_() * 8192)] for _n in range(count))
        places = rng.choices(range(len(clinics)), [c.weight for c in clinics], k=count)
        labs = [f.code for f in facts.fees if f.subject in ("HY", "JC")]
        patients = self._patients
        for time, place in zip(times, places, strict=True):
            seats = duty[place]
            # The first names on the door see most patients.
            doctor, room, favourites = seats[int(len(seats) * random_() ** 1.5)]
            code = clinics[place].code
            patient = f"B{int(patients * random_() ** 1.6):08d}"
            self._gh += 1
            visit = self._gh
            gh_out.append(
                f"{visit}\t{patient}\t{code}\t{doctor.number}\t{room}\t{day} {time}\t{'25' if doctor.level == 3 else '10'}.00\t1\n"
            )
            if random_() < 0.35:
                self._jc += 1
                jc_out.append(
                    f"{self._jc}\t{patient}\t{visit}\t{doctor.number}\t{code}\t{labs[int(random_() * len(labs))]}\t{day} {time}\t1\n"
                )
            if random_() > 0.82:
                continue
            for _n in range(2 if random_() < 0.06 else 1):
                self._cf += 1
                prescription = self._cf
                total = 0
                picks = self._picks[place]
                seen = set()
                for _k in range(_LINES[int(random_() * 16)]):
                    if random_() < 0.22:
                        item = favourites[int(random_() ** 2 * len(favourites))]
                    else:
                        item = picks[int(random_() * len(picks))]
                    if item in seen:
                        continue
                    seen.add(item)
                    quantity = _QUANTITIES[int(random_() * 16)]
                    price = self._prices[item]
                    amount = price * quantity
                    total += amount
                    self._mx += 1
                    mx_out.append(
                        f"{self._mx}\t{prescription}\t{self._codes[item]}\t{quantity}\t{self._money[item]}"
                        f"\t{amount // 100}.{amount % 100:02d}\t{names.USES[item % 6]}\t{names.TIMES_A_DAY[item % 5]}\n"
                    )
                state = 9 if random_() < 0.025 else 1
                window = WINDOWS[int(random_() * 6)]
                cf_out.append(
                    f"{prescription}\t{visit}\t{patient}\t{doctor.number}\t{code}\t{room}\t{day} {time}\t西"
                    f"\t{state}\t01\t{window}\t{total // 100}.{total % 100:02d}\n"
                )

    def _favourites(self, doctor: Staff, place: int) -> list[int]:
        """The eight drugs this doctor reaches for first; they stay the same all along."""
        liked = self._liked.get(doctor.number)
        if liked is None:
            rng = random.Random(f"liked {doctor.number}")
            picks = self._picks[place]
            drugs = self._facts.drugs
            found: list[int] = []
            while len(found) < 8:
                item = picks[rng.randrange(len(picks))]
                if item not in found and not drugs[item].launched:
                    found.append(item)
            liked = self._liked[doctor.number] = found
        return liked

    def _wards(self) -> dict[str, list[str]]:
        """Stays and orders, bed by bed; whoever is in at the end has orders for days to come."""
        rng, facts = self._rng, self._facts
        stays: list[str] = []
        orders: list[str] = []
        implants: list[str] = []
        beds = max(1, round(16 * self._scale))
        care = [(f.code, f.cents) for f in facts.fees if f.subject in ("HL", "CW")]
        tests = [(f.code, f.cents) for f in facts.fees if f.subject == "HY"]
        minor = [c for c in facts.consumables if not c.high_value]
        major = [c for c in facts.consumables if c.high_value]
        for ward in facts.wards:
            doctors = facts.doctors(ward.code)
            picks = _spread(weights(facts, ward, DAYS), 1024)
            cuts = "外科" in ward.name or ward.name in ("骨科", "心血管内科", "眼科", "泌尿外科")
            taste = random.Random(f"implants {ward.code}").sample(major, 20)
            for bed in range(1, beds + 1):
                start = -rng.randrange(0, 9)
                while start < DAYS:
                    length = rng.randrange(3, 14)
                    first, start = start, start + length + rng.randrange(0, 2)
                    if first < 0:
                        continue
                    last = first + length
                    inside = last >= DAYS
                    stay = 800_001 + len(stays)
                    doctor = rng.choice(doctors).number
                    patient = f"B{rng.randrange(self._patients):08d}"
                    came = self._first + datetime.timedelta(days=first)
                    left = "\\N" if inside else f"{came + datetime.timedelta(days=length)} 10:30:00"
                    stays.append(
                        f"{stay}\t{patient}\t{ward.ward}\t{ward.code}\t{bed:02d}\t{doctor}\t{came} 09:20:00"
                        f"\t{left}\t{1 if inside else 2}\n"
                    )
                    for n in range(rng.randrange(6, 14)):
                        kind, quantity, days = (
                            "PHA",
                            rng.choice((1, 1, 2, 2, 3)),
                            rng.randrange(1, 8),
                        )
                        if n == 0:
                            kind, quantity, days = "NUR", 1, length
                            code, cents = rng.choice(care)
                        elif n == 1:
                            kind, quantity, days = "LAB", 1, 1
                            code, cents = rng.choice(tests)
                        elif n == 2:
                            kind, thing = "MAT", rng.choice(minor)
                            code, cents = thing.code, thing.cents
                        else:
                            item = picks[rng.randrange(1024)]
                            code, cents = self._codes[item], self._prices[item]
                        begin = first + (rng.randrange(length) if n > 3 else 0)
                        days = min(days, last - begin)
                        if inside and kind != "LAB":
                            days = DAYS + MAX_AGE_DAYS - begin
                        if begin >= DAYS or days < 1:
                            continue
                        state = 1 if begin + days > DAYS else 2
                        day = self._first + datetime.timedelta(days=begin)
                        orders.append(
                            f"{3_000_001 + len(orders)}\t{stay}\t{kind}\t{code}\t{doctor}\t{ward.code}\t{ward.ward}"
                            f"\t{quantity}\t{money(cents)}\t{day} 09:{rng.randrange(30, 60)}:00\t{days}\t{state}\n"
                        )
                    if cuts and rng.random() < 0.45 and first + 1 < DAYS:
                        day = self._first + datetime.timedelta(days=first + 1)
                        for _n in range(rng.randrange(1, 4)):
                            thing = taste[int(20 * rng.random() ** 2)]
                            number = len(implants) + 1
                            implants.append(
                                f"{number}\t{thing.code}\tTM{number:010d}\t{stay}\t{patient}\t{doctor}\t{ward.code}"
                                f"\t1\t{money(thing.cents)}\t{day} 1{rng.randrange(0, 6)}:20:00\n"
                            )
        return {"zy_brjbxx": stays, "zy_yz": orders, "hc_sy": implants}


# What follows from the facts of care. Numbers of derived rows are computed from their origin's.
_DERIVED: tuple[str, ...] = (
    """INSERT INTO his.mz_jz
    SELECT ghxh, brid, ysdm, ksdm, gh_time + interval '10 minutes', 'ZD' || lpad((ghxh %% 24)::text, 3, '0')
    FROM his.gh_mx""",
    """INSERT INTO his.yf_fyrec
    SELECT m.mxid, c.yfdm, c.ckh, c.cfh, c.brid, m.ypdm, m.sl, m.je, c.ysdm, c.ksdm,
        c.kf_time + interval '25 minutes', (6001 + c.cfh %% 48)::text
    FROM his.v_mz_cf c JOIN his.v_mz_cfmx m ON m.cfh = c.cfh WHERE c.fy_zt = 1""",
    """INSERT INTO his.outp_bill
    SELECT m.mxid, c.brid, c.jzid, c.cfh, 'YP', m.ypdm, m.sl, m.je, c.ysdm, c.ksdm,
        c.kf_time + interval '12 minutes', (7001 + c.cfh %% 40)::text
    FROM his.v_mz_cf c JOIN his.v_mz_cfmx m ON m.cfh = c.cfh WHERE c.fy_zt IN (0, 1)""",
    """INSERT INTO his.outp_bill
    SELECT 2000000000 + s.sqid, s.brid, s.jzid, NULL, x.fykm, s.xmdm, 1, x.dj, s.ysdm, s.ksdm,
        s.sq_time + interval '12 minutes', (7001 + s.sqid %% 40)::text
    FROM his.jc_sq s JOIN his.gy_sfxm x ON x.xmdm = s.xmdm""",
    """INSERT INTO his.yb_scmx
    SELECT b.bill_no, b.visit_no, b.pid, b.fee_code, b.qty, b.amount, b.order_dr, b.order_dept,
        b.charge_time, 1
    FROM his.outp_bill b JOIN his.br_jbxx p ON p.brid = b.pid
    WHERE b.fee_kind = 'YP' AND p.ybkh IS NOT NULL AND b.charge_time >= %(until)s::date - 59""",
    """INSERT INTO his.yb_jsd
    SELECT b.visit_no, b.visit_no, b.pid, sum(b.amount), round(sum(b.amount) * 0.6, 2),
        max(b.charge_time) + interval '1 minute'
    FROM his.outp_bill b JOIN his.br_jbxx p ON p.brid = b.pid
    WHERE p.ybkh IS NOT NULL AND b.charge_time >= %(until)s::date - 59
    GROUP BY b.visit_no, b.pid""",
    """INSERT INTO his.zy_yzzx
    SELECT y.yzh * 1000 + d, y.yzh, y.zyh, y.bqdm, y.cat1_type, y.order_code, y.dosage_qty,
        date_trunc('day', y.start_time) + d * interval '1 day' + interval '10 hours',
        CASE WHEN y.start_time::date + d <= %(until)s THEN (4001 + y.yzh %% 160)::text END,
        CASE WHEN y.start_time::date + d <= %(until)s THEN 1 ELSE 0 END
    FROM his.zy_yz y, generate_series(0, y.ts - 1) d""",
    """INSERT INTO his.zy_fymx
    SELECT x.zxid, x.zyh, b.brid,
        CASE x.cat1_type WHEN 'PHA' THEN 'YP' WHEN 'MAT' THEN 'HC' WHEN 'LAB' THEN 'HY' ELSE 'HL' END,
        x.order_code, x.sl, x.sl * y.dj, y.kzys, y.ksdm, x.bqdm, x.zx_time + interval '1 hour'
    FROM his.zy_yzzx x JOIN his.zy_yz y ON y.yzh = x.yzh JOIN his.zy_brjbxx b ON b.zyh = x.zyh
    WHERE x.zx_zt = 1""",
    """INSERT INTO his.zy_fymx
    SELECT 9000000000 + h.syid, h.zyh, h.brid, 'HC', h.hcdm, h.sl, h.je, h.ysdm, h.ksdm, b.bqdm,
        h.sy_time + interval '1 hour'
    FROM his.hc_sy h JOIN his.zy_brjbxx b ON b.zyh = h.zyh""",
    """INSERT INTO his.lis_jg
    SELECT s.sqid * 4 + k, s.sqid, s.brid, '指标' || substr('甲乙丙', k, 1),
        round((s.sqid * k %% 97)::numeric / 7 + k, 2), '0.5-12.0', s.sq_time + interval '3 hours'
    FROM his.jc_sq s JOIN his.gy_sfxm x ON x.xmdm = s.xmdm AND x.fykm = 'HY',
        generate_series(1, 3) k""",
    """INSERT INTO his.yf_crk
    SELECT row_number() OVER (ORDER BY d, item_code), '01', item_code, '020', -used,
        'PH' || to_char(d, 'YYYYMM'), NULL, 'MZ' || to_char(d, 'YYYYMMDD'),
        d + interval '23 hours', '9002'
    FROM (SELECT fy_time::date AS d, item_code, sum(fy_sl) AS used FROM his.yf_fyrec GROUP BY 1, 2) s""",
    """INSERT INTO his.yf_crk
    SELECT 100000000 + row_number() OVER (ORDER BY d, item, ks), '02', item, '021', -used,
        'PH' || to_char(d, 'YYYYMM'), ks, 'BQ' || to_char(d, 'YYYYMMDD'), d + interval '23 hours', '9002'
    FROM (SELECT x.zx_time::date AS d, x.order_code AS item, y.ksdm AS ks, sum(x.sl) AS used
        FROM his.zy_yzzx x JOIN his.zy_yz y ON y.yzh = x.yzh
        WHERE x.cat1_type = 'PHA' AND x.zx_zt = 1 GROUP BY 1, 2, 3) s""",
    """INSERT INTO his.yf_crk
    SELECT 200000000 + row_number() OVER (ORDER BY m, yfdm, ypdm), yfdm, ypdm, '001',
        ceil(used * 1.1) + 20, 'PH' || to_char(m, 'YYYYMM'), NULL, 'CG' || to_char(m, 'YYYYMM'), m, '6151'
    FROM (SELECT date_trunc('month', rq) AS m, yfdm, ypdm, -sum(sl) AS used
        FROM his.yf_crk GROUP BY 1, 2, 3) s""",
    """INSERT INTO his.yf_kc
    SELECT yfdm, ypdm, sum(sl), max(ph), (%(until)s::date + 200 + (sum(sl)::bigint %% 400)::integer)
    FROM his.yf_crk GROUP BY yfdm, ypdm""",
)
