"""The contestants: how each is installed, what a project writes to use it, and the command that is timed.

Called by `installers`. Each has a tool environment of its own, so that none runs with a tox that it does not support.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.installer_sets import ReleaseSet

SECONDS = 1800
OURS = "tox-wheelfarm"
BARE = "uv pip sync, bare"
ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = (
    "[tox]\nenv_list = bench\nskipsdist = true\nno_package = true\n[testenv:bench]\nskip_install = true\n"
)


@dataclass(frozen=True, slots=True)
class Tool:
    """One way to install a set.

    Attributes:
        name: as the table has it.
        packages: what its tool environment holds (lines of a requirements file).
        settings: what it adds to `[testenv:bench]`; `{names}` becomes the names of the set.
        files: what of the locks is copied into the project.
        program: what is run; `tox` unless it is no plugin of it.
    """

    name: str
    packages: tuple[str, ...]
    settings: str
    files: tuple[str, ...]
    program: str = "tox"


TOOLS = (
    Tool(
        OURS,
        (str(ROOT / "workers/tox_wheelfarm"),),
        "runner = wheelfarm\ninstaller = lockfile\nlockfile = pylock.toml\n",
        ("pyproject.toml", "pylock.toml"),
    ),
    Tool("tox, its own pylock", ("tox>=4.67",), "pylock = pylock.toml\n", ("pylock.toml",)),
    Tool(
        "tox-uv, uv.lock",
        ("tox>=4.67", "tox-uv"),
        "runner = uv-venv-lock-runner\nuv_sync_flags = --no-install-project\n",
        ("pyproject.toml", "uv.lock"),
    ),
    Tool(
        "tox-poetry-installer",
        ("tox-poetry-installer[poetry]==1.0.0b1", "tox>=4"),
        "require_locked_deps = true\nlocked_deps =\n{names}",
        ("poetry/pyproject.toml", "poetry/poetry.lock"),
    ),
    Tool("tox, pip, requirements", ("tox>=4.67",), "deps = -r requirements.txt\n", ("requirements.txt",)),
    Tool("venv-update", ("venv-update", "virtualenv"), "", ("requirements.txt",), "venv-update"),
    Tool(BARE, (), "", ("requirements.txt",), "uv"),
)


@dataclass(frozen=True, slots=True)
class Bench:
    """Where it is measured: `folder` is emptied by nobody and holds tools, locks, projects and caches."""

    folder: Path
    uv: Path

    def environment(self, *, network: bool = True) -> dict[str, str]:
        """The variables of a run: caches of the benchmark's own; without the network every proxy is a dead one."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("TOX_", "PIP_", "UV_", "POETRY_", "VIRTUAL", "PYTHON", "PYTEST"))
            or name in {"PIP_CERT", "PIP_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX"}
        }
        caches = {
            f"{tool}_CACHE_DIR": str(self.folder / "cache" / tool.lower()) for tool in ("UV", "PIP", "POETRY")
        }
        dead = "http://127.0.0.1:9"
        cut = {
            name: dead for each in ("http_proxy", "https_proxy", "all_proxy") for name in (each, each.upper())
        }
        return {
            **kept,
            **caches,
            "XDG_CACHE_HOME": str(self.folder / "cache" / "xdg"),
            "POETRY_VIRTUALENVS_CREATE": "false",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
            "PATH": f"{self.uv.parent}{os.pathsep}{kept.get('PATH', '')}",
            **({} if network else cut),
        }

    def tool_folder(self, tool: Tool) -> Path:
        """Its tool environment."""
        return self.folder / "tools" / tool.name.replace(" ", "-").replace(",", "")

    def install(self, tool: Tool) -> None:
        """Make its tool environment; raises subprocess.CalledProcessError."""
        folder = self.tool_folder(tool)
        if not tool.packages or (folder.exists() and tool.name != OURS):
            return
        python: list[Path | str] = [self.uv, "venv", "--quiet", "--seed", "--python", sys.executable, folder]
        packages: list[Path | str] = [
            self.uv,
            "pip",
            "install",
            "--quiet",
            "--prerelease",
            "allow",
            "--python",
            folder,
        ]
        # Ours is made again each time, because it is the one that changes.
        python += ["--clear"] if tool.name == OURS else []
        packages += ["--refresh-package", OURS, "--reinstall-package", OURS] if tool.name == OURS else []
        for command in (python, [*packages, *tool.packages]):
            subprocess.run(command, check=True, capture_output=True, timeout=SECONDS)

    def project(self, tool: Tool, wanted: ReleaseSet, locks: Path) -> Path:
        """A project of its own that uses the tool for the set."""
        folder = self.folder / "projects" / wanted.name.replace(" ", "-") / self.tool_folder(tool).name
        folder.mkdir(parents=True, exist_ok=True)
        for file in tool.files:
            if (locks / file).exists():
                shutil.copy(locks / file, folder / Path(file).name)
        names = "".join(f"    {name}\n" for name in wanted.names)
        (folder / "tox.ini").write_text(ENVIRONMENT + tool.settings.format(names=names))
        return folder

    def commands(self, tool: Tool) -> list[list[str]]:
        """What is run in the project, one after the other."""
        if tool.program == "uv":
            sync = ["pip", "sync", "--quiet", "--require-hashes", "--python", "env", "requirements.txt"]
            fresh = ["venv", "--quiet", "--allow-existing", "--python", sys.executable, "env"]
            return [[str(self.uv), *fresh], [str(self.uv), *sync]]
        program = str(self.tool_folder(tool) / "bin" / tool.program)
        if tool.program == "venv-update":
            return [[program, "venv=", "-p", sys.executable, "env", "install=", "-r", "requirements.txt"]]
        return [[program, "run", "-e", "bench", "--notest"]]

    def made(self, tool: Tool, project: Path) -> Path:
        """The environment that the tool makes there."""
        return project / ("env" if tool.program != "tox" else ".tox")
