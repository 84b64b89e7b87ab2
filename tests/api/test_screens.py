"""The three screens of a run, and its summary."""

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from farm_cli.json_lines import SCHEMA_VERSION, JsonLines, summary_document
from farm_cli.live_table import LiveTable, draw
from farm_cli.plain_lines import PlainLines
from farm_cli.screen import seconds_text
from farm_cli.summary import log_tails, print_summary
from farm_scheduler.run_report import ImageReport, QuestionReport, read_report
from farm_scheduler.states import ImageState, JobState, QuestionState, RunState
from farm_scheduler.tables import Job

FINISHED, RUNNING, CANCELLED = "r-fin23456", "r-run23456", "r-can23456"


@pytest.fixture
def report_of(runs):
    """Reads a report of one of the three runs."""

    def read(run):
        with runs.read() as session:
            return read_report(session, run)

    return read


def drawn(thing, width=120):
    """What rich makes of something, without colours."""
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(thing)
    return console.file.getvalue()


def test_a_row_tells_state_counts_time_and_what_runs_now(report_of):
    """The live table has a row a cell, with what is left of it."""
    text = drawn(draw(report_of(RUNNING)))
    row = next(line for line in text.splitlines() if line.startswith("py3.11"))
    assert row.split()[3:7] == ["running", "88", "1", "0"]
    assert "py311: test_six.py::test_lazy · about 12 s left" in row
    assert "1 of 4 cells" in text


def test_a_row_stays_one_line_on_a_narrow_terminal(report_of):
    """What does not fit is cut, so that a row never becomes two."""
    lines = drawn(draw(report_of(FINISHED)), width=70).splitlines()
    assert len(lines) == len(report_of(FINISHED).cells) + 3


def test_the_live_table_leaves_the_terminal_in_order(report_of):
    """After close the cursor is shown again."""
    console = Console(file=io.StringIO(), force_terminal=True, width=100, _environ={"TERM": "xterm"})
    table = LiveTable(console)
    table.say("hello \x1b]0;x\x07there")
    table.show(report_of(RUNNING))
    table.close()
    written = console.file.getvalue()
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")
    assert "hello there" in written


def test_plain_lines_come_once_for_each_change(runs, report_of):
    """A cell that stays as it is says nothing more; one whose word changes says one line."""
    lines = []
    screen = PlainLines(lines.append)
    screen.show(report_of(RUNNING))
    screen.show(report_of(RUNNING))
    assert len(lines) == 4
    with runs.write() as session:
        session.get(Job, "j-run22223").state = JobState.LEASED
    screen.show(report_of(RUNNING))
    assert len(lines) == 5
    assert lines[-1].endswith("py3.13 · debian-12  leased")


def baking(report, progress):
    """The same run, waiting for its image."""
    image = ImageReport(name="debian-12", state=ImageState.BAKING, progress=progress, note="mmdebstrap")
    return replace(report, waits_for=(image,), cells=())


def test_an_image_has_a_bar(report_of):
    """What a run waits for is shown above its cells, with how far it is."""
    text = drawn(draw(baking(report_of(RUNNING), 40)))
    assert "image debian-12" in text
    assert " 40 %  mmdebstrap" in text


def test_an_image_speaks_at_each_tenth(report_of):
    """The progress of a bake fills no log."""
    lines = []
    screen = PlainLines(lines.append)
    for progress in range(101):
        screen.show(baking(report_of(RUNNING), progress))
    assert len(lines) == 11
    assert lines[0].endswith("1 %  mmdebstrap")


def test_json_lines_are_objects_of_one_schema(report_of):
    """Each line is an ASCII object with its schema version and a documented type."""
    lines = []
    screen = JsonLines(lines.append)
    screen.say("hello")
    screen.show(baking(report_of(FINISHED), 1))
    screen.show(report_of(FINISHED))
    screen.show(report_of(FINISHED))
    documents = [json.loads(line) for line in lines]
    assert {document["schema_version"] for document in documents} == {SCHEMA_VERSION}
    kinds = [document["type"] for document in documents]
    assert kinds == ["note", "image", "note", "note", "note", "run"] + ["cell"] * 7
    assert all(line.isascii() for line in lines)


def test_every_json_field_is_documented(report_of, root):
    """docs/json-lines.md names every type and every field that a run gives."""
    page = (root / "docs/json-lines.md").read_text("utf-8")
    lines = []
    screen = JsonLines(lines.append)
    screen.show(baking(report_of(RUNNING), 1))
    screen.show(report_of(FINISHED))
    screen.tell("summary", **summary_document(report_of(FINISHED), 1, {}))
    for line in lines:
        document = json.loads(line)
        assert f"### `{document['type']}`" in page
        for name in document:
            assert f"`{name}`" in page, name


def test_the_summary_tells_what_a_person_needs(report_of, settings):
    """Verdict and reason of each cell, failing tests, ends of logs, what was left out, and how to see more."""
    report = report_of(FINISHED)
    console = Console(file=io.StringIO(), width=160)
    print_summary(console, report, log_tails(report, settings.home))
    text = console.file.getvalue()
    assert "py3.11 · debian-12: failed" in text
    assert "FAILED py311: testing/test_pluginmanager.py::test_register_validation" in text
    assert "AssertionError: assert 'hello' == 42" in text
    assert "NEVER ENDED" in text
    assert "test_call_59 PASSED" in text
    assert "left out: docs — unsupported: needs network" in text
    assert "wheelfarm results r-fin23456" in text
    assert "not as expected" in text


def test_no_screen_lets_a_guest_write_to_the_terminal(report_of, settings):
    """Escape sequences and direction marks of project, test and log are gone from every output."""
    for run in (FINISHED, CANCELLED):
        report = report_of(run)
        console = Console(file=io.StringIO(), width=160)
        print_summary(console, report, log_tails(report, settings.home))
        lines = []
        PlainLines(lines.append).show(report)
        JsonLines(lines.append).show(report)
        text = console.file.getvalue() + "".join(lines) + drawn(draw(report))
        assert not {"\x1b", "\x07", "\u202e"} & set(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, ""), (0.04, "0.0 s"), (59.9, "59.9 s"), (59.97, "1:00"), (185, "3:05"), (3723, "1:02:03")],
)
def test_times_are_short(seconds, text):
    """Seconds have a decimal, minutes a colon, hours two."""
    assert seconds_text(seconds) == text


def test_every_screen_says_what_a_machine_is_asked(report_of):
    """A run that waits for a guest's answer says so once for each part of it, in each form."""
    asks = QuestionReport(system="debian-12", state=QuestionState.ASKING, note="building it with \x1b[2J")
    report = replace(report_of(RUNNING), asks=asks, cells=(), state=RunState.PLANNED)
    lines, objects = [], []
    plain, documents = PlainLines(lines.append), JsonLines(objects.append)
    for screen in (plain, plain, documents, documents):
        screen.show(report)
    (line,) = lines
    assert "asking a machine of debian-12 for metadata" in line
    assert "\x1b" not in line
    (document,) = map(json.loads, objects)
    assert (document["type"], document["system"], document["state"]) == ("question", "debian-12", "asking")
    assert "asking a machine of debian-12" in drawn(draw(report))
