"""uv, run with a time limit, offline first.

Called by `environment`, `resolution` and the installer. It never downloads an interpreter, and never reads a person's
configuration of uv: what decides an install stands in tox's, or in the index that the environment names.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from uv import find_uv_bin

from tox_wheelfarm.errors import InstallFailedError, OfflineMissError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

SECONDS = 1800
"""The time limit of one run: a build of a large extension may take minutes."""

MISS = r"(?i)network\s+(was|connectivity\s+is)\s+disabled|found\s+in\s+the\s+cache|offline\s+mode|--offline"
"""What uv says when it was not allowed to ask; compiled when it failed."""

UNSOLVED = "No solution found"
"""What uv says where what is at hand does not fit: an index may have what a cache or a folder of wheels has not."""


class Offline(Enum):
    """When the network may be used (`offline = …`)."""

    AUTO = "auto"
    NEVER = "never"
    ALWAYS = "always"


class Answer(NamedTuple):
    """What a run of uv that succeeded had to say.

    Attributes:
        text: what it wrote to stdout.
        said: what it wrote to stderr; its warnings of withdrawn releases stand there, offline as well.
        asked: whether it was allowed to use the network.
    """

    text: str
    said: str
    asked: bool


@dataclass(frozen=True)
class Uv:
    """uv with the settings of one environment.

    Attributes:
        offline: AUTO first tries without the network, and asks only when something is missing.
        variables: added to uv's environment (indexes, proxies, what tox passes); `UV_*` of the process are not.
        constraints: files that bind the environments that sdists and folders are built in.
        settings: a uv.toml that counts; no other ever does.
        seconds: the time limit of each run.
    """

    offline: Offline = Offline.AUTO
    variables: Mapping[str, str] = field(default_factory=dict)
    constraints: tuple[Path, ...] = ()
    settings: Path | None = None
    seconds: float = SECONDS

    def run(
        self,
        arguments: Sequence[str],
        *,
        cwd: Path,
        network: bool = True,
        meanwhile: Callable[[], None] | None = None,
    ) -> str:
        """What `answer` writes to stdout; its arguments, its errors."""
        return self.answer(arguments, cwd=cwd, network=network, meanwhile=meanwhile).text

    def answer(
        self,
        arguments: Sequence[str],
        *,
        cwd: Path,
        network: bool = True,
        meanwhile: Callable[[], None] | None = None,
    ) -> Answer:
        """Run uv and give what it had to say.

        Args:
            arguments: without the program; the subcommand first.
            cwd: relative paths in requirements are relative to it.
            network: False for what never needs one, such as `venv` and `pip check`.
            meanwhile: called once while uv runs; what it raises stops uv.

        Raises:
            OfflineMissError: offline was asked for, and something is not in the cache.
            InstallFailedError: it failed, with the end of what it said.
        """
        arguments = [*arguments, *self._bound(arguments)]
        if not network or self.offline is not Offline.NEVER:
            done = self._once([*arguments, "--offline"], cwd, meanwhile, network=network)
            meanwhile = None
            if done.returncode == 0:
                return Answer(done.stdout, done.stderr, asked=False)
            missing = bool(re.search(MISS, done.stderr))
            if self.offline is Offline.ALWAYS and missing and network:
                raise OfflineMissError(_said(arguments, done))
            asking = network and self.offline is Offline.AUTO and (missing or UNSOLVED in done.stderr)
            if not asking:
                raise InstallFailedError(_said(arguments, done))
        done = self._once(arguments, cwd, meanwhile)
        if done.returncode:
            raise InstallFailedError(_said(arguments, done))
        return Answer(done.stdout, done.stderr, asked=True)

    def from_cache(self, arguments: Sequence[str], *, cwd: Path, meanwhile: Callable[[], None]) -> bool:
        """Run uv without the network; whether it succeeded. What it said otherwise is not told.

        Args:
            arguments: as in `answer`.
            cwd: as in `answer`.
            meanwhile: as in `answer`.

        Raises:
            InstallFailedError: it was interrupted, or took too long.
        """
        done = self._once([*arguments, "--offline"], cwd, meanwhile, network=False)
        if done.returncode in INTERRUPTED:
            raise InstallFailedError(_said(arguments, done))
        return done.returncode == 0

    def _bound(self, arguments: Sequence[str]) -> list[str]:
        if tuple(arguments[:2]) not in BUILDERS and tuple(arguments[:1]) not in BUILDERS:
            return []
        # uv has a word for it on its command line, and no variable.
        indexless = ["--no-index"] if self.variables.get("UV_NO_INDEX") else []
        return [
            *indexless,
            *(word for path in self.constraints for word in ("--build-constraints", str(path))),
        ]

    def _once(
        self,
        arguments: Sequence[str],
        cwd: Path,
        meanwhile: Callable[[], None] | None,
        *,
        network: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        settings = ["--config-file", str(self.settings)] if self.settings else ["--no-config"]
        command = [find_uv_bin(), *settings, *arguments]
        pipe = subprocess.PIPE
        # Certificates are read at each start, all of them; nothing is built in these runs that might need them.
        env = {
            name: value for name, value in self.environment().items() if network or name not in CERTIFICATES
        }
        with subprocess.Popen(
            command, cwd=cwd, env=env, stdout=pipe, stderr=pipe, text=True, errors="replace"
        ) as process:
            try:
                if meanwhile is not None:
                    meanwhile()
                text, said = process.communicate(timeout=self.seconds)
            except BaseException as wrong:
                process.kill()
                if not isinstance(wrong, subprocess.TimeoutExpired):
                    raise
                told = f"uv {arguments[0]} took longer than {self.seconds:.0f} s and was stopped"
                raise InstallFailedError(told) from wrong
        return subprocess.CompletedProcess(command, process.returncode, text, said)

    def environment(self) -> dict[str, str]:
        """All variables that uv is given."""
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith("UV_") or name in KEPT
        }
        return {**kept, **self.variables, "UV_PYTHON_DOWNLOADS": "never", "NO_COLOR": "1"}


BUILDERS = frozenset({("pip", "compile"), ("pip", "install"), ("pip", "sync"), ("build",)})
"""The subcommands that build, and so are bound by build constraints."""

CERTIFICATES = frozenset({"SSL_CERT_FILE", "SSL_CERT_DIR"})
"""Variables that name certificates."""

INTERRUPTED = frozenset({-signal.SIGINT, 128 + signal.SIGINT})
"""How uv ends with Ctrl-C, by the signal itself or with what a shell makes of it."""

KEPT = frozenset(
    {"UV_CACHE_DIR", "UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_INDEX", "UV_NATIVE_TLS"}
)
"""Where things are, not what is decided."""


def _said(arguments: Sequence[str], done: subprocess.CompletedProcess[str]) -> str:
    if done.returncode in INTERRUPTED:
        return f"uv {' '.join(arguments[:2])} was interrupted; the next run makes the environment anew"
    end = "\n".join(done.stderr.strip().splitlines()[-40:])
    return f"uv {' '.join(arguments[:2])} failed (exit code {done.returncode}):\n{end}"
