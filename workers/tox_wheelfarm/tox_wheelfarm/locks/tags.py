"""The wheel tags (PEP 425, 600, 656, 703) of a build of Python on a platform, from told facts only.

Called by `facts` and `platforms`. It never looks at the process's own interpreter, which packaging's defaults do.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from packaging import tags as packaging_tags

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packaging.tags import Tag

LEGACY = {(2, 17): "manylinux2014", (2, 12): "manylinux2010", (2, 5): "manylinux1"}
OLDEST = {"x86_64": 5, "i686": 5}
"""manylinux1 and manylinux2010 were for these two machines; every other one began with glibc 2.17."""
OLDEST_ELSEWHERE = 17
NARROW = {"x86_64": ["i686"], "aarch64": ["armv8l", "armv7l"], "armv8l": ["armv8l", "armv7l"]}
"""What a 32-bit interpreter is on a 64-bit kernel."""


class Build(NamedTuple):
    """What of an interpreter decides the wheels that it takes.

    Attributes:
        implementation: `cpython`, `pypy`, or another one's name.
        version: of the language, major and minor.
        debug, free_threaded: how CPython was built.
        pymalloc, wide: the same, for CPython before 3.8 and before 3.3.
        suffix: of extension modules; for what is not CPython.
        pypy: version of PyPy itself, major and minor.
    """

    implementation: str
    version: tuple[int, int]
    debug: bool = False
    free_threaded: bool = False
    pymalloc: bool = True
    wide: bool = True
    suffix: str = ""
    pypy: tuple[int, ...] = ()


def of(build: Build, platforms: list[str]) -> Iterator[Tag]:
    """Every tag that a build takes, the best first, without doubles."""
    seen: dict[Tag, None] = {}
    if build.implementation == "cpython":
        own = "cp{}{}".format(*build.version)
        seen.update(dict.fromkeys(packaging_tags.cpython_tags(build.version, _abis(build), platforms)))
    else:
        short = {"pypy": "pp"}.get(build.implementation, build.implementation)
        abis = [*_other_abis(build), "none"]
        seen.update(
            dict.fromkeys(
                packaging_tags.generic_tags("{}{}{}".format(short, *build.version), abis, platforms)
            )
        )
        own = f"pp{build.version[0]}" if short == "pp" else ""
    seen.update(dict.fromkeys(packaging_tags.compatible_tags(build.version, own or None, platforms)))
    yield from seen


def _abis(build: Build) -> list[str]:
    threaded = "t" if build.free_threaded and build.version >= (3, 13) else ""
    malloc = "m" if build.pymalloc and build.version < (3, 8) else ""
    wide = "u" if build.wide and build.version < (3, 3) else ""
    debug = "d" if build.debug else ""
    plain = "cp{}{}{}".format(*build.version, threaded)
    abis = [f"{plain}{debug}{malloc}{wide}"]
    if build.debug and build.version >= (3, 8):
        abis.append(plain)  # a debug build has loaded modules of a release build since 3.8
    return abis


def _other_abis(build: Build) -> list[str]:
    parts = build.suffix.split(".")
    if len(parts) >= 3:  # such as .pypy39-pp73-x86_64-linux-gnu.so; the parts of the platform are left out
        words = parts[1].split("-")
        kept = {"pypy": 2, "graalpy": 3}.get(build.implementation, len(words))
        return ["_".join(words[:kept])]
    return ["pypy{}{}_pp{}{}".format(*build.version, *build.pypy)] if len(build.pypy) == 2 else []


def linux(told: str, bits: int, libc: str) -> list[str]:
    """The platforms of a Linux.

    Args:
        told: `sysconfig.get_platform()`, such as `linux-x86_64`.
        bits: of a pointer.
        libc: `glibc 2.36`, `musl 1.2`, or "" if unknown.
    """
    machine = plain(told).partition("_")[2]
    machines = NARROW.get(machine, [machine]) if bits == 32 else [machine]
    kind, _, version = libc.partition(" ")
    numbers = [int(number) for number in re.findall(r"\d+", version)[:2]]
    found: list[str] = []
    if kind == "glibc" and len(numbers) == 2 and numbers[0] == 2:
        found = list(_manylinux(numbers[1], machines))
    elif kind == "musl" and len(numbers) == 2:
        found = [
            f"musllinux_{numbers[0]}_{minor}_{machine}"
            for machine in machines
            for minor in range(numbers[1], -1, -1)
        ]
    return [*(f"linux_{machine}" for machine in machines), *found]


def _manylinux(newest: int, machines: list[str]) -> Iterator[str]:
    for machine in machines:
        for minor in range(newest, OLDEST.get(machine, OLDEST_ELSEWHERE) - 1, -1):
            yield f"manylinux_2_{minor}_{machine}"
            if (2, minor) in LEGACY:
                yield f"{LEGACY[2, minor]}_{machine}"


def macos(version: str, machine: str) -> list[str]:
    """The platforms of a macOS, such as `14.2` on `arm64`."""
    major, minor = [*(int(number) for number in re.findall(r"\d+", version)[:2]), 0][:2]
    return list(packaging_tags.mac_platforms((major, minor), machine))


def plain(told: str) -> str:
    """`sysconfig.get_platform()` as it stands in a tag: `win-amd64` becomes `win_amd64`."""
    return re.sub(r"[-. ]", "_", told)
