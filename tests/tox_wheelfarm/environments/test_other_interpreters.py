"""Environments of interpreters that are no plain CPython: PyPy, and builds without the global lock."""

import hashlib
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest
from tests.pyenv import VERSIONS

SECONDS = 120
PLATFORM = sysconfig.get_platform().replace("-", "_").replace(".", "_")


@pytest.fixture(scope="session")
def pypy(tmp_path_factory):
    """Debian's PyPy, unpacked and not installed; lists and packages are fetched into a folder of the test's own."""
    folder = tmp_path_factory.mktemp("pypy")
    (folder / "lists/partial").mkdir(parents=True)
    own = [f"Dir::State::Lists={folder}/lists", f"Dir::Cache={folder}", "Acquire::Languages=none"]
    options = [word for each in own for word in ("-o", each)]
    for words in (["update"], ["download", "pypy3", "pypy3-lib"]):
        command = ["apt-get", "-q", "-o", "APT::Sandbox::User=root", *options, *words]
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        assert done.returncode == 0, f"Debian's servers are needed for this test: {done.stderr}"
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, folder / "root"], timeout=SECONDS, check=True)
    libraries = next((folder / "root").glob("usr/lib/*/libpypy3*-c.so")).parent
    # What starts it knows where its library is, in place of the cache of the dynamic linker.
    (python,) = [each for each in (folder / "root/usr/bin").glob("pypy3.*") if each.is_file()]
    return python, str(libraries)


@pytest.fixture(params=["PyPy", "free-threaded"])
def other(request, bench):
    """The path of an interpreter, its implementation, and the tag of a wheel that only it takes."""
    if request.param == "free-threaded":
        path = free_threaded()
        if path is None:
            pytest.skip("neither Debian nor pyenv has a free-threaded Python here; put python3.14t on PATH")
        code = "import sys; print('cp%d%dt' % sys.version_info[:2])"
        abi = bench.program([path, "-c", code]).strip()
        return path, "CPython", f"{abi[:-1]}-{abi}-{PLATFORM}"
    path, libraries = request.getfixturevalue("pypy")
    bench.variables["LD_LIBRARY_PATH"] = libraries
    code = (
        "import sys; print('pp%d%d-pypy%d%d_pp%d%d' % (sys.version_info[:2] * 2 + sys.pypy_version_info[:2]))"
    )
    return path, "PyPy", bench.program([path, "-c", code]).strip() + f"-{PLATFORM}"


def free_threaded():
    """A free-threaded Python on PATH, or among pyenv's."""
    below = VERSIONS
    on_path = [shutil.which(f"python3.{minor}t") for minor in (15, 14, 13)]
    return next((each for each in [*on_path, *map(str, below.glob("3.*t/bin/python"))] if each), None)


@pytest.fixture
def index(index):
    """A library with a wheel for every Python, and what needs it on one implementation only."""
    index.release("low", "1.0")
    index.release(
        "low", "2.0", "alternative; platform_python_implementation == 'PyPy'", scripts=("low-script",)
    )
    index.release("alternative", "1.0")
    return index


def test_newest_releases_and_markers(bench, other):
    """What is newest for this interpreter is installed, started and reported, and a second run changes nothing."""
    path, implementation, _ = other
    bench.ini(
        "skip_install = true",
        f"base_python = {path}",
        "installer = latest",
        "deps = low",
        "commands = low-script",
    )
    wanted = ["alternative==1.0", "low==2.0"] if implementation == "PyPy" else ["low==2.0"]
    run = bench.passes()
    assert run.packages() == wanted
    assert run.environment()["python"]["implementation"] == implementation
    assert run.environment()["python"]["free_threaded"] == (implementation != "PyPy")
    born = bench.born()
    assert bench.passes().packages() == wanted
    assert bench.born() == born


def test_a_lock_gives_the_wheel_of_its_abi(bench, index, other):
    """Of a release's wheels in a lock the one for this interpreter is taken, before the one for all."""
    path, _, tag = other
    index.release("low", "1.0", tag=tag, code="VERSION = 'own'\n")
    text = bench.pylock(("low", "1.0")).read_text("utf-8")
    file = f"low-1.0-{tag}.whl"
    digest = hashlib.sha256(index.files["low"][file][0]).hexdigest()
    place = f'url = "{index.url}/files/low/{file}"\nhashes = {{sha256 = "{digest}"}}\n'
    bench.write("pylock.toml", f'{text}[[packages.wheels]]\nname = "{file}"\n{place}')
    show = "commands = python -c 'import low; print(\"wheel:\", low.VERSION)'"
    bench.ini("skip_install = true", f"base_python = {path}", show)
    assert "wheel: own" in bench.passes().said


def test_what_was_not_asked_for_goes(bench, other):
    """Pruned, with its scripts, and mended when damaged."""
    path, *_ = other
    bench.ini("skip_install = true", f"base_python = {path}", "installer = latest", "deps = low")
    bench.passes()
    assert (bench.env() / "bin/low-script").exists()
    bench.ini("skip_install = true", f"base_python = {path}", "installer = lowest", "deps = low")
    assert bench.passes().packages() == ["low==1.0"]
    assert not (bench.env() / "bin/low-script").exists()
    (bench.site() / "low.py").unlink()
    assert "low.py of low is gone" in bench.passes().said
    assert Path(bench.site() / "low.py").exists()


def test_the_project_is_built_and_installed(bench, other):
    """By the interpreter itself."""
    path, *_ = other
    bench.project("low==1.0")
    told = {"name": "app", "version": "1.0", "dependencies": ["low==1.0"]}
    bench.write("tomllib.py", f"def load(file):\n    return {{'project': {told}}}\n")  # Python 3.9 has none
    bench.ini(
        f"base_python = {path}",
        "package = wheel",
        "commands = python -c 'import app, low; print(app.VERSION)'",
    )
    packages = bench.passes().packages()
    assert packages[0].startswith("app")
    assert packages[1:] == ["low==1.0"]
