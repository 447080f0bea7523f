"""Everything that judging needs to hold together in one place: memory, attribution, policy, snapshot.

Used by the `judge` process, which asks for it over a socket, and by replay, which has it at hand.

Rules this module keeps:

1. What a denied statement would have shown, nobody has learned: memory takes in only what is
   answered.
2. A snapshot that is refused changes nothing; neither does a policy in it that has an error.
3. Without any snapshot the built-in policy holds, nobody is known and nothing is approved.
4. All that changes what is known is told to `journal` as a `Learned`; taken in by `again`, in the
   same order, from the image taken before, it makes the same state.
5. What a text reveals that may not be what the server executes is opaque, whatever its head says,
   and may read any table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from qingfang.events import Connection, Meaning, Touch, Verdict, Who
from qingfang.image import Entry, Image
from qingfang.judge import policy
from qingfang.judge.attribution import Attribution, address
from qingfang.judge.judge import History, Judge
from qingfang.judge.snapshot import Directory, Head, Holder, Snapshot
from qingfang.understand.accumulate import ROOM, TABLES, Facts, Learner, Memory

_CARRIED = frozenset({"by-grant", "by-report", "by-service"})
_ANYTHING = Touch("*", ("item_id", "prescriber_id", "quantity"))


class Told(Struct, frozen=True):
    """A verdict, and what it rests on: the meaning with what was accumulated, and who sent it."""

    verdict: Verdict
    meaning: Meaning
    who: Who


def doubted(meaning: Meaning) -> Meaning:
    """The meaning of a text in doubt (`Statement.doubt`): cut, prepared out of our sight, or read in
    an encoding that was not settled. Usage that shows in it stays usage."""
    if meaning.disclosure == "usage":
        return meaning
    return replace(
        meaning,
        disclosure="opaque",
        grain=None,
        subtype=None,
        touches=(*meaning.touches, _ANYTHING),
    )


class Learned(Struct, frozen=True, omit_defaults=True):
    """What one call changed: what was taken into memory (`facts` of `learner`), into the history
    (`news`), the sign-in on a connection (`signed`: connection and name), where an operator was at
    work (`noted`: operator and place), a connection's end, a snapshot's head, who was forgotten for
    want of room (`displaced`: table and name). Kept in the journal: a field may be added with a
    default."""

    at_us: int = 0
    learner: Learner | None = None
    facts: Facts | None = None
    carried: bool = False
    news: tuple[tuple[str, str, int], ...] = ()
    signed: tuple[str, str] | None = None
    noted: tuple[str, str] | None = None
    closed: str | None = None
    head: Head | None = None
    displaced: tuple[tuple[str, str], ...] = ()


class Rest(Struct, frozen=True):
    """The part of an image that is given out at once."""

    head: Head | None
    history: bytes


class Judging:
    """`verify` says whether the site's snapshot key signed a message (None: take no snapshot).
    `services` are sessions registered in a catalogue whose duty it is to go through patients:
    a test over connection and operator. `room`: bytes that those idle for long may take in memory.
    `journal` is told what changes; nobody by default."""

    def __init__(
        self,
        site: str,
        verify: Callable[[bytes, bytes], bool] | None = None,
        is_service: Callable[[Connection, Who], bool] | None = None,
        room: int = ROOM,
    ) -> None:
        self._site = site
        self._room = room
        self._verify = verify or (lambda message, signature: False)
        self._is_service = is_service or (lambda connection, who: False)
        self.journal: Callable[[Learned], None] = _forget
        self._holder = Holder(site, self._verify)
        self._memory = Memory(room=room)
        self._history = History()
        self._attribution = Attribution()
        nobody = Snapshot(site=site, version=1, made_at_us=0, expires_at_us=0)
        self._in_force(nobody, policy.read())

    @property
    def snapshot(self) -> Snapshot | None:
        """The snapshot in force; None when there is none yet."""
        return self._holder.current

    def offer(self, data: bytes) -> Snapshot:
        """Put a snapshot into force. Raises `judge.snapshot.Rejected` or `judge.policy.PolicyError`
        and changes nothing."""
        trial = Holder(self._site, self._verify, self._holder.head)
        snapshot = trial.offer(data)
        rules = policy.read(snapshot.policy, "snapshot")
        self._holder = trial
        self._in_force(snapshot, rules)
        self.journal(Learned(head=trial.head))
        return snapshot

    def _in_force(self, snapshot: Snapshot, rules: policy.Policy) -> None:
        self._directory = Directory(snapshot)
        self._history.forget_runs(frozenset(g.id for g in snapshot.grants))
        self._judge = Judge(rules, self._directory, self._history, self._attribution)

    def enforces(self, route: str) -> bool:
        return self._directory.modes.get(route, "observe") == "enforce"

    def judge(
        self,
        connection: Connection,
        meaning: Meaning,
        at_us: int,
        template: bytes,
        rows: int | None = None,
        transaction: int = 0,
    ) -> Told:
        """The verdict on one execution; learned at once unless it is denied. `transaction` is the
        number of its transaction on the connection (`events.Statement`)."""
        who = self._attribution.who(connection, meaning, self._directory, at_us, transaction)
        learner = self._learner(connection, who, at_us)
        whole = self._memory.consider(meaning, learner, at_us, template, rows)
        verdict = self._judge.judge(whole, connection, who, at_us, template, rows)
        facts: Facts | None = None
        carried = not _CARRIED.isdisjoint(verdict.codes)
        if verdict.decision != "deny":
            facts = self._memory.learn(meaning, learner, at_us, template, rows, carried=carried)
        signed = meaning.operator is not None and meaning.operator_scope == "session"
        if facts is not None or self._history.news or signed:
            name = meaning.operator.text if signed and meaning.operator is not None else None
            self.journal(
                Learned(
                    at_us,
                    learner if facts is not None else None,
                    facts,
                    carried,
                    tuple(self._history.news),
                    (connection.id, name.strip()) if name else None,
                    self._noted(connection, who),
                    displaced=tuple(self._memory.displaced),
                )
            )
            self._history.news.clear()
            self._memory.displaced.clear()
        return Told(verdict, whole, who)

    def closed(self, connection: str) -> None:
        self._attribution.closed(connection)
        self.journal(Learned(closed=connection))

    def again(self, learned: Learned) -> None:
        """Take in once more what the journal was told."""
        if learned.signed is not None:
            self._attribution.sign_in(*learned.signed, learned.at_us)
        if learned.noted is not None:
            self._attribution.note(*learned.noted, learned.at_us)
        if learned.learner is not None and learned.facts is not None:
            self._memory.relearn(learned.facts, learned.learner, carried=learned.carried)
        for table, name in learned.displaced:
            self._memory.forget(table, name)
        for news in learned.news:
            self._history.again(*news)
        self._history.news.clear()
        if learned.closed is not None:
            self._attribution.closed(learned.closed)
        if learned.head is not None:
            self._holder = Holder(self._site, self._verify, learned.head)

    def _noted(self, connection: Connection, who: Who) -> tuple[str, str] | None:
        if who.operator is None:
            return None
        where = who.terminal.value if who.terminal else address(connection.client)
        return who.operator.value, where

    def _learner(self, connection: Connection, who: Who, at_us: int) -> Learner:
        directory = self._directory
        groups: list[str] = []
        own: tuple[str, ...] = ()
        terminal = directory.terminals.get(who.terminal.value) if who.terminal else None
        if terminal is not None:
            groups.append(f"terminal:{terminal.id}")
            if terminal.unit:
                groups.append(f"unit:{terminal.unit}")
        person = directory.person(who.operator.value) if who.operator else None
        if person is not None:
            own = (person.number, *person.codes)
            if person.department and f"unit:{person.department}" not in groups:
                groups.append(f"unit:{person.department}")
        # Somebody who signs in as many is one person to memory.
        if who.operator is not None and not self._judge.crowd(connection, who, at_us):
            name = f"operator:{who.operator.value}"
        elif who.terminal is not None:
            name = f"terminal:{who.terminal.value}"
        else:
            name = f"address:{address(connection.client)}"
        return Learner(
            session=connection.id,
            person=name,
            groups=tuple(groups),
            own=own,
            service=self._serves(connection, who, at_us),
            place=self._judge.place(connection, who, at_us),
            turns=self._judge.turns(connection, who, at_us),
        )

    def _serves(self, connection: Connection, who: Who, at_us: int) -> bool:
        return self._is_service(connection, who) or self._judge.on_duty(connection, who, at_us)

    @property
    def unreadable(self) -> int:
        """Of how many learners what was kept could not be read when they came again."""
        return self._memory.unreadable

    @property
    def forgotten(self) -> int:
        """How many persons, groups and places were forgotten before their time was over."""
        return self._memory.forgotten

    # -------------------------------------------------------------- over a restart

    def image(self) -> tuple[Rest, list[Image[Any]]]:
        """The state as it is now; the images are to be taken while judging goes on."""
        rest = Rest(self._holder.head, self._history.dump())
        return rest, [*self._attribution.image(), self._memory.image()]

    def restore(self, rest: Rest, entries: Iterable[Entry]) -> None:
        """Take over what `image` gave. Raises ValueError, and changes nothing, when it is none; so
        with what `entries` raises."""
        memory, history, attribution = Memory(room=self._room), History(), Attribution()
        others: list[Entry] = []
        memory.restore(_known_to_memory(entries, others))
        history.load(rest.history)
        attribution.restore(others)
        self._memory, self._history, self._attribution = memory, history, attribution
        self._holder = Holder(self._site, self._verify, rest.head)
        self._judge = Judge(self._judge.policy, self._directory, history, attribution)


def _known_to_memory(entries: Iterable[Entry], others: list[Entry]) -> Iterator[Entry]:
    for entry in entries:
        if entry.table in TABLES:
            yield entry
        else:
            others.append(entry)


def _forget(learned: Learned) -> None:
    """Where nothing is kept (replay)."""
