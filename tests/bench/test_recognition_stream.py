"""The benign stream, the attack sessions mixed into it, and how alarms are counted."""

import datetime as dt

import pytest

from qingfang.bench.recognition import daily, hospital, sessions, stream, workload
from qingfang.bench.recognition.fixtures import techniques
from qingfang.bench.recognition.hospital import PLACES, Hospital
from qingfang.bench.recognition.results import Alarm, Planted, Stream
from qingfang.bench.recognition.schema import DIALECTS, catalogue, schema
from qingfang.bench.recognition.stack import Stack
from qingfang.bench.recognition.workload import Workload
from qingfang.events import Connection
from qingfang.understand.catalogue import load

WEDNESDAY = dt.date(2026, 1, 14)
REPORTING = {"store", "statistics"}


def day(dialect: str, seed: int = 1) -> list[workload.Sent]:
    return Workload(Hospital(schema(dialect)), seed).day(WEDNESDAY)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_days_work_is_understood_and_harmless(dialect: str) -> None:
    of = schema(dialect)
    stack = Stack(load(catalogue(of)), Hospital(of).snapshot())
    wrong: set[tuple[str, str, str]] = set()
    for sent in day(dialect):
        if sent.technique:
            continue
        connection = Connection(
            sent.staff.terminal, "bench", "n", "gateway", dialect, "s:1", "c:1", sent.at_us
        )
        told, _found = stack.ask(connection, sent.sql, sent.binds, sent.at_us)
        meaning = told.meaning
        reports = sent.staff.post in REPORTING and meaning.grain == "institution"
        if meaning.disclosure not in {"none", "clinical"} and not reports:
            wrong.add((meaning.disclosure, sent.staff.post, sent.sql[:80]))
    assert wrong == set()


def test_the_same_seed_is_the_same_day_in_the_order_of_time() -> None:
    first, again, other = day("mysql"), day("mysql"), day("mysql", 2)
    assert first == again
    assert first != other
    assert [s.at_us for s in first] == sorted(s.at_us for s in first)


def test_a_day_has_a_hospitals_proportions() -> None:
    sent = day("postgres")
    kinds = [s.sql.split()[0].upper() for s in sent]
    assert len(sent) > 8_000
    assert 0.1 < sum(k in {"INSERT", "UPDATE", "DELETE"} for k in kinds) / len(kinds) < 0.5
    assert sum(s.staff.post in REPORTING for s in sent) / len(sent) < 0.03
    assert {s.staff.post for s in sent} >= {*hospital.POSTS, "upload", "checker", "monitor"}


def test_binds_are_sent_beside_the_text_where_the_program_binds() -> None:
    orders = [s for s in day("oracle") if s.staff.post == "nurse" and s.binds]
    assert orders
    for sent in orders:
        assert sent.binds is not None
        assert f":{len(sent.binds)}" in sent.sql
        assert f":{len(sent.binds) + 1}" not in sent.sql


def test_every_look_alike_is_somebodys_work() -> None:
    assert set(techniques("lookalikes")) <= set(PLACES)
    for dialect in DIALECTS:
        make = Workload(Hospital(schema(dialect)), 1)
        assert {make.sender(name).post for name in PLACES} <= {
            *hospital.POSTS,
            *hospital.PROGRAMS,
            hospital.VENDOR,
        }


def test_a_look_alike_is_dated_with_the_day_it_is_sent_on() -> None:
    text = "d >= '2026-01-20' AND d < '2026-01-21'"
    assert workload.dated(text, dt.date(2026, 1, 19)) == "d >= '2026-01-19' AND d < '2026-01-20'"


# ---------------------------------------------------------------- sessions


def plans(dialect: str = "postgres") -> list[sessions.Plan]:
    wanted = sessions.chosen(schema(dialect), 1)
    return sessions.plans(Hospital(schema(dialect), extra=2 * len(wanted)), wanted, 1)


def test_every_technique_is_planted_over_each_span_by_one_and_by_two() -> None:
    found = {(p.name, p.over, len(p.people)) for p in plans()}
    for name in ("T20", "T21", "T22", "T23", "T24", "T26", "T27", "T49", "T94", "T95"):
        for over in sessions.OVER:
            assert {(name, over, 1), (name, over, 2)} <= found
    assert {("T25", "month", 1), ("T89", "months", 1), ("T92", "day", 2)} <= found


def test_a_plan_keeps_to_its_span() -> None:
    longest = {"hour": 3_600, "day": 86_400, "month": 31 * 86_400}
    for plan in plans():
        assert list(plan.at_us) == sorted(plan.at_us)
        if plan.over in longest:
            assert plan.at_us[-1] - plan.at_us[0] <= longest[plan.over] * 1_000_000


def test_two_people_take_turns_and_share_an_office() -> None:
    of = schema("postgres")
    snapshot = Hospital(of, extra=400).snapshot()
    units = {person.number: person.department for person in snapshot.persons}
    for plan in plans():
        if len(plan.people) == 2:
            one, other = plan.people
            assert units[one.number] == units[other.number]
            senders = {s.staff.number for s in sessions.sent(plan, of) if s.technique}
            assert senders == {one.number, other.number}


# ---------------------------------------------------------------- counting


@pytest.fixture(scope="module")
def small() -> Stream:
    return stream.run(lambda _text: None, ["postgres"], benign=4_000, seed=1)


def test_planted_sessions_are_found_and_ordinary_work_is_quiet(small: Stream) -> None:
    assert small.benign >= 4_000
    assert small.days == round(small.benign / stream.STATEMENTS_A_DAY, 3)
    assert [p for p in small.planted if not p.caught] == []
    assert all(p.named for p in small.planted)
    assert small.alarms == ()
    assert sum(small.verdicts.values()) == small.benign


def test_an_alarm_on_ordinary_work_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    posts = workload.posts()
    of = schema("postgres")
    line = of.tables["line"]
    job = next(j for j in posts["monitor"].jobs if j.name == "心跳")
    wide = job.lines[-1]._replace(sql=f"SELECT * FROM {line.name}")
    monkeypatch.setattr(job, "lines", [wide])
    found = stream.run(lambda _text: None, ["postgres"], benign=300, seed=1)
    assert found.alarms
    alarm = found.alarms[0]
    assert (alarm.program, alarm.true) == ("zabbix", True)
    assert "learned-detail" in alarm.codes
    assert "逐条用药明细" in alarm.sentence


def test_the_same_seed_gives_the_same_counts(small: Stream) -> None:
    again = stream.run(lambda _text: None, ["postgres"], benign=4_000, seed=1)
    assert (again.verdicts, again.planted) == (small.verdicts, small.planted)


def test_progress_is_told() -> None:
    told: list[str] = []
    stream.run(told.append, ["mysql"], benign=25_000, seed=1)
    assert len(told) == 1
    assert told[0].startswith("日常语句 25,000 / 25,000，误报 ")


def test_bars_are_missed_when_alarms_or_sessions_are() -> None:
    alarm = Alarm("mysql", "SELECT 1", "p", "1", "t", "句子", ("scan-order",))
    lost = Planted("T23", "mysql", "month", 1, caught=False)
    caught = Planted("T22", "mysql", "hour", 1, caught=True, statements=4, named=True)
    bad = Stream(1_000_000, 1.0, 9.0, (alarm,) * 11, (lost, caught))
    met = {row.what: row.met for row in daily.rows(bad, [])}
    assert (met["每个医院日误报"], met["混在其中的会话：召回"]) == (False, False)
    good = Stream(1_000_000, 1.0, 9.0, (alarm,) * 10, (caught,))
    met = {row.what: row.met for row in daily.rows(good, [])}
    assert (met["每个医院日误报"], met["混在其中的会话：召回"]) == (True, True)
    text = daily.missed(bad, [])
    assert "✗ T23 mysql month ×1" in text
    assert "! 11 × scan-order（p）" in text
    assert "句子" in text
    assert "| T22 | 1 | 1 | 4.0 |" in daily.markdown(bad, [])
