"""The gateway between real clients and a real PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import datetime
import os
import shutil
import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from qingfang.decode.pgwire import SSL_REQUEST_PACKET, Inline
from qingfang.events import Verdict
from qingfang.postgres import Server, free_port
from qingfang.statement import Statement
from tests.support.gateway import PASS, Running, running

DENY = Verdict("deny", ("按医生汇总药品用量",))


def deny_secret(statement: Statement) -> Verdict:
    return DENY if "secret" in statement.sql else PASS


@pytest.fixture
def backend(postgres: Server) -> str:
    return f"127.0.0.1:{postgres.port}"


def connect(gate: Running, postgres: Server, **more: Any) -> psycopg.Connection[Any]:
    more = {"sslmode": "disable", "autocommit": True, "password": postgres.password(), **more}
    return psycopg.connect(
        host="127.0.0.1",
        port=gate.port,
        user="postgres",
        dbname="postgres",
        **more,
    )


# ------------------------------------------------------------------ passing


def test_psycopg_sees_no_difference_and_every_statement_is_told(
    postgres: Server, backend: str
) -> None:
    with running(backend) as gate, connect(gate, postgres, application_name="门诊") as client:
        rows = client.execute(
            "SELECT n, %s::text, pg_backend_pid(), inet_client_port() FROM generate_series(1, 3) n",
            ["阿莫西林"],
        ).fetchall()
        assert [r[:2] for r in rows] == [(1, "阿莫西林"), (2, "阿莫西林"), (3, "阿莫西林")]
        statement, verdict, outcome = gate.notes.of("SELECT n,")
        assert (statement.kind, statement.binds, verdict) == ("execute", ("阿莫西林",), PASS)
        assert (outcome.end, outcome.rows) == ("complete", 3)
        [(name, connection)] = gate.notes.connections.items()
        assert (connection.account, connection.database) == ("postgres", "postgres")
        assert connection.program == "门诊"
        leg = gate.notes.legs[name]
        assert leg.pid == rows[0][2]
        assert leg.local == f"127.0.0.1:{rows[0][3]}"
        assert connection.client == f"127.0.0.1:{client_port(client)}"


def client_port(client: psycopg.Connection[Any]) -> int:
    with socket.socket(fileno=os.dup(client.fileno())) as twin:
        return twin.getsockname()[1]


def test_asyncpg_binary_values_are_read(postgres: Server, backend: str) -> None:
    async def work(port: int) -> list[asyncpg.Record]:
        client = await asyncpg.connect(
            host="127.0.0.1",
            port=port,
            user="postgres",
            password=postgres.password(),
            database="postgres",
            ssl=False,
        )
        try:
            return await client.fetch(
                "SELECT $1::int8 a, $2::date b, $3::int4[] c, $4::numeric d, $5::bool e, $6::text f",
                7,
                datetime.date(2026, 11, 3),
                [1, 2, 3],
                __import__("decimal").Decimal("-12.50"),
                True,
                None,
            )
        finally:
            await client.close()

    with running(backend) as gate:
        [row] = asyncio.run(work(gate.port))
        assert row["c"] == [1, 2, 3]
        statement, _verdict, outcome = gate.notes.of("SELECT $1::int8")
        assert statement.binds == ("7", "2026-11-03", "{1,2,3}", "-12.50", "t", None)
        assert statement.guessed == ()
        assert outcome.rows == 1


def test_copy_both_ways(postgres: Server, backend: str, database: str) -> None:
    text = "".join(f"{n}\t药品{n}\n" for n in range(20_000))
    with running(backend) as gate, connect(gate, postgres) as client, client.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE t (n int, name text)")
        with cursor.copy("COPY t FROM STDIN") as copy:
            copy.write(text)
        with cursor.copy("COPY (SELECT * FROM t ORDER BY n) TO STDOUT") as copy:
            assert b"".join(bytes(piece) for piece in copy) == text.encode()
        _statement, _verdict, outcome = gate.notes.of("COPY (SELECT")
        assert (outcome.rows, outcome.end) == (20_000, "complete")
        assert outcome.bytes == len(text.encode()) + 5 * 20_000


def test_a_large_result_is_counted_exactly(postgres: Server, backend: str) -> None:
    with running(backend) as gate, connect(gate, postgres) as client, client.cursor() as cursor:
        cursor.execute("SELECT n, repeat('x', 50) FROM generate_series(1, 100000) n")
        assert sum(1 for _row in cursor) == 100_000
        assert gate.notes.of("SELECT n, repeat")[2].rows == 100_000


def test_a_large_value_streams_and_a_large_text_is_cut(postgres: Server, backend: str) -> None:
    value = "药" * 4_000_000
    with (
        running(backend, factory=lambda: Inline(max_sql=100_000)) as gate,
        connect(gate, postgres) as client,
    ):
        assert client.execute("SELECT length(%s)", [value]).fetchone() == (4_000_000,)
        statement = gate.notes.of("SELECT length")[0]
        assert statement.cut_binds
        assert statement.doubt == ""
        long = "SELECT 2 /*" + "x" * 200_000 + "*/"
        assert psycopg.ClientCursor(client).execute(long).fetchone() == (2,)
        statement = gate.notes.of("SELECT 2")[0]
        assert (statement.sql, statement.doubt) == (long[:100_000], "cut")


def test_pipelining_keeps_its_order(postgres: Server, backend: str) -> None:
    with running(backend) as gate, connect(gate, postgres) as client:
        with client.pipeline():
            cursors = [client.execute("SELECT %s::int", [n]) for n in range(300)]
            assert [c.fetchone() for c in cursors] == [(n,) for n in range(300)]
        found = [d for d in gate.notes.done if d[0].sql.startswith("SELECT $1")]
        assert [d[0].binds for d in found] == [(str(n),) for n in range(300)]
        assert {d[2].end for d in found} == {"complete"}
        assert {d[0].doubt for d in found} == {""}


@pytest.mark.skipif(not shutil.which("psql"), reason="Debian's postgresql-client is not installed")
def test_psql(postgres: Server, backend: str) -> None:
    with running(backend) as gate:
        done = subprocess.run(
            ["psql", "-XAt", f"host=127.0.0.1 port={gate.port} user=postgres sslmode=prefer"],
            input="SELECT 1; SELECT 2;\n\\d pg_class\n\\copy (SELECT 3) to stdout\nSELECT 1/0;\n",
            env={**os.environ, "PGPASSWORD": postgres.password()},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.startswith("1\n2\n")
        assert "22012" in {d[2].sqlstate for d in gate.notes.done}


# ------------------------------------------------------------------ refusing


def refused(work: Any) -> psycopg.Error:
    with pytest.raises(psycopg.errors.InsufficientPrivilege) as caught:
        work()
    assert "防统方系统拒绝" in str(caught.value)
    return caught.value


def test_deny_in_every_protocol_leaves_the_connection_usable(
    postgres: Server, backend: str
) -> None:
    with running(backend, deny_secret) as gate, connect(gate, postgres) as client:
        simple = psycopg.ClientCursor(client)
        refused(lambda: simple.execute("SELECT 'secret'"))
        refused(lambda: simple.execute("SELECT 1; SELECT 'secret'"))
        refused(lambda: client.execute("SELECT 'secret', %s", [1]))
        refused(lambda: client.execute("SELECT 'secret', %s", [1], prepare=True))
        refused(lambda: client.execute("SELECT 'secret', %s", [1], prepare=True))
        with client.cursor() as cursor:
            refused(lambda: cursor.copy("COPY (SELECT 'secret') TO STDOUT").__enter__())
            refused(lambda: cursor.copy("COPY secret FROM STDIN").__enter__())
        assert client.execute("SELECT 1").fetchone() == (1,)
        denied = [d for d in gate.notes.done if "secret" in d[0].sql]
        assert len(denied) == 7
        assert {(d[1], d[2].end, d[2].rows) for d in denied} == {(DENY, "denied", 0)}


def test_deny_fails_the_transaction_as_any_error_does(postgres: Server, backend: str) -> None:
    with (
        running(backend, deny_secret) as gate,
        connect(gate, postgres, autocommit=False) as client,
    ):
        client.execute("CREATE TEMP TABLE t (n int)")
        client.commit()
        client.execute("INSERT INTO t VALUES (1)")
        refused(lambda: client.execute("SELECT 'secret'"))
        assert client.info.transaction_status == psycopg.pq.TransactionStatus.INERROR
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            client.execute("SELECT 1")
        refused(lambda: client.execute("SELECT 'secret'"))
        client.rollback()
        assert client.execute("SELECT count(*) FROM t").fetchone() == (0,)


def test_deny_in_a_pipeline_skips_to_sync(postgres: Server, backend: str) -> None:
    with running(backend, deny_secret) as gate, connect(gate, postgres) as client:
        with pytest.raises(psycopg.errors.InsufficientPrivilege), client.pipeline() as pipeline:
            first = client.execute("SELECT 1")
            client.execute("SELECT 'secret'")
            aborted = client.execute("SELECT 2")
            pipeline.sync()
            assert first.fetchone() == (1,)
            aborted.fetchone()
        with client.pipeline():
            assert client.execute("SELECT 3").fetchone() == (3,)
        ends = {d[0].sql: d[2].end for d in gate.notes.done}
        assert ends["SELECT 'secret'"] == "denied"
        assert ends["SELECT 2"] == "skipped"
        assert ends["SELECT 3"] == "complete"


def test_deny_reads_as_chinese_in_gbk(postgres: Server, backend: str) -> None:
    with running(backend, deny_secret) as gate, connect(gate, postgres) as client:
        client.execute("SET client_encoding = 'GBK'")
        refused(lambda: client.execute("SELECT 'secret 药'"))
        assert gate.notes.of("SELECT 'secret")[0].sql == "SELECT 'secret 药'"


def test_a_function_called_by_number_is_refused(postgres: Server, backend: str) -> None:
    with running(backend) as gate, connect(gate, postgres, autocommit=False) as client:
        with pytest.raises(psycopg.OperationalError, match="FunctionCall"):
            client.pgconn.exec_(b"SELECT lo_create(0)")
            raise_on_call(client)
        client.rollback()
        assert client.execute("SELECT 1").fetchone() == (1,)


def raise_on_call(client: psycopg.Connection[Any]) -> None:
    if large_objects().lo_open(client.pgconn.pgconn_ptr, 1, 0x40000) < 0:
        raise psycopg.OperationalError(client.pgconn.error_message.decode())


def large_objects() -> ctypes.CDLL:
    """libpq's large objects call functions by number; psycopg has no name for it, so we use ctypes
    on the very libpq it has loaded."""
    name = next(
        line.split()[-1]
        for line in Path("/proc/self/maps").read_text().splitlines()
        if "libpq" in line
    )
    libpq = ctypes.CDLL(name)
    libpq.lo_open.argtypes = [ctypes.c_void_p, ctypes.c_uint, ctypes.c_int]
    for function in (libpq.lo_write, libpq.lo_read):
        function.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t]
    libpq.lo_lseek.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_int, ctypes.c_int]
    return libpq


def test_a_route_that_takes_calls_by_number_has_each_judged(postgres: Server, backend: str) -> None:
    picture = os.urandom(200_000)  # longer than what is held of other messages
    calls: list[str] = []

    def rule(statement: Statement) -> Verdict:
        if statement.kind != "call":
            return PASS
        calls.append(f"{statement.name} {statement.doubt}")
        return DENY if len(calls) > 6 else PASS

    with (
        running(backend, rule, factory=lambda: Inline(function_calls=True)) as gate,
        connect(gate, postgres, autocommit=False) as client,
    ):
        libpq, pgconn = large_objects(), client.pgconn.pgconn_ptr
        created = client.execute("SELECT lo_create(0)").fetchone()
        assert created is not None
        handle = libpq.lo_open(pgconn, created[0], 0x60000)
        assert libpq.lo_write(pgconn, handle, picture, len(picture)) == len(picture)
        assert libpq.lo_lseek(pgconn, handle, 0, 0) == 0
        back = ctypes.create_string_buffer(len(picture))
        assert libpq.lo_read(pgconn, handle, back, len(picture)) == len(picture)
        assert back.raw == picture
        while len(calls) <= 6:
            assert client.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS
            libpq.lo_lseek(pgconn, handle, 0, 0)
        assert "防统方系统拒绝" in client.pgconn.error_message.decode()
        client.rollback()
        assert client.execute("SELECT 1").fetchone() == (1,)
        ends = [d[2].end for d in gate.notes.done if d[0].kind == "call"]
        assert ends[:-1] == ["complete"] * (len(ends) - 1)
        assert ends[-1] == "denied"
        assert set(calls) >= {"952 unknown", "955 unknown", "954 unknown"}


# ------------------------------------------------------------------ waiting for a verdict


def test_an_awaited_verdict_holds_what_comes_behind_it(postgres: Server, backend: str) -> None:
    asked: list[str] = []

    def rule(statement: Statement) -> Verdict | Awaitable[Verdict]:
        asked.append(statement.sql)

        async def later() -> Verdict:
            for _turn in range(20):
                await asyncio.sleep(0)
            return deny_secret(statement)

        return later()

    with running(backend, rule, budget_ms=10_000) as gate, connect(gate, postgres) as client:
        with client.pipeline():
            cursors = [client.execute("SELECT %s::int", [n]) for n in range(50)]
            assert [c.fetchone() for c in cursors] == [(n,) for n in range(50)]
        refused(lambda: client.execute("SELECT 'secret'"))
        assert gate.notes.intervals == []


@pytest.mark.parametrize("how", ["raises", "never answers", "answers with an error"])
def test_without_a_verdict_the_routes_policy_answers(
    postgres: Server, backend: str, how: str
) -> None:
    failing = [False]

    def rule(statement: Statement) -> Verdict | Awaitable[Verdict]:
        if not failing[0]:
            return PASS
        if how == "raises":
            raise RuntimeError("no judge")

        async def never() -> Verdict:
            if how == "never answers":
                await asyncio.Event().wait()
            raise RuntimeError("no judge")

        return never()

    with running(backend, rule, budget_ms=20) as gate, connect(gate, postgres) as client:
        failing[0] = True
        assert client.execute("SELECT 1").fetchone() == (1,)
        assert client.execute("SELECT 2").fetchone() == (2,)
        failing[0] = False
        assert client.execute("SELECT 3").fetchone() == (3,)
        begun, ended = gate.notes.intervals
        assert (begun.until_us, begun.forwarded) == (None, 1)
        assert ended.until_us is not None
        assert (ended.forwarded, ended.refused, ended.route) == (2, 0, "his")
        assert gate.notes.of("SELECT 1")[1] is None
        assert gate.notes.late == (["SELECT 1", "SELECT 2"] if how == "never answers" else [])

    with (
        running(backend, rule, budget_ms=20, kind="statistics") as gate,
        connect(gate, postgres) as client,
    ):
        failing[0] = True
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="暂时无法判断"):
            client.execute("SELECT 1")
        failing[0] = False
        assert client.execute("SELECT 3").fetchone() == (3,)
        assert gate.notes.intervals[-1].refused == 1


# ------------------------------------------------------------------ encryption


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=36500))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "c.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "k.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return str(folder / "c.pem"), str(folder / "k.pem")


def test_encrypted_clients(postgres: Server, backend: str, certificate: tuple[str, str]) -> None:
    tls = {"tls_certificate": certificate[0], "tls_key": certificate[1]}
    with running(backend, **tls, require_tls=True) as gate:
        with connect(gate, postgres, sslmode="require") as client:
            big = client.execute("SELECT repeat('药', 1000000)").fetchone()
            assert big == ("药" * 1_000_000,)
            [connection] = gate.notes.connections.values()
            assert connection.tls
        with pytest.raises(psycopg.OperationalError, match="只接受加密连接"):
            connect(gate, postgres, sslmode="disable")
    with running(backend) as gate:
        with pytest.raises(psycopg.OperationalError, match="SSL"):
            connect(gate, postgres, sslmode="require")
        with connect(gate, postgres, sslmode="prefer") as client:
            assert client.execute("SELECT 1").fetchone() == (1,)


def test_bytes_stuffed_before_the_handshake_are_refused(
    postgres: Server, backend: str, certificate: tuple[str, str]
) -> None:
    tls = {"tls_certificate": certificate[0], "tls_key": certificate[1]}
    with running(backend, **tls) as gate:
        answer = exchange(gate.port, SSL_REQUEST_PACKET + b"\x00\x00\x00\x08\x00\x03\x00\x00")
        assert b"08P01" in answer
        assert b"unencrypted data" in answer
        assert not answer.startswith(b"S")


def test_tls_without_asking_is_refused_in_its_own_words(
    backend: str, certificate: tuple[str, str]
) -> None:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        running(backend, tls_certificate=certificate[0], tls_key=certificate[1]) as gate,
        socket.create_connection(("127.0.0.1", gate.port), timeout=20) as raw,
        pytest.raises(ssl.SSLError, match="HANDSHAKE_FAILURE"),
    ):
        context.wrap_socket(raw)


class TlsServer:
    """A server that speaks TLS as PostgreSQL does, in front of one that cannot: for our back leg."""

    def __init__(self, target: str, certificate: tuple[str, str], answer: bytes = b"S") -> None:
        self._target = target
        self._answer = answer
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(*certificate)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"localhost:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                raw, _peer = self._listener.accept()
                threading.Thread(target=self._one, args=(raw,), daemon=True).start()

    def _one(self, raw: socket.socket) -> None:
        with contextlib.suppress(OSError):
            assert raw.recv(8) == SSL_REQUEST_PACKET
            raw.sendall(self._answer)
            front = raw
            if self._answer == b"S":
                front = self._context.wrap_socket(raw, server_side=True)
            host, _colon, port = self._target.rpartition(":")
            back = socket.create_connection((host, int(port)))
            threading.Thread(target=self._copy, args=(back, front), daemon=True).start()
            self._copy(front, back)

    @staticmethod
    def _copy(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.close()


@pytest.mark.parametrize(
    ("mode", "answer", "reached"),
    [
        ("verify", b"S", True),
        ("require", b"S", True),
        ("prefer", b"S", True),
        ("prefer", b"N", True),
        ("require", b"N", False),
    ],
)
def test_encryption_towards_the_server(
    postgres: Server,
    backend: str,
    certificate: tuple[str, str],
    mode: str,
    answer: bytes,
    reached: bool,
) -> None:
    server = TlsServer(backend, certificate, answer)
    try:
        with running(server.address, backend_tls=mode, backend_ca=certificate[0]) as gate:
            if reached:
                with connect(gate, postgres) as client:
                    assert client.execute("SELECT 1").fetchone() == (1,)
            else:
                with pytest.raises(psycopg.OperationalError, match="连接不上"):
                    connect(gate, postgres)
    finally:
        server.close()


# ------------------------------------------------------------------ faults


def exchange(port: int, *pieces: bytes) -> bytes:
    """Everything the gateway answers to these bytes until it closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as raw:
        for piece in pieces:
            raw.sendall(piece)
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while data := raw.recv(65_536):
                answer += data
        return answer


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", b"invalid length of startup packet"),
        (struct.pack("!II", 8, 2 << 16), b"unsupported frontend protocol 2.0"),
        (struct.pack("!II", 100_000, 3 << 16), b"invalid length of startup packet"),
        (
            struct.pack("!II", 38, 3 << 16) + b"user\0x\0replication\0database\0\0",
            b"replication connections are not allowed",
        ),
    ],
)
def test_nonsense_is_answered_in_the_protocol(backend: str, sent: bytes, answer: bytes) -> None:
    sent = struct.pack("!I", len(sent)) + sent[4:] if b"replication" in sent else sent
    with running(backend) as gate:
        got = exchange(gate.port, sent)
        assert got[:1] == b"E"
        assert answer in got


@pytest.mark.parametrize("length", [0, 3, 0x40000000, 0xFFFFFFFF])
def test_hostile_lengths_after_sign_in(postgres: Server, backend: str, length: int) -> None:
    with running(backend) as gate, connect(gate, postgres) as client:
        with socket.socket(fileno=os.dup(client.fileno())) as raw:
            raw.setblocking(True)
            raw.sendall(b"Q" + length.to_bytes(4, "big"))
        with pytest.raises(psycopg.OperationalError):
            client.execute("SELECT 1")
        gate.notes.wait(lambda: gate.notes.gone)
        with connect(gate, postgres) as other:
            assert other.execute("SELECT 1").fetchone() == (1,)


def test_a_database_that_is_down(postgres: Server) -> None:
    with running(f"127.0.0.1:{free_port()}") as gate:
        with pytest.raises(psycopg.OperationalError, match="数据库 his 连接不上"):
            connect(gate, postgres)
        assert gate.gateway.connections == 0


def test_wrong_password_is_told(postgres: Server, backend: str) -> None:
    with running(backend) as gate:
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            connect(gate, postgres, password="x")
        assert gate.notes.refusals == [("postgres", "28P01")]


def test_too_many_connections(postgres: Server, backend: str) -> None:
    with running(backend, max_connections=1) as gate:
        with connect(gate, postgres), pytest.raises(psycopg.OperationalError, match="已到上限"):
            connect(gate, postgres)
        gate.notes.wait(lambda: gate.notes.gone)
        with connect(gate, postgres) as client:
            assert client.execute("SELECT 1").fetchone() == (1,)


def test_a_server_process_that_dies(postgres: Server, backend: str) -> None:
    with running(backend) as gate, connect(gate, postgres) as client:
        with connect(gate, postgres) as killer:
            killer.execute("SELECT pg_terminate_backend(%s)", [client.info.backend_pid])
        with pytest.raises(psycopg.errors.AdminShutdown):
            client.execute("SELECT 1")


def test_a_client_that_dies_in_copy_takes_its_server_process_along(
    postgres: Server, backend: str
) -> None:
    with running(backend) as gate:
        client = connect(gate, postgres)
        pid = client.info.backend_pid
        client.execute("CREATE TEMP TABLE t (n int)")
        copying = client.cursor().copy("COPY t FROM STDIN")
        copying.__enter__().write("1\n" * 100_000)
        with socket.socket(fileno=os.dup(client.fileno())) as raw:
            raw.shutdown(socket.SHUT_RDWR)
        gate.notes.wait(lambda: gate.notes.gone)
        assert gate.notes.of("COPY t")[2].end == "lost"
        with psycopg.connect(postgres.dsn(), autocommit=True) as direct:
            for _try in range(2000):
                alive = direct.execute(
                    "SELECT pg_sleep(0.01) FROM pg_stat_activity WHERE pid = %s", [pid]
                ).fetchone()
                if alive is None:
                    break
            assert alive is None
        with contextlib.suppress(psycopg.Error):
            client.close()


def test_cancel_reaches_the_right_statement(postgres: Server, backend: str) -> None:
    with running(backend) as gate, connect(gate, postgres) as client:
        asked = threading.Event()
        gate.notes.rule = lambda statement: (asked.set(), PASS)[1]

        def cancel() -> None:
            asked.wait(20)
            with psycopg.connect(postgres.dsn(), autocommit=True) as direct:
                while not direct.execute(
                    "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event = 'PgSleep'",
                    [client.info.backend_pid],
                ).fetchone():
                    pass
            client.cancel_safe()  # cancel() would wait with the interpreter's lock held

        thread = threading.Thread(target=cancel)
        thread.start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            client.execute("SELECT pg_sleep(600)")
        thread.join(20)


def test_a_cancel_is_over_for_the_client_only_when_the_server_has_acted() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        running(f"127.0.0.1:{listener.getsockname()[1]}") as gate,
        socket.create_connection(("127.0.0.1", gate.port)) as client,
    ):
        packet = struct.pack("!4I", 16, 80877102, 1234, 5678)
        client.sendall(packet)
        server, _address = listener.accept()
        assert server.recv(16, socket.MSG_WAITALL) == packet
        [relay] = gate.do(lambda: list(gate.gateway._relays))
        server.close()
        assert client.recv(1) == b""
        assert gate.do(lambda: relay in gate.gateway._relays) is False


def test_a_client_that_does_not_read_stops_the_server(postgres: Server, backend: str) -> None:
    with running(backend) as gate, contextlib.closing(connect(gate, postgres)) as client:
        client.pgconn.send_query(b"SELECT repeat('x', 1000) FROM generate_series(1, 300000)")
        [relay] = gate.gateway._relays
        for _try in range(100_000):
            if not gate.do(lambda: relay._server_reading):
                break
        assert gate.do(relay._client.get_write_buffer_size) < 4 << 20
        with socket.socket(fileno=os.dup(client.fileno())) as raw:
            raw.setblocking(True)
            tail = b""
            while tail != b"Z\0\0\0\5I":
                tail = (tail + raw.recv(1 << 20))[-6:]
        assert gate.notes.of("SELECT repeat")[2].rows == 300_000


def test_a_server_that_vanishes_is_told_in_the_protocol(postgres: Server) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    with running(f"127.0.0.1:{listener.getsockname()[1]}") as gate:

        def hang_up() -> None:
            listener.accept()[0].close()

        gone = threading.Thread(target=hang_up)
        gone.start()
        with pytest.raises(psycopg.OperationalError, match="中断"):
            connect(gate, postgres)
        gone.join(20)
    listener.close()


def test_several_processes_may_share_a_port(postgres: Server, backend: str) -> None:
    with running(backend) as one, running(backend, listen=f"127.0.0.1:{one.port}") as two:
        clients = [connect(one, postgres) for _n in range(40)]
        counts = [g.do(lambda g=g: g.gateway.connections) for g in (one, two)]
        assert sum(counts) == 40
        assert min(counts) > 0, "the kernel gives both their share"
        for client in clients:
            client.close()


# ------------------------------------------------------------------ stopping and reloading


def last_words(client: psycopg.Connection[Any]) -> str:
    """What the gateway says on its own before it closes."""
    with socket.socket(fileno=os.dup(client.fileno())) as raw:
        raw.settimeout(20)
        words = b""
        while data := raw.recv(65_536):
            words += data
        return words.decode()


def test_drain_lets_transactions_end(postgres: Server, backend: str) -> None:
    with running(backend) as gate:
        idle = connect(gate, postgres)
        busy = connect(gate, postgres, autocommit=False)
        busy.execute("SELECT 1")
        ended = threading.Thread(target=lambda: gate.call(gate.gateway.drain(20)))
        ended.start()
        assert "网关停止" in last_words(idle)
        assert busy.execute("SELECT 2").fetchone() == (2,)
        busy.commit()
        with pytest.raises(psycopg.OperationalError):
            busy.execute("SELECT 3")
        ended.join(20)
        assert not ended.is_alive()
        with pytest.raises(psycopg.OperationalError, match="refused"):
            connect(gate, postgres)


def test_reload_is_for_connections_to_come(
    postgres: Server, backend: str, certificate: tuple[str, str]
) -> None:
    with running(backend) as gate, connect(gate, postgres) as old:
        route, database = gate.route, gate.database
        broken = msgspec.structs.replace(route, tls_certificate="/nowhere", tls_key="/nowhere")
        with pytest.raises(FileNotFoundError):
            gate.do(lambda: gate.gateway.reload(broken, database))
        secure = msgspec.structs.replace(
            route, tls_certificate=certificate[0], tls_key=certificate[1], require_tls=True
        )
        gate.do(lambda: gate.gateway.reload(secure, database))
        assert old.execute("SELECT 1").fetchone() == (1,)
        with connect(gate, postgres, sslmode="require") as new:
            assert new.execute("SELECT 1").fetchone() == (1,)
        with pytest.raises(psycopg.OperationalError, match="只接受加密连接"):
            connect(gate, postgres)


def test_many_clients_at_once(postgres: Server, backend: str) -> None:
    async def one(port: int, n: int) -> int:
        client = await psycopg.AsyncConnection.connect(
            host="127.0.0.1",
            port=port,
            user="postgres",
            password=postgres.password(),
            dbname="postgres",
            sslmode="disable",
        )
        async with client:
            total = 0
            for k in range(20):
                row = await (await client.execute("SELECT %s::int + %s", [n, k])).fetchone()
                total += row[0]
            return total

    async def work(port: int) -> list[int]:
        return await asyncio.gather(*(one(port, n) for n in range(30)))

    with running(backend, max_connections=100) as gate:
        assert asyncio.run(work(gate.port)) == [20 * n + 190 for n in range(30)]
        gate.notes.wait(lambda: len(gate.notes.gone) == 30)
        selects = [d for d in gate.notes.done if d[0].sql.startswith("SELECT $1")]
        assert len(selects) == 600
