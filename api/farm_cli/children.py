"""The processes of the embedded service, as a table: what starts, in which order, and when it is up.

Called by the supervisor, which works the table down to start and up to stop. Nothing is started here.
"""

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from farm_cli.probes import listens, redis_answers, worker_waits
from farm_scheduler.fetch_queue import FETCHES
from farm_scheduler.settings import Settings

REDIS_MEMORY = "128mb"
"""Messages are ids; a queue that needs more than this is broken, and refusing is better than swapping."""

SPARE_THREADS = 4
"""Threads of the worker beside those for jobs and fetches: sweeps and reports wait for the end of neither."""

WORKER_STOP_SECONDS = 30.0
"""A bake that is broken off removes what it made, up to a gigabyte, before its worker ends."""

LIBVIRT_FILTERS = "4:qemu.qemu_domain 4:security.security_manager"
"""Errors only from the parts of libvirt that warn of every machine (https://libvirt.org/logging.html)."""

NAMES = ("redis", "index", "holder", "worker", "beat")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildPlan:
    """One process of the service.

    Attributes:
        name: names its log and its place in sentences.
        argv: the command.
        stage: children of a stage start together, when those of the stage before are up.
        up: whether it does its work; asked until it says yes.
        up_seconds: how long it may take until then.
        stop_seconds: how long it may take to end after SIGTERM, before it is killed.
        orphan_signal: what the kernel sends it when the supervisor dies.
    """

    name: str
    argv: tuple[str, ...]
    stage: int
    up: Callable[[], bool]
    up_seconds: float = 20.0
    stop_seconds: float = 5.0
    orphan_signal: signal.Signals = signal.SIGTERM


def children(settings: Settings) -> tuple[ChildPlan, ...]:
    """The table: Redis first, unless there is one elsewhere, then all others at once."""
    private = () if settings.redis_url else (redis(settings),)
    return (*private, index(settings), holder(settings), worker(settings), beat(settings))


def redis(settings: Settings) -> ChildPlan:
    """A private Redis on a unix socket. It keeps nothing: tickets are issued again from the record."""
    options = {
        "port": "0",
        "unixsocket": str(settings.redis_socket),
        "unixsocketperm": "700",
        "dir": str(settings.sockets),
        "save": "",
        "appendonly": "no",
        "maxmemory": REDIS_MEMORY,
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        "set-proc-title": "no",  # it would write over the environment, and with it the mark of the service
        "loglevel": "warning",
    }
    argv = ["redis-server"]
    for name, value in options.items():
        argv += [f"--{name}", value]
    up = partial(redis_answers, settings.redis_socket)
    return ChildPlan(name="redis", argv=tuple(argv), stage=0, up=up, up_seconds=5.0)


def index(settings: Settings) -> ChildPlan:
    """The package index proxy, which takes the listener of each machine over its socket."""
    argv = (sys.executable, "-m", "farm_workers.index_proxy")
    return ChildPlan(name="index", argv=argv, stage=1, up=partial(listens, settings.index_socket))


def holder(settings: Settings) -> ChildPlan:
    """The holder of this host's machines. At its end it destroys them, at about a second each."""
    # libvirt reads its filters when it is imported. Each machine of ours is "tainted" by what makes it one; whoever
    # looks for something in libvirt sets the variable beforehand.
    filters = os.environ.get("LIBVIRT_LOG_FILTERS") or LIBVIRT_FILTERS
    argv = ("env", f"LIBVIRT_LOG_FILTERS={filters}", sys.executable, "-m", "farm_workers.holder")
    up = partial(listens, settings.holder_socket)
    return ChildPlan(name="holder", argv=argv, stage=1, up=up, up_seconds=30.0, stop_seconds=15.0)


def worker(settings: Settings) -> ChildPlan:
    """The Celery worker: a thread for each slot of the host and each fetch, and some for what is neither."""
    options = (
        "--pool",
        "threads",
        "--concurrency",
        str(settings.slots + FETCHES + SPARE_THREADS),
        "--loglevel",
        "INFO",
    )
    quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat")
    argv = (sys.executable, "-m", "celery", "-A", "farm_workers.tasks", "worker", *options, *quiet)
    up = partial(worker_waits, settings)
    # A worker without its supervisor has nobody to work for: its leases end with it.
    return ChildPlan(
        name="worker",
        argv=argv,
        stage=1,
        up=up,
        stop_seconds=WORKER_STOP_SECONDS,
        orphan_signal=signal.SIGKILL,
    )


def beat(settings: Settings) -> ChildPlan:
    """What sends the periodic messages. Nothing waits for it: its first message is as good a little later."""
    del settings
    scheduler = ("--scheduler", "farm_workers.beat.SteadyScheduler", "--loglevel", "WARNING")
    argv = (sys.executable, "-m", "celery", "-A", "farm_workers.beat", "beat", *scheduler)
    return ChildPlan(name="beat", argv=argv, stage=1, up=lambda: True)
