"""T-SQL batches and routine bodies → statement tree.

Statements need no `;` between them: one ends where a verb opens the next (`dialects.opens_statement`).
A GOTO makes its whole batch a loop.
"""

from __future__ import annotations

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from qingfang.understand import dialects
from qingfang.understand.routines.cut import (
    CHANGE_VERBS,
    QUERY_VERBS,
    QUOTED,
    STRINGS,
    Unreadable,
    Words,
    bare,
    items,
    target_of,
    word,
)
from qingfang.understand.routines.tree import (
    Assign,
    Block,
    Call,
    Change,
    Cursor,
    Declare,
    DeclareTable,
    Execute,
    Fetch,
    Given,
    Hand,
    If,
    InsertRun,
    Loop,
    Open,
    Parameter,
    Prepare,
    Query,
    Release,
    Return,
    Routine,
    Run,
    Step,
    Unread,
)

_QUIET = frozenset(
    {
        *("USE", "COMMIT", "ROLLBACK", "SAVE", "WAITFOR", "BREAK", "CONTINUE", "CHECKPOINT"),
        *("CLOSE", "DROP", "TRUNCATE", "ALTER", "REVERT", "ENABLE", "DISABLE"),
        *("GO", "OFF", "COLLATE", "SETUSER", "READTEXT"),
    }
)
_RIGHTS = frozenset({"GRANT", "REVOKE", "DENY"})
_SERVER = frozenset({"BACKUP", "RESTORE", "BULK", "DBCC", "KILL", "SHUTDOWN", "RECONFIGURE"})
_ENDS = frozenset({"END", "ELSE"})
# Verbs that always begin a statement, besides those of `dialects.opens_statement`.
_OPENS = frozenset({"GOTO", "THROW", "BREAK", "CONTINUE"})
_TYPES = frozenset({"PROC", "PROCEDURE", "FUNCTION", "TRIGGER"})


# Procedures by which drivers prepare and run texts: where the text stands among the arguments, where
# its parameters are declared, from where on their values come, and among which handles it is numbered.
_PREPARED = {
    "sp_prepexec": (2, 1, 3, "text"),
    "sp_prepare": (2, 1, 99, "text"),
    "sp_cursoropen": (1, 5, 6, ""),
    "sp_cursorprepare": (2, 1, 99, "cursor"),
    "sp_cursorprepexec": (3, 2, 7, "cursor"),
}
# Those that run what was prepared by its handle, where the values begin, and the handles' family.
_EXECUTING = {"sp_execute": (1, "text"), "sp_cursorexecute": (5, "cursor")}


class TsqlReader(Words):
    """Reads a batch, or a body."""

    def __init__(self, tokens: list[Token], text: str) -> None:
        super().__init__(_names_joined(tokens), text, "tsql")
        self.jumps = False

    def batch(self) -> Block:
        """All that stands here."""
        steps: list[Step] = []
        while not self.done:
            before = self.at
            first = not steps
            step = self._statement(first)
            if step is not None:
                steps.append(step)
            if self.at == before:  # a stray END or ELSE
                self.at += 1
        if self.jumps:
            return Block([Loop(Block(steps), jumps=True)])
        return Block(steps)

    # ------------------------------------------------------------ blocks

    def _block(self, *end: str) -> Block:
        self.deeper()
        steps: list[Step] = []
        while not self.done and not self.is_(*end):
            before = self.at
            step = self._statement()
            if step is not None:
                steps.append(step)
            if self.at == before:
                self.at += 1
        self.skip(*end)
        self.depth -= 1
        return Block(steps)

    def _statement(self, first: bool = False) -> Step | None:
        while self.word() == ";":
            self.at += 1
        if self.done:
            return None
        start = self.at
        self.deeper()
        try:
            step = self._read(first)
        except Unreadable:
            self._rest(start)
            step = Unread("unparsed")
        self.depth -= 1
        if step is not None and step.span == (0, 0):
            step.span = self.span(start)
        return step

    def _read(self, first: bool) -> Step | None:
        verb = self.word()
        start = self.at
        if verb in _ENDS:
            return None
        if self._label():
            return None
        if verb == "BEGIN":
            return self._begin()
        if verb == "IF":
            return self._if()
        if verb == "WHILE":
            self.at += 1
            condition = self.value(self._expression_rest())
            return Loop(Block(self._one()), condition)
        if verb == "DECLARE":
            return self._declare()
        if verb == "SET":
            return self._set()
        if verb in QUERY_VERBS or verb in CHANGE_VERBS:
            return self._query(self._rest(start))
        if verb in {"EXEC", "EXECUTE"}:
            self.at += 1
            return self._execute()
        if verb == "OPEN":
            self.at += 1
            self.skip("GLOBAL")
            name = self._cursor_name()
            return Open(name)
        if verb == "FETCH":
            return self._fetch(self._rest(start))
        if verb == "DEALLOCATE":
            self.at += 1
            self.skip("GLOBAL")
            return Release(self._cursor_name())
        if verb == "RETURN":
            self.at += 1
            tokens = self._expression_rest()
            if tokens and tokens[0].token_type is TokenType.L_PAREN and len(tokens) > 1:
                inner = self._query(tokens[1:-1]) if word(tokens[1]) in QUERY_VERBS else None
                if inner is not None:
                    return Return(over=inner)
            if tokens and word(tokens[0]) in QUERY_VERBS - {"("}:
                return Return(over=self._query(tokens))
            return Return(self.value(tokens))
        if verb in {"PRINT", "RAISERROR", "THROW"}:
            self.at += 1
            tokens = self._expression_rest()
            if tokens and tokens[0].token_type is TokenType.L_PAREN and verb == "RAISERROR":
                close = len(tokens) - 1
                while close > 0 and tokens[close].token_type is not TokenType.R_PAREN:
                    close -= 1
                tokens = tokens[1:close]
            values = [self.value(item) for item in items(tokens)]
            return Hand([v for v in values if v is not None], ends=verb == "THROW")
        if verb == "CREATE":
            return self._create(start)
        if verb == "GOTO":
            self.jumps = True
            self.at += 2
            return None
        if verb in _RIGHTS:
            self._rest(start)
            return Unread("grant")
        if verb in _SERVER:
            self._rest(start)
            return Unread("server")
        if verb in _QUIET:
            tokens = self._rest(start)
            if any(word(t) in {"SELECT", "EXEC", "EXECUTE"} for t in tokens):
                return Unread("unparsed")
            # How long it takes tells the answer of the condition it stands under.
            given = next((n for n, token in enumerate(tokens) if token.text == ":"), len(tokens))
            return self._seen(tokens[given:]) if verb == "WAITFOR" else None
        if first and self.tokens[self.at].token_type in {TokenType.VAR, TokenType.IDENTIFIER}:
            return self._execute()  # a batch may begin with a procedure's bare name
        self._rest(start)
        return Unread("unparsed")

    def _label(self) -> bool:
        if not self._at_label():
            return False
        self.at += 2
        return True

    def _at_label(self) -> bool:
        if self.word(1) != ":" or self.tokens[self.at].token_type is not TokenType.VAR:
            return False
        after = self.tokens[self.at + 2].text if self.at + 2 < len(self.tokens) else ""
        return not after.startswith(dialects.BIND)

    def _one(self) -> list[Step]:
        """The one statement of a branch."""
        step = self._statement()
        return [step] if step is not None else []

    def _begin(self) -> Step | None:
        if self.word(1) in {"TRAN", "TRANSACTION", "DISTRIBUTED", "DIALOG", "CONVERSATION"}:
            self._rest(self.at)
            return None
        self.at += 1
        if self.skip("TRY"):
            block = self._block("END", "TRY")
            while self.word() == ";":
                self.at += 1
            if self.skip("BEGIN", "CATCH"):
                block.handlers.append(self._block("END", "CATCH"))
            return block
        return self._block("END")

    def _if(self) -> If:
        self.at += 1
        condition = self.value(self._expression_rest())
        then = Block(self._one())
        if self.word() == ";" and self.word(1) == "ELSE":
            self.at += 1
        other = Block(self._one()) if self.skip("ELSE") else None
        return If([(condition, then)], other)

    # ------------------------------------------------------------ where a statement ends

    def _rest(self, start: int) -> list[Token]:
        """The words of the statement that began at `start`, up to where the next one opens."""
        depth = cases = 0
        self.at = max(self.at, start)
        while not self.done:
            token = self.tokens[self.at]
            kind = token.token_type
            if kind is TokenType.SEMICOLON and not depth:
                break
            if kind is TokenType.L_PAREN:
                depth += 1
            elif kind is TokenType.R_PAREN:
                depth -= 1
                if depth < 0:
                    break
            elif not depth and kind not in QUOTED and self.at > start:
                text = token.text.upper()
                if text == "CASE":
                    cases += 1
                elif text == "END" and cases:
                    cases -= 1
                elif not cases and (
                    text in _ENDS or self._at_label() or self._opens(start, token, text)
                ):
                    break
            self.at += 1
        return self.tokens[start : self.at]

    def _opens(self, start: int, token: Token, text: str) -> bool:
        before = word(self.tokens[self.at - 1])
        if text in _OPENS:
            return before not in {".", "AS"}
        if text == "UPDATE" and (self.word(1) == "(" or before in {"FOR", "WITH"}):
            return False
        first = word(self.tokens[start])
        if text == "SET" and first in {"MERGE", "WITH"} and before == "UPDATE":
            return False
        return dialects.opens_statement(self.tokens[start : self.at], token)

    def _expression_rest(self) -> list[Token]:
        """An expression, up to where a statement opens."""
        start = self.at
        depth = cases = 0
        while not self.done:
            token = self.tokens[self.at]
            kind = token.token_type
            if kind is TokenType.SEMICOLON and not depth:
                break
            if kind is TokenType.L_PAREN:
                depth += 1
            elif kind is TokenType.R_PAREN:
                depth -= 1
                if depth < 0:
                    break
            elif not depth and kind not in QUOTED:
                text = token.text.upper()
                if text == "CASE":
                    cases += 1
                elif text == "END" and cases:
                    cases -= 1
                elif not cases and (
                    text in _ENDS
                    or text in _OPENS
                    or self._at_label()
                    or self._is_verb(text, start)
                ):
                    break
            self.at += 1
        return self.tokens[start : self.at]

    def _is_verb(self, text: str, start: int) -> bool:
        if text == "UPDATE" and self.word(1) == "(":
            return False
        if text not in dialects.BATCH_VERBS and text not in {"WITH", "PRINT", "BEGIN"}:
            return False
        if text in {"SELECT", "WITH"} and self.at == start:
            return False
        # `… = CURSOR FOR SELECT` is read by whoever expects it.
        return word(self.tokens[self.at - 1]) not in {".", "AS"} if self.at > start else True

    # ------------------------------------------------------------ variables

    def _declare(self) -> Step | None:
        self.at += 1
        if self.word() != ":":
            return self._declare_cursor(self._cursor_name())
        steps: list[Step] = []
        while self.word() == ":":
            name = bare(self.tokens[self.at + 1].text)
            self.at += 2
            self.skip("AS")
            kind = self.word()
            if kind == "TABLE":
                self.at += 1
                steps.append(DeclareTable("@" + name, columns_of(self.parenthesis())))
            elif kind == "CURSOR":
                self.at += 1
                steps.append(Declare(name, kind))
            else:
                self._type()
                value = None
                if self.skip("="):
                    value = self.value(self._list_item())
                steps.append(Declare(name, kind, value))
            if not self.skip(","):
                break
        return Block(steps) if len(steps) != 1 else steps[0]

    def _type(self) -> None:
        self.name()
        if self.word() == "(":
            self.parenthesis()

    def _list_item(self) -> list[Token]:
        """An expression up to the comma, or to where a statement opens."""
        start = self.at
        tokens = self._expression_rest()
        first = items(tokens)[0] if tokens else []
        self.at = start + len(first)
        return first

    def _cursor_name(self) -> str:
        if self.word() == ":":
            self.at += 2
            return bare(self.tokens[self.at - 1].text)
        return self.name()

    def _declare_cursor(self, name: str) -> Step:
        local = name.startswith("@")
        while not self.done and self.word() not in {"FOR", ";"}:
            local = local or self.word() == "LOCAL"
            self.at += 1
        if not self.skip("FOR"):
            return Unread("unparsed")
        start = self.at
        tokens = self._rest(start)
        for n, token in enumerate(tokens):
            if (
                word(token) == "FOR"
                and n + 1 < len(tokens)
                and word(tokens[n + 1]) in {*("UPDATE", "READ")}
            ):
                tokens = tokens[:n]
                break
        return Cursor(name, [], self._query(tokens), local)

    def _seen(self, tokens: list[Token]) -> Hand:
        """What a value is used for that can be seen from outside."""
        value = self.value(tokens) if tokens else None
        return Hand([value] if value is not None else [])

    def _set(self) -> Step | None:
        start = self.at
        self.at += 1
        if self.word() != ":":
            tokens = self._rest(start)
            if any(word(t) in {"SELECT", "EXEC", "EXECUTE"} for t in tokens):
                return Unread("unparsed")
            given = next((n for n, token in enumerate(tokens) if token.text == ":"), None)
            # `SET ROWCOUNT @n`, `SET CONTEXT_INFO @c`: what follows from it can be seen.
            return self._seen(tokens[given:]) if given is not None else None
        name = bare(self.tokens[self.at + 1].text)
        self.at += 2
        if self.skip("=", "CURSOR"):
            return self._declare_cursor(name)
        appends = False
        while self.word() in {"+", "-", "*", "/", "%", "+="}:
            appends = True
            self.at += 1
        if not self.skip("=") and not appends:
            self._rest(start)
            return Assign(name, None)
        return Assign(name, self.value(self._expression_rest()), appends)

    # ------------------------------------------------------------ queries

    def _query(self, tokens: list[Token]) -> Step:
        if word(tokens[0]) == "INSERT":
            at = _outside(tokens, {"EXEC", "EXECUTE"})
            if at:
                return self._insert_run(tokens, at)
        tokens, sets, appends = self._without_sets(tokens)
        tree = self.parse(tokens)
        if tree is None or _loses_output(tree, tokens):
            return Unread("unparsed")
        if isinstance(tree, exp.Query):
            if sets:
                return Query(tree, [name for name, _part in sets], appends)
            return Query(tree)
        variables = [(name, value) for name, value in sets]
        return Change(
            tree, None, [(n, v) for n, part in variables if (v := self.value(part)) is not None]
        )

    def _without_sets(
        self, tokens: list[Token]
    ) -> tuple[list[Token], list[tuple[str, list[Token]]], bool]:
        """`SELECT @v = x, …` as `SELECT x, …` and its variables; the same for `UPDATE … SET @v = …`,
        whose assignments are taken out."""
        first = word(tokens[0])
        opener = _outside(tokens, {"SET"}) if first in {"UPDATE", "WITH"} else None
        if first == "SELECT" or (first == "WITH" and not opener):
            opener = 0 if first == "SELECT" else _outside(tokens, {"SELECT"})
        if opener is None or (first != "SELECT" and not opener):
            return tokens, [], False
        updating = word(tokens[opener]) == "SET"
        end = _outside(tokens[opener + 1 :], {"FROM", "WHERE", "OPTION", "OUTPUT", "ORDER BY"})
        stop = opener + 1 + end if end is not None else len(tokens)
        sets: list[tuple[str, list[Token]]] = []
        kept: list[list[Token]] = []
        appends = False
        for item in items(tokens[opener + 1 : stop]):
            at = 0
            head: list[Token] = []
            while at < len(item) and not updating and word(item[at]) in {"DISTINCT", "ALL", "TOP"}:
                head.append(item[at])
                at += 1
                if word(head[-1]) == "TOP" and at < len(item):
                    size = 1
                    if item[at].token_type is TokenType.L_PAREN:
                        while at + size <= len(item) and item[at + size - 1].text != ")":
                            size += 1
                    elif item[at].text == ":":
                        size = 2
                    head.extend(item[at : at + size])
                    at += size
            rest = item[at:]
            sign = 2
            while sign < len(rest) and rest[sign].text in {"+", "-", "*", "/"}:
                sign += 1
            if (
                len(rest) > sign + 1
                and rest[0].text == ":"
                and rest[1].text.startswith(dialects.BIND)
                and rest[sign].text == "="
            ):
                appends = appends or sign > 2
                value = rest[sign + 1 :]
                if updating:
                    equal = next((n for n, t in enumerate(value) if t.text == "="), None)
                    sets.append((bare(rest[1].text), value[(equal + 1) if equal else 0 :]))
                    if equal:  # `SET @v = column = value` changes the column as well
                        kept.append(value)
                else:
                    sets.append((bare(rest[1].text), value))
                    kept.append([*head, *value])
            else:
                kept.append(item)
        if not sets:
            return tokens, [], False
        middle: list[Token] = []
        comma = next((t for t in tokens if t.token_type is TokenType.COMMA), None)
        for n, item in enumerate(kept):
            if n and comma is not None:
                middle.append(comma)
            middle.extend(item)
        if updating and not kept:
            # Nothing but variables: the rows are looked at, none is changed.
            return tokens, sets, appends
        return [*tokens[: opener + 1], *middle, *tokens[stop:]], sets, appends

    def _insert_run(self, tokens: list[Token], at: int) -> Step:
        head = Words(tokens[1:at], self.text, self.dialect)
        head.skip("INTO")
        if head.word() == ":":
            head.at += 2
            table = "@" + bare(head.tokens[head.at - 1].text)
        else:
            table = head.name()
        columns = (
            [item[0].text.lower() for item in items(head.parenthesis()) if item]
            if head.word() == "("
            else []
        )
        inner = TsqlReader(tokens[at + 1 :], self.text)
        run = inner._execute()
        self.parsed.extend(inner.parsed)
        return InsertRun(table, columns, run)

    def _fetch(self, tokens: list[Token]) -> Step:
        into = None
        end = len(tokens)
        for n, token in enumerate(tokens):
            if word(token) == "INTO":
                end = n
                into = [target_of(item, "tsql") for item in items(tokens[n + 1 :])]
        name = next((bare(t.text) for t in reversed(tokens[:end]) if t.text != ":"), "")
        return Fetch(name, into)

    # ------------------------------------------------------------ EXEC

    def _execute(self) -> Step:
        start = self.at
        if self.word() == "(":
            text = self.value(self.parenthesis())
            using: list[Given] = []
            if self.skip("AT"):
                self.name()
            return Execute(text, None, using)
        into = ""
        if self.word() == ":" and self.word(2) == "=":
            into = bare(self.tokens[self.at + 1].text)
            self.at += 3
        variable = False
        if self.word() == ":":
            name, variable = bare(self.tokens[self.at + 1].text), True
            self.at += 2
        else:
            name = self.name()
            if self.skip(";"):
                self.at += 1  # p;1
        if not name:
            self._rest(start)
            return Unread("unparsed")
        given = self._arguments()
        if name.rsplit(".", maxsplit=1)[-1] == "sp_executesql":
            return self._executesql(given)
        prepared = _PREPARED.get(name.rsplit(".", maxsplit=1)[-1])
        if prepared is not None:
            return self._prepared(given, *prepared)
        if name.rsplit(".", maxsplit=1)[-1] in _EXECUTING:
            number = given[0][1].expressions[0] if given and given[0][1] is not None else None
            skipped, family = _EXECUTING[name.rsplit(".", maxsplit=1)[-1]]
            handle = f"{family} {number.name if isinstance(number, exp.Literal) else ''}"
            return Run(_variable(number), given[skipped:], handle)
        return Call(name, given, into, variable)

    def _arguments(self) -> list[Given]:
        found: list[Given] = []
        start = self.at
        tokens = self._expression_rest()
        end = next((n for n, t in enumerate(tokens) if word(t) in {"WITH", "AT"}), len(tokens))
        self.at = start + len(tokens)
        for part in items(tokens[:end]):
            named = len(part) > 2 and part[0].text == ":" and part[2].text == "="
            name = bare(part[1].text) if named else ""
            item = part[3:] if named else part
            out = ""
            if item and word(item[-1]) in {"OUTPUT", "OUT"}:
                item = item[:-1]
                out = target_of(item, "tsql")
            value = self.value(item)
            if len(item) == 1 and item[0].token_type in {TokenType.VAR, TokenType.IDENTIFIER}:
                # EXEC takes a bare word for a text.
                if word(item[0]) == "DEFAULT":
                    continue
                value = exp.Select(expressions=[exp.Literal.string(item[0].text)])
            found.append((name, value, out))
        return found

    def _prepared(
        self, given: list[Given], text: int, definitions: int, first: int, family: str
    ) -> Step:
        """A driver's call that prepares a text: what it reveals counts here, whenever it is run."""
        named = _declared(given[definitions][1]) if 0 <= definitions < len(given) else []
        using: list[Given] = [
            (named[at] if at < len(named) else "", value, out)
            for at, (_name, value, out) in enumerate(given[first:])
        ]
        written = given[text][1] if text < len(given) else None
        run = Execute(written, None, using)
        if not family:
            return run
        return Block([Prepare(given[0][2] if given else "", written, family), run])

    def _executesql(self, given: list[Given]) -> Step:
        texts = [g for g in given if g[0] in {"", "stmt", "statement"}][:1]
        rest = [g for g in given if g not in texts]
        definitions = next((g for g in rest if g[0] in {"", "params"}), None)
        names = _declared(definitions[1]) if definitions is not None else []
        using: list[Given] = []
        at = 0
        for argument in rest:
            if argument is definitions:
                continue
            name, value, out = argument
            if not name and at < len(names):
                name = names[at]
            at += 1
            using.append((name, value, out))
        return Execute(texts[0][1] if texts else None, None, using)

    # ------------------------------------------------------------ CREATE

    def _create(self, start: int) -> Step | None:
        words = [self.word(n) for n in range(6)]
        if any(kind in words for kind in _TYPES) and "INDEX" not in words and "TABLE" not in words:
            self.at = len(self.tokens)
            return Unread("unparsed")
        tokens = self._rest(start)
        if "TABLE" in words[1:3] and not any(word(t) == "SELECT" for t in tokens):
            head = Words(tokens, self.text, self.dialect)
            head.at = words.index("TABLE") + 1
            name = head.name()
            columns = columns_of(head.parenthesis()) if head.word() == "(" else []
            step: Step = DeclareTable(name, columns)
            if not name.startswith("#"):
                tree = self.parse(tokens)
                step = Change(tree) if tree is not None else step
            return step
        if words[1] in {"INDEX", "UNIQUE", "CLUSTERED", "NONCLUSTERED", "STATISTICS", "SCHEMA"}:
            return None
        tree = self.parse(tokens)
        return Change(tree) if tree is not None else Unread("unparsed")


# ---------------------------------------------------------------- routines


def routine(tokens: list[Token], text: str) -> Routine:
    """A whole CREATE PROCEDURE, FUNCTION or TRIGGER."""
    reader = TsqlReader(tokens, text)
    found = Routine()
    while not reader.done and reader.word() not in _TYPES:
        reader.at += 1
    kind = reader.word()
    reader.at += 1
    found.name = reader.name()
    if reader.skip(";"):
        reader.at += 1
    if kind == "TRIGGER":
        reader.until("AS")
        reader.at += 1
    else:
        braced = reader.word() == "("
        if braced:
            reader.at += 1
        _parameters(reader, found)
        if braced:
            reader.skip(")")
        table = ""
        columns: list[str] = []
        if kind == "FUNCTION" and reader.skip("RETURNS") and reader.word() == ":":
            table = "@" + bare(reader.tokens[reader.at + 1].text)
            reader.at += 2
            reader.skip("TABLE")
            columns = columns_of(reader.parenthesis())
        while not reader.done and reader.word() not in {"AS", "BEGIN", "RETURN"}:
            reader.at += 1
        reader.skip("AS")
        found.body = reader.batch()
        if table:
            rows = exp.Table(this=exp.to_identifier(table, quoted=True))
            star = exp.Select(expressions=[exp.Star()], from_=exp.From(this=rows))
            found.body = Block([DeclareTable(table, columns), found.body])
            found.last = Return(over=Query(star), rows=True)
        found.parsed = reader.parsed
        return found
    found.body = reader.batch()
    found.parsed = reader.parsed
    return found


def _parameters(reader: TsqlReader, found: Routine) -> None:
    while reader.word() == ":":
        parameter = Parameter(bare(reader.tokens[reader.at + 1].text))
        reader.at += 2
        reader.skip("AS")
        parameter.kind = reader.word()
        reader._type()
        reader.skip("VARYING")
        if reader.skip("="):
            start = reader.at
            while not reader.done and reader.word() not in {
                *(",", ")", "OUTPUT", "OUT", "READONLY", "AS", "WITH", "RETURNS", "FOR")
            }:
                if reader.word() == "(":
                    reader.parenthesis()
                else:
                    reader.at += 1
            parameter.default = reader.expression(reader.tokens[start : reader.at])
        if reader.word() in {"OUTPUT", "OUT"}:
            parameter.mode = "inout"
            reader.at += 1
        reader.skip("READONLY")
        found.parameters.append(parameter)
        if not reader.skip(","):
            break


# ---------------------------------------------------------------- words


def _names_joined(tokens: list[Token]) -> list[Token]:
    """`#t`, `##t`, and the table variable of `FROM @t` and `INTO @t`, as one name each."""
    tables = {
        bare(tokens[at - 1].text)
        for at in range(1, len(tokens))
        if word(tokens[at]) in {"TABLE", "READONLY"}
        and tokens[at - 1].text.startswith(dialects.BIND)
    }
    out: list[Token] = []
    at = 0
    while at < len(tokens):
        token = tokens[at]
        after = tokens[at + 1] if at + 1 < len(tokens) else None
        if token.token_type is TokenType.HASH and after is not None:
            end = at
            while end + 1 < len(tokens) and tokens[end].token_type is TokenType.HASH:
                end += 1
            out.append(_named("#" + tokens[end].text, token, tokens[end]))
            at = end + 1
            continue
        if (
            token.text == ":"
            and after is not None
            and after.text.startswith(dialects.BIND)
            and out
            and _holds_rows(tokens, at, out, tables)
        ):
            out.append(_named("@" + bare(after.text), token, after))
            at += 2
            continue
        out.append(token)
        at += 1
    return out


def _holds_rows(tokens: list[Token], at: int, before: list[Token], tables: set[str]) -> bool:
    """Whether a variable stands where a table does: it is a table variable. (The names that FETCH
    goes INTO are plain variables.)"""
    following = word(tokens[at + 2]) if at + 2 < len(tokens) else ""
    if following in {"TABLE", "."}:
        return False  # `@x.nodes(…)` is a method of a value
    last = word(before[-1])
    if last == "INTO" and any(word(token) == "FETCH" for token in before[-6:]):
        return False
    opens = {"FROM", "JOIN", "INTO", "UPDATE", "INSERT", "DELETE", "APPLY"}
    return last in opens or bare(tokens[at + 1].text) in tables


def _named(name: str, first: Token, last: Token) -> Token:
    return Token(
        TokenType.IDENTIFIER,
        name,
        line=first.line,
        col=first.col,
        start=first.start,
        end=last.end,
        comments=[],
    )


def columns_of(tokens: list[Token]) -> list[str]:
    """The columns of a table's definition."""
    names = [item[0].text.lower() for item in items(tokens) if item]
    kept = [item for item in items(tokens) if item]
    return [
        name
        for name, item in zip(names, kept, strict=True)
        if word(item[0])
        not in {"PRIMARY", "UNIQUE", "CONSTRAINT", "CHECK", "INDEX", "FOREIGN", "KEY"}
    ]


def _outside(tokens: list[Token], words: set[str]) -> int | None:
    """The place of the first of the words outside parentheses."""
    depth = cases = 0
    for at, token in enumerate(tokens):
        kind = token.token_type
        depth += (kind is TokenType.L_PAREN) - (kind is TokenType.R_PAREN)
        text = word(token)
        if not depth:
            if text == "CASE":
                cases += 1
            elif text == "END" and cases:
                cases -= 1
            elif not cases and text in words:
                return at
    return None


def _loses_output(tree: exp.Expr, tokens: list[Token]) -> bool:
    """Whether the parser took OUTPUT for something else: then rows come back unseen."""
    return (
        isinstance(tree, (exp.Insert, exp.Update, exp.Delete, exp.Merge))
        and tree.args.get("returning") is None
        and any(word(token) == "OUTPUT" for token in tokens)
    )


def _declared(definitions: exp.Select | None) -> list[str]:
    """The names in sp_executesql's `N'@a int, @b varchar(9)'`."""
    text = ""
    if definitions is not None and definitions.expressions:
        part = definitions.expressions[0]
        text = str(part.this) if isinstance(part, (exp.Literal, exp.National)) else ""
    return [
        item.strip().split()[0].lstrip("@").lower()
        for item in text.split(",")
        if item.strip().startswith("@")
    ]


def _variable(node: exp.Expr | None) -> str:
    """The name of the variable that an expression is, "" when it is none."""
    return bare(str(node.this)) if isinstance(node, exp.Placeholder) else ""


__all__ = ["STRINGS", "TsqlReader", "routine"]
