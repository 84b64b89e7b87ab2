"""The environment that builds the project (PEP 517), made and filled by uv.

Asked for by the runner through tox. Only what the build needs is installed in it; `constraints` of the run
environments hold here too. It never sees a lock file.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platformdirs import user_cache_path
from tox.report import HandledError
from tox.tox_env.errors import Fail
from tox.tox_env.installer import Installer
from tox.tox_env.python.api import NoInterpreter
from tox.tox_env.python.package import EditableLegacyPackage, PythonPackageToxEnv
from tox.tox_env.python.pip.req_file import PythonDeps
from tox.tox_env.python.virtual_env.package.pyproject import Pep517VenvPackager

from tox_wheelfarm import damage, installed, options, state
from tox_wheelfarm.deps import Deps, sort
from tox_wheelfarm.environment import Environment
from tox_wheelfarm.errors import (
    ConstraintsError,
    DamagedError,
    ExtraNotFoundError,
    InstallFailedError,
    InterpreterError,
)
from tox_wheelfarm.in_place import InPlace
from tox_wheelfarm.order import fingerprint
from tox_wheelfarm.uv import UNSOLVED, Offline

if TYPE_CHECKING:
    from collections.abc import Generator

    from tox.config.sets import EnvConfigSet
    from tox.tox_env.api import ToxEnvCreateArgs
    from tox.tox_env.package import Package, PackageToxEnv
    from tox.tox_env.python.api import PythonInfo
    from tox.tox_env.runner import RunToxEnv

    from tox_wheelfarm.uv_sources import Sourced


LOGGER = logging.getLogger(__name__)


class BuildInstaller(Installer[Any]):
    """Installs what a build asks for, when it asks: the next step of the build needs it."""

    def __init__(self, tox_env: BuildEnvironment) -> None:
        self._packager = tox_env
        super().__init__(tox_env)

    def _register_config(self) -> None:
        """None of its own."""

    def installed(self) -> list[str]:
        """What is there, as `pip freeze --all` has it."""
        found = installed.read(self._packager.package_folders())
        return [found[name].line for name in sorted(found)]

    def install(self, arguments: Any, section: str, of_type: str) -> None:  # noqa: ARG002 - tox's signature
        """Install requirements, unless they are there from an earlier run.

        Raises:
            Recreate: other requirements were there, or something of them is gone.
            InstallerError: they cannot be had.
        """
        packager = self._packager
        lines = _lines(packager, arguments)
        if not lines:
            return
        held = state.read(packager.env_dir)
        if held is None:
            self._packager.again("its state is gone")
        files = packager.constraints()
        sourced, told = _sourced(packager, arguments, lines)
        wanted = fingerprint(lines, [path.read_text("utf-8") for path in files], *told)
        there = held.order.get(of_type)
        if there is not None and there != wanted:
            self._packager.again(f"what the build needs changed ({of_type})")
        if there == wanted and self._whole(held):
            return
        state.remove(packager.env_dir)
        _install(packager, lines, files, of_type, sourced)
        names = installed.names(packager.package_folders())
        versions = {name: version for name, (version, _) in names.items()}
        replace(held, order={**held.order, of_type: wanted}, versions=versions).write(packager.env_dir)

    def _whole(self, held: state.State) -> bool:
        folders = self._packager.package_folders()
        try:
            names = installed.names(folders)
            gone = damage.packages(folders)
        except DamagedError as wrong:
            self._packager.again(str(wrong))
        if gone or {name: version for name, (version, _) in names.items()} != dict(held.versions):
            self._packager.again(gone or "its packages are not those that were installed")
        return True


def _lines(packager: BuildEnvironment, arguments: Any) -> list[str]:
    if isinstance(arguments, PythonDeps):
        root, markers = Path(packager.core["toxinidir"]), packager.interpreter.markers
        lines = sort(arguments, root, markers, packager.environment_variables)
        others = replace(lines, requirements=(), folders=(), ignored=())
        if others != Deps():
            raise InstallFailedError(
                f"deps of {packager.conf.name} have options, which mean nothing where a project is built: "
                "write requirements and folders only, and constraints in the environment that is tested"
            )
        return [*lines.requirements, *(str(folder.path) for folder in lines.folders)]
    return sorted(str(each) for each in arguments) if isinstance(arguments, Sequence) else []


def _sourced(
    packager: BuildEnvironment, arguments: Any, lines: list[str]
) -> tuple[Sourced | None, list[str]]:
    """What of a build's requirements `[tool.uv.sources]` says the place of, and fingerprints of these places."""
    if isinstance(arguments, PythonDeps):
        return None, []
    from tox_wheelfarm import uv_sources

    found, told = uv_sources.of_build(Path(packager.conf["package_root"]), lines)
    return (found, [told]) if told else (None, [])


def _install(
    packager: BuildEnvironment,
    lines: list[str],
    files: tuple[Path, ...],
    of_type: str,
    sourced: Sourced | None,
) -> None:
    listed = packager.env_dir / f".wheelfarm-{of_type}.txt"
    plain = [line for line in lines if sourced is None or line not in sourced.requirements]
    listed.write_text("".join(f"{line}\n" for line in plain), "utf-8")
    bounds = [word for path in files for word in ("-c", str(path))]
    LOGGER.debug("%s: %s", of_type, ", ".join(lines))
    command = ["pip", "install", "--python", str(packager.env_python()), *bounds, "-r", str(listed)]
    if sourced is not None:
        project = packager.env_dir / f".wheelfarm-{of_type}" / "pyproject.toml"
        project.parent.mkdir(exist_ok=True)
        project.write_text(sourced.pyproject, "utf-8")
        command += ["-r", str(project)]
        command += [word for name in sourced.folders for word in ("--refresh-package", name)]
    try:
        packager.uv(packager.offline, files).run(command, cwd=Path(packager.core["tox_root"]))
    except InstallFailedError as failed:
        derivation = str(failed).partition(UNSOLVED)[2]
        if not files or not derivation:
            raise
        raise _excluded(packager, lines, files, derivation) from None


def _excluded(
    packager: BuildEnvironment, lines: list[str], files: tuple[Path, ...], derivation: str
) -> ConstraintsError:
    from tox_wheelfarm import clashes
    from tox_wheelfarm.constraints import read

    why = derivation.partition("cause:")[2].strip() or derivation
    told = f"The project is built with {', '.join(lines)}. {why}"
    return ConstraintsError(
        clashes.explained(told, clashes.holding(map(read, files), packager.interpreter.markers))
    )


class BuildEnvironment(Environment, PythonPackageToxEnv):
    """What both packagers share: the installer, and what the run environments hand down."""

    def __init__(self, create_args: ToxEnvCreateArgs) -> None:
        self._installer: BuildInstaller | None = None
        self._words: tuple[str, ...] = ()
        self._files: tuple[Path, ...] | None = None
        self._alike: Path | None = None
        self.offline = Offline.AUTO
        super().__init__(create_args)

    @property
    def installer(self) -> BuildInstaller:
        """Installs at once."""
        if self._installer is None:
            self._installer = BuildInstaller(self)
        return self._installer

    def register_run_env(self, run_env: RunToxEnv) -> Generator[tuple[str, str], PackageToxEnv, None]:
        """Take the constraints and the network setting of the environment that wants the package."""
        if "constraints" in run_env.conf and "offline" in run_env.conf:
            self._words = options.build_constraints(run_env.conf)
            always = getattr(self.options, "wheelfarm_offline", False)
            # A word that is wrong is told when that environment is set up, which is before this one is used.
            with suppress(HandledError):
                self.offline = Offline.ALWAYS if always else Offline(run_env.conf["offline"])
        stages = super().register_run_env(run_env)
        try:
            asked = next(stages)
            while True:
                made = yield asked
                if (
                    isinstance(made, BuildEnvironment)
                    and made is not self
                    and isinstance(run_env, Environment)
                ):
                    made.alike(run_env)
                asked = stages.send(made)
        except StopIteration:
            return

    def alike(self, run_env: Environment) -> None:
        """Use the interpreter of this environment, if the one that tox names is not found by its name."""
        with suppress(NoInterpreter):  # told when that environment is set up
            self._alike = Path(run_env.base_python.extra["executable"])

    def _get_python(self, base_python: list[str]) -> PythonInfo | None:
        found = super()._get_python(base_python)
        return found if found or self._alike is None else super()._get_python([str(self._alike)])

    def create_python_env(self) -> None:
        """Make it.

        Raises:
            InterpreterError: no build backend runs with so old a Python under tox.
        """
        if self.interpreter.version_info[:2] < (3, 6):
            version = ".".join(map(str, self.interpreter.version_info[:2]))
            raise InterpreterError(
                f"package = wheel and package = editable cannot be built with Python {version} "
                f"({self.interpreter.executable}): write package = sdist (or editable-legacy), which the environment's "
                "own pip builds, or wheel_build_env = .pkg if the wheel is the same for every Python"
            )
        super().create_python_env()

    def constraints(self) -> tuple[Path, ...]:
        """The files of constraints that hold for builds."""
        if self._files is None:
            self._files = ()
            if self._words:
                from tox_wheelfarm.constraints import collect

                cache = user_cache_path("tox-wheelfarm")
                self._files = collect(self._words, Path(self.core["toxinidir"]), cache, self.offline)
        return self._files


class Packager(BuildEnvironment, Pep517VenvPackager):
    """Builds wheels, source distributions and editable wheels by the project's own backend."""

    @staticmethod
    def id() -> str:
        """The word for tox."""
        return "wheelfarm-pep-517"

    def perform_packaging(self, for_env: EnvConfigSet) -> list[Package]:
        """As tox does; a folder that is installed in place comes with its project's name.

        Raises:
            ExtraNotFoundError: an extra is not among those that the build backend tells.
        """
        try:
            made = super().perform_packaging(for_env)
        except Fail as failed:
            if str(failed).startswith("extras not found"):
                raise ExtraNotFoundError(str(failed)) from None
            raise
        return [
            InPlace(each.path, each.deps, self._project_name(for_env))
            if isinstance(each, EditableLegacyPackage)
            else each
            for each in made
        ]

    def _project_name(self, for_env: EnvConfigSet) -> str:
        from tox_wheelfarm.locks.project import Project

        # Where it is not written down, the build backend is asked.
        return Project.read(self.root).name or self.get_package_name(for_env)
