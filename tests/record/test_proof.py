"""A bundle proves its records to a stranger with the one file, and nothing that was changed."""

from __future__ import annotations

import io
import json
import random
import zipfile
from pathlib import Path

import pytest

from qingfang.events import Brief, Connection, Template
from qingfang.merkle.parties import Party
from qingfang.record import codec, frame, proof
from qingfang.record.batch import Draft
from qingfang.record.codec import Packer
from qingfang.witness import office
from tests.record.test_standalone import alone
from tests.witness.test_witness import NOW, Hospital, a_witness, seen

CONNECTION = Connection("n-1", "h", "n", "gateway", "pg", "db:5432", "10.1.0.7:5", 1)
TEMPLATES = [
    Template(bytes([n]) * 32, "postgres", f"select c{n} from t where a = ?") for n in (1, 2)
]


class Case:
    def __init__(self, place: Path) -> None:
        self.party = office.create(place / "office", "x")
        self.hospital = Hospital(place / "ledger", office.load(place / "office", "x"))
        packer = Packer()
        for n in range(4):
            noted = [
                (Brief("n-1", NOW * 10**6 + i, TEMPLATES[i % 2].digest, "query", (str(n),)),
                 CONNECTION, TEMPLATES[i % 2])
                for i in range(5)
            ]  # fmt: skip
            content = packer.pack(noted, codec.token(b"blocks!!", n + 1))
            self.hospital.one.append([Draft(frame.BLOCK, 5, content)])
        self.hospital.grow(40, NOW)
        self.folder = self.hospital.folder
        self.witness = a_witness(place / "witness", "jijian", self.folder, self.party)
        assert seen(self.witness) == []

    def bundle(self, path: Path, *sequences: int, witnessed: bool = True) -> Path:
        witnesses: list[Party] = [self.witness.party] if witnessed else []
        made = proof.prove(self.folder, sequences, witnesses)
        proof.write(made, path, "纪检立案 2026-17", NOW)
        return path

    def keys(self, place: Path) -> tuple:
        return (
            [alone.Party(place / "witness" / "witness.pub", "witness")],
            alone.Party(place / "office" / "office.pub", "office"),
        )


@pytest.fixture
def case(tmp_path: Path):
    made = Case(tmp_path)
    yield made
    made.witness.close()
    made.hospital.stop()


def test_records_are_proven_with_what_they_refer_to(case: Case, tmp_path: Path) -> None:
    path = case.bundle(tmp_path / "b.zip", 2, 21, 60)
    found = alone.verify_bundle(path, *case.keys(tmp_path))
    assert found["ok"]
    assert found["certified"]
    assert found["witnessed"] == [("jijian", NOW)]
    kinds = [(each["kind"], each["sequence"]) for each in found["records"]]
    assert kinds == [("act", 2), ("brief", 21), ("connection", 4), ("template", 4), ("act", 60)]
    assert found["records"][0]["value"]["what"] == "test"
    assert found["records"][1]["value"][4] == ["3"]
    assert found["records"][3]["value"]["text"] == TEMPLATES[0].text


def test_every_record_can_be_proven(case: Case, tmp_path: Path) -> None:
    last = case.hospital.one.sequence - 1
    found = alone.verify_bundle(case.bundle(tmp_path / "b.zip", *range(1, last + 1)))
    asked = {each["sequence"] for each in found["records"]}
    assert asked == set(range(1, last + 1))


def test_the_page_shows_statements_only_when_asked_to(case: Case, tmp_path: Path) -> None:
    pages: list[str] = []
    for full in (False, True):
        made = proof.prove(case.folder, [21], [case.witness.party])
        proof.write(made, tmp_path / "b.zip", "<i>立案</i>", NOW, full=full)
        with zipfile.ZipFile(tmp_path / "b.zip") as held:
            pages.append(held.read(proof.PAGE).decode())
    assert "select c1 from t where a = 3" not in pages[0]
    assert "select c1 from t where a = 3" in pages[1]
    for page in pages:
        assert "10.1.0.7:5" in page
        assert "<b>jijian</b>" in page
        assert "&lt;i&gt;立案" in page


def test_without_a_witness_it_says_so(case: Case, tmp_path: Path) -> None:
    path = case.bundle(tmp_path / "b.zip", 2, witnessed=False)
    witnesses, office_keys = case.keys(tmp_path)
    assert alone.verify_bundle(path, witnesses, office_keys)["witnessed"] == []
    with zipfile.ZipFile(path) as made:
        page = made.read(proof.PAGE).decode()
    assert "没有见证者的签名" in page
    assert "纪检立案 2026-17" in page
    assert "$" not in page


def test_nothing_in_it_can_be_changed(case: Case, tmp_path: Path) -> None:
    path = case.bundle(tmp_path / "b.zip", 2, 21)
    with zipfile.ZipFile(path) as made:
        parts = {name: made.read(name) for name in made.namelist()}
    keys = case.keys(tmp_path)
    chance = random.Random(5)

    def verified(changed: dict[str, bytes]) -> bool:
        held = io.BytesIO()
        with zipfile.ZipFile(held, "w") as made:
            for name, data in changed.items():
                made.writestr(name, data)
        held.seek(0)
        try:
            found = alone.verify_bundle(held, *keys)
        except alone.Bad:
            return False
        return bool(found["witnessed"])

    assert verified(parts)
    frames = [name for name in parts if name.startswith("frames/")]
    for name in (*frames, "checkpoint", "certificate"):
        for _n in range(12):
            changed = bytearray(parts[name])
            changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
            assert not verified({**parts, name: bytes(changed)}), name
    manifest = json.loads(parts["manifest.json"])
    for field in ("part", "salt", "sequence", "segment", "index"):
        changed = json.loads(parts["manifest.json"])
        value = changed["records"][0][field]
        if isinstance(value, int):
            value += 1
        else:
            value = ("A" if value[16] != "A" else "B").join((value[:16], value[17:]))
        changed["records"][0][field] = value
        text = json.dumps(changed).encode()
        assert not verified({**parts, "manifest.json": text}), field
    for tree in ("sha256", "sm3"):
        changed = json.loads(parts["manifest.json"])
        changed["records"][1][tree].reverse()
        assert changed != manifest
        assert not verified({**parts, "manifest.json": json.dumps(changed).encode()})


def test_what_is_not_there_is_said(case: Case, tmp_path: Path) -> None:
    with pytest.raises(proof.Unproven, match="没有序号 9999"):
        case.bundle(tmp_path / "b.zip", 9999)
    for key in (case.folder / "keys").iterdir():
        key.unlink()
    with pytest.raises(proof.Unproven, match="没有这一段的密钥"):
        case.bundle(tmp_path / "b.zip", 2)
    assert not (tmp_path / "b.zip").exists()
