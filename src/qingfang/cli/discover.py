"""`qingfang discover`: what a database's tables mean, proposed from its own schema."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from qingfang.cli import Refused
from qingfang.language import _
from qingfang.understand.catalogue import DIALECTS
from qingfang.understand.discovery import ddl, dictionary, review
from qingfang.understand.discovery.facts import Schema
from qingfang.understand.discovery.propose import propose
from qingfang.understand.discovery.readers import address
from qingfang.understand.discovery.readers.live import Unreachable


def _progress(done: int, total: int) -> None:
    if sys.stderr.isatty() or done == total or done % 50 == 0:
        click.echo(_("已读取 {}／{} 张表").format(done, total), err=True)


@click.command(
    help=_(
        "从数据库自身的结构推断目录（哪些列是药品、医生、科室、数量……），写到标准输出。\n\n"
        "拿不准的地方写进核对单（--review），改好后再用 --apply 采用。\n\n"
        "\b\n示例：\n"
        "qingfang discover postgresql://reader@db/his --review 核对单.txt > catalogue.json\n"
        "qingfang discover oracle://reader@10.0.0.5/his --review 核对单.txt > catalogue.json\n"
        "qingfang discover --ddl schema.sql --dialect postgres --apply 核对单.txt > catalogue.json\n"
        "qingfang discover --queries oracle > 请信息科运行.sql\n"
        "qingfang discover --csv 导出的文件夹 --dialect oracle > catalogue.json\n\n"
        "地址里不写口令时，取环境变量 QINGFANG_DB_PASSWORD。"
    )
)
@click.argument("dsn", required=False)
@click.option("--ddl", "dump", type=click.Path(path_type=Path), help=_("结构导出文件，代替连接"))
@click.option(
    "--csv",
    "exported",
    type=click.Path(path_type=Path, file_okay=False),
    help=_("字典查询结果（columns.csv 等）所在的文件夹，代替连接"),
)
@click.option(
    "--queries",
    type=click.Choice(tuple(dictionary.QUERIES)),
    help=_("打印这种数据库的字典查询，供没有连接时由管理员运行、导出为 CSV"),
)
@click.option(
    "--dialect", type=click.Choice(DIALECTS), default="postgres", help=_("导出文件的 SQL 方言")
)
@click.option("--name", default="", help=_("目录的名称，默认为库名或文件名"))
@click.option("--review", "doubts", type=click.Path(path_type=Path), help=_("写出核对单"))
@click.option("--apply", "decided", type=click.Path(path_type=Path), help=_("采用改好的核对单"))
def command(
    dsn: str | None,
    dump: Path | None,
    exported: Path | None,
    queries: str | None,
    dialect: str,
    name: str,
    doubts: Path | None,
    decided: Path | None,
) -> None:
    if queries is not None:
        click.echo(dictionary.script(queries), nl=False)
        return
    if (dsn, dump, exported).count(None) != 2:
        raise Refused(_("请给出数据库地址，或用 --ddl、--csv 给出导出文件，三者取一"))
    try:
        schema = _read(dsn, dump, exported, dialect)
        schema.name = name or schema.name
        proposal = propose(schema)
        if decided is not None:
            review.apply(
                proposal, review.read(ddl.decode(decided.read_bytes()), str(decided)), str(decided)
            )
        if doubts is not None:
            doubts.write_text(review.write(proposal), encoding="utf-8")
    except Unreachable as error:
        raise Refused(str(error)) from None
    except review.ReviewError as error:
        raise Refused(str(error)) from None
    except ValueError as error:
        raise Refused(f"{dump or exported}：{error}") from None
    except OSError as error:
        raise Refused(f"{error.filename}：{error.strerror}") from None
    click.echo(json.dumps(proposal.catalogue(), ensure_ascii=False, indent=1))


def _read(dsn: str | None, dump: Path | None, exported: Path | None, dialect: str) -> Schema:
    if dump is not None:
        return ddl.read(ddl.decode(dump.read_bytes()), dialect, dump.name.split(".")[0])
    if exported is not None:
        files = {f.name.lower(): f.read_bytes() for f in exported.iterdir() if f.is_file()}
        return dictionary.read_csv(files, dialect, exported.name)
    return address.read(dsn or "", progress=_progress)
