"""A gateway's process: one of the processes that serve one route.

Serves `paths.run`/gateway-ROUTE-WORKER.sock: `leg` (an address:port → one byte when a connection that
is open now reaches the database from there, none otherwise), `ping`.
"""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

from qingfang import ipc
from qingfang.config import Config
from qingfang.decode.pgwire import Inline
from qingfang.engine import process, status
from qingfang.engine.decider import Decider
from qingfang.record.recorder import Recorder
from qingfang.sense.gateway import Gateway

GRACE_S = 10.0


def socket(config: Config, route: str, worker: int) -> Path:
    """Where this process of the route answers."""
    return Path(config.paths.run, f"gateway-{route}-{worker}.sock")


async def run(config: Config, stopping: asyncio.Event, *, name: str, worker: int) -> None:
    """Serve the route `name` until `stopping` is set, then let transactions end."""
    route = next(r for r in config.route if r.name == name)
    database = next(d for d in config.database if d.name == route.database)
    folder = Path(config.paths.run)
    recorder = Recorder(folder / "ledger.sock", f"gateway/{name}")
    await recorder.start()
    decider = Decider(config, route, recorder)
    decider.start()
    decoder = partial(Inline, function_calls=route.function_calls, replication=route.replication)
    gateway = Gateway(route, database, decoder, decider, site=config.site.id, node=config.site.node)
    await gateway.listen()

    async def answer(method: str, payload: bytes, peer: ipc.Peer) -> bytes:
        if method == "leg":
            return b"\x01" if decider.is_leg(payload.decode()) else b""
        if method == "ping":
            return b""
        raise ipc.Refusal(f"gateway: {method}?")

    server = await ipc.serve(socket(config, name, worker), answer)
    reporting = asyncio.create_task(status.report(folder / "status.sock", decider.coverage))
    process.say_ready()
    await stopping.wait()
    await gateway.drain(GRACE_S)
    reporting.cancel()
    server.close()
    await decider.close()
    await recorder.close()
