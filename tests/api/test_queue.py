"""The queue and the capacity of the farm, as the command and the page show them."""

import json
from datetime import timedelta
from xml.etree import ElementTree

import pytest
from sqlmodel import select

from farm_cli import main
from farm_scheduler.lanes import enqueue, place
from farm_scheduler.states import ImageState, RunState
from farm_scheduler.tables import Cell, Image, Job, Project, Run, now
from farm_scheduler.worker_lives import WorkerLife, say_alive

from .test_application import served

HOSTILE = "<b>x\x1b[31m\u202e"


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
def queued(database):
    """Two jobs that wait for a machine, one of a paused project, and one with a hostile name; a worker lives."""
    say_alive(database, "here:1")
    with database.write() as session:
        session.add(Image(name="debian-12", state=ImageState.READY))
        paused = Project(name="paused", paused=True)
        session.add(paused)
        session.flush()
        for name, project, count in (("six", None, 2), ("paused", paused.id, 1), (HOSTILE, None, 1)):
            run = Run(target=name, project=name, project_id=project, source_sha256="", state=RunState.QUEUED)
            session.add(run)
            session.flush()
            for position in range(count):
                cell = Cell(run_id=run.id, position=position, system="debian-12", label=f"py3.1{position}")
                session.add(cell)
                session.flush()
                job = Job(run_id=run.id, cell_id=cell.id, expected_seconds=90.0)
                place(session, run, job, "debian-12")
                session.add(job)
                enqueue(session, [job])


def test_the_queue_says_why_and_when(wheelfarm, queued):
    """Every job that waits has a line with its reason; what nobody can tell has a question mark."""
    del queued
    code, out, _ = wheelfarm("queue")
    assert code == 0
    assert "4 jobs wait; 0 of" in out
    assert "machine: one is free, it begins now" in out
    assert "paused: the project paused is paused" in out
    assert "?" in out
    assert "\x1b" not in out
    _, out, _ = wheelfarm("queue", "--project", "Six", "-n", "1")
    assert "2 of six jobs wait" not in out
    assert "2 jobs of six wait" in out
    assert "and 1 more" in out


def test_without_a_worker_nothing_begins_now(wheelfarm, settings, database, queued):
    """Where none has been heard of for a lease, the command, the page and the API say so, and what starts one."""
    del queued
    with database.write() as session:
        for life in session.exec(select(WorkerLife)):
            life.seen = now() - timedelta(seconds=settings.lease_seconds + 1)
            session.add(life)
    _, out, _ = wheelfarm("queue")
    with served(settings) as client:
        page = client.get("/queue").text
        told = client.get("/api/v1/queue").json()["jobs"][0]
    for text in (out, page, told["reason"]):
        assert "no worker is at work; wheelfarm up starts one" in text
        assert "begins now" not in text
    assert told["starts_in_seconds"] is None


def test_the_queue_as_json(wheelfarm, queued):
    """One object for the queue, and one for each job that is shown."""
    del queued
    _, out, _ = wheelfarm("queue", "--json")
    first, *rest = [json.loads(line) for line in out.splitlines()]
    assert (first["type"], first["waiting"], first["shown"]) == ("queue", 4, 4)
    assert {each["wait"] for each in rest} == {"machine", "paused"}
    assert rest[-1]["starts_in_seconds"] is None


def test_an_empty_queue_says_so(wheelfarm, database):
    """Without a job that waits there is one sentence."""
    del database
    code, out, _ = wheelfarm("queue", "--project", "six")
    assert (code, out.startswith("no job of six waits")) == (0, True)


def test_the_page_of_the_queue(settings, queued):
    """The page shows the same, harmless, and links to each job."""
    del queued
    with served(settings) as client:
        page = client.get("/queue").text
        some = client.get("/queue", params={"project": "six"}).text
        none = client.get("/queue", params={"project": HOSTILE * 100})
    assert page.count("<li>") == 4
    assert "paused: the project paused is paused" in page
    assert "<b>" not in page
    assert some.count("<li>") == 2
    assert none.status_code == 422


def test_capacity_of_the_issue(wheelfarm, tmp_path):
    """40 jobs of 8 minutes on 5 machines that boot in 60 s: figures, a JSON object and a drawing."""
    arguments = ("capacity", "--jobs", "40", "--minutes", "8", "--machines", "5", "--boot", "60")
    code, out, _ = wheelfarm(*arguments)
    assert code == 0
    assert "40 jobs on 5 machines are done after 1:12:00" in out
    _, out, _ = wheelfarm(*arguments, "--json", "--projects", "2", "--svg", str(tmp_path / "plan.svg"))
    found = json.loads(out)
    assert (found["makespan_seconds"], found["bound_seconds"], found["utilisation"]) == (4320.0, 4320.0, 1.0)
    assert len(found["projects"]) == 2
    boxes = ElementTree.parse(tmp_path / "plan.svg").findall("{http://www.w3.org/2000/svg}rect")
    assert len(boxes) == 41


def test_capacity_of_recorded_runs(wheelfarm, runs):
    """The times of a run that ended are a load; a run without any is refused."""
    del runs
    code, out, _ = wheelfarm("capacity", "--run", "r-fin23456", "--machines", "2")
    assert code == 0
    assert "jobs on 2 machines" in out


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--jobs", "3"),
        ("--minutes", "3"),
        ("--jobs", "0", "--minutes", "1"),
        ("--jobs", "3", "--minutes", "-1"),
        ("--jobs", "3", "--minutes", "1", "--run", "r-1"),
        ("--run", "r-nonsense"),
        ("--jobs", "3", "--minutes", "nan", "--machines", "1"),
        ("--jobs", "3", "--minutes", "1", "--machines", "1", "--svg", "/no/such/folder/x.svg"),
    ],
)
def test_wrong_use_of_capacity(wheelfarm, arguments):
    """Wrong use is one sentence and exit code 2."""
    code, out, err = wheelfarm("capacity", *arguments)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
