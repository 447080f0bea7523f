"""Signing in and out, persons and their roles, departments, posts, terminals, locations, the trail
of acts."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login, logout, update_session_auth_hash
from django.db import transaction
from django.db.models import Count
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from qingfang.people import acts, changes, factor, policy, services, signin
from qingfang.people.forms import (
    DepartmentForm,
    FactorForm,
    FactorRolesForm,
    LocationForm,
    PasswordForm,
    PersonForm,
    PostForm,
    RoleForm,
    SignInForm,
    TerminalForm,
)
from qingfang.people.gate import entering, may, person_of, public
from qingfang.people.models import (
    Act,
    Department,
    Location,
    Person,
    Post,
    Proposed,
    RoleAssignment,
    Terminal,
)
from qingfang.people.tables import (
    ActTable,
    DepartmentTable,
    LocationTable,
    PersonTable,
    PostTable,
    TerminalTable,
)
from qingfang.ui.templatetags.ui import duration

HALFWAY_S = 300
_HALFWAY, _SECRET = "sign-in-halfway", "factor-secret"


def _destination(request: HttpRequest) -> str:
    target = request.POST.get("next") or request.GET.get("next") or "/"
    ours = url_has_allowed_host_and_scheme(target, {request.get_host()}, request.is_secure())
    return target if ours else "/"


@public
@never_cache
@sensitive_post_parameters("password")
def sign_in(request: HttpRequest) -> HttpResponse:
    if isinstance(request.user, Person):
        return redirect(_destination(request))
    form = SignInForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            person = signin.check(
                request,
                form.cleaned_data["staff_number"].strip(),
                form.cleaned_data["password"],
                timezone.now(),
            )
        except signin.SignInRefused as refused:
            form.add_error(None, _why(refused, _("工号或密码不对。")))
            return render(request, "people/sign_in.html", {"form": form}, status=401)
        if person.totp_secret:
            request.session[_HALFWAY] = {
                "person": person.pk,
                "until": timezone.now().timestamp() + HALFWAY_S,
                "next": _destination(request),
            }
            return redirect("sign-in-factor")
        login(request, person)
        return redirect(_destination(request))
    return render(
        request, "people/sign_in.html", {"form": form, "next": request.GET.get("next", "")}
    )


def _why(refused: signin.SignInRefused, wrong: str) -> str:
    if refused.until is None:
        return wrong
    left = (refused.until - timezone.now()).total_seconds()
    return _("尝试次数过多，请在 %(time)s后再试。") % {"time": duration(max(left, 1))}


@public
@never_cache
@sensitive_post_parameters("code")
def sign_in_factor(request: HttpRequest) -> HttpResponse:
    """The second step of signing in, for who has shown the password within the last minutes."""
    halfway = request.session.get(_HALFWAY)
    if halfway is None or halfway["until"] < timezone.now().timestamp():
        request.session.pop(_HALFWAY, None)
        return redirect("sign-in")
    person = Person.objects.filter(pk=halfway["person"], is_active=True).first()
    if person is None:
        return redirect("sign-in")
    form = FactorForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            signin.check_factor(request, person, form.cleaned_data["code"], timezone.now())
        except signin.SignInRefused as refused:
            form.add_error(None, _why(refused, _("动态码不对，或者已经用过。")))
            return render(request, "people/sign_in_factor.html", {"form": form}, status=401)
        del request.session[_HALFWAY]
        login(request, person)
        return redirect(halfway["next"])
    return render(request, "people/sign_in_factor.html", {"form": form})


@entering
@never_cache
@sensitive_post_parameters("code")
def factor_page(request: HttpRequest) -> HttpResponse:
    """One's own second factor: making it, or that it is there."""
    person = person_of(request)
    if person.totp_secret:
        return render(request, "people/factor.html", {"left": factor.left(person)})
    kept = request.session.get(_SECRET)
    if kept is None:
        kept = request.session[_SECRET] = factor.new_secret().hex()
    secret = bytes.fromhex(kept)
    form = FactorForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            codes = factor.enrol(person, secret, form.cleaned_data["code"], request=request)
        except services.NotAllowed as no:
            form.add_error("code", str(no))
        else:
            del request.session[_SECRET]
            return render(request, "people/factor.html", {"codes": codes, "left": len(codes)})
    return render(
        request,
        "people/factor.html",
        {
            "form": form,
            "picture": factor.picture(secret, person, settings.QINGFANG.site.name),
            "secret": factor.written(secret),
            "must": factor.missing(person),
        },
    )


@may(policy.MANAGE_PERSONS)
@require_POST
def factor_reset(request: HttpRequest, pk: int) -> HttpResponse:
    try:
        factor.reset(get_object_or_404(Person, pk=pk), by=person_of(request), request=request)
    except services.NotAllowed as no:
        return _done(request, pk, no)
    messages.success(request, _("已重置：下次登录只需密码，然后可以重新绑定。"))
    return _done(request, pk, None)


@may(policy.MANAGE_PERSONS)
def factor_roles(request: HttpRequest) -> HttpResponse:
    form = FactorRolesForm(request.POST or None, initial={"roles": sorted(factor.required_roles())})
    if request.method == "POST" and form.is_valid():
        factor.require(form.cleaned_data["roles"], by=person_of(request), request=request)
        messages.success(request, _("已保存。还没有绑定的人，下次打开页面时须先绑定。"))
        return redirect("persons")
    return render(
        request,
        "ui/edit.html",
        {
            "form": form,
            "heading": _("动态码"),
            "hint": _("动态码由手机上的验证器产生（RFC 6238），不联网也能用。"),
            "back": reverse("persons"),
            "back_label": _("人员与角色"),
        },
    )


@entering
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    acts.record("sign-out", request=request)
    logout(request)
    return redirect("sign-in")


@entering
@never_cache
@sensitive_post_parameters()
def password(request: HttpRequest) -> HttpResponse:
    person = person_of(request)
    form = PasswordForm(person, request.POST or None)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            person.set_password(form.cleaned_data["new"])
            person.must_change_password = False
            person.save(update_fields=["password", "must_change_password"])
            acts.record("password.changed", request=request)
        update_session_auth_hash(request, person)
        messages.success(request, _("密码已修改。"))
        return redirect("home")
    return render(request, "people/password.html", {"form": form})


@may(policy.MANAGE_PERSONS)
def persons(request: HttpRequest) -> HttpResponseBase:
    queryset = Person.objects.select_related("department", "post").prefetch_related("assignments")
    return PersonTable(request, queryset).respond("people/persons.html")


@may(policy.MANAGE_PERSONS)
def person_new(request: HttpRequest) -> HttpResponse:
    form = PersonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        person = form.save(commit=False)
        if _put(request, person, _("已新建。发放初始密码后才能登录。")):
            return redirect("person", person.pk)
        return redirect("persons")
    return render(request, "people/person_new.html", {"form": form})


@may(policy.MANAGE_PERSONS)
@never_cache
def person(request: HttpRequest, pk: int) -> HttpResponse:
    shown = get_object_or_404(Person.objects.select_related("department", "post"), pk=pk)
    form = PersonForm(request.POST or None, instance=shown)
    if request.method == "POST" and form.is_valid():
        _put(request, form.save(commit=False), _("已保存。"))
        return redirect("person", pk)
    held = [
        (code, policy.ROLES[code].label)
        for code in sorted(policy.held_codes(shown))
        if code in policy.ROLES
    ]
    offers = [
        {"role": role, "objection": policy.objection(shown, role.code)}
        for role in policy.ROLES.values()
        if role.code not in {code for code, _label in held}
    ]
    return render(
        request,
        "people/person.html",
        {
            "person": shown,
            "form": form,
            "held": held,
            "in_force": policy.roles_of(shown),
            "offers": offers,
            "history": _history(shown),
            "can_sign_in": shown.has_usable_password(),
            "waiting": changes.waiting(Proposed.Kind.PERSON, pk),
        },
    )


def _put(request: HttpRequest, record: Person | Terminal, done: str) -> bool:
    """Save a checked record, or propose it; says which. Whether it is saved."""
    proposed = changes.put(record, by=person_of(request), request=request)
    if proposed is None:
        messages.success(request, done)
        return True
    messages.warning(
        request,
        _("已提交，待纪检确认：%(resting)s 以原来的登记为准，确认之前不变。")
        % {"resting": "、".join(proposed.resting)},
    )
    return False


def _history(shown: Person) -> list[RoleAssignment]:
    """The last assignments, each with the role's `label`."""
    rows = RoleAssignment.objects.filter(person=shown).select_related("given_by", "taken_by")
    return list(rows.order_by("-pk")[:50])


def _done(request: HttpRequest, pk: int, problem: Exception | None) -> HttpResponseRedirect:
    if problem is not None:
        messages.error(request, str(problem), extra_tags="danger")
    return redirect("person", pk)


@may(policy.MANAGE_PERSONS)
@require_POST
def role_give(request: HttpRequest, pk: int) -> HttpResponse:
    form = RoleForm(request.POST)
    form.fields["role"].choices = [(c, c) for c in policy.ROLES]  # pyright: ignore
    if not form.is_valid():
        return _done(request, pk, services.NotAllowed(_("没有这个角色。")))
    try:
        services.give_role(
            get_object_or_404(Person, pk=pk),
            form.cleaned_data["role"],
            by=person_of(request),
            request=request,
        )
    except services.NotAllowed as no:
        return _done(request, pk, no)
    return _done(request, pk, None)


@may(policy.MANAGE_PERSONS)
@require_POST
def role_take(request: HttpRequest, pk: int) -> HttpResponse:
    services.take_role(
        get_object_or_404(Person, pk=pk),
        request.POST.get("role", ""),
        by=person_of(request),
        request=request,
    )
    return _done(request, pk, None)


@may(policy.MANAGE_PERSONS)
@require_POST
@never_cache
def password_reset(request: HttpRequest, pk: int) -> HttpResponse:
    subject = get_object_or_404(Person, pk=pk, is_active=True)
    try:
        new = services.reset_password(subject, by=person_of(request), request=request)
    except services.NotAllowed as no:
        return _done(request, pk, no)
    return render(request, "people/password_reset.html", {"person": subject, "new": new})


@may(policy.MANAGE_PERSONS)
@require_POST
def person_active(request: HttpRequest, pk: int) -> HttpResponse:
    subject = get_object_or_404(Person, pk=pk)
    active = request.POST.get("active") == "1"
    if active and changes.resting(subject):
        subject.is_active = True
        _put(request, subject, _("已保存。"))
        return redirect("person", pk)
    try:
        services.set_active(subject, active, by=person_of(request), request=request)
    except services.NotAllowed as no:
        return _done(request, pk, no)
    return _done(request, pk, None)


@may(policy.SEE_TERMINALS)
def terminals(request: HttpRequest) -> HttpResponseBase:
    queryset = Terminal.objects.select_related("location", "department", "custodian")
    table = TerminalTable(request, queryset)
    if policy.may(request.user, policy.MANAGE_TERMINALS):
        table.row_url = lambda row: f"/terminals/{row.pk}"
    return table.respond(
        "people/terminals.html",
        {"can_manage": policy.may(request.user, policy.MANAGE_TERMINALS)},
    )


@may(policy.MANAGE_TERMINALS)
def terminal(request: HttpRequest, pk: int | None = None) -> HttpResponse:
    instance = get_object_or_404(Terminal, pk=pk) if pk else None
    form = TerminalForm(request.POST or None, instance=instance)
    if request.method == "POST" and form.is_valid():
        saved = form.save(commit=False)
        if _put(request, saved, _("已保存。")) or not pk:
            return redirect("terminals")
        return redirect("terminal", pk)
    return render(
        request,
        "people/terminal.html",
        {
            "form": form,
            "terminal": instance,
            "waiting": changes.waiting(Proposed.Kind.TERMINAL, pk),
        },
    )


@may(policy.SEE_ACTS)
def acts_list(request: HttpRequest) -> HttpResponseBase:
    return ActTable(request, Act.objects.all()).respond("people/acts.html")


def _saved(
    request: HttpRequest,
    form: DepartmentForm | PostForm | LocationForm,
    kind: str,
    page: tuple[str, str, str],
) -> HttpResponse:
    """The form of one row, or back to its list when it was saved. `page`: heading, the list's name
    of an address and its label."""
    heading, back, label = page
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            saved = form.save()
            acts.record(
                kind, request=request, target=str(saved)[:100], fields=sorted(form.changed_data)
            )
        messages.success(request, _("已保存。"))
        return redirect(back)
    return render(
        request,
        "ui/edit.html",
        {"form": form, "heading": heading, "back": reverse(back), "back_label": label},
    )


def _above(name: str, label: str) -> dict[str, str]:
    return {"url": reverse(name), "label": label}


def _add(name: str, label: str) -> list[dict[str, str]]:
    return [{"url": reverse(name), "label": label, "icon": "plus"}]


@may(policy.MANAGE_DEPARTMENTS)
def departments(request: HttpRequest) -> HttpResponseBase:
    rows = Department.objects.select_related("parent").annotate(count=Count("persons"))
    return DepartmentTable(request, rows).respond(
        "ui/list.html",
        {
            "above": _above("persons", _("人员与角色")),
            "actions": _add("department-new", _("新建科室")),
        },
    )


@may(policy.MANAGE_DEPARTMENTS)
def department(request: HttpRequest, pk: int | None = None) -> HttpResponse:
    row = get_object_or_404(Department, pk=pk) if pk else None
    form = DepartmentForm(request.POST or None, instance=row)
    heading = row.name if row else _("新建科室")
    return _saved(request, form, "department.saved", (heading, "departments", _("各科室")))


@may(policy.MANAGE_DEPARTMENTS)
def posts(request: HttpRequest) -> HttpResponseBase:
    return PostTable(request, Post.objects.annotate(count=Count("person"))).respond(
        "ui/list.html",
        {"above": _above("persons", _("人员与角色")), "actions": _add("post-new", _("新建岗位"))},
    )


@may(policy.MANAGE_DEPARTMENTS)
def post(request: HttpRequest, pk: int | None = None) -> HttpResponse:
    row = get_object_or_404(Post, pk=pk) if pk else None
    form = PostForm(request.POST or None, instance=row)
    heading = row.name if row else _("新建岗位")
    return _saved(request, form, "post.saved", (heading, "posts", _("各岗位")))


@may(policy.SEE_TERMINALS)
def locations(request: HttpRequest) -> HttpResponseBase:
    can_manage = policy.may(request.user, policy.MANAGE_TERMINALS)
    rows = Location.objects.select_related("campus").annotate(count=Count("terminal"))
    table = LocationTable(request, rows)
    table.editable = can_manage
    return table.respond(
        "ui/list.html",
        {
            "above": _above("terminals", _("终端")),
            "actions": _add("location-new", _("新建位置")) if can_manage else [],
        },
    )


@may(policy.MANAGE_TERMINALS)
def location(request: HttpRequest, pk: int | None = None) -> HttpResponse:
    row = get_object_or_404(Location, pk=pk) if pk else None
    form = LocationForm(request.POST or None, instance=row)
    heading = str(row) if row else _("新建位置")
    return _saved(request, form, "location.saved", (heading, "locations", _("各位置")))
