"""The page of doubts: written for a person, edited, read back.

Rules this module keeps:

1. One line a decision, columns parted by tabs: table, column, role, then confidence and reason,
   which are for the reader and may be left out. `#` starts a comment line.
2. Column `*` decides the table (`usage`, `dictionary`, `stock`, `other`); role `-` is no role.
   `*usage_when` and `*open_when` take a predicate, `*item_kind` the line of `item_kinds` or `-` for
   none, `*operator` takes `column on scope`, `*keys`
   the columns of a key with commas between them, several keys parted by semicolons, `-` for none.
   Table `*` with a column means that column in every table that has it.
3. A line read back is a person's word: it overrules whatever was proposed.
4. What narrows stands behind `#?` and counts only when the person takes these two signs away.
5. An error names file and line, and nothing of the file is applied.
"""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

from qingfang.understand.catalogue import KINDS, ROLES, CatalogueError, columns_of, predicate
from qingfang.understand.discovery import item_kinds
from qingfang.understand.discovery.facts import Schema, Table
from qingfang.understand.discovery.lexicon import Reading
from qingfang.understand.discovery.propose import TAKEN, Kind, Proposal

SURE: Final = 0.9
DOUBTED: Final = 0.6

_HEADER: Final = """\
# 清方目录核对单：请核对下面每一行，改正后用 qingfang discover … --apply 本文件 采用。
# 每行各栏用制表符分隔：表、列、角色、把握（0–1）、理由。后两栏只供参考，可以省略。
# 表写 * 表示凡有这一列的表。列写 * 表示整张表，角色写 usage（用量）、dictionary（字典）、stock（库存）或 other（其他）。
# 列写 *keys 表示按哪一列（或哪几列一起，写作 a,b）取得出唯一的一行，几种取法之间用分号，没有写 -。
# 列写 *item_kind 表示哪些行是药品、耗材、高值耗材，写作 drug: 条件; consumable: true; high_value: 条件，没有写 -。
# 角色写 - 表示没有角色。删去一行表示维持推断的结果。
# 以 #? 开头的行需要人确认：去掉 #? 才会采用（usage_when 写错会漏掉真正的用量）。
# 可用的角色：{roles}
"""


class ReviewError(ValueError):
    """A line that cannot be applied: `file`, `line` (1-based), `problem`."""

    def __init__(self, file: str, line: int, problem: str) -> None:
        super().__init__(f"{file}:{line}：{problem}")
        self.file, self.line, self.problem = file, line, problem


class Decision(Struct, frozen=True):
    """One line of a review: `column` is a column, `*`, or `*usage_when` and its like."""

    table: str
    column: str
    role: str
    line: int


class Point(Struct, frozen=True):
    """One line that nobody has confirmed: `text` is the line itself, `role` what is proposed.
    `asked` tells that it counts only when it is confirmed (`#?`)."""

    table: str
    column: str
    role: str
    reason: str
    asked: bool
    text: str
    confidence: float


def header() -> str:
    """The explanation at the head of a review."""
    return _HEADER.format(roles=" ".join(sorted(ROLES))).rstrip("\n")


def open_points(text: str) -> list[Point]:
    """The lines of a review that are still open: below `SURE`, or behind `#?`. A line without a
    confidence is a person's own."""
    found: list[Point] = []
    for line in text.splitlines():
        asked = line.startswith("#?")
        if line.startswith("#") and not asked:
            continue
        cells = [cell.strip() for cell in line.removeprefix("#?").split("\t")]
        if len(cells) < 4:
            continue
        try:
            confidence = float(cells[3])
        except ValueError:
            continue
        if asked or confidence < SURE:
            reason = cells[4] if len(cells) > 4 else ""
            found.append(Point(cells[0], cells[1], cells[2], reason, asked, line, confidence))
    return found


def decision_of(line: str) -> Decision | None:
    """What a person decided in a line: one without a confidence, or of confidence 1. None for all
    others. The line's number is not known."""
    cells = [cell.strip() for cell in line.split("\t")]
    if line.startswith("#") or len(cells) < 3:
        return None
    if len(cells) > 3:
        try:
            if float(cells[3]) < 1:
                return None
        except ValueError:
            pass
    return Decision(cells[0], cells[1], cells[2], 0)


def decided(text: str) -> list[Decision]:
    """What persons decided in a review."""
    found = (decision_of(line) for line in text.splitlines())
    return [one for one in found if one is not None]


def write(proposal: Proposal) -> str:
    """The doubts of a proposal: every table that is not `other`, its columns below `SURE`, and
    what needs a person's confirmation."""
    lines = [header()]
    lines += [f"# 注意：{note}" for note in proposal.schema.notes]
    hints: dict[str, list[str]] = {}
    for hint in proposal.hints:
        text = f"{hint.table}\t*{hint.what}\t{hint.text or '<请填写>'}"
        hints.setdefault(hint.table, []).append(f"#? {text}\t{hint.confidence:.2f}\t{hint.reason}")
    for name in sorted(proposal.kinds, key=lambda n: (_ORDER[proposal.kinds[n].kind], n)):
        kind = proposal.kinds[name]
        body: list[str] = []
        if kind.kind != "other" or kind.confidence < DOUBTED:
            body.append(_line(name, "*", kind.kind, kind.confidence, kind.reason))
            body += _columns(proposal, name)
            body += _keys(proposal, name)
        body += hints.get(name, [])
        if body:
            comment = " ".join(proposal.schema.tables[name].comment.split())
            title = _BREAKS.sub(" ", f"# {name}　{comment}").rstrip("　 ")
            lines += ["", title, *body]
    return "\n".join(lines) + "\n"


_ORDER: Final = {"usage": 0, "stock": 1, "dictionary": 2, "other": 3}


def _line(table: str, column: str, role: str, confidence: float, reason: str) -> str:
    """One line. A name that itself holds a tab or line break cannot be decided here, and shows as
    a comment."""
    cells = [table, column, role, f"{confidence:.2f}", reason]
    plain = [" ".join(cell.split()) if _BREAKS.search(cell) else cell for cell in cells]
    return ("" if plain[:3] == cells[:3] else "# ") + "\t".join(plain)


_BREAKS: Final = re.compile(r"[\t\r\n\v\f\x1c-\x1e\x85\u2028\u2029]")


def _columns(proposal: Proposal, name: str) -> list[str]:
    lines: list[str] = []
    for column in proposal.schema.tables[name].columns:
        reading = proposal.roles[name].get(column)
        if reading is None or reading.confidence >= SURE or reading.role == "time":
            continue
        role = reading.role if reading.confidence >= TAKEN else "-"
        rival = proposal.rivals[name].get(column)
        reason = reading.reason if rival is None else f"{reading.reason}；也可能是 {rival.role}"
        lines.append(_line(name, column, role, reading.confidence, reason))
    return lines


def _keys(proposal: Proposal, name: str) -> list[str]:
    """The keys of a usage table: opening one row by them is work, so they are worth a look. A name
    that itself holds a comma cannot be decided here."""
    keys, columns = proposal.keys_of(name), proposal.schema.tables[name].columns
    plain = all(c in columns and not _MARKS.search(c) for key in keys for c in key)
    if not keys or not plain or proposal.kinds[name].kind != "usage":
        return []
    reason = "数据库的主键和唯一约束：这样取出的是一行"
    return [_line(name, "*keys", "; ".join(",".join(key) for key in keys), _DECLARED, reason)]


_DECLARED: Final = 0.95
_MARKS: Final = re.compile(r"[,;]|^\s|\s$")


def read(text: str, file: str) -> list[Decision]:
    """The decisions of an edited review. Raises ReviewError."""
    decisions: list[Decision] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        cells = [cell.strip() for cell in line.split("\t")]
        if len(cells) < 3:
            raise ReviewError(
                file, number, f"应有用制表符分隔的三栏：表、列、角色；这一行只有 {len(cells)} 栏"
            )
        table, column, role = cells[:3]
        if not table or not column or not role:
            raise ReviewError(file, number, "表、列、角色都不能为空；没有角色请写 -")
        decisions.append(Decision(table, column, role, number))
    return decisions


def apply(proposal: Proposal, decisions: list[Decision], file: str) -> None:
    """Put a person's decisions over the proposal. Raises ReviewError before anything changes."""
    decisions = [one for decision in decisions for one in _each(proposal.schema, decision, file)]
    kinds = {name: kind.kind for name, kind in proposal.kinds.items()}
    for decision in decisions:
        _check(proposal.schema, decision, file)
        if decision.column == "*":
            kinds[_table(proposal.schema, decision, file).name] = decision.role
    for decision in decisions:
        name = _table(proposal.schema, decision, file).name
        if decision.column == "*usage_when" and kinds[name] not in {"usage", "stock"}:
            problem = f"{name} 不是 usage 或 stock 表，不能有 usage_when"
            raise ReviewError(file, decision.line, problem)
    for decision in decisions:
        table = _table(proposal.schema, decision, file)
        name = table.name
        if decision.column == "*":
            proposal.kinds[name] = Kind(decision.role, 1.0, "人工确认")
            if decision.role not in {"usage", "stock"}:
                proposal.predicates.pop(name, None)
        elif decision.column == "*operator":
            column, on, scope = decision.role.split()
            operator = {"table": name, "column": column, "on": on, "scope": scope}
            if operator not in proposal.operators:
                proposal.operators.append(operator)
        elif decision.column == "*keys":
            proposal.keys[name] = [
                tuple(_column(table, column) or column for column in key)
                for key in _key_columns(decision.role)
            ]
        elif decision.column == "*item_kind":
            said = proposal.predicates.setdefault(name, {})
            said.pop("item_kind", None)
            if decision.role != "-":
                said["item_kind"] = item_kinds.read(decision.role)
        elif decision.column in _PREDICATES:
            proposal.predicates.setdefault(name, {})[decision.column[1:]] = decision.role
        else:
            column = _column(table, decision.column) or decision.column
            if decision.role == "-":
                proposal.roles[name].pop(column, None)
            else:
                proposal.roles[name][column] = Reading(decision.role, 1.0, "人工确认")


_PREDICATES: Final = frozenset({"*usage_when", "*open_when"})


def _key_columns(text: str) -> list[list[str]]:
    """`mxid; cfh,xh` as the columns of each key; `-` as none."""
    if text == "-":
        return []
    return [[column.strip() for column in key.split(",")] for key in text.split(";")]


def _each(schema: Schema, decision: Decision, file: str) -> list[Decision]:
    """The decision for each table it is about."""
    if decision.table != "*":
        return [decision]
    if decision.column.startswith("*"):
        raise ReviewError(file, decision.line, "表写 * 时，列必须是一个列名")
    names = [t.name for t in schema.tables.values() if _column(t, decision.column) is not None]
    if not names:
        raise ReviewError(file, decision.line, f"没有一张表有列 {decision.column}")
    return [Decision(name, decision.column, decision.role, decision.line) for name in names]


def _table(schema: Schema, decision: Decision, file: str) -> Table:
    table = schema.table(decision.table)
    if table is None:
        raise ReviewError(file, decision.line, f"库里没有表 {decision.table}")
    return table


def _column(table: Table, column: str) -> str | None:
    return next((c for c in table.columns if c.lower() == column.lower()), None)


def _check(schema: Schema, decision: Decision, file: str) -> None:
    table = _table(schema, decision, file)
    column, role = decision.column, decision.role
    if column == "*":
        if role not in KINDS:
            problem = f"表的种类应为 {'、'.join(sorted(KINDS))} 之一，现为 {role}"
            raise ReviewError(file, decision.line, problem)
    elif column in _PREDICATES or (column == "*item_kind" and role != "-"):
        try:
            given = [role] if column in _PREDICATES else item_kinds.read(role).values()
            trees = [
                predicate(text, schema.dialect, column[1:])
                for text in given
                if isinstance(text, str)
            ]
        except CatalogueError as error:
            raise ReviewError(file, decision.line, f"{role}：{error.problem}") from None
        for read_column in sorted(frozenset().union(*map(columns_of, trees))):
            if _column(table, read_column) is None:
                raise ReviewError(file, decision.line, f"表 {table.name} 没有列 {read_column}")
    elif column == "*item_kind":
        pass
    elif column == "*operator":
        parts = role.split()
        if (
            len(parts) != 3
            or parts[1] not in {"insert", "select", "update"}
            or parts[2] not in {"session", "transaction"}
        ):
            problem = "应写作「列 insert|select|update session|transaction」"
            raise ReviewError(file, decision.line, f"{problem}，现为 {role}")
        if _column(table, parts[0]) is None:
            raise ReviewError(file, decision.line, f"表 {table.name} 没有列 {parts[0]}")
    elif column == "*keys":
        for part in (part for key in _key_columns(role) for part in key):
            if not part:
                problem = "应写作「a; b,c」，没有写 -"
                raise ReviewError(file, decision.line, f"{problem}，现为 {role}")
            if _column(table, part) is None:
                raise ReviewError(file, decision.line, f"表 {table.name} 没有列 {part}")
    elif column.startswith("*"):
        problem = f"不认识 {column}；可用：*、*usage_when、*open_when、*item_kind、*operator、*keys"
        raise ReviewError(file, decision.line, problem)
    elif _column(table, column) is None:
        raise ReviewError(file, decision.line, f"表 {table.name} 没有列 {column}")
    elif role != "-" and role not in ROLES:
        problem = f"不认识的角色 {role}；可用：{'、'.join(sorted(ROLES))}，没有角色写 -"
        raise ReviewError(file, decision.line, problem)
