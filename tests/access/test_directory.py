"""What is brought in goes down to the engine again as it was."""

from __future__ import annotations

import datetime as dt

import msgspec
import pytest

from qingfang.access import directory, snapshot
from qingfang.access.models import Grant
from qingfang.judge import snapshot as form
from qingfang.people.models import Person, Terminal

pytestmark = pytest.mark.django_db

NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
SPAN = form.Span(from_us=snapshot.micros(NOW), to_us=snapshot.micros(NOW + dt.timedelta(days=40)))
MATERIAL = form.Snapshot(
    site="test",
    version=1,
    made_at_us=0,
    expires_at_us=0,
    persons=(
        form.Person(
            number="1001",
            name="某药师",
            department="药学部",
            department_kind="pharmacy",
            posts=("临床药师",),
        ),
        form.Person(number="1002", name="某医生", department="心内科", department_kind="clinical"),
    ),
    terminals=(
        form.Terminal(
            id="TJ-01",
            addresses=("127.40.0.1",),
            name="统计专用机",
            room="质控办",
            role="statistics",
        ),
        form.Terminal(id="FW-01", addresses=("127.50.0.1",), name="接口机", role="server"),
    ),
    designations=(
        form.Designation(function="statistics", persons=("1001",), terminals=("TJ-01",)),
    ),
    services=(
        form.Service(id="FW-YB", why="医保逐单上传", terminals=("FW-01",), tables=("yb_upload",)),
    ),
    grants=(
        form.Grant(
            id="SQ20260001",
            person="1001",
            terminals=("TJ-01",),
            scope=form.Scope(
                grain="department",
                items=form.Allowed(kind="class", values=("抗菌药物",), members=("A1", "A2")),
                period=form.Days(from_day="2026-02-01", to_day="2026-02-28"),
            ),
            valid=SPAN,
            max_runs=20,
            filed_number="BA20260001",
            filed_us=SPAN.from_us,
        ),
    ),
)


def test_there_and_back() -> None:
    for _time in range(2):  # the second time changes nothing
        directory.bring_in(MATERIAL, hospital="合成医院", purposes={"SQ20260001": "季度分析"})
    made = snapshot.build("test", NOW)
    for part in ("persons", "terminals", "designations", "services", "grants"):
        assert sorted(getattr(made, part), key=str) == sorted(getattr(MATERIAL, part), key=str), (
            part
        )
    assert Grant.objects.get().purpose == "季度分析"
    assert not Person.objects.get(staff_number="1001").has_usable_password()


def test_a_password_survives_the_next_list() -> None:
    directory.bring_in(MATERIAL, hospital="合成医院")
    someone = Person.objects.get(staff_number="1001")
    someone.set_password("a Quiet-Harbour")
    someone.save()
    directory.bring_in(MATERIAL, hospital="合成医院")
    assert Person.objects.get(staff_number="1001").check_password("a Quiet-Harbour")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"persons": (form.Person(number="1", department="x", department_kind="?"),)}, "persons.1"),
        ({"terminals": (form.Terminal(id="T", addresses=("10.0.0.0/8",)),)}, "TJ-01|terminals.T"),
        ({"persons": ()}, "SQ20260001"),
    ],
)
def test_what_cannot_be_used_is_named_and_nothing_is_kept(
    change: dict[str, object], named: str
) -> None:
    with pytest.raises(directory.Unusable, match=named):
        directory.bring_in(msgspec.structs.replace(MATERIAL, **change), hospital="合成医院")
    assert not Terminal.objects.exists()
    assert not Person.objects.exists()
