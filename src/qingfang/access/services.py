"""What can be done to grants and routes, each with its step and its record.

Raises `NotAllowed` with a sentence for the person who asked.
"""

from __future__ import annotations

from django.db import connection, transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from qingfang.access import flow, policy
from qingfang.access.models import Grant, RouteMode, Step
from qingfang.people import acts
from qingfang.people.models import Person
from qingfang.people.services import NotAllowed

_ACTS = {
    "approve": "grant.approved",
    "refuse": "grant.refused",
    "file": "grant.filed",
    "revoke": "grant.revoked",
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
    route: str, enforce: bool, *, by: Person, request: HttpRequest | None, forecast: int
) -> RouteMode:
    """`forecast` is the number of statements that would have been stopped, as shown to the person
    who decides; it goes into the record."""
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
        )
    return mode
