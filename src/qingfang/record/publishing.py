"""What the ledger shows to the outside: tiles of both trees, and checkpoints signed by the machine.

    tile/… sm3/tile/…           the trees (`merkle.tiles`)
    checkpoint                  the latest
    checkpoints/<size>          kept: one at the end of each segment
    signing/ed25519.pem sm2.pem the machine's keys, made at the first start
    request                     the machine's public keys, for the office to certify
    certificate                 the office's certificate over them

Rules this module keeps:

1. Only what is synced is published, and a checkpoint only after the tiles it needs.
2. Counts in checkpoints never fall: they go on from the last one published.
3. A tree that does not fit what a segment's first frame says of it is never signed: `Unsound` tells
   of it, and the ledger goes on without publishing, which a witness takes for silence.
4. Trouble with publishing stops no recording.
"""

from __future__ import annotations

import base64
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from qingfang.crypto.keyfile import KeyProblem, create_key, load_signer
from qingfang.crypto.signing import Signer
from qingfang.language import _
from qingfang.merkle import checkpoint, note
from qingfang.merkle.checkpoint import Certificate, Checkpoint, CheckpointProblem
from qingfang.merkle.note import Note, NoteProblem
from qingfang.merkle.tiles import TileProblem, TileStore
from qingfang.merkle.tree import Frontier
from qingfang.record import codec, frame, segments
from qingfang.record.chain import Chain
from qingfang.record.clock import boot_id, offset_ms
from qingfang.record.entries import Opened

log = logging.getLogger(__name__)

LATEST: Final = "checkpoint"
KEPT: Final = "checkpoints"
REQUEST: Final = "request"
CERTIFICATE: Final = "certificate"
_SIGNING: Final = "signing"
_KEYS: Final = (("ed25519", "ed25519.pem"), ("sm2", "sm2.pem"))


class Unsound(Exception):
    """The tiles, the segments and the last checkpoint contradict each other, or the machine's keys cannot be used (zh)."""


class Publisher:
    """Opening it reads the segments that the tiles do not cover yet. `origin` is the log's name.
    Raises `Unsound` and OSError."""

    def __init__(self, folder: Path, origin: str) -> None:
        self._folder, self._origin = folder, origin
        try:
            self._keys = machine_keys(folder)
        except KeyProblem as error:
            raise Unsound(str(error)) from None
        self._boot = boot_id()
        try:
            self._stores = (TileStore(folder, "sha256"), TileStore(folder, "sm3"))
        except TileProblem as error:
            raise Unsound(_("默克尔树的瓦片缺失或损坏：{}").format(error)) from None
        self.last = latest(folder)
        self._base = self.last
        # The trees' edges, to sign without reading tiles again.
        self._trees = self._catch_up()
        _write(folder / REQUEST, request(origin, self._keys).encode())
        if self.last is not None:
            self._check_last(self.last)

    def extend(self, leaves: list[tuple[bytes, bytes]]) -> None:
        """Frames stored since."""
        for number, store in enumerate(self._stores):
            some = [pair[number] for pair in leaves]
            store.extend(some)
            for leaf in some:
                self._trees[number].append(leaf)

    @property
    def size(self) -> int:
        return self._trees[0].size

    def is_certified(self, found: Certificate) -> bool:
        """Whether a certificate is for this log and the keys it signs with."""
        keys = {key.algorithm: key.public for key in self._keys}
        return found.origin == self._origin and keys == {
            "ed25519": found.ed25519,
            "sm2": found.sm2,
        }

    def publish(self, at: int, records: int, counts: tuple[int, int, int], keep: bool) -> None:
        """Sign what was extended: `records` is the number of the last record, `counts` what was
        seen, summarised and dropped since this start; `keep` keeps the checkpoint for good."""
        for store in self._stores:
            store.publish()
        base = self._base
        seen, summarised, dropped = counts
        found = Checkpoint(
            origin=self._origin,
            size=self.size,
            root=self._trees[0].root(),
            sm3_root=self._trees[1].root(),
            at=at,
            clock_offset_ms=offset_ms(),
            boot=self._boot,
            records=records,
            seen=seen + (base.seen if base else 0),
            stored=records,
            summarised=summarised + (base.summarised if base else 0),
            dropped=dropped + (base.dropped if base else 0),
        )
        text = found.encode()
        lines = (note.sign(text, self._origin, key) for key in self._keys)
        data = Note(text).adding(*lines).encode()
        if keep:
            kept = self._folder / KEPT
            kept.mkdir(mode=0o755, exist_ok=True)
            _write(kept / f"{found.size:020}", data)
        _write(self._folder / LATEST, data)
        self.last = found

    # ------------------------------------------------------------------ opening

    def _catch_up(self) -> tuple[Frontier, Frontier]:
        """Feed the stores what the segments have and they do not; both trees' edges."""
        numbers = segments.numbers(self._folder)
        begin = min(store.size for store in self._stores)
        first = _holding(self._folder, numbers, begin)
        trees = self._peaks(0) if first is None else self._peaks_at(first)
        for number, chain in _from(self._folder, numbers, first):
            ends: list[tuple[bytes, bytes]] = []
            size = chain.number

            def taken(one: bytes, two: bytes, ends: list[tuple[bytes, bytes]] = ends) -> None:
                ends.append((one, two))

            self._same(trees, chain, number)
            walk = segments.Walk(self._folder / segments.name(number), number, chain, taken)
            for _frame in walk:
                pass
            for which, store in enumerate(self._stores):
                # What the tiles have already of this segment must be what it says.
                skip = max(0, store.size - size)
                reader = store.reader()
                for at in range(min(skip, len(ends))):
                    if reader(0, size + at) != ends[at][which]:
                        raise Unsound(_("第 {} 帧与默克尔树的瓦片不符").format(size + at))
                store.extend([pair[which] for pair in ends[skip:]])
                for pair in ends:
                    trees[which].append(pair[which])
        for which, store in enumerate(self._stores):
            if store.size != trees[which].size:
                raise Unsound(
                    _("默克尔树有 {} 片叶，段文件只到第 {} 帧：账本被截去或退回").format(
                        store.size, trees[which].size
                    )
                )
        return trees

    def _peaks_at(self, number: int) -> tuple[Frontier, Frontier]:
        first = segments.first_of(self._folder / segments.name(number), number)
        assert first is not None
        return self._peaks(first.number)

    def _peaks(self, size: int) -> tuple[Frontier, Frontier]:
        """The trees' edges at a size that the tiles cover."""
        one, two = (_edge(store, size) for store in self._stores)
        return Frontier("sha256", size, one), Frontier("sm3", size, two)

    def _same(self, trees: tuple[Frontier, Frontier], chain: Chain, number: int) -> None:
        if any(a.peaks != b.peaks for a, b in zip(trees, chain.trees, strict=True)):
            raise Unsound(_("{}：首帧所记的树与默克尔树的瓦片不符").format(segments.name(number)))

    def _check_last(self, last: Checkpoint) -> None:
        """The last checkpoint is of this log, and not ahead of it."""
        if last.origin != self._origin:
            raise Unsound(_("检查点是另一个账本的：{}").format(last.origin))
        if last.size > self.size:
            raise Unsound(
                _("检查点已到第 {} 帧，段文件只到第 {} 帧：账本被截去或退回").format(
                    last.size, self.size
                )
            )
        roots = [
            Frontier(name, last.size, _edge(store, last.size)).root()
            for name, store in zip(("sha256", "sm3"), self._stores, strict=True)
        ]
        if roots != [last.root, last.sm3_root]:
            raise Unsound(_("账本与它自己的检查点不符"))


def machine_keys(folder: Path) -> tuple[Signer, ...]:
    """Raises `KeyProblem` and OSError."""
    place = folder / _SIGNING
    place.mkdir(mode=0o700, exist_ok=True)
    keys: list[Signer] = []
    for algorithm, name in _KEYS:
        path = place / name
        if path.exists():
            keys.append(load_signer(path))
        else:
            keys.append(create_key(path, "sm2" if algorithm == "sm2" else "ed25519"))
    return tuple(keys)


def request(origin: str, keys: tuple[Signer, ...]) -> str:
    """What the machine asks the office to certify: the log's name, and a line for each key."""
    lines = [origin, *(f"{k.algorithm} {base64.b64encode(k.public).decode()}" for k in keys)]
    return "".join(f"{line}\n" for line in lines)


def latest(folder: Path) -> Checkpoint | None:
    """The last checkpoint published; None when there is none. Raises `Unsound` and OSError."""
    try:
        return checkpoint.read(note.parse((folder / LATEST).read_bytes()).text)
    except FileNotFoundError:
        return None
    except (NoteProblem, CheckpointProblem) as error:
        raise Unsound(_("{}：读不懂（{}）").format(folder / LATEST, error)) from None


def _edge(store: TileStore, size: int) -> list[bytes]:
    """The peaks of the tree of `size` leaves."""
    reader = store.reader()
    peaks: list[bytes] = []
    begin = 0
    for level in reversed(range(size.bit_length())):
        if size >> level & 1:
            try:
                peaks.append(reader(level, begin >> level))
            except TileProblem as error:
                raise Unsound(_("默克尔树的瓦片缺失或损坏：{}").format(error)) from None
            begin += 1 << level
    return peaks


def _holding(folder: Path, numbers: list[int], begin: int) -> int | None:
    """The segment with frame `begin`, or the last one that begins before it."""
    found = None
    for number in reversed(numbers):
        first = segments.first_of(folder / segments.name(number), number)
        if first is not None:
            found = number
            if first.number <= begin:
                break
    return found


def _from(folder: Path, numbers: list[int], first: int | None) -> Iterator[tuple[int, Chain]]:
    for number in numbers:
        if first is None or number < first:
            continue
        opening = segments.first_of(folder / segments.name(number), number)
        opened = codec.unpack(frame.SEGMENT, opening.content) if opening else None
        if opening is None or not isinstance(opened, Opened):
            raise Unsound(_("{}：首帧损坏").format(segments.name(number)))
        yield (
            number,
            Chain(
                opening.number, opening.sequence, opening.previous, opened.peaks, opened.sm3_peaks
            ),
        )


def _write(path: Path, data: bytes) -> None:
    """Readers see the old content or the new one."""
    beside = path.with_name(f".{path.name}.new")
    with beside.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
