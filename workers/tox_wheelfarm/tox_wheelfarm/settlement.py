"""What the installer has to know to settle an order: the case, its fingerprints, the check, and the record.

Called by the installer only. It reads files of the project and the environment; installing is not done here.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platformdirs import user_cache_path

from tox_wheelfarm import (
    answers,
    decision,
    last_decision,
    options,
    release_set,
    sources,
    unlocked,
    uv_cache,
    variables,
)
from tox_wheelfarm.digests import digest, digests
from tox_wheelfarm.errors import (
    ConflictError,
    PoetryNotInstalledError,
    RequiresUnsafeDepError,
    YankedError,
)
from tox_wheelfarm.locked import PROJECT
from tox_wheelfarm.order import fingerprint
from tox_wheelfarm.uv import Offline

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tox_wheelfarm.conflicts import Conflict
    from tox_wheelfarm.decision import Case, Decision
    from tox_wheelfarm.installed import Installed
    from tox_wheelfarm.locks.pin import Pin
    from tox_wheelfarm.order import Order
    from tox_wheelfarm.runner import Runner
    from tox_wheelfarm.state import State

LOGGER = logging.getLogger(__name__)

NEVER_DECIDES = ("offline", "threads", "prune", "require_poetry")
"""Settings that a fingerprint leaves out."""


def case(runner: Runner, order: Order) -> Case:
    """The case of an environment.

    Raises:
        ConstraintsError: a constraints file cannot be had.
        PoetryNotInstalledError: poetry is asked for.
    """
    settings = runner.settings
    if settings.require_poetry:
        _poetry(
            "--require-poetry"
            if getattr(runner.options, "require_poetry", False)
            else "require_poetry = true"
        )
    root = options.folder(runner.core, "package_root")
    files = _constraints(settings, order, Path(runner.core["toxinidir"]))
    uv = runner.uv(settings.offline, files)
    uv = replace(uv, variables=order.lines.over(uv.variables))
    python = runner.env_python()
    pip = runner.pip(uv) if runner.interpreter.version_info[:2] < (3, 6) else None
    return decision.Case(
        root, python, runner.env_dir, settings, runner.lockfile, files, uv, pip, runner.ahead
    )


def prints(runner: Runner, order: Order, case: Case) -> dict[str, str]:
    """Fingerprints of everything that decides what is installed, by phase."""
    settings = {name: value for name, value in vars(case.options).items() if name not in NEVER_DECIDES}
    places = variables.places(case.uv.environment())
    files = [digest(path) for path in case.constraints]
    locked = []
    if case.lockfile is None and unlocked.asks(case.options, order):
        locked = [*map(digest, _project(case.root))]
    elif case.lockfile is not None:
        locked = [str(case.lockfile), *map(digest, [case.lockfile, *_project(case.root)])]
    if case.lockfile is None:
        from tox_wheelfarm import uv_sources

        locked += [uv_sources.digest(case.root)]
    folders = [digest(each.path / "pyproject.toml") for each in order.lines.folders]
    asked = (
        settings,
        vars(order.lines),
        order.groups,
        order.group_requirements,
        places,
        sources.listed(case.uv.variables.get("UV_FIND_LINKS", "")),
        files,
        locked,
        folders,
    )
    built = [(each.name, each.requires, each.extras, each.content, each.editable) for each in order.artifacts]
    package = (built, order.package_requirements, order.deps_only, order.extras)
    return (
        {"deps": fingerprint(asked), "package": fingerprint(package)}
        if not runner.without_package
        else {"deps": fingerprint(asked)}
    )


def question(runner: Runner, order: Order, case: Case, prints: Mapping[str, str]) -> last_decision.Question:
    """What a lock file is asked.

    Args:
        runner: of the environment.
        order: what was asked for.
        case: the same as `case` gave it.
        prints: of `prints`.
    """
    if case.lockfile is None or case.pip is not None or case.options.stale_lock != "error":
        return last_decision.Question("")
    project = [(each.name, each.extras) for each in order.artifacts]
    asked = (project, order.package_requirements, order.deps_only, order.extras)
    told = fingerprint(prints["deps"], asked, runner.interpreter.as_json(), answers.system())
    index = release_set.only_index((), case.uv.variables)
    if case.options.offline is Offline.NEVER or not index.startswith(("http://", "https://")):
        return last_decision.Question(told)  # asked anyway, or of a folder that uv keeps no page of
    return last_decision.Question(told, uv_cache.pages(case.uv.environment()))


def news(held: State, asked: last_decision.Question) -> bool:
    """Whether uv has heard something of an index since the withdrawals in a lock file's set were looked up."""
    return bool(held.pages and asked.pages) and held.pages != asked.pages


def same(held: State, prints: Mapping[str, str], there: Mapping[str, str], runner: Runner) -> bool:
    """Whether the environment is already what is asked for."""
    if not held.order or any(held.order.get(name) != value for name, value in prints.items()):
        return False
    if not sources.unchanged(held.sources) or digests(held.read) != held.read:
        return False
    if runner.settings.prune and not runner.without_package:
        strays = set(held.versions) - set(held.releases) - runner.fixtures
        return dict(held.versions) == dict(there) and not strays
    return all(there.get(name) == held.versions.get(name) for name in held.releases)


def decide(case: Case, order: Order, asked: last_decision.Question, *, look: bool = False) -> Decision:
    """Decide, and speak of the withdrawn releases that are known of before anything is fetched.

    Args:
        case: of `case`.
        order: what was asked for.
        asked: of `question`.
        look: whether withdrawals are looked up in uv's cache. An install tells them in passing.

    Raises:
        YankedError: one would be installed, and the settings refuse that.
    """
    last = last_decision.read(case.folder) if asked.asked else None
    decided = _marked(case, (last and last.answer(asked)) or decision.decide(case, order), look=look)
    _speak(case, [pin for pin in decided.pins if pin.yanked is not None])
    return decided


def heard(
    case: Case, decided: Decision, asked: last_decision.Question, said: str, *, whole: bool
) -> Decision:
    """The decision with what uv said of withdrawn releases while it installed: it has just seen the index's pages.

    Args:
        case: of `case`.
        decided: of `decide`.
        asked: of `question`, from before the install.
        said: by uv.
        whole: whether all releases were installed, so that uv has spoken of each.

    Raises:
        YankedError: one was installed, and the settings refuse that.
    """
    if decided.heard and not said:
        return decided
    from tox_wheelfarm import yanked

    known = {pin.name for pin in decided.pins if pin.yanked is not None}
    pins = yanked.told(decided.pins, said)
    if (
        decided.lock is not None
        and not whole
        and case.options.offline is not Offline.NEVER
        and case.pip is None
    ):
        from tox_wheelfarm.named import marked

        # Of what stays as it was uv has said nothing.
        pins = marked(pins, case.python, case.uv, decided.options)
    _speak(case, [pin for pin in pins if pin.yanked is not None and pin.name not in known])
    decided = decided._replace(pins=pins)
    if decided.alone:
        last_decision.write(case.folder, asked if whole else asked._replace(pages=""), decided)
    return decided


def _speak(case: Case, yanked: Sequence[Pin]) -> None:
    if not yanked:
        return
    told = ", ".join(f"{pin.name} {pin.version} ({pin.yanked or 'no reason given'})" for pin in yanked)
    if case.options.yanked == "refuse":
        raise YankedError(f"withdrawn by their authors: {told}; choose others, or set yanked = warn")
    LOGGER.warning("withdrawn by their authors: %s", told)


def _marked(case: Case, decided: Decision, *, look: bool) -> Decision:
    # A resolution has said it already; a lock does not know what was withdrawn after it was made.
    if decided.lock is None:
        return decided
    from tox_wheelfarm import yanked

    known = decided.heard or case.options.offline is Offline.NEVER or case.pip is not None
    if (look or case.options.yanked == "refuse") and not known:
        # Before anything is installed; what is only warned of is heard from the install itself, which costs nothing.
        from tox_wheelfarm.named import marked

        pins = marked(decided.pins, case.python, case.uv, decided.options)
        decided = decided._replace(pins=pins)
    places = yanked.indexes(case.uv.variables)
    ours = user_cache_path("tox-wheelfarm")
    if case.options.offline is Offline.NEVER:
        return decided._replace(pins=yanked.asked(decided.pins, places, ours))
    return decided._replace(pins=yanked.kept(decided.pins, places, ours, case.uv.environment()))


def check(runner: Runner, order: Order, decided: Decision, found: Mapping[str, Installed]) -> None:
    """Hold what is installed against itself.

    Raises:
        RequiresUnsafeDepError: pip, setuptools or wheel is needed, and the lock gives none.
        ConflictError: something else does not fit; all of it is told.
    """
    if order.lines.no_deps or runner.without_package:
        return
    from tox_wheelfarm import conflicts
    from tox_wheelfarm.installed import seen
    from tox_wheelfarm.locked import UNSAFE

    lenient = (
        set()
        if runner.settings.install_project_deps is not False
        else {each.name for each in order.artifacts}
    )
    there = dict(found)
    if runner.conf["system_site_packages"]:
        there = {**seen([Path(path) for path in runner.interpreter.system]), **there}
    problems = conflicts.find(there, decided.roots, runner.interpreter.markers, lenient)
    # What only the base's own packages quarrel about is not ours.
    problems = tuple(each for each in problems if len(each.chain) < 2 or _begins_in(each, found))
    unsafe = [each for each in problems if each.name in UNSAFE and not each.found]
    if decided.lock and unsafe and len(unsafe) == len(problems):
        raise RequiresUnsafeDepError(
            f"{decided.lock.path} gives no exact version: {'; '.join(map(str, unsafe))}; "
            "lock again with a tool that does not leave it out, or name it in seed or deps"
        )
    if problems:
        lines = "".join(f"\n - {problem}" for problem in problems)
        raise ConflictError(f"what is installed does not fit together ({len(problems)} in all):{lines}")


def record(case: Case, decided: Decision, folders: Iterable[Path], *, reported: bool) -> dict[str, Any]:
    """What the result of a run says of the set (`wheelfarm` in --result-json).

    Args:
        case: what was asked for.
        decided: what came of it.
        folders: the environment's packages.
        reported: whether this run reports: then files that a lock file does not name are looked up in uv's cache.
            What files alone decided is not told before it is asked for: it can be told at any time.
    """
    if decided.alone and not reported:
        return {}
    from tox_wheelfarm import record as records
    from tox_wheelfarm.locks.facts import target
    from tox_wheelfarm.named import named

    if case.pip is not None:
        from tox_wheelfarm import old_install

        pins = old_install.named(case.pip, decided.pins)
    else:
        look = reported or decided.lock is not None
        pins = named(decided.pins, case.python, case.uv, decided.options) if look else decided.pins
    # Where the lock names no files, what was named now may be more than one.
    pins = decision.one_file_each(case, pins, decided.options)
    text = records.pylock_text(pins, target(case.python))
    return records.entry(case.options.installer, pins, text, folders, decided.lock, case.constraints)


def _begins_in(problem: Conflict, found: Mapping[str, Installed]) -> bool:
    return problem.chain[0] == "you asked for" or problem.chain[0].partition(" ")[0] in found


def _constraints(settings: options.Options, order: Order, root: Path) -> tuple[Path, ...]:
    words = [*order.lines.constraints]
    if settings.installer in {options.CONSTRAINTS, options.LOCKFILE}:
        words += settings.constraints
    if not words:
        return ()
    from tox_wheelfarm import constraints

    return tuple(constraints.collect(words, root, user_cache_path("tox-wheelfarm"), settings.offline))


def _poetry(given: str) -> None:
    from importlib.util import find_spec

    if find_spec("poetry") is None:
        raise PoetryNotInstalledError(
            f"{given} was given, and poetry cannot be imported where tox runs: install it there, or leave that out "
            "(nothing else here needs poetry)"
        )


def _project(root: Path) -> list[Path]:
    return [root / name for name in PROJECT]
