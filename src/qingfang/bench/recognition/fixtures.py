"""Techniques and look-alikes as text that a pharmacist-informatician reads, and the cases made of it.

A file holds techniques:

    == T01 按医生按药品汇总 | per-doctor × item SUM
    @expect usage prescriber item
    SELECT c.{rx.doctor}, m.{line.item}, SUM(m.{line.qty})
    FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id} GROUP BY c.{rx.doctor}, m.{line.item}
    @text oracle
    SELECT …

The first text is for all dialects unless `@text` names some; each further `@text [dialects]` is a
variant. Placeholders are those of `schema`. Directives before a text's first statement:

`@expect WORDS` the meaning of the last statement: disclosure, grain, subtype, `stored`;
before the first text it holds for all, inside a text for this one · `@session WORDS` what the
session (or the person) must have learned by the end · `@label REASON` it cannot be executed here:
the truth is this label · `@procedure NAME`, `@view NAME` (the text up to the next directive or `;;`
goes into the catalogue) · `@hex NAME` (the text after it, rendered, as hexadecimal digits where the
statements say `{NAME}`) · `@synonym NAME TARGET` ·
`@only KIND : REASON` (for all texts before the first, for this text inside one) · before the first
text also `@not DIALECT… : REASON` (makes no sense there) and `@context WHY` a look-alike is allowed.

Inside a session statements are separated by a line `;;`, and before one may stand `@binds [JSON]`,
`@each N [gap=1d]` (N statements, `{*}` is the number, `{doctor*}` the code of that number, `{*x50}`
a multiple) and `@as key=value…` (`session` `operator` `at`, from here on).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from msgspec import Struct

from qingfang.bench.recognition.schema import (
    DIALECTS,
    EVERY_KIND,
    KINDS,
    Kind,
    Schema,
    render,
    schema,
)

_FOLDER = Path(__file__).parent
_HEAD = re.compile(r"== (\w+) ([^|]+) \| (.+)")
_GAP = re.compile(r"(\d+)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_PAUSE = 20


class FixtureError(ValueError):
    """A fixture file is wrong: the message names file and line."""


class Step(Struct, frozen=True):
    """One statement as it is sent. `after` is seconds since the case began."""

    sql: str
    after: int = 0
    session: str = "s"
    operator: str = ""
    binds: tuple[str | None, ...] | None = None


class Case(Struct, frozen=True):
    """One text of a technique in one dialect for one kind of item. `number` counts the texts."""

    technique: str
    number: int
    dialect: str
    kind: Kind
    steps: tuple[Step, ...]
    expect: str
    session: str = ""
    label: str = ""
    procedures: tuple[tuple[str, str], ...] = ()
    views: tuple[tuple[str, str], ...] = ()
    synonyms: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        return f"{self.technique}.{self.number} {self.dialect} {self.kind}"

    @property
    def binds(self) -> bool:
        """Whether its statements come with bound values."""
        return any(step.binds is not None for step in self.steps)


@dataclass
class _Statement:
    sql: str
    each: int = 0
    gap: int = _PAUSE
    binds: str = ""
    given: dict[str, str] = field(default_factory=dict)


@dataclass
class _Text:
    line: int
    dialects: tuple[str, ...]
    expect: str = ""
    session: str = ""
    label: str = ""
    kinds: tuple[Kind, ...] = EVERY_KIND
    procedures: list[tuple[str, str]] = field(default_factory=list)
    views: list[tuple[str, str]] = field(default_factory=list)
    hexes: list[tuple[str, str]] = field(default_factory=list)
    synonyms: list[tuple[str, str]] = field(default_factory=list)
    statements: list[_Statement] = field(default_factory=list)


@dataclass
class Technique:
    """`absent` maps a dialect to the reason why the technique makes no sense there; `kinds` are
    those it has, `why_kinds` why not both. `context` is why a look-alike is allowed."""

    id: str
    zh: str
    en: str
    file: str
    line: int
    expect: str = ""
    context: str = ""
    absent: dict[str, str] = field(default_factory=dict)
    kinds: tuple[Kind, ...] = KINDS
    why_kinds: str = ""
    texts: list[_Text] = field(default_factory=list)

    def cases(self, dialect: str, of: Schema | None = None) -> Iterator[Case]:
        """The cases in a dialect, over its own schema or another one of that dialect."""
        of = of or schema(dialect)
        for number, text in enumerate(self.texts, 1):
            if dialect in text.dialects and dialect not in self.absent:
                for kind in self.kinds:
                    if kind in text.kinds:
                        yield self._case(text, number, of, kind)

    def _case(self, text: _Text, number: int, of: Schema, kind: Kind) -> Case:
        def pairs(given: list[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
            return tuple((render(name, of, kind), render(body, of, kind)) for name, body in given)

        try:
            return Case(
                self.id,
                number,
                of.dialect,
                kind,
                tuple(_steps(text, of, kind)),
                text.expect or self.expect,
                text.session,
                text.label,
                pairs(text.procedures),
                pairs(text.views),
                pairs(text.synonyms),
            )
        except ValueError as error:
            raise FixtureError(f"{self.file}:{text.line}: {error}") from None


def _steps(text: _Text, of: Schema, kind: Kind) -> Iterator[Step]:
    after, given = 0, {"session": "s", "operator": ""}
    hexes = {name: render(body, of, kind).strip().encode().hex() for name, body in text.hexes}
    for statement in text.statements:
        given |= statement.given
        after = int(statement.given.get("at", after))
        whole = statement.sql
        for name, digits in hexes.items():
            whole = whole.replace(f"{{{name}}}", digits.upper())
        for n in range(1, statement.each + 1) if statement.each else (0,):
            binds = None
            if statement.binds:
                binds = tuple(json.loads(render(_numbered(statement.binds, n), of, kind)))
            sql = render(_numbered(whole, n), of, kind)
            yield Step(sql, after, given["session"], given["operator"], binds)
            after += statement.gap


def _numbered(text: str, n: int) -> str:
    """The n-th of a repeated statement."""
    if not n:
        return text
    text = re.sub(r"\{\*x(\d+)\}", lambda found: str(n * int(found[1])), text)
    return text.replace("{*}", str(n)).replace("*}", f"{n}}}").replace("*!}", f"{n}!}}")


# ---------------------------------------------------------------- reading


@cache
def techniques(folder: str) -> dict[str, Technique]:
    """The techniques in the files of `attacks`, `lookalikes` or `definitions`, by id."""
    found: dict[str, Technique] = {}
    for file in sorted((_FOLDER / folder).glob("*.sql")):
        for technique in read(file.read_text(encoding="utf-8"), file.name):
            if technique.id in found:
                raise FixtureError(f"{file.name}:{technique.line}: {technique.id} 重复")
            found[technique.id] = technique
    return found


def read(source: str, file: str) -> list[Technique]:
    """The techniques of one file. Raises FixtureError."""
    found: list[Technique] = []
    reader: _Reader | None = None
    for number, line in enumerate(source.splitlines(), 1):
        head = _HEAD.fullmatch(line)
        if line.startswith("== "):
            if head is None:
                raise FixtureError(f"{file}:{number}: 应为 == 编号 中文名 | English name")
            found.append(Technique(head[1], head[2].strip(), head[3].strip(), file, number))
            reader = _Reader(found[-1])
        elif reader is not None:
            try:
                reader.line(number, line)
            except (ValueError, KeyError, IndexError) as error:
                raise FixtureError(f"{file}:{number}: {error}") from None
    for technique in found:
        for text in technique.texts:
            text.statements = [s for s in text.statements if s.sql.strip()]
            if not text.statements:
                raise FixtureError(f"{file}:{text.line}: {technique.id} 这里没有语句")
            for statement in text.statements:
                statement.sql = statement.sql.strip()
    return found


class _Reader:
    """Takes the lines of one technique."""

    def __init__(self, technique: Technique) -> None:
        self.technique = technique
        self.into: list[tuple[str, str]] | None = None

    def line(self, number: int, line: str) -> None:
        if line.startswith("@"):
            word, _space, rest = line[1:].partition(" ")
            self.directive(number, word, rest.strip())
        elif self.into is not None:
            if line == ";;":
                self.into = None
            else:
                name, body = self.into[-1]
                self.into[-1] = (name, f"{body}{line}\n")
        elif line == ";;":
            self.text(number).statements.append(_Statement(""))
        elif line.strip() or (self.technique.texts and self.statement(number).sql):
            self.statement(number).sql += line + "\n"

    def text(self, number: int) -> _Text:
        texts = self.technique.texts
        if not texts:
            texts.append(_Text(number, DIALECTS))
        return texts[-1]

    def statement(self, number: int) -> _Statement:
        statements = self.text(number).statements
        if not statements:
            statements.append(_Statement(""))
        return statements[-1]

    def directive(self, number: int, word: str, rest: str) -> None:
        technique, self.into = self.technique, None
        if word == "text":
            dialects = tuple(rest.split()) or DIALECTS
            if not set(dialects) <= set(DIALECTS):
                raise ValueError(f"没有这种方言：{rest}")
            technique.texts.append(_Text(number, dialects))
        elif word in {"not", "only"}:
            names, _colon, why = rest.partition(":")
            if not why.strip():
                raise ValueError(f"@{word} 要写原因")
            if word == "not":
                technique.absent |= dict.fromkeys(names.split(), why.strip())
            elif technique.texts:
                self.text(number).kinds = _kinds(names)
            else:
                technique.kinds, technique.why_kinds = _kinds(names), why.strip()
        elif word == "context":
            technique.context = rest
        elif word == "expect" and not technique.texts:
            technique.expect = rest
        elif word in {"expect", "session", "label"}:
            setattr(self.text(number), word, rest)
        elif word in {"procedure", "view", "hex"}:
            text = self.text(number)
            self.into = {"procedure": text.procedures, "view": text.views, "hex": text.hexes}[word]
            self.into.append((rest, ""))
        elif word == "synonym":
            name, target = rest.split()
            self.text(number).synonyms.append((name, target))
        elif word == "binds":
            self.statement(number).binds = rest
        elif word == "each":
            count, *options = rest.split()
            statement = self.statement(number)
            statement.each = int(count)
            for option in options:
                statement.gap = seconds(option.removeprefix("gap="))
        elif word == "as":
            for pair in rest.split():
                key, value = pair.split("=")
                if key not in {"session", "operator", "at"}:
                    raise ValueError(f"@as 没有 {key}")
                self.statement(number).given[key] = str(seconds(value)) if key == "at" else value
        else:
            raise ValueError(f"没有这个指令：@{word}")


def _kinds(names: str) -> tuple[Kind, ...]:
    return tuple(kind for kind in EVERY_KIND if kind in names.split())


def seconds(text: str) -> int:
    """`90s` `5m` `2h` `1d` as seconds. Raises ValueError."""
    found = _GAP.fullmatch(text)
    if found is None:
        raise ValueError(f"应为 90s、5m、2h、1d 这样的时长，现为 {text!r}")
    return int(found[1]) * _SECONDS[found[2]]
