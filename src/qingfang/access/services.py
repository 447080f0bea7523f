"""What can be done to grants, routes, and what else the engine is given; each with its record.

Raises `NotAllowed` with a sentence for the person who asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connection, transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from qingfang.access import flow, policy
from qingfang.access.duty import Span
from qingfang.access.models import (
    Designation,
    Duty,
    Grant,
    PolicyText,
    Registered,
    RouteMode,
    Step,
)
from qingfang.people import acts
from qingfang.people.models import Person
from qingfang.people.services import NotAllowed

_ACTS = {
    "approve": "grant.approved",
    "refuse": "grant.refused",
    "file": "grant.filed",
    "revoke": "grant.revoked",
    "withdraw": "grant.withdrawn",
}


def next_number() -> str:
    """`TF` and the year, a serial within the database: never given twice."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('access_grant_number')")
        row = cursor.fetchone()
    assert row is not None
    return f"TF{timezone.localdate():%Y}-{row[0]:05d}"


def apply(grant: Grant, terminals: list[object], request: HttpRequest, by: Person) -> Grant:
    """Hand in a filled-in, unsaved grant."""
    with transaction.atomic():
        grant.number = next_number()
        grant.applicant = by
        grant.status = Grant.Status.APPLIED
        grant.save()
        grant.terminals.set(terminals)  # pyright: ignore[reportArgumentType]
        Step.objects.create(grant=grant, by=by, act="apply", note=grant.purpose)
        acts.record("grant.applied", request=request, target=grant.number)
    return grant


def step(
    pk: int, act: str, *, by: Person, request: HttpRequest | None, note: str = "", filed: str = ""
) -> Grant:
    """Take one step of `flow.TRANSITIONS`. `filed` is the filing number, needed by `file`."""
    with transaction.atomic():
        grant = Grant.objects.select_for_update().get(pk=pk)
        if not policy.may_act(by, grant, act):
            raise NotAllowed(
                _("现在不能这样做：状态已经变了，或者这是您自己申请、使用或批准的授权。")
            )
        if act == "file" and not filed.strip():
            raise NotAllowed(_("备案必须填写备案号。"))
        if act == "file":
            grant.filed_number, grant.filed_at = filed.strip(), timezone.now()
        grant.status = flow.TRANSITIONS[grant.status, act][0]
        grant.save()
        Step.objects.create(grant=grant, by=by, act=act, note=note)
        acts.record(_ACTS[act], request=request, person=by, target=grant.number, note=note)
    return grant


def switch_route(
    route: str,
    enforce: bool,
    *,
    by: Person,
    request: HttpRequest | None,
    forecast: int,
    unknown_share: float = 0.0,
) -> RouteMode:
    """`forecast` is the number of statements that would have been stopped and `unknown_share` the
    per cent of unknown operators, as shown to the person who decides; they go into the record."""
    with transaction.atomic():
        mode, _created = RouteMode.objects.select_for_update().get_or_create(route=route)
        mode.enforce, mode.changed_at, mode.changed_by = enforce, timezone.now(), by
        mode.save()
        acts.record(
            "route.switched",
            request=request,
            person=by,
            target=route,
            mode="enforce" if enforce else "observe",
            forecast=forecast,
            unknown_share=round(unknown_share, 1),
        )
    return mode


def save_duty(duty: Duty, spans: Sequence[Span], *, request: HttpRequest | None) -> None:
    """Save a changed line, or a new one for each of the spans."""
    with transaction.atomic():
        if duty.pk:
            duty.save()
        else:
            for start, end in spans:
                duty.pk, duty._state.adding = None, True  # one more with the same content
                duty.valid_from, duty.valid_to = start, end
                duty.save()
        acts.record(
            "duty.saved",
            request=request,
            target=duty.person.staff_number,
            since=spans[0][0].isoformat(),
            until=spans[-1][1].isoformat(),
            lines=len(spans),
            channel=duty.channel,
            after_minutes=duty.after_minutes,
            min_severity=duty.min_severity,
        )


def remove_duty(duty: Duty, *, request: HttpRequest | None) -> None:
    with transaction.atomic():
        acts.record(
            "duty.removed",
            request=request,
            target=duty.person.staff_number,
            since=duty.valid_from.isoformat(),
            until=duty.valid_to.isoformat(),
        )
        duty.delete()


def designate(row: Designation, *, request: HttpRequest | None) -> None:
    with transaction.atomic():
        row.save()
        _record_designation("designation.given", row, request)


def undesignate(row: Designation, *, request: HttpRequest | None) -> None:
    with transaction.atomic():
        _record_designation("designation.taken", row, request)
        row.delete()


def _record_designation(kind: str, row: Designation, request: HttpRequest | None) -> None:
    acts.record(
        kind,
        request=request,
        target=row.person.staff_number,
        function=row.function,
        terminal=row.terminal.name if row.terminal else "",
    )


def save_registered(
    kind: str, code: str, body: dict[str, Any], *, new: bool, request: HttpRequest | None
) -> Registered:
    """A report or service in the snapshot's own words. A saved one is in use."""
    with transaction.atomic():
        if new and Registered.objects.filter(code=code).exists():
            raise NotAllowed(_("这个编号已经用过。"))
        row, _new = Registered.objects.update_or_create(
            code=code, defaults={"kind": kind, "body": body, "active": True}
        )
        acts.record("registered.saved", request=request, target=code, what=kind, body=body)
    return row


def switch_registered(row: Registered, active: bool, *, request: HttpRequest | None) -> None:
    with transaction.atomic():
        row.active = active
        row.save(update_fields=["active"])
        acts.record("registered.switched", request=request, target=row.code, active=active)


def save_policy(text: str, *, by: Person, request: HttpRequest | None) -> PolicyText:
    """A new version; the ones before stay."""
    with transaction.atomic():
        row = PolicyText.objects.create(text=text, by=by)
        acts.record("policy.saved", request=request, person=by, target=str(row.pk), text=text)
    return row
