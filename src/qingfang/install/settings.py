"""`qingfang.toml` as the guide writes it: every value explained, 0640, in one step.

Channels are added at the end of the file later: what a person wrote into it stays as it is.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from msgspec import Struct

from qingfang import config as configuration
from qingfang.config import Mail, Syslog, Webhook
from qingfang.language import _


class Answers(Struct, frozen=True):
    """What the file says. `hosts` are names the browser may use for the console."""

    name: str
    id: str
    state: str
    run: str
    console: str
    hosts: tuple[str, ...]
    console_database: str
    database: str
    address: str
    catalogue: str
    listen: str
    kind: str


def text(answers: Answers) -> str:
    q = _quoted
    return f"""\
# 清方的配置，由 qingfang init 写成。各项含义见 docs/configuration.md；改后重启 qingfang run 生效。
# 谁可以做什么（授权、规则、线路是否拦截）不在这里，在控制台里由纪检部门决定。

[site]
name = {q(answers.name)}
id = {q(answers.id)}

[paths]
# 要保留的数据：账本、目录、内置数据库。请纳入备份。
state = {q(answers.state)}
run = {q(answers.run)}

[console]
listen = {q(answers.console)}
# 控制台自己的数据库：embedded 是内置的，也可以是一个 PostgreSQL 的 URL。
database = {q(answers.console_database)}
# 浏览器地址栏里可以使用的主机名；从别的电脑访问时，把本机的地址或域名加进来。
allowed_hosts = [{", ".join(q(host) for host in answers.hosts)}]

# 受保护的数据库。目录说明它的表是什么意思，相对路径从本文件所在的文件夹算起。
[[database]]
name = {q(answers.database)}
address = {q(answers.address)}
protocol = "pg"
dialect = "postgres"
catalogue = {q(answers.catalogue)}

# 网关线路：业务程序改连这个地址。新线路只观察、不拦截。
[[route]]
name = {q(answers.database)}
database = {q(answers.database)}
listen = {q(answers.listen)}
kind = {q(answers.kind)}
"""


def mail(section: Mail) -> str:
    q = _quoted
    lines = ["", "[channels.mail]", f"host = {q(section.host)}", f"port = {section.port}"]
    lines += [f"sender = {q(section.sender)}", f"security = {q(section.security)}"]
    if section.username:
        lines += [f"username = {q(section.username)}"]
        lines += [f"password_file = {q(section.password_file)}"]
    return "\n".join(lines) + "\n"


def syslog(section: Syslog) -> str:
    q = _quoted
    lines = ["", "[channels.syslog]", f"address = {q(section.address)}"]
    lines += [f"transport = {q(section.transport)}"]
    if section.ca:
        lines += [f"ca = {q(section.ca)}"]
    return "\n".join(lines) + "\n"


def webhook(section: Webhook) -> str:
    q = _quoted
    lines = ["", "[channels.webhook]", f"url = {q(section.url)}"]
    if section.secret_file:
        lines += [f"secret_file = {q(section.secret_file)}"]
    return "\n".join(lines) + "\n"


def write(file: Path, content: str) -> configuration.Config:
    """Replace the file, after it was read the way every process will read it. Raises
    `config.ConfigError`, `OSError`; the old file then stays."""
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f"{file.name}.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        os.fchmod(out.fileno(), 0o640)
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    try:
        config = configuration.read(fresh)
    except configuration.ConfigError as error:
        fresh.unlink()
        raise configuration.ConfigError(file, error.line, error.key, error.problem) from None
    fresh.replace(file)
    return config


def add(file: Path, section: str) -> configuration.Config:
    """The file with a section more. Raises as `write`."""
    return write(file, file.read_text(encoding="utf-8").rstrip("\n") + "\n" + section)


def hosts(listen: str, more: tuple[str, ...]) -> tuple[str, ...]:
    """Names for `console.allowed_hosts`: this machine's own, the address listened on, and `more`."""
    host = listen.rpartition(":")[0]
    own = () if host in ("0.0.0.0", "[::]") else (host,)  # noqa: S104 - compared, not listened on
    return tuple(dict.fromkeys(("127.0.0.1", "localhost", *own, *more)))


def _quoted(value: str) -> str:
    """A TOML basic string: JSON's escapes are a subset of its own. Raises `ValueError`."""
    if any(ord(c) < 32 or ord(c) == 127 or 0xD800 <= ord(c) < 0xE000 for c in value):
        raise ValueError(_("不能含有控制字符：{}").format(value.encode("unicode_escape").decode()))
    return json.dumps(value, ensure_ascii=False)
