"""Fills the console's database for the guide in the terminal, as a process of its own.

`python -m qingfang.web.setup.fill --config FILE`. Says one JSON line when the database can be used
(`accounts`: whether anybody can sign in, `calendar`: whether one was decided), then answers each
JSON line of standard input (`Request`) with one (`Answer`), until it ends. Passwords go through the
pipe only.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psycopg
from msgspec import Struct

from qingfang import config as configuration
from qingfang.config import Config
from qingfang.engine import process
from qingfang.language import wanted
from qingfang.postgres import ServerError
from qingfang.web import server


class Calendar(Struct, frozen=True):
    """As `access.days` reads them; `days` is its text."""

    weekdays: list[int]
    hours: list[list[str]]
    days: str = ""


class Table(Struct, frozen=True):
    """A file of persons or terminals (`kind` of `Proposed`), handed in by the person of number `by`
    (empty: by the only one who may)."""

    kind: str
    name: str
    data: bytes
    whole: bool
    by: str


class Imported(Struct, frozen=True, kw_only=True):
    """An import: what it would change, later what it has changed; `told` are sentences for a person.
    `wrong` lines are left out, `refused` could not be written, `proposed` wait for the discipline
    office."""

    id: int
    file: str
    new: int = 0
    changed: int = 0
    same: int = 0
    leaving: int = 0
    wrong: int = 0
    writes: int = 0
    finished: bool = False
    total: int = 0
    done: int = 0
    written: int = 0
    proposed: int = 0
    refused: int = 0
    told: list[str] = []


class Request(Struct, frozen=True):
    """`accounts` are `accounts.Asked` as JSON objects; `rescue` is the number of a security
    administrator who needs a new password. `table` is looked at, `write` begins to write the import
    of that number, `follow` asks how far it is."""

    calendar: Calendar | None = None
    accounts: list[dict[str, str]] = []
    rescue: str = ""
    table: Table | None = None
    write: int | None = None
    follow: int | None = None


class Answer(Struct, frozen=True):
    """`problem` says why nothing of the request was done; `made` are `accounts.Made`."""

    problem: str = ""
    made: list[dict[str, str]] = []
    password: str = ""
    imported: Imported | None = None


class State(Struct, frozen=True):
    accounts: bool = False
    calendar: bool = False
    problem: str = ""


@contextlib.contextmanager
def database(config: Config) -> Iterator[None]:
    """The console's database: the running console's, else started here."""
    kept = Path(config.paths.state) / "console" / "dsn"
    if config.console.database == "embedded" and kept.exists():
        with contextlib.suppress(psycopg.Error):
            psycopg.connect(kept.read_text(), connect_timeout=5).close()
            yield
            return
    with server.database(config):
        yield


def _say(value: Struct) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(value) + b"\n")
    sys.stdout.buffer.flush()


def _serve(config: Config) -> None:
    from django.db import transaction
    from django.utils import translation

    from qingfang.access import calendar
    from qingfang.access.days import Unreadable, read_days
    from qingfang.people import rescue, services
    from qingfang.people.importing.sheet import Unreadable as UnreadableTable
    from qingfang.people.services import NotAllowed
    from qingfang.web.setup import accounts, code, listing

    translation.activate("en" if wanted() == "en" else "zh-hans")
    _say(State(services.any_account(), calendar.standing().decided))
    for line in sys.stdin.buffer:
        request = msgspec.json.decode(line, type=Request)
        try:
            imported = listing.answer(request.table, request.write, request.follow)
            with transaction.atomic():
                made, password = [], ""
                if request.calendar is not None:
                    asked = request.calendar
                    days = read_days(asked.days)
                    calendar.replace(asked.weekdays, asked.hours, days, by=None)
                if request.accounts:
                    asked_for = msgspec.convert(request.accounts, list[accounts.Asked])
                    made = accounts.create(asked_for, config)
                if request.rescue:
                    password = rescue.rescue(request.rescue)
        except (NotAllowed, Unreadable, UnreadableTable) as no:
            _say(Answer(problem=calendar.sentence(no) if isinstance(no, Unreadable) else str(no)))
            continue
        if made:
            code.forget(config)
        told = [msgspec.to_builtins(one) for one in made]
        _say(Answer(made=told, password=password, imported=imported))


def main() -> None:
    parser = argparse.ArgumentParser(prog="qingfang.web.setup.fill")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--parent", type=int, help="die when this process is gone")
    arguments = parser.parse_args()
    if arguments.parent is not None:
        process.die_with_parent(arguments.parent)
    os.umask(0o077)
    config = configuration.read(arguments.config)
    try:
        with database(config):
            server.set_up(arguments.config)
            _serve(config)
    except (ServerError, OSError) as error:
        _say(State(problem=str(error)))
        sys.exit(1)


if __name__ == "__main__":
    main()
