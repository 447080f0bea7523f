"""`qingfang bench recognition`: how well disclosures are recognised, and what it costs in alarms.

Own schemas in four dialects (`schema`), every technique and look-alike as readable text (`fixtures`),
meaning-preserving rewrites (`rewrites`), truth by interference (`interference`), a keyword rule beside
(`baseline`), counting (`score`) and the page (`page`); docs/recognition.md says what it means.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

import msgspec
from msgspec import Struct

from qingfang.bench import Impossible, Progress, Report, machine
from qingfang.bench.recognition import daily, page, scenes, score, stream
from qingfang.bench.recognition.fixtures import Case, Technique, techniques
from qingfang.bench.recognition.interference import Laboratory
from qingfang.bench.recognition.results import Scene, Stream
from qingfang.bench.recognition.schema import DIALECTS
from qingfang.language import _

SCENES: tuple[str, ...] = tuple(f"T{n}" for n in range(69, 97))
"""Techniques of channel, blindness and process: not a matter of one session's SQL. `scenes.play`
plays them and gives `results.Scene`s."""

PARTS: tuple[str, ...] = (
    *("attacks", "lookalikes", "renaming", "definitions"),
    *("scenes", "stream"),
)
_EVERY = 25


class Options(Struct, frozen=True):
    """What to run: empty means all."""

    dialects: tuple[str, ...] = ()
    techniques: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    rewrites: int = 20
    seed: int = 1
    benign: int = stream.STATEMENTS_A_DAY


def report(progress: Progress, options: Mapping[str, object]) -> Report:
    """The benchmark with the command's options. Raises `Impossible` for one that makes no sense."""
    markdown = bool(options.get("markdown"))
    asked = _asked({key: value for key, value in options.items() if key != "markdown"})
    scored = measure(progress, asked)
    played, flowed = daily_measures(progress, asked)
    if markdown:
        texts = page.markdown(scored), daily.markdown(flowed, played)
    else:
        texts = page.missed(scored), daily.missed(flowed, played)
    return Report(
        "recognition",
        machine(),
        [*page.rows(scored), *daily.rows(flowed, played)],
        {**page.details(scored), **daily.details(flowed, played)},
        "\n".join(text for text in texts if text),
    )


def _asked(options: Mapping[str, object]) -> Options:
    try:
        asked = msgspec.convert(options, Options)
    except msgspec.ValidationError as error:
        raise Impossible(str(error)) from None
    for given, known in ((asked.dialects, DIALECTS), (asked.parts, PARTS)):
        strange = set(given) - set(known)
        if strange:
            raise Impossible(
                _("没有 {}；可选：{}").format(" ".join(sorted(strange)), " ".join(known))
            )
    if asked.rewrites < 0:
        raise Impossible(_("变形的个数不能小于 0"))
    if asked.benign < 1:
        raise Impossible(_("日常语句的条数至少是 1"))
    return asked


def measure(progress: Progress, options: Options) -> score.Scored:
    """Run what `options` ask for. Raises `Impossible` for a technique that does not exist."""
    dialects = options.dialects or DIALECTS
    # What sqlglot cannot print is noticed by its result; its warnings would drown the progress.
    logging.getLogger("sqlglot").setLevel(logging.CRITICAL)
    scored = score.nothing()
    chosen = {part: _chosen(part, options) for part in ("attacks", "lookalikes", "definitions")}
    known = {scene.technique for scene in scenes.scenes()}
    if not any(chosen.values()) and known.isdisjoint(options.techniques):
        raise Impossible(_("没有这些手法：{}").format(" ".join(options.techniques)))
    with Laboratory() as laboratory:
        for part, count, title in (
            ("attacks", score.attacks, _("手法")),
            ("lookalikes", score.lookalikes, _("貌似")),
        ):
            if options.parts and part not in options.parts:
                continue
            todo = list(score.cases(chosen[part], dialects))
            tick = _ticker(progress, title, len(todo))
            count(scored, todo, laboratory, options.rewrites, options.seed, tick)
        if not options.parts or "definitions" in options.parts:
            kinds = list(score.cases(chosen["definitions"], dialects))
            attacked = list(score.cases(chosen["attacks"], dialects))
            tick = _ticker(progress, _("统方定义"), len(kinds) + len(attacked))
            score.by_definition(scored, kinds, attacked, laboratory, tick)
    if not options.parts or "renaming" in options.parts:
        every = [*chosen["attacks"], *chosen["lookalikes"]]
        tick = _ticker(progress, _("改名"), sum(1 for _case in score.cases(every, dialects)))
        score.renaming(scored, every, dialects, options.seed, tick)
    return scored


def daily_measures(progress: Progress, options: Options) -> tuple[list[Scene], Stream | None]:
    """The played scenes, and the stream (None when techniques or parts were asked for and it is not
    among them)."""
    dialects = options.dialects or DIALECTS
    played: list[Scene] = []
    if not options.parts or "scenes" in options.parts:
        played = scenes.play(dialects, options.techniques, progress)
    flowed = None
    if "stream" in options.parts or not (options.parts or options.techniques):
        flowed = stream.run(progress, dialects, options.benign, options.seed)
    return played, flowed


def _chosen(part: str, options: Options) -> list[Technique]:
    found = techniques(part)
    return [t for name, t in found.items() if not options.techniques or name in options.techniques]


def _ticker(progress: Progress, title: str, total: int) -> Callable[[Case], None]:
    done = 0

    def tick(case: Case) -> None:
        nonlocal done
        if done % _EVERY == 0:
            progress(f"{title} {done} / {total}  {case.name}")
        done += 1

    return tick
