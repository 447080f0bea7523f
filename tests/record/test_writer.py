"""The writer: acknowledged means there, after whatever crash; nothing is there that was not sent."""

import errno
import os
import random
import shutil
from pathlib import Path

import pytest

from qingfang.events import Brief
from qingfang.merkle.tree import Frontier
from qingfang.record import codec, frame, reading, segments
from qingfang.record.batch import Draft
from qingfang.record.entries import Act, Block, Recovered
from qingfang.record.keys import KeyGone, Keys
from qingfang.record.verify import verify
from qingfang.record.writer import Broken, Full, Writer

from .disks import KEYS, FailingDisk, RecordingDisk, after_power_loss

DAY_US = 86_400_000_000
MIDNIGHT_US = 1_795_449_600_000_000  # 2026-11-24 00:00 in China


class Clock:
    def __init__(self, at: int = MIDNIGHT_US) -> None:
        self.at = at

    def __call__(self) -> int:
        self.at += 1
        return self.at


def writer(folder: Path, disk=None, size=1 << 20, clock=None) -> Writer:
    return Writer(
        folder,
        site="hospital",
        node="node-1",
        segment_bytes=size,
        clock=clock or Clock(),
        disk=disk,
    )


def draft(number: int, padding: int = 0) -> Draft:
    details = {"padding": random.Random(number).randbytes(padding).hex()} if padding else {}
    act = Act(number, "test", "1024", details=details)
    return Draft(frame.ACT, 1, codec.pack(act, codec.token(b"testtest", number)))


def acts(folder: Path) -> list[int]:
    return [e.value.at_us for e in reading.records(folder) if isinstance(e.value, Act)]


@pytest.fixture
def memory(tmp_path: Path):
    """A folder whose syncs cost nothing, where there is one."""
    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path
        return
    folder = Path("/dev/shm") / f"qingfang-test-{os.getpid()}-{random.getrandbits(40):x}"
    folder.mkdir(mode=0o700)
    yield folder
    shutil.rmtree(folder)


def test_numbers_go_on_over_restarts(tmp_path: Path) -> None:
    one = writer(tmp_path)
    assert one.append([draft(1), draft(2)]) == [1, 2]
    one.close()
    two = writer(tmp_path)
    assert two.recovered is None
    assert two.log == one.log
    assert two.append([draft(3)]) == [3]
    two.close()
    assert acts(tmp_path) == [1, 2, 3]
    assert verify(tmp_path).ok


def test_a_block_takes_as_many_numbers_as_it_has_records(tmp_path: Path) -> None:
    one = writer(tmp_path)
    briefs = tuple(Brief("c", n, b"t" * 32, "query", (), None) for n in range(256))
    block = codec.pack(Block((), (), briefs), codec.token(b"testtest", 9))
    assert one.append([Draft(frame.BLOCK, 256, block), draft(1)]) == [1, 257]
    one.close()
    report = verify(tmp_path)
    assert (report.ok, report.records, report.unopened) == (True, 257, 0)


def test_more_than_a_frame_holds_is_several(tmp_path: Path) -> None:
    one = writer(tmp_path)
    drafts = [draft(n) for n in range(1, 70_001)]
    assert one.append(drafts) == list(range(1, 70_001))
    one.close()
    assert len(one.leaves) == 1 + 2
    assert acts(tmp_path) == list(range(1, 70_001))


def test_nothing_stands_on_the_disk_in_plain(tmp_path: Path) -> None:
    one = writer(tmp_path)
    act = Act(1, "alert.read", "staff-4711", about="阿莫西林")
    one.append([Draft(frame.ACT, 1, codec.pack(act, codec.token(b"testtest", 1)))])
    one.close()
    stored = (tmp_path / segments.name(1)).read_bytes()
    assert b"staff-4711" not in stored
    assert "阿莫西林".encode() not in stored
    assert [e.value for e in reading.records(tmp_path)] == [act]


def test_a_key_that_is_gone_takes_its_records_with_it(tmp_path: Path) -> None:
    """And only them; what is proven of the frames is proven without keys."""
    one = writer(tmp_path, size=900)
    for n in range(1, 6):
        one.append([draft(n, 200)])
    one.close()
    keys = Keys(tmp_path)
    keys.path(2).unlink()
    with pytest.raises(KeyGone, match="0000000002"):
        acts(tmp_path)
    report = verify(tmp_path)
    assert (report.ok, report.code) == (False, "key")
    shutil.rmtree(tmp_path / "keys")
    report = verify(tmp_path)
    assert (report.ok, report.records, report.unopened) == (True, 5, 5)


def test_a_log_of_the_older_format_is_left_alone(tmp_path: Path) -> None:
    old = tmp_path / segments.name(1)
    data = bytes(27) + b"\1" + bytes(200)
    old.write_bytes(data)
    with pytest.raises(Broken, match="格式 1"):
        writer(tmp_path)
    assert old.read_bytes() == data


def test_a_writer_without_the_key_of_its_open_segment_does_not_start(tmp_path: Path) -> None:
    writer(tmp_path).close()
    Keys(tmp_path).path(1).unlink()
    with pytest.raises(Broken, match="密钥"):
        writer(tmp_path)


def test_the_leaves_are_those_of_a_tree_over_the_frames(tmp_path: Path) -> None:
    one = writer(tmp_path, size=2000)
    for n in range(1, 30):
        one.append([draft(n, 100)])
    one.close()
    for number, name in enumerate(("sha256", "sm3")):
        tree = Frontier(name)
        for leaves in one.leaves:
            tree.append(leaves[number])
        report = verify(tmp_path, jobs=2)
        assert report.ok and report.size == tree.size
        assert tree.root().hex() == (report.root, report.sm3_root)[number]


def test_segments_roll_by_size(tmp_path: Path) -> None:
    one = writer(tmp_path, size=4000)
    for n in range(1, 40):
        one.append([draft(n, 100)])
    one.close()
    assert one.segment > 3
    assert all(
        (tmp_path / segments.name(n)).stat().st_size <= 4000 + 900
        for n in segments.numbers(tmp_path)
    )
    report = verify(tmp_path)
    assert (report.ok, report.records, report.segments) == (True, 39, one.segment)
    assert acts(tmp_path) == list(range(1, 40))


def test_segments_roll_at_midnight_in_china(tmp_path: Path) -> None:
    clock = Clock(MIDNIGHT_US - 10)
    one = writer(tmp_path, clock=clock)
    one.append([draft(1)])
    assert one.segment == 1
    clock.at = MIDNIGHT_US
    one.append([draft(2)])
    assert one.segment == 2
    clock.at -= DAY_US  # a clock that is set back rolls too: a segment is of one day
    one.append([draft(3)])
    assert one.segment == 3
    one.close()
    assert verify(tmp_path).ok


def test_a_closed_last_segment_is_followed_by_a_new_one(tmp_path: Path) -> None:
    disk = FailingDisk()
    one = writer(tmp_path, disk, size=300)
    one.append([draft(1, 100)])
    disk.failures["create"] = errno.ENOSPC
    with pytest.raises(Full):
        one.append([draft(2, 100)])
    one.close()
    two = writer(tmp_path, size=300)
    assert two.append([draft(2, 100)]) == [2]
    two.close()
    assert verify(tmp_path).ok


def test_two_writers_exclude_each_other(tmp_path: Path) -> None:
    one = writer(tmp_path)
    with pytest.raises(Broken, match="另一个账本进程"):
        writer(tmp_path)
    one.close()
    writer(tmp_path).close()


def test_a_batch_sent_again_is_known_over_a_restart_and_a_roll(tmp_path: Path) -> None:
    one = writer(tmp_path, size=300)
    one.append([draft(1, 100)])
    one.append([draft(2, 100)])
    assert one.segment == 2
    one.close()
    two = writer(tmp_path)
    assert [two.known(draft(n, 100).content) for n in (1, 2, 3)] == [1, 2, None]
    two.close()


def test_cut_at_every_byte_of_the_last_frames(memory: Path) -> None:
    """A write that stopped anywhere: what was whole is kept, the rest is put aside and told."""
    source = memory / "source"
    one = writer(source)
    one.append([draft(1), draft(2)])
    kept = (source / segments.name(1)).stat().st_size
    one.append([draft(3), draft(4, 60)])
    one.close()
    whole = (source / segments.name(1)).read_bytes()
    for size in range(kept, len(whole)):
        folder = memory / f"cut-{size}"
        shutil.copytree(source / KEYS, folder / KEYS)
        (folder / segments.name(1)).write_bytes(whole[:size])
        two = writer(folder)
        found = acts(folder)
        assert found == [1, 2]
        recovered = [e.value for e in reading.records(folder) if isinstance(e.value, Recovered)]
        assert (two.recovered is None) == (recovered == [])
        if recovered:
            torn = recovered[0]
            assert (folder / torn.kept_as).read_bytes() == whole[torn.offset : size]
        two.append([draft(9)])
        two.close()
        assert acts(folder) == [*found, 9]
        report = verify(folder)
        assert (report.ok, report.repairs) == (True, len(recovered)), report
        shutil.rmtree(folder)


def test_cut_at_every_byte_of_a_new_segments_first_frame(memory: Path) -> None:
    source = memory / "source"
    one = writer(source, size=300)
    one.append([draft(1, 100)])
    one.append([draft(2, 100)])
    one.close()
    first = segments.first_of(source / segments.name(2), 2)
    assert first is not None
    whole = (source / segments.name(2)).read_bytes()
    for size in range(first.end):
        folder = memory / f"cut-{size}"
        shutil.copytree(source / KEYS, folder / KEYS)
        shutil.copy(source / segments.name(1), folder)
        (folder / segments.name(2)).write_bytes(whole[:size])
        two = writer(folder)
        assert two.append([draft(2)]) == [2]
        two.close()
        assert acts(folder) == [1, 2]
        assert verify(folder).ok
        shutil.rmtree(folder)


def test_a_damaged_start_with_records_behind_it_is_not_overwritten(tmp_path: Path) -> None:
    one = writer(tmp_path)
    one.append([draft(n, 200) for n in range(1, 20)])
    one.close()
    path = tmp_path / segments.name(1)
    data = bytearray(path.read_bytes())
    data[10] ^= 1
    path.write_bytes(data)
    with pytest.raises(Broken, match="ledger verify"):
        writer(tmp_path)
    assert path.read_bytes() == bytes(data)


@pytest.mark.parametrize("seed", range(8))
def test_power_loss(memory: Path, seed: int) -> None:
    """Three hundred states of the disk after the power went, each read by a new writer: every
    acknowledged record is there, in order, and none that was not sent."""
    chance = random.Random(seed)
    disk = RecordingDisk()
    one = writer(memory / "log", disk, size=chance.choice([3000, 9000, 40_000]))
    number = 0
    for _round in range(chance.randrange(12, 30)):
        batch = [
            draft(number + n + 1, chance.choice([0, 0, 40, 300, 1500]))
            for n in range(chance.randrange(1, 7))
        ]
        disk.mark("sent", number + len(batch))
        one.append(batch)
        number += len(batch)
        disk.mark("acknowledged", number)
    one.close()
    for state in range(300):
        cut = chance.randrange(1, len(disk.operations) + 1)
        sent = acknowledged = 0
        for operation in disk.operations[:cut]:
            if operation[:2] == ("mark", "sent"):
                sent = operation[2]
            elif operation[:2] == ("mark", "acknowledged"):
                acknowledged = operation[2]
        folder = memory / f"state-{state}"
        (folder / KEYS).mkdir(parents=True)
        for name, data in after_power_loss(disk.operations, cut, chance).items():
            (folder / name).write_bytes(data)
        two = writer(folder)
        found = acts(folder)
        assert found == list(range(1, len(found) + 1)), (seed, state)
        assert acknowledged <= len(found) <= sent, (seed, state)
        two.append([draft(number + 1)])
        two.close()
        report = verify(folder)
        assert report.ok, (seed, state, report)
        assert acts(folder)[-1] == number + 1
        shutil.rmtree(folder)


def test_a_failed_sync_stops_the_writer(tmp_path: Path) -> None:
    disk = FailingDisk()
    one = writer(tmp_path, disk)
    one.append([draft(1)])
    disk.failures["sync"] = errno.EIO
    with pytest.raises(Broken, match="EIO"):
        one.append([draft(2)])
    disk.failures.clear()
    syncs = disk.calls["sync"]
    with pytest.raises(Broken):
        one.append([draft(3)])
    assert disk.calls["sync"] == syncs
    one.close()
    two = writer(tmp_path)
    assert two.append([draft(3)]) == [3]  # the second was written whole, though never synced
    two.close()
    assert verify(tmp_path).ok


@pytest.mark.parametrize("room", [0, 1, 30, 100, 250])
def test_a_full_disk_takes_back_the_batch_and_recovers(tmp_path: Path, room: int) -> None:
    disk = FailingDisk()
    one = writer(tmp_path, disk)
    one.append([draft(1)])
    disk.room = room
    with pytest.raises(Full, match="ENOSPC"):
        one.append([draft(2, 100), draft(3, 100)])
    assert verify(tmp_path).ok
    assert acts(tmp_path) == [1]
    disk.room = None
    assert one.append([draft(2)]) == [2]
    one.close()
    assert verify(tmp_path).ok


def test_a_disk_that_cannot_even_take_back_breaks_the_writer(tmp_path: Path) -> None:
    disk = FailingDisk()
    one = writer(tmp_path, disk)
    disk.room, disk.failures["truncate"] = 20, errno.EROFS
    with pytest.raises(Broken):
        one.append([draft(1)])
    one.close()
    two = writer(tmp_path)
    assert two.recovered is not None and two.recovered.size == 20
    two.close()
    assert verify(tmp_path).ok
