"""One HTTPS connection to a door, for a thread: one request at a time, opened again when lost."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
from typing import Final

import msgspec

from qingfang.language import _
from qingfang.ship import certificates
from qingfang.ship.wire import Answer, Problem

_SECONDS: Final = 30.0
_ANSWER_LIMIT: Final = 1 << 20


class Unreachable(Exception):
    """No answer, or the door cannot for now: try again. What was sent may have been taken."""


class Refused(Exception):
    """The door, or the certificate it shows, is not what was agreed: a person has to look."""


class Courier:
    """`address` as in the configuration; `fingerprint` of the door's certificate."""

    def __init__(
        self,
        address: str,
        fingerprint: str,
        context: ssl.SSLContext,
        *,
        seconds: float = _SECONDS,
    ) -> None:
        host, _colon, port = address.rpartition(":")
        self._host, self._port = host.strip("[]"), int(port)
        self._fingerprint, self._context, self._seconds = fingerprint, context, seconds
        self._connection: http.client.HTTPSConnection | None = None

    def ask(self, log: str) -> Answer:
        """What the door expects next. Raises `Unreachable` and `Refused`."""
        return self._request("GET", log, None)

    def send(self, log: str, shipment: bytes) -> Answer:
        """Raises `Unreachable` and `Refused`."""
        return self._request("POST", log, shipment)

    def close(self) -> None:
        """Also from another thread: a request under way then ends as `Unreachable`."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if connection.sock is not None:
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)
        connection.close()

    def _request(self, method: str, log: str, body: bytes | None) -> Answer:
        try:
            connection = self._connected()
            connection.request(
                method, f"/ship/{log}", body, {"Content-Type": "application/msgpack"}
            )
            response = connection.getresponse()
            said = response.read(_ANSWER_LIMIT)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Unreachable(_("连不上中心（{}）").format(_describe(error))) from None
        if response.status == 200:
            try:
                return msgspec.json.decode(said, type=Answer)
            except msgspec.MsgspecError:
                raise Refused(_("对方的答复不是清方的入口给出的")) from None
        try:
            problem = msgspec.json.decode(said, type=Problem).problem
        except msgspec.MsgspecError:
            problem = f"HTTP {response.status}"
        if response.status == 503:
            raise Unreachable(problem)
        raise Refused(problem)

    def _connected(self) -> http.client.HTTPSConnection:
        if self._connection is None:
            connection = http.client.HTTPSConnection(
                self._host, self._port, timeout=self._seconds, context=self._context
            )
            self._connection = connection
            connection.connect()
            shown = connection.sock.getpeercert(True) or b""
            found = certificates.fingerprint(shown)
            if not certificates.same(found, self._fingerprint):
                self.close()
                raise Refused(
                    _("中心出示的证书不是约定的那一张（指纹 {}），没有送出任何内容").format(found)
                )
        return self._connection


def _describe(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return error.reason or "TLS"
    if isinstance(error, TimeoutError):
        return _("超时")
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__
