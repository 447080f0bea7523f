"""From text to meaning without parsing: exact text, then normal form, then the analyser.

A statement whose template was analysed before gets the cached meaning with its own values put in.
The analyser says for each meaning what it rests on (`Analysis.free`, `decisive`, `conditions`).

Rules this module keeps:

1. Safe by construction: a literal that is not declared free is part of the key, and a bound value
   that decided something too; conditions are tested again on the new values. Forgetting to declare
   costs an analysis, never a wrong meaning.
2. A free literal is substituted only where the cached value is that literal's own text; a value
   that was computed from it makes the literal part of the key.
3. A `?` and a number are never taken for each other, although both leave the mark `?`.
4. A volatile meaning (session state, the clock) is never kept.
5. Memory is bounded by counts and by the length of texts; two generations stand in for a
   least-recently-used order, so that a hit costs one look-up.
6. Offsets in a meaning are those of the statement asked about, exact when it differs from the
   analysed one in literals only, else to the nearest literal.
7. A catalogue change means a new `Templates`: nothing here outlives the catalogue it rests on.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Sequence
from typing import Final, Generic, TypeVar

from msgspec.structs import replace
from mypy_extensions import i64

from qingfang.events import (
    Fixed,
    Meaning,
    Period,
    Pin,
    Reason,
    Scope,
    Selection,
    Template,
    Value,
    Yield,
)
from qingfang.understand.analysis import Analysis
from qingfang.understand.dialects import other_reading
from qingfang.understand.fingerprint import Scan, digest, scan, value
from qingfang.understand.holding import Condition, day_before, holds, is_midnight

LONGEST_TEXT: Final = 16_384
LONGEST_EXACT: Final = 4_096
MOST_VARIANTS: Final = 256

T = TypeVar("T")
Binds = Sequence[str | None] | None


class Generations(Generic[T]):
    """A dictionary of at most `2 × size` entries that forgets the longest unused, roughly: when the
    young generation is full it becomes the old one, and the old one is dropped."""

    def __init__(self, size: int) -> None:
        self.size: int = size
        self.young: dict[str, T] = {}
        self.old: dict[str, T] = {}

    def get(self, key: str) -> T | None:
        found = self.young.get(key)
        if found is None and self.old:
            found = self.old.get(key)
            if found is not None:
                self.put(key, found)
        return found

    def put(self, key: str, entry: T) -> None:
        if len(self.young) >= self.size:
            self.old = self.young
            self.young = {}
        self.young[key] = entry

    def __len__(self) -> int:
        return len(self.young) + len(self.old)


class _Test:
    """A condition, and where each of its values comes from: a place, a bind, or fixed text."""

    def __init__(self, condition: Condition, places: list[int], binds: list[int]) -> None:
        self.condition: Condition = condition
        self.places: list[int] = places
        self.binds: list[int] = binds


class _Variant:
    """One meaning of a form, and the statement it was analysed from."""

    def __init__(
        self,
        meaning: Meaning,
        tests: list[_Test],
        sql: str,
        seen: Scan,
        free: frozenset[int],
        lists: dict[int, list[int]],
    ) -> None:
        self.meaning: Meaning = meaning
        self.tests: list[_Test] = tests
        self.sql: str = sql
        self.seen: Scan = seen
        # Places whose literal may differ, and the starts of the literals inside long lists.
        self.free: frozenset[int] = free
        self.lists: dict[int, list[int]] = lists
        self.plain: bool = not meaning.reasons and not _values_of(meaning)
        self.quiet: bool = (
            meaning.disclosure == "none"
            and not meaning.yields
            and not meaning.pins
            and not meaning.works
            and meaning.operator is None
        )
        self.place_of: dict[int, int] = {start: i for i, start in enumerate(seen.starts)}
        self.inside: dict[int, tuple[int, int]] = {
            start: (place, n) for place, starts in lists.items() for n, start in enumerate(starts)
        }


class _Layout:
    """Variants that rest on the same places and binds."""

    def __init__(self, kept: list[int], kept_binds: list[int]) -> None:
        self.kept: list[int] = kept
        self.kept_binds: list[int] = kept_binds
        self.variants: dict[tuple[str | None, ...], list[_Variant]] = {}


class _Form:
    def __init__(self, template: Template) -> None:
        self.template: Template = template
        self.layouts: list[_Layout] = []
        self.count: int = 0


class Found:
    """What is known of one statement: its template, what is disclosed, and on demand its meaning
    and literals. `quiet`: nobody learns or does anything that matters, now or later."""

    def __init__(
        self,
        template: Template,
        variant: _Variant,
        sql: str,
        seen: Scan,
        dialect: str,
        binds: Binds,
    ) -> None:
        self.template: Template = template
        self.dialect: str = dialect
        self.disclosure: str = variant.meaning.disclosure
        self.quiet: bool = variant.quiet
        self._variant: _Variant = variant
        self._sql: str = sql
        self._seen: Scan = seen
        self._binds: Binds = binds
        self._meaning: Meaning | None = variant.meaning if variant.plain else None
        self._literals: tuple[str, ...] | None = None

    @property
    def meaning(self) -> Meaning:
        """The meaning with this statement's own values and offsets."""
        meaning = self._meaning
        if meaning is None:
            meaning = _Substitution(
                self._variant, self._sql, self._seen, self.dialect, self._binds
            ).of(self._variant.meaning)
            self._meaning = meaning
        return meaning

    def literals(self) -> tuple[str, ...]:
        """The literals as written, in the order of the template's places."""
        literals = self._literals
        if literals is None:
            literals = self._literals = self._seen.literals(self._sql)
        return literals


class _Doorkeeper:
    """Tells a text that comes again from one that is new, in 32 KiB: most statements with literals
    in them never come again, and keeping each would push out those that do. May forget a text, and
    take one in 256 new ones for known."""

    def __init__(self) -> None:
        self._marks: bytearray = bytearray(1 << 15)

    def knows(self, text: str) -> bool:
        """Whether it came before; from now on it did."""
        marks = self._marks
        found: i64 = hash(text)
        place: i64 = found & 0x7FFF
        mark: i64 = (found >> 15) & 0xFF
        if marks[place] == mark:
            return True
        marks[place] = mark
        return False


class Templates:
    """The caches of one catalogue. `texts` and `forms` bound how many exact texts and normal forms
    a generation holds. Not thread-safe. `hits`, `misses` count what `look` answered."""

    def __init__(self, texts: int = 8_192, forms: int = 8_192) -> None:
        self._texts: Generations[Found] = Generations(texts)
        self._forms: Generations[_Form] = Generations(forms)
        self._door: _Doorkeeper = _Doorkeeper()
        # Texts with binds, which one text executes with ever other values: what is known whatever
        # these are, and the scans of the others.
        self._bound: Generations[Found] = Generations(texts)
        self._scans: Generations[tuple[str, Scan]] = Generations(texts)
        self.hits: int = 0
        self.misses: int = 0

    def look(
        self, sql: str, dialect: str, binds: Binds = None, made: Collection[str] = ()
    ) -> Found | None:
        """What is known of the statement; None when it has to be analysed (then `learn`). `made`
        are the lower-case names of what the session has built (temporary tables, prepared
        statements, cursors): a text in which one occurs is never answered from here."""
        if (made and _mentions(sql, made)) or other_reading(sql, dialect) is not None:
            self.misses += 1
            return None
        known = self._bound.get(sql) if binds else self._texts.get(sql)
        if known is not None and known.dialect == dialect:
            self.hits += 1
            return known
        if len(sql) > LONGEST_TEXT:
            self.misses += 1
            return None
        seen = self._scan(sql, dialect) if binds else scan(sql, dialect)
        form = self._forms.get(_key(seen, dialect))
        variant = None if form is None else _choose(form, sql, seen, dialect, binds)
        if form is None or variant is None:
            self.misses += 1
            return None
        self.hits += 1
        found = Found(form.template, variant, sql, seen, dialect, binds)
        if len(sql) <= LONGEST_EXACT:
            if binds:
                if _whatever_is_bound(form, variant):
                    self._bound.put(sql, found)
            elif not seen.starts or self._door.knows(sql):
                self._texts.put(sql, found)
        return found

    def _scan(self, sql: str, dialect: str) -> Scan:
        known = self._scans.get(sql)
        if known is not None and known[0] == dialect:
            return known[1]
        seen = scan(sql, dialect)
        if len(sql) <= LONGEST_EXACT:
            self._scans.put(sql, (dialect, seen))
        return seen

    def learn(self, sql: str, dialect: str, analysis: Analysis, binds: Binds = None) -> Found:
        """Keep what the analyser said of the statement (unless it is volatile), and give it."""
        seen = scan(sql, dialect)
        variant, kept = _variant(sql, seen, dialect, analysis)
        key = _key(seen, dialect)
        form = self._forms.get(key)
        if form is None:
            text = seen.text
            form = _Form(Template(digest(text, dialect), dialect, text))
            if not analysis.meaning.volatile and len(sql) <= LONGEST_TEXT:
                self._forms.put(key, form)
        if not analysis.meaning.volatile and len(sql) <= LONGEST_TEXT:
            kept_binds = sorted(analysis.decisive)
            if form.count >= MOST_VARIANTS:
                form.layouts = []
                form.count = 0
            layout = next(
                (x for x in form.layouts if x.kept == kept and x.kept_binds == kept_binds), None
            )
            if layout is None:
                layout = _Layout(kept, kept_binds)
                form.layouts.append(layout)
            layout.variants.setdefault(_values(layout, sql, seen, binds), []).append(variant)
            form.count += 1
        return Found(form.template, variant, sql, seen, dialect, binds)

    def judge(
        self,
        sql: str,
        dialect: str,
        analyse: Callable[[], Analysis],
        binds: Binds = None,
        made: Collection[str] = (),
    ) -> Found:
        """`look`, else analyse and `learn`."""
        found = self.look(sql, dialect, binds, made)
        return found if found is not None else self.learn(sql, dialect, analyse(), binds)


def _mentions(sql: str, made: Collection[str]) -> bool:
    text = sql.lower()
    return any(name in text for name in made)


def _key(seen: Scan, dialect: str) -> str:
    key = f"{dialect}\0{seen.text}"
    return f"{key}\0{seen.kinds}" if "b" in seen.kinds else key


def _values(layout: _Layout, sql: str, seen: Scan, binds: Binds) -> tuple[str | None, ...]:
    """The part of the key beyond the normal form: the literals and bound values that decide."""
    parts: list[str | None] = [sql[seen.starts[i] : seen.ends[i]] for i in layout.kept]
    for index in layout.kept_binds:
        # A bind that is not given is not the same as NULL.
        if binds is None or index >= len(binds):
            parts.append("\0")
        else:
            bound = binds[index]
            parts.append(None if bound is None else "=" + bound)
    return tuple(parts)


def _choose(form: _Form, sql: str, seen: Scan, dialect: str, binds: Binds) -> _Variant | None:
    for layout in form.layouts:
        variants = layout.variants.get(_values(layout, sql, seen, binds))
        if variants is None:
            continue
        for variant in variants:
            for test in variant.tests:
                if not _passes(test, sql, seen, dialect, binds):
                    break
            else:
                return variant
    return None


def _whatever_is_bound(form: _Form, variant: _Variant) -> bool:
    """Whether a text of this form means the same with any values bound to it."""
    if not variant.plain or len(form.layouts) != 1 or form.layouts[0].kept_binds:
        return False
    for variants in form.layouts[0].variants.values():
        for other in variants:
            for test in other.tests:
                for bind in test.binds:
                    if bind >= 0:
                        return False
    return True


def _passes(test: _Test, sql: str, seen: Scan, dialect: str, binds: Binds) -> bool:
    texts: list[str | None] = []
    for i, known in enumerate(test.condition.values):
        place, bind = test.places[i], test.binds[i]
        if place >= 0:
            texts.append(value(sql[seen.starts[place] : seen.ends[place]], dialect))
        elif bind >= 0:
            if binds is None or bind >= len(binds):
                return False
            texts.append(binds[bind])
        else:
            texts.append(known.text)
    return holds(test.condition, texts)


# ---------------------------------------------------------------- learning


def _variant(sql: str, seen: Scan, dialect: str, analysis: Analysis) -> tuple[_Variant, list[int]]:
    """The variant of an analysed statement, and the places that are part of its key."""
    meaning = analysis.meaning
    place_of = {start: i for i, start in enumerate(seen.starts) if seen.kinds[i] in "ns"}
    lists = {i: _inside(sql, seen, i, dialect) for i, kind in enumerate(seen.kinds) if kind == "l"}
    free = {i for start, i in place_of.items() if start in analysis.free}
    free |= {i for i, starts in lists.items() if analysis.free.issuperset(starts)}
    inside = {start: i for i, starts in lists.items() for start in starts}
    held: set[int] = set()
    tested = [v for c in analysis.conditions for v in c.values]
    period = meaning.scope.period if meaning.scope is not None else None
    shifted = period.to if period is not None and period.before else None
    for known in [*_values_of(meaning), *tested]:
        for start in known.literals:
            place = place_of.get(start, -1)
            if place < 0:
                continue
            own = value(sql[seen.starts[place] : seen.ends[place]], dialect)
            if known is shifted and is_midnight(own):
                own = day_before(own)
            if len(known.literals) > 1 or known.binds or known.text != own:
                held.add(place)  # rule 2
    for known in tested:
        held |= {inside[start] for start in known.literals if start in inside}
    for group in _groups_of(meaning):
        held |= _broken_lists(group, lists, inside)
    free -= held
    tests: list[_Test] = []
    for condition in analysis.conditions:
        places = [
            place_of.get(v.literals[0], -1) if len(v.literals) == 1 else -1
            for v in condition.values
        ]
        binds = [v.binds[0] if len(v.binds) == 1 else -1 for v in condition.values]
        tests.append(_Test(condition, places, binds))
    kept = [i for i in range(len(seen.starts)) if i not in free]
    return _Variant(meaning, tests, sql, seen, frozenset(free), lists), kept


def _inside(sql: str, seen: Scan, place: int, dialect: str) -> list[int]:
    """The starts of the literals in a long list."""
    start, end = seen.starts[place], seen.ends[place]
    # Without its parentheses a list is not folded.
    return [start + at for at in scan(sql[start:end], dialect).starts]


def _broken_lists(
    group: tuple[Value, ...], lists: dict[int, list[int]], inside: dict[int, int]
) -> set[int]:
    """The long lists of which a group of values holds some literals but not all, in order."""
    broken: set[int] = set()
    i = 0
    while i < len(group):
        starts = group[i].literals
        place = inside.get(starts[0]) if starts else None
        if place is None:
            i += 1
            continue
        whole = lists[place]
        run = [v.literals for v in group[i : i + len(whole)]]
        if run == [(start,) for start in whole]:
            i += len(whole)
        else:
            broken.add(place)
            i += 1
    return broken


def _groups_of(meaning: Meaning) -> list[tuple[Value, ...]]:
    """Every row of values in a meaning."""
    groups: list[tuple[Value, ...]] = [pin.values for pin in (*meaning.pins, *meaning.works)]
    groups += [fixed.values for y in meaning.yields for fixed in y.fixed]
    scope = meaning.scope
    if scope is not None:
        groups += [s.values for s in (scope.items, scope.prescribers, scope.departments) if s]
        if scope.period is not None:
            groups += [(v,) for v in (scope.period.from_, scope.period.to) if v is not None]
    if meaning.operator is not None:
        groups.append((meaning.operator,))
    return groups


def _values_of(meaning: Meaning) -> list[Value]:
    return [v for group in _groups_of(meaning) for v in group if v.literals or v.binds]


# ---------------------------------------------------------------- substitution


class _Substitution:
    """A variant's meaning said of another statement of its form."""

    def __init__(self, variant: _Variant, sql: str, seen: Scan, dialect: str, binds: Binds) -> None:
        self.variant: _Variant = variant
        self.sql: str = sql
        self.seen: Scan = seen
        self.dialect: str = dialect
        self.binds: Binds = binds
        self.lists: dict[int, list[tuple[int, str]]] = {}
        self.done: dict[int, Value] = {}

    def of(self, meaning: Meaning) -> Meaning:
        operator = meaning.operator
        return replace(
            meaning,
            scope=self.scope(meaning.scope),
            reasons=tuple([self.reason(reason) for reason in meaning.reasons]),
            pins=self.pins(meaning.pins),
            works=self.pins(meaning.works),
            yields=tuple([self.yielded(y) for y in meaning.yields]),
            operator=None if operator is None else self.value(operator),
        )

    def yielded(self, given: Yield) -> Yield:
        if not given.fixed:
            return given
        return Yield(
            given.tables,
            given.roles,
            given.keys,
            tuple([self.fixed(f) for f in given.fixed]),
            given.measured,
            given.aggregated,
            given.pinned,
            given.paged,
            given.fees,
        )

    def scope(self, scope: Scope | None) -> Scope | None:
        if scope is None:
            return None
        period = scope.period
        if period is not None:
            to = None if period.to is None else self.value(period.to)
            if (to is not None and period.to is not None and to.text is not None) and (
                period.before and self.replaces(period.to) and is_midnight(to.text)
            ):
                to = Value(day_before(to.text), to.literals, to.binds)
            period = Period(
                None if period.from_ is None else self.value(period.from_), to, period.before
            )
        return Scope(
            self.selection(scope.items),
            self.selection(scope.prescribers),
            self.selection(scope.departments),
            period,
        )

    def selection(self, selection: Selection | None) -> Selection | None:
        if selection is None or not selection.values:
            return selection
        return Selection(selection.kind, self.values(selection.values))

    def pins(self, pins: tuple[Pin, ...]) -> tuple[Pin, ...]:
        return tuple([Pin(p.role, p.table, self.values(p.values)) for p in pins]) if pins else ()

    def fixed(self, fixed: Fixed) -> Fixed:
        if not fixed.values:
            return fixed
        values = self.values(fixed.values)
        return Fixed(fixed.role, fixed.table, fixed.column, values, fixed.negated)

    def reason(self, reason: Reason) -> Reason:
        start = self.position(reason.start)
        end = max(start, self.position(reason.end))
        return Reason(reason.code, reason.text, start, end)

    def values(self, values: tuple[Value, ...]) -> tuple[Value, ...]:
        if not self.variant.lists:
            return tuple([self.value(v) for v in values])
        out: list[Value] = []
        i = 0
        while i < len(values):
            starts = values[i].literals
            listed = self.variant.inside.get(starts[0]) if len(starts) == 1 else None
            if listed is not None and listed[0] in self.variant.free:
                out.extend([Value(text, (start,)) for start, text in self.listed(listed[0])])
                i += len(self.variant.lists[listed[0]])
            else:
                out.append(self.value(values[i]))
                i += 1
        return tuple(out)

    def replaces(self, known: Value) -> bool:
        """Whether the value is this statement's own, as written, and not one worked out before."""
        if len(known.literals) == 1 and not known.binds:
            return self.variant.place_of.get(known.literals[0], -1) in self.variant.free
        return len(known.binds) == 1 and not known.literals

    def value(self, known: Value) -> Value:
        text = known.text
        if len(known.literals) == 1 and not known.binds:
            place = self.variant.place_of.get(known.literals[0], -1)
            if place in self.variant.free:
                done = self.done.get(place)
                if done is None:
                    start, end = self.seen.starts[place], self.seen.ends[place]
                    done = Value(value(self.sql[start:end], self.dialect), (start,))
                    self.done[place] = done
                return done
        literals = tuple([self.literal(start) for start in known.literals])
        if len(known.binds) == 1 and not known.literals:
            bind = known.binds[0]
            given = self.binds is not None and bind < len(self.binds)
            text = self.binds[bind] if given and self.binds is not None else None
        return Value(text, literals, known.binds, known.clock, known.cut)

    def literal(self, start: int) -> int:
        listed = self.variant.inside.get(start)
        if listed is not None:
            members = self.listed(listed[0])
            return members[min(listed[1], len(members) - 1)][0]
        place = self.variant.place_of.get(start)
        return self.position(start) if place is None else self.seen.starts[place]

    def listed(self, place: int) -> list[tuple[int, str]]:
        """The literals of a long list: where they start and what they say."""
        members = self.lists.get(place)
        if members is None:
            start = self.seen.starts[place]
            text = self.sql[start : self.seen.ends[place]]
            inner = scan(text, self.dialect)
            members = [
                (start + s, value(text[s:e], self.dialect))
                for s, e in zip(inner.starts, inner.ends, strict=True)
            ]
            self.lists[place] = members
        return members

    def position(self, p: int) -> int:
        """Where a position of the analysed text lies in this one (rule 6)."""
        old, new = self.variant.seen, self.seen
        place = bisect_right(old.starts, p) - 1
        if place < 0:
            limit = new.starts[0] if new.starts else len(self.sql)
            return min(p, limit)
        if p < old.ends[place]:
            return new.starts[place] if p == old.starts[place] else new.ends[place]
        limit = new.starts[place + 1] if place + 1 < len(new.starts) else len(self.sql)
        return min(new.ends[place] + p - old.ends[place], limit)
