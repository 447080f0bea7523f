"""The guide itself: asks, does, and tells, step by step.

What a person reads goes to `say`; the answer for programs is the `Report`. A question is asked only
when no option answered it and `yes` was not given; then its default counts, or it is refused by the
option's name.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click
import msgspec
from msgspec import Struct

from qingfang import config as configuration
from qingfang.access import days
from qingfang.config import Config, Mail, Syslog, Webhook
from qingfang.install import catalogue, notices, settings, target
from qingfang.install.console import Console, Unavailable
from qingfang.language import _
from qingfang.understand.discovery import review
from qingfang.understand.discovery.propose import Proposal
from qingfang.understand.discovery.readers import live
from qingfang.web.setup.fill import Calendar, Request

ROLES: Final = (
    ("security_administrator", _("安全管理员"), "office"),
    ("application_manager", _("应用管理员"), "discipline"),
    ("auditor", _("审计员"), "discipline"),
    ("system_administrator", _("系统管理员"), "it"),
    ("duty_officer", _("值班员"), "discipline"),
)
_SHOWN: Final = 12
_TEXT: Final = str


class Stopped(Exception):
    """The guide cannot go on; the text is one line for the person."""


class Wishes(Struct, kw_only=True):
    """The options of `qingfang init`; None where nothing was said."""

    file: Path
    name: str | None = None
    id: str | None = None
    state: str | None = None
    run: str | None = None
    console: str | None = None
    hosts: tuple[str, ...] = ()
    console_database: str = "embedded"
    dsn: str | None = None
    address: str | None = None
    database: str | None = None
    listen: str | None = None
    kind: str | None = None
    apply: Path | None = None
    weekdays: str | None = None
    hours: str | None = None
    days: Path | None = None
    accounts: tuple[str, ...] = ()
    mail: str | None = None
    mail_from: str | None = None
    mail_to: str | None = None
    mail_security: str = "none"
    mail_user: str = ""
    mail_password_file: str = ""
    syslog: str | None = None
    webhook: str | None = None
    webhook_secret_file: str = ""
    yes: bool = False
    force: bool = False

    def kept_by_file(self) -> dict[str, object]:
        """The options that only a new configuration file takes, by name."""
        return {
            "--name": self.name,
            "--id": self.id,
            "--state": self.state,
            "--run": self.run,
            "--console": self.console,
            "--console-host": self.hosts,
            "--address": self.address,
            "--database": self.database,
            "--listen": self.listen,
            "--kind": self.kind,
        }


class Report(Struct, kw_only=True):
    """What was done, for programs. `left` are the steps that are still open, `mode` what the new
    routes do."""

    config: str
    mode: str = "observe"
    database: target.Target | None = None
    catalogue: str = ""
    review: str = ""
    counts: catalogue.Counts | None = None
    calendar: bool = False
    accounts: list[dict[str, str]] = []
    notices: list[notices.Sent] = []
    left: list[str] = []
    next: str = ""

    @property
    def well(self) -> bool:
        """Everything that was started succeeded."""
        return all(sent.delivered for sent in self.notices) and not self.left


class Guide:
    """`say` is given lines for the person; `err` tells where questions are shown."""

    def __init__(self, wishes: Wishes, say: Callable[[str], None], *, err: bool = False) -> None:
        self._w, self._say, self._err = wishes, say, err
        self._file = wishes.file.absolute()
        self.report = Report(config=str(self._file))

    def run(self) -> Report:
        """Raises `Stopped`."""
        try:
            config, dsn = self._configuration()
            self._catalogue(config, dsn)
            config = self._channels(config)
            self._console(config)
        except configuration.ConfigError as error:
            raise Stopped(str(error)) from None
        except OSError as error:
            where = f"{error.filename}：" if error.filename else ""
            raise Stopped(f"{where}{error.strerror or error}") from None
        self._end(config)
        return self.report

    # -------------------------------------------------------------- questions

    def _ask(
        self,
        label: str,
        option: str,
        given: str | None,
        default: str | None,
        check: Callable[[str], Any] = _TEXT,
    ) -> Any:
        """The answer as `check` returned it; `check` raises ValueError with what is wrong."""
        while True:
            asked = given is None
            if given is not None:
                answer = given
            elif self._w.yes:
                if default is None:
                    raise Stopped(_("缺少 {}（{}）").format(option, label))
                answer = default
            else:
                answer = click.prompt(label, default=default, err=self._err)
            try:
                return check(answer.strip())
            except ValueError as error:
                if not asked or self._w.yes:
                    raise Stopped(f"{option}：{error}") from None
                self._say(_("  不行：{}").format(error))

    def _confirm(self, label: str, *, default: bool) -> bool:
        if self._w.yes:
            return default
        return click.confirm(label, default=default, err=self._err)

    def _title(self, number: int, text: str) -> None:
        self._say("")
        self._say(_("【{}／6】{}").format(number, text))

    # -------------------------------------------------------------- 1, 2: institution, database

    def _configuration(self) -> tuple[Config, str | None]:
        if self._file.exists() and not self._replace():
            config = configuration.read(self._file)
            if not config.database:
                raise Stopped(
                    _("{} 里没有 [[database]]。补上后再来，或用 --force 重写").format(self._file)
                )
            self._say(_("沿用已有的配置 {}，从没做完的一步继续。").format(self._file))
            ignored = [o for o, given in self._w.kept_by_file().items() if given]
            if ignored:
                self._say(
                    _("没有采用 {}：配置文件里已有这些项。直接改它，或用 --force 重写").format(
                        " ".join(ignored)
                    )
                )
            return config, self._w.dsn
        self._title(1, _("机构与文件夹"))
        name = self._ask(_("机构名称"), "--name", self._w.name, None, _plain)
        site = self._ask(_("机构代号（小写字母、数字、连字符）"), "--id", self._w.id, "site", _slug)
        state = self._ask(_("数据存在哪里"), "--state", self._w.state, "/var/lib/qingfang", _folder)
        run = self._ask(_("服务间套接字放哪里"), "--run", self._w.run, "/run/qingfang", _folder)
        console = self._ask(
            _("控制台监听的地址:端口"), "--console", self._w.console, "127.0.0.1:8600", _listen
        )
        self._title(2, _("受保护的数据库"))
        dsn, found = self._target()
        database = self._ask(_("给它一个代号"), "--database", self._w.database, "his", _slug)
        address = self._ask(
            _("网关到它的地址:端口"),
            "--address",
            self._w.address or found.address or None,
            "127.0.0.1:5432",
            _address,
        )
        listen = self._ask(
            _("网关监听的地址:端口（业务程序以后改连这里）"),
            "--listen",
            self._w.listen,
            "0.0.0.0:15432",
            _listen,
        )
        kind = self._ask(
            _("线路类别 clinical／statistics／report／third-party"),
            "--kind",
            self._w.kind,
            "clinical",
            _kind,
        )
        answers = settings.Answers(
            name=name,
            id=site,
            state=state,
            run=run,
            console=console,
            hosts=settings.hosts(console, self._w.hosts),
            console_database=self._w.console_database,
            database=database,
            address=address,
            catalogue=str(Path(state).absolute() / f"{database}.json"),
            listen=listen,
            kind=kind,
        )
        config = settings.write(self._file, settings.text(answers))
        self._say(_("已写入 {}（权限 0640）").format(self._file))
        return config, dsn

    def _replace(self) -> bool:
        if not self._w.force:
            return False
        return self._confirm(
            _("{} 已经存在。用新的回答整个重写它？").format(self._file), default=self._w.yes
        )

    def _target(self, given: str | None = None) -> tuple[str, target.Target]:
        given = given or self._w.dsn
        while True:
            dsn = self._ask(
                _("连接串，如 postgresql://只读账号@主机:5432/库名"), "--dsn", given, None
            )
            try:
                if not self._w.yes and sys.stdin.isatty() and not target.has_password(dsn):
                    password = click.prompt(
                        _("密码（只在此刻使用，不保存）"),
                        hide_input=True,
                        default="",
                        show_default=False,
                        err=self._err,
                    )
                    dsn = target.with_password(dsn, password) if password else dsn
                found = target.check(dsn)
            except target.Unusable as problem:
                if given is not None or self._w.yes:
                    raise Stopped(str(problem)) from None
                self._say(_("  不行：{}").format(problem))
                continue
            self._say(
                _("  连上了：PostgreSQL {}，库 {}，{} 张表，其中 {} 张可以取样。").format(
                    found.version, found.database, found.tables, found.readable
                )
            )
            if found.readable < found.tables:
                self._say(
                    _("  账号 {} 读不了其余的表：只按名称和注释推断，拿不准的会多一些。").format(
                        found.account
                    )
                )
            self.report.database = found
            return dsn, found

    # -------------------------------------------------------------- 3: catalogue

    def _catalogue(self, config: Config, dsn: str | None) -> None:
        protected = config.database[0]
        state = Path(config.paths.state)
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = Path(protected.catalogue)
        kept = catalogue.review_file(file)
        self.report.catalogue, self.report.review = str(file), str(kept)
        self._title(3, _("目录：哪些表、哪些列是药品、医生、科室、数量"))
        if file.exists() and dsn is None and self._w.apply is None:
            points = review.open_points(kept.read_text(encoding="utf-8")) if kept.exists() else []
            self._say(_("已有目录 {}，还有 {} 处待确认。").format(file, len(points)))
            return
        if self.report.database is None:
            dsn, _found = self._target(dsn)
        assert dsn is not None
        try:
            proposal = catalogue.read(dsn, self._progress)
            if self._w.apply is not None:
                text = catalogue.apply_file(proposal, self._w.apply)
            else:
                text = catalogue.stands(proposal, kept)
        except (live.Unreachable, review.ReviewError) as error:
            raise Stopped(str(error)) from None
        for note in proposal.schema.notes:
            self._say(f"  {note}")
        counts = catalogue.counts(proposal, text)
        self._say(
            _("  {} 张表，其中 {} 张记录用量；{} 列的含义有把握，{} 处待人确认。").format(
                counts.tables, counts.usage, counts.sure, counts.open
            )
        )
        if counts.open and not self._w.yes:
            text = self._doubts(proposal, text)
        catalogue.save(proposal, text, file, protected.name)
        self.report.counts = counts = catalogue.counts(proposal, text)
        self._say(_("  目录写入 {}").format(file))
        if counts.open:
            self._say(_("  待确认的在核对单 {}。").format(kept))
            self._say(
                _("  改好后：qingfang init --config {} --dsn 连接串 --apply {}").format(
                    self._file, kept
                )
            )

    def _progress(self, done: int, total: int) -> None:
        if done == total or done % 50 == 0:
            self._say(_("  已读取 {}／{} 张表").format(done, total))

    def _doubts(self, proposal: Proposal, text: str) -> str:
        points = review.open_points(text)
        for point in points[:_SHOWN]:
            self._say(f"    {_shown(point)}")
        if len(points) > _SHOWN:
            self._say(_("    … 另有 {} 处").format(len(points) - _SHOWN))
        choice = click.prompt(
            _("怎么确认？1 一处一处来　2 都按推断的（需人确认才采用的不采用）　3 以后改核对单"),
            type=click.Choice(["1", "2", "3"]),
            default="3",
            err=self._err,
        )
        if choice == "3":
            return text
        lines = [line for line in text.splitlines() if line not in {point.text for point in points}]
        for point in points:
            role = self._decide(proposal, point) if choice == "1" else point.role
            if point.asked and choice == "2":
                continue
            if role:
                lines.append(f"{point.table}\t{point.column}\t{role}")
        decisions = review.read("\n".join(lines), _("核对单"))
        review.apply(proposal, decisions, _("核对单"))
        return catalogue.confirmed(decisions, [])

    def _decide(self, proposal: Proposal, point: review.Point) -> str:
        """The role a person says, checked; empty when an `#?` is not taken."""
        self._say(f"  {_shown(point)}")
        if point.asked:
            taken = self._confirm(_("  采用？"), default=False)
            return self._checked(point, point.role) if taken else ""

        def known(answer: str) -> str:
            return self._checked(point, answer)

        return self._ask(_("  角色（- 表示没有）"), "--apply", None, point.role, known)

    @staticmethod
    def _checked(point: review.Point, role: str) -> str:
        known = review.KINDS if point.column == "*" else {*review.ROLES, "-"}
        written = point.column.startswith("*") and point.column != "*"
        if not written and role not in known:
            raise ValueError(_("可用：{}").format(" ".join(sorted(known))))
        return role

    # -------------------------------------------------------------- 4: channels

    def _channels(self, config: Config) -> Config:
        self._title(4, _("通知渠道（可选），并发一条测试通知"))
        w = self._w
        new: set[str] = set()
        there = config.channels
        if there.mail is None:
            found = self._optional(
                _("邮件服务器 主机:端口（不用就回车）"), "--mail", w.mail, _address
            )
            if found:
                host, _colon, port = found.rpartition(":")
                sender = self._ask(_("发件人"), "--mail-from", w.mail_from, None, _mail)
                section = Mail(
                    host=host.strip("[]"),
                    port=int(port),
                    sender=sender,
                    security=w.mail_security,  # type: ignore[arg-type]
                    username=w.mail_user,
                    password_file=w.mail_password_file,
                )
                config = settings.add(self._file, settings.mail(section))
                new.add("mail")
        if there.syslog is None:
            found = self._optional(
                _("syslog 服务器，如 tcp://10.0.0.9:514（不用就回车）"),
                "--syslog",
                w.syslog,
                _syslog,
            )
            if found:
                config = settings.add(self._file, settings.syslog(found))
                new.add("syslog")
        if there.webhook is None:
            found = self._optional(
                _("HTTP 通知地址 http(s)://…（不用就回车）"), "--webhook", w.webhook, _url
            )
            if found:
                section = Webhook(url=found, secret_file=w.webhook_secret_file)
                config = settings.add(self._file, settings.webhook(section))
                new.add("webhook")
        self._test(config, new)
        return config

    def _optional(
        self, label: str, option: str, given: str | None, check: Callable[[str], Any]
    ) -> Any:
        def maybe(answer: str) -> Any:
            return check(answer) if answer else None

        return self._ask(label, option, given, "", maybe)

    def _test(self, config: Config, new: set[str]) -> None:
        if not new:
            if config.channels.mail or config.channels.syslog or config.channels.webhook:
                self._say(_("  渠道已经配置，没有新增。"))
            else:
                self._say(_("  没有配置渠道：告警只在控制台里看得见。"))
            return
        to = ""
        if "mail" in new:
            to = self._ask(_("测试邮件发给谁"), "--mail-to", self._w.mail_to, None, _mail)
        self._say(_("  正在发送测试通知 …"))
        self.report.notices = notices.test(config, frozenset(new), to)
        for sent in self.report.notices:
            if not sent.delivered:
                line = _("  {}：没有送到。{}").format(sent.channel, sent.told)
            elif sent.heard:
                line = _("  {}：对方已收下（{}）。").format(sent.channel, sent.told)
            else:
                line = _("  {}：已发出，对方不回执，请到那台服务器上核对（{}）。").format(
                    sent.channel, sent.told
                )
            self._say(line)

    # -------------------------------------------------------------- 5, 6: calendar, accounts

    def _console(self, config: Config) -> None:
        self._say("")
        self._say(_("准备控制台的数据库 …（第一次约需半分钟）"))
        try:
            with Console(self._file) as console:
                self._title(5, _("工作日历"))
                self._calendar(console)
                self._title(6, _("第一批账号"))
                self._accounts(console)
        except Unavailable as problem:
            raise Stopped(str(problem)) from None

    def _calendar(self, console: Console) -> None:
        self.report.calendar = True
        if console.state.calendar:
            self._say(_("  已经设过，以后在控制台“工作日历”里修改。"))
            return
        w = self._w
        weekdays = self._ask(_("工作日（1 为星期一）"), "--weekdays", w.weekdays, "1-5", _weekdays)
        hours = self._ask(_("工作时段"), "--hours", w.hours, "08:00-12:00 13:30-17:30", _hours)
        answer = console.ask(
            Request(calendar=Calendar(weekdays=weekdays, hours=hours, days=self._days()))
        )
        if answer.problem:
            raise Stopped(f"--days：{answer.problem}")
        self._say(_("  已保存；以后在控制台“工作日历”里修改。"))

    def _days(self) -> str:
        if self._w.days is not None:
            text = self._w.days.read_text(encoding="utf-8")
            _readable(text, str(self._w.days))
            return text
        if self._w.yes:
            return ""
        self._say(
            _("  节假日与调休，一行一段，如 2026-10-01..2026-10-07 休 国庆节；直接回车结束。")
        )
        lines: list[str] = []
        while line := click.prompt("  ", default="", show_default=False, err=self._err).strip():
            try:
                days.read_days("\n".join([*lines, line]))
            except days.Unreadable as error:
                self._say(_("  不行：{}").format(error.text))
                continue
            lines.append(line)
        return "\n".join(lines)

    def _accounts(self, console: Console) -> None:
        if console.state.accounts:
            self._say(_("  已经有账号，以后由安全管理员在控制台里增加。"))
            if self._w.accounts:
                self._say(_("  没有采用 --account。"))
            return
        while True:
            asked = self._who()
            if not asked:
                self._say(_("  没有建立账号：启动后凭终端上的首次设置码在浏览器里建立。"))
                return
            answer = console.ask(Request(accounts=asked))
            if not answer.problem:
                break
            if self._w.accounts or self._w.yes:
                raise Stopped(f"--account：{answer.problem}")
            self._say(_("  不行：{}").format(answer.problem))
        self.report.accounts = answer.made
        self._say(_("  初始密码只显示这一次，首次登录必须修改，请当面交给本人："))
        for made in answer.made:
            secret = made["password"] or _("（同上）")
            self._say(f"    {made['label']}　{made['staff_number']}　{made['name']}　{secret}")

    def _who(self) -> list[dict[str, str]]:
        if self._w.accounts or self._w.yes:
            return [_account(text) for text in self._w.accounts]
        self._say(
            _("  应用管理员须是纪检监察部门的人；信息、药学部门的人不能做应用管理员和审计员。")
        )
        found: list[dict[str, str]] = []
        for role, label, kind in ROLES:
            number = self._optional(
                _("  {}的工号（先不设就回车）").format(label), "--account", None, _plain
            )
            if not number:
                continue
            person = {
                "role": role,
                "staff_number": number,
                "name": self._ask(_("    姓名"), "--account", None, None, _plain),
                "department": self._ask(_("    科室"), "--account", None, None, _plain),
                "kind": self._ask(_("    科室类别"), "--account", None, kind, _plain),
            }
            if role == "duty_officer":
                mail = self._optional(_("    邮箱（告警发到这里）"), "--account", None, _mail)
                person["mail"] = mail or ""
            found.append(person)
        return found

    # -------------------------------------------------------------- the end

    def _end(self, config: Config) -> None:
        report = self.report
        if not Path(report.catalogue).exists():
            report.left.append("catalogue")
        report.next = f"qingfang run --config {self._file}"
        self._say("")
        self._say(_("完成。线路“只观察”：不拦截任何语句，先看一周的预测，再由纪检部门决定。"))
        self._say(_("下一步：{}").format(report.next))
        for route in config.route:
            self._say(
                _("然后把一台业务程序的数据库地址从 {} 改为网关 {}。").format(
                    next(d.address for d in config.database if d.name == route.database),
                    route.listen,
                )
            )


def as_json(report: Report) -> str:
    return msgspec.json.encode(report).decode()


def _shown(point: review.Point) -> str:
    mark = _("（确认才采用）") if point.asked else ""
    return f"{point.table}.{point.column} → {point.role}{mark}　{point.reason}"


# ------------------------------------------------------------------ answers, checked


def _plain(text: str) -> str:
    if not text or any(ord(c) < 32 for c in text):
        raise ValueError(_("不能为空"))
    return text


def _slug(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}", text):
        raise ValueError(_("只能用小写字母、数字和连字符：{}").format(text))
    return text


def _folder(text: str) -> str:
    if not Path(text).is_absolute():
        raise ValueError(_("要写完整路径，以 / 开头：{}").format(text))
    return text


def _address(text: str) -> str:
    host, _colon, port = text.rpartition(":")
    if not host or not port.isdigit() or not 1 <= int(port) <= 65_535:
        raise ValueError(_("应写成 地址:端口，现为：{}").format(text))
    return text


def _listen(text: str) -> str:
    problem = target.free_to_listen(_address(text))
    if problem:
        raise ValueError(problem)
    return text


def _kind(text: str) -> str:
    kinds = ("clinical", "statistics", "report", "third-party")
    if text not in kinds:
        raise ValueError(_("可用：{}").format(" ".join(kinds)))
    return text


def _mail(text: str) -> str:
    if not re.fullmatch(r"[^\s@<>]+@[^\s@<>]+", text):
        raise ValueError(_("不是邮件地址：{}").format(text))
    return text


def _syslog(text: str) -> Syslog:
    transport, sep, address = text.partition("://")
    if not sep or transport not in ("udp", "tcp", "tls"):
        raise ValueError(_("应写成 udp://、tcp:// 或 tls:// 加 地址:端口，现为：{}").format(text))
    return Syslog(address=_address(address), transport=transport)  # type: ignore[arg-type]


def _url(text: str) -> str:
    if not re.match(r"https?://[^/\s]+", text):
        raise ValueError(_("应以 http:// 或 https:// 开头：{}").format(text))
    return text


def _weekdays(text: str) -> list[int]:
    try:
        return days.read_weekdays(text)
    except days.Unreadable as error:
        raise ValueError(_("应写成 1-5 或 1,2,3,6，现为：{}").format(error.text)) from None


def _hours(text: str) -> list[list[str]]:
    try:
        return days.read_hours(text)
    except days.Unreadable as error:
        told = _("应写成 08:00-12:00，各段不重叠，现为：{}").format(error.text)
        raise ValueError(told) from None


def _readable(text: str, file: str) -> None:
    try:
        days.read_days(text)
    except days.Unreadable as error:
        told = _("看不懂：{}。一行一段，如 2026-10-01..2026-10-07 休 国庆节").format(error.text)
        raise Stopped(f"{file}:{error.line}：{told}") from None


def _account(text: str) -> dict[str, str]:
    parts = [part.strip() for part in re.split(r"[,，]", text)]
    known = {role for role, _label, _kind in ROLES}
    if len(parts) not in (5, 6) or parts[0] not in known:
        told = _("--account 应写成 角色,工号,姓名,科室,科室类别[,邮箱]，现为：{}；角色可用：{}")
        raise Stopped(told.format(text, " ".join(sorted(known))))
    names = ("role", "staff_number", "name", "department", "kind", "mail")
    return dict(zip(names, parts, strict=False))
