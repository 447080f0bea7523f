"""What the base page shows of the person: the roles in force."""

from __future__ import annotations

from django.http import HttpRequest

from qingfang.people import policy


def person(request: HttpRequest) -> dict[str, object]:
    roles = policy.roles_of(getattr(request, "user", None))
    return {"my_roles": [r.label for c, r in policy.ROLES.items() if c in roles]}
