"""Server → client: answers are counted and named, never decoded; refusals are put in place.

How it works: `feed` walks frame headers. Rows and COPY data are passed over by their length; the
few frames whose content matters are collected in `_body` when they end in a later chunk. The chunk
itself is handed on as the same object, unless a denied statement's error is awaited: then an error
that has not come whole is kept back (`_kept`), because it may be the one to rewrite.

Rules this module keeps:

1. Rows are counted by their headers.
2. What is collected of one frame is bounded; a longer one is known by its head.
3. Nothing is added, left out or reordered, except that the error a denied statement provoked, known
   by its random token, is replaced by our refusal.
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from qingfang.decode.pgwire.frames import (
    BACKEND_KEY_DATA,
    BIND_COMPLETE,
    CLOSE_COMPLETE,
    COMMAND_COMPLETE,
    COPY_BOTH,
    COPY_DATA,
    COPY_IN,
    COPY_OUT,
    DATA_ROW,
    EMPTY_QUERY,
    ERROR_RESPONSE,
    MAX_LARGE,
    NO_DATA,
    PARAMETER_DESCRIPTION,
    PARAMETER_STATUS,
    PARSE_COMPLETE,
    PORTAL_SUSPENDED,
    ROW_DESCRIPTION,
    ServerBroke,
    error_fields,
    four_bytes,
    is_server_kind,
)
from qingfang.decode.pgwire.frames import BIND as SENT_BIND
from qingfang.decode.pgwire.frames import CLOSE as SENT_CLOSE
from qingfang.decode.pgwire.frames import PARSE as SENT_PARSE
from qingfang.decode.pgwire.frames import READY as READY_FOR_QUERY
from qingfang.decode.pgwire.pipeline import BLIND, STARTING, TLS_ASKED, Conversation
from qingfang.decode.pgwire.text import decode

MAX_COLLECTED: Final = 65_536
MAX_REWRITTEN: Final = 8_192
MAX_PARAMETERS: Final = 4 + 2 + 4 * 65_535


class Backend:
    """The server's direction of one connection. `one` is the first piece for the client, `out`
    those behind it."""

    def __init__(self, talk: Conversation, relays: bool) -> None:
        self.talk: Conversation = talk
        self.one: bytes = b""
        self.out: list[bytes] = []
        self.encryption_refused: bool = False
        self._relays: bool = relays
        self._skip: i64 = 0
        self._body: bytearray | None = None
        self._need: i64 = 0
        self._total: i64 = 0  # length of the frame in `_body`, 0 until its header has come
        self._kept: bytes = b""

    def feed(self, data: bytes) -> None:
        talk = self.talk
        if talk.phase == BLIND:
            return
        pos: i64 = 0
        if talk.phase == TLS_ASKED and not self._relays and data:
            if data[0] in b"SG":
                talk.blinded()
                return
            if data[0] == 0x4E:  # N
                talk.phase = STARTING
                self.encryption_refused = True
                pos = 1
        if self._kept:
            data = self._kept + data
            self._kept = b""
        self._walk(data, pos)

    @property
    def between_frames(self) -> bool:
        return self._skip == 0 and self._body is None

    def lose(self) -> None:
        """Forget the frame in progress (passive, after lost bytes)."""
        self._skip = 0
        self._body = None

    def skip_lost(self, count: int) -> bool:
        """Whether `count` lost bytes lie within a frame whose content is passed over anyway."""
        if count <= self._skip:
            self._skip -= count
            return True
        return False

    # -------------------------------------------------------------- framing

    def _walk(self, data: bytes, pos: i64) -> None:
        talk = self.talk
        size: i64 = len(data)
        start: i64 = 0
        while pos < size:
            if self._skip > 0:
                take = min(self._skip, size - pos)
                self._skip -= take
                pos += take
                continue
            if self._body is not None:
                pos = self._collect(data, pos, size)
                continue
            if size - pos < 5:
                if self._relays and talk.denials > 0:
                    self._kept = data[pos:]
                    break
                self._body = bytearray(data[pos:])
                self._need = 5
                self._total = 0
                pos = size
                break
            kind: i64 = data[pos]
            length = four_bytes(data, pos + 1)
            if length < 4 or length > MAX_LARGE:
                raise ServerBroke("invalid message length from the server")
            end = pos + 1 + length
            if kind == DATA_ROW:
                talk.rows(1, 1 + length)
            elif kind == COPY_DATA:
                talk.copy_data(1 + length)
            elif kind == READY_FOR_QUERY and length == 5 and end <= size:
                talk.ready(data[pos + 5])
            elif not _has_content(kind):
                self._act(kind, b"")
            elif end <= size:
                replacement = self._act(kind, data[pos + 5 : end])
                if replacement:
                    self._pass(data[start:pos])
                    self._pass(replacement)
                    start = end
            elif (
                kind == ERROR_RESPONSE
                and self._relays
                and talk.denials > 0
                and length < MAX_REWRITTEN
            ):
                self._kept = data[pos:]
                break
            else:
                self._body = bytearray()
                self._total = 1 + length
                self._need = min(self._total, _most(kind))
                continue
            if end > size:
                self._skip = end - size
                end = size
            pos = end
        if start == 0 and pos == len(data):
            self._pass(data)
        else:
            self._pass(data[start:pos])

    def _pass(self, data: bytes) -> None:
        if self._relays and data:
            if self.one:
                self.out.append(data)
            else:
                self.one = data

    def _collect(self, data: bytes, pos: i64, size: i64) -> i64:
        """Add to the collected frame; act on it when enough has come. Returns the offset behind
        what was taken."""
        body = self._body
        assert body is not None
        take = min(self._need - len(body), size - pos)
        body += data[pos : pos + take]
        if len(body) < self._need:
            return pos + take
        kind: i64 = body[0]
        if self._total == 0:
            length: i64 = int.from_bytes(body[1:5], "big")
            if length < 4 or length > MAX_LARGE:
                raise ServerBroke("invalid message length from the server")
            self._total = 1 + length
            if _has_content(kind) and length > 4:
                self._need = min(self._total, _most(kind))
                return pos + take
            if kind == DATA_ROW:
                self.talk.rows(1, self._total)
            elif kind == COPY_DATA:
                self.talk.copy_data(self._total)
            else:
                self._act(kind, b"")
        else:
            self._act(kind, bytes(body[5:]))
        self._skip = self._total - len(body)
        self._body = None
        return pos + take

    # -------------------------------------------------------------- messages

    def _act(self, kind: i64, body: bytes) -> bytes:
        """One frame has come. Returns the frame to send in its place, empty to leave it."""
        talk = self.talk
        if kind == COMMAND_COMPLETE:
            talk.completed(body)
        elif kind == READY_FOR_QUERY:
            if len(body) != 1:
                raise ServerBroke("invalid ReadyForQuery from the server")
            talk.ready(body[0])
        elif kind == BIND_COMPLETE:
            talk.answered(SENT_BIND)
        elif kind == PARSE_COMPLETE:
            talk.answered(SENT_PARSE)
        elif kind == ROW_DESCRIPTION or kind == NO_DATA:
            talk.described_rows()
        elif kind == CLOSE_COMPLETE:
            talk.answered(SENT_CLOSE)
        elif kind == ERROR_RESPONSE:
            sqlstate, message = error_fields(body)
            return talk.failed(body, sqlstate, message)
        elif kind == PARAMETER_DESCRIPTION:
            talk.described_parameters(_oids(body))
        elif kind == PORTAL_SUSPENDED:
            talk.suspended()
        elif kind == EMPTY_QUERY:
            talk.completed(b"")
        elif kind == COPY_IN:
            talk.copy_in()
        elif kind == COPY_OUT or kind == COPY_BOTH:
            talk.copy_out()
        elif kind == PARAMETER_STATUS:
            name, _zero, value = body.partition(b"\x00")
            talk.reported(decode(name, "utf-8"), decode(value.rstrip(b"\x00"), talk.codec))
        elif kind == BACKEND_KEY_DATA:
            talk.pid = int.from_bytes(body[:4], "big")
        elif not is_server_kind(kind):
            raise ServerBroke(f"invalid backend message type {kind}")
        return b""


def _has_content(kind: i64) -> bool:
    """Whether a frame's content matters to us, not only that it came."""
    return (
        kind == COMMAND_COMPLETE
        or kind == READY_FOR_QUERY
        or kind == ERROR_RESPONSE
        or kind == PARAMETER_STATUS
        or kind == BACKEND_KEY_DATA
        or kind == PARAMETER_DESCRIPTION
    )


def _most(kind: i64) -> i64:
    return 1 + MAX_PARAMETERS if kind == PARAMETER_DESCRIPTION else MAX_COLLECTED


def _oids(body: bytes) -> tuple[int, ...]:
    return tuple(
        [
            int.from_bytes(body[n : n + 4], "big")
            for n in range(2, min(len(body), MAX_PARAMETERS), 4)
        ]
    )
