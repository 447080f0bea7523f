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


class Request(Struct, frozen=True):
    """`accounts` are `accounts.Asked` as JSON objects; `rescue` is the number of a security
    administrator who needs a new password."""

    calendar: Calendar | None = None
    accounts: list[dict[str, str]] = []
    rescue: str = ""


class Answer(Struct, frozen=True):
    """`problem` says why nothing of the request was done; `made` are `accounts.Made`."""

    problem: str = ""
    made: list[dict[str, str]] = []
    password: str = ""


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
    from qingfang.people.services import NotAllowed
    from qingfang.web.setup import accounts, code

    translation.activate("en" if wanted() == "en" else "zh-hans")
    _say(State(services.any_account(), calendar.standing().decided))
    for line in sys.stdin.buffer:
        request = msgspec.json.decode(line, type=Request)
        try:
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
        except (NotAllowed, Unreadable) as no:
            _say(Answer(problem=calendar.sentence(no) if isinstance(no, Unreadable) else str(no)))
            continue
        if made:
            code.forget(config)
        _say(Answer(made=[msgspec.to_builtins(one) for one in made], password=password))


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
