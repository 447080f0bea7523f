"""Alerts in the ledger become notices at their receivers, with the console down all the while."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from qingfang import crypto, ipc
from qingfang.config import Channels, Config, Mail, Paths, Site, Webhook
from qingfang.engine.notifier import Notifier
from qingfang.events import Event
from qingfang.judge import snapshot as snapshots
from qingfang.judge.snapshot import Contact, Duty, Snapshot, Span
from qingfang.record import reading
from qingfang.record.client import BlockingRecorder, now_us
from qingfang.record.codec import moment
from qingfang.record.entries import Act
from tests.support.ledger import LedgerProcess
from tests.support.run import in_loop
from tests.support.servers import Http, Smtp

FOREVER = Span(from_us=0, to_us=1 << 60)


def event(number: int, verdict: str = "alert", severity: int = 2) -> Event:
    return Event(
        connection="c1",
        at=moment(now_us()),
        source="gateway",
        protocol="pg",
        server="db:5432",
        database="his",
        account="app",
        client="10.1.2.3:4",
        sql=f"select {number}",
        kind="query",
        verdict=verdict,  # type: ignore[arg-type]
        severity=severity,
    )


class House:
    def __init__(self, place: Path, mail: Smtp | None = None, hook: Http | None = None) -> None:
        self.state = place
        self.ledger = LedgerProcess(place)
        self.config = Config(
            site=Site(id="hospital"),
            paths=Paths(state=str(place), run=str(place)),
            channels=Channels(
                mail=Mail(host="127.0.0.1", port=mail.port, sender="qf@h.example")
                if mail
                else None,
                webhook=Webhook(url=f"http://127.0.0.1:{hook.port}") if hook else None,
            ),
        )
        self.key = crypto.create_key(place / "signing.key")
        (place / "keys").mkdir()
        crypto.save_public(place / "keys" / "snapshot.pub", self.key)

    def hand_down(self, version: int = 1, key: crypto.Signer | None = None, **other) -> None:
        fields = {
            "contacts": (
                Contact(person="zhou", channel="mail", address="zhou@h.example"),
                Contact(person="wu", channel="mail", address="wu@h.example"),
            ),
            "duties": (
                Duty(span=FOREVER, persons=("zhou",)),
                Duty(span=FOREVER, persons=("wu",), after_minutes=60),
            ),
        }
        told = Snapshot(
            site="hospital",
            version=version,
            made_at_us=1,
            expires_at_us=1 << 60,
            **{**fields, **other},
        )
        data = snapshots.seal(told, (key or self.key).sign)
        fresh = self.state / "snapshot.new"
        fresh.write_bytes(data)
        fresh.replace(self.state / "snapshot.json")

    def acts(self) -> list[Act]:
        return [e.value for e in reading.records(self.ledger.folder) if isinstance(e.value, Act)]


async def until(condition) -> None:
    while not condition():
        await asyncio.sleep(0.01)


@in_loop
async def test_an_alert_in_the_ledger_reaches_who_is_on_duty(tmp_path: Path) -> None:
    async with Smtp().running() as mail, Http().running() as hook:
        house = House(tmp_path, mail, hook)
        house.hand_down()
        with house.ledger:
            notifier = Notifier(house.config)
            await notifier.start()
            recorder = BlockingRecorder(house.ledger.socket, "gateway")
            await asyncio.to_thread(recorder.record, Act(1, "something else", "x"))
            await asyncio.to_thread(recorder.record, event(1, "log"))
            seq = await asyncio.to_thread(recorder.record, event(2, "deny", 3))
            await until(lambda: mail.messages and hook.posts)
            await until(lambda: sum(a.what == "notice.sent" for a in house.acts()) == 2)
            await notifier.stop()
        assert mail.recipients == ["zhou@h.example"]
        assert f"{seq}" in mail.messages[0]["Subject"]
        assert msgspec.json.decode(hook.posts[0][2])["decision"] == "deny"
        receipts = {a.details["channel"]: a for a in house.acts() if a.what == "notice.sent"}
        assert receipts["mail"].details["receipt"] == "250 queued as 42"
        assert receipts["mail"].about.endswith(f"#{seq}")


@in_loop
async def test_what_came_while_it_was_down_is_told_once(tmp_path: Path) -> None:
    async with Smtp().running() as mail:
        house = House(tmp_path, mail)
        house.hand_down()
        with house.ledger:
            recorder = BlockingRecorder(house.ledger.socket, "gateway")
            before = await asyncio.to_thread(recorder.record, event(0))
            for number in (1, 2):
                notifier = Notifier(house.config)
                await notifier.start()
                await until(lambda: notifier._outbox.mark("ledger") is not None)  # noqa: B023
                await until(lambda: len(mail.messages) == number - 1)  # noqa: B023
                await notifier.stop()
                await asyncio.to_thread(recorder.record, event(number))
            notifier = Notifier(house.config)
            await notifier.start()
            await until(lambda: len(mail.messages) == 2)
            await until(lambda: sum(a.what == "notice.sent" for a in house.acts()) == 2)
            await notifier.stop()
        told = [int(m["Message-ID"].split(".")[3].split("@")[0]) for m in mail.messages]
        assert told == sorted(set(told)) and before not in told


@in_loop
async def test_a_letter_that_is_being_handed_over_at_the_end_is_not_sent_again(
    tmp_path: Path,
) -> None:
    async with Smtp().running() as mail:
        house = House(tmp_path, mail)
        house.hand_down()
        with house.ledger:
            notifier = Notifier(house.config)
            await notifier.start()
            await until(lambda: notifier._outbox.mark("ledger") is not None)
            mail.open.clear()
            recorder = BlockingRecorder(house.ledger.socket, "gateway")
            await asyncio.to_thread(recorder.record, event(1))
            await until(lambda: mail.messages)
            stopping = asyncio.create_task(notifier.stop())
            asyncio.get_running_loop().call_later(0.05, mail.open.set)
            await stopping
            assert [a.what for a in house.acts()] == ["notice.sent"]
            after = Notifier(house.config)
            assert not after._outbox.due(now_us()) and not after._outbox.results()
            after._outbox.close()
        assert len(mail.messages) == 1


@in_loop
async def test_a_ledger_that_is_away_holds_up_no_notice(tmp_path: Path) -> None:
    async with Smtp().running() as mail:
        house = House(tmp_path, mail)
        house.hand_down()
        house.ledger.start()
        notifier = Notifier(house.config)
        await notifier.start()
        await until(lambda: notifier._outbox.mark("ledger") is not None)
        await asyncio.to_thread(house.ledger.kill)
        client = ipc.Client(tmp_path / "notifier.sock")
        known = msgspec.structs.replace(event(1), log="hospital/node-1/ab", seq=9)
        payload = msgspec.msgpack.encode(known)
        assert await client.call("notify", payload) == b"2"
        assert await client.call("notify", payload) == b"0"
        await until(lambda: mail.messages)
        await asyncio.to_thread(house.ledger.start)
        await until(lambda: any(a.what == "notice.sent" for a in house.acts()))
        await client.close()
        await notifier.stop()
        house.ledger.stop()


@in_loop
async def test_someone_takes_it_up_and_nobody_else_is_woken(tmp_path: Path) -> None:
    async with Smtp().running() as mail:
        house = House(tmp_path, mail)
        house.hand_down()
        with house.ledger:
            notifier = Notifier(house.config)
            await notifier.start()
            recorder = BlockingRecorder(house.ledger.socket, "console")
            await until(lambda: notifier._outbox.mark("ledger") is not None)
            await asyncio.to_thread(recorder.record, event(1))
            await until(lambda: any(a.what == "notice.sent" for a in house.acts()))
            (told,) = [a for a in house.acts() if a.what == "notice.sent"]
            acknowledged = Act(now_us(), "alert.acknowledged", "zhou", about=told.about)
            await asyncio.to_thread(recorder.record, acknowledged)
            await until(lambda: notifier._outbox.counts().get("cancelled") == 1)
            await notifier.stop()
        assert mail.recipients == ["zhou@h.example"]


@in_loop
async def test_a_forged_snapshot_does_not_change_who_is_told(tmp_path: Path) -> None:
    async with Smtp().running() as mail:
        house = House(tmp_path, mail)
        house.hand_down()
        with house.ledger:
            notifier = Notifier(house.config)
            await notifier.start()
            forger = Contact(person="zhou", channel="mail", address="nobody@elsewhere.example")
            house.hand_down(2, crypto.Ed25519Signer.generate(), contacts=(forger,))
            notifier._look()
            await until(lambda: notifier._outbox.mark("ledger") is not None)
            recorder = BlockingRecorder(house.ledger.socket, "gateway")
            await asyncio.to_thread(recorder.record, event(1))
            await until(lambda: mail.messages)
            await notifier.stop()
        assert mail.recipients == ["zhou@h.example"]


@in_loop
async def test_a_channel_is_tried_out(tmp_path: Path) -> None:
    async with Smtp().running() as mail:
        house = House(tmp_path, mail)
        with house.ledger:
            notifier = Notifier(house.config)
            await notifier.start()
            client = ipc.Client(tmp_path / "notifier.sock")
            receipt = await client.call("test", b'["mail", "zhou@h.example"]')
            assert receipt == b"250 queued as 42"
            assert "测试通知" in mail.messages[0]["Subject"]
            with pytest.raises(ipc.Refusal, match="没有配置通道 sms"):
                await client.call("test", b'["sms", "1"]')
            mail.answers["RCPT"] = "550 no such person"
            with pytest.raises(ipc.Refusal, match="550"):
                await client.call("test", b'["mail", "nobody@h.example"]')
            for method, payload in (("test", b"x"), ("notify", b"x"), ("unknown", b"")):
                with pytest.raises(ipc.Refusal):
                    await client.call(method, payload)
            await client.close()
            await notifier.stop()


@in_loop
async def test_dead_letters_are_seen(tmp_path: Path) -> None:
    async with Smtp().running() as mail:
        house = House(tmp_path, mail)
        house.hand_down()
        mail.answers["RCPT"] = "550 no such person"
        with house.ledger:
            notifier = Notifier(house.config)
            await notifier.start()
            await until(lambda: notifier._outbox.mark("ledger") is not None)
            recorder = BlockingRecorder(house.ledger.socket, "gateway")
            await asyncio.to_thread(recorder.record, event(1))
            await until(lambda: any(a.what == "notice.dead" for a in house.acts()))
            client = ipc.Client(tmp_path / "notifier.sock")
            stat = msgspec.json.decode(await client.call("stat"))
            assert stat["letters"] == {"dead": 1, "waiting": 1}
            assert "550" in stat["dead"][0]["receipt"]
            await client.close()
            await notifier.stop()
