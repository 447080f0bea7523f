"""`qingfang ledger …` as other programs use it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from qingfang.cli import qingfang_command
from qingfang.events import Event
from qingfang.record import segments
from qingfang.record.client import BlockingRecorder
from qingfang.record.codec import moment
from qingfang.record.entries import Act
from tests.support.ledger import LedgerProcess


def event(number: int) -> Event:
    return Event(
        connection="c1",
        at=moment(1_795_440_000_000_000 + number),
        source="gateway",
        protocol="pg",
        server="db:5432",
        database="his",
        account="app",
        client="10.1.2.3:4",
        sql=f"select {number}",
        kind="query",
        verdict="alert",
    )


@pytest.fixture
def ledger(tmp_path: Path):
    (tmp_path / "qingfang.toml").write_text(
        f'[paths]\nstate = "{tmp_path}"\nrun = "{tmp_path}"\n', encoding="utf-8"
    )
    with LedgerProcess(tmp_path) as process:
        recorder = BlockingRecorder(process.socket, "test")
        recorder.record(event(1))
        recorder.record(Act(1_795_440_000_000_002, "sign-in", "1024"))
        recorder.record(event(3))
        recorder.close()
        yield process


def run(*arguments: str):
    return CliRunner().invoke(qingfang_command, ["ledger", *arguments])


def test_verify(ledger: LedgerProcess, tmp_path: Path) -> None:
    for arguments in (
        [str(ledger.folder)],
        ["--config", str(tmp_path / "qingfang.toml")],
    ):
        result = run("verify", *arguments, "--json")
        assert result.exit_code == 0, result.output
        report = json.loads(result.stdout)
        contract = ("ok", "records", "segments", "witnessed_to", "first_bad")
        assert report["checkpoints"] >= 0  # one a second, while it runs
        assert [report[name] for name in contract] == [True, 3, 1, None, None]
        assert report["problem"] is None
    assert "完好：3 条记录" in run("verify", str(ledger.folder)).output


def test_verify_names_what_is_wrong(ledger: LedgerProcess) -> None:
    ledger.stop()
    path = ledger.folder / segments.name(1)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    result = run("verify", str(ledger.folder), "--json")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert report["ok"] is False and report["first_bad"] in (1, 2, 3) and report["problem"]
    assert "不完好：自序号" in run("verify", str(ledger.folder)).output


def test_export(ledger: LedgerProcess) -> None:
    result = run("export", str(ledger.folder))
    assert result.exit_code == 0
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["seq"] for line in lines] == [1, 2, 3]
    assert [line.get("record") for line in lines] == [None, "act", None]
    assert lines[0]["sql"] == "select 1" and lines[0]["at"] == "2026-11-23T21:20:00.000001+08:00"
    assert lines[1]["what"] == "sign-in"
    assert len({line["log"] for line in lines}) == 1
    later = run("export", str(ledger.folder), "--from", "3", "--no-passes").stdout
    assert [json.loads(line)["seq"] for line in later.splitlines()] == [3]


def test_stat(ledger: LedgerProcess, tmp_path: Path) -> None:
    arguments = ["--config", str(tmp_path / "qingfang.toml")]
    found = json.loads(run("stat", *arguments, "--json").stdout)
    assert (found["state"], found["next"]) == ("ok", 4)
    assert found["sources"]["test"] == {
        "seen": 3,
        "stored": 3,
        "lost": 0,
        "refused": 0,
        "missing": 0,
    }
    assert "看见 3，存入 3，丢失 0" in run("stat", *arguments).output


def test_what_cannot_be_done(tmp_path: Path) -> None:
    (tmp_path / "qingfang.toml").write_text(
        f'[paths]\nstate = "{tmp_path}/no"\nrun = "{tmp_path}"\n', encoding="utf-8"
    )
    config = ["--config", str(tmp_path / "qingfang.toml")]
    for arguments in (
        ["verify", str(tmp_path / "missing")],
        ["verify", *config],
        ["verify", "--config", str(tmp_path / "missing.toml")],
        ["export", *config],
        ["stat", *config],
        ["tail", *config],
    ):
        result = run(*arguments)
        assert result.exit_code == 2, (arguments, result.output)
    assert run("verify", str(tmp_path)).exit_code == 1
