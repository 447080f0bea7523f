"""A grant's life: who may take which step, and what is in force."""

from __future__ import annotations

import datetime as dt

import pytest
from django.test import Client
from django.utils import timezone

from qingfang.access import flow, policy, services
from qingfang.access.models import Grant
from qingfang.people.models import Act, Campus, Organisation, Person, Terminal
from qingfang.people.services import NotAllowed
from tests.support.people import person

pytestmark = pytest.mark.django_db


def made(applicant: Person, operator: Person) -> Grant:
    now = timezone.now()
    grant = Grant.objects.create(
        number=services.next_number(),
        applicant=applicant,
        person=operator,
        purpose="季度用药分析",
        grain="department",
        valid_from=now,
        valid_to=now + dt.timedelta(days=7),
    )
    terminal, _new = Terminal.objects.get_or_create(
        name="PC-1", defaults={"address": "10.1.2.3", "role": "statistics"}
    )
    grant.terminals.add(terminal)
    return grant


class Staff:
    def __init__(self) -> None:
        self.applicant = person("1", "office", "applicant")
        self.operator = person("2", "it")
        self.approver = person("3", "office", "approver_leader")
        self.filer = person("4", "discipline", "filer")


def test_applied_approved_filed() -> None:
    staff = Staff()
    grant = made(staff.applicant, staff.operator)
    services.step(grant.pk, "approve", by=staff.approver, request=None)
    services.step(grant.pk, "file", by=staff.filer, request=None, filed="纪备〔2026〕7号")
    grant.refresh_from_db()
    assert (grant.status, grant.filed_number) == ("filed", "纪备〔2026〕7号")
    assert grant.filed_at is not None
    assert [s.act for s in grant.steps.order_by("pk")] == ["approve", "file"]  # type: ignore[attr-defined]
    recorded = Act.objects.filter(kind__startswith="grant").order_by("pk")
    assert list(recorded.values_list("kind", flat=True)) == ["grant.approved", "grant.filed"]


def test_nothing_is_filed_without_a_number() -> None:
    staff = Staff()
    grant = made(staff.applicant, staff.operator)
    services.step(grant.pk, "approve", by=staff.approver, request=None)
    with pytest.raises(NotAllowed, match="备案号"):
        services.step(grant.pk, "file", by=staff.filer, request=None, filed="  ")


@pytest.mark.parametrize("act", ["file", "revoke", "no-such-act"])
def test_steps_are_not_skipped(act: str) -> None:
    staff = Staff()
    grant = made(staff.applicant, staff.operator)
    with pytest.raises(NotAllowed):
        services.step(grant.pk, act, by=staff.filer, request=None, filed="1")


@pytest.mark.parametrize("whose", ["applicant", "operator"])
def test_nobody_approves_their_own(whose: str) -> None:
    staff = Staff()
    staff.applicant = person("5", "office", "applicant", "approver_leader")
    staff.operator = person("6", "office", "approver_leader")
    grant = made(staff.applicant, staff.operator)
    someone = staff.applicant if whose == "applicant" else staff.operator
    assert not policy.may_act(someone, grant, "approve")
    assert policy.may_act(staff.approver, grant, "approve")


def test_nobody_files_what_was_made_out_to_them() -> None:
    staff = Staff()
    grant = made(staff.applicant, staff.filer)
    services.step(grant.pk, "approve", by=staff.approver, request=None)
    grant.refresh_from_db()
    assert not policy.may_act(staff.filer, grant, "file")


def test_a_second_decision_on_the_same_application_is_refused() -> None:
    staff = Staff()
    grant = made(staff.applicant, staff.operator)
    services.step(grant.pk, "refuse", by=staff.approver, request=None)
    with pytest.raises(NotAllowed):
        services.step(grant.pk, "approve", by=staff.approver, request=None)


def test_applicants_see_only_their_own() -> None:
    staff = Staff()
    other = person("7", "office", "applicant")
    grant = made(staff.applicant, staff.operator)
    assert list(policy.access_grants(staff.applicant)) == [grant]
    assert list(policy.access_grants(other)) == []
    assert list(policy.access_grants(staff.operator)) == []  # holds no role
    assert list(policy.access_grants(staff.approver)) == [grant]


def test_the_table_leads_from_the_start_to_every_state() -> None:
    reached = {flow.APPLIED}
    for _round in flow.TRANSITIONS:
        reached |= {
            end for (start, _act), (end, _r) in flow.TRANSITIONS.items() if start in reached
        }
    assert reached == {status for status, _label in Grant.Status.choices}
    assert flow.as_text().count("\n") == len(flow.TRANSITIONS) + 1


def test_the_form_takes_an_application() -> None:
    browser = Client()
    staff = Staff()
    hospital = Organisation.objects.get(code="H")
    Campus.objects.create(organisation=hospital, code="1", name="总院")
    terminal = Terminal.objects.create(name="PC-9", address="10.1.2.9", role="statistics")
    browser.force_login(staff.applicant)
    now = timezone.localtime()
    answer = browser.post(
        "/grants/new",
        {
            "purpose": "药事会季度分析",
            "person": staff.operator.pk,
            "terminals": [terminal.pk],
            "grain": "department",
            "items": "A0001，A0002 A0001",
            "valid_from": now.strftime("%Y-%m-%dT%H:%M"),
            "valid_to": (now + dt.timedelta(days=3)).strftime("%Y-%m-%dT%H:%M"),
        },
    )
    assert answer.status_code == 302, answer.content.decode()
    grant = Grant.objects.get()
    assert grant.items == ["A0001", "A0002"]
    assert grant.status == "applied"
    assert browser.get(f"/grants/{grant.pk}").status_code == 200
