"""`qingfang …`: one file a command, found when it is asked for. No logic lives here.

A command `foo` is the click command named `command` in `qingfang/cli/foo.py` (`-` becomes `_`).
Exit codes: 0 done and well; 1 done, and something is wrong that the output names; 2 could not be
done (one line on standard error).
"""

from __future__ import annotations

import importlib
import logging
import sys
from pathlib import Path

import click

import qingfang
from qingfang.language import _


class Refused(click.ClickException):
    """The command could not be done; `message` says what is wrong, where, and what to do."""

    exit_code = 2

    def show(self, file=None) -> None:
        click.echo(_("错误：") + self.format_message(), err=True, file=file)


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        here = Path(__file__).parent
        return sorted(
            f.stem.replace("_", "-") for f in here.glob("*.py") if not f.stem.startswith("_")
        )

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"qingfang.cli.{cmd_name.replace('-', '_')}")
        return module.command


@click.group(cls=_Commands, help=_("清方：防统方与医药监管。"))
@click.version_option(qingfang.__version__, prog_name="qingfang")
def qingfang_command() -> None:
    pass


def main() -> None:
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    qingfang_command(prog_name="qingfang")
