"""One statement of a text: told by its verb, read, and what it reveals and stores.

Rules this module keeps:

1. Statements are told apart by their verb before the parser sees them: a parser that takes
   `LISTEN x` for an expression is not asked what it is.
2. Whatever is not read is a problem, which makes the statement opaque.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING

from sqlglot import exp
from sqlglot.tokenizer_core import TokenType

from qingfang.events import Delivery, Pin, Reason, Value
from qingfang.understand import copying, creating, dialects, estimate, rules, running
from qingfang.understand.catalogue import (
    ITEM_ROLES,
    KEY_ROLES,
    MEASURE_ROLES,
    PRESCRIBER_ROLES,
)
from qingfang.understand.changes import aliased, changed_rows, returned_rows, returning
from qingfang.understand.counting import hold
from qingfang.understand.definition import Definition
from qingfang.understand.dialects import BIND, Piece
from qingfang.understand.flows import Block, Flow, Instance, Span
from qingfang.understand.folding import Reading, fold, is_pure
from qingfang.understand.moving import moves
from qingfang.understand.names import ACCOUNTS, SERVER_OBJECTS, dotted, is_use
from qingfang.understand.operators import note_operator
from qingfang.understand.scope import OverBudget, Problem, Scope
from qingfang.understand.state import Made, SessionState
from qingfang.understand.state import frozen as frozen_tree
from qingfang.understand.supplied import (
    hints_quotes,
    reads_quotes,
    sets_dates,
    sets_quotes,
    supplied,
    with_functions,
)
from qingfang.understand.walker import Walker

if TYPE_CHECKING:
    from qingfang.understand.analysis import Analyser
    from qingfang.understand.catalogue import Catalogue

_QUERIES = frozenset({"SELECT", "WITH", "VALUES", "TABLE", "(", "FROM"})
_CHANGES = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE"})
# Verbs that hand nothing of a table to anybody.
_HARMLESS = frozenset(
    {
        *("BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE", "SET"),
        *("RESET", "SHOW", "DISCARD", "DEALLOCATE", "CLOSE", "MOVE", "LISTEN", "UNLISTEN"),
        *(
            "NOTIFY",
            "LOCK",
            "LOCK TABLES",
            "UNLOCK TABLES",
            "XA",
            "ANALYZE",
            "ANALYSE",
            "VACUUM",
            "REINDEX",
            "CLUSTER",
            "CHECKPOINT",
        ),
        *("COMMENT", "TRUNCATE", "DROP", "ALTER", "USE", "DESC", "DESCRIBE", "PRAGMA", "PRINT"),
        *("UNLOCK", "OPTIMIZE", "CHECK", "REFRESH", "REASSIGN", "RENAME", "PURGE", "SAVE"),
        *("RAISERROR", "THROW", "CHECKSUM"),
        *("ATTACH_NONE", "UPDATE STATISTICS", "DISCONNECT", "CONNECT_NONE", "WAITFOR"),
    }
)
_ROUTINES = frozenset({"FUNCTION", "PROCEDURE", "PROC", "TRIGGER", "PACKAGE", "EVENT"})
_READING = frozenset({"SELECT", "EXEC", "EXECUTE"})
_RIGHTS = frozenset({"GRANT", "REVOKE", "DENY"})
_KNOWN_SERVER = frozenset(
    {
        *("BACKUP", "RESTORE", "LOAD", "IMPORT", "SECURITY", "KILL", "FLUSH", "CHANGE", "INSTALL"),
        *("START_REPLICATION", "IDENTIFY_SYSTEM", "BASE_BACKUP", "CREATE_REPLICATION_SLOT"),
        *("HANDLER", "ATTACH", "DETACH", "BULK", "DBCC", "SHUTDOWN", "RECONFIGURE"),
        *("AUDIT", "NOAUDIT"),
    }
)
_FOR_ALL = frozenset({"GLOBAL", "PERSIST", "PERSIST_ONLY"})
_OWN_LOG = frozenset({"SQL_LOG_OFF", "SQL_LOG_BIN"})


# Problems that leave open what rows a statement handled.
_UNREAD = frozenset(
    {
        *("unparsed", "too_long", "too_deep", "opaque_body", "unknown_procedure"),
        *("unknown_handle", "remote_sql"),
    }
)
_WORD = re.compile(r"[^\W\d][\w$#]*|[#.]")


class Outcome:
    """One statement's result before it is put into a `Meaning`."""

    __slots__ = (
        *(
            "definition",
            "delivery",
            "findings",
            "operator",
            "operator_scope",
            "problems",
            "span",
            "unbounded",
        ),
        "works",
    )

    def __init__(self, definition: Definition | None) -> None:
        self.definition = definition
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
        few = rules.few_keys(blocks, reading)
        for block in blocks:
            found = rules.judge(block, reading, few=few)
            if self.definition is not None:
                hold(found, self.definition)
            self.findings.append(found)


class Statement:
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
        self.result = Outcome(analyser.definition)
        self.result.span = (piece.start, piece.end)
        # What the statement's parts (a batch's statements, a body's) came to.
        self.parts: list[Outcome] = []

    def outcomes(self) -> list[Outcome]:
        """What the statement comes to, and each of its parts."""
        if self.piece.problem:
            self.problem(self.piece.problem)
            self._stored_unread()
            return [self.result]
        self._orders_dates()
        try:
            self._dispatch()
        except (OverBudget, RecursionError):
            self.problem("too_deep")
        except (AssertionError, AttributeError, IndexError, KeyError, TypeError, ValueError):
            # A tree of a shape that was not foreseen: it is not read, so it is not harmless.
            if self.analyser.strict:
                raise
            self.problem("unparsed")
        self.result.problems.extend(self.walker.problems)
        self._quotes()
        self._stored_unread()
        if self.state is not None and self.state.changed:
            self.walker.volatile = True
            self.state.changed = False
        return [*self.parts, self.result]

    def _orders_dates(self) -> None:
        """After a setting of the order in which dates are written, what day a text is must be told by
        the statement itself."""
        state, reading = self.state, self.reading
        order = sets_dates(self.piece.tokens, self.dialect)
        if order is not None:
            self.walker.volatile = True
        reading.redated = reading.redated or bool(order) or (state is not None and state.redated)
        if state is not None:
            state.redated = reading.redated

    def _quotes(self) -> None:
        """After a setting that makes names of texts or texts of names, a statement that has such
        quotes is not read; nor is the one whose text changes it on the way."""
        state = self.state
        requoted = self.reading.requoted or (state is not None and state.requoted)
        text = self.text()
        if not requoted and sets_quotes(self.piece.tokens, self.dialect):
            self.reading.requoted = requoted = True
        if self.reading.requoted and state is not None:
            state.requoted = True
        requoted = requoted or hints_quotes(text, self.dialect)
        if requoted and reads_quotes(text, self.dialect):
            self.walker.volatile = True
            self.problem("unparsed")

    def _stored_unread(self) -> None:
        """What was not read may have put rows somewhere: whoever reads them later gets what is not
        known, unless the target is guarded anyway."""
        if self.state is None:
            return
        for outcome in (*self.parts, self.result):
            if not any(problem.kind in _UNREAD for problem in outcome.problems):
                continue
            start, end = outcome.span
            text = self.sql[start : min(end, start + dialects.MAX_LENGTH)]
            words = [t.text for t in self.piece.tokens if start <= t.start < end]
            keep_unread(self.catalogue, self.state, text, self.dialect, words, outcome.unbounded)

    def mentions_use(self) -> bool:
        """Whether a table of use is named, by its catalogued name."""
        about = estimate.touches(self.catalogue, self.text())
        return any(is_use(self.catalogue, touch.table) for touch in about)

    @contextmanager
    def part(self, span: tuple[int, int]) -> Iterator[Outcome]:
        """A part of the statement, with an outcome of its own."""
        whole, self.result = self.result, Outcome(self.analyser.definition)
        known, self.walker.problems = self.walker.problems, []
        self.result.span = span
        self.parts.append(self.result)
        try:
            yield self.result
        finally:
            self.result.problems.extend(self.walker.problems)
            self.result, self.walker.problems = whole, known

    def problem(self, kind: str, name: str = "") -> None:
        self.result.problems.append(Problem(kind, name, self.result.span))

    def _dispatch(self) -> None:
        verb, words = self.piece.verb, self.piece.words(8)
        if self._sets_server(verb):
            self.problem("server")
        if any(token.text.upper() == "SP_RENAME" for token in self.piece.tokens):
            moves(self)
        if verb == "VACUUM" and "INTO" in (token.text.upper() for token in self.piece.tokens):
            # SQLite writes the whole database to another file.
            self.problem("server")
        elif verb == "BATCH" or self._runs(verb, words):
            running.batch(self)
        elif verb == "{":
            running.call(self)
        elif verb == "WITH" and words[1:2] in (["FUNCTION"], ["PROCEDURE"]):
            with_functions(self)
        elif verb in _QUERIES or verb in _CHANGES:
            self._tree()
        elif supplied(self):
            return
        elif verb == "CREATE" or (verb == "ALTER" and words[1:2] and words[1] in _ROUTINES):
            creating.create(self, words)
        elif verb == "EXPLAIN":
            copying.explain(self)
        elif verb == "COPY":
            copying.copy(self)
        elif verb == "PREPARE":
            running.prepare(self)
        elif verb == "EXECUTE":
            running.execute(self)
        elif verb == "DO":
            running.do(self)
        elif verb == "FETCH":
            running.fetch(self)
        elif verb == "DECLARE" and "CURSOR" in self.piece.words(12):
            running.declare(self)
        elif verb in _RIGHTS or (verb in {"ALTER", "DROP"} and words[1:2] and words[1] in ACCOUNTS):
            self.problem("grant")
        elif verb == "ALTER" and "VIEW" in words:
            creating.altered(self, words)
        elif (verb == "ALTER" and len(words) > 1 and words[1] in SERVER_OBJECTS) or (
            verb in {"ALTER", "DROP"} and "AUDIT" in words[1:3]
        ):
            self.problem("server")
        elif verb in _HARMLESS:
            self._harmless(verb, words)
        else:
            self.problem("server" if verb in _KNOWN_SERVER else "unparsed")

    def _sets_server(self, verb: str) -> bool:
        """MySQL's SET of a variable of the whole server, or of whether the own statements are
        logged."""
        return (
            self.dialect == "mysql"
            and verb == "SET"
            and any(
                token.text.upper() in _FOR_ALL | _OWN_LOG
                and token.token_type is not TokenType.STRING
                for token in self.piece.tokens
            )
        )

    def text(self) -> str:
        return self.sql[self.piece.start : self.piece.end]

    def _runs(self, verb: str, words: list[str]) -> bool:
        """Whether it is a block or a call, or (MySQL) has to do with variables."""
        if verb in {"CALL", "EXEC"} or words[1:2] == ["IMMEDIATE"]:
            return verb != "BEGIN"
        if self.dialect == "postgres" and verb in {"DECLARE", "BEGIN"}:
            return dialects.opens_block(words)
        if verb in {"DECLARE", "BEGIN", "IF", "WHILE", "<"} and self.dialect != "postgres":
            return len(words) > 1 and words[1] not in {
                *("TRANSACTION", "TRAN", "WORK", "ISOLATION", "READ", "NOT", "DEFERRABLE"),
                *("EXCLUSIVE", "DEFERRED"),
            }
        if self.dialect == "mysql":
            marked = any(token.text == "@" for token in self.piece.tokens)
            return verb in {"PREPARE", "EXECUTE"} or (
                marked
                and (
                    verb == "SET"
                    or (verb == "SELECT" and self._assigns())
                    or (verb in _QUERIES | _CHANGES and self._uses_rows())
                )
            )
        return self.dialect in {"oracle", "tsql"} and verb in {"EXECUTE", "FETCH", "OPEN"}

    def _assigns(self) -> bool:
        """MySQL's SELECT that sets a user variable: `INTO @v`, `@v := x`."""
        texts = [token.text.upper() for token in self.piece.tokens]
        return any(text == "@" and at and texts[at - 1] == "INTO" for at, text in enumerate(texts))

    def _uses_rows(self) -> bool:
        """Whether a user variable is mentioned that the session filled from rows."""
        if self.state is None or not self.state.held:
            return False
        texts = [token.text.lower() for token in self.piece.tokens]
        return any(
            text == "@" and f"@{texts[at + 1]}" in self.state.held
            for at, text in enumerate(texts[:-1])
        )

    def _harmless(self, verb: str, words: list[str]) -> None:
        if verb == "START" and self.dialect == "oracle":
            # SQL*Plus runs a file.
            self.problem("unparsed")
        elif verb in {"ALTER", "RENAME"} and moves(self):
            # What is known of the table would no longer be true, or an expression tells of its rows.
            self.problem("unparsed")
        elif any(token.text.upper() in _READING for token in self.piece.tokens):
            # SET x = (SELECT …), ALTER VIEW … AS SELECT, SET … EXEC p: not read here.
            self.problem("unparsed")
        elif verb == "DROP" and self.state is not None:
            for before, token in pairwise(self.piece.tokens[1:]):
                if token.token_type not in {TokenType.VAR, TokenType.IDENTIFIER}:
                    continue
                # What was put into a table of the catalogue stays known: the DROP may be rolled back.
                if before.text == "#" or self.catalogue.table(token.text) is None:
                    self.state.drop(token.text)

    def _tree(self) -> None:
        rest = dialects.without_file(self.piece) if self.dialect == "mysql" else None
        if rest is not None:
            query = dialects.parse(rest, self.sql, self.dialect)
            if isinstance(query, exp.Query):
                self.query(query, self.scope())
                self.result.delivery = "stored"
            else:
                self.problem("unparsed")
            return
        node = dialects.tree(self.piece, self.sql, self.dialect)
        if node is None or self._loses_output(node):
            self.problem("unparsed")
        else:
            self.node(node, self.scope())

    def _loses_output(self, node: exp.Expr) -> bool:
        """Whether the parser took T-SQL's OUTPUT for something else: then rows come back unseen."""
        return (
            self.dialect == "tsql"
            and isinstance(node, (exp.Insert, exp.Update, exp.Delete, exp.Merge))
            and node.args.get("returning") is None
            and any(t.text.upper() == "OUTPUT" for t in self.piece.tokens)
        )

    def scope(self) -> Scope:
        return Scope(self.walker)

    def node(self, node: exp.Expr, scope: Scope) -> None:
        if self.state is not None and self.state.latest:
            self._tell_variables(node, self.state.latest)
        if isinstance(node, exp.Insert):
            self._insert(node, scope)
        elif isinstance(node, (exp.Update, exp.Delete, exp.Merge)):
            self._change(node, scope)
        elif isinstance(node, (exp.Query, exp.Values)):
            self.query(node, scope)
        elif isinstance(node, exp.Create):
            creating.create_from(self, node, scope)
        else:
            self.problem("unparsed")

    def query(self, node: exp.Expr, scope: Scope) -> None:
        self._changing_ctes(node, scope)
        into = node.args.get("into")
        note_operator(self, node)
        if self.dialect == "postgres" and scope.own:
            running.scheduled(self, node)
        if self.dialect == "mysql" and scope.own:
            self._set_variables(node)
        self.result.blocks(self.walker.query(node, scope), self.reading)
        if into is not None:
            self.result.delivery = "stored"
            self._keep_into(node, into)

    def _tell_variables(self, node: exp.Expr, latest: Mapping[str, str]) -> None:
        """MySQL's user variables in a statement: what each was set to last."""
        for part in node.find_all(exp.Parameter):
            text = latest.get(f"@{part.name.lower()}")
            if text is not None:
                part.meta["latest"] = text
                self.walker.volatile = True

    def _set_variables(self, node: exp.Expr) -> None:
        """MySQL's `@v := x` in a query: a text may be run later, what came from rows be read. One that
        only counts rows says no more than they do."""
        if self.state is None:
            return
        for part in node.find_all(exp.PropertyEQ):
            if not isinstance(part.this, exp.Parameter):
                continue
            name, value = f"@{part.this.name.lower()}", part.expression
            const = fold(value, self.reading, True)
            if const is not None and const.text is not None:
                self.reading.bind(const)
                self.state.keep_texts(name, (const.text,))
                continue
            if name in self.state.texts:
                self.state.keep_texts(name, None)
            if isinstance(node, exp.Select) and value.find(exp.Column, exp.Query, exp.AggFunc):
                rows = node.copy()
                rows.set("expressions", [value.copy()])
                self.state.hold(name, [self.frozen(rows)])

    def _changing_ctes(self, node: exp.Expr, scope: Scope) -> None:
        """Judge what the changes among the CTEs put elsewhere, each by itself: what they return goes to
        the statement, and may be less."""
        named = Scope(self.walker, None, scope.ctes, scope.anchor)
        self.walker.define(node, named)
        for cte in ctes(node):
            if isinstance(cte.this, (exp.Insert, exp.Update, exp.Delete, exp.Merge)):
                change = cte.this.copy()
                change.set("returning", None)
                with self.part(self.result.span):
                    self.node(change, Scope(self.walker, None, named.ctes, scope.anchor))

    def _keep_into(self, node: exp.Expr, into: exp.Expr) -> None:
        target = into.this
        if self.state is None or not isinstance(target, exp.Table):
            return
        twin = self.frozen(node)
        twin.set("into", None)
        name = target.name.lower()
        temporary = bool(into.args.get("temporary")) or name.startswith("#")
        self.state.keep(Made(name, [], [(twin, [])], self.state.world()), temporary)

    def frozen(self, node: exp.Expr) -> exp.Expr:
        constants: dict[str, str | None] = {}
        binds = self.reading.binds
        if binds is not None:
            constants = {f"{BIND}{n}": text for n, text in enumerate(binds)}
        return frozen_tree(node, constants)

    def _insert(self, node: exp.Insert, scope: Scope) -> None:
        note_operator(self, node)
        if ctes(node):
            self.walker.define(node, scope)
            self._changing_ctes(node, scope)
        if node.args.get("returning") is not None:
            # What comes back may be less than what is put in.
            with self.part(self.result.span) as back:
                back.blocks(returning(self.walker, node, scope), self.reading)
        source = node.expression
        target = node.this.this if isinstance(node.this, exp.Schema) else node.this
        columns = (
            [part.name.lower() for part in node.this.expressions]
            if isinstance(node.this, exp.Schema)
            else []
        )
        running.job_texts(self, node, target)
        if isinstance(source, exp.Values):
            self._values(source, scope)
            conflict = node.args.get("conflict")
            for part in conflict.expressions if conflict is not None and scope.own else []:
                if isinstance(part, exp.EQ) and is_pure(part.expression):
                    self._free(part.expression)
            return
        if source is None or not isinstance(source, exp.Query):
            return
        self.walker.define(node, scope)
        if isinstance(target, exp.Table) and self._is_move(node, target, source, scope):
            self._free_where(source, scope)
            return
        before, unknown = len(self.result.findings), len(self.walker.problems)
        self.result.blocks(
            self.walker.query(source, Scope(self.walker, None, scope.ctes, scope.anchor)),
            self.reading,
        )
        self.result.delivery = "stored"
        stored = self.result.findings[before:]
        if (
            self.state is not None
            and isinstance(target, exp.Table)
            and (
                self.state.made(target.name) is not None
                or self._taints(target, stored, len(self.walker.problems) > unknown)
            )
        ):
            self.state.add(target.name, self.frozen(source), columns)

    def _taints(self, target: exp.Table, stored: list[rules.Finding], unknown: bool) -> bool:
        """Whether a table that nobody guards now holds what these findings found, or (`unknown`)
        what the catalogue does not tell."""
        table = self.catalogue.table(dotted(target))
        if table is None:
            return any(f.disclosure != "none" or f.yields for f in stored)
        guarded = table.kind in {"usage", "stock"}
        return not guarded and (unknown or any(f.disclosure == "usage" for f in stored))

    def _values(self, source: exp.Values, scope: Scope) -> None:
        """Plain INSERT: its literals are free; a sub-select among them is stored."""
        for row in source.expressions:
            for cell in row.expressions if isinstance(row, exp.Tuple) else [row]:
                if scope.own and is_pure(cell):
                    self._free(cell)
                elif cell.find(exp.Query, exp.Anonymous) is not None:
                    select = exp.Select(expressions=[cell.copy()])
                    blocks = self.walker.query(select, Scope(self.walker, None, scope.ctes, None))
                    self.result.blocks(blocks, self.reading)
                    self.result.delivery = "stored"

    def _is_move(
        self, node: exp.Insert, target: exp.Table, source: exp.Query, scope: Scope
    ) -> bool:
        """Rule 5: rows moved as they are between two usage tables of the same columns. Other tables
        may choose the rows, and the rows may be those that a DELETE of the same statement returns.
        """
        if not isinstance(source, exp.Select):
            return False
        if any(source.args.get(k) for k in ("group", "having", "distinct", "with_", "windows")):
            return False
        source = _unwrapped(source)
        first = source.args.get("from_")
        origin = first.this if first is not None else None
        if not isinstance(origin, exp.Table) or not self._keeps_rows(target):
            return False
        if source.args.get("joins") and not _only_of(source.expressions, origin):
            return False
        deleted = _deleted_rows(scope, origin)
        if deleted is not None:
            origin = deleted
        if deleted is None and dotted(origin) in scope.ctes:
            return False
        return self._archives(dotted(origin), dotted(target), source.expressions)

    def _archives(self, origin: str, target: str, outputs: Sequence[exp.Expr]) -> bool:
        """Whether columns as they are go from one usage table to another of the same columns."""
        into, out = self.catalogue.table(target), self.catalogue.table(origin)
        if into is None or out is None or into.kind != "usage" or out.kind != "usage":
            return False
        if into.columns != out.columns:
            return False
        if self.state is not None and self.state.made(origin) is not None:
            return False
        return all(
            isinstance(part, exp.Star)
            or (
                isinstance(part, exp.Column)
                and (isinstance(part.this, exp.Star) or part.name.lower() in out.columns)
            )
            for part in outputs
        )

    def _keeps_rows(self, target: exp.Table) -> bool:
        """Whether an INSERT puts its rows into this table alone: Oracle's INSERT ALL names others."""
        words = [token.text.upper() for token in self.piece.tokens]
        if not {"ALL", "FIRST"} & set(words[1:2]):
            return True
        named = {
            self.piece.tokens[at + 1 + 2 * (words[at + 2 : at + 3] == ["."])].text.lower()
            for at, word in enumerate(words[:-3])
            if word == "INTO"
        }
        return named == {target.name.lower()}

    def _change(self, node: exp.Expr, scope: Scope) -> None:
        """UPDATE, DELETE, MERGE: RETURNING as SELECT; figures written elsewhere are stored."""
        note_operator(self, node)
        clause = node.args.get("returning")
        if ctes(node):
            self.walker.define(node, scope)
            self._changing_ctes(node, scope)
        if clause is not None:
            into = clause.args.get("into")
            into = into if isinstance(into, exp.Expr) and self.dialect == "tsql" else None
            if into is not None and self._moves_out(node, into, clause.expressions):
                return
            self.result.blocks(returning(self.walker, node, scope), self.reading)
            if into is not None:
                self._output_into(node, into)
            return
        self._free_assignments(node, scope)
        target = node.this
        running.job_texts(self, node, target)
        real = aliased(node, target) or target if isinstance(target, exp.Table) else None
        kind = self.catalogue.table(dotted(real)) if real is not None else None
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
            self.result.blocks(self.walker.query(select, self.scope()), self.reading)
            self.result.delivery = "stored"

    def _moves_out(self, node: exp.Expr, into: exp.Expr, outputs: Sequence[exp.Expr]) -> bool:
        """Rule 5: `DELETE t OUTPUT deleted.* INTO t_history`."""
        tables = node.args.get("tables") or []
        target = node.this if isinstance(node.this, exp.Table) else (tables or [None])[0]
        if not isinstance(node, exp.Delete) or not isinstance(target, exp.Table):
            return False
        if not isinstance(into, exp.Identifier) or len(tables) > 1:
            return False
        if any(table.name.lower() != target.alias_or_name.lower() for table in tables):
            return False
        real = aliased(node, target) or target
        return all(
            isinstance(part, exp.Column) and part.table.lower() == "deleted" for part in outputs
        ) and self._archives(dotted(real), into.name, outputs)

    def _output_into(self, node: exp.Expr, target: exp.Expr) -> None:
        """T-SQL's `OUTPUT … INTO t`: the rows are put there."""
        self.result.delivery = "stored"
        rows = returned_rows(node)
        if self.state is not None and rows is not None and isinstance(target, exp.Identifier):
            name = f"#{target.name}" if target.args.get("temporary") else target.name
            self.state.add(name, self.frozen(rows), [])

    def _probed(self, node: exp.Expr, scope: Scope) -> None:
        """What the number of rows changed tells, or the text of an error (`CAST(… AS int)`): as a
        SELECT with this WHERE. A figure worked out there always tells, unless each record is changed
        for its own; how many rows there are, when an item and a prescriber are fixed and no patient
        is. Keys looked up there (`cfh IN (SELECT cfh …)`) are work."""
        rows = self._changed_rows(node)
        if rows is None:
            self._free_where(node, scope)
            return
        worked_out = any(_works_out(q) for q in rows.find_all(exp.Query) if q is not rows)
        found: list[rules.Finding] = []
        for output, telling in ((exp.Literal.number(1), worked_out), (_count(), True)):
            if not telling:
                continue
            select = rows.copy()
            select.set("expressions", [output])
            problems = len(self.walker.problems)
            # One patient's sums looked at where they belong are a plain change.
            found.extend(
                one
                for one in self._found(self._looked_at(select, scope))
                if worked_out or one.grain == "prescriber"
            )
            if not worked_out:
                # Counting reads no more than the change itself.
                del self.walker.problems[problems:]
        own = worked_out and bool(found) and self._by_record(node, rows, scope)
        if own:
            found = [one for one in found if one.grain == "prescriber" or one.subtype != "total"]
        if not own and not isinstance(node, exp.Merge):
            found = [*self._marked(node, rows, scope, worked_out), *found]
        self.result.findings.extend(found)

    def _looked_at(self, select: exp.Select, scope: Scope) -> list[Block]:
        return self.walker.query(select, Scope(self.walker, None, scope.ctes, scope.anchor))

    def _found(self, blocks: list[Block]) -> list[rules.Finding]:
        """The usage among what the blocks reveal, under the definition."""
        before = len(self.result.findings)
        self.result.blocks(blocks, self.reading)
        found = self.result.findings[before:]
        del self.result.findings[before:]
        return [one for one in found if one.disclosure == "usage"]

    def _by_record(self, node: exp.Expr, rows: exp.Select, scope: Scope) -> bool:
        """Whether each row is changed for figures of its own patient, visit or prescription: then for
        a single one, known by its keys, the figures are clinical."""
        target = _target(node)
        table = self.catalogue.table(dotted(target)) if target is not None else None
        keys = [c for c, role in table.columns.items() if role in KEY_ROLES] if table else []
        if target is None or not keys:
            return False
        single = rows.copy()
        for key in keys:
            column = exp.column(key, table=target.alias_or_name)
            single.where(exp.EQ(this=column, expression=exp.Literal.string("1")), copy=False)
        if not single.expressions:
            single.set("expressions", [exp.Literal.number(1)])
        problems = len(self.walker.problems)
        found = self._found(self._looked_at(single, scope))
        del self.walker.problems[problems:]
        return not found

    def _marked(
        self, node: exp.Expr, rows: exp.Select, scope: Scope, worked_out: bool
    ) -> list[rules.Finding]:
        """What it tells that the rows of these items or prescribers are the ones changed: who used
        them, which they used, or how much. That an item was ever used is no secret; nor is, in a table
        of use itself, whose the rows are."""
        target = _target(node)
        table = self.catalogue.table(dotted(target)) if target is not None else None
        of_use = table is not None and table.kind == "usage"
        if target is None or (of_use and not worked_out):
            return []
        bare = target.copy()
        bare.set("joins", None)
        select = rows.copy()
        select.set("expressions", [exp.Literal.number(1)])
        problems = len(self.walker.problems)
        blocks = self._looked_at(select, scope)
        del self.walker.problems[problems:]
        found: list[rules.Finding] = []
        for block in blocks:
            own = _own(block, target, dialects.span(bare) if scope.anchor is None else None)
            asked = [s for edge in block.edges for s in (edge.a, edge.b)]
            asked.extend(fact.source for fact in block.facts if fact.op in {"other", "chosen"})
            marked = {s for s in asked if s.instance in own and s.role in _MARKED}
            if not marked or self._by_record(node, rows, scope):
                continue
            block.columns = [(s.column, Flow(frozenset({s}), exact=s)) for s in marked]
            block.rows = frozenset() if of_use else block.rows & own
            measured = rules.picks_by_amount(block, self.reading) or (
                worked_out and block.shown.measured
            )
            found.extend(
                one for one in self._found([block]) if measured or one.grain == "prescriber"
            )
        return found

    def _changed_rows(self, node: exp.Expr) -> exp.Select | None:
        """The rows that a change is about, when use of items has to do with them."""
        target, where = node.this, node.args.get("where")
        if not isinstance(target, exp.Table) or not any(
            map(self._guarded, node.find_all(exp.Table))
        ):
            return None
        if isinstance(node, exp.Merge):
            using, on = node.args.get("using"), node.args.get("on")
            if not isinstance(using, exp.Expr) or not isinstance(on, exp.Expr):
                return None
            joins = [exp.Join(this=using.copy(), on=on.copy())]
            asked = [exp.paren(c) for c in _conditions(node) if c.find(exp.Query) is not None]
            where = exp.Where(this=exp.or_(*asked, copy=False)) if asked else None
            return exp.Select(from_=exp.From(this=target.copy()), joins=joins, where=where)
        if where is None and not _joins_others(node):
            return None
        return changed_rows(node, target, [])

    def _guarded(self, table: exp.Table) -> bool:
        """Whether a table holds use of items, or something that may lead to it."""
        name = dotted(table)
        known = self.catalogue.table(name)
        if known is None:
            return True
        return known.kind in {"usage", "stock"}

    def _updated(self, node: exp.Update, target: exp.Table, scope: Scope) -> None:
        """Figures written into the rows of some other table: as a SELECT of these rows with them."""
        sets = [part for part in node.expressions if isinstance(part, exp.EQ)]
        values = [part.expression for part in sets]
        if not _joins_others(node) and not any(v.find(exp.Query) is not None for v in values):
            return
        brought = [part for part in sets if self._brings_use(node, target, part.expression, scope)]
        if not brought:
            return
        rows = changed_rows(node, target, [exp.Star(), *(value.copy() for value in values)])
        found = self._found(self._looked_at(rows, scope))
        if self._keeps_figures(target, brought) and self._by_record(node, rows, scope):
            return
        # One patient's sums written where they belong are a plain UPDATE.
        self.result.findings.extend(found)
        self.result.delivery = "stored"

    def _brings_use(
        self, node: exp.Update, target: exp.Table, value: exp.Expr, scope: Scope
    ) -> bool:
        """Whether a value that is set comes from use of items in another table, or from what is not
        known."""
        problems = len(self.walker.problems)
        blocks = self._looked_at(changed_rows(node, target, [value.copy()]), scope)
        unknown = len(self.walker.problems) > problems
        real = _target(node) or target
        bare = real.copy()
        bare.set("joins", None)
        for block in blocks:
            own = _own(block, real, dialects.span(bare) if scope.anchor is None else None)
            shown = block.output()
            reached = {source.instance for source in shown.sources()} | shown.counted
            if any(i.table is not None and i.table.kind in _OF_USE for i in reached - own):
                return True
        return unknown

    def _keeps_figures(self, target: exp.Table, brought: list[exp.EQ]) -> bool:
        """Whether figures are set only where use has its figures: a prescription's own amount."""
        table = self.catalogue.table(dotted(target))
        return (
            table is not None
            and table.kind == "usage"
            and all(table.columns.get(part.this.name.lower()) in MEASURE_ROLES for part in brought)
        )

    def _free_assignments(self, node: exp.Expr, scope: Scope) -> None:
        for part in node.args.get("expressions") or []:
            value = part.expression if isinstance(part, exp.EQ) else None
            if value is not None and scope.own and is_pure(value):
                self._free(value)
        whens = node.args.get("whens")
        for when in whens.expressions if whens is not None and scope.own else []:
            for part in when.args["then"].find_all(exp.EQ, exp.Tuple):
                values = [part.expression] if isinstance(part, exp.EQ) else part.expressions
                for value in values:
                    if is_pure(value):
                        self._free(value)

    def _free(self, node: exp.Expr) -> None:
        """What is only written down says nothing, whatever the constants."""
        for literal in node.find_all(exp.Literal):
            if "start" in literal.meta:
                self.reading.free.add(literal.meta["start"])

    def _free_where(self, node: exp.Expr, scope: Scope) -> None:
        """Which rows of a harmless table are changed says nothing, whatever the constants."""
        where = node.args.get("where")
        if where is None or not scope.own or where.find(exp.Query) is not None:
            return
        for literal in where.find_all(exp.Literal):
            if "start" in literal.meta:
                self.reading.free.add(literal.meta["start"])

    def _known_objects(self, node: exp.Expr, scope: Scope) -> None:
        """A change of a clinical table that calls something unknown is not harmless."""
        for call in node.find_all(exp.Anonymous):
            name = call.name.lower()
            if not self.walker.is_builtin(name) and self.catalogue.procedure(name) is None:
                self.walker.problem("unknown_function", name, call, scope)

    def again(self, text: str, binds: list[str | None] | None) -> None:
        """Run a remembered text: its findings stand where the EXECUTE or FETCH stands."""
        inner = Reading(binds, settled=True)
        for piece in dialects.pieces(text, self.dialect):
            statement = Statement(self.analyser, text, self.dialect, inner, self.state, piece)
            for found in statement.outcomes():
                for finding in found.findings:
                    finding.reasons = [
                        Reason(r.code, r.text, *self.result.span) for r in finding.reasons
                    ]
                self.result.findings.extend(found.findings)
                self.result.problems.extend(
                    Problem(p.kind, p.name, self.result.span) for p in found.problems
                )
                if found.findings:
                    self.result.delivery = found.delivery


def keep_unread(
    catalogue: Catalogue,
    state: SessionState,
    text: str,
    dialect: str,
    words: Sequence[str] = (),
    unbounded: bool = False,
) -> None:
    """Remember where a text that was not read may have put rows. `words` are those of the statement,
    when they are known; `unbounded`: it may have run anything."""
    about = estimate.touches(catalogue, text)
    telling = unbounded or any(is_use(catalogue, touch.table) for touch in about)
    for name in estimate.targets(words or _WORD.findall(text), dialect):
        known = catalogue.table(name)
        if known is None or (telling and not is_use(catalogue, known.name)):
            state.add(name, estimate.unread(catalogue, text), [])


def _only_of(outputs: list[exp.Expr], table: exp.Table) -> bool:
    """Whether all outputs are columns that are said to be the table's."""
    name = table.alias_or_name.lower()
    return all(isinstance(part, exp.Column) and part.table.lower() == name for part in outputs)


def _deleted_rows(scope: Scope, origin: exp.Table) -> exp.Table | None:
    """The table of `WITH d AS (DELETE FROM t … RETURNING *) INSERT … SELECT … FROM d`."""
    named = scope.ctes.get(origin.name.lower())
    if named is None or origin.args.get("db"):
        return None
    change = named.node
    clause = change.args.get("returning") if isinstance(change, exp.Delete) else None
    if clause is None or not isinstance(change.this, exp.Table):
        return None
    own = change.this.alias_or_name.lower()
    joined = bool(change.args.get("using"))
    whole = all(
        isinstance(part, exp.Star)
        if not isinstance(part, exp.Column)
        else part.table.lower() == own or not (joined or part.table)
        for part in clause.expressions
    )
    return change.this if whole and not clause.args.get("into") else None


def _unwrapped(select: exp.Select) -> exp.Select:
    """The SELECT that `SELECT x, y FROM (SELECT * …)` hands columns on of as they are."""
    first = select.args.get("from_")
    inner = first.this.this if first is not None and isinstance(first.this, exp.Subquery) else None
    plain = not {key for key, value in select.args.items() if value} - {"expressions", "from_"}
    if not plain or not isinstance(inner, exp.Select):
        return select
    if any(not isinstance(part, exp.Star) for part in inner.expressions):
        if any(not isinstance(part, exp.Star) for part in select.expressions):
            return select
        return _unwrapped(inner)
    if any(not isinstance(part, (exp.Star, exp.Column)) for part in select.expressions):
        return select
    inner = inner.copy()
    inner.set("expressions", [part.copy() for part in select.expressions])
    return _unwrapped(inner)


# The roles by which items and prescribers are marked.
_MARKED = ITEM_ROLES | PRESCRIBER_ROLES
_OF_USE = frozenset({"usage", "stock"})


def _joins_others(node: exp.Expr) -> bool:
    """Whether a change names other tables beside its target."""
    joins = isinstance(node.this, exp.Table) and bool(node.this.args.get("joins"))
    return joins or node.args.get("from_") is not None or bool(node.args.get("using"))


def _target(node: exp.Expr) -> exp.Table | None:
    """The table that is changed, with the alias it goes by."""
    target = node.this
    return (aliased(node, target) or target) if isinstance(target, exp.Table) else None


def _own(block: Block, target: exp.Table, span: Span | None) -> frozenset[Instance]:
    """The instances that the changed table is, told by where it stands in the statement, or by name."""
    if span is None:
        name = target.alias_or_name.lower()
        return frozenset(i for i in block.instances if i.name == name)
    return frozenset(i for i in block.instances if i.span == span)


def _count() -> exp.Expr:
    return exp.Count(this=exp.Star())


def _conditions(merge: exp.Merge) -> list[exp.Expr]:
    """What stands between WHEN [NOT] MATCHED AND … THEN."""
    whens = merge.args.get("whens")
    found = [when.args.get("condition") for when in whens.expressions] if whens is not None else []
    return [condition for condition in found if isinstance(condition, exp.Expr)]


def _works_out(query: exp.Expr) -> bool:
    """Whether a sub-select works out a figure or packs rows, rather than look up keys."""
    return query.find(exp.AggFunc, exp.Cast, exp.Array) is not None or isinstance(
        query.parent, exp.Cast
    )


def ctes(node: exp.Expr) -> list[exp.Expr]:
    clause = node.args.get("with_")
    return list(clause.expressions) if clause is not None else []
