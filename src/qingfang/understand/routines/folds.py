"""The texts an expression may be: the string building of dynamic SQL.

Rules this module keeps:

1. Joining, choosing and replacing pass holes on; any other function of a text with a hole is a hole
   itself. A function whose result is a number or a time gives a hole that cannot change structure.
2. Nothing is guessed: what does not fold is a hole.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import product

from sqlglot import exp

from qingfang.understand.computing import joined, number
from qingfang.understand.folding import Reading, fold
from qingfang.understand.routines.values import MAX_LENGTH, MAX_TEXTS, Value, common_ends, has_hole

Lookup = Callable[[exp.Expr], "Value | None"]
Hole = Callable[["Value | None", bool], str]

_JOINS = (exp.DPipe, exp.Add, exp.Concat, exp.ConcatWs)
_WRAPS = (exp.Paren, exp.Collate, exp.National)
_TEXTS = frozenset({"CHAR", "VARCHAR", "NCHAR", "NVARCHAR", "TEXT", "NAME", "BPCHAR", "VARBINARY"})
_PLAIN_RESULTS = (
    *(exp.Year, exp.Month, exp.Day, exp.Round, exp.Abs, exp.Length, exp.Count),
    *(exp.CurrentDate, exp.CurrentTimestamp, exp.DateDiff, exp.DateAdd, exp.Extract, exp.Sum),
    *(exp.CurrentDatetime, exp.DateSub, exp.TsOrDsAdd, exp.TimestampTrunc, exp.DateTrunc, exp.Div),
    *(exp.Floor, exp.Ceil, exp.Mod, exp.Mul, exp.Sub, exp.Neg),
)
_PLAIN_NAMES = frozenset(
    {
        *(
            "str",
            "to_date",
            "datepart",
            "datename",
            "getdate",
            "sysdate",
            "now",
            "len",
            "isnumeric",
        ),
        *(
            "last_day",
            "add_months",
            "months_between",
            "to_number",
            "trunc",
            "to_days",
        ),
    }
)
# What takes a part of a text, or fills it up.
_PARTS = (exp.Left, exp.Right, exp.Substring, exp.Pad, exp.Upper, exp.Lower, exp.Trim)
# A time written by a format of this kind is digits, names of months and days, and what parts them.
_TIME_FORM = re.compile(r"(?:%-?[A-Za-z]|[-/:._ \d年月日时分秒])*")
_SAFE = re.compile(r"[\w.:-]*")
_QUOTES = frozenset({"quote_literal", "quote_nullable"})


class Texts:
    """Folds expressions to the texts they may be. `lookup` gives a variable's value, None for what
    is no variable; `hole` makes a hole for a value."""

    def __init__(self, reading: Reading, lookup: Lookup, hole: Hole) -> None:
        self.reading, self.lookup, self.hole = reading, lookup, hole

    def of(self, node: exp.Expr | None, depth: int = 0) -> tuple[str, ...]:
        if depth > 60 or node is None:
            return (self.hole(None, False),)
        if isinstance(node, (exp.Literal, exp.National)):
            return (str(node.this),)
        if isinstance(node, exp.Null):
            return ()
        value = self.lookup(node)
        if value is not None:
            return value.texts if value.texts is not None else (self.hole(value, value.plain),)
        if isinstance(node, exp.Placeholder):
            # The client's own: whoever runs the text says that it decided something.
            const = fold(node, self.reading, False)
            if const is None or (const.text is None and not const.null):
                return (self.hole(None, False),)
            return (const.text,) if const.text is not None else ()
        if isinstance(node, (exp.Collate, exp.Paren)):
            return self.of(node.this, depth + 1)
        if isinstance(node, (exp.Cast, exp.TryCast, exp.Convert)):
            return self._cast(node, depth)
        if isinstance(node, _JOINS):
            return self._joined(node, depth)
        if isinstance(node, exp.Coalesce):
            return self._first(node, depth)
        if isinstance(node, (exp.Case, exp.If)):
            return self._chosen(node, depth)
        if isinstance(node, exp.Replace):
            return self._replaced(node, depth)
        if isinstance(node, (exp.Upper, exp.Lower, exp.Trim)) and not node.args.get("expression"):
            return self._each(node, self.of(node.this, depth + 1))
        if isinstance(node, exp.Format):
            return self._formatted(node, depth)
        if isinstance(node, exp.Anonymous):
            name = node.name.lower()
            parts = node.expressions
            if name in _QUOTES and parts:
                return tuple("'" + t.replace("'", "''") + "'" for t in self.of(parts[0], depth + 1))
            if name == "quote_ident" and parts:
                return self._each(node, self.of(parts[0], depth + 1))
            if name == "quotename" and parts:
                return self._bracketed(parts, depth)
        return self._folded(node, depth)

    def _folded(self, node: exp.Expr, depth: int) -> tuple[str, ...]:
        """A function of texts that are all known."""
        plain = self._plain(node)
        twin = exp.Select(expressions=[node.copy()])
        for part in list(twin.find_all(exp.Column, exp.Placeholder, exp.Parameter)):
            value = self.lookup(part)
            if value is None:
                continue
            text = value.known()
            if text is None:
                return (self.hole(_holding(node, self.lookup), plain),)
            part.replace(exp.Literal.string(text))
        found = fold(twin.expressions[0], self.reading, True)
        if found is not None and found.text is not None:
            self.reading.bind(found)
            return (found.text,)
        if found is not None and found.null:
            return ()
        return (self.hole(_holding(node, self.lookup), plain),)

    def _plain(self, node: exp.Expr, depth: int = 0) -> bool:
        """Whether it is a number or a time, or a part of one, so that it cannot change the structure
        of a text it is put into."""
        if depth > 12:
            return False
        if isinstance(node, exp.TimeToStr):
            form = node.args.get("format")
            return isinstance(form, exp.Literal) and bool(_TIME_FORM.fullmatch(str(form.this)))
        if isinstance(node, _PLAIN_RESULTS):
            return True
        if isinstance(node, exp.Anonymous):
            return node.name.lower() in _PLAIN_NAMES
        if isinstance(node, exp.Literal):
            return bool(_SAFE.fullmatch(str(node.this)))
        if isinstance(node, (exp.Paren, exp.Cast, exp.TryCast)):
            return self._plain(node.this, depth + 1)
        if isinstance(node, exp.Convert):
            return self._plain(node.expression, depth + 1)
        if isinstance(node, _PARTS):
            return all(
                self._plain(part, depth + 1)
                for part in node.args.values()
                if isinstance(part, exp.Expr)
            )
        value = self.lookup(node)
        return value is not None and value.plain

    def _bounded(self, texts: list[str]) -> tuple[str, ...]:
        if any(len(text) > MAX_LENGTH for text in texts):
            return (self.hole(None, False),)
        unique = tuple(dict.fromkeys(texts))
        if len(unique) <= MAX_TEXTS:
            return unique
        return (common_ends(unique, self.hole(None, False)),)

    def _joined(self, node: exp.Expr, depth: int) -> tuple[str, ...]:
        if isinstance(node, (exp.DPipe, exp.Add)):
            parts: list[exp.Expr] = []
            left: exp.Expr = node
            while isinstance(left, type(node)):
                parts.append(left.expression)
                left = left.this
            parts.append(left)
            parts.reverse()
        else:
            parts = list(node.expressions)
        numbers = [isinstance(part, exp.Literal) and not part.is_string for part in parts]
        if isinstance(node, exp.Add) and all(numbers):
            return self._folded(node, depth)
        # With a number among them, and in MySQL always, `+` adds.
        adds = isinstance(node, exp.Add) and any(numbers)
        between = ""
        if isinstance(node, exp.ConcatWs):
            first = self.of(parts[0], depth + 1)
            if len(first) != 1:
                return (self.hole(_holding(node, self.lookup), False),)
            between, parts = first[0], parts[1:]
        total: tuple[str, ...] = ("",)
        skips = not isinstance(node, exp.Add)
        for at, part in enumerate(parts):
            texts = self.of(part, depth + 1)
            if not texts and skips:
                texts = ("",)
            glue = between if at else ""
            both = [(a, b) for a, b in product(total, texts)]
            sums = [joined(node, [a, b]) for a, b in both] if adds and at else []
            if adds and at and any(number(a) is None or number(b) is None for a, b in both):
                return (self.hole(_holding(node, self.lookup), True),)
            total = self._bounded([s for s in sums if s] or [a + glue + b for a, b in both])
        return total

    def _first(self, node: exp.Expr, depth: int) -> tuple[str, ...]:
        found: list[str] = []
        for part in (node.this, *node.expressions):
            texts = self.of(part, depth + 1)
            found.extend(texts)
            value = self.lookup(part)
            sure = value is None or (value.given is not None or not value.leaves)
            if texts and sure and not any(has_hole(text) for text in texts):
                break
        return self._bounded(found)

    def _chosen(self, node: exp.Expr, depth: int) -> tuple[str, ...]:
        found: list[str] = []
        branches = [part.args["true"] for part in node.args.get("ifs") or []]
        if isinstance(node, exp.If):
            branches = [node.args["true"]]
        other = node.args.get("default") or node.args.get("false")
        for part in [*branches, *([other] if other is not None else [])]:
            found.extend(self.of(part, depth + 1))
        return self._bounded(found)

    def _replaced(self, node: exp.Replace, depth: int) -> tuple[str, ...]:
        whole = self.of(node.this, depth + 1)
        old = self.of(node.expression, depth + 1)
        new = (
            self.of(node.args["replacement"], depth + 1) if node.args.get("replacement") else ("",)
        )
        if any(has_hole(text) for text in old):
            return (self.hole(_holding(node, self.lookup), False),)
        return self._bounded(
            [text.replace(a, b) if a else text for text, a, b in product(whole, old, new or ("",))]
        )

    def _cast(self, node: exp.Expr, depth: int) -> tuple[str, ...]:
        inner = node.expression if isinstance(node, exp.Convert) else node.this
        target = node.this if isinstance(node, exp.Convert) else node.args.get("to")
        kind = (
            target.this.name
            if isinstance(target, exp.DataType) and isinstance(target.this, exp.DType)
            else "VARCHAR"
        )
        texts = self.of(inner, depth + 1)
        if kind in _TEXTS:
            if isinstance(inner, (exp.HexString, exp.ByteString)):
                return self._folded(node, depth)
            return texts
        if all(not has_hole(text) for text in texts):
            return texts
        return (self.hole(_holding(node, self.lookup), True),)

    def _each(self, node: exp.Expr, texts: tuple[str, ...]) -> tuple[str, ...]:
        """A function of one text, of each text it may get; it passes holes."""
        found: list[str] = []
        for text in texts:
            twin = node.copy()
            holder = exp.Literal.string(text)
            if isinstance(twin, exp.Anonymous):
                twin.set("expressions", [holder])
            else:
                twin.set("this", holder)
            const = fold(twin, self.reading, False)
            found.append(const.text if const is not None and const.text is not None else text)
        return self._bounded(found)

    def _formatted(self, node: exp.Expr, depth: int) -> tuple[str, ...]:
        parts = [node.this, *node.expressions]
        choices = [self.of(part, depth + 1) for part in parts]
        size = 1
        for choice in choices:
            size *= max(1, len(choice))
        if size > MAX_TEXTS:
            return (self.hole(_holding(node, self.lookup), False),)
        found: list[str] = []
        for texts in product(*(choice or ("",) for choice in choices)):
            twin = node.copy()
            twin.set("this", exp.Literal.string(texts[0]))
            twin.set("expressions", [exp.Literal.string(text) for text in texts[1:]])
            const = fold(twin, self.reading, False)
            if const is None or const.text is None:
                return (self.hole(_holding(node, self.lookup), False),)
            found.append(const.text)
        return self._bounded(found)

    def _bracketed(self, parts: list[exp.Expr], depth: int) -> tuple[str, ...]:
        mark = str(parts[1].this) if len(parts) > 1 else "["
        first, last = ("'", "'") if mark == "'" else ("[", "]") if mark in "[]" else (mark, mark)
        return tuple(
            first + text.replace(last, last * 2) + last for text in self.of(parts[0], depth + 1)
        )


def _holding(node: exp.Expr, lookup: Lookup) -> Value | None:
    """What the rows show that an expression was worked out from."""
    leaves: dict[str, object] = {}
    found: list[Value] = []
    for part in node.find_all(exp.Column, exp.Placeholder, exp.Parameter):
        value = lookup(part)
        if value is not None and (value.leaves or value.many) and repr(id(value)) not in leaves:
            leaves[repr(id(value))] = value
            found.append(value)
    if not found:
        return None
    total = tuple(leaf.derived() for value in found for leaf in value.leaves)
    return Value(None, total, many=any(value.many for value in found))
