"""The drivers' own test suites, direct and through the gateway, compared test by test.

`python -m tests.real.drivers [SUITE …]`: exit 0 when every suite gives what it gives direct, or
differs only where docs/real.md says why; 1 when not. `make drivers` does the same.

Suites are taken by path, nothing of them is kept here: `PSYCOPG_TESTS` names a checkout of psycopg,
`ASYNCPG_TESTS` an unpacked source distribution of asyncpg, `SQLALCHEMY_TESTS` one of SQLAlchemy. A
suite whose path is not given is passed over, and said to be.

How it works: each suite runs once direct and once through the gateway, each time in a new database.
Tests whose outcome differs run again alone, both ways, up to three times: a difference that a loaded
machine made, or that the suite makes by itself now and then, is none. Beside the outcomes the ledger is checked: no statement lost, none unjudged, and no fewer than
reached the server.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psycopg

from qingfang.events import Event
from qingfang.postgres import Server
from qingfang.record.entries import Act, Loss
from qingfang.record.verify import verify
from tests.real.house import Guard

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-drivers" / "bin" / "python"
DIFFERENCES = ROOT / "docs" / "real.md"
STATE = ROOT / ".state" / "drivers"
USER = "driver"
DATABASE = "driver_tests"
SETTINGS = {
    "max_prepared_transactions": "10",
    "max_connections": "200",
    "wal_level": "logical",
    # The server's own account of what reached it.
    "log_statement": "all",
    "log_parameter_max_length": "0",
    "log_line_prefix": "%d %u ",
}
_LOGGED = re.compile(
    rf"^\S+ {USER} LOG:  (?:statement|execute [^:]*|fastpath function call): ".encode(), re.M
)
# One row of the page's table: | suite | `test` | reason |, where * in a test's name stands for any.
_ROW = re.compile(r"^\| (\S+) \| `([^`]+)` \| (.+) \|$", re.M)
# The gateway knows none of their tables.
CATALOGUE = json.dumps({"name": "drivers", "dialect": "postgres", "tables": {}})
GOOD = ("passed", "xfailed")
AGAIN = 3  # rounds in which a difference must show each time
RANGES = ("Int8", "Num", "Date", "DateTime", "DateTimeTZ")


class Suite:
    """`arguments` are pytest's and the environment, for a port and a password."""

    def __init__(
        self,
        name: str,
        package: str,
        variable: str,
        arguments: Callable[[int, str], tuple[list[str], dict[str, str]]],
    ) -> None:
        self.name, self.package, self.variable = name, package, variable
        self.arguments = arguments
        self.path = os.environ.get(variable)


def _psycopg(port: int, password: str) -> tuple[list[str], dict[str, str]]:
    dsn = f"host=127.0.0.1 port={port} user={USER} password={password} dbname={DATABASE}"
    return ["tests", "-m", "not timing and not refcount and not mypy", "--test-dsn", dsn], {}


def _asyncpg(port: int, password: str) -> tuple[list[str], dict[str, str]]:
    where = {"PGHOST": "127.0.0.1", "PGPORT": str(port), "PGDATABASE": DATABASE}
    return ["tests"], {**where, "PGUSER": USER, "PGPASSWORD": password}


def _sqlalchemy(driver: str) -> Callable[[int, str], tuple[list[str], dict[str, str]]]:
    def arguments(port: int, password: str) -> tuple[list[str], dict[str, str]]:
        url = f"postgresql+{driver}://{USER}:{password}@127.0.0.1:{port}/{DATABASE}"
        # All but the ORM, which adds no statements of another kind; `backend` is its marker for what
        # reaches a database, the rest compares texts.
        places = ("test/dialect", "test/engine", "test/sql")
        chosen = ("-m", "backend and not memory_intensive and not timing_intensive")
        # Six types of ranges have the same 1,228 tests each: one of them is enough.
        others = ("-k", "not (" + " or ".join(f"{kind}RangeRoundTrip" for kind in RANGES) + ")")
        more = ("--dburi", url, "--maxfail=100000", "-p", "no:xdist")
        return [*places, *chosen, *others, *more], {}

    return arguments


SUITES = (
    Suite("psycopg", "psycopg", "PSYCOPG_TESTS", _psycopg),
    Suite("asyncpg", "asyncpg", "ASYNCPG_TESTS", _asyncpg),
    Suite("sqlalchemy+psycopg", "sqlalchemy", "SQLALCHEMY_TESTS", _sqlalchemy("psycopg")),
    Suite("sqlalchemy+asyncpg", "sqlalchemy", "SQLALCHEMY_TESTS", _sqlalchemy("asyncpg")),
)


class Results:
    """Of one run: test → outcome, and test → the end of what it said."""

    def __init__(self, file: Path) -> None:
        self.outcomes: dict[str, str] = {}
        self.why: dict[str, str] = {}
        for line in file.read_text("utf-8").splitlines():
            told = json.loads(line)
            self.outcomes[told["test"]] = told["outcome"]
            lines = told["why"].strip().splitlines()
            self.why[told["test"]] = next(
                (line for line in reversed(lines) if line.startswith("E ")), (lines or [""])[-1]
            )

    @property
    def passed(self) -> int:
        return sum(outcome in GOOD for outcome in self.outcomes.values())


class Table:
    """The differences that stay, as docs/real.md lists them."""

    def __init__(self, text: str) -> None:
        self._rows = [
            (suite, re.compile(".*".join(map(re.escape, test.split("*")))), reason)
            for suite, test, reason in _ROW.findall(text)
        ]

    def reason(self, suite: str, test: str) -> str:
        """Why this test differs, empty when nothing says so."""
        for name, pattern, reason in self._rows:
            if name == suite and pattern.fullmatch(test):
                return reason
        return ""


class Bench:
    """A server, and suites to run against it."""

    def __init__(self, server: Server, table: Table) -> None:
        self._server = server
        self._table = table

    def _empty(self) -> None:
        server = self._server
        server.drop(DATABASE)
        server.database(DATABASE, owner=USER)
        with psycopg.connect(server.dsn(database=DATABASE), autocommit=True) as connection:
            # What SQLAlchemy's README.unittests asks for.
            connection.execute(f"CREATE SCHEMA test_schema AUTHORIZATION {USER}")
            connection.execute(f"CREATE SCHEMA test_schema_2 AUTHORIZATION {USER}")
            connection.execute(
                f"ALTER DATABASE {DATABASE} SET default_text_search_config = 'pg_catalog.english'"
            )

    async def _run(self, suite: Suite, where: str, port: int, only: set[str] | None) -> Results:
        """Run the suite, or only some of its tests. Raises SystemExit when it does not get to its
        end."""
        self._empty()
        stem = f"{suite.name}-{where}" + ("-again" if only else "")
        outcomes, log = STATE / f"{stem}.jsonl", STATE / f"{stem}.log"
        outcomes.unlink(missing_ok=True)
        arguments, environment = suite.arguments(port, self._server.password(USER))
        environment |= {"OUTCOMES": str(outcomes), "PYTHONPATH": str(Path(__file__).parent)}
        if only:
            chosen = STATE / f"{stem}.txt"
            chosen.write_text("\n".join(sorted(only)), "utf-8")
            environment["ONLY"] = str(chosen)
        plugins = ("-p", "outcomes", "--timeout=120", f"--junitxml={STATE / f'{stem}.xml'}")
        started = time.monotonic()
        with log.open("wb") as out:
            process = await asyncio.create_subprocess_exec(
                *(PYTHON, "-m", "pytest", "-v", *plugins, *arguments),
                cwd=_place(suite),
                env={**os.environ, **environment},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )
            code = await process.wait()
        if code not in {0, 1} or not outcomes.exists():
            raise SystemExit(f"{suite.name} {where}: pytest ended with {code}, see {log}")
        results = Results(outcomes)
        print(
            f"{stem}: {len(results.outcomes):,} tests, {results.passed:,} passed"
            f" in {time.monotonic() - started:.0f} s",
            flush=True,
        )
        return results

    @contextlib.asynccontextmanager
    async def _guarded(self, wrong: list[str]) -> AsyncIterator[int]:
        """The gateway's port. When this is left, what the ledger lacks is in `wrong`."""
        log = self._server.log
        before = log.stat().st_size
        guard = Guard(STATE / "house", self._server.port or 0, CATALOGUE)
        async with guard.running():
            yield guard.port
        with log.open("rb") as lines:
            lines.seek(before)
            reached = len(_LOGGED.findall(lines.read()))
        values = [entry.value for entry in guard.entries()]
        events = [value for value in values if isinstance(value, Event)]
        losses = [value for value in values if isinstance(value, Loss)]
        blind = [v for v in values if isinstance(v, Act) and v.what == "route.unjudged"]
        print(
            f"  {reached:,} statements reached the server, {len(events):,} in the ledger,"
            f" {len(losses)} losses; {dict(Counter(e.verdict for e in events))}",
            flush=True,
        )
        wrong += [f"lost: {loss}" for loss in losses] + [f"not judged: {act}" for act in blind]
        if not 0 < reached <= len(events):
            wrong.append(f"{reached} statements reached the server, {len(events)} in the ledger")
        if not (report := verify(guard.folder / "ledger")).ok:
            wrong.append(f"the ledger does not verify: {report}")

    async def compare(self, suite: Suite) -> tuple[list[object], list[str]]:
        """One line of the table, and what is wrong."""
        wrong: list[str] = []
        port = self._server.port or 0
        direct = await self._run(suite, "direct", port, None)
        async with self._guarded(wrong) as gate:
            through = await self._run(suite, "through", gate, None)
        differ = _differ(direct, through)
        for _again in range(AGAIN):
            if not differ:
                break
            before = await self._run(suite, "direct", port, differ)
            async with self._guarded(wrong) as gate:
                after = await self._run(suite, "through", gate, differ)
            differ &= _differ(before, after)
            direct.outcomes |= before.outcomes
            through.outcomes |= after.outcomes
            through.why |= after.why
        for test in sorted(differ):
            reason = self._table.reason(suite.name, test)
            told = (
                f"{suite.name} {test}: {direct.outcomes.get(test, '-')} ->"
                f" {through.outcomes.get(test, '-')}: {through.why.get(test, '')[:300]}"
            )
            print(f"  {told}\n    {reason}", flush=True)
            if not reason:
                wrong.append(told)
        numbers = [len(direct.outcomes), direct.passed, through.passed, len(differ)]
        return [suite.name, _version(suite), *numbers], wrong


def _differ(one: Results, other: Results) -> set[str]:
    tests = one.outcomes.keys() | other.outcomes.keys()
    return {test for test in tests if one.outcomes.get(test) != other.outcomes.get(test)}


def _place(suite: Suite) -> Path:
    """Where to run the suite. asyncpg's tests lie beside its sources, which would be imported
    instead of the driver that is installed: they are taken out."""
    place = Path(suite.path or "").absolute()
    if suite.name != "asyncpg":
        return place
    apart = STATE / "asyncpg"
    shutil.rmtree(apart, ignore_errors=True)
    shutil.copytree(place / "tests", apart / "tests")
    (apart / "pytest.ini").write_text("[pytest]\n")
    return apart


def _version(suite: Suite) -> str:
    for info in PYTHON.parents[1].glob(f"lib/python*/site-packages/{suite.package}-*.dist-info"):
        return info.name.removesuffix(".dist-info").rpartition("-")[2]
    raise SystemExit(f"{suite.package} is not installed for {PYTHON}")


def main() -> None:
    chosen = sys.argv[1:] or [suite.name for suite in SUITES]
    if unknown := set(chosen) - {suite.name for suite in SUITES}:
        raise SystemExit(f"no such suite: {', '.join(sorted(unknown))}")
    STATE.mkdir(parents=True, exist_ok=True)
    rows: list[list[object]] = [
        ["suite", "version", "tests", "passed direct", "passed through", "differ"]
    ]
    wrong: list[str] = []
    table = Table(DIFFERENCES.read_text("utf-8"))
    with Server(STATE / "postgres", port=0, settings=SETTINGS) as server:
        server.role(USER, superuser=True)
        for suite in SUITES:
            if suite.name not in chosen:
                continue
            if suite.path is None:
                print(f"{suite.name}: not run, {suite.variable} does not name its tests")
                continue
            row, found = asyncio.run(Bench(server, table).compare(suite))
            rows.append(row)
            wrong += [f"{suite.name}: {line}" for line in found]
    for row in rows:
        print(" | ".join(f"{value:,}" if isinstance(value, int) else str(value) for value in row))
    for line in wrong:
        print("✗", line)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
