"""Schemas as hospitals have them, each column annotated with the role that must be found."""

import re
from pathlib import Path

import pytest

from qingfang.understand.catalogue import load
from qingfang.understand.discovery import ddl, lexicon
from qingfang.understand.discovery.facts import Column, ForeignKey, Schema, Table
from qingfang.understand.discovery.propose import TAKEN, propose
from qingfang.understand.discovery.review import SURE
from tests.understand.discovery import notation

FIXTURES = sorted((Path(__file__).parent / "fixtures").glob("*.sql"))
LINE = re.compile(r'^\s*(?:CREATE TABLE\s+)?(?P<name>[`"\[\]\w.]+)\s.*?(?:--\s*(?P<said>\w+)\s*)?$')
KINDS = {"usage", "stock", "dictionary", "other"}


def annotated(text):
    """[(table, kind, {column: role or None})] as the fixture's trailing comments say."""
    tables = []
    inside = False
    for line in text.splitlines():
        found = LINE.match(line)
        if line.startswith("CREATE TABLE"):
            tables.append((ddl.name_of(found["name"]), found["said"], {}))
            inside = True
        elif line.startswith(")"):
            inside = False
        elif inside and not re.match(r"\s*(CONSTRAINT|PRIMARY KEY)", line):
            tables[-1][2][ddl.name_of(found["name"])] = found["said"]
    return tables


@pytest.mark.parametrize("path", FIXTURES, ids=lambda p: p.name)
def test_roles_are_found(path):
    text = path.read_text(encoding="utf-8")
    proposal = propose(ddl.read(text, path.name.split(".")[1]))
    expected = annotated(text)
    assert len(expected) > 3
    wrong = []
    for table, kind, columns in expected:
        assert kind in KINDS, f"{table}: {kind}"
        if proposal.kinds[table].kind != kind:
            wrong.append((table, kind, proposal.kinds[table]))
        for column, role in columns.items():
            if proposal.role(table, column) != role:
                wrong.append((table, column, role, proposal.roles[table].get(column)))
    assert not wrong
    load(proposal.catalogue())


SCHEMAS = sorted(notation.SCHEMAS.glob("*.txt"))


def score(path):
    """(role columns, those it is sure of, those of them that are right, columns without a role that
    it is sure have one, tables, tables of the right kind) of one schema."""
    dialect = path.name.split(".")[1]
    tables = notation.read(path)
    proposal = propose(ddl.read(notation.script(tables, dialect), dialect))
    load(proposal.catalogue())
    truth = sure = right = false = kinds = 0
    for table in tables:
        kinds += proposal.kinds[table.name].kind == table.kind
        for column in table.columns:
            reading = proposal.roles[table.name].get(column.name)
            known = reading is not None and reading.confidence >= SURE
            truth += column.role is not None
            sure += known and column.role is not None
            right += known and reading.role == column.role
            false += known and column.role is None
    return truth, sure, right, false, len(tables), kinds


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda p: p.name)
def test_roles_of_a_schema_are_read_without_a_person(path):
    truth, sure, right, false, tables, kinds = score(path)
    assert tables >= 12
    assert right >= 0.9 * (sure + false)
    assert sure >= 0.7 * truth
    assert kinds >= 0.9 * tables


def test_confidence_is_the_share_that_is_right():
    seen = {}
    for path in SCHEMAS:
        dialect = path.name.split(".")[1]
        tables = notation.read(path)
        proposal = propose(ddl.read(notation.script(tables, dialect), dialect))
        for table in tables:
            for column in table.columns:
                reading = proposal.roles[table.name].get(column.name)
                if reading is not None and reading.confidence >= TAKEN:
                    band = seen.setdefault(reading.confidence >= SURE, [])
                    band.append((reading.confidence, reading.role == column.role))
    for band in seen.values():
        said = sum(confidence for confidence, _ in band) / len(band)
        right = sum(r for _, r in band) / len(band)
        assert abs(said - right) < 0.1


def test_every_reading_has_a_reason_in_chinese():
    for path in FIXTURES:
        proposal = propose(ddl.read(path.read_text(encoding="utf-8"), path.name.split(".")[1]))
        readings = [r for roles in proposal.roles.values() for r in roles.values()]
        assert readings
        for reading in [*readings, *proposal.kinds.values(), *proposal.hints]:
            assert 0 < reading.confidence < 1
            assert re.search(r"[\u4e00-\u9fff]", reading.reason)


def tables(*items):
    return Schema(tables={t.name: t for t in items})


def table(name, *columns, key=(), foreign=()):
    return Table(name, "", {c.name: c for c in columns}, key, list(foreign))


def test_a_foreign_key_carries_the_role_although_the_name_says_nothing():
    schema = tables(
        table("doctor", Column("id", "integer"), Column("name", "varchar"), key=("id",)),
        table(
            "rx_line",
            Column("id", "integer"),
            Column("x7", "integer"),
            Column("drug_code", "varchar"),
            Column("qty", "numeric"),
            Column("rx_no", "varchar"),
            key=("id",),
            foreign=[ForeignKey(("x7",), "doctor", ("id",))],
        ),
    )
    proposal = propose(schema)
    assert proposal.role("rx_line", "x7") == "prescriber_id"
    assert "外键指向 doctor.id" in proposal.roles["rx_line"]["x7"].reason
    assert proposal.role("doctor", "name") == "prescriber_name"
    # The line's own key is no prescription: that it opens one row is what `keys` say.
    assert proposal.role("rx_line", "id") is None
    assert proposal.keys_of("rx_line") == [("id",)]


def test_views_and_routines_tell_what_names_do_not():
    schema = ddl.read(
        """
        CREATE TABLE staff (doctor_code varchar(10) PRIMARY KEY, name varchar(20));
        CREATE TABLE t1 (f1 varchar(20), f2 varchar(20), f3 numeric(10,2), f4 varchar(10),
                         f5 varchar(10));
        CREATE VIEW v AS SELECT f1 AS 处方号, f2 AS 药品编码, f3 AS 数量, f5 AS 备注 FROM t1;
        CREATE FUNCTION report() RETURNS TABLE (n varchar) LANGUAGE sql AS $$
            SELECT s.name FROM public.t1 x JOIN staff s ON x.f4 = s.doctor_code $$;
        CREATE VIEW broken AS SELECT FROM WHERE;
        """,
        "postgres",
    )
    proposal = propose(schema)
    roles = [proposal.role("t1", f"f{n}") for n in range(1, 6)]
    assert roles == ["prescription_id", "item_id", "quantity", "prescriber_id", None]
    assert "v 里称作「药品编码」" in proposal.roles["t1"]["f2"].reason
    assert "report 里与 staff.doctor_code 相连" in proposal.roles["t1"]["f4"].reason
    assert proposal.kinds["t1"].kind == "usage"


def test_keys_are_written_as_the_database_has_them():
    rx = table("rx_line", Column("id", "integer"), Column("rx_no", "varchar"), Column("n", "int"))
    rx.key, rx.unique = ("id",), [("rx_no", "n"), ("id",)]
    tree = propose(tables(rx, table("bare", Column("a", "integer")))).catalogue()
    assert tree["tables"]["rx_line"]["keys"] == ["id", ["rx_no", "n"]]
    assert "keys" not in tree["tables"]["bare"]
    keys = load(tree).tables["rx_line"].keys
    assert keys == (frozenset({"id"}), frozenset({"rx_no", "n"}))


def test_who_typed_it_in_is_not_who_prescribed_it():
    schema = tables(
        table("doctor", Column("id", "integer"), key=("id",)),
        table(
            "rx",
            Column("id", "integer"),
            Column("create_uid", "integer"),
            key=("id",),
            foreign=[ForeignKey(("create_uid",), "doctor", ("id",))],
        ),
    )
    assert propose(schema).role("rx", "create_uid") == "operator_id"


def test_a_flag_is_never_a_role():
    flags = Column("drug", "boolean"), Column("patient", "timestamp"), Column("qty", "boolean")
    proposal = propose(tables(table("rx", *flags)))
    assert proposal.taken("rx") <= {"time"}


def test_values_tell_names_and_identity_cards():
    samples = ("头孢克肟胶囊", "阿莫西林片 0.25g", "氯化钠注射液")
    schema = tables(
        table(
            "t_rx",
            Column("c1", "varchar", samples=samples),
            Column("c2", "varchar", samples=("11010119800101123X",) * 3),
            Column("sl", "numeric"),
        )
    )
    proposal = propose(schema)
    assert proposal.role("t_rx", "c1") == "item_name"
    assert proposal.role("t_rx", "c2") == "patient_id"
    assert proposal.kinds["t_rx"].kind == "usage"


def test_drugs_among_other_charges_are_asked_about_and_never_taken_unasked():
    schema = tables(
        table(
            "charge_detail",
            Column("patient_id", "varchar"),
            Column("item_code", "varchar"),
            Column("fee_class", "varchar", samples=("西药", "检查费", "中成药", "床位费")),
            Column("amount", "numeric"),
        )
    )
    proposal = propose(schema)
    hint = next(h for h in proposal.hints if h.what == "usage_when")
    assert hint.text == "fee_class IN ('中成药', '西药')"
    assert "usage_when" not in proposal.catalogue()["tables"]["charge_detail"]


@pytest.mark.parametrize(
    ("name", "cut"),
    [
        ("kdysdm", ("kd", "ys", "dm")),
        ("YPMC", ("yp", "mc")),
        ("cfh", ("cf", "h")),
        ("czygh", ("czy", "gh")),
        ("hello", None),
        ("ys1", None),
    ],
)
def test_pinyin_is_cut_without_a_rest(name, cut):
    assert lexicon.pinyin(name) == cut


@pytest.mark.parametrize(
    ("comment", "role"),
    [
        ("就诊/住院科室id", "department_id"),
        ("门诊号/流水号", "visit_id"),
        ("创建/录入时间", "time"),
        ("第一执行人姓名", None),
        ("第一执行人ID", "operator_id"),
        ("中草药脚注代码（煎法）", None),
        ("业务类型：021 病区发药", None),
        ("发生日期", "time"),
        ("出生日期", None),
        ("drug code", "item_id"),
    ],
)
def test_what_a_comment_says(comment, role):
    assert [r.role for r in lexicon.read_comment(comment)] == ([role] if role else [])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("KDYSDM", "开单医生代码"),
        ("DoctorInCharge", "医生主治医生"),
        ("yaopin_bianma", "药品编码"),
        ("ks_id", "科室标识"),
        ("charge_code", "费用代码"),
        ("date_of_birth", "时间出生日期"),
        ("zzqq", None),
    ],
)
def test_a_name_is_put_into_chinese(name, text):
    found = lexicon.gloss(name)
    assert (found.text if found else None) == text
