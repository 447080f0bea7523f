"""Catalogue files, read for the processes: what is wrong is named with file, line and key."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from qingfang.config import Config, ConfigError
from qingfang.language import _
from qingfang.understand import catalogue
from qingfang.understand.catalogue import Catalogue, CatalogueError, split_name


class Unusable(ValueError):
    """`line` is 1-based, None when unknown; `key` the path of the key, empty for the file."""

    def __init__(self, file: Path, line: int | None, key: str, problem: str) -> None:
        where = f"{file}:{line}" if line else str(file)
        super().__init__(f"{where}: {key}: {problem}" if key else f"{where}: {problem}")
        self.file, self.line, self.key, self.problem = file, line, key, problem


def read(file: Path) -> Catalogue:
    """The checked catalogue of a file. Raises `Unusable`."""
    try:
        return load(file, file.read_bytes())
    except OSError as error:
        problem = _("读不了目录文件（{}）；由 qingfang discover 生成").format(error.strerror)
        raise Unusable(file, None, "", problem) from None


def load(file: Path, data: bytes) -> Catalogue:
    """The same of what was read from `file`. Raises `Unusable`."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        problem = _("不是 UTF-8 文本（第 {} 字节）").format(error.start)
        raise Unusable(file, None, "", problem) from None
    try:
        return catalogue.load(json.loads(text))
    except json.JSONDecodeError as error:
        problem = _("不是完整的 JSON：{}").format(error.msg)
        raise Unusable(file, error.lineno, "", problem) from None
    except CatalogueError as error:
        raise Unusable(file, _line_of(text, error.path), error.path, error.problem) from None


def with_procedure(file: Path, name: str, source: str) -> str:
    """The text of a catalogue file with one more procedure in it, or another source of it. Raises
    `Unusable`."""
    read(file)
    tree = json.loads(file.read_bytes())
    same = split_name(name)
    kept = {n: s for n, s in tree.get("procedures", {}).items() if split_name(n) != same}
    changed = {**tree, "procedures": {**kept, name: source}}
    text = json.dumps(changed, ensure_ascii=False, indent=1) + "\n"
    load(file, text.encode())
    return text


def put_procedure(file: Path, name: str, source: str) -> None:
    """Write a procedure's source into a catalogue file, in one step; the analyser takes the file up
    within a second. Raises `Unusable`, `OSError`."""
    text = with_procedure(file, name, source)
    fresh = file.with_name(f"{file.name}.new")
    with fresh.open("w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    fresh.chmod(file.stat().st_mode & 0o777)
    fresh.replace(file)


def _line_of(text: str, path: str) -> int | None:
    """The line of a key like `tables.public.rx.columns.doctor`, whose parts may hold dots."""
    at, rest = 0, path
    while rest:
        parts = rest.split(".")
        for count in range(len(parts), 0, -1):
            name = re.escape(json.dumps(".".join(parts[:count]), ensure_ascii=False))
            found = re.compile(rf"{name}\s*:").search(text, at)
            if found:
                at, rest = found.end(), ".".join(parts[count:])
                break
        else:
            break
    return text.count("\n", 0, at) + 1 if at else None


def changed(database: str, count: int, shown: str) -> str:
    """What is said of a database whose structure is no longer the confirmed one; `shown` are some
    of the objects."""
    return _(
        "数据库 {} 有 {} 处结构与确认过的目录不同（{}），要有人确认；在此之前，涉及新对象的语句读不懂"
    ).format(database, count, shown)


def check(config: Config, file: Path) -> None:
    """Read every catalogue of a configuration, which is in `file`. Raises `ConfigError`."""
    for number, database in enumerate(config.database):
        try:
            read(Path(database.catalogue))
        except Unusable as problem:
            raise ConfigError(file, None, f"database[{number}].catalogue", str(problem)) from None
