"""Packets of PostgreSQL connections made by hand, for scenes of blindness.

Rules this module keeps:

1. Only the client's messages and the server's shortest true answers are made; what the tap makes of
   them is the product's own work.
2. What happens to a packet underway is said with it: lost, late, cut into pieces, sent twice with
   different contents.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterator

from qingfang.decode.pgwire.frames import SSL_REQUEST_PACKET, frame

PORT = 5432
_ACK, _SYN, _FIN = 0x10, 0x02, 0x01
_READY = frame(ord("Z"), b"I")
_DONE = frame(ord("C"), b"SELECT 1\0") + _READY
_CLIENT_HELLO = bytes.fromhex("16030100050100000100")
_SERVER_HELLO = bytes.fromhex("16030300050200000100")


class _End:
    def __init__(self, address: str, port: int, seq: int) -> None:
        self.address, self.port, self.seq = ipaddress.ip_address(address).packed, port, seq


class Talk:
    """One connection between `client` and `server` (addresses). `frames` are what a mirror port
    sees, in order. `midway`: its beginning was before."""

    def __init__(self, client: str, server: str, port: int, *, midway: bool = False) -> None:
        self._client = _End(client, port, 1_000)
        self._server = _End(server, PORT, 9_000)
        self.frames: list[bytes] = []
        if not midway:
            self._send(self._client, self._server, _SYN, b"")
            self._send(self._server, self._client, _SYN | _ACK, b"")
            self._send(self._client, self._server, _ACK, b"")

    def sign_in(self, account: str, program: str) -> None:
        pairs = {"user": account, "database": "his", "application_name": program}
        body = b"\0\3\0\0" + b"".join(f"{k}\0{v}\0".encode() for k, v in pairs.items()) + b"\0"
        self.client(struct.pack("!I", len(body) + 4) + body)
        parameters = frame(ord("S"), b"client_encoding\0UTF8\0")
        self.server(frame(ord("R"), b"\0\0\0\0") + parameters + _READY)

    def encrypt(self) -> None:
        """The client asks for TLS and gets it."""
        self.client(SSL_REQUEST_PACKET)
        self.server(b"S")
        self.client(_CLIENT_HELLO)
        self.server(_SERVER_HELLO)

    def query(self, sql: str, how: str = "", size: int = 0) -> None:
        """A simple query and its answer. `how`: `lost` the packet is missing, `late` its first half
        comes after the second, `pieces` in packets of `size` bytes, `twice` first with harmless
        contents."""
        message = frame(ord("Q"), sql.encode() + b"\0")
        if how == "lost":
            self._client.seq += len(message)
        elif how == "late":
            half = len(message) // 2
            self.client(message[:half])
            self.client(message[half:])
            self.frames[-2:] = self.frames[:-3:-1]
        elif how == "pieces":
            for start in range(0, len(message), size):
                self.client(message[start : start + size])
        elif how == "twice":
            harmless = frame(ord("Q"), b"SELECT 1".ljust(len(sql.encode())) + b"\0")
            half = len(message) // 2
            # The head is held back, so that what comes twice waits for it.
            self._client.seq += half
            self.client(harmless[half:])
            self._client.seq -= len(message) - half
            self.client(message[half:])
            self._client.seq -= len(message)
            self.client(message[:half])
            self._client.seq += len(message) - half
        else:
            self.client(message)
        self.server(_DONE)

    def execute(self, name: str) -> None:
        """A statement prepared earlier, by its name."""
        bind = frame(ord("B"), b"\0" + name.encode() + b"\0" + b"\0\0\0\0\0\0")
        self.client(bind + frame(ord("E"), b"\0\0\0\0\0") + frame(ord("S"), b""))
        row = frame(ord("D"), struct.pack("!HI", 1, 1) + b"7")
        self.server(frame(ord("2"), b"") + row + _DONE)

    def close(self) -> None:
        self._send(self._client, self._server, _FIN | _ACK, b"")
        self._send(self._server, self._client, _FIN | _ACK, b"")
        self._send(self._client, self._server, _ACK, b"")

    def client(self, data: bytes) -> None:
        self._send(self._client, self._server, _ACK, data)

    def server(self, data: bytes) -> None:
        self._send(self._server, self._client, _ACK, data)

    def _send(self, source: _End, target: _End, flags: int, payload: bytes) -> None:
        size = 40 + len(payload)
        ip = struct.pack(
            "!BBHHHBBH4s4s", 0x45, 0, size, 1, 0x4000, 64, 6, 0, source.address, target.address
        )
        ack = target.seq if flags & _ACK else 0
        ends = (source.port, target.port, source.seq, ack)
        tcp = struct.pack("!HHIIBBHHH", *ends, 0x50, flags, 512, 0, 0)
        source.seq += len(payload) + bool(flags & (_SYN | _FIN))
        self.frames.append(b"\2\0\0\0\0\1\2\0\0\0\0\2\x08\0" + ip + tcp + payload)


def timed(talks: list[Talk], at_us: int) -> Iterator[tuple[int, int, int, bytes]]:
    """The frames of all connections, a millisecond apart, as a capture gives them (time, link, wire
    length, bytes)."""
    for talk in talks:
        for data in talk.frames:
            at_us += 1000
            yield at_us, 1, len(data), data
