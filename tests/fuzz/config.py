"""Hostile configuration files: one is taken whole, or refused by a `ConfigError` that names it."""

import atexit
import random
import tempfile
from pathlib import Path

from qingfang import config
from tests.fuzz import _mutate

_TEXT = """
[site]
name = "合成医院"
id = "h"
[console]
listen = "127.0.0.1:8600"
[[database]]
name = "his"
address = "127.0.0.1:5432"
catalogue = "his.json"
[[route]]
name = "main"
database = "his"
listen = "127.0.0.1:6432"
kind = "clinical"
budget_ms = 50
[[tap]]
name = "mirror"
database = "his"
interface = "eth1"
ports = [5432]
[channels]
per_minute = 3
[channels.mail]
host = "mail"
sender = "a@example.invalid"
"""
_BITS = (
    *('"', "'", "[", "]", "[[", "]]", "=", "\n", "#", ".", ",", "{", "}", "\\", "\\u0000", "-1"),
    *("1", "1.5", "true", "99999999999999999999", "nan", "route", "[[route]]\n", "name", "his"),
    *('"""', "\r", "\x00", "药", "[route]\n", "2026-11-23", "[" * 3000),
)
_FOLDER = tempfile.TemporaryDirectory(prefix="qingfang-fuzz-")
atexit.register(_FOLDER.cleanup)
_FILE = Path(_FOLDER.name, "qingfang.toml")


def attack(seed: int) -> None:
    rng = random.Random(seed)
    data = _mutate.text(rng, _TEXT, _BITS).encode()
    if rng.random() < 0.2:
        data = _mutate.octets(rng, data)
    _FILE.write_bytes(data)
    try:
        taken = config.read(_FILE)
    except config.ConfigError as error:
        assert str(error).startswith(str(_FILE))
        assert error.problem
        return
    names = {database.name for database in taken.database}
    assert all(sensor.database in names for sensor in (*taken.route, *taken.tap))
