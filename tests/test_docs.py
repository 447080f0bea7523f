"""What the documentation promises to list, it lists; and it speaks of the product alone."""

import re
import subprocess
import tomllib
from pathlib import Path

import click
import pytest

from qingfang import cli

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def test_every_command_is_documented() -> None:
    commands = cli.qingfang_command.list_commands(click.Context(cli.qingfang_command))
    missing = [name for name in commands if f"`qingfang {name}" not in page("commands.md")]
    assert missing == []


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    names = [re.split(r"[\[<>=;! ]", line)[0] for line in wanted]
    missing = [name for name in names if f"| {name} |" not in page("dependencies.md")]
    assert missing == []


def test_every_decision_is_in_the_index() -> None:
    index = page("decisions/README.md")
    files = [f.name for f in (DOCS / "decisions").glob("0*.md")]
    assert files
    assert [name for name in files if f"({name})" not in index] == []


def test_every_page_is_in_the_index() -> None:
    index = page("README.md")
    pages = [str(f.relative_to(DOCS)) for f in DOCS.rglob("*.md") if f.parent.name != "decisions"]
    assert [name for name in pages if name != "README.md" and f"({name})" not in index] == []


def tracked() -> list[Path]:
    out = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False
    ).stdout
    return [ROOT / name for name in out.decode().split("\0") if name]


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a git checkout")
def test_links_between_documents_lead_somewhere() -> None:
    broken = []
    for file in tracked():
        if file.suffix != ".md" or not file.exists() or "tests/data" in str(file):
            continue
        for target in re.findall(r"\]\(([^)#\s]+)", file.read_text(encoding="utf-8")):
            if not target.startswith(("http:", "https:")) and not (file.parent / target).exists():
                broken.append(f"{file.relative_to(ROOT)}: {target}")
    assert broken == []
