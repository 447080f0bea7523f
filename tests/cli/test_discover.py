"""`qingfang discover` from its command line."""

import json

import psycopg
from click.testing import CliRunner

from qingfang.cli.discover import command
from qingfang.understand.catalogue import load

DDL = """CREATE TABLE rx_line (
  rx_no varchar(20), drug_code varchar(20), qty numeric(10,2), doctor varchar(10),
  room_no varchar(10)
);
"""


def run(*arguments):
    return CliRunner().invoke(command, [str(a) for a in arguments])


def test_a_dump_becomes_a_catalogue_and_a_page_of_doubts(tmp_path):
    dump, page = tmp_path / "his.sql", tmp_path / "review.txt"
    dump.write_text(DDL)
    result = run("--ddl", dump, "--review", page)
    assert result.exit_code == 0
    tree = json.loads(result.stdout)
    assert tree["name"] == "his"
    assert load(tree).table("RX_LINE").columns["room_no"] == "prescriber_id"
    page.write_text(page.read_text().replace("room_no\tprescriber_id", "room_no\t-"))
    again = json.loads(run("--ddl", dump, "--apply", page).stdout)
    assert again["tables"]["rx_line"]["columns"]["room_no"] is None


def test_what_cannot_be_done_is_one_line_and_exit_2(tmp_path):
    dump, page = tmp_path / "his.sql", tmp_path / "review.txt"
    dump.write_text(DDL)
    page.write_text("rx_line\tdoctor\tnonsense\n")
    for arguments, said in [
        ([], "--ddl"),
        (["postgresql://x", "--ddl", dump], "--ddl"),
        (["--ddl", tmp_path / "missing.sql"], "missing.sql"),
        (["--ddl", dump, "--apply", page], "review.txt:1："),
        (["postgresql://nobody@127.0.0.1:1/x?connect_timeout=2"], "连不上"),
    ]:
        result = run(*arguments)
        assert result.exit_code == 2, arguments
        assert said in result.stderr
        assert len(result.stderr.strip().splitlines()) == 1
    empty = tmp_path / "empty.sql"
    empty.write_text("-- nothing\n")
    assert "empty.sql" in run("--ddl", empty).stderr


def test_a_living_database_becomes_a_catalogue(database):
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(DDL)
    result = run(database, "--name", "his")
    assert result.exit_code == 0
    assert "已读取 1／1 张表" in result.stderr
    tree = json.loads(result.stdout)
    assert tree["name"] == "his"
    assert tree["tables"]["rx_line"]["columns"]["drug_code"] == "item_id"
