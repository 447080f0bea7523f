"""The whole demo without spectators: every process, every planted attempt."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil

from qingfang.demo import seeds
from qingfang.demo.summary import well
from qingfang.postgres import free_port


def test_a_short_day_comes_out_as_it_must_and_leaves_nothing_running(tmp_path: Path) -> None:
    place = tmp_path / "demo"
    argv = [sys.executable, "-m", "qingfang.cli", "demo", "--headless", "--json"]
    more = ["--seconds", "20", "--scale", "0.02", "--seed", "4", "--port", str(free_port())]
    done = subprocess.run(
        [*argv, *more, "--folder", str(place)], check=False, capture_output=True, text=True
    )
    assert done.stdout, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert len(found["attempts"]) >= 15 and len(found["granted"]) >= 5
    assert (well(found), done.returncode) == (True, 0), seeds.row(4, found) + done.stderr[-2000:]
    left = [p for p in psutil.process_iter() if str(place) in " ".join(_words(p))]
    assert left == [], os.getpid()


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
