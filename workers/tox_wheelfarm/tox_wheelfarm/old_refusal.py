"""Why the pip of Python 2.7 found no set of releases, from what it said and what it wrote into its logs.

Called by `old_resolution`. pip says of an index that does not answer, and of a constraint, only that nothing was found;
here each has the class and the words that uv's have. It never decides that there is no set, and asks no index itself.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from tox_wheelfarm import clashes
from tox_wheelfarm.errors import ConstraintsError, InstallFailedError, ResolutionError
from tox_wheelfarm.urls import without_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from packaging.requirements import Requirement

    from tox_wheelfarm.clashes import Bound
    from tox_wheelfarm.errors import InstallerError
    from tox_wheelfarm.past_index import PastIndex

ASKED = (
    r"(?P<name>[A-Za-z0-9][\w.-]*?)(?:\[[^\]]*\])?"
    r"(?P<range>(?:[<>=!~]=?=?[\w.*+!]+(?:,[<>=!~]=?=?[\w.*+!]+)*)?)(?=[\s;]|$)"
)
ABSENT = re.compile(
    rf"(?:satisfies the requirement|no release of) {ASKED}(?:[^\n(]*\(from (?P<who>[\w.-]+)\))?", re.MULTILINE
)
"""How pip, and `old_resolution` of the lowest, say that something is not there at all, or not within constraints."""

NEEDS = re.compile(
    rf"^ *(?:The user requested|(?P<who>[A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])? \S+ depends on) {ASKED}",
    re.MULTILINE,
)
"""How pip says who needs what, where several exclude one another."""

UNREACHED = re.compile(r"Could not fetch URL (?P<url>\S+): (?P<why>.*) - skipping$")
CAUSE = re.compile(r"\(Caused by \w+\((?:.*?>: )?[\"']?(?P<cause>.*?)[\"',)]*$")
ABSENT_PAGE = "404 Client Error"
RETRYING = "WARNING: Retrying"


def refusal(
    told: str,
    past: PastIndex,
    scratch: Path,
    bounds: Sequence[Bound],
    asked: Iterable[tuple[Requirement, str]],
    solves: Callable[[], bool],
) -> InstallerError:
    """The error that says why.

    Args:
        told: what pip said.
        past: what there was to say of the indexes as they were; of no cut-off, nothing.
        scratch: where pip's logs are.
        bounds: the constraints that hold.
        asked: what is asked for directly, and where each stands.
        solves: whether there is a set without the constraints; called where that matters.
    """
    told = "\n".join(line for line in told.splitlines() if not line.startswith(RETRYING))
    if unreached := {**past.unreached, **_unreached(scratch)}:
        pages = "\n".join(f"  {url}: {why}" for url, why in unreached.items())
        return InstallFailedError(
            f"the index could not be asked, so what it has is not known:\n{pages}\n{told}"
        )
    if bounds and solves():
        pairs = list(dict.fromkeys(_pairs(told, bounds, list(asked))))
        return ConstraintsError(clashes.explained(told, bounds, pairs))
    words = ["no set of releases satisfies what is asked for.", past.said(), told]
    return ResolutionError(" ".join(filter(None, words)))


def _unreached(scratch: Path) -> dict[str, str]:
    """The pages that pip did not get, each with the reason; one that the index does not have is none of them."""
    found = {}
    for log in sorted(scratch.glob("*.log")):
        with log.open(encoding="utf-8", errors="replace") as lines:
            for page in filter(None, (UNREACHED.search(line.rstrip("\n")) for line in lines)):
                if ABSENT_PAGE not in page["why"]:
                    cause = CAUSE.search(page["why"])
                    found[without_secrets(page["url"])] = cause["cause"] if cause else page["why"]
    return found


def _pairs(told: str, bounds: Sequence[Bound], asked: Sequence[tuple[Requirement, str]]) -> Iterator[str]:
    for pattern in (ABSENT, NEEDS):
        for found in pattern.finditer(told):
            name = canonicalize_name(found["name"])
            for bound in bounds:
                # What is there without the constraints, and absent with them, is what they exclude.
                excluded = pattern is ABSENT or not bound.allows(SpecifierSet(found["range"]))
                if bound.name == name and excluded:
                    yield from _pair(found, bound, asked)


def _pair(found: re.Match[str], bound: Bound, asked: Sequence[tuple[Requirement, str]]) -> Iterator[str]:
    if found["who"]:
        yield f"{found['who']} needs `{found['name']}{found['range']}`, and {bound} is not that"
        return
    for requirement, where in asked:
        if canonicalize_name(requirement.name) == bound.name:
            yield f"`{requirement}` ({where}) against {bound}"
