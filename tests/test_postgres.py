"""The embedded server: made, used, stopped, and gone when whoever started it is gone."""

from __future__ import annotations

import os
import select
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import psycopg
import pytest

from qingfang.postgres import Server, ServerError
from tests.support.postgres import QUICK, private_folder

STARTER = """
import sys
from pathlib import Path
from qingfang.postgres import Server
server = Server(Path(sys.argv[1]), settings={"fsync": "off"})
server.start()
print(server.pid, flush=True)
sys.stdin.read()
"""


def ended(pid: int, seconds: float = 20) -> bool:
    """Whether the process ends (or has ended) within `seconds`."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], seconds)[0])
    finally:
        os.close(descriptor)


def starter(folder: Path) -> tuple[subprocess.Popen[bytes], int]:
    """A process of its own that started a server in `folder`, and the server's process id."""
    process = subprocess.Popen(
        [sys.executable, "-c", STARTER, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout
    return process, int(process.stdout.readline())


def test_only_who_has_the_password_comes_in(postgres: Server, database: str) -> None:
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("postgres",)
    wrong = {"user": "postgres", "dbname": "postgres", "password": "postgres"}
    for host in (postgres.dsn().split("host=")[1].split()[0], "127.0.0.1"):
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(host=host, port=postgres.port, **wrong)


def test_the_dsn_holds_no_password_and_nobody_else_may_read_it(postgres: Server) -> None:
    password = postgres.password()
    assert len(password) > 20
    assert password not in postgres.dsn()
    assert stat.S_IMODE((postgres.folder / "passwords").stat().st_mode) == 0o600
    for name in ("data", "socket"):
        assert stat.S_IMODE((postgres.folder / name).stat().st_mode) == 0o700
    if os.geteuid() == 0:
        assert postgres.data.stat().st_uid != 0
        status = Path(f"/proc/{postgres.pid}/status").read_text()
        uids = next(line for line in status.splitlines() if line.startswith("Uid:")).split()[1:]
        assert set(uids) == {str(postgres.data.stat().st_uid)}
        assert "\nGroups:\t \n" in status or "\nGroups:\t\n" in status


def test_a_role_keeps_its_password(postgres: Server) -> None:
    postgres.role("his")
    first = postgres.password("his")
    postgres.role("his")
    assert postgres.password("his") == first
    with psycopg.connect(postgres.dsn("his", tcp=True)) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("his",)
    with psycopg.connect(postgres.dsn(), autocommit=True) as connection:
        connection.execute("DROP ROLE his")


def test_every_test_has_a_database_of_its_own(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("CREATE TABLE mine ()")
        row = connection.execute(
            "SELECT datlocprovider, datlocale, pg_encoding_to_char(encoding) FROM pg_database"
            " WHERE datname = current_database()"
        ).fetchone()
    assert row == ("b", "C.UTF-8", "UTF8")


def test_kill_nine_of_the_parent_ends_the_server_and_the_folder_is_taken_over() -> None:
    with private_folder() as folder:
        process, pid = starter(folder)
        process.kill()
        process.wait()
        assert ended(pid), "the server outlived its parent"
        with Server(folder, settings=QUICK) as server, psycopg.connect(server.dsn()) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)


def test_kill_nine_of_the_server_itself() -> None:
    with private_folder() as folder:
        with Server(folder, settings=QUICK) as server:
            os.kill(server.pid, signal.SIGKILL)
            assert ended(server.pid)
        # Its lock file now names a process that is alive and has nothing to do with it.
        lock = server.data / "postmaster.pid"
        lines = lock.read_text().splitlines()
        lock.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
        with Server(folder, settings=QUICK) as again:
            again.ready()


def test_a_folder_in_use_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qingfang.postgres._TAKE_OVER", 0.0)
    with private_folder() as folder, Server(folder, settings=QUICK) as server:
        with pytest.raises(ServerError, match=str(server.pid)):
            Server(folder, settings=QUICK).start()
        server.ready()


def test_an_end_during_the_start_is_told_with_the_log() -> None:
    with private_folder() as folder:
        with pytest.raises(ServerError, match="no_such_setting"):
            Server(folder, settings={"no_such_setting": "1"}).start()
        with Server(folder, settings=QUICK) as server:
            server.ready()


def test_only_the_main_thread_starts_it() -> None:
    """The kernel would end the server together with the thread that started it."""
    problems: list[Exception] = []

    def start() -> None:
        try:
            Server(Path("/nonexistent/never-made")).start()
        except ServerError as error:
            problems.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert "主线程" in str(problems[0])


@pytest.mark.skipif(os.geteuid() != 0, reason="只有 root 才需要换一个用户运行 PostgreSQL")
def test_a_folder_that_the_servers_user_cannot_reach() -> None:
    """A checkout under /root: nobody's rights are loosened, the data lies elsewhere."""
    with private_folder() as closed:
        closed.chmod(0o700)
        folder = closed / "checkout" / "state"
        with Server(folder, settings=QUICK) as server:
            data = server.data
            assert data.is_relative_to("/var/lib/qingfang")
            with psycopg.connect(server.dsn(), autocommit=True) as connection:
                connection.execute("CREATE TABLE kept ()")
        with Server(folder, settings=QUICK) as server, psycopg.connect(server.dsn()) as connection:
            connection.execute("SELECT FROM kept")
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700
        subprocess.run(["rm", "-r", data.parent], check=True)
