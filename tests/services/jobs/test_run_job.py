"""One job from claim to verdict, against the real agent."""

import socket
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from farm_scheduler import runs
from farm_scheduler.claims import Claim, claim_job
from farm_scheduler.judgement import judge
from farm_scheduler.plan import Narrowing
from farm_scheduler.replay import replay
from farm_scheduler.states import ImageState, JobState, RunState
from farm_scheduler.tables import Attempt, Image, Job, Run, Step, Test
from farm_scheduler.verdicts import Verdict
from farm_workers.leases import LeaseError
from farm_workers.machines import holder_machines
from farm_workers.run import Hands, run_claim

SITE = next(path for path in sys.path if path.endswith("site-packages"))
NAME = f"py{sys.version_info.major}{sys.version_info.minor}"
PYTEST = "python -m pytest -p no:cacheprovider"


class Sent:
    """An engine that drops what is published: these tests claim by themselves."""

    def send_task(self, *_: object, **__: object) -> None:
        """Drop one message."""


def project(folder: Path, files: dict[str, str], commands: str = PYTEST, **settings: str) -> Path:
    """A folder whose environment needs no network: it borrows pytest of this environment."""
    folder.mkdir(exist_ok=True)
    lines = [
        f"[tox]\nskipsdist = true\nenv_list = {NAME}\n[testenv]\nskip_install = true\nallowlist_externals = *"
    ]
    lines += [f"set_env =\n    PYTHONPATH = {SITE}", "commands =\n    " + commands.replace("\n", "\n    ")]
    lines += [f"{key} = {value}" for key, value in settings.items()]
    (folder / "tox.ini").write_text("\n".join(lines) + "\n")
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def submit(hands: Hands, folder: Path) -> tuple[Run, Claim]:
    """A run of a folder, and the claim of its only job."""
    run = runs.submit(hands.database, Sent(), hands.settings, str(folder), Narrowing())
    claim = claim_job(hands.database, worker="test:1", lease_seconds=60)
    assert claim is not None
    return run, claim


def job_of(hands: Hands, claim: Claim) -> Job:
    """The job as it is now."""
    with hands.database.read() as session:
        job = session.get(Job, claim.job_id)
    assert job is not None
    return job


def rows(hands: Hands, table: Any) -> list[Any]:
    """All rows of a table."""
    with hands.database.read() as session:
        return list(session.exec(select(table)).all())


def run_files(hands: Hands, folder: Path, files: dict[str, str], **how: str) -> Job:
    """Run a project of these files; its job afterwards."""
    _, claim = submit(hands, project(folder, files, **how))
    run_claim(hands, claim)
    return job_of(hands, claim)


def test_a_passing_project_passes(hands: Hands, tmp_path: Path) -> None:
    """Tests, steps, counters, attempt and raw stream of a passing project are in the record."""
    text = "import pytest\ndef test_a(): pass\n@pytest.mark.skip\ndef test_b(): pass\n"
    run, claim = submit(hands, project(tmp_path / "p", {"test_it.py": text}))
    assert run_claim(hands, claim) is False
    job = job_of(hands, claim)
    assert (job.verdict, job.reason) == (Verdict.PASSED, None)
    assert (job.tests_passed, job.tests_skipped, job.tests_total) == (1, 1, 2)
    tests = {(each.environment, each.name): each.status for each in rows(hands, Test)}
    assert tests == {(NAME, "test_it.py::test_a"): "success", (NAME, "test_it.py::test_b"): "skip"}
    assert {("farm:commands", "success"), ("farm:tox", "success")} <= {
        (each.name, each.status) for each in rows(hands, Step)
    }
    (attempt,) = rows(hands, Attempt)
    assert attempt.verdict is Verdict.PASSED
    stream = hands.settings.home / attempt.stream_path
    assert stream.stat().st_size == attempt.stream_bytes
    again = replay(stream, [NAME])
    assert judge(again.evidence()).verdict is Verdict.PASSED
    assert [(each.name, each.status) for each in again.take_tests()] == [
        (each.name, each.status) for each in rows(hands, Test)
    ]
    with hands.database.read() as session:
        ended = session.get(Run, run.id)
    assert ended is not None
    assert (ended.state, ended.exit_code) == (RunState.FINISHED, 0)


def test_a_failing_test_fails_the_job(hands: Hands, tmp_path: Path) -> None:
    """A failing test is named, with its traceback in the record."""
    job = run_files(
        hands, tmp_path / "p", {"test_it.py": "def test_a(): assert 1 == 2\ndef test_b(): pass\n"}
    )
    assert (job.verdict, job.reason) == (Verdict.FAILED, f"{NAME}: test_it.py::test_a failed")
    (failed,) = [each for each in rows(hands, Test) if each.status == "fail"]
    assert "assert 1 == 2" in failed.message


def test_a_crash_inside_a_test_is_lost(hands: Hands, tmp_path: Path) -> None:
    """A test that kills its interpreter began and never ended."""
    text = "import os, signal\ndef test_a(): pass\ndef test_b(): os.kill(os.getpid(), signal.SIGSEGV)\n"
    job = run_files(hands, tmp_path / "p", {"test_it.py": text})
    assert (job.verdict, job.reason) == (Verdict.LOST, f"{NAME}: test_it.py::test_b began and never ended")


def test_a_hanging_test_times_out(hands: Hands, tmp_path: Path) -> None:
    """The guest's limit on time ends a test that hangs, which is named."""
    quick = hands.settings.model_copy(update={"job_seconds": 25.0})
    hands = Hands(settings=quick, database=hands.database, machines=hands.machines)
    text = "import time\ndef test_a(): time.sleep(600)\n"
    job = run_files(hands, tmp_path / "p", {"test_it.py": text})
    assert job.verdict is Verdict.TIMED_OUT
    assert job.reason == f"the time for the job ran out, in {NAME}: test_it.py::test_a"


def test_a_project_without_tests_has_no_tests(hands: Hands, tmp_path: Path) -> None:
    """Pytest that finds nothing is no-tests, never passed."""
    job = run_files(hands, tmp_path / "p", {"empty.py": ""})
    assert (job.verdict, job.reason) == (Verdict.NO_TESTS, f"{NAME}: pytest found no test")


def test_commands_alone_are_no_tests(hands: Hands, tmp_path: Path) -> None:
    """A command that succeeds without reporting a test makes no cell green."""
    job = run_files(hands, tmp_path / "p", {}, commands="python -c pass")
    assert (job.verdict, job.reason) == (Verdict.NO_TESTS, "everything ran, and no test was reported")


def test_a_failure_behind_a_dash_is_not_hidden(hands: Hands, tmp_path: Path) -> None:
    """Failing tests whose exit code tox ignores fail the job all the same."""
    job = run_files(hands, tmp_path / "p", {"test_it.py": "def test_a(): assert 0\n"}, commands=f"- {PYTEST}")
    assert job.verdict is Verdict.FAILED


def test_ignore_outcome_is_not_hidden(hands: Hands, tmp_path: Path) -> None:
    """`ignore_outcome` does not make a failing environment green."""
    files = {"test_it.py": "def test_a(): pass\n"}
    how = {"commands": f"{PYTEST}\npython -c 'raise SystemExit(3)'", "ignore_outcome": "true"}
    job = run_files(hands, tmp_path / "p", files, **how)
    assert job.verdict is Verdict.FAILED
    assert "ended with 3" in str(job.reason)


def test_a_failing_command_fails_the_job(hands: Hands, tmp_path: Path) -> None:
    """A command that fails after passing tests is named with its exit code."""
    files = {"test_it.py": "def test_a(): pass\n"}
    job = run_files(hands, tmp_path / "p", files, commands=f"{PYTEST}\npython -c 'raise SystemExit(3)'")
    assert job.verdict is Verdict.FAILED
    assert str(job.reason).endswith("ended with 3")


def test_a_broken_configuration_is_told(hands: Hands, tmp_path: Path) -> None:
    """An environment that cannot be installed is install-failed with what tox said."""
    job = run_files(hands, tmp_path / "p", {}, deps="./no-such-folder")
    assert job.verdict is Verdict.INSTALL_FAILED


def test_a_cancelled_job_ends_soon(hands: Hands, tmp_path: Path) -> None:
    """A cancellation in the record ends a running job within seconds, and its run."""
    text = "import time\ndef test_a(): time.sleep(600)\n"
    run, claim = submit(hands, project(tmp_path / "p", {"test_it.py": text}))
    thread = threading.Thread(target=run_claim, args=(hands, claim))
    thread.start()
    deadline = time.monotonic() + 60
    while "test_a" not in str(job_of(hands, claim).now) and time.monotonic() < deadline:
        time.sleep(0.1)
    runs.cancel(hands.database, run.id)
    began = time.monotonic()
    thread.join(timeout=30)
    assert not thread.is_alive()
    assert time.monotonic() - began < 10
    assert job_of(hands, claim).state is JobState.CANCELLED


def test_a_job_is_cancelled_while_its_machine_is_made(hands: Hands, tmp_path: Path) -> None:
    """A cancellation ends the wait for a machine, however long the machine would take."""
    silent = replace(hands, machines=holder_machines(hands.settings))
    run, claim = submit(hands, project(tmp_path / "p", {}))
    with socket.socket(socket.AF_UNIX) as holder:
        holder.bind(str(hands.settings.holder_socket))
        holder.listen()
        thread = threading.Thread(target=run_claim, args=(silent, claim))
        thread.start()
        deadline = time.monotonic() + 30
        while job_of(hands, claim).now != "waiting for a machine" and time.monotonic() < deadline:
            time.sleep(0.1)
        found = runs.cancel(hands.database, run.id)
        thread.join(timeout=15)
    assert not thread.is_alive()
    assert (found.stopping, found.state) == (1, RunState.CANCELLING)
    assert job_of(hands, claim).state is JobState.CANCELLED


def test_an_agent_that_dies_is_the_farms_fault(hands: Hands, tmp_path: Path) -> None:
    """A stream that ends between tests is farm-error, and the job waits for another machine."""
    machines = hands.machines
    if not hasattr(machines, "processes"):
        pytest.skip("a real machine's agent is killed in tests/vm")
    _, claim = submit(hands, project(tmp_path / "p", {}, commands="python -c 'import time; time.sleep(600)'"))
    results: list[bool] = []
    thread = threading.Thread(target=lambda: results.append(run_claim(hands, claim)))
    thread.start()
    deadline = time.monotonic() + 60
    while "commands" not in str(job_of(hands, claim).now) and time.monotonic() < deadline:
        time.sleep(0.1)
    machines.processes[-1].kill()
    thread.join(timeout=30)
    assert results == [True]
    job = job_of(hands, claim)
    assert (job.state, job.verdict) == (JobState.QUEUED, None)
    (attempt,) = rows(hands, Attempt)
    assert attempt.verdict is Verdict.FARM_ERROR
    assert "stream ended before the job did" in attempt.reason


def test_no_machine_is_the_farms_fault(hands: Hands, tmp_path: Path) -> None:
    """A lease that fails is farm-error with the holder's sentence."""

    def none(*_: object) -> Any:
        raise LeaseError("the holder is away")

    _, claim = submit(hands, project(tmp_path / "p", {}))
    assert run_claim(Hands(settings=hands.settings, database=hands.database, machines=none), claim) is True
    (attempt,) = rows(hands, Attempt)
    assert (attempt.verdict, attempt.reason) == (Verdict.FARM_ERROR, "the holder is away")


def test_a_machine_that_is_taken_back_is_the_farms_fault(hands: Hands, tmp_path: Path) -> None:
    """What a job got wrong in a machine that the holder took back is not held against the project."""
    machines = hands.machines
    if not hasattr(machines, "processes"):
        pytest.skip("real machines are taken back in tests/vm")
    machines.before = lambda: machines.holder.sendall(b'{"error": "the index is gone", "data": {}}\n')
    _, claim = submit(hands, project(tmp_path / "p", {}, commands="false"))
    assert run_claim(hands, claim) is True
    (attempt,) = rows(hands, Attempt)
    assert (attempt.verdict, attempt.reason) == (Verdict.FARM_ERROR, "the index is gone")


def test_a_stream_beyond_its_cap_is_a_limit(hands: Hands, tmp_path: Path) -> None:
    """A guest that says more than the host takes is stopped, and the evidence has the cap's size."""
    small = hands.settings.model_copy(update={"stream_bytes": 200_000})
    hands = Hands(settings=small, database=hands.database, machines=hands.machines)
    job = run_files(
        hands, tmp_path / "p", {}, commands="python -c \"for n in range(10**5): print('x' * 100)\""
    )
    assert job.verdict is Verdict.LIMIT_EXCEEDED
    assert str(job.reason).startswith("the limit on stream was reached")
    (attempt,) = rows(hands, Attempt)
    assert attempt.stream_bytes == (hands.settings.home / attempt.stream_path).stat().st_size == 200_000


def test_an_image_that_is_gone_is_baked_again(hands: Hands, tmp_path: Path) -> None:
    """Files missing from a ready image are the farm's fault, and the record asks for a new bake."""
    _, claim = submit(hands, project(tmp_path / "p", {}))
    elsewhere = hands.settings.model_copy(update={"home": tmp_path / "elsewhere"})
    source = elsewhere.sources / f"{claim.source_sha256}.tar.gz"
    source.parent.mkdir(parents=True)
    source.write_bytes(b"")
    assert (
        run_claim(Hands(settings=elsewhere, database=hands.database, machines=hands.machines), claim) is True
    )
    (image,) = rows(hands, Image)
    assert image.state is ImageState.MISSING
