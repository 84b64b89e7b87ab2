"""A cache that cannot be written: told in one sentence where it is needed, and done without where it is not."""

from pathlib import Path

import pytest

from tox_wheelfarm.errors import InstallFailedError
from tox_wheelfarm.wheelhouse import Wheelhouse


def test_constraints_without_a_cache_are_one_sentence(bench, index):
    """Constraints are written into the cache for uv: a cache that is no folder is named, with what to set."""
    index.release("low", "1.0")
    bench.ini("skip_install = true", "deps = low", "constraints = low===1.0")
    bench.variables["XDG_CACHE_HOME"] = "/dev/null"
    said = bench.fails().said
    assert "InstallFailedError: the cache folder /dev/null/tox-wheelfarm cannot be written" in said
    assert "set XDG_CACHE_HOME" in said


def test_an_install_without_our_cache_is_as_any_other(bench, index):
    """What is only kept to save time is not needed: interpreters are asked, and indexes, each time."""
    index.release("low", "1.0")
    bench.pylock(("low", "1.0"))
    bench.ini("skip_install = true", "offline = never")
    bench.variables["XDG_CACHE_HOME"] = "/dev/null"
    assert bench.passes().packages() == ["low==1.0"]


def test_a_cache_of_uv_that_cannot_be_made_is_one_message(bench):
    """What uv says of its own cache is what is told."""
    bench.ini("skip_install = true")
    bench.variables["UV_CACHE_DIR"] = "/dev/null/uv"
    said = bench.fails().said
    assert said.count("InstallFailedError") == 1
    assert "/dev/null/uv" in said


def test_files_for_an_old_pip_without_a_cache_are_one_sentence(tmp_path):
    """What pip of Python 2.7 installs from is kept first: a cache that is no folder is named."""
    file = tmp_path / "low-1.0-py3-none-any.whl"
    file.write_bytes(b"")
    with pytest.raises(InstallFailedError, match=r"/dev/null/wheels/.* cannot be written"):
        Wheelhouse(Path("/dev/null/wheels")).keep(file)
