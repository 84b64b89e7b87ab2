"""Questions to guests in the record: who asks, who wants it, and what a killed worker leaves."""

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import select
from tests.stored_image import image_row

from farm_scheduler import runs
from farm_scheduler.built_metadata import facts_document, read_built_metadata, read_facts
from farm_scheduler.database import Database
from farm_scheduler.disposal import dispose
from farm_scheduler.garbage import Garbage
from farm_scheduler.plan import Narrowing
from farm_scheduler.project_metadata import ProjectMetadata
from farm_scheduler.questions import (
    FAILED_FOR,
    MAX_TRIES,
    answer_question,
    ask,
    claim_question,
    expire_questions,
    fail_question,
    keep_question,
    read_told,
    stop_wanting,
)
from farm_scheduler.run_report import read_report
from farm_scheduler.settings import Settings
from farm_scheduler.states import QuestionState, RunState
from farm_scheduler.tables import Cell, Question, Run, now

SYSTEM = "debian-12"
FACTS = ("requires-python", "classifiers")
TELLS = ProjectMetadata(
    name="demo", version="3.1", requires_python=">=3.12", requires_python_file="its build"
)


class Sent:
    """An engine that keeps what is published; the real one is in tests/services."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def send_task(self, name: str, **_: object) -> None:
        """Keep one message."""
        self.messages.append(name)


@pytest.fixture
def run(database: Database, settings: Settings, tmp_path: Path) -> Run:
    """A run of a project whose setup.py computes what a plan needs, with its image ready."""
    with database.write() as session:
        session.add(image_row("3.11.2", "3.12.1", name=SYSTEM))
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "setup.py").write_text("from setuptools import setup\nsetup(python_requires=compute())\n")
    (folder / "tox.ini").write_text("[tox]\nenv_list = py311, py312\n")
    return runs.submit(database, Sent(), settings, str(folder), Narrowing())


def question_of(database: Database) -> Question:
    """The only question."""
    with database.read() as session:
        return session.exec(select(Question)).one()


def claim(database: Database, run: Run, worker: str = "host:1"):
    """What a worker does first."""
    return claim_question(database, run.source_sha256, SYSTEM, worker=worker, lease_seconds=60)


def advance(database: Database, settings: Settings, run: Run) -> Run:
    """What the task does last; the run afterwards."""
    runs.advance(database, Sent(), settings, run.id)
    with database.read() as session:
        return session.get_one(Run, run.id)


def test_a_run_waits_for_the_answer_and_is_planned_with_it(database, settings, run) -> None:
    """requires-python that a guest told leaves out what the files alone would have run."""
    assert run.state is RunState.PLANNED
    with database.read() as session:
        asks = read_report(session, run.id).asks
    assert asks is not None
    assert asks.sentence == "asking a machine of debian-12 for metadata that only a build tells"
    answer_question(database, claim(database, run), TELLS)
    found = advance(database, settings, run)
    assert (found.state, found.project, found.version) == (RunState.QUEUED, "demo", "3.1")
    with database.read() as session:
        assert [cell.python for cell in session.exec(select(Cell))] == ["3.12"]
        assert read_report(session, run.id).asks is None


def test_a_question_has_one_asker(database, run) -> None:
    """A message that comes twice finds the question taken."""
    assert claim(database, run) is not None
    assert claim(database, run, "host:2") is None


def test_a_message_is_not_sent_again_at_once(database, settings, run) -> None:
    """The sweep looks every few seconds, and a question that waits fills no queue."""
    engine = Sent()
    for _ in range(5):
        runs.advance(database, engine, settings, run.id)
    assert engine.messages == []
    with database.write() as session:
        session.get(Question, (run.source_sha256, SYSTEM)).published = now() - timedelta(minutes=2)
    runs.advance(database, engine, settings, run.id)
    assert engine.messages == ["wheelfarm.metadata"]


def test_a_lost_worker_loses_nothing(database, run) -> None:
    """A question of a worker that died, or says nothing any more, waits again, and its late answer is dropped."""
    dead = claim(database, run)
    expire_questions(database, dead_workers={"host:1"})
    silent = claim_question(database, run.source_sha256, SYSTEM, worker="host:2", lease_seconds=-1)
    assert silent is not None
    expire_questions(database)
    answer_question(database, dead, TELLS)
    answer_question(database, silent, TELLS)
    assert question_of(database).state is QuestionState.WAITING
    assert claim(database, run, "host:3") is not None


def test_nobody_asks_for_a_cancelled_run(database, run) -> None:
    """Without a run that waits, the asker hears that it is not wanted, and nobody begins."""
    asking = claim(database, run)
    assert keep_question(database, asking, lease_seconds=60, note="building")
    runs.cancel(database, run.id)
    assert not keep_question(database, asking, lease_seconds=60, note="building")
    expire_questions(database, dead_workers={"host:1"})
    assert claim(database, run) is None


def test_a_plan_wants_it_for_as_long_as_it_says(database, run) -> None:
    """A question of a plan lives without a run, until the command stops wanting it."""
    runs.cancel(database, run.id)
    ask(database, Sent(), run.source_sha256, SYSTEM, anew=True, for_a_plan=True)
    asking = claim(database, run)
    assert asking is not None
    stop_wanting(database, run.source_sha256, SYSTEM)
    assert not keep_question(database, asking, lease_seconds=60, note="")


def test_a_failure_counts_for_a_while(database, settings, run) -> None:
    """A source that does not build is planned without, and asked again by a run that comes much later."""
    fail_question(database, claim(database, run), "it does not build", farms_fault=False)
    found = advance(database, settings, run)
    assert found.state is RunState.QUEUED
    assert "planned without knowing requires-python, classifiers, as it does not build" in str(found.notes)
    with database.write() as session:
        question = session.get(Question, (run.source_sha256, SYSTEM))
        since = now() - FAILED_FOR
        assert read_told(session, run.source_sha256, SYSTEM, FACTS, since=since) is not None
        question.updated = now() - 2 * FAILED_FOR
        assert read_told(session, run.source_sha256, SYSTEM, FACTS, since=since) is None


def test_the_farms_own_failures_are_tried_again(database, settings, run) -> None:
    """After some machines that failed the run goes on without; the next run does not take that for an answer."""
    for _ in range(MAX_TRIES):
        assert question_of(database).state is QuestionState.WAITING
        fail_question(database, claim(database, run), "no machine was to be had", farms_fault=True)
    assert advance(database, settings, run).state is RunState.QUEUED
    with database.read() as session:
        told = read_told(session, run.source_sha256, SYSTEM, FACTS, since=now() - FAILED_FOR)
    assert told is None


def test_an_answer_goes_with_its_source(database, settings, run) -> None:
    """What gc removes of a source includes what a guest said of it."""
    path = settings.sources / f"{run.source_sha256}.tar.gz"
    dispose(database, Garbage(kind="source", name="x", path=path, bytes=0, reason="old"))
    with database.read() as session:
        assert session.exec(select(Question)).all() == []


@given(st.binary(max_size=3000))
def test_any_bytes_are_no_metadata_or_short_facts(content: bytes) -> None:
    """What a guest gives as METADATA never raises, and what is taken of it comes back from the record."""
    found = read_built_metadata(content) or read_built_metadata(b"Name: x\n" + content)
    if found is not None:
        assert read_facts(facts_document(found)) == found
        assert all(len(each) <= 200 for each in (*found.classifiers, *found.extras))


def test_built_metadata_is_read_leniently() -> None:
    """A header that is wrong is left out; the rest counts."""
    extras = "Provides-Extra: a\nProvides-Extra: b\n"
    text = f"Name: Demo\nVersion: one two\nRequires-Python: >=3.9\nUnknown: x\n{extras}\nName: no"
    found = read_built_metadata(text.encode())
    assert found is not None
    assert (found.name, found.requires_python, found.extras) == ("Demo", ">=3.9", ("a", "b"))
    many = b"Name: x\n" + b"Classifier: a\n" * 5000
    assert len((read_built_metadata(many) or TELLS).classifiers) == 500


def test_a_strange_requires_python_of_a_build_is_put_aside() -> None:
    """What a guest told, or the record kept, and is no specifier is no bound, and is remembered for a note."""
    found = read_built_metadata(b"Name: Demo\nRequires-Python: banana\n\n")
    assert found is not None
    assert (found.requires_python, found.ignored_requires_python) == (None, "banana")
    assert found.allows("3.12.1")
    assert read_facts({"name": "Demo", "requires_python": ">=3,<"}).requires_python is None
