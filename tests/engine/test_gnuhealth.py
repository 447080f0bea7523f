"""A real hospital system's working day, understood: its own catalogue is discovered from its schema
and corrected in a few confirmed lines; not one statement of the day reveals usage, and listing one
drug's prescriptions through the same tables does."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from qingfang.engine import replay
from qingfang.engine.judging import Told
from qingfang.events import Connection, Meaning
from qingfang.sense.tap.pcapfile import CaptureFile
from qingfang.statement import Outcome, Statement
from qingfang.understand.analysis import Analyser
from qingfang.understand.catalogue import KINDS, ROLES, Catalogue, load
from qingfang.understand.discovery import ddl, review
from qingfang.understand.discovery.propose import propose
from qingfang.understand.templates import Templates

DATA = Path(__file__).parent.parent / "data" / "gnuhealth"
LOG = replay.record_only("postgres")


def corrections() -> list[review.Decision]:
    return review.read((DATA / "corrections.txt").read_text(encoding="utf-8"), "corrections.txt")


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    dump = ddl.decode((DATA / "schema.sql.gz").read_bytes())
    proposal = propose(ddl.read(dump, "postgres", "gnuhealth"))
    review.apply(proposal, corrections(), "corrections.txt")
    return load(proposal.catalogue())


@pytest.fixture(scope="module")
def day(catalogue: Catalogue) -> list[tuple[str, Meaning]]:
    """Every statement of the day with what its receiver learned, through the template cache."""
    analyser, templates = Analyser(catalogue), Templates()
    seen: list[tuple[str, Meaning]] = []

    def decide(connection: Connection, statement: Statement, outcome: Outcome) -> tuple[Told, str]:
        sql = statement.sql
        found = templates.judge(sql, "postgres", lambda: analyser.analyse(sql))
        seen.append((sql, found.meaning))
        return LOG(connection, statement, outcome)

    with (DATA / "work-day.pcap.gz").open("rb") as stream:
        replay.run(CaptureFile(stream, "work-day.pcap.gz"), [55432], "pg", decide)
    return seen


def test_the_corrections_are_few_and_about_the_schema() -> None:
    decisions = corrections()
    assert 0 < len(decisions) <= 30
    assert all(d.role in {*ROLES, *KINDS, "-"} or d.column[:1] == "*" for d in decisions)


def test_the_day_reveals_no_usage_and_almost_nothing_is_opaque(
    day: list[tuple[str, Meaning]],
) -> None:
    assert len(day) == 10_111
    told = Counter(meaning.disclosure for _sql, meaning in day)
    assert told["usage"] == 0, [sql for sql, m in day if m.disclosure == "usage"][:3]
    assert told["opaque"] <= len(day) // 100
    # A doctor does read prescriptions, one at a time: for that reason and no other they pass.
    assert told["clinical"] > 50
    clinical = [(sql, m) for sql, m in day if m.disclosure == "clinical"]
    assert all(m.pins and m.subtype == "pinned" for _sql, m in clinical)
    tables = {t for _sql, m in clinical for y in m.yields for t in y.tables}
    assert "gnuhealth_prescription_line" in tables


def test_the_lists_of_the_day_are_remembered_for_what_they_could_be_joined_with(
    day: list[tuple[str, Meaning]],
) -> None:
    lists = [m for sql, m in day if '"a"."prescription_date" >=' in sql]
    assert len(lists) == 8
    for meaning in lists:
        assert meaning.disclosure == "none"
        (given,) = [y for y in meaning.yields if "gnuhealth_prescription_order" in y.tables]
        assert "prescriber_id" in given.roles
        assert given.keys
        assert not given.pinned


def test_the_operator_is_named_by_the_sign_in(day: list[tuple[str, Meaning]]) -> None:
    named = {m.operator.text for _sql, m in day if m.operator is not None}
    assert named == {"admin", *(f"doc{n}" for n in range(8))}


LINE = '"gnuhealth_prescription_line" AS "a"'
ORDER = '"gnuhealth_prescription_order" AS "b"'
TEN = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10"


@pytest.mark.parametrize(
    ("sql", "disclosure", "grain"),
    [
        # One drug's lines with who prescribed them: rows, no aggregate.
        (
            f'SELECT "a"."quantity", "b"."healthprof" FROM {LINE} LEFT JOIN {ORDER}'
            ' ON "b"."id" = "a"."presc_order" WHERE ("a"."medicament" IN (25))'
            ' ORDER BY "b"."prescription_id" ASC, "a"."id" ASC',
            "usage",
            "detail",
        ),
        # The same as the program itself would fetch it, page by page, the doctor looked up later.
        (
            f'SELECT "a"."id" AS "id", "a"."quantity" AS "quantity", "a"."presc_order" AS'
            f' "presc_order" FROM {LINE} WHERE ("a"."medicament" IN (25)) ORDER BY "a"."id" ASC'
            " LIMIT 100 OFFSET 200",
            "usage",
            "detail",
        ),
        # One doctor's lines, the doctor selected by a name.
        (
            f'SELECT "a"."id", "a"."medicament", "a"."quantity" FROM {LINE} WHERE ("a"."presc_order"'
            f' IN (SELECT "b"."id" AS "id" FROM {ORDER} WHERE ("b"."healthprof" IN (SELECT "c"."id"'
            ' AS "id" FROM "gnuhealth_healthprofessional" AS "c" WHERE ("c"."party" IN (SELECT'
            ' "d"."id" AS "id" FROM "party_party" AS "d" WHERE ("d"."name" ILIKE \'%wang%\')))))))',
            "usage",
            "prescriber",
        ),
        # A range of lines by their number.
        (
            f'SELECT "a"."id", "a"."medicament", "a"."quantity" FROM {LINE} WHERE (("a"."id" >= 1)'
            ' AND ("a"."id" <= 600))',
            "usage",
            "institution",
        ),
        # Dispensing: the moves that prescriptions caused.
        (
            'SELECT "a"."product", "a"."quantity", "a"."origin" FROM "stock_move" AS "a" WHERE'
            ' ("a"."origin" LIKE \'gnuhealth.prescription.order,%\')',
            "usage",
            "detail",
        ),
        # The aggregate that needs no explanation.
        (
            "SELECT p.name, SUM(a.quantity) FROM gnuhealth_prescription_line a JOIN"
            " gnuhealth_prescription_order b ON b.id = a.presc_order JOIN"
            " gnuhealth_healthprofessional h ON h.id = b.healthprof JOIN party_party p"
            " ON p.id = h.party WHERE a.medicament = 25 GROUP BY p.name",
            "usage",
            "prescriber",
        ),
        # Ten prescriptions are a screen, eleven are a list.
        (
            f'SELECT "a"."medicament", "a"."quantity" FROM {LINE} WHERE "a"."presc_order" IN ({TEN})',
            "clinical",
            None,
        ),
        (
            f'SELECT "a"."medicament", "a"."quantity" FROM {LINE} WHERE "a"."presc_order" IN'
            f" ({TEN}, 11)",
            "usage",
            "institution",
        ),
        # What a store does all day.
        (
            'SELECT "a"."product", SUM("a"."quantity") FROM "stock_move" AS "a" WHERE'
            ' ("a"."from_location" = 3) GROUP BY "a"."product"',
            "none",
            None,
        ),
        # Patients per doctor: no item, no amount.
        (
            f'SELECT "b"."healthprof", COUNT(*) FROM {ORDER} GROUP BY "b"."healthprof"',
            "none",
            None,
        ),
    ],
)
def test_what_statements_through_the_same_tables_reveal(
    catalogue: Catalogue, sql: str, disclosure: str, grain: str | None
) -> None:
    meaning = Analyser(catalogue).analyse(sql).meaning
    assert (meaning.disclosure, meaning.grain) == (disclosure, grain)
