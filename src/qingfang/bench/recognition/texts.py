"""SQL as a row of tokens, for what is done to a text without a tree.

Rules this module keeps:

1. Strings, quoted identifiers, dollar-quoted bodies and comments are one token each and are never
   looked into.
2. Joining the tokens gives the text back.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_TOKEN = re.compile(
    r"""(?P<comment>/\*.*?\*/|--[^\n]*|\#(?=\s)[^\n]*)
      | (?P<string>[nNeE]?'(?:[^']|'')*'|\$(\w*)\$.*?\$\3\$)
      | (?P<quoted>"(?:[^"]|"")*"|`[^`]*`|\[[^\]\n]*\])
      | (?P<space>\s+)
      | (?P<word>[\w#@$]+)
      | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)


def tokens(sql: str) -> list[tuple[str, str]]:
    """(kind, text): kind is comment, string, quoted, space, word or other."""
    return [(found.lastgroup or "other", found[0]) for found in _TOKEN.finditer(sql)]


def without_comments(sql: str) -> str:
    """The text with each comment turned into a space; hints and version comments stay."""
    return "".join(
        " " if kind == "comment" and text[:3] not in {"/*!", "/*+"} else text
        for kind, text in tokens(sql)
    )


def bound(sql: str, binds: Sequence[str | None]) -> str:
    """The text with bound values written in: `?` in order, `$1` `:1` `@P1` by number."""
    out: list[str] = []
    asked = 0
    rest = tokens(sql)
    skip = False
    for at, (kind, text) in enumerate(rest):
        following = rest[at + 1][1] if at + 1 < len(rest) else ""
        number = re.fullmatch(r"(?:\$|@[pP])(\d+)", text) if kind == "word" else None
        if skip:
            skip = False
        elif kind == "other" and text == "?":
            out.append(_literal(binds[asked]))
            asked += 1
        elif number is not None:
            out.append(_literal(binds[int(number[1]) - 1]))
        elif kind == "other" and text == ":" and following.isdigit():
            out.append(_literal(binds[int(following) - 1]))
            skip = True
        else:
            out.append(text)
    return "".join(out)


def _literal(value: str | None) -> str:
    return "NULL" if value is None else "'" + value.replace("'", "''") + "'"
