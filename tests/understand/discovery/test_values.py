"""What sampled rows tell that names do not."""

import pytest

from qingfang.understand.discovery import values
from qingfang.understand.discovery.facts import Column, Schema, Table
from qingfang.understand.discovery.propose import propose
from qingfang.understand.discovery.review import SURE

DOCTORS = [f"D{n:03}" for n in range(20)]
DRUGS = [f"YP{n:04}" for n in range(50)]


def table(name, rows, *columns, comment="", key=(), small=False):
    made = Table(name, comment, {c.name: c for c in columns}, key)
    made.sampled = tuple(made.columns)
    made.rows = tuple(map(tuple, rows))
    for i, column in enumerate(columns):
        column.samples = tuple(dict.fromkeys(row[i] for row in rows))[:40]
        if small:
            made.members[column.name] = frozenset(row[i] for row in rows)
    return made


def hospital(*extra):
    doctors = table(
        *("doctor", [(d, f"合成{d}") for d in DOCTORS]),
        *(Column("code", "varchar(10)"), Column("name", "varchar(20)")),
        key=("code",),
        small=True,
    )
    drugs = table(
        *("drug", [(d, f"合成药{d}") for d in DRUGS]),
        *(Column("code", "varchar(10)"), Column("name", "varchar(40)")),
        key=("code",),
        small=True,
    )
    return propose(Schema(tables={t.name: t for t in (doctors, drugs, *extra)}))


def lines(count=300):
    """(f1 doctor, f2 room, f3 drug or test, f4 category, f5 quantity)"""
    for n in range(count):
        doctor = n % 6
        drug = n % 3
        code = DRUGS[n % 50] if drug else f"JC{n % 9:04}"
        yield (DOCTORS[doctor], f"30{doctor}", code, "ABC"[n % 3], "1")


CHARGE = [
    *(Column("f1", "varchar(10)"), Column("f2", "varchar(10)"), Column("f3", "varchar(10)")),
    *(
        Column("f4", "varchar(2)", "费用类别"),
        Column("qty", "numeric"),
        Column("visit_id", "varchar(9)"),
    ),
]


def charge():
    return table("charge_detail", [(*row, f"V{n}") for n, row in enumerate(lines())], *CHARGE)


def test_codes_of_a_list_are_such_codes_and_never_surely():
    proposal = hospital(charge())
    reading = proposal.roles["charge_detail"]["f1"]
    assert reading.role == "prescriber_id"
    assert "doctor.code 里的代码" in reading.reason
    assert 0.8 < reading.confidence < SURE


def test_what_goes_one_to_one_with_the_prescriber_stands_for_him():
    reading = hospital(charge()).roles["charge_detail"]["f2"]
    assert reading.role == "prescriber_id"
    assert reading.confidence < SURE
    assert "与 f1 一一对应" in reading.reason


def test_categories_whose_items_are_drugs_are_asked_about():
    pure = table(
        *("charge_detail", [(*row, f"V{n}") for n, row in enumerate(lines())], *CHARGE[:2]),
        Column("item_code", "varchar(10)"),
        *CHARGE[3:],
    )
    hints = [h for h in hospital(pure).hints if h.what == "usage_when"]
    assert [(h.table, h.text) for h in hints] == [("charge_detail", "f4 IN ('B', 'C')")]


@pytest.mark.parametrize(
    ("type_", "comment", "text"),
    [
        ("varchar(2)", "业务类型：01入库 02科室领用 03盘点 04处方发药", "biz IN ('02', '04')"),
        ("int", "业务类型(1-采购入库,2-病区摆药)", "biz IN (2)"),
        ("int", "业务类型", ""),
    ],
)
def test_a_legend_in_the_comment_tells_use_from_the_rest(type_, comment, text):
    ledger = Table(
        "drug_ledger",
        "药品进销存台账",
        {
            c.name: c
            for c in (
                Column("drug_code", "varchar(9)"),
                Column("biz", type_, comment),
                Column("qty", "int"),
            )
        },
    )
    hints = [h for h in hospital(ledger).hints if h.table == "drug_ledger"]
    assert [(h.what, h.text) for h in hints] == [("usage_when", text)]


def test_rows_that_wait_are_asked_about():
    queue = Table(
        "mz_fy",
        "门诊发药",
        {
            c.name: c
            for c in (
                Column("cfh", "varchar(9)"),
                Column("ypdm", "varchar(9)"),
                Column("sl", "int"),
                Column("zt", "char(1)", "状态：0未发 1已发 2退药"),
            )
        },
    )
    hints = [h for h in hospital(queue).hints if h.what == "open_when"]
    assert [h.text for h in hints] == ["zt IN ('0')"]


def test_small_numbers_and_few_values_say_nothing():
    assert values.telling([str(n) for n in range(50)]) == frozenset()
    assert values.telling(["D001", "D002", "D003"]) == frozenset()
    assert values.telling(DOCTORS) == frozenset(DOCTORS)
    assert not values.is_from(frozenset(), frozenset(DOCTORS))
    numbers = [(str(n % 9), str(n % 9)) for n in range(90)]
    plain = table("t", numbers, Column("a", "int"), Column("b", "int"))
    assert values.stands_for(plain, "a", "b")
    assert not values.stands_for(table("t", numbers[:12], *plain.columns.values()), "a", "b")
    mixed = [(str(n % 9), str(n % 4)) for n in range(90)]
    assert not values.stands_for(table("t", mixed, *plain.columns.values()), "a", "b")
