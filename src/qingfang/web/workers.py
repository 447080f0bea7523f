"""What the console does besides answering: reads the ledger, hands acts and snapshots on.

Rules this module keeps:

1. Each worker goes on after whatever went wrong, with a pause, and says so once in the log.
2. Acts are handed to the ledger under a mark made from the act itself: sent twice, stored once.
3. The snapshot's key is made on the first day at `paths.state`/keys; its public half beside it is
   what the engine checks by.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
from asgiref.sync import sync_to_async
from django.db import close_old_connections
from django.utils import timezone

from qingfang import crypto, ipc
from qingfang.access import snapshot
from qingfang.config import Config
from qingfang.engine.status import Process
from qingfang.events import Coverage, Event
from qingfang.people import acts
from qingfang.people.importing import work as importing
from qingfang.record import codec
from qingfang.record.client import BlockingRecorder, follow
from qingfang.record.entries import Act, Completed, Entry
from qingfang.review import coverage, names
from qingfang.review.ingest import Ingest
from qingfang.review.meaning import watch

log = logging.getLogger(__name__)

BATCH = 500
COMMIT_AFTER_S = 0.2
PAUSE_S = 1.0
SNAPSHOT_EVERY_S = 1.0
SNAPSHOT_AT_LEAST_S = 30.0  # by then something may be over, or due
COVERAGE_EVERY_S = 5.0
IMPORTS_EVERY_S = 1.0
NAMES_EVERY_S = 15.0
STRUCTURE_EVERY_S = 15.0


def snapshot_file(config: Config) -> Path:
    return Path(config.paths.state) / "snapshot.json"


def snapshot_key(config: Config) -> crypto.Signer:
    """The console's signing key, made when there is none. Raises `crypto.KeyProblem`."""
    folder = Path(config.paths.state) / "keys"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = folder / "snapshot.key"
    signer = crypto.load_signer(file) if file.exists() else crypto.create_key(file)
    public = folder / "snapshot.pub"
    if not public.exists():
        crypto.save_public(public, signer)
    return signer


async def run(config: Config, stopping: asyncio.Event) -> None:
    """All workers, until `stopping` is set."""
    ledger = Path(config.paths.run) / "ledger.sock"
    signer = snapshot_key(config)
    work = [
        _again("alerts", stopping, lambda: _alerts(ledger)),
        _again("acts", stopping, lambda: _acts(ledger)),
        _again("imports", stopping, _imports),
        _again("snapshot", stopping, lambda: _snapshots(config, signer)),
        _again("names", stopping, lambda: _names(config)),
        _again("structure", stopping, lambda: _structure(config, ledger)),
        _again("coverage", stopping, lambda: _coverage(Path(config.paths.run) / "status.sock")),
    ]
    tasks = [asyncio.create_task(one) for one in work]
    await stopping.wait()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _again(name: str, stopping: asyncio.Event, work: Callable[[], Awaitable[None]]) -> None:
    """Run `work` for ever; what it raises is a reason to pause, not to stop."""
    said = ""
    while not stopping.is_set():
        problem = "ended"
        try:
            await work()
        except (ipc.Unavailable, ipc.Refusal) as error:
            problem = f"{type(error).__name__}: {error}"
        except Exception as error:
            problem = type(error).__name__
            if problem != said:
                log.exception("worker %s", name)
        if problem != said:
            log.warning("worker %s: %s; trying again", name, problem)
            said = problem
        await asyncio.sleep(PAUSE_S)


def _database(function: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    """A function that uses the database, in a thread, with connections that are alive."""

    def safe(*arguments: Any) -> Any:
        close_old_connections()
        try:
            return function(*arguments)
        finally:
            close_old_connections()

    return sync_to_async(safe, thread_sensitive=False)


# ------------------------------------------------------------------ ledger → alerts


async def _alerts(ledger: Path) -> None:
    """Follow the ledger for ever, committing when an alert came in or enough has gathered."""
    stat = await _stat(ledger)
    ingest: Ingest = await _database(Ingest)(stat)
    commit = _database(ingest.commit)
    queue: asyncio.Queue[Entry] = asyncio.Queue(maxsize=4 * BATCH)

    async def read() -> None:
        async for entry in follow(ledger, max(1, ingest.start)):
            await queue.put(entry)

    reading = asyncio.create_task(read())
    try:
        while True:
            getting = asyncio.create_task(queue.get())
            await asyncio.wait((getting, reading), return_when=asyncio.FIRST_COMPLETED)
            if not getting.done():
                getting.cancel()
                await reading
                return
            _feed(ingest, getting.result())
            deadline = time.monotonic() + COMMIT_AFTER_S
            fed = 1
            while fed < BATCH and not (queue.empty() and time.monotonic() > deadline):
                if queue.empty():
                    # An alert is not kept waiting for company; what passed may wait a little.
                    if ingest.waiting:
                        break
                    await asyncio.sleep(0.02)
                    continue
                _feed(ingest, queue.get_nowait())
                fed += 1
            await commit()
    finally:
        reading.cancel()


async def _stat(ledger: Path) -> str:
    """The name of the log that is written now."""
    client = ipc.Client(ledger)
    try:
        answer = await client.call("stat")
    finally:
        await client.close()
    return str(msgspec.json.decode(answer)["log"])


def _feed(ingest: Ingest, entry: Entry) -> None:
    value = entry.value
    if isinstance(value, Event):
        ingest.feed(value)
    elif isinstance(value, Completed):
        ingest.completed(entry.seq, value)
    else:
        ingest.passed(entry.seq)


# ------------------------------------------------------------------ acts → ledger


def _send(recorder: BlockingRecorder) -> acts.Send:
    def send(act: dict[str, Any]) -> tuple[str, int]:
        text = msgspec.json.encode(act)
        mark = codec.token(hashlib.sha256(text).digest()[:8], int(act["id"]))
        at = dt.datetime.fromisoformat(act["at"])
        details = {str(k): v if isinstance(v, str) else str(v) for k, v in act["facts"].items()}
        value = Act(
            at_us=snapshot.micros(at),
            what=act["kind"],
            who=act["actor"],
            about=act["target"],
            client=act["address"],
            details=details,
        )
        return "", recorder.record(value, mark)

    return send


async def _acts(ledger: Path) -> None:
    recorder = BlockingRecorder(ledger, "console")
    drain = _database(acts.drain)
    try:
        while True:
            await drain(_send(recorder))
            await asyncio.sleep(PAUSE_S)
    finally:
        recorder.close()


# ------------------------------------------------------------------ snapshot, names, coverage


async def _snapshots(config: Config, signer: crypto.Signer) -> None:
    file = snapshot_file(config)
    seen: tuple[int, ...] = ()
    looked = 0.0

    def once() -> None:
        nonlocal seen, looked
        now = snapshot.mark()
        if now == seen and file.exists() and time.monotonic() - looked < SNAPSHOT_AT_LEAST_S:
            return
        made = snapshot.hand_down(config.site.id, signer.sign, file, timezone.now(), key="console")
        seen, looked = now, time.monotonic()
        if made is not None:
            acts.record("snapshot.made", target=str(made.version), digest=made.digest)

    due = _database(once)
    while True:
        await due()
        await asyncio.sleep(SNAPSHOT_EVERY_S)


async def _imports() -> None:
    write = _database(importing.work)
    while True:
        await write()
        await asyncio.sleep(IMPORTS_EVERY_S)


async def _names(config: Config) -> None:
    refresh = _database(names.refresh)
    while True:
        await refresh(config, timezone.now())
        await asyncio.sleep(NAMES_EVERY_S)


async def _structure(config: Config, ledger: Path) -> None:
    recorder = BlockingRecorder(ledger, "console")

    def record(event: Event) -> None:
        recorder.record(event)

    look = _database(watch.look)
    try:
        while True:
            await look(config, timezone.now(), record)
            await asyncio.sleep(STRUCTURE_EVERY_S)
    finally:
        recorder.close()


async def _coverage(status: Path) -> None:
    """Ask the engine what it sees (`events.Coverage`) and how its processes are
    (`engine.status.Process`): JSON lists both."""
    client = ipc.Client(status)
    receive, receive_processes = (
        _database(coverage.receive),
        _database(coverage.receive_processes),
    )
    try:
        while True:
            answer = await client.call("coverage")
            await receive(msgspec.json.decode(answer, type=list[Coverage]))
            processes = msgspec.json.decode(await client.call("processes"), type=list[Process])
            await receive_processes(processes, timezone.now())
            await asyncio.sleep(COVERAGE_EVERY_S)
    finally:
        await client.close()
