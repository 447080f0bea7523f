"""SHA-256 (FIPS 180-4) and SM3 (GB/T 32905-2016).

SM3 comes from OpenSSL through `hashlib` where the interpreter's OpenSSL has it, else from the
OpenSSL that `cryptography` carries; both give the same digest.
"""

from __future__ import annotations

import hashlib
from typing import Literal, Protocol

Name = Literal["sha256", "sm3"]


class Hash(Protocol):
    """A digest under way."""

    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...
    def copy(self) -> Hash: ...


class CarriedSm3:
    """SM3 by `cryptography`, for interpreters whose own OpenSSL was built without it."""

    def __init__(self, data: bytes = b"") -> None:
        from cryptography.hazmat.primitives import hashes

        self._hash = hashes.Hash(hashes.SM3())
        self._hash.update(data)

    def update(self, data: bytes, /) -> None:
        self._hash.update(data)

    def digest(self) -> bytes:
        return self._hash.copy().finalize()

    def copy(self) -> CarriedSm3:
        other = CarriedSm3()
        other._hash = self._hash.copy()
        return other


_NATIVE_SM3 = "sm3" in hashlib.algorithms_available


def start(name: Name, data: bytes = b"") -> Hash:
    """An incremental digest that has taken in `data`."""
    if name == "sm3" and not _NATIVE_SM3:
        return CarriedSm3(data)
    return hashlib.new(name, data)


def sha256(data: bytes) -> bytes:
    """32 bytes."""
    return hashlib.sha256(data).digest()


def sm3(data: bytes) -> bytes:
    """32 bytes."""
    return start("sm3", data).digest()
