"""Seeded rewrites of an attack that keep its meaning: each a composition of small steps.

    rewrite(case, 7) -> Rewritten(steps=("别名改名", "套一层 CTE"), case=…, executed=[…])

Rules this module keeps:

1. The same case and seed give the same rewrite. All statements of a session are rewritten with the
   same steps, so that a repeated statement stays repeated.
2. Steps on the tree are taken only where sqlglot prints the dialect (a text whose truth is a label is
   rewritten as a text only). Each step leaves alone what it cannot change safely.
3. Nothing here proves that a rewrite keeps the meaning: interference does, for each one, on
   `executed` (the same session with bound values written in).
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from functools import lru_cache

import sqlglot
from msgspec import Struct
from msgspec.structs import replace
from sqlglot import exp
from sqlglot.errors import SqlglotError

from qingfang.bench.recognition.fixtures import Case, Step
from qingfang.bench.recognition.schema import Schema, schema
from qingfang.bench.recognition.texts import bound, tokens

Change = Callable[[exp.Query, random.Random, Schema], exp.Query | None]
_MARK = "\u00b6"
_TYPE = {"oracle": "VARCHAR2(100)", "mysql": "CHAR(100)"}
_MANY = 100_000
_NESTED = "表换成子查询"


class Rewritten(Struct, frozen=True):
    """`steps` in Chinese, in the order taken; `executed` is what interference runs."""

    steps: tuple[str, ...]
    case: Case
    executed: tuple[str, ...]
    seed: int = 0


def original(case: Case) -> Rewritten:
    return Rewritten((), case, _executed(case))


def rewrite(case: Case, seed: int, *, alike: bool = False) -> Rewritten:
    """The rewrite of a case that `seed` gives. `alike`: a look-alike, where what changes the shape of
    the delivery (a view first, arms split by an item, a condition on what was worked out) would
    make it another statement."""
    chance = random.Random(f"{case.name}/{seed}")
    of = schema(case.dialect)
    parsed = None if case.label else _trees(case)
    if parsed is None:
        noise = _Noise(chance, case.dialect)
        steps = tuple(replace(s, sql=noise.on(s.sql, random.Random(seed))) for s in case.steps)
        changed = replace(case, steps=steps)
        return Rewritten(noise.names, changed, _executed(changed), seed)
    trees = list(parsed)
    names: list[str] = []
    wanted = chance.choice((1, 2, 2, 3, 3, 4))
    turn = chance.random()
    for name, change in chance.sample(_CHANGES, len(_CHANGES)):
        if len(names) == wanted:
            break
        if alike and (change is _union or (change is _wrapped_columns and _NESTED in names)):
            continue
        after = [_changed(tree, change, random.Random(f"{seed}{name}"), of) for tree in trees]
        if any(tree is not None for tree in after):
            names.append(name)
            trees = [new or old for new, old in zip(after, trees, strict=True)]
    texts = [tree.sql(dialect=case.dialect) for tree in trees]
    single = len(texts) == 1 and not case.binds
    if single and not alike and isinstance(trees[0], exp.Query) and turn < 0.25:
        wrapped = _kept(trees[0], case.dialect, turn < 0.12)
        if wrapped is not None:
            names.append(wrapped[0])
            texts = list(wrapped[1:])
    executed = (*_before(case), *texts)
    binds: list[tuple[str | None, ...] | None] = [None] * len(texts)
    if single and chance.random() < 0.25 and len(texts) == 1:
        texts[0], values = _with_binds(trees[0], texts[0], case.dialect)
        if values:
            binds[0] = values
            names.append("常量改绑定变量")
    if chance.random() < 0.4 or not names:
        noise = _Noise(chance, case.dialect)
        texts = [noise.on(text, random.Random(seed)) for text in texts]
        names += noise.names
    steps = _steps(case, texts, binds)
    if case.binds:
        executed = _executed(replace(case, steps=steps))
    return Rewritten(tuple(names), replace(case, steps=steps), executed, seed)


def _steps(
    case: Case, texts: list[str], binds: list[tuple[str | None, ...] | None]
) -> tuple[Step, ...]:
    if len(texts) == len(case.steps):
        return tuple(
            replace(step, sql=text, binds=step.binds or given)
            for step, text, given in zip(case.steps, texts, binds, strict=True)
        )
    first = case.steps[0]
    return tuple(replace(first, sql=text, after=first.after + n) for n, text in enumerate(texts))


def _executed(case: Case) -> tuple[str, ...]:
    """What interference runs: what the catalogue knows beforehand, then the session."""
    steps = [bound(s.sql, s.binds) if s.binds is not None else s.sql for s in case.steps]
    return (*_before(case), *steps)


def _before(case: Case) -> list[str]:
    views = [f"CREATE VIEW {name} AS {text}" for name, text in case.views]
    return [*views, *(text for _name, text in case.procedures)]


@lru_cache(maxsize=2)
def _trees(case: Case) -> tuple[exp.Expr, ...] | None:
    """The statements as trees, None if one of them is nothing that sqlglot prints faithfully. The
    trees are shared: they are copied before they are changed."""
    trees: list[exp.Expr] = []
    for step in case.steps:
        try:
            tree = sqlglot.parse_one(step.sql, dialect=case.dialect)
            printed = tree.sql(dialect=case.dialect)
            again = sqlglot.parse_one(printed, dialect=case.dialect).sql(dialect=case.dialect)
        except (SqlglotError, RecursionError, ValueError):
            return None
        if not isinstance(tree, (exp.Query, exp.Create, exp.Insert)) or again != printed:
            return None
        if isinstance(tree, exp.Create) and tree.kind not in {"TABLE", "VIEW"}:
            return None
        if tree.find(exp.Pivot, exp.MatchRecognize, exp.Lateral, exp.TableSample) is not None:
            return None
        trees.append(tree)
    return tuple(trees)


def _changed(tree: exp.Expr, change: Change, chance: random.Random, of: Schema) -> exp.Expr | None:
    """The statement with its query changed, None where the step does not apply."""
    whole = tree.copy()
    query = whole if isinstance(whole, exp.Query) else whole.expression
    if not isinstance(query, exp.Query):
        return None
    stores = query is not whole or any(s.args.get("into") for s in whole.find_all(exp.Select))
    if stores and change not in _INSIDE:
        return None
    changed = change(query, chance, of)
    if changed is None:
        return None
    if query is whole:
        return changed
    whole.set("expression", changed)
    return whole


# ---------------------------------------------------------------- helpers on trees


def _selects(tree: exp.Query) -> list[exp.Select]:
    return list(tree.find_all(exp.Select))


def _tables(select: exp.Select) -> list[exp.Expr]:
    """What a SELECT reads from, in order."""
    source = select.args.get("from_")
    first = [source.this] if source is not None else []
    return [*first, *(join.this for join in select.args.get("joins") or [])]


def _plain_joins(select: exp.Select) -> bool:
    """Whether all joins are inner ones with ON, or comma joins."""
    return all(
        not (join.side or join.method or join.args.get("using"))
        and join.kind in {"", "INNER", "CROSS"}
        for join in select.args.get("joins") or []
    )


def _named(tree: exp.Query) -> exp.Query | None:
    """The query with a name of its own on every column; None where that cannot be told."""
    select = tree
    while isinstance(select, exp.SetOperation):
        select = select.this
    if not isinstance(select, exp.Select):
        return None
    seen: set[str] = set()
    for n, column in enumerate(list(select.expressions)):
        if column.is_star:
            return None
        name = column.alias_or_name.lower()
        if not name or name in seen or (not column.alias and not isinstance(column, exp.Column)):
            name = f"c{n}"
            column.replace(exp.alias_(column.unalias().copy(), name))
        seen.add(name)
    return tree


def _wrappable(tree: exp.Query) -> exp.Query | None:
    held = ("with_", "order", "limit", "offset", "fetch", "for_")
    if any(tree.args.get(name) for name in held) or tree.args.get("options"):
        return None
    return _named(tree)


def _columns(tree: exp.Query) -> list[str]:
    return [column.alias_or_name for column in tree.selects]


def _has_ordinals(select: exp.Select) -> bool:
    parts = [select.args.get(name) for name in ("group", "order")]
    return any(
        isinstance(node.this if isinstance(node, exp.Ordered) else node, exp.Literal)
        for part in parts
        if part is not None
        for node in part.expressions
    )


def _role_columns(of: Schema, logical: tuple[str, ...]) -> set[str]:
    return {
        column.name.lower()
        for table in of.tables.values()
        for column in table.columns
        if column.logical in logical
    }


# ---------------------------------------------------------------- the steps


def _rename_aliases(tree: exp.Query, chance: random.Random, _of: Schema) -> exp.Query | None:
    names: dict[str, str] = {}
    start = chance.randrange(10, 90)
    for node in tree.find_all(exp.Table, exp.Subquery):
        alias = node.args.get("alias")
        if alias is not None and alias.this is not None and not alias.args.get("columns"):
            name = alias.this.name
            names.setdefault(name.lower(), f"t{start + len(names)}")
    if not names:
        return None
    for node in tree.find_all(exp.TableAlias):
        if isinstance(node.parent, (exp.Table, exp.Subquery)) and node.this is not None:
            new = names.get(node.this.name.lower())
            if new is not None:
                node.set("this", exp.to_identifier(new))
    given = {column.alias_or_name.lower() for select in _selects(tree) for column in select.selects}
    for column in tree.find_all(exp.Column):
        # `row_to_json(t)` names the row itself.
        part = "table" if column.table else "this"
        old = column.text(part).lower()
        if old in names and (column.table or old not in given):
            column.set(part, exp.to_identifier(names[old]))
    return tree


def _cte(tree: exp.Query, chance: random.Random, _of: Schema) -> exp.Query | None:
    inner = _wrappable(tree)
    if inner is None:
        return None
    columns = _columns(inner)
    outer = exp.select("*") if chance.random() < 0.5 else exp.select(*map(exp.column, columns))
    return outer.from_("q9").with_("q9", as_=inner)


def _derived(tree: exp.Query, chance: random.Random, _of: Schema) -> exp.Query | None:
    inner = _wrappable(tree)
    if inner is None:
        return None
    columns = [exp.column(name, table="z9") for name in _columns(inner)]
    outer = exp.select("*") if chance.random() < 0.5 else exp.select(*columns)
    return outer.from_(inner.subquery("z9"))


def _join_order(tree: exp.Query, _chance: random.Random, _of: Schema) -> exp.Query | None:
    done = None
    for select in _selects(tree):
        joins = select.args.get("joins") or []
        starred = any(column.is_star for column in select.expressions)
        if joins and _plain_joins(select) and not starred and not joins[0].args.get("method"):
            source = select.args["from_"]
            first, second = source.this, joins[0].this
            if isinstance(first, exp.Table) and isinstance(second, exp.Table):
                source.set("this", second.copy())
                joins[0].set("this", first.copy())
                done = tree
    return done


def _on_to_where(tree: exp.Query, chance: random.Random, _of: Schema) -> exp.Query | None:
    done = None
    cross = chance.random() < 0.3
    for select in _selects(tree):
        joins = select.args.get("joins") or []
        if not joins or not _plain_joins(select) or not any(j.args.get("on") for j in joins):
            continue
        conditions = [join.args["on"].copy() for join in joins if join.args.get("on")]
        for join in joins:
            join.set("on", None)
            join.set("kind", "CROSS" if cross else None)
        for condition in conditions:
            select.where(condition, copy=False)
        done = tree
    return done


def _where_to_on(tree: exp.Query, _chance: random.Random, _of: Schema) -> exp.Query | None:
    """A comma join of two tables becomes JOIN … ON the whole condition."""
    done = None
    for select in _selects(tree):
        joins = select.args.get("joins") or []
        where = select.args.get("where")
        if len(joins) != 1 or where is None or joins[0].args.get("on") or not _plain_joins(select):
            continue
        joins[0].set("kind", None)
        joins[0].set("on", where.this.copy())
        select.set("where", None)
        done = tree
    return done


def _union(tree: exp.Query, chance: random.Random, of: Schema) -> exp.Query | None:
    """Two arms split by a predicate on a key that each row, or each group, has one value of."""
    if not isinstance(tree, exp.Select) or _wrappable(tree) is None or tree.args.get("distinct"):
        return None
    if _has_ordinals(tree) or any(tree.find_all(exp.Window)):
        return None
    group = tree.args.get("group")
    if group is None and (tree.find(exp.AggFunc) is not None or not tree.args.get("from_")):
        return None
    if group is not None and (set(group.args) - {"expressions"}) & {
        k for k, v in group.args.items() if v
    }:
        return None
    among = group.expressions if group is not None else [e.unalias() for e in tree.expressions]
    codes = {
        "doctor": _role_columns(of, ("doctor",)),
        "item": _role_columns(of, ("item",)),
        "dept": _role_columns(of, ("dept",)),
    }
    keys = [
        (column, what)
        for column in among
        if isinstance(column, exp.Column)
        for what, names in codes.items()
        if column.name.lower() in names
    ]
    if not keys:
        return None
    column, what = chance.choice(keys)
    middle = exp.Literal.string(of.code(what, {"doctor": 6, "item": 4, "dept": 2}[what]))
    low = exp.LTE(this=column.copy(), expression=middle.copy())
    high = exp.GT(this=column.copy(), expression=middle.copy())
    return tree.where(low, copy=True).union(tree.where(high, copy=True), distinct=False)


def _wrapped_columns(tree: exp.Query, chance: random.Random, of: Schema) -> exp.Query | None:
    """Functions that change nothing around a code, the same wherever it is given out or grouped by."""
    names = _role_columns(of, ("doctor", "item", "dept"))
    wrap = chance.choice(("COALESCE", "TRIM", "CAST", "CASE", "NULLIF"))
    kind = _TYPE.get(of.dialect, "VARCHAR(100)")

    def wrapped(column: exp.Expr) -> exp.Expr:
        text = column.sql(dialect=of.dialect)
        form = {
            "COALESCE": f"COALESCE({text}, '-')",
            "TRIM": f"TRIM({text})",
            "CAST": f"CAST({text} AS {kind})",
            "CASE": f"CASE WHEN {text} IS NULL THEN '-' ELSE {text} END",
            "NULLIF": f"NULLIF({text}, '')",
        }[wrap]
        return sqlglot.parse_one(form, dialect=of.dialect)

    done = None
    for select in _selects(tree):
        if select.find(exp.Window) is not None or any(
            join.args.get("using") or join.method for join in select.args.get("joins") or []
        ):
            continue
        found: dict[exp.Expr, exp.Expr] = {}
        for column in list(select.expressions):
            plain = column.unalias()
            if isinstance(plain, exp.Column) and plain.name.lower() in names:
                new = wrapped(plain)
                found[plain.copy()] = new
                column.replace(exp.alias_(new.copy(), column.alias_or_name))
        if not found:
            continue
        for part in ("group", "order", "having"):
            node = select.args.get(part)
            if node is not None:
                for column in list(node.find_all(exp.Column)):
                    if column in found:
                        column.replace(found[column].copy())
        done = tree
    return done


def _wrapped_sums(tree: exp.Query, chance: random.Random, _of: Schema) -> exp.Query | None:
    done = None
    form = chance.choice(("inside", "outside", "double", "coalesce"))
    for node in list(tree.find_all(exp.Sum)):
        column = node.this
        if not isinstance(column, exp.Column) or isinstance(node.parent, (exp.Window, exp.Filter)):
            continue
        one, zero = exp.Literal.number(1), exp.Literal.number(0)
        if form == "inside":
            node.set("this", exp.Mul(this=column.copy(), expression=one))
        elif form == "outside":
            node.replace(exp.paren(exp.Add(this=node.copy(), expression=zero), copy=False))
        elif form == "double":
            half = exp.Div(this=node.copy(), expression=exp.Literal.number(2))
            node.replace(exp.paren(exp.Mul(this=half, expression=exp.Literal.number(2))))
        else:
            node.set("this", exp.func("COALESCE", column.copy(), zero))
        done = tree
    return done


def _predicates(tree: exp.Query, chance: random.Random, _of: Schema) -> exp.Query | None:
    """= and IN, IN and OR, BETWEEN and two comparisons, the sides exchanged, a double NOT."""
    done = None
    turn = chance.random()
    for node in list(tree.find_all(exp.EQ, exp.In, exp.Between, exp.GTE)):
        if node.find_ancestor(exp.Where, exp.Having) is None:
            continue
        column = node.this
        if not isinstance(column, exp.Column):
            continue
        if isinstance(node, exp.EQ) and isinstance(node.expression, exp.Literal):
            value = node.expression.copy()
            if turn < 0.5:
                node.replace(exp.In(this=column.copy(), expressions=[value]))
            else:
                node.replace(exp.EQ(this=value, expression=column.copy()))
        elif isinstance(node, exp.In) and node.expressions:
            if isinstance(node.parent, exp.Not):
                continue
            arms = [exp.EQ(this=column.copy(), expression=v.copy()) for v in node.expressions]
            node.replace(exp.paren(exp.or_(*arms)))
        elif isinstance(node, exp.Between) and not isinstance(node.parent, exp.Not):
            low = exp.GTE(this=column.copy(), expression=node.args["low"].copy())
            high = exp.LTE(this=column.copy(), expression=node.args["high"].copy())
            node.replace(exp.paren(exp.and_(low, high)))
        elif isinstance(node, exp.GTE) and turn < 0.5:
            less = exp.LT(this=column.copy(), expression=node.expression.copy())
            node.replace(exp.not_(exp.paren(less)))
        else:
            continue
        done = tree
    return done


def _column_order(tree: exp.Query, chance: random.Random, _of: Schema) -> exp.Query | None:
    if not isinstance(tree, exp.Select) or len(tree.expressions) < 2 or _has_ordinals(tree):
        return None
    columns = list(tree.expressions)
    chance.shuffle(columns)
    tree.set("expressions", columns)
    return tree


def _nested_tables(tree: exp.Query, chance: random.Random, of: Schema) -> exp.Query | None:
    """A table becomes a sub-query that reads it whole."""
    known = {t.name.rsplit(".", maxsplit=1)[-1].lower(): t for t in of.tables.values()}
    done = None
    starred = chance.random() < 0.5
    for select in _selects(tree):
        if any(join.args.get("using") or join.method for join in select.args.get("joins") or []):
            continue
        for table in _tables(select):
            if not isinstance(table, exp.Table) or not table.alias or chance.random() < 0.4:
                continue
            found = known.get(table.name.lower())
            if found is None or table.args.get("hints"):
                continue
            alias = table.alias
            bare = table.copy()
            bare.set("alias", None)
            columns = [exp.column(column.name) for column in found.columns]
            inner = (exp.select("*") if starred else exp.select(*columns)).from_(bare)
            table.replace(inner.subquery(alias))
            done = tree
    return done


def _limit(tree: exp.Query, _chance: random.Random, of: Schema) -> exp.Query | None:
    if not isinstance(tree, exp.Select):
        return None
    held = ("limit", "fetch", "offset", "distinct")
    if any(tree.args.get(name) for name in held):
        return None
    if of.dialect == "tsql" and tree.args.get("with_"):
        return None
    return tree.limit(_MANY)


def _disguised(tree: exp.Query, chance: random.Random, of: Schema) -> exp.Query | None:
    """String constants in conditions, put together at run time."""
    done = None
    form = chance.choice(("join", "replace", "both"))
    for node in list(tree.find_all(exp.Literal)):
        if not node.is_string or not isinstance(node.parent, (exp.EQ, exp.In)):
            continue
        if node.find_ancestor(exp.Where) is None or len(node.name) < 4:
            continue
        text = node.name
        cut = 1 + chance.randrange(len(text) - 1)
        left, right = f"'{text[:cut]}'", f"'{text[cut:]}'"
        if form == "replace":
            made = f"REPLACE('{text[:cut]}~{text[cut:]}', '~', '')"
        elif of.dialect in {"oracle", "postgres"}:
            made = f"({left} || {right})"
        elif of.dialect == "tsql" and form == "join":
            made = f"({left} + {right})"
        else:
            made = f"CONCAT({left}, {right})"
        node.replace(sqlglot.parse_one(made, dialect=of.dialect))
        done = tree
    return done


def _always_true(tree: exp.Query, chance: random.Random, of: Schema) -> exp.Query | None:
    known = {column.name.lower() for table in of.tables.values() for column in table.columns}
    for select in _selects(tree):
        tables = _tables(select)
        if tables and select.args.get("from_"):
            columns = [
                column
                for column in select.find_all(exp.Column)
                if column.parent_select is select and column.name.lower() in known
            ]
            if chance.random() < 0.5 or not columns or not columns[0].table:
                same: exp.Expr = exp.EQ(
                    this=exp.Literal.number(1), expression=exp.Literal.number(1)
                )
            else:
                same = exp.EQ(this=columns[0].copy(), expression=columns[0].copy())
            select.where(same, copy=False)
            return tree
    return None


_CHANGES: list[tuple[str, Change]] = [
    ("别名改名", _rename_aliases),
    ("套一层 CTE", _cte),
    ("套一层派生表", _derived),
    ("交换连接次序", _join_order),
    ("连接条件挪到 WHERE", _on_to_where),
    ("条件挪到 ON", _where_to_on),
    ("拆成 UNION ALL", _union),
    ("列外面套函数", _wrapped_columns),
    ("合计里做无用的算术", _wrapped_sums),
    ("条件换一种写法", _predicates),
    ("输出列换次序", _column_order),
    (_NESTED, _nested_tables),
    ("加行数上限", _limit),
    ("常量拆开拼接", _disguised),
    ("加恒真条件", _always_true),
]
# What may be done inside CREATE … AS and INSERT … SELECT: the columns keep their names and places.
_INSIDE: frozenset[Change] = frozenset(
    {
        _rename_aliases,
        _join_order,
        _on_to_where,
        _where_to_on,
        _wrapped_sums,
        _predicates,
        _nested_tables,
        _always_true,
    }
)


# ---------------------------------------------------------------- over the whole statement


def _kept(tree: exp.Query, dialect: str, view: bool) -> tuple[str, str, str] | None:
    """A view or a temporary table first, then a look at it: name of the step and two statements."""
    inner = _named(tree.copy())
    stores = any(select.args.get("into") for select in tree.find_all(exp.Select))
    if inner is None or inner.args.get("order") or stores:
        return None
    text = inner.sql(dialect=dialect)
    if view:
        return "先建视图", f"CREATE VIEW v_tmp9 AS {text}", "SELECT * FROM v_tmp9"
    if dialect == "tsql":
        if not isinstance(inner, exp.Select):
            return None
        inner.set("into", sqlglot.parse_one("SELECT 1 INTO #tmp9", dialect=dialect).args["into"])
        text = inner.sql(dialect=dialect)
        return "先存临时表", text, "SELECT * FROM #tmp9"
    word = {
        "oracle": "GLOBAL TEMPORARY TABLE tmp9 ON COMMIT PRESERVE ROWS",
        "mysql": "TEMPORARY TABLE tmp9",
        "postgres": "TEMP TABLE tmp9",
    }[dialect]
    return "先存临时表", f"CREATE {word} AS {text}", "SELECT * FROM tmp9"


def _with_binds(tree: exp.Expr, text: str, dialect: str) -> tuple[str, tuple[str | None, ...]]:
    """String constants in conditions as bound values, numbered as they stand in the text."""
    marked = tree.copy()
    values: list[str] = []
    for node in list(marked.find_all(exp.Literal)):
        plain = node.is_string and isinstance(node.parent, (exp.EQ, exp.In))
        if plain and node.find_ancestor(exp.Where) is not None:
            node.replace(exp.Literal.string(f"{_MARK}{len(values)}{_MARK}"))
            values.append(node.name)
    if not values:
        return text, ()
    taken: list[str | None] = []

    def numbered(found: re.Match[str]) -> str:
        taken.append(values[int(found[1])])
        mark = {"oracle": ":{}", "tsql": "@P{}", "mysql": "?", "postgres": "${}"}[dialect]
        return mark.format(len(taken))

    printed = marked.sql(dialect=dialect)
    return re.sub(f"N?'{_MARK}(\\d+){_MARK}'", numbered, printed), tuple(taken)


_KEYWORDS = re.compile(
    "select|from|where|group|by|order|having|join|on|and|or|sum|count|case|when|then|else|end|in"
    "|between|as|with|union|all|distinct|inner|left|begin|declare|execute|immediate|into|set"
    "|create|view|table|insert",
    re.IGNORECASE,
)


class _Noise:
    """Comments, blanks and letter case, never inside strings, names or comments."""

    def __init__(self, chance: random.Random, dialect: str) -> None:
        ways = {"插入注释": self._comments, "换空白": self._blanks, "换大小写": self._case}
        self.names = tuple(chance.sample(list(ways), chance.choice((1, 2, 3))))
        self._ways = [ways[name] for name in self.names]
        self._dialect = dialect

    def on(self, sql: str, chance: random.Random) -> str:
        found = tokens(sql)
        for way in self._ways:
            found = [way(kind, text, chance) for kind, text in found]
        return "".join(text for _kind, text in found)

    def _comments(self, kind: str, text: str, chance: random.Random) -> tuple[str, str]:
        if kind != "space" or chance.random() > 0.25:
            return kind, text
        made = chance.choice(("/* 月报 */", "/**/", "/* FROM dual */", "-- 一\n", "/*'*/"))
        return kind, f"{text}{made} "

    def _blanks(self, kind: str, text: str, chance: random.Random) -> tuple[str, str]:
        if kind != "space" or "/" in text or "-" in text:
            return kind, text
        return kind, text + chance.choice(("", "\t", "\n", "\r\n   ", "  "))

    def _case(self, kind: str, text: str, chance: random.Random) -> tuple[str, str]:
        if kind != "word" or _KEYWORDS.fullmatch(text) is None:
            return kind, text
        return kind, "".join(c.upper() if chance.random() < 0.5 else c.lower() for c in text)
