"""The console's process: its database, its migrations, its pages, its workers.

`python -m qingfang.web.server --config FILE`. Starts the embedded PostgreSQL when the configuration
asks for it, brings the database up to date, serves until SIGTERM, and says «ready» when pages can be
asked for.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import socket
import warnings
from collections.abc import Iterator
from pathlib import Path

import uvicorn

from qingfang import config as configuration
from qingfang.config import Config
from qingfang.engine import closed, process
from qingfang.postgres import Server

ROLE = DATABASE = "console"


class _Uvicorn(uvicorn.Server):
    """Signals are the process wrapper's; `startup` tells when pages can be asked for."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            process.say_ready()


@contextlib.contextmanager
def database(config: Config) -> Iterator[None]:
    """The console's database is reachable inside this block. Must run in the main thread."""
    if config.console.database != "embedded":
        yield
        return
    # One left in the environment for another database would win over the password file.
    os.environ.pop("PGPASSWORD", None)
    closed.close(config)
    state = Path(config.paths.state) / "console"
    with Server(state / "postgres") as server:
        server.role(ROLE)
        server.database(DATABASE, owner=ROLE)
        fresh = state / "dsn.new"
        fresh.touch(0o600)
        fresh.write_text(server.dsn(ROLE, DATABASE))
        fresh.replace(state / "dsn")
        yield


def set_up(file: Path) -> None:
    """Django, on this configuration file, with the database brought up to date."""
    import django
    from django.core.management import call_command

    # Static files are handed over whole, which Django warns of at each request: they are small.
    warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous")
    os.environ["QINGFANG_CONFIG"] = str(file.absolute())
    os.environ["DJANGO_SETTINGS_MODULE"] = "qingfang.web.settings"
    django.setup()
    call_command("migrate", verbosity=0, interactive=False)


def _first_run(config: Config) -> None:
    """While nobody can sign in there is a code for the first-run page; otherwise there is none."""
    from qingfang.people import services
    from qingfang.web.setup import code

    if services.any_account():
        code.forget(config)
    else:
        code.ensure(config)


async def serve(config: Config, stopping: asyncio.Event) -> None:
    """Pages and workers until `stopping` is set; `set_up` was called before."""
    from qingfang.web import workers
    from qingfang.web.asgi import application

    host, _colon, port = config.console.listen.rpartition(":")
    server = _Uvicorn(
        uvicorn.Config(
            application,
            host=host.strip("[]"),
            port=int(port),
            lifespan="off",
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=3,
        )
    )

    async def until_told() -> None:
        await stopping.wait()
        server.should_exit = True

    async with asyncio.TaskGroup() as group:
        told = group.create_task(until_told())
        work = group.create_task(workers.run(config, stopping))
        await server.serve()
        stopping.set()
        await work
        await told


def main() -> None:
    parser = argparse.ArgumentParser(prog="qingfang.web.server")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--parent", type=int, help="die when this process is gone")
    arguments = parser.parse_args()
    if arguments.parent is not None:
        process.die_with_parent(arguments.parent)
    config = configuration.read(arguments.config)
    with database(config):
        set_up(arguments.config)
        _first_run(config)
        process.run(lambda stopping: serve(config, stopping), "console")


if __name__ == "__main__":
    main()
