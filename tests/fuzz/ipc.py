"""Hostile frames on the sockets between services, at both ends: the peer that sent them loses its
connection, nothing is raised where nobody listens, and everybody else is still served."""

import asyncio
import atexit
import random
import socket
import struct
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import uvloop

from qingfang import ipc
from tests.fuzz import _mutate

_HEADER = struct.Struct("!IQB")


def _frame(number: int, kind: int, payload: bytes) -> bytes:
    return _HEADER.pack(len(payload), number, kind) + payload


def _request(number: int, method: str, payload: bytes) -> bytes:
    return _frame(number, ipc.REQUEST, bytes([len(method)]) + method.encode() + payload)


async def _answer(method: str, payload: bytes, peer: ipc.Peer) -> bytes | AsyncIterator[bytes]:
    if method == "echo":
        return payload
    if method == "count":
        return _count(len(payload) % 7)
    raise ipc.Refusal("unknown")


async def _count(most: int) -> AsyncIterator[bytes]:
    for n in range(most):
        yield bytes([n])


class _World:
    """One service, and one server that says whatever it is told to, for all inputs of a run."""

    def __init__(self) -> None:
        self.raised: list[dict[str, Any]] = []
        self.loop = uvloop.new_event_loop()
        self.loop.set_exception_handler(lambda _loop, what: self.raised.append(what))
        self._folder = tempfile.TemporaryDirectory(prefix="qingfang-fuzz-")
        self.service = Path(self._folder.name, "service.sock")
        self.liar = Path(self._folder.name, "liar.sock")
        self.lie = b""
        self.run(self._start())
        atexit.register(self._end)

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(asyncio.wait_for(work, 30))

    async def _start(self) -> None:
        self._servers = [
            await ipc.serve(self.service, _answer),
            await asyncio.start_unix_server(self._says, self.liar),
        ]

    async def _says(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(self.lie)
        writer.close()

    def _end(self) -> None:
        for server in self._servers:
            server.close()
        self.loop.close()
        self._folder.cleanup()


_worlds: list[_World] = []


def _world() -> _World:
    if not _worlds:
        _worlds.append(_World())
    return _worlds[0]


async def _to_a_service(rng: random.Random, world: _World) -> None:
    good = rng.randint(0, 3)
    requests = [
        _request(n, rng.choice(("echo", "count", "what")), rng.randbytes(rng.choice((0, 3, 200))))
        for n in range(good + rng.randint(1, 3))
    ]
    reader, writer = await asyncio.open_unix_connection(world.service)
    writer.write(b"".join(requests[:good]))
    answered: set[int] = set()
    while len(answered) < good:
        size, number, kind = _HEADER.unpack(await reader.readexactly(_HEADER.size))
        await reader.readexactly(size)
        if kind != ipc.ITEM:
            answered.add(number)
    assert answered == set(range(good))
    writer.write(_mutate.octets(rng, b"".join(requests[good:])))
    writer.write_eof()
    await reader.read()
    writer.close()


async def _from_a_server(rng: random.Random, world: _World) -> None:
    said = [
        _frame(n, rng.choice((2, 2, 3, 4, 5, 6)), rng.randbytes(rng.choice((0, 3, 200))))
        for n in range(rng.randint(1, 4))
    ]
    world.lie = _mutate.octets(rng, b"".join(said))
    client = ipc.Client(world.liar)
    try:
        if rng.random() < 0.5:
            await client.call("echo", b"x")
        else:
            async for _item in client.stream("count", b"x"):
                pass
    except (ipc.Unavailable, ipc.Refusal):
        pass
    await client.close()


def _blocking(rng: random.Random) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        said = _frame(1, rng.choice((2, 3, 4, 5, 6)), rng.randbytes(9))
        theirs.sendall(_mutate.octets(rng, said))
    client = ipc.BlockingClient(Path("nowhere.sock"))
    client._sock = ours
    try:
        if rng.random() < 0.5:
            client.call("echo")
        else:
            list(client.stream("count"))
    except (ipc.Unavailable, ipc.Refusal):
        pass
    finally:
        client.close()
        ours.close()


def attack(seed: int) -> None:
    rng = random.Random(seed)
    match seed % 4:
        case 0 | 1:
            world = _world()
            world.run(_to_a_service(rng, world))
            assert not world.raised, world.raised.pop()
        case 2:
            world = _world()
            world.run(_from_a_server(rng, world))
            assert not world.raised, world.raised.pop()
        case _:
            _blocking(rng)
