"""Targets by name, for interpreters that are not at hand.

Called to select for another platform than this one, and by the tests. It never asks a real interpreter; that is what
`facts` is for.
"""

from __future__ import annotations

from typing import NamedTuple

from tox_wheelfarm.locks import tags
from tox_wheelfarm.locks.target import Target


class System(NamedTuple):
    """The marker variables of a platform, and its wheel platforms."""

    os_name: str
    sys_platform: str
    platform_system: str
    machine: str
    platforms: tuple[str, ...]


SYSTEMS = {
    "linux": System("posix", "linux", "Linux", "x86_64", tuple(tags.linux("linux-x86_64", 64, "glibc 2.36"))),
    "linux-arm": System(
        "posix", "linux", "Linux", "aarch64", tuple(tags.linux("linux-aarch64", 64, "glibc 2.36"))
    ),
    "alpine": System("posix", "linux", "Linux", "x86_64", tuple(tags.linux("linux-x86_64", 64, "musl 1.2"))),
    "windows": System("nt", "win32", "Windows", "AMD64", ("win_amd64",)),
    "macos": System("posix", "darwin", "Darwin", "arm64", tuple(tags.macos("14.0", "arm64"))),
    "macos-intel": System("posix", "darwin", "Darwin", "x86_64", tuple(tags.macos("13.0", "x86_64"))),
}


def target(
    python: str, system: str = "linux", *, implementation: str = "cpython", free_threaded: bool = False
) -> Target:
    """One interpreter on one platform.

    Args:
        python: `3.12` or `3.12.1`; the third number is 0 where it is not told.
        system: a key of `SYSTEMS`.
        implementation: `cpython` or `pypy`.
        free_threaded: without the global lock (3.13 and later).

    Raises:
        KeyError, ValueError: no such system, or no version.
    """
    numbers = [int(number) for number in python.split(".")]
    major, minor, micro = [*numbers, 0][:3]
    there = SYSTEMS[system]
    full = f"{major}.{minor}.{micro}"
    pypy = (7, 3) if implementation == "pypy" else ()
    build = tags.Build(implementation, (major, minor), free_threaded=free_threaded, pypy=pypy)
    environment = {
        "implementation_name": implementation,
        "implementation_version": "7.3.17" if pypy else full,
        "os_name": there.os_name,
        "platform_machine": there.machine,
        "platform_python_implementation": "PyPy" if pypy else "CPython",
        "platform_release": "",
        "platform_system": there.platform_system,
        "platform_version": "",
        "python_full_version": full,
        "python_version": f"{major}.{minor}",
        "sys_platform": there.sys_platform,
    }
    return Target(environment, tuple(tags.of(build, list(there.platforms))))
