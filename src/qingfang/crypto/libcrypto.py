"""OpenSSL's libcrypto by ctypes, for what no Python package offers: SM2.

Rules this module keeps:

1. The library taken is the one this interpreter's own `hashlib` is linked to (symbols are looked up
   through that extension module, so the system's updates reach both at once); only an interpreter
   that carries its OpenSSL inside falls back to the system's libcrypto.
2. Only OpenSSL 3.0 or later counts: LibreSSL, AWS-LC and older releases are passed over.
3. Every function has its argument types: a pointer is never cut to 32 bits.
"""

from __future__ import annotations

import _hashlib
import ctypes
import ctypes.util
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

_OLDEST: Final = 0x30000000

_pointer, _number, _size = ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t
_bytes, _length = ctypes.c_char_p, ctypes.POINTER(ctypes.c_size_t)
_TYPES: Final[dict[str, tuple[Any, list[Any]]]] = {
    "OpenSSL_version_num": (ctypes.c_ulong, []),
    "ERR_clear_error": (None, []),
    "d2i_PUBKEY": (_pointer, [_pointer, ctypes.POINTER(_bytes), ctypes.c_long]),
    "d2i_AutoPrivateKey": (_pointer, [_pointer, ctypes.POINTER(_bytes), ctypes.c_long]),
    "i2d_PUBKEY": (_number, [_pointer, ctypes.POINTER(ctypes.c_void_p)]),
    "EVP_PKEY_is_a": (_number, [_pointer, _bytes]),
    "EVP_PKEY_free": (None, [_pointer]),
    "EVP_MD_CTX_new": (_pointer, []),
    "EVP_MD_CTX_free": (None, [_pointer]),
    "EVP_PKEY_CTX_set1_id": (_number, [_pointer, _bytes, _size]),
    **dict.fromkeys(
        ("EVP_DigestSignInit_ex", "EVP_DigestVerifyInit_ex"),
        (
            _number,
            [_pointer, ctypes.POINTER(_pointer), _bytes, _pointer, _bytes, _pointer, _pointer],
        ),
    ),
    "EVP_DigestSign": (_number, [_pointer, _pointer, _length, _bytes, _size]),
    "EVP_DigestVerify": (_number, [_pointer, _bytes, _size, _bytes, _size]),
}


@lru_cache(maxsize=1)
def load() -> ctypes.CDLL | None:
    """The library with its functions typed, or None where there is no OpenSSL 3."""
    for name in _candidates():
        try:
            library = ctypes.CDLL(name)
            for function, (result, arguments) in _TYPES.items():
                entry = getattr(library, function)
                entry.restype, entry.argtypes = result, arguments
        except (OSError, AttributeError):
            continue
        if library.OpenSSL_version_num() >= _OLDEST:
            return library
    return None


def _candidates() -> Iterator[str]:
    linked = getattr(_hashlib, "__file__", None)
    if linked is not None:
        yield linked
    system = ctypes.util.find_library("crypto")
    if system is not None:
        yield system
