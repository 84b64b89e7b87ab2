"""TARGET: what a person asks to be tested, as written: a release, a folder, a file, or a git repository.

Called by the doors and by runs. It reads the word and looks whether a folder or a file is there; it never fetches.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from farm_scheduler.errors import TargetError
from farm_scheduler.url_parts import read_url

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_REF = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./+-]*")
_USER = re.compile(r"://[^/]*@")
"""Who asks, in a URL; it may hold a password, which no message repeats."""

_PRINTABLE = re.compile(r"[!-~]+")

SDIST_ENDINGS = (".tar.gz", ".tgz", ".zip")
OTHER_ENDINGS = (".tar", ".tar.bz2", ".tar.xz", ".tar.z", ".egg", ".exe", ".rpm", ".deb")
GIT_SCHEMES = ("https", "http", "file")
"""What git may be asked over: nothing that needs a key or a password; `git_access` says which hosts, and if at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseTarget:
    """A project of the package index; `version` None is its newest release."""

    text: str
    name: str
    version: Version | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderTarget:
    """A project's folder on this host."""

    text: str
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class SdistTarget:
    """An sdist on this host: `.tar.gz` or `.zip`."""

    text: str
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelTarget:
    """A wheel on this host."""

    text: str
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryTarget:
    """A git repository: `git+https://host/path@ref`; `ref` None is its default branch."""

    text: str
    url: str
    ref: str | None

    @property
    def name(self) -> str:
        """The last part of the URL's path, for a project that does not say its name."""
        return urlsplit(self.url).path.rstrip("/").rpartition("/")[2].removesuffix(".git") or "project"


Target = ReleaseTarget | FolderTarget | SdistTarget | WheelTarget | RepositoryTarget


def read_target(text: str) -> Target:
    """What TARGET means: `git+…` is a repository, what looks like a path or an archive is one, the rest is a release.

    Raises:
        TargetError: a path that is not there or is no project, a URL that git may not be asked for, or no target.
    """
    text = text.strip()
    if text.startswith("git+"):
        return _repository(text)
    if looks_like_path(text):
        return _path(text, Path(text).expanduser())
    name, separator, version = text.partition("==")
    name, version = name.strip(), version.strip()
    if not _NAME.fullmatch(name) or (separator and not version):
        sentence = (
            f"{text!r} is no target; write a project name, name==version, ./folder, a file or git+URL@ref"
        )
        raise TargetError(sentence, target=text)
    try:
        wanted = Version(version) if separator else None
    except InvalidVersion as error:
        sentence = f"{version!r} is no version; write for example {name}==1.0"
        raise TargetError(sentence, target=text) from error
    return ReleaseTarget(text=text, name=canonicalize_name(name), version=wanted)


def looks_like_path(text: str) -> bool:
    """Whether it can only be meant as something on a disk; the disk is not asked."""
    archive = text.lower().endswith((*SDIST_ENDINGS, *OTHER_ENDINGS, ".whl")) and "==" not in text
    return text == "." or text.startswith("~") or "/" in text or archive


def _path(text: str, path: Path) -> FolderTarget | SdistTarget | WheelTarget:
    lower = text.lower()
    if path.is_file():
        if lower.endswith(".whl"):
            return WheelTarget(text=text, path=path.resolve())
        if lower.endswith(SDIST_ENDINGS):
            return SdistTarget(text=text, path=path.resolve())
        sentence = (
            f"{text} is no archive that can be tested; give a .tar.gz, .zip or .whl, or the project's folder"
        )
        raise TargetError(sentence, target=text)
    if "://" in text:
        shown = _USER.sub("://…@", text)
        raise TargetError(f"{shown} is a URL; {_instead_of_url(shown)}", target=shown)
    if not path.is_dir():
        kind = "file" if lower.endswith((*SDIST_ENDINGS, *OTHER_ENDINGS, ".whl")) else "folder"
        raise TargetError(f"there is no {kind} {text}; check the path", target=text)
    return FolderTarget(text=text, path=path.resolve())


def _instead_of_url(text: str) -> str:
    """What to do with a URL: only one that git may be asked over is worth trying as a repository."""
    scheme, _, rest = text.partition("://")
    if rest.lower().endswith((*SDIST_ENDINGS, *OTHER_ENDINGS, ".whl")):
        return "download it and give the file"
    if scheme in GIT_SCHEMES and scheme != "http":  # which only the hosts of a setting may be asked over
        return f"write git+{text} for a repository, else download it and give the file"
    return "git is asked over https only: write git+https://HOST/PATH@REF, or download it and give the file"


def _repository(text: str) -> RepositoryTarget:
    rest, _, fragment = text.removeprefix("git+").partition("#")
    if "subdirectory=" in fragment:
        sentence = "#subdirectory= is not known here; clone the repository, and give the folder below it"
        raise TargetError(sentence, target=text)
    scheme, separator, behind = rest.partition("://")
    if not separator or scheme not in GIT_SCHEMES:
        shown = _USER.sub("://…@", text)
        sentence = f"{shown} is not fetched: git is asked over https only; write git+https://HOST/PATH@REF"
        raise TargetError(sentence, target=shown)
    host, slash, path = behind.partition("/")
    path, at, ref = path.partition("@") if "@" in path else (path, "", "")
    url = f"{scheme}://{host}{slash}{path}"
    if "@" in host:
        sentence = "the URL holds a user or a password, which would be recorded; give one that needs neither"
        raise TargetError(sentence, target=f"{scheme}://…/{path}")
    if not path or not _PRINTABLE.fullmatch(url) or (scheme != "file" and not host):
        raise TargetError(f"{text} names no repository; write git+https://HOST/PATH@REF", target=text)
    read_url(url)
    if at and (not _REF.fullmatch(ref) or ".." in ref):
        raise TargetError(f"{ref!r} is no branch, tag or commit; write git+URL@main", target=text, ref=ref)
    return RepositoryTarget(text=text, url=url, ref=ref or None)
