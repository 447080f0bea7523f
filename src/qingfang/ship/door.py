"""HTTP in front of a ledger's folder and its socket, over TLS.

    GET  /checkpoint, /certificate, /grants, /tile/…, /sm3/tile/…   to everybody: hashes only
    PUT  /cosignature        from those who may `cosign`
    GET  /ship/<log>, POST /ship/<log>   from those who may `ship`, for logs of their own node

Rules this module keeps:

1. What may be read is named by a strict pattern; nothing else of the folder can be reached, no link
   is followed.
2. Who writes is known by the SHA-256 of the certificate that TLS checked, never by what is said.
3. A body has a limit before it is read and a time in which it must come.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import os
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import uvicorn
from msgspec import Struct
from uvicorn.protocols.http.h11_impl import H11Protocol

from qingfang.language import _
from qingfang.ship import certificates, wire
from qingfang.ship.intake import Busy, Intake, Unacceptable
from qingfang.ship.wire import Problem, Shipment

COSIGNATURE_LIMIT: Final = 64 * 1024
_FILE_LIMIT: Final = 4 * 1024 * 1024
_BODY_SECONDS: Final = 60.0
_PUBLIC: Final = re.compile(
    r"checkpoint|certificate|grants|"
    r"(?:sm3/)?tile/(?:[0-9]|[1-5][0-9]|6[0-3])/(?:x[0-9]{3}/){0,5}[0-9]{3}"
    r"(?:\.p/(?:[1-9][0-9]?|1[0-9]{2}|2[0-4][0-9]|25[0-5]))?"
)
"""C2SP tlog-tiles; `fullmatch` without the leading slash."""
_SIGNATURE: Final = re.compile(r"\u2014 (\S+) ([A-Za-z0-9+/]+={0,2})")

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Peer(Struct, frozen=True):
    """One whose certificate is known. `name` is a sensor's node, or a witness's name."""

    name: str
    fingerprint: str
    may: Literal["ship", "cosign"]


class _No(Exception):
    def __init__(self, status: int, problem: str) -> None:
        super().__init__(problem)
        self.status, self.problem = status, problem


def well_formed(note: bytes) -> bool:
    """Whether this has the form of a C2SP signed note that speaks of a checkpoint: lines, an empty
    one, and one signature or more. Whose they are is for the ledger to check."""
    try:
        text = note.decode()
    except UnicodeDecodeError:
        return False
    body, blank, signatures = text.rpartition("\n\n")
    if not blank or not text.endswith("\n") or body.count("\n") < 2 or "\r" in text:
        return False
    lines = signatures.splitlines()
    found = [_SIGNATURE.fullmatch(line) for line in lines]
    if not lines or not all(found):
        return False
    try:
        return all(len(base64.b64decode(m[2], validate=True)) > 4 for m in found if m)
    except binascii.Error:
        return False


def store_cosignature(ledger: Path, name: str, note: bytes) -> Path:
    """`cosignatures`/`name` in the ledger's folder: the latest of this witness, replaced in one
    step and durable. Raises OSError."""
    folder = ledger / "cosignatures"
    folder.mkdir(mode=0o700, exist_ok=True)
    fresh = folder / f".{name}.new"
    with fresh.open("wb") as file:
        file.write(note)
        file.flush()
        os.fsync(file.fileno())
    path = folder / name
    fresh.replace(path)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return path


class Door:
    """The ASGI application. `ledger` is the ledger's folder."""

    def __init__(self, ledger: Path, intake: Intake, peers: Sequence[Peer]) -> None:
        self._ledger, self._intake = ledger, intake
        self._peers = {peer.fingerprint: peer for peer in peers}

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        kind = "application/json"
        try:
            status, kind, body = await self._answer(scope, receive)
        except _No as no:
            status, body = no.status, msgspec.json.encode(Problem(no.problem))
        except Busy as busy:
            status, body = 503, msgspec.json.encode(Problem(str(busy)))
        except Unacceptable as error:
            status, body = 422, msgspec.json.encode(Problem(str(error)))
        headers = [
            (b"content-type", kind.encode()),
            (b"content-length", str(len(body)).encode()),
        ]
        if status >= 400:
            # What is left of a body that was not read must not be taken for a request.
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: dict[str, Any], receive: Receive) -> tuple[int, str, bytes]:
        method, path = scope["method"], scope["path"][1:]
        if _PUBLIC.fullmatch(path):
            if method != "GET":
                raise _No(405, _("这里只能读"))
            return 200, "application/octet-stream", self._public(path)
        if path == "cosignature":
            if method != "PUT":
                raise _No(405, _("这里只收 PUT"))
            peer = self._peer(scope, "cosign")
            note = await _body(receive, COSIGNATURE_LIMIT)
            if not well_formed(note):
                raise _No(422, _("不是签了名的检查点"))
            await asyncio.to_thread(store_cosignature, self._ledger, peer.name, note)
            return 200, "application/json", b"{}"
        room, _slash, name = path.partition("/")
        if room != "ship" or wire.node_of(name) is None:
            raise _No(404, _("没有这个地址"))
        peer = self._peer(scope, "ship")
        if wire.node_of(name) != peer.name:
            raise _No(403, _("这张证书是节点 {} 的，不能送别的节点的记录").format(peer.name))
        if method == "GET":
            answer = await self._intake.expected(name)
        elif method == "POST":
            body = await _body(receive, wire.BODY_LIMIT)
            try:
                shipment = msgspec.msgpack.decode(body, type=Shipment)
            except msgspec.MsgspecError as error:
                raise _No(400, _("读不懂送来的内容（{}）").format(error)) from None
            answer = await self._intake.take(name, shipment)
        else:
            raise _No(405, _("这里只收 GET 与 POST"))
        return 200, "application/json", msgspec.json.encode(answer)

    def _peer(self, scope: dict[str, Any], may: str) -> Peer:
        shown = scope["state"].get("certificate")
        peer = self._peers.get(certificates.fingerprint(shown)) if shown else None
        if peer is None or peer.may != may:
            raise _No(403, _("没有出示登记过的证书，或这张证书不许做这件事"))
        return peer

    def _public(self, path: str) -> bytes:
        try:
            folder = (self._ledger / path).parent
            if folder.resolve() != self._ledger.resolve() / folder.relative_to(self._ledger):
                raise _No(404, _("还没有这个文件"))
            descriptor = os.open(self._ledger / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as file:
                return file.read(_FILE_LIMIT)
        except OSError:
            raise _No(404, _("还没有这个文件")) from None


async def _body(receive: Receive, limit: int) -> bytes:
    parts = bytearray()
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise _No(400, _("内容没有送完"))
                parts += message.get("body", b"")
                if len(parts) > limit:
                    raise _No(413, _("内容超过 {} 字节").format(limit))
                if not message.get("more_body"):
                    return bytes(parts)
    except TimeoutError:
        raise _No(408, _("内容没有送完")) from None


class _Protocol(H11Protocol):
    """HTTP/1.1 that tells the application which certificate TLS accepted."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
        shown = tls.getpeercert(True) if tls is not None else None
        self.app_state = {**self.app_state, "certificate": shown}


class _Uvicorn(uvicorn.Server):
    """Signals are the process wrapper's."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[int], None]) -> None:
        super().__init__(config)
        self._ready = ready

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready(self.servers[0].sockets[0].getsockname()[1])


async def serve(
    door: Door,
    listen: str,
    tls: ssl.SSLContext,
    stopping: asyncio.Event,
    ready: Callable[[int], None],
) -> None:
    """Until `stopping` is set; `ready` is told the port."""
    host, _colon, port = listen.rpartition(":")
    server = _Uvicorn(
        uvicorn.Config(
            door,  # type: ignore[arg-type]
            host=host.strip("[]"),
            port=int(port),
            http=_Protocol,
            ws="none",
            lifespan="off",
            log_level="warning",
            access_log=False,
            server_header=False,
            limit_concurrency=256,
            timeout_graceful_shutdown=3,
            ssl_context_factory=lambda _config, _default: tls,
        ),
        ready,
    )
    serving = asyncio.create_task(server.serve())
    told = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait((serving, told), return_when=asyncio.FIRST_COMPLETED)
    finally:
        told.cancel()
        server.should_exit = True
        await serving
