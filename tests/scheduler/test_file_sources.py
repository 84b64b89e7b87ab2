"""Sdists and wheels on this host, and git repositories: what is taken, and what is refused with one sentence."""

import gzip
import io
import os
import stat
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from farm_scheduler import project_files
from farm_scheduler.errors import FarmError, IndexUnavailableError, SourceError, TargetError, exit_code_of
from farm_scheduler.project_files import read_archive
from farm_scheduler.settings import Settings
from farm_scheduler.sources import Source, get_source
from farm_scheduler.targets import RepositoryTarget, SdistTarget, WheelTarget, read_target
from farm_scheduler.wheel_archive import wheel_of

METADATA = b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\nRequires-Python: >=3.9\n\n"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A farm without an index."""
    return Settings(
        git_files=True,
        home=tmp_path / "home",
        index_url="http://127.0.0.1:9/simple/",
        source_bytes=200_000,
        git_seconds=30,
    )


def take(settings: Settings, target: str) -> Source:
    """Get what a target names; nothing half-made is left in the store, also when it is refused."""
    before = set(settings.sources.iterdir()) if settings.sources.exists() else set()
    try:
        source = get_source(read_target(target), settings)
    except FarmError:
        assert not settings.sources.exists() or set(settings.sources.iterdir()) == before
        raise
    assert set(settings.sources.iterdir()) - before <= {source.path}
    return source


def tar(path: Path, files: dict[str, bytes]) -> Path:
    """A tar.gz file."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def packed(
    path: Path, files: dict[str, bytes], change: Callable[[zipfile.ZipInfo], None] | None = None
) -> Path:
    """A zip file."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            member = zipfile.ZipInfo(name)
            member.compress_type = zipfile.ZIP_DEFLATED
            if change is not None:
                change(member)
            archive.writestr(member, content)
    return path


def wheel(path: Path) -> Path:
    """A small wheel."""
    return packed(
        path, {"demo.py": b"", "demo-1.0.dist-info/METADATA": METADATA, "demo-1.0.dist-info/RECORD": b""}
    )


@pytest.mark.parametrize("kind", [".tar.gz", ".tgz", ".zip"])
def test_an_sdist_file_is_a_source(tmp_path: Path, settings: Settings, kind: str) -> None:
    """An sdist on this host is copied, checked and stored like one of the index."""
    files = {"demo-1.0/PKG-INFO": METADATA, "demo-1.0/tox.ini": b"[tox]\n"}
    path = (packed if kind == ".zip" else tar)(tmp_path / f"demo-1.0{kind}", files)
    source = take(settings, str(path))
    assert isinstance(read_target(str(path)), SdistTarget)
    assert (source.project, source.version) == ("demo", "1.0")
    assert source.files.names == {"PKG-INFO", "tox.ini"}
    assert read_archive(source.path) == source.files


def test_a_wheel_file_is_a_source(tmp_path: Path, settings: Settings) -> None:
    """A wheel goes into an archive with its metadata, and is known again as a wheel."""
    path = wheel(tmp_path / "demo-1.0-py3-none-any.whl")
    source = take(settings, str(path))
    assert isinstance(read_target(str(path)), WheelTarget)
    found = wheel_of(read_archive(source.path))
    assert found is not None
    assert (found.name, found.version, found.file) == ("demo", "1.0", path.name)
    assert (source.project, source.version) == ("demo", "1.0")
    assert take(settings, str(path)).sha256 == source.sha256


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("demo.whl", None, "no name of a wheel"),
        ("demo-1.0-py3-none-any.whl", b"no zip", "wheel is damaged"),
        ("demo-1.0.tar.gz", b"no gzip", "archive is damaged"),
        ("demo-1.0.zip", b"no zip", "zip sdist is damaged"),
        ("demo-1.0.tar.gz", os.urandom(300_000), "larger than 200000 bytes"),
        ("demo-1.0.tar.bz2", b"", "no archive that can be tested"),
        ("demo.txt", b"", "no archive that can be tested"),
    ],
)
def test_a_file_that_is_no_archive_is_refused(
    tmp_path: Path, settings: Settings, name: str, content: bytes | None, message: str
) -> None:
    """What is no archive, damaged or too large is one sentence, and wrong use."""
    path = tmp_path / name
    wheel(path) if content is None else path.write_bytes(content)
    with pytest.raises((SourceError, TargetError), match=message) as caught:
        take(settings, str(path))
    assert exit_code_of(caught.value) == 2


def test_an_sdist_of_something_else_is_refused(tmp_path: Path, settings: Settings) -> None:
    """An archive without any mark of a Python project is none."""
    with pytest.raises(SourceError, match="no Python project"):
        take(settings, str(tar(tmp_path / "holiday.tar.gz", {"holiday/beach.jpg": b""})))


@pytest.mark.parametrize("name", ["../demo-1.0/x", "/etc/passwd", "demo-1.0/" + "x" * 5000])
@pytest.mark.parametrize("kind", [".tar.gz", ".zip", "-py3-none-any.whl"])
def test_a_path_that_leaves_is_refused(tmp_path: Path, settings: Settings, kind: str, name: str) -> None:
    """No archive may name a path outside of itself, nor one that no system takes."""
    files = {"demo-1.0/PKG-INFO": METADATA, name: b""}
    path = (tar if kind == ".tar.gz" else packed)(tmp_path / f"demo-1.0{kind}", files)
    with pytest.raises(SourceError, match=r"leaves its folder|characters"):
        take(settings, str(path))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_a_link_in_a_zip_is_refused(tmp_path: Path, settings: Settings, kind: int) -> None:
    """A zip that holds a link or a device is not used."""

    def change(member: zipfile.ZipInfo) -> None:
        member.external_attr = (kind | 0o777) << 16

    path = packed(tmp_path / "demo-1.0.zip", {"demo-1.0/PKG-INFO": b"/etc/passwd"}, change)
    with pytest.raises(SourceError, match="holds a link or device"):
        take(settings, str(path))


@pytest.mark.parametrize("kind", [".tar.gz", ".zip", "-py3-none-any.whl"])
def test_a_bomb_or_a_crowd_is_refused(
    tmp_path: Path, settings: Settings, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What unpacks to too much, or to too many files, is refused before it is unpacked."""
    make = tar if kind == ".tar.gz" else packed
    bomb = make(tmp_path / f"demo-1.0{kind}", {"demo-1.0/PKG-INFO": bytes(5_000_000)})
    crowd = make(tmp_path / f"crowd-1.0{kind}", {f"demo-1.0/{number}": b"" for number in range(30)})
    for module in ("farm_scheduler.project_files", "farm_scheduler.zip_archive"):
        monkeypatch.setattr(f"{module}.MAX_UNPACKED", 1_000_000)
        monkeypatch.setattr(f"{module}.MAX_MEMBERS", 20)
    for path in (bomb, crowd):
        with pytest.raises(SourceError, match="more than any project needs"):
            take(settings, str(path))


def test_names_are_bounded_all_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names are kept in memory, so an archive that consists of them is refused."""
    monkeypatch.setattr(project_files, "MAX_NAMES", 10_000)
    path = tar(tmp_path / "demo-1.0.tar.gz", {f"demo-1.0/{'x' * 200}{number}": b"" for number in range(60)})
    with pytest.raises(SourceError, match="more than any project needs"):
        read_archive(path)


def test_a_name_of_gigabytes_is_not_read(tmp_path: Path) -> None:
    """A header of tar that claims a name of 100 MB is refused without reading the name."""
    member = tarfile.TarInfo("demo-1.0/x")
    member.type, member.size = tarfile.XHDTYPE, 100 << 20
    path = tmp_path / "demo-1.0.tar.gz"
    with gzip.open(path, "wb", 1) as stream:
        stream.write(member.tobuf(tarfile.USTAR_FORMAT))
        for _ in range(100):
            stream.write(bytes(1 << 20))
    with pytest.raises(SourceError, match="a header claims more"):
        read_archive(path)


def test_an_endless_stream_is_not_read_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes behind the headers counts as well."""
    monkeypatch.setattr(project_files, "MAX_UNPACKED", 100_000)
    path = tmp_path / "demo-1.0.tar.gz"
    with gzip.open(path, "wb", 1) as stream:
        for number in range(2000):
            member = tarfile.TarInfo(f"demo-1.0/{'x' * 90}{number}")
            stream.write(member.tobuf(tarfile.USTAR_FORMAT))
    with pytest.raises(SourceError, match="unpacks to more"):
        read_archive(path)


def git(folder: Path, *command: str) -> str:
    """Run git for a test."""
    author = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]
    done = subprocess.run(
        ["git", *author, *command], cwd=folder, check=True, capture_output=True, text=True, timeout=60
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with a tag, a branch and traps: a hook, a filter, a link that leaves."""
    folder = tmp_path / "demo.git"
    folder.mkdir()
    git(folder, "init", "--quiet")
    (folder / "pyproject.toml").write_text('[project]\nname = "demo"\nversion = "1"\n')
    (folder / ".gitattributes").write_text("*.py filter=trap\n")
    (folder / "demo.py").write_text("x = 1\n")
    (folder / "away").symlink_to("/etc/passwd")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "one")
    git(folder, "tag", "v1")
    git(folder, "checkout", "--quiet", "-b", "feature/two")
    (folder / "two.py").write_text("")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "two")
    git(folder, "checkout", "--quiet", "main")
    hook = folder / ".git" / "hooks" / "post-checkout"
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/trapped\n")
    hook.chmod(0o755)
    return folder


@pytest.mark.parametrize(
    ("ref", "two"), [("", False), ("@v1", False), ("@feature/two", True), ("@HASH", True)]
)
def test_a_repository_is_taken_at_its_ref(
    tmp_path: Path, settings: Settings, repository: Path, ref: str, two: bool
) -> None:
    """A tag, a branch, a commit or the default branch; nothing that the repository says is run."""
    commit = git(repository, "rev-parse", "feature/two")
    source = take(settings, f"git+file://{repository}{ref.replace('HASH', commit)}")
    assert (source.project, source.version) == ("demo", "1")
    assert ("two.py" in source.files.names) is two
    assert "demo.py" in source.files.names
    assert "away" not in source.files.names
    assert not any(name.startswith(".git/hooks") for name in source.files.names)
    assert ".git/config" not in source.files.names
    assert "was taken at commit" in source.notes[0]
    assert not (tmp_path / "trapped").exists()


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("git+ssh://git@example.org/x", "over https only"),
        ("git+git@example.org:x", "over https only"),
        ("git+ext::sh", "over https only"),
        ("git+https://me:secret@example.org/x", "holds a user or a password"),
        ("git+https://example.org", "names no repository"),
        ("git+https://[example.org/x", "cannot be read"),
        ("git+https://example.org/x@main#subdirectory=y", "give the folder below it"),
        ("git+https://example.org/x y", "names no repository"),
        ("git+https://example.org/x@--upload-pack=x", "no branch, tag or commit"),
        ("git+https://example.org/x@a..b", "no branch, tag or commit"),
        ("https://example.org/x", r"is a URL; write git\+https://example.org/x for a repository"),
        ("https://example.org/x.tar.gz", "is a URL; download it and give the file"),
        ("http://example.org/x.zip", "is a URL; download it and give the file"),
        ("http://example.org/x", r"https only: write git\+https://HOST/PATH@REF, or download it"),
        ("ftp://example.org/x", "https only"),
        ("https://me:secret@example.org/x", "://…@example.org/x is a URL"),
        ("git+http://me:secret@example.org/x", "holds a user or a password"),
    ],
)
def test_a_url_that_git_may_not_be_asked_for_is_refused(target: str, message: str) -> None:
    """Only https without a password, and a ref that is no option; the password is not repeated."""
    with pytest.raises(TargetError, match=message) as caught:
        read_target(target)
    assert "secret" not in str(caught.value)


def test_a_ref_that_is_not_there_is_told(settings: Settings, repository: Path) -> None:
    """An unknown ref, or an unknown repository, is one sentence."""
    with pytest.raises(TargetError, match="no branch, tag or commit v9"):
        take(settings, f"git+file://{repository}@v9")
    with pytest.raises(TargetError, match="no repository at"):
        take(settings, f"git+file://{repository}-not")


def test_a_repository_beyond_its_bounds_is_refused(settings: Settings, repository: Path) -> None:
    """More bytes than allowed, or more time, ends git and leaves nothing."""
    (repository / "big").write_bytes(os.urandom(900_000))
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "-m", "big")
    with pytest.raises(SourceError, match="holds more than"):
        take(settings, f"git+file://{repository}")
    with pytest.raises(IndexUnavailableError, match="took more than"):
        take(settings.model_copy(update={"git_seconds": 0.001}), f"git+file://{repository}")


def test_a_name_is_bounded_and_harmless(tmp_path: Path, settings: Settings) -> None:
    """What a project calls itself is shown, and is neither a page long nor an escape sequence."""
    metadata = f"Name: \x1b[31mred{'x' * 5000}\nVersion: 1\u202e\n\n".encode()
    source = take(settings, str(tar(tmp_path / "demo-1.0.tar.gz", {"demo-1.0/PKG-INFO": metadata})))
    assert source.project == "red" + "x" * 97
    assert source.version == "1\\u202e"


def test_the_name_of_a_repository() -> None:
    """A project that does not say its name has that of its repository."""
    target = read_target("git+https://example.org/group/demo.git@main")
    assert isinstance(target, RepositoryTarget)
    assert (target.url, target.ref, target.name) == ("https://example.org/group/demo.git", "main", "demo")
