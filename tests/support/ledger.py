"""A real ledger process for tests: started, killed and started again."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import multiprocessing
import resource
from multiprocessing.connection import Connection
from pathlib import Path

from qingfang.record.client import now_us
from qingfang.record.disk import Disk
from qingfang.record.service import Service

# A process that has the modules loaded makes each start a matter of milliseconds.
_spawn = multiprocessing.get_context("forkserver")
_spawn.set_forkserver_preload(["tests.support.ledger"])


class WornDisk(Disk):
    """Its syncs fail with EIO after `good` good ones."""

    def __init__(self, good: int) -> None:
        self._good = good

    def sync(self, file: int) -> None:
        self._good -= 1
        if self._good < 0:
            raise OSError(errno.EIO, "injected")
        super().sync(file)


def _serve(
    folder: Path,
    socket: Path,
    segment_bytes: int,
    file_limit: int | None,
    good_syncs: int | None,
    ready: Connection,
) -> None:
    if file_limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, resource.RLIM_INFINITY))

    async def main() -> None:
        service = Service(
            folder,
            socket,
            site="hospital",
            node="node-1",
            segment_bytes=segment_bytes,
            clock=now_us,
            disk=None if good_syncs is None else WornDisk(good_syncs),
        )
        serving = asyncio.create_task(service.run())
        waiting = asyncio.create_task(service.ready.wait())
        await asyncio.wait((serving, waiting), return_when=asyncio.FIRST_COMPLETED)
        ready.send(waiting.done())
        await serving

    asyncio.run(main())


class LedgerProcess:
    """`file_limit`: no file may grow beyond it (a full disk for those who cannot mount one).
    `good_syncs`: how many syncs work before the disk fails."""

    def __init__(
        self,
        place: Path,
        *,
        segment_bytes: int = 1 << 20,
        file_limit: int | None = None,
        good_syncs: int | None = None,
    ) -> None:
        self.folder, self.socket = place / "ledger", place / "ledger.sock"
        self._arguments = (self.folder, self.socket, segment_bytes, file_limit, good_syncs)
        self._process: multiprocessing.process.BaseProcess | None = None

    def start(self) -> None:
        theirs_end, ours = _spawn.Pipe()
        self._process = _spawn.Process(
            target=_serve,
            args=(*self._arguments, theirs_end),
            daemon=True,
        )
        self._process.start()
        theirs_end.close()
        assert ours.poll(30), "the ledger did not start"
        assert ours.recv(), "the ledger ended instead of starting"

    def kill(self) -> None:
        """kill -9."""
        assert self._process is not None
        self._process.kill()
        self._process.join()

    def wait(self) -> int | None:
        """Until it has ended by itself; its exit code."""
        assert self._process is not None
        self._process.join(20)
        return self._process.exitcode

    def stop(self) -> None:
        if self._process is not None and self._process.is_alive():
            self._process.terminate()
            self._process.join(10)

    def __enter__(self) -> LedgerProcess:
        self.start()
        return self

    def __exit__(self, *_what: object) -> None:
        with contextlib.suppress(AssertionError):
            self.stop()
