"""The channels against real servers."""

import asyncio
import ssl
from pathlib import Path

import msgspec
import pytest

from qingfang.act.channels import NotSent
from qingfang.act.channels.mail import MailChannel
from qingfang.act.channels.syslog import SyslogChannel
from qingfang.act.channels.webhook import WebhookChannel, signature
from qingfang.act.notice import Notice
from qingfang.config import Mail, Syslog, Webhook
from tests.support.run import in_loop
from tests.support.servers import Certificate, Http, Smtp, SyslogServer

NOTICE = Notice(
    "hospital/n/ab#7", 7, "2026-11-23T21:20:00+08:00", "alert", 3, "药房三号机", "http://c/alerts/7"
)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return Certificate(tmp_path_factory.mktemp("certificate"))


def mail(server: Smtp, **other) -> Mail:
    return Mail(host="127.0.0.1", port=server.port, sender="qf@hospital.example", **other)


@in_loop
async def test_mail_arrives(tmp_path: Path) -> None:
    async with Smtp().running() as server:
        receipt = await MailChannel(mail(server)).send(NOTICE, "zhou@hospital.example")
    assert receipt == "250 queued as 42"
    (message,) = server.messages
    assert server.recipients == ["zhou@hospital.example"]
    assert message["Subject"] == "清方告警 7（紧急）"
    assert "药房三号机" in message.get_content()
    assert message["Message-ID"] == "<hospital.n.ab.7@hospital.example>"


@in_loop
@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_mail_over_tls_with_sign_in(
    tmp_path: Path, certificate: Certificate, security
) -> None:
    secret = tmp_path / "password"
    secret.write_text("correct horse\n")
    server = Smtp(certificate=certificate, tls_at_once=security == "tls")
    async with server.running():
        config = mail(server, security=security, username="qf", password_file=str(secret))
        await MailChannel(config, "en", certificate.client).send(NOTICE, "z@h.example")
    assert server.encrypted == [True]
    assert server.logins == ["\0qf\0correct horse"]
    assert server.messages[0]["Subject"] == "Qingfang alert 7 (urgent)"


@in_loop
async def test_an_unknown_certificate_gets_no_mail(certificate: Certificate) -> None:
    server = Smtp(certificate=certificate)
    async with server.running():
        channel = MailChannel(mail(server, security="starttls"), tls=ssl.create_default_context())
        with pytest.raises(NotSent, match="SSLCertVerificationError"):
            await channel.send(NOTICE, "z@h.example")
    assert server.messages == []


@in_loop
async def test_a_server_without_starttls_gets_no_mail(certificate: Certificate) -> None:
    async with Smtp().running() as server:
        channel = MailChannel(mail(server, security="starttls"), tls=certificate.client)
        with pytest.raises(NotSent) as error:
            await channel.send(NOTICE, "z@h.example")
    assert error.value.permanent
    assert server.messages == []


@in_loop
@pytest.mark.parametrize(
    ("command", "answer", "permanent"),
    [
        ("RCPT", "550 no such person", True),
        ("RCPT", "451 later", False),
        ("MAIL", "452 full", False),
        ("accepted", "554 spam", True),
        ("accepted", "421 shutting down", False),
    ],
)
async def test_a_refusing_mail_server(command: str, answer: str, permanent: bool) -> None:
    async with Smtp().running() as server:
        server.answers[command] = answer
        with pytest.raises(NotSent, match=answer[:3]) as error:
            await MailChannel(mail(server)).send(NOTICE, "z@h.example")
    assert error.value.permanent is permanent


@in_loop
async def test_an_address_that_is_none() -> None:
    async with Smtp().running() as server:
        with pytest.raises(NotSent) as error:
            await MailChannel(mail(server)).send(NOTICE, "z@h\r\nBcc: x@y")
    assert error.value.permanent
    assert server.recipients == []


@in_loop
async def test_nobody_listens() -> None:
    async with Smtp().running() as server:
        pass
    for channel in (
        MailChannel(mail(server)),
        WebhookChannel(Webhook(url=f"http://127.0.0.1:{server.port}/")),
        SyslogChannel(Syslog(address=f"127.0.0.1:{server.port}")),
    ):
        with pytest.raises(NotSent) as error:
            await channel.send(NOTICE, "z@h.example")
        assert not error.value.permanent


@in_loop
async def test_webhook_is_signed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("shared\n")
    async with Http().running() as server:
        config = Webhook(url=f"http://127.0.0.1:{server.port}/hook?a=1", secret_file=str(secret))
        channel = WebhookChannel(config, now=lambda: 1_795_440_000.7)
        assert await channel.send(NOTICE, "") == "HTTP 200"
    ((target, headers, body),) = server.posts
    assert target == "/hook?a=1"
    assert headers["idempotency-key"] == NOTICE.id
    assert headers["x-qingfang-time"] == "1795440000"
    assert headers["x-qingfang-signature"] == signature(b"shared", "1795440000", body)
    told = msgspec.json.decode(body)
    assert (told["id"], told["number"], told["severity"]) == (NOTICE.id, 7, 3)
    assert told["text"].startswith("清方告警 7")


def test_the_signature_as_openssl_makes_it() -> None:
    """printf '1795440000.{"number":7}' | openssl dgst -sha256 -hmac shared"""
    assert signature(b"shared", "1795440000", b'{"number":7}') == (
        "sha256=4ca9f0eaff634a93f2624aa3e84ff70ef9bed237124a3689b2f3ec89f0d68ba0"
    )


@in_loop
async def test_webhook_over_tls(certificate: Certificate) -> None:
    async with Http(certificate).running() as server:
        config = Webhook(url=f"https://127.0.0.1:{server.port}/")
        assert await WebhookChannel(config, tls=certificate.client).send(NOTICE, "")
        with pytest.raises(NotSent, match="SSLCertVerificationError"):
            await WebhookChannel(config).send(NOTICE, "")
    assert len(server.posts) == 1


@in_loop
@pytest.mark.parametrize(
    ("status", "permanent"), [(500, False), (503, False), (429, False), (404, True), (302, True)]
)
async def test_a_refusing_webhook(status: int, permanent: bool) -> None:
    async with Http().running() as server:
        server.status = status
        with pytest.raises(NotSent, match=str(status)) as error:
            await WebhookChannel(Webhook(url=f"http://127.0.0.1:{server.port}")).send(NOTICE, "")
    assert error.value.permanent is permanent


@in_loop
async def test_a_url_that_is_none() -> None:
    with pytest.raises(NotSent) as error:
        await WebhookChannel(Webhook(url="file:///etc/passwd")).send(NOTICE, "")
    assert error.value.permanent


@in_loop
@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
async def test_syslog(certificate: Certificate, transport) -> None:
    server = SyslogServer(certificate if transport == "tls" else None)
    running = server.datagrams() if transport == "udp" else server.streams()
    async with running:
        config = Syslog(
            address=f"127.0.0.1:{server.port}",
            transport=transport,
            ca=str(certificate.authority) if transport == "tls" else "",
        )
        receipt = await SyslogChannel(config).send(NOTICE, "")
        got = await asyncio.wait_for(server.messages.get(), 10)
    assert got.startswith("<105>1 2026-11-23T21:20:00+08:00 ")
    assert 'number="7"' in got and 'place="药房三号机"' in got
    assert receipt.startswith(f"{transport} {len(got.encode())} bytes")
