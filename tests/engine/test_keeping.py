"""What judging knows on disk: image and journal, over kills, torn ends, damage and a full disk."""

import asyncio
import subprocess
import sys
import textwrap
from pathlib import Path

import msgspec
import pytest

from qingfang.engine.judging import Judging, Learned
from qingfang.engine.keeping import Keeper
from qingfang.events import Connection, Fixed, Meaning, Pin, Value, Yield
from qingfang.image import Entry
from qingfang.judge.attribution import SEEN, SIGN_INS
from qingfang.understand.accumulate import TABLES

AT_US = 1_795_000_000_000_000
SECOND_US = 1_000_000


def connection(n: int) -> Connection:
    return Connection(
        *(f"c{n}", "h", "n", "gateway", "pg", "s:1", f"10.0.3.{n % 200}:5000"), opened_us=AT_US
    )


def step(judging: Judging, n: int) -> None:
    """The n-th statement of a day on which everything that is remembered happens."""
    person, at = n % 7, AT_US + n * SECOND_US
    line = connection(person)
    if n < 7:
        judging.judge(line, Meaning("none", operator=Value(f"D{person}")), at, b"in")
    pin = Pin("patient_id", "rx", (Value(f"P{n * 7919 % 9973}"),))
    held = Yield(("rx",), ("item_id", "quantity"), ("rx.no",), (), True, False, True)
    kind = n % 4
    if kind == 0:
        judging.judge(
            line, Meaning("clinical", subtype="pinned", pins=(pin,), yields=(held,)), at, b"r"
        )
    elif kind == 1:
        judging.judge(line, Meaning("none", works=(pin,)), at, b"w")
    elif kind == 2:
        judging.judge(line, Meaning("opaque"), at, n.to_bytes(32, "big"))
    else:
        who = Fixed("prescriber_id", "rx", "dr", (Value(f"D{n % 5}"),))
        rows = Yield(("rx",), ("quantity",), fixed=(who,), measured=True, aggregated=True)
        judging.judge(line, Meaning("usage", "prescriber", "item", yields=(rows,)), at, b"u")
    if n % 50 == 49:
        judging.closed(f"c{person}")


def state(judging: Judging) -> bytes:
    """All that is known; of the sign-ins without who was idle longest."""
    rest, images = judging.image()
    parts: list[Entry] = []
    for image in images:
        while (part := image.part(1)) is not None:
            parts += part
    signed_in = sorted((e.name, bytes(e.known)) for e in parts if e.table == SIGN_INS)
    seen = [e for e in sorted(parts, key=lambda e: e.turn) if e.table == SEEN]
    rest_of_it = [e for e in parts if e.table in TABLES]
    rest_of_it.sort(key=lambda e: (e.table, e.turn))
    at = [(e.name, e.known) for e in seen]
    return msgspec.msgpack.encode((rest, signed_in, at, rest_of_it))


def after(steps: int) -> bytes:
    judging = Judging("h")
    for n in range(steps):
        step(judging, n)
    return state(judging)


def loaded(folder: Path) -> tuple[bytes, str | None]:
    judging = Judging("h")
    refused = Keeper(folder, judging).load()
    return state(judging), refused


def learn(folder: Path, first: int, last: int, *, save_at: int | None = None) -> None:
    async def main() -> None:
        judging = Judging("h")
        keeper = Keeper(folder, judging)
        assert keeper.load() is None
        for n in range(first, last):
            step(judging, n)
            if n == save_at:
                saving = asyncio.create_task(keeper.save())
                await asyncio.sleep(0)
                for later in range(n + 1, last):
                    step(judging, later)
                await saving
                break
        await keeper.sync()

    asyncio.run(main())


def test_the_journal_alone_makes_the_same_state(tmp_path: Path) -> None:
    learn(tmp_path, 0, 300)
    assert loaded(tmp_path) == (after(300), None)


def test_an_image_taken_while_learning_goes_on_is_of_one_moment(tmp_path: Path) -> None:
    learn(tmp_path, 0, 300, save_at=150)
    assert [p.name for p in tmp_path.glob("journal-*")] == ["journal-1"]
    assert loaded(tmp_path) == (after(300), None)


def test_over_one_start_after_the_other(tmp_path: Path) -> None:
    learn(tmp_path, 0, 100)
    learn(tmp_path, 100, 200, save_at=120)
    learn(tmp_path, 200, 260)
    assert loaded(tmp_path) == (after(260), None)


@pytest.mark.parametrize("cut", [1, 7, 9, 40])
def test_a_torn_end_costs_its_record_only(tmp_path: Path, cut: int) -> None:
    learn(tmp_path, 0, 298)
    journal = tmp_path / "journal-0"
    journal.write_bytes(journal.read_bytes()[:-cut])
    assert loaded(tmp_path) == (after(297), None)
    learn(tmp_path, 297, 298)
    assert loaded(tmp_path) == (after(298), None)


def test_a_flipped_bit_is_never_taken_in(tmp_path: Path) -> None:
    learn(tmp_path, 0, 60)
    learn(tmp_path, 60, 61)
    journal = tmp_path / "journal-0"
    whole = journal.read_bytes()
    records: list[Learned] = []
    judging = Judging("h")
    judging.journal = records.append
    for n in range(60):
        step(judging, n)
    again = Judging("h")
    prefixes = {state(again)}
    for record in records:
        again.again(record)
        prefixes.add(state(again))
    assert after(60) in prefixes
    for at in range(12, len(whole), 211):
        broken = bytearray(whole)
        broken[at] ^= 4
        journal.write_bytes(broken)
        (tmp_path / "journal-1").rename(tmp_path / "kept")
        held, _refused = loaded(tmp_path)
        (tmp_path / "kept").rename(tmp_path / "journal-1")
        assert held in prefixes
    journal.write_bytes(whole[:-5] + b"xxxxx")
    _held, refused = loaded(tmp_path)
    assert refused is not None
    assert "journal-0" in refused


@pytest.mark.parametrize("harm", ["cut", "bit", "older"])
def test_an_image_that_is_not_whole_is_put_aside(tmp_path: Path, harm: str) -> None:
    learn(tmp_path, 0, 100, save_at=90)
    memory = tmp_path / "memory"
    data = memory.read_bytes()
    if harm == "cut":
        data = data[:-8]
    elif harm == "bit":
        data = data[:200] + bytes([data[200] ^ 1]) + data[201:]
    else:
        data = b"\x85" + data
    memory.write_bytes(data)
    _held, refused = loaded(tmp_path)
    assert refused is not None
    assert "memory" in refused
    assert len(list(tmp_path.glob("memory.refused-*"))) == 1


CHILD = textwrap.dedent(
    """
    import asyncio, sys
    from pathlib import Path
    from qingfang.engine.judging import Judging
    from qingfang.engine.keeping import Keeper
    from tests.engine.test_keeping import step

    async def main():
        judging = Judging("h")
        keeper = Keeper(Path(sys.argv[1]), judging)
        keeper.load()
        n = 0
        while True:
            for _ in range(10):
                step(judging, n)
                n += 1
            await keeper.sync()
            print(n, flush=True)
            if n % 100 == 0:
                await keeper.save()

    asyncio.run(main())
    """
)


@pytest.mark.parametrize("seen", [30, 170, 410])
def test_killed_in_the_middle(tmp_path: Path, seen: int) -> None:
    """kill -9 at any moment: all that was said to be kept is there, and nothing that was not."""
    folder = tmp_path / "judge"
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(folder)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        text=True,
    )
    assert child.stdout is not None
    kept = 0
    while kept < seen:
        kept = int(child.stdout.readline())
    child.kill()
    kept = max([kept, *(int(line) for line in child.stdout.read().split())])
    child.wait()
    held, refused = loaded(folder)
    assert refused is None
    # What was written and not yet told to be kept may be there too.
    assert held in {after(n) for n in range(kept, kept + 11)}


KILLED_AT = textwrap.dedent(
    """
    import asyncio, os, sys
    from pathlib import Path
    from qingfang.engine.judging import Judging
    from qingfang.engine.keeping import Keeper
    from tests.engine.test_keeping import step

    async def main(folder, acknowledged):
        judging = Judging("h")
        keeper = Keeper(folder, judging)
        assert keeper.load() is None

        async def learn(first, last):
            for n in range(first, last):
                step(judging, n)
            await keeper.sync()
            os.write(acknowledged, b"%d " % last)

        await learn(0, 20)
        for first in (20, 60):
            await learn(first, first + 20)
            saving = asyncio.create_task(keeper.save())
            await asyncio.sleep(0)
            await learn(first + 20, first + 40)
            await saving
        await learn(100, 120)
        await keeper.close()

    def child(folder, die_at):
        acknowledged = os.open(f"{folder}.said", os.O_WRONLY | os.O_CREAT)
        seen = 0

        def watch(event, arguments):
            nonlocal seen
            if event in ("open", "os.rename", "os.remove", "os.truncate", "os.mkdir"):
                if str(arguments[0]).startswith(f"{folder}"):
                    if seen == die_at:
                        os._exit(9)
                    seen += 1

        sys.addaudithook(watch)
        asyncio.run(main(Path(folder), acknowledged))
        os._exit(0)

    for die_at in range(1000):
        pid = os.fork()
        if not pid:
            child(f"{sys.argv[1]}/{die_at}", die_at)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if code == 0:
            break
        assert code == 9, code
    """
)


def test_killed_before_each_step_on_the_disk(tmp_path: Path) -> None:
    """Before every opening, renaming and removing of a file, of two images and the end: what was
    said to be kept is there."""
    subprocess.run(
        [sys.executable, "-c", KILLED_AT, str(tmp_path)], cwd=Path(__file__).parents[2], check=True
    )
    died = sorted(tmp_path.glob("*.said"), key=lambda p: int(p.stem))
    assert len(died) > 20
    states = [after(n) for n in range(0, 121, 20)]
    for said in died:
        kept = max([0, *(int(n) for n in said.read_text().split())])
        held, refused = loaded(said.with_suffix(""))
        assert refused is None, said
        assert held in states[kept // 20 : kept // 20 + 2], said
    last = max(died, key=lambda p: int(p.stem)).with_suffix("")
    assert loaded(last)[0] == states[-1]


def test_a_kill_while_an_image_is_written_costs_nothing(tmp_path: Path) -> None:
    """However much of the new image came to the disk: it is not the image yet."""
    learn(tmp_path, 0, 200, save_at=150)
    whole = (tmp_path / "memory").read_bytes()
    learn(tmp_path, 200, 260)
    for size in range(0, len(whole), max(1, len(whole) // 40)):
        (tmp_path / "memory.new").write_bytes(whole[:size])
        assert loaded(tmp_path) == (after(260), None)


def test_an_image_cut_anywhere_is_known_to_be_cut(tmp_path: Path) -> None:
    learn(tmp_path, 0, 60, save_at=59)
    memory = tmp_path / "memory"
    whole = memory.read_bytes()
    for size in range(0, len(whole), max(1, len(whole) // 60)):
        memory.write_bytes(whole[:size])
        _held, refused = loaded(tmp_path)
        assert refused is not None, size


def test_who_was_forgotten_for_want_of_room_is_so_after_a_restart(tmp_path: Path) -> None:
    """Whoever learns after a full memory: the same are forgotten again, none else."""

    def fill(judging: Judging, first: int, last: int) -> None:
        for n in range(first, last):
            client = f"10.{n >> 8}.{n & 255}.1:5000"
            line = Connection(f"c{n}", "h", "n", "gateway", "pg", "s:1", client, opened_us=AT_US)
            pin = Pin("patient_id", "rx", (Value(f"P{n}"),))
            judging.judge(line, Meaning("clinical", subtype="pinned", pins=(pin,)), AT_US + n, b"r")

    async def main() -> tuple[bytes, int]:
        judging = Judging("h", room=20_000)
        keeper = Keeper(tmp_path, judging)
        assert keeper.load() is None
        fill(judging, 0, 5_800)
        await keeper.save()
        fill(judging, 5_800, 6_600)
        await keeper.sync()
        return state(judging), judging.forgotten

    kept, forgotten = asyncio.run(main())
    assert forgotten > 0
    judging = Judging("h", room=20_000)
    assert Keeper(tmp_path, judging).load() is None
    assert state(judging) == kept


def test_a_disk_that_takes_nothing_stops_no_judging(tmp_path: Path) -> None:
    async def main() -> None:
        judging = Judging("h")
        keeper = Keeper(tmp_path / "judge", judging)
        keeper.load()
        (tmp_path / "judge").rename(tmp_path / "gone")
        for n in range(20):
            step(judging, n)
        await keeper.sync()
        assert keeper.due
        with pytest.raises(OSError, match="memory"):
            await keeper.save()
        (tmp_path / "gone").rename(tmp_path / "judge")
        await keeper.save()
        for n in range(20, 30):
            step(judging, n)
        await keeper.close()

    asyncio.run(main())
    assert loaded(tmp_path / "judge") == (after(30), None)
