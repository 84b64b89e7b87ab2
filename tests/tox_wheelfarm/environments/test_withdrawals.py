"""Withdrawn releases of a lock file: told from the last that uv has heard of an index, in whatever run and report."""

import shutil
import sys

import pytest
from uv import find_uv_bin

WORDS = "withdrawn by their authors: low 1.0 (it eats data)"


@pytest.fixture
def index(index):
    """Two releases of a package, and one that needs it."""
    for version in ("1.0", "2.0"):
        index.release("low", version)
    index.release("high", "1.0", "low")
    return index


@pytest.fixture
def bench(bench):
    """A project with a lock file and an environment, made twice: now the decision is kept, with all that is known."""
    bench.pylock(("low", "1.0"))
    bench.ini("skip_install = true")
    bench.passes()
    bench.passes("--recreate")
    return bench


def forget(bench):
    """Have nothing that was decided be known any more."""
    for path in (bench.cache / "tox-wheelfarm").glob("decision-*.json"):
        path.unlink()


def reasons(run):
    """Why the releases of a report were withdrawn."""
    return [each["reason"] for each in run.environment()["wheelfarm"]["yanked"]]


def withdraw(index, name, reason):
    """Have the index say that a release is withdrawn, or is not."""
    index.files[name] = {file: (body, reason) for file, (body, _) in index.files[name].items()}


def hear(bench, line):
    """Have another project ask the index for a release, so that uv's cache has its page of now."""
    bench.write("asked.in", line)
    flags = ["--no-config", "--refresh", "--quiet", "--python", sys.executable]
    bench.program([find_uv_bin(), "pip", "compile", *flags, "asked.in"])


def test_a_withdrawal_is_told_once_an_index_has_said_it(bench, index):
    """What any project hears of the release is told when an environment with it is made anew, and then each time."""
    withdraw(index, "low", "it eats data")
    assert "withdrawn" not in bench.passes("--recreate").said  # nobody has asked
    hear(bench, "low==1.0")
    for _ in range(3):
        run = bench.passes("--recreate")
        assert WORDS in run.said
        assert run.environment()["wheelfarm"]["yanked"][0]["reason"] == "it eats data"
    index.dead = True
    bench.ini("skip_install = true", "yanked = refuse")
    assert "YankedError" in bench.fails("--recreate").said
    index.dead = False
    withdraw(index, "low", False)
    hear(bench, "low==1.0")
    assert "withdrawn" not in bench.passes("--recreate").said


def test_a_withdrawal_is_told_whatever_we_heard_before_it(bench, index):
    """What we ourselves asked an index before (`offline = never`) does not outweigh what uv has heard since."""
    bench.ini("skip_install = true", "offline = never")
    bench.passes("--recreate")
    bench.ini("skip_install = true")
    withdraw(index, "low", "it eats data")
    hear(bench, "low==1.0")
    for _ in range(3):
        assert WORDS in bench.passes("--recreate").said


def test_the_index_is_asked_anew_where_that_is_wanted(bench, index):
    """`offline = never` asks, whatever is kept."""
    withdraw(index, "low", "it eats data")
    bench.ini("skip_install = true", "offline = never")
    index.asked.clear()
    assert WORDS in bench.passes("--recreate").said
    assert index.asked


def test_a_report_that_is_asked_for_later_has_the_withdrawals(bench, index):
    """The run that made the environment wrote no report; the next one does, and nothing has changed."""
    withdraw(index, "low", "it eats data")
    hear(bench, "low==1.0")
    for flags in (("--recreate",), ()):
        assert bench.tox(*flags, reports=False).code == 0
    assert bench.passes().environment()["wheelfarm"]["yanked"][0]["reason"] == "it eats data"
    bench.tox("--recreate", reports=False)
    for path in (bench.cache / "tox-wheelfarm").glob("decision-*.json"):
        path.unlink()
    assert bench.passes().environment()["wheelfarm"]["yanked"][0]["reason"] == "it eats data"


def test_without_a_cache_of_uv_each_run_hears_anew(bench, index):
    """`UV_NO_CACHE`: the pages of the cache that is not used say nothing of what uv heard."""
    bench.ini("skip_install = true", "set_env = UV_NO_CACHE=1")
    withdraw(index, "low", "it eats data")
    for _ in range(2):
        assert "withdrawn by their authors: low 1.0" in bench.passes("--recreate").said
    withdraw(index, "low", False)
    assert "withdrawn" not in bench.passes("--recreate").said


def test_what_stays_in_an_environment_is_looked_up_as_well(bench, index):
    """The set grows by a release, and nothing is heard of the other in that install: it is told and reported still."""
    withdraw(index, "low", "it eats data")
    hear(bench, "low==1.0")
    assert reasons(bench.passes("--recreate")) == ["it eats data"]
    bench.pylock(("low", "1.0"), ("high", "1.0"))
    for _ in range(2):
        assert reasons(bench.passes()) == ["it eats data"]
    bench.pylock(("low", "1.0"))
    assert WORDS in bench.tox(reports=False).said


def test_a_report_tells_what_was_heard_after_the_one_before(bench, index):
    """Nothing is to be done, but uv has heard of an index since: a report has what is known now, taken back or not."""
    assert reasons(bench.passes()) == []
    withdraw(index, "low", "it eats data")
    hear(bench, "low==1.0")
    for _ in range(2):
        assert reasons(bench.passes()) == ["it eats data"]
    withdraw(index, "low", False)
    hear(bench, "low==1.0")
    assert reasons(bench.passes()) == []


@pytest.mark.parametrize("reports", [True, False])
def test_what_is_refused_is_refused_in_the_environment_that_is_there(bench, index, reports):
    """`yanked = refuse` holds in each run, once uv has heard of it, whether anything is to be done or not."""
    bench.ini("skip_install = true", "yanked = refuse")
    assert bench.tox(reports=reports).code == 0
    withdraw(index, "low", "it eats data")
    hear(bench, "low==1.0")
    for _ in range(2):
        run = bench.tox(reports=reports)
        assert (run.code, "YankedError" in run.said) == (1, True)
    withdraw(index, "low", False)
    hear(bench, "low==1.0")
    assert bench.tox(reports=reports).code == 0


def test_what_was_taken_back_is_no_withdrawal(bench, index):
    """What we asked an index ourselves does not outweigh what uv has heard since."""
    withdraw(index, "low", "it eats data")
    bench.ini("skip_install = true", "offline = never")
    assert WORDS in bench.passes("--recreate").said
    withdraw(index, "low", False)
    hear(bench, "low==1.0")
    bench.ini("skip_install = true", "yanked = refuse")
    for _ in range(2):
        assert bench.passes("--recreate").packages() == ["low==1.0"]


def test_the_index_of_the_lock_file_is_the_one_that_counts(bench, index):
    """A uv.lock has its index in it: what uv has heard of that is reported later, and refused before an install."""
    (bench.root / "pylock.toml").unlink()
    bench.project("low<2")
    bench.lock()
    bench.ini("package = deps-only")
    withdraw(index, "low", "it eats data")
    hear(bench, "low==1.0")
    del bench.variables["UV_DEFAULT_INDEX"]
    assert bench.tox("--recreate", reports=False).code == 0
    forget(bench)
    assert reasons(bench.passes()) == ["it eats data"]
    bench.ini("package = deps-only", "yanked = refuse")
    for flags in ((), ("--recreate",)):
        assert "YankedError" in bench.fails(*flags).said
    assert not list(bench.site().glob("low*"))


@pytest.mark.parametrize("heard", [True, False])
def test_a_later_report_has_what_was_installed(bench, index, heard):
    """`deps` beside a lock file are resolved once: a report that is asked for later does not resolve them again."""
    index.release("mid", "1.0")
    bench.ini("skip_install = true", "installer = lockfile", "deps = mid")
    assert bench.tox("--recreate", reports=False).code == 0
    index.release("mid", "2.0")
    if heard:
        hear(bench, "mid")
    else:
        shutil.rmtree(bench.cache / "uv")
    index.asked.clear()
    run = bench.passes()
    told = run.environment()["wheelfarm"]
    assert run.packages() == ["low==1.0", "mid==1.0"]
    assert [each["version"] for each in told["files"] if each["name"] == "mid"] == ["1.0"]
    assert "mid-1.0-py3-none-any.whl" in told["set"]
    assert "mid-2.0" not in told["set"]
    assert index.asked == []
