"""The frames of PostgreSQL's protocol 3: their kinds, how long they may be, and those we write.

Rules this module keeps:

1. Everything here is a fact of the protocol (PostgreSQL documentation, chapter «Frontend/Backend
   Protocol») or of the server's own source (`postmaster/backend_startup.c`, `tcop/postgres.c`,
   `libpq/pqcomm.c`); nothing here remembers anything.
2. Length limits are the server's own: what it would refuse we refuse, what it takes we take.
3. A peer that breaks the protocol raises `ClientBroke` or `ServerBroke`, nothing else.
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

# Requests that come instead of, or before, the start-up message: the code in its version field.
CANCEL_REQUEST: Final = 80877102
SSL_REQUEST: Final = 80877103
GSSENC_REQUEST: Final = 80877104
SSL_REQUEST_PACKET: Final = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"

MAX_STARTUP: Final = 10_000
MAX_SMALL: Final = 10_000
MAX_AUTH: Final = 65_535
MAX_LARGE: Final = 0x3FFF_FFFF

# Client → server.
BIND: Final = 0x42
CLOSE: Final = 0x43
COPY_DATA: Final = 0x64
COPY_DONE: Final = 0x63
COPY_FAIL: Final = 0x66
DESCRIBE: Final = 0x44
EXECUTE: Final = 0x45
FLUSH: Final = 0x48
FUNCTION_CALL: Final = 0x46
PARSE: Final = 0x50
PASSWORD: Final = 0x70
QUERY: Final = 0x51
SYNC: Final = 0x53
TERMINATE: Final = 0x58

# Server → client (COPY_DATA and COPY_DONE are the same letters both ways).
AUTHENTICATION: Final = 0x52
BACKEND_KEY_DATA: Final = 0x4B
BIND_COMPLETE: Final = 0x32
CLOSE_COMPLETE: Final = 0x33
COMMAND_COMPLETE: Final = 0x43
COPY_BOTH: Final = 0x57
COPY_IN: Final = 0x47
COPY_OUT: Final = 0x48
DATA_ROW: Final = 0x44
EMPTY_QUERY: Final = 0x49
ERROR_RESPONSE: Final = 0x45
FUNCTION_RESULT: Final = 0x56
NEGOTIATE_VERSION: Final = 0x76
NO_DATA: Final = 0x6E
NOTICE: Final = 0x4E
NOTIFICATION: Final = 0x41
PARAMETER_DESCRIPTION: Final = 0x74
PARAMETER_STATUS: Final = 0x53
PARSE_COMPLETE: Final = 0x31
PORTAL_SUSPENDED: Final = 0x73
READY: Final = 0x5A
ROW_DESCRIPTION: Final = 0x54


class ClientBroke(Exception):
    """The client does not speak the protocol; `response` is the FATAL answer to send before the
    connection is closed. `sqlstate` is 08P01 (protocol violation) or 0A000 (not supported)."""

    def __init__(self, problem: str, sqlstate: str = "08P01") -> None:
        super().__init__(problem)
        self.sqlstate = sqlstate
        self.response = error_response("FATAL", sqlstate, problem, "utf-8")


class ServerBroke(Exception):
    """The server does not speak the protocol; `response` tells the client so (08P01, FATAL)."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.sqlstate = "08P01"
        self.response = error_response("FATAL", "08P01", problem, "utf-8")


def frame(kind: int, body: bytes) -> bytes:
    return bytes((kind,)) + (len(body) + 4).to_bytes(4, "big") + body


def error_response(
    severity: str, sqlstate: str, message: str, codec: str, fallback: str = "", hint: str = ""
) -> bytes:
    """An ErrorResponse frame. Text that the client's encoding cannot hold is replaced by
    `fallback` (ASCII), or its characters by `?` when there is none."""
    try:
        text = message.encode(codec)
        note = hint.encode(codec)
    except UnicodeEncodeError:
        text = fallback.encode("ascii") if fallback else message.encode(codec, "replace")
        note = b""
    level = severity.encode("ascii")
    body = b"S" + level + b"\x00V" + level + b"\x00C" + sqlstate.encode("ascii") + b"\x00M" + text
    if note:
        body += b"\x00H" + note
    return frame(ERROR_RESPONSE, body + b"\x00\x00")


def error_fields(body: bytes) -> tuple[str, bytes]:
    """(SQLSTATE, message) of an ErrorResponse body, empty where a field is missing."""
    sqlstate = ""
    message = b""
    for field in body.split(b"\x00"):
        if field[:1] == b"C":
            sqlstate = field[1:].decode("ascii", "replace")
        elif field[:1] == b"M":
            message = field[1:]
    return sqlstate, message


def two_bytes(data: bytes, pos: i64) -> i64:
    """The unsigned integer of two bytes at `pos`, big-endian."""
    return (data[pos] << 8) | data[pos + 1]


def four_bytes(data: bytes, pos: i64) -> i64:
    """The unsigned integer of four bytes at `pos`, big-endian."""
    return (data[pos] << 24) | (data[pos + 1] << 16) | (data[pos + 2] << 8) | data[pos + 3]


def zero_from(data: bytes, pos: i64, size: i64) -> i64:
    """The offset of the first zero byte from `pos` on and before `size`, -1 when there is none."""
    near: i64 = min(size, pos + 64)  # names are short
    at: i64 = pos
    while at < near:
        if data[at] == 0:
            return at
        at += 1
    return -1 if at == size else data.find(b"\x00", at, size)


def client_limit(kind: i64) -> i64:
    """The longest length field a client frame of this kind may carry, 0 for an unknown kind."""
    if kind == QUERY or kind == PARSE or kind == BIND or kind == COPY_DATA:
        return MAX_LARGE
    if kind == FUNCTION_CALL:
        return MAX_LARGE
    if (
        kind == EXECUTE
        or kind == SYNC
        or kind == DESCRIBE
        or kind == CLOSE
        or kind == FLUSH
        or kind == COPY_DONE
        or kind == COPY_FAIL
        or kind == TERMINATE
    ):
        return MAX_SMALL
    if kind == PASSWORD:
        return MAX_AUTH
    return 0


_SERVER_KINDS: Final = frozenset(
    (
        AUTHENTICATION,
        BACKEND_KEY_DATA,
        BIND_COMPLETE,
        CLOSE_COMPLETE,
        COMMAND_COMPLETE,
        COPY_BOTH,
        COPY_DATA,
        COPY_DONE,
        COPY_IN,
        COPY_OUT,
        DATA_ROW,
        EMPTY_QUERY,
        ERROR_RESPONSE,
        FUNCTION_RESULT,
        NEGOTIATE_VERSION,
        NO_DATA,
        NOTICE,
        NOTIFICATION,
        PARAMETER_DESCRIPTION,
        PARAMETER_STATUS,
        PARSE_COMPLETE,
        PORTAL_SUSPENDED,
        READY,
        ROW_DESCRIPTION,
    )
)
_BARE: Final = frozenset(
    (
        BIND_COMPLETE,
        CLOSE_COMPLETE,
        COPY_DONE,
        EMPTY_QUERY,
        NO_DATA,
        PARSE_COMPLETE,
        PORTAL_SUSPENDED,
    )
)


def is_server_kind(kind: int) -> bool:
    return kind in _SERVER_KINDS


def find_boundary(data: bytes, from_client: bool) -> int:
    """The first offset from which `data` reads as a chain of frames, -1 when there is none.

    A chain is plausible when each frame is of a known kind and a length that this kind can have,
    and it ends exactly with `data` or holds at least three. Packets mostly begin with a frame, so at
    offset 0 two are enough, or one that begins a long statement. Used after lost bytes and when a
    stream is joined in its middle.
    """
    for start in range(min(len(data), 65_536)):
        frames = 0
        pos = start
        while pos + 5 <= len(data):
            kind = data[pos]
            length = int.from_bytes(data[pos + 1 : pos + 5], "big")
            known = _client_frame(kind, length) if from_client else _server_frame(kind, length)
            if not known:
                frames = -1
                break
            frames += 1
            pos += 1 + length
            if frames == 3 and pos <= len(data):
                return start
        if frames > 0 and pos == len(data):
            return start
        if start == 0 and (frames > 1 or (frames == 1 and _begins_text(data, from_client))):
            return start
    return -1


def _begins_text(data: bytes, from_client: bool) -> bool:
    """Whether a frame longer than `data` is a statement all the same: printable to the end."""
    return from_client and data[0] == QUERY and b"\x00" not in data[5:] and len(data) > 16


def _client_frame(kind: int, length: int) -> bool:
    if kind in {SYNC, FLUSH, TERMINATE, COPY_DONE}:
        return length == 4
    return 5 <= length <= client_limit(kind)


def _server_frame(kind: int, length: int) -> bool:
    if kind in _BARE:
        return length == 4
    if kind == READY:
        return length == 5
    if kind in {DATA_ROW, COPY_DATA, ROW_DESCRIPTION}:
        return 4 <= length <= MAX_LARGE
    return kind in _SERVER_KINDS and 5 <= length <= MAX_AUTH * 4 + 6
