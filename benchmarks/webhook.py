"""How fast a webhook is taken: a real server, signed pushes at a steady pace, on SQLite and on PostgreSQL.

    .venv/bin/python -m benchmarks.webhook [--rate 200] [--seconds 20] [--database sqlite|postgresql|both]

The pace is kept whatever the server does (an answer that is late makes no request later), so that a pause shows in
the figures. The bound beside it is the same server's /healthz at the same pace: HTTP and one look into the record. It
starts Redis and PostgreSQL of its own, and never touches a farm.
"""

import argparse
import asyncio
import contextlib
import gc
import hashlib
import hmac
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
from tests.postgres import cluster

from farm_scheduler.database import Database
from farm_scheduler.project_secrets import add_secret
from farm_scheduler.projects import add_project
from farm_scheduler.schema import upgrade
from farm_scheduler.secret_box import secret_box
from farm_scheduler.settings import Settings

REPOSITORY = "https://github.com/example/demo"
COMMITS = 20
"""Commits in a push: about 10 KB of JSON, as usual ones have."""
START_SECONDS = 60.0
BOUND_MILLISECONDS = 50.0
"""Of 99 of 100 webhooks, at 200 a second on 2 processors."""

Send = Callable[[httpx.AsyncClient, int], Awaitable[httpx.Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """How many milliseconds 99 of 100 answers took at most, and how many were wrong."""

    p99: float
    wrong: int


def main(arguments: Sequence[str]) -> int:
    """Measure and print a line for each; 1 when an answer was not as it must be, or too late."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rate", type=int, default=200, help="requests a second")
    parser.add_argument("--seconds", type=float, default=20, help="how long")
    parser.add_argument("--database", choices=["sqlite", "postgresql", "both"], default="both")
    options = parser.parse_args(arguments)
    kinds = ["sqlite", "postgresql"] if options.database == "both" else [options.database]
    print(
        f"{options.rate} requests/s for {options.seconds:g} s, "
        f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}"
    )
    good = True
    for kind in kinds:
        with contextlib.ExitStack() as stack:
            home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wf-", dir="/tmp")))
            url = f"sqlite:///{home / 'record.sqlite'}"
            if kind == "postgresql":
                url = stack.enter_context(cluster()).new_record()
            settings = Settings(home=home, database_url=url)
            settings.prepare()
            send = prepare(settings)
            stack.enter_context(redis(settings))
            port, process = stack.enter_context(server(settings))
            pace = {"rate": options.rate, "seconds": options.seconds}
            looked = asyncio.run(measure(f"{kind} healthz", port, process, look, **pace))
            measured = asyncio.run(measure(f"{kind} webhook", port, process, send, **pace))
            good = judge(kind, measured) and not looked.wrong and good
    return 0 if good else 1


def judge(kind: str, measured: Measured) -> bool:
    """Print whether the bound holds; whether it does, and every answer was right."""
    late = measured.p99 >= BOUND_MILLISECONDS
    print(
        f"{kind}: 99 of 100 webhooks in {measured.p99:.1f} ms; the bound of {BOUND_MILLISECONDS:.0f} ms "
        f"{'MISSED' if late else 'holds'}",
        flush=True,
    )
    return not late and not measured.wrong


def prepare(settings: Settings) -> Send:
    """A project with a secret; what sends one signed push of another commit each time."""
    database = Database(settings.record_url)
    upgrade(database)
    box = secret_box(settings)
    with database.write() as session:
        project = add_project(session, "demo", REPOSITORY, None)
        secret = add_secret(session, box, project.id)
    database.close()

    async def send(client: httpx.AsyncClient, number: int) -> httpx.Response:
        body = push(number)
        digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {
            "X-GitHub-Event": "push",
            "X-GitHub-Delivery": secrets.token_hex(16),
            "X-Hub-Signature-256": f"sha256={digest}",
            "Content-Type": "application/json",
        }
        return await client.post("/webhooks/github", content=body, headers=headers)

    return send


async def look(client: httpx.AsyncClient, number: int) -> httpx.Response:
    """What the bound asks for."""
    del number
    return await client.get("/healthz")


def push(number: int) -> bytes:
    """The body of a push."""
    commit = hashlib.sha1(str(number).encode(), usedforsecurity=False).hexdigest()
    one = {"id": commit, "message": "m" * 200, "author": {"name": "n", "email": "e"}, "added": ["a/b.py"] * 5}
    document = {
        "ref": "refs/heads/main",
        "after": commit,
        "deleted": False,
        "head_commit": one,
        "commits": [one] * COMMITS,
        "repository": {"clone_url": f"{REPOSITORY}.git"},
    }
    return json.dumps(document).encode()


async def measure(name: str, port: int, process: int, send: Send, *, rate: int, seconds: float) -> Measured:
    """Send at the pace, and print the figures."""
    limits = httpx.Limits(max_connections=200, max_keepalive_connections=200)
    took: list[float] = []
    wrong = 0

    async def one(client: httpx.AsyncClient, number: int, due: float) -> None:
        nonlocal wrong
        try:
            answer = await send(client, number)
        except httpx.HTTPError:
            wrong += 1
        else:
            wrong += answer.status_code not in {200, 202}
        took.append(time.perf_counter() - due)

    url = f"http://127.0.0.1:{port}"
    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=30, trust_env=False) as client:
        await asyncio.gather(*(send(client, -number - 1) for number in range(20)))  # connections and caches
        await asyncio.sleep(1)
        gc.freeze()  # a pause of the sender would count as one of the server
        cost = processor_seconds(process)
        began = time.perf_counter()
        tasks = []
        for number in range(int(rate * seconds)):
            due = began + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            tasks.append(asyncio.create_task(one(client, number, due)))
        await asyncio.gather(*tasks)
        elapsed = time.perf_counter() - began
        cost = 1000 * (processor_seconds(process) - cost) / len(took)
    took.sort()
    points = "  ".join(f"{label} {1000 * took[int(len(took) * part)]:6.1f} ms" for label, part in
                       (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 0.999999)))  # fmt: skip
    print(
        f"{name:20} {points}  {len(took) / elapsed:.0f}/s  {cost:.1f} ms of CPU each  {wrong} wrong",
        flush=True,
    )
    return Measured(p99=1000 * took[int(len(took) * 0.99)], wrong=wrong)


@contextlib.contextmanager
def redis(settings: Settings) -> Iterator[None]:
    """A Redis of the farm's own."""
    argv = ["redis-server", "--port", "0", "--unixsocket", str(settings.redis_socket), "--save", ""]
    process = subprocess.Popen([*argv, "--dir", str(settings.home)], stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=20)


@contextlib.contextmanager
def server(settings: Settings) -> Iterator[tuple[int, int]]:
    """The server as `wheelfarm up` starts it; its port, and its process."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    variables = {
        **os.environ,
        "WHEELFARM_HOME": str(settings.home),
        "WHEELFARM_DATABASE_URL": settings.database_url,
    }
    process = subprocess.Popen([sys.executable, "-m", "farm_api.server", "--port", str(port)], env=variables)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not answers(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("the server did not start")
            time.sleep(0.1)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(timeout=20)


def processor_seconds(process: int) -> float:
    """What a process has used of the processors so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def answers(port: int) -> bool:
    """Whether the server is there."""
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=5, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
