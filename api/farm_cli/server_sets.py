"""What jobs of a farm elsewhere had installed, in the form of the record.

Called by compare and results with --server. It changes the form only, and compares nothing: the farm there does.
"""

from dataclasses import asdict

from farm_cli.errors import ServerError
from farm_cli.servers import open_server
from farm_scheduler.installed_sets import JobSets
from farm_scheduler.set_comparison import Comparison, Difference, Kind, Pair
from farm_scheduler.set_tables import FetchedFile, InstalledSet
from wheelfarm_client import Farm, MissingError, models


def comparison_of(server: str, first: str, second: str) -> Comparison:
    """Two jobs there beside each other.

    Raises:
        ServerError: the farm knows kinds of differences that are unknown here.
    """
    with open_server(server) as farm:
        found = farm.compare_jobs(first, second)
    try:
        return Comparison(
            first=_job(found.first), second=_job(found.second), pairs=tuple(map(_pair, found.pairs))
        )
    except ValueError as error:
        sentence = f"the farm is newer than this command ({error}); install the newer wheelfarm"
        raise ServerError(sentence, problem=str(error)) from error


def sets_of(farm: Farm, job: str) -> JobSets | None:
    """What a job there had; None where it has not told."""
    try:
        found = farm.get_job_set(job)
    except MissingError:
        return None
    sets = [InstalledSet(**{**asdict(each), "attempt_id": found.attempt_id}) for each in found.sets]
    fetched = [FetchedFile(**{**asdict(each), "attempt_id": found.attempt_id}) for each in found.fetched]
    return JobSets(
        job_id=found.job_id,
        run_id=found.run_id,
        label=found.label,
        attempt_id=found.attempt_id,
        sets=tuple(sets),
        fetched=tuple(fetched),
    )


def _job(found: models.ComparedJob) -> JobSets:
    return JobSets(**asdict(found), sets=(), fetched=())


def _pair(found: models.EnvironmentPair) -> Pair:
    differences = (
        Difference(kind=Kind(each.kind), name=each.name, before=each.before, after=each.after)
        for each in found.differences
    )
    return Pair(first=found.first, second=found.second, same=found.same, differences=tuple(differences))
