"""Releases that were fetched before: which source archive each became, and how fresh its index page is.

Called by sources, so that a release that is known is not fetched again. One small file for each target below the
home's `releases`; what is damaged, of another index, or without its archive counts for nothing.
"""

import contextlib
import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Self

from farm_scheduler.part_files import part_file
from farm_scheduler.settings import Settings
from farm_scheduler.targets import ReleaseTarget

MAX_BYTES = 64 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One release as an index offered it.

    Attributes:
        index: the URL of the index.
        file: its sdist.
        file_sha256: what the index announced for it; None when it did not say.
        yanked: None, or the reason.
        archive: the checksum of the source archive that it became.
        etag: the validator of the page.
        asked: when the page was fetched or found unchanged, in seconds since 1970.
        fresh_seconds: how long the index allows to use the page without asking.
    """

    index: str
    file: str
    file_sha256: str | None
    version: str
    yanked: str | None
    archive: str
    etag: str | None
    asked: float
    fresh_seconds: float

    def is_fresh(self, least: float) -> bool:
        """Whether the index need not be asked; `least` is the farm's own bound in seconds."""
        return abs(time.time() - self.asked) < max(least, self.fresh_seconds)

    def asked_now(self) -> Self:
        """The same, after the index said that its page has not changed."""
        return replace(self, asked=time.time())


def read_release(target: ReleaseTarget, settings: Settings) -> Release | None:
    """What is known of the release that this target named before."""
    try:
        with _path(target, settings).open("rb") as file:
            found = Release(**json.loads(file.read(MAX_BYTES)))
        usable = (
            settings.sources / f"{found.archive}.tar.gz"
        ).is_file() and found.index == settings.index_url
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    return found if usable else None


def keep_release(target: ReleaseTarget, settings: Settings, release: Release) -> None:
    """Remember it; a disk that cannot take it only means that the release is fetched again."""
    path = _path(target, settings)
    with contextlib.suppress(OSError), part_file(path.parent) as draft:
        draft.write_text(json.dumps(asdict(release)), encoding="utf-8")
        draft.replace(path)


def _path(target: ReleaseTarget, settings: Settings) -> Path:
    name = target.name if target.version is None else f"{target.name}=={target.version}"
    return settings.home / "releases" / f"{name}.json"
