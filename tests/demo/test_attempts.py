"""Planted attempts: drawn from a number, alike in nothing else, and each one really reveals."""

from __future__ import annotations

import datetime
import json
import re

import psycopg
import pytest

from qingfang.demo import attempts
from qingfang.demo.attempts import ATTEMPTS, Attempt
from qingfang.demo.client import Target
from qingfang.demo.hospital import Facts
from qingfang.demo.people import Cast
from tests.demo.conftest import TODAY

NUMBERS = range(1, 4)


def plan(number: int, facts: Facts, declared: Cast, seconds: float = 60.0) -> tuple[Attempt, ...]:
    return attempts.plan(number, facts, declared, TODAY, seconds)


def test_a_plan_follows_from_its_number(facts: Facts, declared: Cast) -> None:
    assert plan(1, facts, declared) == plan(1, facts, declared)
    techniques = [a.technique for a in plan(1, facts, declared) if not a.legitimate]
    assert len(techniques) >= 15
    assert sorted(techniques) == sorted(ATTEMPTS)
    approved = [a for a in plan(1, facts, declared) if a.legitimate]
    assert len([a for a in approved if a.grant]) >= 5
    assert {a.grant for a in approved} - {None} == {g.id for g in declared.grants}


def test_two_plans_share_neither_person_nor_text_nor_time(facts: Facts, declared: Cast) -> None:
    """Over ten numbers every technique changes its actor, its place, its text and its moment."""
    plans = [{a.technique: a for a in plan(n, facts, declared)} for n in range(10)]
    for technique in ATTEMPTS:
        played = [p[technique] for p in plans]
        assert len({a.operator for a in played}) > 3, technique
        assert len({a.terminal for a in played}) > 3, technique
        assert len({a.after for a in played}) == 10, technique
        least = 2 if technique in ("T15", "T17", "T79") else 4
        assert len({a.steps[0].sql for a in played}) >= least, technique


def test_one_plan_uses_nobody_and_no_place_twice(facts: Facts, declared: Cast) -> None:
    for number in NUMBERS:
        attackers = [a for a in plan(number, facts, declared) if not a.grant]
        assert len({a.operator for a in attackers}) == len(attackers)
        assert len({a.terminal for a in attackers}) == len(attackers)
        bound = {g.person for g in declared.grants} | {
            p for d in declared.designations for p in d.persons
        }
        assert not bound & {a.operator for a in attackers}
        assert {a.operator for a in attackers} <= attempts.reserved(facts, declared)


def test_nothing_marks_a_planted_statement(facts: Facts, declared: Cast) -> None:
    """No technique's name, plan's number or word for what it is in anything that is sent, and no
    program or terminal that only attempts have."""
    for number in NUMBERS:
        for attempt in plan(number, facts, declared):
            sent = json.dumps(
                [attempt.program, attempt.terminal, [s.sql for s in attempt.steps]],
                ensure_ascii=False,
            )
            assert not re.search(r"attempt|attack|plant|统方(?!专)|demo|试探", sent, re.IGNORECASE)
            assert attempt.technique not in sent
            assert attempt.terminal in {t.id for t in declared.terminals}
            assert attempt.operator in {p.number for p in declared.persons}


def test_attempts_are_spread_over_the_time_there_is(facts: Facts, declared: Cast) -> None:
    for seconds in (30.0, 600.0):
        times = [a.after for a in plan(1, facts, declared, seconds)]
        assert times == sorted(times)
        assert 0 < times[0] < times[-1] < 0.8 * seconds
    assert plan(1, facts, declared, 0.0)[-1].after < attempts.ROUND_SECONDS


@pytest.mark.parametrize("number", NUMBERS)
def test_every_attempt_returns_rows(number: int, facts: Facts, declared: Cast, his: Target) -> None:
    """With nobody in between, each one gets what it is after, under the HIS's own account."""
    with psycopg.connect(
        host=his.host,
        port=his.port,
        dbname=his.database,
        user=his.user,
        password=his.password,
        autocommit=True,
    ) as connection:
        for attempt in plan(number, facts, declared):
            got = 0
            for step in attempt.steps:
                if step.how == "copy":
                    with connection.cursor().copy(step.sql.encode()) as copy:
                        got += sum(len(block) for block in copy)
                    continue
                cursor = psycopg.RawCursor(connection)
                cursor.execute(step.sql.encode(), step.values or None)
                if cursor.description:
                    got += sum(row[0] is not None for row in cursor.fetchall())
            assert got > 0, (attempt.technique, attempt.steps[0].sql)


def test_grants_cover_the_month_that_is_asked_for(facts: Facts, declared: Cast) -> None:
    first, after = declared.month
    assert after == TODAY.replace(day=1)
    now = int(datetime.datetime.combine(TODAY, datetime.time(), datetime.UTC).timestamp() * 1e6)
    for grant in declared.grants:
        assert grant.valid.from_us < now < grant.valid.to_us
        assert grant.scope.period.from_day == str(first)
        assert grant.filed_number
        assert set(grant.terminals) <= {t.id for t in declared.terminals}
    for attempt in plan(2, facts, declared):
        if attempt.grant:
            text = " ".join(s.sql for s in attempt.steps)
            assert str(first) in text
            assert str(after) not in text
