"""A project page of the index: read from the upstream's JSON or HTML, written as either for the guest.

Called by `page_cache` (reading) and `site` (writing). It never fetches, and never lets a link of the
upstream through: what it writes names files of the proxy only. Sources: PEP 503, 592, 658, 691, 700, 714,
740.
"""

import re
from datetime import UTC, datetime
from html import escape, unescape
from typing import Annotated
from urllib.parse import quote, unquote, urldefrag, urljoin

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

JSON_TYPE = "application/vnd.pypi.simple.v1+json"
HTML_TYPE = "application/vnd.pypi.simple.v1+html"
PLAIN_HTML_TYPE = "text/html"

_FILENAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!~@=-]{0,254}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_TAG = re.compile(r"""<(a|base)\s((?:[^<>"']|"[^"]*"|'[^']*')*+)>""", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""([^\s=>"'/]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>"']+)))?""")

Hashes = dict[str, str]


def _names_a_reason(value: object) -> object:
    """Read an empty reason as a plain yes; an empty text would read as no."""
    return True if value == "" else value


class ProjectFile(BaseModel):
    """One file of a page, with the keys of the JSON form (PEP 691); `url` is the upstream's, absolute."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    filename: str = Field(pattern=rf"^{_FILENAME.pattern}$")
    url: str
    hashes: Hashes = {}
    requires_python: str | None = Field(None, alias="requires-python")
    core_metadata: Hashes | bool | None = Field(None, alias="core-metadata")
    gpg_sig: bool | None = Field(None, alias="gpg-sig")
    yanked: Annotated[str | bool | None, BeforeValidator(_names_a_reason)] = None
    size: int | None = Field(None, ge=0)
    upload_time: str | None = Field(None, alias="upload-time")
    provenance: str | None = None

    @property
    def sha256(self) -> str | None:
        """The promised digest in lower-case hex, or None where the upstream gives no sha256."""
        return _digest(self.hashes)

    def came_by(self, moment: datetime) -> bool:
        """Whether the file was on the index at that moment, by what the index says; False where it does not say."""
        try:
            uploaded = datetime.fromisoformat(self.upload_time or "")
        except ValueError:
            return False
        return (uploaded if uploaded.tzinfo else uploaded.replace(tzinfo=UTC)) < moment

    @property
    def metadata_sha256(self) -> str | None:
        """The promised digest of the `.metadata` file beside it, likewise."""
        return _digest(self.core_metadata) if isinstance(self.core_metadata, dict) else None


class ProjectPage(BaseModel):
    """All files of one project; the name is normalised (PEP 503)."""

    model_config = ConfigDict(frozen=True)

    name: str
    files: dict[str, ProjectFile]
    versions: list[str] | None = None

    def as_of(self, moment: datetime | None) -> "ProjectPage":
        """The page as it was at that moment, without its list of versions; None for the page as it is."""
        if moment is None:
            return self
        files = {name: file for name, file in self.files.items() if file.came_by(moment)}
        return ProjectPage(name=self.name, files=files)


def read_page(*, name: str, url: str, content_type: str, body: bytes) -> ProjectPage:
    """Read what the upstream answered at `url` into a page.

    A file that cannot be offered (no http(s) address, an odd name, wrong types) is left out; the first of
    two with the same name wins. Raises ValueError when the body as a whole is no page.
    """
    if content_type.partition(";")[0].strip().endswith("json"):
        envelope = _JsonPage.model_validate_json(body)
        raw, versions = envelope.files, envelope.versions
        for entry in raw:
            entry.setdefault("core-metadata", entry.get("dist-info-metadata"))
    else:
        (base, raw), versions = _read_anchors(body.decode("utf-8", "replace")), None
        url = urljoin(url, base)
    files: dict[str, ProjectFile] = {}
    for entry in raw:
        try:
            address = urldefrag(urljoin(url, str(entry["url"])))[0]
            file = ProjectFile.model_validate({**entry, "url": address})
        except (ValueError, KeyError):
            continue
        if address.startswith(("https://", "http://")):
            files.setdefault(file.filename, file)
    return ProjectPage(name=name, files=files, versions=versions)


def write_json(page: ProjectPage) -> bytes:
    """Give the page in the JSON form, version 1.1 where sizes and versions are known, else 1.0."""
    full = page.versions is not None and all(file.size is not None for file in page.files.values())
    body = _JsonPage(
        meta={"api-version": "1.1" if full else "1.0"},
        name=page.name,
        versions=page.versions,
        files=[
            {**file.model_dump(by_alias=True, exclude_none=True), "url": _address(page, file)}
            for file in page.files.values()
        ],
    )
    return body.model_dump_json(exclude_none=True).encode()


def write_html(page: ProjectPage) -> bytes:
    """Give the page in the HTML form, every text of the upstream escaped."""
    title = f"Links for {escape(page.name)}"
    links = [_anchor(page, file) for file in page.files.values()]
    head = f'<meta name="pypi:repository-version" content="1.0">\n<title>{title}</title>'
    return "\n".join(
        [
            "<!DOCTYPE html>",
            f"<html>\n<head>\n{head}\n</head>\n<body>\n<h1>{title}</h1>",
            *links,
            "</body>\n</html>\n",
        ]
    ).encode()


class _JsonPage(BaseModel):
    meta: dict[str, object] = {}
    name: str = ""
    files: list[dict[str, object]]
    versions: list[str] | None = None


def _digest(hashes: Hashes) -> str | None:
    digest = hashes.get("sha256", "").lower()
    return digest if _SHA256.fullmatch(digest) else None


def _address(page: ProjectPage, file: ProjectFile) -> str:
    return f"/files/{page.name}/{quote(file.filename)}"


def _anchor(page: ProjectPage, file: ProjectFile) -> str:
    attributes = {
        "href": _address(page, file) + _hash_pair(file.hashes, "#"),
        "data-requires-python": file.requires_python,
        "data-core-metadata": _flag(file.core_metadata),
        "data-gpg-sig": None if file.gpg_sig is None else str(file.gpg_sig).lower(),
        "data-yanked": "" if file.yanked is True else file.yanked or None,
        "data-upload-time": file.upload_time,
        "data-size": None if file.size is None else str(file.size),
        "data-provenance": file.provenance,
    }
    text = " ".join(f'{name}="{escape(value)}"' for name, value in attributes.items() if value is not None)
    return f"<a {text}>{escape(file.filename)}</a><br>"


def _flag(metadata: Hashes | bool | None) -> str | None:
    if isinstance(metadata, dict):
        return _hash_pair(metadata, "") or "true"
    return "true" if metadata else None


def _hash_pair(hashes: Hashes, lead: str) -> str:
    if not hashes:
        return ""
    name = "sha256" if "sha256" in hashes else next(iter(hashes))
    return f"{lead}{name}={hashes[name]}"


def _read_anchors(text: str) -> tuple[str, list[dict[str, object]]]:
    """Give the base of a page's links ("" for its own address), and each link with the keys of the JSON form.

    Expressions, because pages of many megabytes are common and html.parser takes a second for six of them.
    """
    base, files = "", []
    for tag, inside in _TAG.findall(_COMMENT.sub("", text)):
        found = {
            name.lower(): unescape(double or single or bare)
            for name, double, single, bare in _ATTRIBUTE.findall(inside)
        }
        if "href" not in found:
            continue
        if tag.lower() == "a":
            files.append(_entry(found))
        else:
            base = base or found["href"]
    return base, files


def _entry(found: dict[str, str]) -> dict[str, object]:
    url, _, fragment = found["href"].strip().partition("#")
    metadata = found.get("data-core-metadata", found.get("data-dist-info-metadata"))
    size = found.get("data-size", "")
    return {
        "filename": unquote(url.partition("?")[0].rpartition("/")[2]),
        "url": url,
        "hashes": _pairs(fragment),
        "requires-python": found.get("data-requires-python"),
        "core-metadata": None if metadata is None else _pairs(metadata) or metadata != "false",
        "gpg-sig": found["data-gpg-sig"] == "true" if "data-gpg-sig" in found else None,
        "yanked": found.get("data-yanked"),
        "size": int(size) if size.isdecimal() else None,
        "upload-time": found.get("data-upload-time"),
        "provenance": found.get("data-provenance"),
    }


def _pairs(text: str) -> Hashes:
    name, separator, value = text.partition("=")
    return {name: value} if separator and re.fullmatch(r"[0-9a-fA-F]+", value) else {}
