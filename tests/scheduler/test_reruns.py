"""Jobs that are run again."""

import pytest
from sqlmodel import select

from farm_scheduler.claims import claim_job, finish, give_up, move
from farm_scheduler.errors import NotFoundError, RerunError
from farm_scheduler.judgement import Judgement
from farm_scheduler.reruns import rerun, run_to_reopen
from farm_scheduler.retries import MAX_ATTEMPTS
from farm_scheduler.run_report import read_report
from farm_scheduler.runs import cancel
from farm_scheduler.sources import source_path
from farm_scheduler.states import ImageState, JobState, RunState
from farm_scheduler.tables import Attempt, Image, Job, Run
from farm_scheduler.triggers import Trigger
from farm_scheduler.verdicts import Verdict

from .queued_runs import add_images, add_project, add_run, hold

JOB, RUN = "j-fin22222", "r-fin23456"


class Sent:
    """An engine that keeps what is published; the real one is in tests/services."""

    def __init__(self):
        self.messages = []

    def send_task(self, name, args=(), **_):
        """Keep one message."""
        self.messages.append((name, tuple(args)))


@pytest.fixture
def engine(runs, settings):
    """An engine; the source of the finished run is in the store."""
    del runs
    source_path(settings, "0" * 64).write_bytes(b"")
    return Sent()


def run_once(database, verdict):
    """A worker takes the job and ends it with a verdict; whether it waits again."""
    claim = claim_job(database, worker="host:1", lease_seconds=60)
    assert claim.job_id == JOB
    for state in (JobState.BOOTING, JobState.RUNNING, JobState.FINISHING):
        move(database, claim, state)
    return finish(database, claim, Judgement(verdict=verdict, reason="why"))


def test_a_job_is_run_again_in_its_run(runs, settings, engine):
    """The run is open again until the new attempt has ended; the verdict before stays beside the new one."""
    with runs.write() as session:
        session.exec(select(Attempt).where(Attempt.job_id == JOB)).one().verdict = Verdict.FAILED
    assert run_to_reopen(runs, settings, JOB) == RUN
    assert rerun(runs, engine, settings, JOB).id == RUN
    assert engine.messages == [("wheelfarm.ticket", ())]
    with runs.read() as session:
        report = read_report(session, RUN)
    cell = report.cells[2]
    assert (report.state, report.exit_code, report.finished) == (RunState.QUEUED, None, None)
    assert (cell.word, cell.passed, cell.attempt_id, cell.failing) == ("queued", 0, None, ())
    assert report.seconds < 60
    assert run_once(runs, Verdict.PASSED) is False
    with runs.read() as session:
        report = read_report(session, RUN)
    cell = report.cells[2]
    assert (report.state, report.exit_code) == (RunState.FINISHED, 1)
    assert (cell.word, cell.attempts, cell.history) == ("passed", 2, (Verdict.FAILED,))


def test_a_rerun_has_its_own_tries(runs, settings, engine):
    """The farm's own faults are tried again as often as in a first run, however many attempts there were before."""
    rerun(runs, engine, settings, JOB)
    for left in reversed(range(MAX_ATTEMPTS)):
        with runs.write() as session:
            session.get(Job, JOB).not_before = None
        assert run_once(runs, Verdict.FARM_ERROR) is (left > 0)
    with runs.read() as session:
        assert session.get(Job, JOB).verdict is Verdict.FARM_ERROR


def test_a_rerun_can_be_cancelled_and_run_again(runs, settings, engine):
    """A cancelled attempt ends the run as cancelled, and the next rerun opens it once more."""
    rerun(runs, engine, settings, JOB)
    claim = claim_job(runs, worker="host:1", lease_seconds=60)
    found = cancel(runs, RUN)
    assert (found.state, found.stopping, found.ended) == (RunState.CANCELLING, 1, 6)
    give_up(runs, claim)
    with runs.read() as session:
        assert session.get(Run, RUN).state is RunState.CANCELLED
    rerun(runs, engine, settings, JOB)
    assert run_once(runs, Verdict.PASSED) is False
    with runs.read() as session:
        assert session.get(Run, RUN).state is RunState.FINISHED


def test_an_image_that_has_gone_is_asked_for(runs, settings, engine):
    """Without a ready image the bake is asked for, and the job waits."""
    with runs.write() as session:
        session.get(Image, "debian-12").state = ImageState.FAILED
    rerun(runs, engine, settings, JOB)
    assert engine.messages == [("wheelfarm.bake", ("debian-12",))]


def test_an_unknown_job_is_told(runs, settings, engine):
    """A wrong id is wrong use, with the command that names the right ones."""
    with pytest.raises(NotFoundError, match="wheelfarm results"):
        rerun(runs, engine, settings, "j-nope")


@pytest.mark.parametrize(
    ("job", "words"), [("j-run22221", "is running"), ("j-run22223", "is queued"), ("j-run22220", "its run")]
)
def test_what_has_not_ended_is_not_run_again(runs, settings, engine, job, words):
    """A job that waits or works, or whose run goes on, is refused in one sentence, and nothing is changed."""
    with pytest.raises(RerunError, match=words):
        rerun(runs, engine, settings, job)
    assert engine.messages == []


def test_what_never_ran_is_not_run_again(runs, settings, engine):
    """A cell that the farm cannot offer stays as it was planned."""
    with runs.write() as session:
        session.get(Job, "j-fin22226").started = None
    with pytest.raises(RerunError, match="linting: needs network"):
        rerun(runs, engine, settings, "j-fin22226")


def test_a_source_that_was_removed_is_told(runs, settings, engine):
    """Without its source a job cannot be run again, and the sentence says what to do instead."""
    source_path(settings, "0" * 64).unlink()
    with pytest.raises(RerunError, match=r"wheelfarm run pluggy==1\.7\.0"):
        rerun(runs, engine, settings, JOB)


@pytest.fixture
def family(record, settings):
    """A job, one that needs what it makes, and one that needs what that makes; their source is in the store."""
    source_path(settings, "0" * 64).write_bytes(b"")
    with record.write() as session:
        add_images(session)
        jobs = add_run(session, add_project(session, "demo"), [30.0, 30.0, 30.0], trigger=Trigger.PUSH)
        hold(session, jobs[1], jobs[0])
        hold(session, jobs[2], jobs[1])
        return [job.id for job in jobs]


def end(record, job, verdict, times=1):
    """Workers take this job and end it, so many times."""
    for _ in range(times):
        with record.write() as session:
            session.get_one(Job, job).not_before = None
        claim = claim_job(record, worker="host:1", lease_seconds=60)
        assert claim.job_id == job
        finish(record, claim, Judgement(verdict=verdict, reason="why"))


def words(record, family):
    """The state or verdict of each."""
    with record.read() as session:
        jobs = [session.get_one(Job, each) for each in family]
    return [str((job.verdict or job.state).value) for job in jobs]


@pytest.mark.parametrize(
    ("verdict", "times"), [(Verdict.FARM_ERROR, MAX_ATTEMPTS), (Verdict.BUILD_FAILED, 1)]
)
def test_what_never_ran_waits_for_its_parent_again(record, settings, family, verdict, times):
    """A rerun of the first holds the others once more; when it passes they run, and the run ends as expected."""
    end(record, family[0], verdict, times)
    assert words(record, family) == [verdict.value] * 3
    with pytest.raises(RerunError, match=f"needs what job {family[0]} makes"):
        rerun(record, Sent(), settings, family[1])
    rerun(record, Sent(), settings, family[0])
    assert words(record, family) == ["queued", "held", "held"]
    for job in family:
        end(record, job, Verdict.PASSED)
    with record.read() as session:
        (run,) = session.exec(select(Run))
        assert (run.state, run.exit_code) == (RunState.FINISHED, 0)


def test_a_dependent_of_another_run_waits_again(record, settings, family):
    """Its run is open again as well, and an image that it lacks is asked for."""
    with record.write() as session:
        add_images(session, "forky", state=ImageState.FAILED)
        (other,) = add_run(session, "six", [30.0], systems=["forky"])
        hold(session, other, session.get_one(Job, family[0]))
        other = other.id
    end(record, family[0], Verdict.BUILD_FAILED)
    engine = Sent()
    rerun(record, engine, settings, family[0])
    assert engine.messages == [("wheelfarm.ticket", ()), ("wheelfarm.bake", ("forky",))]
    assert words(record, [other]) == ["held"]
    with record.read() as session:
        assert {run.state for run in session.exec(select(Run))} == {RunState.QUEUED}


def test_a_cancelled_dependent_is_run_again_behind_its_parent(record, settings, family):
    """What was cancelled with its parent is run again by hand, and not before the parent has passed."""
    with record.read() as session:
        run = session.get_one(Job, family[0]).run_id
    cancel(record, run)
    rerun(record, Sent(), settings, family[0])
    end(record, family[0], Verdict.PASSED)
    with pytest.raises(RerunError, match=f"needs what job {family[1]} makes"):
        rerun(record, Sent(), settings, family[2])
    rerun(record, Sent(), settings, family[1])
    assert words(record, family) == ["passed", "queued", "cancelled"]
