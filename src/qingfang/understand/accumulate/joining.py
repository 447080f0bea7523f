"""Results that can be put together afterwards: joined by a key they share, or subtracted."""

from __future__ import annotations

from typing import Final

from qingfang.understand.accumulate.facts import ALL_FEES, REST_OF_FEES
from qingfang.understand.accumulate.knowledge import Part, known_since, seen
from qingfang.understand.accumulate.weighing import Weighing

KINDS_OF_FEES: Final = 3
"""From how many kinds of fees on, summed one after another, what is left is taken for the use."""


def join(w: Weighing) -> None:
    """Results that can be put together by a key they share (T21)."""
    known, facts, since, keep = w.known, w.facts, w.since, w.keep
    for name, part in facts.parts:
        before = known.held.get(name)
        new = before is None or before.last_us < since
        if new:
            others = [p for p in known.held.values() if p.last_us >= since]
            together = _component(part, others)
            if len(together) > 1 and _tells(together) and not _tells([part]):
                code = "joined-group" if w.over == "group" else "joined"
                w.find(code, len(together), "detail")
        if keep:
            if before is None and len(known.held) >= 256:
                del known.held[min(known.held, key=lambda n: known.held[n].last_us)]
            known.held[name] = part


def difference(w: Weighing) -> None:
    """A whole, and the whole without somebody (T26)."""
    known, facts, since, keep = w.known, w.facts, w.since, w.keep
    for sum_of, excluded in facts.sums:
        asked = known.sums.get(sum_of) or {}
        new = not known_since(asked, excluded, since)
        count = seen(asked, excluded, facts.at_us, since, 8, keep=keep)
        if keep:
            if sum_of not in known.sums and len(known.sums) >= 128:
                del known.sums[min(known.sums, key=lambda s: max(known.sums[s].values()))]
            known.sums[sum_of] = asked
        if new and count > 1:
            code = "difference-group" if w.over == "group" else "difference"
            people = any(d % 2 for d, last in asked.items() if last >= since) or excluded % 2
            w.find(code, count, "prescriber" if people else "department")


def difference_of_fees(w: Weighing) -> None:
    """All fees, and the fees without drugs and consumables (T26), together or kind by kind: the same
    sums of the same period, or how high they are at least."""
    known, facts, since, keep = w.known, w.facts, w.since, w.keep
    for sum_of, part, grain in facts.fees:
        asked = known.sums.get(sum_of) or {}
        new = not known_since(asked, part, since)
        count = seen(asked, part, facts.at_us, since, 16, keep=keep)
        if keep:
            if sum_of not in known.sums and len(known.sums) >= 128:
                del known.sums[min(known.sums, key=lambda s: max(known.sums[s].values()))]
            known.sums[sum_of] = asked
        had = {d for d, last in asked.items() if last >= since} | {part}
        kinds = len(had - {ALL_FEES, REST_OF_FEES})
        if ALL_FEES not in had:
            continue
        if part in (ALL_FEES, REST_OF_FEES):
            tells = REST_OF_FEES in had or kinds >= KINDS_OF_FEES
        else:
            tells = new and kinds >= KINDS_OF_FEES
        if tells:
            code = "difference-fees-group" if w.over == "group" else "difference-fees"
            w.find(code, count, grain)


def _component(part: Part, others: list[Part]) -> list[Part]:
    """`part` and all that hangs together with it by shared links."""
    joined, links, rest = [part], set(part.links), others
    while True:
        hit = [p for p in rest if not links.isdisjoint(p.links)]
        if not hit:
            return joined
        joined += hit
        rest = [p for p in rest if links.isdisjoint(p.links)]
        for p in hit:
            links.update(p.links)


def _tells(parts: list[Part]) -> bool:
    """True when item, measure and a prescriber or department come together."""
    return (
        any(p.item for p in parts)
        and any(p.measure for p in parts)
        and any(p.prescriber or p.department for p in parts)
    )
