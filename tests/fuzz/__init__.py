"""Fuzz targets: a module a decoder, with `attack(seed)`, which is one input. An AssertionError, or any
exception at all, is a finding, and the seed repeats it: `python -m tests.fuzz.soak 0 TARGET SEED`.
"""

from pathlib import Path

TARGETS = sorted(
    file.stem
    for file in Path(__file__).parent.glob("[!_]*.py")
    if file.stem != "soak" and not file.stem.startswith("test_")
)
