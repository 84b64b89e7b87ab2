"""The settings of an environment: what people write, checked, in one object.

Registered by the runner and read when an environment is set up. It never decides what is installed, and names no
release.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional, cast

from packaging.utils import canonicalize_name
from tox.report import HandledError

from tox_wheelfarm import fragments
from tox_wheelfarm.failure import ShownError
from tox_wheelfarm.lines import Lines
from tox_wheelfarm.uv import Offline

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tox.config.cli.parser import Parsed
    from tox.config.sets import EnvConfigSet

AUTO, LOCKFILE, CONSTRAINTS, LATEST, LOWEST = "auto", "lockfile", "constraints", "latest", "lowest"
INSTALLERS = (AUTO, LOCKFILE, CONSTRAINTS, LATEST, LOWEST)
INSTALLER_VARIABLE = "WHEELFARM_INSTALLER"
"""Overrides `installer` in every environment; the farm sets it for its axis."""
CUTOFF_VARIABLE = "WHEELFARM_CUTOFF"
"""Overrides `cutoff` in every environment."""
CONSTRAINTS_VARIABLE = "WHEELFARM_CONSTRAINTS"
"""Overrides `constraints` in every environment: lines."""

DAY = r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
WHEN = DAY + r"(?:[Tt ](?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d+)?)?(?:[Zz]|[+-]\d\d:?\d\d))?"
SPAN = r"(?i)\d+ ?(?:second|minute|hour|day|week)s?|P[\dYMWDTHS.]+"
"""Compiled where there is a cut-off, which is not often."""


@dataclass(frozen=True)
class Options:
    """The settings of one environment.

    Attributes:
        installer: one of INSTALLERS; `auto` is a lock file if there is one, else constraints if any, else `latest`.
        lockfile: as written, relative to the project's root; "" to find it.
        constraints: lines: files, URLs, or constraints themselves.
        locked_deps: as written.
        require_locked_deps: whether everything must come from the lock.
        install_dev_deps: every development dependency of the lock.
        poetry_dep_groups: groups of the lock, beside `dependency_groups`.
        install_project_deps: the project's own dependencies; None: unless the project is not installed either.
        prune: whether what nobody asked for goes.
        offline: when the network may be used.
        stale_lock: `error` or `warn`.
        allow_unhashed: normalised names that may be installed without a hash.
        yanked: `warn` or `refuse`.
        prereleases: whether they may be chosen where versions are resolved.
        cutoff: releases after this date are not seen where versions are resolved; "" for none.
        seeds: of pip, setuptools and wheel, those that are wanted though nothing requires them.
        require_poetry: whether poetry must be importable.
        threads: how many downloads, builds and installs at a time.
        found: whether the lock file was only found, and nothing in the settings asks for one.
    """

    installer: str
    lockfile: str
    constraints: tuple[str, ...]
    locked_deps: tuple[str, ...]
    require_locked_deps: bool
    install_dev_deps: bool
    poetry_dep_groups: frozenset[str]
    install_project_deps: bool | None
    prune: bool
    offline: Offline
    stale_lock: str
    allow_unhashed: frozenset[str]
    yanked: str
    prereleases: bool
    cutoff: str
    seeds: tuple[str, ...]
    require_poetry: bool
    threads: int
    found: bool = False


def one_of(name: str, *words: str) -> Callable[[str], str]:
    """A check for tox: the value is one of these words, or a ShownError says which there are."""

    def check(value: str) -> str:
        if value not in words:
            raise ShownError(f"{name} = {value!r} is not known: it is one of {', '.join(words)}")
        return value

    return check


def date(name: str, value: str) -> str:
    """A date or time as uv takes it; "" is none.

    Raises:
        ShownError: it is something else.
    """
    if value and not (re.fullmatch(WHEN, value) or re.fullmatch(SPAN, value)):
        raise ShownError(
            f"{name} = {value!r} is no date: write 2026-01-31, 2026-01-31T12:00:00Z, or `30 days`"
        )
    return value


def register(conf: EnvConfigSet, provisions: bool) -> None:
    """Tell tox of every setting.

    Args:
        conf: the environment's.
        provisions: whether tox runs itself in it; the project's lock says nothing about that one.
    """
    words = {
        "installer": (LATEST if provisions else AUTO, INSTALLERS, "where the set of releases comes from"),
        "offline": (Offline.AUTO.value, [each.value for each in Offline], "when the network may be used"),
        "stale_lock": ("error", ("error", "warn"), "what a lock file is that does not match the project"),
        "yanked": ("warn", ("warn", "refuse"), "what a withdrawn release is"),
    }
    for name, (default, known, told) in words.items():
        conf.add_config(name, str, default, f"{told}: {' | '.join(known)}", post_process=one_of(name, *known))
    for name, told in TEXTS.items():
        conf.add_config(name, str, "", told)
    fragments.keep(conf)
    for name, (yes, told) in FLAGS.items():
        conf.add_config(name, bool, yes, told)
    for name, told in LISTS.items():
        conf.add_config(name, Lines, Lines(), told, factory=Lines.of)
    # Unset has a meaning of its own.
    maybe = cast("type[bool | None]", Optional[bool])
    conf.add_config(
        "install_project_deps", maybe, None, "install the project's own dependencies: true | false"
    )


TEXTS = {
    "lockfile": "the lock file, relative to the project; found if it is not told",
    "cutoff": "see no release after this date where versions are resolved",
}
FLAGS = {
    "require_locked_deps": (False, "refuse dependencies that no lock file decides"),
    "install_dev_deps": (False, "install every development dependency of the lock file"),
    "prune": (True, "remove what nobody asked for"),
    "pip_pre": (False, "pre-releases may be chosen where versions are resolved"),
    "uv_seed": (False, "install pip (and setuptools and wheel below 3.12), as tox-uv has it"),
    "require_poetry": (False, "fail where poetry cannot be imported by tox"),
}
LISTS = {
    "constraints": "files, URLs or lines of constraints over everything that is installed",
    "locked_deps": "names of dependencies, taken from the lock file with what they need",
    "poetry_dep_groups": "dependency groups of the lock file",
    "allow_unhashed": "names that may be installed without a hash",
    "seed": "of pip, setuptools and wheel, those to install though nothing requires them",
}
NAMES = (
    *TEXTS,
    *FLAGS,
    *LISTS,
    "installer",
    "offline",
    "stale_lock",
    "yanked",
    "install_project_deps",
    "dependency_groups",
    "extras",
)
"""Every setting that this runner honours beside tox's own."""


def read(conf: EnvConfigSet, flags: Parsed, version: tuple[int, int], provisions: bool) -> Options:
    """The settings, with the command line and the farm's variables over them.

    Args:
        conf: the environment's.
        flags: the command line.
        version: major and minor of the environment's interpreter.
        provisions: whether tox runs itself in it; the farm's variables are about projects.

    Raises:
        ShownError: a value is wrong; it says which, and what there is.
    """
    offline = Offline.ALWAYS if getattr(flags, "wheelfarm_offline", False) else Offline(conf["offline"])
    told = {} if provisions else os.environ
    installer = told.get(INSTALLER_VARIABLE) or conf["installer"]
    return Options(
        installer=one_of(INSTALLER_VARIABLE, *INSTALLERS)(installer),
        lockfile=conf["lockfile"] or _pylock(conf),
        constraints=tuple(conf["constraints"]) if provisions else constraints(conf),
        locked_deps=tuple(word for line in conf["locked_deps"] for word in _unlisted(line)),
        require_locked_deps=conf["require_locked_deps"],
        install_dev_deps=conf["install_dev_deps"],
        poetry_dep_groups=_names(conf["poetry_dep_groups"]),
        install_project_deps=conf["install_project_deps"],
        prune=conf["prune"] and not getattr(flags, "wheelfarm_no_prune", False),
        offline=offline,
        stale_lock=conf["stale_lock"],
        allow_unhashed=_names(conf["allow_unhashed"]),
        yanked=conf["yanked"],
        prereleases=conf["pip_pre"] or getattr(flags, "pre", False),
        cutoff=date(*_cutoff(conf, told)),
        seeds=_seeds(conf, version),
        require_poetry=conf["require_poetry"] or getattr(flags, "require_poetry", False),
        threads=max(1, getattr(flags, "parallel_install_threads", 1)),
    )


def constraints(conf: EnvConfigSet) -> tuple[str, ...]:
    """The lines of constraints of an environment, the farm's instead of its own if there are any."""
    return tuple(Lines.of(os.environ.get(CONSTRAINTS_VARIABLE, "")) or conf["constraints"])


def build_constraints(conf: EnvConfigSet) -> tuple[str, ...]:
    """Those of them that hold where the project is built: none with `latest` and `lowest`.

    Asked while tox still puts its environments together: a value that is wrong is told when the environment is set up.
    """
    try:
        installer = os.environ.get(INSTALLER_VARIABLE) or conf["installer"]
        return () if installer in {LATEST, LOWEST} else constraints(conf)
    except HandledError:
        return ()


def folder(conf: Any, key: str) -> Path:
    """A folder of tox's core settings, or tox's root where this tox does not have that setting (before 4.31)."""
    return Path(conf[key] if key in conf else conf["tox_root"])


def _cutoff(conf: EnvConfigSet, told: Mapping[str, str]) -> tuple[str, str]:
    farm = told.get(CUTOFF_VARIABLE)
    return (CUTOFF_VARIABLE, farm) if farm else ("cutoff", conf["cutoff"].strip())


def _pylock(conf: EnvConfigSet) -> str:
    return str(conf["pylock"]) if "pylock" in conf else ""


def _unlisted(line: str) -> list[str]:
    # One line of tox.ini may hold several names; a comma inside a version is refused later, with the whole line.
    if any(sign in line for sign in "<>=!~;["):
        return [line]
    return [word.strip() for word in line.split(",") if word.strip()]


def _names(lines: Lines) -> frozenset[str]:
    return frozenset(canonicalize_name(word) for line in lines for word in _unlisted(line))


def _seeds(conf: EnvConfigSet, version: tuple[int, int]) -> tuple[str, ...]:
    wanted = set(_names(conf["seed"]))
    if conf["uv_seed"]:
        wanted |= {"pip"} if version >= (3, 12) else {"pip", "setuptools", "wheel"}
    if strange := wanted - {"pip", "setuptools", "wheel"}:
        raise ShownError(
            f"seed = {', '.join(sorted(strange))}: only pip, setuptools and wheel are seeds; use deps"
        )
    return tuple(sorted(wanted))
