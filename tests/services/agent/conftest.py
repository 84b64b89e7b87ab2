"""The real agent as a process of its own on a unix socket, with a folder that stands for the guest's `/`."""

import contextlib
import hashlib
import io
import json
import os
import sys
import tarfile
import tempfile
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.services.agent_process import ENVIRONMENT, LOG, fill_guest, start_agent

from farm_images.subunit_stream import Decoder, Event
from farm_images.wire import (
    AnyJob,
    FrameType,
    HelloFrame,
    JobFrame,
    LimitsFrame,
    SourceFrame,
    data_frames,
    encode_frame,
)

SITE_PACKAGES = ENVIRONMENT / f"lib/python3.{sys.version_info.minor}/site-packages"
TOX_INI = """
[tox]
skipsdist = true
env_list = one
[testenv]
skip_install = true
set_env =
    PYTHONPATH = {site_packages}
commands = {commands}
"""


class Stream:
    """The events of one job, with the questions that tests ask."""

    def __init__(self, events: list[Event]) -> None:
        self.events = events

    def statuses(self, test_id: str, route: str | None = None) -> list[str]:
        """Every status of an id, in order."""
        wanted = [e for e in self.events if e.test_id == test_id and (route is None or e.route_code == route)]
        return [event.status for event in wanted if event.status]

    def tests(self) -> dict[str, str]:
        """The last status of each test."""
        found = [e for e in self.events if e.runnable and e.test_id and e.status not in {None, "exists"}]
        return {str(event.test_id): str(event.status) for event in found}

    def attachment(self, test_id: str, name: str) -> bytes:
        """The chunks of an attachment, joined."""
        wanted = [e for e in self.events if e.test_id == test_id and e.file_name == name]
        return b"".join(event.file_bytes or b"" for event in wanted)

    @property
    def log(self) -> str:
        """What tox and its commands wrote."""
        return self.attachment("farm:tox", "log").decode(errors="replace")

    @property
    def job(self) -> dict[str, Any]:
        """The content of job.json."""
        content: dict[str, Any] = json.loads(self.attachment("farm:job", "job.json"))
        return content


class AgentHost:
    """The host's side of one agent process."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.log_path = root / LOG
        self.process, self.channel = start_agent(root)
        self.channel.settimeout(60)
        self._decoder = Decoder()
        self._events: list[Event] = []

    def close(self) -> None:
        """End the agent as a machine's end would."""
        self.channel.close()
        try:
            self.process.wait(timeout=15)
        finally:
            self.process.kill()

    def next_event(self) -> Event:
        """The next event of the stream, which must not be garbled."""
        while not self._events:
            data = self.channel.recv(1 << 16)
            assert data, self.log_path.read_text()
            self._events = self._decoder.feed(data)
            assert self._decoder.garbled_bytes == 0
        return self._events.pop(0)

    def hello(self, nonce: str = "n1") -> Event:
        """Greet; the answer."""
        frame = HelloFrame(time=time.time(), entropy=os.urandom(64), nonce=nonce)
        self.channel.sendall(encode_frame(FrameType.HELLO, frame.payload()))
        return self.next_event()

    def send(self, frame: AnyJob, source: bytes | None = None) -> None:
        """Send a job and its source."""
        self.channel.sendall(encode_frame(FrameType.JOB, frame.payload()))
        if source is not None:
            for data in data_frames(iter([source])):
                self.channel.sendall(data)

    def until(self, test_id: str = "farm:job", status: str | None = None) -> Stream:
        """The events up to one with this id and a status."""
        events = []
        while True:
            events.append(self.next_event())
            last = events[-1]
            if last.test_id == test_id and last.status and status in {None, last.status}:
                return Stream(events)

    def run(self, files: dict[str, str], **job: Any) -> Stream:
        """Run a project of these files to its end."""
        self.start(files, **job)
        return self.until()

    def start(self, files: dict[str, str], **job: Any) -> None:
        """Send a project of these files and the job that runs it."""
        source = project_archive(files)
        self.send(job_frame(source, **job), source)


def job_frame(
    source: bytes, *, seconds: float = 100, log_bytes: int = 1 << 26, sha256: str = "", **fields: Any
) -> JobFrame:
    """A job on this source, by default its environment `one`."""
    announced = SourceFrame(bytes=len(source), sha256=sha256 or hashlib.sha256(source).hexdigest())
    limits = LimitsFrame(seconds=seconds, log_bytes=log_bytes)
    fields = {"job": "j-1", "environments": ("one",)} | fields
    return JobFrame(source=announced, limits=limits, **fields)


def project_archive(files: dict[str, str]) -> bytes:
    """A tar.gz of one top folder."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w:gz") as tar:
        for name, text in files.items():
            content = textwrap.dedent(text).encode()
            member = tarfile.TarInfo(name if name.startswith("/") else f"project/{name}")
            member.size, member.mtime = len(content), 1_700_000_000  # zip files know no time before 1980
            tar.addfile(member, io.BytesIO(content))
    return sink.getvalue()


def tox_ini(commands: str = "python -m pytest -p no:cacheprovider {posargs}") -> str:
    """A configuration whose environments find pytest without installing it."""
    return TOX_INI.replace("{site_packages}", str(SITE_PACKAGES)).replace("{commands}", commands)


@pytest.fixture(scope="session")
def warm_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache folder of the job's user, as a template would have it: filled by the first test."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def guest_root(warm_cache: Path) -> Iterator[Path]:
    """A folder with what the agent needs of a guest; short, as sockets are made in it."""
    with tempfile.TemporaryDirectory(prefix="wf-", dir="/tmp") as name:
        root = Path(name)
        fill_guest(root)
        (root / "home/job/.cache").symlink_to(warm_cache)
        yield root


@pytest.fixture
def agent(guest_root: Path) -> Iterator[AgentHost]:
    """A running agent that has answered nothing yet."""
    with contextlib.closing(AgentHost(guest_root)) as host:
        yield host
