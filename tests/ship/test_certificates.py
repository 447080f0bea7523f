"""Certificates that two persons exchange, and the commands and configuration around them."""

import datetime
import json
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner

from qingfang import config
from qingfang.cli import qingfang_command
from qingfang.engine import house
from qingfang.ship import certificates

NOW = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)


def test_created_once_and_closed_to_others(tmp_path: Path) -> None:
    made, key = tmp_path / "a.pem", tmp_path / "a.key"
    found = certificates.create("a", made, key, NOW)
    assert found == certificates.fingerprint_of(made)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    before = key.read_bytes()
    with pytest.raises(FileExistsError):
        certificates.create("a", made, key, NOW)
    made.unlink()
    with pytest.raises(FileExistsError):
        certificates.create("a", made, key, NOW)
    assert key.read_bytes() == before


def test_a_certificate_that_is_not_the_pinned_one_is_refused(tmp_path: Path) -> None:
    made, key = tmp_path / "a.pem", tmp_path / "a.key"
    certificates.create("a", made, key, NOW)
    with pytest.raises(certificates.Unusable, match="指纹"):
        certificates.server(made, key, [(made, "0" * 64)])
    with pytest.raises(certificates.Unusable, match="PEM"):
        certificates.server(made, key, [(key, "0" * 64)])
    with pytest.raises(certificates.Unusable, match="读不了"):
        certificates.server(made, key, [(tmp_path / "b.pem", "0" * 64)])
    with pytest.raises(certificates.Unusable, match="不能用"):
        certificates.client(made, made)


def test_the_command_says_the_fingerprint(tmp_path: Path) -> None:
    arguments = ["ship", "certificate", "node-2", "--folder", str(tmp_path), "--json"]
    done = CliRunner().invoke(qingfang_command, arguments)
    assert done.exit_code == 0, done.output
    told = json.loads(done.output)
    assert told["fingerprint"] == certificates.fingerprint_of(Path(told["certificate"]))
    again = CliRunner().invoke(qingfang_command, arguments)
    assert again.exit_code == 2
    assert "不会覆盖" in again.output


def test_status_without_a_shipper(tmp_path: Path) -> None:
    file = tmp_path / "qingfang.toml"
    file.write_text(f'[paths]\nstate = "{tmp_path}"\nrun = "{tmp_path}"\n', encoding="utf-8")
    done = CliRunner().invoke(qingfang_command, ["ship", "status", "--config", str(file)])
    assert done.exit_code == 2
    assert "送出进程没有应答" in done.output


SHIP = """\
[ship]
to = "10.0.0.9:8601"
fingerprint = "{print}"
certificate = "a.pem"
key = "a.key"
"""
DOOR = """\
[door]
listen = "0.0.0.0:8601"
certificate = "c.pem"
key = "c.key"
[[door.peer]]
name = "node-2"
certificate = "n.pem"
fingerprint = "{print}"
"""


def read(tmp_path: Path, text: str) -> config.Config:
    file = tmp_path / "qingfang.toml"
    file.write_text(text.replace("{print}", "ab" * 32), encoding="utf-8")
    return config.read(file)


def test_which_processes_there_are(tmp_path: Path) -> None:
    sensor, center = read(tmp_path, SHIP), read(tmp_path, DOOR)
    assert sensor.ship.certificate == str(tmp_path / "a.pem")
    assert center.door.peer[0].certificate == str(tmp_path / "n.pem")
    file = tmp_path / "qingfang.toml"
    names = [s.name for s in house.services(sensor, file, console=False)]
    assert names == ["spool", "shipper", "analyser", "judge", "notifier"]
    assert house.services(sensor, file)[0].socket == Path(sensor.paths.run) / "ledger.sock"
    found = house.services(center, file, console=False)
    assert [s.name for s in found] == ["ledger", "door", "analyser", "judge", "notifier"]
    for configured in (sensor, center):
        started = house.services(configured, file)
        assert set(house.parts(configured, started)) == {s.name for s in started}


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (SHIP.replace('key = "a.key"\n', ""), "ship.key"),
        (SHIP.replace('fingerprint = "{print}"\n', ""), "ship.fingerprint"),
        (SHIP.replace("{print}", "AB"), "ship.fingerprint"),
        (DOOR.replace('key = "c.key"\n', ""), "door.key"),
        (DOOR + SHIP, "door.listen"),
        (DOOR + DOOR.partition('key = "c.key"\n')[2], "door.peer[1].name"),
        (
            DOOR + DOOR.partition('key = "c.key"\n')[2].replace("-2", "-3"),
            "door.peer[1].fingerprint",
        ),
    ],
)
def test_a_way_is_whole_or_absent(tmp_path: Path, text: str, key: str) -> None:
    with pytest.raises(config.ConfigError) as caught:
        read(tmp_path, text)
    assert caught.value.key == key
