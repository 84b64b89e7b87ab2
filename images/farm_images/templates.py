"""Templates: machines saved just after their agent answered, one per key, from which clones start.

Called by the holder, which owns the folder `templates/` of a home: one process, so there are no locks here but the
holder's own. A template that cannot be made or restored is removed and the machine boots cold: never a project's
failure.
"""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from farm_images.domain import Shape
from farm_images.errors import MachineError, TemplateError
from farm_images.hypervisor import Hypervisor
from farm_images.machine import Bootable, Machine, Snapshot, boot, clone, make_overlay, save

SAVE_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateKey:
    """All that a saved memory depends on; two templates with one key are interchangeable.

    Attributes:
        image: the image's digest (the agent is part of the image, and named all the same).
        packages: the digest of its package disk, or empty.
        agent: digest of the agent archive in the image.
        qemu: QEMU's version.
        machine_type, accelerator, cpu_model, memory_mib, vcpus: the shape.
        host_cpu: what "host-passthrough" and "maximum" mean on this host.
    """

    image: str
    packages: str
    agent: str
    qemu: str
    machine_type: str
    accelerator: str
    cpu_model: str
    memory_mib: int
    vcpus: int
    host_cpu: str

    @property
    def digest(self) -> str:
        """A short name for the folder of this template."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:24]


def template_key(hypervisor: Hypervisor, image: Bootable, shape: Shape, agent: str) -> TemplateKey:
    """The key of the template of `image` in `shape` on this host."""
    return TemplateKey(
        image=image.digest,
        packages=image.packages_digest,
        agent=agent,
        qemu=hypervisor.qemu_version,
        machine_type=shape.machine_type,
        accelerator=shape.accelerator,
        cpu_model=shape.cpu_model,
        memory_mib=shape.memory_mib,
        vcpus=shape.vcpus,
        host_cpu=_host_cpu(),
    )


class Templates:
    """The templates of one home, made when they are first asked for."""

    def __init__(self, hypervisor: Hypervisor) -> None:
        self._hypervisor = hypervisor
        self._folder = hypervisor.home / "templates"
        self._folder.mkdir(parents=True, exist_ok=True)
        for half_made in self._folder.glob("*.part"):
            shutil.rmtree(half_made)

    def find(self, key: TemplateKey) -> Snapshot | None:
        """The saved template of `key`, or None; a folder whose recorded key differs does not count."""
        folder = self._folder / key.digest
        try:
            recorded = json.loads((folder / "key.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        snapshot = _snapshot(folder)
        whole = all(
            path.exists() for path in (snapshot.state, snapshot.memory, snapshot.disk, snapshot.blank)
        )
        return snapshot if whole and recorded == asdict(key) else None

    def make(
        self,
        key: TemplateKey,
        image: Bootable,
        shape: Shape,
        *,
        index: Path | None,
        progress: Callable[[str], None],
    ) -> Snapshot:
        """Boot `image` with its memory in a file, save it, and keep it under `key`.

        Raises:
            TemplateError: it could not be booted or saved; nothing half-made is left.
        """
        final = self._folder / key.digest
        part = final.with_suffix(".part")
        for folder in (part, final):
            shutil.rmtree(folder, ignore_errors=True)
        part.mkdir()
        try:
            with (part / "memory").open("wb") as memory:
                memory.truncate(shape.memory_mib << 20)
            progress("booting the template machine")
            machine = boot(self._hypervisor, image, shape, index=index, memory=part / "memory")
            progress("saving the template")
            self._save(machine, part)
            (part / "key.json").write_text(json.dumps(asdict(key), indent=1), encoding="utf-8")
            part.rename(final)
            make_overlay(final / "blank.qcow2", final / "disk.qcow2")
        except (MachineError, OSError) as error:
            shutil.rmtree(part, ignore_errors=True)
            data = error.data if isinstance(error, MachineError) else {}
            raise TemplateError(f"no template could be made: {error}", **data) from error
        return _snapshot(final)

    def _save(self, machine: Machine, part: Path) -> None:
        try:
            save(machine, part / "state", SAVE_SECONDS)
            # QEMU wrote the disk back when it was suspended; its process must be gone before the file moves.
            self._hypervisor.destroy(machine.domain)
            (machine.folder / "disk.qcow2").rename(part / "disk.qcow2")
        finally:
            machine.destroy()

    def clone(self, key: TemplateKey, image: Bootable, shape: Shape, *, index: Path | None) -> Machine | None:
        """A clone of the template of `key`; None when there is none or when it cannot be restored.

        A template that cannot be restored is removed: the next call makes it anew.
        """
        snapshot = self.find(key)
        if snapshot is None:
            return None
        try:
            return clone(self._hypervisor, image, shape, snapshot, index=index)
        except MachineError:
            self.remove(key)
            return None

    def remove(self, key: TemplateKey) -> None:
        """Forget the template of `key`; clones that run keep their open files."""
        shutil.rmtree(self._folder / key.digest, ignore_errors=True)


def _snapshot(folder: Path) -> Snapshot:
    return Snapshot(
        state=folder / "state",
        memory=folder / "memory",
        disk=folder / "disk.qcow2",
        blank=folder / "blank.qcow2",
    )


def _host_cpu() -> str:
    """A digest of the processor's model and flags: saved state of one model is never restored on another."""
    wanted = ("model name", "flags", "Features", "CPU part")
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    facts = sorted({line for line in lines if line.startswith(wanted)})
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]
