"""What sessions, persons and groups have learned by now: rule 9 of the `explain` contract.

One statement may reveal little and a hundred of them everything. This module remembers, for each
session, each person (operator, else terminal) and each group (people of one unit or terminal), the
little that is needed to see when the parts become a whole, and says so at the very statement that
completes it and at each further one that adds to it.

Rules this module keeps:

1. Pure: time comes in as data, nothing is read or sent. `consider` changes nothing; `learn` takes
   in what really reached the receiver, so a denied statement teaches nobody anything.
2. Only what a statement contributes to is reported. A person who revealed much yesterday and opens
   one patient today is not reported for today; and breadth of normal work never hides a first large
   reveal, because every measure counts distinct things beyond what the work explains, not against
   somebody's average.
3. What is worked on explains being read: keys that the same person writes (orders, dispensing,
   charges) do not count as scanned, nor do as many keys as the person's own work lists of that day
   hold. A person's own figures and lists are not enumeration. A registered service is exempt from
   scanning, and from nothing else.
4. Except for key order and the months of `rhythm`, the outcome does not depend on the order in
   which statements of one moment are learned.
5. Memory is bounded: sets hold 64-bit digests with the time last seen, and at most `cap` of them,
   the oldest going first; caps lie far above every limit. Sessions and persons beyond the allowed
   number are forgotten, the longest idle first.
6. `dump` and `load` carry the whole state over a restart; other versions are refused, not guessed.

The limits are those of the contract where it names them (50 keys an hour, 20 in key order or taken
from an unpinned list); the others are documented at `Limits`.
"""

from __future__ import annotations

import datetime
import hashlib
import re
from collections import OrderedDict
from typing import Literal

import msgspec
from msgspec import Struct

from qingfang.events import Disclosure, Fixed, Gathered, Grain, Meaning, Pin, Yield

VERSION = 1
HOUR = 3_600_000_000
DAY = 24 * HOUR

_DISCLOSURE: tuple[Disclosure, ...] = ("none", "clinical", "opaque", "usage")
_GRAIN: tuple[Grain, ...] = ("institution", "department", "prescriber", "detail")
_KEY_ROLES = frozenset({"patient_id", "visit_id", "prescription_id"})
_ITEM = frozenset({"item_id", "item_name", "item_spec", "item_class", "item_kind"})
_PRESCRIBER = frozenset({"prescriber_id", "prescriber_name"})
_DEPARTMENT = frozenset({"department_id", "department_name"})
_NUMBER = re.compile(r"^(.*?)(\d{1,18})$", re.DOTALL)
_DATE = re.compile(r"\s*(\d{4})[-/.]?(\d{1,2})[-/.]?(\d{1,2})")
_EPOCH_ORDINAL = 719_163
_NEAR = 16  # how far apart neighbours in a slow scan may be
_Over = Literal["session", "person", "group"]


FINDINGS: dict[str, str] = {
    "scan-listed": "先取了一份清单，再逐个打开其中的病人或处方，已有 {count} 个",
    "scan-hour": "一小时内逐个打开了 {count} 个病人或处方，超出本人工作所能解释的范围",
    "scan-unseen": "一小时内 {count} 次逐个查病人或处方，查的是哪些看不到，次数远多于工作所需",
    "scan-day": "一天内逐个打开了 {count} 个病人或处方，超出本人工作所能解释的范围",
    "scan-order": "按号码顺序逐个打开了 {count} 个病人或处方",
    "enumeration": "一名接一名地查医生，{days} 天内已查 {count} 名",
    "lists-of-days": "把 {count} 个不同日子的工作清单凑在一起，已不是当天的工作",
    "item-by-day": "{count} 天来每天都查同一种药品或耗材的工作清单",
    "joined": "与先前取得的结果按同一编号拼起来，就能算出医生或科室的用量",
    "joined-group": "与同科室或同终端的人先前取得的结果拼起来，就能算出医生或科室的用量",
    "difference": "用合计减去「除某人（某科室）之外的合计」，就能得到此人（此科室）的用量",
    "pages": "同一份明细分次取，已取 {count} 次",
    "probing": "用同样形式的语句反复试探，一天内已有 {count} 次",
    "rhythm": "连续 {count} 个月在月初查同类数据",
}
"""What a finding says, by its code (docs/reasons.md)."""


class Limits(Struct, frozen=True):
    """When parts become a whole. All count distinct things, but `hourly_unseen`.

    `hourly_keys`, `daily_keys`: pinned keys in an hour or a day beyond what the work explains.
    `hourly_unseen`: pinned statements in one hour of the clock whose keys are not known.
    `ordered_keys`: keys in key order, however slowly. `listed_keys`: keys in a day after an unpinned
    list that carried them. `list_rows`: what a work list of unknown length explains, and
    `most_explained`: what work lists explain at most. `prescribers`: prescribers whose lists of a
    day were read one by one. `other_days`: days other than the present whose work lists were read.
    `item_days`: days on which work lists were read for one and the same item. `pages`, `repeats`,
    `months`: pages of one list, repeated probes with one shape, and months in a row, from which on
    an explanation is added to a statement that is usage by itself.
    """

    window_days: int = 31
    hourly_keys: int = 50
    hourly_unseen: int = 600
    daily_keys: int = 300
    ordered_keys: int = 20
    listed_keys: int = 20
    list_rows: int = 60
    most_explained: int = 300
    prescribers: int = 5
    other_days: int = 5
    item_days: int = 10
    pages: int = 3
    repeats: int = 5
    months: int = 3
    cap: int = 1024
    sessions: int = 20_000
    persons: int = 50_000


class Learner(Struct, frozen=True):
    """Who receives: the session (None outside one), the person (operator, else terminal), groups
    the person belongs to (`unit:…`, `terminal:…`), codes under which the person prescribes, and
    whether this is a registered service at its duty."""

    session: str | None = None
    person: str | None = None
    groups: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    service: bool = False


class Run(Struct):
    """Keys read in key order: the last one, split for comparing, the direction (0 until known), and
    the digests of those read and not yet explained by work. A `near` run takes only keys close to
    its last one and survives other reading in between (`reads` counts all since it began); the other
    kind takes any step, unbroken."""

    role: str
    prefix: str
    number: int
    direction: int
    near: bool
    keys: list[int]
    reads: int
    last_us: int


class Part(Struct, frozen=True):
    """A result somebody holds: what it can be joined by, and what it would contribute."""

    links: tuple[int, ...]
    item: bool
    measure: bool
    prescriber: bool
    department: bool
    last_us: int


class Knowledge(Struct):
    """What one session, person or group holds. Maps lead from a digest to when it was last seen,
    unless said otherwise.

    `unseen`: hour, and pinned reads in it whose keys are not known. `revealed`: disclosure and grain, packed. `unexplained`: pinned keys read, of the last day.
    `worked`: keys written. `ranges`: role and prefix → lowest and highest number read. `lists`: key role → unpinned list that carried it. `allowance`: unit →
    (rows of its work list, when). `item_days`: item → days. `held`: what joining goes over. `sums`:
    a sum → the exclusions it was asked with. `repeats`: shape → (times, when). `months`: month
    counted from year 0.
    """

    last_us: int = 0
    revealed: dict[int, int] = {}
    unexplained: dict[int, int] = {}
    worked: dict[int, int] = {}
    lists: dict[str, int] = {}
    allowance: dict[int, tuple[int, int]] = {}
    runs: list[Run] = []
    ranges: dict[str, tuple[int, int]] = {}
    prescribers: dict[int, int] = {}
    other_days: dict[int, int] = {}
    item_days: dict[int, dict[int, int]] = {}
    held: dict[int, Part] = {}
    sums: dict[int, dict[int, int]] = {}
    repeats: dict[int, tuple[int, int]] = {}
    months: dict[int, int] = {}
    unseen: tuple[int, int] = (0, 0)


class _State(Struct):
    version: int
    sessions: list[tuple[str, Knowledge]]
    persons: list[tuple[str, Knowledge]]
    groups: list[tuple[str, Knowledge]]


class Key(Struct, frozen=True):
    """One pinned or written key."""

    role: str
    digest: int
    prefix: str
    number: int | None


class Facts(Struct):
    """What one statement brings, computed once for all who learn."""

    at_us: int
    day: int
    disclosure: Disclosure
    grain: Grain | None
    worklist: bool = False
    read: tuple[Key, ...] = ()
    unseen: bool = False
    written: tuple[Key, ...] = ()
    list_roles: tuple[str, ...] = ()
    unit: int = 0
    unit_rows: int = 0
    list_day: int | None = None
    list_items: tuple[int, ...] = ()
    prescribers: tuple[int, ...] = ()
    parts: tuple[tuple[int, Part], ...] = ()
    sums: tuple[tuple[int, int], ...] = ()
    shape: int = 0
    paged: bool = False
    month: int = 0


def _digest(*parts: str) -> int:
    raw = "\x1f".join(parts).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(raw, digest_size=8).digest(), "big")


def _seen(
    times: dict[int, int], digest: int, at_us: int, since_us: int, cap: int, *, keep: bool
) -> int:
    """How many things were seen since, this one included; with `keep` it is remembered."""
    count = sum(1 for d, t in times.items() if t >= since_us and d != digest) + 1
    if keep:
        _remember(times, digest, at_us, cap)
    return count


def _known_since(times: dict[int, int], digest: int, since_us: int) -> bool:
    last = times.get(digest)
    return last is not None and last >= since_us


def _remember(times: dict[int, int], digest: int, at_us: int, cap: int) -> None:
    known = times.get(digest)
    if known is None and len(times) >= cap:
        for old in sorted(times, key=times.__getitem__)[: max(1, cap // 8)]:
            del times[old]
    times[digest] = at_us if known is None else max(known, at_us)


def _split(text: str) -> tuple[str, int | None]:
    match = _NUMBER.match(text)
    return (match[1], int(match[2])) if match else (text, None)


class Memory:
    """What everybody has learned. One process owns it (docs/architecture.md).

    `utc_offset_minutes` turns moments into local days.
    """

    def __init__(self, limits: Limits | None = None, utc_offset_minutes: int = 480) -> None:
        self._limits = limits or Limits()
        self._offset_us = utc_offset_minutes * 60_000_000
        self._sessions: OrderedDict[str, Knowledge] = OrderedDict()
        self._persons: OrderedDict[str, Knowledge] = OrderedDict()
        self._groups: OrderedDict[str, Knowledge] = OrderedDict()

    # -------------------------------------------------------------- the front door

    def consider(
        self,
        meaning: Meaning,
        learner: Learner,
        at_us: int,
        template: bytes = b"",
        rows: int | None = None,
    ) -> Meaning:
        """`meaning` with `session_*`, `person_*` and `gathered` filled in, as if it were answered.
        `at_us` is 0 when the time is not known; `rows` what the server returned, if it has."""
        facts = self._facts(meaning, learner, at_us, template, rows)
        found: dict[str, Gathered] = {}
        session = person = None
        if learner.session is not None:
            known = self._sessions.get(_session_key(learner)) or Knowledge()
            session = self._weigh(known, facts, "session", learner, found, keep=False)
        if learner.person is not None:
            known = self._persons.get(learner.person) or Knowledge()
            person = self._weigh(known, facts, "person", learner, found, keep=False)
        for group in learner.groups:
            shared = self._groups.get(group)
            if shared is not None:
                self._weigh_group(shared, facts, found, keep=False)
        return msgspec.structs.replace(
            meaning,
            session_disclosure=session[0] if session else None,
            session_grain=session[1] if session else None,
            person_disclosure=person[0] if person else None,
            person_grain=person[1] if person else None,
            gathered=tuple(found.values()),
        )

    def learn(
        self,
        meaning: Meaning,
        learner: Learner,
        at_us: int,
        template: bytes = b"",
        rows: int | None = None,
        *,
        carried: bool = False,
    ) -> None:
        """Remember that the statement was answered. `carried` tells that an approval or a
        registration carries it: then colleagues are not held to know it."""
        facts = self._facts(meaning, learner, at_us, template, rows)
        if facts.disclosure == "none" and not (facts.parts or facts.written):
            return
        found: dict[str, Gathered] = {}
        if learner.session is not None:
            known = _touch(self._sessions, _session_key(learner), at_us, self._limits.sessions)
            self._weigh(known, facts, "session", learner, found, keep=True)
        if learner.person is not None:
            known = _touch(self._persons, learner.person, at_us, self._limits.persons)
            self._weigh(known, facts, "person", learner, found, keep=True)
        if not carried and (facts.parts or facts.sums):
            for group in learner.groups:
                shared = _touch(self._groups, group, at_us, self._limits.persons)
                self._weigh_group(shared, facts, found, keep=True)

    def take(
        self,
        meaning: Meaning,
        learner: Learner,
        at_us: int,
        template: bytes = b"",
        rows: int | None = None,
    ) -> Meaning:
        """Consider and learn: for what was answered already (replay, tap, trail)."""
        considered = self.consider(meaning, learner, at_us, template, rows)
        self.learn(meaning, learner, at_us, template, rows)
        return considered

    def dump(self) -> bytes:
        """The whole state, to be read back by `load` of the same version."""
        return msgspec.msgpack.encode(
            _State(
                VERSION,
                list(self._sessions.items()),
                list(self._persons.items()),
                list(self._groups.items()),
            )
        )

    def load(self, data: bytes) -> None:
        """Take over a dumped state. Raises ValueError, and changes nothing, when it is none or of
        another version."""
        try:
            state = msgspec.msgpack.decode(data, type=_State)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ValueError(f"not a state of accumulation: {error}") from None
        if state.version != VERSION:
            raise ValueError(f"state of version {state.version}, this program reads {VERSION}")
        self._sessions = OrderedDict(state.sessions)
        self._persons = OrderedDict(state.persons)
        self._groups = OrderedDict(state.groups)

    # -------------------------------------------------------------- one statement's facts

    def _facts(
        self, meaning: Meaning, learner: Learner, at_us: int, template: bytes, rows: int | None
    ) -> Facts:
        local_day = (at_us + self._offset_us) // DAY
        facts = Facts(at_us, local_day, meaning.disclosure, meaning.grain)
        if not (meaning.yields or meaning.pins or meaning.works):
            return facts
        pinned = meaning.disclosure == "clinical" and meaning.subtype == "pinned"
        facts.worklist = meaning.disclosure == "clinical" and meaning.subtype == "worklist"
        if pinned:
            facts.read = _keys(meaning.pins)
            facts.unseen = any(v.text is None for p in meaning.pins for v in p.values)
        facts.written = _keys(meaning.works)
        fixed = [f for y in meaning.yields for f in y.fixed]
        prescribers = [
            v.text for f in fixed if f.role in _PRESCRIBER and not f.negated for v in f.values
        ]
        others = [p for p in prescribers if p not in learner.own]
        if facts.worklist or meaning.disclosure == "usage":
            facts.prescribers = tuple(sorted({_digest(p) for p in others if p is not None}))
        own = bool(prescribers) and not others
        one_day = _one_day(meaning, local_day)
        if facts.worklist:
            facts.unit = _digest(*sorted(_units(fixed)))
            facts.unit_rows = self._limits.list_rows if rows is None else rows
            facts.list_day = None if own else one_day
            facts.list_items = tuple(
                sorted(
                    {
                        _digest(v.text)
                        for f in fixed
                        if f.role in ("item_id", "item_name") and not f.negated
                        for v in f.values
                        if v.text is not None
                    }
                )
            )
        elif not pinned:
            self._loose_facts(facts, meaning, own, one_day, rows)
        if meaning.disclosure == "usage":
            if meaning.grain != "institution":
                facts.shape = _digest("shape", template.hex(), *_shape(meaning.yields))
                facts.month = self._month(meaning, local_day)
            facts.paged = any(y.paged for y in meaning.yields)
        return facts

    def _loose_facts(
        self, facts: Facts, meaning: Meaning, own: bool, one_day: int | None, rows: int | None
    ) -> None:
        """Facts of rows that neither a pin nor a work list holds together."""
        parts: list[tuple[int, Part]] = []
        sums: list[tuple[int, int]] = []
        roles: set[str] = set()
        for row in meaning.yields:
            if row.pinned:
                continue
            selecting = {f.role for f in row.fixed if not f.negated}
            held = set(row.roles)
            links = tuple(
                sorted(
                    {_digest(k.lower()) for k in row.keys} | {_digest(r) for r in held & _KEY_ROLES}
                )
            )
            prescriber = bool((held | selecting) & _PRESCRIBER)
            if links and not own:
                part = Part(
                    links,
                    bool((held | selecting) & _ITEM),
                    row.measured,
                    prescriber,
                    bool((held | selecting) & _DEPARTMENT),
                    facts.at_us,
                )
                telling = (part.item, part.measure, part.prescriber, part.department)
                parts.append((_digest(repr(links), repr(telling)), part))
            if held & _KEY_ROLES and not row.aggregated and not own:
                if one_day is not None or "time" in selecting:
                    facts.unit = _digest(*sorted(_units(row.fixed)))
                    facts.unit_rows = self._limits.list_rows if rows is None else rows
                elif prescriber or selecting & _ITEM:
                    roles |= held & _KEY_ROLES
            if row.aggregated and row.measured and not own:
                sums.append(_sum(row))
        facts.parts, facts.sums = tuple(parts), tuple(sums)
        facts.list_roles = tuple(sorted(roles))

    def _month(self, meaning: Meaning, local_day: int) -> int:
        items = meaning.scope.items if meaning.scope else None
        if items is None or items.kind not in ("one", "list"):
            return 0
        date = datetime.date.fromordinal(_EPOCH_ORDINAL + local_day)
        return date.year * 12 + date.month if date.day <= 5 else 0

    # -------------------------------------------------------------- weighing

    def _weigh(
        self,
        known: Knowledge,
        facts: Facts,
        over: Literal["session", "person"],
        learner: Learner,
        found: dict[str, Gathered],
        *,
        keep: bool,
    ) -> tuple[Disclosure, Grain | None]:
        """What `known` amounts to with this statement; findings go to `found` by their code, a
        person's in place of the session's. With `keep`, `known` takes the statement in."""
        here: list[Gathered] = []
        since = facts.at_us - self._limits.window_days * DAY
        if facts.written and keep:
            self._work(known, facts)
        if facts.unit_rows and keep:
            known.allowance[facts.unit] = (
                max(facts.unit_rows, known.allowance.get(facts.unit, (0, 0))[0]),
                facts.at_us,
            )
            if len(known.allowance) > 256:
                del known.allowance[min(known.allowance, key=lambda u: known.allowance[u][1])]
        if facts.list_roles and keep:
            for role in facts.list_roles:
                known.lists[role] = max(facts.at_us, known.lists.get(role, 0))
        if not learner.service:
            if facts.read:
                self._scan(known, facts, over, here, keep=keep)
            if facts.unseen:
                self._blind(known, facts, over, here, keep=keep)
        if facts.prescribers:
            self._enumerate(known, facts, over, since, here, keep=keep)
        if facts.worklist:
            self._lists(known, facts, over, since, here, keep=keep)
        self._join(known, facts, over, since, here, keep=keep)
        self._differ(known, facts, over, since, here, keep=keep)
        if facts.disclosure == "usage":
            self._repeat(known, facts, over, here, keep=keep)
        for gathered in here:
            found[gathered.code] = gathered
        return _amount(known, facts, here, since, keep=keep)

    def _found(self, code: str, over: _Over, count: int, grain: Grain | None = None) -> Gathered:
        """A finding; without a grain it only explains."""
        text = FINDINGS[code].format(count=count, days=self._limits.window_days)
        return Gathered(code, over, text, count, "usage" if grain else None, grain)

    def _weigh_group(
        self, known: Knowledge, facts: Facts, found: dict[str, Gathered], *, keep: bool
    ) -> None:
        here: list[Gathered] = []
        since = facts.at_us - self._limits.window_days * DAY
        self._join(known, facts, "group", since, here, keep=keep)
        self._differ(known, facts, "group", since, here, keep=keep)
        for gathered in here:
            found.setdefault(gathered.code, gathered)

    def _work(self, known: Knowledge, facts: Facts) -> None:
        for key in facts.written:
            known.unexplained.pop(key.digest, None)
            _remember(known.worked, key.digest, facts.at_us, self._limits.cap)
            for run in known.runs:
                if key.digest in run.keys:
                    run.keys.remove(key.digest)

    def _scan(
        self, known: Knowledge, facts: Facts, over: _Over, here: list[Gathered], *, keep: bool
    ) -> None:
        """Pinned reading beyond what the work explains (T23), however slowly in key order."""
        limits, at = self._limits, facts.at_us
        month = at - limits.window_days * DAY
        fresh = [k for k in facts.read if not _known_since(known.worked, k.digest, month)]
        if not fresh:
            return
        listed = sum(r for r, t in known.allowance.values() if t >= at - DAY)
        allowed = min(listed, limits.most_explained)
        run = 0
        runs = known.runs if keep else [_copy(r) for r in known.runs]
        ranges = known.ranges if keep else dict(known.ranges)
        for key in fresh:
            run = max(run, _advance(runs, ranges, key, at))
        new = {k.digest for k in fresh}
        hour = day = after = 0
        start = max((known.lists.get(k.role, -1) for k in fresh), default=-1)
        listed_now = start >= max(0, at - DAY)
        if len(known.unexplained) + len(new) >= limits.listed_keys:
            for digest, last in known.unexplained.items():
                if digest not in new:
                    hour += last >= at - HOUR
                    day += last >= at - DAY
                    after += last >= start
        hour, day, after = hour + len(new), day + len(new), after + len(new)
        if keep:
            if len(known.unexplained) >= limits.cap:
                known.unexplained = {d: t for d, t in known.unexplained.items() if t >= at - DAY}
            for digest in new:
                _remember(known.unexplained, digest, at, limits.cap)
        if listed_now and after >= limits.listed_keys:
            here.append(self._found("scan-listed", over, after, "detail"))
        elif run >= limits.ordered_keys + allowed:
            here.append(self._found("scan-order", over, run, "detail"))
        elif hour > limits.hourly_keys + allowed:
            here.append(self._found("scan-hour", over, hour, "detail"))
        elif day > limits.daily_keys + allowed:
            here.append(self._found("scan-day", over, day, "detail"))

    def _blind(
        self, known: Knowledge, facts: Facts, over: _Over, here: list[Gathered], *, keep: bool
    ) -> None:
        """Pinned reading whose keys are not known (binds that the sensor cannot see): nobody's work
        explains this many, whatever they were."""
        hour, count = known.unseen
        now = facts.at_us // HOUR
        count = count + 1 if hour == now else 1
        if keep:
            known.unseen = (now, count)
        if count > self._limits.hourly_unseen:
            here.append(self._found("scan-unseen", over, count, "detail"))

    def _enumerate(
        self,
        known: Knowledge,
        facts: Facts,
        over: _Over,
        since: int,
        here: list[Gathered],
        *,
        keep: bool,
    ) -> None:
        """One prescriber after another, by statements that each name one (T22, T25, T49)."""
        count = 0
        for digest in facts.prescribers:
            count = max(
                count,
                _seen(known.prescribers, digest, facts.at_us, since, self._limits.cap, keep=keep),
            )
        if len(facts.prescribers) > 1:
            count = len(
                {d for d, t in known.prescribers.items() if t >= since} | set(facts.prescribers)
            )
        if count <= len(facts.prescribers):
            return
        if not facts.worklist:
            here.append(self._found("enumeration", over, count))
        elif count >= self._limits.prescribers:
            here.append(self._found("enumeration", over, count, "prescriber"))

    def _lists(
        self,
        known: Knowledge,
        facts: Facts,
        over: _Over,
        since: int,
        here: list[Gathered],
        *,
        keep: bool,
    ) -> None:
        """Work lists of other days put together, or of one item day by day."""
        limits, at = self._limits, facts.at_us
        day = facts.list_day
        if day is not None and (at == 0 or abs(day - facts.day) > 1):
            count = _seen(known.other_days, _digest(str(day)), at, since, limits.cap, keep=keep)
            if count >= limits.other_days:
                here.append(self._found("lists-of-days", over, count, "detail"))
        for item in facts.list_items:
            days = known.item_days.get(item) or {}
            if keep and item not in known.item_days and len(known.item_days) < limits.cap:
                known.item_days[item] = days
            on = _digest(str(facts.day if day is None else day))
            count = _seen(days, on, at, since, 64, keep=keep)
            if count >= limits.item_days:
                here.append(self._found("item-by-day", over, count, "department"))

    def _join(
        self,
        known: Knowledge,
        facts: Facts,
        over: _Over,
        since: int,
        here: list[Gathered],
        *,
        keep: bool,
    ) -> None:
        """Results that can be put together by a key they share (T21)."""
        for digest, part in facts.parts:
            before = known.held.get(digest)
            new = before is None or before.last_us < since
            if new:
                others = [p for p in known.held.values() if p.last_us >= since]
                joined = _component(part, others)
                if len(joined) > 1 and _tells(joined) and not _tells([part]):
                    code = "joined-group" if over == "group" else "joined"
                    here.append(self._found(code, over, len(joined), "detail"))
            if keep:
                if before is None and len(known.held) >= 256:
                    del known.held[min(known.held, key=lambda d: known.held[d].last_us)]
                known.held[digest] = part

    def _differ(
        self,
        known: Knowledge,
        facts: Facts,
        over: _Over,
        since: int,
        here: list[Gathered],
        *,
        keep: bool,
    ) -> None:
        """A whole, and the whole without somebody (T26)."""
        for sum_of, excluded in facts.sums:
            asked = known.sums.get(sum_of) or {}
            new = not _known_since(asked, excluded, since)
            count = _seen(asked, excluded, facts.at_us, since, 256, keep=keep)
            if keep:
                if sum_of not in known.sums and len(known.sums) >= 256:
                    del known.sums[min(known.sums, key=lambda s: max(known.sums[s].values()))]
                known.sums[sum_of] = asked
            if new and count > 1:
                here.append(self._found("difference", over, count, "prescriber"))

    def _repeat(
        self, known: Knowledge, facts: Facts, over: _Over, here: list[Gathered], *, keep: bool
    ) -> None:
        """Explanations for a statement that is usage by itself: pages (T24, T95), probing (T27),
        the start of month after month (T89)."""
        if facts.shape:
            times, last = known.repeats.get(facts.shape, (0, 0))
            times = times + 1 if facts.at_us - last <= DAY else 1
            if keep:
                if facts.shape not in known.repeats and len(known.repeats) >= 256:
                    del known.repeats[min(known.repeats, key=lambda s: known.repeats[s][1])]
                known.repeats[facts.shape] = (times, max(last, facts.at_us))
            if facts.paged and times >= self._limits.pages:
                here.append(self._found("pages", over, times))
            elif not facts.paged and times >= self._limits.repeats:
                here.append(self._found("probing", over, times))
        if facts.month:
            row = 1
            while facts.month - row in known.months:
                row += 1
            if keep:
                known.months[facts.month] = facts.at_us
                for old in [m for m in known.months if m < facts.month - 12]:
                    del known.months[old]
            if row >= self._limits.months:
                here.append(self._found("rhythm", over, row))


def _session_key(learner: Learner) -> str:
    return f"{learner.session}\x1f{learner.person or ''}"


def _touch(table: OrderedDict[str, Knowledge], name: str, at_us: int, most: int) -> Knowledge:
    known = table.get(name)
    if known is None:
        known = table[name] = Knowledge()
        if len(table) > most:
            table.popitem(last=False)
    else:
        table.move_to_end(name)
    known.last_us = max(known.last_us, at_us)
    return known


def _keys(pins: tuple[Pin, ...]) -> tuple[Key, ...]:
    """The keys whose values are known, in order."""
    keys: list[Key] = []
    for pin in pins:
        for value in pin.values:
            if value.text is not None:
                prefix, number = _split(value.text)
                keys.append(Key(pin.role, _digest(pin.role, value.text), prefix, number))
    keys.sort(key=lambda k: (k.role, k.prefix, k.number or 0))
    return tuple(keys)


def _units(fixed: list[Fixed] | tuple[Fixed, ...]) -> list[str]:
    """What a list is bounded by: its unit, department or prescriber."""
    wanted = _DEPARTMENT | _PRESCRIBER | {"unit_id"}
    return [
        f"{f.role}={v.text}" for f in fixed if f.role in wanted and not f.negated for v in f.values
    ]


def _one_day(meaning: Meaning, today: int) -> int | None:
    """The day a list is limited to, counted from the epoch; None when it is not one day, or is the
    open work of now. From today on without an end is today."""
    period = meaning.scope.period if meaning.scope else None
    if period is not None:
        first = _day(period.from_.text) if period.from_ else None
        last = _day(period.to.text) if period.to else None
        if first is None:
            return None
        if period.to is None:
            return first if first >= today else None
        return first if last is not None and 0 <= last - first <= 1 else None
    days = {
        _day(v.text)
        for y in meaning.yields
        for f in y.fixed
        if f.role == "time" and not f.negated
        for v in f.values
    }
    return days.pop() if len(days) == 1 else None


def _day(text: str | None) -> int | None:
    match = _DATE.match(text) if text else None
    if match is None:
        return None
    try:
        date = datetime.date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        return None
    return date.toordinal() - _EPOCH_ORDINAL


def _shape(yields: tuple[Yield, ...]) -> list[str]:
    return sorted(f"{','.join(sorted(y.tables))}|{','.join(sorted(y.roles))}" for y in yields)


def _sum(row: Yield) -> tuple[int, int]:
    """A sum's identity (tables, what is grouped, which items), and whom it leaves out."""
    who = _PRESCRIBER | _DEPARTMENT
    identity = [",".join(sorted(row.tables)), ",".join(sorted(set(row.roles)))]
    identity += sorted(f"{f.role}{v.text}" for f in row.fixed if f.role in _ITEM for v in f.values)
    out = sorted(
        f"{f.role}{v.text}" for f in row.fixed if f.role in who and f.negated for v in f.values
    )
    only = [f.role for f in row.fixed if f.role in who and not f.negated]
    return _digest("sum", *identity, *sorted(only)), _digest("without", *out)


def _component(part: Part, others: list[Part]) -> list[Part]:
    """`part` and all that hangs together with it by shared links."""
    joined, links, rest = [part], set(part.links), others
    while True:
        hit = [p for p in rest if not links.isdisjoint(p.links)]
        if not hit:
            return joined
        joined += hit
        rest = [p for p in rest if links.isdisjoint(p.links)]
        for p in hit:
            links.update(p.links)


def _tells(parts: list[Part]) -> bool:
    """True when item, measure and a prescriber or department come together."""
    return (
        any(p.item for p in parts)
        and any(p.measure for p in parts)
        and any(p.prescriber or p.department for p in parts)
    )


def _copy(run: Run) -> Run:
    return msgspec.structs.replace(run, keys=list(run.keys))


def _advance(runs: list[Run], ranges: dict[str, tuple[int, int]], key: Key, at_us: int) -> int:
    """Take a key into the runs; the length of the longest one it belongs to that is no chance."""
    if key.number is None:
        return 0
    name = f"{key.role}\x1f{key.prefix}"
    low, high = ranges.get(name, (key.number, key.number))
    low, high = min(low, key.number), max(high, key.number)
    if name not in ranges and len(ranges) >= 64:
        del ranges[next(iter(ranges))]
    ranges[name] = (low, high)
    best = 0
    for near in (True, False):
        run: Run | None = None
        for r in runs:
            if r.near == near and r.role == key.role and r.prefix == key.prefix:
                r.reads += 1
                step = key.number - r.number
                if run is None and (
                    step == 0 or ((not near or abs(step) <= _NEAR) and step * r.direction >= 0)
                ):
                    run = r
        if run is None:
            if not near:
                runs[:] = [r for r in runs if r.near or r.role != key.role]
            runs.append(Run(key.role, key.prefix, key.number, 0, near, [key.digest], 1, at_us))
            best = max(best, 1)
            mine = [r for r in runs if r.near]
            if near and len(mine) > 16:
                runs.remove(min(mine, key=lambda r: (len(r.keys), r.last_us)))
            continue
        step = key.number - run.number
        if step:
            run.direction = 1 if step > 0 else -1
            run.number = key.number
            if key.digest not in run.keys:
                run.keys.append(key.digest)
            del run.keys[:-512]
        run.last_us = max(run.last_us, at_us)
        # Reads here and there fall near the last key of a run by chance, the more the fewer keys
        # there are; a scan is well above that.
        chance = run.reads * min(1.0, _NEAR / max(1, high - low)) if near else 0.0
        if len(run.keys) >= 4 * chance:
            best = max(best, len(run.keys))
    return best


def _amount(
    known: Knowledge, facts: Facts, here: list[Gathered], since: int, *, keep: bool
) -> tuple[Disclosure, Grain | None]:
    """The most that was revealed within the window, this statement and its findings included."""
    codes = [_pack(facts.disclosure, facts.grain)]
    codes += [_pack(g.disclosure, g.grain) for g in here if g.disclosure is not None]
    most = max(codes)
    if keep:
        known.revealed[most] = max(known.revealed.get(most, 0), facts.at_us)
    for code, last in known.revealed.items():
        if last >= since:
            most = max(most, code)
    rank, grain = divmod(most, 8)
    return _DISCLOSURE[rank], _GRAIN[grain - 1] if grain else None


def _pack(disclosure: Disclosure, grain: Grain | None) -> int:
    return _DISCLOSURE.index(disclosure) * 8 + (_GRAIN.index(grain) + 1 if grain else 0)
