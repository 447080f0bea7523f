"""A frame is valid in one place, undamaged, or it is no frame."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qingfang.record import frame

PREVIOUS = bytes(range(32))


def parse(data: bytes, segment=7, number=41, sequence=900, offset=0):
    return frame.parse(memoryview(data), offset, segment, number, sequence)


def sample(content: bytes = b"content", **other: int) -> bytes:
    fields = {"segment": 7, "number": 41, "sequence": 900, "count": 3, "kind": frame.BATCH}
    return frame.encode(**{**fields, **other}, previous=PREVIOUS, content=content)


@given(
    st.binary(max_size=2000),
    st.integers(0, 2**63),
    st.integers(0, 2**63),
    st.integers(0, 2**63),
    st.integers(0, 65535),
    st.sampled_from((frame.SEGMENT, frame.CLOSE, frame.BATCH)),
    st.binary(max_size=40),
)
def test_what_is_written_is_read(content, segment, number, sequence, count, kind, before) -> None:
    data = frame.encode(segment, number, sequence, count, kind, PREVIOUS, content)
    found = parse(before + data + b"after", segment, number, sequence, len(before))
    assert found is not None
    assert (found.number, found.sequence, found.count, found.kind) == (
        number,
        sequence,
        count,
        kind,
    )
    assert (found.previous, found.content) == (PREVIOUS, content)
    assert (found.start, found.end) == (len(before), len(before) + len(data))


def test_the_salt_makes_equal_records_differ() -> None:
    assert sample() != sample()


@pytest.mark.parametrize("size", [108, 512, 4096, 65536])
@pytest.mark.parametrize("fill", [0x00, 0xFF, 0xA5])
def test_a_filled_sector_is_no_frame(size: int, fill: int) -> None:
    assert parse(bytes([fill]) * size, 0, 0, 0) is None
    assert parse(bytes([fill]) * size) is None


def test_every_single_bit_counts() -> None:
    data = sample(b"0123456789" * 5)
    for bit in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        assert parse(bytes(flipped)) is None, bit


def test_every_byte_must_be_there() -> None:
    data = sample()
    assert parse(data) is not None
    assert all(parse(data[:size]) is None for size in range(len(data)))


@pytest.mark.parametrize("wrong", [{"segment": 8}, {"number": 42}, {"sequence": 901}])
def test_a_frame_is_no_frame_elsewhere(wrong: dict[str, int]) -> None:
    assert parse(sample(), **wrong) is None


def test_a_frame_of_another_segment_does_not_pass_for_its_header() -> None:
    """Its numbers fit; the seed of its CRC does not."""
    assert parse(sample(segment=6)) is None


def test_an_unknown_kind_or_version_is_no_frame() -> None:
    assert parse(sample(kind=99)) is None


def test_too_large_a_record_is_refused() -> None:
    with pytest.raises(ValueError, match="the most is"):
        frame.encode(1, 1, 1, 1, frame.BATCH, PREVIOUS, bytes(frame.MAX_CONTENT + 1))


def test_twenty_thousand_hostile_inputs() -> None:
    """Garbage and damaged frames: never an error, never a frame that was not written."""
    chance = random.Random(20261123)
    good = [sample(chance.randbytes(chance.randrange(300))) for _n in range(50)]
    for _n in range(20_000):
        data = bytearray(chance.choice(good))
        match chance.randrange(4):
            case 0:
                data = bytearray(chance.randbytes(chance.randrange(200)))
            case 1:
                for _m in range(chance.randrange(1, 8)):
                    data[chance.randrange(len(data))] = chance.randrange(256)
            case 2:
                at = chance.randrange(len(data))
                data = data[:at] + chance.choice(good)[at:]
            case 3:
                at = chance.randrange(len(data))
                data[at : at + 64] = bytes(len(data[at : at + 64]))
        found = parse(bytes(data))
        assert found is None or bytes(data[: found.end]) in good
