"""A protocol's decoder between client and server: what the gateway needs of one.

A class and not a protocol, so that compiled code calls it directly. `qingfang.decode` brings the
decoders; the gateway knows nothing of their protocols.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from qingfang.events import SessionFact
from qingfang.statement import Outcome, Statement


class Decoder(ABC):
    """One connection's protocol state. `client`, `server`, `allow` and `deny` return what there is
    to do (`qingfang.events.ASKS`, …). Methods may raise; an exception with a `response` (bytes)
    means that a peer broke the protocol and what to tell the client last."""

    @property
    @abstractmethod
    def asked(self) -> Statement | None:
        """The statement that waits for `allow` or `deny`; everything behind it waits too."""

    @property
    @abstractmethod
    def request(self) -> str:
        """`tls`: the client asks for encryption, answer by `tls_answer`. `cancel`: this connection
        carries only `cancel_packet`, to be passed to the server on a connection of its own."""

    @property
    @abstractmethod
    def cancel_packet(self) -> bytes: ...

    @property
    @abstractmethod
    def tls_request(self) -> bytes:
        """What asks a server for encryption."""

    @property
    @abstractmethod
    def waiting(self) -> bool:
        """Whether what the client sends only piles up: stop reading it."""

    @property
    @abstractmethod
    def started(self) -> bool:
        """Whether the start-up message has come: the server is needed now."""

    @property
    @abstractmethod
    def signed_in(self) -> bool: ...

    @property
    @abstractmethod
    def idle(self) -> bool:
        """Whether the server owes nothing and no transaction is open."""

    @property
    @abstractmethod
    def between_answers(self) -> bool:
        """Whether the client has only whole frames, so that one of ours may follow."""

    @property
    @abstractmethod
    def terminated(self) -> bool:
        """Whether the client has said goodbye."""

    @property
    @abstractmethod
    def dismissed(self) -> bool:
        """Whether the server has told the client that it ends the connection."""

    @abstractmethod
    def client(self, data: bytes, at_us: int) -> int:
        """Bytes from the client."""

    @abstractmethod
    def server(self, data: bytes, at_us: int) -> int:
        """Bytes from the server. May let the client's direction go on: look at `asked` again."""

    @abstractmethod
    def allow(self) -> int: ...

    @abstractmethod
    def deny(self, message: str, hint: str = "") -> int:
        """Refuse the asked statement with `message`."""

    @abstractmethod
    def tls_answer(self, accept: bool) -> None: ...

    @abstractmethod
    def refusal(self, sqlstate: str, message: str) -> bytes:
        """The words that end this connection."""

    @abstractmethod
    def fact(self) -> SessionFact:
        """What is known of the connection now."""

    @abstractmethod
    def piece_to_server(self) -> bytes:
        """The piece for the server when there is just one; empty when there is none, or more."""

    @abstractmethod
    def piece_to_client(self) -> bytes:
        """The same for the client."""

    @abstractmethod
    def take_to_server(self) -> list[bytes]:
        """Pieces to write to the server, in order; those before an asked statement included."""

    @abstractmethod
    def take_to_client(self) -> list[bytes]: ...

    @abstractmethod
    def take_outcome(self) -> Outcome | None:
        """What happened when it is one outcome and nothing else; None when it is nothing, or more."""

    @abstractmethod
    def take_events(self) -> list[Statement | Outcome | SessionFact]:
        """What happened, in order. A `Statement` among them was not asked about."""

    @abstractmethod
    def close(self, at_us: int) -> None:
        """The connection has ended: what is still open ends as `lost`."""
