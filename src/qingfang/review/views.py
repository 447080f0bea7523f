"""Alerts: the live list, the page of one, what is done about it; coverage."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from qingfang.access import policy as access
from qingfang.people import acts
from qingfang.people import policy as people
from qingfang.people.gate import may, person_of
from qingfang.people.models import Person
from qingfang.people.services import NotAllowed
from qingfang.review import coverage, ingest, live, policy, sentences, services
from qingfang.review.forms import NoteForm, RulingForm
from qingfang.review.models import Acknowledgement, Alert, Reading, Statement
from qingfang.review.tables import AlertTable, told

TIMELINE = 200


def _alert(request: HttpRequest, pk: int) -> Alert:
    return get_object_or_404(policy.access_alerts(person_of(request)), pk=pk)


@may(policy.SEE_ALERTS)
@require_GET
def alerts(request: HttpRequest) -> HttpResponseBase:
    person = person_of(request)
    table = AlertTable(request, policy.access_alerts(person).select_related("assigned_to"))
    table.read = frozenset(
        Reading.objects.filter(by=person, alert_id__in=[a.pk for a in table.found]).values_list(
            "alert_id", flat=True
        )
    )
    if request.GET.get("export") == "csv":
        acts.record("export", request=request, target="alerts", query=request.GET.urlencode()[:300])
    return table.respond("review/alerts.html")


@may(policy.SEE_ALERTS)
@require_GET
def alert_stream(_request: HttpRequest) -> HttpResponseBase:
    # The stream lasts for hours and needs no connection of its own: whoever looks on must not
    # keep one of the pool's from those who work. (One in a transaction is its owner's to close.)
    if not connection.in_atomic_block:
        connection.close()
    response = StreamingHttpResponse(
        live.messages(ingest.CHANNEL), content_type="text/event-stream"
    )
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"
    return response


@may(policy.SEE_ALERTS)
@require_GET
def alert(request: HttpRequest, pk: int) -> HttpResponse:
    person = person_of(request)
    shown = _alert(request, pk)
    services.read(shown, by=person, request=request)
    event = shown.event
    reasons = (event.get("meaning") or {}).get("reasons") or []
    around = Statement.objects.filter(connection=shown.connection).order_by("at", "id")
    acknowledged = Acknowledgement.objects.filter(alert=shown).select_related("by").first()
    can_rule = people.may(person, policy.RULE) and shown.operator != person.staff_number
    can_assign = people.may(person, policy.ASSIGN)
    return render(
        request,
        "review/alert.html",
        {
            "alert": shown,
            "event": event,
            "told": told(shown),
            "approval": sentences.approval(event),
            "outcome": sentences.outcome(event),
            "reasons": reasons,
            "judged": event.get("reasons") or [],
            "timeline": around[:TIMELINE],
            "more_like_it": policy.access_alerts(person)
            .filter(operator=shown.operator)
            .exclude(pk=pk)
            .order_by("-at")[:5]
            if shown.operator
            else [],
            "notes": shown.notes.select_related("by").order_by("pk"),  # pyright: ignore[reportAttributeAccessIssue]
            "rulings": shown.rulings.select_related("by").order_by("pk"),  # pyright: ignore[reportAttributeAccessIssue]
            "readings": shown.readings.select_related("by").order_by("pk"),  # pyright: ignore[reportAttributeAccessIssue]
            "note_form": NoteForm() if services.may_note(person) else None,
            "ruling_form": RulingForm() if can_rule else None,
            "verifiers": policy.verifiers_for(shown) if can_assign else [],
            "acknowledged": acknowledged,
            "can_acknowledge": acknowledged is None
            and shown.verdict in ingest.TOLD
            and people.may(person, policy.ACKNOWLEDGE)
            and shown.operator != person.staff_number,
            "can_assign": can_assign,
            "can_register": people.may(person, access.MANAGE_REGISTERED),
        },
    )


@may(policy.SEE_ALERTS)
@require_GET
def alert_noticed(request: HttpRequest, seq: int) -> HttpResponse:
    """Where a notice leads: to the alert of its number, or to the list when logs of several machines
    have one of that number, or it has not come in yet."""
    found = policy.access_alerts(person_of(request)).filter(seq=seq)[:2]
    if len(found) == 1:
        return redirect("alert", found[0].pk)
    return redirect(f"{reverse('alerts')}?q={seq}")


@may(policy.ACKNOWLEDGE)
@require_POST
def alert_acknowledge(request: HttpRequest, pk: int) -> HttpResponse:
    person = person_of(request)
    try:
        first = services.acknowledge(_alert(request, pk), by=person, request=request)
    except NotAllowed as no:
        messages.error(request, str(no), extra_tags="danger")
    else:
        if first.by_id != person.pk:  # pyright: ignore[reportAttributeAccessIssue]
            messages.info(request, _("%(name)s 已先知悉。") % {"name": first.by.name})
    return redirect("alert", pk)


@may(policy.VERIFY)
@require_POST
def alert_note(request: HttpRequest, pk: int) -> HttpResponse:
    shown = _alert(request, pk)
    form = NoteForm(request.POST)
    if form.is_valid():
        services.note(shown, form.cleaned_data["text"], by=person_of(request), request=request)
        messages.success(request, _("已登记。"))
    else:
        messages.error(request, _("查证情况不能为空。"), extra_tags="danger")
    return redirect("alert", pk)


@may(policy.RULE)
@require_POST
def alert_rule(request: HttpRequest, pk: int) -> HttpResponse:
    shown = _alert(request, pk)
    form = RulingForm(request.POST)
    try:
        if not form.is_valid():
            raise NotAllowed(_("定性要写明理由。"))
        services.rule(
            shown,
            form.cleaned_data["disposition"],
            form.cleaned_data["reason"],
            by=person_of(request),
            request=request,
        )
    except NotAllowed as no:
        messages.error(request, str(no), extra_tags="danger")
    else:
        messages.success(request, _("已定性。"))
    return redirect("alert", pk)


@may(policy.ASSIGN)
@require_POST
def alert_assign(request: HttpRequest, pk: int) -> HttpResponse:
    shown = _alert(request, pk)
    number = request.POST.get("verifier", "")
    try:
        services.assign(
            shown,
            get_object_or_404(Person, staff_number=number, is_active=True),
            by=person_of(request),
            request=request,
        )
    except NotAllowed as no:
        messages.error(request, str(no), extra_tags="danger")
    else:
        messages.success(request, _("已指派。"))
    return redirect("alert", pk)


@may(policy.SEE_COVERAGE)
@require_GET
def coverage_page(request: HttpRequest) -> HttpResponse:
    return render(
        request,
        "review/coverage.html",
        {"report": coverage.report(settings.QINGFANG, timezone.now())},
    )
