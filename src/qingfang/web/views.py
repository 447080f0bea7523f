"""The home page, the choice of language, and the pages of errors."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.i18n import set_language as django_set_language

from qingfang.people import policy
from qingfang.people.gate import public, signed_in
from qingfang.ui import attention


@signed_in
def home(request: HttpRequest) -> HttpResponse:
    cards, panels = attention.for_request(request)
    return render(
        request,
        "web/home.html",
        {
            "actions": attention.actions_for(request),
            "cards": cards,
            "panels": panels,
            "has_role": bool(policy.roles_of(request.user)),
        },
    )


@public
def set_language(request: HttpRequest) -> HttpResponse:
    return django_set_language(request)


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return render(request, "ui/message.html", {"what": "forbidden"}, status=403)


def missing(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return render(request, "ui/message.html", {"what": "missing"}, status=404)


def broken(request: HttpRequest) -> HttpResponse:
    return render(request, "ui/message.html", {"what": "broken"}, status=500)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return render(request, "ui/message.html", {"what": "csrf"}, status=403)
