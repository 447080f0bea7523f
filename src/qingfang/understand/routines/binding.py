"""Variables in queries: what they stand for is put in, as constants or as joined rows.

Rules this module keeps:

1. A variable that is certainly a constant becomes that constant, which remembers where it stands in
   the statement; one that came from rows becomes a column of these rows, joined to the query's own;
   any other becomes a value that is not known.
2. A table that only the body sees becomes the queries that filled it.
3. A constant put where no plain comparison tells what it decides is fixed for a cached answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from qingfang.understand.dialects import BIND
from qingfang.understand.folding import MANY
from qingfang.understand.routines.cut import bare
from qingfang.understand.routines.folds import Lookup
from qingfang.understand.routines.frames import Frame, Sink, Table
from qingfang.understand.routines.trees import (
    HOLE_WORD,
    arm_of,
    either,
    in_comparison,
    table_key,
    unknown_place,
)
from qingfang.understand.routines.values import (
    HOLE,
    HOLES,
    MAX_LEAVES,
    UNKNOWN,
    Leaf,
    Value,
    has_hole,
    leaves_of,
)
from qingfang.understand.scope import OverBudget

if TYPE_CHECKING:
    from qingfang.understand.walker import Walker


MAX_NODES = 400_000
MAX_TREE = 20_000


class Binder:
    """Puts values into queries."""

    def __init__(self, walker: Walker, sink: Sink) -> None:
        self.walker, self.sink, self.dialect = walker, sink, walker.dialect
        self.reading = walker.reading
        self.holes: list[Value] = [Value(plain=True)]
        self._names: dict[int, str] = {}
        self._said: set[object] = set()

    def problem(self, kind: str, name: str, frame: Frame) -> None:
        if (kind, name) not in self._said:
            self._said.add((kind, name))
            self.sink.problem(kind, name, frame.span)

    def hole(self, value: Value | None, plain: bool) -> str:
        """One character that stands for a value in a text."""
        held = value if value is not None else UNKNOWN
        if plain and not held.plain:
            held = Value(None, held.leaves, held.given, True, held.control, many=held.many)
        known = self._names.get(id(held))
        if known is None:
            if len(self.holes) >= HOLES:
                raise OverBudget
            known = chr(HOLE + len(self.holes))
            self.holes.append(held)
            self._names[id(held)] = known
        return known

    def _source(self, name: str) -> str | None:
        catalogue = self.walker.catalogue
        text = catalogue.procedure(name) or self.walker.state_function(name)
        if text is None:
            target = catalogue.synonym(name)
            text = catalogue.procedure(target) if target is not None else None
        return text

    def _lookup_in(self, frame: Frame) -> Lookup:
        return lambda node: self._lookup(node, frame, frozenset())

    def _lookup(self, node: exp.Expr, frame: Frame, columns: frozenset[str]) -> Value | None:
        """The value of a variable; None when the name is none. `columns` are names that tables of
        the query have, which go before variables (not in MySQL)."""
        if isinstance(node, exp.Placeholder):
            return self._bind(str(node.this or ""), frame)
        if isinstance(node, exp.Parameter):
            return self._session_variable("@" + node.name.lower(), frame)
        if isinstance(node, exp.Dot) and isinstance(node.this, exp.Placeholder):
            return UNKNOWN if self.dialect == "oracle" else None
        if not isinstance(node, exp.Column):
            return None
        name, table = node.name.lower(), node.table.lower()
        if isinstance(node.this, exp.Star):
            return frame.env.get(table) if table and table not in columns else None
        if table:
            found = frame.env.get(f"{table}.{name}")
            if found is not None:
                return found
            record = frame.env.get(table)
            return record.field(name) if record is not None and table not in columns else None
        if name.startswith(HOLE_WORD):
            at = name[len(HOLE_WORD) :].rstrip("_")
            return self.holes[int(at)] if at.isdigit() and int(at) < len(self.holes) else None
        if self.dialect == "tsql" or (name in columns and self.dialect != "mysql"):
            return None
        found = frame.env.get(name)
        if found is None and self.dialect == "oracle" and name in {"sqlerrm", "sqlcode"}:
            return UNKNOWN
        return found

    def _bind(self, name: str, frame: Frame) -> Value | None:
        if not name.startswith(BIND):
            return None
        rest = name[len(BIND) :]
        if "_" in rest:
            found = frame.env.get(bare(name))
            return found if found is not None or frame.own else UNKNOWN
        found = frame.env.get(":" + rest)
        if found is not None:
            return found
        if frame.own:
            return None
        at = int(rest) if rest.isdigit() else -1
        if frame.positional is not None and 0 <= at < len(frame.positional):
            return frame.positional[at]
        return UNKNOWN

    def _session_variable(self, name: str, frame: Frame) -> Value:
        found = frame.env.get(name)
        if found is None:
            texts = self.sink.text("variable", name)
            found = Value(texts) if texts is not None else UNKNOWN
            rows = self.sink.held(name)
            if rows is not None:
                found = Value(
                    texts,
                    tuple(Leaf(query, 0, ("variable", name, n)) for n, query in enumerate(rows)),
                )
                if not rows:
                    self.problem("unknown_handle", name, frame)
            latest = self.sink.text("latest", name)
            if latest is not None and rows is None:
                found = Value(texts)
                found.latest = latest[0]
        return found

    def _columns(self, tree: exp.Expr, frame: Frame) -> frozenset[str]:
        """The columns of the tables that a query mentions, and the names these go by in it."""
        found: set[str] = set()
        for table in tree.find_all(exp.Table):
            found.add(table.alias_or_name.lower())
            local = frame.tables.get(table_key(table))
            if local is not None:
                found.update(local.columns)
            known = self.walker.catalogue.table(".".join(p.name for p in table.parts if p.name))
            if known is not None:
                found.update(known.columns)
        for part in tree.find_all(exp.Subquery, exp.CTE):
            found.add(part.alias_or_name.lower())
        return frozenset(found)

    def bound(
        self, tree: exp.Expr, frame: Frame, controls: list[exp.Select] | None = None
    ) -> exp.Expr:
        """The query with what its variables stand for put in, and the body's own tables."""
        twin = tree.copy()
        columns = self._columns(twin, frame)
        aliases: dict[int, dict[str, str]] = {}
        places: list[tuple[exp.Expr, Value]] = []
        size = 0
        for node in twin.walk():
            size += 1
            if isinstance(node, (exp.Column, exp.Placeholder, exp.Parameter)):
                if isinstance(node.parent, exp.Dot) and node.parent.this is node:
                    continue
                found = self._lookup(node, frame, columns)
                if found is not None:
                    places.append((node, found))
            elif isinstance(node, exp.Dot) and isinstance(node.this, exp.Placeholder):
                found = self._lookup(node, frame, columns)
                if found is not None:
                    places.append((node, found))
            elif isinstance(node, exp.Anonymous) and self._is_element(node, frame):
                element = frame.env[node.name.lower()].derived()
                known = all(isinstance(part, exp.Literal) for part in node.expressions)
                places.append((node, element if known else element.moving()))
            elif isinstance(node, (exp.Literal, exp.National)):
                if frame.own and "start" in node.meta:
                    node.meta["given"] = node.meta["start"]
                elif node.is_string and has_hole(str(node.this)):
                    places.append((node, self._quoted(str(node.this))))
        self._count(size)
        for table in list(twin.find_all(exp.Table)):
            self._inlined(table, frame)
        for node, value in places:
            if controls is not None:
                controls.extend(value.control)
            select = node.find_ancestor(exp.Select)
            known = aliases.setdefault(id(select), {})
            stand_in = self._stand_in(value, select, known)
            self._mark(node, stand_in)
            if node is twin:
                twin = stand_in
            else:
                node.replace(stand_in)
        return twin

    def _is_element(self, node: exp.Anonymous, frame: Frame) -> bool:
        return self.dialect in {"oracle", "postgres"} and node.name.lower() in frame.env

    def _count(self, nodes: int) -> None:
        self.walker.copied += nodes
        if nodes > MAX_TREE or self.walker.copied > MAX_NODES:
            raise OverBudget

    def _quoted(self, text: str) -> Value:
        """A string literal with holes: the value itself, or a value worked out from it."""
        held = [self.holes[ord(c) - HOLE] for c in text if has_hole(c)]
        if len(held) == 1 and len(text) == 1:
            value = held[0]
            return Value(None, value.leaves, value.given, control=value.control, many=value.many)
        leaves = leaves_of(*(tuple(leaf.derived() for leaf in v.leaves) for v in held))
        return Value(None, leaves, many=any(v.many for v in held))

    def _mark(self, node: exp.Expr, stand_in: exp.Expr) -> None:
        """A literal put where its value may decide what no condition tells is fixed."""
        given = [part for part in stand_in.walk() if "given" in part.meta]
        if not given or in_comparison(node):
            return
        self.reading.fixed.update(part.meta["given"] for part in given)

    def _stand_in(
        self, value: Value, select: exp.Select | None, aliases: dict[str, str]
    ) -> exp.Expr:
        if not value.leaves:
            if value.many:
                return exp.Placeholder(this=MANY)
            if value.given is not None:
                return value.given.copy()
            text = value.known()
            return exp.Literal.string(text) if text is not None else unknown_place(value.latest)
        leaves = value.leaves
        if len(leaves) > MAX_LEAVES:
            raise OverBudget
        exact = all(leaf.exact for leaf in leaves)
        if len(leaves) > 1 and exact and all(leaf.column is not None for leaf in leaves):
            leaves = (either(leaves),)
        parts = [self._column(leaf, select, aliases) for leaf in leaves]
        if len(parts) == 1 and exact:
            return parts[0]
        return exp.Coalesce(this=parts[0], expressions=parts[1:])

    def _column(self, leaf: Leaf, select: exp.Select | None, aliases: dict[str, str]) -> exp.Expr:
        by_place = isinstance(leaf.column, int)
        key = f"{id(leaf.query)} {by_place}"
        alias = aliases.get(key)
        fresh = alias is None
        if alias is None:
            alias = f"qf_rows_{len(aliases) + 1}"
        name = f"c{leaf.column + 1}" if isinstance(leaf.column, int) else leaf.column
        column = exp.Column(
            this=exp.Star() if name is None else exp.to_identifier(name),
            table=exp.to_identifier(alias),
        )
        if not fresh:
            return column
        names = (
            [exp.to_identifier(f"c{n + 1}") for n in range(max(leaf.width, int(leaf.column) + 1))]
            if isinstance(leaf.column, int)
            else []
        )
        rows = leaf.query.copy()
        self._count(sum(1 for _node in rows.walk()))
        source = exp.Subquery(
            this=rows, alias=exp.TableAlias(this=exp.to_identifier(alias), columns=names)
        )
        if select is None:
            return exp.Subquery(this=exp.Select(expressions=[column], from_=exp.From(this=source)))
        aliases[key] = alias
        before = select.args.get("from_")
        if before is not None:
            first = before.this
            joins = [exp.Join(this=first), *(select.args.get("joins") or [])]
            select.set("joins", joins)
        select.set("from_", exp.From(this=source))
        return column

    def _reads(self, tree: exp.Expr) -> bool:
        """Whether rows of a table are in it, or what a function of unknown body gives."""
        if tree.find(exp.Table) is not None:
            return True
        for node in tree.find_all(exp.Anonymous):
            name = node.name.lower()
            if isinstance(node.parent, exp.Dot) and node.parent.expression is node:
                name = f"{node.parent.this.sql().lower()}.{name}"
            if self._source(name) is not None or not self._is_own(name):
                return True
        return tree.find(exp.Insert, exp.Update, exp.Delete, exp.Merge) is not None

    def _is_own(self, name: str) -> bool:
        """Whether a function is the database's own, by its whole name or its last part."""
        return self.walker.is_builtin(name) or self.walker.is_builtin(name.rpartition(".")[2])

    def _inlined(self, table: exp.Table, frame: Frame) -> None:
        name = table.name.lower()
        local = frame.tables.get(table_key(table)) if not table.args.get("db") else None
        if local is None or not isinstance(table.this, exp.Identifier):
            return
        parent = table.parent
        if isinstance(parent, (exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Schema)) and (
            parent.this is table
        ):
            return
        alias = table.alias or name
        rows = self._rows(local)
        source = exp.Subquery(
            this=rows, alias=exp.TableAlias(this=exp.to_identifier(alias, quoted=True))
        )
        nested = table.args.get("joins")
        select = parent.parent if parent is not None else None
        if nested and isinstance(select, exp.Select):
            select.set("joins", [*nested, *(select.args.get("joins") or [])])
        if table.args.get("pivots"):
            source.set("pivots", table.args["pivots"])
        table.replace(source)

    def _rows(self, local: Table) -> exp.Expr:
        arms: list[exp.Expr] = []
        for source, names in local.sources.values():
            self._count(sum(1 for _node in source.walk()))
            arms.append(arm_of(source.copy(), names, local.columns))
        if not arms:
            names = local.columns or ["qf_none"]
            return exp.Select(
                expressions=[exp.alias_(exp.Null(), name, quoted=True) for name in names]
            )
        total = arms[0]
        for arm in arms[1:]:
            total = exp.Union(this=total, expression=arm, distinct=False)
        return total

    def _fits(self, tree: exp.Expr, frame: Frame) -> bool:
        """Whether no hole is left where a name or a clause stands."""
        for node in tree.find_all(exp.Identifier):
            name = str(node.this)
            if HOLE_WORD in name or has_hole(name):
                self.problem("opaque_body", "", frame)
                return False
        return True

    def _with_words(self, text: str) -> tuple[str, bool]:
        """The text with a word for each hole outside quotes, and whether one of them may change
        what the text says."""
        if not has_hole(text):
            return text, False
        out: list[str] = []
        quote = ""
        unsafe = False
        for char in text:
            if quote:
                quote = "" if char == quote else quote
                out.append(char)
            elif char == "'" or (char == '"' and self.dialect == "mysql"):
                quote = char
                out.append(char)
            elif has_hole(char):
                at = ord(char) - HOLE
                held = self.holes[at]
                unsafe = unsafe or not held.plain
                out.append(f"{HOLE_WORD}{at}_")
            else:
                out.append(char)
        return "".join(out), unsafe
