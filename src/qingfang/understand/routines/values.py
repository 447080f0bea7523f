"""What a variable may hold while a body is read: texts, constants, and what queries gave.

Rules this module keeps:

1. Texts are a bounded set; over the bound they become what they have in common at both ends, with a
   hole between. A hole is one character of a private plane and stands for a value not known here.
2. A value that came from rows is kept as these rows (`Leaf`): wherever it is used, they are joined.
3. `given` is the constant it certainly is; two branches that differ leave none.
"""

from __future__ import annotations

import re

from sqlglot import exp

MAX_TEXTS = 16
# The longest text that is put together; what would be longer is a hole.
MAX_LENGTH = 65_536
MAX_LEAVES = 12
MAX_GIVEN = 40
HOLE = 0xF0000
HOLES = 60_000
# The hole of a number or a time that nothing more is known of: the same in every statement.
PLAIN_HOLE = chr(HOLE)

# Types whose values cannot change the structure of a text they are put into.
_PLAIN_TYPES = frozenset(
    {
        *("INT", "INTEGER", "BIGINT", "SMALLINT", "TINYINT", "MEDIUMINT", "NUMERIC", "DECIMAL"),
        *("FLOAT", "REAL", "MONEY", "SMALLMONEY", "NUMBER", "DOUBLE", "BIT", "DATE", "DATETIME"),
        *("DATETIME2", "SMALLDATETIME", "TIMESTAMP", "TIMESTAMPTZ", "TIME", "PLS_INTEGER"),
        *("BINARY_INTEGER", "UNIQUEIDENTIFIER", "BOOLEAN", "BOOL", "POSITIVE", "NATURAL", "UUID"),
        *("INT2", "INT4", "INT8", "YEAR"),
    }
)


def is_plain_type(kind: str) -> bool:
    return kind.upper() in _PLAIN_TYPES


class Leaf:
    """A column (by place or by name, None: the row) of a query's rows. `exact`: its very value.
    `key` tells it from others, `width` is how many columns are named by place."""

    __slots__ = ("column", "exact", "key", "query", "width")

    def __init__(
        self,
        query: exp.Expr,
        column: int | str | None,
        key: tuple[object, ...],
        exact: bool = True,
        width: int = 1,
    ) -> None:
        self.query, self.column, self.exact, self.key, self.width = query, column, exact, key, width

    def derived(self) -> Leaf:
        return Leaf(self.query, self.column, self.key, False, self.width) if self.exact else self


class Value:
    """See the module's rules. `texts` None: not known at all; empty: nothing yet. `plain` tells that
    it cannot change a text's structure (a number, a time), `many` that a loop takes it through many
    values: what it is compared with is no single one. `control` are the conditions on rows
    that decided it. `literals` and `binds` are what its texts were made of. `latest` is what a
    session's variable was set to last, to tell its values apart: it may have another."""

    __slots__ = (
        *("binds", "control", "given", "latest", "leaves", "literals", "many", "plain", "texts"),
    )

    def __init__(
        self,
        texts: tuple[str, ...] | None = None,
        leaves: tuple[Leaf, ...] = (),
        given: exp.Expr | None = None,
        plain: bool = False,
        control: tuple[exp.Select, ...] = (),
        literals: frozenset[int] = frozenset(),
        binds: frozenset[int] = frozenset(),
        many: bool = False,
    ) -> None:
        self.many = many
        self.latest: str | None = None
        self.texts, self.leaves, self.given, self.plain = texts, leaves, given, plain
        self.control, self.literals, self.binds = control, literals, binds

    def signature(self) -> tuple[object, ...]:
        return (
            self.texts,
            tuple(sorted(repr((leaf.key, leaf.column)) for leaf in self.leaves)),
            self.given is None,
            self.many,
            tuple(id(c) for c in self.control),
        )

    def typed(self, kind: str) -> Value:
        """The value in a variable of this type."""
        if not is_plain_type(kind):
            return self
        return Value(
            *(self.texts, self.leaves, self.given, True, self.control, self.literals, self.binds),
            self.many,
        )

    def field(self, name: str) -> Value:
        """A field of a record."""
        leaves = tuple(Leaf(leaf.query, name, leaf.key, leaf.exact) for leaf in self.leaves)
        return Value(None, leaves, control=self.control)

    def derived(self) -> Value:
        return Value(
            None,
            tuple(leaf.derived() for leaf in self.leaves),
            None,
            self.plain,
            self.control,
            self.literals,
            self.binds,
            self.many,
        )

    def under(self, control: tuple[exp.Select, ...]) -> Value:
        """The value assigned where these conditions on rows hold."""
        if not control:
            return self
        more = tuple(dict.fromkeys((*self.control, *control)))
        return Value(
            *(self.texts, self.leaves, self.given, self.plain, more, self.literals, self.binds),
            self.many,
        )

    def moving(self) -> Value:
        """The value of a variable that a loop changes."""
        if self.leaves or self.many:
            return self
        return Value(
            *(self.texts, self.leaves, None, self.plain, self.control, self.literals, self.binds),
            True,
        )

    def known(self) -> str | None:
        """The one text it is, if there is just one, without holes."""
        if self.texts is None or len(self.texts) != 1 or self.leaves or has_hole(self.texts[0]):
            return None
        return self.texts[0]


UNKNOWN = Value()


def nothing() -> Value:
    """A variable declared, and nothing in it yet."""
    return Value((), (), exp.Null())


def join(one: Value | None, other: Value | None) -> Value:
    """What either of two branches may have left."""
    if one is None or other is None:
        return one or other or UNKNOWN
    if one is other:
        return one
    given = None
    if one.given is not None and other.given is not None and one.given == other.given:
        given = one.given
    return Value(
        gathered(one.texts, other.texts),
        leaves_of(one.leaves, other.leaves),
        given,
        one.plain and other.plain,
        tuple(dict.fromkeys((*one.control, *other.control))),
        one.literals | other.literals,
        one.binds | other.binds,
        one.many or other.many,
    )


def leaves_of(*groups: tuple[Leaf, ...]) -> tuple[Leaf, ...]:
    """All leaves, the later of two alike."""
    found: dict[str, Leaf] = {}
    for group in groups:
        for leaf in group:
            found[repr((leaf.key, leaf.column, leaf.exact))] = leaf
    return tuple(found.values())


def gathered(one: tuple[str, ...] | None, other: tuple[str, ...] | None) -> tuple[str, ...] | None:
    if one is None or other is None:
        return None
    return tuple(dict.fromkeys((*one, *other)))


_HOLE = re.compile(f"[{chr(HOLE)}-{chr(HOLE + HOLES - 1)}]")


def has_hole(text: str) -> bool:
    return _HOLE.search(text) is not None


def common_ends(texts: tuple[str, ...], hole: str) -> str:
    """What all the texts begin and end with, and a hole between."""
    first, last = min(texts), max(texts)
    shortest = min(len(text) for text in texts)
    start = 0
    while start < shortest and first[start] == last[start]:
        start += 1
    end = 0
    while end < shortest - start and all(text[-1 - end] == first[-1 - end] for text in texts):
        end += 1
    return first[:start] + hole + (first[len(first) - end :] if end else "")
