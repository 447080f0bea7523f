"""What command-line clients take out of a text before the server sees it: SQL*Plus, sqlcmd, psql,
mysql.

    without_commands(text, "oracle", quoted) -> the text with their lines blank

Rules this module keeps:

1. A text keeps its length and its lines: what a client keeps to itself becomes blanks, and a command
   that sends the statement (`/`, `\\g`) becomes `;`.
2. A command that runs a file, another program, or a query's answer stays as it stands, so that it is
   not read: `@file`, `START`, `:r`, `\\i`, `source`, `HOST`, `\\gexec`.
3. Nothing is taken that a server would run: a line counts only where a statement may begin, outside
   quotes and comments, and never inside a block.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

Spans = Sequence[tuple[int, int]]
"""First and last code point (end exclusive) of each quoted text, name and comment, in order."""
Look = Callable[[], Spans]


def without_commands(text: str, dialect: str, quoted: Look) -> str:
    """The text as a server gets it from the client of this dialect; `quoted` looks for what is
    quoted in it."""
    if dialect == "postgres":
        return _psql(text, quoted()) if "\\" in text else text
    if dialect == "tsql":
        return _sqlcmd(text, quoted()) if _SQLCMD.search(text) else text
    if dialect == "mysql":
        return _mysql(text, quoted()) if _MYSQL_SIGNS.search(text) else text
    if dialect == "oracle":
        return _sqlplus(text, quoted()) if _SQLPLUS_SIGNS.search(text) else text
    return text


def _blank(text: str) -> str:
    return re.sub(r"\S", " ", text)


def _plain(text: str, quoted: Spans) -> str:
    """The text with `x` for all that is quoted or a comment: what is left is code."""
    out: list[str] = []
    at = 0
    for start, end in quoted:
        out.append(text[at:start])
        out.append(re.sub(r"[^\n]", "x", text[start:end]))
        at = end
    out.append(text[at:])
    return "".join(out)


# ------------------------------------------------------------------ psql

_META = re.compile(r"\\(?:(?P<end>;)|(?P<word>[a-zA-Z_?]+\+?)(?P<rest>[^\n]*))")
_SENDS = frozenset({"g", "gx", "gset", "gdesc", "watch", "crosstabview"})
_KEPT = frozenset(
    {
        *("a", "bind", "c", "cd", "conninfo", "connect", "C", "echo", "elif", "else", "encoding"),
        *("endif", "errverbose", "f", "getenv", "h", "H", "help", "if", "l", "o", "out", "prompt"),
        *("pset", "qecho", "q", "quit", "r", "reset", "s", "set", "setenv", "t", "T", "timing"),
        *("unset", "warn", "x", "z"),
    }
)
_TARGET = re.compile(r"\bto\s+(program\s+)?(x+|\S+)", re.IGNORECASE)


def _psql(text: str, quoted: Spans) -> str:
    plain = _plain(text, quoted)
    out: list[str] = []
    at = 0
    for found in _META.finditer(plain):
        if found.start() < at:
            continue
        out.append(text[at : found.start()])
        at = found.end()
        whole, word = text[found.start() : at], found["word"] or ""
        if found["end"]:
            out.append("; ")
        elif word == "copy":
            out.append(_copy(text, plain, found.start(), at))
            if at < len(text):
                out.append(";")  # the end of the line ends it
                at += 1
        elif word in _SENDS:
            out.append(";" + _blank(whole[1:]))
        elif word.rstrip("+") in _KEPT or word.startswith("d"):
            out.append(_blank(whole))
        else:
            out.append(whole)
    out.append(text[at:])
    return "".join(out)


def _copy(text: str, plain: str, start: int, end: int) -> str:
    r"""`\copy … TO file`: for the server it is COPY … TO STDOUT, the file is the client's."""
    line = " " + text[start + 1 : end]
    depth = 0
    for at in range(start, end):
        depth += (plain[at] == "(") - (plain[at] == ")")
        found = _TARGET.match(plain, at, end) if not depth and plain[at] in "tT" else None
        if found is not None and found.end() - at >= len("to stdout"):
            sent = "to stdout".ljust(end - at)
            return line[: at - start] + sent
    return line


# ------------------------------------------------------------------ sqlcmd

_SQLCMD = re.compile(r"^[ \t]*:\w|\$\(", re.MULTILINE)
_SQLCMD_LINE = re.compile(
    r"^[ \t]*:(?:setvar|out|error|perftrace|on[ \t]+error|listvar|serverlist|xml|reset|help|ed)\b[^\n]*",
    re.MULTILINE | re.IGNORECASE,
)
_SETVAR = re.compile(r'[ \t]*:setvar[ \t]+(\w+)[ \t]+(?:"([^"]*)"|(\S+))', re.IGNORECASE)
_VARIABLE = re.compile(r"\$\((\w+)\)")


def _sqlcmd(text: str, quoted: Spans) -> str:
    plain = _plain(text, quoted)
    values: dict[str, str] = {}
    out: list[str] = []
    at = 0
    for found in _SQLCMD_LINE.finditer(text):
        if plain[found.start() : found.start() + 1] not in {" ", "\t", ":"}:
            continue
        out.append(_filled(text, plain, at, found.start(), values))
        at = found.end()
        out.append(_blank(found[0]))
        given = _SETVAR.match(found[0])
        if given is not None:
            values[given[1].lower()] = given[2] if given[2] is not None else given[3]
    out.append(_filled(text, plain, at, len(text), values))
    return "".join(out)


def _filled(text: str, plain: str, start: int, end: int, values: dict[str, str]) -> str:
    """`$(v)` outside quotes as the name or number it stands for, where there is room for it."""

    def put(found: re.Match[str]) -> str:
        value = values.get(found[1].lower(), "")
        fits = re.fullmatch(r"[\w.]+", value) is not None and len(value) <= len(found[0])
        in_code = plain.startswith("$(", start + found.start())
        return value.ljust(len(found[0])) if fits and in_code else found[0]

    return _VARIABLE.sub(put, text[start:end])


# ------------------------------------------------------------------ mysql

_MYSQL_SIGNS = re.compile(
    r"\\[gG]|^[ \t]*(?:tee|notee|pager|nopager|prompt|warnings|nowarning|status)\b",
    re.MULTILINE | re.IGNORECASE,
)
_MYSQL_LINE = re.compile(
    r"[ \t]*(?:(?:tee|pager|prompt)[ \t]+[^\n;=(]*|notee|nopager|pager|warnings|nowarning|status)"
    r"[ \t]*;?[ \t]*\r?$",
    re.MULTILINE | re.IGNORECASE,
)


def _mysql(text: str, quoted: Spans) -> str:
    plain = _plain(text, quoted)
    out = list(text)
    for found in re.finditer(r"\\[gG]", plain):
        out[found.start()], out[found.start() + 1] = ";", " "
    begins = True
    at = 0
    for line in plain.splitlines(keepends=True):
        if begins and _MYSQL_LINE.match(plain, at, at + len(line)):
            out[at : at + len(line)] = _blank(line)
        elif line.strip():
            begins = line.rstrip().endswith((";", "\\g", "\\G"))
        at += len(line)
    return "".join(out)


# ------------------------------------------------------------------ SQL*Plus

_SETTINGS = (
    "appi(?:nfo)?|array(?:size)?|auto(?:commit)?|autop(?:rint)?|autot(?:race)?|colsep|con(?:cat)?|"
    "copyc(?:ommit)?|def(?:ine)?|echo|emb(?:edded)?|esc(?:ape)?|feed(?:back)?|flu(?:sh)?|"
    "hea(?:ding)?|heads(?:ep)?|lin(?:esize)?|long|longc(?:hunksize)?|mark(?:up)?|newp(?:age)?|"
    "null|numf(?:ormat)?|num(?:width)?|pages(?:ize)?|pau(?:se)?|serverout(?:put)?|sqlblanklines|"
    "sqlp(?:rompt)?|sqlt(?:erminator)?|tab|term(?:out)?|ti(?:me)?|timi(?:ng)?|trim(?:out)?|"
    "trims(?:pool)?|und(?:erline)?|ver(?:ify)?|wra(?:p)?"
)
_SQLPLUS_LINE = re.compile(
    rf"[ \t]*(?:set[ \t]+(?:{_SETTINGS})\b|(?:spo(?:ol)?|col(?:umn)?|bre(?:ak)?|comp(?:ute)?|"
    r"tti(?:tle)?|bti(?:tle)?|reph(?:eader)?|repf(?:ooter)?|pro(?:mpt)?|rem(?:ark)?|whenever|"
    r"def(?:ine)?|undef(?:ine)?|acc(?:ept)?|pau(?:se)?|cl(?:ear)?|timi(?:ng)?|var(?:iable)?|"
    r"print|sho(?:w)?|exit|quit|discon(?:nect)?)(?=[ \t;\r\n]|$))[^\n]*",
    re.IGNORECASE,
)
# After these words of SQL*Plus a sign follows that PL/SQL has, too: `print(x);`, `show := 1`.
_CODE = re.compile(r"[ \t]*\w+[ \t]*(?:\(|:=|\.)")
_BLOCK = re.compile(
    r"\s*(?:begin|declare|<<|with\s+(?:function|procedure)|create\s+(?:or\s+replace\s+)?"
    r"(?:(?:non)?editionable\s+)?(?:function|procedure|package|trigger|type|library))\b",
    re.IGNORECASE,
)
_SQLPLUS_SIGNS = re.compile(
    rf"^(?:[ \t]*/[ \t]*\r?$|{_SQLPLUS_LINE.pattern})", re.MULTILINE | re.IGNORECASE
)
_VERB = re.compile(
    r"\s*(?:select|with|insert|update|delete|merge|create|alter|drop|truncate|begin|declare|commit|"
    r"rollback|grant|revoke|explain|lock|comment|call|exec|execute)\b|\s*$",
    re.IGNORECASE,
)


def _sqlplus(text: str, quoted: Spans) -> str:
    plain = _plain(text, quoted)
    out = list(text)
    begins, block = True, False
    at = 0
    for line in plain.splitlines(keepends=True):
        end = at + len(line)
        if begins and _SQLPLUS_LINE.match(line) and not _CODE.match(line):
            out[at:end] = _blank(text[at:end])
        elif line.strip() == "/":
            if not block and (begins or _next_is_verb(plain, end)):
                slash = at + line.index("/")
                out[slash] = " " if begins else ";"
                begins = True
            begins, block = begins or block, False
        elif line.strip():
            if begins:
                block = _BLOCK.match(plain, at) is not None
            begins = not block and line.rstrip().endswith(";")
        at = end
    return "".join(out)


def _next_is_verb(plain: str, at: int) -> bool:
    """Whether a statement, a command or nothing more follows: then a `/` does not divide."""
    while at < len(plain) and plain[at].isspace():
        at += 1
    return _VERB.match(plain, at) is not None or _SQLPLUS_LINE.match(plain, at) is not None
