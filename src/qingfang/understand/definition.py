"""What counts as statistics of use (统方): an article of a regulation, as data.

The regulations differ: one counts all drugs and consumables, another only drugs and high-value
consumables. A definition is a small TOML text that says which kinds of items count, which contents,
and in which words of which article.

Rules this module keeps:

1. No definition may leave out what every regulation counts: drugs, high-value consumables, and how
   much was used (`_ALWAYS`). So a definition can let ordinary consumables go, and lists of names or
   specifications without any figure, and nothing else.
2. What cannot be told apart counts (`kinds.possible` gives every kind a row may be of).
3. Every error names file, line and key, and a text with an error is refused whole.
"""

from __future__ import annotations

import re
import tomllib
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

Kind = Literal["drug", "consumable", "high_value"]
Content = Literal["name", "specification", "usage"]

DRUG: Final = "drug"
ORDINARY: Final = "ordinary_consumable"
HIGH_VALUE: Final = "high_value"
EVERY_KIND: Final = frozenset({DRUG, ORDINARY, HIGH_VALUE})
"""Every item is exactly one of these. In definitions and catalogues, `consumable` is the ordinary
and the high-value ones together."""

_MEMBERS: Final[dict[str, frozenset[str]]] = {
    "drug": frozenset({DRUG}),
    "consumable": frozenset({ORDINARY, HIGH_VALUE}),
    "high_value": frozenset({HIGH_VALUE}),
}
_ALWAYS: Final[tuple[tuple[str, str, str], ...]] = (
    ("kinds", "drug", "药品在任何一份规定里都算，不能去掉"),
    ("kinds", "high_value", "高值耗材在任何一份规定里都算，不能去掉"),
    ("contents", "usage", "用量在任何一份规定里都算，不能去掉"),
)
LONGEST: Final = 20_000
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
Words = Annotated[str, Meta(min_length=1, max_length=500)]


class DefinitionError(ValueError):
    """The text cannot be used. `file`, `line` (1-based, None when unknown), `key`, `problem`."""

    def __init__(self, file: str, line: int | None, key: str, problem: str) -> None:
        where = f"{file}:{line}" if line else file
        super().__init__(f"{where}: {key}: {problem}" if key else f"{where}: {problem}")
        self.file, self.line, self.key, self.problem = file, line, key, problem


class Definition(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`source` is the regulation, `article` the place in it, `words` what it says there. `contents`
    are what of the use counts: which items (`name`), in which specification, and how much."""

    name: str
    title: Words
    source: Words
    article: Words
    words: Words
    kinds: tuple[Kind, ...]
    contents: tuple[Content, ...]

    @property
    def counted(self) -> frozenset[str]:
        """The kinds out of `EVERY_KIND` that count."""
        return frozenset().union(*(_MEMBERS[kind] for kind in self.kinds))

    @property
    def cited(self) -> str:
        """As a reason names it."""
        return f"{self.source}{self.article}"


def read(text: str, file: str) -> Definition:
    """The checked definition of a TOML text. Raises `DefinitionError`."""
    if len(text) > LONGEST:
        raise DefinitionError(file, None, "", f"太长：至多 {LONGEST} 字")
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"line (\d+)", str(error))
        problem = f"不是正确的 TOML：{error}"
        raise DefinitionError(file, int(found[1]) if found else None, "", problem) from None
    except RecursionError:
        raise DefinitionError(file, None, "", "方括号或花括号嵌套过深") from None
    try:
        definition = msgspec.convert(tree, Definition, strict=True)
    except msgspec.ValidationError as error:
        key, problem = _explained(str(error))
        raise DefinitionError(file, _line(text, key), key, problem) from None
    if not _NAME.fullmatch(definition.name):
        problem = "应为小写字母、数字和短横，至多 32 个"
        raise DefinitionError(file, _line(text, "name"), "name", problem)
    given: dict[str, set[str]] = {
        "kinds": set[str](definition.kinds),
        "contents": set[str](definition.contents),
    }
    if "consumable" in given["kinds"]:
        given["kinds"].add("high_value")
    for key, needed, problem in _ALWAYS:
        if needed not in given[key]:
            raise DefinitionError(file, _line(text, key), key, f"缺少 {needed}：{problem}")
    return definition


def _explained(message: str) -> tuple[str, str]:
    """msgspec's «… - at `$.kinds[1]`» as (key, problem)."""
    problem, _sep, path = message.partition(" - at `$")
    key = path.rstrip("`").lstrip(".").partition("[")[0]
    unknown = re.search(r"unknown field `([^`]+)`", problem)
    missing = re.search(r"missing required field `([^`]+)`", problem)
    enum = re.fullmatch(r"Invalid enum value '(.*)'", problem, re.DOTALL)
    if unknown:
        return unknown[1], "没有这个键"
    if missing:
        return missing[1], "缺少必填的键"
    if enum:
        known = "drug、consumable、high_value" if key == "kinds" else "name、specification、usage"
        return key, f"没有这种取值：{enum[1]}；可用：{known}"
    return key, f"写法不对：{problem}"


def _line(text: str, key: str) -> int | None:
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(rf"\s*{re.escape(key)}\s*=", line):
            return number
    return None
