"""Facts of a schema from its dump: `pg_dump --schema-only` and scripts of other databases.

Rules this module keeps:

1. Text in, facts out; what cannot be read is named in `Schema.notes` and never guessed.
2. Statements are parted by an own splitter that knows quotes, dollar quotes, comments, `GO`,
   `DELIMITER` and the commands of SQL*Plus, so that bodies of routines stay whole.
3. CREATE TABLE is read by sqlglot in the dump's dialect; a statement it cannot read falls back to
   the plain list of columns. ALTER … ADD CONSTRAINT, CREATE UNIQUE INDEX and COMMENT ON are read by
   pattern: dumps hold thousands of them in one fixed form.
4. Views and routines keep their source text, for the analyser.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from typing import Final

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from qingfang.understand.discovery.facts import Column, ForeignKey, Schema, Table

_NAME: Final = r'(?:"(?:[^"]|"")+"|`[^`]+`|\[[^\]]+\]|[\w$#\x80-\U0010ffff-]+)'
_QUALIFIED: Final = rf"{_NAME}(?:\s*\.\s*{_NAME})*"
_PART: Final = re.compile(_NAME)
_HIDDEN: Final = frozenset({"public", "dbo", "pg_catalog"})

_TOKEN: Final = re.compile(
    r"(?P<dollar>\$(?:[A-Za-z_\x80-\uffff]\w*)?\$)"
    r"|(?P<string>'(?:[^']|'')*')"
    r'|(?P<quoted>"[^"]*"|`[^`]*`)'
    r"|(?P<line>--[^\n]*)"
    r"|(?P<block>/\*.*?\*/)"
    r"|(?P<go>^[ \t]*(?:GO|/)[ \t]*$)"
    r"|(?P<meta>^\\[^\n]*$|^[ \t]*(?:PROMPT|SPOOL|REM(?:ARK)?)\b[^\n]*$"
    r"|^[ \t]*SET[ \t]+(?:DEFINE|FEEDBACK|ECHO|TERMOUT|VERIFY|SCAN|SERVEROUTPUT|ESCAPE)\b[^\n]*$)"
    r"|(?P<delimiter>^[ \t]*DELIMITER[ \t]+(?P<mark>\S+)[ \t]*$)"
    r"|(?P<end>;)",
    re.DOTALL | re.MULTILINE | re.IGNORECASE,
)
_ROUTINE: Final = re.compile(
    rf"\s*(?:CREATE|ALTER)\s+(?:OR\s+(?:REPLACE|ALTER)\s+)?(?:DEFINER\s*=\s*\S+\s+)?"
    rf"(?:EDITIONABLE\s+)?(?:FUNCTION|PROCEDURE|PROC|PACKAGE(?:\s+BODY)?|TRIGGER)\s+"
    rf"(?:IF\s+NOT\s+EXISTS\s+)?(?P<name>{_QUALIFIED})",
    re.IGNORECASE,
)
_VIEW: Final = re.compile(
    rf"\s*CREATE\s+(?:OR\s+(?:REPLACE|ALTER)\s+)?(?:ALGORITHM\s*=\s*\w+\s+)?"
    rf"(?:DEFINER\s*=\s*\S+\s+)?(?:SQL\s+SECURITY\s+\w+\s+)?(?:FORCE\s+|EDITIONABLE\s+)*"
    rf"(?:MATERIALIZED\s+)?VIEW\s+(?:IF\s+NOT\s+EXISTS\s+)?(?P<name>{_QUALIFIED})"
    rf"(?P<columns>\s*\([^)]*\))?.*?\bAS\b\s*(?P<body>.*)",
    re.IGNORECASE | re.DOTALL,
)
_TABLE: Final = re.compile(
    rf"\s*CREATE\s+(?:UNLOGGED\s+|FOREIGN\s+|GLOBAL\s+TEMPORARY\s+)*TABLE\s+"
    rf"(?:IF\s+NOT\s+EXISTS\s+)?(?P<name>{_QUALIFIED})\s*(?P<rest>\(.*)",
    re.IGNORECASE | re.DOTALL,
)
_SYNONYM: Final = re.compile(
    rf"\s*CREATE\s+(?:OR\s+REPLACE\s+)?(?:PUBLIC\s+)?SYNONYM\s+(?P<name>{_QUALIFIED})\s+FOR\s+"
    rf"(?P<target>{_QUALIFIED})",
    re.IGNORECASE,
)
_COMMENT: Final = re.compile(
    rf"\s*COMMENT\s+ON\s+(?P<what>TABLE|COLUMN|VIEW)\s+(?P<name>{_QUALIFIED})\s+IS\s+"
    rf"N?'(?P<text>(?:[^']|'')*)'",
    re.IGNORECASE,
)
_ALTER: Final = re.compile(
    rf"\s*ALTER\s+TABLE\s+(?:ONLY\s+)?(?P<table>{_QUALIFIED})\s+(?:WITH\s+(?:NO)?CHECK\s+)?"
    rf"ADD\s+(?:CONSTRAINT\s+{_NAME}\s+)?(?P<rest>.*)",
    re.IGNORECASE | re.DOTALL,
)
_KEY: Final = re.compile(
    rf"\b(?P<kind>PRIMARY\s+KEY|UNIQUE)\s*"
    rf"(?:KEY|INDEX)?\s*(?:NULLS\s+(?:NOT\s+)?DISTINCT\s*)?(?:(?:NON)?CLUSTERED)?\s*"
    rf"(?:{_NAME}\s*)??(?P<open>\()",
    re.IGNORECASE,
)
_INDEX: Final = re.compile(
    rf"\s*CREATE\s+UNIQUE\s+(?:(?:NON)?CLUSTERED\s+)?INDEX\s+(?:CONCURRENTLY\s+)?"
    rf"(?:IF\s+NOT\s+EXISTS\s+)?(?:{_QUALIFIED}\s+)??(?:USING\s+\w+\s+)?ON\s+(?:ONLY\s+)?"
    rf"(?P<table>{_QUALIFIED})\s*(?:USING\s+\w+\s*)?(?P<open>\()",
    re.IGNORECASE,
)
_PARTIAL: Final = re.compile(r"\bWHERE\b|\bDISABLE\b|\bNOT\s+ENFORCED\b", re.IGNORECASE)
# A column of a key, perhaps with how much of it counts, its order, its collation. More is an
# expression.
_KEY_COLUMN: Final = re.compile(rf"({_NAME})(?:\s*\(\d+\))?(?:\s+[\w\".]+)*", re.IGNORECASE)
_FOREIGN: Final = re.compile(
    rf"FOREIGN\s+KEY\s*(?:{_NAME}\s*)?\((?P<columns>[^)]*)\)\s*REFERENCES\s+(?P<table>{_QUALIFIED})"
    rf"\s*(?:\((?P<to>[^)]*)\))?",
    re.IGNORECASE,
)
_STRING: Final = re.compile(r"'(?:[^']|'')*'")
_DESCRIPTION: Final = re.compile(r"sp_addextendedproperty", re.IGNORECASE)
_ARGUMENT: Final = re.compile(r"(?:@(\w+)\s*=\s*)?N?'((?:[^']|'')*)'")


def decode(data: bytes) -> str:
    """The text of a dump file: gzipped or not, UTF-8 or GB18030 (what Chinese databases export).
    Raises ValueError when it is neither."""
    if data[:2] == b"\x1f\x8b":
        try:
            data = gzip.decompress(data)
        except (EOFError, OSError, zlib.error):
            raise ValueError("压缩文件不完整或已损坏") from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    try:
        return data.decode("gb18030")
    except UnicodeDecodeError:
        raise ValueError("既不是 UTF-8 也不是 GB18030 文本") from None


def name_of(text: str) -> str:
    """A qualified name without quotes, and without a schema that every table is in."""
    parts = [_bare(part) for part in _PART.findall(text)]
    while len(parts) > 1 and parts[0].lower() in _HIDDEN:
        parts = parts[1:]
    return ".".join(parts)


def _bare(part: str) -> str:
    return part[1:-1].replace('""', '"') if part[0] in '"`[' else part


def _names(text: str) -> tuple[str, ...]:
    return tuple(_bare(part.strip()) for part in _PART.findall(text))


def split(text: str) -> Iterator[str]:
    """The statements of a script, without their end marks."""
    start = i = 0
    mark = ";"
    while True:
        found = _TOKEN.search(text, i)
        if found is None:
            break
        i = found.end()
        kind = found.lastgroup
        if kind == "mark":
            kind = "delimiter"
        if kind == "dollar":
            close = text.find(found.group(), i)
            i = close + len(found.group()) if close >= 0 else len(text)
        elif kind in {"go", "meta", "delimiter"}:
            if kind == "delimiter":
                mark = found.group("mark")
            if text[start : found.start()].strip():
                yield text[start : found.start()]
            start = i
        elif kind == "end" and mark == ";":
            statement = text[start : found.start()]
            # A T-SQL or PL/SQL body holds `;`: it ends at GO, `/` or the end of the script.
            if _open_body(statement):
                continue
            if statement.strip():
                yield statement
            start = i
        if mark != ";":
            end = text.find(mark, start)
            if end >= 0:
                if text[start:end].strip():
                    yield text[start:end]
                start = i = end + len(mark)
    if text[start:].strip():
        yield text[start:]


# What only MySQL executes: mysqldump writes views so.
_CONDITIONAL: Final = re.compile(r"/\*M?!\d{5,6}\s(.*?)\*/", re.DOTALL)
_BODY: Final = re.compile(r"\b(?:BEGIN|IS|AS)\b", re.IGNORECASE)
_LEADING_COMMENTS: Final = re.compile(r"(?:\s+|--[^\n]*\n|/\*.*?\*/)+", re.DOTALL)


def _strip(statement: str) -> str:
    found = _LEADING_COMMENTS.match(statement)
    return statement[found.end() :] if found is not None else statement


def _open_body(statement: str) -> bool:
    statement = _strip(statement)
    found = _ROUTINE.match(statement)
    if found is None or "$" in statement[found.end() :]:
        return False
    return _BODY.search(statement, found.end()) is not None


def read(text: str, dialect: str, name: str = "") -> Schema:
    """The facts of a dump. Raises ValueError when it holds no table and no view at all."""
    schema = Schema(name=name, dialect=dialect)
    unread = 0
    if dialect == "mysql":
        text = _CONDITIONAL.sub(r"\1", text)
    for raw in split(text):
        statement = _strip(raw)
        if (found := _TABLE.match(statement)) is not None:
            unread += not _create_table(schema, statement, found)
        elif (found := _ALTER.match(statement)) is not None:
            _alter(schema, found)
        elif (found := _INDEX.match(statement)) is not None:
            table = schema.table(name_of(found["table"]))
            key = _key(statement, found.start("open"))
            if table is not None and key:
                table.unique.append(key)
        elif (found := _COMMENT.match(statement)) is not None:
            _comment(schema, found)
        elif (found := _ROUTINE.match(statement)) is not None:
            schema.routines[name_of(found["name"])] = statement.strip()
        elif (found := _VIEW.match(statement)) is not None:
            # mysqldump first writes a table in a view's place.
            schema.tables.pop(name_of(found["name"]), None)
            schema.views[name_of(found["name"])] = _view(found)
        elif (found := _SYNONYM.match(statement)) is not None:
            schema.synonyms[name_of(found["name"])] = name_of(found["target"])
        elif _DESCRIPTION.search(statement):
            _description(schema, statement)
    if not schema.tables and not schema.views:
        raise ValueError("没有找到 CREATE TABLE 或 CREATE VIEW")
    for table in schema.tables.values():
        _spell(schema, table)
    if unread:
        schema.notes.append(f"{unread} 张表的定义没有完全读懂，只取了列名和类型")
    return schema


def _spell(schema: Schema, table: Table) -> None:
    """Write the columns of keys as the table does: exports mix capitals (`cfh`, `CFH`)."""

    def spelled(columns: tuple[str, ...], owner: Table | None) -> tuple[str, ...]:
        known = {c.lower(): c for c in owner.columns} if owner is not None else {}
        return tuple(known.get(c.lower(), c) for c in columns)

    table.key = spelled(table.key, table)
    table.unique = [spelled(key, table) for key in table.unique]
    for foreign in table.foreign:
        foreign.columns = spelled(foreign.columns, table)
        foreign.to_columns = spelled(foreign.to_columns, schema.table(foreign.to_table))


def view_body(text: str) -> str:
    """The query of a view, whether the database gives it with its CREATE VIEW or without."""
    found = _VIEW.match(_strip(text))
    return _view(found).rstrip().rstrip(";") if found is not None else text.strip().rstrip(";")


def _view(found: re.Match[str]) -> str:
    columns = found["columns"]
    body = re.sub(r"\s+WITH\s+(NO\s+)?DATA\s*$", "", found["body"].strip(), flags=re.IGNORECASE)
    return f"CREATE VIEW v{columns} AS {body}" if columns else body


def _create_table(schema: Schema, statement: str, found: re.Match[str]) -> bool:
    """Add a table; False when only the plain reading was possible."""
    name = name_of(found["name"])
    table = Table(name)
    schema.tables[name] = table
    try:
        tree = sqlglot.parse_one(statement, dialect=schema.dialect)
    except (SqlglotError, RecursionError):
        tree = None
    if not isinstance(tree, exp.Create) or not isinstance(tree.this, exp.Schema):
        _plain_columns(table, found["rest"])
        return False
    for part in tree.this.expressions:
        if isinstance(part, exp.ColumnDef):
            kind = part.args.get("kind")
            column = Column(part.name, kind.sql(schema.dialect).lower() if kind else "")
            for constraint in part.find_all(exp.ColumnConstraint):
                what = constraint.args.get("kind")
                if isinstance(what, exp.PrimaryKeyColumnConstraint):
                    table.key = (column.name,)
                elif isinstance(what, exp.UniqueColumnConstraint):
                    table.unique.append((column.name,))
                elif isinstance(what, exp.CommentColumnConstraint):
                    column.comment = what.name
                elif isinstance(what, exp.Reference):
                    refers = f"FOREIGN KEY ({column.name}) {what.sql(schema.dialect)}"
                    _constraint(table, refers)
            table.columns[column.name] = column
        elif isinstance(part, exp.Expr):
            _constraint(table, part.sql(schema.dialect))
    comment = tree.find(exp.SchemaCommentProperty)
    if comment is not None:
        table.comment = comment.name
    return True


def _parts(text: str, start: int) -> tuple[list[str], int]:
    """What commas part between the bracket at `start` and its end, and where that is."""
    depth, begin = 0, start + 1
    parts: list[str] = []
    for found in re.compile(r"'(?:[^']|'')*'|[(),]").finditer(text, start):
        mark = found.group()
        if mark == "(":
            depth += 1
        elif mark == ")":
            depth -= 1
        if (mark == "," and depth == 1) or (mark == ")" and depth == 0):
            parts.append(text[begin : found.start()])
            begin = found.end()
        if mark == ")" and depth == 0:
            return parts, begin
    return parts, len(text)


def _plain_columns(table: Table, rest: str) -> None:
    for part in _parts(rest, 0)[0]:
        words = re.match(rf"\s*(?P<name>{_NAME})\s+(?P<type>[A-Za-z_][\w ]*(?:\([^)]*\))?)", part)
        if words is None or words["name"].upper() in _NOT_COLUMNS:
            _constraint(table, part)
            continue
        column = Column(_bare(words["name"]), words["type"].strip().lower())
        comment = re.search(r"COMMENT\s+'((?:[^']|'')*)'", part, re.IGNORECASE)
        if comment is not None:
            column.comment = comment[1].replace("''", "'")
        table.columns[column.name] = column
        said = _STRING.sub("", part)
        if re.search(r"PRIMARY\s+KEY", said, re.IGNORECASE):
            table.key = (column.name,)
        elif re.search(r"\bUNIQUE\b", said, re.IGNORECASE):
            table.unique.append((column.name,))


_NOT_COLUMNS: Final = frozenset(
    {"CONSTRAINT", "PRIMARY", "FOREIGN", "UNIQUE", "KEY", "INDEX", "CHECK", "EXCLUDE", "FULLTEXT"}
)


def _constraint(table: Table, text: str) -> None:
    if (found := _FOREIGN.search(text)) is not None:
        key = ForeignKey(
            _names(found["columns"]), name_of(found["table"]), _names(found["to"] or "")
        )
        table.foreign.append(key)
    elif (found := _KEY.search(text)) is not None:
        key = _key(text, found.start("open"))
        if not key:
            return
        if found["kind"].upper() == "UNIQUE":
            table.unique.append(key)
        else:
            table.key = key


def _key(text: str, start: int) -> tuple[str, ...]:
    """The columns between the bracket at `start` and its end; none when it is a key of expressions,
    of some of the rows only, or switched off."""
    parts, end = _parts(text, start)
    if _PARTIAL.search(text, end) is not None:
        return ()
    names: list[str] = []
    for part in parts:
        found = _KEY_COLUMN.fullmatch(part.strip())
        if found is None:
            return ()
        names.append(_bare(found[1]))
    return tuple(names)


def _alter(schema: Schema, found: re.Match[str]) -> None:
    table = schema.table(name_of(found["table"]))
    if table is not None:
        _constraint(table, found["rest"])


def _comment(schema: Schema, found: re.Match[str]) -> None:
    text = found["text"].replace("''", "'").strip()
    name = name_of(found["name"])
    if found["what"].upper() != "COLUMN":
        table = schema.table(name)
        if table is not None:
            table.comment = text
        return
    owner, _, column = name.rpartition(".")
    table = schema.table(owner)
    if table is not None and column in table.columns:
        table.columns[column].comment = text


def _description(schema: Schema, statement: str) -> None:
    """SQL Server keeps comments as extended properties named MS_Description."""
    given = [(key.lower(), text.replace("''", "'")) for key, text in _ARGUMENT.findall(statement)]
    order = ["name", "value", "level0type", "level0name", "level1type", "level1name"]
    order += ["level2type", "level2name"]
    named = {key or order[i]: text for i, (key, text) in enumerate(given) if key or i < len(order)}
    table = schema.table(named.get("level1name", ""))
    if table is None or named.get("name", "").lower() != "ms_description":
        return
    column = table.columns.get(named.get("level2name", ""))
    if column is not None:
        column.comment = named.get("value", "")
    elif "level2name" not in named:
        table.comment = named.get("value", "")
