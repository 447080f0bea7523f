"""A spool's records, in order, as shipments for another ledger.

Rules this module keeps:

1. Every record of the spool is shipped, its losses too. What only a writer may write (`Recovered`)
   goes as an act that says the same.
2. A block is packed anew: what it refers to may have been told where the other ledger does not
   look. What the spool does not know of a connection or a template stays empty.
3. A loss names the node that had it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from qingfang.events import Connection, Template
from qingfang.record import codec, frame
from qingfang.record.codec import Noted, Packer
from qingfang.record.entries import Act, Block, Closed, Loss, Opened, Recovered
from qingfang.ship import wire
from qingfang.ship.wire import Item, Shipment

SHIPMENT_BYTES: Final = 4 * 1024 * 1024
SHIPMENT_ITEMS: Final = 256


class Piece:
    """What the spool stored in one go: `count` records from `sequence` on. `noted` for a block, the
    content without token for everything else."""

    __slots__ = ("content", "count", "kind", "noted", "sequence")

    def __init__(
        self, kind: int, sequence: int, count: int, content: bytes, noted: Sequence[Noted] = ()
    ) -> None:
        self.kind, self.sequence, self.count = kind, sequence, count
        self.content, self.noted = content, noted


class Reader:
    """Items of a spool in, from one segment before `first`; pieces from `first` on out."""

    def __init__(self, log: str, first: int) -> None:
        self._log, self._node, self._first = log, wire.node_of(log) or "", first
        self._connections: dict[str, Connection] = {}
        self._templates: dict[bytes, Template] = {}
        self._older_connections: dict[str, Connection] = {}
        self._older_templates: dict[bytes, Template] = {}

    def feed(self, kind: int, sequence: int, content: bytes) -> Iterator[Piece]:
        """Raises `codec.Unreadable`."""
        if kind in (frame.EVENT, frame.COMPLETED, frame.ACT):
            if sequence >= self._first:
                yield Piece(kind, sequence, 1, content[codec.TOKEN_SIZE :])
            return
        value = codec.unpack(kind, content)
        if isinstance(value, Opened):
            self._older_connections, self._connections = self._connections, {}
            self._older_templates, self._templates = self._templates, {}
        elif isinstance(value, Block):
            for connection in value.connections:
                self._connections[connection.id] = connection
            for template in value.templates:
                self._templates[template.digest] = template
            if sequence >= self._first:
                noted = tuple(
                    (brief, self._connection(brief.connection), self._template(brief.template))
                    for brief in value.briefs
                )
                yield Piece(kind, sequence, len(noted), b"", noted)
        elif sequence < self._first or isinstance(value, Closed):
            return
        elif isinstance(value, Loss):
            there = msgspec.structs.replace(value, source=f"{self._node}/{value.source}")
            yield Piece(kind, sequence, 1, codec.pack(there)[codec.TOKEN_SIZE :])
        elif isinstance(value, Recovered):
            act = _recovered(value, self._log)
            yield Piece(frame.ACT, sequence, 1, codec.pack(act)[codec.TOKEN_SIZE :])

    def _connection(self, name: str) -> Connection:
        found = self._connections.get(name) or self._older_connections.get(name)
        if found is None:
            site, _slash, _rest = self._log.partition("/")
            found = Connection(name, site, self._node, "gateway", "", "", "", 0)
            self._connections[name] = found
        return found

    def _template(self, digest: bytes) -> Template:
        found = self._templates.get(digest) or self._older_templates.get(digest)
        return found or Template(digest, "", "")


def _recovered(value: Recovered, log: str) -> Act:
    details = {
        "segment": str(value.segment),
        "offset": str(value.offset),
        "size": str(value.size),
        "digest": value.digest.hex(),
    }
    return Act(value.at_us, "spool.recovered", log, about=value.kept_as, details=details)


def take(pieces: Sequence[Piece], log: str, packer: Packer) -> tuple[bytes, int]:
    """(a shipment's bytes, how many of the pieces are in it): at least the first."""
    items: list[Item] = []
    size = 0
    for piece in pieces[:SHIPMENT_ITEMS]:
        if items and size >= SHIPMENT_BYTES:
            break
        mark = wire.token(log, piece.sequence)
        content = packer.pack(piece.noted, mark) if piece.noted else mark + piece.content
        size += len(content)
        items.append(Item(piece.kind, piece.sequence, piece.count, content))
    return msgspec.msgpack.encode(Shipment(packer.segment, tuple(items))), len(items)
