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
6. `image` gives the state of one moment while learning goes on; `learn` gives what it took in, and
   `relearn` takes it in again: an image and what was learned since are the state, exactly. Other
   versions are refused, not guessed.

The limits are those of the contract where it names them (50 keys an hour, 20 in key order or taken
from an unpinned list); the others are documented at `Limits`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Literal

import msgspec
from msgspec import Struct

from qingfang.events import Disclosure, Gathered, Grain, Meaning
from qingfang.understand.accumulate import joining, repeating, scanning
from qingfang.understand.accumulate.facts import Facts, facts_of
from qingfang.understand.accumulate.knowledge import Knowledge, Learner, Limits, living, plain
from qingfang.understand.accumulate.weighing import Weighing

VERSION = 2

Table = Literal["sessions", "persons", "groups", "places", "hospital"]

_DISCLOSURE: tuple[Disclosure, ...] = ("none", "clinical", "opaque", "usage")
_GRAIN: tuple[Grain, ...] = ("institution", "department", "prescriber", "detail")


TABLES: tuple[Table, ...] = ("sessions", "persons", "groups", "places", "hospital")
"""`hospital` holds one entry: what is known of all together."""


AWAKE = 4096
"""How many learners are held as they are worked with; the others as they are kept on disk, which is
several times smaller and needs no reading at the start."""


class _Turn(Struct):
    turn: int = 0


class Entry(Struct, frozen=True, array_like=True):
    """What one of a table's learners holds; `known` is its `Knowledge`, packed."""

    table: Table
    name: str
    known: msgspec.Raw

    @property
    def turn(self) -> int:
        """`Knowledge.turn`. Raises msgspec.MsgspecError."""
        return msgspec.msgpack.decode(self.known, type=_Turn).turn


class _Asleep(Struct, frozen=True):
    """A `Knowledge`, packed."""

    turn: int
    known: bytes


_encoder = msgspec.msgpack.Encoder(enc_hook=plain)
_decoder = msgspec.msgpack.Decoder(Knowledge, dec_hook=living)


def _packed(known: Knowledge | _Asleep) -> bytes:
    return known.known if isinstance(known, _Asleep) else _encoder.encode(known)


class _State(Struct):
    version: int
    entries: list[Entry]


_Held = OrderedDict[str, Knowledge | _Asleep]


class Image:
    """The state of a moment, given out part by part. What changes or is forgotten before its turn
    came is copied first, so that all parts together are the state of that one moment."""

    def __init__(self, tables: dict[Table, _Held], turn: int) -> None:
        self._tables, self._turn = tables, turn
        self._rest: list[tuple[Table, list[str]]] = [
            (table, list(reversed(held))) for table, held in tables.items()
        ]
        self._taken: dict[Table, set[str]] = {table: set() for table in tables}
        self._kept: list[Entry] = []
        self._over = False

    def keep(self, table: Table, name: str, known: Knowledge | _Asleep) -> None:
        """`known` is about to change or to be forgotten."""
        if self._over or known.turn > self._turn or name in self._taken[table]:
            return
        self._kept.append(Entry(table, name, msgspec.Raw(_packed(known))))

    def part(self, most: int) -> list[Entry]:
        """The next entries, at most so many; none at the end."""
        entries, self._kept = self._kept[:most], self._kept[most:]
        for table, names in self._rest:
            taken, held = self._taken[table], self._tables[table]
            while names and len(entries) < most:
                name = names.pop()
                known = held.get(name)
                if known is not None and known.turn <= self._turn:
                    taken.add(name)
                    entries.append(Entry(table, name, msgspec.Raw(_packed(known))))
        if not entries:
            self.drop()
        return entries

    def drop(self) -> None:
        """Nobody takes the rest of it."""
        self._over = True
        self._rest.clear()
        self._kept.clear()
        self._taken.clear()


class Memory:
    """What everybody has learned. One process owns it (docs/architecture.md).

    `utc_offset_minutes` turns moments into local days. `awake`: see `AWAKE`. `unreadable` counts
    those of whom nothing could be read when they came again: they begin anew.
    """

    def __init__(
        self, limits: Limits | None = None, utc_offset_minutes: int = 480, awake: int = AWAKE
    ) -> None:
        self._limits = limits or Limits()
        self._most_awake = awake
        self._offset_us = utc_offset_minutes * 60_000_000
        self._tables: dict[Table, _Held] = {table: OrderedDict() for table in TABLES}
        self._awake: OrderedDict[tuple[Table, str], None] = OrderedDict()
        self.unreadable = 0
        self._image: Image | None = None
        self._turn = 0
        self._last: tuple[Meaning, Learner, int, bytes, int | None, Facts] | None = None

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
            known = self._known("sessions", _session_key(learner)) or Knowledge()
            session = self._weigh(known, facts, "session", learner, found, keep=False)
        if learner.person is not None:
            known = self._known("persons", learner.person) or Knowledge()
            person = self._weigh(known, facts, "person", learner, found, keep=False)
        for group in learner.groups:
            shared = self._known("groups", group)
            if shared is not None:
                self._weigh_group(shared, facts, found, keep=False)
        if learner.place is not None:
            here = self._known("places", learner.place)
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
    ) -> Facts | None:
        """Remember that the statement was answered. `carried` tells that an approval or a
        registration carries it: then colleagues are not held to know it. Gives back what was taken
        in, None when there was nothing."""
        facts = self._facts(meaning, learner, at_us, template, rows)
        if facts.disclosure == "none" and not _teaches(facts):
            return None
        self.relearn(facts, learner, carried=carried)
        return facts

    def relearn(self, facts: Facts, learner: Learner, *, carried: bool) -> None:
        """Take in once more what `learn` gave back: from the same state the same state comes."""
        at_us, limits = facts.at_us, self._limits
        found: dict[str, Gathered] = {}
        if learner.session is not None:
            known = self._touch("sessions", _session_key(learner), at_us, limits.sessions)
            self._weigh(known, facts, "session", learner, found, keep=True)
        if learner.person is not None:
            known = self._touch("persons", learner.person, at_us, limits.persons)
            self._weigh(known, facts, "person", learner, found, keep=True)
        if not carried and (facts.parts or facts.sums or facts.fees or facts.form):
            for group in learner.groups:
                shared = self._touch("groups", group, at_us, limits.persons)
                self._weigh_group(shared, facts, found, keep=True)
        if learner.place is not None:
            here = self._touch("places", learner.place, at_us, limits.persons)
            self._weigh_place(here, facts, learner, found, keep=True)
        if facts.read or facts.written:
            scanning.everybody(self._touch("hospital", "", at_us, 1), facts)

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

    def image(self) -> Image:
        """The whole state as it is now, to be taken part by part while learning goes on."""
        self._image = Image(self._tables, self._turn)
        return self._image

    def dump(self) -> bytes:
        """The whole state at once, to be read back by `load`."""
        parts: list[Entry] = []
        image = Image(self._tables, self._turn)
        while entries := image.part(1024):
            parts += entries
        return msgspec.msgpack.encode(_State(VERSION, parts))

    def load(self, data: bytes) -> None:
        """Take over a dumped state. Raises ValueError, and changes nothing, when it is none or of
        another version."""
        try:
            state = msgspec.msgpack.decode(data, type=_State)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ValueError(f"not a state of accumulation: {error}") from None
        if state.version != VERSION:
            raise ValueError(f"state of version {state.version}, this program reads {VERSION}")
        self.restore(state.entries)

    def restore(self, entries: Iterable[Entry]) -> None:
        """Take over the parts of an image, in whatever order, in place of all that is held.
        Each is read when its learner comes again. Raises ValueError, and changes nothing, when one
        is none."""
        ordered = sorted(((e.turn, e) for e in entries), key=lambda pair: pair[0])
        self._image = None
        for name in TABLES:
            self._tables[name].clear()
        self._awake.clear()
        for turn, entry in ordered:
            self._tables[entry.table][entry.name] = _Asleep(turn, bytes(entry.known))
        self._turn = ordered[-1][0] if ordered else 0

    def _known(self, table: Table, name: str) -> Knowledge | None:
        """What `name` holds, awake; None when nothing."""
        held = self._tables[table]
        known = held.get(name)
        if known is None:
            return None
        if isinstance(known, _Asleep):
            try:
                known = _decoder.decode(known.known)
            except (msgspec.MsgspecError, UnicodeDecodeError, ValueError):
                self.unreadable += 1
                known = Knowledge(turn=known.turn)
            held[name] = known
        self._stir(table, name)
        return known

    def _stir(self, table: Table, name: str) -> None:
        """`name` is worked with; who was not for longest goes to sleep."""
        awake = self._awake
        awake[table, name] = None
        awake.move_to_end((table, name))
        if len(awake) > self._most_awake:
            (of, idle), _nothing = awake.popitem(last=False)
            known = self._tables[of][idle]
            if not isinstance(known, _Asleep):
                self._tables[of][idle] = _Asleep(known.turn, _packed(known))

    def _touch(self, table: Table, name: str, at_us: int, most: int) -> Knowledge:
        """What `name` holds, about to be changed."""
        held = self._tables[table]
        known = self._known(table, name)
        if known is None:
            known = held[name] = Knowledge()
            self._stir(table, name)
            if len(held) > most:
                oldest, gone = next(iter(held.items()))
                if self._image is not None:
                    self._image.keep(table, oldest, gone)
                del held[oldest]
                self._awake.pop((table, oldest), None)
        else:
            if self._image is not None:
                self._image.keep(table, name, known)
            held.move_to_end(name)
        self._turn += 1
        known.turn = self._turn
        known.last_us = max(known.last_us, at_us)
        return known

    # -------------------------------------------------------------- weighing

    def _highest(self) -> dict[str, tuple[int, int]]:
        """How far the numbers have got in the whole hospital."""
        known = self._known("hospital", "")
        return known.ranges if known is not None else {}

    def _facts(
        self, meaning: Meaning, learner: Learner, at_us: int, template: bytes, rows: int | None
    ) -> Facts:
        """What the statement brings; what was considered just now is mostly learned next."""
        last = self._last
        if (
            last is not None
            and (last[0] is meaning and last[1] is learner)
            and last[2:5] == (at_us, template, rows)
        ):
            return last[5]
        facts = facts_of(meaning, learner, at_us, template, rows, self._limits, self._offset_us)
        self._last = (meaning, learner, at_us, template, rows, facts)
        return facts

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
        weighing = Weighing(known, facts, over, self._limits, self._highest(), keep=keep)
        if keep:
            scanning.explain(weighing)
        if not learner.service:
            if facts.read:
                scanning.scan(weighing)
                scanning.scan_rows(weighing)
                if facts.beside:
                    scanning.elsewhere(weighing)
                if known.drip_us:
                    scanning.drip(weighing)
            if facts.unseen:
                scanning.scan_unseen(weighing)
        if facts.prescribers:
            repeating.enumeration(weighing)
        if facts.worklist:
            repeating.lists(weighing)
            repeating.units(weighing)
        if over == "person" or learner.person is None:
            # A session alone does not show where somebody works.
            if keep:
                repeating.serve(weighing)
            repeating.looked_on(weighing)
        joining.join(weighing)
        joining.difference(weighing)
        if facts.fees:
            joining.difference_of_fees(weighing)
        if facts.disclosure == "usage":
            repeating.repetition(weighing)
        for gathered in weighing.here:
            found[gathered.code] = gathered
        return _amount(weighing)

    def _weigh_group(
        self, known: Knowledge, facts: Facts, found: dict[str, Gathered], *, keep: bool
    ) -> None:
        weighing = Weighing(known, facts, "group", self._limits, self._highest(), keep=keep)
        joining.join(weighing)
        joining.difference(weighing)
        if facts.fees:
            joining.difference_of_fees(weighing)
        if facts.form:
            repeating.shared_lists(weighing)
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
        weighing = Weighing(known, facts, "group", self._limits, self._highest(), keep=keep)
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
        or facts.fees
        or facts.written_in
        or facts.written
        or facts.wrote_at_unit
        or facts.written_unseen
        or facts.unit_rows
        or facts.finer_roles
        or facts.list_roles
    )


def _session_key(learner: Learner) -> str:
    return f"{learner.session}\x1f{learner.person or ''}"


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
