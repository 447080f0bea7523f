"""The synthetic hospital system of the benchmark in four dialects: names, catalogue, DDL, rendering.

One logical model (`schemas/model.txt`: tables, columns, roles) and one file of physical names a
dialect. A fixture is written once with placeholders and rendered for a dialect and a kind of item.

Rules this module keeps:

1. Roles are written once, in the model; a dialect gives names, codes and discriminators only, so
   that the four catalogues mean the same.
2. Drugs and consumables mirror each other: for `material` a placeholder of `rx` `line` `line_hist`
   `drug` means `use` `use_line` `use_hist` `material`, and codes are consumables' codes.
3. The catalogue says of which kind rows are wherever a table is of one kind or tells it by a class;
   ordinary consumables (`ordinary`) are only in tables that tell it.
4. An unknown placeholder is refused with its text; nothing is rendered half.

Placeholders: `{rx}` a table · `{rx.doctor}` a column · `{all}` the union view over current and past
lines · `{order.is:y}` the predicate on alias y that the row is this kind of item · `{rx.open:c}`
still to be worked on · `{item1}` `{doctor2}` `{dept1}` `{patient3}` `{rx5#}` … a quoted code ·
`{item1!}` the code bare · `{name1}` the item's name · `{class1}` a class of items ·
`{day:2026-01-31}` a date · `{escaped:line.item}` a column as U&"…" with an escaped letter · `{padding}` 64 KiB of text for a comment.
"""

from __future__ import annotations

import random
import re
from functools import cache
from pathlib import Path
from typing import Literal

from msgspec import Struct

from qingfang.bench.recognition.texts import tokens

Kind = Literal["drug", "material", "ordinary"]
KINDS: tuple[Kind, ...] = ("drug", "material")
"""What every technique is written for: drugs and high-value consumables."""
EVERY_KIND: tuple[Kind, ...] = (*KINDS, "ordinary")
"""And ordinary consumables, which share tables with other things (`schemas/*.txt`)."""
ORDINARY_FROM = 20
"""Codes of ordinary consumables begin behind this number: no code is of two kinds."""
_DRUGS_ONLY = frozenset({"line", "line_hist", "disp", "drug"})
_HIGH_VALUE_ONLY = frozenset({"use_line", "use_hist", "material"})
DIALECTS: tuple[str, ...] = ("oracle", "tsql", "mysql", "postgres")

_FOLDER = Path(__file__).parent / "schemas"
_PLACEHOLDER = re.compile(r"\{([^{}\s]+)\}")
_CODE = re.compile(r"(item|doctor|dept|patient|visit|rx|room|ward|window|batch)(\d+)(#?)(!?)")
_MIRROR = {"rx": "use", "line": "use_line", "line_hist": "use_hist", "drug": "material"}
_TYPES = {
    "oracle": {"code": "VARCHAR2(40)", "text": "VARCHAR2(400)", "int": "NUMBER(10)"},
    "tsql": {"code": "VARCHAR(40)", "text": "NVARCHAR(400)", "int": "INT"},
    "mysql": {"code": "VARCHAR(40)", "text": "VARCHAR(400)", "int": "INT"},
    "postgres": {"code": "varchar(40)", "text": "text", "int": "integer"},
}
_NUMBER = {"oracle": "NUMBER(12,2)", "postgres": "numeric(12,2)"}


class Column(Struct, frozen=True):
    """`role` None: none. `type` is code, text, int, number or date."""

    logical: str
    name: str
    role: str | None
    type: str


class Table(Struct, frozen=True):
    logical: str
    name: str
    kind: str
    comment: str
    columns: tuple[Column, ...]

    def column(self, logical: str) -> Column:
        """Raises KeyError."""
        for column in self.columns:
            if column.logical == logical:
                return column
        raise KeyError(logical)


class Schema(Struct, frozen=True):
    """`kinds` maps (logical table, kind) to a predicate with `{}` for «alias.» and a sample value
    of the telling column; `histories` maps a view's name to the two tables of the same columns."""

    dialect: str
    tables: dict[str, Table]
    codes: dict[str, str]
    class_name: str
    kinds: dict[tuple[str, str], tuple[str, str]]
    opens: dict[str, str]
    histories: dict[str, tuple[str, str]]

    def code(self, what: str, number: int) -> str:
        return self.codes[what].format(number)


def renamed(of: Schema, seed: int) -> Schema:
    """The same schema with every table and column called something else. What has one name in
    several places keeps having one."""
    chance = random.Random(f"{of.dialect}{seed}")
    new: dict[str, str] = {}
    taken: set[str] = set()

    def name(old: str) -> str:
        if old not in new:
            made = ""
            while not made or made in taken:
                made = "".join(
                    chance.choice("bdfgklmnprst") + chance.choice("aeiou") for _n in "abc"
                )
            taken.add(made)
            new[old] = made
        return new[old]

    def dotted(old: str) -> str:
        return ".".join(name(part) for part in old.split("."))

    tables = {
        logical: Table(
            logical,
            dotted(table.name),
            table.kind,
            table.comment,
            tuple(Column(c.logical, name(c.name), c.role, c.type) for c in table.columns),
        )
        for logical, table in of.tables.items()
    }

    def predicate(text: str) -> str:
        found = tokens(text)
        return "".join(new.get(part, part) if kind == "word" else part for kind, part in found)

    return Schema(
        of.dialect,
        tables,
        of.codes,
        of.class_name,
        {key: (predicate(text), sample) for key, (text, sample) in of.kinds.items()},
        {key: predicate(text) for key, text in of.opens.items()},
        {dotted(view): pair for view, pair in of.histories.items()},
    )


@cache
def schema(dialect: str) -> Schema:
    """The schema of one of `DIALECTS`."""
    model = _model()
    tables: dict[str, Table] = {}
    codes: dict[str, str] = {}
    kinds: dict[tuple[str, str], tuple[str, str]] = {}
    opens: dict[str, str] = {}
    histories: dict[str, tuple[str, str]] = {}
    class_name = ""
    for line in _lines(f"{dialect}.txt"):
        head, rest = line.split(maxsplit=1)
        if head == "codes":
            codes = dict(_pair(part) for part in rest.split())
        elif head == "class":
            class_name = rest
        elif head == "kind":
            names, _bar, sample = (part.strip() for part in rest.partition("|"))
            table, kind, *predicate = names.split(maxsplit=2)
            kinds[table, kind] = ("".join(predicate), sample)
        elif head == "open":
            table, predicate_text = rest.split(maxsplit=1)
            opens[table] = predicate_text
        elif head == "history":
            name, current, past = rest.split()
            histories[name] = (current, past)
        else:
            tables[head] = _table(model[head], *rest.split())
    if tables.keys() != model.keys():
        raise ValueError(f"{dialect}.txt: {sorted(tables.keys() ^ model.keys())}")
    return Schema(dialect, tables, codes, class_name, kinds, opens, histories)


def _lines(file: str) -> list[str]:
    text = (_FOLDER / file).read_text(encoding="utf-8")
    return [line.strip() for line in text.splitlines() if line.strip() and line[0] != "#"]


def _pair(text: str) -> tuple[str, str]:
    key, _sign, value = text.partition("=")
    return key, value


def _model() -> dict[str, Table]:
    """The logical tables; a column's name is its logical one."""
    tables: dict[str, Table] = {}
    columns: list[Column] = []
    opened: tuple[str, str, str] | None = None
    for line in [*_lines("model.txt"), "=="]:
        if not line.startswith("=="):
            logical, role, kind = line.split()[:3]
            columns.append(Column(logical, logical, None if role == "-" else role, kind))
            continue
        if opened is not None:
            name, kind, comment = opened
            tables[name] = Table(name, name, kind, comment, tuple(columns))
        if len(line.split(maxsplit=3)) == 4:
            _mark, name, kind, comment = line.split(maxsplit=3)
            opened, columns = (name, kind, comment), []
    return tables


def _table(model: Table, name: str, *pairs: str) -> Table:
    names = [_pair(pair) for pair in pairs]
    given = dict(names)
    columns = [Column(c.logical, given[c.logical], c.role, c.type) for c in model.columns]
    extra = [Column("+", value, None, "text") for key, value in names if key == "+"]
    return Table(model.logical, name, model.kind, model.comment, (*columns, *extra))


# ---------------------------------------------------------------- catalogue and DDL


def catalogue(of: Schema) -> dict[str, object]:
    """The catalogue in the contract's format (docs/contracts/explain.md), complete and correct."""
    tables: dict[str, object] = {}
    for table in of.tables.values():
        spec: dict[str, object] = {
            "kind": table.kind,
            "comment": table.comment,
            "columns": {column.name: column.role for column in table.columns},
        }
        told = {
            kind: of.kinds[table.logical, kind][0].format("")
            for kind in EVERY_KIND
            if (table.logical, kind) in of.kinds
        }
        if told:
            spec["usage_when"] = " OR ".join(told.values())
            spec["item_kind"] = {
                "drug": told["drug"],
                "consumable": " OR ".join(told[kind] for kind in told if kind != "drug"),
                "high_value": told["material"],
            }
        elif table.logical in _DRUGS_ONLY:
            spec["item_kind"] = "drug"
        elif table.logical in _HIGH_VALUE_ONLY:
            spec["item_kind"] = {"consumable": True, "high_value": True}
        if table.logical in of.opens:
            spec["open_when"] = of.opens[table.logical]
        tables[table.name] = spec
    views = {
        name: f"{_select(of.tables[now])} UNION ALL {_select(of.tables[past])}"
        for name, (now, past) in of.histories.items()
    }
    return {
        "name": f"合成医院（{of.dialect}）",
        "dialect": of.dialect,
        "tables": tables,
        "views": views,
        "operators": [
            {"table": table.name, "column": column.name, "on": "insert", "scope": "session"}
            for table in of.tables.values()
            for column in table.columns
            if column.role == "operator_id"
        ],
    }


def _select(table: Table) -> str:
    return f"SELECT {', '.join(column.name for column in table.columns)} FROM {table.name}"


def ddl(of: Schema) -> list[str]:
    """CREATE TABLE and CREATE VIEW statements."""
    types = {"number": _NUMBER.get(of.dialect, "DECIMAL(12,2)"), "date": "DATE"}
    types |= _TYPES[of.dialect]
    made = [
        f"CREATE TABLE {table.name} ({', '.join(f'{c.name} {types[c.type]}' for c in table.columns)})"
        for table in of.tables.values()
    ]
    views = catalogue(of)["views"]
    assert isinstance(views, dict)
    return [*made, *(f"CREATE VIEW {name} AS {text}" for name, text in views.items())]


# ---------------------------------------------------------------- rendering


def render(text: str, of: Schema, kind: Kind) -> str:
    """`text` with its placeholders filled in. Raises ValueError for an unknown placeholder."""
    return _PLACEHOLDER.sub(lambda found: _filled(found[1], of, kind), text)


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def date(day: str, dialect: str) -> str:
    return f"DATE '{day}'" if dialect in ("oracle", "postgres") else f"'{day}'"


def _filled(token: str, of: Schema, kind: Kind) -> str:
    code = _CODE.fullmatch(token)
    if code is not None:
        what = "material" if kind != "drug" and code[1] == "item" else code[1]
        number = int(code[2]) + (ORDINARY_FROM if kind == "ordinary" and code[1] == "item" else 0)
        value = of.code(what, number)
        return value if code[4] else literal(value)
    word, colon, rest = token.partition(":")
    if word == "day" and colon:
        return date(rest, of.dialect)
    if word == "all":
        return list(of.histories)[KINDS.index(kind)]
    if re.fullmatch(r"name\d+", word):
        return literal(item_name(kind, int(word[4:])))
    if word == "escaped":
        column_name = _filled(rest, of, kind)
        return f'U&"\\{ord(column_name[0]):04X}{column_name[1:]}"'
    if word == "padding":
        return "填充 " * 22_000
    if word == "class1":
        return literal(of.class_name)
    name, dot, column = word.partition(".")
    logical = _MIRROR.get(name, name) if kind == "material" else name
    alias = f"{rest}." if rest else ""
    try:
        if column == "is":
            return of.kinds[logical, kind][0].format(alias)
        if column == "open":
            return alias + of.opens[logical]
        table = of.tables[logical]
        return table.column(column).name if dot else table.name
    except KeyError:
        raise ValueError(f"{{{token}}} ({of.dialect}, {kind})") from None


_DRUGS = ("阿莫甲", "头孢乙", "奥美丙", "缬沙丁", "瑞舒戊", "左氧己", "氨氯庚", "泮托辛")
_MATERIALS = ("支架", "导管", "球囊", "钢板", "螺钉", "补片", "缝线", "晶体")


def item_name(kind: str, number: int) -> str:
    """An invented name."""
    made = _DRUGS if kind == "drug" else _MATERIALS
    return f"合成{made[(number - 1) % len(made)]}"
