"""Bringing in what a hospital has declared already: staff list, terminals, grants on file.

The material has the form of the judge's snapshot, so that what was handed down once can be read
back. Bringing in the same again changes nothing; persons and terminals that are not in it stay.
Nobody gets a password or a role here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import msgspec
from django.db import transaction

from qingfang.access.models import Designation, Grant, Registered
from qingfang.judge import snapshot as form
from qingfang.people import acts
from qingfang.people.models import (
    Campus,
    Department,
    Location,
    Organisation,
    Person,
    Post,
    Site,
    Terminal,
)


class Unusable(ValueError):
    """The material does not hold together; the text names the part."""


def bring_in(
    material: form.Snapshot, *, hospital: str, purposes: Mapping[str, str] | None = None
) -> None:
    """`hospital` is the organisation's name; `purposes` tells what grants are for, by number.
    `Person.department` is taken as the department's name and code. Raises `Unusable`."""
    try:
        form.check(material)
    except form.Rejected as problem:
        raise Unusable(str(problem)) from None
    with transaction.atomic():
        organisation, _new = Organisation.objects.get_or_create(
            code=material.site, defaults={"name": hospital}
        )
        campus, _new = Campus.objects.get_or_create(
            organisation=organisation, code="1", defaults={"name": hospital}
        )
        Site.objects.get_or_create(
            code=material.site, defaults={"campus": campus, "name": hospital}
        )
        persons = _persons(material, organisation)
        terminals = _terminals(material, campus, persons)
        _grants(material, persons, terminals, purposes or {})
        for row in material.designations:
            for number in row.persons:
                for name in row.terminals:
                    Designation.objects.get_or_create(
                        function=row.function, person=persons[number], terminal=terminals[name]
                    )
        for kind, rows in (("service", material.services), ("report", material.reports)):
            for row in rows:
                Registered.objects.update_or_create(
                    code=row.id, defaults={"kind": kind, "body": msgspec.to_builtins(row)}
                )
        acts.record(
            "directory.loaded",
            persons=len(persons),
            terminals=len(terminals),
            grants=len(material.grants),
        )


def _persons(material: form.Snapshot, organisation: Organisation) -> dict[str, Person]:
    departments: dict[str, Department] = {}
    posts: dict[str, Post] = {}
    rows = []
    for given in material.persons:
        if given.department not in departments:
            if given.department_kind not in Department.Kind.values:
                raise Unusable(f"persons.{given.number}.department_kind: {given.department_kind!r}")
            departments[given.department] = Department.objects.get_or_create(
                organisation=organisation,
                code=given.department[:32],
                defaults={"name": given.department, "kind": given.department_kind},
            )[0]
        for post in given.posts[:1]:
            if post not in posts:
                posts[post] = Post.objects.get_or_create(code=post[:32], defaults={"name": post})[0]
        person = Person(
            staff_number=given.number,
            name=given.name,
            department=departments[given.department],
            post=posts[given.posts[0]] if given.posts else None,
            codes=list(given.codes),
            is_active=given.active,
        )
        person.set_unusable_password()
        rows.append(person)
    Person.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["staff_number"],
        update_fields=["name", "department", "post", "codes", "is_active"],
        batch_size=1000,
    )
    return {p.staff_number: p for p in Person.objects.all()}


def _terminals(
    material: form.Snapshot, campus: Campus, persons: dict[str, Person]
) -> dict[str, Terminal]:
    rooms: dict[str, Location] = {}
    rows = []
    for given in material.terminals:
        if not given.addresses or "/" in given.addresses[0]:
            raise Unusable(f"terminals.{given.id}.addresses: {given.addresses}")
        if given.room and given.room not in rooms:
            rooms[given.room] = Location.objects.get_or_create(campus=campus, building=given.room)[
                0
            ]
        rows.append(
            Terminal(
                name=given.id,
                label=given.name,
                address=given.addresses[0],
                more_addresses=list(given.addresses[1:]),
                mac=given.mac,
                host=given.host,
                role=given.role,
                location=rooms.get(given.room),
                department=Department.objects.filter(code=given.unit).first()
                if given.unit
                else None,
                custodian=persons.get(given.custodian),
            )
        )
    Terminal.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["name"],
        update_fields=[
            *("label", "address", "more_addresses", "mac", "host", "role"),
            *("location", "department", "custodian"),
        ],
        batch_size=1000,
    )
    return {t.name: t for t in Terminal.objects.all()}


def _moment(micros: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(micros / 1_000_000, dt.UTC)


def _grants(
    material: form.Snapshot,
    persons: dict[str, Person],
    terminals: dict[str, Terminal],
    purposes: Mapping[str, str],
) -> None:
    for given in material.grants:
        if given.person not in persons:
            raise Unusable(f"grants.{given.id}.person: {given.person!r}")
        if not given.filed_number or given.filed_us is None:
            raise Unusable(f"grants.{given.id}.filed_number")
        person, scope = persons[given.person], given.scope
        period = [
            dt.date.fromisoformat(day) if day else None
            for day in (scope.period.from_day, scope.period.to_day)
        ]
        grant, _new = Grant.objects.update_or_create(
            number=given.id,
            defaults={
                "applicant": person,
                "person": person,
                "purpose": purposes.get(given.id, ""),
                "grain": scope.grain,
                "item_kind": "class" if scope.items.kind == "class" else "list",
                "items": list(scope.items.values),
                "item_members": list(scope.items.members),
                "prescribers": list(scope.prescribers.values),
                "departments": list(scope.departments.values),
                "period_from": period[0],
                "period_to": period[1],
                "stored": scope.stored,
                "valid_from": _moment(given.valid.from_us),
                "valid_to": _moment(given.valid.to_us),
                "windows": msgspec.to_builtins(given.windows),
                "max_runs": given.max_runs,
                "status": Grant.Status.FILED,
                "filed_number": given.filed_number,
                "filed_at": _moment(given.filed_us),
            },
        )
        grant.terminals.set([terminals[name] for name in given.terminals])
