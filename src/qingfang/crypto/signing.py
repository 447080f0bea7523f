"""Signatures: the two protocols a caller sees, and Ed25519 (RFC 8032) behind them.

A key kept in hardware, or another algorithm, is another class with the same three members.
"""

from __future__ import annotations

from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


class Verifier(Protocol):
    """Someone's public half. `public` is the key's raw bytes, `algorithm` its name."""

    @property
    def algorithm(self) -> str: ...
    @property
    def public(self) -> bytes: ...
    def verify(self, data: bytes, signature: bytes, /) -> bool: ...


class Signer(Verifier, Protocol):
    """A key that can sign; it can also check what it signed."""

    def sign(self, data: bytes, /) -> bytes: ...


class Ed25519Verifier:
    """`public` is 32 bytes; raises ValueError otherwise."""

    algorithm = "ed25519"

    def __init__(self, public: bytes) -> None:
        self._key = Ed25519PublicKey.from_public_bytes(public)
        self.public = public

    def verify(self, data: bytes, signature: bytes, /) -> bool:
        try:
            self._key.verify(signature, data)
        except InvalidSignature:
            return False
        return True


class Ed25519Signer(Ed25519Verifier):
    """Signatures are 64 bytes and deterministic."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        super().__init__(private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
        self._private = private

    @classmethod
    def generate(cls) -> Ed25519Signer:
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_seed(cls, seed: bytes) -> Ed25519Signer:
        """The key of a 32-byte seed (the private key of RFC 8032)."""
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    @property
    def private(self) -> Ed25519PrivateKey:
        return self._private

    def sign(self, data: bytes, /) -> bytes:
        return self._private.sign(data)
