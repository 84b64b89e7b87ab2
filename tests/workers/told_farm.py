"""A farm with one project, whose runs and events a test makes, and whatever is due is told."""

from collections.abc import Sequence
from datetime import timedelta

from sqlmodel import select

from farm_scheduler.database import Database
from farm_scheduler.event_tables import Event, EventState
from farm_scheduler.feedback_tables import Channel, Listener, Report
from farm_scheduler.listeners import add_listener
from farm_scheduler.secret_box import secret_box
from farm_scheduler.settings import Settings
from farm_scheduler.states import JobState, RunState
from farm_scheduler.tables import Attempt, Cell, Job, Project, Run, Test, now
from farm_scheduler.triggers import Trigger
from farm_scheduler.verdicts import Verdict
from farm_workers.feedback.sending import Reporter

COMMIT = "ab" * 20


def tell(reporter: Reporter) -> None:
    """One round of a reporter, to its end."""
    for each in reporter.report():
        each.result(timeout=60)


class Farm:
    """A record with one project at that host."""

    def __init__(self, database: Database, settings: Settings, host: str) -> None:
        self.database, self.settings, self.host = database, settings, host
        self.reporter = Reporter(database, settings)
        self.count = 0

    def project(self, forge: str) -> None:
        """A project at a forge."""
        with self.database.write() as session:
            url = f"http://{self.host}/me/demo.git"
            session.add(Project(id="p-1", name="demo", forge=forge, repository=url))

    def listen(self, channel: Channel, **where: str) -> str | None:
        """Have somebody told."""
        with self.database.write() as session:
            project = session.get_one(Project, "p-1")
            return add_listener(session, secret_box(self.settings), project, channel, **where)

    def run(
        self,
        exit_code: int | None = None,
        state: RunState = RunState.FINISHED,
        failing: Sequence[tuple[str, str | None]] = (("test_x", None),),
    ) -> str:
        """A run of the project, later than those before."""
        self.count += 1
        run = Run(id=f"r-{self.count}", target="x", project="demo", source_sha256="0", project_id="p-1")
        run.state, run.exit_code, run.ref, run.revision = state, exit_code, "main", COMMIT
        run.finished = now() if state in {RunState.FINISHED, RunState.CANCELLED} else None
        run.trigger, run.created = Trigger.PUSH, now() - timedelta(hours=1) + timedelta(seconds=self.count)
        with self.database.write() as session:
            session.add(run)
            session.flush()
            cell = Cell(id=f"c-{self.count}", run_id=run.id, position=0, system="s", label="py3.12 · s")
            session.add(cell)
            session.flush()
            verdict = Verdict.PASSED if exit_code == 0 else Verdict.FAILED
            job = Job(id=f"j-{self.count}", run_id=run.id, cell_id=cell.id, state=JobState.FINISHED)
            job.verdict = verdict
            session.add(job)
            session.flush()
            session.add(Attempt(id=f"a-{self.count}", job_id=job.id, number=1))
            session.flush()
            for position, (name, message) in enumerate(failing if exit_code else ()):
                test = Test(attempt_id=f"a-{self.count}", environment="e", name=name, position=position)
                test.status, test.message = "fail", message
                session.add(test)
        return run.id

    def finish(self, run_id: str, exit_code: int) -> None:
        """Let a run end, once more."""
        with self.database.write() as session:
            run = session.get_one(Run, run_id)
            run.state, run.exit_code, run.finished = RunState.FINISHED, exit_code, now()

    def change(self, run_id: str, **columns: object) -> None:
        """Change a run otherwise."""
        with self.database.write() as session:
            run = session.get_one(Run, run_id)
            for name, value in columns.items():
                setattr(run, name, value)

    def pull(self, run_id: str, number: int) -> None:
        """An event of a pull request that led to a run."""
        with self.database.write() as session:
            event = Event(project_id="p-1", trigger=Trigger.PULL_REQUEST, target="x", run_id=run_id)
            event.ref, event.state = f"pull/{number}", EventState.DONE
            session.add(event)

    def tell(self) -> None:
        """Tell what is due, and wait for it."""
        tell(self.reporter)

    def hurry(self) -> None:
        """Let what is tried again later be due now, as if whoever had it were gone."""
        with self.database.write() as session:
            for report in session.exec(select(Report)):
                report.not_before, report.taken = now() - timedelta(seconds=1), None

    def reports(self) -> list[Report]:
        """All reports."""
        with self.database.read() as session:
            return list(session.exec(select(Report)))

    def listeners(self) -> list[Listener]:
        """All listeners."""
        with self.database.read() as session:
            return list(session.exec(select(Listener)))

    def change_forge(self, forge: str) -> None:
        """Let the project be at another forge."""
        with self.database.write() as session:
            session.get_one(Project, "p-1").forge = forge
