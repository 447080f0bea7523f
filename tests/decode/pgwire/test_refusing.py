"""Deny by substitution, without a server: the test plays it."""

from __future__ import annotations

import pytest

from qingfang.decode.pgwire import Inline
from qingfang.decode.pgwire.frames import frame
from tests.support.pgwire import START_UP, client, read, server, told


def signed_in(encoding: str = "UTF8", max_sql: int = 1000) -> Inline:
    session = Inline(max_sql=max_sql)
    for side, data in read(START_UP.replace("client_encoding UTF8", f"client_encoding {encoding}"))[
        0
    ]:
        (session.client if side == ">" else session.server)(data, 0)
    session.take_to_server()
    session.take_to_client()
    session.take_events()
    return session


def token_of(sent: bytes) -> str:
    return sent[5:].split(b"\0")[0].decode()


def syntax_error(token: str) -> bytes:
    return server("ErrorResponse", "42601", f'syntax error at or near "{token}"')


READY = server("ReadyForQuery", "I")


def test_the_text_never_reaches_the_server_and_the_client_reads_why() -> None:
    session = signed_in()
    session.client(client("Query", "SELECT 医生, sum(量) FROM 处方 GROUP BY 1"), 1)
    assert session.asked is not None
    session.deny("不许统方", "编号 7")
    [sent] = session.take_to_server()
    assert sent[:1] == b"Q"
    assert "处方".encode() not in sent
    session.server(syntax_error(token_of(sent)) + READY, 2)
    answer = b"".join(session.take_to_client())
    assert answer.endswith(READY)
    assert b"\0C42501\0" in answer
    assert "M不许统方\0H编号 7".encode() in answer
    assert token_of(sent).encode() not in answer
    assert [told(e) for e in session.take_events()] == ["Outcome 1 denied rows=0 42501 None"]


@pytest.mark.parametrize("kind", ["simple", "extended"])
def test_the_error_is_rewritten_wherever_it_is_cut(kind: str) -> None:
    for step in range(1, 90):
        session = signed_in()
        if kind == "simple":
            session.client(client("Query", "SELECT 1"), 1)
        else:
            session.client(
                client("Parse", "", "SELECT 1")
                + client("Bind", "", "")
                + client("Execute", "")
                + client("Sync"),
                1,
            )
        session.deny("不许")
        pieces = session.take_to_server()
        token = next(token_of(p) for p in pieces if b"qingfang_" in p)
        before = b"" if kind == "simple" else server("ParseComplete") + server("BindComplete")
        error = syntax_error(token)
        if kind == "extended":
            error = server("ErrorResponse", "34000", f'portal "{token}" does not exist')
        stream = before + error + READY
        got = b""
        for pos in range(0, len(stream), step):
            session.server(stream[pos : pos + step], 2)
            got += b"".join(session.take_to_client())
        assert got.startswith(before)
        assert got.endswith(READY)
        assert b"42501" in got
        assert token.encode() not in got
        assert [told(e) for e in session.take_events()][-1].startswith("Outcome 1 denied")
        assert session.idle


def test_other_errors_stay_as_they_are_while_a_refusal_is_awaited() -> None:
    session = signed_in()
    session.client(client("Query", "SELECT 1"), 1)
    session.deny("不许")
    fatal = server("ErrorResponse", "57P01", "terminating connection")
    session.server(fatal, 2)
    assert session.take_to_client() == [fatal]
    session.close(3)
    assert [told(e) for e in session.take_events()] == [
        "Outcome 1 lost rows=-1 57P01 terminating connection"
    ]


def test_allowed_and_denied_in_one_chunk_keep_their_order() -> None:
    session = signed_in()
    one, two, three = (client("Query", f"SELECT {n}") for n in (1, 2, 3))
    session.client(one + two + three, 1)
    while session.asked is not None:
        if session.asked.sql == "SELECT 2":
            session.deny("不许")
        else:
            session.allow()
    pieces = session.take_to_server()
    assert pieces[0] == one
    assert b"qingfang_" in pieces[1]
    assert pieces[2] == three


def test_a_chunk_that_passes_is_the_same_object() -> None:
    session = signed_in()
    chunk = client("Parse", "", "SELECT 1") + client("Bind", "", "") + client("Sync")
    session.client(chunk, 1)
    assert session.take_to_server()[0] is chunk
    rows = server("ParseComplete") + server("BindComplete") + READY
    session.server(rows, 2)
    assert session.take_to_client()[0] is rows


@pytest.mark.parametrize("step", [1, 50, 100_000])
def test_a_text_too_long_is_judged_by_its_head_and_swallowed_when_denied(step: int) -> None:
    session = signed_in(max_sql=100)
    stream = client("Query", "SELECT 医生 " + "x" * 500) + client("Query", "SELECT 2")
    asked = []
    sent = b""
    for pos in range(0, len(stream), step):
        session.client(stream[pos : pos + step], 1)
        while session.asked is not None:
            asked.append(session.asked)
            if session.asked.doubt == "cut":
                session.deny("不许")
            else:
                session.allow()
        sent += b"".join(session.take_to_server())
    assert [(s.doubt, len(s.sql.encode())) for s in asked] == [("cut", 100), ("", 8)]
    assert b"xxx" not in sent
    assert sent.endswith(client("Query", "SELECT 2"))


def test_what_precedes_the_asked_statement_is_not_kept_waiting() -> None:
    session = signed_in()
    before = client("Parse", "s", "SELECT 1") + client("Flush")
    session.client(before + client("Query", "SELECT 2"), 1)
    assert session.asked is not None
    assert session.take_to_server() == [before]
    session.client(client("Query", "SELECT 3"), 2)
    assert session.waiting
    assert session.take_to_server() == []
    session.allow()
    session.allow()
    assert b"".join(session.take_to_server()) == client("Query", "SELECT 2") + client(
        "Query", "SELECT 3"
    )


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [("GBK", "不许".encode("gbk")), ("LATIN1", b"statement denied by policy")],
)
def test_the_refusal_is_in_the_clients_encoding(encoding: str, expected: bytes) -> None:
    session = signed_in(encoding)
    session.client(client("Query", "SELECT 1"), 1)
    session.deny("不许")
    session.server(syntax_error(token_of(session.take_to_server()[0])) + READY, 2)
    assert b"M" + expected + b"\0" in b"".join(session.take_to_client())


def test_a_function_called_by_number_is_refused_without_asking() -> None:
    session = signed_in()
    session.client(client("FunctionCall", "952"), 1)
    assert session.asked is None
    [sent] = session.take_to_server()
    assert sent[:1] == b"Q"
    session.server(syntax_error(token_of(sent)) + READY, 2)
    assert b"FunctionCall" in b"".join(session.take_to_client())
    assert [told(e) for e in session.take_events()] == [
        "Statement 1 call | name=952 | doubt=unknown",
        "Outcome 1 denied rows=0 42501 None",
    ]


def test_thousands_of_function_calls_in_one_chunk_do_not_exhaust_the_stack() -> None:
    session = signed_in()
    session.client(client("FunctionCall", "952") * 5000, 1)
    assert len(session.take_to_server()) == 5000


def test_statements_after_a_change_of_encoding_wait_for_it() -> None:
    session = signed_in()
    hostile = "SELECT '\u8a95'; --".encode("gbk")
    session.client(client("Query", "SET client_encoding = 'GBK'"), 1)
    session.allow()
    session.client(frame(0x51, hostile + b"\0"), 2)
    assert session.asked is None, "nobody knows yet how to read it"
    assert session.waiting
    changed = server("CommandComplete", "SET") + server("ParameterStatus", "client_encoding", "GBK")
    session.server(changed + READY, 3)
    assert session.asked is not None
    assert session.asked.sql == "SELECT '\u8a95'; --"
    assert session.asked.doubt == ""


def test_a_name_parsed_in_an_earlier_batch_waits_until_the_server_has_taken_it() -> None:
    session = signed_in()
    session.client(client("Parse", "s", "SELECT 1") + client("Sync"), 1)
    session.client(client("Bind", "", "s") + client("Execute", "") + client("Sync"), 2)
    assert session.asked is None
    assert session.waiting
    session.server(server("ErrorResponse", "42P05", 'statement "s" exists') + READY, 3)
    assert session.asked is not None
    assert (session.asked.sql, session.asked.doubt) == ("", "unknown")
