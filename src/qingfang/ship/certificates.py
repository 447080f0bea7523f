"""Certificates of shippers, doors and witnesses, and the TLS that rests on them.

Rules this module keeps:

1. No authority vouches for anybody: a certificate is self-signed, and known by the SHA-256 of its
   DER form, which a person carried to the other side. It does not expire; taking its fingerprint
   out of the configuration ends it.
2. A client compares the fingerprint before it says anything.
3. A server's OpenSSL must have a client's certificate to check it, so the file is needed too; one
   whose fingerprint is another is refused when the configuration is read.
4. TLS 1.2 at least.
"""

from __future__ import annotations

import datetime
import hmac
import os
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from qingfang.crypto import sha256
from qingfang.language import _

_FOR_EVER: Final = datetime.datetime(9999, 12, 31, 23, 59, 59, tzinfo=datetime.UTC)
"""RFC 5280 4.1.2.5: no well-defined expiration date."""


class Unusable(Exception):
    """A certificate or key file that cannot be used; the text says which and why."""


def create(name: str, certificate: Path, key: Path, now: datetime.datetime) -> str:
    """A new key (ECDSA P-256, mode 0600) and its certificate; its fingerprint. Raises
    FileExistsError: neither file is ever replaced; and OSError."""
    secret = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(secret.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(_FOR_EVER)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(secret, hashes.SHA256())
    )
    if certificate.exists():
        raise FileExistsError(17, os.strerror(17), str(certificate))
    pem = secret.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    _write(key, pem, 0o600)
    _write(certificate, made.public_bytes(serialization.Encoding.PEM), 0o644)
    return fingerprint(made.public_bytes(serialization.Encoding.DER))


def _write(path: Path, data: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def fingerprint(der: bytes) -> str:
    """64 lower-case hexadecimal digits."""
    return sha256(der).hex()


def same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def fingerprint_of(path: Path) -> str:
    """Of a PEM file with one certificate. Raises `Unusable`."""
    try:
        made = x509.load_pem_x509_certificate(path.read_bytes())
    except OSError as error:
        raise Unusable(_("{}：读不了（{}）").format(path, error.strerror)) from None
    except ValueError:
        raise Unusable(_("{}：不是 PEM 格式的证书").format(path)) from None
    return fingerprint(made.public_bytes(serialization.Encoding.DER))


def client(certificate: Path, key: Path) -> ssl.SSLContext:
    """For a connection whose other end is then judged by its fingerprint alone. Raises
    `Unusable`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return _with(context, certificate, key)


def server(certificate: Path, key: Path, peers: Sequence[tuple[Path, str]]) -> ssl.SSLContext:
    """Clients may come without a certificate; with one, it is one of `peers` (file, fingerprint)
    or the handshake fails. Raises `Unusable`."""
    context = _with(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), certificate, key)
    context.verify_mode = ssl.CERT_OPTIONAL
    for path, pinned in peers:
        found = fingerprint_of(path)
        if not same(found, pinned):
            raise Unusable(_("{}：证书的指纹是 {}，与配置里写的不同").format(path, found))
        context.load_verify_locations(path)
    return context


def _with(context: ssl.SSLContext, certificate: Path, key: Path) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise Unusable(
            _("{}、{}：证书或私钥不能用（{}）").format(certificate, key, error.strerror or error)
        ) from None
    return context
