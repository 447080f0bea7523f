"""`qingfang office …`: the discipline office's own keys, on a computer that is not the ledger's."""

from __future__ import annotations

import time
from pathlib import Path

import click
import msgspec

from qingfang.cli import Refused
from qingfang.crypto.keyfile import KeyProblem
from qingfang.language import _
from qingfang.merkle.parties import PartyProblem
from qingfang.witness import office

_folder = click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
_passphrase = click.option(
    "--passphrase-file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help=_("口令所在的文件（第一行）；省略时当面询问"),
)
_json = click.option("--json", "as_json", is_flag=True, help=_("输出一个 JSON 对象"))


@click.group(
    help=_(
        "纪检部门自己的密钥：只在纪检部门的电脑或 U 盘上，不到账本的机器上。\n\n"
        "\b\n示例：\n"
        "  qingfang office create E:\\qingfang-office\n"
        "  qingfang office certify E:\\qingfang-office E:\\request"
    )
)
def command() -> None:
    pass


@command.command(
    help=_(
        "在 FOLDER（U 盘上的文件夹）生成纪检部门的密钥：Ed25519 与 SM2 各一把，有口令保护；office.pub 是可以给人的公钥。"
        "把说出的指纹抄在纸上，见证者与账本登记公钥时要对。\n\n"
        "\b\n示例：\n  qingfang office create E:\\qingfang-office\n\n退出码：0 已生成；2 没法做。"
    )
)
@_folder
@_passphrase
@_json
def create(folder: Path, passphrase_file: Path | None, as_json: bool) -> None:
    try:
        made = office.create(folder, _asked(passphrase_file, new=True))
    except (KeyProblem, OSError) as error:
        raise Refused(str(error)) from None
    told = {"public": str(folder / office.PUBLIC), "fingerprint": made.fingerprint()}
    if as_json:
        click.echo(msgspec.json.encode(told))
        return
    click.echo(_("公钥 {}").format(told["public"]))
    click.echo(_("指纹 {}").format(told["fingerprint"]))
    click.echo(_("请另存一份到第二只 U 盘，锁在不同的地方：密钥丢了，只能从头登记。"))


@command.command(
    help=_(
        "给账本的机器密钥签发证书，至多 30 天。REQUEST 是账本文件夹里的 request，先与机器旁的人对指纹。"
        "签好的 certificate 放回账本文件夹。\n\n"
        "\b\n示例：\n  qingfang office certify E:\\qingfang-office E:\\request\n\n"
        "退出码：0 已签发；1 没有确认指纹，没有签；2 没法做。"
    )
)
@_folder
@click.argument("request", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option(
    "--days", type=click.IntRange(1, 30), default=30, show_default=True, help=_("有效几天")
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help=_("写到哪里，省略时是 REQUEST 旁边的 certificate"),
)
@click.option("--yes", is_flag=True, help=_("指纹已经对过，不再询问"))
@_passphrase
@_json
def certify(
    folder: Path,
    request: Path,
    days: int,
    out: Path | None,
    yes: bool,
    passphrase_file: Path | None,
    as_json: bool,
) -> None:
    out = out or request.with_name("certificate")
    try:
        asked = office.read_request(request)
        if not yes:
            click.echo(_("账本 {}").format(asked.origin), err=True)
            click.echo(_("机器密钥的指纹 {}").format(asked.fingerprint()), err=True)
            click.confirm(_("与机器旁的人对过，一致"), abort=True, err=True)
        keys = office.load(folder, _asked(passphrase_file))
        now = int(time.time())
        office.write(out, office.certify(asked, keys, now, days))
    except (KeyProblem, PartyProblem, OSError) as error:
        raise Refused(str(error)) from None
    told = {"certificate": str(out), "log": asked.origin, "fingerprint": asked.fingerprint()}
    if as_json:
        click.echo(msgspec.json.encode(told))
        return
    click.echo(_("证书 {}，{} 天内有效。放进账本的文件夹即可，不用重启。").format(out, days))


@command.command(
    help=_(
        "换钥：在 NEW 生成新的密钥，用 FOLDER 里的旧钥为它作证，写成 NEW/succession。"
        "见证者用 qingfang witness follow 跟上；账本换成新的 office.pub。"
        "旧钥的口令忘了或 U 盘丢了就不能这样换，见文档 witness.md 的“丢了怎么办”。\n\n"
        "\b\n示例：\n  qingfang office rotate E:\\qingfang-office F:\\qingfang-office-2\n\n"
        "退出码：0 已换；2 没法做。"
    )
)
@_folder
@click.argument("new", type=click.Path(path_type=Path, file_okay=False))
@_passphrase
@click.option(
    "--new-passphrase-file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help=_("新口令所在的文件（第一行）；省略时当面询问"),
)
@_json
def rotate(
    folder: Path,
    new: Path,
    passphrase_file: Path | None,
    new_passphrase_file: Path | None,
    as_json: bool,
) -> None:
    try:
        old = office.load(folder, _asked(passphrase_file))
        made = office.create(new, _asked(new_passphrase_file, new=True))
        office.write(new / "succession", office.succeed(old, made, int(time.time())))
    except (KeyProblem, OSError) as error:
        raise Refused(str(error)) from None
    told = {"succession": str(new / "succession"), "fingerprint": made.fingerprint()}
    if as_json:
        click.echo(msgspec.json.encode(told))
        return
    click.echo(_("换钥的声明 {}").format(told["succession"]))
    click.echo(_("新指纹 {}").format(told["fingerprint"]))


def _asked(file: Path | None, *, new: bool = False) -> str:
    if file is not None:
        return file.read_text(encoding="utf-8").split("\n", 1)[0].rstrip("\r")
    return click.prompt(
        _("新口令") if new else _("口令"), hide_input=True, confirmation_prompt=new, err=True
    )
