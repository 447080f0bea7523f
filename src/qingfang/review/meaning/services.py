"""Deciding what a table means, and taking it back."""

from __future__ import annotations

import zlib

from django.db import connection, transaction
from django.http import HttpRequest
from django.utils.translation import gettext as _

from qingfang.config import Config, Database
from qingfang.engine import catalogues
from qingfang.people import acts
from qingfang.people.services import NotAllowed
from qingfang.review.meaning import files
from qingfang.understand.catalogue import CatalogueError
from qingfang.understand.discovery import confirming


class Answer:
    """What a person said of one table: see `confirming.confirm`."""

    def __init__(
        self, table: str, kind: str, roles: dict[str, str | None], taken: dict[str, str]
    ) -> None:
        self.table, self.kind, self.roles, self.taken = table, kind, roles, taken


def confirm(
    config: Config, database: Database, answer: Answer, digest: str, *, request: HttpRequest
) -> None:
    """Put the answer in force. Raises `NotAllowed` with what the person should read."""
    with transaction.atomic():
        standing = _mine(database, digest)
        try:
            tree, text, step = confirming.confirm(
                standing.tree, standing.text, answer.table, answer.kind, answer.roles, answer.taken
            )
        except (CatalogueError, KeyError) as error:
            raise NotAllowed(_("没有采用：%(why)s") % {"why": error}) from None
        before, after = step.entry["columns"], tree["tables"][answer.table]["columns"]
        acts.record(
            "catalogue.confirmed",
            request=request,
            target=f"{database.name} {answer.table}",
            table_kind=answer.kind,
            fields=sorted(c for c in after if after[c] != before.get(c)),
        )
        _write(database, tree, text)
        files.keep_steps(config, database, [step, *files.steps(config, database)])


def add(
    config: Config,
    database: Database,
    table: str,
    columns: list[str],
    digest: str,
    *,
    request: HttpRequest,
) -> None:
    """Put a table into the catalogue that the reading did not find. Raises `NotAllowed`."""
    with transaction.atomic():
        standing = _mine(database, digest)
        try:
            tree, text, step = confirming.add(standing.tree, standing.text, table, columns)
        except CatalogueError as error:
            raise NotAllowed(_("没有采用：%(why)s") % {"why": error}) from None
        acts.record(
            "catalogue.table-added",
            request=request,
            target=f"{database.name} {table}"[:130],
            fields=columns,
        )
        _write(database, tree, text)
        files.keep_steps(config, database, [step, *files.steps(config, database)])


def undo(config: Config, database: Database, *, request: HttpRequest) -> str:
    """Take the last decision back; the table it was about. Raises `NotAllowed`."""
    with transaction.atomic():
        standing = _mine(database, None)
        steps = files.steps(config, database)
        if not steps:
            raise NotAllowed(_("没有可以撤销的确认。"))
        try:
            tree, text = confirming.undo(standing.tree, standing.text, steps[0])
        except CatalogueError as error:
            raise NotAllowed(_("没有采用：%(why)s") % {"why": error}) from None
        table = steps[0].table
        acts.record("catalogue.undone", request=request, target=f"{database.name} {table}")
        _write(database, tree, text)
        files.keep_steps(config, database, steps[1:])
        return table


def _mine(database: Database, digest: str | None) -> files.Standing:
    """The files, for this transaction alone. Raises `NotAllowed`."""
    with connection.cursor() as cursor:
        number = zlib.crc32(str(database.catalogue).encode())
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [number])
    try:
        standing = files.read(database)
    except (OSError, catalogues.Unusable) as error:
        raise NotAllowed(_("读不了目录：%(why)s") % {"why": error}) from None
    if digest is not None and digest != standing.digest:
        raise NotAllowed(_("目录刚被别人改过，这次没有采用，请再看一遍。"))
    return standing


def _write(database: Database, tree: dict[str, object], text: str) -> None:
    try:
        files.write(database, tree, text)
    except OSError as error:
        why = f"{error.filename}: {error.strerror}"
        raise NotAllowed(_("写不了目录：%(why)s") % {"why": why}) from None
