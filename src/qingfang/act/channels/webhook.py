"""One HTTP POST of JSON a notice, signed so that the receiver knows who sent it and what.

    Content-Type: application/json
    Idempotency-Key: <notice id>          the same notice again has the same key
    X-Qingfang-Time: <seconds since the epoch>
    X-Qingfang-Signature: sha256=<hex of HMAC-SHA-256 over time, a full stop, the body>

The receiver answers 2xx. 408, 425, 429 and 5xx are tried again, other answers are final.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import http.client
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from qingfang.act import notice as notices
from qingfang.act.channels import TIME_LIMIT_S, NotSent
from qingfang.act.notice import Language, Notice
from qingfang.config import Webhook
from qingfang.language import _

_AGAIN: Final = frozenset({408, 425, 429})


def signature(secret: bytes, at: str, body: bytes) -> str:
    return "sha256=" + hmac.new(secret, at.encode() + b"." + body, hashlib.sha256).hexdigest()


class WebhookChannel:
    """`now` gives seconds since the epoch."""

    def __init__(
        self,
        config: Webhook,
        language: Language = "zh",
        tls: ssl.SSLContext | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._config, self._now = config, now
        self._language: Language = language
        self._tls = tls or ssl.create_default_context()

    async def send(self, notice: Notice, address: str) -> str:
        return await asyncio.to_thread(self._send, notice)

    def _send(self, notice: Notice) -> str:
        told = {**msgspec.to_builtins(notice), "text": notices.text(notice, self._language)}
        body = msgspec.json.encode(told)
        at = str(int(self._now()))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "qingfang",
            "Idempotency-Key": notice.id,
            "X-Qingfang-Time": at,
        }
        try:
            if self._config.secret_file:
                secret = Path(self._config.secret_file).read_text(encoding="utf-8").strip()
                headers["X-Qingfang-Signature"] = signature(secret.encode(), at, body)
            status = self._post(body, headers)
        except (OSError, http.client.HTTPException) as error:
            raise NotSent(_("连不上：{}").format(type(error).__name__)) from None
        if not 200 <= status < 300:
            again = status in _AGAIN or status >= 500
            raise NotSent(_("对方回答 {}").format(status), permanent=not again)
        return f"HTTP {status}"

    def _post(self, body: bytes, headers: dict[str, str]) -> int:
        url = urlsplit(self._config.url)
        if url.hostname is None or url.scheme not in ("http", "https"):
            raise NotSent(_("webhook 的 url 不是 http(s) 地址"), permanent=True)
        connection: http.client.HTTPConnection
        if url.scheme == "https":
            connection = http.client.HTTPSConnection(
                url.hostname, url.port, timeout=TIME_LIMIT_S, context=self._tls
            )
        else:
            connection = http.client.HTTPConnection(url.hostname, url.port, timeout=TIME_LIMIT_S)
        try:
            target = (url.path or "/") + (f"?{url.query}" if url.query else "")
            connection.request("POST", target, body, headers)
            answer = connection.getresponse()
            answer.read(65_536)
            return answer.status
        finally:
            connection.close()
