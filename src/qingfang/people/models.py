"""Who works where, sits at which terminal, and holds which role.

Rules this module keeps:

1. A person is known by the staff number of the HIS; a person without a usable password cannot sign
   in, but can be the operator of a statement or the custodian of a terminal.
2. Roles are given and taken back, never edited or deleted: history is kept.
3. `Act` is the outbox of what people did in the console. A row is written in the transaction of
   the act itself and is drained to the ledger by a worker; it is complete only with its place
   there (`log`, `seq`).
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class Organisation(models.Model):
    """A legal person: a hospital, a health bureau."""

    code = models.CharField(_("代码"), max_length=32, unique=True)
    name = models.CharField(_("名称"), max_length=100)

    def __str__(self) -> str:
        return self.name


class Campus(models.Model):
    """One address of an organisation (院区)."""

    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="campuses")
    code = models.CharField(_("代码"), max_length=32)
    name = models.CharField(_("名称"), max_length=100)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organisation", "code"], name="campus_code")
        ]

    def __str__(self) -> str:
        return self.name


class Site(models.Model):
    """One installation of Qingfang: `code` is `site.id` of its configuration file."""

    campus = models.ForeignKey(Campus, models.PROTECT, related_name="sites")
    code = models.CharField(_("代码"), max_length=63, unique=True)
    name = models.CharField(_("名称"), max_length=100)

    def __str__(self) -> str:
        return self.name


class Department(models.Model):
    """A department; what kind it is decides which roles its persons can never hold."""

    class Kind(models.TextChoices):
        IT = "it", _("信息")
        PHARMACY = "pharmacy", _("药学")
        DISCIPLINE = "discipline", _("纪检监察")
        CLINICAL = "clinical", _("临床")
        TECHNICAL = "medtech", _("医技")
        FUNCTIONAL = "office", _("职能")
        FINANCE = "finance", _("财务与医保")
        SUPPLY = "supply", _("设备与物资")
        OTHER = "other", _("其他")

    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="departments")
    campus = models.ForeignKey(Campus, models.PROTECT, null=True, blank=True)
    parent = models.ForeignKey("self", models.PROTECT, null=True, blank=True)
    code = models.CharField(_("代码"), max_length=32)
    name = models.CharField(_("名称"), max_length=100)
    kind = models.CharField(_("类别"), max_length=16, choices=Kind.choices, default=Kind.OTHER)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organisation", "code"], name="department_code")
        ]

    def __str__(self) -> str:
        return self.name


class Post(models.Model):
    """A post (岗位). A key post has rights to statistics or bulk queries."""

    code = models.CharField(_("代码"), max_length=32, unique=True)
    name = models.CharField(_("名称"), max_length=100)
    key = models.BooleanField(_("关键岗位"), default=False)

    def __str__(self) -> str:
        return self.name


class PersonManager(BaseUserManager["Person"]):
    def get_by_natural_key(self, username: str | None) -> Person:
        return self.get(staff_number=username)


class Person(AbstractBaseUser):
    """A natural person. `totp_secret` is empty until a second factor is enrolled."""

    staff_number = models.CharField(_("工号"), max_length=32, unique=True)
    name = models.CharField(_("姓名"), max_length=64)
    department = models.ForeignKey(
        Department, models.PROTECT, related_name="persons", verbose_name=_("科室")
    )
    post = models.ForeignKey(Post, models.PROTECT, null=True, blank=True, verbose_name=_("岗位"))
    # Other codes that stand for this person in business systems, each `code` or `system=code`.
    codes: models.JSONField[list[str]] = models.JSONField(_("其他代码"), default=list, blank=True)
    # Absences as pairs of days, both inclusive.
    away: models.JSONField[list[list[str]]] = models.JSONField(
        _("不在岗"), default=list, blank=True
    )
    left_on = models.DateField(_("离职日期"), null=True, blank=True)
    phone = models.CharField(_("手机"), max_length=32, blank=True)
    mail = models.EmailField(_("邮箱"), blank=True)
    is_active = models.BooleanField(_("在职"), default=True)
    must_change_password = models.BooleanField(default=False)
    totp_secret = models.BinaryField(default=b"")
    # The last time step a code was taken of.
    totp_step = models.BigIntegerField(default=0)

    USERNAME_FIELD = "staff_number"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name"]
    objects = PersonManager()

    def __str__(self) -> str:
        return f"{self.name} {self.staff_number}"


class Location(models.Model):
    """A place a terminal stands at, down to the network port, and the camera that sees it."""

    campus = models.ForeignKey(Campus, models.PROTECT, related_name="locations")
    building = models.CharField(_("楼"), max_length=64)
    floor = models.CharField(_("层"), max_length=16, blank=True)
    room = models.CharField(_("房间"), max_length=64, blank=True)
    port = models.CharField(_("网络端口"), max_length=64, blank=True)
    camera = models.CharField(_("摄像头"), max_length=64, blank=True)

    def __str__(self) -> str:
        return " ".join(part for part in (self.building, self.floor, self.room) if part)


class Terminal(models.Model):
    """A declared computer: fixed addresses, fixed place, one custodian. `host` is the name the
    computer gives itself."""

    class Role(models.TextChoices):
        CLINICAL = "clinical", _("临床")
        STATISTICS = "statistics", _("统计专用")
        PHARMACY = "pharmacy", _("药房药库")
        KIOSK = "kiosk", _("自助机")
        SERVER = "server", _("服务器")
        VENDOR = "vendor", _("厂商运维")

    name = models.CharField(_("编号"), max_length=64, unique=True)
    label = models.CharField(_("名称"), max_length=100, blank=True)
    address = models.GenericIPAddressField(_("IP 地址"), unique=True)
    # Further addresses or networks (`10.1.2.0/29`) of the same computer.
    more_addresses: models.JSONField[list[str]] = models.JSONField(
        _("其他地址"), default=list, blank=True
    )
    mac = models.CharField(_("MAC 地址"), max_length=17, blank=True)
    host = models.CharField(_("电脑名"), max_length=64, blank=True)
    role = models.CharField(_("用途"), max_length=16, choices=Role.choices, default=Role.CLINICAL)
    location = models.ForeignKey(
        Location, models.PROTECT, null=True, blank=True, verbose_name=_("位置")
    )
    department = models.ForeignKey(
        Department, models.PROTECT, null=True, blank=True, verbose_name=_("科室")
    )
    custodian = models.ForeignKey(
        Person, models.PROTECT, null=True, blank=True, verbose_name=_("责任人")
    )
    active = models.BooleanField(_("在用"), default=True)

    def __str__(self) -> str:
        return self.name


class Proposed(models.Model):
    """A change of a person's or terminal's record that a right rests on: until the discipline
    office has confirmed it, the record stays as it is.

    `changes` has one row a field: its name, the values before and after, and both as text.
    `resting` names the rights that rested on the record when the change was proposed.
    """

    class Kind(models.TextChoices):
        PERSON = "person", _("人员")
        TERMINAL = "terminal", _("终端")

    class State(models.TextChoices):
        PENDING = "pending", _("待纪检确认")
        CONFIRMED = "confirmed", _("已确认")
        REFUSED = "refused", _("不同意")
        REPLACED = "replaced", _("已被新的改动取代")

    kind = models.CharField(_("类别"), max_length=8, choices=Kind.choices)
    # None: a new record whose name a right already rests on.
    record = models.BigIntegerField(null=True)
    name = models.CharField(_("对象"), max_length=130)
    changes: models.JSONField[list[dict[str, Any]]] = models.JSONField()
    resting: models.JSONField[list[str]] = models.JSONField()
    state = models.CharField(_("状态"), max_length=9, choices=State.choices, default=State.PENDING)
    at = models.DateTimeField(_("时间"), default=timezone.now)
    by = models.ForeignKey(Person, models.PROTECT, related_name="+", verbose_name=_("提出人"))
    decided_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(Person, models.PROTECT, null=True, related_name="+")
    note = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["kind", "record"],
                condition=models.Q(state="pending"),
                name="proposed_once",
            )
        ]
        indexes: ClassVar = [models.Index(fields=["at", "id"], name="proposed_at")]

    def __str__(self) -> str:
        return self.name

    @property
    def rows(self) -> list[dict[str, str]]:
        """The changed fields as pages show them."""
        model = Person if self.kind == self.Kind.PERSON else Terminal
        return [
            {
                "label": str(model._meta.get_field(row["field"]).verbose_name),
                "before": row["before_text"],
                "after": row["after_text"],
            }
            for row in self.changes
        ]

    @property
    def colour(self) -> str:
        """Of the state's badge."""
        known = {"pending": "yellow", "confirmed": "green", "refused": "red"}
        return known.get(self.state, "secondary")


class Import(models.Model):
    """A table of persons or terminals that somebody handed in: looked at, then written.

    `rows` are line numbers and the recognised cells by field; they are kept until it is written.
    `whole`: who is registered and not in the table has left. `total` counts the lines to be written
    (leaving included), `done` those looked after so far; `refused` are sentences about lines that
    could not be written, `proposed` counts what waits for the discipline office.
    """

    class State(models.TextChoices):
        SHOWN = "shown", _("待确认")
        RUNNING = "running", _("正在写入")
        DONE = "done", _("已完成")

    kind = models.CharField(_("类别"), max_length=8, choices=Proposed.Kind.choices)
    file_name = models.CharField(_("文件"), max_length=200)
    digest = models.CharField(max_length=64)
    whole = models.BooleanField(default=False)
    rows: models.JSONField[list[list[Any]]] = models.JSONField(default=list)
    unknown: models.JSONField[list[str]] = models.JSONField(default=list)
    state = models.CharField(_("状态"), max_length=8, choices=State.choices, default=State.SHOWN)
    at = models.DateTimeField(_("时间"), default=timezone.now)
    by = models.ForeignKey(Person, models.PROTECT, related_name="+", verbose_name=_("提出人"))
    total = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    written = models.PositiveIntegerField(default=0)
    proposed = models.PositiveIntegerField(default=0)
    refused: models.JSONField[list[str]] = models.JSONField(default=list)

    def __str__(self) -> str:
        return self.file_name


class RoleAssignment(models.Model):
    """A role held by a person from `given_at` until `taken_at` (None: still)."""

    person = models.ForeignKey(Person, models.PROTECT, related_name="assignments")
    role = models.CharField(max_length=32)
    given_at = models.DateTimeField(default=timezone.now)
    given_by = models.ForeignKey(Person, models.PROTECT, null=True, related_name="+")
    taken_at = models.DateTimeField(null=True)
    taken_by = models.ForeignKey(Person, models.PROTECT, null=True, related_name="+")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["person", "role"],
                condition=models.Q(taken_at__isnull=True),
                name="role_held_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.person_id} {self.role}"

    @property
    def label(self) -> str:
        """The role's name, or its code when there is no such role any more."""
        from qingfang.people.policy import ROLES

        return str(ROLES[self.role].label) if self.role in ROLES else self.role


class RecoveryCode(models.Model):
    """One code that stands in for the second factor, once; only its SHA-256 is kept."""

    person = models.ForeignKey(Person, models.PROTECT, related_name="recovery_codes")
    digest = models.CharField(max_length=64)
    used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.person_id}"


class FactorRole(models.Model):
    """A role whose holders must have a second factor."""

    role = models.CharField(max_length=32, unique=True)
    at = models.DateTimeField(default=timezone.now)
    by = models.ForeignKey(Person, models.PROTECT, related_name="+")

    def __str__(self) -> str:
        return self.role


class SignInGuard(models.Model):
    """Failed sign-ins of one account (`account:1001`) or one address (`address:10.1.2.3`)."""

    key = models.CharField(max_length=100, primary_key=True)
    failures = models.PositiveIntegerField(default=0)
    last_at = models.DateTimeField(null=True)
    locked_until = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.key


class Act(models.Model):
    """What somebody did in the console: outbox of the ledger, and the console's own trail."""

    at = models.DateTimeField(_("时间"), default=timezone.now)
    actor = models.CharField(_("工号"), max_length=32, blank=True)
    kind = models.CharField(_("行为"), max_length=32)
    target = models.CharField(_("对象"), max_length=130, blank=True)
    address = models.CharField(_("来源地址"), max_length=45, blank=True)
    facts: models.JSONField[dict[str, Any]] = models.JSONField(default=dict)
    log = models.CharField(max_length=100, blank=True)
    seq = models.BigIntegerField(_("账本序号"), null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["at", "id"], name="act_at"),
            models.Index(fields=["id"], name="act_unsent", condition=models.Q(seq__isnull=True)),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.target}"
