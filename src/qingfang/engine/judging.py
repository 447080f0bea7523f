"""Everything that judging needs to hold together in one place: memory, attribution, policy, snapshot.

Used by the `judge` process, which asks for it over a socket, and by replay, which has it at hand.

Rules this module keeps:

1. What a denied statement would have shown, nobody has learned: memory takes in only what is
   answered.
2. A snapshot that is refused changes nothing; neither does a policy in it that has an error.
3. Without any snapshot the built-in policy holds, nobody is known and nothing is approved.
4. What a text reveals that may not be what the server executes is opaque, whatever its head says,
   and may read any table.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from qingfang.events import Connection, Meaning, Touch, Verdict, Who
from qingfang.judge import policy
from qingfang.judge.attribution import Attribution, address
from qingfang.judge.judge import History, Judge
from qingfang.judge.snapshot import Directory, Head, Holder, Snapshot
from qingfang.understand.accumulate import Learner, Memory

VERSION = 1
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


class _State(Struct, frozen=True):
    version: int
    head: Head | None
    memory: bytes
    history: bytes
    attribution: bytes


class Judging:
    """`verify` says whether the site's snapshot key signed a message (None: take no snapshot).
    `services` are sessions registered in a catalogue whose duty it is to go through patients:
    a test over connection and operator."""

    def __init__(
        self,
        site: str,
        verify: Callable[[bytes, bytes], bool] | None = None,
        is_service: Callable[[Connection, Who], bool] | None = None,
    ) -> None:
        self._site = site
        self._verify = verify or (lambda message, signature: False)
        self._is_service = is_service or (lambda connection, who: False)
        self._holder = Holder(site, self._verify)
        self._memory = Memory()
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
        if verdict.decision != "deny":
            carried = not _CARRIED.isdisjoint(verdict.codes)
            self._memory.learn(meaning, learner, at_us, template, rows, carried=carried)
        return Told(verdict, whole, who)

    def closed(self, connection: str) -> None:
        self._attribution.closed(connection)

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

    # -------------------------------------------------------------- over a restart

    def dump(self) -> bytes:
        return msgspec.msgpack.encode(
            _State(
                VERSION,
                self._holder.head,
                self._memory.dump(),
                self._history.dump(),
                self._attribution.dump(),
            )
        )

    def load(self, data: bytes) -> None:
        """Take over what `dump` gave. Raises ValueError, and changes nothing, when it is not that."""
        try:
            state = msgspec.msgpack.decode(data, type=_State)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ValueError(f"not a state of judging: {error}") from None
        if state.version != VERSION:
            raise ValueError(f"state of version {state.version}, this program reads {VERSION}")
        memory, history, attribution = Memory(), History(), Attribution()
        memory.load(state.memory)
        history.load(state.history)
        attribution.load(state.attribution)
        self._memory, self._history, self._attribution = memory, history, attribution
        self._holder = Holder(self._site, self._verify, state.head)
        self._judge = Judge(self._judge.policy, self._directory, history, attribution)
