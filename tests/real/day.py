"""A day's work in GNU Health over its own XML-RPC. Runs in GNU Health's environment, alone.

`day.py ADDRESS DATABASE` reads the administrator's password from standard input and prints one JSON
line an act: {"who": login, "act": what, "from_us": …, "to_us": …}. Everybody in it and everything
they do is invented (合成数据). The last act, `listing`, is the one nobody may do: a doctor reads who
prescribed how much of one drug, line by line, and would add it up outside.
"""

import contextlib
import datetime
import json
import secrets
import sys
import time
from decimal import Decimal

from proteus import Model, Report, Wizard, config

DOCTORS, PATIENTS, ROUNDS = 3, 4, 2
ROLES = [
    "Health Doctor",
    "Health Back Office",
    "Health Front Desk",
    "Stock",
    "Product Administration",
]

address, database = sys.argv[1:]
passwords = {"admin": sys.stdin.readline().strip()}


@contextlib.contextmanager
def act(who, what):
    begun = time.time_ns() // 1000
    config.set_xmlrpc(f"http://{who}:{passwords[who]}@{address}/{database}/")
    yield
    ended = time.time_ns() // 1000
    print(json.dumps({"who": who, "act": what, "from_us": begun, "to_us": ended}), flush=True)


def new(model, **values):
    record = Model.get(model)(**values)
    record.save()
    return record


def first(model, *domain):
    return Model.get(model).find(list(domain), limit=1)[0]


def company():
    currency = Model.get("currency.currency").find([("code", "=", "CNY")]) or [
        new("currency.currency", name="人民币", code="CNY", symbol="¥", rounding=Decimal("0.01"))
    ]
    wizard = Wizard("company.company.config")
    wizard.execute("company")
    wizard.form.party = new("party.party", name="合成医院")
    wizard.form.currency = currency[0]
    wizard.execute("add")
    config.get_config()._context = Model.get("res.user").get_preferences(True, {})


def hospital():
    party = new("party.party", name="合成医院一院区", is_institution=True)
    institution = new(
        "gnuhealth.institution",
        code="SYN",
        party=party,
        institution_type="hospital",
        public_level="public",
    )
    warehouse = first("stock.location", ("type", "=", "warehouse"))
    new("party.party", name="合成药房", is_pharmacy=True, warehouse=warehouse)
    roles = Model.get("res.group").find([("name", "in", ROLES)])
    for n in range(DOCTORS):
        unit = new(
            "gnuhealth.hospital.unit", code=f"NK{n}", name=f"内科{n}", institution=institution
        )
        passwords[f"doc{n}"] = secrets.token_urlsafe(16)
        user = Model.get("res.user")(name=f"doc{n}", login=f"doc{n}", password=passwords[f"doc{n}"])
        user.companies.append(first("company.company"))
        user.company = first("company.company")
        user.groups.extend(Model.get("res.group").find([("id", "in", [r.id for r in roles])]))
        user.save()
        party = new(
            "party.party",
            name=f"合成医生{n}",
            lastname="甲",
            is_person=True,
            is_healthprof=True,
            gender="f",
            dob=datetime.date(1980, 1, 1 + n),
            internal_user=user,
            ref=f"D{n}",
        )
        new(
            "gnuhealth.healthprofessional",
            party=party,
            institution=institution,
            institution_unit=unit,
            code=f"H{n}",
        )
    for n in range(PATIENTS):
        party = new(
            "party.party",
            name=f"合成病人{n}",
            lastname="乙",
            is_person=True,
            is_patient=True,
            gender="m",
            dob=datetime.date(1960, 1, 1 + n),
            ref=f"P{n}",
        )
        if not Model.get("gnuhealth.patient").find([("party", "=", party.id)]):
            new("gnuhealth.patient", party=party)


def prices():
    for drug in Model.get("gnuhealth.medicament").find([], limit=4):
        template = drug.product.template
        template.list_price = Decimal("12.50")
        template.save()


def paper():
    """A report beside the one that comes with the system, printed as the document it is: making
    a PDF of it takes LibreOffice."""
    given = first("ir.action.report", ("report_name", "=", "prescription.order"))
    [copied] = Model.get("ir.action.report").duplicate([given], {"extension": ""})
    return copied.id


def printed(orders, paper):
    data = {
        "id": orders[0].id,
        "ids": [order.id for order in orders],
        "model": "gnuhealth.prescription.order",
        "action_id": paper,
    }
    assert Report("prescription.order").execute(orders, data)[1]


def prescribe(n):
    patients = Model.get("gnuhealth.patient").find([])
    drugs = Model.get("gnuhealth.medicament").find([], limit=4)
    pharmacy = first("party.party", ("is_pharmacy", "=", True))
    made = []
    for k in range(ROUNDS):
        order = Model.get("gnuhealth.prescription.order")()
        order.patient = patients[(n + k) % len(patients)]
        order.pharmacy = pharmacy
        for drug in (drugs[0], drugs[1 + (n + k) % 3]):
            line = order.prescription_line.new()
            line.medicament = drug
            line.quantity = 10 + n + k
        order.prescription_warning_ack = True
        order.save()
        order.click("create_prescription")
        made.append(order)
    return made


def one_patient(n):
    patient = Model.get("gnuhealth.patient").find([])[n % PATIENTS]
    for order in Model.get("gnuhealth.prescription.order").find([("patient", "=", patient.id)]):
        assert [line.quantity for line in order.prescription_line]


def own_list():
    today = datetime.datetime.combine(datetime.date.today(), datetime.time())
    Order = Model.get("gnuhealth.prescription.order")
    assert len(Order.find([("prescription_date", ">=", today)], limit=50)) >= ROUNDS


def listing():
    drug = Model.get("gnuhealth.medicament").find([], limit=1)[0]
    total = {}
    for line in Model.get("gnuhealth.prescription.line").find([("medicament", "=", drug.id)]):
        doctor = line.presc_order.healthprof.rec_name
        total[doctor] = total.get(doctor, 0) + line.quantity
    assert len(total) == DOCTORS


with act("admin", "set up the company"):
    company()
with act("admin", "set up the hospital"):
    hospital()
with act("admin", "set prices"):
    prices()
with act("admin", "choose the paper"):
    paper_id = paper()
for n in range(DOCTORS):
    with act(f"doc{n}", "prescribe"):
        made = prescribe(n)
    with act(f"doc{n}", "look at one patient"):
        one_patient(n)
    with act(f"doc{n}", "list today's prescriptions"):
        own_list()
    with act(f"doc{n}", "print"):
        printed(made[:1], paper_id)
    with act(f"doc{n}", "dispense"):
        for order in made:
            Wizard("gnuhealth.prescription.stock.move.create", [order]).execute("create_stock_move")
with act("admin", "see the stock"):
    store = first("stock.location", ("type", "=", "storage"))
    with config.get_config().set_context(locations=[store.id]):
        drugs = Model.get("gnuhealth.medicament").find([], limit=4)
        assert all(drug.product.quantity is not None for drug in drugs)
with act("doc0", "listing"):
    listing()
