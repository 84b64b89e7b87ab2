"""What an environment asks for, resolved to one exact set by uv, and recorded so that the set can be had again.

Called by the installer for `constraints`, `latest` and `lowest`. It never installs, and never takes a set from stale
data where newer could change it: without the network only what is pinned exactly is resolved, unless offline = always.
"""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from tox_wheelfarm import clashes, constraints, decided, yanked
from tox_wheelfarm.changing import settings_flags
from tox_wheelfarm.errors import (
    ConstraintsError,
    InstallFailedError,
    LockFileError,
    OfflineMissError,
    ResolutionError,
)
from tox_wheelfarm.locks.project import Project
from tox_wheelfarm.uv import UNSOLVED, Answer, Offline, Uv

if TYPE_CHECKING:
    from tox_wheelfarm.locks.pin import Pin
    from tox_wheelfarm.uv_sources import Sourced

OPTIONS = re.compile(r"\s*(-e|--editable|--no-binary|--only-binary)[\s=]")
"""What a requirement may begin with; uv would obey others, such as an index."""

BUILT = re.compile(r"^error: Failed to .*?\bbuild `([^`\n]{1,300})`", re.MULTILINE)
"""How uv says whose build has no set of releases."""


@dataclass(frozen=True)
class Folder:
    """A local project that the set is for.

    Attributes:
        path: its folder, absolute.
        extras: those of its extras that are asked for.
        editable: whether it is installed in place.
    """

    path: Path
    extras: tuple[str, ...] = ()
    editable: bool = False


@dataclass(frozen=True)
class Question:
    """What is asked for.

    Attributes:
        requirements: PEP 508, or paths and URLs as pip takes them; a comment behind one says where it stands. Also
            `--no-binary NAME` and `--only-binary NAME`.
        settings: for builds: normalised name, and `key=value`.
        folders: local projects, whose dependencies take part.
        constraints: files, as `constraints.collect` gives them; they bind builds as well.
        python: the interpreter that the set is for.
        lowest: the lowest version of what is asked for directly, the newest of everything else.
        prereleases: whether they may be chosen where a final release would do.
        cutoff: nothing uploaded later is seen (a date or time, RFC 3339), or "".
        root: relative paths in requirements, and in the recorded set, are relative to it.
        sourced: more requirements, with their places.
    """

    requirements: tuple[str, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()
    folders: tuple[Folder, ...] = ()
    constraints: tuple[Path, ...] = ()
    python: Path = Path("python")
    lowest: bool = False
    prereleases: bool = False
    cutoff: str = ""
    root: Path = Path()
    sourced: Sourced | None = None


@dataclass(frozen=True)
class Resolution:
    """The set.

    Attributes:
        pins: by name; withdrawn ones are marked.
        pylock: the same as the text of a pylock.toml (PEP 751); installing from it gives the same set.
        asked: whether the network was used.
    """

    pins: tuple[Pin, ...]
    pylock: str
    asked: bool = False


def resolve(question: Question, uv: Uv) -> Resolution:
    """The exact set for the question.

    Raises:
        ConstraintsError: a constraint excludes what is asked for, or what that needs; both sides are named.
        ResolutionError: there is no set at all, with the derivation of it.
        OfflineMissError: offline was asked for, and something is not in the cache.
        InstallFailedError: uv failed for another reason: a build, the network.
    """
    bounds = _bounds(question)
    builds = tuple(dict.fromkeys(path.resolve() for path in (*uv.constraints, *question.constraints)))
    bound = replace(uv, constraints=builds)
    try:
        answer = _answer(question, bound, bounds)
    except (InstallFailedError, OfflineMissError) as failed:
        before, _, derivation = str(failed).partition(UNSOLVED)
        if not derivation or isinstance(failed, OfflineMissError):
            raise
        told = f"{_building(before)}{_tidy(derivation)}"
        told = question.sourced.explained(told) if question.sourced else told
        raise _unsolved(question, bound, bounds, told) from None
    pins = decided.pins(answer.text, question.root)
    held = clashes.hold_hashes(pins, bounds)
    text = answer.text if held == pins else decided.without(answer.text, held)
    return Resolution(yanked.told(held, answer.said), text, answer.asked)


def _bounds(question: Question) -> tuple[clashes.Bound, ...]:
    if not question.constraints:
        return ()
    from tox_wheelfarm.locks.facts import target

    environment = target(question.python).environment
    bounds = clashes.holding(map(constraints.read, question.constraints), environment)
    clashes.refuse(question.requirements, question.folders, bounds, environment)
    return bounds


def _answer(question: Question, uv: Uv, bounds: tuple[clashes.Bound, ...]) -> Answer:
    if uv.offline is not Offline.AUTO:
        return _compiled(question, uv, fresh=uv.offline is Offline.NEVER)
    # Where several places are asked, which of them has a release decides, and a cache may know only some.
    if _may_be_exact(question) and not _has_several_places(uv):
        try:
            answer = _compiled(question, replace(uv, offline=Offline.ALWAYS))
        except (InstallFailedError, OfflineMissError):
            pass  # whatever was missing or stale: the network decides
        else:
            if _is_exact(decided.pins(answer.text, question.root), question, bounds):
                return answer
    return _compiled(question, replace(uv, offline=Offline.NEVER))


def _has_several_places(uv: Uv) -> bool:
    told = {**os.environ, **uv.variables}
    more = any(told.get(name) for name in ("UV_INDEX", "UV_EXTRA_INDEX_URL"))
    return more or bool(uv.variables.get("UV_FIND_LINKS") and not uv.variables.get("UV_NO_INDEX"))


def _compiled(question: Question, uv: Uv, fresh: bool = False) -> Answer:
    with tempfile.TemporaryDirectory(prefix="wheelfarm-") as folder:
        asked = Path(folder) / "asked.in"
        asked.write_text("".join(f"{line}\n" for line in _lines(question)), "utf-8")
        arguments = ["pip", "compile", "--format", "pylock.toml", "--no-header", "--no-progress", str(asked)]
        if question.sourced is not None and question.sourced.requirements:
            project = Path(folder) / "project" / "pyproject.toml"
            project.parent.mkdir()
            project.write_text(question.sourced.pyproject, "utf-8")
            arguments += [str(project)]
        arguments += ["--python", str(question.python)]
        arguments += [
            word for path in question.constraints for word in ("--constraints", str(path.resolve()))
        ]
        arguments += ["--resolution", "lowest-direct"] if question.lowest else []
        arguments += ["--prerelease", "allow"] if question.prereleases else []
        arguments += ["--exclude-newer", question.cutoff] if question.cutoff else []
        arguments += ["--refresh"] if fresh else []
        arguments += settings_flags(question.settings)
        arguments += [word for name in _built_here(question) for word in ("--refresh-package", name)]
        return uv.answer(arguments, cwd=question.root)


def _built_here(question: Question) -> list[str]:
    # What a build of them said before says nothing of now: uv looks at their pyproject.toml only.
    found = [*(question.sourced.folders if question.sourced is not None else ())]
    for folder in question.folders:
        with suppress(LockFileError):  # uv says better what is wrong with it
            found.append(Project.read(folder.path).name or canonicalize_name(folder.path.name))
    return [name for name in found if name]


def _lines(question: Question) -> list[str]:
    for line in question.requirements:
        if "\n" in line or (line.lstrip().startswith("-") and not OPTIONS.match(line)):
            raise ResolutionError(f"{line!r} is not a requirement; files are named with `-r` in `deps`")
    return [*question.requirements, *map(_folder_line, question.folders)]


def _folder_line(folder: Folder) -> str:
    extras = f"[{','.join(map(canonicalize_name, folder.extras))}]" if folder.extras else ""
    return f"{'-e ' if folder.editable else ''}{folder.path.resolve().as_uri()}{extras}"


def _may_be_exact(question: Question) -> bool:
    return bool(question.constraints) or all(map(_exact_version, map(_parsed, question.requirements)))


def _is_exact(pins: tuple[Pin, ...], question: Question, bounds: tuple[clashes.Bound, ...]) -> bool:
    """Whether newer data could not change the set: every release in it was named with its version."""
    told = [*map(_parsed, question.requirements), *(bound.requirement for bound in bounds)]
    named = {
        (canonicalize_name(requirement.name), version)
        for requirement in told
        if requirement and (version := _exact_version(requirement))
    }
    return all(pin.reference or (pin.name, Version(pin.version)) in named for pin in pins)


def _parsed(line: str) -> Requirement | None:
    try:
        return Requirement(line.partition(" #")[0].strip())
    except InvalidRequirement:
        return None


def _exact_version(requirement: Requirement | None) -> Version | None:
    for specifier in requirement.specifier if requirement else ():
        if specifier.operator in {"==", "==="} and not specifier.version.endswith(".*"):
            try:
                return Version(specifier.version)
            except InvalidVersion:
                return None
    return None


def _unsolved(
    question: Question, uv: Uv, bounds: tuple[clashes.Bound, ...], derivation: str
) -> ConstraintsError | ResolutionError:
    if question.constraints and _solved(replace(question, constraints=()), replace(uv, constraints=())):
        return ConstraintsError(clashes.explained(derivation, bounds))
    return ResolutionError(f"no set of releases satisfies what is asked for. {derivation}")


def _building(said: str) -> str:
    """Whose build it is about, if it is, by what uv said before the derivation."""
    if names := BUILT.findall(said):
        return f"{' and '.join(names)} cannot be built.\n"
    return "A folder cannot be built.\n" if "Failed to resolve requirements from" in said else ""


def _solved(question: Question, uv: Uv) -> bool:
    try:
        _compiled(question, uv)
    except OfflineMissError:
        return False
    except InstallFailedError as failed:
        return UNSOLVED not in str(failed)  # a build that fails has what it needs
    return True


def _tidy(derivation: str) -> str:
    """Uv's derivation without the frame of its message."""
    text = re.sub(r"^.*?cause:\s*", "", derivation, count=1, flags=re.DOTALL)
    text = text.replace(
        "`--index-strategy unsafe-best-match`", "`UV_INDEX_STRATEGY=unsafe-best-match` in set_env"
    )
    return re.sub(r"\s*\n\s*", "\n", text).strip()
