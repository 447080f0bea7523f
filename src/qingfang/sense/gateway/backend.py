"""A route's settings as its connections need them, and the call to the server behind it.

Rules this module keeps:

1. Certificates are read when settings are made, so that bad ones are refused before they are used.
2. `backend_tls`: `prefer` goes on in clear when the server has no TLS, `require` does not, `verify`
   also checks the server's certificate and name.

With TLS on both legs, libpq's `channel_binding=prefer` works only when the gateway presents the
database's own certificate: SCRAM-SHA-256-PLUS binds the password to the certificate seen.
"""

from __future__ import annotations

import asyncio
import secrets
import ssl
from typing import cast

from qingfang.config import Database, Route


class Settings:
    """A route as its connections need it. Raises OSError or ssl.SSLError for certificates that
    cannot be used."""

    def __init__(self, route: Route, database: Database, site: str, node: str) -> None:
        self.route = route
        self.site = site
        self.node = node
        self.prefix = f"{node}-{secrets.token_hex(4)}"
        self.protocol = database.protocol
        self.backend_name = database.address
        self.backend = split_address(database.address)
        self.fails_open = route.on_failure == "open" or (
            route.on_failure == "by-kind" and route.kind == "clinical"
        )
        self.front: ssl.SSLContext | None = None
        if route.tls_certificate:
            self.front = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.front.load_cert_chain(route.tls_certificate, route.tls_key)
        self.back: ssl.SSLContext | None = None
        if route.backend_tls != "disable":
            self.back = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            if route.backend_tls == "verify":
                if route.backend_ca:
                    self.back.load_verify_locations(route.backend_ca)
                else:
                    self.back.load_default_certs()
            else:
                self.back.check_hostname = False
                self.back.verify_mode = ssl.CERT_NONE


def split_address(text: str) -> tuple[str, int]:
    """`host:port` or `[v6]:port`."""
    host, _colon, port = text.rpartition(":")
    return host.strip("[]"), int(port)


async def call(
    protocol: asyncio.Protocol, settings: Settings, tls_request: bytes
) -> asyncio.Transport:
    """Connect to the server, encrypted as the route says. Raises OSError, ssl.SSLError."""
    loop = asyncio.get_running_loop()
    host, port = settings.backend
    if settings.back is None:
        transport, _protocol = await loop.create_connection(lambda: protocol, host, port)
        return transport
    greeting = _Greeting(loop)
    transport, _greeting = await loop.create_connection(lambda: greeting, host, port)
    transport.write(tls_request)
    answer = await greeting.answer
    if answer == b"S":
        secured = await loop.start_tls(transport, protocol, settings.back, server_hostname=host)
        if secured is None:
            raise ConnectionError("closed during the TLS handshake")
        protocol.connection_made(secured)
        return secured
    if answer == b"N" and settings.route.backend_tls == "prefer":
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        transport.resume_reading()
        return transport
    transport.abort()
    raise ConnectionError("the server does not offer TLS")


async def cancel(settings: Settings, tls_request: bytes, packet: bytes) -> None:
    """Hand a cancel request to the server and return when the server has closed its connection:
    only then has it acted, and only then may the client hear of it, or its next statement is the
    one that gets cancelled. Raises OSError, ssl.SSLError."""
    hangup = _Hangup(asyncio.get_running_loop())
    transport = await call(hangup, settings, tls_request)
    try:
        transport.write(packet)
        await hangup.gone
    finally:
        transport.close()


class _Hangup(asyncio.Protocol):
    """Waits for the server to close."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.gone: asyncio.Future[None] = loop.create_future()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.gone.done():
            self.gone.set_result(None)


class _Greeting(asyncio.Protocol):
    """Takes the server's one-byte answer to the request for encryption."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.answer: asyncio.Future[bytes] = loop.create_future()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._transport.pause_reading()
        if not self.answer.done():
            self.answer.set_result(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.answer.done():
            self.answer.set_exception(ConnectionError("closed before it answered"))
