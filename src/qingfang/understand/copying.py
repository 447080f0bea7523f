"""COPY and EXPLAIN: statements about a statement."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from qingfang.understand import dialects

if TYPE_CHECKING:
    from qingfang.understand.statement import Statement


def explain(statement: Statement) -> None:
    upper = [t.text.upper() for t in statement.piece.tokens]
    for at, word in enumerate(upper):
        if word in {"SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "CREATE", "EXECUTE"}:
            return
        if word in {"ANALYZE", "ANALYSE"} and upper[at + 1 : at + 2] not in (
            ["FALSE"],
            ["OFF"],
            ["0"],
        ):
            statement.problem("analyze")
            return


def copy(statement: Statement) -> None:
    """COPY … FROM is a load; COPY … TO STDOUT is returned, to a file or program is stored."""
    tokens = statement.piece.tokens
    words = [t.text.upper() for t in tokens]
    depth = 0
    direction, at = "", len(words)
    for n, token in enumerate(tokens):
        if token.token_type is TokenType.L_PAREN:
            depth += 1
        elif token.token_type is TokenType.R_PAREN:
            depth -= 1
        elif depth == 0 and words[n] in {"TO", "FROM"}:
            direction, at = words[n], n
            break
    if direction == "FROM" and words[at + 1 : at + 2] != ["PROGRAM"]:
        return
    if direction != "TO":
        statement.problem("server" if direction else "unparsed")
        return
    source = tokens[1:at]
    if source and source[0].token_type is TokenType.L_PAREN:
        node = dialects.parse(source[1:-1], statement.sql, statement.dialect)
    else:
        node = _copied_table(statement, source)
    if isinstance(node, exp.Query):
        statement.query(node, statement.scope())
    elif node is not None:
        statement.node(node, statement.scope())
    else:
        statement.problem("unparsed")
    statement.result.delivery = "returned" if words[at + 1 : at + 2] == ["STDOUT"] else "stored"


def _copied_table(statement: Statement, source: list[Token]) -> exp.Expr | None:
    split = next(
        (n for n, t in enumerate(source) if t.token_type is TokenType.L_PAREN), len(source)
    )
    head = Token(TokenType.SELECT, "SELECT", start=statement.piece.start, end=statement.piece.start)
    star = Token(TokenType.STAR, "*", start=statement.piece.start, end=statement.piece.start)
    origin = Token(TokenType.FROM, "FROM", start=statement.piece.start, end=statement.piece.start)
    columns = source[split + 1 : -1] if split < len(source) else [star]
    return dialects.parse(
        [head, *columns, origin, *source[:split]], statement.sql, statement.dialect
    )
