"""The analyser's own state: what sessions built for all is there again after a restart."""

import asyncio
import shutil
from pathlib import Path

import msgspec
import pytest

from qingfang import crypto, ipc
from qingfang.config import Config, Database
from qingfang.engine import definitions
from qingfang.engine.analyser import Answer, Ask, Service, Trial
from qingfang.events import Meaning
from qingfang.judge.snapshot import Envelope, Snapshot, digest, seal
from qingfang.record.recorder import Recorder
from tests.understand.scenes import FIXTURES

FIGURES = (
    "SELECT c.ysdm, m.ypdm, SUM(m.sl) FROM mz_cf c JOIN mz_cfmx m ON m.cf_id=c.cf_id GROUP BY 1, 2"
)


def started(folder: Path, catalogue: str = "small.json") -> Service:
    database = Database(name="his", address="127.0.0.1:5432", catalogue=str(folder / catalogue))
    shutil.copy(FIXTURES / catalogue, folder / catalogue)
    service = Service(
        Config(database=(database,)), Recorder(folder / "ledger.sock", "analyser"), folder
    )
    service.restore()
    service.look()
    return service


async def asked(service: Service, connection: str, sql: str) -> str:
    ask = msgspec.msgpack.encode(Ask("his", connection, sql))
    found = await service.answer("analyse", ask, ipc.Peer(0, 0, 0))
    assert isinstance(found, bytes)
    return msgspec.msgpack.decode(found, type=Answer).analysis.meaning.disclosure


def test_what_was_put_into_a_harmless_table_is_known_after_a_restart(tmp_path: Path) -> None:
    async def main() -> None:
        first = started(tmp_path)
        assert await asked(first, "c1", "SELECT * FROM gh_mx") == "none"
        assert await asked(first, "c1", f"INSERT INTO gh_mx {FIGURES}") == "usage"
        assert await asked(first, "c2", "SELECT * FROM gh_mx") == "usage"
        second = started(tmp_path)
        assert await asked(second, "c3", "SELECT * FROM gh_mx") == "usage"
        assert (tmp_path / "analyser" / "his.json").stat().st_mode & 0o077 == 0

    asyncio.run(main())


def test_a_damaged_file_is_said_and_does_not_stop_the_service(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        (tmp_path / "analyser").mkdir()
        (tmp_path / "analyser" / "his.json").write_bytes(b"{")
        service = started(tmp_path)
        assert "his.json" in caplog.text
        assert await asked(service, "c1", FIGURES) == "usage"

    asyncio.run(main())


def test_a_trial_reads_with_sources_that_are_not_in_the_catalogue_and_keeps_nothing(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        service = started(tmp_path)

        async def tried(sql: str, procedures: dict[str, str]) -> str:
            raw = msgspec.msgpack.encode(Trial("his", sql, procedures))
            found = await service.answer("try", raw, ipc.Peer(0, 0, 0))
            assert isinstance(found, bytes)
            return msgspec.msgpack.decode(found, type=Meaning).disclosure

        source = f"CREATE FUNCTION f() RETURNS SETOF record LANGUAGE sql AS $$ {FIGURES} $$"
        assert await tried("SELECT * FROM f()", {}) == "opaque"
        assert await tried("SELECT * FROM f()", {"F": source}) == "usage"
        assert await tried(f"INSERT INTO gh_mx {FIGURES}", {}) == "usage"
        assert await asked(service, "c1", "SELECT * FROM f()") == "opaque"
        assert await asked(service, "c1", "SELECT * FROM gh_mx") == "none"

    asyncio.run(main())


ORDINARY = (
    "SELECT s.ysdm, s.hcdm, SUM(s.sl) FROM hc_sy s JOIN hc_zd d ON d.hcdm = s.hcdm "
    "WHERE d.gzbz = '0' GROUP BY s.ysdm, s.hcdm"
)


def handed(folder: Path, key: crypto.Signer, version: int, definition: str) -> bytes:
    """A snapshot of this version put where the console puts it."""
    told = Snapshot(
        site="site",
        version=version,
        made_at_us=version,
        expires_at_us=2**60,
        ancestors={},
        definition=definition,
    )
    if version > 1:
        before = msgspec.json.decode((folder / "snapshot.json").read_bytes(), type=Envelope)
        told = msgspec.structs.replace(told, previous=digest(before.payload))
    data = seal(told, key.sign)
    fresh = folder / "snapshot.new"
    fresh.write_bytes(data)
    fresh.replace(folder / "snapshot.json")
    return data


def test_the_definition_of_the_snapshot_holds_at_once_and_over_a_restart(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        key = crypto.create_key(tmp_path / "signing.key")
        (tmp_path / "keys").mkdir()
        crypto.save_public(tmp_path / "keys" / "snapshot.pub", key)
        first = started(tmp_path, "kinds.json")
        assert await asked(first, "c", ORDINARY) == "usage"
        old = handed(tmp_path, key, 1, definitions.text("001"))
        first.look()
        assert await asked(first, "c", ORDINARY) == "none"
        # One that cannot be read changes nothing; nor does one of another key.
        handed(tmp_path, key, 2, "kinds = 1")
        first.look()
        assert "definition" in caplog.text
        assert await asked(first, "c", ORDINARY) == "none"
        handed(tmp_path, crypto.create_key(tmp_path / "other.key"), 3, "")
        first.look()
        assert await asked(first, "c", ORDINARY) == "none"
        # Back to the stricter one; the older snapshot does not come back by a restart.
        (tmp_path / "snapshot.json").write_bytes(
            (tmp_path / "analyser" / "snapshot.json").read_bytes()
        )
        handed(tmp_path, key, 3, "")
        first.look()
        assert await asked(first, "c", ORDINARY) == "usage"
        (tmp_path / "snapshot.json").write_bytes(old)
        second = started(tmp_path, "kinds.json")
        assert await asked(second, "c", ORDINARY) == "usage"

    asyncio.run(main())
