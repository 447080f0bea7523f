"""Who hears what a body does, and the body under way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from sqlglot import exp

from qingfang.understand.routines.tree import (
    Routine,
    Span,
)
from qingfang.understand.routines.values import (
    Value,
)

if TYPE_CHECKING:
    pass


class Sink(Protocol):
    """Who hears what a body does. `anchor` None: it stands in the statement's own text."""

    def shown(self, tree: exp.Expr, span: Span, anchor: Span | None, stored: bool) -> None:
        """Rows go to who called, or (`stored`) somewhere they can be fetched from."""

    def did(self, tree: exp.Expr, span: Span, anchor: Span | None) -> None:
        """A change of something that outlives the body."""

    def problem(self, kind: str, name: str, span: Span) -> None:
        """Something that was not read."""

    def text(self, kind: str, name: str) -> tuple[str, ...] | None:
        """What the session knows under a name: a `variable`'s texts, a `prepared` statement's, those
        of a driver's `handle`; None: nothing."""

    def learn(self, kind: str, name: str, texts: tuple[str, ...] | None) -> None:
        """What the session's own batch gives such a name."""

    def hold(self, name: str, rows: list[exp.Expr]) -> None:
        """The session's own batch declares a cursor, or fills a variable, that outlives it; no rows:
        it is gone."""

    def held(self, name: str) -> list[exp.Expr] | None:
        """The rows that a cursor or a variable of the session may hold; none: they were too many to
        keep. None: it is not known."""
        ...


class Stored:
    """Hears for another, for whom all of it is stored."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink

    def shown(self, tree: exp.Expr, span: Span, anchor: Span | None, stored: bool) -> None:
        self.sink.shown(tree, span, anchor, True)

    def did(self, tree: exp.Expr, span: Span, anchor: Span | None) -> None:
        self.sink.did(tree, span, anchor)

    def problem(self, kind: str, name: str, span: Span) -> None:
        self.sink.problem(kind, name, span)

    def text(self, kind: str, name: str) -> tuple[str, ...] | None:
        return self.sink.text(kind, name)

    def learn(self, kind: str, name: str, texts: tuple[str, ...] | None) -> None:
        self.sink.learn(kind, name, texts)

    def hold(self, name: str, rows: list[exp.Expr]) -> None:
        self.sink.hold(name, rows)

    def held(self, name: str) -> list[exp.Expr] | None:
        return self.sink.held(name)


class Table:
    """A table that the body alone sees: what was put into it, by the statement that did."""

    __slots__ = ("columns", "sources")

    def __init__(self, columns: list[str]) -> None:
        self.columns = columns
        self.sources: dict[int, tuple[exp.Expr, list[str]]] = {}


class Frame:
    """One body under way."""

    __slots__ = (
        *("anchor", "caught", "env", "guards", "inner", "loops", "own", "package", "plain"),
        *("jumps", "positional", "result", "rows", "span", "tables"),
    )

    def __init__(self, own: bool, anchor: Span | None, span: Span) -> None:
        self.own, self.anchor, self.span = own, anchor, span
        self.env: dict[str, Value] = {}
        self.tables: dict[str, Table] = {}
        self.positional: list[Value] | None = None
        self.guards: list[exp.Select] = []
        self.inner: dict[str, Routine] = {}
        self.package = ""
        self.rows: list[exp.Expr] = []
        self.result: Value | None = None
        # Rows that go to another statement of the server (INSERT … EXEC), not to who called.
        self.caught: list[exp.Expr] | None = None
        self.loops = 0
        # A GOTO may go anywhere: nothing is decided, no assignment replaces another.
        self.jumps = False
        self.plain = False
