"""Interpreters for the image: which ones a pyenv tree on the host has, and a copy of any that fits a guest.

Called by the bake. It never changes the host's tree, never runs an interpreter of it, and takes nothing that
was installed into it (site-packages, `.pth` files). Whether a copy works is for the guest's probe to say.
"""

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from farm_images.catalogue import Interpreter, python_name

HOME = "/opt/python"
_CPYTHON = re.compile(r"(\d+)\.(\d+)(?:\.(\d+)(?:(a|b|rc)(\d+))?)?(t)?(-dev)?")
_PYPY = re.compile(r"pypy(\d+)\.(\d+)-(\d+(?:\.\d+)+)")
# Tests, demos and graphical tools of the standard library: half of its size, and no project needs them.
_DROPPED_FOLDERS = frozenset(("test", "tests", "idlelib", "turtledemo", "site-packages", "lib-tk", "tkinter"))
_DROPPED_FILES = re.compile(
    r".*\.(?:a|pth|opt-[12]\.pyc)|EXTERNALLY-MANAGED|_tkinter\.(?:.*\.)?so|python.*-gdb\.py"
)
_SCRIPTS = re.compile(
    r"(?:python|pypy)[0-9.]*[mt]?(?:-config)?|python[0-9.]+[mt]?-(?:x86_64-linux-gnu-)?config|libpypy.*"
)
_NAMES_PREFIX = re.compile(r".*(?:/_sysconfigdata[^/]*\.(?:py|json)|\.pc|/config(?:-[^/]*)?/[^/]*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostInterpreter:
    """One interpreter on the host, to be copied: its folder, what it is, and what its folder is called in the guest."""

    folder: Path
    python: str
    version: str
    implementation: str
    threaded: bool = False
    provider: str = "pyenv"
    guest_name: str

    @property
    def name(self) -> str:
        """As Pythons are named everywhere: `3.12`, `3.14t`, `pypy3.11`."""
        return python_name(self.implementation, self.python, threaded=self.threaded)

    @property
    def program(self) -> str:
        """The name of its executable, such as `python3.12`."""
        return f"python{self.name}" if self.implementation == "cpython" else self.name

    @property
    def guest_folder(self) -> str:
        """Where it lives in the guest, such as `/opt/python/3.12.1`."""
        return f"{HOME}/{self.guest_name}"

    def entry(self) -> Interpreter:
        """What the catalogue says of it once it is in the guest."""
        return Interpreter(
            path=f"{self.guest_folder}/bin/{self.program}",
            version=self.version,
            python=self.python,
            implementation=self.implementation,
            provider=self.provider,
            threaded=self.threaded,
        )


def find_interpreters(pyenv_root: Path) -> list[HostInterpreter]:
    """The interpreters of `pyenv_root/versions`: the newest of each name, pre-releases and branches behind releases.

    Folders that are no CPython or PyPy (virtual environments, other implementations) or hold no executable do not
    count.
    """
    versions = pyenv_root / "versions"
    found: dict[str, tuple[tuple[int, ...], HostInterpreter]] = {}
    for folder in sorted(versions.iterdir()) if versions.is_dir() else ():
        described = _describe(folder)
        if described is not None and described[0] > found.get(described[1].name, ((), None))[0]:
            found[described[1].name] = described
    return [
        interpreter for _, interpreter in sorted(found.values(), key=lambda pair: (pair[1].name, pair[0]))
    ]


def copy_interpreter(source: HostInterpreter, root: Path) -> Interpreter:
    """Copy one interpreter below `root` (a tree that becomes the guest's `/`) and link it in `/opt/python/bin`.

    Modification times are kept, so that bytecode stays valid; what names the host's path is rewritten, and younger.
    """
    target = root / source.guest_folder.lstrip("/")
    shutil.copytree(source.folder, target, symlinks=True, ignore=_ignored)
    for folder in [*target.glob("lib*/p*[0-9]"), *target.glob("lib*/p*[0-9]t")]:
        if folder.is_dir() and not folder.is_symlink() and folder.name != "pkgconfig":
            (folder / "site-packages").mkdir(exist_ok=True)
    _relocate(target, source)
    bin_folder = root / HOME.lstrip("/") / "bin"
    bin_folder.mkdir(parents=True, exist_ok=True)
    entry = source.entry()
    # Absolute: Pythons before 3.12 take a relative link into their sys.prefix as it stands.
    (bin_folder / source.program).symlink_to(entry.path)
    # `pythonX.Y -m venv` takes the folder of the link for its home, and from 3.11 on looks for the library beside it.
    for kind in ("lib", "include"):
        for folder in target.glob(f"{kind}/{source.program}*"):
            link = root / HOME.lstrip("/") / kind / folder.name
            link.parent.mkdir(exist_ok=True)
            link.symlink_to(f"{source.guest_folder}/{kind}/{folder.name}")
    return entry


def listing(source: HostInterpreter) -> str:
    """A text that changes when the interpreter does: names, sizes and times of its parts that matter."""
    lines = [source.folder.name]
    for pattern in ("bin/p*", "lib/*", "lib/p*/*"):
        for path in sorted(source.folder.glob(pattern)):
            status = path.lstat()
            # A folder's own time and size change when bytecode is written into it; its name is enough.
            detail = f" {status.st_size} {status.st_mtime_ns}" if path.is_file() else ""
            lines.append(f"{path.relative_to(source.folder)}{detail}")
    return "\n".join(lines)


def _describe(folder: Path) -> tuple[tuple[int, ...], HostInterpreter] | None:
    """The interpreter of a version folder, and what sorts it among those of its name."""
    cpython, pypy = _CPYTHON.fullmatch(folder.name), _PYPY.fullmatch(folder.name)
    match = cpython or pypy
    if match is None or (cpython and (cpython[3] is None) == (cpython[7] is None)):
        return None
    python = f"{match[1]}.{match[2]}"
    version = python if pypy else folder.name.removesuffix("-dev").removesuffix("t")
    interpreter = HostInterpreter(
        folder=folder,
        python=python,
        version=version,
        implementation="cpython" if cpython else "pypy",
        threaded=bool(cpython and cpython[6]),
        guest_name=folder.name,
    )
    if not (folder / "bin" / interpreter.program).exists():
        return None
    return _order(folder.name, cpython), interpreter


def _order(name: str, cpython: re.Match[str] | None) -> tuple[int, ...]:
    if cpython is None:
        return tuple(int(part) for part in re.findall(r"\d+", name))
    if cpython[3] is None:  # The tip of a branch, which may be anything.
        return (0,)
    stage = ("a", "b", "rc", None).index(cpython[4])
    return (1, int(stage == 3), int(cpython[3]), stage, int(cpython[5] or 0))


def _ignored(folder: str, names: list[str]) -> set[str]:
    place = Path(folder)
    dropped = {name for name in names if _DROPPED_FILES.fullmatch(name)}
    if place.name == "bin":
        return dropped | {name for name in names if not _SCRIPTS.fullmatch(name)}
    if (place / "bin").is_dir():
        return dropped | (set(names) & {"share"})
    return dropped | (set(names) & _DROPPED_FOLDERS)


def _relocate(target: Path, source: HostInterpreter) -> None:
    """Replace the host's path, in text by the guest's, and in ELF run paths in place."""
    prefixes = {str(source.folder), str(source.folder.resolve()), *_built_prefix(target)}
    for path in sorted(target.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        if path.suffix == ".so" or ".so." in path.name or path.parent.name == "bin":
            _rewrite(path, prefixes, source.guest_folder, binary=path.read_bytes()[:4] == b"\x7fELF")
        elif _NAMES_PREFIX.fullmatch(str(path.relative_to(target))):
            _rewrite(path, prefixes, source.guest_folder, binary=False)


def _built_prefix(target: Path) -> set[str]:
    """The prefix the interpreter was configured with, which differs from the folder's if it was moved."""
    found: set[str] = set()
    for path in target.glob("lib/python*/**/_sysconfigdata*.py"):
        match = re.search(r"'prefix': '(/[^']+)'", path.read_text(encoding="utf-8", errors="replace"))
        if match:
            found.add(match[1])
    return found


def _rewrite(path: Path, prefixes: set[str], guest: str, *, binary: bool) -> None:
    before = content = path.read_bytes()
    for prefix in sorted(prefixes, key=len, reverse=True):
        old = os.fsencode(prefix)
        if binary:
            content = _with_run_path(content, b"\0" + old + b"/lib\0", os.fsencode(guest) + b"/lib", path)
        else:
            content = content.replace(old, os.fsencode(guest))
    if content != before:
        status = path.stat()
        path.chmod(0o755 if status.st_mode & 0o111 else 0o644)
        path.write_bytes(content)
        # A second younger: compileall goes by the time alone, and would take old bytecode for fresh.
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1_000_000_000))


def _with_run_path(content: bytes, old: bytes, new: bytes, path: Path) -> bytes:
    """The ELF file with its run path replaced by one that is no longer: the string table keeps its size."""
    room = len(old) - 2
    if len(new) > room:
        new = b"$ORIGIN/../lib" if path.parent.name == "bin" else b"$ORIGIN"
    return content.replace(old, b"\0" + new.ljust(room, b"\0") + b"\0") if len(new) <= room else content
