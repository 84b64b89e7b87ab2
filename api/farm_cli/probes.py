"""Questions to a process of the embedded service: are you there yet?

Called by the supervisor while it starts a child. A probe answers within its time limit, raises nothing, and
never changes what it asks.
"""

import socket
from pathlib import Path

from farm_scheduler.settings import Settings

PROBE_SECONDS = 0.5
LARGEST_ANSWER = 1024 * 1024


def listens(path: Path) -> bool:
    """Whether something accepts connections on this unix socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(PROBE_SECONDS)
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def redis_answers(path: Path) -> bool:
    """Whether the Redis on this unix socket answers PING (it refuses while it loads)."""
    return ask_redis(path, b"PING") == b"+PONG\r\n"


def worker_waits(settings: Settings) -> bool:
    """Whether a Celery worker waits for messages on the farm's Redis: a client is inside BRPOP."""
    if not settings.redis_url:
        return b"cmd=brpop" in ask_redis(settings.redis_socket, b"CLIENT LIST").lower()
    from farm_scheduler.engine import (
        awaits_messages,
        celery_app,
    )  # takes its time; the private Redis does without

    app = celery_app(settings)
    try:
        return awaits_messages(app)
    finally:
        app.close()


def ask_redis(path: Path, command: bytes) -> bytes:
    """The raw answer to an inline command (Redis protocol, RESP2), or nothing when there is none in time."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(PROBE_SECONDS)
        try:
            probe.connect(str(path))
            probe.sendall(command + b"\r\n")
            return _read_answer(probe)
        except OSError:
            return b""


def _read_answer(probe: socket.socket) -> bytes:
    answer = b""
    while not _complete(answer) and len(answer) < LARGEST_ANSWER:
        received = probe.recv(65536)
        if not received:
            break
        answer += received
    return answer


def _complete(answer: bytes) -> bool:
    head, found, body = answer.partition(b"\r\n")
    if not found or not head.startswith(b"$"):
        return bool(found)
    return len(body) >= int(head[1:]) + 2
