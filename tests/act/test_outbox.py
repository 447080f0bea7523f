"""The outbox: at least once, at most so many a minute, nothing silently gone."""

import random
from pathlib import Path

import pytest

from qingfang.act.notice import Notice
from qingfang.act.outbox import GIVE_UP_US, MINUTE_US, Outbox
from qingfang.act.roster import Call, Way

SECOND = 1_000_000


def notice(number: int, severity: int = 1) -> Notice:
    return Notice(f"log#{number}", number, "at", "alert", severity)


def call(person: str = "zhou", due: int = 0, *more: Way) -> Call:
    return Call(person, due, (Way("mail", f"{person}@h"), *more))


@pytest.fixture
def outbox(tmp_path: Path):
    box = Outbox(tmp_path / "outbox.sqlite", per_minute=5)
    yield box
    box.close()


def numbers(outbox: Outbox, now: int) -> list[tuple[int, tuple[int, ...]]]:
    return [(each.notice.number, each.notice.others) for each in outbox.due(now)]


def test_put_twice_is_put_once(outbox: Outbox) -> None:
    assert outbox.put(notice(1), [call(), call("wu")], 0) == 2
    assert outbox.put(notice(1), [call(), call("wu")], 5) == 0
    assert len(outbox.due(5)) == 2


def test_it_survives_a_restart(tmp_path: Path) -> None:
    one = Outbox(tmp_path / "x" / "outbox.sqlite", per_minute=5)
    one.put(notice(1), [call()], 0)
    one.set_mark("ledger", 77)
    one.close()
    two = Outbox(tmp_path / "x" / "outbox.sqlite", per_minute=5)
    assert numbers(two, 0) == [(1, ())]
    assert two.mark("ledger") == 77
    assert two.mark("other") is None
    two.close()


def test_the_urgent_first(outbox: Outbox) -> None:
    outbox.put(notice(1, 1), [call()], 0)
    outbox.put(notice(2, 3), [call()], 0)
    assert numbers(outbox, 0) == [(2, ()), (1, ())]


def test_a_failure_is_tried_again_after_growing_pauses(outbox: Outbox) -> None:
    outbox.put(notice(1), [call()], 0)
    now = 0
    for pause in (5, 15, 60, 300, 900, 900):
        (letter,) = outbox.due(now)
        outbox.failed(letter, "down", permanent=False, now_us=now)
        assert outbox.due(now + pause * SECOND - 1) == []
        now += pause * SECOND
        assert outbox.next_due() == now
    outbox.sent(outbox.due(now)[0], "250 ok", now)
    (result,) = outbox.results()
    assert (result.state, result.receipt, result.attempts) == ("sent", "250 ok", 7)
    outbox.told(result)
    assert outbox.results() == []
    assert outbox.next_due() is None


def test_a_refusal_is_a_dead_letter_and_the_next_way_is_tried(outbox: Outbox) -> None:
    outbox.put(notice(1), [call("zhou", 0, Way("webhook", "z"))], 0)
    (letter,) = outbox.due(0)
    outbox.failed(letter, "550", permanent=True, now_us=1)
    assert [(r.state, r.receipt) for r in outbox.dead()] == [("dead", "550")]
    assert [(each.channel, each.address) for each in outbox.due(1)] == [("webhook", "z")]


def test_the_next_way_is_tried_beside_one_that_keeps_failing(outbox: Outbox) -> None:
    outbox.put(notice(1), [call("zhou", 0, Way("webhook", "z"))], 0)
    now = 0
    for _n in range(3):
        (letter,) = outbox.due(now)
        outbox.failed(letter, "down", permanent=False, now_us=now)
        now += 60 * SECOND
    assert sorted(each.channel for each in outbox.due(now)) == ["mail", "webhook"]


def test_after_a_day_it_is_dead_and_visible(outbox: Outbox) -> None:
    outbox.put(notice(1), [call()], 0)
    (letter,) = outbox.due(0)
    outbox.failed(letter, "down", permanent=False, now_us=GIVE_UP_US)
    (letter,) = outbox.due(GIVE_UP_US + 10 * SECOND)
    outbox.failed(letter, "still down", permanent=False, now_us=GIVE_UP_US + 10 * SECOND)
    assert [r.receipt for r in outbox.dead()] == ["still down"]
    assert outbox.counts() == {"dead": 1}


def test_an_acknowledged_alert_is_not_escalated(outbox: Outbox) -> None:
    outbox.put(notice(1), [call(), call("chief", 30 * MINUTE_US)], 0)
    assert len(outbox.due(0)) == 1
    assert outbox.acknowledge("log#1", 5) == 1
    assert [each.address for each in outbox.due(40 * MINUTE_US)] == ["zhou@h"]
    assert [r.state for r in outbox.results()] == ["cancelled"]


def test_above_the_rate_the_last_takes_the_others_along(outbox: Outbox) -> None:
    for n in range(1, 13):
        outbox.put(notice(n), [call()], 0)
    letters = outbox.due(0)
    assert [(each.notice.number, each.notice.others) for each in letters] == [
        (1, ()),
        (2, ()),
        (3, ()),
        (4, ()),
        (5, (6, 7, 8, 9, 10, 11, 12)),
    ]
    for letter in letters:
        outbox.sent(letter, "ok", 1)
    assert outbox.counts() == {"sent": 5, "merged": 7}
    outbox.put(notice(13), [call()], 2)
    assert outbox.due(2) == []
    assert numbers(outbox, MINUTE_US + 1) == [(13, ())]


def test_what_was_to_be_taken_along_stays_when_that_fails(outbox: Outbox) -> None:
    for n in range(1, 13):
        outbox.put(notice(n), [call()], 0)
    outbox.failed(outbox.due(0)[-1], "down", permanent=False, now_us=0)
    assert outbox.counts() == {"waiting": 12}


def test_each_address_gets_its_own_summary(outbox: Outbox) -> None:
    for n in range(1, 9):
        outbox.put(notice(n), [call("zhou"), call("wu")], 0)
    found = outbox.due(0)
    assert len(found) == 5
    told: dict[str, set[int]] = {"zhou@h": set(), "wu@h": set()}
    for each in found:
        told[each.address] |= {each.notice.number, *each.notice.others}
    assert told == {"zhou@h": set(range(1, 9)), "wu@h": set(range(1, 9))}


@pytest.mark.parametrize("seed", range(15))
def test_whatever_fails_everyone_is_told_everything(tmp_path: Path, seed: int) -> None:
    """A day of bad luck: every notice ends in something that was sent to its address, or dead with
    a reason; and no minute had more than the rate."""
    chance = random.Random(seed)
    rate = chance.randrange(1, 6)
    box = Outbox(tmp_path / "outbox.sqlite", per_minute=rate)
    reliable = chance.random()
    told: dict[str, set[int]] = {}
    sent_at: list[int] = []
    now = number = 0
    people = ["zhou", "wu", "zheng"]
    wanted: dict[str, set[int]] = {f"{p}@h": set() for p in people}
    while now < 30 * MINUTE_US or box.next_due() is not None:
        now += chance.randrange(1, 20) * SECOND
        if now < 30 * MINUTE_US:
            for _n in range(chance.randrange(3)):
                number += 1
                persons = chance.sample(people, chance.randrange(1, 4))
                box.put(notice(number, chance.randrange(4)), [call(p) for p in persons], now)
                for person in persons:
                    wanted[f"{person}@h"].add(number)
        else:
            reliable = 1.0
        for letter in box.due(now):
            if chance.random() < reliable:
                box.sent(letter, "ok", now)
                sent_at.append(now)
                told.setdefault(letter.address, set()).update(
                    (letter.notice.number, *letter.notice.others)
                )
            elif chance.random() < 0.1:
                box.failed(letter, "refused", permanent=True, now_us=now)
            else:
                box.failed(letter, "down", permanent=False, now_us=now)
    dead = {int(r.notice_id.split("#")[1]) for r in box.dead(10_000)}
    for address, numbers_wanted in wanted.items():
        assert numbers_wanted - told.get(address, set()) <= dead
    assert set(box.counts()) <= {"sent", "merged", "dead"}
    assert all(sum(t - MINUTE_US < s <= t for s in sent_at) <= rate for t in sent_at)
    box.close()
