"""Hostile policies: one is taken whole, or refused by a `PolicyError`; what is taken decides every
case, and never denies where only looking is allowed."""

import random

from qingfang.judge import policy
from tests.fuzz import _mutate

_TEXT = """
[change.self]
enforce = "alert"
severity = 2

[[rule]]
name = "a-ward-of-its-own"
disclosure = ["usage"]
grain = ["department"]
basis = ["designated"]
observe = "log"
enforce = "log"
severity = 0

[tools]
database = ["navicat", "plsqldev"]

[limits]
bulk_rows = 500
"""
_BITS = (
    *('"', "'", "[", "]", "[[", "]]", "=", "\n", "#", ".", ",", "{", "}", "\\", "\\u0000", "-1"),
    *("1", "1.5", "true", "inf", "deny", "mask", "rule", "change", "severity", "[change.x]\n"),
    *('"""', "\r", "\x00", "药", "2026-11-23", "[" * 3000),
)
_CASES = [
    policy.Case(disclosure=disclosure, basis=basis)
    for disclosure in ("none", "clinical", "usage", "opaque")
    for basis in ("grant", "none")
]


def attack(seed: int) -> None:
    rng = random.Random(seed)
    text = _mutate.text(rng, _TEXT, _BITS)
    try:
        taken = policy.read(text)
    except policy.PolicyError as error:
        assert str(error).startswith("policy.toml")
        return
    for case in _CASES:
        assert taken.rule(case).observe not in ("deny", "mask")
