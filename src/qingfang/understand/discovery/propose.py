"""From the facts of a schema to a proposal: kinds of tables, roles of columns, what to ask.

Rules this module keeps:

1. Evidence adds up (name, comment, values, foreign key, views and routines), each with a confidence; two that agree are
   combined as independent, of two that differ the stronger is taken and weakened by the other.
2. A foreign key carries the role of the key it points at; a table's own key has the role of what
   the table holds one row of (its head word). Both are repeated until nothing changes.
3. The key of a row that belongs to one prescription, visit or patient and holds no item (a ward
   round) stands for it: who names the row names them. The key of a line with an item has no role:
   that it opens one row is what the catalogue's `keys` say.
4. A current table and its history (same columns, name plus `_his`, `_bak`, a year …) get the same.
5. A role needs `TAKEN` confidence, a hint (`usage_when`, `item_kind`, operator) is only ever asked.
6. Every table and column is in the catalogue, with a role or without: what is missing there is
   unknown, and unknown is opaque.
7. Keys are what the database itself sees to (primary keys, unique constraints and indexes); none is
   guessed from names or values.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from msgspec import Struct, field

from qingfang.understand.discovery import item_kinds, lexicon, sources, values
from qingfang.understand.discovery.facts import Column, Schema, Table
from qingfang.understand.discovery.lexicon import Reading

TAKEN: Final = 0.5
KEYS: Final = ("prescription_id", "visit_id", "patient_id")
_ID_ROLES: Final = frozenset(
    {*KEYS, "item_id", "prescriber_id", "department_id", "unit_id", "operator_id"}
)
_ROUNDS: Final = 5
_CARRIED: Final = 0.85
_HISTORY: Final = re.compile(
    r"([_-]?(his|hist|history|bak|backup|old|arch|archive|ls|lsk|lsb)|_?(19|20)\d{2}(\d{2})?|历史|备份)$",
    re.IGNORECASE,
)


class Kind(Struct):
    kind: str
    confidence: float
    reason: str


class Hint(Struct):
    """Something only a person can confirm. `what` is `usage_when`, `open_when`, `item_kind` or
    `operator`; `text` is the predicate, the kinds as `item_kinds.text_of` writes them, or `column on scope` for an operator; empty when there is no guess."""

    table: str
    what: str
    text: str
    confidence: float
    reason: str


class Proposal(Struct):
    """What was read from `schema`. `roles` maps table → column → reading; a column that is not
    there has no role. `rivals` holds the second best reading where two differed. `predicates` and
    `operators` hold only what a person confirmed, `keys` what a person put in place of a table's
    own."""

    schema: Schema
    kinds: dict[str, Kind] = field(default_factory=dict)
    roles: dict[str, dict[str, Reading]] = field(default_factory=dict)
    rivals: dict[str, dict[str, Reading]] = field(default_factory=dict)
    hints: list[Hint] = field(default_factory=list)
    predicates: dict[str, dict[str, object]] = field(default_factory=dict)
    operators: list[dict[str, str]] = field(default_factory=list)
    keys: dict[str, list[tuple[str, ...]]] = field(default_factory=dict)

    def keys_of(self, table: str) -> list[tuple[str, ...]]:
        """The sets of columns by which one row of the table is told from all others."""
        decided = self.keys.get(table)
        return self.schema.tables[table].keys if decided is None else decided

    def role(self, table: str, column: str) -> str | None:
        reading = self.roles[table].get(column)
        return reading.role if reading is not None and reading.confidence >= TAKEN else None

    def taken(self, table: str) -> set[str]:
        return {r.role for r in self.roles[table].values() if r.confidence >= TAKEN}

    def catalogue(self) -> dict[str, object]:
        """The catalogue of docs/contracts/explain.md, as JSON-able values."""
        tables: dict[str, object] = {}
        for name, table in sorted(self.schema.tables.items()):
            body: dict[str, object] = {"kind": self.kinds[name].kind}
            if table.comment:
                body["comment"] = " ".join(table.comment.split())
            body.update(self.predicates.get(name, {}))
            keys = self.keys_of(name)
            if keys:
                body["keys"] = [key[0] if len(key) == 1 else list(key) for key in keys]
            body["columns"] = {column: self.role(name, column) for column in table.columns}
            tables[name] = body
        tree: dict[str, object] = {
            "name": self.schema.name,
            "dialect": self.schema.dialect,
            "tables": tables,
        }
        for key, texts in (
            ("views", self.schema.views),
            ("procedures", self.schema.routines),
            ("synonyms", self.schema.synonyms),
        ):
            if texts:
                tree[key] = dict(sorted(texts.items()))
        if self.operators:
            tree["operators"] = self.operators
        return tree


def propose(schema: Schema) -> Proposal:
    """Read the roles of a schema."""
    proposal = Proposal(schema)
    said = {name: lexicon.read_table(name, t.comment) for name, t in schema.tables.items()}
    for name, table in schema.tables.items():
        proposal.roles[name] = {}
        proposal.rivals[name] = {}
        for column in table.columns.values():
            for reading in _read(column, table):
                _add(proposal, name, column.name, reading)
    told = sources.read(schema)
    for column, alias, source in told.called:
        for reading in lexicon.read_column(alias):
            fitted = _fit(reading, shape(schema.tables[column.table].columns[column.name].type))
            if fitted is not None:
                reason = f"{source} 里称作「{alias}」"
                said_so = fitted._replace(confidence=fitted.confidence * 0.9, reason=reason)
                _add(proposal, column.table, column.name, said_so)
    _refer(proposal)
    for _ in range(_ROUNDS):
        learned = _carry(proposal)
        for one, other, source in told.joined:
            learned = _joined(proposal, one, other, source) or learned
            learned = _joined(proposal, other, one, source) or learned
        if not learned:
            break
    for name, table in schema.tables.items():
        _stand_for(proposal, table)
        _line_key(proposal, table, said[name])
        _money(proposal, table)
        proposal.kinds[name] = _kind(proposal, table, said[name])
    _pair_history(proposal)
    for name, table in schema.tables.items():
        _settle(proposal, name)
        _ask(proposal, table, said[name])
    return proposal


# ---------------------------------------------------------------- columns


def shape(type_: str) -> str:
    """`bool`, `time`, `integer`, `decimal`, `text`, `binary`, `char`, or `` when not known."""
    word = type_.lower()
    for name, pattern in _SHAPES:
        if pattern.search(word):
            return name
    return ""


_SHAPES: Final = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("bool", r"bool|^bit\b"),
        ("time", r"^(timestamp|date|time|smalldatetime|datetime)"),
        ("binary", r"bytea|blob|binary|image|json|xml"),
        ("text", r"^(text|clob|ntext|longtext|mediumtext)"),
        ("decimal", r"numeric|decimal|double|float|real|money|number"),
        ("integer", r"int|serial"),
        ("char", r"char|uuid|string"),
    )
)


def _read(column: Column, table: Table) -> list[Reading]:
    kind = shape(column.type)
    if kind == "binary":
        return []
    readings = lexicon.read_column(column.name)
    if column.comment:
        said = lexicon.read_comment(column.comment)
        if said or lexicon.contradicts(column.comment):
            # A comment is written for people: where it and the name differ, the comment is right.
            readings = [
                r if said and r.role == said[0].role else r._replace(confidence=r.confidence * 0.5)
                for r in readings
            ]
        readings += said
    value = lexicon.read_values(column.samples)
    if value is not None:
        readings.append(value)
    if (
        kind == "time"
        and not lexicon.is_plain(column.name)
        and not lexicon.contradicts(column.comment)
    ):
        readings.append(Reading("time", 0.7, f"类型为 {column.type}"))
    readings += _of_head(column, table)
    return [r for r in (_fit(reading, kind) for reading in readings) if r is not None]


def _of_head(column: Column, table: Table) -> list[Reading]:
    """What a column of a table that lists drugs, doctors, patients … says by its place there."""
    head = None if _is_link(table) else _head(table)
    if head is None:
        return []
    subject = lexicon.SUBJECT_ZH[head]
    bare = column.name.lower()
    if table.key == (column.name,):
        reason = f"是表 {table.name}（{subject}）的主键"
        sure = 0.72 if head == lexicon.OPERATOR else 0.92
        return [Reading(lexicon.id_role(head), sure, reason)]
    if bare in _CODES or column.comment in _CODES:
        return [Reading(lexicon.id_role(head), 0.9, f"是表 {table.name}（{subject}）的代码")]
    name = lexicon.name_role(head)
    if name is not None and (bare in _NAMES or column.comment in _NAMES):
        return [Reading(name, 0.92, f"是表 {table.name}（{subject}）的名称")]
    if head == lexicon.ITEM:
        said = lexicon.item_attribute(column.name) or lexicon.item_attribute(column.comment)
        if said is not None:
            role, confidence = said
            return [Reading(role, confidence, f"是表 {table.name}（{subject}）的属性")]
    return []


_NAMES: Final = frozenset(
    {"name", "fullname", "full_name", "xm", "mc", "xingming", "mingcheng"}
    | {"姓名", "名称", "description"}
)
_CODES: Final = frozenset(
    {"code", "dm", "bm", "bh", "daima", "bianma", "代码", "编码", "编号", "sku"}
)


def _head(table: Table) -> str | None:
    return lexicon.head(table.name, table.comment)


def _is_link(table: Table) -> bool:
    """Whether a table only ties rows of others together (`user-employee`)."""
    if _head(table) in {lexicon.VISIT, lexicon.PRESCRIPTION, lexicon.PATIENT}:
        return False
    tied = {foreign.columns[0] for foreign in table.foreign if len(foreign.columns) == 1}
    own = [
        c.name
        for c in table.columns.values()
        if c.name not in table.key
        and c.name not in tied
        and shape(c.type) != "time"
        and not any(r.role == "operator_id" for r in lexicon.read_column(c.name))
    ]
    return len(tied) > 1 and not own


def _fit(reading: Reading, kind: str) -> Reading | None:
    """Weigh a reading by the column's type."""
    role = reading.role
    if not kind:
        return reading
    if kind == "bool":
        return reading if role in {"item_class", "item_kind"} else None
    if role in {"quantity", "amount"}:
        return reading if kind in {"decimal", "integer"} else None
    if role == "time":
        if kind == "time":
            return reading
        # Legacy systems keep dates as text.
        weak = reading._replace(confidence=reading.confidence * 0.6)
        return reading if kind == "char" else weak if kind == "integer" else None
    if kind == "time" or (kind == "text" and role in _ID_ROLES):
        return None
    if role == "operator_id" and kind in {"integer", "decimal"} and reading.confidence < 0.75:
        return None  # people sign in by a name or staff number, not by a user's row number
    if role.endswith("_name") and kind in {"integer", "decimal"}:
        return None
    return reading


def _add(proposal: Proposal, table: str, column: str, new: Reading) -> None:
    old = proposal.roles[table].get(column)
    if old is None:
        proposal.roles[table][column] = new
    elif old.role == new.role:
        if new.reason not in old.reason:
            confidence = 1 - (1 - old.confidence) * (1 - new.confidence)
            reason = f"{old.reason}；{new.reason}"
            proposal.roles[table][column] = Reading(new.role, min(confidence, 0.99), reason)
    else:
        strong, weak = (new, old) if new.confidence > old.confidence else (old, new)
        proposal.rivals[table][column] = weak
        proposal.roles[table][column] = strong._replace(
            confidence=strong.confidence * (1 - weak.confidence / 3)
        )


def _carry(proposal: Proposal) -> bool:
    """One round of carrying roles along foreign keys; whether anything was learned."""
    learned = False
    for name, table in proposal.schema.tables.items():
        for foreign in table.foreign:
            target = proposal.schema.table(foreign.to_table)
            if target is None or len(foreign.columns) != 1:
                continue
            to = foreign.to_columns or target.key
            column = table.columns.get(foreign.columns[0])
            if len(to) != 1 or column is None:
                continue
            role = proposal.role(target.name, to[0])
            if role is None:
                role = _owner(proposal, target)
            old = proposal.roles[name].get(column.name)
            if role is None or role not in _ID_ROLES or (old is not None and "外键" in old.reason):
                continue
            if old is not None and old.role == "operator_id" and role == "prescriber_id":
                continue  # who typed it in is not who prescribed it
            _add(
                proposal,
                name,
                column.name,
                Reading(role, 0.96, f"外键指向 {target.name}.{to[0]}"),
            )
            learned = True
        learned = _own_key(proposal, table) or learned
    return learned


def _joined(proposal: Proposal, known: sources.Column, new: sources.Column, source: str) -> bool:
    """Carry the role of a column to the one it is joined with in a view or routine; whether
    anything was learned."""
    reading = proposal.roles[known.table].get(known.name)
    if reading is None or reading.confidence < TAKEN or reading.role not in _ID_ROLES:
        return False
    old = proposal.roles[new.table].get(new.name)
    if old is not None and (old.role == reading.role or old.confidence >= _CARRIED):
        return False
    if old is not None and "相连" in old.reason:
        return False
    reason = f"在 {source} 里与 {known.table}.{known.name} 相连"
    _add(proposal, new.table, new.name, Reading(reading.role, 0.75, reason))
    return True


def _refer(proposal: Proposal) -> None:
    """A column whose values are all codes of one kind of list holds such codes."""
    lists: list[tuple[str, str, str, frozenset[str]]] = []
    for name, table in proposal.schema.tables.items():
        for column, members in table.members.items():
            role = proposal.role(name, column)
            if role in _LISTED_ROLES and _head(table) is not None:
                lists.append((role, name, column, members))
    for name, table in proposal.schema.tables.items():
        for column in table.sampled:
            old = proposal.roles[name].get(column)
            if old is not None and old.confidence >= _CARRIED:
                continue
            found = values.telling(values.column(table, column))
            of = [one for one in lists if one[1] != name and values.is_from(found, one[3])]
            if len({role for role, *_ in of}) == 1:
                role, target, code, _members = of[0]
                reason = f"取样的值都是 {target}.{code} 里的代码"
                _add(proposal, name, column, Reading(role, _SUGGESTED, reason))


_LISTED_ROLES: Final = frozenset({"item_id", "prescriber_id", "department_id", "unit_id"})
_SUGGESTED: Final = 0.85


def _stand_for(proposal: Proposal, table: Table) -> None:
    """A column that goes one to one with the prescriber tells who it is: a room, a telephone."""
    doctors = [c for c in table.sampled if proposal.role(table.name, c) == "prescriber_id"]
    for column in table.sampled:
        old = proposal.roles[table.name].get(column)
        if column in table.key or column in doctors[:1]:
            continue
        if old is not None and old.confidence >= TAKEN and old.role != "prescriber_id":
            continue
        if doctors and values.stands_for(table, column, doctors[0]):
            reason = f"取样里与 {doctors[0]} 一一对应"
            _add(proposal, table.name, column, Reading("prescriber_id", 0.7, reason))


def _owner(proposal: Proposal, table: Table) -> str | None:
    """What who names a line with an item names: its prescription, visit or patient."""
    roles = proposal.taken(table.name)
    return next((role for role in KEYS if role in roles), None) if roles & _ITEMS else None


def _own_key(proposal: Proposal, table: Table) -> bool:
    """Rule 3."""
    if len(table.key) != 1 or table.key[0] in proposal.roles[table.name] or _is_link(table):
        return False
    if _head(table) in _NOT_OWNED or proposal.taken(table.name) & _ITEMS:
        return False
    sure = {r.role for r in proposal.roles[table.name].values() if r.confidence >= _CARRIED}
    owner = next((role for role in KEYS if role in sure), None)
    if owner is None:
        return False
    reason = f"{table.name} 的主键：一行只属于一个{_OWNER_ZH[owner]}"
    proposal.roles[table.name][table.key[0]] = Reading(owner, 0.55, reason)
    return True


def _line_key(proposal: Proposal, table: Table, said: frozenset[str]) -> None:
    """Take back the role of a line's own key, whose name may look like that of the whole
    (`cfmx.cfid`): it names one row, which `keys` says, and no prescription."""
    if len(table.key) != 1:
        return
    own = proposal.roles[table.name].get(table.key[0])
    if own is None or own.role not in {*KEYS, "item_id"}:
        return
    roles = proposal.roles[table.name]
    others = {r.role for c, r in roles.items() if c != table.key[0] and r.confidence >= TAKEN}
    line = "detail" in said or _head(table) not in {lexicon.PRESCRIPTION, lexicon.ITEM}
    if line and others & _ITEMS and others & {own.role} and "外键" not in own.reason:
        del roles[table.key[0]]


_ITEMS: Final = frozenset({"item_id", "item_name"})
_OWNER_ZH: Final = {"prescription_id": "处方或医嘱", "visit_id": "就诊", "patient_id": "病人"}
_NOT_OWNED: Final = frozenset({lexicon.ITEM, lexicon.DEPARTMENT, lexicon.PRESCRIBER, lexicon.UNIT})


def _money(proposal: Proposal, table: Table) -> None:
    """`AMOUNT` beside `COSTS` is how much, not how dear."""
    roles = proposal.roles[table.name]
    if any(r.role == "quantity" and r.confidence >= TAKEN for r in roles.values()):
        return
    dear = [c for c, r in roles.items() if r.role == "amount"]
    plain = [c for c in dear if c.lower() == "amount" and not table.columns[c].comment]
    if plain and len(dear) > 1:
        reason = f"列 {'、'.join(c for c in dear if c not in plain)} 才是金额"
        roles[plain[0]] = Reading("quantity", 0.85, reason)


# ---------------------------------------------------------------- tables


def _kind(proposal: Proposal, table: Table, said: frozenset[str]) -> Kind:
    roles = proposal.taken(table.name)
    item = bool(roles & {"item_id", "item_name"})
    measure = bool(roles & {"quantity", "amount"})
    person = bool(roles & {"prescriber_id", "prescriber_name", "department_id", "department_name"})
    keyed = bool(roles & set(KEYS))
    named = "、".join(sorted(roles & {"item_id", "item_name", "quantity", "amount", *KEYS}))
    head = _head(table)
    if "signin" in said and not item:
        return Kind("other", 0.8, "像登录或会话表")
    if "examination" in said and not (item and measure):
        return Kind("other", 0.7, "像检查检验")
    if "stock" in said and item and measure and not (keyed and "usage" in said):
        return Kind("stock", 0.8, f"表名或注释像库存、进销存，并有 {named}")
    if head in _LISTED and not keyed:
        if "usage" in said or "detail" in said:
            pass
        elif proposal.role(table.name, next(iter(table.key or table.columns), "")) in _ID_ROLES:
            return Kind("dictionary", 0.8, f"一行一个{lexicon.SUBJECT_ZH[head]}")
    if "dictionary" in said and not keyed and (item or person):
        return Kind("dictionary", 0.85, "表名或注释像字典")
    if item and keyed and not measure and head in {lexicon.VISIT, lexicon.PATIENT}:
        return Kind("other", 0.55, f"有 {named}，但一行是一个{lexicon.SUBJECT_ZH[head]}，没有数量")
    if item and keyed:
        return Kind("usage", 0.9 if measure else 0.75, f"同时有 {named}")
    if item and measure and person:
        return Kind("usage", 0.8, f"有品种和数量或金额（{named}），并有医生或科室")
    header = "usage" in said and (head == lexicon.PRESCRIPTION or not lexicon.words(table.name))
    if keyed and (header or ("usage" in said and (person or measure))):
        return Kind("usage", 0.75 if header else 0.6, "像处方、医嘱、发药或收费的主表")
    if keyed and "usage" in said and "settlement" not in said and "unit_id" in roles:
        return Kind("usage", 0.6, "像发药、摆药的主表")
    if item and measure and "usage" in said:
        return Kind("usage", 0.6, f"表名或注释像用药、收费，并有 {named}")
    if item and measure:
        return Kind("stock", 0.5, f"有 {named}，没有病人、医生或科室")
    return Kind("other", 0.7, "没有看出与用量有关")


_LISTED: Final = frozenset({lexicon.ITEM, lexicon.DEPARTMENT, lexicon.PRESCRIBER, lexicon.UNIT})


def _pair_history(proposal: Proposal) -> None:
    by_columns: dict[tuple[str, ...], list[str]] = {}
    for name, table in proposal.schema.tables.items():
        by_columns.setdefault(tuple(sorted(c.lower() for c in table.columns)), []).append(name)
    for names in by_columns.values():
        current = {_HISTORY.sub("", name).lower(): name for name in names}
        for name in names:
            base = _HISTORY.sub("", name).lower()
            other = current.get(base)
            if other is None or other == name or len(names) < 2:
                continue
            _copy(proposal, other, name)
            _copy(proposal, name, other)


_STRICT: Final = {"usage": 3, "stock": 2, "dictionary": 1, "other": 0}


def _copy(proposal: Proposal, source: str, target: str) -> None:
    """What is known of `source` and not of `target`, its twin."""
    why = f"与 {source} 成对（现用与历史）"
    spelling = {c.lower(): c for c in proposal.schema.tables[target].columns}
    for column, reading in proposal.roles[source].items():
        own = proposal.roles[target].get(spelling[column.lower()])
        if own is None or own.confidence < reading.confidence:
            proposal.roles[target][spelling[column.lower()]] = reading._replace(reason=why)
    theirs, ours = proposal.kinds[source], proposal.kinds[target]
    if _STRICT[theirs.kind] > _STRICT[ours.kind]:
        proposal.kinds[target] = Kind(theirs.kind, theirs.confidence, why)


def _settle(proposal: Proposal, name: str) -> None:
    """Take back what has no meaning in a table of this kind, and be surer of what has."""
    kind = proposal.kinds[name].kind
    useless: set[str] = set()
    if kind not in {"usage", "stock"}:
        useless |= {"quantity", "amount"}
    if kind == "other":
        useless |= {"item_id", "item_name", "item_class", "item_spec", "item_kind"}
    roles = proposal.roles[name]
    for column, reading in list(roles.items()):
        if reading.role in useless:
            del roles[column]
    if kind in {"usage", "stock", "dictionary"} and proposal.kinds[name].confidence >= 0.75:
        for column, reading in list(roles.items()):
            if TAKEN <= reading.confidence < 0.9 and reading.role in _FITTING[kind]:
                confidence = 1 - (1 - reading.confidence) * 0.7
                reason = f"{reading.reason}；与{_KIND_ZH[kind]}的其他列相合"
                roles[column] = reading._replace(confidence=confidence, reason=reason)


_FITTING: Final = {
    "usage": _ID_ROLES | {"item_name", "quantity", "amount", "item_spec"},
    "stock": frozenset({"item_id", "item_name", "quantity", "amount", "unit_id"}),
    "dictionary": frozenset({"item_id", "item_name", "item_spec", "item_class", "department_id"}),
}
_KIND_ZH: Final = {"usage": "用量表", "stock": "库存表", "dictionary": "字典"}


# ---------------------------------------------------------------- what to ask


def _ask(proposal: Proposal, table: Table, said: frozenset[str]) -> None:
    kind = proposal.kinds[table.name].kind
    roles = proposal.taken(table.name)
    if kind in {"usage", "stock"} and roles & {"item_id", "item_name"}:
        _ask_usage_when(proposal, table, kind)
    if kind in {"usage", "stock", "dictionary"} and roles & {"item_id", "item_name"}:
        _ask_item_kind(proposal, table)
    if kind == "usage":
        _ask_open_when(proposal, table)
    if "signin" in said:
        for column in table.columns:
            words = set(lexicon.words(column))
            operator = proposal.role(table.name, column) == "operator_id"
            if (operator and not words & {"uid", "by"}) or "login" in words:
                reason = "登录记录写下谁在使用这个连接"
                text = f"{column} insert session"
                proposal.hints.append(Hint(table.name, "operator", text, 0.7, reason))
    words_of = {column: set(lexicon.words(column)) for column in table.columns}
    if any(words & {"password", "passwd", "pwd", "mm"} for words in words_of.values()):
        for column, words in words_of.items():
            if "login" in words or proposal.role(table.name, column) == "operator_id":
                number = (column,) == table.key and shape(table.columns[column].type) == "integer"
                if number or words & {"uid", "by", "password"}:
                    continue  # nobody signs in by a surrogate key
                reason = "登录时按账号查这张表，可知谁在使用这个连接"
                text = f"{column} select session"
                proposal.hints.append(Hint(table.name, "operator", text, 0.7, reason))
    if kind == "usage":
        for column in table.columns:
            if proposal.role(table.name, column) == "operator_id" and "write" not in column:
                reason = "写入时带有操作人"
                text = f"{column} insert transaction"
                proposal.hints.append(Hint(table.name, "operator", text, 0.6, reason))


def _ask_usage_when(proposal: Proposal, table: Table, kind: str) -> None:
    """Which rows are use of drugs or consumables, from what the categories say of themselves, from
    the legend in their comment, or from the lists their items are in."""
    item = next((c for c in table.columns if proposal.role(table.name, c) == "item_id"), None)
    drugs = _drugs(proposal)
    found = False
    for column in _telling(proposal, table):
        meant = values.legend(column.comment)
        use = lexicon.USE_OF_STOCK if kind == "stock" else lexicon.DRUG_MEANING
        legend = tuple(sorted(value for value, word in meant.items() if use.search(word)))
        shown = set(column.samples)
        if legend and len(legend) < len(meant):
            chosen, reason = legend, "注释写明这些取值是药品耗材的使用"
        elif (own := lexicon.drug_values(column.samples)) and len(own) < len(shown):
            chosen, reason = own, "表里混有药品耗材以外的内容，这些取值像药品或耗材"
        elif kind == "usage" and item is not None and column.name in table.sampled:
            chosen = values.drug_categories(table, column.name, item, drugs)
            reason = "取样里这些取值的品种都在药品、耗材字典里，别的都不在"
        else:
            continue
        if chosen:
            text = f"{column.name} IN ({_literals(chosen, column)})"
            proposal.hints.append(Hint(table.name, "usage_when", text, 0.7, reason))
            found = True
    if kind == "stock" and not found:
        reason = "库存台账混有采购、盘点与领用，请写出哪些行是领用"
        proposal.hints.append(Hint(table.name, "usage_when", "", 0.3, reason))


def _telling(proposal: Proposal, table: Table) -> list[Column]:
    """The columns that may tell one category of rows from another."""
    return [
        column
        for column in table.columns.values()
        if proposal.role(table.name, column.name) == "item_kind"
        or lexicon.TELLING_COLUMN.search(column.name)
        or lexicon.TELLING_COMMENT.search(column.comment)
        or lexicon.says_high_value(column.name, column.comment)
    ]


def _ask_item_kind(proposal: Proposal, table: Table) -> None:
    """Which rows are drugs, consumables or high-value ones, from the first column that tells."""
    item = next((c for c in table.sampled if proposal.role(table.name, c) == "item_id"), None)
    consumables = _drugs(proposal, lexicon.lists_consumables)
    drugs = _drugs(proposal) - consumables

    def literal(chosen: tuple[str, ...], column: Column) -> str:
        if shape(column.type) == "bool":
            return "true" if proposal.schema.dialect == "postgres" else "1"
        return _literals(chosen, column)

    for column in item_kinds.about(_telling(proposal, table)):
        found = item_kinds.guess(table, column, item, drugs, consumables, literal)
        if found is not None:
            kinds, reason = found
            text = item_kinds.text_of(kinds)
            why = f"{column.name}：{reason}"
            proposal.hints.append(Hint(table.name, "item_kind", text, 0.6 if kinds else 0.3, why))
            return


def _drugs(
    proposal: Proposal, lists: Callable[[str, str], bool] = lexicon.lists_drugs
) -> frozenset[str]:
    """All codes in the lists of drugs and consumables. A list of charge items holds more."""
    found: set[str] = set()
    for name, table in proposal.schema.tables.items():
        if lexicon.lists_drugs(name, table.comment) and lists(name, table.comment):
            for column, members in table.members.items():
                if proposal.role(name, column) == "item_id":
                    found |= members
    return frozenset(found)


def _ask_open_when(proposal: Proposal, table: Table) -> None:
    """Which rows still wait to be worked on, where a comment tells what the states mean."""
    for column in table.columns.values():
        meant = values.legend(column.comment)
        waiting = tuple(sorted(v for v, word in meant.items() if lexicon.WAITING.search(word)))
        if waiting and len(waiting) < len(meant):
            reason = f"注释写明这些取值是{'、'.join(meant[v] for v in waiting)}"
            text = f"{column.name} IN ({_literals(waiting, column)})"
            proposal.hints.append(Hint(table.name, "open_when", text, 0.6, reason))


def _literals(chosen: tuple[str, ...], column: Column) -> str:
    numbers = shape(column.type) in {"integer", "decimal"} and all(v.isdigit() for v in chosen)
    return ", ".join(v if numbers else "'" + v.replace("'", "''") + "'" for v in chosen)
