"""A project's page of a simple index (PEP 503, 592, 691), read as far as withdrawal and age go.

Called by `yanked` and `past_index`. It never follows a link, and believes no name that is longer than a file's can be.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    parse_sdist_filename,
    parse_wheel_filename,
)

if TYPE_CHECKING:
    from tox_wheelfarm.download import Document

ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
LONGEST = 1000
LONGEST_URL = 8192
SHA256 = re.compile(r"(?:^|&)sha256=([0-9A-Fa-f]{64})(?:&|$)")


@dataclass(frozen=True)
class IndexFile:
    """A file of a project.

    Attributes:
        name: its file name.
        sha256: hexadecimal, or "" where the page does not tell.
        yanked: why it was withdrawn ("" without a reason), or None if it was not.
        url: where it is, relative to the page; this and what follows are "" where the page is in HTML.
        requires: the Pythons that it is for, or "".
        uploaded: when it was uploaded (PEP 700), or "" where the page does not tell.
    """

    name: str
    sha256: str
    yanked: str | None
    url: str = ""
    requires: str = ""
    uploaded: str = ""

    @property
    def version(self) -> str:
        """The version in its name, or ""."""
        try:
            if self.name.endswith(".whl"):
                return str(parse_wheel_filename(self.name)[1])
            return str(parse_sdist_filename(self.name)[1])
        except (InvalidSdistFilename, InvalidWheelFilename):
            return ""


def read_page(document: Document) -> tuple[IndexFile, ...]:
    """The files of a page.

    Raises:
        ValueError: it is neither of the two forms.
    """
    if "json" in document.kind:
        page = json.loads(document.body)
        if not isinstance(page, dict) or not isinstance(page.get("files"), list):
            raise ValueError("the page has no list of files")
        return tuple(_file(file) for file in page["files"] if isinstance(file, dict))
    if "html" not in document.kind:
        raise ValueError(f"a page of the kind {document.kind!r} cannot be read")
    links = _Links()
    links.feed(document.body.decode("utf-8", "replace"))
    return tuple(links.files)


def _file(told: dict[str, object]) -> IndexFile:
    hashes, yanked = told.get("hashes"), told.get("yanked")
    sha256 = hashes.get("sha256", "") if isinstance(hashes, dict) else ""
    reason = (yanked if isinstance(yanked, str) else "")[:LONGEST] if yanked else None
    url, needs, time = (str(told.get(key) or "") for key in ("url", "requires-python", "upload-time"))
    return IndexFile(
        str(told.get("filename", ""))[:LONGEST],
        str(sha256).lower()[:LONGEST],
        reason,
        url if len(url) <= LONGEST_URL else "",
        needs[:LONGEST],
        time[:LONGEST],
    )


class _Links(HTMLParser):
    """The anchors of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.files: list[IndexFile] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        if tag != "a" or not told.get("href"):
            return
        parts = urlsplit(told["href"] or "")
        found = SHA256.search(parts.fragment)
        name = unquote(parts.path.rsplit("/", 1)[-1])[:LONGEST]
        reason = (told["data-yanked"] or "")[:LONGEST] if "data-yanked" in told else None
        self.files.append(IndexFile(name, found[1].lower() if found else "", reason))
