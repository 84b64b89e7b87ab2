"""The queue of a farm elsewhere, in the form of the record's.

Called by `queue --server`. It asks once, and knows nothing of how that farm decides.
"""

from farm_cli.errors import ServerError
from farm_cli.servers import open_server
from farm_scheduler.triggers import Trigger
from farm_scheduler.waiting import Queue, Wait, WaitingJob
from wheelfarm_client import models

MOST_AT_ONCE = 500
"""So many jobs the API tells."""


def read_queue_of(server: str, *, most: int, project: str | None) -> Queue:
    """The queue there.

    Raises:
        ServerRefusalError: the farm refuses to tell it.
        ServerError: it does not answer, or has words that are unknown here.
    """
    with open_server(server) as farm:
        found = farm.get_queue(project=project, limit=most)
    return Queue(
        machines=found.machines,
        at_work=found.at_work,
        waiting=found.waiting,
        jobs=tuple(_job(each) for each in found.jobs),
    )


def _job(row: models.WaitingJob) -> WaitingJob:
    try:
        return WaitingJob(
            job_id=row.job_id,
            run_id=row.run_id,
            project=row.project,
            label=row.label,
            system=row.system,
            trigger=Trigger(row.trigger),
            priority=row.priority,
            created=row.created,
            wait=Wait(row.wait),
            sentence=row.reason,
            seconds=row.starts_in_seconds,
            expected_seconds=row.expected_seconds,
        )
    except ValueError as error:
        sentence = f"the farm is newer than this command ({error}); install the newer wheelfarm"
        raise ServerError(sentence, problem=str(error)) from error
