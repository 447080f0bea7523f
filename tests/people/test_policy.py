"""Roles: who can hold which, and which exclude each other."""

from __future__ import annotations

import itertools

import pytest

from qingfang.people import policy, services
from qingfang.people.models import Department, RoleAssignment
from tests.support.people import department, person

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("kind", ["it", "pharmacy"])
@pytest.mark.parametrize("role", ["application_manager", "auditor", "filer"])
def test_it_and_pharmacy_never_manage_audit_or_file(kind: str, role: str) -> None:
    with pytest.raises(services.NotAllowed, match="信息或药学"):
        services.give_role(person("1", kind), role, by=None)


def test_a_department_below_it_is_it() -> None:
    group = department("discipline", "信息科质控组", parent=department("it"))
    someone = person("1", "discipline")
    someone.department = group
    someone.save()
    with pytest.raises(services.NotAllowed, match="信息或药学"):
        services.give_role(someone, "application_manager", by=None)


def test_departments_in_a_circle_end() -> None:
    one, other = department("it"), department("clinical")
    one.parent, other.parent = other, one
    one.save()
    other.save()
    assert policy.kinds_of(other) == {"it", "clinical"}


def test_a_transfer_to_it_ends_the_rights_at_once() -> None:
    someone = person("1", "discipline", "application_manager")
    assert policy.roles_of(someone) == {"application_manager"}
    someone = type(someone).objects.get(pk=someone.pk)
    someone.department = department("it")
    someone.save()
    assert policy.roles_of(someone) == frozenset()
    assert policy.held_codes(someone) == {"application_manager"}


def test_a_department_that_becomes_it_ends_the_rights_too() -> None:
    someone = person("1", "discipline", "application_manager")
    Department.objects.filter(pk=someone.department.pk).update(kind="it")
    assert policy.roles_of(type(someone).objects.get(pk=someone.pk)) == frozenset()


ADMINISTRATORS = (
    "system_administrator",
    "security_administrator",
    "application_manager",
    "auditor",
)


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(ADMINISTRATORS, 2)))
def test_the_four_exclude_each_other(one: str, other: str) -> None:
    someone = person("1", "discipline", one)
    with pytest.raises(services.NotAllowed, match="互斥"):
        services.give_role(someone, other, by=None)


@pytest.mark.parametrize("administrator", ["system_administrator", "security_administrator"])
@pytest.mark.parametrize("content", ["verifier", "filer", "approver_leader", "duty_officer"])
def test_who_installs_or_gives_accounts_sees_no_content(administrator: str, content: str) -> None:
    assert frozenset({administrator, content}) in policy.EXCLUDED


def test_two_that_exclude_each_other_give_nothing_when_the_data_is_wrong() -> None:
    someone = person("1", "discipline", "application_manager")
    RoleAssignment.objects.create(person=someone, role="auditor")
    assert policy.roles_of(someone) == frozenset()


def test_nobody_gives_a_role_to_themselves() -> None:
    someone = person("1", "office", "security_administrator")
    with pytest.raises(services.NotAllowed, match="自己"):
        services.give_role(someone, "applicant", by=someone)


def test_who_left_holds_nothing() -> None:
    keeper = person("1", "office", "security_administrator")
    someone = person("2", "discipline", "application_manager")
    services.set_active(someone, False, by=keeper)
    assert policy.held_codes(someone) == set()
    with pytest.raises(services.NotAllowed, match="离职"):
        services.give_role(someone, "applicant", by=keeper)


def test_an_undeclared_act_is_refused_to_everybody() -> None:
    for number, role in enumerate(policy.ROLES):
        someone = person(str(number), "discipline", role)
        assert not policy.may(someone, "review.no_such_act")
    assert not policy.may(None, policy.MANAGE_PERSONS)
