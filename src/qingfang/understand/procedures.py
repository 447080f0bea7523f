"""Stored bodies and blocks: which queries run inside, for PL/pgSQL, PL/SQL and T-SQL alike.

Rules this module keeps:

1. A body is read by words, not by the parser: statements are cut at `;` and at the words that
   open a branch or a loop, then each is parsed by itself.
2. SQL put together at run time is read when it folds to constants; otherwise the body is
   `opaque`, whatever else is known of it. A variable that a branch may have set holds all texts
   it may hold; one that a query, a cursor or a call sets is not known.
3. Everything a body selects counts as handed on: variables and cursors carry it to the result.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from qingfang.understand import dialects
from qingfang.understand.folding import Reading, fold

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
_BRANCHES = frozenset(
    {
        *("IF", "ELSIF", "ELSEIF", "ELSE", "CASE", "WHEN", "EXCEPTION", "CATCH", "TRY", "RETURN"),
        *("EXIT", "BREAK", "CONTINUE", "LEAVE", "GOTO", "RAISE", "THROW"),
    }
)
_LOOPS = frozenset({"LOOP", "WHILE", "FOR", "FOREACH", "REPEAT", "GOTO"})
MAX_TEXTS = 16
# Packages of the server whose procedures run no SQL of ours.
_HARMLESS_PACKAGES = frozenset(
    {
        *("dbms_output", "dbms_application_info", "dbms_lock", "dbms_session", "dbms_random"),
        *("raise_application_error",),
    }
)
_ROUTINES = frozenset(
    {"FUNCTION", "PROCEDURE", "PROC", "TRIGGER", "EVENT", "PACKAGE", "TYPE", "JOB"}
)
_DYNAMIC = frozenset({"EXECUTE", "EXEC"})
_STRINGS = frozenset(
    {
        *(TokenType.STRING, TokenType.HEREDOC_STRING, TokenType.RAW_STRING),
        *(TokenType.NATIONAL_STRING, TokenType.BYTE_STRING, TokenType.UNICODE_STRING),
    }
)


_NAMES = frozenset({TokenType.VAR, TokenType.IDENTIFIER})


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


Texts = dict[str, tuple[str, ...] | None]
"""What text variables may hold, by name; None: not known."""


def queries_of(text: str, dialect: str, depth: int = 0, texts: Texts | None = None) -> Body:
    """What runs inside a routine's source: `CREATE FUNCTION …`, a bare body or a block. `texts`
    are the variables of the batch it stands in, brought up to date."""
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
    known: Texts = texts if texts is not None else {}
    if tokens[0].text.upper() in {"CREATE", "ALTER"} and _is_routine(tokens):
        quoted, tokens = _open(tokens, body)
        if quoted is not None:
            inner = queries_of(quoted, dialect, depth + 1)
            inner.parameters = body.parameters
            return inner
    if any(token.text.upper() in _LOOPS for token in tokens):
        _settle(text, dialect, depth, tokens, known)
    _Reader(text, dialect, body, depth, known).read(tokens)
    return body


def _is_routine(tokens: list[Token]) -> bool:
    return any(token.text.upper() in _ROUTINES for token in tokens[1:6])


def _settle(text: str, dialect: str, depth: int, tokens: list[Token], texts: Texts) -> None:
    """Bring in what later turns of a loop put into variables that earlier lines run."""
    for _turn in range(3):
        before = dict(texts)
        _Reader(text, dialect, Body(), depth, texts, True).read(tokens)
        if texts == before:
            return
    for name in texts:
        texts[name] = None


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

    def __init__(
        self, text: str, dialect: str, body: Body, depth: int, texts: Texts, loops: bool = False
    ) -> None:
        self.text, self.dialect, self.body, self.depth = text, dialect, body, depth
        self.texts = texts
        # Whether an assignment may not have run, or may run again.
        self.may = self.loops = loops

    def read(self, tokens: list[Token]) -> None:
        self.loops = self.loops or any(token.text.upper() in _LOOPS for token in tokens)
        self.may = self.may or self.loops
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
                if self.dialect == "tsql" and word == "END":
                    self.statement(part)
                    part = [token]
                    continue
                if (
                    word in _OPENING
                    and not (self.dialect == "tsql" and word == "DECLARE")
                    and not (part and part[0].text.upper() in _VERBS)
                    and not (word in {"AS", "IS"} and part)
                ):
                    self.statement(part)
                    part = []
                    continue
                if self.dialect == "tsql" and self._begins(part, token):
                    self.statement(part)
                    part = []
            if depth == 0 and cases == 0 and word in _BRANCHES and kind not in _STRINGS:
                self.may = True
            part.append(token)
        self.statement(part)

    def _begins(self, part: list[Token], token: Token) -> bool:
        """A statement of T-SQL where no `;` stands; a condition ends where one begins."""
        if part and part[0].text.upper() in {"OPEN", "FOR"}:
            return False
        return dialects.opens_statement(part, token)

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
            self._selected(part)
            self._query(part)
        elif first == "CREATE" and "SELECT" in words and not _is_routine(part):
            self._query(part)
        elif first in _DYNAMIC:
            self._dynamic(part, words)
        elif first == "CALL":
            self._call(part[1:])
        elif first == "FETCH":
            self._unknown(part)
        elif first == "GOTO" and self.dialect == "tsql":
            self.body.opaque = True
        elif ":=" in words or ((len(part) > 1 and words[1] == "=") or first in {"SET", "DECLARE"}):
            self._assigned(part, words)
        else:
            self._conditions(part)
            if first in _QUIET:
                return
            if self._calls(part):
                self._call(part)
                return
            self._unread(part)
            if part[0].token_type in _NAMES and len(part) > 1:
                self.texts.setdefault(_bare(part[0].text), ())  # declared, nothing in it yet

    def _unread(self, part: list[Token]) -> None:
        """A statement of no known kind: harmless only if it cannot run SQL."""
        if any(t.text.upper() in {"EXECUTE", "EXEC", "IMMEDIATE", "OPENQUERY"} for t in part):
            self.body.opaque = True

    def _calls(self, part: list[Token]) -> bool:
        """`p(…);`, `pkg.p;`: Oracle's blocks call without a verb."""
        if self.dialect != "oracle" or part[0].token_type not in _NAMES:
            return False
        after = part[1].text if len(part) > 1 else ""
        return after in {"", "(", "."} and part[0].text.lower() not in _HARMLESS_PACKAGES

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
        """A routine by its name; what it is handed may come back changed."""
        name: list[str] = []
        for at, token in enumerate(part):
            if at % 2 and token.text != ".":
                break
            name.append(token.text)
        if name:
            self.body.calls.append("".join(name).lower())
        self._unknown(part[len(name) :])

    def _unknown(self, part: list[Token]) -> None:
        """The variables mentioned are not known from here on."""
        for token in part:
            name = _bare(token.text)
            if name in self.texts and token.token_type not in _STRINGS:
                self.texts[name] = None

    def _selected(self, part: list[Token]) -> None:
        """`SELECT … INTO v`, `SELECT @v = …`, `UPDATE … SET @v = …` set variables."""
        words = [token.text.upper() for token in part]
        if "INTO" in words:
            end = next((n for n, word in enumerate(words) if word == "FROM"), len(words))
            start = words.index("INTO")
            self._unknown(part[start : end if end > start else len(words)])
        if self.dialect != "tsql":
            return
        if words[0] == "SELECT" and "FROM" not in words:
            for item in _items(part[1:]):
                self._set(item)
            return
        for at, word in enumerate(words):
            if word in {"=", "+="} and at and part[at - 1].text.lower().startswith(dialects.BIND):
                self._unknown(part[at - 1 : at])

    def _assigned(self, part: list[Token], words: list[str]) -> None:
        """`v := x`, `SET @v = x`, `DECLARE @v T = x, …`: remember texts, read sub-selects."""
        if words[0] == "DECLARE" and "CURSOR" in words:
            self._conditions(part)
            return
        if words[0] in {"SET", "DECLARE"}:
            for item in _items(part[1:]):
                self._set(item)
        else:
            self._set(part)
        if any(word == "SELECT" for word in words):
            start = next((n for n, word in enumerate(words) if word in {":=", "="}), 0)
            self._expression(part[start + 1 :])

    def _set(self, part: list[Token]) -> None:
        """One assignment: a name, perhaps its type, a sign and a value."""
        words = [token.text.upper() for token in part]
        sign = next((n for n, word in enumerate(words) if word in {":=", "=", "+="}), None)
        names = [t for t in part[:sign] if t.token_type not in _MARKS]
        if not names:
            return
        if sign is None:
            if self.dialect == "tsql":  # declared, and nothing in it yet
                self.texts.setdefault(_bare(names[0].text), ())
            return
        name = _bare(names[2].text if len(names) > 2 and names[1].text == "." else names[0].text)
        right = part[sign + 1 :]
        values = self._folded(right)
        if words[sign] == "+=" or words[sign - 1] == "+":
            values = _joined(self.texts.get(name), values)
        again = any(_bare(token.text) == name for token in right) or words[sign] == "+="
        if self.may:
            old = self.texts.get(name)
            if old is not None and values is not None:
                values = tuple(dict.fromkeys((*old, *values)))
            else:
                values = None
        if values is not None and (len(values) > MAX_TEXTS or (again and self.loops)):
            values = None
        self.texts[name] = values

    def _folded(self, part: list[Token]) -> tuple[str, ...] | None:
        """The constant texts of an expression over known variables."""
        if not part:
            return None
        node = dialects.parse([_word("SELECT", part[0]), *part], self.text, self.dialect)
        if not isinstance(node, exp.Select) or len(node.expressions) != 1:
            return None
        if any(value for key, value in node.args.items() if key not in {"expressions", "kind"}):
            return None
        names = {_variable(place) for place in _variables(node)}
        choices: list[tuple[str, ...]] = []
        for name in sorted(names):
            known = self.texts.get(name)
            if known is None:
                return None
            choices.append(known)
        found: list[str] = []
        for values in product(*choices):
            if len(found) > MAX_TEXTS:
                return None
            given = dict(zip(sorted(names), values, strict=True))
            holder = exp.Select(expressions=[node.expressions[0].copy()])
            for place in list(_variables(holder)):
                place.replace(exp.Literal.string(given[_variable(place)]))
            const = fold(holder.expressions[0], Reading(None), False)
            if const is None or const.text is None:
                return None
            found.append(const.text)
        return tuple(dict.fromkeys(found))

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
        texts = self._folded(rest[:end])
        self._unknown(rest[end:])
        if not texts:
            self.body.opaque = True
            return
        for text in texts:
            inner = queries_of(text, self.dialect, self.depth + 1)
            self.body.queries.extend(inner.queries)
            self.body.changes.extend(inner.changes)
            self.body.calls.extend(inner.calls)
            self.body.opaque = self.body.opaque or inner.opaque


_MARKS = frozenset({TokenType.COLON, TokenType.PARAMETER})


def _items(part: list[Token]) -> Iterator[list[Token]]:
    """The parts of a list between its commas."""
    item: list[Token] = []
    depth = 0
    for token in part:
        if token.token_type is TokenType.L_PAREN:
            depth += 1
        elif token.token_type is TokenType.R_PAREN:
            depth -= 1
        if token.token_type is TokenType.COMMA and not depth:
            yield item
            item = []
        else:
            item.append(token)
    yield item


def _joined(
    first: tuple[str, ...] | None, second: tuple[str, ...] | None
) -> tuple[str, ...] | None:
    if first is None or second is None or len(first) * len(second) > MAX_TEXTS:
        return None
    return tuple(a + b for a in first for b in second)


def _variables(node: exp.Expr) -> Iterator[exp.Expr]:
    return node.find_all(exp.Column, exp.Placeholder)


def _bare(text: str) -> str:
    """A variable's name without its mark: `@s`, and the form `dialects` gives it."""
    name = text.lower().lstrip("@:").removeprefix(dialects.BIND)
    return name.split("_", 1)[-1] if name[:1].isdigit() else name


def _variable(node: exp.Expr) -> str:
    return _bare(str(node.this if isinstance(node, exp.Placeholder) else node.name))


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
