"""`wheelfarm results JOB` and `logs JOB --attempt`: the tries of a job, each with its own evidence."""

import pytest

from farm_cli import main
from farm_images.subunit_stream import Event, encode
from farm_scheduler.states import AttemptState
from farm_scheduler.tables import Attempt, Test, now
from farm_scheduler.verdicts import Verdict

JOB = "j-fin22222"


@pytest.fixture
def wheelfarm(settings, capsys):
    """Runs a command line; (exit code, stdout, stderr)."""
    del settings

    def run(*arguments):
        code = main.outcome(arguments)
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
def tries(runs, settings):
    """The failed job of the finished run has had a second try, which passed."""
    path = "streams/second.subunit"
    log = Event(test_id="farm:tox", runnable=False, file_name="log", file_bytes=b"the second log\n")
    (settings.home / path).write_bytes(encode(log))
    with runs.write() as session:
        attempt = Attempt(
            job_id=JOB,
            number=2,
            state=AttemptState.FINISHED,
            verdict=Verdict.PASSED,
            finished=now(),
            machine="m-2",
            stream_path=path,
        )
        session.add(attempt)
        session.flush()
        session.add(Test(attempt_id=attempt.id, environment="py311", name="t", status="success", position=0))
    return runs


@pytest.mark.usefixtures("tries")
def test_a_job_is_shown_with_its_tries(wheelfarm):
    """Without a number the newest try is shown, beside one line of each."""
    code, out, _ = wheelfarm("results", JOB)
    assert code == 0
    assert "▸ try 2  passed" in out
    assert "  try 1" in out
    assert "1 test: 1 passed" in out
    assert "the second log" in out


@pytest.mark.usefixtures("tries")
def test_an_earlier_try_keeps_its_results(wheelfarm):
    """With a number that try's failing tests and log are shown, harmless."""
    _, out, _ = wheelfarm("results", JOB, "--attempt", "1")
    assert "▸ try 1" in out
    assert "FAILED py311: testing/test_pluginmanager.py::test_register_validation" in out
    assert f"wheelfarm logs {JOB} --attempt 1" in out
    assert "the second log" not in out
    assert "\x1b" not in out


@pytest.mark.usefixtures("tries")
def test_each_try_has_its_log(wheelfarm):
    """`logs` gives the log of the try that is asked for, of the newest without a number."""
    assert wheelfarm("logs", JOB)[1] == "the second log\n"
    assert "test_call_59" in wheelfarm("logs", JOB, "--attempt", "1")[1]


@pytest.mark.usefixtures("tries")
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("results", JOB, "--attempt", "7"), f"job {JOB} has no try 7; `wheelfarm results {JOB}` lists them"),
        (("logs", JOB, "--attempt", "7"), f"job {JOB} has no try 7; `wheelfarm results {JOB}` lists them"),
        (("results", "j-none"), "there is no job j-none"),
        (("results", JOB, "--json"), "are for a RUN"),
        (("results", "r-fin23456", "--attempt", "1"), "--attempt needs a JOB"),
    ],
)
def test_what_is_not_there_is_one_sentence(wheelfarm, arguments, sentence):
    """A try or a job that is not there, and options that do not fit, are wrong use."""
    code, _, err = wheelfarm(*arguments)
    assert code == 2
    assert sentence in err
