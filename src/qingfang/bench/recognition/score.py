"""Runs cases and their rewrites through `explain` and counts what was caught.

Rules this module keeps:

1. The product is asked through its front door (`engine.explain`), a fresh one for every case: what
   one case created or learned is gone before the next.
2. An attack is caught when a statement, its session or its person is said to reveal `usage` finer
   than the whole institution, or, where nothing better can be known (`@expect opaque`), is said to be
   `opaque`. A technique counts in a dialect only if all its texts, kinds and rewrites are caught.
3. What interference does not confirm is not scored: it is listed as defective.
4. Look-alikes are rewritten too; a rewrite that interference does not find equal is defective.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from msgspec import Struct

from qingfang.bench.recognition import baseline, rewrites
from qingfang.bench.recognition.fixtures import Case, Technique
from qingfang.bench.recognition.interference import Laboratory, Truth
from qingfang.bench.recognition.results import Miss
from qingfang.bench.recognition.rewrites import Rewritten
from qingfang.bench.recognition.schema import Schema, catalogue, renamed, schema
from qingfang.engine import definitions
from qingfang.engine.explain import Explainer
from qingfang.understand.catalogue import Catalogue, load
from qingfang.understand.definition import DRUG, HIGH_VALUE, ORDINARY, Definition

_START = datetime.fromisoformat("2026-01-20T09:00:00+08:00")
_RENAMED = "表列改名"
_DEFINITION = "统方定义"
_COUNTED = {"drug": DRUG, "material": HIGH_VALUE, "ordinary": ORDINARY}
_GRAINS = ("detail", "prescriber", "department", "institution")


class Said(Struct, frozen=True):
    """What the product said of one case. `last` is the meaning of the last statement, in the words of
    the fixtures, `gathered` what session or person added up to. `opaque` tells whether
    any of it was; `until` is after how many statements usage finer than the institution's was
    said, 0 for never."""

    last: str
    gathered: tuple[str, ...]
    opaque: bool
    until: int


class Counted(Struct):
    """Counts for one technique, dialect or grain. `cases` are rewrites that were scored."""

    cases: int = 0
    caught: int = 0
    opaque: int = 0
    grain_known: int = 0
    grain_right: int = 0
    keyword: int = 0
    statements: int = 0

    def add(
        self, caught: bool, opaque: bool, grain: bool | None, keyword: bool, until: int
    ) -> None:
        self.cases += 1
        self.caught += caught
        self.opaque += opaque and not caught
        self.grain_known += grain is not None
        self.grain_right += grain is True
        self.keyword += keyword
        self.statements += until


class Judged(Struct):
    """Of `cases` asked under a definition, those that were judged as it says."""

    cases: int = 0
    right: int = 0


class Scored(Struct):
    """What the attacks and the look-alikes came to.

    `whole` maps (technique, dialect) to whether every rewrite was caught, `safe` the same with
    `opaque` taken for caught. `alike` counts look-alikes as (expected, said) disclosures, by
    dialect; `alike_cases` and `alike_wrong` count them by technique and dialect; `keyword_false` those harmless ones that the keyword rule flags. `labels` counts cases
    whose truth is a label, by its reason. `renamed` counts cases asked again under other names,
    `renamed_wrong` those that were then judged otherwise. `definitions` counts statements by
    (definition, kind of item, dialect)."""

    whole: dict[tuple[str, str], bool]
    safe: dict[tuple[str, str], bool]
    techniques: dict[tuple[str, str], Counted]
    grains: dict[tuple[str, str], Counted]
    alike: dict[tuple[str, str, str], int]
    alike_cases: dict[tuple[str, str], int]
    alike_wrong: dict[tuple[str, str], int]
    keyword_false: dict[str, int]
    misses: list[Miss]
    defective: list[Miss]
    labels: dict[str, int]
    renamed: int = 0
    renamed_wrong: int = 0
    definitions: dict[tuple[str, str, str], Judged] = {}


def nothing() -> Scored:
    return Scored({}, {}, {}, {}, {}, {}, {}, {}, [], [], {})


# ---------------------------------------------------------------- asking the product


@cache
def _catalogue(dialect: str) -> Catalogue:
    return load(catalogue(schema(dialect)))


def _catalogue_of(case: Case, of: Schema | None = None) -> Catalogue:
    if of is None and not (case.views or case.procedures or case.synonyms):
        return _catalogue(case.dialect)
    tree = catalogue(of or schema(case.dialect))
    views = tree["views"]
    assert isinstance(views, dict)
    tree["views"] = {**views, **dict(case.views)}
    tree["procedures"] = dict(case.procedures)
    tree["synonyms"] = dict(case.synonyms)
    return load(tree)


def ask(case: Case, of: Schema | None = None, definition: Definition | None = None) -> Said:
    """What the product says of a case, statement after statement, with the catalogue of `of` (the
    dialect's schema), under a definition (the stricter one)."""
    explainer = Explainer(_catalogue_of(case, of), case.dialect, definition)
    last, gathered, opaque, until = "", (), False, 0
    for number, step in enumerate(case.steps, 1):
        line = {"id": number, "sql": step.sql, "session": step.session, "binds": step.binds}
        line["at"] = (_START + timedelta(seconds=step.after)).isoformat()
        if step.operator:
            line["operator"] = step.operator
        said = json.loads(explainer.answer(number, json.dumps(line).encode()))
        stored = "stored" if said["delivery"] == "stored" else None
        last = _words(said["disclosure"], said["grain"], said["subtype"], stored)
        gathered = tuple(
            _words(said[f"{over}_disclosure"], said[f"{over}_grain"])
            for over in ("session", "person")
            if said[f"{over}_disclosure"] is not None
        )
        for words in (last, *gathered):
            opaque = opaque or words.startswith("opaque")
            if words.startswith("usage") and "institution" not in words:
                until = until or number
    return Said(last, gathered, opaque, until)


def _words(*words: str | None) -> str:
    return " ".join(word for word in words if word)


# ---------------------------------------------------------------- scoring


def cases(techniques: Sequence[Technique], dialects: Sequence[str]) -> Iterator[Case]:
    for technique in techniques:
        for dialect in dialects:
            yield from technique.cases(dialect)


def attacks(
    scored: Scored,
    todo: Sequence[Case],
    laboratory: Laboratory,
    count: int,
    seed: int,
    tick: Callable[[Case], None],
) -> None:
    """Score attacks: each as written and under `count` rewrites."""
    reasons = explanations()
    for case in todo:
        tick(case)
        if case.label:
            scored.labels[case.label] = scored.labels.get(case.label, 0) + 1
        for rewritten in _versions(case, count, seed):
            truth = laboratory.truth(rewritten.executed, case.dialect)
            if not truth.reveals and not case.label:
                scored.defective.append(_defect(rewritten, truth))
                continue
            attack(scored, rewritten, ask(rewritten.case), reasons)


def attack(
    scored: Scored, rewritten: Rewritten, said: Said, reasons: dict[tuple[str, str], str]
) -> None:
    """Count one rewrite of an attack."""
    case = rewritten.case
    wanted = case.session or case.expect
    caught = said.until > 0 or (wanted == "opaque" and said.opaque)
    grain = _grain(wanted)
    right: bool | None = None
    if caught and grain is not None:
        found = said.gathered if case.session else (said.last,)
        right = any(_grain(words) == grain for words in found)
    key = (case.technique, case.dialect)
    scored.whole[key] = scored.whole.get(key, True) and caught
    scored.safe[key] = scored.safe.get(key, True) and (caught or said.opaque)
    keyword = baseline.flags(case)
    for counts, place in (
        (scored.techniques, key),
        (scored.grains, (grain or "opaque", case.dialect)),
    ):
        counted = counts.setdefault(place, Counted())
        counted.add(caught, said.opaque, right, keyword, said.until)
    if not caught or right is False:
        why = reasons.get(key, "")
        scored.misses.append(_miss(rewritten, wanted, said, why))


def lookalikes(
    scored: Scored,
    todo: Sequence[Case],
    laboratory: Laboratory,
    count: int,
    seed: int,
    tick: Callable[[Case], None],
) -> None:
    """Score look-alikes: what is said must be what is written, under rewrites too."""
    for case in todo:
        tick(case)
        plain = laboratory.truth(rewrites.original(case).executed, case.dialect)
        for rewritten in _versions(case, count, seed, alike=True):
            truth = laboratory.truth(rewritten.executed, case.dialect)
            if truth.noticed != plain.noticed or truth.executed != plain.executed:
                scored.defective.append(_defect(rewritten, truth))
                continue
            alike(scored, rewritten, ask(rewritten.case))


def alike(scored: Scored, rewritten: Rewritten, said: Said) -> None:
    """Count one rewrite of a look-alike."""
    case = rewritten.case
    expected, got = case.expect.split()[0], said.last.split()[0]
    if said.until and expected not in {"usage", "opaque"}:
        got = "usage"
    place = (case.dialect, expected, got)
    scored.alike[place] = scored.alike.get(place, 0) + 1
    if expected in {"none", "clinical"}:
        flagged = int(baseline.flags(case))
        scored.keyword_false[case.dialect] = scored.keyword_false.get(case.dialect, 0) + flagged
    key = (case.technique, case.dialect)
    scored.alike_cases[key] = scored.alike_cases.get(key, 0) + 1
    if said.last != case.expect:
        scored.alike_wrong[key] = scored.alike_wrong.get(key, 0) + 1
        scored.misses.append(_miss(rewritten, case.expect, said, explanations().get(key, "")))


def renaming(
    scored: Scored,
    chosen: Sequence[Technique],
    dialects: Sequence[str],
    seed: int,
    tick: Callable[[Case], None],
) -> None:
    """Ask each case again with every table and column called something else."""
    for technique in chosen:
        for dialect in dialects:
            other = renamed(schema(dialect), seed)
            for case, again in zip(
                technique.cases(dialect), technique.cases(dialect, other), strict=True
            ):
                tick(case)
                scored.renamed += 1
                before, after = ask(case), ask(again, other)
                if before != after:
                    scored.misses.append(
                        _miss(Rewritten((_RENAMED,), again, ()), before.last, after, "")
                    )
                    scored.renamed_wrong += 1


def by_definition(
    scored: Scored,
    kinds: Sequence[Case],
    attacked: Sequence[Case],
    laboratory: Laboratory,
    tick: Callable[[Case], None],
) -> None:
    """Ask under every definition: the texts `kinds` must be what they say when their kind of item
    counts there, and `none` when it does not; attacks must be caught under any."""
    for case in kinds:
        tick(case)
        original = rewrites.original(case)
        truth = laboratory.truth(original.executed, case.dialect)
        if not truth.reveals:
            scored.defective.append(_defect(original, truth))
            continue
        for name in definitions.names():
            definition = definitions.built_in(name)
            wanted = case.expect if _COUNTED[case.kind] in definition.counted else "none"
            said = ask(case, definition=definition)
            _judged(scored, name, original, wanted, said, said.last == wanted)
    for case in attacked:
        tick(case)
        wanted = case.session or case.expect
        for name in definitions.names():
            if name == definitions.DEFAULT:
                continue
            said = ask(case, definition=definitions.built_in(name))
            caught = said.until > 0 or (wanted == "opaque" and said.opaque)
            _judged(scored, name, rewrites.original(case), wanted, said, caught)


def _judged(
    scored: Scored, definition: str, asked: Rewritten, wanted: str, said: Said, right: bool
) -> None:
    counted = scored.definitions.setdefault(
        (definition, asked.case.kind, asked.case.dialect), Judged()
    )
    counted.cases += 1
    counted.right += right
    if not right:
        again = Rewritten((f"{_DEFINITION} {definition}",), asked.case, ())
        scored.misses.append(_miss(again, wanted, said, ""))


def _versions(case: Case, count: int, seed: int, *, alike: bool = False) -> Iterator[Rewritten]:
    yield rewrites.original(case)
    for n in range(1, count + 1):
        yield rewrites.rewrite(case, seed * 1000 + n, alike=alike)


def _grain(words: str) -> str | None:
    return next((word for word in words.split() if word in _GRAINS), None)


def _miss(rewritten: Rewritten, wanted: str, said: Said, why: str) -> Miss:
    got = "；".join(dict.fromkeys((said.last, *said.gathered)))
    steps = rewritten.case.steps
    text = "\n;;\n".join(step.sql for step in steps[:4])
    return Miss(rewritten.case.name, rewritten.seed, rewritten.steps, text, wanted, got, why)


def _defect(rewritten: Rewritten, truth: Truth) -> Miss:
    text = "\n;;\n".join(rewritten.executed[:4])
    got = truth.problem or "".join(sorted(truth.noticed))
    return Miss(rewritten.case.name, rewritten.seed, rewritten.steps, text, "", got)


@cache
def explanations() -> dict[tuple[str, str], str]:
    """Why a technique is not recognised in a dialect: `explanations.txt`, one a line."""
    text = (Path(__file__).parent / "explanations.txt").read_text(encoding="utf-8")
    found: dict[tuple[str, str], str] = {}
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            head, _colon, why = line.partition(":")
            technique, *dialects = head.split()
            found |= {(technique, dialect): why.strip() for dialect in dialects}
    return found


def tally(counts: dict[tuple[str, str], Counted], *, dialect: str | None = None) -> Counted:
    """The sum over all keys, or over those of one dialect."""
    total = Counter[str]()
    for (_name, where), counted in counts.items():
        if dialect in (None, where):
            for field in Counted.__struct_fields__:
                total[field] += getattr(counted, field)
    return Counted(**{field: total[field] for field in Counted.__struct_fields__})
