"""`qingfang demo`: a hospital at work behind the guard, on this machine."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import click

from qingfang.cli import Refused
from qingfang.language import _


@click.command(
    help=_(
        "启动演示：内置数据库里的合成医院、它前面的网关、控制台，以及真实客户端的日常工作；"
        "其间有人试图统方。Ctrl-C 结束，不留下任何进程。\n\n"
        "\b\n示例：\n  qingfang demo\n  qingfang demo --headless --seconds 60 --json\n\n"
        "--headless 的退出码：0 每次企图都被发现、每项获批统计都放行、没有多余告警、没有丢失；1 有一项不是。"
    )
)
@click.option("--headless", is_flag=True, help=_("不等人看：跑一段时间，输出汇总"))
@click.option("--seconds", default=60.0, show_default=True, help=_("--headless 跑多少秒"))
@click.option("--seed", type=int, help=_("--headless 的企图按这个数安排；缺省随机"))
@click.option("--json", "as_json", is_flag=True, help=_("汇总输出为一个 JSON 对象"))
@click.option("--port", default=8600, show_default=True, help=_("控制台端口"))
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help=_("演示数据放在哪里  [缺省：~/.local/share/qingfang/demo]"),
)
@click.option("--scale", default=1.0, hidden=True)
def command(
    headless: bool,
    seconds: float,
    seed: int | None,
    as_json: bool,
    port: int,
    folder: Path | None,
    scale: float,
) -> None:
    from qingfang.demo import performance, summary
    from qingfang.demo.stage import default_folder
    from qingfang.engine.supervisor import Failed
    from qingfang.postgres import ServerError

    def say(text: str) -> None:
        click.echo(text, err=headless)

    folder = folder or default_folder()
    try:
        if not headless:
            performance.visit(folder, say, scale=scale, port=port)
            return
        plan = seed if seed is not None else random.SystemRandom().getrandbits(32)
        result = performance.headless(folder, seconds, plan, say, scale=scale, port=port)
    except (Failed, ServerError, TimeoutError) as error:
        raise Refused(str(error) or type(error).__name__) from None
    except OSError as error:
        text = _("{}：{}。可用 --folder 把演示数据放到别处")
        raise Refused(text.format(error.filename or folder, error.strerror or error)) from None
    if as_json:
        click.echo(json.dumps(result, ensure_ascii=False))
    else:
        for key, value in result.items():
            click.echo(f"{key}: {value}")
    sys.exit(0 if summary.well(result) else 1)
