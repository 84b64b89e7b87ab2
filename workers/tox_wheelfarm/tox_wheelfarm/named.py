"""What uv's cache of the index knows of a set that a lock file decided: names and places of files, and withdrawals.

Called by the installer, and by the runner before a set is recorded. It never uses the network: what was installed
stands in uv's cache, and what does not stays unnamed.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tox_wheelfarm import decided, release_set, yanked
from tox_wheelfarm.errors import InstallFailedError, OfflineMissError
from tox_wheelfarm.uv import Offline, Uv

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tox_wheelfarm.locks.pin import Pin


def named(pins: Sequence[Pin], python: Path, uv: Uv, options: Sequence[str] = ()) -> tuple[Pin, ...]:
    """The pins, in order, with the names and URLs of their files as uv's cache of the index has them.

    Args:
        pins: those that tell everything, and direct references, come back as they are.
        python: only files that it can use are named.
        uv: as it installed them.
        options: of the decision: where its files are.

    Returns:
        A pin keeps a file only if its hash is one of the pin's. One that uv's cache does not know is unchanged.
    """
    asked = [
        pin for pin in pins if not pin.reference and not all(file.name and file.url for file in pin.files)
    ]
    known = {pin.name: pin for pin in _known(asked, python, uv, options)} if asked else {}
    return tuple(_merged(pin, known.get(pin.name)) for pin in pins)


def marked(pins: Sequence[Pin], python: Path, uv: Uv, options: Sequence[str] = ()) -> tuple[Pin, ...]:
    """The pins, in order, those marked that uv's cache of the index knows as withdrawn.

    Unlike `yanked.asked` it needs no data of ours: a set that was installed by name and version before, by whatever
    project, is known. Where one of the releases is not, nothing is; direct references are left out.
    """
    asked = [pin for pin in pins if not pin.reference]
    reasons = {
        (pin.name, pin.version): pin.yanked for pin in (_known(asked, python, uv, options) if asked else ())
    }
    return tuple(
        replace(pin, yanked=reason) if (reason := reasons.get((pin.name, pin.version))) is not None else pin
        for pin in pins
    )


def _known(asked: Sequence[Pin], python: Path, uv: Uv, options: Sequence[str]) -> tuple[Pin, ...]:
    # Of another index than it was installed from uv knows nothing, or of a stranger.
    grouped = release_set.by_index(asked, uv.variables).items()
    places = tuple(
        each
        for each in release_set.option_lines(options, uv.variables)
        if each.startswith(release_set.PLACES)
    )
    return tuple(pin for index, pins in grouped for pin in _known_of((*index, *places), pins, python, uv))


def _known_of(places: Sequence[str], asked: Sequence[Pin], python: Path, uv: Uv) -> tuple[Pin, ...]:
    with tempfile.TemporaryDirectory(prefix="wheelfarm-") as folder:
        lines = Path(folder) / "set.in"
        told = [*places, *(f"{pin.name}=={pin.version}" for pin in asked)]
        lines.write_text("".join(f"{line}\n" for line in told), "utf-8")
        arguments = ["pip", "compile", "--format", "pylock.toml", "--no-header", "--no-deps", str(lines)]
        arguments += ["--python", str(python)]
        try:
            answer = replace(uv, offline=Offline.ALWAYS, constraints=()).answer(arguments, cwd=Path(folder))
            return yanked.told(decided.pins(answer.text, Path(folder)), answer.said)
        except (InstallFailedError, OfflineMissError):
            return ()


def _merged(pin: Pin, known: Pin | None) -> Pin:
    if known is None or known.version != pin.version:
        return pin
    files = tuple(file for file in known.files if set(file.hashes) & set(pin.hashes))
    if not files:
        return pin
    return replace(pin, files=files, yanked=known.yanked if pin.yanked is None else pin.yanked)
