"""A statement and its outcome, as decoders tell of them.

They are made for every statement, so they are plain classes that compile to native ones; in all
else they are as the values of events.py, which hands them on: frozen, equal by their contents.
"""

from __future__ import annotations

from typing import Final, Literal

Doubt = Literal["", "cut", "unknown", "encoding"]
End = Literal["complete", "suspended", "failed", "denied", "skipped", "lost"]


class Statement:
    """One statement as a client sent it. What became of it comes later as an `Outcome` of the same
    `number`, which counts from 1 within the connection.

    `kind` is `query` (simple), `execute` (of a portal), `copy` (either, when the text is COPY),
    `prepare` (only when the server refused the text, or did not get to it: nothing was executed)
    or `call` (function call by number, which `name` holds). `binds` are the bound values as text,
    None for NULL, and None as a whole when there is nothing bound; `guessed` the indexes of binary
    values whose type was not known, so that their text is a guess. `name` and `portal` are those
    of the extended protocol; `resumed` tells that a portal goes on after its row limit.

    `sql` reads as with standard_conforming_strings on: what was sent with it off and has a
    backslash comes with its plain literals as `E'…'`.

    `doubt` says why `sql` may not be what the server executes, and an analyser must call such a
    statement opaque: `cut` (over-long; the head is kept), `unknown` (prepared out of our sight: by
    SQL or before we joined; `sql` may be empty), `encoding` (sent while the encoding changed).
    `cut_binds` tells that values are missing at the end of `binds`.

    `transaction` counts the connection's transactions: statements with the same number are in one,
    as far as the server had said when the statement was sent (one outside a transaction block is
    its own). Statements sent on without waiting for answers share a number.
    """

    def __init__(
        self,
        number: int,
        at_us: int,
        kind: str,
        sql: str,
        binds: tuple[str | None, ...] | None = None,
        guessed: tuple[int, ...] = (),
        name: str = "",
        portal: str = "",
        resumed: bool = False,
        doubt: Doubt = "",
        cut_binds: bool = False,
        transaction: int = 0,
    ) -> None:
        self.number: Final = number
        self.at_us: Final = at_us
        self.kind: Final = kind
        self.sql: Final = sql
        self.binds: Final = binds
        self.guessed: Final = guessed
        self.name: Final = name
        self.portal: Final = portal
        self.resumed: Final = resumed
        self.doubt: Final[Doubt] = doubt
        self.cut_binds: Final = cut_binds
        self.transaction: Final = transaction

    def fields(self) -> tuple[object, ...]:
        """All of it, in the order of the constructor's arguments."""
        return (
            self.number,
            self.at_us,
            self.kind,
            self.sql,
            self.binds,
            self.guessed,
            self.name,
            self.portal,
            self.resumed,
            self.doubt,
            self.cut_binds,
            self.transaction,
        )

    def with_texts(self, sql: str, binds: tuple[str | None, ...] | None) -> Statement:
        """The same statement with its texts written otherwise."""
        return Statement(
            self.number,
            self.at_us,
            self.kind,
            sql,
            binds,
            self.guessed,
            self.name,
            self.portal,
            self.resumed,
            self.doubt,
            self.cut_binds,
            self.transaction,
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Statement) and self.fields() == other.fields()

    def __hash__(self) -> int:
        return hash(self.fields())

    def __repr__(self) -> str:
        return f"Statement{self.fields()!r}"


class Outcome:
    """What became of the statement `number`. `rows` and `bytes` are what the server returned
    (DataRow and CopyData frames, headers included), -1 when not known; `parts` the rows of each
    statement of a simple text that completed.

    `end`: `complete`, `suspended` (row limit reached, the portal may go on), `failed` (`error`,
    `sqlstate` are the server's), `denied` (the client got our refusal), `skipped` (after an
    earlier error), `lost` (we did not see, or the connection ended first).
    """

    def __init__(
        self,
        number: int,
        at_us: int,
        rows: int,
        size: int,
        end: End,
        error: str | None = None,
        sqlstate: str = "",
        parts: tuple[int, ...] = (),
    ) -> None:
        self.number: Final = number
        self.at_us: Final = at_us
        self.rows: Final = rows
        self.bytes: Final = size
        self.end: Final[End] = end
        self.error: Final = error
        self.sqlstate: Final = sqlstate
        self.parts: Final = parts

    def fields(self) -> tuple[object, ...]:
        """All of it, in the order of the constructor's arguments."""
        return (
            self.number,
            self.at_us,
            self.rows,
            self.bytes,
            self.end,
            self.error,
            self.sqlstate,
            self.parts,
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Outcome) and self.fields() == other.fields()

    def __hash__(self) -> int:
        return hash(self.fields())

    def __repr__(self) -> str:
        return f"Outcome{self.fields()!r}"
