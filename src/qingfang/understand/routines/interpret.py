"""What a body does: a bounded reading of its statements with all values its variables may hold.

Rules this module keeps:

1. What is handed on is what counts: rows of a query without INTO, values of OUT parameters, RETURN,
   PRINT and RAISE, and what is put into a table that outlives the body. A figure that only stays in
   a local variable or table discloses nothing; used in a query later, its rows are joined to it.
2. Branches that the call's arguments decide are taken alone; of others all are read, and a condition
   on rows counts for what is handed on, or assigned, under it.
3. Loops are read until nothing new comes; what still grows then is not known.
4. SQL put together at run time is read for every text it may be. A hole where a value stands is a
   value that is not known; where it is part of a table's name, the catalogue's tables of such names
   are read; a hole anywhere else makes the body opaque, and what the rest reveals counts too.
5. Work is counted, never timed; over budget raises `OverBudget`. A routine that calls itself is
   opaque.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlglot import exp

from qingfang.understand.builtin import PROCEDURES_ABOUT_OBJECTS, SCHEDULERS
from qingfang.understand.holding import MAX_PINS
from qingfang.understand.routines.evaluate import Evaluator
from qingfang.understand.routines.frames import Frame, Sink, Stored, Table
from qingfang.understand.routines.source import read
from qingfang.understand.routines.tree import (
    Assign,
    Block,
    Call,
    Change,
    Cursor,
    Declare,
    DeclareTable,
    Each,
    Execute,
    Fetch,
    Given,
    Hand,
    If,
    InsertRun,
    Loop,
    Open,
    Prepare,
    Query,
    Release,
    Return,
    Routine,
    Run,
    Span,
    Step,
    Unread,
)
from qingfang.understand.routines.trees import (
    HOLE_WORD,
    appended_texts,
    arm_of,
    bases,
    drivers_names,
    family_names,
    guesses,
    holds_unread,
    how_many,
    joined_env,
    literal_offsets,
    misplaced,
    named_argument,
    no_holes,
    rows_changed,
    rows_updated,
    table_key,
    table_name,
    widened,
)
from qingfang.understand.routines.values import (
    HOLE,
    MAX_LEAVES,
    MAX_LENGTH,
    MAX_TEXTS,
    PLAIN_HOLE,
    UNKNOWN,
    Leaf,
    Value,
    has_hole,
    join,
    nothing,
)
from qingfang.understand.scope import OverBudget
from qingfang.understand.state import ANY_PORTAL, UNNAMED_PORTAL
from qingfang.understand.supplied import sets_quotes_in

if TYPE_CHECKING:
    from qingfang.understand.walker import Walker

MAX_STEPS = 6_000
MAX_CALLS = 12
MAX_TURNS = 6
# Tables of one text whose names are known in part.
MAX_FAMILIES = 3
_WIDEN_AFTER = 2
# So many texts put behind one another are read one by one.
_FEW_APPENDS = 8

# Routines of the server's own that run no SQL of ours and hand nothing of a table on.
_HARMLESS = PROCEDURES_ABOUT_OBJECTS | {
    *("sp_xml_preparedocument", "sp_xml_removedocument"),
    *("raise_application_error", "commit", "rollback"),
}
# Routines that have a text run later, and the argument it stands in: by name, by place.
_JOBS = {
    "sp_add_jobstep": ("command", 99),
    "sp_update_jobstep": ("command", 99),
    "dbms_scheduler.create_job": ("job_action", 2),
    "dbms_scheduler.create_program": ("program_action", 2),
    "dbms_scheduler.set_attribute": ("value", 2),
    "dbms_job.submit": ("what", 1),
    "dbms_job.isubmit": ("what", 1),
    "dbms_job.change": ("what", 1),
    "dbms_job.what": ("what", 1),
}
# What else is done with jobs: when they run, and that they do not. Running one now is not among it.
_ABOUT_JOBS = frozenset(
    {
        *("dbms_job.remove", "dbms_job.broken", "dbms_job.interval", "dbms_job.next_date"),
        *("dbms_scheduler.create_schedule", "dbms_scheduler.drop_schedule"),
        *("dbms_scheduler.enable", "dbms_scheduler.disable", "dbms_scheduler.drop_job"),
        *("dbms_scheduler.stop_job", "dbms_scheduler.drop_program", "dbms_scheduler.purge_log"),
        *("dbms_scheduler.create_job_class", "dbms_scheduler.set_attribute_null"),
    }
)
# Attributes of a job that are run.
_RUN_ATTRIBUTES = frozenset({"job_action", "program_action", "program_name"})
# Kinds of job that the database itself runs, as its arguments call them.
_JOB_KINDS = frozenset({"tsql", "plsql_block", "stored_procedure", "sql_script"})


class Interpreter(Evaluator):
    """Reads what runs for one statement."""

    def __init__(self, walker: Walker, sink: Sink) -> None:
        super().__init__(walker, sink)
        self.steps = 0
        self.stack: list[str] = []
        self._seen: set[object] = set()
        self._cursors: dict[tuple[int, str], Cursor] = {}
        # Literals of branches' conditions on rows, of no account while nothing is handed on.
        self._asked: set[int] = set()
        self._handed = False
        # Branches, loops and handlers under way: what stands in them may not run.
        self._perhaps = 0

    # ------------------------------------------------------------ front doors

    def batch(self, routine: Routine, span: Span) -> Frame:
        """The client's own batch or block."""
        frame = Frame(True, None, span)
        frame.inner = routine.inner
        self.block(routine.body, frame)
        if not self._handed:
            self.reading.free |= self._asked
        return frame

    def invoke(self, name: str, given: Sequence[tuple[str, Value]], caller: Frame) -> Frame | None:
        """Run a routine by its name with these arguments; None when it is not known, or too deep."""
        found = self._routine(name, caller)
        if found is None:
            self.problem("unknown_procedure", name, caller)
            return None
        routine, key, package, inner = found
        if key in self.stack or len(self.stack) >= MAX_CALLS:
            self.problem("too_deep", name, caller)
            return None
        frame = Frame(False, caller.anchor or caller.span, caller.span)
        frame.inner, frame.package = inner, package
        frame.tables = dict(caller.tables)
        frame.caught = caller.caught
        frame.guards = list(caller.guards)
        frame.plain = routine.plain
        self._parameters(routine, given, frame)
        self.stack.append(key)
        try:
            self.block(routine.body, frame)
            if routine.last is not None:
                self.step(routine.last, frame)
        finally:
            self.stack.pop()
        return frame

    def _parameters(
        self, routine: Routine, given: Sequence[tuple[str, Value]], frame: Frame
    ) -> None:
        by_name = {name: value for name, value in given if name}
        by_place = [value for name, value in given if not name]
        inputs = routine.parameters
        if self.dialect == "postgres" and len(by_place) <= sum(
            p.mode in {"in", "inout", "variadic"} for p in inputs
        ):
            inputs = [p for p in inputs if p.mode not in {"out", "table"}]
        places = {p.name: at for at, p in enumerate(inputs)}
        frame.positional = []
        for parameter in routine.parameters:
            value = by_name.get(parameter.name)
            at = places.get(parameter.name, len(by_place))
            if value is None and at < len(by_place):
                value = by_place[at]
            if parameter.mode in {"out", "table"}:
                value = nothing() if self.dialect != "oracle" else Value(("",), (), exp.Null())
            elif value is None and parameter.default is not None:
                value = self.value(parameter.default, frame)
            elif value is None:
                value = UNKNOWN
            value = value.typed(parameter.kind)
            frame.env[parameter.name] = value
            frame.positional.append(value)

    # ------------------------------------------------------------ saying

    def show(self, tree: exp.Expr, frame: Frame, stored: bool = False) -> None:
        """Rows handed on, and what decided that they are."""
        for guard in frame.guards:
            self._show(guard, frame, stored)
        if frame.caught is not None and not stored:
            frame.caught.append(tree)
        else:
            self._show(tree, frame, stored)

    def _show(self, tree: exp.Expr, frame: Frame, stored: bool) -> None:
        self._handed = True
        if frame.loops or frame.guards:
            seen = (tree.sql(), frame.span, stored)
            if seen in self._seen:
                return
            self._seen.add(seen)
        self.sink.shown(tree, frame.span, frame.anchor, stored)

    def show_value(self, value: Value, frame: Frame, stored: bool = False) -> None:
        """A value handed on: nothing, unless it came from rows."""
        self.show_select(None, frame, value, stored)

    def show_select(
        self,
        select: exp.Select | None,
        frame: Frame,
        value: Value | None = None,
        stored: bool = False,
    ) -> None:
        if value is None:
            assert select is not None
            controls: list[exp.Select] = []
            tree = self.bound(select, frame, controls)
            control = tuple(dict.fromkeys(controls))
        else:
            control = value.control
            tree = self._as_rows(value)
        if self._reads(tree):
            self.show(tree, frame, stored)
        elif frame.guards:
            self.show(exp.Select(expressions=[exp.Literal.number(1)]), frame, stored)
        for condition in control:
            self._show(condition, frame, stored)

    def _as_rows(self, value: Value) -> exp.Select:
        """A query whose one column is the value."""
        tree = exp.Select(expressions=[exp.Null()])
        if value.leaves:
            tree.expressions[0].replace(self._stand_in(value, tree, {}))
        return tree

    def _lasting(self, texts: tuple[str, ...] | None) -> tuple[str, ...] | None:
        """Texts as another statement can read them: numbers and times in them are not told apart."""
        if texts is None or no_holes(texts):
            return texts
        plain = {
            HOLE + at: PLAIN_HOLE
            for at, value in enumerate(self.holes)
            if value.plain and not value.leaves
        }
        return tuple(text.translate(plain) for text in texts)

    # ------------------------------------------------------------ statements

    def block(self, block: Block, frame: Frame) -> bool:
        """Whether it certainly ends the body."""
        before = dict(frame.env) if block.handlers else {}
        ended = False
        self._perhaps += bool(block.handlers)
        left_over = 0
        for at, step in enumerate(block.steps):
            if left_over:
                left_over -= 1
                continue
            left_over = self._appends(block.steps, at, frame)
            if left_over:
                left_over -= 1
                continue
            if self.step(step, frame) and not frame.jumps:
                ended = True
                break
        for handler in block.handlers:
            # It may have come here after any of the statements.
            left = frame.env
            frame.env = {name: join(before.get(name), left[name]) for name in left}
            self.block(handler, frame)
            frame.env = joined_env(left, frame.env)
            ended = False
        self._perhaps -= bool(block.handlers)
        return ended

    def step(self, step: Step, frame: Frame) -> bool:
        self.steps += 1
        self.walker.spend()
        if self.steps > MAX_STEPS:
            raise OverBudget
        outside = frame.span
        if frame.own and step.span != (0, 0):
            frame.span = step.span
        try:
            return self._step(step, frame)
        finally:
            frame.span = outside

    def _step(self, step: Step, frame: Frame) -> bool:
        if isinstance(step, Block):
            return self.block(step, frame)
        if isinstance(step, Assign):
            self._assign(step, frame)
        elif isinstance(step, Declare):
            value = self.value(step.value, frame) if step.value is not None else nothing()
            if step.value is None and self.dialect == "oracle":
                value = Value(("",), (), exp.Null())
            if frame.loops and step.name in frame.env and step.value is None:
                return False
            value = value.typed(step.kind)
            old = frame.env.get(step.name) if frame.jumps else None
            frame.env[step.name] = value if old is None else join(old, value)
        elif isinstance(step, Query):
            self._query(step, frame)
        elif isinstance(step, Change):
            self._change(step, frame)
        elif isinstance(step, If):
            return self._if(step, frame)
        elif isinstance(step, Loop):
            frame.jumps = frame.jumps or step.jumps
            if self._turned(step, frame):
                return False
            guards = self._guards(step.condition, frame) if step.condition is not None else []
            self._loop(step.body, frame, guards)
        elif isinstance(step, Each):
            self._each(step, frame)
        elif isinstance(step, Cursor):
            self._cursor(step, frame)
        elif isinstance(step, Release):
            if frame.own and not self._perhaps and not frame.jumps:
                self.sink.hold(step.name, [])
        elif isinstance(step, Open):
            self._open(step, frame)
        elif isinstance(step, Fetch):
            self._fetch(step, frame)
        elif isinstance(step, (Execute, Run)):
            self._run(step, frame)
        elif isinstance(step, Prepare):
            value = self.value(step.text, frame) if step.text is not None else UNKNOWN
            frame.env["prepared " + step.name] = value
            if frame.own or step.family:
                self._executed(value)
                kind, name = ("handle", step.family) if step.family else ("prepared", step.name)
                self.sink.learn(kind, name, self._lasting(value.texts))
        elif isinstance(step, Call):
            self._call(step, frame)
        elif isinstance(step, InsertRun):
            self._insert_run(step, frame)
        elif isinstance(step, DeclareTable):
            self._declare_table(step, frame)
        elif isinstance(step, Return):
            return self._return(step, frame)
        elif isinstance(step, Hand):
            if step.values:
                parts = [part for value in step.values for part in value.expressions]
                self.show_select(exp.Select(expressions=[p.copy() for p in parts]), frame)
            elif frame.guards:
                self.show(exp.Select(expressions=[exp.Literal.number(1)]), frame)
            return step.ends
        elif isinstance(step, Unread):
            self.problem("opaque_body" if step.kind == "unparsed" else step.kind, step.name, frame)
        return False

    # ------------------------------------------------------------ values

    def _assign(self, step: Assign, frame: Frame) -> None:
        value = self.value(step.value, frame) if step.value is not None else UNKNOWN
        if step.appends:
            value = self._appended(frame.env.get(step.target), value)
        self.put(step.target, value, frame)

    def _appends(self, steps: list[Step], start: int, frame: Frame) -> int:
        """How many statements from `start` on only put constant texts behind a known one (`SET @s =
        @s + '…'`, thousands of them for one long text): they are read together. 0: too few."""
        first = steps[start]
        if not isinstance(first, Assign) or frame.jumps or frame.guards:
            return 0
        old = frame.env.get(first.target)
        text = old.known() if old is not None and not (old.many or old.plain) else None
        if old is None or text is None or old.control:
            return 0
        parts: list[str] = [text]
        literals = set(old.literals)
        size = len(text)
        end = start
        while end < len(steps):
            step = steps[end]
            if not isinstance(step, Assign) or step.target != first.target or step.appends:
                break
            found = appended_texts(step.value)
            if found is None or self._lookup(found[0], frame, frozenset()) is not old:
                break
            for literal in found[1:]:
                parts.append(str(literal.this))
                size += len(parts[-1])
                literals.update(literal_offsets(literal, frame.own))
            if size > MAX_LENGTH:
                return 0
            end += 1
        if end - start < _FEW_APPENDS or has_hole("".join(parts[1:])):
            return 0
        self.walker.spend()
        value = Value(("".join(parts),), literals=frozenset(literals), binds=old.binds)
        self.put(first.target, value, frame)
        return end - start

    def put(self, target: str, value: Value, frame: Frame) -> None:
        """An assignment."""
        value = value.under(tuple(frame.guards))
        if not target:
            return
        head = target.split(".", 1)[0]
        if (
            head in {"new", ":0", ":1"}
            and "." in target
            and value.leaves
            and self.dialect != "tsql"
        ):
            # A trigger writes it into the row.
            self.show_value(value, frame)
        if target.startswith(":"):
            if frame.own:
                self.show_value(value, frame)
            frame.env[target] = value
            return
        old = frame.env.get(target)
        if old is not None and old.plain:
            value = value.typed("INT")
        if frame.jumps:
            value = join(old, value)
        frame.env[target] = value
        if target.startswith("@") and self.dialect == "mysql" and frame.own:
            self.sink.learn("variable", target, self._lasting(value.texts))
            if value.leaves:
                self.show_value(value, frame, True)  # the session keeps it
                self.sink.hold(target, [self._as_rows(value)])

    # ------------------------------------------------------------ putting values into queries

    # ------------------------------------------------------------ the body's own tables

    def _declare_table(self, step: DeclareTable, frame: Frame) -> None:
        if frame.own and step.name.startswith("#"):
            definition = exp.Create(
                this=exp.Schema(
                    this=exp.Table(this=table_name(step.name)),
                    expressions=[
                        exp.ColumnDef(this=exp.to_identifier(name)) for name in step.columns
                    ],
                ),
                kind="TABLE",
            )
            self.sink.did(definition, frame.span, frame.anchor)
            return
        if step.name not in frame.tables:
            frame.tables[step.name] = Table(step.columns)

    def _fill(self, local: Table, site: object, rows: exp.Expr, names: list[str]) -> None:
        if len(local.sources) >= 24 and id(site) not in local.sources:
            raise OverBudget
        local.sources[id(site)] = (rows, names)

    # ------------------------------------------------------------ queries and changes

    def _query(self, step: Query, frame: Frame) -> None:
        into_table = step.tree.args.get("into")
        if step.into is not None:
            self._query_into(step, frame)
            return
        controls: list[exp.Select] = []
        tree = self.bound(step.tree, frame, controls)
        if not self._fits(tree, frame):
            return
        if into_table is not None:
            name = table_key(into_table.this)
            if frame.own or not name.startswith("#"):
                self.show(tree, frame)
                return
            rows = tree.copy()
            rows.set("into", None)
            local = frame.tables.get(name)
            if local is None:
                local = frame.tables[name] = Table([])
            self._fill(local, step, rows, [])
            return
        if step.discarded:
            self._effects(step.tree, frame)
            if tree.find(exp.Anonymous) is not None and tree.find(exp.Table) is not None:
                self.show(tree, frame, True)  # handed to a function that may keep it
            return
        if frame.plain:
            frame.rows.append(tree)
            if len(frame.rows) > 1:
                frame.rows = [tree]  # a SQL function gives what its last query gives
            return
        self.show(tree, frame, step.filed)
        for condition in dict.fromkeys(controls):
            self._show(condition, frame, False)

    def _query_into(self, step: Query, frame: Frame) -> None:
        targets = step.into or []
        tree = step.tree
        bare_select = (
            isinstance(tree, exp.Select)
            and tree.args.get("from_") is None
            and tree.args.get("where") is None
            and len(tree.expressions) == len(targets)
        )
        if bare_select:
            for target, part in zip(targets, tree.expressions, strict=True):
                value = self.value(exp.Select(expressions=[part]), frame)
                if step.appends:
                    value = self._appended(frame.env.get(target), value)
                self.put(target, value, frame)
            return
        controls: list[exp.Select] = []
        bound = self.bound(tree, frame, controls)
        if not self._fits(bound, frame):
            for target in targets:
                self.put(target, UNKNOWN, frame)
            return
        self._effects(tree, frame)
        for at, found in enumerate(self._row(bound, step, targets)):
            value = found.under(tuple(dict.fromkeys(controls)))
            if step.appends:
                value = self._appended(frame.env.get(targets[at]), value)
            elif not self._always_a_row(tree):
                # Without a row the variable keeps what it held.
                old = frame.env.get(targets[at])
                if old is not None and old.leaves:
                    value = join(old, value)
            self.put(targets[at], value, frame)

    def _always_a_row(self, tree: exp.Expr) -> bool:
        return self.dialect in {"oracle", "postgres"} or tree.find(exp.AggFunc) is not None

    def _row(self, query: exp.Expr, site: object, targets: list[str]) -> list[Value]:
        """A query's row as the values of variables."""
        if not self._reads(query) and isinstance(query, exp.Select):
            return [
                Value(None, (), part.unalias().copy()) for part in query.expressions[: len(targets)]
            ] + [UNKNOWN] * (len(targets) - len(query.expressions))
        key = (id(site), *bases(query))
        columns = query.expressions if isinstance(query, exp.Select) else []
        whole = len(targets) == 1 and (
            not isinstance(query, exp.Select)
            or len(columns) > 1
            or any(isinstance(part, exp.Star) or part.find(exp.Star) for part in columns)
        )
        aggregated = len(columns) == 1 and columns[0].find(exp.AggFunc) is not None
        if whole and not aggregated:
            return [Value(None, (Leaf(query, None, key),))]
        return [
            Value(None, (Leaf(query, at, key, True, len(targets)),)) for at in range(len(targets))
        ]

    def _change(self, step: Change, frame: Frame) -> None:
        tree = step.tree
        target = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
        for name, value in step.sets:
            rows = self.bound(rows_changed(tree, value.expressions[0]), frame)
            self.put(
                name, Value(None, (Leaf(rows, 0, (id(step), name, *bases(rows)), False),)), frame
            )
        local = self._local(target, tree, frame)
        if local is not None:
            self._change_local(step, local, frame)
            return
        self._effects(tree, frame)
        source = self._as_select(tree) if isinstance(tree, exp.Insert) else None
        bound = self.bound(source if source is not None else tree, frame)
        if not self._fits(bound, frame):
            return
        if step.into is not None:
            plain = bound.copy()
            plain.set("returning", None)
            for at, value in enumerate(self._row(bound, step, step.into)):
                self.put(step.into[at], value, frame)
            bound = plain
        if (
            source is not None
            and isinstance(bound, exp.Insert)
            and not self._reads(bound.expression)
        ):
            bound = self.bound(tree, frame)
        self._did(bound, frame)

    def _did(self, tree: exp.Expr, frame: Frame) -> None:
        if frame.loops or frame.guards:
            seen = (tree.sql(), frame.span)
            if seen in self._seen:
                return
            self._seen.add(seen)
        self.sink.did(tree, frame.span, frame.anchor)

    def _as_select(self, tree: exp.Insert) -> exp.Insert | None:
        """`INSERT … VALUES (v, w)` as `INSERT … SELECT v, w`, so that rows can stand in for v."""
        values = tree.expression
        if not isinstance(values, exp.Values) or len(values.expressions) != 1:
            return None
        row = values.expressions[0]
        if not isinstance(row, exp.Tuple):
            return None
        twin = tree.copy()
        twin.set("expression", exp.Select(expressions=[cell.copy() for cell in row.expressions]))
        return twin

    def _local(self, target: object, tree: exp.Expr, frame: Frame) -> Table | None:
        if not isinstance(target, exp.Table):
            return None
        key = table_key(target)
        if key in frame.tables:
            return frame.tables[key]
        for table in tree.find_all(exp.Table):  # UPDATE a SET … FROM #t a
            if table.alias.lower() == key and table_key(table) in frame.tables:
                return frame.tables[table_key(table)]
        return None

    def _change_local(self, step: Change, local: Table, frame: Frame) -> None:
        tree = step.tree
        if tree.args.get("returning") is not None:
            self.problem("opaque_body", "", frame)
        if isinstance(tree, exp.Delete):
            return
        names = (
            [part.name.lower() for part in tree.this.expressions]
            if isinstance(tree.this, exp.Schema)
            else []
        )
        if isinstance(tree, exp.Insert):
            whole = self._as_select(tree)
            source = (whole if whole is not None else tree).expression
            if source is None or isinstance(source, exp.Values):
                for at, row in enumerate(source.expressions if source is not None else []):
                    cells = row.expressions if isinstance(row, exp.Tuple) else [row]
                    rows = self.bound(exp.Select(expressions=[c.copy() for c in cells]), frame)
                    if at < MAX_TEXTS:
                        self._fill(local, row, rows, names)
                return
            query = source.copy()
            if tree.args.get("with_") is not None and not query.args.get("with_"):
                query.set("with_", tree.args["with_"].copy())
            rows = self.bound(query, frame)
            if self._fits(rows, frame):
                self._effects(source, frame)
                self._fill(local, step, rows, names)
            return
        if isinstance(tree, exp.Merge):
            using = tree.args.get("using")
            if isinstance(using, exp.Expr):
                select = exp.Select(expressions=[exp.Star()], from_=exp.From(this=using.copy()))
                self._fill(local, step, self.bound(select, frame), [])
            return
        rows = self.bound(rows_updated(tree, local.columns), frame)
        if self._fits(rows, frame):
            self._fill(local, step, rows, local.columns)

    def _insert_run(self, step: InsertRun, frame: Frame) -> None:
        caught, frame.caught = frame.caught, []
        try:
            self.step(step.run, frame)
            found = frame.caught
        finally:
            frame.caught = caught
        local = frame.tables.get(step.table)
        for at, rows in enumerate(found):
            if local is not None:
                if at:
                    local.sources[id(step) + at] = (rows, step.columns)
                else:
                    self._fill(local, step, rows, step.columns)
                continue
            target: exp.Expr = exp.Table(this=table_name(step.table.split(".")[-1]))
            if step.columns:
                target = exp.Schema(
                    this=target, expressions=[exp.to_identifier(name) for name in step.columns]
                )
            self._did(exp.Insert(this=target, expression=rows), frame)

    # ------------------------------------------------------------ branches and loops

    def _if(self, step: If, frame: Frame) -> bool:
        before = frame.env
        left: dict[str, Value] | None = None
        ended = True
        pushed = 0
        certain = False
        for condition, block in step.arms:
            answer = self._decided(condition, frame) if condition is not None else None
            if condition is not None:
                self._effects(condition, frame)
            if answer is False:
                continue
            if condition is not None and answer is None:
                guards = self._guards(condition, frame)
                if frame.own and guards:
                    for literal in condition.find_all(exp.Literal, exp.National):
                        self._asked.update(literal_offsets(literal, True))
                frame.guards.extend(guards)
                pushed += len(guards)
            frame.env = dict(before)
            self._perhaps += 1
            done = self.block(block, frame)
            self._perhaps -= 1
            if not done:
                left = frame.env if left is None else joined_env(left, frame.env)
            ended = ended and done
            if answer is True:
                certain = True
                break
        if not certain:
            frame.env = dict(before)
            self._perhaps += 1
            done = self.block(step.other, frame) if step.other is not None else False
            self._perhaps -= 1
            if not done:
                left = frame.env if left is None else joined_env(left, frame.env)
            ended = ended and done
        for _n in range(pushed):
            frame.guards.pop()
        frame.env = left if left is not None else before
        return ended

    def _turned(self, step: Loop, frame: Frame) -> bool:
        """A loop that a counter ends after a few turns, one by one; False when it goes on, or it is not
        certain when it ends."""
        condition = step.condition
        if condition is None or step.jumps or condition.find(exp.Placeholder, exp.Column) is None:
            return False
        frame.loops += 1
        try:
            for _turn in range(MAX_PINS + 1):
                answer = self._decided(condition, frame)
                if answer is not True:
                    return answer is False
                if self.block(step.body, frame):
                    return False
            return False
        finally:
            frame.loops -= 1

    def _loop(self, body: Block, frame: Frame, guards: list[exp.Select]) -> None:
        frame.loops += 1
        self._perhaps += 1
        frame.guards.extend(guards)
        try:
            for turn in range(MAX_TURNS):
                before = dict(frame.env)
                shape = self._shape(frame)
                self.block(body, frame)
                frame.env = joined_env(before, frame.env)
                if turn >= _WIDEN_AFTER:
                    self._widen(before, frame)
                for name in list(frame.env):
                    if self._moved(before.get(name), frame.env[name]):
                        frame.env[name] = frame.env[name].moving()
                if self._shape(frame) == shape:
                    return
            self.problem("too_deep", "", frame)
        finally:
            frame.loops -= 1
            self._perhaps -= 1
            for _guard in guards:
                frame.guards.pop()

    def _moved(self, before: Value | None, after: Value) -> bool:
        """Whether a turn of a loop gave a variable another value, which came from no row."""
        if before is None or before is after or after.leaves:
            return False
        return before.given != after.given or before.texts != after.texts

    def _shape(self, frame: Frame) -> object:
        return (
            {name: value.signature() for name, value in frame.env.items()},
            {
                name: sorted((site, bases(rows)) for site, (rows, _n) in local.sources.items())
                for name, local in frame.tables.items()
            },
        )

    def _widen(self, before: dict[str, Value], frame: Frame) -> None:
        """Texts that grow from turn to turn: what they have in common, and a hole."""
        for name, value in frame.env.items():
            old = before.get(name)
            if old is None or value.texts is None or old.texts == value.texts:
                continue
            texts = value.texts
            if len(texts) > 1:
                texts = (widened(texts, self.hole(None, False)),)
            frame.env[name] = Value(
                texts, value.leaves, None, value.plain, value.control, value.literals, value.binds
            )

    def _each(self, step: Each, frame: Frame) -> None:
        guards: list[exp.Select] = []
        rows: list[exp.Expr] | None = None
        if isinstance(step.over, str):
            rows = self._cursor_rows(step.over, step.given, frame)
            if rows is None:
                rows = []
        elif step.over is not None:
            rows = self._rows_of(step.over, frame)
        if rows is not None:
            leaves = tuple(
                Leaf(query, None, (id(step), *bases(query))) for query in rows[:MAX_LEAVES]
            )
            if len(step.names) == 1:
                frame.env[step.names[0]] = Value(None, leaves)
            else:
                for at, name in enumerate(step.names):
                    frame.env[name] = Value(
                        None,
                        tuple(
                            Leaf(leaf.query, at, leaf.key, True, len(step.names)) for leaf in leaves
                        ),
                    )
            guards = [how_many(query) for query in rows if self._reads(query)]
        else:
            bound = self.value(step.value, frame) if step.value is not None else UNKNOWN
            if bound.leaves:
                # How often it turns tells the number.
                guards = [self._as_rows(bound)]
            for name in step.names:
                if name:
                    frame.env[name] = Value(
                        *(None, bound.derived().leaves, None, not bound.leaves), many=not step.few
                    )
        self._loop(step.body, frame, guards)

    # ------------------------------------------------------------ cursors

    def _cursor(self, step: Cursor, frame: Frame) -> None:
        frame.env["cursor " + step.name] = Value()
        self._cursors[self._cursor_key(step.name, frame)] = step
        if frame.own and self.dialect == "tsql" and step.over is not None and not step.local:
            # It outlives the batch: a FETCH on its own hands its rows on.
            self.sink.hold(step.name, self._rows_of(step.over, frame))

    def _cursor_key(self, name: str, frame: Frame) -> tuple[int, str]:
        return (id(frame), name)

    def _cursor_rows(self, name: str, given: list[Given], frame: Frame) -> list[exp.Expr] | None:
        """The rows of a declared cursor with these arguments, or of what a variable was opened for."""
        step = self._cursors.get(self._cursor_key(name, frame))
        if step is None or step.over is None:
            value = frame.env.get(name)
            if value is None:
                return None
            return [leaf.query for leaf in value.leaves]
        outside = frame.env
        frame.env = dict(outside)
        for at, parameter in enumerate(step.parameters):
            if at < len(given):
                frame.env[parameter] = self.value(given[at][1], frame)
        try:
            return self._rows_of(step.over, frame)
        finally:
            frame.env = outside

    def _rows_of(self, step: Step, frame: Frame) -> list[exp.Expr]:
        """The rows a query or a text gives, to be used here."""
        if isinstance(step, Query):
            tree = self.bound(step.tree, frame)
            self._effects(step.tree, frame)
            return [tree] if self._fits(tree, frame) else []
        caught, frame.caught = frame.caught, []
        plain, frame.plain = frame.plain, False
        try:
            self.step(step, frame)
            return frame.caught
        finally:
            frame.caught, frame.plain = caught, plain

    def _open(self, step: Open, frame: Frame) -> None:
        if step.over is not None:
            rows = self._rows_of(step.over, frame)
        else:
            found = self._cursor_rows(step.name, step.given, frame)
            if found is None:
                return
            rows = found
        value = Value(
            None,
            tuple(Leaf(query, None, (id(step), *bases(query))) for query in rows[:MAX_LEAVES]),
        )
        if not step.name:
            self.show_value(value, frame)
        if self.dialect == "postgres":
            for portal in self._portals(step, frame):
                self.sink.hold(portal, rows)
        self.put(step.name, value, frame)

    def _portals(self, step: Open, frame: Frame) -> list[str]:
        """The names under which the session can FETCH from a PL/pgSQL cursor until its transaction
        ends: what its variable held; else the server's choice, or the name of a bound cursor (as
        before version 16)."""
        key = "portal " + step.name
        held = frame.env.get(key) or frame.env.get(step.name) or nothing()
        frame.env[key] = Value(held.texts)
        if held.texts is None or not no_holes(held.texts):
            return [ANY_PORTAL]
        bound = [step.name] if step.over is None else []
        return list(held.texts) or [UNNAMED_PORTAL, *bound]

    def _fetch(self, step: Fetch, frame: Frame) -> None:
        value = frame.env.get(step.name)
        if value is None or not value.leaves:
            rows = self._cursor_rows(step.name, [], frame)
            if rows is None:
                rows = self.sink.held(step.name)
                if not rows:
                    self.problem("unknown_handle", step.name, frame)
                    for target in step.into or []:
                        self.put(target, UNKNOWN, frame)
                    return
            value = Value(
                None,
                tuple(Leaf(query, None, ("cursor", step.name, *bases(query))) for query in rows),
            )
        if step.into is None:
            self.show_value(value, frame)
            return
        guards = tuple(
            how_many(leaf.query) for leaf in value.leaves if frame.loops and self._reads(leaf.query)
        )
        single = len(step.into) == 1
        for at, target in enumerate(step.into):
            leaves: list[Leaf] = []
            for leaf in value.leaves:
                columns = leaf.query.expressions if isinstance(leaf.query, exp.Select) else []
                whole = single and (
                    len(columns) > 1 or any(isinstance(part, exp.Star) for part in columns)
                )
                column = None if whole else at
                leaves.append(Leaf(leaf.query, column, leaf.key, True, len(step.into)))
            self.put(target, Value(None, tuple(leaves), control=value.control), frame)
        # How often a loop fetches tells how many rows there are.
        for guard in guards:
            if not any(g == guard for g in frame.guards):
                frame.env["fetched " + step.name] = Value(None, (), None, False, (guard,))

    # ------------------------------------------------------------ dynamic SQL

    def _run(self, step: Execute | Run, frame: Frame) -> None:
        using = [self.value(value, frame) for _name, value, _out in step.using]
        into = step.into if isinstance(step, Execute) else None
        texts: tuple[str, ...] | None
        if isinstance(step, Run):
            found = frame.env.get("prepared " + step.name)
            if found is not None:
                texts = found.texts
            elif step.handle:
                texts = self.sink.text("handle", step.handle)
            else:
                texts = self.sink.text("prepared", step.name)
            if found is not None:
                self._executed(found)
            if found is None and texts is None:
                self.problem("unknown_handle", step.name, frame)
                return
        else:
            value = self.value(step.text, frame)
            self._executed(value)
            texts = value.texts
        for _name, _value, out in step.using:
            if self.dialect == "tsql" and out in frame.env:
                frame.env[out] = UNKNOWN
        if not texts:
            self.problem("opaque_body", "", frame)
            for target in into or []:
                self.put(target, UNKNOWN, frame)
            return
        caught: list[exp.Expr] = []
        outside = frame.caught
        if into is not None:
            frame.caught = caught
        try:
            for text in texts:
                names = [name for name, _v, _o in step.using]
                if isinstance(step, Run) and step.handle and not any(names):
                    names = drivers_names(text)
                self.run_text(text, using, frame, names, step)
        finally:
            frame.caught = outside
        if into is not None:
            values: list[Value | None] = [None] * len(into)
            for query in caught:
                for at, one in enumerate(self._row(query, step, into)):
                    values[at] = join(values[at], one)
            for target, one in zip(into, values, strict=True):
                self.put(target, one or UNKNOWN, frame)

    def _executed(self, value: Value) -> None:
        """A text is run: what it was made of decides what it means."""
        self.reading.fixed.update(value.literals)
        self.reading.fixed_binds.update(value.binds)

    def run_text(
        self,
        text: str,
        using: list[Value],
        frame: Frame,
        names: list[str] | None = None,
        step: Execute | Run | None = None,
    ) -> None:
        """One text that is run, holes and all."""
        if len(self.stack) >= MAX_CALLS:
            raise OverBudget
        if not text.strip():
            return
        if sets_quotes_in(text):
            self.reading.requoted = True
            self.problem("opaque_body", "", frame)
        prepared, unsafe = self._with_words(text)
        family = self._families(prepared, not unsafe) if HOLE_WORD in prepared else []
        if family:
            if unsafe:
                self.problem("opaque_body", "", frame)
            for member in family:
                self._run_read(read(member, self.dialect), using, frame, names, step)
            return
        found: Routine | None = None
        for attempt in (prepared, *(guesses(prepared) if HOLE_WORD in prepared else ())):
            routine = read(attempt, self.dialect)
            if not holds_unread(routine.body) and not misplaced(routine):
                found = routine
                unsafe = unsafe or attempt is not prepared
                break
        if found is None:
            self.problem("opaque_body", "", frame)
            return
        if unsafe:
            self.problem("opaque_body", "", frame)
        self._run_read(found, using, frame, names, step)

    def _families(self, text: str, plain: bool) -> list[str]:
        """The text for tables of which only a part of the name is known (`'cf_' || to_char(d,
        'YYYYMM')`, a table a month): one for each kind of table that the catalogue has under such
        names. A name it has none for becomes one that it does not know, so that what is put there
        counts, and what is read from there is opaque. Empty when no such name is in it."""
        routine = read(text, self.dialect)
        names = family_names(routine) if not holds_unread(routine.body) else None
        if names is None or len(names) > MAX_FAMILIES:
            return []
        texts = [text]
        for name in names:
            parts = re.split(HOLE_WORD + r"\d+_", name)
            members = self.walker.catalogue.family(parts, plain=plain)
            if not members:
                members = [re.sub(HOLE_WORD + r"\d+_", "0", name)]
            texts = [
                re.sub(rf"(?<![\w$#]){re.escape(name)}(?![\w$#])", member, one)
                for one in texts
                for member in members
            ]
        return texts if len(texts) <= MAX_TEXTS and all(HOLE_WORD not in t for t in texts) else []

    def _run_read(
        self,
        found: Routine,
        using: list[Value],
        frame: Frame,
        names: list[str] | None,
        step: Execute | Run | None,
    ) -> None:
        inner = Frame(False, frame.anchor or frame.span, frame.span)
        inner.tables = frame.tables if self.dialect != "tsql" else dict(frame.tables)
        inner.guards, inner.loops = list(frame.guards), frame.loops
        inner.caught = frame.caught
        inner.inner = {**frame.inner, **found.inner}
        inner.package = frame.package
        inner.positional = using
        for name, value in zip(names or [], using, strict=False):
            if name:
                inner.env[name] = value
        self.stack.append("text")
        try:
            self.block(found.body, inner)
        finally:
            self.stack.pop()
        for at, (name, _value, out) in enumerate(step.using if step is not None else ()):
            key = name if self.dialect == "tsql" else f":{at}"
            if out and key in inner.env:
                self.put(out, inner.env[key], frame)

    # ------------------------------------------------------------ calls

    def _call(self, step: Call, frame: Frame) -> None:
        names = [step.name]
        if step.variable:
            held = frame.env.get(step.name)
            if held is None or not held.texts or any(has_hole(text) for text in held.texts):
                self.problem("opaque_body", "", frame)
                return
            self._executed(held)
            names = [text.lower().strip() for text in held.texts]
        given = [(name, self.value(value, frame)) for name, value, _out in step.given]
        for name in [name.removeprefix("sys.") for name in names]:
            if name.rpartition(".")[2] in _HARMLESS and self._routine(name, frame) is None:
                # How long it sleeps, what it sets for the session: that can be seen.
                for _name, value in given:
                    if value.leaves:
                        self.show_value(value, frame)
                continue
            if name in _ABOUT_JOBS:
                continue
            if name == "dbms_scheduler.set_attribute" and self._sets_when(given):
                continue
            job = _JOBS.get(name.rpartition(".")[2]) or _JOBS.get(name)
            if job is not None:
                self._later(given, *job, frame)
                continue
            inner = self.invoke(name, given, frame)
            if inner is None and self._routine(name, frame) is None:
                # Whatever it is given, it is not known.
                for _name, value in given:
                    self.reading.free.update(value.literals)
            if inner is None:
                for _name, _value, out in step.given:
                    if out in frame.env:
                        frame.env[out] = UNKNOWN
                continue
            self._outputs(step, name, inner, frame)
            result = inner.result
            if step.into:
                self.put(step.into, self.returned(inner), frame)
            elif result is not None and result.leaves and frame.own:
                self.show_value(result, frame)

    def _sets_when(self, given: Sequence[tuple[str, Value]]) -> bool:
        """Whether SET_ATTRIBUTE changes how a job is run, not what it does."""
        named = dict(given)
        listed = [value for name, value in given if not name]
        attribute = named.get("attribute") or (listed[1] if len(listed) > 1 else None)
        texts = attribute.texts if attribute is not None else None
        return bool(texts) and not any(
            has_hole(text) or text.lower() in _RUN_ATTRIBUTES for text in texts or ()
        )

    def run_later(self, text: str, frame: Frame) -> None:
        """A text put where the server keeps what it runs by itself."""
        heard, self.sink = self.sink, Stored(self.sink)
        try:
            self.run_text(text, [], frame)
        finally:
            self.sink = heard

    def schedule(self, name: str, arguments: Sequence[exp.Expr], frame: Frame) -> None:
        """A call of one of `SCHEDULERS`: its text is kept, and run some time."""
        given = [self._argument(argument, frame) for argument in arguments]
        self._later(given, "command", SCHEDULERS[name], frame)

    def _later(
        self, given: Sequence[tuple[str, Value]], argument: str, place: int, frame: Frame
    ) -> None:
        """A job: its text is kept, and run some time with whatever it hands out staying there. A
        program that runs outside the database is not read."""
        named = {name.rpartition("@")[2]: value for name, value in given if name}
        listed = [value for name, value in given if not name]
        command = named.get(argument) or (
            listed[place] if -len(listed) <= place < len(listed) else None
        )
        kind = named.get("subsystem") or named.get("job_type") or named.get("program_type")
        kinds = kind.texts if kind is not None else ("tsql",)
        texts = command.texts if command is not None else None
        if not texts or not kinds or not _JOB_KINDS.issuperset(k.lower().strip() for k in kinds):
            self.problem("opaque_body", "", frame)
            return
        if command is not None:
            self._executed(command)
        heard, self.sink = self.sink, Stored(self.sink)
        try:
            for text in texts:
                called = [k for k in kinds if k.lower().strip() == "stored_procedure"]
                self.run_text(f"BEGIN {text}; END;" if called else text, [], frame)
        finally:
            self.sink = heard

    def _outputs(self, step: Call, name: str, inner: Frame, frame: Frame) -> None:
        """What comes back by OUT parameters: to the caller's variables, else to the client."""
        found = self._routine(name, frame)
        parameters = found[0].parameters if found is not None else []
        by_name = {name: out for name, _value, out in step.given if name}
        by_place = [out for name, _value, out in step.given if not name]
        for at, parameter in enumerate(parameters):
            if "out" not in parameter.mode:
                continue
            target = by_name.get(parameter.name, by_place[at] if at < len(by_place) else "")
            value = inner.env.get(parameter.name, UNKNOWN)
            known = target in frame.env
            if (target and (known or not frame.own)) or (frame.own and target.startswith("@")):
                self.put(target, value, frame)
            elif frame.own and (target or self.dialect != "tsql"):
                self.show_value(value, frame)

    def handed(self, name: str, inner: Frame, frame: Frame) -> list[exp.Expr]:
        """All that a function called in a query hands back, as queries."""
        found = self._routine(name, frame)
        parameters = found[0].parameters if found is not None else []
        columns = [p.name for p in parameters if p.mode == "table"]
        trees = [arm_of(rows, columns, columns) if columns else rows for rows in inner.rows]
        values = [inner.env.get(p.name, UNKNOWN) for p in parameters if "out" in p.mode]
        if inner.result is not None:
            values.append(inner.result)
        outputs: list[exp.Expr] = []
        select = exp.Select(expressions=[])
        aliases: dict[str, str] = {}
        for value in values:
            if value.leaves or (value.given is not None and value.given.find(exp.Column)):
                outputs.append(self._stand_in(value, select, aliases))
            trees.extend(value.control)
        if outputs:
            select.set("expressions", outputs)
            trees.append(select)
        return trees

    def _return(self, step: Return, frame: Frame) -> bool:
        if step.over is not None:
            for rows in self._rows_of(step.over, frame):
                frame.rows.extend(frame.guards)
                frame.rows.append(rows)
            return not step.rows
        if step.rows:
            if step.value is not None:
                tree = self.bound(step.value, frame)
                if self._reads(tree):
                    frame.rows.append(tree)
                else:
                    frame.rows.extend(frame.guards)
            else:  # RETURN NEXT of the output columns
                for name, value in frame.env.items():
                    if value.leaves and not name.startswith(("cursor ", "fetched ", "portal ")):
                        frame.rows.append(self._as_rows(value))
            return False
        if step.value is not None:
            value = self.value(step.value, frame).under(tuple(frame.guards))
            frame.result = join(frame.result, value) if frame.result is not None else value
        return True


__all__ = ["Frame", "Interpreter", "Sink", "Table", "named_argument"]
