"""What a table would change: every line compared with what is registered.

Rules this module keeps:

1. Planning writes nothing and asks the database a fixed number of times, however long the table is.
2. Two lines of one key, or two terminals of one address, are both wrong: we do not guess.
3. `missing` are those in use whom the table does not name; only who said that the table is the whole
   list has them leave.
"""

from __future__ import annotations

from typing import Any, Final

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from qingfang.people import changes
from qingfang.people.importing import columns, sheet
from qingfang.people.importing.columns import COLUMNS, EMPTY, KEYS, NEEDED, Column, Known, Wrong
from qingfang.people.models import Person, Proposed, Terminal

HEADING_WITHIN: Final = 20
MORE: Final = 10
RELATIONS: Final = frozenset({"department", "post", "location", "custodian"})
_IN_USE: Final = {Proposed.Kind.PERSON: "is_active", Proposed.Kind.TERMINAL: "active"}
MODELS: Final = {Proposed.Kind.PERSON: Person, Proposed.Kind.TERMINAL: Terminal}


class Table:
    """The recognised columns of a file: `rows` has the line (from 1) and the cells by field;
    `unknown` are headings that stand for nothing."""

    def __init__(self, rows: list[tuple[int, dict[str, str]]], unknown: list[str]) -> None:
        self.rows, self.unknown = rows, unknown


class Problem:
    """One cell that cannot be taken; `column` is a heading, empty for the whole line. `more` are
    further lines of which the same is to be said."""

    def __init__(self, line: int, column: str, text: str) -> None:
        self.line, self.column, self.text = line, column, text
        self.more: list[int] = []

    @property
    def shown(self) -> str:
        """The first of `more`."""
        return "、".join(map(str, self.more[:MORE])) + ("…" if len(self.more) > MORE else "")

    def __str__(self) -> str:
        told = {"line": self.line, "column": self.column, "text": self.text}
        if not self.column:
            return _("第 %(line)s 行：%(text)s") % told
        return _("第 %(line)s 行“%(column)s”：%(text)s") % told


class Line:
    """A line that would change something: `values` by field are what the record gets; `before` is
    None for a new record; `shown` has label, old and new text of each changed field."""

    def __init__(
        self,
        number: int,
        key: str,
        name: str,
        values: dict[str, Any],
        before: Person | Terminal | None,
    ) -> None:
        self.number, self.key, self.name = number, key, name
        self.values, self.before = values, before
        self.shown: list[tuple[str, str, str]] = []


class Plan:
    def __init__(self) -> None:
        self.new: list[Line] = []
        self.changed: list[Line] = []
        self.same = 0
        self.missing: list[Person | Terminal] = []
        self.problems: list[Problem] = []

    @property
    def wrong(self) -> int:
        """How many lines are left out."""
        return len({problem.line for problem in self.problems})

    @property
    def writes(self) -> list[Line]:
        return sorted([*self.new, *self.changed], key=lambda line: line.number)


def table(sheets: list[sheet.Lines], kind: str) -> Table:
    """The first sheet that has the key's heading within its first lines. Raises `sheet.Unreadable`."""
    names = {
        columns.folded(heading): column for column in COLUMNS[kind] for heading in column.headings
    }
    key = KEYS[Proposed.Kind(kind)]
    for lines in sheets:
        for at, cells in enumerate(lines[:HEADING_WITHIN]):
            found: dict[int, Column] = {}
            taken: set[str] = set()
            for n, cell in enumerate(cells):
                column = names.get(columns.folded(cell))
                if column is not None and column.field not in taken:
                    found[n] = column
                    taken.add(column.field)
            if key in taken and len(taken) > 1:
                unknown = [c for n, c in enumerate(cells) if c and n not in found]
                return Table(_rows(lines, at + 1, found), unknown)
    wanted = "、".join(column.headings[0] for column in COLUMNS[kind][:3])
    raise sheet.Unreadable(
        _("前 %(within)s 行里找不到表头：要有一行写着%(wanted)s等列名。")
        % {"within": HEADING_WITHIN, "wanted": wanted}
    )


def _rows(
    lines: sheet.Lines, start: int, found: dict[int, Column]
) -> list[tuple[int, dict[str, str]]]:
    rows: list[tuple[int, dict[str, str]]] = []
    for number, cells in enumerate(lines[start:], start + 1):
        row = {
            column.field: cells[n].strip()
            for n, column in found.items()
            if n < len(cells) and cells[n].strip()
        }
        if row:
            rows.append((number, row))
    return rows


def plan(kind: str, rows: list[tuple[int, dict[str, str]]]) -> Plan:
    """Compare with what is registered now."""
    known = Known()
    made = Plan()
    kind = Proposed.Kind(kind)
    model, key = MODELS[kind], KEYS[kind]
    related = [n for n in RELATIONS if any(f.name == n for f in model._meta.fields)]
    records = {
        str(getattr(record, key)): record
        for record in model.objects.select_related(*related).order_by("pk")
    }
    counted: dict[str, list[int]] = {}
    for number, row in rows:
        counted.setdefault(row.get(key, ""), []).append(number)
    owners = _owners(records.values()) if kind == Proposed.Kind.TERMINAL else {}
    lines: list[Line] = []
    for number, row in rows:
        text = row.get(key, "")
        problems = _unusable(kind, number, text, counted, records)
        values: dict[str, Any] = {}
        for column in COLUMNS[kind] if not problems else ():
            if column.field in row:
                try:
                    values[column.field] = _value(column, row[column.field], model, known)
                except Wrong as wrong:
                    problems.append(Problem(number, column.headings[0], str(wrong)))
        before = records.get(text)
        if before is None and not problems:
            problems += [
                Problem(number, column.headings[0], _("新登记的不能空着"))
                for column in COLUMNS[kind]
                if column.field in NEEDED[kind] and not values.get(column.field)
            ]
        made.problems += problems
        if problems:
            continue
        name = str(values.get("name") or getattr(before, "name", ""))
        lines.append(
            Line(number, text, name if kind == Proposed.Kind.PERSON else "", values, before)
        )
    if kind == Proposed.Kind.TERMINAL:
        lines = _apart(lines, owners, made)
    for line in lines:
        _compare(line, model, made)
    named = set(counted)
    made.missing = [
        record
        for number, record in records.items()
        if number not in named and getattr(record, _IN_USE[kind])
    ]
    made.problems.sort(key=lambda problem: problem.line)
    return made


def alike(problems: list[Problem]) -> list[Problem]:
    """The problems, each with the lines that have the same: a department that nobody registered is
    one thing to do, however many people it has."""
    found: dict[tuple[str, str], Problem] = {}
    for problem in problems:
        first = found.setdefault(
            (problem.column, problem.text), Problem(problem.line, problem.column, problem.text)
        )
        if first.line != problem.line:
            first.more.append(problem.line)
    return list(found.values())


def _unusable(
    kind: Proposed.Kind,
    number: int,
    text: str,
    counted: dict[str, list[int]],
    records: dict[str, Any],
) -> list[Problem]:
    """Why the line cannot be taken whatever else it says."""
    heading = COLUMNS[kind][0].headings[0]
    if not text:
        return [Problem(number, heading, _("空着，不知道是谁的"))]
    if len(counted[text]) > 1:
        others = "、".join(str(n) for n in counted[text][:5] if n != number)
        return [Problem(number, heading, _("与第 %(others)s 行重复") % {"others": others})]
    if text not in records and text.isdigit():
        zeros = next(
            (k for k in records if k != text and k.isdigit() and k.lstrip("0") == text), ""
        )
        if zeros:
            told = _("已登记的是 %(zeros)s：前面的零丢了，请把这一列设为文本再填") % {
                "zeros": zeros
            }
            return [Problem(number, heading, told)]
    return []


def _value(column: Column, text: str, model: Any, known: Known) -> Any:
    if text == EMPTY:
        field = model._meta.get_field(column.field)
        if not (field.blank or field.null):
            raise Wrong(_("不能清空"))
        return column.empty
    if sheet.suspect(text):
        raise Wrong(_("“%(start)s”开头像是公式，没有采用") % {"start": text[0]})
    value = column.parse(text, known)
    if column.field in RELATIONS:
        return value
    try:
        model._meta.get_field(column.field).run_validators(value)
    except ValidationError as error:
        raise Wrong(" ".join(error.messages)) from None
    return value


def _owners(records: Any) -> dict[str, str]:
    """Addresses of the terminals registered, with their names."""
    found: dict[str, str] = {}
    for record in records:
        for address in (record.address, *record.more_addresses):
            found[address] = record.name
    return found


def _apart(lines: list[Line], owners: dict[str, str], made: Plan) -> list[Line]:
    """The lines whose addresses are no other terminal's, registered or of another line."""
    asked: dict[str, list[Line]] = {}
    for line in lines:
        for address in {line.values.get("address"), *line.values.get("more_addresses", ())} - {
            None
        }:
            asked.setdefault(str(address), []).append(line)
    moved = {line.key for line in lines if "address" in line.values}
    wrong: set[int] = set()
    for address, askers in asked.items():
        owner = owners.get(address)
        for line in askers:
            others = [one.key for one in askers if one is not line]
            if owner is not None and owner != line.key and owner not in moved:
                others.append(owner)
            if others:
                wrong.add(line.number)
                told = _("%(address)s 已登记给终端 %(name)s。") % {
                    "address": address,
                    "name": others[0],
                }
                made.problems.append(Problem(line.number, "IP地址", told))
    return [line for line in lines if line.number not in wrong]


def _compare(line: Line, model: Any, made: Plan) -> None:
    record = model() if line.before is None else line.before
    for field, value in line.values.items():
        old = getattr(record, field, None) if line.before is not None else None
        if old != value:
            label = str(model._meta.get_field(field).verbose_name)
            before = "" if line.before is None else changes.shown(record, field)
            line.shown.append((label, before, _as_text(value, record, field)))
    if line.before is None:
        made.new.append(line)
    elif line.shown:
        made.changed.append(line)
    else:
        made.same += 1


def _as_text(value: Any, record: Any, field: str) -> str:
    kept = getattr(record, field, None) if record.pk else None
    setattr(record, field, value)
    try:
        return changes.shown(record, field)
    finally:
        if record.pk:
            setattr(record, field, kept)
