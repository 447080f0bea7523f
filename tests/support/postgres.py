"""One embedded PostgreSQL for all tests of a process, and a fresh database for each that asks.

`tests/conftest.py` makes the fixtures known to the whole suite: a test asks for `database` (a DSN)
or `postgres` (the server).
"""

from __future__ import annotations

import contextlib
import itertools
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from qingfang.postgres import Server

# Nothing here outlives the run, so nothing has to reach the disk.
QUICK = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@contextlib.contextmanager
def private_folder() -> Iterator[Path]:
    """A folder for a server. pytest's own are closed to the user it runs as when we are root."""
    folder = Path(tempfile.mkdtemp(prefix="qf-pg-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """The server, on its socket and a free TCP port. Shared by all tests of this process: whoever
    changes roles or settings puts them back."""
    with private_folder() as folder, Server(folder, port=0, settings=QUICK) as server:
        yield server


_numbers = itertools.count(1)


@pytest.fixture
def database(postgres: Server) -> Iterator[str]:
    """A DSN (socket, superuser) of an empty database that goes when the test is over."""
    name = f"test_{next(_numbers)}"
    postgres.database(name, template="template0")
    yield postgres.dsn(database=name)
    postgres.drop(name)
