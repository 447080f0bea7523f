"""Keys in files: PKCS #8 and SubjectPublicKeyInfo, both PEM, readable by any other tool.

Rules this module keeps:

1. A private key file is complete or absent: it is written beside its name, synced, then linked to
   it. An existing file is never replaced: losing a key is worse than having to choose a name.
2. It has mode 0600 from its first byte, and one that others may read is refused when loaded.
"""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from qingfang.crypto.signing import Ed25519Signer, Ed25519Verifier
from qingfang.language import _


class KeyProblem(Exception):
    """A key file cannot be used; the text names the file and what to do."""


def create_key(path: Path) -> Ed25519Signer:
    """A fresh key at `path`. Raises `KeyProblem` when the name is taken or cannot be written."""
    signer = Ed25519Signer.generate()
    pem = signer.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    _create(path, pem, 0o600)
    return signer


def save_public(path: Path, key: Ed25519Verifier) -> None:
    """The public half, mode 0644. Raises `KeyProblem` as `create_key` does."""
    loaded = Ed25519PublicKey.from_public_bytes(key.public)
    _create(path, loaded.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), 0o644)


def load_signer(path: Path) -> Ed25519Signer:
    """Raises `KeyProblem` for a file that is missing, not a key, or open to others."""
    try:
        with path.open("rb") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise KeyProblem(
                    _("{}：别的用户也能读这把私钥。执行 chmod 600 并考虑换钥。").format(path)
                )
            data = file.read()
        key = load_pem_private_key(data, None)
    except OSError as error:
        raise KeyProblem(_("{}：读不了私钥（{}）").format(path, error.strerror)) from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyProblem(_("{}：不是未加密的 PEM 私钥").format(path)) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyProblem(_("{}：不是 Ed25519 私钥").format(path))
    return Ed25519Signer(key)


def load_public(path: Path) -> Ed25519Verifier:
    """Raises `KeyProblem` for a file that is missing or not an Ed25519 public key."""
    try:
        key = load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise KeyProblem(_("{}：读不了公钥（{}）").format(path, error.strerror)) from None
    except (ValueError, UnsupportedAlgorithm):
        raise KeyProblem(_("{}：不是 PEM 公钥").format(path)) from None
    if not isinstance(key, Ed25519PublicKey):
        raise KeyProblem(_("{}：不是 Ed25519 公钥").format(path))
    return Ed25519Verifier(key.public_bytes(Encoding.Raw, PublicFormat.Raw))


def _create(path: Path, data: bytes, mode: int) -> None:
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fchmod(file.fileno(), mode)
                os.fsync(file.fileno())
            os.link(beside, path)
        finally:
            beside.unlink()
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except FileExistsError:
        raise KeyProblem(_("{}：已经存在，不会覆盖。换一个名字或先移走它。").format(path)) from None
    except OSError as error:
        raise KeyProblem(_("{}：写不了密钥（{}）").format(path, error.strerror)) from None
