"""What every process of ours does at its start, whichever part it plays.

Rules this module keeps:

1. A child dies with its parent: the kernel is asked for SIGKILL at the parent's death, and a
   parent that died before we could ask is noticed. After kill -9 of the supervisor nothing runs on.
2. SIGTERM and SIGINT ask for an orderly end, once; a second one ends at once.
3. Diagnostics go to standard error, one line each, without statement texts and without names.
4. What a process writes is for its own user alone.
5. «Ready» is said by one line on standard output, when the process can be used, not before.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable

READY = "ready"
_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int | None = None) -> None:
    """Ask the kernel to kill us when our parent dies. `parent` is its process number as it was
    when it started us; if it is no longer our parent, we end here."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if parent is not None and os.getppid() != parent:
        os._exit(1)


def say_ready() -> None:
    """Tell the supervisor that we can be used; harmless when nobody listens. What there is by now
    stays: the garbage collector need not look at it again, nor look as often as for a script."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    with contextlib.suppress(BrokenPipeError):
        print(READY, flush=True)


def run(part: Callable[[asyncio.Event], Awaitable[None]], name: str) -> None:
    """Run one part until it returns or until a signal sets the event that it was handed."""
    os.umask(0o077)
    logging.basicConfig(
        level=logging.INFO,
        stream=sys.stderr,
        format=f"%(asctime)s {name} %(levelname)s %(name)s: %(message)s",
    )

    async def main() -> None:
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()

        def stop() -> None:
            if stopping.is_set():
                os._exit(1)
            stopping.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop)
        await part(stopping)

    try:
        import uvloop

        uvloop.run(main())
    except ImportError:
        asyncio.run(main())
