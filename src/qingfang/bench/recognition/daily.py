"""The figures of the stream and the scenes as rows against their bars, as JSON, as text and as tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from msgspec import to_builtins

from qingfang.bench import Row
from qingfang.bench.recognition.results import Alarm, Planted, Scene, Stream
from qingfang.language import _

ALARMS_BAR = 10.0
SESSIONS_BAR = 0.95
OPAQUE_BAR = 0.03
_PER = 100_000
_SHOWN = 20


def rows(stream: Stream | None, scenes: Sequence[Scene]) -> list[Row]:
    """The bars, and how they were met."""
    found: list[Row] = []
    if scenes:
        met = sum(scene.met for scene in scenes)
        found.append(
            Row(_("场景通过"), _share(met, len(scenes)), goal="≥ 1", met=met == len(scenes))
        )
    if stream is None:
        return found
    a_day = round(len(stream.alarms) / stream.days, 2) if stream.days else 0.0
    caught = [p for p in stream.planted if p.caught]
    recall = _share(len(caught), len(stream.planted))
    opaque = _share(stream.opaque_templates, stream.templates)
    return [
        *found,
        Row(_("每个医院日误报"), a_day, goal=f"≤ {ALARMS_BAR:g}", met=a_day <= ALARMS_BAR),
        Row(
            _("每十万条日常语句误报"),
            round(len(stream.alarms) * _PER / max(1, stream.benign), 2),
        ),
        Row(
            _("误报里操作者与终端写对"),
            _share(sum(a.true for a in stream.alarms), len(stream.alarms)),
            goal="≥ 1",
            met=all(a.true for a in stream.alarms),
        ),
        Row(
            _("混在其中的会话：召回"),
            recall,
            goal=f"≥ {SESSIONS_BAR:g}",
            met=recall >= SESSIONS_BAR,
        ),
        Row(_("告警前的语句数（中位）"), _median([p.statements for p in caught])),
        Row(_("告警写明人、终端、地点"), _share(sum(p.named for p in caught), len(caught))),
        Row(_("日常模板存疑"), opaque, goal=f"≤ {OPAQUE_BAR:g}", met=opaque <= OPAQUE_BAR),
        Row(_("日常语句存疑"), _share(stream.opaque, stream.benign)),
        Row(_("语句流用时（秒）"), stream.seconds),
    ]


def _share(part: int, of: int) -> float:
    return round(part / of, 4) if of else 0.0


def _median(counts: Sequence[int | None]) -> float | None:
    known = sorted(n for n in counts if n is not None)
    return float(known[len(known) // 2]) if known else None


def details(stream: Stream | None, scenes: Sequence[Scene]) -> dict[str, object]:
    """Everything counted, for JSON."""
    found: dict[str, object] = {}
    if scenes:
        found["scenes"] = to_builtins(list(scenes))
    if stream is not None:
        found["stream"] = to_builtins(stream)
    return found


def missed(stream: Stream | None, scenes: Sequence[Scene]) -> str:
    """Scenes that did not come true, sessions that were not found, and false alarms by cause with an
    example each."""
    lines = [
        f"✗ {s.technique} {s.name}\n  {_('应为')} {s.expected}；{_('实为')} {s.got}\n  {s.explanation}"
        for s in scenes
        if not s.met
    ]
    if stream is None:
        return "\n".join(lines)
    lines += [
        f"✗ {p.technique} {p.dialect} {p.over} ×{p.people}" for p in stream.planted if not p.caught
    ]
    for (codes, program), alarms in _grouped(stream.alarms)[:_SHOWN]:
        one = alarms[0]
        head = f"! {len(alarms)} × {' '.join(codes)}（{program}）"
        lines.append(
            f"{head}\n  {one.at} {one.operator} {one.technique}\n  {one.sentence}\n  {one.sql}"
        )
    return "\n".join(lines)


def _grouped(
    alarms: Sequence[Alarm],
) -> list[tuple[tuple[tuple[str, ...], str], list[Alarm]]]:
    """False alarms by their findings and program, the most frequent first."""
    groups: dict[tuple[tuple[str, ...], str], list[Alarm]] = {}
    for alarm in alarms:
        groups.setdefault((alarm.codes, alarm.program), []).append(alarm)
    return sorted(groups.items(), key=lambda group: -len(group[1]))


def markdown(stream: Stream | None, scenes: Sequence[Scene]) -> str:
    """The tables of the documentation."""
    lines: list[str] = []
    if scenes:
        lines += [_("| 场景 | 演出 | 符合 |"), "| --- | ---: | ---: |"]
        played, met = Counter[str](), Counter[str]()
        for scene in scenes:
            played[scene.technique] += 1
            met[scene.technique] += scene.met
        lines += [f"| {name} | {played[name]} | {met[name]} |" for name in sorted(played)]
        lines.append("")
    if stream is not None:
        lines += [
            _("| 手法 | 会话 | 找到 | 找到时平均已发语句 |"),
            "| --- | ---: | ---: | ---: |",
            *(
                _session(name, stream.planted)
                for name in sorted({p.technique for p in stream.planted})
            ),
            "",
        ]
    return "\n".join(lines)


def _session(name: str, planted: Sequence[Planted]) -> str:
    those = [p for p in planted if p.technique == name]
    caught = [p.statements for p in those if p.statements is not None]
    mean = f"{sum(caught) / len(caught):.1f}" if caught else "–"
    return f"| {name} | {len(those)} | {len(caught)} | {mean} |"
