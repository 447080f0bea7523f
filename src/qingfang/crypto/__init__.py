"""Digests, signatures and encryption behind one small interface; knows nothing of who uses it.

Rules this package keeps:

1. Callers name what they need (`sha256`, `sm3`, `sm4.seal`, a `Signer`), never a library.
2. A private key exists in a file of mode 0600 that was created in one piece, or nowhere.
3. Verification answers True or False; only a malformed key (`KeyProblem`, ValueError) or a machine
   that cannot compute it at all (`Unavailable`) raises.
"""

from qingfang.crypto.digests import Hash, sha256, sm3, start
from qingfang.crypto.keyfile import (
    KeyProblem,
    PassphraseProblem,
    create_key,
    load_public,
    load_signer,
    save_public,
)
from qingfang.crypto.signing import Ed25519Signer, Ed25519Verifier, Signer, Verifier
from qingfang.crypto.sm2 import Sm2Signer, Sm2Verifier, Unavailable
from qingfang.crypto.sm4 import Tampered

__all__ = [
    "Ed25519Signer",
    "Ed25519Verifier",
    "Hash",
    "KeyProblem",
    "PassphraseProblem",
    "Signer",
    "Sm2Signer",
    "Sm2Verifier",
    "Tampered",
    "Unavailable",
    "Verifier",
    "create_key",
    "load_public",
    "load_signer",
    "save_public",
    "sha256",
    "sm3",
    "start",
]
