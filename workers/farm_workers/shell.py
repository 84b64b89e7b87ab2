"""A shell, or one command, in a fresh machine with a job's source and environments, at the person's own terminal.

Started as `python -m farm_workers.shell JOB [COMMAND…]` by `wheelfarm shell`, which holds the service and whose
terminal it inherits. The machine is a lease: it ends with this process, however that ends. Nothing is recorded.
"""

import json
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterator
from itertools import chain
from types import FrameType as StackFrame
from typing import Any

from farm_images.wire import (
    FrameType,
    JobFrame,
    LimitsFrame,
    SessionFrame,
    SourceFrame,
    data_frames,
    encode_frame,
)
from farm_scheduler.database import Database
from farm_scheduler.engine import celery_app
from farm_scheduler.errors import FarmError, exit_code_of
from farm_scheduler.evidence import JobEnd
from farm_scheduler.guest_text import clean_line, tail
from farm_scheduler.runs import ask_for_images
from farm_scheduler.settings import Settings
from farm_scheduler.shells import ShellJob, read_shell_job
from farm_workers.image_wait import wait_for_image
from farm_workers.index_policy import set_cutoff
from farm_workers.installer_frames import installer_frame
from farm_workers.machines import holder_machines
from farm_workers.person_terminal import PersonTerminal
from farm_workers.run import Hands, chunks
from farm_workers.shell_session import Limits, ShellSession, to_stderr

LOG_LINES = 20
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class EndedError(Exception):
    """A signal asked this process to end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def main() -> int:
    """Entry point of the process: JOB and the command are its arguments."""
    job_id, *command = sys.argv[1:]
    settings = Settings()
    database = Database(settings.record_url)
    hands = Hands(settings=settings, database=database, machines=holder_machines(settings))

    def ask(system: str) -> None:
        ask_for_images(database, celery_app(settings), settings, [system])

    return shell(hands, job_id, tuple(command), ask)


def shell(hands: Hands, job_id: str, command: tuple[str, ...], ask: Callable[[str], None]) -> int:
    """A session from its machine to its end; the exit code of what ran in it, or the farm's own after a sentence.

    `ask` has the image of a system baked, should it not be there.
    """
    terminal = PersonTerminal()
    for number in SIGNALS:
        signal.signal(number, _end)
    try:
        return _exit_code(_run(hands, job_id, command, terminal, ask))
    except EndedError as error:
        return 128 + error.number
    except FarmError as error:
        terminal.restore(torn=True)
        to_stderr(f"wheelfarm: {clean_line(error.sentence)}")
        return exit_code_of(error)
    except BrokenPipeError:
        return 128 + signal.SIGPIPE
    finally:
        terminal.restore(torn=True)


def _end(number: int, _frame: StackFrame | None) -> None:
    raise EndedError(number)


def _run(
    hands: Hands,
    job_id: str,
    command: tuple[str, ...],
    terminal: PersonTerminal,
    ask: Callable[[str], None],
) -> JobEnd:
    settings = hands.settings
    job = read_shell_job(hands.database, settings, job_id)
    say = _progress(time.monotonic())
    image = wait_for_image(hands, job.system, ask, say)
    hands.database.close()
    say(f"a machine for {job.title}, {job.label}")

    def begun(description: bytes, log: str) -> None:
        for line in described(job, description, log, settings, asks=terminal.is_one):
            to_stderr(line)

    limits = Limits(seconds=settings.shell_seconds, idle_seconds=settings.shell_idle_seconds)
    frames = _frames(job, command, terminal, settings)
    with hands.machines(image, say) as lease:
        set_cutoff(settings.index_socket, lease.machine_id, job.cutoff)
        end = ShellSession(lease, frames, terminal, limits, say=say, begun=begun).run()
        terminal.restore(torn=False)
    return end


def _progress(began: float) -> Callable[[str], None]:
    last = ""

    def say(sentence: str) -> None:
        nonlocal last
        if sentence != last:
            last = sentence
            to_stderr(f"[{time.monotonic() - began:8.1f}] {clean_line(sentence)}")

    return say


def _frames(
    job: ShellJob, command: tuple[str, ...], terminal: PersonTerminal, settings: Settings
) -> Iterator[bytes]:
    size = terminal.size if terminal.is_one else None
    frame = JobFrame(
        job=job.job_id,
        tool="tox3" if job.tool == "tox3" else "tox",
        environments=job.environments,
        inferred=job.inferred,
        source=SourceFrame(bytes=job.source.stat().st_size, sha256=job.source_sha256),
        limits=LimitsFrame(seconds=settings.job_seconds, log_bytes=settings.log_bytes),
        env=dict(job.variables),
        packages=job.packages,
        session=SessionFrame(argv=command, terminal=size, name=terminal.name),
        installer=installer_frame(job, settings),
    )
    return chain([encode_frame(FrameType.JOB, frame.payload())], data_frames(chunks(job.source)))


def described(job: ShellJob, description: bytes, log: str, settings: Settings, *, asks: bool) -> list[str]:
    """The first lines: where the person is, what was made, how to run the tests, what is not there, when it ends."""
    facts = _facts(description)
    folder = str(facts.get("folder", ""))
    lines = [f"{job.job_id} · {clean_line(job.title)} · {job.label}, in {clean_line(folder)}"]
    lines += [f"  {name}: {_made(facts, name, folder)}" for name in job.environments]
    if log:
        lines += ["  tox could not make all of it; the end of what it said:"]
        lines += [f"  │ {line}" for line in tail(log, LOG_LINES).split("\n")]
    again = facts.get("again")
    if isinstance(again, list):
        lines.append(f"  the tests again: {clean_line(shlex.join(map(str, again)))}")
    lines.append(
        "  there is no network but the package index, no root, and no way to keep a file: cat it out"
    )
    idle = f", or {_span(settings.shell_idle_seconds)} without a key or a character" if asks else ""
    lines.append(
        f"  the machine goes with this {'shell' if asks else 'command'}, after {_span(settings.shell_seconds)}{idle}"
    )
    return lines


def _span(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 60 else f"{seconds:.0f} s"


def _facts(description: bytes) -> dict[str, Any]:
    try:
        found = json.loads(description)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _made(facts: dict[str, Any], name: str, folder: str) -> str:
    made = facts.get("interpreters")
    python = made.get(name) if isinstance(made, dict) else None
    if not isinstance(python, dict):
        return "not made"
    path = str(python.get("path", "")).removeprefix(f"{folder}/")
    version = ".".join(str(python.get("version", "")).split(".")[:3])
    return clean_line(f"{path} (Python {version})")


def _exit_code(end: JobEnd) -> int:
    if end.signal is not None:
        return 128 + end.signal
    return 1 if end.exit_code is None else end.exit_code & 255


if __name__ == "__main__":
    sys.exit(main())
