"""The job's first process: it imports tox ahead of time, unpacks the source, and becomes tox.

Started by `starter_process` as the job's user, with the interpreter in which tox is installed; it waits in
the template, so that every clone has a tox that is already there. It never has more rights than the
project's own code, and nothing in it is trusted once that code runs.

Requests come as JSON lines on a socket: {"do": "unpack", "archive", "folder"}, answered with {"project"} or
{"reason"}; {"do": "tox", "argv", "variables", "folder"}, {"do": "exec", …} and {"do": "terminal", …} (the same, and
stdin becomes the controlling terminal), which are not answered.
"""

import contextlib
import fcntl
import gc
import importlib
import json
import os
import pkgutil
import random
import signal
import socket
import sys
import tempfile
import termios
from collections.abc import Callable
from pathlib import Path
from typing import Any

from farm_images.agent.unpacking import UnpackingError, unpack

READY = b"ready\n"
_PRELOADED = (
    "tox",
    "virtualenv",
    "python_discovery",
    "pyproject_api",
    "packaging",
    "filelock",
    "platformdirs",
    "uv",
    "tox_wheelfarm",
)


def serve(descriptor: int, plugins: str | None, preload: bool) -> Callable[[], None]:
    """Answer requests until one says what to become; calling the result becomes it.

    The stack of this function is gone by then, and with it the socket.
    """
    # The agent waits for a signal that it blocks; the job starts with none blocked.
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    with contextlib.suppress(ValueError):
        sys.path.remove(sys.argv[0])
    if plugins is not None:
        sys.path.append(plugins)
    if preload:
        _preload()
    with socket.socket(fileno=descriptor) as connection, connection.makefile("rb") as lines:
        connection.sendall(READY)
        for line in lines:
            request = json.loads(line)
            if request["do"] == "unpack":
                connection.sendall(json.dumps(_unpack(request)).encode() + b"\n")
            else:
                return _become(request)
    return sys.exit


def _preload() -> None:
    """Import whatever a run of tox imports; a module that cannot be imported is left to tox itself."""
    for name in _PRELOADED:
        with contextlib.suppress(ImportError):
            package = importlib.import_module(name)
            for module in pkgutil.walk_packages(package.__path__, f"{name}.", onerror=lambda _: None):
                _import(module.name)
    for name in ("pip", "concurrent.futures.thread", "sqlite3", "tomllib", "ensurepip", "zipfile", "shlex"):
        _import(name)
    gc.collect()
    gc.freeze()


def _import(name: str) -> None:
    # Modules of other systems (`…windows`), tests and command line entries fail or act when imported.
    if any(part in name for part in ("__main__", "win", "pytest", "darwin")):
        return
    with contextlib.suppress(Exception):
        importlib.import_module(name)


def _unpack(request: dict[str, str]) -> dict[str, str]:
    try:
        return {"project": str(unpack(Path(request["archive"]), Path(request["folder"])))}
    except UnpackingError as error:
        return {"reason": f"The source archive is refused: {error}."}
    except OSError as error:
        return {"reason": f"The source could not be unpacked: {error}."}


def _become(request: dict[str, Any]) -> Callable[[], None]:
    # Copies of one template must not share the random numbers that tox names its files and seeds its hashes
    # with.
    random.seed()
    tempfile._name_sequence = None  # type: ignore[attr-defined]  # no public way to reseed temporary names
    os.environ.clear()
    os.environ.update(request["variables"])
    os.chdir(request["folder"])
    argv: list[str] = request["argv"]
    if request["do"] != "tox":
        if request["do"] == "terminal":
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        # Python ignores it, and what it becomes would, too.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        return lambda: os.execve(argv[0], argv, dict(os.environ))  # noqa: S606 (to become it is the point)
    sys.argv = argv

    def become_tox() -> None:
        from tox.run import run

        run(argv[1:])

    return become_tox
