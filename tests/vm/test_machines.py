"""Machines of a real image: clones, isolation, and that nothing outlives its lease."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from farm_workers.leases import LeaseError, lease

from .holding import HeldHome, qemu_processes, until

LEASE_SECONDS = 400
CLIENT = """
import sys, time
from pathlib import Path
from farm_workers.leases import LeaseRequest, lease
with lease(Path(sys.argv[1]), LeaseRequest.parse(sys.stdin.buffer.readline()), timeout=400):
    print("leased", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def restarted(held: HeldHome) -> Iterator[None]:
    """No clone that this test left waiting is there for the next one."""
    yield
    held.stop()
    held.start()


def test_clone_answers_and_is_gone_after_its_lease(held: HeldHome) -> None:
    """A lease gives a clone of the template whose agent answers, and leaves neither process nor file."""
    with lease(held.socket, held.request(), timeout=LEASE_SECONDS) as machine:
        assert machine.cloned
        assert qemu_processes(held.home)
    until(lambda: not qemu_processes(held.home), seconds=15)
    until(lambda: not list((held.home / "machines").glob("*")), seconds=5)


def test_waiting_clone_serves_the_next_lease(held: HeldHome, restarted: None) -> None:
    """After a lease one clone waits for the next one, which takes it."""
    del restarted
    with lease(held.socket, held.request(warm=True), timeout=LEASE_SECONDS) as machine:
        until(lambda: len(qemu_processes(held.home)) == 2, seconds=30)
        first = machine.machine_id
    until(lambda: len(qemu_processes(held.home)) == 1, seconds=15)
    with lease(held.socket, held.request(warm=True), timeout=LEASE_SECONDS) as machine:
        assert machine.warm
        assert machine.machine_id != first


def test_qemu_is_shut_in(held: HeldHome) -> None:
    """QEMU runs as a user of its own, without rights, in a network of its own and blind to the farm's home."""
    (held.home / "record.sqlite").touch()
    with lease(held.socket, held.request(), timeout=LEASE_SECONDS):
        process = qemu_processes(held.home)[0]
        lines = (process / "status").read_text(encoding="utf-8").splitlines()
        status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
        assert int(status["Uid"].split()[0]) not in {0, os.getuid()}
        assert int(status["CapEff"], 16) == 0
        assert status["NoNewPrivs"] == "1"
        assert (process / "ns/net").readlink() != Path("/proc/self/ns/net").readlink()
        seen = {path.name for path in (process / "root" / held.home.relative_to("/")).iterdir()}
        assert seen <= {"images", "machines", "templates", "libvirt"}


def test_killed_client_leaves_no_machine(held: HeldHome) -> None:
    """A client that dies by SIGKILL takes its machine with it."""
    with subprocess.Popen(
        [sys.executable, "-c", CLIENT, str(held.socket)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        client.stdin.write(held.request().line())
        client.stdin.flush()
        assert client.stdout.readline() == b"leased\n"
        assert qemu_processes(held.home)
        client.kill()
    until(lambda: not qemu_processes(held.home), seconds=15)


def test_killed_holder_leaves_nothing_after_its_next_start(held: HeldHome) -> None:
    """A holder that dies by SIGKILL leaves its machines to the next one, which destroys them."""
    with lease(held.socket, held.request(), timeout=LEASE_SECONDS):
        held.process.send_signal(signal.SIGKILL)
        held.process.wait(timeout=10)
        assert qemu_processes(held.home)
    held.start_holder()
    assert not qemu_processes(held.home)
    assert not list((held.home / "machines").glob("*"))


def test_killed_qemu_ends_the_channel(held: HeldHome) -> None:
    """Whoever runs a job sees the end of the channel when QEMU is killed, and the next lease works."""
    with lease(held.socket, held.request(), timeout=LEASE_SECONDS) as machine:
        for process in qemu_processes(held.home):
            os.kill(int(process.name), signal.SIGKILL)
        machine.channel.settimeout(10)
        assert machine.channel.recv(1) == b""
    with lease(held.socket, held.request(), timeout=LEASE_SECONDS) as machine:
        assert machine.cloned


def test_machines_that_lost_the_index_proxy_are_taken_back(held: HeldHome, restarted: None) -> None:
    """When the index proxy was killed and started anew, leases end with a reason and no waiting clone is used."""
    del restarted
    with lease(held.socket, held.request(warm=True), timeout=LEASE_SECONDS) as machine:
        until(lambda: len(qemu_processes(held.home)) == 2, seconds=30)
        held.restart_index()
        machine.channel.settimeout(15)
        assert machine.channel.recv(1) == b""
        with pytest.raises(LeaseError, match="index proxy was started anew"):
            machine.check()
    with lease(held.socket, held.request(warm=True), timeout=LEASE_SECONDS) as machine:
        assert not machine.warm
        machine.check()


def test_damaged_template_is_made_anew(held: HeldHome) -> None:
    """A template that cannot be restored is never the project's failure: it is made anew."""
    with lease(held.socket, held.request(), timeout=LEASE_SECONDS):
        pass
    for state in (held.home / "templates").glob("*/state"):
        state.write_bytes(b"damaged" * 1000)
    said: list[str] = []
    with lease(held.socket, held.request(), timeout=LEASE_SECONDS, progress=said.append) as machine:
        assert machine.cloned
    assert "booting the template machine" in said


def test_request_that_is_none_is_refused(held: HeldHome) -> None:
    """The holder answers words that it does not know with one sentence and goes on."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(held.socket))
        connection.sendall(b'{"image": 3}\n')
        assert "does not know" in json.loads(connection.recv(4096))["error"]
    assert held.process.poll() is None


def test_missing_index_proxy_is_named(held: HeldHome) -> None:
    """A machine whose index proxy is gone is not started, and the error says what is missing."""
    held.index.kill()
    held.index.wait(timeout=10)
    with (
        pytest.raises(LeaseError, match="index proxy"),
        lease(held.socket, held.request(), timeout=LEASE_SECONDS),
    ):
        pass
    held.stop()
    held.start()
