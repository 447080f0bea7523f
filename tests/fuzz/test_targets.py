"""20,000 hostile inputs for every decoder; `make soak` goes on with other seeds."""

import importlib

import pytest

from tests.fuzz import TARGETS

INPUTS = 20_000


@pytest.mark.parametrize("target", TARGETS)
def test_twenty_thousand_inputs(target: str) -> None:
    attack = importlib.import_module(f"tests.fuzz.{target}").attack
    for seed in range(INPUTS):
        try:
            attack(seed)
        except BaseException as error:
            again = f"python -m tests.fuzz.soak 0 {target} {seed}"
            raise AssertionError(f"seed {seed}: {again}") from error
