"""What each part of the benchmark hands back: sentences and figures, no behaviour.

`scenes.play` and `stream.run` fill `Scene` and `Stream`; `score` fills the rest.
"""

from __future__ import annotations

from msgspec import Struct


class Scene(Struct, frozen=True):
    """One played scene of a technique that is not a matter of SQL: blindness, channel, process.

    `expected` and `got` say in a few words what had to happen and what did (alarm, watch, pass);
    `statements` is how many were sent before the alarm, None without one. `explanation` is empty
    when `met`.
    """

    technique: str
    name: str
    expected: str
    got: str
    met: bool
    statements: int | None = None
    explanation: str = ""


class Alarm(Struct, frozen=True):
    """A false alarm on benign work: the statement, who sent it, the sentence the inspector reads, and
    the findings it rests on (their codes). `technique` is the look-alike it was, if it was one;
    `true` tells whether operator and terminal in it are those who sent it."""

    dialect: str
    sql: str
    program: str
    operator: str
    at: str
    sentence: str
    codes: tuple[str, ...] = ()
    technique: str = ""
    true: bool = True


class Planted(Struct, frozen=True):
    """An attack session mixed into the stream, over an hour, a day or a month (`over`), by one or two
    `people`: whether it was found, after how many of its own statements, and whether the alarm named
    operator, terminal and place as they were."""

    technique: str
    dialect: str
    over: str
    people: int
    caught: bool
    statements: int | None = None
    named: bool = False
    explanation: str = ""


class Stream(Struct, frozen=True):
    """A seeded stream of benign statements in a hospital's proportions with sessions mixed in.

    `days` are the hospital days it stands for, `seconds` what generating and judging took; `opaque`
    counts benign statements, `opaque_templates` their templates, of `templates`; `after` counts
    alarms on benign work of those who had attacked before: they are no false alarms."""

    benign: int
    days: float
    seconds: float
    alarms: tuple[Alarm, ...] = ()
    planted: tuple[Planted, ...] = ()
    opaque: int = 0
    templates: int = 0
    opaque_templates: int = 0
    verdicts: dict[str, int] = {}
    after: int = 0


class Miss(Struct, frozen=True):
    """Something the product got wrong: the case's name, the rewrite's seed and steps, the text, what
    had to come out and what did. `explanation` comes from `explanations.txt`."""

    case: str
    rewrite: int
    steps: tuple[str, ...]
    sql: str
    expected: str
    got: str
    explanation: str = ""
