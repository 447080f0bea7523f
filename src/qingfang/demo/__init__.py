"""The synthetic hospital that `qingfang demo` and many tests run on. All of it is invented: 合成数据.

How the parts fit:

- `names`, `hospital` (with `schema.sql`, `keys.sql`): `facts(seed)` is the hospital without a
  database, `ensure(dsn, seed=…, until=…)` a database full of its work.
- `catalogue.json`: what its tables mean, complete and confirmed by hand, as an installation's
  catalogue would be after `qingfang discover` and its review. `catalogue()` reads it.
- `people`: who and what the hospital has declared: persons, terminals, designations, services and
  grants, under the field names of the judge's snapshot.
- `line`, `client`: real drivers that reach the gateway from a terminal's own address.
- `attempts`: the plan of attempts at usage figures and of approved statistics.
- `workload`: a process that plays a day. It gets an `Order` on standard input and tells what it did
  on standard output; the plan is known to nobody else.
- `summary`: compares what was played with what the ledger holds.

Who starts all this: one process makes the database (`hospital.ensure`, `hospital.open_to`), hands
`catalogue()` and `people.cast` to the engine as any installation's, starts `workload`, and in the end
gives its records and the ledger's events to `summary.summarise`.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any


def catalogue() -> dict[str, Any]:
    """The hospital's catalogue, in the format of docs/contracts/explain.md."""
    return json.loads((files("qingfang.demo") / "catalogue.json").read_text(encoding="utf-8"))
