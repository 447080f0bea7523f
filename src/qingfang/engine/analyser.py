"""The analyser's process: SQL in, meaning out. May be killed and started again at any time.

Serves `paths.run`/analyser.sock: `analyse` (an `Ask` → an `Answer`), `try` (a `Trial` → the
`Meaning` it would have; nothing is kept), `closed` (a connection's id),
`worlds` (a stream: a number at once and whenever what statements mean has changed for everybody: a
catalogue, a permanent object), `ping`.

Rules this module keeps:

1. A catalogue that cannot be read is said once, with file, line and key, in the log and in the
   ledger; the one in force stays, over a restart too: a copy of it is kept in `paths.state`/analyser.
2. What a session has built is remembered by connection, bounded; a session that was forgotten (or
   whose analyser died) reads its own temporary tables as unknown objects, which are opaque.
3. What sessions have built for all (permanent tables, views, functions) is written down in
   `paths.state`/analyser as it changes, and taken over at the next start.
4. What counts as statistics of use is said by the signed snapshot; the last good one is kept in
   `paths.state`/analyser, so that nobody brings an older one back by a kill. Without one, or with a
   definition that cannot be read and none before it, the stricter holds.
5. One statement may take `LONGEST_S`; then it is opaque. Memory of the process is bounded by the
   kernel: over it the process dies and is started again.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import resource
import signal
from collections import OrderedDict
from collections.abc import AsyncIterator
from pathlib import Path
from types import FrameType

import msgspec
from msgspec import Struct

from qingfang import crypto, ipc
from qingfang.config import Config, Database
from qingfang.engine import catalogues, definitions, process
from qingfang.engine.definitions import Definition
from qingfang.events import Meaning
from qingfang.judge.snapshot import Holder, Rejected
from qingfang.record.client import now_us
from qingfang.record.entries import Act
from qingfang.record.recorder import Recorder
from qingfang.understand.analysis import Analyser, Analysis
from qingfang.understand.state import SessionState, Shared

log = logging.getLogger(__name__)

LONGEST_S = 2.0
MOST_MEMORY = 2 * 1024**3
MOST_SESSIONS = 20_000
LOOK_EVERY_S = 1.0
_GONE = (0, 0, 0)


class Ask(Struct, frozen=True, array_like=True):
    """One statement of a connection to a database of the configuration."""

    database: str
    connection: str
    sql: str
    binds: tuple[str | None, ...] | None = None


class Trial(Struct, frozen=True, array_like=True):
    """A statement on a database, and the sources of procedures that are not in its catalogue yet."""

    database: str
    sql: str
    procedures: dict[str, str] = {}


class Answer(Struct, frozen=True, array_like=True):
    """`own`: the session has objects of its own by now, so its statements must be asked for every
    time. `world`: the number of the world in which this holds."""

    analysis: Analysis
    own: bool
    world: int


class Overrun(BaseException):
    """A statement took too long. Not an `Exception`, so that nothing on the way swallows it."""


class _Sight:
    """One database: its catalogue, and what sessions on it have in common."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.file = Path(database.catalogue)
        self.definition = definitions.built_in()
        self.mark: tuple[int, ...] | None = None
        self.analyser: Analyser | None = None
        self.shared = Shared()
        self.print: tuple[object, ...] = ()
        self.kept = folder / "analyser" / f"{database.name}.json"
        self.last_good = folder / "analyser" / f"{database.name}.catalogue.json"

    def take(self) -> None:
        """Put the catalogue file in force. Raises OSError, `catalogues.Unusable`."""
        data = catalogues.whole(self.file)
        self.analyser = Analyser(catalogues.load(self.file, data), self.definition)
        _write(self.last_good, data)

    def fall_back(self) -> bool:
        """Put the last good one in force when there is none; whether it was."""
        if self.analyser is None and self.last_good.exists():
            self.analyser = Analyser(catalogues.read(self.last_good), self.definition)
            return True
        return False

    def define(self, definition: Definition) -> None:
        """Put a definition in force."""
        self.definition = definition
        if self.analyser is not None:
            self.analyser = Analyser(self.analyser.catalogue, definition)

    def restore(self) -> None:
        """Take over what sessions had built before the last end. Raises OSError, ValueError."""
        if self.kept.exists():
            self.shared.load(self.kept.read_bytes())
        self.print = self.shared.mark()

    def keep(self) -> None:
        """Write down what sessions have built; a power cut leaves the old or the new. Raises
        OSError."""
        _write(self.kept, self.shared.dump())


def _write(place: Path, data: bytes) -> None:
    place.parent.mkdir(mode=0o700, exist_ok=True)
    new = place.with_suffix(".new")
    with open(new, "wb", opener=_private) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    new.replace(place)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


class Service:
    def __init__(self, config: Config, recorder: Recorder, folder: Path) -> None:
        self._recorder = recorder
        self._sights = {d.name: _Sight(d, folder) for d in config.database}
        self._sessions: OrderedDict[str, SessionState] = OrderedDict()
        self._world = now_us()
        self._changed = asyncio.Event()
        self._snapshot, self._key = folder / "snapshot.json", folder / "keys" / "snapshot.pub"
        self._kept = folder / "analyser" / "snapshot.json"
        self._holder = Holder(config.site.id, self._verify)
        self._seen: tuple[int, int, int] | None = None
        self._definition = ""

    def _verify(self, message: bytes, signature: bytes) -> bool:
        try:
            return crypto.load_public(self._key).verify(message, signature)
        except (OSError, crypto.KeyProblem) as problem:
            log.error("snapshot key: %s", problem)
            return False

    def look(self) -> None:
        """Read the snapshot and the catalogues that have changed."""
        self._look_at_snapshot()
        for sight in self._sights.values():
            try:
                mark = catalogues.mark(sight.file)
                if mark == sight.mark:
                    continue
                sight.mark = mark
                sight.take()
            except FileNotFoundError:
                # Taken away: said once, as a broken one is.
                if sight.mark != _GONE:
                    sight.mark = _GONE
                    self._refused(sight, f"{sight.file}: {os.strerror(errno.ENOENT)}")
                continue
            except (OSError, catalogues.Unusable) as error:
                self._refused(sight, str(error))
                continue
            self._say("catalogue.in-force", str(sight.file))
            self._turn()

    def _look_at_snapshot(self) -> None:
        try:
            status = self._snapshot.stat()
            mark = (status.st_ino, status.st_mtime_ns, status.st_size)
            if mark == self._seen:
                return
            self._seen = mark
            data = self._snapshot.read_bytes()
            text = self._holder.offer(data).definition
        except FileNotFoundError:
            return
        except (OSError, Rejected) as refused:
            # The judge says it in the ledger.
            log.error("snapshot refused: %s", refused)
            return
        try:
            _write(self._kept, data)
        except OSError as error:
            log.error("the snapshot in force cannot be kept: %s", error)
        self._define(text)

    def _define(self, text: str) -> None:
        """Put the snapshot's definition in force, when it is another one."""
        if text == self._definition:
            return
        try:
            found = definitions.read(text, "snapshot") if text else definitions.built_in()
        except definitions.DefinitionError as error:
            log.error("definition: %s", error)
            self._say("definition.refused", str(error))
            return
        self._definition = text
        for sight in self._sights.values():
            sight.define(found)
        self._say("definition.in-force", f"{found.name} {found.cited}")
        self._turn()

    def _refused(self, sight: _Sight, problem: str) -> None:
        log.error("catalogue: %s", problem)
        self._say("catalogue.refused", problem)
        try:
            if sight.fall_back():
                self._say("catalogue.in-force", str(sight.last_good))
        except (OSError, catalogues.Unusable) as error:
            log.error("catalogue: %s", error)

    def _turn(self) -> None:
        self._world += 1
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def restore(self) -> None:
        """Take over what held before a restart; what cannot be read is said."""
        try:
            self._define(self._holder.offer(self._kept.read_bytes()).definition)
        except FileNotFoundError:
            pass
        except (OSError, Rejected) as refused:
            log.error("the snapshot that was in force before cannot be used: %s", refused)
        for sight in self._sights.values():
            try:
                sight.restore()
            except (OSError, ValueError) as error:
                log.error("shared objects %s: %s", sight.kept, error)
                self._say("shared-objects.lost", f"{sight.kept}: {error}")

    def _keep(self, sight: _Sight) -> None:
        try:
            sight.keep()
        except OSError as error:
            log.error("shared objects %s: %s", sight.kept, error)
            self._say("shared-objects.not-kept", f"{sight.kept}: {error}")

    def _say(self, what: str, about: str) -> None:
        self._recorder.later(Act(at_us=now_us(), what=what, who="analyser", about=about))

    async def answer(
        self, method: str, payload: bytes, peer: ipc.Peer
    ) -> bytes | AsyncIterator[bytes]:
        if method == "analyse":
            return msgspec.msgpack.encode(self._analyse(msgspec.msgpack.decode(payload, type=Ask)))
        if method == "try":
            return msgspec.msgpack.encode(self._try(msgspec.msgpack.decode(payload, type=Trial)))
        if method == "closed":
            self._sessions.pop(payload.decode(), None)
            return b""
        if method == "worlds":
            return self._worlds()
        if method == "ping":
            return b""
        raise ipc.Refusal(f"analyser: {method}?")

    async def _worlds(self) -> AsyncIterator[bytes]:
        while True:
            changed = self._changed
            yield str(self._world).encode()
            await changed.wait()

    def _sight(self, database: str) -> tuple[_Sight, Analyser]:
        sight = self._sights.get(database)
        if sight is None or sight.analyser is None:
            raise ipc.Refusal(f"no catalogue for {database}")
        return sight, sight.analyser

    def _try(self, trial: Trial) -> Meaning:
        sight, analyser = self._sight(trial.database)
        if trial.procedures:
            catalogue = analyser.catalogue.with_procedures(trial.procedures)
            analyser = Analyser(catalogue, sight.definition)
        signal.setitimer(signal.ITIMER_REAL, LONGEST_S)
        try:
            return analyser.analyse(trial.sql, sight.database.dialect).meaning
        except Overrun:
            return Meaning("opaque", touches=analyser.touches(trial.sql), volatile=True)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _analyse(self, ask: Ask) -> Answer:
        sight, analyser = self._sight(ask.database)
        state = self._sessions.get(ask.connection)
        if state is None:
            state = SessionState(sight.shared)
        signal.setitimer(signal.ITIMER_REAL, LONGEST_S)
        try:
            analysis = analyser.analyse(
                ask.sql, sight.database.dialect, binds=ask.binds, state=state
            )
        except Overrun:
            analysis = Analysis(analyser.given_up(ask.sql, sight.database.dialect, state))
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        own = state.has_own
        if own:
            self._sessions[ask.connection] = state
            self._sessions.move_to_end(ask.connection)
            if len(self._sessions) > MOST_SESSIONS:
                self._sessions.popitem(last=False)
        seen = sight.shared.mark()
        if seen != sight.print:
            sight.print = seen
            self._turn()
            self._keep(sight)
        return Answer(analysis, own, self._world)


def _overrun(number: int, frame: FrameType | None) -> None:
    raise Overrun


async def run(config: Config, stopping: asyncio.Event) -> None:
    """Serve until `stopping` is set."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    signal.signal(signal.SIGALRM, _overrun)
    folder = Path(config.paths.run)
    recorder = Recorder(folder / "ledger.sock", "analyser")
    await recorder.start()
    service = Service(config, recorder, Path(config.paths.state))
    service.restore()
    service.look()

    async def look() -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            service.look()

    server = await ipc.serve(folder / "analyser.sock", service.answer)
    looking = asyncio.create_task(look())
    process.say_ready()
    await stopping.wait()
    looking.cancel()
    server.close()
    await recorder.close()
