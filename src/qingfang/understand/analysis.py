"""The front door of understanding: one text in, what its receiver learns out.

    Analyser(catalogue).analyse("SELECT …") -> Analysis(meaning, free, conditions, …)

Rules this module keeps:

1. A `Meaning` comes out whatever goes in. What is not known is `opaque`, never `none`.
2. Statements are told apart by their verb before the parser sees them: a parser that takes
   `LISTEN x` for an expression is not asked what it is.
3. Of several statements in one text the strongest speaks: `usage` > `opaque` > `clinical` > `none`;
   `detail` > `prescriber` > `department` > `institution`; `returned` > `stored`.
4. Safe caching: `free` literals may change without changing the meaning's shape, `conditions` name
   the tests its shape rests on, and any other literal is part of the reader's cache key. So are
   bound values in `decisive`. A literal forgotten here costs speed, never a bypass.

What several statements reveal together is accumulated from `Meaning.yields` and `pins` elsewhere;
`session_*` and `person_*` are left None here.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from qingfang.events import Delivery, Grain, Meaning, Pin, Reason, Touch, Value
from qingfang.understand import dialects, rules
from qingfang.understand.catalogue import KEY_ROLES, Catalogue, Table, split_name
from qingfang.understand.dialects import BIND, Piece
from qingfang.understand.flows import Block
from qingfang.understand.predicates import Condition, Const, Reading, fold, holds
from qingfang.understand.procedures import Body, queries_of
from qingfang.understand.reasons import OF_PROBLEM, reason
from qingfang.understand.scope import OverBudget, Problem, Scope, Walker
from qingfang.understand.state import Made, SessionState, frozen

__all__ = ["Analyser", "Analysis", "Condition", "SessionState", "holds"]

_QUERIES = frozenset({"SELECT", "WITH", "VALUES", "TABLE", "(", "FROM"})
_CHANGES = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE"})
# Verbs that hand nothing of a table to anybody.
_HARMLESS = frozenset(
    {
        *("BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE", "SET"),
        *("RESET", "SHOW", "DISCARD", "DEALLOCATE", "CLOSE", "MOVE", "LISTEN", "UNLISTEN"),
        *("NOTIFY", "LOCK", "ANALYZE", "ANALYSE", "VACUUM", "REINDEX", "CLUSTER", "CHECKPOINT"),
        *("COMMENT", "TRUNCATE", "DROP", "ALTER", "USE", "DESC", "DESCRIBE", "PRAGMA", "PRINT"),
        *("UNLOCK", "OPTIMIZE", "CHECK", "REFRESH", "REASSIGN", "RENAME", "PURGE", "SAVE"),
        *("ATTACH_NONE", "UPDATE_STATISTICS", "DISCONNECT", "CONNECT_NONE", "WAITFOR"),
    }
)
_RIGHTS = frozenset({"GRANT", "REVOKE", "DENY"})
_ACCOUNTS = frozenset({"USER", "ROLE", "LOGIN", "GROUP", "PROFILE"})
_SERVER_OBJECTS = frozenset(
    {
        *("SERVER", "FOREIGN", "PUBLICATION", "SUBSCRIPTION", "EXTENSION", "LANGUAGE", "RULE"),
        *("DIRECTORY", "SYSTEM", "DATABASE", "TABLESPACE", "ENDPOINT", "ASSEMBLY", "POLICY"),
        *("LINK", "CAST", "OPERATOR", "CONVERSION", "TRANSFORM", "ACCESS"),
    }
)
_ROUTINES = frozenset({"FUNCTION", "PROCEDURE", "PROC", "TRIGGER", "EVENT", "PACKAGE", "JOB"})

_RANK = {"none": 0, "clinical": 1, "opaque": 2, "usage": 3}
_GRAIN_RANK: dict[Grain | None, int] = {
    None: 0,
    "institution": 1,
    "department": 2,
    "prescriber": 3,
    "detail": 4,
}


class Analysis(Struct, frozen=True):
    """A meaning, and what a cache may do with it.

    `free`: start offsets of literals whose value only travels into `Value.text`. `conditions`:
    tests whose answers the shape rests on (`holds`). `decisive`: indexes of bound values that
    decided something by their very value. `operator_scope` says how long `meaning.operator` holds.
    """

    meaning: Meaning
    free: frozenset[int] = frozenset()
    conditions: tuple[Condition, ...] = ()
    decisive: frozenset[int] = frozenset()
    operator_scope: str = ""


class Outcome:
    """One statement's result before it is put into a `Meaning`."""

    __slots__ = (
        *("delivery", "findings", "operator", "operator_scope", "problems", "span", "unbounded"),
        "works",
    )

    def __init__(self) -> None:
        self.findings: list[rules.Finding] = []
        self.problems: list[Problem] = []
        self.delivery: Delivery = "returned"
        self.operator: Value | None = None
        self.operator_scope = ""
        self.works: list[Pin] = []
        self.span: tuple[int, int] = (0, 0)
        # A text out of our sight runs: it may touch anything.
        self.unbounded = False

    def blocks(self, blocks: Sequence[Block], reading: Reading) -> None:
        self.findings.extend(rules.judge(block, reading) for block in blocks)

    @property
    def reveals(self) -> bool:
        return any(finding.disclosure == "usage" for finding in self.findings)


class Analyser:
    """Analyses statements against one catalogue. Keeps parsed views, nothing of statements."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self._views: dict[str, dict[str, exp.Expr | None]] = {}

    def analyse(
        self,
        sql: str,
        dialect: str | None = None,
        *,
        binds: Sequence[str | None] | None = None,
        state: SessionState | None = None,
        rows: int | None = None,
    ) -> Analysis:
        """What the receiver of `sql` learns.

        `binds` are the bound values as text (None: NULL), when they are known; `state` is the
        session's, read and brought up to date. `rows` (what the server returned) changes nothing:
        an empty answer to an attempt is an attempt.
        """
        chosen = dialect or self.catalogue.dialect
        reading = Reading(binds)
        volatile = state is not None and state.has_own
        outcomes: list[Outcome] = []
        for piece in dialects.pieces(sql, chosen):
            statement = _Statement(self, sql, chosen, reading, state, piece)
            outcomes.append(statement.outcome())
            volatile = volatile or statement.walker.volatile
        meaning = self._together(sql, outcomes, volatile or bool(state and state.has_own))
        scope = next((o.operator_scope for o in outcomes if o.operator is not None), "")
        return Analysis(
            meaning,
            frozenset(reading.free - reading.fixed),
            tuple(reading.conditions),
            frozenset(reading.fixed_binds),
            scope,
        )

    def views(self, dialect: str) -> dict[str, exp.Expr | None]:
        return self._views.setdefault(dialect, {})

    def _together(self, sql: str, outcomes: list[Outcome], volatile: bool) -> Meaning:
        """The strongest of several statements speaks; pins and yields are all kept."""
        best = Meaning("none")
        strength = (-1, 0, 0)
        for outcome in outcomes:
            meaning = self._meaning(sql, outcome)
            mine = (
                _RANK[meaning.disclosure],
                _GRAIN_RANK[meaning.grain],
                int(meaning.delivery == "returned"),
            )
            if mine > strength:
                best, strength = meaning, mine
        operator = next((o.operator for o in outcomes if o.operator is not None), None)
        scope = next((o.operator_scope for o in outcomes if o.operator is not None), "")
        findings = [finding for outcome in outcomes for finding in outcome.findings]
        return Meaning(
            best.disclosure,
            best.grain,
            best.subtype,
            best.delivery,
            best.scope,
            best.touches,
            best.reasons,
            pins=tuple(pin for finding in findings for pin in finding.pins),
            works=tuple(work for outcome in outcomes for work in outcome.works),
            yields=tuple(f.yields for f in findings if f.yields is not None),
            operator=operator,
            operator_scope="transaction" if scope == "transaction" else "session",
            volatile=volatile,
        )

    def _meaning(self, sql: str, outcome: Outcome) -> Meaning:
        strongest = max(
            outcome.findings,
            key=lambda f: (_RANK[f.disclosure], _GRAIN_RANK[f.grain]),
            default=rules.Finding(),
        )
        reasons = list(strongest.reasons)
        # What is not known may hold the prescriber: only what is certain at that grain outranks it.
        certain = strongest.grain in {"prescriber", "detail"}
        if outcome.problems and not certain:
            return Meaning(
                "opaque",
                delivery=outcome.delivery,
                touches=self._all_usage()
                if outcome.unbounded
                else self.touches(sql[outcome.span[0] : outcome.span[1]]),
                reasons=_problem_reasons(outcome),
            )
        if outcome.delivery == "stored" and strongest.disclosure != "none":
            reasons.append(reason("stored", outcome.span))
        return Meaning(
            strongest.disclosure,
            strongest.grain,
            strongest.subtype,
            outcome.delivery if strongest.disclosure != "none" else "returned",
            strongest.scope,
            reasons=tuple(_whole(sql, found, outcome.span) for found in reasons),
        )

    def _all_usage(self) -> tuple[Touch, ...]:
        return tuple(
            Touch(table.name, tuple(sorted({role for role in table.columns.values() if role})))
            for table in self.catalogue.tables.values()
            if table.kind == "usage"
        )

    def touches(self, text: str) -> tuple[Touch, ...]:
        """The lexical estimate: catalogued tables whose name occurs in the text, and the roles of
        their columns that do."""
        words = set(dialects.names(text))
        found: list[Touch] = []
        for table in self.catalogue.tables.values():
            if split_name(table.name)[-1] in words:
                named = table.columns.keys() & words
                # A table without its columns is read whole.
                whole = "*" in text or not named
                roles = {
                    role for n, role in table.columns.items() if role and (whole or n in named)
                }
                found.append(Touch(table.name, tuple(sorted(roles))))
        return tuple(found)


def _whole(sql: str, found: Reason, statement: tuple[int, int]) -> Reason:
    """A reason whose span ends with the brackets it opened; the statement's own when it has none."""
    start, end = (found.start, found.end) if found.end > found.start else statement
    missing = sql.count("(", start, end) - sql.count(")", start, end)
    while missing > 0 and end < statement[1] and sql[end] in ") \t\n":
        missing -= sql[end] == ")"
        end += 1
    return Reason(found.code, found.text, start, end)


def _problem_reasons(outcome: Outcome) -> tuple[Reason, ...]:
    reasons: dict[str, Reason] = {}
    for problem in outcome.problems:
        code = OF_PROBLEM[problem.kind]
        reasons.setdefault(code, reason(code, problem.span or outcome.span))
    return tuple(reasons.values())


class _Statement:
    """The analysis of one statement of a text."""

    def __init__(
        self,
        analyser: Analyser,
        sql: str,
        dialect: str,
        reading: Reading,
        state: SessionState | None,
        piece: Piece,
    ) -> None:
        self.analyser, self.sql, self.dialect = analyser, sql, dialect
        self.reading, self.state, self.piece = reading, state, piece
        self.catalogue = analyser.catalogue
        self.walker = Walker(self.catalogue, dialect, reading, state, analyser.views(dialect))
        self.result = Outcome()
        self.result.span = (piece.start, piece.end)

    def outcome(self) -> Outcome:
        if self.piece.problem:
            self._problem(self.piece.problem)
            return self.result
        try:
            self._dispatch()
        except (OverBudget, RecursionError):
            self._problem("too_deep")
        except (AttributeError, IndexError, KeyError, TypeError, ValueError):
            # A tree of a shape that was not foreseen: it is not read, so it is not harmless.
            self._problem("unparsed")
        self.result.problems.extend(self.walker.problems)
        return self.result

    def _problem(self, kind: str, name: str = "") -> None:
        self.result.problems.append(Problem(kind, name, self.result.span))

    def _dispatch(self) -> None:
        verb, words = self.piece.verb, self.piece.words(8)
        if verb in _QUERIES or verb in _CHANGES:
            self._tree()
        elif verb == "CREATE":
            self._create(words)
        elif verb == "EXPLAIN":
            self._explain(words)
        elif verb == "COPY":
            self._copy()
        elif verb == "PREPARE":
            self._prepare()
        elif verb in {"EXECUTE", "EXEC"}:
            self._execute()
        elif verb == "CALL":
            self._call(self.piece.tokens[1:])
        elif verb == "DO":
            self._do()
        elif verb == "FETCH":
            self._fetch()
        elif verb == "DECLARE" and "CURSOR" in self.piece.words(12):
            self._declare()
        elif verb in _RIGHTS or (
            verb in {"ALTER", "DROP"} and words[1:2] and words[1] in _ACCOUNTS
        ):
            self._problem("grant")
        elif verb == "ALTER" and len(words) > 1 and words[1] in _SERVER_OBJECTS:
            self._problem("server")
        elif verb in {"DECLARE", "BEGIN", "IF", "WHILE"} and self._is_block(words):
            self._body(queries_of(self._text(), self.dialect), self.result.span)
        elif verb in _HARMLESS:
            self._harmless(verb, words)
        else:
            self._problem("server" if verb in _KNOWN_SERVER else "unparsed")

    def _text(self) -> str:
        return self.sql[self.piece.start : self.piece.end]

    def _is_block(self, words: list[str]) -> bool:
        return len(words) > 1 and words[1] not in {
            *("TRANSACTION", "TRAN", "WORK", "ISOLATION", "READ", "NOT", "DEFERRABLE"),
            *("IMMEDIATE", "EXCLUSIVE", "DEFERRED"),
        }

    def _harmless(self, verb: str, words: list[str]) -> None:
        if any(token.text.upper() == "SELECT" for token in self.piece.tokens):
            # SET x = (SELECT …), ALTER VIEW … AS SELECT: not read here.
            self._problem("unparsed")
        elif verb == "DROP" and self.state is not None:
            for token in self.piece.tokens[2:]:
                if token.token_type in {TokenType.VAR, TokenType.IDENTIFIER}:
                    self.state.drop(token.text)

    # -------------------------------------------------------------- parsed statements

    def _tree(self) -> None:
        node = dialects.tree(self.piece, self.sql, self.dialect)
        if node is None:
            self._problem("unparsed")
        else:
            self._node(node, self._scope())

    def _scope(self) -> Scope:
        return Scope(self.walker)

    def _node(self, node: exp.Expr, scope: Scope) -> None:
        if isinstance(node, exp.Insert):
            self._insert(node, scope)
        elif isinstance(node, (exp.Update, exp.Delete, exp.Merge)):
            self._change(node, scope)
        elif isinstance(node, (exp.Query, exp.Values)):
            self._query(node, scope)
        else:
            self._problem("unparsed")

    def _query(self, node: exp.Expr, scope: Scope) -> None:
        for cte in _ctes(node):
            if isinstance(cte.this, (exp.Insert, exp.Update, exp.Delete, exp.Merge)):
                # What it returns goes to the query; what it puts elsewhere is judged here.
                change = cte.this.copy()
                change.set("returning", None)
                self._node(change, Scope(self.walker, None, scope.ctes, scope.anchor))
                self.result.delivery = "returned"
        into = node.args.get("into")
        self._operator(node)
        self.result.blocks(self.walker.query(node, scope), self.reading)
        if into is not None:
            self.result.delivery = "stored"
            self._keep_into(node, into)

    def _keep_into(self, node: exp.Expr, into: exp.Expr) -> None:
        target = into.this
        if self.state is None or not isinstance(target, exp.Table):
            return
        twin = self._frozen(node)
        twin.set("into", None)
        name = target.name.lower()
        temporary = bool(into.args.get("temporary")) or name.startswith("#")
        self.state.keep(Made(name, [], [(twin, [])], self.state.world()), temporary)

    def _frozen(self, node: exp.Expr) -> exp.Expr:
        constants: dict[str, str | None] = {}
        binds = self.reading.binds
        if binds is not None:
            constants = {f"{BIND}{n}": text for n, text in enumerate(binds)}
        return frozen(node, constants)

    def _insert(self, node: exp.Insert, scope: Scope) -> None:
        self._operator(node)
        if node.args.get("returning") is not None:
            self.result.blocks(self.walker.returning(node, scope), self.reading)
        source = node.expression
        target = node.this.this if isinstance(node.this, exp.Schema) else node.this
        columns = (
            [part.name.lower() for part in node.this.expressions]
            if isinstance(node.this, exp.Schema)
            else []
        )
        if isinstance(source, exp.Values):
            self._values(source, scope)
            return
        if source is None or not isinstance(source, exp.Query):
            return
        self.walker._with(node, scope)
        if isinstance(target, exp.Table) and self._is_move(target, source, scope):
            return
        before = len(self.result.findings)
        self.result.blocks(
            self.walker.query(source, Scope(self.walker, None, scope.ctes, scope.anchor)),
            self.reading,
        )
        if node.args.get("returning") is None:
            self.result.delivery = "stored"
        stored = self.result.findings[before:]
        if (
            self.state is not None
            and isinstance(target, exp.Table)
            and (
                self.state.made(target.name) is not None
                or (
                    self.catalogue.table(_dotted(target)) is None
                    and any(f.disclosure != "none" or f.yields for f in stored)
                )
            )
        ):
            self.state.add(target.name, self._frozen(source), columns)

    def _values(self, source: exp.Values, scope: Scope) -> None:
        """Plain INSERT: its literals are free; a sub-select among them is stored."""
        for row in source.expressions:
            for cell in row.expressions if isinstance(row, exp.Tuple) else [row]:
                if isinstance(cell, exp.Literal):
                    if scope.own and "start" in cell.meta:
                        self.reading.free.add(cell.meta["start"])
                elif cell.find(exp.Query, exp.Anonymous) is not None:
                    select = exp.Select(expressions=[cell.copy()])
                    blocks = self.walker.query(select, Scope(self.walker, None, scope.ctes, None))
                    self.result.blocks(blocks, self.reading)
                    self.result.delivery = "stored"

    def _is_move(self, target: exp.Table, source: exp.Query, scope: Scope) -> bool:
        """Rule 5: rows moved as they are between two usage tables of the same columns."""
        if not isinstance(source, exp.Select) or source.args.get("joins"):
            return False
        if any(source.args.get(k) for k in ("group", "having", "distinct", "with_", "windows")):
            return False
        first = source.args.get("from_")
        origin = first.this if first is not None else None
        if not isinstance(origin, exp.Table) or self.walker.catalogue is None:
            return False
        into = self.catalogue.table(_dotted(target))
        out = self.catalogue.table(_dotted(origin))
        if into is None or out is None or into.kind != "usage" or out.kind != "usage":
            return False
        if into.columns != out.columns or _dotted(origin) in scope.ctes:
            return False
        if self.state is not None and self.state.made(_dotted(origin)) is not None:
            return False
        return all(
            isinstance(part, exp.Star)
            or (
                isinstance(part, exp.Column)
                and (isinstance(part.this, exp.Star) or part.name.lower() in out.columns)
            )
            for part in source.expressions
        )

    def _change(self, node: exp.Expr, scope: Scope) -> None:
        """UPDATE, DELETE, MERGE: RETURNING as SELECT; figures written elsewhere are stored."""
        self._operator(node)
        if node.args.get("returning") is not None:
            self.result.blocks(self.walker.returning(node, scope), self.reading)
            return
        self._free_assignments(node, scope)
        target = node.this
        kind = self.catalogue.table(_dotted(target)) if isinstance(target, exp.Table) else None
        if kind is not None and kind.kind in {"usage", "stock"}:
            self._known_objects(node, scope)
        self._probed(node, scope)
        if isinstance(node, exp.Delete):
            return
        if isinstance(node, exp.Update) and isinstance(target, exp.Table):
            self._updated(node, target, scope)
        using = node.args.get("using")
        if isinstance(node, exp.Merge) and isinstance(using, exp.Expr):
            select = exp.Select(expressions=[exp.Star()], from_=exp.From(this=using.copy()))
            self.result.blocks(self.walker.query(select, self._scope()), self.reading)
            self.result.delivery = "stored"

    def _probed(self, node: exp.Expr, scope: Scope) -> None:
        """A figure worked out in the WHERE of a change reaches the client, by the number of rows
        changed or by the text of an error (`CAST(… AS int)`): as a SELECT with this WHERE. Keys
        looked up there (`cfh IN (SELECT cfh …)`) are work."""
        where = node.args.get("where")
        target = node.this
        if where is None or not isinstance(target, exp.Table):
            return
        if not any(_works_out(query) for query in where.find_all(exp.Query)):
            return
        others = [node.args.get("from_"), *(node.args.get("using") or [])]
        tables = [
            other.this if isinstance(other, exp.From) else other
            for other in others
            if isinstance(other, exp.Expr)
        ]
        select = exp.Select(
            expressions=[exp.Literal.number(1)],
            from_=exp.From(this=target.copy()),
            joins=[exp.Join(this=other.copy()) for other in tables],
            where=where.copy(),
        )
        before = len(self.result.findings)
        self.result.blocks(
            self.walker.query(select, Scope(self.walker, None, scope.ctes, scope.anchor)),
            self.reading,
        )
        # One patient's sums looked at where they belong are a plain change.
        self.result.findings[before:] = [
            found for found in self.result.findings[before:] if found.disclosure == "usage"
        ]

    def _updated(self, node: exp.Update, target: exp.Table, scope: Scope) -> None:
        """Figures written into the rows of some other table: as a SELECT of these rows with them."""
        values = [part.expression for part in node.expressions if isinstance(part, exp.EQ)]
        extra = node.args.get("from_")
        if extra is None and not any(value.find(exp.Query) is not None for value in values):
            return
        select = exp.Select(
            expressions=[exp.Star(), *(value.copy() for value in values)],
            from_=exp.From(this=target.copy()),
            joins=[exp.Join(this=extra.this.copy())] if extra is not None else [],
            where=node.args.get("where"),
        )
        inner = Scope(self.walker, None, scope.ctes, scope.anchor)
        before = len(self.result.findings)
        self.result.blocks(self.walker.query(select, inner), self.reading)
        # One patient's sums written where they belong are a plain UPDATE.
        self.result.findings[before:] = [
            found for found in self.result.findings[before:] if found.disclosure == "usage"
        ]
        self.result.delivery = "stored"

    def _free_assignments(self, node: exp.Expr, scope: Scope) -> None:
        for part in node.args.get("expressions") or []:
            value = part.expression if isinstance(part, exp.EQ) else None
            if isinstance(value, exp.Literal) and scope.own and "start" in value.meta:
                self.reading.free.add(value.meta["start"])

    def _known_objects(self, node: exp.Expr, scope: Scope) -> None:
        """A change of a clinical table that calls something unknown is not harmless."""
        for call in node.find_all(exp.Anonymous):
            name = call.name.lower()
            if not self.walker.is_builtin(name) and self.catalogue.procedure(name) is None:
                self.walker.problem("unknown_function", name, call, scope)

    # -------------------------------------------------------------- who is at work

    def _operator(self, node: exp.Expr) -> None:
        """A statement that names the staff member at work (`operators`, role `operator_id`)."""
        on = (
            "insert"
            if isinstance(node, exp.Insert)
            else "update"
            if isinstance(node, exp.Update)
            else "delete"
            if isinstance(node, exp.Delete)
            else "select"
            if isinstance(node, exp.Select)
            else ""
        )
        target: exp.Expr | None = node.this
        if isinstance(node, exp.Select):
            first = node.args.get("from_")
            target = first.this if first is not None else None
        if isinstance(target, exp.Schema):
            target = target.this
        if not on or not isinstance(target, exp.Table):
            return
        table = self.catalogue.table(_dotted(target))
        if table is None:
            return
        if on != "select":
            self._works(node, table)
        self._named(node, table, on)

    def _works(self, node: exp.Expr, table: Table) -> None:
        """The keys whose rows a change writes: they explain reading about the same patient."""
        for column, role in table.columns.items():
            if role in KEY_ROLES:
                const = self._column_value(node, column, table)
                if const is not None and not const.null:
                    self.reading.free.update(const.literals)
                    self.result.works.append(Pin(str(role), table.name, (const.value(),)))

    def _named(self, node: exp.Expr, table: Table, on: str) -> None:
        named = [
            (operator.column, operator.scope)
            for operator in self.catalogue.operators
            if operator.on == on and self.catalogue.tables[operator.table] is table
        ]
        if on in {"insert", "update"}:
            named.extend(
                (column, "transaction")
                for column, role in table.columns.items()
                if role == "operator_id"
            )
        for column, scope in named:
            const = self._column_value(node, column, table)
            if const is not None and not const.null:
                self.result.operator = const.value()
                self.result.operator_scope = scope
                self.reading.free.update(const.literals)
                return

    def _column_value(self, node: exp.Expr, column: str, table: Table) -> Const | None:
        """The constant that a statement gives to, or asks of, one column."""
        if isinstance(node, exp.Insert):
            names = (
                [part.name.lower() for part in node.this.expressions]
                if isinstance(node.this, exp.Schema)
                else list(table.columns)
            )
            values = node.expression
            if column not in names or not isinstance(values, exp.Values):
                return None
            row = values.expressions[0] if values.expressions else None
            cells = row.expressions if isinstance(row, exp.Tuple) else [row]
            at = names.index(column)
            cell = cells[at] if at < len(cells) else None
            return fold(cell, self.reading, True) if isinstance(cell, exp.Expr) else None
        places: list[exp.Expr] = []
        if isinstance(node, exp.Update):
            places.extend(node.expressions)
        where = node.args.get("where")
        if where is not None:
            places.extend(where.this.flatten() if isinstance(where.this, exp.And) else [where.this])
        for place in places:
            bare = place.unnest() if isinstance(place, exp.Paren) else place
            if isinstance(bare, exp.EQ):
                for one, other in ((bare.left, bare.right), (bare.right, bare.left)):
                    if isinstance(one, exp.Column) and one.name.lower() == column:
                        return fold(other, self.reading, True)
        return None

    # -------------------------------------------------------------- CREATE

    def _create(self, words: list[str]) -> None:
        kinds = [word for word in words[1:] if word not in {"OR", "REPLACE", "TEMP", "TEMPORARY"}]
        routine = next((w for w in words[1:6] if w in _ROUTINES), None)
        if routine is not None and "INDEX" not in words[1:3] and "TABLE" not in words[1:4]:
            self._routine()
            return
        if kinds and kinds[0] in _ACCOUNTS:
            self._problem("grant")
            return
        if "SYNONYM" in words:
            self._synonym()
            return
        if kinds and kinds[0] in _SERVER_OBJECTS:
            self._problem("server")
            return
        node = dialects.tree(self.piece, self.sql, self.dialect)
        if isinstance(node, exp.Create) and isinstance(node.expression, exp.Query):
            self._made_from(node, node.expression, words)
        elif isinstance(node, exp.Create) and node.kind in {"TABLE", "VIEW"}:
            self._made_empty(node, words)
        elif any(token.text.upper() in {"SELECT", "EXECUTE"} for token in self.piece.tokens):
            self._created_by_words(words)
        elif node is None and not (set(words) & {"TABLE", "INDEX", "SEQUENCE", "SCHEMA", "TYPE"}):
            self._problem("unparsed")

    def _made_from(self, node: exp.Create, query: exp.Query, words: list[str]) -> None:
        """CREATE TABLE AS, CREATE [MATERIALIZED] VIEW: what its query would reveal, stored."""
        target = node.this.this if isinstance(node.this, exp.Schema) else node.this
        columns = (
            [part.name.lower() for part in node.this.expressions]
            if isinstance(node.this, exp.Schema)
            else []
        )
        self.walker._with(node, self._scope())
        self.result.blocks(self.walker.query(query, self._scope()), self.reading)
        self.result.delivery = "stored"
        if self.state is not None and isinstance(target, exp.Table):
            temporary = bool({"TEMP", "TEMPORARY"} & set(words)) or target.name.startswith("#")
            made = Made(target.name, columns, [(self._frozen(query), columns)], self.state.world())
            self.state.keep(made, temporary)

    def _made_empty(self, node: exp.Create, words: list[str]) -> None:
        if self.state is None or node.kind != "TABLE":
            return
        schema = node.this
        target = schema.this if isinstance(schema, exp.Schema) else schema
        columns = (
            [part.name.lower() for part in schema.expressions if isinstance(part, exp.ColumnDef)]
            if isinstance(schema, exp.Schema)
            else []
        )
        if isinstance(target, exp.Table) and self.catalogue.table(_dotted(target)) is None:
            temporary = bool({"TEMP", "TEMPORARY"} & set(words)) or target.name.startswith("#")
            self.state.keep(Made(target.name, columns, [], self.state.world()), temporary)

    def _created_by_words(self, words: list[str]) -> None:
        """CREATE … AS SELECT in a form the parser does not take: read from the SELECT on."""
        tokens = self.piece.tokens
        start = next(
            (n for n, t in enumerate(tokens) if t.text.upper() in {"SELECT", "WITH"} and n > 1),
            None,
        )
        node = dialects.parse(tokens[start:], self.sql, self.dialect) if start is not None else None
        if not isinstance(node, exp.Query):
            self._problem("unparsed")
            return
        self.result.blocks(self.walker.query(node, self._scope()), self.reading)
        self.result.delivery = "stored"
        name = next(
            (
                tokens[n + 1].text
                for n, t in enumerate(tokens[:-1])
                if t.text.upper() in {"TABLE", "VIEW"}
            ),
            "",
        )
        if self.state is not None and name:
            self.state.keep(Made(name, [], [(self._frozen(node), [])], self.state.world()), False)

    def _routine(self) -> None:
        """CREATE FUNCTION, PROCEDURE, TRIGGER, EVENT: what its body would reveal, stored."""
        text = self._text()
        self._body(queries_of(text, self.dialect), self.result.span)
        self.result.delivery = "stored"
        tokens = self.piece.tokens
        for n, token in enumerate(tokens[:-1]):
            if token.text.upper() in {"FUNCTION", "PROCEDURE", "PROC"}:
                name = tokens[n + 1].text
                if n + 3 < len(tokens) and tokens[n + 2].text == ".":
                    name = tokens[n + 3].text
                if self.state is not None:
                    self.state.shared.functions[name.lower()] = text
                return

    def _synonym(self) -> None:
        tokens = self.piece.tokens
        texts = [t.text for t in tokens]
        upper = [t.upper() for t in texts]
        if "FOR" in upper and self.state is not None:
            at = upper.index("FOR")
            self.state.shared.synonyms[texts[at - 1].lower()] = "".join(texts[at + 1 :]).lower()

    # -------------------------------------------------------------- bodies and calls

    def _body(self, body: Body, span: tuple[int, int]) -> None:
        """What a stored body or a block selects and stores."""
        if body.opaque:
            self._problem("opaque_body")
        for query in body.queries:
            blocks = self.walker.query(query, Scope(self.walker, None, {}, span))
            self.result.blocks(blocks, self.reading)
        stored = bool(body.changes) and not body.queries
        for change in body.changes:
            self._node(change, Scope(self.walker, None, {}, span))
        self.result.delivery = "stored" if stored else "returned"
        for name in body.calls:
            self._routine_call(name)

    def _routine_call(self, name: str) -> None:
        body = self.catalogue.procedure(name)
        if body is None and self.state is not None:
            body = self.state.function(name)
        if body is None:
            self._problem("unknown_procedure", name)
            return
        if self.walker._depth > 8:
            raise OverBudget
        self.walker._depth += 1
        self._body(queries_of(body, self.dialect), self.result.span)

    def _call(self, tokens: list[Token]) -> None:
        """CALL p(…), EXEC p …: the name may be qualified."""
        name: list[str] = []
        for token in tokens:
            if token.token_type in {TokenType.L_PAREN, TokenType.PARAMETER, TokenType.COLON}:
                break
            if token.text != "." and name and not name[-1].endswith("."):
                break
            name.append(token.text)
        self._routine_call("".join(name).lower())

    def _do(self) -> None:
        strings = [t for t in self.piece.tokens if len(t.text) > 8]
        source = max((t.text for t in strings), key=len, default="")
        body = queries_of(source, "postgres")
        self._body(body, self.result.span)
        # A block hands rows to nobody; only what it says (RAISE) reaches the client.
        # What it works out may still be kept (`set_config`) or come back as an error.
        if not body.speaks:
            self.result.delivery = "stored"

    def _execute(self) -> None:
        tokens = self.piece.tokens
        words = self.piece.words(4)
        if self.dialect in {"tsql", "oracle"} or words[1:2] == ["IMMEDIATE"]:
            self._body(queries_of(self._text(), self.dialect), self.result.span)
            return
        name = _handle(tokens[1]) if len(tokens) > 1 else ""
        texts = self.state.prepared.get(name) if self.state is not None else None
        if not texts:
            self._problem("unknown_handle", name)
            self.result.unbounded = True
            self.walker.volatile = True
            return
        self.walker.volatile = True
        binds = self._arguments(tokens[2:])
        for text in texts:
            self._again(text, binds)

    def _again(self, text: str, binds: list[str | None] | None) -> None:
        """Run a remembered text: its findings stand where the EXECUTE or FETCH stands."""
        inner = Reading(binds)
        for piece in dialects.pieces(text, self.dialect):
            statement = _Statement(self.analyser, text, self.dialect, inner, self.state, piece)
            found = statement.outcome()
            for finding in found.findings:
                finding.reasons = [
                    Reason(r.code, r.text, *self.result.span) for r in finding.reasons
                ]
            self.result.findings.extend(found.findings)
            self.result.problems.extend(
                Problem(p.kind, p.name, self.result.span) for p in found.problems
            )
            self.result.delivery = found.delivery

    def _arguments(self, tokens: list[Token]) -> list[str | None] | None:
        """EXECUTE's arguments as bound values."""
        if not tokens:
            return None
        node = dialects.parse(
            [
                Token(TokenType.SELECT, "SELECT", start=tokens[0].start, end=tokens[0].start),
                *tokens,
            ],
            self.sql,
            self.dialect,
        )
        if not isinstance(node, exp.Select) or not node.expressions:
            return None
        first = node.expressions[0]
        parts = first.expressions if isinstance(first, exp.Tuple) else [first]
        values: list[str | None] = []
        for part in parts:
            const = fold(part.unnest() if isinstance(part, exp.Paren) else part, self.reading, True)
            if const is None or (const.text is None and not const.null):
                return None
            self.reading.bind(const)
            values.append(const.text)
        return values

    def _prepare(self) -> None:
        tokens = self.piece.tokens
        words = [t.text.upper() for t in tokens]
        if self.state is None or len(tokens) < 4:
            return
        name = _handle(tokens[1])
        if "AS" in words:
            start = tokens[words.index("AS") + 1].start
            self.state.prepare(name, self.sql[start : self.piece.end])
        elif words[2] == "FROM":
            node = dialects.parse(
                [Token(TokenType.SELECT, "SELECT", start=0, end=0), *tokens[3:]],
                self.sql,
                self.dialect,
            )
            value = node.expressions[0] if isinstance(node, exp.Select) else None
            const = fold(value, self.reading, True) if value is not None else None
            if const is not None and const.text is not None:
                self.reading.bind(const)
                self.state.prepare(name, const.text)

    def _declare(self) -> None:
        """DECLARE c CURSOR FOR q: the cursor holds what q reveals; FETCH hands it on."""
        words = [t.text.upper() for t in self.piece.tokens]
        if "FOR" not in words:
            self._problem("unparsed")
            return
        start = words.index("FOR") + 1
        tokens = self.piece.tokens[start:]
        node = dialects.parse(tokens, self.sql, self.dialect) if tokens else None
        if not isinstance(node, exp.Query):
            self._problem("unparsed")
            return
        self._query(node, self._scope())
        self.result.delivery = "stored"
        if self.state is not None:
            name = _handle(self.piece.tokens[1])
            self.state.cursors[name] = self.sql[tokens[0].start : self.piece.end]

    def _fetch(self) -> None:
        name = _handle(self.piece.tokens[-1])
        text = self.state.cursors.get(name) if self.state is not None else None
        if text is None:
            self._problem("unknown_handle", name)
            return
        self.walker.volatile = True
        binds = list(self.reading.binds) if self.reading.binds is not None else None
        self._again(text, binds)

    def _explain(self, words: list[str]) -> None:
        upper = [t.text.upper() for t in self.piece.tokens]
        for at, word in enumerate(upper):
            if word in {"SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "CREATE", "EXECUTE"}:
                return
            if word in {"ANALYZE", "ANALYSE"} and upper[at + 1 : at + 2] not in (
                ["FALSE"],
                ["OFF"],
                ["0"],
            ):
                self._problem("analyze")
                return

    def _copy(self) -> None:
        """COPY … FROM is a load; COPY … TO STDOUT is returned, to a file or program is stored."""
        tokens = self.piece.tokens
        words = [t.text.upper() for t in tokens]
        depth = 0
        direction, at = "", len(words)
        for n, token in enumerate(tokens):
            if token.token_type is TokenType.L_PAREN:
                depth += 1
            elif token.token_type is TokenType.R_PAREN:
                depth -= 1
            elif depth == 0 and words[n] in {"TO", "FROM"}:
                direction, at = words[n], n
                break
        if direction == "FROM" and words[at + 1 : at + 2] != ["PROGRAM"]:
            return
        if direction != "TO":
            self._problem("server" if direction else "unparsed")
            return
        source = tokens[1:at]
        if source and source[0].token_type is TokenType.L_PAREN:
            node = dialects.parse(source[1:-1], self.sql, self.dialect)
        else:
            node = self._copied_table(source)
        if isinstance(node, exp.Query):
            self._query(node, self._scope())
        elif node is not None:
            self._node(node, self._scope())
        else:
            self._problem("unparsed")
        self.result.delivery = "returned" if words[at + 1 : at + 2] == ["STDOUT"] else "stored"

    def _copied_table(self, source: list[Token]) -> exp.Expr | None:
        split = next(
            (n for n, t in enumerate(source) if t.token_type is TokenType.L_PAREN), len(source)
        )
        head = Token(TokenType.SELECT, "SELECT", start=self.piece.start, end=self.piece.start)
        star = Token(TokenType.STAR, "*", start=self.piece.start, end=self.piece.start)
        origin = Token(TokenType.FROM, "FROM", start=self.piece.start, end=self.piece.start)
        columns = source[split + 1 : -1] if split < len(source) else [star]
        return dialects.parse([head, *columns, origin, *source[:split]], self.sql, self.dialect)


_KNOWN_SERVER = frozenset(
    {
        *("BACKUP", "RESTORE", "LOAD", "IMPORT", "SECURITY", "KILL", "FLUSH", "CHANGE", "INSTALL"),
        *("START_REPLICATION", "IDENTIFY_SYSTEM", "BASE_BACKUP", "CREATE_REPLICATION_SLOT"),
        *("HANDLER", "ATTACH", "DETACH", "BULK", "DBCC", "SHUTDOWN", "RECONFIGURE", "XA"),
    }
)


def _handle(token: Token) -> str:
    """The name of a prepared statement or cursor: quoted ones keep their case."""
    return token.text if token.token_type is TokenType.IDENTIFIER else token.text.lower()


def _works_out(query: exp.Expr) -> bool:
    """Whether a sub-select works out a figure or packs rows, rather than look up keys."""
    return query.find(exp.AggFunc, exp.Cast, exp.Array) is not None or isinstance(
        query.parent, exp.Cast
    )


def _dotted(table: exp.Table) -> str:
    return ".".join(part.name for part in table.parts if part.name).lower()


def _ctes(node: exp.Expr) -> list[exp.Expr]:
    clause = node.args.get("with_")
    return list(clause.expressions) if clause is not None else []
