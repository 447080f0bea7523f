"""The ledger's process: the writer behind a socket.

Rules this module keeps:

1. Answers to `append` leave after the sync. While one sync runs, requests gather; the next commit
   takes them all (up to `_COMMIT_LIMIT`), so a busy ledger syncs seldom and an idle one at once.
2. A record refused for want of room is counted, durably if the disk lets us, before its sender is
   told; the counts become records as soon as there is room, before any other record. Room means
   room for a while: a disk that takes one record and refuses the next is still full.
3. A broken writer ends the service (`Service.run` raises `Broken`): whoever starts it again reads
   the disk afresh. Senders keep what was not acknowledged and send it again under the same token.
4. Readers who want no briefs are woken when something else may be stored, not by every block.
5. Once a second what was stored is published and signed (`publishing`), by the thread that writes:
   nothing is signed that is not synced.
6. Readers are served from the files, up to what is synced, in threads of their own: no reader
   delays a commit, and no memory is held for a slow one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import msgspec

from qingfang import ipc
from qingfang.language import _
from qingfang.merkle.checkpoint import moment
from qingfang.merkle.parties import Party, certificate_of
from qingfang.record import codec, frame, protocol, segments
from qingfang.record.batch import Draft, Opener
from qingfang.record.disk import Disk
from qingfang.record.emergency import Emergency
from qingfang.record.entries import Act, Loss, Opened
from qingfang.record.keys import Cipher
from qingfang.record.protocol import Append, Cursor, Frames, Read, SourceCount, Stat
from qingfang.record.publishing import CERTIFICATE, Publisher, Unsound
from qingfang.record.witnessed import witnessed
from qingfang.record.writer import Full, Writer, probe

log = logging.getLogger(__name__)

_COMMIT_LIMIT: Final = 4 * 1024 * 1024
_WAITING_LIMIT: Final = 256 * 1024 * 1024
_RETRY_SECONDS: Final = 1.0
_PUBLISH_SECONDS: Final = 1.0
_SIGN_AGAIN_SECONDS: Final = 30.0
_SHOW_AGAIN_SECONDS: Final = 10.0
_ENDING_S: Final = 5 * 86_400
_LOSS_ORIGIN: Final = b"qf-loss\0"
_WAIT_LIMIT_MS: Final = 60_000


class _Waiting:
    __slots__ = ("done", "request")

    def __init__(self, request: Append, done: asyncio.Future[bytes]) -> None:
        self.request, self.done = request, done


class Service:
    """`clock` gives microseconds since the epoch. `office` certifies this machine's keys, the
    `witnesses` are those expected to cosign. `uids` may connect besides root and ourselves."""

    def __init__(
        self,
        folder: Path,
        socket: Path,
        *,
        site: str,
        node: str,
        segment_bytes: int,
        clock: Callable[[], int],
        uids: frozenset[int] = frozenset(),
        disk: Disk | None = None,
        cipher: Cipher = "sm4-gcm",
        office: Party | None = None,
        witnesses: Sequence[Party] = (),
    ) -> None:
        self._office, self._witnesses = office, witnesses
        self._folder, self._socket, self._uids = folder, socket, uids
        self._site, self._node, self._segment_bytes = site, node, segment_bytes
        self._clock, self._disk = clock, disk
        self._cipher: Cipher = cipher
        self._opener = Opener(folder)
        self._writer: Writer | None = None
        self._emergency: Emergency | None = None
        self._full = ""
        self._tried = 0.0
        self._waiting: list[_Waiting] = []
        self._waiting_bytes = 0
        self._wake = asyncio.Event()
        self._grown = asyncio.Condition()
        self._synced = 1
        self._telling = 1
        self._segment = 0
        self._commits = 0
        self._kinds: Counter[str] = Counter()
        self._sources: dict[tuple[str, bytes], SourceCount] = {}
        self._believed: dict[tuple[str, bytes], int] = {}
        self._publisher: Publisher | None = None
        self._unpublished = ""
        self._unsound = False
        self._published = 0.0
        self._kept_segment = 0
        self._writing = ThreadPoolExecutor(1, "ledger-write")
        self._reading = ThreadPoolExecutor(2, "ledger-read")
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Serve until cancelled. Raises `Broken` when the writer cannot go on."""
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._writing, self._start)
            server = await ipc.serve(self._socket, self._handle, uids=self._uids)
            self.ready.set()
            publishing = asyncio.create_task(self._publish_for_ever())
            try:
                await self._commit_for_ever()
            finally:
                publishing.cancel()
                server.close()
                with contextlib.suppress(FileNotFoundError):
                    self._socket.unlink()
        finally:
            await loop.run_in_executor(self._writing, self._stop)
            self._writing.shutdown()
            self._reading.shutdown(cancel_futures=True)

    # ------------------------------------------------------------------ writing thread

    def _start(self) -> None:
        try:
            self._open()
        except Full as error:
            self._full = str(error)
            log.critical("the ledger cannot write: %s", error)
        self._emergency = Emergency(self._folder)
        if not self._emergency.reserved:
            log.error("no room to reserve for counts of losses")
        self._settle()
        if self._writer is not None:
            self._synced = self._telling = self._writer.sequence

    def _open(self) -> None:
        self._writer = Writer(
            self._folder,
            site=self._site,
            node=self._node,
            segment_bytes=self._segment_bytes,
            clock=self._clock,
            disk=self._disk,
            cipher=self._cipher,
        )
        self._synced = self._telling = self._writer.sequence
        self._show()

    def _show(self) -> None:
        """Begin to publish, from what is on the disk."""
        writer = self._writer
        assert writer is not None
        self._publisher = None
        try:
            self._publisher = Publisher(self._folder, writer.log)
            writer.leaves.clear()
            self._unpublished = ""
        except Unsound as error:
            # Only a person can say what happened here: it is not tried again by itself.
            self._unsound, self._unpublished = True, str(error)
            log.critical("nothing is published: %s", error)
            act = Act(self._clock(), "ledger.unsound", "ledger", about=str(error))
            with contextlib.suppress(Full):
                writer.append([Draft(frame.ACT, 1, codec.pack(act))])
        except OSError as error:
            self._unpublished = str(error)
            log.error("nothing can be published: %s", error)

    def _publish(self, *, always: bool = False) -> None:
        """Sign what was stored since, or the same again after a while: whoever watches from outside
        takes silence for an alarm."""
        writer = self._writer
        if writer is None:
            return
        now = time.monotonic()
        if self._publisher is None:
            writer.leaves.clear()
            if self._unsound or now - self._published < _SHOW_AGAIN_SECONDS:
                return
            self._published = now
            self._show()
        publisher = self._publisher
        if publisher is None:
            return
        leaves, writer.leaves = writer.leaves, []
        if not (leaves or always) and now - self._published < _SIGN_AGAIN_SECONDS:
            return
        sources = list(self._sources.values())
        seen = sum(each.seen for each in sources)
        dropped = sum(each.lost + each.refused for each in sources)
        keep = writer.segment != self._kept_segment
        try:
            publisher.extend(leaves)
            at = self._clock() // 1_000_000
            publisher.publish(at, writer.sequence - 1, (seen, 0, dropped), keep)
        except OSError as error:
            # What is on the disk now is known only by reading it again.
            self._publisher, self._unpublished = None, str(error)
            log.error("nothing can be published: %s", error)
        else:
            self._kept_segment = writer.segment
        self._published = now

    def _stop(self) -> None:
        self._publish(always=True)
        if self._writer is not None:
            self._writer.close()
        if self._emergency is not None:
            self._emergency.close()

    def _settle(self) -> None:
        """Make the emergency counts records, if there are any and there is room."""
        self._tried = time.monotonic()
        try:
            if self._full:
                probe(self._folder, self._disk or Disk())
            if self._writer is None:
                self._open()
            writer, emergency = self._writer, self._emergency
            assert writer is not None and emergency is not None
            if emergency.losses:
                drafts: list[Draft] = []
                for n, loss in enumerate(emergency.losses.values()):
                    mark = codec.token(_LOSS_ORIGIN, emergency.generation * 256 + n)
                    draft = Draft(frame.LOSS, 1, codec.pack(loss, mark))
                    if writer.known(draft.content) is None:
                        drafts.append(draft)
                if drafts:
                    writer.append(drafts)
                emergency.clear()
        except Full as error:
            self._full = str(error)
            return
        if self._full:
            log.warning("the ledger writes again")
        self._full = ""

    def _commit(self, requests: Sequence[Append]) -> list[bytes | Exception]:
        """The answer to each request."""
        if self._full and time.monotonic() - self._tried >= _RETRY_SECONDS:
            self._settle()
        writer = self._writer
        if self._full or writer is None:
            return self._refuse(requests)
        answers: list[bytes | Exception | None] = [None] * len(requests)
        try:
            writer.prepare(sum(len(r.content) for r in requests) + 128 * len(requests))
            drafts: list[Draft] = []
            places: list[int] = []
            fresh: dict[bytes, int] = {}
            for n, request in enumerate(requests):
                sequence = writer.known(request.content)
                mark = request.content[: codec.TOKEN_SIZE]
                if sequence is not None:
                    answers[n] = protocol.encode_stored(sequence, writer.segment)
                elif request.kind == frame.BLOCK and request.segment + 1 < writer.segment:
                    answers[n] = ipc.Refusal(f"{protocol.STALE}: {writer.segment}")
                elif mark in fresh:
                    # The same batch twice in one commit: sent again while the first was waiting.
                    answers[n] = ipc.Refusal(f"{protocol.STALE}: {writer.segment}")
                else:
                    fresh[mark] = n
                    drafts.append(Draft(request.kind, request.count, request.content))
                    places.append(n)
            if drafts:
                sequences = writer.append(drafts)
                for n, sequence in zip(places, sequences, strict=True):
                    answers[n] = protocol.encode_stored(sequence, writer.segment)
        except Full as error:
            self._full = str(error)
            log.critical("the ledger cannot write: %s", error)
            rest = [n for n, answer in enumerate(answers) if not isinstance(answer, bytes)]
            for n, refusal in zip(rest, self._refuse([requests[n] for n in rest]), strict=True):
                answers[n] = refusal
        return [a if a is not None else ipc.Refusal(protocol.FULL) for a in answers]

    def _refuse(self, requests: Sequence[Append]) -> list[bytes | Exception]:
        assert self._emergency is not None
        now = self._clock()
        sums: dict[str, Counter[str]] = {}
        for request in requests:
            if request.kept:
                continue
            # A loss that a source reports is not a further loss: its counts are taken over.
            kinds = sums.setdefault(request.source, Counter())
            if request.kind == frame.LOSS:
                loss = codec.unpack(frame.LOSS, request.content)
                assert isinstance(loss, Loss)
                kinds.update(loss.kinds)
            else:
                kinds[frame.KINDS[request.kind]] += request.count
        for source, kinds in sums.items():
            self._emergency.add(Loss(source, dict(kinds), now, now, _("磁盘已满或不可写")))
        return [ipc.Refusal(protocol.FULL) for _request in requests]

    # ------------------------------------------------------------------ event loop

    async def _commit_for_ever(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                async with asyncio.timeout(_RETRY_SECONDS if self._full else None):
                    await self._wake.wait()
            except TimeoutError:
                await loop.run_in_executor(self._writing, self._settle)
                await self._tell_readers()
                continue
            batch = self._take()
            requests = [w.request for w in batch]
            was_full = bool(self._full)
            try:
                answers = await loop.run_in_executor(self._writing, self._commit, requests)
            except BaseException:
                for waiting in batch:
                    waiting.done.cancel()
                raise
            self._commits += 1
            segment = self._writer.segment if self._writer is not None else 0
            only_blocks = (
                not was_full
                and segment == self._segment
                and all(r.kind == frame.BLOCK for r in requests)
            )
            self._segment = segment
            for waiting, answer in zip(batch, answers, strict=True):
                self._count(waiting.request, answer)
                if waiting.done.done():
                    continue
                if isinstance(answer, bytes):
                    waiting.done.set_result(answer)
                else:
                    waiting.done.set_exception(answer)
            await self._tell_readers(only_blocks)

    async def _publish_for_ever(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await loop.run_in_executor(self._writing, self._publish)
            await asyncio.sleep(_PUBLISH_SECONDS)

    def _take(self) -> list[_Waiting]:
        size = count = 0
        for waiting in self._waiting:
            size += len(waiting.request.content)
            count += 1
            if size >= _COMMIT_LIMIT:
                break
        batch, self._waiting = self._waiting[:count], self._waiting[count:]
        self._waiting_bytes -= sum(len(w.request.content) for w in batch)
        if not self._waiting:
            self._wake.clear()
        return batch

    async def _tell_readers(self, only_blocks: bool = False) -> None:
        if self._writer is not None and self._writer.sequence != self._synced:
            self._synced = self._writer.sequence
            if not only_blocks:
                self._telling = self._synced
            async with self._grown:
                self._grown.notify_all()

    def _count(self, request: Append, answer: bytes | Exception) -> None:
        # A loss told is no record of the source's own seeing.
        count = 0 if request.kind == frame.LOSS else request.count
        # Under a mark of the caller's own, each record is an origin by itself: counted here.
        own = request.seen == 0
        key = (request.source, b"" if own else request.content[:8])
        old = self._sources.get(key, SourceCount())
        stored = count if isinstance(answer, bytes) else 0
        if request.kept and not stored:
            return
        refused = count if str(answer) == protocol.FULL else 0
        missing = 0
        if not own:
            believed = request.seen - request.lost - request.waiting
            # What it had stored before we started is not ours to count.
            before = self._believed.setdefault(key, believed)
            missing = believed - before - old.stored
        self._sources[key] = SourceCount(
            seen=old.seen + count if own else max(old.seen, request.seen),
            stored=old.stored + stored,
            lost=max(old.lost, request.lost),
            refused=old.refused + refused,
            missing=max(old.missing, missing),
        )
        if isinstance(answer, bytes):
            self._kinds[frame.KINDS[request.kind]] += request.count

    async def _handle(self, method: str, payload: bytes, peer: ipc.Peer) -> bytes:
        if method == "append":
            return await self._append(payload)
        if method == "offer":
            return await self._append(payload, kept=True)
        if method == "ping":
            return b""
        if method == "read":
            return await self._read(payload)
        if method == "stat":
            loop = asyncio.get_running_loop()
            stat = await loop.run_in_executor(self._reading, self._stat)
            return msgspec.json.encode(stat)
        raise ipc.Refusal(_("账本没有这个方法：{}").format(method))

    async def _append(self, payload: bytes, *, kept: bool = False) -> bytes:
        try:
            request = protocol.decode_append(payload)
            if kept:
                request = msgspec.structs.replace(request, kept=True)
            check(request)
        except (ValueError, codec.Unreadable) as error:
            raise ipc.Refusal(_("不能入账：{}").format(error)) from None
        if self._waiting_bytes > _WAITING_LIMIT:
            raise ipc.Refusal(_("待写过多，请稍后重发"))
        done: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(request, done))
        self._waiting_bytes += len(request.content)
        self._wake.set()
        return await done

    async def _read(self, payload: bytes) -> bytes:
        try:
            request = msgspec.msgpack.decode(payload, type=Read)
        except msgspec.MsgspecError as error:
            raise ipc.Refusal(_("读请求有误：{}").format(error)) from None
        loop = asyncio.get_running_loop()
        answer = await loop.run_in_executor(self._reading, self._frames, request)
        if not answer.frames and answer.end and request.wait_ms:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(request.wait_ms, _WAIT_LIMIT_MS) / 1000):
                    async with self._grown:
                        await self._grown.wait_for(lambda: self._beyond(request, answer))
            answer = await loop.run_in_executor(self._reading, self._frames, request)
        return msgspec.msgpack.encode(answer)

    def _beyond(self, request: Read, answer: Frames) -> bool:
        briefs = not request.kinds or frame.BLOCK in request.kinds
        stored = self._synced if briefs else self._telling
        return stored > (answer.cursor.sequence if answer.cursor else request.first)

    # ------------------------------------------------------------------ reading threads

    def _frames(self, request: Read) -> Frames:
        cursor = request.cursor
        if cursor is not None:
            place = segments.Place(cursor.segment, cursor.offset, cursor.number, cursor.sequence)
        else:
            found = segments.locate(self._folder, request.first, request.back)
            if found is None:
                return Frames(None, True)
            place = found
        wanted = frozenset(request.kinds) | {frame.SEGMENT} if request.kinds else None
        while True:
            frames = segments.read_on(self._folder, place, self._synced, protocol.READ_LIMIT)
            chosen = tuple(
                (item.kind, item.sequence, item.content)
                for item in self._opener.all(frames)
                if wanted is None or item.kind in wanted
            )
            if chosen or not frames:
                here = Cursor(place.segment, place.offset, place.number, place.sequence)
                return Frames(here, not frames, chosen)

    def _stat(self) -> Stat:
        writer = self._writer
        numbers = segments.numbers(self._folder)
        size = 0
        for number in numbers:
            with contextlib.suppress(FileNotFoundError):
                size += (self._folder / segments.name(number)).stat().st_size
        oldest: int | None = None
        if numbers:
            first = segments.first_of(self._folder / segments.name(numbers[0]), numbers[0])
            if first is not None:
                opened = codec.unpack(frame.SEGMENT, first.content)
                oldest = opened.at_us if isinstance(opened, Opened) else None
        sources: dict[str, SourceCount] = {}
        for (source, _origin), count in list(self._sources.items()):
            old = sources.get(source, SourceCount())
            sources[source] = SourceCount(
                old.seen + count.seen,
                old.stored + count.stored,
                old.lost + count.lost,
                old.refused + count.refused,
                old.missing + count.missing,
            )
        publisher = self._publisher
        until, uncertified = self._certified()
        return Stat(
            log=writer.log if writer else "",
            state="full" if self._full else "ok",
            next=self._synced,
            segment=writer.segment if writer else 0,
            segments=len(numbers),
            bytes=size,
            oldest_us=oldest,
            commits=self._commits,
            kinds=dict(self._kinds),
            sources=sources,
            waiting=len(self._waiting),
            published=publisher.last.size if publisher and publisher.last else None,
            unpublished=self._unpublished,
            witnessed=self._witnessed(),
            certified_until=until,
            uncertified=uncertified,
        )

    def _witnessed(self) -> dict[str, int]:
        found = {each.name: 0 for each in self._witnesses}
        for each in witnessed(self._folder, self._witnesses):
            if self._writer is not None and each.checkpoint.origin == self._writer.log:
                found[each.by] = each.at
        return found

    def _certified(self) -> tuple[int | None, str]:
        """When the certificate ends, and what is wrong with it."""
        if self._office is None:
            return None, ""
        try:
            data = (self._folder / CERTIFICATE).read_bytes()
        except FileNotFoundError:
            return None, _("还没有证书")
        found = certificate_of(data, self._office)
        if found is None:
            return None, _("证书不是纪检部门的密钥签发的")
        publisher = self._publisher
        if publisher is not None and not publisher.is_certified(found):
            return None, _("证书不是给这个账本的机器密钥的")
        now = self._clock() // 1_000_000
        if now > found.end:
            return found.end, _("证书已于 {} 到期").format(moment(found.end))
        if now > found.end - _ENDING_S:
            return found.end, _("证书将于 {} 到期").format(moment(found.end))
        return found.end, ""


def check(request: Append) -> None:
    """A client may append what a client may, in the number it says; what is stored must be
    readable for as long as it is kept. Raises ValueError or `codec.Unreadable`."""
    if request.kind not in codec.FROM_CLIENTS:
        raise ValueError(_("这种记录不由外面写"))
    if len(request.content) <= codec.TOKEN_SIZE:
        raise ValueError(_("内容过短"))
    if request.content[: codec.TOKEN_SIZE] == codec.NO_TOKEN:
        raise ValueError(_("缺少批次号"))
    value = codec.unpack(request.kind, request.content)
    count = len(value.briefs) if isinstance(value, codec.Block) else 1
    if count != request.count or not count:
        raise ValueError(_("条数不符"))
    if not codec.has_moment(value):
        raise ValueError(_("时间读不懂"))
