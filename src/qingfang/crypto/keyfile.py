"""Keys in files: PKCS #8 and SubjectPublicKeyInfo, both PEM, readable by `openssl pkey`.

Rules this module keeps:

1. A private key file is complete or absent: it is written beside its name, synced, then linked to
   it. An existing file is never replaced: losing a key is worse than having to choose a name.
   On a file system without links (a USB stick) the name is taken first; what a power cut leaves
   there is empty, and refused.
2. It has mode 0600 from its first byte, and one that others may read is refused when loaded.
   Under a passphrase both are asked for where the file system has modes, and missed where not.
3. Under a passphrase, the key is encrypted by PBES2 (RFC 8018): PBKDF2 with HMAC-SHA-256, 600,000
   rounds over 16 random bytes, then AES-256-CBC. Scrypt and the other common parameters are read.
4. A passphrase given for a file without one is refused: someone put another file there.
"""

from __future__ import annotations

import base64
import binascii
import errno
import hashlib
import os
import re
import secrets
import stat
from pathlib import Path
from typing import Final, Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)

from qingfang.crypto import der, sm2
from qingfang.crypto.signing import Ed25519Signer, Ed25519Verifier, Signer, Verifier
from qingfang.crypto.sm2 import Sm2Signer, Sm2Verifier, Unavailable
from qingfang.language import _

Algorithm = Literal["ed25519", "sm2"]

ROUNDS: Final = 600_000


class KeyProblem(Exception):
    """A key file cannot be used; the text names the file and what to do."""


class PassphraseProblem(KeyProblem):
    """A passphrase is missing or wrong: asking again may help."""


def create_key(
    path: Path, algorithm: Algorithm = "ed25519", passphrase: str | None = None
) -> Signer:
    """A fresh key at `path`. Raises `KeyProblem` when the name is taken or cannot be written, for
    an empty passphrase, and for SM2 on a machine without it."""
    if passphrase == "":
        raise KeyProblem(_("{}：口令不能为空").format(path))
    signer: Signer
    if algorithm == "sm2":
        try:
            signer = made = Sm2Signer.generate()
        except Unavailable as error:
            raise KeyProblem(str(error)) from None
        data = sm2.pkcs8(made.secret, made.public)
    else:
        signer = fresh = Ed25519Signer.generate()
        data = fresh.private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    if passphrase is None:
        _create(path, _pem("PRIVATE KEY", data), 0o600, insist=True)
    else:
        sealed = _encrypted(data, passphrase)
        _create(path, _pem("ENCRYPTED PRIVATE KEY", sealed), 0o600, insist=False)
    return signer


def save_public(path: Path, key: Verifier) -> None:
    """The public half, mode 0644. Raises `KeyProblem` as `create_key` does."""
    if key.algorithm == "sm2":
        data = sm2.spki(key.public)
    else:
        loaded = Ed25519PublicKey.from_public_bytes(key.public)
        data = loaded.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    _create(path, _pem("PUBLIC KEY", data), 0o644, insist=False)


def load_signer(path: Path, passphrase: str | None = None) -> Signer:
    """Raises `KeyProblem` for a file that is missing, not a key, or open to others without being
    encrypted; `PassphraseProblem` when the passphrase is missing or not the one."""
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            text = file.read()
    except OSError as error:
        raise KeyProblem(_("{}：读不了私钥（{}）").format(path, error.strerror)) from None
    label, data = _unwrapped(text)
    if label == "ENCRYPTED PRIVATE KEY":
        if passphrase is None:
            raise PassphraseProblem(_("{}：私钥有口令保护，需要输入口令").format(path))
        data = _decrypted(path, data, passphrase)
    elif label != "PRIVATE KEY":
        raise KeyProblem(_("{}：不是 PEM 私钥（PKCS #8）").format(path))
    elif mode & 0o077:
        raise KeyProblem(_("{}：别的用户也能读这把私钥。执行 chmod 600 并考虑换钥。").format(path))
    elif passphrase is not None:
        raise KeyProblem(_("{}：这把私钥没有口令保护，不是原来那个文件？").format(path))
    try:
        return _signer(data)
    except Unavailable as error:
        raise KeyProblem(str(error)) from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyProblem(_("{}：不是完好的 Ed25519 或 SM2 私钥").format(path)) from None


def load_public(path: Path) -> Verifier:
    """Raises `KeyProblem` for a file that is missing or no public key of ours."""
    try:
        label, data = _unwrapped(path.read_bytes())
    except OSError as error:
        raise KeyProblem(_("{}：读不了公钥（{}）").format(path, error.strerror)) from None
    if label != "PUBLIC KEY":
        raise KeyProblem(_("{}：不是 PEM 公钥").format(path))
    try:
        if sm2.ALGORITHM in data:
            return Sm2Verifier(sm2.point_of(data))
        key = load_der_public_key(data)
    except Unavailable as error:
        raise KeyProblem(str(error)) from None
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise KeyProblem(_("{}：不是 Ed25519 或 SM2 公钥").format(path))
    return Ed25519Verifier(key.public_bytes(Encoding.Raw, PublicFormat.Raw))


def _signer(data: bytes) -> Signer:
    """The key in a PrivateKeyInfo. Raises ValueError, TypeError, UnsupportedAlgorithm."""
    if sm2.ALGORITHM in data:
        return Sm2Signer(*sm2.halves_of(data))
    key = load_der_private_key(data, None)
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError("another algorithm")
    return Ed25519Signer(key)


_PEM = re.compile(
    rb"\s*-----BEGIN ([A-Z0-9 ]+)-----\s+([A-Za-z0-9+/=\s]+)-----END \1-----\s*", re.ASCII
)


def _pem(label: str, data: bytes) -> bytes:
    """RFC 7468."""
    text = base64.b64encode(data).decode()
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "\n".join((f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", "")).encode()


def _unwrapped(text: bytes) -> tuple[str, bytes]:
    """Label and content; an empty label for anything but one PEM block."""
    found = _PEM.fullmatch(text)
    if found is None:
        return "", b""
    try:
        return found[1].decode(), base64.b64decode(b"".join(found[2].split()), validate=True)
    except binascii.Error:
        return "", b""


_PBES2: Final = der.write_object("1.2.840.113549.1.5.13")
_PBKDF2: Final = der.write_object("1.2.840.113549.1.5.12")
_SCRYPT: Final = der.write_object("1.3.6.1.4.1.11591.4.11")
_AES: Final = {
    der.write_object(f"2.16.840.1.101.3.4.1.{arc}"): size
    for arc, size in ((2, 16), (22, 24), (42, 32))
}
_HMAC: Final = {
    der.write_object(f"1.2.840.113549.2.{arc}"): name
    for arc, name in ((7, "sha1"), (8, "sha224"), (9, "sha256"), (10, "sha384"), (11, "sha512"))
}
_AES256: Final = next(name for name, size in _AES.items() if size == 32)
_SHA256: Final = next(name for name, hashed in _HMAC.items() if hashed == "sha256")
_ROUNDS_LIMIT: Final = 100_000_000
_MEMORY_LIMIT: Final = 1 << 30


class _Unread(Exception):
    """An encryption that is not read here."""


def _encrypted(data: bytes, passphrase: str) -> bytes:
    """EncryptedPrivateKeyInfo (RFC 5208, section 6) by rule 3."""
    salt, start = secrets.token_bytes(16), secrets.token_bytes(16)
    key = hashlib.pbkdf2_hmac("sha256", passphrase.encode(), salt, ROUNDS, 32)
    padding = PKCS7(128).padder()
    working = Cipher(AES(key), CBC(start)).encryptor()
    text = working.update(padding.update(data) + padding.finalize()) + working.finalize()
    hashed = der.write(der.SEQUENCE, _SHA256, der.write(der.NULL))
    drawn = der.write(
        der.SEQUENCE, der.write(der.OCTET_STRING, salt), der.write_integer(ROUNDS), hashed
    )
    derived = der.write(der.SEQUENCE, _PBKDF2, drawn)
    cipher = der.write(der.SEQUENCE, _AES256, der.write(der.OCTET_STRING, start))
    scheme = der.write(der.SEQUENCE, _PBES2, der.write(der.SEQUENCE, derived, cipher))
    return der.write(der.SEQUENCE, scheme, der.write(der.OCTET_STRING, text))


def _decrypted(path: Path, data: bytes, passphrase: str) -> bytes:
    """The PrivateKeyInfo inside."""
    wrong = PassphraseProblem(_("{}：口令不对").format(path))
    try:
        key, start, text = _opened(data, passphrase)
    except (_Unread, ValueError):
        raise KeyProblem(
            _(
                "{}：私钥的加密方式读不了。用 openssl pkcs8 -topk8 -v2 aes-256-cbc "
                "-v2prf hmacWithSHA256 -iter 600000 转换。"
            ).format(path)
        ) from None
    try:
        working = Cipher(AES(key), CBC(start)).decryptor()
        padding = PKCS7(128).unpadder()
        found = padding.update(working.update(text) + working.finalize()) + padding.finalize()
        # One wrong passphrase in 256 leaves something that looks padded: it is no sequence then.
        whole = der.Reader(found)
        whole.inside().integer()
        whole.end()
    except ValueError:
        raise wrong from None
    return found


def _opened(data: bytes, passphrase: str) -> tuple[bytes, bytes, bytes]:
    """Key, start of the chain and encrypted text. Raises `_Unread`, ValueError."""
    whole = der.Reader(data)
    info = whole.inside()
    whole.end()
    scheme, text = info.inside(), info.read(der.OCTET_STRING)
    info.end()
    if _name(scheme) != _PBES2:
        raise _Unread
    both = scheme.inside()
    derived, cipher = both.inside(), both.inside()
    size = _AES.get(_name(cipher))
    start = cipher.read(der.OCTET_STRING)
    if size is None or len(start) != 16:
        raise _Unread
    function, drawn = _name(derived), derived.inside()
    salt, cost = drawn.read(der.OCTET_STRING), drawn.integer()
    secret = passphrase.encode()
    if function == _PBKDF2:
        if drawn.tag == der.INTEGER and drawn.integer() != size:
            raise _Unread
        hashed = "sha1" if drawn.tag < 0 else _HMAC.get(_name(drawn.inside()))
        if hashed is None or not 1 <= cost <= _ROUNDS_LIMIT:
            raise _Unread
        return hashlib.pbkdf2_hmac(hashed, secret, salt, cost, size), start, text
    if function != _SCRYPT:
        raise _Unread
    block, parallel = drawn.integer(), drawn.integer()
    if 128 * cost * block * max(parallel, 1) > _MEMORY_LIMIT:
        raise _Unread
    key = hashlib.scrypt(
        secret, salt=salt, n=cost, r=block, p=parallel, maxmem=2 * _MEMORY_LIMIT - 1, dklen=size
    )
    return key, start, text


def _name(reader: der.Reader) -> bytes:
    return der.write(der.OBJECT, reader.read(der.OBJECT))


def _create(path: Path, data: bytes, mode: int, *, insist: bool) -> None:
    """`insist` on the mode: without it the file system may have none."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                _set_mode(file.fileno(), mode, insist)
                os.fsync(file.fileno())
            _give_name(beside, path)
        finally:
            beside.unlink(missing_ok=True)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except FileExistsError:
        raise KeyProblem(_("{}：已经存在，不会覆盖。换一个名字或先移走它。").format(path)) from None
    except OSError as error:
        raise KeyProblem(_("{}：写不了密钥（{}）").format(path, error.strerror)) from None


def _set_mode(descriptor: int, mode: int, insist: bool) -> None:
    try:
        os.fchmod(descriptor, mode)
    except PermissionError:
        if insist:
            raise


_NO_LINKS: Final = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS)  # FAT, network and FUSE say so


def _give_name(beside: Path, path: Path) -> None:
    try:
        os.link(beside, path)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        try:
            beside.replace(path)
        except OSError:
            path.unlink(missing_ok=True)
            raise
