"""The supervisor with real processes: started, killed, hung, left behind."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from qingfang import ipc
from qingfang.engine import supervisor
from qingfang.engine.supervisor import Failed, Service, Supervisor

WORKER = """
import asyncio, os, sys
from pathlib import Path
from qingfang import ipc
from qingfang.engine import process
process.die_with_parent(int(sys.argv[2]))
async def handler(method, payload, peer):
    if method == "hang":
        import time
        time.sleep(3600)
    return str(os.getpid()).encode()
async def part(stopping):
    server = await ipc.serve(Path(sys.argv[1]), handler)
    process.say_ready()
    await stopping.wait()
process.run(part, "worker")
"""


def worker(path: Path, name: str = "worker") -> Service:
    argv = [sys.executable, "-c", WORKER, str(path), str(os.getpid())]
    return Service(name, argv, socket=path, log=path.with_suffix(".log"))


async def pid(path: Path, unlike: int = 0) -> int:
    """The process that answers at `path`, once it is another than `unlike`."""
    async with asyncio.timeout(20):
        while True:
            client = ipc.Client(path)
            try:
                got = int(await client.call("pid"))
                if got != unlike:
                    return got
            except ipc.Unavailable:
                pass
            finally:
                await client.close()
            await asyncio.sleep(0.01)


def test_a_killed_process_comes_back_and_stop_ends_all(tmp_path: Path) -> None:
    changes: list[tuple[str, str]] = []

    async def main() -> None:
        path = tmp_path / "w.sock"
        boss = Supervisor(lambda change: changes.append((change.name, change.state)))
        await boss.start(worker(path))
        first = await pid(path)
        os.kill(first, signal.SIGKILL)
        second = await pid(path, unlike=first)
        await boss.stop()
        assert not psutil.pid_exists(second)

    asyncio.run(main())
    assert changes == [("worker", "up"), ("worker", "down"), ("worker", "up")]


def test_a_hung_process_is_killed_and_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "PING_EVERY_S", 0.05)
    monkeypatch.setattr(supervisor, "PING_WITHIN_S", 0.5)

    async def main() -> None:
        path = tmp_path / "w.sock"
        boss = Supervisor()
        await boss.start(worker(path))
        first = await pid(path)
        client = ipc.Client(path)
        with pytest.raises(ipc.Unavailable):
            await client.call("hang")
        assert await pid(path, unlike=first) != first
        await boss.stop()

    asyncio.run(main())


def test_a_process_that_cannot_start_says_why(tmp_path: Path) -> None:
    async def main() -> None:
        argv = [sys.executable, "-c", "raise SystemExit('端口已被占用')"]
        with pytest.raises(Failed, match="broken：自行退出，退出码 1：端口已被占用"):
            await Supervisor().start(Service("broken", argv, log=tmp_path / "l"))

    asyncio.run(main())


BOSS = """
import asyncio, sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from test_supervisor import worker
from qingfang.engine.supervisor import Supervisor
async def main():
    boss = Supervisor()
    for n in range(3):
        await boss.start(worker(Path(sys.argv[1]) / f"{n}.sock", f"w{n}"))
    print("up", flush=True)
    await asyncio.sleep(3600)
asyncio.run(main())
"""


def test_nothing_outlives_a_killed_supervisor(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", BOSS, str(tmp_path), str(Path(__file__).parent)]
    boss = subprocess.Popen(argv, stdout=subprocess.PIPE)
    assert boss.stdout is not None
    assert boss.stdout.readline() == b"up\n"
    children = psutil.Process(boss.pid).children(recursive=True)
    assert len(children) == 3
    boss.kill()
    boss.wait()
    _gone, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []


def test_a_child_whose_parent_is_gone_already_ends(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", WORKER, str(tmp_path / "s"), "1"]
    assert subprocess.run(argv, check=False, timeout=20).returncode == 1


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({"LANG": "en_US.UTF-8"}, "zh"),
        ({"LANG": "en_US.UTF-8", "QINGFANG_LANG": "en"}, "en"),
    ],
)
def test_services_speak_chinese_unless_told_otherwise(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    language: str,
) -> None:
    monkeypatch.delenv("QINGFANG_LANG")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    async def main() -> str:
        boss = Supervisor()
        path = tmp_path / "worker.sock"
        await boss.start(worker(path))
        try:
            return psutil.Process(await pid(path)).environ()["QINGFANG_LANG"]
        finally:
            await boss.stop()

    assert asyncio.run(main()) == language
