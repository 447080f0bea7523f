"""The policy: which verdict follows from what was learned and on what ground. Rules are data.

Rules this module keeps:

1. The built-in policy (`default.toml`'s text, `DEFAULT`) needs no tuning and decides every case: its
   last rule has no condition. The first rule whose conditions hold decides.
2. An override changes the decision or severity of a built-in rule by its name, or adds rules, which
   are asked before the built-in ones. It comes in the signed snapshot, from the discipline office.
3. Every error names file, line and key, and a policy with an error is refused whole; the one in
   force stays in force.
4. `observe` decisions never deny or mask: an observing route only looks.
5. A reading of usage by nobody's right can be logged only by a rule that says so in the open; no
   threshold, and no circumstance, turns an alarm off. Circumstances only raise the severity.
"""

from __future__ import annotations

import re
import tomllib
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from qingfang.events import Decision, Delivery, Disclosure, Grain, Subtype

Basis = Literal["grant", "report", "service", "self", "designated", "none"]
Touching = Literal["figures", "usage", "server", "other"]

DEFAULT = """
# 第一条条件全部成立的规则生效；没写的条件不限。
# observe：只观察的线路与旁路怎样做；enforce：启用拦截的线路怎样做。

[[rule]]
name = "nothing"            # 不涉及用药数据
disclosure = ["none"]
observe = "pass"
enforce = "pass"

[[rule]]
name = "clinical"           # 诊疗工作：一个病人、一张处方、当天工作清单
disclosure = ["clinical"]
observe = "pass"
enforce = "pass"

[[rule]]
name = "opaque-settled"     # 看不懂，但监察部门两人看过这个模板，认定与用药数据无关
disclosure = ["opaque"]
settled = true
observe = "log"
enforce = "log"

[[rule]]
name = "opaque-registered"  # 看不懂，但由已登记的程序或报表执行
disclosure = ["opaque"]
basis = ["grant", "report", "service"]
observe = "log"
enforce = "log"

[[rule]]
name = "opaque-figures"     # 看不懂，碰到的列凑得出用量，且人、终端或程序没有登记
disclosure = ["opaque"]
touching = ["figures"]
known = false
seen = false
observe = "alert"
enforce = "deny"
severity = 2

[[rule]]
name = "opaque-figures-again"
disclosure = ["opaque"]
touching = ["figures"]
known = false
observe = "review"
enforce = "deny"
severity = 1

[[rule]]
name = "opaque-usage"       # 看不懂，且碰到用药数据，第一次见
disclosure = ["opaque"]
touching = ["usage"]
seen = false
observe = "alert"
enforce = "alert"
severity = 1

[[rule]]
name = "opaque-usage-again"
disclosure = ["opaque"]
touching = ["usage"]
observe = "review"
enforce = "review"

[[rule]]
name = "opaque-server"      # 改变数据库本身：审计、设置、备份、复制、账号、权限，第一次见
disclosure = ["opaque"]
touching = ["server"]
seen = false
observe = "alert"
enforce = "alert"
severity = 1

[[rule]]
name = "opaque-server-again"
disclosure = ["opaque"]
touching = ["server"]
observe = "review"
enforce = "review"

[[rule]]
name = "opaque-other"       # 看不懂，但不像碰到用药数据
disclosure = ["opaque"]
seen = false
observe = "review"
enforce = "review"

[[rule]]
name = "opaque-other-again"
disclosure = ["opaque"]
observe = "log"
enforce = "log"

[[rule]]
name = "approved"           # 有审批、已登记的报表或程序
basis = ["grant", "report", "service"]
observe = "log"
enforce = "log"

[[rule]]
name = "self"               # 医生查自己
basis = ["self"]
grain = ["prescriber", "detail"]
delivery = ["returned"]
observe = "log"
enforce = "log"

[[rule]]
name = "institution-stored" # 全院数字，存进了表或文件
grain = ["institution"]
delivery = ["stored"]
observe = "alert"
enforce = "alert"
severity = 1

[[rule]]
name = "institution-designated"
grain = ["institution"]
basis = ["designated"]
observe = "log"
enforce = "log"

[[rule]]
name = "institution"        # 全院数字，人员或终端不是指定的
grain = ["institution"]
observe = "alert"
enforce = "alert"
severity = 0

[[rule]]
name = "total"              # 全部药品合计（药占比），没有审批也没有登记
subtype = ["total"]
observe = "alert"
enforce = "alert"
severity = 0

[[rule]]
name = "department"
grain = ["department"]
observe = "alert"
enforce = "deny"
severity = 1

[[rule]]
name = "usage"              # 按医生、逐条明细，没有任何依据
observe = "alert"
enforce = "deny"
severity = 2

[tools]
# 数据库工具与办公软件：自报程序名含有其中之一（不分大小写）就提高紧急程度。
database = ["excel", "msaccess", "microsoft office", "navicat", "plsqldev", "pl/sql developer",
  "toad", "dbeaver", "datagrip", "heidisql", "sqlplus", "sql developer", "ssms",
  "management studio", "sqlcmd", "psql", "pgadmin", "pg_dump", "mysqldump", "mysql workbench",
  "expdp", "bcp", "python", "tableau", "finebi", "finereport", "powerbi", "odbc"]

[limits]
bulk_rows = 1000            # 返回行数达到它，提高紧急程度
retry_minutes = 30          # 被拒绝之后多久之内的再次尝试算变形重试
shared_minutes = 10         # 同一工号多久之内出现在两台终端算共用
shared_operators = 3        # 一台终端在这段时间里用过的工号多于它，登录就不能证明是本人
"""


class PolicyError(ValueError):
    """The policy cannot be used. `file`, `line` (1-based, None when unknown), `key`, `problem`."""

    def __init__(self, file: str, line: int | None, key: str, problem: str) -> None:
        where = f"{file}:{line}" if line else file
        super().__init__(f"{where}: {key}: {problem}" if key else f"{where}: {problem}")
        self.file, self.line, self.key, self.problem = file, line, key, problem


class _Section(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class Rule(_Section, frozen=True, kw_only=True):
    """Conditions (an absent one holds always) and what follows. `touching`, `seen`, `known` and
    `settled` are for opaque statements: what the estimate found (`figures`: two or more of item,
    prescriber and measure, which `usage` includes; `server`: none of them, but the server itself is changed), whether this template was reported before,
    whether person, terminal and program are registered, and whether people have found this template
    to be no usage."""

    name: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    observe: Decision
    enforce: Decision
    severity: Annotated[int, Meta(ge=0, le=3)] = 0
    disclosure: tuple[Disclosure, ...] | None = None
    grain: tuple[Grain, ...] | None = None
    subtype: tuple[Subtype, ...] | None = None
    delivery: tuple[Delivery, ...] | None = None
    basis: tuple[Basis, ...] | None = None
    touching: tuple[Touching, ...] | None = None
    seen: bool | None = None
    known: bool | None = None
    settled: bool | None = None


class Change(_Section, frozen=True, kw_only=True):
    """An override of a built-in rule."""

    observe: Decision | None = None
    enforce: Decision | None = None
    severity: Annotated[int, Meta(ge=0, le=3)] | None = None


class Tools(_Section, frozen=True, kw_only=True):
    """Names of programs that are tools, in lower case."""

    database: tuple[str, ...] = ()


class Limits(_Section, frozen=True, kw_only=True):
    """Figures of circumstances; none of them alarms alone."""

    bulk_rows: Annotated[int, Meta(ge=1)] = 1000
    retry_minutes: Annotated[int, Meta(ge=1)] = 30
    shared_minutes: Annotated[int, Meta(ge=1)] = 10
    shared_operators: Annotated[int, Meta(ge=1)] = 3


class _File(_Section, frozen=True, kw_only=True):
    rule: tuple[Rule, ...] = ()
    change: dict[str, Change] = {}
    tools: Tools | None = None
    limits: Limits | None = None


class Case(Struct, frozen=True):
    """What the rules are asked about."""

    disclosure: Disclosure
    grain: Grain | None = None
    subtype: Subtype | None = None
    delivery: Delivery = "returned"
    basis: Basis = "none"
    touching: Touching = "other"
    seen: bool = False
    known: bool = False
    settled: bool = False


class Policy:
    """Rules in the order they are asked; total by construction."""

    def __init__(self, rules: tuple[Rule, ...], tools: Tools, limits: Limits) -> None:
        self.rules = rules
        self.tools = tools
        self.limits = limits

    def rule(self, case: Case) -> Rule:
        """The first rule whose conditions hold."""
        for rule in self.rules:
            if (
                (rule.disclosure is None or case.disclosure in rule.disclosure)
                and (rule.grain is None or case.grain in rule.grain)
                and (rule.subtype is None or case.subtype in rule.subtype)
                and (rule.delivery is None or case.delivery in rule.delivery)
                and (rule.basis is None or case.basis in rule.basis)
                and (rule.touching is None or _touches(case.touching, rule.touching))
                and (rule.seen is None or case.seen == rule.seen)
                and (rule.known is None or case.known == rule.known)
                and (rule.settled is None or case.settled == rule.settled)
            ):
                return rule
        raise AssertionError("the last built-in rule has no condition")


def _touches(touching: Touching, wanted: tuple[Touching, ...]) -> bool:
    return touching in wanted or (touching == "figures" and "usage" in wanted)


def read(text: str = "", file: str = "policy.toml") -> Policy:
    """The built-in policy with the overrides in `text` (TOML; empty: none). Raises `PolicyError`.

    `[change.NAME]` changes `observe`, `enforce` or `severity` of the built-in rule NAME; `[[rule]]`
    adds a rule before the built-in ones; `[tools]` and `[limits]` replace theirs.
    """
    built_in = _parse(DEFAULT, "default.toml")
    assert built_in.tools is not None and built_in.limits is not None
    over = _parse(text, file)
    names = {rule.name for rule in built_in.rule}
    for n, rule in enumerate(over.rule):
        if rule.name in names:
            problem = f"规则 {rule.name} 已存在；要改内置规则，写 [change.{rule.name}]"
            raise PolicyError(file, _line(text, "rule", n, "name"), f"rule[{n}].name", problem)
        names.add(rule.name)
    rules: list[Rule] = list(over.rule)
    own = {rule.name for rule in built_in.rule}
    for name in over.change:
        if name not in own:
            line = _line(text, f"change.{name}", 0, "")
            raise PolicyError(
                file, line, f"change.{name}", f"没有这条内置规则；有：{'、'.join(sorted(own))}"
            )
    for rule in built_in.rule:
        change = over.change.get(rule.name)
        rules.append(rule if change is None else _changed(rule, change))
    for rule in rules:
        if rule.observe in ("deny", "mask"):
            section, n = f"change.{rule.name}", 0
            if rule in over.rule:
                section, n = "rule", over.rule.index(rule)
            key = f"rule[{n}].observe" if section == "rule" else f"{section}.observe"
            raise PolicyError(
                file,
                _line(text, section, n, "observe"),
                key,
                f"观察时不能{'拒绝' if rule.observe == 'deny' else '遮蔽'}；用 alert",
            )
    return Policy(tuple(rules), over.tools or built_in.tools, over.limits or built_in.limits)


def _changed(rule: Rule, change: Change) -> Rule:
    return msgspec.structs.replace(
        rule,
        observe=change.observe or rule.observe,
        enforce=change.enforce or rule.enforce,
        severity=rule.severity if change.severity is None else change.severity,
    )


def _parse(text: str, file: str) -> _File:
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"line (\d+)", str(error))
        raise PolicyError(file, int(found[1]) if found else None, "", str(error)) from None
    except RecursionError:
        raise PolicyError(file, None, "", "方括号或花括号嵌套过深") from None
    try:
        return msgspec.convert(tree, _File, strict=True)
    except msgspec.ValidationError as error:
        problem, _sep, path = str(error).partition(" - at `$")
        key = path.rstrip("`").lstrip(".")
        unknown = re.search(r"unknown field `([^`]+)`", problem)
        missing = re.search(r"missing required field `([^`]+)`", problem)
        if unknown:
            key, problem = f"{key}.{unknown[1]}".lstrip("."), "没有这个键"
        elif missing:
            key, problem = f"{key}.{missing[1]}".lstrip("."), "缺少必填的键"
        # msgspec writes the key of a map as `[...]`; the name is found among those present.
        if key.startswith("change[...]"):
            key = _bad_change(tree["change"]) + key.removeprefix("change[...]")
        where = re.match(r"([\w.-]+?)(?:\[(\d+)\])?(?:\.([\w-]+))?(?:\[.*)?$", key)
        line = None
        if where is not None:
            section, name = where[1], where[3] or ""
            if not name and "." in section:
                section, name = section.rsplit(".", 1)
            line = _line(text, section, int(where[2] or 0), name)
        raise PolicyError(file, line, key, problem) from None


def _bad_change(changes: object) -> str:
    if isinstance(changes, dict):
        for name, change in changes.items():
            try:
                msgspec.convert(change, Change, strict=True)
            except msgspec.ValidationError:
                return f"change.{name}"
    return "change"


def _line(text: str, section: str, index: int, name: str) -> int | None:
    """The line of `name` in the `index`-th `[section]`, of the section when it is not there."""
    lines = text.splitlines()
    header = re.compile(rf"^\s*\[\[?\s*{re.escape(section)}\s*\]")
    starts = [n for n, line in enumerate(lines) if header.match(line)]
    if index >= len(starts):
        return next((n + 1 for n, x in enumerate(lines) if re.match(rf"\s*{section}\s*=", x)), None)
    for n in range(starts[index] + 1, len(lines)):
        if re.match(r"^\s*\[", lines[n]):
            break
        if name and re.match(rf"^\s*{re.escape(name)}\s*=", lines[n]):
            return n + 1
    return starts[index] + 1
