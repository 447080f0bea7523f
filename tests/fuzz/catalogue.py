"""Hostile catalogues: one is taken whole, or refused by a `CatalogueError` that says where."""

import json
import random
from pathlib import Path

from qingfang.understand import catalogue
from tests.fuzz import _mutate

_FIXTURES = Path(__file__).parents[1] / "understand/fixtures"
_WHOLE = json.loads((_FIXTURES / "his.json").read_text(encoding="utf-8"))
_SMALL = {
    **_WHOLE,
    "tables": {
        name: body
        for name, body in _WHOLE["tables"].items()
        if {"usage_when", "open_when", "item_kind"} & set(body)
    },
    "services": [{"program": "医保上传", "operator": None, "tables": ["t"], "why": "上传"}],
    "operators": [],
}
_SMALL["operators"] = [
    {"table": next(iter(_SMALL["tables"])), "column": "czygh", "on": "insert", "scope": "session"}
]


def attack(seed: int) -> None:
    rng = random.Random(seed)
    tree = _mutate.document(rng, _SMALL)
    try:
        loaded = catalogue.load(tree)
    except catalogue.CatalogueError as error:
        assert error.problem
        return
    for name in loaded.tables:
        assert loaded.table(name) is not None
