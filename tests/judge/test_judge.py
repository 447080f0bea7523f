"""Scenes: who, where, when, what was learned → verdict. Each allowed one has its twin without the
context that allows it."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from qingfang.events import (
    Attributed,
    Connection,
    Gathered,
    Meaning,
    Period,
    Reason,
    Scope,
    Selection,
    Touch,
    Value,
    Verdict,
    Who,
    Yield,
)
from qingfang.image import Entry
from qingfang.judge import policy, snapshot
from qingfang.judge.attribution import Attribution, address
from qingfang.judge.forecast import Forecaster
from qingfang.judge.grants import SURE
from qingfang.judge.judge import History, Judge
from qingfang.judge.snapshot import (
    Allowed,
    Designation,
    Directory,
    Grant,
    Person,
    Report,
    RouteMode,
    Service,
    Settled,
    Snapshot,
    Span,
    Terminal,
    Weekly,
)

SHANGHAI = datetime.timezone(datetime.timedelta(hours=8))


def at(text: str) -> int:
    moment = datetime.datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)
    return int(moment.timestamp()) * 1_000_000


NINE = at("2026-01-20 09:00")
NIGHT = at("2026-01-20 02:00")
YEAR = Span(from_us=at("2026-01-01 00:00"), to_us=at("2027-01-01 00:00"))
TEMPLATE = b"\x11" * 32
REPORT_TEMPLATE = b"\x22" * 32

HOSPITAL = Snapshot(
    site="hospital",
    version=1,
    made_at_us=YEAR.from_us,
    expires_at_us=YEAR.to_us,
    persons=(
        Person(number="YS03", department="K1", codes=("D0003",)),
        Person(number="TJ01", department="STAT"),
        Person(number="YP01", department="PHARM", department_kind="pharmacy"),
        Person(number="CG01", department="PHARM"),
        Person(number="OLD9", active=False),
        Person(number="YS07", away=(Span(from_us=NINE - 1, to_us=NINE + 1),)),
    ),
    terminals=(
        Terminal(id="T-STAT", addresses=("10.0.1.1",), role="statistics", room="统计室"),
        Terminal(id="T-WARD", addresses=("10.0.2.2",), host="WARD-PC"),
        Terminal(id="T-KIOSK", addresses=("10.0.9.9",), role="kiosk"),
        Terminal(id="T-ETL", addresses=("10.0.5.5",), role="server"),
    ),
    designations=(
        Designation(function="statistics", persons=("TJ01",), terminals=("T-STAT",)),
        Designation(function="store", persons=("CG01",), terminals=("T-WARD",)),
    ),
    services=(
        Service(
            id="S1",
            why="夜间抽取到数据仓库",
            terminals=("T-ETL",),
            program="etl",
            account="etl",
            tables=("mz_cf", "mz_cfmx"),
            windows=(Weekly(from_time="01:00", to_time="05:00"),),
        ),
    ),
    programs=("HIS.exe", "etl"),
    reports=(
        Report(
            id="R1",
            digest=REPORT_TEMPLATE.hex(),
            menu="药占比（科室）",
            scope=snapshot.Scope(grain="department"),
        ),
    ),
    grants=(
        Grant(
            id="G-2026-1",
            person="TJ01",
            terminals=("T-STAT",),
            scope=snapshot.Scope(grain="department", items=Allowed(kind="list", values=("YP007",))),
            valid=YEAR,
            max_runs=1,
            filed_number="备-1",
            filed_us=YEAR.from_us,
        ),
    ),
    routes=(RouteMode(route="strict", mode="enforce"),),
)


class Scene:
    """A hospital's morning: keeps history over the statements of one scene."""

    def __init__(self, hospital: Snapshot = HOSPITAL, overrides: str = "") -> None:
        self.directory = Directory(hospital)
        self.history, self.attribution = History(), Attribution()
        self.judge = Judge(policy.read(overrides), self.directory, self.history, self.attribution)

    def __call__(
        self,
        meaning: Meaning,
        *,
        operator: str | None = "YS03",
        client: str = "10.0.2.2:5001",
        when: int = NINE,
        route: str = "watched",
        program: str = "HIS.exe",
        template: bytes = TEMPLATE,
        rows: int | None = None,
        **more: str,
    ) -> Verdict:
        connection = Connection(
            id=f"{client}/{operator}",
            site="hospital",
            node="n1",
            source=more.pop("source", "gateway"),  # type: ignore[arg-type]
            protocol="pg",
            server="10.0.0.1:5432",
            client=client,
            opened_us=when,
            route=route,
            program=program,
            **more,
        )
        signed = replace(meaning, operator=Value(operator)) if operator else meaning
        who = self.attribution.who(connection, signed, self.directory, when)
        return self.judge.judge(meaning, connection, who, when, template, rows)


def usage(grain="prescriber", subtype="item", item="YP007", doctor=None, **more) -> Meaning:
    return Meaning(
        "usage",
        grain,
        subtype,
        scope=Scope(
            items=Selection("one", (Value(item),)) if item else Selection("all"),
            prescribers=Selection("one", (Value(doctor),)) if doctor else None,
            period=Period(Value("2026-01-01"), Value("2026-01-31")),
        ),
        yields=(Yield(("mz_cf", "mz_cfmx"), ("quantity",), measured=True, aggregated=True),),
        **more,
    )


STATISTICIAN = {"operator": "TJ01", "client": "10.0.1.1:4001"}


# ------------------------------------------------------------------ what passes, what alarms


def test_clinical_work_passes_without_a_word() -> None:
    scene = Scene()
    for meaning in (Meaning("none"), Meaning("clinical", subtype="pinned")):
        for route in ("watched", "strict"):
            assert scene(meaning, route=route) == Verdict("pass")


def test_per_doctor_figures_alert_where_observed_and_are_denied_where_enforced() -> None:
    seen = Scene()(usage())
    assert (seen.decision, seen.would, seen.severity) == ("alert", "deny", 2)
    assert seen.codes == ("learned-prescriber", "no-grant", "observed")
    assert seen.reasons[-1] == "本线路只观察：若已启用拦截，这条语句会被拒绝"
    stopped = Scene()(usage(), route="strict")
    assert (stopped.decision, stopped.would) == ("deny", None)
    assert "observed" not in stopped.codes


def test_a_tap_can_only_observe() -> None:
    seen = Scene()(usage(), route="strict", source="tap")
    assert (seen.decision, seen.would) == ("alert", None)
    assert "observed" not in seen.codes


# ------------------------------------------------------------------ grants


def test_a_grant_carries_its_statement_once() -> None:
    """N10 with its ticket; T91: the second run, the other item, the other terminal, too late."""
    scene = Scene()
    first = scene(usage("department"), **STATISTICIAN, route="strict")
    assert (first.decision, first.grant, first.severity) == ("log", "G-2026-1", 0)
    again = scene(usage("department"), **STATISTICIAN, route="strict")
    assert (again.decision, again.grant) == ("deny", None)
    assert "grant-runs" in again.codes
    assert "批准执行 1 次，已经用完" in again.reasons
    for meaning, change, code in (
        (usage("department", item="YP009"), {}, "items-beyond"),
        (usage("department"), {"client": "10.0.2.2:7"}, "grant-terminal"),
        (usage("department"), {"when": YEAR.to_us - 1}, None),
        (usage("department"), {"when": YEAR.to_us}, "grant-expired"),
        (usage("department"), {"operator": "YP01"}, "no-grant"),
    ):
        found = Scene()(meaning, **(STATISTICIAN | change))  # type: ignore[arg-type]
        assert (found.decision == "log") is (code is None)
        assert code is None or code in found.codes


def test_scope_creep_is_named() -> None:
    """T90: the ticket says department, the statement doctor."""
    found = Scene()(usage("prescriber"), **STATISTICIAN)
    assert found.decision == "alert"
    assert "批准的是按科室的用量，语句能看出按医生的用量" in found.reasons


def test_grants_lapse_with_the_snapshot_and_rules_stay() -> None:
    stale = replace(HOSPITAL, expires_at_us=NINE)
    found = Scene(stale)(usage("department"), **STATISTICIAN, route="strict")
    assert found.decision == "deny"
    assert "grant-stale" in found.codes


def test_a_denied_execution_uses_no_run() -> None:
    scene = Scene()
    scene(usage("prescriber"), **STATISTICIAN, route="strict")
    assert scene.history.runs == {}
    assert scene(usage("department"), **STATISTICIAN).grant == "G-2026-1"


# ------------------------------------------------------------------ reports, services, self, designated


def test_a_registered_total_is_logged_and_its_twin_is_a_low_alert() -> None:
    """N09: the same figures by a statement nobody registered."""
    ratio = usage("department", "total", item=None)
    assert Scene()(ratio, template=REPORT_TEMPLATE).decision == "log"
    twin = Scene()(ratio)
    assert (twin.decision, twin.would, twin.severity) == ("alert", None, 0)


def test_the_same_menu_for_one_item_is_no_approval() -> None:
    """T79."""
    assert Scene()(usage("department"), template=REPORT_TEMPLATE).decision == "alert"


def test_the_nightly_copy_and_its_twins() -> None:
    """N13; by day, from elsewhere, by another program, of another table: T18."""
    copy = usage("detail", "item", item=None)
    etl = {
        "operator": None,
        "client": "10.0.5.5:1",
        "when": NIGHT,
        "program": "etl",
        "account": "etl",
    }
    assert Scene()(copy, **etl, route="strict").codes == ("learned-detail", "by-service")
    for change in (
        {"when": NINE},
        {"client": "10.0.2.2:1"},
        {"program": "plsqldev.exe"},
        {"account": "his"},
    ):
        assert Scene()(copy, **(etl | change), route="strict").decision == "deny"
    assert _on_duty(etl) is True
    assert _on_duty(etl | {"program": "plsqldev.exe"}) is False
    elsewhere = replace(copy, yields=(Yield(("hc_sy",), ("quantity",)),))
    assert Scene()(elsewhere, **etl, route="strict").decision == "deny"


def _on_duty(sender: dict) -> bool:
    scene = Scene()
    link = Connection(
        "c",
        "h",
        "n",
        "gateway",
        "pg",
        "s:1",
        sender["client"],
        0,
        program=sender["program"],
        account=sender["account"],
    )
    who = scene.attribution.who(link, Meaning("none"), scene.directory, NIGHT)
    return scene.judge.on_duty(link, who, NIGHT)


def test_own_figures_and_the_same_with_another_code() -> None:
    """N16 and T22."""
    for code in ("YS03", "D0003"):
        mine = Scene()(usage(doctor=code), route="strict")
        assert (mine.decision, mine.codes) == ("log", ("learned-prescriber", "by-self"))
    assert Scene()(usage(doctor="YS04"), route="strict").decision == "deny"
    assert Scene()(usage(doctor=None), route="strict").decision == "deny"
    both = usage()
    both = replace(
        both,
        scope=Scope(prescribers=Selection("list", (Value("YS03"), Value("YS04")))),
    )
    assert Scene()(both, route="strict").decision == "deny"
    stored = usage(doctor="YS03", delivery="stored")
    assert Scene()(stored, route="strict").decision == "deny"
    assert Scene()(usage(doctor="OLD9"), operator="OLD9", route="strict").decision == "deny"


def test_institution_figures_by_the_designated_and_by_others() -> None:
    """N05, N37."""
    whole = usage("institution", item="YP009")
    assert Scene()(whole, **STATISTICIAN).codes == ("learned-institution", "by-designated")
    assert Scene()(whole, operator="CG01").decision == "log"
    for change in (
        {"client": "10.0.2.2:1"},
        {"operator": "CG01"},
        {"operator": "YP01"},
        {"operator": None},
    ):
        found = Scene()(whole, **(STATISTICIAN | change))  # type: ignore[arg-type]
        assert found.decision == "alert"
        assert "not-designated" in found.codes
    nobody = Scene(replace(HOSPITAL, designations=()))
    assert nobody(whole, operator="YP01").decision == "log"


# ------------------------------------------------------------------ opaque


SETTLED = Settled(
    id="S-1",
    digest=TEMPLATE.hex(),
    server="10.0.0.1:5432",
    tables=("mz_cfmx",),
    until_us=NINE + 1_000_000,
)


@pytest.mark.parametrize(
    ("meaning", "given", "decision"),
    [
        ({}, {}, "log"),
        ({}, {"when": NINE + 1_000_000}, "alert"),
        ({}, {"template": REPORT_TEMPLATE}, "alert"),
        ({"touches": (Touch("mz_cfmx", ("item_id",)), Touch("mz_cf", ()))}, {}, "alert"),
        ({"touches": (Touch("*", ("item_id", "quantity")),)}, {}, "alert"),
        ({"reasons": (Reason("opaque.remote_sql", "", 0, 0),)}, {}, "alert"),
        ({"reasons": (Reason("opaque.unknown_function", "", 0, 0),)}, {}, "log"),
        ({"volatile": True}, {}, "alert"),
        ({"disclosure": "usage", "grain": "prescriber"}, {}, "alert"),
    ],
)
def test_what_people_settled_is_that_template_alone(
    meaning: dict, given: dict, decision: str
) -> None:
    scene = Scene(replace(HOSPITAL, settled=(SETTLED,)))
    opaque = {"disclosure": "opaque", "touches": (Touch("mz_cfmx", ("item_id", "quantity")),)}
    verdict = scene(Meaning(**(opaque | meaning)), **given)
    assert verdict.decision == decision
    assert ("settled" in verdict.codes) is (decision == "log")


def test_what_was_settled_lapses_with_the_snapshot() -> None:
    stale = replace(HOSPITAL, settled=(SETTLED,), expires_at_us=NINE)
    opaque = Meaning("opaque", touches=(Touch("mz_cfmx", ("item_id",)),))
    assert Scene(stale)(opaque).decision == "alert"


def test_a_known_report_that_is_not_approved_says_which_menu_it_is() -> None:
    scene = Scene()
    verdict = scene(usage("department"), template=REPORT_TEMPLATE, route="strict")
    assert verdict.decision == "deny"
    assert {"near-report", "report-nobody", "no-grant"} <= set(verdict.codes)
    assert "这是已登记的报表「药占比（科室）」，登记不等于批准：这次超出了登记" in verdict.reasons
    fits = scene(usage("department", "total", ""), template=REPORT_TEMPLATE, route="strict")
    assert fits.decision == "log"


def test_a_report_bound_to_a_grant_runs_while_the_grant_is_in_force() -> None:
    (menu,) = HOSPITAL.reports
    bound = replace(menu, scope=snapshot.Scope(grain="prescriber"), grants=("G-2026-1",))
    hospital = replace(HOSPITAL, reports=(bound,))
    asked = usage("prescriber", doctor="D9")
    assert Scene(hospital)(asked, template=REPORT_TEMPLATE, **STATISTICIAN).codes[-1] == "by-report"
    elsewhere = Scene(hospital)(asked, template=REPORT_TEMPLATE, operator="TJ01")
    assert {"near-report", "report-no-grant"} <= set(elsewhere.codes)
    late = replace(hospital, expires_at_us=NINE)
    assert Scene(late)(asked, template=REPORT_TEMPLATE, **STATISTICIAN).decision == "alert"


def test_opaque_is_alerted_once_a_template_when_it_touches_usage() -> None:
    scene = Scene()
    unknown = Meaning("opaque", touches=(Touch("mz_cfmx", ("item_id", "quantity")),))
    assert scene(unknown).decision == "alert"
    assert scene(unknown).decision == "review"
    assert scene(unknown, template=b"\x33" * 32).decision == "alert"
    elsewhere = replace(unknown, volatile=True)
    assert scene(elsewhere, client="10.0.2.2:6001").decision == "alert"
    assert scene(elsewhere, client="10.0.2.2:6002").decision == "alert", (
        "another text may run there"
    )
    assert scene(elsewhere, client="10.0.2.2:6002").decision == "review"
    other = Meaning("opaque", touches=(Touch("gh_mx", ("patient_id",)),))
    assert scene(other, template=b"\x44" * 32).decision == "review"
    again = scene(other, template=b"\x44" * 32)
    assert (again.decision, again.severity) == ("log", 0)


# ------------------------------------------------------------------ what adds up


def test_what_a_harmless_statement_completes_is_judged() -> None:
    """T23, T21: the last look-up, the second half."""
    joined = Gathered("joined", "person", "与先前取得的结果拼起来", 2, "usage", "detail")
    found = Scene()(Meaning("none", gathered=(joined,)), route="strict")
    assert (found.decision, found.codes[-1]) == ("deny", "joined")
    assert found.reasons[-1] == "与先前取得的结果拼起来"
    difference = Gathered("difference", "session", "合计相减", 2, "usage", "prescriber")
    whole = usage("institution", item="YP009", gathered=(difference,))
    assert Scene()(whole, **STATISTICIAN, route="strict").decision == "deny"


def test_an_approval_carries_what_adds_up_only_within_its_scope() -> None:
    difference = Gathered("difference", "person", "合计相减", 2, "usage", "prescriber")
    granted = usage("department", gathered=(difference,))
    found = Scene()(granted, **STATISTICIAN, route="strict")
    assert found.decision == "deny"
    assert "grain-beyond" in found.codes
    days = Gathered("lists-of-days", "person", "多天清单", 9, "usage", "department")
    within = replace(usage("department"), gathered=(days,))
    assert Scene()(within, **STATISTICIAN, route="strict").decision == "log"


def test_explanations_raise_severity_and_alarm_nothing() -> None:
    pages = Gathered("pages", "session", "同一份明细分次取，已取 3 次", 3)
    assert Scene()(usage(gathered=(pages,))).severity == 3
    quiet = Scene()(usage("department", gathered=(pages,)), **STATISTICIAN)
    assert (quiet.decision, quiet.severity) == ("log", 0)


# ------------------------------------------------------------------ circumstances


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"when": at("2026-01-20 12:40")}, "off-hours"),
        ({"when": NIGHT}, "off-hours"),
        ({"client": "10.9.9.9:1"}, "unknown-terminal"),
        ({"client": "10.0.9.9:1"}, "kiosk-terminal"),
        ({"host": "LAPTOP"}, "host-mismatch"),
        ({"operator": None}, "unknown-operator"),
        ({"operator": "NOBODY"}, "unknown-person"),
        ({"operator": "OLD9"}, "person-left"),
        ({"operator": "YS07"}, "person-away"),
        ({"program": "Microsoft Office 2016"}, "database-tool"),
        ({"program": "PLSQLDEV.EXE"}, "database-tool"),
        ({"program": "my.exe"}, "unknown-program"),
        ({"rows": 5000}, "bulk-rows"),
    ],
)
def test_a_circumstance_raises_severity_and_never_alarms_alone(change: dict, code: str) -> None:
    figures = usage("department")
    plain, strange = Scene()(figures), Scene()(figures, **change)
    assert plain.severity == 1
    assert strange.severity == 2
    assert code in strange.codes
    assert Scene()(Meaning("clinical", subtype="pinned"), **change) == Verdict("pass")


def test_severity_ends_at_three() -> None:
    found = Scene()(usage(), when=NIGHT, client="10.0.9.9:1", program="navicat", operator=None)
    assert found.severity == 3


def test_one_number_at_two_terminals_at_once() -> None:
    """T74."""
    scene = Scene()
    scene(Meaning("none"), client="10.0.1.1:1", when=NINE)
    found = scene(usage("department"), when=NINE + 60_000_000)
    assert "shared-use" in found.codes
    later = Scene()
    later(Meaning("none"), client="10.0.1.1:1", when=NINE)
    assert "shared-use" not in later(usage("department"), when=NINE + 3_600_000_000).codes


def test_a_varied_retry_after_a_denial_is_looked_at_harder() -> None:
    """T94, T95: the same person from another connection, by a statement nobody can read."""
    unknown = Meaning("opaque", touches=(Touch("x", ()),))
    scene = Scene()
    assert scene(unknown, route="strict").decision == "review"
    assert scene(usage(), route="strict").decision == "deny"
    again = scene(unknown, route="strict", template=b"\x55" * 32, when=NINE + 60_000_000)
    assert (again.decision, "retry-after-denial" in again.codes) == ("alert", True)
    tomorrow = scene(unknown, route="strict", template=b"\x66" * 32, when=NINE + 86_400_000_000)
    assert tomorrow.decision == "review"
    granted = scene(usage("department"), **STATISTICIAN, route="strict")
    assert granted.decision == "log"


# ------------------------------------------------------------------ attribution


def connection(client: str = "10.0.2.2:1", **more: str) -> Connection:
    return Connection("c1", "h", "n", "gateway", "pg", "s:1", client, NINE, **more)


def test_the_operator_is_whom_the_last_sign_in_named() -> None:
    attribution, directory = Attribution(), Directory(HOSPITAL)

    def who(meaning: Meaning, link: Connection | None = None) -> Who:
        return attribution.who(link or connection(), meaning, directory, NINE)

    assert who(Meaning("none")).operator is None
    assert who(Meaning("none", operator=Value("YS03"))).operator == Attributed(
        "YS03", 0.95, ("本连接上的登录语句写明了工号",)
    )
    assert (found := who(Meaning("none")).operator) and found.value == "YS03"
    who(Meaning("none", operator=Value(None)))
    assert (found := who(Meaning("none")).operator) and found.value == "YS03"
    stranger = who(Meaning("none", operator=Value("X9"))).operator
    assert stranger and (stranger.value, stranger.confidence) == ("X9", 0.6)
    attribution.closed("c1")
    assert who(Meaning("none")).operator is None
    assert (found := who(Meaning("none"), connection(os_user="TJ01")).operator)
    assert found.confidence == 0.65


def test_a_row_names_its_writer_for_the_transaction_only() -> None:
    attribution, directory = Attribution(), Directory(HOSPITAL)

    def who(transaction: int, name: str = "") -> str | None:
        written = Meaning(
            "none", operator=Value(name) if name else None, operator_scope="transaction"
        )
        found = attribution.who(connection(), written, directory, NINE, transaction).operator
        return found.value if found else None

    attribution.who(connection(), Meaning("none", operator=Value("YS03")), directory, NINE, 1)
    assert who(2) == "YS03"
    assert who(2, "TJ01") == "TJ01"
    assert who(2) == "TJ01"
    assert who(3) == "YS03"
    assert who(2) == "YS03", "an ended transaction does not come back"
    who(4, "TJ01")
    attribution.closed("c1")
    assert who(4) is None


def test_a_connection_on_which_people_take_turns_names_nobody_surely() -> None:
    attribution, directory = Attribution(), Directory(HOSPITAL)
    minute = 60_000_000

    def who(when: int, name: str = "") -> tuple[str, bool]:
        meaning = Meaning("none", operator=Value(name) if name else None)
        found = attribution.who(connection(), meaning, directory, when).operator
        assert found is not None
        return found.value, found.confidence >= SURE

    assert who(NINE, "YS03") == ("YS03", True)
    assert who(NINE + minute, "YS03") == ("YS03", True)
    # A change of shift: the first comes back after hours.
    assert who(NINE + 2 * minute, "TJ01") == ("TJ01", True)
    assert who(NINE + 300 * minute, "YS03") == ("YS03", True)
    # A stand-in for a minute, then a pool: both come back within minutes.
    assert who(NINE + 301 * minute, "TJ01") == ("TJ01", True)
    assert who(NINE + 302 * minute, "YS03") == ("YS03", False)
    assert who(NINE + 303 * minute) == ("YS03", False)
    again = Attribution()
    again.restore(everything(attribution))
    attribution = again
    assert who(NINE + 304 * minute) == ("YS03", False), "a restart does not make it surer"
    assert who(NINE + 363 * minute) == ("YS03", True)


def test_a_terminal_with_another_name_is_no_terminal_for_a_grant() -> None:
    """T73: the right address, somebody else's computer."""
    directory = Directory(HOSPITAL)
    seen = [
        Attribution().who(connection(host=host), Meaning("none"), directory, NINE).terminal
        for host in ("WARD-PC", "", "LAPTOP")
    ]
    assert [(t.value, t.confidence) for t in seen if t] == [
        ("T-WARD", 0.95),
        ("T-WARD", 0.8),
        ("T-WARD", 0.5),
    ]
    place = Attribution().who(connection("10.0.1.1:9"), Meaning("none"), directory, NINE).place
    assert place is not None and place.value == "统计室"


@pytest.mark.parametrize(
    ("client", "expected"),
    [
        ("10.0.0.1:5", "10.0.0.1"),
        ("[fd00::1]:5", "fd00::1"),
        ("fd00::1", "fd00::1"),
        ("10.0.0.1", "10.0.0.1"),
        ("[local]", "local"),
    ],
)
def test_the_address_of_a_client(client: str, expected: str) -> None:
    assert address(client) == expected


# ------------------------------------------------------------------ state, forecast


def everything(attribution: Attribution) -> list[Entry]:
    entries: list[Entry] = []
    for image in attribution.image():
        while (part := image.part(1000)) is not None:
            entries += part
    return sorted(entries, key=lambda e: e.turn)


def test_history_and_attribution_survive_a_restart() -> None:
    scene = Scene()
    scene(usage("department"), **STATISTICIAN, route="strict")
    scene(usage(), route="strict")
    scene(Meaning("opaque"))
    after = Scene()
    after.history.load(scene.history.dump())
    after.attribution.restore(everything(scene.attribution))
    assert after.history.dump() == scene.history.dump()
    assert everything(after.attribution) == everything(scene.attribution)
    for again in (scene, after):
        assert "grant-runs" in again(usage("department"), **STATISTICIAN, route="strict").codes
        assert "retry-after-denial" in again(usage(), route="strict").codes
        assert again(Meaning("opaque")).decision == "log", "reported before the restart"


@pytest.mark.parametrize("data", [b"", b"\xff", b"\x94\x63\x80\x90\x90", b"\x93\x63\x90\x90"])
def test_a_state_that_is_none_is_refused(data: bytes) -> None:
    holder = History()
    before = holder.dump()
    with pytest.raises(ValueError, match="state"):
        holder.load(data)
    assert holder.dump() == before


def test_runs_of_grants_that_are_gone_are_forgotten() -> None:
    scene = Scene()
    scene(usage("department"), **STATISTICIAN)
    scene.history.forget_runs(frozenset({"G-2026-1"}))
    assert scene.history.runs == {"G-2026-1": 1}
    scene.history.forget_runs(frozenset())
    assert scene.history.runs == {}


def test_the_forecast_is_what_enforcing_then_does() -> None:
    statements = [
        (usage(), {}),
        (usage("department", "total", item=None), {}),
        (usage("department"), STATISTICIAN),
        (Meaning("clinical", subtype="pinned"), {}),
        (usage("detail"), {}),
    ]
    watching, enforcing, forecaster = Scene(), Scene(), Forecaster()
    stopped = 0
    for meaning, who in statements:
        forecaster.add("watched", watching(meaning, **who))  # type: ignore[arg-type]
        stopped += enforcing(meaning, **who, route="strict").decision == "deny"  # type: ignore[arg-type]
    forecaster.passed("watched", 995)
    (found,) = forecaster.result()
    assert (found.statements, found.alarms, found.would_alarm) == (1000, 3, 3)
    assert found.stopped == stopped == 2
    assert found.codes["no-grant"] == 3
    assert "observed" not in found.codes


# ------------------------------------------------------------------ for any statement whatever

TEXTS = st.none() | st.sampled_from(["YP007", "YS03", "D0003", "2026-01-01", "", "？"])
SELECTED = st.none() | st.builds(
    Selection,
    st.sampled_from(["one", "list", "class", "all"]),
    st.lists(TEXTS.map(Value), max_size=3).map(tuple),
)
FOUND = st.builds(
    Gathered,
    st.sampled_from(["joined", "pages"]),
    st.just("person"),
    st.just("合在一起"),
    st.integers(1, 99),
    st.sampled_from([None, "usage"]),
    st.sampled_from([None, "institution", "department", "prescriber", "detail"]),
)
MEANINGS = st.builds(
    Meaning,
    st.sampled_from(["none", "clinical", "usage", "opaque"]),
    st.sampled_from([None, "institution", "department", "prescriber", "detail"]),
    st.sampled_from([None, "item", "class", "total", "pinned", "worklist"]),
    st.sampled_from(["returned", "stored"]),
    st.none()
    | st.builds(Scope, SELECTED, SELECTED, SELECTED, st.none() | st.just(Period(Value(None)))),
    touches=st.lists(
        st.builds(Touch, st.just("mz_cf"), st.sampled_from([(), ("item_id",)])), max_size=2
    ).map(tuple),
    gathered=st.lists(FOUND, max_size=2).map(tuple),
)
SENDERS = st.fixed_dictionaries(
    {
        "operator": st.sampled_from([None, "YS03", "TJ01", "X"]),
        "client": st.sampled_from(["10.0.1.1:1", "10.0.2.2:1", "10.0.9.9:1", "[::1]:1", "", "?"]),
        "when": st.integers(min_value=0, max_value=YEAR.to_us * 2),
        "template": st.sampled_from([TEMPLATE, REPORT_TEMPLATE, b""]),
        "rows": st.none() | st.integers(0, 10**9),
        "program": st.sampled_from(["", "HIS.exe", "Excel", "etl"]),
    }
)


@given(MEANINGS, SENDERS)
def test_any_statement_gets_a_verdict_that_keeps_the_promises(meaning: Meaning, sender) -> None:
    watched = Scene()(meaning, **sender)
    strict = Scene()(meaning, **sender, route="strict")
    assert len(watched.reasons) == len(watched.codes)
    assert 0 <= watched.severity <= 3
    assert watched.decision not in ("mask", "deny"), "observing only looks"
    assert (watched.would or watched.decision) == strict.decision, "the forecast is what happens"
    assert strict.would is None
    reveals = meaning.disclosure == "usage" or any(
        g.disclosure == "usage" for g in meaning.gathered
    )
    grounds = {"by-grant", "by-report", "by-service", "by-self", "by-designated"}
    if reveals:
        assert strict.decision != "pass"
        if not grounds & set(strict.codes):
            assert strict.decision in ("alert", "deny")
    elif meaning.disclosure in ("none", "clinical"):
        assert strict == Verdict("pass")
