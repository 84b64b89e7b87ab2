"""A place where a real tool (poetry, pdm, pipenv) works on a copy of one of the projects in `files`.

Used by the `make_*` programs of this folder, by hand, never by tests: what the tools wrote is committed.
"""

import http.server
import os
import shutil
import subprocess
import threading
import zipfile
from functools import partial
from pathlib import Path

from uv import find_uv_bin

FILES = Path(__file__).parent / "files"
TOYS = Path("/tmp/wheelfarm-toys")
PORT = 8765
SECONDS = 900
DATE = "2026-01-01T00:00:00+0000"


class Workshop:
    """A copy of one project's folder, and a tool of one version."""

    def __init__(self, folder, program, *, python, requirements):
        """Copy `files/FOLDER` and stand ready to run `program` of `requirements` on `python`."""
        self.source = FILES / folder
        self.folder = TOYS / "work" / folder
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.source, self.folder)
        self.program = program
        self.start = ["tool", "run", "-q", "--python", interpreter(python), "--from", requirements[0]]
        for extra in requirements[1:]:
            self.start += ["--with", extra]

    def run(self, *arguments, environment=None):
        """Run the tool; returns its stdout."""
        return uv(*self.start, self.program, *arguments, cwd=self.folder, environment=environment)

    def keep(self, name, text=None):
        """Keep a file of the workshop (or this text) beside the project."""
        text = (self.folder / name).read_text() if text is None else text
        (self.source / name).write_text(text)

    def environment(self, python, *seeds):
        """A fresh environment of an interpreter with these seeds; returns its folder."""
        made = self.folder / f".venv-{python}"
        shutil.rmtree(made, ignore_errors=True)
        uv("venv", "-q", "--python", interpreter(python), str(made), cwd=self.folder)
        if seeds:
            uv("pip", "install", "-q", "--python", str(made / "bin/python"), *seeds, cwd=self.folder)
        return made


def installed(environment):
    """What an environment holds, without pip and the project: sorted `name==version` lines."""
    lines = uv("pip", "list", "--python", str(environment / "bin/python"), "--format=freeze", cwd=environment)
    left_out = ("pip==", "wide-project==")
    return "".join(
        f"{line.split(' ')[0]}\n"
        for line in sorted(lines.split("\n"))
        if line and not line.startswith(left_out)
    )


def uv(*arguments, cwd, environment=None):
    """Run uv; returns its stdout."""
    done = subprocess.run(
        [find_uv_bin(), *arguments],
        cwd=cwd,
        env={**clean(), **(environment or {})},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    if done.returncode:
        raise SystemExit(
            f"{' '.join(arguments)} failed in {cwd}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        )
    return done.stdout


def clean():
    """The process's environment without what would lead a tool elsewhere."""
    led = ("VIRTUAL_ENV", "PIP_FIND_LINKS", "PIP_CONFIG_FILE", "PYTHONPATH", "PYTHONHOME")
    kept = {name: value for name, value in os.environ.items() if name not in led}
    # pip would write the indexes of this machine into a Pipfile.lock.
    return {**kept, "PIP_CONFIG_FILE": os.devnull, "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}


def interpreter(version):
    """The path of an interpreter, of pyenv's if there is one."""
    own = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    return str(own[-1]) if own else uv("python", "find", version, cwd="/").strip()


def toys():
    """Make the toy distributions, their repository and their index; returns the index, serving until the end."""
    for part in ("index", "toy_repository"):
        shutil.rmtree(TOYS / part, ignore_errors=True)
    for name in ("toy_archive", "toy_private"):
        wheel(TOYS / "index", name)
    page = TOYS / "index/simple/toy-private"
    page.mkdir(parents=True)
    wheel(page, "toy_private")
    (page / "index.html").write_text(
        '<a href="toy_private-1.0-py3-none-any.whl">toy_private-1.0-py3-none-any.whl</a>'
    )
    repository(TOYS / "toy_repository")
    # pdm cannot clone from a `file` URL.
    git(
        "clone",
        "-q",
        "--bare",
        str(TOYS / "toy_repository"),
        str(TOYS / "index/toy_repository.git"),
        cwd=TOYS,
    )
    git("update-server-info", cwd=TOYS / "index/toy_repository.git")
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(TOYS / "index"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", PORT), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def wheel(folder, name):
    """A wheel of version 1.0 with one module; the same bytes every time."""
    folder.mkdir(parents=True, exist_ok=True)
    metadata = (
        f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: 1.0\nRequires-Python: >=3.8\n"
    )
    parts = {
        f"{name}.py": f"NAME = {name!r}\n",
        f"{name}-1.0.dist-info/METADATA": metadata,
        f"{name}-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    parts[f"{name}-1.0.dist-info/RECORD"] = "".join(
        f"{part},,\n" for part in [*parts, f"{name}-1.0.dist-info/RECORD"]
    )
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as archive:
        for part, text in parts.items():
            archive.writestr(zipfile.ZipInfo(part, (2026, 1, 1, 0, 0, 0)), text)


def source(folder, name):
    """A folder with a project of version 1.0 and one module."""
    folder.mkdir(parents=True, exist_ok=True)
    project = f'[project]\nname = "{name.replace("_", "-")}"\nversion = "1.0"\nrequires-python = ">=3.8"\n'
    build = '[build-system]\nrequires = ["setuptools>=61"]\nbuild-backend = "setuptools.build_meta"\n'
    (folder / "pyproject.toml").write_text(
        f"{project}\n{build}\n[tool.setuptools]\npy-modules = ['{name}']\n"
    )
    (folder / f"{name}.py").write_text(f"NAME = {name!r}\n")


def repository(folder):
    """A git repository with a project below it, and the tag v1; the same commit every time."""
    source(folder / "below", "toy_repository")
    who = ("-c", "user.name=toys", "-c", "user.email=toys@example.org", "-c", "commit.gpgsign=false")
    git("init", "-q", "-b", "main", cwd=folder)
    git("add", ".", cwd=folder)
    git(*who, "commit", "-q", "-m", "A toy", cwd=folder)
    git("tag", "v1", cwd=folder)


def git(*arguments, cwd):
    """Run git, with fixed dates."""
    dates = {"GIT_AUTHOR_DATE": DATE, "GIT_COMMITTER_DATE": DATE}
    subprocess.run(["git", *arguments], cwd=cwd, env={**os.environ, **dates}, timeout=60, check=True)
