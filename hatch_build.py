"""Build hook of the wheel: compiles the hot modules with mypyc when asked to.

`QINGFANG_COMPILED=1` compiles what `[tool.qingfang] compiled` in pyproject.toml lists and puts the
extensions beside their sources in the wheel. Without it (or without a C compiler) the same files
are carried as plain Python. The checkout itself is never written to: an extension lying beside an
edited source would silently run the old one.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CustomBuildHook(BuildHookInterface):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if os.environ.get("QINGFANG_COMPILED") != "1":
            return
        root = Path(self.root)
        modules = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
        names = modules["tool"]["qingfang"]["compiled"]
        self._folder = tempfile.mkdtemp(prefix="qingfang-mypyc-")
        built = compile_modules(root / "src", names, Path(self._folder))
        for file in built:
            build_data["force_include"][str(file)] = str(file.relative_to(self._folder + "/lib"))
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        folder = getattr(self, "_folder", None)
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


def compile_modules(source: Path, names: list[str], folder: Path) -> list[Path]:
    """Compile `names` (paths below `source`) in a copy; return the extensions, below `folder`/lib."""
    from mypyc.build import mypycify
    from setuptools import Distribution

    work = folder / "src"
    shutil.copytree(source, work, ignore=shutil.ignore_patterns("__pycache__", "*.so", "static"))
    before = Path.cwd()
    os.chdir(work)
    try:
        # Types of what the compiled modules import are checked by pyright; here they may be Any.
        options = ["--ignore-missing-imports", "--follow-imports=silent", "--no-warn-no-return"]
        extensions = mypycify([*options, *names], opt_level="3", debug_level="0")
        distribution = Distribution({"name": "qingfang", "ext_modules": extensions})
        command = distribution.get_command_obj("build_ext")
        command.build_lib = str(folder / "lib")
        command.build_temp = str(folder / "temp")
        command.ensure_finalized()
        command.run()
    finally:
        os.chdir(before)
    return sorted((folder / "lib").rglob("*.so"))


if __name__ == "__main__":
    where = Path(sys.argv[1])
    print(*compile_modules(Path("src"), sys.argv[2:], where), sep="\n")
