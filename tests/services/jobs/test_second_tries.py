"""A test that fails in one machine and passes in the next, from the claim to what people see."""

from pathlib import Path

from sqlmodel import select

from farm_scheduler import runs
from farm_scheduler.claims import claim_job
from farm_scheduler.plan import Narrowing
from farm_scheduler.run_report import read_report
from farm_scheduler.tables import Attempt, Cell, Job
from farm_scheduler.verdicts import Verdict
from farm_workers.run import Hands, run_claim

from .test_run_job import NAME, Sent, project

DECLARED = "[tool.wheelfarm.environment]\nLUCK = 'bad'\n"
FLAKY = "import os\ndef test_luck(): assert os.environ['LUCK'] == 'good'\ndef test_b(): pass\n"


def test_luck_is_flaky(hands: Hands, tmp_path: Path) -> None:
    """A failing test is tried again in a fresh machine; when it passes there, the job is flaky and both are kept."""
    folder = project(tmp_path / "p", {"test_it.py": FLAKY, "pyproject.toml": DECLARED})
    run = runs.submit(hands.database, Sent(), hands.settings, str(folder), Narrowing(), retries=1)
    for again in (True, False):
        claim = claim_job(hands.database, worker="test:1", lease_seconds=60)
        assert claim is not None
        assert run_claim(hands, claim) is again
        # Machines share nothing: the record tells the second one otherwise.
        with hands.database.write() as session:
            cell = session.exec(select(Cell)).one()
            cell.variables = cell.variables | {"LUCK": "good"}
    with hands.database.read() as session:
        job = session.exec(select(Job)).one()
        attempts = session.exec(select(Attempt).order_by(Attempt.number)).all()  # type: ignore[arg-type]  # a column
        report = read_report(session, run.id)
    assert job.verdict is Verdict.FLAKY
    assert job.reason == f"{NAME}: test_it.py::test_luck failed in try 1, and try 2 passed"
    assert [each.verdict for each in attempts] == [Verdict.FAILED, Verdict.PASSED]
    assert all((hands.settings.home / str(each.stream_path)).stat().st_size for each in attempts)
    assert [test.name for test in report.cells[0].failing] == ["test_it.py::test_luck"]
    assert (report.exit_code, report.cells[0].green, report.cells[0].passed) == (1, False, 2)
