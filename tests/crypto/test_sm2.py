"""SM2 by the example of GB/T 32918.5-2017, annex A.2, in both libraries alike."""

import ctypes
import gc
import ssl
import threading
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qingfang.crypto import Sm2Signer, Sm2Verifier, Unavailable, libcrypto, sm2

MESSAGE, PUBLIC, SIGNATURE = sm2.EXAMPLE
SECRET = bytes.fromhex("3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8")


def found(provider: sm2.Provider | None) -> sm2.Provider:
    assert provider is not None
    return provider


@pytest.fixture(params=["libcrypto", "gmssl"], scope="module")
def by(request) -> sm2.Provider:
    if request.param == "gmssl":
        return found(sm2.gmssl_provider())
    if sm2.libcrypto_provider() is None:
        pytest.skip("this OpenSSL was built without SM2")
    return found(sm2.libcrypto_provider())


def test_the_standard_s_example(by: sm2.Provider) -> None:
    verifier = Sm2Verifier(PUBLIC, by=by)
    assert verifier.algorithm == "sm2"
    assert verifier.verify(MESSAGE, SIGNATURE)
    assert not verifier.verify(b"message digesT", SIGNATURE)
    signer = Sm2Signer(SECRET, PUBLIC, by=by)
    assert verifier.verify(MESSAGE, signer.sign(MESSAGE))


def test_the_example_s_own_arithmetic() -> None:
    """The signature follows from the example's k and e: r = e + x₁, s = (k - r·d) / (1 + d)."""
    k = 0x59276E27D506861A16680F3AD9C02DCCEF3CC1FA3CDBE4CE6D54B80DEAC1BC21
    e = 0xF0B43E94BA45ACCAACE692ED534382EB17E6AB5A19CE7B31F4486FDFC0D28640
    x1 = 0x04EBFC718E8D1798620432268E77FEB6415E2EDE0E073C0F4F640ECD2E149A73
    d, n = int.from_bytes(SECRET, "big"), sm2.N
    r = (e + x1) % n
    s = pow(1 + d, -1, n) * (k - r * d) % n
    assert r.to_bytes(32, "big") + s.to_bytes(32, "big") == SIGNATURE


def test_without_its_identity_openssl_refuses_the_example() -> None:
    """Why the identity is always set."""
    library = libcrypto.load()
    if library is None or sm2.libcrypto_provider() is None:
        pytest.skip("this OpenSSL was built without SM2")
    encoded, signature = sm2.spki(PUBLIC), sm2.to_der(SIGNATURE)

    def answer(identity: bytes | None) -> int:
        data = ctypes.c_char_p(encoded)
        key = library.d2i_PUBKEY(None, ctypes.byref(data), len(encoded))
        context, operation = library.EVP_MD_CTX_new(), ctypes.c_void_p()
        assert (
            library.EVP_DigestVerifyInit_ex(
                context, ctypes.byref(operation), b"SM3", None, None, key, None
            )
            == 1
        )
        if identity is not None:
            assert library.EVP_PKEY_CTX_set1_id(operation, identity, len(identity)) == 1
        got = library.EVP_DigestVerify(context, signature, len(signature), MESSAGE, len(MESSAGE))
        library.EVP_MD_CTX_free(context)
        library.EVP_PKEY_free(key)
        library.ERR_clear_error()
        return got

    assert answer(sm2.ID) == 1
    assert answer(None) != 1
    assert answer(b"ALICE123@YAHOO.COM") != 1


def test_both_libraries_accept_each_other() -> None:
    one, other = sm2.libcrypto_provider(), found(sm2.gmssl_provider())
    if one is None:
        pytest.skip("this OpenSSL was built without SM2")
    for signing, checking in ((one, other), (other, one)):
        signer = Sm2Signer.generate(by=signing)
        for size in (0, 1, 63, 64, 5000):
            data = bytes(range(256)) * 20
            assert Sm2Verifier(signer.public, by=checking).verify(
                data[:size], signer.sign(data[:size])
            )


@given(bit=st.integers(0, 511), at=st.integers(0, 13))
def test_a_changed_signature_or_message_is_refused(bit: int, at: int) -> None:
    verifier = Sm2Verifier(PUBLIC)
    signature = bytearray(SIGNATURE)
    signature[bit // 8] ^= 1 << bit % 8
    assert verifier.verify(MESSAGE, bytes(signature)) is False
    message = bytearray(MESSAGE)
    message[at] ^= 1
    assert verifier.verify(bytes(message), SIGNATURE) is False


ORDER = sm2.N.to_bytes(32, "big")


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        SIGNATURE[:63],
        SIGNATURE + b"\0",
        bytes(64),
        bytes(32) + SIGNATURE[32:],
        SIGNATURE[:32] + bytes(32),
        ORDER + SIGNATURE[32:],
        SIGNATURE[:32] + ORDER,
        b"\xff" * 64,
        sm2.to_der(SIGNATURE),
        # r + s = n: the standard's t = 0
        SIGNATURE[:32] + (sm2.N - int.from_bytes(SIGNATURE[:32], "big")).to_bytes(32, "big"),
    ],
)
def test_what_is_no_signature(by: sm2.Provider, signature: bytes) -> None:
    assert Sm2Verifier(PUBLIC, by=by).verify(MESSAGE, signature) is False


@pytest.mark.parametrize(
    "public",
    [
        b"",
        PUBLIC[1:],
        PUBLIC[:64],
        b"\x05" + PUBLIC[1:],
        PUBLIC[:64] + bytes([PUBLIC[64] ^ 1]),
        b"\x02" + sm2.P.to_bytes(32, "big"),
        b"\x02" + b"\xff" * 32,
        b"\x04" + bytes(64),
        b"\0",
    ],
)
def test_what_is_no_key(public: bytes) -> None:
    with pytest.raises(ValueError):
        Sm2Verifier(public)


def test_an_x_without_a_point() -> None:
    refused = 0
    for x in range(1, 40):
        try:
            sm2.point(b"\x02" + x.to_bytes(32, "big"))
        except ValueError:
            refused += 1
    assert 5 < refused < 35  # half of all x have none


@pytest.mark.parametrize("secret", [b"", SECRET[1:], bytes(32), (sm2.N - 1).to_bytes(32, "big")])
def test_what_is_no_private_key(secret: bytes) -> None:
    with pytest.raises(ValueError):
        Sm2Signer(secret, PUBLIC)


def test_halves_of_two_keys(by: sm2.Provider) -> None:
    with pytest.raises(ValueError, match="belong together"):
        Sm2Signer(SECRET, Sm2Signer.generate(by=by).public, by=by)


def test_a_compressed_key_is_the_same_key(by: sm2.Provider) -> None:
    compressed = bytes([2 + (PUBLIC[64] & 1)]) + PUBLIC[1:33]
    verifier = Sm2Verifier(compressed, by=by)
    assert verifier.public == PUBLIC
    assert verifier.verify(MESSAGE, SIGNATURE)
    other = Sm2Verifier(bytes([3 - (PUBLIC[64] & 1)]) + PUBLIC[1:33], by=by)
    assert not other.verify(MESSAGE, SIGNATURE)


@given(st.integers(1, sm2.N - 1), st.integers(1, sm2.N - 1))
def test_der_both_ways(r: int, s: int) -> None:
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    encoded = sm2.to_der(signature)
    assert sm2.from_der(encoded) == signature
    for broken in (encoded + b"\0", encoded[:-1], b"\x31" + encoded[1:]):
        with pytest.raises(ValueError):
            sm2.from_der(broken)


def test_encodings_of_keys() -> None:
    assert sm2.point_of(sm2.spki(PUBLIC)) == PUBLIC
    assert sm2.halves_of(sm2.pkcs8(SECRET, PUBLIC)) == (SECRET, PUBLIC)
    with pytest.raises(ValueError):
        sm2.halves_of(sm2.pkcs8(SECRET, None))
    with pytest.raises(ValueError):
        sm2.halves_of(sm2.spki(PUBLIC))
    nist = bytes.fromhex("2a8648ce3d030107")  # prime256v1
    with pytest.raises(ValueError):
        sm2.point_of(sm2.spki(PUBLIC).replace(bytes.fromhex("2a811ccf5501822d"), nist))


def test_openssl_s_errors_do_not_stay_behind() -> None:
    """A leftover in the queue would become the next TLS error of this thread."""
    library = libcrypto.load()
    if library is None:
        pytest.skip("no OpenSSL 3")
    library.ERR_peek_error.restype = ctypes.c_ulong
    verifier = Sm2Verifier(PUBLIC)
    for signature in (bytes(63) + b"\1", b"\1" * 64, SIGNATURE):
        verifier.verify(b"another", signature)
        assert library.ERR_peek_error() == 0
    with pytest.raises(ValueError):
        sm2.LibcryptoKey(library, b"0\x03nonsense", private=True)
    with pytest.raises(ValueError):
        sm2.LibcryptoKey(library, bytes(8), private=False)
    assert library.ERR_peek_error() == 0
    with pytest.raises(ssl.SSLError, match=r"PEM|NO_CERT|no start line"):
        ssl.create_default_context(cadata="nonsense")


def test_threads_share_a_key(by: sm2.Provider) -> None:
    signer = Sm2Signer.generate(by=by)
    wrong: list[bytes] = []

    def work(name: bytes) -> None:
        for at in range(40):
            data = name + bytes([at])
            if not signer.verify(data, signer.sign(data)) or signer.verify(data, SIGNATURE):
                wrong.append(data)

    threads = [threading.Thread(target=work, args=(bytes([at]),)) for at in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_nothing_leaks(by: sm2.Provider) -> None:
    """A context lost at each signature would be some kilobytes each; so would a key."""
    process = psutil.Process()

    def work(rounds: int) -> None:
        for _ in range(rounds):
            signer = Sm2Signer(SECRET, PUBLIC, by=by)
            signer.verify(MESSAGE, signer.sign(MESSAGE))
            signer.verify(b"", SIGNATURE[:32] + SIGNATURE[:32])
            with pytest.raises(ValueError):
                Sm2Verifier(PUBLIC[:-1] + b"\0", by=by)
        gc.collect()

    work(200)  # what the library sets up once
    before = process.memory_info().rss
    work(1000)
    assert process.memory_info().rss - before < 1_000_000


class Wrong:
    """A library that says yes to everything but the truth."""

    def generate(self) -> tuple[bytes, bytes]:
        return SECRET, PUBLIC

    def key(self, public: bytes, secret: bytes | None = None) -> "Wrong":
        return self

    def sign(self, data: bytes, /) -> bytes:
        return sm2.to_der(SIGNATURE)

    def verify(self, data: bytes, signature: bytes, /) -> bool:
        return data != MESSAGE


def test_a_library_that_gets_the_example_wrong_is_not_used(monkeypatch) -> None:
    monkeypatch.setattr(sm2, "LibcryptoProvider", lambda library: Wrong())
    assert sm2.libcrypto_provider() is None
    sm2.provider.cache_clear()
    try:
        assert isinstance(sm2.provider(), sm2.GmsslProvider)  # the next in line
        monkeypatch.setattr(sm2, "gmssl_provider", lambda: None)
        sm2.provider.cache_clear()
        with pytest.raises(Unavailable, match="OpenSSL 3"):
            Sm2Verifier(PUBLIC)
    finally:
        sm2.provider.cache_clear()


def test_a_libcrypto_without_openssl_3_is_passed_over(monkeypatch, tmp_path: Path) -> None:
    text = tmp_path / "libcrypto.so"
    text.write_text("not a library")
    candidates = [str(text), "libc.so.6"]
    monkeypatch.setattr(libcrypto, "_candidates", lambda: iter(candidates))
    libcrypto.load.cache_clear()
    try:
        assert libcrypto.load() is None
        assert sm2.libcrypto_provider() is None
    finally:
        libcrypto.load.cache_clear()
