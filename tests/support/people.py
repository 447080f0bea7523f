"""Invented staff for tests of the console; nobody of them exists."""

from __future__ import annotations

from qingfang.people import services
from qingfang.people.models import Department, Organisation, Person

PASSWORD = "合成-Quiet-Harbour-7"


def department(kind: str, name: str = "", parent: Department | None = None) -> Department:
    hospital, _new = Organisation.objects.get_or_create(code="H", defaults={"name": "合成医院"})
    made, _new = Department.objects.get_or_create(
        organisation=hospital,
        code=name or kind,
        defaults={"name": name or Department.Kind(kind).label, "kind": kind, "parent": parent},
    )
    return made


def person(
    number: str, kind: str = "clinical", *roles: str, name: str = "", password: bool = False
) -> Person:
    """A person of a department of this kind who holds these roles."""
    made = Person(staff_number=number, name=name or f"某人{number}", department=department(kind))
    if password:
        made.set_password(PASSWORD)
    else:
        made.set_unusable_password()
    made.save()
    for role in roles:
        services.give_role(made, role, by=None)
    return made
