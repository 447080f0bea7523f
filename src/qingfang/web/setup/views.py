"""The first-run page, and the page of what is still missing."""

from __future__ import annotations

from pathlib import Path

import msgspec
from asgiref.sync import async_to_sync
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from qingfang import ipc
from qingfang.access import calendar
from qingfang.access import policy as access
from qingfang.access.forms import CalendarForm
from qingfang.config import Config
from qingfang.people import acts, services
from qingfang.people import policy as people
from qingfang.people.gate import may, public
from qingfang.people.services import NotAllowed
from qingfang.web.setup import accounts, checklist, code
from qingfang.web.setup.forms import CodeForm, NoticeForm, account_forms

_ENTERED = "setup"


def _config() -> Config:
    return settings.QINGFANG


def _closed(request: HttpRequest) -> HttpResponse | None:
    """Where a request goes that has no business here; None when it may go on."""
    if services.any_account():
        request.session.pop(_ENTERED, None)
        return redirect("sign-in")
    if not request.session.get(_ENTERED):
        return redirect("setup")
    return None


@public
@never_cache
@sensitive_post_parameters("code")
def enter(request: HttpRequest) -> HttpResponse:
    if services.any_account():
        return redirect("sign-in")
    if request.session.get(_ENTERED):
        return redirect("setup-steps")
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        if code.right(_config(), form.cleaned_data["code"]):
            request.session.cycle_key()
            request.session[_ENTERED] = True
            acts.record("setup.entered", request=request)
            return redirect("setup-steps")
        acts.record("setup.refused", request=request)
        form.add_error("code", _("不对。请照终端上的再输一次。"))
        return render(request, "web/setup_code.html", {"form": form}, status=401)
    return render(request, "web/setup_code.html", {"form": form})


@public
@never_cache
def steps(request: HttpRequest) -> HttpResponse:
    return _closed(request) or _steps(request)


def _steps(request: HttpRequest, *, status: int = 200, **forms: object) -> HttpResponse:
    config = _config()
    found = [p for p in checklist.points(config) if p.url == "" and p.who == _("系统管理员")]
    return render(
        request,
        "web/setup_steps.html",
        {
            "config": config,
            "machine": found,
            "calendar_decided": calendar.standing().decided,
            "calendar": CalendarForm.standing(),
            "accounts": account_forms(),
            "notice": NoticeForm(),
            **forms,
        },
        status=status,
    )


@public
@never_cache
@require_POST
def set_calendar(request: HttpRequest) -> HttpResponse:
    closed = _closed(request)
    if closed is not None:
        return closed
    form = CalendarForm(request.POST)
    if not form.is_valid():
        return _steps(request, status=422, calendar=form)
    calendar.replace(**form.cleaned_data, by=None, request=request)
    messages.success(request, _("工作日历已保存。"))
    return redirect("setup-steps")


@public
@never_cache
@require_POST
def send_notice(request: HttpRequest) -> HttpResponse:
    closed = _closed(request)
    if closed is not None:
        return closed
    form = NoticeForm(request.POST)
    if not form.is_valid():
        return _steps(request, status=422, notice=form)
    for name in ("mail", "syslog", "webhook"):
        if getattr(_config().channels, name) is None:
            continue
        address = form.cleaned_data["mail"] if name == "mail" else ""
        if name == "mail" and not address:
            messages.error(request, _("邮件：没有填收件人。"), extra_tags="danger")
            continue
        try:
            receipt = _test(name, address)
        except (ipc.Unavailable, ipc.Refusal) as error:
            told = {"channel": name, "why": error}
            messages.error(request, _("%(channel)s：没有送到。%(why)s") % told, extra_tags="danger")
            continue
        told = {"channel": name, "receipt": receipt}
        if name == "syslog":
            messages.warning(
                request, _("%(channel)s：已发出，对方不回执，请到那台服务器上核对。") % told
            )
        else:
            messages.success(request, _("%(channel)s：对方已收下（%(receipt)s）。") % told)
    return redirect("setup-steps")


def _test(name: str, address: str) -> str:
    """What the notifier says of one test notice. Raises `ipc.Unavailable`, `ipc.Refusal`."""

    async def call() -> bytes:
        client = ipc.Client(Path(_config().paths.run) / "notifier.sock")
        try:
            return await client.call("test", msgspec.json.encode((name, address)))
        finally:
            await client.close()

    return async_to_sync(call)().decode(errors="replace")


@public
@never_cache
@require_POST
def make_accounts(request: HttpRequest) -> HttpResponse:
    closed = _closed(request)
    if closed is not None:
        return closed
    forms = account_forms(request.POST)
    wrong = [form for form in forms if not form.is_valid()]
    if wrong:
        return _steps(request, status=422, accounts=forms)
    asked = [form.asked for form in forms]
    try:
        made = accounts.create([one for one in asked if one], _config(), request=request)
    except NotAllowed as no:
        messages.error(request, str(no), extra_tags="danger")
        return _steps(request, status=422, accounts=forms)
    code.forget(_config())
    request.session.flush()
    return render(request, "web/setup_done.html", {"made": made})


@may(access.SET_CALENDAR, access.SEE_ROUTES)
def missing(request: HttpRequest) -> HttpResponse:
    return render(
        request,
        "web/setup_missing.html",
        {
            "points": checklist.points(_config()),
            "forecasts": checklist.forecasts(_config()),
            "mine": people.may(request.user, access.SET_CALENDAR),
        },
    )
