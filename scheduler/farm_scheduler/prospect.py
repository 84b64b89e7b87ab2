"""A plan over the systems as they are now, and the images that it still waits for.

Called by runs, again and again until nothing is waited for. An image that no cell needs is never asked for; one that
cannot be baked leaves the rest of the run alone, unless person or project named it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from farm_images.errors import ImageError
from farm_scheduler.errors import PlanError
from farm_scheduler.interpreters import SystemImage
from farm_scheduler.plan import Narrowing, Note, Plan
from farm_scheduler.planning import make_plan, narrow_systems
from farm_scheduler.project_files import ProjectFiles
from farm_scheduler.project_metadata import ProjectMetadata


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """A plan, and the systems whose images it needs and that are not baked, in the order of the farm.

    While there are any the plan is what the recipes promise; without any it is exact.
    """

    plan: Plan
    missing: tuple[str, ...]


def look_ahead(
    files: ProjectFiles,
    systems: Sequence[SystemImage],
    narrowing: Narrowing,
    failed: Mapping[str, str] | None = None,
    built: ProjectMetadata | None = None,
) -> Prospect:
    """The plan of a project; `failed` are the systems whose bake failed, with the reason.

    `built` is the project's metadata where a guest has built it.

    Raises:
        PlanError: as make_plan.
        ImageError: what was asked for needs an image that could not be baked.
    """
    failed = failed or {}
    plan = make_plan(files, systems, narrowing, built)
    lost = [system.name for system in systems if system.name in failed and system.name in plan.systems]
    if lost:
        plan = _without(files, systems, narrowing, failed, lost[0], built, named=plan.spread)
    missing = [each.name for each in systems if not each.baked and each.name in plan.systems]
    return Prospect(plan=plan, missing=tuple(missing))


def system_to_ask(
    systems: Sequence[SystemImage], narrowing: Narrowing, failed: Mapping[str, str] | None = None
) -> SystemImage:
    """The system of which a machine is asked for what no file tells: the first that can be had.

    Raises:
        PlanError: the narrowing names a system that the farm does not have.
    """
    chosen = narrow_systems(systems, narrowing)
    return next((each for each in chosen if each.name not in (failed or {})), chosen[0])


def _without(
    files: ProjectFiles,
    systems: Sequence[SystemImage],
    narrowing: Narrowing,
    failed: Mapping[str, str],
    lost: str,
    built: ProjectMetadata | None,
    *,
    named: bool,
) -> Plan:
    """The plan on the other systems, with a note."""
    sentence = f"the image {lost} could not be baked: {failed[lost]}"
    usable = [system for system in systems if system.name not in failed]
    if named or not usable:
        raise ImageError(sentence, image=lost)
    try:
        plan = make_plan(files, usable, narrowing, built)
    except PlanError as error:
        raise ImageError(sentence, image=lost) from error
    return replace(plan, notes=(Note(environment=None, reason=sentence), *plan.notes))
