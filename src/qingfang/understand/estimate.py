"""The lexical estimate: what a text that was not read may be about, and where it may have put it.

Rules this module keeps:

1. Words alone count, wherever they stand: too many tables are named rather than too few.
2. Of a text that is kept for later only words of the catalogue are kept, so that no value is.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from qingfang.events import Touch
from qingfang.understand.catalogue import Catalogue, split_name
from qingfang.understand.dialects import names

_READS = frozenset({"SELECT", "EXEC", "EXECUTE", "CALL", "WITH", "FROM", "TABLE"})
_PUTS = frozenset({"INSERT", "REPLACE", "MERGE"})
_BEFORE_NAME = frozenset({"TABLE", "VIEW", "IF", "NOT", "EXISTS", "ONLY", "INTO"})
# Where SELECT … INTO fills a table; elsewhere it fills variables.
_INTO_TABLES = frozenset({"tsql", "postgres"})


def touches(catalogue: Catalogue, text: str) -> tuple[Touch, ...]:
    """Catalogued tables whose name occurs in the text, and the roles of their columns that do."""
    words = set(names(text))
    found: list[Touch] = []
    for table in catalogue.tables.values():
        if split_name(table.name)[-1] in words:
            named = table.columns.keys() & words
            # A table without its columns is read whole.
            whole = "*" in text or not named
            roles = {role for n, role in table.columns.items() if role and (whole or n in named)}
            found.append(Touch(table.name, tuple(sorted(roles))))
    return tuple(found)


def unread(catalogue: Catalogue, text: str) -> exp.Command:
    """Stands for rows of a text that was not read; `touches_of` gives back its estimate."""
    known = {split_name(table.name)[-1] for table in catalogue.tables.values()}
    for table in catalogue.tables.values():
        known.update(table.columns)
    words = sorted(known.intersection(names(text)))
    if "*" in text:
        words.append("*")
    return exp.Command(this="UNREAD", expression=exp.Literal.string(" ".join(words)))


def touches_of(catalogue: Catalogue, rows: exp.Command) -> tuple[Touch, ...] | None:
    """What rows that were not read may be about, None when nothing tells."""
    return touches(catalogue, rows.expression.name) or None


def targets(words: Sequence[str], dialect: str) -> list[str]:
    """Where a statement of these words may put rows that it reads; a temporary table of T-SQL with
    its `#`. Rows that are written out (VALUES) are no such."""
    upper = [word.upper() for word in words]
    if not _READS.intersection(upper):
        return []
    found: list[str] = []
    for at, word in enumerate(upper[:-1]):
        before = upper[max(0, at - 3) : at]
        if word == "INTO":
            takes = dialect in _INTO_TABLES or bool(_PUTS.intersection(before))
        elif word == "INSERT":
            takes = dialect == "tsql" and upper[at + 1] != "INTO"
        elif word in {"TABLE", "VIEW"}:
            takes = "CREATE" in upper[max(0, at - 6) : at]
        else:
            takes = word == "UPDATE" and "SET" in upper[at:]
        if takes:
            name = _name(words, at + 1)
            if name and name not in found:
                found.append(name)
    return found


def _name(words: Sequence[str], at: int) -> str:
    """The last part of the name that begins here; empty when it is none."""
    while at < len(words) and words[at].upper() in _BEFORE_NAME:
        at += 1
    mark = ""
    while at < len(words) and words[at] and not words[at].strip("#"):
        mark, at = "#", at + 1
    while at + 2 < len(words) and words[at + 1] == ".":
        at += 2
    name = words[at].lower() if at < len(words) else ""
    return mark + name if name.lstrip("#").replace("$", "_").isidentifier() else ""
