"""No system call for a network happens where everything is pinned by a hash and in the cache."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SECONDS = 120
TOX = (sys.executable, "-m", "tox")


@pytest.fixture
def traced(bench, tmp_path):
    """Runs a program in the project: its exit code, and the calls for a network of all that ran."""

    def run(*command):
        report = tmp_path / "calls.json"
        trace = Path(__file__).with_name("network_trace.py")
        done = subprocess.run(
            [sys.executable, str(trace), str(report), *command],
            cwd=bench.root,
            env=bench.environment(),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert report.exists(), done.stderr
        return done.returncode, json.loads(report.read_text("utf-8"))

    return run


@pytest.fixture
def index(index):
    """Two releases, one of which needs the other."""
    index.release("low", "1.0")
    index.release("high", "1.0", "low")
    return index


@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6"])
def test_a_call_is_seen_whoever_makes_it(traced, family):
    """A socket that a process of a process opens is written down and refused."""
    inner = f"import socket; socket.socket(socket.{family})"
    code, calls = traced(sys.executable, "-c", f"import subprocess, sys; sys.exit({_start(inner)})")
    assert code == 1
    assert len(calls) == 1


def _start(program):
    return f"subprocess.run([sys.executable, '-c', {program!r}]).returncode"


def test_a_lock_file_that_is_not_cached_asks(bench, traced):
    """What uv itself asks for is seen as well: a first install does not work like this."""
    bench.pylock(("low", "1.0"), ("high", "1.0"))
    bench.ini("skip_install = true")
    code, calls = traced(*TOX)
    assert code != 0
    assert calls


def test_an_environment_is_made_without_a_call(bench, traced):
    """From nothing: the environment, the packages of the lock file, and the check of what is installed."""
    bench.pylock(("low", "1.0"), ("high", "1.0"))
    bench.ini("skip_install = true")
    bench.passes()
    report = bench.root / "report.json"
    assert traced(*TOX, "--recreate", "--result-json", str(report)) == (0, [])
    told = json.loads(report.read_text("utf-8"))["testenvs"]["a"]["installed_packages"]
    assert told == ["high==1.0", "low==1.0"]


def test_an_environment_with_its_project_is_made_without_a_call(bench, traced):
    """The project is built, its dependencies come from uv.lock, and nobody is asked."""
    bench.project("high")
    bench.lock()
    bench.ini("package = wheel")
    bench.passes()
    assert traced(*TOX, "--recreate") == (0, [])
    assert bench.passes().packages()[1:] == ["high==1.0", "low==1.0"]


def test_nothing_to_do_makes_no_call(bench, traced):
    """A second run makes none, whatever decided the set."""
    bench.ini("skip_install = true", "deps = high")
    bench.passes()
    assert traced(*TOX) == (0, [])


def test_a_change_of_what_is_cached_makes_no_call(bench, traced):
    """Another lock file of releases that were installed before is carried out without a call."""
    bench.ini("skip_install = true")
    bench.pylock(("low", "1.0"), ("high", "1.0"))
    bench.passes()
    bench.pylock(("low", "1.0"))
    assert traced(*TOX) == (0, [])
    bench.pylock(("low", "1.0"), ("high", "1.0"))
    assert traced(*TOX) == (0, [])
    assert bench.passes().packages() == ["high==1.0", "low==1.0"]
