"""Where a log's checkpoints and tiles come from, and where cosignatures go back to.

Rules this module keeps:

1. A door is known by the fingerprint of its certificate, compared before anything is asked.
2. What cannot be reached (`Unreachable`) is another matter than what is not there (`LookupError`):
   the first is silence, the second may be tampering.
3. An answer has a limit of bytes and of time.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import ssl
from pathlib import Path
from typing import Final, Protocol

from qingfang.language import _
from qingfang.record.witnessed import FOLDER
from qingfang.ship import certificates

_SECONDS: Final = 30.0
_LIMIT: Final = 4 * 1024 * 1024


class Unreachable(Exception):
    """The log cannot be asked now; the text says why (zh)."""


class Source(Protocol):
    """Where a log is read. Both raise `Unreachable`."""

    def get(self, path: str) -> bytes:
        """A file of the log by its path (`checkpoint`, `tile/0/000`). Raises `LookupError` when it
        is not there."""
        ...

    def give(self, name: str, note: bytes) -> None:
        """Hand back a checkpoint that the witness `name` cosigned."""
        ...

    def close(self) -> None: ...


class Copy:
    """A ledger's folder, or a copy of what it publishes (`checkpoint`, `certificate`, `tile/`,
    `sm3/`) on a stick."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, path: str) -> bytes:
        try:
            return (self._folder / path).read_bytes()
        except FileNotFoundError:
            if not self._folder.is_dir():
                raise Unreachable(_("{}：没有这个文件夹").format(self._folder)) from None
            raise LookupError(path) from None
        except OSError as error:
            where = self._folder / path
            raise Unreachable(_("{}：读不了（{}）").format(where, error.strerror)) from None

    def give(self, name: str, note: bytes) -> None:
        path = self._folder / FOLDER / name
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            fresh = path.with_name(f".{name}.new")
            with fresh.open("wb") as file:
                file.write(note)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(path)
        except OSError as error:
            raise Unreachable(_("{}：写不了（{}）").format(path, error.strerror)) from None

    def close(self) -> None:
        pass


class Door:
    """A ledger's door (`ship.door`) at `address` (host:port), whose certificate has `fingerprint`;
    ours is in `certificate` and `key`. Raises `certificates.Unusable`."""

    def __init__(self, address: str, fingerprint: str, certificate: Path, key: Path) -> None:
        self._address, self._fingerprint = address, fingerprint
        self._tls = certificates.client(certificate, key)
        self._connection: http.client.HTTPSConnection | None = None

    def get(self, path: str) -> bytes:
        return self._ask("GET", path)

    def give(self, name: str, note: bytes) -> None:
        # Who gives is known by the certificate, not by a name in the request.
        try:
            self._ask("PUT", "cosignature", note)
        except LookupError:
            raise Unreachable(_("{}：不收见证签名").format(self._address)) from None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        try:
            connection = self._connected()
            connection.request(method, f"/{path}", body)
            answer = connection.getresponse()
            data = answer.read(_LIMIT + 1)
        except (OSError, ssl.SSLError, http.client.HTTPException) as error:
            self.close()
            why = getattr(error, "strerror", None) or error
            raise Unreachable(_("{}：连不上（{}）").format(self._address, why)) from None
        if answer.status == 404:
            raise LookupError(path)
        if answer.status != 200 or len(data) > _LIMIT:
            self.close()
            raise Unreachable(_("{}：答复 {}").format(self._address, answer.status))
        return data

    def _connected(self) -> http.client.HTTPSConnection:
        found = self._connection
        if found is not None and found.sock is not None:
            return found
        host, _colon, port = self._address.rpartition(":")
        made = http.client.HTTPSConnection(
            host.strip("[]"), int(port), timeout=_SECONDS, context=self._tls
        )
        made.connect()
        shown = made.sock.getpeercert(True)
        if not shown or not certificates.same(certificates.fingerprint(shown), self._fingerprint):
            with contextlib.suppress(OSError):
                made.close()
            raise Unreachable(
                _("{}：证书不是登记的那一张，可能连到了别的机器").format(self._address)
            )
        self._connection = made
        return made
