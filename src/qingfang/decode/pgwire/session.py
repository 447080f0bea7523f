"""One connection of PostgreSQL's protocol, in its two uses.

`Inline` stands between client and server (the gateway). Feed it what each side sent, take from
`to_server` and `to_client` what to write, and answer when it asks:

    session = Inline()
    session.client(data, now)
    while session.asked is not None:          # a statement waits for its verdict
        session.allow()                       # or session.deny("…")
    write(session.take_to_server())

`Passive` only listens (tap, pcap): feed it both directions in the order they were captured, tell it
of lost bytes by `gap`. It may begin in the middle of a connection.

Rules this module keeps:

1. No input/output and no clock: bytes and times (microseconds since the epoch) come in, bytes and
   events go out.
2. `Inline` raises `ClientBroke` or `ServerBroke`, whose `response` is the last thing to tell the
   client; the connection must then be closed. `Passive` never raises: bytes it cannot read are
   counted in `undecodable`, and it goes on at the next plausible frame.
3. Cut the input into chunks anywhere: events and bytes are the same.
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from qingfang.decode.pgwire.backend import Backend
from qingfang.decode.pgwire.frames import (
    SSL_REQUEST_PACKET,
    ClientBroke,
    ServerBroke,
    error_response,
    find_boundary,
)
from qingfang.decode.pgwire.frontend import Frontend
from qingfang.decode.pgwire.pipeline import BLIND, READY, SIGNING_IN, Conversation
from qingfang.decoder import Decoder
from qingfang.events import ASKS, TELLS, TO_CLIENT, TO_SERVER, UNSETTLED, SessionFact
from qingfang.statement import Outcome, Statement

MAX_SQL: Final = 16 * 1024 * 1024


class Inline(Decoder):
    """Between client and server. `function_calls` and `replication` let through what bypasses SQL
    and is refused otherwise."""

    def __init__(
        self, max_sql: int = MAX_SQL, function_calls: bool = False, replication: bool = False
    ) -> None:
        self._talk: Conversation = Conversation()
        self._front: Frontend = Frontend(self._talk, True, max_sql, function_calls, replication)
        self._back: Backend = Backend(self._talk, True)

    def client(self, data: bytes, at_us: int) -> int:
        """Bytes from the client. Returns what there is to do (events.py: `ASKS`, …), as the next
        three do."""
        self._talk.at_us = at_us
        self._front.feed(data)
        return self._to_do()

    def server(self, data: bytes, at_us: int) -> int:
        """Bytes from the server. May let the client's direction go on: look at `asked` again."""
        self._talk.at_us = at_us
        self._back.feed(data)
        self._front.resume()
        return self._to_do()

    def _to_do(self) -> int:
        front, talk = self._front, self._talk
        to_do: i64 = 0
        if front.asked is not None:
            to_do = ASKS
        if talk.phase != READY or front.stalled or front.request:
            to_do |= UNSETTLED
        if front.one:
            to_do |= TO_SERVER
        if self._back.one or front.reply:
            to_do |= TO_CLIENT
        if talk.outcome is not None or talk.events:
            to_do |= TELLS
        return to_do

    @property
    def asked(self) -> Statement | None:
        """The statement that waits for `allow` or `deny`; everything behind it waits too."""
        return self._front.asked

    def allow(self) -> int:
        self._front.allow()
        return self._to_do()

    def deny(self, message: str, hint: str = "") -> int:
        """Refuse the asked statement: the client gets SQLSTATE 42501 with `message`."""
        self._front.deny(message, hint)
        return self._to_do()

    @property
    def request(self) -> str:
        """`tls`: the client asks for encryption, answer by `tls_answer`. `cancel`: this connection
        carries only `cancel_packet`, to be passed to the server on a connection of its own."""
        return self._front.request

    @property
    def cancel_packet(self) -> bytes:
        return self._front.packet

    def tls_answer(self, accept: bool) -> None:
        self._front.tls_answer(accept)

    @property
    def tls_request(self) -> bytes:
        """SSLRequest; a server answers `S` or `N`."""
        return SSL_REQUEST_PACKET

    @property
    def waiting(self) -> bool:
        """Whether what the client sends only piles up: stop reading it."""
        return self._front.waiting

    @property
    def started(self) -> bool:
        """Whether the start-up message has come: the server is needed now."""
        return self._talk.phase in {SIGNING_IN, READY}

    @property
    def signed_in(self) -> bool:
        return self._talk.phase == READY

    @property
    def idle(self) -> bool:
        """Whether the server owes nothing and no transaction is open."""
        return self._talk.owed == 0 and (self._talk.phase != READY or self._talk.status == 0x49)

    @property
    def between_answers(self) -> bool:
        """Whether the client has only whole frames, so that one of ours may follow."""
        return self._back.between_frames

    @property
    def dismissed(self) -> bool:
        """Whether the server has told the client that it ends the connection."""
        return self._talk.dismissed

    @property
    def mismatches(self) -> int:
        """Answers of the server that fitted no message of the client; 0 if both are sound."""
        return self._talk.mismatches

    @property
    def terminated(self) -> bool:
        """Whether the client has said goodbye."""
        return self._front.terminated

    def fact(self) -> SessionFact:
        """What is known of the connection now."""
        return self._talk.fact("ready")

    def refusal(self, sqlstate: str, message: str) -> bytes:
        """The FATAL ErrorResponse that ends this connection."""
        return error_response("FATAL", sqlstate, message, self._talk.codec, "connection refused")

    def piece_to_server(self) -> bytes:
        front = self._front
        front.flush()
        if front.out:
            return b""
        piece = front.one
        front.one = b""
        return piece

    def piece_to_client(self) -> bytes:
        back = self._back
        if back.out or self._front.reply:
            return b""
        piece = back.one
        back.one = b""
        return piece

    def take_to_server(self) -> list[bytes]:
        """Pieces to write to the server, in order; those before an asked statement included."""
        front = self._front
        front.flush()
        if not front.one:
            return []
        pieces = [front.one, *front.out]
        front.one, front.out = b"", []
        return pieces

    def take_to_client(self) -> list[bytes]:
        front, back = self._front, self._back
        pieces = front.reply
        if pieces:
            front.reply = []
        if back.one:
            pieces = [*pieces, back.one, *back.out]
            back.one, back.out = b"", []
        return pieces

    def take_outcome(self) -> Outcome | None:
        talk = self._talk
        if talk.events:
            return None
        outcome = talk.outcome
        talk.outcome = None
        return outcome

    def take_events(self) -> list[Statement | Outcome | SessionFact]:
        """What happened, in order. A `Statement` among them was not asked about: the server (kind
        `prepare`) or we (`call`) refused it."""
        return self._talk.take_events()

    def close(self, at_us: int) -> None:
        """The connection has ended: what is still open ends as `lost`."""
        self._talk.at_us = at_us
        self._talk.abandon()


class Passive:
    """Listening to both directions. `midstream`: the beginning of the connection was not seen.

    `undecodable` counts bytes that could not be read, `lost` those that `gap` told of.
    """

    def __init__(self, midstream: bool = False, max_sql: int = MAX_SQL) -> None:
        self._talk: Conversation = Conversation()
        self._front: Frontend = Frontend(self._talk, False, max_sql, True, True)
        self._back: Backend = Backend(self._talk, False)
        self._client_astray: bool = midstream
        self._server_astray: bool = midstream
        if midstream:
            self._talk.phase = READY
        self.undecodable: int = 0
        self.lost: int = 0

    def client(self, data: bytes, at_us: int) -> None:
        """Bytes from the client."""
        self._talk.at_us = at_us
        if self._talk.phase == BLIND:
            return
        if self._client_astray and not (data := self._regain(data, True)):
            return
        try:
            self._front.feed(data)
        except ClientBroke:
            self.undecodable += len(data)
            self._stray(True)

    def server(self, data: bytes, at_us: int) -> None:
        """Bytes from the server."""
        self._talk.at_us = at_us
        if self._talk.phase == BLIND:
            return
        if self._server_astray and not (data := self._regain(data, False)):
            return
        try:
            self._back.feed(data)
        except ServerBroke:
            self.undecodable += len(data)
            self._stray(False)
        if self._back.encryption_refused:
            self._back.encryption_refused = False
            try:
                self._front.continue_start_up()
            except ClientBroke:
                self._stray(True)

    def gap(self, from_client: bool, count: int, at_us: int) -> None:
        """`count` bytes of one direction were lost at this point."""
        self._talk.at_us = at_us
        self.lost += count
        if self._talk.phase == BLIND:
            return
        side = self._front if from_client else self._back
        if not side.skip_lost(count):
            self._stray(from_client)

    def take_events(self) -> list[Statement | Outcome | SessionFact]:
        return self._talk.take_events()

    def fact(self) -> SessionFact:
        return self._talk.fact("blind" if self.blind else "ready")

    @property
    def blind(self) -> bool:
        """Whether the rest of the connection is encrypted."""
        return self._talk.phase == BLIND

    def close(self, at_us: int) -> None:
        """The connection has ended: what is still open ends as `lost`."""
        self._talk.at_us = at_us
        self._talk.abandon()

    def _stray(self, from_client: bool) -> None:
        if self._talk.phase != BLIND:
            self._talk.phase = READY
        self._talk.abandon()
        if from_client:
            self._client_astray = True
            self._front.lose()
            self._talk.forget()
        else:
            self._server_astray = True
            self._back.lose()

    def _regain(self, data: bytes, from_client: bool) -> bytes:
        """What of `data` begins with a plausible frame."""
        start = find_boundary(data, from_client)
        if start < 0:
            self.undecodable += len(data)
            return b""
        self.undecodable += start
        if from_client:
            self._client_astray = False
        else:
            self._server_astray = False
        return data[start:]
