"""Facts from a database's own dictionary: the queries for each dialect, and their rows as a schema.

The same queries serve a live connection (`readers`) and a DBA who runs them himself and exports
each result as CSV (`qingfang discover --queries`, `--csv`).

Rules this module keeps:

1. Each dialect answers the same five results with the same columns (`RESULTS`); what a database
   does not have is an empty result.
2. Rows in, facts out. Names are as written, with the owner in front, but where unqualified names
   mean it anyway (`public`, `dbo`, the one database that MySQL was asked for).
3. Keys over a part of the rows only, over expressions, or switched off are none.
4. A CSV that lacks a column is refused with file and column; a missing file is an empty result,
   `columns.csv` apart.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from qingfang.understand.discovery import ddl
from qingfang.understand.discovery.facts import Column, ForeignKey, Schema, Table

RESULTS: Final[dict[str, tuple[str, ...]]] = {
    "columns": (
        *("owner", "table_name", "table_comment"),
        *("column_name", "data_type", "column_comment"),
    ),
    "keys": (
        *("owner", "table_name", "constraint_name", "kind", "position", "column_name"),
        *("to_owner", "to_table", "to_column"),
    ),
    "views": ("owner", "name", "text"),
    "routines": ("owner", "name", "kind", "line", "text"),
    "synonyms": ("owner", "name", "to_owner", "to_name"),
}
"""`kind` of a key is P (primary), U (unique) or F (foreign). A routine may come as one row or, as
Oracle keeps it, as one row a line."""

_ORACLE_OWN: Final = (
    "'SYS','SYSTEM','SYSMAN','DBSNMP','OUTLN','XDB','MDSYS','CTXSYS','WMSYS','EXFSYS','ORDSYS',"
    "'ORDDATA','ORDPLUGINS','OLAPSYS','APEX_030200','FLOWS_FILES','APPQOSSYS','GSMADMIN_INTERNAL',"
    "'LBACSYS','OJVMSYS','DVSYS','AUDSYS','DBSFWUSER','REMOTE_SCHEDULER_AGENT','SI_INFORMTN_SCHEMA'"
)

QUERIES: Final[dict[str, dict[str, str]]] = {
    "oracle": {
        "columns": """
SELECT c.owner, c.table_name, t.comments AS table_comment, c.column_name,
       c.data_type || CASE WHEN c.data_type LIKE '%CHAR%' THEN '(' || c.char_length || ')'
         WHEN c.data_precision IS NOT NULL
           THEN '(' || c.data_precision || ',' || NVL(c.data_scale, 0) || ')' END AS data_type,
       m.comments AS column_comment
FROM all_tab_columns c
JOIN all_tables a ON a.owner = c.owner AND a.table_name = c.table_name
LEFT JOIN all_tab_comments t ON t.owner = c.owner AND t.table_name = c.table_name
LEFT JOIN all_col_comments m ON m.owner = c.owner AND m.table_name = c.table_name
  AND m.column_name = c.column_name
WHERE c.owner NOT IN ($OWN) AND c.table_name NOT LIKE 'BIN$%'
ORDER BY c.owner, c.table_name, c.column_id""",
        "keys": """
SELECT k.owner, k.table_name, k.constraint_name,
       DECODE(k.constraint_type, 'R', 'F', k.constraint_type) AS kind, c.position, c.column_name,
       r.owner AS to_owner, r.table_name AS to_table, r.column_name AS to_column
FROM all_constraints k
JOIN all_cons_columns c ON c.owner = k.owner AND c.constraint_name = k.constraint_name
LEFT JOIN all_cons_columns r ON r.owner = k.r_owner
  AND r.constraint_name = k.r_constraint_name AND r.position = c.position
WHERE k.constraint_type IN ('P', 'U', 'R') AND k.status = 'ENABLED'
  AND k.owner NOT IN ($OWN)
UNION ALL
SELECT i.table_owner, i.table_name, i.index_name, 'U', c.column_position, c.column_name,
       NULL, NULL, NULL
FROM all_indexes i
JOIN all_ind_columns c ON c.index_owner = i.owner AND c.index_name = i.index_name
WHERE i.uniqueness = 'UNIQUE' AND i.index_type = 'NORMAL'
  AND i.table_owner NOT IN ($OWN)
ORDER BY 1, 2, 3, 5""",
        "views": """
SELECT owner, view_name AS name, text FROM all_views
WHERE owner NOT IN ($OWN) ORDER BY 1, 2""",
        "routines": """
SELECT owner, name, type AS kind, line, text FROM all_source
WHERE type IN ('PROCEDURE', 'FUNCTION', 'PACKAGE BODY', 'TRIGGER')
  AND owner NOT IN ($OWN) ORDER BY 1, 2, 3, 4""",
        "synonyms": """
SELECT owner, synonym_name AS name, table_owner AS to_owner,
       table_name || NVL2(db_link, '@' || db_link, '') AS to_name
FROM all_synonyms WHERE table_owner NOT IN ($OWN) ORDER BY 1, 2""",
    },
    "tsql": {
        "columns": """
SELECT s.name AS owner, t.name AS table_name, CAST(d.value AS nvarchar(4000)) AS table_comment,
       c.name AS column_name,
       y.name + CASE WHEN y.name LIKE '%char' THEN '(' + CAST(c.max_length AS varchar(8)) + ')'
         WHEN y.name IN ('decimal', 'numeric')
           THEN '(' + CAST(c.precision AS varchar(4)) + ',' + CAST(c.scale AS varchar(4)) + ')'
         ELSE '' END AS data_type,
       CAST(m.value AS nvarchar(4000)) AS column_comment
FROM sys.tables t
JOIN sys.schemas s ON s.schema_id = t.schema_id
JOIN sys.columns c ON c.object_id = t.object_id
JOIN sys.types y ON y.user_type_id = c.user_type_id
LEFT JOIN sys.extended_properties d ON d.class = 1 AND d.major_id = t.object_id
  AND d.minor_id = 0 AND d.name = 'MS_Description'
LEFT JOIN sys.extended_properties m ON m.class = 1 AND m.major_id = t.object_id
  AND m.minor_id = c.column_id AND m.name = 'MS_Description'
WHERE t.is_ms_shipped = 0
ORDER BY s.name, t.name, c.column_id""",
        "keys": """
SELECT s.name AS owner, t.name AS table_name, i.name AS constraint_name,
       CASE WHEN i.is_primary_key = 1 THEN 'P' ELSE 'U' END AS kind,
       x.key_ordinal AS position, c.name AS column_name,
       NULL AS to_owner, NULL AS to_table, NULL AS to_column
FROM sys.indexes i
JOIN sys.tables t ON t.object_id = i.object_id
JOIN sys.schemas s ON s.schema_id = t.schema_id
JOIN sys.index_columns x ON x.object_id = i.object_id AND x.index_id = i.index_id
JOIN sys.columns c ON c.object_id = x.object_id AND c.column_id = x.column_id
WHERE i.is_unique = 1 AND i.is_disabled = 0 AND i.has_filter = 0 AND x.is_included_column = 0
UNION ALL
SELECT s.name, t.name, k.name, 'F', x.constraint_column_id, c.name, rs.name, r.name, rc.name
FROM sys.foreign_keys k
JOIN sys.tables t ON t.object_id = k.parent_object_id
JOIN sys.schemas s ON s.schema_id = t.schema_id
JOIN sys.foreign_key_columns x ON x.constraint_object_id = k.object_id
JOIN sys.columns c ON c.object_id = x.parent_object_id AND c.column_id = x.parent_column_id
JOIN sys.tables r ON r.object_id = k.referenced_object_id
JOIN sys.schemas rs ON rs.schema_id = r.schema_id
JOIN sys.columns rc ON rc.object_id = x.referenced_object_id
  AND rc.column_id = x.referenced_column_id
ORDER BY 1, 2, 3, 5""",
        "views": """
SELECT s.name AS owner, v.name AS name, m.definition AS text
FROM sys.views v JOIN sys.schemas s ON s.schema_id = v.schema_id
JOIN sys.sql_modules m ON m.object_id = v.object_id
WHERE v.is_ms_shipped = 0 ORDER BY 1, 2""",
        "routines": """
SELECT s.name AS owner, o.name AS name, o.type_desc AS kind, 1 AS line, m.definition AS text
FROM sys.objects o JOIN sys.schemas s ON s.schema_id = o.schema_id
JOIN sys.sql_modules m ON m.object_id = o.object_id
WHERE o.type IN ('P', 'FN', 'IF', 'TF', 'TR') AND o.is_ms_shipped = 0 ORDER BY 1, 2""",
        "synonyms": """
SELECT s.name AS owner, y.name AS name, NULL AS to_owner, y.base_object_name AS to_name
FROM sys.synonyms y JOIN sys.schemas s ON s.schema_id = y.schema_id ORDER BY 1, 2""",
    },
    "mysql": {
        "columns": """
SELECT c.table_schema AS owner, c.table_name AS table_name, t.table_comment AS table_comment,
       c.column_name AS column_name, c.column_type AS data_type, c.column_comment AS column_comment
FROM information_schema.columns c
JOIN information_schema.tables t ON t.table_schema = c.table_schema AND t.table_name = c.table_name
WHERE c.table_schema = DATABASE() AND t.table_type = 'BASE TABLE'
ORDER BY c.table_name, c.ordinal_position""",
        "keys": """
SELECT k.table_schema AS owner, k.table_name AS table_name, k.constraint_name AS constraint_name,
       CASE k.constraint_type WHEN 'PRIMARY KEY' THEN 'P' WHEN 'UNIQUE' THEN 'U' ELSE 'F' END AS kind,
       c.ordinal_position AS position, c.column_name AS column_name,
       c.referenced_table_schema AS to_owner, c.referenced_table_name AS to_table,
       c.referenced_column_name AS to_column
FROM information_schema.table_constraints k
JOIN information_schema.key_column_usage c ON c.constraint_schema = k.constraint_schema
  AND c.constraint_name = k.constraint_name AND c.table_name = k.table_name
WHERE k.table_schema = DATABASE()
  AND k.constraint_type IN ('PRIMARY KEY', 'UNIQUE', 'FOREIGN KEY')
ORDER BY k.table_name, k.constraint_name, c.ordinal_position""",
        "views": """
SELECT table_schema AS owner, table_name AS name, view_definition AS text
FROM information_schema.views WHERE table_schema = DATABASE() ORDER BY 2""",
        "routines": """
SELECT r.routine_schema AS owner, r.routine_name AS name, r.routine_type AS kind, 1 AS line,
       CONCAT('CREATE ', r.routine_type, ' `', r.routine_name, '`(', COALESCE((
         SELECT GROUP_CONCAT(CONCAT_WS(' ', p.parameter_mode, CONCAT('`', p.parameter_name, '`'),
                             p.dtd_identifier) ORDER BY p.ordinal_position SEPARATOR ', ')
         FROM information_schema.parameters p
         WHERE p.specific_schema = r.routine_schema AND p.specific_name = r.specific_name
           AND p.ordinal_position > 0), ''), ')',
         IF(r.routine_type = 'FUNCTION', CONCAT(' RETURNS ', r.dtd_identifier), ''), ' ',
         r.routine_definition) AS text
FROM information_schema.routines r WHERE r.routine_schema = DATABASE() ORDER BY 2""",
        "synonyms": "",
    },
    "postgres": {
        "columns": """
SELECT n.nspname AS owner, c.relname AS table_name, obj_description(c.oid, 'pg_class') AS table_comment,
       a.attname AS column_name, format_type(a.atttypid, a.atttypmod) AS data_type,
       col_description(c.oid, a.attnum) AS column_comment
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'p', 'f') AND NOT c.relispartition
  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg_t%'
ORDER BY 1, 2, a.attnum""",
        "keys": """
SELECT n.nspname AS owner, c.relname AS table_name, i.indexrelid::regclass::text AS constraint_name,
       CASE WHEN i.indisprimary THEN 'P' ELSE 'U' END AS kind, u.position, a.attname AS column_name,
       NULL AS to_owner, NULL AS to_table, NULL AS to_column
FROM pg_index i
JOIN pg_class c ON c.oid = i.indrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL unnest(i.indkey[0:i.indnkeyatts - 1]) WITH ORDINALITY u(number, position)
JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.number
WHERE i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg_t%'
UNION ALL
SELECT n.nspname, c.relname, k.conname, 'F', u.position, a.attname, fn.nspname, f.relname, fa.attname
FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_class f ON f.oid = k.confrelid
JOIN pg_namespace fn ON fn.oid = f.relnamespace
CROSS JOIN LATERAL unnest(k.conkey, k.confkey) WITH ORDINALITY u(own, other, position)
JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.own
JOIN pg_attribute fa ON fa.attrelid = k.confrelid AND fa.attnum = u.other
WHERE k.contype = 'f'
ORDER BY 1, 2, 3, 5""",
        "views": """
SELECT n.nspname AS owner, c.relname AS name, pg_get_viewdef(c.oid) AS text
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('v', 'm')
  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg_t%'
ORDER BY 1, 2""",
        "routines": """
SELECT n.nspname AS owner, p.proname AS name, p.prokind::text AS kind, 1 AS line,
       pg_get_functiondef(p.oid) AS text
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
JOIN pg_language l ON l.oid = p.prolang
WHERE p.prokind IN ('f', 'p') AND l.lanname IN ('sql', 'plpgsql')
  AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
ORDER BY 1, 2""",
        "synonyms": "",
    },
}

QUERIES["oracle"] = {n: q.replace("$OWN", _ORACLE_OWN) for n, q in QUERIES["oracle"].items()}

_UNNAMED: Final = frozenset({"public", "dbo"})

Row = Sequence[object]


def build(results: Mapping[str, Iterable[Row]], dialect: str, name: str = "") -> Schema:
    """The schema of a dictionary's results: result → rows with the columns of `RESULTS`."""
    schema = Schema(name=name, dialect=dialect)
    columns = [[_text(cell) for cell in row] for row in results.get("columns", ())]

    def full(owner: str, table: str) -> str:
        plain = not owner or dialect == "mysql" or owner.lower() in _UNNAMED
        return table if plain else f"{owner}.{table}"

    for owner, table_name, about, column, type_, comment in columns:
        named = full(owner, table_name)
        table = schema.tables.setdefault(named, Table(named, about))
        table.columns[column] = Column(column, type_.lower(), comment)
    _keys(schema, results.get("keys", ()), full)
    for row in results.get("views", ()):
        owner, view, text = (_text(cell) for cell in row)
        if text:
            schema.views[full(owner, view)] = ddl.view_body(text)
    bodies: dict[tuple[str, str, str], list[str]] = {}
    for row in results.get("routines", ()):
        owner, routine, kind, _line, text = (_text(cell) for cell in row)
        bodies.setdefault((owner, routine, kind), []).append(text)
    for (owner, routine, _kind), lines in bodies.items():
        text = "".join(lines).strip()
        if text:
            created = text if text[:6].upper() in {"CREATE", "ALTER "} else f"CREATE {text}"
            schema.routines[full(owner, routine)] = created
    for row in results.get("synonyms", ()):
        owner, synonym, to_owner, to_name = (_text(cell) for cell in row)
        target = full(to_owner, to_name) if to_owner else ddl.name_of(to_name)
        # A public synonym stands before everybody's names.
        said = synonym if owner.upper() == "PUBLIC" else full(owner, synonym)
        schema.synonyms[said] = target
    return schema


def _keys(schema: Schema, rows: Iterable[Row], full: Callable[[str, str], str]) -> None:
    found: dict[tuple[str, str, str], list[list[str]]] = {}
    for row in rows:
        cells = [_text(cell) for cell in row]
        owner, table, constraint, kind = cells[:4]
        found.setdefault((full(owner, table), constraint, kind), []).append(cells)
    for (name, _constraint, kind), parts in found.items():
        table = schema.tables.get(name)
        if table is None:
            continue
        parts.sort(key=lambda cells: int(float(cells[4] or 0)))
        own = tuple(cells[5] for cells in parts)
        if not all(column in table.columns for column in own):
            continue  # an expression
        if kind == "P":
            table.key = own
        elif kind == "U" and own not in table.unique:
            table.unique.append(own)
        elif kind == "F":
            to = full(parts[0][6], parts[0][7])
            key = ForeignKey(own, to, tuple(cells[8] for cells in parts))
            if key not in table.foreign:
                table.foreign.append(key)


def _text(cell: object) -> str:
    return "" if cell is None else str(cell)


def script(dialect: str) -> str:
    """The queries of a dialect, as a DBA runs them: each result is to be exported under the name
    that stands above it."""
    parts: list[str] = []
    for result, sql in QUERIES[dialect].items():
        if sql:
            parts.append(f"-- {result}.csv：{'、'.join(RESULTS[result])}\n{sql.strip()};\n")
    return "\n".join(parts)


def read_csv(files: Mapping[str, bytes], dialect: str, name: str = "") -> Schema:
    """The schema of exported results: file name (`columns.csv`) → content. The first line names the
    columns, in any order and case. Raises ValueError."""
    results: dict[str, list[list[str]]] = {}
    for result, wanted in RESULTS.items():
        data = files.get(f"{result}.csv")
        if data is None:
            continue
        try:
            # A view's or routine's text may be long; the module's limit is for strangers' files.
            csv.field_size_limit(64 * 1024 * 1024)
            lines = list(csv.reader(io.StringIO(ddl.decode(data), newline=""), strict=True))
        except (csv.Error, ValueError) as error:
            raise ValueError(f"{result}.csv：{error}") from None
        header = [cell.strip().lower() for cell in lines[0]] if lines else []
        missing = [column for column in wanted if column not in header]
        if missing:
            raise ValueError(f"{result}.csv 第 1 行：缺少列 {'、'.join(missing)}")
        at = [header.index(column) for column in wanted]
        rows: list[list[str]] = []
        for number, line in enumerate(lines[1:], start=2):
            if not any(line):
                continue
            if len(line) < len(header):
                raise ValueError(
                    f"{result}.csv 第 {number} 条：应有 {len(header)} 栏，只有 {len(line)} 栏"
                )
            rows.append([line[i] for i in at])
        results[result] = rows
    if not results.get("columns"):
        raise ValueError("缺少 columns.csv，或其中没有一列")
    return build(results, dialect, name)
