"""What an approval covers, by what a statement goes beyond it, and that narrower is covered too."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from qingfang.events import Attributed, Grain, Meaning, Period, Scope, Selection, Value
from qingfang.judge import snapshot
from qingfang.judge.grants import (
    day_of,
    grant_excess,
    report_excess,
    scope_excess,
    service_covers,
    service_present,
)
from qingfang.judge.snapshot import Allowed, Calendar, Days, Grant, Report, Service, Span, Weekly

# 2026-01-20 09:00 in Shanghai, a Tuesday.
NINE = 1_768_870_800_000_000
DAY = 86_400_000_000
CALENDAR = Calendar()
ME = Attributed("P1", 0.95, ())
HERE = Attributed("T1", 0.8, ())

GRANT = Grant(
    id="G1",
    person="P1",
    terminals=("T1", "T2"),
    scope=snapshot.Scope(
        grain="department",
        items=Allowed(kind="class", values=("抗菌药物",), members=("A1", "A2")),
        departments=Allowed(kind="list", values=("K1", "K2")),
        period=Days(from_day="2025-10-01", to_day="2025-12-31"),
    ),
    valid=Span(from_us=NINE - DAY, to_us=NINE + DAY),
    windows=(Weekly(weekdays=(1, 2, 3, 4, 5), from_time="08:00", to_time="17:00"),),
    max_runs=2,
    filed_number="备-1",
    filed_us=NINE - 2 * DAY,
)


def values(*texts: str | None) -> tuple[Value, ...]:
    return tuple(Value(t) for t in texts)


ANTIBIOTICS = Selection("class", values("抗菌药物"))
WARD_ONE = Selection("one", values("K1"))


def selects(
    items: Selection | None = ANTIBIOTICS,
    departments: Selection | None = WARD_ONE,
    prescribers: Selection | None = None,
    start: str | None = "2025-10-01",
    end: str | None = "2025-12-31",
    grain: Grain | None = "department",
) -> Meaning:
    period = Period(Value(start) if start else None, Value(end) if end else None)
    return Meaning("usage", grain, scope=Scope(items, prescribers, departments, period))


def excess(grant: Grant = GRANT, meaning: Meaning | None = None, **circumstances) -> list[str]:
    given = {"operator": ME, "terminal": HERE, "at_us": NINE, "runs": 0, "calendar": CALENDAR}
    found = grant_excess(grant, meaning or selects(), **(given | circumstances))
    return [said.code for said in found]


def test_covered() -> None:
    assert excess() == []
    assert excess(meaning=selects(grain="institution")) == []
    assert excess(meaning=selects(items=Selection("list", values("A1", "A2")))) == []
    assert excess(meaning=selects(start="20251101", end="2025/11/30 23:59:59")) == []


def test_the_end_of_a_period_is_its_last_day() -> None:
    assert excess(meaning=selects(end="2025-12-31")) == []
    assert excess(meaning=selects(end="2025-12-31 23:59:59")) == []
    assert excess(meaning=selects(end="2026-01-01")) == ["period-beyond"]
    assert excess(meaning=selects(end="2026-01-01 00:00:00")) == ["period-beyond"]


@pytest.mark.parametrize(
    ("circumstances", "code"),
    [
        ({"operator": None}, "grant-operator-unsure"),
        ({"operator": Attributed("P1", 0.5, ())}, "grant-operator-unsure"),
        ({"operator": Attributed("P2", 0.95, ())}, "grant-person"),
        ({"terminal": None}, "grant-terminal-unsure"),
        ({"terminal": Attributed("T9", 0.9, ())}, "grant-terminal"),
        ({"at_us": NINE - 2 * DAY}, "grant-early"),
        ({"at_us": NINE + DAY}, "grant-expired"),
        ({"at_us": NINE + DAY // 2}, "grant-window"),
        ({"runs": 2}, "grant-runs"),
        ({"grant": replace(GRANT, filed_us=None)}, "grant-unfiled"),
        ({"grant": replace(GRANT, filed_number="")}, "grant-unfiled"),
        ({"grant": replace(GRANT, filed_us=NINE + 1)}, "grant-unfiled"),
        ({"meaning": selects(grain="prescriber")}, "grain-beyond"),
        ({"meaning": selects(grain="detail")}, "grain-beyond"),
        ({"meaning": selects(grain=None)}, "grain-beyond"),
        ({"meaning": replace(selects(), delivery="stored")}, "stored-beyond"),
        ({"meaning": selects(items=None)}, "items-unlimited"),
        ({"meaning": selects(items=Selection("all"))}, "items-unlimited"),
        ({"meaning": selects(items=Selection("one", values(None)))}, "items-unlimited"),
        ({"meaning": selects(items=Selection("list", values("A1", "B9")))}, "items-beyond"),
        ({"meaning": selects(items=Selection("class", values("降压药")))}, "items-beyond"),
        ({"meaning": selects(departments=None)}, "departments-unlimited"),
        ({"meaning": selects(departments=Selection("one", values("K7")))}, "departments-beyond"),
        ({"meaning": selects(start=None)}, "period-beyond"),
        ({"meaning": selects(start="2025-09-30")}, "period-beyond"),
        ({"meaning": selects(end=None)}, "period-beyond"),
        ({"meaning": selects(end="去年年底")}, "period-beyond"),
        ({"meaning": replace(selects(), scope=None)}, "period-beyond"),
    ],
)
def test_each_excess_is_named(circumstances: dict, code: str) -> None:
    assert code in excess(**circumstances)


def test_all_excess_is_named_in_words() -> None:
    wide = selects(
        items=Selection("list", values("A1", "B1", "B2", "B3", "B4")), grain="prescriber"
    )
    found = scope_excess(GRANT.scope, wide, NINE, CALENDAR)
    assert [said.text for said in found] == [
        "批准的是按科室的用量，语句能看出按医生的用量",
        "批准的药品或耗材不包括语句所查的：B1、B2、B3 等 4 个",
    ]


def test_an_open_end_is_covered_while_the_last_approved_day_is_not_over() -> None:
    scope = replace(GRANT.scope, period=Days(from_day="2025-10-01", to_day="2026-01-20"))
    for end in (None, "2026-01-20", "2099-12-31"):
        assert not scope_excess(scope, selects(end=end), NINE, CALENDAR)
        if end != "2026-01-20":
            assert scope_excess(scope, selects(end=end), NINE + DAY, CALENDAR)


CODES = st.lists(st.sampled_from(["A1", "A2", "A3", "B1"]), min_size=1, max_size=4)
DATES = st.dates(datetime.date(2025, 1, 1), datetime.date(2026, 12, 31)).map(str)


@st.composite
def selections(draw) -> Selection | None:
    kind = draw(st.sampled_from(["one", "list", "class", "all", None]))
    if kind is None or kind == "all":
        return Selection("all") if kind else None
    codes = draw(CODES)
    return Selection(kind, values(*(codes[:1] if kind == "one" else codes)))


@st.composite
def approvals(draw) -> snapshot.Scope:
    def allowed() -> Allowed:
        return Allowed(
            kind=draw(st.sampled_from(["all", "list", "class"])),
            values=tuple(draw(CODES)),
            members=tuple(draw(CODES)),
        )

    return snapshot.Scope(
        grain=draw(st.sampled_from(["institution", "department", "prescriber", "detail"])),
        items=allowed(),
        prescribers=allowed(),
        departments=allowed(),
        period=Days(from_day=draw(st.none() | DATES), to_day=draw(st.none() | DATES)),
        stored=draw(st.booleans()),
    )


@st.composite
def narrower(draw, meaning: Meaning) -> Meaning:
    """The same statement, selecting less of something."""
    scope = meaning.scope
    assert scope is not None
    grains: list[Grain] = ["institution", "department", "prescriber", "detail"]

    def less(selection: Selection | None) -> Selection | None:
        if selection is None or selection.kind == "all" or len(selection.values) < 2:
            return selection
        return replace(selection, values=selection.values[: draw(st.integers(1, 3))])

    period = scope.period or Period()
    start, end = period.from_, period.to
    if start is not None and start.text:
        later = datetime.date.fromisoformat(start.text) + datetime.timedelta(
            draw(st.integers(0, 99))
        )
        start = Value(str(later))
    elif draw(st.booleans()):
        start = Value(draw(DATES))
    if end is not None and end.text:
        sooner = datetime.date.fromisoformat(end.text) - datetime.timedelta(
            draw(st.integers(0, 99))
        )
        end = Value(str(sooner))
    elif draw(st.booleans()):
        end = Value(draw(DATES))
    return replace(
        meaning,
        grain=grains[draw(st.integers(0, grains.index(meaning.grain or "detail")))],
        delivery="returned",
        scope=Scope(
            less(scope.items), less(scope.prescribers), less(scope.departments), Period(start, end)
        ),
    )


@given(st.data())
def test_a_statement_that_selects_less_than_a_covered_one_is_covered(data: st.DataObject) -> None:
    approved = data.draw(approvals())
    wide = Meaning(
        "usage",
        data.draw(st.sampled_from(["institution", "department", "prescriber", "detail"])),
        delivery=data.draw(st.sampled_from(["returned", "stored"])),
        scope=Scope(
            data.draw(selections()),
            data.draw(selections()),
            data.draw(selections()),
            Period(
                data.draw(st.none() | DATES.map(Value)), data.draw(st.none() | DATES.map(Value))
            ),
        ),
    )
    narrow = data.draw(narrower(wide))
    before = {said.code for said in scope_excess(approved, wide, NINE, CALENDAR)}
    after = {said.code for said in scope_excess(approved, narrow, NINE, CALENDAR)}
    assert after <= before


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31", "2026-01-31"),
        ("20260131", "2026-01-31"),
        ("2026/1/5 00:00:00.000", "2026-01-05"),
        ("2026-01-31T08:00", "2026-01-31"),
        ("2026-01", "2026-01-01"),
        ("2026-02-30", None),
        ("上个月", None),
        ("", None),
        (None, None),
    ],
)
def test_days_are_read_in_the_forms_they_are_written(text, expected) -> None:
    found = day_of(text)
    assert (found and str(found)) == expected


REPORT = Report(
    id="R1",
    digest="a" * 64,
    menu="药占比（科室）",
    scope=snapshot.Scope(grain="department"),
)


def beyond(report: Report, meaning: Meaning, **who) -> list[str]:
    given = {"operator": ME, "terminal": HERE, "at_us": NINE, "calendar": CALENDAR}
    given |= {"posts": frozenset(), "granted": False}
    return [said.code for said in report_excess(report, meaning, **(given | who))]


def covers(report: Report, meaning: Meaning, **who) -> bool:
    return not beyond(report, meaning, **who)


def test_a_registered_report_is_no_approval_for_items() -> None:
    """T79 and T81: items by department need the person and the terminal to be named."""
    totals = replace(selects(), subtype="total")
    assert covers(REPORT, totals, operator=None, terminal=None)
    assert not covers(REPORT, selects())
    named = replace(REPORT, persons=("P1",), terminals=("T1",))
    assert covers(named, selects())
    assert not covers(named, selects(), operator=Attributed("P2", 0.95, ()))
    assert not covers(named, selects(), terminal=Attributed("T2", 0.9, ()))
    assert not covers(named, selects(grain="prescriber"))
    night = replace(named, windows=(Weekly(from_time="01:00", to_time="05:00"),))
    assert not covers(night, selects())


def test_a_report_says_by_what_it_is_exceeded() -> None:
    assert beyond(REPORT, selects()) == ["report-nobody"]
    named = replace(REPORT, persons=("P1",), terminals=("T1",))
    assert beyond(named, selects(), operator=Attributed("P2", 0.95, ()), terminal=None) == [
        "report-person",
        "report-terminal-unsure",
    ]
    night = replace(named, windows=(Weekly(from_time="01:00", to_time="05:00"),))
    assert beyond(night, selects(grain="prescriber")) == ["report-window", "grain-beyond"]


def test_a_report_of_a_post_or_of_a_grant() -> None:
    post = replace(REPORT, posts=("统计员",), terminals=("T1",))
    assert beyond(post, selects()) == ["report-person"]
    assert covers(post, selects(), posts=frozenset({"统计员"}))
    granted = replace(REPORT, grants=("G1",))
    assert beyond(granted, selects()) == ["report-no-grant"]
    assert covers(granted, selects(), granted=True)


def test_wide_parameters_exceed_a_registered_report() -> None:
    """«All prescribers, a year» of a menu that was registered for one prescriber and a month."""
    one = snapshot.Scope(grain="prescriber", prescribers=Allowed(kind="one"), longest_days=31)
    menu = replace(REPORT, persons=("P1",), terminals=("T1",), scope=one)
    month = {"start": "2025-10-01", "end": "2025-10-31", "grain": "prescriber"}
    who = Selection("list", values("D1"))
    assert covers(menu, selects(prescribers=who, **month))
    assert beyond(menu, selects(prescribers=Selection("all"), **month)) == ["prescribers-several"]
    two = Selection("list", values("D1", "D2"))
    assert beyond(menu, selects(prescribers=two, **month)) == ["prescribers-several"]
    unknown = Selection("one", values(None))
    assert beyond(menu, selects(prescribers=unknown, **month)) == ["prescribers-several"]
    year = month | {"start": "2025-01-01", "end": "2025-12-31"}
    assert beyond(menu, selects(prescribers=who, **year)) == ["period-long"]
    open_end = month | {"start": "2026-01-10", "end": None}
    assert covers(menu, selects(prescribers=who, **open_end)), "until today: eleven days"
    endless = month | {"start": None}
    assert beyond(menu, selects(prescribers=who, **endless)) == ["period-open"]
    assert beyond(menu, selects(prescribers=who, **(month | {"end": "月底"}))) == ["period-open"]


ETL = Service(
    id="S1",
    why="夜间抽取",
    terminals=("T1",),
    program="etl.exe",
    account="etl",
    tables=("mz_cf", "mz_cfmx"),
    windows=(Weekly(from_time="08:00", to_time="10:00"),),
)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, True),
        ({"program": "ETL.EXE"}, True),
        ({"program": "plsqldev.exe"}, False),
        ({"account": "his"}, False),
        ({"terminal": Attributed("T7", 0.9, ())}, False),
        ({"terminal": Attributed("T1", 0.5, ())}, False),
        ({"terminal": None}, False),
        ({"at_us": NINE + DAY // 4}, False),
    ],
)
def test_a_service_is_its_terminal_its_program_and_its_time(change: dict, expected: bool) -> None:
    given = {
        "program": "etl.exe",
        "account": "etl",
        "operator": None,
        "terminal": HERE,
        "at_us": NINE,
        "calendar": CALENDAR,
    }
    assert service_present(ETL, **(given | change)) is expected
    named = replace(ETL, operator="P1")
    assert not service_present(named, **(given | change))
    assert service_present(named, **(given | change | {"operator": ME})) is expected


def test_a_service_keeps_to_its_tables_or_its_statements() -> None:
    both = frozenset({"mz_cf", "mz_cfmx"})
    assert service_covers(ETL, "b" * 64, both)
    assert service_covers(ETL, "b" * 64, frozenset({"mz_cf"}))
    assert service_covers(ETL, "b" * 64, frozenset({"his.mz_cf"}))
    assert not service_covers(replace(ETL, tables=("his.mz_cf",)), "b" * 64, frozenset({"x.mz_cf"}))
    assert not service_covers(ETL, "b" * 64, both | {"hc_sy"})
    assert not service_covers(ETL, "b" * 64, frozenset())
    bare = replace(ETL, tables=())
    assert not service_covers(bare, "b" * 64, both)
    assert service_covers(replace(bare, digests=("b" * 64,)), "b" * 64, both)
