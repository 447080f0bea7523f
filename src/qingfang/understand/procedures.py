"""Stored bodies and blocks: which queries run inside, for PL/pgSQL, PL/SQL and T-SQL alike.

Rules this module keeps:

1. A body is read by words, not by the parser: statements are cut at `;` and at the words that
   open a branch or a loop, then each is parsed by itself.
2. SQL put together at run time is read when it folds to a constant; otherwise the body is
   `opaque`, whatever else is known of it.
3. Everything a body selects counts as handed on: variables and cursors carry it to the result.
"""

from __future__ import annotations

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from qingfang.understand import dialects
from qingfang.understand.predicates import Reading, fold

_VERBS = frozenset({"SELECT", "WITH", "INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE", "VALUES"})
# Words after which a new statement may begin.
_OPENING = frozenset({"BEGIN", "THEN", "ELSE", "LOOP", "DECLARE", "DO", "AS", "IS", "ATOMIC"})
_QUIET = frozenset(
    {
        *("END", "NULL", "RAISE", "COMMIT", "ROLLBACK", "CLOSE", "FETCH", "EXIT", "CONTINUE"),
        *("BREAK", "PRINT", "GET", "ASSERT", "LEAVE", "ITERATE", "DEALLOCATE", "SAVEPOINT"),
        *("TRUNCATE", "DROP", "ALTER", "LOCK", "NOTIFY", "RETURN", "SET", "ANALYZE", "GOTO"),
        *("IF", "ELSIF", "ELSEIF", "WHILE", "FOR", "FOREACH", "CASE", "WHEN", "EXCEPTION"),
        *("DECLARE", "BEGIN", "ELSE", "LOOP", "<<", "THROW", "PERFORM", "OPEN", "USE", "CREATE"),
        *("LANGUAGE", "GO", "/", "RAISERROR", "WAITFOR", "REPEAT", "UNTIL", "TRY", "CATCH"),
    }
)
_DYNAMIC = frozenset({"EXECUTE", "EXEC"})
_STRINGS = frozenset(
    {
        *(TokenType.STRING, TokenType.HEREDOC_STRING, TokenType.RAW_STRING),
        *(TokenType.NATIONAL_STRING, TokenType.BYTE_STRING, TokenType.UNICODE_STRING),
    }
)


class Body:
    """`queries` select, `changes` put rows somewhere; `calls` names the routines called, with
    their arguments' text; `speaks` tells that the block itself says something to the client."""

    __slots__ = ("calls", "changes", "opaque", "parameters", "queries", "speaks")

    def __init__(self) -> None:
        self.parameters: list[str] = []
        self.queries: list[exp.Expr] = []
        self.changes: list[exp.Expr] = []
        self.calls: list[str] = []
        self.opaque = False
        self.speaks = False


def queries_of(text: str, dialect: str, depth: int = 0) -> Body:
    """What runs inside a routine's source: `CREATE FUNCTION …`, a bare body or a block."""
    body = Body()
    try:
        found = dialects.pieces(text, dialect)
    except RecursionError:
        body.opaque = True
        return body
    tokens = [token for piece in found for token in [*piece.tokens, _SEMICOLON]]
    if not tokens or any(piece.problem for piece in found) or depth > 4:
        body.opaque = True
        return body
    if tokens[0].text.upper() in {"CREATE", "ALTER"}:
        quoted, tokens = _open(tokens, body)
        if quoted is not None:
            inner = queries_of(quoted, dialect, depth + 1)
            inner.parameters = body.parameters
            return inner
    _Reader(text, dialect, body, depth).read(tokens)
    return body


_SEMICOLON = Token(TokenType.SEMICOLON, ";", line=1, col=1, start=0, end=0, comments=[])


def _open(tokens: list[Token], body: Body) -> tuple[str | None, list[Token]]:
    """Past a CREATE's head: its parameters, and its body as a quoted text or as tokens."""
    depth = 0
    at = 0
    names: list[str] = []
    expect = False
    while at < len(tokens):
        token = tokens[at]
        word = token.text.upper()
        if token.token_type is TokenType.L_PAREN:
            depth += 1
            expect = depth == 1 and not body.parameters
        elif token.token_type is TokenType.R_PAREN:
            depth -= 1
            if depth == 0 and names and not body.parameters:
                body.parameters = names
        elif depth == 1 and expect and token.token_type is not TokenType.COMMA:
            if word not in {"IN", "OUT", "INOUT", "VARIADIC"}:
                names.append(token.text.lower().lstrip("@:"))
                expect = False
        elif depth == 1 and token.token_type is TokenType.COMMA:
            expect = True
        elif depth == 0 and token.token_type in _STRINGS and tokens[at - 1].text.upper() == "AS":
            return token.text, []
        elif depth == 0 and word in {"AS", "IS", "BEGIN", "DECLARE"} and at > 2:
            following = tokens[at + 1] if at + 1 < len(tokens) else None
            if following is not None and following.token_type in _STRINGS and word == "AS":
                at += 1
                continue
            if not body.parameters:
                body.parameters = names
            return None, tokens[at + (word in {"AS", "IS"}) :]
        at += 1
    return None, tokens


class _Reader:
    """Reads a block's statements; remembers texts put into variables."""

    def __init__(self, text: str, dialect: str, body: Body, depth: int) -> None:
        self.text, self.dialect, self.body, self.depth = text, dialect, body, depth
        self.texts: dict[str, str | None] = {}

    def read(self, tokens: list[Token]) -> None:
        part: list[Token] = []
        depth = 0
        cases = 0
        for token in tokens:
            word = token.text.upper()
            kind = token.token_type
            if kind is TokenType.L_PAREN:
                depth += 1
            elif kind is TokenType.R_PAREN:
                depth = max(0, depth - 1)
            if word == "CASE" and part:
                cases += 1
            elif word == "END" and cases:
                cases -= 1
                part.append(token)
                continue
            if depth == 0 and cases == 0:
                if kind is TokenType.SEMICOLON:
                    self.statement(part)
                    part = []
                    continue
                if (
                    word in _OPENING
                    and not (part and part[0].text.upper() in _VERBS)
                    and not (word in {"AS", "IS"} and part)
                ):
                    self.statement(part)
                    part = []
                    continue
                if word in _VERBS and part and self._starts_here(part, word):
                    self.statement(part)
                    part = []
            part.append(token)
        self.statement(part)

    def _starts_here(self, part: list[Token], word: str) -> bool:
        """Whether a verb begins a statement of its own where no `;` stands (T-SQL)."""
        first = part[0].text.upper()
        if self.dialect != "tsql" or first in {"WITH", "OPEN", "FOR"} | _VERBS:
            return False
        return first in {"IF", "WHILE", "SET", "DECLARE", "PRINT", "ELSE"} and word in _VERBS

    def statement(self, part: list[Token]) -> None:
        if not part:
            return
        words = [token.text.upper() for token in part]
        first = words[0]
        if first in {"RAISE", "DBMS_OUTPUT", "PRINT"}:
            self.body.speaks = True
        if first in {"PERFORM", "RETURN", "OPEN", "FOR", "RETURN_QUERY", "FOREACH"}:
            self._leading(part, words)
        elif first in _VERBS or first == "(":
            self._query(part)
        elif first in _DYNAMIC:
            self._dynamic(part, words)
        elif first == "CALL":
            self._call(part[1:])
        elif ":=" in words or ((len(part) > 1 and words[1] == "=") or first in {"SET", "DECLARE"}):
            self._assigned(part, words)
        else:
            self._conditions(part)
            if first not in _QUIET and not self._declares(part):
                self._unread(part)

    def _unread(self, part: list[Token]) -> None:
        """A statement of no known kind: harmless only if it cannot run SQL."""
        if any(t.text.upper() in {"EXECUTE", "EXEC", "IMMEDIATE", "OPENQUERY"} for t in part):
            self.body.opaque = True

    def _declares(self, part: list[Token]) -> bool:
        return len(part) >= 2

    def _leading(self, part: list[Token], words: list[str]) -> None:
        """PERFORM q; RETURN [QUERY] x; OPEN c FOR q; FOR r IN q LOOP."""
        first = words[0]
        rest = part[1:]
        if first == "RETURN" and words[1:2] == ["QUERY"]:
            rest = part[2:]
            if words[2:3] == ["EXECUTE"]:
                self._dynamic(part[2:], words[2:])
                return
        if first == "OPEN" and "FOR" in words:
            rest = part[words.index("FOR") + 1 :]
            if rest and rest[0].text.upper() == "EXECUTE":
                self._dynamic(rest, [t.text.upper() for t in rest])
                return
        if first in {"FOR", "FOREACH"} and "IN" in words:
            rest = part[words.index("IN") + 1 :]
            if rest and rest[0].text.upper() == "EXECUTE":
                self._dynamic(rest, [t.text.upper() for t in rest])
                return
        if not rest:
            return
        if rest[0].text.upper() in _VERBS:
            self._query(rest)
        elif first == "PERFORM":
            self._query([_word("SELECT", rest[0]), *rest])
        else:
            self._expression(rest)

    def _query(self, part: list[Token]) -> None:
        node = dialects.parse(_without_into(part), self.text, self.dialect)
        if node is None:
            self.body.opaque = True
        elif isinstance(node, exp.Query):
            self.body.queries.append(node)
        else:
            self.body.changes.append(node)

    def _expression(self, part: list[Token]) -> None:
        """A value: its sub-selects and calls run."""
        if not part or all(t.token_type in _STRINGS or len(part) == 1 for t in part):
            return
        node = dialects.parse([_word("SELECT", part[0]), *part], self.text, self.dialect)
        if node is not None:
            self.body.queries.append(node)
        elif any(t.text.upper() == "SELECT" for t in part):
            self.body.opaque = True

    def _conditions(self, part: list[Token]) -> None:
        if any(t.text.upper() == "SELECT" for t in part):
            start = next(n for n, t in enumerate(part) if t.text.upper() == "SELECT")
            if part[0].text.upper() == "CURSOR" or "CURSOR" in {t.text.upper() for t in part}:
                self._query(part[start:])
                return
            self._expression(part[1:])

    def _call(self, part: list[Token]) -> None:
        if part:
            self.body.calls.append(".".join(t.text for t in part[:1]).lower())

    def _assigned(self, part: list[Token], words: list[str]) -> None:
        """`v := x`, `SET @v = x`, `DECLARE @v T = x`: remember texts, read sub-selects."""
        sign = next((n for n, word in enumerate(words) if word in {":=", "="}), None)
        if sign is None:
            self._conditions(part)
            return
        names = [
            t.text.lower().lstrip("@:").removeprefix(dialects.BIND)
            for t in part[:sign]
            if t.token_type not in {TokenType.COLON, TokenType.PARAMETER}
        ]
        names = [name.split("_", 1)[-1] if name[:1].isdigit() else name for name in names]
        right = part[sign + 1 :]
        if words[0] == "DECLARE" and "CURSOR" in words:
            self._conditions(part)
            return
        for name in names[-2:] if len(names) > 1 else names:
            if name not in {"set", "declare"}:
                self.texts[name] = self._folded(right)
        if any(t.text.upper() == "SELECT" for t in right):
            self._expression(right)

    def _folded(self, part: list[Token]) -> str | None:
        """The constant text of an expression over known variables."""
        if not part:
            return None
        node = dialects.parse([_word("SELECT", part[0]), *part], self.text, self.dialect)
        if not isinstance(node, exp.Select) or len(node.expressions) != 1:
            return None
        value = node.expressions[0]
        holder = exp.Select(expressions=[value])
        for column in list(holder.find_all(exp.Column, exp.Placeholder)):
            name = _variable(column)
            known = self.texts.get(name)
            if known is None:
                return None
            column.replace(exp.Literal.string(known))
        const = fold(holder.expressions[0], Reading(None), False)
        return const.text if const is not None else None

    def _dynamic(self, part: list[Token], words: list[str]) -> None:
        """EXECUTE [IMMEDIATE] text [INTO …] [USING …]; EXEC(text); EXEC sp_executesql text; EXEC p."""
        rest = part[1:]
        if words[1:2] == ["IMMEDIATE"]:
            rest = part[2:]
        if rest and rest[0].text.lower().rsplit(".", maxsplit=1)[-1] == "sp_executesql":
            rest = rest[1:]
        elif self.dialect in {"tsql", "mysql"} and rest and rest[0].token_type is TokenType.VAR:
            self._call(rest)
            return
        end = next(
            (
                n
                for n, t in enumerate(rest)
                if t.text.upper() in {"INTO", "USING", "BULK"} or t.token_type is TokenType.COMMA
            ),
            len(rest),
        )
        text = self._folded(rest[:end])
        if text is None:
            self.body.opaque = True
            return
        inner = queries_of(text, self.dialect, self.depth + 1)
        self.body.queries.extend(inner.queries)
        self.body.changes.extend(inner.changes)
        self.body.calls.extend(inner.calls)
        self.body.opaque = self.body.opaque or inner.opaque


def _variable(node: exp.Expr) -> str:
    name = str(node.this if isinstance(node, exp.Placeholder) else node.name).lower()
    if name.startswith(dialects.BIND):
        name = name[len(dialects.BIND) :]
        return name.split("_", 1)[-1] if "_" in name else name
    return name.lstrip("@:")


def _word(text: str, like: Token) -> Token:
    kind = TokenType.SELECT if text == "SELECT" else TokenType.VAR
    return Token(
        kind, text, line=like.line, col=like.col, start=like.start, end=like.start, comments=[]
    )


def _without_into(part: list[Token]) -> list[Token]:
    """`SELECT x INTO [STRICT] v, w FROM t` without its variables."""
    if part[0].text.upper() not in {"SELECT", "WITH"}:
        return part
    depth = 0
    for at, token in enumerate(part):
        if token.token_type is TokenType.L_PAREN:
            depth += 1
        elif token.token_type is TokenType.R_PAREN:
            depth -= 1
        elif depth == 0 and token.text.upper() == "INTO":
            end = at + 1
            while end < len(part) and part[end].text.upper() not in {
                *("FROM", "WHERE", "GROUP", "ORDER", "LIMIT", "UNION", "HAVING")
            }:
                end += 1
            return part[:at] + part[end:]
    return part
