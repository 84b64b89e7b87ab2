"""Where the farm and tox by hand differ: environment by environment, test by test.

Called by `agreement`. Pure: two outcomes in, differences out.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from benchmarks.environment_outcomes import COMMANDS, NONE, RUNNING, SETUP, EnvironmentOutcome

_SETUPS = frozenset({SETUP, "create", "package", "install"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that is not the same; `test` is None for the environment as a whole (`phase` differs)."""

    cell: str
    environment: str
    test: str | None
    farm: str
    by_hand: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CellComparison:
    """One cell.

    Attributes:
        verdict: the farm's word.
        exit_code: tox's by hand; None when a limit or a signal ended it.
        unreported: environments in which no report was written by hand as pytest itself did not end.
    """

    cell: str
    verdict: str
    exit_code: int | None
    environments: int
    tests_agree: int
    tests_differ: int
    unreported: tuple[str, ...]
    differences: tuple[Difference, ...]


def compare(
    label: str,
    verdict: str,
    exit_code: int | None,
    farm: Mapping[str, EnvironmentOutcome],
    by_hand: Mapping[str, EnvironmentOutcome],
) -> CellComparison:
    """Compare all environments of a cell; both sides have the same names."""
    differences: list[Difference] = []
    agree = 0
    unreported = []
    for name in farm:
        phases = farm[name].phase, by_hand[name].phase
        if not _same_phase(*phases):
            differences.append(
                Difference(cell=label, environment=name, test=None, farm=phases[0], by_hand=phases[1])
            )
        if _was_broken_off(farm[name], by_hand[name]):
            unreported.append(name)
            continue
        found = list(_tests(label, name, farm[name], by_hand[name]))
        differences += found
        named = farm[name].tests.keys() | by_hand[name].tests.keys()
        agree += len(named - _silent(farm[name], by_hand[name])) - len(found)
    if verdict == "passed" and exit_code != 0:
        differences.append(
            Difference(cell=label, environment="*", test=None, farm=verdict, by_hand=f"exit code {exit_code}")
        )
    return CellComparison(
        cell=label,
        verdict=verdict,
        exit_code=exit_code,
        environments=len(farm),
        tests_agree=agree,
        tests_differ=sum(difference.test is not None for difference in differences),
        unreported=tuple(unreported),
        differences=tuple(differences),
    )


def _same_phase(farm: str, by_hand: str) -> bool:
    return farm == by_hand or (farm in _SETUPS and by_hand in _SETUPS and SETUP in {farm, by_hand})


def _was_broken_off(farm: EnvironmentOutcome, by_hand: EnvironmentOutcome) -> bool:
    """Whether pytest died in a test: it writes its report last, so there is none, and the farm knows the test."""
    unfinished = any(RUNNING in statuses for statuses in farm.tests.values())
    return unfinished and not by_hand.tests and by_hand.phase in {COMMANDS, NONE}


def _tests(
    label: str, environment: str, farm: EnvironmentOutcome, by_hand: EnvironmentOutcome
) -> Iterator[Difference]:
    silent = _silent(farm, by_hand)
    names = [name for name in farm.tests if name not in silent]
    for name in [*names, *(name for name in by_hand.tests if name not in farm.tests)]:
        sides = sorted(farm.tests.get(name, ())), sorted(by_hand.tests.get(name, ()))
        if sides[0] != sides[1]:
            yield Difference(
                cell=label,
                environment=environment,
                test=farm.ids.get(name, name),
                farm=", ".join(sides[0]) or "absent",
                by_hand=", ".join(sides[1]) or "absent",
            )


def _silent(farm: EnvironmentOutcome, by_hand: EnvironmentOutcome) -> set[str]:
    """Tests that unittest ran: it writes no report by hand. pytest's ids are paths, with or without `::`."""
    return {
        name
        for name, test in farm.ids.items()
        if name not in by_hand.tests and "::" not in test and "/" not in test and not test.endswith(".py")
    }
