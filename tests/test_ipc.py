"""Dialogues over a real Unix socket, in one event loop."""

import asyncio
import os
import socket
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from qingfang import ipc


async def handler(method: str, payload: bytes, peer: ipc.Peer) -> bytes | AsyncIterator[bytes]:
    if method == "echo":
        return payload
    if method == "slow":
        await asyncio.sleep(0)
        return b"slow " + payload
    if method == "who":
        return f"{peer.pid} {peer.uid}".encode()
    if method == "no":
        raise ipc.Refusal("不可以：" + payload.decode())
    if method == "bug":
        raise ValueError("张三 YP007")
    if method == "count":

        async def numbers() -> AsyncIterator[bytes]:
            for n in range(int(payload)):
                yield str(n).encode()

        return numbers()
    raise ipc.Refusal(method)


def dialogue(tmp_path: Path, talk) -> None:
    async def main() -> None:
        path = tmp_path / "s.sock"
        server = await ipc.serve(path, handler)
        client = ipc.Client(path)
        try:
            await talk(path, client)
        finally:
            await client.close()
            server.close()

    asyncio.run(main())


def test_answers_are_paired_with_their_requests(tmp_path: Path) -> None:
    async def talk(path: Path, client: ipc.Client) -> None:
        calls = [client.call("slow" if n % 2 else "echo", str(n).encode()) for n in range(200)]
        answers = await asyncio.gather(*calls)
        assert answers == [b"slow %d" % n if n % 2 else b"%d" % n for n in range(200)]

    dialogue(tmp_path, talk)


def test_the_kernel_says_who_calls(tmp_path: Path) -> None:
    async def talk(path: Path, client: ipc.Client) -> None:
        assert await client.call("who") == f"{os.getpid()} {os.getuid()}".encode()
        assert oct(path.stat().st_mode & 0o777) == "0o660"

    dialogue(tmp_path, talk)


def test_a_refusal_carries_its_text_and_a_bug_does_not(tmp_path: Path) -> None:
    async def talk(path: Path, client: ipc.Client) -> None:
        with pytest.raises(ipc.Refusal, match="不可以：x"):
            await client.call("no", b"x")
        with pytest.raises(ipc.Unavailable) as caught:
            await client.call("bug")
        assert "张三" not in str(caught.value)
        assert await client.call("echo", b"still here") == b"still here"

    dialogue(tmp_path, talk)


def test_a_slow_reader_of_a_stream_holds_little_and_holds_nobody_up(tmp_path: Path) -> None:
    made = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal made
        while True:
            made += 1
            yield bytes(65536)

    async def handler(method: str, payload: bytes, peer: ipc.Peer) -> bytes | AsyncIterator[bytes]:
        return endless() if method == "endless" else payload

    async def main() -> None:
        path = tmp_path / "slow.sock"
        server = await ipc.serve(path, handler)
        client = ipc.Client(path)
        stream = client.stream("endless")
        assert len(await anext(stream)) == 65536
        for _n in range(200):
            assert await client.call("echo", b"x") == b"x"
        assert made < 100  # what fits into the sockets' buffers, not what the service could make
        await stream.aclose()
        await client.close()
        server.close()

    asyncio.run(main())


def test_calls_go_on_beside_a_stream(tmp_path: Path) -> None:
    async def talk(path: Path, client: ipc.Client) -> None:
        got = []
        async for item in client.stream("count", b"5"):
            got.append(item)
            assert await client.call("echo", item) == item
        assert got == [b"0", b"1", b"2", b"3", b"4"]

    dialogue(tmp_path, talk)


@pytest.mark.parametrize(
    "garbage",
    [
        struct.pack("!IQB", ipc.MAX_FRAME + 1, 1, ipc.REQUEST),
        struct.pack("!IQB", 5, 1, 77) + b"hello",
        bytes(range(64, 128)),
        struct.pack("!IQB", 0, 1, ipc.REQUEST),
        struct.pack("!IQB", 3, 1, ipc.REQUEST) + b"\x05ec",
        struct.pack("!IQB", 3, 1, ipc.REQUEST) + b"\x02\xff\xfe",
    ],
)
def test_a_malformed_frame_ends_that_connection_only(tmp_path: Path, garbage: bytes) -> None:
    async def talk(path: Path, client: ipc.Client) -> None:
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(garbage)
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()
        assert await client.call("echo", b"fine") == b"fine"

    dialogue(tmp_path, talk)


def test_an_answer_that_is_too_large_ends_the_call(tmp_path: Path) -> None:
    async def says(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(struct.pack("!IQB", ipc.MAX_FRAME + 1, 1, ipc.ANSWER))

    async def main() -> None:
        path = tmp_path / "s.sock"
        server = await asyncio.start_unix_server(says, path)
        client = ipc.Client(path)
        with pytest.raises(ipc.Unavailable):
            await client.call("echo")
        blocking = ipc.BlockingClient(path)
        with pytest.raises(ipc.Unavailable, match="malformed"):
            await asyncio.to_thread(blocking.call, "echo")
        await client.close()
        server.close()

    asyncio.run(main())


def test_a_lost_service_is_said_and_found_again(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "s.sock"
        client = ipc.Client(path)
        with pytest.raises(ipc.Unavailable):
            await client.call("echo")
        server = await ipc.serve(path, handler)
        assert await client.call("echo", b"1") == b"1"
        server.close()
        await client.close()
        again = await ipc.serve(path, handler)
        assert await client.call("echo", b"2") == b"2"
        await client.close()
        again.close()

    asyncio.run(main())


def test_the_blocking_client_speaks_the_same(tmp_path: Path) -> None:
    async def talk(path: Path, client: ipc.Client) -> None:
        def blocking() -> None:
            blocker = ipc.BlockingClient(path)
            assert blocker.call("echo", b"x" * 100_000) == b"x" * 100_000
            assert list(blocker.stream("count", b"3")) == [b"0", b"1", b"2"]
            with pytest.raises(ipc.Refusal):
                blocker.call("no", b"x")
            blocker.close()
            with pytest.raises(ipc.Unavailable):
                ipc.BlockingClient(path.with_name("none")).call("echo")

        await asyncio.to_thread(blocking)

    dialogue(tmp_path, talk)


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to become another user")
def test_another_user_is_refused(tmp_path: Path) -> None:
    async def talk(path: Path, client: ipc.Client) -> None:
        path.chmod(0o666)
        for folder in (tmp_path, *tmp_path.parents):
            if str(folder).startswith("/tmp/pytest"):
                folder.chmod(0o755)
        child = os.fork()
        if child == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            with socket.socket(socket.AF_UNIX) as sock:
                sock.connect(str(path))
                os._exit(0 if sock.recv(100) == b"" else 1)
        _pid, status = await asyncio.to_thread(os.waitpid, child, 0)
        assert os.waitstatus_to_exitcode(status) == 0

    dialogue(tmp_path, talk)


def test_peer_of_reads_the_kernels_word() -> None:
    a, b = socket.socketpair(socket.AF_UNIX)
    with a, b:
        assert ipc.peer_of(a).pid == os.getpid()
