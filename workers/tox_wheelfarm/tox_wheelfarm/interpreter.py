"""One interpreter: what it says of itself, and whether it is still the one it was.

Found by `discovery`, kept in `state`. Asking starts it once for all environments (`answers`), with a time limit; it
never imports anything of a project.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

from tox_wheelfarm.answers import answer
from tox_wheelfarm.errors import InterpreterError

SECONDS = 60
"""An interpreter that takes longer to say its version is not one to build on."""

PROBE = r"""
from __future__ import print_function
import json, os, platform, site, struct, sys, sysconfig
info = getattr(getattr(sys, "implementation", None), "version", None)
full = platform.python_version()
schemes = sysconfig.get_scheme_names()
scheme = "venv" if "venv" in schemes else "nt" if os.name == "nt" else "posix_prefix"
here = {name: "" for name in ("base", "platbase", "installed_base", "installed_platbase")}
def inside(name):
    return sysconfig.get_path(name, scheme, here).lstrip("/\\")
def implementation():
    if info is None:
        return "0"
    text = "{0.major}.{0.minor}.{0.micro}".format(info)
    return text if info.releaselevel == "final" else text + info.releaselevel[0] + str(info.serial)
markers = {
    "os_name": os.name,
    "sys_platform": sys.platform,
    "platform_machine": platform.machine(),
    "platform_python_implementation": platform.python_implementation(),
    "platform_release": platform.release(),
    "platform_system": platform.system(),
    "platform_version": platform.version(),
    "python_version": "{0}.{1}".format(*sys.version_info),
    "python_full_version": full,
    "implementation_name": getattr(getattr(sys, "implementation", None), "name", ""),
    "implementation_version": implementation(),
}
print(json.dumps({
    "version": sys.version,
    "version_info": [sys.version_info[0], sys.version_info[1], sys.version_info[2],
                     sys.version_info[3], sys.version_info[4]],
    "implementation": platform.python_implementation(),
    "is_64": struct.calcsize("P") == 8,
    "platform": sys.platform,
    "machine": platform.machine(),
    "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    "debug": hasattr(sys, "gettotalrefcount"),
    "markers": markers,
    "purelib": inside("purelib"),
    "platlib": inside("platlib"),
    "system": site.getsitepackages(),
}))
"""


class Interpreter(NamedTuple):
    """A base interpreter (never that of an environment).

    Attributes:
        executable: its real path.
        version: `sys.version`, which has the time of its build in it.
        version_info: major, minor, micro, level, serial.
        implementation: `CPython`, `PyPy` and so on.
        is_64, platform, machine, free_threaded, debug: as tox has them.
        markers: the variables of environment markers (PEP 508).
        purelib, platlib: where packages go, below an environment's folder.
        system: where its own packages are.
        size, modified, inode: of the executable's file; modified in ns.
        sha256: of the executable's bytes.
    """

    executable: str
    version: str
    version_info: tuple[int, int, int, str, int]
    implementation: str
    is_64: bool
    platform: str
    machine: str
    free_threaded: bool
    debug: bool
    markers: dict[str, str]
    purelib: str
    platlib: str
    system: tuple[str, ...]
    size: int
    modified: int
    inode: int
    sha256: str

    def untouched(self) -> bool:
        """Whether the file is the very one that was asked: same size, time and inode."""
        try:
            found = Path(self.executable).stat()
        except OSError:
            return False
        return (found.st_size, found.st_mtime_ns, found.st_ino) == (self.size, self.modified, self.inode)

    def same_build(self, other: Interpreter) -> bool:
        """Whether both are one build: same bytes, and same version with the time of the build."""
        return (self.executable, self.version, self.sha256) == (other.executable, other.version, other.sha256)

    def as_json(self) -> dict[str, Any]:
        """What `from_json` reads."""
        return self._asdict()

    @classmethod
    def from_json(cls, held: dict[str, Any]) -> Interpreter:
        """Read what `as_json` wrote.

        Raises:
            TypeError, KeyError, ValueError: it is something else.
        """
        major, minor, micro, level, serial = held["version_info"]
        info = (int(major), int(minor), int(micro), str(level), int(serial))
        return cls(**{**held, "version_info": info, "system": tuple(held["system"])})


def ask(executable: Path) -> Interpreter:
    """What an interpreter says of itself; it is started unless this very file has said it before.

    Raises:
        InterpreterError: it does not start, or says something else.
    """
    real = executable.resolve()
    try:
        told = answer(PROBE, real, lambda: _asked(executable, real))
        found = real.stat()
        where = {"size": found.st_size, "modified": found.st_mtime_ns, "inode": found.st_ino}
        return Interpreter.from_json({"executable": str(real), **told, **where})
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError) as wrong:
        raise InterpreterError(f"{executable} is no interpreter that can be used: {_end(wrong)}") from wrong


def _asked(executable: Path, real: Path) -> dict[str, Any]:
    isolated = [str(executable), "-E", "-s", "-S", "-c", PROBE]
    done = subprocess.run(isolated, capture_output=True, text=True, timeout=SECONDS, check=True)
    return {**json.loads(done.stdout), "sha256": hashlib.sha256(real.read_bytes()).hexdigest()}


def _end(wrong: Exception) -> str:
    said = getattr(wrong, "stderr", None) or ""
    return said.strip().splitlines()[-1] if said.strip() else str(wrong)
