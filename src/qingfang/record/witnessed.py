"""What witnesses vouch for: checkpoints of this log that they cosigned and gave back.

Each lies in `cosignatures/<name>` as the witness wrote it (`ship.door`, or a person with a USB
stick). Nothing in such a file is believed before both keys of the witness of that name verify, and
the roots are those of the log.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from qingfang.merkle import checkpoint, note
from qingfang.merkle.checkpoint import Checkpoint, CheckpointProblem
from qingfang.merkle.note import Note, NoteProblem
from qingfang.merkle.parties import Party

FOLDER: Final = "cosignatures"


class Witnessed(Struct, frozen=True):
    """`by` cosigned this checkpoint at `at` (seconds since the epoch)."""

    by: str
    at: int
    checkpoint: Checkpoint
    note: Note


def cosigned(found: Note, by: Party) -> int | None:
    """When both keys of a witness cosigned this note, in seconds since the epoch; None when one did
    not."""
    times = [note.cosigned_at(found, by.name, key) for key in by.verifiers()]
    return None if None in times else min(at for at in times if at is not None)


def witnessed(folder: Path, witnesses: Sequence[Party]) -> list[Witnessed]:
    """What the witnesses' files in a ledger's folder vouch for; files that vouch for nothing are
    left out. Raises OSError."""
    found: list[Witnessed] = []
    for each in witnesses:
        try:
            data = (folder / FOLDER / each.name).read_bytes()
        except FileNotFoundError:
            continue
        made = read(data, each)
        if made is not None:
            found.append(made)
    return found


def read(data: bytes, by: Party) -> Witnessed | None:
    """A checkpoint that `by` cosigned; None for anything else."""
    try:
        made = note.parse(data)
        says = checkpoint.read(made.text)
    except (NoteProblem, CheckpointProblem):
        return None
    at = cosigned(made, by)
    return None if at is None else Witnessed(by.name, at, says, made)
