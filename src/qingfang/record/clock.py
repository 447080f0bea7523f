"""What the machine knows of its own clock: the kernel's estimate of its offset (adjtimex)."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import ClassVar, Final

_UNSYNCHRONISED: Final = 0x0040
_NANOSECONDS: Final = 0x2000
_ERROR: Final = 5


class _Timex(ctypes.Structure):
    """struct timex of Linux, up to what is read here; the rest is room."""

    _fields_: ClassVar = [
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 256),
    ]


def offset_ms() -> int | None:
    """How far the clock is off, by the daemon that keeps it; None when nothing keeps it."""
    values = _Timex()
    state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(values))
    if state < 0 or state == _ERROR or values.status & _UNSYNCHRONISED:
        return None
    return round(values.offset / (1_000_000 if values.status & _NANOSECONDS else 1000))


def boot_id() -> str:
    """A name for the time since the machine was started."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
