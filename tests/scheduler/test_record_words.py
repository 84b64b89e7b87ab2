"""States, verdicts, settings and ids."""

from pathlib import Path

import pytest

from farm_scheduler import states
from farm_scheduler.errors import FarmError, IndexUnavailableError, StateError, TargetError, exit_code_of
from farm_scheduler.identifiers import new_id
from farm_scheduler.settings import SOCKET_PATH_LIMIT, Settings
from farm_scheduler.states import ATTEMPT_MOVES, JOB_MOVES, RUN_MOVES, JobState, guard
from farm_scheduler.verdicts import Verdict


def test_the_verdicts_are_the_exact_words() -> None:
    """The enum holds the words of the design, and only two are green."""
    assert {verdict.value for verdict in Verdict} == {
        "passed", "built", "failed", "flaky", "build-failed", "install-failed", "no-tests", "unsupported",
        "timed-out", "limit-exceeded", "policy-failed", "lost", "expected-failure", "farm-error",
    }  # fmt: skip
    assert {verdict for verdict in Verdict if verdict.green} == {Verdict.PASSED, Verdict.BUILT}
    assert all(verdict.meaning for verdict in Verdict)


@pytest.mark.parametrize("moves", [RUN_MOVES, JOB_MOVES, ATTEMPT_MOVES])
def test_every_state_has_its_moves(moves: dict) -> None:
    """Each table names every state of its enum, and an end can be reached from everywhere."""
    enum = type(next(iter(moves)))
    assert set(moves) == set(enum)
    ends = {state for state, nexts in moves.items() if not nexts}
    for state in enum:
        seen, front = {state}, [state]
        while front:
            for there in moves[front.pop()]:
                if there not in seen:
                    seen.add(there)
                    front.append(there)
        assert seen & ends


def test_an_end_is_an_end() -> None:
    """A finished job does not move again."""
    with pytest.raises(StateError, match="finished and cannot become queued"):
        guard(JOB_MOVES, JobState.FINISHED, JobState.QUEUED, "job j-1")
    guard(JOB_MOVES, JobState.FINISHED, JobState.FINISHED, "job j-1")
    assert {JobState.FINISHED, JobState.CANCELLED} == states.JOB_ENDED


def test_exit_codes_follow_the_class() -> None:
    """Bad input exits 2, the farm's own fault 3."""
    assert exit_code_of(TargetError("x")) == 2
    assert exit_code_of(IndexUnavailableError("x")) == 3
    assert exit_code_of(FarmError("x")) == 3


def test_settings_read_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """WHEELFARM_HOME moves everything, and settings cannot be changed afterwards."""
    monkeypatch.setenv("WHEELFARM_HOME", str(tmp_path))
    monkeypatch.setenv("WHEELFARM_SLOTS", "3")
    settings = Settings()
    assert settings.slots == 3
    assert settings.record_url == f"sqlite:///{tmp_path}/record.sqlite"
    with pytest.raises(ValueError, match="frozen"):
        settings.slots = 4


def test_a_deep_home_gets_short_sockets(tmp_path: Path) -> None:
    """Socket paths stay below the limit of the kernel, and two homes do not share a folder."""
    deep = tmp_path / ("d" * 100)
    one, two = Settings(home=deep), Settings(home=deep / "e")
    assert len(bytes(one.holder_socket)) <= SOCKET_PATH_LIMIT
    assert one.sockets != two.sockets
    assert Settings(home=Path("/srv/farm")).sockets == Path("/srv/farm/run")


def test_ids_are_short_and_say_their_kind() -> None:
    """An id is its kind and eight plain characters."""
    ids = {new_id("r") for _ in range(100)}
    assert len(ids) == 100
    assert all(len(each) == 10 and each.startswith("r-") for each in ids)
