"""From the button on an alert's page to the second line of the roster, which then sleeps on."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import psycopg
import pytest
from msgspec.structs import replace

from qingfang import crypto
from qingfang.config import Channels, Config, Mail, Paths, Site
from qingfang.engine import notifier as notifiers
from qingfang.judge import snapshot as snapshots
from qingfang.judge.snapshot import Contact, Duty, Snapshot, Span
from qingfang.postgres import Server
from qingfang.record.client import now_us
from qingfang.record.codec import moment
from tests.support.alerts import event
from tests.support.browser import Console, Visitor
from tests.support.run import in_loop
from tests.support.servers import Smtp

FOREVER = Span(from_us=0, to_us=1 << 60)
ROSTER = Snapshot(
    site="test",
    version=1,
    made_at_us=1,
    expires_at_us=1 << 60,
    contacts=(
        Contact(person="zhou", channel="mail", address="zhou@h.example"),
        Contact(person="wu", channel="mail", address="wu@h.example"),
    ),
    duties=(
        Duty(span=FOREVER, persons=("zhou",)),
        Duty(span=FOREVER, persons=("wu",), after_minutes=30),
    ),
)


class Clock:
    def __init__(self) -> None:
        self.ahead_us = 0

    def __call__(self) -> int:
        return now_us() + self.ahead_us


def press(console: Console, number: str) -> None:
    """What somebody on duty does with the page of the alert of this number, once it is there."""
    visitor = Visitor(console.port, "9001")
    with psycopg.connect(console.dsn) as connection:
        while not (
            row := connection.execute(
                "SELECT id FROM review_alert WHERE number = %s", [number]
            ).fetchone()
        ):
            connection.rollback()
    page = visitor.ask(f"/alerts/{row[0]}")
    form = re.search(r'action="([^"]+/acknowledgement)".*?value="([^"]+)"', page)
    assert form is not None
    visitor.ask(form[1], {"csrfmiddlewaretoken": form[2]})


async def until(condition) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


def test_acknowledged_wakes_nobody_else(
    postgres: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    console = Console(tmp_path, postgres, "acknowledge")
    clock = Clock()
    monkeypatch.setattr(notifiers, "now_us", clock)
    state = tmp_path / "engine"
    (state / "keys").mkdir(parents=True)
    key = crypto.create_key(tmp_path / "signing.key")
    crypto.save_public(state / "keys" / "snapshot.pub", key)
    (state / "snapshot.json").write_bytes(snapshots.seal(ROSTER, key.sign))

    @in_loop
    async def scene() -> None:
        async with Smtp().running() as mail:
            notifier = notifiers.Notifier(
                Config(
                    site=Site(id="test"),
                    paths=Paths(state=str(state), run=str(tmp_path)),
                    channels=Channels(
                        mail=Mail(host="127.0.0.1", port=mail.port, sender="q@h.example")
                    ),
                )
            )
            await notifier.start()
            await until(lambda: notifier._outbox.mark("ledger") is not None)
            alerts = [replace(event(n, alert_number=f"A-{n}"), at=moment(now_us())) for n in (1, 2)]
            await asyncio.to_thread(console.record, alerts)
            await until(lambda: mail.recipients == ["zhou@h.example"] * 2)
            await asyncio.to_thread(press, console, "A-1")
            await until(lambda: notifier._outbox.counts().get("cancelled") == 1)
            clock.ahead_us = 31 * 60 * 1_000_000
            await until(lambda: len(mail.recipients) == 3)
            await until(lambda: notifier._outbox.counts().get("waiting", 0) == 0)
            await notifier.stop()
            assert mail.recipients[2] == "wu@h.example"
            told = [re.findall(r"\d+", str(m["Subject"]))[0] for m in mail.messages]
            assert told[2] == told[1] != told[0]

    try:
        console.start()
        scene()
    finally:
        console.stop()
