"""Who is told, by the roster of a discipline office."""

from qingfang.act.roster import MINUTE_US, Line, Roster, Way, calls

DAY, NIGHT = (0, 600 * MINUTE_US), (600 * MINUTE_US, 1440 * MINUTE_US)
MAIL = {name: (Way("mail", f"{name}@h"), Way("webhook", name)) for name in ("zhou", "wu", "zheng")}


def told(lines: list[Line], at_minute: int, severity: int = 2) -> list[tuple[str, int]]:
    found = calls(Roster(tuple(lines), MAIL), at_minute * MINUTE_US, severity)
    return [(call.person, call.due_us // MINUTE_US - at_minute) for call in found]


BY_DAY = Line(*DAY, persons=("zhou",))
BY_NIGHT = Line(*NIGHT, persons=("wu",))
CHIEF = Line(*(0, 1440 * MINUTE_US), persons=("zheng",), after_minutes=30)


def test_who_is_on_duty_is_told_at_once_and_the_chief_later() -> None:
    assert told([BY_DAY, BY_NIGHT, CHIEF], 10) == [("zhou", 0), ("zheng", 30)]
    assert told([BY_DAY, BY_NIGHT, CHIEF], 700) == [("wu", 0), ("zheng", 30)]


def test_an_escalation_goes_to_who_is_on_duty_then() -> None:
    later = [
        Line(*span, persons=(p,), after_minutes=30) for span, p in ((DAY, "zheng"), (NIGHT, "wu"))
    ]
    assert told([BY_DAY, *later], 590) == [("zhou", 0), ("wu", 30)]


def test_a_gap_in_the_roster_is_told_to_everybody() -> None:
    assert told([BY_DAY], 700) == [("zhou", 0), ("wu", 0), ("zheng", 0)]
    assert told([], 0) == [("zhou", 0), ("wu", 0), ("zheng", 0)]


def test_nobody_at_once_is_a_gap_even_with_an_escalation() -> None:
    assert told([CHIEF], 10) == [("zhou", 0), ("wu", 0), ("zheng", 30)]


def test_people_who_cannot_be_reached_are_a_gap() -> None:
    nobody = Line(*DAY, persons=("someone-without-address",))
    assert told([nobody], 10) == [("zhou", 0), ("wu", 0), ("zheng", 0)]


def test_small_matters_left_out_on_purpose_are_left_out() -> None:
    urgent = Line(*DAY, persons=("zhou",), min_severity=2)
    assert told([urgent], 10, severity=1) == []
    assert told([urgent], 10, severity=2) == [("zhou", 0)]


def test_a_person_is_told_once() -> None:
    twice = Line(*DAY, persons=("zhou",), after_minutes=5)
    assert told([BY_DAY, twice], 10) == [("zhou", 0)]
