"""How many alarms would enforcing have raised? Counted from verdicts given while observing.

Rules this module keeps:

1. Counts what was decided and what would have been (`Verdict.would`), by route; nothing is judged
   again, so the forecast is exactly what the same policy would have done.
2. An alarm is an alert, a masked or a denied answer. What lies below is not counted as one.
3. Names nobody: reasons are counted by their codes.
"""

from __future__ import annotations

from collections import Counter

from msgspec import Struct

from qingfang.events import Decision, Verdict

_ALARMS = frozenset({"alert", "mask", "deny"})


class Forecast(Struct, frozen=True):
    """Of one route: statements seen, alarms raised while observing, alarms enforcing would have
    raised, among these the statements it would have denied or masked (`stopped`), and how often
    each reason code stood behind them."""

    route: str
    statements: int
    alarms: int
    would_alarm: int
    stopped: int
    codes: dict[str, int]


class Forecaster:
    """Takes verdicts one by one; `result` may be asked for at any time."""

    def __init__(self) -> None:
        self._statements: Counter[str] = Counter()
        self._alarms: Counter[str] = Counter()
        self._would: Counter[str] = Counter()
        self._stopped: Counter[str] = Counter()
        self._codes: dict[str, Counter[str]] = {}

    def add(self, route: str, verdict: Verdict) -> None:
        self._statements[route] += 1
        if verdict.decision in _ALARMS:
            self._alarms[route] += 1
        enforced: Decision = verdict.would or verdict.decision
        if enforced in _ALARMS:
            self._would[route] += 1
            self._stopped[route] += enforced in ("mask", "deny")
            self._codes.setdefault(route, Counter()).update(
                code for code in verdict.codes if code != "observed"
            )

    def passed(self, route: str, statements: int) -> None:
        """Statements that passed and were only counted."""
        self._statements[route] += statements

    def result(self) -> tuple[Forecast, ...]:
        """One forecast a route, by name; reason codes with the most frequent first."""
        return tuple(
            Forecast(
                route,
                self._statements[route],
                self._alarms[route],
                self._would[route],
                self._stopped[route],
                dict(self._codes.get(route, Counter()).most_common()),
            )
            for route in sorted(self._statements)
        )
