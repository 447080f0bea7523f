"""CREATE: what is built is what its query or its body would reveal, stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from qingfang.understand import dialects, estimate, running
from qingfang.understand.moving import indexes_expression, moves
from qingfang.understand.names import ACCOUNTS, SERVER_OBJECTS, dotted
from qingfang.understand.scope import Scope
from qingfang.understand.state import Made
from qingfang.understand.triggers import head_of

if TYPE_CHECKING:
    from qingfang.understand.statement import Statement


_ROUTINES = frozenset({"FUNCTION", "PROCEDURE", "PROC", "TRIGGER", "EVENT", "PACKAGE", "JOB"})


def create(statement: Statement, words: list[str]) -> None:
    kinds = [word for word in words[1:] if word not in {"OR", "REPLACE", "TEMP", "TEMPORARY"}]
    routine = next((w for w in words[1:8] if w in _ROUTINES), None)
    if routine is not None and "INDEX" not in words[1:3] and "TABLE" not in words[1:4]:
        _routine(statement)
        return
    if kinds and kinds[0] in ACCOUNTS:
        statement.problem("grant")
        return
    if "SYNONYM" in words:
        _synonym(statement)
        return
    if kinds and kinds[0] in SERVER_OBJECTS:
        statement.problem("server")
        if kinds[0] == "FOREIGN" and "TABLE" in kinds[1:2]:
            _made_elsewhere(statement, words)
        return
    if statement.dialect == "mysql" and "TABLE" in kinds[:2] and _engine(statement) in _ELSEWHERE:
        if _engine(statement) not in _COLLECTING:
            statement.problem("server")
        _made_elsewhere(statement, words)
        return
    if "INDEX" in words[1:5] and indexes_expression(statement.catalogue, statement.piece.tokens):
        statement.problem("unparsed")
        return
    _created(statement, words)


# MySQL's engines whose tables show rows of another server, of a file, or of other tables.
_COLLECTING = frozenset({"MERGE", "MRG_MYISAM"})
_ELSEWHERE = _COLLECTING | {"FEDERATED", "FEDERATEDX", "CONNECT", "SPIDER", "S3"}


def _engine(statement: Statement) -> str:
    texts = [token.text.upper() for token in statement.piece.tokens]
    at = texts.index("ENGINE") + 1 if "ENGINE" in texts else len(texts)
    return next((text for text in texts[at : at + 2] if text != "="), "")


def _made_elsewhere(statement: Statement, words: list[str]) -> None:
    """A table whose rows are elsewhere: those of a catalogued table when it goes by its name and
    columns, else not known."""
    if statement.state is None:
        return
    tokens = statement.piece.tokens
    texts = [token.text.upper() for token in tokens]
    name, _columns = _named(tokens)
    ends = [n for n, text in enumerate(texts) if text in {"SERVER", "ENGINE"}]
    head = [t for t in tokens[: ends[0] if ends else len(tokens)] if t.text.upper() != "FOREIGN"]
    node = dialects.parse(head, statement.sql, statement.dialect)
    schema = node.this if isinstance(node, exp.Create) else None
    columns = (
        [part.name.lower() for part in schema.expressions if isinstance(part, exp.ColumnDef)]
        if isinstance(schema, exp.Schema)
        else []
    )
    remote = name
    for before, token in zip(texts, tokens[1:], strict=False):
        if token.token_type is TokenType.STRING and (
            "/" in token.text or before in {"TABLE_NAME", "TABLE"}
        ):
            remote = token.text.rsplit("/", maxsplit=1)[-1]
    known = statement.catalogue.table(remote.lower())
    rows: exp.Expr = estimate.unread(statement.catalogue, statement.text())
    if known is not None and columns and known.columns.keys() >= set(columns):
        rows = exp.select(*(exp.column(c) for c in columns)).from_(exp.table_(known.name))
    temporary = bool({"TEMP", "TEMPORARY"} & set(words))
    statement.state.keep(Made(name, columns, [(rows, columns)], {}), temporary)


# What is created without reading a row.
_WITHOUT_ROWS = frozenset({"TABLE", "INDEX", "SEQUENCE", "SCHEMA", "TYPE", "STATISTICS"})


def altered(statement: Statement, words: list[str]) -> None:
    """ALTER VIEW … AS SELECT: as if it were created so; … RENAME TO: followed."""
    if "RENAME" in words and moves(statement):
        statement.problem("unparsed")
    elif _query_start(statement.piece.tokens) is not None:
        _created(statement, ["CREATE", "OR", "REPLACE", *words[1:]])


def _created(statement: Statement, words: list[str]) -> None:
    tokens = statement.piece.tokens
    run = next((n for n in range(len(tokens) - 1) if _runs_prepared(tokens, n)), None)
    if run is not None:
        # CREATE TABLE … AS EXECUTE p(…)
        piece, statement.piece = statement.piece, dialects.Piece(tokens[run + 1 :])
        running.execute(statement)
        statement.piece = piece
        for part in (*statement.parts, statement.result):
            part.delivery = "stored"
        return
    node = dialects.tree(statement.piece, statement.sql, statement.dialect)
    query = node.expression if isinstance(node, exp.Create) else None
    if isinstance(node, exp.Create) and isinstance(query, (exp.Query, exp.Values)):
        temporary = bool({"TEMP", "TEMPORARY"} & set(words))
        _made_from(statement, node, query, temporary, statement.scope(), _fails(words))
    elif isinstance(node, exp.Create) and node.kind in {"TABLE", "VIEW"} and query is None:
        _made_empty(statement, node, words)
    elif _query_start(tokens) is not None:
        _created_by_words(statement, words)
    elif any(token.text.upper() in {"SELECT", "EXECUTE", "EXEC"} for token in tokens) or (
        node is None and not (set(words) & _WITHOUT_ROWS)
    ):
        statement.problem("unparsed")


def _runs_prepared(tokens: list[Token], at: int) -> bool:
    return tokens[at].text.upper() == "AS" and tokens[at + 1].text.upper() == "EXECUTE"


def _query_start(tokens: list[Token]) -> int | None:
    """Where the query of `CREATE … AS query`, or MySQL's `CREATE TABLE … query`, begins."""
    depth = 0
    for at, token in enumerate(tokens):
        word = token.text.upper()
        depth += (token.token_type is TokenType.L_PAREN) - (token.token_type is TokenType.R_PAREN)
        after_as = at > 1 and tokens[at - 1].text.upper() == "AS"
        if not depth and at > 1 and token.token_type is TokenType.SELECT:
            return at
        if after_as and (word in {"WITH", "TABLE", "VALUES"} or (word == "(" and depth == 1)):
            return at
    return None


# What can follow the query of a view.
_AFTER_VIEW = (
    *(["WITH", "DATA"], ["WITH", "NO", "DATA"], ["WITH", "CHECK", "OPTION"]),
    *(["WITH", "LOCAL", "CHECK", "OPTION"], ["WITH", "CASCADED", "CHECK", "OPTION"]),
    ["WITH", "READ", "ONLY"],
)


def _without_suffix(tokens: list[Token]) -> list[Token]:
    words = [token.text.upper() for token in tokens]
    for suffix in _AFTER_VIEW:
        if words[-len(suffix) :] == suffix:
            return tokens[: -len(suffix)]
    return tokens


def create_from(statement: Statement, node: exp.Create, scope: Scope) -> None:
    """A CREATE inside a block: a table or a view."""
    if isinstance(node.expression, exp.Query) and node.kind in {"TABLE", "VIEW"}:
        temporary = node.find(exp.TemporaryProperty) is not None
        _made_from(statement, node, node.expression, temporary, scope)
    elif node.kind == "TABLE" and node.find(exp.Query) is None:
        temporary = node.find(exp.TemporaryProperty) is not None
        _made_empty(statement, node, ["TEMPORARY"] if temporary else [])
    elif node.kind == "INDEX":
        words = dialects.words(node.sql(statement.dialect), statement.dialect)
        if isinstance(words, str) or indexes_expression(statement.catalogue, words):
            statement.problem("unparsed")
    elif node.kind not in {"SEQUENCE", "SCHEMA"}:
        statement.problem("unparsed")


def _made_from(
    statement: Statement,
    node: exp.Create,
    query: exp.Query | exp.Values,
    temporary: bool,
    scope: Scope,
    fails: bool = False,
) -> None:
    """CREATE TABLE AS, CREATE [MATERIALIZED] VIEW: what its query would reveal, stored."""
    target = node.this.this if isinstance(node.this, exp.Schema) else node.this
    columns = (
        [part.name.lower() for part in node.this.expressions]
        if isinstance(node.this, exp.Schema)
        else []
    )
    walker = statement.walker
    walker.define(node, scope)
    inner = Scope(walker, None, scope.ctes, scope.anchor)
    statement.result.blocks(walker.query(query, inner), statement.reading)
    statement.result.delivery = "stored"
    if statement.state is not None and isinstance(target, exp.Table):
        temporary = temporary or target.name.startswith("#")
        made = Made(
            target.name, columns, [(statement.frozen(query), columns)], statement.state.world()
        )
        statement.state.keep(made, temporary, fails)


def _made_empty(statement: Statement, node: exp.Create, words: list[str]) -> None:
    if statement.state is None or node.kind != "TABLE":
        return
    schema = node.this
    target = schema.this if isinstance(schema, exp.Schema) else schema
    columns = (
        [part.name.lower() for part in schema.expressions if isinstance(part, exp.ColumnDef)]
        if isinstance(schema, exp.Schema)
        else []
    )
    if isinstance(target, exp.Table) and statement.catalogue.table(dotted(target)) is None:
        temporary = bool({"TEMP", "TEMPORARY"} & set(words)) or target.name.startswith("#")
        # No source, so no world to read it in: a thousand empty tables each keeping all others
        # would make every further one slower.
        statement.state.keep(Made(target.name, columns, [], {}), temporary, _fails(words))


def _created_by_words(statement: Statement, words: list[str]) -> None:
    """CREATE … AS SELECT in a form the parser does not take: read from the SELECT on."""
    tokens = _without_suffix(statement.piece.tokens)
    node = dialects.parse(tokens[_query_start(tokens) :], statement.sql, statement.dialect)
    if isinstance(node, exp.Table):
        node = exp.Select(expressions=[exp.Star()], from_=exp.From(this=node))
    if not isinstance(node, exp.Query):
        statement.problem("unparsed")
        return
    statement.result.blocks(statement.walker.query(node, statement.scope()), statement.reading)
    statement.result.delivery = "stored"
    name, columns = _named(tokens)
    if statement.state is not None and name:
        temporary = bool({"TEMP", "TEMPORARY"} & set(words)) or name.startswith("#")
        made = Made(name, columns, [(statement.frozen(node), columns)], statement.state.world())
        statement.state.keep(made, temporary, _fails(words))


def _fails(words: list[str]) -> bool:
    """Whether a CREATE builds nothing where there is one of that name already. A temporary table is
    taken for gone: pools of connections clear theirs away."""
    if "REPLACE" in words or "ALTER" in words:
        return False
    return "EXISTS" in words or not {"TEMP", "TEMPORARY"} & set(words)


def _named(tokens: list[Token]) -> tuple[str, list[str]]:
    """The name that is created, without its schema, and the columns named behind it."""
    words = [token.text.upper() for token in tokens]
    at = next((n for n, word in enumerate(words) if word in {"TABLE", "VIEW"}), len(words)) + 1
    while at < len(words) and words[at] in {"IF", "NOT", "EXISTS"}:
        at += 1
    while at + 2 < len(words) and words[at + 1] == ".":
        at += 2
    if at >= len(tokens):
        return "", []
    columns: list[str] = []
    if words[at + 1 : at + 2] == ["("]:
        for token in tokens[at + 2 :]:
            if token.token_type is TokenType.R_PAREN:
                break
            if token.token_type is not TokenType.COMMA:
                columns.append(token.text.lower())
    return tokens[at].text, columns


def _routine(statement: Statement) -> None:
    """CREATE FUNCTION, PROCEDURE, TRIGGER, EVENT: what its body would reveal, stored."""
    text = statement.text()
    running.define(statement)
    tokens = statement.piece.tokens
    if head_of(tokens, statement.dialect) is not None:
        return
    for n, token in enumerate(tokens[:-1]):
        if token.text.upper() in {"FUNCTION", "PROCEDURE", "PROC", "PACKAGE"}:
            if tokens[n + 1].text.upper() == "BODY":
                tokens = [*tokens[: n + 1], *tokens[n + 2 :]]
            name = tokens[n + 1].text
            if n + 3 < len(tokens) and tokens[n + 2].text == ".":
                name = tokens[n + 3].text
            if statement.state is not None:
                statement.state.define(name, text)
            return


def _synonym(statement: Statement) -> None:
    tokens = statement.piece.tokens
    texts = [t.text for t in tokens]
    upper = [t.upper() for t in texts]
    if "FOR" in upper and statement.state is not None:
        at = upper.index("FOR")
        target = "".join(texts[at + 1 :]).lower().split("@", 1)[0]
        statement.state.alias(texts[at - 1], target)
