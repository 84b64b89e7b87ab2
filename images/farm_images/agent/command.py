"""One plain command in the guest: what a person at a shell of the job's user would have done.

Called by `conversation` for each JOB frame of the kind `command`. No plugin, no variable and no imported
module of ours is around the command: the first process unpacks the source and then is replaced by it. It
never reads a file outside the user's home.
"""

import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from farm_images.agent import job_file
from farm_images.agent.job import Guest, Outcome, settle, take_source
from farm_images.agent.log import Log
from farm_images.agent.reports import Relay
from farm_images.agent.starter_process import StarterProcess
from farm_images.agent.watch import Watch
from farm_images.wire import ID_COMMAND, JOB_HOME, CommandFrame

_FILE_BYTES = 16 << 20
_ALL_BYTES = 64 << 20
_FILES = 1000
_BINARY = "application/octet-stream"
# The shell looks the command up, and says what a shell says when there is none (126, 127).
BY_NAME = ("/bin/sh", "-c", 'exec "$@"', "sh")


def run_command(guest: Guest, frame: CommandFrame, process: StarterProcess, outcome: Outcome) -> None:
    """Receive the source if there is one, run the command, send all of it but the final `farm:job`.

    Raises SourceError, CancelledError, StarterError, ChannelClosedError, OSError.
    """
    folder: Path | None = guest.places.home
    if frame.source is not None:
        folder = take_source(guest, frame.source, process, outcome)
    if folder is not None:
        _run(guest, frame, process, folder, outcome)


def _run(guest: Guest, frame: CommandFrame, process: StarterProcess, folder: Path, outcome: Outcome) -> None:
    packets = guest.packets
    log = Log(process.output, frame.limits.log_bytes, packets, ID_COMMAND)
    watch = Watch(guest.channel, process, guest.confinement, log, Relay(packets, frozenset()))
    started = time.monotonic()
    packets.step(ID_COMMAND, "inprogress")
    process.become("exec", [*BY_NAME, *frame.argv], guest.user.variables(guest.places) | frame.env, folder)
    status = watch.run(None, frame.limits.seconds)
    outcome.seconds["command"] = time.monotonic() - started
    settle(guest, watch, status, outcome)
    log.finish()
    _collect(guest, frame.collect)
    packets.step(ID_COMMAND, "success" if outcome.ok else "fail")


def _collect(guest: Guest, patterns: tuple[str, ...]) -> None:
    """Attach the files; nothing of the job runs any more, so what is looked at stays as it is."""
    files: dict[str, int] = {}
    left_out: dict[str, str] = {}
    left = _ALL_BYTES
    for path in _matches(guest.places.home, patterns):
        name = f"{JOB_HOME}/{path.relative_to(guest.places.home)}".encode(errors="replace").decode()
        content = job_file.read(path, min(left, _FILE_BYTES))
        if content is None:
            left_out[name] = "no plain file, or too long"
        elif name not in files:
            files[name] = len(content)
            left -= len(content)
            guest.packets.attach(ID_COMMAND, name, content, _BINARY)
        if len(files) + len(left_out) >= _FILES:
            break
    if patterns:
        guest.packets.attach_json(ID_COMMAND, "collected.json", {"files": files, "left_out": left_out})


def _matches(home: Path, patterns: tuple[str, ...]) -> Iterator[Path]:
    """What the patterns find below the home, and not by a link that leads out of it."""
    real_home = home.resolve()
    for pattern in patterns:
        inside = str(PurePosixPath(pattern).relative_to(JOB_HOME))
        for found in sorted(home.glob(inside)):
            if not found.is_dir() and found.resolve().is_relative_to(real_home):
                yield found
