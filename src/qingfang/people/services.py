"""What can be done to persons and roles, each with its record.

Raises `NotAllowed` with a sentence for the person who asked.
"""

from __future__ import annotations

import secrets

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from qingfang.people import acts, policy
from qingfang.people.models import Person, RoleAssignment

# Letters and digits that are not taken for one another when read from paper.
_ALPHABET = "abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"


class NotAllowed(Exception):
    pass


def any_account() -> bool:
    """Whether anybody can sign in. Staff that was brought in without passwords does not count."""
    return Person.objects.exclude(password="").exclude(password__startswith="!").exists()  # noqa: S106


def new_password() -> str:
    """Four groups of four, about 93 bits, easy to read from paper."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _n in range(4)) for _part in range(4))


def give_role(
    person: Person, code: str, *, by: Person | None, request: HttpRequest | None = None
) -> RoleAssignment:
    """`by` is None only for the first accounts of an installation."""
    with transaction.atomic():
        # The row lock makes two roles that exclude each other, given at once, meet here.
        person = Person.objects.select_for_update().select_related("department").get(pk=person.pk)
        if by is not None and by.pk == person.pk:
            raise NotAllowed(_("不能给自己授予角色。"))
        problem = policy.objection(person, code)
        if problem:
            raise NotAllowed(problem)
        assignment = RoleAssignment.objects.create(person=person, role=code, given_by=by)
        acts.record("role.given", request=request, person=by, target=person.staff_number, role=code)
        return assignment


def take_role(person: Person, code: str, *, by: Person, request: HttpRequest | None = None) -> None:
    with transaction.atomic():
        taken = RoleAssignment.objects.filter(
            person=person, role=code, taken_at__isnull=True
        ).update(taken_at=timezone.now(), taken_by=by)
        if taken:
            acts.record(
                "role.taken", request=request, person=by, target=person.staff_number, role=code
            )


def reset_password(person: Person, *, by: Person, request: HttpRequest | None = None) -> str:
    """A new password, to be told to the person and changed at the first sign-in."""
    if by.pk == person.pk:
        raise NotAllowed(_("自己的密码请在“修改密码”中修改。"))
    password = new_password()
    with transaction.atomic():
        person.set_password(password)
        person.must_change_password = True
        person.save(update_fields=["password", "must_change_password"])
        acts.record("password.reset", request=request, person=by, target=person.staff_number)
    return password


def set_active(
    person: Person, active: bool, *, by: Person, request: HttpRequest | None = None
) -> None:
    """A person who left cannot sign in, and holds no role any more."""
    if by.pk == person.pk:
        raise NotAllowed(_("不能停用自己的账号。"))
    with transaction.atomic():
        person.is_active = active
        person.save(update_fields=["is_active"])
        acts.record(
            "person.activated" if active else "person.deactivated",
            request=request,
            person=by,
            target=person.staff_number,
        )
        if not active:
            for code in policy.held_codes(person):
                take_role(person, code, by=by, request=request)
