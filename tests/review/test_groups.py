"""A scan makes one line of the list, and never hides what was decided otherwise."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from django.test import Client

from qingfang.events import Event, Selection, Value
from qingfang.review import groups
from qingfang.review.ingest import Ingest
from qingfang.review.models import Alert, Position
from tests.support.alerts import event, usage
from tests.support.people import person

pytestmark = pytest.mark.django_db


def about(number: int) -> Any:
    """Usage of one item by one prescriber."""
    known = usage()
    scope = msgspec.structs.replace(
        known.scope, prescribers=Selection("list", (Value(f"D{number}"),))
    )
    return msgspec.structs.replace(known, scope=scope)


def store(*events: Event, batch: int = 7) -> None:
    ingest = Ingest("test")
    for n, one in enumerate(events):
        ingest.feed(one)
        if n % batch == batch - 1:
            ingest.commit()
    ingest.commit()


def lines() -> dict[str, int]:
    """The number of alerts of each group."""
    found: dict[str, int] = {}
    for alert in Alert.objects.all():
        found[alert.group] = found.get(alert.group, 0) + 1
    return found


def scan(count: int = 300, **more: Any) -> list[Event]:
    return [event(n, meaning=about(n), **more) for n in range(1, count + 1)]


@pytest.fixture
def office(client: Client) -> Client:
    client.force_login(person("1", "discipline", "application_manager"))
    return client


def rows(page: str) -> int:
    return page.count("<tr class")


def test_three_hundred_prescribers_are_one_line(office: Client) -> None:
    store(*scan())
    assert lines() == {"A-1": 300}
    page = office.get("/alerts/").content.decode()
    assert rows(page) == 1
    assert "共 300 条相似告警，300 位医师，09:30:01 – 09:35:00" in page
    assert "共 1 行，相似的合并成一行" in page
    assert rows(office.get("/alerts/?each=1&size=200").content.decode()) == 200
    assert rows(office.get("/alerts/?group=A-1&size=100").content.decode()) == 100
    assert "共 300 条相似告警" in office.get("/").content.decode()


def test_read_again_the_groups_are_the_same() -> None:
    store(*scan(40), batch=3)
    before = lines()
    Alert.objects.all().delete()
    Position.objects.all().delete()
    store(*scan(40), batch=11)
    assert lines() == before


@pytest.mark.parametrize(
    "other",
    [
        {"verdict": "deny"},
        {"verdict": "review"},
        {"severity": 1},
        {"operator": "1002"},
        {"terminal": "PC-9"},
        {"client": "10.1.2.4:50123"},
        {"program": "DBeaver"},
        {"meaning": usage(grain="department")},
        {"meaning": msgspec.structs.replace(usage(), delivery="stored")},
        {"after": 2 + groups.PAUSE.total_seconds() + 1},
    ],
)
def test_what_differs_has_its_own_line(other: dict[str, Any], office: Client) -> None:
    store(
        event(1, meaning=about(1)),
        event(2, meaning=about(2)),
        event(3, **{"meaning": about(3), **other}),
    )
    assert sorted(lines().values()) == [1, 2]
    assert rows(office.get("/alerts/").content.decode()) == 2


def test_without_an_operator_only_one_connection_goes_together() -> None:
    store(*(event(n, operator="", connection=f"c{n % 2}") for n in range(1, 7)))
    assert sorted(lines().values()) == [3, 3]


def test_with_an_operator_new_connections_make_no_new_lines() -> None:
    store(*(event(n, connection=f"c{n}") for n in range(1, 7)))
    assert sorted(lines().values()) == [6]


def test_a_group_ends_after_a_day() -> None:
    step = groups.PAUSE.total_seconds() - 1
    store(*(event(n, after=n * step) for n in range(1, 60)))
    assert len(lines()) == 2


def test_only_what_fits_the_filters_is_counted(office: Client) -> None:
    store(*scan(10))
    Alert.objects.filter(seq__lte=4).update(disposition="lawful")
    page = office.get("/alerts/?disposition=open").content.decode()
    assert "共 6 条相似告警" in page
    assert "6 条待定性" in office.get("/alerts/").content.decode()


def test_who_may_see_one_alert_is_told_of_one(client: Client) -> None:
    store(*scan(10))
    someone = person("5", "office", "verifier")
    Alert.objects.filter(seq=4).update(assigned_to=someone)
    client.force_login(someone)
    page = client.get("/alerts/").content.decode()
    assert rows(page) == 1
    assert "相似告警" not in page.split("<tbody>")[1]


def test_the_members_by_themselves(office: Client) -> None:
    store(*scan(60))
    headers = {"HX-Request": "true", "HX-Target": "members-A-1"}
    part = office.get("/alerts/?group=A-1", headers=headers).content.decode()
    assert len(re.findall(r"/alerts/\d+\"", part)) == 50
    assert "<table" not in part
    assert "逐条列出全部 60 条" in part


def test_paging_goes_over_lines(office: Client) -> None:
    store(
        *(
            e
            for n in range(1, 61)
            for e in (event(2 * n, operator=str(n)), event(2 * n + 1, operator=str(n)))
        )
    )
    page = office.get("/alerts/?size=50").content.decode()
    assert rows(page) == 50
    after = re.search(r'rel="next" href="([^"]+)"', page)
    assert after is not None
    assert rows(office.get("/alerts/" + after[1].replace("&amp;", "&")).content.decode()) == 10


def test_an_export_has_each(office: Client) -> None:
    store(*scan(12))
    with pytest.warns(Warning, match="StreamingHttpResponse must consume asynchronous"):
        text = b"".join(office.get("/alerts/?export=csv")).decode()  # type: ignore[arg-type]
    assert len(text.strip().splitlines()) == 13
