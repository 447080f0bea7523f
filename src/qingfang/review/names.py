"""What codes are called: read from the hospital's own dictionaries, shown to who judges alerts.

An alert says «YP00489»; whoever rules on it wants to read which drug that is. The confirmed
catalogue says which tables are dictionaries and which columns hold code and name; the console reads
them by an account that can read those columns and nothing else (docs/catalogue.md).

Rules this module keeps:

1. Only columns the catalogue calls a code and its name, of tables it calls dictionaries, are read;
   read-only, with a time limit, at most `MOST` rows a table.
2. The connection string stands in a file that only its owner may read, never in the configuration;
   no name and nothing of the string appears in a log, an act or an error.
3. When reading fails, the names read before stay; the failure is said on the coverage page.
4. What is not found is shown as its code; what two databases call differently, too, unless it is
   known in which of them it was used.
5. Names are read when the catalogue changes and once a day.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import psycopg
from django.db import transaction
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from psycopg import sql

from qingfang.config import Config, Database
from qingfang.people import acts
from qingfang.people.models import Person
from qingfang.review import policy
from qingfang.review.models import Alert, Called, NamesRead
from qingfang.understand.catalogue import Catalogue, CatalogueError, Table, load

EVERY = dt.timedelta(days=1)
AGAIN = dt.timedelta(minutes=2)
MOST = 200_000
LONGEST = 200
TIME_LIMIT = "30s"

KINDS = ("item", "prescriber", "department")

PROBLEMS = {
    "catalogue": _("目录文件读不了"),
    "no-columns": _("目录里没有既有代码又有名称的字典表"),
    "no-file": _("连接串文件读不了"),
    "open-file": _("连接串文件别人也能读：改成 0600"),
    "string": _("连接串写得不对"),
    "unreachable": _("连不上数据库"),
    "refused": _("账号没有读字典的权限，或者表、列不存在"),
}


class Unreadable(Exception):
    """`code` is one of `PROBLEMS`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


# ------------------------------------------------------------------ reading


Source = tuple[str, Table, str, str]
"""(kind, table, code column, name column), names as the catalogue has them."""


def sources(catalogue: Catalogue) -> list[Source]:
    """The dictionaries of codes. Raises `Unreadable` when there is none."""
    found: list[Source] = []
    for table in catalogue.tables.values():
        if table.kind != "dictionary":
            continue
        for kind in KINDS:
            codes = [c for c, role in table.columns.items() if role == f"{kind}_id"]
            names = [c for c, role in table.columns.items() if role == f"{kind}_name"]
            # Of several names (generic, trade) the first is the dictionary's own.
            if len(codes) == 1 and names:
                found.append((kind, table, table.spelling[codes[0]], table.spelling[names[0]]))
    if not found:
        raise Unreadable("no-columns")
    return found


def _catalogue(file: Path) -> tuple[Catalogue, str]:
    try:
        text = file.read_bytes()
        return load(json.loads(text)), hashlib.sha256(text).hexdigest()
    except (OSError, ValueError, CatalogueError):
        raise Unreadable("catalogue") from None


def connection_string(file: Path) -> str:
    """The string in a file that nobody else may read. Raises `Unreadable`."""
    try:
        if file.stat().st_mode & 0o077:
            raise Unreadable("open-file")
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise Unreadable("no-file") from None


def fetch(dsn: str, wanted: Iterable[Source]) -> dict[tuple[str, str], str]:
    """(kind, code) → name, as the dictionaries have it. Raises `Unreadable`."""
    found: dict[tuple[str, str], str] = {}
    try:
        connection = psycopg.connect(
            dsn, connect_timeout=10, autocommit=True, application_name="qingfang names"
        )
    except psycopg.ProgrammingError:
        raise Unreadable("string") from None
    except psycopg.Error:
        raise Unreadable("unreachable") from None
    with connection:
        try:
            connection.execute("SET default_transaction_read_only = on")
            connection.execute("SELECT set_config('statement_timeout', %s, false)", [TIME_LIMIT])
            for kind, table, code, name in wanted:
                query = sql.SQL(
                    "SELECT trim({code}::text), trim({name}::text) FROM {table}"
                    " WHERE {code} IS NOT NULL AND {name} IS NOT NULL LIMIT {most}"
                ).format(
                    code=sql.Identifier(code),
                    name=sql.Identifier(name),
                    table=sql.Identifier(*table.name.split(".")),
                    most=MOST,
                )
                for key, text in connection.execute(query):
                    if key and text:
                        found.setdefault((kind, key[:LONGEST]), text[:LONGEST])
        except psycopg.Error:
            raise Unreadable("refused") from None
    return found


def _due(row: NamesRead | None, digest: str, now: dt.datetime) -> bool:
    if row is None or row.catalogue != digest:
        return True
    if row.problem:
        return now - row.tried_at >= AGAIN
    return row.read_at is None or now - row.read_at >= EVERY


def refresh(config: Config, now: dt.datetime) -> None:
    """Read what is due; whatever goes wrong with one database is kept for the coverage page."""
    wanted = [d for d in config.database if d.names_file]
    names = [d.name for d in wanted]
    NamesRead.objects.exclude(database__in=names).delete()
    Called.objects.exclude(database__in=names).delete()
    for database in wanted:
        _refresh(database, now)


def _refresh(database: Database, now: dt.datetime) -> None:
    digest, problem = "", ""
    row = NamesRead.objects.filter(database=database.name).first()
    found: dict[tuple[str, str], str] = {}
    try:
        catalogue, digest = _catalogue(Path(database.catalogue))
        if not _due(row, digest, now):
            return
        wanted = sources(catalogue)
        found = fetch(connection_string(Path(database.names_file)), wanted)
    except Unreadable as error:
        if row is not None and row.problem == error.code and not _due(row, digest, now):
            return
        problem = error.code
    if problem:
        NamesRead.objects.update_or_create(
            database=database.name,
            defaults={"tried_at": now, "catalogue": digest, "problem": problem},
        )
        return
    counts = {kind: sum(k == kind for k, _code in found) for kind in KINDS}
    with transaction.atomic():
        Called.objects.filter(database=database.name).delete()
        rows = (
            Called(database=database.name, kind=kind, code=code, name=name)
            for (kind, code), name in found.items()
        )
        Called.objects.bulk_create(rows, batch_size=2000)
        NamesRead.objects.update_or_create(
            database=database.name,
            defaults={
                "tried_at": now,
                "read_at": now,
                "catalogue": digest,
                "counts": counts,
                "problem": "",
            },
        )
        acts.record(
            "names.read",
            target=database.name,
            item_names=counts["item"],
            prescriber_names=counts["prescriber"],
            department_names=counts["department"],
        )


# ------------------------------------------------------------------ showing


def codes_of(event: Mapping[str, Any], kind: str) -> list[str]:
    """The codes (or names) a statement's meaning selects, each once: `kind` is one of `KINDS`."""
    scope = (event.get("meaning") or {}).get("scope") or {}
    found = []
    for value in (scope.get(f"{kind}s") or {}).get("values") or ():
        # A Value travels as an array: text, literals, binds.
        text = value[0] if isinstance(value, (list, tuple)) else value
        if text is not None:
            found.append(str(text))
    return list(dict.fromkeys(found))


Named = Callable[[str, str], str]
"""(one of `KINDS`, code) → how it is shown."""


class Naming:
    """The names of the codes in these alerts, looked up together, for who may read them."""

    def __init__(self, config: Config, person: Person, alerts: Iterable[Alert]) -> None:
        self._databases = {d.address: d.name for d in config.database}
        self._found: dict[tuple[str, str], dict[str, str]] = {}
        if not policy.sees_names(person):
            return
        wanted: dict[str, set[str]] = {kind: set() for kind in KINDS}
        for alert in alerts:
            for kind in KINDS:
                wanted[kind].update(codes_of(alert.event, kind))
        for kind, codes in wanted.items():
            rows = (
                Called.objects.filter(kind=kind, code__in=codes) if codes else Called.objects.none()
            )
            for database, code, name in rows.values_list("database", "code", "name"):
                self._found.setdefault((kind, code), {})[database] = name

    def of(self, alert: Alert) -> Named:
        """How the codes of this alert's database are shown: «阿莫西林胶囊（YP00489）», or the code
        alone."""
        database = self._databases.get(alert.server)

        def named(kind: str, code: str) -> str:
            by_database = self._found.get((kind, code), {})
            if database is not None:
                name = by_database.get(database)
            else:
                agreed = set(by_database.values())
                name = agreed.pop() if len(agreed) == 1 else None
            if not name or name == code:
                return code
            return str(_now("%(name)s（%(code)s）") % {"name": name, "code": code})

        return named
