"""The domain document of a machine."""

import json
from pathlib import Path
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from farm_images.domain import Confinement, Domain, Shape

QEMU = "{http://libvirt.org/schemas/domain/qemu/1.0}"


def _domain(folder: Path, **changes: object) -> Domain:
    shape = Shape(memory_mib=512, vcpus=1, accelerator="tcg", machine_type="pc-i440fx-7.2")
    confinement = Confinement(
        home=folder, user="1:2", visible=(f"{folder}:ro", f"{folder}/m:rw"), own=(), index=None
    )
    fields: dict[str, object] = {
        "name": "wheelfarm-m-1",
        "machine": "m-1",
        "shape": shape,
        "emulator": folder / "emulator",
        "kernel": folder / "vmlinuz",
        "initrd": folder / "initrd.img",
        "command_line": "root=/dev/vda rw",
        "disk": folder / "disk.qcow2",
        "channel": folder / "channel",
        "console": folder / "console.log",
        "confinement": confinement,
    }
    return Domain(**{**fields, **changes})  # type: ignore[arg-type]  # one factory for many tests


@given(
    st.text(st.characters(min_codepoint=32, max_codepoint=0x2FFF), min_size=1).filter(
        lambda name: "/" not in name
    )
)
def test_any_folder_name_survives(name: str) -> None:
    """Paths with quotes, brackets or ampersands reach libvirt as they are."""
    folder = Path("/home") / name
    document = ElementTree.fromstring(_domain(folder, memory=folder / "memory").xml())
    source = document.find("devices/disk/source")
    assert source is not None
    assert source.get("file") == str(folder / "disk.qcow2")
    words = [argument.get("value", "") for argument in document.iter(QEMU + "arg")]
    assert json.loads(words[1])["mem-path"] == str(folder / "memory")
    environment = {entry.get("name"): entry.get("value") for entry in document.iter(QEMU + "env")}
    assert environment["WHEELFARM_VISIBLE"] == f"{folder}:ro\n{folder}/m:rw"


def test_clone_waits_for_its_state_with_a_private_memory(tmp_path: Path) -> None:
    """A clone maps the template's memory privately and waits for the saved state."""
    xml = _domain(tmp_path, memory=tmp_path / "memory", incoming=True).xml()
    words = [argument.get("value", "") for argument in ElementTree.fromstring(xml).iter(QEMU + "arg")]
    assert json.loads(words[1])["share"] is False
    assert words[-2:] == ["-incoming", "defer"]


def test_template_keeps_its_disk_whole(tmp_path: Path) -> None:
    """The disk of a template is written through; that of a clone need not survive anything."""
    template = _domain(tmp_path, memory=tmp_path / "memory", memory_shared=True).xml()
    assert "cache='writeback'" in template
    assert "cache='unsafe'" in _domain(tmp_path).xml()


def test_kvm_takes_the_hosts_processor() -> None:
    """Under KVM the guest has the host's processor, under emulation all that QEMU can emulate."""
    shape = {"memory_mib": 512, "vcpus": 1, "machine_type": "pc-i440fx-7.2"}
    assert Shape(accelerator="kvm", **shape).cpu_model == "host-passthrough"  # type: ignore[arg-type]  # mixed values
    assert Shape(accelerator="tcg", **shape).cpu_model == "maximum"  # type: ignore[arg-type]  # mixed values


def test_the_proxy_is_told_the_farms_own_name(tmp_path: Path) -> None:
    """The index proxy knows a machine by the name that a lease has, not by libvirt's."""
    assert "name='WHEELFARM_MACHINE' value='m-1'" in _domain(tmp_path).xml().replace('"', "'")
