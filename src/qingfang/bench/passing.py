"""A decider that lets everything pass, for measuring the gateway alone. In a module of its own, so
that it is compiled when the gateway is."""

from __future__ import annotations

from typing import Final

from qingfang.events import Connection, Verdict
from qingfang.sense.gateway.contract import Decider, Leg, Unjudged
from qingfang.statement import Outcome, Statement

_PASS: Final = Verdict("pass")
_LARGE: Final = 10_000


class PassAll(Decider):
    """Prints the row count of every large result, one a line."""

    def opened(self, connection: Connection, leg: Leg) -> None:
        pass

    def refused(self, connection: Connection, sqlstate: str, error: str) -> None:
        pass

    def decide(self, connection: Connection, statement: Statement) -> Verdict:
        return _PASS

    def given_up(self, connection: Connection, statement: Statement) -> None:
        pass

    def completed(
        self,
        connection: Connection,
        statement: Statement,
        verdict: Verdict | None,
        outcome: Outcome,
    ) -> None:
        if outcome.rows > _LARGE:
            print(outcome.rows, flush=True)

    def unjudged(self, interval: Unjudged) -> None:
        pass

    def closed(self, connection: Connection) -> None:
        pass
