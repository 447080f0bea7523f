"""What the ledger publishes: checkpoints over what is stored, and never over something else."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest

from qingfang.merkle import checkpoint, note
from qingfang.merkle.tiles import TileReader, from_folder
from qingfang.merkle.tree import inclusion, root_of, subtree_root
from qingfang.record import codec, frame, segments
from qingfang.record.batch import Draft
from qingfang.record.entries import Act
from qingfang.record.publishing import LATEST, Publisher, Unsound, latest, machine_keys
from qingfang.record.verify import verify
from qingfang.record.writer import Writer

AT_US = 1_795_449_600_000_000


def writer(folder: Path, size: int = 30_000) -> Writer:
    at = iter(range(AT_US, AT_US + 10**9))
    return Writer(folder, site="h", node="n", segment_bytes=size, clock=lambda: next(at))


def write(one: Writer, begin: int, end: int) -> None:
    for n in range(begin, end):
        act = Act(n, "test", "1024", details={"x": "y" * 100})
        one.append([Draft(frame.ACT, 1, codec.pack(act, codec.token(b"testtest", n)))])


def publish(publisher: Publisher, one: Writer, keep: bool = False) -> None:
    publisher.extend(one.leaves)
    one.leaves = []
    publisher.publish(AT_US // 1_000_000, one.sequence - 1, (one.sequence - 1, 0, 0), keep)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Three hundred records in several segments, published in between."""
    one = writer(tmp_path)
    publisher = Publisher(tmp_path, one.log)
    one.leaves.clear()
    for n in range(1, 301, 20):
        write(one, n, n + 20)
        publish(publisher, one, keep=n % 100 == 1)
    one.close()
    return tmp_path


def test_a_checkpoint_is_what_verification_finds(log: Path) -> None:
    report = verify(log)
    signed = note.parse((log / LATEST).read_bytes())
    found = checkpoint.read(signed.text)
    assert (found.size, found.root.hex(), found.sm3_root.hex()) == (
        report.size,
        report.root,
        report.sm3_root,
    )
    assert (found.origin, found.records, found.stored) == (report.log, 300, 300)
    assert all(note.is_signed(signed, report.log, key) for key in machine_keys(log))
    assert len(list((log / "checkpoints").iterdir())) == 3


def test_every_frame_is_proven_from_the_tiles_alone(log: Path) -> None:
    found = latest(log)
    assert found is not None
    for name, root in (("sha256", found.root), ("sm3", found.sm3_root)):
        reader = TileReader(name, found.size, from_folder(log))  # type: ignore[arg-type]
        assert subtree_root(name, 0, found.size, reader) == root  # type: ignore[arg-type]
        for index in (0, 17, 255, 256, found.size - 1):
            proof = inclusion(name, index, found.size, reader)  # type: ignore[arg-type]
            leaf = reader(0, index)
            assert root_of(name, index, found.size, leaf, proof) == root  # type: ignore[arg-type]


@pytest.mark.parametrize("lost", ["nothing", "partial tiles", "all tiles", "the checkpoint"])
def test_opened_again_it_goes_on(log: Path, lost: str) -> None:
    if lost == "partial tiles":
        for path in log.glob("**/*.p"):
            shutil.rmtree(path)
    elif lost == "all tiles":
        shutil.rmtree(log / "tile")
        shutil.rmtree(log / "sm3")
    elif lost == "the checkpoint":
        (log / LATEST).unlink()
    one = writer(log)
    publisher = Publisher(log, one.log)
    one.leaves.clear()
    write(one, 301, 331)
    publish(publisher, one)
    one.close()
    report, found = verify(log), latest(log)
    assert found is not None
    assert (found.size, found.root.hex(), found.sm3_root.hex()) == (
        report.size,
        report.root,
        report.sm3_root,
    )
    assert found.seen == (330 if lost == "the checkpoint" else 630)


def cut_off(log: Path, frames: int) -> None:
    """As an administrator would: at a frame's end, so that the segments look sound."""
    number = segments.numbers(log)[-1]
    path = log / segments.name(number)
    first = segments.first_of(path, number)
    assert first is not None
    place = segments.Place(number, 0, first.number, first.sequence)
    found = segments.read_on(log, place, 1 << 60, 1 << 20)
    path.write_bytes(path.read_bytes()[: found[max(1, len(found) - frames)].start])
    report = verify(log)
    assert (report.ok, report.code) == (False, "rolled-back")
    assert "截去或退回" in (report.problem or "")


def test_a_checkpoint_of_another_history_is_found(log: Path) -> None:
    """One that an earlier state was signed with, now put beside a log written anew."""
    assert verify(log).checkpoints == 4
    data = (log / LATEST).read_bytes()
    kept = sorted((log / "checkpoints").iterdir())[1]
    signed = note.parse(data)
    other = checkpoint.read(note.parse(kept.read_bytes()).text)
    forged = msgspec.structs.replace(other, sm3_root=bytes(32))
    kept.write_bytes(note.Note(forged.encode(), signed.lines).encode())
    report = verify(log)
    assert (report.ok, report.code) == (False, "order")
    assert str(other.size) in (report.problem or "")


def test_a_log_cut_off_is_not_signed_again(log: Path) -> None:
    cut_off(log, 3)
    one = writer(log)
    with pytest.raises(Unsound, match="被截去或退回"):
        Publisher(log, one.log)
    one.close()


def test_cut_off_and_written_anew_is_not_signed_either(log: Path) -> None:
    """Longer than before, and another log."""
    cut_off(log, 3)
    one = writer(log)
    write(one, 400, 420)
    with pytest.raises(Unsound, match=r"检查点不符|瓦片不符"):
        Publisher(log, one.log)
    one.close()


def test_a_changed_tile_is_found(log: Path) -> None:
    path = log / "tile/0/000"
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)
    one = writer(log)
    with pytest.raises(Unsound):
        Publisher(log, one.log)
    one.close()


def test_another_logs_checkpoint_is_refused(
    log: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    one = writer(other)
    publisher = Publisher(other, one.log)
    one.leaves.clear()
    write(one, 1, 5)
    publish(publisher, one)
    one.close()
    shutil.copy(other / LATEST, log / LATEST)
    again = writer(log)
    with pytest.raises(Unsound, match="另一个账本"):
        Publisher(log, again.log)
    again.close()
    (log / LATEST).write_bytes(b"nonsense")
    with pytest.raises(Unsound, match="读不懂"):
        latest(log)


def test_the_machines_keys_are_made_once_and_shown_to_the_office(log: Path) -> None:
    keys = machine_keys(log)
    assert [k.algorithm for k in keys] == ["ed25519", "sm2"]
    assert [k.public for k in machine_keys(log)] == [k.public for k in keys]
    lines = (log / "request").read_text().splitlines()
    assert lines[1].startswith("ed25519 ")
    assert lines[2].startswith("sm2 ")
    assert (log / "signing" / "sm2.pem").stat().st_mode & 0o077 == 0
