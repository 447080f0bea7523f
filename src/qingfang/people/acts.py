"""Recording what people do: first here, in the act's own transaction, then in the ledger.

Rules this module keeps:

1. `record` writes in the caller's transaction: an act and its record are stored together or not
   at all.
2. `drain` hands rows to the ledger in the order they were written and marks a row only with the
   place the ledger acknowledged. A crash between the two sends it once more: the act's own number
   (`id`) tells the copies apart.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.http import HttpRequest

from qingfang.people.models import Act, Person

BATCH = 200

Send = Callable[[dict[str, Any]], tuple[str, int]]
"""Appends one act durably and returns its (log, seq); raises when it could not."""


def record(
    kind: str,
    *,
    request: HttpRequest | None = None,
    person: Person | None = None,
    target: str = "",
    **facts: Any,
) -> Act:
    """`kind` is a name of `KINDS` in `tables.py`; `facts` must be JSON and hold no secret."""
    if person is None and request is not None and isinstance(request.user, Person):
        person = request.user
    return Act.objects.create(
        actor=person.staff_number if person else "",
        kind=kind,
        target=target,
        address=address_of(request) if request else "",
        facts=facts,
    )


def address_of(request: HttpRequest) -> str:
    return str(request.META.get("REMOTE_ADDR", ""))[:45]


def as_payload(act: Act) -> dict[str, Any]:
    return {
        "id": act.pk,
        "at": act.at.isoformat(),
        "actor": act.actor,
        "kind": act.kind,
        "target": act.target,
        "address": act.address,
        "facts": act.facts,
    }


def drain(send: Send) -> int:
    """Send what is waiting, oldest first; returns how many. What `send` raises passes through, with
    everything before it marked."""
    sent = 0
    while True:
        waiting = list(Act.objects.filter(seq__isnull=True).order_by("id")[:BATCH])
        if not waiting:
            return sent
        for act in waiting:
            log, seq = send(as_payload(act))
            with transaction.atomic():
                Act.objects.filter(pk=act.pk, seq__isnull=True).update(log=log, seq=seq)
            sent += 1
