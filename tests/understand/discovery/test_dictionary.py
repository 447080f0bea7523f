"""What a database's dictionary says, from recorded results (`readers/recorded`): the form in which a
DBA exports the queries, and in which a driver answers them."""

import csv
import io
from pathlib import Path

import pytest

from qingfang.understand.catalogue import load
from qingfang.understand.discovery import dictionary
from qingfang.understand.discovery.propose import propose
from qingfang.understand.discovery.readers import live, oracle, sqlserver

RECORDED = Path(__file__).parent / "readers" / "recorded"


def files(dialect):
    return {f.name: f.read_bytes() for f in (RECORDED / dialect).iterdir()}


def test_oracle():
    schema = dictionary.read_csv(files("oracle"), "oracle", "his")
    assert list(schema.tables) == ["HIS.GY_YGDM", "HIS.MZ_CF", "HIS.MZ_CFMX", "YB.FEE_UP"]
    rx, line = schema.tables["HIS.MZ_CF"], schema.tables["HIS.MZ_CFMX"]
    assert (rx.comment, rx.columns["CFH"].type) == ("门诊处方", "number(18,0)")
    assert rx.columns["YSDM"].comment == "开方医师，见 GY_YGDM"
    assert [(k.columns, k.to_table, k.to_columns) for k in rx.foreign] == [
        (("YSDM",), "HIS.GY_YGDM", ("YGDM",))
    ]
    # In the order of its positions; the index of a key is no second key, an expression is none.
    assert line.keys == [("CFH", "XH")]
    assert schema.tables["HIS.GY_YGDM"].keys == [("YGDM",)]
    assert schema.views["HIS.V_CF"].startswith("SELECT m.YPDM")
    # A routine comes line by line.
    assert schema.routines["HIS.PKG_TJ"].startswith("CREATE PACKAGE BODY PKG_TJ IS\n  PROCEDURE")
    assert schema.synonyms == {"CF": "HIS.MZ_CF", "YB.YY_CF": "HIS.MZ_CF@HISLINK"}
    proposal = propose(schema)
    assert proposal.role("HIS.MZ_CFMX", "YPDM") == "item_id"
    assert proposal.kinds["YB.FEE_UP"].kind == "usage"
    load(proposal.catalogue())


def test_sql_server():
    schema = dictionary.read_csv(files("tsql"), "tsql")
    assert list(schema.tables) == ["YY_ZGBMK", "SF_MZCFK", "arch.SF_MZCFK"]
    assert schema.tables["SF_MZCFK"].foreign[0].to_table == "YY_ZGBMK"
    # The database keeps a view with its CREATE VIEW; the catalogue keeps the query.
    assert schema.views["VW_MZCF"].startswith("SELECT xh, ysdm")
    assert not schema.views["VW_MZCF"].endswith(";")
    assert schema.routines["usp_tj"].startswith("create procedure")
    assert schema.synonyms == {"cf": "HIS.dbo.SF_MZCFK"}
    assert propose(schema).role("SF_MZCFK", "ysdm") == "prescriber_id"


class Recorded:
    """A cursor that answers the dictionary's queries from the recorded results, and samples from
    `rows`; what is in `refused` raises the driver's error."""

    def __init__(self, dialect, rows, refused=()):
        self.answers = {
            sql: _rows(RECORDED / dialect.name / f"{result}.csv")
            for result, sql in dictionary.QUERIES[dialect.name].items()
            if sql
        }
        self.dialect, self.rows, self.refused = dialect, rows, refused
        self.asked = []

    def execute(self, operation, /):
        self.asked.append(operation)
        if any(word in operation for word in self.refused):
            raise self.dialect.errors("ORA-00942: 表或视图不存在\nmore")

    def fetchall(self):
        return self.answers.get(self.asked[-1], self.rows)


def _rows(path):
    lines = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))
    return [[cell or None for cell in line] for line in lines[1:]]


def test_a_driver_answers_the_same_queries():
    for dialect in (oracle.DIALECT, sqlserver.DIALECT):
        cursor = Recorded(dialect, [("1", "2", None, "4")] * 3)
        schema = live.read(cursor, dialect, "his")
        exported = dictionary.read_csv(files(dialect.name), dialect.name, "his")
        assert set(schema.tables) == set(exported.tables)
        for name, table in exported.tables.items():
            assert schema.tables[name].keys == table.keys
            assert schema.tables[name].columns.keys() == table.columns.keys()
        assert schema.notes == []


def test_samples_are_asked_for_in_the_databases_own_words():
    cursor = Recorded(oracle.DIALECT, [("D1", "合成", "1", "2")])
    live.read(cursor, oracle.DIALECT, "his")
    assert (
        'SELECT SUBSTR(TO_CHAR("YGDM"), 1, 64), SUBSTR(TO_CHAR("YGXM"), 1, 64)'
        ' FROM "HIS"."GY_YGDM" WHERE ROWNUM <= 500' in cursor.asked
    )
    cursor = Recorded(sqlserver.DIALECT, [("D1", "合成", "1", "2")])
    schema = live.read(cursor, sqlserver.DIALECT, "his")
    assert (
        "SELECT TOP 20001 LEFT(CAST([id] AS nvarchar(max)), 64), LEFT(CAST([name] AS nvarchar(max)),"
        " 64) FROM [dbo].[YY_ZGBMK] WITH (NOLOCK)" in cursor.asked
    )
    assert schema.tables["YY_ZGBMK"].members["id"] == {"D1"}


def test_what_may_not_be_read_is_named_and_the_rest_is_kept():
    cursor = Recorded(oracle.DIALECT, [("1",) * 4], refused=["all_source", '"MZ_CF"'])
    schema = live.read(cursor, oracle.DIALECT, "his")
    assert schema.notes == ["读不了字典：routines", "未能取样（无权限或超时）：HIS.MZ_CF"]
    assert schema.views
    cursor = Recorded(oracle.DIALECT, [], refused=["all_tab_columns"])
    with pytest.raises(
        live.Unreachable, match=r"^连不上或读不了数据库：ORA-00942: 表或视图不存在$"
    ):
        live.read(cursor, oracle.DIALECT, "his")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("columns.csv", None, "缺少 columns.csv"),
        ("columns.csv", "OWNER,TABLE_NAME\nHIS,T\n", r"columns\.csv 第 1 行：缺少列 table_comment"),
        ("keys.csv", "OWNER\n", r"keys\.csv 第 1 行：缺少列"),
        (
            "views.csv",
            "owner,name,text\nHIS,V,SELECT 1\nHIS,W\n",
            r"views\.csv 第 3 条：应有 3 栏，只有 2 栏",
        ),
        ("views.csv", b"\xff\xff\xff\x00", r"views\.csv：既不是 UTF-8"),
        ("views.csv", 'owner,name,text\nHIS,V,"SELECT\n', r"views\.csv："),
    ],
)
def test_a_broken_export_names_file_and_line(name, content, said):
    given = files("oracle")
    del given[name]
    if content is not None:
        given[name] = content if isinstance(content, bytes) else content.encode()
    with pytest.raises(ValueError, match=said):
        dictionary.read_csv(given, "oracle")


def test_an_export_in_gb18030_is_read():
    given = {name: data.decode().encode("gb18030") for name, data in files("oracle").items()}
    schema = dictionary.read_csv(given, "oracle")
    assert schema.tables["HIS.MZ_CF"].comment == "门诊处方"


@pytest.mark.parametrize("dialect", dictionary.QUERIES)
def test_what_a_dba_runs_names_every_file_and_column(dialect):
    text = dictionary.script(dialect)
    for result, sql in dictionary.QUERIES[dialect].items():
        if not sql:
            continue
        assert f"-- {result}.csv：" in text
        assert f"{sql.strip()};" in text
        for column in dictionary.RESULTS[result]:
            assert column in sql.lower()
