"""What people do with alerts, each with its record.

Raises `NotAllowed` with a sentence for the person who asked.
"""

from __future__ import annotations

from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext as _

from qingfang.people import acts
from qingfang.people import policy as people
from qingfang.people.models import Person
from qingfang.people.services import NotAllowed
from qingfang.review import policy
from qingfang.review.models import Acknowledgement, Alert, Note, Reading, Ruling


def read(alert: Alert, *, by: Person, request: HttpRequest) -> None:
    """The first reading is kept with the alert; every reading is an act."""
    with transaction.atomic():
        Reading.objects.get_or_create(alert=alert, by=by)
        acts.record("alert.read", request=request, target=alert.number)


def acknowledge(alert: Alert, *, by: Person, request: HttpRequest) -> Acknowledgement:
    """Take the alert up: the notifier, which follows the ledger, then wakes nobody further. The
    first one counts and is returned, whoever asks again. Nobody stops the notices of an alert
    about themselves."""
    if alert.operator == by.staff_number:
        raise NotAllowed(_("这条告警涉及您本人，须由他人处理。"))
    with transaction.atomic():
        # The row lock makes two who press at once meet here: one is the first.
        locked = Alert.objects.select_for_update().get(pk=alert.pk)
        first, new = Acknowledgement.objects.select_related("by").get_or_create(
            alert=locked, defaults={"by": by}
        )
        if new:
            for place in locked.places:
                acts.record("alert.acknowledged", request=request, target=place)
    return first


def note(alert: Alert, text: str, *, by: Person, request: HttpRequest) -> Note:
    with transaction.atomic():
        made = Note.objects.create(alert=alert, by=by, text=text)
        acts.record("alert.noted", request=request, target=alert.number, note=made.pk)
    return made


def rule(alert: Alert, disposition: str, reason: str, *, by: Person, request: HttpRequest) -> None:
    """Say what the alert was. Nobody rules on an alert about themselves."""
    if alert.operator == by.staff_number:
        raise NotAllowed(_("这条告警涉及您本人，须由他人定性。"))
    if not reason.strip():
        raise NotAllowed(_("定性要写明理由。"))
    with transaction.atomic():
        locked = Alert.objects.select_for_update().get(pk=alert.pk)
        before = locked.disposition
        locked.disposition = disposition
        locked.save(update_fields=["disposition"])
        Ruling.objects.create(alert=locked, by=by, disposition=disposition, reason=reason)
        acts.record(
            "alert.disposed",
            request=request,
            target=alert.number,
            before=before,
            after=disposition,
            reason=reason,
        )
        acknowledge(locked, by=by, request=request)


def assign(alert: Alert, verifier: Person, *, by: Person, request: HttpRequest) -> None:
    if not policy.can_verify(verifier, alert):
        raise NotAllowed(_("这条告警不能交给这个人查证：涉及信息或药学部门的告警须回避。"))
    with transaction.atomic():
        Alert.objects.filter(pk=alert.pk).update(assigned_to=verifier)
        acts.record(
            "alert.assigned", request=request, target=alert.number, to=verifier.staff_number
        )


def may_note(person: Person) -> bool:
    return people.may(person, policy.VERIFY)
