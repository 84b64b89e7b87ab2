"""What a real interpreter is: its marker variables and tags are those that its own tools see."""

import json
import subprocess
import sys
from pathlib import Path

import packaging
import pytest
from tests.pyenv import VERSIONS

from tox_wheelfarm.errors import InterpreterError
from tox_wheelfarm.locks import facts

OLD = ("2.7.18", "3.6.15", "3.7.16", "3.8.18")
NEW = ("3.9.18", "3.10.13", "3.11.7", "3.12.1", "3.13.0")
THEIRS = """
import json, sys
sys.path.insert(0, sys.argv[1])
from packaging.markers import default_environment
from packaging.tags import sys_tags
print(json.dumps([default_environment(), [str(tag) for tag in sys_tags()]]))
"""
FIRST = {"2.7.18": "cp27-cp27mu", "3.6.15": "cp36-cp36m", "3.7.16": "cp37-cp37m", "3.8.18": "cp38-cp38"}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """What other runs were told does not count here; gives a function that forgets what this one was told."""

    def forget(name):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / name))
        facts._target.cache_clear()

    forget("cache")
    yield forget
    facts._target.cache_clear()


def _interpreter(version):
    path = VERSIONS / version / "bin/python"
    assert path.exists(), f"this test needs CPython {version} in {path}"
    return path


@pytest.mark.parametrize("version", NEW)
def test_a_new_interpreter_is_what_packaging_says_inside_it(version):
    """Variables and tags, in order, are those that packaging computes when it runs in that interpreter."""
    python = _interpreter(version)
    place = str(Path(packaging.__file__).parents[1])
    command = [str(python), "-c", THEIRS, place]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    environment, tags = json.loads(told)
    target = facts.target(python)
    assert dict(target.environment) == environment
    assert [str(tag) for tag in target.tags] == tags


@pytest.mark.parametrize("version", OLD)
def test_an_old_interpreter_says_what_it_is(version):
    """2.7 to 3.8, where packaging no longer runs, have their own ABI first, and take manylinux and plain wheels."""
    target = facts.target(_interpreter(version))
    tags = [str(tag) for tag in target.tags]
    major, minor = version.split(".")[:2]
    assert tags[0].startswith(FIRST[version] + "-linux")
    assert f"{FIRST[version]}-manylinux2014_{target.environment['platform_machine']}" in tags
    assert f"py{major}{minor}-none-any" in tags
    assert target.environment["python_full_version"] == version
    assert target.environment["python_version"] == f"{major}.{minor}"
    assert target.environment["sys_platform"] == ("linux2" if major == "2" else "linux")


def test_the_working_folder_is_not_imported(tmp_path, monkeypatch):
    """A `json.py` or `platform.py` in the project's folder does not run when the interpreter is asked."""
    for name in ("json.py", "platform.py", "sysconfig.py", "struct.py"):
        (tmp_path / name).write_text("raise SystemExit('imported')")
    monkeypatch.chdir(tmp_path)
    assert facts.target(_interpreter("2.7.18")).tags
    assert facts.target(Path(sys.executable)).tags


def test_what_else_is_written_does_not_disturb(tmp_path, cache):
    """An environment whose `.pth` file writes to stdout, and would say it is another, is understood all the same."""
    place = tmp_path / "environment"
    command = [sys.executable, "-m", "venv", "--without-pip", str(place)]
    subprocess.run(command, timeout=120, check=True)
    site = next(place.glob("lib/python*/site-packages"))
    lines = "import sys; sys.stdout.write('tox says hello {}'); sys.maxunicode = 1; sys.platform = 'atari'\n"
    (site / "noise.pth").write_text(lines)
    told = facts.target(place / "bin/python")
    cache("another")
    assert told == facts.target(Path(sys.executable))


def test_an_answer_is_kept_for_the_file_that_gave_it(tmp_path):
    """A program is asked once for all processes, and again when it was written anew."""
    program = tmp_path / "python"
    asked = tmp_path / "asked"
    text = f'#!/bin/sh\necho x >> {asked}\nexec {sys.executable} "$@"\n'
    for written in (text, text + "# written anew\n"):
        program.write_text(written)
        program.chmod(0o755)
        for _ in range(3):
            facts._target.cache_clear()
            assert facts.target(program).tags
    assert asked.read_text().split() == ["x", "x"]


def test_a_damaged_answer_is_asked_for_again(tmp_path):
    """A file of the cache that was cut off is not believed."""
    told = facts.target(Path(sys.executable))
    facts._target.cache_clear()
    (kept,) = (tmp_path / "cache/tox-wheelfarm").glob("interpreter-*.json")
    kept.write_bytes(kept.read_bytes()[:-20])
    assert facts.target(Path(sys.executable)) == told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("#!/bin/sh\necho oops >&2\nexit 3\n", r"exit code 3\): oops"),
        ("#!/bin/sh\necho hello\n", "does not say what it is"),
        ("nothing that starts", "cannot be asked"),
    ],
)
def test_what_is_no_interpreter_is_refused(tmp_path, text, told):
    """A program that does not answer is an error that names it and its last words."""
    program = tmp_path / "python"
    program.write_text(text)
    program.chmod(0o755)
    with pytest.raises(InterpreterError, match=told):
        facts.target(program)


def test_a_missing_interpreter_is_refused(tmp_path):
    """A path where nothing is says so."""
    with pytest.raises(InterpreterError, match="No such file"):
        facts.target(tmp_path / "python")


def test_an_exchanged_interpreter_is_asked_again(tmp_path):
    """Another program behind the same path is another target."""
    link = tmp_path / "python"
    link.symlink_to(_interpreter("3.9.18"))
    before = facts.target(link)
    link.unlink()
    link.symlink_to(_interpreter("3.12.1"))
    assert (before.environment["python_version"], facts.target(link).environment["python_version"]) == (
        "3.9",
        "3.12",
    )
