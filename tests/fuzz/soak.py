"""Fuzz targets for some minutes each: `python -m tests.fuzz.soak MINUTES [TARGET [SEED]]`.

Without a target all of them, one after the other. Seeds go on behind those of the suite, or from SEED;
0 minutes is one input. One that takes more than `LONGEST_S` of processor time is a finding.
"""

import importlib
import signal
import sys
import time
from types import FrameType

from tests.fuzz import TARGETS

FIRST = 1_000_000
LONGEST_S = 20.0


class TooLong(BaseException):
    """An input takes longer than any may."""


def _too_long(_signal: int, _frame: FrameType | None) -> None:
    raise TooLong


def run(target: str, minutes: float, seed: int = FIRST) -> None:
    attack = importlib.import_module(f"tests.fuzz.{target}").attack
    start = seed
    end = time.monotonic() + minutes * 60
    told = 0.0
    signal.signal(signal.SIGVTALRM, _too_long)
    while True:
        signal.setitimer(signal.ITIMER_VIRTUAL, LONGEST_S)
        try:
            attack(seed)
        except BaseException:
            print(f"{target}: seed {seed}", flush=True)
            raise
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
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
