"""The snapshot: all that people decide about people, handed down by the console, signed.

Rules this module keeps:

1. A snapshot is immutable and whole. What is judged with it never asks the console anything, so
   judging goes on when the console or its database is down.
2. It is signed over the bytes as they travel (`Envelope.payload`), with a prefix of its own so that
   no other signed thing can pass for a snapshot. The signature is checked before the content is
   parsed.
3. Versions only grow. Another site, an older version, a fork (the same version with other content,
   or a history that does not contain the one in force) is refused with the reason, and the one in
   force stays in force.
4. Past `expires_at_us` rules, terminals and modes stay; grants lapse. A stale snapshot must not
   allow anything, and must not make a hospital blind either.
5. `format` is read as N and N−1 (what 2 added is left out in 1 and has its default); `base` names
   the snapshot a delta builds on. This version of the format has whole snapshots only, and says so
   when it is offered a delta. Fields of records that have their default are left out, so the
   defaults below belong to the format.

Times are microseconds UTC; days and hours of the calendar are local to `utc_offset_minutes`.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Callable
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

FORMAT = 2
_READ = (1, 2)
_DOMAIN = b"qingfang snapshot\x00"

Mode = Literal["observe", "enforce"]
Grain = Literal["prescriber", "department", "institution", "detail"]
TerminalRole = Literal["clinical", "statistics", "kiosk", "server", "vendor", "pharmacy"]
Number = Annotated[str, Meta(min_length=1, max_length=64)]
Hash = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
Clock = Annotated[str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$|^24:00$")]
Day = Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}$")]


class _Record(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    pass


class Span(_Record, frozen=True, kw_only=True):
    """A stretch of time, `from_us` inclusive, `to_us` exclusive."""

    from_us: int
    to_us: int


class Person(_Record, frozen=True, kw_only=True):
    """One member of staff. `codes` are further codes that stand for the person in the hospital's
    tables (a prescriber code that is not the staff number). `away` are absences."""

    number: Number
    name: str = ""
    department: str = ""
    department_kind: str = ""
    roles: tuple[str, ...] = ()
    posts: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    away: tuple[Span, ...] = ()
    active: bool = True


class Terminal(_Record, frozen=True, kw_only=True):
    """One declared computer. `addresses` are IP addresses or CIDR networks; `name` is what people
    call it, `host` the name the computer gives itself (empty: not known, then nothing is compared).
    """

    id: Number
    addresses: tuple[str, ...] = ()
    mac: str = ""
    name: str = ""
    host: str = ""
    room: str = ""
    unit: str = ""
    role: TerminalRole = "clinical"
    custodian: str = ""


class Designation(_Record, frozen=True, kw_only=True):
    """Who is designated for a function (`statistics`, `store`, `upload` …), and where."""

    function: str
    persons: tuple[str, ...] = ()
    terminals: tuple[str, ...] = ()


class Allowed(_Record, frozen=True, kw_only=True):
    """Which items, prescribers or departments an approval covers. `class` covers statements that
    select one of the classes `values`, and those that name items among `members`; `one` those that
    name a single one at a time, whichever."""

    kind: Literal["all", "one", "list", "class"] = "all"
    values: tuple[str, ...] = ()
    members: tuple[str, ...] = ()


class Days(_Record, frozen=True, kw_only=True):
    """Local days, both inclusive; an end left out is open."""

    from_day: Day | None = None
    to_day: Day | None = None


class Scope(_Record, frozen=True, kw_only=True):
    """What an approval covers. `grain` is the finest one; `stored` allows results to be written
    into a table or file of the database; `longest_days` is how many days one statement may ask for
    at a time (None: any number)."""

    grain: Grain
    items: Allowed = Allowed()
    prescribers: Allowed = Allowed()
    departments: Allowed = Allowed()
    period: Days = Days()
    stored: bool = False
    longest_days: Annotated[int, Meta(ge=1)] | None = None


class Weekly(_Record, frozen=True, kw_only=True):
    """A window that comes back each week, local time; weekdays are 1 (Monday) to 7."""

    weekdays: tuple[Annotated[int, Meta(ge=1, le=7)], ...] = (1, 2, 3, 4, 5, 6, 7)
    from_time: Clock = "00:00"
    to_time: Clock = "24:00"


class Grant(_Record, frozen=True, kw_only=True):
    """An approved and filed right of one person at fixed terminals. Not in force before it was
    filed with the discipline office (`filed_number`, `filed_us`)."""

    id: Number
    person: Number
    terminals: tuple[str, ...]
    scope: Scope
    valid: Span
    windows: tuple[Weekly, ...] = ()
    max_runs: Annotated[int, Meta(ge=1)] | None = None
    filed_number: str = ""
    filed_us: int | None = None


class Report(_Record, frozen=True, kw_only=True):
    """A registered report or menu of the HIS: its templates (`digest`, and `further` ones), its
    allowed scope, who runs it where.

    Registration is not approval: figures of single items or classes need people (`persons`, holders
    of `posts`, or `grants`, any of which must be in force) and `terminals` to be named; with nobody
    named it is everyone's only for totals and for the institution as a whole. A grant brings its
    own person and terminals.
    """

    id: Number
    digest: Hash
    menu: str
    scope: Scope
    further: tuple[Hash, ...] = ()
    persons: tuple[str, ...] = ()
    posts: tuple[str, ...] = ()
    grants: tuple[str, ...] = ()
    terminals: tuple[str, ...] = ()
    windows: tuple[Weekly, ...] = ()


class Settled(_Record, frozen=True, kw_only=True):
    """An opaque template that two people of the discipline office hold to be no usage. It stands for
    this template on this server (its address) only while the estimate names no table beyond
    `tables`, and until `until_us`; what shows usage was never opaque and is not settled by it."""

    id: Number
    digest: Hash
    server: str
    tables: tuple[str, ...] = ()
    until_us: int


class Service(_Record, frozen=True, kw_only=True):
    """A registered program whose duty is to move data (upload, nightly copy, backup). Fields left
    out match anything, but the terminals must be named. Opening one patient after another is its
    duty and no scanning; usage itself is carried only for the statements in `digests`, or over the
    tables in `tables` (none named: no usage)."""

    id: Number
    why: str
    terminals: Annotated[tuple[str, ...], Meta(min_length=1)]
    program: str = ""
    account: str = ""
    operator: str = ""
    digests: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    windows: tuple[Weekly, ...] = ()


class RouteMode(_Record, frozen=True, kw_only=True):
    """Whether an inline route observes or enforces; one not named observes."""

    route: str
    mode: Mode


class Calendar(_Record, frozen=True, kw_only=True):
    """Working time. `hours` are those of a working day; `holidays` are weekdays off, `workdays`
    weekend days worked in exchange (调休)."""

    utc_offset_minutes: Annotated[int, Meta(ge=-720, le=840)] = 480
    weekdays: tuple[Annotated[int, Meta(ge=1, le=7)], ...] = (1, 2, 3, 4, 5)
    hours: tuple[tuple[Clock, Clock], ...] = (("08:00", "12:00"), ("13:30", "17:30"))
    holidays: tuple[Day, ...] = ()
    workdays: tuple[Day, ...] = ()


class Contact(_Record, frozen=True, kw_only=True):
    """How one person is reached; channels are tried in the order given."""

    person: Number
    channel: str
    address: str


class Duty(_Record, frozen=True, kw_only=True):
    """Who is told of alerts during a span; `after_minutes` without acknowledgement is when this
    line is told (0: at once)."""

    span: Span
    persons: tuple[str, ...]
    after_minutes: Annotated[int, Meta(ge=0)] = 0
    min_severity: Annotated[int, Meta(ge=0, le=3)] = 0


class Snapshot(_Record, frozen=True, kw_only=True, omit_defaults=False):
    """Everything above, at one moment. `previous` is the digest of the version before this one,
    `ancestors` the digests of earlier versions by number (as text), so that an engine that was off
    for a while can still see that its own version lies in this one's past. `programs` are the names
    business programs give themselves; none listed means that no name is held to be strange.
    `policy` is TOML that overrides the built-in policy (`judge.policy`); `definition` is TOML that
    says what counts as statistics of use (empty: the stricter one). The analyser reads it."""

    site: str
    version: Annotated[int, Meta(ge=1)]
    made_at_us: int
    expires_at_us: int
    format: int = FORMAT
    previous: str = ""
    ancestors: dict[str, str] = {}
    base: str = ""
    persons: tuple[Person, ...] = ()
    terminals: tuple[Terminal, ...] = ()
    designations: tuple[Designation, ...] = ()
    services: tuple[Service, ...] = ()
    programs: tuple[str, ...] = ()
    reports: tuple[Report, ...] = ()
    settled: tuple[Settled, ...] = ()
    grants: tuple[Grant, ...] = ()
    routes: tuple[RouteMode, ...] = ()
    calendar: Calendar = Calendar()
    contacts: tuple[Contact, ...] = ()
    duties: tuple[Duty, ...] = ()
    policy: str = ""
    definition: str = ""

    def grants_lapsed(self, at_us: int) -> bool:
        """True when this snapshot is too old for its grants to be trusted (rule 4)."""
        return at_us >= self.expires_at_us


class Envelope(Struct, frozen=True, forbid_unknown_fields=True):
    """A snapshot as it travels: its bytes, the signature over them, and whose key it was."""

    payload: bytes
    signature: bytes
    key: str = ""


class Head(Struct, frozen=True):
    """What an engine remembers over a restart so that nobody can hand it an older snapshot."""

    version: int
    digest: str


class Rejected(Exception):
    """The offered snapshot is not taken; the one in force stays. `code` is one of `bad-envelope`,
    `bad-signature`, `bad-content`, `other-format`, `other-site`, `older`, `fork`, `gap`, `delta`;
    the message is Chinese and says what to do."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


def encode(snapshot: Snapshot) -> bytes:
    """The canonical bytes: JSON, fields in the order declared here, keys of maps sorted."""
    return msgspec.json.encode(snapshot, order="deterministic")


def digest(payload: bytes) -> str:
    """SHA-256 in hex: what `previous` and `ancestors` hold."""
    return hashlib.sha256(payload).hexdigest()


def seal(snapshot: Snapshot, sign: Callable[[bytes], bytes], key: str = "") -> bytes:
    """The file the console hands down. `sign` is Ed25519 over the bytes it is given."""
    check(snapshot)
    payload = encode(snapshot)
    return msgspec.json.encode(
        Envelope(payload=payload, signature=sign(_DOMAIN + payload), key=key)
    )


class Holder:
    """Keeps the snapshot in force and decides about a new one.

    `verify(message, signature)` answers whether the site's snapshot key signed the message. `head`
    is what was in force before a restart, None on a machine's first day.
    """

    def __init__(
        self, site: str, verify: Callable[[bytes, bytes], bool], head: Head | None = None
    ) -> None:
        self._site = site
        self._verify = verify
        self.head: Head | None = head
        self.current: Snapshot | None = None

    def offer(self, data: bytes) -> Snapshot:
        """Take the snapshot in `data`, or raise `Rejected` and change nothing. Offering again what
        is in force (after a restart, say) is taken."""
        try:
            envelope = msgspec.json.decode(data, type=Envelope)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise Rejected(
                "bad-envelope", f"快照文件读不懂（{error}），请由控制台重新下发"
            ) from None
        if not self._verify(_DOMAIN + envelope.payload, envelope.signature):
            raise Rejected(
                "bad-signature", "快照的签名不对：不是本院监察密钥签的，或内容被改过；已拒收"
            )
        snapshot = _decode(envelope.payload)
        check(snapshot)
        found = digest(envelope.payload)
        self._follow(snapshot, found)
        self.current = snapshot
        self.head = Head(snapshot.version, found)
        return snapshot

    def _follow(self, new: Snapshot, found: str) -> None:
        if new.site != self._site:
            raise Rejected("other-site", f"快照属于站点 {new.site}，本机是 {self._site}")
        head = self.head
        if head is None or (new.version == head.version and found == head.digest):
            return
        if new.version < head.version:
            raise Rejected("older", f"快照是旧版本 {new.version}，现用版本 {head.version}；不回退")
        if new.version == head.version:
            raise Rejected("fork", f"版本 {new.version} 出现了两份不同内容的快照；请查控制台")
        past = (
            new.previous
            if new.version == head.version + 1
            else new.ancestors.get(str(head.version))
        )
        if past is None:
            raise Rejected(
                "gap",
                f"快照 {new.version} 没有带上版本 {head.version} 的摘要，无法确认前后相连；"
                "请由控制台补发中间版本",
            )
        if past != head.digest:
            raise Rejected(
                "fork", f"快照 {new.version} 的历史与现用版本 {head.version} 不符：链断了"
            )


def _decode(payload: bytes) -> Snapshot:
    try:
        stated = msgspec.json.decode(payload, type=_Stated)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Rejected("bad-content", f"快照内容读不懂：{error}") from None
    if stated.format not in _READ:
        readable = "、".join(map(str, _READ))
        raise Rejected(
            "other-format", f"快照格式是 {stated.format}，本机读 {readable}；请升级较旧的一方"
        )
    if stated.base:
        raise Rejected("delta", "收到的是增量快照，本机只收完整快照；请由控制台下发完整快照")
    try:
        return msgspec.json.decode(payload, type=Snapshot)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Rejected("bad-content", f"快照内容有错：{error}") from None


class _Stated(Struct, frozen=True):
    format: int = 0
    base: str = ""


def check(snapshot: Snapshot) -> None:
    """Refuse what msgspec's types cannot: doubled ids, addresses that are none, references to
    nothing. Raises `Rejected` naming the field."""
    terminals = _unique("terminals", [t.id for t in snapshot.terminals])
    _unique("persons", [p.number for p in snapshot.persons])
    _unique("grants", [g.id for g in snapshot.grants])
    _unique("reports", [r.id for r in snapshot.reports])
    _unique("settled", [s.id for s in snapshot.settled])
    _unique("services", [s.id for s in snapshot.services])
    _unique("routes", [r.route for r in snapshot.routes])
    for n, terminal in enumerate(snapshot.terminals):
        for address in terminal.addresses:
            try:
                ipaddress.ip_network(address, strict=False)
            except ValueError:
                raise Rejected(
                    "bad-content", f"terminals[{n}].addresses：{address} 不是 IP 地址或网段"
                ) from None
    for kind, rows in (
        ("grants", snapshot.grants),
        ("reports", snapshot.reports),
        ("services", snapshot.services),
        ("designations", snapshot.designations),
    ):
        for n, row in enumerate(rows):
            for name in row.terminals:
                if name not in terminals:
                    raise Rejected("bad-content", f"{kind}[{n}].terminals：没有终端 {name}")
    for n, grant in enumerate(snapshot.grants):
        if grant.valid.to_us <= grant.valid.from_us:
            raise Rejected("bad-content", f"grants[{n}].valid：结束不晚于开始")
        if not grant.terminals:
            raise Rejected("bad-content", f"grants[{n}].terminals：授权必须固定终端")


def _unique(kind: str, ids: list[str]) -> frozenset[str]:
    seen: set[str] = set()
    for n, name in enumerate(ids):
        if name in seen:
            raise Rejected("bad-content", f"{kind}[{n}]：{name} 重复")
        seen.add(name)
    return frozenset(seen)


class Directory:
    """A snapshot laid out for looking up; built once when a snapshot comes into force."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.persons: dict[str, Person] = {p.number: p for p in snapshot.persons}
        self.by_code: dict[str, Person] = {c: p for p in snapshot.persons for c in p.codes}
        self.terminals: dict[str, Terminal] = {t.id: t for t in snapshot.terminals}
        self.grants: dict[str, tuple[Grant, ...]] = {}
        gathered: dict[str, list[Grant]] = {}
        for grant in snapshot.grants:
            gathered.setdefault(grant.person, []).append(grant)
        self.grants = {person: tuple(grants) for person, grants in gathered.items()}
        self.reports: dict[str, tuple[Report, ...]] = {}
        for report in snapshot.reports:
            for template in dict.fromkeys((report.digest, *report.further)):
                self.reports[template] = (*self.reports.get(template, ()), report)
        self.settled: dict[tuple[str, str], Settled] = {}
        for one in snapshot.settled:
            before = self.settled.get((one.server, one.digest))
            if before is None or one.until_us > before.until_us:
                self.settled[one.server, one.digest] = one
        self.modes: dict[str, Mode] = {r.route: r.mode for r in snapshot.routes}
        self._exact: dict[str, Terminal] = {}
        self._networks: list[tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, Terminal]] = []
        for terminal in snapshot.terminals:
            for address in terminal.addresses:
                network = ipaddress.ip_network(address, strict=False)
                if network.num_addresses == 1:
                    self._exact[str(network.network_address)] = terminal
                else:
                    self._networks.append((network, terminal))
        self._networks.sort(key=lambda pair: -pair[0].prefixlen)

    def person(self, code: str) -> Person | None:
        """The person with this staff number or code."""
        return self.persons.get(code) or self.by_code.get(code)

    def terminal_at(self, address: str) -> tuple[Terminal, bool] | None:
        """The terminal at an IP address, and whether the address is its very own (else it only
        lies in the terminal's network); None when none is declared or the text is no address."""
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return None
        if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        exact = self._exact.get(str(found))
        if exact is not None:
            return exact, True
        for network, terminal in self._networks:
            if found.version == network.version and found in network:
                return terminal, False
        return None
