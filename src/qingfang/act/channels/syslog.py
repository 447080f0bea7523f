"""Syslog, RFC 5424: over UDP (RFC 5426), TCP with octet counting (RFC 6587) or TLS (RFC 5425).

A syslog receiver never answers: the receipt says what was handed over, not that it was read.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from typing import Final

from qingfang.act.channels import TIME_LIMIT_S, NotSent
from qingfang.act.notice import Notice
from qingfang.config import Syslog
from qingfang.language import _

# Facility 13 (log audit) of RFC 5424, table 1; severities of table 2 by our 0…3.
_FACILITY: Final = 13
_SEVERITIES: Final = (5, 4, 3, 1)
# An enterprise number for documentation (RFC 5612), until one is assigned.
_ID: Final = "notice@32473"


def message(notice: Notice, host: str, process: int) -> bytes:
    """One message: header, structured data, and a text in ASCII for receivers that know no more."""
    priority = _FACILITY * 8 + _SEVERITIES[notice.severity]
    fields = {
        "id": notice.id,
        "number": str(notice.number),
        "decision": "test" if notice.test else notice.decision,
        "severity": str(notice.severity),
        "place": notice.place,
        "link": notice.link,
        "others": ",".join(str(n) for n in notice.others),
    }
    data = " ".join(f'{name}="{_escaped(value)}"' for name, value in fields.items() if value)
    text = f"Qingfang {fields['decision']} {notice.number}"
    if notice.others:
        text += f" and {len(notice.others)} more"
    head = f"<{priority}>1 {notice.at} {_name(host)} qingfang {process} notice"
    return f"{head} [{_ID} {data}] {text}".encode()


class SyslogChannel:
    """`tls` replaces the context made from `config.ca`."""

    def __init__(self, config: Syslog, tls: ssl.SSLContext | None = None) -> None:
        host, _colon, port = config.address.rpartition(":")
        self._host, self._port = host.strip("[]"), int(port)
        self._transport = config.transport
        self._tls: ssl.SSLContext | None = None
        if config.transport == "tls":
            self._tls = tls or ssl.create_default_context(cafile=config.ca or None)

    async def send(self, notice: Notice, address: str) -> str:
        data = message(notice, socket.gethostname(), os.getpid())
        try:
            async with asyncio.timeout(TIME_LIMIT_S):
                if self._transport == "udp":
                    await self._datagram(data)
                else:
                    await self._stream(data)
        except (OSError, TimeoutError) as error:
            raise NotSent(_("连不上日志服务器：{}").format(type(error).__name__)) from None
        return f"{self._transport} {len(data)} bytes -> {self._host}:{self._port}"

    async def _datagram(self, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        transport, _protocol = await loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, remote_addr=(self._host, self._port)
        )
        transport.sendto(data)
        transport.close()

    async def _stream(self, data: bytes) -> None:
        _reader, writer = await asyncio.open_connection(self._host, self._port, ssl=self._tls)
        try:
            writer.write(b"%d " % len(data) + data)
            await writer.drain()
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


def _escaped(value: str) -> str:
    """A PARAM-VALUE (section 6.3.3)."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")


def _name(host: str) -> str:
    """Printable ASCII, or the nil value."""
    found = "".join(c for c in host if "!" <= c <= "~")[:255]
    return found or "-"
