"""Listening from the middle of a connection, and over lost packets."""

from __future__ import annotations

import random

from qingfang.decode.pgwire import Passive
from qingfang.statement import Outcome, Statement
from tests.support.pgwire import client, server, told

ANSWER = (
    server("RowDescription", "a")
    + server("DataRow", "1")
    + server("CommandComplete", "SELECT 1")
    + server("ReadyForQuery", "I")
)


def test_joined_between_two_statements() -> None:
    session = Passive(midstream=True)
    session.client(client("Query", "SELECT 1"), 1)
    session.server(ANSWER, 2)
    assert [told(e) for e in session.take_events()] == [
        "Statement 1 query SELECT 1",
        "Outcome 1 complete rows=1",
    ]
    assert session.undecodable == 0


def test_joined_within_an_answer() -> None:
    session = Passive(midstream=True)
    session.server(ANSWER[7:], 1)
    session.client(client("Query", "SELECT 2"), 2)
    session.server(ANSWER, 3)
    assert [told(e) for e in session.take_events()] == [
        "Statement 1 query SELECT 2",
        "Outcome 1 complete rows=1",
    ]
    assert 0 < session.undecodable < len(ANSWER)


def test_joined_where_a_text_begins_that_ends_in_a_later_packet() -> None:
    session = Passive(midstream=True)
    message = client("Query", "SELECT " + "药" * 1000)
    session.client(message[:1460], 1)
    session.client(message[1460:], 2)
    [statement] = session.take_events()
    assert isinstance(statement, Statement)
    assert statement.sql == "SELECT " + "药" * 1000


def test_a_statement_prepared_before_we_joined_is_reported_as_unknown() -> None:
    session = Passive(midstream=True)
    session.client(client("Bind", "", "s1", "7") + client("Execute", "") + client("Sync"), 1)
    assert [told(e) for e in session.take_events()] == [
        "Statement 1 execute | binds=('7',) | name=s1 | doubt=unknown"
    ]


def test_lost_bytes_of_an_answer_do_not_shift_the_next_one() -> None:
    session = Passive(midstream=True)
    session.client(client("Query", "SELECT 1"), 1)
    session.server(ANSWER[:20], 2)
    session.gap(False, len(ANSWER) - 20, 3)
    session.client(client("Query", "SELECT 2"), 4)
    session.server(ANSWER, 5)
    assert [told(e) for e in session.take_events()] == [
        "Statement 1 query SELECT 1",
        "Outcome 1 lost rows=-1",
        "Statement 2 query SELECT 2",
        "Outcome 2 complete rows=1",
    ]
    assert session.lost == len(ANSWER) - 20


def test_bytes_lost_within_a_row_cost_nothing() -> None:
    session = Passive(midstream=True)
    session.client(client("Query", "SELECT 1"), 1)
    row = server("DataRow", "x" * 5000)
    session.server(server("RowDescription", "a") + row[:1000], 2)
    session.gap(False, 2000, 3)
    session.server(row[3000:] + server("CommandComplete", "SELECT 1"), 4)
    session.server(server("ReadyForQuery", "I"), 5)
    assert [told(e) for e in session.take_events()][1] == "Outcome 1 complete rows=1"
    assert (session.lost, session.undecodable) == (2000, 0)


def test_names_are_not_believed_after_lost_messages() -> None:
    session = Passive(midstream=True)
    session.client(client("Parse", "s1", "SELECT 1") + client("Sync"), 1)
    session.server(server("ParseComplete") + server("ReadyForQuery", "I"), 2)
    session.gap(True, 100, 3)
    session.client(client("Bind", "", "s1") + client("Execute", "") + client("Sync"), 4)
    assert "doubt=unknown" in told(session.take_events()[-1])


def test_every_statement_after_random_losses_is_found_again() -> None:
    rng = random.Random(7)
    for _round in range(200):
        session = Passive(midstream=True)
        for n in range(5):
            message = client("Query", f"SELECT {n} FROM 处方")
            if rng.random() < 0.4:
                at = rng.randrange(len(message))
                session.client(message[:at], n)
                session.gap(True, len(message) - at, n)
            else:
                session.client(message, n)
            session.server(ANSWER, n)
        session.client(client("Query", "SELECT 'last'"), 9)
        session.server(ANSWER, 9)
        statement, outcome = session.take_events()[-2:]
        assert isinstance(statement, Statement)
        assert isinstance(outcome, Outcome)
        assert (statement.sql, outcome.end, outcome.rows) == ("SELECT 'last'", "complete", 1)
