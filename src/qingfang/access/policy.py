"""Who may do what with grants and routes.

Rules this module keeps:

1. Nobody approves or files a grant that they applied for or that is to themselves.
2. The person who approved does not file.
3. Applicants see their own grants and those made out to them; approvers and the discipline office
   see all.
"""

from __future__ import annotations

from django.db.models import Q, QuerySet

from qingfang.access import flow
from qingfang.access.models import Grant
from qingfang.people import policy
from qingfang.people.models import Person

SEE_GRANTS = policy.declare(
    "access.see_grants",
    {
        policy.APPLICANT,
        policy.FILER,
        policy.APPLICATION_MANAGER,
        policy.AUDITOR,
        *policy.APPROVERS,
    },
)
SEE_ALL_GRANTS = policy.declare(
    "access.see_all_grants",
    {policy.FILER, policy.APPLICATION_MANAGER, policy.AUDITOR, *policy.APPROVERS},
)
APPLY = policy.declare("access.apply", {policy.APPLICANT})
DECIDE = policy.declare(
    "access.decide", {policy.FILER, policy.APPLICATION_MANAGER, *policy.APPROVERS}
)
SEE_ROUTES = policy.declare(
    "access.see_routes", {policy.APPLICATION_MANAGER, policy.AUDITOR, policy.SYSTEM_ADMINISTRATOR}
)
SET_CALENDAR = policy.declare("access.set_calendar", {policy.APPLICATION_MANAGER})
SWITCH_ROUTES = policy.declare("access.switch_routes", {policy.APPLICATION_MANAGER})


def access_grants(person: Person) -> QuerySet[Grant]:
    """The grants this person may see."""
    if policy.may(person, SEE_ALL_GRANTS):
        return Grant.objects.all()
    if policy.may(person, SEE_GRANTS):
        return Grant.objects.filter(Q(applicant=person) | Q(person=person))
    return Grant.objects.none()


def may_act(person: Person, grant: Grant, act: str) -> bool:
    """Whether this person may take this step now."""
    step = flow.TRANSITIONS.get((grant.status, act))
    if step is None or not step[1] & policy.roles_of(person):
        return False
    if act == "revoke":
        return True
    if person.pk in (grant.applicant_id, grant.person_id):  # pyright: ignore[reportAttributeAccessIssue]
        return False
    return not grant.steps.filter(by=person, act="approve").exists()  # pyright: ignore[reportAttributeAccessIssue]
