"""Published vectors: FIPS 180-4 examples and GB/T 32905-2016 appendix A."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qingfang.crypto.digests import CarriedSm3, sha256, sm3, start

SM3 = {
    b"abc": "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0",
    b"abcd" * 16: "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732",
}
SHA256 = {
    b"abc": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq": (
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    ),
}


@pytest.mark.parametrize("data", SM3)
def test_sm3(data: bytes) -> None:
    assert sm3(data).hex() == SM3[data]
    assert CarriedSm3(data).digest().hex() == SM3[data]


@pytest.mark.parametrize("data", SHA256)
def test_sha256(data: bytes) -> None:
    assert sha256(data).hex() == SHA256[data]


@pytest.mark.parametrize("name", ["sha256", "sm3"])
def test_in_pieces(name) -> None:
    whole, pieces = start(name, b"prescriber"), start(name)
    for at in range(0, 10, 3):
        pieces.update(b"prescriber"[at : at + 3])
    assert pieces.digest() == whole.digest() == pieces.digest()


def test_carried_sm3_in_pieces() -> None:
    carried = CarriedSm3(b"a")
    carried.update(b"bc")
    assert carried.digest() == carried.digest() == sm3(b"abc")


@given(st.binary(max_size=200))
def test_three_implementations_of_sm3_agree(data: bytes) -> None:
    import gmssl_pyx

    assert sm3(data) == CarriedSm3(data).digest() == gmssl_pyx.sm3_hash(data)
