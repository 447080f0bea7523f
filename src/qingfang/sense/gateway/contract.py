"""What the gateway needs from others: a decoder for the bytes, a decider for the statements.

Rules this module keeps:

1. The gateway knows neither protocol nor law. `Decoder` is what `qingfang.decode.pgwire.Inline`
   offers; `Decider` is what the engine brings.
2. A decider answers at once from what it knows, or gives something to wait for; the gateway waits
   within the route's budget and then does what the route's failure policy says.
3. An awaited verdict that must be durable (deny, alert) is durable when the awaiting ends.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ClassVar, Protocol

from msgspec import Struct

from qingfang.events import Connection, Outcome, SessionFact, Statement, Verdict


class Leg(Struct, frozen=True):
    """The other end of one connection: our address towards the server as the server sees it
    (address:port), and the server's process for it (0 until it has said so)."""

    local: str
    pid: int


class Unjudged(Struct, frozen=True):
    """An interval in which statements were answered without a verdict, by the route's failure
    policy. `until_us` is None when it begins; `forwarded` and `refused` count statements."""

    route: str
    since_us: int
    until_us: int | None
    forwarded: int
    refused: int
    cause: str


class Decoder(Protocol):
    """One connection's protocol state. `client`, `server`, `allow` and `deny` return what there is
    to do (`qingfang.events.ASKS`, …). Methods may raise; an exception with a `response` (bytes)
    means that a peer broke the protocol and what to tell the client last."""

    tls_request: ClassVar[bytes]

    @property
    def asked(self) -> Statement | None: ...
    @property
    def request(self) -> str: ...
    @property
    def cancel_packet(self) -> bytes: ...
    @property
    def waiting(self) -> bool: ...
    @property
    def started(self) -> bool: ...
    @property
    def signed_in(self) -> bool: ...
    @property
    def idle(self) -> bool: ...
    @property
    def between_answers(self) -> bool: ...
    @property
    def terminated(self) -> bool: ...
    @property
    def dismissed(self) -> bool: ...
    def client(self, data: bytes, at_us: int) -> int: ...
    def server(self, data: bytes, at_us: int) -> int: ...
    def allow(self) -> int: ...
    def deny(self, message: str, hint: str = "") -> int: ...
    def tls_answer(self, accept: bool) -> None: ...
    def refusal(self, sqlstate: str, message: str) -> bytes: ...
    def fact(self) -> SessionFact: ...
    def take_to_server(self) -> list[bytes]: ...
    def take_to_client(self) -> list[bytes]: ...
    def take_events(self) -> list[Statement | Outcome | SessionFact]: ...
    def close(self, at_us: int) -> None: ...


DecoderFactory = Callable[[], Decoder]


class Decider(Protocol):
    """Called in the order things happen on a connection, from the relaying loop: be quick. An
    exception out of `decide` is a failure as a time-out is; the others' are logged and ignored."""

    def opened(self, connection: Connection, leg: Leg) -> None:
        """Signed in; again when account, program or encoding change."""

    def refused(self, connection: Connection, sqlstate: str, error: str) -> None:
        """The server did not let the client in."""

    def decide(
        self, connection: Connection, statement: Statement
    ) -> Verdict | Awaitable[Verdict]: ...

    def completed(
        self,
        connection: Connection,
        statement: Statement,
        verdict: Verdict | None,
        outcome: Outcome,
    ) -> None:
        """The statement is over. `verdict` is None when none was had in time, or none was asked
        for because the server (`prepare`) or the gateway (`call`) refused it: judge it now."""

    def unjudged(self, interval: Unjudged) -> None:
        """The failure policy begins, and ends, to answer instead of a verdict."""

    def closed(self, connection: Connection) -> None: ...
