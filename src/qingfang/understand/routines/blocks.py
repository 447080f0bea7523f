"""PL/SQL, PL/pgSQL and MySQL bodies → statement tree: languages whose statements end with `;`.

They share IF, CASE, loops, cursors and nested blocks; where they differ, `dialect` tells.
"""

from __future__ import annotations

import re
from itertools import pairwise

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from qingfang.understand.holding import MAX_PINS
from qingfang.understand.routines.cut import (
    CHANGE_VERBS,
    QUERY_VERBS,
    STRINGS,
    Unreadable,
    Words,
    items,
    select_word,
    target_of,
    targets_of,
    without_into,
    word,
)
from qingfang.understand.routines.tree import (
    Assign,
    Block,
    Call,
    Change,
    Cursor,
    Declare,
    Each,
    Execute,
    Fetch,
    Given,
    Hand,
    If,
    Loop,
    Open,
    Parameter,
    Prepare,
    Query,
    Return,
    Routine,
    Run,
    Step,
    Unread,
)

_INTO_ENDS = frozenset(
    {
        *("FROM", "WHERE", "GROUP BY", "ORDER BY", "LIMIT", "UNION", "UNION ALL", "HAVING", "FOR"),
        *("USING", "GROUP", "ORDER", "LOCK", "FETCH", "OFFSET"),
    }
)
_QUIET = frozenset(
    {
        *("NULL", "COMMIT", "ROLLBACK", "CLOSE", "EXIT", "CONTINUE", "LEAVE", "ITERATE", "GET"),
        *("ASSERT", "SAVEPOINT", "DEALLOCATE", "LOCK", "NOTIFY", "TRUNCATE", "DROP", "ALTER"),
        *("ANALYZE", "GOTO", "START", "RELEASE", "USE", "PRAGMA", "COMMENT", "MOVE", "RESET"),
        *("LISTEN", "UNLOCK", "FLUSH", "VACUUM", "REINDEX", "REFRESH", "CHECKPOINT"),
    }
)
_LISTED = frozenset({"PROCEDURE", "FUNCTION"})
_BODIES = frozenset({"PROCEDURE", "FUNCTION", "PACKAGE", "TRIGGER", "EVENT", "TYPE"})
_MODES = frozenset({"IN", "OUT", "INOUT", "VARIADIC", "NOCOPY"})
# What PL/SQL writes to who called, and what it hands to nobody.
_SAYS = frozenset(
    {
        *("dbms_output.put_line", "dbms_output.put", "raise_application_error"),
        *("dbms_sql.return_result", "htp.p", "htp.print", "htp.prn"),
    }
)
_SILENT = frozenset(
    {
        *("dbms_output", "dbms_application_info", "dbms_lock", "dbms_session", "dbms_stats"),
        *("dbms_utility", "dbms_mview", "dbms_snapshot", "dbms_random", "dbms_space", "utl_file"),
        *("dbms_profiler", "dbms_trace", "dbms_ddl", "dbms_resource_manager", "dbms_shared_pool"),
    }
)
# What is written to a file of the server's, after the file's handle; texts that are run.
_WRITES = frozenset(
    {
        *("utl_file.put_line", "utl_file.put", "utl_file.putf", "utl_file.put_nchar"),
        *("utl_file.put_line_nchar", "utl_file.putf_nchar", "utl_file.put_raw"),
    }
)
# What anybody sees in the server's list of sessions; how long it takes tells a condition's answer.
_SEEN = frozenset({"dbms_application_info", "dbms_session"})
_SLEEPS = frozenset({"dbms_lock.sleep", "dbms_session.sleep"})
_RUNS = frozenset({"dbms_utility.exec_ddl_statement"})
_SILENT_CALLS = frozenset({"extend", "delete", "trim"})
_DBMS_SQL = "dbms_sql"


class BlockReader(Words):
    """Reads a block, a body or a package of one of the three languages."""

    def __init__(self, tokens: list[Token], text: str, dialect: str) -> None:
        super().__init__(tokens, text, dialect)
        self.jumps = False
        self.inner: dict[str, Routine] = {}

    def batch(self) -> Block:
        """All that stands here."""
        steps: list[Step] = []
        while not self.done:
            before = self.at
            step = self._statement()
            if step is not None:
                steps.append(step)
            if self.at == before:
                self.at += 1
        return Block([Loop(Block(steps), jumps=True)]) if self.jumps else Block(steps)

    def statements(self, *ends: str) -> Block:
        """Statements up to one of the words, which is left there."""
        self.deeper()
        steps: list[Step] = []
        while not self.done and self.word() not in ends:
            before = self.at
            step = self._statement()
            if step is not None:
                steps.append(step)
            if self.at == before:
                self.at += 1
        self.depth -= 1
        return Block(steps)

    def _statement(self) -> Step | None:
        while self.word() in {";", "/"}:
            self.at += 1
        if self.done:
            return None
        start = self.at
        self.deeper()
        try:
            step = self._read()
        except Unreadable:
            self.until(";")
            step = Unread("unparsed")
        self.depth -= 1
        if step is not None and step.span == (0, 0):
            step.span = self.span(start)
        return step

    # ------------------------------------------------------------ statements

    def _read(self) -> Step | None:
        self._labels()
        verb = self.word()
        if verb == "DECLARE" and self.dialect == "mysql":
            return self._declare_mysql()
        if verb in {"DECLARE", "BEGIN"}:
            return self._block()
        if verb == "IF":
            return self._if()
        if verb == "CASE":
            return self._case()
        if verb in {"LOOP", "REPEAT", "WHILE"}:
            return self._loop(verb)
        if verb in {"FOR", "FORALL", "FOREACH"}:
            return self._for(verb)
        if verb in {"ELSE", "ELSIF", "ELSEIF", "WHEN", "UNTIL", "EXCEPTION", "END"}:
            return None
        tokens = self.until(";")
        if not tokens:
            return None
        return self._simple(verb, tokens)

    def _labels(self) -> None:
        while self.is_("<", "<"):
            while not self.done and not self.is_(">", ">"):
                self.at += 1
            self.at += 2
        if (
            self.dialect == "mysql"
            and self.word(1) == ":"
            and self.word(2) in {"BEGIN", "LOOP", "WHILE", "REPEAT"}
        ):
            self.at += 2

    def _simple(self, verb: str, tokens: list[Token]) -> Step | None:
        if verb in QUERY_VERBS or verb in CHANGE_VERBS:
            return self._query(tokens)
        if verb == "RETURN":
            return self._return(tokens[1:])
        if verb in {"RAISE", "SIGNAL", "RESIGNAL", "PIPE"}:
            return self._says(verb, tokens[1:])
        if verb == "OPEN":
            return self._open(tokens[1:])
        if verb == "FETCH":
            return self._fetch(tokens[1:])
        if verb == "EXECUTE":
            return self._execute(tokens[1:])
        if verb == "PERFORM":
            step = self._query([select_word(tokens[0]), *tokens[1:]])
            if isinstance(step, Query):
                step.discarded = True
            return step
        if verb == "PREPARE" and self.dialect == "mysql":
            return Prepare(tokens[1].text.lower(), self.value(tokens[3:]))
        if verb == "CALL":
            return self._call(tokens[1:])
        if verb == "SET" and self.dialect == "mysql":
            return self._set(tokens[1:])
        if verb == "CREATE":
            if any(word(t) in _BODIES for t in tokens[1:6]):
                return Unread("unparsed")
            tree = self.parse(tokens)
            return Change(tree) if tree is not None else Unread("unparsed")
        if verb in {"GRANT", "REVOKE"}:
            return Unread("grant")
        sign = next((n for n, t in enumerate(tokens) if t.text in {":=", "="}), None)
        target = target_of(tokens[:sign], self.dialect) if sign else ""
        if sign and target and (tokens[sign].text == ":=" or self.dialect == "postgres"):
            return Assign(target, self.value(tokens[sign + 1 :]))
        if verb in _QUIET or verb == "SET":
            if verb == "GOTO":
                self.jumps = True
            if any(word(t) in {"SELECT", "EXECUTE", "EXEC"} for t in tokens):
                # EXIT WHEN (SELECT …) decides how often the loop turns.
                at = next((n for n, t in enumerate(tokens) if word(t) == "WHEN"), None)
                if at is None:
                    return Unread("unparsed")
                return If([(self.value(tokens[at + 1 :]), Block([]))])
            return None
        if self.dialect == "oracle" and tokens[0].token_type not in STRINGS:
            return self._call(tokens)
        return Unread("unparsed")

    def _query(self, tokens: list[Token]) -> Step:
        words = {word(t) for t in tokens}
        if self.dialect == "mysql" and words & {"OUTFILE", "DUMPFILE"}:
            kept, _names = without_into(tokens, self.dialect, _INTO_ENDS)
            tree = self.parse(kept)
            return Query(tree, filed=True) if isinstance(tree, exp.Query) else Unread("unparsed")
        first = word(tokens[0])
        into: list[str] | None = None
        if first in QUERY_VERBS and not (words & CHANGE_VERBS and first == "WITH"):
            tokens, names = without_into(tokens, self.dialect, _INTO_ENDS)
            into = targets_of(names, self.dialect) if names is not None else None
        elif words & {"RETURNING", "RETURN"}:
            at = next(n for n, t in enumerate(tokens) if word(t) in {"RETURNING", "RETURN"})
            rest, names = without_into(tokens[at:], self.dialect, _INTO_ENDS)
            into = targets_of(names, self.dialect) if names is not None else None
            tokens = [*tokens[:at], _returning(rest[0]), *rest[1:]]
        tokens = _without_current(tokens)
        tree = self.parse(tokens)
        if tree is None:
            return Unread("unparsed")
        return Query(tree, into) if isinstance(tree, exp.Query) else Change(tree, into)

    def _return(self, rest: list[Token]) -> Step:
        if not rest:
            return Return()
        first = word(rest[0])
        if self.dialect == "postgres" and first == "NEXT":
            return Return(self.value(rest[1:]) if len(rest) > 1 else None, rows=True)
        if self.dialect == "postgres" and first == "QUERY":
            if len(rest) > 1 and word(rest[1]) == "EXECUTE":
                return Return(over=self._execute(rest[2:]), rows=True)
            return Return(over=self._query(rest[1:]), rows=True)
        return Return(self.value(rest))

    def _says(self, verb: str, rest: list[Token]) -> Step:
        """RAISE [level] 'format', a, b [USING message = c]; SIGNAL … SET MESSAGE_TEXT = c;
        PIPE ROW (a)."""
        if verb == "PIPE":
            value = self.value(rest[1:])
            return Return(value, rows=True)
        parts: list[list[Token]] = []
        for item in items(rest):
            at = next((n for n, t in enumerate(item) if t.text == "="), None)
            parts.append(item[at + 1 :] if at is not None else item)
        if self.dialect == "oracle":
            return Hand([], ends=True)
        quiet = {"NOTICE", "INFO", "WARNING", "DEBUG", "LOG", "EXCEPTION"}
        if parts and parts[0] and word(parts[0][0]) in quiet:
            parts[0] = parts[0][1:]
        values: list[exp.Select] = []
        for part in parts:
            end = next((n for n, t in enumerate(part) if word(t) == "USING"), len(part))
            for tokens in (part[:end], part[end + 3 :]):
                found = self.value(tokens)
                if found is not None:
                    values.append(found)
        return Hand(values, ends=verb != "RAISE")

    def _if(self) -> Step:
        self.at += 1
        arms: list[tuple[exp.Select | None, Block]] = []
        other: Block | None = None
        while not self.done:
            condition = self.value(self.until("THEN"))
            self.skip("THEN")
            arms.append((condition, self.statements("ELSIF", "ELSEIF", "ELSE", "END")))
            if self.skip("ELSIF") or self.skip("ELSEIF"):
                continue
            if self.skip("ELSE"):
                other = self.statements("END")
            break
        self.skip("END", "IF")
        return If(arms, other)

    def _case(self) -> Step:
        self.at += 1
        subject = self.until("WHEN")
        arms: list[tuple[exp.Select | None, Block]] = []
        other: Block | None = None
        while self.skip("WHEN"):
            tokens = self.until("THEN")
            if subject:
                left, right = self.value(subject), self.value(tokens)
                condition = None
                if left is not None and right is not None:
                    same = exp.EQ(this=left.expressions[0].copy(), expression=right.expressions[0])
                    condition = exp.Select(expressions=[same])
            else:
                condition = self.value(tokens)
            self.skip("THEN")
            arms.append((condition, self.statements("WHEN", "ELSE", "END")))
        if self.skip("ELSE"):
            other = self.statements("END")
        self.skip("END")
        self.skip("CASE")
        return If(arms, other)

    def _loop(self, verb: str) -> Step:
        self.at += 1
        condition = None
        if verb == "WHILE":
            condition = self.value(self.until("LOOP", "DO"))
            self.at += 1
        body = self.statements("END", "UNTIL")
        if self.skip("UNTIL"):
            condition = self.value(self.until("END"))
        self.skip("END")
        self.until(";")
        return Loop(body, condition)

    def _for(self, verb: str) -> Step:
        self.at += 1
        names = targets_of(self.until("IN", "SLICE"), self.dialect)
        self.until("IN")
        self.at += 1
        self.skip("REVERSE")
        if verb == "FORALL":
            tokens = self.until(";")
            start = next((n for n, t in enumerate(tokens) if word(t) in CHANGE_VERBS), None)
            if start is None:
                return Unread("unparsed")
            first = BlockReader(tokens[start:], self.text, self.dialect)
            body = first.batch()
            self.parsed.extend(first.parsed)
            return Each(names, body)
        tokens = self.until("LOOP")
        self.at += 1
        each = Each(names, Block([]))
        if verb == "FOREACH":
            self._elements(each, tokens[1:])
        elif tokens and word(tokens[0]) in QUERY_VERBS and _selects(tokens):
            inner = tokens
            if word(inner[0]) == "(" and _closes_at_end(inner):
                inner = inner[1:-1]
            each.over = self._query(inner)
        elif tokens and word(tokens[0]) == "EXECUTE":
            each.over = self._execute(tokens[1:])
        elif _ranges(tokens):
            written = self.text[tokens[0].start : tokens[-1].end + 1]
            ends = re.fullmatch(r"(\d{1,9})\s*\.\.\s*(\d{1,9})", written)
            each.few = ends is not None and int(ends[2]) - int(ends[1]) < MAX_PINS
            numbers = [t for t in tokens if t.token_type is TokenType.VAR]
            if numbers and "(" not in {t.text for t in tokens}:
                each.value = self.expression(_last_part(tokens))
        else:
            head = Words(tokens, self.text, self.dialect)
            each.over = head.name()
            if head.word() == "(":
                each.given = self.given(head.parenthesis())
        each.body = self.statements("END")
        self.skip("END", "LOOP")
        self.until(";")
        return each

    def _elements(self, each: Each, tokens: list[Token]) -> None:
        each.value = self.value(tokens)
        listed = each.value.expressions[0] if each.value is not None else None
        each.few = (
            listed is not None
            and listed.find(exp.Query) is None
            and not (isinstance(listed, exp.Array) and len(listed.expressions) > MAX_PINS)
        )

    # ------------------------------------------------------------ cursors and texts

    def _open(self, tokens: list[Token]) -> Step:
        at = next((n for n, t in enumerate(tokens) if word(t) == "FOR"), None)
        head = Words(tokens[:at], self.text, self.dialect)
        name = target_of(head.tokens[:2] if head.word() == ":" else head.tokens[:1], self.dialect)
        given: list[Given] = []
        open_at = next((n for n, t in enumerate(head.tokens) if t.text == "("), None)
        if open_at is not None:
            given = self.given(head.tokens[open_at + 1 : -1])
        if at is None:
            return Open(name, None, given)
        rest = tokens[at + 1 :]
        if word(rest[0]) == "EXECUTE":
            return Open(name, self._execute(rest[1:]))
        if word(rest[0]) in QUERY_VERBS and _selects(rest):
            return Open(name, self._query(rest))
        return Open(name, self._execute(rest))

    def _fetch(self, tokens: list[Token]) -> Step:
        kept, names = without_into(tokens, self.dialect, {"LIMIT"})
        at = next((n for n, t in enumerate(kept) if word(t) == "LIMIT"), len(kept))
        kept = kept[:at]
        name = target_of(kept[-2:] if len(kept) > 1 and kept[-2].text == ":" else kept[-1:], "")
        return Fetch(name, targets_of(names or [], self.dialect))

    def _execute(self, tokens: list[Token]) -> Step:
        """`[IMMEDIATE] text [[BULK COLLECT] INTO …] [USING …]`; MySQL's `name [USING …]`."""
        immediate = bool(tokens) and word(tokens[0]) == "IMMEDIATE"
        if immediate:
            tokens = tokens[1:]
        kept, names = without_into(tokens, self.dialect, {"USING", "RETURNING", "RETURN"})
        into = targets_of(names, self.dialect) if names is not None else None
        using: list[Given] = []
        at = _outside(kept, "USING")
        if at is not None:
            for item in items(kept[at + 1 :]):
                start = next((n for n, t in enumerate(item) if word(t) not in _MODES), 0)
                rest = item[start:]
                using.append(("", self.value(rest), target_of(rest, self.dialect)))
            kept = kept[:at]
        else:
            back = _outside(kept, "RETURNING")
            kept = kept[:back] if back is not None else kept
        if self.dialect == "mysql" and not immediate:
            return Run(kept[0].text.lower() if kept else "", using)
        return Execute(self.value(kept), into, using)

    # ------------------------------------------------------------ calls

    def _call(self, tokens: list[Token]) -> Step:
        head = Words(tokens, self.text, self.dialect)
        into = ""
        if head.word() == ":" and head.word(2) == ":=":
            into = target_of(tokens[:2], self.dialect)
            head.at = 3
        name = head.name()
        given = self.given(head.parenthesis()) if head.word() == "(" else []
        while name and head.word() == "." and not head.done:
            head.at += 1
            name = f"{name}.{head.name()}"
        package, _dot, last = name.rpartition(".")
        if name in _SAYS:
            values = [value for _name, value, _out in given if value is not None]
            return Hand(values, ends=name == "raise_application_error")
        if name in _WRITES:
            cells = [v.expressions[0].copy() for _n, v, _o in given[1:] if v is not None]
            return Query(exp.Select(expressions=cells), filed=True)
        if name in _RUNS:
            return Execute(given[0][1] if given else None, None)
        if package == _DBMS_SQL:
            if last == "parse" and len(given) > 1:
                return Execute(given[1][1], None)
            return Block([])
        if name in _SLEEPS:
            return Hand([value for _name, value, _out in given if value is not None])
        if package in _SEEN and any(
            value is not None and value.find(exp.Column, exp.Placeholder, exp.Dot)
            for _n, value, _o in given
        ):
            cells = [v.expressions[0].copy() for _n, v, _o in given if v is not None]
            return Query(exp.Select(expressions=cells), filed=True)
        if package in _SILENT or (package and last in _SILENT_CALLS):
            return Block([])
        if not name:
            return Unread("unparsed")
        return Call(name, given, into)

    def _set(self, tokens: list[Token]) -> Step:
        steps: list[Step] = []
        for item in items(tokens):
            sign = next((n for n, t in enumerate(item) if t.text in {":=", "="}), None)
            if sign is None:
                if any(word(t) == "SELECT" for t in item):
                    return Unread("unparsed")
                continue
            names = item[:sign]
            while len(names) > 1 and word(names[0]) in {"SESSION", "GLOBAL", "LOCAL"}:
                names = names[1:]
            target = target_of(names, self.dialect)
            if target:
                steps.append(Assign(target, self.value(item[sign + 1 :])))
        return Block(steps) if len(steps) != 1 else steps[0]

    # ------------------------------------------------------------ blocks and declarations

    def _block(self) -> Step:
        steps: list[Step] = []
        if self.skip("DECLARE"):
            steps.extend(self.declarations())
        self.skip("BEGIN")
        self.skip("NOT", "ATOMIC")
        self.skip("ATOMIC")
        body = self.statements("END", "EXCEPTION")
        block = Block([*steps, *body.steps])
        if self.skip("EXCEPTION"):
            while self.skip("WHEN"):
                self.until("THEN")
                self.skip("THEN")
                block.handlers.append(self.statements("WHEN", "END"))
        # MySQL's handlers are declared among the statements.
        self.skip("END")
        self.until(";")
        return block

    def declarations(self) -> list[Step]:
        """Up to BEGIN, or the END of a package."""
        steps: list[Step] = []
        while not self.done and self.word() not in {"BEGIN", "END"}:
            while self.word() == ";":
                self.at += 1
            if self.word() in {"BEGIN", "END"} or self.done:
                break
            if self.word() in _LISTED:
                found = self.subprogram()
                if found is not None:
                    self.inner[found.name] = found
                continue
            start = self.at
            tokens = self.until(";")
            step = self._declaration(tokens)
            if step is not None:
                step.span = self.span(start)
                steps.append(step)
            if self.at == start:
                self.at += 1
        return steps

    def _declaration(self, tokens: list[Token]) -> Step | None:
        first = word(tokens[0]) if tokens else ""
        if first in {"TYPE", "SUBTYPE", "PRAGMA", ""} and not _quoted_name(tokens):
            return None
        words = [word(t) for t in tokens]
        if "CURSOR" in words[:5]:
            return self._cursor(tokens, words)
        head = Words(tokens, self.text, self.dialect)
        name = head.name()
        head.skip("CONSTANT")
        kind = head.word()
        sign = next(
            (
                n
                for n, t in enumerate(tokens)
                if n and (t.text in {":=", "="} or word(t) == "DEFAULT")
            ),
            None,
        )
        try:
            value = self.value(tokens[sign + 1 :]) if sign is not None else None
        except Unreadable:
            return Unread("unparsed")
        return Declare(name, kind, value)

    def _cursor(self, tokens: list[Token], words: list[str]) -> Step | None:
        head = Words(tokens, self.text, self.dialect)
        if head.skip("CURSOR"):
            name = head.name()
        else:
            name = head.name()
            while head.word() != "CURSOR" and not head.done:
                head.at += 1
            head.at += 1
        parameters: list[str] = []
        if head.word() == "(":
            parameters = [i[0].text.lower() for i in items(head.parenthesis()) if i]
        head.until("FOR", "IS")
        if head.done:
            return Declare(name, "CURSOR")
        query = tokens[head.at + 1 :]
        at = _outside(query, "FOR")
        if at is not None and at + 1 < len(query) and word(query[at + 1]) in {"UPDATE", "SHARE"}:
            query = query[:at]
        return Cursor(name, parameters, self._query(query) if query else None)

    def _declare_mysql(self) -> Step | None:
        """DECLARE a, b INT DEFAULT 1; DECLARE c CURSOR FOR q; DECLARE EXIT HANDLER FOR x stmt."""
        self.at += 1
        if self.word(1) == "HANDLER":
            self.at += 2
            self.skip("FOR")
            while not self.done:
                # NOT FOUND, SQLSTATE [VALUE] '02000', SQLEXCEPTION, 1062, a name.
                if not self.skip("NOT", "FOUND"):
                    self.skip("SQLSTATE")
                    self.skip("VALUE")
                    self.at += 1
                if not self.skip(","):
                    break
            step = self._statement()
            handler = Block([step] if step is not None else [])
            return Block([], [handler])
        tokens = self.until(";")
        words = [word(t) for t in tokens]
        if "CURSOR" in words[:3]:
            return self._cursor(tokens, words)
        if "CONDITION" in words[:3]:
            return None
        at = words.index("DEFAULT") if "DEFAULT" in words else None
        value = self.value(tokens[at + 1 :]) if at is not None else None
        names = items(tokens[:at])
        last = names[-1] if names else []
        kind = word(last[1]) if len(last) > 1 else ""
        steps: list[Step] = [Declare(item[0].text.lower(), kind, value) for item in names if item]
        return Block(steps) if len(steps) != 1 else steps[0]

    # ------------------------------------------------------------ routines

    def subprogram(self) -> Routine | None:
        """PROCEDURE or FUNCTION name (…) … IS … BEGIN … END; None for a mere announcement."""
        self.deeper()
        self.at += 1
        found = Routine(self.name())
        if self.word() == "(":
            found.parameters = self.parameters(self.parenthesis())
        while not self.done and self.word() not in {"IS", "AS", ";"}:
            self.at += 1
        if self.word() == ";" or self.done:
            self.depth -= 1
            return None
        self.at += 1
        outside, self.inner = self.inner, {}
        first = len(self.parsed)
        steps = self.declarations()
        body = self._block()
        found.body = Block([*steps, body])
        found.inner, self.inner = self.inner, outside
        found.parsed = self.parsed[first:]
        self.depth -= 1
        return found

    def parameters(self, tokens: list[Token]) -> list[Parameter]:
        """`[IN | OUT | INOUT] name [IN | OUT | IN OUT] type [DEFAULT | := | = value], …`."""
        found: list[Parameter] = []
        for item in items(tokens):
            mode = ""
            rest = item
            while rest and word(rest[0]) in _MODES:
                mode += word(rest[0]).lower() if word(rest[0]) in {"IN", "OUT", "INOUT"} else ""
                rest = rest[1:]
            if not rest:
                continue
            name = rest[0].text.lower()
            rest = rest[1:]
            while rest and word(rest[0]) in _MODES:
                mode += word(rest[0]).lower() if word(rest[0]) in {"IN", "OUT", "INOUT"} else ""
                rest = rest[1:]
            at = next(
                (n for n, t in enumerate(rest) if t.text in {":=", "="} or word(t) == "DEFAULT"),
                None,
            )
            default = self.expression(rest[at + 1 :]) if at is not None else None
            kind = word(rest[0]) if rest else ""
            found.append(Parameter(name, mode or "in", kind, default))
        return found


# ---------------------------------------------------------------- routines


def routine(tokens: list[Token], text: str, dialect: str) -> Routine | None:
    """A whole CREATE FUNCTION, PROCEDURE, PACKAGE or TRIGGER, with or without CREATE; None when
    its body is in no language read here. A body quoted in PostgreSQL's way is not looked into:
    see `quoted_body`."""
    reader = BlockReader(tokens, text, dialect)
    if reader.word() in {"CREATE", "ALTER"}:
        while not reader.done and reader.word() not in _BODIES:
            reader.at += 1
    # A package's specification may stand before its body.
    body = next(
        (
            n
            for n in range(len(tokens) - 1)
            if [word(t) for t in tokens[n : n + 2]] == ["PACKAGE", "BODY"]
        ),
        None,
    )
    if reader.word() == "PACKAGE" and body is not None:
        reader.at = body + 2
        return _package(reader)
    kind = reader.word()
    if dialect == "oracle" and kind in _LISTED:
        return reader.subprogram()
    if kind == "PACKAGE":
        return Routine(body=Block([]))
    found = Routine()
    if kind in {"TRIGGER", "EVENT", "TYPE"}:
        while not reader.done and reader.word() not in {"BEGIN", "DECLARE", "CALL", "DO"}:
            if kind == "TRIGGER" and reader.skip("FOR", "EACH", "ROW"):
                break
            reader.at += 1
        reader.skip("DO")
    else:
        reader.at += 1
        found.name = reader.name()
        if reader.word() == "(":
            found.parameters = reader.parameters(reader.parenthesis())
        if dialect == "postgres":
            _outputs(reader, found)
        while not reader.done and reader.word() not in {
            *("BEGIN", "DECLARE", "RETURN", "SELECT", "INSERT", "UPDATE", "DELETE", "SET", "CALL")
        }:
            if reader.word() == "(":
                reader.parenthesis()
            elif reader.word() == "READS" or reader.word() == "MODIFIES":
                reader.at += 3
            else:
                reader.at += 1
    found.plain = dialect == "postgres"
    found.body = reader.batch()
    found.parsed = reader.parsed
    return found


def _package(reader: BlockReader) -> Routine:
    found = Routine(reader.name())
    reader.until("IS", "AS")
    reader.at += 1
    steps = reader.declarations()
    if reader.word() == "BEGIN":
        steps.append(reader._block())
    found.body, found.inner, found.parsed = Block(steps), reader.inner, reader.parsed
    return found


def quoted_body(tokens: list[Token], text: str) -> tuple[Routine, str, str] | None:
    """PostgreSQL's `… AS 'body' LANGUAGE x`: the head, the body and the language; None when the
    body is not quoted."""
    reader = BlockReader(tokens, text, "postgres")
    while not reader.done and reader.word() not in _LISTED:
        reader.at += 1
    reader.at += 1
    found = Routine(reader.name())
    if reader.word() == "(":
        found.parameters = reader.parameters(reader.parenthesis())
    _outputs(reader, found)
    rest = tokens[reader.at :]
    language = "sql"
    body: str | None = None
    for n, token in enumerate(rest):
        before = word(rest[n - 1]) if n else ""
        if before == "LANGUAGE":
            language = token.text.lower()
        elif before == "AS" and token.token_type in STRINGS:
            body = token.text
    return (found, body, language) if body is not None else None


def _outputs(reader: BlockReader, found: Routine) -> None:
    """The columns of RETURNS TABLE (…), which are variables of the body."""
    if reader.is_("RETURNS", "TABLE"):
        reader.at += 2
        if reader.word() == "(":
            for parameter in reader.parameters(reader.parenthesis()):
                parameter.mode = "table"
                found.parameters.append(parameter)


# ---------------------------------------------------------------- words


def _outside(tokens: list[Token], *words: str) -> int | None:
    depth = 0
    for at, token in enumerate(tokens):
        kind = token.token_type
        depth += (kind is TokenType.L_PAREN) - (kind is TokenType.R_PAREN)
        if not depth and word(token) in words:
            return at
    return None


def _selects(tokens: list[Token]) -> bool:
    return any(word(t) in {"SELECT", "VALUES", "WITH"} for t in tokens)


def _closes_at_end(tokens: list[Token]) -> bool:
    """Whether the parenthesis that opens the words closes at their end."""
    depth = 0
    for at, token in enumerate(tokens):
        kind = token.token_type
        depth += (kind is TokenType.L_PAREN) - (kind is TokenType.R_PAREN)
        if not depth:
            return at == len(tokens) - 1
    return False


def _ranges(tokens: list[Token]) -> bool:
    """Whether these are `low .. high`."""
    return any(
        one.text.endswith(".") and other.text.startswith(".") for one, other in pairwise(tokens)
    )


def _last_part(tokens: list[Token]) -> list[Token]:
    at = max((n for n, t in enumerate(tokens) if t.text.endswith(".")), default=-1)
    return tokens[at + 1 :]


def _quoted_name(tokens: list[Token]) -> bool:
    return bool(tokens) and tokens[0].token_type is TokenType.IDENTIFIER


def _returning(token: Token) -> Token:
    return Token(
        TokenType.RETURNING,
        "RETURNING",
        line=token.line,
        col=token.col,
        start=token.start,
        end=token.end,
        comments=[],
    )


def _without_current(tokens: list[Token]) -> list[Token]:
    """`WHERE CURRENT OF c` names the row a cursor stands on: left out, and `FOR UPDATE` with it."""
    at = next(
        (
            n
            for n in range(len(tokens) - 2)
            if [word(t) for t in tokens[n : n + 3]] == ["WHERE", "CURRENT", "OF"]
        ),
        None,
    )
    return tokens if at is None else tokens[:at]
