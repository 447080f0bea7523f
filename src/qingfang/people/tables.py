"""The tables of persons, terminals and acts."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import forms
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from qingfang.people import facts, policy
from qingfang.people.models import Act, Department, Person, Terminal
from qingfang.ui.tables import Column, Filter, Table, choices, day
from qingfang.ui.templatetags.ui import moment

KINDS = {
    "sign-in": _("登录"),
    "sign-in.failed": _("登录失败"),
    "sign-in.locked": _("登录被锁定"),
    "sign-out": _("退出"),
    "password.changed": _("修改密码"),
    "password.reset": _("重置密码"),
    "factor.enrolled": _("绑定动态码"),
    "factor.reset": _("重置动态码"),
    "factor.required": _("规定哪些角色用动态码"),
    "sign-in.factor-failed": _("动态码不对"),
    "person.created": _("新建人员"),
    "person.changed": _("修改人员"),
    "person.activated": _("启用账号"),
    "person.deactivated": _("停用账号"),
    "change.proposed": _("提出变更，待纪检确认"),
    "change.confirmed": _("确认变更"),
    "change.refused": _("不同意变更"),
    "role.given": _("授予角色"),
    "role.taken": _("收回角色"),
    "terminal.saved": _("登记终端"),
    "directory.loaded": _("导入名册"),
    "export": _("导出"),
    "alert.read": _("查看告警"),
    "alert.acknowledged": _("知悉告警"),
    "alert.assigned": _("指派查证"),
    "alert.noted": _("登记查证"),
    "alert.disposed": _("告警定性"),
    "grant.applied": _("申请统计"),
    "grant.approved": _("批准统计"),
    "grant.refused": _("驳回统计"),
    "grant.filed": _("备案"),
    "grant.revoked": _("撤销授权"),
    "grant.withdrawn": _("撤回申请"),
    "duty.saved": _("排班"),
    "duty.removed": _("取消排班"),
    "designation.given": _("指定人员"),
    "designation.taken": _("取消指定"),
    "registered.saved": _("登记报表或程序"),
    "registered.switched": _("启停登记的报表或程序"),
    "policy.saved": _("修改判断策略"),
    "department.saved": _("修改科室"),
    "post.saved": _("修改岗位"),
    "location.saved": _("修改位置"),
    "route.switched": _("切换线路模式"),
    "calendar.replaced": _("设定工作日历"),
    "setup.entered": _("凭首次设置码进入"),
    "setup.refused": _("首次设置码不对"),
    "opaque.again": _("重新读读不懂的语句"),
    "settlement.proposed": _("提出对读不懂的语句的认定"),
    "settlement.confirmed": _("确认对读不懂的语句的认定"),
    "settlement.refused": _("不同意对读不懂的语句的认定"),
    "settlement.ended": _("撤销对读不懂的语句的认定"),
    "definition.proposed": _("提议另选统方定义"),
    "definition.confirmed": _("确认统方定义"),
    "definition.refused": _("不同意另选统方定义"),
    "snapshot.made": _("下发策略快照"),
    "names.read": _("读取名称字典"),
    "catalogue.confirmed": _("确认表的含义"),
    "catalogue.table-added": _("向目录加入一张表"),
    "catalogue.undone": _("撤销对表的确认"),
    "catalogue.compared": _("核对数据库结构"),
}


def day_start(day_: dt.date) -> dt.datetime:
    """Midnight of the console's zone."""
    return timezone.make_aware(dt.datetime.combine(day_, dt.time()))


def _roles(person: Person) -> str:
    held = sorted(a.role for a in person.assignments.all() if a.taken_at is None)  # pyright: ignore
    return "、".join(str(policy.ROLES[code].label) for code in held if code in policy.ROLES)


class PersonTable(Table):
    id = "persons"
    caption = _("人员")
    file_name = "persons"
    order = "staff_number"
    columns = (
        Column("staff_number", _("工号"), lambda p: p.staff_number, order="staff_number"),
        Column("name", _("姓名"), lambda p: p.name, order="name"),
        Column("department", _("科室"), lambda p: p.department.name, order="department__name"),
        Column("kind", _("科室类别"), lambda p: p.department.get_kind_display(), hidden=True),
        Column("post", _("岗位"), lambda p: p.post.name if p.post else ""),
        Column("roles", _("角色"), _roles),
        Column("active", _("状态"), lambda p: _("在职") if p.is_active else _("已停用")),
    )
    filters = (
        Filter(
            "q",
            forms.CharField(label=_("姓名或工号")),
            lambda qs, v: qs.filter(Q(name__icontains=v) | Q(staff_number__startswith=v)),
        ),
        Filter(
            "role",
            choices(_("角色"), [(r.code, r.label) for r in policy.ROLES.values()], _("全部角色")),
            lambda qs, v: qs.filter(
                pk__in=qs.filter(assignments__role=v, assignments__taken_at__isnull=True).values(
                    "pk"
                )
            ),
        ),
        Filter(
            "kind",
            choices(_("科室类别"), Department.Kind.choices, _("全部科室类别")),
            lambda qs, v: qs.filter(department__kind=v),
        ),
    )
    empty_title = _("还没有人员")
    empty_hint = _("从“新建人员”开始，或由系统管理员从 HIS 导入名册。")

    def row_url(self, row: Any) -> str:
        return reverse("person", args=[row.pk])


class TerminalTable(Table):
    id = "terminals"
    caption = _("终端")
    file_name = "terminals"
    order = "name"
    columns = (
        Column("name", _("编号"), lambda t: t.name, order="name"),
        Column("label", _("名称"), lambda t: t.label),
        Column("address", _("IP 地址"), lambda t: t.address, order="address"),
        Column("mac", _("MAC 地址"), lambda t: t.mac, hidden=True),
        Column("role", _("用途"), lambda t: t.get_role_display(), order="role"),
        Column("location", _("位置"), lambda t: t.location or ""),
        Column(
            "camera", _("摄像头"), lambda t: t.location.camera if t.location else "", hidden=True
        ),
        Column("department", _("科室"), lambda t: t.department or ""),
        Column("custodian", _("责任人"), lambda t: t.custodian or ""),
    )
    filters = (
        Filter(
            "q",
            forms.CharField(label=_("名称或地址")),
            lambda qs, v: qs.filter(
                Q(name__icontains=v) | Q(label__icontains=v) | Q(address__startswith=v)
            ),
        ),
        Filter(
            "role",
            choices(_("用途"), Terminal.Role.choices, _("全部用途")),
            lambda qs, v: qs.filter(role=v),
        ),
    )
    empty_title = _("还没有登记终端")
    empty_hint = _("登记后，告警才能说出是哪一台电脑、在哪个房间、由谁负责。")


class DepartmentTable(Table):
    id = "departments"
    caption = _("各科室")
    file_name = "departments"
    order = "code"
    columns = (
        Column("code", _("代码"), lambda d: d.code, order="code"),
        Column("name", _("名称"), lambda d: d.name, order="name"),
        Column("kind", _("类别"), lambda d: d.get_kind_display(), order="kind"),
        Column("parent", _("上级科室"), lambda d: d.parent or ""),
        Column("persons", _("人数"), lambda d: d.count, css="num"),
    )
    filters = (
        Filter(
            "q",
            forms.CharField(label=_("代码或名称")),
            lambda qs, v: qs.filter(Q(code__icontains=v) | Q(name__icontains=v)),
        ),
        Filter(
            "kind",
            choices(_("类别"), Department.Kind.choices, _("全部类别")),
            lambda qs, v: qs.filter(kind=v),
        ),
    )
    empty_title = _("还没有科室")

    def row_url(self, row: Any) -> str:
        return reverse("department", args=[row.pk])


class PostTable(Table):
    id = "posts"
    caption = _("各岗位")
    file_name = "posts"
    order = "code"
    columns = (
        Column("code", _("代码"), lambda p: p.code, order="code"),
        Column("name", _("名称"), lambda p: p.name, order="name"),
        Column("key", _("关键岗位"), lambda p: _("是") if p.key else ""),
        Column("persons", _("人数"), lambda p: p.count, css="num"),
    )
    filters = (
        Filter(
            "q",
            forms.CharField(label=_("代码或名称")),
            lambda qs, v: qs.filter(Q(code__icontains=v) | Q(name__icontains=v)),
        ),
    )
    empty_title = _("还没有岗位")

    def row_url(self, row: Any) -> str:
        return reverse("post", args=[row.pk])


class LocationTable(Table):
    id = "locations"
    caption = _("各位置")
    file_name = "locations"
    order = "building"
    columns = (
        Column("building", _("楼"), lambda x: x.building, order="building"),
        Column("floor", _("层"), lambda x: x.floor),
        Column("room", _("房间"), lambda x: x.room, order="room"),
        Column("port", _("网络端口"), lambda x: x.port),
        Column("camera", _("摄像头"), lambda x: x.camera),
        Column("campus", _("院区"), lambda x: x.campus),
        Column("terminals", _("终端数"), lambda x: x.count, css="num"),
    )
    filters = (
        Filter(
            "q",
            forms.CharField(label=_("楼、房间或端口")),
            lambda qs, v: qs.filter(
                Q(building__icontains=v) | Q(room__icontains=v) | Q(port__icontains=v)
            ),
        ),
    )
    empty_title = _("还没有位置")
    empty_hint = _("位置写到房间和网络端口，出事时才找得到那台电脑和能看见它的摄像头。")
    editable = False

    def row_url(self, row: Any) -> str:
        return reverse("location", args=[row.pk]) if self.editable else ""


def _actor(act: Act) -> str:
    if act.actor:
        return act.actor
    return str(_("未登录") if act.kind.startswith("sign-in") else _("系统"))


class ActTable(Table):
    id = "acts"
    caption = _("操作记录")
    file_name = "acts"
    order = "-at"
    columns = (
        Column("at", _("时间"), lambda a: a.at, order="at", render=moment),
        Column("actor", _("工号"), _actor),
        Column("kind", _("行为"), lambda a: KINDS.get(a.kind, a.kind)),
        Column("target", _("对象"), lambda a: a.target),
        Column("address", _("来源地址"), lambda a: a.address),
        Column(
            "facts",
            _("详情"),
            lambda a: facts.words(a.facts),
            css="wrap",
        ),
        Column(
            "seq",
            _("账本序号"),
            lambda a: _("等待写入") if a.seq is None else a.seq,
            css="num",
        ),
    )
    filters = (
        Filter("actor", forms.CharField(label=_("工号")), lambda qs, v: qs.filter(actor=v)),
        Filter(
            "kind",
            choices(_("行为"), KINDS.items(), _("全部行为")),
            lambda qs, v: qs.filter(kind=v),
        ),
        Filter("since", day(_("起始日期")), lambda qs, v: qs.filter(at__gte=day_start(v))),
        Filter(
            "until",
            day(_("截止日期")),
            lambda qs, v: qs.filter(at__lt=day_start(v + dt.timedelta(days=1))),
        ),
    )
    empty_title = _("还没有操作记录")
