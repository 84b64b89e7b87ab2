"""Which tox drives which Python, and with what settings.

Called by planning and inference, which never ask tox itself. The limits are those of virtualenv and tox: tox 4
cannot drive Python 2.7 at all, and the virtualenv that it brings makes no environment for 3.6 and 3.7, and none
with pip for 3.8.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from farm_scheduler.tox_environment import ToxConfiguration

OLD_VIRTUALENV = "virtualenv<20.22"
"""The last virtualenv that makes environments for Python 2.7 and 3.6, and with pip for 3.7 and 3.8."""

NEEDS_OLD_VIRTUALENV = frozenset({"3.6", "3.7", "3.8"})
NEEDS_TOX_3 = frozenset({"2.7"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """How a cell is driven; `refusal` says why it cannot be."""

    name: str = "tox"
    variables: dict[str, str] = field(default_factory=dict)
    refusal: str | None = None


def choose_tool(python: str | None, tox: ToxConfiguration) -> Tool:
    """The tox for a cell of a project with its own configuration."""
    if python in NEEDS_TOX_3:
        if _needs_tox_4(tox):
            return Tool(name="tox3", refusal=f"{tox.file} needs tox 4, which cannot run Python {python}")
        return Tool(name="tox3")
    if python in NEEDS_OLD_VIRTUALENV:
        return Tool(variables={"TOX_OVERRIDE": f"{tox.overridable}.virtualenv_spec={OLD_VIRTUALENV}"})
    return Tool()


UV_RUNNERS = "uv-venv"
"""How the names of tox-uv's runners begin."""


def uv_environments(tox: ToxConfiguration) -> tuple[str, ...]:
    """The environments with a runner of tox-uv where `requires` does not name it: who develops them has it anyway."""
    if any(_requires_tox_uv(line) for line in tox.requires):
        return ()
    return tuple(name for name, each in tox.environments.items() if each.runner.startswith(UV_RUNNERS))


def requiring(variables: Mapping[str, str], names: Iterable[str], tox: ToxConfiguration) -> dict[str, str]:
    """The variables of a cell of these environments, with tox-uv added to what tox requires if one of them needs it."""
    if set(names).isdisjoint(uv_environments(tox)):
        return dict(variables)
    overrides = [variables.get("TOX_OVERRIDE", ""), f"{tox.core}requires+=tox-uv"]
    return {**variables, "TOX_OVERRIDE": ";".join(filter(None, overrides))}


RUNNER = "wheelfarm"
"""The runner of tox-wheelfarm."""


def with_own_runner(
    variables: Mapping[str, str], names: Iterable[str], tox: ToxConfiguration | None
) -> dict[str, str]:
    """The variables of a cell of which the farm chooses the installer: tox-wheelfarm runs all of its environments.

    A runner that the project names would decide otherwise, and what other runners needed is of no use. `tox` is None
    for an inferred configuration.
    """
    of_others = (f".virtualenv_spec={OLD_VIRTUALENV}", "requires+=tox-uv")
    overrides = [
        each for each in variables.get("TOX_OVERRIDE", "").split(";") if not each.endswith(of_others)
    ]
    if tox is None:
        overrides.append(f"testenv.runner={RUNNER}")
    else:
        overrides.append(f"{tox.overridable}.runner={RUNNER}")
        prefix, toml, _ = tox.overridable.rpartition("env_run_base")
        own = f"{prefix}env." if toml else "testenv:"
        overrides += [f"{own}{name}.runner={RUNNER}" for name in names if _names_runner(tox, name)]
    return {**variables, "TOX_OVERRIDE": ";".join(filter(None, overrides))}


def _names_runner(tox: ToxConfiguration, name: str) -> bool:
    environment = tox.environments.get(name)
    return environment is not None and bool(environment.runner)


def passing(variables: Mapping[str, str], declared: Mapping[str, str]) -> dict[str, str]:
    """The variables of a cell and those that the project declares, told so that commands of all environments see them.

    tox hides every variable that it is not told of: tox 4 is told by the guest's plugin, tox 3 hears of it itself.
    """
    if not declared:
        return dict(variables)
    names = sorted(declared)
    told = {"WHEELFARM_PASS": ",".join(names), "TOX_TESTENV_PASSENV": " ".join(names)}
    return {**declared, **variables, **told}


def _requires_tox_uv(line: str) -> bool:
    try:
        return canonicalize_name(Requirement(line).name) in {"tox-uv", "tox-uv-bare"}
    except InvalidRequirement:
        return False


def _needs_tox_4(tox: ToxConfiguration) -> bool:
    if tox.file.endswith(("tox.toml", "[tool.tox]")):
        return True
    if tox.min_version is not None and _at_least_4(tox.min_version):
        return True
    return bool(uv_environments(tox)) or any(_requires_tox_4(line) for line in tox.requires)


def _at_least_4(text: str) -> bool:
    try:
        return Version(text) >= Version("4.dev0")
    except InvalidVersion:
        return False


def _requires_tox_4(line: str) -> bool:
    try:
        requirement = Requirement(line)
    except InvalidRequirement:
        return False
    return requirement.name.lower() == "tox" and not requirement.specifier.contains("3.28.0")
