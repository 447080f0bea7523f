"""Grants with their history, and what else the snapshot carries down to the engine.

Rules this module keeps:

1. A grant is to one natural person at named terminals, for one grain, one scope, one span of time.
2. Its steps are kept for good; a grant never goes back to an earlier state (`flow.py`).
3. A handed-down snapshot is kept as it was signed.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from qingfang.people.models import Person, Terminal


class Grant(models.Model):
    """`items`, `prescribers`, `departments` are codes; an empty list means all of them."""

    class Status(models.TextChoices):
        APPLIED = "applied", _("待审批")
        APPROVED = "approved", _("待备案")
        FILED = "filed", _("已备案生效")
        REFUSED = "refused", _("已驳回")
        REVOKED = "revoked", _("已撤销")
        WITHDRAWN = "withdrawn", _("已撤回")

    class Grain(models.TextChoices):
        INSTITUTION = "institution", _("全院合计")
        DEPARTMENT = "department", _("按科室")
        PRESCRIBER = "prescriber", _("按医生")
        DETAIL = "detail", _("明细")

    number = models.CharField(_("编号"), max_length=32, unique=True)
    applicant = models.ForeignKey(Person, models.PROTECT, related_name="applications")
    person = models.ForeignKey(
        Person, models.PROTECT, related_name="grants", verbose_name=_("统计人")
    )
    terminals = models.ManyToManyField(Terminal, verbose_name=_("统计终端"))
    purpose = models.CharField(_("用途"), max_length=200)
    grain = models.CharField(_("粒度"), max_length=16, choices=Grain.choices)
    item_kind = models.CharField(max_length=8, default="list")
    items: models.JSONField[list[str]] = models.JSONField(_("药品或耗材"), default=list, blank=True)
    # Of a class: the items that belong to it.
    item_members: models.JSONField[list[str]] = models.JSONField(default=list, blank=True)
    prescribers: models.JSONField[list[str]] = models.JSONField(_("医生"), default=list, blank=True)
    departments: models.JSONField[list[str]] = models.JSONField(_("科室"), default=list, blank=True)
    period_from = models.DateField(_("数据起始"), null=True, blank=True)
    period_to = models.DateField(_("数据截止"), null=True, blank=True)
    stored = models.BooleanField(_("允许把结果存成表或文件"), default=False)
    valid_from = models.DateTimeField(_("有效自"))
    valid_to = models.DateTimeField(_("有效至"))
    # In the snapshot's own words: `judge.snapshot.Weekly`. None: at any time.
    windows: models.JSONField[list[dict[str, Any]]] = models.JSONField(
        _("每周时段"), default=list, blank=True
    )
    max_runs = models.PositiveIntegerField(_("最多执行次数"), null=True, blank=True)
    status = models.CharField(
        _("状态"), max_length=12, choices=Status.choices, default=Status.APPLIED
    )
    filed_number = models.CharField(_("备案号"), max_length=64, blank=True)
    filed_at = models.DateTimeField(null=True)
    applied_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=~models.Q(status="filed")
                | models.Q(filed_at__isnull=False, filed_number__gt=""),
                name="grant_filed_has_number",
            ),
            models.CheckConstraint(
                condition=models.Q(valid_to__gt=models.F("valid_from")), name="grant_span"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["applied_at", "id"], name="grant_applied")]

    def __str__(self) -> str:
        return self.number

    @property
    def colour(self) -> str:
        """Of the state's badge: in force, over, or waiting for somebody."""
        if self.status == self.Status.FILED:
            return "green"
        over = (self.Status.REFUSED, self.Status.REVOKED, self.Status.WITHDRAWN)
        return "secondary" if self.status in over else "yellow"


class Step(models.Model):
    """One step of a grant's life: who did what when, and what was said."""

    grant = models.ForeignKey(Grant, models.PROTECT, related_name="steps")
    at = models.DateTimeField(default=timezone.now)
    by = models.ForeignKey(Person, models.PROTECT)
    act = models.CharField(max_length=16)
    note = models.CharField(max_length=500, blank=True)

    def __str__(self) -> str:
        return f"{self.grant_id} {self.act}"


class RouteMode(models.Model):
    """Whether a route of the configuration observes or enforces. One without a row observes."""

    route = models.CharField(_("线路"), max_length=63, unique=True)
    enforce = models.BooleanField(default=False)
    changed_at = models.DateTimeField(default=timezone.now)
    changed_by = models.ForeignKey(Person, models.PROTECT, null=True)

    def __str__(self) -> str:
        return self.route


class SpecialDay(models.Model):
    """A day that is not what its weekday says: a holiday, or a weekend day worked (调休)."""

    day = models.DateField(_("日期"), unique=True)
    working = models.BooleanField(_("上班"))
    note = models.CharField(_("说明"), max_length=100, blank=True)

    def __str__(self) -> str:
        return self.day.isoformat()


class WorkingWeek(models.Model):
    """Weekdays worked (1 Monday to 7) and their hours (pairs of `08:00`); the newest row counts.
    Without a row the snapshot's own form decides."""

    weekdays: models.JSONField[list[int]] = models.JSONField()
    hours: models.JSONField[list[list[str]]] = models.JSONField()
    at = models.DateTimeField(default=timezone.now)
    by = models.ForeignKey(Person, models.PROTECT, null=True)

    def __str__(self) -> str:
        return self.at.isoformat()


class Duty(models.Model):
    """Who is told of alerts; `after_minutes` without acknowledgement is when this line is told."""

    class Channel(models.TextChoices):
        MAIL = "mail", _("邮件")
        WEBHOOK = "webhook", _("HTTP 通知")
        SYSLOG = "syslog", "syslog"

    person = models.ForeignKey(Person, models.PROTECT, verbose_name=_("人员"))
    valid_from = models.DateTimeField(_("自"))
    valid_to = models.DateTimeField(_("至"))
    after_minutes = models.PositiveIntegerField(_("几分钟无人应答后通知"), default=0)
    min_severity = models.PositiveSmallIntegerField(_("最低级别"), default=0)
    channel = models.CharField(
        _("渠道"), max_length=32, choices=Channel.choices, default=Channel.MAIL
    )

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(valid_to__gt=models.F("valid_from")), name="duty_span"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["valid_from", "id"], name="duty_from")]

    def __str__(self) -> str:
        return f"{self.person_id} {self.channel}"

    @property
    def reachable(self) -> bool:
        """Whether the channel has an address of this person; syslog and HTTP need none."""
        return self.channel != self.Channel.MAIL or bool(self.person.mail)


class Designation(models.Model):
    """Who is designated for a function, and at which terminal (none: at any)."""

    class Function(models.TextChoices):
        STATISTICS = "statistics", _("统计")
        STORE = "store", _("药库")
        UPLOAD = "upload", _("数据上传")
        MAINTENANCE = "maintenance", _("数据库维护")

    function = models.CharField(_("职能"), max_length=32, choices=Function.choices)
    person = models.ForeignKey(Person, models.PROTECT, verbose_name=_("人员"))
    terminal = models.ForeignKey(
        Terminal, models.PROTECT, null=True, blank=True, verbose_name=_("终端")
    )

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["function", "person", "terminal"],
                nulls_distinct=False,
                name="designated_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.function} {self.person_id}"


class Registered(models.Model):
    """A registered report (template digest, menu, scope) or service (program, tables), in the
    snapshot's own words: `body` is a `judge.snapshot` Report or Service."""

    class Kind(models.TextChoices):
        REPORT = "report", _("报表")
        SERVICE = "service", _("服务程序")

    kind = models.CharField(_("类别"), max_length=8, choices=Kind.choices)
    code = models.CharField(_("编号"), max_length=64, unique=True)
    body: models.JSONField[dict[str, Any]] = models.JSONField()
    active = models.BooleanField(_("启用"), default=True)

    def __str__(self) -> str:
        return self.code


class Settlement(models.Model):
    """What somebody of the discipline office found, for a second person to confirm: of an opaque
    template that it is no usage (until `until`), or the source of a procedure it calls (`name`,
    `source`), which then goes into the catalogue of its database; or what counts as statistics of
    use (`source`, a definition's text, and `text`, its title), which the engine then goes by."""

    class Kind(models.TextChoices):
        NO_USAGE = "no_usage", _("与用药数据无关")
        SOURCE = "source", _("补充过程源代码")
        DEFINITION = "definition", _("统方定义")

    class State(models.TextChoices):
        PENDING = "pending", _("待第二人确认")
        CONFIRMED = "confirmed", _("已确认")
        REFUSED = "refused", _("不同意")
        ENDED = "ended", _("已撤销")

    kind = models.CharField(_("认定"), max_length=10, choices=Kind.choices)
    # The address of the server and the database's name in the configuration.
    server = models.CharField(max_length=128)
    database = models.CharField(_("数据库"), max_length=63)
    digest = models.CharField(max_length=64)
    text = models.TextField(_("语句模板"))
    # What the estimate named when it was looked at: it holds for no more than that.
    tables: models.JSONField[list[str]] = models.JSONField(default=list)
    name = models.CharField(_("过程或函数"), max_length=200, blank=True)
    source = models.TextField(_("源代码"), blank=True)
    reason = models.CharField(_("理由"), max_length=500)
    by = models.ForeignKey(Person, models.PROTECT, related_name="+", verbose_name=_("提出人"))
    at = models.DateTimeField(_("提出时间"), default=timezone.now)
    state = models.CharField(_("状态"), max_length=10, choices=State.choices, default=State.PENDING)
    decided_by = models.ForeignKey(Person, models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)
    note = models.CharField(max_length=500, blank=True)
    until = models.DateTimeField(_("有效至"), null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["kind", "server", "digest", "name"],
                condition=models.Q(state="pending"),
                name="settlement_asked_once",
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["server", "digest"], name="settlement_of"),
            models.Index(fields=["at", "id"], name="settlement_at"),
        ]

    def __str__(self) -> str:
        return f"S-{self.pk}"

    @property
    def colour(self) -> str:
        """Of the state's badge."""
        known = {"pending": "yellow", "confirmed": "green", "refused": "red"}
        return known.get(self.state, "secondary")


class PolicyText(models.Model):
    """Overrides of the built-in judging policy, TOML; the newest row counts."""

    text = models.TextField(blank=True)
    at = models.DateTimeField(default=timezone.now)
    by = models.ForeignKey(Person, models.PROTECT, null=True)

    def __str__(self) -> str:
        return self.at.isoformat()


class HandedDown(models.Model):
    """A snapshot as it was signed and written. `content` is the digest of what people decided in
    it, to tell whether anything has changed since."""

    version = models.PositiveBigIntegerField(unique=True)
    digest = models.CharField(max_length=64)
    content = models.CharField(max_length=64)
    made_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    envelope = models.BinaryField()

    def __str__(self) -> str:
        return str(self.version)
