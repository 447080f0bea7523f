"""What counts as statistics of use is chosen by two people, and the engine has it."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.test import Client

from qingfang.access import settling
from qingfang.access.models import Settlement
from qingfang.engine import definitions
from qingfang.people.models import Act
from tests.access.test_snapshot import Engine
from tests.support.people import person

pytestmark = pytest.mark.django_db
PAGE = "/office/definition/"


def signed_in(number: str, role: str) -> Client:
    client = Client()
    client.force_login(person(number, "discipline", role))
    return client


def test_two_people_choose_and_the_snapshot_has_it(tmp_path: Path) -> None:
    engine = Engine(tmp_path)
    office, other = signed_in("9001", "application_manager"), signed_in("9005", "filer")
    assert "用最严的一份" in office.get(PAGE).content.decode()
    engine.hand_down()
    assert engine.read().definition == ""
    assert office.post(PAGE, {"name": "001", "reason": ""}).status_code == 200
    assert not Settlement.objects.exists()
    office.post(PAGE, {"name": "001", "reason": "本院办法第二条"})
    found = Settlement.objects.get()
    path = f"/office/settled/{found.pk}"
    office.post(f"{path}/decision", {"act": "confirm"})
    engine.hand_down()
    assert engine.read().definition == "", "nobody confirms their own"
    assert "正等第二人确认" in other.get(PAGE).content.decode()
    assert "不在其中的从此不告警" in other.get(path).content.decode()
    other.post(f"{path}/decision", {"act": "confirm", "note": "同意"})
    engine.hand_down()
    assert engine.read().definition == definitions.text("001")
    assert settling.definition().name == "001"
    shown = office.get(PAGE).content.decode()
    assert "绍兴市中医院" in shown and "第二条" in shown
    kinds = Act.objects.filter(kind__startswith="definition").order_by("pk")
    assert [a.kind for a in kinds] == ["definition.proposed", "definition.confirmed"]
    # Back to the stricter one takes two people as well.
    other_way = signed_in("9006", "application_manager")
    other_way.post(PAGE, {"name": "000", "reason": "从严"})
    last = Settlement.objects.get(state="pending")
    office.post(f"/office/settled/{last.pk}/decision", {"act": "confirm"})
    engine.hand_down()
    assert engine.read().definition == definitions.text("000")


def test_what_is_refused_changes_nothing(tmp_path: Path) -> None:
    engine = Engine(tmp_path)
    office, other = signed_in("9001", "application_manager"), signed_in("9005", "filer")
    office.post(PAGE, {"name": "001", "reason": "本院办法"})
    again = office.post(PAGE, {"name": "001", "reason": "再提"}, follow=True)
    assert "正等第二人确认" in again.content.decode()
    found = Settlement.objects.get()
    other.post(f"/office/settled/{found.pk}/decision", {"act": "refuse", "note": "不"})
    engine.hand_down()
    assert engine.read().definition == "" and settling.definition().name == "000"


def test_an_own_definition_is_read_before_it_is_proposed() -> None:
    office = signed_in("9001", "application_manager")
    own = definitions.text("001").replace('"001"', '"own"')
    wrong = own.replace('"high_value"', '"herb"')
    answer = office.post(PAGE, {"name": "", "own": wrong, "reason": "本院"})
    assert "herb" in answer.content.decode() and not Settlement.objects.exists()
    narrow = own.replace('"drug", ', "")
    answer = office.post(PAGE, {"name": "", "own": narrow, "reason": "本院"})
    assert "缺少 drug" in answer.content.decode() and not Settlement.objects.exists()
    office.post(PAGE, {"name": "", "own": own, "reason": "本院"})
    assert Settlement.objects.get().source == own


def test_who_only_looks_may_not_propose() -> None:
    auditor = signed_in("9002", "auditor")
    assert "提议另选一份" not in auditor.get(PAGE).content.decode()
    auditor.post(PAGE, {"name": "001", "reason": "本院"})
    assert not Settlement.objects.exists()
