"""Checkpoints, certificates, public keys and new keys' statements as a stranger may hand them over:
read or refused, never believed, and the expert's own reader is as strict."""

from __future__ import annotations

import contextlib
import random
from functools import cache

from qingfang.crypto import Ed25519Signer
from qingfang.crypto.sm2 import Sm2Signer
from qingfang.merkle import checkpoint, note, parties
from qingfang.merkle.checkpoint import Checkpoint, CheckpointProblem
from qingfang.merkle.note import Note, NoteProblem
from qingfang.merkle.parties import Party, PartyProblem
from qingfang.witness import office
from qingfang.witness.looking import look
from tests.fuzz import _mutate

AT = 1_795_449_600
# Signatures are most of the work.
INPUTS = 4_000


@cache
def good() -> tuple[Party, list[bytes]]:
    """An office, and what it and a machine wrote: a checkpoint, a certificate, new keys, a party."""
    boss = (Ed25519Signer.generate(), Sm2Signer.generate())
    machine = (Ed25519Signer.generate(), Sm2Signer.generate())
    party = Party("office", "office", boss[0].public, boss[1].public)
    says = Checkpoint("h/n/1", 0, bytes(32), bytes(32), AT, None, "boot", 0)
    lines = [note.sign(says.encode(), "h/n/1", key) for key in machine]
    asked = office.Request("h/n/1", machine[0].public, machine[1].public)
    return party, [
        Note(says.encode()).adding(*lines).encode(),
        office.certify(asked, boss, AT, 30),
        office.succeed(boss, party, AT),
        party.encode().encode(),
    ]


def _no_tile(path: str) -> bytes:
    raise LookupError(path)


def attack(seed: int) -> None:
    rng = random.Random(seed)
    party, written = good()
    which = rng.randrange(len(written))
    changed = list(written)
    changed[which] = _mutate.octets(rng, written[which])
    if changed[which] == written[which]:
        return
    data, certificate, statement, keys = changed
    try:
        found = note.parse(data)
        assert found.encode() == data
        assert checkpoint.read(found.text).encode() == found.text
    except (NoteProblem, CheckpointProblem):
        pass
    made = look(data, certificate, party, None, _no_tile, AT, 600)
    assert which > 1 or not made.sound or _only_lines(which, changed, written)
    try:
        new = parties.successor(parties.parse(statement), party)
        assert which != 2 or new == party
    except PartyProblem:
        pass
    with contextlib.suppress(PartyProblem, UnicodeDecodeError):
        assert parties.read(keys.decode()).encode().encode() == keys


def _only_lines(which: int, changed: list[bytes], written: list[bytes]) -> bool:
    """What was signed is as it was: a line put in beside the good ones changes nothing."""
    return note.parse(changed[which]).text == note.parse(written[which]).text
