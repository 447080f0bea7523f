"""Copies what the browser loads out of `node_modules` into `static/vendor/`: `make assets`.

Rules this module keeps:

1. Only the files named here are copied; nothing of them is committed, the wheel carries them.
2. Icons become one sprite, `icons.svg`, with one `<symbol>` a name; a name used by a page and
   missing in `ICONS` fails a test.
3. Licences travel with the files (Tabler's stands in its files' first lines).
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

VENDOR = Path(__file__).parent / "static" / "vendor"

FILES = {
    "@tabler/core/dist/css/tabler.min.css": "tabler.min.css",
    "@tabler/core/dist/js/tabler.min.js": "tabler.min.js",
    "@tabler/icons/LICENSE": "icons.LICENSE",
}

ICONS = (
    "activity",
    "alert-triangle",
    "ban",
    "bell",
    "building",
    "check",
    "chevron-left",
    "chevron-right",
    "clipboard-check",
    "clock",
    "columns",
    "device-desktop",
    "download",
    "eye",
    "eye-off",
    "file-certificate",
    "filter",
    "history",
    "home",
    "inbox",
    "key",
    "language",
    "lock",
    "logout",
    "map-pin",
    "moon",
    "player-play",
    "plus",
    "route",
    "search",
    "shield-check",
    "sort-ascending",
    "sort-descending",
    "user",
    "users",
)


def copy(modules: Path, target: Path = VENDOR) -> None:
    """Raises `FileNotFoundError` naming the file when a package's layout has changed."""
    target.mkdir(parents=True, exist_ok=True)
    for source, name in FILES.items():
        if name.endswith((".js", ".css")):
            # A source map's address in the file would make the browser ask for it.
            text = (modules / source).read_text(encoding="utf-8")
            text = re.sub(r"\n?(//# sourceMappingURL=\S+|/\*# sourceMappingURL=\S+ \*/)", "", text)
            (target / name).write_text(text, encoding="utf-8")
        else:
            shutil.copyfile(modules / source, target / name)
    symbols = []
    for name in ICONS:
        svg = (modules / "@tabler/icons/icons/outline" / f"{name}.svg").read_text(encoding="utf-8")
        found = re.search(r"<svg[^>]*>(.*)</svg>", svg, re.DOTALL)
        assert found is not None
        shapes = re.sub(r"\s+", " ", found[1]).strip()
        symbols.append(
            f'<symbol id="{name}" viewBox="0 0 24 24" fill="none" stroke="currentColor" '
            f'stroke-width="2" stroke-linecap="round" stroke-linejoin="round">{shapes}</symbol>'
        )
    sprite = f'<svg xmlns="http://www.w3.org/2000/svg">{"".join(symbols)}</svg>\n'
    (target / "icons.svg").write_text(sprite, encoding="utf-8")


if __name__ == "__main__":
    copy(Path(sys.argv[1]))
