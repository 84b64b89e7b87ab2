"""Cells for a project without tox configuration, and for a wheel: on every Python that fits, with a tox.ini of ours.

Called by planning. It says in notes what was inferred and why; it never looks further than static files.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from packaging.tags import Tag, compatible_tags, cpython_tags

from farm_scheduler.cibuildwheel import ROOT, WheelSettings, wheel_settings
from farm_scheduler.interpreters import Interpreter, SystemImage, read_request, version_order
from farm_scheduler.network_needs import network_requirement
from farm_scheduler.plan import NARROWED_AWAY, Note, PlannedCell
from farm_scheduler.project_files import ProjectFiles
from farm_scheduler.project_metadata import ProjectMetadata
from farm_scheduler.requirement_sources import find_needs
from farm_scheduler.runners import find_runner
from farm_scheduler.smoke import COMMANDS
from farm_scheduler.tox_choice import NEEDS_OLD_VIRTUALENV, NEEDS_TOX_3, OLD_VIRTUALENV
from farm_scheduler.verdicts import Verdict
from farm_scheduler.wheel_archive import Wheel, wheel_of

OLD_ROOT = "{[tox]setupdir}"
"""What tox 3 calls the project's folder, when the configuration lies elsewhere."""

GLIBC_MINOR = 43
"""No glibc of our systems is newer than 2.43; a wheel for one newer than its system's is left to pip to refuse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inferred:
    """What a project's tox configuration would say.

    Attributes:
        deps: lines of `deps`; `{tox_root}` is the project's folder.
        package: whether the project is built and installed; a wheel stands in `deps`.
        alone: whether the commands run outside the project's folder.
        reasons: what was inferred, and from what.
    """

    commands: tuple[str, ...]
    deps: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    package: bool = True
    alone: bool = False
    reasons: tuple[str, ...] = ()


def infer(files: ProjectFiles, metadata: ProjectMetadata) -> Inferred:
    """How the project, or the wheel, is tested."""
    wheel = wheel_of(files)
    if wheel is not None:
        reason = (
            "a wheel: it is installed, its top-level modules are imported, and pip checks its dependencies"
        )
        return Inferred(commands=COMMANDS, deps=(f"{ROOT}/{wheel.file}",), package=False, reasons=(reason,))
    runner = find_runner(files)
    if runner.name == "none":
        does = (
            "it is built and installed, its top-level modules are imported, and pip checks its dependencies"
        )
        return Inferred(commands=COMMANDS, reasons=(f"no tests, as {runner.reason}: {does}",))
    needs = find_needs(files, metadata, of_wheels=runner.of_wheels)
    # Named twice, the last pip for Python 2.7 would refuse it.
    own = [each for each in runner.deps if each not in needs.named]
    with_needs = f", with {', '.join(needs.said)}" if needs.said else ""
    return Inferred(
        commands=runner.commands,
        deps=(*own, *needs.requirements, *(f"-r{ROOT}/{path}" for path in needs.files)),
        extras=needs.extras,
        alone=runner.alone,
        reasons=(f"{runner.name}, as {runner.reason}{with_needs}",),
    )


def infer_cells(
    files: ProjectFiles,
    metadata: ProjectMetadata,
    systems: Sequence[SystemImage],
    pythons: frozenset[str] | None,
    declared: Collection[str] = (),
) -> tuple[list[PlannedCell], list[Note]]:
    """One cell per Python and system, and the notes: first what was inferred, then what was left out.

    `pythons` are those that the person leaves, `declared` those that the project names.
    """
    inferred = infer(files, metadata)
    wheel = wheel_of(files)
    wheels = wheel_settings(files)
    url = network_requirement(inferred.deps, files)
    unsupported = f"needs network ({url})" if url else None
    read = (read_request(text) for text in {*(pythons or ()), *declared})
    requests = [request for request in read if request is not None]
    cells: list[PlannedCell] = []
    left_out: dict[str, str] = {}
    for system in systems:
        for interpreter in system.working():
            asked = any(request.fits(interpreter) for request in requests)
            named = asked or runs_unasked(interpreter, metadata, wheel) or wheels.enables(interpreter)
            if not named:
                continue
            reason = _reason(interpreter, metadata, pythons, wheel)
            if reason is None and not asked:
                reason = wheels.leaves_out(interpreter)
            name = environment_name(interpreter.name)
            if reason is None:
                cell = _cell(interpreter.name, system, inferred, unsupported)
                # Of a wheel nothing better can be had: its tests are not in it.
                cells.append(replace(cell, expected=Verdict.NO_TESTS) if wheel else cell)
            else:
                left_out[name] = reason
    placed = {name for cell in cells for name in cell.environments}
    notes = [Note(environment=None, reason=f"inferred: {reason}") for reason in inferred.reasons]
    notes.append(Note(environment=None, reason=_matrix(metadata, wheels)))
    notes += [
        Note(environment=name, reason=reason) for name, reason in left_out.items() if name not in placed
    ]
    return cells, notes


def environment_name(python: str) -> str:
    """The tox environment of a Python: `3.12` is `py312`, `pypy3.10` is `pypy310`."""
    return ("py" if python[:1].isdigit() else "") + python.replace(".", "")


def inferred_ini(python: str, inferred: Inferred) -> str:
    """The tox.ini of one Python."""
    old = python in NEEDS_TOX_3
    lines = ["[tox]", f"{'envlist' if old else 'env_list'} = {environment_name(python)}"]
    if not inferred.package:
        lines.append("skipsdist = true" if old else "no_package = true")
    lines += ["", "[testenv]"]
    if inferred.deps:
        lines += _setting("deps", _of_age(inferred.deps, old=old))
    if inferred.extras:
        lines += _setting("extras", inferred.extras)
    if python in NEEDS_OLD_VIRTUALENV:
        lines.append(f"virtualenv_spec = {OLD_VIRTUALENV}")
    if inferred.alone:
        lines.append("changedir = {envtmpdir}" if old else "change_dir = {env_tmp_dir}")
    return "\n".join([*lines, *_setting("commands", _of_age(inferred.commands, old=old)), ""])


def _of_age(lines: Sequence[str], *, old: bool) -> list[str]:
    """The lines as the tox of this Python calls the project's folder."""
    return [each.replace(ROOT, OLD_ROOT) if old else each for each in lines]


def _setting(key: str, values: Sequence[str]) -> list[str]:
    return (
        [f"{key} = {values[0]}"] if len(values) == 1 else [f"{key} =", *(f"    {value}" for value in values)]
    )


def _cell(python: str, system: SystemImage, inferred: Inferred, unsupported: str | None) -> PlannedCell:
    return PlannedCell(
        python=python,
        system=system.name,
        environments=(environment_name(python),),
        tool="tox3" if python in NEEDS_TOX_3 else "tox",
        inferred=inferred_ini(python, inferred),
        unsupported=unsupported,
    )


def _reason(
    interpreter: Interpreter, metadata: ProjectMetadata, pythons: frozenset[str] | None, wheel: Wheel | None
) -> str | None:
    if not metadata.allows(interpreter.version):
        required = metadata.requires_python
        return f"requires-python {required} does not allow it" if required else "no classifier names it"
    if pythons is not None and interpreter.name not in pythons:
        return f"{NARROWED_AWAY}: --python asks for {', '.join(sorted(pythons))}"
    if wheel is not None and wheel.tags.isdisjoint(_tags(interpreter)):
        return f"{wheel.file} is not for Python {interpreter.name} on Linux x86_64"
    return None


def runs_unasked(interpreter: Interpreter, metadata: ProjectMetadata, wheel: Wheel | None = None) -> bool:
    """Whether a project runs on it unasked: on PyPy and on free-threaded builds only if it claims them."""
    if interpreter.implementation != "cpython":
        return metadata.claims_pypy
    if not interpreter.threaded or metadata.claims_free_threading:
        return True
    return wheel is not None and any(tag.abi.startswith("cp") and tag.abi.endswith("t") for tag in wheel.tags)


def _tags(interpreter: Interpreter) -> frozenset[Tag]:
    """The tags of wheels that an interpreter takes, on Linux x86_64."""
    major, minor = version_order(interpreter.python)
    platforms = [f"manylinux_2_{number}_x86_64" for number in range(5, GLIBC_MINOR + 1)]
    platforms += ["manylinux1_x86_64", "manylinux2010_x86_64", "manylinux2014_x86_64", "linux_x86_64"]
    name = f"cp{major}{minor}"
    abis = [f"{name}t"] if interpreter.threaded else [name, f"{name}m", f"{name}mu"]
    own = cpython_tags((major, minor), abis, platforms) if interpreter.implementation == "cpython" else ()
    return frozenset([*own, *compatible_tags((major, minor), name, platforms)])


def _matrix(metadata: ProjectMetadata, wheels: WheelSettings) -> str:
    built = f", of those that [tool.cibuildwheel] builds for ({wheels.said})" if wheels.narrows else ""
    return _bounds(metadata) + built


def _bounds(metadata: ProjectMetadata) -> str:
    if metadata.requires_python:
        says = f"requires-python {metadata.requires_python} of {metadata.requires_python_file}"
        return f"inferred: every Python that {says} allows"
    if metadata.claimed:
        return f"inferred: every Python from the oldest that a classifier names ({metadata.claimed[0]})"
    return "inferred: every Python of the image, as the project does not say which it needs"
