"""What the fuzz targets do to good inputs: a change to bytes, to a text, to a document."""

from __future__ import annotations

import copy
import random
from collections.abc import Sequence
from typing import Any

_NUMBERS = (0, 1, 0x7F, 0xFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x04000000, 0x04000001)
_VALUES: tuple[Any, ...] = (
    *(None, True, 0, -1, 2**31, 2**63 - 1, -(2**63), 2**64 - 1, 1.5, "", " ", "x", "\x00", "药"),
    *([], [[]], [None], {}, {"": {}}, {"kind": []}, "a" * 300, "1=1 OR (", "'", "[", "0.0.0.0/0"),
)


def octets(rng: random.Random, data: bytes, most: int = 4) -> bytes:
    """Bytes flipped, cut out, put in, doubled, made hostile lengths, or cut off."""
    changed = bytearray(data)
    for _turn in range(rng.randint(1, most)):
        at = rng.randrange(len(changed) + 1)
        match rng.randrange(7):
            case 0 | 1:
                changed[at : at + 1] = rng.randbytes(1)
            case 2:
                del changed[at : at + rng.randint(1, 40)]
            case 3:
                changed[at:at] = rng.randbytes(rng.randint(1, 9))
            case 4:
                size = rng.randint(1, 60)
                changed[at:at] = changed[at : at + size]
            case 5:
                changed[at : at + 4] = rng.choice(_NUMBERS).to_bytes(4, "big")
            case _ if rng.random() < 0.5:
                del changed[at:]
    return bytes(changed)


def text(rng: random.Random, original: str, bits: Sequence[str], most: int = 4) -> str:
    """Pieces of `bits` put in, up to three characters taken out each time."""
    for _turn in range(rng.randint(1, most)):
        at = rng.randint(0, len(original))
        original = original[:at] + rng.choice(bits) + original[at + rng.randint(0, 3) :]
    return original


def document(rng: random.Random, original: Any, most: int = 3) -> Any:
    """A copy in which values, keys or whole branches are others."""
    tree = copy.deepcopy(original)
    for _turn in range(rng.randint(1, most)):
        places = list(_places(tree))
        if not places:
            return rng.choice(_VALUES)
        where, key = rng.choice(places)
        match rng.randrange(5):
            case 0 | 1:
                where[key] = copy.deepcopy(rng.choice(_VALUES))
            case 2:
                other, at = rng.choice(places)
                where[key] = copy.deepcopy(other[at])
            case 3:
                del where[key]
            case _ if isinstance(where, dict):
                where[rng.choice(("", "x", f"{key}x", str(key).upper()))] = where.pop(key)
            case _:
                where.insert(key, copy.deepcopy(where[key]))
    return tree


def _places(tree: Any) -> Any:
    """Every (container, key) of a document."""
    keys = list(tree) if isinstance(tree, dict) else list(range(len(tree)))
    for key in keys:
        yield tree, key
        if isinstance(tree[key], dict | list):
            yield from _places(tree[key])
