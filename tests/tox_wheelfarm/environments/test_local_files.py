"""Folders of wheels, files on this disk, and lock files that say where their files are."""

import hashlib
import sys

import pytest
from uv import find_uv_bin

from .test_dep_options import deps
from .toy_index import wheel

pytestmark = pytest.mark.usefixtures("toys")


def test_folders_of_wheels_add_up(bench, index, wheels):
    """-f beside PIP_FIND_LINKS; a comma and a blank in a path divide nothing; a file is refused."""
    other = bench.root / "o,th er"
    other.mkdir()
    index.put("needy-1.0-py3-none-any.whl", other)
    more = (f"set_env = PIP_FIND_LINKS={wheels}",)
    deps(bench, "--no-index", "-f o,th er", "needy", more=more)
    assert bench.passes().packages() == ["low==1.0", "needy==1.0"]
    deps(bench, "--no-index", "-f wheels/low-1.0-py3-none-any.whl", "low")
    assert "is one file: name its folder, or the file as a requirement" in bench.fails().said


def test_a_changed_folder_of_wheels_is_seen(bench, index, wheels):
    """Another file of the same release, and a newer release, are installed by the next run, and nothing otherwise."""
    deps(bench, "--no-index", "-f wheels", "low")
    assert bench.passes().packages() == ["low==1.0"]
    bench.passes()
    state = bench.env() / ".tox-wheelfarm.json"
    before = state.stat().st_mtime_ns
    bench.passes()
    assert state.stat().st_mtime_ns == before
    body = wheel("low", "1.0", code="VERSION = 'changed'\n")
    (wheels / "low-1.0-py3-none-any.whl").write_bytes(body)
    (origin,) = bench.passes().environment()["wheelfarm"]["files"]
    assert origin["hash"] == f"sha256:{hashlib.sha256(body).hexdigest()}"
    (module,) = bench.env().glob("lib/*/site-packages/low.py")
    assert "changed" in module.read_text("utf-8")
    index.put("low-2.0-py3-none-any.whl", wheels)
    assert bench.passes().packages() == ["low==2.0"]


@pytest.mark.usefixtures("wheels")
@pytest.mark.parametrize("how", ["folder", "file"])
def test_a_record_of_local_files_is_read_by_uv(bench, how):
    """What stood on this disk is a path in the record, which uv and this runner install from."""
    lines = ["--no-index", "-f wheels", "low"] if how == "folder" else ["./wheels/low-1.0-py3-none-any.whl"]
    deps(bench, *lines)
    run = bench.passes()
    bench.write("pylock.toml", run.environment()["wheelfarm"]["set"])
    install = [find_uv_bin(), "--no-config", "pip", "install", "--quiet", "--offline"]
    bench.program([*install, "--target", str(bench.root / "there"), "-r", "pylock.toml"])
    assert (bench.root / "there/low.py").exists()
    bench.ini("skip_install = true", "installer = lockfile")
    again = bench.passes("--recreate").environment()["wheelfarm"]["files"]
    assert again == run.environment()["wheelfarm"]["files"]


def test_a_build_of_a_source_is_told_as_one(bench, index):
    """With --no-binary a locked release is built, and told with its source; another environment still has the wheel."""
    folder = bench.root / "source/low-1.0"
    root, bench.root = bench.root, folder
    folder.mkdir(parents=True)
    bench.project(name="low")
    bench.program([sys.executable, "-c", "import backend; backend.build_sdist('.')"])
    bench.root, archive = root, (folder / "low-1.0.tar.gz").read_bytes()
    index.files["low"]["low-1.0.tar.gz"] = (archive, False)
    ready = hashlib.sha256(index.files["low"]["low-1.0-py3-none-any.whl"][0]).hexdigest()
    source = hashlib.sha256(archive).hexdigest()
    bench.write("requirements.txt", f"low==1.0 --hash=sha256:{ready} --hash=sha256:{source}\n")
    places = ["skip_install = true", "installer = lockfile", "lockfile = requirements.txt"]
    for more, digest in ((["deps = --no-binary low"], source), ([], ready)):
        bench.ini(*places, *more)
        for flags in ([], ["--recreate"]):
            (origin,) = bench.passes(*flags).environment()["wheelfarm"]["files"]
            assert origin["hash"] == f"sha256:{digest}"
            (module,) = bench.env().glob("lib/*/site-packages/low.py")
            assert ("main" in module.read_text("utf-8")) == (digest == ready)


def test_options_of_a_lock_are_followed(bench, index, wheels):
    """A requirements file with hashes says where its files are; a file that it includes is watched as well."""
    right = index.put("low-1.0-py3-none-any.whl", wheels)
    index.files.pop("low")
    bench.write("base.txt", f"low==1.0 --hash={right}\n")
    bench.write("requirements.txt", f"--no-index\n-f wheels\n-r base.txt\nlow==1.0 --hash={right}\n")
    bench.variables.pop("UV_DEFAULT_INDEX", None)
    bench.ini("skip_install = true", "installer = lockfile", "lockfile = requirements.txt")
    assert bench.passes().packages() == ["low==1.0"]
    index.release("low", "2.0")
    newer = index.put("low-2.0-py3-none-any.whl", wheels)
    bench.write("requirements.txt", "--no-index\n-f wheels\n-r base.txt\n")
    bench.write("base.txt", f"low==1.0 --hash={right}\n")
    assert bench.passes().packages() == ["low==1.0"]
    bench.write("base.txt", f"low==2.0 --hash={newer}\n")
    assert bench.passes().packages() == ["low==2.0"]
