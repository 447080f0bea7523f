"""Only our own user may look into what we keep: rights of folders and files, repaired at each start.

Rules this module keeps:

1. Folders are 0700 and sockets and files have no right for others; group may read a file, no more.
   As root with the embedded database the way to it is 0711: its server runs as another user, who
   has to pass through and can list nothing.
2. What belongs to another user (that server's own folders), and the programs that it runs
   (`postgres.SHARED`, which is the usual `paths.state` too), stays as it is; links are not followed.
3. What was open is closed and named, never only closed: somebody may have read it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from qingfang import postgres
from qingfang.config import Config

_FOLDER: Final = 0o700
_PASSAGE: Final = 0o711
_FILE: Final = 0o640
_SOCKET: Final = 0o660


def close(config: Config) -> list[Path]:
    """Make the folders of a configuration where they are missing; close them and all below.
    Returns what was open to others. Raises OSError when a right of our own cannot be changed."""
    state, run = Path(config.paths.state), Path(config.paths.run)
    inner = state / "console"
    passage = os.geteuid() == 0 and config.console.database == "embedded"
    for folder in (state, run, state / "log", inner):
        folder.mkdir(parents=True, exist_ok=True, mode=_FOLDER)
    # The embedded server closes its own folders (`postgres.Server`).
    ways = {state, inner} if passage else set()
    found = [path for path in (state, run) if _closed(path, _PASSAGE if path in ways else _FOLDER)]
    for folder in (state, run):
        for path in _below(folder, inner / "postgres"):
            if path.is_dir():
                most = _PASSAGE if path in ways else _FOLDER
            else:
                most = _SOCKET if path.is_socket() else _FILE
            if _closed(path, most):
                found.append(path)
    if passage:
        for way in ways:
            way.chmod(_PASSAGE)
    return found


def _below(folder: Path, but: Path) -> Iterator[Path]:
    for entry in os.scandir(folder):
        path = Path(entry.path)
        if (
            entry.is_symlink()
            or path == but
            or (folder == postgres.SHARED and entry.name.startswith(postgres.OURS))
        ):
            continue
        yield path
        if entry.is_dir():
            yield from _below(path, but)


def _closed(path: Path, most: int) -> bool:
    """Take the rights beyond `most` away; whether there were any."""
    status = path.lstat()
    mode = stat.S_IMODE(status.st_mode)
    # Our own rights (a program's `x`, a file written once) are as they are.
    wanted = mode & (most | 0o700)
    if wanted == mode or status.st_uid != os.geteuid():
        return False
    path.chmod(wanted)
    return True
