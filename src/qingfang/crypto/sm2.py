"""SM2 signatures with SM3: GB/T 32918.2-2016 on the curve of GB/T 32918.5-2017.

Rules this module keeps:

1. The signer's identity is `1234567812345678` (GM/T 0009-2012, section 10) and is always set: with
   OpenSSL's own default, the empty one, no signature of another implementation passes.
2. A signature here is r ‖ s, 64 bytes, each 1 … n-1; the libraries' DER stays inside.
3. Whatever a library answers but a plain yes is False; one that cannot even begin raises
   `Unavailable`. Nothing it left in OpenSSL's error queue remains there, where the interpreter's
   TLS would find it.
4. A library is used only after it passed the standard's published example in this process.
5. A signer's two halves belong together: it signed and verified once before anyone has it.

The work is done by OpenSSL 3 (`libcrypto`), or by GmSSL (the package `gmssl_pyx`) where OpenSSL was
built without SM2. Both may be used from several threads at once.
"""

from __future__ import annotations

import ctypes
import importlib
import secrets
import weakref
from functools import lru_cache
from typing import Any, Final, Protocol

from qingfang.crypto import der, libcrypto
from qingfang.language import _

ID: Final = b"1234567812345678"

# y² = x³ + ax + b over the field of P, base point G of order N (GB/T 32918.5-2017, section 2).
P: Final = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
A: Final = P - 3
B: Final = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
G: Final = (
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)
N: Final = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123

_EC: Final = der.write_object("1.2.840.10045.2.1")
_CURVE: Final = der.write_object("1.2.156.10197.1.301")
ALGORITHM: Final = der.write(der.SEQUENCE, _EC, _CURVE)
"""The AlgorithmIdentifier of an SM2 key (GM/T 0006-2012): an elliptic-curve key on this curve."""

_UNCOMPRESSED: Final = 4


class Unavailable(Exception):
    """This machine has no working SM2; the text says what to install."""


class Key(Protocol):
    """A key inside a library. Signatures are DER."""

    def sign(self, data: bytes, /) -> bytes: ...
    def verify(self, data: bytes, signature: bytes, /) -> bool: ...


class Provider(Protocol):
    """A library that knows SM2. Secrets are 32 bytes, points 65."""

    def generate(self) -> tuple[bytes, bytes]:
        """A fresh secret and its point."""
        ...

    def key(self, public: bytes, secret: bytes | None = None) -> Key:
        """Raises ValueError for what is not a key."""
        ...


class LibcryptoKey:
    """An EVP_PKEY, freed with this object. A signature has a context of its own: threads share
    the key, which OpenSSL only reads."""

    def __init__(self, library: ctypes.CDLL, encoded: bytes, private: bool) -> None:
        self._library = library
        data = ctypes.c_char_p(encoded)
        read = library.d2i_AutoPrivateKey if private else library.d2i_PUBKEY
        self._key: int | None = read(None, ctypes.byref(data), len(encoded))
        known = self._key and library.EVP_PKEY_is_a(self._key, b"SM2") == 1
        library.ERR_clear_error()
        if self._key:
            weakref.finalize(self, library.EVP_PKEY_free, self._key)
        if not known:
            raise ValueError("OpenSSL does not take it for an SM2 key")

    def point(self) -> bytes:
        """65 bytes."""
        size: int = self._library.i2d_PUBKEY(self._key, None)
        buffer = ctypes.create_string_buffer(max(size, 1))
        end = ctypes.c_void_p(ctypes.addressof(buffer))
        if size <= 0 or self._library.i2d_PUBKEY(self._key, ctypes.byref(end)) != size:
            self._library.ERR_clear_error()
            raise _failed("i2d_PUBKEY")
        return point_of(buffer.raw[:size])

    def sign(self, data: bytes, /) -> bytes:
        library = self._library
        context = self._begin(library.EVP_DigestSignInit_ex)
        try:
            buffer = ctypes.create_string_buffer(128)
            size = ctypes.c_size_t(len(buffer))
            done = library.EVP_DigestSign(context, buffer, ctypes.byref(size), data, len(data))
        finally:
            library.EVP_MD_CTX_free(context)
            library.ERR_clear_error()
        if done != 1:
            raise _failed("EVP_DigestSign")
        return buffer.raw[: size.value]

    def verify(self, data: bytes, signature: bytes, /) -> bool:
        library = self._library
        context = self._begin(library.EVP_DigestVerifyInit_ex)
        try:
            # 1 is yes, 0 is no, below zero is a failure: not a yes either.
            return (
                library.EVP_DigestVerify(context, signature, len(signature), data, len(data)) == 1
            )
        finally:
            library.EVP_MD_CTX_free(context)
            library.ERR_clear_error()

    def _begin(self, begin: Any) -> int:
        library = self._library
        context = library.EVP_MD_CTX_new()
        operation = ctypes.c_void_p()  # belongs to the context
        if (
            context
            and begin(context, ctypes.byref(operation), b"SM3", None, None, self._key, None) == 1
            and library.EVP_PKEY_CTX_set1_id(operation, ID, len(ID)) == 1
        ):
            return context
        library.EVP_MD_CTX_free(context)  # None is allowed
        library.ERR_clear_error()
        raise _failed("EVP_DigestSignInit_ex")


class LibcryptoProvider:
    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library

    def generate(self) -> tuple[bytes, bytes]:
        # 1 … n-2, section 6.1 of GB/T 32918.1. OpenSSL works out the point of a key without one.
        secret = (secrets.randbelow(N - 2) + 1).to_bytes(32, "big")
        return secret, LibcryptoKey(self._library, pkcs8(secret, None), private=True).point()

    def key(self, public: bytes, secret: bytes | None = None) -> LibcryptoKey:
        if secret is None:
            return LibcryptoKey(self._library, spki(public), private=False)
        return LibcryptoKey(self._library, pkcs8(secret, public), private=True)


class GmsslKey:
    def __init__(self, module: Any, public: bytes, secret: bytes | None) -> None:
        self._module, self._public, self._secret = module, public[1:], secret

    def sign(self, data: bytes, /) -> bytes:
        try:
            return self._module.sm2_sign(self._secret, self._public, data, signer_id=ID)
        except self._module.GmsslInnerError as error:
            raise _failed(f"sm2_sign: {error}") from None

    def verify(self, data: bytes, signature: bytes, /) -> bool:
        try:
            answer = self._module.sm2_verify(self._public, data, signature, signer_id=ID)
        except self._module.GmsslInnerError:
            return False
        return answer is True


class GmsslProvider:
    """GmSSL by `gmssl_pyx`. It writes a line to stderr for every signature it refuses."""

    def __init__(self, module: Any) -> None:
        self._module = module

    def generate(self) -> tuple[bytes, bytes]:
        public, secret = self._module.sm2_key_generate()
        return secret, bytes((_UNCOMPRESSED,)) + public

    def key(self, public: bytes, secret: bytes | None = None) -> GmsslKey:
        return GmsslKey(self._module, public, secret)


def libcrypto_provider() -> LibcryptoProvider | None:
    """None where OpenSSL is missing, too old, built without SM2, or gets the example wrong."""
    library = libcrypto.load()
    provider = None if library is None else LibcryptoProvider(library)
    return provider if provider is not None and _passes(provider) else None


def gmssl_provider() -> GmsslProvider | None:
    """None where the package is missing or gets the example wrong."""
    try:
        module = importlib.import_module("gmssl_pyx")
    except ImportError:
        return None
    provider = GmsslProvider(module)
    return provider if _passes(provider) else None


@lru_cache(maxsize=1)
def provider() -> Provider:
    """The library in use. Raises `Unavailable`."""
    found = libcrypto_provider() or gmssl_provider()
    if found is None:
        raise Unavailable(
            _("本机没有可用的 SM2：安装带 SM2 的 OpenSSL 3，或执行 pip install 'qingfang[gmssl]'")
        )
    return found


# GB/T 32918.5-2017, annex A.2: message, public key, signature.
EXAMPLE: Final = (
    b"message digest",
    bytes.fromhex(
        "0409f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"
        "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"
    ),
    bytes.fromhex(
        "f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3"
        "b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa"
    ),
)


def _passes(tried: Provider) -> bool:
    message, public, signature = EXAMPLE
    try:
        return tried.key(public).verify(message, to_der(signature))
    except (ValueError, Unavailable):
        return False


def _failed(step: str) -> Unavailable:
    return Unavailable(_("SM2 计算失败（{}）：内存不足，或加密库安装有问题").format(step))


class Sm2Verifier:
    """`public` is given as 65 bytes (04 ‖ X ‖ Y) or 33 (02 or 03 ‖ X) and kept as 65. Raises
    ValueError for what is not a point of the curve, `Unavailable` where no library knows SM2."""

    algorithm = "sm2"

    def __init__(self, public: bytes, *, by: Provider | None = None) -> None:
        self.public = point(public)
        self._verifying = (by or provider()).key(self.public)

    def verify(self, data: bytes, signature: bytes, /) -> bool:
        """Whether these 64 bytes are the key's signature of the data."""
        try:
            encoded = to_der(signature)
        except ValueError:
            return False
        return self._verifying.verify(data, encoded)


class Sm2Signer(Sm2Verifier):
    """`secret` is 32 bytes, 1 … n-2. Signatures are 64 bytes, and another each time. Raises as
    `Sm2Verifier` does, ValueError also when `public` is another key's."""

    def __init__(self, secret: bytes, public: bytes, *, by: Provider | None = None) -> None:
        used = by or provider()
        super().__init__(public, by=used)
        if len(secret) != 32 or not 1 <= int.from_bytes(secret, "big") <= N - 2:
            raise ValueError("an SM2 private key is 32 bytes, 1 … n-2")
        self.secret = secret
        self._signing = used.key(self.public, secret)
        if not self.verify(ID, self.sign(ID)):
            raise ValueError("the private key and the public key do not belong together")

    @classmethod
    def generate(cls, *, by: Provider | None = None) -> Sm2Signer:
        """A fresh key."""
        used = by or provider()
        secret, public = used.generate()
        return cls(secret, public, by=used)

    def sign(self, data: bytes, /) -> bytes:
        """64 bytes. Raises `Unavailable` when the library fails."""
        return from_der(self._signing.sign(data))


def point(public: bytes) -> bytes:
    """The 65-byte form of a public key. Raises ValueError for what is not a point of the curve."""
    x = int.from_bytes(public[1:33], "big")
    square = (pow(x, 3, P) + A * x + B) % P
    if len(public) == 65 and public[0] == _UNCOMPRESSED:
        y = int.from_bytes(public[33:], "big")
    elif len(public) == 33 and public[0] in (2, 3):
        y = pow(square, (P + 1) // 4, P)  # P is 3 mod 4
        if y & 1 != public[0] & 1:
            y = P - y
    else:
        raise ValueError("an SM2 public key is 65 bytes that begin with 04, or 33 with 02 or 03")
    if x >= P or y >= P or y * y % P != square:
        raise ValueError("not a point of the SM2 curve")
    return bytes((_UNCOMPRESSED,)) + x.to_bytes(32, "big") + y.to_bytes(32, "big")


def to_der(signature: bytes) -> bytes:
    """r ‖ s as libraries want it. Raises ValueError unless both are 1 … n-1 in 32 bytes."""
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if len(signature) != 64 or not 1 <= r < N or not 1 <= s < N:
        raise ValueError("an SM2 signature is 64 bytes, r and s each 1 … n-1")
    return der.write(der.SEQUENCE, der.write_integer(r), der.write_integer(s))


def from_der(encoded: bytes) -> bytes:
    """The way back (GM/T 0009-2012, section 7.3). Raises ValueError for any other encoding."""
    whole = der.Reader(encoded)
    both = whole.inside()
    r, s = both.integer(), both.integer()
    both.end()
    whole.end()
    if not 1 <= r < N or not 1 <= s < N:
        raise ValueError("an SM2 signature has r and s each 1 … n-1")
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def spki(public: bytes) -> bytes:
    """SubjectPublicKeyInfo (RFC 5480) of a point."""
    return der.write(der.SEQUENCE, ALGORITHM, der.write(der.BIT_STRING, b"\0", public))


def point_of(encoded: bytes) -> bytes:
    """The 65 bytes in a SubjectPublicKeyInfo. Raises ValueError for any other key."""
    whole = der.Reader(encoded)
    key = whole.inside()
    whole.end()
    if der.write(der.SEQUENCE, key.read(der.SEQUENCE)) != ALGORITHM:
        raise ValueError("not an SM2 key")
    found = key.bits()
    key.end()
    return point(found)


def pkcs8(secret: bytes, public: bytes | None) -> bytes:
    """PrivateKeyInfo (RFC 5208) around an ECPrivateKey (RFC 5915)."""
    half = (
        b"" if public is None else der.write(0xA1, der.write(der.BIT_STRING, b"\0", public))
    )  # [1] publicKey
    key = der.write(der.SEQUENCE, der.write_integer(1), der.write(der.OCTET_STRING, secret), half)
    return der.write(
        der.SEQUENCE, der.write_integer(0), ALGORITHM, der.write(der.OCTET_STRING, key)
    )


def halves_of(encoded: bytes) -> tuple[bytes, bytes]:
    """The secret and the point in a PrivateKeyInfo. Raises ValueError for any other key, and for
    one without its public half."""
    whole = der.Reader(encoded)
    info = whole.inside()
    whole.end()
    if info.integer() != 0 or der.write(der.SEQUENCE, info.read(der.SEQUENCE)) != ALGORITHM:
        raise ValueError("not an SM2 key")
    key = der.Reader(info.read(der.OCTET_STRING)).inside()
    if key.integer() != 1:
        raise ValueError("not an ECPrivateKey")
    secret = key.read(der.OCTET_STRING)
    if key.tag == 0xA0 and key.read(0xA0) != _CURVE:  # [0] parameters, already said outside
        raise ValueError("not an SM2 key")
    half = key.inside(0xA1)
    public = half.bits()
    half.end()
    key.end()
    return secret, point(public)
