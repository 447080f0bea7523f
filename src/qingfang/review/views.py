"""Alerts: the live list, the page of one, what is done about it; the queue of what could not be
read; coverage."""

from __future__ import annotations

import msgspec
from django.conf import settings
from django.contrib import messages
from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from qingfang import ipc
from qingfang.access import policy as access
from qingfang.access import settling
from qingfang.access.models import Registered, Settlement
from qingfang.events import Meaning
from qingfang.people import acts
from qingfang.people import policy as people
from qingfang.people.gate import may, person_of
from qingfang.people.models import Person
from qingfang.people.services import NotAllowed
from qingfang.review import (
    coverage,
    groups,
    ingest,
    live,
    names,
    policy,
    queue,
    reasons,
    sentences,
    services,
)
from qingfang.review.forms import NoteForm, NoUsageForm, RulingForm, SourceForm
from qingfang.review.models import Acknowledgement, Alert, OpaqueTemplate, Reading, Statement
from qingfang.review.tables import AlertTable, OpaqueTable, settles, together, told, touched, why
from qingfang.ui import charts

TIMELINE = 200
QUEUE_DAYS = 14
MENUS = 8
AGAIN_AT_MOST = 200


def _alert(request: HttpRequest, pk: int) -> Alert:
    return get_object_or_404(policy.access_alerts(person_of(request)), pk=pk)


@may(policy.SEE_ALERTS)
@require_GET
def alerts(request: HttpRequest) -> HttpResponseBase:
    person = person_of(request)
    visible = policy.access_alerts(person).select_related("assigned_to")
    table = AlertTable(request, visible, settings.QINGFANG, person)
    table.read = frozenset(
        Reading.objects.filter(by=person, alert_id__in=[a.pk for a in table.found]).values_list(
            "alert_id", flat=True
        )
    )
    if request.GET.get("export") == "csv":
        acts.record("export", request=request, target="alerts", query=request.GET.urlencode()[:300])
    if request.headers.get("HX-Request") == "true" and request.GET.get("group"):
        target = request.headers.get("HX-Target", "")
        if target.startswith("members-"):
            return render(request, "review/members.html", {"table": table})
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
    naming = names.Naming(settings.QINGFANG, person, [shown])
    based = reasons.of_statement(event)
    same = policy.access_alerts(person).filter(group=shown.group)
    alike = groups.summaries(same, [shown]).get(shown.group)
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
            "told": told(shown, naming),
            "approval": sentences.approval(event),
            "outcome": sentences.outcome(event),
            "reasons": based,
            "judged": reasons.of_verdict(event, naming.of(shown)),
            "because": [
                reasons.because(w) for w in (event.get("operator") or {}).get("because", ())
            ],
            "alike": alike,
            "together": together(alike) if alike else "",
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


# ------------------------------------------------------------------ what could not be read


@may(policy.SEE_QUEUE)
@require_GET
def opaque(request: HttpRequest) -> HttpResponseBase:
    table = OpaqueTable(request, OpaqueTemplate.objects.all())
    if request.GET.get("export") == "csv":
        acts.record("export", request=request, target="opaque", query=request.GET.urlencode()[:300])
    lengths = queue.lengths(QUEUE_DAYS, timezone.localdate())
    chart = charts.columns(
        _("每天还有多少个模板读不懂"),
        [day.strftime("%m-%d") for day, _n in lengths],
        [charts.Series(_("模板"), "chart-review", [n for _day, n in lengths])],
    )
    return table.respond(
        "review/opaque.html", {"chart": chart, "days": QUEUE_DAYS, "left": lengths[-1][1]}
    )


def _opaque_page(
    request: HttpRequest,
    row: OpaqueTemplate,
    *,
    source: SourceForm | None = None,
    no_usage: NoUsageForm | None = None,
    meaning: Meaning | None = None,
    status: int = 200,
) -> HttpResponse:
    person = person_of(request)
    names = [c["name"] for c in row.causes if c["code"] in queue.SOURCES and c["name"]]
    found = Alert.objects.filter(log=row.log, seq=row.seq)
    can_settle = people.may(person, access.SETTLE)
    return render(
        request,
        "review/opaque_template.html",
        {
            "shown": row,
            "why": why(row),
            "touched": touched(row),
            "waiting": queue.waiting().filter(pk=row.pk).exists(),
            "alert": policy.access_alerts(person).filter(pk__in=found).first(),
            "settles": settles(row),
            "names": names,
            "settlements": Settlement.objects.filter(
                server=row.server, digest=row.digest
            ).select_related("by")[:MENUS],
            "can_settle": can_settle,
            "can_register": people.may(person, access.MANAGE_REGISTERED),
            "menus": Registered.objects.filter(kind="report", active=True).order_by("code")[:MENUS],
            "source_form": (source or SourceForm(initial={"name": names[0] if names else ""}))
            if can_settle and settles(row) == "source"
            else None,
            "no_usage_form": (no_usage or NoUsageForm()) if can_settle and row.fixed else None,
            "meaning": meaning,
            "meant": sentences.learned({"meaning": msgspec.to_builtins(meaning)}).strip()
            if meaning is not None
            else "",
            "still": [reasons.said(r.code, r.text) for r in meaning.reasons]
            if meaning is not None
            else [],
        },
        status=status,
    )


@may(policy.SEE_QUEUE)
@require_GET
def opaque_template(request: HttpRequest, pk: int) -> HttpResponse:
    return _opaque_page(request, get_object_or_404(OpaqueTemplate, pk=pk))


@may(access.SETTLE)
@require_POST
def opaque_again(request: HttpRequest, pk: int) -> HttpResponse:
    """Read this one again, and the others of its database: what settles one often settles many."""
    row = get_object_or_404(OpaqueTemplate, pk=pk)
    others = queue.waiting().filter(database=row.database).exclude(pk=pk)
    try:
        done = queue.again([row, *others.order_by("-risk", "pk")[:AGAIN_AT_MOST]])
    except (ipc.Unavailable, ipc.Refusal):
        messages.error(
            request, _("分析服务现在不应答，没有读。请看覆盖情况页。"), extra_tags="danger"
        )
    else:
        acts.record("opaque.again", request=request, target=row.digest[:12], database=row.database)
        if done:
            messages.success(
                request,
                ngettext(
                    "重新读过，%(n)d 个模板读懂了，离开队列。",
                    "重新读过，%(n)d 个模板读懂了，离开队列。",
                    done,
                )
                % {"n": done},
            )
        else:
            messages.info(request, _("重新读过，还是读不懂。"))
    return redirect("opaque-template", pk)


@may(access.SETTLE)
@require_POST
def opaque_source(request: HttpRequest, pk: int) -> HttpResponse:
    """Try a procedure's source (`act=try`), or propose it."""
    row = get_object_or_404(OpaqueTemplate, pk=pk)
    form = SourceForm(request.POST, request.FILES)
    if not form.is_valid():
        return _opaque_page(request, row, source=form, status=422)
    data = form.cleaned_data
    # A file cannot be sent back into its box: its text can.
    shown = SourceForm(initial={n: data[n] for n in ("name", "source", "reason")})
    if request.POST.get("act") == "try":
        meaning = None
        if not row.sample:
            messages.info(request, _("这条语句太长，没有留下原文，不能试读。"))
        else:
            try:
                meaning = queue.tried(row, {data["name"]: data["source"]})
            except (ipc.Unavailable, ipc.Refusal):
                messages.error(
                    request, _("分析服务现在不应答，没有读。请看覆盖情况页。"), extra_tags="danger"
                )
        return _opaque_page(request, row, source=shown, meaning=meaning)
    finding = Settlement(
        kind=Settlement.Kind.SOURCE,
        server=row.server,
        database=row.database[:63],
        digest=row.digest,
        text=row.text,
        tables=[touch["table"] for touch in row.touches],
        name=data["name"],
        source=data["source"],
        reason=data["reason"],
    )
    return _proposed(request, row, finding, form)


@may(access.SETTLE)
@require_POST
def opaque_no_usage(request: HttpRequest, pk: int) -> HttpResponse:
    row = get_object_or_404(OpaqueTemplate, pk=pk)
    form = NoUsageForm(request.POST)
    if not form.is_valid():
        return _opaque_page(request, row, no_usage=form, status=422)
    finding = Settlement(
        kind=Settlement.Kind.NO_USAGE,
        server=row.server,
        database=row.database[:63],
        digest=row.digest,
        text=row.text,
        tables=[touch["table"] for touch in row.touches],
        reason=form.cleaned_data["reason"],
    )
    return _proposed(request, row, finding, form)


def _proposed(
    request: HttpRequest, row: OpaqueTemplate, finding: Settlement, form: SourceForm | NoUsageForm
) -> HttpResponse:
    try:
        settling.propose(finding, fixed=row.fixed, by=person_of(request), request=request)
    except NotAllowed as no:
        form.add_error(None, str(no))
        if isinstance(form, SourceForm):
            return _opaque_page(request, row, source=form, status=422)
        return _opaque_page(request, row, no_usage=form, status=422)
    messages.success(request, _("已提出，等纪检部门的另一个人确认。"))
    return redirect("settlement", finding.pk)
