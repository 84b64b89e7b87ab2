"""The process that serves the HTTP application: `python -m farm_api.server --host H --port P`.

Started by `wheelfarm up`. It binds first and says at once when it cannot; it holds no service and starts no job.
"""

import argparse
import asyncio
import contextlib
import gc
import logging
import os
import resource
import socket
import sys
from collections.abc import Sequence
from urllib.parse import urlsplit

import uvicorn

from farm_api.application import create_app
from farm_api.connection import BoundedConnection
from farm_scheduler.errors import FarmError
from farm_scheduler.settings import Settings

FARMS_FAULT = 3
LOCAL_NAMES = ("127.0.0.1", "localhost")
"""What a server that only this machine reaches is called."""
PULSE_SECONDS = 2.0
LOG = logging.getLogger(__name__)


def main(arguments: Sequence[str]) -> int:
    """Serve until SIGTERM; 3 when the address or the record is not to be had."""
    parser = argparse.ArgumentParser(description="Serve the farm's pages and API.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8600)
    parser.add_argument("--pulse", type=int, help="a pipe into which it writes while it goes on")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    try:
        listener = bind(options.host, options.port)
        settings = Settings()
        settings.prepare()
        app = create_app(settings, names(settings) if options.host in LOCAL_NAMES else ("*",))
    except (OSError, FarmError) as error:
        LOG.critical("%s port %d: %s", options.host, options.port, error)
        return FARMS_FAULT
    config = uvicorn.Config(
        app,
        http=BoundedConnection,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=2,
    )
    allow_connections()
    gc.freeze()  # what was imported stays: looking through it for garbage took 0.1 s at a time
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(serve(uvicorn.Server(config), listener, options.pulse))
    return 0


async def serve(server: uvicorn.Server, listener: socket.socket, pulse: int | None) -> None:
    """Serve until the end, and write a pulse while the loop turns."""
    beating = asyncio.create_task(beat(pulse)) if pulse is not None else None
    await server.serve(sockets=[listener])
    if beating is not None:
        beating.cancel()


async def beat(pipe: int) -> None:
    """A byte now and then; nobody reads while the supervisor is at work, and a full pipe says enough."""
    while True:
        with contextlib.suppress(BlockingIOError):
            os.write(pipe, b".")
        await asyncio.sleep(PULSE_SECONDS)


def allow_connections() -> None:
    """Take as many descriptors as this process may have: Debian gives 1024, and each connection is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def names(settings: Settings) -> tuple[str, ...]:
    """What a server that only this machine reaches is called, by itself and by a proxy in front of it."""
    public = urlsplit(settings.public_url).hostname
    return (*LOCAL_NAMES, public) if public else LOCAL_NAMES


def bind(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        OSError: the address is taken, or not this host's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=128)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
