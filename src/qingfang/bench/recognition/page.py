"""The benchmark's figures as rows against their bars, as JSON, and as the table of the documentation."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct, to_builtins

from qingfang.bench import Row
from qingfang.bench.recognition.fixtures import techniques
from qingfang.bench.recognition.results import Miss
from qingfang.bench.recognition.schema import DIALECTS
from qingfang.bench.recognition.score import Counted, Judged, Scored, explanations, tally
from qingfang.language import _

TECHNIQUES_BAR = 0.98
RECALL_BAR = 0.97
SAFE_BAR = 0.995
PRECISION_BAR = 0.97
GRAIN_BAR = 0.97
OPAQUE_BAR = 0.03
_LONGEST = 2_000
_HEAD = 2
_NAMES = {"oracle": "Oracle", "tsql": "SQL Server", "mysql": "MySQL", "postgres": "PostgreSQL"}


class Alike(Struct, frozen=True):
    """Of the look-alikes: how many said to be usage were none, and the share of opaque among the
    harmless."""

    harmless: int
    false: int
    opaque: int
    usage: int
    right: int


def share(part: int, of: int) -> float:
    return round(part / of, 4) if of else 0.0


def alike(scored: Scored, dialect: str | None = None) -> Alike:
    counts = {
        (expected, said): 0
        for expected in ("none", "clinical", "usage", "opaque")
        for said in ("none", "clinical", "usage", "opaque")
    }
    for (where, expected, said), n in scored.alike.items():
        if dialect in (None, where):
            counts[expected, said] += n
    harmless = sum(n for (e, _s), n in counts.items() if e in {"none", "clinical"})
    false = counts["none", "usage"] + counts["clinical", "usage"]
    opaque = counts["none", "opaque"] + counts["clinical", "opaque"]
    right = counts["usage", "usage"]
    return Alike(harmless, false, opaque, right + false + counts["opaque", "usage"], right)


def precision(counted: Counted, told: Alike) -> float:
    """Of all that was said to be usage, the share that is."""
    return share(counted.caught + told.right, counted.caught + told.usage)


def present(scored: Scored) -> list[str]:
    seen = {where for _name, where in scored.whole} | {where for where, _e, _s in scored.alike}
    return [dialect for dialect in DIALECTS if dialect in seen]


def rows(scored: Scored) -> list[Row]:
    """The bars of the benchmark, and how they were met."""
    found: list[Row] = []
    for dialect in present(scored):
        name = _NAMES[dialect]
        whole = [ok for (_t, where), ok in scored.whole.items() if where == dialect]
        counted, told = tally(scored.techniques, dialect=dialect), alike(scored, dialect)
        if whole:
            safe = [ok for (_t, where), ok in scored.safe.items() if where == dialect]
            found += [
                _least(
                    _("{}：手法全部变形都认出").format(name),
                    share(sum(whole), len(whole)),
                    TECHNIQUES_BAR,
                ),
                Row(_("{}：同上，存疑也算").format(name), share(sum(safe), len(safe))),
                _least(
                    _("{}：召回").format(name),
                    share(counted.caught, counted.cases),
                    RECALL_BAR,
                    share(counted.keyword, counted.cases),
                ),
                _least(
                    _("{}：召回，存疑也算").format(name),
                    share(counted.caught + counted.opaque, counted.cases),
                    SAFE_BAR,
                ),
                _least(
                    _("{}：粒度正确").format(name),
                    share(counted.grain_right, counted.grain_known),
                    GRAIN_BAR,
                ),
            ]
        if told.harmless:
            found += [
                _least(
                    _("{}：精确率").format(name),
                    precision(counted, told),
                    PRECISION_BAR,
                    _keyword_precision(scored, counted, dialect) if counted.cases else None,
                ),
                _most(
                    _("{}：无害语句存疑").format(name),
                    share(told.opaque, told.harmless),
                    OPAQUE_BAR,
                ),
            ]
    if scored.whole or scored.alike:
        found.append(_most(_("有缺陷的变形（不计分）"), float(len(scored.defective)), 0))
    if scored.renamed:
        found.append(_most(_("表列改名后判断变了"), float(scored.renamed_wrong), 0))
    if scored.definitions:
        wrong = sum(judged.cases - judged.right for judged in scored.definitions.values())
        found.append(_most(_("按统方定义判得不对"), float(wrong), 0))
    return found


def _keyword_precision(scored: Scored, counted: Counted, dialect: str) -> float:
    false = scored.keyword_false.get(dialect, 0)
    return share(counted.keyword, counted.keyword + false)


def _least(what: str, ours: float, bar: float, peer: float | None = None) -> Row:
    name = _("关键词规则") if peer is not None else ""
    return Row(what, ours, peer, name, goal=f"≥ {bar:g}", met=ours >= bar)


def _most(what: str, ours: float, bar: float) -> Row:
    return Row(what, ours, goal=f"≤ {bar:g}", met=ours <= bar)


def details(scored: Scored) -> dict[str, object]:
    """Everything counted, for JSON."""
    return {
        "techniques": [
            {
                "technique": name,
                "dialect": dialect,
                "whole": scored.whole.get((name, dialect)),
                **to_builtins(counted),
            }
            for (name, dialect), counted in scored.techniques.items()
        ],
        "grains": [
            {"grain": name, "dialect": dialect, **to_builtins(counted)}
            for (name, dialect), counted in scored.grains.items()
        ],
        "lookalikes": [
            {"dialect": dialect, "expected": expected, "said": said, "cases": n}
            for (dialect, expected, said), n in scored.alike.items()
        ],
        "definitions": [
            {"definition": name, "kind": kind, "dialect": dialect, **to_builtins(judged)}
            for (name, kind, dialect), judged in scored.definitions.items()
        ],
        "misses": to_builtins(scored.misses),
        "defective": to_builtins(scored.defective),
        "labels": [{"reason": reason, "cases": n} for reason, n in scored.labels.items()],
    }


def missed(scored: Scored) -> str:
    """Each technique that is not wholly caught, with its first example and why; then explanations
    of what is caught by now, which have to go."""
    first: dict[tuple[str, str], Miss] = {}
    for miss in scored.misses:
        name, dialect, _kind = miss.case.split()
        first.setdefault((name.split(".", maxsplit=1)[0], dialect), miss)
    lines: list[str] = []
    for (name, dialect), miss in first.items():
        steps = f"（{'、'.join(miss.steps)}）" if miss.steps else ""
        lines += [
            "",
            f"✗ {name} {_NAMES[dialect]} {steps}",
            f"  {_('应为')} {miss.expected}；{_('判为')} {miss.got}",
            f"  {_('原因')}: {miss.explanation or _('还没有写')}",
            *(f"    {line}" for line in miss.sql[:_LONGEST].splitlines()),
        ]
    for miss in scored.defective:
        lines += ["", f"? {miss.case} {miss.got}", *(f"    {x}" for x in miss.sql.splitlines())]
    stale = [
        f"{name} {dialect}"
        for name, dialect in explanations()
        if scored.whole.get((name, dialect)) and (name, dialect) not in first
    ]
    if stale:
        lines += ["", _("explanations.txt 里可以删去：{}").format("、".join(stale))]
    return "\n".join(lines)


# ---------------------------------------------------------------- Markdown


def markdown(scored: Scored) -> str:
    """The tables of docs/recognition.md."""
    dialects = present(scored)
    lines: list[str] = []
    if scored.whole:
        lines += [*_dialects(scored, dialects), "", *_grains(scored, dialects), ""]
        lines += [*_techniques(scored, dialects), ""]
        sessions = _sessions(scored, dialects)
        if len(sessions) > _HEAD:
            lines += [_("会话平均到第几条语句认出："), "", *sessions, ""]
    if scored.alike:
        lines += [*_lookalikes(scored, dialects), ""]
    if scored.definitions:
        lines += [*_definitions(scored), ""]
    return "\n".join(lines)


def _table(head: Iterable[str], body: Iterable[Iterable[str]]) -> list[str]:
    first = list(head)
    return [
        f"| {' | '.join(first)} |",
        f"| {' | '.join('---' for _name in first)} |",
        *(f"| {' | '.join(cells)} |" for cells in body),
    ]


def _percent(part: int, of: int) -> str:
    return f"{part / of:.1%}" if of else "–"


def _dialects(scored: Scored, dialects: list[str]) -> list[str]:
    body = []
    for dialect in dialects:
        counted, told = tally(scored.techniques, dialect=dialect), alike(scored, dialect)
        whole = [ok for (_t, where), ok in scored.whole.items() if where == dialect]
        safe = [ok for (_t, where), ok in scored.safe.items() if where == dialect]
        body.append(
            [
                _NAMES[dialect],
                f"{sum(whole)} / {len(whole)}",
                f"{sum(safe)} / {len(safe)}",
                _percent(counted.caught, counted.cases),
                _percent(counted.caught + counted.opaque, counted.cases),
                _percent(counted.grain_right, counted.grain_known),
                f"{precision(counted, told):.1%}" if told.harmless else "–",
                _percent(told.opaque, told.harmless),
                _percent(counted.keyword, counted.cases),
                f"{_keyword_precision(scored, counted, dialect):.1%}" if told.harmless else "–",
            ]
        )
    head = "方言 手法 手法（存疑也算） 召回 召回（存疑也算） 粒度正确 精确率 无害而存疑 关键词召回 关键词精确率"
    return _table(head.split(), body)


def _grains(scored: Scored, dialects: list[str]) -> list[str]:
    names = {"detail": "明细", "prescriber": "医生", "department": "科室", "opaque": "只能存疑"}
    body = []
    for grain, name in names.items():
        cells = []
        for dialect in dialects:
            counted = scored.grains.get((grain, dialect), Counted())
            cells.append(f"{_percent(counted.caught, counted.cases)}（{counted.cases}）")
        body.append([name, *cells])
    return _table(["该有的粒度", *(_NAMES[d] for d in dialects)], body)


def _techniques(scored: Scored, dialects: list[str]) -> list[str]:
    body = []
    for name, technique in techniques("attacks").items():
        cells = []
        for dialect in dialects:
            counted = scored.techniques.get((name, dialect))
            if counted is None:
                cells.append("不适用" if dialect in technique.absent else "–")
            elif counted.caught == counted.cases:
                cells.append(f"✓ {counted.cases}")
            else:
                opaque = f"，存疑 {counted.opaque}" if counted.opaque else ""
                cells.append(f"✗ {counted.caught} / {counted.cases}{opaque}")
        if any((name, dialect) in scored.techniques for dialect in dialects):
            body.append([name, technique.zh, *cells])
    return _table(["编号", "手法", *(_NAMES[d] for d in dialects)], body)


def _sessions(scored: Scored, dialects: list[str]) -> list[str]:
    """After how many statements of a session it was caught, on average."""
    body = []
    for name, technique in techniques("attacks").items():
        if not any(text.session for text in technique.texts):
            continue
        counts = [scored.techniques.get((name, dialect), Counted()) for dialect in dialects]
        if any(counted.cases for counted in counts):
            means = [f"{c.statements / c.caught:.1f}" if c.caught else "–" for c in counts]
            body.append([name, technique.zh, *means])
    return _table(["编号", "会话", *(_NAMES[d] for d in dialects)], body)


def _lookalikes(scored: Scored, dialects: list[str]) -> list[str]:
    body = []
    for name, technique in techniques("lookalikes").items():
        cells = []
        for dialect in dialects:
            cases = scored.alike_cases.get((name, dialect), 0)
            wrong = scored.alike_wrong.get((name, dialect), 0)
            cells.append(
                f"✗ {cases - wrong} / {cases}" if wrong else f"✓ {cases}" if cases else "–"
            )
        if any((name, dialect) in scored.alike_cases for dialect in dialects):
            expect = technique.expect or "见各方言"
            body.append([name, technique.zh, expect, technique.context or "–", *cells])
    head = ["编号", "貌似", "应判为", "凭什么允许", *(_NAMES[d] for d in dialects)]
    return _table(head, body)


def _definitions(scored: Scored) -> list[str]:
    """How many statements were judged as each definition says, by kind of item."""
    names = {"drug": "药品", "material": "高值耗材", "ordinary": "普通耗材"}
    dialects = [d for d in DIALECTS if any(d == where for _n, _k, where in scored.definitions)]
    body = []
    for definition, kind in dict.fromkeys((name, kind) for name, kind, _d in scored.definitions):
        cells = []
        for dialect in dialects:
            judged = scored.definitions.get((definition, kind, dialect), Judged())
            ok = judged.right == judged.cases
            cells.append(f"✓ {judged.cases}" if ok else f"✗ {judged.right} / {judged.cases}")
        body.append([definition, names[kind], *cells])
    body.sort()
    return _table(["统方定义", "种类", *(_NAMES[d] for d in dialects)], body)
