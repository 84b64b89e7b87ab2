"""One machine as libvirt is told of it: the shape, the paths, and the domain XML made of them.

Called by farm_images.machine. It starts nothing and touches no file.
Source of the element names: libvirt's domain XML format and its QEMU command-line passthrough.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from xml.sax.saxutils import escape, quoteattr

Accelerator = Literal["kvm", "tcg"]

CHANNEL = "org.wheelfarm.agent"
_NAMESPACE = "http://libvirt.org/schemas/domain/qemu/1.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a machine is made of. All of it is part of a template's key.

    Attributes:
        memory_mib: guest memory in MiB.
        vcpus: virtual processors.
        accelerator: "kvm", or "tcg" (QEMU's software emulation).
        machine_type: QEMU's versioned machine type, such as "pc-i440fx-7.2".
    """

    memory_mib: int
    vcpus: int
    accelerator: Accelerator
    machine_type: str

    @property
    def cpu_model(self) -> str:
        """The processor model: the host's own under KVM, all that the emulator knows under TCG."""
        return "host-passthrough" if self.accelerator == "kvm" else "maximum"


@dataclass(frozen=True, slots=True, kw_only=True)
class Confinement:
    """What the emulator program (farm_images.emulator) needs to shut QEMU in.

    Attributes:
        home: the farm's folder, hidden from QEMU but for `visible`.
        user: "uid:gid" of QEMU when the farm is root, else empty.
        visible: "PATH:ro" or "PATH:rw" entries.
        own: files and folders that are given to QEMU's user.
        index: control socket of the index proxy, or None for a machine that reaches nothing.
    """

    home: Path
    user: str
    visible: tuple[str, ...]
    own: tuple[str, ...]
    index: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """All paths of one machine; `memory` is a shared file while a template is made, a private view in a clone.

    `name` is libvirt's for it; `machine` is the farm's own, by which the index proxy knows it.
    """

    name: str
    machine: str
    shape: Shape
    emulator: Path
    kernel: Path
    initrd: Path
    command_line: str
    disk: Path
    channel: Path
    console: Path
    confinement: Confinement
    packages: Path | None = None
    memory: Path | None = None
    memory_shared: bool = False
    incoming: bool = False

    def xml(self) -> str:
        """The domain document for virDomainCreateXML."""
        return f"""<domain type={quoteattr("kvm" if self.shape.accelerator == "kvm" else "qemu")}
    xmlns:qemu={quoteattr(_NAMESPACE)}>
  <name>{escape(self.name)}</name>
  <memory unit='MiB'>{self.shape.memory_mib}</memory>
  <vcpu>{self.shape.vcpus}</vcpu>
  <os>
    <type arch='x86_64' machine={quoteattr(self.shape.machine_type)}>hvm</type>
    <kernel>{escape(str(self.kernel))}</kernel>
    <initrd>{escape(str(self.initrd))}</initrd>
    <cmdline>{escape(self.command_line)}</cmdline>
  </os>
  <features><acpi/><apic/></features>
  <cpu mode={quoteattr(self.shape.cpu_model)}/>
  <on_reboot>destroy</on_reboot>
  <on_crash>destroy</on_crash>
  <devices>
    <emulator>{escape(str(self.emulator))}</emulator>
    {self._devices()}
  </devices>
  {self._command_line()}
</domain>"""

    def _devices(self) -> str:
        # A template's disk must be whole when its memory is saved; a clone's disk is thrown away.
        cache = "writeback" if self.memory_shared else "unsafe"
        return f"""<disk type='file' device='disk'>
      <driver name='qemu' type='qcow2' cache='{cache}' discard='unmap'/>
      <source file={quoteattr(str(self.disk))}/><target dev='vda' bus='virtio'/>
    </disk>{self._package_disk()}
    <controller type='usb' model='none'/>
    <interface type='user'>
      <mac address='52:54:00:77:68:66'/><model type='virtio'/><rom enabled='no'/>
    </interface>
    <channel type='unix'>
      <source mode='bind' path={quoteattr(str(self.channel))}/><target type='virtio' name='{CHANNEL}'/>
    </channel>
    <serial type='file'><source path={quoteattr(str(self.console))}/></serial>
    <memballoon model='none'/>
    <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>"""

    def _package_disk(self) -> str:
        if self.packages is None:
            return ""
        return f"""
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/>
      <source file={quoteattr(str(self.packages))}/><target dev='vdb' bus='virtio'/><readonly/>
    </disk>"""

    def _command_line(self) -> str:
        words: list[str] = []
        if self.memory is not None:
            backend = {
                "qom-type": "memory-backend-file",
                "id": "farm.ram",
                "size": self.shape.memory_mib << 20,
                "mem-path": str(self.memory),
                "share": self.memory_shared,
            }
            words += ["-object", json.dumps(backend), "-machine", "memory-backend=farm.ram"]
        if self.incoming:
            words += ["-incoming", "defer"]
        arguments = "".join(f"<qemu:arg value={quoteattr(word)}/>" for word in words)
        environment = "".join(
            f"<qemu:env name={quoteattr(name)} value={_attribute(value)}/>"
            for name, value in self._environment().items()
        )
        return f"<qemu:commandline>{arguments}{environment}</qemu:commandline>"

    def _environment(self) -> dict[str, str]:
        confinement = self.confinement
        return {
            "WHEELFARM_MACHINE": self.machine,
            "WHEELFARM_HOME": str(confinement.home),
            "WHEELFARM_USER": confinement.user,
            "WHEELFARM_VISIBLE": "\n".join(confinement.visible),
            "WHEELFARM_OWN": "\n".join(confinement.own),
            "WHEELFARM_INDEX": str(confinement.index or ""),
        }


def _attribute(value: str) -> str:
    """A quoted attribute that keeps its line ends (XML turns bare ones into spaces)."""
    return quoteattr(value, {"\n": "&#10;"})
