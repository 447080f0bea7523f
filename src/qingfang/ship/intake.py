"""The ledger's side of shipping: each record once, in the spool's order.

Rules this module keeps:

1. The ledger is the truth: what a log has shipped is read from the tokens in it. `file` (SQLite)
   only says from where to read; lost, it is made again by reading from the beginning.
2. After a start, and whenever an answer of the ledger was lost, nothing is taken before the ledger
   was read up to a record written by us afterwards (`ship.resumed`): whatever was under way is
   behind it.
3. One item after the other: the next is handed to the ledger when the one before is stored, so that
   a refusal leaves nothing behind it that relies on it.
4. How a statement ended (`Completed`) names the event's number in the spool; it is stored with its
   number here. One whose event is no longer known is stored as an act, never dropped.
5. A node speaks for itself alone: records that name another one are refused.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from qingfang import ipc
from qingfang.events import Event
from qingfang.language import _
from qingfang.record import codec, frame, protocol
from qingfang.record.entries import Act, Block, Completed
from qingfang.record.protocol import Append, Frames, Read
from qingfang.ship import wire
from qingfang.ship.wire import Answer, Item, Shipment

log = logging.getLogger(__name__)

_EVENTS_KEPT: Final = 100_000
_SETTLE_SECONDS: Final = 20.0
_TABLES: Final = """
create table if not exists position (log text primary key, next integer, since integer);
create table if not exists event (log text, spool integer, here integer, primary key (log, spool));
"""


class Unacceptable(Exception):
    """Something that no shipper of ours sends; the text (zh) says what."""


class Busy(Exception):
    """Not now; the text (zh) says why."""


class _State:
    """`next`: the spool's number expected; `since`: the ledger's number from which on nothing of
    this log is known yet."""

    __slots__ = ("next", "since")

    def __init__(self, following: int, since: int) -> None:
        self.next, self.since = following, since


class Intake:
    """In front of the ledger at `socket`. Raises `sqlite3.Error` and OSError for its own file."""

    def __init__(self, socket: Path, file: Path, clock: Callable[[], int]) -> None:
        self._ledger = ipc.Client(socket)
        self._clock = clock
        self._origin, self._batch = os.urandom(8), 0
        self._locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._settled: dict[str, _State] = {}
        self._settling: dict[str, asyncio.Task[_State]] = {}
        self._segment = 0
        self._table = sqlite3.connect(file, isolation_level=None)
        self._table.execute("pragma journal_mode = wal")
        self._table.execute("pragma synchronous = normal")
        self._table.executescript(_TABLES)

    async def close(self) -> None:
        for task in self._settling.values():
            task.cancel()
        await asyncio.gather(*self._settling.values(), return_exceptions=True)
        await self._ledger.close()
        self._table.close()

    async def expected(self, name: str) -> Answer:
        """What this log is to ship next. Raises `Busy`."""
        async with self._locks[name]:
            state = await self._state(name)
            return Answer(state.next, self._segment)

    async def take(self, name: str, shipment: Shipment) -> Answer:
        """Store what is not stored yet. Raises `Unacceptable` and `Busy`; what was stored before
        stays stored, and is known when it comes again."""
        async with self._locks[name]:
            state = await self._state(name)
            problem = ""
            try:
                for item in shipment.items:
                    if item.sequence < state.next:
                        continue
                    if item.sequence > state.next:
                        raise Unacceptable(_("缺少 {} 至 {}").format(state.next, item.sequence - 1))
                    problem = await self._store(name, state, shipment.segment, item)
                    if problem:
                        break
            finally:
                self._keep(name, state)
            return Answer(state.next, self._segment, problem)

    async def _store(self, name: str, state: _State, segment: int, item: Item) -> str:
        """Why it was not stored; empty when it was."""
        kind, content = self._checked(name, item)
        source = f"ship/{wire.node_of(name)}"
        request = Append(kind, item.count, segment, 0, 0, 0, source, content)
        try:
            answer = await self._ledger.call("offer", protocol.encode_append(request))
        except ipc.Unavailable:
            del self._settled[name]
            raise Busy(_("中心的账本没有应答")) from None
        except asyncio.CancelledError:
            self._settled.pop(name, None)
            raise
        except ipc.Refusal as no:
            code, _colon, current = str(no).partition(": ")
            if code == protocol.STALE:
                self._segment = int(current)
                return wire.STALE
            if code == protocol.FULL:
                return _("中心的磁盘已满或不可写")
            return str(no)
        sequence, self._segment = protocol.decode_stored(answer)
        self._stored(name, state, item.kind, item.sequence, item.count, sequence)
        return ""

    def _checked(self, name: str, item: Item) -> tuple[int, bytes]:
        """(kind, content) to store. Raises `Unacceptable`."""
        if item.content[: codec.TOKEN_SIZE] != wire.token(name, item.sequence):
            raise Unacceptable(_("批次号与序号 {} 不符").format(item.sequence))
        try:
            value = codec.unpack(item.kind, item.content)
        except codec.Unreadable as error:
            raise Unacceptable(
                _("序号 {} 的内容不可读（{}）").format(item.sequence, error)
            ) from None
        count = len(value.briefs) if isinstance(value, Block) else 1
        if count != item.count:
            raise Unacceptable(_("序号 {} 的条数不符").format(item.sequence))
        node = wire.node_of(name)
        if isinstance(value, Block):
            nodes = {connection.node for connection in value.connections}
        else:
            nodes = {value.node} if isinstance(value, Event) else set()
        if nodes - {node, ""}:
            raise Unacceptable(_("序号 {} 说的是别的节点").format(item.sequence))
        if not isinstance(value, Completed):
            return item.kind, item.content
        mark = item.content[: codec.TOKEN_SIZE]
        row = self._table.execute(
            "select here from event where log = ? and spool = ?", (name, value.seq)
        ).fetchone()
        if row is not None:
            return item.kind, codec.pack(msgspec.structs.replace(value, seq=row[0]), mark)
        told = {
            key: str(said) for key, said in msgspec.to_builtins(value).items() if said is not None
        }
        act = Act(self._clock(), "ship.completed", name, about=str(value.seq), details=told)
        return frame.ACT, codec.pack(act, mark)

    # ------------------------------------------------------------------ where a log is

    def _stored(
        self, name: str, state: _State, kind: int, spool: int, count: int, here: int
    ) -> None:
        state.next, state.since = spool + count, here + count
        if kind == frame.EVENT:
            self._table.execute(
                "insert or replace into event values (?, ?, ?)", (name, spool, here)
            )

    def _keep(self, name: str, state: _State) -> None:
        self._table.execute(
            "insert or replace into position values (?, ?, ?)", (name, state.next, state.since)
        )
        self._table.execute(
            "delete from event where log = ? and spool < "
            "(select spool from event where log = ? order by spool desc limit 1 offset ?)",
            (name, name, _EVENTS_KEPT),
        )

    async def _state(self, name: str) -> _State:
        state = self._settled.get(name)
        if state is not None:
            return state
        task = self._settling.get(name)
        if task is None:
            task = self._settling[name] = asyncio.create_task(self._settle(name))
        try:
            async with asyncio.timeout(_SETTLE_SECONDS):
                state = await asyncio.shield(task)
        except TimeoutError:
            raise Busy(_("正在从账本里查清已收到哪里，请稍后再送")) from None
        except (ipc.Unavailable, ipc.Refusal):
            raise Busy(_("中心的账本没有应答或写不了")) from None
        finally:
            if task.done():
                self._settling.pop(name, None)
        self._settled[name] = state
        return state

    async def _settle(self, name: str) -> _State:
        row = self._table.execute(
            "select next, since from position where log = ?", (name,)
        ).fetchone()
        state = _State(*(row or (1, 1)))
        end = await self._resumed(name, state.next)
        origin = wire.origin(name)
        request = Read(first=state.since)
        while True:
            answer = await self._ledger.call("read", msgspec.msgpack.encode(request))
            found = msgspec.msgpack.decode(answer, type=Frames)
            for kind, sequence, content in found.frames:
                if sequence >= state.since and content[:8] == origin and kind in codec.FROM_CLIENTS:
                    spool = codec.token_of(content)[1]
                    count = len(codec.raw_block(content)[2]) if kind == frame.BLOCK else 1
                    if spool == state.next:
                        self._stored(name, state, kind, spool, count, sequence)
            if found.cursor is None or found.end or found.cursor.sequence > end:
                break
            request = msgspec.structs.replace(request, cursor=found.cursor)
        state.since = max(state.since, end)
        self._keep(name, state)
        return state

    async def _resumed(self, name: str, following: int) -> int:
        """The number of a record of ours that is behind everything handed in before."""
        self._batch += 1
        act = Act(self._clock(), "ship.resumed", f"ship/{wire.node_of(name)}", about=name)
        content = codec.pack(act, codec.token(self._origin, self._batch))
        request = Append(frame.ACT, 1, 0, 0, 0, 0, "door", content)
        sequence, self._segment = protocol.decode_stored(
            await self._ledger.call("offer", protocol.encode_append(request))
        )
        log.info("log %s: at least %d records are here", name, following - 1)
        return sequence
