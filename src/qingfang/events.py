"""What the stages hand to each other. No behaviour lives here.

Rules this module keeps:

1. Every type is frozen; a stage that learns more makes a new value.
2. Nothing of ours is imported here, so every stage may import it.
3. Field names of `Event` and `Meaning` are those of docs/contracts/ and change only with them.
4. Times are integers of microseconds since the epoch, UTC, in fields ending in `_us`; they become
   ISO 8601 only where a person or another program reads them.
5. Offsets into SQL count code points, end exclusive.
6. What is made for every statement holds only immutable values, so no cycle can form: `gc=False`.

The types are `msgspec.Struct`s: dataclasses in all but name, with their encoding (JSON,
MessagePack) checked against the annotations when they are read back.
"""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

Disclosure = Literal["none", "clinical", "usage", "opaque"]
Grain = Literal["prescriber", "department", "institution", "detail"]
Subtype = Literal["item", "class", "total", "pinned", "worklist"]
Delivery = Literal["returned", "stored"]
Decision = Literal["pass", "log", "review", "alert", "mask", "deny"]
Source = Literal["gateway", "tap", "trail", "replay", "engine"]
Answered = Literal["forwarded", "denied", "masked", "killed"]
ASKS: Final = 1
TO_SERVER: Final = 2
TO_CLIENT: Final = 4
TELLS: Final = 8
UNSETTLED: Final = 16
"""What an inline decoder says there is to do, together in one number: it asks about a statement, has
pieces for the server, for the client, has events to tell; `UNSETTLED`: look at everything."""
Digest = bytes
"""32 bytes. (Under this name where a field called `bytes` hides the type.)"""

# ------------------------------------------------------------------ decode


class SessionFact(Struct, frozen=True):
    """What is known of the connection as a whole; sent again, whole, when something changes.

    `stage`: `ready` (signed in; later changes too), `refused` (sign-in failed; `error`,
    `sqlstate`), `blind` (the rest is encrypted and cannot be read). `parameters` are what the
    server reported, by name; `pid` its process for this connection, 0 when unknown.
    """

    at_us: int
    stage: Literal["ready", "refused", "blind"]
    account: str = ""
    database: str = ""
    program: str = ""
    tls: bool = False
    pid: int = 0
    parameters: tuple[tuple[str, str], ...] = ()
    error: str | None = None
    sqlstate: str = ""


# ------------------------------------------------------------------ understand


class Value(Struct, frozen=True, gc=False, array_like=True):
    """A constant that the statement's meaning rests on, and where it came from.

    `text` is the value as text after constant folding, None when it is not known (an unbound `?`).
    `literals` are the start offsets of the literals it was folded from, `binds` the indexes of the
    bound values; both empty for a constant the analyser made itself (CURRENT_DATE).
    They let a cached template be evaluated again with another execution's values.
    `clock` is set for a time made from the clock, whose text nobody knows beforehand: how many days
    after now it is, or, with `cut`, after the midnight that today began with.
    """

    text: str | None
    literals: tuple[int, ...] = ()
    binds: tuple[int, ...] = ()
    clock: float | None = None
    cut: bool = False


class Selection(Struct, frozen=True, gc=False):
    """Which items, prescribers or departments a statement selects."""

    kind: Literal["one", "list", "class", "all"]
    values: tuple[Value, ...] = ()


class Period(Struct, frozen=True, gc=False, rename={"from_": "from"}):
    """The time a statement selects; either end is None when it is not fixed. Both are included: where
    a midnight ends it (`< '2026-11-01'`, `before` is true) `to` is the day before."""

    from_: Value | None = None
    to: Value | None = None
    before: bool = False


class Scope(Struct, frozen=True, gc=False):
    """What a usage statement selects; a field is None when nothing fixes it."""

    items: Selection | None = None
    prescribers: Selection | None = None
    departments: Selection | None = None
    period: Period | None = None


class Reason(Struct, frozen=True, gc=False):
    """One sentence a layman can read, and the part of the SQL it rests on.

    `code` is stable and documented (docs/reasons.md); `text` is Chinese.
    """

    code: str
    text: str
    start: int
    end: int


class Touch(Struct, frozen=True, gc=False):
    """The lexical estimate for an `opaque` statement: a table it seems to touch, and its roles."""

    table: str
    roles: tuple[str, ...] = ()


class Pin(Struct, frozen=True, gc=False):
    """Rows are selected by equality on the key of a patient, visit or prescription."""

    role: str
    table: str
    values: tuple[Value, ...]


class Fixed(Struct, frozen=True, gc=False):
    """A predicate `column = value` (or IN) on a column with a role, over all rows returned."""

    role: str
    table: str
    column: str
    values: tuple[Value, ...]
    negated: bool = False


class Yield(Struct, frozen=True, gc=False):
    """One kind of row the receiver gets: the ground of what sessions and persons accumulate.

    `tables` are catalogue tables the rows come from; `roles` the roles that reach the receiver,
    by output, grouping, ordering or threshold; `keys` the link columns among them
    (`table.column`), by which two results can be joined afterwards; `fixed` what predicates fix;
    `measured` whether an amount or count of use is revealed; `aggregated` whether rows are sums;
    `pinned` whether each row belongs to a pin in `Meaning.pins`; `paged` whether LIMIT/OFFSET or a
    key range moves over the rows. `fees` is set for sums over a table that mixes use with others
    (charges, a stock ledger): `all` and its name for all of them together, `rest` and its name for
    those that use is left out of, or `some`, its name and those few that are no use.
    """

    tables: tuple[str, ...]
    roles: tuple[str, ...]
    keys: tuple[str, ...] = ()
    fixed: tuple[Fixed, ...] = ()
    measured: bool = False
    aggregated: bool = False
    pinned: bool = False
    paged: bool = False
    fees: str = ""


class Gathered(Struct, frozen=True, gc=False):
    """What this statement adds up to together with earlier ones of a session, a person or a group
    (people of one unit or terminal). `disclosure` and `grain` are what the whole reveals, None when
    the finding only explains or aggravates; `count` is how many things came together; `code` is
    documented like a `Reason`'s and `text` is Chinese."""

    code: str
    over: Literal["session", "person", "group"]
    text: str
    count: int
    disclosure: Disclosure | None = None
    grain: Grain | None = None


class Meaning(Struct, frozen=True, gc=False):
    """What the receiver of one statement learns. docs/contracts/explain.md defines every field;
    `pins`, `works`, `yields` and `operator` go beyond it and feed accumulation and attribution:
    `pins` are keys that a reading statement selects by, `works` those whose rows an INSERT, UPDATE
    or DELETE writes (work on a patient explains reading about this patient). `gathered` is filled by
    accumulation, and only with what this very statement contributes to.

    `operator` is the staff number when the statement is a sign-in that names one.
    `operator_scope` is how long it holds.
    `volatile` tells that the meaning rests on session state or the clock and must not be cached.
    """

    disclosure: Disclosure
    grain: Grain | None = None
    subtype: Subtype | None = None
    delivery: Delivery = "returned"
    scope: Scope | None = None
    touches: tuple[Touch, ...] = ()
    reasons: tuple[Reason, ...] = ()
    session_disclosure: Disclosure | None = None
    session_grain: Grain | None = None
    person_disclosure: Disclosure | None = None
    person_grain: Grain | None = None
    pins: tuple[Pin, ...] = ()
    works: tuple[Pin, ...] = ()
    gathered: tuple[Gathered, ...] = ()
    yields: tuple[Yield, ...] = ()
    operator: Value | None = None
    operator_scope: Literal["session", "transaction"] = "session"
    volatile: bool = False


# ------------------------------------------------------------------ who, where, when


class Attributed(Struct, frozen=True):
    """A fact about the sender that was inferred: how surely (0–1), and from what."""

    value: str
    confidence: float
    because: tuple[str, ...]


class Who(Struct, frozen=True):
    """The sender of a statement as far as it could be told: staff number, terminal id and room."""

    operator: Attributed | None = None
    terminal: Attributed | None = None
    place: Attributed | None = None


class Connection(Struct, frozen=True):
    """One client connection as seen by a sensor: what the client claims, and what we saw."""

    id: str
    site: str
    node: str
    source: Source
    protocol: str
    server: str
    client: str
    opened_us: int
    route: str = ""
    database: str = ""
    account: str = ""
    program: str = ""
    os_user: str = ""
    host: str = ""
    tls: bool = False


class Template(Struct, frozen=True):
    """A statement with its literals taken out. `digest` is SHA-256 of dialect and normal form; it
    is the `fingerprint` of every event of this form. A rolling hash would be a bypass.

    A literal's place is written `?`, or `'?'` with its prefix (`e'?'`) for a string; a long list of
    literals is one place, `?...`."""

    digest: bytes
    dialect: str
    text: str


# ------------------------------------------------------------------ judge


class Verdict(Struct, frozen=True, gc=False):
    """What was decided, why (zh), on which grant, and how urgent (0 none … 3 now).

    `codes` are the stable codes of `reasons`, one each (docs/reasons.md). `would` is what enforcing
    would have decided, None when it is what was decided or the sensor cannot enforce.
    """

    decision: Decision
    reasons: tuple[str, ...] = ()
    grant: str | None = None
    severity: int = 0
    codes: tuple[str, ...] = ()
    would: Decision | None = None


# ------------------------------------------------------------------ record


class Event(Struct, frozen=True, omit_defaults=False):
    """One judged statement, as replay, gateway, tap, trail and `ledger export` speak it
    (docs/contracts/cli.md)."""

    connection: str
    at: str
    source: Source
    protocol: str
    server: str
    database: str
    account: str
    client: str
    sql: str
    kind: str
    verdict: Decision
    log: str | None = None
    seq: int | None = None
    site: str = ""
    node: str = ""
    part: int = 0
    twin_of: str | None = None
    took_ms: float | None = None
    program: str = ""
    os_user: str = ""
    host: str = ""
    operator: Attributed | None = None
    terminal: Attributed | None = None
    place: Attributed | None = None
    binds: tuple[str | None, ...] | None = None
    rows: int | None = None
    bytes: int | None = None
    error: str | None = None
    fingerprint: str = ""
    meaning: Meaning | None = None
    reasons: tuple[str, ...] = ()
    grant: str | None = None
    alert: str | None = None
    answered_as: Answered = "forwarded"
    codes: tuple[str, ...] = ()
    severity: int = 0
    would: Decision | None = None


class Brief(Struct, frozen=True, array_like=True, gc=False):
    """A statement that passed, in the few bytes it deserves: it refers to its connection and its
    template, which are recorded once. `literals` fill the template's places in order; `binds` are
    the bound values. Expanded to an `Event` when read."""

    connection: str
    at_us: int
    template: Digest
    kind: str
    literals: tuple[str, ...] = ()
    binds: tuple[str | None, ...] | None = None
    took_us: int = -1
    rows: int = -1
    bytes: int = -1
    error: str | None = None
    operator: str | None = None


# ------------------------------------------------------------------ coverage


class Coverage(Struct, frozen=True):
    """What one route, tap or trail sees of one database, and what it cannot: a running count since
    `since_us`, published by the engine. `at_us` is when it was true; `last_us` the last statement
    seen (None: none yet). `unregistered` are servers' addresses seen on the wire that no
    `[[database]]` names."""

    kind: Literal["route", "tap", "trail"]
    name: str
    database: str
    at_us: int
    since_us: int
    node: str = ""
    running: bool = True
    statements: int = 0
    connections: int = 0
    encrypted: int = 0
    lost_packets: int = 0
    lost_bytes: int = 0
    undecodable: int = 0
    unjudged: int = 0
    last_us: int | None = None
    unregistered: tuple[str, ...] = ()
