"""A way in for the security administrator who lost the password, from the machine's own terminal.

Rules this module keeps:

1. Only a security administrator is let in this way: whoever runs the machine must not become the
   discipline office. Everybody else's password is reset by that administrator, in the console.
2. It is recorded without an actor, before the new password is told to anybody; the second factor
   goes with the password, on record too.
"""

from __future__ import annotations

from django.db import transaction
from django.utils.translation import gettext as _

from qingfang.people import acts, factor, policy
from qingfang.people.models import Person
from qingfang.people.services import NotAllowed, new_password


def rescue(staff_number: str) -> str:
    """The new password, to be changed at the first sign-in. Raises `NotAllowed`."""
    with transaction.atomic():
        person = Person.objects.select_for_update().filter(staff_number=staff_number).first()
        if person is None:
            raise NotAllowed(_("没有工号为 %(number)s 的人员。") % {"number": staff_number})
        if not person.is_active or policy.SECURITY_ADMINISTRATOR not in policy.held_codes(person):
            raise NotAllowed(
                _("%(number)s 不是在用的安全管理员：其他人的密码由安全管理员在控制台里重置。")
                % {"number": staff_number}
            )
        password = new_password()
        person.set_password(password)
        person.must_change_password = True
        person.save(update_fields=["password", "must_change_password"])
        acts.record("password.reset", target=staff_number, asked_at="terminal")
        if person.totp_secret:
            factor.forget(person)
            acts.record("factor.reset", target=staff_number, asked_at="terminal")
    return password
