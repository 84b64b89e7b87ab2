"""Ingest: writes what results know into the record, in batches, while an attempt runs.

Called by the worker that runs a job. Bulk rows go as Core statements; one short write transaction per batch,
never one across a step of a machine.
"""

from typing import Any, cast

from sqlalchemy import Table, delete, insert, update
from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from farm_scheduler.database import Database
from farm_scheduler.results import Results, StepResult, TestResult
from farm_scheduler.states import JOB_ENDED
from farm_scheduler.tables import Attempt, Job, Step, Test

STEP = cast("Table", Step.__table__)  # type: ignore[attr-defined]  # SQLModel makes it for table classes
TEST = cast("Table", Test.__table__)  # type: ignore[attr-defined]  # the same


class Ingest:
    """The way of one attempt's results into the record."""

    def __init__(self, database: Database, results: Results, *, attempt_id: str, job_id: str) -> None:
        self._database = database
        self._results = results
        self._attempt_id = attempt_id
        self._job_id = job_id
        self._steps: list[StepResult] = []
        self._tests: list[TestResult] = []
        self._unsure = False

    def flush(self, *, stream_bytes: int, left_seconds: float | None) -> None:
        """Write what is new: steps, tests, and the live line of the job.

        Raises:
            OperationalError: the record does not answer. Nothing is lost: the next flush writes it as well.
        """
        self._steps += self._results.take_steps()
        self._tests += self._results.take_tests()
        fresh = [step for step in self._steps if step.row is None]
        try:
            with self._database.write_together() as session:
                if self._unsure:
                    self._take_back(session, fresh)
                for step in self._steps:
                    self._write_step(session, step)
                if self._tests:
                    session.execute(insert(TEST), [self._test_row(test) for test in self._tests])
                self._write_line(session, stream_bytes, left_seconds)
        except OperationalError:
            self._unsure = True
            for step in fresh:
                step.row = None
            raise
        self._steps, self._tests, self._unsure = [], [], False

    def _take_back(self, session: Session, fresh: list[StepResult]) -> None:
        """A commit that was not answered may have happened: its rows are removed before they are written again."""
        for step in fresh:
            same = (STEP.c.environment.is_not_distinct_from(step.environment), STEP.c.name == step.name)
            session.execute(delete(STEP).where(STEP.c.attempt_id == self._attempt_id, *same))
        if self._tests:
            first = min(test.position for test in self._tests)
            session.execute(
                delete(TEST).where(TEST.c.attempt_id == self._attempt_id, TEST.c.position >= first)
            )

    def _write_step(self, session: Session, step: StepResult) -> None:
        values: dict[str, Any] = {"status": step.status, "started": step.started, "finished": step.finished}
        if step.row is not None:
            session.execute(update(STEP).where(STEP.c.id == step.row).values(values))
            return
        row = values | {"attempt_id": self._attempt_id, "environment": step.environment, "name": step.name}
        step.row = session.execute(insert(STEP).returning(STEP.c.id), [row]).scalar_one()

    def _test_row(self, test: TestResult) -> dict[str, Any]:
        return {
            "attempt_id": self._attempt_id,
            "environment": test.environment,
            "name": test.name,
            "status": test.status,
            "seconds": test.seconds,
            "message": test.message,
            "position": test.position,
        }

    def _write_line(self, session: Session, stream_bytes: int, left_seconds: float | None) -> None:
        attempt = session.get(Attempt, self._attempt_id)
        if attempt is not None:
            attempt.stream_bytes = stream_bytes
        job = session.get(Job, self._job_id)
        if job is None or job.state in JOB_ENDED:
            return
        counts = self._results.counts
        job.tests_passed, job.tests_failed = counts.passed, counts.failed
        job.tests_skipped, job.tests_other, job.tests_total = counts.skipped, counts.other, counts.total
        job.now = self._results.now
        job.left_seconds = left_seconds
