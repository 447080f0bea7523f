"""One statement as an `Event`: what the decoder saw, what judging said, what the client got; and
blindness as one."""

from __future__ import annotations

from msgspec.structs import replace

from qingfang.engine.judging import Told
from qingfang.events import Answered, Connection, Event, Source
from qingfang.record.codec import moment as iso  # briefs and events tell time alike
from qingfang.statement import Outcome, Statement


def event_of(
    connection: Connection,
    statement: Statement,
    told: Told,
    fingerprint: str,
    outcome: Outcome | None = None,
    answered: Answered = "forwarded",
) -> Event:
    """The event of docs/contracts/cli.md; without `outcome` the statement is still under way."""
    event = Event(
        connection=connection.id,
        at=iso(statement.at_us),
        source=connection.source,
        protocol=connection.protocol,
        server=connection.server,
        database=connection.database,
        account=connection.account,
        client=connection.client,
        sql=statement.sql,
        kind=statement.kind,
        verdict=told.verdict.decision,
        site=connection.site,
        node=connection.node,
        program=connection.program,
        os_user=connection.os_user,
        host=connection.host,
        operator=told.who.operator,
        terminal=told.who.terminal,
        place=told.who.place,
        binds=statement.binds,
        fingerprint=fingerprint,
        meaning=told.meaning,
        reasons=told.verdict.reasons,
        codes=told.verdict.codes,
        severity=told.verdict.severity,
        would=told.verdict.would,
        grant=told.verdict.grant,
        answered_as=answered,
    )
    if outcome is None:
        return event
    return replace(
        event,
        took_ms=took_ms(statement, outcome),
        rows=outcome.rows if outcome.rows >= 0 else None,
        bytes=outcome.bytes if outcome.bytes >= 0 else None,
        error=error_of(outcome),
    )


def blindness(
    source: Source,
    node: str,
    database: str,
    at_us: int,
    code: str,
    text: str,
    connection: Connection | None = None,
) -> Event:
    """An alert that something is not seen, or not judged; there is no statement in it. `code` is a
    stable reason code, `text` says it in Chinese."""
    return Event(
        connection=connection.id if connection is not None else "",
        at=iso(at_us),
        source=source,
        protocol=connection.protocol if connection is not None else "",
        server=connection.server if connection is not None else "",
        database=database,
        account="",
        client=connection.client if connection is not None else "",
        sql="",
        kind="coverage",
        verdict="alert",
        node=node,
        reasons=(text,),
        codes=(code,),
        severity=2,
    )


def took_ms(statement: Statement, outcome: Outcome) -> float | None:
    """None when the end was not seen."""
    if outcome.end == "lost":
        return None
    return max(0, outcome.at_us - statement.at_us) / 1000


def error_of(outcome: Outcome) -> str | None:
    """SQLSTATE and the server's own words."""
    return readable(f"{outcome.sqlstate} {outcome.error or ''}".strip()) or None


def readable(text: str) -> str:
    """Text that can be written down: bytes that were no text in the client's encoding show as
    `\\xe9`. Everything else stays as it is."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        raw = text.encode("utf-8", "surrogateescape")
        return raw.decode("utf-8", "backslashreplace")
    return text


def written(statement: Statement) -> Statement:
    """The statement with all its texts readable."""
    sql = readable(statement.sql)
    binds = statement.binds
    if binds is not None:
        binds = tuple([None if b is None else readable(b) for b in binds])
    if sql is statement.sql and binds == statement.binds:
        return statement
    return statement.with_texts(sql, binds)
