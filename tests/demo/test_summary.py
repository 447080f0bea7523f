"""The comparison of what was planted with what the ledger holds, case by case."""

from __future__ import annotations

from typing import Any

import msgspec

from qingfang.demo.summary import summarise, well
from qingfang.events import Attributed, Event

T = "2026-11-23T10:00:{:02d}.000000+00:00"


def event(seq: int, second: int, verdict: Any, sql: str, client: str, **more: Any) -> Event:
    return Event(
        seq=seq,
        connection=f"c{client}",
        at=T.format(second),
        source="gateway",
        protocol="pg",
        server="127.0.0.1:5432",
        database="his",
        account="his",
        client=client,
        sql=sql,
        kind="query",
        verdict=verdict,
        **more,
    )


def attempt(client: str, *sql: str, **more: Any) -> dict[str, Any]:
    return {
        "kind": "attempt",
        "technique": "T01",
        "grant": None,
        "operator": "1005",
        "terminal": "MZ-1014",
        "program": "psql",
        "planted_at": T.format(10),
        "ended_at": T.format(20),
        "client": client,
        "sql": list(sql),
        "refused": 0,
        "problem": None,
        **more,
    }


def granted(client: str, *sql: str, **more: Any) -> dict[str, Any]:
    return attempt(client, *sql, **{"kind": "granted", "technique": "N10", "grant": "SQ1", **more})


def summary(told: list[dict[str, Any]], *events: Event, **more: Any) -> dict[str, Any]:
    facts = {"seconds": 30.0, "verified": True, "lost": 0, **more}
    return summarise([{"kind": "started"}, *told], events, **facts)


A, B = "127.10.0.4:40001", "127.80.2.1:40002"


def test_all_as_it_should_be() -> None:
    told = [attempt(A, "SELECT  1\nFROM x"), granted(B, "SELECT 2 FROM y")]
    found = summary(
        told,
        event(1, 5, "pass", "INSERT", A),
        event(2, 10, "deny", "SELECT 1 FROM x", A, alert="A-1"),
        event(3, 11, "log", "SELECT 2 FROM y", B, grant="SQ1"),
        event(4, 11, "pass", "SELECT 3", "127.10.0.1:4"),
    )
    assert found["attempts"][0]["caught"]
    assert found["attempts"][0]["verdict"] == "deny"
    assert found["attempts"][0]["alert"] == "A-1"
    assert found["attempts"][0]["seconds_to_alert"] == 0.0
    assert found["granted"] == [
        {"grant": "SQ1", "technique": "N10", "passed": True, "operator": "1005", "problem": None}
    ]
    assert found["verdicts"] == {"pass": 2, "log": 1, "review": 0, "alert": 0, "mask": 0, "deny": 1}
    assert found["ledger"] == {"events": 4, "verified": True}
    assert well(found)
    assert msgspec.json.encode(found)


def test_an_attempt_nobody_noticed() -> None:
    found = summary([attempt(A, "SELECT 1")], event(1, 10, "log", "SELECT 1", A))
    assert not found["attempts"][0]["caught"]
    assert found["attempts"][0]["verdict"] is None
    assert not well(found)


def test_the_strongest_answer_counts_and_time_runs_to_it() -> None:
    found = summary(
        [attempt(A, "SELECT 1", "SELECT 2")],
        event(1, 11, "alert", "SELECT 1", A),
        event(2, 13, "deny", "SELECT 2", A),
        event(3, 14, "alert", "SELECT 2", A),
    )
    assert found["attempts"][0]["verdict"] == "deny"
    assert found["attempts"][0]["alert"] == 2
    assert found["attempts"][0]["seconds_to_alert"] == 3.0
    assert found["unexpected_alerts"] == []


def test_an_alarm_on_honest_work_is_unexpected() -> None:
    who = Attributed("1001", 0.9, ("登录语句",))
    found = summary(
        [attempt(A, "SELECT 1")],
        event(1, 10, "deny", "SELECT 1", A),
        event(2, 12, "alert", "SELECT 9", "127.10.0.1:4", operator=who, reasons=("看病历",)),
    )
    assert [u["sql"] for u in found["unexpected_alerts"]] == ["SELECT 9"]
    assert found["unexpected_alerts"][0]["operator"] == "1001"
    assert not well(found)


def test_an_alarm_before_the_attempt_began_is_unexpected() -> None:
    """The sign-in of somebody who later misbehaves is honest; so is an earlier user of the port."""
    found = summary(
        [attempt(A, "SELECT 1")],
        event(1, 9, "alert", "INSERT INTO his.sys_login_log …", A),
        event(2, 10, "deny", "SELECT 1", A),
    )
    assert [u["seq"] for u in found["unexpected_alerts"]] == [1]


def test_a_port_used_again_belongs_to_the_later_one() -> None:
    later = attempt(A, "SELECT 2", planted_at=T.format(30), technique="T02")
    found = summary(
        [attempt(A, "SELECT 1"), later],
        event(1, 10, "deny", "SELECT 1", A),
        event(2, 31, "log", "SELECT 2", A),
    )
    assert [a["caught"] for a in found["attempts"]] == [True, False]


def test_an_approved_statistic_that_alarmed() -> None:
    found = summary(
        [attempt(A, "SELECT 1"), granted(B, "SELECT 2")],
        event(1, 10, "deny", "SELECT 1", A),
        event(2, 10, "alert", "SELECT 2", B, grant="SQ1"),
    )
    assert not found["granted"][0]["passed"]
    assert [u["seq"] for u in found["unexpected_alerts"]] == [2]
    assert not well(found)


def test_an_approved_statistic_must_have_been_seen_and_rest_on_its_grant() -> None:
    """Passing unseen, or for another reason than the approval, is no pass."""
    right = event(1, 10, "deny", "SELECT 1", A)
    for events in (
        (),
        (event(2, 10, "log", "SELECT 2", B),),
        (event(2, 10, "log", "SELECT 2", B, grant="SQ9"),),
    ):
        found = summary([attempt(A, "SELECT 1"), granted(B, "SELECT 2")], right, *events)
        assert not found["granted"][0]["passed"]
        assert not well(found)
    own = granted(B, "SELECT 2", grant=None, technique="N16")
    assert well(summary([attempt(A, "SELECT 1"), own], right, event(2, 10, "log", "SELECT 2", B)))


def test_an_approved_statistic_that_was_refused_has_not_passed() -> None:
    told = [granted(B, "SELECT 2", refused=1)]
    assert not summary(told, event(1, 10, "log", "SELECT 2", B, grant="SQ1"))["granted"][0][
        "passed"
    ]


def test_loss_a_broken_ledger_or_an_empty_plan_are_not_well() -> None:
    told, caught = [attempt(A, "SELECT 1")], event(1, 10, "deny", "SELECT 1", A)
    assert well(summary(told, caught))
    assert not well(summary(told, caught, lost=1))
    assert not well(summary(told, caught, verified=False))
    assert not well(summary([], caught))
