"""What tox calls to install: it gathers, and settles everything in one install.

Made by the runner for each environment. Nothing is decided while tox still asks; when nothing has to change, neither
uv nor the interpreter is started.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.requirements import Requirement
from tox.tox_env.installer import Installer
from tox.tox_env.python.pip.req_file import PythonDeps

from tox_wheelfarm import damage, installed, seal, state
from tox_wheelfarm.deps import Deps, sort
from tox_wheelfarm.errors import DamagedError, InstallFailedError
from tox_wheelfarm.order import Order

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tox_wheelfarm.decision import Case
    from tox_wheelfarm.runner import Runner
    from tox_wheelfarm.verification import Verification

LOGGER = logging.getLogger(__name__)


class SetInstaller(Installer[Any]):
    """Installs one set, once, however often tox asks."""

    def __init__(self, tox_env: Runner) -> None:
        self.order = Order()
        self._runner = tox_env
        self._verification: Verification | None = None
        super().__init__(tox_env)

    def _register_config(self) -> None:
        """Settings are the runner's."""

    def begin(self) -> None:
        """Forget what was gathered: tox sets up an environment a second time after a Recreate."""
        self.order = Order()

    def install(self, arguments: Any, section: str, of_type: str) -> None:  # noqa: ARG002 - tox's signature
        """Take note of what tox asks for.

        Raises:
            InstallerError: it cannot be read.
        """
        if isinstance(arguments, PythonDeps):
            try:
                self.order.lines = self._sorted(arguments)
            except (ValueError, OSError) as wrong:
                raise InstallFailedError(f"deps cannot be read: {wrong}") from wrong
        elif isinstance(arguments, Sequence):
            self._gather(arguments, of_type)

    def _sorted(self, deps: PythonDeps) -> Deps:
        runner = self._runner
        root, markers = Path(runner.core["toxinidir"]), runner.interpreter.markers
        found = sort(deps, root, markers, runner.environment_variables, runner.settings.offline)
        for sentence in found.ignored:
            LOGGER.warning("%s", sentence)
        return found

    def _gather(self, arguments: Sequence[Any], of_type: str) -> None:
        lines = tuple(str(each) for each in arguments if isinstance(each, Requirement))
        if of_type == "dependency-groups":
            self.order.group_requirements = lines
            return
        self.order.extras = self._runner.extras
        if of_type == "package_deps":
            self.order.deps_only = True
            self.order.package_requirements = lines
            return
        from tox_wheelfarm.artifact import artifact

        built = [each for each in arguments if not isinstance(each, Requirement)]
        markers = self._runner.interpreter.markers
        self.order.artifacts = tuple(artifact(each, self._runner.extras, markers) for each in built)

    def installed(self) -> list[str]:
        """What is there, as `pip freeze --all` has it; nothing is started."""
        found = installed.read(self._runner.package_folders())
        return [found[name].line for name in sorted(found)]

    def settle(self) -> None:
        """Bring the environment to exactly what was gathered.

        Raises:
            Recreate: it cannot be changed in place.
            InstallerError: what was asked for cannot be had; the state is gone if anything was changed.
        """
        from tox_wheelfarm import settlement

        held = state.read(self._runner.env_dir)
        if held is None:
            self._runner.again("its state is gone")
        case = settlement.case(self._runner, self.order)
        prints = settlement.prints(self._runner, self.order, case)
        try:
            there, fresh = self._there(held)
        except DamagedError as wrong:
            self._runner.again(str(wrong))
        if settlement.same(held, prints, there, self._runner):
            if fresh and there == dict(held.versions):
                held = replace(held, folders=fresh, verified=True)
                held.write(self._runner.env_dir)
            self._tell(held, case, prints)
            return
        self._change(held, case, prints, there)

    def verify(self) -> None:
        """Begin to look at every file, if this run has installed them all."""
        held = state.read(self._runner.env_dir)
        if held is not None and not held.verified:
            from tox_wheelfarm.verification import Verification

            self._verification = Verification(self._runner.env_dir, tuple(self._runner.package_folders()))

    def verified(self) -> None:
        """End it.

        Raises:
            InstallFailedError: a file is not as it was installed.
        """
        running, self._verification = self._verification, None
        if running is not None:
            running.end()

    def _tell(self, held: state.State, case: Case, prints: Mapping[str, str]) -> None:
        """Tell in a report what a run without one left out, and what uv has heard of withdrawals since."""
        from tox_wheelfarm import settlement

        reported = bool(self._runner.journal)
        if case.lockfile is None or not (reported or case.options.yanked == "refuse"):
            return
        asked = settlement.question(self._runner, self.order, case, prints)
        if settlement.news(held, asked) or (reported and not held.record):
            # What files alone decide is the same whenever it is asked.
            decision = settlement.decide(case, self.order, asked, look=True)
            told = settlement.record(case, decision, self._runner.package_folders(), reported=True)
            replace(held, record=told, pages=held.pages and (asked.pages or held.pages)).write(
                self._runner.env_dir
            )

    def _there(self, held: state.State) -> tuple[dict[str, str], dict[str, int]]:
        """The versions that are there, by name, and a seal that is better than the one of the state, if any."""
        if seal.holds(held.folders):
            return dict(held.versions), {}
        folders = self._runner.package_folders()
        found = installed.names(folders)
        if not held.verified and getattr(self._runner.options, "no_test", False):
            return {name: version for name, (version, _) in found.items()}, {}  # nothing runs: no verdict
        # The seal before the look: what goes in between breaks it.
        fresh = seal.taken(folders, [info for _, info in found.values()])
        if gone := damage.packages(folders):
            raise DamagedError(gone)
        return {name: version for name, (version, _) in found.items()}, fresh

    def _change(self, held: state.State, case: Case, prints: dict[str, str], there: dict[str, str]) -> None:
        from tox_wheelfarm import changing, settlement, sources

        runner = self._runner
        asked = settlement.question(runner, self.order, case, prints)
        decision = settlement.decide(case, self.order, asked)
        prune = case.options.prune and not runner.without_package
        spared = runner.fixtures if prune else None
        steps = changing.change(
            there,
            held.releases,
            decision.pins,
            self.order.artifacts,
            spared,
            settings=self.order.lines.settings,
            options=decision.options,
        )
        # Before they are built: what is changed meanwhile is seen next time.
        looked = sources.looks(decision.pins)
        # From here until the state is written, whatever happens means that the next run makes it anew.
        state.remove(runner.env_dir)
        said = changing.carry_out(case, steps, heard=decision.heard)
        whole = len(steps.pins) == len(decision.pins)
        decision = settlement.heard(case, decision, asked, said, whole=whole)
        folders = runner.package_folders()
        if left := changing.residue(folders, steps.remove):
            runner.again(f"{', '.join(left)} cannot be taken out of it cleanly")
        if there and (gone := damage.packages(folders)):
            runner.again(f"{gone} now")  # perhaps it went with another package that had it too
        found = installed.read(folders)
        record = settlement.record(case, decision, folders, reported=bool(runner.journal))
        if runner.journal:  # before the check: of what does not fit together one wants to read most
            runner.journal["installed_packages"] = [found[name].line for name in sorted(found)]
            runner.journal["wheelfarm"] = record
        settlement.check(runner, self.order, decision, found)
        # A fresh one is looked at while its commands run (`verification`).
        sealed = seal.taken(folders, [each.folder for each in found.values()]) if there else {}
        fresh = state.State(
            made=held.made,
            order=prints,
            releases=steps.prints,
            versions={name: version for name, (version, _) in installed.names(folders).items()},
            record=record,
            folders=sealed,
            sources=looked,
            read=decision.lock.files if decision.lock else {},
            pages=(asked.pages or "unknown") if decision.alone else "",
            verified=bool(there),
        )
        fresh.write(runner.env_dir)
