"""The program that becomes QEMU: what it hides, and how it is installed. The machine tests see it at work."""

import subprocess
import sys
from pathlib import Path

from farm_images import emulator


def test_capability_questions_go_straight_to_qemu(tmp_path: Path) -> None:
    """Without a machine's variables the program becomes QEMU with libvirt's own arguments."""
    program = emulator.install(str(tmp_path / "emulator"), sys.executable)
    answer = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=30, check=True)
    assert answer.stdout.startswith("QEMU emulator version")


def test_install_leaves_a_right_program_alone(tmp_path: Path) -> None:
    """Installing twice keeps the time stamp, by which libvirt knows that QEMU's capabilities still hold."""
    path = Path(emulator.install(str(tmp_path / "emulator"), sys.executable))
    before = path.stat().st_mtime_ns
    emulator.install(str(path), sys.executable)
    assert path.stat().st_mtime_ns == before
    path.write_text("something else", encoding="utf-8")
    emulator.install(str(path), sys.executable)
    assert path.read_text(encoding="utf-8").startswith(f"#!{sys.executable} -IS\n")


def test_cover_starts_at_the_first_closed_folder(tmp_path: Path) -> None:
    """A folder that other users may not pass is covered itself, so that what is inside can be shown again."""
    closed = tmp_path / "closed"
    (closed / "farm").mkdir(parents=True)
    for folder in [tmp_path, *tmp_path.parents]:
        if not folder.stat().st_mode & 0o001:
            return  # the temp folder of this user is closed further up; nothing can be said here
    closed.chmod(0o700)
    assert emulator._first_closed(str(closed / "farm")) == str(closed)
    closed.chmod(0o711)
    assert emulator._first_closed(str(closed / "farm")) == str(closed / "farm")


def test_secret_folder_is_found_in_libvirts_arguments() -> None:
    """The folder with the key that QEMU reads is given to QEMU's user."""
    word = '{"qom-type":"secret","id":"masterKey0","format":"raw","file":"/l/domain-1/master-key.aes"}'
    assert emulator._secret_folder(["-object", word]) == "/l/domain-1"
    assert emulator._secret_folder(["-name", "x"]) == ""
