"""Who may do what: the roles, which exclude each other, and the acts each may do.

Rules this module keeps:

1. Default deny: an act nobody declared, or declared for other roles, is refused. A person without
   a role sees nothing but the way out and the own password.
2. Managing the application and auditing are the discipline office's; a person of an IT or pharmacy
   department can never do either (滨海新区统方通知 二(三)10), whoever assigns it, and whatever the
   department is called: a department below an IT or pharmacy department counts as one.
3. What a person holds is worked out anew at each request: a transfer to the IT department ends an
   application manager's rights at once, without anybody taking the role back.
4. Installing, giving accounts, managing the application and auditing exclude each other. Those who
   install and those who give accounts see no content, so neither verifies, approves nor files.

Other apps declare their acts in their own `policy.py` by `declare`.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from qingfang.people.models import Department, Person, RoleAssignment

Kind = Department.Kind


class Role:
    """`only` are the kinds of department it can be given to (empty: any), `never` those it cannot."""

    def __init__(
        self,
        code: str,
        label: Promise,
        *,
        only: frozenset[str] = frozenset(),
        never: frozenset[str] = frozenset(),
    ) -> None:
        self.code, self.label, self.only, self.never = code, label, only, never


_IT_AND_PHARMACY = frozenset({Kind.IT.value, Kind.PHARMACY.value})
_DISCIPLINE = frozenset({Kind.DISCIPLINE.value})

SYSTEM_ADMINISTRATOR = "system_administrator"
SECURITY_ADMINISTRATOR = "security_administrator"
APPLICATION_MANAGER = "application_manager"
AUDITOR = "auditor"
VERIFIER = "verifier"
APPLICANT = "applicant"
APPROVER_DEPARTMENT = "approver_department"
APPROVER_FUNCTIONAL = "approver_functional"
APPROVER_LEADER = "approver_leader"
FILER = "filer"
DUTY_OFFICER = "duty_officer"
RULE_AUTHOR = "rule_author"
RULE_CHECKER = "rule_checker"
CODE_MAPPER = "code_mapper"
LIAISON = "liaison"
VENDOR_ENGINEER = "vendor_engineer"
INSPECTOR = "inspector"
REGULATOR = "regulator"

ROLES: dict[str, Role] = {
    role.code: role
    for role in (
        Role(SYSTEM_ADMINISTRATOR, _("系统管理员")),
        Role(SECURITY_ADMINISTRATOR, _("安全管理员")),
        Role(APPLICATION_MANAGER, _("应用管理员"), only=_DISCIPLINE, never=_IT_AND_PHARMACY),
        Role(AUDITOR, _("审计员"), never=_IT_AND_PHARMACY),
        Role(VERIFIER, _("查证员")),
        Role(APPLICANT, _("统计申请人")),
        Role(APPROVER_DEPARTMENT, _("科室审批人")),
        Role(APPROVER_FUNCTIONAL, _("职能部门审批人")),
        Role(APPROVER_LEADER, _("院领导审批人")),
        Role(FILER, _("备案员"), only=_DISCIPLINE, never=_IT_AND_PHARMACY),
        Role(DUTY_OFFICER, _("值班员")),
        Role(RULE_AUTHOR, _("规则编写人")),
        Role(RULE_CHECKER, _("规则复核人")),
        Role(CODE_MAPPER, _("编码对照员")),
        Role(LIAISON, _("联络员")),
        Role(VENDOR_ENGINEER, _("厂商工程师")),
        Role(INSPECTOR, _("检查员")),
        Role(REGULATOR, _("监管人员")),
    )
}

APPROVERS = frozenset({APPROVER_DEPARTMENT, APPROVER_FUNCTIONAL, APPROVER_LEADER})


def _excluded() -> frozenset[frozenset[str]]:
    pairs: set[frozenset[str]] = set()

    def exclude(one: str, others: Iterable[str]) -> None:
        pairs.update(frozenset({one, other}) for other in others if other != one)

    for administrator in (SYSTEM_ADMINISTRATOR, SECURITY_ADMINISTRATOR):
        exclude(administrator, set(ROLES) - {APPLICANT, LIAISON})
    exclude(VENDOR_ENGINEER, ROLES)
    exclude(APPLICATION_MANAGER, {AUDITOR, VERIFIER, INSPECTOR, REGULATOR, *APPROVERS})
    exclude(AUDITOR, {VERIFIER, FILER, RULE_AUTHOR, RULE_CHECKER, *APPROVERS})
    exclude(FILER, APPROVERS)
    exclude(RULE_AUTHOR, {RULE_CHECKER})
    return frozenset(pairs)


EXCLUDED = _excluded()

_acts: dict[str, frozenset[str]] = {}


def declare(act: str, roles: Iterable[str]) -> str:
    """Say which roles may do `act` (`app.verb_object`); returns the name. Raises `ValueError` when
    it was declared before or a role does not exist."""
    allowed = frozenset(roles)
    if act in _acts or not allowed <= ROLES.keys():
        raise ValueError(act)
    _acts[act] = allowed
    return act


def kinds_of(department: Department) -> frozenset[str]:
    """The kind of a department and of all above it."""
    kinds: set[str] = set()
    seen: set[int] = set()
    above: Department | None = department
    while above is not None and above.pk not in seen:
        seen.add(above.pk)
        kinds.add(above.kind)
        above = above.parent
    return frozenset(kinds)


def fits(role: Role, kinds: frozenset[str]) -> bool:
    """Whether persons of a department of these kinds can hold the role at all."""
    return not (role.never & kinds) and (not role.only or bool(role.only & kinds))


def objection(person: Person, code: str) -> str | None:
    """Why this person cannot be given this role, as a sentence; None when it can be."""
    role = ROLES[code]
    if not person.is_active:
        return str(_("已离职的人员不能担任角色。"))
    if not fits(role, kinds_of(person.department)):
        return str(
            _("%(department)s的人员不能担任%(role)s：应用管理与审计不得交由信息或药学部门。")
            if role.never & kinds_of(person.department)
            else _("%(role)s只能由纪检监察部门的人员担任，%(department)s不是。")
        ) % {"department": person.department.name, "role": role.label}
    for held in held_codes(person):
        if held == code:
            return str(_("已经担任%(role)s。")) % {"role": role.label}
        if frozenset({held, code}) in EXCLUDED:
            return str(_("已担任%(held)s，与%(role)s互斥。")) % {
                "held": ROLES[held].label,
                "role": role.label,
            }
    return None


def held_codes(person: Person) -> set[str]:
    """Roles that were given and not taken back, whether or not they still fit."""
    rows = RoleAssignment.objects.filter(person=person, taken_at__isnull=True)
    return set(rows.values_list("role", flat=True))


def roles_of(person: object) -> frozenset[str]:
    """The roles in force. Of two that exclude each other neither counts: it is a fault of the
    data, and a fault must not give rights."""
    if not isinstance(person, Person) or not person.is_active:
        return frozenset()
    cached: frozenset[str] | None = getattr(person, "_roles", None)
    if cached is not None:
        return cached
    kinds = kinds_of(person.department)
    held = {code for code in held_codes(person) if code in ROLES and fits(ROLES[code], kinds)}
    clash = {code for pair in EXCLUDED if pair <= held for code in pair}
    roles = frozenset(held - clash)
    person._roles = roles  # pyright: ignore[reportAttributeAccessIssue] # lives one request
    return roles


def may(person: object, act: str) -> bool:
    return bool(_acts.get(act, frozenset()) & roles_of(person))


def acts() -> dict[str, frozenset[str]]:
    """All declared acts with their roles."""
    return dict(_acts)


MANAGE_PERSONS = declare("people.manage_persons", {SECURITY_ADMINISTRATOR})
SEE_TERMINALS = declare(
    "people.see_terminals",
    {SYSTEM_ADMINISTRATOR, SECURITY_ADMINISTRATOR, APPLICATION_MANAGER, AUDITOR},
)
MANAGE_TERMINALS = declare("people.manage_terminals", {SYSTEM_ADMINISTRATOR})
# What kind a department is decides who can be application manager, so IT does not say it.
MANAGE_DEPARTMENTS = declare("people.manage_departments", {SECURITY_ADMINISTRATOR})
SEE_ACTS = declare("people.see_acts", {AUDITOR})
