"""One folder a capture case: what it is (`case.md`), the packets (`input.txt`, see
tests/support/script.py), and the events and shortcomings they must give (`expected.ndjson`)."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from qingfang.engine import replay
from qingfang.sense.tap.pcapfile import CaptureFile
from tests.support.script import capture

CASES = sorted(p for p in (Path(__file__).parent / "cases").iterdir() if p.is_dir())
FIELDS = ("connection", "client", "account", "database", "program", "kind", "sql", "rows", "error")


def replayed(script: str) -> list[dict[str, object]]:
    events: list[dict[str, object]] = []

    def keep(event: object) -> None:
        found = {name: getattr(event, name) for name in FIELDS}
        events.append({name: value for name, value in found.items() if value not in {None, ""}})

    file = CaptureFile(io.BytesIO(capture(script)), "input")  # type: ignore[arg-type]
    summary = replay.run(file, [5432], "pg", replay.record_only("postgres"), keep)
    counted = {
        name: value
        for name in (
            "connections",
            "midstream_connections",
            "encrypted_connections",
            "statements",
            "lost_bytes",
            "undecodable",
            "conflicting_bytes",
            "retransmitted_bytes",
            "cut_packets",
        )
        if (value := getattr(summary, name))
    }
    return [*events, counted]


@pytest.mark.parametrize("case", CASES, ids=lambda p: p.name)
def test_case(case: Path) -> None:
    assert (case / "case.md").read_text(encoding="utf-8").startswith("# ")
    expected = (case / "expected.ndjson").read_text(encoding="utf-8").splitlines()
    found = replayed((case / "input.txt").read_text(encoding="utf-8"))
    assert found == [json.loads(text) for text in expected]
