"""A package index (PEP 503) of tiny releases that are made on the spot; it counts what it is asked."""

import base64
import hashlib
import io
import tarfile
import threading
import zipfile
from dataclasses import dataclass, field
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tox_wheelfarm.locks.pin import Pin, PinnedFile


def wheel(name, version, requires=(), tag="py2.py3-none-any", body=""):
    """The file name and bytes of a wheel with one module, which says its version."""
    module, info = name.replace("-", "_"), f"{name.replace('-', '_')}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += "".join(f"Requires-Dist: {each}\n" for each in requires)
    pure = "true" if tag.endswith("-any") else "false"
    files = {
        f"{module}.py": body
        or f'version = "{version}"\ntag = "{tag}"\n\n\ndef main():\n    print(version)\n',
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: toy\nRoot-Is-Purelib: {pure}\nTag: {tag}\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name} = {module}:main\n",
    }
    lines = [
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip('=')},"
        f"{len(text.encode())}"
        for path, text in files.items()
    ]
    files[f"{info}/RECORD"] = "\n".join([*lines, f"{info}/RECORD,,", ""])
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path, (2020, 2, 2, 2, 2, 2)), text)
    return f"{module}-{version}-{tag}.whl", packed.getvalue()


def source(name, version, setup="", more=None):
    """The file name and bytes of a source archive with a setup.py."""
    module, stem = name.replace("-", "_"), f"{name}-{version}"
    files = {
        "setup.py": f'from setuptools import setup\nsetup(name="{name}", version="{version}", '
        f'py_modules=["{module}"]{setup})\n',
        f"{module}.py": f'version = "{version}"\n',
        "PKG-INFO": f"Metadata-Version: 1.1\nName: {name}\nVersion: {version}\n",
        **(more or {}),
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for path, text in files.items():
            entry = tarfile.TarInfo(f"{stem}/{path}")
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return f"{stem}.tar.gz", packed.getvalue()


@dataclass
class ToyIndex:
    """The releases, and every path that was asked for."""

    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def add(self, project, file):
        """Offer a file, as `wheel` and `source` make them; gives its name."""
        self.files.setdefault(project, {})[file[0]] = file[1]
        return file[0]

    def pin(self, project, version, *names):
        """The pin of a release with some of its files, all of the project without names."""
        chosen = names or tuple(self.files[project])
        return Pin(project, version, tuple(PinnedFile(each, (self.hash(project, each),)) for each in chosen))

    def hash(self, project, name):
        """The hash of a file as pins have it."""
        return "sha256:" + hashlib.sha256(self.files[project][name]).hexdigest()

    @cached_property
    def server(self):
        """The server, at work."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return server

    @property
    def url(self):
        """The index as pip and uv want it."""
        return f"http://127.0.0.1:{self.server.server_port}/simple/"

    def stop(self):
        """Be gone: whoever asks now is refused the connection."""
        self.server.shutdown()
        self.server.server_close()

    def answer(self, path):
        """The bytes at a path, or None."""
        parts = [part for part in path.split("/") if part]
        if parts[:1] == ["simple"] and len(parts) == 2 and parts[1] in self.files:
            links = [
                f'<a href="/files/{parts[1]}/{name}#{self.hash(parts[1], name).replace(":", "=")}">{name}</a>'
                for name in self.files[parts[1]]
            ]
            return f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>".encode()
        return (
            self.files.get(parts[1], {}).get(parts[2]) if parts[:1] == ["files"] and len(parts) == 3 else None
        )

    def _handler(self):
        index = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                index.asked.append(self.path)
                body = index.answer(self.path)
                self.send_response(200 if body is not None else 404)
                self.send_header(
                    "Content-Type", "text/html" if "/simple/" in self.path else "application/octet-stream"
                )
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, *_):
                """Nothing on the terminal."""

        return Handler
