"""A project on which the real tox is run, and an index that it asks."""

import hashlib
import json
import os
import re
import select
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from uv import find_uv_bin

from .toy_index import SECONDS, Index, serving

BACKEND = """
import base64, hashlib, os, tarfile, zipfile
try:
    import tomllib
except ImportError:
    tomllib = None

def _project():
    return tomllib.load(open("pyproject.toml", "rb"))["project"]

def _wheel(folder, editable):
    told = _project()
    name, version = told["name"], told["version"]
    info = name + "-" + version + ".dist-info"
    lines = ["Metadata-Version: 2.1", "Name: " + name, "Version: " + version]
    lines += ["Requires-Dist: " + each for each in told.get("dependencies", [])]
    for extra, each in told.get("optional-dependencies", {}).items():
        lines += ["Provides-Extra: " + extra] + ["Requires-Dist: " + one + "; extra == '" + extra + "'" for one in each]
    source = open(name + ".py").read()
    members = {name + ".pth": os.getcwd() + chr(10)} if editable else {name + ".py": source}
    members[info + "/METADATA"] = chr(10).join(lines) + chr(10)
    members[info + "/WHEEL"] = "Wheel-Version: 1.0\\nGenerator: toy\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
    record = ""
    for path, text in members.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += path + ",sha256=" + digest + "," + str(len(text.encode())) + "\\n"
    members[info + "/RECORD"] = record + info + "/RECORD,,\\n"
    file = name + "-" + version + "-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, file), "w") as archive:
        for path, text in members.items():
            archive.writestr(path, text)
    return file

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    return _wheel(wheel_directory, False)

def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    return _wheel(wheel_directory, True)

def build_sdist(sdist_directory, config_settings=None):
    told = _project()
    stem = told["name"] + "-" + told["version"]
    with open("PKG-INFO", "w") as file:
        file.write("Metadata-Version: 2.1\\nName: " + told["name"] + "\\nVersion: " + told["version"] + "\\n")
    with tarfile.open(os.path.join(sdist_directory, stem + ".tar.gz"), "w:gz") as archive:
        for name in ["pyproject.toml", "backend.py", "PKG-INFO", told["name"] + ".py"]:
            archive.add(name, stem + "/" + name)
    return stem + ".tar.gz"
"""

LOST_LINE = re.compile(r"^--- Logging error ---\n.*?^Arguments: [^\n]*$", re.DOTALL | re.MULTILINE)
"""tox's own, under `-p`: one thread ends a shared build environment and logs to the output that another one closed."""


@pytest.fixture
def index():
    """An empty index that serves for the length of a test."""
    with serving() as toy:
        yield toy


@dataclass
class Run:
    """What a run of tox came to."""

    code: int
    said: str
    report: dict

    def environment(self, name="a"):
        """What the report says of an environment."""
        return self.report["testenvs"][name]

    def packages(self, name="a"):
        """The lines of `installed_packages`."""
        return self.environment(name)["installed_packages"]


@dataclass
class Bench:
    """A project in a folder, an index, and variables under which tox sees nothing of the machine's own."""

    root: Path
    index: Index
    cache: Path
    ready: object
    variables: dict = field(default_factory=dict)

    def write(self, name, text):
        """Write a file of the project."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        return path

    def ini(self, *lines, envs="a"):
        """Write tox.ini with these settings of [testenv]; without `skip_install` the project is packaged."""
        settings = "".join(f"{line}\n" for line in lines)
        if not any(line.startswith("commands") for line in lines):
            settings += "commands = python -c pass\n"
        text = f"[tox]\nenv_list = {envs}\n[testenv]\nrunner = wheelfarm\n{settings}"
        return self.write("tox.ini", text)

    def project(self, *dependencies, extras=None, groups=None, version="1.0", code="", name="app"):
        """Make it a project with a build backend of its own, which needs nothing."""
        lines = [
            "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n[project]",
            f"name = {name!r}\nversion = {version!r}\nrequires-python = '>=3.9'",
            f"dependencies = {json.dumps(list(dependencies))}",
            "[project.optional-dependencies]",
            *(f"{key} = {json.dumps(list(each))}" for key, each in (extras or {}).items()),
            "[dependency-groups]",
            *(f"{key} = {json.dumps(list(each))}" for key, each in (groups or {}).items()),
        ]
        self.write("pyproject.toml", "\n".join(lines) + "\n")
        self.write("backend.py", BACKEND)
        self.write(f"{name}.py", code or "VERSION = 1\n")

    def pylock(self, *releases, name="pylock.toml", hashed=True):
        """Write a pylock.toml of `(name, version)`s of the index."""
        text = 'lock-version = "1.0"\ncreated-by = "toy"\n'
        for project, version in releases:
            file = f"{project.replace('-', '_')}-{version}-py3-none-any.whl"
            digest = hashlib.sha256(self.index.files[project][file][0]).hexdigest()
            url = f"{self.index.url}/files/{project}/{file}"
            text += f'[[packages]]\nname = "{project}"\nversion = "{version}"\n[[packages.wheels]]\n'
            text += f'name = "{file}"\nurl = "{url}"\nhashes = {{sha256 = "{digest}"}}\n'
        return self.write(name, text if hashed else text.replace("hashes = {sha256", "hashes = {md5"))

    def requirements(self, *lines, name="requirements.txt"):
        """Write a requirements file; `name==version` of the index gets its hash."""
        text = ""
        for line in lines:
            project, _, version = line.partition("==")
            file = f"{project.replace('-', '_')}-{version}-py3-none-any.whl"
            digest = hashlib.sha256(self.index.files[project][file][0]).hexdigest()
            text += f"{line} --hash=sha256:{digest}\n"
        return self.write(name, text)

    def lock(self):
        """Let uv itself lock the project."""
        self.program([find_uv_bin(), "--no-config", "lock", "--quiet", "--python", sys.executable])

    def program(self, command):
        """Run a program in the project's folder; it must succeed."""
        done = subprocess.run(
            command,
            cwd=self.root,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def environment(self):
        """The variables."""
        leave = ("TOX", "UV_", "PIP_", "PYTHON", "VIRTUALENV", "WHEELFARM", "COV_", "COVERAGE")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(leave)}
        own = {"UV_CACHE_DIR": str(self.cache / "uv")}
        own |= {"XDG_CACHE_HOME": str(self.cache), "UV_HTTP_RETRIES": "0", "PYTHONDONTWRITEBYTECODE": "1"}
        return {**kept, **own, **self.variables}

    def tox(self, *arguments, reports=True):
        """Run tox, with a report unless that is not wanted."""
        report = self.root / "report.json"
        report.unlink(missing_ok=True)
        flags = ["--result-json", str(report)] if reports else []
        output = self.cache / "output.txt"
        code = self.ready([*flags, *arguments], self.root, self.environment(), output)
        said = output.read_text("utf-8", errors="replace")
        assert "Traceback" not in LOST_LINE.sub("", said), said
        told = json.loads(report.read_text("utf-8")) if report.exists() else {}
        return Run(code, said, told)

    def passes(self, *arguments):
        """Run tox, which must succeed."""
        run = self.tox(*arguments)
        assert run.code == 0, run.said
        return run

    def fails(self, *arguments):
        """Run tox, which must not succeed."""
        run = self.tox(*arguments)
        assert run.code != 0, run.said
        return run

    def env(self, name="a"):
        """The folder of an environment."""
        return self.root / ".tox" / name

    def site(self, name="a"):
        """The packages of an environment."""
        return next(self.env(name).glob("lib/py*/site-packages"))

    def born(self, name="a"):
        """What is another after a rebuild."""
        return (self.env(name) / "pyvenv.cfg").stat().st_ino, (
            self.env(name) / "pyvenv.cfg"
        ).stat().st_mtime_ns


@pytest.fixture(scope="session")
def ready_tox():
    """Runs tox: arguments, folder, variables and a file for its output in, the exit code out."""
    command = [sys.executable, str(Path(__file__).with_name("ready_tox.py"))]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(arguments, folder, variables, output):
        asked = {"arguments": arguments, "folder": str(folder), "variables": variables, "output": str(output)}
        server.stdin.write(json.dumps(asked) + "\n")
        server.stdin.flush()
        readable, _, _ = select.select([server.stdout], [], [], SECONDS)
        assert readable, f"tox took longer than {SECONDS} s: {output.read_text('utf-8')}"
        return int(server.stdout.readline())

    yield run
    server.stdin.close()
    server.wait(timeout=SECONDS)
    server.stdout.close()


@pytest.fixture
def bench(tmp_path, index, ready_tox):
    """A bench with an empty project."""
    root = tmp_path / "project"
    root.mkdir()
    cache = tmp_path / "cache"
    cache.mkdir()
    return Bench(root, index, cache, ready_tox, {"UV_DEFAULT_INDEX": index.simple})


@pytest.fixture
def toys(index):
    """The index with two releases of a package, and one that needs it."""
    for version in ("1.0", "2.0"):
        index.release("low", version)
    index.release("needy", "1.0", "low")
    return index


@pytest.fixture
def wheels(bench, toys):
    """A folder of the project with the first release."""
    folder = bench.root / "wheels"
    folder.mkdir()
    toys.put("low-1.0-py3-none-any.whl", folder)
    return folder
