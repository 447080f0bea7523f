"""A hospital at work: real clients over the wire, many people behind one database account.

Rules this module keeps:

1. Work flows as it does on paper: registration → doctor → cashier → pharmacy; what one desk hands
   on is what the next one takes up (`Floor`), wards, stores, laboratory and services beside them.
2. Nobody works more than people do: operators take turns, so that the patients one of them sees in
   an hour stay in a person's measure at any pace.
3. Whoever is planned to misbehave does so between ordinary statements, on a desk like any other.
   The plan lives in this process and nowhere else: it is made from a number that comes in on
   standard input, and what was done is told to the parent alone, on standard output.
4. An error of an ordinary statement is a fault of this module or of what lies between: counted, and
   told to the parent with its text.

Started as `python -m qingfang.demo.workload`: one JSON line in (`Order`), JSON lines out
(`{"kind": "started" | "progress" | "attempt" | "granted" | "error" | "end", …}`). It ends after the
ordered seconds, on SIGTERM, or when its parent goes (end of file on standard input).
"""

from __future__ import annotations

import asyncio
import datetime
import decimal
import itertools
import random
import signal
import sys
from collections import Counter, deque
from collections.abc import Awaitable, Callable

import msgspec
from msgspec import Struct

from qingfang.demo import attempts
from qingfang.demo.client import Client, Driver, Failure, Pace, Target, connected
from qingfang.demo.hospital import WINDOWS, Department, Drug, Facts, Staff, facts
from qingfang.demo.people import ZONE, Cast, Terminal, cast

CLOSING_SECONDS = 20.0  # for what is on the desk, and attempts under way
Told = Callable[[dict[str, object]], None]


class Order(Struct, frozen=True):
    """What the parent asks for. `seed` and `today` are the hospital's, `plan` is the number that
    the planted attempts are drawn from (None: plant nothing); `rate` is statements a second for
    all desks together (0: as fast as they go); `seconds` 0 is without end."""

    target: Target
    seed: int
    today: datetime.date
    plan: int | None = None
    seconds: float = 0.0
    rate: float = 15.0
    desks: int = 14


class Paper(Struct, frozen=True):
    """What a patient carries from desk to desk."""

    visit: int
    patient: str
    doctor: str
    department: str
    prescription: int
    window: str
    lines: tuple[tuple[str, int, decimal.Decimal], ...]


class Floor:
    """What lies between the desks, and whose turn it is."""

    def __init__(self, facts: Facts, cast: Cast, rng: random.Random, today: datetime.date) -> None:
        self.facts, self.cast, self.rng, self.today = facts, cast, rng, today
        # Bounded: on a day without end some patients go home without waiting.
        self.waiting: dict[str, deque[tuple[int, str]]] = {
            d.code: deque(maxlen=50) for d in facts.clinics
        }
        self.unpaid: deque[Paper] = deque(maxlen=500)
        self.undispensed: dict[str, deque[Paper]] = {w: deque(maxlen=100) for w in WINDOWS}
        self.uploads: deque[int] = deque(maxlen=500)
        self.labs: deque[tuple[int, str]] = deque(maxlen=500)
        self.patients: list[str] = []
        self._turns: dict[str, deque[Staff]] = {}
        self._busy: set[str] = set()
        self._reserved: frozenset[str] = frozenset()

    def reserve(self, numbers: frozenset[str]) -> None:
        """Keep these people out of the ordinary turns."""
        self._reserved = numbers

    def next(self, role: str, staff: tuple[Staff, ...]) -> Staff:
        """Whose turn it is among `staff`."""
        queue = self._turns.get(role)
        if queue is None:
            order = [s for s in staff if s.number not in self._reserved]
            self.rng.shuffle(order)
            queue = self._turns[role] = deque(order)
        queue.rotate(-1)
        return queue[-1]

    def seat(self, terminals: tuple[Terminal, ...]) -> Terminal | None:
        """A free terminal, taken; None when all are taken."""
        free = [t for t in terminals if t.id not in self._busy]
        if not free:
            return None
        chosen = self.rng.choice(free)
        self._busy.add(chosen.id)
        return chosen

    def leave(self, terminal: Terminal) -> None:
        self._busy.discard(terminal.id)

    def drug(self, department: Department) -> Drug:
        """A drug this department would prescribe."""
        groups = [g for g, _w in department.classes]
        group = self.rng.choices(groups, [w for _g, w in department.classes])[0]
        return self.rng.choice([d for d in self.facts.drugs if d.group == group])

    def patient(self) -> str:
        return self.rng.choice(self.patients)

    def now(self) -> datetime.datetime:
        """The hospital's wall clock: the time of day is real, the day is the hospital's own."""
        return datetime.datetime.combine(
            self.today, datetime.datetime.now(ZONE).time().replace(microsecond=0)
        )


# ------------------------------------------------------------------ what people do at a desk

Work = Callable[[Client, Floor, Staff], Awaitable[None]]


async def register(c: Client, floor: Floor, who: Staff) -> None:
    """Registration: find the patient by card, see who is on duty, take a number."""
    rng, today = floor.rng, floor.today
    patient = floor.patient()
    found = await c.rows(
        "SELECT brid, xm, xb, csrq, ybkh, sfzh FROM his.br_jbxx WHERE brid = $1", patient
    )
    card = found[0][5]
    await c.rows("SELECT brid, xm, lxdh FROM his.br_jbxx WHERE sfzh = $1", card)
    clinic = rng.choices(floor.facts.clinics, [d.weight for d in floor.facts.clinics])[0]
    await c.rows(
        "SELECT p.ygdm, g.ygxm, g.zc, p.zsh FROM his.pb_bc p JOIN his.gy_ygdm g ON g.ygdm = p.ygdm"
        " WHERE p.rq = $1 AND p.ksdm = $2 ORDER BY p.ygdm",
        today - datetime.timedelta(days=1),
        clinic.code,
    )
    doctor = rng.choice(floor.facts.doctors(clinic.code))
    async with c.transaction():
        number = (await c.rows("SELECT nextval('his.seq_lsh')"))[0][0]
        await c.rows(
            "INSERT INTO his.gh_mx (ghxh, brid, ksdm, ysdm, zsh, gh_time, ghf, zt)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, 0)",
            number,
            patient,
            clinic.code,
            doctor.number,
            f"{clinic.code}1",
            floor.now(),
            decimal.Decimal("25.00" if doctor.level == 3 else "10.00"),
        )
    floor.waiting[clinic.code].append((number, patient))


async def consult(c: Client, floor: Floor, who: Staff) -> None:
    """A doctor sees one patient and writes a prescription."""
    rng, clinic = floor.rng, next(d for d in floor.facts.departments if d.code == who.department)
    day = datetime.datetime.combine(floor.today, datetime.time())
    await c.rows(
        "SELECT g.ghxh, b.xm, b.xb, his.fn_nl(b.csrq), g.gh_time FROM his.gh_mx g"
        " JOIN his.br_jbxx b ON b.brid = g.brid"
        " WHERE g.ksdm = $1 AND g.gh_time >= $2 AND g.zt = 0 ORDER BY g.gh_time",
        clinic.code,
        day,
    )
    waiting = floor.waiting[clinic.code]
    if not waiting:
        await register(c, floor, who)
        candidates = [q for q in floor.waiting.values() if q]
        visit, patient = rng.choice(candidates).popleft()
    else:
        visit, patient = waiting.popleft()
    await c.rows("SELECT xm, xb, csrq, lxdh FROM his.br_jbxx WHERE brid = $1", patient)
    await c.rows(
        "SELECT kf_time, ygxm, ypmc, gg, sl, yf, pc FROM his.v_brcf WHERE brid = $1"
        " ORDER BY kf_time DESC LIMIT 30",
        patient,
    )
    if rng.random() < 0.5:
        await c.rows(
            "SELECT zbmc, jg, ckz, bg_time FROM his.lis_jg WHERE brid = $1 ORDER BY bg_time DESC LIMIT 20",
            patient,
        )
    await c.rows(
        "SELECT m.ypdm, his.fn_ypmc(m.ypdm) FROM his.mz_cf c JOIN his.mz_cfmx m ON m.cfh = c.cfh"
        " WHERE c.brid = $1 AND c.kf_time >= $2",
        patient,
        day - datetime.timedelta(days=14),
    )
    chosen = {d.code: d for d in (floor.drug(clinic) for _n in range(rng.choice((1, 2, 2, 3, 4))))}
    for drug in chosen.values():
        await c.rows(
            "SELECT y.ypdm, y.ypmc, y.gg, y.dw, y.lsj, k.kcsl FROM his.yk_ypzd y"
            " LEFT JOIN his.yf_kc k ON k.ypdm = y.ypdm AND k.yfdm = '01'"
            " WHERE y.ypmc LIKE $1 AND y.zt = 1 ORDER BY y.ypmc LIMIT 20",
            drug.name[:2] + "%",
        )
    window = rng.choice(WINDOWS)
    lines: list[tuple[str, int, decimal.Decimal]] = []
    async with c.transaction():
        await c.rows(
            "INSERT INTO his.mz_jz (jzid, brid, ysdm, ksdm, jz_time, icd) VALUES ($1, $2, $3, $4, $5, $6)",
            visit,
            patient,
            who.number,
            clinic.code,
            floor.now(),
            f"ZD{rng.randrange(24):03d}",
        )
        prescription = (await c.rows("SELECT nextval('his.seq_lsh')"))[0][0]
        total = decimal.Decimal(0)
        details = []
        for drug in chosen.values():
            quantity = rng.choice((1, 1, 2, 2, 3))
            price = decimal.Decimal(drug.cents) / 100
            lines.append((drug.code, quantity, price * quantity))
            total += price * quantity
            number = (await c.rows("SELECT nextval('his.seq_lsh')"))[0][0]
            details.append(
                (
                    number,
                    prescription,
                    drug.code,
                    decimal.Decimal(quantity),
                    price,
                    price * quantity,
                    "口服",
                    "bid",
                )
            )
        await c.rows(
            "INSERT INTO his.mz_cf (cfh, jzid, brid, ysdm, ksdm, zsh, kf_time, cf_lx, fy_zt, yfdm, ckh, je)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, '西', 0, '01', $8, $9)",
            prescription,
            visit,
            patient,
            who.number,
            clinic.code,
            c.terminal.id[3:] if c.terminal.id.startswith("MZ-") else None,
            floor.now(),
            window,
            total,
        )
        await c.many(
            "INSERT INTO his.mz_cfmx (mxid, cfh, ypdm, sl, dj, je, yf, pc)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            details,
        )
        await c.rows("UPDATE his.gh_mx SET zt = 1 WHERE ghxh = $1", visit)
        if rng.random() < 0.3:
            test = rng.choice([f for f in floor.facts.fees if f.subject == "HY"])
            request = (await c.rows("SELECT nextval('his.seq_lsh')"))[0][0]
            await c.rows(
                "INSERT INTO his.jc_sq (sqid, brid, jzid, ysdm, ksdm, xmdm, sq_time, zt)"
                " VALUES ($1, $2, $3, $4, $5, $6, $7, 0)",
                *(request, patient, visit, who.number, clinic.code, test.code, floor.now()),
            )
            floor.labs.append((request, patient))
    if rng.random() < 0.6:
        await c.rows(
            "SELECT c.cfh, g.ygxm, y.ypmc, y.gg, m.sl, m.je, m.yf FROM his.mz_cf c"
            " JOIN his.mz_cfmx m ON m.cfh = c.cfh JOIN his.yk_ypzd y ON y.ypdm = m.ypdm"
            " JOIN his.gy_ygdm g ON g.ygdm = c.ysdm WHERE c.cfh = $1",
            prescription,
        )
    floor.unpaid.append(
        Paper(visit, patient, who.number, clinic.code, prescription, window, tuple(lines))
    )


async def charge(c: Client, floor: Floor, who: Staff) -> None:
    """The cashier takes one patient's prescription: look it up, bill it, settle insurance."""
    if not floor.unpaid:
        await c.rows("SELECT 1")
        return
    paper = floor.unpaid.popleft()
    await c.rows(
        "SELECT c.cfh, y.ypmc, m.sl, m.dj, m.je FROM his.mz_cf c JOIN his.mz_cfmx m ON m.cfh = c.cfh"
        " JOIN his.yk_ypzd y ON y.ypdm = m.ypdm WHERE c.jzid = $1 AND c.fy_zt = 0",
        paper.visit,
    )
    card = await c.rows("SELECT ybkh FROM his.br_jbxx WHERE brid = $1", paper.patient)
    async with c.transaction():
        bills, uploads = [], []
        for code, quantity, amount in paper.lines:
            number = (await c.rows("SELECT nextval('his.seq_lsh')"))[0][0]
            count = decimal.Decimal(quantity)
            bills.append(
                (
                    *(number, paper.patient, paper.visit, paper.prescription, code, count, amount),
                    *(paper.doctor, paper.department, floor.now(), who.number),
                )
            )
            uploads.append(
                (
                    number,
                    paper.visit,
                    paper.patient,
                    code,
                    count,
                    amount,
                    paper.doctor,
                    paper.department,
                    floor.now(),
                )
            )
        await c.many(
            "INSERT INTO his.outp_bill (bill_no, pid, visit_no, rx_no, fee_kind, fee_code, qty, amount,"
            " order_dr, order_dept, charge_time, casher)"
            " VALUES ($1, $2, $3, $4, 'YP', $5, $6, $7, $8, $9, $10, $11)",
            bills,
        )
        if card and card[0][0]:
            total = sum((a for _c, _q, a in paper.lines), decimal.Decimal(0))
            await c.rows(
                "INSERT INTO his.yb_jsd (setl_id, mdtrt_id, psn_no, medfee_sumamt, fund_pay, setl_time)"
                " VALUES ($1, $2, $3, $4, $5, $6)",
                *(
                    paper.visit,
                    paper.visit,
                    paper.patient,
                    total,
                    total * decimal.Decimal("0.6"),
                    floor.now(),
                ),
            )
            await c.many(
                "INSERT INTO his.yb_scmx (scid, mdtrt_id, psn_no, hilist_code, cnt, det_item_fee,"
                " bilg_dr_code, bilg_dept_code, fee_ocur_time, sc_zt)"
                " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0)",
                uploads,
            )
            floor.uploads.append(paper.visit)
    await c.rows(
        "SELECT setl_id, medfee_sumamt, fund_pay FROM his.yb_jsd WHERE mdtrt_id = $1", paper.visit
    )
    floor.undispensed[paper.window].append(paper)


async def dispense(c: Client, floor: Floor, who: Staff) -> None:
    """A dispensing window: the queue, then the first prescriptions of it."""
    window = c.terminal.unit
    day = datetime.datetime.combine(floor.today, datetime.time())
    await c.rows(
        "SELECT c.cfh, b.xm, g.ygxm, y.ypmc, y.gg, m.sl FROM his.mz_cf c"
        " JOIN his.mz_cfmx m ON m.cfh = c.cfh JOIN his.yk_ypzd y ON y.ypdm = m.ypdm"
        " JOIN his.br_jbxx b ON b.brid = c.brid JOIN his.gy_ygdm g ON g.ygdm = c.ysdm"
        " WHERE c.ckh = $1 AND c.fy_zt = 0 AND c.kf_time >= $2 ORDER BY c.kf_time, c.cfh",
        window,
        day,
    )
    queue = floor.undispensed[window]
    for _n in range(min(3, len(queue))):
        await _hand_out(c, floor, who, queue.popleft())


async def _hand_out(c: Client, floor: Floor, who: Staff, paper: Paper) -> None:
    """One prescription leaves the pharmacy, its stock with it."""
    async with c.transaction():
        numbers = [(await c.rows("SELECT nextval('his.seq_lsh')"))[0][0] for _l in paper.lines]
        async with c.pipeline():
            for number, (code, quantity, amount) in zip(numbers, paper.lines, strict=True):
                count = decimal.Decimal(quantity)
                await c.rows(
                    "INSERT INTO his.yf_fyrec (fyid, yfdm, ckh, cfh, pid, item_code, fy_sl, fy_je, pres_dr,"
                    " dept_code, fy_time, fyr) VALUES ($1, '01', $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
                    *(number, paper.window, paper.prescription, paper.patient, code, count, amount),
                    *(paper.doctor, paper.department, floor.now(), who.number),
                )
                await c.rows(
                    "UPDATE his.yf_kc SET kcsl = kcsl - $1 WHERE yfdm = '01' AND ypdm = $2",
                    count,
                    code,
                )
                await c.rows(
                    "INSERT INTO his.yf_crk (lsh, yfdm, ypdm, biz_type, sl, rel_no, rq, czy)"
                    " VALUES ($1, '01', $2, '020', $3, $4, $5, $6)",
                    *(number, code, -count, str(paper.prescription), floor.now(), who.number),
                )
            await c.rows("UPDATE his.mz_cf SET fy_zt = 1 WHERE cfh = $1", paper.prescription)
    if floor.rng.random() < 0.3:
        await c.rows(
            "SELECT item_code, fy_sl, fy_je, fy_time FROM his.yf_fyrec WHERE cfh = $1",
            paper.prescription,
        )


async def nurse(c: Client, floor: Floor, who: Staff) -> None:
    """A ward round: the ward's list, today's executions, some of them ticked off."""
    ward = next(d for d in floor.facts.departments if d.code == who.department)
    day = datetime.datetime.combine(floor.today, datetime.time())
    beds = await c.rows(
        "SELECT z.zyh, z.cwh, b.xm, b.xb, z.ry_time FROM his.zy_brjbxx z JOIN his.br_jbxx b ON b.brid = z.brid"
        " WHERE z.bqdm = $1 AND z.zt = 1 ORDER BY z.cwh",
        ward.ward,
    )
    due = await c.rows(
        "SELECT x.zxid, z.cwh, x.zyh, x.order_code, x.sl, x.zx_time FROM his.zy_yzzx x"
        " JOIN his.zy_brjbxx z ON z.zyh = x.zyh"
        " WHERE x.bqdm = $1 AND x.zx_time >= $2 AND x.zx_time < $3 AND x.zx_zt = 0 ORDER BY z.cwh",
        ward.ward,
        day,
        day + datetime.timedelta(days=1),
    )
    for row in list(due)[: floor.rng.randrange(1, 5)]:
        await c.rows(
            "UPDATE his.zy_yzzx SET zx_zt = 1, zxhs = $1 WHERE zxid = $2 AND zx_zt = 0",
            who.number,
            row[0],
        )
    for row in list(beds)[:2]:
        await c.rows(
            "SELECT yzh, cat1_type, order_code, dosage_qty, start_time, ts FROM his.zy_yz"
            " WHERE zyh = $1 AND yz_zt IN (0, 1) ORDER BY start_time",
            row[0],
        )


async def ward_doctor(c: Client, floor: Floor, who: Staff) -> None:
    """One in-patient's orders are read and one is added."""
    ward = next(d for d in floor.facts.departments if d.code == who.department)
    beds = await c.rows(
        "SELECT zyh, cwh, brid, ry_time FROM his.zy_brjbxx WHERE bqdm = $1 AND zt = 1 ORDER BY cwh",
        ward.ward,
    )
    if not beds:
        return
    stay = floor.rng.choice(list(beds))
    await c.rows(
        "SELECT y.yzh, y.cat1_type, d.ypmc, y.dosage_qty, y.start_time, y.yz_zt, g.ygxm FROM his.zy_yz y"
        " JOIN his.gy_ygdm g ON g.ygdm = y.kzys LEFT JOIN his.yk_ypzd d ON d.ypdm = y.order_code"
        " WHERE y.zyh = $1 ORDER BY y.start_time DESC",
        stay[0],
    )
    drug = floor.drug(ward)
    async with c.transaction():
        number = (await c.rows("SELECT nextval('his.seq_lsh')"))[0][0]
        await c.rows(
            "INSERT INTO his.zy_yz (yzh, zyh, cat1_type, order_code, kzys, ksdm, bqdm, dosage_qty, dj,"
            " start_time, ts, yz_zt) VALUES ($1, $2, 'PHA', $3, $4, $5, $6, $7, $8, $9, 3, 0)",
            *(number, stay[0], drug.code, who.number, ward.code, ward.ward, decimal.Decimal(1)),
            *(decimal.Decimal(drug.cents) / 100, floor.now()),
        )


async def ward_supply(c: Client, floor: Floor, who: Staff) -> None:
    """The in-patient pharmacy puts together what one ward needs today."""
    ward = floor.rng.choice(floor.facts.wards)
    day = datetime.datetime.combine(floor.today, datetime.time())
    await c.rows(
        "SELECT x.order_code, y.ypmc, y.gg, sum(x.sl) FROM his.zy_yzzx x JOIN his.yk_ypzd y ON y.ypdm = x.order_code"
        " WHERE x.bqdm = $1 AND x.cat1_type = 'PHA' AND x.zx_time >= $2 AND x.zx_time < $3"
        " GROUP BY x.order_code, y.ypmc, y.gg ORDER BY x.order_code",
        ward.ward,
        day,
        day + datetime.timedelta(days=1),
    )
    await c.rows(
        "SELECT ypdm, ypmc, kcsl FROM his.v_kc WHERE yfdm = '02' AND kcsl < $1", decimal.Decimal(20)
    )


async def store(c: Client, floor: Floor, who: Staff) -> None:
    """The drug store: stock, expiry, a delivery, a price."""
    rng = floor.rng
    await c.rows(
        "SELECT ypdm, ypmc, gg, kcsl, ph, yxq FROM his.v_kc WHERE yfdm = '01' ORDER BY ypdm"
    )
    await c.rows(
        "SELECT ypdm, ph, yxq, kcsl FROM his.yf_kc WHERE yxq < $1 AND kcsl > 0",
        floor.today + datetime.timedelta(days=230),
    )
    delivered = rng.sample(floor.facts.drugs, 5)
    rows = [
        (
            (await c.rows("SELECT nextval('his.seq_lsh')"))[0][0],
            *("01", drug.code, "001", decimal.Decimal(rng.randrange(20, 200))),
            *(f"PH{floor.today:%Y%m}", f"CG{floor.today:%Y%m%d}", floor.now(), who.number),
        )
        for drug in delivered
    ]
    await c.copy_in(
        "yf_crk", ("lsh", "yfdm", "ypdm", "biz_type", "sl", "ph", "rel_no", "rq", "czy"), rows
    )
    for row in rows:
        await c.rows(
            "UPDATE his.yf_kc SET kcsl = kcsl + $1 WHERE yfdm = '01' AND ypdm = $2", row[4], row[2]
        )
    drug = rng.choice(floor.facts.drugs)
    await c.rows("UPDATE his.yk_ypzd SET lsj = round(lsj * 0.99, 2) WHERE ypdm = $1", drug.code)
    if c.driver != "asyncpg":
        await c.copy_out("COPY his.yf_kc TO STDOUT")


async def laboratory(c: Client, floor: Floor, who: Staff) -> None:
    """Results of one request come in from the instrument."""
    if not floor.labs:
        await c.rows("SELECT xmdm, xmmc, dj FROM his.gy_sfxm WHERE fykm = 'HY' ORDER BY xmdm")
        return
    request, patient = floor.labs.popleft()
    await c.rows(
        "SELECT s.sqid, s.xmdm, x.xmmc, b.xm, b.xb FROM his.jc_sq s JOIN his.gy_sfxm x ON x.xmdm = s.xmdm"
        " JOIN his.br_jbxx b ON b.brid = s.brid WHERE s.sqid = $1",
        request,
    )
    results = []
    for kind in "甲乙丙":
        number = (await c.rows("SELECT nextval('his.seq_lsh')"))[0][0]
        value = decimal.Decimal(floor.rng.randrange(50, 1200)) / 100
        results.append((number, request, patient, f"指标{kind}", value, "0.5-12.0", floor.now()))
    await c.copy_in("lis_jg", ("jgid", "sqid", "brid", "zbmc", "jg", "ckz", "bg_time"), results)
    await c.rows("UPDATE his.jc_sq SET zt = 1 WHERE sqid = $1", request)


async def upload(c: Client, floor: Floor, who: Staff) -> None:
    """The insurance service sends what was settled, one visit after the other."""
    for _n in range(min(3, len(floor.uploads))):
        visit = floor.uploads.popleft()
        await c.rows(
            "SELECT scid, psn_no, hilist_code, cnt, det_item_fee, bilg_dr_code, bilg_dept_code, fee_ocur_time"
            " FROM his.yb_scmx WHERE mdtrt_id = $1 AND sc_zt = 0",
            visit,
        )
        await c.rows("UPDATE his.yb_scmx SET sc_zt = 1 WHERE mdtrt_id = $1", visit)
    await c.rows("SELECT pval FROM his.sys_param WHERE pname = 'YBJK'")


async def night(c: Client, floor: Floor, who: Staff) -> None:
    """The archive job: the oldest prescriptions move to the history tables."""
    oldest = (await c.rows("SELECT min(kf_time) FROM his.mz_cf"))[0][0]
    if oldest is None:
        return
    until = oldest + datetime.timedelta(minutes=10)
    async with c.transaction():
        await c.rows("INSERT INTO his.mz_cf_his SELECT * FROM his.mz_cf WHERE kf_time < $1", until)
        await c.rows(
            "INSERT INTO his.mz_cfmx_his SELECT * FROM his.mz_cfmx"
            " WHERE cfh IN (SELECT cfh FROM his.mz_cf WHERE kf_time < $1)",
            until,
        )
        await c.rows(
            "DELETE FROM his.mz_cfmx WHERE cfh IN (SELECT cfh FROM his.mz_cf WHERE kf_time < $1)",
            until,
        )
        await c.rows("DELETE FROM his.mz_cf WHERE kf_time < $1", until)


async def office(c: Client, floor: Floor, who: Staff) -> None:
    """Figures that have nothing to do with anybody's use of drugs."""
    day = datetime.datetime.combine(floor.today - datetime.timedelta(days=7), datetime.time())
    choices: tuple[tuple[str, tuple[object, ...]], ...] = (
        ("SELECT ysdm, count(*) FROM his.mz_jz WHERE jz_time >= $1 GROUP BY ysdm", (day,)),
        (
            "SELECT ksdm, ysdm, count(*) FROM his.gh_mx WHERE gh_time >= $1 GROUP BY ksdm, ysdm",
            (day,),
        ),
        (
            "SELECT order_dept, sum(amount) FROM his.outp_bill WHERE charge_time >= $1 GROUP BY order_dept",
            (day,),
        ),
        ("SELECT xmdm, count(*) FROM his.jc_sq WHERE sq_time >= $1 GROUP BY xmdm", (day,)),
        (
            "SELECT rq, count(*) FROM his.pb_bc WHERE rq >= $1 GROUP BY rq ORDER BY rq",
            (day.date(),),
        ),
        ("SELECT bqdm, count(*) FROM his.zy_brjbxx WHERE zt = 1 GROUP BY bqdm ORDER BY bqdm", ()),
    )
    text, values = floor.rng.choice(choices)
    await c.rows(text, *values)


async def dictionaries(c: Client) -> None:
    """What a program loads when somebody has signed in."""
    await c.rows("SELECT ksdm, ksmc, kslb FROM his.gy_ksdm ORDER BY ksdm")
    await c.through(
        "SELECT ypdm, ypmc, gg, dw, lsj FROM his.yk_ypzd WHERE zt = 1 ORDER BY ypdm", 500
    )


class Job(Struct, frozen=True):
    """A kind of desk: how often it is manned, by whom, where, with which program and driver, and
    how many rounds of work one sitting has."""

    name: str
    weight: float
    posts: tuple[str, ...]
    place: str
    program: str
    drivers: tuple[Driver, ...]
    work: Work
    rounds: tuple[int, int]


JOBS: tuple[Job, ...] = (
    Job("挂号", 3, ("挂号员",), "GH-", "挂号系统", ("literal", "psycopg"), register, (4, 9)),
    Job("门诊医生", 8, ("医师",), "MZ-", "门诊医生站", ("asyncpg", "psycopg", "literal"), consult, (2, 5)),
    Job("收费", 5, ("收费员",), "SF-", "门诊收费", ("literal", "asyncpg"), charge, (4, 9)),
    Job("发药", 4, ("药师",), "YF-", "门诊药房", ("psycopg", "asyncpg"), dispense, (4, 9)),
    Job("护士", 4, ("护士",), "BQ-", "护士工作站", ("psycopg", "asyncpg"), nurse, (1, 3)),
    Job("病房医生", 3, ("医师",), "BQ-", "住院医生站", ("asyncpg", "literal"), ward_doctor, (2, 4)),
    Job("摆药", 1, ("药师",), "ZY-", "住院药房", ("psycopg",), ward_supply, (2, 4)),
    Job("药库", 0.5, ("采购员",), "YK-", "药库管理", ("psycopg", "asyncpg", "literal"), store, (1, 2)),
    Job("检验", 1.5, ("检验师",), "JY-", "LIS", ("asyncpg", "psycopg"), laboratory, (2, 5)),
    Job("医保上传", 1, ("服务账号",), "FW-01", "YBUpload", ("asyncpg",), upload, (3, 6)),
    Job("夜间作业", 0.2, ("服务账号",), "FW-02", "NightJob", ("psycopg",), night, (1, 2)),
    Job("职能", 0.6, ("会计", "质控干事"), "BG-", "综合查询", ("psycopg", "literal"), office, (2, 4)),
)  # fmt: skip


def _places(job: Job, who: Staff, floor: Floor) -> tuple[Terminal, ...]:
    """Where this person does this job. The last room of every clinic and ward stays free: somebody
    who has business of his own sits there."""
    if job.place == "MZ-":
        return floor.cast.at(f"MZ-{who.department}")[:3]
    if job.place == "BQ-":
        return tuple(t for t in floor.cast.at("BQ-") if t.unit == f"B{who.department}")[:2]
    if job.place == "BG-":
        return floor.cast.at(f"BG-{who.department}")[:1]
    return floor.cast.at(job.place)


def _candidates(job: Job, facts: Facts) -> tuple[Staff, ...]:
    staff = facts.post(*job.posts)
    if job.place == "BQ-":
        wards = {d.code for d in facts.wards}
        return tuple(s for s in staff if s.department in wards)
    if job.place == "MZ-":
        clinics = {d.code for d in facts.clinics}
        return tuple(s for s in staff if s.department in clinics)
    if job.name == "医保上传":
        return staff[:1]
    if job.name == "夜间作业":
        return staff[1:]
    return staff


class Hospital:
    """All desks together. `errors` counts failed ordinary statements by their text."""

    def __init__(self, order: Order, tell: Told) -> None:
        self._order = order
        self._tell = tell
        self._facts = facts(order.seed)
        self._cast = cast(self._facts, order.today)
        self._rng = random.Random()
        if order.plan is not None:
            self._rng.seed(f"day {order.plan}")
        self.floor = Floor(self._facts, self._cast, self._rng, order.today)
        self.pace = Pace(order.rate)
        self._attempted = Pace(0)  # a salesman's friend does not wait for the ward's turn
        self._closing = False
        self.errors: Counter[str] = Counter()

    async def run(self) -> None:
        """Work until the ordered time is over or the task is cancelled. At the end of the time
        everybody finishes what is on the desk."""
        order = self._order
        if order.plan is not None:
            self.floor.reserve(attempts.reserved(self._facts, self._cast))
        await self._meet_patients()
        self._tell({"kind": "started", "at": datetime.datetime.now(datetime.UTC).isoformat()})
        async with asyncio.TaskGroup() as group:
            working = {group.create_task(self._desk(number)) for number in range(order.desks)}
            if order.plan is not None:
                working.add(group.create_task(self._attempts(order.plan)))
            clock = group.create_task(self._progress())
            if order.seconds:
                await asyncio.sleep(order.seconds)
                self._closing = True
                self.pace.hurry()
                _done, late = await asyncio.wait(working, timeout=CLOSING_SECONDS)
                for task in {clock, *late}:
                    task.cancel()

    async def _attempts(self, number: int) -> None:
        """Play one plan; on a day without end, one after the other."""
        order = self._order
        for turn in itertools.count():
            planned = attempts.plan(
                number + turn, self._facts, self._cast, order.today, order.seconds
            )
            async with asyncio.TaskGroup() as group:
                for attempt in planned:
                    group.create_task(self._attempt(attempt))
            if order.seconds:
                return
            await asyncio.sleep(attempts.ROUND_SECONDS * 0.2)

    async def _meet_patients(self) -> None:
        """Patients come from outside: this process knows a few hundred of them."""
        terminal = self._cast.terminal("FW-02")
        async with connected("psycopg", terminal, "NightJob", self._order.target, Pace(0)) as c:
            count = (await c.rows("SELECT count(*) FROM his.br_jbxx"))[0][0]
        chosen = self._rng.sample(range(count), min(count, 5000))
        self.floor.patients = [f"B{n:08d}" for n in chosen]

    @property
    def statements(self) -> int:
        """How many were sent so far."""
        return self.pace.statements + self._attempted.statements

    async def _progress(self) -> None:
        while True:
            await asyncio.sleep(1)
            self._tell({"kind": "progress", "statements": self.statements})

    async def _desk(self, number: int) -> None:
        """One worker: takes a job, sits down, signs in, works, signs out, and again."""
        rng = self._rng
        while not self._closing:
            # The first desks make sure that the flow of one patient is always manned.
            job = JOBS[number] if number < 4 else rng.choices(JOBS, [j.weight for j in JOBS])[0]
            who = self.floor.next(job.name, _candidates(job, self._facts))
            terminal = self.floor.seat(_places(job, who, self.floor))
            if terminal is None:
                await asyncio.sleep(0.05)
                continue
            try:
                async with connected(
                    rng.choice(job.drivers), terminal, job.program, self._order.target, self.pace
                ) as c:
                    await c.sign_in(who.number)
                    if rng.random() < 0.3:
                        await dictionaries(c)
                    for _n in range(rng.randint(*job.rounds)):
                        if self._closing:
                            break
                        await job.work(c, self.floor, who)
                    await c.sign_out(who.number)
            except (*Failure, TimeoutError) as error:
                self._fault(job.name, error)
                await asyncio.sleep(0.5)  # nobody hammers on a system that does not answer
            finally:
                self.floor.leave(terminal)

    async def _attempt(self, attempt: attempts.Attempt) -> None:
        """Play one planned attempt at its time; tell the parent what went over the wire."""
        await asyncio.sleep(attempt.after)
        terminal = self._cast.terminal(attempt.terminal)
        done = await attempts.play(attempt, terminal, self._order.target, self._attempted)
        self._tell(done)

    def _fault(self, where: str, error: BaseException) -> None:
        text = f"{type(error).__name__}: {error}".strip()
        self.errors[text] += 1
        self._tell({"kind": "error", "where": where, "text": text})


async def _main() -> None:
    loop = asyncio.get_running_loop()
    line = await loop.run_in_executor(None, sys.stdin.buffer.readline)
    order = msgspec.json.decode(line, type=Order)

    def tell(record: dict[str, object]) -> None:
        sys.stdout.buffer.write(msgspec.json.encode(record) + b"\n")
        sys.stdout.buffer.flush()

    hospital = Hospital(order, tell)
    work = asyncio.create_task(hospital.run())
    loop.add_signal_handler(signal.SIGTERM, work.cancel)
    loop.add_signal_handler(signal.SIGINT, work.cancel)
    loop.add_reader(sys.stdin, work.cancel)  # nothing more is ever sent: end of file is the end
    try:
        await work
    except asyncio.CancelledError:
        pass
    finally:
        loop.remove_reader(sys.stdin)
        tell(
            {
                "kind": "end",
                "statements": hospital.statements,
                "errors": sum(hospital.errors.values()),
            }
        )


if __name__ == "__main__":
    asyncio.run(_main())
