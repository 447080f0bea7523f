#!/usr/bin/env python3
"""清方账本核验：一个文件，只要 Python 3.8 以上，不联网，不需要清方本身。

    python3 qingfang_verify.py 账本文件夹 [--checkpoint 文件]… [--witness 公钥]… [--office 公钥]
    python3 qingfang_verify.py 证据包.zip [--witness 公钥]… [--office 公钥]

第一种核验整个账本（不解密，不需要密钥）：每一帧、每一段、两棵默克尔树，与检查点是否相符。
第二种核验 `qingfang ledger prove` 做的证据包：其中的记录当时就在账本里，一字未改。
`--checkpoint` 是见证者自己留存的检查点：账本若被退回或重写，只有它看得出。
退出码：0 完好；1 有不对，输出写明第一处；2 读不了。加 `--json` 输出一个 JSON 对象。

Reading this file: the formats are in docs/ledger.md (frames), RFC 6962 (trees), C2SP signed-note,
tlog-checkpoint and tlog-cosignature (checkpoints), RFC 8032 (Ed25519), GB/T 32918 (SM2), GB/T 32905
(SM3). It was written from those texts, apart from the program that writes the ledger. Nothing here is
secret and nothing has to run in constant time: it only verifies.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import datetime
import hashlib
import json
import struct
import sys
import zipfile
import zlib
from pathlib import Path
from typing import Any

# ---------------------------------------------------------------- SM3 (GB/T 32905-2016)

_M = 0xFFFFFFFF


def _rotl(x, n):
    n %= 32
    return ((x << n) | (x >> (32 - n))) & _M


class OwnSm3:
    """As hashlib's objects: `update` and `digest`. For a Python whose OpenSSL has no SM3."""

    def __init__(self, data=b""):
        self.state = [
            0x7380166F, 0x4914B2B9, 0x172442D7, 0xDA8A0600,
            0xA96F30BC, 0x163138AA, 0xE38DEE4D, 0xB0FB0E4E,
        ]  # fmt: skip
        self.rest, self.size = b"", 0
        self.update(data)

    def update(self, data):
        self.size += len(data)
        data = self.rest + data
        whole = len(data) // 64 * 64
        for at in range(0, whole, 64):
            self.state = _compress(self.state, data[at : at + 64])
        self.rest = data[whole:]

    def digest(self):
        state, data = self.state, self.rest + b"\x80"
        data += b"\0" * (-(len(data) + 8) % 64) + struct.pack(">Q", self.size * 8)
        for at in range(0, len(data), 64):
            state = _compress(state, data[at : at + 64])
        return struct.pack(">8I", *state)


def _compress(state, block):
    w = list(struct.unpack(">16I", block))
    for j in range(16, 68):
        x = w[j - 16] ^ w[j - 9] ^ _rotl(w[j - 3], 15)
        w.append(x ^ _rotl(x, 15) ^ _rotl(x, 23) ^ _rotl(w[j - 13], 7) ^ w[j - 6])
    a, b, c, d, e, f, g, h = state
    for j in range(64):
        t = 0x79CC4519 if j < 16 else 0x7A879D8A
        ss1 = _rotl((_rotl(a, 12) + e + _rotl(t, j)) & _M, 7)
        ss2 = ss1 ^ _rotl(a, 12)
        ff = a ^ b ^ c if j < 16 else (a & b) | (a & c) | (b & c)
        gg = e ^ f ^ g if j < 16 else (e & f) | (~e & g)
        tt1 = (ff + d + ss2 + (w[j] ^ w[j + 4])) & _M
        tt2 = (gg + h + ss1 + w[j]) & _M
        a, b, c, d = tt1, a, _rotl(b, 9), c
        e, f, g, h = tt2 ^ _rotl(tt2, 9) ^ _rotl(tt2, 17), e, _rotl(f, 19), g
    return [x ^ y for x, y in zip(state, (a, b, c, d, e, f, g, h))]


def start_sm3(data=b""):
    try:
        return hashlib.new("sm3", data)
    except ValueError:
        return OwnSm3(data)


def sha256(data):
    return hashlib.sha256(data).digest()


def sm3(data):
    return start_sm3(data).digest()


HASHES = {"sha256": sha256, "sm3": sm3}

# ---------------------------------------------------------------- Ed25519 (RFC 8032, 5.1.7)

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P


def _ed_add(p, q):
    """Extended coordinates (X, Y, Z, T)."""
    a = (p[1] - p[0]) * (q[1] - q[0]) % _P
    b = (p[1] + p[0]) * (q[1] + q[0]) % _P
    c = 2 * p[3] * q[3] * _D % _P
    d = 2 * p[2] * q[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % _P, g * h % _P, f * g % _P, e * h % _P)


def _ed_times(k, p):
    q = (0, 1, 1, 0)
    while k:
        if k & 1:
            q = _ed_add(q, p)
        p, k = _ed_add(p, p), k >> 1
    return q


def _ed_point(data):
    """The point that 32 bytes encode; None for none."""
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * pow(2, (_P - 1) // 4, _P) % _P
    if (x * x - square) % _P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = _P - x
    return (x, y, 1, x * y % _P)


_ED_G = _ed_point(bytes([0x58]) + b"\x66" * 31)


def ed25519_verify(public, data, signature):
    if len(public) != 32 or len(signature) != 64:
        return False
    a, r = _ed_point(public), _ed_point(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= _L:
        return False
    h = hashlib.sha512(signature[:32] + public + data).digest()
    left = _ed_times(s, _ED_G)
    right = _ed_add(r, _ed_times(int.from_bytes(h, "little") % _L, a))
    return (left[0] * right[2] - right[0] * left[2]) % _P == 0 and (
        left[1] * right[2] - right[1] * left[2]
    ) % _P == 0


# ---------------------------------------------------------------- SM2 (GB/T 32918.2, .5)

_SP = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
_SA = _SP - 3
_SB = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
_SG = (
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)
_SN = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
SM2_ID = b"1234567812345678"


def _sm2_add(p, q):
    """Affine points, None is the point at infinity."""
    if p is None or q is None:
        return p or q
    if p[0] == q[0]:
        if (p[1] + q[1]) % _SP == 0:
            return None
        slope = (3 * p[0] * p[0] + _SA) * pow(2 * p[1], -1, _SP)
    else:
        slope = (q[1] - p[1]) * pow(q[0] - p[0], -1, _SP)
    x = (slope * slope - p[0] - q[0]) % _SP
    return (x, (slope * (p[0] - x) - p[1]) % _SP)


def _sm2_times(k, p):
    q = None
    while k:
        if k & 1:
            q = _sm2_add(q, p)
        p, k = _sm2_add(p, p), k >> 1
    return q


def sm2_verify(public, data, signature, identity=SM2_ID):
    """`public` is 04 ‖ x ‖ y, `signature` r ‖ s."""
    if len(public) != 65 or public[0] != 4 or len(signature) != 64:
        return False
    x, y = int.from_bytes(public[1:33], "big"), int.from_bytes(public[33:], "big")
    if x >= _SP or y >= _SP or (y * y - (x * x * x + _SA * x + _SB)) % _SP:
        return False
    fixed = b"".join(n.to_bytes(32, "big") for n in (_SA, _SB, *_SG))
    z = sm3(struct.pack(">H", len(identity) * 8) + identity + fixed + public[1:])
    e = int.from_bytes(sm3(z + data), "big")
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    t = (r + s) % _SN
    if not (0 < r < _SN and 0 < s < _SN) or t == 0:
        return False
    point = _sm2_add(_sm2_times(s, _SG), _sm2_times(t, (x, y)))
    return point is not None and (e + point[0]) % _SN == r


VERIFY = {"ed25519": ed25519_verify, "sm2": sm2_verify}

# ---------------------------------------------------------------- MessagePack, as far as used


class Bad(Exception):
    """`code`, the first sequence number that cannot be vouched for, and what is wrong."""

    def __init__(self, code, sequence, problem):
        super().__init__(problem)
        self.code, self.sequence, self.problem = code, sequence, problem


def unpack(data) -> Any:
    """One value. Raises ValueError."""
    try:
        value, end = _unpack(data, 0, 0)
    except (IndexError, struct.error, UnicodeDecodeError, TypeError) as error:
        raise ValueError(str(error)) from None
    if end != len(data):
        raise ValueError("more than one value")
    return value


_NUMBERS = {
    0xCA: ">f", 0xCB: ">d", 0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q",
    0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q",
}  # fmt: skip
_SIZES = {
    0xC4: ("bin", ">B"), 0xC5: ("bin", ">H"), 0xC6: ("bin", ">I"),
    0xD9: ("str", ">B"), 0xDA: ("str", ">H"), 0xDB: ("str", ">I"),
    0xDC: ("array", ">H"), 0xDD: ("array", ">I"), 0xDE: ("map", ">H"), 0xDF: ("map", ">I"),
}  # fmt: skip


def _unpack(data, at, depth):
    if depth > 64:
        raise ValueError("too deep")
    tag, at = data[at], at + 1
    if tag < 0x80:
        return tag, at
    if tag >= 0xE0:
        return tag - 256, at
    if tag in (0xC0, 0xC2, 0xC3):
        return {0xC0: None, 0xC2: False, 0xC3: True}[tag], at
    if tag in _NUMBERS:
        form = _NUMBERS[tag]
        return struct.unpack_from(form, data, at)[0], at + struct.calcsize(form)
    if tag < 0x90:
        kind, size = "map", tag & 15
    elif tag < 0xA0:
        kind, size = "array", tag & 15
    elif tag < 0xC0:
        kind, size = "str", tag & 31
    elif tag in _SIZES:
        kind, form = _SIZES[tag]
        size, at = struct.unpack_from(form, data, at)[0], at + struct.calcsize(form)
    else:
        raise ValueError("unknown type %#x" % tag)
    if kind in ("bin", "str"):
        if at + size > len(data):
            raise ValueError("cut off")
        part = bytes(data[at : at + size])
        return (part if kind == "bin" else part.decode()), at + size
    values = []
    for _n in range(size * (2 if kind == "map" else 1)):
        value, at = _unpack(data, at, depth + 1)
        values.append(value)
    return (dict(zip(values[::2], values[1::2])) if kind == "map" else values), at


def content_of(data) -> Any:
    """One byte (0 plain, 1 zlib), then MessagePack. Raises ValueError."""
    try:
        return unpack(data[1:] if data[:1] == b"\0" else zlib.decompress(data[1:]))
    except zlib.error as error:
        raise ValueError(str(error)) from None


# ---------------------------------------------------------------- trees (RFC 6962, RFC 9162)


class Tree:
    """The right edge of a tree that only grows: `peaks` are its whole subtrees, largest first."""

    def __init__(self, name, size=0, peaks=()):
        if bin(size).count("1") != len(peaks) or any(len(p) != 32 for p in peaks):
            raise ValueError("peaks that no tree of this size has")
        self.hash, self.size, self.peaks = HASHES[name], size, list(peaks)

    def append(self, leaf):
        carried = self.size
        while carried & 1:
            leaf, carried = self.hash(b"\x01" + self.peaks.pop() + leaf), carried >> 1
        self.peaks.append(leaf)
        self.size += 1

    def root(self):
        if not self.peaks:
            return self.hash(b"")
        root = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            root = self.hash(b"\x01" + peak + root)
        return root


def root_from(name, index, size, leaf, proof):
    """The root that an inclusion proof leads to (RFC 9162, 2.1.3.2). Raises ValueError."""
    hashed, node, last, root = HASHES[name], index, size - 1, leaf
    if not 0 <= index < size:
        raise ValueError("no such leaf")
    for sibling in proof:
        if last == 0:
            raise ValueError("the proof is too long")
        if node & 1 or node == last:
            root = hashed(b"\x01" + sibling + root)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            root = hashed(b"\x01" + root + sibling)
        node, last = node >> 1, last >> 1
    if last:
        raise ValueError("the proof is too short")
    return root


# ---------------------------------------------------------------- notes and checkpoints

_TYPES = {
    ("signature", "ed25519"): b"\x01",
    ("signature", "sm2"): b"\xffqingfang/sm2/v1",
    ("cosignature", "ed25519"): b"\x04",
    ("cosignature", "sm2"): b"\xffqingfang/cosignature-sm2/v1",
}


class Note:
    """A text, and lines `— name base64(key id ‖ signature)`. Raises ValueError."""

    def __init__(self, data):
        text, gap, below = data.decode().rpartition("\n\n")
        if not gap or not below.endswith("\n"):
            raise ValueError("不是签了名的文件")
        self.text, self.lines = text + "\n", []
        for line in below[:-1].split("\n"):
            dash, name, encoded = line.split(" ")
            if dash != "\u2014":
                raise ValueError("不是签名行")
            self.lines.append((name, base64.b64decode(encoded, validate=True)))

    def signed(self, name, algorithm, public):
        """Whether this key signed."""
        return any(
            VERIFY[algorithm](public, self.text.encode(), signature)
            for signature in self._by(name, "signature", algorithm, public)
        )

    def cosigned(self, name, algorithm, public):
        """When this key cosigned, in seconds since the epoch; None when it did not."""
        for signature in self._by(name, "cosignature", algorithm, public):
            at = int.from_bytes(signature[:8], "big")
            text = "cosignature/v1\ntime %d\n%s" % (at, self.text)
            if VERIFY[algorithm](public, text.encode(), signature[8:]):
                return at
        return None

    def _by(self, name, role, algorithm, public):
        wanted = sha256(name.encode() + b"\n" + _TYPES[role, algorithm] + public)[:4]
        return [d[4:] for who, d in self.lines if who == name and d[:4] == wanted]


class Checkpoint:
    """What a log said of itself. Raises ValueError."""

    def __init__(self, data, name):
        self.name, self.note = name, Note(data)
        lines = self.note.text.split("\n")
        if len(lines) < 9 or not lines[3].startswith("sm3 ") or not lines[4].startswith("time "):
            raise ValueError("不是检查点")
        self.origin, self.size = lines[0], int(lines[1])
        self.roots = (base64.b64decode(lines[2]), base64.b64decode(lines[3][4:]))
        self.at = seconds(lines[4][5:])
        self.records = int(lines[7][len("records ") :])


def seconds(text):
    at = datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ")
    return int(at.replace(tzinfo=datetime.UTC).timestamp())


class Party:
    """The public keys of the office or of a witness. Raises ValueError."""

    def __init__(self, path, kind):
        lines = Path(path).read_text(encoding="utf-8").split("\n")
        if lines[0] != "qingfang/%s/v1" % kind or len(lines) != 5:
            raise ValueError("%s：不是%s的公钥文件" % (path, kind))
        self.name = lines[1]
        self.keys = {"ed25519": base64.b64decode(lines[2]), "sm2": base64.b64decode(lines[3])}


def is_certified(checkpoint, certificate, office):
    """Whether the office certified the keys that signed this checkpoint, for that time."""
    try:
        note = Note(certificate)
        lines = note.text.split("\n")
        keys = {"ed25519": base64.b64decode(lines[2]), "sm2": base64.b64decode(lines[3])}
        return (
            lines[0] == "qingfang/certificate/v1"
            and lines[1] == checkpoint.origin
            and all(note.signed("office", a, public) for a, public in office.keys.items())
            and seconds(lines[5]) - seconds(lines[4]) <= 30 * 86400
            and seconds(lines[4]) <= checkpoint.at <= seconds(lines[5])
            and all(checkpoint.note.signed(checkpoint.origin, a, k) for a, k in keys.items())
        )
    except (ValueError, IndexError):
        return False


def witnesses_of(checkpoint, witnesses):
    """(name, seconds) of those whose keys both cosigned."""
    found = []
    for each in witnesses:
        times = [checkpoint.note.cosigned(each.name, a, key) for a, key in each.keys.items()]
        if None not in times:
            found.append((each.name, min(times)))
    return found


# ---------------------------------------------------------------- frames

SEGMENT, CLOSE, BATCH = 1, 2, 9
_HEADER, _SALT, _MOST = 92, 16, 48 * 1024 * 1024
_KINDS = {3: "event", 4: "brief", 5: "completed", 6: "loss", 7: "act", 8: "recovered",
          0x11: "connection", 0x12: "template"}  # fmt: skip


class Frame:
    def __init__(self, data, segment, start=0):
        """The frame that begins at `start`, as it says itself. Raises ValueError when it is cut off
        or its CRC is wrong."""
        if len(data) - start < _HEADER + _SALT:
            raise ValueError("cut off")
        masked, crc = struct.unpack_from(">II", data, start)
        length = masked ^ 0xA5C3965A
        if not _SALT <= length <= _MOST + _SALT:
            raise ValueError("no length")
        self.end = start + _HEADER + length
        if self.end > len(data):
            raise ValueError("cut off")
        (self.number, self.sequence, self.count, self.kind, self.version, self.previous,
         self.commitment) = struct.unpack_from(">QQHBB32s32s", data, start + 8)  # fmt: skip
        seed = zlib.crc32(struct.pack(">QQQI", segment, self.number, self.sequence, length))
        if zlib.crc32(data[start + 8 : self.end], seed) != crc or self.version != 2:
            raise ValueError("damaged")
        self.data = bytes(data[start : self.end])
        self.content = self.data[_HEADER + _SALT :]


class State:
    """What the next frame must carry."""

    def __init__(self, number, sequence, head, peaks, sm3_peaks):
        self.number, self.sequence, self.head = number, sequence, head
        self.trees = (Tree("sha256", number, peaks), Tree("sm3", number, sm3_peaks))

    def take(self, frame):
        self.head = sha256(b"\0" + frame.data)
        self.trees[0].append(self.head)
        self.trees[1].append(sm3(b"\0" + frame.data))
        self.number, self.sequence = frame.number + 1, frame.sequence + frame.count

    def same(self, other):
        return (self.number, self.sequence, self.head, self.trees[0].peaks, self.trees[1].peaks) == (
            other.number, other.sequence, other.head, other.trees[0].peaks, other.trees[1].peaks
        )  # fmt: skip


class Report:
    def __init__(self):
        self.ok, self.records, self.segments, self.checkpoints = True, 0, 0, 0
        self.witnessed_to = self.first_bad = self.problem = self.code = None
        self.log, self.first, self.last, self.unproven, self.frames = "", None, None, 0, 0
        self.size, self.root, self.sm3_root = 0, "", ""


def verify_folder(folder, outside=(), witnesses=(), office=None, progress=None):
    """The whole log in a folder: a `Report`."""
    report = Report()
    try:
        _verify(Path(folder), report, outside, witnesses, office, progress)
    except Bad as bad:
        report.ok, report.code = False, bad.code
        report.first_bad, report.problem = bad.sequence, bad.problem
    if report.first is not None and report.records:
        report.last = report.first + report.records - 1
    return report


def _verify(folder, report, outside, witnesses, office, progress):
    numbers = sorted(
        int(p.stem) for p in folder.glob("*.seg") if p.stem.isdigit() and len(p.stem) == 10
    )
    if not numbers:
        raise Bad("empty", 1, "%s：这里没有账本段文件" % folder)
    signed = _checkpoints(folder, outside, witnesses)
    sizes = {each.size for each in signed}
    roots, closed = {}, True
    state: Any = None
    for place, number in enumerate(numbers):
        name = "%010d.seg" % number
        if number != numbers[0] + place:
            lost = state.sequence if state else 1
            raise Bad("missing", lost, "缺少段文件 %010d.seg" % (numbers[0] + place))
        if not closed:
            raise Bad(
                "truncated", state.sequence, "%010d.seg：没有封存帧，段尾被截去" % (number - 1)
            )
        data = (folder / name).read_bytes()
        start, log = _beginning(data, number, name, state)
        if state is None:
            if start.number == 0 and (start.head != bytes(32) or start.sequence != 1):
                raise Bad("order", 1, "首帧的前序摘要不是空值")
            report.log, report.first, report.unproven = log, start.sequence, start.sequence - 1
        elif not start.same(state) or log != report.log:
            raise Bad("order", state.sequence, "%s：不接在前一段之后" % name)
        state = start
        closed = _segment(data, number, name, state, report, sizes, roots, number == numbers[-1])
        report.segments += 1
        if progress:
            progress(place + 1, len(numbers))
    _compare(folder, report, signed, roots, state, witnesses, office)
    report.size, report.root = state.number, state.trees[0].root().hex()
    report.sm3_root = state.trees[1].root().hex()


def _beginning(data, number, name, before):
    """The state before a segment, by its first frame, and the log's name."""
    try:
        first = Frame(data, number)
        says = content_of(first.content[16:])
        start = State(
            first.number, first.sequence, first.previous, says["peaks"], says["sm3_peaks"]
        )
        sealed = start.trees[1].root() if start.number else b""
        if first.kind != SEGMENT or says["segment"] != number or says["sealed"] != sealed:
            raise ValueError("another segment's")
    except (ValueError, KeyError, TypeError):
        raise Bad("damaged", before.sequence if before else 1, "%s：首帧损坏" % name) from None
    return start, says["log"]


def _segment(data, number, name, state, report, sizes, roots, last):
    """Walk one segment's frames; whether it is closed."""
    view, at, frames, records, closed = memoryview(data), 0, 0, 0, False
    roots.update(_root(state, sizes))
    while at < len(data):
        where = "%s 偏移 %d" % (name, at)
        if closed:
            raise Bad("trailing", state.sequence, "%s：封存帧之后还有内容" % name)
        try:
            frame = Frame(view, number, at)
            if (frame.number, frame.sequence) != (state.number, state.sequence):
                raise ValueError("not the next one")
            if frame.kind not in (SEGMENT, CLOSE, BATCH):
                raise ValueError("unknown kind")
        except ValueError as error:
            if last and str(error) == "cut off":
                raise Bad("truncated", state.sequence, where + "：其后不是完整的帧") from None
            raise Bad("damaged", state.sequence, where + "：帧损坏或缺失") from None
        if frame.previous != state.head:
            raise Bad("order", state.sequence, where + "：与前一帧的摘要不符")
        if (frames == 0) != (frame.kind == SEGMENT):
            raise Bad("order", state.sequence, where + "：段首帧错位")
        if frame.kind == CLOSE:
            closed = True
            if not _closes(frame, frames, records, state):
                raise Bad("damaged", state.sequence, where + "：封存帧与段内容不符")
        state.take(frame)
        at = frame.end
        frames, records = frames + 1, records + frame.count
        report.frames, report.records = report.frames + 1, report.records + frame.count
        roots.update(_root(state, sizes))
    return closed


def _closes(frame, frames, records, state):
    try:
        says = content_of(frame.content[16:])
        return (says["frames"], says["records"], says["digest"]) == (
            frames, records, state.trees[1].root()
        )  # fmt: skip
    except (ValueError, KeyError, TypeError):
        return False


def _root(state, sizes):
    if state.number not in sizes:
        return {}
    return {state.number: (state.trees[0].root(), state.trees[1].root())}


def _checkpoints(folder, outside, witnesses):
    paths = sorted((folder / "checkpoints").glob("[0-9]*")) + [folder / "checkpoint"]
    paths += [folder / "cosignatures" / each.name for each in witnesses]
    found = []
    for path in paths + [Path(p) for p in outside]:
        try:
            found.append(Checkpoint(path.read_bytes(), path.name))
        except FileNotFoundError:
            if path in paths:
                continue
            raise
        except (ValueError, IndexError):
            raise Bad("damaged", 1, "%s：读不懂" % path.name) from None
    return found


def _compare(folder, report, signed, roots, state, witnesses, office):
    for each in signed:
        if each.origin != report.log:
            raise Bad("order", 1, "检查点是另一个账本的：%s" % each.origin)
        if each.size > state.number:
            raise Bad(
                "rolled-back",
                state.sequence,
                "检查点 %s 已到第 %d 帧，段文件只到第 %d 帧：账本被截去或退回"
                % (each.name, each.size, state.number),
            )
        if each.size not in roots:
            continue
        if roots[each.size] != each.roots:
            raise Bad("order", 1, "第 %d 帧处的检查点 %s 与段文件不符" % (each.size, each.name))
        report.checkpoints += 1
        if witnesses_of(each, witnesses):
            report.witnessed_to = max(report.witnessed_to or 0, each.records)
    if office is not None:
        latest = [each for each in signed if each.name == "checkpoint"]
        try:
            certificate = (folder / "certificate").read_bytes()
        except FileNotFoundError:
            certificate = b""
        if not latest or not is_certified(latest[0], certificate, office):
            raise Bad("key", 1, "检查点不是纪检部门证书所列的密钥签的")


# ---------------------------------------------------------------- bundles


def verify_bundle(path, witnesses=(), office=None):
    """What a bundle proves: a dict. Raises `Bad`."""
    with zipfile.ZipFile(path) as bundle:
        try:
            manifest = json.loads(bundle.read("manifest.json").decode())
            checkpoint = Checkpoint(bundle.read("checkpoint"), "checkpoint")
            names = bundle.namelist()
            certificate = bundle.read("certificate") if "certificate" in names else b""
            records = [_proven(bundle, each, checkpoint) for each in manifest["records"]]
        except (ValueError, KeyError, TypeError, IndexError, zipfile.BadZipFile) as error:
            raise Bad("damaged", 0, "证据包损坏（%s）" % error) from None
    certified = None if office is None else is_certified(checkpoint, certificate, office)
    if certified is False:
        raise Bad("key", 0, "检查点不是纪检部门证书所列的密钥签的")
    return {
        "ok": True,
        "log": checkpoint.origin,
        "at": checkpoint.at,
        "certified": certified,
        "witnessed": witnesses_of(checkpoint, witnesses),
        "records": records,
    }


def _proven(bundle, each, checkpoint):
    sequence = each["sequence"]
    data = bundle.read(each["frame"])
    frame = Frame(data, each["segment"])
    part = base64.b64decode(each["part"], validate=True)
    kind, number = struct.unpack_from(">BQ", part)
    digests = [bytes.fromhex(d) for d in each["digests"]]
    salt = bytes.fromhex(each["salt"])
    if frame.end != len(data) or frame.kind != BATCH:
        raise Bad("damaged", sequence, "序号 %d：帧不完整" % sequence)
    if number != sequence or not frame.sequence <= number < frame.sequence + frame.count:
        raise Bad("order", sequence, "序号 %d：记录不在这一帧" % sequence)
    if sha256(b"".join(digests)) != frame.commitment:
        raise Bad("damaged", sequence, "序号 %d：各部分的摘要与帧首的承诺不符" % sequence)
    if digests[each["index"]] != sha256(salt + part):
        raise Bad("damaged", sequence, "序号 %d：内容与承诺不符" % sequence)
    for at, name in enumerate(("sha256", "sm3")):
        proof = [base64.b64decode(p, validate=True) for p in each[name]]
        leaf = HASHES[name](b"\0" + data)
        root = root_from(name, frame.number, checkpoint.size, leaf, proof)
        if root != checkpoint.roots[at]:
            raise Bad("order", sequence, "序号 %d：不在检查点的 %s 树里" % (sequence, name))
    plain = kind in (4, 0x11, 0x12)
    value = unpack(part[9:]) if plain else content_of(part[9:])
    return {"sequence": sequence, "kind": _KINDS.get(kind, str(kind)), "value": value}


# ---------------------------------------------------------------- command line


def _plain(value):
    return value.hex() if isinstance(value, bytes) else str(value)


def main(arguments=None):
    parser = argparse.ArgumentParser(description="清方账本核验 / verify a Qingfang ledger")
    parser.add_argument("path", help="账本文件夹，或证据包 .zip")
    parser.add_argument("--checkpoint", action="append", default=[], help="见证者留存的检查点")
    parser.add_argument("--witness", action="append", default=[], help="见证者的公钥 witness.pub")
    parser.add_argument("--office", help="纪检部门的公钥 office.pub")
    parser.add_argument("--json", action="store_true", help="输出一个 JSON 对象")
    asked = parser.parse_args(arguments)
    try:
        witnesses = [Party(path, "witness") for path in asked.witness]
        office = Party(asked.office, "office") if asked.office else None
        if zipfile.is_zipfile(asked.path):
            return _bundle(asked, witnesses, office)
        shown = None if asked.json else _progress
        report = verify_folder(asked.path, asked.checkpoint, witnesses, office, shown)
    except (OSError, ValueError, binascii.Error) as error:
        print("读不了：%s" % error, file=sys.stderr)
        return 2
    if asked.json:
        print(json.dumps(vars(report), ensure_ascii=False))
    elif report.ok:
        print("OK 完好：%d 条记录，%d 个段，与 %d 个检查点相符" % (report.records, report.segments, report.checkpoints))  # fmt: skip
        if report.unproven:
            print("更早的 %d 条不在这里，未核验" % report.unproven)
        print("SHA-256 根 %s\nSM3 根 %s（%d 帧）" % (report.root, report.sm3_root, report.size))
        if report.witnessed_to is None:
            print("未经见证：整体替换或从末尾整帧截去，单凭这些文件看不出来")
        else:
            print("经见证到序号 %d" % report.witnessed_to)
        if office is None:
            print("没有给出纪检部门的公钥：没有核对检查点是谁签的")
    else:
        print("%s 不完好：自序号 %s 起。%s" % (report.code, report.first_bad, report.problem))
    return 0 if report.ok else 1


def _bundle(asked, witnesses, office):
    try:
        found = verify_bundle(asked.path, witnesses, office)
    except Bad as bad:
        told = {"ok": False, "code": bad.code, "first_bad": bad.sequence, "problem": bad.problem}
        print(
            json.dumps(told, ensure_ascii=False)
            if asked.json
            else "%s 不成立：%s" % (bad.code, bad)
        )
        return 1
    if asked.json:
        print(json.dumps(found, ensure_ascii=False, default=_plain))
        return 0
    at = datetime.datetime.fromtimestamp(found["at"], datetime.UTC)
    print(
        "OK 成立：以下记录在 %s（UTC）之前已在账本 %s 里，一字未改" % (at.isoformat(), found["log"])
    )
    for each in found["records"]:
        print("\n序号 %d，%s" % (each["sequence"], each["kind"]))
        print(json.dumps(each["value"], ensure_ascii=False, indent=2, default=_plain))
    print()
    for name, when in found["witnessed"]:
        moment = datetime.datetime.fromtimestamp(when, datetime.UTC)
        print("见证者 %s 在 %s（UTC）加签" % (name, moment.isoformat()))
    if not found["witnessed"]:
        print("没有核对到见证者的签名：有本机管理员权限的人可能整个重写过账本")
    if found["certified"] is None:
        print("没有给出纪检部门的公钥：没有核对检查点是谁签的")
    return 0


def _progress(done, count):
    if count > 9 and done * 10 // count > (done - 1) * 10 // count:
        print("已核验 %d%%" % (done * 100 // count), file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
