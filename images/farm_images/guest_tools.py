"""The tools that drive a project in the guest: tox 4, tox 3 and uv, from hashed lock files that are committed.

Called by the bake. It never resolves anything: what the lock files say is installed, wheels only, or the bake
fails. The folders hold pure-Python packages for the guest's own python3 and are compiled later, in the guest's root;
uv is a program, and the few modules by which Python finds it.
"""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

from farm_images.errors import ImageError
from farm_images.installer_archive import INSTALLERS_PATH

TOOLS = ("tox", "tox3")
PROGRAM = "uv"
_SECONDS = 300.0
_LAUNCHER = """\
#!/opt/wheelfarm/venvs/{tool}/bin/python
import sys

from tox{module} import {function}

sys.exit({function}())
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One tool with its lock file: `name` is its folder and launcher, `lock` the file's text."""

    name: str
    lock: str

    def versions(self) -> dict[str, str]:
        """What the lock file pins, `NAME/PACKAGE` to version."""
        pins = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", self.lock, re.MULTILINE)
        return {f"{self.name}/{package}": version for package, version in pins}


def tools() -> tuple[Tool, ...]:
    """The tools that every image carries."""
    folder = files("farm_images") / "guest_tools"
    return tuple(
        Tool(name=name, lock=(folder / f"{name}.txt").read_text(encoding="utf-8"))
        for name in (*TOOLS, PROGRAM)
    )


def install_tools(root: Path, python: str) -> None:
    """Install every tool below `root` (a tree that becomes the guest's `/`) for the guest's python `X.Y`.

    Gives `/opt/wheelfarm/NAME` (a site folder), `/opt/wheelfarm/venvs/NAME` (a virtual environment whose
    site-packages is that folder, so that the tool can start itself as `sys.executable -m …`) and the launcher
    `/opt/wheelfarm/bin/NAME`; of uv `/opt/wheelfarm/bin/uv`, on no PATH, and its modules beside tox-wheelfarm. Errors:
    ImageError with the end of uv's messages.
    """
    home = root / "opt/wheelfarm"
    (home / "bin").mkdir(parents=True, exist_ok=True)
    for name in TOOLS:
        _install(home / name, name, python)
        # uv's scripts name the host's Python; the launchers stand in for them.
        for folder in ("bin", "share"):
            shutil.rmtree(home / name / folder, ignore_errors=True)
        _environment(home / "venvs" / name, name, python)
        launcher = home / "bin" / name
        entry = (".run", "run") if name == "tox" else ("", "cmdline")
        launcher.write_text(_LAUNCHER.format(tool=name, module=entry[0], function=entry[1]), encoding="utf-8")
        launcher.chmod(0o755)
    _install(home / PROGRAM, PROGRAM, python)
    (home / PROGRAM / "bin" / PROGRAM).rename(home / "bin" / PROGRAM)
    _give_to_installers(home)
    shutil.rmtree(home / PROGRAM)


def _give_to_installers(home: Path) -> None:
    """Put what tox-wheelfarm needs beside tox where it is, with uv's program as the neighbour of its modules."""
    folder = home / Path(INSTALLERS_PATH).name
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / PROGRAM).symlink_to(f"../../bin/{PROGRAM}")
    for part in (home / PROGRAM).iterdir():
        if part.name != "bin":
            part.rename(folder / part.name)


def _install(target: Path, name: str, python: str) -> None:
    with as_file(files("farm_images") / "guest_tools" / f"{name}.txt") as lock:
        command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--target", str(target)]
        command += ["--only-binary", ":all:", "--require-hashes", "--no-deps", "--link-mode", "copy"]
        command += ["--python-version", python, "--python-platform", "linux", "--requirements", str(lock)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
        except subprocess.TimeoutExpired as error:
            raise ImageError(
                f"Installing {name} for the image took over {_SECONDS:.0f} s; is the package index reachable?",
                tool=name,
            ) from error
    if done.returncode != 0:
        raise ImageError(
            f"Installing {name} for the image failed; see the end of uv's messages: {done.stderr[-2000:].strip()}",
            tool=name,
            stderr=done.stderr[-2000:],
        )
    (target / ".lock").unlink(missing_ok=True)


def _environment(folder: Path, name: str, python: str) -> None:
    site = folder / "lib" / f"python{python}" / "site-packages"
    site.parent.mkdir(parents=True)
    site.symlink_to(os.path.relpath(folder.parent.parent / name, site.parent))
    (folder / "bin").mkdir()
    (folder / "bin/python").symlink_to(f"/usr/bin/python{python}")
    (folder / "pyvenv.cfg").write_text(
        "home = /usr/bin\ninclude-system-site-packages = false\n", encoding="utf-8"
    )
