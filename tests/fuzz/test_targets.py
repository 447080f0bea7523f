"""20,000 hostile inputs for every decoder, fewer where one is much work (`INPUTS` of the target);
`make soak` goes on with other seeds."""

import importlib

import pytest

from tests.fuzz import TARGETS

INPUTS = 20_000


@pytest.mark.parametrize("target", TARGETS)
def test_hostile_inputs(target: str) -> None:
    module = importlib.import_module(f"tests.fuzz.{target}")
    for seed in range(getattr(module, "INPUTS", INPUTS)):
        try:
            module.attack(seed)
        except BaseException as error:
            again = f"python -m tests.fuzz.soak 0 {target} {seed}"
            raise AssertionError(f"seed {seed}: {again}") from error
