"""The accelerator of this host for one image: KVM when that image really boots under it, else TCG.

Called by the holder before it makes machines of an image, and by `wheelfarm doctor` (only `remembered`). A device
node that opens proves nothing, so the image is booted once with a short limit and the answer is remembered.
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from farm_images.domain import Accelerator, Shape
from farm_images.errors import MachineError
from farm_images.hypervisor import Hypervisor
from farm_images.machine import Bootable, boot

DEVICE = Path("/dev/kvm")
TRY_SECONDS = 20.0
"""Under KVM a boot takes 2 to 4 s; a guest that has not answered by now hangs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which accelerator, and the one line that says why."""

    accelerator: Accelerator
    reason: str


def remembered(home: Path, digest: str) -> Choice | None:
    """What an earlier boot of the image `digest` under this kernel found, or None."""
    try:
        answers = json.loads(_memory(home).read_text(encoding="utf-8"))
        answer = answers[_place(digest)]
        return Choice(accelerator=answer["accelerator"], reason=answer["reason"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def choose(hypervisor: Hypervisor, image: Bootable, shape: Shape, progress: Callable[[str], None]) -> Choice:
    """Decide by booting `image` under KVM once; the answer is remembered for this kernel and image."""
    known = remembered(hypervisor.home, image.digest)
    if known is not None:
        return known
    choice = _try(hypervisor, image, shape, progress)
    _remember(hypervisor.home, image.digest, choice)
    return choice


def _try(hypervisor: Hypervisor, image: Bootable, shape: Shape, progress: Callable[[str], None]) -> Choice:
    if not DEVICE.exists():
        return Choice(accelerator="tcg", reason=f"{DEVICE} is not there: software emulation")
    progress("trying whether the image boots under KVM")
    under_kvm = Shape(
        memory_mib=shape.memory_mib, vcpus=shape.vcpus, accelerator="kvm", machine_type=shape.machine_type
    )
    try:
        boot(hypervisor, image, under_kvm, index=None, timeout=TRY_SECONDS).destroy()
    except MachineError as error:
        reason = f"the image does not boot under KVM ({_short(str(error))}): software emulation"
        return Choice(accelerator="tcg", reason=reason)
    return Choice(accelerator="kvm", reason="the image booted under KVM")


def _short(text: str) -> str:
    line = text.strip().splitlines()[-1]
    return line if len(line) <= 160 else line[:157] + "…"


def _memory(home: Path) -> Path:
    return home / "accelerator.json"


def _place(digest: str) -> str:
    """The host as far as KVM goes: its kernel, and the image that was booted."""
    return f"{os.uname().release} {digest}"


def _remember(home: Path, digest: str, choice: Choice) -> None:
    path = _memory(home)
    try:
        answers = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        answers = {}
    answers[_place(digest)] = {"accelerator": choice.accelerator, "reason": choice.reason}
    new = path.with_suffix(".new")
    new.write_text(json.dumps(answers, indent=1), encoding="utf-8")
    new.replace(path)
