"""What a lock file decided for an environment, kept outside of it: made anew, the environment gets the same at once.

Called by `settlement` and the runner. It counts only for the very same question, put to the very same files, and holds
nothing that an index, a folder or a password had a part in. What cannot be read, or is of another question, is worked
out anew and never guessed.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import packaging
from platformdirs import user_cache_path

from tox_wheelfarm import sources
from tox_wheelfarm.decision import Decision, LockFile
from tox_wheelfarm.digests import digests
from tox_wheelfarm.errors import InstallFailedError
from tox_wheelfarm.kept import keep
from tox_wheelfarm.locks.pin import Pin, PinnedFile
from tox_wheelfarm.order import fingerprint
from tox_wheelfarm.urls import without_secrets

LIMIT = 16 * 2**20
"""Bytes; a larger file is not ours."""

MOST = 500
"""Environments that something is kept for; then the older half is forgotten. Each takes about 30 kB."""


class Question(NamedTuple):
    """What was asked, and what an index had said by then.

    Attributes:
        asked: a fingerprint of all that decides which releases a lock file gives; "" where more has a say than files.
        pages: `uv_cache.pages` of then; "" where that is not known, or does not count.
    """

    asked: str
    pages: str = ""


class LastDecision(NamedTuple):
    """A decision of a lock file, as it was kept.

    Attributes:
        question: what it was the answer to; its `pages` are "" unless all releases were looked up after that.
        decision: with the withdrawals that were known then.
    """

    question: Question
    decision: Decision

    def answer(self, question: Question) -> Decision | None:
        """The decision, if the same was asked; what was withdrawn is known while no index has said more since."""
        if not question.asked or question.asked != self.question.asked:
            return None
        if question.pages and question.pages == self.question.pages:
            return self.decision._replace(heard=True)
        pins = tuple(replace(pin, yanked=None) for pin in self.decision.pins)
        return self.decision._replace(pins=pins)


def read(environment: Path) -> LastDecision | None:
    """The last decision for an environment, unless one of the files that it was made from is another now."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        file = _path(environment)
        if not file.is_file() or file.stat().st_size > LIMIT:
            return None
        digest, _, body = file.read_bytes().partition(b"\n")
        if hashlib.sha256(body).hexdigest().encode() != digest:
            return None  # cut, or not ours
        held = json.loads(body)
        files = held["files"]
        if held["code"] == _code() and files == digests(files):
            path, sha256, kind = held["lock"]
            lock = LockFile(Path(path), sha256, kind, files)
            roots, options = tuple(held["roots"]), tuple(held["options"])
            decision = Decision(tuple(map(_pin, held["pins"])), lock, roots, options, alone=True)
            return LastDecision(Question(*held["question"]), decision)
    return None


def write(environment: Path, question: Question, decision: Decision) -> None:
    """Keep a decision of a lock file.

    Args:
        environment: for which one; its next decision takes the place of this one.
        question: what it is the answer to.
        decision: files alone have decided it; with what is known of withdrawals.
    """
    lock = decision.lock
    if not question.asked or lock is None or not all(map(_is_plain, decision.pins)):
        return
    if any("@" in option for option in decision.options):
        return  # an index with a password
    held = {
        "code": _code(),
        "question": question,
        "files": dict(lock.files),
        "lock": [str(lock.path), lock.sha256, lock.format],
        "pins": [_told(pin) for pin in decision.pins],
        "roots": decision.roots,
        "options": decision.options,
    }
    body = json.dumps(held).encode()
    with suppress(InstallFailedError, OSError):  # A cache that cannot be written only costs time.
        file = keep(_path(environment), hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
        there = list(file.parent.glob("decision-*.json"))
        if len(there) > MOST:
            for old in sorted(there, key=lambda each: each.stat().st_mtime_ns)[: MOST // 2]:
                old.unlink(missing_ok=True)


def _path(environment: Path) -> Path:
    return user_cache_path("tox-wheelfarm") / f"decision-{fingerprint(str(environment))}.json"


def _code() -> str:
    # Another release of this distribution may read a lock file in another way.
    here = Path(__file__).parent
    return fingerprint(packaging.__version__, sources.inside([str(here), str(here / "locks")]))


def _is_plain(pin: Pin) -> bool:
    """Whether it is a release of an index of which the files are known, with no name or password in a URL."""
    urls = [pin.index, *(file.url for file in pin.files)]
    secret = any("@" in url and without_secrets(url) != url for url in urls)
    return bool(pin.files) and not pin.reference and not secret and all(file.name for file in pin.files)


def _told(pin: Pin) -> dict[str, Any]:
    return {**asdict(pin), "extras": sorted(pin.extras)}


def _pin(told: dict[str, Any]) -> Pin:
    files = tuple(PinnedFile(each["name"], tuple(each["hashes"]), each["url"]) for each in told["files"])
    requires = None if told["requires"] is None else tuple(told["requires"])
    return Pin(**{**told, "files": files, "extras": frozenset(told["extras"]), "requires": requires})
