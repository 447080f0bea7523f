"""What the door gives out, to whom it listens, and what it refuses."""

import asyncio
import http.client
import ssl
from pathlib import Path

import msgspec
import pytest

from qingfang.record import codec, frame, reading
from qingfang.record.entries import Act, Completed
from qingfang.ship import certificates, wire
from qingfang.ship.courier import Courier, Refused, Unreachable
from qingfang.ship.door import COSIGNATURE_LIMIT, well_formed
from qingfang.ship.wire import Item, Shipment
from tests.ship.house import a_door, courier, fingerprints
from tests.ship.test_shipping import event
from tests.support.ledger import LedgerProcess
from tests.support.run import in_loop

LOG = "hospital/node-1/00c0ffee"
NOTE = "hospital/node-1/00c0ffee\n12\nAAAA\n\n\u2014 office AAAAAAAAAAA=\n"


def ask(
    place: Path, port: int, method: str, path: str, name: str = "", body: bytes | None = None
) -> tuple[int, bytes]:
    """As `name`, or as somebody without a certificate."""
    if name:
        tls = certificates.client(place / f"{name}.pem", place / f"{name}.key")
    else:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=tls)
    try:
        connection.request(method, path, body)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


@in_loop
async def test_hashes_are_public_and_nothing_else_is(tmp_path: Path) -> None:
    prints = fingerprints(tmp_path)
    ledger = tmp_path / "ledger"
    (ledger / "keys").mkdir(parents=True)
    (ledger / "keys" / "0000000001.key").write_bytes(b"secret")
    (ledger / "0000000001.seg").write_bytes(b"secret")
    for name in ("checkpoint", "grants", "tile/0/000", "sm3/tile/1/x001/234.p/7"):
        path = ledger / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    (ledger / "certificate").symlink_to(ledger / "keys" / "0000000001.key")
    (ledger / "tile" / "2").symlink_to(ledger)
    (ledger / "000").write_bytes(b"secret")
    async with a_door(tmp_path, prints) as port:

        async def get(path: str, method: str = "GET") -> tuple[int, bytes]:
            return await asyncio.to_thread(ask, tmp_path, port, method, path)

        for name in ("checkpoint", "grants", "tile/0/000", "sm3/tile/1/x001/234.p/7"):
            assert await get(f"/{name}") == (200, name.encode())
        for path in (
            "/certificate",
            "/tile/2/000",
            "/tile/0/001",
            "/tile/64/000",
            "/tile/0/000.p/256",
            "/tile/0/../../checkpoint",
            "/tile/%2e%2e/000",
            "/keys/0000000001.key",
            "/0000000001.seg",
            "//checkpoint",
            "/checkpoint%0a",
            "/signing/sm2.pem",
            "/",
        ):
            assert (await get(path))[0] == 404, path
        assert (await get("/checkpoint", "DELETE"))[0] == 405


@in_loop
async def test_who_may_write(tmp_path: Path) -> None:
    prints = fingerprints(tmp_path)
    with LedgerProcess(tmp_path) as ledger:
        async with a_door(tmp_path, prints) as port:

            async def told(
                method: str, path: str, name: str = "", body: bytes | None = None
            ) -> int:
                return (await asyncio.to_thread(ask, tmp_path, port, method, path, name, body))[0]

            assert await told("GET", f"/ship/{LOG}") == 403
            assert await told("GET", f"/ship/{LOG}", "office") == 403
            assert await told("GET", f"/ship/{LOG}", "node-1") == 200
            assert await told("GET", "/ship/hospital/node-9/00c0ffee", "node-1") == 403
            assert await told("GET", "/ship/../x", "node-1") == 404
            assert await told("DELETE", f"/ship/{LOG}", "node-1") == 405
            assert await told("POST", f"/ship/{LOG}", "node-1", b"nonsense") == 400
            with pytest.raises(OSError):
                await told("GET", f"/ship/{LOG}", "node-2")

            note = NOTE.encode()
            assert await told("PUT", "/cosignature", "", note) == 403
            assert await told("PUT", "/cosignature", "node-1", note) == 403
            assert await told("PUT", "/cosignature", "office", b"x" * 100) == 422
            assert await told("PUT", "/cosignature", "office", bytes(COSIGNATURE_LIMIT + 1)) == 413
            assert await told("POST", "/cosignature", "office", note) == 405
            assert not (ledger.folder / "cosignatures").exists()
            assert await told("PUT", "/cosignature", "office", note) == 200
            folder = ledger.folder / "cosignatures"
            assert [(f.name, f.read_bytes()) for f in folder.iterdir()] == [("office", note)]

            wrong = courier(tmp_path, "node-1", port, prints["node-2"])
            with pytest.raises(Refused, match="不是约定的"):
                await asyncio.to_thread(wrong.ask, LOG)
            stranger = courier(tmp_path, "node-2", port, prints["center"])
            with pytest.raises(Unreachable):
                await asyncio.to_thread(stranger.ask, LOG)


@pytest.mark.parametrize(
    "note",
    [
        NOTE.replace("\n\n", "\n"),
        NOTE.replace("\u2014", "-"),
        NOTE.rstrip("\n"),
        NOTE.replace("AAAAAAAAAAA=", "AAAA"),
        NOTE.replace("AAAAAAAAAAA=", "AAAAA"),
        NOTE.replace("\n", "\r\n"),
        "a\n\n\u2014 office AAAAAAAAAAA=\n",
        "",
        "\n\n",
    ],
)
def test_what_is_no_signed_checkpoint(note: str) -> None:
    assert well_formed(NOTE.encode())
    assert not well_formed(note.encode())
    assert not well_formed(b"\xff" + NOTE.encode())


@in_loop
async def test_shipments_that_no_shipper_sends(tmp_path: Path) -> None:
    prints = fingerprints(tmp_path)

    def item(sequence: int, value: codec.Value, **other: object) -> Item:
        mark = wire.token(LOG, sequence)
        made = Item(codec.kind_of(value), sequence, 1, codec.pack(value, mark))
        return msgspec.structs.replace(made, **other)

    act = Act(1, "sign-in", "1024")
    with LedgerProcess(tmp_path) as ledger:
        async with a_door(tmp_path, prints) as port:
            sent_by: Courier = courier(tmp_path, "node-1", port, prints["center"])

            async def send(*items: Item) -> wire.Answer:
                body = msgspec.msgpack.encode(Shipment(1, items))
                return await asyncio.to_thread(sent_by.send, LOG, body)

            other_node = msgspec.structs.replace(event(1), node="node-2")
            for bad, said in (
                (item(2, act), "缺少 1 至 1"),
                (item(1, act, content=codec.pack(act, wire.token(LOG, 2))), "批次号"),
                (item(1, act, count=2), "条数"),
                (item(1, act, kind=frame.EVENT), "不可读"),
                (item(1, other_node), "别的节点"),
            ):
                with pytest.raises(Refused, match=said):
                    await send(bad)
            assert (await send(item(1, act), item(2, act))).next == 3
            assert (await send(item(1, act), item(2, act), item(3, act))).next == 4
            # An end whose event the ledger never got is kept as it is told.
            assert (await send(item(4, Completed(77, rows=5)))).next == 5
            sent_by.close()
        ledger.stop()
    found = [e.value for e in reading.records(ledger.folder) if isinstance(e.value, Act)]
    assert [a.what for a in found] == ["ship.resumed", *["sign-in"] * 3, "ship.completed"]
    assert found[-1].details == {"seq": "77", "rows": "5"}
