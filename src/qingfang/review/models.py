"""Alerts, the statements around them, and what people found out about them.

Rules this module keeps:

1. An alert is made from one event of the ledger and names it (`log`, `seq`): made once, however
   often the ledger is read. It holds a copy of the event; the ledger stays the evidence.
2. Notes, dispositions and readings are added, never changed or deleted.
3. Columns that lists filter and sort by are never NULL.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from qingfang.people.models import Person


class Alert(models.Model):
    class Disposition(models.TextChoices):
        OPEN = "open", _("待定性")
        LAWFUL = "lawful", _("合法已授权")
        UNFILED = "unfiled", _("合法未备案")
        SUSPICIOUS = "suspicious", _("可疑")
        UNLAWFUL = "unlawful", _("查实非法")

    log = models.CharField(max_length=100)
    seq = models.BigIntegerField()
    number = models.CharField(_("编号"), max_length=64, unique=True)
    at = models.DateTimeField(_("时间"))
    verdict = models.CharField(_("结论"), max_length=8)
    # What enforcing would have decided, when it is not what was.
    would = models.CharField(max_length=8, blank=True)
    answered_as = models.CharField(max_length=12)
    severity = models.PositiveSmallIntegerField(_("级别"))
    grain = models.CharField(max_length=16, blank=True)
    disclosure = models.CharField(max_length=12, blank=True)
    operator = models.CharField(_("工号"), max_length=64, blank=True)
    operator_name = models.CharField(_("姓名"), max_length=64, blank=True)
    department = models.CharField(_("科室"), max_length=100, blank=True)
    terminal = models.CharField(_("终端"), max_length=64, blank=True)
    place = models.CharField(_("位置"), max_length=200, blank=True)
    client = models.CharField(max_length=64, blank=True)
    program = models.CharField(_("程序"), max_length=200, blank=True)
    account = models.CharField(max_length=128, blank=True)
    database = models.CharField(max_length=128, blank=True)
    server = models.CharField(max_length=128, blank=True)
    connection = models.CharField(max_length=128, blank=True)
    rows = models.BigIntegerField(null=True)
    bytes = models.BigIntegerField(null=True)
    event: models.JSONField[dict[str, Any]] = models.JSONField()
    twins: models.JSONField[list[str]] = models.JSONField(default=list)
    # Kinds of the departments that the operator and the terminal belong to, as they were then.
    subject_kinds: models.JSONField[list[str]] = models.JSONField(default=list)
    disposition = models.CharField(
        _("定性"), max_length=12, choices=Disposition.choices, default=Disposition.OPEN
    )
    assigned_to = models.ForeignKey(
        Person, models.PROTECT, null=True, related_name="assigned_alerts", verbose_name=_("查证人")
    )
    # The alerts that a list shows as one (`groups.py`): what they have in common as a digest, and
    # the number of the first of them.
    likeness = models.CharField(max_length=32, blank=True)
    group = models.CharField(max_length=64, blank=True)
    # Codes this alert's statement selects, for counting over a group.
    items = ArrayField(models.CharField(max_length=200), default=list)
    prescribers = ArrayField(models.CharField(max_length=200), default=list)
    # Of a review of what could not be read: the template's digest, how often it was sent again since,
    # and when last (`ingest.Repeats`).
    template = models.CharField(max_length=64, blank=True)
    repeats = models.PositiveIntegerField(default=0)
    repeated_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["log", "seq"], name="alert_once"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["at", "id"], name="alert_at"),
            models.Index(fields=["severity", "id"], name="alert_severity"),
            # A list of one verdict is counted and sorted from these alone.
            models.Index(fields=["verdict", "at", "id"], name="alert_verdict_at"),
            models.Index(fields=["verdict", "severity", "id"], name="alert_verdict_severity"),
            # What one searches for, each its own: the search joins them.
            models.Index(fields=["operator_name"], name="alert_operator_name"),
            models.Index(fields=["terminal"], name="alert_terminal"),
            models.Index(fields=["seq"], name="alert_seq"),
            models.Index(fields=["disposition", "at", "id"], name="alert_disposition"),
            models.Index(fields=["operator", "at"], name="alert_operator"),
            models.Index(fields=["assigned_to", "at"], name="alert_assigned"),
            models.Index(fields=["connection"], name="alert_connection"),
            models.Index(fields=["group", "id"], name="alert_group"),
            models.Index(fields=["likeness", "id"], name="alert_likeness"),
            models.Index(
                fields=["template", "server"],
                name="alert_template",
                condition=models.Q(disposition="open") & ~models.Q(template=""),
            ),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def places(self) -> list[str]:
        """Where the ledger has it, as notices name it (`log#seq`): its event and the event's twins."""
        twins = (twin.rpartition(":") for twin in self.twins)
        return [f"{self.log}#{self.seq}", *(f"{log}#{seq}" for log, _colon, seq in twins)]

    @property
    def colour(self) -> str:
        """Of the disposition's badge."""
        return {"open": "yellow", "unlawful": "red", "lawful": "green"}.get(
            self.disposition, "orange"
        )


class Statement(models.Model):
    """A statement of a session that had an alert, for its timeline."""

    log = models.CharField(max_length=100)
    seq = models.BigIntegerField()
    connection = models.CharField(max_length=128)
    at = models.DateTimeField()
    verdict = models.CharField(max_length=8)
    sql = models.TextField()
    rows = models.BigIntegerField(null=True)
    error = models.TextField(blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["log", "seq"], name="statement_once"),
        ]
        indexes: ClassVar = [models.Index(fields=["connection", "at", "id"], name="statement_of")]

    def __str__(self) -> str:
        return f"{self.log}:{self.seq}"


class Note(models.Model):
    """One entry of the verification log: facts found out, by whom, when."""

    alert = models.ForeignKey(Alert, models.PROTECT, related_name="notes")
    at = models.DateTimeField(default=timezone.now)
    by = models.ForeignKey(Person, models.PROTECT)
    text = models.CharField(_("查证情况"), max_length=2000)

    def __str__(self) -> str:
        return f"{self.alert_id} {self.at}"


class Ruling(models.Model):
    """What an alert was found to be, by whom, when and why; the newest counts."""

    alert = models.ForeignKey(Alert, models.PROTECT, related_name="rulings")
    at = models.DateTimeField(default=timezone.now)
    by = models.ForeignKey(Person, models.PROTECT)
    disposition = models.CharField(max_length=12, choices=Alert.Disposition.choices)
    reason = models.CharField(max_length=2000)

    def __str__(self) -> str:
        return f"{self.alert_id} {self.disposition}"


class Reading(models.Model):
    """Who has read an alert, and when for the first time."""

    alert = models.ForeignKey(Alert, models.PROTECT, related_name="readings")
    by = models.ForeignKey(Person, models.PROTECT)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["alert", "by"], name="read_once"),
        ]

    def __str__(self) -> str:
        return f"{self.alert_id} {self.by_id}"


class Acknowledgement(models.Model):
    """Who was the first to take an alert up, and when: from then on nobody further is woken."""

    alert = models.OneToOneField(Alert, models.PROTECT, related_name="acknowledgement")
    by = models.ForeignKey(Person, models.PROTECT)
    at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.alert_id} {self.by_id}"


class Position(models.Model):
    """How far a log has been read: everything before `seq` is in the tables above."""

    log = models.CharField(max_length=100, primary_key=True)
    seq = models.BigIntegerField()
    at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.log}:{self.seq}"


class CoverageRow(models.Model):
    """The last word of one way of seeing (`events.Coverage`)."""

    kind = models.CharField(max_length=8)
    name = models.CharField(max_length=63)
    node = models.CharField(max_length=63, blank=True)
    database = models.CharField(max_length=63)
    at = models.DateTimeField()
    body: models.JSONField[dict[str, Any]] = models.JSONField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["kind", "name", "node"], name="coverage_once"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class ProcessRow(models.Model):
    """The last word of one process of the engine (`engine.status.Process`)."""

    name = models.CharField(max_length=100)
    node = models.CharField(max_length=63, blank=True)
    at = models.DateTimeField()
    body: models.JSONField[dict[str, Any]] = models.JSONField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["node", "name"], name="process_once"),
        ]

    def __str__(self) -> str:
        return f"{self.node} {self.name}"


class Volume(models.Model):
    """How many statements one way of seeing saw in one hour."""

    kind = models.CharField(max_length=8)
    name = models.CharField(max_length=63)
    node = models.CharField(max_length=63, blank=True)
    database = models.CharField(max_length=63)
    hour = models.DateTimeField()
    statements = models.BigIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["hour", "kind", "name", "node"], name="volume_once"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.name} {self.hour}"


class Called(models.Model):
    """What a code of a protected database is called: an item, a prescriber or a department."""

    database = models.CharField(max_length=63)
    kind = models.CharField(max_length=12)
    code = models.CharField(max_length=200)
    name = models.CharField(max_length=200)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["kind", "code", "database"], name="called_once"),
        ]

    def __str__(self) -> str:
        return f"{self.database} {self.kind} {self.code}"


class NamesRead(models.Model):
    """When a database's names were read last, by which catalogue, and what went wrong."""

    database = models.CharField(max_length=63, primary_key=True)
    tried_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True)
    catalogue = models.CharField(max_length=64, blank=True)
    counts: models.JSONField[dict[str, int]] = models.JSONField(default=dict)
    # A code of `names.PROBLEMS`, empty when all is well.
    problem = models.CharField(max_length=20, blank=True)

    def __str__(self) -> str:
        return self.database


class OpaqueTemplate(models.Model):
    """One form of statement that could not be read, on one server: the queue has it once, however
    often it is sent. `text` has the literals taken out; `sample` is the first one as it was sent, to
    be read again when more is known (empty when it was too long to keep)."""

    class Risk(models.IntegerChoices):
        OTHER = 1, _("不像用药数据")
        USAGE = 2, _("碰到用药数据")
        FIGURES = 3, _("凑得出用量")
        SERVER = 4, _("改变数据库本身")

    server = models.CharField(max_length=128)
    digest = models.CharField(max_length=64)
    database = models.CharField(_("数据库"), max_length=128, blank=True)
    dialect = models.CharField(max_length=16)
    text = models.TextField(_("语句模板"))
    sample = models.TextField(blank=True)
    # {"table": …, "roles": […]} each, and {"code": …, "name": …} each.
    touches: models.JSONField[list[dict[str, Any]]] = models.JSONField(default=list)
    causes: models.JSONField[list[dict[str, str]]] = models.JSONField(default=list)
    risk = models.PositiveSmallIntegerField(_("估计风险"), choices=Risk.choices)
    # Whether the text tells what runs: only then can it be found to be no usage.
    fixed = models.BooleanField(default=True)
    first_at = models.DateTimeField(_("首次"))
    last_at = models.DateTimeField(_("最近"))
    count = models.BigIntegerField(_("次数"), default=0)
    # How often, by name; bounded.
    programs: models.JSONField[dict[str, int]] = models.JSONField(default=dict)
    terminals: models.JSONField[dict[str, int]] = models.JSONField(default=dict)
    accounts: models.JSONField[dict[str, int]] = models.JSONField(default=dict)
    operators: models.JSONField[dict[str, int]] = models.JSONField(default=dict)
    # Of the first one, as the ledger has it.
    log = models.CharField(max_length=100)
    seq = models.BigIntegerField()
    # When it was seen to be read after all; it comes back when it is opaque again.
    read_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["server", "digest"], name="template_once"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["risk", "id"], name="template_risk"),
            models.Index(fields=["count", "id"], name="template_count"),
            models.Index(fields=["first_at", "id"], name="template_first"),
            models.Index(fields=["last_at", "id"], name="template_last"),
        ]

    def __str__(self) -> str:
        return self.digest[:12]


class QueueDay(models.Model):
    """How many templates waited at the end of a day (so far, of today)."""

    day = models.DateField(primary_key=True)
    waiting = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.day} {self.waiting}"


class OperatorDay(models.Model):
    """Of the statements that inline routes carried to one server on one day: how many, and of how
    many it could not be told who was at work."""

    server = models.CharField(max_length=128)
    day = models.DateField()
    statements = models.BigIntegerField(default=0)
    unknown = models.BigIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["server", "day"], name="operators_once"),
        ]

    def __str__(self) -> str:
        return f"{self.server} {self.day}"
