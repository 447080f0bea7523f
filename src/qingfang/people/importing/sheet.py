"""A table file as lines of text: CSV, and the workbooks that calamine reads (xlsx, xls, ods).

`read` opens workbooks in a process of its own (`python -m qingfang.people.importing.sheet`): a small
file can unfold to gigabytes, and must not take the console with it.

Rules this module keeps:

1. A cell that a spreadsheet would run as a formula stays out (`suspect`), in whichever form it comes;
   the apostrophe that our own exports put before one is taken off first.
2. Numbers come as they were typed (`1001`, not `1001.0`), days in ISO form.
3. Writing (`template`) makes every cell text: nothing runs, and no leading zero is lost.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import resource
import subprocess
import sys
from collections.abc import Iterable
from typing import Any, Final

import xlsxwriter
from django.utils.translation import gettext as _

LARGEST: Final = 10 * 1024 * 1024
MOST_LINES: Final = 50_000
MOST_COLUMNS: Final = 200
MEMORY: Final = 1024**3
TIMEOUT_S: Final = 60
_WORKBOOKS: Final = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_QUOTED: Final = ("=", "+", "-", "@", "\t", "\r")
"""What our own exports put an apostrophe before (`ui.tables`)."""
_FORMULA: Final = ("=", "@", "\t", "\r")

Lines = list[list[str]]


class Unreadable(ValueError):
    """The file is no table that can be read; the text says why and what to do."""


def suspect(text: str) -> bool:
    """Whether a spreadsheet would take this text for a formula. A sign before a digit is a number."""
    if text.startswith(_FORMULA):
        return True
    return text[:1] in ("+", "-") and not text[1:2].isdigit() and text != "-"


def read(data: bytes) -> list[Lines]:
    """The sheets of a file, each as its lines from the first. Raises `Unreadable`."""
    if not data:
        raise Unreadable(_("文件是空的。"))
    if len(data) > LARGEST:
        raise Unreadable(_("文件超过 10 MB。请只留需要的列，或分成几份。"))
    sheets = _workbook(data) if data.startswith(_WORKBOOKS) else [_csv(data)]
    for lines in sheets:
        if len(lines) > MOST_LINES:
            raise Unreadable(_("超过 %(most)s 行，请分成几份。") % {"most": MOST_LINES})
    return sheets


def _csv(data: bytes) -> Lines:
    for encoding in (
        "utf-8-sig",
        "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "gb18030",
    ):
        try:
            text = data.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        raise Unreadable(_("不是文本，也不是 Excel 文件。请另存为 xlsx 或 CSV。"))
    if "\x00" in text:
        raise Unreadable(_("不是文本，也不是 Excel 文件。请另存为 xlsx 或 CSV。"))
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(",\t;", key=first.count)
    lines: Lines = []
    try:
        for row in csv.reader(io.StringIO(text), delimiter=delimiter):
            lines.append([_plain(cell) for cell in row[:MOST_COLUMNS]])
    except csv.Error as error:
        raise Unreadable(
            _("CSV 第 %(line)s 行读不了：%(why)s") % {"line": len(lines) + 1, "why": error}
        ) from None
    return lines


def _workbook(data: bytes) -> list[Lines]:
    try:
        done = subprocess.run(
            [sys.executable, "-m", "qingfang.people.importing.sheet"],
            input=data,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        if done.returncode == 0:
            return json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        pass
    raise Unreadable(
        _(
            "打不开这个 Excel 文件：可能加了密码、已损坏或太大。请去掉密码，"
            "删去多余的空行空列，另存为 xlsx 或 CSV。"
        )
    )


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, dt.datetime):
        return value.date().isoformat() if value.time() == dt.time() else value.isoformat(" ")
    if isinstance(value, dt.date):
        return value.isoformat()
    text = str(value).replace("\u00a0", " ").replace("\u3000", " ").strip()
    return text[1:] if text[:1] == "'" and text[1:2] in _QUOTED else text


def template(columns: Iterable[tuple[str, str]], caption: str) -> bytes:
    """A workbook with these headings and below each, on a second sheet, how it is filled in."""
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True, "strings_to_formulas": False})
    text = book.add_format({"num_format": "@"})
    head = book.add_format({"num_format": "@", "bold": True, "bg_color": "#dbe7f6"})
    wrapped = book.add_format({"num_format": "@", "text_wrap": True, "valign": "top"})
    first, second = book.add_worksheet(caption), book.add_worksheet(_("填写说明"))
    second.set_column(0, 0, 16, wrapped)
    second.set_column(1, 1, 90, wrapped)
    for n, (heading, hint) in enumerate(columns):
        first.set_column(n, n, 18, text)
        first.write_string(0, n, heading, head)
        second.write_string(n, 0, heading, wrapped)
        second.write_string(n, 1, hint, wrapped)
    first.freeze_panes(1, 0)
    book.close()
    return out.getvalue()


def _child() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    import python_calamine

    sheets: list[Lines] = []
    try:
        book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(sys.stdin.buffer.read()))
        for name in book.sheet_names:
            sheet = book.get_sheet_by_name(name)
            rows = sheet.to_python(skip_empty_area=False, nrows=MOST_LINES + 1)
            sheets.append([[_plain(cell) for cell in row[:MOST_COLUMNS]] for row in rows])
    except (python_calamine.CalamineError, OSError, ValueError, MemoryError):
        sys.exit(1)
    json.dump(sheets, sys.stdout, ensure_ascii=True)


if __name__ == "__main__":
    _child()
