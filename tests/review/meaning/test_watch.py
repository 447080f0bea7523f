"""A real database whose structure moves away from its confirmed catalogue."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import psycopg
import pytest
from django.utils import timezone
from msgspec.structs import replace

from qingfang.config import read as configured
from qingfang.events import Event
from qingfang.people.models import Act
from qingfang.review.ingest import Ingest
from qingfang.review.meaning import watch
from qingfang.review.models import Alert
from qingfang.understand.discovery.propose import propose
from qingfang.understand.discovery.readers import postgres

pytestmark = pytest.mark.django_db
NOW = timezone.now()
DAY = dt.timedelta(days=1, minutes=1)


class House:
    def __init__(self, folder: Path, dsn: str) -> None:
        self.dsn = dsn
        self.run("CREATE TABLE mz_cf (cfh text PRIMARY KEY, ysdm text)")
        (folder / "names.dsn").write_text(dsn, encoding="utf-8")
        (folder / "names.dsn").chmod(0o600)
        tree = propose(postgres.read(dsn)).catalogue()
        self.catalogue = folder / "c.json"
        self.catalogue.write_text(json.dumps(tree), encoding="utf-8")
        file = folder / "qingfang.toml"
        file.write_text(
            '[site]\nname = "合成医院"\nid = "t"\n[[database]]\nname = "his"\n'
            'address = "10.0.0.5:5432"\ncatalogue = "c.json"\nnames_file = "names.dsn"\n',
            encoding="utf-8",
        )
        self.config = configured(file)
        self.told: list[Event] = []

    def run(self, sql: str) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(sql)  # type: ignore[arg-type]

    def look(self, now: dt.datetime) -> list[Event]:
        self.told.clear()
        watch._tried.clear()
        watch.look(self.config, now, self.told.append)
        Act.objects.filter(kind="catalogue.compared", at__gt=now).update(at=now)
        return list(self.told)


@pytest.fixture
def house(tmp_path: Path, database: str) -> House:
    return House(tmp_path, database)


def test_new_objects_are_an_alert_once_and_stay_on_the_page(house: House) -> None:
    assert house.look(NOW) == []
    house.run("ALTER TABLE mz_cf ADD yybz text; CREATE TABLE hc_sy (hcdm text)")
    assert house.look(NOW + dt.timedelta(hours=1)) == []  # once a day
    (alert,) = house.look(NOW + DAY)
    assert (alert.verdict, alert.codes, alert.kind) == ("alert", ("catalogue-changed",), "coverage")
    assert "数据库 his 有 2 处结构与确认过的目录不同（hc_sy、mz_cf.yybz）" in alert.reasons[0]
    assert [c.name for c in watch.standing(house.config.database[0])] == ["hc_sy", "mz_cf.yybz"]
    assert house.look(NOW + 2 * DAY) == []
    # It reaches the console.
    ingest = Ingest("t")
    ingest.feed(replace(alert, seq=1))
    ingest.commit()
    assert Alert.objects.get().event["codes"] == ["catalogue-changed"]

    house.run("DROP TABLE hc_sy")
    (alert,) = house.look(NOW + 3 * DAY)
    assert "1 处" in alert.reasons[0]
    # Confirmed: looked at when the catalogue changes, nothing left.
    tree = propose(postgres.read(house.dsn)).catalogue()
    house.catalogue.write_text(json.dumps(tree), encoding="utf-8")
    assert house.look(NOW + 3 * DAY + dt.timedelta(minutes=20)) == []
    assert watch.standing(house.config.database[0]) == []


def test_a_database_that_cannot_be_read_is_tried_again(house: House) -> None:
    file = Path(house.config.database[0].names_file)
    file.write_text("host=127.0.0.1 port=1 dbname=x connect_timeout=1", encoding="utf-8")
    assert house.look(NOW) == []
    assert not Act.objects.filter(kind="catalogue.compared").exists()
    file.write_text(house.dsn, encoding="utf-8")
    house.run("CREATE TABLE neu (a int)")
    assert len(house.look(NOW)) == 1
