"""A real MariaDB server of Debian's, alone in a folder, for one test session."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pymysql
import pytest

SERVER = shutil.which("mariadbd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
INSTALL = shutil.which("mariadb-install-db")
PATIENCE_S = 60


class Server:
    """Listens on 127.0.0.1:`port`; `reader` may only read, its password is `password`."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port, self.password = folder, port, "只读 p@ss"

    def administrator(self) -> pymysql.Connection:
        return pymysql.connect(
            unix_socket=str(self.folder / "s"), user="root", charset="utf8mb4", autocommit=True
        )


@pytest.fixture(scope="session")
def mariadb() -> Iterator[Server]:
    if SERVER is None or INSTALL is None:
        pytest.skip("缺少 Debian 包 mariadb-server")
    # A short path: the name of a socket file is bounded.
    folder = Path(tempfile.mkdtemp(prefix="qf-my-"))
    user = pwd.getpwuid(os.geteuid()).pw_name
    if os.geteuid() == 0:
        user = "nobody"
        shutil.chown(folder, user)
    data = folder / "data"
    port = _free_port()
    common = ["--no-defaults", f"--datadir={data}", f"--user={user}"]
    subprocess.run(
        [INSTALL, *common, "--auth-root-authentication-method=normal", "--skip-test-db"],
        check=True,
        capture_output=True,
    )
    process = subprocess.Popen(
        [
            *(SERVER, *common, f"--socket={folder / 's'}", f"--port={port}"),
            *("--bind-address=127.0.0.1", "--innodb-buffer-pool-size=16M", "--skip-log-bin"),
            *("--innodb-flush-log-at-trx-commit=0", f"--pid-file={folder / 'pid'}"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    server = Server(folder, port)
    try:
        _wait(server, process)
        with server.administrator() as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE USER 'reader'@'%' IDENTIFIED BY '{server.password}'")
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(server: Server, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            server.administrator().close()
        except pymysql.MySQLError:
            assert process.poll() is None, "mariadbd ended"
            assert time.monotonic() < until, "mariadbd does not answer"
            time.sleep(0.05)
        else:
            return
