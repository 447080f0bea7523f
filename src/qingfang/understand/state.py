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

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from sqlglot import exp, serde

from qingfang.understand.catalogue import split_name

MAX_OBJECTS = 1_000
MAX_SOURCES = 24
MAX_LAYERS = 3
MAX_NUMBERS = 4
MAX_ALIKE = 10
"""Of how many sources that differ in constants alone one more tells nothing new: no list of so many
keys is a pin."""

# PostgreSQL's cursors without a name of their own, and those whose name is not known.
UNNAMED_PORTAL = "<unnamed portal>"
ANY_PORTAL = "<any portal>"


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


class _Kept(Struct, array_like=True):
    """A `Made` as written down; `world` leads to places in the list it stands in."""

    name: str
    columns: list[str]
    sources: list[tuple[list[Any], list[str]]]
    world: dict[str, int]


class _Shared(Struct):
    version: int
    made: list[_Kept]
    objects: dict[str, int]
    synonyms: dict[str, list[str]]
    functions: dict[str, str]


VERSION = 2
_OURS = "sqlglot.expressions."


class Shared:
    """What sessions on one database have in common beyond the catalogue. `dump` and `load` carry it
    over a restart: what somebody put into a harmless table last week is read by others today."""

    __slots__ = ("functions", "objects", "synonyms")

    def __init__(self) -> None:
        self.objects: dict[str, Made] = {}
        self.synonyms: dict[str, list[str]] = {}
        self.functions: dict[str, str] = {}

    def mark(self) -> tuple[object, ...]:
        """Differs once something here has changed."""
        return (
            tuple([(name, id(made)) for name, made in self.objects.items()]),
            tuple([(name, tuple(targets)) for name, targets in self.synonyms.items()]),
            tuple(self.functions.items()),
        )

    def dump(self) -> bytes:
        """The whole state, to be read back by `load` of the same version."""
        places: dict[int, int] = {}
        found: list[Made] = []
        waiting = list(self.objects.values())
        while waiting:
            made = waiting.pop()
            if id(made) not in places:
                places[id(made)] = len(found)
                found.append(made)
                waiting.extend(made.world.values())
        kept = [
            _Kept(
                made.name,
                made.columns,
                [(serde.dump(node), columns) for node, columns in made.sources],
                {name: places[id(other)] for name, other in made.world.items()},
            )
            for made in found
        ]
        objects = {name: places[id(made)] for name, made in self.objects.items()}
        return msgspec.json.encode(_Shared(VERSION, kept, objects, self.synonyms, self.functions))

    def load(self, data: bytes) -> None:
        """Take over a dumped state. Raises ValueError, and changes nothing, when it is none or of
        another version."""
        try:
            state = msgspec.json.decode(data, type=_Shared)
            if state.version != VERSION:
                raise ValueError(f"state of version {state.version}, this program reads {VERSION}")
            worlds: list[dict[str, Made]] = [{} for _kept in state.made]
            made = [
                Made(kept.name, kept.columns, _sources(kept), world)
                for kept, world in zip(state.made, worlds, strict=True)
            ]
            for kept, world in zip(state.made, worlds, strict=True):
                world.update({name: made[place] for name, place in kept.world.items()})
            objects = {name: made[place] for name, place in state.objects.items()}
        except (msgspec.MsgspecError, UnicodeDecodeError, IndexError, KeyError) as error:
            raise ValueError(f"not a state of shared objects: {error}") from None
        except (AttributeError, TypeError) as error:
            raise ValueError(f"not a tree of SQL: {error}") from None
        self.objects, self.synonyms, self.functions = objects, state.synonyms, state.functions


def _sources(kept: _Kept) -> list[tuple[exp.Expr, list[str]]]:
    found: list[tuple[exp.Expr, list[str]]] = []
    for tree, columns in kept.sources:
        # `serde` imports the module that a part's class names.
        if not _ours(tree):
            raise TypeError(kept.name)
        node = serde.load(tree)
        if not isinstance(node, exp.Expr):
            raise TypeError(kept.name)
        found.append((node, columns))
    return found


def _ours(tree: list[Any]) -> bool:
    return all(
        str(part.get("c", _OURS)).startswith((_OURS, "DataType.")) and _ours(part.get("t") or [])
        for part in tree
    )


class SessionState:
    """One session's objects, by the last part of their name in lower case. `changed` tells that a
    statement built or dropped something, even if the same as before: it must be read each time."""

    __slots__ = (
        *(
            "changed",
            "cursors",
            "handles",
            "held",
            "latest",
            "objects",
            "prepared",
            "redated",
            "requoted",
            "sets",
            "shared",
            "texts",
        ),
    )

    def __init__(self, shared: Shared | None = None) -> None:
        self.shared = shared if shared is not None else Shared()
        self.objects: dict[str, Made] = {}
        self.prepared: dict[str, list[str]] = {}
        self.cursors: dict[str, str] = {}
        # What cursors opened in T-SQL's batches and in PostgreSQL's routines may hold.
        self.held: dict[str, list[exp.Expr]] = {}
        # What drivers of SQL Server's have prepared, by the server's number for it. Only statements that
        # are read each time ask for it.
        self.handles: dict[str, list[str]] = {}
        # What MySQL's user variables may hold; None: not known.
        self.texts: dict[str, tuple[str, ...] | None] = {}
        # What they were set to last, if the server took it: another mark for each value not known.
        self.latest: dict[str, str] = {}
        self.sets = 0
        # The session has changed what quotes mean. Whether the server took it, or took it back, is
        # not known.
        self.requoted = False
        # So is in which order it has day and month read.
        self.redated = False
        self.changed = False

    @property
    def empty(self) -> bool:
        """Nothing here can change what a statement means."""
        return not (
            self.objects
            or self.prepared
            or self.cursors
            or self.held
            or self.texts
            or self.requoted
            or self.redated
            or self.shared.objects
            or self.shared.synonyms
            or self.shared.functions
        )

    @property
    def has_own(self) -> bool:
        """Whether the session itself (not all sessions) has built something."""
        own = self.objects or self.prepared or self.cursors or self.held or self.texts
        return bool(own or self.requoted or self.redated)

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

    def handle(self, family: str, texts: Sequence[str]) -> None:
        """A text that a driver of SQL Server's has prepared: one of these, none: not known. The server
        counts the handles of a family from 1, so the n-th prepared has handle n."""
        number = 1 + sum(1 for name in self.handles if name.startswith(family))
        if len(self.handles) < MAX_OBJECTS:
            self.handles[f"{family} {number}"] = list(texts[:MAX_SOURCES])

    def handled(self, family: str, number: str) -> list[str]:
        """The texts that a handle may stand for: all prepared ones when its number tells nothing.
        Empty: not known."""
        found = self.handles.get(f"{family} {number}")
        if found is not None:
            return found
        every = list(self.handles.values())
        if not all(every) or len(every) > MAX_SOURCES:
            return []
        return list(dict.fromkeys(text for texts in every for text in texts))

    def hold(self, name: str, rows: list[exp.Expr]) -> None:
        """What a cursor may hold besides what it held: a second DECLARE of a name fails on the
        server. No rows: it is gone. Of too many none is kept, so that its FETCH is opaque."""
        if not rows:
            self.held.pop(name, None)
            return
        if name not in self.held and len(self.held) >= MAX_OBJECTS:
            return
        known = self.held.setdefault(name, list(rows[:1]))
        if not known:
            return
        texts = {row.sql() for row in known}
        known.extend(row for row in rows if row.sql() not in texts)
        if len(known) > MAX_SOURCES:
            self.held[name] = []

    def lose(self, name: str) -> None:
        """From now on it is not known what a cursor holds."""
        if name in self.held or len(self.held) < MAX_OBJECTS:
            self.held[name] = []

    def portal(self, name: str) -> list[exp.Expr] | None:
        """The rows that a PostgreSQL cursor of this name may hold, opened in a routine; None: they
        are not known."""
        plain = name.partition(" portal ")[0] + " portal>" if name.endswith(">") else name
        keys = (name, plain, ANY_PORTAL) if plain == UNNAMED_PORTAL else (name, ANY_PORTAL)
        known = [self.held[key] for key in keys if key in self.held]
        return [row for rows in known for row in rows] if known and all(known) else None

    def keep_texts(self, name: str, texts: tuple[str, ...] | None) -> None:
        """What a user variable may hold now: whether the server took the SET is not known, so what
        it held before stays possible."""
        if name not in self.texts and len(self.texts) >= MAX_OBJECTS:
            return
        self.changed = True
        # A mark ends in no digit: marks are no numbers in an order. What is worked out from a variable
        # comes in the order of what that may hold, the latest last.
        self.sets += 1
        self.latest[name] = texts[-1] if texts else f"{name}:={self.sets}."
        old = self.texts.get(name, ())
        both = None
        if old is not None and texts is not None:
            both = (*(text for text in old if text not in texts), *texts)
            if all(text.isdigit() for text in both):
                both = both[-MAX_NUMBERS:]  # a number changes no text's structure
        self.texts[name] = both if both is None or len(both) <= MAX_SOURCES else None

    def made(self, name: str) -> Made | None:
        key = _key(name)
        return self.objects.get(key) or self.shared.objects.get(key)

    def synonym(self, name: str) -> list[str]:
        return self.shared.synonyms.get(_key(name), [])

    def function(self, name: str) -> str | None:
        return self.shared.functions.get(_key(name))

    def define(self, name: str, text: str) -> None:
        """A routine's source."""
        self.changed = True
        self.shared.functions[_key(name)] = text

    def alias(self, name: str, target: str) -> None:
        """One more table that a synonym may lead to: whether the server took the CREATE is not
        known. Of too many the last are kept."""
        self.changed = True
        targets = self.shared.synonyms.setdefault(_key(name), [])
        if target not in targets:
            targets.append(target)
            del targets[:-MAX_SOURCES]

    def world(self) -> dict[str, Made]:
        """The objects as they are now."""
        return {**self.shared.objects, **self.objects}

    def keep(self, made: Made, temporary: bool, fails: bool = False) -> None:
        """What is built. `fails`: not if there is one of its name already, so that it may hold what
        that one holds; after too many of these it is forgotten."""
        self.changed = True
        into = self.objects if temporary else self.shared.objects
        old = into.get(_key(made.name))
        if fails and old is not None and old.sources:
            if not made.sources:
                return
            layers, under = 0, old
            while (below := under.world.get(_key(made.name))) is not None:
                layers, under = layers + 1, below
            if layers > MAX_LAYERS:
                into.pop(_key(made.name))
                return
            rows = exp.select("*").from_(exp.table_(_key(made.name)))
            world = {**made.world, _key(made.name): old}
            made = Made(made.name, made.columns, [*made.sources, (rows, [])], world)
        if len(into) < MAX_OBJECTS or _key(made.name) in into:
            into[_key(made.name)] = made

    def add(self, name: str, node: exp.Expr, columns: list[str]) -> None:
        """More rows for an object: INSERT … SELECT. An object not seen before becomes known by
        what was put in."""
        self.changed = True
        known = self.made(name)
        world = self.world()
        if known is None:
            self.keep(Made(name, columns, [(node, columns)], world), name.startswith("#"))
            return
        if any(old.sql() == node.sql() for old, _columns in known.sources):
            return
        sources = [*known.sources, (node, columns or known.columns)]
        into = self.objects if _key(name) in self.objects else self.shared.objects
        if len(sources) > MAX_SOURCES:
            form = _form(node)
            if sum(1 for old, _columns in known.sources if _form(old) == form) <= MAX_ALIKE:
                into.pop(_key(name), None)
            return
        into[_key(name)] = Made(name, known.columns, sources, world)

    def move(self, source: str, target: str, rows: exp.Expr, columns: list[str]) -> None:
        """Rows that come to stand under another name, which may have held others before; those of a
        temporary table are the session's."""
        self.changed = True
        key = _key(target)
        known = self.made(target)
        sources = list(known.sources) if known is not None else []
        if any(old.sql() == rows.sql() for old, _columns in sources):
            return
        sources.append((rows, columns))
        temporary = _key(source) in self.objects
        names = known.columns if known is not None else columns
        if len(sources) > MAX_SOURCES:
            (self.objects if temporary else self.shared.objects).pop(key, None)
            return
        self.keep(Made(target, names, sources, self.world()), temporary)

    def drop(self, name: str) -> None:
        self.changed = True
        key = _key(name)
        if self.objects.pop(key, None) is None:
            self.shared.objects.pop(key, None)
            self.shared.functions.pop(key, None)


def _key(name: str) -> str:
    return split_name(name)[-1].lstrip("#")


def _form(node: exp.Expr) -> str:
    """The query without its constants."""
    twin = node.copy()
    for literal in list(twin.find_all(exp.Literal)):
        literal.replace(exp.Placeholder())
    return twin.sql()


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
        part.meta.pop("given", None)
    return twin
