"""Facts about columns, and whether a predicate holds for the rows that facts leave.

Rules this module keeps:

1. Three answers: a predicate holds for all rows that the facts leave (True), for none (False), or
   that is not known (None).
2. A constant whose value decided an answer is bound to it (`folding.Reading.bind`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from sqlglot import exp

from qingfang.understand.computing import number
from qingfang.understand.folding import Const, Reading, fold
from qingfang.understand.holding import Test, passes

if TYPE_CHECKING:
    from qingfang.understand.flows import Source


class Fact:
    """A predicate that all rows of a block pass: `source op values`.

    op: `eq` (one of `values`), `like` (a pattern), `range` (`low`/`high`), `day` (falls on one of
    `values`), `null`, `other` (mentioned by a predicate that fixes nothing), `chosen` (one of what
    a sub-select gave), `given` (one of what the statement itself brings along as rows). `of_row` is False inside an outer join's ON.
    """

    __slots__ = (
        *("high", "high_open", "low", "negated", "of_row", "op", "source", "span", "values"),
    )

    def __init__(
        self,
        source: Source,
        op: str,
        values: tuple[Const, ...] = (),
        *,
        negated: bool = False,
        low: Const | None = None,
        high: Const | None = None,
        high_open: bool = False,
        of_row: bool = True,
        span: tuple[int, int] | None = None,
    ) -> None:
        self.source, self.op, self.values, self.negated = source, op, values, negated
        self.low, self.high, self.high_open = low, high, high_open
        self.of_row, self.span = of_row, span

    def loose(self) -> Fact:
        """The same inside an outer join's losing side."""
        return Fact(
            self.source,
            self.op,
            self.values,
            negated=self.negated,
            low=self.low,
            high=self.high,
            high_open=self.high_open,
            of_row=False,
            span=self.span,
        )

    def mentioned(self) -> Fact:
        """The same of rows that it does not decide about."""
        return Fact(self.source, "other", negated=self.negated, of_row=False, span=self.span)

    @property
    def fixes(self) -> bool:
        """Equality with known or bound values."""
        return self.op == "eq" and not self.negated

    @property
    def selects(self) -> bool:
        """Picks rows by the column, whatever way, other than leaving some out."""
        return not self.negated and self.op != "null"

    @property
    def rejects_null(self) -> bool:
        return self.of_row and self.op in {"eq", "like", "range", "day", "chosen", "given"}


_TRUE = frozenset({"true", "t", "1", "yes", "on"})
_FALSE = frozenset({"false", "f", "0", "no", "off"})


def truth(node: exp.Expr, facts: Iterable[Fact], reading: Reading) -> bool | None:
    """Whether `node`, a catalogue's predicate, holds for the rows that these facts (all about the
    predicate's own table) leave."""
    known = list(facts)
    return _truth(node, known, reading, 0)


def _truth(node: exp.Expr, facts: list[Fact], reading: Reading, depth: int) -> bool | None:
    if depth > 40:
        return None
    if isinstance(node, exp.Paren):
        return _truth(node.this, facts, reading, depth + 1)
    if isinstance(node, exp.And):
        left = _truth(node.left, facts, reading, depth + 1)
        right = _truth(node.right, facts, reading, depth + 1)
        if left is False or right is False:
            return False
        return True if left and right else None
    if isinstance(node, exp.Or):
        left = _truth(node.left, facts, reading, depth + 1)
        right = _truth(node.right, facts, reading, depth + 1)
        if left or right:
            return True
        return False if left is False and right is False else None
    if isinstance(node, exp.Not):
        inner = _truth(node.this, facts, reading, depth + 1)
        return None if inner is None else not inner
    return _atom(node, facts, reading)


def _atom(node: exp.Expr, facts: list[Fact], reading: Reading) -> bool | None:
    column = node.this if isinstance(node.this, exp.Column) else None
    if column is None:
        return None
    about = [f for f in facts if f.source.column == column.name.lower()]
    if isinstance(node, exp.Is):
        nulls = [f for f in about if f.op == "null"]
        wants_null = not node.args.get("negate")
        for fact in nulls:
            return (not fact.negated) is wants_null
        if any(f.rejects_null for f in about):
            return not wants_null
        return None
    wanted = _wanted(node)
    if wanted is None:
        return None
    # A column fixed to values: the predicate can be worked out for each of them.
    for fact in about:
        if fact.fixes and fact.values:
            answers: set[bool | None] = set()
            for const in fact.values:
                reading.bind(const)
                answers.add(None if const.text is None else _matches(node, const.text, wanted))
            if len(answers) == 1:
                return answers.pop()
            return None
    for fact in about:
        same = [c.text for c in fact.values]
        if fact.op == "like" and isinstance(node, exp.Like) and same and same[0] is not None:
            for const in fact.values:
                reading.bind(const)
            if not node.args.get("negate") and not fact.negated:
                if _narrower(same[0], wanted[0]):
                    return True
                return False if _apart(same[0], wanted[0]) else None
        if fact.op == "eq" and fact.negated and isinstance(node, exp.NEQ):
            for const in fact.values:
                reading.bind(const)
            if wanted[0] in same:
                return True
    # What several `<>` or NOT IN leave out, they leave out together.
    without = [f for f in about if f.op == "eq" and f.negated]
    if without and isinstance(node, (exp.EQ, exp.In)):
        consts = [const for fact in without for const in fact.values]
        for const in consts:
            reading.bind(const)
        if set(wanted) <= {const.text for const in consts}:
            return False
    return None


def _wanted(node: exp.Expr) -> list[str] | None:
    if isinstance(node, exp.In):
        items = node.expressions
    elif isinstance(node, exp.Between):
        items = [node.args["low"], node.args["high"]]
    elif isinstance(node, (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Like, exp.ILike)):
        items = [node.expression]
    else:
        return None
    texts: list[str] = []
    for item in items:
        const = fold(item, Reading(None), False)
        if const is None or const.text is None:
            return None
        texts.append(const.text)
    return texts


def _matches(node: exp.Expr, text: str, wanted: list[str]) -> bool | None:
    if isinstance(node, (exp.EQ, exp.In)):
        return any(same_value(text, other) for other in wanted)
    if isinstance(node, exp.NEQ):
        return not same_value(text, wanted[0])
    if isinstance(node, (exp.Like, exp.ILike)):
        if "[" in wanted[0]:
            return None  # T-SQL's classes of characters
        hit = like(text, wanted[0])
        return hit is not bool(node.args.get("negate"))
    order = _compare(text, wanted[0])
    if isinstance(node, exp.Between):
        return order >= 0 and _compare(text, wanted[1]) <= 0
    if isinstance(node, exp.GT):
        return order > 0
    if isinstance(node, exp.GTE):
        return order >= 0
    if isinstance(node, exp.LT):
        return order < 0
    return order <= 0


def _compare(left: str, right: str) -> int:
    a, b = number(left), number(right)
    if a is not None and b is not None:
        return (a > b) - (a < b)
    return (left > right) - (left < right)


def same_value(left: str, right: str) -> bool:
    """Equality of two values as some database sees it: numbers by number, truth by truth, and
    texts without case and trailing blanks (many collations do)."""
    if left.rstrip().casefold() == right.rstrip().casefold():
        return True
    a, b = number(left), number(right)
    if a is not None and b is not None:
        return a == b
    low, high = left.strip().lower(), right.strip().lower()
    return (low in _TRUE and high in _TRUE) or (low in _FALSE and high in _FALSE)


def like(text: str, pattern: str) -> bool:
    parts = [".*" if char == "%" else "." if char == "_" else re.escape(char) for char in pattern]
    return re.fullmatch("".join(parts), text, re.DOTALL | re.IGNORECASE) is not None


def _narrower(pattern: str, wider: str) -> bool:
    """`YP01%` is within `YP%`; only patterns of one trailing `%` are compared."""
    if pattern == wider:
        return True
    head = wider.removesuffix("%")
    return wider.endswith("%") and not set("%_[") & set(head) and pattern.startswith(head)


def _apart(one: str, other: str) -> bool:
    """`JC%` and `YP%` have nothing in common: they differ before the first wildcard."""
    heads = [re.split(r"[%_\\\[]", pattern, maxsplit=1)[0] for pattern in (one, other)]
    size = min(len(head) for head in heads)
    return heads[0][:size].casefold() != heads[1][:size].casefold()


def day_test(low: Const | None, high: Const | None, high_open: bool, reading: Reading) -> bool:
    """Whether a range of time is at most 24 hours; records what the answer rests on."""
    if low is not None and low.clock is not None:
        if high is None:
            return low.clock >= -1
        if high.clock is None:
            return False
        extra = 1 if high.whole and not high_open else 0
        return high.clock + extra - low.clock <= 1
    if low is None or high is None:
        return False
    test: Test = "within_day" if high_open else "within_day_inclusive"
    return reading.condition(test, (low, high), passes(test, (low.text, high.text)))
