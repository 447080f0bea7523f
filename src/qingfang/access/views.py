"""Grants: list, application, steps. Routes: observe and enforce, with the forecast. What else the
engine is given: roster, calendar, designated persons, reports and services, policy."""

from __future__ import annotations

import datetime as dt
import difflib
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from qingfang.access import calendar, duty, flow, policy, routes, seen, services, settling, written
from qingfang.access.forms import (
    CONTENTS,
    KINDS,
    CalendarForm,
    DefinitionForm,
    DesignationForm,
    DutyForm,
    GrantForm,
    PolicyForm,
    ReportForm,
    ServiceForm,
    StepForm,
)
from qingfang.access.models import (
    Designation,
    Duty,
    HandedDown,
    PolicyText,
    Registered,
    Settlement,
)
from qingfang.access.tables import (
    ChangeTable,
    DesignationTable,
    DutyTable,
    GrantTable,
    RegisteredTable,
    SettlementTable,
)
from qingfang.engine import definitions
from qingfang.judge import policy as judging
from qingfang.people import changes
from qingfang.people import policy as people
from qingfang.people.gate import may, person_of
from qingfang.people.models import Proposed
from qingfang.people.services import NotAllowed

AHEAD = dt.timedelta(days=30)
GAPS_SHOWN = 5
VERSIONS = 100


@may(policy.SEE_GRANTS)
def grants(request: HttpRequest) -> HttpResponseBase:
    queryset = policy.access_grants(person_of(request)).select_related("person", "applicant")
    return GrantTable(request, queryset).respond(
        "access/grants.html", {"can_apply": people.may(request.user, policy.APPLY)}
    )


@may(policy.APPLY)
def grant_new(request: HttpRequest) -> HttpResponse:
    form = GrantForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        grant = form.save(commit=False)
        chosen = list(form.cleaned_data["terminals"])
        services.apply(grant, chosen, request, person_of(request))
        messages.success(request, _("已提交，等待审批。"))
        return redirect("grant", grant.pk)
    return render(request, "access/grant_new.html", {"form": form})


@may(policy.SEE_GRANTS)
def grant(request: HttpRequest, pk: int) -> HttpResponse:
    person = person_of(request)
    shown = get_object_or_404(
        policy.access_grants(person).select_related("person__department", "applicant"), pk=pk
    )
    return render(
        request,
        "access/grant.html",
        {
            "grant": shown,
            "steps": shown.steps.select_related("by").order_by("pk"),  # pyright: ignore[reportAttributeAccessIssue]
            "acts": [a for a in flow.acts_from(shown.status) if policy.may_act(person, shown, a)],
            "form": StepForm(),
            "windows": written.show_weekly(shown.windows).splitlines(),
        },
    )


@may(policy.DECIDE, policy.WITHDRAW)
@require_POST
def grant_step(request: HttpRequest, pk: int) -> HttpResponse:
    person = person_of(request)
    get_object_or_404(policy.access_grants(person), pk=pk)
    form = StepForm(request.POST)
    if form.is_valid():
        try:
            services.step(
                pk,
                request.POST.get("act", ""),
                by=person,
                request=request,
                note=form.cleaned_data["note"],
                filed=form.cleaned_data["filed"],
            )
        except services.NotAllowed as no:
            messages.error(request, str(no), extra_tags="danger")
    return redirect("grant", pk)


@may(policy.SEE_ROUTES)
def route_list(request: HttpRequest) -> HttpResponse:
    return render(
        request,
        "access/routes.html",
        {
            "routes": routes.states(settings.QINGFANG),
            "can_switch": people.may(request.user, policy.SWITCH_ROUTES),
            "snapshot": HandedDown.objects.order_by("-version").first(),
        },
    )


@may(policy.SWITCH_ROUTES)
@require_POST
def route_switch(request: HttpRequest, name: str) -> HttpResponse:
    route = next((r for r in settings.QINGFANG.route if r.name == name), None)
    if route is None:
        messages.error(request, _("没有这条线路。"), extra_tags="danger")
        return redirect("routes")
    forecast = routes.forecast(routes.server_of(settings.QINGFANG, route))
    services.switch_route(
        name,
        request.POST.get("mode") == "enforce",
        by=person_of(request),
        request=request,
        forecast=forecast.stopped,
        unknown_share=forecast.unknown_share,
    )
    messages.success(request, _("已切换，几秒钟内下发到网关。"))
    return redirect("routes")


# ---------------------------------------------------------------- the discipline office's settings


def _edit(request: HttpRequest, **context: object) -> HttpResponse:
    return render(request, "ui/edit.html", context)


@may(policy.SEE_DUTIES)
def office(request: HttpRequest) -> HttpResponse:
    """To the first of the pages this person may see; the roster is one for all of them."""
    return redirect("duties")


@may(policy.SEE_DUTIES)
def duties(request: HttpRequest) -> HttpResponseBase:
    now = timezone.now()
    try:
        first = dt.datetime.strptime(request.GET.get("month", ""), "%Y-%m").date()
    except ValueError:
        first = timezone.localdate().replace(day=1)
    zone = timezone.get_current_timezone()
    start = dt.datetime.combine(first, dt.time(), zone)
    after = (first + dt.timedelta(days=31)).replace(day=1)
    end = dt.datetime.combine(after, dt.time(), zone)
    rows = Duty.objects.select_related("person")
    lines = list(rows.filter(valid_from__lt=end, valid_to__gt=start))
    ahead = rows.filter(valid_from__lt=now + AHEAD, valid_to__gt=now)
    gaps = duty.gaps(ahead, now, now + AHEAD)
    weeks = duty.month(lines, first, zone, now)
    can_manage = people.may(request.user, policy.MANAGE_DUTIES)
    table = DutyTable(request, rows.filter(valid_to__gt=now))
    table.editable = can_manage
    return table.respond(
        "access/duties.html",
        {
            "group": "office",
            "first": first,
            "before": (first - dt.timedelta(days=1)).replace(day=1),
            "after": after,
            "weeks": weeks,
            "today": timezone.localdate(),
            "weekdays": [day.day for day in weeks[0]],
            "gaps": gaps[:GAPS_SHOWN],
            "more_gaps": max(0, len(gaps) - GAPS_SHOWN),
            "can_manage": can_manage,
        },
    )


@may(policy.MANAGE_DUTIES)
def duty_edit(request: HttpRequest, pk: int | None = None) -> HttpResponse:
    row = get_object_or_404(Duty, pk=pk) if pk else None
    form = DutyForm(request.POST or None, instance=row)
    if request.method == "POST" and form.is_valid():
        line = form.save(commit=False)
        data = form.cleaned_data
        spans = duty.repeated(
            timezone.localtime(line.valid_from),
            timezone.localtime(line.valid_to),
            data.get("every", 0),
            data.get("last") or line.valid_from.date(),
        )
        services.save_duty(line, spans, request=request)
        messages.success(request, _("已保存，几秒钟内生效。"))
        return redirect("duties")
    return _edit(
        request,
        form=form,
        heading=_("排班"),
        back=reverse("duties"),
        back_label=_("值班表"),
        remove={
            "url": reverse("duty-remove", args=[pk]),
            "label": _("取消这一班"),
            "confirm": _("取消后这一班不再通知此人。继续？"),
        }
        if pk
        else None,
    )


@may(policy.MANAGE_DUTIES)
@require_POST
def duty_remove(request: HttpRequest, pk: int) -> HttpResponse:
    services.remove_duty(get_object_or_404(Duty, pk=pk), request=request)
    messages.success(request, _("已取消。"))
    return redirect("duties")


@may(policy.SET_CALENDAR)
def working_calendar(request: HttpRequest) -> HttpResponse:
    form = CalendarForm(request.POST) if request.method == "POST" else CalendarForm.standing()
    if request.method == "POST" and form.is_valid():
        calendar.replace(**form.cleaned_data, by=person_of(request), request=request)
        messages.success(request, _("工作日历已保存，几秒钟内下发。"))
        return redirect("calendar")
    return render(request, "access/calendar.html", {"form": form, "group": "office"})


@may(policy.SEE_OFFICE)
def designations(request: HttpRequest) -> HttpResponseBase:
    can_manage = people.may(request.user, policy.MANAGE_DESIGNATIONS)
    rows = Designation.objects.select_related("person__department", "terminal")
    table = DesignationTable(request, rows)
    table.editable = can_manage
    return table.respond(
        "ui/list.html", {"group": "office", "actions": _add("designation-new", can_manage)}
    )


def _add(name: str, allowed: bool) -> list[dict[str, str]]:
    return [{"url": reverse(name), "label": _("新增"), "icon": "plus"}] if allowed else []


@may(policy.MANAGE_DESIGNATIONS)
def designation(request: HttpRequest, pk: int | None = None) -> HttpResponse:
    """A new designation; one that exists is only shown, to be taken back: what it was stays true."""
    row = get_object_or_404(Designation, pk=pk) if pk else None
    form = DesignationForm(request.POST or None, instance=row)
    if row is not None:
        for field in form.fields.values():
            field.disabled = True
    elif request.method == "POST" and form.is_valid():
        services.designate(form.save(commit=False), request=request)
        messages.success(request, _("已指定，几秒钟内生效。"))
        return redirect("designations")
    if row is not None and request.method == "POST":
        services.undesignate(row, request=request)
        messages.success(request, _("已取消指定。"))
        return redirect("designations")
    return _edit(
        request,
        form=form,
        heading=_("指定人员"),
        back=reverse("designations"),
        back_label=_("指定人员"),
        remove={
            "url": reverse("designation", args=[pk]),
            "label": _("取消指定"),
            "confirm": _("取消后此人按未指定判断。继续？"),
        }
        if pk
        else None,
        fixed=row is not None,
    )


@may(policy.SEE_OFFICE)
def registered(request: HttpRequest) -> HttpResponseBase:
    can_manage = people.may(request.user, policy.MANAGE_REGISTERED)
    table = RegisteredTable(request, Registered.objects.all())
    table.editable = can_manage
    actions = (
        [
            {"url": reverse("report-new"), "label": _("登记报表"), "icon": "plus"},
            {"url": reverse("service-new"), "label": _("登记服务程序"), "icon": "plus"},
        ]
        if can_manage
        else []
    )
    return table.respond("ui/list.html", {"group": "office", "actions": actions})


@may(policy.MANAGE_REGISTERED)
def report(request: HttpRequest, pk: int | None = None) -> HttpResponse:
    return _registered(request, Registered.Kind.REPORT, ReportForm, pk)


@may(policy.MANAGE_REGISTERED)
def service(request: HttpRequest, pk: int | None = None) -> HttpResponse:
    return _registered(request, Registered.Kind.SERVICE, ServiceForm, pk)


def _registered(
    request: HttpRequest,
    kind: Registered.Kind,
    form_class: type[ReportForm] | type[ServiceForm],
    pk: int | None,
) -> HttpResponse:
    row = get_object_or_404(Registered, pk=pk, kind=kind) if pk else None
    statement = seen.statement(person_of(request), request.GET)
    given: dict[str, Any] = {"kept": row.body} if row else {}
    if statement is not None and row is None:
        given = {"initial": statement.initial(kind)}
    elif statement is not None:
        given["more"] = statement.digest
    form = form_class(request.POST or None, **given)
    if request.method == "POST" and form.is_valid():
        try:
            services.save_registered(
                kind.value,
                form.cleaned_data["code"],
                form.body,
                new=row is None,
                request=request,
            )
        except services.NotAllowed as no:
            form.add_error("code", str(no))
        else:
            messages.success(request, _("已登记，几秒钟内生效。"))
            return redirect("registered")
    return _edit(
        request,
        form=form,
        heading=row.code if row else _("登记报表") if kind == "report" else _("登记服务程序"),
        back=reverse("registered"),
        back_label=_("报表与程序"),
        hint=_("报表是一字不差的语句模板；登记不等于审批。")
        if kind == "report"
        else _("服务程序的职责是搬运数据；终端必须写明，其余写了就必须相符。"),
        remove={
            "url": reverse("registered-switch", args=[pk]),
            "label": _("停用") if row.active else _("重新启用"),
            "value": "0" if row.active else "1",
            "confirm": _("几秒钟内在引擎生效。继续？"),
        }
        if row
        else None,
        shown={
            "label": _("语句模板") if statement.opaque else _("语句原文"),
            "text": statement.sql,
        }
        if statement
        else None,
    )


@may(policy.MANAGE_REGISTERED)
@require_POST
def registered_switch(request: HttpRequest, pk: int) -> HttpResponse:
    row = get_object_or_404(Registered, pk=pk)
    services.switch_registered(row, request.POST.get("active") == "1", request=request)
    return redirect("registered")


@may(policy.SEE_OFFICE)
def policy_text(request: HttpRequest) -> HttpResponse:
    """The overrides in force, to be edited by those who may; earlier versions with what changed."""
    can_manage = people.may(request.user, policy.MANAGE_POLICY)
    versions = list(PolicyText.objects.select_related("by").order_by("-pk")[:VERSIONS])
    now = versions[0].text if versions else ""
    wanted = request.GET.get("version", "")
    shown = next((v for v in versions if str(v.pk) == wanted), None)
    form = None
    if can_manage:
        form = PolicyForm(request.POST or None, initial={"text": shown.text if shown else now})
        if request.method == "POST" and form.is_valid():
            services.save_policy(form.cleaned_data["text"], by=person_of(request), request=request)
            messages.success(request, _("已保存，几秒钟内生效。"))
            return redirect("policy")
    difference = ""
    if shown is not None:
        earlier = PolicyText.objects.filter(pk__lt=shown.pk).order_by("-pk").first()
        before = earlier.text if earlier else ""
        lines = difflib.unified_diff(before.splitlines(), shown.text.splitlines(), lineterm="", n=2)
        difference = "\n".join(line for line in lines if not line.startswith(("---", "+++")))
    return render(
        request,
        "access/policy.html",
        {
            "group": "office",
            "form": form,
            "text": now,
            "versions": versions,
            "shown": shown,
            "difference": difference,
            "built_in": judging.DEFAULT.strip(),
        },
    )


@may(policy.SEE_OFFICE)
def changes_list(request: HttpRequest) -> HttpResponseBase:
    rows = Proposed.objects.select_related("by", "decided_by")
    return ChangeTable(request, rows).respond("ui/list.html", {"group": "office"})


@may(policy.SEE_OFFICE)
def change(request: HttpRequest, pk: int) -> HttpResponse:
    shown = get_object_or_404(Proposed.objects.select_related("by", "decided_by"), pk=pk)
    pending = shown.state == Proposed.State.PENDING
    return render(
        request,
        "access/change.html",
        {
            "change": shown,
            "can_decide": pending and people.may(request.user, policy.CONFIRM_CHANGES),
            "form": StepForm(),
        },
    )


@may(policy.CONFIRM_CHANGES)
@require_POST
def change_decide(request: HttpRequest, pk: int) -> HttpResponse:
    get_object_or_404(Proposed, pk=pk)
    form = StepForm(request.POST)
    confirm = request.POST.get("act") == "confirm"
    note = form.cleaned_data["note"] if form.is_valid() else ""
    try:
        changes.decide(pk, confirm, by=person_of(request), request=request, note=note)
    except NotAllowed as no:
        messages.error(request, str(no), extra_tags="danger")
        return redirect("change", pk)
    messages.success(
        request, _("已确认，几秒钟内生效。") if confirm else _("已记为不同意，原来的登记不变。")
    )
    return redirect("changes")


# ---------------------------------------------------------------- what people found of opaque templates


@may(policy.SEE_SETTLED)
def definition(request: HttpRequest) -> HttpResponse:
    """What counts as statistics of use; to propose another one, for a second person to confirm."""
    now = settling.definition()
    form = None
    if people.may(request.user, policy.SETTLE):
        form = DefinitionForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            given = form.cleaned_data
            row = Settlement(
                kind=Settlement.Kind.DEFINITION, source=given["source"], reason=given["reason"]
            )
            try:
                settling.propose(row, fixed=True, by=person_of(request), request=request)
            except NotAllowed as no:
                messages.error(request, str(no), extra_tags="danger")
            else:
                messages.success(request, _("已提出，等另一个人确认。"))
            return redirect("definition")
    return render(
        request,
        "access/definition.html",
        {
            "group": "office",
            "now": now,
            "row": settling.definition_row(),
            "kinds": [KINDS[kind] for kind in now.kinds],
            "contents": [CONTENTS[content] for content in now.contents],
            "pending": Settlement.objects.filter(
                kind=Settlement.Kind.DEFINITION, state=Settlement.State.PENDING
            ).first(),
            "built_in": [definitions.built_in(name) for name in definitions.names()],
            "form": form,
        },
    )


@may(policy.SEE_SETTLED)
def settled(request: HttpRequest) -> HttpResponseBase:
    rows = Settlement.objects.select_related("by", "decided_by")
    return SettlementTable(request, rows).respond("ui/list.html", {"group": "office"})


@may(policy.SEE_SETTLED)
def settlement(request: HttpRequest, pk: int) -> HttpResponse:
    person = person_of(request)
    shown = get_object_or_404(Settlement.objects.select_related("by", "decided_by"), pk=pk)
    pending = shown.state == Settlement.State.PENDING
    mine = shown.by == person
    standing = (Settlement.Kind.NO_USAGE, Settlement.State.CONFIRMED)
    return render(
        request,
        "access/settlement.html",
        {
            "shown": shown,
            "can_decide": pending and not mine and people.may(person, policy.CONFIRM_SETTLED),
            "waits": pending and mine,
            "can_end": (shown.kind, shown.state) == standing
            and people.may(person, policy.CONFIRM_SETTLED),
            "form": StepForm(),
        },
    )


@may(policy.CONFIRM_SETTLED)
@require_POST
def settlement_decide(request: HttpRequest, pk: int) -> HttpResponse:
    get_object_or_404(Settlement, pk=pk)
    person, act = person_of(request), request.POST.get("act", "")
    form = StepForm(request.POST)
    note = form.cleaned_data["note"] if form.is_valid() else ""
    try:
        if act == "end":
            settling.end(pk, by=person, request=request)
        else:
            settling.decide(pk, act == "confirm", by=person, request=request, note=note)
    except NotAllowed as no:
        messages.error(request, str(no), extra_tags="danger")
    else:
        messages.success(
            request,
            _("已确认，几秒钟内生效。") if act == "confirm" else _("已记下，几秒钟内生效。"),
        )
    return redirect("settlement", pk)
