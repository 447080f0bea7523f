"""New and changed objects of the databases since their tables were confirmed: an alert.

The structure is read by the account that reads names (docs/catalogue.md): it asks the database's
own dictionary only, no row of any table.

Rules this module keeps:

1. Looked at when the catalogue changes and once a day; a failure is left to the next look, and the
   coverage page says why names, and so the structure, cannot be read.
2. An alert says how many and which; the same set of changes is told once. What was told stands in
   the acts, so that a restart repeats nothing.
3. The alert is in the ledger before the act that remembers it: after a crash it may come twice,
   never not at all.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

from qingfang.config import Config, Database
from qingfang.engine import catalogues, happening
from qingfang.events import Event
from qingfang.people import acts
from qingfang.people.models import Act
from qingfang.review.meaning import files
from qingfang.review.names import Unreadable, connection_string
from qingfang.understand.discovery import confirming
from qingfang.understand.discovery.confirming import Change
from qingfang.understand.discovery.readers import address
from qingfang.understand.discovery.readers.live import Unreachable

EVERY: Final = dt.timedelta(days=1)
AGAIN: Final = dt.timedelta(minutes=10)
NAMED: Final = 8
KEPT: Final = 500

_tried: dict[str, dt.datetime] = {}


def look(config: Config, now: dt.datetime, record: Callable[[Event], None]) -> None:
    """Compare what is due; `record` puts an alert into the ledger and returns when it is there."""
    for database in config.database:
        if database.names_file:
            _look(config, database, now, record)


def _look(
    config: Config, database: Database, now: dt.datetime, record: Callable[[Event], None]
) -> None:
    last = _last(database)
    try:
        standing = files.read(database)
    except (OSError, catalogues.Unusable):
        return  # the engine has said so
    digest = hashlib.sha256(json.dumps(standing.tree, sort_keys=True).encode()).hexdigest()
    if last is not None and last.facts.get("digest") == digest and now - last.at < EVERY:
        return
    tried = _tried.get(database.name)
    if tried is not None and now - tried < AGAIN and last is not None:
        return
    _tried[database.name] = now
    try:
        dsn = connection_string(Path(database.names_file))
        schema = address.read(dsn, samples=False)
    except (Unreadable, Unreachable):
        return
    found = confirming.changes(standing.tree, standing.text, schema)
    said = [f"{change.what} {change.name}" for change in found]
    before = last.facts.get("changes", []) if last is not None else []
    if said and said[:KEPT] != before:
        names = [change.name for change in found]
        shown = "、".join(names[:NAMED]) + ("……" if len(names) > NAMED else "")
        text = catalogues.changed(database.name, len(found), shown)
        at_us = int(now.timestamp() * 1_000_000)
        record(
            happening.blindness(
                "engine", config.site.node, database.name, at_us, "catalogue-changed", text
            )
        )
    acts.record("catalogue.compared", target=database.name, digest=digest, changes=said[:KEPT])


def _last(database: Database) -> Act | None:
    rows = Act.objects.filter(kind="catalogue.compared", target=database.name)
    return rows.order_by("-pk").first()


def standing(database: Database) -> list[Change]:
    """What the last look found."""
    last = _last(database)
    lines = last.facts.get("changes", []) if last is not None else []
    return [Change(*line.split(" ", 1)) for line in lines]
