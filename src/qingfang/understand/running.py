"""What runs without standing in the statement: routines, blocks, prepared statements, cursors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from qingfang.understand import dialects
from qingfang.understand.folding import fold
from qingfang.understand.procedures import Body, queries_of
from qingfang.understand.scope import OverBudget, Scope

if TYPE_CHECKING:
    from qingfang.understand.statement import Statement


def _routine_call(statement: Statement, name: str) -> None:
    body = statement.catalogue.procedure(name)
    if body is None and statement.state is not None:
        body = statement.state.function(name)
    if body is None:
        statement.problem("unknown_procedure", name)
        return
    if statement.walker.depth > 8:
        raise OverBudget
    statement.walker.depth += 1
    run_body(statement, queries_of(body, statement.dialect), statement.result.span)


def call(statement: Statement, tokens: list[Token]) -> None:
    """CALL p(…), EXEC p …: the name may be qualified."""
    name: list[str] = []
    for token in tokens:
        if token.token_type in {TokenType.L_PAREN, TokenType.PARAMETER, TokenType.COLON}:
            break
        if token.text != "." and name and not name[-1].endswith("."):
            break
        name.append(token.text)
    _routine_call(statement, "".join(name).lower())


def do(statement: Statement) -> None:
    strings = [t for t in statement.piece.tokens if len(t.text) > 8]
    source = max((t.text for t in strings), key=len, default="")
    body = queries_of(source, "postgres")
    run_body(statement, body, statement.result.span)
    # A block hands rows to nobody; only what it says (RAISE) reaches the client. What it works out
    # may still be kept (`set_config`) or come back as an error.
    if not body.speaks:
        statement.result.delivery = "stored"


def _handle(token: Token) -> str:
    """The name of a prepared statement or cursor: quoted ones keep their case."""
    return token.text if token.token_type is TokenType.IDENTIFIER else token.text.lower()


def execute(statement: Statement) -> None:
    tokens = statement.piece.tokens
    words = statement.piece.words(4)
    if statement.dialect in {"tsql", "oracle"} or words[1:2] == ["IMMEDIATE"]:
        found = queries_of(statement.text(), statement.dialect, 0, statement.texts)
        run_body(statement, found, statement.result.span)
        return
    name = _handle(tokens[1]) if len(tokens) > 1 else ""
    texts = statement.state.prepared.get(name) if statement.state is not None else None
    statement.walker.volatile = True
    if not texts:
        statement.problem("unknown_handle", name)
        statement.result.unbounded = True
        return
    binds = _arguments(statement, tokens[2:])
    for text in texts:
        statement.again(text, binds)


def _arguments(statement: Statement, tokens: list[Token]) -> list[str | None] | None:
    """EXECUTE's arguments as bound values."""
    if not tokens:
        return None
    node = dialects.parse(
        [
            Token(TokenType.SELECT, "SELECT", start=tokens[0].start, end=tokens[0].start),
            *tokens,
        ],
        statement.sql,
        statement.dialect,
    )
    if not isinstance(node, exp.Select) or not node.expressions:
        return None
    first = node.expressions[0]
    parts = first.expressions if isinstance(first, exp.Tuple) else [first]
    values: list[str | None] = []
    for part in parts:
        const = fold(
            part.unnest() if isinstance(part, exp.Paren) else part, statement.reading, True
        )
        if const is None or (const.text is None and not const.null):
            return None
        statement.reading.bind(const)
        values.append(const.text)
    return values


def prepare(statement: Statement) -> None:
    tokens = statement.piece.tokens
    words = [t.text.upper() for t in tokens]
    if statement.state is None or len(tokens) < 4:
        return
    name = _handle(tokens[1])
    if "AS" in words[:-1]:
        start = tokens[words.index("AS") + 1].start
        statement.state.prepare(name, statement.sql[start : statement.piece.end])
    elif words[2] == "FROM":
        node = dialects.parse(
            [Token(TokenType.SELECT, "SELECT", start=0, end=0), *tokens[3:]],
            statement.sql,
            statement.dialect,
        )
        value = node.expressions[0] if isinstance(node, exp.Select) else None
        const = fold(value, statement.reading, True) if value is not None else None
        if const is not None and const.text is not None:
            statement.reading.bind(const)
            statement.state.prepare(name, const.text)


def declare(statement: Statement) -> None:
    """DECLARE c CURSOR FOR q: the cursor holds what q reveals; FETCH hands it on."""
    words = [t.text.upper() for t in statement.piece.tokens]
    if "FOR" not in words:
        statement.problem("unparsed")
        return
    start = words.index("FOR") + 1
    tokens = statement.piece.tokens[start:]
    node = dialects.parse(tokens, statement.sql, statement.dialect) if tokens else None
    if not isinstance(node, exp.Query):
        statement.problem("unparsed")
        return
    statement.query(node, statement.scope())
    statement.result.delivery = "stored"
    if statement.state is not None:
        name = _handle(statement.piece.tokens[1])
        statement.state.cursors[name] = statement.sql[tokens[0].start : statement.piece.end]


def fetch(statement: Statement) -> None:
    name = _handle(statement.piece.tokens[-1])
    text = statement.state.cursors.get(name) if statement.state is not None else None
    if text is None:
        statement.problem("unknown_handle", name)
        statement.result.unbounded = True
        return
    statement.walker.volatile = True
    binds = list(statement.reading.binds) if statement.reading.binds is not None else None
    statement.again(text, binds)


def run_body(statement: Statement, body: Body, span: tuple[int, int]) -> None:
    """What a stored body or a block selects and stores."""
    if body.opaque:
        statement.problem("opaque_body")
    for query in body.queries:
        blocks = statement.walker.query(query, Scope(statement.walker, None, {}, span))
        statement.result.blocks(blocks, statement.reading)
    stored = bool(body.changes) and not body.queries
    for change in body.changes:
        statement.node(change, Scope(statement.walker, None, {}, span))
    statement.result.delivery = "stored" if stored else "returned"
    for name in body.calls:
        _routine_call(statement, name)
