"""Settings with a value that cannot be: each is one sentence about its environment, which fails."""

import pytest


@pytest.fixture
def index(index):
    """A package."""
    index.release("low", "1.0")
    return index


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("installer = lockfiel", "installer = 'lockfiel' is not known: it is one of auto, lockfile"),
        ("offline = maybe", "offline = 'maybe' is not known: it is one of auto"),
        ("cutoff = notadate", "cutoff = 'notadate' is no date: write 2026-01-31"),
        ("cutoff = 2026-13-01", "cutoff = '2026-13-01' is no date: write 2026-01-31"),
        ("constraints = c.txt #sha256=00", "ConstraintsError: constraints: '#sha256=00' is a comment"),
        ("dependency_groups = nothere", "ExtraNotFoundError: dependency_groups: nothere is not in "),
        ("extras = nothere", "ExtraNotFoundError: extras: nothere is not in "),
    ],
)
@pytest.mark.parametrize("package", ["skip_install = true", "package = wheel"])
def test_a_wrong_word_is_told_for_its_environment(bench, line, told, package):
    """The environment is named with what is wrong, the run ends with 1, and the others go on."""
    bench.project(extras={"sql": ["low"]})
    bench.write(
        "tox.ini",
        f"[tox]\nenv_list = a,b\n[testenv]\nrunner = wheelfarm\n{package}\ncommands = python -c pass\n"
        f"[testenv:a]\n{line}\n",
    )
    run = bench.fails()
    assert f"a: failed with {told}" in run.said
    assert run.code == 1
    assert "b: OK" in run.said


@pytest.mark.parametrize("line", ["offline = true", "installer = 7"])
def test_a_value_of_another_type_is_told_for_its_environment(bench, line):
    """In TOML a setting may be of a type that it cannot be; the other environments go on."""
    bench.project()
    bench.write(
        "tox.toml", f"[env_run_base]\nrunner = 'wheelfarm'\npackage = 'wheel'\n[env.a]\n[env.b]\n{line}\n"
    )
    assert "a: OK" in bench.passes("-e", "a").said
    assert f"failed to load b.{line.partition(' ')[0]}" in bench.fails("-e", "b").said


def test_an_extra_that_is_there_is_none_to_complain_of(bench):
    """The project's extras are known by their normalised names, with the project and without it."""
    bench.project(extras={"My_SQL": ["low"]})
    bench.ini("package = wheel", "extras = my-sql")
    assert "low==1.0" in bench.passes().packages()
    bench.ini("skip_install = true", "extras = my.sql")
    assert bench.passes().packages() == []


@pytest.mark.parametrize("cutoff", ["2026-01-31", "2026-01-31T12:00:00Z", "30 days"])
def test_a_cut_off_may_be_a_date_a_time_or_a_span(bench, cutoff):
    """What uv takes for its cut-off is taken here."""
    bench.ini("skip_install = true", "deps = low", f"cutoff = {cutoff}")
    assert bench.passes().packages() == ["low==1.0"]


def test_a_cut_off_beside_a_lock_file_is_told_to_mean_nothing(bench):
    """A lock file was made with its own, and decides."""
    bench.pylock(("low", "1.0"))
    bench.ini("skip_install = true", "cutoff = 2026-01-31")
    assert "cutoff means nothing where a lock file decides" in bench.passes().said
