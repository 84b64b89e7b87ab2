"""The targets that a pdm.lock was made for (`[[metadata.targets]]`, by `pdm lock --python … --platform …`).

Asked by `pdm` before it selects: what such a lock holds is only complete for its targets. It never widens one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tox_wheelfarm.locks.condition import pythons

if TYPE_CHECKING:
    from tox_wheelfarm.locks.entry import Entry
    from tox_wheelfarm.locks.target import Target

SYSTEMS = {
    "linux": "linux",
    "alpine": "linux",
    "manylinux": "linux",
    "musllinux": "linux",
    "windows": "win32",
    "win": "win32",
    "macos": "darwin",
}
PLATFORM = re.compile(
    r"(?P<system>linux|alpine|manylinux|musllinux|windows|win32|win|macos)[0-9_]*?(?:_(?P<machine>[a-z]\w*))?"
)
MACHINES = {"amd64": "x86_64", "x64": "x86_64", "arm64": "aarch64", "i386": "x86", "i686": "x86"}


def refuse_others(metadata: Entry, target: Target) -> None:
    """Nothing, if the lock was made for this target (among others).

    Raises:
        LockFileError: it was not; with the targets that it was made for.
    """
    targets = list(metadata.tables("targets"))
    if targets and not any(_fits(one, target) for one in targets):
        environment = target.environment
        here = f"Python {environment['python_full_version']} on {environment['sys_platform']}"
        made = "; ".join(_told(one) for one in targets[:10])
        raise metadata.wrong(
            f"it was made for other environments than {here} ({environment.get('platform_machine')}): {made}"
        )


def _fits(one: Entry, target: Target) -> bool:
    environment = target.environment
    if not pythons(one.text("requires_python"), one).holds(environment):
        return False
    implementation = one.text("implementation")
    if implementation and implementation.lower() != environment.get("implementation_name", ""):
        return False
    platform = one.text("platform")
    if not platform:
        return True
    found = PLATFORM.fullmatch(platform)
    if not found:
        raise one.wrong(f"the platform {platform[:60]!r} is not known")
    if SYSTEMS.get(found["system"].rstrip("32"), "win32") != environment["sys_platform"]:
        return False
    return not found["machine"] or _same(found["machine"], environment.get("platform_machine", ""))


def _same(one: str, other: str) -> bool:
    one, other = one.lower(), other.lower()
    return MACHINES.get(one, one) == MACHINES.get(other, other)


def _told(one: Entry) -> str:
    words = (one.text("implementation"), one.text("platform"))
    return " ".join(word for word in (f"Python {one.text('requires_python') or '*'}", *words) if word)
