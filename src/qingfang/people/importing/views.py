"""Handing in a table, looking at what it would change, and following the writing."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from qingfang.people import policy
from qingfang.people.gate import may, person_of
from qingfang.people.importing import plan as planning
from qingfang.people.importing import sheet, work
from qingfang.people.importing.columns import COLUMNS
from qingfang.people.importing.forms import TableForm
from qingfang.people.models import Import, Proposed
from qingfang.people.services import NotAllowed

SHOWN = 100


def _back(kind: str) -> dict[str, Any]:
    if kind == Proposed.Kind.PERSON:
        return {"back": reverse("persons"), "back_label": _("人员与角色")}
    return {"back": reverse("terminals"), "back_label": _("终端")}


def _new(request: HttpRequest, kind: str) -> HttpResponse:
    form = TableForm(kind, request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        file = form.cleaned_data["file"]
        try:
            made = work.take(
                kind,
                file.name,
                file.read(),
                whole=form.cleaned_data["whole"],
                by=person_of(request),
            )
        except (sheet.Unreadable, NotAllowed) as no:
            form.add_error("file", str(no))
        else:
            return redirect("import", made.pk)
    return render(
        request,
        "people/import_new.html",
        {
            "form": form,
            "kind": kind,
            "columns": [(c.headings[0], c.hint) for c in COLUMNS[kind]],
            "template": reverse(f"{Proposed.Kind(kind).value}s-template"),
            **_back(kind),
        },
    )


def _template(kind: str) -> HttpResponse:
    caption = _("人员") if kind == Proposed.Kind.PERSON else _("终端")
    data = sheet.template([(c.headings[0], str(c.hint)) for c in COLUMNS[kind]], caption)
    what = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    name = f'attachment; filename="{Proposed.Kind(kind).value}s-template.xlsx"'
    return HttpResponse(data, content_type=what, headers={"Content-Disposition": name})


@may(policy.MANAGE_PERSONS)
def persons_new(request: HttpRequest) -> HttpResponse:
    return _new(request, Proposed.Kind.PERSON)


@may(policy.MANAGE_TERMINALS)
def terminals_new(request: HttpRequest) -> HttpResponse:
    return _new(request, Proposed.Kind.TERMINAL)


@may(policy.MANAGE_PERSONS)
def persons_template(_request: HttpRequest) -> HttpResponse:
    return _template(Proposed.Kind.PERSON)


@may(policy.MANAGE_TERMINALS)
def terminals_template(_request: HttpRequest) -> HttpResponse:
    return _template(Proposed.Kind.TERMINAL)


def _mine(request: HttpRequest, pk: int) -> Import:
    """The import, for who handed it in and still may."""
    row = get_object_or_404(Import.objects.select_related("by"), pk=pk)
    person = person_of(request)
    if row.by.pk != person.pk or not policy.may(person, work.MAY[Proposed.Kind(row.kind)]):
        raise Http404
    return row


@may(policy.MANAGE_PERSONS, policy.MANAGE_TERMINALS)
@never_cache
def one(request: HttpRequest, pk: int) -> HttpResponse:
    """What it would change; once confirmed, how far it is."""
    row = _mine(request, pk)
    told: dict[str, Any] = {"row": row, **_back(row.kind)}
    if row.state != Import.State.SHOWN:
        part = request.headers.get("HX-Request") == "true"
        return render(
            request, "people/import_progress.html" if part else "people/import.html", told
        )
    if not row.rows:
        raise Http404
    made = work.plan_of(row)
    alike = planning.alike(made.problems)
    told |= {
        "plan": made,
        "writes": len(made.writes) + len(made.missing),
        "new": made.new[:SHOWN],
        "changed": made.changed[:SHOWN],
        "missing": made.missing[:SHOWN],
        "problems": alike[:SHOWN],
        "kinds": len(alike),
        "most": SHOWN,
    }
    return render(request, "people/import.html", told)


@may(policy.MANAGE_PERSONS, policy.MANAGE_TERMINALS)
@require_POST
def confirm(request: HttpRequest, pk: int) -> HttpResponse:
    row = _mine(request, pk)
    try:
        work.confirm(row.pk, by=person_of(request), request=request)
    except NotAllowed as no:
        messages.error(request, str(no), extra_tags="danger")
    return redirect("import", row.pk)
