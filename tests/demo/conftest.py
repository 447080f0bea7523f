"""A small synthetic hospital in a database, made once for all tests of a process."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

import psycopg
import pytest

from qingfang.demo import hospital
from qingfang.demo.client import Target
from qingfang.demo.people import Cast, cast
from qingfang.postgres import Server

SEED = 7
TODAY = datetime.date(2026, 11, 23)
UNTIL = TODAY - datetime.timedelta(days=1)
SCALE = 0.03


@pytest.fixture(scope="session")
def facts() -> hospital.Facts:
    return hospital.facts(SEED)


@pytest.fixture(scope="session")
def declared(facts: hospital.Facts) -> Cast:
    return cast(facts, TODAY)


@pytest.fixture(scope="session")
def his(postgres: Server) -> Iterator[Target]:
    """The loaded hospital, for its programs' shared account."""
    postgres.database("his", template="template0")
    postgres.role("hisuser")
    dsn = postgres.dsn(database="his")
    hospital.ensure(dsn, seed=SEED, until=UNTIL, scale=SCALE)
    with psycopg.connect(dsn) as connection:
        hospital.open_to(connection, "hisuser")
    assert postgres.port
    yield Target("127.0.0.1", postgres.port, "his", "hisuser", postgres.password("hisuser"))
    postgres.drop("his")
    with psycopg.connect(postgres.dsn(), autocommit=True) as connection:
        connection.execute("DROP ROLE hisuser")


@pytest.fixture
def reader(postgres: Server, his: Target) -> Iterator[psycopg.Connection]:
    """A superuser's look at the loaded hospital; what it writes is undone."""
    with psycopg.connect(postgres.dsn(database="his")) as connection:
        yield connection
        connection.rollback()
