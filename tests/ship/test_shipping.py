"""From a spool to a ledger: killed, cut, full; each record once, in order, with all it refers to."""

import asyncio
import contextlib
import random
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec

from qingfang.events import Brief, Connection, Event, Template
from qingfang.record import client, codec, reading, segments
from qingfang.record.client import BlockingRecorder, NotStored
from qingfang.record.entries import Act, Completed, Loss
from qingfang.record.recorder import Recorder
from qingfang.record.verify import verify
from qingfang.ship.shipper import clear
from tests.ship.house import Wire, a_door, a_shipper, caught_up, courier, fingerprints, running
from tests.support.ledger import LedgerProcess
from tests.support.run import in_loop

CONNECTION = Connection("c1", "hospital", "node-1", "gateway", "pg", "db:5432", "10.1.2.3:4", 1)
TEMPLATE = Template(b"t" * 32, "postgres", "select name from patient where id = ?")


def brief(number: int) -> Brief:
    return Brief("c1", 1_795_440_000_000_000 + number, TEMPLATE.digest, "query", (str(number),))


def event(number: int) -> Event:
    return Event(
        connection="c1",
        at=codec.moment(1_795_440_000_000_000),
        source="gateway",
        protocol="pg",
        server="db:5432",
        database="his",
        account="app",
        client="10.1.2.3:4",
        sql=f"select doctor, sum(qty) from rx where drug = {number} group by doctor",
        kind="query",
        verdict="alert",
        node="node-1",
    )


def statements(folder: Path) -> list[str]:
    return [e.value.sql for e in reading.records(folder) if isinstance(e.value, Event)]


def acts(folder: Path, what: str) -> list[str]:
    return [
        e.value.who
        for e in reading.records(folder)
        if isinstance(e.value, Act) and e.value.what == what
    ]


class Part:
    """One of our processes, as the supervisor starts it."""

    def __init__(self, name: str, file: Path) -> None:
        self._command = [sys.executable, "-m", "qingfang.engine", name, "--config", str(file)]
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            self._command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


def configuration(tmp_path: Path, port: int) -> tuple[Path, Path]:
    """(the center's file, the sensor's file)."""
    prints = fingerprints(tmp_path)
    center, sensor = tmp_path / "center.toml", tmp_path / "sensor.toml"
    center.write_text(
        f"""
[site]
node = "center"
[paths]
state = "center"
run = "center"
[door]
listen = "127.0.0.1:{port}"
certificate = "center.pem"
key = "center.key"
[[door.peer]]
name = "node-1"
certificate = "node-1.pem"
fingerprint = "{prints["node-1"]}"
""",
        encoding="utf-8",
    )
    sensor.write_text(
        f"""
[site]
node = "node-1"
[paths]
state = "sensor"
run = "sensor"
[ship]
to = "127.0.0.1:{port}"
fingerprint = "{prints["center"]}"
certificate = "node-1.pem"
key = "node-1.key"
""",
        encoding="utf-8",
    )
    return center, sensor


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@in_loop
async def test_any_process_killed_at_any_moment(tmp_path: Path) -> None:
    """Spool, shipper, door and ledger are killed in turn while records stream in: every record
    that the spool acknowledged is in the ledger once, whole, in the spool's order."""
    from qingfang import config
    from qingfang.engine import shipper

    chance = random.Random(4)
    center, sensor = configuration(tmp_path, free_port())
    (tmp_path / "center").mkdir()
    (tmp_path / "sensor").mkdir()
    parts = [
        await asyncio.to_thread(Part, name, file)
        for name, file in (
            ("spool", sensor),
            ("ledger", center),
            ("door", center),
            ("shipper", sensor),
        )
    ]
    recorder = Recorder(tmp_path / "sensor" / "ledger.sock", "test")
    await recorder.start()
    sent = 0
    try:
        for turn in range(12):
            for _n in range(30):
                sent += 1
                if chance.random() < 0.3:
                    recorder.later(event(sent))
                else:
                    recorder.note(brief(sent), CONNECTION, TEMPLATE)
                if chance.random() < 0.3:
                    await asyncio.sleep(0.004)
            victim = parts[turn % 4]
            await asyncio.to_thread(victim.kill)
            await asyncio.to_thread(victim.start)
        await recorder.close(patience=30)
        assert (recorder.stored, recorder.lost) == (sent, 0)
        wanted = await asyncio.to_thread(client.stat, tmp_path / "sensor" / "ledger.sock")
        while True:
            with contextlib.suppress(client.ipc.Unavailable, client.ipc.Refusal):
                found = await asyncio.to_thread(shipper.status, config.read(sensor))
                if found.next == wanted.next:
                    break
            await asyncio.sleep(0.05)
    finally:
        for part in parts:
            part.kill()
    assert verify(tmp_path / "center" / "ledger").ok
    ours = statements(tmp_path / "sensor" / "spool")
    assert len(ours) == sent
    assert statements(tmp_path / "center" / "ledger") == ours


@in_loop
async def test_a_wire_cut_after_any_number_of_bytes(tmp_path: Path) -> None:
    """Either way, in the handshake, the request and the answer: nothing twice, nothing missing."""
    center, sensor = tmp_path / "center", tmp_path / "sensor"
    center.mkdir()
    sensor.mkdir()
    prints = fingerprints(center)
    with LedgerProcess(center), LedgerProcess(sensor) as spool:
        async with a_door(center, prints) as port, Wire(port) as wire:
            sent_by = courier(center, "node-1", wire.port, prints["center"])
            shipper = a_shipper(sensor, sent_by)
            recorder = Recorder(spool.socket, "test")
            await recorder.start()
            async with running(shipper):
                await recorder.record(Act(1, "sign-in", "0"))
                await caught_up(shipper)
                up, down = wire.carried
                assert up > 500 and down > 500
                number = 0
                for way, total in (("up", up), ("down", down)):
                    for limit in range(0, total + 60, 17):
                        number += 1
                        setattr(wire, way, limit)
                        sent_by.close()
                        await recorder.record(Act(1, "sign-in", str(number)))
                        await caught_up(shipper)
            await recorder.close()
    wanted = [str(n) for n in range(number + 1)]
    assert acts(sensor / "ledger", "sign-in") == wanted
    assert acts(center / "ledger", "sign-in") == wanted
    assert verify(center / "ledger").ok


@in_loop
async def test_what_a_record_refers_to_arrives_with_it(tmp_path: Path) -> None:
    """Connections and templates told anew in the ledger's segments, an event's end under the
    event's number there, although both ledgers roll at their own times."""
    center, sensor = tmp_path / "center", tmp_path / "sensor"
    center.mkdir()
    sensor.mkdir()
    prints = fingerprints(center)
    with (
        LedgerProcess(center, segment_bytes=9_000) as ledger,
        LedgerProcess(sensor, segment_bytes=6_000) as spool,
    ):
        other = BlockingRecorder(ledger.socket, "console")
        for n in range(40):
            other.record(Act(1, "alert.read", str(n)))
        other.close()
        async with a_door(center, prints) as port:
            shipper = a_shipper(sensor, courier(center, "node-1", port, prints["center"]))
            recorder = Recorder(spool.socket, "test")
            await recorder.start()
            async with running(shipper):
                for n in range(60):
                    number = await recorder.record(event(1000 + n))
                    for m in range(5):
                        recorder.note(brief(n * 5 + m), CONNECTION, TEMPLATE)
                    await recorder.record(Completed(number, rows=n))
                    if n % 20 == 0:
                        await caught_up(shipper)
                await recorder.close()
                await caught_up(shipper)
    assert len(segments.numbers(sensor / "ledger")) > 2
    assert len(segments.numbers(center / "ledger")) > 2
    ours = list(reading.records(sensor / "ledger"))
    theirs = [e for e in reading.records(center / "ledger") if isinstance(e.value, Event)]
    assert len(theirs) == 360

    def told(value: object) -> object:
        return msgspec.structs.replace(value, log="", seq=0)  # type: ignore[type-var]

    assert [told(e.value) for e in theirs] == [
        told(e.value) for e in ours if isinstance(e.value, Event)
    ]
    assert [e.value.rows for e in theirs if e.value.verdict == "alert"] == list(range(60))
    assert all(e.value.client == "10.1.2.3:4" for e in theirs)


@in_loop
async def test_a_full_spool_tells_its_losses_and_a_full_ledger_loses_nothing(
    tmp_path: Path,
) -> None:
    center, sensor = tmp_path / "center", tmp_path / "sensor"
    center.mkdir()
    sensor.mkdir()
    prints = fingerprints(center)
    stored = refused = 0
    with LedgerProcess(sensor, file_limit=20_000) as spool:
        recorder = BlockingRecorder(spool.socket, "test")
        for n in range(90):
            try:
                recorder.record(
                    Act(
                        1, "sign-in", str(n), details={"pad": random.Random(n).randbytes(200).hex()}
                    )
                )
                stored += 1
            except NotStored:
                refused += 1
        recorder.close()
    assert stored and refused
    small = LedgerProcess(center, file_limit=14_000)
    small.start()
    with LedgerProcess(sensor) as spool:
        async with a_door(center, prints) as port:
            shipper = a_shipper(sensor, courier(center, "node-1", port, prints["center"]))
            async with running(shipper):
                while "磁盘" not in (status := await shipper.status()).problem:
                    await asyncio.sleep(0.01)
                assert 1 < status.next <= stored
                await asyncio.to_thread(small.stop)
                large = LedgerProcess(center)
                await asyncio.to_thread(large.start)
                await caught_up(shipper)
                large.stop()
    assert len(acts(center / "ledger", "sign-in")) == stored
    losses = [e.value for e in reading.records(center / "ledger") if isinstance(e.value, Loss)]
    assert [(loss.source, loss.kinds) for loss in losses] == [("node-1/test", {"act": refused})]


@in_loop
async def test_what_was_taken_is_cleared_and_nothing_else(tmp_path: Path) -> None:
    center, sensor = tmp_path / "center", tmp_path / "sensor"
    center.mkdir()
    sensor.mkdir()
    prints = fingerprints(center)

    def fill(spool: LedgerProcess, first: int) -> None:
        recorder = BlockingRecorder(spool.socket, "test")
        for n in range(first, first + 60):
            recorder.record(Act(1, "sign-in", str(n)))
        recorder.close()

    with LedgerProcess(center) as ledger, LedgerProcess(sensor, segment_bytes=4_000) as spool:
        await asyncio.to_thread(fill, spool, 0)
        before = segments.numbers(spool.folder)
        assert len(before) > 3
        assert clear(spool.folder, 1, older_than_us=2**62, keep_bytes=0) == []
        async with a_door(center, prints) as port:
            sent_by = courier(center, "node-1", port, prints["center"])
            async with running(keeping := a_shipper(sensor, sent_by)):
                await caught_up(keeping)
            assert segments.numbers(spool.folder) == before
            sent_by = courier(center, "node-1", port, prints["center"])
            async with running(shipper := a_shipper(sensor, sent_by, keep_bytes=0)):
                await caught_up(shipper)
                while (kept := segments.numbers(spool.folder)) != before[-2:]:
                    await asyncio.sleep(0.005)
                assert sorted(int(f.stem) for f in (spool.folder / "keys").iterdir()) == kept
                await asyncio.to_thread(fill, spool, 60)
                await caught_up(shipper)
            spool.stop()
            assert verify(spool.folder).ok
        assert (await asyncio.to_thread(client.stat, ledger.socket)).next > 120
    assert acts(center / "ledger", "sign-in") == [str(n) for n in range(120)]
    assert acts(center / "ledger", "ship.resumed") == ["ship/node-1"]


@in_loop
async def test_the_door_forgets_and_reads_the_ledger(tmp_path: Path) -> None:
    """Its own file lost: what the ledger holds says where to go on."""
    center, sensor = tmp_path / "center", tmp_path / "sensor"
    center.mkdir()
    sensor.mkdir()
    prints = fingerprints(center)
    with LedgerProcess(center, segment_bytes=5_000), LedgerProcess(sensor) as spool:
        recorder = Recorder(spool.socket, "test")
        await recorder.start()
        for turn in range(3):
            for n in range(20):
                recorder.note(brief(turn * 20 + n), CONNECTION, TEMPLATE)
            number = await recorder.record(event(turn))
            async with a_door(center, prints) as port:
                shipper = a_shipper(sensor, courier(center, "node-1", port, prints["center"]))
                async with running(shipper):
                    await caught_up(shipper)
            for file in center.glob("door.sqlite*"):
                file.unlink()
            await recorder.record(Completed(number, rows=7))
        await recorder.close()
        async with a_door(center, prints) as port:
            shipper = a_shipper(sensor, courier(center, "node-1", port, prints["center"]))
            async with running(shipper):
                await caught_up(shipper)
    assert statements(center / "ledger") == statements(sensor / "ledger")
    found = [e.value for e in reading.records(center / "ledger") if isinstance(e.value, Event)]
    assert [value.rows for value in found if value.verdict == "alert"] == [7, 7, 7]
    assert acts(center / "ledger", "ship.completed") == []


@in_loop
async def test_a_spool_or_a_ledger_that_went_back_is_not_shipped_between(tmp_path: Path) -> None:
    """Neither a copy of yesterday's spool nor one of yesterday's ledger passes unnoticed."""
    center, sensor = tmp_path / "center", tmp_path / "sensor"
    center.mkdir()
    sensor.mkdir()
    prints = fingerprints(center)

    async def once(*, keep_bytes: int, until: str) -> None:
        with LedgerProcess(center), LedgerProcess(sensor, segment_bytes=4_000) as spool:
            async with a_door(center, prints) as port:
                sent_by = courier(center, "node-1", port, prints["center"])
                async with running(shipper := a_shipper(sensor, sent_by, keep_bytes=keep_bytes)):
                    if not until:
                        await caught_up(shipper)
                    while until not in (await shipper.status()).problem:
                        await asyncio.sleep(0.005)
                    while not until and keep_bytes == 0 and 1 in segments.numbers(spool.folder):
                        await asyncio.sleep(0.005)

    def fill(count: int) -> None:
        with LedgerProcess(sensor, segment_bytes=4_000) as spool:
            recorder = BlockingRecorder(spool.socket, "test")
            for n in range(count):
                recorder.record(Act(1, "sign-in", str(n)))
            recorder.close()

    await asyncio.to_thread(fill, 5)
    await once(keep_bytes=1 << 40, until="")
    shutil.copytree(sensor / "ledger", tmp_path / "old-spool")
    shutil.copytree(center / "ledger", tmp_path / "old-ledger")
    await asyncio.to_thread(fill, 60)
    await once(keep_bytes=0, until="")
    shutil.move(sensor / "ledger", tmp_path / "new-spool")
    shutil.move(tmp_path / "old-spool", sensor / "ledger")
    await once(keep_bytes=0, until="暂存只到 5")
    shutil.rmtree(sensor / "ledger")
    shutil.move(tmp_path / "new-spool", sensor / "ledger")
    shutil.rmtree(center / "ledger")
    shutil.move(tmp_path / "old-ledger", center / "ledger")
    for file in center.glob("door.sqlite*"):
        file.unlink()
    await once(keep_bytes=0, until="中心要从 6 接着收")
