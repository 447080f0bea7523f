"""Grants: list, application, steps. Routes: observe and enforce, with the forecast."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from qingfang.access import calendar, flow, policy, routes, services
from qingfang.access.forms import CalendarForm, GrantForm, StepForm
from qingfang.access.models import HandedDown
from qingfang.access.tables import GrantTable
from qingfang.people import policy as people
from qingfang.people.gate import may, person_of


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
        },
    )


@may(policy.DECIDE)
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
    services.switch_route(
        name,
        request.POST.get("mode") == "enforce",
        by=person_of(request),
        request=request,
        forecast=routes.forecast(routes.server_of(settings.QINGFANG, route)).stopped,
    )
    messages.success(request, _("已切换，几秒钟内下发到网关。"))
    return redirect("routes")


@may(policy.SET_CALENDAR)
def working_calendar(request: HttpRequest) -> HttpResponse:
    form = CalendarForm(request.POST) if request.method == "POST" else CalendarForm.standing()
    if request.method == "POST" and form.is_valid():
        calendar.replace(**form.cleaned_data, by=person_of(request), request=request)
        messages.success(request, _("工作日历已保存，几秒钟内下发。"))
        return redirect("calendar")
    return render(request, "access/calendar.html", {"form": form})
