"""A new password for a security administrator who is locked out (rule 1 of `people.rescue`)."""

from __future__ import annotations

from pathlib import Path

from qingfang.install.console import Console, Unavailable
from qingfang.web.setup.fill import Request


class Refused(Exception):
    """Nothing was changed; the text says why."""


def password_for(config: Path, staff_number: str) -> str:
    """The new password, valid once: it is changed at the first sign-in."""
    try:
        with Console(config) as console:
            answer = console.ask(Request(rescue=staff_number))
    except Unavailable as problem:
        raise Refused(str(problem)) from None
    if answer.problem:
        raise Refused(answer.problem)
    return answer.password
