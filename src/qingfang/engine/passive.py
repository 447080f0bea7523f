"""Joins the tap to the decoders: connections that are listened to, as statements and outcomes.

Rules this module keeps:

1. A listener is told of a statement when it is seen and again when its outcome is known; every
   statement gets an outcome, at the latest (as `lost`) when its connection ends.
2. What could not be read is counted, per reason, and never left out of the counts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

import msgspec

from qingfang.decode.pgwire import Passive
from qingfang.events import Connection, SessionFact
from qingfang.sense.tap.encryption import Blind
from qingfang.statement import Outcome, Statement


class Decoder(Protocol):
    """A protocol's passive decoder (`qingfang.decode`)."""

    undecodable: int

    def client(self, data: bytes, at_us: int) -> None: ...

    def server(self, data: bytes, at_us: int) -> None: ...

    def gap(self, from_client: bool, count: int, at_us: int) -> None: ...

    def close(self, at_us: int) -> None: ...

    def take_events(self) -> list[Statement | Outcome | SessionFact]: ...


class Listener(Protocol):
    """Who is told. `connection` carries what is known of it at that time."""

    def sent(self, connection: Connection, statement: Statement) -> None:
        """A client sent a statement."""
        ...

    def completed(self, connection: Connection, statement: Statement, outcome: Outcome) -> None:
        """What became of it."""
        ...

    def conflict(self, connection: Connection, from_client: bool, size: int, at_us: int) -> None:
        """Bytes came twice and differed: somebody may be hiding a statement from us."""
        ...

    def lost(self, connection: Connection, from_client: bool, size: int, at_us: int) -> None:
        """Bytes did not reach us; statements in them were not seen."""
        ...

    def blind(self, connection: Connection, blind: Blind, at_us: int) -> None:
        """A connection that is encrypted."""
        ...

    def closed(self, connection: Connection) -> None:
        """A connection in clear is over, and every statement of it has its outcome."""
        ...


def _pg(midstream: bool) -> Decoder:
    return Passive(midstream)


DECODERS: Final[dict[str, Callable[[bool], Decoder]]] = {"pg": _pg}
"""Protocol → decoder for a connection, given whether it was joined midway."""

PORTS: Final = {"pg": 5432}
"""The port a protocol's server usually has."""


class Decoding:
    """The `Observer` of a tap: gives each connection its decoder, and tells the listener."""

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self._talks: dict[str, _Talk] = {}
        self._undecodable = 0

    @property
    def connections(self) -> int:
        """Connections in clear that are open now."""
        return len(self._talks)

    @property
    def undecodable(self) -> int:
        """Bytes that no decoder could make sense of."""
        return self._undecodable + sum(t.decoder.undecodable for t in self._talks.values())

    def opened(self, connection: Connection, midstream: bool) -> _Talk:
        talk = _Talk(self, connection, DECODERS[connection.protocol](midstream))
        self._talks[connection.id] = talk
        return talk

    def blind(self, connection: Connection, blind: Blind, at_us: int) -> None:
        self.listener.blind(connection, blind, at_us)

    def ended(self, talk: _Talk) -> None:
        self._undecodable += talk.decoder.undecodable
        del self._talks[talk.connection.id]
        self.listener.closed(talk.connection)


class _Talk:
    """One connection: the `Consumer` of its bytes."""

    def __init__(self, decoding: Decoding, connection: Connection, decoder: Decoder) -> None:
        self._decoding = decoding
        self._listener = decoding.listener
        self.connection = connection
        self.decoder = decoder
        self._open: dict[int, Statement] = {}

    def client(self, data: bytes, at_us: int) -> None:
        self.decoder.client(data, at_us)
        self._tell()

    def server(self, data: bytes, at_us: int) -> None:
        self.decoder.server(data, at_us)
        self._tell()

    def gap(self, from_client: bool, size: int, at_us: int) -> None:
        self.decoder.gap(from_client, size, at_us)
        self._tell()
        self._listener.lost(self.connection, from_client, size, at_us)

    def conflict(self, from_client: bool, size: int, at_us: int) -> None:
        self._listener.conflict(self.connection, from_client, size, at_us)

    def end(self, at_us: int) -> None:
        self.decoder.close(at_us)
        self._tell()
        self._decoding.ended(self)

    def _tell(self) -> None:
        for event in self.decoder.take_events():
            if isinstance(event, Statement):
                self._open[event.number] = event
                self._listener.sent(self.connection, event)
            elif isinstance(event, Outcome):
                statement = self._open.pop(event.number, None)
                if statement is not None:
                    self._listener.completed(self.connection, statement, event)
            else:
                self.connection = msgspec.structs.replace(
                    self.connection,
                    account=event.account,
                    database=event.database,
                    program=event.program,
                    tls=event.tls,
                )
