"""Who gets to which page: every address of the console against every role.

`ALLOWED` is the whole truth: a new address that is not in it fails, and so does an answer that is
not the one written here. A person with no role, or with a role that is not named, is refused.
"""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from qingfang.people import policy
from tests.support.people import person

pytestmark = pytest.mark.django_db

EVERYBODY = "everybody, signed in or not"
SIGNED_IN = "everybody who is signed in"

ALLOWED: dict[str, object] = {
    "sign-in": EVERYBODY,
    "sign-in-factor": set(),  # only halfway through signing in
    "set_language": EVERYBODY,
    "setup": EVERYBODY,
    "setup-steps": EVERYBODY,
    "setup-calendar": EVERYBODY,
    "setup-notice": EVERYBODY,
    "setup-accounts": EVERYBODY,
    "missing": {"application_manager", "auditor", "system_administrator"},
    "home": SIGNED_IN,
    "sign-out": SIGNED_IN,
    "password": SIGNED_IN,
    "factor": SIGNED_IN,
    "factor-roles": {"security_administrator"},
    "factor-reset": {"security_administrator"},
    "persons": {"security_administrator"},
    "person-new": {"security_administrator"},
    "persons-import": {"security_administrator"},
    "persons-template": {"security_administrator"},
    "import": {"security_administrator", "system_administrator"},
    "import-confirm": {"security_administrator", "system_administrator"},
    "person": {"security_administrator"},
    "role-give": {"security_administrator"},
    "role-take": {"security_administrator"},
    "password-reset": {"security_administrator"},
    "person-active": {"security_administrator"},
    "departments": {"security_administrator"},
    "department-new": {"security_administrator"},
    "department": {"security_administrator"},
    "posts": {"security_administrator"},
    "post-new": {"security_administrator"},
    "post": {"security_administrator"},
    "locations": {
        "system_administrator",
        "security_administrator",
        "application_manager",
        "auditor",
    },
    "location-new": {"system_administrator"},
    "location": {"system_administrator"},
    "terminals": {
        "system_administrator",
        "security_administrator",
        "application_manager",
        "auditor",
    },
    "terminal-new": {"system_administrator"},
    "terminals-import": {"system_administrator"},
    "terminals-template": {"system_administrator"},
    "terminal": {"system_administrator"},
    "acts": {"auditor"},
    "grants": {
        "applicant",
        "approver_department",
        "approver_functional",
        "approver_leader",
        "filer",
        "application_manager",
        "auditor",
    },
    "grant-new": {"applicant"},
    "grant": {
        "applicant",
        "approver_department",
        "approver_functional",
        "approver_leader",
        "filer",
        "application_manager",
        "auditor",
    },
    "grant-step": {
        "applicant",
        "approver_department",
        "approver_functional",
        "approver_leader",
        "filer",
        "application_manager",
    },
    "office": {"application_manager", "auditor", "duty_officer"},
    "duties": {"application_manager", "auditor", "duty_officer"},
    "duty-new": {"application_manager"},
    "duty": {"application_manager"},
    "duty-remove": {"application_manager"},
    "designations": {"application_manager", "auditor"},
    "designation-new": {"application_manager"},
    "designation": {"application_manager"},
    "registered": {"application_manager", "auditor"},
    "report-new": {"application_manager"},
    "report": {"application_manager"},
    "service-new": {"application_manager"},
    "service": {"application_manager"},
    "registered-switch": {"application_manager"},
    "changes": {"application_manager", "auditor"},
    "change": {"application_manager", "auditor"},
    "change-decide": {"application_manager"},
    "definition": {"application_manager", "auditor", "filer"},
    "settled": {"application_manager", "auditor", "filer"},
    "settlement": {"application_manager", "auditor", "filer"},
    "settlement-decide": {"application_manager", "filer"},
    "policy": {"application_manager", "auditor"},
    "routes": {"application_manager", "auditor", "system_administrator"},
    "route-switch": {"application_manager"},
    "calendar": {"application_manager"},
    "alerts": {"application_manager", "auditor", "verifier", "duty_officer"},
    "alert-noticed": {"application_manager", "auditor", "verifier", "duty_officer"},
    "alert-stream": {"application_manager", "auditor", "verifier", "duty_officer"},
    "alert": {"application_manager", "auditor", "verifier", "duty_officer"},
    "alert-acknowledge": {"application_manager", "auditor", "duty_officer"},
    "alert-note": {"application_manager", "auditor", "verifier"},
    "alert-rule": {"application_manager", "auditor"},
    "alert-assign": {"application_manager"},
    "opaque": {"application_manager", "auditor", "filer"},
    "opaque-template": {"application_manager", "auditor", "filer"},
    "opaque-again": {"application_manager"},
    "opaque-source": {"application_manager"},
    "opaque-no-usage": {"application_manager"},
    "catalogues": {"application_manager", "auditor"},
    "catalogue": {"application_manager", "auditor"},
    "catalogue-confirm": {"application_manager"},
    "catalogue-add": {"application_manager"},
    "catalogue-undo": {"application_manager"},
    "coverage": {"application_manager", "auditor", "system_administrator"},
}


def names() -> list[str]:
    found: list[str] = []

    def walk(patterns: list[URLPattern | URLResolver]) -> None:
        for pattern in patterns:
            if isinstance(pattern, URLResolver):
                walk(pattern.url_patterns)
            else:
                assert pattern.name, f"{pattern.pattern} has no name"
                found.append(pattern.name)

    walk(get_resolver().url_patterns)
    return found


def address(name: str) -> str:
    for arguments in ([], [999_999_999], ["no-such-route"]):
        try:
            return reverse(name, args=arguments)
        except Exception:
            continue
    raise AssertionError(name)


def allowed(client: Client, name: str) -> bool:
    """Past the gate: anything but the gate's own refusals (a missing row, or a method that the view
    does not take, is past the gate)."""
    response = client.get(address(name))
    if response.status_code == 302 and response["Location"].startswith("/sign-in"):
        return False
    return response.status_code != 403


def test_every_address_is_in_the_table() -> None:
    assert sorted(ALLOWED) == sorted(names())


def test_without_sign_in() -> None:
    for name in names():
        assert allowed(Client(), name) == (ALLOWED[name] == EVERYBODY), name


KIND = {"application_manager": "discipline", "filer": "discipline"}


@pytest.mark.parametrize("role", ["", *policy.ROLES])
def test_role(role: str) -> None:
    someone = person("1001", KIND.get(role, "office"), *([role] if role else []))
    client = Client()
    client.force_login(someone)
    for name in names():
        expected = ALLOWED[name] in (EVERYBODY, SIGNED_IN) or role in ALLOWED[name]  # type: ignore[operator]
        assert allowed(client, name) == expected, (role, name)


def test_a_view_that_says_nothing_is_seen_by_nobody(rf: object, client: Client) -> None:
    from django.http import HttpResponse

    from qingfang.people.gate import Gate

    someone = person("1001", "discipline", "application_manager")
    request = rf.get("/")  # type: ignore[attr-defined]
    request.user = someone
    gate = Gate(lambda r: HttpResponse("inside"))
    response = gate.process_view(request, lambda r: HttpResponse("inside"), (), {})
    assert response is not None
    assert response.status_code == 403
