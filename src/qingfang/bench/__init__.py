"""Benchmarks: one file a subject, each with `run(progress) -> list[Row]`, or a folder of the same
name with `report(progress, options) -> Report`.

Rules this room keeps:

1. A figure is a ratio against a named peer measured in the same run, because machines differ and
   drift; a peer that is not installed is named as missing, never assumed.
2. Nothing here is imported by the product, and no test asserts a time.
"""

from __future__ import annotations

import importlib
import math
import os
import platform
from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct

from qingfang.language import _

Progress = Callable[[str], None]


class Impossible(Exception):
    """A benchmark cannot run here; the message says what is missing and what to do."""


class Row(Struct, frozen=True):
    """One figure. `ours` and `peer` are in the unit that `what` names; `ratio` is ours / peer;
    `goal` is written as a person reads it («≤ 1.3»); `met` is None when it could not be judged."""

    what: str
    ours: float | None
    peer: float | None = None
    peer_name: str = ""
    ratio: float | None = None
    goal: str = ""
    met: bool | None = None


class Report(Struct, frozen=True, omit_defaults=True):
    """`details` is what stands behind the rows, for a program; `text` the same for a reader."""

    name: str
    machine: dict[str, str | int]
    rows: list[Row]
    details: dict[str, object] | None = None
    text: str = ""


def names() -> list[str]:
    here = Path(__file__).parent
    folders = [f.parent.name for f in here.glob("*/__init__.py")]
    return sorted([*folders, *(f.stem for f in here.glob("[!_]*.py"))])


def run(name: str, progress: Progress, options: Mapping[str, object] | None = None) -> Report:
    """Run one benchmark; `options` are for one that knows them (`report` in its module). Raises
    KeyError for a name that is not in `names()`, `Impossible`."""
    if name not in names():
        raise KeyError(name)
    module = importlib.import_module(f"qingfang.bench.{name}")
    if hasattr(module, "report"):
        return module.report(progress, options or {})
    if options:
        raise Impossible(_("{} 没有这些选项：{}").format(name, " ".join(options)))
    return Report(name, machine(), module.run(progress))


def percentile(values: list[float], share: float) -> float:
    """The smallest of the values that `share` per cent of them do not exceed (nearest rank)."""
    return sorted(values)[max(0, math.ceil(len(values) * share / 100) - 1)]


def machine() -> dict[str, str | int]:
    model = ""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    return {
        "cpu": model or platform.processor(),
        "cores": os.cpu_count() or 1,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "compiled": int(_compiled()),
    }


def _compiled() -> bool:
    """Whether the package that runs has compiled modules in it."""
    return any(Path(__file__).parent.parent.rglob("*.so"))


def ratio(
    what: str, ours: float, peer: float, peer_name: str, *, at_most: float = 0, at_least: float = 0
) -> Row:
    """A row that compares ours with a peer's figure against one bound."""
    got = ours / peer
    met = got <= at_most if at_most else got >= at_least
    goal = f"≤ {at_most}" if at_most else f"≥ {at_least}"
    return Row(what, round(ours, 3), round(peer, 3), peer_name, round(got, 3), goal, met)


def absolute(what: str, ours: float, *, at_most: float = 0, at_least: float = 0) -> Row:
    """A row with a bound on our own figure."""
    met = ours <= at_most if at_most else ours >= at_least
    goal = f"≤ {at_most:g}" if at_most else f"≥ {at_least:g}"
    return Row(what, round(ours, 3), goal=goal, met=met)


def missing(what: str, peer_name: str) -> Row:
    return Row(what, None, peer_name=f"{peer_name}（未安装）")
