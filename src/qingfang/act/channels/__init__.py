"""Ways out of the house. Each is one class with `send`.

Rules this package keeps:

1. `send` returns a receipt: what the other side said, or, where it says nothing, what was handed to
   whom. It raises `NotSent` when it did not work and says whether trying again can help.
2. Certificates are checked wherever TLS is spoken; a time limit bounds every attempt.
3. A receipt and an error carry no content of the notice.
"""

from __future__ import annotations

from typing import Final, Protocol

from qingfang.act.notice import Notice

TIME_LIMIT_S: Final = 20.0


class NotSent(Exception):
    """`permanent`: the other side refused; the same again will be refused again."""

    def __init__(self, why: str, *, permanent: bool = False) -> None:
        super().__init__(why)
        self.permanent = permanent


class Channel(Protocol):
    """`address` is the person's address on this channel; empty for a channel that has one
    receiver."""

    async def send(self, notice: Notice, address: str) -> str: ...
