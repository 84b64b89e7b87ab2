"""How one tox environment ended, in the words in which the farm and tox by hand can be compared.

Made from the record here, and from tox's and pytest's own reports in `tox_by_hand`; read by `differences`.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sqlmodel import Session, col, select

from benchmarks.junit_reports import Tests, junit_name, junit_status
from farm_images.wire import ID_COMMANDS, ID_CREATE, ID_INSTALL, ID_PACKAGE
from farm_scheduler.tables import Step, Test

SUCCESS, SKIPPED, COMMANDS, SETUP, NONE = "success", "skipped", "commands", "setup", "none"
RUNNING = "inprogress"
_SETUP_STEPS = (ID_CREATE, ID_PACKAGE, ID_INSTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentOutcome:
    """One environment.

    Attributes:
        phase: `success`, `skipped`, or what failed: `commands`, `create`, `package`, `install`; `setup` is one of the
            last three, and `none` says that tox did not come to an end with it.
        tests: statuses by the name that a junit report has for the test.
        ids: node ids by that name, where they are known.
    """

    phase: str
    tests: Tests = field(default_factory=dict)
    ids: Mapping[str, str] = field(default_factory=dict)


def farm_outcomes(
    session: Session, attempt_id: str, environments: Iterable[str]
) -> dict[str, EnvironmentOutcome]:
    """How each environment ended by the record of one attempt."""
    steps = session.exec(select(Step).where(Step.attempt_id == attempt_id).order_by(col(Step.id))).all()
    rows = session.exec(select(Test).where(Test.attempt_id == attempt_id).order_by(col(Test.position))).all()
    outcomes = {}
    for name in environments:
        tests, ids = _tests([row for row in rows if row.environment == name])
        statuses = {step.name: step.status for step in steps if step.environment == name}
        outcomes[name] = EnvironmentOutcome(phase=phase_of(statuses), tests=tests, ids=ids)
    return outcomes


def phase_of(statuses: Mapping[str, str]) -> str:
    """The phase, from the last status of each step of an environment."""
    if ID_COMMANDS in statuses:
        return {"success": SUCCESS, "fail": COMMANDS}.get(statuses[ID_COMMANDS], NONE)
    if any(statuses.get(step) == "skip" for step in _SETUP_STEPS):
        return SKIPPED
    failed = [step for step in _SETUP_STEPS if statuses.get(step) == "fail"]
    return failed[0].removeprefix("farm:") if failed else NONE


def _tests(rows: list[Test]) -> tuple[Tests, dict[str, str]]:
    tests: Tests = defaultdict(list)
    ids = {}
    known = {row.name for row in rows}
    for row in rows:
        if _is_subtest(row.name, known):
            continue
        name = junit_name(row.name)
        ids[name] = row.name
        tests[name].append(junit_status(row.status))
    return dict(tests), ids


def _is_subtest(name: str, known: set[str]) -> bool:
    """Whether a failed subtest, named for its test, which has failed as well; a junit report only has the test."""
    spaces = (position for position, character in enumerate(name) if character == " ")
    return any(name[:position] in known for position in spaces)
