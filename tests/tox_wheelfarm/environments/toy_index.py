"""A toy index on loopback that counts what it is asked for, and the wheels that it gives."""

import base64
import hashlib
import io
import json
import threading
import zipfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECONDS = 120


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
    login: str = ""
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
            given = self.headers.get("Authorization", "").partition(" ")[2]
            if toy.login and base64.b64decode(given).decode() != toy.login:
                self.send_response(401)
                self.send_header("WWW-Authenticate", "Basic")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
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
