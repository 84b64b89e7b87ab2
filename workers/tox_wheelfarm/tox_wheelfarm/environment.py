"""A tox environment that uv makes: created, checked against its state, and rebuilt when it is not what it was.

The ground of the runner and of the packagers. It never asks the network to make an environment, and an upgrade of uv,
tox or virtualenv rebuilds none.
"""

from __future__ import annotations

import sys
import sysconfig
from abc import ABC
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from tox.config.loader.str_convert import StrConvert
from tox.execute.local_sub_process import LocalSubProcessExecutor
from tox.tox_env.errors import Recreate
from tox.tox_env.python.api import Python, PythonInfo, VersionInfo

from tox_wheelfarm import damage, discovery, state
from tox_wheelfarm.errors import InstallFailedError
from tox_wheelfarm.failure import shown
from tox_wheelfarm.uv import Offline, Uv
from tox_wheelfarm.variables import for_uv

if TYPE_CHECKING:
    from tox.execute.api import Execute
    from tox.tox_env.api import ToxEnvCreateArgs
    from virtualenv.discovery.py_spec import PythonSpec

    from tox_wheelfarm.interpreter import Interpreter

WINDOWS = sys.platform == "win32"


class Environment(Python, ABC):
    """A Python environment made by uv (by virtualenv 20.21.1 for Python 2.7), with its state beside it."""

    def __init__(self, create_args: ToxEnvCreateArgs) -> None:
        self._executor: Execute | None = None
        self._interpreter: Interpreter | None = None
        # Filled here, before environments run in threads: whoever asks while another thread fills it is told half.
        sysconfig.get_config_vars()
        super().__init__(create_args)

    def register_config(self) -> None:
        """Tell tox of the settings that every environment of ours has."""
        super().register_config()
        self.conf.add_config(
            keys=["system_site_packages", "sitepackages"],
            of_type=bool,
            default=lambda conf, name: StrConvert().to_bool(  # noqa: ARG005 - tox gives both by position
                self.environment_variables.get("VIRTUALENV_SYSTEM_SITE_PACKAGES", "False")
            ),
            desc="the environment sees the packages of its interpreter as well",
        )

    def setup(self) -> None:
        """Set the environment up; an InstallerError of any kind is one message of tox."""
        fresh = not self._run_state["setup"]
        with shown():
            super().setup()
            if fresh:
                self._told()

    def _told(self) -> None:
        """Put what is installed into the journal: here, because tox does not get that far after a rebuild."""
        if self.journal:
            self.journal["installed_packages"] = self.installer.installed()

    def _done_with_setup(self) -> None:
        """Do nothing: `_told` runs after a rebuild as well."""

    def ensure_python_env(self) -> None:
        """Create the environment if there is none.

        Raises:
            Recreate: it is there, and cannot be kept.
        """
        held = state.read(self.env_dir)
        made = self._made()
        if held is None:
            # Its own marker shows that something was begun here; tox's files alone do not.
            if (self.env_dir / "pyvenv.cfg").exists() or self.env_python().exists():
                self.again("it was left half-made, or is not known to be whole")
            self.create_python_env()
            return
        reason = state.difference(held.made, made) or damage.skeleton(
            self.env_dir, self.env_bin_dir(), made.interpreter.executable, made.system_site_packages
        )
        if reason:
            self.again(reason)
        if held.made != made:
            state.touched(held, made).write(self.env_dir)

    def again(self, reason: str) -> NoReturn:
        """Have the environment made anew in this run, once.

        Raises:
            Recreate: tox starts over.
            InstallFailedError: it was made anew in this run already; tox would start over silently, or not at all.
        """
        if self._run_state["clean"]:
            raise InstallFailedError(f"{self.env_dir} was made anew and is still not whole: {reason}")
        raise Recreate(reason)

    def create_python_env(self) -> None:
        """Make it, empty: with nothing in it that was not asked for."""
        made = self._made()
        python = Path(made.interpreter.executable)
        if made.interpreter.version_info[:2] < (3, 6):
            from tox_wheelfarm import old_python

            old_python.make(self.env_dir, python, self.uv(), made.system_site_packages)
        else:
            flags = ["--system-site-packages"] if made.system_site_packages else []
            command = [
                "venv",
                "--quiet",
                "--no-project",
                "--allow-existing",
                "--python",
                str(python),
                *flags,
                str(self.env_dir),
            ]
            root = Path(self.core["tox_root"])
            self.uv().run(command, cwd=root, network=False, meanwhile=self._meanwhile)
        state.State(made).write(self.env_dir)

    def _made(self) -> state.Made:
        return state.Made(
            path=str(self.env_dir),
            interpreter=self.interpreter,
            system_site_packages=self.conf["system_site_packages"],
            seeds=self._seeds(),
        )

    def _seeds(self) -> tuple[str, ...]:
        return ()

    def _meanwhile(self) -> None:
        """Nothing; a chance to prepare what comes after the creation, while uv is at it."""

    def uv(self, offline: Offline = Offline.AUTO, constraints: tuple[Path, ...] = ()) -> Uv:
        """How uv is run for this environment: with its variables, never the configuration of a person."""
        threads = max(1, getattr(self.options, "parallel_install_threads", 1))
        variables = for_uv(self.environment_variables, threads)
        return Uv(offline=offline, variables=variables, constraints=constraints)

    @property
    def interpreter(self) -> Interpreter:
        """The base interpreter; started only if its file is not the one that the state knows."""
        path = Path(self.base_python.extra["executable"])
        if self._interpreter is None:  # Finding it asks it, unless a plugin found it in another way.
            self._interpreter = state.current(path, state.read(self.env_dir))
        return self._interpreter

    def _get_python(self, base_python: list[str]) -> PythonInfo | None:
        first = [str(path) for path in getattr(self.options, "discover", None) or []]
        path = discovery.find(base_python, first, self.environment_variables)
        if path is None:
            return None
        with shown():
            told = state.current(path, state.read(self.env_dir))
        self._interpreter = told
        known = {each.name for each in fields(PythonInfo)}
        info: dict[str, Any] = {
            "implementation": told.implementation,
            "version_info": VersionInfo(*told.version_info),
            "version": told.version,
            "is_64": told.is_64,
            "platform": told.platform,
            "extra": {"executable": path},
            "free_threaded": told.free_threaded,
            "debug": told.debug,
            "machine": told.machine,
            "marker_environment": told.markers,
        }
        return PythonInfo(**{name: value for name, value in info.items() if name in known})

    def _get_env_journal_python(self) -> dict[str, Any]:
        told: dict[str, Any] = super()._get_env_journal_python()
        return {**told, "executable": str(self.base_python.extra["executable"])}

    def python_cache(self) -> dict[str, Any]:
        """What tox would compare; ours is in the state, so this is for plugins that ask."""
        return {**super().python_cache(), "executable": str(self.base_python.extra["executable"])}

    @property
    def executor(self) -> Execute:
        """Runs commands as tox's own environments do."""
        if self._executor is None:
            self._executor = LocalSubProcessExecutor(self.options.is_colored)
        return self._executor

    @property
    def runs_on_platform(self) -> str:
        """The platform of this process."""
        return sys.platform

    @classmethod
    def python_spec_for_path(cls, path: Path) -> PythonSpec:
        """The spec of an interpreter, to hold an environment's name against."""
        with shown():
            return discovery.python_spec(path)

    def env_site_package_dir(self) -> Path:
        """Where pure packages go."""
        return self.env_dir / self.interpreter.purelib

    def env_site_package_dir_plat(self) -> Path:
        """Where packages for one platform go."""
        return self.env_dir / self.interpreter.platlib

    def env_bin_dir(self) -> Path:
        """Where scripts go."""
        return self.env_dir / ("Scripts" if WINDOWS else "bin")

    def env_python(self) -> Path:
        """The environment's interpreter."""
        return self.env_bin_dir() / ("python.exe" if WINDOWS else "python")

    def prepend_env_var_path(self) -> list[Path]:
        """What comes first on PATH."""
        return [self.env_bin_dir()]

    def package_folders(self) -> tuple[Path, ...]:
        """Where its packages are, each once."""
        return tuple(dict.fromkeys((self.env_site_package_dir(), self.env_site_package_dir_plat())))

    def _default_pass_env(self) -> list[str]:
        # As tox's own: commands that call pip find the same index.
        return [*super()._default_pass_env(), "PIP_*", "UV_*", "VIRTUALENV_*"]

    def _default_set_env(self) -> dict[str, str]:
        return {**super()._default_set_env(), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}

    def _clean(self, transitive: bool = False) -> None:
        # The state first: a kill while the rest goes leaves nothing that looks whole. tox cleans once in a run, however
        # many environments ask for it.
        if not self._run_state["clean"]:
            state.remove(self.env_dir)
        super()._clean(transitive)
