"""The discipline office's own keys, which never touch the ledger's machine: certificates for the
machine's keys, 30 days at a time, and succession when the office takes new keys.

A folder (on a USB stick) holds `office-ed25519.pem` and `office-sm2.pem`, both under one passphrase,
and `office.pub`, the public text to give away.
"""

from __future__ import annotations

import base64
import binascii
import os
from pathlib import Path
from typing import Final

from msgspec import Struct

from qingfang.crypto import sha256
from qingfang.crypto.keyfile import create_key, load_signer
from qingfang.crypto.signing import Signer
from qingfang.language import _
from qingfang.merkle import note, parties
from qingfang.merkle.checkpoint import LONGEST_S, OFFICE, Certificate, CheckpointProblem
from qingfang.merkle.note import Note
from qingfang.merkle.parties import Party, PartyProblem

PUBLIC: Final = "office.pub"
_KEYS: Final = ("office-ed25519.pem", "office-sm2.pem")
_DAY_S: Final = 86_400


class Request(Struct, frozen=True):
    """What a ledger asks to have certified (its file `request`)."""

    origin: str
    ed25519: bytes
    sm2: bytes

    def fingerprint(self) -> str:
        """What the person at the machine and the one with the office's key read to each other."""
        digits = sha256(self.origin.encode() + b"\n" + self.ed25519 + self.sm2).hex()[:32]
        return " ".join(digits[at : at + 4] for at in range(0, 32, 4))


def create(folder: Path, passphrase: str) -> Party:
    """New keys in `folder`. Raises `KeyProblem`; nothing is replaced."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    one = create_key(folder / _KEYS[0], "ed25519", passphrase)
    two = create_key(folder / _KEYS[1], "sm2", passphrase)
    party = Party("office", OFFICE, one.public, two.public)
    write(folder / PUBLIC, party.encode().encode())
    return party


def load(folder: Path, passphrase: str) -> tuple[Signer, Signer]:
    """Raises `KeyProblem`."""
    one, two = (load_signer(folder / name, passphrase) for name in _KEYS)
    return one, two


def read_request(path: Path) -> Request:
    """Raises `PartyProblem`."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise PartyProblem(_("{}：读不了（{}）").format(path, error)) from None
    keys: list[bytes] = []
    for line, (algorithm, size) in zip(lines[1:], (("ed25519", 32), ("sm2", 65)), strict=False):
        name, _space, encoded = line.partition(" ")
        try:
            data = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            data = b""
        if name == algorithm and len(data) == size:
            keys.append(data)
    if len(lines) != 4 or lines[3] or len(keys) != 2 or not note.is_name(lines[0]):
        raise PartyProblem(_("{}：不是账本的证书请求（账本文件夹里的 request）").format(path))
    return Request(lines[0], keys[0], keys[1])


def certify(request: Request, keys: tuple[Signer, Signer], now: int, days: int) -> bytes:
    """The certificate, from an hour before `now` (clocks differ) for `days`. Raises
    `PartyProblem` for keys that are none."""
    begin = now - 3600
    end = min(now + days * _DAY_S, begin + LONGEST_S)
    made = Certificate(request.origin, request.ed25519, request.sm2, begin, end)
    try:
        made.verifiers()
    except CheckpointProblem as error:
        raise PartyProblem(str(error)) from None
    return _signed(made.encode(), keys)


def succeed(old: tuple[Signer, Signer], new: Party, now: int) -> bytes:
    """The note by which whoever trusts the old keys trusts the new ones."""
    return _signed(parties.succession(new, now), old)


def _signed(text: str, keys: tuple[Signer, Signer]) -> bytes:
    return Note(text).adding(*(note.sign(text, OFFICE, key) for key in keys)).encode()


def write(path: Path, data: bytes) -> None:
    """Readers see the old content or the new one. Raises OSError."""
    beside = path.with_name(f".{path.name}.new")
    with beside.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
