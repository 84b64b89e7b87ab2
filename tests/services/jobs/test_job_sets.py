"""What a job had installed, from its machine's result and the proxy's record into the record of the farm."""

import json
from datetime import UTC, datetime
from pathlib import Path

from farm_scheduler import runs
from farm_scheduler.claims import claim_job
from farm_scheduler.installed_sets import read_sets
from farm_scheduler.installers import Installer
from farm_scheduler.plan import Narrowing
from farm_scheduler.run_report import read_report
from farm_scheduler.settings import Settings
from farm_scheduler.states import JobState
from farm_scheduler.tables import Attempt, Job
from farm_scheduler.verdicts import Verdict
from farm_workers.run import Hands, run_claim

from .test_run_job import NAME, Sent, job_of, project, rows, submit

TEST = {"test_a.py": "def test_a(): pass\n"}


def test_a_job_tells_what_it_had_and_what_its_machine_fetched(hands: Hands, tmp_path: Path) -> None:
    """After a job the record has the releases of its environment, and each file that the proxy gave its machine."""
    record = hands.settings.home / "index/downloads/m-agent.jsonl"
    record.parent.mkdir(parents=True)
    line = {
        "time": "2026-01-01",
        "file": "six-1.17.0-py3-none-any.whl",
        "sha256": "1" * 64,
        "bytes": 7,
        "from_cache": True,
    }
    record.write_text(json.dumps(line) + "\n", encoding="utf-8")
    run, claim = submit(hands, project(tmp_path / "toy", TEST))
    run_claim(hands, claim)
    assert job_of(hands, claim).verdict is Verdict.PASSED
    with hands.database.read() as session:
        found = read_sets(session, claim.job_id)
        (cell,) = read_report(session, run.id).cells
    (made,) = found.sets
    assert (made.environment, made.installer, found.attempt_id) == (NAME, "project", claim.attempt_id)
    assert "pip" in {each["name"] for each in made.packages}
    assert [(each.file, each.sha256, each.bytes) for each in found.fetched] == [
        (line["file"], line["sha256"], 7)
    ]
    assert cell.installed == f"{NAME}: {made.size} package{'' if made.size == 1 else 's'}"


def run_for(hands: Hands, folder: Path, narrowing: Narrowing, asked: Settings | None = None) -> None:
    """Run the only job of a run of a folder with a person's choice, which was asked for with other settings maybe."""
    runs.submit(hands.database, Sent(), asked or hands.settings, str(folder), narrowing)
    claim = claim_job(hands.database, worker="test:1", lease_seconds=60)
    assert claim is not None
    run_claim(hands, claim)


def test_a_cut_off_that_nobody_holds_is_no_verdict(hands: Hands, tmp_path: Path) -> None:
    """Where the index proxy cannot be told of the cut-off the job is not run without it: it is the farm's error."""
    cutoff = Narrowing(cutoff=datetime(2026, 2, 1, tzinfo=UTC))
    run_for(hands, project(tmp_path / "toy", TEST), cutoff)
    (attempt,) = rows(hands, Attempt)
    assert attempt.verdict is Verdict.FARM_ERROR
    assert "cut-off" in attempt.reason


def test_constraints_that_are_not_to_be_asked_for_fail_the_job(hands: Hands, tmp_path: Path) -> None:
    """A URL that no worker may ask, though it was taken when it might, fails the job once, without a machine."""
    wish = Narrowing(installers=(Installer.CONSTRAINTS,), constraints=("https://127.0.0.1/c.txt",))
    lenient = hands.settings.model_copy(update={"git_hosts": ("127.0.0.1",)})
    run_for(hands, project(tmp_path / "toy", TEST), wish, lenient)
    (attempt,) = rows(hands, Attempt)
    assert (attempt.verdict, attempt.machine) == (Verdict.INSTALL_FAILED, None)
    assert "no public address" in attempt.reason
    (job,) = rows(hands, Job)
    assert job.state is JobState.FINISHED
