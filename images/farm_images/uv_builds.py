"""uv's builds of Python (python-build-standalone, and PyPy's own): fetched to the host to be copied into images.

Called by providers. uv checks what it fetches against the checksums in its own list, from the internet or a mirror. A
build is unpacked and never started here. What cannot be fetched is told, and is no error: other providers may do.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from farm_images.catalogue import python_name
from farm_images.interpreters import HostInterpreter

LIST = "downloads.json"
"""A list of downloads in a mirror folder, in uv's own format: it stands in for the list that uv brings."""

LOOK_SECONDS = 0.3
LIST_SECONDS = 30.0
FETCH_SECONDS = 900.0
WAIT_SECONDS = "30"
RETRIES = "1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """One build of uv's list: `key` is what uv calls it and its folder, `url` where it is without a mirror."""

    key: str
    python: str
    version: str
    implementation: str
    threaded: bool
    url: str

    @property
    def name(self) -> str:
        """As Pythons are named everywhere: `3.14`, `3.14t`, `pypy3.11`."""
        return python_name(self.implementation, self.python, threaded=self.threaded)


@dataclass(frozen=True, slots=True, kw_only=True)
class UvBuilds:
    """Where uv's builds come from, and where this host keeps them.

    Attributes:
        folder: a folder of the farm's own; uv locks it.
        mirror: a folder, or a URL, with the layout of the releases of python-build-standalone
            (`DATE/FILE`; PyPy's files lie in it directly); empty for the internet.
    """

    folder: Path
    mirror: str = ""

    def expected(self, names: Sequence[str], *, fetched: bool) -> list[HostInterpreter]:
        """Of these Pythons, those that were fetched before or lie in a mirror folder.

        With `fetched` also those that uv would have to fetch over the network: nobody asks whether they are there.
        """
        far = fetched and self._mirror_folder() is None
        if not far and self._mirror_folder() is None and not self.folder.is_dir():
            return []
        builds = self._builds(names)
        return [
            self._interpreter(each) for each in builds if far or self._there(each) or self._mirrored(each)
        ]

    def fetch(
        self, names: Sequence[str], stop: threading.Event | None = None
    ) -> tuple[list[HostInterpreter], str | None]:
        """The newest build of each of these Pythons, fetched if need be; and why some are missing, in a sentence.

        Setting `stop` ends it early; what is not there then is missing.
        """
        builds = self._builds(names)
        wanted = [each.key for each in builds if not self._there(each)]
        said = self._install(wanted, stop or threading.Event()) if wanted else ""
        found = [self._interpreter(each) for each in builds if self._there(each)]
        lacking = [each.name for each in builds if not self._there(each)]
        if not lacking:
            return found, None
        advice = "WHEELFARM_PYTHON_MIRROR can name a mirror" if not self.mirror else f"mirror: {self.mirror}"
        return found, f"uv could not fetch {', '.join(lacking)}: {said or 'it said nothing'} ({advice})"

    def _builds(self, names: Sequence[str]) -> list[Build]:
        """The newest build of each name that uv knows for this kind of machine; pre-releases where nothing else is."""
        options = ["--only-downloads", "--output-format", "json", *self._list_option()]
        done = _uv(["list", *options], LIST_SECONDS, threading.Event()) if names else None
        try:
            entries = json.loads(done.stdout) if done is not None and done.returncode == 0 else []
        except (ValueError, RecursionError):
            entries = []
        found: dict[str, Build] = {}
        for build in _read(entries):
            found.setdefault(build.name, build)  # uv lists the newest first.
        return [found[name] for name in names if name in found]

    def _install(self, keys: Iterable[str], stop: threading.Event) -> str:
        """Have uv fetch these; what it complained of."""
        options = ["--no-bin", "--install-dir", str(self.folder), *self._list_option()]
        if self.mirror:
            folder = self._mirror_folder()
            url = folder.absolute().as_uri() if folder is not None else self.mirror
            options += ["--mirror", url, "--pypy-mirror", url]
        self.folder.mkdir(parents=True, exist_ok=True)
        done = _uv(["install", *options, *keys], FETCH_SECONDS, stop)
        if done is None:
            return "it was stopped" if stop.is_set() else f"it took over {FETCH_SECONDS:.0f} s"
        causes = [line.strip() for line in done.stderr.splitlines() if line.strip().startswith("cause:")]
        last = causes[-1].removeprefix("cause:") if causes else done.stderr.strip().rpartition("\n")[2]
        return last.strip()[:200]

    def _mirror_folder(self) -> Path | None:
        if self.mirror.startswith("file://"):
            return Path(unquote(urlsplit(self.mirror).path))
        return Path(self.mirror) if self.mirror and "://" not in self.mirror else None

    def _list_option(self) -> list[str]:
        folder = self._mirror_folder()
        own = folder / LIST if folder is not None else None
        return ["--python-downloads-json-url", str(own)] if own is not None and own.is_file() else []

    def _there(self, build: Build) -> bool:
        return (self._interpreter(build).folder / "bin" / self._interpreter(build).program).exists()

    def _mirrored(self, build: Build) -> bool:
        folder = self._mirror_folder()
        if folder is None:
            return False
        *_, date, file = urlsplit(build.url).path.split("/")
        return any((folder / unquote(place)).is_file() for place in (f"{date}/{file}", file))

    def _interpreter(self, build: Build) -> HostInterpreter:
        return HostInterpreter(
            folder=self.folder / build.key,
            python=build.python,
            version=build.version,
            implementation=build.implementation,
            threaded=build.threaded,
            provider="uv",
            guest_name=f"uv-{'' if build.implementation == 'cpython' else build.implementation}{build.version}"
            + ("t" if build.threaded else ""),
        )


def _uv(
    arguments: list[str], seconds: float, stop: threading.Event
) -> subprocess.CompletedProcess[str] | None:
    """Run `uv python …`, deaf to the person's own settings of uv; None when it had to be ended. It dies with us."""
    command = ["setpriv", "--pdeathsig", "KILL", "--", sys.executable, "-m", "uv", "python", *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("UV_")}
    environment |= {"UV_HTTP_TIMEOUT": WAIT_SECONDS, "UV_HTTP_RETRIES": RETRIES}
    deadline = time.monotonic() + seconds
    with subprocess.Popen(
        [*command, "--no-config", "--no-progress"],
        env=environment,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        while not stop.is_set() and time.monotonic() < deadline:
            try:
                out, errors = process.communicate(timeout=LOOK_SECONDS)
            except subprocess.TimeoutExpired:
                continue
            return subprocess.CompletedProcess(command, process.returncode, out, errors)
        process.kill()
    return None


def _read(entries: object) -> Iterable[Build]:
    """The builds of uv's list, as `uv python list --output-format json` tells it."""
    for entry in entries if isinstance(entries, list) else []:
        variant, version = str(entry.get("variant")), str(entry.get("version"))
        if entry.get("implementation") in ("cpython", "pypy") and variant in ("default", "freethreaded"):
            parts = entry["version_parts"]
            yield Build(
                key=str(entry["key"]),
                python=f"{parts['major']}.{parts['minor']}",
                version=version,
                implementation=str(entry["implementation"]),
                threaded=variant == "freethreaded",
                url=str(entry.get("url") or ""),
            )
