"""What adds up over statements, days and people; and what is work and does not."""

import datetime
import random
from collections.abc import Callable
from functools import partial

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw
from msgspec.structs import replace

from qingfang.events import Fixed, Meaning, Period, Pin, Scope, Selection, Value, Yield
from qingfang.understand.accumulate import DAY, HOUR, Learner, Limits, Memory
from qingfang.understand.analysis import Analyser
from qingfang.understand.state import SessionState
from qingfang.understand.templates import Templates
from tests.understand.scenes import catalogue

# 2026-01-20 09:00 in Shanghai.
NINE = 1_768_870_800_000_000
MINUTE = 60_000_000

DOCTOR = Learner(session="c1", person="YS03", own=("YS03",))
CLERK = Learner(session="c2", person="IT07")


def value(text: str | None) -> Value:
    return Value(text)


def pinned(*keys: str | None, role: str = "patient_id") -> Meaning:
    """SELECT ysdm, ypdm, sl … WHERE brid = …"""
    return Meaning(
        "clinical",
        subtype="pinned",
        pins=(Pin(role, "mz_cf", tuple(value(k) for k in keys)),),
        yields=(
            Yield(
                ("mz_cf", "mz_cfmx"),
                ("prescriber_id", "item_id", "quantity"),
                measured=True,
                pinned=True,
            ),
        ),
    )


def order(key: str, role: str = "patient_id") -> Meaning:
    """INSERT INTO mz_cf (brid, …) VALUES (…)"""
    return Meaning("none", works=(Pin(role, "mz_cf", (value(key),)),))


def worklist(
    day: str | None = None,
    *,
    unit: str = "",
    prescriber: str = "",
    item: str = "",
) -> Meaning:
    fixed = []
    if unit:
        fixed.append(Fixed("unit_id", "zy_yz", "bq", (value(unit),)))
    if prescriber:
        fixed.append(Fixed("prescriber_id", "mz_cf", "ysdm", (value(prescriber),)))
    if item:
        fixed.append(Fixed("item_id", "zy_yz", "ypdm", (value(item),)))
    period = Period(value(day), value(day)) if day else None
    return Meaning(
        "clinical",
        subtype="worklist",
        scope=Scope(period=period),
        yields=(
            Yield(
                ("zy_yz",),
                ("visit_id", "item_id", "quantity"),
                fixed=tuple(fixed),
                measured=True,
            ),
        ),
    )


def header(*roles: str, keys: tuple[str, ...] = ("mz_cf.cf_id",), fixed=()) -> Meaning:
    """SELECT cf_id, ysdm FROM mz_cf: no item, no amount."""
    return Meaning("none", yields=(Yield(("mz_cf",), roles, keys=keys, fixed=fixed),))


def by_doctor(code: str | None, item: str = "YP007") -> Meaning:
    """SELECT SUM(sl) … WHERE ysdm = … AND ypdm = …"""
    fixed = (
        Fixed("prescriber_id", "mz_cf", "ysdm", (value(code),)),
        Fixed("item_id", "mz_cfmx", "ypdm", (value(item),)),
    )
    return Meaning(
        "usage",
        "prescriber",
        "item",
        scope=Scope(items=Selection("one", (value(item),))),
        yields=(
            Yield(("mz_cf", "mz_cfmx"), ("quantity",), fixed=fixed, measured=True, aggregated=True),
        ),
    )


def total_of(item: str, *, without: str = "") -> Meaning:
    """SELECT SUM(sl) … WHERE ypdm = … [AND ysdm <> …]"""
    fixed = [Fixed("item_id", "mz_cfmx", "ypdm", (value(item),))]
    if without:
        fixed.append(Fixed("prescriber_id", "mz_cf", "ysdm", (value(without),), negated=True))
    return Meaning(
        "usage",
        "institution",
        "item",
        yields=(
            Yield(("mz_cfmx",), ("quantity",), fixed=tuple(fixed), measured=True, aggregated=True),
        ),
    )


def codes(meaning: Meaning) -> set[str]:
    return {g.code for g in meaning.gathered}


def whole(meaning: Meaning) -> set[str]:
    """Codes of findings that reveal usage."""
    return {g.code for g in meaning.gathered if g.disclosure == "usage"}


def take_all(
    memory: Memory, learner: Learner, start: int, step: int, meanings: list[Meaning]
) -> list[Meaning]:
    return [memory.take(m, learner, start + n * step) for n, m in enumerate(meanings)]


# ------------------------------------------------------------------ scanning


@pytest.mark.parametrize("step", [MINUTE // 10, 30 * MINUTE, 7 * HOUR])
def test_patients_in_key_order_however_slowly(step: int) -> None:
    """T23 within an hour, over two days, over 31 days."""
    scan = [pinned(f"BR{n:03}") for n in range(0, 200, 2)]
    out = take_all(Memory(), CLERK, NINE, step, scan)
    assert not any(whole(m) for m in out[:19])
    assert all(whole(m) for m in out[19:])
    assert out[19].session_disclosure == out[19].person_disclosure == "usage"
    assert out[19].session_grain == "detail"


def _numbered(month: int, looks: int, *, old: bool) -> list[bool]:
    """A hospital that gives four hundred prescription numbers a day, and one person who opens so
    many a day in key order: those of the day, or (`old`) one long given in every 200."""
    memory, alarms = Memory(), []
    given = 100_000
    for day in range(month):
        for n in range(400):
            given += 1
            at = NINE + day * DAY + n * MINUTE
            memory.learn(order(str(given), role="prescription_id"), DOCTOR, at)
            if n % (400 // looks) == 200 // looks:
                key = 1000 + 200 * len(alarms) if old else given - 30
                looked = memory.take(pinned(str(key), role="prescription_id"), CLERK, at)
                alarms.append(bool(whole(looked)))
    return alarms


def test_new_numbers_day_by_day_are_the_days_work() -> None:
    """Numbers are given in the order of time; opening what is new follows them, and is no scan."""
    assert not any(_numbered(31, 4, old=False))


def test_old_numbers_in_order_are_a_scan_however_slowly_and_far_apart() -> None:
    alarms = _numbered(10, 4, old=True)
    assert not any(alarms[:19])
    assert all(alarms[19:])


def test_how_far_the_numbers_have_got_survives_a_restart() -> None:
    memory, again = Memory(), Memory()
    memory.take(pinned("17"), CLERK, NINE)
    memory.learn(order("40"), DOCTOR, NINE + 1)
    again.load(memory.dump())
    assert again.dump() == memory.dump()
    for n in range(18, 40):
        assert again.take(pinned(f"{n}"), CLERK, NINE + n) == memory.take(
            pinned(f"{n}"), CLERK, NINE + n
        )


def test_key_order_inside_other_reading() -> None:
    chance = random.Random(7)
    memory = Memory()
    hits = 0
    for n in range(60):
        at = NINE + n * 20 * MINUTE
        hits += bool(whole(memory.take(pinned(f"BR{1000 + n}"), CLERK, at)))
        memory.take(pinned(f"BR{chance.randrange(10**7):07}"), CLERK, at + MINUTE)
    assert hits >= 40


def test_reading_here_and_there_in_a_small_hospital_is_no_scan() -> None:
    """Two hundred patients, a year of work: neighbours come up by chance."""
    for seed in range(3):
        chance = random.Random(seed)
        memory = Memory()
        for n in range(1000):
            key = pinned(f"BR{chance.randrange(200):03}")
            assert not whole(memory.take(key, CLERK, NINE + n * 30 * MINUTE)), (seed, n)


def test_patients_in_any_order_within_an_hour() -> None:
    keys = random.Random(1).sample(range(10**6), 60)
    out = take_all(Memory(), CLERK, NINE, MINUTE // 2, [pinned(str(k)) for k in keys])
    assert not any(whole(m) for m in out[:50])
    assert all(codes(m) == {"scan-hour"} for m in out[50:])


def test_the_same_patient_again_and_again_is_one() -> None:
    out = take_all(Memory(), CLERK, NINE, MINUTE, [pinned("BR010")] * 500)
    assert not any(whole(m) for m in out)


def test_keys_that_are_not_seen_are_not_counted_as_distinct_but_not_ignored() -> None:
    start = NINE - NINE % HOUR
    out = take_all(Memory(), CLERK, start, HOUR // 800, [pinned(None)] * 700)
    assert [bool(whole(m)) for m in out] == [False] * 600 + [True] * 100
    out = take_all(Memory(), CLERK, start, MINUTE, [pinned(None)] * 700)
    assert not any(whole(m) for m in out)


def test_a_doctor_who_writes_orders_reads_what_the_work_needs() -> None:
    """Twin of the scan: the same hundred reads, each followed by an order for that patient."""
    memory = Memory()
    for n in range(100):
        at = NINE + n * MINUTE // 2
        assert not whole(memory.take(pinned(f"BR{n:03}"), DOCTOR, at))
        memory.take(order(f"BR{n:03}"), DOCTOR, at + 1000)


def test_a_ward_round_stays_within_its_list() -> None:
    """A nurse opens the ward's list (45 beds) and then each patient; without the list it alarms."""
    beds = random.Random(2).sample(range(10**6), 45) + random.Random(3).sample(range(10**6), 40)
    memory = Memory()
    memory.take(worklist("2026-01-20", unit="W3"), CLERK, NINE, rows=45)
    out = take_all(memory, CLERK, NINE, MINUTE // 2, [pinned(str(k)) for k in beds])
    assert not any(whole(m) for m in out)
    without = take_all(Memory(), CLERK, NINE, MINUTE // 2, [pinned(str(k)) for k in beds])
    assert any(whole(m) for m in without)


def test_opened_one_by_one_from_an_unpinned_list() -> None:
    memory = Memory()
    listing = header("prescription_id", "prescriber_id")
    memory.take(listing, CLERK, NINE)
    keys = random.Random(4).sample(range(10**6), 25)
    scan = [pinned(str(k), role="prescription_id") for k in keys]
    out = take_all(memory, CLERK, NINE, 5 * MINUTE, scan)
    assert [bool(whole(m)) for m in out] == [False] * 19 + [True] * 6
    mine = Memory()
    own = (Fixed("prescriber_id", "mz_cf", "ysdm", (value("YS03"),)),)
    mine.take(header("prescription_id", fixed=own), DOCTOR, NINE)
    assert not any(whole(m) for m in take_all(mine, DOCTOR, NINE, 5 * MINUTE, scan))


def test_a_registered_service_is_exempt_from_scanning_only() -> None:
    upload = Learner(session="c9", person="SVC_YB", service=True)
    memory = Memory()
    scan = [pinned(f"{n}", role="prescription_id") for n in range(200)]
    assert not any(codes(m) for m in take_all(memory, upload, NINE, MINUTE // 60, scan))
    memory.take(total_of("YP007"), upload, NINE)
    assert whole(memory.take(total_of("YP007", without="YS01"), upload, NINE)) == {"difference"}


# ------------------------------------------------------------------ what the work explains


def queue(rows_of: str = "W3") -> Meaning:
    """What waits at a window, or whom a ward holds, now."""
    return worklist(unit=rows_of)


def prescriptions_of(patient: str) -> Meaning:
    """SELECT cf_id FROM mz_cf WHERE brid = …"""
    return Meaning(
        "none",
        pins=(Pin("patient_id", "mz_cf", (value(patient),)),),
        yields=(Yield(("mz_cf",), ("prescription_id",), keys=("mz_cf.cf_id",), pinned=True),),
    )


def rx(n: int) -> Meaning:
    return pinned(f"CF{n:06}", role="prescription_id")


def test_a_window_that_calls_its_queue_each_time() -> None:
    """Four hundred numbers, ascending as they come, and nothing of the work seen but the calls."""
    memory = Memory()
    for n in range(400):
        at = NINE + n * MINUTE
        assert not whole(memory.take(queue(), CLERK, at, rows=12))
        assert not whole(memory.take(rx(n * 3), CLERK, at + 1000)), n


def test_calling_the_queue_each_time_explains_no_more_than_a_window_can_do() -> None:
    memory = Memory()
    hits = []
    for n in range(250):
        at = NINE + n * 10_000_000
        memory.take(queue(), CLERK, at, rows=12)
        hits.append(bool(whole(memory.take(rx(n * 3), CLERK, at + 1000))))
    assert not any(hits[:75])
    assert all(hits[150:])


def test_who_writes_what_was_called_cannot_scan_beside_it() -> None:
    """The window again, dispensing before our eyes, with a scan between the calls."""
    memory = Memory()
    hits = []
    for n in range(60):
        at = NINE + n * MINUTE
        memory.take(queue(), CLERK, at, rows=12)
        memory.take(rx(9000 + n * 3), CLERK, at + 1)
        hits.append(bool(whole(memory.take(rx(n), CLERK, at + 2))))
        memory.take(order(f"CF{9000 + n * 3:06}", role="prescription_id"), CLERK, at + 3)
    assert any(hits)
    assert all(hits[50:])


def test_a_write_whose_key_is_not_seen_explains_the_last_of_its_role() -> None:
    unseen = Meaning("none", works=(Pin("visit_id", "js", (value(None),)),))
    memory = Memory()
    for n in range(100):
        at = NINE + n * MINUTE
        assert not whole(memory.take(pinned(f"GH{n:04}", role="visit_id"), CLERK, at))
        memory.take(unseen, CLERK, at + 1000)
    other = Memory()
    hits = 0
    for n in range(40):
        hits += bool(whole(other.take(pinned(f"BR{n:04}"), CLERK, NINE + n * MINUTE)))
        other.take(unseen, CLERK, NINE + n * MINUTE + 1000)
    assert hits == 21, "it explains visits, not patients"


def test_reading_within_a_unit_is_a_round_there() -> None:
    memory = Memory()
    bed = Fixed("unit_id", "zy_yz", "bq", (value("W3"),))
    for n in range(45):
        one = pinned(f"ZY{n:04}", role="visit_id")
        row = Yield(("zy_yz",), ("item_id", "quantity"), fixed=(bed,), measured=True, pinned=True)
        within = Meaning("clinical", subtype="pinned", pins=one.pins, yields=(row,))
        assert not whole(memory.take(within, CLERK, NINE + n * MINUTE))


def test_a_patients_own_prescriptions_count_as_the_patient() -> None:
    chance = random.Random(8)
    memory = Memory()
    hits = []
    for n in range(60):
        at = NINE + n * 40_000_000
        memory.take(prescriptions_of(f"BR{chance.randrange(10**6)}"), DOCTOR, at)
        for k in range(4):
            opened = memory.take(rx(chance.randrange(10**6)), DOCTOR, at + k * 1000 + 1)
            hits.append(bool(whole(opened)))
    assert not any(hits[: 4 * 50])
    assert any(hits[4 * 50 :])


def test_visits_and_their_patients_are_counted_apart() -> None:
    keys = random.Random(9).sample(range(10**6), 45)
    memory = Memory()
    for n, key in enumerate(keys):
        at = NINE + n * MINUTE
        assert not whole(memory.take(pinned(f"{key}"), DOCTOR, at))
        assert not whole(memory.take(pinned(f"{key}", role="visit_id"), DOCTOR, at + 1))
    more = random.Random(10).sample(range(10**6), 30)
    out = take_all(
        memory,
        DOCTOR,
        NINE + 45 * MINUTE,
        1000,
        [pinned(f"{k}", role="prescription_id") for k in more],
    )
    assert codes(out[-1]) == {"scan-hour"}


def test_a_list_of_a_ward_is_work_and_a_list_of_a_month_is_none() -> None:
    ward = (Fixed("unit_id", "zy_br", "bq", (value("W3"),)),)
    keys = random.Random(4).sample(range(10**6), 25)
    scan = [pinned(str(k), role="visit_id") for k in keys]
    month = Scope(period=Period(value("2026-01-01"), value("2026-01-31")))
    for period, expected in ((None, False), (month, True)):
        rows = Yield(("zy_br",), ("visit_id", "prescriber_id"), keys=("zy_br.zyh",), fixed=ward)
        memory = Memory()
        memory.take(Meaning("none", scope=period, yields=(rows,)), CLERK, NINE)
        out = take_all(memory, CLERK, NINE + 1, 5 * MINUTE, scan)
        assert ("scan-listed" in codes(out[-1])) is expected


@pytest.mark.parametrize("writes", [False, True])
def test_keys_of_a_list_taken_days_ago(writes: bool) -> None:
    """Who never writes may come back to it; who works takes the keys from the work."""
    month = Scope(period=Period(value("2026-01-01"), value("2026-01-31")))
    rows = Yield(("zy_br",), ("visit_id", "prescriber_id"), keys=("zy_br.zyh",))
    memory = Memory()
    memory.take(Meaning("none", scope=month, yields=(rows,)), CLERK, NINE)
    if writes:
        memory.take(order("ZY1", role="visit_id"), CLERK, NINE)
    keys = random.Random(4).sample(range(10**6), 25)
    scan = [pinned(str(k), role="visit_id") for k in keys]
    out = take_all(memory, CLERK, NINE + 11 * DAY, 5 * MINUTE, scan)
    assert ("scan-listed" in codes(out[-1])) is not writes


def test_key_order_beyond_the_wards_list() -> None:
    """Its 27 patients explain 27 keys; ten more in key order are a scan."""
    memory = Memory()
    memory.take(worklist("2026-01-20", unit="W3"), CLERK, NINE, rows=27)
    memory.take(order("ZY000001", role="visit_id"), CLERK, NINE)
    scan = [pinned(f"ZY{n:06}", role="visit_id") for n in range(5000, 5076, 2)]
    out = take_all(memory, CLERK, NINE + 1, MINUTE, scan)
    assert ["scan-order" in codes(m) for m in out] == [False] * 36 + [True] * 2


def test_lists_of_many_units_on_one_day() -> None:
    """Of a day gone by; today's lists of every ward are what a central pharmacy dispenses from."""
    lists = [worklist("2026-01-19", unit=f"W{n}") for n in range(12)]
    out = take_all(Memory(), CLERK, NINE, MINUTE, lists)
    assert [whole(m) for m in out] == [set()] * 9 + [{"lists-of-units"}] * 3
    memory = Memory()
    for ahead in (0, 1):
        today = [worklist(f"2026-01-{20 + ahead}", unit=f"W{n}") for n in range(40)]
        memory.take(order("ZY1", role="visit_id"), CLERK, NINE)
        assert not any(whole(m) for m in take_all(memory, CLERK, NINE, MINUTE, today))
    waiting = [queue(f"W{n}") for n in range(30)]
    assert not any(whole(m) for m in take_all(Memory(), CLERK, NINE, MINUTE, waiting))


def sums(role: str, day: int) -> Meaning:
    """SELECT ypdm, SUM(sl) … WHERE ks = '31' AND kssj = … GROUP BY ypdm"""
    fixed = (Fixed(role, "zy_yz", "ks", (value("31"),)),)
    row = Yield(("zy_yz",), ("item_id", "quantity"), fixed=fixed, measured=True, aggregated=True)
    date = value(f"2026-01-{day:02}")
    scope = Scope(period=Period(date, date))
    return Meaning("clinical", subtype="worklist", scope=scope, yields=(row,))


def test_a_departments_sums_of_today_are_the_requisition_of_who_supplies_it() -> None:
    """A central pharmacy lists every ward and dispenses. Who only lists, who dispenses to one ward
    alone, and who sums up days gone by, supply nobody."""
    for wards, dispenses, back, alarms in (
        (9, True, 0, False),
        (9, False, 0, True),
        (1, True, 0, True),
        (9, True, 1, True),
    ):
        memory = Memory()
        found: set[str] = set()
        for n in range(11):
            at = NINE + n * DAY
            for ward in range(wards):
                memory.take(queue(f"W{ward}"), CLERK, at)
            if dispenses:
                memory.take(order(f"ZY{n}", role="visit_id"), CLERK, at + 1)
            found |= whole(memory.take(sums("department_id", 20 + n - back), CLERK, at + 2))
        assert ("sums-by-day" in found) is alarms, (wards, dispenses, back)


def test_a_departments_sums_day_by_day() -> None:
    for role, back, expected in (
        ("department_id", 0, {"sums-by-day"}),
        ("unit_id", 0, set()),
        ("unit_id", 1, {"sums-by-day"}),
    ):
        memory = Memory()
        found = [
            whole(memory.take(sums(role, 20 + n - back), CLERK, NINE + n * DAY)) for n in range(11)
        ]
        assert not any(found[:9])
        assert found[-1] == expected, role


def test_todays_lists_of_every_unit_by_who_writes_nothing() -> None:
    """Q: whoever dispenses may read as many; what waits at wards is looked at by who supplies them,
    an outpatient department's by nobody."""
    today = [worklist("2026-01-20", unit=f"W{n}") for n in range(34)]
    out = take_all(Memory(), CLERK, NINE, MINUTE, today)
    assert [whole(m) for m in out] == [set()] * 29 + [{"lists-everywhere"}] * 5
    ks = [replace(m, yields=(replace(m.yields[0], fixed=(_department(n),)),)) for n, m in WAITING]
    out = take_all(Memory(), CLERK, NINE, MINUTE, ks)
    assert [whole(m) for m in out] == [set()] * 29 + [{"lists-everywhere"}] * 5
    waiting = [meaning for _n, meaning in WAITING]
    assert not any(whole(m) for m in take_all(Memory(), CLERK, NINE, MINUTE, waiting))


def _department(n: int) -> Fixed:
    return Fixed("department_id", "zy_yz", "ks", (value(f"K{n}"),))


WAITING = [(n, worklist(unit=f"W{n}")) for n in range(34)]


def test_one_item_of_unit_after_unit_today() -> None:
    """Twins: who looks an item up everywhere, and the central pharmacy, which dispenses."""
    for dispenses, expected in ((False, {"item-by-unit"}), (True, set())):
        memory = Memory()
        lists = [worklist("2026-01-20", unit=f"W{n}", item="YP007") for n in range(12)]
        for n, meaning in enumerate(lists):
            last = memory.take(meaning, CLERK, NINE + n * MINUTE)
            assert n >= 9 or not whole(last)
            if dispenses:
                memory.take(order(f"ZY{n}", role="visit_id"), CLERK, NINE + n * MINUTE + 1)
        assert whole(last) == expected


def test_an_open_list_of_a_department_day_after_day() -> None:
    """Q: what waits now is a new day's list each day."""
    fixed = (_department(1),)
    roles = ("patient_id", "item_id", "quantity", "prescriber_id")
    row = Yield(("mz_cf",), roles, fixed=fixed, measured=True)
    waiting = Meaning("clinical", subtype="worklist", scope=Scope(), yields=(row,))
    for works, expected in ((False, {"looked-on"}), (True, set())):
        memory = Memory()
        for n in range(12):
            last = memory.take(waiting, CLERK, NINE + n * DAY)
            assert n >= 9 or not whole(last)
            if works:
                memory.take(order(f"BR{n}"), CLERK, NINE + n * DAY + 1)
        assert whole(last) == expected


# ------------------------------------------------------------------ beds, ranges, drips


def bed(unit: str, number: str) -> Meaning:
    """SELECT ypdm, sl … WHERE bq = 'W3' AND cw = '12'"""
    fixed = (Fixed("unit_id", "zy_yz", "bq", (value(unit),)),)
    row = Yield(("zy_yz",), ("item_id", "quantity"), fixed=fixed, measured=True, pinned=True)
    pins = (Pin("patient_id", "zy_yz", (value(number),)),)
    return Meaning("clinical", subtype="pinned", pins=pins, yields=(row,))


def executed(unit: str, number: str) -> Meaning:
    """UPDATE zy_yz SET zx = 1 WHERE bq = 'W3' AND cw = '12'"""
    places = (("unit_id", unit), ("patient_id", number))
    return Meaning("none", works=tuple(Pin(role, "zy_yz", (value(v),)) for role, v in places))


def test_beds_of_one_ward_after_another() -> None:
    """A round stays in its ward, or writes where it goes on."""
    beds = [(f"W{ward}", f"{number:02}") for ward in range(1, 4) for number in range(1, 31)]
    memory = Memory()
    out = take_all(memory, CLERK, NINE, MINUTE // 4, [bed(*b) for b in beds])
    assert not any(whole(m) for m in out[:59])
    assert all("scan-elsewhere" in whole(m) for m in out[59:])
    nurse = Memory()
    for n, where in enumerate(beds):
        at = NINE + n * MINUTE
        assert not whole(nurse.take(bed(*where), CLERK, at)), where
        nurse.take(executed(*where), CLERK, at + 1)


def test_a_bed_is_a_patient_only_with_its_ward() -> None:
    """Sixty beds of one number in sixty wards are sixty patients."""
    out = take_all(Memory(), CLERK, NINE, 1000, [bed(f"W{n}", "1") for n in range(60)])
    assert whole(out[-1]) == {"scan-elsewhere", "scan-rounds"}
    same = take_all(Memory(), CLERK, NINE, 1000, [bed("W1", "1")] * 60)
    assert not any(whole(m) for m in same)
    ids = take_all(Memory(), CLERK, NINE, 1000, [bed(f"W{n}", "BR00001") for n in range(60)])
    assert not any(whole(m) for m in ids), "one patient's number, wherever the patient lies"


def test_halves_of_a_range_of_numbers_are_the_range() -> None:
    odd_then_even = [*range(1, 35, 2), *range(0, 34, 2)]
    keys = [rx(1000 + n) for n in odd_then_even]
    out = take_all(Memory(), CLERK, NINE, MINUTE * 3, keys)
    found = [whole(m) for m in out]
    assert not any(found[:19])
    assert found[-1] == {"scan-range"}
    apart = [rx(1000 + 7 * n) for n in odd_then_even]
    assert not any("scan-range" in whole(m) for m in take_all(Memory(), CLERK, NINE, 1, apart))


def test_a_range_that_was_worked_on_is_no_scan() -> None:
    memory = Memory()
    for n in random.Random(5).sample(range(60), 60):
        assert not whole(memory.take(rx(n), CLERK, NINE + n * MINUTE))
        memory.take(order(f"CF{n:06}", role="prescription_id"), CLERK, NINE + n * MINUTE + 1)


def _dripped(lists: list[Callable[[int], Meaning]], *, writes: bool = False) -> list[bool]:
    """Each day one of the lists, and four numbers from it."""
    chance = random.Random(6)
    memory, found = Memory(), []
    for day in range(26):
        at = NINE + day * DAY
        memory.take(lists[day % len(lists)](day), CLERK, at, rows=40)
        for n in range(4):
            key = rx(chance.randrange(10**6))
            found.append(bool(whole(memory.take(key, CLERK, at + (n + 1) * MINUTE))))
        if writes and day % 7 == 0:
            memory.take(order("BR1"), CLERK, at + 9 * MINUTE)
    return found


def test_a_few_numbers_a_day_from_lists_of_others() -> None:
    """Who never writes has no work that explains it; one doctor's queue is a place to work at."""

    def of(day: int, doctor: str) -> Meaning:
        date = value(str(datetime.date(2026, 1, 20) + datetime.timedelta(day)))
        fixed = (Fixed("prescriber_id", "mz_cf", "ysdm", (value(doctor),)),)
        row = Yield(("mz_cf",), ("prescription_id",), keys=("mz_cf.cf_id",), fixed=fixed)
        return Meaning("none", scope=Scope(period=Period(date, None)), yields=(row,))

    others = [partial(of, doctor=f"YS{n:02}") for n in range(20, 29)]
    assert _dripped(others) == [False] * 49 + [True] * 55
    assert not any(_dripped(others, writes=True))
    assert not any(_dripped([partial(of, doctor="YS20")]))
    everybody = header("prescription_id", "prescriber_id")
    assert _dripped([lambda _day: everybody])[49:] == [True] * 55


def test_who_reads_doctors_lists_line_by_line_has_the_lines() -> None:
    lists = [worklist("2026-01-20", prescriber=f"YS{n:02}") for n in range(10, 18)]
    assert take_all(Memory(), CLERK, NINE, MINUTE, lists)[-1].session_grain == "detail"
    days = [sums("department_id", day) for day in range(1, 9)]
    out = take_all(Memory(), CLERK, NINE, MINUTE, days)
    assert [m.session_grain for m in out] == [None] * 4 + ["department"] * 4


# ------------------------------------------------------------------ as the analyser reads them

HIS = Analyser(catalogue("his"), strict=True)
FEES = "SELECT kdys, SUM(je) FROM his.fy_mx WHERE jfsj >= '2026-01-01' AND jfsj < '2026-02-01'"


@pytest.mark.parametrize(
    "rest",
    [
        "fylb NOT IN ('01', '02', '09')",
        "NOT (fylb IN ('01', '02', '09'))",
        "fylb <> '01' AND fylb <> '02' AND fylb <> '09'",
        "fylb IN ('03', '04', '05', '06')",
    ],
)
def test_all_fees_less_those_that_are_no_use(rest: str) -> None:
    """T26: neither alone tells anything; of two months, or of two departments' own, not either."""
    total = HIS.analyse(f"{FEES} GROUP BY kdys").meaning
    part = HIS.analyse(f"{FEES} AND {rest} GROUP BY kdys").meaning
    assert total.disclosure == part.disclosure == "none"
    for pair in ([total, part], [part, total]):
        out = take_all(Memory(), CLERK, NINE, MINUTE, pair)
        assert [whole(m) for m in out] == [set(), {"difference-fees"}]
        assert out[-1].session_grain == "prescriber"
    for alone in (total, part):
        assert not any(whole(m) for m in take_all(Memory(), CLERK, NINE, MINUTE, [alone] * 3))
    other = HIS.analyse(f"{FEES.replace('2026-01', '2025-12')} AND {rest} GROUP BY kdys").meaning
    assert not any(whole(m) for m in take_all(Memory(), CLERK, NINE, MINUTE, [total, other]))
    memory = Memory()
    memory.take(total, replace(CLERK, groups=("unit:CW",)), NINE)
    colleague = Learner(session="c3", person="IT08", groups=("unit:CW",))
    assert whole(memory.take(part, colleague, NINE + 1)) == {"difference-fees-group"}


def test_all_fees_less_one_kind_after_another() -> None:
    """T26: two kinds are questions of their own, from three on the rest is taken for the use."""
    total = HIS.analyse(f"{FEES} GROUP BY kdys").meaning
    kinds = [
        HIS.analyse(f"{FEES} AND fylb {test} GROUP BY kdys").meaning
        for test in ("= '03'", "IN ('03', '04')", "= '05'", "= '05'")
    ]
    out = take_all(Memory(), CLERK, NINE, MINUTE, [total, *kinds])
    assert [whole(m) for m in out] == [set(), set(), set(), {"difference-fees"}, set()]
    out = take_all(Memory(), CLERK, NINE, MINUTE, [*kinds, total])
    assert [whole(m) for m in out] == [set()] * 4 + [{"difference-fees"}]
    assert not any(whole(m) for m in take_all(Memory(), CLERK, NINE, MINUTE, kinds))


def test_all_fees_of_one_department_less_anothers_are_nothing() -> None:
    whole_of = "SELECT SUM(je) FROM his.fy_mx WHERE kdks = '{}'"
    rest_of = f"{whole_of} AND fylb NOT IN ('01', '02', '09')"
    for first, then, grain in (
        (whole_of.format("K1"), rest_of.format("K1"), "department"),
        (whole_of.format("K1"), rest_of.format("K2"), None),
        (whole_of.format("K1"), rest_of.replace("kdks =", "kdks <>").format("K1"), None),
        (
            whole_of.replace("kdks = '{}'", "1=1"),
            rest_of.replace("kdks = '{}'", "1=1"),
            "institution",
        ),
        (
            "SELECT zyh, SUM(je) FROM his.fy_mx GROUP BY zyh",
            "SELECT zyh, SUM(je) FROM his.fy_mx WHERE fylb NOT IN ('01', '02', '09') GROUP BY zyh",
            "detail",
        ),
    ):
        pair = [HIS.analyse(sql).meaning for sql in (first, then)]
        assert [m.disclosure for m in pair] == ["none", "none"]
        assert take_all(Memory(), CLERK, NINE, MINUTE, pair)[-1].session_grain == grain, then


@pytest.mark.parametrize("codes_first", [True, False])
def test_all_fees_by_code_less_the_rest_by_name(codes_first: bool) -> None:
    """What the figures are called by, and what is looked up beside them, makes no other sums; the
    sums of each doctor add up to those of all."""
    codes = f"{FEES} GROUP BY kdys"
    names = (
        "SELECT z.xm, SUM(f.je) FROM his.fy_mx f JOIN his.zg_zd z ON z.gh = f.kdys"
        " WHERE f.jfsj >= '2026-01-01' AND f.jfsj < '2026-02-01'"
        " AND NOT (f.fylb IN ('01', '02', '09')) GROUP BY z.gh, z.xm"
    )
    total = f"{FEES.replace('kdys, ', '')} AND fylb NOT IN ('01', '02', '09')"
    for rest, grain in ((names, "prescriber"), (total, "institution")):
        pair = [HIS.analyse(sql).meaning for sql in (codes, rest)]
        assert [m.disclosure for m in pair] == ["none", "none"]
        out = take_all(Memory(), CLERK, NINE, MINUTE, pair if codes_first else pair[::-1])
        assert [whole(m) for m in out] == [set(), {"difference-fees"}]
        assert out[-1].session_grain == grain


LEDGER = "SELECT SUM(sl) FROM his.yf_tz WHERE ypdm = 'YP1' AND jzsj >= '2026-01-01'"


@pytest.mark.parametrize(
    ("rest", "tells"),
    [
        ("ywlx NOT IN ('017', '020')", True),
        ("ywlx <> '017' AND ywlx <> '020'", True),
        ("ywlx = '001'", False),
        ("ywlx IN ('001', '002', '003')", False),
    ],
)
def test_all_movements_of_a_ledger_less_those_that_are_no_use(rest: str, tells: bool) -> None:
    """What came in is not the rest: stock-taking asks for it beside the whole."""
    for pair in ([LEDGER, f"{LEDGER} AND {rest}"], [f"{LEDGER} AND {rest}", LEDGER]):
        meanings = [HIS.analyse(sql).meaning for sql in pair]
        assert [m.disclosure for m in meanings] == ["none", "none"]
        out = take_all(Memory(), CLERK, NINE, MINUTE, meanings)
        assert whole(out[-1]) == ({"difference-fees"} if tells else set())
    other = HIS.analyse(f"{LEDGER.replace('YP1', 'YP2')} AND {rest}").meaning
    out = take_all(Memory(), CLERK, NINE, MINUTE, [HIS.analyse(LEDGER).meaning, other])
    assert not any(whole(m) for m in out)


def test_one_kind_of_fee_beside_all_of_them_is_a_report() -> None:
    pair = [HIS.analyse(f"{FEES} {more} GROUP BY kdys").meaning for more in ("", "AND fylb = '05'")]
    assert not any(whole(m) for m in take_all(Memory(), CLERK, NINE, MINUTE, pair))


def test_how_high_the_fees_are_at_least() -> None:
    """The same by asking for a threshold: a binary search on both."""
    of = FEES.replace("kdys, SUM(je)", "kdys") + " AND kdys = 'D1'"
    asked = [
        HIS.analyse(
            f"SELECT COUNT(*) FROM ({of} {more} GROUP BY kdys HAVING SUM(je) > {bound}) x"
        ).meaning
        for more in ("", "AND fylb NOT IN ('01', '02', '09')")
        for bound in (100, 150)
    ]
    out = take_all(Memory(), CLERK, NINE, MINUTE, asked)
    assert [whole(m) for m in out] == [set()] * 2 + [{"difference-fees"}] * 2


EXECUTED = (
    ("postgres", "PREPARE p(text) AS {}", "EXECUTE p('{}')", "$1"),
    (
        "tsql",
        "CREATE PROCEDURE one @k varchar(20) AS {}",
        "EXEC one '{}'",
        "@k",
    ),
    ("mysql", "CREATE PROCEDURE one(k varchar(20)) {}", "CALL one('{}')", "k"),
    ("tsql", "", "EXEC sp_executesql N'{}', N'@k varchar(20)', @k = '{}'", "@k"),
    ("oracle", "", "BEGIN OPEN :c FOR '{}' USING '{}'; END;", ":1"),
)


@pytest.mark.parametrize(("dialect", "prepare", "run", "mark"), EXECUTED)
def test_the_argument_of_a_prepared_statement_is_the_key(
    dialect: str, prepare: str, run: str, mark: str
) -> None:
    """Read by the templates, as the gateway does: thirty numbers in order are a scan."""
    analyser, templates = Analyser(catalogue("small"), strict=True), Templates()
    state = SessionState()
    text = f"SELECT ypdm, sl FROM mz_cfmx WHERE cf_id = {mark}"
    if prepare:
        analyser.analyse(prepare.format(text), dialect, state=state)
    memory, found = Memory(), []
    for n in range(30):
        one = run.format(f"CF{n:06}") if prepare else run.format(text, f"CF{n:06}")
        meaning = templates.judge(
            one, dialect, lambda one=one: analyser.analyse(one, dialect, state=state)
        ).meaning
        assert meaning.subtype == "pinned"
        found.append(whole(memory.take(meaning, CLERK, NINE + n * MINUTE)))
    assert found == [set()] * 19 + [{"scan-order"}] * 11


SET_BEFORE = (
    "SET @k = 'CF{}'",
    "SET @k = CONCAT('CF', '{}')",
    "SELECT @k := 'CF{}'",
    "SET @k = UUID_SHORT() + {}",
)


@pytest.mark.parametrize("put", SET_BEFORE)
@pytest.mark.parametrize("prepared", [True, False])
def test_each_value_of_a_session_variable_is_a_key(put: str, prepared: bool) -> None:
    """MySQL's `EXECUTE st USING @k`: one number after another; what is not known is another too."""
    analyser, state = Analyser(catalogue("small"), strict=True), SessionState()
    text = "SELECT ypdm, sl FROM mz_cfmx WHERE cf_id = {}"
    if prepared:
        analyser.analyse(f"PREPARE st FROM '{text.format('?')}'", "mysql", state=state)
    run = "EXECUTE st USING @k" if prepared else text.format("@k")
    templates, memory, found = Templates(), Memory(), []
    for n in random.Random(7).sample(range(10**6), 60):
        one = put.format(f"{n:06}")
        for sql in (one, run):
            meaning = templates.judge(
                sql, "mysql", lambda sql=sql: analyser.analyse(sql, "mysql", state=state)
            ).meaning
        assert meaning.disclosure == "clinical"
        found.append(whole(memory.take(meaning, CLERK, NINE + len(found) * MINUTE // 2)))
    assert found[:50] == [set()] * 50 and found[-1] == {"scan-hour"}


def test_a_session_variable_that_counts() -> None:
    """MySQL's `SET @n := @n + 1` between reading: the numbers are followed as they are counted."""
    analyser, state = Analyser(catalogue("small"), strict=True), SessionState()
    analyser.analyse("SET @n := 500", "mysql", state=state)
    sql = "SELECT ypdm, sl FROM mz_cfmx WHERE cf_id = CONCAT('CF26', LPAD(@n, 4, '0'))"
    memory, found = Memory(), []
    for n in range(22):
        meaning = analyser.analyse(sql, "mysql", state=state).meaning
        assert [v.text for p in meaning.pins for v in p.values] == [f"CF26{500 + n:04}"]
        found.append(whole(memory.take(meaning, CLERK, NINE + n * MINUTE)))
        analyser.analyse("SET @n := @n + 1", "mysql", state=state)
    assert found == [set()] * 19 + [{"scan-order"}] * 3


def test_an_array_is_as_many_keys_as_it_holds() -> None:
    analyser, templates = Analyser(catalogue("small"), strict=True), Templates()
    sql, memory = "SELECT ypdm, sl FROM mz_cfmx WHERE cf_id = ANY($1)", Memory()
    found = []
    for n in range(6):
        keys = random.Random(n).sample(range(10**6), 10)
        binds = ["{" + ",".join(f'"CF{key:06}"' for key in keys) + "}"]
        meaning = templates.judge(
            sql, "postgres", lambda binds=binds: analyser.analyse(sql, binds=binds), binds
        ).meaning
        assert meaning.subtype == "pinned"
        found.append(whole(memory.take(meaning, CLERK, NINE + n * MINUTE)))
    assert found == [set()] * 5 + [{"scan-hour"}]


@pytest.mark.parametrize(("date", "tells"), [("2026-01-19", True), ("2026-01-20", False)])
@pytest.mark.parametrize(
    ("role", "shown"),
    [
        ("department_id", ("prescriber_id", "prescription_id")),
        ("prescriber_id", ("prescription_id",)),
    ],
)
def test_what_others_prescribed_on_a_day_that_is_over_is_no_list_to_work_by(
    date: str, tells: bool, role: str, shown: tuple[str, ...]
) -> None:
    """Prescriptions of a department with their doctors, or a doctor's, then their lines (T21)."""
    row = Yield(
        ("mz_cf",),
        shown,
        keys=("mz_cf.cf_id",),
        fixed=(Fixed(role, "mz_cf", "x", (value("K1"),)),),
    )
    day = Period(value(date), value(date))
    memory, found = Memory(), set[str]()
    for at in range(3):
        memory.take(
            Meaning("none", scope=Scope(period=day), yields=(row,)), CLERK, NINE + at, rows=60
        )
    for n, key in enumerate(random.Random(8).sample(range(10**6), 90)):
        found |= whole(memory.take(rx(key), CLERK, NINE + MINUTE + n * MINUTE // 20))
    assert found == ({"scan-listed", "scan-drip"} if tells else set())


def test_rounds_through_ever_other_wards() -> None:
    """Eight beds of another ward each day; one ward's are a round, and who writes works there."""

    def walk(wards: int, *, writes: bool = False) -> list[set[str]]:
        memory, found = Memory(), []
        for day in range(20):
            ward = (Fixed("unit_id", "zy_yz", "bqdm", (value(f"BQ{day % wards}"),)),)
            row = Yield(("zy_yz",), ("item_id",), fixed=ward, measured=True, pinned=True)
            for bed in range(8):
                pin = Pin("patient_id", "zy_yz", (value(str(bed)),))
                one = Meaning("clinical", subtype="pinned", pins=(pin,), yields=(row,))
                at = NINE + day * DAY + bed * MINUTE
                found.append(whole(memory.take(one, CLERK, at)))
            if writes and day == 3:
                memory.take(order("BR1"), CLERK, NINE + day * DAY + 9 * MINUTE)
        return found

    found = walk(20)
    assert found[:72] == [set()] * 72 and found[72:] == [{"scan-rounds"}] * 88
    assert not any(walk(5)) and not any(walk(20, writes=True))


def test_lists_put_away_day_by_day_add_up() -> None:
    analyser, state = Analyser(catalogue("small"), strict=True), SessionState()
    analyser.analyse("CREATE TABLE #m (a int, b int, c int)", "tsql", state=state)
    kept = [
        analyser.analyse(
            "INSERT #m SELECT zyid, ypdm, sl FROM zy_yz WHERE ksdm = 'K1'"
            f" AND kssj >= '2026-01-{day:02}' AND kssj < '2026-01-{day + 1:02}'",
            "tsql",
            state=state,
        ).meaning
        for day in range(1, 9)
    ]
    out = take_all(Memory(), CLERK, NINE, MINUTE, kept)
    assert [whole(m) for m in out] == [set()] * 4 + [{"lists-of-days"}] * 4


def test_a_window_that_dispenses_by_lists_of_numbers() -> None:
    """Three prescriptions of a patient at a time, in order, each written as they were read."""
    analyser = Analyser(catalogue("small"), strict=True)
    memory = Memory()
    for n in range(60):
        listed = ", ".join(f"'CF{n * 5 + k:06}'" for k in range(3))
        at = NINE + n * MINUTE
        read = analyser.analyse(f"SELECT ypdm, sl FROM mz_cfmx WHERE cf_id IN ({listed})").meaning
        assert not whole(memory.take(read, CLERK, at)), n
        write = analyser.analyse(f"UPDATE mz_cf SET fyzt = 1 WHERE cf_id IN ({listed})").meaning
        memory.take(write, CLERK, at + 1)


# ------------------------------------------------------------------ joining, subtracting


LINES = Meaning(
    "usage",
    "institution",
    "item",
    yields=(Yield(("mz_cfmx",), ("item_id", "quantity"), keys=("mz_cfmx.mx_id",), measured=True),),
)
BRIDGE = header("prescription_id", keys=("mz_cfmx.mx_id", "mz_cfmx.cf_id"))
HEADS = header("prescription_id", "prescriber_id")


def test_results_joined_by_a_key_in_any_order() -> None:
    """T21 in three steps: lines, the bridge between numbers, headers."""
    for steps in ((LINES, BRIDGE, HEADS), (HEADS, BRIDGE, LINES), (BRIDGE, HEADS, LINES)):
        out = take_all(Memory(), CLERK, NINE, 5 * DAY, list(steps))
        assert [whole(m) for m in out] == [set(), set(), {"joined"}]
        assert out[-1].person_grain == "detail"
        assert out[-1].session_disclosure == "usage"


def test_unlinked_results_are_not_joined() -> None:
    other = header("patient_id", "prescriber_id", keys=("gh_mx.gh_id",))
    out = take_all(Memory(), CLERK, NINE, MINUTE, [LINES, other])
    assert not any(whole(m) for m in out)


def test_joined_after_more_than_a_month_no_longer_counts() -> None:
    out = take_all(Memory(), CLERK, NINE, 32 * DAY, [LINES, BRIDGE, HEADS])
    assert not any(whole(m) for m in out)


def test_own_figures_are_not_joined_with_a_list_of_everybody() -> None:
    own = (Fixed("prescriber_id", "mz_cf", "ysdm", (value("YS03"),)),)
    lines = Yield(
        ("mz_cfmx",), ("prescription_id", "item_id", "quantity"), fixed=own, measured=True
    )
    mine = Meaning("usage", "detail", "item", yields=(lines,))
    for learner, expected in ((DOCTOR, set()), (CLERK, {"joined"})):
        memory = Memory()
        memory.take(mine, learner, NINE)
        assert whole(memory.take(HEADS, learner, NINE)) == expected


def test_two_people_of_one_unit_take_half_each() -> None:
    one = Learner(session="a", person="P1", groups=("unit:KS02",))
    two = Learner(session="b", person="P2", groups=("unit:KS02",))
    far = Learner(session="c", person="P3", groups=("unit:KS09",))
    memory = Memory()
    memory.take(LINES, one, NINE)
    memory.take(BRIDGE, one, NINE)
    assert not whole(memory.consider(HEADS, far, NINE + DAY))
    found = memory.consider(HEADS, two, NINE + DAY)
    assert [(g.code, g.over) for g in found.gathered] == [("joined-group", "group")]


def test_colleagues_are_not_held_to_know_what_an_approval_carried() -> None:
    one = Learner(session="a", person="P1", groups=("unit:KS02",))
    two = Learner(session="b", person="P2", groups=("unit:KS02",))
    memory = Memory()
    memory.learn(LINES, one, NINE, carried=True)
    memory.learn(BRIDGE, one, NINE, carried=True)
    assert not whole(memory.consider(HEADS, two, NINE + DAY))


def test_the_whole_without_somebody_shows_somebody() -> None:
    """T26; the twin asks for another item."""
    out = take_all(
        Memory(), CLERK, NINE, DAY, [total_of("YP007"), total_of("YP007", without="YS01")]
    )
    assert whole(out[1]) == {"difference"}
    assert (out[1].session_grain, out[1].person_grain) == ("prescriber", "prescriber")
    out = take_all(
        Memory(), CLERK, NINE, DAY, [total_of("YP008"), total_of("YP007", without="YS01")]
    )
    assert not whole(out[1])


@pytest.mark.parametrize(
    "wrapped",
    [
        "SELECT zl FROM ({}) z",
        "WITH z AS ({}) SELECT * FROM z",
        "WITH z AS ({}), y AS (SELECT zl * 1 AS zl FROM z) SELECT y.zl FROM y",
    ],
)
@pytest.mark.parametrize("without", ["c.ysdm <> 'YS01'", "NOT (c.ysdm = 'YS01')"])
def test_the_whole_without_somebody_may_be_wrapped(wrapped: str, without: str) -> None:
    """T26 in a derived table or CTE; the twin leaves nobody out."""
    analyser = Analyser(catalogue("small"), strict=True)
    total = (
        "SELECT SUM(m.sl) AS zl FROM mz_cf c JOIN mz_cfmx m ON m.cf_id = c.cf_id"
        " WHERE m.ypdm = 'YP007'"
    )
    whole_sum = analyser.analyse(wrapped.format(total)).meaning
    rest = analyser.analyse(wrapped.format(f"{total} AND {without}")).meaning
    out = take_all(Memory(), CLERK, NINE, DAY, [whole_sum, rest])
    assert whole(out[1]) == {"difference"}
    assert not whole(take_all(Memory(), CLERK, NINE, DAY, [whole_sum, whole_sum])[1])


def test_a_total_without_a_department_shows_the_department() -> None:
    without = (Fixed("department_id", "mz_cf", "ksdm", (value("K1"),), negated=True),)
    item = (Fixed("item_id", "mz_cfmx", "ypdm", (value("YP007"),)),)
    row = Yield(("mz_cfmx",), ("quantity",), fixed=item + without, measured=True, aggregated=True)
    rest = Meaning("usage", "institution", "item", yields=(row,))
    for pair in ([total_of("YP007"), rest], [rest, total_of("YP007")]):
        out = take_all(Memory(), CLERK, NINE, DAY, pair)
        assert [(g.code, g.grain) for g in out[1].gathered] == [("difference", "department")]


def test_two_people_halve_prescribers_or_days_by_one_statement() -> None:
    """T94; the twins use different statements, or are of different units, or take days for it."""
    prescribers = [worklist("2026-01-20", prescriber=f"YS{n + 10}") for n in range(8)]
    days = [worklist(f"2026-01-{n + 2:02}", unit="W3") for n in range(8)]
    for lists in (prescribers, days):
        for forms, units, step, expected in (
            ((b"a", b"a"), ("1", "1"), MINUTE, {"lists-group"}),
            ((b"a", b"b"), ("1", "1"), MINUTE, set()),
            ((b"a", b"a"), ("1", "2"), MINUTE, set()),
            ((b"a", b"a"), ("1", "1"), DAY // 4, set()),
        ):
            memory = Memory()
            people = [
                Learner(session=str(n), person=str(n), groups=(f"unit:KS{unit}",))
                for n, unit in enumerate(units)
            ]
            found = [
                whole(memory.take(one, people[n % 2], NINE + n * step, forms[n % 2]))
                for n, one in enumerate(lists)
            ]
            assert not any(found[:7])
            assert found[7] == expected


def test_what_somebody_holds_alone_is_not_said_of_colleagues() -> None:
    one = Learner(session="a", person="P1", groups=("unit:KS02",))
    two = Learner(session="b", person="P2", groups=("unit:KS02",))
    whole_sum, rest = total_of("YP007"), total_of("YP007", without="YS01")
    memory = Memory()
    memory.take(whole_sum, one, NINE)
    assert codes(memory.consider(rest, one, NINE)) == {"difference"}
    assert codes(memory.consider(rest, two, NINE)) == {"difference-group"}


# ------------------------------------------------------------------ enumeration, lists, rhythm


def test_one_doctor_a_day() -> None:
    """T25: each is usage by itself; the explanation says how many there were by now."""
    out = take_all(Memory(), CLERK, NINE, DAY, [by_doctor(f"YS{n:02}") for n in range(12)])
    assert [
        g.count for m in out for g in m.gathered if g.code == "enumeration" and g.over == "person"
    ] == list(range(2, 13))
    assert all(m.person_grain == "prescriber" for m in out)


def test_doctors_lists_one_by_one() -> None:
    lists = [worklist("2026-01-20", prescriber=f"YS{n:02}") for n in range(10, 18)]
    out = take_all(Memory(), CLERK, NINE, MINUTE, lists)
    assert [bool(whole(m)) for m in out] == [False] * 4 + [True] * 4
    own = [worklist("2026-01-20", prescriber="YS03")] * 8
    assert not any(codes(m) for m in take_all(Memory(), DOCTOR, NINE, MINUTE, own))


def test_lists_of_many_days_in_one_go() -> None:
    days = [worklist(f"2026-01-{n:02}", unit="W3") for n in range(1, 11)]
    out = take_all(Memory(), CLERK, NINE, MINUTE, days)
    assert [bool(whole(m)) for m in out] == [False] * 4 + [True] * 6


# One day of the past, worked out by the server: `{}` days before now, in each dialect's ways.
BEFORE_NOW = (
    ("oracle", "TRUNC(kssj) = TRUNC(SYSDATE) - {}"),
    ("oracle", "kssj >= TRUNC(SYSDATE) - {} AND kssj < TRUNC(SYSDATE) - {} + 1"),
    ("oracle", "kssj BETWEEN TRUNC(SYSDATE) - {} AND TRUNC(SYSDATE) - {} + 1 - 1/86400"),
    ("oracle", "TO_CHAR(kssj, 'YYYYMMDD') = TO_CHAR(SYSDATE - {}, 'YYYYMMDD')"),
    ("oracle", "TRUNC(SYSDATE) - TRUNC(kssj) = {}"),
    ("oracle", "TRUNC(kssj) = TRUNC(SYSDATE - NUMTODSINTERVAL({}, 'DAY'))"),
    ("tsql", "CONVERT(date, kssj) = CONVERT(date, DATEADD(day, -{}, GETDATE()))"),
    ("tsql", "CAST(kssj AS date) = CAST(GETDATE() - {} AS date)"),
    ("tsql", "DATEDIFF(day, kssj, GETDATE()) = {}"),
    (
        "tsql",
        "kssj >= DATEADD(day, DATEDIFF(day, 0, GETDATE()) - {}, 0)"
        " AND kssj < DATEADD(day, DATEDIFF(day, 0, GETDATE()) - {} + 1, 0)",
    ),
    ("mysql", "DATE(kssj) = DATE_SUB(CURDATE(), INTERVAL {} DAY)"),
    ("mysql", "kssj >= SUBDATE(CURDATE(), {}) AND kssj < ADDDATE(SUBDATE(CURDATE(), {}), 1)"),
    ("mysql", "TO_DAYS(NOW()) - TO_DAYS(kssj) = {}"),
    ("mysql", "kssj LIKE CONCAT(CURDATE() - INTERVAL {} DAY, '%')"),
    ("postgres", "kssj::date = CURRENT_DATE - {}"),
    ("postgres", "CURRENT_DATE - kssj::date = {}"),
    ("postgres", "date_trunc('day', kssj) = date_trunc('day', now()) - interval '{} day'"),
    ("postgres", "kssj::date = current_date - make_interval(days => {})"),
    ("sqlite", "date(kssj) = date('now', '-{} day')"),
    ("sqlite", "kssj >= date('now', '-{} day') AND kssj < date('now', '-{} day', '+1 day')"),
)


@pytest.mark.parametrize(("dialect", "when"), BEFORE_NOW)
def test_days_that_the_server_works_out_are_days(dialect: str, when: str) -> None:
    """Lists of days gone by add up however the day is written; today's lists day by day do not."""
    analyser = Analyser(catalogue("small"), strict=True)

    def of(back: int) -> Meaning:
        sql = f"SELECT zyid, ypdm, sl FROM zy_yz WHERE ksdm = 'K1' AND {when}"
        return analyser.analyse(sql.replace("{}", str(back)), dialect).meaning

    past = take_all(Memory(), CLERK, NINE, MINUTE, [of(back) for back in range(2, 10)])
    assert [whole(m) for m in past] == [set()] * 4 + [{"lists-of-days"}] * 4
    assert not any(whole(m) for m in take_all(Memory(), CLERK, NINE, DAY, [of(0)] * 9))


def test_the_list_of_the_day_each_day_is_work() -> None:
    memory = Memory()
    for n in range(12):
        today = worklist(f"2026-01-{20 + n:02}", unit="W3")
        assert not codes(memory.take(today, CLERK, NINE + n * DAY))


def _ward_list(day: int, ward: str = "W3", *, doctor: bool = True) -> Meaning:
    """SELECT zyid, ypdm, sl[, kzys] FROM zy_yz WHERE bq = 'W3' AND kssj = …"""
    fixed = (Fixed("unit_id", "zy_yz", "bq", (value(ward),)),)
    roles = ("visit_id", "item_id", "quantity", *(["prescriber_id"] if doctor else []))
    date = value(str(datetime.date(2026, 1, 20) + datetime.timedelta(day)))
    row = Yield(("zy_yz",), roles, fixed=fixed, measured=True)
    return Meaning(
        "clinical", subtype="worklist", scope=Scope(period=Period(date, date)), yields=(row,)
    )


def test_a_month_of_a_units_lists_without_work_there() -> None:
    """Who looks on at W3 every day; who works there; who works in W9 and looks on at W3; who
    belongs to W3; and a list that names no prescriber."""
    own = Learner(session="c2", person="IT07", groups=("unit:W3",))
    work = order("ZY1", role="visit_id")
    in_the_ward = order("W3", role="unit_id")
    for learner, lists, expected in (
        (CLERK, [_ward_list], {"looked-on"}),
        (CLERK, [_ward_list, lambda _: work], set()),
        (CLERK, [_ward_list, lambda _: in_the_ward], set()),
        (CLERK, [_ward_list, lambda n: pinned(f"BR{n * n}")], set()),
        (
            CLERK,
            [_ward_list, lambda n: _ward_list(n, "W9"), lambda _: work],
            {"looked-on"},
        ),
        (own, [_ward_list], set()),
        (CLERK, [lambda n: _ward_list(n, doctor=False)], set()),
    ):
        memory = Memory()
        seen: list[set[str]] = []
        for n in range(29):
            said = [memory.take(m(n), learner, NINE + n * DAY + i) for i, m in enumerate(lists)]
            seen.append(set().union(*map(whole, said)))
        assert not any(seen[:9])
        assert all(day == expected for day in seen[9:]), expected


def test_a_unit_where_work_shows_every_third_day_is_a_work_place() -> None:
    for every, alarms in ((3, False), (9, True)):
        memory, found = Memory(), False
        for n in range(30):
            found |= bool(whole(memory.take(_ward_list(n), CLERK, NINE + n * DAY)))
            if n % every == 0:
                memory.take(order("ZY1", role="visit_id"), CLERK, NINE + n * DAY + 1)
        assert found is alarms


def test_the_whole_hospitals_list_of_today_explains_nothing() -> None:
    """Twins: today's list of everybody, and of one department."""
    keys = random.Random(4).sample(range(10**6), 45)
    scan = [pinned(str(k), role="prescription_id") for k in keys]
    today = Scope(period=Period(value("2026-01-20"), value("2026-01-20")))
    ward = (Fixed("department_id", "mz_cf", "ksdm", (value("K1"),)),)
    for fixed, expected in (((), {"scan-listed"}), (ward, set())):
        rows = Yield(("mz_cf",), ("prescription_id",), keys=("mz_cf.cf_id",), fixed=fixed)
        memory = Memory()
        memory.take(Meaning("none", scope=today, yields=(rows,)), CLERK, NINE, rows=900)
        assert whole(take_all(memory, CLERK, NINE + 1, MINUTE, scan)[-1]) == expected


def test_one_item_on_the_list_day_by_day() -> None:
    memory = Memory()
    out = [
        memory.take(
            worklist(f"2026-01-{20 + n:02}", unit="W3", item="YP007"), CLERK, NINE + n * DAY
        )
        for n in range(11)
    ]
    assert [bool(whole(m)) for m in out] == [False] * 9 + [True] * 2


def test_the_start_of_month_after_month() -> None:
    """T89, over more months than the window holds."""
    first = 1_767_315_600_000_000  # 2026-01-02 09:00
    memory = Memory()
    out = [memory.take(by_doctor("YS01"), CLERK, first + n * 30 * DAY + DAY) for n in range(3)]
    assert [g.count for g in out[2].gathered if g.code == "rhythm"] == [3]


def test_pages_and_probes_explain() -> None:
    page = Meaning(
        "usage",
        "detail",
        "item",
        yields=(Yield(("mz_cfmx",), ("item_id", "quantity"), measured=True, paged=True),),
    )
    out = take_all(Memory(), CLERK, NINE, MINUTE, [page] * 4)
    assert ["pages" in codes(m) for m in out] == [False, False, True, True]
    out = take_all(Memory(), CLERK, NINE, MINUTE, [by_doctor("YS01")] * 6)
    assert ["probing" in codes(m) for m in out] == [False] * 4 + [True] * 2
    assert not any(whole(m) for m in out)


# ------------------------------------------------------------------ sessions, persons, state


def test_accumulated_fields_are_null_without_session_and_person() -> None:
    out = Memory().take(by_doctor("YS01"), Learner(), NINE)
    assert out.session_disclosure is out.person_disclosure is out.person_grain is None


def test_a_session_keeps_the_most_it_revealed_and_names_only_the_contribution() -> None:
    memory = Memory()
    memory.take(by_doctor("YS01"), CLERK, NINE)
    later = memory.take(pinned("BR1"), CLERK, NINE + MINUTE)
    assert (later.session_disclosure, later.session_grain) == ("usage", "prescriber")
    assert later.gathered == ()
    other = memory.take(pinned("BR1"), Learner(session="c2", person="X"), NINE + MINUTE)
    assert other.session_disclosure == "clinical", "a session is one operator's"
    after = memory.take(pinned("BR1"), CLERK, NINE + 32 * DAY)
    assert after.person_disclosure == "clinical"


def test_a_denied_statement_teaches_nothing() -> None:
    memory = Memory()
    memory.consider(by_doctor("YS01"), CLERK, NINE)
    before = memory.dump()
    for n in range(100):
        memory.consider(pinned(f"BR{n:03}"), CLERK, NINE)
    assert memory.dump() == before


MOVES = st.lists(
    st.tuples(
        st.sampled_from(
            [
                LINES,
                BRIDGE,
                HEADS,
                total_of("YP007"),
                total_of("YP007", without="YS01"),
                by_doctor("YS01"),
                by_doctor("YS02"),
                by_doctor(None),
                worklist("2026-01-02", unit="W1"),
                worklist("2026-01-03", unit="W1"),
                worklist("2026-01-04", prescriber="YS09", item="YP1"),
                order("BR3"),
                *(pinned(f"BR{n}") for n in range(6)),
            ]
        ),
        st.sampled_from([DOCTOR, CLERK, Learner(session="c1", person="IT07", groups=("unit:1",))]),
        st.integers(min_value=0, max_value=40 * DAY),
    ),
    max_size=30,
)


@given(MOVES)
def test_dump_and_load_continue_as_if_nothing_had_happened(moves) -> None:
    memory, copy = Memory(), Memory()
    for meaning, learner, at in moves:
        copy.load(memory.dump())
        assert copy.dump() == memory.dump()
        assert copy.take(meaning, learner, NINE + at) == memory.take(meaning, learner, NINE + at)


@given(MOVES, st.randoms())
def test_the_outcome_does_not_depend_on_the_order(moves, chance) -> None:
    """Rule 4: what persons amount to, statements of one moment in any order."""
    still = [(m, who) for m, who, _at in moves if m.disclosure != "clinical"]
    mixed = list(still)
    chance.shuffle(mixed)
    ends = []
    for row in (still, mixed):
        memory = Memory()
        for meaning, who in row:
            memory.take(meaning, who, NINE)
        end = memory.consider(Meaning("none"), CLERK, NINE)
        ends.append((end.session_disclosure, end.person_disclosure, end.person_grain))
    assert ends[0] == ends[1]


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"\x84", Memory().dump()[:-1]])
def test_a_state_that_is_none_is_refused(data: bytes) -> None:
    memory = Memory()
    memory.take(by_doctor("YS01"), CLERK, NINE)
    before = memory.dump()
    with pytest.raises(ValueError, match="state"):
        memory.load(data)
    assert memory.dump() == before


def test_memory_stays_bounded() -> None:
    """A hundred and fifty thousand distinct keys, of as many sessions as there may be and more."""
    memory = Memory(Limits(cap=512, sessions=50, persons=50))
    chance = random.Random(5)
    for n in range(1_500):
        who = Learner(session=f"s{n % 300}", person=f"p{n % 70}")
        keys = [str(chance.randrange(10**9)) for _ in range(100)]
        memory.learn(pinned(*keys), who, NINE + n * 1000)
        memory.learn(order(keys[0]), who, NINE + n * 1000)
    size = len(memory.dump())
    assert size < 100 * 2 * 512 * 40
    findings = memory.consider(pinned("1"), Learner(person="p29"), NINE + 1_500_000)
    assert codes(findings) == {"scan-hour"}, "a full memory still sees the scan"


@settings(max_examples=50)
@given(st.lists(st.text(max_size=6), max_size=8))
def test_any_text_can_be_a_key(texts: list[str]) -> None:
    memory = Memory()
    out = memory.take(pinned(*texts, "\ud800", "9" * 400), CLERK, 0)
    assert out.session_disclosure == "clinical"
    memory.load(memory.dump())


@pytest.mark.parametrize("awake", [2, 8])
def test_who_sleeps_between_statements_learns_the_same(awake: int) -> None:
    drowsy, wakeful = Memory(awake=awake), Memory()
    for n in range(240):
        learner = Learner(session=f"s{n % 5}", person=f"operator:D{n % 7}", groups=("unit:1",))
        meaning = pinned(f"R{n // 3}") if n % 4 else order(f"R{n}")
        asked = drowsy.take(meaning, learner, NINE + n * MINUTE)
        assert asked == wakeful.take(meaning, learner, NINE + n * MINUTE)
    assert drowsy.dump() == wakeful.dump()
    assert drowsy.unreadable == 0


def test_what_cannot_be_read_of_one_person_is_counted_and_costs_nobody_else() -> None:
    memory, again = Memory(), Memory()
    others = Learner(session="s2", person="operator:D2")
    memory.take(pinned("17"), CLERK, NINE)
    for n in range(30):
        memory.take(pinned(f"{n}"), others, NINE + n)
    parts = memory.image().part(1 << 20)
    assert parts is not None
    harmed = [
        replace(e, known=Raw(msgspec.msgpack.encode({"turn": e.turn, "rows": "?"})))
        if e.name == CLERK.person
        else e
        for e in parts
    ]
    again.restore(harmed)
    assert again.take(pinned("31"), others, NINE + 40) == memory.take(
        pinned("31"), others, NINE + 40
    )
    assert again.unreadable == 0
    again.take(pinned("18"), CLERK, NINE + 50)
    assert again.unreadable == 1
