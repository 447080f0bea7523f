"""A day's work in GNU Health through the gateway, and what the ledger says of it.

`python -m tests.real.his`: exit 0 when every check holds, 1 when one does not.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections import Counter
from datetime import datetime
from pathlib import Path

from qingfang.events import Event
from qingfang.record.entries import Act, Loss
from qingfang.record.verify import verify
from tests.real.gnuhealth import DATABASE, ROLE, Hospital
from tests.real.house import Guard, run

ROOT = Path(__file__).parents[2]
CORRECTIONS = ROOT / "tests" / "data" / "gnuhealth" / "corrections.txt"
PROGRAMS = ROOT / ".venv-real" / "bin"
# The server's own account of what reached it.
LOGGING = {"log_statement": "all", "log_line_prefix": "%d %u "}
_LOGGED = re.compile(rf"^{DATABASE} {ROLE} LOG:  (?:statement|execute [^:]*): ".encode(), re.M)
# Until its sign-in look-up a request has not said who it is for; on a new connection the server's own
# housekeeping (what its caches hold) comes before.
UNNAMED = 8
HOUSEKEEPING = 40


class Step:
    """One person's act: who, what, from when to when."""

    def __init__(self, line: bytes) -> None:
        told = json.loads(line)
        self.who, self.what = told["who"], told["act"]
        self.from_us, self.to_us = told["from_us"], told["to_us"]


def at_us(event: Event) -> int:
    return round(datetime.fromisoformat(event.at).timestamp() * 1_000_000)


async def day(hospital: Hospital, guard: Guard) -> list[Step]:
    async with guard.running():
        with hospital.serving(guard.port):
            code, said = await run(
                *(PROGRAMS / "python", Path(__file__).with_name("day.py")),
                *(hospital.address, DATABASE),
                stdin=hospital.admin_password + "\n",
            )
    steps = [Step(line) for line in said.splitlines()]
    if code:
        raise SystemExit(f"the day broke off after «{steps[-1].what if steps else ''}»")
    return steps


def check(guard: Guard, steps: list[Step], reached: int) -> list[str]:
    """What is wrong; empty when all is well."""
    wrong: list[str] = []
    values = [entry.value for entry in guard.entries()]
    events = sorted((v for v in values if isinstance(v, Event)), key=at_us)
    losses = [v for v in values if isinstance(v, Loss)]
    blind = [v for v in values if isinstance(v, Act) and v.what == "route.unjudged"]
    wrong += [f"lost: {loss}" for loss in losses] + [f"not judged: {act}" for act in blind]
    print(f"statements: {reached:,} reached the server, {len(events):,} in the ledger")
    if len(events) != reached:
        wrong.append("the ledger has not the statements that reached the server")
    if not (report := verify(guard.folder / "ledger")).ok:
        wrong.append(f"the ledger does not verify: {report}")
    print("verdicts:", dict(Counter(e.verdict for e in events)))
    opaque = [e for e in events if e.meaning is not None and e.meaning.disclosure == "opaque"]
    print(f"opaque: {len(opaque)} of {len(events):,}")
    if len(opaque) * 100 > len(events):
        wrong.append("more than 1 % is opaque")
    for step in steps:
        mine = [e for e in events if step.from_us <= at_us(e) <= step.to_us]
        alarms = [e for e in mine if e.verdict in {"alert", "mask", "deny"}]
        named = [e.operator.value if e.operator else None for e in mine]
        since = named.index(step.who) if step.who in named else len(named)
        others = Counter(n for n in named[since:] if n not in {step.who, None})
        fresh = Counter(e.connection for e in mine[since:] if e.operator is None)
        print(
            f"{step.who} {step.what}: {len(mine):,} statements, {len(alarms)} alarms; named from"
            f" no. {since + 1} on, others {dict(others)}, housekeeping {sum(fresh.values())}"
        )
        known = {e.connection for e in events if e.operator and at_us(e) < step.from_us}
        if (
            since > UNNAMED
            or others
            or known & fresh.keys()
            or max(fresh.values(), default=0) > HOUSEKEEPING
        ):
            wrong.append(f"{step.who} {step.what}: the operator is not named")
        if step.what == "listing" and not alarms:
            wrong.append("the listing of one drug by prescriber raised no alarm")
        if step.what != "listing":
            wrong += [f"alarm at {step.who} {step.what}: {e.reasons} {e.sql[:300]}" for e in alarms]
    return wrong


def main() -> None:
    folder = ROOT / ".state" / "real"
    folder.mkdir(parents=True, exist_ok=True)
    hospital = Hospital(folder, PROGRAMS, LOGGING)
    with hospital.database as server:
        hospital.install()
        command = ("discover", server.dsn(database=DATABASE), "--apply", str(CORRECTIONS))
        code, catalogue = asyncio.run(run(ROOT / ".venv/bin/qingfang", *command))
        if code:
            raise SystemExit(code)
        before = len(_LOGGED.findall(server.log.read_bytes()))
        guard = Guard(folder / "house", server.port or 0, catalogue.decode())
        steps = asyncio.run(day(hospital, guard))
        reached = len(_LOGGED.findall(server.log.read_bytes())) - before
    wrong = check(guard, steps, reached)
    for line in wrong:
        print("✗", line)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
