"""Fills the console of a demo: the invented hospital's people, terminals, approvals and accounts.

`python -m qingfang.demo.seed --config FILE --seed N --today DATE`. Run while the console's database
is up. Prints one JSON line: the accounts, one a role. A console that has people is left as it is.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import secrets
import sys
from pathlib import Path

from qingfang import config as configuration
from qingfang.demo.hospital import Facts, facts
from qingfang.demo.people import ZONE, Cast, cast

# role, staff number, name, department code of the console's own people
ACCOUNTS = (
    ("system_administrator", "X001", "林工", "it"),
    ("security_administrator", "X002", "安然", "office"),
    ("application_manager", "J001", "纪明", "discipline"),
    ("auditor", "J002", "沈鉴", "discipline"),
    ("filer", "J003", "备清", "discipline"),
    ("duty_officer", "J004", "值安", "discipline"),
    ("verifier", "X003", "查实", "it"),
    ("applicant", "", "", ""),
    ("approver_department", "K001", "主任一", "office"),
    ("approver_leader", "Y001", "院长一", "office"),
)


def fill(file: Path, seed: int, today: dt.date) -> list[dict[str, str]]:
    """See to it that the console knows the hospital; returns its accounts."""
    import django

    os.environ["QINGFANG_CONFIG"] = str(file.absolute())
    os.environ["DJANGO_SETTINGS_MODULE"] = "qingfang.web.settings"
    django.setup()
    from django.db import transaction

    from qingfang.people.models import Person

    kept = Path(configuration.read(file).paths.state) / "demo-accounts.json"
    if Person.objects.exists() and kept.exists():
        return json.loads(kept.read_text(encoding="utf-8"))
    known = facts(seed)
    with transaction.atomic():
        accounts = _fill(known, cast(known, today), configuration.read(file))
    descriptor = os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        json.dump(accounts, out, ensure_ascii=False)
    return accounts


def _fill(known: Facts, cast: Cast, config: configuration.Config) -> list[dict[str, str]]:
    from qingfang.access.models import Designation, Duty, Grant, Registered, RouteMode, Step
    from qingfang.people import services
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

    hospital = Organisation.objects.create(code="SYN", name=f"{config.site.name}")
    campus = Campus.objects.create(organisation=hospital, code="main", name="本部")
    Site.objects.create(campus=campus, code=config.site.id, name=config.site.name)
    kind_of = {p.department: p.department_kind for p in cast.persons}
    departments = {
        d.code: Department.objects.create(
            organisation=hospital,
            campus=campus,
            code=d.code,
            name=d.name,
            kind=kind_of.get(d.name, "other"),
        )
        for d in known.departments
    }
    for code, name, kind in (
        ("it", "信息科", "it"),
        ("discipline", "纪检监察室", "discipline"),
        ("office", "院办公室", "office"),
    ):
        found = next((d for d in departments.values() if d.name == name), None)
        departments[code] = found or Department.objects.create(
            organisation=hospital, campus=campus, code=code, name=name, kind=kind
        )
    posts: dict[str, Post] = {}
    for title in sorted({s.post for s in known.staff}):
        key = title in {"临床药师", "质控干事", "采购员", "库管员"}
        posts[title] = Post.objects.create(code=title, name=title, key=key)
    persons: dict[str, Person] = {}
    for member in known.staff:
        person = Person(
            staff_number=member.number,
            name=member.name,
            department=departments[member.department],
            post=posts[member.post],
        )
        person.set_unusable_password()
        persons[member.number] = person
    Person.objects.bulk_create(persons.values())

    terminals: dict[str, Terminal] = {}
    for terminal in cast.terminals:
        place, _created = Location.objects.get_or_create(
            campus=campus, building=terminal.room or "机房"
        )
        terminals[terminal.id] = Terminal.objects.create(
            name=terminal.id,
            label=terminal.name,
            address=terminal.address,
            role=terminal.role,
            location=place,
            department=departments.get(terminal.unit),
        )
    for designation in cast.designations:
        for number in designation.persons:
            for name in designation.terminals:
                Designation.objects.create(
                    function=designation.function,
                    person=persons[number],
                    terminal=terminals[name],
                )
    for service in cast.services:
        Registered.objects.create(
            kind="service",
            code=service.id,
            body={
                "id": service.id,
                "why": service.why,
                "terminals": list(service.terminals),
                "program": service.program,
                "operator": service.operator,
                "tables": list(service.tables),
            },
        )

    accounts = []
    by_role: dict[str, Person] = {}
    for role, number, name, department in ACCOUNTS:
        if number:
            person = Person(staff_number=number, name=name, department=departments[department])
            person.mail = f"{number.lower()}@example.invalid"
        else:
            person = persons[cast.grants[0].person]
        password = "-".join(secrets.token_hex(2) for _n in range(3))
        person.set_password(password)
        person.save()
        services.give_role(person, role, by=None)
        by_role[role] = person
        accounts.append(
            {
                "role": role,
                "staff_number": person.staff_number,
                "name": person.name,
                "password": password,
            }
        )
    for grant in cast.grants:
        row = Grant.objects.create(
            number=grant.id,
            applicant=by_role["applicant"],
            person=persons[grant.person],
            purpose=grant.purpose,
            grain=grant.scope.grain,
            item_kind=grant.scope.items.kind,
            items=list(grant.scope.items.values),
            prescribers=list(grant.scope.prescribers.values),
            departments=list(grant.scope.departments.values),
            period_from=grant.scope.period.from_day,
            period_to=grant.scope.period.to_day,
            valid_from=_moment(grant.valid.from_us),
            valid_to=_moment(grant.valid.to_us),
            max_runs=grant.max_runs,
            status=Grant.Status.FILED,
            filed_number=grant.filed_number,
            filed_at=_moment(grant.filed_us),
            applied_at=_moment(grant.filed_us) - dt.timedelta(days=1),
        )
        row.terminals.set([terminals[name] for name in grant.terminals])
        for act, role in (
            ("apply", "applicant"),
            ("approve", "approver_leader"),
            ("file", "filer"),
        ):
            Step.objects.create(
                grant=row, at=_moment(grant.filed_us), by=by_role[role], act=act, note="演示数据"
            )
    now = dt.datetime.now(ZONE)
    Duty.objects.create(
        person=by_role["duty_officer"],
        valid_from=now - dt.timedelta(days=1),
        valid_to=now + dt.timedelta(days=365),
        channel="mail",
    )
    for route in config.route:
        RouteMode.objects.create(
            route=route.name, enforce=True, changed_by=by_role["application_manager"]
        )
    return accounts


def _moment(at_us: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(at_us / 1_000_000, dt.UTC)


def main() -> None:
    parser = argparse.ArgumentParser(prog="qingfang.demo.seed")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--today", type=dt.date.fromisoformat, required=True)
    arguments = parser.parse_args()
    json.dump(fill(arguments.config, arguments.seed, arguments.today), sys.stdout)
    print()


if __name__ == "__main__":
    main()
