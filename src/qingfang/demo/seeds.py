"""The demo under many plans of attempts: `python -m qingfang.demo.seeds` (`make demo-seeds`).

Plays each plan headless, one after another, and prints a table. The exit code is 1 when one of them
did not come out as it must (`summary.well`).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qingfang.demo import performance, summary
from qingfang.demo.stage import default_folder
from qingfang.language import _

_ROW = "{:>6} {:>10} {:>9} {:>9} {:>9} {:>6} {:>8}  {}"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def row(plan: int, found: Mapping[str, Any]) -> str:
    """One line of the table: attempts caught and approved statistics passed, out of how many."""
    attempts, granted = found["attempts"], found["granted"]
    times = [a["seconds_to_alert"] for a in attempts if a["seconds_to_alert"] is not None]
    missed = [a["technique"] for a in attempts if not a["caught"]]
    missed += [g["technique"] for g in granted if not g["passed"]]
    return _ROW.format(
        plan,
        found["statements"],
        f"{sum(a['caught'] for a in attempts)}/{len(attempts)}",
        f"{sum(g['passed'] for g in granted)}/{len(granted)}",
        len(found["unexpected_alerts"]),
        found["lost"],
        f"{max(times):.2f}" if times else "-",
        _("好") if summary.well(found) else _("不好：{}").format(" ".join(missed) or "-"),
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="qingfang.demo.seeds")
    parser.add_argument("--plans", type=int, default=10, help="how many plans, from 1")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--port", type=int, default=8600)
    parser.add_argument("--folder", type=Path, default=default_folder())
    given = parser.parse_args()
    titles = ("种子", "语句", "发现", "放行", "多余", "丢失", "最迟秒", "结果")
    print(_ROW.format(*titles), flush=True)
    good = True
    for plan in range(1, given.plans + 1):
        found = performance.headless(
            given.folder, given.seconds, plan, _say, scale=given.scale, port=given.port
        )
        print(row(plan, found), flush=True)
        for unexpected in found["unexpected_alerts"]:
            _say(_("多余的告警：{}").format(unexpected))
        good = good and summary.well(found)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
