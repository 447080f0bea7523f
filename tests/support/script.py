"""Capture cases as a script that a person reads, made into a pcap file.

One line, one packet (`C` client, `S` server), in the order they were sent:

    hello                            the three packets that open a connection
    C startup user=his database=his  the start-up message
    C query SELECT 1                 a simple query
    C hex 0000000804d2162f           any bytes
    S signed-in                      authentication, parameters, ready
    S rows 1|a 2|b                   row description and rows (columns separated by |)
    S done SELECT 2                  command complete and ready
    S error 42P01 no such table      an error and ready
    S hex 4e
    goodbye                          both sides close

What happens to a packet stands before it:

    lost …          it is not in the file
    late 3 …        it comes three packets later
    twice …         it comes twice
    cut 60 …        only its first 60 bytes were captured
    fragments 24 …  it comes as IP fragments of 24 bytes
    forged …        the same place in the stream is used again by the next packet

`ipv6`, `vlan 7 8`, `port 40001` (a client port: another connection, or back to one), `again` (a new
connection from the same port) and
`midway` (no hello: the numbers go on from somewhere) stand on lines of their own. `#` comments.
"""

from __future__ import annotations

import struct

from tests.support.frames import ACK, Talk, ethernet, ipv4, pcap


def message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!I", len(body) + 4) + body


def payload(words: str) -> bytes:
    what, _space, rest = words.partition(" ")
    ready = message(b"Z", b"I")
    match what:
        case "hex":
            return bytes.fromhex(rest)
        case "startup":
            pairs = [p.partition("=") for p in rest.split()]
            body = b"\0\3\0\0" + b"".join(
                k.encode() + b"\0" + v.encode() + b"\0" for k, _e, v in pairs
            )
            return struct.pack("!I", len(body) + 5) + body + b"\0"
        case "query":
            return message(b"Q", rest.encode() + b"\0")
        case "signed-in":
            return (
                message(b"R", b"\0\0\0\0")
                + message(b"S", b"client_encoding\0UTF8\0")
                + message(b"K", b"\0\0\0\1\0\0\0\2")
                + ready
            )
        case "rows":
            rows = [r.split("|") for r in rest.split()]
            fields = b"".join(
                b"c%d\0" % n + struct.pack("!IHIhIh", 0, 0, 25, -1, 0, 0)
                for n in range(len(rows[0]))
            )
            parts = [message(b"T", struct.pack("!H", len(rows[0])) + fields)]
            for row in rows:
                cells = b"".join(struct.pack("!I", len(c.encode())) + c.encode() for c in row)
                parts.append(message(b"D", struct.pack("!H", len(row)) + cells))
            return b"".join(parts)
        case "done":
            return message(b"C", rest.encode() + b"\0") + ready
        case "error":
            code, _s, text = rest.partition(" ")
            body = f"SERROR\0VERROR\0C{code}\0M{text}\0\0".encode()
            return message(b"E", body) + ready
    raise ValueError(words)


def capture(script: str) -> bytes:
    """The pcap file of a script."""
    talks: dict[int, Talk] = {}
    place = {"port": 40000}
    tags: tuple[int, ...] = ()
    client, server = "192.0.2.10", "192.0.2.1"
    frames: list[bytes | None] = []
    late: list[tuple[int, bytes]] = []  # packets still to pass before it comes
    cuts: dict[bytes, int] = {}
    midway = False

    def talk() -> Talk:
        port = place["port"]
        if port not in talks:
            talks[port] = Talk((client, port), (server, 5432), (port * 7, port * 11), tags)
        return talks[port]

    def put(*more: bytes) -> None:
        for frame in more:
            frames.append(frame)
            for n, (left, held) in enumerate(late):
                late[n] = (left - 1, held)
            frames.extend(held for left, held in late if left == 0)
            late[:] = [item for item in late if item[0] > 0]

    for full in script.splitlines():
        words = full.partition("#")[0].strip()
        first, _space, rest = words.partition(" ")
        match first:
            case "":
                continue
            case "ipv6":
                client, server = "2001:db8::10", "2001:db8::1"
                continue
            case "vlan":
                tags = tuple(int(t) for t in rest.split())
                continue
            case "port":
                place["port"] = int(rest)
                continue
            case "again":
                del talks[place["port"]]
                talks[place["port"]] = Talk(
                    (client, place["port"]), (server, 5432), (77_000_000, 88_000_000), tags
                )
                continue
            case "midway":
                midway = True
                continue
            case "hello":
                put(*talk().handshake())
                continue
            case "goodbye":
                put(*talk().goodbye())
                continue
        fate: dict[str, int] = {}
        while first not in {"C", "S"}:
            if first in {"late", "cut", "fragments"}:
                number, _space, rest = rest.partition(" ")
                fate[first] = int(number)
            else:
                assert first in {"lost", "twice", "forged"}, full
                fate[first] = 1
            first, _space, rest = rest.partition(" ")
        side = 0 if first == "C" else 1
        before = list(talk().seq)
        frame = talk().frame(side, ACK, payload(rest))
        if "forged" in fate:
            talk().seq = before
        if "cut" in fate:
            cuts[frame] = fate["cut"]
        if "lost" in fate:
            continue
        if "late" in fate:
            late.append((fate["late"], frame))
        elif "fragments" in fate:
            datagram, size = frame[34:], fate["fragments"]
            pieces = range(0, len(datagram), size)
            source, target = (client, server) if side == 0 else (server, client)
            put(
                *(
                    ethernet(
                        ipv4(
                            source,
                            target,
                            datagram[n : n + size],
                            number=len(frames),
                            fragment=n,
                            more=n + size < len(datagram),
                        )
                    )
                    for n in pieces
                )
            )
        else:
            put(frame)
            if "twice" in fate:
                put(frame)
    assert not late, "a late packet needs enough packets behind it"
    assert midway or talks
    whole = [f for f in frames if f is not None]
    file = pcap(whole)
    if not cuts:
        return file
    parts, position = [file[:24]], 24
    for frame in whole:
        head, position = file[position : position + 8], position + 16 + len(frame)
        kept = min(cuts.get(frame, len(frame)), len(frame))
        parts.append(head + struct.pack("<II", kept, len(frame)) + frame[:kept])
    return b"".join(parts)
