"""Questions to a process of the embedded service: are you there yet?

Called by the supervisor while it starts a child. A probe answers within its time limit, raises nothing, and
never changes what it asks.
"""

import socket
from pathlib import Path

import redis

PROBE_SECONDS = 0.5
LARGEST_ANSWER = 1024 * 1024
PRIVATE = "redis+socket://"
"""How the URL of the private Redis begins (kombu's spelling of a unix socket)."""


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


def worker_waits(url: str) -> bool:
    """Whether a Celery worker waits for messages on the Redis of this URL: a client is inside BRPOP."""
    if url.startswith(PRIVATE):
        return b"cmd=brpop" in ask_redis(Path(url.removeprefix(PRIVATE)), b"CLIENT LIST").lower()
    options = {"socket_timeout": PROBE_SECONDS, "socket_connect_timeout": PROBE_SECONDS}
    try:
        with redis.Redis.from_url(url, **options) as client:
            return any(each.get("cmd") == "brpop" for each in client.client_list())
    except (redis.RedisError, ValueError):
        return False


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
