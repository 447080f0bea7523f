"""What the pages say of an inline route: its mode, and what enforcing would have stopped.

The forecast is counted from statements that a route in observe mode would have stopped; whoever
keeps them (the app of alerts) tells how by `counted_by`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from qingfang.access.models import RouteMode
from qingfang.config import Config, Route

DAYS = 7
UNKNOWN_AT_MOST = 5.0  # per cent


class Forecast:
    """In the last `DAYS` days: `alarms` enforcing would have raised, `stopped` of them statements
    it would have denied or masked, of `persons` people. Of all `statements`, it was not known of
    `unknown` who was at work."""

    def __init__(
        self,
        stopped: int = 0,
        persons: int = 0,
        alarms: int = 0,
        statements: int = 0,
        unknown: int = 0,
    ) -> None:
        self.stopped, self.persons, self.alarms, self.days = stopped, persons, alarms, DAYS
        self.statements, self.unknown = statements, unknown

    @property
    def unknown_share(self) -> float:
        """Per cent of the statements whose operator is unknown."""
        return 100 * self.unknown / self.statements if self.statements else 0.0

    @property
    def operators_known(self) -> bool:
        """Whether people are told apart well enough to stop one of them."""
        return self.statements > 0 and self.unknown_share <= UNKNOWN_AT_MOST


class State:
    def __init__(self, route: Route, server: str, mode: RouteMode | None) -> None:
        self.name, self.database, self.kind = route.name, route.database, route.kind
        self.enforce = bool(mode and mode.enforce)
        self.changed_at = mode.changed_at if mode else None
        self.changed_by = mode.changed_by if mode else None
        self.forecast = forecast(server)


_count: list[Callable[[str, dt.timedelta], Forecast]] = []


def counted_by(count: Callable[[str, dt.timedelta], Forecast]) -> None:
    _count[:] = [count]


def forecast(server: str) -> Forecast:
    """Of the database at this address."""
    return _count[0](server, dt.timedelta(days=DAYS)) if _count else Forecast()


def server_of(config: Config, route: Route) -> str:
    return next(d.address for d in config.database if d.name == route.database)


def states(config: Config) -> list[State]:
    modes = {m.route: m for m in RouteMode.objects.select_related("changed_by")}
    return [State(r, server_of(config, r), modes.get(r.name)) for r in config.route]
