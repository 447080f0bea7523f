"""Finds the person of a session. Passwords are checked in `people.signin`, nowhere else."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from qingfang.people.models import Person


class Sessions:
    def authenticate(self, request: HttpRequest | None, **_credentials: Any) -> None:
        return None

    def get_user(self, user_id: int) -> Person | None:
        return (
            Person.objects.select_related("department").filter(pk=user_id, is_active=True).first()
        )
