"""The rule that is usually sold: a sensitive table is named, and something is added up."""

from __future__ import annotations

import re
from functools import cache

from qingfang.bench.recognition.fixtures import Case
from qingfang.bench.recognition.schema import schema

_ADDS = re.compile(
    r"\b(sum|count|avg|min|max|listagg|string_agg|group_concat|group\s+by)\b", re.IGNORECASE
)


@cache
def _sensitive(dialect: str) -> re.Pattern[str]:
    of = schema(dialect)
    names = [t.name.rsplit(".", maxsplit=1)[-1] for t in of.tables.values() if t.kind == "usage"]
    names += [name.rsplit(".", maxsplit=1)[-1] for name in of.histories]
    return re.compile("|".join(re.escape(name) for name in names), re.IGNORECASE)


def flags(case: Case) -> bool:
    """Whether the keyword rule alarms at any of the case's statements."""
    return any(
        _sensitive(case.dialect).search(step.sql) and _ADDS.search(step.sql) for step in case.steps
    )
