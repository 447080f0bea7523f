"""Encrypted connections are recognised by what OpenSSL really sends."""

from __future__ import annotations

import datetime
import random
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from qingfang.sense.tap.encryption import (
    CLEAR,
    ENCRYPTED,
    GSS_REQUEST,
    MAX_HELLO,
    SSL_REQUEST,
    UNDECIDED,
    Blind,
    Sniffer,
)

STARTUP = b"\0\0\0\x10\0\3\0\0user\0a\0\0"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "db.example")])
    start = datetime.datetime(2026, 1, 1)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=36500))
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return file


def hellos(certificate: Path, version: ssl.TLSVersion) -> list[tuple[bool, bytes]]:
    """The first flight of each side of a real handshake."""
    client, server = (
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER),
    )
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    server.load_cert_chain(certificate)
    client.maximum_version = server.maximum_version = version
    for context in (client, server):
        context.set_alpn_protocols(["postgresql"])
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    one = client.wrap_bio(to_client, to_server, server_hostname="db.example")
    two = server.wrap_bio(to_server, to_client, server_side=True)
    with pytest.raises(ssl.SSLWantReadError):
        one.do_handshake()
    hello = to_server.read()
    to_server.write(hello)
    with pytest.raises(ssl.SSLWantReadError):
        two.do_handshake()
    return [(True, hello), (False, to_client.read())]


def feed(sniffer: Sniffer, chunks: list[tuple[bool, bytes]]) -> list[int]:
    return [sniffer.feed(side, data) for side, data in chunks]


@pytest.mark.parametrize("size", [1, 3, 10_000])
@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.parametrize(
    ("version", "name"),
    [(ssl.TLSVersion.TLSv1_3, "TLS 1.3"), (ssl.TLSVersion.TLSv1_2, "TLS 1.2")],
)
def test_tls_after_a_request_and_at_once(
    certificate: Path, version: ssl.TLSVersion, name: str, asked: bool, size: int
) -> None:
    chunks = [(True, SSL_REQUEST), (False, b"S")] if asked else []
    chunks += hellos(certificate, version)
    pieces = [
        (side, data[n : n + size]) for side, data in chunks for n in range(0, len(data), size)
    ]
    sniffer = Sniffer(midstream=False)
    states = []
    for piece in pieces:
        states.append(sniffer.feed(*piece))
        if states[-1] != UNDECIDED:
            break
    assert states[-1] == ENCRYPTED
    assert sniffer.blind == Blind("tls", name, "db.example", "postgresql")


@pytest.mark.parametrize("size", [1, 8, 100])
@pytest.mark.parametrize(
    "client",
    [STARTUP, SSL_REQUEST + STARTUP, GSS_REQUEST + STARTUP, GSS_REQUEST + SSL_REQUEST + STARTUP],
)
def test_refused_encryption_is_clear(client: bytes, size: int) -> None:
    sniffer = Sniffer(midstream=False)
    state = UNDECIDED
    rest = client
    while rest.startswith((SSL_REQUEST, GSS_REQUEST)):
        for n in range(0, 8, size):
            state = sniffer.feed(True, rest[n : min(8, n + size)])
            assert state == UNDECIDED
        rest = rest[8:]
        assert sniffer.feed(False, b"N") == UNDECIDED
    for n in range(0, len(rest), size):
        state = sniffer.feed(True, rest[n : n + size])
        if state != UNDECIDED:
            break
    assert state == CLEAR


def test_gss_encryption_is_blind() -> None:
    sniffer = Sniffer(midstream=False)
    assert feed(sniffer, [(True, GSS_REQUEST), (False, b"G")]) == [UNDECIDED, ENCRYPTED]
    assert sniffer.blind == Blind("gss")


def test_an_error_instead_of_an_answer_is_clear() -> None:
    sniffer = Sniffer(midstream=False)
    assert feed(sniffer, [(True, SSL_REQUEST), (False, b"E\0\0\0\x05\0")]) == [UNDECIDED, CLEAR]


def test_clear_at_once() -> None:
    for side, data in [(True, b"Q\0\0\0\x0dselect 1\0"), (False, b"J\0\0\0\x0a5.7.44\0")]:
        assert Sniffer(midstream=False).feed(side, data) == CLEAR
        assert Sniffer(midstream=True).feed(side, data) == CLEAR


def test_joined_midway_in_an_encrypted_connection() -> None:
    sniffer = Sniffer(midstream=True)
    assert sniffer.feed(False, b"\x17\x03\x03\x00\x40" + b"\xa5" * 64) == ENCRYPTED
    assert sniffer.blind == Blind("tls")


def test_a_head_that_breaks_off(certificate: Path) -> None:
    sniffer = Sniffer(midstream=False)
    (_side, hello), _answer = hellos(certificate, ssl.TLSVersion.TLSv1_3)
    assert sniffer.feed(True, hello[:200]) == UNDECIDED
    assert sniffer.give_up() == ENCRYPTED
    assert Sniffer(midstream=False).give_up() == CLEAR


def test_seeded_noise_never_raises_and_is_bounded(certificate: Path) -> None:
    rng = random.Random(5)
    flights = hellos(certificate, ssl.TLSVersion.TLSv1_2)
    for _n in range(20_000):
        sniffer = Sniffer(midstream=rng.random() < 0.3)
        if rng.random() < 0.5:
            feed(sniffer, [(True, SSL_REQUEST), (False, rng.choice((b"S", b"N", b"E", b"SS")))])
        for side, flight in flights:
            data = bytearray(flight[: rng.choice((6, 60, len(flight)))])
            for _change in range(rng.randint(0, 6)):
                data[rng.randrange(len(data))] = rng.getrandbits(8)
            if sniffer.feed(side, bytes(data)) != UNDECIDED:
                break
    sniffer = Sniffer(midstream=False)
    endless = b"\x16\x03\x01\xff\xff\x01\xff\xff\xff" + b"\0" * 1000
    total = 0
    while sniffer.feed(True, endless) == UNDECIDED:
        total += len(endless)
    assert total <= MAX_HELLO
