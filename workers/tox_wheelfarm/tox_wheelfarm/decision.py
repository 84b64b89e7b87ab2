"""Which releases an environment gets, and what decided that.

Called by the installer once tox has asked for everything. A lock file is read and never resolved; the other ways
resolve once, and what came of it is as exact as a lock. Nothing is installed here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from tox_wheelfarm import release_set
from tox_wheelfarm.deps import ARCHIVES
from tox_wheelfarm.errors import HashMissingError, ResolutionError
from tox_wheelfarm.locks.trust import DistrustError
from tox_wheelfarm.options import LOCKFILE, LOWEST

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from tox_wheelfarm.deps import Deps
    from tox_wheelfarm.locked import Reading
    from tox_wheelfarm.locks.lock import Lock
    from tox_wheelfarm.locks.pin import Pin
    from tox_wheelfarm.locks.target import Target
    from tox_wheelfarm.options import Options
    from tox_wheelfarm.order import Order
    from tox_wheelfarm.pip import Pip
    from tox_wheelfarm.resolution import Folder
    from tox_wheelfarm.uv import Uv
    from tox_wheelfarm.uv_sources import Sourced


@dataclass(frozen=True)
class Case:
    """An environment for which something is to be decided.

    Attributes:
        root: the project's folder.
        python: the environment's interpreter.
        folder: the environment, where files may be put.
        options: its settings; `installer` is no longer `auto`.
        lockfile: the lock file, with `installer = lockfile`.
        constraints: the files of constraints, whatever they came from.
        uv: how uv is run.
        pip: the environment's own pip, where uv cannot fill it (Python 2.7); None elsewhere.
        ahead: the lock file and the project, where they were read already (`locked.ahead`).
        sourced: requirements of the project that `[tool.uv.sources]` says the place of, where no lock file decides.
    """

    root: Path
    python: Path
    folder: Path
    options: Options
    lockfile: Path | None
    constraints: tuple[Path, ...]
    uv: Uv
    pip: Pip | None = None
    ahead: Reading | None = None
    sourced: Sourced | None = None


class LockFile(NamedTuple):
    """What stays of a lock file once it has decided.

    Attributes:
        path, sha256, format: as `Lock` has them.
        files: as `locked.Reading` has them: if one is another, so may be what was decided.
    """

    path: Path
    sha256: str
    format: str
    files: Mapping[str, str] = {}


class Decision(NamedTuple):
    """What is to be installed beside the project itself.

    Attributes:
        pins: by name, each once, exact.
        lock: the lock file that decided, if one did.
        roots: what was asked for (PEP 508), for the chains of conflicts.
        options: where its files are and which are meant, as lines of a requirements file.
        alone: whether files decided it and nothing else: nothing was resolved, and no index named a file.
        heard: whether no index has said anything since the withdrawals in the pins were looked up.
    """

    pins: tuple[Pin, ...]
    lock: LockFile | None = None
    roots: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    alone: bool = False
    heard: bool = False


def decide(case: Case, order: Order) -> Decision:
    """Decide on the set.

    Raises:
        InstallerError: there is no such set; any of its classes but those of installing.
    """
    found = _from_lock(case, order) if case.options.installer == LOCKFILE else _without_lock(case, order)
    options = (*found.options, *order.lines.formats)
    pins = found.pins
    if case.pip is None:
        if found.lock is not None and any(not file.name for pin in pins for file in pin.files):
            from tox_wheelfarm.named import named

            pins = named(pins, case.python, case.uv, options)
            found = found._replace(alone=False)
        pins = one_file_each(case, pins, options)
        if found.lock is None:
            from tox_wheelfarm import uv_sources

            pins = uv_sources.direct(pins, (case.root, *(folder.path for folder in order.lines.folders)))
    return found._replace(pins=pins, options=options)


def one_file_each(case: Case, pins: Sequence[Pin], options: Sequence[str]) -> tuple[Pin, ...]:
    """The pins with the one file that this interpreter takes: then no build that a cache has can stand for it.

    Args:
        case: for which interpreter.
        pins: those of which no file has a name come back as they are.
        options: what says of which releases only sources are meant, as lines of a requirements file.
    """
    from tox_wheelfarm.locks import facts

    target = facts.target(case.python)
    return tuple(_one_file(pin, options, target) for pin in pins)


def _one_file(pin: Pin, options: Sequence[str], target: Target) -> Pin:
    from tox_wheelfarm.locks import selection

    if pin.reference or not all(file.name for file in pin.files):
        return pin
    built = release_set.says(options, "--no-binary", pin.name)
    sources = tuple(file for file in pin.files if not file.name.endswith(".whl"))
    try:
        best = selection.best((built and sources) or pin.files, target)
    except DistrustError:  # an index may have files with names that are none; uv passes over them
        return pin
    return replace(pin, files=(best,)) if best else pin


def _without_lock(case: Case, order: Order) -> Decision:
    from tox_wheelfarm import unlocked

    return unlocked.requirements(case, order).first(lambda named: _resolving(case, order, named))


def _resolving(case: Case, order: Order, named: Sequence[str]) -> Decision:
    from tox_wheelfarm import uv_sources

    whole = case.options.install_project_deps is not False
    own = [line for artifact in order.artifacts if whole for line in artifact.requires]
    project = [
        *order.group_requirements,
        *order.package_requirements,
        *own,
        *named,
    ]
    sourced = uv_sources.sourced(case, order, project)
    plain = [line for line in project if line not in sourced.requirements]
    wanted = [*_lines(order), *plain, *case.options.seeds]
    pins = _resolved(replace(case, sourced=sourced), order, wanted)
    return Decision(_by_name(pins), None, _roots([*wanted, *sourced.requirements], order))


def _from_lock(case: Case, order: Order) -> Decision:
    from tox_wheelfarm import locked

    reading, pins = locked.select(case, order)
    lock = reading.lock
    _refuse_unhashed(lock, pins, case.options.allow_unhashed)
    extra = [*_lines(order), *(seed for seed in case.options.seeds if seed not in {pin.name for pin in pins})]
    if case.options.require_locked_deps:
        locked.require(extra, order.lines.folders)
    if extra or order.lines.folders:
        held = _as_constraints(case, lock, pins)
        bound = replace(case, constraints=(*case.constraints, held))
        known = {pin.name for pin in pins}
        pins = (*pins, *(pin for pin in _resolved(bound, order, extra) if pin.name not in known))
        pins = tuple(_promised(pin, order.lines.hashes) for pin in pins)
    # Those from the lock are not roots: the walk of conflicts finds where each begins.
    told = LockFile(lock.path, lock.sha256, lock.format, reading.files)
    alone = not extra and not order.lines.folders
    return Decision(_by_name(pins), told, _roots(extra, order), lock.options, alone)


def _lines(order: Order) -> list[str]:
    return list(order.lines.requirements)


def _roots(lines: Iterable[str], order: Order) -> tuple[str, ...]:
    # A bare URL has no name yet; what it brings is a root of its own.
    named = [str(each) for each in map(_parsed, lines) if each is not None]
    return (*named, *(each.name + _bracketed(each.extras) for each in order.artifacts))


def _bracketed(extras: Collection[str]) -> str:
    return f"[{','.join(sorted(extras))}]" if extras else ""


def _parsed(line: str) -> Requirement | None:
    try:
        return Requirement(line)
    except InvalidRequirement:
        return None


def _as_constraints(case: Case, lock: Lock, pins: Sequence[Pin]) -> Path:
    from tox_wheelfarm.constraints import MARK

    path = case.folder / ".wheelfarm-locked.txt"
    lines = [f"{pin.name}=={pin.version}" for pin in pins if pin.version and not pin.reference]
    # A clash names the lock file, not this one.
    header = json.dumps({"source": str(lock.path), "sha256": lock.sha256, "lines": False})
    path.write_text("\n".join([*lines, MARK + header]) + "\n", "utf-8")
    return path


def _resolved(case: Case, order: Order, wanted: Sequence[str]) -> tuple[Pin, ...]:
    if not wanted and not order.lines.folders and not _has_sources(case):
        return ()
    own = {artifact.name for artifact in order.artifacts}
    if order.lines.no_deps:
        return _each_alone(case, order, wanted)
    try:
        pins = _without_own(case, order, _asked(case, order, wanted))
        if not own & {pin.name for pin in pins}:
            return _with_hashes(case, order, pins)
    except ResolutionError as wrong:
        if order.lines.folders or not any(name in str(wrong).lower() for name in own):
            raise
    # Something needs the project itself: then this build of it is the one, not a release of the index.
    pins = _asked(case, order, [*wanted, *(artifact.reference for artifact in order.artifacts)])
    return _with_hashes(case, order, [pin for pin in pins if pin.name not in own])


def _has_sources(case: Case) -> bool:
    return case.sourced is not None and bool(case.sourced.requirements)


def _without_own(case: Case, order: Order, pins: Iterable[Pin]) -> tuple[Pin, ...]:
    # A folder of deps that is the project itself (`deps = .[test]`) brings its extras; tox brings the project. So does
    # a member of its workspace that needs it.
    own = {artifact.name for artifact in order.artifacts}
    folders = {str(folder.path) for folder in order.lines.folders}
    folders |= {str(case.root.resolve())} if _has_sources(case) else set()
    return tuple(pin for pin in pins if pin.name not in own or pin.reference not in folders)


def _each_alone(case: Case, order: Order, wanted: Sequence[str]) -> tuple[Pin, ...]:
    # --no-deps: the newest of each line of deps that this line allows, whatever the others think of it.
    without = replace(order, lines=replace(order.lines, folders=()))
    alone = replace(case, sourced=None)
    found: dict[str, Pin] = {}
    for line in order.lines.requirements:
        asked = _parsed(line)
        name = canonicalize_name(asked.name) if asked else ""
        for pin in _asked(alone, without, [line]):
            if not name or pin.name == name:
                found.setdefault(pin.name, pin)
    for folder in order.lines.folders:
        for pin in _asked(alone, replace(order, lines=replace(order.lines, folders=(folder,))), ()):
            if pin.reference and Path(pin.reference) == folder.path:
                found.setdefault(pin.name, pin)
    # The option is of deps: what the project needs comes with all that it needs.
    others = [line for line in wanted if line not in order.lines.requirements]
    if others or _has_sources(case):
        for pin in _asked(case, without, others):
            found.setdefault(pin.name, pin)
    return _with_hashes(case, order, _without_own(case, order, found.values()))


def _asked(case: Case, order: Order, wanted: Sequence[str]) -> tuple[Pin, ...]:
    from tox_wheelfarm.resolution import Folder, Question, resolve

    options = case.options
    folders = [Folder(each.path, tuple(sorted(each.extras)), each.editable) for each in order.lines.folders]
    if case.pip is not None:
        return _by_pip(case, wanted, folders, order.lines)
    question = Question(
        requirements=(*order.lines.formats, *wanted),
        settings=order.lines.settings,
        folders=tuple(folders),
        constraints=case.constraints,
        python=case.python,
        lowest=options.installer == LOWEST,
        prereleases=options.prereleases or order.lines.prereleases,
        cutoff=options.cutoff,
        root=case.root,
        sourced=case.sourced,
    )
    return resolve(question, case.uv).pins


def _by_pip(case: Case, wanted: Sequence[str], folders: Sequence[Folder], lines: Deps) -> tuple[Pin, ...]:
    from tox_wheelfarm.locks.pin import Pin
    from tox_wheelfarm.locks.project import Project

    options = case.options
    pip = cast("Pip", case.pip)
    lowest = options.installer == LOWEST
    if lines.settings:
        raise ResolutionError(f"--config-settings cannot be had: the pip of {case.python} knows none")
    words = [*lines.formats, *(["--pre"] if options.prereleases or lines.prereleases else [])]
    pins = pip.resolve(wanted, case.constraints, lowest, folders, words, options.cutoff)
    # That pip leaves the folders themselves out.
    places = [
        Pin(
            Project.read(each.path).name or each.path.name,
            "",
            reference=str(each.path),
            editable=each.editable,
        )
        for each in folders
    ]
    return (*pins, *places)


def _with_hashes(case: Case, order: Order, pins: Sequence[Pin]) -> tuple[Pin, ...]:
    # Hashes that a file of -r gives are a promise: of the files of that release only these may be installed.
    lines = order.lines
    held = tuple(_promised(pin, lines.hashes) for pin in pins)
    if not lines.all_hashed:
        return held
    # As in pip: where one line has a hash, all that deps bring must have one; the project's own is asked for apart.
    bare = [pin for pin in pins if not {pin.name, pin.reference} & set(lines.hashes)]
    if bare and not lines.no_deps:
        alone = {pin.name for pin in _asked(replace(case, sourced=None), order, lines.requirements)}
        bare = [pin for pin in bare if pin.name in alone]
    if bare:
        names = ", ".join(f"{pin.name} {pin.version}".strip() for pin in bare)
        raise HashMissingError(
            f"deps have hashes, so that each release that they bring needs one (--hash), and {names} has none"
        )
    return held


def _promised(pin: Pin, promises: Mapping[str, tuple[str, ...]]) -> Pin:
    hashes = promises.get(pin.name, promises.get(pin.reference))
    if hashes is None:
        return pin
    allowed = [(file, tuple(each for each in file.hashes if each in hashes)) for file in pin.files]
    files = tuple(replace(file, hashes=held) for file, held in allowed if held)
    if not files:
        told = ", ".join(hashes) or "the lines contradict one another"
        what = f"{pin.name} {pin.version}".strip()
        raise HashMissingError(f"no file of {what} has a hash that deps allow ({told})")
    return replace(pin, files=files)


def _by_name(pins: Iterable[Pin]) -> tuple[Pin, ...]:
    return tuple(sorted(pins, key=lambda pin: pin.name))


def _refuse_unhashed(lock: Lock, pins: Iterable[Pin], allowed: frozenset[str]) -> None:
    bare = [pin for pin in pins if not _is_exact(pin) and pin.name not in allowed]
    if bare:
        names = ", ".join(f"{pin.name} {pin.version}".strip() for pin in bare)
        raise HashMissingError(
            f"{lock.path} has no hash for {names}: lock again with hashes, or name what may be installed without "
            f"one: allow_unhashed = {', '.join(sorted(allowed.union(pin.name for pin in bare)))}"
        )


def _is_exact(pin: Pin) -> bool:
    if pin.hashes:
        return True
    # A commit is a hash of what it holds; a folder is the developer's own.
    reference = pin.reference.partition("#")[0]
    scheme = reference.partition(":")[0]
    return "+" in scheme or (
        bool(reference) and scheme not in {"http", "https"} and not reference.lower().endswith(ARCHIVES)
    )
