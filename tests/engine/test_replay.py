"""A real HIS's working day through all stages, and the order and shape of events."""

from __future__ import annotations

import gzip
import io
import json
import re
import shutil
import subprocess
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from qingfang.engine import replay
from qingfang.engine.judging import Told
from qingfang.events import Connection, Event
from qingfang.sense.tap.flows import Flows
from qingfang.sense.tap.pcapfile import CaptureFile
from qingfang.statement import Outcome, Statement
from qingfang.understand import catalogue
from qingfang.understand.catalogue import Catalogue
from qingfang.understand.discovery import ddl, review
from qingfang.understand.discovery.propose import propose
from tests.support.script import capture

DAY = Path(__file__).parent.parent / "data" / "gnuhealth" / "work-day.pcap.gz"
PORT = 55432
LOG = replay.record_only("postgres")


@pytest.fixture(scope="module")
def day() -> tuple[list[Event], replay.Summary]:
    events: list[Event] = []
    with DAY.open("rb") as stream:
        summary = replay.run(CaptureFile(stream, DAY.name), [PORT], "pg", LOG, events.append)
    return events, summary


def test_every_statement_of_the_day_and_nothing_lost(
    day: tuple[list[Event], replay.Summary],
) -> None:
    events, summary = day
    assert len(events) == summary.statements == 10_111
    assert {e.kind for e in events} == {"query"}
    assert {e.account for e in events} == {"his"}
    assert (summary.packets, summary.connections, summary.midstream_connections) == (21_758, 3, 0)
    assert (summary.lost_bytes, summary.undecodable, summary.encrypted_connections) == (0, 0, 0)
    assert summary.complete


def test_events_are_in_the_order_of_the_wire(day: tuple[list[Event], replay.Summary]) -> None:
    events, _summary = day
    assert [e.at for e in events] == sorted(e.at for e in events)


class _Tags:
    """Takes the server's bytes of each connection apart on its own: what CommandComplete says."""

    def __init__(self) -> None:
        self.streams: dict[str, bytearray] = defaultdict(bytearray)

    def opened(self, connection: Connection, midstream: bool):
        stream = self.streams[connection.id]

        class Server:
            def client(self, data: bytes, at_us: int) -> None:
                pass

            def server(self, data: bytes, at_us: int) -> None:
                stream.extend(data)

            def end(self, at_us: int) -> None:
                pass

        return Server()

    def tags(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        for connection, stream in self.streams.items():
            at = 1  # the answer to SSLRequest is one byte
            while at < len(stream):
                size = int.from_bytes(stream[at + 1 : at + 5], "big")
                if stream[at] == ord("C"):
                    found[connection].append(stream[at + 5 : at + size].decode())
                at += 1 + size
            assert at == len(stream)
        return found


def test_every_row_count_is_the_servers(day: tuple[list[Event], replay.Summary]) -> None:
    events, summary = day
    wire = _Tags()
    flows = Flows({PORT: "pg"}, wire, source="replay", prefix="c")  # type: ignore[arg-type]
    with DAY.open("rb") as stream:
        for at_us, link, size, data in CaptureFile(stream, DAY.name):
            flows.frame(at_us, link, size, data)
    flows.finish(0)
    tags = wire.tags()
    rows: dict[str, list[int | None]] = defaultdict(list)
    for event in events:
        assert event.error is None
        rows[event.connection].append(event.rows)
    checked = 0
    for connection, counted in rows.items():
        assert len(counted) == len(tags[connection])
        for got, tag in zip(counted, tags[connection], strict=True):
            if said := re.fullmatch(r"SELECT (\d+)", tag):
                assert got == int(said[1])
                checked += 1
            elif not tag.startswith(("INSERT", "UPDATE", "DELETE")):
                assert got == 0, tag
    assert checked > 6_000
    assert summary.rows == 17_533


@pytest.mark.debian
@pytest.mark.skipif(not shutil.which("tshark"), reason="需要 Debian 包 tshark")
def test_the_statements_are_those_tshark_sees(day: tuple[list[Event], replay.Summary]) -> None:
    events, _summary = day
    ask = f"-d tcp.port=={PORT},pgsql -Y pgsql.query -T json -e pgsql.query".split()
    out = subprocess.run(["tshark", "-r", DAY, *ask], capture_output=True, check=True).stdout
    theirs = [q for p in json.loads(out) for q in p["_source"]["layers"]["pgsql.query"]]
    assert len(theirs) == 10_111
    # tshark shows every byte beyond ASCII as U+FFFD.
    assert [e.sql.encode().decode("ascii", "replace") for e in events] == theirs


def test_a_line_is_the_contract_without_a_ledger() -> None:
    script = (
        "hello\nC startup user=his database=his application_name=门诊\nS signed-in\n"
        "C query SELECT 1\nS rows 1 2\nS done SELECT 2\ngoodbye"
    )
    lines: list[bytes] = []
    file = CaptureFile(io.BytesIO(capture(script)), "x")  # type: ignore[arg-type]
    replay.run(file, [5432], "pg", LOG, lambda e: lines.append(replay.line(e)))
    (event,) = [json.loads(text) for text in lines]
    assert "log" not in event
    assert "seq" not in event
    assert event["at"] == "2026-09-21T22:13:20.005000+08:00"
    assert event["took_ms"] == 2.0
    assert (event["source"], event["program"], event["rows"]) == ("replay", "门诊", 2)
    assert len(event["fingerprint"]) == 64


def test_bytes_that_are_no_text_stay_readable() -> None:
    script = (
        "hello\nC startup user=his database=his\nS signed-in\n"
        "C hex 51000000 0e 53454c45435420 27ff27 00\nS rows 1\nS done SELECT 1\ngoodbye"
    ).replace("0000 0e", "00000f")
    lines: list[bytes] = []
    file = CaptureFile(io.BytesIO(capture(script)), "x")  # type: ignore[arg-type]
    summary = replay.run(file, [5432], "pg", LOG, lambda e: lines.append(replay.line(e)))
    assert summary.statements == 1
    assert json.loads(lines[0])["sql"] == r"SELECT '\xff'"


def test_a_statement_whose_answer_never_comes_does_not_hold_up_the_others(monkeypatch) -> None:
    monkeypatch.setattr(replay, "MAX_WAITING", 3)
    script = (
        "hello\nC startup user=a database=d\nS signed-in\nC query SELECT 'forever'\nport 40001\n"
    )
    script += "hello\nC startup user=b database=d\nS signed-in\n"
    script += "".join(f"C query SELECT {n}\nS rows 1\nS done SELECT 1\n" for n in range(5))
    judged: list[tuple[str, int]] = []

    def decide(connection: Connection, statement: Statement, outcome: Outcome) -> tuple[Told, str]:
        judged.append((statement.sql, outcome.rows))
        return LOG(connection, statement, outcome)

    file = CaptureFile(io.BytesIO(capture(script)), "x")  # type: ignore[arg-type]
    summary = replay.run(file, [5432], "pg", decide)
    assert judged == [("SELECT 'forever'", -1), *((f"SELECT {n}", 1) for n in range(5))]
    assert summary.statements == 6


# ------------------------------------------------------------------ judged


@pytest.fixture(scope="module")
def meanings() -> Catalogue:
    """What the HIS's tables mean: discovered in its schema, with the confirmed corrections."""
    schema = ddl.read(
        gzip.decompress((DAY.parent / "schema.sql.gz").read_bytes()).decode(), "postgres", "his"
    )
    proposal = propose(schema)
    decided = DAY.parent / "corrections.txt"
    review.apply(
        proposal, review.read(decided.read_text(encoding="utf-8"), decided.name), decided.name
    )
    return catalogue.load(proposal.catalogue())


def test_a_real_day_is_judged_without_one_alarm(meanings: Catalogue) -> None:
    events: list[Event] = []
    with DAY.open("rb") as stream:
        file = CaptureFile(stream, DAY.name)
        summary = replay.run(file, [PORT], "pg", replay.Judged(meanings), events.append)
    assert summary.statements == 10_111
    assert (summary.alerts, summary.complete) == (0, True)
    disclosed = Counter(e.meaning.disclosure for e in events if e.meaning is not None)
    assert disclosed["usage"] == 0
    assert disclosed["opaque"] <= 101
    assert disclosed["clinical"] > 50  # prescribing is seen as what it is
    operators = {e.operator.value for e in events if e.operator is not None}
    assert len(operators) >= 9  # an administrator and eight doctors on one account


LISTING = (
    "SELECT o.healthprof, l.medicament, l.quantity FROM gnuhealth_prescription_line l "
    "JOIN gnuhealth_prescription_order o ON l.name = o.id WHERE l.medicament = 12"
)


def test_a_listing_of_one_drug_by_prescriber_alarms(meanings: Catalogue) -> None:
    """Rows without any aggregate: who reads them adds up for himself."""
    script = (
        "hello\nC startup user=his database=gnuhealth\nS signed-in\n"
        f"C query {LISTING}\nS rows 1|12|3 2|12|5\nS done SELECT 2\ngoodbye"
    )
    events: list[Event] = []
    file = CaptureFile(io.BytesIO(capture(script)), "x")  # type: ignore[arg-type]
    summary = replay.run(file, [5432], "pg", replay.Judged(meanings), events.append)
    (event,) = events
    assert event.meaning is not None
    assert (event.meaning.disclosure, event.meaning.grain) == ("usage", "detail")
    assert (event.verdict, summary.alerts, event.rows) == ("alert", 1, 2)
    assert event.reasons


def test_temporary_tables_are_followed_and_a_cut_statement_is_opaque(meanings: Catalogue) -> None:
    script = (
        "hello\nC startup user=his database=gnuhealth\nS signed-in\n"
        "C query CREATE TEMP TABLE t AS SELECT * FROM gnuhealth_prescription_line\n"
        "S done SELECT 9\n"
        "C query SELECT medicament, sum(quantity) FROM t GROUP BY medicament\n"
        "S rows 1|9\nS done SELECT 1\ngoodbye"
    )
    events: list[Event] = []
    file = CaptureFile(io.BytesIO(capture(script)), "x")  # type: ignore[arg-type]
    replay.run(file, [5432], "pg", replay.Judged(meanings), events.append)
    assert [e.meaning.disclosure for e in events if e.meaning is not None] == ["usage", "usage"]
    judged = replay.Judged(meanings)
    connection = Connection("c", "", "", "replay", "pg", "s:1", "c:1", 0)
    cut = Statement(1, 0, "query", "SELECT 1 FROM party_party WHERE", doubt="cut")
    told, _digest = judged(connection, cut, Outcome(1, 0, -1, -1, "lost"))
    assert told.meaning.disclosure == "opaque"
    # What was cut off may read anything, whatever harmless table the head names.
    assert "opaque-figures" in told.verdict.codes
    assert told.verdict.decision == "alert"
