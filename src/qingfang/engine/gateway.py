"""A gateway's process: one of the processes that serve one route."""

from __future__ import annotations

import asyncio
from pathlib import Path

from qingfang.config import Config
from qingfang.decode.pgwire import Inline
from qingfang.engine import process, status
from qingfang.engine.decider import Decider
from qingfang.record.recorder import Recorder
from qingfang.sense.gateway import Gateway

GRACE_S = 10.0


async def run(config: Config, stopping: asyncio.Event, *, name: str, worker: int) -> None:
    """Serve the route `name` until `stopping` is set, then let transactions end."""
    route = next(r for r in config.route if r.name == name)
    database = next(d for d in config.database if d.name == route.database)
    folder = Path(config.paths.run)
    recorder = Recorder(folder / "ledger.sock", f"gateway/{name}")
    await recorder.start()
    decider = Decider(config, route, recorder)
    decider.start()
    gateway = Gateway(route, database, Inline, decider, site=config.site.id, node=config.site.node)
    await gateway.listen()
    reporting = asyncio.create_task(status.report(folder / "status.sock", decider.coverage))
    process.say_ready()
    await stopping.wait()
    await gateway.drain(GRACE_S)
    reporting.cancel()
    await decider.close()
    await recorder.close()
