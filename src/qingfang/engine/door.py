"""The process in front of the ledger that other machines talk to (`ship.door`)."""

from __future__ import annotations

import asyncio
from pathlib import Path

from qingfang.config import Config
from qingfang.engine import ledger
from qingfang.engine.process import say_ready
from qingfang.record.client import now_us
from qingfang.ship import certificates
from qingfang.ship.door import Door, Peer, serve
from qingfang.ship.intake import Intake


async def run(config: Config, stopping: asyncio.Event) -> None:
    """Serve until `stopping` is set. Raises `certificates.Unusable`."""
    door = config.door
    tls = certificates.server(
        Path(door.certificate),
        Path(door.key),
        [(Path(peer.certificate), peer.fingerprint) for peer in door.peer],
    )
    state = Path(config.paths.state)
    state.mkdir(parents=True, exist_ok=True)
    intake = Intake(ledger.socket(config), state / "door.sqlite", now_us)
    peers = [Peer(peer.name, peer.fingerprint, peer.may) for peer in door.peer]
    try:
        await serve(
            Door(ledger.folder(config), intake, peers),
            door.listen,
            tls,
            stopping,
            lambda _port: say_ready(),
        )
    finally:
        await intake.close()
