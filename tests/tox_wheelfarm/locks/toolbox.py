"""The real tools that write lock files, each run on a copy of a project in `files`.

Used by the `make_*` programs of this folder, by hand. Tests never run it: what the tools wrote is committed.
"""

import json
import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path

from uv import find_uv_bin

FILES = Path(__file__).parent / "files"
WORK = Path("/tmp/wheelfarm-locks/work")
SECONDS = 600
NOBODYS = ("UV_", "VIRTUAL_ENV", "PIP_FIND", "PIP_INDEX", "PIP_EXTRA", "PIP_NO_INDEX")
OWN = frozenset({"UV_CACHE_DIR"})


def interpreter(version):
    """An interpreter of pyenv, by its whole version."""
    return str(
        Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions" / version / "bin/python"
    )


def run(command, *, cwd, **more):
    """Run a program with nobody's configuration of pip or uv; returns its stdout."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(NOBODYS)}
    kept.update({name: value for name, value in os.environ.items() if name in OWN}, UV_NO_CONFIG="1")
    kept.update(UV_PYTHON_DOWNLOADS="never", PIP_CONFIG_FILE=os.devnull, **more)
    command = [str(part) for part in command]
    done = subprocess.run(
        command, cwd=cwd, env=kept, text=True, capture_output=True, timeout=SECONDS, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed: {done.stderr[-3000:]}")
    return done.stdout


def uv(*arguments, cwd, **more):
    """Run uv."""
    return run([find_uv_bin(), *arguments], cwd=cwd, **more)


@contextmanager
def copied(project):
    """A copy of a project's folder without its locks, to work in; always in the same place, which uv writes down."""
    there = WORK / project
    shutil.rmtree(there, ignore_errors=True)
    ignored = shutil.ignore_patterns("*.lock", "installed.json", "export-*", "pylock*", "requirements*.txt")
    shutil.copytree(FILES / project, there, ignore=ignored)
    yield there
    shutil.rmtree(there)


def listed(environment):
    """The releases in an environment, by normalised name."""
    told = uv("pip", "list", "--format", "json", "--python", environment, cwd=environment)
    return {entry["name"].lower().replace("_", "-"): entry["version"] for entry in json.loads(told)}


def keep(project, name, text):
    """Write a file of a project."""
    (FILES / project / name).write_text(text, encoding="utf-8")


def keep_json(project, name, value):
    """Write a file of a project as JSON that can be read in a diff."""
    keep(project, name, json.dumps(value, indent=1, sort_keys=True) + "\n")
