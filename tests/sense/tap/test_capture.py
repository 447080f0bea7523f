"""The kernel's filter and ring, with the kernel itself."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Iterator

import pytest

from qingfang.sense.tap.capture import Capture, CaptureRefused, attach_filter, port_filter
from qingfang.sense.tap.flows import Flows
from tests.sense.tap.test_flows import Recorder
from tests.support.frames import Talk, ethernet, ipv4, ipv6, tcp
from tests.support.raw import needs_raw

A, B, A6, B6 = "192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"
TO, FROM, OTHER = tcp(40000, 5432, 1, 1), tcp(5432, 40000, 1, 1), tcp(40000, 80, 1, 1)


class Filtered:
    """A pair of local sockets with the filter on the receiving one: no privilege is needed."""

    def __init__(self, ports: tuple[int, ...], ethernet: bool = True) -> None:
        self._in, self._out = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        attach_filter(self._out, port_filter(ports, ethernet=ethernet))
        self._out.setblocking(False)

    def passes(self, frame: bytes) -> bool:
        self._in.send(frame)
        try:
            return self._out.recv(65536) == frame
        except BlockingIOError:
            return False

    def close(self) -> None:
        self._in.close()
        self._out.close()


@pytest.fixture
def filtered() -> Iterator[Filtered]:
    pair = Filtered((5432, 1521))
    yield pair
    pair.close()


@pytest.mark.parametrize(
    ("passes", "frame"),
    [
        (True, ethernet(ipv4(A, B, TO))),
        (True, ethernet(ipv4(A, B, FROM))),
        (True, ethernet(ipv4(A, B, tcp(1521, 9, 1, 1)))),
        (True, ethernet(ipv4(A, B, TO, options=b"\1" * 12))),
        (True, ethernet(ipv6(A6, B6, TO))),
        (True, ethernet(ipv6(A6, B6, FROM))),
        (True, ethernet(ipv4(A, B, TO), 7)),
        (True, ethernet(ipv6(A6, B6, FROM), 7, 8)),
        (True, ethernet(ipv4(A, B, OTHER, fragment=800))),
        (True, ethernet(ipv4(A, B, OTHER, more=True))),
        (True, ethernet(ipv6(A6, B6, b"\6\0" + b"\0" * 6 + OTHER, following=0))),
        (False, ethernet(ipv4(A, B, OTHER))),
        (False, ethernet(ipv6(A6, B6, OTHER))),
        (False, ethernet(ipv4(A, B, OTHER), 5432)),
        (False, ethernet(ipv4(A, B, TO, protocol=17))),
        (False, ethernet(ipv6(A6, B6, TO, following=17))),
        (False, b"\0" * 12 + b"\x08\x06" + b"\0" * 46),
        (False, ethernet(ipv4(A, B, TO))[:30]),
    ],
)
def test_filter(filtered: Filtered, passes: bool, frame: bytes) -> None:
    assert filtered.passes(frame) is passes


@pytest.mark.parametrize(
    ("passes", "packet"),
    [
        (True, ipv4(A, B, TO)),
        (True, ipv6(A6, B6, FROM)),
        (False, ipv4(A, B, OTHER)),
        (False, ipv6(A6, B6, OTHER)),
    ],
)
def test_filter_without_link_header(passes: bool, packet: bytes) -> None:
    pair = Filtered((5432,), ethernet=False)
    assert pair.passes(packet) is passes
    pair.close()


def test_filter_takes_fifty_ports_and_refuses_more_than_it_can_hold() -> None:
    pair = Filtered(tuple(range(5383, 5433)))
    assert pair.passes(ethernet(ipv6(A6, B6, FROM), 1, 2))
    pair.close()
    with pytest.raises(CaptureRefused, match="端口太多"):
        port_filter(range(1, 100))


@needs_raw
def test_an_unknown_interface_is_named_with_those_there_are() -> None:
    with pytest.raises(CaptureRefused, match=r"qf-none.*lo"):
        Capture("qf-none", [5432])


@needs_raw
def test_live_loopback_gives_every_byte_once() -> None:
    """An echo server and ten clients on loopback; all bytes of both directions, none twice."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    sent = 300_000

    def serve() -> None:
        for _n in range(10):
            connection, _address = listener.accept()
            with connection:
                while data := connection.recv(65536):
                    connection.sendall(data)

    server = threading.Thread(target=serve)
    recorder = Recorder()
    flows = Flows({port: "pg"}, recorder, source="tap")
    with Capture("lo", [port]) as capture:
        server.start()
        for n in range(10):
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.sendall(bytes([n + 65]) * sent)
                client.shutdown(socket.SHUT_WR)
                while client.recv(1 << 20):
                    pass
        server.join()
        while frames := capture.read(200):
            for at_us, link, wire, data, vlan in frames:
                flows.frame(at_us, link, wire, data, vlan)
        capture.update()
        assert capture.dropped == 0
        assert capture.received == flows.packets
    listener.close()
    assert len(recorder.talks) == 10
    for n, talk in enumerate(recorder.talks):
        assert talk.client == talk.server == bytes([n + 65]) * sent
        assert talk.over
    assert flows.counts().lost_bytes == 0


@needs_raw
def test_a_vlan_tag_that_the_kernel_took_off_is_given_back() -> None:
    """A mirror port's frames on one end of a cable: the other end sees them without their tag."""
    one, two = f"qf{os.getpid()}c", f"qf{os.getpid()}d"
    cable = ["ip", "link", "add", one, "type", "veth", "peer", "name", two]
    try:
        subprocess.run(cable, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"不能建立虚拟网卡（Debian 包 iproute2）：{error}")
    try:
        for end in (one, two):
            subprocess.run(["ip", "link", "set", end, "up"], check=True)
        single, double = (
            Talk(tags=(7,)),
            Talk(("2001:db8::10", 40000), ("2001:db8::1", 5432), tags=(8, 9)),
        )
        recorder = Recorder()
        flows = Flows({5432: "pg"}, recorder, source="tap")
        with (
            Capture(two, [5432]) as capture,
            socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as out,
        ):
            out.bind((one, 0))
            sent = [f for t in (single, double) for f in (*t.handshake(), t.client(b"SELECT 1"))]
            for frame in sent:
                out.send(frame)
            seen = []
            # The kernel's own IPv6 announcements have extension headers, and so come too.
            while len(seen) < len(sent) and (frames := capture.read(2000)):
                seen += [f for f in frames if f[3][:12] == sent[0][:12]]
        assert [vlan for *_rest, vlan in seen] == [7] * 4 + [8] * 4
        for at_us, link, wire, data, vlan in seen:
            flows.frame(at_us, link, wire, data, vlan)
        assert [t.client for t in recorder.talks] == [b"SELECT 1"] * 2
    finally:
        subprocess.run(["ip", "link", "del", one], check=True)
