"""A small invented hospital (合成数据) in the logical model: what the interference runs on.

Deterministic. Every prescriber uses every item in an amount of their own, so that a swap of two
records shows in any figure that depends on it.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable

from qingfang.bench.recognition.schema import KINDS, ORDINARY_FROM, Schema, Table, item_name

DOCTORS = 12
DEPTS = 4
PATIENTS = 40
ITEMS = 8
HEADERS = 120
FIRST = dt.date(2026, 1, 1)
DAYS = 90
TODAY = dt.date(2026, 1, 20)

Value = str | int | float | None
Rows = dict[str, list[dict[str, Value]]]


class _Maker:
    def __init__(self, schema: Schema, seed: int) -> None:
        self.schema, self.random = schema, random.Random(seed)
        self.rows: Rows = {name: [] for name in schema.tables}

    def add(self, table: str, **values: Value) -> None:
        self.rows[table].append(values)

    def day(self) -> str:
        # One day in five is today, so that work lists are not empty.
        if self.random.random() < 0.2:
            return TODAY.isoformat()
        return (FIRST + dt.timedelta(days=self.random.randrange(DAYS))).isoformat()

    def who(self) -> tuple[str, str, str]:
        """A prescriber with department and room."""
        n = self.random.randrange(1, DOCTORS + 1)
        code = self.schema.code
        return code("doctor", n), code("dept", 1 + n % DEPTS), code("room", n)

    def whom(self) -> tuple[str, str]:
        n = self.random.randrange(1, PATIENTS + 1)
        return self.schema.code("patient", n), self.schema.code("visit", n)

    def item(self, kind: str) -> tuple[str, str, float, int]:
        """Code, batch, price and a quantity."""
        n = self.random.randrange(1, ITEMS + 1)
        what = "material" if kind in {"material", "ordinary"} else "item"
        code = self.schema.code(what, n + (ORDINARY_FROM if kind == "ordinary" else 0))
        batch = self.schema.code("batch", n * 10 + (5 if kind == "material" else 0))
        return code, batch, 3.5 * n + 0.25, self.random.randrange(1, 13)


def rows(schema: Schema, seed: int = 1) -> Rows:
    """The rows of every table, by logical names."""
    make = _Maker(schema, seed)
    _dictionaries(make)
    for header, lines, history, kind in (
        ("rx", "line", "line_hist", "drug"),
        ("use", "use_line", "use_hist", "material"),
    ):
        _prescriptions(make, header, lines, history, kind)
    _mixed(make)
    return make.rows


def _dictionaries(make: _Maker) -> None:
    code = make.schema.code
    for n in range(1, DEPTS + 1):
        make.add("dept", dept=code("dept", n), name=f"合成科室{n}")
    for n in range(1, DOCTORS + 1):
        dept = code("dept", 1 + n % DEPTS)
        phone = f"1390000{n:04d}"
        name, pinyin = f"合成医生{n:02d}", f"HCYS{n:02d}"
        make.add(
            "staff", doctor=code("doctor", n), name=name, pinyin=pinyin, phone=phone, dept=dept
        )
    for n in range(1, PATIENTS + 1):
        birth = f"19{50 + n % 40}-01-01"
        make.add(
            "patient",
            patient=code("patient", n),
            name=f"合成病人{n}",
            birth=birth,
            phone=f"1380000{n:04d}",
        )
    for kind, table, what in (("drug", "drug", "item"), ("material", "material", "material")):
        for n in range(1, ITEMS + 1):
            make.add(
                table,
                item=code(what, n),
                name=item_name(kind, n),
                spec=f"{n}0mg",
                # The first three are of the class.
                **{"class": make.schema.class_name if n <= 3 else "Z"},
                maker=f"合成厂{n}",
                price=3.5 * n + 0.25,
            )
            batch = code("batch", n * 10 + (5 if kind == "material" else 0))
            make.add("stock", item=code(what, n), batch=batch, onhand=100 + n, expiry="2027-01-01")


def _prescriptions(make: _Maker, header: str, lines: str, history: str, kind: str) -> None:
    row = 0
    for n in range(1, HEADERS + 1):
        (doctor, dept, room), (patient, visit) = make.who(), make.whom()
        code, day = make.schema.code("rx", n), make.day()
        window = make.schema.code("window", 1 + n % 3)
        make.add(
            header,
            id=code,
            patient=patient,
            visit=visit,
            doctor=doctor,
            dept=dept,
            room=room,
            window=window,
            day=day,
            state=n % 2,
        )
        for _line in range(2):
            row += 1
            item, batch, price, qty = make.item(kind)
            make.add(
                history if n % 4 == 0 else lines,
                row=row,
                rx=code,
                item=item,
                batch=batch,
                price=price,
                qty=qty,
                amount=price * qty,
            )
            if kind == "drug":
                make.add(
                    "disp",
                    id=row,
                    rx=code,
                    patient=patient,
                    doctor=doctor,
                    dept=dept,
                    window=window,
                    item=item,
                    batch=batch,
                    qty=qty,
                    day=day,
                    state=n % 2,
                )


def _mixed(make: _Maker) -> None:
    """The tables that hold drugs, consumables and other things together."""
    code = make.schema.code
    kinds = make.schema.kinds
    for n in range(1, HEADERS * 4 + 1):
        kind = (*KINDS, "other")[n % 3] if n <= HEADERS * 3 else "ordinary"
        (doctor, dept, _room), (patient, visit) = make.who(), make.whom()
        item, batch, price, qty = make.item(kind)
        if kind == "other":
            item = f"QT{n % 5}"
        amount = price * qty
        day = make.day()
        name = item_name(kind, 1 + n % ITEMS) if kind != "other" else "合成护理"
        tell: Callable[[str], str] = lambda table, kind=kind: kinds.get(  # noqa: E731
            (table, kind), kinds[table, "other"]
        )[1]
        make.add(
            "order",
            id=code("rx", 5000 + n),
            visit=visit,
            patient=patient,
            doctor=doctor,
            dept=dept,
            ward=code("ward", 1 + n % 4),
            kind=tell("order"),
            item=item,
            name=name,
            qty=qty,
            day=day,
            state=n % 2,
        )
        make.add(
            "charge",
            id=n,
            visit=visit,
            patient=patient,
            doctor=doctor,
            dept=dept,
            kind=tell("charge"),
            item=item,
            qty=qty,
            amount=amount,
            day=day,
        )
        make.add(
            "ins",
            id=n,
            visit=visit,
            doctor=doctor,
            kind=tell("ins"),
            item=item,
            qty=qty,
            amount=amount,
            day=day,
        )
        make.add(
            "ledger",
            id=n,
            biz=tell("ledger"),
            dept=dept,
            item=item,
            batch=batch,
            qty=qty,
            day=day,
        )
        make.add("reg", id=code("visit", n), patient=patient, doctor=doctor, dept=dept, day=day)
        make.add("lab", id=f"L{n}", patient=patient, visit=visit, doctor=doctor, test=f"T{n % 6}")
    make.add("msg", id=1, text="合成消息")


def ordered(table: Table, row: dict[str, Value]) -> list[Value]:
    """A row in the table's column order; columns nobody filled are NULL."""
    return [row.get(column.logical) for column in table.columns]
