"""Hostile capture files: the only error is `NotACapture`, and no packet exceeds the file."""

import io
import random

from qingfang.sense.tap.pcapfile import CaptureFile, NotACapture
from tests.support.frames import T0, Talk, interface, option, packet, pcap, section

_TALK = Talk()
_FRAMES = [f[:70] for f in (*_TALK.handshake(), _TALK.client(b"select 1"))]
_ORIGINALS = (
    pcap(_FRAMES),
    pcap(_FRAMES, order=">", nanoseconds=True),
    section()
    + interface("<", 1, 0, option("<", 9, b"\x06"))
    + b"".join(packet("<", 0, T0 + n, f) for n, f in enumerate(_FRAMES)),
)


def attack(seed: int) -> None:
    rng = random.Random(seed)
    data = bytearray(rng.choice(_ORIGINALS))
    for _change in range(rng.randint(1, 4)):
        at = rng.randrange(len(data))
        match rng.randrange(4):
            case 0:
                data[at] = rng.getrandbits(8)
            case 1:
                del data[at : at + rng.randint(1, 30)]
            case 2:
                data[at:at] = rng.randbytes(rng.randint(1, 8))
            case _:
                data[at : at + 4] = rng.choice((b"\0" * 4, b"\xff" * 4, b"\x7f\xff\xff\xff"))
        if not data:
            break
    try:
        file = CaptureFile(io.BytesIO(bytes(data)), "x")  # type: ignore[arg-type]
    except NotACapture:
        return
    assert sum(len(frame) for *_rest, frame in file) <= len(data)
    assert file.offset <= len(data)
