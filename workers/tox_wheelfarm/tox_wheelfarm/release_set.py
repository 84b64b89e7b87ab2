"""The file that uv installs from: one line for each release, with every hash that is allowed.

Written by the installer from a decision and the built project. No line is a range, and nothing in it is resolved.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from tox_wheelfarm.order import fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tox_wheelfarm.artifact import Artifact
    from tox_wheelfarm.locks.pin import Pin


def pin_line(pin: Pin) -> str:
    """A release as a line of a requirements file."""
    hashes = "".join(f" --hash={digest}" for digest in pin.hashes)
    if not pin.reference:
        return f"{pin.name}=={pin.version}{hashes}"
    reference = pin.reference if "://" in pin.reference else f"file://{pin.reference}"
    if pin.editable:
        return f"-e {reference}"
    part = f"#subdirectory={pin.subdirectory}" if pin.subdirectory and "#" not in reference else ""
    return f"{pin.name} @ {reference}{part}{hashes}"


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


def prints(pins: Iterable[Pin], artifacts: Iterable[Artifact]) -> dict[str, str]:
    """What changes when a release must be installed anew although its version is the same, by name."""
    found = {pin.name: fingerprint(pin_line(pin))[:16] for pin in pins}
    found.update({each.name: fingerprint(each.content, each.editable)[:16] for each in artifacts})
    return found
