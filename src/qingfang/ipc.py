"""How the services talk to each other: request and answer over Unix sockets, nothing else.

Rules this module keeps:

1. A frame is a 4-byte big-endian length, an 8-byte request number, one byte of kind, the payload.
   A frame over `MAX_FRAME`, or one that is no request or no answer, ends the connection, at either
   end: no peer can make us hold more.
2. Who may talk is decided by the kernel's word (`SO_PEERCRED`), never by what the peer says.
3. Answers may come in any order; a request number pairs them. A handler that raises `Refusal`
   answers with its message; any other exception is logged here and answered as an internal error,
   without its text (it could hold a name).
4. A stream answer is a row of `ITEM` frames and one `END`, on a connection of its own: the
   receiver's socket buffer is the only flow control, so a slow reader slows its own stream and
   nobody else's, and holds no more than that buffer.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

log = logging.getLogger(__name__)

MAX_FRAME = 64 * 1024 * 1024
_HEADER = struct.Struct("!IQB")
_UCRED = struct.Struct("3i")
REQUEST, ANSWER, ITEM, END, REFUSED, FAILED = range(1, 7)

Handler = Callable[[str, bytes, "Peer"], Awaitable["bytes | AsyncIterator[bytes]"]]


class Refusal(Exception):
    """The service understood and says no; the text is for the caller."""


class Unavailable(Exception):
    """The service cannot be reached, or went away before it answered."""


class Peer:
    """The process at the other end, in the kernel's words."""

    __slots__ = ("gid", "pid", "uid")

    def __init__(self, pid: int, uid: int, gid: int) -> None:
        self.pid, self.uid, self.gid = pid, uid, gid


def peer_of(sock: socket.socket) -> Peer:
    return Peer(*_UCRED.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)))


def _frame(number: int, kind: int, payload: bytes) -> bytes:
    return _HEADER.pack(len(payload), number, kind) + payload


def _request(number: int, method: str, payload: bytes) -> bytes:
    name = method.encode()
    return _frame(number, REQUEST, bytes([len(name)]) + name + payload)


def _asked(body: bytes) -> tuple[str, bytes] | None:
    """(method, payload) of a request; None when it is none."""
    end = 1 + body[0] if body else 0
    if not 0 < end <= len(body):
        return None
    try:
        return body[1:end].decode(), body[end:]
    except UnicodeDecodeError:
        return None


async def serve(
    path: Path, handler: Handler, *, uids: frozenset[int] | None = None
) -> asyncio.AbstractServer:
    """Listen at `path` (mode 0660; a stale socket is replaced). `uids` are the users allowed to
    call, root and our own user always among them; None allows only these two."""
    allowed = {0, os.getuid()} | (uids or frozenset())
    with contextlib.suppress(FileNotFoundError):
        path.unlink()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = peer_of(writer.get_extra_info("socket"))
        tasks: set[asyncio.Task[None]] = set()
        try:
            if peer.uid not in allowed:
                log.warning("refused a connection to %s from uid %d", path.name, peer.uid)
                return
            while True:
                length, number, kind = _HEADER.unpack(await reader.readexactly(_HEADER.size))
                if length > MAX_FRAME or kind != REQUEST:
                    log.warning("closed a connection to %s: malformed frame", path.name)
                    return
                asked = _asked(await reader.readexactly(length))
                if asked is None:
                    log.warning("closed a connection to %s: malformed request", path.name)
                    return
                task = asyncio.create_task(_answer(handler, writer, number, *asked, peer))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # asyncio calls a handler that was cancelled at the loop's end a failure
        finally:
            for task in tasks:
                task.cancel()
            writer.close()

    server = await asyncio.start_unix_server(connected, path, limit=1 << 20)
    path.chmod(0o660)
    return server


async def _answer(
    handler: Handler,
    writer: asyncio.StreamWriter,
    number: int,
    method: str,
    payload: bytes,
    peer: Peer,
) -> None:
    try:
        result = await handler(method, payload, peer)
        if isinstance(result, bytes):
            writer.write(_frame(number, ANSWER, result))
        else:
            async for item in result:
                writer.write(_frame(number, ITEM, item))
                await writer.drain()
            writer.write(_frame(number, END, b""))
        await writer.drain()
    except Refusal as no:
        writer.write(_frame(number, REFUSED, str(no).encode()))
    except (ConnectionError, asyncio.CancelledError):
        raise
    except Exception:
        log.exception("%s failed", method)
        writer.write(_frame(number, FAILED, b"internal error"))


class Client:
    """An asyncio client; one connection for any number of calls under way, one more for each stream.
    Reconnects on the next call after a loss; a request whose connection is lost raises
    `Unavailable` (it may or may not have been carried out)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: asyncio.StreamWriter | None = None
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self._number = 0
        self._lock = asyncio.Lock()
        self._reading: asyncio.Task[None] | None = None

    async def _connect(self) -> asyncio.StreamWriter:
        async with self._lock:
            if self._writer is not None and not self._writer.is_closing():
                return self._writer
            reader, writer = await self._opened()
            self._writer = writer
            self._reading = asyncio.create_task(self._read(reader, writer))
            return writer

    async def _opened(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            return await asyncio.open_unix_connection(self._path)
        except OSError as error:
            raise Unavailable(f"{self._path.name}: {error.strerror}") from None

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                length, number, kind = _HEADER.unpack(await reader.readexactly(_HEADER.size))
                if length > MAX_FRAME:
                    log.warning("closed a connection to %s: malformed frame", self._path.name)
                    return
                payload = await reader.readexactly(length)
                waiter = self._waiting.pop(number, None)
                if waiter is None or waiter.done():
                    continue
                if kind == ANSWER:
                    waiter.set_result(payload)
                else:
                    waiter.set_exception(_error(kind, payload))
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()
            if self._writer is writer:
                self._writer = None
            lost, self._waiting = self._waiting, {}
            for waiter in lost.values():
                if not waiter.done():
                    waiter.set_exception(Unavailable(f"{self._path.name}: connection lost"))

    async def call(self, method: str, payload: bytes = b"") -> bytes:
        writer = await self._connect()
        self._number += 1
        number = self._number
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            writer.write(_request(number, method, payload))
            return await future
        finally:
            self._waiting.pop(number, None)

    async def stream(self, method: str, payload: bytes = b"") -> AsyncIterator[bytes]:
        reader, writer = await self._opened()
        try:
            writer.write(_request(1, method, payload))
            while True:
                length, _number, kind = _HEADER.unpack(await reader.readexactly(_HEADER.size))
                item = await reader.readexactly(length)
                if kind == ITEM:
                    yield item
                elif kind == END:
                    return
                else:
                    raise _error(kind, item)
        except (asyncio.IncompleteReadError, OSError):
            raise Unavailable(f"{self._path.name}: connection lost") from None
        finally:
            writer.close()

    async def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        if self._reading is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await self._reading


def _error(kind: int, payload: bytes) -> Exception:
    text = payload.decode(errors="replace")
    return Refusal(text) if kind == REFUSED else Unavailable(text)


class BlockingClient:
    """The same for code without an event loop: one request at a time."""

    def __init__(self, path: Path, timeout: float = 30.0) -> None:
        self._path, self._timeout, self._number = path, timeout, 0
        self._sock: socket.socket | None = None

    def _connected(self) -> socket.socket:
        if self._sock is None:
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            sock.settimeout(self._timeout)
            try:
                sock.connect(str(self._path))
            except OSError as error:
                sock.close()
                raise Unavailable(f"{self._path.name}: {error.strerror}") from None
            self._sock = sock
        return self._sock

    def _exactly(self, sock: socket.socket, size: int) -> bytes:
        parts = bytearray()
        while len(parts) < size:
            part = sock.recv(min(size - len(parts), 1 << 20))
            if not part:
                raise ConnectionError("closed")
            parts += part
        return bytes(parts)

    def _frames(self, method: str, payload: bytes) -> Iterator[tuple[int, bytes]]:
        sock = self._connected()
        self._number += 1
        try:
            sock.sendall(_request(self._number, method, payload))
            while True:
                length, number, kind = _HEADER.unpack(self._exactly(sock, _HEADER.size))
                if length > MAX_FRAME:
                    raise ConnectionError("malformed frame")
                body = self._exactly(sock, length)
                if number == self._number:
                    yield kind, body
        except OSError as error:
            self.close()
            raise Unavailable(f"{self._path.name}: {error}") from None

    def call(self, method: str, payload: bytes = b"") -> bytes:
        for kind, body in self._frames(method, payload):
            if kind == ANSWER:
                return body
            raise _error(kind, body)
        raise AssertionError

    def stream(self, method: str, payload: bytes = b"") -> Iterator[bytes]:
        for kind, body in self._frames(method, payload):
            if kind == ITEM:
                yield body
            elif kind == END:
                return
            else:
                raise _error(kind, body)

    def close(self) -> None:
        if self._sock is not None:
            self._sock.close()
            self._sock = None
