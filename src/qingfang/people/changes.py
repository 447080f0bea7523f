"""Changes of persons and terminals: at once, or once the discipline office has confirmed them.

Rules this module keeps:

1. Whoever keeps the records (IT, the security administrator) must not be able to turn somebody's
   right into somebody else's. A record that a right rests on stays as it is, in the console and so
   in the snapshot, until the office confirms the change.
2. Taking out of use works at once: it ends rights and gives none.
3. Other apps say what rests on a record (`told_by`), asked with its names before and after: a right
   can be bound by name, or to the holders of a post (`post:` and its code is among the names).
4. Proposing, confirming and refusing are acts, with the values before and after.
5. What was confirmed is checked again as it is written: it may no longer fit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from qingfang.people import acts
from qingfang.people.models import Person, Proposed, Terminal
from qingfang.people.services import NotAllowed

Record = Person | Terminal

_FIELDS: Final[dict[type[models.Model], tuple[str, ...]]] = {
    Person: (
        *("staff_number", "name", "department", "post", "codes", "away", "left_on"),
        *("phone", "mail", "is_active"),
    ),
    Terminal: (
        *("name", "label", "address", "more_addresses", "mac", "host", "role"),
        *("location", "department", "custodian", "active"),
    ),
}
_NAME: Final[dict[type[models.Model], str]] = {Person: "staff_number", Terminal: "name"}
_IN_USE: Final[dict[type[models.Model], str]] = {Person: "is_active", Terminal: "active"}
_KINDS: Final[dict[type[models.Model], Proposed.Kind]] = {
    Person: Proposed.Kind.PERSON,
    Terminal: Proposed.Kind.TERMINAL,
}
_MODELS: Final = {kind: model for model, kind in _KINDS.items()}
_ACTS: Final = {Proposed.Kind.PERSON: "person.changed", Proposed.Kind.TERMINAL: "terminal.saved"}

POST: Final = "post:"

Tell = Callable[[Proposed.Kind, int | None, frozenset[str]], list[str]]
"""(kind, the record's key, its names) → what rests on it, each in a few words."""

_tell: list[Tell] = []


def told_by(tell: Tell) -> None:
    """Called once an app at start-up."""
    if tell not in _tell:
        _tell.append(tell)


def _names(record: Record) -> frozenset[str]:
    names = {str(getattr(record, _NAME[type(record)]))}
    if isinstance(record, Person) and record.post is not None:
        names.add(f"{POST}{record.post.code}")
    return frozenset(names - {""})


def _value(record: Record, field: str) -> Any:
    """As JSON keeps it; of a relation the key."""
    column = type(record)._meta.get_field(field)
    value = getattr(record, column.attname)  # pyright: ignore[reportAttributeAccessIssue]
    return value.isoformat() if hasattr(value, "isoformat") else value


def shown(record: Record, field: str) -> str:
    """A field as people read it."""
    # A new record has no department yet, and says so by an AttributeError.
    value = getattr(record, field, None)
    if isinstance(value, bool):
        return str(_("是") if value else _("否"))
    if isinstance(value, list):
        return "、".join("..".join(v) if isinstance(v, list) else str(v) for v in value)
    display = getattr(record, f"get_{field}_display", None)
    return "" if value is None else str(display() if display else value)


def _difference(before: Record, after: Record) -> list[dict[str, Any]]:
    return [
        {
            "field": field,
            "before": _value(before, field),
            "after": _value(after, field),
            "before_text": shown(before, field),
            "after_text": shown(after, field),
        }
        for field in _FIELDS[type(after)]
        if _value(before, field) != _value(after, field)
    ]


def resting(record: Record) -> list[str]:
    """What rests on a record as it is, each in a few words."""
    kind = _KINDS[type(record)]
    return sorted({line for tell in _tell for line in tell(kind, record.pk, _names(record))})


def put(record: Record, *, by: Person, request: HttpRequest | None = None) -> Proposed | None:
    """Take a changed or new record that was checked (`full_clean`): saved at once (None), or
    proposed to the discipline office when a right rests on it."""
    model, kind = type(record), _KINDS[type(record)]
    with transaction.atomic():
        known = None
        if record.pk is not None:
            known = model.objects.select_for_update(of=("self",)).filter(pk=record.pk).first()
        before: Record = known if known is not None else model()
        changes = _difference(before, record)
        name = _NAME[model]
        names = _names(before) | _names(record)
        resting = sorted({line for tell in _tell for line in tell(kind, record.pk, names)})
        switch = _IN_USE[model]
        off = [c for c in changes if c["field"] == switch and not c["after"]]
        if not resting or not changes or (known is not None and off == changes):
            _save(record, known is None, changes, kind, by, request)
            return None
        if off and known is not None:
            # Out of use at once, the rest when it is confirmed.
            setattr(known, switch, False)
            _save(known, False, off, kind, by, request)
            changes = [c for c in changes if c not in off]
        label = str(getattr(before, name) or getattr(record, name))
        waiting = Proposed.objects.filter(kind=kind, state=Proposed.State.PENDING)
        same = waiting.filter(record=record.pk) if record.pk else waiting.filter(name=label)
        same.update(state=Proposed.State.REPLACED, decided_at=timezone.now())
        made = Proposed.objects.create(
            kind=kind, record=record.pk, name=label, changes=changes, resting=resting, by=by
        )
        _record("change.proposed", made, by, request)
        return made


def _save(
    record: Record,
    new: bool,
    changes: list[dict[str, Any]],
    kind: Proposed.Kind,
    by: Person | None,
    request: HttpRequest | None,
) -> None:
    if new and isinstance(record, Person) and not record.password:
        record.set_unusable_password()
    record.save()
    what = "person.created" if new and kind == Proposed.Kind.PERSON else _ACTS[kind]
    acts.record(
        what,
        request=request,
        person=by,
        target=str(getattr(record, _NAME[type(record)])),
        fields=_fields(changes),
        before=_texts(changes, "before_text"),
        after=_texts(changes, "after_text"),
    )


def _fields(changes: list[dict[str, Any]]) -> list[str]:
    return [c["field"] for c in changes]


def _texts(changes: list[dict[str, Any]], which: str) -> dict[str, str]:
    return {c["field"]: c[which] for c in changes}


def _record(
    what: str, change: Proposed, by: Person, request: HttpRequest | None, note: str = ""
) -> None:
    acts.record(
        what,
        request=request,
        person=by,
        target=change.name,
        what=change.kind,
        change=change.pk,
        resting=change.resting,
        fields=_fields(change.changes),
        before=_texts(change.changes, "before_text"),
        after=_texts(change.changes, "after_text"),
        note=note,
    )


def waiting(kind: Proposed.Kind, record: int | None) -> Proposed | None:
    """What is proposed for this record and not decided."""
    found = Proposed.objects.filter(kind=kind, record=record, state=Proposed.State.PENDING)
    return found.select_related("by").first() if record is not None else None


def decide(
    pk: int, confirm: bool, *, by: Person, request: HttpRequest | None = None, note: str = ""
) -> Proposed:
    """Confirm a proposed change, which is then written, or refuse it. Raises `NotAllowed`."""
    with transaction.atomic():
        change = Proposed.objects.select_for_update(of=("self",)).get(pk=pk)
        if change.state != Proposed.State.PENDING:
            raise NotAllowed(_("这项变更已经处理过了。"))
        if change.by_id == by.pk:  # pyright: ignore[reportAttributeAccessIssue]
            raise NotAllowed(_("不能确认自己提出的变更。"))
        if confirm:
            _apply(change)
        change.state = Proposed.State.CONFIRMED if confirm else Proposed.State.REFUSED
        change.decided_at, change.decided_by, change.note = timezone.now(), by, note
        change.save()
        _record("change.confirmed" if confirm else "change.refused", change, by, request, note)
    return change


def _apply(change: Proposed) -> None:
    model = _MODELS[Proposed.Kind(change.kind)]
    record = model()
    if change.record is not None:
        record = model.objects.select_for_update(of=("self",)).get(pk=change.record)
    for row in change.changes:
        column = model._meta.get_field(row["field"])
        setattr(record, column.attname, column.to_python(row["after"]))  # pyright: ignore
    if isinstance(record, Person) and not record.password:
        record.set_unusable_password()
    try:
        record.full_clean()
    except ValidationError as error:
        raise NotAllowed(_("现在不能这样改：%(why)s") % {"why": " ".join(error.messages)}) from None
    record.save()
