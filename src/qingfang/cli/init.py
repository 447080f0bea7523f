"""`qingfang init`: the first-run guide."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from qingfang.cli import Refused
from qingfang.language import _

_PATH = click.Path(path_type=Path, dir_okay=False)


@click.command(
    help=_(
        "首次安装向导：机构、受保护的数据库（当场连一次）、目录、通知渠道（当场发一条测试通知）、"
        "工作日历、第一批账号；写出 qingfang.toml。每个问题都可以用选项回答；再次运行从没做完的一步"
        "继续，不会覆盖已有的文件。新线路只观察、不拦截。\n\n"
        "\b\n示例：\n"
        "  qingfang init\n"
        "  qingfang init --yes --name 某医院 --dsn postgresql://reader@10.0.0.5/his \\\n"
        "    --account security_administrator,X001,安然,院办公室,office\n\n"
        "退出码：0 全部完成；1 完成了，但有测试通知没有送到；2 没法做。"
    )
)
@click.option(
    "--config",
    "file",
    type=_PATH,
    default=Path("/etc/qingfang/qingfang.toml"),
    show_default=True,
    help=_("写到哪里"),
)
@click.option("--name", help=_("机构名称"))
@click.option("--id", help=_("机构代号"))
@click.option("--state", help=_("数据文件夹"))
@click.option("--run", help=_("套接字文件夹"))
@click.option("--console", help=_("控制台监听的地址:端口"))
@click.option(
    "--console-host", "hosts", multiple=True, help=_("浏览器里还可以用哪个主机名，可多次")
)
@click.option(
    "--console-database",
    default="embedded",
    show_default=True,
    help=_("控制台自己的数据库：内置，或一个 PostgreSQL 的 URL"),
)
@click.option("--dsn", help=_("数据库连接串；密码可放在环境变量 PGPASSWORD 里"))
@click.option("--address", help=_("网关到数据库的地址:端口；缺省取连接串里的"))
@click.option("--database", help=_("数据库代号"))
@click.option("--listen", help=_("网关监听的地址:端口"))
@click.option("--kind", help=_("线路类别"))
@click.option("--apply", type=_PATH, help=_("采用改好的核对单"))
@click.option("--weekdays", help=_("工作日，如 1-5"))
@click.option("--hours", help=_("工作时段，如 08:00-12:00,13:30-17:30"))
@click.option("--days", type=_PATH, help=_("节假日与调休的文件，一行一段"))
@click.option(
    "--account",
    "accounts",
    multiple=True,
    help=_("角色,工号,姓名,科室,科室类别[,邮箱]，可多次"),
)
@click.option("--mail", help=_("邮件服务器 主机:端口"))
@click.option("--mail-from", help=_("发件人"))
@click.option("--mail-to", help=_("测试邮件发给谁"))
@click.option("--mail-security", type=click.Choice(["none", "starttls", "tls"]), default="none")
@click.option("--mail-user", default="", help=_("邮件服务器的用户名"))
@click.option("--mail-password-file", default="", help=_("邮件密码所在文件"))
@click.option("--syslog", help=_("syslog 服务器，如 tcp://10.0.0.9:514"))
@click.option("--webhook", help=_("HTTP 通知地址"))
@click.option("--webhook-secret-file", default="", help=_("HMAC 密钥所在文件"))
@click.option("--yes", is_flag=True, help=_("不提问：没有给出的用缺省值"))
@click.option("--force", is_flag=True, help=_("配置文件已经存在时，用新的回答重写它"))
@click.option("--json", "as_json", is_flag=True, help=_("结果输出为一个 JSON 对象"))
def command(as_json: bool, **wishes: object) -> None:
    from qingfang.install import guide

    def say(text: str) -> None:
        click.echo(text, err=as_json)

    try:
        report = guide.Guide(guide.Wishes(**wishes), say, err=as_json).run()  # type: ignore[arg-type]
    except guide.Stopped as problem:
        raise Refused(str(problem)) from None
    if as_json:
        click.echo(guide.as_json(report))
    sys.exit(0 if report.well else 1)
