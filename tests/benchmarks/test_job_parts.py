"""The parts of a job's time: from a stream with known times to sums that add up."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from benchmarks.job_parts import job_parts

from farm_images.subunit_stream import Event, Status, encode
from farm_scheduler.tables import Attempt

START = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
STEPS: list[tuple[float, str, Status]] = [
    (1.0, "farm:source", "inprogress"),
    (1.2, "farm:source", "success"),
    (1.3, "farm:tox", "inprogress"),
    (2.0, "farm:create", "inprogress"),
    (3.0, "farm:create", "success"),
    (3.0, "farm:install", "inprogress"),
    (8.0, "farm:install", "success"),
    (8.0, "farm:package", "inprogress"),
    (12.0, "farm:package", "success"),
    (12.0, "farm:install", "inprogress"),
    (14.0, "farm:install", "success"),
    (14.0, "farm:commands", "inprogress"),
    (18.0, "farm:commands", "success"),
    (18.5, "farm:tox", "success"),
    (18.6, "farm:job", "success"),
]


def _ran(run_id: str, seconds: float) -> dict[str, object]:
    return {"run_id": run_id, "elapsed": seconds}


def test_parts_add_up_to_what_is_not_the_projects_own() -> None:
    """Processes that tox ran for the project are its own, whatever step they were in; the rest has its part."""
    own = [_ran("install_deps", 4.5), _ran("install_package", 1.5), _ran("freeze", 9)]
    result = {
        "testenvs": {
            "py311": {"setup": own, "test": [_ran("commands[0]", 3.5)]},
            ".pkg": {"setup": [_ran("_optional_hooks", 0.5)], "test": [_ran("build_wheel", 1)]},
        }
    }
    content = json.dumps(result).encode()
    events = [Event(test_id="farm:tox", runnable=False, file_name="tox-result.json", file_bytes=content)]
    for seconds, step, status in STEPS:
        moment = START + timedelta(seconds=seconds)
        events.append(Event(test_id=step, status=status, runnable=False, timestamp=moment))
    attempt = Attempt(
        job_id="j",
        number=1,
        leased=START,
        finished=START + timedelta(seconds=20),
        seconds={"lease": 0.8},
    )
    parts = job_parts(attempt, b"".join(encode(event) for event in events))
    assert (parts.total, parts.own) == (20.0, 11.0)
    assert parts.added == pytest.approx(sum(parts.parts.values()))
    assert list(parts.parts.values()) == pytest.approx([0.8, 0.2, 0.7, 1.0, 2.5, 1.0, 0.5, 0.5, 1.8])
