"""What the hospital's tables mean: the catalogue of docs/contracts/explain.md, checked and indexed.

Rules this module keeps:

1. The input is parsed JSON (`dict`); reading files is somebody else's business.
2. A catalogue is taken whole or refused whole: `CatalogueError` names the key's path and what to do.
3. Names are matched without case. A schema prefix may be missing on either side; two different
   prefixes are two different objects.
4. A catalogue never changes after `load`; a new version is a new value.

Beyond the contract: a table's `keys`; `operators` lists which statements name the staff member at work, and the
column role `operator_id` marks columns that carry such a number (`create_uid`, `czygh`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

Kind = Literal["usage", "dictionary", "stock", "other"]
KINDS: frozenset[str] = frozenset({"usage", "dictionary", "stock", "other"})

ITEM_ROLES: frozenset[str] = frozenset({"item_id", "item_name", "item_spec"})
PRESCRIBER_ROLES: frozenset[str] = frozenset({"prescriber_id", "prescriber_name"})
DEPARTMENT_ROLES: frozenset[str] = frozenset({"department_id", "department_name"})
MEASURE_ROLES: frozenset[str] = frozenset({"quantity", "amount"})
KEY_ROLES: frozenset[str] = frozenset({"patient_id", "visit_id", "prescription_id"})
ROLES: frozenset[str] = (
    ITEM_ROLES
    | PRESCRIBER_ROLES
    | DEPARTMENT_ROLES
    | MEASURE_ROLES
    | KEY_ROLES
    | {"item_class", "item_kind", "unit_id", "time", "operator_id"}
)
ITEM_KINDS: tuple[str, ...] = ("drug", "consumable", "high_value")
DIALECTS: tuple[str, ...] = ("postgres", "mysql", "tsql", "oracle", "sqlite")

# Sensitivity, for an unqualified name that fits tables of several schemas: the strictest wins.
_STRICTNESS = {"usage": 3, "stock": 2, "dictionary": 1, "other": 0}

_TOP_KEYS = frozenset(
    {
        *("name", "dialect", "comment", "tables", "views", "procedures", "synonyms"),
        *("services", "operators"),
    }
)
_TABLE_KEYS = frozenset(
    {"kind", "comment", "columns", "usage_when", "open_when", "item_kind", "keys"}
)


class CatalogueError(ValueError):
    """The catalogue cannot be used: `path` is the key (`tables.mz_cf.columns.brid`), `problem`
    what is wrong with it and what to do."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path or '(根)'}：{problem}")
        self.path, self.problem = path, problem


class Table:
    """One catalogued table.

    `columns` maps the lower-case column name to its role (None: no role) in catalogue order;
    `spelling` gives back the name as written. `usage_when`/`open_when` are parsed predicates over
    this table's own columns; `item_kind` maps a kind (one of `ITEM_KINDS`) to the predicate that its
    rows pass and no others do, None when they all do. `keys` are the
    sets of columns by which one row is told from all others (primary and unique keys), as far as
    they are known.
    """

    __slots__ = (
        *("columns", "comment", "item_kind", "keys", "kind", "name", "open_when", "spelling"),
        *("telling", "usage_when"),
    )

    def __init__(
        self,
        name: str,
        kind: Kind,
        columns: dict[str, str | None],
        spelling: dict[str, str],
        comment: str,
        usage_when: exp.Expr | None,
        open_when: exp.Expr | None,
        item_kind: dict[str, exp.Expr | None],
        keys: tuple[frozenset[str], ...] = (),
    ) -> None:
        self.keys = keys
        self.name, self.kind, self.comment = name, kind, comment
        self.columns, self.spelling = columns, spelling
        self.usage_when, self.open_when, self.item_kind = usage_when, open_when, item_kind
        # The columns that tell use from the rest: those `usage_when` reads.
        self.telling: frozenset[str] = columns_of(usage_when)

    def role(self, column: str) -> str | None:
        return self.columns.get(column.lower())

    def has_role(self, roles: Iterable[str]) -> bool:
        wanted = frozenset(roles)
        return any(role in wanted for role in self.columns.values())


class Operator:
    """Statements on `table` that name the staff member at work by `column`: a sign-in look-up
    (`on` select), a sign-in log row (insert), a session row (update). `scope` says how long the
    name holds: to the end of the session or of the transaction."""

    __slots__ = ("column", "on", "scope", "table")

    def __init__(self, table: str, column: str, on: str, scope: str) -> None:
        self.table, self.column, self.on, self.scope = table, column, on, scope


class Service:
    """A registered program whose pinned statements are its duty; None matches anything."""

    __slots__ = ("operator", "program", "tables", "terminal", "why")

    def __init__(
        self,
        program: str | None,
        operator: str | None,
        terminal: str | None,
        tables: tuple[str, ...] | None,
        why: str,
    ) -> None:
        self.program, self.operator, self.terminal = program, operator, terminal
        self.tables, self.why = tables, why


class Catalogue:
    """The checked catalogue. `views` and `procedures` hold source text under lower-case names,
    `synonyms` the target's name."""

    __slots__ = (
        *("_procedures", "_synonyms", "_tables", "_views", "dialect", "name", "operators"),
        *("procedures", "services", "synonyms", "tables", "views"),
    )

    def __init__(
        self,
        name: str,
        dialect: str,
        tables: dict[str, Table],
        views: dict[str, str],
        procedures: dict[str, str],
        synonyms: dict[str, str],
        services: tuple[Service, ...],
        operators: tuple[Operator, ...],
    ) -> None:
        self.name, self.dialect = name, dialect
        self.tables, self.views, self.procedures = tables, views, procedures
        self.synonyms, self.services, self.operators = synonyms, services, operators
        self._tables = _Index(tables)
        self._views = _Index(views)
        self._procedures = _Index(procedures)
        self._synonyms = _Index(synonyms)

    def table(self, name: str) -> Table | None:
        """The table that `name` (`t`, `schema.t`, `db.schema.t`) means; of several in different
        schemas the strictest kind."""
        hits = self._tables.find(name)
        if not hits:
            return None
        found = [self.tables[key] for key in hits]
        return max(found, key=lambda t: _STRICTNESS[t.kind])

    def family(self, parts: Sequence[str], *, plain: bool) -> list[str]:
        """The last names of the tables and views that begin, go on and end with these parts and have
        something between: digits (`plain`), or anything. Of tables that hold the same, one."""
        between = r"[\d_]+" if plain else r"[\w$#]+"
        pattern = re.compile(between.join(re.escape(part.lower()) for part in parts))
        found: dict[object, str] = {}
        for name, table in self.tables.items():
            last = split_name(name)[-1]
            if pattern.fullmatch(last):
                roles = frozenset((c, r) for c, r in table.columns.items())
                found.setdefault((table.kind, table.usage_when, table.open_when, roles), last)
        for name in self.views:
            last = split_name(name)[-1]
            if pattern.fullmatch(last):
                found.setdefault(name, last)
        return list(dict.fromkeys(found.values()))

    def view(self, name: str) -> str | None:
        hits = self._views.find(name)
        return self.views[hits[0]] if hits else None

    def procedure(self, name: str) -> str | None:
        hits = self._procedures.find(name)
        return self.procedures[hits[0]] if hits else None

    def with_procedures(self, sources: Mapping[str, str]) -> Catalogue:
        """The same catalogue with these procedures besides, or instead of those of these names."""
        keys = {".".join(split_name(name)): text for name, text in sources.items()}
        return Catalogue(
            self.name,
            self.dialect,
            self.tables,
            self.views,
            {**self.procedures, **keys},
            self.synonyms,
            self.services,
            self.operators,
        )

    def synonym(self, name: str) -> str | None:
        hits = self._synonyms.find(name)
        return self.synonyms[hits[0]] if hits else None


class _Index:
    """Names by their last part; a match is equality of the parts both sides have."""

    __slots__ = ("_by_last",)

    def __init__(self, names: Iterable[str]) -> None:
        self._by_last: dict[str, list[tuple[tuple[str, ...], str]]] = {}
        for name in names:
            parts = split_name(name)
            self._by_last.setdefault(parts[-1], []).append((parts, name))

    def find(self, name: str) -> list[str]:
        parts = split_name(name)
        hits: list[str] = []
        for known, key in self._by_last.get(parts[-1], ()):
            shared = min(len(known), len(parts))
            if known[-shared:] == parts[-shared:]:
                hits.append(key)
        return hits


def split_name(name: str) -> tuple[str, ...]:
    """`"HIS".[dbo].t` as `("his", "dbo", "t")`."""
    return tuple(part.strip('`"[] ').lower() for part in name.split(".")) if name else ("",)


def columns_of(predicate: exp.Expr | None) -> frozenset[str]:
    """The lower-case names of the columns a predicate reads."""
    if predicate is None:
        return frozenset()
    return frozenset(column.name.lower() for column in predicate.find_all(exp.Column))


def load(tree: object) -> Catalogue:
    """The catalogue of a parsed JSON document. Raises `CatalogueError`."""
    top = _mapping(tree, "")
    _only(top, _TOP_KEYS, "")
    dialect = _text(top.get("dialect", "postgres"), "dialect")
    if dialect not in DIALECTS:
        raise CatalogueError("dialect", f"不认识的方言 {dialect!r}；可用：{'、'.join(DIALECTS)}")
    if "tables" not in top:
        raise CatalogueError("tables", "缺少必填项：表的清单")
    tables: dict[str, Table] = {}
    for name, body in _mapping(top["tables"], "tables").items():
        path = f"tables.{name}"
        key = _new_key(name, tables, path)
        tables[key] = _table(name, body, path, dialect)
    views = _texts(top.get("views", {}), "views")
    for name in views:
        if name in tables:
            raise CatalogueError(f"views.{name}", "与一张表同名；请删去其一")
    return Catalogue(
        _text(top.get("name", ""), "name"),
        dialect,
        tables,
        views,
        _texts(top.get("procedures", {}), "procedures"),
        _texts(top.get("synonyms", {}), "synonyms"),
        _services(top.get("services", [])),
        _operators(top.get("operators", []), tables),
    )


def predicate(text: str, dialect: str, path: str) -> exp.Expr:
    """A `usage_when`-like text as a tree of column, literal, comparison and logic."""
    try:
        tree = sqlglot.parse_one(f"SELECT 1 WHERE {text}", dialect=dialect)
    except (SqlglotError, RecursionError) as error:
        raise CatalogueError(path, f"不是可读的条件：{_short(error)}") from None
    where = tree.args.get("where")
    if not isinstance(tree, exp.Select) or where is None or tree.args.get("limit") is not None:
        raise CatalogueError(path, "不是一个条件；例如 biz_type IN ('017','020')")
    condition: exp.Expr = where.this
    if condition.find(exp.Query, exp.Subquery, exp.Anonymous) is not None:
        raise CatalogueError(path, "条件里只能有本表的列、常量和比较")
    if condition.find(exp.Column) is None:
        raise CatalogueError(path, "条件里没有任何列")
    return condition


def _table(name: str, body: object, path: str, dialect: str) -> Table:
    spec = _mapping(body, path)
    _only(spec, _TABLE_KEYS, path)
    kind = spec.get("kind")
    if kind not in tuple(KINDS):  # it may be of a type that no set can look up
        raise CatalogueError(
            f"{path}.kind", f"应为 usage、dictionary、stock、other 之一，现为 {kind!r}"
        )
    columns: dict[str, str | None] = {}
    spelling: dict[str, str] = {}
    kinds: dict[str, exp.Expr | None] = {}
    for column, role in _mapping(spec.get("columns", {}), f"{path}.columns").items():
        where = f"{path}.columns.{column}"
        lower = _new_key(column, columns, where)
        spelling[lower] = column
        if isinstance(role, dict):
            # `{"high_value": "hc_flag=1"}` at the column that tells it.
            columns[lower] = "item_kind"
            kinds.update(_kinds(role, where, dialect))
        elif role is None or (isinstance(role, str) and role in ROLES):
            columns[lower] = role
        else:
            raise CatalogueError(
                where, f"不认识的角色 {role!r}；可用：{'、'.join(sorted(ROLES))} 或 null"
            )
    if "item_kind" in spec:
        kinds.update(_kinds(spec["item_kind"], f"{path}.item_kind", dialect))
    parsed: dict[str, exp.Expr | None] = {"usage_when": None, "open_when": None}
    for key in parsed:
        if spec.get(key) is not None:
            parsed[key] = predicate(_text(spec[key], f"{path}.{key}"), dialect, f"{path}.{key}")
    if parsed["usage_when"] is not None and kind not in {"usage", "stock"}:
        raise CatalogueError(f"{path}.usage_when", "只有 usage 和 stock 表可以有 usage_when")
    for tree in (*parsed.values(), *kinds.values()):
        for column in columns_of(tree):
            columns.setdefault(column, None)
            spelling.setdefault(column, column)
    return Table(
        name,
        kind,
        columns,
        spelling,
        _text(spec.get("comment") or "", f"{path}.comment"),
        parsed["usage_when"],
        parsed["open_when"],
        kinds,
        _keys(spec.get("keys", []), f"{path}.keys", columns, spelling),
    )


def _keys(
    body: object, path: str, columns: dict[str, str | None], spelling: dict[str, str]
) -> tuple[frozenset[str], ...]:
    """`["mxid", ["cfh", "xh"]]`: each a column, or columns together. They need no role."""
    found: list[frozenset[str]] = []
    for n, item in enumerate(_list(body, path)):
        names = item if isinstance(item, list) else [item]
        if not names:
            raise CatalogueError(f"{path}[{n}]", "没有列")
        key = [_text(name, f"{path}[{n}]") for name in names]
        for name in key:
            columns.setdefault(name.lower(), None)
            spelling.setdefault(name.lower(), name)
        found.append(frozenset(name.lower() for name in key))
    return tuple(found)


def _kinds(body: object, path: str, dialect: str) -> dict[str, exp.Expr | None]:
    """`{"high_value": "gzbz = '1'"}`; true for a kind that all rows are of, and in short its name."""
    given: dict[str, Any] = {body: True} if isinstance(body, str) else _mapping(body, path)
    kinds: dict[str, exp.Expr | None] = {}
    for written, rows in given.items():
        where = path if isinstance(body, str) else f"{path}.{written}"
        kind = written.replace("-", "_")
        if kind not in ITEM_KINDS:
            problem = f"没有 {written} 这一类；可用：{'、'.join(ITEM_KINDS)}"
            raise CatalogueError(where, problem)
        kinds[kind] = None if rows is True else predicate(_text(rows, where), dialect, where)
    if "drug" in kinds and kinds["drug"] is None and len(kinds) > 1:
        raise CatalogueError(path, "全是药品的表里不能再有耗材")
    return kinds


def _services(body: object) -> tuple[Service, ...]:
    services: list[Service] = []
    for n, item in enumerate(_list(body, "services")):
        path = f"services[{n}]"
        spec = _mapping(item, path)
        _only(spec, frozenset({"program", "operator", "terminal", "tables", "why"}), path)
        tables = spec.get("tables")
        services.append(
            Service(
                *(
                    _text(spec[key], f"{path}.{key}") if spec.get(key) is not None else None
                    for key in ("program", "operator", "terminal")
                ),
                tables=None
                if tables is None
                else tuple(
                    _text(t, f"{path}.tables[{i}]").lower()
                    for i, t in enumerate(_list(tables, f"{path}.tables"))
                ),
                why=_text(spec.get("why", ""), f"{path}.why"),
            )
        )
    return tuple(services)


def _operators(body: object, tables: dict[str, Table]) -> tuple[Operator, ...]:
    operators: list[Operator] = []
    index = _Index(tables)
    for n, item in enumerate(_list(body, "operators")):
        path = f"operators[{n}]"
        spec = _mapping(item, path)
        _only(spec, frozenset({"table", "column", "on", "scope"}), path)
        for key in ("table", "column", "on"):
            if key not in spec:
                raise CatalogueError(f"{path}.{key}", "缺少必填项")
        table = _text(spec["table"], f"{path}.table")
        if not index.find(table):
            raise CatalogueError(f"{path}.table", f"tables 里没有 {table}")
        on = spec["on"]
        if on not in ("insert", "select", "update"):
            raise CatalogueError(f"{path}.on", f"应为 insert、select、update 之一，现为 {on!r}")
        scope = spec.get("scope", "session")
        if scope not in ("session", "transaction"):
            raise CatalogueError(f"{path}.scope", f"应为 session 或 transaction，现为 {scope!r}")
        column = _text(spec["column"], f"{path}.column").lower()
        operators.append(Operator(index.find(table)[0], column, on, scope))
    return tuple(operators)


def _new_key(name: str, seen: Mapping[str, object], path: str) -> str:
    key = ".".join(split_name(name))
    if not key:
        raise CatalogueError(path, "名称为空")
    if key in seen:
        raise CatalogueError(path, "名称重复（不分大小写）")
    return key


def _texts(body: object, path: str) -> dict[str, str]:
    texts: dict[str, str] = {}
    for name, text in _mapping(body, path).items():
        texts[_new_key(name, texts, f"{path}.{name}")] = _text(text, f"{path}.{name}")
    return texts


def _mapping(value: object, path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise CatalogueError(path, f"应为对象 {{…}}，现为 {type(value).__name__}")
    return value


def _list(value: object, path: str) -> list[Any]:
    if not isinstance(value, list):
        raise CatalogueError(path, f"应为数组 […]，现为 {type(value).__name__}")
    return value


def _text(value: object, path: str) -> str:
    if not isinstance(value, str):
        raise CatalogueError(path, f"应为字符串，现为 {type(value).__name__}")
    return value


def _only(spec: Mapping[str, object], allowed: frozenset[str], path: str) -> None:
    for key in spec:
        if key not in allowed:
            where = f"{path}.{key}" if path else key
            raise CatalogueError(where, f"没有这个键；可用：{'、'.join(sorted(allowed))}")


def _short(error: BaseException) -> str:
    return str(error).splitlines()[0][:120] if str(error) else type(error).__name__
