"""`qingfang people …`: persons and terminals from the tables that others keep."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import msgspec

from qingfang.cli import Refused
from qingfang.language import _

_PATH = click.Path(path_type=Path, dir_okay=False)


@click.group(
    help=_(
        "人员与终端：从人事、设备部门的表导入。\n\n"
        "\b\n示例：\n"
        "  qingfang people import 在职人员.xlsx\n"
        "  qingfang people import 终端.csv --terminals --yes --json"
    )
)
def command() -> None:
    pass


@command.command(
    "import",
    help=_(
        "从 xlsx、xls、ods 或 CSV 导入人员（--terminals：终端），与控制台里的“导入名单”一样：先说会改"
        "什么，答应了才写；有误的行指出行和列，不写，不妨碍别的。有授权、指定或登记以某人、某台终端为准的，"
        "照样等纪检确认。每一行都记为 --by 这个人的操作，并注明是在终端上办的。\n\n"
        "\b\n示例：\n"
        "  qingfang people import 在职人员.xlsx --whole\n"
        "  qingfang people import 终端.csv --terminals --by X002 --yes --json\n\n"
        "退出码：0 都已写入，或没有可写的；1 有的行有误、没能写入，或没有答应写；2 没法做。"
    ),
)
@click.argument("file", type=_PATH, metavar=_("文件"))
@click.option("--terminals", is_flag=True, help=_("表里是终端，不是人员"))
@click.option("--whole", is_flag=True, help=_("这是全部：表里没有的人算已离职，没有的终端停用"))
@click.option(
    "--by",
    default="",
    metavar=_("工号"),
    help=_("算谁办的：导入人员须是安全管理员，终端须是系统管理员；只有一位时可以不写"),
)
@click.option("--yes", is_flag=True, help=_("不提问，直接写入"))
@click.option("--json", "as_json", is_flag=True, help=_("结果输出为一个 JSON 对象"))
@click.option(
    "--config",
    "settings",
    type=_PATH,
    default=Path("/etc/qingfang/qingfang.toml"),
    show_default=True,
    help=_("配置文件"),
)
def bring(
    file: Path, terminals: bool, whole: bool, by: str, yes: bool, as_json: bool, settings: Path
) -> None:
    from qingfang import config as configuration
    from qingfang.install import directory

    def say(text: str) -> None:
        click.echo(text, err=as_json)

    def progress(done: int, total: int) -> None:
        click.echo(_("正在写入：{}／{}").format(done, total), err=True)

    try:
        configuration.read(settings)
        with directory.Directory(settings.absolute()) as console:
            seen = console.look(file, terminals=terminals, whole=whole, by=by)
            for line in seen.told:
                say(line)
            agreed = bool(seen.writes) and (
                yes or (sys.stdin.isatty() and click.confirm(_("写入？"), err=as_json))
            )
            made = console.write(seen, progress) if agreed else seen
    except (configuration.ConfigError, directory.Refused) as problem:
        raise Refused(str(problem)) from None
    except OSError as error:
        raise Refused(f"{error.filename or file}：{error.strerror or error}") from None
    if agreed:
        for line in made.told:
            say(line)
    elif seen.writes:
        say(_("没有写入。答应写入请加 --yes。"))
    if as_json:
        click.echo(msgspec.json.encode(made).decode())
    refused = seen.wrong or made.refused or (seen.writes and not agreed)
    sys.exit(1 if refused else 0)
