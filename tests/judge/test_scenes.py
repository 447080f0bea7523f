"""SQL in, verdicts out, over whole scenes (tests/judge/scenes/*.txt): analysis, accumulation and
judgement together, as the engine wires them."""

import datetime
import hashlib
import json
import re
from pathlib import Path

import pytest

from qingfang.events import Connection, Value, Verdict
from qingfang.judge import policy, snapshot
from qingfang.judge.attribution import Attribution
from qingfang.judge.judge import History, Judge
from qingfang.judge.snapshot import (
    Allowed,
    Days,
    Designation,
    Directory,
    Grant,
    Person,
    RouteMode,
    Service,
    Snapshot,
    Span,
    Terminal,
    Weekly,
)
from qingfang.understand import catalogue
from qingfang.understand.accumulate import Learner, Memory
from qingfang.understand.analysis import Analyser

HERE = Path(__file__).parent / "scenes"
SHANGHAI = datetime.timezone(datetime.timedelta(hours=8))
SECOND = 1_000_000
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def moment(text: str) -> int:
    return int(datetime.datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).timestamp()) * SECOND


YEAR = Span(from_us=moment("2025-12-01 00:00"), to_us=moment("2027-01-01 00:00"))
HOSPITAL = Snapshot(
    site="h",
    version=1,
    made_at_us=YEAR.from_us,
    expires_at_us=YEAR.to_us,
    persons=tuple(Person(number=n) for n in ("YS03", "YS04", "YP01", "TJ01")),
    terminals=(
        Terminal(id="T-STAT", addresses=("10.0.1.1",), role="statistics"),
        Terminal(id="T-WARD", addresses=("10.0.2.2",)),
        Terminal(id="T-ETL", addresses=("10.0.5.5",), role="server"),
        Terminal(id="T-KIOSK", addresses=("10.0.9.9",), role="kiosk"),
    ),
    designations=(Designation(function="statistics", persons=("TJ01",), terminals=("T-STAT",)),),
    grants=(
        Grant(
            id="G1",
            person="TJ01",
            terminals=("T-STAT",),
            scope=snapshot.Scope(
                grain="department",
                items=Allowed(kind="class", values=("抗菌药物",)),
                period=Days(from_day="2025-10-01", to_day="2025-12-31"),
            ),
            valid=YEAR,
            filed_number="备-1",
            filed_us=YEAR.from_us,
        ),
    ),
    services=(
        Service(
            id="S1",
            why="夜间抽取到数据仓库",
            terminals=("T-ETL",),
            program="etl",
            tables=("cf_main", "cf_line"),
            windows=(Weekly(from_time="01:00", to_time="05:00"),),
        ),
    ),
    routes=(RouteMode(route="strict", mode="enforce"),),
)
CATALOGUE = catalogue.load(json.loads((HERE / "catalogue.json").read_text("utf-8")))


class Stage:
    """The stages in the order the engine calls them."""

    def __init__(self) -> None:
        self.analyser = Analyser(CATALOGUE)
        self.memory, self.attribution = Memory(), Attribution()
        self.directory = Directory(HOSPITAL)
        self.judge = Judge(policy.read(), self.directory, History(), self.attribution)

    def run(
        self, sql: str, connection: Connection, operator: str, at_us: int, rows: int | None
    ) -> Verdict:
        meaning = self.analyser.analyse(sql).meaning
        if operator not in "-?":
            signed = meaning.__class__("none", operator=Value(operator))
            self.attribution.who(connection, signed, self.directory, at_us)
        who = self.attribution.who(connection, meaning, self.directory, at_us)
        person = who.operator or who.terminal
        learner = Learner(
            session=connection.id,
            person=person.value if person else None,
            groups=(f"terminal:{who.terminal.value}",) if who.terminal else (),
            own=(who.operator.value,) if who.operator else (),
            place=self.judge.place(connection, who, at_us),
            turns=self.judge.turns(connection, who, at_us),
        )
        # Literals that are put back in make the same template.
        template = hashlib.sha256(re.sub(r"'[^']*'|\b\d+\b", "?", sql).encode()).digest()
        meaning = self.memory.consider(meaning, learner, at_us, template, rows)
        verdict = self.judge.judge(meaning, connection, who, at_us, template, rows)
        if verdict.decision != "deny":
            self.memory.learn(meaning, learner, at_us, template, rows)
        return verdict


SCENES = [
    pytest.param(scene, id=f"{file.stem}: {scene.splitlines()[0]}")
    for file in sorted(HERE.glob("*.txt"))
    for scene in file.read_text("utf-8").split("\n## ")[1:]
]


@pytest.mark.parametrize("scene", SCENES)
def test_scene(scene: str) -> None:
    stage = Stage()
    now, step = moment("2026-01-20 09:00"), SECOND
    operator, connection = "-", Connection("c", "h", "n", "gateway", "pg", "s:1", "", now)
    loop: range | None = None
    name, rows = "", None
    for line in scene.splitlines()[1:]:
        if not line.strip() or line.startswith("#"):
            continue
        word, _space, rest = line.partition(" ")
        if word == "who":
            first, *pairs = rest.split()
            operator, client = first.split("@")
            facts = dict(pair.split("=") for pair in pairs)
            facts = {"program": "HIS.exe"} | {k: v.replace("_", " ") for k, v in facts.items()}
            connection = Connection(
                first, "h", "n", "gateway", "pg", "s:1", f"{client}:5000", now, **facts
            )
        elif word == "at":
            now = moment(rest)
        elif word == "every":
            step = int(rest[:-1]) * UNITS[rest[-1]] * SECOND
        elif word == "rows":
            rows = int(rest)
        elif word == "for":
            found = re.fullmatch(r"(\w+) in (\d+)\.\.(\d+)(?: step (\d+))?", rest)
            assert found, line
            name = found[1]
            loop = range(int(found[2]), int(found[3]) + 1, int(found[4] or 1))
        else:
            sql, _arrow, expected = line.partition(" => ")
            codes, _at, begins = expected.partition(" at ")
            decision, *wanted = codes.split()
            for n, value in enumerate(loop or [0], 1):
                text = sql.replace("{" + name + "}", str(value)) if loop else sql
                first, _bar, then = text.partition(" | ")
                verdict = stage.run(first, connection, operator, now, rows)
                if then:
                    assert stage.run(then, connection, operator, now, None).decision == "pass"
                now += step
                if begins and n < int(begins):
                    assert verdict.decision == "pass", (n, text, verdict)
                else:
                    assert verdict.decision == decision, (n, text, verdict)
                    assert set(wanted) <= set(verdict.codes), (n, text, verdict)
            loop, rows = None, None
