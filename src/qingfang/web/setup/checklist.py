"""What is still missing before a route should enforce: looked up anew at each request."""

from __future__ import annotations

from pathlib import Path

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext as retold

from qingfang.access import calendar, routes, settling
from qingfang.access.models import Designation, Duty
from qingfang.config import Config
from qingfang.people import policy
from qingfang.people.models import RoleAssignment, Terminal
from qingfang.understand.discovery import review

NEEDED = (
    policy.APPLICATION_MANAGER,
    policy.AUDITOR,
    policy.SECURITY_ADMINISTRATOR,
    policy.SYSTEM_ADMINISTRATOR,
    policy.FILER,
    policy.DUTY_OFFICER,
)


class Point:
    """`done` or not; `told` says how it stands, `who` does it, `url` is where, if in the console."""

    def __init__(self, title: str, done: bool, told: str, who: str, url: str = "") -> None:
        self.title, self.done, self.told, self.who, self.url = title, done, told, who, url


def points(config: Config) -> list[Point]:
    office, security, machine = _("应用管理员"), _("安全管理员"), _("系统管理员")
    year = timezone.localdate().year
    held = set(RoleAssignment.objects.filter(taken_at__isnull=True).values_list("role", flat=True))
    vacant = [str(policy.ROLES[code].label) for code in NEEDED if code not in held]
    entered = calendar.covers(year)
    now = timezone.now()
    on_duty = Duty.objects.filter(
        valid_from__lte=now, valid_to__gt=now, person__is_active=True
    ).count()
    designated = Designation.objects.values("person").distinct().count()
    terminals = Terminal.objects.filter(active=True).count()
    channels = config.channels
    names = [n for n in ("mail", "syslog", "webhook") if getattr(channels, n) is not None]
    found = [
        Point(
            _("角色都有人担任"),
            not vacant,
            _("还没有：%(roles)s") % {"roles": "、".join(vacant)} if vacant else _("都有了"),
            security,
        ),
        Point(
            _("当年的节假日与调休"),
            entered,
            (_("%(year)d 年已录入") if entered else _("%(year)d 年还没有录入")) % {"year": year},
            office,
            reverse("calendar"),
        ),
        Point(
            _("值班表"),
            bool(on_duty),
            _("现在有 %(n)d 人值班") % {"n": on_duty}
            if on_duty
            else _("现在没有人值班，告警不会通知到人"),
            office,
        ),
        Point(
            _("指定的统计人员与终端"),
            bool(designated),
            _("已指定 %(n)d 人") % {"n": designated}
            if designated
            else _("还没有指定，全院合计的统计也会告警"),
            office,
        ),
        Point(
            _("登记的终端"),
            bool(terminals),
            _("%(n)d 台") % {"n": terminals} if terminals else _("还没有，告警说不出地点"),
            machine,
        ),
        Point(
            _("通知渠道"),
            bool(names),
            "、".join(names) if names else _("没有配置，告警只在控制台里看得见"),
            machine,
        ),
    ]
    definition = settling.definition()
    told = _("按 %(name)s：%(title)s") % {
        "name": definition.name,
        "title": retold(definition.title),
    }
    found.append(Point(_("统方定义"), True, told, office, reverse("definition")))
    found += [_operators(state, machine) for state in routes.states(config)]
    for database in config.database:
        found.append(_catalogue(config, database.name, database.catalogue, machine))
    return found


def _operators(route: routes.State, who: str) -> Point:
    """Personal grants, a prescriber's own figures and denials rest on knowing who is at work."""
    title = _("线路 %(name)s：知道是谁在操作") % {"name": route.name}
    forecast = route.forecast
    if not forecast.statements:
        return Point(title, False, _("还没有看到语句"), who, reverse("routes"))
    told = {
        "days": forecast.days,
        "n": f"{forecast.statements:,}",
        "share": f"{forecast.unknown_share:.1f}",
    }
    text = _("最近 %(days)s 天 %(n)s 条语句，%(share)s%% 说不出操作人") % told
    if not forecast.operators_known:
        text += _("：在目录的“操作人”里写明登录语句或写工号的列，再看一天")
    return Point(title, forecast.operators_known, text, who, reverse("routes"))


def _catalogue(config: Config, name: str, catalogue: str, who: str) -> Point:
    file = Path(catalogue)
    title = _("目录 %(name)s") % {"name": name}
    if not file.exists():
        return Point(title, False, _("还没有目录，读不懂任何语句"), who)
    kept = file.with_name(f"{file.stem}.review.txt")
    if not kept.exists():
        return Point(title, True, _("已有目录"), who)
    left = len(review.open_points(kept.read_text(encoding="utf-8")))
    told = _("还有 %(n)d 处待人确认") % {"n": left} if left else _("已有目录，都确认过")
    return Point(title, not left, told, who)


def forecasts(config: Config) -> list[routes.State]:
    """Of the routes that only observe."""
    return [state for state in routes.states(config) if not state.enforce]
