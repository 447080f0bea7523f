"""`python -m qingfang.engine PART --config FILE`: one process of the house.

The supervisor (or a systemd unit) starts these; each part is a module of this package with a
coroutine `run(config, stopping, **arguments)`.
"""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

from qingfang import config as configuration
from qingfang.engine import process

PARTS = (
    *("ledger", "analyser", "judge", "notifier", "gateway", "tap"),
    *("spool", "shipper", "door"),
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="qingfang.engine")
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--parent", type=int, help="die when this process is gone")
    parser.add_argument("--name", help="the route or tap this process serves")
    parser.add_argument("--worker", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.parent is not None:
        process.die_with_parent(arguments.parent)
    config = configuration.read(arguments.config)
    module = importlib.import_module(f"qingfang.engine.{arguments.part}")
    more = {"name": arguments.name, "worker": arguments.worker} if arguments.name else {}
    process.run(lambda stopping: module.run(config, stopping, **more), arguments.part)


main()
