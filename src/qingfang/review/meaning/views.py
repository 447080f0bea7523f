"""The page on which tables are confirmed, one at a time, by keyboard or by hand."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from qingfang.config import Database
from qingfang.engine import catalogues
from qingfang.people import policy as people
from qingfang.people.gate import may
from qingfang.people.services import NotAllowed
from qingfang.review import policy
from qingfang.review.meaning import files, services, watch, words
from qingfang.understand.discovery import confirming

LISTED = 400


def _database(name: str) -> Database:
    found = next((d for d in settings.QINGFANG.database if d.name == name), None)
    if found is None:
        raise Http404
    return found


@may(policy.SEE_CATALOGUES)
def databases(request: HttpRequest) -> HttpResponse:
    """All databases with what is still to be confirmed."""
    rows: list[dict[str, Any]] = []
    for database in settings.QINGFANG.database:
        row: dict[str, Any] = {"database": database, "changes": watch.standing(database)}
        try:
            standing = files.read(database)
        except (OSError, catalogues.Unusable) as error:
            row["problem"] = str(error)
        else:
            sheets = confirming.sheets(standing.tree, standing.text)
            row["tables"] = len(sheets)
            row["waiting"] = sum(bool(s.open) for s in sheets)
            row["points"] = sum(s.open for s in sheets)
        rows.append(row)
    return render(request, "review/catalogues.html", {"rows": rows, "group": "office"})


@may(policy.SEE_CATALOGUES)
def tables(request: HttpRequest, name: str) -> HttpResponse:
    """One table of a database: the one asked for, else the most urgent."""
    return _page(request, _database(name), request.GET.get("table", ""))


@may(policy.CONFIRM_CATALOGUES)
@require_POST
def confirm(request: HttpRequest, name: str) -> HttpResponse:
    database = _database(name)
    form = request.POST
    table = form.get("table", "")
    roles = {k[2:]: (v or None) for k, v in form.items() if k.startswith("c:")}
    taken = {k[2:]: form.get(f"t:{k[2:]}", "").strip() for k in form if k.startswith("a:")}
    answer = services.Answer(table, form.get("kind", ""), roles, taken)
    try:
        services.confirm(
            settings.QINGFANG, database, answer, form.get("digest", ""), request=request
        )
    except NotAllowed as no:
        messages.error(request, str(no), extra_tags="danger")
        return redirect(_to(database, table))
    messages.success(request, _("%(table)s 已确认，几秒钟内生效。") % {"table": table})
    return redirect(_to(database))


@may(policy.CONFIRM_CATALOGUES)
@require_POST
def undo(request: HttpRequest, name: str) -> HttpResponse:
    database = _database(name)
    try:
        table = services.undo(settings.QINGFANG, database, request=request)
    except NotAllowed as no:
        messages.error(request, str(no), extra_tags="danger")
        return redirect(_to(database))
    messages.success(request, _("已撤销对 %(table)s 的确认。") % {"table": table})
    return redirect(_to(database, table))


def _to(database: Database, table: str = "") -> str:
    address = reverse("catalogue", args=[database.name])
    return f"{address}?{urlencode({'table': table})}" if table else address


def _page(request: HttpRequest, database: Database, wanted: str) -> HttpResponse:
    try:
        standing = files.read(database)
    except (OSError, catalogues.Unusable) as error:
        told = {"database": database, "problem": str(error), "group": "office"}
        return render(request, "review/catalogue.html", told)
    sheets = confirming.sheets(standing.tree, standing.text)
    shown = next((s for s in sheets if s.name == wanted), None)
    if shown is None:
        shown = sheets[0] if sheets else None
    steps = files.steps(settings.QINGFANG, database)
    return render(
        request,
        "review/catalogue.html",
        {
            "group": "office",
            "database": database,
            "digest": standing.digest,
            "sheets": sheets[:LISTED],
            "hidden": max(0, len(sheets) - LISTED),
            "waiting": sum(bool(s.open) for s in sheets),
            "sheet": shown,
            "roles": [(code, label, key) for code, (label, key) in words.ROLES.items()],
            "none": words.NONE,
            "kinds": [(code, label, key) for code, (label, key) in words.KINDS.items()],
            "asked": _asked(shown) if shown is not None else [],
            "changes": [
                (words.CHANGES.get(change.what, change.what), change.name)
                for change in watch.standing(database)
            ],
            "last": steps[0].table if steps else "",
            "can_confirm": people.may(request.user, policy.CONFIRM_CATALOGUES),
        },
    )


def _asked(sheet: confirming.Sheet) -> list[dict[str, Any]]:
    """What is put to the person, and what stands of the kinds of items, to be changed."""
    found: list[dict[str, Any]] = [
        {
            "what": point.column,
            "label": words.ASKED.get(point.column, point.column),
            "text": "" if point.role.startswith("<") else point.role,
            "reason": point.reason,
        }
        for point in sheet.asked
    ]
    if sheet.item_kind and all(one["what"] != "*item_kind" for one in found):
        found.append(
            {
                "what": "*item_kind",
                "label": words.ASKED["*item_kind"],
                "text": sheet.item_kind,
                "reason": _("现在按这一句。要改就改好再勾上；写 - 是去掉。"),
            }
        )
    return found
