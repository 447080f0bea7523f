"""The page that confirms tables: what it shows, what it puts in force, who may, what is recorded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client

from qingfang.people.models import Act
from qingfang.understand.catalogue import load
from qingfang.understand.discovery import ddl, review
from qingfang.understand.discovery.propose import propose
from tests.support.console import FOLDER
from tests.support.people import person
from tests.understand.discovery.test_confirming import DDL

pytestmark = pytest.mark.django_db
CATALOGUE = FOLDER / "state" / "catalogue.json"
REVIEW = FOLDER / "state" / "catalogue.review.txt"
PAGE = "/office/catalogues/his"


@pytest.fixture
def catalogue() -> Iterator[Path]:
    proposal = propose(ddl.read(DDL, "postgres", "his"))
    CATALOGUE.parent.mkdir(exist_ok=True)
    CATALOGUE.write_text(json.dumps(proposal.catalogue()), encoding="utf-8")
    CATALOGUE.chmod(0o640)
    REVIEW.write_text(review.write(proposal), encoding="utf-8")
    yield CATALOGUE
    for file in (CATALOGUE, REVIEW, *(FOLDER / "state" / "catalogue-steps").glob("*")):
        file.unlink(missing_ok=True)


@pytest.fixture
def manager() -> Client:
    client = Client()
    client.force_login(person("1", "discipline", "application_manager"))
    return client


def answered(client: Client, name: str, **changes: str) -> dict[str, str]:
    """The form of a table as the page gives it, with changes."""
    page = client.get(PAGE, {"table": name})
    sheet, digest = page.context["sheet"], page.context["digest"]
    form = {"table": sheet.name, "digest": digest, "kind": sheet.kind}
    form |= {f"c:{cell.column}": cell.role or "" for cell in sheet.cells}
    return form | changes


def test_the_most_urgent_table_is_shown_with_its_doubts(catalogue: Path, manager: Client) -> None:
    page = manager.get(PAGE)
    text = page.content.decode()
    assert page.context["sheet"].name == "his.mz_cf"
    assert "诊室" in text
    assert "拿不准 0.85" in text
    assert 'data-key="d" selected' in text
    overview = manager.get("/office/catalogues/").content.decode()
    assert "3 张表，3 张有待确认之处" in overview


def test_a_word_is_in_force_at_once_and_recorded(catalogue: Path, manager: Client) -> None:
    answer = manager.post(f"{PAGE}/table", answered(manager, "his.mz_cf", **{"c:zsh": ""}))
    assert answer.status_code == 302
    tree = json.loads(catalogue.read_text(encoding="utf-8"))
    assert load(tree).tables["his.mz_cf"].columns["zsh"] is None
    assert catalogue.stat().st_mode & 0o777 == 0o640
    assert "his.mz_cf\tzsh\t-\t1.00" in REVIEW.read_text(encoding="utf-8")
    act = Act.objects.get(kind="catalogue.confirmed")
    assert (act.actor, act.target) == ("1", "his his.mz_cf")
    assert act.facts == {"table_kind": "usage", "fields": ["zsh"]}
    # On to the next that waits.
    assert manager.get(PAGE).context["sheet"].name == "his.yk_ypzd"

    manager.post(f"{PAGE}/undo")
    tree = json.loads(catalogue.read_text(encoding="utf-8"))
    assert tree["tables"]["his.mz_cf"]["columns"]["zsh"] == "prescriber_id"
    assert manager.get(PAGE).context["sheet"].name == "his.mz_cf"
    assert Act.objects.filter(kind="catalogue.undone").exists()
    again = manager.post(f"{PAGE}/undo", follow=True).content.decode()
    assert "没有可以撤销的确认" in again


def test_what_narrows_is_taken_when_ticked(catalogue: Path, manager: Client) -> None:
    said = {"t:*operator": "gh insert session"}
    manager.post(f"{PAGE}/table", answered(manager, "his.xt_dlrz", **said))
    assert "operators" not in json.loads(catalogue.read_text(encoding="utf-8"))
    manager.post(f"{PAGE}/undo")
    said["a:*operator"] = "on"
    manager.post(f"{PAGE}/table", answered(manager, "his.xt_dlrz", **said))
    assert json.loads(catalogue.read_text(encoding="utf-8"))["operators"][0]["column"] == "gh"


def test_who_looked_before_somebody_else_decided_decides_nothing(
    catalogue: Path, manager: Client
) -> None:
    late = answered(manager, "his.mz_cf", **{"c:zsh": ""})
    manager.post(f"{PAGE}/table", answered(manager, "his.yk_ypzd"))
    before = catalogue.read_bytes()
    page = manager.post(f"{PAGE}/table", late, follow=True).content.decode()
    assert "刚被别人改过" in page
    assert catalogue.read_bytes() == before


@pytest.mark.parametrize(
    "changes", [{"c:zsh": "chief"}, {"kind": "nonsense"}, {"table": "his.none"}]
)
def test_nonsense_is_refused_and_nothing_written(
    catalogue: Path, manager: Client, changes: dict[str, str]
) -> None:
    before = catalogue.read_bytes(), REVIEW.read_bytes()
    form = answered(manager, "his.mz_cf", **changes)
    assert "没有采用" in manager.post(f"{PAGE}/table", form, follow=True).content.decode()
    assert (catalogue.read_bytes(), REVIEW.read_bytes()) == before
    assert not Act.objects.filter(kind="catalogue.confirmed").exists()


def test_a_file_that_cannot_be_written_records_nothing(
    catalogue: Path, manager: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = answered(manager, "his.mz_cf")
    (FOLDER / "state" / "catalogue.json.new").mkdir()
    try:
        page = manager.post(f"{PAGE}/table", form, follow=True).content.decode()
    finally:
        (FOLDER / "state" / "catalogue.json.new").rmdir()
    assert "写不了目录" in page
    assert not Act.objects.filter(kind="catalogue.confirmed").exists()


def test_a_broken_catalogue_is_said_with_its_place(catalogue: Path, manager: Client) -> None:
    catalogue.write_text('{"tables": {"t": {"kind": "none"}}}', encoding="utf-8")
    assert "tables.t.kind" in manager.get(PAGE).content.decode()
    assert "tables.t.kind" in manager.get("/office/catalogues/").content.decode()


def test_the_auditor_sees_and_cannot_decide(catalogue: Path) -> None:
    client = Client()
    client.force_login(person("2", "office", "auditor"))
    text = client.get(PAGE).content.decode()
    assert "disabled" in text
    assert "确认这张表" not in text
    assert client.post(f"{PAGE}/table", {}).status_code == 403
    assert client.get("/office/catalogues/none").status_code == 404


def test_the_kinds_of_items_are_shown_changed_and_taken_back(
    catalogue: Path, manager: Client
) -> None:
    table = "his.yk_ypzd"
    line = f"#? {table}\t*item_kind\thigh_value: ypmc = '1'\t0.60\t合成的理由\n"
    REVIEW.write_text(REVIEW.read_text(encoding="utf-8") + line, encoding="utf-8")

    def stands(**taken: str) -> object:
        manager.post(f"{PAGE}/table", answered(manager, table, **taken))
        return json.loads(catalogue.read_text(encoding="utf-8"))["tables"][table].get("item_kind")

    asked = manager.get(PAGE, {"table": table}).content.decode()
    assert "哪些行是药品、耗材、高值耗材" in asked and "合成的理由" in asked
    edited = {"a:*item_kind": "on", "t:*item_kind": "consumable: true; high_value: ypmc LIKE 'G%'"}
    wanted = {"consumable": True, "high_value": "ypmc LIKE 'G%'"}
    assert stands(**edited) == wanted
    shown = manager.get(PAGE, {"table": table}).content.decode()
    assert "现在按这一句" in shown and "high_value: ypmc LIKE &#x27;G%&#x27;" in shown
    # What cannot be read, and what is not ticked, changes nothing.
    assert stands(**{**edited, "t:*item_kind": "high_value: nothing = 1"}) == wanted
    assert stands(**{"t:*item_kind": "-"}) == wanted
    assert stands(**{**edited, "t:*item_kind": "-"}) is None
