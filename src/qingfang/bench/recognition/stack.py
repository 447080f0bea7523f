"""The stages in one process, as the engine wires them: fingerprint, template cache, analyser, judging.

Rules this module keeps:

1. What nobody learns anything from is passed at once, as a gateway does; all else is judged with the
   snapshot, accumulated, and learned unless it is denied.
2. The snapshot is signed and offered as the console does it; one that is refused ends the run.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from msgspec.structs import replace

from qingfang.crypto.signing import Ed25519Signer
from qingfang.engine.judging import Judging, Told, doubted
from qingfang.events import Connection, Verdict, Who
from qingfang.judge import snapshot
from qingfang.judge.snapshot import Snapshot
from qingfang.statement import Outcome, Statement
from qingfang.understand.analysis import Analyser
from qingfang.understand.catalogue import Catalogue
from qingfang.understand.state import SessionState, Shared
from qingfang.understand.templates import Found, Templates

_PASS: Final = Verdict("pass")
_NOBODY: Final = Who()
_MOST_SESSIONS: Final = 20_000


class Stack:
    """What a statement goes through. `analysed` counts the statements that the cache did not know."""

    def __init__(self, catalogue: Catalogue, given: Snapshot) -> None:
        key = Ed25519Signer.generate()
        self._dialect = catalogue.dialect
        self._analyser = Analyser(catalogue)
        self.judging = Judging(given.site, key.verify)
        self.judging.offer(snapshot.seal(given, key.sign))
        self._templates, self._shared = Templates(), Shared()
        self._mark: tuple[object, ...] = self._shared.mark()
        self._sessions: OrderedDict[str, SessionState] = OrderedDict()
        self.analysed = 0

    def __call__(
        self, connection: Connection, statement: Statement, outcome: Outcome
    ) -> tuple[Told, str]:
        """As a replay asks (`engine.replay.Decide`)."""
        found = self._found(connection.id, statement)
        told = self._told(connection, statement, found)
        return told, found.template.digest.hex()

    def ask(
        self,
        connection: Connection,
        sql: str,
        binds: tuple[str | None, ...] | None,
        at_us: int,
    ) -> tuple[Told, Found]:
        """The verdict on one statement, and what is known of its template."""
        statement = Statement(0, at_us, "query", sql, binds)
        found = self._found(connection.id, statement)
        return self._told(connection, statement, found), found

    def _told(self, connection: Connection, statement: Statement, found: Found) -> Told:
        if found.quiet and not statement.doubt:
            return Told(_PASS, found.meaning, _NOBODY)
        return self.judging.judge(
            connection,
            doubted(found.meaning) if statement.doubt else found.meaning,
            statement.at_us,
            found.template.digest,
            transaction=statement.transaction,
        )

    def _found(self, session: str, statement: Statement) -> Found:
        state = self._sessions.get(session)
        plain = state is None and not statement.doubt and not statement.cut_binds
        if plain:
            found = self._templates.look(statement.sql, self._dialect, statement.binds)
            if found is not None:
                return found
        self.analysed += 1
        state = state or SessionState(self._shared)
        analysis = self._analyser.analyse(statement.sql, binds=statement.binds, state=state)
        if state.has_own:
            self._sessions[session] = state
            self._sessions.move_to_end(session)
            if len(self._sessions) > _MOST_SESSIONS:
                self._sessions.popitem(last=False)
        else:
            self._sessions.pop(session, None)
        seen = self._shared.mark()
        if seen != self._mark:  # a permanent object: what was cached may mean something else
            self._mark, self._templates = seen, Templates()
        if statement.doubt or statement.cut_binds or state.has_own:
            analysis = replace(analysis, meaning=replace(analysis.meaning, volatile=True))
        return self._templates.learn(statement.sql, self._dialect, analysis, statement.binds)
