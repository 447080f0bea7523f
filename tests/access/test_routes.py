"""Observe or enforce: an act of the discipline office, made in the light of a forecast."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils import timezone

from qingfang.access.models import RouteMode
from qingfang.people.models import Act
from qingfang.review.ingest import Ingest
from qingfang.review.models import Alert
from tests.support.alerts import event
from tests.support.people import person

pytestmark = pytest.mark.django_db


def test_the_forecast_counts_what_would_have_been_stopped() -> None:
    worker = Ingest("test")
    worker.feed(event(1, would="deny", operator="1001"))
    worker.feed(event(2, would="deny", operator="1001"))
    worker.feed(event(3, would="mask", operator="1002"))
    worker.feed(event(4))
    worker.feed(event(5, verdict="log", would="deny", operator="1003"))
    worker.commit()
    Alert.objects.update(at=timezone.now())
    manager = person("1", "discipline", "application_manager")
    client = Client()
    client.force_login(manager)
    page = client.get("/routes/").content.decode()
    assert "会拦下 4 条语句，涉及 3 人" in page
    assert "会有 5 条告警" in page
    client.post("/routes/his-clinical/mode", {"mode": "enforce"})
    mode = RouteMode.objects.get()
    assert (mode.enforce, mode.changed_by) == (True, manager)
    act = Act.objects.get(kind="route.switched")
    assert act.facts == {"mode": "enforce", "forecast": 4, "unknown_share": 0.0}
    client.post("/routes/his-clinical/mode", {"mode": "observe"})
    mode.refresh_from_db()
    assert not mode.enforce


def test_a_route_that_is_not_configured_is_not_switched() -> None:
    client = Client()
    client.force_login(person("1", "discipline", "application_manager"))
    client.post("/routes/no-such-route/mode", {"mode": "enforce"})
    assert not RouteMode.objects.exists()
