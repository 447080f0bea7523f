"""Bound values, against what the types' own output would be."""

from __future__ import annotations

import struct
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qingfang.decode.pgwire.values import binary_text, bound_values

INT4_ARRAY = struct.pack("!iiIii", 1, 1, 23, 3, 1) + struct.pack("!iiiii", 4, 7, -1, 4, -8)
TEXT_ARRAY = struct.pack("!iiIii", 1, 0, 25, 2, 1) + b"\0\0\0\3a,b\0\0\0\4NULL"


@pytest.mark.parametrize(
    ("oid", "raw", "text"),
    [
        (16, b"\1", "t"),
        (16, b"\0", "f"),
        (20, struct.pack("!q", -5), "-5"),
        (21, struct.pack("!h", 7), "7"),
        (26, b"\xff\xff\xff\xff", "4294967295"),
        (25, "药".encode(), "药"),
        (17, b"\0\xff", "\\x00ff"),
        (701, struct.pack("!d", 1.5), "1.5"),
        (1082, struct.pack("!i", 9802), "2026-11-02"),
        (1114, struct.pack("!q", 1_000_000), "2000-01-01 00:00:01"),
        (1184, struct.pack("!q", 0), "2000-01-01 00:00:00+00"),
        (2950, bytes(range(16)), "00010203-0405-0607-0809-0a0b0c0d0e0f"),
        (3802, b"\1{}", "{}"),
        (1007, INT4_ARRAY, "{7,NULL,-8}"),
        (1009, TEXT_ARRAY, '{"a,b","NULL"}'),
        (1700, struct.pack("!HhHHHH", 2, 0, 0x4000, 2, 12, 5000), "-12.50"),
        (1700, struct.pack("!HhHH", 0, 0, 0xC000, 0), "NaN"),
        (23, b"\0", None),
        (1082, b"\x7f\xff\xff\xff", None),
        (99999, b"x", None),
    ],
)
def test_binary_values(oid: int, raw: bytes, text: str | None) -> None:
    assert binary_text(raw, oid, "utf-8") == text


def numeric(value: Decimal) -> bytes:
    """numeric_send, written from its description."""
    sign, _digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    scale = max(0, -exponent)
    whole, _dot, fraction = f"{value.copy_abs():f}".partition(".")
    whole = whole.lstrip("0")
    whole = whole.rjust(-(-len(whole) // 4) * 4, "0")
    fraction = fraction.ljust(-(-len(fraction) // 4) * 4, "0")
    groups = [int((whole + fraction)[n : n + 4]) for n in range(0, len(whole + fraction), 4)]
    weight = len(whole) // 4 - 1
    while groups and groups[0] == 0:
        groups.pop(0)
        weight -= 1
    while groups and groups[-1] == 0:
        groups.pop()
    if not groups:
        weight = 0
    head = struct.pack("!HhHH", len(groups), weight, 0x4000 if sign and groups else 0, scale)
    return head + struct.pack(f"!{len(groups)}H", *groups)


@given(
    st.decimals(allow_nan=False, allow_infinity=False, places=3)
    | st.decimals(-9999, 9999, places=9)
)
def test_numeric_reads_as_it_was_written(value: Decimal) -> None:
    text = binary_text(numeric(value), 1700, "utf-8")
    assert text is not None
    assert Decimal(text) == value


@given(st.integers(-700_000, 2_900_000))
def test_dates(days: int) -> None:
    expected = (date(2000, 1, 1) + timedelta(days=days)).isoformat()
    assert binary_text(struct.pack("!i", days), 1082, "utf-8") == expected


def body(formats: list[int], values: list[bytes | None]) -> bytes:
    parts = b"".join(
        struct.pack("!i", -1) if v is None else struct.pack("!i", len(v)) + v for v in values
    )
    head = struct.pack(f"!H{len(formats)}hH", len(formats), *formats, len(values))
    return head + parts + b"\0\0"


def test_formats_none_one_and_each() -> None:
    values: list[bytes | None] = [b"a", None, b"\0\0\0\7"]
    assert bound_values(body([], values), 0, (), "utf-8")[0] == ("a", None, "\0\0\0\7")
    found = bound_values(body([0, 0, 1], values), 0, (25, 25, 23), "utf-8")
    assert found == (("a", None, "7"), (), True)
    with pytest.raises(ValueError, match="2 parameter formats for 3 parameters"):
        bound_values(body([0, 1], values), 0, (), "utf-8")


def test_unknown_binary_values_are_named_as_guessed() -> None:
    values: list[bytes | None] = ["药".encode(), b"\0\0\0\7", b"\0\1\2"]
    found = bound_values(body([1], values), 0, (), "utf-8")
    assert found == (("药", "7", "\\x000102"), (0, 1, 2), True)


@given(st.binary(max_size=60), st.lists(st.sampled_from([0, 16, 23, 25, 1007, 1700]), max_size=4))
def test_nothing_but_its_own_error(raw: bytes, oids: list[int]) -> None:
    try:
        bound_values(raw, 0, tuple(oids), "gbk")
    except ValueError as error:
        assert "parameter" in str(error)


@given(
    st.binary(max_size=80), st.sampled_from([16, 17, 700, 701, 1007, 1015, 1082, 1114, 1700, 2950])
)
def test_any_bytes_for_any_type(raw: bytes, oid: int) -> None:
    found = binary_text(raw, oid, "utf-8")
    assert found is None or isinstance(found, str)
