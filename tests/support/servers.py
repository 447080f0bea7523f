"""Little real servers for what leaves the house: SMTP, HTTP, syslog; and certificates for them."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime
import email
import email.policy
import ipaddress
import ssl
from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


class Certificate:
    """Self-signed, for 127.0.0.1; `authority` is the file a client trusts."""

    def __init__(self, folder: Path) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "合成测试")])
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
                False,
            )
            .add_extension(x509.BasicConstraints(True, None), True)
            .sign(key, hashes.SHA256())
        )
        self.authority = folder / "authority.pem"
        self.authority.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        private = folder / "server.key"
        private.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.load_cert_chain(self.authority, private)

    @property
    def client(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.authority))


class Smtp:
    """Takes mail. `answers` replaces the reply to a command (`RCPT`: "550 no such person"). A mail
    is acknowledged when `open` is set, as it is at first."""

    def __init__(
        self, *, certificate: Certificate | None = None, tls_at_once: bool = False
    ) -> None:
        self._certificate, self._tls_at_once = certificate, tls_at_once
        self.messages: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.encrypted: list[bool] = []
        self.logins: list[str] = []
        self.answers: dict[str, str] = {}
        self.open = asyncio.Event()
        self.open.set()
        self.port = 0

    @contextlib.asynccontextmanager
    async def running(self, port: int = 0) -> AsyncIterator[Smtp]:
        tls = self._certificate.server if self._certificate and self._tls_at_once else None
        server = await asyncio.start_server(self._serve, "127.0.0.1", port, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def say(line: str) -> None:
            writer.write(line.encode() + b"\r\n")
            await writer.drain()

        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await say("220 test")
            while line := (await reader.readline()).decode().strip():
                word = line.split()[0].upper()
                if word in self.answers:
                    await say(self.answers[word])
                elif word == "EHLO":
                    offers = ["250-test", "250-AUTH PLAIN"]
                    if self._certificate and not writer.get_extra_info("ssl_object"):
                        offers.append("250-STARTTLS")
                    for offer in offers:
                        await say(offer)
                    await say("250 8BITMIME")
                elif word == "STARTTLS":
                    assert self._certificate is not None
                    await say("220 go ahead")
                    await writer.start_tls(self._certificate.server)
                elif word == "AUTH":
                    self.logins.append(base64.b64decode(line.split()[2]).decode())
                    await say("235 welcome")
                elif word == "RCPT":
                    self.recipients.append(line.split("<")[1].split(">")[0])
                    await say("250 ok")
                elif word == "DATA":
                    await say("354 go on")
                    data = (await reader.readuntil(b"\r\n.\r\n"))[:-3]
                    message = email.message_from_bytes(data, policy=email.policy.default)
                    assert isinstance(message, EmailMessage)
                    self.messages.append(message)
                    self.encrypted.append(writer.get_extra_info("ssl_object") is not None)
                    await self.open.wait()
                    await say(self.answers.get("accepted", "250 queued as 42"))
                elif word == "QUIT":
                    await say("221 bye")
                    break
                else:
                    await say("250 ok")
        writer.close()


class Http:
    """Takes POSTs; `status` is what it answers."""

    def __init__(self, certificate: Certificate | None = None) -> None:
        self._certificate = certificate
        self.posts: list[tuple[str, dict[str, str], bytes]] = []
        self.status = 200
        self.port = 0

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Http]:
        tls = self._certificate.server if self._certificate else None
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            target = (await reader.readline()).decode().split()[1]
            headers: dict[str, str] = {}
            while line := (await reader.readline()).decode().strip():
                name, _colon, value = line.partition(":")
                headers[name.lower()] = value.strip()
            body = await reader.readexactly(int(headers["content-length"]))
            self.posts.append((target, headers, body))
            writer.write(
                f"HTTP/1.1 {self.status} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
            )
            await writer.drain()
        writer.close()


class SyslogServer:
    """Takes messages over UDP, or over TCP or TLS with octet counting."""

    def __init__(self, certificate: Certificate | None = None) -> None:
        self._certificate = certificate
        self.messages: asyncio.Queue[str] = asyncio.Queue()
        self.port = 0

    @contextlib.asynccontextmanager
    async def streams(self) -> AsyncIterator[SyslogServer]:
        tls = self._certificate.server if self._certificate else None
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    @contextlib.asynccontextmanager
    async def datagrams(self) -> AsyncIterator[SyslogServer]:
        messages = self.messages

        class Receiver(asyncio.DatagramProtocol):
            def datagram_received(self, data: bytes, addr: object) -> None:
                messages.put_nowait(data.decode())

        loop = asyncio.get_running_loop()
        transport, _protocol = await loop.create_datagram_endpoint(
            Receiver, local_addr=("127.0.0.1", 0)
        )
        self.port = transport.get_extra_info("sockname")[1]
        try:
            yield self
        finally:
            transport.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                size = int(await reader.readuntil(b" "))
                self.messages.put_nowait((await reader.readexactly(size)).decode())
        writer.close()
