"""The package index proxy, the one thing that a guest can reach: `python -m farm_workers.index_proxy`.

Started by the service's supervisor. Its control socket takes the machines' listeners (see `index.handover`).
It reads from one upstream index and one mirror of Debian, writes only below its own folder, and never takes anything
from a guest but requests to read.
"""

import argparse
import asyncio
import contextlib
import fcntl
import logging
import os
import resource
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from farm_scheduler.errors import FarmError
from farm_scheduler.settings import Settings
from farm_workers.index.archive import Archive
from farm_workers.index.downloads import Downloads
from farm_workers.index.machines import Machines
from farm_workers.index.page_cache import PageCache
from farm_workers.index.site import Site
from farm_workers.index.store import Store
from farm_workers.index.upstream import Upstream

_LOG = logging.getLogger(__name__)
_PURPOSE = "The farm's package index proxy; settings come from WHEELFARM_... variables."
_CACHE_BYTES = 20 * 1024**3


class ProxyRunningError(FarmError):
    """Another index proxy owns the cache folder."""

    code = "index-running"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyPlan:
    """What the proxy needs to know: sizes in bytes, times in seconds."""

    control: Path
    cache: Path
    upstream: str
    mirror: str
    cache_bytes: int
    page_seconds: float
    upstream_seconds: float


async def run_proxy(plan: ProxyPlan) -> None:
    """Serve until SIGTERM or SIGINT. Raises ProxyRunningError when the cache is in use."""
    with contextlib.ExitStack() as ours:
        ours.enter_context(_owned(plan.cache))
        store = Store(plan.cache, limit=plan.cache_bytes)  # before anyone can ask for anything
        control = ours.enter_context(_control_socket(plan.control))
        upstream = Upstream(plan.upstream, seconds=plan.upstream_seconds)
        downloads = Downloads(store, upstream)
        mirror = Upstream(plan.mirror, seconds=plan.upstream_seconds)
        archive = Archive(store, mirror, seconds=plan.page_seconds)
        site = Site(store, PageCache(store, upstream, seconds=plan.page_seconds), downloads, archive)
        machines = Machines(site, downloads=plan.cache / "downloads", users={0, os.getuid()})
        serving = asyncio.create_task(machines.serve(control))
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, serving.cancel)
        try:
            await asyncio.wait([serving])
        finally:
            await downloads.aclose()
            await upstream.aclose()
            await archive.aclose()
        if not serving.cancelled():
            serving.result()


@contextmanager
def _owned(cache: Path) -> Iterator[None]:
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            sentence = f"Another index proxy uses {cache}; stop that one first or choose another folder."
            raise ProxyRunningError(sentence, cache=str(cache)) from error
        yield


@contextmanager
def _control_socket(path: Path) -> Iterator[socket.socket]:
    """Listen at `path`, replacing what a kill left there: the lock says that nobody uses it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as control:
        control.setblocking(False)
        control.bind(str(path))
        path.chmod(0o600)
        control.listen(64)
        try:
            yield control
        finally:
            path.unlink(missing_ok=True)


def _plan(settings: Settings, arguments: list[str] | None) -> ProxyPlan:
    parser = argparse.ArgumentParser(prog="python -m farm_workers.index_proxy", description=_PURPOSE)
    parser.add_argument(
        "--control", type=Path, default=settings.index_socket, help="unix socket for listeners"
    )
    parser.add_argument(
        "--cache", type=Path, default=settings.home / "index", help="folder of cache and records"
    )
    parser.add_argument("--upstream", default=settings.index_url, help="simple index to read from")
    parser.add_argument("--mirror", default=settings.debian_mirror, help="where Debian's archive is")
    parser.add_argument(
        "--upstream-seconds", type=float, default=settings.index_seconds, help="longest wait for it"
    )
    parser.add_argument(
        "--cache-bytes", type=int, default=_CACHE_BYTES, help="most bytes that the cache keeps"
    )
    parser.add_argument(
        "--page-seconds",
        type=float,
        default=settings.index_fresh_seconds,
        help="how long a page counts as fresh at least",
    )
    found = parser.parse_args(arguments)
    return ProxyPlan(**vars(found))


def main(arguments: list[str] | None = None) -> int:
    """Run the proxy in the foreground, logging to standard error; 3 when it cannot start."""
    plan = _plan(Settings(), arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # its line per request is of no use here
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    try:
        asyncio.run(run_proxy(plan))
    except (ProxyRunningError, OSError) as error:
        _LOG.error("The index proxy cannot serve: %s", error)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
