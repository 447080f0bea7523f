"""`qingfang run`: everything that `qingfang.toml` asks for, in the foreground."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from qingfang import config as configuration
from qingfang.cli import Refused
from qingfang.engine import catalogues, house, process
from qingfang.engine.supervisor import Failed
from qingfang.language import _
from qingfang.web.setup import code


@click.command(
    help=_(
        "按配置文件启动全部进程（账本、分析、判断、通知、网关、旁路、控制台），在前台运行，Ctrl-C 结束。\n\n"
        "\b\n示例：\n  qingfang run --config /etc/qingfang/qingfang.toml"
    )
)
@click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("/etc/qingfang/qingfang.toml"),
    show_default=True,
    help=_("配置文件；没有就先用 qingfang init 生成"),
)
def command(file: Path) -> None:
    try:
        config = configuration.read(file)
        catalogues.check(config, file)
    except configuration.ConfigError as error:
        raise Refused(str(error)) from None

    async def all_of_it(stopping: asyncio.Event) -> None:
        up = asyncio.Event()
        telling = asyncio.create_task(tell(up))
        try:
            await house.run(config, file.absolute(), stopping, up)
        finally:
            telling.cancel()

    async def tell(up: asyncio.Event) -> None:
        click.echo(_("正在启动 …"))
        await up.wait()
        click.echo(_("控制台：http://{}").format(config.console.listen))
        once = code.read(config)
        if once is not None:
            click.echo(_("还没有账号。首次设置码（只在这台机器上看得到）：{}").format(once))

    try:
        process.run(all_of_it, "qingfang")
    except Failed as error:
        raise Refused(str(error)) from None
