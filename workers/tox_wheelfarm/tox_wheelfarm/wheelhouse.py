"""Files of releases that were downloaded once, kept by their hashes: what pip installs from without a network.

Used by `pip`, for interpreters that uv does not fill; uv has a cache of its own. A file is never trusted by its place:
its hash is computed again whenever it is given out, and what does not match is thrown away.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from tox_wheelfarm.kept import keep, writing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

ALGORITHMS = ("sha256", "sha384", "sha512")
"""The hashes that pip takes for an install by hash."""

DIGEST = re.compile(r"(sha256|sha384|sha512):([0-9a-f]{64,128})")
BLOCK = 1 << 20

PLACE = ".url"
"""Beside a file that is kept: where it was."""


def digests(path: Path) -> dict[str, str]:
    """A file's hashes as hexadecimal digits, by algorithm."""
    hashers = {name: hashlib.new(name) for name in ALGORITHMS}
    with path.open("rb") as opened:
        while block := opened.read(BLOCK):
            for hasher in hashers.values():
                hasher.update(block)
    return {name: hasher.hexdigest() for name, hasher in hashers.items()}


@dataclass(frozen=True)
class Wheelhouse:
    """A folder of files by hash; several processes may use it at once.

    Attributes:
        folder: made when the first file is kept.
    """

    folder: Path

    def wheel(self, hashes: Iterable[str], tags: Sequence[str]) -> Path | None:
        """The wheel with one of these hashes that fits best, or None.

        Args:
            hashes: `algorithm:hexdigest`; what is malformed or weak finds nothing.
            tags: what the interpreter takes, as texts, the best first.
        """
        found = [path for path in self._with(hashes) if path.suffix == ".whl"]
        return _best(found, tags)

    def source(self, hashes: Iterable[str]) -> Path | None:
        """A source archive with one of these hashes, or None."""
        return next((path for path in self._with(hashes) if path.suffix != ".whl"), None)

    def built(self, source: Path, tags: Sequence[str]) -> Path | None:
        """The wheel that was built here from a source archive and fits this interpreter, or None."""
        below = self.folder / "built" / digests(source)["sha256"]
        found = [
            path for path in sorted(below.glob("*/*.whl")) if digests(path)["sha256"] == path.parent.name
        ]
        return _best(found, tags)

    def keep(self, path: Path, url: str = "") -> Path:
        """Take a copy of a file, under each of its hashes, and note where it was; gives the copy."""
        found = digests(path)
        first = self._place(path, self.folder / "files" / ALGORITHMS[0] / found[ALGORITHMS[0]])
        for name in ALGORITHMS[1:]:
            self._place(first, self.folder / "files" / name / found[name], _link)
        if url:
            keep(first.parent / PLACE, url.encode())
        return first

    def file(self, digest: str) -> tuple[str, str] | None:
        """The file with that hash (`sha256:hexdigest`): its name, and where it was ("" if nobody knows); or None."""
        for path in self._with([digest] if digest.startswith("sha256:") else []):
            place = path.parent / PLACE
            return path.name, place.read_text("utf-8") if place.exists() else ""
        return None

    def keep_built(self, source: Path, wheel: Path) -> Path:
        """Take a copy of a wheel that was built from a source archive; gives the copy."""
        place = self.folder / "built" / digests(source)["sha256"] / digests(wheel)["sha256"]
        return self._place(wheel, place)

    def everything(self, into: Path) -> Path:
        """A flat folder with every file that is kept, for `--find-links`; gives that folder."""
        into.mkdir(parents=True, exist_ok=True)
        for path in sorted((self.folder / "files" / ALGORITHMS[0]).glob("*/*")):
            if not (into / path.name).exists() and not path.name.startswith("."):
                _link(path, into / path.name)
        return into

    def _with(self, hashes: Iterable[str]) -> list[Path]:
        found = []
        for matched in filter(None, map(DIGEST.fullmatch, hashes)):
            algorithm, digest = matched.groups()
            for path in sorted((self.folder / "files" / algorithm / digest).glob("[!.]*")):
                if digests(path)[algorithm] == digest:
                    found.append(path)
                else:
                    path.unlink(missing_ok=True)
        return found

    def _place(
        self, path: Path, folder: Path, transfer: Callable[[Path, Path], object] = shutil.copyfile
    ) -> Path:
        placed, half = folder / path.name, folder / f".{os.getpid()}-{path.name}"
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            half.unlink(missing_ok=True)
            transfer(path, half)
            half.replace(placed)  # a reader sees the whole file or none
        return placed


def _link(path: Path, to: Path) -> None:
    try:
        os.link(path, to)
    except OSError:  # another file system, or one without links
        shutil.copyfile(path, to)


def _best(paths: Iterable[Path], tags: Sequence[str]) -> Path | None:
    ranks = {tag: rank for rank, tag in enumerate(tags)}
    ranked = [(rank, path) for path in paths for rank in [_rank(path.name, ranks)] if rank is not None]
    return min(ranked)[1] if ranked else None


def _rank(name: str, ranks: dict[str, int]) -> int | None:
    try:
        tags = parse_wheel_filename(name)[3]
    except InvalidWheelFilename:
        return None
    return min((ranks[str(tag)] for tag in tags if str(tag) in ranks), default=None)
