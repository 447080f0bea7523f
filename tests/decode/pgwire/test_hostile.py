"""Clients and servers that break the protocol, on purpose."""

from __future__ import annotations

import pytest

from qingfang.decode.pgwire import ClientBroke, Inline, Passive, ServerBroke
from tests.decode.pgwire.test_refusing import signed_in
from tests.support.pgwire import client, server


@pytest.mark.parametrize("kind", b"QPBEDCSHXdcfFp")
@pytest.mark.parametrize("length", [0, 3, 0x40000000, 0xFFFFFFFF])
def test_lengths_the_server_would_refuse(kind: int, length: int) -> None:
    session = signed_in()
    with pytest.raises(ClientBroke) as caught:
        session.client(bytes([kind]) + length.to_bytes(4, "big"), 1)
    assert b"C08P01\0" in caught.value.response


@pytest.mark.parametrize("kind", b"EDCSHXcf")
def test_small_messages_are_small(kind: int) -> None:
    with pytest.raises(ClientBroke, match="invalid message length"):
        signed_in().client(bytes([kind]) + (10_001).to_bytes(4, "big"), 1)


def test_unknown_messages() -> None:
    with pytest.raises(ClientBroke, match="invalid frontend message type 33"):
        signed_in().client(b"!\0\0\0\4", 1)
    with pytest.raises(ServerBroke, match="invalid backend message type 33"):
        signed_in().server(b"!\0\0\0\4", 1)


@pytest.mark.parametrize("length", [0, 3, 0x40000000])
def test_a_server_with_hostile_lengths(length: int) -> None:
    with pytest.raises(ServerBroke):
        signed_in().server(b"D" + length.to_bytes(4, "big"), 1)


def test_a_promised_gigabyte_is_not_kept() -> None:
    session = signed_in()
    session.client(b"B" + (0x3FFFFFFF).to_bytes(4, "big") + b"\0\0", 1)
    piece = b"x" * 65_536
    for turn in range(64):
        session.client(piece, turn)
        assert sum(map(len, session.take_to_server())) >= len(piece)
    assert len(session._front._head or b"") <= 1 << 20


def test_waiting_password_bytes_are_bounded() -> None:
    session = Inline()
    session.client(client("StartupMessage", "user=a"), 0)
    with pytest.raises(ClientBroke):
        session.client(b"p" + (65_536).to_bytes(4, "big"), 1)


def test_statements_before_sign_in_wait() -> None:
    session = Inline()
    session.client(client("StartupMessage", "user=a") + client("Query", "SELECT 1"), 0)
    assert session.asked is None
    assert session.waiting
    session.server(server("AuthenticationOk") + server("ReadyForQuery", "I"), 1)
    assert session.asked is not None
    assert session.asked.sql == "SELECT 1"


def test_stuffed_bytes_behind_an_encryption_request() -> None:
    session = Inline()
    session.client(client("SSLRequest") + client("StartupMessage", "user=a"), 0)
    assert session.request == "tls"
    with pytest.raises(ClientBroke, match="unencrypted data"):
        session.tls_answer(True)


def test_encryption_refused_then_clear() -> None:
    session = Inline()
    session.client(client("GSSENCRequest"), 0)
    assert session.take_to_client() == [b"N"]
    session.client(client("SSLRequest"), 0)
    session.tls_answer(False)
    assert session.take_to_client() == [b"N"]
    session.client(client("StartupMessage", "user=a"), 0)
    assert session.started


def test_encryption_twice() -> None:
    session = Inline()
    session.client(client("SSLRequest"), 0)
    session.tls_answer(True)
    with pytest.raises(ClientBroke, match="unsupported frontend protocol"):
        session.client(client("SSLRequest"), 0)


def test_a_cancel_request_is_handed_out_whole() -> None:
    session = Inline()
    packet = client("CancelRequest", "4711", "99")
    session.client(packet[:5], 0)
    assert session.request == ""
    session.client(packet[5:], 0)
    assert (session.request, session.cancel_packet) == ("cancel", packet)


def test_listening_survives_nonsense_and_counts_it() -> None:
    session = Passive()
    session.client(b"GET / HTTP/1.1\r\n\r\n", 0)
    assert session.undecodable == 18
    session.client(client("Query", "SELECT 1"), 1)
    [statement] = session.take_events()
    assert getattr(statement, "sql", "") == "SELECT 1"
