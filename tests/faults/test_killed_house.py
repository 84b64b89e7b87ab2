"""Kill -9 of each process below a real `wheelfarm up`: it alone is started again, soon, and nothing else is lost."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from farm_cli.children import NAMES, children
from farm_cli.probes import listens, worker_waits
from farm_scheduler.settings import Settings

from .farm import RECOVERS_SECONDS, Process, free_port, wait_for

MODULES = {"api": "farm_api.server", "supervisor": "farm_cli.supervisor", "holder": "farm_workers.holder"}
"""What is no child of the service, or becomes another program than the one that is started."""


@dataclass(frozen=True, kw_only=True)
class House:
    """A `wheelfarm up`."""

    process: Process
    settings: Settings
    port: int

    def pid(self, name: str) -> int:
        """The process of a child of `up` (`api`) or of its service, or 0."""
        if name in MODULES:
            return self._find(lambda words: words[1:3] == ("-m", MODULES[name]))
        argv = next(plan.argv for plan in children(self.settings) if plan.name == name)
        return self._find(lambda words: words[: len(argv)] == argv)

    def _find(self, fits: Callable[[tuple[str, ...]], bool]) -> int:
        mine = f"WHEELFARM_HOME={self.settings.home}".encode()
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                words = tuple((folder / "cmdline").read_bytes().decode().split("\0"))
                if fits(words) and mine in (folder / "environ").read_bytes().split(b"\0"):
                    return int(folder.name)
        return 0

    def pids(self) -> dict[str, int]:
        """All of them."""
        return {name: self.pid(name) for name in (*NAMES, "api")}

    def serves(self) -> bool:
        """Whether the API answers."""
        with contextlib.suppress(httpx.HTTPError):
            url = f"http://127.0.0.1:{self.port}/healthz"
            return httpx.get(url, timeout=5, trust_env=False).status_code == 200
        return False

    def works(self) -> bool:
        """Whether messages go through Redis to the worker, and the holder and the index proxy listen."""
        sockets = (self.settings.holder_socket, self.settings.index_socket)
        return worker_waits(self.settings) and all(map(listens, sockets))

    def kill(self, name: str) -> None:
        """Kill -9 of one, and wait until another is there."""
        before = self.pid(name)
        assert before
        os.kill(before, signal.SIGKILL)
        wait_for(lambda: self.pid(name) not in {0, before}, RECOVERS_SECONDS)


@pytest.fixture
def house(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """On a home of its own; Ctrl-C ends it, and it leaves no process."""
    monkeypatch.setenv("WHEELFARM_HOME", str(home))
    monkeypatch.setenv("WHEELFARM_SLOTS", "1")
    monkeypatch.setenv("C_FORCE_ROOT", "1")
    port = free_port()
    argv = [sys.executable, "-m", "farm_cli", "up", "--port", str(port)]
    with (home / "up.log").open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log)
    made = House(process=process, settings=Settings(), port=port)
    try:
        wait_for(lambda: "the farm is up" in (home / "up.log").read_text())
        yield made
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=90) == 0, (home / "up.log").read_text()
    assert made.pids() == dict.fromkeys(made.pids(), 0)


def test_a_killed_api_is_started_again_alone(house: House) -> None:
    """Three times in a row: it answers again within a minute, and the service with its jobs is what it was."""
    before = house.pids()
    for _ in range(3):
        house.kill("api")
        wait_for(house.serves, RECOVERS_SECONDS)
    time.sleep(2)  # a service that is torn down begins with beat, at once
    assert house.pids() == {**before, "api": house.pid("api")}


def test_an_api_that_hangs_is_started_again_alone(house: House) -> None:
    """One that is stopped and answers nobody is killed, and another answers within a minute."""
    before = house.pids()
    os.kill(before["api"], signal.SIGSTOP)
    wait_for(lambda: house.pid("api") not in {0, before["api"]} and house.serves(), RECOVERS_SECONDS)
    assert house.pids() == {**before, "api": house.pid("api")}


def test_an_api_that_cannot_be_started_at_once_is_tried_again(house: House) -> None:
    """Its port is somebody else's for a while: it answers when that is over, and the service was left alone."""
    before = house.pids()
    os.kill(before["api"], signal.SIGKILL)
    with contextlib.ExitStack() as stack:
        wait_for(lambda: took(house.port, stack))
        log = house.settings.logs / "pages.log"
        wait_for(lambda: log.read_text().count("Address already in use") > 1, RECOVERS_SECONDS)
    wait_for(house.serves, RECOVERS_SECONDS)
    assert house.pids() == {**before, "api": house.pid("api")}


def took(port: int, stack: contextlib.ExitStack) -> bool:
    """Whether the port could be taken, for as long as the stack stands."""
    with contextlib.suppress(OSError):
        stack.enter_context(socket.create_server(("127.0.0.1", port)))
        return True
    return False


@pytest.mark.parametrize("name", NAMES)
def test_a_killed_process_of_the_service_is_started_again_alone(house: House, name: str) -> None:
    """It does its work within a minute, or lets the worker do it; every other process is the one that it was."""
    before = house.pids()
    house.kill(name)
    wait_for(house.works, RECOVERS_SECONDS)
    assert house.pids() == {**before, name: house.pid(name)}
    assert house.serves()


def test_a_killed_supervisor_leaves_the_api(house: House) -> None:
    """Its children end with it; the service is started again, while the API goes on."""
    before = house.pids()
    house.kill("supervisor")
    wait_for(lambda: 0 not in house.pids().values() and house.works(), RECOVERS_SECONDS)
    assert before["api"] == house.pid("api")
    assert house.serves()
