"""Expressions and conditions of a body: the values they may have.

Rules this module keeps:

1. An expression's functions of known bodies are run for what they do besides giving a value.
2. A condition is decided only where it is certain in every database; NULL decides nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlglot import exp

from qingfang.understand.builtin import SCHEDULERS
from qingfang.understand.dialects import BIND
from qingfang.understand.folding import fold, is_known_bind
from qingfang.understand.routines.binding import Binder
from qingfang.understand.routines.folds import Texts
from qingfang.understand.routines.frames import Frame
from qingfang.understand.routines.source import read
from qingfang.understand.routines.tree import (
    Routine,
)
from qingfang.understand.routines.trees import (
    bases,
    call_of,
    comparison,
    given_constant,
    literal_offsets,
    named_argument,
    no_holes,
)
from qingfang.understand.routines.values import (
    MAX_GIVEN,
    MAX_LENGTH,
    MAX_TEXTS,
    UNKNOWN,
    Leaf,
    Value,
    common_ends,
    join,
    nothing,
)

if TYPE_CHECKING:
    pass


class Evaluator(Binder, ABC):
    """Works out values."""

    @abstractmethod
    def invoke(self, name: str, given: Sequence[tuple[str, Value]], caller: Frame) -> Frame | None:
        """Run a routine by its name with these arguments; None when it is not known, or too deep."""

    @abstractmethod
    def schedule(self, name: str, arguments: Sequence[exp.Expr], frame: Frame) -> None:
        """A call of one of `SCHEDULERS`."""

    def _routine(
        self, name: str, caller: Frame
    ) -> tuple[Routine, str, str, dict[str, Routine]] | None:
        """The routine of a name, its key, its package, and the routines it sees by their bare name."""
        prefix, _dot, last = name.rpartition(".")
        if last in caller.inner and prefix.rpartition(".")[2] in {"", caller.package}:
            found = caller.inner[last]
            return (
                found,
                f"{caller.package}.{last}",
                caller.package,
                {**caller.inner, **found.inner},
            )
        if prefix:
            text = self._source(prefix)
            if text is not None:
                package = read(text, self.dialect)
                if last in package.inner:
                    found = package.inner[last]
                    own = prefix.rpartition(".")[2]
                    return found, name, own, {**package.inner, **found.inner}
        text = self._source(name)
        if text is None:
            return None
        found = read(text, self.dialect)
        if not found.body.steps and last in found.inner:
            inner = found.inner
            return inner[last], name, prefix.rpartition(".")[2], {**inner, **inner[last].inner}
        return found, name, "", found.inner

    def _is_routine(self, name: str, frame: Frame) -> bool:
        last = name.rpartition(".")[2]
        return last in frame.inner or self._routine(name, frame) is not None

    def value(self, select: exp.Select | None, frame: Frame) -> Value:
        """What an expression may be."""
        if select is None or not select.expressions:
            return UNKNOWN
        node = select.expressions[0]
        while isinstance(node, (exp.Paren, exp.Alias)):
            node = node.this
        found = self._lookup(node, frame, frozenset())
        if found is not None:
            return found
        called = self._called(node, frame)
        if called is not None:
            return called
        self._effects(select, frame)
        controls: list[exp.Select] = []
        tree = self.bound(select, frame, controls)
        control = tuple(dict.fromkeys(controls))
        literals: set[int] = set()
        binds: set[int] = set()
        for part in tree.find_all(exp.Literal, exp.National, exp.HexString):
            literals.update(literal_offsets(part, frame.own))
        values = [
            v
            for part in select.find_all(exp.Column, exp.Placeholder, exp.Parameter)
            if (v := self._lookup(part, frame, frozenset())) is not None
        ]
        for value in values:
            literals |= value.literals
            binds |= value.binds
        reads = self._reads(tree)
        own_rows = any(True for _t in select.find_all(exp.Table))
        texts = (
            None if own_rows else Texts(self.reading, self._lookup_in(frame), self.hole).of(node)
        )
        if texts is not None and texts and not no_holes(texts) and len(texts) == 1:
            texts = texts if len(texts[0]) > 1 else None
        leaves: tuple[Leaf, ...] = ()
        given: exp.Expr | None = None
        if reads:
            query: exp.Expr = tree
            inner = tree.expressions[0]
            while isinstance(inner, exp.Paren):
                inner = inner.this
            exact = False
            column: int | None = 0
            if isinstance(inner, exp.Subquery) and isinstance(inner.this, exp.Query):
                query = inner.this
                # FOR XML, FOR JSON: all rows and columns in one value.
                exact = query.args.get("for_") is None
                column = 0 if exact else None
            elif not own_rows and len(values) == 1 and isinstance(inner, exp.Cast):
                return Value(
                    texts,
                    values[0].leaves,
                    None,
                    values[0].plain,
                    control,
                    frozenset(literals),
                    frozenset(binds),
                )
            leaves = (Leaf(query, column, (id(select), *bases(query)), exact),)
        elif sum(1 for _part in tree.expressions[0].walk()) <= MAX_GIVEN:
            given = given_constant(tree.expressions[0], frame.own)
            for place in given.find_all(exp.Placeholder):
                if str(place.this).startswith(BIND):
                    const = fold(place, self.reading, False)
                    binds.update(const.binds if const is not None else ())
        return Value(texts, leaves, given, False, control, frozenset(literals), frozenset(binds))

    def _called(self, node: exp.Expr, frame: Frame) -> Value | None:
        """`f(x)` alone, of a known body: what it returns."""
        name, arguments = call_of(node)
        if not name or not self._is_routine(name, frame):
            return None
        given = [self._argument(argument, frame) for argument in arguments]
        inner = self.invoke(name, given, frame)
        if inner is None:
            return UNKNOWN
        return self.returned(inner)

    def returned(self, frame: Frame) -> Value:
        """What a function's body returned, as a value."""
        result = frame.result or nothing()
        for rows in frame.rows:
            result = join(result, Value(None, (Leaf(rows, 0, ("rows", *bases(rows)), False),)))
        return result

    def _argument(self, node: exp.Expr, frame: Frame) -> tuple[str, Value]:
        name, node = named_argument(node, self.dialect)
        return name, self.value(exp.Select(expressions=[node]), frame)

    def _effects(self, select: exp.Expr, frame: Frame) -> None:
        """What the functions in an expression do besides giving a value, and those not known."""
        for node in select.find_all(exp.Anonymous):
            parent = node.parent
            name = node.name.lower()
            if isinstance(parent, exp.Dot) and parent.expression is node:
                name = f"{parent.this.sql().lower()}.{name}"
            if name in frame.env or name.split(".", 1)[0] in frame.env:
                continue  # an element of a collection, a method of it
            if self._is_routine(name, frame):
                given = [self._argument(argument, frame) for argument in node.expressions]
                self.invoke(name, given, frame)
            elif name in SCHEDULERS:
                self.schedule(name, node.expressions, frame)
            elif not self._is_own(name):
                self.problem("unknown_function", name, frame)

    def _appended(self, old: Value | None, new: Value) -> Value:
        texts: tuple[str, ...] | None = None
        if old is not None:
            first = old.texts if old.texts is not None else (self.hole(old, old.plain),)
            second = new.texts if new.texts is not None else (self.hole(new, new.plain),)
            both = [a + b for a in first or ("",) for b in second]
            texts = tuple(dict.fromkeys(both))
            if any(len(text) > MAX_LENGTH for text in texts):
                texts = (self.hole(None, False),)
            elif len(texts) > MAX_TEXTS:
                texts = (common_ends(texts, self.hole(None, False)),)
        mixed = join(old, new).derived()
        return Value(texts, mixed.leaves, None, False, mixed.control, mixed.literals, mixed.binds)

    def _guards(self, condition: exp.Select, frame: Frame) -> list[exp.Select]:
        """The condition as a query that tells its answer, if it reads rows, and what decided the
        values in it."""
        controls: list[exp.Select] = []
        tree = self.bound(condition, frame, controls)
        if self._reads(tree) and isinstance(tree, exp.Select):
            test = tree.expressions[0]
            case = exp.Case(ifs=[exp.If(this=test.copy(), true=exp.Literal.number(1))])
            tree.set("expressions", [case])
            controls.append(tree)
        return [one for one in dict.fromkeys(controls) if one not in frame.guards]

    def _decided(self, condition: exp.Select | None, frame: Frame) -> bool | None:
        if condition is None or frame.jumps:
            return None
        tree = self.bound(condition, frame)
        if self._reads(tree):
            return None
        return self._truth(tree.expressions[0], frame.own, 0)

    def _truth(self, node: exp.Expr, own: bool, depth: int) -> bool | None:
        """The truth of a condition on constants; None when it is not certain."""
        if depth > 30:
            return None
        if isinstance(node, exp.Paren):
            return self._truth(node.this, own, depth + 1)
        if isinstance(node, exp.Boolean):
            return bool(node.this)
        if isinstance(node, exp.Not):
            inner = self._truth(node.this, own, depth + 1)
            return None if inner is None else not inner
        if isinstance(node, (exp.And, exp.Or)):
            stops = isinstance(node, exp.Or)
            answers = [self._truth(part, own, depth + 1) for part in (node.left, node.right)]
            if stops in answers:
                return stops
            return None if None in answers else not stops
        if isinstance(node, exp.Is) and isinstance(node.expression, exp.Null):
            answer = self._null(node.this, own)
            return None if answer is None else answer is not bool(node.args.get("negate"))
        if isinstance(node, (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE)):
            left = fold(node.left, self.reading, own)
            right = fold(node.right, self.reading, own)
            if left is None or right is None or left.text is None or right.text is None:
                return None
            answer = comparison(node, left, right)
            if answer is not None:
                self.reading.bind(left)
                self.reading.bind(right)
            return answer
        return None

    def _null(self, node: exp.Expr, own: bool) -> bool | None:
        while isinstance(node, (exp.Cast, exp.Paren)):
            node = node.this
        if isinstance(node, exp.Placeholder) and not is_known_bind(node, self.reading):
            return None
        const = fold(node, self.reading, own)
        if const is None or (const.text is None and not const.null):
            return None
        return not self.reading.known(const, self.dialect == "oracle")
