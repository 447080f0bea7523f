"""GNU Health 5 as a hospital runs it: its own environment, its database, its server process.

Rules this module keeps:

1. Nothing of GNU Health is changed or imported here: it is installed from its packages, told its
   database by the one URI of its configuration file, and used over its own XML-RPC.
2. Setting up (288 tables) goes straight to the database and is kept under `PRISTINE`; every run
   works on a fresh copy of it, so that runs do not add up.
3. Passwords are hashed in few rounds: XML-RPC shows the password with every call, and a run would
   spend most of its time on hashing. No statement differs.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg

from qingfang.postgres import Server, free_port

ROLE = "tryton"
PRISTINE = "pristine"
DATABASE = "gnuhealth"
MODULES = (
    *("health", "health_inpatient", "health_stock", "health_stock_inpatient", "health_services"),
    *("health_who_essential_medicines", "health_icd10", "health_reporting", "health_nursing"),
    *("health_stock_nursing", "health_history"),
)
READY_WITHIN_S = 240.0


class Hospital:
    """The hospital system in `folder`; `programs` is the `bin` of the environment that has it,
    `settings` the database server's."""

    def __init__(self, folder: Path, programs: Path, settings: dict[str, str]) -> None:
        self.folder, self.programs = folder, programs
        self.database = Server(folder / "postgres", port=0, settings=settings)
        self.port = 0

    @property
    def admin_password(self) -> str:
        return (self.folder / "admin-password").read_text()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def install(self) -> None:
        """Make the hospital's tables when they are not there yet; then this run's copy of them."""
        self.database.role(ROLE)
        if self.database.database(PRISTINE, owner=ROLE) or not self._whole():
            password = self.folder / "admin-password"
            password.write_text(secrets.token_urlsafe(12))
            with psycopg.connect(self.database.dsn(database=PRISTINE)) as connection:
                connection.execute("GRANT ALL ON SCHEMA public TO PUBLIC")
            self._admin("--all", "--email", "admin@example.org")
            self._admin("-u", *MODULES, "--activate-dependencies")
        self.database.drop(DATABASE)
        self.database.database(DATABASE, owner=ROLE, template=PRISTINE)

    def _whole(self) -> bool:
        with psycopg.connect(self.database.dsn(database=PRISTINE)) as connection:
            found = connection.execute("SELECT to_regclass('gnuhealth_prescription_line')")
            row = found.fetchone()
        return row is not None and row[0] is not None

    def _admin(self, *arguments: str) -> None:
        assert self.database.port is not None
        subprocess.run(
            [
                *(self.programs / "trytond-admin", "-c", self._configured(self.database.port)),
                *("-d", PRISTINE, *arguments),
            ],
            check=True,
            env={**os.environ, "TRYTONPASSFILE": str(self.folder / "admin-password")},
        )

    def _configured(self, database_port: int) -> Path:
        file = self.folder / "trytond.conf"
        password = self.database.password(ROLE)
        hashing = self.folder / "passlib.ini"
        hashing.write_text(
            "[passlib]\nschemes = pbkdf2_sha512\npbkdf2_sha512__default_rounds = 1000\n"
        )
        file.touch(mode=0o600)
        file.write_text(
            f"[database]\nuri = postgresql://{ROLE}:{password}@127.0.0.1:{database_port}/\n"
            f"[web]\nlisten = 127.0.0.1:{self.port}\n"
            f"[password]\npasslib = {hashing}\n"
        )
        return file

    @contextlib.contextmanager
    def serving(self, database_port: int) -> Iterator[None]:
        """The hospital system's server, its database reached at `database_port`."""
        self.port = free_port()
        log = self.folder / "trytond.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [self.programs / "trytond", "-c", self._configured(database_port), "-d", DATABASE],
                stdout=out,
                stderr=out,
            )
        try:
            deadline = time.monotonic() + READY_WITHIN_S
            while b"Running on" not in log.read_bytes():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"trytond does not run, see {log}")
                time.sleep(0.2)
            yield
        finally:
            process.terminate()
            process.wait()
