"""What rests on a person's or terminal's record: grants in force, designations, duties, registered
reports and programs. `people.changes` asks; a record with any of these changes only when the
discipline office has confirmed it."""

from __future__ import annotations

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from qingfang.access.models import Designation, Duty, Grant, Registered
from qingfang.people import changes
from qingfang.people.models import Proposed


def _resting(kind: Proposed.Kind, record: int | None, names: frozenset[str]) -> list[str]:
    now = timezone.now()
    # On a new record nothing rests but by its name: a designation without a terminal is not one
    # of every terminal that is yet to be registered.
    filed = Grant.objects.filter(status=Grant.Status.FILED, valid_to__gt=now)
    filed = filed if record is not None else filed.none()
    designations = Designation.objects.all() if record is not None else Designation.objects.none()
    if kind == Proposed.Kind.TERMINAL:
        grants = filed.filter(terminals=record)
        designations = designations.filter(terminal=record)
        within = "body__terminals__contains"
        named = [Q(**{within: [name]}) for name in names]
    else:
        grants = filed.filter(person=record)
        designations = designations.filter(person=record)
        named = [
            Q(body__posts__contains=[n.removeprefix(changes.POST)])
            if n.startswith(changes.POST)
            else Q(body__persons__contains=[n]) | Q(body__operator=n)
            for n in names
        ]
    found = [_("授权 %(name)s") % {"name": grant.number} for grant in grants]
    found += [
        _("指定：%(name)s") % {"name": row.get_function_display()}  # pyright: ignore
        for row in designations
    ]
    by_name = Q(pk__in=[])
    for one in named:
        by_name |= one
    found += [
        _("登记 %(name)s") % {"name": row.code}
        for row in Registered.objects.filter(by_name, active=True)
    ]
    if (
        kind == Proposed.Kind.PERSON
        and record is not None
        and Duty.objects.filter(person=record, valid_to__gt=now).exists()
    ):
        found.append(_("值班"))
    return found


def register() -> None:
    changes.told_by(_resting)
