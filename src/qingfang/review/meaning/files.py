"""The catalogue of a database and its review, as files; and the steps that can be undone."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from qingfang.config import Config, Database
from qingfang.engine import catalogues
from qingfang.understand.discovery.confirming import Undo

STEPS: Final = 20
"""How many decisions of a database can be taken back, the last first."""


class Standing(Struct, frozen=True):
    """What the files say now; `digest` tells whether they are still the same."""

    tree: dict[str, Any]
    text: str
    digest: str


def review_file(database: Database) -> Path:
    catalogue = Path(database.catalogue)
    return catalogue.with_name(f"{catalogue.stem}.review.txt")


def read(database: Database) -> Standing:
    """Raises `catalogues.Unusable`, OSError."""
    file = Path(database.catalogue)
    data = file.read_bytes()
    catalogues.load(file, data)
    kept = review_file(database)
    text = kept.read_text(encoding="utf-8") if kept.exists() else ""
    digest = hashlib.sha256(data + b"\0" + text.encode()).hexdigest()
    return Standing(json.loads(data), text, digest)


def write(database: Database, tree: dict[str, Any], text: str) -> None:
    """Raises OSError."""
    _replace(review_file(database), text)
    _replace(Path(database.catalogue), json.dumps(tree, ensure_ascii=False, indent=1) + "\n")


def _replace(file: Path, text: str) -> None:
    mode = file.stat().st_mode & 0o777 if file.exists() else 0o640
    fresh = file.with_name(f"{file.name}.new")
    fresh.write_text(text, encoding="utf-8")
    fresh.chmod(mode)
    fresh.replace(file)


def _steps_file(config: Config, database: Database) -> Path:
    return Path(config.paths.state) / "catalogue-steps" / f"{database.name}.json"


def steps(config: Config, database: Database) -> list[Undo]:
    """What can be undone, the last first; none when the file is missing or from another version."""
    try:
        data = _steps_file(config, database).read_bytes()
        return msgspec.json.decode(data, type=list[Undo])
    except (OSError, msgspec.MsgspecError):
        return []


def keep_steps(config: Config, database: Database, kept: list[Undo]) -> None:
    """Raises OSError."""
    file = _steps_file(config, database)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _replace(file, msgspec.json.encode(kept[:STEPS]).decode())
