"""One signed-in program of the HIS on one terminal: a real driver behind a small common face.

Rules this module keeps:

1. Three ways to speak, as HIS programs do: `asyncpg` (prepared statements, binary binds), `psycopg`
   (extended protocol, text binds) and `literal` (the values written into the text, simple protocol,
   as PowerBuilder and Delphi programs do).
2. All programs share one database account. Who works is said in-band: a row in the sign-in log.
3. SQL is written with `$1` places and travels unchanged; only `literal` fills them in.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import decimal
import re
from collections.abc import AsyncIterator, Sequence
from typing import Any, Literal, TypeAlias

import asyncpg
import psycopg
from msgspec import Struct

from qingfang.demo.line import Line, line
from qingfang.demo.people import Terminal

Driver = Literal["asyncpg", "psycopg", "literal"]
Row: TypeAlias = Sequence[Any]
Failure = (asyncpg.PostgresError, asyncpg.InterfaceError, psycopg.Error, OSError)


class Target(Struct, frozen=True):
    """Where the programs connect, and as whom."""

    host: str
    port: int
    database: str
    user: str
    password: str


class Pace:
    """Lets `rate` statements a second through, all clients together; 0 lets all through."""

    def __init__(self, rate: float) -> None:
        self._gap = 1 / rate if rate else 0.0
        self._next = 0.0
        self.statements = 0

    def hurry(self) -> None:
        """Let everything through from now on."""
        self._gap = 0.0

    async def take(self, count: int = 1) -> None:
        self.statements += count
        if not self._gap:
            return
        now = asyncio.get_running_loop().time()
        self._next = max(self._next, now - 1) + self._gap * count
        if self._next > now:
            await asyncio.sleep(self._next - now)


def literal(value: object) -> str:
    """`value` as a PostgreSQL literal."""
    match value:
        case None:
            return "NULL"
        case bool():
            return str(value).lower()
        case int() | float() | decimal.Decimal():
            return str(value)
        case datetime.datetime():
            return f"'{value:%Y-%m-%d %H:%M:%S}'"
        case _:
            return "'" + str(value).replace("'", "''") + "'"


def filled(sql: str, values: Sequence[object]) -> str:
    """The text with its `$n` places filled by literals."""
    return re.sub(r"\$(\d+)", lambda place: literal(values[int(place[1]) - 1]), sql)


class Client:
    """A connected program. `client` is its address as the database's side sees it."""

    def __init__(self, driver: Driver, terminal: Terminal, program: str, pace: Pace) -> None:
        self.driver, self.terminal, self.program = driver, terminal, program
        self._pace = pace
        self._asyncpg: asyncpg.Connection | None = None
        self._psycopg: psycopg.AsyncConnection | None = None
        self._line: Line | None = None

    @property
    def client(self) -> str:
        assert self._line is not None
        return self._line.client

    async def _open(self, at: Line, target: Target) -> None:
        self._line = at
        if self.driver == "asyncpg":
            self._asyncpg = await asyncpg.connect(
                host="127.0.0.1",
                port=at.port,
                user=target.user,
                password=target.password,
                database=target.database,
                ssl=False,
                server_settings={"application_name": self.program},
            )
        else:
            self._psycopg = await psycopg.AsyncConnection.connect(
                host="127.0.0.1",
                port=at.port,
                user=target.user,
                password=target.password,
                dbname=target.database,
                application_name=self.program,
                autocommit=True,
                connect_timeout=20,
            )

    async def _close(self) -> None:
        if self._asyncpg is not None:
            with contextlib.suppress(*Failure, TimeoutError):
                await self._asyncpg.close(timeout=5)
        if self._psycopg is not None:
            await self._psycopg.close()

    async def rows(self, sql: str, *values: Any) -> Sequence[Row]:
        """Run one statement; its rows, none for a statement that returns nothing."""
        await self._pace.take()
        if self._asyncpg is not None:
            return await self._asyncpg.fetch(sql, *values)
        assert self._psycopg is not None
        if self.driver == "literal":
            cursor = self._psycopg.cursor()
            await cursor.execute(filled(sql, values).encode())
        else:
            cursor = psycopg.AsyncRawCursor(self._psycopg)
            await cursor.execute(sql.encode(), values or None)
        return await cursor.fetchall() if cursor.description else ()

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        if self._asyncpg is not None:
            async with self._asyncpg.transaction():
                yield
        else:
            assert self._psycopg is not None
            async with self._psycopg.transaction():
                yield

    @contextlib.asynccontextmanager
    async def pipeline(self) -> AsyncIterator[None]:
        """Statements inside go out without waiting for answers, where the driver can do that."""
        if self._psycopg is not None and self.driver == "psycopg":
            async with self._psycopg.pipeline():
                yield
        else:
            yield

    async def many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run one statement for each of `rows`, in one go where the driver can do that."""
        if self._asyncpg is not None:
            await self._pace.take(len(rows))
            await self._asyncpg.executemany(sql, rows)
            return
        for values in rows:
            await self.rows(sql, *values)

    async def through(self, sql: str, size: int) -> int:
        """Read a query through a cursor, `size` rows at a time; the number of rows."""
        count = 0
        if self._asyncpg is not None:
            await self._pace.take()
            async with self._asyncpg.transaction():
                async for _row in self._asyncpg.cursor(sql, prefetch=size):
                    count += 1
            return count
        async with self.transaction():
            await self.rows(f"DECLARE cur1 CURSOR FOR {sql}")
            while got := await self.rows(f"FETCH {size} FROM cur1"):
                count += len(got)
            await self.rows("CLOSE cur1")
        return count

    async def copy_out(self, sql: str) -> int:
        """Run `COPY … TO STDOUT`; the number of bytes."""
        await self._pace.take()
        if self._psycopg is None:
            raise TypeError("COPY statements as text are psycopg's")
        size = 0
        async with self._psycopg.cursor().copy(sql.encode()) as copy:
            async for block in copy:
                size += len(block)
        return size

    async def copy_in(
        self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]
    ) -> None:
        """COPY rows into `his.table`."""
        await self._pace.take()
        if self._asyncpg is not None:
            await self._asyncpg.copy_records_to_table(
                table, schema_name="his", columns=list(columns), records=rows
            )
            return
        assert self._psycopg is not None
        text = f"COPY his.{table} ({', '.join(columns)}) FROM STDIN"
        async with self._psycopg.cursor().copy(text.encode()) as copy:
            for row in rows:
                await copy.write_row(row)

    async def sign_in(self, operator: str) -> None:
        """What every program of the HIS does first."""
        await self.rows(
            "INSERT INTO his.sys_login_log (ygdm, program, zdmc, czlx) VALUES ($1, $2, $3, 'I')",
            operator,
            self.program,
            self.terminal.id,
        )
        await self.rows(
            "SELECT g.ygxm, g.ksdm, u.jsdm FROM his.sys_user u JOIN his.gy_ygdm g ON g.ygdm = u.ygdm"
            " WHERE u.ygdm = $1",
            operator,
        )
        await self.rows("SELECT pname, pval FROM his.sys_param")

    async def sign_out(self, operator: str) -> None:
        await self.rows(
            "INSERT INTO his.sys_login_log (ygdm, program, zdmc, czlx) VALUES ($1, $2, $3, 'O')",
            operator,
            self.program,
            self.terminal.id,
        )


@contextlib.asynccontextmanager
async def connected(
    driver: Driver, terminal: Terminal, program: str, target: Target, pace: Pace
) -> AsyncIterator[Client]:
    """A program on `terminal`, connected to `target` from the terminal's address."""
    async with line(terminal.address, (target.host, target.port)) as at:
        client = Client(driver, terminal, program, pace)
        await client._open(at, target)
        try:
            yield client
        finally:
            await client._close()
