"""Times without verdicts: counted, and told as intervals.

Rules this module keeps:

1. Every statement answered by the failure policy is in exactly one interval.
2. An interval is told when it begins and when it ends (the first verdict in time ends it).
"""

from __future__ import annotations

from collections.abc import Callable

from qingfang.sense.gateway.contract import Unjudged


class Failure:
    """One route's state in one process. `clock` gives microseconds since the epoch."""

    def __init__(
        self, route: str, tell: Callable[[Unjudged], None], clock: Callable[[], int]
    ) -> None:
        self._route = route
        self._tell = tell
        self._clock = clock
        self._since_us = 0
        self._forwarded = 0
        self._refused = 0
        self._cause = ""

    def failed(self, forwarded: bool, cause: str) -> None:
        begins = not self._since_us
        if begins:
            self._since_us = self._clock()
            self._cause = cause
        if forwarded:
            self._forwarded += 1
        else:
            self._refused += 1
        if begins:
            self._tell(self._interval(None))

    def judged(self) -> None:
        """A verdict came in time."""
        if self._since_us:
            self.end()

    def end(self) -> None:
        """The interval is over, or the process is."""
        if self._since_us:
            interval = self._interval(self._clock())
            self._since_us = self._forwarded = self._refused = 0
            self._tell(interval)

    def _interval(self, until_us: int | None) -> Unjudged:
        return Unjudged(
            route=self._route,
            since_us=self._since_us,
            until_us=until_us,
            forwarded=self._forwarded,
            refused=self._refused,
            cause=self._cause,
        )
