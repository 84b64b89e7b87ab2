"""Bad input, as a new user gives it to the real command: one sentence with what to do, the exit code, nothing left."""

import io
import os
import random
import socket
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from sqlmodel import select

from farm_cli import supervisor
from farm_scheduler.tables import Run

SECONDS = 60
HEAD = "[project]\nname = 'x'\nversion = '1'\n"


def archive(path: Path, member: tarfile.TarInfo, size: int = 0) -> None:
    """An sdist with one member that it should not have."""
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        for name, text in (
            ("x-1/PKG-INFO", "Metadata-Version: 2.1\nName: x\nVersion: 1\n"),
            ("x-1/pyproject.toml", HEAD),
        ):
            head = tarfile.TarInfo(name)
            head.size = len(text)
            tar.addfile(head, io.BytesIO(text.encode()))
        member.size = size
        tar.addfile(member, io.BytesIO(bytes(size)) if member.isreg() else None)


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    """One entry of an archive."""
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, link
    return entry


def folder(**texts: str):
    """Makes a folder with these files."""

    def make(place: Path) -> str:
        made = place / "project"
        made.mkdir()
        for name, text in texts.items():
            (made / name.replace("_", ".")).write_text(text)
        return str(made)

    return make


def sdist(entry: tarfile.TarInfo, size: int = 0):
    """Makes an sdist with this member."""

    def make(place: Path) -> str:
        archive(place / "x-1.tar.gz", entry, size)
        return str(place / "x-1.tar.gz")

    return make


def garbage(place: Path) -> str:
    """Makes a file that only looks like an sdist."""
    (place / "x-1.tar.gz").write_bytes(random.randbytes(5000))
    return str(place / "x-1.tar.gz")


CASES = {
    "no project": (
        folder(readme_txt="hello"),
        (),
        2,
        "is no Python project",
        "give the project's folder or sdist",
    ),
    "no folder": (lambda place: str(place / "none"), (), 2, "there is no folder", "check the path"),
    "broken TOML": (folder(pyproject_toml="[project\n"), (), 2, "pyproject.toml is not TOML", "correct it"),
    "broken INI": (
        folder(pyproject_toml=HEAD, tox_ini="[tox\n"),
        (),
        2,
        "tox.ini cannot be read",
        "correct it",
    ),
    "path out": (
        sdist(member("x-1/../../etc/x"), 9),
        (),
        2,
        "a member that leaves its folder",
        "was not used",
    ),
    "absolute path": (sdist(member("/etc/x"), 9), (), 2, "a member that leaves its folder", "was not used"),
    "link out": (
        sdist(member("x-1/l", tarfile.SYMTYPE, "/etc/passwd")),
        (),
        2,
        "a link that leaves",
        "was not used",
    ),
    "hard link out": (
        sdist(member("x-1/l", tarfile.LNKTYPE, "../../x")),
        (),
        2,
        "a link that leaves",
        "was not used",
    ),
    "device": (sdist(member("x-1/d", tarfile.CHRTYPE)), (), 2, "a device or pipe", "was not used"),
    "pipe": (sdist(member("x-1/p", tarfile.FIFOTYPE)), (), 2, "a device or pipe", "was not used"),
    "no archive": (garbage, (), 2, "is damaged", "fetch or build it again"),
    "no such Python": (
        folder(pyproject_toml=HEAD),
        ("--python", "3.99"),
        2,
        "no image has Python 3.99",
        "there is 3.11",
    ),
    "no such system": (
        folder(pyproject_toml=HEAD),
        ("--os", "plan9"),
        2,
        "no system is called plan9",
        "there is debian",
    ),
    "no version": (lambda _: "six==one", (), 2, "'one' is no version", "write for example six==1.0"),
    "nothing left": (
        folder(pyproject_toml=HEAD + "requires-python = '<2'\n", tox_ini="[tox]\nenv_list = py312\n"),
        (),
        2,
        "nothing is left to run on debian-12",
        "requires-python",
    ),
}


@pytest.fixture
def farm(settings, runs, monkeypatch):
    """A farm with an image and three runs, whose service is only its queue."""
    del settings
    monkeypatch.setenv(supervisor.ONLY, "redis")
    return runs


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """`wheelfarm run` to its end."""
    command = [sys.executable, "-m", "farm_cli", "run", *arguments]
    environment = {**os.environ, **variables}
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )


def assert_refused(done, code, *words) -> None:
    """One sentence on stderr with these words, nothing on stdout, this exit code."""
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    (sentence,) = done.stderr.splitlines()
    assert sentence.startswith("wheelfarm: ")
    assert [word for word in words if word not in sentence] == [], sentence


def assert_nothing_left(farm, settings) -> None:
    """No further run is recorded, and no part of a source is left."""
    with farm.read() as session:
        assert len(session.exec(select(Run.id)).all()) == 3
    assert not [path for path in settings.sources.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_one_sentence(farm, settings, tmp_path, case):
    """What cannot be used is refused in one sentence that says what to do, with exit code 2."""
    make, options, code, *words = CASES[case]
    place = tmp_path / "place"
    place.mkdir()
    assert_refused(run(make(place), *options), code, *words)
    assert_nothing_left(farm, settings)


def test_a_bomb_is_one_sentence(farm, settings, tmp_path):
    """An sdist that unpacks to more than a project needs is refused before it is unpacked."""
    entry = member("x-1/big")
    entry.size = 6 << 30
    path = tmp_path / "x-1.tar.gz"
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        tar.addfile(member("x-1/pyproject.toml"))
        # The header alone says how large the member is; the rest of the archive is not needed.
        tar.fileobj.write(entry.tobuf())
    assert_refused(run(str(path)), 2, "unpacks to more than any project needs", "was not used")
    assert_nothing_left(farm, settings)


def test_no_index_is_one_sentence(farm, settings):
    """Without an index the sentence names it and the setting; it is nobody's fault who asked."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}/simple/"
        done = run("six==1.17.0", WHEELFARM_INDEX_URL=address)
    assert_refused(done, 3, "cannot be reached", "check WHEELFARM_INDEX_URL")
    assert_nothing_left(farm, settings)


def test_a_hanging_index_is_one_sentence(farm, settings):
    """An index that takes the connection and says nothing is given up after its time."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/simple/"
        done = run("six==1.17.0", WHEELFARM_INDEX_URL=address, WHEELFARM_INDEX_SECONDS="1")
    assert_refused(done, 3, "did not answer within 1 s", "try again later")
    assert_nothing_left(farm, settings)


def test_no_home_to_write_is_one_sentence(farm, settings, tmp_path):
    """A home that cannot be made is the farm's own trouble, with the setting that mends it."""
    (tmp_path / "file").write_text("")
    done = run("six==1.17.0", WHEELFARM_HOME=str(tmp_path / "file" / "home"))
    assert_refused(done, 3, "cannot be written", "set WHEELFARM_HOME")
    assert_nothing_left(farm, settings)
