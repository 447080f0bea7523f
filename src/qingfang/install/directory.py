"""Persons and terminals from a table, by the machine's own terminal (rules of `people.importing`).

Whoever runs the command names the person who answers for it; that person must have the right, and
the acts say that it was asked for at the terminal.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qingfang.install.console import Console, Unavailable
from qingfang.language import _
from qingfang.web.setup.fill import Imported, Request, Table


class Refused(Exception):
    """Nothing was changed; the text says why."""


class Directory:
    """A context manager: the console's database, open for one table."""

    def __init__(self, config: Path) -> None:
        self._console = Console(config)

    def __enter__(self) -> Directory:
        try:
            self._console.__enter__()
        except Unavailable as problem:
            raise Refused(str(problem)) from None
        return self

    def __exit__(self, *_given: object) -> None:
        self._console.__exit__(None, None, None)

    def look(self, file: Path, *, terminals: bool, whole: bool, by: str) -> Imported:
        """What the table would change; nothing is written. Raises `Refused`, OSError."""
        kind = "terminal" if terminals else "person"
        table = Table(kind=kind, name=file.name, data=file.read_bytes(), whole=whole, by=by)
        return self._ask(Request(table=table))

    def write(self, seen: Imported, progress: Callable[[int, int], None]) -> Imported:
        """Write what was looked at; what came of it. Raises `Refused`."""
        found = self._ask(Request(write=seen.id))
        while not found.finished:
            progress(found.done, found.total)
            found = self._ask(Request(follow=seen.id))
        return found

    def _ask(self, request: Request) -> Imported:
        try:
            answer = self._console.ask(request)
        except Unavailable as problem:
            raise Refused(str(problem)) from None
        if answer.problem or answer.imported is None:
            raise Refused(answer.problem or _("控制台没有回答"))
        return answer.imported
