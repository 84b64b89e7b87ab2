"""The network: not used where it is not needed, and its absence told where it is."""

import pytest


@pytest.fixture
def index(index):
    """A package, and one that was withdrawn."""
    index.release("low", "1.0")
    index.release("low", "2.0")
    index.release("gone", "1.0", yanked="it eats data")
    return index


def test_a_second_environment_is_made_with_the_network_dead(bench, index):
    """What is locked by hash and in the cache is installed without asking."""
    bench.pylock(("low", "1.0"))
    bench.ini("skip_install = true")
    bench.passes()
    index.dead = True
    index.asked.clear()
    assert bench.passes("--recreate").packages() == ["low==1.0"]
    assert index.asked == []


def test_a_second_run_works_with_the_network_dead(bench, index):
    """What is there already is not asked for again, whatever decided it."""
    bench.ini("skip_install = true", "deps = low")
    bench.passes()
    index.dead = True
    index.asked.clear()
    assert bench.passes().packages() == ["low==2.0"]
    assert index.asked == []


def test_offline_and_not_in_the_cache_is_told(bench, index):
    """With --offline something that was never fetched is an error of its own, and nobody was asked."""
    bench.pylock(("low", "1.0"))
    bench.ini("skip_install = true")
    assert "OfflineMissError" in bench.fails("--offline").said
    assert index.asked == []


def test_offline_as_a_setting(bench):
    """`offline = always` is the same as the flag, and enough where everything is cached."""
    bench.pylock(("low", "1.0"))
    bench.ini("skip_install = true", "offline = always")
    assert "OfflineMissError" in bench.fails().said
    bench.ini("skip_install = true")
    bench.passes()
    bench.ini("skip_install = true", "offline = always")
    assert bench.passes("--recreate").packages() == ["low==1.0"]


def test_a_withdrawn_release_is_told(bench):
    """A yanked release is warned of, and recorded with its reason."""
    bench.ini("skip_install = true", "deps = gone==1.0")
    run = bench.passes()
    assert "withdrawn by their authors: gone 1.0 (it eats data)" in run.said
    assert run.environment()["wheelfarm"]["yanked"][0]["reason"] == "it eats data"


def test_a_withdrawn_release_is_refused_on_wish(bench):
    """`yanked = refuse` makes it an error."""
    bench.ini("skip_install = true", "deps = gone==1.0", "yanked = refuse")
    assert "YankedError: withdrawn by their authors: gone 1.0 (it eats data)" in bench.fails().said


def test_a_withdrawn_release_of_a_lock_file_is_refused_on_wish(bench):
    """A lock that is older than the withdrawal is held against the index where the network may be used."""
    bench.pylock(("gone", "1.0"))
    bench.ini("skip_install = true", "yanked = refuse", "offline = never")
    assert "YankedError" in bench.fails().said


def test_a_withdrawn_release_of_a_lock_file_is_told_from_the_last_index_data(bench, index):
    """What uv's cache knows of a withdrawal is said without asking the index again."""
    bench.pylock(("gone", "1.0"))
    bench.ini("skip_install = true")
    assert "withdrawn by their authors: gone 1.0 (it eats data)" in bench.passes().said
    index.asked.clear()
    assert "withdrawn by their authors: gone 1.0 (it eats data)" in bench.passes("--recreate").said
    assert index.asked == []
    bench.ini("skip_install = true", "yanked = refuse")
    index.asked.clear()
    assert "YankedError" in bench.fails("--recreate").said
    assert (list(bench.site().glob("gone*")), index.asked) == ([], [])


def test_pips_variables_say_where_the_index_is(bench, index):
    """`PIP_INDEX_URL` in set_env is the index that is asked."""
    bench.variables["UV_DEFAULT_INDEX"] = ""
    bench.ini("skip_install = true", "deps = low", "set_env =", f"  PIP_INDEX_URL={index.simple}")
    assert bench.passes().packages() == ["low==2.0"]


def test_the_threads_flag_of_tox_poetry_installer_is_taken(bench):
    """`--parallel-install-threads` with any number, 0 too, installs the same."""
    bench.ini("skip_install = true", "deps = low")
    assert bench.passes("--parallel-install-threads", "0").packages() == ["low==2.0"]
