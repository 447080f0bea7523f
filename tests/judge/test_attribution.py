"""Who is signed in and was seen where, over a restart and while statements go on."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from qingfang.image import Entry
from qingfang.judge.attribution import SEEN, SIGN_INS, Attribution

MINUTE = 60_000_000


def act(attribution: Attribution, what: str, n: int, at_us: int) -> None:
    if what == "sign in":
        attribution.sign_in(f"c{n % 5}", f"D{n % 3}", at_us)
    elif what == "note":
        attribution.note(f"D{n % 7}", f"T{n}", at_us)
    else:
        attribution.closed(f"c{n % 5}")


def everything(attribution: Attribution) -> list[Entry]:
    entries: list[Entry] = []
    for image in attribution.image():
        while (part := image.part(100)) is not None:
            entries += part
    return sorted(entries, key=lambda e: e.turn)


acts = st.lists(
    st.tuples(st.sampled_from(["sign in", "note", "close"]), st.integers(0, 40)), max_size=60
)


@given(acts, acts)
def test_an_image_is_of_one_moment(
    before: list[tuple[str, int]], later: list[tuple[str, int]]
) -> None:
    attribution, again = Attribution(), Attribution()
    for at, (what, n) in enumerate(before):
        act(attribution, what, n, at * MINUTE)
    expected = everything(attribution)
    images = attribution.image()
    found: list[Entry] = []
    for at, (what, n) in enumerate(later):
        act(attribution, what, n, (100 + at) * MINUTE)
        found += images[at % 2].part(80) or ()
    for image in images:
        while (part := image.part(80)) is not None:
            found += part
    assert sorted(found, key=lambda e: e.turn) == expected
    again.restore(found)
    assert everything(again) == expected
    for at, (what, n) in enumerate(later):
        act(again, what, n, (100 + at) * MINUTE)
    assert [(e.name, e.known) for e in everything(again) if e.table == SEEN] == [
        (e.name, e.known) for e in everything(attribution) if e.table == SEEN
    ]


@pytest.mark.parametrize(
    ("table", "known"),
    [(SIGN_INS, b"\xc0"), (SEEN, b"\x91\x01"), (SIGN_INS, b""), ("others", b"\x80")],
)
def test_what_is_no_part_of_it_is_refused(table: str, known: bytes) -> None:
    attribution = Attribution()
    attribution.sign_in("c1", "D1", 0)
    before = everything(attribution)
    good = Entry(SEEN, "D1", 1, Raw(msgspec.msgpack.encode({"T1": 5})))
    with pytest.raises(ValueError, match="attribution"):
        attribution.restore([good, Entry(table, "x", 2, Raw(known))])
    assert everything(attribution) == before
