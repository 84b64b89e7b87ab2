"""The real agent as a process of this host, with a folder that stands for the guest's `/`: for tests of both its sides.

Used by the fixtures of `agent` and `jobs`. It never makes a machine, and the agent never has more rights than the test.
"""

import os
import socket
import subprocess
import sys
from pathlib import Path

from farm_images.agent_archive import install_guest_files

ENVIRONMENT = Path(sys.prefix)
LOG = "agent.log"
# As the guest's systemd starts it: none of the signals ignored that whoever runs the tests ignores. A shell without
# job control starts what it puts in the background with SIGINT ignored, and no Ctrl-C ends any child of that.
_PYTHON = ("env", "--default-signal", "/usr/bin/python3", "-I", "-S")


def fill_guest(root: Path, *tools: str, tox3: Path = ENVIRONMENT) -> None:
    """Put what the agent needs of a guest below a folder; `tools` are beside tox on the job's PATH.

    `tox3` is the virtual environment whose tox stands for tox 3.
    """
    install_guest_files(root)
    (root / "home/job").mkdir(parents=True)
    (root / "opt/wheelfarm/venvs").mkdir(exist_ok=True)
    for name, environment in (("tox", ENVIRONMENT), ("tox3", tox3)):
        (root / "opt/wheelfarm/venvs" / name).symlink_to(environment)
    (root / "opt/wheelfarm/bin").mkdir()
    (root / "opt/wheelfarm/bin/tox3").symlink_to(tox3 / "bin/tox")
    for name in ("tox", *tools):
        (root / "opt/wheelfarm/bin" / name).symlink_to(ENVIRONMENT / "bin" / name)


def start_agent(root: Path) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Start the agent of a filled folder, which must be short; its process and the host's end of its channel."""
    path = root / "channel.sock"
    options = ["--channel", str(path), "--unprivileged", "--root", str(root)]
    with socket.socket(socket.AF_UNIX) as listener, (root / LOG).open("wb") as log:
        listener.bind(str(path))
        listener.listen()
        listener.settimeout(30)
        process = subprocess.Popen(
            [*_PYTHON, str(root / "opt/wheelfarm/agent.pyz"), *options],
            env={"PATH": f"{ENVIRONMENT / 'bin'}:{os.environ['PATH']}", "HOME": str(root)},
            stdout=log,
            stderr=log,
        )
        try:
            channel, _ = listener.accept()
        except TimeoutError:
            process.kill()
            raise
    return process, channel
