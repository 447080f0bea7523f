"""Statements of one database alone that are about its objects, or read a table in their own words:
MySQL's HANDLER, DO and SET, SQL Server's DBCC, sp_help and agent jobs.

Rules this module keeps:

1. What reads rows is read as the SELECT it stands for; what tells about objects, not about rows,
   is harmless; all else is a problem, which makes the statement opaque.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from qingfang.understand import dialects
from qingfang.understand.builtin import HARMLESS_DBCC, PROCEDURES_ABOUT_OBJECTS

if TYPE_CHECKING:
    from qingfang.understand.statement import Statement

_OTHERS_TEXTS = frozenset({"PROCESSLIST", "BINLOG", "RELAYLOG", "ENGINE"})


def supplied(statement: Statement) -> bool:
    """Read the statement if it is one of these; whether it was."""
    verb, words = statement.piece.verb, statement.piece.words(4)
    if statement.dialect == "mysql":
        return _mysql(statement, verb, words)
    if statement.dialect == "tsql":
        return _tsql(statement, verb, words)
    return False


_QUOTING = {
    "tsql": frozenset({"QUOTED_IDENTIFIER", "ANSI_DEFAULTS"}),
    "mysql": frozenset({"SQL_MODE"}),
    "postgres": frozenset({"STANDARD_CONFORMING_STRINGS"}),
}
_OFF = frozenset({"OFF", "FALSE", "NO", "0"})
_MODES = re.compile(
    r"ANSI|NO_BACKSLASH|PIPES|DB2|MAXDB|MSSQL|ORACLE|POSTGRESQL|HIGH_NOT", re.IGNORECASE
)
# What puts modes together without spelling others: their letters all stand there.
_JOINS = frozenset({"CONCAT", "CONCAT_WS", "SQL_MODE", "SESSION", "LOCAL", "GLOBAL", "DEFAULT"})
_HINTED = re.compile(r"SET_VAR\s*\(\s*sql_mode", re.IGNORECASE)
_SET_IN_TEXT = re.compile(
    r"QUOTED_IDENTIFIER|ANSI_DEFAULTS|STANDARD_CONFORMING_STRINGS|SQL_MODE", re.IGNORECASE
)
_QUOTED = re.compile(r'["\\]|\|\|')
_NOT = re.compile(r"\bNOT\b(?!\s+(?:IN|LIKE|NULL|EXISTS|BETWEEN|REGEXP)\b)", re.IGNORECASE)


def sets_quotes(tokens: list[Token], dialect: str) -> bool:
    """Whether a statement makes names of what stands in double quotes, texts of it, or changes what a
    backslash, `||` or NOT is: from then on texts of this session mean something else."""
    words = [token.text.upper() for token in tokens]
    if not _QUOTING.get(dialect, frozenset()) & set(words):
        return False
    if dialect == "mysql":
        return words[0] in {"SET", "BEGIN", "IF"} and _sets_mode(tokens, words)
    return bool(_OFF & set(words))


# In these orders a date written from the year on is read so.
_FROM_YEAR = re.compile(r"\s*[\"']?(?:YYYY|RRRR|SYYYY)\W*MM\W*DD", re.IGNORECASE)
_PLAIN_ORDERS = frozenset({"MDY", "YMD"})
_PLAIN_LANGUAGES = frozenset(
    {
        *("US_ENGLISH", "ENGLISH", "简体中文", "SIMPLIFIED CHINESE", "繁體中文"),
        *("TRADITIONAL CHINESE", "日本語", "JAPANESE", "한국어", "KOREAN"),
    }
)


def sets_dates(tokens: list[Token], dialect: str) -> bool | None:
    """Whether a statement has texts read as dates in an order in which `2026-01-02` may be the first of
    February; None when it sets no order."""
    words = [token.text.upper() for token in tokens]
    found: bool | None = None
    for at, word in enumerate(words[:-1]):
        value = next((w for w in words[at + 1 : at + 3] if w != "="), "")
        if dialect == "tsql" and word in {"DATEFORMAT", "LANGUAGE"} and words[at - 1] == "SET":
            plain = _PLAIN_ORDERS if word == "DATEFORMAT" else _PLAIN_LANGUAGES
            found = found or value not in plain
        elif dialect == "oracle" and word in {"NLS_DATE_FORMAT", "NLS_TIMESTAMP_FORMAT"}:
            found = found or _FROM_YEAR.match(value) is None
        elif dialect == "oracle" and word == "SET_NLS" and "NLS_DATE_FORMAT" in words[at + 1 :]:
            found = True
    return found


def _sets_mode(tokens: list[Token], words: list[str]) -> bool:
    """Whether MySQL's sql_mode is set to one that matters, or to what is not known here."""
    at = words.index("SQL_MODE") + 1
    if words[at : at + 1] not in (["="], [":="]):
        return False
    value = tokens[at + 1 :]
    spelt = "".join(token.text for token in value if token.token_type is TokenType.STRING)
    if _MODES.search(spelt):
        return True
    for n, token in enumerate(value):
        text = token.text.upper()
        # `REPLACE(@@sql_mode, …)` takes away.
        follows = [t.text for t in value[n + 1 : n + 3]]
        if token.token_type is TokenType.NUMBER:
            return text != "0"
        if token.token_type is TokenType.PARAMETER:
            # The variable that keeps the mode over an import.
            return not any(word.startswith("OLD_") for word in words[at + n + 2 : at + n + 3])
        if text.isidentifier() and token.token_type is not TokenType.STRING:
            taken = text == "REPLACE" and follows == ["(", "@@"]
            if text not in _JOINS and not taken:
                return True
    return False


def reads_quotes(text: str, dialect: str) -> bool:
    """Whether a text means something else after such a setting."""
    return bool(_QUOTED.search(text)) or (dialect == "mysql" and bool(_NOT.search(text)))


def hints_quotes(text: str, dialect: str) -> bool:
    """Whether an optimiser hint sets the mode for this statement alone."""
    return dialect == "mysql" and bool(_HINTED.search(text))


def sets_quotes_in(text: str) -> bool:
    """Whether a text that is put together at run time may set what quotes mean."""
    return bool(_SET_IN_TEXT.search(text))


# ------------------------------------------------------------------ Oracle


def with_functions(statement: Statement) -> None:
    """`WITH FUNCTION f … END; SELECT f(x) …`: a query that brings its functions along."""
    tokens = statement.piece.tokens
    ends = [n for n, token in enumerate(tokens) if token.token_type is TokenType.SEMICOLON]
    if not ends:
        statement.problem("unparsed")
        return
    heads = [
        n
        for n in range(1, ends[-1])
        if tokens[n].text.upper() in {"FUNCTION", "PROCEDURE"} and (n == 1 or n - 1 in ends)
    ]
    for head, following in zip(heads, [*heads[1:], ends[-1] + 1], strict=True):
        start, end = tokens[head].start, tokens[following - 1].end + 1
        name = tokens[head + 1].text.lower()
        statement.walker.local[name] = f"CREATE {statement.sql[start:end]}"
    query = dialects.parse(tokens[ends[-1] + 1 :], statement.sql, statement.dialect)
    if isinstance(query, exp.Query):
        statement.query(query, statement.scope())
    else:
        statement.problem("unparsed")


# ------------------------------------------------------------------ MySQL


def _mysql(statement: Statement, verb: str, words: list[str]) -> bool:
    if verb == "HANDLER":
        _handler(statement, words)
    elif verb == "DO":
        _values(statement, [statement.piece.tokens[1:]])
    elif verb == "SET" and words[1:2] == ["PASSWORD"]:
        statement.problem("grant")
    elif verb == "SET" and _asks(statement.piece.tokens):
        _values(statement, _assigned(statement.piece.tokens[1:]))
        statement.result.delivery = "stored"
    elif verb == "SHOW":
        # What others have sent, word by word.
        if _OTHERS_TEXTS & set(words):
            statement.problem("system_values")
    else:
        return False
    return True


def _asks(tokens: list[Token]) -> bool:
    return any(token.token_type is TokenType.SELECT for token in tokens)


def _handler(statement: Statement, words: list[str]) -> None:
    """`HANDLER t READ … [WHERE …]` walks through the table's rows; an index picks none of them."""
    tokens = statement.piece.tokens
    texts = [token.text.upper() for token in tokens]
    if "READ" not in texts:
        if texts[-1] == "CLOSE" or "OPEN" in texts:
            return
        statement.problem("unparsed")
        return
    at = texts.index("READ")
    rest = next((n for n in range(at, len(texts)) if texts[n] in {"WHERE", "LIMIT"}), len(texts))
    like = tokens[0]
    head = [
        Token(TokenType.SELECT, "SELECT", start=like.start, end=like.end),
        Token(TokenType.STAR, "*", start=like.start, end=like.end),
        Token(TokenType.FROM, "FROM", start=like.start, end=like.end),
    ]
    node = dialects.parse([*head, *tokens[1:at], *tokens[rest:]], statement.sql, "mysql")
    if isinstance(node, exp.Query):
        statement.query(node, statement.scope())
    else:
        statement.problem("unparsed")


def _assigned(tokens: list[Token]) -> list[list[Token]]:
    """The values of `SET @a = x, b := y`."""
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += (token.token_type is TokenType.L_PAREN) - (token.token_type is TokenType.R_PAREN)
        if token.token_type is TokenType.COMMA and not depth:
            parts.append([])
        else:
            parts[-1].append(token)
    values: list[list[Token]] = []
    for part in parts:
        sign = next((n for n, t in enumerate(part) if t.text in {"=", ":="}), -1)
        values.append(part[sign + 1 :])
    return values


def _values(statement: Statement, values: list[list[Token]]) -> None:
    """Expressions that are worked out: as the output of a SELECT."""
    like = statement.piece.tokens[0]
    tokens = [Token(TokenType.SELECT, "SELECT", start=like.start, end=like.end)]
    for value in values:
        if len(tokens) > 1:
            tokens.append(Token(TokenType.COMMA, ",", start=like.start, end=like.end))
        tokens.extend(value)
    node = dialects.parse(tokens, statement.sql, statement.dialect)
    if isinstance(node, exp.Query):
        statement.query(node, statement.scope())
    else:
        statement.problem("unparsed")


# ------------------------------------------------------------------ SQL Server


def _tsql(statement: Statement, verb: str, words: list[str]) -> bool:
    if verb == "DBCC":
        if words[1:2] and words[1].lower() in HARMLESS_DBCC:
            return True
        statement.problem("server")
        return True
    if verb == "DEALLOCATE" and statement.state is not None:
        statement.state.hold(statement.piece.tokens[-1].text.lower(), [])
        return True
    # EXEC may be left out before the first of a batch.
    return verb.lower() in PROCEDURES_ABOUT_OBJECTS
