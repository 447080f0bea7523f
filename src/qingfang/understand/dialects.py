"""Text → statements → trees: sqlglot with its traps covered.

Rules this module keeps:

1. Nothing raised by the parser gets out: a statement that cannot be parsed is a `Piece` without a
   tree, and its `problem` says why. Nothing is logged (a text may hold a name).
2. Offsets are code points into the text as it was given, through every repair made here: repairs
   change tokens or replace characters one for one, they never shift text.
3. Budgets are counted, never timed: length, tokens and nesting. What is over is not parsed.
4. Bound values have one form in the tree, `Placeholder(this="qf_bind_N")` with N from 0, whatever
   the dialect writes (`?`, `$1`, `:1`, `:name`, `@p1`). Names are numbered by first appearance.
"""

from __future__ import annotations

import logging
import re
from functools import cache

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.tokenizer_core import Token, TokenType
from sqlglot.tokens import Tokenizer

from qingfang.understand.clients import without_commands
from qingfang.understand.repairs import oracle_mode, plain_change, repaired

# The parser's warnings quote the statement, and a statement can hold a person's name.
logging.getLogger("sqlglot").setLevel(logging.CRITICAL + 1)

MAX_LENGTH = 262_144
MAX_TOKENS = 60_000
MAX_NESTING = 120
MAX_SUBSCRIPTS = 16

BIND = "qf_bind_"

_OPENERS = frozenset({TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE, TokenType.CASE})
_CLOSERS = frozenset({TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE})
_OPERANDS = frozenset(
    {
        *(TokenType.VAR, TokenType.IDENTIFIER, TokenType.STRING, TokenType.NUMBER),
        *(TokenType.R_PAREN, TokenType.R_BRACKET),
    }
)
# Objects whose body is a block of statements: their `;` do not end the statement.
_BODIED = frozenset({"FUNCTION", "PROCEDURE", "PROC", "TRIGGER", "PACKAGE", "EVENT", "TYPE"})


class Piece:
    """One statement of a text: its first and last code point, its tokens, and its verb."""

    __slots__ = ("end", "problem", "start", "tokens", "verb")

    def __init__(self, tokens: list[Token], problem: str = "", start: int = 0, end: int = 0):
        self.tokens, self.problem = tokens, problem
        self.start = tokens[0].start if tokens else start
        self.end = tokens[-1].end + 1 if tokens else end
        self.verb = tokens[0].text.upper() if tokens else ""

    def words(self, count: int) -> list[str]:
        return [token.text.upper() for token in self.tokens[:count]]


def pieces(sql: str, dialect: str) -> list[Piece]:
    """The statements of a text. A text that cannot be read is one piece with a `problem`:
    `too_long`, `too_deep` or `unparsed`."""
    found = words(sql, dialect)
    if isinstance(found, str):
        return [Piece([], found, 0, len(sql))]
    parts = _split(found, dialect)
    if dialect != "tsql":
        return [Piece(part) for part in parts]
    return [piece for batch in _batches(parts) for piece in _of_batch(batch)]


# What is left of bytes that are no character of the connection's encoding, and a backslash.
_HALF = re.compile("([\ufffd\udc80-\udcff])\\\\")


def other_reading(sql: str, dialect: str) -> str | None:
    """The text as a server reads it whose encoding is GBK or Big5: there a byte that was not
    decoded here and the backslash behind it are one character, and escape nothing. None when there
    is no such place, or no backslash escapes anything."""
    if dialect != "mysql" or "\\" not in sql:
        return None
    other = _HALF.sub(r"\1_", sql)
    return other if other != sql else None


def as_sent(sql: str, dialect: str) -> str:
    """The text without what a command-line client keeps to itself (`clients`), as long as before."""
    if len(sql) > MAX_LENGTH:
        return sql
    return without_commands(sql, dialect, lambda: _quoted(sql, dialect))


def _quoted(sql: str, dialect: str) -> list[tuple[int, int]]:
    """Where quoted texts, names and comments stand, the last perhaps without its end."""
    pattern, at = _DISGUISES[dialect], 0
    found: list[tuple[int, int]] = []
    while (next_one := pattern.search(sql, at)) is not None:
        at = next_one.end()
        if next_one[0].startswith("/*") and next_one["quoted"] is None:
            at = _comment_end(sql, at, dialect)
        found.append((next_one.start(), at))
    return found


def _comment_end(sql: str, at: int, dialect: str) -> int:
    depth = 1
    while depth:
        end = sql.find("*/", at)
        begin = sql.find("/*", at) if dialect in _NESTED else -1
        if end < 0:
            return len(sql)
        if 0 <= begin < end:
            depth, at = depth + 1, begin + 2
        else:
            depth, at = depth - 1, end + 2
    return at


def words(sql: str, dialect: str) -> list[Token] | str:
    """The words of a text, or its `problem`."""
    if len(sql) > MAX_LENGTH:
        return "too_long"
    try:
        plain = _without_delimiters(_without_disguise(sql, dialect), dialect)
        tokens = _tokens(plain, dialect)
    except Exception:
        return "unparsed"
    if len(tokens) > MAX_TOKENS:
        return "too_long"
    return "too_deep" if _deepest(tokens) > MAX_NESTING else _repaired(tokens, dialect)


def _tokens(sql: str, dialect: str) -> list[Token]:
    """The words of a text."""
    home = Dialect.get_or_raise(dialect)
    return _in_words(type(home).tokenizer_class)(dialect=home).tokenize(sql)


@cache
def _in_words(kind: type[Tokenizer]) -> type[Tokenizer]:
    """The same tokenizer, but for keeping what follows EXECUTE, FETCH, CALL and their like as one
    string."""
    return type(kind.__name__, (kind,), {"COMMANDS": set[TokenType]()})


def tree(piece: Piece, sql: str, dialect: str) -> exp.Expr | None:
    """The piece's tree, None when the parser refuses it (or keeps it as mere text)."""
    if piece.problem:
        return None
    return parse(piece.tokens, sql, dialect)


def without_file(piece: Piece) -> list[Token] | None:
    """MySQL's `… INTO OUTFILE 'x' …` without that clause, None when there is none. The clause goes
    on to the words that can follow it."""
    words = [token.text.upper() for token in piece.tokens]
    for at in range(len(words) - 1):
        if words[at] == "INTO" and words[at + 1] in {"OUTFILE", "DUMPFILE"}:
            end = next((n for n in range(at, len(words)) if words[n] == "FROM"), len(words))
            return piece.tokens[:at] + piece.tokens[end:]
    return None


def parse(tokens: list[Token], sql: str, dialect: str) -> exp.Expr | None:
    """The one tree of these tokens; None when there is none or more than one."""
    if dialect == "tsql":
        tokens = plain_change(tokens)
    node = _parsed(tokens, sql, dialect)
    if isinstance(node, exp.MultitableInserts):
        node = None
    if node is None and tokens:
        again = repaired(tokens, dialect)
        if again is not None:
            node = _parsed(again, sql, dialect)
    if node is None and dialect == "postgres":
        again = oracle_mode(tokens)
        if again is not None:
            node = _parsed(again, sql, "oracle")
    if node is not None and _calls_methods(tokens):
        _restore_columns(node)
    if (
        node is not None
        and dialect == "tsql"
        and any(t.token_type is TokenType.PLUS for t in tokens)
    ):
        return _joined_texts(node)
    return node


def _joined_texts(node: exp.Expr) -> exp.Expr:
    """T-SQL's `+` between texts joins them, digits or not: `'0' + '1'` is `'01'`."""
    for add in reversed(list(node.find_all(exp.Add))):
        if _is_text(add.left) and _is_text(add.right):
            join = exp.DPipe(this=add.this, expression=add.expression)
            if add is node:
                return join
            add.replace(join)
    return node


def _is_text(node: exp.Expr) -> bool:
    bare = node.unnest() if isinstance(node, exp.Paren) else node
    return isinstance(bare, (exp.National, exp.DPipe)) or (
        isinstance(bare, exp.Literal) and bare.is_string
    )


def _parsed(tokens: list[Token], sql: str, dialect: str) -> exp.Expr | None:
    try:
        parsed = Dialect.get_or_raise(dialect).parser().parse(tokens, sql)
    except Exception:
        # Whatever it stumbles over, also its own assertions: the text is not read.
        return None
    if len(parsed) != 1 or parsed[0] is None or isinstance(parsed[0], exp.Command):
        return None
    return parsed[0]


def _calls_methods(tokens: list[Token]) -> bool:
    """Whether a method of a value is called: `f(x).g(y)`."""
    before: TokenType | None = None
    for token in tokens:
        if token.token_type is TokenType.DOT and before is TokenType.R_PAREN:
            return True
        before = token.token_type
    return False


# Where a bare name is a name, not a column.
_NAMING = (
    *(exp.Column, exp.Dot, exp.Table, exp.Alias, exp.TableAlias, exp.CTE, exp.DataType),
    *(exp.Schema, exp.Window, exp.Cast, exp.ColumnDef, exp.Kwarg, exp.PropertyEQ),
)


def _restore_columns(node: exp.Expr) -> None:
    """Left of a method's dot the parser takes all columns for parts of one name, those in the
    arguments of `f(t.x).g()` too: they are columns again."""
    for dot in list(node.find_all(exp.Dot)):
        if not isinstance(dot.expression, exp.Func) or dot.this.find(exp.Func, exp.Query) is None:
            continue
        for part in list(dot.this.find_all(exp.Dot, exp.Identifier)):
            parent = part.parent
            if isinstance(part, exp.Dot):
                names = list(part.flatten())
                whole = all(isinstance(name, (exp.Identifier, exp.Star)) for name in names)
                if whole and not isinstance(parent, exp.Dot):
                    column = exp.Column(this=names.pop())
                    for key in ("table", "db", "catalog")[: len(names)]:
                        column.set(key, names.pop())
                    part.replace(column)
            elif parent is not None and not isinstance(parent, _NAMING):
                if isinstance(parent, exp.XMLElement) and part.arg_key == "this":
                    continue
                part.replace(exp.Column(this=part.copy()))


def span(node: exp.Expr) -> tuple[int, int] | None:
    """First and last code point (end exclusive) of the words under a node."""
    start, end = -1, -1
    for part in node.walk():
        meta = part.meta
        if "start" in meta:
            first, last = meta["start"], meta["end"] + 1
            start = first if start < 0 else min(start, first)
            end = max(end, last)
    return None if start < 0 else (start, end)


def names(sql: str) -> list[str]:
    """The words of a text that could name something, quotes or not: the lexical estimate."""
    return [found.lower() for found in re.findall(r"[^\W\d][\w$#]*", sql)]


def _deepest(tokens: list[Token]) -> int:
    depth = deepest = 0
    chain = 0
    before: TokenType | None = None
    for token in tokens:
        # `a[1][1]…`: each step costs the parser as much as all before it.
        if token.token_type is TokenType.L_BRACKET:
            chain = chain + 1 if before is TokenType.R_BRACKET else 0
            if chain > MAX_SUBSCRIPTS:
                return MAX_NESTING + 1
        before = token.token_type
        if token.token_type in _OPENERS:
            depth += 1
            deepest = max(deepest, depth)
        elif token.token_type in _CLOSERS or token.token_type is TokenType.END:
            depth = max(0, depth - 1)
    return deepest


def _disguises(strings: str, comments: str) -> re.Pattern[str]:
    """What may hide or look like something else: strings and quoted names (left alone), comments,
    and PostgreSQL's `$1`."""
    return re.compile(rf"(?P<quoted>{strings})|(?P<comment>{comments})", re.DOTALL)


_PLAIN = r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\""
_LINE = r"--[^\n]*"
_DISGUISES = {
    "mysql": _disguises(
        r"'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.|\"\")*\"|`[^`]*`",
        r"/\*M?!\d*|/\*|\*/|#[^\n]*|--(?=[ \t\r\n]|\Z)[^\n]*",
    ),
    "oracle": _disguises(
        r"[nN]?[qQ]'(?:\[.*?\]'|\{.*?\}'|\(.*?\)'|<.*?>'|([^\s\[{(<]).*?\2')|" + _PLAIN,
        r"/\*|" + _LINE,
    ),
    "postgres": _disguises(
        r"(?<![\w$])[eE]'(?:[^'\\]|\\.|'')*'|\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?\$(?P=tag)\$|" + _PLAIN,
        r"/\*|" + _LINE,
    ),
    "tsql": _disguises(_PLAIN + r"|\[[^\]]*\]", r"/\*|" + _LINE),
    "sqlite": _disguises(_PLAIN + r"|`[^`]*`|\[[^\]]*\]", r"/\*|" + _LINE),
}
# Comments inside comments count in these.
_NESTED = frozenset({"postgres", "tsql"})
_POSITION = re.compile(r"(?<![\w$])\$(?=\d)")


def _without_disguise(sql: str, dialect: str) -> str:
    """The text with every comment blank, however it splits words (`GROUP/**/BY`), and what MySQL runs
    in `/*! … */` (MariaDB: `/*M! … */`) in the open. PostgreSQL's `$1` becomes `?1`: the tokenizer
    takes `$1,$2` for a quoted text."""
    if "/*" not in sql and "--" not in sql and "#" not in sql and "$" not in sql:
        return sql
    out: list[str] = []
    pattern, at, opened, depth = _DISGUISES[dialect], 0, 0, 0

    def keep(text: str) -> None:
        out.append(_POSITION.sub("?", text) if dialect == "postgres" else text)

    while True:
        if depth:
            # Inside a comment only its end, or one more beginning, counts.
            end = sql.find("*/", at)
            begin = sql.find("/*", at) if dialect in _NESTED else -1
            if end < 0:
                return "".join(out) + sql[opened:]  # the tokenizer says so
            if 0 <= begin < end:
                depth, at = depth + 1, begin + 2
                continue
            depth, at = depth - 1, end + 2
            if not depth:
                out.append(_blank(sql[opened:at]))
            continue
        found = pattern.search(sql, at)
        if found is None:
            break
        text = found[0]
        keep(sql[at : found.start()])
        at = found.end()
        if found["quoted"] is not None:
            out.append(text)
        elif text == "/*":
            opened, depth = found.start(), 1
        else:
            out.append(_blank(text))
    keep(sql[at:])
    return "".join(out)


def _blank(text: str) -> str:
    return "".join("\n" if char == "\n" else " " for char in text)


def _without_delimiters(sql: str, dialect: str) -> str:
    """MySQL's client ends statements with whatever DELIMITER says: here with `;` again."""
    if dialect != "mysql" or "delimiter" not in sql.lower():
        return sql
    lines: list[str] = []
    mark = ";"
    for line in sql.splitlines(keepends=True):
        found = re.match(r"\s*delimiter\s+(\S+)\s*$", line, re.IGNORECASE)
        if found is not None:
            mark = found[1]
            lines.append(re.sub(r"\S", " ", line))
        else:
            lines.append(line.replace(mark, ";" + " " * (len(mark) - 1)))
    return "".join(lines)


def _repaired(tokens: list[Token], dialect: str) -> list[Token]:
    """Bound values in one form, and `U&"…"` identifiers decoded."""
    out: list[Token] = []
    numbers: dict[str, int] = {}
    marks = 0
    at = 0
    while at < len(tokens):
        token = tokens[at]
        if token.token_type is TokenType.INDEX and token.text.upper().endswith("CLUSTERED INDEX"):
            # `CLUSTERED INDEX` is one word to the tokenizer, however far apart.
            size = token.text.upper().index("CLUSTERED") + len("CLUSTERED")
            out.append(_part(TokenType.VAR, token, 0, size))
            out.append(_part(TokenType.INDEX, token, len(token.text) - len("INDEX"), None))
            at += 1
            continue
        after = tokens[at + 1] if at + 1 < len(tokens) else None
        touching = after is not None and after.start == token.end + 1
        kind = token.token_type
        if kind is TokenType.QDCOLON:
            # `?::text`: a bind and its cast.
            out.extend(_bind(marks, token, token))
            out.append(_token(TokenType.DCOLON, "::", token, token))
            marks += 1
            at += 1
            continue
        if (
            kind is TokenType.VAR
            and token.text in {"U", "u"}
            and touching
            and after is not None
            and after.token_type is TokenType.AMP
            and at + 2 < len(tokens)
            and tokens[at + 2].token_type is TokenType.IDENTIFIER
        ):
            quoted = tokens[at + 2]
            out.append(_token(TokenType.IDENTIFIER, _decoded(quoted.text), token, quoted))
            at += 3
            continue
        if kind is TokenType.PLACEHOLDER and not (
            dialect == "postgres" and out and out[-1].token_type in _OPERANDS
        ):
            if touching and after is not None and after.token_type is TokenType.NUMBER:
                out.extend(_bind(_number(after.text, 1), token, after))  # SQLite's ?1
                at += 2
                continue
            out.extend(_bind(marks, token, token))
            marks += 1
        elif kind is TokenType.PARAMETER and touching and after is not None:
            if token.text == "$" and after.token_type is TokenType.NUMBER:
                out.extend(_bind(_number(after.text, 1), token, after))
                at += 2
                continue
            if token.text == "@" and dialect == "tsql" and after.text.isidentifier():
                # `@p1` or a variable: bound when it is the client's, looked up by name otherwise.
                index = numbers.setdefault(after.text.lower(), len(numbers))
                out.extend(_bind(index, token, after, after.text))
                at += 2
                continue
            out.append(token)
        elif (
            kind is TokenType.COLON and touching and after is not None and _names_bind(out, dialect)
        ):
            if after.token_type is TokenType.NUMBER and after.text.isdigit():
                out.extend(_bind(_number(after.text, 1), token, after))
                at += 2
                continue
            if after.text.isidentifier():
                index = numbers.setdefault(after.text.lower(), len(numbers))
                out.extend(_bind(index, token, after))
                at += 2
                continue
            out.append(token)
        else:
            out.append(token)
        at += 1
    return out


_PLSQL_WORDS = frozenset({"OPEN", "IF", "ELSIF", "RETURN", "WHILE", "IMMEDIATE", "FETCH"})


def _names_bind(before: list[Token], dialect: str) -> bool:
    """Whether a `:` here opens a bind; `a[1:2]` and `json:path` are not."""
    if before and dialect == "oracle" and before[-1].text.upper() in _PLSQL_WORDS:
        return before[-1].token_type is not TokenType.IDENTIFIER
    return not before or before[-1].token_type not in (
        TokenType.VAR,
        TokenType.IDENTIFIER,
        TokenType.NUMBER,
        TokenType.R_PAREN,
        TokenType.R_BRACKET,
    )


def _number(text: str, base: int) -> int:
    return max(0, int(text) - base) if text.isdigit() and len(text) < 6 else 99_999


def _bind(index: int, first: Token, last: Token, name: str = "") -> list[Token]:
    label = f"{BIND}{index}_{name}" if name else f"{BIND}{index}"
    return [
        _token(TokenType.COLON, ":", first, first),
        _token(TokenType.VAR, label, last, last),
    ]


def _token(kind: TokenType, text: str, first: Token, last: Token) -> Token:
    return Token(
        kind, text, line=first.line, col=first.col, start=first.start, end=last.end, comments=[]
    )


def _part(kind: TokenType, token: Token, start: int, end: int | None) -> Token:
    """A part of a token's text as a token of its own."""
    size = len(token.text) if end is None else end
    return Token(
        kind,
        token.text[start:end],
        line=token.line,
        col=token.col,
        start=token.start if not start else token.end + 1 - (size - start),
        end=token.end if end is None else token.start + size - 1,
        comments=[],
    )


def _decoded(text: str) -> str:
    try:
        return re.sub(
            r"\\(\+[0-9A-Fa-f]{6}|[0-9A-Fa-f]{4})",
            lambda found: chr(int(found[1].lstrip("+"), 16)),
            text,
        )
    except (ValueError, OverflowError):
        return text


def _split(tokens: list[Token], dialect: str) -> list[list[Token]]:
    """Statements at `;` outside parentheses and outside bodies; T-SQL's `GO` line ends one too."""
    parts: list[list[Token]] = []
    part: list[Token] = []
    depth = 0
    bodied = False
    for token in tokens:
        kind = token.token_type
        if dialect == "tsql" and token.text.upper() == "GO" and not depth:
            if part:
                parts.append(part)
            parts.append([token])
            part, bodied = [], False
            continue
        if dialect == "tsql" and not depth and not bodied and opens_statement(part, token):
            parts.append(part)
            part = []
        if kind is TokenType.SEMICOLON and not depth and not bodied:
            if part:
                parts.append(part)
            part = []
            continue
        if (
            dialect == "oracle"
            and kind is TokenType.SLASH
            and bodied
            and part[-1].token_type is TokenType.SEMICOLON
        ):
            # SQL*Plus ends a block with a `/`.
            parts.append(part)
            part, bodied = [], False
            continue
        if kind in _OPENERS and kind is not TokenType.CASE:
            depth += 1
        elif kind in _CLOSERS:
            depth = max(0, depth - 1)
        part.append(token)
        if len(part) <= 8 and not bodied:
            bodied = _has_body(part, dialect)
        elif dialect == "postgres" and bodied is False and token.text.upper() == "ATOMIC":
            bodied = part[-2].text.upper() == "BEGIN"
    if part:
        parts.append(part)
    return parts


def _batches(parts: list[list[Token]]) -> list[list[list[Token]]]:
    """The statements between one `GO [n]` and the next."""
    batches: list[list[list[Token]]] = [[]]
    fresh = False
    for part in parts:
        if len(part) == 1 and part[0].text.upper() == "GO":
            batches.append([])
            fresh = True
            continue
        rest = part[1:] if fresh and part[0].token_type is TokenType.NUMBER else part
        fresh = False
        if rest:
            batches[-1].append(rest)
    return batches


def _of_batch(parts: list[list[Token]]) -> list[Piece]:
    """A batch whose statements depend on each other (variables, branches, calls) is one piece, whose
    verb is BATCH; else each is one."""
    heads = [[token.text.upper() for token in part[:6]] for part in parts]
    if any(head[0] in {"CREATE", "ALTER"} and _BODIED & set(head) for head in heads):
        return [Piece(part) for part in parts]
    if not any(_depends(part, head) for part, head in zip(parts, heads, strict=True)):
        return [Piece(part) for part in parts]
    whole = Piece([token for part in parts for token in part])
    whole.verb = "BATCH"
    return [whole]


_DEPENDING = frozenset(
    {
        *("DECLARE", "IF", "WHILE", "EXEC", "EXECUTE", "OPEN", "FETCH", "RETURN", "GOTO", "PRINT"),
        *("RAISERROR", "THROW", "ELSE"),
    }
)


def _depends(part: list[Token], head: list[str]) -> bool:
    if head[0] in _DEPENDING:
        return True
    if head[0] == "BEGIN":
        return head[1:2] not in ([], ["TRAN"], ["TRANSACTION"], ["DISTRIBUTED"])
    if head[0] == "INSERT":
        return any(token.text.upper() in {"EXEC", "EXECUTE"} for token in part)
    if head[0] in {"SELECT", "SET", "UPDATE", "WITH"}:
        return any(
            one.text.startswith(BIND)
            and other.text in {"=", "+"}
            and before.text == ":"
            and opener.text.upper() in {"SELECT", "SET", ",", "ALL", "DISTINCT"}
            for opener, before, one, other in zip(part, part[1:], part[2:], part[3:], strict=False)
        )
    named = head[0].startswith(("SP_", "XP_"))  # EXEC may be left out
    return named or (len(head) > 1 and head[1] == ":")


BATCH_VERBS = frozenset(
    {
        *("SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "EXEC", "EXECUTE", "DECLARE", "SET"),
        *("PRINT", "USE", "DROP", "TRUNCATE", "WAITFOR", "RAISERROR", "IF", "WHILE", "CREATE"),
        *("BEGIN", "COMMIT", "ROLLBACK", "RETURN", "DEALLOCATE", "FETCH", "OPEN", "CLOSE"),
    }
)
_NAMES_RIGHTS = frozenset({"GRANT", "DENY", "REVOKE", "CREATE", "ALTER", "ADD"})
_CLOSED = frozenset({"TABLE", "INDEX", "UNIQUE", "CLUSTERED", "NONCLUSTERED"})
_GOES_ON = frozenset({"UNION", "ALL", "EXCEPT", "INTERSECT", "THEN", "FOR", "AS", "WITH", "."})
# Among so many words is told what is created.
_HEAD = 5
_QUERY_VERBS = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE"})


def opens_statement(part: list[Token], token: Token) -> bool:
    """Whether a word begins a new statement of a T-SQL batch, where no `;` need stand. `part` is
    the statement so far; both are outside parentheses."""
    word = token.text.upper()
    if not part or word not in BATCH_VERBS:
        return False
    if token.token_type in {TokenType.IDENTIFIER, TokenType.STRING, TokenType.NATIONAL_STRING}:
        return False
    words = [before.text.upper() for before in part]
    first, last = words[0], words[-1]
    if first in {"CREATE", "ALTER"} and "INDEX" in words[1:_HEAD]:
        # `CREATE INDEX i ON t (…) WITH (…) ON g`, `ALTER INDEX i ON t REBUILD`: no verb belongs to it
        # but the SET of its options.
        return (
            "ON" in words and last not in _GOES_ON | {"ON"} and (word != "SET" or first != "ALTER")
        )
    if first in _NAMES_RIGHTS or last in _GOES_ON:
        # CREATE TABLE t (…), CREATE INDEX i ON t (…): anything may follow.
        return first == "CREATE" and last == ")" and words[1] in _CLOSED
    if first == "WITH" and word in _QUERY_VERBS:
        return _outside(part, _QUERY_VERBS)
    if first == "INSERT" and word in {"SELECT", "EXEC", "EXECUTE"}:
        return _outside(part, frozenset({"SELECT", "EXEC", "EXECUTE", "VALUES"}))
    if word == "SET":
        return not (first in {"UPDATE", "MERGE", "WITH"} and "SET" not in words)
    if word == "FETCH":
        return "OFFSET" not in words and "ROWS" not in words
    if first == "BEGIN":
        return len(words) > 1
    return not (first in {"FETCH", "OPEN", "CLOSE"} and len(words) == 1)


def _outside(part: list[Token], verbs: frozenset[str]) -> bool:
    """Whether one of the verbs stands outside the parentheses of the statement so far."""
    depth = 0
    for token in part:
        if token.token_type is TokenType.L_PAREN:
            depth += 1
        elif token.token_type is TokenType.R_PAREN:
            depth -= 1
        elif not depth and token.text.upper() in verbs:
            return True
    return False


def _has_body(part: list[Token], dialect: str) -> bool:
    """Whether the statement begun so holds statements of its own to its end."""
    words = [token.text.upper() for token in part]
    if words[0] in {"CREATE", "ALTER"} and words[-1] in _BODIED:
        return dialect != "postgres"
    if dialect == "oracle":
        if words[:2] in (["WITH", "FUNCTION"], ["WITH", "PROCEDURE"]):
            return True
        return words[0] in {"DECLARE", "BEGIN", "<"} and len(words) > 1
    if dialect == "postgres":
        return opens_block(words)
    if dialect == "tsql":
        return words[0] in {"IF", "WHILE"} or (
            words[0] == "BEGIN" and len(words) > 1 and words[1] not in {"TRAN", "TRANSACTION"}
        )
    return False


_CURSOR_WORDS = frozenset({"CURSOR", "BINARY", "INSENSITIVE", "ASENSITIVE", "NO", "SCROLL"})
_TRANSACTIONS = frozenset(
    {"TRANSACTION", "WORK", "ISOLATION", "READ", "NOT", "DEFERRABLE", "ATOMIC", ","}
)


def opens_block(words: list[str]) -> bool:
    """Whether a statement for PostgreSQL's kin is an anonymous block in Oracle's way (openGauss,
    Kingbase): `DECLARE v type; BEGIN … END;`, `BEGIN statement; … END;`."""
    if words[0] == "DECLARE":
        return len(words) > 2 and words[2] not in _CURSOR_WORDS
    return words[0] == "BEGIN" and len(words) > 1 and words[1] not in _TRANSACTIONS
