"""Hostile statements for the scanner: any text has a normal form, of every dialect. It is its own
normal form, its literals can be put back, and their places are in order and within the text. The
quick way gives what the thorough one does, or nothing."""

import random
from pathlib import Path

from qingfang.understand.fingerprint import FAMILIES, Scan, easy, restore, scan, thorough
from tests.fuzz import _mutate

_FIXTURES = sorted((Path(__file__).parents[1] / "understand/fixtures").glob("*.sql"))
_ORIGINALS = [
    statement
    for file in _FIXTURES
    for part in file.read_text(encoding="utf-8").split("\n== ")
    if (statement := part.partition("\n")[2].partition("\n-->")[0]) and len(statement) < 600
]
_BITS = (
    *("'", '"', "\\", "\\'", "--", "/*", "*/", "/*!", "/*M!", "#", "$$", "$t$", "$1", ":1", "@p"),
    *("?", "...", "\n", "\r", "\x00", " ", "(", ")", ",", "1", "12a", "0x", "1e", "E'", "U&'"),
    *("q'[", "]'", "nq'{", "N'", "`", "[", "]", "ﬀ", "\u212a", "\udfff", "药", ";", "-", "/"),
    "(1,2,3,4,5,6,7,8,9,10,11)",
)


def parts(seen: Scan) -> tuple[object, ...]:
    return seen.text, seen.starts, seen.ends, seen.kinds, seen.exact


def holds_together(text: str, dialect: str) -> None:
    seen = thorough(text, FAMILIES[dialect])
    quick = easy(text, FAMILIES[dialect])
    assert quick is None or parts(quick) == parts(seen)
    assert parts(scan(text, dialect)) == parts(seen)
    again = scan(seen.text, dialect)
    assert again.text == seen.text
    assert again.exact == seen.exact
    if seen.exact:
        assert seen.text == text
    else:
        assert len(again.starts) == len(seen.starts)
        back = restore(seen.text, seen.literals(text), dialect)
        third = scan(back, dialect)
        assert third.text == seen.text
        assert third.kinds == seen.kinds
        assert third.literals(back) == seen.literals(text)
    last = 0
    for start, end in zip(seen.starts, seen.ends, strict=True):
        assert last <= start < end <= len(text)
        last = end


def attack(seed: int) -> None:
    rng = random.Random(seed)
    text = _mutate.text(rng, rng.choice(_ORIGINALS), _BITS)
    holds_together(text, rng.choice(tuple(FAMILIES)))
