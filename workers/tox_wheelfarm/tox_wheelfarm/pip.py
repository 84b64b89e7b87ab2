"""pip of an environment of Python 2.7: installs by hash, from files that were kept first, and resolves inside.

Called by the installer and by `resolution` where `old_python.family` says `pip`. It never reads a person's or the
machine's configuration of pip, and never lets pip ask an index for a file that is pinned and was had before.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from packaging.utils import canonicalize_name
from platformdirs import user_cache_path

from tox_wheelfarm.errors import InstallFailedError, OfflineMissError
from tox_wheelfarm.uv import SECONDS, Offline
from tox_wheelfarm.wheelhouse import Wheelhouse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tox_wheelfarm.locks.pin import Pin

KEPT = frozenset(
    f"PIP_{name}"
    for name in (
        "INDEX_URL",
        "EXTRA_INDEX_URL",
        "TRUSTED_HOST",
        "CERT",
        "CLIENT_CERT",
        "PROXY",
        "CACHE_DIR",
        "DEFAULT_TIMEOUT",
        "RETRIES",
    )
)
"""What is taken from the process: where things are and how they are reached, not what is decided."""

LIKEWISE = {
    "PIP_INDEX_URL": ("UV_DEFAULT_INDEX", "UV_INDEX_URL"),
    "PIP_EXTRA_INDEX_URL": ("UV_INDEX", "UV_EXTRA_INDEX_URL"),
    "PIP_TRUSTED_HOST": ("UV_INSECURE_HOST",),
    "PIP_FIND_LINKS": ("UV_FIND_LINKS",),
    "PIP_NO_INDEX": ("UV_NO_INDEX",),
}
"""The same told to uv, which knows more of it: what `deps` add is there (`deps.Deps.over`)."""

RESOLVER = "--use-feature=2020-resolver"
"""pip 20.3 on Python 2.7 keeps its first resolver, which takes conflicts for warnings, unless it is told otherwise."""

MISS = re.compile(r"Could not find a version|No matching distribution|Failed to establish a new connection")

FACTS = """\
import json
from pip._vendor.packaging import markers, tags
print(json.dumps([markers.default_environment(), [str(tag) for tag in tags.sys_tags()]]))
"""


class Folder(Protocol):
    """A local project, as `resolution` has it."""

    @property
    def path(self) -> Path:
        """Its folder."""

    @property
    def extras(self) -> tuple[str, ...]:
        """Those of its extras that are asked for."""

    @property
    def editable(self) -> bool:
        """Whether it is installed in place."""


@dataclass(frozen=True)
class Pip:
    """The pip (20.2 or 20.3) inside one environment, with the environment's settings.

    Attributes:
        python: the environment's interpreter.
        offline: AUTO uses the network only for what is not kept; NEVER asks for every file anew.
        variables: added to pip's environment (indexes, proxies, what tox passes).
        seconds: the time limit of each run.
        cache: where files are kept, or None for the user's cache folder.
    """

    python: Path
    offline: Offline = Offline.AUTO
    variables: Mapping[str, str] = field(default_factory=dict)
    seconds: float = SECONDS
    cache: Path | None = None

    def install(
        self,
        pins: Sequence[Pin],
        folders: Sequence[Folder],
        constraints: Sequence[Path],
        work: Path,
        formats: Sequence[str] = (),
    ) -> None:
        """Install exactly these, and none of their dependencies; what else is installed stays.

        Args:
            pins: those with hashes are installed by hash, in a run of their own; those without as they are.
            folders: local projects, built here.
            constraints: files that bind what is needed for building.
            work: a folder for what is needed meanwhile.
            formats: wheels or sources only, as lines of a requirements file.

        Raises:
            HashMissingError: there are hashes, and none that pip takes (SHA-256, SHA-384, SHA-512).
            LockFileError: a pin's name, version or reference is none.
            OfflineMissError: offline was asked for, and something is not kept.
            InstallFailedError: pip failed.
        """
        from tox_wheelfarm import old_install

        hashed = [pin for pin in pins if pin.hashes]
        loose = [pin for pin in pins if not pin.hashes]
        work.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="pip-", dir=work) as name:
            scratch = Path(name)
            if hashed:
                old_install.by_hash(self, hashed, constraints, scratch, formats)
            if loose or folders:
                old_install.as_they_are(self, loose, folders, constraints, scratch)

    def uninstall(self, names: Iterable[str]) -> None:
        """Take releases away, with their scripts; a name that is not installed is no error.

        Raises:
            InstallFailedError: pip failed.
        """
        given = [
            name
            for name in map(canonicalize_name, names)
            if re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", name)
        ]
        if given:
            self.run(["uninstall", "--yes", *given], network=False)

    def resolve(
        self,
        requirements: Sequence[str],
        constraints: Sequence[Path],
        lowest: bool = False,
        folders: Sequence[Folder] = (),
        options: Sequence[str] = (),
        cutoff: str = "",
    ) -> tuple[Pin, ...]:
        """The exact set for this environment's interpreter, each with the file that was had and its hash.

        Args:
            requirements: PEP 508, with markers; no paths.
            constraints: files over everything, builds included.
            lowest: the lowest version of what is asked for directly, also by the folders.
            folders: local projects, whose dependencies take part; they are no part of the set.
            options: of the run, one a text: `--pre`, `--no-binary NAME`, `--only-binary NAME`.
            cutoff: nothing uploaded later is seen (a date, a time or a span), or "".

        Raises:
            ConstraintsError: a constraint excludes what is asked for, or what that needs; both sides are named.
            ResolutionError: there is no set, with pip's derivation.
            OfflineMissError: offline was asked for, and the kept files do not suffice, or there is a cut-off.
            InstallFailedError: pip failed for another reason.
        """
        from tox_wheelfarm.old_resolution import resolve

        return resolve(self, requirements, constraints, lowest, folders, options, cutoff=cutoff)

    @cached_property
    def facts(self) -> tuple[dict[str, str], tuple[str, ...]]:
        """The marker variables (PEP 508) and the wheel tags (PEP 425), the best first, of the interpreter.

        2.7 has two ABIs (cp27m, cp27mu) that only the interpreter itself can tell apart.
        """
        try:
            environment, tags = json.loads(self._said(["-c", FACTS], "asking for tags", {}))
        except InstallFailedError as failed:
            if "No module named" not in str(failed):
                raise
            raise InstallFailedError(
                f"{self.python} has no pip of its own that can be used (20.2 or 20.3); run tox with --recreate"
            ) from None
        return environment, tuple(tags)

    @property
    def house(self) -> Wheelhouse:
        """The files that are kept."""
        return Wheelhouse(self.cache or user_cache_path("tox-wheelfarm") / "wheels")

    def run(self, arguments: Sequence[str], *, network: bool, constraints: Sequence[Path] = ()) -> str:
        """Run pip and give what it wrote to stdout.

        Args:
            arguments: the subcommand first.
            network: whether an index may be asked; only `find-links` that the arguments name otherwise.
            constraints: files over everything that this run takes from an index, builds included.

        Raises:
            OfflineMissError: without a network something could not be found.
            InstallFailedError: it failed, with the end of what it said.
        """
        asks = arguments[0] in {"install", "download", "wheel"}
        more = ["--no-index"] if asks and not network else []
        try:
            with tempfile.TemporaryDirectory(prefix="wheelfarm-pip-") as folder:
                bound = _bound(constraints, Path(folder))
                return self._said(["-m", "pip", *arguments, *more], f"pip {arguments[0]}", bound)
        except InstallFailedError as failed:
            if network or not MISS.search(str(failed)):
                raise
            raise OfflineMissError(str(failed)) from None

    def _said(self, arguments: Sequence[str], what: str, more: Mapping[str, str]) -> str:
        try:
            done = subprocess.run(
                [str(self.python), *arguments],
                env={**self.environment(), **more},
                capture_output=True,
                text=True,
                errors="replace",
                timeout=self.seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as late:
            raise InstallFailedError(
                f"{what} took longer than {self.seconds:.0f} s and was stopped"
            ) from late
        except OSError as wrong:
            raise InstallFailedError(f"{what}: {self.python} does not start: {wrong}") from wrong
        if done.returncode:
            end = "\n".join((done.stdout + done.stderr).strip().splitlines()[-40:])
            raise InstallFailedError(f"{what} failed (exit code {done.returncode}):\n{end}")
        return done.stdout

    def environment(self) -> dict[str, str]:
        """All variables that pip is given."""
        own = {"PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
        quiet = {"PIP_NO_PYTHON_VERSION_WARNING": "1", "PIP_NO_COLOR": "1"}
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PIP_", "PYTHONPATH", "PYTHONHOME")) or name in KEPT
        }
        told = {**kept, **self.variables}
        for name, others in LIKEWISE.items():
            if any(other in self.variables for other in others):
                told.pop(name, None)
            values = [told[other] for other in others if told.get(other)]
            if values and not told.get(name):
                blanks = " ".join(values).replace(",", " ") if name == "PIP_FIND_LINKS" else " ".join(values)
                told[name] = re.sub(r"(^|\s)[\w.-]+=(?=\w+://)", r"\1", blanks)
        return {**told, **own, **quiet}


def _bound(constraints: Sequence[Path], folder: Path) -> dict[str, str]:
    """One file for all, as a variable, which reaches the environments that pip builds in; spaces would divide it."""
    if not constraints:
        return {}
    joined = folder / "constraints.txt"
    joined.write_text(
        "\n".join(path.read_text(encoding="utf-8") for path in constraints) + "\n", encoding="utf-8"
    )
    return {"PIP_CONSTRAINT": str(joined)}
