"""Statements that were seen, for registering what belongs to them.

Whoever keeps them (the app of alerts) tells how by `told_by`.
"""

from __future__ import annotations

from collections.abc import Callable

from qingfang.people.models import Person


class Statement:
    """A statement as it was sent, with the digest of its template and who sent it from where.
    `terminal` is empty when it was sent from none that is declared."""

    def __init__(
        self, sql: str, digest: str, *, operator: str, terminal: str, program: str, account: str
    ) -> None:
        self.sql, self.digest = sql, digest
        self.operator, self.terminal = operator, terminal
        self.program, self.account = program, account

    def initial(self, kind: str) -> dict[str, object]:
        """What the form of a report or service begins with."""
        terminals = [self.terminal] if self.terminal else []
        if kind == "report":
            persons = [self.operator] if self.operator else []
            return {"digest": self.digest, "terminals": terminals, "persons": persons}
        return {
            "digests": self.digest,
            "terminals": terminals,
            "program": self.program,
            "account": self.account,
            "operator": self.operator,
        }


_tell: list[Callable[[Person, int], Statement | None]] = []


def told_by(tell: Callable[[Person, int], Statement | None]) -> None:
    """`tell(person, number)` gives the statement of an alert that this person may see."""
    _tell[:] = [tell]


def statement(person: Person, number: str) -> Statement | None:
    return _tell[0](person, int(number)) if _tell and number.isdecimal() else None
