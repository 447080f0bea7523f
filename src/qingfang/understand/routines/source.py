"""A routine's source, a batch or a dynamic text → its statement tree.

Trees of sources are kept (they are the same each time) and must not be changed. They carry no
offsets: what a body does is said to stand where it is called.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from sqlglot.tokenizer_core import Token

from qingfang.understand import dialects
from qingfang.understand.routines import blocks, tsql
from qingfang.understand.routines.cut import TooDeep, word
from qingfang.understand.routines.tree import Block, Routine, Unread

_ROUTINES = frozenset(
    {"FUNCTION", "PROCEDURE", "PROC", "TRIGGER", "EVENT", "PACKAGE", "TYPE", "JOB"}
)
_READ_LANGUAGES = frozenset({"plpgsql", "sql", "plsql", "plpgsql_inline"})


def opaque(kind: str = "opaque_body") -> Routine:
    return Routine(body=Block([Unread(kind)]))


@lru_cache(maxsize=512)
def read(text: str, dialect: str) -> Routine:
    """A routine's source (`CREATE FUNCTION …`), a bare body, a block or a batch."""
    words = dialects.words(text, dialect)
    if isinstance(words, str):
        return opaque("too_deep" if words == "too_deep" else "opaque_body")
    found = read_words(words, text, dialect)
    for tree in found.parsed:
        for node in tree.walk():
            node.meta.pop("start", None)
            node.meta.pop("end", None)
    return found


def read_words(tokens: list[Token], text: str, dialect: str) -> Routine:
    """The same of words that are cut already; their trees keep their offsets."""
    return _guarded(_read, tokens, text, dialect)


def block(tokens: list[Token], text: str, dialect: str) -> Routine:
    """A block or a list of statements without a head."""
    return _guarded(_block, tokens, text, dialect)


def _guarded(
    reader: Callable[[list[Token], str, str], Routine],
    tokens: list[Token],
    text: str,
    dialect: str,
) -> Routine:
    """What a reader makes of words; opaque when it cannot."""
    try:
        return reader(tokens, text, dialect)
    except (TooDeep, RecursionError):
        return opaque("too_deep")
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        # Words in an order that no reader foresaw.
        return opaque()


def _read(tokens: list[Token], text: str, dialect: str) -> Routine:
    while tokens and tokens[-1].text in {";", "/"}:
        tokens = tokens[:-1]
    if not tokens:
        return Routine()
    heads = [word(token) for token in tokens[:7]]
    creates = heads[0] in {"CREATE", "ALTER"} and any(kind in heads[1:] for kind in _ROUTINES)
    bare = dialect == "oracle" and heads[0] in {"PROCEDURE", "FUNCTION", "PACKAGE", "TRIGGER"}
    if dialect == "tsql":
        tokens = [token for token in tokens if word(token) != "GO"]
        if creates:
            return tsql.routine(tokens, text)
        reader = tsql.TsqlReader(tokens, text)
        found = Routine(body=reader.batch())
        found.parsed = reader.parsed
        return found
    if creates and dialect == "postgres":
        quoted = blocks.quoted_body(tokens, text)
        if quoted is not None:
            return _quoted(*quoted)
    if creates or bare:
        return blocks.routine(tokens, text, dialect) or opaque()
    return _block(tokens, text, dialect)


def _block(tokens: list[Token], text: str, dialect: str) -> Routine:
    reader = blocks.BlockReader(tokens, text, dialect)
    found = Routine(body=reader.batch())
    found.inner, found.parsed = reader.inner, reader.parsed
    return found


def _quoted(head: Routine, body: str, language: str) -> Routine:
    if language not in _READ_LANGUAGES:
        return opaque()
    words = dialects.words(body, "postgres")
    if isinstance(words, str):
        return opaque()
    found = _block(words, body, "postgres")
    found.name, found.parameters = head.name, head.parameters
    found.parsed = [*head.parsed, *found.parsed]
    found.plain = language == "sql"
    return found
