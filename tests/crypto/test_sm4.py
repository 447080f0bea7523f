"""SM4 by the examples of GB/T 32907-2016, annex A, and RFC 8998, appendix A.1."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qingfang.crypto import Tampered, sm4

BLOCK = bytes.fromhex("0123456789abcdeffedcba9876543210")  # the standard's text, and its key

KEY = BLOCK
NONCE = bytes.fromhex("00001234567800000000abcd")
ASSOCIATED = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
TEXT = bytes.fromhex(
    "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccdddddddddddddddd"
    "eeeeeeeeeeeeeeeeffffffffffffffffeeeeeeeeeeeeeeeeaaaaaaaaaaaaaaaa"
)
SEALED = bytes.fromhex(
    "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735"
    "d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d"
    "83de3541e4c2b58177e065a9bf7b62ec"
)


def test_one_block() -> None:
    """Chained from the text, a block of zeros is the text encrypted."""
    assert sm4.encrypt_cbc(KEY, BLOCK, bytes(16))[:16].hex() == "681edf34d206965e86b3e94f536e4246"


def test_a_million_times() -> None:
    """Each block of zeros encrypts what came before once more."""
    encrypted = sm4.encrypt_cbc(KEY, BLOCK, bytes(16_000_000))
    assert encrypted[-32:-16].hex() == "595298c7c6fd271f0402f804c33d3f66"


def test_gcm() -> None:
    assert sm4.seal(KEY, NONCE, TEXT, ASSOCIATED) == SEALED
    assert sm4.open(KEY, NONCE, SEALED, ASSOCIATED) == TEXT


def test_gmssl_agrees() -> None:
    import gmssl_pyx

    for size in (1, 15, 16, 17, 64):
        ours = sm4.encrypt_cbc(KEY, BLOCK, TEXT[:size])
        assert ours == gmssl_pyx.sm4_cbc_padding_encrypt(KEY, BLOCK, TEXT[:size])
        text, tag = gmssl_pyx.sm4_gcm_encrypt(KEY, NONCE, ASSOCIATED, TEXT[:size])
        assert sm4.seal(KEY, NONCE, TEXT[:size], ASSOCIATED) == text + tag


@given(st.binary(max_size=300), st.binary(max_size=40))
def test_what_was_sealed_opens(data: bytes, associated: bytes) -> None:
    assert sm4.open(KEY, NONCE, sm4.seal(KEY, NONCE, data, associated), associated) == data
    assert sm4.decrypt_cbc(KEY, BLOCK, sm4.encrypt_cbc(KEY, BLOCK, data)) == data


@pytest.mark.parametrize("bit", range(0, len(SEALED) * 8, 7))
def test_any_changed_bit_is_seen(bit: int) -> None:
    changed = bytearray(SEALED)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Tampered):
        sm4.open(KEY, NONCE, bytes(changed), ASSOCIATED)


def test_everything_else_counts_too() -> None:
    for size in range(len(SEALED)):
        with pytest.raises(Tampered):
            sm4.open(KEY, NONCE, SEALED[:size], ASSOCIATED)
    with pytest.raises(Tampered):
        sm4.open(KEY, NONCE, SEALED, ASSOCIATED[:-1])
    with pytest.raises(Tampered):
        sm4.open(KEY, NONCE[::-1], SEALED, ASSOCIATED)
    with pytest.raises(Tampered):
        sm4.open(KEY[::-1], NONCE, SEALED, ASSOCIATED)


def test_cbc_without_whole_blocks_or_padding() -> None:
    for encrypted in (b"", b"x" * 15, b"x" * 17, sm4.encrypt_cbc(KEY, BLOCK, bytes(32))[:32]):
        with pytest.raises(Tampered):
            sm4.decrypt_cbc(KEY, BLOCK, encrypted)


def test_sizes() -> None:
    for key, nonce in ((KEY[:15], NONCE), (KEY * 2, NONCE), (KEY, NONCE[:11]), (KEY, BLOCK)):
        with pytest.raises(ValueError, match="bytes are wanted"):
            sm4.seal(key, nonce, b"")
        with pytest.raises(ValueError, match="bytes are wanted"):
            sm4.open(key, nonce, SEALED)
    for key, start in ((KEY[:15], BLOCK), (KEY, NONCE)):
        with pytest.raises(ValueError, match="bytes are wanted"):
            sm4.encrypt_cbc(key, start, b"")
        with pytest.raises(ValueError, match="bytes are wanted"):
            sm4.decrypt_cbc(key, start, BLOCK)
