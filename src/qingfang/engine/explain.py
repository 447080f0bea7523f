"""`explain`: statements in, meanings out, one JSON line each (docs/contracts/explain.md).

Rules this module keeps:

1. One line in gives one line out, in the same order, at once: nothing is held back.
2. A bad line is answered in its place with `error`, and counted; it changes no session.
3. Statements with the same `session` share temp tables, prepared statements and what they have
   revealed; so do statements of the same `operator` (else `terminal`) over 31 days.
4. Sessions are forgotten, the longest idle first, beyond `MAX_SESSIONS`.
5. A statement whose template was analysed before is answered from the cache, as in the gateway;
   never one of a session that has built something, and never across a change of what sessions
   share.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from qingfang.engine import definitions
from qingfang.events import Meaning, Scope, Selection, Value
from qingfang.understand.accumulate import Learner, Memory
from qingfang.understand.analysis import Analyser, SessionState
from qingfang.understand.catalogue import DIALECTS, Catalogue, Service
from qingfang.understand.definition import Definition
from qingfang.understand.state import Shared
from qingfang.understand.templates import Found, Templates

MAX_SESSIONS = 10_000


Bound = str | int | float | bool | None


class Asked(Struct, frozen=True):
    """One line of input. `id` is returned as it came."""

    id: Any
    sql: str
    dialect: str | None = None
    session: str | None = None
    binds: list[Bound | list[Bound]] | None = None
    rows: int | None = None
    at: str | None = None
    operator: str | None = None
    terminal: str | None = None
    program: str | None = None


class Explainer:
    """Answers lines; `bad` counts those that could not be read. `definition` is what counts as
    usage; the stricter one when it is not given."""

    def __init__(
        self,
        catalogue: Catalogue,
        dialect: str | None = None,
        definition: Definition | None = None,
    ) -> None:
        self.bad = 0
        self._catalogue, self._dialect = catalogue, dialect or catalogue.dialect
        self._analyser = Analyser(catalogue, definition or definitions.built_in())
        self._memory = Memory()
        self._shared = Shared()
        self._world = self._shared.mark()
        # For statements of no session, which nothing that sessions share can change; and for theirs.
        self._alone, self._together = Templates(), Templates()
        self._sessions: OrderedDict[str, SessionState] = OrderedDict()
        self._decoder = msgspec.json.Decoder(Asked)
        self._now_us = 0

    def answers(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield self.answer(number, line)

    def answer(self, number: int, line: bytes) -> bytes:
        """The JSON line for one line of input."""
        try:
            asked = self._decoder.decode(line)
            if asked.dialect is not None and asked.dialect not in DIALECTS:
                raise ValueError(f"不认识的方言 {asked.dialect!r}")
            meaning = self._meaning(asked, _micros(asked.at))
        except (msgspec.MsgspecError, ValueError) as error:
            self.bad += 1
            wrong = {"id": _id_of(line), "error": {"line": number, "message": str(error)}}
            return msgspec.json.encode(wrong) + b"\n"
        return msgspec.json.encode({"id": asked.id, **shown(meaning)}) + b"\n"

    def _meaning(self, asked: Asked, at_us: int | None) -> Meaning:
        binds = None if asked.binds is None else [_text(value) for value in asked.binds]
        found = self._found(asked, asked.dialect or self._dialect, binds)
        meaning = found.meaning
        if asked.session is None and asked.operator is None and asked.terminal is None:
            return meaning
        self._now_us = at_us if at_us is not None else self._now_us + 1_000_000
        learner = self._learner(asked, meaning)
        digest = found.template.digest
        return self._memory.take(meaning, learner, self._now_us, digest, asked.rows)

    def _found(self, asked: Asked, dialect: str, binds: list[str | None] | None) -> Found:
        if asked.session is None:
            # A statement of no session stands for itself, whatever others have stored.
            found = self._alone.look(asked.sql, dialect, binds)
            if found is None:
                analysis = self._analyser.analyse(
                    asked.sql, dialect, binds=binds, state=SessionState(), rows=asked.rows
                )
                found = self._alone.learn(asked.sql, dialect, analysis, binds)
            return found
        state = self._state(asked.session)
        found = None if state.has_own else self._together.look(asked.sql, dialect, binds)
        if found is None:
            analysis = self._analyser.analyse(
                asked.sql, dialect, binds=binds, state=state, rows=asked.rows
            )
            world = self._shared.mark()
            if world != self._world:
                self._together, self._world = Templates(), world
            found = self._together.learn(asked.sql, dialect, analysis, binds)
        return found

    def _state(self, session: str) -> SessionState:
        state = self._sessions.get(session)
        if state is None:
            state = self._sessions[session] = SessionState(self._shared)
            if len(self._sessions) > MAX_SESSIONS:
                self._sessions.popitem(last=False)
        self._sessions.move_to_end(session)
        return state

    def _learner(self, asked: Asked, meaning: Meaning) -> Learner:
        session = None
        if asked.session is not None:
            session = f"{asked.session}\0{asked.operator or ''}"
        person = None
        if asked.operator is not None:
            person = f"operator:{asked.operator}"
        elif asked.terminal is not None:
            person = f"terminal:{asked.terminal}"
        service = any(_serves(s, asked, meaning) for s in self._catalogue.services)
        own = (asked.operator,) if asked.operator is not None else ()
        return Learner(session=session, person=person, own=own, service=service)


def shown(meaning: Meaning) -> dict[str, Any]:
    """The contract's fields of a meaning."""
    usage = meaning.disclosure == "usage"
    return {
        "disclosure": meaning.disclosure,
        "touches": [{"table": t.table, "roles": list(t.roles)} for t in meaning.touches],
        "grain": meaning.grain,
        "scope": _scope(meaning.scope) if usage and meaning.scope is not None else None,
        "subtype": meaning.subtype,
        "delivery": meaning.delivery,
        "reasons": [
            {"code": r.code, "text": r.text, "start": r.start, "end": r.end}
            for r in meaning.reasons
        ],
        "session_disclosure": meaning.session_disclosure,
        "session_grain": meaning.session_grain,
        "person_disclosure": meaning.person_disclosure,
        "person_grain": meaning.person_grain,
    }


def _scope(scope: Scope) -> dict[str, Any]:
    period = scope.period
    return {
        "items": _selection(scope.items),
        "prescribers": _selection(scope.prescribers),
        "departments": _selection(scope.departments),
        "period": None
        if period is None
        else {"from": _plain(period.from_), "to": _plain(period.to)},
    }


def _selection(selection: Selection | None) -> dict[str, Any] | None:
    if selection is None:
        return None
    return {"kind": selection.kind, "values": [_plain(value) for value in selection.values]}


def _plain(value: Value | None) -> str | None:
    return value.text if value is not None else None


def _text(value: Bound | list[Bound]) -> str | None:
    """As a driver sends it in text; an array as PostgreSQL writes one."""
    if isinstance(value, list):
        texts = [_text(one) for one in value]
        return "{" + ",".join(["NULL" if t is None else _quoted(t) for t in texts]) + "}"
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else str(value)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _micros(at: str | None) -> int | None:
    """ISO 8601 as microseconds; a time without zone is China's. Raises `ValueError`."""
    if at is None:
        return None
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        raise ValueError(f"at 不是 ISO 8601 时间：{at!r}") from None
    if moment.tzinfo is None:
        moment = datetime.fromisoformat(moment.isoformat() + "+08:00")
    return int(moment.timestamp() * 1_000_000)


def _id_of(line: bytes) -> Any:
    """The `id` of a line that is otherwise wrong, None when even that cannot be read."""
    try:
        tree = msgspec.json.decode(line)
    except msgspec.MsgspecError:
        return None
    return tree.get("id") if isinstance(tree, dict) else None


def _serves(service: Service, asked: Asked, meaning: Meaning) -> bool:
    for wanted, given in (
        (service.program, asked.program),
        (service.operator, asked.operator),
        (service.terminal, asked.terminal),
    ):
        if wanted is not None and (given is None or wanted.casefold() != given.casefold()):
            return False
    if service.tables is None:
        return True
    tables = {t.lower() for found in meaning.yields for t in found.tables}
    last = {name.rsplit(".", maxsplit=1)[-1] for name in tables}
    return last <= {name.rsplit(".", maxsplit=1)[-1] for name in service.tables}
