"""What the databases' text functions give for known arguments: facts about built-in functions.

A text that is run as SQL is often put together on the way (`chr`, `||`, `decode`, `format`); so is
the value a column is compared with.

Rules this module keeps:

1. A function that is not exactly known here, or whose result depends on a setting, gives None.
2. Bytes have the text form of PostgreSQL's `bytea`, `\\x` and hexadecimal digits.
3. No result is longer than `MAX_TEXT`, whatever `repeat` or `lpad` ask for.
4. No pattern of the sender's is run (`regexp_replace`): it could take for ever.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re
from collections.abc import Callable

from sqlglot import exp

MAX_TEXT = 262_144

# Schemas and packages whose functions are the server's own.
OWN_SCHEMAS = frozenset({"pg_catalog", "sys", "utl_raw", "utl_encode", "utl_i18n"})

Given = dict[str, list[str]]
"""The arguments' texts by the names the parser gives them."""


def named_functions() -> frozenset[str]:
    """The names of the functions that `computed` knows by name."""
    return frozenset(_BY_NAME)


def computed(node: exp.Expr, given: Given) -> str | None:
    """The value of a function or operator of known texts; None when it is not one known here."""
    try:
        found = _computed(node, given)
    except (ValueError, IndexError, KeyError, LookupError, OverflowError):
        return None
    return found if found is None or len(found) <= MAX_TEXT else None


def _computed(node: exp.Expr, given: Given) -> str | None:
    if isinstance(node, exp.Anonymous):
        by_name = _BY_NAME.get(node.name.lower())
        return by_name(given.get("expressions", [])) if by_name is not None else None
    if isinstance(node, (exp.Trim, exp.Pad)):
        return _trimmed(node, given) if isinstance(node, exp.Trim) else _padded(node, given)
    if isinstance(node, exp.Div):
        return _divided(node, given)
    known = _BY_NODE.get(type(node))
    if known is None:
        return None
    names, function = known
    return function([text for name in names for text in given.get(name, [])])


def joined(node: exp.Expr, parts: list[str]) -> str | None:
    """A chain of `a || b || c`, or of `a + b + c`, which adds numbers and (T-SQL) joins texts."""
    if not isinstance(node, exp.Add):
        whole = "".join(parts)
        return whole if len(whole) <= MAX_TEXT else None
    total = parts[0]
    for part in parts[1:]:
        left, right = number(total), number(part)
        total = total + part if left is None or right is None else _plain(left + right)
        if len(total) > MAX_TEXT:
            return None
    return total


def number(text: str | None, factor: float | None = 1.0) -> float | None:
    """A text as a number; None when it is none."""
    if text is None or factor is None:
        return None
    try:
        return float(text) * factor
    except ValueError:
        return None


def _plain(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else str(value)


def _arithmetic(sign: str) -> Callable[[list[str]], str | None]:
    def work(args: list[str]) -> str | None:
        left, right = number(args[0]), number(args[1])
        if left is None or right is None:
            return None
        return _plain(left - right if sign == "-" else left * right)

    return work


def _divided(node: exp.Div, given: Given) -> str | None:
    """Oracle's division, which keeps the fraction (`1/86400` of a day). Elsewhere whole numbers, or
    the column's scale, decide what is left of it."""
    left, right = number(given["this"][0]), number(given["expression"][0])
    if node.args.get("typed") or node.args.get("safe") or left is None or not right:
        return None
    return _plain(left / right)


# ------------------------------------------------------------------ texts


def _substring(args: list[str]) -> str | None:
    start = int(args[1])
    if start < 1:
        return None
    if len(args) < 3:
        return args[0][start - 1 :]
    return args[0][start - 1 : start - 1 + max(0, int(args[2]))]


def _left(args: list[str]) -> str:
    return args[0][: int(args[1])] if int(args[1]) >= 0 else args[0][: int(args[1]) or None]


def _right(args: list[str]) -> str:
    size = int(args[1])
    return args[0][-size:] if size > 0 else args[0][-size:] if size < 0 else ""


def _repeated(args: list[str]) -> str | None:
    times = max(0, int(args[1]))
    return args[0] * times if len(args[0]) * times <= MAX_TEXT else None


def _padded(node: exp.Pad, given: Given) -> str | None:
    text, size = given["this"][0], int(given["expression"][0])
    fill = given.get("fill_pattern", [" "])[0]
    if size > MAX_TEXT or not fill:
        return None
    more = (fill * size)[: max(0, size - len(text))]
    return (more + text if node.args.get("is_left") else text + more)[:size]


def _trimmed(node: exp.Trim, given: Given) -> str:
    text = given["this"][0]
    chars = given["expression"][0] if given.get("expression") else " "
    side = str(node.args.get("position") or "BOTH").upper()
    if side == "LEADING":
        return text.lstrip(chars)
    return text.rstrip(chars) if side == "TRAILING" else text.strip(chars)


def _translated(args: list[str]) -> str:
    text, old, new = args
    table = {
        ord(char): new[at] if at < len(new) else None for at, char in reversed([*enumerate(old)])
    }
    return text.translate(table)


def _overlaid(args: list[str]) -> str:
    text, new, start = args[0], args[1], int(args[2])
    size = int(args[3]) if len(args) > 3 else len(new)
    return text[: start - 1] + new + text[start - 1 + size :]


def _stuffed(args: list[str]) -> str:
    return _overlaid([args[0], args[3], args[1], args[2]])


def _split_part(args: list[str]) -> str:
    parts = args[0].split(args[1])
    at = int(args[2])
    return parts[at - 1 if at > 0 else at] if 0 < abs(at) <= len(parts) else ""


def _characters(args: list[str]) -> str:
    return "".join(chr(int(code)) for code in args)


def _formatted(args: list[str]) -> str | None:
    """PostgreSQL's `format`: `%s`, `%I`, `%L` in order or by number, and `%%`."""
    rest = iter(args[1:])
    out: list[str] = []
    for plain, place, kind in re.findall(r"([^%]+)|%(?:(\d+)\$)?([sIL%])", args[0]):
        if plain or kind == "%":
            out.append(plain or "%")
            continue
        text = args[int(place)] if place else next(rest, None)
        if text is None:
            return None
        out.append(text if kind == "s" else _identifier([text]) if kind == "I" else _quoted([text]))
    rebuilt = re.sub(r"[^%]+|%(?:\d+\$)?[sIL%]", "", args[0])
    return "".join(out) if not rebuilt else None


def _identifier(args: list[str]) -> str:
    text = args[0]
    return text if re.fullmatch(r"[a-z_][a-z0-9_$]*", text) else '"' + text.replace('"', '""') + '"'


def _quoted(args: list[str]) -> str:
    return "'" + args[0].replace("'", "''") + "'"


def _unistr(args: list[str]) -> str:
    return unescaped(args[0], "\\")


_UNICODE = re.compile(
    r"(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|\+([0-9A-Fa-f]{6})|([0-9A-Fa-f]{4}))"
)


def unescaped(text: str, mark: str) -> str:
    """`\\0041` and its like as characters: `U&'…'` and `unistr`. The mark twice is itself."""
    out: list[str] = []
    at = 0
    while at < len(text):
        if text[at] != mark:
            out.append(text[at])
            at += 1
            continue
        if text.startswith(mark, at + 1):
            out.append(mark)
            at += 2
            continue
        found = _UNICODE.match(text, at + 1)
        if found is None:
            out.append(mark)
            at += 1
            continue
        out.append(chr(int(next(group for group in found.groups() if group), 16)))
        at = found.end()
    return "".join(out)


# ------------------------------------------------------------------ bytes


def text_of(raw: bytes) -> str | None:
    """Bytes as text, as UTF-8 or (every second byte zero) as UTF-16; None when they are neither."""
    wide = len(raw) > 1 and len(raw) % 2 == 0 and not any(raw[1::2])
    try:
        return raw.decode("utf-16-le" if wide else "utf-8")
    except UnicodeDecodeError:
        return None


def _bytes(text: str) -> bytes:
    """The bytes that a `bytea` in text form stands for."""
    if text[:2] in {"\\x", "\\X"}:
        return bytes.fromhex(text[2:])
    parts = re.split(rb"\\(\\|[0-3][0-7]{2})", text.encode())
    escaped = [part if n % 2 == 0 else b"" for n, part in enumerate(parts)]
    for n in range(1, len(parts), 2):
        escaped[n] = b"\\" if parts[n] == b"\\" else bytes([int(parts[n], 8)])
    return b"".join(escaped)


def _bytea(raw: bytes) -> str:
    return "\\x" + raw.hex()


def _decoded(args: list[str]) -> str | None:
    text, form = args[0], args[1].lower()
    if form == "hex":
        return _bytea(bytes.fromhex(text))
    if form in {"base64", "base64url"}:
        return _bytea(_from_base64(text))
    return _bytea(_bytes(text)) if form == "escape" else None


def _encoded(args: list[str]) -> str | None:
    raw, form = _bytes(args[0]), args[1].lower()
    if form == "hex":
        return raw.hex()
    if form == "base64":
        return base64.b64encode(raw).decode()
    return raw.decode("latin-1") if form == "escape" and raw.isascii() else None


def _from_base64(text: str) -> bytes:
    plain = re.sub(r"\s", "", text).replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except binascii.Error:
        raise ValueError(text) from None


def _codec(name: str) -> str:
    plain = name.lower().replace("-", "").replace("_", "")
    known = {"sqlascii": "latin-1", "euccn": "gb2312", "unicode": "utf-8"}
    return codecs.lookup(known.get(plain, re.sub(r"^win(?=\d)", "cp", plain))).name


def _converted_from(args: list[str]) -> str:
    return _bytes(args[0]).decode(_codec(args[1]))


def _converted_to(args: list[str]) -> str:
    return _bytea(args[0].encode(_codec(args[1])))


def _plain_bytes(args: list[str]) -> str | None:
    """The other databases do not tell bytes from text: both are the text."""
    return text_of(bytes.fromhex(args[0]))


def _plain_base64(args: list[str]) -> str | None:
    return text_of(_from_base64(args[0]))


def _itself(args: list[str]) -> str:
    return args[0]


# The arguments' names in the order in which the function here takes them.
_BY_NODE: dict[type[exp.Expr], tuple[tuple[str, ...], Callable[[list[str]], str | None]]] = {
    exp.Concat: (("expressions",), "".join),
    exp.ConcatWs: (("expressions",), lambda a: a[0].join(a[1:])),
    exp.Coalesce: (("this", "expressions"), _itself),
    exp.Chr: (("expressions",), _characters),
    exp.Upper: (("this",), lambda a: a[0].upper()),
    exp.Lower: (("this",), lambda a: a[0].lower()),
    exp.Initcap: (("this",), lambda a: re.sub(r"[^\W_]+", lambda w: w[0].capitalize(), a[0])),
    exp.Reverse: (("this",), lambda a: a[0][::-1]),
    exp.Replace: (
        ("this", "expression", "replacement"),
        lambda a: a[0].replace(a[1], a[2] if len(a) > 2 else "") if a[1] else a[0],
    ),
    exp.Translate: (("this", "from_", "to"), _translated),
    exp.Substring: (("this", "start", "length"), _substring),
    exp.Left: (("this", "expression"), _left),
    exp.Right: (("this", "expression"), _right),
    exp.Repeat: (("this", "times"), _repeated),
    exp.Space: (("this",), lambda a: _repeated([" ", a[0]])),
    exp.Overlay: (("this", "expression", "from_", "for_"), _overlaid),
    exp.Stuff: (("this", "start", "length", "expression"), _stuffed),
    exp.SplitPart: (("this", "delimiter", "part_index"), _split_part),
    exp.Format: (("this", "expressions"), _formatted),
    exp.Decode: (("this", "charset"), _decoded),
    exp.Encode: (("this", "charset"), _encoded),
    exp.Unhex: (("this",), _plain_bytes),
    exp.FromBase64: (("this",), _plain_base64),
    exp.Neg: (("this",), lambda a: a[0][1:] if a[0].startswith("-") else "-" + a[0]),
    exp.Sub: (("this", "expression"), _arithmetic("-")),
    exp.Mul: (("this", "expression"), _arithmetic("*")),
}
_BY_NAME: dict[str, Callable[[list[str]], str | None]] = {
    "convert_from": _converted_from,
    "convert_to": _converted_to,
    "quote_ident": _identifier,
    "quote_literal": _quoted,
    "unistr": _unistr,
    "nchar": _characters,
    "textcat": "".join,
    "hextoraw": _plain_bytes,
    "cast_to_varchar2": _itself,
    "cast_to_nvarchar2": _itself,
    "cast_to_raw": _itself,
    "base64_decode": _plain_base64,
    "decode": _decoded,
    "encode": _encoded,
}
