"""`qingfang reset-password`: a way in for a security administrator who lost the password."""

from __future__ import annotations

import json
from pathlib import Path

import click

from qingfang.cli import Refused
from qingfang.language import _


@click.command(
    help=_(
        "安全管理员忘了密码、没有别人能重置时，在服务器上给一个新的：首次登录必须修改，绑定的动态码"
        "一并解除。只能用于安全管理员；其他人的密码由安全管理员在控制台里重置。每次都记入账本。\n\n"
        "\b\n示例：\n"
        "qingfang reset-password X001\n"
        "qingfang reset-password X001 --config /etc/qingfang/qingfang.toml --json\n\n"
        "退出码：0 已重置；2 没法做。"
    )
)
@click.argument("number", metavar=_("工号"))
@click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("/etc/qingfang/qingfang.toml"),
    show_default=True,
    help=_("配置文件"),
)
@click.option("--json", "as_json", is_flag=True, help=_("结果输出为一个 JSON 对象"))
def command(number: str, file: Path, as_json: bool) -> None:
    from qingfang import config as configuration
    from qingfang.install import rescue

    try:
        configuration.read(file)
        password = rescue.password_for(file.absolute(), number)
    except (configuration.ConfigError, rescue.Refused) as problem:
        raise Refused(str(problem)) from None
    except OSError as error:
        raise Refused(f"{error.filename or file}：{error.strerror or error}") from None
    if as_json:
        click.echo(json.dumps({"number": number, "password": password}, ensure_ascii=False))
        return
    click.echo(_("{} 的新密码（只显示这一次，首次登录须修改）：{}").format(number, password))
