"""Client → server: frames become statements; what may pass is passed on unchanged.

How it works: `feed` walks the frames of a chunk. A chunk of whole frames that all pass is handed on
as the same object; `_start` is the first byte of the current chunk that is not handed on yet. A
frame that ends in a later chunk is collected in `_held` (short ones, and every Query up to
`max_sql`) or streamed: handed on as it comes, with only its head kept (Bind, Parse, CopyData).

Rules this module keeps:

1. Inline, a Query, Execute or FunctionCall is not handed on before `allow` or `deny`; everything
   behind it waits, so order is kept. Passive, nothing is handed on and nothing waits.
2. Every statement that the server could execute is reported. Text over `max_sql` is reported with
   its head and the doubt `cut`; a name whose text is not known for sure with the doubt `unknown`.
3. No frame is held whole because its length says so: what is kept of one is bounded by `max_sql`
   and `MAX_BOUND`, and the texts of prepared statements together by `MAX_PREPARED`.
4. A denied statement is replaced by one the server must refuse, with a random token in it; the
   server's own error, rewritten (backend.py), answers the client. So the order of answers, skipping
   to Sync and the state of the transaction are right without our doing.
"""

from __future__ import annotations

import re
import secrets
from collections import deque
from typing import Final

from mypy_extensions import i64

from qingfang.decode.pgwire.frames import (
    BIND,
    CANCEL_REQUEST,
    CLOSE,
    COPY_DATA,
    COPY_DONE,
    COPY_FAIL,
    DESCRIBE,
    EXECUTE,
    FUNCTION_CALL,
    GSSENC_REQUEST,
    MAX_STARTUP,
    PARSE,
    PASSWORD,
    QUERY,
    SSL_REQUEST,
    SYNC,
    TERMINATE,
    ClientBroke,
    client_limit,
    error_response,
    four_bytes,
    frame,
    zero_from,
)
from qingfang.decode.pgwire.pipeline import (
    CANCELLING,
    MAX_OWED,
    READY,
    SIGNING_IN,
    STARTING,
    TLS_ASKED,
    Conversation,
    Entry,
    Portal,
    Prepared,
)
from qingfang.decode.pgwire.text import conforming, decode, redact
from qingfang.decode.pgwire.values import bound_values
from qingfang.language import _
from qingfang.statement import Doubt, Statement

MAX_HELD: Final = 65_536
MAX_BOUND: Final = 1 << 20
MAX_PREPARED: Final = 64 << 20
DENIED: Final = "statement denied by policy"

# SQL that gives a protocol name a new text behind our back, with the name when it is a plain one.
_RENAMES: Final = re.compile(
    r'\b(prepare|declare)\b\s*(?:"((?:[^"]|"")+)"|([a-z_\u0080-\U0010ffff][\w$]*)(?![\w$&]))?', re.I
)
# SQL that changes how the bytes of later statements are read.
_REREADS: Final = re.compile(
    r"client_encoding|standard_conforming_strings|\bnames\b|\breset\s+all\b|\bdiscard\b|set_config",
    re.I,
)


def _is_copy(sql: str) -> bool:
    """Whether the text is a COPY."""
    first: i64 = ord(sql[0]) if sql else 0
    if 0x41 <= first <= 0x7A and first != 0x43 and first != 0x63:  # begins with another letter
        return False
    return sql[:64].lstrip()[:4].upper() == "COPY"


class Frontend:
    """The client's direction of one connection. `one` is the first piece for the server and `out`
    those behind it (mostly there is one, which needs no list), `reply` are those for the client;
    all taken and emptied by the owner."""

    def __init__(
        self,
        talk: Conversation,
        relays: bool,
        max_sql: int,
        function_calls: bool,
        replication: bool,
    ) -> None:
        self.talk: Conversation = talk
        self.one: bytes = b""
        self.out: list[bytes] = []
        self.reply: list[bytes] = []
        self.asked: Statement | None = None
        self.request: str = ""
        self.packet: bytes = b""
        self.terminated: bool = False
        self._relays: bool = relays
        self._max_sql: i64 = max_sql
        self._function_calls: bool = function_calls
        self._replication: bool = replication
        self._backlog: deque[bytes] = deque()
        self._data: bytes = b""
        self._pos: i64 = 0
        self._start: i64 = 0
        self._held: bytearray | None = None
        self._need: i64 = 0
        self._skip: i64 = 0
        self._pass_skip: bool = True
        self._head: bytearray | None = None
        self._head_kind: i64 = 0
        self._head_room: i64 = 0
        self.stalled: bool = False
        self._asked_entry: Entry | None = None
        self._asked_end: i64 = 0
        self._asked_rest: i64 = 0
        self._kept_text: int = 0
        self._unsettled: int = 0
        self._rereads: bool = False
        self._renaming: bool = False
        self._gss_asked: bool = False

    # -------------------------------------------------------------- for the owner

    @property
    def waiting(self) -> bool:
        """Whether later bytes of the client only pile up here: reading it should pause."""
        return self.asked is not None or self.stalled or self.request != ""

    def feed(self, data: bytes) -> None:
        if self.asked is not None or self.stalled or self.request:
            self._backlog.append(data)
            return
        self._data = data if not self._data else self._data[self._pos :] + data
        self._pos = 0
        self._start = 0
        self._walk()

    def resume(self) -> None:
        """The server has answered something: a stall may be over."""
        if self.stalled:
            self.stalled = False
            self._walk()

    def flush(self) -> None:
        """Hand on what precedes the statement that is being asked about."""
        if self._relays and self._start < self._pos:
            self._emit(self._pos)

    def allow(self) -> None:
        entry = self._answered()
        self.talk.sent(entry)
        self._pos = self._asked_end
        self._skip = self._asked_rest
        self._pass_skip = True
        self._walk()

    def deny(self, message: str, hint: str) -> None:
        self._substitute(self._answered(), self._pos, message, hint)
        self._pos = self._asked_end
        self._start = self._pos
        self._skip = self._asked_rest
        self._pass_skip = False
        self._walk()

    def _substitute(self, entry: Entry, pos: i64, message: str, hint: str) -> None:
        """Hand on, in place of the frame at `pos`, one that the server must refuse."""
        token = ("qingfang_" + secrets.token_hex(16)).encode("ascii")
        entry.token = token
        entry.refusal = error_response("ERROR", "42501", message, self.talk.codec, DENIED, hint)
        self._emit(pos)
        if entry.kind == EXECUTE:
            self._put(frame(EXECUTE, token + b"\x00\x00\x00\x00\x00"))
        else:
            self._put(frame(QUERY, token + b"\x00"))
        self.talk.sent(entry)

    def _answered(self) -> Entry:
        entry = self._asked_entry
        assert entry is not None, "allow or deny without a question"
        self.asked = None
        self._asked_entry = None
        return entry

    def tls_answer(self, accept: bool) -> None:
        """After `request == "tls"`. Bytes that came in clear behind an accepted request are an
        attack (CVE-2021-23214) and refused."""
        assert self.request == "tls", "no TLS was asked for"
        self.request = ""
        self.talk.phase = STARTING
        if not accept:
            self.reply.append(b"N")
            self._walk()
            return
        if self._pos < len(self._data) or self._backlog:
            raise ClientBroke("received unencrypted data after SSL request")
        self.reply.append(b"S")
        self.talk.tls = True

    def lose(self) -> None:
        """Forget the frame in progress (passive, after lost bytes)."""
        self._data = b""
        self._pos = 0
        self._held = None
        self._head = None
        self._skip = 0

    def skip_lost(self, count: int) -> bool:
        """Whether `count` lost bytes lie within a frame whose content is passed over anyway."""
        if count <= self._skip and self._head is None:
            self._skip -= count
            return True
        return False

    # -------------------------------------------------------------- framing

    def _put(self, piece: bytes) -> None:
        if self.one:
            self.out.append(piece)
        else:
            self.one = piece

    def _emit(self, end: i64) -> None:
        if self._relays:
            if self._start == 0 and end == len(self._data):
                self._put(self._data)
            elif self._start < end:
                self._put(self._data[self._start : end])
        self._start = end

    def _next_chunk(self) -> bool:
        if not self._backlog:
            return False
        rest = self._data[self._pos :]
        data = self._backlog.popleft()
        self._data = rest + data if rest else data
        self._pos = 0
        self._start = 0
        return True

    def _walk(self) -> None:
        while True:
            self._walk_chunk()
            if self.asked is not None or self.stalled or self.request or not self._next_chunk():
                return

    def _walk_chunk(self) -> None:
        talk = self.talk
        while True:
            data = self._data
            size: i64 = len(data)
            pos: i64 = self._pos
            if pos == size:
                self._emit(size)
                self._data = b""
                self._pos = 0
                return
            if self._skip > 0:
                self._stream(size)
                continue
            if self._held is not None:
                if not self._collect(size):
                    return
                continue
            if talk.phase != READY and talk.phase != SIGNING_IN:
                if not self._start_up(size):
                    return
                continue
            if size - pos < 5:
                self._emit(pos)
                return
            kind: i64 = data[pos]
            length = four_bytes(data, pos + 1)
            limit = client_limit(kind)
            if limit == 0:
                raise ClientBroke(f"invalid frontend message type {kind}")
            if length < 4 or length > limit:
                raise ClientBroke("invalid message length")
            if kind == PASSWORD and talk.phase == READY and self._relays:
                raise ClientBroke(f"invalid frontend message type {kind}")
            signing_in = talk.phase == SIGNING_IN and self._relays
            if signing_in and kind != PASSWORD and kind != TERMINATE:
                self._stall()
                return
            end = pos + 1 + length
            if end > size:
                self._begin_partial(kind, pos, length, size)
                continue
            if not self._frame(kind, pos, end, 0):
                return

    def _stall(self) -> None:
        self.stalled = True
        self._emit(self._pos)

    def _stream(self, size: i64) -> None:
        """Pass over the rest of a frame that is handed on (or swallowed) as it comes."""
        pos = self._pos
        take = min(self._skip, size - pos)
        if self._head is not None and self._head_room > 0:
            part = self._data[pos : pos + min(take, self._head_room)]
            self._head += part
            self._head_room -= len(part)
        if not self._pass_skip:
            self._emit(pos)
            self._start = pos + take
        self._pos = pos + take
        self._skip -= take
        if self._skip == 0:
            self._pass_skip = True
            if self._head is not None:
                head = bytes(self._head)
                self._head = None
                if self._head_kind == PARSE:
                    self._parse(head)
                else:
                    self._bind(head, False)

    def _begin_partial(self, kind: i64, pos: i64, length: i64, size: i64) -> None:
        """A frame whose end has not come yet: stream it or hold it."""
        self._pos = pos
        if kind == COPY_DATA or (length > MAX_HELD and (kind == BIND or kind == PARSE)):
            self._skip = 1 + length - (size - pos)
            self._pass_skip = True
            if kind != COPY_DATA:
                self._head_kind = kind
                room: i64 = MAX_BOUND if kind == BIND else self._max_sql + 1024
                self._head = bytearray(self._data[pos + 5 : min(size, pos + 5 + room)])
                self._head_room = room - len(self._head)
            self._pos = size
            return
        most: i64 = MAX_HELD
        if self._function_calls:
            most = max(most, self._max_sql)
        if kind == FUNCTION_CALL and length > most:
            raise ClientBroke("function call message too long", "54000")
        self._emit(pos)
        self._need = 1 + length
        if kind == QUERY and length - 4 > self._max_sql:
            self._need = 5 + self._max_sql
        self._held = bytearray()

    def _collect(self, size: i64) -> bool:
        """Add to the held frame; when it has come whole, put it in front of the rest."""
        held = self._held
        assert held is not None
        take = min(self._need - len(held), size - self._pos)
        held += self._data[self._pos : self._pos + take]
        self._pos += take
        self._start = self._pos
        if len(held) < self._need:
            self._data = b""
            self._pos = 0
            self._start = 0
            return False
        self._held = None
        if self._pos < size:
            self._backlog.appendleft(self._data[self._pos :])
        self._data = bytes(held)
        self._pos = 0
        self._start = 0
        length = int.from_bytes(self._data[1:5], "big")
        if self._data[0] == QUERY and length + 1 > self._need:
            return self._frame(QUERY, 0, self._need, length + 1 - self._need)
        return self._frame(self._data[0], 0, self._need, 0) and self._continue()

    def _continue(self) -> bool:
        """Hand on the frame that was held and go on with what came behind it."""
        self._emit(len(self._data))
        self._data = b""
        self._pos = 0
        return self._next_chunk()

    # -------------------------------------------------------------- start-up

    def _start_up(self, size: i64) -> bool:
        """The packets before and with the start-up message. False: no more can be done now."""
        talk = self.talk
        data, pos = self._data, self._pos
        if talk.phase != STARTING:  # TLS_ASKED (passive), BLIND or CANCELLING: not ours to read
            if talk.phase == TLS_ASKED:
                if data[pos] == 0x16:
                    talk.blinded()
                    return True
                if size - pos > MAX_STARTUP:
                    raise ClientBroke("data before the answer to an encryption request")
                return False
            self._pos = size
            self._start = size
            return True
        if not self._relays and data[pos] == 0x16:
            talk.blinded()
            return True
        if size - pos < 8:
            return False
        length: i64 = int.from_bytes(data[pos : pos + 4], "big")
        code = int.from_bytes(data[pos + 4 : pos + 8], "big")
        if length < 8 or length > MAX_STARTUP:
            raise ClientBroke("invalid length of startup packet")
        if size - pos < length:
            return False
        end = pos + length
        if code == SSL_REQUEST and not talk.tls:
            self._pos = self._start = end
            talk.phase = TLS_ASKED
            if self._relays:
                self.request = "tls"
            return False
        if code == GSSENC_REQUEST and not talk.tls and not self._gss_asked:
            self._pos = self._start = end
            self._gss_asked = True
            if self._relays:
                self.reply.append(b"N")
                return True
            talk.phase = TLS_ASKED
            return False
        if code == CANCEL_REQUEST:
            if length < 16 or length > 12 + 256:
                raise ClientBroke("invalid length of cancel request packet")
            self.packet = data[pos:end]
            self._pos = self._start = size
            talk.phase = CANCELLING
            if self._relays:
                self.request = "cancel"
            return False
        if code >> 16 != 3:
            raise ClientBroke(
                f"unsupported frontend protocol {code >> 16}.{code & 0xFFFF}", "0A000"
            )
        fields = data[pos + 8 : end].split(b"\x00")
        for n in range(0, len(fields) - 1, 2):
            if not fields[n]:
                break
            talk.start_up[decode(fields[n], "utf-8")] = decode(fields[n + 1], "utf-8")
        replicates = talk.start_up.get("replication", "off").lower()
        if not self._replication and replicates not in {"off", "false", "no", "0"}:
            raise ClientBroke("replication connections are not allowed here", "0A000")
        talk.phase = SIGNING_IN
        self._pos = end
        return True

    def continue_start_up(self) -> None:
        """Passive: the server has answered SSLRequest or GSSENCRequest with a refusal."""
        self.talk.phase = STARTING
        self._walk()

    # -------------------------------------------------------------- messages

    def _frame(self, kind: i64, pos: i64, end: i64, rest: i64) -> bool:
        """One frame, whole in the chunk (a Query too long: its head, and `rest` bytes to come).
        False when the walk must stop before it."""
        talk = self.talk
        if kind == COPY_DATA or kind == PASSWORD:
            self._pos = end
            return True
        if talk.owed >= MAX_OWED:
            if self._relays:
                self._stall()
                return False
            talk.abandon()
        if kind == SYNC:
            talk.sent(talk.sync)
        elif kind == QUERY:
            return self._query(pos, end, rest)
        elif kind == PARSE:
            if self._unsettled and not self._settled():
                return False
            self._pos = end
            self._parse(self._data[pos + 5 : end])
        elif kind == BIND:
            if not self._bind(self._data[pos + 5 : min(end, pos + 5 + MAX_BOUND)], self._relays):
                self._stall()
                return False
        elif kind == EXECUTE:
            return self._execute(pos, end)
        elif kind == DESCRIBE:
            self._describe(pos, end)
        elif kind == CLOSE:
            self._close(pos, end)
        elif kind == COPY_DONE or kind == COPY_FAIL:
            talk.sent(Entry(COPY_DONE, 0))
        elif kind == FUNCTION_CALL:
            return self._function_call(pos, end)
        elif kind == TERMINATE:
            self.terminated = True
        self._pos = end
        return True

    def _ask(self, statement: Statement, entry: Entry, pos: i64, end: i64, rest: i64) -> bool:
        if not self._relays:
            self.talk.events.append(statement)
            self.talk.sent(entry)
            self._pos = end
            self._skip = rest
            self._pass_skip = True
            return True
        self.asked = statement
        self._asked_entry = entry
        self._asked_end = end
        self._asked_rest = rest
        self._pos = pos
        return False

    def _query(self, pos: i64, end: i64, rest: i64) -> bool:
        talk = self.talk
        if self._unsettled and not self._settled():
            return False
        stop = self._data.find(b"\x00", pos + 5, end)
        if stop < 0:
            stop = end
        cut = stop - (pos + 5) > self._max_sql or rest > 0
        if stop - (pos + 5) > self._max_sql:
            stop = pos + 5 + self._max_sql
        sql = self._text(self._data[pos + 5 : stop])
        talk.statements.pop("", None)
        talk.portals.pop("", None)
        if self._renaming:
            self._renames(sql)
        number = talk.next_number()
        doubt: Doubt = "cut" if cut else ("encoding" if self._unsettled else "")
        if self._rereads:
            self._unsettled = talk.batch + 1
        kind = "copy" if _is_copy(sql) else "query"
        # Arguments by position, here and below: by name they cost twice as much when compiled.
        transaction = talk.transactions
        statement = Statement(
            number, talk.at_us, kind, sql, None, (), "", "", False, doubt, False, transaction
        )
        return self._ask(statement, Entry(QUERY, number), pos, end, rest)

    def _parse(self, body: bytes) -> None:
        talk = self.talk
        name, pos = self._name(body, 0)
        stop: i64 = body.find(b"\x00", pos)
        doubt: Doubt = "encoding" if self._unsettled else ""
        oids: tuple[int, ...] = ()
        if stop < 0 or stop - pos > self._max_sql:
            doubt = "cut"
            stop = min(len(body), pos + self._max_sql)
        else:
            count: i64 = int.from_bytes(body[stop + 1 : stop + 3], "big")
            found: list[int] = []
            at: i64 = stop + 3
            while count > 0 and at + 4 <= len(body):
                found.append(int.from_bytes(body[at : at + 4], "big"))
                at += 4
                count -= 1
            oids = tuple(found)
        sql = self._text(body[pos:stop])
        prepared = Prepared(name, sql, oids, doubt, talk.batch)
        prepared.rereads, prepared.renames = self._rereads, self._renaming
        talk.statements.pop(name, None)
        talk.statements[name] = prepared
        self._kept_text += len(sql)
        if self._kept_text > MAX_PREPARED:
            self._forget_oldest()
        entry = Entry(PARSE, 0)
        entry.prepared = prepared
        talk.sent(entry)

    def _pending(self, confirmed: bool, batch: int) -> bool:
        return not confirmed and batch < self.talk.batch and batch >= self.talk.done

    def _bind(self, body: bytes, may_wait: bool) -> bool:
        """False when it must wait until the server has said what the statement's name stands for;
        within one batch nobody need wait: a failed Parse takes the Bind with it."""
        talk = self.talk
        name, pos = self._name(body, 0)
        statement, pos = self._name(body, pos)
        prepared = talk.statements.get(statement)
        if (
            may_wait
            and prepared is not None
            and not prepared.confirmed
            and self._pending(False, prepared.batch)
        ):
            return False
        if prepared is None and talk.skipping:
            prepared = talk.void_statements.get(statement)
        portal = Portal(name, statement, prepared, body, pos, talk.batch)
        if prepared is None:
            portal.doubt = "unknown"
        elif prepared.doubt:
            portal.doubt = prepared.doubt
        elif not prepared.confirmed and prepared.batch != talk.batch:
            portal.doubt = "unknown"
        talk.portals[name] = portal
        if len(talk.portals) > MAX_OWED:
            del talk.portals[next(iter(talk.portals))]
        entry = Entry(BIND, 0)
        entry.portal = portal
        talk.sent(entry)
        return True

    def _execute(self, pos: i64, end: i64) -> bool:
        talk = self.talk
        name, _end = self._name(self._data, pos + 5)
        portal = talk.portals.get(name)
        if portal is None and talk.skipping:
            portal = talk.void_portals.get(name)
        if self._relays and portal is not None and self._pending(portal.confirmed, portal.batch):
            self._stall()
            return False
        number = talk.next_number()
        entry = Entry(EXECUTE, number)
        if portal is None:
            statement = Statement(
                number=number,
                at_us=talk.at_us,
                kind="execute",
                sql="",
                portal=name,
                doubt="unknown",
                transaction=talk.transactions,
            )
            return self._ask(statement, entry, pos, end, 0)
        doubt = portal.doubt
        if not doubt and not portal.confirmed and portal.batch != talk.batch:
            doubt = "unknown"
        prepared = portal.prepared
        if not portal.read:
            self._read_values(portal)
        sql = "" if prepared is None else prepared.sql
        if prepared is not None:
            if prepared.rereads:
                self._unsettled = talk.batch + 1
            if prepared.renames:
                self._renames(sql)
        statement = Statement(
            number,
            talk.at_us,
            "copy" if _is_copy(sql) else "execute",
            sql,
            portal.values,
            portal.guessed,
            portal.statement,
            name,
            portal.used,
            doubt,
            portal.cut,
            talk.transactions,
        )
        portal.used = True
        return self._ask(statement, entry, pos, end, 0)

    def _function_call(self, pos: i64, end: i64) -> bool:
        talk = self.talk
        number = talk.next_number()
        oid = int.from_bytes(self._data[pos + 5 : pos + 9], "big")
        statement = Statement(
            number=number,
            at_us=talk.at_us,
            kind="call",
            sql="",
            name=str(oid),
            doubt="unknown",
            transaction=talk.transactions,
        )
        entry = Entry(FUNCTION_CALL, number)
        if self._relays and not self._function_calls:
            talk.events.append(statement)
            self._substitute(
                entry, pos, _("不允许按编号调用函数（FunctionCall），请改用 SQL 语句。"), ""
            )
            self._pos = self._start = end
            return True
        return self._ask(statement, entry, pos, end, 0)

    def _describe(self, pos: i64, end: i64) -> None:
        name, _end = self._name(self._data, pos + 6)
        if end - pos < 6 or self._data[pos + 5] != 0x53:  # S: a statement, else a portal
            self.talk.sent(self.talk.describe)
            return
        entry = Entry(DESCRIBE, 0)
        entry.prepared = self.talk.statements.get(name)
        self.talk.sent(entry)

    def _close(self, pos: i64, end: i64) -> None:
        talk = self.talk
        name, _end = self._name(self._data, pos + 6)
        if self._data[pos + 5 : pos + 6] == b"S":
            talk.statements.pop(name, None)
        else:
            talk.portals.pop(name, None)
        talk.sent(Entry(CLOSE, 0))

    # -------------------------------------------------------------- helpers

    def _text(self, raw: bytes) -> str:
        """A statement's text. Sets `_rereads` and `_renaming`: whether it may change how later
        bytes are read, or what a name stands for."""
        sql = decode(raw, self.talk.codec)
        if sql.isascii():
            easy = sql.lower()
            self._renaming = "prepare" in easy or "declare" in easy
            self._rereads = (
                "set" in easy or "discard" in easy or "encoding" in easy or "conforming" in easy
            ) and _REREADS.search(sql) is not None
            return redact(sql, self.talk.standard_strings) if "password" in easy else sql
        low = raw.lower()
        # `find`, because `in` first tries its argument as an integer, which raises and is slow.
        self._renaming = low.find(b"prepare") >= 0 or low.find(b"declare") >= 0
        self._rereads = (
            low.find(b"set") >= 0
            or low.find(b"discard") >= 0
            or low.find(b"encoding") >= 0
            or low.find(b"conforming") >= 0
        ) and _REREADS.search(sql) is not None
        if low.find(b"password") >= 0:
            sql = redact(sql, self.talk.standard_strings)
        return sql if self.talk.standard_strings else conforming(sql)

    def _name(self, body: bytes, pos: i64) -> tuple[str, i64]:
        """The zero-terminated name at `pos`, and the offset behind it."""
        stop = zero_from(body, pos, len(body))
        if stop < 0:
            raise ClientBroke("invalid string in message")
        if stop == pos:
            return "", stop + 1
        return decode(body[pos:stop], self.talk.codec), stop + 1

    def _read_values(self, portal: Portal) -> None:
        oids = () if portal.prepared is None else portal.prepared.oids
        try:
            values, guessed, whole = bound_values(portal.body, portal.pos, oids, self.talk.codec)
        except ValueError:
            values, guessed, whole = (), (), False
        portal.values = values if values or not whole else None
        portal.guessed = guessed
        portal.cut = not whole
        portal.body = b""
        portal.read = True

    def _settled(self) -> bool:
        """Whether a change of encoding has taken effect; inline, stalls until it has. Within one
        batch nobody can wait for it: the statement keeps its doubt."""
        talk = self.talk
        if talk.done >= self._unsettled:
            self._unsettled = 0
            return True
        if self._relays and talk.batch >= self._unsettled:
            self._stall()
            return False
        return True

    def _renames(self, sql: str) -> None:
        talk = self.talk
        for found in _RENAMES.finditer(sql):
            quoted, plain = found.group(2), found.group(3)
            names = talk.statements if found.group(1).lower() == "prepare" else talk.portals
            if quoted is not None:
                names.pop(quoted.replace('""', '"'), None)
            elif plain is not None:
                names.pop(plain.lower(), None)
            else:
                names.clear()

    def _forget_oldest(self) -> None:
        statements = self.talk.statements
        self._kept_text = sum([len(p.sql) for p in statements.values()])
        while self._kept_text > MAX_PREPARED and len(statements) > 1:
            oldest = next(iter(statements))
            self._kept_text -= len(statements.pop(oldest).sql)
