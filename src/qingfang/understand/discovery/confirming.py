"""Confirming what tables mean, one table at a time, without the database.

A catalogue and its review (see `review`) go in, both go out changed; nobody reads the schema again.

Rules this module keeps:

1. What is asked first: tables that hold usage before others, and the least sure before the surer.
   A table on which nothing is open comes last.
2. A person who confirms a table has answered for all of it: its open lines become decisions of
   confidence 1.00, and what narrows (`#?`) and was not taken is gone.
3. The catalogue that comes out has passed `catalogue.load`, or nothing comes out.
4. Undoing gives back exactly what `confirm` found: catalogue entry and review lines.
5. Objects that the database has and the catalogue has not, or has otherwise, are told by name and
   kind, never judged here.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any, Final

from msgspec import Struct

from qingfang.language import _
from qingfang.understand import catalogue
from qingfang.understand.catalogue import CatalogueError
from qingfang.understand.discovery import ddl, item_kinds, review
from qingfang.understand.discovery.facts import Schema
from qingfang.understand.discovery.review import Point

SURE: Final = review.SURE


class Cell(Struct, frozen=True):
    """One column as the catalogue has it. `confidence` is None when nothing was noted (it is sure,
    or has no role); `open` tells that a person is asked."""

    column: str
    role: str | None
    confidence: float | None
    reason: str
    open: bool


class Sheet(Struct, frozen=True):
    """One table. `asked` are the proposals that count only when a person takes them, `item_kind`
    what stands of the kinds of its items (see `item_kinds`; empty: nothing), `open` how
    many points wait, `least` the lowest confidence among them (1 when none)."""

    name: str
    comment: str
    kind: str
    kind_reason: str
    kind_open: bool
    cells: tuple[Cell, ...]
    asked: tuple[Point, ...]
    item_kind: str
    confirmed: bool
    open: int
    least: float


class Undo(Struct, frozen=True):
    """What `confirm` changed of one table: its entry, the operators, its lines of the review."""

    table: str
    entry: dict[str, Any]
    operators: list[dict[str, Any]]
    lines: list[str]


_ORDER: Final = {"usage": 0, "stock": 1, "dictionary": 2, "other": 3}


def sheets(tree: dict[str, Any], text: str) -> list[Sheet]:
    """All tables of a catalogue with what its review says of them, the most urgent first."""
    points: dict[str, list[Point]] = {}
    for point in review.open_points(text):
        points.setdefault(point.table, []).append(point)
    decided = {(d.table, d.column) for d in review.decided(text)}
    made = [
        _sheet(name, body, points.get(name, []), (name, "*") in decided)
        for name, body in tree.get("tables", {}).items()
    ]
    return sorted(made, key=lambda s: (not s.open, _ORDER.get(s.kind, 3), s.least, s.name))


def _sheet(name: str, body: dict[str, Any], points: list[Point], confirmed: bool) -> Sheet:
    by_column = {p.column: p for p in points if not p.asked}
    cells = tuple(
        Cell(
            column,
            "item_kind" if isinstance(role, dict) else role,
            by_column[column].confidence if column in by_column else None,
            by_column[column].reason if column in by_column else "",
            column in by_column,
        )
        for column, role in body.get("columns", {}).items()
    )
    of_table = by_column.get("*")
    return Sheet(
        name,
        body.get("comment") or "",
        body["kind"],
        of_table.reason if of_table is not None else "",
        of_table is not None,
        cells,
        tuple(p for p in points if p.asked),
        item_kinds.text_of(item_kinds.standing(body)),
        confirmed,
        len(points),
        min((p.confidence for p in points if not p.asked), default=1.0),
    )


def confirm(
    tree: dict[str, Any],
    text: str,
    table: str,
    kind: str,
    roles: dict[str, str | None],
    taken: dict[str, str],
) -> tuple[dict[str, Any], str, Undo]:
    """A person's word on one table: its kind, the role of each column, and what narrows that was
    taken (`*usage_when` → predicate …; `*item_kind` → `-` takes back what stands). The catalogue, the review, and how to undo it. Raises
    KeyError for an unknown table, `catalogue.CatalogueError` for what cannot be."""
    made = copy.deepcopy(tree)
    entry = made["tables"][table]
    before = Undo(
        table, tree["tables"][table], list(tree.get("operators", [])), _lines(text, table)
    )
    changed: list[tuple[str, str]] = [("*", kind)]
    entry["kind"] = kind
    open_columns = {p.column for p in review.open_points(text) if p.table == table and not p.asked}
    for column in entry["columns"]:
        if column not in roles:
            continue
        old = entry["columns"][column]
        role = roles[column]
        same = role == ("item_kind" if isinstance(old, dict) else old)
        if not same:
            entry["columns"][column] = role
        if not same or column in open_columns:
            changed.append((column, role or "-"))
    if kind not in {"usage", "stock"}:
        entry.pop("usage_when", None)
    for what, said in taken.items():
        if what == "*operator":
            column, on, scope = [*said.split(), "", "", ""][:3]
            operator = {"table": table, "column": column, "on": on, "scope": scope}
            if operator not in made.setdefault("operators", []):
                made["operators"].append(operator)
        elif what == "*item_kind":
            _of_kinds(entry, said)
            _reads_own(made, table, what[1:], entry.get("item_kind", {}).values())
        else:
            entry[what[1:]] = said
            _reads_own(made, table, what[1:], [said])
        changed.append((what, said))
    catalogue.load(made)
    kept = [line for line in text.splitlines() if line not in set(before.lines)]
    said_now = [f"{table}\t{c}\t{role}\t1.00\t{_('人工确认')}" for c, role in changed]
    # What was decided earlier and is not decided anew stays decided.
    again = {c for c, _role in changed}
    earlier = [
        line
        for line in before.lines
        if (d := review.decision_of(line)) is not None and d.column not in again
    ]
    return made, "\n".join([*kept, *earlier, *said_now]) + "\n", before


def _of_kinds(entry: dict[str, Any], said: str) -> None:
    """The kinds of a table's items, instead of what stands at the table and at its columns."""
    for column, role in entry["columns"].items():
        if isinstance(role, dict):
            entry["columns"][column] = "item_kind"
    entry.pop("item_kind", None)
    if said != "-":
        entry["item_kind"] = item_kinds.read(said)


def _reads_own(tree: dict[str, Any], table: str, key: str, given: Iterable[object]) -> None:
    """Raise when a predicate reads a column that the table has not."""
    own = {column.lower() for column in tree["tables"][table]["columns"]}
    path = f"tables.{table}.{key}"
    for text in given:
        if isinstance(text, str):
            read = catalogue.predicate(text, tree.get("dialect", "postgres"), path)
            for column in sorted(catalogue.columns_of(read) - own):
                raise CatalogueError(path, f"这张表没有列 {column}")


def undo(tree: dict[str, Any], text: str, step: Undo) -> tuple[dict[str, Any], str]:
    """Catalogue and review as they were before `confirm`, for that one table."""
    made = copy.deepcopy(tree)
    made["tables"][step.table] = step.entry
    made.pop("operators", None)
    if step.operators:
        made["operators"] = step.operators
    catalogue.load(made)
    lines = set(_lines(text, step.table))
    kept = [line for line in text.splitlines() if line not in lines]
    return made, "\n".join([*kept, *step.lines]) + "\n"


def _lines(text: str, table: str) -> list[str]:
    """The lines of a review about one table."""
    return [
        line
        for line in text.splitlines()
        if (not line.startswith("#") or line.startswith("#?"))
        and line.removeprefix("#?").split("\t")[0].strip() == table
    ]


# ---------------------------------------------------------------- new and changed objects


class Change(Struct, frozen=True):
    """`what` is `table-new`, `table-gone`, `column-new`, `column-gone`, `view-new`, `view-changed`,
    `view-gone`, or the same of `routine`."""

    what: str
    name: str


def changes(tree: dict[str, Any], schema: Schema) -> list[Change]:
    """What the database has otherwise than the catalogue. Names are compared as the analyser does:
    without case, and a schema that one side leaves out is the same."""
    found: list[Change] = []
    known = tree.get("tables", {})
    here = _matched(known, schema.tables)
    for name, table in schema.tables.items():
        ours = here.get(name)
        if ours is None:
            found.append(Change("table-new", name))
            continue
        columns = {c.lower() for c in known[ours].get("columns", {})}
        theirs = {c.lower() for c in table.columns}
        found += [
            Change("column-new", f"{name}.{c}") for c in table.columns if c.lower() not in columns
        ]
        found += [
            Change("column-gone", f"{name}.{c}")
            for c in known[ours].get("columns", {})
            if c.lower() not in theirs
        ]
    found += [Change("table-gone", n) for n in known if n not in set(here.values())]
    for what, ours_all, theirs_all in (
        ("view", tree.get("views", {}), schema.views),
        ("routine", tree.get("procedures", {}), schema.routines),
    ):
        matched = _matched(ours_all, theirs_all)
        for name, source in theirs_all.items():
            if name not in matched:
                found.append(Change(f"{what}-new", name))
            elif _plain(ours_all[matched[name]]) != _plain(source):
                found.append(Change(f"{what}-changed", name))
        gone = [n for n in ours_all if n not in set(matched.values())]
        found += [Change(f"{what}-gone", n) for n in gone]
    return found


def _matched(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, str]:
    """Their name → ours."""
    exact = {".".join(catalogue.split_name(n)): n for n in ours}
    last: dict[str, list[str]] = {}
    for name in exact:
        last.setdefault(name.rsplit(".", 1)[-1], []).append(name)
    found: dict[str, str] = {}
    for name in theirs:
        plain = ".".join(catalogue.split_name(name))
        if plain in exact:
            found[name] = exact[plain]
            continue
        for other in last.get(plain.rsplit(".", 1)[-1], []):
            if "." not in plain or "." not in other:
                found[name] = exact[other]
    return found


def _plain(source: str) -> str:
    """A source without what databases and exports write differently: spaces, case, the end mark."""
    return " ".join(ddl.view_body(source).split()).rstrip(";").lower()
