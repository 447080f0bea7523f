"""What a witness notices: a log rolled back with its checkpoints, two histories, a machine without
the office's word, silence, clocks, losses. And that it never signs what contradicts its book."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from qingfang.merkle import checkpoint, note, parties
from qingfang.merkle.parties import Party, PartyProblem
from qingfang.record.publishing import Publisher
from qingfang.record.verify import verify
from qingfang.record.witnessed import read, witnessed
from qingfang.witness import office
from qingfang.witness.book import BookProblem, Log
from qingfang.witness.looking import FORBIDS, look
from qingfang.witness.rounds import Witness
from qingfang.witness.source import Copy
from tests.record.test_publishing import write, writer

NOW = 1_795_449_600
MINUTE, DAY = 60, 86_400
PASSPHRASE = "纸鹤与灯塔"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Party]:
    folder = tmp_path_factory.mktemp("office")
    return folder, office.create(folder, PASSPHRASE)


@pytest.fixture(scope="module")
def signers(keys: tuple[Path, Party]):
    return office.load(keys[0], PASSPHRASE)


class Hospital:
    """A ledger's folder that grows and publishes, certified by the office."""

    def __init__(self, folder: Path, signers, now: int = NOW) -> None:
        folder.mkdir(exist_ok=True)
        self.folder, self.signers = folder, signers
        self.start()
        self.certify(now)
        self.grow(3, now)

    def start(self) -> None:
        self.one = writer(self.folder)
        self.publisher = Publisher(self.folder, self.one.log)
        self.one.leaves.clear()

    def certify(self, now: int, days: int = 30) -> None:
        asked = office.read_request(self.folder / "request")
        made = office.certify(asked, self.signers, now, days)
        office.write(self.folder / "certificate", made)

    def grow(self, count: int, at: int, dropped: int = 0) -> None:
        first = self.one.sequence
        write(self.one, first, first + count)
        self.publisher.extend(self.one.leaves)
        self.one.leaves = []
        counts = (self.one.sequence - 1 + dropped, 0, dropped)
        self.publisher.publish(at, self.one.sequence - 1, counts, keep=False)

    def stop(self) -> None:
        self.one.close()

    def copied(self, to: Path) -> Path:
        shutil.copytree(self.folder, to)
        return to


@pytest.fixture
def hospital(tmp_path: Path, signers) -> Iterator[Hospital]:
    made = Hospital(tmp_path / "ledger", signers)
    yield made
    made.stop()


@pytest.fixture
def witness(tmp_path: Path, keys: tuple[Path, Party]) -> Iterator[Witness]:
    made = a_witness(tmp_path / "witness", "jijian", tmp_path / "ledger", keys[1])
    yield made
    made.close()


def a_witness(folder: Path, name: str, ledger: Path, by: Party) -> Witness:
    made = Witness.create(folder, name)
    made.book.add(Log("hospital", f"folder:{ledger}", "", by.encode(), 10 * MINUTE, NOW))
    return made


def seen(one: Witness, now: int = NOW) -> list[str]:
    """One look; the codes of new alarms."""
    return [alarm.code for alarm in one.round(one.book.log("hospital"), now).alarms]


def test_what_continues_is_cosigned_and_given_back(hospital: Hospital, witness: Witness) -> None:
    for n in range(1, 6):
        done = witness.round(witness.book.log("hospital"), NOW + n)
        assert (done.size, done.given, done.alarms) == (hospital.publisher.size, True, ())
        [vouched] = witnessed(hospital.folder, [witness.party])
        assert (vouched.by, vouched.at, vouched.checkpoint.size) == ("jijian", NOW + n, done.size)
        hospital.grow(70, NOW + n)
    report = verify(hospital.folder, witnesses=[witness.party])
    assert report.ok
    assert report.witnessed_to == 3 + 4 * 70
    assert verify(hospital.folder).witnessed_to is None


def test_the_same_checkpoint_again_is_remembered_once(hospital: Hospital, witness: Witness) -> None:
    assert seen(witness) == seen(witness) == []
    assert len(witness.book.notes("hospital")) == 1


def test_log_and_checkpoints_rolled_back_together(
    hospital: Hospital, witness: Witness, tmp_path: Path
) -> None:
    old = hospital.copied(tmp_path / "old")
    hospital.grow(300, NOW)
    assert seen(witness) == []
    kept = read(witness.book.notes("hospital")[-1], witness.party)
    assert kept is not None
    hospital.stop()
    shutil.rmtree(hospital.folder)
    shutil.copytree(old, hospital.folder)
    # By itself it is in order, which is the point.
    assert verify(hospital.folder, witnesses=[witness.party]).ok
    assert verify(hospital.folder, outside=[kept]).code == "rolled-back"
    hospital.start()
    hospital.grow(1, NOW + 1)
    assert seen(witness, NOW + 2) == ["rolled-back", "counts-fell"][:1]
    assert len(witness.book.notes("hospital")) == 1
    assert not (hospital.folder / "cosignatures").exists()
    # It stays an alarm when the log has grown past it: then it is another history.
    hospital.grow(400, NOW + 3)
    assert seen(witness, NOW + 4) == ["fork"]
    assert witness.book.evidence(1).startswith(hospital.one.log.encode())


def test_a_record_exchanged_and_everything_made_anew(
    hospital: Hospital, witness: Witness, tmp_path: Path
) -> None:
    """Someone with all rights writes the last record again, at the same number of frames."""
    old = hospital.copied(tmp_path / "old")
    hospital.grow(1, NOW)
    assert seen(witness) == []
    hospital.stop()
    shutil.rmtree(hospital.folder)
    shutil.copytree(old, hospital.folder)
    hospital.start()
    hospital.grow(1, NOW)
    size = hospital.publisher.size
    before = witness.book.last("hospital")
    assert before is not None
    # A new salt is enough to make it another frame.
    assert (before.size, before.root) != (size, b"")
    assert seen(witness) in (["fork"], ["rolled-back"])
    assert verify(hospital.folder).ok


def test_two_histories_shown_to_two_witnesses(
    hospital: Hospital, tmp_path: Path, keys: tuple[Path, Party], signers
) -> None:
    hospital.stop()
    other = hospital.copied(tmp_path / "other")
    hospital.start()
    hospital.grow(40, NOW)
    one = a_witness(tmp_path / "one", "jijian", hospital.folder, keys[1])
    two = a_witness(tmp_path / "two", "quyu", other, keys[1])
    twin = writer(other)
    publisher = Publisher(other, twin.log)
    twin.leaves.clear()
    write(twin, 4, 60)
    publisher.extend(twin.leaves)
    publisher.publish(NOW, 59, (59, 0, 0), keep=False)
    twin.close()
    assert seen(one) == seen(two) == []
    for ours, theirs in ((one, two), (two, one)):
        log = ours.book.log("hospital")
        notes = theirs.book.notes("hospital")
        [alarm] = ours.compare(log, notes, theirs.party, NOW)
        assert alarm.code in ("fork", "rolled-back")
        assert ours.compare(log, notes, theirs.party, NOW) == []
        assert len(ours.book.alarms(open_only=True)) == 1
    one.close()
    two.close()


def test_one_history_shown_to_two_witnesses(
    hospital: Hospital, tmp_path: Path, keys: tuple[Path, Party]
) -> None:
    one = a_witness(tmp_path / "one", "jijian", hospital.folder, keys[1])
    two = a_witness(tmp_path / "two", "quyu", hospital.folder, keys[1])
    for n in range(5):
        hospital.grow(30 * n + 1, NOW + n)
        assert seen(one, NOW + n) == []
        if n < 4:
            assert seen(two, NOW + n) == []
    log = one.book.log("hospital")
    assert one.compare(log, two.book.notes("hospital"), two.party, NOW) == []
    with pytest.raises(BookProblem, match="没有 quyu 的签名"):
        one.compare(log, one.book.notes("hospital"), two.party, NOW)
    one.close()
    two.close()


def test_no_byte_of_a_checkpoint_can_be_changed(
    hospital: Hospital, witness: Witness, keys: tuple[Path, Party]
) -> None:
    hospital.grow(20, NOW)
    data = (hospital.folder / "checkpoint").read_bytes()
    certificate = (hospital.folder / "certificate").read_bytes()
    fetch = Copy(hospital.folder).get

    def sound(data: bytes, certificate: bytes) -> bool:
        return look(data, certificate, keys[1], None, fetch, NOW, 600).sound

    assert sound(data, certificate)
    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] ^= 1
        assert not sound(bytes(changed), certificate), at
    for at in range(len(certificate)):
        changed = bytearray(certificate)
        changed[at] ^= 1
        assert not sound(data, bytes(changed)), at


@pytest.mark.parametrize("tree", ["tile", "sm3/tile"])
def test_tiles_edited_or_gone(hospital: Hospital, witness: Witness, tree: str) -> None:
    hospital.grow(300, NOW)
    assert seen(witness) == []
    hospital.grow(300, NOW)
    path = hospital.folder / tree / "0" / "001"
    data = path.read_bytes()
    path.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    assert seen(witness) == ["fork"]
    path.unlink()
    hospital.grow(1, NOW)
    assert seen(witness) == ["unprovable"]
    hospital.grow(1, NOW)
    # One condition that goes on is one alarm.
    assert seen(witness) == []
    path.write_bytes(data)
    assert seen(witness) == []


def test_without_the_offices_word(
    hospital: Hospital, witness: Witness, tmp_path: Path, signers
) -> None:
    path = hospital.folder / "certificate"
    good = path.read_bytes()
    path.unlink()
    assert seen(witness) == ["uncertified"]
    path.write_bytes(good)
    assert seen(witness) == []
    # Somebody else's office.
    stranger = office.create(tmp_path / "stranger", "x")
    assert stranger.name == "office"
    asked = office.read_request(hospital.folder / "request")
    made = office.certify(asked, office.load(tmp_path / "stranger", "x"), NOW, 30)
    path.write_bytes(made)
    assert seen(witness) == ["uncertified"]
    # Another machine's keys under this log's name.
    path.write_bytes(good)
    hospital.stop()
    shutil.rmtree(hospital.folder / "signing")
    hospital.start()
    hospital.grow(1, NOW)
    assert seen(witness) == ["unsigned"]
    hospital.certify(NOW)
    assert seen(witness) == []


def test_a_certificate_ends(hospital: Hospital, witness: Witness) -> None:
    at = NOW + 26 * DAY
    hospital.grow(1, at)
    assert seen(witness, at) == ["certificate-ending"]
    assert witness.book.last("hospital") is not None
    at = NOW + 31 * DAY
    hospital.grow(1, at)
    assert seen(witness, at) == ["certificate-expired", "unsigned"]
    hospital.certify(at)
    assert seen(witness, at) == []


def test_silence(hospital: Hospital, witness: Witness, tmp_path: Path) -> None:
    assert seen(witness, NOW + 9 * MINUTE) == []
    assert seen(witness, NOW + 11 * MINUTE) == ["silent"]
    hospital.grow(1, NOW + 12 * MINUTE)
    assert seen(witness, NOW + 12 * MINUTE) == []
    hospital.folder.rename(tmp_path / "away")
    assert seen(witness, NOW + 13 * MINUTE) == []
    assert seen(witness, NOW + 23 * MINUTE) == ["silent"]
    assert seen(witness, NOW + 33 * MINUTE) == []
    (tmp_path / "away").rename(hospital.folder)
    hospital.grow(1, NOW + 34 * MINUTE)
    assert seen(witness, NOW + 34 * MINUTE) == []
    assert [a.ongoing for a in witness.book.alarms(open_only=True)] == [False, False]


def test_clocks_and_counts(hospital: Hospital, witness: Witness) -> None:
    hospital.grow(1, NOW + DAY)
    assert seen(witness) == ["clock-ahead"]
    hospital.grow(1, NOW)
    assert seen(witness) == ["clock-back"]
    hospital.grow(1, NOW, dropped=7)
    assert seen(witness) == ["lost"]
    alarm = witness.book.alarms()[-1]
    assert alarm.text == "又有 7 条没能存下，累计 7 条"
    hospital.grow(1, NOW, dropped=9)
    assert seen(witness) == ["lost"]
    # Counts go on from the last checkpoint; without it they begin anew.
    hospital.stop()
    (hospital.folder / "checkpoint").unlink()
    hospital.start()
    hospital.grow(1, NOW)
    assert seen(witness) == ["counts-fell"]


def test_an_alarm_stays_until_a_person_says_why(hospital: Hospital, witness: Witness) -> None:
    (hospital.folder / "certificate").unlink()
    assert seen(witness) == ["uncertified"]
    assert seen(witness) == []
    [alarm] = witness.book.alarms(open_only=True)
    assert (alarm.looks, alarm.ongoing) == (2, True)
    witness.book.acknowledge(alarm.id, NOW, "1024", "证书在路上")
    assert witness.book.alarms(open_only=True) == []
    assert seen(witness) == []
    with pytest.raises(BookProblem, match="已经有人处置"):
        witness.book.acknowledge(alarm.id, NOW, "1024", "再来")
    hospital.certify(NOW)
    assert seen(witness) == []
    (hospital.folder / "certificate").unlink()
    assert seen(witness) == ["uncertified"]


def test_a_person_accepts_another_history(
    hospital: Hospital, witness: Witness, tmp_path: Path
) -> None:
    old = hospital.copied(tmp_path / "old")
    hospital.grow(50, NOW)
    assert seen(witness) == []
    hospital.stop()
    shutil.rmtree(hospital.folder)
    shutil.copytree(old, hospital.folder)
    hospital.start()
    hospital.grow(1, NOW)
    assert seen(witness) == ["rolled-back"]
    witness.book.accept("hospital", NOW, "1024", "硬盘坏了，从昨天的备份恢复")
    assert seen(witness) == []
    assert len(witness.book.notes("hospital")) == 2


def test_a_cosignature_that_could_not_be_given_is_given_later(
    hospital: Hospital, witness: Witness
) -> None:
    # A file where the folder should be.
    (hospital.folder / "cosignatures").write_bytes(b"")
    done = witness.round(witness.book.log("hospital"), NOW)
    assert not done.given
    assert "写不了" in done.problem
    assert len(witness.book.notes("hospital")) == 1
    (hospital.folder / "cosignatures").unlink()
    assert witness.round(witness.book.log("hospital"), NOW).given


def test_the_office_takes_new_keys(
    hospital: Hospital, witness: Witness, tmp_path: Path, keys: tuple[Path, Party], signers
) -> None:
    new = office.create(tmp_path / "new", "新口令")
    made = parties.parse(office.succeed(signers, new, NOW))
    assert parties.successor(made, keys[1]) == new
    with pytest.raises(PartyProblem, match="没有旧钥的签名"):
        parties.successor(made, new)
    hospital.signers = office.load(tmp_path / "new", "新口令")
    hospital.certify(NOW)
    assert seen(witness) == ["uncertified"]
    witness.book.follow("hospital", new.encode())
    assert seen(witness) == []


def test_what_a_cosigned_note_says_is_what_the_machine_said(
    hospital: Hospital, witness: Witness
) -> None:
    seen(witness)
    made = note.parse(witness.book.notes("hospital")[0])
    said = note.parse((hospital.folder / "checkpoint").read_bytes())
    assert made.text == said.text
    assert len(made.lines) == len(said.lines) + 2
    other = msgspec.structs.replace(witness.party, name="quyu")
    assert read(made.encode(), other) is None
    assert checkpoint.read(made.text).size == hospital.publisher.size


def test_every_finding_that_forbids_is_known() -> None:
    assert "silent" not in FORBIDS
    assert {"fork", "rolled-back", "unprovable", "unsigned"} <= FORBIDS
