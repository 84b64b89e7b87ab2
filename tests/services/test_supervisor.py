"""The supervisor of the embedded service, with its real processes: Redis and the index proxy."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from farm_cli import leftovers, supervisor
from farm_cli.children import children
from farm_cli.errors import ServiceError
from farm_cli.probes import ask_redis
from farm_cli.service import Service
from farm_scheduler.settings import Settings

CHILDREN = "redis,index"
HOLD = (
    "import sys, time; from farm_cli.service import Service; from farm_scheduler.settings import Settings; \
s = Service(Settings()); s.wait_until_ready(); print('ready', flush=True); time.sleep(60)"
)


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """A home of its own, where only Redis and the index proxy are started; nothing may be left in the end."""
    monkeypatch.setenv("WHEELFARM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv(supervisor.ONLY, CHILDREN)
    found = Settings()
    yield found
    assert until(lambda: left(found) == [], 10), "the service left processes"
    assert not found.farm_socket.exists()


def left(settings):
    """The processes of this home's service."""
    return leftovers.marked(leftovers.mark(settings))


def until(condition, seconds):
    """Wait until a condition holds; whether it did."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def pid_of(settings, name):
    """The process of one child, from what /proc tells."""
    argv = next(plan.argv for plan in children(settings) if plan.name == name)
    for pid in left(settings):
        with contextlib.suppress(OSError):  # it has just ended
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
            if words[: len(argv)] == list(argv):
                return pid
    return None


def supervisor_pid(settings):
    """The process that holds the lock of the home."""
    inode = (settings.sockets / "supervisor.lock").stat().st_ino
    for line in Path("/proc/locks").read_text().splitlines():
        if line.split()[5].endswith(f":{inode}"):
            return int(line.split()[4])
    return None


def test_a_service_comes_up_in_two_seconds_and_leaves_nothing(settings):
    """Holding the service starts its processes quickly, and letting go ends all of them."""
    begun = time.monotonic()
    with Service(settings) as service:
        service.wait_until_ready()
        assert time.monotonic() - begun < 4
        assert ask_redis(settings.redis_socket, b"PING") == b"+PONG\r\n"
        service.check()
    assert left(settings) == []
    assert not settings.redis_socket.exists()


def test_redis_is_private(settings):
    """The queue has no TCP port, no file, a bound on its memory, and a socket for this user alone."""
    with Service(settings) as service:
        service.wait_until_ready()
        answers = {
            name: ask_redis(settings.redis_socket, f"CONFIG GET {name}".encode()).split(b"\r\n")
            for name in ("port", "save", "maxmemory")
        }
        pid = pid_of(settings, "redis")
        tcp = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=True, timeout=10).stdout
        assert f"pid={pid}," not in tcp
        assert settings.redis_socket.stat().st_mode & 0o777 == 0o700
    assert b"0" in answers["port"]
    assert b"" in answers["save"]
    assert str(128 * 1024 * 1024).encode() in answers["maxmemory"]


def test_two_clients_share_one_service(settings):
    """A second client joins the service, which lives until both have let go."""
    with Service(settings) as first:
        first.wait_until_ready()
        before = left(settings)
        with Service(settings) as second:
            second.wait_until_ready()
            assert left(settings) == before
        first.check()
        assert left(settings) == before


def test_clients_that_start_at_once_share_one_service(settings):
    """Of several clients that start at the same time one starts the service and the others join it."""
    command = [sys.executable, "-c", HOLD]
    holders = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    try:
        assert [holder.stdout.readline() for holder in holders] == ["ready\n"] * 4
        assert len(left(settings)) == 2
    finally:
        for holder in holders:
            holder.kill()
            holder.wait(timeout=10)
            holder.stdout.close()


@pytest.mark.parametrize("name", ["redis", "index"])
def test_a_killed_child_is_started_again(settings, name):
    """A child that was killed comes back while the clients keep their hold."""
    with Service(settings) as service:
        service.wait_until_ready()
        first = pid_of(settings, name)
        os.kill(first, signal.SIGKILL)
        assert until(lambda: pid_of(settings, name) not in {None, first}, 10)
        assert until(lambda: service.check() or service.state == "ready", 10)


SECOND_IS_SLOW = """#!/bin/bash
echo >> {starts}
[ "$(wc -l < {starts})" != 2 ] || exec sleep 600
exec -a redis-server {program} "$@"
"""


@pytest.mark.parametrize("slow", [False, True])
def test_a_child_that_does_not_come_back_at_once_is_tried_again(settings, slow, tmp_path, monkeypatch):
    """Killed again after its start, or too slow: the others, and the jobs that they have, are left alone."""
    if slow:
        script = tmp_path / "bin/redis-server"
        script.parent.mkdir()
        text = SECOND_IS_SLOW.format(starts=tmp_path / "starts", program=shutil.which("redis-server"))
        script.write_text(text)
        script.chmod(0o755)
        monkeypatch.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")
    with Service(settings) as service:
        service.wait_until_ready()
        before = {name: pid_of(settings, name) for name in ("redis", "index")}
        os.kill(before["redis"], signal.SIGKILL)
        assert until(lambda: pid_of(settings, "redis") not in {None, before["redis"]}, 60)
        if not slow:
            second = pid_of(settings, "redis")
            os.kill(second, signal.SIGKILL)
            assert until(lambda: pid_of(settings, "redis") not in {None, second}, 60)
        assert until(lambda: service.check() or service.state == "ready", 60)
        assert pid_of(settings, "index") == before["index"]


def test_a_killed_beat_is_started_again(settings, monkeypatch):
    """What sends the periodic messages is a process of the service like the others, and comes back like them."""
    monkeypatch.setenv(supervisor.ONLY, "redis,beat")
    with Service(settings) as service:
        service.wait_until_ready()
        assert until(lambda: pid_of(settings, "beat") is not None, 10)
        first = pid_of(settings, "beat")
        os.kill(first, signal.SIGKILL)
        assert until(lambda: pid_of(settings, "beat") not in {None, first}, 10)
        assert until(lambda: b"wheelfarm" in ask_redis(settings.redis_socket, b"KEYS *"), 20)


def test_a_redis_elsewhere_is_not_started_here(settings, monkeypatch):
    """With the URL of a Redis the service has none of its own."""
    monkeypatch.setenv("WHEELFARM_REDIS_URL", "redis://127.0.0.1:1/0")
    names = [plan.name for plan in children(Settings(home=settings.home))]
    assert names == ["index", "holder", "worker", "beat"]


def test_a_killed_supervisor_takes_its_children_along(settings):
    """Kill -9 of the supervisor leaves no process, and its client is told in one sentence."""
    service = Service(settings)
    service.wait_until_ready()
    os.kill(supervisor_pid(settings), signal.SIGKILL)
    assert until(lambda: left(settings) == [], 5)
    with pytest.raises(ServiceError, match="was lost"):
        until(service.check, 5)
    service.leave()
    with Service(settings) as again:
        again.wait_until_ready()


def test_a_killed_client_ends_the_service(settings):
    """Kill -9 of the only client ends everything that it had started."""
    holder = subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "ready\n"
    holder.kill()
    holder.wait(timeout=10)
    holder.stdout.close()
    assert until(lambda: left(settings) == [], 10)
    assert until(lambda: not settings.farm_socket.exists(), 10)


def test_the_next_start_ends_what_a_kill_left(settings):
    """Processes that outlived their supervisor, and stale sockets, are gone when the next service is up."""
    settings.prepare()
    environment = {**os.environ, leftovers.MARK: leftovers.mark(settings)}
    orphan = subprocess.Popen(["sleep", "100"], env=environment, start_new_session=True)
    settings.redis_socket.touch()
    settings.index_socket.touch()
    with Service(settings) as service:
        service.wait_until_ready()
        assert orphan.wait(timeout=5) == -signal.SIGTERM


def test_a_child_that_cannot_start_is_explained(settings, monkeypatch, tmp_path):
    """When a child ends again and again the client gets the end of its log."""
    broken = tmp_path / "bin" / "redis-server"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\necho out of order\nexit 7\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{broken.parent}:{os.environ['PATH']}")
    with Service(settings) as service, pytest.raises(ServiceError, match=r"(?s)redis.*code 7.*out of order"):
        service.wait_until_ready()


def test_a_supervisor_that_cannot_start_is_told_at_once(settings, monkeypatch):
    """When the supervisor itself ends at once, the client does not try on but names the log."""
    monkeypatch.setenv("WHEELFARM_SLOTS", "many")
    begun = time.monotonic()
    with pytest.raises(ServiceError, match=r"exit code 1; see .*supervisor\.log"):
        Service(settings)
    assert time.monotonic() - begun < 10


def test_a_home_that_cannot_be_written_is_one_sentence(tmp_path, monkeypatch):
    """A home below a file is refused with the sentence that says which variable to set."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("WHEELFARM_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(ServiceError, match="WHEELFARM_HOME"):
        Service(Settings())
