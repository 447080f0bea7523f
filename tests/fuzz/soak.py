"""Fuzz targets for some minutes each: `python -m tests.fuzz.soak MINUTES [TARGET [SEED]]`.

Without a target all of them, one after the other. Seeds go on behind those of the suite, or from SEED;
0 minutes is one input.
"""

import importlib
import sys
import time

from tests.fuzz import TARGETS

FIRST = 1_000_000


def run(target: str, minutes: float, seed: int = FIRST) -> None:
    attack = importlib.import_module(f"tests.fuzz.{target}").attack
    start = seed
    end = time.monotonic() + minutes * 60
    told = 0.0
    while True:
        try:
            attack(seed)
        except BaseException:
            print(f"{target}: seed {seed}", flush=True)
            raise
        seed += 1
        now = time.monotonic()
        if now >= end:
            break
        if now - told > 10:
            told = now
            print(f"{target}: {seed - start} inputs, {end - now:.0f} s left", flush=True)
    print(f"{target}: {seed - start} inputs, no finding", flush=True)


def main(minutes: str, target: str = "", seed: str = str(FIRST)) -> None:
    for one in [target] if target else TARGETS:
        run(one, float(minutes), int(seed))


if __name__ == "__main__":
    main(*sys.argv[1:])
