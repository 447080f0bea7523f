"""What codes are called: read from a hospital's dictionaries, shown to who judges, to nobody else."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import msgspec
import psycopg
import pytest
from django.test import Client
from psycopg.conninfo import make_conninfo

from qingfang import config as configuration
from qingfang.config import Config
from qingfang.events import Selection, Value
from qingfang.people.models import Act
from qingfang.postgres import Server
from qingfang.review import names, sentences
from qingfang.review.ingest import Ingest
from qingfang.review.models import Alert, Called, NamesRead
from tests.support.alerts import event, usage
from tests.support.people import person

pytestmark = pytest.mark.django_db
NOW = dt.datetime(2026, 3, 1, 8, tzinfo=dt.UTC)
SCHEMA = """
CREATE TABLE drug (code char(8) PRIMARY KEY, name text, trade text, price numeric);
INSERT INTO drug VALUES ('A0001', '阿莫西林胶囊', '合成商品', 1), ('A0002', NULL, 'x', 2);
CREATE TABLE staff (no text, name text, salary numeric);
INSERT INTO staff VALUES ('0123', '张三', 1);
CREATE TABLE line (rx text, drug text, no text, qty numeric);
"""
CATALOGUE = {
    "name": "合成",
    "dialect": "postgres",
    "tables": {
        "drug": {
            "kind": "dictionary",
            "columns": {"code": "item_id", "name": "item_name", "trade": "item_name"},
        },
        "staff": {
            "kind": "dictionary",
            "columns": {"no": "prescriber_id", "name": "prescriber_name"},
        },
        "line": {
            "kind": "usage",
            "columns": {"drug": "item_id", "no": "prescriber_id", "qty": "quantity"},
        },
    },
}


class Hospital:
    """A database with dictionaries, an account that may read them, a configuration."""

    def __init__(self, folder: Path, postgres: Server, dsn: str) -> None:
        self.folder, self._dsn = folder, dsn
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(SCHEMA)
        postgres.role("reader")
        self.run("GRANT SELECT (code, name, trade) ON drug TO reader")
        self.run("GRANT SELECT (no, name) ON staff TO reader")
        name = dsn.partition("dbname=")[2].split()[0]
        self.file = folder / "names.dsn"
        self.file.touch(mode=0o600)
        self.file.write_text(
            make_conninfo(
                host="127.0.0.1",
                port=postgres.port,
                user="reader",
                password=postgres.password("reader"),
                dbname=name,
            )
        )
        self.catalogue(CATALOGUE)

    def run(self, statement: str) -> None:
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            connection.execute(statement.encode())

    def catalogue(self, tree: object) -> None:
        (self.folder / "c.json").write_text(json.dumps(tree, ensure_ascii=False), encoding="utf-8")

    @property
    def config(self) -> Config:
        file = self.folder / "qingfang.toml"
        file.write_text(
            f'[paths]\nstate = "{self.folder}"\n[[database]]\nname = "his"\n'
            'address = "10.0.0.5:5432"\ncatalogue = "c.json"\nnames_file = "names.dsn"\n'
        )
        return configuration.read(file)

    def refresh(self, at: dt.datetime = NOW) -> str:
        """The problem's code, empty when all went well."""
        names.refresh(self.config, at)
        return NamesRead.objects.get(database="his").problem


@pytest.fixture
def hospital(tmp_path: Path, postgres: Server, database: str) -> Hospital:
    return Hospital(tmp_path, postgres, database)


def called() -> dict[tuple[str, str], str]:
    return {(c.kind, c.code): c.name for c in Called.objects.all()}


KNOWN = {("item", "A0001"): "阿莫西林胶囊", ("prescriber", "0123"): "张三"}


def test_dictionaries_are_read_by_the_catalogue(hospital: Hospital) -> None:
    assert hospital.refresh() == ""
    assert called() == KNOWN
    act = Act.objects.get(kind="names.read")
    assert (act.facts["item_names"], act.facts["prescriber_names"]) == (1, 1)
    assert "张三" not in str(act.facts)


def test_read_again_once_a_day_and_when_the_catalogue_changes(hospital: Hospital) -> None:
    hospital.refresh()
    hospital.run("UPDATE staff SET name = '李四'")
    hospital.refresh(NOW + dt.timedelta(hours=23))
    assert called() == KNOWN
    hospital.refresh(NOW + dt.timedelta(hours=25))
    assert called()["prescriber", "0123"] == "李四"
    hospital.catalogue({**CATALOGUE, "tables": {"drug": CATALOGUE["tables"]["drug"]}})  # type: ignore[index]
    hospital.refresh(NOW + dt.timedelta(hours=26))
    assert called() == {("item", "A0001"): "阿莫西林胶囊"}


def test_what_goes_wrong_is_said_and_what_was_read_stays(hospital: Hospital) -> None:
    hospital.refresh()
    later = NOW + dt.timedelta(days=2)
    hospital.run("REVOKE SELECT (name) ON staff FROM reader")
    assert hospital.refresh(later) == "refused"
    hospital.file.chmod(0o640)
    assert hospital.refresh(later + names.AGAIN) == "open-file"
    hospital.file.chmod(0o600)
    whole = hospital.file.read_text()
    hospital.file.write_text("postgresql://[")
    assert hospital.refresh(later + 2 * names.AGAIN) == "string"
    hospital.file.write_text(whole.replace("port=", "port=1"))
    assert hospital.refresh(later + 3 * names.AGAIN) in ("unreachable", "string")
    hospital.file.unlink()
    assert hospital.refresh(later + 4 * names.AGAIN) == "no-file"
    hospital.catalogue({"tables": {"line": CATALOGUE["tables"]["line"]}})  # type: ignore[index]
    assert hospital.refresh(later + 5 * names.AGAIN) == "no-columns"
    (hospital.folder / "c.json").write_text("{")
    assert hospital.refresh(later + 6 * names.AGAIN) == "catalogue"
    assert called() == KNOWN


def test_a_database_that_is_no_longer_asked_is_forgotten(hospital: Hospital) -> None:
    hospital.refresh()
    names.refresh(Config(), NOW)
    assert called() == {}


def alert(items: tuple[str, ...] = ("A0001",)) -> Alert:
    made = event(1, meaning=usage(items), rows=None)
    ingest = Ingest("test")
    ingest.feed(made)
    ingest.commit()
    return Alert.objects.get(seq=1)


@pytest.mark.parametrize(
    ("kind", "role", "sees"),
    [
        ("discipline", "application_manager", True),
        ("office", "auditor", True),
        ("office", "verifier", True),
        ("it", "verifier", False),
        ("pharmacy", "verifier", False),
        ("discipline", "duty_officer", False),
        ("it", "system_administrator", False),
    ],
)
def test_names_are_for_who_judges(kind: str, role: str, sees: bool, hospital: Hospital) -> None:
    hospital.refresh()
    found = alert()
    named = names.Naming(hospital.config, person("1", kind, role), [found]).of(found)
    expected = "阿莫西林胶囊（A0001）" if sees else "A0001"
    assert named("item", "A0001") == expected


def test_codes_without_a_name_and_names_in_the_statement_stay(hospital: Hospital) -> None:
    hospital.refresh()
    found = alert(("A0001", "A0002", "头孢克洛"))
    office = person("1", "discipline", "application_manager")
    named = names.Naming(hospital.config, office, [found]).of(found)
    told = sentences.learned(found.event, named)
    assert "阿莫西林胶囊（A0001）、A0002、头孢克洛按医生统计的用量" in told


def test_two_databases_that_disagree(hospital: Hospital) -> None:
    Called.objects.create(database="his", kind="item", code="A0001", name="甲药")
    Called.objects.create(database="lis", kind="item", code="A0001", name="乙药")
    found = alert()
    office = person("1", "discipline", "application_manager")
    assert (
        names.Naming(hospital.config, office, [found]).of(found)("item", "A0001").startswith("甲")
    )
    found.server = "10.9.9.9:5432"
    assert names.Naming(hospital.config, office, [found]).of(found)("item", "A0001") == "A0001"


def test_on_the_pages(client: Client) -> None:
    Called.objects.create(database="his", kind="item", code="A0001", name="阿莫西林胶囊")
    found = alert()
    client.force_login(person("1", "discipline", "application_manager"))
    for path in ("/", "/alerts/", f"/alerts/{found.pk}"):
        assert "阿莫西林胶囊（A0001）" in client.get(path).content.decode(), path
    with pytest.warns(Warning, match="StreamingHttpResponse must consume asynchronous"):
        export = b"".join(client.get("/alerts/?export=csv"))  # type: ignore[arg-type]
    assert "阿莫西林胶囊（A0001）" in export.decode()
    client.force_login(person("2", "discipline", "duty_officer"))
    found.at = dt.datetime.now(dt.UTC)
    found.save()
    page = client.get("/alerts/").content.decode()
    assert "A0001" in page
    assert "阿莫西林" not in page


def test_scope_of_three_hundred() -> None:
    meaning = msgspec.structs.replace(
        usage(),
        scope=msgspec.structs.replace(
            usage().scope, prescribers=Selection("list", tuple(Value(f"D{n}") for n in range(300)))
        ),
    )
    told = sentences.learned(
        msgspec.to_builtins(event(1, meaning=meaning)),
        lambda kind, code: f"某{code}" if kind == "prescriber" else code,
    )
    assert "（某D0、某D1、某D2 等 300 位医师）" in told
