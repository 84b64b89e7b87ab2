"""The comparison of two outcomes: what is the same is counted, what is not is named."""

from benchmarks.differences import Difference, compare
from benchmarks.environment_outcomes import EnvironmentOutcome, phase_of

PASSED = EnvironmentOutcome(phase="success", tests={"t.one": ["success"], "t.two": ["skip"]})


def test_the_same_agrees() -> None:
    """Equal environments agree in every test and have no difference."""
    compared = compare("py3.12", "passed", 0, {"a": PASSED, "b": PASSED}, {"a": PASSED, "b": PASSED})
    assert (compared.environments, compared.tests_agree, compared.tests_differ) == (2, 4, 0)
    assert compared.differences == ()


def test_every_difference_is_named() -> None:
    """A test that is absent, another status and another number of statuses are differences, by their node id."""
    farm = EnvironmentOutcome(
        phase="success",
        tests={"t.one": ["success"], "t.two": ["success", "success"], "t.four": ["fail"]},
        ids={"t.one": "t.py::one"},
    )
    hand = EnvironmentOutcome(
        phase="success", tests={"t.one": ["fail"], "t.two": ["success"], "t.three": ["xfail"]}
    )
    compared = compare("c", "failed", 1, {"e": farm}, {"e": hand})
    assert [(each.test, each.farm, each.by_hand) for each in compared.differences] == [
        ("t.py::one", "success", "fail"),
        ("t.two", "success, success", "success"),
        ("t.four", "fail", "absent"),
        ("t.three", "absent", "xfail"),
    ]
    assert (compared.tests_agree, compared.tests_differ) == (0, 4)


def test_failures_agree_by_their_phase() -> None:
    """Both failing is not enough: an environment must have failed in the same phase, as far as tox tells it."""

    def same(farm: str, hand: str) -> bool:
        sides = ({"e": EnvironmentOutcome(phase=phase)} for phase in (farm, hand))
        return not compare("c", "failed", 1, *sides).differences

    assert same("package", "setup")
    assert same("install", "install")
    assert same("commands", "commands")
    assert same("none", "none")
    assert not same("package", "install")
    assert not same("install", "commands")
    assert not same("success", "commands")
    assert not same("none", "setup")


def test_green_needs_a_zero_by_hand() -> None:
    """A cell that the farm calls passed differs when tox by hand did not end with 0."""
    compared = compare("c", "passed", 1, {"e": PASSED}, {"e": PASSED})
    assert compared.differences == (
        Difference(cell="c", environment="*", test=None, farm="passed", by_hand="exit code 1"),
    )


def test_a_pytest_that_died_is_compared_as_a_whole() -> None:
    """When pytest died in a test on both sides there is no report to compare with, and that is said."""
    farm = EnvironmentOutcome(phase="commands", tests={"t.one": ["success"], "t.two": ["inprogress"]})
    hand = EnvironmentOutcome(phase="commands")
    compared = compare("c", "lost", 1, {"e": farm}, {"e": hand})
    assert (compared.unreported, compared.differences) == (("e",), ())
    lived = EnvironmentOutcome(phase="success", tests={"t.one": ["success"], "t.two": ["success"]})
    assert compare("c", "lost", 0, {"e": farm}, {"e": lived}).differences


def test_the_phase_of_steps() -> None:
    """The phase is that of the commands if they were reached, else the first step of the set-up that failed."""
    assert phase_of({"farm:create": "success", "farm:commands": "success"}) == "success"
    assert phase_of({"farm:install": "success", "farm:commands": "fail"}) == "commands"
    assert phase_of({"farm:create": "success", "farm:install": "fail"}) == "install"
    assert phase_of({"farm:create": "skip"}) == "skipped"
    assert phase_of({"farm:commands": "inprogress"}) == "none"
    assert phase_of({}) == "none"


def test_what_unittest_ran_is_compared_as_a_whole() -> None:
    """Tests of unittest have no report by hand: their environment agrees by how it ended, pytest's still one by one."""
    ids = {"test_it.Case.test_one": "test_it.Case.test_one", "test_it.test_two": "test_it.py::test_two"}
    farm = EnvironmentOutcome(phase="success", tests={name: ["success"] for name in ids}, ids=ids)
    by_hand = EnvironmentOutcome(phase="success")
    comparison = compare("cell", "passed", 0, {"py": farm}, {"py": by_hand})
    assert [difference.test for difference in comparison.differences] == ["test_it.py::test_two"]
    assert (comparison.tests_agree, comparison.tests_differ) == (0, 1)
