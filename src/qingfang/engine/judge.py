"""The judge's process: the one owner of what persons have learned.

Serves `paths.run`/judge.sock: `judge` (an `Ask` → a `Told`), `closed` (a connection's id), `ping`,
and `modes`, a stream that says which routes enforce, at once and at every change.

Rules this module keeps:

1. The snapshot is `paths.state`/snapshot.json, checked with `paths.state`/keys/snapshot.pub; it is
   looked at every half second. One that is refused is said once in the log and as a record of the
   ledger, and the one in force stays, over a restart too: it is kept beside the memory, so that
   nobody brings an older one back, or none at all, by a kill.
2. What was learned is kept by `keeping`: in a journal within a tenth of a second, in an image every
   ten minutes and at the end. Whoever is forgotten early, or cannot be read, is told to the ledger:
   every `DUE_EVERY_S`, one record for all.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from qingfang import crypto, ipc
from qingfang.config import Config
from qingfang.engine import process
from qingfang.engine.judging import Judging
from qingfang.engine.keeping import Keeper
from qingfang.events import Connection, Meaning
from qingfang.judge.policy import PolicyError
from qingfang.judge.snapshot import Rejected
from qingfang.record.client import now_us
from qingfang.record.entries import Act
from qingfang.record.recorder import Recorder

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.5
SAVE_EVERY_S = 600.0
DUE_EVERY_S = 5.0


class Ask(Struct, frozen=True, array_like=True):
    """One execution to be judged; see `engine.judging.Judging.judge`."""

    connection: Connection
    meaning: Meaning
    at_us: int
    template: bytes
    rows: int | None = None
    transaction: int = 0


def _room() -> int:
    """A quarter of this machine's memory, in bytes, is for those who are idle."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4


def spare_the_old() -> None:
    """From now on the collector looks at what is young only. What is known makes no reference cycles
    (`keeping`), and to walk over all of it at once would stop judging for a quarter of a second."""
    gc.set_threshold(700, 10, 1_000_000_000)


class Service:
    """`folder` keeps the memory; see rule 1 for the rest."""

    def __init__(self, config: Config, recorder: Recorder) -> None:
        state = Path(config.paths.state)
        self._snapshot, self._key = state / "snapshot.json", state / "keys" / "snapshot.pub"
        self._kept = state / "judge" / "snapshot.json"
        self._site = config.site.id
        self._routes = [r.name for r in config.route]
        self._recorder = recorder
        self._seen: tuple[int, int, int] | None = None
        self._changed = asyncio.Event()
        self.judging = Judging(self._site, self._verify, room=_room())
        self.keeper = Keeper(state / "judge", self.judging)
        refused = self.keeper.load()
        if refused is not None:
            log.error("what was learned before cannot be used: %s", refused)
            self._say("memory.refused", refused)
        self._take_up()

    def _verify(self, message: bytes, signature: bytes) -> bool:
        try:
            return crypto.load_public(self._key).verify(message, signature)
        except (OSError, crypto.KeyProblem) as problem:
            log.error("snapshot key: %s", problem)
            return False

    def _take_up(self) -> None:
        """Put into force what was in force before."""
        try:
            self.judging.offer(self._kept.read_bytes())
        except FileNotFoundError:
            pass
        except (OSError, Rejected, PolicyError) as error:
            log.error("the snapshot that was in force before cannot be used: %s", error)

    def _write(self, file: Path, data: bytes) -> None:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = file.with_suffix(".new")
        fresh.write_bytes(data)
        fresh.replace(file)

    def look(self) -> None:
        """Take the snapshot file if it is another than the last time."""
        try:
            status = self._snapshot.stat()
            mark = (status.st_ino, status.st_mtime_ns, status.st_size)
            if mark == self._seen:
                return
            data = self._snapshot.read_bytes()
        except FileNotFoundError:
            return
        self._seen = mark
        try:
            snapshot = self.judging.offer(data)
        except (Rejected, PolicyError) as refused:
            log.error("snapshot refused: %s", refused)
            self._say("snapshot.refused", str(refused))
            return
        try:
            self._write(self._kept, data)
        except OSError as error:
            log.error("the snapshot in force cannot be kept: %s", error)
        log.info("snapshot %d is in force", snapshot.version)
        self._say("snapshot.in-force", str(snapshot.version))
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def say_unreadable(self, count: int) -> None:
        """Tell of how many learners what was kept could not be read: they begin anew."""
        log.error("what %d learners had learned before cannot be read", count)
        self._say("memory.refused", f"{count} learners: what was kept cannot be read")

    def say_forgotten(self, count: int) -> None:
        """Tell how many persons, groups and places were forgotten before their time was over."""
        log.error("%d learners were forgotten early: too little memory for so many", count)
        self._say("memory.forgotten", f"{count} learners: too little memory for so many")

    def _say(self, what: str, about: str) -> None:
        self._recorder.later(Act(at_us=now_us(), what=what, who="judge", about=about))

    async def answer(
        self, method: str, payload: bytes, peer: ipc.Peer
    ) -> bytes | AsyncIterator[bytes]:
        if method == "judge":
            ask = msgspec.msgpack.decode(payload, type=Ask)
            told = self.judging.judge(
                ask.connection,
                ask.meaning,
                ask.at_us,
                ask.template,
                ask.rows,
                ask.transaction,
            )
            return msgspec.msgpack.encode(told)
        if method == "closed":
            self.judging.closed(payload.decode())
            return b""
        if method == "modes":
            return self._modes()
        if method == "ping":
            return b""
        raise ipc.Refusal(f"judge: {method}?")

    async def _modes(self) -> AsyncIterator[bytes]:
        while True:
            changed = self._changed
            yield msgspec.msgpack.encode([r for r in self._routes if self.judging.enforces(r)])
            await changed.wait()


async def run(config: Config, stopping: asyncio.Event) -> None:
    """Serve until `stopping` is set."""
    spare_the_old()
    folder = Path(config.paths.run)
    recorder = Recorder(folder / "ledger.sock", "judge")
    await recorder.start()
    service = Service(config, recorder)
    service.look()
    server = await ipc.serve(folder / "judge.sock", service.answer)

    async def every(seconds: float, act: Callable[[], None]) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                act()
            except OSError as error:
                log.error("%s", error)

    async def keep() -> None:
        last = time.monotonic()
        told = forgotten = 0
        while True:
            await asyncio.sleep(DUE_EVERY_S)
            unreadable = service.judging.unreadable
            if unreadable > told:
                service.say_unreadable(unreadable - told)
                told = unreadable
            if service.judging.forgotten > forgotten:
                service.say_forgotten(service.judging.forgotten - forgotten)
                forgotten = service.judging.forgotten
            if service.keeper.due or time.monotonic() - last >= SAVE_EVERY_S:
                last = time.monotonic()
                try:
                    await service.keeper.save()
                except OSError as error:
                    log.error("what was learned cannot be kept: %s", error)

    tasks = [
        asyncio.create_task(every(LOOK_EVERY_S, service.look)),
        asyncio.create_task(service.keeper.run()),
        asyncio.create_task(keep()),
    ]
    process.say_ready()
    await stopping.wait()
    for task in tasks:
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*tasks)
    server.close()
    await service.keeper.close()
    await recorder.close()
