"""What is planted among a day's work: attempts at usage figures, and statistics that are approved.

Rules this module keeps:

1. A plan is a pure function of its number, the hospital and the day. The number decides persons,
   terminals, programs, drivers, literals, aliases, join order, writing and time; two plans have
   nothing in common but the techniques.
2. Nothing in a statement, a name or the timing tells a planted one from others: it comes from a
   declared person at a declared terminal, after a sign-in and some ordinary statements.
3. Every attempt runs without error and returns rows when nobody denies it; approved ones stay
   inside their approval.
4. `play` says what went over the wire: the connection as the other side sees it, the texts as they
   were sent, and when. That is what a later comparison with the evidence goes by.

`technique` are the names of the field's catalogue: T… are attempts, N… look-alikes that only their
approval (or being one's own) makes legitimate.
"""

from __future__ import annotations

import asyncio
import datetime
import random
import re
from collections.abc import Callable
from typing import Literal

import asyncpg
import msgspec
import psycopg
from msgspec import Struct

from qingfang.demo.client import Driver, Failure, Pace, Target, connected, filled
from qingfang.demo.hospital import Drug, Facts, Staff, popular
from qingfang.demo.people import Cast, Terminal

FIRST_SECONDS = 15.0
ROUND_SECONDS = 480.0  # how far the attempts of one plan are spread when the day has no end

How = Literal["query", "copy"]


class Step(Struct, frozen=True):
    """One statement: `copy` is COPY … TO STDOUT. `values` are bound, or written into the text by a
    program that does not bind. `quiet` steps clean up and reveal nothing."""

    sql: str
    values: tuple[object, ...] = ()
    how: How = "query"
    quiet: bool = False


class Attempt(Struct, frozen=True):
    """One person's doing. `after` is seconds from the start of the day's work; `grant` is the
    approval it rests on, None without; `legitimate` tells that it must not alarm."""

    technique: str
    after: float
    operator: str
    terminal: str
    program: str
    driver: Driver
    steps: tuple[Step, ...]
    grant: str | None = None
    legitimate: bool = False


class _Draw:
    """What one attempt is drawn from."""

    def __init__(self, rng: random.Random, facts: Facts, cast: Cast, today: datetime.date) -> None:
        self.rng, self.facts, self.cast, self.today = rng, facts, cast, today
        pair = rng.choice(
            (("his.mz_cf", "his.mz_cfmx"), ("mz_cf", "mz_cfmx"), ("his.v_mz_cf", "his.v_mz_cfmx"))
        )
        self.header, self.detail = pair
        first, second, third = rng.sample(_ALIASES, 3)
        self.c, self.m, self.x = first, second, third

    def drug(self) -> Drug:
        """One that sells well somewhere: nobody asks for the others."""
        busy = sorted(self.facts.clinics, key=lambda d: -d.weight)[:8]
        return self.rng.choice(popular(self.facts, self.rng.choice(busy), 8))

    def campaign(self, count: int) -> tuple[Drug, list[Staff]]:
        """A drug that one clinic prescribes much of, and up to `count` of its doctors."""
        clinic = self.rng.choice(sorted(self.facts.clinics, key=lambda d: -d.weight)[:8])
        doctors = self.facts.doctors(clinic.code)
        chosen = self.rng.sample(doctors, min(count, len(doctors)))
        return self.rng.choice(popular(self.facts, clinic, 6)), chosen

    def doctors(self, count: int) -> list[Staff]:
        """Doctors of the busiest clinics."""
        busy = sorted(self.facts.clinics, key=lambda d: -d.weight)[:8]
        pool = [s for d in busy for s in self.facts.doctors(d.code)]
        return self.rng.sample(pool, count)

    def month(self) -> tuple[str, str]:
        """The first day of one of the last two whole months, and of the month after."""
        last = self.today.replace(day=1)
        for _n in range(self.rng.choice((0, 0, 1))):
            last = (last - datetime.timedelta(days=1)).replace(day=1)
        first = (last - datetime.timedelta(days=1)).replace(day=1)
        return str(first), str(last)

    def since(self) -> str:
        return str(self.today - datetime.timedelta(days=self.rng.randrange(20, 50)))

    def period(self, column: str) -> str:
        first, after = self.month()
        last = datetime.date.fromisoformat(after) - datetime.timedelta(days=1)
        return self.rng.choice(
            (
                f"{column} >= '{first}' AND {column} < '{after}'",
                f"{column} BETWEEN '{first}' AND '{last} 23:59:59'",
                f"{column} >= DATE '{first}' AND {column} <= TIMESTAMP '{last} 23:59:59'",
            )
        )

    def columns(self, *names: str) -> str:
        return ", ".join(self.rng.sample(names, len(names)))

    def joined(self, *conditions: str, more: str = "") -> str:
        """FROM … WHERE … over prescriptions and their lines."""
        rng, c, m = self.rng, self.c, self.m
        tests = rng.sample(conditions, len(conditions))
        key = rng.choice((f"{m}.cfh = {c}.cfh", f"{c}.cfh = {m}.cfh"))
        sides = [f"{self.header} {c}", f"{self.detail} {m}"]
        rng.shuffle(sides)
        form = rng.randrange(3)
        if form == 0 or more:
            where = f" WHERE {' AND '.join(tests)}" if tests else ""
            return f"FROM {sides[0]} JOIN {sides[1]} ON {key}{more}{where}"
        if form == 1:
            where = f" WHERE {' AND '.join(tests)}" if tests else ""
            return f"FROM {sides[0]} INNER JOIN {sides[1]} ON ({key}){where}"
        return f"FROM {', '.join(sides)} WHERE {' AND '.join([key, *tests])}"

    def dress(self, sql: str) -> str:
        """The same statement in another hand: case of keywords, line breaks, a remark."""
        rng = self.rng
        if rng.random() < 0.5:
            sql = _KEYWORDS.sub(lambda word: word[0].lower(), sql)
        if rng.random() < 0.5:
            sql = re.sub(
                r" (FROM|WHERE|GROUP BY|ORDER BY|from|where|group by|order by) ", r"\n  \1 ", sql
            )
        if rng.random() < 0.15:
            sql = f"/* {rng.choice(_REMARKS)} */ {sql}"
        return sql

    def query(self, sql: str) -> tuple[Step, ...]:
        return (Step(self.dress(sql)),)


_ALIASES = ("a", "b", "c", "d", "m", "t", "t1", "t2", "x", "y", "cf", "mx", "p", "q", "zb", "mxb")
_BRID = "@brid"
_REMARKS = ("月报", "核对", "查询", "report", "2", "临时")
_KEYWORDS = re.compile(
    r"\b(SELECT|FROM|WHERE|GROUP BY|ORDER BY|HAVING|JOIN|INNER|ON|AND|SUM|COUNT|DISTINCT|AS|DESC"
    r"|LIMIT|BETWEEN|UNION ALL|CASE|WHEN|THEN|ELSE|END|IN|OVER|PARTITION BY|RANK|WITH)\b"
)

Maker = Callable[[_Draw], tuple[Step, ...]]


def _t01(d: _Draw) -> tuple[Step, ...]:
    columns = d.columns(f"{d.c}.ysdm", f"{d.m}.ypdm", f"SUM({d.m}.sl)")
    return d.query(
        f"SELECT {columns} {d.joined(d.period(f'{d.c}.kf_time'))} GROUP BY {d.c}.ysdm, {d.m}.ypdm"
    )


def _t02(d: _Draw) -> tuple[Step, ...]:
    columns = d.columns(f"{d.c}.ksdm", f"{d.m}.ypdm", f"SUM({d.m}.sl)", f"SUM({d.m}.je)")
    return d.query(
        f"SELECT {columns} {d.joined(d.period(f'{d.c}.kf_time'))} GROUP BY {d.m}.ypdm, {d.c}.ksdm"
    )


def _t03(d: _Draw) -> tuple[Step, ...]:
    test = f"{d.m}.ypdm = '{d.drug().code}'"
    count = d.rng.choice((f"COUNT(DISTINCT {d.c}.cfh)", "COUNT(*)", f"COUNT({d.m}.mxid)"))
    return d.query(f"SELECT {d.columns(f'{d.c}.ysdm', count)} {d.joined(test)} GROUP BY {d.c}.ysdm")


def _t04(d: _Draw) -> tuple[Step, ...]:
    item = d.drug()
    test = f"{d.x}.ypmc = '{item.name}'" if d.rng.random() < 0.5 else f"{d.m}.ypdm = '{item.code}'"
    more = f" JOIN gy_ygdm g1 ON g1.ygdm = {d.c}.ysdm JOIN yk_ypzd {d.x} ON {d.x}.ypdm = {d.m}.ypdm"
    body = d.joined(test, d.period(f"{d.c}.kf_time"), more=more)
    return d.query(f"SELECT g1.ygxm, SUM({d.m}.sl) AS hj {body} GROUP BY g1.ygxm ORDER BY hj DESC")


def _t05(d: _Draw) -> tuple[Step, ...]:
    inner = (
        f"SELECT {d.c}.ysdm, {d.m}.ypdm, SUM({d.m}.sl) AS n "
        f"{d.joined(d.period(f'{d.c}.kf_time'))} GROUP BY {d.c}.ysdm, {d.m}.ypdm"
    )
    return d.query(
        f"SELECT ysdm, ypdm, RANK() OVER (PARTITION BY ypdm ORDER BY n DESC) FROM ({inner}) {d.x}"
    )


def _t06(d: _Draw) -> tuple[Step, ...]:
    keys = d.columns(f"{d.c}.ksdm", f"{d.c}.ysdm", f"{d.m}.ypdm")
    form = d.rng.choice((f"ROLLUP ({keys})", f"CUBE ({keys})", f"GROUPING SETS (({keys}), ())"))
    body = d.joined(d.period(f"{d.c}.kf_time"))
    return d.query(f"SELECT {keys}, SUM({d.m}.sl) {body} GROUP BY {form}")


def _t07(d: _Draw) -> tuple[Step, ...]:
    sums = ", ".join(
        f"SUM(CASE WHEN {d.c}.ysdm = '{who.number}' THEN {d.m}.sl ELSE 0 END) AS n{n}"
        for n, who in enumerate(d.doctors(d.rng.randrange(3, 7)))
    )
    return d.query(f"SELECT {d.m}.ypdm, {sums} {d.joined()} GROUP BY {d.m}.ypdm")


def _t08(d: _Draw) -> tuple[Step, ...]:
    body = d.joined(f"{d.c}.ysdm = {d.x}.ygdm", f"{d.m}.ypdm = '{d.drug().code}'")
    return d.query(
        f"SELECT {d.x}.ygxm, (SELECT SUM({d.m}.sl) {body}) AS sl FROM gy_ygdm {d.x}"
        f" WHERE {d.x}.cfq = 1"
    )


def _t09(d: _Draw) -> tuple[Step, ...]:
    c, m = d.c, d.m
    body = d.joined(d.period(f"{c}.kf_time"))
    return d.query(
        f"SELECT DISTINCT {c}.ysdm, {m}.ypdm, SUM({m}.sl) OVER (PARTITION BY {c}.ysdm, {m}.ypdm) {body}"
    )


def _t10(d: _Draw) -> tuple[Step, ...]:
    inner = (
        f"SELECT {d.c}.ysdm AS k, {d.m}.ypdm || ':' || SUM({d.m}.sl) AS v "
        f"{d.joined(d.period(f'{d.c}.kf_time'))} GROUP BY {d.c}.ysdm, {d.m}.ypdm"
    )
    return d.query(f"SELECT k, string_agg(v, ';') FROM ({inner}) {d.x} GROUP BY k")


def _t11(d: _Draw) -> tuple[Step, ...]:
    test = f"{d.m}.ypdm = '{d.drug().code}'"
    return d.query(
        f"SELECT {d.c}.ysdm {d.joined(test)} GROUP BY {d.c}.ysdm"
        f" HAVING SUM({d.m}.sl) > {d.rng.randrange(1, 4)}"
    )


def _t12(d: _Draw) -> tuple[Step, ...]:
    test = f"{d.m}.ypdm = '{d.drug().code}'"
    return d.query(
        f"SELECT {d.c}.ysdm {d.joined(test)} GROUP BY {d.c}.ysdm"
        f" ORDER BY SUM({d.m}.sl) DESC LIMIT {d.rng.randrange(5, 30)}"
    )


def _t13(d: _Draw) -> tuple[Step, ...]:
    y = d.x
    columns = d.columns(f"{y}.kzys", f"{y}.order_code", f"SUM({y}.dosage_qty * {y}.ts)")
    return d.query(
        f"SELECT {columns} FROM his.zy_yz {y} WHERE {y}.cat1_type = 'PHA'"
        f" AND {y}.start_time >= '{d.since()}' GROUP BY {y}.kzys, {y}.order_code"
    )


def _t14(d: _Draw) -> tuple[Step, ...]:
    b = d.x
    columns = d.columns(f"{b}.order_dr", f"{b}.fee_code", f"SUM({b}.qty)", f"SUM({b}.amount)")
    return d.query(
        f"SELECT {columns} FROM his.outp_bill {b} WHERE {b}.fee_kind = 'YP'"
        f" AND {b}.charge_time >= '{d.since()}' GROUP BY {b}.order_dr, {b}.fee_code"
    )


def _t15(d: _Draw) -> tuple[Step, ...]:
    h = d.x
    return d.query(
        f"SELECT {h}.ysdm, k.hcmc, SUM({h}.sl), SUM({h}.je) FROM hc_sy {h}"
        f" JOIN hc_zd k ON k.hcdm = {h}.hcdm GROUP BY {h}.ysdm, k.hcmc"
    )


def _t16(d: _Draw) -> tuple[Step, ...]:
    if d.rng.random() < 0.5:
        return d.query(
            f"SELECT pres_dr, item_code, SUM(fy_sl) FROM yf_fyrec WHERE fy_time >= '{d.since()}'"
            " GROUP BY pres_dr, item_code"
        )
    return d.query(
        "SELECT bilg_dr_code, hilist_code, SUM(cnt) FROM his.yb_scmx"
        f" WHERE fee_ocur_time >= '{d.since()}' GROUP BY hilist_code, bilg_dr_code"
    )


def _t17(d: _Draw) -> tuple[Step, ...]:
    c, m = d.c, d.m
    return d.query(
        f"SELECT {c}.ysdm, {m}.ypdm, SUM({m}.sl) FROM his.mz_cf_his {c}"
        f" JOIN his.mz_cfmx_his {m} ON {m}.cfh = {c}.cfh GROUP BY {c}.ysdm, {m}.ypdm"
    )


def _t18(d: _Draw) -> tuple[Step, ...]:
    since = f"'{d.since()}'"
    columns = d.columns(
        f"{d.c}.cfh", f"{d.c}.ysdm", f"{d.c}.kf_time", f"{d.m}.ypdm", f"{d.m}.sl", f"{d.m}.je"
    )
    return d.query(f"SELECT {columns} {d.joined(f'{d.c}.kf_time >= {since}')}")


def _t19(d: _Draw) -> tuple[Step, ...]:
    columns = d.columns(f"{d.c}.brid", f"{d.c}.ysdm", f"{d.m}.sl", f"{d.c}.kf_time")
    body = d.joined(f"{d.m}.ypdm = '{d.drug().code}'", d.period(f"{d.c}.kf_time"))
    return d.query(f"SELECT {columns} {body} ORDER BY {d.c}.ysdm")


def _t21(d: _Draw) -> tuple[Step, ...]:
    first, second = f"{d.header} WHERE kf_time >= '{d.since()}'", d.detail
    halves = [
        Step(d.dress(f"SELECT cfh, ysdm FROM {first}")),
        Step(d.dress(f"SELECT cfh, ypdm, sl FROM {second}")),
    ]
    d.rng.shuffle(halves)
    return tuple(halves)


def _t22(d: _Draw) -> tuple[Step, ...]:
    item, doctors = d.campaign(d.rng.randrange(6, 12))
    body = d.joined(f"{d.c}.ysdm = '@'", f"{d.m}.ypdm = '{item.code}'")
    text = d.dress(f"SELECT SUM({d.m}.sl) {body}")
    return tuple(Step(text.replace("@", who.number)) for who in doctors)


def _t23(d: _Draw) -> tuple[Step, ...]:
    """One patient after the other, in the order of their numbers."""
    columns = d.columns(f"{d.c}.ysdm", f"{d.m}.ypdm", f"{d.m}.sl")
    text = d.dress(f"SELECT {columns} {d.joined(f'{d.c}.brid = {_BRID}')}")
    start = d.rng.randrange(400)
    return tuple(
        Step(text.replace(_BRID, f"'B{number:08d}'"))
        for number in range(start, start + d.rng.randrange(28, 36))
    )


def _t24(d: _Draw) -> tuple[Step, ...]:
    size = d.rng.choice((100, 200, 500))
    columns = d.columns(f"{d.c}.ysdm", f"{d.m}.ypdm", f"{d.m}.sl")
    text = d.dress(f"SELECT {columns} {d.joined()} ORDER BY {d.m}.mxid")
    return tuple(
        Step(f"{text} LIMIT {size} OFFSET {size * n}") for n in range(d.rng.randrange(3, 6))
    )


def _t29(d: _Draw) -> tuple[Step, ...]:
    month = d.month()[0][:7]
    columns = d.rng.choice(("*", f"{d.c}.*, {d.m}.*"))
    body = d.joined(f"{d.c}.kf_time::text LIKE '{month}%'")
    return d.query(f"SELECT {columns} {body}")


def _t31(d: _Draw) -> tuple[Step, ...]:
    body = d.joined(d.period(f"{d.c}.kf_time"))
    return d.query(
        f"SELECT {d.c}.zsh, {d.m}.ypdm, SUM({d.m}.sl) {body} GROUP BY {d.c}.zsh, {d.m}.ypdm"
    )


def _t33(d: _Draw) -> tuple[Step, ...]:
    view = f"rpt.v_{d.rng.choice(('tmp', 'rep', 'list', 'hz', 'zb'))}{d.rng.randrange(10, 99)}"
    body = (
        f"SELECT {d.c}.ysdm AS a, {d.m}.ypdm AS b, SUM({d.m}.sl) AS n "
        f"{d.joined(d.period(f'{d.c}.kf_time'))} GROUP BY {d.c}.ysdm, {d.m}.ypdm"
    )
    return (
        Step(f"CREATE VIEW {view} AS {body}"),
        Step(f"SELECT * FROM {view}"),
        Step(f"DROP VIEW IF EXISTS {view}", quiet=True),
    )


def _t35(d: _Draw) -> tuple[Step, ...]:
    table = f"{d.rng.choice(('tmp', 't', 'ls', 'zj'))}_{d.rng.randrange(10, 99)}"
    body = d.joined(f"{d.c}.kf_time >= '{d.since()}'")
    return (
        Step(
            f"CREATE TEMP TABLE {table} AS SELECT {d.c}.ysdm AS a, {d.m}.ypdm AS b, {d.m}.sl AS n {body}"
        ),
        Step(f"SELECT a, b, SUM(n) FROM {table} GROUP BY a, b"),
    )


def _t39(d: _Draw) -> tuple[Step, ...]:
    body = d.joined(d.period(f"{d.c}.kf_time"))
    return d.query(
        "SELECT yfdm AS a, ypdm AS b, kcsl AS n FROM yf_kc UNION ALL"
        f" SELECT {d.c}.ysdm, {d.m}.ypdm, SUM({d.m}.sl) {body} GROUP BY {d.c}.ysdm, {d.m}.ypdm"
    )


def _t40(d: _Draw) -> tuple[Step, ...]:
    body = d.joined(d.period(f"{d.c}.kf_time"))
    return d.query(
        f"WITH s AS (SELECT {d.c}.ysdm AS w, {d.m}.ypdm AS i, {d.m}.sl AS n {body})"
        " SELECT w, i, SUM(n) FROM s GROUP BY w, i"
    )


def _t49(d: _Draw) -> tuple[Step, ...]:
    item, doctors = d.campaign(d.rng.randrange(8, 16))
    text = d.dress(f"SELECT SUM({d.m}.sl) {d.joined(f'{d.c}.ysdm = $1', f'{d.m}.ypdm = $2')}")
    return tuple(Step(text, (who.number, item.code)) for who in doctors)


def _t55(d: _Draw) -> tuple[Step, ...]:
    pack = d.rng.choice(
        (
            f"json_agg(json_build_object('w', {d.c}.ysdm, 'i', {d.m}.ypdm, 'n', {d.m}.sl))",
            f"json_agg(json_build_array({d.c}.ysdm, {d.m}.ypdm, {d.m}.sl))",
        )
    )
    return d.query(f"SELECT {pack} {d.joined(d.period(f'{d.c}.kf_time'))}")


def _t61(d: _Draw) -> tuple[Step, ...]:
    body = d.joined(d.period(f"{d.c}.kf_time"))
    who = d.rng.choice((f'{d.c}."ysdm"', f'{d.c}.U&"\\0079sdm"'))
    what = d.rng.choice((f'{d.m}.U&"\\0079pdm"', f'{d.m}."ypdm"'))
    return (Step(f"SELECT {who}, {what}, SUM({d.m}.sl) {body} GROUP BY 1, 2"),)


def _t62(d: _Draw) -> tuple[Step, ...]:
    return d.query(
        "SELECT order_dr, drug_code, SUM(qty) FROM (SELECT dr_code AS order_dr, rx_no FROM rpt.outp_rx"
        f" WHERE rx_time >= '{d.since()}') {d.c} JOIN rpt.outp_rx_item USING (rx_no) GROUP BY 1, 2"
    )


def _t63(d: _Draw) -> tuple[Step, ...]:
    code = d.drug().code
    hidden = d.rng.choice(
        (
            f"chr({ord(code[0])}) || '{code[1:]}'",
            f"'{code[:3]}' || '{code[3:]}'",
            f"concat('{code[:4]}', '{code[4:]}')",
        )
    )
    body = d.joined(f"{d.m}.ypdm = {hidden}")
    return (Step(f"SELECT {d.c}.ysdm, SUM({d.m}.sl) {body} GROUP BY {d.c}.ysdm"),)


def _t70(d: _Draw) -> tuple[Step, ...]:
    columns = d.columns(f"{d.c}.ysdm", f"{d.m}.ypdm", f"{d.m}.sl")
    style = d.rng.choice(("", " WITH CSV", " WITH (FORMAT csv, HEADER)"))
    body = d.joined(d.period(f"{d.c}.kf_time"))
    return (Step(f"COPY (SELECT {columns} {body}) TO STDOUT{style}", how="copy"),)


def _t71(d: _Draw) -> tuple[Step, ...]:
    since = f"'{d.since()}'"
    return d.query(f"SELECT * {d.joined(f'{d.c}.kf_time >= {since}')}")


def _t79(d: _Draw) -> tuple[Step, ...]:
    first, after = d.month()
    columns = d.rng.choice(("*", "dr_code, drug_code, qty"))
    return d.query(f"SELECT {columns} FROM rpt.fn_ysyy('{first}', '{after}')")


def _t95(d: _Draw) -> tuple[Step, ...]:
    since = f"'{d.since()}'"
    columns = d.columns(f"{d.c}.ysdm", f"{d.m}.ypdm", f"{d.m}.sl")
    text = d.dress(f"SELECT {columns} {d.joined(f'{d.c}.kf_time >= {since}')}")
    sizes = sorted(d.rng.sample((1, 2, 5, 10, 50, 200, 1000, 2000), 3))
    return tuple(Step(f"{text} LIMIT {size}") for size in sizes)


ATTEMPTS: dict[str, Maker] = {
    "T01": _t01, "T02": _t02, "T03": _t03, "T04": _t04, "T05": _t05, "T06": _t06, "T07": _t07,
    "T08": _t08, "T09": _t09, "T10": _t10, "T11": _t11, "T12": _t12, "T13": _t13, "T14": _t14,
    "T15": _t15, "T16": _t16, "T17": _t17, "T18": _t18, "T19": _t19, "T21": _t21, "T22": _t22,
    "T23": _t23, "T24": _t24, "T29": _t29, "T31": _t31, "T33": _t33, "T35": _t35, "T39": _t39,
    "T40": _t40, "T49": _t49, "T55": _t55, "T61": _t61, "T62": _t62, "T63": _t63, "T70": _t70,
    "T71": _t71, "T79": _t79, "T95": _t95,
}  # fmt: skip


# ------------------------------------------------------------------ approved, or one's own


def _approved(d: _Draw) -> dict[str, tuple[str, tuple[Step, ...]]]:
    """technique → (purpose of the grant it rests on, its statements)."""
    c, m = d.c, d.m
    first = d.cast.month[0]
    last = d.cast.month[1] - datetime.timedelta(days=1)
    d.header, d.detail = "his.v_mz_cf", "his.v_mz_cfmx"

    def within(column: str) -> str:
        return f"{column} BETWEEN '{first}' AND '{last} 23:59:59'"

    drugs = f" JOIN his.yk_ypzd {d.x} ON {d.x}.ypdm = {m}.ypdm"
    time = within(f"{c}.kf_time")
    antibacterial = d.joined(f"{d.x}.ylfl = '抗菌药物'", time, more=drugs)
    endocrine = d.joined(f"{d.x}.ylfl = '内分泌'", time, more=drugs)
    grants = {g.purpose: g for g in d.cast.grants}
    checked = grants["医保飞行检查取数"].scope
    who = ", ".join(f"'{v}'" for v in checked.prescribers.values)
    what = ", ".join(f"'{v}'" for v in checked.items.values)
    return {
        "N10": (
            "科室抗菌药物使用强度",
            d.query(f"SELECT {c}.ksdm, SUM({m}.sl / {d.x}.ddd) {antibacterial} GROUP BY {c}.ksdm"),
        ),
        "N11": (
            "医师抗菌药物使用排名",
            d.query(
                f"SELECT {c}.ysdm, SUM({m}.sl) AS n {antibacterial} GROUP BY {c}.ysdm ORDER BY n DESC"
            ),
        ),
        "N12": (
            "处方点评抽样",
            d.query(
                f"SELECT {c}.cfh, {c}.brid, {c}.ysdm, {m}.ypdm, {m}.sl, {m}.yf, {m}.pc {d.joined(time)}"
                f" ORDER BY md5({c}.cfh::text || '{d.rng.randrange(1000)}') LIMIT 100"
            ),
        ),
        "N09": (
            "科室药占比",
            d.query(
                "SELECT order_dept, SUM(CASE WHEN fee_kind = 'YP' THEN amount ELSE 0 END) / SUM(amount)"
                f" FROM his.outp_bill WHERE {within('charge_time')} GROUP BY order_dept"
            ),
        ),
        "N35": (
            "科研取数（不含医师）",
            d.query(f"SELECT {c}.brid, {c}.kf_time, {m}.ypdm, {m}.sl {endocrine}"),
        ),
        "N36": (
            "医保飞行检查取数",
            d.query(
                f"SELECT {c}.ysdm, {m}.ypdm, SUM({m}.sl), SUM({m}.je)"
                f" {d.joined(f'{c}.ysdm IN ({who})', f'{m}.ypdm IN ({what})', time)}"
                f" GROUP BY {c}.ysdm, {m}.ypdm"
            ),
        ),
    }


# ------------------------------------------------------------------ the plan

# Who has been seen to try, by post, and how often.
_ACTORS = (
    ("医师", 5),
    ("药师", 3),
    ("采购员", 2),
    ("工程师", 4),
    ("护士", 2),
    ("会计", 2),
    ("收费员", 1),
)
_PROGRAMS = ("综合查询", "门诊医生站", "药库管理", "住院医生站", "Navicat", "DBeaver", "psql")


def reserved(facts: Facts, cast: Cast) -> frozenset[str]:
    """Staff numbers that ordinary desks leave alone, so that what an attempt taught its author does
    not colour somebody's day of honest work."""
    bound = _bound(cast)
    granted = {g.person for g in cast.grants}
    return frozenset(
        s.number
        for n, s in enumerate(facts.staff)
        if s.number in granted
        or (s.number not in bound and s.post != "服务账号" and (n % 6 == 5 or s.post == "工程师"))
    )


def _bound(cast: Cast) -> set[str]:
    """Who has a designation or a grant: their figures are theirs to see."""
    return {p for d in cast.designations for p in d.persons} | {g.person for g in cast.grants}


def plan(
    number: int, facts: Facts, cast: Cast, today: datetime.date, seconds: float
) -> tuple[Attempt, ...]:
    """The attempts and approved statistics of plan `number`, in the order of their time, spread over
    `seconds` (0: over the first eight minutes)."""
    length = seconds or ROUND_SECONDS
    made: list[Attempt] = []
    rng = random.Random(f"plan {number}")
    aside = reserved(facts, cast) - _bound(cast)
    pool = [s for s in facts.staff if s.number in aside]
    used: set[str] = set()
    for technique, make in ATTEMPTS.items():
        draw = _Draw(random.Random(f"plan {number} {technique}"), facts, cast, today)
        post = draw.rng.choices([p for p, _w in _ACTORS], [w for _p, w in _ACTORS])[0]
        free = [s for s in pool if s.number not in used]
        actor = draw.rng.choice([s for s in free if s.post == post] or free)
        spots = [t for t in _spots(actor, cast) if t.id not in used]
        spot = draw.rng.choice(spots or [t for t in _spare(cast) if t.id not in used])
        used |= {actor.number, spot.id}
        drivers: tuple[Driver, ...] = ("asyncpg", "psycopg", "literal")
        if technique == "T49":
            drivers = ("asyncpg", "psycopg")
        if technique == "T70":
            drivers = ("psycopg", "literal")
        made.append(
            Attempt(
                technique=technique,
                after=length * rng.uniform(0.08, 0.78),
                operator=actor.number,
                terminal=spot.id,
                program="Microsoft Office Excel"
                if technique == "T71"
                else draw.rng.choice(_PROGRAMS),
                driver=draw.rng.choice(drivers),
                steps=make(draw),
            )
        )
    draw = _Draw(random.Random(f"plan {number} approved"), facts, cast, today)
    grants = {g.purpose: g for g in cast.grants}
    for technique, (purpose, steps) in _approved(draw).items():
        grant = grants[purpose]
        made.append(
            Attempt(
                technique=technique,
                after=length * rng.uniform(0.08, 0.78),
                operator=grant.person,
                terminal=grant.terminals[0],
                program="综合查询",
                driver=draw.rng.choice(("psycopg", "literal")),
                steps=steps,
                grant=grant.id,
                legitimate=True,
            )
        )
    made.append(_own(draw, pool, used, cast, length * rng.uniform(0.08, 0.78)))
    if not seconds:
        # A visitor who waits should see the first within a minute.
        early = min(a.after for a in made) - FIRST_SECONDS
        made = [msgspec.structs.replace(a, after=a.after - early) for a in made]
    return tuple(sorted(made, key=lambda a: a.after))


def _own(d: _Draw, pool: list[Staff], used: set[str], cast: Cast, after: float) -> Attempt:
    """N16: a doctor looks at what she herself prescribed."""
    clinics = {c.code for c in d.facts.clinics}
    doctor = d.rng.choice(
        [s for s in pool if s.prescribes and s.department in clinics and s.number not in used]
    )
    d.header, d.detail = "his.v_mz_cf", "his.v_mz_cfmx"
    body = d.joined(f"{d.c}.ysdm = '{doctor.number}'", d.period(f"{d.c}.kf_time"))
    spots = [t for t in cast.at(f"MZ-{doctor.department}") if t.id not in used]
    return Attempt(
        technique="N16",
        after=after,
        operator=doctor.number,
        terminal=d.rng.choice(spots[3:] or spots).id,
        program="门诊医生站",
        driver=d.rng.choice(("psycopg", "literal", "asyncpg")),
        steps=d.query(f"SELECT {d.m}.ypdm, SUM({d.m}.sl) {body} GROUP BY {d.m}.ypdm"),
        legitimate=True,
    )


def _spots(actor: Staff, cast: Cast) -> list[Terminal]:
    """Where such a person finds a computer that nobody sits at."""
    if actor.post == "工程师":
        return list(cast.at("XX-")) + list(cast.at("ZZ-"))
    if actor.post in ("药师", "采购员"):
        return list(cast.at("YX-")) + list(cast.at("ZZ-")) + _spare(cast)
    return _spare(cast)


def _spare(cast: Cast) -> list[Terminal]:
    rooms = [t for t in cast.at("MZ-") if t.id.endswith("4")]
    wards = [t for t in cast.at("BQ-") if t.id.endswith("-3")]
    offices = [t for t in cast.at("BG-") if t.id.endswith("-2")]
    return rooms + wards + offices


async def play(
    attempt: Attempt, terminal: Terminal, target: Target, pace: Pace
) -> dict[str, object]:
    """Do it, and say what went over the wire.

    Keys: `kind` (`attempt` or `granted`), `technique`, `grant`, `operator`, `terminal`, `program`,
    `planted_at` and `ended_at` (ISO 8601, UTC), `client` (address:port the other side saw), `sql`
    (the revealing texts as sent), `refused` (how many of them failed), `problem` (None, or why the
    program could not even connect or sign in)."""
    texts: list[str] = []
    refused = 0
    client = ""
    problem: str | None = None
    started = datetime.datetime.now(datetime.UTC)
    rng = random.Random(f"{attempt.technique} {attempt.after}")
    try:
        async with connected(attempt.driver, terminal, attempt.program, target, pace) as c:
            client = c.client
            await c.sign_in(attempt.operator)
            await c.rows("SELECT ksdm, ksmc, kslb FROM his.gy_ksdm ORDER BY ksdm")
            if rng.random() < 0.5:
                await c.rows("SELECT ypdm, ypmc, gg FROM his.yk_ypzd WHERE ypmc LIKE $1", "阿%")
            started = datetime.datetime.now(datetime.UTC)
            for step in attempt.steps:
                if not step.quiet:
                    bare = attempt.driver == "literal" and step.how == "query"
                    texts.append(filled(step.sql, step.values) if bare else step.sql)
                try:
                    if step.how == "copy":
                        await c.copy_out(step.sql)
                    else:
                        await c.rows(step.sql, *step.values)
                except (asyncpg.PostgresError, psycopg.DatabaseError):
                    refused += not step.quiet
                await asyncio.sleep(rng.uniform(0.0, 0.4))
            await c.sign_out(attempt.operator)
    except (*Failure, TimeoutError) as error:
        problem = f"{type(error).__name__}: {error}"
    return {
        "kind": "granted" if attempt.legitimate else "attempt",
        "technique": attempt.technique,
        "grant": attempt.grant,
        "operator": attempt.operator,
        "terminal": attempt.terminal,
        "program": attempt.program,
        "planted_at": started.isoformat(),
        "ended_at": datetime.datetime.now(datetime.UTC).isoformat(),
        "client": client,
        "sql": texts,
        "refused": refused,
        "problem": problem,
    }
