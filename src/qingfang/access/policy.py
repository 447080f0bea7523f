"""Who may do what with grants and routes.

Rules this module keeps:

1. Nobody approves or files a grant that they applied for or that is to themselves.
2. The person who approved does not file.
3. Only the applicant withdraws an application, until it is filed.
4. Applicants see their own grants and those made out to them; approvers and the discipline office
   see all.
5. What the engine judges by (duty roster, calendar, designated persons, registered reports and
   services, policy) is decided by the discipline office; the auditor sees it, nobody else does but
   duty officers their roster.
6. A changed record of a person or terminal that a right rests on counts when the discipline office
   has confirmed it.
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
WITHDRAW = policy.declare("access.withdraw", {policy.APPLICANT})
SEE_ROUTES = policy.declare(
    "access.see_routes", {policy.APPLICATION_MANAGER, policy.AUDITOR, policy.SYSTEM_ADMINISTRATOR}
)
SET_CALENDAR = policy.declare("access.set_calendar", {policy.APPLICATION_MANAGER})
SWITCH_ROUTES = policy.declare("access.switch_routes", {policy.APPLICATION_MANAGER})
SEE_DUTIES = policy.declare(
    "access.see_duties", {policy.APPLICATION_MANAGER, policy.AUDITOR, policy.DUTY_OFFICER}
)
SEE_OFFICE = policy.declare("access.see_office", {policy.APPLICATION_MANAGER, policy.AUDITOR})
MANAGE_DUTIES = policy.declare("access.manage_duties", {policy.APPLICATION_MANAGER})
MANAGE_DESIGNATIONS = policy.declare("access.manage_designations", {policy.APPLICATION_MANAGER})
MANAGE_REGISTERED = policy.declare("access.manage_registered", {policy.APPLICATION_MANAGER})
CONFIRM_CHANGES = policy.declare("access.confirm_changes", {policy.APPLICATION_MANAGER})
# Both sit in the discipline office: whoever found it, another one confirms.
SETTLE = policy.declare("access.settle", {policy.APPLICATION_MANAGER})
CONFIRM_SETTLED = policy.declare(
    "access.confirm_settled", {policy.APPLICATION_MANAGER, policy.FILER}
)
SEE_SETTLED = policy.declare(
    "access.see_settled", {policy.APPLICATION_MANAGER, policy.AUDITOR, policy.FILER}
)
MANAGE_POLICY = policy.declare("access.manage_policy", {policy.APPLICATION_MANAGER})


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
    if act == "withdraw":
        return person.pk == grant.applicant_id  # pyright: ignore[reportAttributeAccessIssue]
    if person.pk in (grant.applicant_id, grant.person_id):  # pyright: ignore[reportAttributeAccessIssue]
        return False
    return not grant.steps.filter(by=person, act="approve").exists()  # pyright: ignore[reportAttributeAccessIssue]
