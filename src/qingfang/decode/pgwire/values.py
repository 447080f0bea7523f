"""Bound values as text, from the bytes of a Bind message.

Rules this module keeps:

1. A text value is decoded by the session's encoding; NULL is None.
2. A binary value whose type is known reads as the server would print it (ISO dates, `t`/`f`,
   `{a,b}` arrays); a value that does not fit its type is treated as one of unknown type.
3. A binary value of unknown type is guessed and named as guessed: printable text, an integer of 2,
   4 or 8 bytes, otherwise `\\x` and hexadecimal digits.

Type numbers are those of `pg_type.dat`, binary forms those of the types' `*recv` functions.
"""

from __future__ import annotations

import struct
from datetime import date, datetime, timedelta
from typing import Final

from mypy_extensions import i64

from qingfang.decode.pgwire.frames import four_bytes, two_bytes
from qingfang.decode.pgwire.text import decode

_TEXTS: Final = frozenset((18, 19, 25, 114, 142, 705, 1042, 1043))
_INTEGERS: Final[dict[int, int]] = {20: 8, 21: 2, 23: 4, 26: 4, 28: 4, 2205: 4}
_EPOCH: Final = datetime(2000, 1, 1)
_ARRAYS: Final = frozenset(
    (199, 1000, 1001, 1002, 1003, 1005, 1007, 1009, 1014, 1015, 1016, 1021, 1022, 1028, 1115)
) | frozenset((1182, 1185, 1231, 2951, 3807))
_QUOTED: Final = frozenset('{}",\\ \t\n\r\v\f')


def bound_values(
    body: bytes, pos: i64, oids: tuple[int, ...], codec: str
) -> tuple[tuple[str | None, ...], tuple[int, ...], bool]:
    """(values, indexes of guessed ones, whole) of a Bind body from its parameter formats on.

    `body` may be the head of a longer message: values that are cut off are missing at the end and
    `whole` is False. Raises ValueError when the counts contradict each other.
    """
    size: i64 = len(body)
    if pos + 2 > size:
        return (), (), False
    count = two_bytes(body, pos)
    pos += 2
    if pos + 2 * count + 2 > size:
        return (), (), False
    formats = pos
    pos += 2 * count
    parameters = two_bytes(body, pos)
    pos += 2
    if count > 1 and count != parameters:
        raise ValueError(f"{count} parameter formats for {parameters} parameters")
    values: list[str | None] = []
    guessed: list[int] = []
    n: i64 = -1
    while n + 1 < parameters:
        n += 1
        if pos + 4 > size:
            return tuple(values), tuple(guessed), False
        length = four_bytes(body, pos)
        pos += 4
        if length == 0xFFFF_FFFF:
            values.append(None)
            continue
        if length > 0x7FFF_FFFF:
            raise ValueError(f"parameter {n + 1} has length {length - 0x1_0000_0000}")
        if pos + length > size:
            return tuple(values), tuple(guessed), False
        raw = body[pos : pos + length]
        pos += length
        if count == 0 or two_bytes(body, formats if count == 1 else formats + 2 * n) != 1:
            values.append(decode(raw, codec))
            continue
        known = binary_text(raw, oids[n] if n < len(oids) else 0, codec)
        if known is None:
            guessed.append(n)
            known = _guess(raw, codec)
        values.append(known)
    return tuple(values), tuple(guessed), True


def binary_text(raw: bytes, oid: int, codec: str) -> str | None:
    """A value in binary form as the server would print it; None when the type is not known here
    or the bytes do not fit it."""
    if oid in _TEXTS:
        return decode(raw, codec)
    if oid in _INTEGERS:
        if len(raw) != _INTEGERS[oid]:
            return None
        return str(int.from_bytes(raw, "big", signed=oid in {20, 21, 23}))
    try:
        return _other(raw, oid, codec)
    except (ValueError, OverflowError, struct.error, IndexError):
        return None


def _other(raw: bytes, oid: int, codec: str) -> str | None:
    size = len(raw)
    if oid == 16 and size == 1:
        return "t" if raw[0] else "f"
    if oid == 17:
        return "\\x" + raw.hex()
    if oid == 3802 and size and raw[0] == 1:
        return decode(raw[1:], codec)
    if oid == 700 and size == 4:
        return repr(struct.unpack(">f", raw)[0])
    if oid == 701 and size == 8:
        return repr(struct.unpack(">d", raw)[0])
    if oid == 1082 and size == 4:
        days = int.from_bytes(raw, "big", signed=True)
        return date.fromordinal(_EPOCH.toordinal() + days).isoformat()
    if oid in {1114, 1184} and size == 8:
        moment = _EPOCH + timedelta(microseconds=int.from_bytes(raw, "big", signed=True))
        return moment.isoformat(" ") + ("+00" if oid == 1184 else "")
    if oid == 1700:
        return _numeric(raw)
    if oid == 2950 and size == 16:
        digits = raw.hex()
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
    if oid in _ARRAYS:
        return _array(raw, codec)
    return None


def _numeric(raw: bytes) -> str:
    """numeric_recv: count of base-10000 digits, weight of the first, sign, display scale, digits"""
    count, weight, sign, scale = struct.unpack_from(">HhHH", raw)
    if sign == 0xC000:
        return "NaN"
    if sign in {0xD000, 0xF000}:
        return "Infinity" if sign == 0xD000 else "-Infinity"
    digits = struct.unpack_from(f">{count}H", raw, 8)
    if abs(weight) > 1000:
        raise ValueError("weight")
    whole = "".join(f"{digits[n] if n < count else 0:04d}" for n in range(weight + 1))
    fraction = "0000" * max(0, -weight - 1) + "".join(
        f"{digit:04d}" for digit in digits[max(0, weight + 1) :]
    )
    text = ("-" if sign == 0x4000 else "") + (whole.lstrip("0") or "0")
    return text + ("." + fraction[:scale].ljust(scale, "0") if scale else "")


def _array(raw: bytes, codec: str) -> str | None:
    """array_recv of at most one dimension: dimensions, flags, element type, (size, lower bound)"""
    dimensions, _flags, element = struct.unpack_from(">iiI", raw)
    if dimensions == 0:
        return "{}"
    if dimensions != 1 or element in _ARRAYS:
        return None
    count = int.from_bytes(raw[12:16], "big")
    pos = 20
    if count * 4 > len(raw) - pos:
        return None
    parts: list[str] = []
    for _n in range(count):
        length = int.from_bytes(raw[pos : pos + 4], "big", signed=True)
        pos += 4
        if length == -1:
            parts.append("NULL")
            continue
        if length < 0 or pos + length > len(raw):
            return None
        text = binary_text(raw[pos : pos + length], element, codec)
        pos += length
        if text is None:
            return None
        if not text or text.upper() == "NULL" or not _QUOTED.isdisjoint(text):
            text = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
        parts.append(text)
    return "{" + ",".join(parts) + "}"


def _guess(raw: bytes, codec: str) -> str:
    try:
        text = raw.decode(codec)
    except UnicodeDecodeError:
        text = ""
    if text and text.isprintable():
        return text
    if len(raw) in {2, 4, 8}:
        return str(int.from_bytes(raw, "big", signed=True))
    return "\\x" + raw.hex()
