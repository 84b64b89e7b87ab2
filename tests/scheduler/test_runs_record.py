"""Runs, claims and settlement in the record, without an engine."""

import io
import tarfile
from pathlib import Path

import pytest
from sqlmodel import col, select, update
from tests.stored_image import image_row

from farm_scheduler import runs
from farm_scheduler.claims import (
    Standing,
    claim_job,
    expire_attempts,
    finish,
    give_up,
    move,
    renew,
)
from farm_scheduler.database import Database
from farm_scheduler.errors import PlanError, StateError, TargetError
from farm_scheduler.judgement import Judgement
from farm_scheduler.plan import Narrowing
from farm_scheduler.retries import MAX_ATTEMPTS
from farm_scheduler.settings import Settings
from farm_scheduler.settlement import exit_code
from farm_scheduler.states import AttemptState, ImageState, JobState, RunState
from farm_scheduler.tables import Attempt, Cell, Job, Run, now
from farm_scheduler.verdicts import Verdict

TOX_INI = "[tox]\nenv_list = py311, py312, docs, py399\n"


class Sent:
    """An engine that keeps what is published; the real one is in tests/services."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, tuple[str, ...]]] = []

    def send_task(self, name: str, args: tuple[str, ...] = (), **_: object) -> None:
        """Keep one message."""
        self.messages.append((name, tuple(args)))


@pytest.fixture
def settings(tmp_path: Path, record_url: str) -> Settings:
    """A farm in a temporary home."""
    settings = Settings(
        home=tmp_path / "home",
        database_url=record_url,
        systems=("debian-12",),
        pyenv_root=None,
        python_mirror="http://127.0.0.1:9/",
    )
    settings.prepare()
    return settings


@pytest.fixture
def database(record: Database) -> Database:
    """Its record."""
    return record


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a tox configuration."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "tox.ini").write_text(TOX_INI)
    return folder


def add_image(database: Database, state: ImageState = ImageState.READY) -> None:
    """An image with two Pythons."""
    with database.write() as session:
        session.merge(image_row("3.11.2", "3.12.1", state=state))


def submit(
    database: Database, settings: Settings, project: Path, **narrowing: tuple[str, ...]
) -> tuple[Run, Sent]:
    """A run of the project."""
    engine = Sent()
    run = runs.submit(database, engine, settings, str(project), Narrowing(**narrowing))
    return run, engine


def jobs_of(database: Database, run: Run) -> list[Job]:
    """The jobs of a run, as they are now, in the order of their cells."""
    with database.read() as session:
        chosen = select(Job).join(Cell, col(Cell.id) == col(Job.cell_id)).where(Job.run_id == run.id)
        return list(session.exec(chosen.order_by(col(Cell.position))))


def run_now(database: Database, run: Run) -> Run:
    """The run as it is now."""
    with database.read() as session:
        found = session.get(Run, run.id)
    assert found is not None
    return found


def claim_one(database: Database):
    """Claim what must be there."""
    claim = claim_job(database, worker="host:1", lease_seconds=60)
    assert claim is not None
    return claim


def test_a_run_is_planned_and_ticketed(database: Database, settings: Settings, project: Path) -> None:
    """With its image ready a run is queued at once, with one ticket for each of its cells."""
    add_image(database)
    run, engine = submit(database, settings, project)
    found = run_now(database, run)
    assert found.state is RunState.QUEUED
    assert [message for message, _ in engine.messages] == ["wheelfarm.ticket"] * 3
    assert len(jobs_of(database, run)) == 4
    assert (settings.sources / f"{run.source_sha256}.tar.gz").is_file()


def test_what_no_image_has_is_finished_at_once(database: Database, settings: Settings, project: Path) -> None:
    """An unsupported cell has its verdict and reason when the run begins, and does not fail the run."""
    add_image(database)
    run, _ = submit(database, settings, project)
    job = next(job for job in jobs_of(database, run) if job.verdict is not None)
    assert (job.state, job.verdict) == (JobState.FINISHED, Verdict.UNSUPPORTED)
    assert job.reason == "no interpreter in debian-12 fits py399"
    for _ in range(3):
        bring_through(database, claim_one(database), Verdict.PASSED)
    assert claim_job(database, worker="host:1", lease_seconds=60) is None
    assert run_now(database, run).exit_code == 0


def test_a_run_in_which_nothing_can_run_ends_at_once(
    database: Database, settings: Settings, project: Path
) -> None:
    """With unsupported cells only, the run is finished when it is submitted, and not as expected."""
    add_image(database)
    (project / "tox.ini").write_text("[tox]\nenv_list = py399\n[testenv]\ncommands = pytest\n")
    run, engine = submit(database, settings, project)
    found = run_now(database, run)
    assert (found.state, found.exit_code, engine.messages) == (RunState.FINISHED, 1, [])
    assert "no interpreter in debian-12 fits" in str(jobs_of(database, run)[0].reason)


@pytest.mark.parametrize(
    ("found", "end"),
    [
        (Verdict.FAILED, (Verdict.EXPECTED_FAILURE, 0, "expects a failure: not yet (failed: why)")),
        (Verdict.TIMED_OUT, (Verdict.EXPECTED_FAILURE, 0, "not yet (timed-out: why)")),
        (Verdict.PASSED, (Verdict.PASSED, 1, "unexpectedly passed: the project expects a failure: not yet")),
        (Verdict.NO_TESTS, (Verdict.NO_TESTS, 0, "why")),
    ],
)
def test_an_expected_failure_is_set_against_what_was_found(
    database: Database,
    settings: Settings,
    project: Path,
    found: Verdict,
    end: tuple[Verdict, int, str],
) -> None:
    """A declared failure is expected, one that passes all the same fails the run; the attempt keeps its word."""
    verdict, code, said = end
    add_image(database)
    (project / "pyproject.toml").write_text(
        "[tool.wheelfarm]\ntimeout = 90\n"
        '[[tool.wheelfarm.expected-failures]]\npython = "3.12"\nreason = "not yet"\n'
    )
    run, _ = submit(database, settings, project)
    for _ in range(3):
        claim = claim_one(database)
        assert claim.limit_seconds == 90
        bring_through(database, claim, found if claim.environments == ("py312",) else Verdict.PASSED)
    job = jobs_of(database, run)[1]
    assert job.verdict is verdict
    assert said in str(job.reason)
    with database.read() as session:
        attempt = session.exec(select(Attempt).where(Attempt.job_id == job.id)).one()
    assert attempt.verdict is found
    assert run_now(database, run).exit_code == code


def bring_through(database: Database, claim, verdict: Verdict) -> None:
    """An attempt from its lease to its end."""
    for state in (JobState.BOOTING, JobState.RUNNING, JobState.FINISHING):
        move(database, claim, state)
    finish(database, claim, Judgement(verdict=verdict, reason="why"))


def test_a_run_waits_for_its_image(database: Database, settings: Settings, project: Path) -> None:
    """Without an image the bake is asked for, and the run is planned when it is there."""
    run, engine = submit(database, settings, project)
    assert engine.messages == [("wheelfarm.bake", ("debian-12",))]
    assert run_now(database, run).state is RunState.PLANNED
    assert runs.waiting_runs(database) == [run.id]
    add_image(database)
    runs.advance(database, engine, settings, run.id)
    assert run_now(database, run).state is RunState.QUEUED
    assert engine.messages[1:] == [("wheelfarm.ticket", ())] * 3


def test_a_failed_bake_ends_its_runs(database: Database, settings: Settings, project: Path) -> None:
    """A run whose image cannot be baked ends with the reason and exit code 3."""
    run, engine = submit(database, settings, project)
    add_image(database, ImageState.FAILED)
    runs.advance(database, engine, settings, run.id)
    found = run_now(database, run)
    assert (found.state, found.exit_code) == (RunState.FINISHED, 3)
    assert "could not be baked" in str(found.notes[-1]["reason"])


def test_a_plan_that_is_empty_after_the_bake_ends_the_run(
    database: Database, settings: Settings, project: Path
) -> None:
    """Bad input that only the image can tell ends the run with exit code 2."""
    (project / "tox.ini").write_text("[tox]\nenv_list = py39\n")
    run, engine = submit(database, settings, project, pythons=("3.9",))
    add_image(database)
    runs.advance(database, engine, settings, run.id)
    found = run_now(database, run)
    assert (found.state, found.exit_code) == (RunState.FINISHED, 2)
    assert "no image has Python 3.9; there is 3.11, 3.12" in str(found.notes[-1]["reason"])


def test_bad_input_records_nothing(database: Database, settings: Settings, project: Path) -> None:
    """A wrong folder, a broken file and an unknown system are told at once."""
    with pytest.raises(TargetError):
        submit(database, settings, project / "none")
    with pytest.raises(PlanError, match="no system is called plan9"):
        submit(database, settings, project, systems=("plan9",))
    (project / "tox.ini").write_text("no section")
    with pytest.raises(PlanError, match=r"tox.ini cannot be read"):
        submit(database, settings, project)
    with database.read() as session:
        assert session.exec(select(Run)).all() == []


def test_the_longest_job_goes_first(database: Database, settings: Settings, project: Path) -> None:
    """Within what waits, the job that is expected to take longest is claimed first."""
    add_image(database)
    run, _ = submit(database, settings, project)
    longest = jobs_of(database, run)[1]
    with database.write() as session:
        session.exec(update(Job).where(col(Job.id) == longest.id).values(expected_seconds=999.0))
    claim = claim_one(database)
    assert claim.job_id == longest.id
    assert claim.environments == ("py312",)
    assert run_now(database, run).state is RunState.RUNNING


def test_nothing_is_claimed_twice(database: Database, settings: Settings, project: Path) -> None:
    """Each job goes to one claim, and then there is none."""
    add_image(database)
    submit(database, settings, project)
    claims = [claim_one(database).job_id for _ in range(3)]
    assert len(set(claims)) == 3
    assert claim_job(database, worker="host:1", lease_seconds=60) is None


def test_a_run_ends_with_its_last_job(database: Database, settings: Settings, project: Path) -> None:
    """The last verdict finishes the run and sets its exit code."""
    add_image(database)
    run, _ = submit(database, settings, project)
    for verdict in (Verdict.PASSED, Verdict.NO_TESTS, Verdict.PASSED):
        claim = claim_one(database)
        move(database, claim, JobState.BOOTING)
        move(database, claim, JobState.RUNNING, machine="m-1", warm=True)
        move(database, claim, JobState.FINISHING)
        assert finish(database, claim, Judgement(verdict=verdict), seconds={"tox": 1.5}) is False
    found = run_now(database, run)
    assert (found.state, found.exit_code) == (RunState.FINISHED, 0)
    with database.read() as session:
        attempts = session.exec(select(Attempt)).all()
    assert {(each.state, each.machine, each.seconds["tox"]) for each in attempts} == {
        (AttemptState.FINISHED, "m-1", 1.5)
    }


def test_a_farm_error_is_tried_again(database: Database, settings: Settings, project: Path) -> None:
    """The farm's own fault gives a job three tries, after a wait; then it is told."""
    add_image(database)
    run, _ = submit(database, settings, project, pythons=("3.11",))
    error = Judgement(verdict=Verdict.FARM_ERROR, reason="no machine")
    for number in range(1, MAX_ATTEMPTS + 1):
        claim = claim_one(database)
        assert claim.number == number
        assert finish(database, claim, error) is (number < MAX_ATTEMPTS)
        assert claim_job(database, worker="host:1", lease_seconds=60) is None
        with database.write() as session:
            session.exec(update(Job).values(not_before=None))
    (job,) = jobs_of(database, run)
    assert (job.state, job.verdict, job.reason) == (JobState.FINISHED, Verdict.FARM_ERROR, "no machine")
    assert run_now(database, run).exit_code == 3


def test_cancel_ends_what_waits_and_tells_what_works(
    database: Database, settings: Settings, project: Path
) -> None:
    """Queued jobs end at once, the one at work is told, and the run ends with it."""
    add_image(database)
    run, _ = submit(database, settings, project)
    claim = claim_one(database)
    assert renew(database, claim, lease_seconds=60) is Standing.WANTED
    runs.cancel(database, run.id)
    assert run_now(database, run).state is RunState.CANCELLING
    assert renew(database, claim, lease_seconds=60) is Standing.CANCELLED
    give_up(database, claim)
    found = run_now(database, run)
    assert (found.state, found.exit_code) == (RunState.CANCELLED, 130)
    waiting = [job for job in jobs_of(database, run) if job.verdict is not Verdict.UNSUPPORTED]
    assert {job.state for job in waiting} == {JobState.CANCELLED}
    assert runs.cancel(database, run.id).state is RunState.CANCELLED


def test_a_planned_run_can_be_cancelled(database: Database, settings: Settings, project: Path) -> None:
    """A run that waits for its image ends at once, and the image makes no difference later."""
    run, engine = submit(database, settings, project)
    assert runs.cancel(database, run.id).state is RunState.CANCELLED
    add_image(database)
    runs.advance(database, engine, settings, run.id)
    assert jobs_of(database, run) == []


def test_an_expired_lease_loses_the_job(database: Database, settings: Settings, project: Path) -> None:
    """A worker that does not renew loses its job to another try, and can change nothing afterwards."""
    add_image(database)
    run, _ = submit(database, settings, project, pythons=("3.11",))
    claim = claim_one(database)
    assert expire_attempts(database) == 0
    with database.write() as session:
        session.exec(update(Attempt).values(lease_expires=now()))
    assert expire_attempts(database) == 1
    (job,) = jobs_of(database, run)
    assert job.state is JobState.QUEUED
    assert renew(database, claim, lease_seconds=60) is Standing.LOST
    assert finish(database, claim, Judgement(verdict=Verdict.PASSED)) is False
    with pytest.raises(StateError):
        move(database, claim, JobState.BOOTING)
    assert jobs_of(database, run)[0].verdict is None


def test_the_jobs_of_a_dead_worker_come_back_at_once(
    database: Database, settings: Settings, project: Path
) -> None:
    """What a worker known to be dead had is queued without waiting for the lease."""
    add_image(database)
    submit(database, settings, project)
    claim_one(database)
    assert expire_attempts(database, dead_workers=frozenset({"host:2"})) == 0
    assert expire_attempts(database, dead_workers=frozenset({"host:1"})) == 1


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (["passed", "passed"], 0),
        (["passed", "no-tests", "unsupported"], 0),
        (["no-tests"], 1),
        (["no-tests", "unsupported"], 1),
        (["passed", "failed"], 1),
        (["passed", "flaky"], 1),
        (["passed", "lost"], 1),
        (["passed", "farm-error"], 3),
        (["failed", "farm-error"], 1),
        (["no-tests", "farm-error"], 3),
        ([], 1),
    ],
)
def test_exit_codes_follow_the_verdicts(found: list[str], expected: int) -> None:
    """The exit code of a run follows from what its cells came to."""
    assert exit_code([(Verdict.PASSED, Verdict(word)) for word in found]) == expected


def test_a_declared_expectation_counts() -> None:
    """A cell that is declared to fail, and fails, is as expected; one that passes instead is not."""
    assert exit_code([(Verdict.FAILED, Verdict.FAILED), (Verdict.PASSED, Verdict.PASSED)]) == 0
    assert exit_code([(Verdict.FAILED, Verdict.PASSED)]) == 1
    assert exit_code([(Verdict.NO_TESTS, Verdict.NO_TESTS)]) == 0


def test_sources_hold_the_folder(database: Database, settings: Settings, project: Path) -> None:
    """The stored archive has one top folder with the files of the target."""
    run, _ = submit(database, settings, project)
    content = (settings.sources / f"{run.source_sha256}.tar.gz").read_bytes()
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        assert archive.getnames() == ["source", "source/tox.ini"]
