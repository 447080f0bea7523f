"""What is wrong with what a log says now, for one who remembers what it said before.

Rules this module keeps:

1. Cosigned is only what two certified machine keys signed, what continues the last checkpoint in
   both trees, and what has an end the tiles prove. Whatever forbids that is in `FORBIDS`.
2. Everything else that a person should know (silence, a clock set back, losses) is a finding too,
   and does not keep the witness from remembering the checkpoint.
3. No clock, no files, no network: `fetch` gives tiles, `now` is handed in.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from qingfang.crypto.digests import Name
from qingfang.language import _
from qingfang.merkle import checkpoint, note
from qingfang.merkle.checkpoint import Checkpoint, CheckpointProblem, moment
from qingfang.merkle.note import Note, NoteProblem
from qingfang.merkle.parties import Party, certificate_of
from qingfang.merkle.tiles import Fetch, TileReader
from qingfang.merkle.tree import consistency, is_consistent, subtree_root

FORBIDS: Final = frozenset(
    {
        "unreadable",
        "another-log",
        "uncertified",
        "certificate-expired",
        "unsigned",
        "rolled-back",
        "fork",
        "unprovable",
    }
)
"""Findings with which nothing is cosigned."""

_TREES: Final[tuple[Name, Name]] = ("sha256", "sm3")
_ENDING_S: Final = 5 * 86_400
_AHEAD_S: Final = 300
_OFFSET_MS: Final = 60_000


class Finding(Struct, frozen=True):
    """`code` is stable; `text` (zh) says what was seen. `about` tells findings of one code apart
    that are not the same one going on."""

    code: str
    text: str
    about: str = ""


class Look(Struct):
    """`checkpoint` and `note`: what the log says, None when it cannot be read."""

    checkpoint: Checkpoint | None = None
    note: Note | None = None
    findings: list[Finding] = []

    @property
    def sound(self) -> bool:
        """Whether it may be cosigned."""
        return self.checkpoint is not None and not any(f.code in FORBIDS for f in self.findings)

    def find(self, code: str, text: str, about: str = "") -> None:
        self.findings.append(Finding(code, text, about))


def look(
    data: bytes,
    certificate: bytes | None,
    office: Party,
    before: Checkpoint | None,
    fetch: Fetch,
    now: int,
    silence_s: int,
) -> Look:
    """`data` is the log's `checkpoint`, `certificate` the file of that name, `before` what this
    witness remembers. `fetch` may raise what it likes besides `LookupError`; it goes through."""
    found = Look(findings=[])
    try:
        made = note.parse(data)
        says = checkpoint.read(made.text)
    except (NoteProblem, CheckpointProblem) as error:
        found.find("unreadable", _("检查点读不懂（{}）").format(error))
        return found
    found.checkpoint, found.note = says, made
    if before is not None and before.origin != says.origin:
        found.find(
            "another-log",
            _("一直是账本 {}，现在是 {}：账本被整个换掉").format(before.origin, says.origin),
        )
        return found
    _certified(found, certificate, office, says, made, now)
    if before is not None:
        _counts(found, before, says)
    _times(found, before, says, now, silence_s)
    _continues(found, before, says, fetch)
    return found


def _certified(
    found: Look, data: bytes | None, office: Party, says: Checkpoint, made: Note, now: int
) -> None:
    if data is None:
        found.find(
            "uncertified", _("没有证书：请纪检部门用 qingfang office certify 签发，装到账本")
        )
        return
    made_of = certificate_of(data, office)
    if made_of is None or made_of.origin != says.origin:
        found.find("uncertified", _("证书不是纪检部门的密钥签发的，或是别的账本的"))
        return
    if now > made_of.end:
        found.find(
            "certificate-expired",
            _("证书已于 {} 到期，请纪检部门重新签发").format(moment(made_of.end)),
        )
    elif now > made_of.end - _ENDING_S:
        found.find(
            "certificate-ending",
            _("证书将于 {} 到期，请纪检部门重新签发").format(moment(made_of.end)),
        )
    try:
        signed = checkpoint.is_by_machine(made, made_of)
    except CheckpointProblem:
        signed = False
    if not signed:
        found.find("unsigned", _("检查点不是证书所列的机器密钥签的，或签在证书的期限之外"))


def _counts(found: Look, before: Checkpoint, says: Checkpoint) -> None:
    if says.size >= before.size and (
        says.records < before.records or says.seen < before.seen or says.dropped < before.dropped
    ):
        found.find("counts-fell", _("账本自报的条数变小了：计数文件被删去或换过"))
    elif says.dropped > before.dropped:
        found.find(
            "lost",
            _("又有 {} 条没能存下，累计 {} 条").format(says.dropped - before.dropped, says.dropped),
            str(says.dropped),
        )


def _times(
    found: Look, before: Checkpoint | None, says: Checkpoint, now: int, silence_s: int
) -> None:
    if before is not None and says.at < before.at:
        found.find(
            "clock-back",
            _("检查点的时间 {} 早于上一个 {}：时钟被拨回").format(
                moment(says.at), moment(before.at)
            ),
        )
    if says.at > now + _AHEAD_S:
        found.find(
            "clock-ahead",
            _("检查点的时间 {} 比这台机器快 {} 秒").format(moment(says.at), says.at - now),
        )
    elif now - says.at > silence_s:
        found.find("silent", _("最后一个检查点是 {} 的，此后没有新的").format(moment(says.at)))
    offset = says.clock_offset_ms
    if offset is not None and abs(offset) > _OFFSET_MS:
        found.find("clock-off", _("账本的机器自报时钟偏差 {} 毫秒").format(offset))


def _continues(found: Look, before: Checkpoint | None, says: Checkpoint, fetch: Fetch) -> None:
    if before is not None and says.size < before.size:
        found.find(
            "rolled-back",
            _("账本曾有 {} 帧，现在只有 {} 帧：被退回或截去").format(before.size, says.size),
        )
        return
    if before is not None and says.size == before.size:
        if (says.root, says.sm3_root) != (before.root, before.sm3_root):
            found.find("fork", _("同样是 {} 帧，树根与以前不同：账本被改写").format(says.size))
        return
    for name, root in zip(_TREES, (says.root, says.sm3_root), strict=True):
        old = before.size if before is not None else 0
        reader = TileReader(name, says.size, fetch)
        try:
            if subtree_root(name, 0, says.size, reader) != root:
                # The tiles are no evidence, but they are what proofs are made from.
                found.find("unprovable", _("默克尔树的瓦片得不出检查点的树根"))
                return
            proof = consistency(name, old, says.size, reader)
        except LookupError as error:
            found.find("unprovable", _("默克尔树的瓦片缺失：{}").format(error))
            return
        if before is not None:
            old_root = before.root if name == "sha256" else before.sm3_root
            if not is_consistent(name, old, says.size, old_root, root, proof):
                found.find(
                    "fork",
                    _("前 {} 帧与以前见过的不同：账本或默克尔树的瓦片被改写").format(before.size),
                )
                return


def differs(seen: Checkpoint, end: Checkpoint, fetch: Fetch) -> Finding | None:
    """What another witness saw of this log, against what we hold to be its present end: None when
    one history holds both."""
    if seen.origin != end.origin:
        return None
    if seen.size > end.size:
        return Finding(
            "rolled-back",
            _("别的见证者见过 {} 帧，给我们看的只有 {} 帧").format(seen.size, end.size),
        )
    for name in _TREES:
        theirs, ours = (c.root if name == "sha256" else c.sm3_root for c in (seen, end))
        try:
            proof = consistency(name, seen.size, end.size, TileReader(name, end.size, fetch))
        except LookupError as error:
            return Finding("unprovable", _("默克尔树的瓦片缺失：{}").format(error))
        if not is_consistent(name, seen.size, end.size, theirs, ours, proof):
            return Finding(
                "fork",
                _("第 {} 帧处，给别的见证者看的账本与给我们看的不是同一个").format(seen.size),
            )
    return None
