"""What stands in `deps`, sorted by what it is: requirements, folders, constraints, flags.

Called by the installer with what tox parsed (nested files included). It resolves nothing, and drops no line: what it
does not know goes to the resolver as written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tox.tox_env.python.pip.req_file import PythonDeps

EXTRAS = re.compile(r"^(?P<path>.*?)(?:\[(?P<extras>[^\[\]]*)\])?$")
ARCHIVES = (".whl", ".tar.gz", ".tgz", ".zip", ".tar.bz2", ".tar.xz")


class DepsFolder(NamedTuple):
    """A folder that is named in `deps`: where, with which extras, and whether in place."""

    path: Path
    extras: frozenset[str]
    editable: bool


@dataclass(frozen=True)
class Deps:
    """The content of `deps`.

    Attributes:
        requirements: PEP 508, or a URL as written.
        folders: local projects.
        constraints: lines of `-c` files, as written there.
        hashes: what a file of `-r` allows, by normalised name; empty where it says nothing.
        no_deps: whether nothing that these need is wanted.
        prereleases: whether they may be chosen.
        formats: wheels or sources only, as lines of a requirements file.
        places: indexes and folders of files, as variables of uv.
    """

    requirements: tuple[str, ...] = ()
    folders: tuple[DepsFolder, ...] = ()
    constraints: tuple[str, ...] = ()
    hashes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    no_deps: bool = False
    prereleases: bool = False
    formats: tuple[str, ...] = ()
    places: Mapping[str, str] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """Whether nothing is asked for."""
        return not self.requirements and not self.folders


def sort(deps: PythonDeps, root: Path) -> Deps:
    """Sort what tox parsed.

    Args:
        deps: tox's own parse of `deps`; it reads nested files here.
        root: what relative paths in it are relative to.

    Raises:
        ValueError, OSError: a nested file cannot be read, or a line is wrong; tox's sentence says which.
    """
    requirements: list[str] = []
    folders: list[DepsFolder] = []
    constraints: list[str] = []
    hashes: dict[str, tuple[str, ...]] = {}
    for line in deps.requirements:
        editable = bool(line.options.get("is_editable"))
        if line.options.get("is_constraint"):
            constraints.append(str(line.requirement))
            continue
        local = None if isinstance(line.requirement, Requirement) else _local(str(line.requirement), root)
        if local is not None and local[0].is_dir():
            folders.append(DepsFolder(*local, editable))
            continue
        requirements.append(_archive(*local) if local is not None else str(line.requirement))
        if isinstance(line.requirement, Requirement) and line.options.get("hash"):
            hashes[canonicalize_name(line.requirement.name)] = tuple(line.options["hash"])
    flags = vars(deps.options)
    return Deps(
        requirements=tuple(requirements),
        folders=tuple(folders),
        constraints=tuple(constraints),
        hashes=hashes,
        no_deps=bool(flags.get("no_deps")),
        prereleases=bool(flags.get("pre")),
        formats=_formats(flags),
        places=_places(flags),
    )


def _local(text: str, root: Path) -> tuple[Path, frozenset[str]] | None:
    if "://" in text and not text.startswith("file://"):
        return None
    match = EXTRAS.match(text.removeprefix("file://"))
    path, extras = (match["path"], match["extras"]) if match else (text, None)
    found = root / path
    if not found.exists():
        return None
    return found.resolve(), frozenset(canonicalize_name(each) for each in (extras or "").split(",") if each)


def _archive(path: Path, extras: frozenset[str]) -> str:
    if path.suffix == ".whl":
        name: str = parse_wheel_filename(path.name)[0]
    else:
        name = path.name.rpartition("-")[0] or path.stem
    wanted = f"[{','.join(sorted(extras))}]" if extras else ""
    return f"{name}{wanted} @ {path.as_uri()}"


def _formats(options: Mapping[str, Any]) -> tuple[str, ...]:
    # In the words of a requirements file, which uv reads as pip does.
    words = [("--no-binary", "no_binary"), ("--only-binary", "only_binary")]
    return tuple(f"{flag} {word}" for flag, key in words for word in sorted(options.get(key) or ()))


def _places(options: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    urls = options.get("index_url")
    if urls:
        found["UV_DEFAULT_INDEX"] = urls[0]
        if urls[1:]:
            found["UV_INDEX"] = " ".join(urls[1:])
    elif urls is not None:
        found["UV_NO_INDEX"] = "1"  # An empty list of indexes is how tox keeps --no-index.
    if links := options.get("find_links"):
        found["UV_FIND_LINKS"] = ",".join(links)
    if hosts := options.get("trusted_hosts"):
        found["UV_INSECURE_HOST"] = " ".join(hosts)
    return found
