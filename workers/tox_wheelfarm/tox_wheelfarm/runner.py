"""The run environment of tox: `runner = wheelfarm`.

Registered by `plugin`. It leaves to tox what tox does (commands, packaging, order of phases) and takes over creating
and installing. It never runs a test itself.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name
from tox.tox_env.errors import Fail
from tox.tox_env.python.dependency_groups import resolve
from tox.tox_env.python.runner import PythonRun
from tox.tox_env.runner import RunToxEnv

from tox_wheelfarm import choice, meaningless, options, state
from tox_wheelfarm.environment import Environment
from tox_wheelfarm.errors import LockFileError
from tox_wheelfarm.failure import ShownError, shown
from tox_wheelfarm.installer import SetInstaller
from tox_wheelfarm.order import fingerprint
from tox_wheelfarm.packager import Packager

if TYPE_CHECKING:
    from tox.tox_env.api import ToxEnvCreateArgs

    from tox_wheelfarm.locked import Reading
    from tox_wheelfarm.pip import Pip
    from tox_wheelfarm.uv import Uv


LOGGER = logging.getLogger(__name__)


class Settling(RunToxEnv):
    """Between tox's packaging and what comes after it: here everything is known, and nothing has run."""

    def _setup_with_env(self) -> None:
        super()._setup_with_env()
        self.settle()

    def settle(self) -> None:
        """Install what was gathered."""
        raise NotImplementedError


class Runner(Environment, PythonRun, Settling):
    """A run environment that holds exactly what was decided.

    In the order of its bases `PythonRun` comes before `Settling`, and that before tox's own `RunToxEnv`: the install
    is after packaging and before `extra_setup_commands`.
    """

    def __init__(self, create_args: ToxEnvCreateArgs) -> None:
        self._installer: SetInstaller | None = None
        self._chosen: tuple[options.Options, Path | None] | None = None
        self.ahead: Reading | None = None
        super().__init__(create_args)

    @staticmethod
    def id() -> str:
        """The word for `runner`."""
        return "wheelfarm"

    def register_config(self) -> None:
        """Tell tox of every setting.

        Raises:
            ShownError: the plugin whose settings these were as well is still there, and would install on its own.
        """
        if "tox_poetry_installer" in sys.modules:
            raise ShownError(
                f"runner = wheelfarm in {self.conf.name}: tox-poetry-installer is installed beside tox, and would "
                "install into the environment as well; uninstall it, tox-wheelfarm understands its settings"
            )
        super().register_config()
        options.register(self.conf, self._provisions)

    @property
    def _provisions(self) -> bool:
        core = self.core
        return "provision_tox_env" in core and self.name == core["provision_tox_env"]

    @property
    def installer(self) -> SetInstaller:
        """Gathers what tox asks for."""
        if self._installer is None:
            self._installer = SetInstaller(self)
        return self._installer

    @property
    def settings(self) -> options.Options:
        """The settings, read once; `installer` is one that decides."""
        return self._choice()[0]

    @property
    def lockfile(self) -> Path | None:
        """The lock file, where one decides."""
        return self._choice()[1]

    def _choice(self) -> tuple[options.Options, Path | None]:
        if self._chosen is None:
            major, minor = self.base_python.version_info[:2]
            settings = options.read(self.conf, self.options, (major, minor), self._provisions)
            self._chosen = choice.choose(settings, options.folder(self.core, "package_root"))
        return self._chosen

    @property
    def extras(self) -> frozenset[str]:
        """The project's extras that are asked for, normalised."""
        # Before tox 4.31 the setting is there only where the project is installed.
        return frozenset(self.conf["extras"]) if "extras" in self.conf else frozenset()

    @property
    def without_package(self) -> bool:
        """Whether this run leaves the project alone (`--skip-pkg-install`, `--pkg-only`, `tox exec`)."""
        return bool(
            getattr(self.options, "skip_pkg_install", False) or getattr(self.options, "package_only", False)
        )

    @property
    def _without_install(self) -> bool:
        return bool(getattr(self.options, "skip_env_install", False))

    @property
    def _package_tox_env_type(self) -> str:
        return Packager.id()

    @property
    def _external_pkg_tox_env_type(self) -> str:
        return "wheelfarm-cmd-builder"

    def get_package_env_types(self) -> tuple[str, str] | None:
        """The package environment: one for each set of constraints, because these bind builds as well."""
        told = super().get_package_env_types()
        constraints = options.build_constraints(self.conf)
        if told is None or not constraints or told[0] not in {".pkg", ".pkg_external"}:
            return told
        return f"{told[0]}-{fingerprint(constraints)[:8]}", told[1]

    @property
    def default_pkg_type(self) -> str:
        """Nothing to package without a file that says how."""
        root = Path(self.core["tox_root"])
        if not any((root / name).exists() for name in ("pyproject.toml", "setup.py", "setup.cfg")):
            return "skip"
        return str(super().default_pkg_type)

    @property
    def fixtures(self) -> frozenset[str]:
        """What is never pruned: the pip that fills an environment which uv cannot, and what that pip needs."""
        by_pip = self.interpreter.version_info[:2] < (3, 6)
        return frozenset({"pip", "setuptools", "wheel"}) if by_pip else frozenset()

    def _seeds(self) -> tuple[str, ...]:
        return self.settings.seeds

    def _meanwhile(self) -> None:
        if self.lockfile is not None and not self._without_install:
            # The modules of an install are loaded here as well.
            from tox_wheelfarm import changing, last_decision, locked, settlement  # noqa: F401 - two are only loaded

            root = options.folder(self.core, "package_root")
            if last_decision.read(self.env_dir) is None:
                self.ahead = locked.ahead(self.lockfile, root, Path(self.interpreter.executable))

    def _setup_env(self) -> None:
        self.ahead = None
        self.installer.begin()
        for told in meaningless.found(self.conf, self.options, self.environment_variables):
            LOGGER.warning("%s", told)
        self._know_extras()
        super()._setup_env()

    def _know_extras(self) -> None:
        """Refuse extras that the project does not have, before it is built, and without it as well."""
        if not self.extras or getattr(self.options, "install_pkg", None) or self._is_external:
            return
        from tox_wheelfarm import unlocked

        unlocked.know_extras(options.folder(self.core, "package_root"), self.extras)

    @property
    def _is_external(self) -> bool:
        return "package" in self.conf and self.conf["package"] == "external"

    def _install_dependency_groups(self) -> None:
        groups = frozenset(self.conf["dependency_groups"])
        self.installer.order.groups = groups
        if groups and self.lockfile is None:
            from tox_wheelfarm import unlocked

            root = options.folder(self.core, "package_root")
            older = unlocked.older_groups(root, groups)
            self.installer.order.older_groups = older
            newer = {each for each in groups if canonicalize_name(each) not in older}
            try:
                found = sorted(resolve(root, newer), key=str) if newer else []
            except Fail as wrong:
                raise LockFileError(f"{root / 'pyproject.toml'}: {' '.join(str(wrong).split())}") from None
            self._install(found, PythonRun.__name__, "dependency-groups")

    def _install_pylock(self) -> None:
        """Nothing of its own: the file is the lock file, and `deps` may stand beside it."""
        self._install_deps()
        self._install_dependency_groups()

    def settle(self) -> None:
        """Install what was gathered, unless the person wants the environment as it is."""
        if self._without_install:
            return
        self.installer.settle()

    def _told(self) -> None:
        super()._told()
        held = state.read(self.env_dir)
        if self.journal and held is not None:
            from tox_wheelfarm.record import with_strays

            self.journal["wheelfarm"] = with_strays(held.record, self.package_folders())
        if getattr(self.options, "list_dependencies", False):
            LOGGER.warning("%s", ",".join(self.installer.installed()))

    def verify(self) -> None:
        """Begin to look at every file of a fresh environment; called before its commands run."""
        self.installer.verify()

    def verified(self) -> None:
        """End it; called after the commands.

        Raises:
            ShownError: a file is not as it was installed.
        """
        with shown():
            self.installer.verified()

    def pip(self, uv: Uv) -> Pip:
        """The environment's own pip, for what uv cannot fill."""
        from tox_wheelfarm.pip import Pip

        return Pip(self.env_python(), uv.offline, uv.variables)
