"""Catalogue files, read for the processes: what is wrong is named with file, line and key.

Beside `NAME.json` lies `NAME.sources.json`, the sources of procedures that persons settled, by name:
whoever replaces the catalogue by a new reading of the database leaves them. They count where the
catalogue has no source of its own, which is the database's own word.
"""

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
        return load(file, whole(file))
    except OSError as error:
        problem = _("读不了目录文件（{}）；由 qingfang discover 生成").format(error.strerror)
        raise Unusable(file, None, "", problem) from None


def sources_file(file: Path) -> Path:
    return file.with_name(f"{file.stem}.sources.json")


def whole(file: Path) -> bytes:
    """The text of a catalogue file with the settled sources in it. Raises `Unusable`, OSError."""
    data, kept = file.read_bytes(), settled(file)
    if not kept:
        return data
    load(file, data)
    tree = json.loads(data)
    own = {split_name(name) for name in tree.get("procedures", {})}
    more = {name: source for name, source in kept.items() if split_name(name) not in own}
    tree["procedures"] = {**tree.get("procedures", {}), **more}
    return json.dumps(tree, ensure_ascii=False).encode()


def settled(file: Path) -> dict[str, str]:
    """The settled sources beside a catalogue file, by name. Raises `Unusable`, OSError."""
    beside = sources_file(file)
    try:
        found = json.loads(beside.read_bytes())
    except FileNotFoundError:
        return {}
    except json.JSONDecodeError as error:
        problem = _("不是完整的 JSON：{}").format(error.msg)
        raise Unusable(beside, error.lineno, "", problem) from None
    except UnicodeDecodeError as error:
        problem = _("不是 UTF-8 文本（第 {} 字节）").format(error.start)
        raise Unusable(beside, None, "", problem) from None
    if not isinstance(found, dict) or not all(isinstance(one, str) for one in found.values()):
        raise Unusable(beside, None, "", _("应为一个 JSON 对象：过程名对应源代码"))
    return found


def mark(file: Path) -> tuple[int, ...]:
    """What changes when the catalogue or the sources beside it do. Raises OSError."""
    status = file.stat()
    found = (status.st_ino, status.st_mtime_ns, status.st_size)
    try:
        status = sources_file(file).stat()
    except FileNotFoundError:
        return found
    return (*found, status.st_ino, status.st_mtime_ns, status.st_size)


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
    """Keep a procedure's source, in one step; the analyser takes it up within a second. Where the
    catalogue has another source of it, that one is replaced, otherwise it goes beside the catalogue.
    Raises `Unusable`, `OSError`."""
    text = with_procedure(file, name, source)
    same = split_name(name)
    if any(split_name(one) == same for one in json.loads(file.read_bytes()).get("procedures", {})):
        _replace(file, text, file.stat().st_mode & 0o777)
        return
    kept = {one: text for one, text in settled(file).items() if split_name(one) != same}
    kept[name] = source
    text = json.dumps(kept, ensure_ascii=False, indent=1) + "\n"
    _replace(sources_file(file), text, file.stat().st_mode & 0o777)


def _replace(file: Path, text: str, mode: int) -> None:
    fresh = file.with_name(f"{file.name}.new")
    with fresh.open("w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    fresh.chmod(mode)
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
