"""What the gateway needs from others: a decoder for the bytes, a decider for the statements.

Rules this module keeps:

1. The gateway knows neither protocol nor law. `Decoder` is what `qingfang.decode.pgwire.Inline`
   offers; `Decider` is what the engine brings.
2. A decider answers at once from what it knows, or gives something to wait for; the gateway waits
   within the route's budget and then does what the route's failure policy says.
3. An awaited verdict that must be durable (deny, alert) is durable when the awaiting ends.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable

from msgspec import Struct
from mypy_extensions import mypyc_attr

from qingfang.decoder import Decoder
from qingfang.events import Connection, Verdict
from qingfang.statement import Outcome, Statement


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


DecoderFactory = Callable[[], Decoder]


@mypyc_attr(allow_interpreted_subclasses=True)
class Decider(ABC):
    """Called in the order things happen on a connection, from the relaying loop: be quick. An
    exception out of `decide` is a failure as a time-out is; the others' are logged and ignored."""

    @abstractmethod
    def opened(self, connection: Connection, leg: Leg) -> None:
        """Signed in; again when account, program or encoding change."""

    @abstractmethod
    def refused(self, connection: Connection, sqlstate: str, error: str) -> None:
        """The server did not let the client in."""

    @abstractmethod
    def decide(
        self, connection: Connection, statement: Statement
    ) -> Verdict | Awaitable[Verdict]: ...

    @abstractmethod
    def given_up(self, connection: Connection, statement: Statement) -> None:
        """The awaited verdict did not come within the budget: the failure policy has answered.
        `completed` follows with no verdict."""

    @abstractmethod
    def completed(
        self,
        connection: Connection,
        statement: Statement,
        verdict: Verdict | None,
        outcome: Outcome,
    ) -> None:
        """The statement is over. `verdict` is None when none was had in time, or none was asked
        for because the server (`prepare`) or the gateway (`call`) refused it: judge it now."""

    @abstractmethod
    def unjudged(self, interval: Unjudged) -> None:
        """The failure policy begins, and ends, to answer instead of a verdict."""

    @abstractmethod
    def closed(self, connection: Connection) -> None: ...
