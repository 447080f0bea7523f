"""What a witness knows: its logs, every checkpoint it cosigned, every alarm it raised. One SQLite
file, each change synced.

Rules this module keeps:

1. A checkpoint is in the book before its cosignature leaves: after a crash the witness never signs
   something that contradicts what it signed before.
2. An alarm stays until a person acknowledges it, with name and reason. One condition that goes on is
   one alarm; when it ended and comes back, it is another. What contradicted the book is kept, bytes
   and all.
3. Cosigned checkpoints are kept for good: of those older than a week, the last of each hour.
4. After an alarm that forbids cosigning, only a person lets the witness go on from another history
   (`accept`); what was known before stays in the book.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from msgspec import Struct

from qingfang.language import _
from qingfang.merkle import checkpoint, note
from qingfang.merkle.checkpoint import Checkpoint
from qingfang.witness.looking import Finding

FILE: Final = "book.sqlite"
_WEEK_S: Final = 7 * 86_400
_VERSION: Final = 1
_SCHEMA: Final = """
CREATE TABLE log (
    name TEXT PRIMARY KEY, place TEXT NOT NULL, fingerprint TEXT NOT NULL, office TEXT NOT NULL,
    silence_s INTEGER NOT NULL, added INTEGER NOT NULL, looked INTEGER, reached INTEGER
) STRICT;
CREATE TABLE seen (
    id INTEGER PRIMARY KEY, log TEXT NOT NULL REFERENCES log (name), size INTEGER NOT NULL,
    at INTEGER NOT NULL, note BLOB NOT NULL
) STRICT;
CREATE INDEX seen_of ON seen (log, id);
CREATE TABLE alarm (
    id INTEGER PRIMARY KEY, log TEXT NOT NULL REFERENCES log (name), code TEXT NOT NULL,
    about TEXT NOT NULL, text TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
    looks INTEGER NOT NULL, ongoing INTEGER NOT NULL, evidence BLOB,
    acknowledged INTEGER, who TEXT, why TEXT
) STRICT;
CREATE TABLE accepted (
    id INTEGER PRIMARY KEY, log TEXT NOT NULL REFERENCES log (name), after INTEGER NOT NULL,
    at INTEGER NOT NULL, who TEXT NOT NULL, why TEXT NOT NULL
) STRICT;
"""


class BookProblem(Exception):
    """The book is missing, damaged or another version; or what was asked for is not in it (zh)."""


class Log(Struct, frozen=True):
    """`place`: `folder:<path>` or `door:<host>:<port>`, the latter with the `fingerprint` of its
    certificate. `office`: the public keys as text. Times in seconds since the epoch; `looked` and
    `reached` are when it was last tried and last answered."""

    name: str
    place: str
    fingerprint: str
    office: str
    silence_s: int
    added: int
    looked: int | None = None
    reached: int | None = None


class Alarm(Struct, frozen=True):
    """`ongoing`: the last look found it again. `acknowledged`: by whom and why, None as long as
    nobody did."""

    id: int
    log: str
    code: str
    about: str
    text: str
    first: int
    last: int
    looks: int
    ongoing: bool
    acknowledged: int | None = None
    who: str | None = None
    why: str | None = None


class Book:
    """Raises `BookProblem`."""

    def __init__(self, folder: Path, *, create: bool = False) -> None:
        path = folder / FILE
        if path.exists() == create:
            text = (
                _("{}：已经有了，不会覆盖") if create else _("{}：没有；先用 qingfang witness init")
            )
            raise BookProblem(text.format(path))
        try:
            self._base = sqlite3.connect(path, isolation_level=None, timeout=30)
            self._base.execute("PRAGMA journal_mode=WAL")
            self._base.execute("PRAGMA synchronous=FULL")
            self._base.execute("PRAGMA foreign_keys=ON")
            if create:
                path.chmod(0o600)
                self._base.executescript(f"{_SCHEMA}PRAGMA user_version={_VERSION};")
            [version] = self._base.execute("PRAGMA user_version").fetchone()
        except sqlite3.DatabaseError as error:
            raise BookProblem(_("{}：读不懂（{}）").format(path, error)) from None
        if version != _VERSION:
            raise BookProblem(_("{}：是第 {} 版，这里只懂第 {} 版").format(path, version, _VERSION))

    def close(self) -> None:
        self._base.close()

    # ------------------------------------------------------------------ logs

    def add(self, log: Log) -> None:
        if self._rows("SELECT 1 FROM log WHERE name = ?", log.name):
            raise BookProblem(_("{}：已经登记过了").format(log.name))
        with self._change():
            self._base.execute(
                "INSERT INTO log VALUES (?, ?, ?, ?, ?, ?, NULL, NULL)",
                (log.name, log.place, log.fingerprint, log.office, log.silence_s, log.added),
            )

    def logs(self) -> list[Log]:
        return [Log(*row) for row in self._rows("SELECT * FROM log ORDER BY name")]

    def log(self, name: str) -> Log:
        rows = self._rows("SELECT * FROM log WHERE name = ?", name)
        if not rows:
            raise BookProblem(_("{}：没有登记这个账本").format(name))
        return Log(*rows[0])

    def follow(self, name: str, office: str) -> None:
        """The office has new keys, which the old ones signed for."""
        with self._change():
            self._base.execute("UPDATE log SET office = ? WHERE name = ?", (office, name))

    # ------------------------------------------------------------------ checkpoints

    def last(self, log: str) -> Checkpoint | None:
        """The newest checkpoint this witness holds to be true; None before the first, and after a
        person accepted another history."""
        rows = self._rows(
            "SELECT note FROM seen WHERE log = ? AND id > coalesce("
            "(SELECT max(after) FROM accepted WHERE log = ?), 0) ORDER BY id DESC LIMIT 1",
            log,
            log,
        )
        return checkpoint.read(note.parse(rows[0][0]).text) if rows else None

    def notes(self, log: str) -> list[bytes]:
        """All that was cosigned, oldest first."""
        return [
            row[0] for row in self._rows("SELECT note FROM seen WHERE log = ? ORDER BY id", log)
        ]

    def looked(
        self,
        log: str,
        at: int,
        findings: Sequence[Finding],
        *,
        reached: bool,
        evidence: bytes = b"",
        cosigned: tuple[int, bytes] | None = None,
    ) -> list[Alarm]:
        """Write down one look: what was found, and the checkpoint (size, note) that is going to be
        given back. The alarms that are new."""
        new: list[int] = []
        with self._change():
            self._base.execute(
                "UPDATE log SET looked = ?, reached = CASE WHEN ? THEN ? ELSE reached END"
                " WHERE name = ?",
                (at, reached, at, log),
            )
            if cosigned is not None:
                self._base.execute(
                    "INSERT INTO seen (log, size, at, note) VALUES (?, ?, ?, ?)",
                    (log, cosigned[0], at, cosigned[1]),
                )
                self._thin(log, at)
            going_on: set[int] = set()
            for each in findings:
                rows = self._rows(
                    "SELECT id FROM alarm WHERE log = ? AND code = ? AND about = ? AND ongoing",
                    log,
                    each.code,
                    each.about,
                )
                if rows:
                    going_on.add(rows[0][0])
                    continue
                done = self._base.execute(
                    "INSERT INTO alarm (log, code, about, text, first, last, looks, ongoing,"
                    " evidence) VALUES (?, ?, ?, ?, ?, ?, 1, 1, ?)",
                    (log, each.code, each.about, each.text, at, at, evidence),
                )
                assert done.lastrowid is not None
                new.append(done.lastrowid)
            for (number,) in self._rows("SELECT id FROM alarm WHERE log = ? AND ongoing", log):
                if number in going_on:
                    self._base.execute(
                        "UPDATE alarm SET last = ?, looks = looks + 1 WHERE id = ?", (at, number)
                    )
                elif number not in new:
                    self._base.execute("UPDATE alarm SET ongoing = 0 WHERE id = ?", (number,))
        return [alarm for alarm in self.alarms() if alarm.id in new]

    def contradicted(self, log: str, at: int, found: Finding, evidence: bytes) -> list[Alarm]:
        """What another witness showed and the log does not: an alarm once, whatever a later look
        finds."""
        told = (found.code, found.about, found.text)
        with self._change():
            done = self._base.execute(
                "INSERT INTO alarm (log, code, about, text, first, last, looks, ongoing, evidence)"
                " SELECT ?, ?, ?, ?, ?, ?, 1, 0, ? WHERE NOT EXISTS"
                " (SELECT 1 FROM alarm WHERE log = ? AND code = ? AND about = ?)",
                (log, *told, at, at, evidence, log, *told[:2]),
            )
        new = done.lastrowid if done.rowcount else None
        return [alarm for alarm in self.alarms() if alarm.id == new]

    def _thin(self, log: str, at: int) -> None:
        self._base.execute(
            "DELETE FROM seen WHERE log = ? AND at < ? AND id NOT IN ("
            "SELECT max(id) FROM seen WHERE log = ? GROUP BY at / 3600)",
            (log, at - _WEEK_S, log),
        )

    # ------------------------------------------------------------------ alarms

    def alarms(self, *, open_only: bool = False) -> list[Alarm]:
        rows = self._rows(
            "SELECT id, log, code, about, text, first, last, looks, ongoing, acknowledged, who, why"
            " FROM alarm WHERE acknowledged IS NULL OR NOT ? ORDER BY id",
            open_only,
        )
        return [_alarm(*row) for row in rows]

    def evidence(self, number: int) -> bytes:
        """The log's own bytes that an alarm rests on."""
        rows = self._rows("SELECT evidence FROM alarm WHERE id = ?", number)
        if not rows:
            raise BookProblem(_("没有第 {} 号告警").format(number))
        return rows[0][0]

    def acknowledge(self, number: int, at: int, who: str, why: str) -> None:
        with self._change():
            done = self._base.execute(
                "UPDATE alarm SET acknowledged = ?, who = ?, why = ?"
                " WHERE id = ? AND acknowledged IS NULL",
                (at, who, why, number),
            )
        if not done.rowcount:
            raise BookProblem(_("没有第 {} 号告警，或者它已经有人处置").format(number))

    def accept(self, log: str, at: int, who: str, why: str) -> None:
        """Go on from whatever the log shows next, as if it were new. For a log restored from a
        backup, when a person has made sure of it."""
        with self._change():
            self._base.execute(
                "INSERT INTO accepted (log, after, at, who, why)"
                " SELECT ?, coalesce(max(id), 0), ?, ?, ? FROM seen WHERE log = ?",
                (log, at, who, why, log),
            )

    # ------------------------------------------------------------------ inside

    def _rows(self, query: str, *values: object) -> list[tuple]:
        return self._base.execute(query, values).fetchall()

    @contextmanager
    def _change(self) -> Iterator[None]:
        self._base.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._base.execute("ROLLBACK")
            raise
        self._base.execute("COMMIT")


def _alarm(
    number: int,
    log: str,
    code: str,
    about: str,
    text: str,
    first: int,
    last: int,
    looks: int,
    ongoing: int,
    acknowledged: int | None,
    who: str | None,
    why: str | None,
) -> Alarm:
    return Alarm(
        number, log, code, about, text, first, last, looks, bool(ongoing), acknowledged, who, why
    )
