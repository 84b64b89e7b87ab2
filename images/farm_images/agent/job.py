"""One job from its frame to `farm:job`: source in, tox run, everything it said out.

Called by `conversation` for each JOB frame of the kind `tox`; `command` shares its parts. It
never raises for anything the project does; what it raises is the farm's fault and becomes `farm:error` there.
"""

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from farm_images.agent import inferred, installer, job_file, source
from farm_images.agent.channel import Channel
from farm_images.agent.confinement import Confinement
from farm_images.agent.job_user import JobUser
from farm_images.agent.log import Log
from farm_images.agent.name_server import NameServer
from farm_images.agent.packets import JSON, Packets
from farm_images.agent.places import Places
from farm_images.agent.reports import Listener, Relay
from farm_images.agent.starter_process import StarterProcess
from farm_images.agent.system_packages import SystemPackages
from farm_images.agent.watch import Listeners, Watch
from farm_images.wire import ID_JOB, ID_SOURCE, ID_TOX, JobFrame, SourceFrame

_RESULT_BYTES = 16 << 20
_FULL_BYTES = 1 << 20
_PACKAGES = "system packages"


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What `job.json` says; filled while the job goes on."""

    exit_code: int | None = None
    signal: int | None = None
    limit: str | None = None
    cancelled: bool = False
    refused: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether tox ended by itself, with 0."""
        return self.exit_code == 0 and self.limit is None and not self.cancelled

    def report(self, packets: Packets) -> None:
        """The last packets of the job's stream."""
        content: dict[str, Any] = {
            "exit_code": self.exit_code,
            "signal": self.signal,
            "limit": self.limit,
            "cancelled": self.cancelled,
            "refused": self.refused,
            "seconds": {name: round(seconds, 3) for name, seconds in self.seconds.items()},
        }
        packets.attach_json(ID_JOB, "job.json", content)
        packets.step(ID_JOB, "success" if self.ok else "fail", eof=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """What every job of this agent works with."""

    places: Places
    user: JobUser
    confinement: Confinement
    channel: Channel
    packets: Packets


def run_tox(guest: Guest, frame: JobFrame, process: StarterProcess, outcome: Outcome) -> Path | None:
    """Receive the source, run tox on it in `process`, send all of it but the final `farm:job`; the project's folder.

    For a session tox makes the environments and runs nothing. None if the archive is at fault.
    Raises SourceError, CancelledError, StarterError, ChannelClosedError, OSError.
    """
    project = take_source(guest, frame.source, process, outcome)
    if project is not None and _install(guest, frame, outcome):
        _run(guest, frame, process, project, outcome)
    return project


def _install(guest: Guest, frame: JobFrame, outcome: Outcome) -> bool:
    """The step `farm:system-packages`, if there are any; whether the job goes on."""
    if not frame.packages:
        return True
    started = time.monotonic()
    packages = SystemPackages(
        guest.channel,
        guest.packets,
        root=guest.places.root,
        spool=guest.places.spool,
        log_bytes=frame.limits.log_bytes,
    )
    installed = packages.install(frame.packages, frame.limits.seconds)
    outcome.limit = "time" if packages.timed_out else None
    outcome.seconds[_PACKAGES] = time.monotonic() - started
    return installed


def take_source(
    guest: Guest, announced: SourceFrame, process: StarterProcess, outcome: Outcome
) -> Path | None:
    """The step `farm:source`; the project's folder, or None if the archive is at fault. Raises as `run_tox`."""
    started = time.monotonic()
    guest.packets.step(ID_SOURCE, "inprogress")
    archive = guest.places.spool / "source.tar.gz"
    source.receive(guest.channel, announced, archive)
    answer = process.unpack(archive, guest.places.project)
    archive.unlink()
    outcome.seconds["source"] = time.monotonic() - started
    if "project" not in answer:
        guest.packets.step(ID_SOURCE, "fail", reason=answer.get("reason"))
        return None
    guest.packets.step(ID_SOURCE, "success")
    return Path(answer["project"])


def _run(guest: Guest, frame: JobFrame, process: StarterProcess, project: Path, outcome: Outcome) -> None:
    packets = guest.packets
    listeners = Listeners(
        steps=Listener(guest.places.run / "steps.sock", guest.user),
        tests=Listener(guest.places.run / "results.sock", guest.user),
        names=NameServer(packets) if guest.user.drop else None,
    )
    log = Log(process.output, frame.limits.log_bytes, packets, ID_TOX)
    relay = Relay(packets, frozenset(frame.environments))
    watch = Watch(guest.channel, process, guest.confinement, log, relay)
    guest.places.tox_result.unlink(missing_ok=True)
    started = time.monotonic()
    packets.step(ID_TOX, "inprogress")
    try:
        kind, argv = _command(guest.places, frame, project)
        argv += ["--notest"] if frame.session is not None else []
        process.become(kind, argv, _variables(guest, frame, listeners), project)
        status = watch.run(listeners, frame.limits.seconds - outcome.seconds.get(_PACKAGES, 0.0))
    finally:
        listeners.close()
    outcome.seconds["tox"] = time.monotonic() - started
    outcome.refused = relay.refused
    settle(guest, watch, status, outcome)
    log.finish()
    if result := job_file.read(guest.places.tox_result, _RESULT_BYTES):
        packets.attach(ID_TOX, "tox-result.json", result, JSON)
    packets.step(ID_TOX, "success" if outcome.ok else "fail")


def settle(guest: Guest, watch: Watch, status: int, outcome: Outcome) -> None:
    """Write down how the watched process ended."""
    outcome.cancelled = watch.cancelled
    outcome.exit_code, outcome.signal = (status, None) if status >= 0 else (None, -status)
    outcome.limit = watch.limit or (_exhausted(guest) if status else None)


def _command(places: Places, frame: JobFrame, project: Path) -> tuple[str, list[str]]:
    """How to start tox: `tox` in the warm process, `exec` for the old one."""
    launcher = str(places.launcher(frame.tool))
    options = ["-e", ",".join(frame.environments), "--result-json", str(places.tox_result)]
    if frame.inferred is not None:
        options += inferred.write(frame.inferred, frame.tool, project, places.spool)
    if frame.tool == "tox":
        return "tox", [launcher, "run", *options]
    return "exec", [launcher, *options]


def _variables(guest: Guest, frame: JobFrame, listeners: Listeners) -> dict[str, str]:
    """The environment of tox; the plugins take theirs out again before the project's commands run."""
    variables = guest.user.variables(guest.places)
    variables |= installer.variables(frame.installer, guest.places) | frame.env
    variables |= {
        "WHEELFARM_STEPS": str(listeners.steps.path),
        "WHEELFARM_RESULTS": str(listeners.tests.path),
    }
    if frame.tool != "tox":
        variables["PYTHONPATH"] = str(guest.places.tox_plugins)
    return variables


def _exhausted(guest: Guest) -> str | None:
    if (resource := guest.confinement.exceeded()) is not None:
        return resource
    space = os.statvfs(guest.places.home)
    return "disk" if space.f_bavail * space.f_frsize < _FULL_BYTES else None
