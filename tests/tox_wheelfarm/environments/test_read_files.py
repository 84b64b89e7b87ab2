"""Files that a lock file is read with: whichever changes, and whenever, the environment gets what they say now."""

import os
import shutil
import threading
import time

import pytest

BUILDING = """
def _told():
    import os, time
    if os.path.exists("slow"):
        open("building", "w").close()
        time.sleep(1)
"""
MEMBER = "[project]\nname = 'part'\nversion = '1'\nrequires-python = '>=3.9'\ndependencies = [{}]\n"


@pytest.fixture
def index(index):
    """Two releases of a package, and one that needs it."""
    for version in ("1.0", "2.0"):
        index.release("low", version)
    index.release("high", "1.0", "low")
    return index


def twice(bench):
    """Make the environment, and make it anew: whatever is kept is kept."""
    for _ in range(2):
        bench.passes("--recreate")


def including(bench, name, line, other):
    """Write a lock file that includes another one by a line, and make the environment."""
    bench.requirements("low==1.0", name=other)
    path = bench.requirements("high==1.0", name=name)
    path.write_text(f"{line}\n{path.read_text('utf-8')}", "utf-8")
    bench.ini("skip_install = true", f"lockfile = {name}", "installer = lockfile")
    twice(bench)


@pytest.mark.parametrize(
    ("name", "line", "other"),
    [
        ("ci.lock", "-r base.part", "base.part"),
        ("requirements.in", "-r base.part", "base.part"),
        ("requirements.txt", "\ufeff-r base.txt", "base.txt"),
        ("requirements.txt", "-r \\\n  base.txt", "base.txt"),
        ("requirements.txt", "-r my base.txt", "my base.txt"),
        ("requirements.txt", "-r base#1.txt", "base#1.txt"),
        ("requirements.txt", "--requirement = base.txt", "base.txt"),
        ("requirements.txt", "--requirement=inside/base.txt", "inside/base.txt"),
    ],
)
def test_an_included_file_changes(bench, name, line, other):
    """By whatever line it is included, in a lock file of whatever name: anew, and in the environment that is there."""
    including(bench, name, line, other)
    bench.requirements("low==2.0", name=other)
    assert bench.passes("--recreate").packages() == ["high==1.0", "low==2.0"]
    bench.requirements("low==1.0", name=other)
    assert bench.passes().packages() == ["high==1.0", "low==1.0"]


def member(bench, root=""):
    """A workspace with one member that needs a package, locked by uv."""
    bench.write("part/pyproject.toml", MEMBER.format("'low'"))
    path = bench.root / "pyproject.toml"
    known = path.read_text("utf-8") if path.exists() else ""
    path.write_text(f"{known}[tool.uv.workspace]\nmembers = ['part']\n{root}", "utf-8")
    bench.lock()


@pytest.mark.parametrize("flags", [(), ("--recreate",)])
def test_a_member_of_the_workspace_changes(bench, flags):
    """A uv.lock is held against the folders that it builds from as well, in an environment that is there too."""
    bench.project("low", groups={"more": ["part"]})
    member(bench, "[tool.uv.sources]\npart = { workspace = true }\n")
    bench.ini("package = deps-only")
    twice(bench)
    bench.write("part/pyproject.toml", MEMBER.format("'low', 'high'"))
    assert "StaleLockError" in bench.fails(*flags).said
    assert "StaleLockError" in bench.fails("--recreate").said


@pytest.mark.parametrize("flags", [(), ("--recreate",)])
@pytest.mark.parametrize("name", ["pyproject.toml", "uv.toml"])
def test_the_root_of_the_workspace_changes(bench, flags, name):
    """It is no package, and above the project: what it sets for all makes the lock stale all the same."""
    member(bench, "[tool.uv]\nconstraint-dependencies = ['low>1']\n")
    above, bench.root = bench.root, bench.root / "part"
    bench.ini("package = deps-only")
    twice(bench)
    told = (above / "pyproject.toml").read_text("utf-8")
    if name == "uv.toml":  # then it has uv's settings, and those of pyproject.toml are none
        (above / name).write_text("", "utf-8")
        assert bench.passes(*flags).packages() == ["low==2.0"]
        return
    (above / name).write_text(told.replace("low>1", "low<2"), "utf-8")
    assert "StaleLockError" in bench.fails(*flags).said
    assert "StaleLockError" in bench.fails("--recreate").said


def during(bench, flag, change):
    """Make the environment anew, and change a file once the flag is there."""

    def wait():
        for _ in range(600):
            if flag():
                break
            time.sleep(0.02)
        change()

    thread = threading.Thread(target=wait)
    thread.start()
    run = bench.tox("--recreate")
    thread.join()
    return run


@pytest.mark.parametrize("name", ["requirements.txt", "pylock.toml"])
def test_a_lock_file_that_changes_while_the_project_is_built(bench, name):
    """What comes of that run may be of either; every later one has what the file says."""

    def lock(version):
        bench.pylock(("low", version)) if name == "pylock.toml" else bench.requirements(f"low=={version}")

    bench.project("low")
    path = bench.root / "backend.py"
    backend = path.read_text("utf-8").replace(
        "def _wheel(folder, editable):", "def _wheel(folder, editable):\n    _told()"
    )
    path.write_text(backend + BUILDING, "utf-8")
    lock("1.0")
    bench.ini("package = wheel")
    twice(bench)
    bench.write("slow", "")
    path = bench.cache / "tox-wheelfarm"
    for file in path.glob("decision-*.json"):
        file.unlink()
    assert during(bench, (bench.root / "building").exists, lambda: lock("2.0")).code == 0
    (bench.root / "slow").unlink()
    assert "low==2.0" in bench.passes().packages()
    assert "low==2.0" in bench.passes("--recreate").packages()


def test_a_member_that_changes_while_a_file_is_fetched(bench, index):
    """The lock file was fresh when it was read, and is not after that: later runs say so."""
    bench.project("low", groups={"more": ["part"]})
    member(bench, "[tool.uv.sources]\npart = { workspace = true }\n")
    bench.ini("package = deps-only")
    index.asked.clear()  # uv has read what stands in the wheel
    index.gate.clear()

    def change():
        bench.write("part/pyproject.toml", MEMBER.format("'low', 'high'"))
        index.gate.set()

    asked = lambda: any(path.startswith("/files/") for path in index.asked)  # noqa: E731 - one word for it
    assert during(bench, asked, change).code == 0
    for flags in ((), ("--recreate",)):
        assert "StaleLockError" in bench.fails(*flags).said


def same_times(path, text):
    """Write a file with another content of the same length, and the same time as before."""
    found = path.stat()
    assert len(text) == found.st_size
    path.write_text(text, "utf-8")
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


def test_bytes_decide_and_not_times(bench):
    """An unpacked archive may have the time and the length of what was there before."""
    including(bench, "requirements.txt", "-r base.txt", "base.txt")
    path = bench.root / "base.txt"
    before = path.read_text("utf-8")
    other = bench.requirements("low==2.0", name="other.txt").read_text("utf-8")
    same_times(path, other)
    assert bench.passes().packages() == ["high==1.0", "low==2.0"]
    same_times(path, before)
    assert bench.passes("--recreate").packages() == ["high==1.0", "low==1.0"]


def test_bytes_of_a_member_decide(bench):
    """A folder's pyproject.toml that is as long and as old as before makes the lock stale as well."""
    bench.project("low", groups={"more": ["part"]})
    member(bench, "[tool.uv.sources]\npart = { workspace = true }\n")
    bench.ini("package = deps-only")
    twice(bench)
    path = bench.root / "part/pyproject.toml"
    same_times(path, path.read_text("utf-8").replace("'low'", "'lo2'"))
    assert "StaleLockError" in bench.fails().said


def test_a_link_to_an_included_file_is_a_file_of_its_own(bench):
    """Once it is another file, what that says counts."""
    bench.requirements("low==1.0", name="a.txt")
    (bench.root / "b.txt").symlink_to("a.txt")
    bench.write("requirements.txt", "-r a.txt\n-r b.txt\n")
    bench.ini("skip_install = true", "installer = lockfile", "lockfile = requirements.txt")
    twice(bench)
    (bench.root / "b.txt").unlink()
    bench.requirements("high==1.0", name="b.txt")
    assert bench.passes().packages() == ["high==1.0", "low==1.0"]


def slow(bench, *settings):
    """A project that says when it is being built, and then takes its time."""
    bench.project("low", groups={"more": ["high"]})
    path = bench.root / "backend.py"
    backend = path.read_text("utf-8").replace(
        "def _wheel(folder, editable):", "def _wheel(folder, editable):\n    _told()"
    )
    path.write_text(backend + BUILDING, "utf-8")
    bench.ini("package = wheel", *settings)
    bench.write("slow", "")


def built(bench, change):
    """Make the environment anew, and change something while the project is built; later builds are quick."""
    run = during(bench, (bench.root / "building").exists, change)
    (bench.root / "slow").unlink()
    return run


def test_a_lock_file_that_is_a_link_is_switched_while_the_project_is_built(bench):
    """What the link leads to is older than the run: it is another file all the same."""
    for version in ("1.0", "2.0"):
        bench.pylock(("low", version), name=f"v{version[0]}.toml")
    link, fresh = bench.root / "pylock.toml", bench.root / "fresh"
    link.symlink_to("v1.toml")
    fresh.symlink_to("v2.toml")
    slow(bench)
    assert built(bench, lambda: fresh.replace(link)).code == 0
    assert "low==2.0" in bench.passes().packages()
    assert "low==2.0" in bench.passes("--recreate").packages()


def test_an_included_file_goes_while_the_project_is_built(bench):
    """It is missing from then on, and that is told in each run."""
    bench.requirements("low==1.0", name="base.txt")
    bench.write("requirements.txt", "-r base.txt\n")
    slow(bench, "installer = lockfile", "lockfile = requirements.txt")
    built(bench, (bench.root / "base.txt").unlink)
    for flags in ((), ("--recreate",)):
        assert "LockFileError" in bench.fails(*flags).said


def test_a_file_of_uv_goes_while_a_file_is_fetched(bench, index):
    """What its absence means counts from then on: pyproject.toml has uv's settings again."""
    bench.project("low")
    bench.lock()
    path = bench.root / "pyproject.toml"
    path.write_text(path.read_text("utf-8") + "[tool.uv]\nresolution = 'lowest'\n", "utf-8")
    bench.write("uv.toml", "")
    bench.ini("package = deps-only")
    shutil.rmtree(bench.cache / "uv")
    index.asked.clear()
    index.gate.clear()

    def change():
        (bench.root / "uv.toml").unlink()
        index.gate.set()

    asked = lambda: any(path.startswith("/files/") for path in index.asked)  # noqa: E731 - one word for it
    during(bench, asked, change)
    for flags in ((), ("--recreate",)):
        assert "StaleLockError" in bench.fails(*flags).said


def test_a_time_alone_is_no_change(bench):
    """A pyproject.toml of tomorrow, or one that the build writes again as it is: nothing is to be done."""
    slow(bench)
    (bench.root / "slow").unlink()
    bench.lock()
    path = bench.root / "pyproject.toml"
    path.write_text(path.read_text("utf-8"), "utf-8")
    os.utime(path, (2**32, 2**32))
    twice(bench)
    assert list((bench.cache / "tox-wheelfarm").glob("decision-*.json"))
    state = bench.env() / ".tox-wheelfarm.json"
    bench.passes()
    before = state.stat().st_mtime_ns
    bench.passes()
    assert state.stat().st_mtime_ns == before


def test_a_pipe_is_no_file_of_uv(bench):
    """It would never end; a person's mistake, or an attacker's."""
    bench.project("low")
    bench.lock()
    bench.ini("package = deps-only")
    twice(bench)
    os.mkfifo(bench.root / "uv.toml")
    assert bench.tox("--recreate").code in {0, 1}
