"""A route's listening socket, and what its connections share.

    gateway = Gateway(route, database, decoder_factory, decider, site="…", node="…")
    await gateway.listen()
    …
    gateway.reload(new_route, new_database)   # SIGHUP: for connections to come
    await gateway.drain(grace=30)             # SIGTERM

Rules this module keeps:

1. Any number of processes may listen on one route's port (SO_REUSEPORT); they share nothing.
2. `reload` changes connections to come, never those that are there. It takes effect whole or not at
   all: certificates are read before anything changes.
3. `drain` lets open transactions end; what is still open after the grace ends with SQLSTATE 57P01.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import cast

from qingfang.config import Database, Route
from qingfang.sense.gateway.backend import Settings, split_address
from qingfang.sense.gateway.contract import Decider, DecoderFactory, Unjudged
from qingfang.sense.gateway.failure import Failure
from qingfang.sense.gateway.relay import Relay, now_us

BACKLOG = 1024


class Gateway:
    """One route in one process."""

    def __init__(
        self,
        route: Route,
        database: Database,
        decoder_factory: DecoderFactory,
        decider: Decider,
        *,
        site: str = "",
        node: str = "",
    ) -> None:
        self.settings = Settings(route, database, site, node)
        self.decoder_factory = decoder_factory
        self.decider = decider
        self.draining = False
        self.failure = Failure(route.name, self._unjudged, now_us)
        self._server: asyncio.Server | None = None
        self._relays: set[Relay] = set()
        self._admitted = 0
        self._numbers = 0
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def connections(self) -> int:
        """Clients that were let through to the server."""
        return self._admitted

    @property
    def port(self) -> int:
        """The TCP port it listens on."""
        assert self._server is not None, "not listening"
        return self._server.sockets[0].getsockname()[1]

    async def listen(self) -> None:
        """Begin. Raises OSError when the address cannot be had."""
        host, port = split_address(self.settings.route.listen)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: cast("asyncio.Protocol", self._relay()),
            host,
            port,
            reuse_port=True,
            backlog=BACKLOG,
        )

    def reload(self, route: Route, database: Database) -> None:
        """New settings for connections to come; the listening address stays. Raises OSError or
        ssl.SSLError when certificates cannot be read: everything stays as it was."""
        old = self.settings
        self.settings = Settings(route, database, old.site, old.node)
        self.settings.prefix = old.prefix

    async def drain(self, grace: float) -> None:
        """Stop listening, let transactions end for up to `grace` seconds, end the rest."""
        self.draining = True
        if self._server is not None:
            self._server.close()
        for relay in list(self._relays):
            relay.shut_when_idle()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self._empty.wait()
        for relay in list(self._relays):
            relay.shut()
        self.failure.end()
        await asyncio.sleep(0)  # the last words go out with this turn of the loop

    # -------------------------------------------------------------- for relays

    def _relay(self) -> Relay:
        self._numbers += 1
        relay = Relay(self, self._numbers)
        self._relays.add(relay)
        self._empty.clear()
        return relay

    def admit(self) -> bool:
        """Whether one more client may go through to the server; counts it when it may."""
        if self._admitted >= self.settings.route.max_connections:
            return False
        self._admitted += 1
        return True

    def left(self, relay: Relay, admitted: bool) -> None:
        self._relays.discard(relay)
        if admitted:
            self._admitted -= 1
        if not self._relays:
            self._empty.set()

    def _unjudged(self, interval: Unjudged) -> None:
        self.decider.unjudged(interval)
