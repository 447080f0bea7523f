"""Dumps and scripts: what is read from them, and what bad ones say."""

import gzip
import random
from pathlib import Path

import pytest

from qingfang.understand.catalogue import load
from qingfang.understand.discovery import ddl, review
from qingfang.understand.discovery.propose import propose

PG_DUMP = r"""
--
-- PostgreSQL database dump
--
\restrict abc
SET standard_conforming_strings = on;
CREATE TABLE public.outp_rx (
    rx_no integer NOT NULL,
    "dr Code" character varying(10) DEFAULT 'a;b,c'::character varying,
    amt numeric(10,2),
    CONSTRAINT positive CHECK ((amt >= (0)::numeric))
);
COMMENT ON TABLE public.outp_rx IS '门诊处方''主表;';
COMMENT ON COLUMN public.outp_rx."dr Code" IS '开单医生';
CREATE TABLE his.staff (id integer);
CREATE VIEW public.v_rx AS
 SELECT outp_rx.rx_no FROM public.outp_rx;
CREATE FUNCTION public.f(a integer) RETURNS integer
    LANGUAGE plpgsql
    AS $_$
begin return (select 1; ); end;
$_$;
ALTER TABLE ONLY public.outp_rx
    ADD CONSTRAINT outp_rx_pkey PRIMARY KEY (rx_no);
ALTER TABLE ONLY public.outp_rx
    ADD CONSTRAINT "x;y" FOREIGN KEY ("dr Code") REFERENCES his.staff(id) ON DELETE SET NULL;
"""


def test_a_postgresql_dump():
    schema = ddl.read(PG_DUMP, "postgres", "his")
    rx = schema.tables["outp_rx"]
    assert list(rx.columns) == ["rx_no", "dr Code", "amt"]
    assert rx.columns["amt"].type.startswith("decimal")
    assert rx.comment == "门诊处方'主表;"
    assert rx.columns["dr Code"].comment == "开单医生"
    assert rx.key == ("rx_no",)
    assert [(f.columns, f.to_table, f.to_columns) for f in rx.foreign] == [
        (("dr Code",), "his.staff", ("id",))
    ]
    assert schema.views == {"v_rx": "SELECT outp_rx.rx_no FROM public.outp_rx"}
    assert schema.routines["f"].startswith("CREATE FUNCTION")
    assert schema.routines["f"].endswith("$_$")
    assert not schema.notes


def test_a_table_that_sqlglot_cannot_read_keeps_its_columns():
    text = """CREATE TABLE t (
        a NUMBER(5,2) DEFAULT nvl(1, 2) VISIBLE WEIRD ~~ STUFF,
        b VARCHAR2(10) COMMENT '药品编码',
        PRIMARY KEY (a)
    ) STRANGE ~~ OPTIONS;"""
    schema = ddl.read(text, "oracle")
    assert list(schema.tables["t"].columns) == ["a", "b"]
    assert schema.tables["t"].columns["b"].comment == "药品编码"
    assert schema.tables["t"].key == ("a",)
    assert "1 张表" in schema.notes[0]


def test_bodies_of_routines_stay_whole():
    tsql = "CREATE TABLE t (a int)\nGO\nCREATE PROC p AS\nBEGIN SELECT 1; SELECT 2; END\nGO\n"
    assert "SELECT 2; END" in ddl.read(tsql, "tsql").routines["p"]
    mysql = "CREATE TABLE t (a int);\nDELIMITER $$\nCREATE PROCEDURE p() BEGIN SELECT 1; END$$\n"
    mysql += "DELIMITER ;\nCREATE TABLE u (a int);\n"
    schema = ddl.read(mysql, "mysql")
    assert schema.routines["p"].endswith("END")
    assert set(schema.tables) == {"t", "u"}
    oracle = (
        "CREATE TABLE t (a int);\nCREATE OR REPLACE PROCEDURE p IS\nBEGIN\n NULL; NULL;\nEND;\n/\n"
    )
    assert "NULL; NULL;" in ddl.read(oracle, "oracle").routines["p"]


def test_a_file_without_tables_is_refused():
    with pytest.raises(ValueError, match="CREATE TABLE"):
        ddl.read("SELECT 1;", "postgres")


def test_files_are_utf8_or_gb18030_and_may_be_gzipped():
    text = "CREATE TABLE 处方 (a int);"
    assert ddl.decode(text.encode()) == text
    assert ddl.decode(text.encode("gb18030")) == text
    assert ddl.decode(gzip.compress(text.encode())) == text
    with pytest.raises(ValueError, match="损坏"):
        ddl.decode(gzip.compress(text.encode())[:-12])
    with pytest.raises(ValueError, match="UTF-8"):
        ddl.decode(b"\xff\xff\xff\x00")


def test_two_thousand_broken_dumps_give_facts_or_a_plain_error():
    rng = random.Random(20261123)
    fixtures = (Path(__file__).parent / "fixtures").glob("*.sql")
    seeds = [PG_DUMP, *(f.read_text(encoding="utf-8") for f in sorted(fixtures))]
    bits = [
        "'",
        '"',
        "(",
        ")",
        ";",
        "$$",
        "/*",
        "*/",
        "--",
        "GO\n",
        "DELIMITER ;;\n",
        "\0",
        "\ud800",
    ]
    bits += ["CREATE TABLE ", "COMMENT '", "`", "[", "]", ",", "\n/\n", "CREATE VIEW v AS ", "处方"]
    read = 0
    for _ in range(2_000):
        text = rng.choice(seeds)
        start = rng.randint(0, len(text) // 2)
        text = text[start : start + rng.randint(50, 1_500)]
        for _ in range(rng.randint(1, 5)):
            at = rng.randint(0, len(text))
            text = text[:at] + rng.choice(bits) + text[at + rng.randint(0, 5) :]
        dialect = rng.choice(["postgres", "mysql", "tsql", "oracle", "sqlite"])
        try:
            proposal = propose(ddl.read(text, dialect))
        except ValueError as error:
            assert "CREATE TABLE" in str(error)
            continue
        read += 1
        proposal.catalogue()
        review.read(review.write(proposal), "r.txt")
    assert read > 500


@pytest.mark.parametrize(
    ("dialect", "text"),
    [
        (
            "postgres",
            """
            CREATE TABLE t (mxid int NOT NULL, cfh text, xh int, sn text UNIQUE, note text);
            ALTER TABLE ONLY t ADD CONSTRAINT t_pkey PRIMARY KEY (mxid);
            ALTER TABLE ONLY t ADD CONSTRAINT t_rows UNIQUE NULLS NOT DISTINCT (cfh, xh);
            CREATE UNIQUE INDEX t_again ON t USING btree (xh, cfh) INCLUDE (note);
            CREATE UNIQUE INDEX t_part ON t USING btree (note) WHERE (xh > 0);
            CREATE UNIQUE INDEX t_low ON t USING btree (lower(note));
            CREATE INDEX t_note ON t USING btree (note);
            """,
        ),
        (
            "mysql",
            """
            CREATE TABLE `t` (`mxid` int NOT NULL, `cfh` varchar(20), `xh` int, `sn` varchar(30)
              COMMENT 'unique, where known', `note` varchar(200), PRIMARY KEY (`mxid`),
              UNIQUE KEY `uq` (`cfh`,`xh`), UNIQUE KEY `us` (`sn`(20)), KEY `n` (`note`));
            """,
        ),
        (
            "tsql",
            """
            CREATE TABLE [dbo].[t] ([mxid] [int] NOT NULL, [cfh] [varchar](20), [xh] [int],
              [sn] [varchar](30), [note] [varchar](200),
              CONSTRAINT [pk] PRIMARY KEY CLUSTERED ([mxid] ASC) WITH (PAD_INDEX = OFF) ON [PRIMARY],
              CONSTRAINT [uq] UNIQUE NONCLUSTERED ([cfh] ASC, [xh] DESC)) ON [PRIMARY]
            GO
            CREATE UNIQUE NONCLUSTERED INDEX [us] ON [dbo].[t] ([sn] ASC)
            GO
            CREATE UNIQUE NONCLUSTERED INDEX [un] ON [dbo].[t] ([note] ASC) WHERE ([note] IS NOT NULL)
            GO
            """,
        ),
        (
            "oracle",
            """
            CREATE TABLE HIS.T (MXID NUMBER, CFH VARCHAR2(20), XH NUMBER, SN VARCHAR2(30),
              NOTE VARCHAR2(200), CONSTRAINT UQ UNIQUE (CFH, XH) USING INDEX ENABLE);
            ALTER TABLE HIS.T ADD CONSTRAINT PK PRIMARY KEY (MXID) USING INDEX TABLESPACE X ENABLE;
            CREATE UNIQUE INDEX HIS.US ON HIS.T (SN) TABLESPACE X;
            ALTER TABLE HIS.T ADD CONSTRAINT UN UNIQUE (NOTE) DISABLE;
            """,
        ),
    ],
)
def test_keys_are_those_that_every_row_keeps_to(dialect, text):
    (table,) = ddl.read(text, dialect).tables.values()
    keys = [tuple(column.lower() for column in key) for key in table.keys]
    assert keys[0] == ("mxid",)
    assert {frozenset(key) for key in keys} == {
        frozenset({"mxid"}),
        frozenset({"cfh", "xh"}),
        frozenset({"sn"}),
    }
    assert len(keys) == 3


EXPORTS = Path(__file__).parent / "exports"


@pytest.mark.parametrize(
    ("file", "table", "column", "view", "routine", "body"),
    [
        ("plsql_developer.oracle.sql", "HIS.MZ_CF", "ysdm", "his.v_cf", "his.sp_tj", "p_ys"),
        ("ssms.tsql.sql", "SF_MZCFK", "ysdm", "VW", "usp_tj", "@ys"),
        ("mysqldump.mysql.sql", "mz_cf", "ysdm", "v_cf", "sp_tj", "IN p"),
    ],
)
def test_what_the_tools_of_each_database_export(file, table, column, view, routine, body):
    text = (EXPORTS / file).read_text(encoding="utf-8")
    schema = ddl.read(text, file.split(".")[1])
    assert list(schema.tables) == [table]
    read = schema.tables[table]
    assert read.comment.startswith("门诊处方")
    assert "医生" in read.columns[column].comment
    assert read.key == (next(iter(read.columns)),)
    assert all(key.columns == (column,) for key in read.foreign)
    assert schema.views[view].lower().startswith("select")
    assert body in schema.routines[routine]
    assert schema.routines[routine].lower().rstrip(";").endswith("end")
    assert schema.notes == []
    load(propose(schema).catalogue())
