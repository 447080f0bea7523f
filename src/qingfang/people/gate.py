"""The gate every request passes: a view that does not say who may see it is seen by nobody.

Rules this module keeps:

1. A view carries exactly one of `public`, `entering`, `signed_in`, `may(...)`. Without one it is
   refused, so a forgotten decorator closes a page and never opens one.
2. Nobody gets past a password that must be changed, or a second factor that must be made.
3. A refusal says nothing about what is behind the door.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render, resolve_url

from qingfang.people import factor, policy
from qingfang.people.models import Person

View = Callable[..., Any]
_PUBLIC = "public"
_ENTERING = "entering"
_SIGNED_IN = "signed in"


def public(view: View) -> View:
    view.access = _PUBLIC  # pyright: ignore[reportFunctionMemberAccess]
    return view


def entering(view: View) -> View:
    """For everybody who is signed in, and what one must do before anything else."""
    view.access = _ENTERING  # pyright: ignore[reportFunctionMemberAccess]
    return view


def signed_in(view: View) -> View:
    """For everybody who is signed in, with or without a role."""
    view.access = _SIGNED_IN  # pyright: ignore[reportFunctionMemberAccess]
    return view


def may(*acts: str) -> Callable[[View], View]:
    """For those who may do at least one of the acts."""

    def mark(view: View) -> View:
        view.access = acts  # pyright: ignore[reportFunctionMemberAccess]
        return view

    return mark


def person_of(request: HttpRequest) -> Person:
    """The person behind a request that passed the gate."""
    assert isinstance(request.user, Person)
    return request.user


def forbidden(request: HttpRequest) -> HttpResponse:
    return render(request, "ui/message.html", {"what": "forbidden"}, status=403)


class Gate:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self._get_response(request)

    def process_view(
        self, request: HttpRequest, view: View, _args: Any, _kwargs: Any
    ) -> HttpResponseBase | None:
        access = getattr(view, "access", None)
        if access == _PUBLIC:
            return None
        user = request.user
        if not isinstance(user, Person) or not user.is_active:
            query = urlencode({"next": request.get_full_path()}) if request.method == "GET" else ""
            response = HttpResponseRedirect(resolve_url("sign-in") + (f"?{query}" if query else ""))
            if request.headers.get("HX-Request"):
                response = HttpResponse(status=204, headers={"HX-Redirect": response.url})
            return response
        if access == _ENTERING:
            return None
        if user.must_change_password:
            return HttpResponseRedirect(resolve_url("password"))
        if factor.missing(user):
            return HttpResponseRedirect(resolve_url("factor"))
        if access == _SIGNED_IN:
            return None
        if access and any(policy.may(user, act) for act in access):
            return None
        return forbidden(request)
