"""What sessions, persons and groups have learned by now: rule 9 of the `explain` contract.

One statement may reveal little and a hundred of them everything. This module remembers, for each
session, each person (operator, else terminal) and each group (people of one unit or terminal), the
little that is needed to see when the parts become a whole, and says so at the very statement that
completes it and at each further one that adds to it.

Rules this module keeps:

1. Pure: time comes in as data, nothing is read or sent. `consider` changes nothing; `learn` takes
   in what really reached the receiver, so a denied statement teaches nobody anything.
2. Only what a statement contributes to is reported. A person who revealed much yesterday and opens
   one patient today is not reported for today; and breadth of normal work never hides a first large
   reveal, because every measure counts distinct things beyond what the work explains, not against
   somebody's average.
3. What is worked on explains being read: keys that the same person writes (orders, dispensing,
   charges) do not count as scanned, nor do as many keys as the person's own work lists of that day
   hold. A person's own figures and lists are not enumeration. A registered service is exempt from
   scanning, and from nothing else.
4. Except for key order and the months of `rhythm`, the outcome does not depend on the order in
   which statements of one moment are learned.
5. Memory is bounded (`knowledge`). Sessions and persons beyond the allowed number are forgotten,
   the longest idle first.
6. `dump` and `load` carry the whole state over a restart; other versions are refused, not guessed.

The limits are those of the contract where it names them (50 keys an hour, 20 in key order or taken
from an unpinned list); the others are documented at `Limits`.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Literal

import msgspec
from msgspec import Struct

from qingfang.events import Disclosure, Gathered, Grain, Meaning
from qingfang.understand.accumulate import joining, repeating, scanning
from qingfang.understand.accumulate.facts import Facts, facts_of
from qingfang.understand.accumulate.knowledge import Knowledge, Learner, Limits
from qingfang.understand.accumulate.weighing import Weighing

VERSION = 1

_DISCLOSURE: tuple[Disclosure, ...] = ("none", "clinical", "opaque", "usage")
_GRAIN: tuple[Grain, ...] = ("institution", "department", "prescriber", "detail")


class _State(Struct):
    version: int
    sessions: list[tuple[str, Knowledge]]
    persons: list[tuple[str, Knowledge]]
    groups: list[tuple[str, Knowledge]]
    places: list[tuple[str, Knowledge]] = []


class Memory:
    """What everybody has learned. One process owns it (docs/architecture.md).

    `utc_offset_minutes` turns moments into local days.
    """

    def __init__(self, limits: Limits | None = None, utc_offset_minutes: int = 480) -> None:
        self._limits = limits or Limits()
        self._offset_us = utc_offset_minutes * 60_000_000
        self._sessions: OrderedDict[str, Knowledge] = OrderedDict()
        self._persons: OrderedDict[str, Knowledge] = OrderedDict()
        self._groups: OrderedDict[str, Knowledge] = OrderedDict()
        self._places: OrderedDict[str, Knowledge] = OrderedDict()

    # -------------------------------------------------------------- the front door

    def consider(
        self,
        meaning: Meaning,
        learner: Learner,
        at_us: int,
        template: bytes = b"",
        rows: int | None = None,
    ) -> Meaning:
        """`meaning` with `session_*`, `person_*` and `gathered` filled in, as if it were answered.
        `at_us` is 0 when the time is not known; `rows` what the server returned, if it has."""
        facts = self._facts(meaning, learner, at_us, template, rows)
        found: dict[str, Gathered] = {}
        session = person = None
        if learner.session is not None:
            known = self._sessions.get(_session_key(learner)) or Knowledge()
            session = self._weigh(known, facts, "session", learner, found, keep=False)
        if learner.person is not None:
            known = self._persons.get(learner.person) or Knowledge()
            person = self._weigh(known, facts, "person", learner, found, keep=False)
        for group in learner.groups:
            shared = self._groups.get(group)
            if shared is not None:
                self._weigh_group(shared, facts, found, keep=False)
        if learner.place is not None:
            here = self._places.get(learner.place)
            if here is not None:
                self._weigh_place(here, facts, learner, found, keep=False)
        return msgspec.structs.replace(
            meaning,
            session_disclosure=session[0] if session else None,
            session_grain=session[1] if session else None,
            person_disclosure=person[0] if person else None,
            person_grain=person[1] if person else None,
            gathered=tuple(found.values()),
        )

    def learn(
        self,
        meaning: Meaning,
        learner: Learner,
        at_us: int,
        template: bytes = b"",
        rows: int | None = None,
        *,
        carried: bool = False,
    ) -> None:
        """Remember that the statement was answered. `carried` tells that an approval or a
        registration carries it: then colleagues are not held to know it."""
        facts = self._facts(meaning, learner, at_us, template, rows)
        if facts.disclosure == "none" and not _teaches(facts):
            return
        found: dict[str, Gathered] = {}
        if learner.session is not None:
            known = _touch(self._sessions, _session_key(learner), at_us, self._limits.sessions)
            self._weigh(known, facts, "session", learner, found, keep=True)
        if learner.person is not None:
            known = _touch(self._persons, learner.person, at_us, self._limits.persons)
            self._weigh(known, facts, "person", learner, found, keep=True)
        if not carried and (facts.parts or facts.sums):
            for group in learner.groups:
                shared = _touch(self._groups, group, at_us, self._limits.persons)
                self._weigh_group(shared, facts, found, keep=True)
        if learner.place is not None:
            here = _touch(self._places, learner.place, at_us, self._limits.persons)
            self._weigh_place(here, facts, learner, found, keep=True)

    def take(
        self,
        meaning: Meaning,
        learner: Learner,
        at_us: int,
        template: bytes = b"",
        rows: int | None = None,
    ) -> Meaning:
        """Consider and learn: for what was answered already (replay, tap, trail)."""
        considered = self.consider(meaning, learner, at_us, template, rows)
        self.learn(meaning, learner, at_us, template, rows)
        return considered

    def dump(self) -> bytes:
        """The whole state, to be read back by `load` of the same version."""
        return msgspec.msgpack.encode(
            _State(
                VERSION,
                list(self._sessions.items()),
                list(self._persons.items()),
                list(self._groups.items()),
                list(self._places.items()),
            )
        )

    def load(self, data: bytes) -> None:
        """Take over a dumped state. Raises ValueError, and changes nothing, when it is none or of
        another version."""
        try:
            state = msgspec.msgpack.decode(data, type=_State)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ValueError(f"not a state of accumulation: {error}") from None
        if state.version != VERSION:
            raise ValueError(f"state of version {state.version}, this program reads {VERSION}")
        self._sessions = OrderedDict(state.sessions)
        self._persons = OrderedDict(state.persons)
        self._groups = OrderedDict(state.groups)
        self._places = OrderedDict(state.places)

    # -------------------------------------------------------------- weighing

    def _facts(
        self, meaning: Meaning, learner: Learner, at_us: int, template: bytes, rows: int | None
    ) -> Facts:
        return facts_of(meaning, learner, at_us, template, rows, self._limits, self._offset_us)

    def _weigh(
        self,
        known: Knowledge,
        facts: Facts,
        over: Literal["session", "person"],
        learner: Learner,
        found: dict[str, Gathered],
        *,
        keep: bool,
    ) -> tuple[Disclosure, Grain | None]:
        """What `known` amounts to with this statement; findings go to `found` by their code, a
        person's in place of the session's. With `keep`, `known` takes the statement in."""
        weighing = Weighing(known, facts, over, self._limits, keep=keep)
        if keep:
            scanning.explain(weighing)
        if not learner.service:
            if facts.read:
                scanning.scan(weighing)
                scanning.scan_rows(weighing)
            if facts.unseen:
                scanning.scan_unseen(weighing)
        if facts.prescribers:
            repeating.enumeration(weighing)
        if facts.worklist:
            repeating.lists(weighing)
        joining.join(weighing)
        joining.difference(weighing)
        if facts.disclosure == "usage":
            repeating.repetition(weighing)
        for gathered in weighing.here:
            found[gathered.code] = gathered
        return _amount(weighing)

    def _weigh_group(
        self, known: Knowledge, facts: Facts, found: dict[str, Gathered], *, keep: bool
    ) -> None:
        weighing = Weighing(known, facts, "group", self._limits, keep=keep)
        joining.join(weighing)
        joining.difference(weighing)
        for gathered in weighing.here:
            # What somebody holds alone is not said to be put together with others'.
            if gathered.code.removesuffix("-group") not in found:
                found.setdefault(gathered.code, gathered)

    def _weigh_place(
        self,
        known: Knowledge,
        facts: Facts,
        learner: Learner,
        found: dict[str, Gathered],
        *,
        keep: bool,
    ) -> None:
        """What is done at one place under whatever names; it tells when people take turns there, so
        that signing in as somebody else does not begin anew."""
        weighing = Weighing(known, facts, "group", self._limits, keep=keep)
        repeating.own_in_turn(weighing)
        always = len(weighing.here)
        if keep:
            scanning.explain(weighing)
        if not learner.service:
            if facts.read:
                scanning.scan(weighing)
                scanning.scan_rows(weighing)
            if facts.unseen:
                scanning.scan_unseen(weighing)
        if facts.prescribers:
            repeating.enumeration(weighing)
        for gathered in weighing.here if learner.turns else weighing.here[:always]:
            found.setdefault(gathered.code, gathered)


def _teaches(facts: Facts) -> bool:
    """Whether a statement that reveals nothing by itself is worth remembering."""
    return bool(
        facts.parts
        or facts.written
        or facts.written_unseen
        or facts.unit_rows
        or facts.finer_roles
        or facts.list_roles
    )


def _session_key(learner: Learner) -> str:
    return f"{learner.session}\x1f{learner.person or ''}"


def _touch(table: OrderedDict[str, Knowledge], name: str, at_us: int, most: int) -> Knowledge:
    known = table.get(name)
    if known is None:
        known = table[name] = Knowledge()
        if len(table) > most:
            table.popitem(last=False)
    else:
        table.move_to_end(name)
    known.last_us = max(known.last_us, at_us)
    return known


def _amount(weighing: Weighing) -> tuple[Disclosure, Grain | None]:
    """The most that was revealed within the window, this statement and its findings included."""
    known, facts = weighing.known, weighing.facts
    codes = [_pack(facts.disclosure, facts.grain)]
    codes += [_pack(g.disclosure, g.grain) for g in weighing.here if g.disclosure is not None]
    most = max(codes)
    if weighing.keep:
        known.revealed[most] = max(known.revealed.get(most, 0), facts.at_us)
    for code, last in known.revealed.items():
        if last >= weighing.since:
            most = max(most, code)
    rank, grain = divmod(most, 8)
    return _DISCLOSURE[rank], _GRAIN[grain - 1] if grain else None


def _pack(disclosure: Disclosure, grain: Grain | None) -> int:
    return _DISCLOSURE.index(disclosure) * 8 + (_GRAIN.index(grain) + 1 if grain else 0)
