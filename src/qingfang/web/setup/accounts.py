"""The first accounts of an installation, made once and together."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from django.db import connection, transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from msgspec import Struct

from qingfang.access.models import Duty
from qingfang.config import Config
from qingfang.people import acts, policy, services
from qingfang.people.models import Campus, Department, Organisation, Person, Site
from qingfang.people.services import NotAllowed

_LOCK = 0x51494E48  # any number, the same for all console processes
DUTY_LASTS = dt.timedelta(days=365)

# The roles the guides offer, with the kind of department their holder usually comes from.
OFFERED = (
    (policy.SECURITY_ADMINISTRATOR, "office"),
    (policy.APPLICATION_MANAGER, "discipline"),
    (policy.AUDITOR, "discipline"),
    (policy.SYSTEM_ADMINISTRATOR, "it"),
    (policy.DUTY_OFFICER, "discipline"),
)


class Asked(Struct, frozen=True):
    """One account to be made. `kind` is the kind of the department, `mail` may be empty."""

    role: str
    staff_number: str
    name: str
    department: str
    kind: str
    mail: str = ""


class Made(Struct, frozen=True):
    """`password` is empty when the person got it with an earlier role of the same list."""

    role: str
    label: str
    staff_number: str
    name: str
    password: str


def create(
    asked: Sequence[Asked], config: Config, *, request: HttpRequest | None = None
) -> list[Made]:
    """Make them all or none. A duty officer with a mail address is put on the roster for a year, so
    that alerts reach somebody from the first day. Raises `NotAllowed`."""
    if not any(one.role == policy.SECURITY_ADMINISTRATOR for one in asked):
        raise NotAllowed(_("第一批账号里必须有安全管理员：以后的账号和角色由他授予。"))
    order = {role: n for n, (role, _kind) in enumerate(OFFERED)}
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        if services.any_account():
            raise NotAllowed(_("已经有账号了；以后的账号由安全管理员在“人员与角色”里建立。"))
        hospital, campus = _house(config)
        passwords: dict[str, str] = {}
        made: list[Made] = []
        for one in sorted(asked, key=lambda a: order.get(a.role, len(order))):
            person = _person(one, hospital, campus)
            fresh = ""
            if one.staff_number not in passwords:
                fresh = passwords[one.staff_number] = services.new_password()
                person.set_password(fresh)
                person.must_change_password = True
                person.save(update_fields=["password", "must_change_password"])
                acts.record("person.created", request=request, target=person.staff_number)
            _give(person, one.role, request)
            if one.role == policy.DUTY_OFFICER and person.mail:
                now = timezone.now()
                Duty.objects.create(person=person, valid_from=now, valid_to=now + DUTY_LASTS)
            label = str(policy.ROLES[one.role].label)
            made.append(Made(one.role, label, one.staff_number, person.name, fresh))
    return made


def _give(person: Person, role: str, request: HttpRequest | None) -> None:
    if role not in policy.ROLES:
        raise NotAllowed(_("没有这个角色。"))
    try:
        services.give_role(person, role, by=None, request=request)
    except NotAllowed as no:
        told = {"name": person.name, "number": person.staff_number, "why": no}
        raise NotAllowed(_("%(name)s（%(number)s）：%(why)s") % told) from None


def _house(config: Config) -> tuple[Organisation, Campus]:
    hospital, _new = Organisation.objects.get_or_create(
        code=config.site.id[:32], defaults={"name": config.site.name[:100]}
    )
    campus = hospital.campuses.first()  # pyright: ignore[reportAttributeAccessIssue]
    if campus is None:
        campus = Campus.objects.create(organisation=hospital, code="1", name=hospital.name)
    Site.objects.get_or_create(
        code=config.site.id, defaults={"campus": campus, "name": config.site.name[:100]}
    )
    return hospital, campus


def _person(one: Asked, hospital: Organisation, campus: Campus) -> Person:
    number, name, unit = one.staff_number.strip(), one.name.strip(), one.department.strip()
    if not number or not name or not unit or len(number) > 32 or len(name) > 64 or len(unit) > 32:
        raise NotAllowed(_("工号、姓名、科室都要填写，工号和科室不超过 32 个字。"))
    if one.kind not in Department.Kind.values:
        raise NotAllowed(_("没有这种科室类别：%(kind)s") % {"kind": one.kind})
    person = Person.objects.select_related("department").filter(staff_number=number).first()
    if person is None:
        department = _department(one.kind, unit, hospital, campus)
        person = Person(staff_number=number, name=name, department=department)
        person.set_unusable_password()
    elif person.department.name != unit:
        told = {"name": person.name, "number": number, "unit": person.department.name}
        raise NotAllowed(_("%(name)s（%(number)s）在名册里属于%(unit)s。") % told)
    if one.mail:
        person.mail = one.mail
    person.save()
    return person


def _department(kind: str, name: str, hospital: Organisation, campus: Campus) -> Department:
    found = Department.objects.filter(organisation=hospital, name=name).first()
    if found is None:
        return Department.objects.create(
            organisation=hospital, campus=campus, code=name, name=name, kind=kind
        )
    if found.kind != kind:
        told = {"unit": name, "kind": found.get_kind_display()}  # pyright: ignore[reportAttributeAccessIssue]
        raise NotAllowed(_("%(unit)s的类别已经定为%(kind)s，两处要一致。") % told)
    return found
