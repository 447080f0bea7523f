"""CREATE: what is built is what its query or its body would reveal, stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from qingfang.understand import dialects, running
from qingfang.understand.names import ACCOUNTS, SERVER_OBJECTS, dotted
from qingfang.understand.scope import Scope
from qingfang.understand.state import Made

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
        return
    node = dialects.tree(statement.piece, statement.sql, statement.dialect)
    if isinstance(node, exp.Create) and isinstance(node.expression, exp.Query):
        temporary = bool({"TEMP", "TEMPORARY"} & set(words))
        _made_from(statement, node, node.expression, temporary, statement.scope())
    elif isinstance(node, exp.Create) and node.kind in {"TABLE", "VIEW"}:
        _made_empty(statement, node, words)
    elif any(
        token.text.upper() in {"SELECT", "EXECUTE", "EXEC"} for token in statement.piece.tokens
    ):
        _created_by_words(statement, words)
    elif node is None and not (set(words) & {"TABLE", "INDEX", "SEQUENCE", "SCHEMA", "TYPE"}):
        statement.problem("unparsed")


def create_from(statement: Statement, node: exp.Create, scope: Scope) -> None:
    """A CREATE inside a block: a table or a view."""
    if isinstance(node.expression, exp.Query) and node.kind in {"TABLE", "VIEW"}:
        temporary = node.find(exp.TemporaryProperty) is not None
        _made_from(statement, node, node.expression, temporary, scope)
    elif node.kind == "TABLE" and node.find(exp.Query) is None:
        temporary = node.find(exp.TemporaryProperty) is not None
        _made_empty(statement, node, ["TEMPORARY"] if temporary else [])
    elif node.kind not in {"INDEX", "SEQUENCE", "SCHEMA"}:
        statement.problem("unparsed")


def _made_from(
    statement: Statement, node: exp.Create, query: exp.Query, temporary: bool, scope: Scope
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
        statement.state.keep(made, temporary)


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
        statement.state.keep(Made(target.name, columns, [], {}), temporary)


def _created_by_words(statement: Statement, words: list[str]) -> None:
    """CREATE … AS SELECT in a form the parser does not take: read from the SELECT on."""
    tokens = statement.piece.tokens
    start = next(
        (n for n, t in enumerate(tokens) if t.text.upper() in {"SELECT", "WITH"} and n > 1),
        None,
    )
    node = (
        dialects.parse(tokens[start:], statement.sql, statement.dialect)
        if start is not None
        else None
    )
    if not isinstance(node, exp.Query):
        statement.problem("unparsed")
        return
    statement.result.blocks(statement.walker.query(node, statement.scope()), statement.reading)
    statement.result.delivery = "stored"
    name = next(
        (
            tokens[n + 1].text
            for n, t in enumerate(tokens[:-1])
            if t.text.upper() in {"TABLE", "VIEW"}
        ),
        "",
    )
    if statement.state is not None and name:
        statement.state.keep(
            Made(name, [], [(statement.frozen(node), [])], statement.state.world()), False
        )


def _routine(statement: Statement) -> None:
    """CREATE FUNCTION, PROCEDURE, TRIGGER, EVENT: what its body would reveal, stored."""
    text = statement.text()
    running.define(statement)
    tokens = statement.piece.tokens
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
        statement.state.alias(texts[at - 1], "".join(texts[at + 1 :]).lower())
