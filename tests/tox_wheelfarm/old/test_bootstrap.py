"""The one file that makes the environment which runs tox, run alone as people fetch it."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from uv import find_uv_bin

from tox_wheelfarm import bootstrap

from .toy_index import ToyIndex, wheel

REAL_LOCK = Path(__file__).with_name("locks") / "pylock.tox.toml"
"""The real tox for every Python, written by uv; the command that makes it anew stands in its first lines."""

BESIDE_UV = Path(find_uv_bin()).parent


@dataclass
class Project:
    """A folder with the fetched file in it, and an index with a toy of tox."""

    folder: Path
    index: ToyIndex

    def run(self, *arguments, python=sys.executable, uv=True):
        """Run the file as a person does; gives the finished process."""
        path = os.pathsep.join([*([str(BESIDE_UV)] if uv else []), "/usr/bin", "/bin"])
        return subprocess.run(
            [str(python), "bootstrap.py", *arguments],
            cwd=self.folder,
            env={
                **os.environ,
                "PATH": path,
                "PIP_INDEX_URL": self.index.url,
                "UV_DEFAULT_INDEX": self.index.url,
            },
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def tox(self, *arguments):
        """What the tox in the environment says."""
        command = [str(self.folder / ".tox-env/bin/tox"), *arguments]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=60, check=True, cwd=self.folder
        )
        return done.stdout.strip()

    def lock(self, *lines, name="requirements-tox.txt"):
        """Write a lock."""
        (self.folder / name).write_text("".join(f"{line}\n" for line in lines))


@pytest.fixture
def project(tmp_path, index):
    """A project's folder with a lock of toys."""
    folder = tmp_path / "a project"
    folder.mkdir()
    shutil.copyfile(bootstrap.__file__, folder / "bootstrap.py")
    for version in ("4.1", "4.2"):
        index.add("tox", wheel("tox", version, requires=["dep"]))
    for version in ("1.0", "2.0"):
        index.add("dep", wheel("dep", version))
    return Project(folder, index)


def hashed(index, project, version):
    """A line of a requirements file."""
    return f"{project}=={version} --hash={index.hash(project, f'{project}-{version}-py2.py3-none-any.whl')}"


def table(index, project, version, *more):
    """A package of a pylock.toml."""
    name = f"{project}-{version}-py2.py3-none-any.whl"
    digest = index.hash(project, name).partition(":")[2]
    lines = ["[[packages]]", f'name = "{project}"', f'version = "{version}"', *more]
    return [*lines, f'wheels = [{{name = "{name}", hashes = {{sha256 = "{digest}"}}}}]']


def made_toy(project):
    """The toy's lock, and a finished first run."""
    project.lock(hashed(project.index, "tox", "4.1"), hashed(project.index, "dep", "1.0"))
    done = project.run()
    assert (done.returncode, done.stderr) == (0, "")
    return project.folder / ".tox-env"


@pytest.mark.parametrize(("version", "dep"), [("3.9", "1.0"), ("3.12", "2.0")])
def test_by_venv_and_pip_from_a_pylock(project, interpreter, version, dep):
    """A pylock.toml gives each interpreter its own set without uv, and a second run needs no network."""
    packages = [
        *table(project.index, "tox", "4.2"),
        *table(project.index, "dep", "1.0", """marker = "python_version < '3.12'" """),
        *table(project.index, "dep", "2.0", """marker = "python_version >= '3.12' and 'x' not in extras" """),
    ]
    project.lock('lock-version = "1.0"', 'created-by = "test"', *packages, name="pylock.tox.toml")
    done = project.run("--by", "venv", python=interpreter(version), uv=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        ".tox-env was made from pylock.tox.toml by venv and pip: 2 releases, by hash\nrun: .tox-env/bin/tox\n"
    )
    assert project.tox() == "4.2"
    command = [str(project.folder / ".tox-env/bin/python"), "-c", "import dep; print(dep.version)"]
    assert (
        subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout == f"{dep}\n"
    )
    project.index.stop()
    again = project.run("--by", "venv", python=interpreter(version), uv=False)
    assert again.stdout == ".tox-env is there, as pylock.tox.toml has it\nrun: .tox-env/bin/tox\n"


@pytest.mark.parametrize("version", ["3.9", "3.13"])
def test_the_real_tox_by_uv(project, interpreter, version, monkeypatch):
    """A lock of the real tox, written by uv for every Python, gives a tox that runs, on old and new."""
    shutil.copyfile(REAL_LOCK, project.folder / REAL_LOCK.name)
    (project.folder / "tox.ini").write_text("[tox]\n")
    monkeypatch.setenv("PATH", str(BESIDE_UV), prepend=os.pathsep)
    command = [str(interpreter(version)), "bootstrap.py", "--by", "uv"]
    done = subprocess.run(
        command, cwd=project.folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert re.match(r"4\.\d+\.\d+ from ", project.tox("--version"))


def test_from_a_folder_of_wheels(project, interpreter):
    """With --wheels nothing but that folder is asked."""
    wheels = project.folder / "wheels"
    wheels.mkdir()
    for files in project.index.files.values():
        for name, content in files.items():
            (wheels / name).write_bytes(content)
    project.lock(hashed(project.index, "tox", "4.1"), hashed(project.index, "dep", "1.0"))
    done = project.run("--wheels", "wheels", "--by", "uv", python=interpreter("3.10"))
    assert (done.returncode, done.stderr) == (0, "")
    assert project.tox() == "4.1"
    assert project.index.asked == []


def test_a_second_run_does_nothing(project):
    """With the same lock and interpreter the environment stays as it is, without a network."""
    marker = made_toy(project) / bootstrap.MARKER
    born = marker.stat().st_ino, marker.stat().st_mtime_ns
    assert project.tox() == "4.1"  # Python compiles what it ran
    project.index.stop()
    assert project.run().returncode == 0
    assert (marker.stat().st_ino, marker.stat().st_mtime_ns) == born


DAMAGES = ["half-made", "no tox", "no package", "cut short", "a stray", "other lock", "other python", "moved"]


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_not_as_the_lock_has_it_is_made_anew(project, interpreter, damage):
    """A half-made or damaged environment, another lock or interpreter, and a moved folder are made anew."""
    into, arguments = made_toy(project), []
    born = (into / bootstrap.MARKER).stat().st_mtime_ns
    (site,) = into.glob("lib/*/site-packages")
    if damage == "half-made":
        (into / bootstrap.MARKER).write_text("{}\n")
    elif damage == "no tox":
        (into / "bin/tox").unlink()
    elif damage == "no package":
        (site / "dep.py").unlink()
    elif damage == "cut short":
        (site / "dep.py").unlink()  # not cut in place: uv's cache may have the same file
        (site / "dep.py").touch()
    elif damage == "a stray":
        (site / "stray.py").touch()
    elif damage == "other lock":
        project.lock(hashed(project.index, "tox", "4.2"), hashed(project.index, "dep", "1.0"))
    elif damage == "other python":
        arguments = ["--python", str(interpreter("3.10"))]
    else:
        into.rename(project.folder / "elsewhere")
        arguments, into = ["--into", "elsewhere"], project.folder / "elsewhere"
    done = project.run(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert (into / bootstrap.MARKER).stat().st_mtime_ns != born
    (site,) = into.glob("lib/*/site-packages")
    assert (site / "dep.py").stat().st_size
    assert not (site / "stray.py").exists()
    assert json.loads((into / bootstrap.MARKER).read_text())["into"] == str(into)


def test_a_wrong_hash_leaves_nothing_that_counts(project):
    """A file with another hash than the lock's is refused, and the environment is made anew by the next run."""
    right = hashed(project.index, "dep", "1.0")
    project.lock(hashed(project.index, "tox", "4.1"), right[:-1] + ("1" if right[-1] != "1" else "2"))
    done = project.run()
    assert done.returncode == 1
    assert done.stderr.startswith("bootstrap: uv pip install failed")
    assert "Hash mismatch" in done.stderr
    assert json.loads((project.folder / ".tox-env" / bootstrap.MARKER).read_text()) == {}
    made_toy(project)
    assert project.tox() == "4.1"


@pytest.mark.parametrize("more", ["thesis.txt", "pyvenv.cfg"])
def test_a_folder_of_somebody_else_is_left_alone(project, more):
    """A folder with other things in it, and an environment that a person made, are refused and stay."""
    (project.folder / ".tox-env").mkdir()
    (project.folder / ".tox-env" / more).write_text("years of work")
    project.lock(hashed(project.index, "tox", "4.1"))
    done = project.run()
    assert done.returncode == 1
    told = ".tox-env is there, and was not made by this; name another folder with --into"
    assert done.stderr == f"bootstrap: {told}\n"
    assert (project.folder / ".tox-env" / more).read_text() == "years of work"


def test_what_uv_has_is_not_asked_for(project):
    """Made anew from a lock whose files are in uv's cache, it needs no index."""
    shutil.rmtree(made_toy(project))
    asked = list(project.index.asked)
    project.index.stop()
    done = project.run("--by", "uv")
    assert (done.returncode, done.stderr) == (0, "")
    assert project.index.asked == asked


def test_settings_of_uv_decide_nothing(project, monkeypatch):
    """What the project, or a variable, tells uv of resolving and installing does not bind this environment."""
    settings = '[tool.uv]\nexclude-newer = "2020-01-01T00:00:00Z"\n[tool.uv.pip]\ntarget = "stolen"\n'
    (project.folder / "pyproject.toml").write_text(settings)
    monkeypatch.setenv("UV_NO_BINARY", "1")
    made_toy(project)
    assert project.tox() == "4.1"
    assert not (project.folder / "stolen").exists()


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["tox==4.1"], "is not `name==version --hash=…`"),
        (["tox>=4.1 --hash=sha256:00"], "is not `name==version --hash=…`"),
        (["-r more.txt"], "'-r more.txt' is not"),
        (["--index-url http://evil"], "options belong on the command line"),
        (["dep==1.0 --hash=sha256:" + "0" * 64], "does not have tox"),
    ],
)
def test_a_lock_that_is_none_is_told_in_a_sentence(project, lines, told):
    """A requirements file that does not pin every line by hash, or lacks tox, is refused in one sentence."""
    project.lock(*lines)
    done = project.run()
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert told in done.stderr


def test_wrong_use_is_told_in_a_sentence(project, interpreter):
    """No lock, no interpreter, an interpreter that is too old: each is a sentence and exit code 1."""
    project.lock(hashed(project.index, "tox", "4.1"))
    runs = {
        "there is no lock file absent.toml": ["--lock", "absent.toml"],
        "there is no interpreter python9": ["--python", "python9"],
        "tox needs 3.9 or later": ["--python", str(interpreter("2.7"))],
    }
    for told, arguments in runs.items():
        done = project.run(*arguments)
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)
        assert told in done.stderr
    (project.folder / "requirements-tox.txt").unlink()
    assert "none of pylock.tox.toml, pylock.toml" in project.run().stderr


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('lock-version = "2.0"', "lock-version '2.0'"),
        ('lock-version = "1.0"\nrequires-python = ">=4"', "is not for this interpreter"),
        ('lock-version = "1.0"\nenvironments = ["sys_platform == \'beos\'"]', "is not for this interpreter"),
        ('lock-version = "1.0"\npackages = [1]', "packages that are no list of tables"),
        ('lock-version = "1.0"\npackages = 5', "packages that are no list of tables"),
        ('lock-version = "1.0"\nenvironments = 5', "environments that are no list of texts"),
        ('lock-version = "1.0"\ndefault-groups = 5', "default-groups that are no list of texts"),
        (
            'lock-version = "1.0"\n[[packages]]\nname = "a"\nversion = "1"\nwheels = "abc"',
            "wheels that are no list of tables",
        ),
        (
            'lock-version = "1.0"\n[[packages]]\nname = "a"\nversion = "1"\nwheels = [{hashes = "abc"}]',
            "a 1 has hashes that are no table",
        ),
        ("lock-version", "is not a TOML file"),
        (
            'lock-version = "1.0"\n[[packages]]\nname = "a"\nmarker = "whatever"',
            "has a marker that cannot be read",
        ),
        ('lock-version = "1.0"\n[[packages]]\nname = "a b"\nversion = "1"', "package with the name 'a b'"),
        (
            'lock-version = "1.0"\n[[packages]]\nname = "a"\nversion = "1"\nsdist = {name = "a-1.zip"}',
            "no wheels",
        ),
        ('lock-version = "1.0"\n[[packages]]\nname = "a"\nvcs = {type = "git"}', "no wheels of a version"),
        (
            'lock-version = "1.0"\n[[packages]]\nname = "a"\nversion = "1"\nwheels = [{hashes = {md5 = "00"}}]',
            "no hash that pip and uv take",
        ),
    ],
)
def test_a_pylock_that_cannot_be_used_is_told(tmp_path, text, told):
    """A pylock.toml that is malformed, for something else or not exact is refused with what is wrong in it."""
    lock = tmp_path / "pylock.toml"
    lock.write_text(text)
    with pytest.raises(bootstrap.RefusedError, match=told):
        bootstrap.select(lock, None)


def test_two_releases_of_one_name_are_refused(tmp_path, index):
    """A lock that has two releases of one name for one interpreter decides nothing."""
    index.add("dep", wheel("dep", "1.0"))
    lock = tmp_path / "pylock.toml"
    lock.write_text(
        "\n".join(['lock-version = "1.0"', *table(index, "dep", "1.0"), *table(index, "dep", "1.0")])
    )
    with pytest.raises(bootstrap.RefusedError, match="no single release of dep"):
        bootstrap.select(lock, None)


def test_groups_that_are_default_take_part(tmp_path, index):
    """Packages of default groups are selected, those of other groups and of extras are not."""
    for name in ("one", "two", "three"):
        index.add(name, wheel(name, "1.0"))
    lines = [
        'lock-version = "1.0"',
        'default-groups = ["tests"]',
        *table(index, "one", "1.0", """marker = "'tests' in dependency_groups" """),
        *table(index, "two", "1.0", """marker = "'docs' in dependency_groups" """),
        *table(index, "three", "1.0", """marker = "'fast' in extras" """),
    ]
    lock = tmp_path / "pylock.toml"
    lock.write_text("\n".join(lines))
    assert bootstrap.select(lock, None) == [hashed(index, "one", "1.0")]


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        ([], 0, "runner = wheelfarm"),
        (["--help"], 0, "bootstrap"),
        (["bootstrap", "--help"], 0, "Exit codes"),
        (["bootstrap", "--no-such"], 2, "unrecognized arguments"),
        (["install"], 2, "'install' is no command"),
    ],
)
def test_the_module_has_one_command(arguments, code, told):
    """`python -m tox_wheelfarm` says what there is, and wrong use is exit code 2."""
    command = [sys.executable, "-m", "tox_wheelfarm", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code
    assert told in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
