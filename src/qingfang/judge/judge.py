"""Meaning + who, where, when + approvals + history → verdict.

How a verdict comes about: what was learned (by the statement itself, and by what it adds up to with
earlier ones) makes one case each; each case gets its ground (`_basis`: grant, registered report or
service, own figures, designated person, none) and the policy's rule; the strongest decision counts.
Circumstances (hour, terminal, program …) then raise the severity of what is not simply logged.

Rules this module keeps:

1. Pure but for `History`: time and everything else come in as data, so a stream judged again gives
   the same verdicts.
2. Ground is looked for case by case: an approval that covers the statement does not cover what the
   statement completes together with others, unless its scope does.
3. Circumstances never alarm alone and never excuse: they change severity only. One exception makes
   things stricter: after a denial, what would be listed for review is alerted.
4. A route that is not told to enforce observes; so do tap, trail and replay, which cannot do
   otherwise. What enforcing would have decided is in `Verdict.would` and in the reasons.
5. An execution counts as a run of its grant only when it is answered.
6. What people found of an opaque template holds for that template alone: not for a statement whose
   text does not say what runs, nor for one that seems to touch more than what they looked at.
"""

from __future__ import annotations

from collections import OrderedDict

import msgspec
from msgspec import Struct

from qingfang.events import Connection, Decision, Grain, Meaning, Reason, Verdict, Who
from qingfang.judge import grants, hours
from qingfang.judge.attribution import Attribution, address
from qingfang.judge.policy import Basis, Case, Policy, Touching
from qingfang.judge.reasons import DECISIONS, Said, say
from qingfang.judge.snapshot import Directory, Grant, Mode, Report, Service

VERSION = 1
_MINUTE_US = 60_000_000
_OPAQUE = 20_000
_DENIED = 20_000
_RANK: dict[Decision, int] = {
    "pass": 0,
    "log": 1,
    "review": 2,
    "alert": 3,
    "mask": 4,
    "deny": 5,
}
_NOTABLE = 2
_PRESCRIBER_GRAINS = ("prescriber", "detail")
_FIGURES = (
    frozenset({"item_id", "item_name", "item_class", "item_spec", "item_kind"}),
    frozenset({"quantity", "amount"}),
    frozenset({"prescriber_id", "prescriber_name"}),
)
_USAGE_ROLES = frozenset().union(*_FIGURES)
_CHANGED = {"opaque.server": "opaque-server", "opaque.grant": "opaque-rights"}
UNFIXED = frozenset(
    {"opaque.remote_sql", "opaque.body", "opaque.unknown_handle", "opaque.too_long"}
)
"""Reasons of a meaning after which the same template can run something else each time."""


class _State(Struct):
    version: int
    runs: dict[str, int]
    opaque: list[str]
    denied: list[tuple[str, int]]


class History:
    """What judging itself has to remember: runs used of each grant, opaque templates reported
    before, and who was denied when. Bounded; survives a restart by `dump` and `load`.

    `news` is what was taken in since the owner last emptied it, for `again`."""

    def __init__(self) -> None:
        self.runs: dict[str, int] = {}
        self.news: list[tuple[str, str, int]] = []
        self._opaque: OrderedDict[str, None] = OrderedDict()
        self._denied: OrderedDict[str, int] = OrderedDict()

    def seen(self, template: bytes) -> bool:
        """Whether this opaque template was reported before; it is from now on."""
        name = template.hex()
        known = name in self._opaque
        if not known:
            self.news.append(("seen", name, 0))
        self._opaque[name] = None
        self._opaque.move_to_end(name)
        if len(self._opaque) > _OPAQUE:
            self._opaque.popitem(last=False)
        return known

    def deny(self, names: tuple[str, ...], at_us: int) -> None:
        for name in names:
            self.news.append(("denied", name, at_us))
            self._denied[name] = at_us
            self._denied.move_to_end(name)
        while len(self._denied) > _DENIED:
            self._denied.popitem(last=False)

    def denied_since(self, names: tuple[str, ...], since_us: int) -> bool:
        return any(self._denied.get(name, since_us - 1) >= since_us for name in names)

    def ran(self, grant: str) -> None:
        """A run of this grant is used up."""
        self.news.append(("ran", grant, 0))
        self.runs[grant] = self.runs.get(grant, 0) + 1

    def again(self, what: str, name: str, at_us: int) -> None:
        """Take in once more what `news` told."""
        if what == "seen":
            self.seen(bytes.fromhex(name))
        elif what == "denied":
            self.deny((name,), at_us)
        else:
            self.ran(name)

    def forget_runs(self, grants_known: frozenset[str]) -> None:
        """Drop the runs of grants that no snapshot names any more."""
        self.runs = {grant: n for grant, n in self.runs.items() if grant in grants_known}

    def dump(self) -> bytes:
        return msgspec.msgpack.encode(
            _State(VERSION, self.runs, list(self._opaque), list(self._denied.items()))
        )

    def load(self, data: bytes) -> None:
        """Take over a dumped state. Raises ValueError, and changes nothing, when it is none."""
        try:
            state = msgspec.msgpack.decode(data, type=_State)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ValueError(f"not a state of judging: {error}") from None
        if state.version != VERSION:
            raise ValueError(f"state of version {state.version}, this program reads {VERSION}")
        self.runs = state.runs
        self._opaque = OrderedDict.fromkeys(state.opaque)
        self._denied = OrderedDict(state.denied)


class Ground(Struct, frozen=True):
    """On what a case stands, the sentences that say so, and the grant if it is one."""

    basis: Basis
    said: tuple[Said, ...] = ()
    grant: Grant | None = None


class Judge:
    """Gives verdicts with one policy and one snapshot; a new snapshot makes a new `Judge` over the
    same `history` and `attribution`."""

    def __init__(
        self, policy: Policy, directory: Directory, history: History, attribution: Attribution
    ) -> None:
        self.policy = policy
        self.directory = directory
        self.history = history
        self.attribution = attribution
        quiet = {name: policy.rule(Case(name)) for name in ("none", "clinical")}
        self._quiet: dict[tuple[str, Mode], Verdict] = {}
        for name, rule in quiet.items():
            self._quiet[name, "observe"] = Verdict(rule.observe)
            self._quiet[name, "enforce"] = Verdict(rule.enforce)

    def judge(
        self,
        meaning: Meaning,
        connection: Connection,
        who: Who,
        at_us: int,
        template: bytes,
        rows: int | None = None,
    ) -> Verdict:
        """The verdict on one execution. `meaning` has been through accumulation; `template` is the
        digest of `events.Template`; `rows` what the server returned, if that is known already."""
        mode = self._mode(connection)
        whole = [g for g in meaning.gathered if g.disclosure == "usage"]
        if not whole and meaning.disclosure in ("none", "clinical"):
            return self._quiet[meaning.disclosure, mode]

        said: list[Said] = []
        decision: Decision = "pass"
        would: Decision = "pass"
        severity = 0
        grant: Grant | None = None
        cases: list[tuple[Meaning, bool]] = []
        if meaning.disclosure not in ("none", "clinical"):
            cases.append((meaning, True))
        cases += [(_as_usage(meaning, g.grain or "detail"), False) for g in whole]
        about = touching(meaning)
        known = meaning.disclosure == "opaque" and self._known(connection, who)
        # Where the text alone does not say what runs, it was looked at for this connection only.
        looked = template + connection.id.encode() if meaning.volatile else template
        seen = meaning.disclosure == "opaque" and self.history.seen(looked)
        settled = self._settled(meaning, connection, at_us, template)
        for case, itself in cases:
            if itself:
                said += _learned(meaning, about=about, seen=seen, known=known)
                if settled is not None:
                    said.append(settled)
            ground = self._basis(case, connection, who, at_us, template)
            rule = self.policy.rule(
                Case(
                    case.disclosure,
                    case.grain,
                    case.subtype,
                    case.delivery,
                    ground.basis,
                    about,
                    seen,
                    known,
                    itself and settled is not None,
                )
            )
            enforced = rule.enforce
            if not itself and self._mingled(who) and _RANK[enforced] > _RANK["alert"]:
                enforced = "alert"
                ground = Ground(ground.basis, (*ground.said, say("mingled")), ground.grant)
            decided = enforced if mode == "enforce" else rule.observe
            decision = max(decision, decided, key=_RANK.__getitem__)
            would = max(would, enforced, key=_RANK.__getitem__)
            severity = max(severity, rule.severity)
            if itself:
                grant = ground.grant
            said += [s for s in ground.said if s not in said]
        said += [Said(g.code, g.text) for g in meaning.gathered]

        names = _names(connection, who)
        if _RANK[max(decision, would, key=_RANK.__getitem__)] >= _NOTABLE:
            circumstances = self._circumstances(connection, who, at_us, rows)
            since = at_us - self.policy.limits.retry_minutes * _MINUTE_US
            if self.history.denied_since(names, since):
                circumstances.append(say("retry-after-denial"))
                if decision == "review":
                    decision = "alert"
                if would == "review":
                    would = "alert"
            explained = sum(1 for g in meaning.gathered if g.disclosure is None)
            severity = min(3, severity + len(circumstances) + explained)
            said += circumstances
        else:
            severity = 0
        if decision == "deny":
            self.history.deny(names, at_us)
        elif grant is not None and meaning.disclosure == "usage":
            self.history.ran(grant.id)
        differs = mode == "observe" and connection.source == "gateway" and would != decision
        if differs:
            said.append(say("observed", would=DECISIONS[would]))
        return Verdict(
            decision,
            tuple(s.text for s in said),
            grant.id if grant is not None else None,
            severity,
            tuple(s.code for s in said),
            would if differs else None,
        )

    def on_duty(self, connection: Connection, who: Who, at_us: int) -> bool:
        """Whether a registered service sends: then opening one patient after another is no scanning
        (accumulation's `Learner.service`)."""
        return any(
            self._present(service, connection, who, at_us)
            for service in self.directory.snapshot.services
        )

    def _present(self, service: Service, connection: Connection, who: Who, at_us: int) -> bool:
        return grants.service_present(
            service,
            program=connection.program,
            account=connection.account,
            operator=who.operator,
            terminal=who.terminal,
            at_us=at_us,
            calendar=self.directory.snapshot.calendar,
        )

    def _mingled(self, who: Who) -> bool:
        """Whether what adds up here may be the work of several people: it is not known who sends,
        nor from which seat. Then it is told, and nobody's work is stopped for another's."""
        if who.operator is not None and who.operator.confidence >= grants.SURE:
            return False
        terminal = self.directory.terminals.get(who.terminal.value) if who.terminal else None
        return terminal is None or terminal.role == "server"

    def _mode(self, connection: Connection) -> Mode:
        if connection.source != "gateway":
            return "observe"
        return self.directory.modes.get(connection.route, "observe")

    # -------------------------------------------------------------- ground

    def _basis(
        self, meaning: Meaning, connection: Connection, who: Who, at_us: int, template: bytes
    ) -> Ground:
        snapshot = self.directory.snapshot
        digest = template.hex()
        tables = frozenset(t.casefold() for y in meaning.yields for t in y.tables) | frozenset(
            t.table.casefold() for t in meaning.touches
        )
        for service in snapshot.services:
            if self._present(service, connection, who, at_us) and grants.service_covers(
                service, digest, tables
            ):
                return Ground("service", (say("by-service", why=service.why),))
        near: tuple[Said, ...] = ()
        for report in self.directory.reports.get(digest, ()):
            excess = self._beyond_report(report, meaning, who, at_us)
            if not excess:
                return Ground("report", (say("by-report", menu=report.menu),))
            if not near or len(excess) + 1 < len(near):
                near = (say("near-report", menu=report.menu), *excess)
        in_turn = any(g.code == "own-in-turn" for g in meaning.gathered)
        if not in_turn and self._own(meaning, who) and not self.crowd(connection, who, at_us):
            return Ground("self", (say("by-self"),))
        granted = self._granted(meaning, who, at_us)
        if granted.basis == "grant":
            return granted
        if meaning.disclosure == "usage" and meaning.grain == "institution":
            designated = self._designated(who)
            if designated is True:
                return Ground("designated", (say("by-designated"),))
            if designated is None:
                return Ground("designated")
            return Ground("none", (*near, say("not-designated"), *granted.said))
        return Ground("none", (*near, *granted.said))

    def _beyond_report(
        self, report: Report, meaning: Meaning, who: Who, at_us: int
    ) -> tuple[Said, ...]:
        snapshot = self.directory.snapshot
        person = self.directory.persons.get(who.operator.value) if who.operator else None
        mine = self.directory.grants.get(who.operator.value, ()) if who.operator else ()
        granted = not snapshot.grants_lapsed(at_us) and any(
            grant.id in report.grants
            and not grants.holder_excess(
                grant,
                operator=who.operator,
                terminal=who.terminal,
                at_us=at_us,
                runs=self.history.runs.get(grant.id, 0),
                calendar=snapshot.calendar,
            )
            for grant in mine
        )
        return grants.report_excess(
            report,
            meaning,
            operator=who.operator,
            posts=frozenset(person.posts if person is not None and person.active else ()),
            terminal=who.terminal,
            granted=granted,
            at_us=at_us,
            calendar=snapshot.calendar,
        )

    def _settled(
        self, meaning: Meaning, connection: Connection, at_us: int, template: bytes
    ) -> Said | None:
        """The sentence of what people found of this opaque template, if it holds here and now."""
        if meaning.disclosure != "opaque" or meaning.volatile:
            return None
        found = self.directory.settled.get((connection.server, template.hex()))
        if found is None or at_us >= found.until_us:
            return None
        snapshot = self.directory.snapshot
        if snapshot.grants_lapsed(at_us) or not UNFIXED.isdisjoint(r.code for r in meaning.reasons):
            return None
        if not {touch.table for touch in meaning.touches} <= frozenset(found.tables):
            return None
        until = hours.local(found.until_us, snapshot.calendar.utc_offset_minutes)[0]
        return say("settled", until=until.isoformat())

    def _granted(self, meaning: Meaning, who: Who, at_us: int) -> Ground:
        snapshot = self.directory.snapshot
        if who.operator is None:
            return Ground("none", (say("no-grant"),))
        nearest: tuple[Grant, tuple[Said, ...]] | None = None
        for grant in self.directory.grants.get(who.operator.value, ()):
            excess = grants.grant_excess(
                grant,
                meaning,
                operator=who.operator,
                terminal=who.terminal,
                at_us=at_us,
                runs=self.history.runs.get(grant.id, 0),
                calendar=snapshot.calendar,
            )
            if snapshot.grants_lapsed(at_us):
                excess = (say("grant-stale"), *excess)
            if not excess:
                return Ground("grant", (say("by-grant", grant=grant.id),), grant)
            if nearest is None or len(excess) < len(nearest[1]):
                nearest = grant, excess
        if nearest is None:
            return Ground("none", (say("no-grant"),))
        return Ground("none", (say("near-grant", grant=nearest[0].id), *nearest[1]))

    def _own(self, meaning: Meaning, who: Who) -> bool:
        """Prescribers looking at their own figures: the only prescriber fixed is the operator."""
        if meaning.disclosure != "usage" or meaning.grain not in _PRESCRIBER_GRAINS:
            return False
        asked = meaning.scope.prescribers if meaning.scope else None
        if asked is None or asked.kind not in ("one", "list") or not asked.values:
            return False
        if who.operator is None or who.operator.confidence < grants.SURE:
            return False
        person = self.directory.persons.get(who.operator.value)
        if person is None or not person.active:
            return False
        own = {person.number, *person.codes}
        return all(value.text is not None and value.text.strip() in own for value in asked.values)

    def crowd(self, connection: Connection, who: Who, at_us: int) -> int:
        """How many operators one terminal had lately, 0 when that is not out of the ordinary: then
        a sign-in says little about who sits there. Servers work for many."""
        where = self.place(connection, who, at_us)
        limits = self.policy.limits
        count = self._turns(where, at_us) if where is not None else 0
        return count if count > limits.shared_operators else 0

    def turns(self, connection: Connection, who: Who, at_us: int) -> bool:
        """Whether as many operators as one terminal may have were there lately."""
        where = self.place(connection, who, at_us)
        return (
            where is not None and self._turns(where, at_us) >= self.policy.limits.shared_operators
        )

    def _turns(self, where: str, at_us: int) -> int:
        within = self.policy.limits.shared_minutes * _MINUTE_US
        return self.attribution.persons_at(where, at_us, within)

    def place(self, connection: Connection, who: Who, at_us: int) -> str | None:
        """Where a statement comes from, for what people do there one after another: the terminal,
        else the client's address without its port. None for servers: those declared as such and,
        where no terminal at all is declared, those that people use in turns."""
        terminals = self.directory.terminals
        if who.terminal is not None:
            here = terminals.get(who.terminal.value)
            return None if here is not None and here.role == "server" else who.terminal.value
        where = address(connection.client)
        return None if not terminals and self.attribution.serves_many(where, at_us) else where

    def _known(self, connection: Connection, who: Who) -> bool:
        """Whether a registered person works at a registered terminal with a registered program. What
        a program calls itself can be forged: by itself it is not enough, and a tool's is too much."""
        if who.operator is None or who.operator.confidence < grants.SURE:
            return False
        person = self.directory.persons.get(who.operator.value)
        terminal = self.directory.terminals.get(who.terminal.value) if who.terminal else None
        if person is None or not person.active or who.terminal is None or terminal is None:
            return False
        if who.terminal.confidence < grants.SURE or terminal.role in ("kiosk", "vendor"):
            return False
        program = connection.program.casefold()
        if any(tool in program for tool in self.policy.tools.database):
            return False
        registered = {name.casefold() for name in self.directory.snapshot.programs}
        return not registered or program in registered

    def _designated(self, who: Who) -> bool | None:
        """Whether person and terminal are designated for a function (statistics, store …); None
        when the hospital has designated nobody."""
        named = self.directory.snapshot.designations
        if not named:
            return None
        for found in (who.operator, who.terminal):
            if found is None or found.confidence < grants.SURE:
                return False
        assert who.operator is not None and who.terminal is not None
        return any(
            who.operator.value in d.persons
            and (not d.terminals or who.terminal.value in d.terminals)
            for d in named
        )

    # -------------------------------------------------------------- circumstances

    def _circumstances(
        self, connection: Connection, who: Who, at_us: int, rows: int | None
    ) -> list[Said]:
        directory, policy = self.directory, self.policy
        said: list[Said] = []
        if not hours.working(directory.snapshot.calendar, at_us):
            said.append(say("off-hours"))
        terminal = directory.terminals.get(who.terminal.value) if who.terminal else None
        if terminal is None:
            if directory.terminals:
                said.append(say("unknown-terminal"))
        else:
            if terminal.role in ("kiosk", "vendor"):
                said.append(say(f"{terminal.role}-terminal"))
            if (
                connection.host
                and terminal.host
                and connection.host.casefold() != terminal.host.casefold()
            ):
                said.append(say("host-mismatch"))
        if who.operator is None:
            said.append(say("unknown-operator"))
        else:
            said += self._about(who.operator.value, at_us)
            count = self.attribution.at_once(
                who.operator.value, at_us, policy.limits.shared_minutes * _MINUTE_US
            )
            if count > 1:
                said.append(say("shared-use", count=count))
            crowd = self.crowd(connection, who, at_us)
            if crowd:
                said.append(say("many-operators", count=crowd))
        program = connection.program.casefold()
        if any(tool in program for tool in policy.tools.database):
            said.append(say("database-tool", program=connection.program[:60]))
        elif program and directory.snapshot.programs:
            known = {p.casefold() for p in directory.snapshot.programs}
            if program not in known:
                said.append(say("unknown-program", program=connection.program[:60]))
        if rows is not None and rows >= policy.limits.bulk_rows:
            said.append(say("bulk-rows", rows=rows))
        return said

    def _about(self, number: str, at_us: int) -> list[Said]:
        person = self.directory.person(number)
        if person is None:
            return [say("unknown-person", number=number)] if self.directory.persons else []
        if not person.active:
            return [say("person-left", number=number)]
        if any(span.from_us <= at_us < span.to_us for span in person.away):
            return [say("person-away", number=number)]
        return []


def _as_usage(meaning: Meaning, grain: Grain) -> Meaning:
    """What a statement completes, put as a meaning of its own: the same scope at that grain."""
    return msgspec.structs.replace(
        meaning,
        disclosure="usage",
        grain=grain,
        subtype="total" if meaning.subtype == "total" else None,
    )


def touching(meaning: Meaning) -> Touching:
    """What an opaque statement seems to be about. Two of item, prescriber and measure make
    figures; what names none of them may still change the server: its auditing, backup, rights."""
    roles = {role for touch in meaning.touches for role in touch.roles}
    if sum(not kind.isdisjoint(roles) for kind in _FIGURES) > 1:
        return "figures"
    if not _USAGE_ROLES.isdisjoint(roles):
        return "usage"
    return "server" if any(r.code in _CHANGED for r in meaning.reasons) else "other"


def _gives(meaning: Meaning, code: str) -> bool:
    return any(r.code == code for r in meaning.reasons)


def _learned(meaning: Meaning, *, about: Touching, seen: bool, known: bool) -> list[Said]:
    if meaning.disclosure == "opaque":
        changed = [say(code) for r, code in _CHANGED.items() if _gives(meaning, r)]
        said = changed if about == "server" else [say("opaque-usage"), *changed]
        if about == "other":
            said = [say("opaque-other")]
        if about == "figures" and not known:
            said.append(say("opaque-figures"))
        return [*said, say("opaque-again")] if seen else said
    said = [say(f"learned-{meaning.grain or 'detail'}")]
    if meaning.subtype == "total":
        said.append(say("learned-total"))
    if meaning.delivery == "stored":
        said.append(say("learned-stored"))
    # Where it depends on which regulation defines what counts, the article is named.
    return [*said, *(Said(r.code, r.text) for r in meaning.reasons if _by_definition(r))]


def _by_definition(reason: Reason) -> bool:
    return reason.code.startswith("definition.")


def _names(connection: Connection, who: Who) -> tuple[str, ...]:
    """Whom a denial is remembered for: operator, terminal, connection."""
    names = [f"connection:{connection.id}"]
    if who.operator is not None:
        names.append(f"operator:{who.operator.value}")
    if who.terminal is not None:
        names.append(f"terminal:{who.terminal.value}")
    return tuple(names)
