"""`qingfang ship …`: a sensor's way to the ledger on another machine."""

from __future__ import annotations

import datetime
import sys
from pathlib import Path

import click
import msgspec

from qingfang import config as configuration
from qingfang import ipc
from qingfang.cli import Refused
from qingfang.language import _


@click.group(
    help=_(
        "把本机的记录送到另一台机器的账本。\n\n"
        "\b\n示例：\n"
        "  qingfang ship certificate node-2\n"
        "  qingfang ship status --json"
    )
)
def command() -> None:
    pass


@command.command(
    help=_(
        "为 NAME（节点代号，或见证者的名字）生成一张自签名证书和私钥：NAME.pem、NAME.key，"
        "并说出指纹。把 .pem 文件和指纹交给另一边写进配置；私钥不离开本机。已有的文件从不覆盖。\n\n"
        "\b\n示例：\n  qingfang ship certificate node-2 --folder /etc/qingfang --json\n\n"
        "退出码：0 已生成；2 没法做。"
    )
)
@click.argument("name")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help=_("存放的文件夹，省略时是当前文件夹"),
)
@click.option("--json", "as_json", is_flag=True, help=_("输出一个 JSON 对象"))
def certificate(name: str, folder: Path, as_json: bool) -> None:
    from qingfang.ship import certificates

    made, key = folder / f"{name}.pem", folder / f"{name}.key"
    try:
        now = datetime.datetime.now(datetime.UTC)
        fingerprint = certificates.create(name, made, key, now)
    except FileExistsError as error:
        raise Refused(_("{}：已经有了，不会覆盖").format(error.filename)) from None
    except OSError as error:
        raise Refused(f"{error.filename or folder}：{error.strerror}") from None
    except ValueError as error:
        raise Refused(f"{name}：{error}") from None
    if as_json:
        told = {"certificate": str(made), "key": str(key), "fingerprint": fingerprint}
        click.echo(msgspec.json.encode(told))
        return
    click.echo(_("证书 {}，私钥 {}").format(made, key))
    click.echo(_("指纹 {}").format(fingerprint))


@command.command(
    help=_(
        "正在运行的送出进程：送到哪里、还差多少条、有什么问题。\n\n"
        "\b\n示例：\n  qingfang ship status --json\n\n"
        "退出码：0 正常；1 送不出去；2 连不上。"
    )
)
@click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("/etc/qingfang/qingfang.toml"),
    show_default=True,
    help=_("配置文件"),
)
@click.option("--json", "as_json", is_flag=True, help=_("输出一个 JSON 对象"))
def status(file: Path, as_json: bool) -> None:
    from qingfang.engine import shipper

    try:
        found = shipper.status(configuration.read(file))
    except configuration.ConfigError as error:
        raise Refused(str(error)) from None
    except (ipc.Unavailable, ipc.Refusal) as error:
        raise Refused(_("送出进程没有应答：{}").format(error)) from None
    if as_json:
        click.echo(msgspec.json.encode(found))
    else:
        click.echo(
            _("{} → {}：下一条 {}，还差 {} 条，暂存 {} 字节").format(
                found.log, found.to, found.next, found.waiting, found.spool_bytes
            )
        )
        if found.problem:
            click.echo(_("问题：{}").format(found.problem))
    sys.exit(1 if found.problem else 0)
