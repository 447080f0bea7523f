"""One look at every log: pull, judge, write down, cosign, give back.

Rules this module keeps:

1. The order is that of the book's first rule: judged, written down, then given out.
2. A log that cannot be reached raises its alarm (`silent`) once it has been away for as long as its
   silence may last, and one that cannot be read at all does not keep the others from being looked at.
3. The certificate is looked for with every look: a machine whose keys changed must show a new one.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from qingfang.crypto.keyfile import create_key, load_signer
from qingfang.crypto.signing import Signer
from qingfang.language import _
from qingfang.merkle import checkpoint, note, parties
from qingfang.merkle.checkpoint import CheckpointProblem, moment
from qingfang.merkle.note import NoteProblem
from qingfang.merkle.parties import Party
from qingfang.ship import certificates
from qingfang.witness.book import Alarm, Book, BookProblem, Log
from qingfang.witness.looking import Finding, Look, differs, look
from qingfang.witness.source import Copy, Door, Source, Unreachable

PUBLIC: Final = "witness.pub"
_KEYS: Final = ("witness-ed25519.pem", "witness-sm2.pem")


class Round(Struct, frozen=True):
    """What one look at a log came to. `size`: frames cosigned, None when nothing was; `given`:
    whether the log has the cosignature; `problem`: why it could not be reached or not be given."""

    log: str
    size: int | None
    given: bool
    problem: str
    alarms: tuple[Alarm, ...] = ()


class Witness:
    """The witness in `folder`. Raises `BookProblem`, `PartyProblem` and `KeyProblem`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.book = Book(folder)
        self.party = parties.load(folder / PUBLIC, "witness")
        self._keys: tuple[Signer, ...] = tuple(load_signer(folder / name) for name in _KEYS)

    @classmethod
    def create(cls, folder: Path, name: str) -> Witness:
        """A new witness: keys, public text and an empty book."""
        if not note.is_name(name):
            raise BookProblem(_("{}：名字里不能有空格和加号").format(name))
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        Book(folder, create=True).close()
        keys = [
            create_key(folder / _KEYS[0], "ed25519"),
            create_key(folder / _KEYS[1], "sm2"),
        ]
        party = Party("witness", name, keys[0].public, keys[1].public)
        (folder / PUBLIC).write_text(party.encode(), encoding="utf-8")
        return cls(folder)

    def close(self) -> None:
        self.book.close()

    def source(self, log: Log) -> Source:
        """Raises `certificates.Unusable`."""
        kind, _colon, place = log.place.partition(":")
        if kind == "folder":
            return Copy(Path(place))
        name = self.party.name
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        return Door(place, log.fingerprint, certificate, key)

    def round(self, log: Log, now: int) -> Round:
        """Look at one log at `now` (seconds since the epoch)."""
        try:
            source = self.source(log)
        except certificates.Unusable as error:
            return self._silent(log, now, str(error))
        try:
            return self._look(log, source, now)
        except Unreachable as error:
            return self._silent(log, now, str(error))
        finally:
            source.close()

    def _look(self, log: Log, source: Source, now: int) -> Round:
        office = parties.read(log.office)
        try:
            data = source.get("checkpoint")
        except LookupError:
            raise Unreachable(_("还没有检查点")) from None
        try:
            certificate: bytes | None = source.get("certificate")
        except LookupError:
            certificate = None
        before = self.book.last(log.name)
        found = look(data, certificate, office, before, source.get, now, log.silence_s)
        if not found.sound:
            alarms = self.book.looked(log.name, now, found.findings, reached=True, evidence=data)
            return Round(log.name, None, False, "", tuple(alarms))
        made = self._cosigned(found, now)
        assert found.checkpoint is not None
        size = found.checkpoint.size
        # The same checkpoint again tells nothing new: it is cosigned once.
        again = before is not None and before == found.checkpoint
        alarms = self.book.looked(
            log.name,
            now,
            found.findings,
            reached=True,
            evidence=data,
            cosigned=None if again else (size, made),
        )
        problem = ""
        try:
            source.give(self.party.name, made)
        except Unreachable as error:
            problem = str(error)
        return Round(log.name, size, not problem, problem, tuple(alarms))

    def _cosigned(self, found: Look, now: int) -> bytes:
        assert found.note is not None
        lines = [note.cosign(found.note.text, self.party.name, key, now) for key in self._keys]
        return found.note.adding(*lines).encode()

    def _silent(self, log: Log, now: int, why: str) -> Round:
        since = log.reached or log.added
        findings: list[Finding] = []
        if now - since > log.silence_s:
            text = _("自 {} 起没有得到检查点：{}").format(moment(since), why)
            findings.append(Finding("silent", text))
        # What else was wrong is not known to have ended.
        findings += [
            Finding(a.code, a.text, a.about)
            for a in self.book.alarms()
            if a.log == log.name and a.ongoing and a.code != "silent"
        ]
        alarms = self.book.looked(log.name, now, findings, reached=False)
        return Round(log.name, None, False, why, tuple(alarms))

    def compare(self, log: Log, theirs: Sequence[bytes], by: Party, now: int) -> list[Alarm]:
        """What another witness (`by`) cosigned of a log, against what the log shows us: the alarms
        that are new. Notes it did not cosign are refused. Raises `BookProblem` and
        `Unreachable`."""
        end = self.book.last(log.name)
        if end is None:
            raise BookProblem(_("{}：还没有见证过，先运行 qingfang witness once").format(log.name))
        source = self.source(log)
        try:
            for data in theirs:
                try:
                    made = note.parse(data)
                    seen = checkpoint.read(made.text)
                except (NoteProblem, CheckpointProblem) as error:
                    raise BookProblem(_("对方的检查点读不懂（{}）").format(error)) from None
                if any(note.cosigned_at(made, by.name, key) is None for key in by.verifiers()):
                    raise BookProblem(_("对方的检查点没有 {} 的签名").format(by.name))
                if seen.origin != end.origin:
                    raise BookProblem(
                        _("对方的检查点是账本 {} 的，这里是 {}").format(seen.origin, end.origin)
                    )
                found = differs(seen, end, source.get)
                if found is not None:
                    about = Finding(found.code, found.text, f"{by.name} {seen.size}")
                    return self.book.contradicted(log.name, now, about, data)
        finally:
            source.close()
        return []
