"""One statement weighed against what one learner already holds: what all measures share."""

from __future__ import annotations

from qingfang.events import Disclosure, Gathered, Grain
from qingfang.understand.accumulate.facts import Facts
from qingfang.understand.accumulate.findings import FINDINGS
from qingfang.understand.accumulate.knowledge import DAY, Knowledge, Limits, Over


class Weighing:
    """`known` is what a session, person or group holds, `facts` what the statement brings. With
    `keep` the measures take the statement into `known`; without, they change nothing. `here`
    collects the findings; `since` is where the window begins; `highest` gives the highest number
    that anybody read or wrote so far, by block of numbers (`scanning.everybody`)."""

    __slots__ = ("facts", "here", "highest", "keep", "known", "limits", "over", "since")

    def __init__(
        self,
        known: Knowledge,
        facts: Facts,
        over: Over,
        limits: Limits,
        highest: dict[str, tuple[int, int]],
        *,
        keep: bool,
    ) -> None:
        self.known, self.facts = known, facts
        self.over: Over = over
        self.limits, self.keep, self.highest = limits, keep, highest
        self.since = facts.at_us - limits.window_days * DAY
        self.here: list[Gathered] = []

    def find(self, code: str, count: int, grain: Grain | None = None) -> None:
        """A finding; without a grain it only explains."""
        text = FINDINGS[code].format(count=count, days=self.limits.window_days)
        disclosure: Disclosure | None = "usage" if grain else None
        self.here.append(Gathered(code, self.over, text, count, disclosure, grain))
