"""The fingerprint of a statement: its text with the literals taken out, and where they stood.

One pass over the text gives the *normal form* (comments dropped, white space folded, case folded
outside quotes, every literal replaced by a mark) and the *places* of the literals. Statements of
one normal form are one template: they are analysed once.

Rules this module keeps:

1. Whatever any server could run stays in the normal form. Two statements with the same normal form
   differ only in literals, comments, white space and the case of unquoted ASCII letters.
2. In doubt the normal form is the exact text without places: a quote or comment that does not end,
   `\\'` in a PostgreSQL string (its end depends on `standard_conforming_strings`), a carriage
   return alone in a line comment (servers differ on whether it ends it), MySQL's `/*! … */` (code or
   comment, by the server's version) and `5--5`. Doubt costs a cache entry, never a wrong hit. An exact text
   never equals a normal form, because a normal form is not in doubt.
3. Marks are `?` for a number and `'?'` for a string; prefixes (`E N U& X B`) stay before the mark.
   A `?` of the text (a bind, or a jsonb operator) is a place of kind `b`, so that it cannot be
   confused with a number. `$1 :1 @p1` stay as they are.
4. A sign is an operator and stays in the text. A number that touches a word (`123abc`, `t1`) is no
   literal.
5. A parenthesised list of more than ten literals is one place of kind `l`, marked `?...`: ten is
   the largest list that can pin (docs/contracts/explain.md, rule 3), so shorter lists keep their
   count and stay decidable one by one.
6. The normal form is idempotent, and literals put back (`restore`) scan to the same normal form.
7. Offsets count code points, end exclusive, and include a literal's prefix, as sqlglot's do.
   Lone surrogates are ordinary characters.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

from mypy_extensions import i64

from qingfang.events import Template

LONGEST_COUNTED_LIST: Final = 10

_WORD: Final = r"A-Za-z0-9_$#@\x80-\U0010ffff"
_WORD_START: Final = r"A-Za-z_\x80-\U0010ffff"
_SPACE: Final = " \t\n\r\f\v"


class Family:
    """How the dialects of one family write names, strings and comments."""

    def __init__(
        self,
        name: str,
        *,
        nested: bool = False,
        backslash: bool = False,
        brackets: bool = False,
        backticks: bool = False,
        quote_strings: bool = False,
        hash_comments: bool = False,
        code_comments: bool = False,
    ) -> None:
        self.name: str = name
        self.nested: bool = nested
        self.backslash: bool = backslash
        self.brackets: bool = brackets
        self.quote_strings: bool = quote_strings
        # Characters that open a quoted name, with the one that closes it.
        self.quotes: dict[str, str] = {}
        if not quote_strings:
            self.quotes['"'] = '"'
        if backticks:
            self.quotes["`"] = "`"
        if brackets:
            self.quotes["["] = "]"

        dash = r"--(?=[\x00-\x20]|\Z)" if code_comments else "--"
        comment = rf"{dash}|/\*" + ("|#" if hash_comments else "")
        punctuation = r"!%&()*+,.;<=>@^{|}~\\\]" + ("" if brackets else r"\[")
        word_start = _WORD_START + ("" if hash_comments else "#")
        self.hash_words: bool = not hash_comments
        alternatives = [
            rf"[{word_start}][{_WORD}]*+",
            rf"[{punctuation}]",
            rf" (?![{_SPACE}]|{comment}|\Z)",
            rf"[:@]++[{_WORD}]*+",
            r"\$[0-9]++",
            r"-(?!-)|/(?!\*)",
        ]
        if not quote_strings:
            # A quoted name without capitals folds to itself.
            alternatives.insert(1, r'"[^"A-Z\x80-\U0010ffff]*+"(?!")')
        if backticks:
            alternatives.insert(1, r"`[^`A-Z\x80-\U0010ffff]*+`(?!`)")
        # What needs no thought: everything up to the next literal, comment or folded space.
        self.plain: re.Pattern[str] = re.compile(f"(?:{'|'.join(alternatives)})*+")
        line = rf"(?:{dash}{'|#' if hash_comments else ''})[^\n\r]*+(?!\r(?!\n))"
        gap = rf"[{_SPACE}]++|{line}"
        # MySQL's `5--5` is no comment, and /*! (MariaDB's /*M!) is code: no gap matches either, so
        # the text is in doubt.
        if not nested:
            block = r"/\*(?!M?!)" if code_comments else r"/\*"
            gap += rf"|{block}(?:[^*]|\*(?!/))*+\*/"
        self.gap: re.Pattern[str] = re.compile(f"(?:{gap})++")


POSTGRES: Final = Family("postgres", nested=True)
MYSQL: Final = Family(
    "mysql",
    backslash=True,
    backticks=True,
    quote_strings=True,
    hash_comments=True,
    code_comments=True,
)
TSQL: Final = Family("tsql", nested=True, brackets=True)
ORACLE: Final = Family("oracle")
SQLITE: Final = Family("sqlite", brackets=True, backticks=True)

FAMILIES: Final[dict[str, Family]] = {
    "postgres": POSTGRES,
    "mysql": MYSQL,
    "tsql": TSQL,
    "oracle": ORACLE,
    "sqlite": SQLITE,
}

_NUMBER: Final = re.compile(r"0[xX][0-9a-fA-F]++|[0-9]++(?:\.(?!\.)[0-9]*+)?(?:[eE][+-]?[0-9]++)?")
_REST_OF_WORD: Final = re.compile(rf"[{_WORD}]++")
_STRING: Final = re.compile(r"'[^']*+(?:''[^']*+)*+'")
_ESCAPED: Final = re.compile(r"'[^'\\]*+(?:(?:''|\\.)[^'\\]*+)*+'", re.DOTALL)
_ESCAPED_DOUBLE: Final = re.compile(r'"[^"\\]*+(?:(?:""|\\.)[^"\\]*+)*+"', re.DOTALL)
_DOLLAR: Final = re.compile(rf"\$(?:[{_WORD_START}][A-Za-z0-9_\x80-\U0010ffff]*+)?\$")
_NEST: Final = re.compile(r"/\*|\*/")
_DIGITS: Final = "0123456789"
_FOLD: Final = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
_CLOSING: Final = {"[": "]", "{": "}", "(": ")", "<": ">"}


class Scan:
    """One statement taken apart.

    `text` is the normal form; `starts` and `ends` bound the places in the source text; `kinds` has
    a letter a place: `n` number, `s` string, `b` a `?` of the text, `l` a long list. `exact` tells
    that the text was in doubt and stands as it came (rule 2).
    """

    __slots__ = ("ends", "exact", "kinds", "starts", "text")

    def __init__(
        self, text: str, starts: list[int], ends: list[int], kinds: str, exact: bool
    ) -> None:
        self.text: str = text
        self.starts: list[int] = starts
        self.ends: list[int] = ends
        self.kinds: str = kinds
        self.exact: bool = exact

    def literals(self, sql: str) -> tuple[str, ...]:
        """The literals as written in `sql` (the text that was scanned), in order."""
        return tuple([sql[s:e] for s, e in zip(self.starts, self.ends, strict=True)])


def scan(sql: str, dialect: str) -> Scan:
    """Take `sql` apart as `dialect` writes it. Raises ValueError for a dialect not in FAMILIES;
    any text is scanned."""
    family = FAMILIES.get(dialect)
    if family is None:
        raise ValueError(f"unknown dialect {dialect!r}")
    found = easy(sql, family) if _COMPILED else None
    return found if found is not None else thorough(sql, family)


_COMPILED: Final = not __file__.endswith(".py")

# What a character under 128 is to `easy`.
_LETTER: Final = 1
_DIGIT: Final = 2
_MARK: Final = 3  # stands for itself
_BLANK: Final = 4
_APOSTROPHE: Final = 5
_NAME_QUOTE: Final = 6
_COLON: Final = 7
_DOLLAR_SIGN: Final = 8
_QUESTION: Final = 9
_HARD: Final = 0
_DASH: Final = 10
_SLASH: Final = 11
_HASH: Final = 12


def _classes() -> bytes:
    table = bytearray(128)
    for characters, what in (
        ("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_", _LETTER),
        (_DIGITS, _DIGIT),
        ("!%&()*+,.;<=>@^{|}~\\]", _MARK),
        (_SPACE, _BLANK),
        ("'", _APOSTROPHE),
        ('"`[', _NAME_QUOTE),
        (":", _COLON),
        ("$", _DOLLAR_SIGN),
        ("?", _QUESTION),
        ("-", _DASH),
        ("/", _SLASH),
        ("#", _HASH),
    ):
        for character in characters:
            table[ord(character)] = what
    return bytes(table)


_CLASS: Final = _classes()
_IN_WORD: Final = bytes([chr(c).isalnum() or chr(c) in "_$#@" for c in range(128)])


def _word_end(sql: str, i: i64, n: i64) -> i64:
    while i < n:
        c: i64 = ord(sql[i])
        if c < 128 and not _IN_WORD[c]:
            return i
        i += 1
    return i


def easy(sql: str, family: Family) -> Scan | None:
    """What `thorough` gives, for the texts that programs mostly send; None at the first sign of
    anything else (a comment, a prefixed string, an odd number). Compiled it is several times
    faster; interpreted, a loop over characters is slower than `thorough`."""
    n: i64 = len(sql)
    low = sql.lower()
    if len(low) != n:
        return None
    out: list[str] = []
    marks: list[int] = []
    starts: list[int] = []
    ends: list[int] = []
    kinds: list[str] = []
    done: i64 = 0  # up to here the text is in `out`
    i: i64 = 0
    while i < n:
        c: i64 = ord(sql[i])
        what: i64 = _LETTER if c >= 128 else _CLASS[c]
        if what == _LETTER:
            j = i
            while j < n:
                c = ord(sql[j])
                if c < 128:
                    if not _IN_WORD[c]:
                        break
                elif ord(low[j]) != c:
                    return None  # only ASCII letters are folded
                j += 1
            i = j
        elif what == _MARK:
            i += 1
        elif what == _BLANK:
            j = i + 1
            while j < n and ord(sql[j]) < 128 and _CLASS[ord(sql[j])] == _BLANK:
                j += 1
            if c != 32 or j != i + 1 or j == n:
                if done < i:
                    out.append(low[done:i])
                if out and j < n:
                    out.append(" ")
                done = j
            i = j
        elif what == _DIGIT:
            j = i + 1
            while j < n and 48 <= ord(sql[j]) <= 57:
                j += 1
            if j < n and ord(sql[j]) == 46 and not (j + 1 < n and ord(sql[j + 1]) == 46):
                j += 1
                while j < n and 48 <= ord(sql[j]) <= 57:
                    j += 1
            if j < n and (ord(sql[j]) >= 128 or _IN_WORD[ord(sql[j])]):
                return None  # 0x1F, 1e5, or a word that begins with a digit
            if done < i:
                out.append(low[done:i])
            marks.append(len(out))
            out.append("?")
            starts.append(i)
            ends.append(j)
            kinds.append("n")
            done = i = j
        elif what == _APOSTROPHE:
            if i > 0:
                c = ord(sql[i - 1])
                if c >= 128 or _IN_WORD[c] or _CLASS[c] == _NAME_QUOTE or c in {38, 39, 93}:
                    return None  # a prefix, or two strings side by side
            j = i + 1
            while True:
                if j >= n:
                    return None
                c = ord(sql[j])
                if c == 92:
                    return None
                j += 1
                if c == 39:
                    if j < n and ord(sql[j]) == 39:
                        j += 1
                    else:
                        break
            if done < i:
                out.append(low[done:i])
            marks.append(len(out))
            out.append("'?'")
            starts.append(i)
            ends.append(j)
            kinds.append("s")
            done = i = j
        elif what == _DASH:
            if i + 1 < n and ord(sql[i + 1]) == 45:
                return None
            i += 1
        elif what == _SLASH:
            if i + 1 < n and ord(sql[i + 1]) == 42:
                return None
            i += 1
        elif what == _COLON:
            j = i + 1
            while j < n and (ord(sql[j]) == 58 or ord(sql[j]) == 64):
                j += 1
            i = j
            j = _word_end(sql, i, n)
            while i < j:
                if ord(low[i]) != ord(sql[i]) and ord(sql[i]) >= 128:
                    return None
                i += 1
        elif what == _QUESTION:
            if i + 1 < n and 48 <= ord(sql[i + 1]) <= 57:
                return None
            if done < i:
                out.append(low[done:i])
            marks.append(len(out))
            out.append("?")
            starts.append(i)
            ends.append(i + 1)
            kinds.append("b")
            done = i = i + 1
        elif what == _NAME_QUOTE:
            if family.quote_strings and c == 34:
                return None
            closing = family.quotes.get(chr(c))
            if closing is None:
                if c != 91:
                    return None
                i += 1  # an array's bracket
                continue
            j = sql.find(closing, i + 1) + 1
            if j == 0 or (j < n and sql[j] == closing):
                return None
            if done < i:
                out.append(low[done:i])
            out.append(sql[i:j])
            done = i = j
        elif what == _DOLLAR_SIGN:
            j = i + 1
            while j < n and 48 <= ord(sql[j]) <= 57:
                j += 1
            if j == i + 1:
                return None
            i = j
        elif what == _HASH:
            if not family.hash_words:
                return None
            i += 1
            while i < n:
                c = ord(sql[i])
                if c >= 128 and ord(low[i]) != c:
                    return None
                if c < 128 and not _IN_WORD[c]:
                    break
                i += 1
        else:
            return None
    if done < n:
        out.append(low[done:])
    if len(starts) > LONGEST_COUNTED_LIST:
        _fold_lists(out, marks, starts, ends, kinds)
    return Scan("".join(out).rstrip(" "), starts, ends, "".join(kinds), False)


def thorough(sql: str, family: Family) -> Scan:
    """Take any text apart, with regular expressions."""
    plain = family.plain
    n = len(sql)
    ascii_only = sql.isascii()
    out: list[str] = []
    marks: list[int] = []
    starts: list[int] = []
    ends: list[int] = []
    kinds: list[str] = []
    i = 0
    while True:
        found = plain.match(sql, i)
        if found is not None:
            j = found.end()
            if j > i:
                piece = sql[i:j]
                out.append(piece.lower() if ascii_only else _lower(piece))
                i = j
        if i >= n:
            break
        c = sql[i]
        if c in _DIGITS:
            number = _NUMBER.match(sql, i)
            assert number is not None  # it starts with a digit
            j = number.end()
            touching = _REST_OF_WORD.match(sql, j)
            if touching is not None:
                j = touching.end()
                out.append(_lower(sql[i:j]))
            else:
                marks.append(len(out))
                out.append("?")
                starts.append(i)
                ends.append(j)
                kinds.append("n")
            i = j
            continue
        if c == "'" or (c == '"' and family.quote_strings):
            prefix = _prefix(sql, i, family)
            j = _string_end(sql, i, family, prefix)
            if j < 0:
                return _exact(sql)
            if prefix:
                before = out.pop()
                if len(before) < len(prefix):
                    before = out.pop() + before  # a number took the U of `0.U&'x'` for its own
                before = before[: len(before) - len(prefix)]
                if before:
                    out.append(before)
                i -= len(prefix)
            if out and out[-1].endswith("'"):
                out.append(" ")  # two strings side by side must not read as one
            marks.append(len(out))
            out.append("'?'" if prefix in {"", "q", "nq"} else prefix + "'?'")
            starts.append(i)
            ends.append(j)
            kinds.append("s")
            i = j
            continue
        if c in _SPACE or c in "-/#":
            j = _gap_end(sql, i, family)
            if j < 0:
                return _exact(sql)
            if out and j < n:
                out.append(" ")
            i = j
            continue
        closing = family.quotes.get(c)
        if closing is not None:
            j = _name_end(sql, i, closing)
            if j < 0:
                return _exact(sql)
            out.append(sql[i:j])
            i = j
            continue
        if c == "?":
            j = i + 1
            if j < n and sql[j] in _DIGITS:
                while j < n and sql[j] in _DIGITS:
                    j += 1
                out.append(sql[i:j])
            else:
                marks.append(len(out))
                out.append("?")
                starts.append(i)
                ends.append(j)
                kinds.append("b")
            i = j
            continue
        if c == "$" and family is POSTGRES:
            tag = _DOLLAR.match(sql, i)
            if tag is not None:
                j = sql.find(tag.group(), tag.end())
                if j < 0:
                    return _exact(sql)
                j += len(tag.group())
                if out and out[-1].endswith(("'", "&")):
                    out.append(" ")  # nor may `U & $$x$$` read as `U&'x'`
                marks.append(len(out))
                out.append("'?'")
                starts.append(i)
                ends.append(j)
                kinds.append("s")
                i = j
                continue
        out.append(c)
        i += 1
    if len(starts) > LONGEST_COUNTED_LIST:
        _fold_lists(out, marks, starts, ends, kinds)
    return Scan("".join(out).rstrip(" "), starts, ends, "".join(kinds), False)


def _exact(sql: str) -> Scan:
    return Scan(sql, [], [], "", True)


def _lower(text: str) -> str:
    """Fold ASCII letters only: to the server `K` (Kelvin) and `k` are two names."""
    return text.lower() if text.isascii() else text.translate(_FOLD)


def _is_word(c: str) -> bool:
    return c.isalnum() or c in "_$#@" or c >= "\x80"


def _prefix(sql: str, i: int, family: Family) -> str:
    """The prefix of the string whose quote stands at `i`, lower case; empty when it has none."""
    if i == 0:
        return ""
    last = sql[i - 1]
    if last in "&":
        if family is POSTGRES and i >= 2 and sql[i - 2] in "uU" and _starts_word(sql, i - 2):
            return "u&"
        return ""
    if last in "eE" and family is POSTGRES and _starts_word(sql, i - 1):
        return "e"
    if last in "nNxXbB" and _starts_word(sql, i - 1):
        return last.lower()
    if last in "qQ" and family is ORACLE:
        if _starts_word(sql, i - 1):
            return "q"
        if sql[i - 2] in "nN" and _starts_word(sql, i - 2):
            return "nq"
    return ""


def _starts_word(sql: str, i: int) -> bool:
    return i == 0 or not _is_word(sql[i - 1])


def _string_end(sql: str, i: int, family: Family, prefix: str) -> int:
    """Where the string that opens at `i` ends; -1 when it does not, or its end is in doubt."""
    if prefix in {"q", "nq"}:
        if i + 1 >= len(sql) or sql[i + 1] in _SPACE:
            return -1
        closing = _CLOSING.get(sql[i + 1], sql[i + 1])
        end = sql.find(closing + "'", i + 2)
        return end + 2 if end >= 0 else -1
    if sql[i] == '"':
        found = _ESCAPED_DOUBLE.match(sql, i)
    elif family.backslash or prefix == "e":
        found = _ESCAPED.match(sql, i)
    else:
        found = _STRING.match(sql, i)
        if found is not None and family is POSTGRES and "\\'" in found.group():
            return -1
    return found.end() if found is not None else -1


def _name_end(sql: str, i: int, closing: str) -> int:
    """Where the quoted name that opens at `i` ends; a doubled closing mark stands for itself."""
    j = i + 1
    while True:
        j = sql.find(closing, j)
        if j < 0:
            return -1
        if sql[j + 1 : j + 2] != closing:
            return j + 1
        j += 2


def _gap_end(sql: str, i: int, family: Family) -> int:
    """Where white space and comments from `i` end; -1 when a comment does not end or is in doubt."""
    start = i
    while True:
        found = family.gap.match(sql, i)
        if found is not None:
            i = found.end()
        if not family.nested or not sql.startswith("/*", i):
            break
        depth = 1
        i += 2
        while depth:
            edge = _NEST.search(sql, i)
            if edge is None:
                return -1
            depth += 1 if edge.group() == "/*" else -1
            i = edge.end()
    return i if i > start else -1


_BETWEEN: Final = re.compile(r" ?, ?[-+]?")
_OPENING: Final = re.compile(r"\( ?[-+]?\Z")


def _fold_lists(
    out: list[str], marks: list[int], starts: list[int], ends: list[int], kinds: list[str]
) -> None:
    """Make one place of each parenthesised list of more than ten literals of one kind (rule 5)."""
    count = len(starts)
    marks.append(len(out))
    first = 0
    folds: list[tuple[int, int]] = []
    while first < count:
        last = first
        while (
            last + 1 < count
            and kinds[last + 1] == kinds[first]
            and out[marks[last + 1]] == out[marks[first]]
            and _BETWEEN.fullmatch("".join(out[marks[last] + 1 : marks[last + 1]])) is not None
        ):
            last += 1
        if last - first >= LONGEST_COUNTED_LIST and kinds[first] != "b":
            before = "".join(out[max(marks[first] - 2, 0) : marks[first]])
            after = "".join(out[marks[last] + 1 : marks[last] + 3])
            if _OPENING.search(before) is not None and after.lstrip(" ").startswith(")"):
                folds.append((first, last))
        first = last + 1
    for first, last in reversed(folds):
        out[marks[first] : marks[last] + 1] = [out[marks[first]] + "..."]
        ends[first] = ends[last]
        kinds[first] = "l"
        del starts[first + 1 : last + 1]
        del ends[first + 1 : last + 1]
        del kinds[first + 1 : last + 1]


def digest(text: str, dialect: str) -> bytes:
    """SHA-256 of dialect and normal form."""
    return hashlib.sha256(f"{dialect}\0{text}".encode("utf-8", "surrogatepass")).digest()


def fingerprint(sql: str, dialect: str) -> Template:
    """The template of a statement."""
    text = scan(sql, dialect).text
    return Template(digest=digest(text, dialect), dialect=dialect, text=text)


def restore(text: str, literals: tuple[str, ...], dialect: str) -> str:
    """Put the literals (as written, from `Scan.literals`) back into the places of a normal form.
    Raises ValueError when their number is not that of the places; an exact text has none."""
    places = scan(text, dialect)
    if len(places.starts) != len(literals):
        raise ValueError(f"{len(places.starts)} places, {len(literals)} literals")
    parts: list[str] = []
    done = 0
    for start, end, literal in zip(places.starts, places.ends, literals, strict=True):
        parts.append(text[done:start])
        parts.append(literal)
        # `'a'...` can also stand in a text: a list's place takes a list.
        is_list = text.startswith("...", end) and scan(f"({literal})", dialect).kinds == "l"
        done = end + 3 if is_list else end
    parts.append(text[done:])
    return "".join(parts)


_SIMPLE_ESCAPES: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "0": "\0"}
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)


def value(literal: str, dialect: str) -> str:
    """The value of a literal as written: a string without its quotes and escapes, a number as it
    stands. Numeric escapes (`\\x41`, `\\u4E00`) and `U&` escapes are left as written."""
    family = FAMILIES[dialect]
    first = literal[:1]
    if first == "'" and not family.backslash:
        return literal[1:-1].replace("''", "'")
    if first in _DIGITS:
        return literal
    if first == "$":
        tag = literal[: literal.index("$", 1) + 1]
        return literal[len(tag) : -len(tag)]
    quote = literal.find("'")
    if family.quote_strings and first == '"':
        quote = 0
    if quote < 0:
        return literal
    prefix = literal[:quote].lower()
    if prefix in {"q", "nq"}:
        return literal[quote + 2 : -2]
    mark = literal[quote]
    inner = literal[quote + 1 : -1].replace(mark + mark, mark)
    if "\\" in inner and (prefix == "e" or (family.backslash and prefix not in {"x", "b"})):
        inner = _ESCAPE.sub(_unescape, inner)
    return inner


def _unescape(found: re.Match[str]) -> str:
    c = found.group(1)
    return _SIMPLE_ESCAPES.get(c, c)
