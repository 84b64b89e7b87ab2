"""One job of a farm elsewhere, in the form of the record's reports.

Called by `results JOB --server`. It asks for what is shown, and no more: a page of
failing tests, and the end of the log.
"""

from itertools import islice

from farm_cli.errors import ServerError
from farm_cli.job_view import print_job
from farm_cli.server_report import read_run
from farm_cli.server_sets import sets_of
from farm_cli.servers import open_server
from farm_scheduler.errors import NotFoundError
from farm_scheduler.job_report import AttemptReport, JobReport, StepReport
from farm_scheduler.outcomes import PAGE, Outcome, OutcomePage
from farm_scheduler.run_report import FailingTest
from farm_scheduler.states import AttemptState
from farm_scheduler.tables import now
from farm_scheduler.verdicts import Verdict
from wheelfarm_client import Farm, models


def show_job_of(server: str, job_id: str, number: int | None) -> None:
    """Print the job with its try `number`, or the newest.

    Raises:
        NotFoundError: there is no such try.
        ServerError: the farm does not answer, or has states that are unknown here.
    """
    with open_server(server) as farm:
        job = farm.get_job(job_id)
        report = read_run(farm, job.run_id)
        cell = next(each for each in report.cells if each.job_id == job_id)
        attempts = tuple(_attempt(each) for each in farm.list_attempts(job_id))
        chosen = next((each for each in attempts if number in {None, each.number}), None)
        if number is not None and chosen is None:
            raise NotFoundError(f"job {job_id} has no try {number}", job=job_id)
        steps = tuple(_step(each) for each in farm.list_steps(chosen.id)) if chosen else ()
        found = JobReport(run=report, cell=cell, attempts=attempts, attempt=chosen, steps=steps)
        tests = _tests(farm, job, chosen) if chosen else None
        end = farm.get_log_piece(chosen.id).text if chosen else None
        sets = sets_of(farm, job_id)
    print_job(found, tests, end or None, sets)


def _attempt(row: models.Attempt) -> AttemptReport:
    try:
        return AttemptReport(
            id=row.id,
            number=row.number,
            state=AttemptState(row.state),
            verdict=Verdict(row.verdict) if row.verdict else None,
            reason=row.reason,
            machine=row.machine,
            image_digest=row.image_digest,
            accelerator=row.accelerator,
            leased=row.leased,
            seconds=((row.finished or now()) - row.leased).total_seconds(),
            parts=row.seconds,
            stream_path=None,
        )
    except ValueError as error:
        sentence = f"the farm is newer than this command ({error}); install the newer wheelfarm"
        raise ServerError(sentence, problem=str(error)) from error


def _step(row: models.Step) -> StepReport:
    seconds = (row.finished - row.started).total_seconds() if row.finished and row.started else None
    name = row.name.removeprefix("farm:")
    return StepReport(environment=row.environment, name=name, status=row.status, seconds=seconds)


def _tests(farm: Farm, job: models.Job, attempt: AttemptReport) -> OutcomePage:
    rows = list(islice(farm.list_tests(attempt.id, outcome="failed", limit=PAGE), PAGE))
    counts = {
        Outcome.ALL: job.tests_total,
        Outcome.FAILED: job.tests_failed,
        Outcome.PASSED: job.tests_passed,
        Outcome.SKIPPED: job.tests_skipped,
        Outcome.OTHER: job.tests_other,
    }
    tests = tuple(
        FailingTest(
            environment=row.environment,
            name=row.name,
            status=row.status,
            seconds=row.seconds,
            message=row.message,
        )
        for row in rows
    )
    return OutcomePage(tests=tests, found=max(len(rows), job.tests_failed), page=1, pages=1, counts=counts)
