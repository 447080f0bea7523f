"""Chinese first, English complete: the words of commands and of the engine.

Source strings are simplified Chinese. `_()` translates them when the person's environment asks for
English (`QINGFANG_LANG=en`, else `LC_ALL`, `LC_MESSAGES`, `LANG`). The pages use Django's own
machinery on the same `locale/` folder. Processes that the supervisor starts speak Chinese whatever
the machine's language, because what they say reaches clients and the ledger; only `QINGFANG_LANG`
changes it.
"""

from __future__ import annotations

import gettext
import os
from pathlib import Path

LOCALE_DIR = Path(__file__).parent / "locale"


def wanted() -> str:
    """`en` when the environment asks for English in so many words, else `zh`."""
    explicit = os.environ.get("QINGFANG_LANG", "")
    if explicit:
        return "en" if explicit.lower().startswith("en") else "zh"
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(name, "")
        if value:
            return "en" if value.lower().startswith("en") else "zh"
    return "zh"


_translation = gettext.translation("qingfang", LOCALE_DIR, languages=[wanted()], fallback=True)


def _(text: str) -> str:
    return _translation.gettext(text)
