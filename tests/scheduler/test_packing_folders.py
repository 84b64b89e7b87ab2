"""A project's folder as a source: what git knows, nothing of it run, and what is left out."""

import calendar
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from farm_scheduler.errors import FarmError, SourceError, TargetError
from farm_scheduler.settings import Settings
from farm_scheduler.sources import Source, get_source
from farm_scheduler.targets import read_target


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A farm with a small limit on sources."""
    return Settings(home=tmp_path / "home", source_bytes=100_000)


def fetch(settings: Settings, target: str) -> Source:
    """Get what a target names; nothing half-made is left in the store."""
    try:
        return get_source(read_target(target), settings)
    finally:
        if settings.sources.exists():
            assert [path for path in settings.sources.iterdir() if path.name.startswith(".")] == []


def git(folder: Path, *command: str) -> None:
    """Run git in a folder."""
    options = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *options, *command], cwd=folder, check=True, capture_output=True, timeout=60)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with a tracked, an ignored and a new file."""
    folder = tmp_path / "project"
    (folder / "sub").mkdir(parents=True)
    for name, text in {
        "setup.py": "",
        "sub/a.py": "a",
        ".gitignore": "ignored\n",
        "ignored": "",
        "new.py": "",
    }.items():
        (folder / name).write_text(text)
    (folder / "link").symlink_to("sub/a.py")
    return folder


def names(settings: Settings, folder: Path) -> set[str]:
    """What of a folder gets into its archive."""
    return set(fetch(settings, str(folder)).files.names)


def test_a_git_folder_is_what_git_knows(settings: Settings, folder: Path) -> None:
    """Tracked and new files as they are, the ignored not, and the repository without its configuration."""
    git(folder, "init", "-q")
    git(folder, "add", "setup.py", "sub", ".gitignore", "link")
    git(folder, "commit", "-qm", "one")
    (folder / "sub/a.py").write_text("changed")
    found = names(settings, folder)
    assert {name for name in found if not name.startswith(".git/")} == {
        "setup.py", "sub/a.py", ".gitignore", "new.py", "link",
    }  # fmt: skip
    assert {".git/HEAD", ".git/index"} <= found
    assert not {name for name in found if name.startswith((".git/config", ".git/hooks", ".git/logs"))}


@pytest.mark.parametrize("ignored", ["*", "project/", "project/*"])
def test_a_repository_around_that_ignores_the_folder_hides_nothing(
    settings: Settings, folder: Path, tmp_path: Path, ignored: str
) -> None:
    """A folder that an outer repository ignores is packed as one without git, and not empty."""
    git(tmp_path, "init", "-q")
    (tmp_path / ".gitignore").write_text(f"{ignored}\n")
    assert {"setup.py", "sub/a.py", "new.py"} <= names(settings, folder)


def test_versions_can_come_from_tags(settings: Settings, folder: Path, tmp_path: Path) -> None:
    """The packed repository still describes its commit."""
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "one")
    git(folder, "tag", "v1.2")
    source = fetch(settings, str(folder))
    with tarfile.open(source.path) as archive:
        archive.extractall(tmp_path / "out")
    there = tmp_path / "out/source"
    command = ["git", "-c", "safe.directory=*", "describe", "--tags"]
    said = subprocess.run(command, cwd=there, check=True, capture_output=True, text=True, timeout=60)
    assert said.stdout.strip() == "v1.2"


def test_git_runs_nothing_of_the_folder(settings: Settings, folder: Path, tmp_path: Path) -> None:
    """A file system monitor or filter that the repository configures is not started."""
    git(folder, "init", "-q")
    marker = tmp_path / "ran"
    script = tmp_path / "monitor"
    script.write_text(f"#!/bin/sh\ntouch {marker}\n")
    script.chmod(0o755)
    git(folder, "config", "core.fsmonitor", str(script))
    git(folder, "config", "filter.x.clean", str(script))
    (folder / ".gitattributes").write_text("* filter=x\n")
    names(settings, folder)
    assert not marker.exists()


def test_a_plain_folder_is_all_but_litter(settings: Settings, folder: Path) -> None:
    """Without git everything is taken but environments, caches and other repositories."""
    for litter in (".tox", ".venv", "__pycache__", "demo.egg-info"):
        (folder / litter).mkdir()
        (folder / litter / "x").write_text("")
    assert names(settings, folder) == {"setup.py", "sub/a.py", ".gitignore", "ignored", "new.py", "link"}


def test_the_same_folder_is_the_same_source(settings: Settings, folder: Path) -> None:
    """Times do not matter: packing twice gives one archive."""
    first = fetch(settings, str(folder))
    os.utime(folder / "new.py", (1, 1))
    assert fetch(settings, str(folder)).sha256 == first.sha256
    with tarfile.open(first.path) as archive:
        assert archive.getmember("source/link").linkname == "sub/a.py"
        assert {member.uid for member in archive} == {0}


def test_pipes_and_links_out_of_the_folder_stay_here(settings: Settings, folder: Path) -> None:
    """What is no file, or points out of the folder, is left out, and nothing waits for a pipe."""
    os.mkfifo(folder / "pipe")
    (folder / "out").symlink_to("/etc/passwd")
    (folder / "up").symlink_to("../../x")
    assert not {"pipe", "out", "up"} & names(settings, folder)


@pytest.mark.parametrize("kind", ["empty", "large", "file"])
def test_a_folder_that_cannot_be_used_is_told(settings: Settings, tmp_path: Path, kind: str) -> None:
    """No project, too large, or no folder at all."""
    folder = tmp_path / "x"
    if kind == "file":
        folder.write_text("")
    else:
        folder.mkdir()
    if kind == "large":
        (folder / "setup.py").write_bytes(os.urandom(200_000))
    with pytest.raises(FarmError) as caught:
        fetch(settings, str(folder))
    assert isinstance(caught.value, (TargetError, SourceError))


def test_a_file_that_is_too_large_is_not_read(settings: Settings, folder: Path) -> None:
    """A sparse file of a terabyte is refused by its size, and not compressed first."""
    with (folder / "large").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(SourceError, match="holds more than 100000 bytes"):
        fetch(settings, str(folder))


def test_a_wheel_can_be_made_of_packed_files(settings: Settings, folder: Path) -> None:
    """No file is older than 1980, where the time that a ZIP archive can hold begins."""
    source = fetch(settings, str(folder))
    with tarfile.open(source.path) as archive:
        assert min(member.mtime for member in archive) >= calendar.timegm((1980, 1, 1, 0, 0, 0))


def test_nothing_is_taken_through_a_folder_that_became_a_link(
    settings: Settings, folder: Path, tmp_path: Path
) -> None:
    """Git's index still names the files of a folder that is a link to elsewhere now; they stay on this host."""
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    (folder / "sub").rename(tmp_path / "elsewhere")
    (folder / "sub").symlink_to(tmp_path / "elsewhere")
    assert {name for name in names(settings, folder) if name.startswith("sub")} == set()


def test_a_repository_that_is_a_link_stays_here(settings: Settings, folder: Path, tmp_path: Path) -> None:
    """Nothing of a repository elsewhere is packed: only a `.git` of the folder itself belongs to it."""
    git(folder, "init", "-q")
    (folder / ".git").rename(tmp_path / "repository")
    (folder / ".git").symlink_to(tmp_path / "repository")
    assert not any(name.startswith(".git/") for name in names(settings, folder))
