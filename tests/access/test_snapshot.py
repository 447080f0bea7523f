"""The snapshot as the engine reads it: what people decided, signed, one version after another."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from qingfang.access import services, snapshot
from qingfang.access.models import Duty, HandedDown, Registered, RouteMode, SpecialDay
from qingfang.crypto import Ed25519Signer
from qingfang.judge.snapshot import Holder, Rejected, Snapshot
from qingfang.people.models import Person, Terminal
from tests.access.test_flow import Staff, made
from tests.support.people import person

pytestmark = pytest.mark.django_db
NOW = dt.datetime.now(dt.UTC)


class Engine:
    """Reads the file as the judge does."""

    def __init__(self, folder: Path) -> None:
        self.signer = Ed25519Signer.generate()
        self.file = folder / "snapshot.json"
        self.holder = Holder("test", self.signer.verify)

    def hand_down(self, at: dt.datetime = NOW) -> HandedDown | None:
        return snapshot.hand_down("test", self.signer.sign, self.file, at)

    def read(self) -> Snapshot:
        return self.holder.offer(self.file.read_bytes())


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return Engine(tmp_path)


def test_only_filed_grants_go_down(engine: Engine) -> None:
    staff = Staff()
    grant = made(staff.applicant, staff.operator)
    engine.hand_down()
    assert engine.read().grants == ()
    services.step(grant.pk, "approve", by=staff.approver, request=None)
    engine.hand_down()
    assert engine.read().grants == ()
    services.step(grant.pk, "file", by=staff.filer, request=None, filed="备-7")
    engine.hand_down()
    (given,) = engine.read().grants
    assert (given.id, given.person, given.terminals) == (grant.number, "2", ("PC-1",))
    assert (given.scope.grain, given.filed_number) == ("department", "备-7")
    services.step(grant.pk, "revoke", by=staff.filer, request=None)
    engine.hand_down()
    assert engine.read().grants == ()


def test_a_grant_that_is_over_goes(engine: Engine) -> None:
    staff = Staff()
    grant = made(staff.applicant, staff.operator)
    services.step(grant.pk, "approve", by=staff.approver, request=None)
    services.step(grant.pk, "file", by=staff.filer, request=None, filed="1")
    engine.hand_down(NOW)
    assert len(engine.read().grants) == 1
    engine.hand_down(grant.valid_to + dt.timedelta(seconds=1))
    assert engine.read().grants == ()


def test_nothing_new_makes_no_version(engine: Engine) -> None:
    Staff()
    first = engine.hand_down()
    assert first is not None
    before = engine.file.read_bytes()
    assert engine.hand_down(NOW + dt.timedelta(hours=1)) is None
    assert engine.file.read_bytes() == before


def test_it_is_renewed_before_it_expires(engine: Engine) -> None:
    engine.hand_down()
    later = NOW + snapshot.LIFE / 2 + dt.timedelta(seconds=1)
    renewed = engine.hand_down(later)
    assert renewed is not None
    assert renewed.version == 2
    assert not engine.read().grants_lapsed(snapshot.micros(later + dt.timedelta(days=6)))


def test_an_engine_that_slept_through_versions_takes_the_newest(engine: Engine) -> None:
    engine.hand_down()
    engine.read()
    for n in range(5):
        person(f"9{n}", "clinical")
        engine.hand_down()
    assert engine.read().version == 6


def test_another_key_is_refused(engine: Engine) -> None:
    engine.hand_down()
    stranger = Holder("test", Ed25519Signer.generate().verify)
    with pytest.raises(Rejected, match="签名"):
        stranger.offer(engine.file.read_bytes())


@pytest.mark.parametrize("state", ["missing", "older"])
def test_a_file_that_is_not_the_last_version_is_written_again(engine: Engine, state: str) -> None:
    engine.hand_down()
    old = engine.file.read_bytes()
    person("90", "clinical")
    engine.hand_down()
    newest = engine.file.read_bytes()
    if state == "missing":
        engine.file.unlink()
    else:
        engine.file.write_bytes(old)
    assert engine.hand_down() is None
    assert engine.file.read_bytes() == newest


def test_what_else_goes_down(engine: Engine) -> None:
    officer = person("4", "discipline", "application_manager", name="周某")
    officer.mail = "officer@example.org"
    officer.save()
    services.switch_route("his-clinical", True, by=officer, request=None, forecast=3)
    SpecialDay.objects.create(day=dt.date(2026, 10, 1), working=False)
    SpecialDay.objects.create(day=dt.date(2026, 10, 10), working=True)
    Duty.objects.create(
        person=officer, valid_from=NOW, valid_to=NOW + dt.timedelta(days=1), after_minutes=5
    )
    Terminal.objects.create(name="PC-7", address="10.1.2.7", role="pharmacy", custodian=officer)
    Terminal.objects.create(name="PC-8", address="10.1.2.8", active=False)
    engine.hand_down()
    found = engine.read()
    assert [(r.route, r.mode) for r in found.routes] == [("his-clinical", "enforce")]
    assert found.calendar.holidays == ("2026-10-01",)
    assert found.calendar.workdays == ("2026-10-10",)
    assert [(d.persons, d.after_minutes) for d in found.duties] == [(("4",), 5)]
    assert [c.address for c in found.contacts] == ["officer@example.org"]
    assert [(t.id, t.role, t.custodian) for t in found.terminals] == [("PC-7", "pharmacy", "4")]
    assert found.persons[0].department_kind == "discipline"
    assert RouteMode.objects.get().changed_by == officer


def filed(engine: Engine) -> None:
    staff = Staff()
    grant = made(staff.applicant, staff.operator)
    services.step(grant.pk, "approve", by=staff.approver, request=None)
    services.step(grant.pk, "file", by=staff.filer, request=None, filed="1")
    engine.hand_down()
    assert len(engine.read().grants) == 1


def test_a_grant_goes_with_its_last_terminal(engine: Engine) -> None:
    filed(engine)
    Terminal.objects.update(active=False)
    engine.hand_down()
    assert engine.read().grants == ()


def test_a_grant_goes_with_its_person(engine: Engine) -> None:
    filed(engine)
    Person.objects.filter(staff_number="2").update(is_active=False)
    engine.hand_down()
    assert engine.read().grants == ()


def test_a_service_goes_with_any_of_its_terminals(engine: Engine) -> None:
    filed(engine)
    Terminal.objects.create(name="PC-2", address="10.1.2.4", active=False)
    for code, terminals in (("S1", ["PC-1"]), ("S2", ["PC-1", "PC-2"])):
        body = {"id": code, "why": "上传", "terminals": terminals, "tables": ["t"]}
        Registered.objects.create(kind="service", code=code, body=body)
    engine.hand_down()
    assert [s.id for s in engine.read().services] == ["S1"]


def test_what_does_not_hold_together_leaves_the_file(engine: Engine) -> None:
    filed(engine)
    before = engine.file.read_bytes()
    body = {"id": "S1", "why": "医保逐单上传", "terminals": ["PC-1"], "tables": ["yb_upload"]}
    for code in ("S1", "S2"):  # the same id twice
        Registered.objects.create(kind="service", code=code, body=body)
    with pytest.raises(Rejected, match="重复"):
        engine.hand_down()
    assert engine.file.read_bytes() == before


def test_the_mark_changes_with_every_row_a_snapshot_can_rest_on(engine: Engine) -> None:
    before = snapshot.mark()
    assert snapshot.mark() == before
    somebody = person("1", "clinical")
    added = snapshot.mark()
    type(somebody).objects.filter(pk=somebody.pk).update(name="新名")
    written = snapshot.mark()
    SpecialDay.objects.create(day=NOW.date(), working=False)
    other = snapshot.mark()
    SpecialDay.objects.all().delete()
    assert len({before, added, written, other}) == 4
    assert snapshot.mark() not in {before, added, other}
