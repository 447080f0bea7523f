"""The process that ships a sensor's spool to the door of the ledger (`ship.shipper`); it answers
`ping` and `status` at `paths.run`/shipper.sock."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

import msgspec

from qingfang import ipc
from qingfang.config import Config
from qingfang.engine import ledger, spool
from qingfang.engine.process import say_ready
from qingfang.language import _
from qingfang.record.client import now_us
from qingfang.ship import certificates
from qingfang.ship.courier import Courier
from qingfang.ship.shipper import Shipper, Status

_DAY_US: Final = 86_400_000_000


def socket(config: Config) -> Path:
    return Path(config.paths.run) / "shipper.sock"


def status(config: Config) -> Status:
    """Raises `ipc.Unavailable` and `ipc.Refusal`."""
    client = ipc.BlockingClient(socket(config))
    try:
        return msgspec.json.decode(client.call("status"), type=Status)
    finally:
        client.close()


async def run(config: Config, stopping: asyncio.Event) -> None:
    """Ship until `stopping` is set. Raises `certificates.Unusable`."""
    ship = config.ship
    tls = certificates.client(Path(ship.certificate), Path(ship.key))
    shipper = Shipper(
        ledger.socket(config),
        spool.folder(config),
        Courier(ship.to, ship.fingerprint, tls),
        to=ship.to,
        keep_us=ship.keep_days * _DAY_US,
        keep_bytes=ship.keep_mib * ledger.MIB,
        clock=now_us,
    )

    async def answer(method: str, _payload: bytes, _peer: ipc.Peer) -> bytes:
        if method == "ping":
            return b""
        if method == "status":
            return msgspec.json.encode(await shipper.status())
        raise ipc.Refusal(_("送出进程没有这个方法：{}").format(method))

    server = await ipc.serve(socket(config), answer)
    shipping = asyncio.create_task(shipper.run())
    end = asyncio.create_task(stopping.wait())
    say_ready()
    try:
        await asyncio.wait((shipping, end), return_when=asyncio.FIRST_COMPLETED)
    finally:
        end.cancel()
        shipping.cancel()
        server.close()
        socket(config).unlink(missing_ok=True)
        await asyncio.gather(shipping, return_exceptions=True)
    if not stopping.is_set():
        await shipping
