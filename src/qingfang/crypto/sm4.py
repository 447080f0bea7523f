"""SM4 (GB/T 32907-2016) in two modes: GCM (RFC 8998, NIST SP 800-38D) and CBC (GB/T 17964-2021).

Rules this module keeps:

1. What was sealed opens whole and unchanged, or `Tampered` is raised: no part of a text comes out
   before its tag was checked.
2. A nonce serves once under a key. The caller counts or draws it; with a key that seals many texts,
   it counts (96 random bits collide once in 2³² texts with a chance of 2⁻³²).
3. CBC says nothing of whether a text was changed. It is there for other systems that ask for it;
   what we keep ourselves is sealed.
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from cryptography.hazmat.primitives.ciphers.modes import CBC, GCM
from cryptography.hazmat.primitives.padding import PKCS7

KEY: Final = 16
NONCE: Final = 12
BLOCK: Final = 16
TAG: Final = 16


class Tampered(Exception):
    """What was to be opened is not what was sealed with this key, nonce and associated data."""


def seal(key: bytes, nonce: bytes, data: bytes, associated: bytes = b"") -> bytes:
    """The data encrypted, then 16 bytes of tag over it and over `associated`, which stays outside.
    `key` is 16 bytes, `nonce` 12; raises ValueError otherwise."""
    _long(nonce, NONCE)
    sealing = Cipher(SM4(_long(key, KEY)), GCM(nonce)).encryptor()
    sealing.authenticate_additional_data(associated)
    return sealing.update(data) + sealing.finalize() + sealing.tag


def open(key: bytes, nonce: bytes, sealed: bytes, associated: bytes = b"") -> bytes:
    """What `seal` was given. Raises `Tampered`, and ValueError as `seal` does."""
    _long(nonce, NONCE)
    _long(key, KEY)
    if len(sealed) < TAG:
        raise Tampered
    opening = Cipher(SM4(key), GCM(nonce, sealed[-TAG:])).decryptor()
    opening.authenticate_additional_data(associated)
    data = opening.update(sealed[:-TAG])
    try:
        return data + opening.finalize()
    except InvalidTag:
        raise Tampered from None


def encrypt_cbc(key: bytes, start: bytes, data: bytes) -> bytes:
    """The data, padded by PKCS #7 to whole blocks and chained from `start`, 16 bytes that nobody
    can foretell. Raises ValueError for another size of `key` or `start`."""
    padding = PKCS7(BLOCK * 8).padder()
    working = Cipher(SM4(_long(key, KEY)), CBC(_long(start, BLOCK))).encryptor()
    return working.update(padding.update(data) + padding.finalize()) + working.finalize()


def decrypt_cbc(key: bytes, start: bytes, encrypted: bytes) -> bytes:
    """The way back. Raises `Tampered` when it does not end in a padding; a text changed elsewhere
    comes out as another text. Never let a stranger learn which of the two it was."""
    working = Cipher(SM4(_long(key, KEY)), CBC(_long(start, BLOCK))).decryptor()
    padding = PKCS7(BLOCK * 8).unpadder()
    try:
        padded = working.update(encrypted) + working.finalize()
        return padding.update(padded) + padding.finalize()
    except ValueError:
        raise Tampered from None


def _long(value: bytes, size: int) -> bytes:
    if len(value) != size:
        raise ValueError(f"{size} bytes are wanted here, not {len(value)}")
    return value
