"""What is remembered of everybody, and the limits it is weighed by: plain data.

Memory is bounded: sets hold 64-bit digests with the time last seen, and at most `cap` of them, the
oldest going first; caps lie far above every limit.
"""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec
from msgspec import Struct

from qingfang.understand.accumulate.runs import Run, Runs
from qingfang.understand.accumulate.times import Times
from qingfang.understand.pins import ROW

HOUR = 3_600_000_000
DAY = 24 * HOUR

Over = Literal["session", "person", "group"]


class Limits(Struct, frozen=True):
    """When parts become a whole. All count distinct things, but `hourly_unseen`.

    `hourly_keys`, `daily_keys`: pinned keys in an hour or a day beyond what the work explains.
    `hourly_rows`, `daily_rows`, `ordered_rows`: the same of rows opened by their own numbers, of
    which a prescription has several. `hourly_unseen`: pinned statements in one hour of the clock whose keys are not known.
    `ordered_keys`: keys in key order, however slowly. `listed_keys`: keys in a day after an unpinned
    list that carried them. `list_rows`: what a work list of unknown length explains, `queue_rows` one of a prescriber, and
    `most_explained`: what work lists explain at most, `hourly_explained`: the same in an hour. `prescribers`: prescribers whose lists of a
    day were read one by one. `turns_hour`, `turns_day`: people who each looked at figures or lists
    of their own at one place. `other_days`: days other than the present whose work lists were read.
    `shared_lists`: prescribers, or such days of one unit, whose lists a group read by one statement
    within a day.
    `item_days`: days on which work lists were read for one and the same item; `sum_days`: the same of
    sums by item of one department; `looked_days`: the same of work lists of a unit where no work of
    the reader shows; `supplied_units`: units whose lists somebody reads in a day who
    supplies them. `day_lists`: work lists of days gone by, of different units or
    days, in one day. `call_keys`: keys that one call of the own queue explains at most, `called_hour` and
    `called_day` all calls together (a window's busy hour and day). `pages`, `repeats`,
    `months`: pages of one list, repeated probes with one shape, and months in a row, from which on
    an explanation is added to a statement that is usage by itself. `elsewhere_keys`: beds or other
    keys opened in a day within units other than that of the round, without a write there.
    `item_units`: units of whose present day one item was read; `many_units`: units or departments
    whose lists of the present day were read by who writes nothing. `drip_keys`: keys opened in the
    window after lists of others by who never writes.
    """

    window_days: int = 31
    hourly_keys: int = 50
    hourly_rows: int = 300
    daily_rows: int = 900
    ordered_rows: int = 120
    hourly_unseen: int = 600
    daily_keys: int = 300
    ordered_keys: int = 20
    listed_keys: int = 20
    list_rows: int = 60
    queue_rows: int = 20
    most_explained: int = 300
    hourly_explained: int = 100
    prescribers: int = 5
    turns_hour: int = 3
    turns_day: int = 5
    other_days: int = 5
    shared_lists: int = 8
    item_days: int = 10
    looked_days: int = 10
    sum_days: int = 10
    supplied_units: int = 5
    day_lists: int = 10
    call_keys: int = 10
    called_hour: int = 75
    called_day: int = 600
    pages: int = 3
    repeats: int = 5
    months: int = 3
    elsewhere_keys: int = 30
    item_units: int = 10
    many_units: int = 30
    drip_keys: int = 50
    round_units: int = 10
    cap: int = 1024
    sessions: int = 20_000
    persons: int = 50_000


class Learner(Struct, frozen=True):
    """Who receives: the session (None outside one), the person (operator, else terminal), groups
    the person belongs to (`unit:…`, `terminal:…`), codes under which the person prescribes,
    whether this is a registered service at its duty, the place (terminal or connection) that other
    people may use too, and whether several of them did so just now."""

    session: str | None = None
    person: str | None = None
    groups: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    service: bool = False
    place: str | None = None
    turns: bool = False


class Key(Struct, frozen=True, gc=False):
    """One pinned or written key."""

    role: str
    digest: int
    prefix: str
    number: int | None

    @property
    def is_row(self) -> bool:
        """Whether it is a row's own number: a patient has many rows."""
        return self.role.startswith(ROW)

    @property
    def series(self) -> str:
        """What the key's number counts on."""
        return f"{self.role}\x1f{self.prefix}"


class Part(Struct, frozen=True, gc=False):
    """A result somebody holds: what it can be joined by, and what it would contribute."""

    links: tuple[int, ...]
    item: bool
    measure: bool
    prescriber: bool
    department: bool
    last_us: int


class Knowledge(Struct):
    """What one session, person or group holds; `plain` and `living` keep it. Maps lead from a digest to when it was last seen,
    unless said otherwise.

    `turn`: counts all that is learned; the lowest is idle longest. `unseen`: hour, and pinned reads in it whose keys are not known. `revealed`: disclosure and
    grain, packed. `unexplained`: key role → pinned keys read, of the last day. `worked`: keys
    written, or taken from a list that explains them.
    `ranges`: role and prefix → lowest and highest number read. `lists`: key role → unpinned list
    that carried it. `allowance`: unit → (rows of its work list, when). `item_days`: item → days.
    `held`: what joining goes over. `sums`: a sum → the exclusions it was asked with. `repeats`:
    shape → (times, when). `months`: month counted from year 0. `turned`: prescribers whose own
    figures were read here (of a place). `rows`: rows read by their own numbers, of the last day.
    `opened`: key role → the key opened last, and when. `wrote_us`: last write of any key. `called`:
    how many keys the queue called last still explains, and when it was called. `calls`: hour of the
    clock and keys explained so in it, the same for the day. `finer`: key role → how many numbers of
    it a patient's list still explains, when it was read, and the patient (none once counted). `day_lists`: unit and day of work
    lists of days gone by. `sum_days`: department → days whose sums by item were read.
    `looked`: unit → days whose work list was read. `served`: unit → days on which a key was written
    or opened after its list was read, and before another's. `at_unit`: whose list was read last.
    `shared`: (of a group) form of a work list → prescribers or past days it was read for.
    `round`: the unit within which keys are opened, and when last. `wrote_in`: units in which a key
    was written. `opened_in`: where one was opened last. `elsewhere`: keys of other units, of the
    last day. `units_now`: units whose lists of the present day were read. `item_units`: item →
    such units. `queues`: prescribers whose lists of patients were read. `drip_us`: when such a list,
    or an unpinned one (`loose_us`), was read last; `drip`: keys opened within a day of one. `numbers`: series →
    number read → (key, when). `rounds`: units within which keys were opened; `round_keys`: these
    keys.
    """

    turn: int = 0
    last_us: int = 0
    revealed: dict[int, int] = {}
    unexplained: dict[str, Times] = {}
    worked: dict[int, int] = {}
    lists: dict[str, int] = {}
    allowance: dict[int, tuple[int, int]] = {}
    runs: Runs = msgspec.field(default_factory=lambda: Runs([]))
    ranges: dict[str, tuple[int, int]] = {}
    prescribers: dict[int, int] = {}
    other_days: dict[int, int] = {}
    item_days: dict[int, dict[int, int]] = {}
    held: dict[int, Part] = {}
    sums: dict[int, dict[int, int]] = {}
    repeats: dict[int, tuple[int, int]] = {}
    months: dict[int, int] = {}
    unseen: tuple[int, int] = (0, 0)
    turned: dict[int, int] = {}
    rows: Times = msgspec.field(default_factory=lambda: Times({}))
    opened: dict[str, tuple[int, int]] = {}
    wrote_us: int = 0
    called: tuple[int, int] = (0, 0)
    calls: tuple[int, int, int, int] = (0, 0, 0, 0)
    finer: dict[str, tuple[int, int, tuple[Key, ...]]] = {}
    day_lists: dict[int, int] = {}
    sum_days: dict[int, dict[int, int]] = {}
    looked: dict[int, dict[int, int]] = {}
    served: dict[int, dict[int, int]] = {}
    at_unit: int = 0
    shared: dict[int, dict[int, int]] = {}
    round: tuple[int, int] = (0, 0)
    wrote_in: dict[int, int] = {}
    opened_in: int = 0
    elsewhere: dict[int, int] = {}
    units_now: dict[int, int] = {}
    item_units: dict[int, dict[int, int]] = {}
    queues: dict[int, int] = {}
    drip_us: int = 0
    loose_us: int = 0
    drip: dict[int, int] = {}
    numbers: dict[str, dict[int, tuple[int, int]]] = {}
    rounds: dict[int, int] = {}
    round_keys: dict[int, int] = {}


class _Run(Struct, gc=False):
    """What is kept of a `Run`."""

    role: str
    prefix: str
    number: int
    direction: int
    near: bool
    keys: list[int]
    reads: int
    last_us: int
    highest: int = 0


def plain(held: object) -> object:
    """What is kept of a part of `Knowledge` that is no plain data (msgspec's `enc_hook`)."""
    if isinstance(held, Times):
        return held.plain
    if isinstance(held, Runs):
        return [
            _Run(
                r.role,
                r.prefix,
                r.number,
                r.direction,
                r.near,
                list(r.keys),
                r.reads,
                r.last_us,
                r.highest,
            )
            for r in held.runs
        ]
    raise NotImplementedError(type(held))


def living(wanted: type, kept: object) -> object:
    """The part of `Knowledge` of which `plain` kept this (msgspec's `dec_hook`). Raises ValueError
    when it is none."""
    if wanted is Times:
        return Times(msgspec.convert(kept, dict[int, int]))
    return Runs(
        [
            Run(
                r.role,
                r.prefix,
                r.number,
                r.direction,
                r.near,
                dict.fromkeys(r.keys),
                r.reads,
                r.last_us,
                r.highest,
            )
            for r in msgspec.convert(kept, list[_Run])
        ]
    )


def digest(*parts: str) -> int:
    raw = "\x1f".join(parts).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(raw, digest_size=8).digest(), "big")


def seen(
    times: dict[int, int], digest: int, at_us: int, since_us: int, cap: int, *, keep: bool
) -> int:
    """How many things were seen since, this one included; with `keep` it is remembered."""
    count = sum(1 for d, t in times.items() if t >= since_us and d != digest) + 1
    if keep:
        remember(times, digest, at_us, cap)
    return count


def known_since(times: dict[int, int], digest: int, since_us: int) -> bool:
    last = times.get(digest)
    return last is not None and last >= since_us


def remember(times: dict[int, int], digest: int, at_us: int, cap: int) -> None:
    known = times.get(digest)
    if known is None and len(times) >= cap:
        for old in sorted(times, key=times.__getitem__)[: max(1, cap // 8)]:
            del times[old]
    times[digest] = at_us if known is None else max(known, at_us)
