"""Dialogues of PostgreSQL's protocol as text, for the decoder's tests.

One line is one message or one expected event:

    > Query "SELECT 1"                client to server
    < DataRow 1                       server to client
    = Statement 1 query SELECT 1      what the decoder must have said by the end, in order
    # anything else

Messages have the names of the protocol's documentation. Values of Bind are text; `NULL` is NULL,
`int4:7` a binary integer, `hex:00ff` raw binary bytes.
"""

from __future__ import annotations

import shlex
import struct
from pathlib import Path

from qingfang.decode.pgwire.frames import SSL_REQUEST_PACKET, frame
from qingfang.events import SessionFact
from qingfang.statement import Outcome, Statement

Message = tuple[str, bytes]  # ">" or "<", and its bytes

START_UP = """
> StartupMessage user=his database=hospital application_name=门诊
< AuthenticationOk
< ParameterStatus client_encoding UTF8
< ParameterStatus standard_conforming_strings on
< ParameterStatus application_name 门诊
< BackendKeyData 4711
< ReadyForQuery I
"""
_BARE = {
    ">": {"Sync": "S", "Flush": "H", "CopyDone": "c", "Terminate": "X"},
    "<": {
        "ParseComplete": "1",
        "BindComplete": "2",
        "CloseComplete": "3",
        "NoData": "n",
        "PortalSuspended": "s",
        "EmptyQueryResponse": "I",
        "CopyDone": "c",
    },
}


def z(text: str) -> bytes:
    return text.encode() + b"\0"


def client(name: str, *words: str, encoding: str = "utf-8") -> bytes:
    """One message of the client."""
    if name in _BARE[">"]:
        return frame(ord(_BARE[">"][name]), b"")
    match name:
        case "SSLRequest":
            return SSL_REQUEST_PACKET
        case "GSSENCRequest":
            return struct.pack("!II", 8, 80877104)
        case "CancelRequest":
            return struct.pack("!IIII", 16, 80877102, int(words[0]), int(words[1]))
        case "StartupMessage":
            minor = 0
            body = b""
            for word in words:
                key, _equals, value = word.partition("=")
                if key == "version":
                    minor = int(value.removeprefix("3."))
                else:
                    body += z(key) + z(value)
            return struct.pack("!IHH", len(body) + 9, 3, minor) + body + b"\0"
        case "PasswordMessage":
            return frame(ord("p"), z(words[0]))
        case "Query":
            return frame(ord("Q"), words[0].encode(encoding) + b"\0")
        case "Parse":
            oids = [int(w) for w in words[2:]]
            counted = struct.pack(f"!H{len(oids)}I", len(oids), *oids)
            return frame(ord("P"), z(words[0]) + words[1].encode(encoding) + b"\0" + counted)
        case "Bind":
            values = [_value(w) for w in words[2:]]
            formats = struct.pack(f"!H{len(values)}h", len(values), *(f for f, _v in values))
            body = b"".join(
                struct.pack("!i", -1) if v is None else struct.pack("!i", len(v)) + v
                for _f, v in values
            )
            count = struct.pack("!H", len(values))
            return frame(ord("B"), z(words[0]) + z(words[1]) + formats + count + body + b"\0\0")
        case "Describe" | "Close":
            return frame(ord(name[0]), words[0].encode() + z(words[1]))
        case "Execute":
            limit = int(words[1]) if len(words) > 1 else 0
            return frame(ord("E"), z(words[0]) + struct.pack("!I", limit))
        case "CopyData":
            return frame(ord("d"), words[0].encode(encoding))
        case "CopyFail":
            return frame(ord("f"), z(words[0]))
        case "FunctionCall":
            return frame(ord("F"), struct.pack("!IHHH", int(words[0]), 0, 0, 0))
    raise ValueError(name)


def _value(word: str) -> tuple[int, bytes | None]:
    if word == "NULL":
        return 0, None
    if word.startswith("hex:"):
        return 1, bytes.fromhex(word[4:])
    if word.startswith("int4:"):
        return 1, struct.pack("!i", int(word[5:]))
    return 0, word.encode()


def server(name: str, *words: str) -> bytes:
    """One message of the server."""
    if name in _BARE["<"]:
        return frame(ord(_BARE["<"][name]), b"")
    match name:
        case "AuthenticationOk":
            return frame(ord("R"), bytes(4))
        case "AuthenticationSASL":
            return frame(ord("R"), struct.pack("!I", 10) + b"SCRAM-SHA-256\0\0")
        case "NegotiateProtocolVersion":
            return frame(ord("v"), struct.pack("!II", 2, 0))
        case "ParameterStatus":
            return frame(ord("S"), z(words[0]) + z(words[1]))
        case "BackendKeyData":
            return frame(ord("K"), struct.pack("!I", int(words[0])) + b"k" * int((*words, "4")[1]))
        case "ReadyForQuery":
            return frame(ord("Z"), words[0].encode())
        case "RowDescription":
            fields = b"".join(z(w) + bytes(18) for w in words)
            return frame(ord("T"), struct.pack("!H", len(words)) + fields)
        case "ParameterDescription":
            return frame(ord("t"), struct.pack(f"!H{len(words)}I", len(words), *map(int, words)))
        case "DataRow":
            values = b"".join(struct.pack("!i", len(w.encode())) + w.encode() for w in words)
            return frame(ord("D"), struct.pack("!H", len(words)) + values)
        case "CommandComplete":
            return frame(ord("C"), z(words[0]))
        case "ErrorResponse":
            fields = b"SERROR\0VERROR\0C" + z(words[0]) + b"M" + z(words[1])
            return frame(ord("E"), fields + b"\0")
        case "NoticeResponse":
            return frame(ord("N"), b"SNOTICE\0M" + z(words[0]) + b"\0")
        case "NotificationResponse":
            return frame(ord("A"), struct.pack("!I", 1) + z(words[0]) + z(""))
        case "CopyInResponse":
            return frame(ord("G"), b"\0\0\1\0\0")
        case "CopyOutResponse":
            return frame(ord("H"), b"\0\0\1\0\0")
        case "CopyBothResponse":
            return frame(ord("W"), b"\0\0\0")
        case "CopyData":
            return frame(ord("d"), words[0].encode())
        case "FunctionCallResponse":
            return frame(ord("V"), struct.pack("!i", -1))
        case "Byte":
            return words[0].encode()
    raise ValueError(name)


def read(text: str) -> tuple[list[Message], list[str]]:
    """The messages and the expected events of a dialogue."""
    messages: list[Message] = []
    expected: list[str] = []
    for line in text.splitlines():
        side, _space, rest = line.strip().partition(" ")
        if side == "=":
            expected.append(rest.strip())
        elif side in {">", "<"}:
            name, *words = shlex.split(rest)
            messages.append((side, (client if side == ">" else server)(name, *words)))
    return messages, expected


def dialogue(file: Path) -> tuple[list[Message], list[str]]:
    text = file.read_text(encoding="utf-8")
    if "StartupMessage" in text or "CancelRequest" in text:
        return read(text)
    messages, expected = read(START_UP + text)
    return messages, ["SessionFact ready his hospital 门诊 pid=4711", *expected]


def told(event: Statement | Outcome | SessionFact) -> str:
    """An event as a dialogue writes it."""
    if isinstance(event, Statement):
        parts = [f"Statement {event.number} {event.kind} {event.sql}".rstrip()]
        for name in ("binds", "guessed", "name", "portal", "resumed", "doubt", "cut_binds"):
            value = getattr(event, name)
            if value:
                parts.append(f"{name}={value}")
        return " | ".join(parts)
    if isinstance(event, Outcome):
        text = f"Outcome {event.number} {event.end} rows={event.rows}"
        if len(event.parts) > 1:
            text += f" parts={event.parts}"
        return text + (f" {event.sqlstate} {event.error}" if event.sqlstate else "")
    text = f"SessionFact {event.stage} {event.account} {event.database} {event.program}".rstrip()
    text += f" pid={event.pid}" if event.pid else ""
    text += " tls" if event.tls else ""
    return text + (f" {event.sqlstate} {event.error}" if event.sqlstate else "")
