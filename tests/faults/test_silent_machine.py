"""A machine that stops to answer amid its job."""

import os
import signal

from sqlmodel import select
from tests.services.jobs.test_run_job import project

from farm_scheduler.tables import Job
from farm_scheduler.verdicts import Verdict
from farm_workers.run import GRACE_SECONDS

from .farm import RECOVERS_SECONDS, Farm, wait_for

HANGS = "import time\ndef test_a(): time.sleep(600)\n"
JOB_SECONDS = 15


def test_a_machine_that_never_answers_holds_up_nobody(farm: Farm) -> None:
    """Others go on meanwhile; the silent one is ended at the job's limit and a minute, its job `timed-out`."""
    farm.redis()
    farm.beat()
    farm.worker()
    files = {"test_it.py": HANGS, "pyproject.toml": f"[tool.wheelfarm]\ntimeout = {JOB_SECONDS}\n"}
    farm.submit(folder=project(farm.settings.home / "hangs", files))
    wait_for(lambda: [str(each.state) for each in farm.attempts()] == ["running"])
    (agent,) = farm.agents()
    os.kill(agent, signal.SIGSTOP)
    farm.submit()
    farm.await_attempt(2)
    wait_for(farm.ended)
    with farm.database.read() as session:
        silent = session.exec(select(Job).order_by(Job.created)).first()
    assert silent is not None
    assert silent.verdict is Verdict.TIMED_OUT
    told = [(each.job_id == silent.id, str(each.verdict), each.reason) for each in farm.attempts()]
    assert [verdict for mine, verdict, _ in told if mine] == ["timed-out"], told
    assert [verdict for mine, verdict, _ in told if not mine] == ["passed"], told
    (took,) = [each.seconds["machine"] for each in farm.attempts() if each.job_id == silent.id]
    assert took < JOB_SECONDS + GRACE_SECONDS + RECOVERS_SECONDS
    wait_for(lambda: not farm.agents(), 20)
