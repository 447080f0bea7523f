"""20,000 hostile inputs; `make soak` goes on with other seeds."""

from tests.fuzz.pgwire import attack


def test_twenty_thousand_inputs() -> None:
    for seed in range(20_000):
        try:
            attack(seed)
        except BaseException as error:
            raise AssertionError(f"seed {seed}: python -m tests.fuzz.pgwire {seed}") from error
