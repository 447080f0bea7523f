"""`qingfang bench judge`: how long one question to the judge takes when it knows 50,000 persons.

The judge runs in a process of its own, with the journal and the images it keeps, and is asked over
its socket, one question after the other. Told are the processor time of its answers, and the round
trip, which on a machine with other work tells of that work too. Two contents are measured: a month of a clinic's work, and
persons who hold as much as is ever held of one (every set full). What a person holds is learned
through the front door, once, and written under all the names. All data is invented (合成数据).
"""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from qingfang import ipc
from qingfang.bench import Progress, Row, absolute, percentile
from qingfang.config import Config, Paths, Site
from qingfang.engine.judge import Ask, Service, spare_the_old
from qingfang.engine.judging import Judging
from qingfang.engine.keeping import Keeper
from qingfang.events import Connection, Fixed, Meaning, Period, Pin, Scope, Value, Yield
from qingfang.image import Entry
from qingfang.language import _
from qingfang.record.recorder import Recorder
from qingfang.understand.pins import ROW

_PERSONS = 50_000
_ON_DUTY = 2_000
_FULL_BYTES = 512 * 1024 * 1024
"""How much of full content is loaded: 50,000 full persons have room on no machine."""
_QUESTIONS = 10_000
_FULL_QUESTIONS = 2_000
_AT_US = 1_795_000_000_000_000
_MINUTE = 60_000_000
_DAY = 1440 * _MINUTE


class Started(Struct):
    """What the judge's process says when it is ready: seconds to load, bytes of memory it has."""

    load_s: float
    bytes_held: int


def run(progress: Progress) -> list[Row]:
    """Milliseconds a question (nearest rank), seconds of loading, megabytes."""
    rows: list[Row] = []
    contents: tuple[tuple[str, Callable[[Judging, int], None], int, int], ...] = (
        (_("一个月的门诊工作"), _month, _PERSONS, _QUESTIONS),
        (_("每人都记满"), _fill, 0, _FULL_QUESTIONS),
    )
    for name, learn, many, questions in contents:
        progress(_("准备：{}").format(name))
        models = _models(learn)
        one = sum(len(e.known) for e in models[0])
        persons = many or _FULL_BYTES // one
        with tempfile.TemporaryDirectory() as folder:
            state = Path(folder)
            size = asyncio.run(_write(state, models, persons))
            progress(_("{}：{} 人，每人 {} 字节").format(name, persons, one))
            rows.append(Row(_("{}：每人在磁盘上，KB").format(name), round(size / persons / 1e3, 1)))
            rows += _measure(progress, state, name, persons, questions, full=learn is _fill)
    return rows


# ------------------------------------------------------------------ what persons know


def _connection(n: int) -> Connection:
    address = f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}:5000"
    return Connection(f"c{n:06}", "h", "n", "gateway", "pg", "s:1", address, opened_us=_AT_US)


def _pinned(*pins: Pin) -> Meaning:
    return Meaning("clinical", subtype="pinned", pins=pins)


def _month(judging: Judging, n: int) -> None:
    """22 working days of 50 patients: the queue, each patient, a prescription of three rows."""
    line = _connection(n)
    queue = Fixed("unit_id", "mz_gh", "ks", (Value(f"K{n}"),))
    for day in range(22):
        for patient in range(50):
            at = _AT_US - (30 - day) * _DAY + patient * 9 * _MINUTE
            key = day * 9_000 + patient * 170 + n
            if patient % 10 == 0:
                listed = Yield(("mz_gh",), ("visit_id",), keys=("mz_gh.jzh",), fixed=(queue,))
                today = Value(time.strftime("%Y-%m-%d", time.gmtime(at // 1_000_000)))
                scope = Scope(period=Period(today, today))
                meaning = Meaning("clinical", subtype="worklist", scope=scope, yields=(listed,))
                judging.judge(line, meaning, at, b"q", 20)
            who = Pin("patient_id", "br", (Value(f"P{key}"),))
            rx = Pin("prescription_id", "cf", (Value(f"R{key * 3}"),))
            judging.judge(line, _pinned(who), at + 1, b"r")
            judging.judge(line, Meaning("none", works=(rx,)), at + 2, b"w")
            judging.judge(line, _pinned(rx), at + 3, b"r")


def _fill(judging: Judging, n: int) -> None:
    """Each set of what is remembered gets more than it holds."""
    line, draw = _connection(n), random.Random(n)
    for turn in range(1_100):
        at = _AT_US - _MINUTE * (1_100 - turn)
        keys = [str(draw.randrange(10**9)) for _k in range(4)]
        pins = [
            Pin(role, "br", (Value(f"{draw.choice('ABCDEFGH')}{turn * 16}"), Value(key)))
            for role, key in zip(
                ("patient_id", "visit_id", "prescription_id", f"{ROW}cfmx"), keys, strict=True
            )
        ]
        judging.judge(line, _pinned(*pins), at, b"r")
        work = Pin("patient_id", "br", (Value(f"W{turn * 16}"),))
        judging.judge(line, Meaning("none", works=(work,)), at + 1, b"w")
        item = Fixed("item_id", "cfmx", "ypdm", (Value(f"Y{turn}"),))
        unit = Fixed("unit_id", "mz_gh", "ks", (Value(f"K{turn}"),))
        doctor = Fixed("prescriber_id", "cf", "ys", (Value(f"D{turn}"),))
        past = Value(time.strftime("%Y-%m-%d", time.gmtime(at // 1_000_000 - turn % 31 * 86_400)))
        listed = Yield(("cf",), ("item_id", "quantity"), ("cf.cfh",), (item, unit, doctor))
        scope = Scope(period=Period(past, past))
        worklist = Meaning("clinical", subtype="worklist", scope=scope, yields=(listed,))
        judging.judge(line, worklist, at + 2, b"q", 20)
        summed = Yield(("cf",), ("quantity",), fixed=(doctor,), measured=True, aggregated=True)
        judging.judge(
            line,
            Meaning("usage", "prescriber", "item", yields=(summed,)),
            at + 3,
            turn.to_bytes(32, "big"),
        )


def _models(learn: Callable[[Judging, int], None]) -> list[list[Entry]]:
    """What a few persons hold, each by table."""
    models: list[list[Entry]] = []
    for n in range(2):
        judging = Judging("h")
        learn(judging, n)
        models.append(_entries(judging))
    return models


def _entries(judging: Judging) -> list[Entry]:
    entries: list[Entry] = []
    _rest, images = judging.image()
    for image in images:
        while (part := image.part(1 << 20)) is not None:
            entries += part
    return [e for e in entries if e.table in ("sessions", "persons", "places")]


async def _write(folder: Path, models: list[list[Entry]], persons: int) -> int:
    """An image in which so many hold what the models hold; its size in bytes. A name is an address
    with its connection, as `_connection` gives it."""

    def everybody() -> Iterator[Entry]:
        for n in range(persons):
            address = _connection(n).client.rpartition(":")[0]
            for entry in models[n % len(models)]:
                if entry.table != "sessions" or n < 20_000:
                    name = {
                        "sessions": f"c{n:06}\x1faddress:{address}",
                        "persons": f"address:{address}",
                    }.get(entry.table, address)
                    yield Entry(entry.table, name, n * 8 + 1, entry.known)

    judging = Judging("h")
    rest, _images = judging.image()
    judging.restore(rest, everybody())
    keeper = Keeper(folder / "judge", judging)
    (folder / "judge").mkdir(parents=True)
    await keeper.save()
    return (folder / "judge" / "memory").stat().st_size


# ------------------------------------------------------------------ asking


def serve(folder: Path) -> None:
    """The judge's process: like `engine.judge.run`, and it saves when it is told to."""

    async def main() -> None:
        spare_the_old()
        began = time.perf_counter()
        config = Config(site=Site(id="h"), paths=Paths(state=str(folder), run=str(folder)))
        service = Service(config, Recorder(folder / "ledger.sock", "judge"))
        load_s = time.perf_counter() - began
        took: list[float] = []

        async def answer(method: str, payload: bytes, peer: ipc.Peer) -> bytes:
            if method == "save":
                await service.keeper.save()
                return b""
            if method == "took":
                content = msgspec.msgpack.encode(took)
                took.clear()
                return content
            began = time.thread_time()
            answered = await service.answer(method, payload, peer)
            took.append((time.thread_time() - began) * 1e3)
            assert isinstance(answered, bytes)
            return answered

        server = await ipc.serve(folder / "judge.sock", answer)
        keeping = asyncio.create_task(service.keeper.run())
        statm = Path("/proc/self/statm").read_text(encoding="ascii").split()
        started = Started(load_s, int(statm[1]) * os.sysconf("SC_PAGE_SIZE"))
        sys.stdout.buffer.write(msgspec.json.encode(started) + b"\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.buffer.read)
        keeping.cancel()
        server.close()

    asyncio.run(main())


def _measure(
    progress: Progress, folder: Path, name: str, persons: int, questions: int, *, full: bool
) -> list[Row]:
    code = "import sys; from pathlib import Path; from qingfang.bench.judge import serve; "
    with subprocess.Popen(
        [sys.executable, "-c", code + "serve(Path(sys.argv[1]))", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        started = msgspec.json.decode(child.stdout.readline(), type=Started)
        rows = [
            Row(_("{}：启动时读入 {} 人，秒").format(name, persons), round(started.load_s, 2)),
            Row(_("{}：内存，MB").format(name), round(started.bytes_held / 1e6)),
        ]
        draw = random.Random(1)
        client = ipc.BlockingClient(folder / "judge.sock", timeout=600)
        duty = min(_ON_DUTY, persons // 4)
        asking = (
            (_("在班 {} 人").format(duty), lambda: draw.randrange(duty), False),
            (_("任何人"), lambda: draw.randrange(persons), False),
            (_("在班的人，同时存盘"), lambda: draw.randrange(duty), True),
        )
        for turn, (what, who, saving) in enumerate(asking):
            progress(f"{name}：{what}")
            took = _ask(folder, client, who, questions, turn, saving=saving)
            own = msgspec.msgpack.decode(client.call("took"), type=list[float])
            for share, bound in ((50, 1.0), (99, 5.0), (99.9, 10.0)):
                label = _("{}，{}：判断所用 CPU，第 {} 百分位，毫秒").format(name, what, share)
                figure = percentile(own, share)
                rows.append(
                    Row(label, round(figure, 3)) if full else absolute(label, figure, at_most=bound)
                )
            for share in (50, 99, 99.9, 100):
                label = _("{}，{}：往返，第 {} 百分位，毫秒").format(name, what, share)
                rows.append(Row(label, round(percentile(took, share), 3)))
        client.close()
        child.stdin.close()
    return rows


def _ask(
    folder: Path,
    client: ipc.BlockingClient,
    who: Callable[[], int],
    questions: int,
    turn: int,
    *,
    saving: bool,
) -> list[float]:
    """Milliseconds of each question. With `saving`, until an image is saved, and of those alone."""
    over = threading.Event()

    def save() -> None:
        other = ipc.BlockingClient(folder / "judge.sock", timeout=600)
        other.call("save")
        other.close()
        over.set()

    thread = threading.Thread(target=save)
    if saving:
        thread.start()
    took: list[float] = []
    for n in range(questions):
        person = who()
        key = Pin("patient_id", "br", (Value(f"P{turn * 10**7 + n * 37}"),))
        ask = Ask(_connection(person), _pinned(key), _AT_US + turn * _DAY + n * 30_000, b"r")
        payload = msgspec.msgpack.encode(ask)
        began = time.perf_counter()
        client.call("judge", payload)
        took.append((time.perf_counter() - began) * 1e3)
        if saving and over.is_set():
            break
    if saving:
        thread.join()
    return took
