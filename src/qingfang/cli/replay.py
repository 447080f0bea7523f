"""`qingfang replay`: a capture file, statement by statement."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
import msgspec

from qingfang.cli import Refused
from qingfang.engine import passive, replay
from qingfang.language import _
from qingfang.sense.tap.pcapfile import CaptureFile, NotACapture
from qingfang.understand import catalogue


@click.command(
    help=_(
        "回放抓包文件（pcap、pcapng，可为 gzip；- 为标准输入）：按线上次序每条语句输出一行 JSON 事件。\n\n"
        "\b\n示例：\n"
        "  qingfang replay 工作日.pcap.gz --catalogue catalogue.json --port 5432\n"
        "  tcpdump -i eth1 -w - port 5432 | qingfang replay - --json-summary\n\n"
        "不给目录（--catalogue）时只列出语句，不作判断。\n\n"
        "退出码：0 全部看清；1 有没看清的（丢失、无法解码、加密、文件中断），汇总写明；2 读不了。"
    )
)
@click.argument("file")
@click.option(
    "--catalogue",
    "catalogue_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help=_("目录（JSON），由 qingfang discover 生成"),
)
@click.option(
    "--port", "ports", type=click.IntRange(1, 65535), multiple=True, help=_("数据库端口，可重复")
)
@click.option(
    "--protocol",
    type=click.Choice(["pg", "mysql", "tds", "tns"]),
    default="pg",
    show_default=True,
    help=_("数据库协议"),
)
@click.option("--json-summary", is_flag=True, help=_("只输出一个 JSON 汇总"))
def command(
    file: str,
    catalogue_file: Path | None,
    ports: tuple[int, ...],
    protocol: str,
    json_summary: bool,
) -> None:
    if protocol not in passive.DECODERS:
        known = " ".join(passive.DECODERS)
        raise Refused(_("还不能解码协议 {}；可选：{}").format(protocol, known))
    decide = replay.record_only("postgres")
    if catalogue_file is not None:
        decide = replay.Judged(_read(catalogue_file))
    out = sys.stdout.buffer
    shown = sys.stderr.isatty()

    def progress(statements: int) -> None:
        text = _("已回放 {:,} 条语句").format(statements)
        click.echo(f"\r{text}", err=True, nl=False)

    try:
        stream = sys.stdin.buffer if file == "-" else Path(file).open("rb")  # noqa: SIM115
        capture = CaptureFile(stream, file)
    except OSError as error:
        raise Refused(_("读不了 {}：{}").format(file, error.strerror)) from None
    except NotACapture as error:
        raise Refused(str(error)) from None
    with stream:
        summary = replay.run(
            capture,
            list(ports) or [passive.PORTS[protocol]],
            protocol,
            decide,
            None if json_summary else lambda event: _write(out, replay.line(event)),
            progress if shown else None,
        )
    if shown:
        click.echo(err=True)
    if json_summary:
        _write(out, msgspec.json.encode(summary) + b"\n")
    out.flush()
    for text in replay.shortcomings(summary):
        click.echo(text, err=True)
    sys.exit(0 if summary.complete else 1)


def _read(file: Path) -> catalogue.Catalogue:
    try:
        return catalogue.load(json.loads(file.read_bytes()))
    except OSError as error:
        raise Refused(_("读不了 {}：{}").format(file, error.strerror)) from None
    except json.JSONDecodeError as error:
        raise Refused(
            _("{} 第 {} 行：不是 JSON：{}").format(file, error.lineno, error.msg)
        ) from None
    except ValueError as error:
        raise Refused(f"{file}：{error}") from None


def _write(out, data: bytes) -> None:
    out.write(data)
