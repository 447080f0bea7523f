"""The drivers' own test suites, direct and through the gateway, compared test by test.

`python -m tests.real.drivers`: exit 0 when every suite gives what it gives direct, 1 when not.

Suites are taken by path, nothing of them is kept here: `PSYCOPG_TESTS` names a checkout of psycopg,
`ASYNCPG_TESTS` an unpacked source distribution of asyncpg, `SQLALCHEMY_TESTS` one of SQLAlchemy.
A suite whose path is not given is passed over, and said to be. More arguments go to pytest.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

from qingfang.postgres import Server
from tests.real.house import Guard, run

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-real" / "bin" / "python"
USER = "driver"
DATABASE = "driver_tests"
# The gateway knows none of their tables.
CATALOGUE = json.dumps({"name": "drivers", "dialect": "postgres", "tables": {}})


def psycopg(port: int, password: str) -> tuple[list[str], dict[str, str]]:
    dsn = f"host=127.0.0.1 port={port} user={USER} password={password} dbname={DATABASE}"
    return ["tests", "-m", "not slow and not timing and not refcount", "--test-dsn", dsn], {}


def asyncpg(port: int, password: str) -> tuple[list[str], dict[str, str]]:
    where = {"PGHOST": "127.0.0.1", "PGPORT": str(port), "PGDATABASE": DATABASE}
    return ["tests"], {**where, "PGUSER": USER, "PGPASSWORD": password}


def sqlalchemy(port: int, password: str) -> tuple[list[str], dict[str, str]]:
    url = f"postgresql+psycopg://{USER}:{password}@127.0.0.1:{port}/{DATABASE}"
    return ["test/dialect/postgresql", "--dburi", url, "-p", "no:xdist"], {}


SUITES = {"psycopg": psycopg, "asyncpg": asyncpg, "sqlalchemy": sqlalchemy}


async def results(
    suite: str, folder: Path, port: int, password: str, report: Path, more: list[str]
) -> dict[str, str]:
    """Test → outcome. A suite that ends without a report raises `FileNotFoundError`."""
    report.unlink(missing_ok=True)
    arguments, environment = SUITES[suite](port, password)
    command = (PYTHON, "-m", "pytest", "-q", "--timeout=120", f"--junitxml={report}")
    code, _said = await run(*command, *arguments, *more, cwd=folder, **environment)
    print(f"{suite}: pytest ended with {code}", flush=True)
    found: dict[str, str] = {}
    for case in ET.parse(report).getroot().iter("testcase"):
        kinds = [child.tag for child in case if child.tag in {"failure", "error", "skipped"}]
        name = f"{case.get('classname')}::{case.get('name')}"
        found[name] = kinds[0] if kinds else "passed"
    return found


async def compare(suite: str, server: Server, folder: Path, more: list[str]) -> int:
    """How many tests differ; says which."""
    server.drop(DATABASE)
    server.database(DATABASE, owner=USER)
    password = server.password(USER)
    reports = ROOT / ".state" / "drivers"
    direct = await results(
        suite, folder, server.port or 0, password, reports / f"{suite}-direct.xml", more
    )
    server.drop(DATABASE)
    server.database(DATABASE, owner=USER)
    guard = Guard(reports / "house", server.port or 0, CATALOGUE)
    async with guard.running():
        through = await results(
            suite, folder, guard.port, password, reports / f"{suite}-through.xml", more
        )
    differ = [
        (name, direct.get(name, "-"), through.get(name, "-"))
        for name in sorted(direct.keys() | through.keys())
        if direct.get(name) != through.get(name)
    ]
    passed = sum(1 for outcome in direct.values() if outcome == "passed")
    print(f"{suite}: {len(direct)} tests, {passed} pass direct, {len(differ)} differ")
    for name, before, after in differ:
        print(f"  {name}: {before} -> {after}")
    return len(differ)


def main() -> None:
    folder = ROOT / ".state" / "drivers"
    folder.mkdir(parents=True, exist_ok=True)
    differ = 0
    with Server(
        folder / "postgres", port=0, settings={"max_prepared_transactions": "10"}
    ) as server:
        server.role(USER, superuser=True)
        for suite in SUITES:
            place = os.environ.get(f"{suite.upper()}_TESTS")
            if place is None:
                print(f"{suite}: not run, {suite.upper()}_TESTS does not name its tests")
                continue
            differ += asyncio.run(compare(suite, server, Path(place), sys.argv[1:]))
    sys.exit(1 if differ else 0)


if __name__ == "__main__":
    main()
