"""Mail by SMTP (RFC 5321), plain, with STARTTLS (RFC 3207) or within TLS (RFC 8314)."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from email.message import EmailMessage
from email.utils import format_datetime, localtime
from pathlib import Path

from qingfang.act import notice as notices
from qingfang.act.channels import TIME_LIMIT_S, NotSent
from qingfang.act.notice import Language, Notice
from qingfang.config import Mail
from qingfang.language import _


class MailChannel:
    """`tls` is for a house's own certification authority; None takes the system's."""

    def __init__(
        self, config: Mail, language: Language = "zh", tls: ssl.SSLContext | None = None
    ) -> None:
        self._config = config
        self._language: Language = language
        self._tls = tls or ssl.create_default_context()

    async def send(self, notice: Notice, address: str) -> str:
        return await asyncio.to_thread(self._send, notice, address)

    def _message(self, notice: Notice, address: str) -> EmailMessage:
        message = EmailMessage()
        message["From"] = self._config.sender
        message["To"] = address
        message["Subject"] = notices.subject(notice, self._language)
        message["Date"] = format_datetime(localtime())
        # The same notice sent again (at least once means that) is the same message.
        host = self._config.sender.rpartition("@")[2] or "localhost"
        message["Message-ID"] = f"<{notice.id.replace('/', '.').replace('#', '.')}@{host}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(notices.text(notice, self._language), cte="base64")
        return message

    def _send(self, notice: Notice, address: str) -> str:
        config = self._config
        try:
            message = self._message(notice, address)
        except ValueError:
            raise NotSent(_("收件地址不能用"), permanent=True) from None
        try:
            if config.security == "tls":
                server = smtplib.SMTP_SSL(
                    config.host, config.port, timeout=TIME_LIMIT_S, context=self._tls
                )
            else:
                server = smtplib.SMTP(config.host, config.port, timeout=TIME_LIMIT_S)
            with server:
                if config.security == "starttls":
                    server.starttls(context=self._tls)
                if config.username:
                    server.login(config.username, _secret(config.password_file))
                return self._deliver(server, message, address)
        except smtplib.SMTPResponseException as error:
            why = _("邮件服务器回答 {}").format(error.smtp_code)
            raise NotSent(why, permanent=500 <= error.smtp_code < 600) from None
        except smtplib.SMTPRecipientsRefused as error:
            code = max(reply[0] for reply in error.recipients.values())
            why = _("收件人被拒收（{}）").format(code)
            raise NotSent(why, permanent=code >= 500) from None
        except smtplib.SMTPNotSupportedError:
            raise NotSent(_("邮件服务器不支持所配置的加密或认证"), permanent=True) from None
        except (OSError, smtplib.SMTPException) as error:
            raise NotSent(_("连不上邮件服务器：{}").format(type(error).__name__)) from None

    def _deliver(self, server: smtplib.SMTP, message: EmailMessage, address: str) -> str:
        server.ehlo_or_helo_if_needed()
        sender = str(message["From"])
        code, reply = server.mail(sender)
        if code != 250:
            raise smtplib.SMTPResponseException(code, reply)
        code, reply = server.rcpt(address)
        if code not in (250, 251):
            raise smtplib.SMTPRecipientsRefused({address: (code, reply)})
        code, reply = server.data(message.as_bytes(policy=message.policy.clone(linesep="\r\n")))
        if code != 250:
            raise smtplib.SMTPResponseException(code, reply)
        return f"{code} {reply.decode(errors='replace')[:200]}"


def _secret(file: str) -> str:
    return Path(file).read_text(encoding="utf-8").strip()
