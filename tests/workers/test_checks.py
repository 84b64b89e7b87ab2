"""Checks: one check run for a run at GitHub, with its failing tests as annotations, whatever goes wrong between."""

import pytest

from farm_scheduler.feedback_tables import Channel, ReportState
from farm_scheduler.states import RunState

from .github_server import APP, TOKEN, GitHub
from .told_farm import Farm

TRACE = "    def test_a():\n>       assert 0\nE       assert 0\n\ntests/test_a.py:{}: AssertionError"


@pytest.fixture
def farm(github: GitHub, github_farm: Farm) -> Farm:
    """A farm that tells GitHub by checks."""
    github_farm.listen(Channel.CHECKS, place=APP, token=github.key)
    return github_farm


def failing(count: int) -> list[tuple[str, str | None]]:
    """That many failing tests, each with its line."""
    return [(f"tests/test_a.py::test_{number}", TRACE.format(number + 1)) for number in range(count)]


def test_a_run_is_one_check_run_that_is_kept_up(farm: Farm, github: GitHub) -> None:
    """A run that waits is queued, its end completes the same check run, and a rerun changes it once more."""
    run_id = farm.run(None, RunState.QUEUED)
    farm.tell()
    (check,) = github.checks.values()
    assert (check["status"], check["external_id"], check.get("conclusion")) == ("queued", run_id, None)
    farm.finish(run_id, 1)
    farm.tell()
    farm.finish(run_id, 0)
    farm.tell()
    (check,) = github.checks.values()
    assert (check["status"], check["conclusion"]) == ("completed", "success")
    assert check["details_url"] == f"https://farm.example/runs/{run_id}"
    assert github.sold == 1


@pytest.mark.parametrize(
    ("code", "state", "word"),
    [
        (0, RunState.FINISHED, "success"),
        (1, RunState.FINISHED, "failure"),
        (3, RunState.FINISHED, "failure"),
        (130, RunState.CANCELLED, "cancelled"),
    ],
)
def test_nothing_but_success_is_a_success(
    farm: Farm, github: GitHub, code: int, state: RunState, word: str
) -> None:
    """Each end has a conclusion that GitHub knows, and the farm's own fault says so in the title."""
    farm.run(code, state)
    farm.tell()
    (check,) = github.checks.values()
    assert check["conclusion"] == word
    assert check["output"]["title"].startswith("the farm's own fault") == (code == 3)


def test_failing_tests_are_annotations(farm: Farm, github: GitHub) -> None:
    """A failure whose line is known is an annotation there; the others stand in the summary, as code."""
    hostile = "test_x[`` <img src=x> @everybody]"
    farm.run(1, failing=[*failing(2), (hostile, "no line\n```\n# big")])
    farm.tell()
    (check,) = github.checks.values()
    places = [(each["path"], each["start_line"], each["title"]) for each in check["annotations"]]
    assert places == [
        ("tests/test_a.py", 1, "tests/test_a.py::test_0"),
        ("tests/test_a.py", 2, "tests/test_a.py::test_1"),
    ]
    assert "assert 0" in check["annotations"][0]["message"]
    summary = check["output"]["summary"]
    assert f"``` py3.12 · s: {hostile} ```" in summary
    assert "````\nno line\n```\n# big\n````" in summary


def test_annotations_go_out_in_fifties(farm: Farm, github: GitHub) -> None:
    """More than fifty failures are told in several requests, each of them once."""
    run_id = farm.run(None, RunState.QUEUED, failing=())
    farm.tell()
    farm.finish(run_id, 1)
    farm.run(1, failing=failing(120))
    farm.tell()
    assert [len(each["annotations"]) for each in github.checks.values()] == [0, 120]


def test_a_lost_answer_makes_no_second_check_run(farm: Farm, github: GitHub) -> None:
    """When GitHub made the check run and the answer was lost, the next try finds it, and its annotations."""
    farm.run(1, failing=failing(60))
    github.deaf = lambda method, path: method == "POST" and path.endswith("/check-runs")
    farm.tell()
    assert farm.reports()[0].state is ReportState.WAITING
    github.deaf = lambda method, _path: method == "PATCH"
    farm.hurry()
    farm.tell()
    github.deaf = lambda _method, _path: False
    farm.hurry()
    farm.tell()
    (check,) = github.checks.values()
    assert len(check["annotations"]) == 60
    assert farm.reports()[0].state is ReportState.DONE
    assert github.count("POST", "/check-runs") == 1


def test_what_is_overtaken_is_not_told(farm: Farm, github: GitHub) -> None:
    """That a run waits is not told any more once its end is."""
    run_id = farm.run(None, RunState.QUEUED)
    github.deaf = lambda _method, _path: True
    farm.tell()
    github.deaf = lambda _method, _path: False
    farm.finish(run_id, 0)
    farm.tell()
    farm.hurry()
    farm.tell()
    (check,) = github.checks.values()
    assert check["status"] == "completed"
    assert {report.state for report in farm.reports()} == {ReportState.DONE}


def test_a_token_is_bought_anew_before_it_ends(farm: Farm, github: GitHub) -> None:
    """A token of the installation is used again, but not in its last minutes, nor after GitHub refused it."""
    for _ in range(3):
        farm.run(0)
    farm.tell()
    assert github.sold == 1
    github.token_seconds = 60
    farm.reporter = type(farm.reporter)(farm.database, farm.settings)
    for _ in range(2):
        farm.run(0)
        farm.tell()
    assert github.sold == 3
    assert {each["conclusion"] for each in github.checks.values()} == {"success"}


def test_a_wrong_key_says_what_to_do(farm: Farm, github: GitHub) -> None:
    """A key that GitHub does not know is a refusal that is kept with its hint, and the key is nowhere in it."""
    with GitHub() as other:
        farm.listen(Channel.CHECKS, place=APP, token=other.key)
    farm.run(0)
    farm.tell()
    (report,) = farm.reports()
    assert "401; check the token and its rights" in str(report.reason)
    assert "PRIVATE" not in str(report.reason)
    assert github.checks == {}


def test_checks_take_the_place_of_statuses(farm: Farm) -> None:
    """A project has either: the later one ends the other."""
    assert [each.channel for each in farm.listeners()] == [Channel.CHECKS]
    farm.listen(Channel.STATUS, token=TOKEN)
    assert [each.channel for each in farm.listeners()] == [Channel.STATUS]
