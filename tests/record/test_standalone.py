"""The expert's one file against the standards' own examples, against the ledger that we write, and
against the verifier of the house: both must say the same of whatever was done to the files."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qingfang.crypto import Ed25519Signer
from qingfang.crypto.sm2 import Sm2Signer
from qingfang.record import segments, standalone
from qingfang.record.verify import verify
from qingfang.record.witnessed import read
from qingfang.witness import office
from tests.record.test_publishing import publish, write, writer
from tests.record.test_verify import fill
from tests.witness.test_witness import NOW, Hospital, a_witness, seen

FILE = Path(standalone.__file__).with_name("qingfang_verify.py")


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("qingfang_verify", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


alone = load()


def test_it_needs_the_standard_library_only() -> None:
    tree = ast.parse(FILE.read_text(encoding="utf-8"))
    names = {
        name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [n.name for n in node.names]
        )
    }
    assert names <= set(sys.stdlib_module_names)
    ast.parse(FILE.read_text(encoding="utf-8"), feature_version=(3, 8))


def test_sm3_by_the_standards_examples() -> None:
    """GB/T 32905-2016, appendix A."""
    for data, digest in (
        (b"abc", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"),
        (b"abcd" * 16, "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"),
    ):
        assert alone.OwnSm3(data).digest().hex() == digest
        assert alone.sm3(data).hex() == digest


@given(st.lists(st.binary(max_size=200), max_size=6))
def test_own_sm3_is_opensslss(parts: list[bytes]) -> None:
    own, theirs = alone.OwnSm3(), hashlib.new("sm3")
    for part in parts:
        own.update(part)
        theirs.update(part)
    assert own.digest() == theirs.digest()


def test_ed25519_by_rfc_8032() -> None:
    """Section 7.1, tests 1 and 3; then nothing that was changed passes."""
    public = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    signature = bytes.fromhex(
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b4"
        "6bd25bf5f0595bbe24655141438e7a100b"
    )
    assert alone.ed25519_verify(public, b"", signature)
    public = bytes.fromhex("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025")
    signature = bytes.fromhex(
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6"
        "594a7c15e9716ed28dc027beceea1ec40a"
    )
    assert alone.ed25519_verify(public, b"\xaf\x82", signature)
    for at in range(64):
        changed = bytearray(signature)
        changed[at] ^= 1
        assert not alone.ed25519_verify(public, b"\xaf\x82", bytes(changed))
    assert not alone.ed25519_verify(public, b"\xaf\x83", signature)


def test_sm2_by_the_standards_example() -> None:
    """GB/T 32918.5-2017, appendix A.2."""
    public = bytes.fromhex(
        "0409f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"
        "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"
    )
    signature = bytes.fromhex(
        "f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3"
        "b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa"
    )
    assert alone.sm2_verify(public, b"message digest", signature)
    assert not alone.sm2_verify(public, b"message digest", signature, b"")
    assert not alone.sm2_verify(public, b"message digesu", signature)


def test_signatures_of_the_house() -> None:
    for data in (b"", b"x", b"y" * 1000):
        one, two = Ed25519Signer.generate(), Sm2Signer.generate()
        assert alone.ed25519_verify(one.public, data, one.sign(data))
        assert alone.sm2_verify(two.public, data, two.sign(data))
        assert not alone.ed25519_verify(one.public, data + b"z", one.sign(data))
        assert not alone.sm2_verify(two.public, data + b"z", two.sign(data))


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return fill(tmp_path / "log")


def agree(folder: Path) -> bool:
    """Both verifiers' answer, which is one answer; the one without keys cannot see what only keys
    tell."""
    ours, theirs = verify(folder), alone.verify_folder(folder)
    assert (ours.ok, ours.code) == (theirs.ok, theirs.code), (ours.problem, theirs.problem)
    assert ours.first_bad == theirs.first_bad
    if ours.ok:
        assert (ours.records, ours.size, ours.root, ours.sm3_root) == (
            theirs.records,
            theirs.size,
            theirs.root,
            theirs.sm3_root,
        )
    return ours.ok


def test_a_sound_log(log: Path) -> None:
    assert agree(log)


def test_every_flipped_bit(log: Path) -> None:
    chance = random.Random(8)
    for _n in range(300):
        path = log / segments.name(chance.choice(segments.numbers(log)))
        data = path.read_bytes()
        bit = chance.randrange(len(data) * 8)
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        assert not agree(log), (path.name, bit)
        path.write_bytes(data)


def damages(folder: Path) -> dict[str, Callable[[], object]]:
    first, second, *_rest, last = (folder / segments.name(n) for n in segments.numbers(folder))

    def swap() -> None:
        one, two = first.read_bytes(), second.read_bytes()
        first.write_bytes(two)
        second.write_bytes(one)

    def splice() -> None:
        data = second.read_bytes()
        second.write_bytes(data[: len(data) // 2] + first.read_bytes()[len(data) // 2 :])

    return {
        "segment gone": second.unlink,
        "swapped": swap,
        "spliced": splice,
        "cut": lambda: last.write_bytes(last.read_bytes()[:-7]),
        "cut in the middle": lambda: second.write_bytes(second.read_bytes()[:-7]),
        "more behind": lambda: second.write_bytes(second.read_bytes() + b"x" * 300),
        "emptied": lambda: second.write_bytes(b""),
    }


@pytest.mark.parametrize("what", [
    "segment gone", "swapped", "spliced", "cut", "cut in the middle", "more behind", "emptied",
])  # fmt: skip
def test_damage(log: Path, what: str) -> None:
    damages(log)[what]()
    assert not agree(log)


def test_truncation_at_every_byte_of_the_last_frames(log: Path) -> None:
    last = log / segments.name(segments.numbers(log)[-1])
    data = last.read_bytes()
    sound = sum(_cut(log, last, data[: len(data) - n]) for n in range(1, 400))
    # Whole frames cut off at the end: only a witness can tell.
    assert sound < 3


def _cut(log: Path, path: Path, data: bytes) -> bool:
    path.write_bytes(data)
    return agree(log)


def test_both_ciphers_and_checkpoints(tmp_path: Path) -> None:
    from qingfang.record.publishing import Publisher

    one = writer(tmp_path, size=3000)
    publisher = Publisher(tmp_path, one.log)
    one.leaves.clear()
    for n in range(1, 60, 10):
        write(one, n, n + 10)
        publish(publisher, one, keep=True)
    one.close()
    assert agree(tmp_path)
    assert alone.verify_folder(tmp_path).checkpoints == 7
    text = (tmp_path / "checkpoint").read_text()
    (tmp_path / "checkpoint").write_text(text.replace("sm3 ", "sm3 A", 1))
    assert not alone.verify_folder(tmp_path).ok


def test_with_a_witness_and_the_office(tmp_path: Path) -> None:
    party = office.create(tmp_path / "office", "x")
    signers = office.load(tmp_path / "office", "x")
    hospital = Hospital(tmp_path / "ledger", signers)
    witness = a_witness(tmp_path / "witness", "jijian", hospital.folder, party)
    old = hospital.copied(tmp_path / "old")
    hospital.grow(30, NOW)
    assert seen(witness) == []
    kept = tmp_path / "kept"
    kept.write_bytes(witness.book.notes("hospital")[-1])
    hospital.stop()

    def told(*arguments: object, code: int = 0) -> dict[str, object]:
        words = [sys.executable, "-I", str(FILE), *map(str, arguments), "--json"]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        return json.loads(done.stdout)

    public, pub = tmp_path / "office" / "office.pub", tmp_path / "witness" / "witness.pub"
    found = told(hospital.folder, "--witness", pub, "--office", public)
    assert found["witnessed_to"] == 33
    certificate = (hospital.folder / "certificate").read_bytes()
    (hospital.folder / "certificate").unlink()
    found = told(hospital.folder, "--office", public, code=1)
    assert found["code"] == "key"
    (hospital.folder / "certificate").write_bytes(certificate)
    shutil.rmtree(hospital.folder)
    shutil.copytree(old, hospital.folder)
    assert told(hospital.folder)["ok"] is True
    found = told(hospital.folder, "--witness", pub, "--checkpoint", kept, code=1)
    assert found["code"] == "rolled-back"
    vouched = read(kept.read_bytes(), witness.party)
    assert vouched is not None
    assert verify(hospital.folder, outside=[vouched]).code == "rolled-back"
    witness.close()
