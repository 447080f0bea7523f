"""The gateway alone, for measuring: every statement passes, nothing is judged or recorded.

`python -m qingfang.bench._relay BACKEND` (address:port) prints the port it listens on, then the row
count of every large result, one a line.
"""

from __future__ import annotations

import asyncio
import sys

import msgspec

from qingfang.bench.passing import PassAll
from qingfang.config import Database, Route
from qingfang.decode.pgwire import Inline
from qingfang.sense.gateway import Gateway


async def _serve(backend: str) -> None:
    route = msgspec.convert({"name": "b", "database": "b", "listen": "127.0.0.1:0"}, Route)
    database = msgspec.convert({"name": "b", "address": backend, "catalogue": "-"}, Database)
    gateway = Gateway(route, database, Inline, PassAll())
    await gateway.listen()
    print(gateway.port, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    import uvloop

    uvloop.run(_serve(sys.argv[1]))
