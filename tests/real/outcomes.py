"""A pytest plugin for the drivers' own suites: each test's outcome, and which tests to run.

`pytest -p outcomes`, in the drivers' environment (nothing of ours can be imported there).
`OUTCOMES` names the file to write, one JSON object a line: `test`, `outcome`, `why`. `ONLY`, when
set, names a file with the tests to run, one a line; all others are left out.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

WORST = ("error", "failed", "xpassed", "skipped", "xfailed", "passed")


class Outcomes:
    """What each test came to: the worst of its set-up, its call and its tear-down."""

    def __init__(self, file: Path, only: frozenset[str]) -> None:
        self._file = file
        self._only = only
        self._found: dict[str, tuple[str, str]] = {}

    @pytest.hookimpl(hookwrapper=True, trylast=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> Iterator[None]:
        yield
        if self._only:
            out = [item for item in items if item.nodeid not in self._only]
            config.hook.pytest_deselected(items=out)
            items[:] = [item for item in items if item.nodeid in self._only]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        outcome: str = report.outcome
        if hasattr(report, "wasxfail"):
            outcome = "xfailed" if report.skipped else "xpassed"
        elif report.failed and report.when != "call":
            outcome = "error"
        before = self._found.get(report.nodeid)
        if before is None or WORST.index(outcome) < WORST.index(before[0]):
            why = "" if report.passed else report.longreprtext or str(report.longrepr)
            self._found[report.nodeid] = outcome, why

    def pytest_sessionfinish(self) -> None:
        with self._file.open("w", encoding="utf-8") as out:
            for test, (outcome, why) in self._found.items():
                print(json.dumps({"test": test, "outcome": outcome, "why": why}), file=out)


def pytest_configure(config: pytest.Config) -> None:
    only = os.environ.get("ONLY")
    chosen = frozenset(Path(only).read_text("utf-8").splitlines()) if only else frozenset[str]()
    config.pluginmanager.register(Outcomes(Path(os.environ["OUTCOMES"]), chosen))
