"""Notices on their way, in a SQLite file: what is in it is told at least once or lies there to see.

A *letter* is one notice to one address by one channel. Its state:

    waiting → sent                the channel gave a receipt
            → merged              told by another letter to the same address («另有 N 条»)
            → dead                refused for good, or not deliverable for `GIVE_UP_US`
            → cancelled           acknowledged by someone before this escalation was due

Rules this module keeps:

1. Put twice is put once: a letter's key is notice, channel and address.
2. A letter that fails is tried again after a growing pause; after `_TRY_NEXT` failures, or a
   refusal, the person's next way is tried beside it.
3. At most `per_minute` letters leave a channel in any minute. The last that may leave takes the
   others of its address along: their numbers are in it and they are `merged` when it is sent.
4. Every end of a letter is a `Result` to be told to the ledger, kept until `told`.
5. Times come in; the file is the only state.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from qingfang.act.notice import Notice
from qingfang.act.roster import Call, Way

MINUTE_US: Final = 60_000_000
GIVE_UP_US: Final = 24 * 60 * MINUTE_US
_PAUSES_US: Final = tuple(s * 1_000_000 for s in (5, 15, 60, 300, 900))
_TRY_NEXT: Final = 3

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS letter (
    id INTEGER PRIMARY KEY,
    notice_id TEXT NOT NULL,
    channel TEXT NOT NULL,
    address TEXT NOT NULL,
    person TEXT NOT NULL,
    notice BLOB NOT NULL,
    ways BLOB NOT NULL,
    severity INTEGER NOT NULL,
    due_us INTEGER NOT NULL,
    next_us INTEGER NOT NULL,
    made_us INTEGER NOT NULL,
    escalation INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL DEFAULT 'waiting',
    receipt TEXT NOT NULL DEFAULT '',
    done_us INTEGER,
    told INTEGER NOT NULL DEFAULT 0,
    UNIQUE (notice_id, channel, address)
);
CREATE INDEX IF NOT EXISTS letter_waiting ON letter (next_us) WHERE state = 'waiting';
CREATE INDEX IF NOT EXISTS letter_untold ON letter (id) WHERE state <> 'waiting' AND told = 0;
CREATE INDEX IF NOT EXISTS letter_sent ON letter (channel, done_us) WHERE state = 'sent';
CREATE TABLE IF NOT EXISTS mark (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
"""


class Letter(Struct, frozen=True):
    """What is to be sent now; `merged` are the letters that this one tells of."""

    id: int
    channel: str
    address: str
    notice: Notice
    merged: tuple[int, ...] = ()


class Result(Struct, frozen=True):
    """How a letter ended: `state` as above, `receipt` what the channel or the failure said."""

    id: int
    notice_id: str
    channel: str
    person: str
    state: str
    receipt: str
    attempts: int
    at_us: int


class Outbox:
    """Used by one process. Raises sqlite3.Error when the file cannot be used."""

    def __init__(self, file: Path, *, per_minute: int) -> None:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._per_minute = per_minute
        self._db = sqlite3.connect(file, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        self._db.close()

    def put(self, notice: Notice, calls: list[Call], now_us: int) -> int:
        """Letters for all calls, all or none; how many of them are new."""
        new = 0
        with self._transaction():
            for call in calls:
                new += self._put(notice, call.person, call.ways, call.due_us, now_us)
        return new

    def _put(
        self, notice: Notice, person: str, ways: tuple[Way, ...], due_us: int, now_us: int
    ) -> int:
        way, rest = ways[0], ways[1:]
        done = self._db.execute(
            "INSERT INTO letter (notice_id, channel, address, person, notice, ways, severity,"
            " due_us, next_us, made_us, escalation) VALUES (?,?,?,?,?,?,?,?,?,?,?)"
            " ON CONFLICT DO NOTHING",
            (
                notice.id,
                way.channel,
                way.address,
                person,
                msgspec.json.encode(notice),
                msgspec.json.encode(rest),
                notice.severity,
                due_us,
                due_us,
                now_us,
                int(due_us > now_us),
            ),
        )
        return done.rowcount

    def acknowledge(self, notice_id: str, now_us: int) -> int:
        """Someone has taken the alert up: letters that escalate it are no longer sent."""
        with self._transaction():
            done = self._db.execute(
                "UPDATE letter SET state = 'cancelled', done_us = ?"
                " WHERE notice_id = ? AND state = 'waiting' AND escalation = 1",
                (now_us, notice_id),
            )
        return done.rowcount

    def due(self, now_us: int) -> list[Letter]:
        """What may leave now, the most urgent first, within each channel's rate."""
        rows = self._db.execute(
            "SELECT id, channel, address, notice FROM letter"
            " WHERE state = 'waiting' AND next_us <= ? ORDER BY severity DESC, id",
            (now_us,),
        ).fetchall()
        found: list[Letter] = []
        for channel in dict.fromkeys(row[1] for row in rows):
            found += self._within_rate(channel, [r for r in rows if r[1] == channel], now_us)
        return found

    def _within_rate(
        self, channel: str, rows: list[tuple[int, str, str, bytes]], now_us: int
    ) -> list[Letter]:
        (sent,) = self._db.execute(
            "SELECT count(*) FROM letter WHERE channel = ? AND state = 'sent' AND done_us > ?"
            " AND done_us <= ?",
            (channel, now_us - MINUTE_US, now_us),
        ).fetchone()
        free = self._per_minute - sent
        if len(rows) <= free:
            return [self._letter(row) for row in rows]
        if free <= 0:
            return []
        addresses: dict[str, list[tuple[int, str, str, bytes]]] = {}
        for row in rows:
            addresses.setdefault(row[2], []).append(row)
        # One place is kept for each address that will have to take others along.
        found: list[Letter] = []
        singles = max(0, free - len(addresses))
        for row in rows[:singles]:
            found.append(self._letter(row))
            addresses[row[2]].remove(row)
        for waiting in list(addresses.values())[: free - len(found)]:
            if waiting:
                found.append(self._letter(waiting[0], waiting[1:]))
        return found

    def _letter(
        self,
        row: tuple[int, str, str, bytes],
        others: list[tuple[int, str, str, bytes]] | None = None,
    ) -> Letter:
        notice = msgspec.json.decode(row[3], type=Notice)
        merged: tuple[int, ...] = ()
        if others:
            told = [msgspec.json.decode(other[3], type=Notice) for other in others]
            notice = msgspec.structs.replace(notice, others=tuple(n.number for n in told))
            merged = tuple(other[0] for other in others)
        return Letter(row[0], row[1], row[2], notice, merged)

    def sent(self, letter: Letter, receipt: str, now_us: int) -> None:
        with self._transaction():
            self._end(letter.id, "sent", receipt, now_us)
            self._db.execute("UPDATE letter SET attempts = attempts + 1 WHERE id = ?", (letter.id,))
            for other in letter.merged:
                self._end(other, "merged", f"→ {letter.id}", now_us)

    def failed(self, letter: Letter, why: str, *, permanent: bool, now_us: int) -> None:
        """The letter stays waiting, or is dead; the person's next way is put beside it."""
        with self._transaction():
            notice, person, ways, made, attempts = self._db.execute(
                "UPDATE letter SET attempts = attempts + 1, receipt = ? WHERE id = ?"
                " RETURNING notice, person, ways, made_us, attempts",
                (why, letter.id),
            ).fetchone()
            rest = msgspec.json.decode(ways, type=tuple[Way, ...])
            if rest and (permanent or attempts >= _TRY_NEXT):
                self._put(msgspec.json.decode(notice, type=Notice), person, rest, now_us, now_us)
                self._db.execute("UPDATE letter SET ways = '[]' WHERE id = ?", (letter.id,))
            if permanent or now_us - made > GIVE_UP_US:
                self._end(letter.id, "dead", why, now_us)
            else:
                pause = _PAUSES_US[min(attempts - 1, len(_PAUSES_US) - 1)]
                for each in (letter.id, *letter.merged):
                    self._db.execute(
                        "UPDATE letter SET next_us = ? WHERE id = ?", (now_us + pause, each)
                    )

    def _end(self, letter: int, state: str, receipt: str, now_us: int) -> None:
        self._db.execute(
            "UPDATE letter SET state = ?, receipt = ?, done_us = ?"
            " WHERE id = ? AND state = 'waiting'",
            (state, receipt, now_us, letter),
        )

    def results(self, limit: int = 100) -> list[Result]:
        """Ends that the ledger has not been told, oldest first."""
        rows = self._db.execute(
            "SELECT id, notice_id, channel, person, state, receipt, attempts, done_us FROM letter"
            " WHERE state <> 'waiting' AND told = 0 ORDER BY id LIMIT ?",
            (limit,),
        )
        return [Result(*row) for row in rows]

    def told(self, result: Result) -> None:
        self._db.execute("UPDATE letter SET told = 1 WHERE id = ?", (result.id,))

    def counts(self) -> dict[str, int]:
        """Letters by state."""
        return dict(
            self._db.execute("SELECT state, count(*) FROM letter GROUP BY state").fetchall()
        )

    def dead(self, limit: int = 100) -> list[Result]:
        """Dead letters, newest first."""
        rows = self._db.execute(
            "SELECT id, notice_id, channel, person, state, receipt, attempts, done_us FROM letter"
            " WHERE state = 'dead' ORDER BY id DESC LIMIT ?",
            (limit,),
        )
        return [Result(*row) for row in rows]

    def next_due(self) -> int | None:
        """When the next letter that waits is due; None when none waits."""
        return self._db.execute(
            "SELECT min(next_us) FROM letter WHERE state = 'waiting'"
        ).fetchone()[0]

    def mark(self, name: str) -> int | None:
        """A number kept by name (where in the ledger we are)."""
        row = self._db.execute("SELECT value FROM mark WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def set_mark(self, name: str, value: int) -> None:
        self._db.execute(
            "INSERT INTO mark VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (name, value),
        )

    def _transaction(self) -> _Transaction:
        return _Transaction(self._db)


class _Transaction:
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        self._db.execute("COMMIT" if kind is None else "ROLLBACK")
