"""Strict DER: one encoding for one value."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qingfang.crypto import der


@given(st.integers(0, 2**300))
def test_integers(value: int) -> None:
    reader = der.Reader(der.write_integer(value))
    assert reader.integer() == value
    reader.end()


@given(st.binary(max_size=70_000))
def test_long_values(data: bytes) -> None:
    assert der.Reader(der.write(der.OCTET_STRING, data)).read(der.OCTET_STRING) == data


def test_object_identifiers() -> None:
    # X.690, 8.19.5: {2 999 3}; and the curve of SM2 as every tool prints it.
    assert der.write_object("2.999.3").hex() == "0603883703"
    assert der.write_object("1.2.156.10197.1.301").hex() == "06082a811ccf5501822d"


@pytest.mark.parametrize(
    "encoded",
    [
        "",
        "02",
        "0201",  # cut short
        "0200",  # no octets
        "0180",  # another tag
        "0201ff",  # below zero
        "02020001",  # a zero too many
        "02810101",  # a long length where a short one does
        "0282000101",
        "028001010000",  # without end
        "02820101" + "01" * 5,
        "0282",
    ],
)
def test_another_encoding_is_refused(encoded: str) -> None:
    with pytest.raises(ValueError, match="DER"):
        der.Reader(bytes.fromhex(encoded)).integer()


def test_left_over_and_broken_octets() -> None:
    reader = der.Reader(bytes.fromhex("020101ff"))
    reader.integer()
    with pytest.raises(ValueError, match="left over"):
        reader.end()
    with pytest.raises(ValueError, match="broken octets"):
        der.Reader(bytes.fromhex("030204f0")).bits()
