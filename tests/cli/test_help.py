"""Every command says what it is for, with an example."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from qingfang import cli

COMMANDS = cli.qingfang_command.list_commands(click.Context(cli.qingfang_command))


def test_every_file_is_a_command() -> None:
    files = {f.stem for f in Path(cli.__file__).parent.glob("[!_]*.py")}
    assert files == {name.replace("-", "_") for name in COMMANDS}


@pytest.mark.parametrize("name", [None, *COMMANDS])
def test_help_has_an_example(name: str | None) -> None:
    arguments = [name, "--help"] if name else ["--help"]
    result = CliRunner().invoke(cli.qingfang_command, arguments)
    assert result.exit_code == 0
    if name:
        assert f"qingfang {name}" in result.output.split("示例", 1)[1]
