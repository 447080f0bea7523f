"""The gateway alone, for measuring: every statement passes, nothing is judged or recorded.

`python -m qingfang.bench._relay BACKEND` (address:port) prints the port it listens on, then the row
count of every large result, one a line.
"""

from __future__ import annotations

import asyncio
import sys

import msgspec

from qingfang.config import Database, Route
from qingfang.decode.pgwire import Inline
from qingfang.events import Connection, Outcome, Statement, Verdict
from qingfang.sense.gateway import Gateway, Leg, Unjudged

_PASS = Verdict("pass")
_LARGE = 10_000


class _PassAll:
    def opened(self, connection: Connection, leg: Leg) -> None:
        pass

    def refused(self, connection: Connection, sqlstate: str, error: str) -> None:
        pass

    def decide(self, connection: Connection, statement: Statement) -> Verdict:
        return _PASS

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


async def _serve(backend: str) -> None:
    route = msgspec.convert({"name": "b", "database": "b", "listen": "127.0.0.1:0"}, Route)
    database = msgspec.convert({"name": "b", "address": backend, "catalogue": "-"}, Database)
    gateway = Gateway(route, database, Inline, _PassAll())
    await gateway.listen()
    print(gateway.port, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    import uvloop

    uvloop.run(_serve(sys.argv[1]))
