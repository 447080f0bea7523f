"""The console under test: settings on a configuration of its own, a real PostgreSQL behind it."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from django.conf import settings
from psycopg.conninfo import conninfo_to_dict

from qingfang import config as configuration
from qingfang.postgres import Server

FOLDER = Path(tempfile.mkdtemp(prefix="qf-console-"))
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)

CONFIG = f"""\
[site]
name = "合成医院"
id = "test"

[paths]
state = "{FOLDER}/state"
run = "{FOLDER}/run"

[console]
allowed_hosts = ["127.0.0.1", "localhost", "testserver"]

[[database]]
name = "his"
address = "10.0.0.5:5432"
catalogue = "state/catalogue.json"

[[database]]
name = "lis"
address = "10.0.0.6:5432"
catalogue = "state/catalogue.json"

[[route]]
name = "his-clinical"
database = "his"
listen = "127.0.0.1:25432"
"""


def prepare() -> None:
    """Called before Django's settings are read."""
    (FOLDER / "run").mkdir(exist_ok=True)
    file = FOLDER / "qingfang.toml"
    file.write_text(CONFIG, encoding="utf-8")
    os.environ["QINGFANG_CONFIG"] = str(file)
    os.environ["DJANGO_SETTINGS_MODULE"] = "qingfang.web.settings"
    # pytest-django sets Django up only when the settings have been looked at by then.
    assert settings.DATABASES
    if settings.QINGFANG.paths.state != f"{FOLDER}/state":
        # A worker of xdist comes with the settings of the process that started it: files are its own.
        settings.QINGFANG = configuration.read(file)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(postgres: Server) -> None:
    """pytest-django's own hook: its test database is made in our server."""
    from django.db import connections

    parts = conninfo_to_dict(postgres.dsn())
    wrapper = connections["default"]
    wrapper.settings_dict.update(
        HOST=parts["host"], PORT=parts["port"], USER=parts["user"], NAME="console"
    )
    # No pool: each test's connection must be the one its transaction is in.
    wrapper.settings_dict["OPTIONS"] = {"passfile": parts["passfile"]}
