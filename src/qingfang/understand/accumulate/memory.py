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
5. Memory is bounded (`knowledge`). Sessions and persons beyond the allowed number, and beyond the
   room there is, are forgotten, the longest idle first; persons, groups and places forgotten within
   the window are counted.
6. `image` gives the state of one moment while learning goes on; `learn` gives what it took in and
   whom it forgot for want of room, `relearn` and `forget` do so again: an image and what was learned
   since are the state, exactly. Other versions are refused, not guessed.

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
from qingfang.image import Entry, Image
from qingfang.understand.accumulate import joining, repeating, scanning
from qingfang.understand.accumulate.facts import Facts, facts_of
from qingfang.understand.accumulate.knowledge import (
    DAY,
    Knowledge,
    Learner,
    Limits,
    living,
    plain,
)
from qingfang.understand.accumulate.weighing import Weighing

VERSION = 3

Table = Literal["sessions", "persons", "groups", "places", "hospital"]

_DISCLOSURE: tuple[Disclosure, ...] = ("none", "clinical", "opaque", "usage")
_GRAIN: tuple[Grain, ...] = ("institution", "department", "prescriber", "detail")


TABLES: tuple[Table, ...] = ("sessions", "persons", "groups", "places", "hospital")
"""`hospital` holds one entry: what is known of all together."""


AWAKE = 16_384
"""How many learners are held as they are worked with; the others as they are kept on disk, which is
several times smaller and needs no reading at the start."""


AWAKE_BYTES = 128 * 1024 * 1024
"""How much of them, as they are kept on disk; worked with they take about six times that."""


ROOM = 4 * 1024 * 1024 * 1024
"""How many bytes those who are not worked with may take."""


_GROWTH = 256
"""What a learner is held to grow by with a statement, until it is packed again."""
_LARGEST = 640 * 1024
"""What one takes whose every set is full."""
_IN_HAND = 2
"""Who is being weighed, and the whole hospital: they stay awake."""


class _Asleep(Struct, frozen=True, gc=False):
    """A `Knowledge`, packed."""

    turn: int
    known: bytes


class _Last(Struct):
    last_us: int = 0


_encoder = msgspec.msgpack.Encoder(enc_hook=plain)
_decoder = msgspec.msgpack.Decoder(Knowledge, dec_hook=living)


def _packed(known: Knowledge | _Asleep) -> bytes:
    return known.known if isinstance(known, _Asleep) else _encoder.encode(known)


class _State(Struct):
    version: int
    entries: list[Entry]


_Held = OrderedDict[str, Knowledge | _Asleep]


class Memory:
    """What everybody has learned. One process owns it (docs/architecture.md).

    `utc_offset_minutes` turns moments into local days. `awake`, `awake_bytes`, `room`: see `AWAKE`,
    `AWAKE_BYTES`, `ROOM`. `unreadable` counts those of whom nothing could be read when they came
    again: they begin anew. `forgotten` counts the persons, groups and places that were forgotten
    although they had learned something within the window. `displaced`: whom `learn` forgot for want
    of room since the owner last emptied it (table and name).
    """

    def __init__(
        self,
        limits: Limits | None = None,
        utc_offset_minutes: int = 480,
        awake: int = AWAKE,
        awake_bytes: int = AWAKE_BYTES,
        room: int = ROOM,
    ) -> None:
        self._limits = limits or Limits()
        self._most_awake = awake
        self._most_awake_bytes = awake_bytes
        self._room = room
        self._offset_us = utc_offset_minutes * 60_000_000
        self._tables: dict[str, _Held] = {table: OrderedDict() for table in TABLES}
        # Each with the bytes it was last packed in, and what it may have grown by since.
        self._awake: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._awake_bytes = 0
        self._asleep_bytes = 0
        self.unreadable = 0
        self.forgotten = 0
        self.displaced: list[tuple[str, str]] = []
        self._image: Image[Knowledge | _Asleep] | None = None
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
        if self._asleep_bytes > self._room:
            self._make_room(at_us)
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

    def forget(self, table: str, name: str) -> None:
        """Forget once more whom `learn` forgot for want of room. Raises KeyError for no table."""
        if name in self._tables[table]:
            self._drop(table, name)

    def image(self) -> Image[Knowledge | _Asleep]:
        """The whole state as it is now, to be taken part by part while learning goes on."""
        self._image = Image(self._tables, self._turn, _packed)
        return self._image

    def dump(self) -> bytes:
        """The whole state at once, to be read back by `load`."""
        parts: list[Entry] = []
        image = Image(self._tables, self._turn, _packed)
        while (entries := image.part(1 << 20)) is not None:
            parts += entries
        parts.sort(key=lambda e: (e.table, e.turn))
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
        is none; so with what `entries` raises."""
        ordered: list[tuple[int, str, str, _Asleep]] = []
        for entry in entries:
            if entry.table not in self._tables:
                raise ValueError(f"memory has no table {entry.table}")
            asleep = _Asleep(entry.turn, bytes(entry.known))
            ordered.append((entry.turn, entry.table, entry.name, asleep))
        ordered.sort(key=lambda four: four[0])
        self._image = None
        for held in self._tables.values():
            held.clear()
        self._awake.clear()
        self._awake_bytes = self._asleep_bytes = 0
        for _turn, table, name, asleep in ordered:
            self._tables[table][name] = asleep
            self._asleep_bytes += len(asleep.known)
        self._turn = ordered[-1][0] if ordered else 0

    def _known(self, table: Table, name: str) -> Knowledge | None:
        """What `name` holds, awake; None when nothing."""
        held = self._tables[table]
        known = held.get(name)
        if known is None:
            return None
        size = 0
        if isinstance(known, _Asleep):
            asleep, size = known, len(known.known)
            self._asleep_bytes -= size
            try:
                known = _decoder.decode(asleep.known)
                known.turn = asleep.turn
            except (msgspec.MsgspecError, UnicodeDecodeError, ValueError):
                self.unreadable += 1
                known = Knowledge(turn=asleep.turn)
            held[name] = known
        self._stir(table, name, size)
        return known

    def _stir(self, table: Table, name: str, size: int) -> None:
        """`name` is worked with, and woke up in `size` bytes; who was not for longest goes to sleep."""
        awake = self._awake
        awake[table, name] = awake.get((table, name), 0) + size
        self._awake_bytes += size
        awake.move_to_end((table, name))
        while len(awake) > self._most_awake or (
            self._awake_bytes > self._most_awake_bytes and len(awake) > _IN_HAND
        ):
            (of, idle), weight = awake.popitem(last=False)
            self._awake_bytes -= weight
            known = self._tables[of][idle]
            if not isinstance(known, _Asleep):
                asleep = _Asleep(known.turn, _packed(known))
                self._tables[of][idle] = asleep
                self._asleep_bytes += len(asleep.known)

    def _touch(self, table: Table, name: str, at_us: int, most: int) -> Knowledge:
        """What `name` holds, about to be changed."""
        held = self._tables[table]
        known = self._known(table, name)
        if known is None:
            known = held[name] = Knowledge()
            self._stir(table, name, 0)
            if len(held) > most:
                oldest = next(iter(held))
                self._count_forgotten(table, held[oldest], at_us)
                self._drop(table, oldest)
        else:
            if self._image is not None:
                self._image.keep(table, name, known)
            held.move_to_end(name)
        weight = self._awake[table, name]
        if weight < _LARGEST:
            self._awake[table, name] = weight + _GROWTH
            self._awake_bytes += _GROWTH
        self._turn += 1
        known.turn = self._turn
        known.last_us = max(known.last_us, at_us)
        return known

    # -------------------------------------------------------------- forgetting

    def _make_room(self, at_us: int) -> None:
        """Forget who was idle longest until the others have room."""
        while self._asleep_bytes > self._room:
            idle: tuple[int, str, str] | None = None
            for table in ("sessions", "persons", "groups", "places"):
                for name, known in self._tables[table].items():
                    if idle is None or known.turn < idle[0]:
                        idle = known.turn, table, name
                    break
            if idle is None:
                return
            _turn, table, name = idle
            self._count_forgotten(table, self._tables[table][name], at_us)
            self._drop(table, name)
            self.displaced.append((table, name))

    def _drop(self, table: str, name: str) -> None:
        gone = self._tables[table][name]
        if self._image is not None:
            self._image.keep(table, name, gone)
        del self._tables[table][name]
        if isinstance(gone, _Asleep):
            self._asleep_bytes -= len(gone.known)
        self._awake_bytes -= self._awake.pop((table, name), 0)

    def _count_forgotten(self, table: str, gone: Knowledge | _Asleep, at_us: int) -> None:
        if table == "sessions":
            return
        try:
            last_us = (
                msgspec.msgpack.decode(gone.known, type=_Last).last_us
                if isinstance(gone, _Asleep)
                else gone.last_us
            )
        except (msgspec.MsgspecError, UnicodeDecodeError):
            last_us = at_us
        if last_us >= at_us - self._limits.window_days * DAY:
            self.forgotten += 1

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
                    if over == "person" or learner.person is None:
                        scanning.rounds(weighing)
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
