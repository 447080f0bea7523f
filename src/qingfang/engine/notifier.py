"""The notifier's process: everyone who is to be told of an alert is told, console or no console.

Serves `paths.run`/notifier.sock: `notify` (a recorded `Event`, MessagePack), `acknowledge` (a
notice's id), `test` (a channel's name and an address as a JSON list; the receipt), `stat`, `ping`.

Rules this module keeps:

1. Alerts come from the ledger, followed by sequence number: none is missed while this process is
   down, none is told twice. `notify` only saves the way through the ledger.
2. The roster is in the signed snapshot, `paths.state`/snapshot.json, checked with
   `paths.state`/keys/snapshot.pub; a refused one changes nothing.
3. Every end of a notice becomes an act in the ledger.
4. A ledger that is away holds up neither letters nor `notify`.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import logging
from pathlib import Path
from typing import Final

import msgspec

from qingfang import crypto, ipc
from qingfang.act import notice as notices
from qingfang.act.channels import Channel, NotSent
from qingfang.act.channels.mail import MailChannel
from qingfang.act.channels.syslog import SyslogChannel
from qingfang.act.channels.webhook import WebhookChannel
from qingfang.act.dispatcher import Dispatcher
from qingfang.act.notice import Language, Notice
from qingfang.act.outbox import Outbox, Result
from qingfang.act.roster import Line, Roster, Way
from qingfang.config import Config
from qingfang.engine.process import say_ready
from qingfang.events import Event
from qingfang.judge.snapshot import Holder, Rejected, Snapshot
from qingfang.language import _
from qingfang.record.client import end, follow, now_us
from qingfang.record.codec import moment
from qingfang.record.entries import Act
from qingfang.record.recorder import Recorder

log = logging.getLogger(__name__)

_LOOK_EVERY_S: Final = 0.5
_PLACE: Final = "ledger"


class Notifier:
    """Everything but the process: `start`, then `stop`."""

    def __init__(self, config: Config, channels: dict[str, Channel] | None = None) -> None:
        state, run_folder = Path(config.paths.state), Path(config.paths.run)
        self._ledger = run_folder / "ledger.sock"
        self._socket = run_folder / "notifier.sock"
        self._snapshot, self._key = state / "snapshot.json", state / "keys" / "snapshot.pub"
        self._link = config.console.url or f"http://{config.console.listen}"
        self._channels = channels_of(config) if channels is None else channels
        self._outbox = Outbox(
            state / "notifier" / "outbox.sqlite", per_minute=config.channels.per_minute
        )
        self._recorder = Recorder(self._ledger, "notifier")
        self._dispatcher = Dispatcher(self._outbox, self._channels, now_us, self._tell)
        self._holder = Holder(config.site.id, self._verify)
        self._seen: tuple[int, int, int] | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._server: asyncio.AbstractServer | None = None

    async def start(self) -> None:
        await self._recorder.start()
        self._look()
        self._server = await ipc.serve(self._socket, self._answer)
        self._tasks = [
            asyncio.create_task(self._dispatcher.run()),
            asyncio.create_task(self._follow()),
            asyncio.create_task(self._keep_looking()),
        ]

    async def failed(self) -> None:
        """Until one of the tasks ends, which none does by itself; raises what ended it."""
        await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in self._tasks:
            if task.done():
                task.result()

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            with contextlib.suppress(FileNotFoundError):
                self._socket.unlink()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._recorder.close()
        self._outbox.close()

    # ------------------------------------------------------------------ what is to be told

    async def _follow(self) -> None:
        place = self._outbox.mark(_PLACE)
        if place is None:
            # A new notifier beside an old ledger: what was before it, others have told.
            place = await end(self._ledger)
            self._outbox.set_mark(_PLACE, place)
        async for entry in follow(self._ledger, place, briefs=False):
            if isinstance(entry.value, Event):
                self._take(entry.value)
            elif isinstance(entry.value, Act) and entry.value.what == "alert.acknowledged":
                self._dispatcher.acknowledge(entry.value.about)
            self._outbox.set_mark(_PLACE, entry.seq + 1)

    def _take(self, event: Event) -> int:
        if event.verdict not in notices.TOLD or event.log is None or event.seq is None:
            return 0
        return self._dispatcher.notify(notices.of(event, self._link), _moment(event.at))

    async def _answer(self, method: str, payload: bytes, peer: ipc.Peer) -> bytes:
        if method == "ping":
            return b""
        if method == "stat":
            dead = msgspec.to_builtins(self._outbox.dead())
            return msgspec.json.encode({"letters": self._outbox.counts(), "dead": dead})
        try:
            if method == "notify":
                return str(self._take(msgspec.msgpack.decode(payload, type=Event))).encode()
            if method == "acknowledge":
                return str(self._dispatcher.acknowledge(payload.decode())).encode()
            if method == "test":
                name, address = msgspec.json.decode(payload, type=tuple[str, str])
                return await self._test(name, address)
        except (msgspec.MsgspecError, ValueError) as error:
            raise ipc.Refusal(_("请求有误：{}").format(error)) from None
        raise ipc.Refusal(_("通知服务没有这个方法：{}").format(method))

    async def _test(self, name: str, address: str) -> bytes:
        channel = self._channels.get(name)
        if channel is None:
            known = "、".join(self._channels) or "-"
            raise ipc.Refusal(_("没有配置通道 {}；已有：{}").format(name, known))
        at = now_us()
        notice = Notice(f"test#{at}", 0, moment(at), "alert", 0, link=self._link, test=True)
        try:
            receipt = await channel.send(notice, address)
        except NotSent as error:
            raise ipc.Refusal(str(error)) from None
        self._recorder.later(Act(at, "notice.test", "notifier", about=name))
        return receipt.encode()

    async def _tell(self, result: Result) -> None:
        await self._recorder.record(
            Act(
                at_us=result.at_us,
                what=f"notice.{result.state}",
                who="notifier",
                about=result.notice_id,
                details={
                    "channel": result.channel,
                    "person": result.person,
                    "receipt": result.receipt,
                    "attempts": str(result.attempts),
                },
            )
        )

    # ------------------------------------------------------------------ the roster

    def _verify(self, message: bytes, signature: bytes) -> bool:
        try:
            return crypto.load_public(self._key).verify(message, signature)
        except crypto.KeyProblem as problem:
            log.warning("snapshot key: %s", problem)
            return False

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            self._look()

    def _look(self) -> None:
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
            self._dispatcher.roster = roster_of(self._holder.offer(data))
        except Rejected as refused:
            log.warning("snapshot refused, the roster in force stays: %s", refused)


def roster_of(snapshot: Snapshot) -> Roster:
    ways: dict[str, tuple[Way, ...]] = {}
    for contact in snapshot.contacts:
        ways[contact.person] = (
            *ways.get(contact.person, ()),
            Way(contact.channel, contact.address),
        )
    lines = tuple(
        Line(d.span.from_us, d.span.to_us, d.persons, d.after_minutes, d.min_severity)
        for d in snapshot.duties
    )
    return Roster(lines, ways)


def channels_of(config: Config) -> dict[str, Channel]:
    language: Language = "en" if config.console.language == "en" else "zh"
    found: dict[str, Channel] = {}
    if config.channels.mail is not None:
        found["mail"] = MailChannel(config.channels.mail, language)
    if config.channels.syslog is not None:
        found["syslog"] = SyslogChannel(config.channels.syslog)
    if config.channels.webhook is not None:
        found["webhook"] = WebhookChannel(config.channels.webhook, language)
    return found


def _moment(at: str) -> int:
    """ISO 8601 with zone → microseconds since the epoch; now when it cannot be read: an alert with
    a strange time is an alert."""
    with contextlib.suppress(ValueError):
        raised = datetime.datetime.fromisoformat(at)
        if raised.tzinfo is not None:
            return int(raised.timestamp() * 1_000_000)
    return now_us()


async def run(config: Config, stopping: asyncio.Event) -> None:
    """Serve until `stopping` is set."""
    notifier = Notifier(config)
    await notifier.start()
    try:
        say_ready()
        failing = asyncio.create_task(notifier.failed())
        ending = asyncio.create_task(stopping.wait())
        await asyncio.wait((failing, ending), return_when=asyncio.FIRST_COMPLETED)
        ending.cancel()
        if failing.done():
            failing.result()
        failing.cancel()
    finally:
        await notifier.stop()
