"""Reads the fixtures: SQL and what it should mean, side by side.

A scene opens with `== name` and may say `dialect: oracle`, `catalogue: his` or `definition: 001`
(000 without it) in the same line after a `|`. Its statements are one session, in order; each ends with a line

    --> disclosure [grain] [subtype] [stored]

for example `--> usage prescriber item`. `--> binds ["YS01", null]` before it gives bound values.
After it can stand what is selected, one after the other as far as it is fixed:

    --> scope items one YP1; prescribers all; period 2026-01-01..2026-01-31
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from qingfang.events import Meaning
from qingfang.understand.catalogue import Catalogue, load

FIXTURES = Path(__file__).parent / "fixtures"


@dataclass
class Step:
    sql: str
    expected: str
    line: int
    binds: list[str | None] | None = None
    scope: str | None = None


@dataclass
class Scene:
    name: str
    file: str
    line: int
    dialect: str | None = None
    catalogue: str = "small"
    definition: str = "000"
    steps: list[Step] = field(default_factory=list)


def catalogue(name: str) -> Catalogue:
    return load(json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8")))


def scenes(file: Path) -> list[Scene]:
    found: list[Scene] = []
    sql: list[str] = []
    binds: list[str | None] | None = None
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("== "):
            name, *options = (part.strip() for part in line[3:].split("|"))
            scene = Scene(name, file.name, number)
            for option in options:
                key, value = (part.strip() for part in option.split(":"))
                assert key in {"dialect", "catalogue", "definition"}, f"{file.name}:{number}: {key}"
                setattr(scene, key, value)
            found.append(scene)
        elif line.startswith("--> binds"):
            binds = json.loads(line.removeprefix("--> binds"))
        elif line.startswith("--> scope "):
            found[-1].steps[-1].scope = line.removeprefix("--> scope ").strip()
        elif line.startswith("--> "):
            found[-1].steps.append(Step("\n".join(sql), line[4:].strip(), number, binds))
            sql, binds = [], None
        elif line.strip() or sql:
            sql.append(line)
    assert not any(text.strip() for text in sql), f"{file.name}: a statement without -->"
    return found


def all_scenes() -> list[Scene]:
    return [scene for file in sorted(FIXTURES.glob("*.sql")) for scene in scenes(file)]


def said(meaning: Meaning) -> str:
    """A meaning as the fixtures write it."""
    words = [meaning.disclosure, meaning.grain, meaning.subtype]
    if meaning.delivery == "stored":
        words.append("stored")
    return " ".join(word for word in words if word)


def selected(meaning: Meaning) -> str:
    """What a meaning says is selected, as the fixtures write it."""
    scope = meaning.scope
    parts: list[str] = []
    for name in ("items", "prescribers", "departments"):
        chosen = getattr(scope, name, None)
        if chosen is not None:
            values = ",".join("?" if v.text is None else v.text for v in chosen.values)
            parts.append(" ".join(part for part in (name, chosen.kind, values) if part))
    period = scope.period if scope is not None else None
    if period is not None:
        ends = ("" if v is None else v.text or "?" for v in (period.from_, period.to))
        parts.append("period " + "..".join(ends))
    return "; ".join(parts)
