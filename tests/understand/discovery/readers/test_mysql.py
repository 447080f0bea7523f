"""Discovery from a living MariaDB, through the address that a person types."""

import pytest

from qingfang.understand.catalogue import load
from qingfang.understand.discovery.propose import propose
from qingfang.understand.discovery.readers import address
from qingfang.understand.discovery.readers.live import Unreachable
from tests.support.mariadb import mariadb

__all__ = ["mariadb"]

SCHEMA = """
CREATE DATABASE his CHARACTER SET utf8mb4;
USE his;
CREATE TABLE his.gy_ysb (ysdm varchar(10) PRIMARY KEY, ysxm varchar(20)) COMMENT '医生表';
CREATE TABLE his.mz_cf (
    cfh varchar(20) PRIMARY KEY COMMENT '处方号', f1 varchar(10), kfrq datetime,
    FOREIGN KEY (f1) REFERENCES gy_ysb (ysdm)
) COMMENT '门诊处方';
CREATE TABLE his.mz_cfmx (
    mxid int AUTO_INCREMENT PRIMARY KEY, cfh varchar(20), xh int, ypdm varchar(20), c1 varchar(80),
    sl decimal(10,2), UNIQUE KEY uq (cfh, xh)
);
CREATE TABLE his.photo (id int PRIMARY KEY, body longblob);
CREATE VIEW his.v_cf AS SELECT cfh, f1 FROM his.mz_cf;
CREATE FUNCTION his.f_add(a int, b varchar(10)) RETURNS int DETERMINISTIC RETURN a + 1;
CREATE PROCEDURE his.sp_yy(IN p_from date) SELECT ypdm, SUM(sl) FROM mz_cfmx GROUP BY ypdm;
INSERT INTO his.gy_ysb VALUES ('D001', '合成甲'), ('D002', '合成乙');
INSERT INTO his.mz_cf SELECT CONCAT('R', seq), IF(seq % 2, 'D001', 'D002'), NOW() FROM seq_1_to_900;
INSERT INTO his.mz_cfmx (cfh, xh, ypdm, c1, sl) SELECT CONCAT('R', seq), 1, CONCAT('YP', seq % 7),
    ELT(1 + seq % 3, '头孢克肟胶囊', '阿莫西林片', '氯化钠注射液'), 2 FROM seq_1_to_900
"""


@pytest.fixture(scope="module")
def his(mariadb):
    with mariadb.administrator() as connection, connection.cursor() as cursor:
        for statement in SCHEMA.split(";"):
            cursor.execute(statement)
        cursor.execute("GRANT SELECT, SHOW VIEW, EXECUTE ON his.* TO 'reader'@'%'")
        cursor.execute("GRANT SELECT ON mysql.proc TO 'reader'@'%'")
    return mariadb


def test_what_a_database_says_about_itself(his, monkeypatch):
    monkeypatch.setenv(address.PASSWORD, his.password)
    seen = []
    schema = address.read(
        f"mysql://reader@127.0.0.1:{his.port}/his", progress=lambda n, m: seen.append((n, m))
    )
    assert set(schema.tables) == {"gy_ysb", "mz_cf", "mz_cfmx", "photo"}
    assert schema.notes == []
    assert seen == [(n, 4) for n in range(1, 5)]
    rx, line = schema.tables["mz_cf"], schema.tables["mz_cfmx"]
    assert (rx.comment, rx.columns["cfh"].comment, rx.key) == ("门诊处方", "处方号", ("cfh",))
    assert [(k.columns, k.to_table, k.to_columns) for k in rx.foreign] == [
        (("f1",), "gy_ysb", ("ysdm",))
    ]
    assert line.keys == [("mxid",), ("cfh", "xh")]
    assert schema.tables["gy_ysb"].members["ysdm"] == {"D001", "D002"}
    assert len(line.rows) == 500
    assert not schema.tables["photo"].columns["body"].samples
    assert schema.views["v_cf"].lower().startswith("select")
    assert "`p_from` date" in schema.routines["sp_yy"]
    assert "RETURNS int" in schema.routines["f_add"]

    proposal = propose(schema)
    assert proposal.role("mz_cf", "f1") == "prescriber_id"
    assert proposal.role("mz_cfmx", "c1") == "item_name"
    assert proposal.kinds["mz_cfmx"].kind == "usage"
    load(proposal.catalogue())


def test_what_cannot_be_reached_is_one_sentence_without_the_password(his):
    for url in (
        f"mysql://reader:wrong-secret@127.0.0.1:{his.port}/his",
        "mysql://reader:wrong-secret@127.0.0.1:1/his",
    ):
        with pytest.raises(Unreachable, match="连不上") as caught:
            address.read(url)
        assert "wrong-secret" not in str(caught.value)
