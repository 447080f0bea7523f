"""Keys read in key order: the runs they make, however slowly (T23).

Rules this module keeps:

1. A `near` run takes only keys close to its last one and survives other reading in between; at most
   `_NEAR_RUNS` are held, the shortest going first. The other kind takes any step, unbroken: one a
   role.
2. A run goes one way, so no key comes up in it twice. It keeps the last `_KEYS` of them.
3. A run of any step begins anew at a key that was not there yet when the run's last one was read.
   Numbers far apart may be given side by side, so this is told within a block of numbers only.
4. Only above what chance gives: reads here and there fall near the last key of a run by chance, the
   more the fewer keys there are; a scan is well above that.
"""

from __future__ import annotations

from typing import Final

NEAR: Final = 16
"""How far apart neighbours in a slow scan may be."""
_NEAR_RUNS: Final = 16
_KEYS: Final = 512
BLOCK: Final = 16
"""Bits of a block of numbers: some days' or weeks' worth."""


class Run:
    """`role` and `prefix` of its keys, the `number` of the last one, the direction (0 until known);
    `keys` are the digests of those read and not yet explained by work, in order, `count` how many.
    `reads` counts all since it began. `highest`: the highest number that anybody had by then in the
    last one's block."""

    def __init__(
        self,
        role: str,
        prefix: str,
        number: int,
        direction: int,
        near: bool,
        keys: dict[int, None],
        reads: int,
        last_us: int,
        highest: int,
    ) -> None:
        self.role, self.prefix, self.number, self.direction = role, prefix, number, direction
        self.near, self.keys, self.reads = near, keys, reads
        self.last_us, self.highest = last_us, highest
        self.count = len(keys)


class Runs:
    """All runs of one learner, in the order in which they began."""

    def __init__(self, runs: list[Run]) -> None:
        self.runs = runs
        self._trial = False

    def trial(self) -> Runs:
        """To try what some keys would make; nothing of it is kept. Its runs count keys and share
        the sets of digests with these, which a trial never writes to."""
        runs: list[Run] = []
        for r in self.runs:
            run = Run(
                r.role,
                r.prefix,
                r.number,
                r.direction,
                r.near,
                r.keys,
                r.reads,
                r.last_us,
                r.highest,
            )
            runs.append(run)
        trial = Runs(runs)
        trial._trial = True
        return trial

    def settle(self, digest: int) -> None:
        """This key was work: it counts in no run."""
        for run in self.runs:
            if digest in run.keys:
                del run.keys[digest]
                run.count = len(run.keys)

    def advance(
        self,
        role: str,
        prefix: str,
        number: int,
        digest: int,
        at_us: int,
        low: int,
        high: int,
        reached: int,
    ) -> int:
        """Take in a key; the length of the longest run it belongs to that is no chance. `low`,
        `high`: the lowest and highest number of its series that the learner read; `reached`: the
        highest that anybody read or wrote in its block of numbers."""
        best = 1
        near_run: Run | None = None
        far_run: Run | None = None
        for r in self.runs:
            if r.role == role and r.prefix == prefix:
                r.reads += 1
                step = number - r.number
                onward = step == 0 or step * r.direction >= 0
                if not r.near:
                    far_run = r if onward else None
                elif onward and near_run is None and -NEAR <= step <= NEAR:
                    near_run = r
        if near_run is None:
            self._begin(Run(role, prefix, number, 0, True, {digest: None}, 1, at_us, 0), reached)
        else:
            self._go_on(near_run, number, digest, at_us, reached)
            chance = near_run.reads * min(1.0, NEAR / max(1, high - low))
            best = near_run.count if near_run.count >= 4 * chance else 0
        if (
            far_run is not None
            and far_run.number >> BLOCK == number >> BLOCK
            and far_run.highest < number <= reached
        ):
            far_run = None
        if far_run is None:
            self.runs = [r for r in self.runs if r.near or r.role != role]
            self._begin(Run(role, prefix, number, 0, False, {digest: None}, 1, at_us, 0), reached)
            return max(best, 1)
        self._go_on(far_run, number, digest, at_us, reached)
        return max(best, far_run.count)

    def _begin(self, run: Run, reached: int) -> None:
        run.highest = max(reached, run.number)
        self.runs.append(run)
        if not run.near:
            return
        least: Run | None = None
        held = 0
        for r in self.runs:
            if r.near:
                held += 1
                if (
                    least is None
                    or r.count < least.count
                    or (r.count == least.count and r.last_us < least.last_us)
                ):
                    least = r
        if held > _NEAR_RUNS and least is not None:
            self.runs.remove(least)

    def _go_on(self, run: Run, number: int, digest: int, at_us: int, reached: int) -> None:
        if number != run.number:
            run.direction = 1 if number > run.number else -1
            run.number = number
            if self._trial:
                run.count = min(run.count + 1, _KEYS)
            else:
                run.keys[digest] = None
                if len(run.keys) > _KEYS:
                    del run.keys[next(iter(run.keys))]
                run.count = len(run.keys)
        run.last_us = max(run.last_us, at_us)
        run.highest = max(reached, number)
