"""`qingfang people import`: on a real console's database; all names are invented (合成数据)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result

from qingfang.cli.people import command
from qingfang.postgres import Server
from tests.support.browser import Console


class Place:
    def __init__(self, console: Console, folder: Path) -> None:
        self.console, self.folder = console, folder

    def bring(self, rows: str, *options: str) -> Result:
        file = self.folder / "合成名单.csv"
        file.write_text(rows, encoding="utf-8")
        given = ["import", str(file), "--config", str(self.console.config), *options]
        return CliRunner().invoke(command, given)

    def ask(self, sql: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.console.dsn) as own:
            return own.execute(sql).fetchall()  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def place(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("people")
    made = Console(folder, postgres, "people_cli")
    try:
        made.start()
        # Without the console: nobody else writes.
        made.kill()
        yield Place(made, folder)
    finally:
        made.stop()


ROWS = "工号,姓名,科室\n7001,某甲,clinical\n7002,某乙,没有的科室\n"


def test_nothing_is_written_before_somebody_agrees(place: Place) -> None:
    told = place.bring(ROWS)
    assert told.exit_code == 1
    assert "新登记 1，要改的 0" in told.output
    assert "第 3 行“科室”：没有登记这个科室" in told.output
    assert "没有写入" in told.output
    assert place.ask("SELECT 1 FROM people_person WHERE staff_number = '7001'") == []


def test_what_is_agreed_is_written_and_says_where_it_was_asked(place: Place) -> None:
    told = place.bring(ROWS, "--yes", "--json")
    assert told.exit_code == 1, told.output
    answer = json.loads(told.stdout)
    assert (answer["finished"], answer["written"], answer["refused"]) == (True, 1, 0)
    acts = place.ask(
        "SELECT actor, facts->>'asked_at', facts->>'rows' FROM people_act"
        " WHERE kind = 'directory.loaded'"
    )
    assert acts == [("9004", "terminal", "2")]
    again = place.bring("工号,姓名\n7001,某甲\n", "--yes")
    assert (again.exit_code, "没有变化 1" in again.output) == (0, True)


@pytest.mark.parametrize(
    ("rows", "options", "said"),
    [
        (ROWS, ("--by", "9001"), "无权导入"),
        (ROWS, ("--by", "none"), "没有工号为 none"),
        ("编号,IP\nT1,10.1.1.1\n", ("--terminals",), "请用 --by 写明算谁办的"),
        ("姓名\n某甲\n", (), "找不到表头"),
        (ROWS, ("--config", "/nowhere/qingfang.toml"), "qingfang init"),
    ],
)
def test_what_cannot_be_done(place: Place, rows: str, options: tuple[str, ...], said: str) -> None:
    told = place.bring(rows, "--yes", *options)
    assert (told.exit_code, said in told.output) == (2, True), told.output


def test_a_file_that_is_not_there(place: Place) -> None:
    given = ["import", "/nowhere/a.csv", "--config", str(place.console.config)]
    told = CliRunner().invoke(command, given)
    assert (told.exit_code, "/nowhere/a.csv" in told.output) == (2, True)
