"""The whole way: a running ledger, its door over TLS, and the commands people type."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
from click.testing import CliRunner

from qingfang.cli import qingfang_command
from qingfang.merkle import parties
from qingfang.record.client import BlockingRecorder, stat
from qingfang.record.entries import Act
from qingfang.record.verify import verify
from qingfang.record.witnessed import witnessed
from qingfang.ship import certificates
from qingfang.ship.door import Door, Peer, serve
from qingfang.ship.intake import Intake
from tests.ship.house import fingerprints
from tests.support.ledger import LedgerProcess
from tests.support.run import in_loop


async def told(*arguments: object, code: int = 0, json_answer: bool = True) -> Any:
    """What a command prints, as JSON."""
    words = [str(a) for a in arguments]
    done = await asyncio.to_thread(CliRunner().invoke, qingfang_command, words)
    assert done.exit_code == code, done.output
    return json.loads(done.stdout.splitlines()[0]) if json_answer else done.output


@in_loop
async def test_certify_witness_and_roll_back(tmp_path: Path) -> None:
    prints = fingerprints(tmp_path)
    (tmp_path / "passphrase").write_text("纸鹤与灯塔\n", encoding="utf-8")
    secret = ("--passphrase-file", tmp_path / "passphrase")
    stick, folder = tmp_path / "stick", tmp_path / "witness"
    await told("office", "create", stick, *secret, "--json")
    made = await told("witness", "init", folder, "--name", "jijian", "--json")
    public = parties.load(Path(made["public"]), "witness")
    assert made["fingerprint"] == public.fingerprint()
    with LedgerProcess(tmp_path) as ledger:
        writer = BlockingRecorder(ledger.socket, "test")
        writer.record(Act(1, "test", "1024"))

        async def published() -> int:
            while True:
                found = await asyncio.to_thread(stat, ledger.socket)
                if found.published and (ledger.folder / "checkpoint").exists():
                    return found.published
                await asyncio.sleep(0.02)

        await published()
        await told(
            "office", "certify", stick, ledger.folder / "request", "--yes", *secret, "--json"
        )
        peer = Peer("jijian", made["certificate_fingerprint"], "cosign")
        tls = certificates.server(
            tmp_path / "center.pem",
            tmp_path / "center.key",
            [(Path(made["certificate"]), peer.fingerprint)],
        )
        intake = Intake(ledger.socket, tmp_path / "door.sqlite", lambda: 1)
        stopping = asyncio.Event()
        port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        serving = asyncio.create_task(
            serve(
                Door(ledger.folder, intake, [peer]),
                "127.0.0.1:0",
                tls,
                stopping,
                port.set_result,
            )
        )
        door = f"127.0.0.1:{await port}"
        office = ("--office", stick / "office.pub")
        add = ("witness", "add", folder)
        pinned = ("--door", door, "--fingerprint", prints["center"])
        await told(*add, "hospital", *pinned, *office, json_answer=False)
        wrong = ("--door", door, "--fingerprint", prints["node-1"])
        await told(*add, "impostor", *wrong, *office, json_answer=False)
        done = await told("witness", "once", folder, "--json")
        assert (done["log"], done["given"], done["alarms"]) == ("hospital", True, [])
        both = await told("witness", "once", folder, json_answer=False)
        assert "impostor：" in both
        assert "证书不是登记的那一张" in both

        [vouched] = witnessed(ledger.folder, [public])
        status = await told("witness", "status", folder, "--json")
        hospital = next(each for each in status["logs"] if each["log"] == "hospital")
        assert hospital["frames"] == vouched.checkpoint.size
        stopping.set()
        await serving
        await intake.close()
        await asyncio.to_thread(ledger.stop)
    kept = await told("witness", "export", folder, "hospital")
    other = msgspec.convert(kept["checkpoints"], list[bytes])[-1]
    (tmp_path / "kept").write_bytes(other)
    report = await told(
        "ledger", "verify", ledger.folder, "--witness", folder / "witness.pub",
        "--checkpoint", tmp_path / "kept", "--json",
    )  # fmt: skip
    assert report["witnessed_to"] == vouched.checkpoint.records
    # Everything on this machine is made anew, by the same program: only the witness can tell.
    for path in sorted(ledger.folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    with LedgerProcess(tmp_path) as again:
        BlockingRecorder(again.socket, "test").record(Act(1, "test", "1024"))
    assert verify(ledger.folder).ok
    report = await told(
        "ledger", "verify", ledger.folder, "--witness", folder / "witness.pub",
        "--checkpoint", tmp_path / "kept", "--json", code=1,
    )  # fmt: skip
    assert report["ok"] is False
