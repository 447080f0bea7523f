"""Every fuzz target of this folder for some minutes each: `python -m tests.fuzz.soak 15`.

A target is a module with `attack(seed)`. Seeds go on behind those of the suite.
"""

import importlib
import sys
import time
from pathlib import Path


def main(minutes: float) -> None:
    here = Path(__file__).parent
    for file in sorted(here.glob("[!_]*.py")):
        if file.stem == "soak" or file.stem.startswith("test_"):
            continue
        attack = importlib.import_module(f"tests.fuzz.{file.stem}").attack
        seed = start = 1_000_000
        end = time.monotonic() + minutes * 60
        told = 0.0
        while time.monotonic() < end:
            try:
                attack(seed)
            except BaseException:
                print(f"{file.stem}: seed {seed}", flush=True)
                raise
            seed += 1
            if time.monotonic() - told > 10:
                told = time.monotonic()
                print(f"{file.stem}: {seed - start} inputs, {end - told:.0f} s left", flush=True)
        print(f"{file.stem}: {seed - start} inputs, no finding", flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]))
