"""Files of requirements or constraints, wherever they stand: on this disk, or at a URL, held against a hash.

Called by `constraints` and `requirement_files`. One with a hash is fetched once; one without is asked for each time,
and never where offline = always. What cannot be had is told by its name, without passwords.
"""

from __future__ import annotations

import hashlib
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urljoin, urlsplit

from tox_wheelfarm.decoding import decoded
from tox_wheelfarm.errors import ConstraintsError, InstallerError, OfflineMissError
from tox_wheelfarm.kept import held, keep
from tox_wheelfarm.statements import MOST_BYTES
from tox_wheelfarm.urls import without_secrets
from tox_wheelfarm.uv import Offline

URL = re.compile(r"^(https?://|file:)", re.IGNORECASE)
SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*)://")
FRAGMENT = re.compile(r"#(?P<algorithm>[A-Za-z0-9]+)=(?P<digest>[0-9A-Fa-f]+)$")
OPTION = re.compile(r"\s--hash[=\s]\s*")
DIGEST = re.compile(r"[0-9A-Fa-f]{64}")


class Found(NamedTuple):
    """A document.

    Attributes:
        body: its bytes.
        source: what people call it: relative to the root, without passwords.
        place: its path or URL; what it names is beside it.
    """

    body: bytes
    source: str
    place: str


@dataclass(frozen=True)
class Documents:
    """Where documents of one kind come from.

    Attributes:
        root: the folder that files are relative to.
        cache: a folder of ours.
        offline: ALWAYS forbids the network.
        kind: what they are, for messages.
        refused: the error that says so.
    """

    root: Path
    cache: Path
    offline: Offline
    kind: str = "constraints"
    refused: type[InstallerError] = ConstraintsError

    def key(self, word: str) -> str:
        """What is the same for two words that name the same document.

        Raises:
            InstallerError: as `get` has it.
        """
        try:
            place, _ = self._hashed(word)
            if is_remote(place):
                return urlsplit(place).geturl()
            return str(self._path(place).resolve())
        except ValueError as wrong:
            raise self.refused(f"the {self.kind} {word[:120]!r} are nowhere: {wrong}") from None

    def get(self, word: str, named_by: str = "") -> Found:
        """The document that a word names: a path or URL, with `#sha256=…` or ` --hash=sha256:…` or without.

        Raises:
            InstallerError (`refused`): it cannot be had or read, or has another hash.
            OfflineMissError: offline was asked for, and it was never fetched.
            InstallFailedError: the cache cannot be written.
        """
        by = f" (named by {named_by})" if named_by else ""
        if (other := SCHEME.match(word)) and not URL.match(word):
            raise self.refused(
                f"the {self.kind} {without_secrets(word)}{by}: {other[1]} is not a scheme that they are fetched by; "
                "write https, http or file"
            )
        place, digest = self._hashed(word)
        if is_remote(place):
            source = without_secrets(place)
            body = self._fetched(place, source, digest, by)
        else:
            path = self._path(place)
            source = _shown(path, self.root)
            body = self.read(path, source, by)
        self._check(body, digest, source)
        return Found(body, source, place)

    def text(self, found: Found) -> str:
        """The body of a document, decoded.

        Raises:
            InstallerError (`refused`): it is not UTF-8.
        """
        return decoded(found.body, found.source, self.refused)

    def beside(self, place: str, value: str, where: str) -> str:
        """The word for what a document names: relative to it, never from https to less without a hash.

        Raises:
            InstallerError (`refused`): it must not be followed.
        """
        if is_remote(place):
            try:
                named = urljoin(place, value)
            except ValueError as wrong:
                raise self.refused(f"{where}: {value[:120]!r}: {wrong}") from None
            safe = FRAGMENT.search(named) or not place.lower().startswith("https:")
            if is_remote(named) and (safe or named.lower().startswith("https:")):
                return named
            raise self.refused(
                f"{where}: {value!r} is not followed: a document may name others on https, or with a hash"
            )
        if URL.match(value) or SCHEME.match(value) or not place:
            return value
        fragment = FRAGMENT.search(value)
        bare = value[: fragment.start()] if fragment else value
        return str(self._path(place).parent / bare) + (fragment[0] if fragment else "")

    def read(self, path: Path, source: str, by: str = "") -> bytes:
        """The bytes of a file, as many as one may have.

        Raises:
            InstallerError (`refused`): it cannot be read, or is longer.
        """
        try:
            if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for without end
                raise self.refused(f"the {self.kind} {source}{by} cannot be read: it is no regular file")
            with path.open("rb") as file:
                body = file.read(MOST_BYTES + 1)
        except OSError as wrong:
            reason = wrong.strerror or wrong
            raise self.refused(f"the {self.kind} {source}{by} cannot be read: {reason}") from wrong
        if len(body) > MOST_BYTES:
            raise self.refused(f"the {self.kind} {source} are longer than {MOST_BYTES} bytes")
        return body

    def _fetched(self, url: str, source: str, digest: str, by: str) -> bytes:
        key = f"sha256-{digest}" if digest else f"url-{hashlib.sha256(url.encode()).hexdigest()}"
        kept = self.cache / f"{key}.txt"
        last = held(kept) if digest or self.offline is Offline.ALWAYS else None
        if last is not None and (not digest or hashlib.sha256(last).hexdigest() == digest):
            return last
        if self.offline is Offline.ALWAYS:
            raise OfflineMissError(f"the {self.kind} {source} are not in the cache, and offline = always")
        from tox_wheelfarm.download import DownloadError, fetch

        try:
            body = fetch(url, most=MOST_BYTES).body
        except DownloadError as wrong:
            raise self.refused(f"the {self.kind} {source}{by} could not be fetched: {wrong}") from wrong
        self._check(body, digest, source)
        keep(kept, body)
        return body

    def _path(self, place: str) -> Path:
        path = Path(unquote(urlsplit(place).path)) if URL.match(place) else Path(place).expanduser()
        return self.root / path

    def _hashed(self, word: str) -> tuple[str, str]:
        place, _, option = (part.strip() for part in (OPTION.sub("\n", word, count=1) + "\n").partition("\n"))
        found = FRAGMENT.search(place)
        told = [option.partition(":")[::2]] if option else []
        if found:
            told.append((found["algorithm"], found["digest"]))
            place = place[: found.start()]
        elif is_remote(place) and "#" in place:
            told.append(("", ""))
        if any(algorithm.lower() != "sha256" or not DIGEST.fullmatch(digest) for algorithm, digest in told):
            raise self.refused(
                f"{without_secrets(word)}: the hash must be #sha256= (or --hash=sha256:) and 64 hexadecimal digits"
            )
        digests = {digest.lower() for _, digest in told}
        if len(digests) > 1:
            raise self.refused(f"{without_secrets(word)}: one document cannot have two hashes")
        return place, "".join(digests)

    def _check(self, body: bytes, digest: str, source: str) -> None:
        told = hashlib.sha256(body).hexdigest()
        if digest and told != digest:
            raise self.refused(
                f"the {self.kind} {source} have the hash sha256={told}, not sha256={digest}: they were changed, "
                "or the hash is that of another file"
            )


def is_remote(place: str) -> bool:
    """Whether it is a URL of another machine."""
    return place.lower().startswith(("http://", "https://"))


def _shown(path: Path, root: Path) -> str:
    try:
        return str(path.resolve().relative_to(root.resolve()))
    except ValueError:
        return str(path)
