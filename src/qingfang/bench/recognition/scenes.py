"""Techniques of channel, blindness and process, and the twins of look-alikes, played with the real parts.

`played/*.txt` holds the scenes (played/README.md says how they are written). What people and programs
send goes through `stack`; packets go through the tap's flows, decoder and `engine.tap.Listening`; deaths
of processes through `engine.outages`.

Rules this module keeps:

1. A scene counts only if everything it expects came true in every dialect and kind it is played in.
2. What the product cannot show yet is written in the scene with its reason (`cannot`) and counts as not
   met; nothing is imitated.
3. An alarm counts when it is the product's: a verdict, or a record that it would write.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from qingfang.bench.recognition import hospital, wire
from qingfang.bench.recognition.fixtures import seconds, techniques
from qingfang.bench.recognition.hospital import (
    PROGRAMS,
    SITE,
    ZONE,
    Hospital,
    Staff,
    signing_in,
)
from qingfang.bench.recognition.results import Scene
from qingfang.bench.recognition.schema import (
    DIALECTS,
    KINDS,
    Kind,
    catalogue,
    render,
    schema,
)
from qingfang.bench.recognition.stack import Stack
from qingfang.bench.recognition.workload import Workload
from qingfang.config import Config, Database, Tap
from qingfang.engine.outages import AFTER_S, Outages, Part
from qingfang.engine.passive import Decoding
from qingfang.engine.supervisor import Change
from qingfang.engine.tap import Listening
from qingfang.events import Connection, Event, Verdict
from qingfang.judge import snapshot
from qingfang.judge.snapshot import Allowed, Days, Grant, Report, Span
from qingfang.record.client import Recordable
from qingfang.sense.gateway.contract import Decider, Leg, Unjudged
from qingfang.sense.tap.flows import Flows
from qingfang.statement import Outcome, Statement
from qingfang.understand.catalogue import Catalogue, load
from qingfang.understand.fingerprint import fingerprint

_FOLDER = Path(__file__).parent / "played"
_HEAD = re.compile(r"== (\w+) (.+)")
_LOOP = re.compile(r"for (\d+)\.\.(\d+) every (\w+)")
_EXPECTED = re.compile(
    r"(?P<what>.*) => (?P<said>[\w|]+)(?P<codes>(?: [a-z][\w.-]*)*?)(?: at (?P<at>\d+))?$"
)
_START = dt.datetime(2026, 1, 20, 9, 0, tzinfo=ZONE)
_SECOND_US = 1_000_000
_SERVER = "10.9.9.9"
_BARRED = ("alert", "deny", "mask")


class SceneError(ValueError):
    """A scene cannot be read: the message names file and line."""


class Played(Struct, frozen=True):
    """A scene as written: its lines with their numbers. `dialects` and `kinds` it is played in;
    `cannot` says why it cannot be played yet, `known` why it does not come true yet."""

    technique: str
    name: str
    file: str
    lines: tuple[tuple[int, str], ...]
    dialects: tuple[str, ...]
    kinds: tuple[Kind, ...]
    cannot: str = ""
    known: str = ""


@cache
def scenes() -> tuple[Played, ...]:
    """All scenes. Raises `SceneError`."""
    found: list[Played] = []
    for file in sorted(_FOLDER.glob("*.txt")):
        found += read(file.read_text(encoding="utf-8"), file.name)
    return tuple(found)


def read(source: str, file: str) -> Iterator[Played]:
    """The scenes of one text. Raises `SceneError`."""
    scene: Played | None = None
    for number, line in enumerate(source.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("=="):
            head = _HEAD.fullmatch(line)
            if head is None:
                raise SceneError(f"{file}:{number}: 应为 == 编号 名称")
            if scene is not None:
                yield scene
            scene = Played(head[1], head[2], file, (), DIALECTS, KINDS)
        elif scene is None:
            raise SceneError(f"{file}:{number}: 场景应以 == 开始")
        elif line.startswith("only "):
            names = line.split()[1:]
            strange = set(names) - {*DIALECTS, *KINDS}
            if strange:
                raise SceneError(f"{file}:{number}: 没有 {' '.join(sorted(strange))}")
            scene = replace(
                scene,
                dialects=tuple(d for d in DIALECTS if d in names) or scene.dialects,
                kinds=tuple(k for k in KINDS if k in names) or scene.kinds,
            )
        elif line.startswith("cannot "):
            scene = replace(scene, cannot=line.removeprefix("cannot "))
        elif line.startswith("known "):
            scene = replace(scene, known=line.removeprefix("known "))
        else:
            scene = replace(scene, lines=(*scene.lines, (number, line)))
    if scene is not None:
        yield scene


def play(
    dialects: Sequence[str] = DIALECTS,
    chosen: Sequence[str] = (),
    tick: Callable[[str], None] = lambda text: None,
) -> list[Scene]:
    """Every scene of the `chosen` techniques (none: all) in each of `dialects` it is written for."""
    found: list[Scene] = []
    for scene in scenes():
        if chosen and scene.technique not in chosen:
            continue
        tick(f"{scene.technique} {scene.name}")
        if scene.cannot:
            found.append(
                Scene(scene.technique, scene.name, "alarm", "-", False, None, scene.cannot)
            )
            continue
        for dialect in scene.dialects:
            if dialect in dialects:
                found.append(play_one(scene, dialect))
    return found


def play_one(scene: Played, dialect: str) -> Scene:
    """One scene in one dialect, in all its kinds. Raises `SceneError`."""
    stages = [_Stage(scene, dialect, kind) for kind in scene.kinds]
    for stage in stages:
        stage.play()
    wrong = next((stage for stage in stages if stage.got), stages[0])
    return Scene(
        scene.technique,
        f"{scene.name} ({dialect})",
        wrong.expected,
        wrong.got or wrong.expected,
        not wrong.got,
        min((s.until for s in stages if s.until is not None), default=None),
        f"{scene.known}\n  {wrong.where}".strip() if wrong.got else "",
    )


@cache
def _catalogue(dialect: str) -> Catalogue:
    return load(catalogue(schema(dialect)))


# ---------------------------------------------------------------- one scene


class _Records:
    """Where the tap and the supervisor would write to."""

    def __init__(self) -> None:
        self.alerts: list[Event] = []
        self.losses: dict[str, int] = {}

    def later(self, value: Recordable) -> None:
        if isinstance(value, Event):
            self.alerts.append(value)

    def report_loss(self, kind: str, count: int, why: str) -> None:
        self.losses[why] = self.losses.get(why, 0) + count


class _InProcess(Decider):
    """Answers a tap from the stages in this process."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self.verdicts: list[Verdict] = []

    def opened(self, connection: Connection, leg: Leg) -> None:
        pass

    def refused(self, connection: Connection, sqlstate: str, error: str) -> None:
        pass

    def decide(self, connection: Connection, statement: Statement) -> Verdict:
        outcome = Outcome(statement.number, statement.at_us, -1, -1, "lost")
        told, _digest = self._stack(connection, statement, outcome)
        self.verdicts.append(told.verdict)
        return told.verdict

    def given_up(self, connection: Connection, statement: Statement) -> None:
        pass

    def completed(
        self,
        connection: Connection,
        statement: Statement,
        verdict: Verdict | None,
        outcome: Outcome,
    ) -> None:
        pass

    def unjudged(self, interval: Unjudged) -> None:
        pass

    def closed(self, connection: Connection) -> None:
        pass


class _Stage:
    """Plays one scene in one dialect for one kind. `got` stays empty while all is as expected."""

    def __init__(self, scene: Played, dialect: str, kind: Kind) -> None:
        self.scene, self.of = scene, schema(dialect)
        self.kind: Kind = kind
        self.hospital = Hospital(self.of)
        self.given = self.hospital.snapshot()
        self.stack: Stack | None = None
        self.now = int(_START.timestamp()) * _SECOND_US
        self.connection: Connection | None = None
        self.loop: tuple[int, int, int] | None = None
        self.talks: dict[str, wire.Talk] = {}
        self.changes: list[Change] = []
        self.sent = 0
        self.until: int | None = None
        self.expected = self.got = self.where = ""
        """What had to come, what came instead (empty while all is as expected), and where."""
        self._connections = 0

    def play(self) -> None:
        lines = list(self.scene.lines)
        while lines and not self.got:
            number, line = lines.pop(0)
            try:
                body = lines.pop(0)[1].strip() if lines and lines[0][1].startswith("  ") else ""
                self._line(line, body)
            except (ValueError, KeyError, IndexError) as error:
                raise SceneError(f"{self.scene.file}:{number}: {error}") from None

    def _line(self, line: str, body: str) -> None:
        word, _space, rest = line.partition(" ")
        if word == "given":
            self._given(rest.split(), body)
        elif word == "who":
            self._who(rest.split())
        elif word == "on":
            moment = dt.datetime.fromisoformat(rest).replace(tzinfo=ZONE)
            self.now = int(moment.timestamp()) * _SECOND_US
        elif word == "for":
            loop = _LOOP.fullmatch(line)
            if loop is None:
                raise ValueError("应为 for 1..20 every 10s")
            self.loop = int(loop[1]), int(loop[2]), seconds(loop[3])
        elif word == "tap":
            self._tap(rest)
        elif word == "process":
            self.changes.append(Change(rest.split()[0], "down", self.now, "被杀死"))
        else:
            self._expected(line)

    # ------------------------------------------------------------ what is given

    def _first(self, post: str) -> Staff:
        """`clerk` is the first of the post, `clerk#2` the second."""
        name, _sign, number = post.partition("#")
        if name == hospital.VENDOR:
            return self.hospital.vendor
        return self.hospital.at(name)[int(number or 1) - 1]

    def _given(self, words: list[str], body: str) -> None:
        what, *words = words
        options = dict(word.split("=") for word in words if "=" in word)
        plain = [word for word in words if "=" not in word]
        was = self.given
        if what == "grant":
            staff = self._first(plain[0])
            scope = self._scope(plain[1], options, whole="class" in plain)
            since, until = was.made_at_us, was.expires_at_us
            if "valid" in options:
                first, last = (dt.date.fromisoformat(d) for d in options["valid"].split(".."))
                since, until = hospital.moment(first), hospital.moment(last + dt.timedelta(days=1))
            grant = Grant(
                id="G",
                person=staff.number,
                terminals=(staff.terminal,),
                scope=scope,
                valid=Span(from_us=since, to_us=until),
                max_runs=int(options["runs"]) if "runs" in options else None,
                filed_number="备",
                filed_us=was.made_at_us,
            )
            others = tuple(g for g in was.grants if g.person != staff.number)
            self.given = replace(was, grants=(*others, grant))
        elif what == "report":
            staff = self._first(plain[1])
            digest = fingerprint(render(body, self.of, self.kind), self.of.dialect).digest.hex()
            report = Report(
                id="R",
                digest=digest,
                menu=plain[0],
                scope=self._scope(plain[2], options, whole=False),
                persons=(staff.number,),
                terminals=(staff.terminal,),
            )
            self.given = replace(was, reports=(*was.reports, report))
        elif what == "away":
            number = self._first(plain[0]).number
            away = (Span(from_us=was.made_at_us, to_us=was.expires_at_us),)
            self.given = replace(
                was,
                persons=tuple(
                    replace(p, away=away) if p.number == number else p for p in was.persons
                ),
            )
        elif what == "host":
            terminal = self._first(plain[0]).terminal
            self.given = replace(
                was,
                terminals=tuple(
                    replace(t, host=plain[1]) if t.id == terminal else t for t in was.terminals
                ),
            )
        else:
            raise ValueError(f"没有 given {what}")

    def _scope(self, grain: str, options: dict[str, str], *, whole: bool) -> snapshot.Scope:
        of = self.of

        def codes(what: str, key: str) -> Allowed:
            if key not in options:
                return Allowed()
            named = tuple(of.code(what, int(n)) for n in options[key].split(","))
            return Allowed(kind="list", values=named)

        items = codes("material" if self.kind == "material" else "item", "items")
        if whole:
            items = Allowed(kind="class", values=(of.class_name,))
        first, _dots, last = options.get("period", "").partition("..")
        return msgspec.convert(
            {
                "grain": grain,
                "items": items,
                "departments": codes("dept", "departments"),
                "period": Days(from_day=first or None, to_day=last or None),
            },
            snapshot.Scope,
        )

    # ------------------------------------------------------------ who sends what

    def _stack(self) -> Stack:
        if self.stack is None:
            self.stack = Stack(_catalogue(self.of.dialect), self.given)
        return self.stack

    def _who(self, words: list[str]) -> None:
        options = dict(word.split("=") for word in words if "=" in word)
        plain = [word for word in words if "=" not in word]
        staff: Staff | None = None
        address = ""
        if plain[0] == "-":
            address = plain[plain.index("from") + 1]
        elif plain[0] == "sender-of":
            staff = Workload(self.hospital, 1).sender(plain[1])
        else:
            staff = self._first(plain[0])
        if staff is not None:
            address = self._first(plain[2]).address if plain[1:2] == ["at"] else staff.address
        self._connections += 1
        self.connection = Connection(
            id=f"c{self._connections}",
            site=SITE,
            node="bench",
            source="gateway",
            protocol=self.of.dialect,
            server=f"{_SERVER}:{wire.PORT}",
            client=f"{address}:{40000 + self._connections}",
            opened_us=self.now,
            route=options.get("route", hospital.CLINICAL),
            account=options.get("account", "his"),
            program=options.get("program", staff.program if staff else "").replace("_", " "),
            host=options.get("host", ""),
        )
        if staff is not None and staff.post not in PROGRAMS:
            self._ask(signing_in(self.of, staff, self.now))

    def _ask(self, sql: str, binds: tuple[str | None, ...] | None = None) -> Verdict:
        if self.connection is None:
            raise ValueError("先写 who")
        told, _found = self._stack().ask(self.connection, sql, binds, self.now)
        self.now += _SECOND_US
        self.sent += 1
        if told.verdict.decision in _BARRED and self.until is None:
            self.until = self.sent
        return told.verdict

    def _expected(self, line: str) -> None:
        found = _EXPECTED.fullmatch(line)
        if found is None:
            raise ValueError("应为 语句 => 结论 [代码…]")
        what, said, codes = found["what"], found["said"].split("|"), found["codes"].split()
        self.expected = f"{found['said']}{found['codes']}"
        if what == "seen":
            self._seen(said[0], codes)
            return
        if what.startswith("lookalike "):
            for sql, binds in self._lookalike(what.split()[1]):
                self._check(sql, self._ask(sql, binds), said, codes)
            return
        first, last, gap = self.loop or (0, 0, 0)
        self.loop = None
        verdicts: list[Verdict] = []
        sql = ""
        for n in range(first, last + 1):
            sql = render(_numbered(what, n), self.of, self.kind)
            verdicts.append(self._ask(sql))
            self.now += max(0, gap - 1) * _SECOND_US
            if not found["at"]:
                self._check(sql, verdicts[-1], said, codes)
        if found["at"]:
            within = verdicts[: int(found["at"])]
            hit = next((v for v in within if v.decision in said), within[-1])
            self._check(sql, hit, said, codes)

    def _lookalike(self, technique: str) -> list[tuple[str, tuple[str | None, ...] | None]]:
        cases = techniques("lookalikes")[technique].cases(self.of.dialect)
        return [(s.sql, s.binds) for case in cases if case.kind == self.kind for s in case.steps]

    def _check(self, sql: str, verdict: Verdict, said: list[str], codes: list[str]) -> None:
        if not self.got and (verdict.decision not in said or not set(codes) <= set(verdict.codes)):
            self.got = f"{verdict.decision} {' '.join(verdict.codes)}".strip()
            self.where = f"{self.kind}: {sql}"

    # ------------------------------------------------------------ what the monitoring sees

    def _tap(self, text: str) -> None:
        name, what, *words = text.split(" ")
        if what == "from":
            server = words[words.index("to") + 1] if "to" in words else _SERVER
            port = 40000 + len(self.talks)
            self.talks[name] = wire.Talk(words[0], server, port, midway="midway" in words)
            return
        talk = self.talks[name]
        if what == "signs":
            talk.sign_in("his", "MZYSZ.exe")
        elif what == "tls":
            talk.encrypt()
        elif what == "execute":
            talk.execute(words[0])
        elif what == "query":
            how = words.pop(0) if words[0] in {"lost", "late", "pieces", "twice"} else ""
            size = int(words.pop(0)) if how == "pieces" else 0
            talk.query(render(" ".join(words), self.of, self.kind), how, size)
        else:
            raise ValueError(f"没有 tap {what}")

    def _seen(self, said: str, codes: list[str]) -> None:
        records = _Records()
        watched: set[str] = set()
        if self.talks:
            watched = asyncio.run(self._listen(records))
        if self.changes:
            parts = {change.name: Part(change.name, "看不见") for change in self.changes}
            outages = Outages("bench", parts, records.later)
            for change in self.changes:
                outages.changed(change)
            outages.look(self.now + int((AFTER_S + 5) * _SECOND_US))
        alerts = {code for event in records.alerts for code in event.codes}
        seen = alerts if said == "alert" else watched
        self.until = 1 if alerts or watched else None
        if not set(codes) <= seen:
            self.got = " ".join(sorted(alerts | watched)) or "-"
            self.where = f"{self.kind}: {self.scene.name}"

    async def _listen(self, records: _Records) -> set[str]:
        database = Database(
            name="his", address=f"{_SERVER}:{wire.PORT}", catalogue="", dialect="postgres"
        )
        tap = Tap(name="mirror", database="his", interface="lo", ports=(wire.PORT,))
        config = Config(database=(database,), tap=(tap,))
        decider = _InProcess(self._stack())
        addresses = frozenset({f"{_SERVER}:{wire.PORT}"})
        listening = Listening(config, tap, records, addresses, decider, hold_s=0)
        flows = Flows({wire.PORT: "pg"}, Decoding(listening), source="tap", prefix="t")
        for talk in self.talks.values():
            talk.close()
        last = self.now
        for at_us, link, size, data in wire.timed(list(self.talks.values()), self.now):
            flows.frame(at_us, link, size, data)
            last = at_us
            await asyncio.sleep(0)
        flows.finish(last + 60 * _SECOND_US)
        await listening.close()
        for verdict in decider.verdicts:
            if verdict.decision in _BARRED:
                records.alerts.append(_judged(verdict))
        watched = {"unregistered"} if listening.unregistered else set[str]()
        if records.losses and flows.counts().lost_bytes:
            watched.add("loss")
        return watched


def _judged(verdict: Verdict) -> Event:
    """A verdict as an event, for counting with the others."""
    return Event(
        connection="",
        at="",
        source="tap",
        protocol="pg",
        server="",
        database="his",
        account="his",
        client="",
        sql="",
        kind="query",
        verdict=verdict.decision,
        codes=verdict.codes,
    )


def _numbered(text: str, n: int) -> str:
    text = re.sub(r"\{\*x(\d+)\}", lambda found: str(n * int(found[1])), text)
    return re.sub(r"\{(\w+)\*(#?)\}", lambda found: f"{{{found[1]}{n}{found[2]}}}", text)
