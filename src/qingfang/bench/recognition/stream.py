"""A stream of benign statements with attack sessions mixed in, judged by the real stages in process.

What is counted: alarms on benign work (each with its sentence), attack sessions found, and what is
`opaque`. `STATEMENTS_A_DAY` makes hospital days of it.

Rules this module keeps:

1. A hospital a dialect, each with its own roster, memory and cache; the benign statements are shared out
   evenly among the dialects asked for, and cover a month of each, because people learn over a month.
2. Alarms on the ordinary work of somebody who attacked before are counted apart (`after`): they rest on
   what was planted.
3. The same seed gives the same stream and the same counts.
"""

from __future__ import annotations

import datetime as dt
import heapq
import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from qingfang.bench.recognition import hospital, sessions
from qingfang.bench.recognition.hospital import Hospital, Staff
from qingfang.bench.recognition.results import Alarm, Planted, Stream
from qingfang.bench.recognition.schema import DIALECTS, catalogue, schema
from qingfang.bench.recognition.stack import Stack
from qingfang.bench.recognition.workload import Sent, Workload
from qingfang.engine.judging import Told
from qingfang.events import Connection
from qingfang.language import _
from qingfang.understand.catalogue import load

STATEMENTS_A_DAY = 1_000_000
"""What a hospital of a thousand beds sends on a working day: about 3,000 out-patient visits and 1,000
in-patients at some 150 to 250 statements each, the programs' polling included."""
_BLOCK = 250_000
_PROGRESS = 25_000
_ALARMS = ("alert", "deny", "mask")


class _Counts:
    """What is counted over all dialects."""

    def __init__(self) -> None:
        self.benign = self.after = self.opaque = 0
        self.verdicts: Counter[str] = Counter()
        self.templates: set[bytes] = set()
        self.opaque_templates: set[bytes] = set()
        self.alarms: list[Alarm] = []
        self.planted: list[Planted] = []


def run(
    progress: Callable[[str], None],
    dialects: Sequence[str] = DIALECTS,
    benign: int = STATEMENTS_A_DAY,
    seed: int = 1,
) -> Stream:
    """The stream, judged. `progress` is told now and then how far it is."""
    counts = _Counts()
    began = time.perf_counter()
    for n, dialect in enumerate(dialects):
        share = benign * (n + 1) // len(dialects) - benign * n // len(dialects)
        _one(counts, dialect, share, seed, benign, progress)
    return Stream(
        benign=counts.benign,
        days=round(counts.benign / STATEMENTS_A_DAY, 3),
        seconds=round(time.perf_counter() - began, 1),
        alarms=tuple(counts.alarms),
        planted=tuple(counts.planted),
        opaque=counts.opaque,
        templates=len(counts.templates),
        opaque_templates=len(counts.opaque_templates),
        verdicts=dict(counts.verdicts),
        after=counts.after,
    )


class _Found:
    """What became of a plan so far."""

    def __init__(self, plan: sessions.Plan) -> None:
        self.plan = plan
        self.sent = 0
        self.until: int | None = None
        self.named = False


def _one(
    counts: _Counts,
    dialect: str,
    share: int,
    seed: int,
    whole: int,
    progress: Callable[[str], None],
) -> None:
    of = schema(dialect)
    wanted = sessions.chosen(of, seed)
    house = Hospital(of, blocks=max(1, -(-share // _BLOCK)), extra=2 * len(wanted))
    stack = Stack(load(catalogue(of)), house.snapshot())
    plans = sessions.plans(house, wanted, seed)
    found = {staff.number: _Found(plan) for plan in plans for staff in plan.people[:1]}
    for plan in plans:
        for staff in plan.people[1:]:
            found[staff.number] = found[plan.people[0].number]
    attack = heapq.merge(
        *(sessions.sent(plan, of) for plan in plans), key=lambda s: (s.at_us, s.staff.number)
    )
    work = itertools.islice(Workload(house, seed).days(), share)
    opened: dict[Staff, Connection] = {}
    for sent in _merged(work, attack):
        connection = opened.get(sent.staff)
        if connection is None:
            connection = opened[sent.staff] = _connected(sent, dialect, found)
        told, template = stack.ask(connection, sent.sql, sent.binds, sent.at_us)
        planted = found.get(sent.staff.number)
        if planted is not None and sent.technique == planted.plan.name:
            planted.sent += 1
            if told.verdict.decision in _ALARMS and planted.until is None:
                planted.until = planted.sent
                planted.named = _named(told, sent.staff)
            continue
        counts.benign += 1
        counts.verdicts[told.verdict.decision] += 1
        counts.templates.add(template.template.digest)
        if told.meaning.disclosure == "opaque":
            counts.opaque += 1
            counts.opaque_templates.add(template.template.digest)
        if told.verdict.decision in _ALARMS:
            if planted is not None and planted.sent:
                counts.after += 1
            else:
                counts.alarms.append(_alarm(sent, told, dialect))
        if not counts.benign % _PROGRESS:
            alarms = len(counts.alarms)
            progress(_("日常语句 {:,} / {:,}，误报 {}").format(counts.benign, whole, alarms))
    counts.planted += [
        Planted(
            one.plan.name,
            dialect,
            one.plan.over,
            len(one.plan.people),
            one.until is not None,
            one.until,
            one.named,
        )
        for one in dict.fromkeys(found.values())
    ]


def _merged(work: Iterator[Sent], attack: Iterator[Sent]) -> Iterator[Sent]:
    return heapq.merge(work, attack, key=lambda s: s.at_us)


def _connected(sent: Sent, dialect: str, found: dict[str, _Found]) -> Connection:
    staff = sent.staff
    planted = found.get(staff.number)
    strict = planted is not None and planted.plan.name == "T94"
    return Connection(
        id=f"{dialect}-{staff.terminal}",
        site=hospital.SITE,
        node="bench",
        source="gateway",
        protocol=dialect,
        server="10.9.9.9:1000",
        client=f"{staff.address}:40000",
        opened_us=sent.at_us,
        route=hospital.STRICT if strict else hospital.CLINICAL,
        account="his",
        program=staff.program,
    )


def _named(told: Told, staff: Staff) -> bool:
    """Whether the alarm names operator, terminal and place, and rightly."""
    who = told.who
    return (
        who.operator is not None
        and who.operator.value == staff.number
        and who.terminal is not None
        and who.terminal.value == staff.terminal
        and who.place is not None
    )


def _alarm(sent: Sent, told: Told, dialect: str) -> Alarm:
    at = dt.datetime.fromtimestamp(sent.at_us / 1_000_000, hospital.ZONE)
    operator = told.who.operator.value if told.who.operator else ""
    terminal = told.who.terminal.value if told.who.terminal else ""
    return Alarm(
        dialect=dialect,
        sql=sent.sql,
        program=sent.staff.program,
        operator=sent.staff.number,
        at=at.isoformat(timespec="seconds"),
        sentence="；".join(told.verdict.reasons),
        codes=told.verdict.codes,
        technique=sent.technique,
        true=operator in {"", sent.staff.number} and terminal in {"", sent.staff.terminal},
    )
