"""Schemas with their true roles, written short, and the script each dialect would export for them.

A file `schemas/NAME.DIALECT.txt` holds tables, one line each (`name kind comment`), and below each
its columns, indented, tabs between the cells: name (`*` at the end: part of the primary key), type
(`c20` text of 20, `i` integer, `n` decimal, `d` date and time, `b` truth, `t` long text), true role
(`-` for none), comment; the last cell may be `> table`, a foreign key to that table's key.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

SCHEMAS = Path(__file__).parent / "schemas"

TYPES = {
    "postgres": {
        "c": "character varying({})",
        "i": "bigint",
        "n": "numeric(12,2)",
        "d": "timestamp without time zone",
        "b": "boolean",
        "t": "text",
    },
    "mysql": {
        "c": "varchar({})",
        "i": "bigint",
        "n": "decimal(12,2)",
        "d": "datetime",
        "b": "tinyint(1)",
        "t": "longtext",
    },
    "oracle": {
        "c": "VARCHAR2({})",
        "i": "NUMBER(18)",
        "n": "NUMBER(12,2)",
        "d": "DATE",
        "b": "NUMBER(1)",
        "t": "CLOB",
    },
    "tsql": {
        "c": "nvarchar({})",
        "i": "bigint",
        "n": "decimal(12, 2)",
        "d": "datetime",
        "b": "bit",
        "t": "nvarchar(max)",
    },
}
QUOTES = {"postgres": '""', "mysql": "``", "oracle": '""', "tsql": "[]"}


class Column(NamedTuple):
    name: str
    type: str
    role: str | None
    comment: str
    to: str
    key: bool


class Table(NamedTuple):
    name: str
    kind: str
    comment: str
    columns: list[Column]


def read(path: Path) -> list[Table]:
    tables: list[Table] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        if not line.startswith(" "):
            name, kind, *comment = line.split(maxsplit=2)
            tables.append(Table(name, kind, comment[0] if comment else "", []))
            continue
        cells = line.strip().split("\t")
        to = cells.pop().removeprefix("> ") if cells[-1].startswith("> ") else ""
        name, type_, role, *comment = cells
        key = name.endswith("*")
        tables[-1].columns.append(
            Column(
                name.rstrip("*"),
                type_,
                None if role == "-" else role,
                comment[0] if comment else "",
                to,
                key,
            )
        )
    return tables


def script(tables: list[Table], dialect: str) -> str:
    """What the database's own tool would export."""
    left, right = QUOTES[dialect]

    def quoted(name: str) -> str:
        return f"{left}{name}{right}"

    out: list[str] = []
    after: list[str] = []
    for table in tables:
        lines: list[str] = []
        for column in table.columns:
            type_ = TYPES[dialect][column.type[0]].format(column.type[1:])
            null = " NOT NULL" if column.key else ""
            said = f" COMMENT '{column.comment}'" if column.comment and dialect == "mysql" else ""
            lines.append(f"  {quoted(column.name)} {type_}{null}{said}")
            if column.comment and dialect in {"oracle", "postgres"}:
                where = f"{quoted(table.name)}.{quoted(column.name)}"
                after.append(f"COMMENT ON COLUMN {where} IS '{column.comment}';")
            elif column.comment and dialect == "tsql":
                after.append(
                    f"EXEC sys.sp_addextendedproperty @name=N'MS_Description', @value=N'{column.comment}' ,"
                    f" @level0type=N'SCHEMA',@level0name=N'dbo', @level1type=N'TABLE',"
                    f"@level1name=N'{table.name}', @level2type=N'COLUMN',@level2name=N'{column.name}'\nGO"
                )
            if column.to:
                after.append(
                    f"ALTER TABLE {quoted(table.name)} ADD CONSTRAINT {quoted('fk_' + table.name + column.name)}"
                    f" FOREIGN KEY ({quoted(column.name)}) REFERENCES {quoted(column.to)}"
                    + (f" ({quoted(_key(tables, column.to))})")
                    + ("\nGO" if dialect == "tsql" else ";")
                )
        keys = [quoted(c.name) for c in table.columns if c.key]
        if keys:
            lines.append(f"  PRIMARY KEY ({', '.join(keys)})")
        body = ",\n".join(lines)
        end = "\nGO" if dialect == "tsql" else ";"
        if dialect == "mysql" and table.comment:
            end = f" ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='{table.comment}';"
        out.append(f"CREATE TABLE {quoted(table.name)} (\n{body}\n){end}")
        if table.comment and dialect in {"oracle", "postgres"}:
            after.append(f"COMMENT ON TABLE {quoted(table.name)} IS '{table.comment}';")
        elif table.comment and dialect == "tsql":
            after.append(
                f"EXEC sys.sp_addextendedproperty @name=N'MS_Description', @value=N'{table.comment}' ,"
                f" @level0type=N'SCHEMA',@level0name=N'dbo', @level1type=N'TABLE',"
                f"@level1name=N'{table.name}'\nGO"
            )
    return "\n".join([*out, *after]) + "\n"


def _key(tables: list[Table], name: str) -> str:
    return next(c.name for t in tables if t.name == name for c in t.columns if c.key)
