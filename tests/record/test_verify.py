"""Whatever is done to the files afterwards, verification finds it and names the first place."""

import random
import shutil
from pathlib import Path

import pytest

from qingfang.record import codec, frame, segments
from qingfang.record.batch import Draft, Opener, make
from qingfang.record.chain import Chain, leaf
from qingfang.record.entries import Act, Opened
from qingfang.record.verify import Report, verify
from qingfang.record.writer import Writer

RECORDS = 60


def fill(folder: Path, seed: int = 1, size: int = 4000) -> Path:
    at = iter(range(1_795_449_600_000_000, 1_795_449_700_000_000))
    one = Writer(folder, site="hospital", node="n", segment_bytes=size, clock=lambda: next(at))
    chance = random.Random(seed)
    for n in range(1, RECORDS + 1):
        act = Act(n, "test", "1024", details={"x": chance.randbytes(60).hex()})
        one.append([Draft(frame.ACT, 1, codec.pack(act, codec.token(b"testtest", n)))])
    one.close()
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return fill(tmp_path / "log")


def frames(path: Path, number: int) -> list[frame.Frame]:
    first = segments.first_of(path, number)
    assert first is not None
    opened = codec.unpack(frame.SEGMENT, first.content)
    assert isinstance(opened, Opened)
    chain = Chain(first.number, first.sequence, first.previous, opened.peaks, opened.sm3_peaks)
    return list(segments.Walk(path, number, chain))


def segment(folder: Path, number: int) -> Path:
    return folder / segments.name(number)


def test_a_sound_log(folder: Path) -> None:
    report = verify(folder)
    assert (report.ok, report.records, report.first, report.last) == (True, 60, 1, 60)
    assert report.segments == len(segments.numbers(folder)) > 3
    assert (report.first_bad, report.problem, report.witnessed_to) == (None, None, None)


def test_progress_ends_at_everything(folder: Path) -> None:
    told: list[tuple[int, int]] = []
    verify(folder, lambda done, total: told.append((done, total)))
    assert told[-1][0] == told[-1][1]
    assert told == sorted(told)


def test_an_empty_folder(tmp_path: Path) -> None:
    report = verify(tmp_path)
    assert (report.ok, report.code) == (False, "empty")
    assert "没有账本段文件" in (report.problem or "")


def test_every_flipped_bit_is_found(folder: Path) -> None:
    chance = random.Random(3)
    numbers = segments.numbers(folder)
    for _n in range(400):
        path = segment(folder, chance.choice(numbers))
        data = path.read_bytes()
        bit = chance.randrange(len(data) * 8)
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        report = verify(folder)
        assert not report.ok, (path.name, bit)
        assert report.first_bad is not None
        path.write_bytes(data)
    assert verify(folder).ok


def test_the_first_bad_record_is_named(folder: Path) -> None:
    path = segment(folder, 2)
    bad = frames(path, 2)[3]
    data = bytearray(path.read_bytes())
    data[bad.end - 1] ^= 1
    path.write_bytes(data)
    report = verify(folder)
    assert (report.code, report.first_bad) == ("damaged", bad.sequence)
    assert segments.name(2) in (report.problem or "")


def test_a_deleted_frame(folder: Path) -> None:
    path = segment(folder, 2)
    gone = frames(path, 2)[3]
    data = path.read_bytes()
    path.write_bytes(data[: gone.start] + data[gone.end :])
    report = verify(folder)
    assert (report.ok, report.first_bad) == (False, gone.sequence)


def test_two_frames_exchanged(folder: Path) -> None:
    path = segment(folder, 2)
    a, b = frames(path, 2)[3:5]
    data = path.read_bytes()
    path.write_bytes(
        data[: a.start] + data[b.start : b.end] + data[a.start : a.end] + data[b.end :]
    )
    report = verify(folder)
    assert (report.ok, report.first_bad) == (False, a.sequence)


def forged(folder: Path, old: frame.Frame, previous: bytes, content: bytes) -> bytes:
    """A batch in place of another as somebody with the key can make it: all checksums right."""
    key = Opener(folder).key(old.segment)
    salt = bytes(16)
    made = make([Draft(frame.ACT, 1, content)], old.sequence, key, salt)
    fields = (old.number, old.sequence, 1, frame.BATCH, previous)
    sealed = key.seal(salt, frame.body(*fields, made.commitment), made.plain)
    return frame.encode(old.segment, *fields, sealed, salt, made.commitment)


FORGED = codec.pack(Act(0, "forged", "nobody"), codec.token(b"testtest", 4))


def forge(folder: Path, number: int, at: int) -> frame.Frame:
    """Replace frame `at` by another content, with every number and checksum right."""
    path = segment(folder, number)
    old = frames(path, number)[at]
    new = forged(folder, old, old.previous, FORGED)
    data = path.read_bytes()
    path.write_bytes(data[: old.start] + new + data[old.end :])
    return old


def test_a_forged_frame_with_right_checksums_breaks_the_chain(folder: Path) -> None:
    old = forge(folder, 2, 3)
    report = verify(folder)
    assert (report.code, report.first_bad) == ("order", old.sequence + 1)


def test_a_forged_frame_with_the_chain_mended_breaks_the_closing(folder: Path) -> None:
    """Frame by frame everything fits; the root in the closing frame does not."""
    path = segment(folder, 2)
    old = frames(path, 2)
    data = path.read_bytes()
    head = old[0].previous
    mended = b""
    for n, each in enumerate(old):
        if n == 3:
            new = forged(folder, each, head, FORGED)
        elif each.kind == frame.BATCH:
            [item] = Opener(folder).items(each)
            new = forged(folder, each, head, item.content)
        else:
            numbers = (each.number, each.sequence, each.count, each.kind)
            new = frame.encode(2, *numbers, head, each.content)
        head = leaf(new)
        mended += new
    assert len(mended) != len(data)
    path.write_bytes(mended)
    report = verify(folder)
    assert (report.code, report.first_bad) == ("damaged", old[-1].sequence)


def test_a_content_that_is_not_what_was_committed_to(folder: Path) -> None:
    path = segment(folder, 1)
    old = frames(path, 1)[2]
    key = Opener(folder).key(1)
    head = frame.body(old.number, old.sequence, 1, frame.BATCH, old.previous, old.commitment)
    made = make([Draft(frame.ACT, 1, FORGED)], old.sequence, key, old.salt)
    sealed = key.seal(old.salt, head, made.plain)
    new = frame.encode(
        1, old.number, old.sequence, 1, frame.BATCH, old.previous, sealed, old.salt, old.commitment
    )
    data = path.read_bytes()
    path.write_bytes(data[: old.start] + new + data[old.end :])
    report = verify(folder)
    assert (report.code, report.first_bad) == ("damaged", old.sequence)
    assert "承诺" in (report.problem or "")


def test_side_by_side_is_as_one_after_the_other(folder: Path) -> None:
    assert verify(folder, jobs=2) == verify(folder)
    forge(folder, 2, 3)
    assert verify(folder, jobs=2) == verify(folder)


def test_a_segment_rewritten_whole_does_not_fit_its_neighbours(tmp_path: Path) -> None:
    ours, other = fill(tmp_path / "a", 1), fill(tmp_path / "b", 2)
    shutil.copy(segment(other, 2), segment(ours, 2))
    report = verify(ours)
    first = segments.first_of(segment(ours, 2), 2)
    assert first is not None
    assert (report.code, report.first_bad) == ("order", first.sequence)


def test_frames_of_another_log_spliced_in(tmp_path: Path) -> None:
    ours, other = fill(tmp_path / "a", 1), fill(tmp_path / "b", 2)
    theirs, mine = frames(segment(other, 2), 2)[4], frames(segment(ours, 2), 2)[4]
    path = segment(ours, 2)
    data = path.read_bytes()
    middle = segment(other, 2).read_bytes()[theirs.start : theirs.end]
    path.write_bytes(data[: mine.start] + middle + data[mine.end :])
    report = verify(ours)
    assert (report.code, report.first_bad) == ("order", mine.sequence)


def test_a_missing_segment(folder: Path) -> None:
    first = segments.first_of(segment(folder, 3), 3)
    assert first is not None
    segment(folder, 3).unlink()
    report = verify(folder)
    assert (report.code, report.first_bad) == ("missing", first.sequence)


def test_segments_renamed_to_close_a_gap(folder: Path) -> None:
    segment(folder, 3).unlink()
    for number in segments.numbers(folder):
        if number > 3:
            segment(folder, number).rename(segment(folder, number - 1))
    assert not verify(folder).ok


def test_a_closed_segment_cut_at_a_frames_end(folder: Path) -> None:
    path = segment(folder, 2)
    closing = frames(path, 2)[-1]
    path.write_bytes(path.read_bytes()[: closing.start])
    report = verify(folder)
    assert (report.code, report.first_bad) == ("truncated", closing.sequence)


def test_bytes_behind_the_closing_frame(folder: Path) -> None:
    path = segment(folder, 2)
    path.write_bytes(path.read_bytes() + b"more")
    assert verify(folder).code == "trailing"


def test_the_last_segment_cut_within_a_frame(folder: Path) -> None:
    number = segments.numbers(folder)[-1]
    path = segment(folder, number)
    last = frames(path, number)[-1]
    path.write_bytes(path.read_bytes()[: last.end - 5])
    report = verify(folder)
    assert (report.code, report.first_bad) == ("truncated", last.sequence)


def test_what_only_a_witness_can_see_is_not_claimed(folder: Path) -> None:
    """Cut at a frame's end the log looks sound; the report says that nobody vouches for its end."""
    number = segments.numbers(folder)[-1]
    path = segment(folder, number)
    last = frames(path, number)[-1]
    path.write_bytes(path.read_bytes()[: last.start])
    report = verify(folder)
    assert (report.ok, report.last, report.witnessed_to) == (True, last.sequence - 1, None)


def test_retention_leaves_the_rest_provable(folder: Path) -> None:
    for number in (1, 2):
        segment(folder, number).unlink()
    report = verify(folder)
    first = segments.first_of(segment(folder, 3), 3)
    assert first is not None
    assert (report.ok, report.first, report.unproven) == (
        True,
        first.sequence,
        first.sequence - 1,
    )


def test_a_kept_remainder_must_stay(folder: Path) -> None:
    number = segments.numbers(folder)[-1]
    path = segment(folder, number)
    path.write_bytes(path.read_bytes() + b"half a frame")
    one = Writer(folder, site="hospital", node="n", segment_bytes=1 << 20, clock=lambda: 1)
    assert one.recovered is not None
    one.close()
    kept = folder / one.recovered.kept_as
    assert kept.read_bytes() == b"half a frame"
    report: Report = verify(folder)
    assert (report.ok, report.repairs) == (True, 1)
    kept.write_bytes(b"half a frame, changed")
    assert verify(folder).code == "missing"
    kept.unlink()
    assert verify(folder).code == "missing"
