"""The file that uv installs from: one line for each release, with every hash that is allowed.

Written by the installer from a decision and the built project. No line is a range, and nothing in it is resolved.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from tox_wheelfarm import sources, yanked
from tox_wheelfarm.errors import LockFileError
from tox_wheelfarm.order import fingerprint
from tox_wheelfarm.urls import without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tox_wheelfarm.artifact import Artifact
    from tox_wheelfarm.locks.pin import Pin


PYPI = "https://pypi.org/simple"
PLACES = ("--index-url", "--extra-index-url", "--find-links", "--no-index")
"""Options that say where files are."""

PLAIN = re.compile(r"[^\s\x00-\x1f\x7f]+")
"""What a part of a line may be: nothing in it can begin another option or another line."""


def pin_line(pin: Pin) -> str:
    """A release as a line of a requirements file.

    Raises:
        LockFileError: a part of it has blanks in it, and could say more than it should.
    """
    told = (pin.name, pin.version or "0", pin.reference.replace(" ", "") or "-", *pin.hashes)
    if not all(PLAIN.fullmatch(part) for part in told) or pin.name.startswith("-"):
        raise LockFileError(f"{pin.name!r} {pin.version!r} cannot be installed: it is no release")
    hashes = "".join(f" --hash={digest}" for digest in pin.hashes)
    if not pin.reference:
        return f"{pin.name}=={pin.version}{hashes}"
    if "://" not in pin.reference:
        folder = Path(os.path.abspath(pin.reference), pin.subdirectory).as_uri()  # noqa: PTH100 - links stay
        return f"-e {folder}" if pin.editable else f"{pin.name} @ {folder}"
    reference = pin.reference.replace(" ", "%20")
    part = f"#subdirectory={pin.subdirectory}" if pin.subdirectory and "#" not in reference else ""
    return f"{pin.name} @ {reference}{part}{hashes}"


def by_index(pins: Iterable[Pin], variables: Mapping[str, str]) -> dict[tuple[str, ...], list[Pin]]:
    """The pins by the index that each was locked from, which is a line; by none where nobody has to be told of it.

    uv takes a name from the first index that knows it, so that pins of different indexes cannot be had in one run.

    Args:
        pins: what is to be installed.
        variables: uv's; an index in them is the one that may be asked, as in a farm whose machines reach no other.
    """
    said = _index_is_said(variables)
    found: dict[tuple[str, ...], list[Pin]] = {}
    for pin in pins:
        url = "" if said or pin.reference or pin.index.rstrip("/") == PYPI else pin.index
        known = url.startswith(("https://", "http://")) and PLAIN.fullmatch(url)
        found.setdefault((f"--extra-index-url {url}",) if known else (), []).append(pin)
    return found


def only_index(pins: Iterable[Pin], variables: Mapping[str, str]) -> str:
    """The simple index that everything comes from; "" where several could be meant, or one with a password."""
    told = yanked.indexes({**os.environ, **variables})
    elsewhere = (
        variables.get("UV_FIND_LINKS") or variables.get("UV_NO_INDEX") or any(by_index(pins, variables))
    )
    return "" if elsewhere or len(told) != 1 or without_secrets(told[0]) != told[0] else told[0]


def is_wheel(pin: Pin) -> bool:
    """Whether a release is one wheel of an index, of which everything is known."""
    file = pin.files[0] if len(pin.files) == 1 and not pin.reference else None
    return (
        file is not None and file.name.endswith(".whl") and bool(file.hashes) and file.url.startswith("http")
    )


def pylock(pins: Iterable[Pin], index: str) -> str:
    """The same as a pylock.toml (PEP 751), with which uv reads no page of an index.

    Args:
        pins: each `is_wheel`.
        index: of `only_index`; uv's cache goes by it.
    """
    lines = ['lock-version = "1.0"', 'created-by = "tox-wheelfarm"']
    for pin in pins:
        (file,) = pin.files
        hashes = ", ".join(
            f"{json.dumps(key)} = {json.dumps(value)}"
            for key, _, value in (each.partition(":") for each in file.hashes)
        )
        words = {"name": pin.name, "version": pin.version, "index": index}
        lines += ["[[packages]]", *(f"{key} = {json.dumps(value)}" for key, value in words.items())]
        lines.append(
            f"wheels = [{{ name = {json.dumps(file.name)}, url = {json.dumps(file.url)}, hashes = {{ {hashes} }} }}]"
        )
    return "\n".join([*lines, ""])


def option_lines(options: Iterable[str], variables: Mapping[str, str]) -> tuple[str, ...]:
    """The options of a decision, without an index where somebody said which to use, as `by_index` has it."""
    said = _index_is_said(variables)
    return tuple(
        each for each in options if not (said and each.startswith(PLACES)) and each != f"--index-url {PYPI}"
    )


def says(options: Iterable[str], option: str, name: str) -> bool:
    """Whether `--no-binary` or `--only-binary` is said of a release (normalised name), or of all."""
    told = (each.partition(" ") for each in options)
    return any(key == option and {name, ":all:"} & set(value.split(",")) for key, _, value in told)


def _index_is_said(variables: Mapping[str, str]) -> bool:
    names = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL")
    return any(variables.get(name) or os.environ.get(name) for name in names)


def artifact_line(artifact: Artifact) -> str:
    """The built project as a line: by hash if it is a file, in place if it is a folder."""
    if artifact.editable:
        return f"-e {artifact.path}"
    # Without extras: what they bring is in the set already.
    digest = hashlib.sha256(artifact.path.read_bytes()).hexdigest()
    return f"{artifact.name} @ {artifact.path.absolute().as_uri()} --hash=sha256:{digest}"


def text(pins: Iterable[Pin], artifacts: Iterable[Artifact], flags: Iterable[str]) -> str:
    """The whole file."""
    lines = [*flags, *map(pin_line, pins), *map(artifact_line, artifacts)]
    return "".join(f"{line}\n" for line in lines)


def hashed(pins: Sequence[Pin], artifacts: Sequence[Artifact]) -> bool:
    """Whether every line has a hash, so that uv can be told to refuse any that has not."""
    return all(pin.hashes and not pin.editable for pin in pins) and not any(
        each.editable for each in artifacts
    )


def prints(
    pins: Iterable[Pin],
    artifacts: Iterable[Artifact],
    settings: Sequence[tuple[str, str]] = (),
    options: Sequence[str] = (),
) -> dict[str, str]:
    """What changes when a release must be installed anew although its version is the same, by name."""
    # A folder's line is the same whatever is in it, and however it is built.
    found = {}
    for pin in pins:
        more = [sources.content(pin), *(each for name, each in settings if name == pin.name)]
        more += [each for each in ("--no-binary", "--only-binary") if says(options, each, pin.name)]
        found[pin.name] = fingerprint(pin_line(pin), *filter(None, more))[:16]
    found.update({each.name: fingerprint(each.content, each.editable)[:16] for each in artifacts})
    return found
