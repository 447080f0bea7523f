"""Statements that were seen, for registering what belongs to them.

Whoever keeps them (the app of alerts) tells how by `told_by`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from qingfang.people.models import Person


class Statement:
    """A statement as it was sent (or its template's text), with the digest of its template and who
    sent it from where. `terminal` is empty when it was sent from none that is declared; `opaque`
    tells that it cannot be read."""

    def __init__(
        self,
        sql: str,
        digest: str,
        *,
        operator: str,
        terminal: str,
        program: str,
        account: str,
        opaque: bool = False,
    ) -> None:
        self.sql, self.digest, self.opaque = sql, digest, opaque
        self.operator, self.terminal = operator, terminal
        self.program, self.account = program, account

    def initial(self, kind: str) -> dict[str, object]:
        """What the form of a report or service begins with."""
        terminals = [self.terminal] if self.terminal else []
        if kind == "report":
            persons = [self.operator] if self.operator else []
            grain = "detail" if self.opaque else "department"
            return {
                "digests": self.digest,
                "terminals": terminals,
                "persons": persons,
                "grain": grain,
            }
        return {
            "digests": self.digest,
            "terminals": terminals,
            "program": self.program,
            "account": self.account,
            "operator": self.operator,
        }


Tell = Callable[[Person, int], Statement | None]

_tell: dict[str, Tell] = {}


def told_by(**tell: Tell) -> None:
    """Each gives the statement that this person may see, by its number: of an `alert`, of a
    `template` in the queue."""
    _tell.update(tell)


def statement(person: Person, asked: Mapping[str, str]) -> Statement | None:
    """The one that an address asks for (`alert=12`); None when it asks for none."""
    for kind, tell in _tell.items():
        number = asked.get(kind, "")
        if number.isdecimal():
            return tell(person, int(number))
    return None
