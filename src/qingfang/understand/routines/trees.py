"""Trees made and looked at while bodies are read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from sqlglot import exp

from qingfang.understand.computing import number
from qingfang.understand.folding import Const
from qingfang.understand.routines.cut import bare
from qingfang.understand.routines.tree import (
    Block,
    Cursor,
    Each,
    If,
    InsertRun,
    Loop,
    Open,
    Return,
    Routine,
    Unread,
)
from qingfang.understand.routines.values import (
    HOLE,
    HOLES,
    Leaf,
    Value,
    common_ends,
    has_hole,
    join,
)

if TYPE_CHECKING:
    pass


HOLE_WORD = "qf_hole_"
UNKNOWN_PLACE = "qf_unknown"


def table_key(table: exp.Table) -> str:
    """A table's name; the parser keeps T-SQL's `#` apart from it."""
    name = table.name.lower()
    temporary = isinstance(table.this, exp.Identifier) and table.this.args.get("temporary")
    return f"#{name}" if temporary and not name.startswith("#") else name


def table_name(name: str) -> exp.Identifier:
    if name.startswith("#"):
        return exp.Identifier(this=name.lstrip("#"), temporary=True)
    return exp.Identifier(this=name)


def unknown_place(latest: str | None = None) -> exp.Expr:
    """`latest` tells this unknown value apart from others that stood in the same variable."""
    place = exp.Placeholder(this=UNKNOWN_PLACE)
    if latest is not None:
        place.meta["latest"] = latest
    return place


def given_constant(node: exp.Expr, own: bool) -> exp.Expr:
    """A constant taken elsewhere: its literals remember where they stand in the statement, if it is
    the statement's own."""
    twin = node.copy()
    for part in twin.walk():
        start = part.meta.pop("start", None)
        part.meta.pop("end", None)
        if own and start is not None and isinstance(part, (exp.Literal, exp.National)):
            part.meta["given"] = start
    return twin


def literal_offsets(node: exp.Expr, own: bool) -> tuple[int, ...]:
    if "given" in node.meta:
        return (node.meta["given"],)
    return (node.meta["start"],) if own and "start" in node.meta else ()


def in_comparison(node: exp.Expr) -> bool:
    """Whether a place is one side of a plain comparison in a WHERE or ON, whose facts are told."""
    part = node.parent
    while isinstance(part, (exp.Paren, exp.Cast, exp.Tuple)):
        part = part.parent
    if not isinstance(
        part,
        (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.In, exp.Between, exp.Like, exp.Is),
    ):
        return False
    above = part.parent
    while isinstance(above, (exp.Paren, exp.And, exp.Or, exp.Not)):
        above = above.parent
    return isinstance(above, (exp.Where, exp.Join))


def comparison(node: exp.Expr, left: Const, right: Const) -> bool | None:
    a, b = left.text or "", right.text or ""
    one, other = number(a), number(b)
    if one is not None and other is not None:
        if isinstance(node, exp.EQ):
            return one == other
        if isinstance(node, exp.NEQ):
            return one != other
        if isinstance(node, (exp.GT, exp.GTE)):
            return one > other or (isinstance(node, exp.GTE) and one == other)
        return one < other or (isinstance(node, exp.LTE) and one == other)
    if isinstance(node, (exp.EQ, exp.NEQ)):
        if a == b:
            return isinstance(node, exp.EQ)
        if a.strip().casefold() != b.strip().casefold():
            return isinstance(node, exp.NEQ)
    return None


def bases(tree: exp.Expr) -> tuple[str, ...]:
    return tuple(sorted({table.name.lower() for table in tree.find_all(exp.Table)}))


def either(leaves: tuple[Leaf, ...]) -> Leaf:
    """One of several queries' values, as the value of their union."""
    arms: list[exp.Expr] = []
    for at, leaf in enumerate(leaves):
        names: list[exp.Expr] = []
        column = leaf.column
        if isinstance(column, int):
            names = [exp.to_identifier(f"c{n + 1}") for n in range(max(leaf.width, column + 1))]
            column = f"c{column + 1}"
        alias = f"qf_either_{at}"
        arms.append(
            exp.Select(
                expressions=[
                    exp.Column(this=exp.to_identifier(column), table=exp.to_identifier(alias))
                ],
                from_=exp.From(
                    this=exp.Subquery(
                        this=leaf.query.copy(),
                        alias=exp.TableAlias(this=exp.to_identifier(alias), columns=names),
                    )
                ),
            )
        )
    total = arms[0]
    for arm in arms[1:]:
        total = exp.Union(this=total, expression=arm, distinct=False)
    return Leaf(total, 0, ("either", *(leaf.key for leaf in leaves)))


def arm_of(rows: exp.Expr, names: list[str], columns: list[str]) -> exp.Expr:
    """Rows put into a table: under its columns' names."""
    if not names and not columns:
        return rows
    alias = exp.TableAlias(
        this=exp.to_identifier("qf_put"),
        columns=[exp.to_identifier(name, quoted=True) for name in names or columns],
    )
    source = exp.Subquery(this=rows, alias=alias)
    wanted = columns or names
    given = set(names or columns)
    return exp.Select(
        expressions=[
            exp.alias_(
                exp.Column(
                    this=exp.to_identifier(name, quoted=True), table=exp.to_identifier("qf_put")
                )
                if name in given
                else exp.Null(),
                name,
                quoted=True,
            )
            for name in wanted
        ],
        from_=exp.From(this=source),
    )


def rows_changed(tree: exp.Expr, value: exp.Expr) -> exp.Select:
    """A value of the rows that an UPDATE is about."""
    where = tree.args.get("where")
    sources = [tree.this.copy()] if isinstance(tree.this, exp.Table) else []
    extra = tree.args.get("from_")
    if extra is not None:
        joins = [exp.Join(this=extra.this.copy())]
        if any(t.alias_or_name == tree.this.name for t in extra.find_all(exp.Table)):
            sources, joins = [extra.this.copy()], []
    else:
        joins = []
    return exp.Select(
        expressions=[value.copy()],
        from_=exp.From(this=sources[0]) if sources else None,
        joins=joins,
        where=where.copy() if where is not None else None,
    )


def rows_updated(tree: exp.Expr, columns: list[str]) -> exp.Select:
    """What a table holds after `UPDATE t SET a = x FROM …`: its other columns, and x for a."""
    target = tree.this
    name = target.alias_or_name if isinstance(target, exp.Table) else ""
    new: dict[str, exp.Expr] = {}
    for part in tree.expressions:
        if isinstance(part, exp.EQ) and isinstance(part.this, exp.Column):
            new[part.this.name.lower()] = part.expression
    select = rows_changed(tree, exp.Null())
    outputs: list[exp.Expr] = []
    for column in columns:
        value = new.get(column)
        outputs.append(
            exp.alias_(
                value.copy()
                if value is not None
                else exp.Column(
                    this=exp.to_identifier(column, quoted=True),
                    table=exp.to_identifier(name, quoted=True),
                ),
                column,
                quoted=True,
            )
        )
    if not columns:
        outputs = [
            exp.Column(this=exp.Star(), table=exp.to_identifier(name, quoted=True)),
            *(exp.alias_(value.copy(), column, quoted=True) for column, value in new.items()),
        ]
    select.set("expressions", outputs)
    return select


def how_many(query: exp.Expr) -> exp.Select:
    """How many rows a query gives, which a loop over them tells."""
    return exp.Select(
        expressions=[exp.Count(this=exp.Star())],
        from_=exp.From(
            this=exp.Subquery(
                this=query.copy(), alias=exp.TableAlias(this=exp.to_identifier("qf_turns"))
            )
        ),
    )


def call_of(node: exp.Expr) -> tuple[str, list[exp.Expr]]:
    if isinstance(node, exp.Dot) and isinstance(node.expression, exp.Anonymous):
        inner = node.expression
        return f"{node.this.sql().lower()}.{inner.name.lower()}".replace('"', ""), inner.expressions
    if isinstance(node, exp.Anonymous):
        return node.name.lower(), node.expressions
    return "", []


def named_argument(node: exp.Expr, dialect: str) -> tuple[str, exp.Expr]:
    """An argument's parameter, "" when it goes by its place, and its value."""
    if isinstance(node, (exp.Kwarg, exp.PropertyEQ)):
        return node.this.name.lower(), node.expression
    if isinstance(node, exp.EQ) and isinstance(node.this, exp.Placeholder) and dialect == "tsql":
        return bare(str(node.this.this)), node.expression
    return "", node


def joined_env(one: dict[str, Value], other: dict[str, Value]) -> dict[str, Value]:
    return {name: join(one.get(name), other.get(name)) for name in {**one, **other}}


def no_holes(texts: tuple[str, ...]) -> bool:
    return not any(has_hole(text) for text in texts)


def widened(texts: tuple[str, ...], hole: str) -> str:
    """The text that texts which grow from turn to turn become."""
    plain = tuple(re.sub(f"[{chr(HOLE)}-{chr(HOLE + HOLES)}]+", hole, text) for text in texts)
    found = common_ends(plain, hole)
    return re.sub(f"{hole}+", hole, found)


def appended_texts(value: exp.Select | None) -> list[exp.Expr] | None:
    """`v + 'a' + 'b'` or `v || 'a'` as the variable and the texts behind it; None for all else."""
    node = value.expressions[0] if value is not None and len(value.expressions) == 1 else None
    parts: list[exp.Expr] = []
    while isinstance(node, (exp.Add, exp.DPipe)):
        part = node.expression
        if not (
            isinstance(part, exp.National) or (isinstance(part, exp.Literal) and part.is_string)
        ):
            return None
        parts.append(part)
        node = node.this
    if not parts or not isinstance(node, (exp.Column, exp.Placeholder)):
        return None
    return [node, *reversed(parts)]


def drivers_names(text: str) -> list[str]:
    """The parameters of a text that a driver made of `?`: `@P0`, `@P1`, in order; else none."""
    found = {name.lower() for name in re.findall(r"@(\w+)", text)}
    if not all(re.fullmatch(r"p\d{1,4}", name) for name in found):
        return []
    return sorted(found, key=lambda name: int(name[1:]))


def guesses(text: str) -> tuple[str, str]:
    """The text without what is not known, and with a number in its place."""
    return re.sub(HOLE_WORD + r"\d+_", " ", text), re.sub(HOLE_WORD + r"\d+_", "1", text)


def holds_unread(block: Block) -> bool:
    waiting: list[object] = [block]
    while waiting:
        step = waiting.pop()
        if isinstance(step, Unread):
            return True
        if isinstance(step, Block):
            waiting.extend([*step.steps, *step.handlers])
        elif isinstance(step, If):
            waiting.extend(arm for _condition, arm in step.arms)
            waiting.append(step.other)
        elif isinstance(step, (Loop, Each)):
            waiting.append(step.body)
            if isinstance(step, Each):
                waiting.append(step.over)
        elif isinstance(step, InsertRun):
            waiting.append(step.run)
        elif isinstance(step, (Open, Cursor, Return)):
            waiting.append(step.over)
    return False


def misplaced(routine: Routine) -> bool:
    """Whether a hole stands where a name or a clause does."""
    return any(True for _found in _misplaced(routine))


def family_names(routine: Routine) -> list[str] | None:
    """The names of tables that a hole is a part of (`cf_2026`); None when a hole stands where
    another name does, or is the whole name."""
    tables: set[str] = set()
    columns: set[str] = set()
    for found in _misplaced(routine):
        name = str(found.this)
        if not re.sub(HOLE_WORD + r"\d+_", "", name).strip("_"):
            return None
        if isinstance(found.parent, exp.Table) and found.arg_key == "this":
            tables.add(name)
        elif isinstance(found.parent, exp.Column) and found.arg_key == "table":
            columns.add(name)
        else:
            return None
    return sorted(tables) if tables and columns <= tables else None


def _misplaced(routine: Routine) -> Iterator[exp.Identifier]:
    for tree in routine.parsed:
        for node in tree.find_all(exp.Identifier):
            name = str(node.this)
            value = (
                isinstance(node.parent, exp.Column)
                and not node.parent.table
                and not node.args.get("quoted")
                and re.fullmatch(HOLE_WORD + r"\d+_", name)
            )
            if (HOLE_WORD in name and not value) or has_hole(name):
                yield node
