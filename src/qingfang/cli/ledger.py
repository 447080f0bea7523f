"""`qingfang ledger …`: check, count and read the evidence."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from qingfang import config as configuration
from qingfang import ipc
from qingfang.cli import Refused
from qingfang.language import _
from qingfang.merkle import parties
from qingfang.merkle.checkpoint import moment
from qingfang.merkle.parties import Party, PartyProblem
from qingfang.record import client, reading, witnessed
from qingfang.record.codec import Unreadable
from qingfang.record.entries import Act, Entry
from qingfang.record.verify import verify as verify_folder
from qingfang.record.witnessed import Witnessed

_config = click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("/etc/qingfang/qingfang.toml"),
    show_default=True,
    help=_("配置文件，由它得知账本在哪里"),
)
_path = click.argument(
    "path", required=False, type=click.Path(path_type=Path, file_okay=False, exists=True)
)
_first = click.option(
    "--from", "first", type=click.IntRange(1), default=1, help=_("从这个序号开始")
)
_no_passes = click.option(
    "--no-passes", is_flag=True, help=_("略去放行的语句，只要告警、拒绝、操作和丢失")
)


_witness = click.option(
    "--witness",
    "keys",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help=_("见证者的公钥 witness.pub，可写几次；省略 PATH 时也取配置里的"),
)


@click.group(
    help=_(
        "证据账本：核验、统计、导出。\n\n"
        "\b\n示例：\n"
        "  qingfang ledger verify /var/lib/qingfang/ledger --json\n"
        "  qingfang ledger export --from 1000 > events.ndjson"
    )
)
def command() -> None:
    pass


@command.command(
    help=_(
        "离线核验段文件：每一帧、每一段、每一条都要对得上。PATH 省略时取配置里的账本。\n\n"
        "\b\n示例：\n  qingfang ledger verify /var/lib/qingfang/ledger --json\n\n"
        "退出码：0 完好；1 有不对，输出写明第一处；2 读不了。"
    )
)
@_path
@_config
@click.option("--jobs", type=click.IntRange(1), default=os.cpu_count() or 1, help=_("同时核验几段"))
@_witness
@click.option(
    "--checkpoint",
    "outside",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help=_("见证者自己留存的检查点，可写几次；账本必须是它的延续"),
)
@click.option("--json", "as_json", is_flag=True, help=_("输出一个 JSON 对象"))
def verify(
    path: Path | None,
    file: Path,
    jobs: int,
    keys: tuple[Path, ...],
    outside: tuple[Path, ...],
    as_json: bool,
) -> None:
    folder = path or _folder(file)
    witnesses, shown_to_us = _vouching(None if path else file, keys, outside)
    shown = 0

    def progress(done: int, total: int) -> None:
        nonlocal shown
        if total and done * 10 // total > shown:
            shown = done * 10 // total
            click.echo(_("已核验 {}%").format(shown * 10), err=True)

    try:
        report = verify_folder(
            folder, progress, jobs=jobs, witnesses=witnesses, outside=shown_to_us
        )
    except OSError as error:
        raise Refused(_("{}：读不了（{}）").format(folder, error.strerror)) from None
    if as_json:
        click.echo(msgspec.json.encode(report))
    elif report.ok:
        click.echo(
            _("完好：{} 条记录，{} 个段，序号 {}–{}").format(
                report.records, report.segments, report.first, report.last
            )
        )
        if report.unproven:
            click.echo(_("更早的 {} 条不在这里，未核验").format(report.unproven))
        if report.unopened:
            click.echo(
                _("其中 {} 条没有密钥，只核验了没有被改动，没有核对内容").format(report.unopened)
            )
        if report.checkpoints:
            click.echo(_("与 {} 个检查点相符").format(report.checkpoints))
        if report.witnessed_to is None:
            click.echo(_("未经见证：整体替换或从末尾整帧截去，单凭本机文件看不出来"))
        else:
            click.echo(_("经见证到序号 {}").format(report.witnessed_to))
    else:
        click.echo(_("不完好：自序号 {} 起。{}").format(report.first_bad, report.problem))
    sys.exit(0 if report.ok else 1)


@command.command(
    help=_(
        "正在运行的账本的状态与条数。\n\n\b\n示例：\n  qingfang ledger stat --json\n\n退出码：0 正常；1 正在丢失；2 连不上。"
    )
)
@_config
@click.option("--json", "as_json", is_flag=True, help=_("输出一个 JSON 对象"))
def stat(file: Path, as_json: bool) -> None:
    try:
        found = client.stat(_socket(file))
    except (ipc.Unavailable, ipc.Refusal) as error:
        raise Refused(_("账本没有应答：{}").format(error)) from None
    if as_json:
        click.echo(msgspec.json.encode(found))
    else:
        click.echo(
            _("{}：{}，下一序号 {}，{} 个段，{} 字节").format(
                found.log, found.state, found.next, found.segments, found.bytes
            )
        )
        for source, count in sorted(found.sources.items()):
            click.echo(
                _("  {}：看见 {}，存入 {}，丢失 {}").format(
                    source, count.seen, count.stored, count.lost + count.refused
                )
            )
        if found.uncertified:
            click.echo(found.uncertified)
        for name, at in sorted(found.witnessed.items()):
            when = moment(at) if at else _("还没有")
            click.echo(_("  见证者 {}：最近一次 {}").format(name, when))
    sys.exit(0 if found.state == "ok" else 1)


@command.command(
    help=_(
        "输出记录，一行一个 JSON：事件如约定，其他记录另有 record 字段。不需要账本在运行。\n\n"
        "\b\n示例：\n  qingfang ledger export --from 1000 --no-passes > events.ndjson"
    )
)
@_path
@_config
@_first
@_no_passes
def export(path: Path | None, file: Path, first: int, no_passes: bool) -> None:
    folder = path or _folder(file)
    try:
        _print(reading.records(folder, first, briefs=not no_passes))
    except OSError as error:
        raise Refused(_("{}：读不了（{}）").format(folder, error.strerror)) from None
    except Unreadable as error:
        raise Refused(_("{}：{}。先运行 qingfang ledger verify").format(folder, error)) from None


@command.command(
    help=_(
        "为几条记录（序号）做一个证据包：记录、证明、检查点、核验程序和一页中文说明。不交出密钥，不露出别的记录。"
        "账本在运行时，这件事本身记入账本。\n\n"
        "\b\n示例：\n"
        "  qingfang ledger prove 1024 1031 --who 1024 --reason 纪检立案 2026-17 --out 证据.zip\n\n"
        "退出码：0 已做好；2 做不了。"
    )
)
@click.argument("sequences", nargs=-1, required=True, type=click.IntRange(1))
@click.option(
    "--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help=_("写到哪里")
)
@click.option("--who", required=True, help=_("谁要的，姓名或工号"))
@click.option("--reason", required=True, help=_("为什么，写在说明里，也记入账本"))
@click.option("--full", is_flag=True, help=_("说明里列出语句原文和理由（可能有药品、医生的名字）"))
@click.option(
    "--folder",
    "path",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help=_("账本的文件夹；省略时取配置里的"),
)
@_config
@_witness
def prove(
    sequences: tuple[int, ...],
    out: Path,
    who: str,
    reason: str,
    full: bool,
    path: Path | None,
    file: Path,
    keys: tuple[Path, ...],
) -> None:
    from qingfang.record import proof

    folder = path or _folder(file)
    witnesses, _none = _vouching(None if path else file, keys, ())
    try:
        made = proof.prove(folder, sequences, witnesses)
        if path is None:
            told = {"reason": reason, "out": out.name, "full": str(full)}
            numbers = " ".join(map(str, sequences))
            act = Act(client.now_us(), "ledger.proved", who, about=numbers, details=told)
            client.BlockingRecorder(_socket(file), "cli").record(act)
        proof.write(made, out, reason, int(time.time()), full=full)
    except (proof.Unproven, client.NotStored) as error:
        raise Refused(str(error)) from None
    except ipc.Unavailable as error:
        raise Refused(_("账本没有应答：{}").format(error)) from None
    except OSError as error:
        raise Refused(f"{error.filename or folder}：{error.strerror}") from None
    at = moment(made.checkpoint.at)
    click.echo(_("{}：{} 条，证明到 {} 的检查点").format(out, len(set(sequences)), at))
    for name, _at in made.by:
        click.echo(_("经见证者 {} 加签").format(name))
    if not made.by:
        click.echo(_("没有见证者的签名，说明里写明了"))


@command.command(
    help=_(
        "写出给外面专家的核验程序：一个文件，只要 Python，不需要清方。\n\n"
        "\b\n示例：\n  qingfang ledger verifier --out qingfang_verify.py\n\n退出码：0 已写出；2 写不了。"
    )
)
@click.option(
    "--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help=_("写到哪里")
)
def verifier(out: Path) -> None:
    from qingfang.record import standalone

    program = Path(standalone.__file__).with_name("qingfang_verify.py")
    try:
        out.write_bytes(program.read_bytes())
    except OSError as error:
        raise Refused(f"{out}：{error.strerror}") from None
    click.echo(str(out))


@command.command(
    help=_("持续输出新记录，Ctrl-C 结束。\n\n\b\n示例：\n  qingfang ledger tail --no-passes")
)
@_config
@click.option("--from", "first", type=click.IntRange(1), help=_("从这个序号开始，省略时从现在起"))
@_no_passes
def tail(file: Path, first: int | None, no_passes: bool) -> None:
    socket = _socket(file)
    try:
        start = first or client.stat(socket).next
        _print(client.follow_blocking(socket, start, live=True, briefs=not no_passes))
    except (ipc.Unavailable, ipc.Refusal) as error:
        raise Refused(_("账本没有应答：{}").format(error)) from None


@command.command(
    help=_(
        "把纪检部门签发的证书 FILE 装到账本：先核对是纪检部门签的、给这台机器的。不用重启。\n\n"
        "\b\n示例：\n  qingfang ledger certificate /media/usb/certificate\n\n"
        "退出码：0 已装；2 不能装。"
    )
)
@click.argument(
    "certificate", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False, exists=True)
)
@_config
def certificate(certificate: Path, file: Path) -> None:
    from qingfang.engine import ledger
    from qingfang.witness import office

    config = _read(file)
    if not config.ledger.office:
        raise Refused(_("{}：没有 ledger.office（纪检部门的公钥）").format(file))
    folder = ledger.folder(config)
    try:
        keys = parties.load(Path(config.ledger.office), "office")
        asked = office.read_request(folder / "request")
        data = certificate.read_bytes()
        found = parties.certificate_of(data, keys)
        if found is None:
            raise Refused(_("{}：不是纪检部门的密钥签发的证书").format(certificate))
        if (found.origin, found.ed25519, found.sm2) != (asked.origin, asked.ed25519, asked.sm2):
            raise Refused(_("{}：不是给这台机器的密钥的").format(certificate))
        office.write(folder / "certificate", data)
    except (PartyProblem, OSError) as error:
        raise Refused(str(error)) from None
    click.echo(_("已装好，有效到 {}").format(moment(found.end)))


def _vouching(
    file: Path | None, keys: tuple[Path, ...], outside: tuple[Path, ...]
) -> tuple[list[Party], list[Witnessed]]:
    """The witnesses asked for, and what they keep themselves."""
    from qingfang.engine import ledger

    try:
        witnesses = [parties.load(path, "witness") for path in keys]
        if file is not None:
            witnesses += ledger.witnesses(_read(file))
        found: list[Witnessed] = []
        for path in outside:
            data = path.read_bytes()
            read = [made for made in (witnessed.read(data, by) for by in witnesses) if made]
            if not read:
                raise Refused(_("{}：没有 --witness 所列见证者的签名，不能作数").format(path))
            found += read
    except PartyProblem as error:
        raise Refused(str(error)) from None
    return witnesses, found


def _print(entries: Iterator[Entry]) -> None:
    for entry in entries:
        click.echo(reading.as_json(entry))


def _folder(file: Path) -> Path:
    from qingfang.engine import ledger

    return ledger.folder(_read(file))


def _socket(file: Path) -> Path:
    from qingfang.engine import ledger

    return ledger.socket(_read(file))


def _read(file: Path) -> configuration.Config:
    try:
        return configuration.read(file)
    except configuration.ConfigError as error:
        raise Refused(str(error)) from None
