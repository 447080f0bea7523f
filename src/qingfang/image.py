"""The state of one moment of tables that go on changing, given out part by part.

Rules this module keeps:

1. All parts together are the state of the moment at which the image was taken: what changes or goes
   before its turn came is copied first (copy on write).
2. Taking one costs nothing, and a part costs no more than its size and a list of one table's names:
   whoever is asked meanwhile hardly waits.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from typing import Final, Generic, Protocol, TypeVar

import msgspec
from msgspec import Struct

_LOOK: Final = 64
"""What looking at one name counts for, in bytes."""


class Entry(Struct, frozen=True, array_like=True, gc=False):
    """What a table holds under a name, packed. Within a table a lower `turn` is longer idle."""

    table: str
    name: str
    turn: int
    known: msgspec.Raw


class Turned(Protocol):
    """What a table holds; `turn` is the owner's count of changes at its own last one."""

    @property
    def turn(self) -> int: ...


_T = TypeVar("_T", bound=Turned)


class Image(Generic[_T]):
    """The state of `tables` as it is now; `turn` is the count of changes so far, and everything that
    is changed from now on gets a higher one. `pack` makes bytes (MessagePack) of what is held."""

    def __init__(
        self,
        tables: Mapping[str, OrderedDict[str, _T]],
        turn: int,
        pack: Callable[[_T], bytes],
    ) -> None:
        self._tables, self._turn, self._pack = tables, turn, pack
        self._ahead = list(tables)
        self._table = ""
        self._names: list[str] = []
        self._taken: set[str] = set()
        self._kept: deque[Entry] = deque()
        self._over = False

    def keep(self, table: str, name: str, held: _T) -> None:
        """`held` is about to be changed (it gets a higher turn then) or to go."""
        if self._over or held.turn > self._turn:
            return
        if table not in self._ahead and (table != self._table or name in self._taken):
            return
        self._kept.append(self._entry(table, name, held))

    def part(self, most: int) -> list[Entry] | None:
        """The next entries, until they come to `most` bytes; it may be that there are none among
        those looked at. None at the end."""
        entries: list[Entry] = []
        size = 0
        while size < most and not self._over:
            if self._kept:
                entry = self._kept.popleft()
                entries.append(entry)
                size += _LOOK + len(entry.known)
            elif self._names:
                size += _LOOK
                name = self._names.pop()
                held = self._tables[self._table].get(name)
                if held is not None and held.turn <= self._turn:
                    self._taken.add(name)
                    entry = self._entry(self._table, name, held)
                    entries.append(entry)
                    size += len(entry.known)
            elif not self._next():
                break
        if not size:
            self.drop()
            return None
        return entries

    def drop(self) -> None:
        """Nobody takes the rest of it."""
        self._over = True
        self._ahead.clear()
        self._names.clear()
        self._taken.clear()
        self._kept.clear()

    def _next(self) -> bool:
        """Go on to the next table, whose names are listed only now: those that went since were kept,
        those that came since have a higher turn."""
        if not self._ahead:
            return False
        self._table = self._ahead.pop(0)
        # In no order, which an ordered dictionary gives much slower: entries tell their turn.
        self._names = list(dict.keys(self._tables[self._table]))
        self._taken = set()
        return True

    def _entry(self, table: str, name: str, held: _T) -> Entry:
        return Entry(table, name, held.turn, msgspec.Raw(self._pack(held)))
