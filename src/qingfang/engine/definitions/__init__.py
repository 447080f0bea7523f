"""The definitions of statistics of use that come with the product, and those of a hospital's own.

A definition that comes with the product is a TOML file of this folder, named by its name. A
hospital's own is such a text too: a file for `qingfang explain`, a text that two people of the
discipline office agreed on for the running system.

Rules this module keeps:

1. Without a choice the stricter one holds (`DEFAULT`).
2. What is wrong with a text is said with file, line and key (`DefinitionError`).
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path

from qingfang.understand.definition import LONGEST, Definition, DefinitionError, read

__all__ = [
    "DEFAULT",
    "LONGEST",
    "Definition",
    "DefinitionError",
    "built_in",
    "chosen",
    "names",
    "read",
    "text",
]

DEFAULT = "000"


@cache
def names() -> tuple[str, ...]:
    """Of those that come with the product, in order."""
    files = (each.name for each in resources.files(__name__).iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in files if name.endswith(".toml")))


def text(name: str) -> str:
    """One of `names` as it is written."""
    return resources.files(__name__).joinpath(f"{name}.toml").read_text(encoding="utf-8")


@cache
def built_in(name: str = DEFAULT) -> Definition:
    """One of `names`."""
    return read(text(name), f"{name}.toml")


def chosen(wanted: str) -> Definition:
    """One of `names`, or of a file. Raises `DefinitionError`, `OSError`."""
    if wanted in names():
        return built_in(wanted)
    file = Path(wanted)
    try:
        return read(file.read_text(encoding="utf-8"), wanted)
    except UnicodeDecodeError as error:
        raise DefinitionError(
            wanted, None, "", f"不是 UTF-8 文本（第 {error.start} 字节）"
        ) from None
