"""Contents of frames ↔ what they say.

Rules this module keeps:

1. The content of every frame that a client sent begins with its token: 8 bytes that name the
   client's run and its batch number. By it a batch sent again after a lost answer is known.
2. After the token stands one byte, `PLAIN` or `PACKED` (zlib), and MessagePack.
3. A brief refers to its connection and template, told in a block of the same segment or of the one
   before it: to read a segment, no more than one segment before it is needed.
4. `expand` never invents: what is not known of a statement stays empty.
"""

from __future__ import annotations

import datetime
import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from qingfang.events import Attributed, Brief, Connection, Event, Template
from qingfang.record import frame
from qingfang.record.entries import (
    Act,
    Block,
    Closed,
    Completed,
    Entry,
    Loss,
    Opened,
    Recovered,
    Value,
)

PLAIN: Final = b"\0"
PACKED: Final = b"\1"
TOKEN_SIZE: Final = 16
NO_TOKEN: Final = b"\0" * TOKEN_SIZE
UNPACKED_LIMIT: Final = 256 * 1024 * 1024
_WORTH_PACKING: Final = 160
_TOKEN: Final = struct.Struct(">8sQ")

_END_OF_TIME_US: Final = 253_370_764_800_000_000
"""The year 9999: what comes after cannot be written as a date."""
_CHINA: Final = datetime.timezone(datetime.timedelta(hours=8))
_encoder = msgspec.msgpack.Encoder()
_DECODERS: Final[dict[int, msgspec.msgpack.Decoder[Any]]] = {
    frame.SEGMENT: msgspec.msgpack.Decoder(Opened),
    frame.CLOSE: msgspec.msgpack.Decoder(Closed),
    frame.EVENT: msgspec.msgpack.Decoder(Event),
    frame.BLOCK: msgspec.msgpack.Decoder(Block),
    frame.COMPLETED: msgspec.msgpack.Decoder(Completed),
    frame.LOSS: msgspec.msgpack.Decoder(Loss),
    frame.ACT: msgspec.msgpack.Decoder(Act),
    frame.RECOVERED: msgspec.msgpack.Decoder(Recovered),
}
_Raws = tuple[msgspec.Raw, ...]
_RAW: Final = msgspec.msgpack.Decoder(tuple[_Raws, _Raws, _Raws])
_KIND_OF: Final[dict[type, int]] = {
    Opened: frame.SEGMENT,
    Closed: frame.CLOSE,
    Event: frame.EVENT,
    Block: frame.BLOCK,
    Completed: frame.COMPLETED,
    Loss: frame.LOSS,
    Act: frame.ACT,
    Recovered: frame.RECOVERED,
}
# What a client may append. The other kinds are the writer's own.
FROM_CLIENTS: Final = frozenset({frame.EVENT, frame.BLOCK, frame.COMPLETED, frame.LOSS, frame.ACT})


class Unreadable(Exception):
    """A content that is not what its frame's kind says."""


def token(origin: bytes, batch: int) -> bytes:
    """`origin`: 8 random bytes of one run of one client; `batch`: its numbering from 1."""
    return _TOKEN.pack(origin, batch)


def token_of(content: bytes) -> tuple[bytes, int]:
    """(origin, batch)."""
    return _TOKEN.unpack_from(content)


def kind_of(value: Value | Block | Opened | Closed) -> int:
    return _KIND_OF[type(value)]


def pack(value: Value | Block | Opened | Closed, mark: bytes = NO_TOKEN) -> bytes:
    """The content of the frame that holds `value`."""
    plain = _encoder.encode(value)
    if len(plain) < _WORTH_PACKING:
        return mark + PLAIN + plain
    return mark + PACKED + zlib.compress(plain, 1)


def _unpacked(content: bytes) -> bytes:
    form, data = content[TOKEN_SIZE : TOKEN_SIZE + 1], content[TOKEN_SIZE + 1 :]
    if form == PLAIN:
        return data
    if form != PACKED:
        raise Unreadable("unknown form of content")
    unpacker = zlib.decompressobj()
    data = unpacker.decompress(data, UNPACKED_LIMIT)
    if not unpacker.eof:
        raise Unreadable("packed content is cut off or too large")
    return data


def unpack(kind: int, content: bytes) -> Value | Block | Opened | Closed:
    """Raises `Unreadable`."""
    try:
        return _DECODERS[kind].decode(_unpacked(content))
    except (
        msgspec.MsgspecError,
        zlib.error,
        KeyError,
        UnicodeDecodeError,
        RecursionError,
    ) as error:
        raise Unreadable(f"{frame.KINDS.get(kind, kind)}: {error}") from None


def raw_block(content: bytes) -> tuple[list[bytes], list[bytes], list[bytes]]:
    """The MessagePack of a block's connections, templates and briefs, one by one. Raises
    `Unreadable`."""
    try:
        connections, templates, briefs = _RAW.decode(_unpacked(content))
    except (msgspec.MsgspecError, zlib.error, RecursionError) as error:
        raise Unreadable(f"brief: {error}") from None
    return list(map(bytes, connections)), list(map(bytes, templates)), list(map(bytes, briefs))


def moment(at_us: int) -> str:
    """ISO 8601 with microseconds, in China's zone: how every event and record writes its time."""
    seconds, micro = divmod(at_us, 1_000_000)
    at = datetime.datetime.fromtimestamp(seconds, _CHINA).replace(microsecond=micro)
    return at.isoformat(timespec="microseconds")


# A literal's place in a template (`events.Template`).
_PLACE = re.compile(r"(?:\b(?:e|n|b|x|q|u&))?'\?'(?:\.\.\.)?|\?(?:\.\.\.)?")


def has_moment(value: Value | Block | Opened | Closed) -> bool:
    """Whether every time in a record is one that can be read back, so that no record stops those
    who read the log."""
    if isinstance(value, Block):
        return all(0 <= brief.at_us < _END_OF_TIME_US for brief in value.briefs)
    if not isinstance(value, Event):
        return True
    try:
        return datetime.datetime.fromisoformat(value.at).tzinfo is not None
    except ValueError:
        return False


def fill(template: Template, literals: tuple[str, ...]) -> str:
    """The statement's text: the template's places take `literals` (as written, with their quotes
    and prefixes) in order. When their numbers differ, the template's own text is all that is
    known."""
    if not literals:
        return template.text
    parts = _PLACE.split(template.text)
    if len(parts) != len(literals) + 1:
        return template.text
    return "".join(piece for pair in zip(parts, (*literals, ""), strict=True) for piece in pair)


def expand(
    brief: Brief, connection: Connection | None, template: Template | None, log: str, seq: int
) -> Event:
    """The event a brief stands for."""
    return Event(
        connection=brief.connection,
        at=moment(brief.at_us),
        source=connection.source if connection else "gateway",
        protocol=connection.protocol if connection else "",
        server=connection.server if connection else "",
        database=connection.database if connection else "",
        account=connection.account if connection else "",
        client=connection.client if connection else "",
        sql=fill(template, brief.literals) if template else "",
        kind=brief.kind,
        verdict="pass",
        log=log,
        seq=seq,
        site=connection.site if connection else "",
        node=connection.node if connection else "",
        took_ms=None if brief.took_us < 0 else brief.took_us / 1000,
        program=connection.program if connection else "",
        os_user=connection.os_user if connection else "",
        host=connection.host if connection else "",
        operator=None if brief.operator is None else Attributed(brief.operator, 1.0, ("sign-in",)),
        binds=brief.binds,
        rows=None if brief.rows < 0 else brief.rows,
        bytes=None if brief.bytes < 0 else brief.bytes,
        error=brief.error,
        fingerprint=brief.template.hex(),
    )


class Decoder:
    """Frames in log order in, entries out. Start it one segment before the records wanted when
    briefs are wanted; entries below `first` are taken in and not given out."""

    def __init__(self, log: str = "", first: int = 0, *, briefs: bool = True) -> None:
        self.log = log
        self._first, self._briefs = first, briefs
        self._connections: dict[str, Connection] = {}
        self._templates: dict[bytes, Template] = {}
        self._older_connections: dict[str, Connection] = {}
        self._older_templates: dict[bytes, Template] = {}

    def feed(self, kind: int, sequence: int, content: bytes) -> Iterator[Entry]:
        """Raises `Unreadable`."""
        if kind == frame.CLOSE or (kind == frame.BLOCK and not self._briefs):
            return
        value = unpack(kind, content)
        if isinstance(value, Block):
            yield from self._block(value, sequence)
        elif isinstance(value, Opened):
            self.log = value.log
            self._older_connections, self._connections = self._connections, {}
            self._older_templates, self._templates = self._templates, {}
        elif sequence >= self._first and not isinstance(value, Closed):
            if isinstance(value, Event):
                value = msgspec.structs.replace(value, log=self.log, seq=sequence)
            yield Entry(self.log, sequence, value)

    def _block(self, block: Block, sequence: int) -> Iterator[Entry]:
        for connection in block.connections:
            self._connections[connection.id] = connection
        for template in block.templates:
            self._templates[template.digest] = template
        for seq, brief in enumerate(block.briefs, sequence):
            if seq >= self._first:
                yield Entry(self.log, seq, self._expand(brief, seq))

    def _expand(self, brief: Brief, seq: int) -> Event:
        connection = self._connections.get(brief.connection)
        if connection is None:
            connection = self._older_connections.get(brief.connection)
        template = self._templates.get(brief.template)
        if template is None:
            template = self._older_templates.get(brief.template)
        return expand(brief, connection, template, self.log, seq)


Noted = tuple[Brief, Connection, Template]
"""A brief with what it refers to."""

_TOLD_LIMIT: Final = 200_000


class Packer:
    """Briefs → blocks, telling each connection and template once a segment; newer facts of a
    connection (another object under the same id) are told again."""

    def __init__(self) -> None:
        self._connections: dict[str, Connection] = {}
        self._templates: set[bytes] = set()
        self.segment = 0

    def at_segment(self, number: int) -> None:
        """The writer is at this segment: what older ones were told is told again."""
        if number > self.segment:
            self.segment = number
            self.tell_again()

    def tell_again(self) -> None:
        """What was told may not be stored, or not be near."""
        self._connections.clear()
        self._templates.clear()

    def pack(self, noted: Sequence[Noted], mark: bytes) -> bytes:
        """The content of a `BLOCK` frame; at most 65,535 briefs."""
        if len(self._connections) + len(self._templates) > _TOLD_LIMIT:
            self.tell_again()
        connections: list[Connection] = []
        templates: list[Template] = []
        briefs: list[Brief] = []
        told, forms = self._connections, self._templates
        for brief, connection, template in noted:
            briefs.append(brief)
            if told.get(brief.connection) is not connection:
                told[brief.connection] = connection
                connections.append(connection)
            if brief.template not in forms:
                forms.add(brief.template)
                templates.append(template)
        return pack(Block(tuple(connections), tuple(templates), tuple(briefs)), mark)
