"""A question on a source, answered by the real agent: the build in a guest, its end in the record."""

import textwrap
import threading
import time
from pathlib import Path

import pytest
from sqlmodel import select

from farm_scheduler import runs
from farm_scheduler.database import Database
from farm_scheduler.plan import Narrowing
from farm_scheduler.questions import claim_question
from farm_scheduler.states import ImageState, QuestionState, RunState
from farm_scheduler.tables import Cell, Image, Question, Run
from farm_workers.metadata_question import ask_guest
from farm_workers.run import Hands

BACKEND = """
import os, sys

def get_requires_for_build_wheel(config_settings=None):
    print("junk of the backend")
    return []

def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    print("Metadata-Version: 2.1", flush=True)
    sys.stderr.write("Name: not-me")
    {extra}
    os.mkdir(os.path.join(metadata_directory, "toy-1.2.dist-info"))
    with open(os.path.join(metadata_directory, "toy-1.2.dist-info", "METADATA"), "w") as file:
        file.write({metadata!r})
    return "toy-1.2.dist-info"

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    raise SystemExit("no wheel is wanted")
"""
PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""
METADATA = (
    "Metadata-Version: 2.1\nName: Toy\nVersion: 1.2\nRequires-Python: >=3.11\n"
    "Classifier: Programming Language :: Python :: 3.11\nProvides-Extra: test\n\nA readme.\n"
)


KILL_AGENT = """
import pathlib
mine = os.path.realpath(str(pathlib.Path.home().parent.parent)).encode()
for process in pathlib.Path("/proc").glob("[0-9]*"):
    line = (process / "cmdline").read_bytes() if process.is_dir() else b""
    if b"agent.pyz" in line and mine in line:
        os.kill(int(process.name), 9)
"""


class Sent:
    """An engine that keeps what is published."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, tuple[str, ...]]] = []

    def send_task(self, name: str, args: tuple[str, ...] = (), **_: object) -> None:
        """Keep one message."""
        self.messages.append((name, tuple(args)))


def project(folder: Path, *, extra: str = "", metadata: str = METADATA) -> Path:
    """A project whose metadata only its own backend knows."""
    folder.mkdir()
    (folder / "pyproject.toml").write_text(PYPROJECT)
    text = BACKEND.format(extra=extra, metadata=metadata)
    (folder / "backend.py").write_text(textwrap.dedent(text))
    (folder / "test_toy.py").write_text("import pytest\n\ndef test_good():\n    pass\n")
    return folder


def submit(hands: Hands, folder: Path) -> tuple[Run, Sent]:
    """A run of the project."""
    engine = Sent()
    return runs.submit(hands.database, engine, hands.settings, str(folder), Narrowing()), engine


def ask(hands: Hands, run: Run) -> Question:
    """What the task does; the question afterwards."""
    ask_guest(hands, run.source_sha256, "debian-12", worker="host:1", stop=threading.Event())
    return question_of(hands.database)


def question_of(database: Database) -> Question:
    """The only question."""
    with database.read() as session:
        return session.exec(select(Question)).one()


def until_building(database: Database) -> None:
    """Wait until the machine builds."""
    deadline = time.monotonic() + 30
    while not question_of(database).note.startswith("building"):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_the_matrix_follows_from_what_the_guest_built(hands: Hands, tmp_path: Path) -> None:
    """A run whose metadata no file tells waits for a guest, then has name, version, extras and cells."""
    run, engine = submit(hands, project(tmp_path / "project"))
    assert engine.messages == [("wheelfarm.metadata", (run.source_sha256, "debian-12"))]
    question = ask(hands, run)
    assert (question.state, question.reason) == (QuestionState.ANSWERED, None)
    assert question.answer["requires_python"] == ">=3.11"
    runs.advance(hands.database, engine, hands.settings, run.id)
    with hands.database.read() as session:
        found = session.get_one(Run, run.id)
        (cell,) = session.exec(select(Cell)).all()
    assert (found.state, found.project, found.version) == (RunState.QUEUED, "Toy", "1.2")
    assert "extras = test" in (cell.inferred_config or "")
    assert any(
        "requires-python >=3.11, 1 classifier, extras test" in str(note["reason"]) for note in found.notes
    )


def test_the_answer_is_kept(hands: Hands, tmp_path: Path) -> None:
    """A second run of the same source is planned at once, and no machine is asked."""
    folder = project(tmp_path / "project")
    run, _ = submit(hands, folder)
    ask(hands, run)
    second, engine = submit(hands, folder)
    assert second.source_sha256 == run.source_sha256
    assert [name for name, _ in engine.messages] == ["wheelfarm.ticket"]


def test_a_build_that_fails_is_told_and_planned_without(hands: Hands, tmp_path: Path) -> None:
    """What does not build is no fault of the farm: the plan goes on, and a note says why it knows less."""
    run, engine = submit(hands, project(tmp_path / "project", extra="raise KeyError('no such thing')"))
    question = ask(hands, run)
    assert (question.state, question.tries) == (QuestionState.FAILED, 0)
    runs.advance(hands.database, engine, hands.settings, run.id)
    with hands.database.read() as session:
        found = session.get_one(Run, run.id)
    assert found.state is RunState.QUEUED
    assert any("KeyError: 'no such thing'" in str(note["reason"]) for note in found.notes), found.notes


def test_a_backend_without_the_hook_builds_its_wheel(hands: Hands, tmp_path: Path) -> None:
    """Where prepare_metadata_for_build_wheel is missing, the metadata comes out of the whole wheel."""
    folder = project(tmp_path / "project")
    text = (
        "import os, zipfile\n\n"
        "def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):\n"
        "    with zipfile.ZipFile(os.path.join(wheel_directory, 'toy-1.2-py3-none-any.whl'), 'w') as wheel:\n"
        f"        wheel.writestr('toy-1.2.dist-info/METADATA', {METADATA!r})\n"
        "    return 'toy-1.2-py3-none-any.whl'\n"
    )
    (folder / "backend.py").write_text(text)
    run, _ = submit(hands, folder)
    question = ask(hands, run)
    assert (question.state, question.answer.get("version")) == (QuestionState.ANSWERED, "1.2"), (
        question.reason
    )


def test_a_build_that_hangs_ends_by_the_limit(
    hands: Hands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A build that does not end is ended, and the reason names the time."""
    monkeypatch.setattr("farm_workers.metadata_question.SECONDS", 8.0)
    run, _ = submit(hands, project(tmp_path / "project", extra="import time; time.sleep(600)"))
    question = ask(hands, run)
    assert (question.state, question.reason) == (
        QuestionState.FAILED,
        "it did not build its metadata within 8 s",
    )


@pytest.mark.parametrize(
    "metadata",
    ["", "\0\0garbage\n" * 100, "Requires-Python: >=3\n", "Name: " + "x" * (2 << 20) + "\n"],
    ids=["empty", "garbage", "no name", "too long"],
)
def test_hostile_metadata_is_no_answer_or_a_short_one(hands: Hands, tmp_path: Path, metadata: str) -> None:
    """What comes out of the guest is read with bounds: it is a failed question, or facts of a decent length."""
    run, _ = submit(hands, project(tmp_path / "project", metadata=metadata))
    question = ask(hands, run)
    assert question.state in {QuestionState.FAILED, QuestionState.ANSWERED}
    assert len(str(question.answer)) < 1000
    if not metadata.startswith("Name"):
        assert question.state is QuestionState.FAILED


def test_a_link_in_place_of_the_metadata_is_not_written_through(hands: Hands, tmp_path: Path) -> None:
    """A link that the project lays where the answer is left is replaced, and what it names stays as it was."""
    other = tmp_path / "other"
    other.write_text("as it was")
    extra = f"import pathlib; (pathlib.Path.home() / 'metadata/METADATA').symlink_to({str(other)!r})"
    run, _ = submit(hands, project(tmp_path / "project", extra=extra))
    assert ask(hands, run).state is QuestionState.ANSWERED
    assert other.read_text() == "as it was"


def test_a_cancelled_run_ends_the_question(hands: Hands, tmp_path: Path) -> None:
    """When no run wants the answer any more, the machine goes within moments and the question waits again."""
    run, _ = submit(hands, project(tmp_path / "project", extra="import time; time.sleep(600)"))
    thread = threading.Thread(target=ask, args=(hands, run))
    thread.start()
    until_building(hands.database)
    runs.cancel(hands.database, run.id)
    thread.join(timeout=30)
    assert not thread.is_alive()
    assert question_of(hands.database).state is QuestionState.WAITING


def test_a_worker_that_ends_gives_the_question_back(hands: Hands, tmp_path: Path) -> None:
    """A worker that is told to stop leaves the question for the next one."""
    run, _ = submit(hands, project(tmp_path / "project", extra="import time; time.sleep(600)"))
    stop = threading.Event()
    thread = threading.Thread(
        target=ask_guest,
        args=(hands, run.source_sha256, "debian-12"),
        kwargs={"worker": "host:1", "stop": stop},
    )
    thread.start()
    until_building(hands.database)
    stop.set()
    thread.join(timeout=30)
    assert not thread.is_alive()
    assert claim_question(hands.database, run.source_sha256, "debian-12", worker="host:2", lease_seconds=60)


def test_a_machine_that_dies_is_the_farms_fault(hands: Hands, tmp_path: Path) -> None:
    """An agent that ends amid the build leaves the question to another machine, a few times."""
    extra = textwrap.dedent(KILL_AGENT).replace("\n", "\n    ")
    run, _ = submit(hands, project(tmp_path / "project", extra=extra))
    states = []
    for _ in range(3):
        question = ask(hands, run)
        states.append((question.state, question.tries))
    assert states == [(QuestionState.WAITING, 1), (QuestionState.WAITING, 2), (QuestionState.FAILED, 3)]


def test_an_image_whose_files_are_gone_is_baked_again(hands: Hands, tmp_path: Path) -> None:
    """The farm's own trouble with its image leaves the question open, and the image to be made."""
    run, _ = submit(hands, project(tmp_path / "project"))
    with hands.database.write() as session:
        session.get_one(Image, "debian-12").digest = "f" * 64
    assert ask(hands, run).state is QuestionState.WAITING
    with hands.database.read() as session:
        assert session.get_one(Image, "debian-12").state is ImageState.MISSING
