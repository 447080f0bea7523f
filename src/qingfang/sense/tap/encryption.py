"""Tells a connection that can be read from one that cannot, by its first bytes. Sans-IO.

Sources: PostgreSQL 18 «SSL Session Encryption» and «GSSAPI Session Encryption» (the request, one
byte of answer), RFC 8446 (record and ClientHello, ServerHello), RFC 6066 (server name), RFC 7301
(application protocol).

Rules this module keeps:

1. A connection is given to its decoder as soon as it is known to be in clear, with all bytes so
   far; when it is encrypted the decoder is told nothing, for it could read nothing.
2. What is reported of an encrypted one is only what it says in clear: version, server name,
   application protocol.
3. At most `MAX_HELLO` bytes a direction are kept; what has not said by then what it is, is clear.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

MAX_HELLO: Final = 17 * 1024
SSL_REQUEST: Final = bytes.fromhex("0000000804d2162f")
GSS_REQUEST: Final = bytes.fromhex("0000000804d21630")

UNDECIDED: Final = 0
CLEAR: Final = 1
ENCRYPTED: Final = 2

_VERSIONS: Final = {
    0x0300: "SSL 3.0",
    0x0301: "TLS 1.0",
    0x0302: "TLS 1.1",
    0x0303: "TLS 1.2",
    0x0304: "TLS 1.3",
}
_HANDSHAKE, _APPLICATION = 22, 23
_CLIENT_HELLO, _SERVER_HELLO = 1, 2
_SERVER_NAME, _APPLICATION_PROTOCOLS, _SUPPORTED_VERSIONS = 0, 16, 43


class Blind(Struct, frozen=True):
    """Why a connection cannot be read. `version` is what the server chose, or while that is not
    known the best that the client offered; fields that were not said are empty."""

    kind: str  # "tls" or "gss"
    version: str = ""
    server_name: str = ""
    application_protocol: str = ""


class Sniffer:
    """Reads the head of a connection; `feed` answers UNDECIDED, CLEAR or ENCRYPTED. After
    ENCRYPTED, `blind` says what is known."""

    def __init__(self, midstream: bool) -> None:
        self.blind: Blind | None = None
        self._midstream = midstream
        self._client = b""
        self._server = b""
        self._asked = ""  # "tls" or "gss" while the answer is awaited
        self._begun = ""  # … after it was granted

    def feed(self, from_client: bool, data: bytes) -> int:
        if from_client:
            self._client += data
        else:
            self._server += data
        while True:
            head = self._client if from_client else self._server
            if len(head) > MAX_HELLO:
                return self._encrypted() if self._begun else CLEAR
            if self._begun:
                return self._handshake()
            if self._asked:
                if not self._server:
                    return UNDECIDED
                answer, self._server = self._server[:1], self._server[1:]
                asked, self._asked = self._asked, ""
                self._client = self._client[8:]
                if answer in (b"S", b"G"):
                    self._begun = asked
                    if asked == "gss":
                        return self._encrypted()
                elif answer != b"N":
                    return CLEAR
                elif not self._client:
                    return UNDECIDED
                continue
            if _is_record(head, self._midstream):
                self._begun = "tls"
                continue
            if not from_client:
                return CLEAR
            for kind, request in (("tls", SSL_REQUEST), ("gss", GSS_REQUEST)):
                if head[:8] == request and not self._midstream:
                    self._asked = kind
            if self._asked:
                continue
            if not self._midstream and (
                SSL_REQUEST.startswith(head) or GSS_REQUEST.startswith(head)
            ):
                return UNDECIDED
            if len(head) < 6 and head[:1] == b"\x16" and not self._midstream:
                return UNDECIDED
            return CLEAR

    def _encrypted(self) -> int:
        chosen = _hello(self._server, _SERVER_HELLO)
        offered = _hello(self._client, _CLIENT_HELLO)
        self.blind = Blind(
            self._begun,
            chosen.version or offered.version,
            offered.server_name,
            chosen.application_protocol or offered.application_protocol,
        )
        return ENCRYPTED

    def _handshake(self) -> int:
        """Waits for both hellos, as far as they can still come."""
        if self._midstream or _whole(self._server):
            return self._encrypted()
        return UNDECIDED

    def give_up(self) -> int:
        """The head will not get longer: the connection ended, or bytes of it were lost."""
        return self._encrypted() if self._begun else CLEAR


def _is_record(head: bytes, midstream: bool) -> bool:
    """Whether these bytes begin a TLS record (a handshake; midway also application data)."""
    if len(head) < 6 or head[1] != 3 or head[2] > 4:
        return False
    length = (head[3] << 8) | head[4]
    if midstream:
        return (
            head[0] in (_HANDSHAKE, _APPLICATION) and head[2] > 0 and 16 <= length <= 16_384 + 2_048
        )
    return head[0] == _HANDSHAKE and head[5] in (_CLIENT_HELLO, _SERVER_HELLO)


def _whole(stream: bytes) -> bool:
    """Whether the first handshake message of the stream is there in full."""
    message = _message(stream)
    return len(message) >= 4 and len(message) >= 4 + int.from_bytes(message[1:4], "big")


def _message(stream: bytes) -> bytes:
    """The payload of the leading handshake records."""
    position, parts = 0, b""
    while position + 5 <= len(stream) and stream[position] == _HANDSHAKE:
        length = int.from_bytes(stream[position + 3 : position + 5], "big")
        parts += stream[position + 5 : position + 5 + length]
        position += 5 + length
    return parts


def _hello(stream: bytes, kind: int) -> Blind:
    """What a ClientHello or ServerHello says, as far as it can be read."""
    message = _message(stream)
    if len(message) < 4 or message[0] != kind:
        return Blind("tls")
    body = message[4 : 4 + int.from_bytes(message[1:4], "big")]
    version = int.from_bytes(body[:2], "big")
    position = 34
    position += 1 + _byte(body, position)  # session id
    if kind == _CLIENT_HELLO:
        position += 2 + _short(body, position)  # cipher suites
        position += 1 + _byte(body, position)  # compression methods
    else:
        position += 3
    end = min(len(body), position + 2 + _short(body, position))
    position += 2
    name, protocol = "", ""
    while position + 4 <= end:
        extension, size = _short(body, position), _short(body, position + 2)
        value = body[position + 4 : min(end, position + 4 + size)]
        position += 4 + size
        if extension == _SERVER_NAME and kind == _CLIENT_HELLO and len(value) > 5:
            name = _printable(value[5 : 5 + _short(value, 3)])
        elif extension == _APPLICATION_PROTOCOLS and len(value) > 3:
            protocol = _printable(value[3 : 3 + value[2]])
        elif extension == _SUPPORTED_VERSIONS:
            listed = value[1:] if kind == _CLIENT_HELLO else value
            found = [_short(listed, n) for n in range(0, len(listed) - 1, 2)]
            version = max([v for v in found if v in _VERSIONS], default=version)
    return Blind("tls", _VERSIONS.get(version, ""), name, protocol)


def _byte(data: bytes, position: int) -> int:
    return data[position] if position < len(data) else 0


def _short(data: bytes, position: int) -> int:
    return int.from_bytes(data[position : position + 2], "big")


def _printable(data: bytes) -> str:
    """Names as text; they are claims of the client, so nothing but printable ASCII goes on."""
    return "".join(chr(c) if 0x20 < c < 0x7F else "?" for c in data[:255])
