"""What a session has built so far: temp tables, views, prepared statements, cursors, functions.

Rules this module keeps:

1. A thing is kept as what it was built from, in the world of that moment: dropping or rebuilding
   what it came from changes nothing about it.
2. Bound values are put in as constants when it is kept; offsets into the old text are dropped.
3. Everything is bounded: over the bound a session's new objects are forgotten, and their use is
   opaque, never none.
4. What outlives a session (a permanent table) goes to the `Shared` state that sessions have in
   common; without one it lives as long as the session.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from qingfang.understand.catalogue import split_name

MAX_OBJECTS = 1_000
MAX_SOURCES = 24


class Made:
    """An object built in a session: its columns, and the queries whose rows it holds."""

    __slots__ = ("columns", "name", "sources", "world")

    def __init__(
        self,
        name: str,
        columns: list[str],
        sources: list[tuple[exp.Expr, list[str]]],
        world: Mapping[str, Made],
    ) -> None:
        self.name, self.columns, self.sources, self.world = name, columns, sources, world


class Shared:
    """What sessions on one database have in common beyond the catalogue."""

    __slots__ = ("functions", "objects", "synonyms")

    def __init__(self) -> None:
        self.objects: dict[str, Made] = {}
        self.synonyms: dict[str, str] = {}
        self.functions: dict[str, str] = {}


class SessionState:
    """One session's objects, by the last part of their name in lower case."""

    __slots__ = ("cursors", "objects", "prepared", "shared")

    def __init__(self, shared: Shared | None = None) -> None:
        self.shared = shared if shared is not None else Shared()
        self.objects: dict[str, Made] = {}
        self.prepared: dict[str, list[str]] = {}
        self.cursors: dict[str, str] = {}

    @property
    def empty(self) -> bool:
        """Nothing here can change what a statement means."""
        return not (
            self.objects
            or self.prepared
            or self.cursors
            or self.shared.objects
            or self.shared.synonyms
            or self.shared.functions
        )

    @property
    def has_own(self) -> bool:
        """Whether the session itself (not all sessions) has built something."""
        return bool(self.objects or self.prepared or self.cursors)

    def prepare(self, name: str, text: str) -> None:
        """One more text that `name` may stand for. Nothing takes it back: whether the server took
        a PREPARE, a DEALLOCATE or a DISCARD is not known here. Of too many none is kept."""
        if name not in self.prepared and len(self.prepared) >= MAX_OBJECTS:
            return
        texts = self.prepared.setdefault(name, [text])
        if texts and text not in texts:
            texts.append(text)
            if len(texts) > MAX_SOURCES:
                texts.clear()

    def made(self, name: str) -> Made | None:
        key = _key(name)
        return self.objects.get(key) or self.shared.objects.get(key)

    def synonym(self, name: str) -> str | None:
        return self.shared.synonyms.get(_key(name))

    def function(self, name: str) -> str | None:
        return self.shared.functions.get(_key(name))

    def world(self) -> dict[str, Made]:
        """The objects as they are now."""
        return {**self.shared.objects, **self.objects}

    def keep(self, made: Made, temporary: bool) -> None:
        into = self.objects if temporary else self.shared.objects
        if len(into) < MAX_OBJECTS or _key(made.name) in into:
            into[_key(made.name)] = made

    def add(self, name: str, node: exp.Expr, columns: list[str]) -> None:
        """More rows for an object: INSERT … SELECT. An object not seen before becomes known by
        what was put in."""
        known = self.made(name)
        world = self.world()
        if known is None:
            self.keep(Made(name, columns, [(node, columns)], world), False)
            return
        if any(old.sql() == node.sql() for old, _columns in known.sources):
            return
        sources = [*known.sources, (node, columns or known.columns)]
        into = self.objects if _key(name) in self.objects else self.shared.objects
        if len(sources) > MAX_SOURCES:
            into.pop(_key(name), None)
            return
        into[_key(name)] = Made(name, known.columns, sources, world)

    def drop(self, name: str) -> None:
        key = _key(name)
        if self.objects.pop(key, None) is None:
            self.shared.objects.pop(key, None)
            self.shared.functions.pop(key, None)


def _key(name: str) -> str:
    return split_name(name)[-1]


def frozen(node: exp.Expr, constants: Mapping[str, str | None]) -> exp.Expr:
    """The tree with bound values put in as constants (by placeholder name) and without offsets."""
    twin = node.copy()
    for place in list(twin.find_all(exp.Placeholder)):
        name = str(place.this)
        if name in constants:
            text = constants[name]
            place.replace(exp.Null() if text is None else exp.Literal.string(text))
    for part in twin.walk():
        part.meta.pop("start", None)
        part.meta.pop("end", None)
    return twin
