"""Who may see, verify and rule on alerts.

Rules this module keeps:

1. The discipline office (application manager) and the auditor see all alerts and rule on them.
2. A verifier sees the alerts assigned to it, adds facts, and can neither rule nor close.
3. An alert about persons or terminals of an IT or pharmacy department is never visible to a
   verifier of such a department, whoever assigns it.
4. A duty officer sees that there are alerts of the last day, as a list and page, to act at night;
   it acknowledges them, and neither verifies nor rules.
5. The queue of unread templates has no literals, so the filer, who confirms what was found of them,
   sees it too; to register, and to say what one is, is the application manager's.
6. What a person may not see is missing, not forbidden.
7. What codes of items, prescribers and departments are called is shown to who judges alerts, and
   to nobody of an IT or pharmacy department.
7. What tables mean is decided by the discipline office and seen by the auditor.
"""

from __future__ import annotations

import datetime as dt

from django.db.models import Q, QuerySet
from django.utils import timezone

from qingfang.people import policy
from qingfang.people.models import Person
from qingfang.review.models import Alert

SENSITIVE = ("it", "pharmacy")

SEE_ALERTS = policy.declare(
    "review.see_alerts",
    {policy.APPLICATION_MANAGER, policy.AUDITOR, policy.VERIFIER, policy.DUTY_OFFICER},
)
SEE_ALL_ALERTS = policy.declare(
    "review.see_all_alerts", {policy.APPLICATION_MANAGER, policy.AUDITOR}
)
VERIFY = policy.declare(
    "review.verify", {policy.VERIFIER, policy.APPLICATION_MANAGER, policy.AUDITOR}
)
RULE = policy.declare("review.rule", {policy.APPLICATION_MANAGER, policy.AUDITOR})
ACKNOWLEDGE = policy.declare(
    "review.acknowledge",
    {policy.APPLICATION_MANAGER, policy.AUDITOR, policy.DUTY_OFFICER},
)
ASSIGN = policy.declare("review.assign", {policy.APPLICATION_MANAGER})
SEE_NAMES = policy.declare(
    "review.see_names", {policy.APPLICATION_MANAGER, policy.AUDITOR, policy.VERIFIER}
)
SEE_QUEUE = policy.declare(
    "review.see_queue", {policy.APPLICATION_MANAGER, policy.AUDITOR, policy.FILER}
)
SEE_COVERAGE = policy.declare(
    "review.see_coverage",
    {policy.APPLICATION_MANAGER, policy.AUDITOR, policy.SYSTEM_ADMINISTRATOR},
)
SEE_CATALOGUES = policy.declare(
    "review.see_catalogues", {policy.APPLICATION_MANAGER, policy.AUDITOR}
)
CONFIRM_CATALOGUES = policy.declare("review.confirm_catalogues", {policy.APPLICATION_MANAGER})


def _sensitive() -> Q:
    found = Q()
    for kind in SENSITIVE:
        found |= Q(subject_kinds__contains=[kind])
    return found


def access_alerts(person: Person) -> QuerySet[Alert]:
    """The alerts this person may see."""
    if policy.may(person, SEE_ALL_ALERTS):
        return Alert.objects.all()
    roles = policy.roles_of(person)
    seen = Q(pk__in=[])
    if policy.VERIFIER in roles:
        seen |= Q(assigned_to=person)
    if policy.DUTY_OFFICER in roles:
        seen |= Q(at__gte=timezone.now() - dt.timedelta(days=1))
    visible = Alert.objects.filter(seen)
    if policy.kinds_of(person.department) & set(SENSITIVE):
        visible = visible.exclude(_sensitive())
    return visible


def sees_names(person: Person) -> bool:
    """Whether codes are shown to this person with their names."""
    ours = policy.kinds_of(person.department) & set(SENSITIVE)
    return not ours and policy.may(person, SEE_NAMES)


def can_verify(person: Person, alert: Alert) -> bool:
    """Whether this person could be given this alert to verify."""
    if policy.VERIFIER not in policy.roles_of(person):
        return False
    ours = policy.kinds_of(person.department) & set(SENSITIVE)
    return not (ours and set(alert.subject_kinds) & set(SENSITIVE))


def verifiers_for(alert: Alert) -> list[Person]:
    held = Person.objects.filter(
        is_active=True,
        assignments__role=policy.VERIFIER,
        assignments__taken_at__isnull=True,
    ).select_related("department")
    return [p for p in held.order_by("staff_number") if can_verify(p, alert)]
