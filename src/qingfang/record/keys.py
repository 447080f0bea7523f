"""The keys under which a ledger's records are sealed: one for each segment, so none serves longer
than a day.

Rules this module keeps:

1. A key is 32 random bytes in `keys/<segment>.key`, mode 0600, and on the disk before the first
   frame sealed under it.
2. A key that is there is never replaced: what was sealed under it would be lost.
3. A key that is gone is gone: its records are erased although their frames may still be there, and
   whoever asks for them is told so.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
from collections import OrderedDict
from pathlib import Path
from typing import Final, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from qingfang.crypto import sm4
from qingfang.language import _
from qingfang.record.disk import Disk

Cipher = Literal["sm4-gcm", "aes-256-gcm"]
FOLDER: Final = "keys"
SIZE: Final = 32
NONCE: Final = 12
_KEPT: Final = 16


class KeyGone(Exception):
    """A segment's key is not there, damaged, or not the one: its records cannot be read."""


class SegmentKey:
    """What is derived from one secret: HMAC-SHA-256 of a label, for sealing and for salts."""

    __slots__ = ("_aes", "_salts", "_seal")

    def __init__(self, secret: bytes, cipher: Cipher) -> None:
        seal = hmac.digest(secret, b"seal", "sha256")
        self._salts = hmac.digest(secret, b"salts", "sha256")
        self._aes = AESGCM(seal) if cipher == "aes-256-gcm" else None
        self._seal = seal[: sm4.KEY]

    def seal(self, salt: bytes, head: bytes, plain: bytes) -> bytes:
        if self._aes is not None:
            return self._aes.encrypt(salt[:NONCE], plain, head)
        return sm4.seal(self._seal, salt[:NONCE], plain, head)

    def open(self, salt: bytes, head: bytes, sealed: bytes) -> bytes:
        """Raises `KeyGone` when it was not sealed with this key, salt and header."""
        try:
            if self._aes is not None:
                return self._aes.decrypt(salt[:NONCE], sealed, head)
            return sm4.open(self._seal, salt[:NONCE], sealed, head)
        except (InvalidTag, sm4.Tampered):
            raise KeyGone(_("密钥与内容不符")) from None

    def salts(self, salt: bytes, count: int) -> list[bytes]:
        """16 bytes for each part of a frame: shown one by one, they tell nothing of the others."""
        stream = hashlib.shake_256(self._salts + salt).digest(16 * count)
        return [stream[at : at + 16] for at in range(0, 16 * count, 16)]


class Keys:
    """The keys beside the segments in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / FOLDER
        self._known: OrderedDict[tuple[int, str], SegmentKey] = OrderedDict()

    def path(self, segment: int) -> Path:
        return self._folder / f"{segment:010}.key"

    def create(self, segment: int, cipher: Cipher, disk: Disk) -> SegmentKey:
        """The key of a segment about to be made, durable on return. One that an interrupted start
        left whole is taken. Raises OSError."""
        path = self.path(segment)
        disk.make_folder(self._folder)
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_size == SIZE:
                return self.of(segment, cipher)
            # Torn: nothing was sealed under it, for it is synced before the segment is made.
            disk.remove(path)
        file = disk.create(path)
        try:
            disk.append(file, os.urandom(SIZE))
            disk.sync(file)
        finally:
            disk.close(file)
        disk.sync_folder(self._folder)
        disk.sync_folder(self._folder.parent)
        return self.of(segment, cipher)

    def of(self, segment: int, cipher: Cipher) -> SegmentKey:
        """Raises `KeyGone`."""
        key = self._known.get((segment, cipher))
        if key is None:
            path = self.path(segment)
            try:
                secret = path.read_bytes()
            except FileNotFoundError:
                raise KeyGone(_("{}：没有这一段的密钥，它的记录已不可读").format(path)) from None
            except OSError as error:
                raise KeyGone(_("{}：读不了密钥（{}）").format(path, error.strerror)) from None
            if len(secret) != SIZE:
                raise KeyGone(_("{}：密钥文件不完整").format(path))
            key = self._known[segment, cipher] = SegmentKey(secret, cipher)
            if len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return key
