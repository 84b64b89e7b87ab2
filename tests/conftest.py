"""A record with realistic runs, for everything that shows runs to people."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from farm_images.subunit_stream import Event, encode
from farm_scheduler.settings import Settings
from farm_scheduler.states import AttemptState, ImageState, JobState, RunState
from farm_scheduler.tables import Attempt, Cell, Image, Job, Run, Step, Test, now
from farm_scheduler.verdicts import Verdict

from .postgres import (  # noqa: F401 - fixtures of every test
    database,
    empty_record,
    postgres_server,
    record,
    record_url,
)

# A busy machine is no failure: tests never fail by the clock.
hypothesis_settings.register_profile("farm", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("farm")

TRACEBACK = """def test_register_validation(pm: PluginManager) -> None:
        class Plugin:
            @hookimpl(trylast=True)
            def hello(self, arg):
                return arg + 1
>       assert pm.register(Plugin(), "hello") == 42
E       AssertionError: assert 'hello' == 42
testing/test_pluginmanager.py:241: AssertionError
"""
LOG = "py311: install_deps> python -m pip install pytest\r\n" + "".join(
    f"testing/test_hookcaller.py::test_call_{number} \x1b[32mPASSED\x1b[0m\n" for number in range(60)
)
HOSTILE = "<script>alert(1)</script> \x1b]0;owned\x07\x1b[2J \u202etxt.exe"
FINISHED = "r-fin23456"
RUNNING = "r-run23456"
CANCELLED = "r-can23456"


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """A home of its own, below the test's folder, for a farm of one system on a host with nothing of its own."""
    monkeypatch.setenv("WHEELFARM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("WHEELFARM_SYSTEMS", "debian-12")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.setenv("WHEELFARM_PYTHON_MIRROR", str(tmp_path / "mirror"))
    monkeypatch.setenv("WHEELFARM_SMTP_URL", "smtp://127.0.0.1:9")
    found = Settings()
    found.prepare()
    return found


@pytest.fixture
def runs(database, settings):  # noqa: F811 - a fixture as well
    """Three runs: one finished with every kind of trouble, one at work, one cancelled; and a ready image."""
    fill(database, settings)
    return database


def fill(database, settings):  # noqa: F811 - a fixture as well
    """Write the three runs and the image into a record."""
    with database.write() as session:
        _image(session)
        _finished(session, settings)
        _running(session)
        _cancelled(session)


def _image(session):
    found = [("3.11.2", "/usr/bin/python3.11"), ("3.12.1", "/opt/python/3.12.1/bin/python3.12")]
    interpreters = [
        {
            "path": path,
            "version": version,
            "implementation": "cpython",
            "works": True,
            "tags": [],
            "reason": None,
        }
        for version, path in found
    ]
    digest = "sha256:" + "ab12" * 16
    session.add(
        Image(name="debian-12", digest=digest, state=ImageState.READY, interpreters=interpreters, baked=now())
    )


def _finished(session, settings):
    began = now() - timedelta(hours=2)
    notes = [
        {"environment": "py39", "reason": "no interpreter in debian-12 fits py39"},
        {"environment": "pypy3", "reason": "no interpreter in debian-12 fits pypy3"},
        {"environment": "docs", "reason": "unsupported: needs network (https://docs.python.org)"},
    ]
    run = Run(
        id=FINISHED,
        target="pluggy==1.7.0",
        project="pluggy",
        version="1.7.0",
        source_sha256="0" * 64,
        state=RunState.FINISHED,
        created=began,
        finished=began + timedelta(seconds=97),
        notes=notes,
        exit_code=1,
    )
    session.add(run)
    session.flush()
    rows = [
        (
            "2.7",
            Verdict.INSTALL_FAILED,
            "py27: its dependencies could not be installed: no such package",
            (0, 0, 0, 0),
        ),
        ("3.10", Verdict.PASSED, None, (119, 0, 1, 0)),
        (
            "3.11",
            Verdict.FAILED,
            "py311: testing/test_pluginmanager.py::test_register_validation failed",
            (116, 3, 1, 0),
        ),
        (
            "3.12",
            Verdict.LOST,
            "py312: testing/test_crash.py::test_segfault began and never ended",
            (58, 0, 0, 0),
        ),
        ("3.13", Verdict.NO_TESTS, "all 120 tests were skipped", (0, 0, 120, 0)),
        ("3.14", Verdict.TIMED_OUT, "the time for the job ran out, in commands of py314", (12, 0, 0, 0)),
        (None, Verdict.UNSUPPORTED, "linting: needs network", (0, 0, 0, 0)),
    ]
    for position, (python, verdict, reason, counts) in enumerate(rows):
        job = _cell(session, run, position, python, JobState.FINISHED, counts)
        job.verdict, job.reason = verdict, reason
        job.started, job.finished = began, began + timedelta(seconds=20 + 13 * position)
        attempt = _attempt(session, job, AttemptState.FINISHED, f"streams/{job.id}.subunit")
        _stream(settings.home / attempt.stream_path)
        if verdict in {Verdict.FAILED, Verdict.LOST}:
            _tests(session, attempt, verdict)


def _running(session):
    began = now() - timedelta(seconds=21)
    run = Run(
        id=RUNNING,
        target="six",
        project="six",
        version="1.17.0",
        source_sha256="1" * 64,
        state=RunState.RUNNING,
        created=began,
        inferred=True,
        notes=[
            {"environment": None, "reason": "inferred: the project has no tox configuration, so pytest runs"}
        ],
    )
    session.add(run)
    session.flush()
    rows = [
        ("3.10", JobState.FINISHED, (199, 0, 1, 0)),
        ("3.11", JobState.RUNNING, (88, 1, 0, 0)),
        ("3.12", JobState.BOOTING, (0, 0, 0, 0)),
        ("3.13", JobState.QUEUED, (0, 0, 0, 0)),
    ]
    for position, (python, state, counts) in enumerate(rows):
        job = _cell(session, run, position, python, state, counts)
        if state == JobState.QUEUED:
            continue
        job.started = began
        if state == JobState.FINISHED:
            job.verdict, job.finished = Verdict.PASSED, began + timedelta(seconds=14)
        if state == JobState.RUNNING:
            job.now, job.left_seconds = "py311: test_six.py::test_lazy", 12.0
        _attempt(session, job, AttemptState(state.value), None)


def _cancelled(session):
    run = Run(
        id=CANCELLED,
        target="./" + HOSTILE,
        project=HOSTILE,
        source_sha256="2" * 64,
        state=RunState.CANCELLED,
        created=now() - timedelta(days=3),
        finished=now() - timedelta(days=3),
        notes=[{"environment": None, "reason": HOSTILE}],
        exit_code=130,
    )
    session.add(run)
    session.flush()
    job = _cell(session, run, 0, "3.11", JobState.CANCELLED, (0, 0, 0, 0))
    job.reason = HOSTILE


def _cell(session, run, position, python, state, counts):
    name = f"py{python}" if python else "other"
    cell = Cell(
        run_id=run.id,
        position=position,
        python=python,
        system="debian-12",
        label=f"{name} · debian-12",
        environments=[name.replace(".", "")],
    )
    session.add(cell)
    session.flush()
    passed, failed, skipped, other = counts
    job = Job(
        id=f"j-{run.id[2:5]}2222{position}",
        run_id=run.id,
        cell_id=cell.id,
        state=state,
        tests_passed=passed,
        tests_failed=failed,
        tests_skipped=skipped,
        tests_other=other,
        tests_total=sum(counts),
    )
    session.add(job)
    return job


def _attempt(session, job, state, stream):
    session.flush()
    attempt = Attempt(
        job_id=job.id,
        number=1,
        state=state,
        machine="m-1",
        accelerator="tcg",
        stream_path=stream,
        finished=job.finished,
    )
    session.add(attempt)
    session.flush()
    session.add(Step(attempt_id=attempt.id, environment="py311", name="farm:install", status="success"))
    return attempt


def _tests(session, attempt, verdict):
    status = "fail" if verdict == Verdict.FAILED else "inprogress"
    names = ["test_pluginmanager.py::test_register_validation", f"test_hostile.py::test[{HOSTILE}]"]
    for position, name in enumerate(names):
        session.add(
            Test(
                attempt_id=attempt.id,
                environment="py311",
                name=f"testing/{name}",
                status=status,
                seconds=0.2,
                message=TRACEBACK + HOSTILE if status == "fail" else None,
                position=position,
            )
        )


def _stream(path):
    content = LOG.encode() + HOSTILE.encode()
    pieces = [content[place : place + 1000] for place in range(0, len(content), 1000)]
    packets = [
        encode(Event(test_id="farm:tox", runnable=False, file_name="log", file_bytes=piece))
        for piece in pieces
    ]
    path.write_bytes(b"".join(packets))
