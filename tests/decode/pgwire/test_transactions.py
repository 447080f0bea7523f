"""Which statements are in one transaction, as the server tells it."""

from __future__ import annotations

from qingfang.decode.pgwire import Passive
from qingfang.statement import Statement
from tests.support.pgwire import client, server


def test_statements_of_one_transaction_share_its_number() -> None:
    session = Passive(midstream=True)
    found: list[tuple[str, int]] = []
    for sql, tag, status in (
        ("SELECT 1", "SELECT 1", "I"),
        ("BEGIN", "BEGIN", "T"),
        ("SELECT 2", "SELECT 1", "T"),
        ("COMMIT", "COMMIT", "I"),
        ("SELECT 3", "SELECT 1", "I"),
    ):
        session.client(client("Query", sql), 1)
        session.server(server("CommandComplete", tag) + server("ReadyForQuery", status), 2)
        found += [(e.sql, e.transaction) for e in session.take_events() if isinstance(e, Statement)]
    numbers = dict(found)
    assert numbers["BEGIN"] == numbers["SELECT 2"] == numbers["COMMIT"]
    assert len(set(numbers.values())) == 3


def test_so_do_the_executions_of_a_pipeline() -> None:
    session = Passive(midstream=True)
    execute = client("Bind", "", "", "") + client("Execute", "")
    session.client(client("Parse", "", "SELECT 1") + execute + client("Sync"), 1)
    session.server(
        server("ParseComplete")
        + server("BindComplete")
        + server("CommandComplete", "SELECT 1")
        + server("ReadyForQuery", "I"),
        2,
    )
    session.client(execute + execute + client("Sync"), 3)
    numbers = [e.transaction for e in session.take_events() if isinstance(e, Statement)]
    assert numbers[1] == numbers[2] != numbers[0]
