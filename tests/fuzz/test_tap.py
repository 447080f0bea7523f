"""20,000 hostile inputs for each part of the tap; `make soak` goes on with other seeds."""

import importlib

import pytest


@pytest.mark.parametrize(
    ("target", "inputs"),
    [("capture_files", 20_000), ("frames", 20_000), ("segments", 20_000), ("wire", 5_000)],
)
def test_twenty_thousand_inputs(target: str, inputs: int) -> None:
    attack = importlib.import_module(f"tests.fuzz.{target}").attack
    for seed in range(inputs):
        try:
            attack(seed)
        except BaseException as error:
            raise AssertionError(f"{target}: seed {seed}") from error
