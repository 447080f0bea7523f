"""`qingfang replay` at its front door: files, pipes, exit codes, and what it says."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.script import capture

TALK = (
    "hello\nC startup user=his database=his\nS signed-in\n"
    "C query SELECT 1\nS rows 1\nS done SELECT 1\n"
    "C query SELECT 2\nS rows 1 2\nS done SELECT 2\ngoodbye\n"
)


def qingfang(*arguments: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "qingfang.cli", "replay", *map(str, arguments)],
        input=stdin,
        capture_output=True,
        check=False,
        env={"PATH": "/usr/bin", "QINGFANG_LANG": "zh", "PYTHONIOENCODING": "utf-8"},
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "talk.pcap"
    path.write_bytes(capture(TALK))
    return path


def test_events_as_ndjson(file: Path) -> None:
    done = qingfang(file)
    assert (done.returncode, done.stderr) == (0, b"")
    assert [json.loads(x)["sql"] for x in done.stdout.splitlines()] == ["SELECT 1", "SELECT 2"]


@pytest.mark.parametrize("squeeze", [bytes, gzip.compress])
def test_summary_from_standard_input(file: Path, squeeze) -> None:
    done = qingfang("-", "--json-summary", stdin=squeeze(file.read_bytes()))
    assert done.returncode == 0
    summary = json.loads(done.stdout)
    contract = ["packets", "connections", "statements", "lost_bytes", "undecodable"]
    contract += ["encrypted_connections", "verdicts", "alerts"]
    assert list(summary)[:8] == contract
    assert (summary["packets"], summary["connections"], summary["statements"]) == (14, 1, 2)
    assert summary["verdicts"] == {"log": 2}


TOY = {
    "name": "toy",
    "dialect": "postgres",
    "tables": {
        "outp_rx": {
            "kind": "usage",
            "columns": {"dr": "prescriber_id", "item": "item_id", "qty": "quantity"},
        }
    },
}


def test_judged_with_a_catalogue(tmp_path: Path, file: Path) -> None:
    tables = tmp_path / "catalogue.json"
    tables.write_text(json.dumps(TOY))
    usage = "SELECT dr, item, sum(qty) FROM outp_rx GROUP BY dr, item"
    file.write_bytes(capture(TALK.replace("SELECT 2\nS", f"{usage}\nS")))
    done = qingfang(file, "--catalogue", tables)
    assert done.returncode == 0
    harmless, shown = [json.loads(x) for x in done.stdout.splitlines()]
    assert (harmless["verdict"], harmless["meaning"]["disclosure"]) == ("pass", "none")
    assert (shown["verdict"], shown["meaning"]["grain"]) == ("alert", "prescriber")
    summary = json.loads(qingfang(file, "--catalogue", tables, "--json-summary").stdout)
    assert (summary["verdicts"], summary["alerts"]) == ({"pass": 1, "alert": 1}, 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [("{", "JSON"), ('{"tables": {"t": {"kind": "nonsense"}}}', "tables.t"), (None, "catalogue")],
)
def test_a_catalogue_that_cannot_be_used(
    tmp_path: Path, file: Path, text: str | None, said: str
) -> None:
    tables = tmp_path / "catalogue.json"
    if text is not None:
        tables.write_text(text)
    done = qingfang(file, "--catalogue", tables)
    assert (done.returncode, done.stdout) == (2, b"")
    (line,) = done.stderr.decode().splitlines()
    assert "catalogue.json" in line
    assert said in line


def test_a_file_that_breaks_off_gives_what_was_before(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-200])
    done = qingfang(file)
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 2
    assert "文件在这里中断" in done.stderr.decode()
    assert "talk.pcap" in done.stderr.decode()


def test_loss_and_encryption_are_said(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    lossy = TALK.replace("C query SELECT 1", "lost C query SELECT 1")
    hidden = "port 40009\nhello\nC hex 0000000804d2162f\nS hex 53\nC hex 160301\n"
    path.write_bytes(capture(lossy + hidden))
    done = qingfang(path, "--json-summary")
    assert done.returncode == 1
    summary = json.loads(done.stdout)
    assert (summary["lost_bytes"], summary["encrypted_connections"]) == (14, 1)
    assert "丢失 14 字节" in done.stderr.decode()
    assert "1 个连接是加密的" in done.stderr.decode()


def test_the_wrong_port_is_answered_with_those_there_are(file: Path) -> None:
    done = qingfang(file, "--port", "1521")
    assert done.returncode == 1
    assert "5432（14 个报文）、40000（14 个报文）" in done.stderr.decode()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["/nonexistent.pcap"], "/nonexistent.pcap"),
        ([Path(__file__)], "不是 pcap"),
        ([Path(__file__), "--protocol", "tns"], "还不能解码协议 tns"),
    ],
)
def test_what_cannot_be_read_is_one_line_and_exit_2(arguments: list[str | Path], said: str) -> None:
    done = qingfang(*arguments)
    assert done.returncode == 2
    assert done.stdout == b""
    (line,) = done.stderr.decode().splitlines()
    assert said in line


def test_a_reader_that_leaves_is_no_error(file: Path) -> None:
    file.write_bytes(capture(TALK.replace("goodbye\n", "") + "C query SELECT 3\n" * 2000))
    script = f"{sys.executable} -m qingfang.cli replay {file} | head -1 >/dev/null"
    done = subprocess.run(["bash", "-c", script], capture_output=True, check=False)
    assert done.stderr == b""
