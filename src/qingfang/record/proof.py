"""Bundles that prove single records to a stranger: what was recorded, and that it stood in the log before
a checkpoint was signed. Nothing else of the log goes with it, and no key.

    manifest.json          the records: frame, part, salt, digests of the frame's other parts, both
                           inclusion proofs
    frames/<number>        the frame as stored, sealed
    checkpoint             the one that all proofs lead to, a witness's if there is one
    certificate            the office's over the machine's keys, if there is one
    qingfang_verify.py     the program that checks all of it (`record.standalone`)
    说明.html              what was proven and what was not, for laymen

Rules this module keeps:

1. What it writes was checked the way a stranger checks it; a bundle that would not verify is not made.
2. A statement that passed refers to its connection and its template: their parts are proven with it.
3. The page shows no statement and no reason's text unless asked to: both may name items and
   prescribers. The records in the manifest are what they are.
"""

from __future__ import annotations

import base64
import datetime
import html
import json
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from string import Template as Page
from typing import Final

import msgspec
from msgspec import Struct

from qingfang.crypto import sha256
from qingfang.crypto.digests import Name
from qingfang.events import Brief, Connection, Event, Template
from qingfang.language import _
from qingfang.merkle import checkpoint, note, tree
from qingfang.merkle.checkpoint import Checkpoint, CheckpointProblem, moment
from qingfang.merkle.note import NoteProblem
from qingfang.merkle.parties import Party
from qingfang.merkle.tiles import TileReader, from_folder
from qingfang.record import batch, codec, frame, segments, standalone
from qingfang.record.batch import Opener
from qingfang.record.chain import Chain
from qingfang.record.entries import Act, Block, Loss, Opened
from qingfang.record.frame import Frame
from qingfang.record.keys import KeyGone
from qingfang.record.publishing import CERTIFICATE, LATEST
from qingfang.record.witnessed import witnessed

PAGE: Final = "说明.html"
_TREES: Final[tuple[Name, Name]] = ("sha256", "sm3")
_CHINA: Final = datetime.timezone(datetime.timedelta(hours=8))


class Unproven(Exception):
    """A record cannot be proven; the text says which and why (zh)."""


class Proof(Struct, frozen=True):
    """One part of a frame, and what leads from it to a checkpoint. `supports` is the record asked
    for that this part belongs to, None when it is that record itself."""

    sequence: int
    segment: int
    number: int
    frame: bytes
    index: int
    part: bytes
    salt: bytes
    digests: list[bytes]
    supports: int | None
    paths: tuple[list[bytes], list[bytes]]


class Bundle(Struct, frozen=True):
    """`by` are the witnesses (name, seconds since the epoch) that cosigned the checkpoint."""

    checkpoint: Checkpoint
    note: bytes
    certificate: bytes | None
    by: tuple[tuple[str, int], ...]
    proofs: tuple[Proof, ...]


def prove(folder: Path, sequences: Sequence[int], witnesses: Sequence[Party] = ()) -> Bundle:
    """Proofs of records by their sequence numbers. Raises `Unproven` and OSError."""
    found = [part for number in sorted(set(sequences)) for part in _parts(folder, number)]
    last = max(each[0].number for each in found)
    says, data, by = _checkpoint(folder, last, witnesses)
    proofs: list[Proof] = []
    opener = Opener(folder)
    for each, index, supports in found:
        items = opener.items(each)
        parts = batch.parts(items)
        salts = opener.key(each.segment).salts(each.salt, len(parts))
        stored = _bytes(folder, each)
        paths: list[list[bytes]] = []
        for name, root in zip(_TREES, (says.root, says.sm3_root), strict=True):
            reader = TileReader(name, says.size, from_folder(folder))
            try:
                path = tree.inclusion(name, each.number, says.size, reader)
                leads_to = tree.root_of(
                    name, each.number, says.size, tree.leaf_hash(name, stored), path
                )
            except (LookupError, tree.ProofProblem) as error:
                raise Unproven(_("默克尔树的瓦片缺失：{}").format(error)) from None
            if leads_to != root:
                raise Unproven(
                    _("第 {} 帧不在检查点的树里，先运行 qingfang ledger verify").format(each.number)
                )
            paths.append(path)
        sequence = int.from_bytes(parts[index][1:9])
        proofs.append(
            Proof(
                sequence,
                each.segment,
                each.number,
                stored,
                index,
                parts[index],
                salts[index],
                batch.hashes(parts, salts),
                supports,
                (paths[0], paths[1]),
            )
        )
    certificate = folder / CERTIFICATE
    return Bundle(
        says, data, certificate.read_bytes() if certificate.exists() else None, by, tuple(proofs)
    )


def write(bundle: Bundle, path: Path, why: str, now: int, *, full: bool = False) -> None:
    """The bundle as a file, replaced in one step. `full` shows the statements on the page. Raises
    OSError."""
    manifest = {
        "format": "qingfang/proof/v1",
        "log": bundle.checkpoint.origin,
        "why": why,
        "made": moment(now),
        "records": [
            {
                "sequence": each.sequence,
                "supports": each.supports,
                "segment": each.segment,
                "frame": f"frames/{each.number}",
                "index": each.index,
                "part": base64.b64encode(each.part).decode(),
                "salt": each.salt.hex(),
                "digests": [digest.hex() for digest in each.digests],
                "sha256": [base64.b64encode(node).decode() for node in each.paths[0]],
                "sm3": [base64.b64encode(node).decode() for node in each.paths[1]],
            }
            for each in bundle.proofs
        ],
    }
    program = Path(standalone.__file__).with_name("qingfang_verify.py").read_bytes()
    beside = path.with_name(f".{path.name}.new")
    with zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("manifest.json", json.dumps(manifest, ensure_ascii=False, indent=1))
        for number, data in {each.number: each.frame for each in bundle.proofs}.items():
            made.writestr(f"frames/{number}", data)
        made.writestr(LATEST, bundle.note)
        if bundle.certificate is not None:
            made.writestr(CERTIFICATE, bundle.certificate)
        made.writestr("qingfang_verify.py", program)
        made.writestr(PAGE, _page(bundle, why, now, full))
    beside.replace(path)


# ---------------------------------------------------------------------- finding


def _parts(folder: Path, sequence: int) -> Iterator[tuple[Frame, int, int | None]]:
    """The frame and the part's index of a record, and of what it refers to."""
    place = segments.locate(folder, sequence)
    if place is None:
        raise Unproven(_("{}：这里没有账本段文件").format(folder))
    connections: dict[str, tuple[Frame, int]] = {}
    templates: dict[bytes, tuple[Frame, int]] = {}
    opener = Opener(folder)
    for number in (place.segment - 1, place.segment):
        for each in _frames(folder, number):
            if each.kind != frame.BATCH:
                continue
            try:
                items = opener.items(each)
            except (KeyGone, codec.Unreadable) as error:
                if each.sequence <= sequence < each.sequence + each.count:
                    raise Unproven(_("序号 {}：{}").format(sequence, error)) from None
                continue
            at = 0
            for item in items:
                if item.kind != frame.BLOCK:
                    if item.sequence == sequence:
                        yield each, at, None
                        return
                    at += 1
                    continue
                block = codec.unpack(item.kind, item.content)
                assert isinstance(block, Block)
                for n, connection in enumerate(block.connections):
                    connections[connection.id] = each, at + n
                at += len(block.connections)
                for n, template in enumerate(block.templates):
                    templates[template.digest] = each, at + n
                at += len(block.templates)
                if item.sequence <= sequence < item.sequence + len(block.briefs):
                    brief = block.briefs[sequence - item.sequence]
                    yield each, at + sequence - item.sequence, None
                    for told in (connections.get(brief.connection), templates.get(brief.template)):
                        if told is not None:
                            yield *told, sequence
                    return
                at += len(block.briefs)
    raise Unproven(_("账本里没有序号 {}").format(sequence))


def _frames(folder: Path, number: int) -> Iterator[Frame]:
    path = folder / segments.name(number)
    if not path.exists():
        return
    first = segments.first_of(path, number)
    opened = codec.unpack(frame.SEGMENT, first.content) if first is not None else None
    if first is None or not isinstance(opened, Opened):
        raise Unproven(_("{}：首帧损坏").format(path.name))
    chain = Chain(first.number, first.sequence, first.previous, opened.peaks, opened.sm3_peaks)
    yield from segments.Walk(path, number, chain)


def _bytes(folder: Path, each: Frame) -> bytes:
    with (folder / segments.name(each.segment)).open("rb") as file:
        file.seek(each.start)
        return file.read(each.end - each.start)


def _checkpoint(
    folder: Path, last: int, witnesses: Sequence[Party]
) -> tuple[Checkpoint, bytes, tuple[tuple[str, int], ...]]:
    """The best one over frame `last`: one that a witness cosigned, else the latest."""
    best = [w for w in witnessed(folder, witnesses) if w.checkpoint.size > last]
    if best:
        one = max(best, key=lambda w: w.checkpoint.size)
        return one.checkpoint, one.note.encode(), ((one.by, one.at),)
    try:
        data = (folder / LATEST).read_bytes()
        says = checkpoint.read(note.parse(data).text)
    except FileNotFoundError:
        raise Unproven(_("还没有检查点")) from None
    except (NoteProblem, CheckpointProblem) as error:
        raise Unproven(_("检查点读不懂（{}）").format(error)) from None
    if says.size <= last:
        raise Unproven(_("检查点还没有到这一条，过几秒再试"))
    return says, data, ()


# ---------------------------------------------------------------------- the page


def _page(bundle: Bundle, why: str, now: int, full: bool) -> str:
    shown = [each for each in bundle.proofs if each.supports is None]
    rows = "".join(_row(each, bundle, full) for each in shown)
    by = "".join(
        f"<li>见证者 <b>{html.escape(name)}</b> 于 {_local(at)} 在另一台电脑上核对并加签。</li>"
        for name, at in bundle.by
    )
    if not by:
        by = "<li class=no>没有见证者的签名：有这台机器管理员权限的人，可能在出具之前重写过整个账本。</li>"
    certified = (
        "<li>机器的签名密钥有纪检部门的证书，附在包里；核验时请用纪检部门当面给的公钥。</li>"
        if bundle.certificate is not None
        else "<li class=no>没有纪检部门的证书：不能证明签名的是哪台机器。</li>"
    )
    return Page(_PAGE).substitute(
        log=html.escape(bundle.checkpoint.origin),
        why=html.escape(why),
        made=_local(now),
        at=_local(bundle.checkpoint.at),
        size=bundle.checkpoint.size,
        count=len(shown),
        rows=rows,
        by=by,
        certified=certified,
        digest=sha256(bundle.note).hex(),
        hidden=""
        if full
        else "<p>本页没有列出语句原文和理由的文字（其中可能有药品、医生的名字）；它们在包内的记录里，"
        "用核验程序可以看到。</p>",
    )


def _row(each: Proof, bundle: Bundle, full: bool) -> str:
    kind, value = each.part[0], _value(each, bundle)
    cells = [str(each.sequence), _KINDS.get(kind, str(kind)), "", "", ""]
    if isinstance(value, Event):
        who = value.operator.value if value.operator is not None else value.account
        cells[2] = value.at[:19].replace("T", " ")
        cells[3] = " @ ".join(part for part in (who, value.client) if part)
        cells[4] = _VERDICTS.get(value.verdict, value.verdict)
        if full:
            told = "；".join(text for text in (*value.reasons, value.sql) if text)
            cells[4] += f"：{told}" if told else ""
    elif isinstance(value, Act):
        cells[2:] = [_local(value.at_us // 1_000_000), value.who, value.what]
    elif isinstance(value, Loss):
        counts = "、".join(f"{kind} {count} 条" for kind, count in value.kinds.items())
        cells[2:] = [_local(value.from_us // 1_000_000), value.source, counts]
    return "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>"


def _value(each: Proof, bundle: Bundle) -> object:
    """What a record says; a statement that passed as the event it stands for."""
    kind, data = each.part[0], each.part[9:]
    if kind != frame.BLOCK:
        return codec.unpack(kind, codec.NO_TOKEN + data)
    connection: Connection | None = None
    template: Template | None = None
    for other in bundle.proofs:
        if other.supports == each.sequence and other.part[0] == batch.CONNECTION:
            connection = msgspec.msgpack.decode(other.part[9:], type=Connection)
        elif other.supports == each.sequence:
            template = msgspec.msgpack.decode(other.part[9:], type=Template)
    brief = msgspec.msgpack.decode(data, type=Brief)
    return codec.expand(brief, connection, template, bundle.checkpoint.origin, each.sequence)


def _local(at: int) -> str:
    return datetime.datetime.fromtimestamp(at, _CHINA).strftime("%Y-%m-%d %H:%M:%S")


_KINDS: Final = {
    frame.EVENT: "语句",
    frame.BLOCK: "放行的语句",
    frame.COMPLETED: "语句的结果",
    frame.LOSS: "没能存下的",
    frame.ACT: "操作",
    frame.RECOVERED: "中断后的恢复",
}
_VERDICTS: Final = {"pass": "放行", "note": "留痕", "alert": "告警", "mask": "遮蔽", "deny": "拒绝"}
_PAGE: Final = """<!doctype html>
<html lang="zh-Hans"><meta charset="utf-8"><title>证据说明</title>
<meta name="viewport" content="width=device-width,initial-scale=1">
<style>
@page { size: A4; margin: 20mm }
body { font: 15px/1.7 "Noto Sans CJK SC", "Microsoft YaHei", sans-serif; max-width: 46em;
  margin: 2em auto; padding: 0 1em; color: #1a1a1a }
h1 { font-size: 1.5em } h2 { font-size: 1.15em; margin-top: 1.6em }
table { border-collapse: collapse; width: 100% } th, td { border: 1px solid #999; padding: .3em .5em;
  text-align: left; vertical-align: top; overflow-wrap: anywhere }
th { background: #eee; white-space: nowrap }
td:nth-child(-n+2), td:nth-child(3) { white-space: nowrap } td:nth-child(4) { min-width: 7em } .no { font-weight: bold } code { overflow-wrap: anywhere }
</style>
<h1>证据说明</h1>
<p>账本 <code>$log</code>；$made 出具（北京时间，下同）。<br>出具的理由：$why</p>
<h2>这些记录</h2>
<table><thead><tr><th>序号<th>种类<th>时间<th>谁<th>记了什么</thead><tbody>$rows</tbody></table>
$hidden
<h2>证明了什么</h2>
<ul>
<li>以上 $count 条记录，在 <b>$at</b> 之前已经在账本里，就是包里的样子，一字未改，前后次序未动。</li>
<li>那一刻账本有 $size 帧，机器为此签了名（检查点）。</li>
$certified
$by
</ul>
<h2>没有证明什么</h2>
<ul>
<li>记录进入账本之前发生的事：语句被看见之前若已被改动、绕过，这里看不出。</li>
<li>坐在终端前的是不是账号的主人：记录说的是哪个账号、哪台终端。</li>
<li>账本里没有别的相关记录：这里只出示所要的几条。</li>
</ul>
<h2>怎样自己核验</h2>
<p>在任何一台装了 Python 3.8 以上的电脑上，不用联网：</p>
<p><code>python3 qingfang_verify.py 证据包.zip --office office.pub --witness witness.pub</code></p>
<p>核验程序也在包里；要紧的案件，请用另外得到的一份。检查点文件的 SHA-256：<code>$digest</code></p>
</html>
"""
