"""What a routine's source says of tables: its queries and changes, for whoever learns from sources.

What a call of it would reveal is worked out elsewhere (`routines.interpret`).
"""

from __future__ import annotations

from sqlglot import exp

from qingfang.understand.routines.source import read
from qingfang.understand.routines.tree import Routine


class Body:
    """`queries` are the queries that stand in a source, `changes` put rows somewhere."""

    __slots__ = ("changes", "parameters", "queries")

    def __init__(self, routine: Routine) -> None:
        self.parameters = [parameter.name for parameter in routine.parameters]
        self.queries: list[exp.Expr] = []
        self.changes: list[exp.Expr] = []
        for tree in _parsed(routine):
            if isinstance(tree, exp.Query):
                if tree.find(exp.Table) is not None:
                    self.queries.append(tree)
            else:
                self.changes.append(tree)


def queries_of(text: str, dialect: str) -> Body:
    """The queries in a routine's source: `CREATE FUNCTION …`, a bare body or a block. Texts put
    together at run time are not among them."""
    return Body(read(text, dialect))


def _parsed(routine: Routine) -> list[exp.Expr]:
    found = list(routine.parsed)
    known = {id(tree) for tree in found}
    for inner in routine.inner.values():
        found.extend(tree for tree in _parsed(inner) if id(tree) not in known)
    return found
