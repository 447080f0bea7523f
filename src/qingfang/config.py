"""`qingfang.toml`: the one configuration file. Every key is documented in docs/configuration.md
(a test fails otherwise).

Rules this module keeps:

1. Unknown keys are errors: a misspelt key must not silently mean the default.
2. An error names the file, the line, the key and what would be right.
3. Paths are relative to the folder of this file, whoever reads it from wherever; `read` gives them
   absolute.
4. What decides over people (rules, grants, modes, rosters) is not here: it comes in the signed
   snapshot from the console, because this file belongs to the IT department.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from qingfang.language import _

Port = Annotated[int, Meta(ge=1, le=65535)]
Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Address = Annotated[str, Meta(pattern=r"^(\[[0-9a-fA-F:.]+\]|[^:\s]+):\d{1,5}$")]

Fingerprint = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
NoAddress = Annotated[str, Meta(pattern=r"^((\[[0-9a-fA-F:.]+\]|[^:\s]+):\d{1,5})?$")]
NoFingerprint = Annotated[str, Meta(pattern=r"^([0-9a-f]{64})?$")]


class ConfigError(Exception):
    """The file cannot be used. `file`, `line` (1-based, None when unknown), `key`, `problem`."""

    def __init__(self, file: Path, line: int | None, key: str, problem: str) -> None:
        where = f"{file}:{line}" if line else str(file)
        super().__init__(f"{where}: {key}: {problem}" if key else f"{where}: {problem}")
        self.file, self.line, self.key, self.problem = file, line, key, problem


class _Section(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class Site(_Section, frozen=True, kw_only=True):
    """The institution this installation stands in."""

    name: str = "未命名医院"
    id: Name = "site"
    node: Name = "node-1"


class Paths(_Section, frozen=True, kw_only=True):
    """`state` is kept, `run` (sockets) is not."""

    state: str = "/var/lib/qingfang"
    run: str = "/run/qingfang"


class Console(_Section, frozen=True, kw_only=True):
    """The pages. `database` is `embedded` or a PostgreSQL URL. `url` is where people open them, for
    the links in notices (empty: `http://` and `listen`)."""

    listen: Address = "127.0.0.1:8600"
    url: Annotated[str, Meta(pattern=r"^(https?://[^\s/]+(/[^\s]*)?)?$")] = ""
    database: str = "embedded"
    language: Literal["zh-hans", "en"] = "zh-hans"
    allowed_hosts: tuple[str, ...] = ("127.0.0.1", "localhost")


class Database(_Section, frozen=True, kw_only=True):
    """One database under protection; the file `catalogue` tells what its tables mean. The file
    `names_file` holds the connection string by which the console reads what codes are called
    (empty: it does not)."""

    name: Name
    address: Address
    protocol: Literal["pg", "mysql", "tds", "tns"] = "pg"
    dialect: Literal["postgres", "mysql", "tsql", "oracle"] = "postgres"
    catalogue: str
    names_file: str = ""


class Route(_Section, frozen=True, kw_only=True):
    """One inline way through the gateway. Whether it enforces is not said here: a route observes
    until the discipline office says otherwise in the snapshot. `on_failure` defaults to open for
    clinical routes and closed for all others."""

    name: Name
    database: Name
    listen: Address
    kind: Literal["clinical", "statistics", "report", "third-party"] = "clinical"
    on_failure: Literal["open", "closed", "by-kind"] = "by-kind"
    budget_ms: Annotated[int, Meta(ge=1, le=10_000)] = 50
    max_connections: Annotated[int, Meta(ge=1)] = 2000
    workers: Annotated[int, Meta(ge=1, le=64)] = 1
    tls_certificate: str = ""
    tls_key: str = ""
    require_tls: bool = False
    backend_tls: Literal["disable", "prefer", "require", "verify"] = "disable"
    backend_ca: str = ""
    function_calls: bool = False
    replication: bool = False


class Tap(_Section, frozen=True, kw_only=True):
    """Packets of a mirror port (or of this machine's interface), towards a database's port."""

    name: Name
    database: Name
    interface: str
    ports: tuple[Port, ...]


class Ledger(_Section, frozen=True, kw_only=True):
    """Evidence. `office` is the file with the discipline office's public keys, which certify those
    of this machine. Less than 366 days cannot be set (滨海新区统方通知 二(四)11)."""

    office: str = ""
    segment_mib: Annotated[int, Meta(ge=1, le=4096)] = 64
    cipher: Literal["sm4-gcm", "aes-256-gcm"] = "sm4-gcm"
    retention_days: Annotated[int, Meta(ge=366)] = 366


class WitnessKeys(_Section, frozen=True, kw_only=True):
    """A witness whose cosignatures count; the file `keys` has its public keys."""

    name: Name
    keys: str


class DoorPeer(_Section, frozen=True, kw_only=True):
    """One whose certificate the door accepts: a sensor by its node's name, or a witness.
    `fingerprint` is the SHA-256 of the certificate in the file."""

    name: Name
    certificate: str
    fingerprint: Fingerprint
    may: Literal["ship", "cosign"] = "ship"


class Door(_Section, frozen=True, kw_only=True):
    """Where other machines reach this ledger (empty `listen`: nowhere)."""

    listen: NoAddress = ""
    certificate: str = ""
    key: str = ""
    peer: tuple[DoorPeer, ...] = ()


class Ship(_Section, frozen=True, kw_only=True):
    """Where this machine's records go (empty `to`: into a ledger here). What was taken there is
    kept here for `keep_days`, and no more of it than `keep_mib`."""

    to: NoAddress = ""
    fingerprint: NoFingerprint = ""
    certificate: str = ""
    key: str = ""
    keep_days: Annotated[int, Meta(ge=0)] = 7
    keep_mib: Annotated[int, Meta(ge=1)] = 4096


class Mail(_Section, frozen=True, kw_only=True):
    host: str
    port: Port = 25
    sender: str
    security: Literal["none", "starttls", "tls"] = "none"
    username: str = ""
    password_file: str = ""


class Syslog(_Section, frozen=True, kw_only=True):
    """RFC 5424; TCP uses octet counting (RFC 6587), TLS RFC 5425."""

    address: Address
    transport: Literal["udp", "tcp", "tls"] = "tcp"
    ca: str = ""


class Webhook(_Section, frozen=True, kw_only=True):
    """One HTTP POST of JSON a notice, signed with HMAC-SHA-256 of the body."""

    url: str
    secret_file: str = ""


class Channels(_Section, frozen=True, kw_only=True):
    """Ways a notice leaves the house; all optional. Who is told comes in the snapshot."""

    mail: Mail | None = None
    syslog: Syslog | None = None
    webhook: Webhook | None = None
    per_minute: Annotated[int, Meta(ge=1)] = 30


class Config(_Section, frozen=True, kw_only=True):
    site: Site = Site()
    paths: Paths = Paths()
    console: Console = Console()
    database: tuple[Database, ...] = ()
    route: tuple[Route, ...] = ()
    tap: tuple[Tap, ...] = ()
    ledger: Ledger = Ledger()
    witness: tuple[WitnessKeys, ...] = ()
    door: Door = Door()
    ship: Ship = Ship()
    channels: Channels = Channels()


def read(file: Path) -> Config:
    """The checked configuration. Raises `ConfigError`."""
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            file,
            None,
            "",
            _("读不了这个文件（{}）。用 qingfang init 生成一份。").format(error.strerror),
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            file, None, "", _("不是 UTF-8 文本（第 {} 字节）").format(error.start)
        ) from None
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"line (\d+)", str(error))
        problem = _("不是正确的 TOML：{}").format(error)
        raise ConfigError(file, int(found[1]) if found else None, "", problem) from None
    except RecursionError:
        raise ConfigError(file, None, "", _("方括号或花括号嵌套过深")) from None
    try:
        config = msgspec.convert(tree, Config, strict=True)
    except msgspec.ValidationError as error:
        key, problem = _explain(str(error))
        raise ConfigError(file, _line_of(text, key), key, problem) from None
    _check_references(file, text, config)
    return _placed(config, file.absolute().parent)


_PATHS = {
    Paths: ("state", "run"),
    Database: ("catalogue", "names_file"),
    Route: ("tls_certificate", "tls_key", "backend_ca"),
    Ledger: ("office",),
    WitnessKeys: ("keys",),
    DoorPeer: ("certificate",),
    Door: ("certificate", "key"),
    Ship: ("certificate", "key"),
    Mail: ("password_file",),
    Syslog: ("ca",),
    Webhook: ("secret_file",),
}


def _placed(section: Any, folder: Path) -> Any:
    """A section, and those in it, with absolute paths."""
    if isinstance(section, tuple):
        return tuple(_placed(each, folder) for each in section)
    if not isinstance(section, _Section):
        return section
    paths = _PATHS.get(type(section), ())
    changes: dict[str, Any] = {}
    for name in section.__struct_fields__:
        value = getattr(section, name)
        if name in paths:
            changes[name] = str(folder / value) if value else value
        else:
            changes[name] = _placed(value, folder)
    return replace(section, **changes)


def _explain(message: str) -> tuple[str, str]:
    """msgspec's «Expected …, got … - at `$.route[0].kind`» as (key, problem)."""
    problem, _sep, path = message.partition(" - at `$")
    key = path.rstrip("`").lstrip(".")
    unknown = re.search(r"unknown field `([^`]+)`", problem)
    if unknown:
        key = f"{key}.{unknown[1]}" if key else unknown[1]
        return key, _("没有这个配置项")
    missing = re.search(r"missing required field `([^`]+)`", problem)
    if missing:
        key = f"{key}.{missing[1]}" if key else missing[1]
        return key, _("缺少必填项")
    return key, _wrong(key, problem)


_KINDS = {"int": _("整数"), "str": _("文本"), "bool": "true／false", "array": _("数组 […]")}


def _wrong(key: str, problem: str) -> str:
    """What a value is and what it should be."""
    enum = re.fullmatch(r"Invalid enum value '(.*)'", problem, re.DOTALL)
    if enum:
        allowed = " ".join(_choices(key))
        return _("没有这种取值：{}；可用：{}").format(enum[1], allowed)
    bound = re.fullmatch(r"Expected `int` (<=|>=) (-?\d+)", problem)
    if bound:
        return _("应为{} {} 的整数").format("≤" if bound[1] == "<=" else "≥", bound[2])
    kind = re.fullmatch(r"Expected `(\w+)`, got `(\w+)`", problem)
    if kind:
        expected, got = (_KINDS.get(name, name) for name in kind.groups())
        return _("应为{}，现为{}").format(expected, got)
    if problem.startswith("Expected `str` matching regex"):
        return _("写法不对；应写成什么见 docs/configuration.md")
    return problem


def _choices(key: str) -> tuple[str, ...]:
    """The values that this key may have."""
    section: Any = Config
    for name in re.findall(r"[a-z_]+", key):
        section = get_type_hints(section)[name]
        while get_origin(section) is not None and get_origin(section) is not Literal:
            section = get_args(section)[0]
    return get_args(section)


def _line_of(text: str, key: str) -> int | None:
    """The line of `section[n].name`, or of its section when the name itself is not there."""
    parts = re.findall(r"([\w-]+)(?:\[(\d+)\])?", key)
    best: int | None = None
    lines = text.splitlines()
    position = 0
    for depth, (name, index) in enumerate(parts):
        wanted = int(index) if index else 0
        dotted = r"\.".join(re.escape(p) for p, _i in parts[: depth + 1])
        header = re.compile(rf"^\s*\[\[?\s*{dotted}\s*\]")
        hits = [n for n, line in enumerate(lines) if header.match(line)]
        if hits:
            position = hits[min(wanted, len(hits) - 1)]
            best = position + 1
            continue
        for n in range(position + (1 if best else 0), len(lines)):
            if best and re.match(r"^\s*\[", lines[n]):
                break
            if re.match(rf"^\s*{re.escape(name)}\s*=", lines[n]):
                return n + 1
    return best


def _check_references(file: Path, text: str, config: Config) -> None:
    names = [d.name for d in config.database]
    for kind, rows in (("database", config.database), ("route", config.route), ("tap", config.tap)):
        seen: set[str] = set()
        for n, row in enumerate(rows):
            key = f"{kind}[{n}].name"
            if row.name in seen:
                raise ConfigError(
                    file, _line_of(text, key), key, _("名称重复：{}").format(row.name)
                )
            seen.add(row.name)
            target = getattr(row, "database", row.name)
            if target not in names:
                key = f"{kind}[{n}].database"
                problem = _("没有名为 {} 的数据库；已有：{}").format(
                    target, "、".join(names) or "-"
                )
                raise ConfigError(file, _line_of(text, key), key, problem)
    for n, database in enumerate(config.database):
        if database.names_file and database.protocol != "pg":
            key = f"database[{n}].names_file"
            problem = _('名称字典目前只能从 PostgreSQL（protocol = "pg"）读取')
            raise ConfigError(file, _line_of(text, key), key, problem)
    for n, route in enumerate(config.route):
        if bool(route.tls_certificate) != bool(route.tls_key):
            key = f"route[{n}].tls_key"
            raise ConfigError(
                file, _line_of(text, key), key, _("tls_certificate 与 tls_key 要同时给出")
            )
    _check_ways(file, text, config)


def _check_ways(file: Path, text: str, config: Config) -> None:
    """Doors and shipping are whole or absent."""
    ways: tuple[tuple[str, str, dict[str, str]], ...] = (
        (
            "door",
            config.door.listen,
            {"certificate": config.door.certificate, "key": config.door.key},
        ),
        (
            "ship",
            config.ship.to,
            {
                "certificate": config.ship.certificate,
                "key": config.ship.key,
                "fingerprint": config.ship.fingerprint,
            },
        ),
    )
    for section, address, needed in ways:
        for name, value in needed.items():
            if address and not value:
                key = f"{section}.{name}"
                raise ConfigError(file, _line_of(text, key), key, _("缺少必填项"))
    if config.door.listen and config.ship.to:
        problem = _("本机的记录送往别处（ship.to），就没有账本可以开门")
        raise ConfigError(file, _line_of(text, "door.listen"), "door.listen", problem)
    for attribute in ("name", "fingerprint"):
        seen: set[str] = set()
        for n, peer in enumerate(config.door.peer):
            value = getattr(peer, attribute)
            if value in seen:
                key = f"door.peer[{n}].{attribute}"
                raise ConfigError(file, _line_of(text, key), key, _("名称重复：{}").format(value))
            seen.add(value)
