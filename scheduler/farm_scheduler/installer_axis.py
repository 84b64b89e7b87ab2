"""The installers of a run: each cell once for every one of them that is asked for and that fits it.

Called by planning before the declaration is applied, so that its selectors can mean cells by their installer. It reads
no lock file and asks no index; what it leaves out has a note.
"""

from collections.abc import Iterable
from dataclasses import replace

from farm_scheduler.cibuildwheel import ROOT
from farm_scheduler.constraint_words import missing_file, read_word
from farm_scheduler.declaration import Declaration
from farm_scheduler.errors import PlanError
from farm_scheduler.inference import OLD_ROOT
from farm_scheduler.installers import Installer, lock_file
from farm_scheduler.plan import Narrowing, Note, PlannedCell
from farm_scheduler.project_files import ProjectFiles
from farm_scheduler.tox_choice import with_own_runner
from farm_scheduler.tox_environment import ToxConfiguration

NO_LOCK = (
    "the source has no lock file in its folder (pylock.toml, uv.lock, poetry.lock, pdm.lock, Pipfile.lock, \
requirements with hashes)"
)
NO_CONSTRAINTS = "no constraints are given: name them in [tool.wheelfarm] or by --constraints"


class InstallerAxis:
    """What of it a run has.

    Without a word of project or person a cell is as the project has it. Where there is a lock file or constraints,
    `latest` is beside it: for the cells with a Python of their own, if there are any, as twice as much takes twice as
    long. What tox 3 drives stays with it, unless other installers are asked for.

    Raises:
        PlanError: what is named as constraints cannot be, or is no file of the source; or the person wants only
            installers for which there is nothing.
    """

    def __init__(
        self,
        files: ProjectFiles,
        declaration: Declaration,
        narrowing: Narrowing,
        tox: ToxConfiguration | None,
    ) -> None:
        self._notes: list[Note] = []
        self._tox = tox
        self._declaration = declaration
        self._lock = lock_file(files)
        self._constraints = narrowing.constraints or declaration.constraint_words
        self._cutoff = narrowing.cutoff or declaration.moment
        self._named = narrowing.installers or tuple(map(Installer, declaration.installer))
        self._included = not narrowing.installers
        _check(narrowing.constraints)
        missing = missing_file(self._constraints, files)
        if missing is not None:
            sentence = (
                f"the constraints {missing} are no file of the source; put them into the project's folder and "
                "name them from there, or name an https URL"
            )
            raise PlanError(sentence, file=missing)
        self._refuse_what_nobody_has(narrowing)

    def spread(self, cells: Iterable[PlannedCell]) -> tuple[list[PlannedCell], list[Note]]:
        """The cells of all installers, and a note for each that cannot be; what no image can run stays as it is."""
        cells = [replace(cell, cutoff=self._cutoff) for cell in cells]
        further = not any(cell.python is not None for cell in cells if cell.unsupported is None)
        found = [
            each
            for cell in cells
            for each in ([cell] if cell.unsupported is not None else self._of(cell, further=further))
        ]
        return found, self._notes

    def _of(self, cell: PlannedCell, *, further: bool) -> Iterable[PlannedCell]:
        for installer in self._wanted(cell, further=further):
            found = self._driven(cell, installer)
            reason = self._refusal(installer)
            if reason is None:
                yield found
            else:
                self._notes.append(Note(environment=found.label, reason=reason))

    def _wanted(self, cell: PlannedCell, *, further: bool) -> list[Installer]:
        """In the order of the words, each once."""
        wanted = set(self._named or self._default(cell, further=further))
        if self._included:
            more = (each.installer for each in self._declaration.include if each.installer and each.at(cell))
            wanted |= set(map(Installer, more))
        return [each for each in Installer if each in wanted]

    def _default(self, cell: PlannedCell, *, further: bool) -> tuple[Installer, ...]:
        if cell.tool == "tox3" or (cell.python is None and not further):
            return (Installer.PROJECT,)
        by_constraints = (Installer.CONSTRAINTS,) if self._constraints else ()
        if self._lock is not None:
            return (Installer.PROJECT, *by_constraints, Installer.LATEST)
        return (*by_constraints, Installer.LATEST) if by_constraints else (Installer.PROJECT,)

    def _refuse_what_nobody_has(self, narrowing: Narrowing) -> None:
        reasons = {each.value: self._refusal(each) for each in narrowing.installers}
        if reasons and all(reasons.values()):
            why = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
            raise PlanError(
                f"nothing can be installed by {why}; name another by --installer, or drop --installer",
                installers=list(reasons),
            )

    def _refusal(self, installer: Installer) -> str | None:
        if installer is Installer.PROJECT:
            return None
        if installer is Installer.LOCKFILE and self._lock is None:
            return NO_LOCK
        if installer is Installer.CONSTRAINTS and not self._constraints:
            return NO_CONSTRAINTS
        return None

    def _driven(self, cell: PlannedCell, installer: Installer) -> PlannedCell:
        if installer is Installer.PROJECT:
            return cell
        # Its environments are tox-wheelfarm's, which drives Python 2.7 with tox 4.
        return replace(
            cell,
            tool="tox",
            inferred=cell.inferred and cell.inferred.replace(OLD_ROOT, ROOT),
            installer=installer,
            constraints=self._constraints if installer is Installer.CONSTRAINTS else (),
            variables=with_own_runner(cell.variables, cell.environments, self._tox),
        )


def _check(words: Iterable[str]) -> None:
    for word in words:
        try:
            read_word(word)
        except ValueError as error:
            raise PlanError(str(error), constraints=word) from error
