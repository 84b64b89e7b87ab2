"""Environments of interpreters that tox itself does not run on, behind the same settings."""

import io
import shutil
import sys
import tarfile

import pytest
from tests.pyenv import VERSIONS

from tox_wheelfarm import installed
from tox_wheelfarm.errors import DamagedError


@pytest.fixture
def index(index):
    """Releases for every Python."""
    index.release("low", "1.0")
    index.release("low", "2.0", "new; python_version >= '3.7'", "old; python_version < '3.7'")
    index.release("new", "1.0")
    index.release("old", "1.0")
    index.release("stray", "1.0", scripts=("stray-script",))
    return index


def interpreter(version):
    """Pyenv's, or one on PATH; a test that has none fails."""
    below = VERSIONS
    found = [*sorted(below.glob(f"{version}.*/bin/python")), shutil.which(f"python{version}")]
    assert found[0], f"needs `pyenv install {version}`, or python{version} on PATH"
    return found[0]


@pytest.mark.parametrize(("version", "wanted"), [("3.6", "old==1.0"), ("3.8", "new==1.0")])
def test_markers_are_those_of_the_old_interpreter(bench, version, wanted):
    """What is needed is decided for the environment's Python, not for tox's."""
    bench.ini("skip_install = true", f"base_python = {interpreter(version)}", "deps = low")
    assert bench.passes().packages() == ["low==2.0", wanted]
    assert bench.passes().environment()["python"]["version_info"][:2] == [int(n) for n in version.split(".")]


def test_a_lock_file_is_installed_into_an_old_environment(bench):
    """By hash, as everywhere."""
    bench.pylock(("low", "1.0"))
    bench.ini("skip_install = true", f"base_python = {interpreter('3.7')}")
    assert bench.passes().packages() == ["low==1.0"]


def test_python_2_7_is_an_environment_like_the_others(bench, index):
    """Resolved, installed, pruned, kept, reported; its own pip stays, because nothing else can fill it."""
    for name, needs in (("low", ("old",)), ("old", ()), ("stray", ())):
        scripts = ("stray-script",) if name == "stray" else ()
        index.release(name, "5.0", *needs, tag="py2.py3-none-any", scripts=scripts)
    # virtualenv 20.21.1 comes from PyPI, the packages from the toy index.
    del bench.variables["UV_DEFAULT_INDEX"]
    python = interpreter("2.7")
    places = ["skip_install = true", f"base_python = {python}", "deps =", f"  --index-url {index.simple}"]
    bench.ini(*places, "  low", "  stray")
    run = bench.passes()
    fixtures = [line for line in run.packages() if line.split("==")[0] in {"pip", "setuptools", "wheel"}]
    assert [line for line in run.packages() if line not in fixtures] == ["low==5.0", "old==5.0", "stray==5.0"]
    assert [line.split("==")[0] for line in fixtures] == ["pip", "setuptools", "wheel"]
    born = bench.born()
    bench.ini(*places, "  low")
    assert "stray==5.0" not in bench.passes().packages()
    assert not (bench.env() / "bin/stray-script").exists()
    index.dead = True
    index.asked.clear()
    bench.passes()
    assert (bench.born(), index.asked) == (born, [])


def source(name, version):
    """A source archive that setuptools builds, as a .tar.gz."""
    sink = io.BytesIO()
    setup = f"from setuptools import setup\nsetup(name={name!r}, version={version!r})\n".encode()
    with tarfile.open(fileobj=sink, mode="w:gz") as archive:
        member = tarfile.TarInfo(f"{name}-{version}/setup.py")
        member.size = len(setup)
        archive.addfile(member, io.BytesIO(setup))
    return sink.getvalue()


def test_a_recorded_set_of_python_2_7_repeats(bench, index):
    """Each file is recorded with where it was and its hash, a built one too; the set as a lock file gives the same."""
    index.release("low", "5.0", "old", tag="py2.py3-none-any")
    index.files.setdefault("old", {})["old-5.0.tar.gz"] = (source("old", "5.0"), False)
    del bench.variables["UV_DEFAULT_INDEX"]
    places = ["skip_install = true", f"base_python = {interpreter('2.7')}"]
    bench.ini(*places, "installer = latest", "deps =", f"  --index-url {index.simple}", "  low")
    first = bench.passes()
    record = first.environment()["wheelfarm"]
    files = {each["name"]: each for each in record["files"]}
    assert files["low"]["url"].endswith("/low-5.0-py2.py3-none-any.whl")
    assert files["old"]["url"].endswith("/old-5.0.tar.gz")
    for name in ("low", "old"):
        assert files[name]["url"].startswith("http://127.0.0.1:")
        assert files[name]["hash"].startswith("sha256:")
    assert {"low==5.0", "old==5.0"} <= set(first.packages())
    bench.write("pylock.toml", record["set"])
    bench.ini(*places, "installer = lockfile")
    assert bench.passes("--recreate").packages() == first.packages()


def test_options_of_deps_hold_for_python_2_7(bench, index):
    """Folders of wheels, --no-index and formats are pip's own there, with or without a lock; origins are true."""
    tag = "py2.py3-none-any"
    body = index.release("low", "5.0", tag=tag) and index.files["low"][f"low-5.0-{tag}.whl"][0]
    index.release("low", "6.0", tag=tag)
    index.files["low"]["low-5.0.tar.gz"] = (source("low", "5.0"), False)
    (bench.root / "a, b").mkdir()
    (bench.root / "a, b" / f"low-5.0-{tag}.whl").write_bytes(body)
    del bench.variables["UV_DEFAULT_INDEX"]
    places = ["skip_install = true", f"base_python = {interpreter('2.7')}"]
    bench.ini(*places, "deps =", "  --no-index", "  -f a, b", "  low")
    (origin,) = bench.passes().environment()["wheelfarm"]["files"][:1]
    assert (origin["name"], origin["version"]) == ("low", "5.0")
    assert origin["url"] == (bench.root / "a, b" / f"low-5.0-{tag}.whl").as_uri()
    assert not [path for path in index.asked if "low" in path]
    asked = [f"  --index-url {index.simple}", "  --no-binary low", "  low==5.0"]
    bench.ini(*places, "deps =", *asked)
    (origin,) = bench.passes().environment()["wheelfarm"]["files"][:1]
    assert origin["url"].endswith("/files/low/low-5.0.tar.gz")
    bench.ini(*places, "installer = lowest", "deps =", asked[0], "  --only-binary :all:", "  low")
    (origin,) = bench.passes().environment()["wheelfarm"]["files"][:1]
    assert origin["file"] == f"low-5.0-{tag}.whl"
    bench.ini(*places, "deps =", "  --require-hashes", *asked)
    assert "low 5.0 has none" in bench.fails().said


@pytest.mark.parametrize("package", ["wheel", "editable"])
def test_a_build_that_python_2_7_cannot_do_is_refused(bench, package):
    """No backend builds a wheel under it; the sentence says what does work, and it is found wherever it is."""
    del bench.variables["UV_DEFAULT_INDEX"]
    bench.project()
    bench.ini(f"package = {package}", f"base_python = {interpreter('2.7')}")
    said = bench.fails().said
    assert "InterpreterError: package = wheel and package = editable cannot be built with Python 2.7" in said
    assert "write package = sdist" in said


def test_what_setuptools_installs_in_place_is_there(tmp_path):
    """An egg-link, as `package = editable-legacy` leaves it under 2.7, is read; one that leads nowhere is damage."""
    site, project = tmp_path / "site-packages", tmp_path / "project"
    info = project / "my_app.egg-info"
    for folder in (site, info):
        folder.mkdir(parents=True)
    (site / "my-app.egg-link").write_text(f"{project}\n.")
    (info / "PKG-INFO").write_text("Metadata-Version: 1.1\nName: my-app\nVersion: 1.0\n")
    assert installed.names([site]) == {"my-app": ("1.0", info)}
    assert installed.read([site])["my-app"].line == "my-app==1.0"
    shutil.rmtree(info)
    with pytest.raises(DamagedError, match=r"my-app\.egg-link leads to .*, where no my-app is"):
        installed.names([site])


def test_a_wheel_is_built_with_an_interpreter_that_is_not_on_path(bench):
    """The environment's own interpreter builds it, though nothing is found by its name."""
    bench.project()
    other = "3.12" if sys.version_info[:2] != (3, 12) else "3.13"
    bench.ini("package = wheel", f"base_python = {interpreter(other)}")
    bench.variables["PATH"] = "/usr/bin:/bin"
    run = bench.passes()
    assert run.packages()[0].startswith("app @ ")
    assert (bench.root / f".tox/.pkg-cpython{other.replace('.', '')}").is_dir()


def test_the_pip_of_an_old_python_says_that_it_knows_no_sources(bench):
    """Python 2.7 gets no stranger either: what has a source is refused by name."""
    bench.project("low")
    path = bench.root / "pyproject.toml"
    path.write_text(path.read_text("utf-8") + "[tool.uv.sources]\nlow = {path = 'lib'}\n", "utf-8")
    del bench.variables["UV_DEFAULT_INDEX"]  # virtualenv 20.21.1 comes from PyPI
    bench.ini(
        "skip_install = true",
        "installer = latest",
        "locked_deps = low",
        f"base_python = {interpreter('2.7')}",
    )
    said = bench.fails().said
    assert "ResolutionError: tool.uv.sources of" in said
    assert "says where low comes from" in said
