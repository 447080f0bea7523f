"""Which alerts a person sees, and what they can do about them."""

from __future__ import annotations

import datetime as dt

import pytest
from django.test import Client
from django.utils import timezone

from qingfang.people.models import Act, Person
from qingfang.review import policy
from qingfang.review.ingest import Ingest
from qingfang.review.models import Alert
from tests.support.alerts import event
from tests.support.people import person

pytestmark = pytest.mark.django_db


def alert_about(number: str) -> Alert:
    worker = Ingest("test")
    seq = worker.position + 1
    worker.feed(event(seq, operator=number))
    worker.commit()
    return Alert.objects.get(seq=seq)


def browser(someone: Person) -> Client:
    client = Client()
    client.force_login(someone)
    return client


def status(someone: Person, alert: Alert) -> int:
    return browser(someone).get(f"/alerts/{alert.pk}").status_code


def test_the_discipline_office_and_the_auditor_see_all() -> None:
    person("1001", "clinical")
    alert = alert_about("1001")
    assert status(person("1", "discipline", "application_manager"), alert) == 200
    assert status(person("2", "office", "auditor"), alert) == 200


def test_a_verifier_sees_what_is_assigned() -> None:
    person("1001", "clinical")
    verifier = person("3", "it", "verifier")
    alert = alert_about("1001")
    assert status(verifier, alert) == 404
    Alert.objects.update(assigned_to=verifier)
    assert status(verifier, alert) == 200


@pytest.mark.parametrize("kind", ["it", "pharmacy"])
def test_alerts_about_it_or_pharmacy_go_past_their_verifiers(kind: str) -> None:
    person("1001", kind)
    verifier = person("3", "it", "verifier")
    outside = person("4", "office", "verifier")
    manager = person("1", "discipline", "application_manager")
    alert = alert_about("1001")
    assert policy.verifiers_for(alert) == [outside]
    answer = browser(manager).post(f"/alerts/{alert.pk}/verifier", {"verifier": "3"}, follow=True)
    assert "回避" in answer.content.decode()
    # Even when the row says otherwise it is not shown.
    Alert.objects.update(assigned_to=verifier)
    assert status(verifier, alert) == 404
    assert "A-" not in browser(verifier).get("/").content.decode()
    assert list(policy.access_alerts(verifier)) == []


def test_a_verifier_adds_facts_and_cannot_rule() -> None:
    person("1001", "clinical")
    verifier = person("3", "office", "verifier")
    alert = alert_about("1001")
    Alert.objects.update(assigned_to=verifier)
    client = browser(verifier)
    client.post(f"/alerts/{alert.pk}/notes", {"text": "已到现场，本人承认"})
    ruling = {"disposition": "lawful", "reason": "没事"}
    assert client.post(f"/alerts/{alert.pk}/disposition", ruling).status_code == 403
    alert.refresh_from_db()
    assert alert.disposition == "open"
    assert alert.notes.get().by == verifier  # type: ignore[attr-defined]


def test_ruling_is_kept_with_its_reason_and_recorded() -> None:
    person("1001", "clinical")
    manager = person("1", "discipline", "application_manager")
    alert = alert_about("1001")
    client = browser(manager)
    url = f"/alerts/{alert.pk}/disposition"
    client.post(url, {"disposition": "unlawful", "reason": " "})
    alert.refresh_from_db()
    assert alert.disposition == "open"
    client.post(url, {"disposition": "unlawful", "reason": "查实向医药代表提供"})
    client.post(url, {"disposition": "suspicious", "reason": "证据不足，改判"})
    alert.refresh_from_db()
    assert alert.disposition == "suspicious"
    assert [r.disposition for r in alert.rulings.order_by("pk")] == ["unlawful", "suspicious"]  # type: ignore[attr-defined]
    acts = Act.objects.filter(kind="alert.disposed").order_by("pk")
    assert [(a.facts["before"], a.facts["after"]) for a in acts] == [
        ("open", "unlawful"),
        ("unlawful", "suspicious"),
    ]


def test_nobody_rules_on_an_alert_about_themselves() -> None:
    manager = person("1001", "discipline", "application_manager")
    alert = alert_about("1001")
    ruling = {"disposition": "lawful", "reason": "我自己查的"}
    browser(manager).post(f"/alerts/{alert.pk}/disposition", ruling)
    alert.refresh_from_db()
    assert alert.disposition == "open"


def test_the_duty_officer_sees_the_last_day() -> None:
    person("1001", "clinical")
    officer = person("5", "office", "duty_officer")
    alert = alert_about("1001")
    Alert.objects.update(at=timezone.now() - dt.timedelta(hours=2))
    assert status(officer, alert) == 200
    Alert.objects.update(at=timezone.now() - dt.timedelta(hours=25))
    assert status(officer, alert) == 404


def test_reading_is_recorded_each_time_and_shown_once() -> None:
    person("1001", "clinical")
    manager = person("1", "discipline", "application_manager")
    alert = alert_about("1001")
    for _time in range(2):
        assert status(manager, alert) == 200
    assert Act.objects.filter(kind="alert.read", target=alert.number).count() == 2
    assert alert.readings.count() == 1  # type: ignore[attr-defined]


def test_an_export_is_recorded() -> None:
    auditor = person("2", "office", "auditor")
    browser(auditor).get("/alerts/?export=csv")
    assert Act.objects.filter(kind="export", actor="2").exists()


def test_the_first_who_acknowledges_counts() -> None:
    person("1001", "clinical")
    alert = alert_about("1001")
    Alert.objects.filter(pk=alert.pk).update(twins=["other/node:77"], at=timezone.now())
    duty = person("3", "office", "duty_officer", name="甲")
    manager = person("1", "discipline", "application_manager", name="乙")
    page = f"/alerts/{alert.pk}"
    assert "已知悉</button>" in browser(duty).get(page).content.decode()
    for someone in (duty, manager, duty):
        assert browser(someone).post(f"{page}/acknowledgement").status_code == 302
    told = Act.objects.filter(kind="alert.acknowledged").order_by("pk")
    assert [(a.actor, a.target) for a in told] == [
        ("3", f"test#{alert.seq}"),
        ("3", "other/node#77"),
    ]
    shown = browser(manager).get(page).content.decode()
    assert "已知悉</button>" not in shown
    assert "甲 于 " in shown
    client = browser(manager)
    assert "甲 已先知悉" in client.post(f"{page}/acknowledgement", follow=True).content.decode()


def test_who_rules_has_acknowledged() -> None:
    person("1001", "clinical")
    alert = alert_about("1001")
    manager = browser(person("1", "discipline", "application_manager"))
    data = {"disposition": "lawful", "reason": "合成数据：有审批"}
    manager.post(f"/alerts/{alert.pk}/disposition", data)
    assert Act.objects.filter(kind="alert.acknowledged").count() == 1


def test_nobody_stops_the_notices_about_themselves() -> None:
    duty = person("3", "office", "duty_officer")
    alert = alert_about("3")
    Alert.objects.update(at=timezone.now())
    client = browser(duty)
    assert "已知悉</button>" not in client.get(f"/alerts/{alert.pk}").content.decode()
    client.post(f"/alerts/{alert.pk}/acknowledgement")
    assert not Act.objects.filter(kind="alert.acknowledged").exists()
