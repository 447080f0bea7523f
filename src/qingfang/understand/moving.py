"""ALTER, RENAME and sp_rename: rows that come to stand under another name, columns that are renamed or
worked out of others, and expressions that are tried on all rows.

Rules this module keeps:

1. What is renamed, attached or exchanged is read from then on, by every session, as what it was: the
   catalogue does not know the new name. The old name keeps its meaning, as it is not known here
   whether the server took the statement.
2. Of a table of use such a statement is a problem besides, which makes it opaque: what the catalogue
   says is no longer true.
3. An expression tried on all rows of a table of use (CHECK, USING, a generated column, the key or the
   condition of an index) is a problem when it can fail on the row that tells.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from qingfang.understand import estimate
from qingfang.understand.catalogue import MEASURE_ROLES, Catalogue
from qingfang.understand.names import is_use

if TYPE_CHECKING:
    from qingfang.understand.statement import Statement

_BEFORE_NAME = frozenset(
    {"TABLE", "VIEW", "MATERIALIZED", "FOREIGN", "IF", "EXISTS", "ONLY", "IGNORE", "ONLINE"}
)
_RENAMED_WITHIN = frozenset({"CONSTRAINT", "INDEX", "KEY", "PARTITION", "SUBPARTITION", "TRIGGER"})
_NAMES = frozenset({TokenType.VAR, TokenType.IDENTIFIER})


def moves(statement: Statement) -> bool:
    """Follow what an ALTER, a RENAME or an sp_rename does to names; whether it is a problem."""
    found = _Moves(statement)
    found.read()
    return found.of_use or (_tries(statement.piece.tokens) and statement.mentions_use())


class _Moves:
    """What one statement does to names, told to the session."""

    def __init__(self, statement: Statement) -> None:
        self.statement, self.tokens = statement, statement.piece.tokens
        self.texts = [token.text.upper() for token in self.tokens]
        # Whether a table of use has to do with it.
        self.of_use = False

    def read(self) -> None:
        if "SP_RENAME" in self.texts:
            self._sp_rename()
        elif self.texts[0] == "RENAME":
            for at, text in enumerate(self.texts):
                if text == "TO" and at > 1:
                    self._moved(self.tokens[at - 1].text.lower(), self._name(at + 1)[0])
        elif self.texts[0] == "ALTER":
            self._altered()

    def _name(self, at: int) -> tuple[str, int]:
        """The last part of the name that begins here, in lower case, and where it ends."""
        while at < len(self.texts) and self.texts[at] in _BEFORE_NAME | {"="}:
            at += 1
        while at + 2 < len(self.texts) and self.texts[at + 1] == ".":
            at += 2
        return (self.tokens[at].text.lower(), at + 1) if at < len(self.tokens) else ("", at)

    def _altered(self) -> None:
        table, start = self._name(1)
        texts = [*self.texts, "", "", "", "", ""]
        for at in range(start, len(self.texts)):
            word, rest = texts[at], texts[at + 1 : at + 5]
            if self.tokens[at].token_type is TokenType.STRING:
                continue
            if word == "RENAME":
                self._renamed(table, at)
            elif word == "CHANGE":
                first = at + 1 + (rest[0] == "COLUMN")
                self._relabelled(table, self._text(first), self._text(first + 1))
            elif word == "INHERIT":
                self._moved(table, self._name(at + 1)[0])
            elif word == "ATTACH" and rest[0] == "PARTITION":
                self._moved(self._name(at + 2)[0], table)
            elif word == "SWITCH" and "TO" in texts[at:]:
                self._moved(table, self._name(texts.index("TO", at) + 1)[0])
            elif word == "WITH" and rest[0] == "TABLE":
                other = self._name(at + 2)[0]
                self._moved(table, other)
                self._moved(other, table)
            elif word == "UNION":
                for token in self.tokens[at + 1 :]:
                    if token.token_type in _NAMES:
                        self._moved(token.text.lower(), table)
            elif word == "AS" and "ADD" in self.texts[start:at] and rest[0] != "IDENTITY":
                self._generated(table, at, start)

    def _renamed(self, table: str, at: int) -> None:
        following = self._text(at + 1).upper()
        if following in {"TO", "AS", "="}:
            self._moved(table, self._name(at + 2)[0])
        elif following in {"COLUMN", "ATTRIBUTE"}:
            self._relabelled(table, self._text(at + 2), self._text(at + 4))
        elif following not in _RENAMED_WITHIN:
            if self._text(at + 2).upper() == "TO":
                self._relabelled(table, self._text(at + 1), self._text(at + 3))
            else:
                self._moved(table, self._name(at + 1)[0])

    def _sp_rename(self) -> None:
        for at, text in enumerate(self.texts):
            if text != "SP_RENAME":
                continue
            # `'t', 'u'` or `@objname = 't', @newname = 'u'`: the last word of each argument.
            given = [""]
            for token in self.tokens[at + 1 :]:
                if token.token_type is TokenType.COMMA:
                    given.append("")
                elif token.token_type is TokenType.SEMICOLON or token.text.upper() == "SP_RENAME":
                    break
                elif len(given) < 3:
                    given[-1] = token.text
            if len(given) > 1:
                self._renamed_by_call(given[0], given[1])

    def _renamed_by_call(self, old: str, new: str) -> None:
        parts = [part.strip('[]" ').lower() for part in old.split(".")]
        label = new.strip('[]" ').lower()
        if self._known(parts[-1]):
            self._moved(parts[-1], label)
        elif len(parts) > 1:
            self._relabelled(parts[-2], parts[-1], label)

    def _text(self, at: int) -> str:
        return self.tokens[at].text if at < len(self.tokens) else ""

    def _known(self, name: str) -> bool:
        state = self.statement.state
        made = state.made(name) if state is not None else None
        return made is not None or self.statement.catalogue.table(name) is not None

    def _moved(self, source: str, target: str) -> None:
        self.of_use = self.of_use or is_use(self.statement.catalogue, source)
        if target and target != source and self._known(source):
            self._keep(source, target, [exp.Star()])

    def _relabelled(self, table: str, column: str, label: str) -> None:
        old, new = column.lower(), label.lower()
        if not old or not new or old == new or not self._known(table):
            return
        known = self.statement.catalogue.table(table)
        if known is not None and known.columns.get(old) is not None:
            self.of_use = self.of_use or is_use(self.statement.catalogue, table)
        self._keep(table, table, [exp.Star(), exp.alias_(exp.column(old), new)])

    def _generated(self, table: str, at: int, start: int) -> None:
        """`ADD z AS (…)`: it shows the columns that are named in it."""
        added = max(n for n in range(start, at) if self.texts[n] == "ADD")
        names = [
            n
            for n in range(added + 1, at)
            if self.texts[n] not in _BEFORE_NAME | {"COLUMN", "NOT", "("}
        ]
        known = self.statement.catalogue.table(table)
        if not names or known is None:
            return
        words = {token.text.lower() for token in self.tokens[at:]}
        columns: list[exp.Expr] = [exp.column(c) for c in known.columns if c in words]
        if columns:
            shown = exp.alias_(exp.Concat(expressions=columns), self._text(names[0]).lower())
            self._keep(table, table, [exp.Star(), shown])

    def _keep(self, source: str, target: str, outputs: list[exp.Expr]) -> None:
        state = self.statement.state
        if state is None:
            return
        rows = exp.Select(expressions=outputs, from_=exp.From(this=exp.table_(source)))
        known = self.statement.catalogue.table(source)
        plain = known is not None and state.made(source) is None and len(outputs) == 1
        # By name: the order of columns is not the catalogue's.
        columns = list(known.columns) if plain and known is not None else []
        state.move(source, target, rows, columns)


# After USING, where MySQL says how an index is kept.
_KINDS_OF_INDEX = frozenset({"INDEX", "BTREE", "HASH", "RTREE"})


def _tries(tokens: list[Token]) -> bool:
    """Whether ALTER works something out from all rows: it fails on the row that tells, or a column
    shows it."""
    texts = [*(token.text.upper() for token in tokens), ""]
    if texts[0] != "ALTER":
        return False
    values = "TYPE" in texts or "EXCLUDE" in texts
    # Rows that are there already are not looked at.
    later = {"NOVALIDATE", "NOCHECK"} & set(texts) or ("NOT", "VALID") in pairwise(texts)
    return any(
        (word == "CHECK" and texts[at + 1] == "(" and not later)
        or (word == "USING" and (values or texts[at + 1] not in _KINDS_OF_INDEX))
        or (word == "AS" and "ADD" in texts[:at] and texts[at + 1] != "IDENTITY")
        or word in {"DETACH", "VALIDATE"}
        or (texts[at - 2 : at + 1] == ["WITH", "CHECK", "CHECK"] and "CONSTRAINT" in texts)
        for at, word in enumerate(texts[:-1])
    )


# What never fails, whatever the row.
_TOTAL = frozenset(
    {
        *(
            "UPPER",
            "LOWER",
            "TRIM",
            "LTRIM",
            "RTRIM",
            "NVL",
            "COALESCE",
            "ISNULL",
            "IFNULL",
            "LEFT",
        ),
        *(
            "SUBSTR",
            "SUBSTRING",
            "RIGHT",
            "TO_CHAR",
            "TRUNC",
            "DATE",
            "YEAR",
            "MONTH",
            "DATE_TRUNC",
        ),
        *("LENGTH", "LEN", "REVERSE", "MD5", "ABS", "REPLACE", "IN", "AND", "OR", "NOT", "("),
    }
)
_WORKS_OUT = frozenset({"+", "-", "*", "/", "%", "||", "::", "CASE", "CAST", "CONVERT"})
_TELLING = MEASURE_ROLES | {"item_id", "item_name", "prescriber_id", "prescriber_name"}


def indexes_expression(catalogue: Catalogue, tokens: list[Token]) -> bool:
    """Whether CREATE INDEX works out something of a table of use that can fail (`(1/(sl-100))`), or
    must not come twice among rows chosen by who, what or how much."""
    texts = [token.text.upper() for token in tokens]
    about = estimate.touches(catalogue, " ".join(token.text for token in tokens))
    if "ON" not in texts or not any(is_use(catalogue, touch.table) for touch in about):
        return False
    at = texts.index("ON")
    start = next((n for n in range(at, len(texts)) if texts[n] == "("), len(texts))
    if start < len(texts) and texts[start - 1] in _NO_KEYS:
        start = len(texts)  # a whole table, in columns
    end = _behind(texts, start)
    where = texts.index("WHERE", end) if "WHERE" in texts[end:] else len(texts)
    last = where
    while last < len(texts) and texts[last] not in {"WITH", "ON"}:
        last = _behind(texts, last)
    keys, condition = tokens[start + 1 : end - 1], tokens[where + 1 : last]
    if _can_fail(keys, True) or _can_fail(condition, False):
        return True
    named = {token.text.lower() for token in condition}
    return "UNIQUE" in texts[:at] and any(
        role in _TELLING and column in named
        for table in catalogue.tables.values()
        if is_use(catalogue, table.name)
        and table.name.lower().rpartition(".")[2] in {t.lower() for t in texts[at:start]}
        for column, role in table.columns.items()
    )


# What stands in parentheses behind these is no list of keys.
_NO_KEYS = frozenset({"WITH", "ORDER", "PARAMETERS"})


def _behind(texts: list[str], at: int) -> int:
    """Where a word, or what stands in parentheses from there on, ends."""
    depth = 0
    while at < len(texts):
        depth += (texts[at] == "(") - (texts[at] == ")")
        at += 1
        if depth <= 0:
            break
    return at


def _can_fail(tokens: list[Token], is_key: bool) -> bool:
    """Whether some expression can fail. A key may have a length (`name(20)`) and, compared with
    nothing, hold no comparison."""
    texts = [token.text.upper() for token in tokens]
    for at, token in enumerate(tokens):
        if token.token_type is TokenType.STRING:
            continue
        if texts[at] in _WORKS_OUT or (is_key and texts[at] in {"<", ">", "=", "<=", ">=", "<>"}):
            return True
        if texts[at] != "(" or not at or texts[at - 1] in _TOTAL | {",", "=", "<", ">"}:
            continue
        if not (texts[at + 1 : at + 2] and texts[at + 1].isdigit()):
            return True
    return False
