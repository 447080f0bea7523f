"""A test notice by every channel that is configured, and whether it was taken.

The channels are the notifier's own; what it says of a receipt holds here: a mail server or an HTTP
receiver answers, a syslog receiver does not, so `heard` is False there.
"""

from __future__ import annotations

import asyncio
import datetime as dt

from msgspec import Struct

from qingfang.act.channels import NotSent
from qingfang.act.notice import Notice
from qingfang.config import Config
from qingfang.engine.notifier import channels_of

_CHINA = dt.timezone(dt.timedelta(hours=8))


class Sent(Struct, frozen=True):
    """`delivered`: the channel took it; `heard`: the other side said so. `told` is its answer, or
    why it failed."""

    channel: str
    delivered: bool
    heard: bool
    told: str


def test(config: Config, only: frozenset[str], mail_to: str) -> list[Sent]:
    """Send by the channels named in `only`; takes up to 20 s a channel that does not answer."""
    at = dt.datetime.now(_CHINA)
    notice = Notice(
        f"test#{int(at.timestamp() * 1_000_000)}",
        0,
        at.isoformat(timespec="seconds"),
        "alert",
        0,
        link=config.console.url or f"http://{config.console.listen}",
        test=True,
    )
    return asyncio.run(_send(config, only, notice, mail_to))


async def _send(config: Config, only: frozenset[str], notice: Notice, mail_to: str) -> list[Sent]:
    found: list[Sent] = []
    for name, channel in channels_of(config).items():
        if name not in only:
            continue
        try:
            receipt = await channel.send(notice, mail_to if name == "mail" else "")
        except NotSent as error:
            found.append(Sent(name, False, False, str(error)))
        except OSError as error:
            found.append(Sent(name, False, False, f"{error.filename}: {error.strerror}"))
        else:
            found.append(Sent(name, True, name != "syslog", receipt))
    return found
