"""Bytes of the wire as text: the session's encoding, and passwords taken out.

Rules this module keeps:

1. Decoding never fails: bytes the encoding does not know become lone surrogates
   (`surrogateescape`), so that two different byte strings never become the same text.
2. A password literal of CREATE/ALTER ROLE, USER, GROUP or USER MAPPING is replaced before the text
   leaves the decoder. Other literals stay: they are what a statement is judged by.
"""

from __future__ import annotations

import re
from typing import Final

# The server's names of client encodings (chapter «Character Set Support») and Python's.
# SQL_ASCII says nothing about the bytes; UTF-8 is what the rest of the house speaks.
_CODECS: Final[dict[str, str]] = {
    "UTF8": "utf-8",
    "UNICODE": "utf-8",
    "SQL_ASCII": "utf-8",
    "GBK": "gbk",
    "GB18030": "gb18030",
    "EUC_CN": "gb2312",
    "BIG5": "big5",
    "EUC_JP": "euc_jp",
    "EUC_KR": "euc_kr",
    "SJIS": "cp932",
    "UHC": "cp949",
    "JOHAB": "johab",
    "KOI8R": "koi8_r",
    "KOI8U": "koi8_u",
    "LATIN1": "latin-1",
    "LATIN2": "iso8859-2",
    "LATIN3": "iso8859-3",
    "LATIN4": "iso8859-4",
    "LATIN5": "iso8859-9",
    "LATIN6": "iso8859-10",
    "LATIN7": "iso8859-13",
    "LATIN8": "iso8859-14",
    "LATIN9": "iso8859-15",
    "LATIN10": "iso8859-16",
    "ISO_8859_5": "iso8859-5",
    "ISO_8859_6": "iso8859-6",
    "ISO_8859_7": "iso8859-7",
    "ISO_8859_8": "iso8859-8",
    "WIN866": "cp866",
    "WIN874": "cp874",
    "WIN1250": "cp1250",
    "WIN1251": "cp1251",
    "WIN1252": "cp1252",
    "WIN1253": "cp1253",
    "WIN1254": "cp1254",
    "WIN1255": "cp1255",
    "WIN1256": "cp1256",
    "WIN1257": "cp1257",
    "WIN1258": "cp1258",
}


def codec_of(client_encoding: str) -> str:
    """Python's codec for a `client_encoding` as the server reports it; UTF-8 for one that Python
    lacks (EUC_TW, MULE_INTERNAL), whose other bytes then show as surrogates."""
    return _CODECS.get(client_encoding.upper(), "utf-8")


def decode(raw: bytes, codec: str) -> str:
    if codec == "utf-8":
        return raw.decode("utf-8", "surrogateescape")
    return raw.decode(codec, "surrogateescape")


_ESCAPES: Final = re.compile(r"(?:\\x[0-9a-f]{2})+")


def program_name(reported: str, codec: str) -> str:
    """application_name as the client set it: the server reports bytes outside ASCII as `\\xe9`
    (`pg_clean_ascii`)."""
    return _ESCAPES.sub(
        lambda found: decode(bytes.fromhex(found.group().replace("\\x", "")), codec), reported
    )


_GAP: Final = r"\s*(?:/\*.*?\*/\s*|--[^\n]*\n\s*)*"
_PLAIN: Final = r"'(?:[^']|'')*(?:'|\Z)(?:\s*\n\s*'(?:[^']|'')*(?:'|\Z))*"
_ESCAPED: Final = r"'(?:[^'\\]|''|\\.)*(?:'|\Z)"
_DOLLAR: Final = r"\$(?P<tag>\w*)\$.*?(?:\$(?P=tag)\$|\Z)"
_ACCOUNT: Final = re.compile(r"\b(?:create|alter)\b.*?\b(?:role|user|group)\b", re.I | re.S)
_SECRET: Final = re.compile(
    rf"\b(password{_GAP})(?:e{_ESCAPED}|(?:u&)?{_PLAIN}|{_DOLLAR})", re.I | re.S
)
_SECRET_BACKSLASH: Final = re.compile(
    rf"\b(password{_GAP})(?:e?{_ESCAPED}|u&{_PLAIN}|{_DOLLAR})", re.I | re.S
)


def redact(sql: str, standard_strings: bool) -> str:
    """`sql` with password literals replaced by '***'; an unterminated one is replaced to the end.

    `standard_strings` is the session's standard_conforming_strings: when off, a backslash escapes
    in every literal.
    """
    if _ACCOUNT.search(sql) is None:
        return sql
    return (_SECRET if standard_strings else _SECRET_BACKSLASH).sub(r"\1'***'", sql)


_STRINGS: Final = re.compile(
    rf"""(?P<quoted>"(?:[^"]|"")*(?:"|\Z))|(?P<line>--[^\r\n]*)|(?P<open>/\*)
    |(?P<prefix>\b(?:[bexn]|u&))?(?P<string>{_ESCAPED}(?:\s*[\r\n]\s*{_ESCAPED})*)
    |(?P<word>[^\W\d][\w$]*)|{_DOLLAR}""",
    re.I | re.S | re.X,
)
_COMMENT: Final = re.compile(r"/\*|\*/")


def conforming(sql: str) -> str:
    """`sql`, sent with standard_conforming_strings off, as one that means the same with it on:
    plain literals become `E'…'` (PostgreSQL manual 4.1.2.2), nothing else is touched."""
    if "\\" not in sql:
        return sql
    parts: list[str] = []
    kept = at = 0
    while (found := _STRINGS.search(sql, at)) is not None:
        at = found.end()
        if found["open"]:
            depth = 1
            while depth and (mark := _COMMENT.search(sql, at)) is not None:
                depth += 1 if mark.group() == "/*" else -1
                at = mark.end()
            if depth:
                break
        elif found["string"] and (found["prefix"] or "n") in "nN":
            parts.append(sql[kept : found.start()])
            parts.append(" E")
            kept = found.start("string")
    parts.append(sql[kept:])
    return "".join(parts)
