"""The one-time code of the first run: a file only the machine's owner can read.

80 bits from the system's generator: it cannot be guessed over a network. It is made when the console
starts without an account, and goes with the first one.
"""

from __future__ import annotations

import hmac
import os
import secrets
from pathlib import Path
from typing import Final

from qingfang.config import Config

# Without letters and digits that are taken for one another on a screen.
_ALPHABET: Final = "ABCDEFGHJKMNPQRSTVWXYZ23456789"
_GROUPS: Final = 4


def _file(config: Config) -> Path:
    return Path(config.paths.state) / "console" / "setup.code"


def ensure(config: Config) -> str:
    """The code, made when there is none."""
    file = _file(config)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return file.read_text(encoding="ascii")
    made = "-".join("".join(secrets.choice(_ALPHABET) for _n in range(4)) for _g in range(_GROUPS))
    with os.fdopen(descriptor, "w", encoding="ascii") as out:
        out.write(made)
    return made


def read(config: Config) -> str | None:
    """The code; None when the first run is over."""
    try:
        return _file(config).read_text(encoding="ascii")
    except FileNotFoundError:
        return None


def forget(config: Config) -> None:
    _file(config).unlink(missing_ok=True)


def right(config: Config, typed: str) -> bool:
    """Whether this is the code, however it was spaced and in whatever case."""
    code = read(config)
    if not code:
        return False
    plain = "".join(c for c in typed.upper() if c.isalnum())
    return hmac.compare_digest(plain.encode(), code.replace("-", "").encode())
