"""The names one SELECT sees, and how a column's name finds what it shows.

Rules this module keeps:

1. A name is looked up here first, then further out; what is found nowhere shows nothing, and a
   qualifier that is found nowhere is reported (`unknown_name`), as is a name with signs that no
   name has: what the server reads there is not known.
2. Everything from a view or a stored body is said to stand where the statement mentions it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import TYPE_CHECKING

from sqlglot import exp

from qingfang.events import Touch
from qingfang.understand import dialects
from qingfang.understand.flows import NOTHING, Block, Flow, Instance, Span, union

if TYPE_CHECKING:
    from qingfang.understand.walker import Walker

MAX_ARMS = 64

# Row names that hold what the client itself sent, or nothing of a table.
_CLIENTS_OWN = frozenset({"excluded", "new", "nextval", "currval", "dual", "inserted"})


class OverBudget(Exception):
    """The query takes more steps, arms or nesting than is analysed."""


class Problem:
    """Something in the statement that is not known: `kind` is a reason code. `touches` is what it
    is known to be about, None when only the words of the statement tell."""

    __slots__ = ("kind", "name", "span", "touches")

    def __init__(
        self, kind: str, name: str, span: Span | None, touches: tuple[Touch, ...] | None = None
    ) -> None:
        self.kind, self.name, self.span, self.touches = kind, name, span, touches


class Name:
    """One name in FROM: its columns' flows, and the flow of columns not listed. `open` tells that
    its table may have columns the catalogue does not list; `instances` are those behind it."""

    __slots__ = ("alias", "columns", "instances", "open", "other")

    def __init__(
        self, alias: str, columns: dict[str, Flow], other: Flow | None = None, is_open: bool = False
    ) -> None:
        self.alias, self.columns, self.other, self.open = alias, columns, other, is_open
        self.instances: tuple[Instance, ...] = ()

    def row(self) -> Flow:
        return union(self.columns.values()) | (self.other or NOTHING)


def _either(names: list[Name]) -> Name:
    """Names told apart only by quotes: what any of them shows, and no column for certain."""
    columns = {column for name in names for column in name.columns}
    merged = {
        column: union(n.columns[column] for n in names if column in n.columns) for column in columns
    }
    others = [name.other for name in names if name.other is not None]
    found = Name(
        names[0].alias,
        {column: shown.derived() for column, shown in merged.items()},
        union(others) if others else None,
        any(name.open for name in names),
    )
    found.instances = tuple(i for name in names for i in name.instances)
    return found


class Cte:
    """A WITH query and the names it was defined under; `arms` while it is being recursed into. `marks`
    are the columns that SEARCH and CYCLE add to it."""

    __slots__ = ("arms", "columns", "ctes", "marks", "node", "recursive", "spelling", "under_way")

    def __init__(
        self, node: exp.Expr, columns: list[str], ctes: Mapping[str, Cte], recursive: bool
    ) -> None:
        self.node, self.columns, self.ctes, self.recursive = node, columns, ctes, recursive
        self.under_way = False
        # As the server keeps its name.
        self.spelling = ""
        self.marks: list[str] = []
        self.arms: list[Block] | None = None


class Scope:
    """The names one SELECT sees, and the block it builds.

    `anchor` is where in the statement everything here is said to stand (a view's mention), None in
    the statement's own text. `params` are a stored body's parameters.
    """

    __slots__ = (
        *("aliases", "aliases_first", "anchor", "ctes", "draft", "names", "outer", "params"),
        "walker",
    )

    def __init__(
        self,
        walker: Walker,
        outer: Scope | None = None,
        ctes: Mapping[str, Cte] | None = None,
        anchor: Span | None = None,
        params: Mapping[str, Flow] | None = None,
    ) -> None:
        self.walker, self.outer, self.anchor = walker, outer, anchor
        self.ctes: Mapping[str, Cte] = ctes if ctes is not None else {}
        self.params: Mapping[str, Flow] = params if params is not None else {}
        self.draft = Block()
        self.names: list[Name] = []
        self.aliases: dict[str, Flow] = {}
        # MySQL's HAVING looks at the output's names before the tables'.
        self.aliases_first = False

    @property
    def own(self) -> bool:
        """Whether this is the statement's own text, whose literals have offsets."""
        return self.anchor is None

    def inside(self) -> Scope:
        """The scope of a sub-select."""
        return Scope(self.walker, self, self.ctes, self.anchor, self.params)

    def twin(self) -> Scope:
        """The same with a block of its own, for another arm."""
        twin = Scope(self.walker, self.outer, self.ctes, self.anchor, self.params)
        twin.draft, twin.names = self.draft.copy(), list(self.names)
        return twin

    def span(self, node: exp.Expr) -> Span | None:
        return self.anchor if self.anchor is not None else dialects.span(node)

    def star(self) -> Flow:
        return union(name.row() for name in self.names)

    def column(self, node: exp.Column) -> Flow:
        """What a column name shows, found here or further out."""
        span = self.span(node)
        if isinstance(node.this, exp.Star):
            named = self.named(node.table.lower())
            return named.row().at(span) if named is not None else NOTHING
        name, table = self._spelt(node.name), node.table.lower()
        if table:
            return self._qualified(table, name, node).at(span)
        scope: Scope | None = self
        while scope is not None:
            found = scope._here(name)
            if found is not None:
                return found.at(span)
            if name in scope.params:
                return scope.params[name].at(span)
            scope = scope.outer
        if _is_misread(node):
            self.walker.problem("unknown_name", name, node, self)
        return self.walker.bare_call(node, self)

    def _spelt(self, name: str) -> str:
        """A column's name in lower case. SQL Server compares names by the database's collation: those
        of Chinese installations tell neither full-width letters nor blanks at the end apart. What is
        in sight as it stands goes first."""
        lower = name.lower()
        if self.walker.dialect != "tsql" or (lower.isascii() and not lower.endswith(" ")):
            return lower
        scope: Scope | None = self
        while scope is not None:
            if lower in scope.aliases or any(lower in n.columns for n in scope.names):
                return lower
            scope = scope.outer
        return unicodedata.normalize("NFKC", lower).casefold().rstrip()

    def sees(self, node: exp.Column) -> bool:
        """Whether a column of this name, or the table it is said to be of, is in sight."""
        if node.table:
            return self.named(node.table.lower()) is not None
        scope: Scope | None = self
        while scope is not None:
            if any(node.name.lower() in name.columns for name in scope.names):
                return True
            scope = scope.outer
        return False

    def named(self, alias: str) -> Name | None:
        scope: Scope | None = self
        while scope is not None:
            found = [name for name in scope.names if name.alias == alias]
            if len(found) > 1:
                return _either(found)
            if found:
                return found[0]
            scope = scope.outer
        return None

    def _qualified(self, table: str, column: str, node: exp.Column) -> Flow:
        named = self.named(table)
        if named is None:
            if table in _CLIENTS_OWN or column in _CLIENTS_OWN or table in self.params:
                return self.params.get(table, NOTHING)
            self.walker.problem("unknown_name", f"{table}.{column}", node, self)
            return NOTHING
        found = named.columns.get(column)
        if found is not None:
            return found
        return named.other if named.other is not None else NOTHING

    def _here(self, column: str) -> Flow | None:
        if self.aliases_first and column in self.aliases:
            return self.aliases[column]
        hits = [name.columns[column] for name in self.names if column in name.columns]
        if len(hits) == 1:
            return hits[0]
        if hits:
            # A column joined by USING, or an ambiguity the database would refuse.
            merged = union(hits)
            first = hits[0]
            if column in self.walker.odd:
                # Told apart by quotes.
                return merged.derived()
            return Flow(
                merged.raw,
                merged.summed,
                merged.tested,
                merged.counted,
                first.exact,
                merged.packed,
                first.member,
            )
        for name in self.names:
            if name.alias == column:
                return name.row().derived()
        if column in self.aliases:
            return self.aliases[column]
        others = [name.other for name in self.names if name.other is not None]
        if others:
            return union(others)
        return None


# Separators that the parser takes for letters.
_SIGNS = frozenset("，。、；：＊（）‘’“”")


def _is_misread(node: exp.Column) -> bool:
    """Whether a name without quotes holds what no name does: the server may read it otherwise."""
    name = node.this
    if node.name.isascii() or (isinstance(name, exp.Identifier) and name.quoted):
        return False
    return any(c in _SIGNS or unicodedata.category(c)[0] in "CZ" for c in node.name)
