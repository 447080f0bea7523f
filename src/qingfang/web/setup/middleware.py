"""Until the first account is made every address leads to the first-run page."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse

from qingfang.people import services
from qingfang.web.setup import code

_Next = Callable[[HttpRequest], HttpResponseBase]


class FirstRun:
    """The code's file tells that the first run is not over; accounts that came another way end it."""

    def __init__(self, get_response: _Next) -> None:
        self._get_response = get_response
        self._open = (reverse("setup"), reverse("set_language"), settings.STATIC_URL)

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path.startswith(self._open) and code.read(settings.QINGFANG) is not None:
            if not services.any_account():
                return HttpResponseRedirect(reverse("setup"))
            code.forget(settings.QINGFANG)
        return self._get_response(request)
