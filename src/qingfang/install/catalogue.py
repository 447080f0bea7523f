"""What the tables mean: read from the database, doubts confirmed by a person, two files written.

Beside `NAME.json`, the catalogue, lies `NAME.review.txt` in the form of `understand.discovery.review`:
first the doubts, later what was confirmed. A line that a person confirmed has confidence 1.00; what
has less, and what stands behind `#?`, is still open. The next reading applies what was confirmed.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from qingfang.language import _
from qingfang.understand.discovery import ddl, review
from qingfang.understand.discovery.propose import Proposal, propose
from qingfang.understand.discovery.readers import postgres
from qingfang.understand.discovery.review import Decision


class Counts(Struct, frozen=True):
    """Of a proposal: tables, those that hold usage, roles that are sure, points still open."""

    tables: int
    usage: int
    sure: int
    open: int


def read(dsn: str, progress: Callable[[int, int], None]) -> Proposal:
    """Raises `readers.live.Unreachable`."""
    return propose(postgres.read(dsn, progress=progress))


def review_file(catalogue: Path) -> Path:
    return catalogue.with_name(f"{catalogue.stem}.review.txt")


def apply_file(proposal: Proposal, file: Path) -> str:
    """Put a person's file over the proposal; the review that now stands. Raises
    `review.ReviewError`, `OSError`."""
    text = ddl.decode(file.read_bytes())
    decisions = review.read(text, str(file))
    review.apply(proposal, decisions, str(file))
    return confirmed(decisions, review.open_points(text))


def stands(proposal: Proposal, kept: Path) -> str:
    """The review of a new reading: what was confirmed before is applied and stays confirmed, what is
    new is open. Raises `review.ReviewError`, `OSError`."""
    if not kept.exists():
        return review.write(proposal)
    text = ddl.decode(kept.read_bytes())
    still_open = {(point.table, point.column) for point in review.open_points(text)}
    decided = [d for d in review.read(text, str(kept)) if (d.table, d.column) not in still_open]
    known = {(d.table, d.column) for d in decided}
    fresh = [
        point
        for point in review.open_points(review.write(proposal))
        if (point.table, point.column) not in known
    ]
    review.apply(proposal, decided, str(kept))
    return confirmed(decided, fresh)


def confirmed(decisions: list[Decision], still_open: list[review.Point]) -> str:
    """The text of a review in which these were decided by a person and those are open."""
    lines = [review.header()]
    taken = {(d.table, d.column) for d in decisions}
    lines += [f"{d.table}\t{d.column}\t{d.role}\t1.00\t{_('人工确认')}" for d in decisions]
    lines += [p.text for p in still_open if (p.table, p.column) not in taken]
    return "\n".join(lines) + "\n"


def counts(proposal: Proposal, text: str) -> Counts:
    sure = sum(
        reading.confidence >= review.SURE
        for columns in proposal.roles.values()
        for reading in columns.values()
    )
    usage = sum(kind.kind == "usage" for kind in proposal.kinds.values())
    return Counts(len(proposal.kinds), usage, sure, len(review.open_points(text)))


def save(proposal: Proposal, text: str, file: Path, name: str) -> None:
    """Write both files, each in one step. `name` is the catalogue's."""
    tree = {**proposal.catalogue(), "name": name}
    _write(review_file(file), text)
    _write(file, json.dumps(tree, ensure_ascii=False, indent=1) + "\n")


def _write(file: Path, text: str) -> None:
    fresh = file.with_name(f"{file.name}.new")
    fresh.write_text(text, encoding="utf-8")
    fresh.chmod(0o640)
    fresh.replace(file)
