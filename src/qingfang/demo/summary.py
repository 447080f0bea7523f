"""What a day's play came to: planted attempts against the evidence in the ledger.

Rules this module keeps:

1. The workload says what it sent, the ledger says what was judged; neither sees the other's words
   before this comparison, which is the only place where both are known.
2. They are joined by connection and time: the client's address and port as the gateway saw it, and
   the moment the first telling statement went out. What alarms on that connection from then on is
   the attempt's; every other alarm is unexpected, one before that moment on the same connection too.
3. An approved statistic has passed only if its own text is in the ledger, nothing refused it, and it
   was let through because of its approval (`Event.grant`), or, being one's own figures, without one.

The result is the JSON object of docs/contracts/cli.md («qingfang demo»).
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from qingfang.events import Event

ALARMS = ("alert", "mask", "deny")
VERDICTS = ("pass", "log", "review", "alert", "mask", "deny")


def summarise(
    told: Iterable[Mapping[str, Any]],
    events: Iterable[Event],
    *,
    seconds: float,
    verified: bool,
    lost: int,
) -> dict[str, Any]:
    """The summary. `told` are the records of kind `attempt` and `granted` that the workload wrote
    (others are passed over), `events` those of the ledger in the order of its sequence, `verified`
    and `lost` what the ledger and the sensors say of themselves."""
    planted: dict[str, list[_Planted]] = {}
    every: list[_Planted] = []
    for record in told:
        if record["kind"] in ("attempt", "granted"):
            one = _Planted(record)
            every.append(one)
            planted.setdefault(one.client, []).append(one)
    verdicts: Counter[str] = Counter()
    unexpected: list[dict[str, Any]] = []
    count = 0
    for event in events:
        count += 1
        verdicts[event.verdict] += 1
        owner = _owner(planted.get(event.client, ()), event)
        if owner is not None:
            owner.take(event)
        if event.verdict in ALARMS and (owner is None or owner.approved):
            unexpected.append(_told(event))
    return {
        "seconds": round(seconds, 1),
        "statements": count,
        "verdicts": {verdict: verdicts[verdict] for verdict in VERDICTS},
        "attempts": [one.attempt() for one in every if not one.approved],
        "granted": [one.granted() for one in every if one.approved],
        "unexpected_alerts": unexpected,
        "ledger": {"events": count, "verified": verified},
        "lost": lost,
    }


def well(summary: Mapping[str, Any]) -> bool:
    """Whether everything came out as it must: something was planted, every attempt was caught,
    every approved statistic passed, nothing else alarmed, nothing was lost, the ledger holds."""
    return bool(
        summary["attempts"]
        and all(one["caught"] for one in summary["attempts"])
        and all(one["passed"] for one in summary["granted"])
        and not summary["unexpected_alerts"]
        and summary["ledger"]["verified"]
        and not summary["lost"]
    )


class _Planted:
    """One planted doing and what the ledger has of it."""

    def __init__(self, record: Mapping[str, Any]) -> None:
        self.record = record
        self.approved = record["kind"] == "granted"
        self.client: str = record["client"]
        self.at = _moment(record["planted_at"])
        self._texts = {_flat(text) for text in record["sql"]}
        self._alarm: Event | None = None
        self._seen: set[str] = set()
        self._grants_right = True

    def take(self, event: Event) -> None:
        if event.verdict in ALARMS and (self._alarm is None or _rank(event) > _rank(self._alarm)):
            self._alarm = event
        text = _flat(event.sql)
        if text in self._texts:
            self._seen.add(text)
            self._grants_right = self._grants_right and event.grant == self.record["grant"]

    def attempt(self) -> dict[str, Any]:
        alarm = self._alarm
        return {
            "technique": self.record["technique"],
            "planted_at": self.record["planted_at"],
            "caught": alarm is not None,
            "verdict": alarm.verdict if alarm else None,
            "alert": (alarm.alert or alarm.seq) if alarm else None,
            "seconds_to_alert": _after(self.at, alarm) if alarm else None,
            "operator": self.record["operator"],
            "terminal": self.record["terminal"],
            "problem": self.record["problem"],
        }

    def granted(self) -> dict[str, Any]:
        return {
            "grant": self.record["grant"],
            "technique": self.record["technique"],
            "passed": (
                self._alarm is None
                and self.record["problem"] is None
                and self.record["refused"] == 0
                and self._seen == self._texts
                and self._grants_right
            ),
            "operator": self.record["operator"],
            "problem": self.record["problem"],
        }


def _owner(planted: Sequence[_Planted], event: Event) -> _Planted | None:
    """The planted doing that this event belongs to: the last one that had begun on this connection
    (a port may be used again)."""
    at = _moment(event.at)
    begun = [one for one in planted if one.at <= at]
    return max(begun, key=lambda one: one.at) if begun else None


def _told(event: Event) -> dict[str, Any]:
    """What a reader needs to find out why an honest statement alarmed."""
    return {
        "seq": event.seq,
        "at": event.at,
        "client": event.client,
        "program": event.program,
        "operator": event.operator.value if event.operator else None,
        "verdict": event.verdict,
        "reasons": list(event.reasons),
        "sql": event.sql,
    }


def _rank(event: Event) -> int:
    return ALARMS.index(event.verdict)


def _moment(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text)


def _after(start: datetime.datetime, event: Event) -> float:
    return round(max(0.0, (_moment(event.at) - start).total_seconds()), 3)


def _flat(text: str) -> str:
    return " ".join(text.split())
