"""The ledger as a process: killed, filled, refused, and read while it is written."""

import asyncio
import contextlib
import os
import random
import subprocess
from pathlib import Path

import msgspec
import pytest

from qingfang import ipc
from qingfang.events import Brief, Connection, Event, Template
from qingfang.record import client, codec, frame, protocol, reading
from qingfang.record.client import BlockingRecorder, NotStored, follow, follow_blocking
from qingfang.record.entries import Act, Completed, Loss
from qingfang.record.recorder import Recorder
from qingfang.record.service import check
from qingfang.record.verify import verify
from tests.support.ledger import LedgerProcess
from tests.support.run import in_loop

CONNECTION = Connection("c1", "hospital", "n", "gateway", "pg", "db:5432", "10.1.2.3:4", 1)
TEMPLATE = Template(b"t" * 32, "postgres", "select name from patient where id = ?")


def brief(number: int) -> Brief:
    return Brief("c1", 1_795_440_000_000_000 + number, TEMPLATE.digest, "query", (str(number),))


def event(number: int, verdict: str = "alert") -> Event:
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
        verdict=verdict,  # type: ignore[arg-type]
    )


@in_loop
async def test_killed_under_load(tmp_path: Path) -> None:
    """Thirty times kill -9 while records stream in: every acknowledged record is stored under the
    number that was told, each record once, and none that was not sent."""
    chance = random.Random(9)
    ledger = LedgerProcess(tmp_path, segment_bytes=60_000)
    ledger.start()
    recorder = Recorder(ledger.socket, "test")
    await recorder.start()
    told: dict[int, int] = {}
    sent = 0

    async def one(number: int) -> None:
        told[number] = await recorder.record(event(number))

    for _round in range(30):
        under_way = []
        before = len(told)
        for _n in range(chance.randrange(5, 40)):
            sent += 1
            under_way.append(asyncio.create_task(one(sent)))
            for _m in range(chance.randrange(12)):
                sent += 1
                recorder.note(brief(sent), CONNECTION, TEMPLATE)
            if chance.random() < 0.5:
                await asyncio.sleep(0)
        # The moment is drawn by lot among the acknowledgements.
        enough = before + chance.randrange(len(under_way))
        while len(told) < enough:
            await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
            under_way = [task for task in under_way if not task.done()]
        await asyncio.to_thread(ledger.kill)
        await asyncio.to_thread(ledger.start)
        if chance.random() < 0.3:
            await asyncio.gather(*under_way)
    await recorder.close(patience=30)
    assert (recorder.seen, recorder.stored, recorder.lost) == (sent, sent, 0)
    ledger.stop()
    report = verify(ledger.folder)
    assert report.ok, report
    assert report.segments > 3
    stored: dict[int, int] = {}
    for entry in reading.records(ledger.folder):
        if isinstance(entry.value, Event):
            assert entry.value.sql, entry
            number = int(entry.value.sql.split("= ")[1].split()[0])
            assert number not in stored, "stored twice"
            stored[number] = entry.seq
    assert sorted(stored) == list(range(1, sent + 1))
    assert told.items() <= stored.items()


def test_what_no_reader_could_read_back_is_refused() -> None:
    """One such record would stop everybody who follows the log."""
    mark = codec.token(b"12345678", 1)

    def ask(kind: int, value: codec.Value | codec.Block, content: bytes = b"") -> protocol.Append:
        packed = content or codec.pack(value, mark)
        return protocol.Append(kind, 1, 1, 1, 0, 1, "gateway/main", packed)

    late = msgspec.structs.replace(brief(1), at_us=2**62)
    check(ask(frame.BLOCK, codec.Block((CONNECTION,), (TEMPLATE,), (brief(1),))))
    with pytest.raises(ValueError, match="时间"):
        check(ask(frame.BLOCK, codec.Block((CONNECTION,), (TEMPLATE,), (late,))))
    check(ask(frame.EVENT, event(1)))
    for moment in ("yesterday", "", "2026-11-23T08:00:00"):
        with pytest.raises(ValueError, match="时间"):
            check(ask(frame.EVENT, msgspec.structs.replace(event(1), at=moment)))
    deep = mark + codec.PLAIN + b"\x81\xa1a" + b"\x91" * 5000 + b"\x01"
    with pytest.raises(codec.Unreadable):
        check(ask(frame.ACT, Act(1, "x", "y"), deep))


@pytest.mark.parametrize("way", ["tmpfs", "limit"])
@in_loop
async def test_a_full_disk_is_counted_exactly(tmp_path: Path, way: str) -> None:
    with contextlib.ExitStack() as stack:
        if way == "tmpfs":
            if os.geteuid() != 0:
                pytest.skip("mounting a small disk needs root")
            options = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(tmp_path)]
            if subprocess.run(options, check=False, capture_output=True).returncode:
                pytest.skip("this machine does not let us mount a tmpfs")
            stack.callback(subprocess.run, ["umount", "-l", str(tmp_path)], check=True)
            (tmp_path / "ballast").write_bytes(bytes(120_000))
            limit = None
        else:
            limit = 30_000
        ledger = LedgerProcess(tmp_path, file_limit=limit)
        stack.enter_context(ledger)
        recorder = Recorder(ledger.socket, "test")
        await recorder.start()
        stored: list[int] = []
        refused = 0
        number = 0
        while refused < 25:
            number += 1
            pad = random.Random(number).randbytes(400).hex()
            try:
                stored.append(await recorder.record(Act(number, pad, "x")))
            except NotStored:
                refused += 1
        for _n in range(5):
            recorder.note(brief(1), CONNECTION, TEMPLATE)
        while recorder.lost < refused + 5:
            await asyncio.sleep(0.01)
        assert recorder.seen == number + 5
        found = await asyncio.to_thread(client.stat, ledger.socket)
        assert found.state == "full"
        assert found.sources["test"].refused == refused + 5
        assert verify(ledger.folder).ok
        # Killed while full: the counts are on the disk.
        await asyncio.to_thread(ledger.kill)
        if way == "tmpfs":
            (tmp_path / "ballast").unlink()
            again = ledger
        else:
            again = LedgerProcess(tmp_path)
        await asyncio.to_thread(again.start)
        stack.callback(again.stop)
        stored.append(await recorder.record(Act(0, "room again", "x")))
        await recorder.close()
        found = await asyncio.to_thread(client.stat, ledger.socket)
        assert found.state == "ok"
        entries = list(reading.records(ledger.folder))
        losses = [e.value for e in entries if isinstance(e.value, Loss)]
        assert [(loss.source, loss.kinds) for loss in losses] == [
            ("test", {"act": refused, "brief": 5})
        ]
        assert [e.seq for e in entries if isinstance(e.value, Act)] == stored
        assert verify(ledger.folder).ok


@in_loop
async def test_room_again_is_found_without_a_restart(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    options = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(tmp_path)]
    if subprocess.run(options, check=False, capture_output=True).returncode:
        pytest.skip("this machine does not let us mount a tmpfs")
    with contextlib.ExitStack() as stack:
        stack.callback(subprocess.run, ["umount", "-l", str(tmp_path)], check=True)
        (tmp_path / "ballast").write_bytes(bytes(60_000))
        ledger = stack.enter_context(LedgerProcess(tmp_path))
        recorder = Recorder(ledger.socket, "test")
        refused = 0
        number = 0
        while not refused:
            number += 1
            try:
                await recorder.record(Act(number, random.Random(number).randbytes(400).hex(), "x"))
            except NotStored:
                refused += 1
        (tmp_path / "ballast").unlink()
        while True:
            try:
                await recorder.record(Act(0, "room again", "x"))
                break
            except NotStored:
                refused += 1
                await asyncio.sleep(0.05)
        await recorder.close()
        losses = [e.value for e in reading.records(ledger.folder) if isinstance(e.value, Loss)]
        assert sum(loss.kinds["act"] for loss in losses) == refused


@in_loop
async def test_a_disk_that_fails_ends_the_ledger_and_loses_nothing(tmp_path: Path) -> None:
    worn = LedgerProcess(tmp_path, good_syncs=7)
    worn.start()
    recorder = Recorder(worn.socket, "test")
    await recorder.start()
    told = [await recorder.record(event(n)) for n in range(1, 4)]
    waiting = []
    for n in range(4, 40):
        waiting.append(asyncio.create_task(recorder.record(event(n))))
        recorder.note(brief(n), CONNECTION, TEMPLATE)
        await asyncio.sleep(0.002)
    assert await asyncio.to_thread(worn.wait) == 1
    with LedgerProcess(tmp_path) as sound:
        told += await asyncio.gather(*waiting)
        await recorder.close()
        assert (recorder.stored, recorder.lost) == (recorder.seen, 0)
        alerts = {
            e.seq: e.value.sql
            for e in reading.records(sound.folder, briefs=False)
            if isinstance(e.value, Event)
        }
        assert [alerts.pop(seq) for seq in told] == [event(n).sql for n in range(1, 40)]
        assert not alerts
        assert verify(sound.folder).ok


@in_loop
async def test_whoever_stops_waiting_gives_up_the_answer_not_the_record(tmp_path: Path) -> None:
    ledger = LedgerProcess(tmp_path)
    recorder = Recorder(ledger.socket, "test")
    await recorder.start()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await recorder.record(event(1))
    with ledger:
        await recorder.close(20)
        assert (recorder.stored, recorder.lost) == (1, 0)
        assert len(list(reading.records(ledger.folder))) == 1


@in_loop
async def test_what_a_full_queue_keeps_out_becomes_a_record(tmp_path: Path) -> None:
    ledger = LedgerProcess(tmp_path)
    recorder = Recorder(ledger.socket, "tap/main", queue=600)
    await recorder.start()
    for n in range(1000):
        recorder.note(brief(n), CONNECTION, TEMPLATE)
    for n in range(70):
        recorder.later(event(n))
    with pytest.raises(NotStored):
        await recorder.record(event(99))
    recorder.report_loss("packet", 12, "网卡丢包")
    assert recorder.lost == 400 + 11
    with ledger:
        await recorder.close(20)
        losses = [e.value for e in reading.records(ledger.folder) if isinstance(e.value, Loss)]
        assert [(loss.source, loss.kinds) for loss in losses] == [
            ("tap/main", {"brief": 400, "event": 11}),
            ("tap/main", {"packet": 12}),
        ]
        assert recorder.stored == 660
        counted = (await asyncio.to_thread(client.stat, ledger.socket)).sources["tap/main"]
        assert (counted.seen, counted.stored, counted.lost) == (1071, 660, 411)


@in_loop
async def test_what_never_could_be_told_is_counted_at_the_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Recorder(tmp_path / "ledger.sock", "test")
    await recorder.start()
    recorder.later(event(1))
    recorder.note(brief(1), CONNECTION, TEMPLATE)
    await recorder.close(0.05)
    assert (recorder.seen, recorder.stored, recorder.lost) == (2, 0, 2)
    assert "2 records not stored" in caplog.text


@in_loop
async def test_the_same_batch_twice_is_stored_once(tmp_path: Path) -> None:
    with LedgerProcess(tmp_path) as ledger:
        recorder = BlockingRecorder(ledger.socket, "console")
        mark = codec.token(b"consoleA", 77)
        first = recorder.record(Act(1, "sign-in", "1024"), mark)
        assert recorder.record(Act(1, "sign-in", "1024"), mark) == first
        assert recorder.record(Act(1, "sign-in", "1024")) == first + 1
        ledger.kill()
        ledger.start()
        with pytest.raises(ipc.Unavailable):
            recorder.record(Act(1, "sign-in", "1024"), mark)
        assert recorder.record(Act(1, "sign-in", "1024"), mark) == first
        recorder.close()
        # Both at once, in one commit as like as not.
        both = ipc.Client(ledger.socket)
        mark = codec.token(b"consoleA", 78)
        content = codec.pack(Act(1, "x", "y"), mark)
        request = protocol.encode_append(
            protocol.Append(frame.ACT, 1, 1, 1, 0, 1, "console", content)
        )
        answers = await asyncio.gather(
            both.call("append", request), both.call("append", request), return_exceptions=True
        )
        await both.close()
        numbers = {protocol.decode_stored(a)[0] for a in answers if isinstance(a, bytes)}
        assert numbers == {first + 2}


@in_loop
async def test_records_under_marks_of_their_own_are_counted_once_each(tmp_path: Path) -> None:
    with LedgerProcess(tmp_path) as ledger:
        recorder = BlockingRecorder(ledger.socket, "console")
        for n in range(1, 6):
            recorder.record(Act(n, "sign-in", "1024"), codec.token(bytes([n] * 8), n))
        recorder.close()
        count = client.stat(ledger.socket).sources["console"]
        assert (count.seen, count.stored, count.lost) == (5, 5, 0)


@in_loop
async def test_a_follower_sees_what_is_stored_and_then_what_comes(tmp_path: Path) -> None:
    with LedgerProcess(tmp_path, segment_bytes=3000) as ledger:
        recorder = Recorder(ledger.socket, "test")
        await recorder.start()
        for n in range(1, 301):
            recorder.note(brief(n), CONNECTION, TEMPLATE)
            if n % 10 == 0:
                await recorder.record(event(n))
        seen: list = []

        async def read() -> None:
            async for entry in follow(ledger.socket, 100):
                seen.append(entry)
                if isinstance(entry.value, Act):
                    return

        reading_on = asyncio.create_task(read())
        while len(seen) < 150:
            await asyncio.sleep(0.01)
        await asyncio.to_thread(ledger.kill)
        await asyncio.to_thread(ledger.start)
        while recorder.stored < recorder.seen:
            await asyncio.sleep(0.01)
        await recorder.record(Act(1, "the end", "test"))
        await reading_on
        await recorder.close()
        assert [e.seq for e in seen] == list(range(100, 332))
        assert all(e.value.sql and e.value.client for e in seen[:-1])
        alerts = [e async for e in follow(ledger.socket, 100, live=False, briefs=False)]
        assert [e.seq for e in alerts] == [
            e.seq for e in seen if isinstance(e.value, Act) or e.value.verdict == "alert"
        ]
        blocking = list(follow_blocking(ledger.socket, 100))
        assert blocking == seen
        assert list(follow_blocking(ledger.socket, 10_000)) == []


@in_loop
async def test_who_wants_no_briefs_is_told_of_the_first_other_record(tmp_path: Path) -> None:
    with LedgerProcess(tmp_path) as ledger:
        recorder = Recorder(ledger.socket, "test")
        await recorder.start()
        coming = follow(ledger.socket, 1, briefs=False)
        first = asyncio.create_task(anext(coming))
        for n in range(5):
            recorder.note(brief(n), CONNECTION, TEMPLATE)
            while recorder.stored <= n:
                await asyncio.sleep(0.001)
        assert not first.done()
        await recorder.record(Act(1, "the end", "test"))
        # Well before the reader's own time-out, which would find it too.
        entry = await asyncio.wait_for(first, 10)
        assert (entry.seq, entry.value) == (6, Act(1, "the end", "test"))
        await coming.aclose()
        await recorder.close()


@in_loop
async def test_how_a_statement_ended_is_joined_when_read(tmp_path: Path) -> None:
    with LedgerProcess(tmp_path) as ledger:
        recorder = Recorder(ledger.socket, "test")
        await recorder.start()
        seq = await recorder.record(event(1))
        recorder.later(Completed(seq, rows=7, bytes=900, took_ms=1.5))
        await recorder.close()
        (found,) = list(reading.records(ledger.folder))
        assert isinstance(found.value, Event)
        assert (found.value.rows, found.value.bytes, found.value.took_ms) == (7, 900, 1.5)
        assert (found.value.seq, found.value.log) == (seq, found.log)
        apart = list(reading.records(ledger.folder, seq + 1))
        assert [e.value for e in apart] == [Completed(seq, rows=7, bytes=900, took_ms=1.5)]


@in_loop
async def test_what_a_client_may_not_append(tmp_path: Path) -> None:
    content = codec.pack(Act(1, "x", "y"), codec.token(b"12345678", 1))
    block = codec.pack(codec.Block((), (), (brief(1),)), codec.token(b"12345678", 1))

    def request(kind: int, count: int, content: bytes) -> bytes:
        return protocol.encode_append(protocol.Append(kind, count, 1, 0, 0, 0, "x", content))

    with LedgerProcess(tmp_path) as ledger:
        peer = ipc.Client(ledger.socket)
        for bad in (
            b"",
            b"\xff" * 40,
            request(frame.SEGMENT, 1, content),
            request(frame.RECOVERED, 1, content),
            request(99, 1, content),
            request(frame.ACT, 2, content),
            request(frame.ACT, 1, codec.pack(Act(1, "no token", "y"))),
            request(frame.EVENT, 1, content),
            request(frame.BLOCK, 300, block),
            request(frame.ACT, 1, content[:-2]),
        ):
            with pytest.raises(ipc.Refusal):
                await peer.call("append", bad)
        with pytest.raises(ipc.Refusal):
            await peer.call("read", b"nonsense")
        with pytest.raises(ipc.Refusal):
            await peer.call("erase", b"")
        assert await peer.call("ping") == b""
        await peer.close()
        assert client.stat(ledger.socket).next == 1


@in_loop
async def test_a_block_that_relies_on_too_old_a_segment_is_sent_back(tmp_path: Path) -> None:
    with LedgerProcess(tmp_path, segment_bytes=600) as ledger:
        other = BlockingRecorder(ledger.socket, "other")
        recorder = Recorder(ledger.socket, "test")
        await recorder.start()
        for n in range(12):
            for _m in range(n % 4):
                other.record(Act(n, "x" * 400, "y"))
            recorder.note(brief(n), CONNECTION, TEMPLATE)
            while recorder.stored <= n:
                await asyncio.sleep(0.002)
        await recorder.close()
        other.close()
        found = [e.value for e in reading.records(ledger.folder) if isinstance(e.value, Event)]
        assert [e.sql for e in found] == [
            f"select name from patient where id = {n}" for n in range(12)
        ]


@pytest.mark.skipif(os.geteuid() != 0, reason="calling as another user needs root")
@in_loop
async def test_another_user_is_refused(tmp_path: Path) -> None:
    with LedgerProcess(tmp_path) as ledger:
        ledger.socket.chmod(0o666)
        # Inside the folder before the identity is given up: who may enter is not what is tested.
        script = (
            "import os, socket, sys\n"
            "s = socket.socket(socket.AF_UNIX); os.chdir(sys.argv[1]); os.setuid(65534)\n"
            "s.connect('ledger.sock')\n"
            "try:\n    s.sendall(bytes.fromhex(sys.argv[2])); print(s.recv(100))\n"
            "except OSError as error: print(b'')\n"
        )
        ping = ipc._request(1, "ping", b"").hex()
        tmp_path.chmod(0o755)
        command = ["python3", "-c", script, str(tmp_path), ping]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.stdout.strip() == "b''", done.stderr


def test_what_a_source_believes_to_be_stored_and_is_not_is_missing(tmp_path: Path) -> None:
    """Exactly, whatever else is under way; and what it believed before the ledger started is not
    this ledger's to count."""
    ledger = LedgerProcess(tmp_path)
    ledger.start()
    socket = ipc.BlockingClient(ledger.socket, 10)

    def append(number: int, seen: int, lost: int, waiting: int) -> int:
        content = codec.pack(Act(number, "test", "x"), codec.token(b"sourceid", number))
        request = protocol.Append(frame.ACT, 1, 1, seen, lost, waiting, "gateway/x", content)
        socket.call("append", protocol.encode_append(request))
        return client.stat(ledger.socket).sources["gateway/x"].missing

    assert append(1, seen=1000, lost=3, waiting=5) == 0
    assert append(2, seen=1000, lost=3, waiting=4) == 0
    assert append(3, seen=1010, lost=3, waiting=13) == 0
    # Seven more than were stored here.
    assert append(4, seen=1010, lost=3, waiting=5) == 7
    assert append(5, seen=1010, lost=10, waiting=4) == 7
    socket.close()
    ledger.stop()


@in_loop
async def test_nothing_is_missing_under_load_and_over_a_kill(tmp_path: Path) -> None:
    ledger = LedgerProcess(tmp_path)
    ledger.start()
    recorder = Recorder(ledger.socket, "test")
    await recorder.start()
    for each in range(6):
        for number in range(200):
            recorder.note(brief(each * 200 + number), CONNECTION, TEMPLATE)
            if number % 20 == 0:
                recorder.later(event(number))
            if number % 50 == 0:
                await asyncio.sleep(0)
        await recorder.record(event(each))
        if each == 3:
            ledger.kill()
            ledger.start()
    await recorder.record(event(9))
    assert client.stat(ledger.socket).sources["test"].missing == 0
    await recorder.close()
    ledger.stop()
