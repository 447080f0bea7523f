"""The ledger and the notifier as the supervisor starts them."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from qingfang import ipc
from qingfang.record.client import BlockingRecorder
from qingfang.record.entries import Act
from qingfang.record.verify import verify


@pytest.fixture
def start(tmp_path: Path):
    file = tmp_path / "qingfang.toml"
    file.write_text(f'[paths]\nstate = "{tmp_path}"\nrun = "{tmp_path}"\n', encoding="utf-8")
    running: list[subprocess.Popen[str]] = []

    def begin(part: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "qingfang.engine", part, "--config", str(file)]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        running.append(process)
        return process

    yield begin
    for process in running:
        process.kill()
        process.communicate()


def test_it_says_ready_serves_and_ends_at_sigterm(tmp_path: Path, start) -> None:
    for turn in (1, 2):
        process = start("ledger")
        assert process.stdout.readline() == "ready\n"
        recorder = BlockingRecorder(tmp_path / "ledger.sock", "test")
        assert recorder.record(Act(1, "sign-in", "1024")) == turn
        recorder.close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0, process.stderr.read()
        assert not (tmp_path / "ledger.sock").exists()
        assert verify(tmp_path / "ledger").records == turn


def test_a_second_one_says_why_it_ends(start) -> None:
    first = start("ledger")
    assert first.stdout.readline() == "ready\n"
    second = start("ledger")
    _out, said = second.communicate(timeout=20)
    assert second.returncode == 1
    assert "另一个账本进程正在写" in said


def test_the_notifier_starts_without_a_ledger_and_ends_at_sigterm(tmp_path: Path, start) -> None:
    process = start("notifier")
    assert process.stdout.readline() == "ready\n"
    client = ipc.BlockingClient(tmp_path / "notifier.sock")
    assert client.call("ping") == b""
    client.close()
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0, process.stderr.read()
