"""The tap's process on a real interface, with a real server and a gateway beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from qingfang.config import Config
from qingfang.engine.decider import Decider
from qingfang.engine.tap import Listening
from qingfang.events import Connection, Event
from qingfang.postgres import Server
from qingfang.record import reading
from qingfang.record.recorder import Recorder
from qingfang.sense.tap.encryption import Blind
from tests.support.house import USAGE, WORK, House, until
from tests.support.ledger import LedgerProcess
from tests.support.raw import needs_raw
from tests.support.run import in_loop


@pytest.fixture
def heard(tmp_path: Path, postgres: Server, database: str) -> Iterator[House]:
    """A house whose tap listens on loopback to the database's port."""
    assert postgres.port is not None
    tap = f'[[tap]]\nname = "mirror"\ndatabase = "his"\ninterface = "lo"\nports = [{postgres.port}]'
    with House(tmp_path, database, postgres.port, more=tap) as house:
        yield house


@needs_raw
def test_around_the_gateway_the_tap_sees_and_through_it_one_alert_is_enough(heard: House) -> None:
    with heard.client() as through, heard.client("direct", application_name="plsql") as around:
        for n in range(5):
            through.execute(WORK.format(n))
            around.execute(WORK.format(n))
        assert len(through.execute(USAGE.format(1)).fetchall()) == 7
        assert len(around.execute(USAGE.format(2)).fetchall()) == 7
    (direct,) = until(lambda: [e for e in heard.events(about="'Y2'") if e.rows == 7])
    assert direct.verdict == "alert"
    assert (direct.source, direct.program, direct.would) == ("tap", "plsql", None)
    assert direct.client.startswith("127.0.0.1:") and direct.reasons
    # What passed is noted with its rows too.
    noted = until(lambda: [e for e in heard.events(about="ward") if e.source == "tap"])
    assert [e.rows for e in noted] == [0, 1, 0, 0, 0]
    # The gateway's own connection was seen as well, and left to the gateway.
    (once,) = until(lambda: heard.events(verdict="alert", about="'Y1'"))
    assert once.source == "gateway"
    seen = until(lambda: (c := heard.coverage("tap")).statements >= 12 and c)
    assert (seen.running, seen.lost_packets, seen.lost_bytes) == (True, 0, 0)
    assert (seen.undecodable, seen.unjudged, seen.unregistered) == (0, 0, ())
    assert not heard.losses()


@needs_raw
def test_work_goes_on_while_nobody_can_judge_and_is_judged_late(heard: House) -> None:
    with heard.client("direct") as around:
        around.execute(WORK.format(1))
        until(lambda: [e for e in heard.events(about="ward") if e.source == "tap"])
        heard.kill("analyser")
        assert len(around.execute(USAGE.format(3)).fetchall()) == 7
    (late,) = until(lambda: heard.events(verdict="alert", about="'Y3'"))
    assert late.source == "tap"
    assert not heard.losses()


@needs_raw
def test_a_gateways_connection_older_than_the_tap_is_left_to_the_gateway(heard: House) -> None:
    with heard.client() as through, heard.client("direct") as around:
        through.execute(WORK.format(1))
        around.execute(WORK.format(1))
        until(lambda: [e for e in heard.events(about="ward") if e.source == "tap"])
        heard.kill("tap-mirror")
        until(lambda: [a for a in heard.acts("process.back") if a.about == "tap-mirror"])
        # It is up when it captures, and sees both connections midway.
        seen = heard.coverage("tap").statements
        assert len(through.execute(USAGE.format(1)).fetchall()) == 7
        assert len(around.execute(USAGE.format(2)).fetchall()) == 7
        (direct,) = until(lambda: heard.events(verdict="alert", about="'Y2'"))
        assert len(through.execute(USAGE.format(4)).fetchall()) == 7
        until(lambda: heard.coverage("tap").statements >= seen + 3)
    assert direct.source == "tap"
    # Once its outcome is known the tap has nothing left of what it saw before.
    until(lambda: [e for e in heard.events(about="'Y2'") if e.rows == 7])
    for item in ("'Y1'", "'Y4'"):
        assert [e.source for e in heard.events(verdict="alert", about=item)] == ["gateway"]


NOON = 1_790_000_000_000_000
DAY = 86_400_000_000
SEEN = Connection(
    id="c1",
    site="h",
    node="n",
    source="tap",
    protocol="pg",
    server="192.0.2.9:5432",
    client="192.0.2.1:40000",
    opened_us=NOON,
)


@in_loop
async def test_an_encrypted_connection_is_an_alert_once_a_day_for_each_client(
    tmp_path: Path,
) -> None:
    config = msgspec.convert(
        {
            "paths": {"state": str(tmp_path), "run": str(tmp_path)},
            "database": [{"name": "his", "address": "192.0.2.8:5432", "catalogue": "c"}],
            "route": [{"name": "main", "database": "his", "listen": "127.0.0.1:1"}],
            "tap": [{"name": "mirror", "database": "his", "interface": "lo", "ports": [5432]}],
        },
        Config,
    )
    with LedgerProcess(tmp_path) as ledger:
        recorder = Recorder(ledger.socket, "tap/mirror")
        await recorder.start()
        decider = Decider(config, config.tap[0], recorder)
        listening = Listening(
            config, config.tap[0], recorder, frozenset({"192.0.2.8:5432"}), decider, hold_s=0.05
        )
        tls = Blind("tls", "1.3")

        async def blind(client: str, at_us: int = NOON) -> None:
            connection = msgspec.structs.replace(SEEN, client=client, opened_us=at_us)
            listening.blind(connection, tls, at_us)
            await asyncio.sleep(0.1)

        await blind("192.0.2.1:40000")
        await blind("192.0.2.1:40001")
        await blind("192.0.2.2:40000")
        await blind("192.0.2.1:40002", NOON + DAY)
        # The gateway's own, and one that took its port over afterwards.
        listening.gateway_opened("192.0.2.3:40000", NOON)
        await blind("192.0.2.3:40000", NOON - 1)
        await blind("192.0.2.3:40000", NOON + 1)
        assert (listening.encrypted, listening.unregistered) == (5, {"192.0.2.9:5432"})
        await listening.close()
        await decider.close()
        await recorder.close()
        found = [e.value for e in reading.records(ledger.folder) if isinstance(e.value, Event)]
    assert [(e.kind, e.verdict, e.codes) for e in found] == [
        ("coverage", "alert", ("tap-blind",))
    ] * 4
    assert "192.0.2.1" in found[0].reasons[0] and "TLS 1.3" in found[0].reasons[0]
