"""Frames from a live interface: a memory-mapped ring of the kernel's, without any library.

Source: Linux Documentation/networking/packet_mmap.rst (TPACKET_V3), packet(7), and filter.rst for
the classic BPF program.

Rules this module keeps:

1. Only TCP to or from the wanted ports leaves the kernel, and the fragments and headers that only
   `packets` can judge; the filter is in place before the first frame.
2. On loopback every packet passes twice; the outgoing copy is left out.
3. What the kernel had to drop is counted (`dropped`), and so known.
4. The interface is not made promiscuous unless asked: a mirror port needs it, a server's own does
   not.
"""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import select
import socket
import struct
from collections.abc import Collection
from types import TracebackType
from typing import Final

from qingfang.language import _
from qingfang.sense.tap.packets import ETHERNET, RAW

_SOL_PACKET: Final = 263
_PACKET_ADD_MEMBERSHIP, _PACKET_RX_RING, _PACKET_STATISTICS = 1, 5, 6
_PACKET_VERSION, _PACKET_IGNORE_OUTGOING = 10, 23
_TPACKET_V3: Final = 2
_PACKET_MR_PROMISC: Final = 1
_SO_ATTACH_FILTER: Final = 26
_ETH_P_ALL: Final = 3
_SIOCGIFHWADDR: Final = 0x8927
_ARPHRD = {1: ETHERNET, 772: ETHERNET, 65534: RAW, 519: RAW, 512: RAW}

BLOCK_BYTES: Final = 1 << 20
BLOCKS: Final = 64
RETIRE_MS: Final = 20
_TP_STATUS_KERNEL: Final = 0
_TP_STATUS_USER: Final = 1
_TP_STATUS_VLAN_VALID: Final = 1 << 4

# tpacket_block_desc up to offset_to_first_pkt; tpacket3_hdr up to the VLAN tag
_BLOCK: Final = struct.Struct("=8xIII")
_PACKET: Final = struct.Struct("=IIIIIIHHII")
_STATUS_AT: Final = 8

Captured = tuple[int, int, int, bytes, int]
"""Time in µs since the epoch, link-layer type, length on the wire, bytes, VLAN tag or -1."""


class CaptureRefused(Exception):
    """The interface cannot be captured; the text says why and what to do."""


class Capture:
    """A ring on `interface`. `read` gives the frames of one block, an empty list after
    `timeout_ms` without any. Use it as a context manager. Raises `CaptureRefused`."""

    def __init__(
        self,
        interface: str,
        ports: Collection[int],
        *,
        promiscuous: bool = False,
        blocks: int = BLOCKS,
    ) -> None:
        self.interface = interface
        self.received = 0
        self.dropped = 0
        self._blocks = blocks
        self._next = 0
        self._ring: mmap.mmap | None = None
        try:
            # Protocol 0: nothing is received before the filter and the ring are there.
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        except PermissionError:
            raise CaptureRefused(
                _("抓包需要 CAP_NET_RAW 权限：用 root 运行，或 setcap cap_net_raw+ep。")
            ) from None
        try:
            self._set_up(interface, ports, promiscuous)
        except OSError as error:
            self.close()
            raise CaptureRefused(
                _("网卡 {} 不能抓包：{}。可用的网卡：{}").format(
                    interface, error.strerror, " ".join(n for _i, n in socket.if_nameindex())
                )
            ) from None

    def _set_up(self, interface: str, ports: Collection[int], promiscuous: bool) -> None:
        sock = self._socket
        index = socket.if_nametoindex(interface)
        request = struct.pack("16s16x", interface.encode()[:15])
        hardware = fcntl.ioctl(sock, _SIOCGIFHWADDR, request)
        family = struct.unpack_from("=H", hardware, 16)[0]
        self._link = _ARPHRD.get(family, ETHERNET)
        program = port_filter(ports, ethernet=self._link == ETHERNET)
        attach_filter(sock, program)
        sock.setsockopt(_SOL_PACKET, _PACKET_VERSION, _TPACKET_V3)
        if family == 772:
            sock.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
        size = BLOCK_BYTES
        frame = 2048
        ring = struct.pack(
            "=IIIIIII", size, self._blocks, frame, size // frame * self._blocks, RETIRE_MS, 0, 0
        )
        sock.setsockopt(_SOL_PACKET, _PACKET_RX_RING, ring)
        self._ring = mmap.mmap(sock.fileno(), size * self._blocks)
        if promiscuous:
            membership = struct.pack("=iHH8x", index, _PACKET_MR_PROMISC, 0)
            sock.setsockopt(_SOL_PACKET, _PACKET_ADD_MEMBERSHIP, membership)
        sock.bind((interface, _ETH_P_ALL))
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN | select.POLLERR)

    def fileno(self) -> int:
        """For an event loop: readable when a block is full or its time is up."""
        return self._socket.fileno()

    def read(self, timeout_ms: int = RETIRE_MS) -> list[Captured]:
        """The frames of the next block, in the order they came."""
        ring = self._ring
        assert ring is not None
        start = self._next * BLOCK_BYTES
        # poll is a system call, and so also the barrier before the block is read.
        ready = self._poll.poll(0)
        if not ring[start + _STATUS_AT] & _TP_STATUS_USER:
            ready = self._poll.poll(timeout_ms)
            if not ready or not ring[start + _STATUS_AT] & _TP_STATUS_USER:
                for _fd, events in ready:
                    if events & select.POLLERR:
                        code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                        raise CaptureRefused(
                            _("网卡 {} 的抓包中断（错误 {}）：网卡可能已停用。").format(
                                self.interface, code
                            )
                        )
                return []
        _status, count, first = _BLOCK.unpack_from(ring, start)
        frames: list[Captured] = []
        at = start + first
        link = self._link
        for _n in range(count):
            following, seconds, ns, kept, wire, status, mac, _net, _hash, tci = _PACKET.unpack_from(
                ring, at
            )
            vlan = tci & 0x0FFF if status & _TP_STATUS_VLAN_VALID else -1
            data = ring[at + mac : at + mac + kept]
            frames.append((seconds * 1_000_000 + ns // 1000, link, wire, data, vlan))
            at += following
        struct.pack_into("=I", ring, start + _STATUS_AT, _TP_STATUS_KERNEL)
        self._next = (self._next + 1) % self._blocks
        return frames

    def update(self) -> None:
        """Adds what the kernel counted since the last call to `received` and `dropped`."""
        # tpacket_stats_v3: packets (the dropped among them), drops, times the queue was frozen
        raw = self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 12)
        received, dropped, _frozen = struct.unpack("=III", raw)
        self.received += received - dropped
        self.dropped += dropped

    def close(self) -> None:
        if self._ring is not None:
            self._ring.close()
            self._ring = None
        self._socket.close()

    def __enter__(self) -> Capture:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


# ------------------------------------------------------------------ the filter

Instruction = tuple[int, int, int, int]
"""Operation, jump if true, jump if false, operand: a `struct sock_filter`."""

Line = tuple[int, int, str, str]
"""Operation, operand, label if true, label if false; the empty label is the next instruction."""

_LOAD_HALF, _LOAD_BYTE = 0x48, 0x50  # A = bytes at X + offset
_SET_X, _ADD_X, _MOVE_X = 0x01, 0x0C, 0x07  # X = operand; A += X; X = A
_AND, _SHIFT_LEFT = 0x54, 0x64
_JUMP_EQUAL, _JUMP_BITS = 0x15, 0x45
_RETURN = 0x06
_IPV6_EXTENSIONS = (0, 43, 44, 51, 60, 135)


def port_filter(ports: Collection[int], *, ethernet: bool = True) -> list[Instruction]:
    """Accepts TCP over IPv4 or IPv6 from or to `ports`, with at most two VLAN tags still in the
    frame; fragments, and IPv6 with extension headers, whatever their ports. X is the size of the
    tags, then of the IPv4 header too."""
    ip = 14 if ethernet else 0
    lines: list[Line | str] = [(_SET_X, 0, "", "")]
    if ethernet:
        for size in (4, 8):
            lines += [
                (_LOAD_HALF, 12, "", ""),
                (_JUMP_EQUAL, 0x8100, f"tag {size}", ""),
                (_JUMP_EQUAL, 0x88A8, f"tag {size}", "untagged"),
                f"tag {size}",
                (_SET_X, size, "", ""),
            ]
        lines += [
            "untagged",
            (_LOAD_HALF, 12, "", ""),
            (_JUMP_EQUAL, 0x86DD, "ipv6", ""),
            (_JUMP_EQUAL, 0x0800, "", "reject"),
        ]
    else:
        lines += [(_LOAD_BYTE, 0, "", ""), (_JUMP_BITS, 0x20, "ipv6", "")]
    lines += [
        (_LOAD_BYTE, ip + 9, "", ""),
        (_JUMP_EQUAL, 6, "", "reject"),
        (_LOAD_HALF, ip + 6, "", ""),
        (_JUMP_BITS, 0x3FFF, "accept", ""),
        (_LOAD_BYTE, ip, "", ""),
        (_AND, 0x0F, "", ""),
        (_SHIFT_LEFT, 2, "", ""),
        (_ADD_X, 0, "", ""),
        (_MOVE_X, 0, "", ""),
        *_either(ip, ports),
        "ipv6",
        (_LOAD_BYTE, ip + 6, "", ""),
        *((_JUMP_EQUAL, header, "accept", "") for header in _IPV6_EXTENSIONS),
        (_JUMP_EQUAL, 6, "", "reject"),
        *_either(ip + 40, ports),
        "reject",
        (_RETURN, 0, "", ""),
        "accept",
        (_RETURN, 0xFFFFFFFF, "", ""),
    ]
    return _assembled(lines)


def _either(offset: int, ports: Collection[int]) -> list[Line]:
    """Accepts when the source or the target port is among `ports`, else rejects."""
    lines: list[Line] = []
    for place in (offset, offset + 2):
        lines.append((_LOAD_HALF, place, "", ""))
        lines += [(_JUMP_EQUAL, port, "accept", "") for port in ports]
    return [*lines, (_RETURN, 0, "", "")]


def _assembled(lines: list[Line | str]) -> list[Instruction]:
    """Labels become distances, which are one byte."""
    places: dict[str, int] = {}
    code: list[Line] = []
    for line in lines:
        if isinstance(line, str):
            places[line] = len(code)
        else:
            code.append(line)
    program: list[Instruction] = []
    for n, (operation, operand, yes, no) in enumerate(code):
        jumps = [places[label] - n - 1 if label else 0 for label in (yes, no)]
        if max(jumps) > 255:
            raise CaptureRefused(_("端口太多，抓包过滤器放不下：最多 50 个。"))
        program.append((operation, jumps[0], jumps[1], operand))
    return program


def attach_filter(sock: socket.socket, program: list[Instruction]) -> None:
    """`SO_ATTACH_FILTER`; the kernel copies the program."""
    packed = b"".join(struct.pack("=HBBI", *line) for line in program)
    kept = ctypes.create_string_buffer(packed)
    header = struct.pack("HxxxxxxP", len(program), ctypes.addressof(kept))
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, header)
