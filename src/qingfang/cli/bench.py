"""`qingfang bench`: the figures, measured here and now."""

from __future__ import annotations

import sys
from typing import Any

import click
import msgspec

from qingfang import bench
from qingfang.cli import Refused
from qingfang.language import _


@click.command(
    help=_(
        "在本机测量一项指标，与已安装的同类产品在同一次运行里比较。\n\n"
        "\b\n示例：\n  qingfang bench gateway --json\n"
        "  qingfang bench recognition --dialect oracle --technique T11\n\n"
        "退出码：0 全部达标；1 有一项未达标；2 无法测量。"
    )
)
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help=_("输出一个 JSON 对象"))
@click.option("--markdown", is_flag=True, help=_("只用于 recognition：输出文档里的表格"))
@click.option("--dialect", "dialects", multiple=True, help=_("只用于 recognition：方言，可多次"))
@click.option(
    "--technique", "techniques", multiple=True, help=_("只用于 recognition：手法编号，可多次")
)
@click.option("--only", "parts", multiple=True, help=_("只用于 recognition：哪一部分，可多次"))
@click.option("--rewrites", type=int, help=_("只用于 recognition：每条语句几个变形，默认 20"))
@click.option("--seed", type=int, help=_("只用于 recognition：变形的种子，默认 1"))
@click.option("--benign", type=int, help=_("只用于 recognition：日常语句几条，默认 1000000"))
def command(name: str | None, as_json: bool, markdown: bool, **given: Any) -> None:
    if name not in bench.names():
        raise Refused(_("要测哪一项？可选：{}").format(" ".join(bench.names())))
    options = {key: value for key, value in given.items() if value not in (None, ())}
    if markdown:
        options["markdown"] = True
    try:
        report = bench.run(name, lambda text: click.echo(text, err=True), options)
    except bench.Impossible as error:
        raise Refused(str(error)) from None
    if as_json:
        click.echo(msgspec.json.encode(report))
    elif markdown:
        click.echo(report.text)
    else:
        for row in report.rows:
            met = {True: "✓", False: "✗", None: " "}[row.met]
            peer = f"{row.peer_name} {row.peer}" if row.peer is not None else row.peer_name
            ratio = f"×{row.ratio}" if row.ratio is not None else ""
            click.echo(f"{met} {row.what}: {row.ours}  {peer} {ratio} {row.goal}")
        if report.text:
            click.echo(report.text)
    sys.exit(0 if all(row.met is not False for row in report.rows) else 1)
