"""The front door of understanding: one text in, what its receiver learns out.

    Analyser(catalogue).analyse("SELECT …") -> Analysis(meaning, free, conditions, …)

Rules this module keeps:

1. A `Meaning` comes out whatever goes in. What is not known is `opaque`, never `none`.
2. Of several statements in one text the strongest speaks: `usage` > `opaque` > `clinical` > `none`;
   `detail` > `prescriber` > `department` > `institution`; `returned` > `stored`.
3. Safe caching: `free` literals may change without changing the meaning's shape, `conditions` name
   the tests its shape rests on, and any other literal is part of the reader's cache key. So are
   bound values in `decisive`. A literal forgotten here costs speed, never a bypass.
4. A text whose encoding leaves open where a string ends is read both ways; the worse counts.

What several statements reveal together is accumulated from `Meaning.yields` and `pins` elsewhere;
`session_*` and `person_*` are left None here.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace
from sqlglot import exp

from qingfang.events import Grain, Meaning, Reason, Touch
from qingfang.understand import dialects, estimate, rules
from qingfang.understand.catalogue import Catalogue
from qingfang.understand.definition import Definition
from qingfang.understand.folding import Reading
from qingfang.understand.holding import Condition, holds
from qingfang.understand.reasons import OF_PROBLEM, reason
from qingfang.understand.state import SessionState
from qingfang.understand.statement import Outcome, Statement, keep_unread

__all__ = ["Analyser", "Analysis", "Condition", "SessionState", "holds"]


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


class Analyser:
    """Analyses statements against one catalogue. Keeps parsed views, nothing of statements.

    `definition` is what counts as statistics of use; without one, all that the contract calls usage.
    `strict` lets the error out that a tree of an unforeseen shape raises, so that a test fails of
    it; a running service answers `opaque` instead (rule 1).
    """

    def __init__(
        self,
        catalogue: Catalogue,
        definition: Definition | None = None,
        *,
        strict: bool = False,
    ) -> None:
        self.catalogue, self.definition, self.strict = catalogue, definition, strict
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
        sent = dialects.as_sent(sql, chosen)
        found = self._analysed(sent, chosen, binds, state)
        if sent != sql:
            # A line of a client's ends where the line does, which a normal form does not tell.
            found = replace(found, meaning=replace(found.meaning, volatile=True))
        other = dialects.other_reading(sent, chosen)
        if other is None:
            return found
        again = self._analysed(other, chosen, binds, state)
        worse = max(found, again, key=lambda analysis: _strength(analysis.meaning))
        return replace(worse, meaning=replace(worse.meaning, volatile=True))

    def _analysed(
        self,
        sql: str,
        chosen: str,
        binds: Sequence[str | None] | None,
        state: SessionState | None,
    ) -> Analysis:
        reading = Reading(binds)
        volatile = state is not None and state.has_own
        outcomes: list[Outcome] = []
        for piece in dialects.pieces(sql, chosen):
            statement = Statement(self, sql, chosen, reading, state, piece)
            outcomes.extend(statement.outcomes())
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
            mine = _strength(meaning)
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
                touches=self._estimate(sql, outcome),
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

    def _estimate(self, sql: str, outcome: Outcome) -> tuple[Touch, ...]:
        """What an opaque statement may be about."""
        if outcome.unbounded or _runs_unseen(outcome):
            return self._all_usage()
        known = [problem.touches for problem in outcome.problems if problem.touches is not None]
        found = {touch.table: touch for touches in known for touch in touches}
        if len(known) < len(outcome.problems):
            for touch in self.touches(sql[outcome.span[0] : outcome.span[1]]):
                before = found.get(touch.table)
                roles = {*touch.roles, *(before.roles if before is not None else ())}
                found[touch.table] = Touch(touch.table, tuple(sorted(roles)))
        return tuple(found.values())

    def _all_usage(self) -> tuple[Touch, ...]:
        return tuple(
            Touch(table.name, tuple(sorted({role for role in table.columns.values() if role})))
            for table in self.catalogue.tables.values()
            if table.kind == "usage"
        )

    def given_up(self, sql: str, dialect: str, state: SessionState) -> Meaning:
        """What is said of a text whose reading was broken off: it is opaque, and so is what it may
        have put somewhere, for whoever reads that later."""
        text = sql[: dialects.MAX_LENGTH]
        keep_unread(self.catalogue, state, text, dialect)
        return Meaning("opaque", touches=self.touches(text), volatile=True)

    def touches(self, text: str) -> tuple[Touch, ...]:
        """The lexical estimate of a text."""
        return estimate.touches(self.catalogue, text)


def _strength(meaning: Meaning) -> tuple[int, int, int]:
    return (
        _RANK[meaning.disclosure],
        _GRAIN_RANK[meaning.grain],
        int(meaning.delivery == "returned"),
    )


def _whole(sql: str, found: Reason, statement: tuple[int, int]) -> Reason:
    """A reason whose span ends with the brackets it opened; the statement's own when it has none."""
    start, end = (found.start, found.end) if found.end > found.start else statement
    missing = sql.count("(", start, end) - sql.count(")", start, end)
    while missing > 0 and end < statement[1] and sql[end] in ") \t\n":
        missing -= sql[end] == ")"
        end += 1
    return Reason(found.code, found.text, start, end)


def _runs_unseen(outcome: Outcome) -> bool:
    """Whether a text that could not be worked out is run: it may touch anything."""
    return any(problem.kind in {"opaque_body", "remote_sql"} for problem in outcome.problems)


def _problem_reasons(outcome: Outcome) -> tuple[Reason, ...]:
    reasons: dict[str, Reason] = {}
    for problem in outcome.problems:
        code = OF_PROBLEM[problem.kind]
        reasons.setdefault(code, reason(code, problem.span or outcome.span))
    return tuple(reasons.values())
