"""A unix socket that stands for the agent's, for tests of the plugins without it."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

from farm_images.agent_archive import install_guest_files
from farm_images.subunit_stream import Decoder, Event
from farm_images.wire import PYTEST_PLUGINS_PATH


class Listening:
    """Takes connections and keeps their events, one list per connection."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.connections: list[list[Event]] = []
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen()
        self._threads: list[threading.Thread] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            events: list[Event] = []
            self.connections.append(events)
            thread = threading.Thread(target=_read, args=(connection, events), daemon=True)
            thread.start()
            self._threads.append(thread)

    def close(self) -> list[Event]:
        """Wait until everyone has hung up; all events."""
        with socket.socket(socket.AF_UNIX) as last:  # once it is answered, all before it were accepted
            last.connect(str(self.path))
            last.shutdown(socket.SHUT_WR)
            last.recv(1)
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in self._threads:
            thread.join(timeout=20)
        return [event for events in self.connections for event in events]


def _read(connection: socket.socket, events: list[Event]) -> None:
    decoder = Decoder()
    with connection:
        while data := connection.recv(1 << 16):
            events.extend(decoder.feed(data))
    events.extend(decoder.close())
    assert (decoder.garbled_bytes, decoder.truncated_bytes) == (0, 0)


class PytestRun:
    """One run of pytest with our plugin, as the tox plugin starts it, and pytest's own account of it."""

    def __init__(
        self,
        folder: Path,
        files: Mapping[str, str],
        *options: str,
        python: str = sys.executable,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        root = folder / "guest"
        install_guest_files(root)
        plugin = root / PYTEST_PLUGINS_PATH.lstrip("/")
        for name, text in files.items():
            path = folder / "project" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        listening = Listening(Path(f"/tmp/wf-{os.getpid()}-{id(self)}.sock"))
        environ = environ or {}
        variables = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            **environ,
            "PYTHONPATH": os.pathsep.join([str(plugin), *filter(None, [environ.get("PYTHONPATH")])]),
            "WHEELFARM_RESULTS": str(listening.path),
            "WHEELFARM_ENVIRONMENT": "one",
        }
        self.junit = folder / "junit.xml"
        try:
            done = subprocess.run(
                [python, "-m", "pytest", f"--junitxml={self.junit}", *options],
                cwd=folder / "project",
                env=variables,
                capture_output=True,
                text=True,
                timeout=100,
                check=False,
            )
        finally:
            self.events = [each for each in listening.close() if " (process " not in str(each.test_id)]
            listening.path.unlink()
        self.exit_code = done.returncode
        self.output = done.stdout + done.stderr

    def tests(self) -> dict[str, str]:
        """The last status of each test."""
        found = [e for e in self.events if e.runnable and e.status not in {None, "exists"}]
        return {str(event.test_id): str(event.status) for event in found}

    def attachment(self, test_id: str, name: str) -> str:
        """An attachment of a test."""
        wanted = [e.file_bytes or b"" for e in self.events if e.test_id == test_id and e.file_name == name]
        return b"".join(wanted).decode()

    def account(self) -> dict[str, str]:
        """What pytest's JUnit file says: `class.name` to success, fail or skip."""
        account: dict[str, str] = {}
        for case in ElementTree.parse(self.junit).getroot().iter("testcase"):
            name = ".".join(filter(None, (case.get("classname"), case.get("name"))))
            kinds = {child.tag for child in case}
            status = "fail" if kinds & {"failure", "error"} else "skip" if "skipped" in kinds else "success"
            if account.get(name) != "fail":
                account[name] = status
        return account

    def in_junit_terms(self) -> dict[str, str]:
        """Our account with the names and the few words of the JUnit file."""
        words = {"xfail": "skip", "uxsuccess": "success"}
        return {_junit_name(test_id): words.get(status, status) for test_id, status in self.tests().items()}


def _junit_name(test_id: str) -> str:
    path, _, rest = test_id.partition("::")
    function, bracket, parameters = rest.partition("[")
    module = path.removesuffix(".py").replace("/", ".")
    return ".".join(filter(None, (module, function.replace("::", ".")))) + bracket + parameters
