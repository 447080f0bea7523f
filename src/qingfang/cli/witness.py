"""`qingfang witness …`: on another computer, remember what a ledger says of itself."""

from __future__ import annotations

import base64
import sys
import time
from pathlib import Path

import click
import msgspec

from qingfang.cli import Refused
from qingfang.crypto.keyfile import KeyProblem
from qingfang.language import _
from qingfang.merkle import parties
from qingfang.merkle.checkpoint import moment
from qingfang.merkle.parties import PartyProblem
from qingfang.ship import certificates
from qingfang.witness.book import Alarm, BookProblem, Log
from qingfang.witness.rounds import Round, Witness
from qingfang.witness.source import Unreachable

_folder = click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
_json = click.option("--json", "as_json", is_flag=True, help=_("输出一个 JSON 对象"))
_who = click.option("--who", required=True, help=_("谁处置的，姓名或工号"))
_why = click.option("--why", required=True, help=_("为什么，写给以后看的人"))


@click.group(
    help=_(
        "见证：在另一台电脑上记住账本说过的话，它以后就改不了口。FOLDER 是见证者自己的文件夹。\n\n"
        "\b\n示例：\n"
        "  qingfang witness init D:\\witness --name jijian\n"
        "  qingfang witness add D:\\witness hospital --door 10.0.0.9:8601 "
        "--fingerprint 9f… --office office.pub\n"
        "  qingfang witness run D:\\witness"
    )
)
def command() -> None:
    pass


@command.command(
    help=_(
        "在 FOLDER 建一个见证者：签名密钥、公钥 witness.pub、空的见证簿，和连账本入口用的证书。\n\n"
        "\b\n示例：\n  qingfang witness init D:\\witness --name jijian\n\n退出码：0 已建；2 没法做。"
    )
)
@_folder
@click.option("--name", required=True, help=_("见证者的名字，如 jijian；账本的配置里用它"))
@_json
def init(folder: Path, name: str, as_json: bool) -> None:
    import datetime

    try:
        made = Witness.create(folder, name)
        now = datetime.datetime.now(datetime.UTC)
        door = certificates.create(name, folder / f"{name}.pem", folder / f"{name}.key", now)
    except (BookProblem, KeyProblem, OSError, ValueError) as error:
        raise Refused(str(error)) from None
    public = folder / "witness.pub"
    told = {
        "public": str(public),
        "fingerprint": made.party.fingerprint(),
        "certificate": str(folder / f"{name}.pem"),
        "certificate_fingerprint": door,
    }
    made.close()
    if as_json:
        click.echo(msgspec.json.encode(told))
        return
    click.echo(_("公钥 {}，指纹 {}").format(public, told["fingerprint"]))
    click.echo(_("证书 {}，指纹 {}").format(told["certificate"], door))


@command.command(
    help=_(
        "登记一个账本。NAME 是这里叫它的名字。用 --door 经网络，或用 --copy 从文件夹（U 盘）看。\n\n"
        "\b\n示例：\n"
        "  qingfang witness add D:\\witness hospital --copy E:\\ledger --office office.pub\n\n"
        "退出码：0 已登记；2 没法做。"
    )
)
@_folder
@click.argument("name")
@click.option("--door", help=_("账本入口的地址:端口"))
@click.option("--fingerprint", help=_("账本入口证书的指纹，64 位十六进制"))
@click.option(
    "--copy",
    type=click.Path(path_type=Path, file_okay=False),
    help=_("账本的文件夹，或 U 盘上的副本"),
)
@click.option(
    "--office",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help=_("纪检部门的公钥 office.pub"),
)
@click.option(
    "--silence",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    help=_("几分钟没有新的检查点就告警；U 盘上看的写两次之间隔多久"),
)
def add(
    folder: Path,
    name: str,
    door: str | None,
    fingerprint: str | None,
    copy: Path | None,
    office: Path,
    silence: int,
) -> None:
    if (door is None) == (copy is None) or (door is None) != (fingerprint is None):
        raise Refused(_("写 --door 和 --fingerprint，或者只写 --copy"))
    place = f"door:{door}" if door else f"folder:{copy.absolute()}" if copy else ""
    witness = _open(folder)
    try:
        found = parties.load(office, "office")
        log = Log(name, place, fingerprint or "", found.encode(), silence * 60, int(time.time()))
        witness.book.add(log)
    except (BookProblem, PartyProblem) as error:
        raise Refused(str(error)) from None
    finally:
        witness.close()
    click.echo(
        _("已登记 {}；纪检部门公钥的指纹 {}，请与纸上的对").format(name, found.fingerprint())
    )


@command.command(
    help=_(
        "看每个账本一次：取检查点，核对，签名，送回。U 盘上也用它。\n\n"
        "\b\n示例：\n  qingfang witness once D:\\witness --json\n\n"
        "退出码：0 都好；1 有没处置的告警；2 没法做。"
    )
)
@_folder
@_json
def once(folder: Path, as_json: bool) -> None:
    witness = _open(folder)
    try:
        rounds = [witness.round(log, int(time.time())) for log in witness.book.logs()]
        if not rounds:
            raise Refused(_("还没有登记账本，先用 qingfang witness add"))
        for each in rounds:
            _tell(each, as_json)
        bad = bool(witness.book.alarms(open_only=True))
    finally:
        witness.close()
    sys.exit(1 if bad else 0)


@command.command(
    help=_(
        "每隔一会儿看每个账本一次，直到 Ctrl-C。\n\n"
        "\b\n示例：\n  qingfang witness run D:\\witness --every 60\n\n退出码：0 由人结束；2 没法做。"
    )
)
@_folder
@click.option(
    "--every", type=click.IntRange(1), default=60, show_default=True, help=_("隔几秒看一次")
)
@_json
def run(folder: Path, every: int, as_json: bool) -> None:
    witness = _open(folder)
    try:
        while True:
            for log in witness.book.logs():
                _tell(witness.round(log, int(time.time())), as_json)
            sys.stdout.flush()
            time.sleep(every)
    except KeyboardInterrupt:
        pass
    finally:
        witness.close()


@command.command(
    help=_(
        "见证到哪里了，有哪些告警还没有人处置。\n\n"
        "\b\n示例：\n  qingfang witness status D:\\witness --json\n\n"
        "退出码：0 都好；1 有没处置的告警；2 没法做。"
    )
)
@_folder
@_json
def status(folder: Path, as_json: bool) -> None:
    witness = _open(folder)
    try:
        alarms = witness.book.alarms(open_only=True)
        logs = [(log, witness.book.last(log.name)) for log in witness.book.logs()]
    finally:
        witness.close()
    if as_json:
        told = [
            {
                "log": log.name,
                "origin": last.origin if last else None,
                "frames": last.size if last else None,
                "records": last.records if last else None,
                "at": moment(last.at) if last else None,
                "reached": moment(log.reached) if log.reached else None,
            }
            for log, last in logs
        ]
        click.echo(msgspec.json.encode({"logs": told, "alarms": alarms}))
    else:
        for log, last in logs:
            if last is None:
                click.echo(_("{}：还没有见证过").format(log.name))
            else:
                click.echo(
                    _("{}：见证到第 {} 帧，{} 条记录，{}").format(
                        log.name, last.size, last.records, moment(last.at)
                    )
                )
        for alarm in alarms:
            click.echo(_line(alarm))
        if not alarms:
            click.echo(_("没有要处置的告警"))
    sys.exit(1 if alarms else 0)


@command.command(
    help=_(
        "处置一条告警：写下谁、为什么。告警留在见证簿里。\n\n"
        "\b\n示例：\n"
        "  qingfang witness acknowledge D:\\witness 3 --who 1024 --why 更换硬盘，已核对备份\n\n"
        "退出码：0 已记下；2 没法做。"
    )
)
@_folder
@click.argument("number", type=int)
@_who
@_why
def acknowledge(folder: Path, number: int, who: str, why: str) -> None:
    with _asking(folder) as witness:
        witness.book.acknowledge(number, int(time.time()), who, why)


@command.command(
    help=_(
        "账本 NAME 确实换了历史（从备份恢复、换机），有人核实过：从它下一个检查点重新开始。以前见证过的都留着。\n\n"
        "\b\n示例：\n"
        "  qingfang witness accept D:\\witness hospital --who 1024 --why 从备份恢复，见记录\n\n"
        "退出码：0 已记下；2 没法做。"
    )
)
@_folder
@click.argument("name")
@_who
@_why
def accept(folder: Path, name: str, who: str, why: str) -> None:
    with _asking(folder) as witness:
        witness.book.accept(witness.book.log(name).name, int(time.time()), who, why)


@command.command(
    help=_(
        "纪检部门换了密钥：核对 SUCCESSION（旧钥签的声明），此后按新钥看账本 NAME。\n\n"
        "\b\n示例：\n  qingfang witness follow D:\\witness hospital F:\\succession\n\n"
        "退出码：0 已跟上；2 没法做。"
    )
)
@_folder
@click.argument("name")
@click.argument("succession", type=click.Path(path_type=Path, dir_okay=False, exists=True))
def follow(folder: Path, name: str, succession: Path) -> None:
    with _asking(folder) as witness:
        log = witness.book.log(name)
        new = parties.successor(parties.parse(succession.read_bytes()), parties.read(log.office))
        witness.book.follow(name, new.encode())
        click.echo(_("新公钥的指纹 {}，请与纸上的对").format(new.fingerprint()))


@command.command(
    help=_(
        "把账本 NAME 见证过的检查点全部写出，给另一位见证者比对。\n\n"
        "\b\n示例：\n  qingfang witness export D:\\witness hospital > jijian.json\n\n"
        "退出码：0 已写出；2 没法做。"
    )
)
@_folder
@click.argument("name")
def export(folder: Path, name: str) -> None:
    with _asking(folder) as witness:
        notes = witness.book.notes(witness.book.log(name).name)
        click.echo(
            msgspec.json.encode(
                {
                    "witness": witness.party.encode(),
                    "checkpoints": [base64.b64encode(each).decode() for each in notes],
                }
            )
        )


class _Shown(msgspec.Struct):
    witness: str
    checkpoints: list[bytes]


@command.command(
    help=_(
        "与另一位见证者比对：账本给两边看的是不是同一个。OTHER 是对方 export 写出的文件，"
        "先与对方核对它的公钥指纹。\n\n"
        "\b\n示例：\n  qingfang witness compare D:\\witness hospital region.json\n\n"
        "退出码：0 是同一个；1 不是；2 没法做。"
    )
)
@_folder
@click.argument("name")
@click.argument("other", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@_json
def compare(folder: Path, name: str, other: Path, as_json: bool) -> None:
    with _asking(folder) as witness:
        try:
            shown = msgspec.json.decode(other.read_bytes(), type=_Shown)
        except (msgspec.MsgspecError, OSError) as error:
            raise Refused(_("{}：读不懂（{}）").format(other, error)) from None
        by = parties.read(shown.witness)
        log = witness.book.log(name)
        try:
            alarms = witness.compare(log, shown.checkpoints, by, int(time.time()))
        except (Unreachable, certificates.Unusable) as error:
            raise Refused(str(error)) from None
        known = [
            alarm
            for alarm in witness.book.alarms(open_only=True)
            if alarm.log == name and alarm.about.startswith(f"{by.name} ")
        ]
        if as_json:
            told = {"by": by.name, "fingerprint": by.fingerprint(), "alarms": known or alarms}
            click.echo(msgspec.json.encode(told))
        else:
            click.echo(_("对方 {}，公钥指纹 {}").format(by.name, by.fingerprint()))
            for alarm in known or alarms:
                click.echo(_line(alarm))
            if not known:
                click.echo(_("{} 个检查点，是同一个账本").format(len(shown.checkpoints)))
        bad = bool(known)
    sys.exit(1 if bad else 0)


class _asking:  # noqa: N801 - used as a `with` word
    def __init__(self, folder: Path) -> None:
        self._witness = _open(folder)

    def __enter__(self) -> Witness:
        return self._witness

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._witness.close()
        if isinstance(error, BookProblem | PartyProblem):
            raise Refused(str(error)) from None


def _open(folder: Path) -> Witness:
    try:
        return Witness(folder)
    except (BookProblem, KeyProblem, PartyProblem) as error:
        raise Refused(str(error)) from None


def _tell(each: Round, as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.encode(each))
        return
    if each.size is not None:
        click.echo(_("{}：见证了 {} 帧").format(each.log, each.size))
    if each.problem:
        click.echo(_("{}：{}").format(each.log, each.problem))
    for alarm in each.alarms:
        click.echo(_line(alarm))


def _line(alarm: Alarm) -> str:
    return _("告警 {} [{}] {}：{}").format(alarm.id, alarm.code, alarm.log, alarm.text)
