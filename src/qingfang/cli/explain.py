"""`qingfang explain`: what would the receiver of each statement learn?"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from qingfang.cli import Refused
from qingfang.engine import definitions
from qingfang.engine.explain import Explainer
from qingfang.language import _
from qingfang.understand.catalogue import DIALECTS, CatalogueError, load


@click.command(
    help=_(
        "逐行读入语句（标准输入，每行一个 JSON），逐行输出每条语句的接收者会得知什么。\n\n"
        "\b\n示例：\n"
        "qingfang explain --catalogue catalogue.json < statements.ndjson > meanings.ndjson\n\n"
        "退出码：0 全部读懂格式；1 有格式不对的行，已在原位答复；2 目录或定义不可用。"
    )
)
@click.option(
    "--catalogue",
    "file",
    type=click.Path(path_type=Path),
    required=True,
    help=_("目录文件（qingfang discover 生成）"),
)
@click.option("--dialect", type=click.Choice(DIALECTS), help=_("SQL 方言，默认用目录里写的"))
@click.option(
    "--profile",
    "wanted",
    default=definitions.DEFAULT,
    show_default=True,
    help=_("按哪份统方定义：{}，或自己的定义文件").format(" ".join(definitions.names())),
)
def command(file: Path, dialect: str | None, wanted: str) -> None:
    try:
        catalogue = load(json.loads(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise Refused(_("读不了 {}：{}").format(file, error.strerror)) from None
    except CatalogueError as error:
        raise Refused(f"{file}：{error}") from None
    except ValueError as error:
        raise Refused(_("{} 不是 JSON：{}").format(file, error)) from None
    try:
        definition = definitions.chosen(wanted)
    except OSError as error:
        raise Refused(_("读不了 {}：{}").format(wanted, error.strerror)) from None
    except definitions.DefinitionError as error:
        raise Refused(str(error)) from None
    explainer = Explainer(catalogue, dialect, definition)
    out = sys.stdout.buffer
    for answer in explainer.answers(sys.stdin.buffer):
        out.write(answer)
        out.flush()
    sys.exit(1 if explainer.bad else 0)
