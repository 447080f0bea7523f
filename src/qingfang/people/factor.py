"""The second factor of an account: a time-based code (RFC 6238) of an authenticator, offline.

Rules this module keeps:

1. A secret counts once a code of it was shown; until then nothing has changed.
2. A code is taken once (its time step must be later than the last one taken), one step early or
   late at most: clocks in hospitals differ.
3. Recovery codes are shown once, kept as digests, and taken once each.
4. Which roles must have a second factor is said by the security administrator; who holds such a role
   and has none gets no further than making one.
5. Enrolling, recovery, reset and every change of the rule are acts.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from typing import Final, Literal

import segno
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor import InvalidToken
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from qingfang.people import acts, policy
from qingfang.people.models import FactorRole, Person, RecoveryCode
from qingfang.people.services import NotAllowed, new_password

STEP_S: Final = 30
DIGITS: Final = 6
SECRET_SIZE: Final = 20
CODES: Final = 10

Taken = Literal["totp", "recovery"]


def new_secret() -> bytes:
    return secrets.token_bytes(SECRET_SIZE)


def _totp(secret: bytes) -> TOTP:
    # SHA-1 is what authenticators take; its weaknesses do not touch HMAC.
    return TOTP(secret, DIGITS, SHA1(), STEP_S)  # noqa: S303


def code_at(secret: bytes, moment: float) -> str:
    """The code of a moment (seconds since the epoch)."""
    return _totp(secret).generate(int(moment)).decode()


def written(secret: bytes) -> str:
    """The secret as one types it, in groups of four."""
    text = base64.b32encode(secret).decode()
    return " ".join(text[n : n + 4] for n in range(0, len(text), 4))


def picture(secret: bytes, person: Person, issuer: str) -> str:
    """A QR code of the secret as a data address of an image: nothing is loaded from anywhere."""
    uri = _totp(secret).get_provisioning_uri(person.staff_number, issuer)
    return segno.make(uri, error="m").svg_data_uri(scale=5, border=2, light="#fff")


def _step_of(secret: bytes, code: str, moment: float, after: int) -> int | None:
    """The time step a code belongs to, later than `after`; None when it is of none."""
    now = int(moment) // STEP_S
    for step in (now, now - 1, now + 1):
        if step <= after:
            continue
        try:
            _totp(secret).verify(code.encode(), step * STEP_S)
        except InvalidToken:
            continue
        return step
    return None


def _digest(code: str) -> str:
    # The codes are random, 93 bits: a plain digest is enough.
    plain = "".join(letter for letter in code if letter.isalnum())
    return hashlib.sha256(plain.encode()).hexdigest()


def enrol(person: Person, secret: bytes, code: str, *, request: HttpRequest | None) -> list[str]:
    """Take the secret as this person's, proven by a code of it; the recovery codes, to be shown
    now and never again. Raises `NotAllowed`."""
    if person.totp_secret:
        raise NotAllowed(_("已经绑定。换手机请先由安全管理员重置。"))
    step = _step_of(secret, _plain(code), timezone.now().timestamp(), 0)
    if step is None:
        raise NotAllowed(_("动态码不对：请核对手机的时间，再输入现在显示的六位数字。"))
    codes = [new_password() for _n in range(CODES)]
    with transaction.atomic():
        person.totp_secret, person.totp_step = secret, step
        person.save(update_fields=["totp_secret", "totp_step"])
        RecoveryCode.objects.filter(person=person).delete()
        RecoveryCode.objects.bulk_create(
            RecoveryCode(person=person, digest=_digest(code)) for code in codes
        )
        acts.record("factor.enrolled", request=request, person=person)
    return codes


def _plain(code: str) -> str:
    return "".join(code.split())


def take(person: Person, code: str) -> Taken | None:
    """Which way this code proves the person, and use it up; None: it does not."""
    with transaction.atomic():
        locked = Person.objects.select_for_update(of=("self",)).get(pk=person.pk)
        secret = bytes(locked.totp_secret)
        if not secret:
            return None
        plain = _plain(code)
        if len(plain) == DIGITS and plain.isascii() and plain.isdigit():
            step = _step_of(secret, plain, timezone.now().timestamp(), locked.totp_step)
            if step is None:
                return None
            locked.totp_step = step
            locked.save(update_fields=["totp_step"])
            return "totp"
        wanted = _digest(plain)
        for kept in RecoveryCode.objects.filter(person=person, used_at__isnull=True):
            if hmac.compare_digest(kept.digest, wanted):
                kept.used_at = timezone.now()
                kept.save(update_fields=["used_at"])
                return "recovery"
    return None


def left(person: Person) -> int:
    """How many recovery codes are left."""
    return RecoveryCode.objects.filter(person=person, used_at__isnull=True).count()


def reset(person: Person, *, by: Person, request: HttpRequest | None = None) -> None:
    """Take the second factor away, so that a new one can be enrolled. Raises `NotAllowed`."""
    if by.pk == person.pk:
        raise NotAllowed(_("自己的动态码须由另一位安全管理员重置。"))
    with transaction.atomic():
        forget(person)
        acts.record("factor.reset", request=request, person=by, target=person.staff_number)


def forget(person: Person) -> None:
    """Take the second factor away; recording it is the caller's, in the same transaction."""
    person.totp_secret, person.totp_step = b"", 0
    person.save(update_fields=["totp_secret", "totp_step"])
    RecoveryCode.objects.filter(person=person).delete()


def required_roles() -> frozenset[str]:
    return frozenset(FactorRole.objects.values_list("role", flat=True))


def missing(person: Person) -> bool:
    """Whether this person must have a second factor and has none."""
    return not person.totp_secret and bool(required_roles() & policy.roles_of(person))


def require(roles: Iterable[str], *, by: Person, request: HttpRequest | None = None) -> None:
    """Say which roles must have a second factor, all of them."""
    wanted = frozenset(roles) & policy.ROLES.keys()
    with transaction.atomic():
        before = required_roles()
        FactorRole.objects.exclude(role__in=wanted).delete()
        FactorRole.objects.bulk_create(
            FactorRole(role=role, by=by) for role in sorted(wanted - before)
        )
        acts.record(
            "factor.required",
            request=request,
            person=by,
            before=sorted(before),
            after=sorted(wanted),
        )
