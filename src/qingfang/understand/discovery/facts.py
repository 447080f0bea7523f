"""What a database says about itself, whatever it was read from. No behaviour but look-up.

Names are as written, with the schema in front when there is more than one schema
(`his.outp_rx`); `public`, `dbo` and the single schema of a dump are left out.
"""

from __future__ import annotations

from msgspec import Struct, field


class Column(Struct):
    """`type` is the database's own word for it, lower case; `samples` are some of its values."""

    name: str
    type: str = ""
    comment: str = ""
    samples: tuple[str, ...] = ()


class ForeignKey(Struct):
    """`columns` of this table refer to `to_columns` of `to_table` (its key when empty)."""

    columns: tuple[str, ...]
    to_table: str
    to_columns: tuple[str, ...] = ()


class Table(Struct):
    """`key` is the primary key, `unique` what else no two rows share, as far as the database
    itself sees to it. `rows` are some rows as text, cells in the order of `sampled` (column
    names). `members` are all values of columns of a small table, by column: what such a table
    lists."""

    name: str
    comment: str = ""
    columns: dict[str, Column] = field(default_factory=dict)
    key: tuple[str, ...] = ()
    foreign: list[ForeignKey] = field(default_factory=list)
    unique: list[tuple[str, ...]] = field(default_factory=list)
    sampled: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    members: dict[str, frozenset[str]] = field(default_factory=dict)

    @property
    def keys(self) -> list[tuple[str, ...]]:
        """The primary key, then the others, each once."""
        found: dict[frozenset[str], tuple[str, ...]] = {}
        for key in (self.key, *self.unique):
            if key:
                found.setdefault(frozenset(key), key)
        return list(found.values())


class Schema(Struct):
    """`views`, `routines` and `synonyms` map a name to its source text or target; `notes` say in
    Chinese what could not be read."""

    name: str = ""
    dialect: str = "postgres"
    tables: dict[str, Table] = field(default_factory=dict)
    views: dict[str, str] = field(default_factory=dict)
    routines: dict[str, str] = field(default_factory=dict)
    synonyms: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def table(self, name: str) -> Table | None:
        """The table by its name, without case."""
        found = self.tables.get(name)
        if found is not None:
            return found
        wanted = name.lower()
        return next((t for n, t in self.tables.items() if n.lower() == wanted), None)
