"""The change of an environment from what it holds to what was decided: removals, then one install.

Called by the installer with the state already removed, so that a kill in the middle is seen. Nothing is resolved, and
what needs no change is not touched.
"""

from __future__ import annotations

import tempfile
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from tox_wheelfarm import named_indexes, release_set, sources

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tox_wheelfarm.artifact import Artifact
    from tox_wheelfarm.decision import Case
    from tox_wheelfarm.locks.pin import Pin


class Change(NamedTuple):
    """What has to be done.

    Attributes:
        remove: normalised names that go.
        pins: releases to install.
        artifacts: the project, where it must be installed.
        anew: of those that are installed, the names whose files are others now.
        options: where files are and which are meant, as lines of a requirements file.
        settings: for builds: normalised name, and `key=value`.
        prints: what each release is installed from, as it was before (`release_set.prints`).
    """

    remove: tuple[str, ...]
    pins: tuple[Pin, ...]
    artifacts: tuple[Artifact, ...]
    anew: tuple[str, ...]
    options: tuple[str, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()
    prints: Mapping[str, str] = field(default_factory=dict)


def change(
    there: Mapping[str, str],
    known: Mapping[str, str],
    pins: Sequence[Pin],
    artifacts: Sequence[Artifact],
    spared: Iterable[str] | None,
    *,
    settings: Sequence[tuple[str, str]] = (),
    options: Sequence[str] = (),
) -> Change:
    """What leads from one to the other.

    Args:
        there: the versions that are installed, by normalised name.
        known: the print of what each was installed from (`release_set.prints`).
        pins: what was decided.
        artifacts: the project.
        spared: what stays though it was not decided; None for everything.
        settings: what is told to the builds of some (`deps.Deps`).
        options: where files are and which are meant, as lines of a requirements file.
    """
    prints = release_set.prints(pins, artifacts, settings, options)
    stale = {name for name in prints if name in there and known.get(name) != prints[name]}
    lacking = [pin for pin in pins if pin.name in stale or not _same(there.get(pin.name), pin.version)]
    strays = () if spared is None else tuple(sorted(set(there) - set(prints) - set(spared)))
    return Change(
        remove=strays,
        pins=tuple(lacking),
        artifacts=tuple(each for each in artifacts if each.name not in there or each.name in stale),
        anew=tuple(sorted(stale)),
        options=tuple(options),
        settings=tuple(settings),
        prints=prints,
    )


def carry_out(case: Case, steps: Change, *, heard: bool = False) -> str:
    """Do it, and give what uv had to say while it installed (its warnings).

    Args:
        case: for which environment.
        steps: of `change`.
        heard: whether all that an index says of the releases is known: then its pages are not read again.

    Raises:
        OfflineMissError: offline was asked for, and something is not in the cache.
        InstallFailedError: uv or pip failed.
    """
    if case.pip is not None:
        case.pip.uninstall([*steps.remove, *steps.anew])
        _by_pip(case, steps)
        return ""
    where = ["--python", str(case.python)]
    if steps.remove:
        case.uv.run(["pip", "uninstall", *where, *steps.remove], cwd=case.root, network=False)
    if heard and _from_cache(case, steps, where):
        return ""
    flags = [word for name in steps.anew for word in ("--reinstall-package", name)]
    # uv takes a folder for the same as long as its pyproject.toml is.
    flags += [word for name in sources.rebuilt(steps.pins) for word in ("--refresh-package", name)]
    flags += [f"--config-setting={key}={value}" for key, value in _settings(steps.artifacts)]
    flags += settings_flags(steps.settings)
    said = ""
    with named_indexes.told(case.uv, case.root, steps.pins) as uv:
        for index, pins, artifacts in _runs(steps, case.uv.variables):
            listed = case.folder / ".wheelfarm-set.txt"
            options = index + release_set.option_lines(steps.options, case.uv.variables)
            listed.write_text(release_set.text(pins, artifacts, options), "utf-8")
            hashed = ["--require-hashes"] if release_set.hashed(pins, artifacts) else []
            command = ["pip", "install", "--no-deps", *where, *hashed, *flags, "-r", str(listed)]
            said += uv.answer(command, cwd=case.root, meanwhile=_meanwhile).said
    return said


def _runs(
    steps: Change, variables: Mapping[str, str]
) -> Iterator[tuple[tuple[str, ...], Sequence[Pin], Sequence[Artifact]]]:
    """What uv installs in one run each: the line for an index, and what is from there; the project is in the last."""
    grouped = release_set.by_index(steps.pins, variables)
    last = grouped.pop((), [])
    yield from ((index, pins, ()) for index, pins in grouped.items())
    if last or steps.artifacts:
        yield (), last, steps.artifacts


def _from_cache(case: Case, steps: Change, where: Sequence[str]) -> bool:
    """Install wheels that uv's cache has, by their files alone; False where one is lacking, or more is to be done."""
    index = release_set.only_index(steps.pins, case.uv.variables)
    more = steps.artifacts or steps.anew or steps.options or steps.settings
    if more or not index or not steps.pins or not all(map(release_set.is_wheel, steps.pins)):
        return False
    # A folder that nobody else can look into: the index may have a token in its path.
    with tempfile.TemporaryDirectory(prefix="wheelfarm-") as folder:
        listed = Path(folder) / "pylock.toml"
        listed.write_text(release_set.pylock(steps.pins, index), "utf-8")
        command = ["pip", "install", "--no-deps", *where, "-r", str(listed)]
        # What fails is tried once more with the index, and told then.
        return case.uv.from_cache(command, cwd=case.root, meanwhile=_meanwhile)


def _meanwhile() -> None:
    """Load what looks at the result."""
    from tox_wheelfarm import conflicts  # noqa: F401 - used by `settlement`, right after this


def _by_pip(case: Case, steps: Change) -> None:
    from tox_wheelfarm.locks.pin import Pin
    from tox_wheelfarm.resolution import Folder

    if case.pip is None:
        return
    files = [each for each in steps.artifacts if not each.editable]
    folders = [Folder(each.path, (), True) for each in steps.artifacts if each.editable]
    built = [Pin(each.name, "", reference=each.path.absolute().as_uri()) for each in files]
    work, options = case.folder / "tmp", release_set.option_lines(steps.options, case.uv.variables)
    case.pip.install([*steps.pins, *built], folders, case.constraints, work, options)


def _settings(artifacts: Iterable[Artifact]) -> list[tuple[str, str]]:
    return [setting for each in artifacts for setting in each.settings]


def settings_flags(settings: Iterable[tuple[str, str]]) -> list[str]:
    """How uv is told what some builds are to be told."""
    return [f"--config-settings-package={name}:{setting}" for name, setting in settings]


def _same(there: str | None, version: str) -> bool:
    if there is None:
        return False
    if not version:
        return True  # A direct reference: what it is was compared by its print.
    try:
        return Version(there) == Version(version)
    except InvalidVersion:
        return canonicalize_name(there) == canonicalize_name(version)


def residue(folders: Iterable[Path], names: Iterable[str]) -> tuple[str, ...]:
    """Of these names, those that are still there: without a RECORD nothing can tell which files are theirs."""
    from tox_wheelfarm.installed import names as there

    left = there(folders)
    return tuple(name for name in names if name in left)
