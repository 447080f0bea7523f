"""The codes of reasons that docs/reasons.md explains."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "reasons.md"


def documented(part: str) -> set[str]:
    """The codes in the first cells of the tables below the heading `## part`."""
    text = PAGE.read_text(encoding="utf-8").split(f"\n## {part}\n")[1].split("\n## ")[0]
    cells = re.findall(r"^\| (`[^|]*) \|", text, re.MULTILINE)
    return {code for cell in cells for code in re.findall(r"`([a-z._-]+)`", cell)}
