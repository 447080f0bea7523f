"""Signing in with staff number, password and second factor, and what happens to those who guess.

Rules this module keeps:

1. Failures are counted by account and by address before the password is looked at, under a row
   lock: a thousand guesses sent at once are a thousand failures.
2. From the fifth failure of an account (the twentieth of an address) on, each adds a delay that
   doubles from 30 s to one hour. Correct passwords are refused during the delay as wrong ones are.
3. What the refused person reads does not tell whether the account exists; an unknown one costs the
   same time as a known one.
4. Every sign-in, failure and lock is an act.
"""

from __future__ import annotations

import datetime as dt

from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.http import HttpRequest

from qingfang.people import acts, factor
from qingfang.people.models import Person, SignInGuard

ACCOUNT_FREE, ADDRESS_FREE = 5, 20
FIRST_DELAY_S, LAST_DELAY_S = 30, 3600
FORGET_AFTER = dt.timedelta(hours=24)


class SignInRefused(Exception):
    """`until` is set when even the right password would be refused until then."""

    def __init__(self, until: dt.datetime | None = None) -> None:
        super().__init__()
        self.until = until


def delay_s(failures: int, free: int) -> int:
    """Seconds of lock after this many failures."""
    if failures < free:
        return 0
    return int(min(FIRST_DELAY_S * 2 ** min(failures - free, 20), LAST_DELAY_S))


def _count(key: str, free: int, now: dt.datetime) -> dt.datetime | None:
    """Count one attempt as a failure. Returns until when this key was locked already."""
    guard, _created = SignInGuard.objects.select_for_update().get_or_create(key=key)
    if guard.locked_until and guard.locked_until > now:
        return guard.locked_until
    if guard.last_at and now - guard.last_at > FORGET_AFTER:
        guard.failures = 0
    guard.failures += 1
    guard.last_at = now
    seconds = delay_s(guard.failures, free)
    guard.locked_until = now + dt.timedelta(seconds=seconds) if seconds else None
    guard.save()
    return None


def check(request: HttpRequest, staff_number: str, password: str, now: dt.datetime) -> Person:
    """The person who has the password of `staff_number`: signed in, unless there is a second factor
    (`totp_secret`), which `check_factor` then asks for. Raises `SignInRefused`."""
    account, address = f"account:{staff_number[:80]}", f"address:{acts.address_of(request)}"
    person = Person.objects.filter(staff_number=staff_number, is_active=True).first()
    _attempt(request, account, address, person, now)
    if person is None:
        make_password(password)
    elif person.check_password(password):
        if not person.totp_secret:
            _in(request, person)
        return person
    # The number typed is not recorded when nobody has it: people type passwords there.
    acts.record("sign-in.failed", request=request, person=person, known=person is not None)
    raise _refused(account, address, now)


def check_factor(request: HttpRequest, person: Person, code: str, now: dt.datetime) -> None:
    """Sign in the person who showed the password, by a code. Each attempt counts like one at the
    password. Raises `SignInRefused`."""
    account, address = f"account:{person.staff_number}", f"address:{acts.address_of(request)}"
    _attempt(request, account, address, person, now)
    way = factor.take(person, code)
    if way is None:
        acts.record("sign-in.factor-failed", request=request, person=person)
        raise _refused(account, address, now)
    _in(request, person, factor=way)
    # The password before it was counted too.
    with transaction.atomic():
        _uncount(address)


def _in(request: HttpRequest, person: Person, factor: str = "") -> None:
    with transaction.atomic():
        SignInGuard.objects.filter(key=f"account:{person.staff_number}").delete()
        _uncount(f"address:{acts.address_of(request)}")
        if factor:
            acts.record("sign-in", request=request, person=person, factor=factor)
        else:
            acts.record("sign-in", request=request, person=person)


def _attempt(
    request: HttpRequest, account: str, address: str, person: Person | None, now: dt.datetime
) -> None:
    """Count an attempt. Raises `SignInRefused` while there is a lock."""
    with transaction.atomic():
        # In the order of their keys, so that two attempts never wait for each other in a circle.
        locked = [_count(address, ADDRESS_FREE, now), _count(account, ACCOUNT_FREE, now)]
    until = max((moment for moment in locked if moment), default=None)
    if until is not None:
        acts.record("sign-in.locked", request=request, person=person, until=until.isoformat())
        raise SignInRefused(until)


def _refused(account: str, address: str, now: dt.datetime) -> SignInRefused:
    guard = SignInGuard.objects.filter(key__in=(account, address), locked_until__gt=now)
    until = max((g.locked_until for g in guard if g.locked_until), default=None)
    return SignInRefused(until)


def _uncount(key: str) -> None:
    """Take back the failure that a right password was counted as; the others stay."""
    guard = SignInGuard.objects.select_for_update().filter(key=key).first()
    if guard is not None and guard.failures:
        guard.failures -= 1
        guard.locked_until = None
        guard.save()
