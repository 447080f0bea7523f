"""DER (ITU-T X.690), the little that keys and signatures need.

Rules this module keeps:

1. Reading is strict: definite lengths in their shortest form, nothing left over. What this reader
   accepts has one encoding only, so a signature cannot be rewritten into another that also passes.
2. Whatever is wrong raises ValueError; the caller says which file or signature it was.
"""

from __future__ import annotations

from typing import Final

INTEGER: Final = 0x02
BIT_STRING: Final = 0x03
OCTET_STRING: Final = 0x04
NULL: Final = 0x05
OBJECT: Final = 0x06
SEQUENCE: Final = 0x30


def write(tag: int, *parts: bytes) -> bytes:
    """One value: tag, length, the parts behind each other."""
    body = b"".join(parts)
    size = len(body)
    if size < 0x80:
        return bytes((tag, size)) + body
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + body


def write_integer(value: int) -> bytes:
    """A value not below zero."""
    return write(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def write_object(dotted: str) -> bytes:
    """An object identifier, such as `1.2.840.10045.2.1`."""
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    body = bytearray()
    for arc in (40 * first + second, *rest):
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.append(0x80 | arc & 0x7F)
        body.extend(reversed(groups))
    return write(OBJECT, bytes(body))


class Reader:
    """The values of one piece of DER, in order."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def tag(self) -> int:
        """The tag of the next value; -1 at the end."""
        return self._data[self._at] if self._at < len(self._data) else -1

    def read(self, tag: int) -> bytes:
        """The content of the next value, which must have this tag."""
        data, at = self._data, self._at
        if self.tag != tag or at + 2 > len(data):
            raise ValueError("DER: another value was expected")
        size, at = data[at + 1], at + 2
        if size >= 0x80:
            octets = size & 0x7F
            size = int.from_bytes(data[at : at + octets], "big")
            shortest = max(1, (size.bit_length() + 7) // 8)
            if octets != shortest or size < 0x80 or at + octets > len(data):
                raise ValueError("DER: a length not in its shortest form")
            at += octets
        if at + size > len(data):
            raise ValueError("DER: cut short")
        self._at = at + size
        return data[at : at + size]

    def inside(self, tag: int = SEQUENCE) -> Reader:
        """A reader of what the next value holds."""
        return Reader(self.read(tag))

    def integer(self) -> int:
        """A value not below zero."""
        body = self.read(INTEGER)
        if not body or body[0] & 0x80 or (body[0] == 0 and len(body) > 1 and body[1] < 0x80):
            raise ValueError("DER: an integer below zero, or not in its shortest form")
        return int.from_bytes(body, "big")

    def bits(self) -> bytes:
        """A bit string of whole octets."""
        body = self.read(BIT_STRING)
        if not body or body[0]:
            raise ValueError("DER: a bit string of broken octets")
        return body[1:]

    def end(self) -> None:
        """Raises ValueError when something is left."""
        if self._at != len(self._data):
            raise ValueError("DER: something is left over")
