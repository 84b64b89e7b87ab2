"""A toy index on loopback that counts what it is asked for, and a project on which the real tox is run."""

import base64
import hashlib
import io
import json
import os
import re
import select
import subprocess
import sys
import threading
import zipfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from uv import find_uv_bin

SECONDS = 120
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


def wheel(name, version, requires=(), *, extras=(), scripts=(), code="", tag="py3-none-any", shared=()):
    """The bytes of a wheel with one module, scripts that run it, and files that other wheels have as well."""
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    metadata = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    metadata += [f"Provides-Extra: {extra}" for extra in extras]
    metadata += [f"Requires-Dist: {each}" for each in requires]
    module = name.replace("-", "_")
    tags = "".join(f"Tag: {each}-none-any\n" for each in tag.partition("-")[0].split("."))
    members = {
        f"{module}.py": code or f"VERSION = {version!r}\ndef main():\n    print(VERSION)\n",
        f"{info}/METADATA": "\n".join(metadata) + "\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: toy\nRoot-Is-Purelib: true\n" + tags,
    }
    members.update(shared)
    if scripts:
        lines = "".join(f"{script} = {module}:main\n" for script in scripts)
        members[f"{info}/entry_points.txt"] = f"[console_scripts]\n{lines}"
    record = "".join(
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b'=').decode()},"
        f"{len(text)}\n"
        for path, text in members.items()
    )
    members[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n"
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        for path, text in members.items():
            archive.writestr(zipfile.ZipInfo(path, (2020, 1, 1, 0, 0, 0)), text)
    return body.getvalue()


@dataclass
class Index:
    """Files by project, when some of them were uploaded (None: untold), and every path that was asked for."""

    url: str
    files: dict = field(default_factory=dict)
    asked: list = field(default_factory=list)
    uploads: dict = field(default_factory=dict)
    dead: bool = False
    gate: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self):
        """Open: files are given at once until a test closes the gate."""
        self.gate.set()

    @property
    def simple(self):
        """Where its pages are."""
        return f"{self.url}/simple/"

    def release(self, name, version, *requires, yanked=False, tag="py3-none-any", **told):
        """Add a wheel and give its hash; `requires` may have markers."""
        body = wheel(name, version, requires, tag=tag, **told)
        file = f"{name.replace('-', '_')}-{version}-{tag}.whl"
        self.files.setdefault(name, {})[file] = (body, yanked)
        return f"sha256:{hashlib.sha256(body).hexdigest()}"

    def put(self, file, folder):
        """Copy a file into a folder, and give its hash."""
        body = self.files[file.partition("-")[0]][file][0]
        (folder / file).write_bytes(body)
        return f"sha256:{hashlib.sha256(body).hexdigest()}"

    def answer(self, path, accept=""):
        """Body and content type, or None; a page in HTML for who does not know JSON."""
        kind, _, rest = path.lstrip("/").partition("/")
        name, _, wanted = rest.strip("/").partition("/")
        files = self.files.get(name, {})
        if kind == "files" and wanted in files:
            return files[wanted][0], "application/octet-stream"
        if kind != "simple" or name not in self.files:
            return None
        told = [
            {
                "filename": file,
                "url": f"{self.url}/files/{name}/{file}",
                "hashes": {"sha256": hashlib.sha256(body).hexdigest()},
                "upload-time": self.uploads.get(file, "2020-01-01T00:00:00Z"),
                "yanked": yanked,
            }
            for file, (body, yanked) in files.items()
        ]
        if "json" not in accept:
            links = [
                f'<a href="{each["url"]}#sha256={each["hashes"]["sha256"]}">{each["filename"]}</a>'
                for each in told
            ]
            return "<br>".join(links).encode(), "text/html"
        page = {"meta": {"api-version": "1.1"}, "name": name, "versions": [], "files": told}
        return json.dumps(page).encode(), "application/vnd.pypi.simple.v1+json"


@contextmanager
def serving():
    """An empty index that serves until it is left."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            toy.asked.append(self.path)
            if self.path.startswith("/files/"):
                toy.gate.wait(SECONDS)
            found = None if toy.dead else toy.answer(self.path, self.headers.get("Accept", ""))
            body, kind = found or (b"", "text/plain")
            self.send_response(200 if found else 503 if toy.dead else 404)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(BrokenPipeError):  # who asked may have been killed
                self.wfile.write(b"" if self.command == "HEAD" else body)

        do_HEAD = do_GET  # noqa: N815 - the name is the base class's

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    toy = Index(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield toy
    toy.gate.set()
    server.shutdown()
    server.server_close()
    thread.join()


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
