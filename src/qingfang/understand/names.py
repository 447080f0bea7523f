"""Words and names that several statements share."""

from __future__ import annotations

from sqlglot import exp

from qingfang.understand.catalogue import Catalogue

ACCOUNTS = frozenset({"USER", "ROLE", "LOGIN", "GROUP", "PROFILE"})
SERVER_OBJECTS = frozenset(
    {
        *("SERVER", "FOREIGN", "PUBLICATION", "SUBSCRIPTION", "EXTENSION", "LANGUAGE", "RULE"),
        *("DIRECTORY", "SYSTEM", "DATABASE", "TABLESPACE", "ENDPOINT", "ASSEMBLY", "POLICY"),
        *("LINK", "CAST", "OPERATOR", "CONVERSION", "TRANSFORM", "ACCESS"),
    }
)


def dotted(table: exp.Table) -> str:
    return ".".join(part.name for part in table.parts if part.name).lower()


def is_use(catalogue: Catalogue, name: str) -> bool:
    """Whether a table is guarded: of use, or of stock."""
    table = catalogue.table(name)
    return table is not None and table.kind in {"usage", "stock"}
