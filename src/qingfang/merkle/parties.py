"""Who vouches for a log from outside: the office and the witnesses, by their public keys in a short
text that people can carry.

    qingfang/office/v1            or qingfang/witness/v1
    office                        the name in the lines of notes
    base64 of the Ed25519 key     32 bytes
    base64 of the SM2 key         65 bytes, an uncompressed point

When the office takes new keys, the old ones sign a note over them (`Succession`): whoever trusts the
old keys follows it.

    qingfang/succession/v1
    base64 of the new Ed25519 key
    base64 of the new SM2 key
    time (UTC, RFC 3339)
"""

from __future__ import annotations

import base64
import binascii
import datetime
from pathlib import Path
from typing import Final, Literal

from msgspec import Struct

from qingfang.crypto import sha256
from qingfang.crypto.signing import Ed25519Verifier, Verifier
from qingfang.crypto.sm2 import Sm2Verifier
from qingfang.language import _
from qingfang.merkle import note
from qingfang.merkle.checkpoint import (
    OFFICE,
    Certificate,
    CheckpointProblem,
    is_certified,
    moment,
    read_certificate,
)
from qingfang.merkle.note import Note, NoteProblem

SUCCESSION: Final = "qingfang/succession/v1"
Kind = Literal["office", "witness"]
_HEADINGS: Final[dict[str, Kind]] = {
    "qingfang/office/v1": "office",
    "qingfang/witness/v1": "witness",
}


class PartyProblem(ValueError):
    """A text or file that names no office, witness or successor; the text says why (zh)."""


class Party(Struct, frozen=True):
    """Raw public keys of one that signs."""

    kind: Kind
    name: str
    ed25519: bytes
    sm2: bytes

    def encode(self) -> str:
        heading = next(text for text, kind in _HEADINGS.items() if kind == self.kind)
        return f"{heading}\n{self.name}\n{_base64(self.ed25519)}\n{_base64(self.sm2)}\n"

    def verifiers(self) -> tuple[Verifier, Verifier]:
        """Raises `PartyProblem` for keys that are none."""
        try:
            return Ed25519Verifier(self.ed25519), Sm2Verifier(self.sm2)
        except ValueError as error:
            raise PartyProblem(_("公钥不能用（{}）").format(error)) from None

    def fingerprint(self) -> str:
        """What two people read to each other: the first 16 bytes of the text's SHA-256, by fours."""
        digits = sha256(self.encode().encode()).hex()[:32]
        return " ".join(digits[at : at + 4] for at in range(0, 32, 4))


def read(text: str) -> Party:
    """Raises `PartyProblem`."""
    lines = text.split("\n")
    kind = _HEADINGS.get(lines[0])
    if kind is None or len(lines) != 5 or lines[4]:
        raise PartyProblem(_("不是公钥文件：应当是标题、名字和两行公钥"))
    found = Party(kind, lines[1], _bytes(lines[2], 32), _bytes(lines[3], 65))
    if found.encode() != text or not note.is_name(found.name):
        raise PartyProblem(_("不是公钥文件：名字或公钥的写法不对"))
    found.verifiers()
    return found


def load(path: Path, kind: Kind) -> Party:
    """The party in a file. Raises `PartyProblem`, which names the file."""
    try:
        found = read(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PartyProblem(_("{}：读不了（{}）").format(path, error.strerror)) from None
    except (PartyProblem, UnicodeDecodeError) as error:
        raise PartyProblem(f"{path}：{error}") from None
    if found.kind != kind:
        what = {"office": _("纪检部门"), "witness": _("见证者")}
        raise PartyProblem(
            _("{}：这是{}的公钥，这里要{}的").format(path, what[found.kind], what[kind])
        )
    return found


def succession(new: Party, at: int) -> str:
    """The text that the old keys sign; `at` in seconds since the epoch."""
    return f"{SUCCESSION}\n{_base64(new.ed25519)}\n{_base64(new.sm2)}\n{moment(at)}\n"


def successor(found: Note, old: Party) -> Party:
    """The office's new keys, when all old ones signed for them. Raises `PartyProblem`."""
    lines = found.text.split("\n")
    if lines[0] != SUCCESSION or len(lines) != 5 or lines[4]:
        raise PartyProblem(_("不是换钥的声明"))
    if not is_certified(found, old.verifiers()):
        raise PartyProblem(_("换钥的声明没有旧钥的签名"))
    new = Party("office", OFFICE, _bytes(lines[1], 32), _bytes(lines[2], 65))
    try:
        at = datetime.datetime.strptime(lines[3], "%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        raise PartyProblem(_("不是换钥的声明")) from None
    if succession(new, int(at.replace(tzinfo=datetime.UTC).timestamp())) != found.text:
        raise PartyProblem(_("不是换钥的声明"))
    new.verifiers()
    return new


def certificate_of(data: bytes, office: Party) -> Certificate | None:
    """The certificate in a note, when both keys of the office signed it."""
    try:
        made = note.parse(data)
        found = read_certificate(made.text)
    except (NoteProblem, CheckpointProblem):
        return None
    return found if is_certified(made, office.verifiers()) else None


def parse(data: bytes) -> Note:
    """A note, its problem told to people. Raises `PartyProblem`."""
    try:
        return note.parse(data)
    except NoteProblem as error:
        raise PartyProblem(_("不是签了名的文件（{}）").format(error)) from None


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: str, size: int) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if len(data) != size:
        raise PartyProblem(_("不是 {} 字节的公钥：{}").format(size, text[:80]))
    return data
